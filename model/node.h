/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A node of a range tree, for the files that know its shape: ranges.c, which finds and stores,
 * and ranges-whole.c, which copies, counts and checks whole trees.
 */
#ifndef GMEM_NODE_H
#define GMEM_NODE_H

#include "state.h"

#define NODE_MAX 20u
#define FOREVER UINT64_MAX

struct node {
	uint16_t level; /* 0: leaf */
	uint16_t n;
	uint32_t unused;
	uint64_t key[NODE_MAX];
	uint32_t val[NODE_MAX];
};

_Static_assert(sizeof(struct node) <= GMEM_CELL_SIZE, "a node is one cell");

static inline struct node *node(struct gmem_block *b, uint32_t idx)
{
	return gmem_cell(b, idx);
}

static inline const struct node *cnode(const struct gmem_block *b, uint32_t idx)
{
	return gmem_ccell(b, idx);
}

#endif
