/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A node of a range tree, for the files that know its shape: node.c, which fills one; ranges.c,
 * which finds and stores; and ranges-whole.c, which copies, counts and checks whole trees.
 *
 * A node is a cell: 16 bytes that say what it is, and 240 of entries, in one of three shapes.
 *
 *	NODE_WIDE	key: 20 of 64 bits                    val: 20 of 32 bits
 *	NODE_NEAR	delta: 28 of 32 bits                  near: 28 of 32 bits
 *	NODE_SMALL	delta: 48 of 32 bits                  small: 48 of 8 bits
 *
 * The last two hold keys that are less than NODE_SPAN apart, key i as base + delta[i], and the
 * last one values below 256 only: what is said of the pages of a file is nearly always small. The
 * span does not go beyond the last key, so that a key below it, less the base, is far above it.
 *
 * A leaf, of any shape, holds points: from key i on the value is value i, until the next point.
 *
 * An inner node, always wide, holds children: keys from key[i] on, up to key[i + 1], are in child
 * val[i]. key[0] is 0 wherever the node is. A key need not be a point, or is no longer one.
 *
 *	level 1		.---------------------.
 *			| 0: o       900: o   |
 *			'----|------------|---'
 *			     v            v
 *	level 0		.---------.  .-----------.	8 from 3 to 17, 1 from 950 to 2^40, else 0
 *			| 3: 8    |  | 950: 1    |
 *			| 17: 0   |  | 2^40: 0   |
 *			'---------'  '-----------'
 *			   small         wide
 *
 * Where there is no entry the key is higher than any, so a search need not know where they end.
 */
#ifndef GMEM_NODE_H
#define GMEM_NODE_H

#include "ranges.h"
#include "state.h"

#define NODE_MOST_WIDE 20u
#define NODE_MOST_NEAR 28u
#define NODE_MOST_SMALL GMEM_RANGE_POINTS
#define NODE_FEW 6u /* the fewest entries of a node that is not the root */
#define NODE_SPAN UINT32_MAX
#define FOREVER UINT64_MAX

enum node_shape { NODE_WIDE, NODE_NEAR, NODE_SMALL, NODE_NO_SHAPE };

struct node {
	uint8_t level; /* 0: leaf */
	uint8_t shape;
	uint8_t n;
	uint8_t unused[5];
	uint64_t base; /* NEAR, SMALL */
	union {
		struct {
			uint64_t key[NODE_MOST_WIDE];
			uint32_t val[NODE_MOST_WIDE];
		};
		struct {
			uint32_t delta[NODE_MOST_SMALL];
			uint8_t small[NODE_MOST_SMALL];
		};
		struct {
			uint32_t near_delta[NODE_MOST_NEAR]; /* is delta */
			uint32_t near[NODE_MOST_NEAR];
		};
	};
};

_Static_assert(sizeof(struct node) == GMEM_CELL_SIZE, "a node is one cell");

struct point {
	uint64_t key;
	uint32_t val;
};

static inline struct node *node(struct gmem_block *b, uint32_t idx)
{
	return gmem_cell(b, idx);
}

static inline const struct node *cnode(const struct gmem_block *b, uint32_t idx)
{
	return gmem_ccell(b, idx);
}

static inline uint64_t node_key(const struct node *n, unsigned int i)
{
	return n->shape == NODE_WIDE ? n->key[i] : n->base + n->delta[i];
}

static inline uint32_t node_val(const struct node *n, unsigned int i)
{
	if (n->shape == NODE_SMALL)
		return n->small[i];
	return n->shape == NODE_NEAR ? n->near[i] : n->val[i];
}

static inline struct point node_point(const struct node *n, unsigned int i)
{
	return (struct point){ node_key(n, i), node_val(n, i) };
}

/*
 * The number of keys at or below key. A branch for each key would have to guess, and in a big
 * tree it would guess wrong in every node. So keys are counted: in steps of a few first, and then
 * within the step that remains. Only of the nodes of small trees, and of roots, is it known that it
 * is the first one.
 */
static inline unsigned int node_upto_wide(const struct node *n, uint64_t key)
{
	const uint64_t *k = n->key;
	unsigned int i = 0;

	if (n->n > 5)
		i = 5u * ((k[4] <= key) + (k[9] <= key) + (k[14] <= key));
	k += i;
	return i + (k[0] <= key) + (k[1] <= key) + (k[2] <= key) + (k[3] <= key) + (k[4] <= key);
}

static inline unsigned int node_upto_near(const struct node *n, uint32_t delta)
{
	const uint32_t *d = n->delta;
	unsigned int i = 7u * ((d[6] <= delta) + (d[13] <= delta) + (d[20] <= delta));

	d += i;
	return i + (d[0] <= delta) + (d[1] <= delta) + (d[2] <= delta) + (d[3] <= delta) +
	       (d[4] <= delta) + (d[5] <= delta) + (d[6] <= delta);
}

static inline unsigned int node_upto_small(const struct node *n, uint32_t delta)
{
	const uint32_t *d = n->delta;
	unsigned int i = 8u * ((d[7] <= delta) + (d[15] <= delta) + (d[23] <= delta) +
			       (d[31] <= delta) + (d[39] <= delta));

	d += i;
	return i + (d[0] <= delta) + (d[1] <= delta) + (d[2] <= delta) + (d[3] <= delta) +
	       (d[4] <= delta) + (d[5] <= delta) + (d[6] <= delta) + (d[7] <= delta);
}

/* Inline wherever it is: lookups are mostly this. */
static inline __attribute__((__always_inline__)) unsigned int node_upto(const struct node *n,
									uint64_t key)
{
	uint64_t above = key - n->base;
	uint32_t delta = (uint32_t)above;
	const uint32_t *d = n->delta;

	if (n->shape == NODE_WIDE)
		return node_upto_wide(n, key);
	if (above >= NODE_SPAN)
		return key < n->base ? 0 : n->n;
	if (n->n <= 4)
		return (d[0] <= delta) + (d[1] <= delta) + (d[2] <= delta) + (d[3] <= delta);
	return n->shape == NODE_NEAR ? node_upto_near(n, delta) : node_upto_small(n, delta);
}

/* The number of keys below key. */
static inline unsigned int node_below(const struct node *n, uint64_t key)
{
	return key ? node_upto(n, key - 1) : 0;
}

/* Which child of an inner node key is in. */
static inline unsigned int node_child(const struct node *n, uint64_t key)
{
	return node_upto_wide(n, key) - 1;
}

/* Gives n these entries, in the narrowest shape that holds them; there is one. Its level stays. */
void node_pack(struct node *n, const struct point *p, unsigned int count);

/* The reverse; how many there are. */
unsigned int node_unpack(const struct node *n, struct point *p);

/* Where to cut entries so that two nodes hold them; 0 if one does. */
unsigned int node_cut(unsigned int level, const struct point *p, unsigned int count);

/* Replaces entries [i, j) by count others; false if the node, as it is, does not hold them. */
bool node_replace(struct node *n, unsigned int i, unsigned int j, const struct point *ins,
		  unsigned int count);

/* What of a node is wrong by itself; null if nothing is. */
const char *node_wrong(const struct node *n);

#endif
