/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page ranges: a map from every uint64_t to a uint32_t, 0 unless set, kept as the points at which
 * the value changes. No gap, and neighbours always differ: both hold by construction, because a
 * point that changes nothing is never stored. The last key, UINT64_MAX, is always 0: a range ends
 * below it. A tree is a cell index; 0 is the empty tree.
 *
 * The tree is maple-shaped: many ranges a node, so that a world of a few ranges costs one cell
 * and a hundred thousand are four or five nodes deep. Of neighbouring pages with small values a
 * range costs about 8 bytes. A call may allocate at most GMEM_RANGE_CELLS cells; whoever calls has
 * reserved them (gmem_reserve()).
 */
#ifndef GMEM_RANGES_H
#define GMEM_RANGES_H

#include <stdbool.h>
#include <stdint.h>

struct gmem_block;

struct gmem_range {
	uint64_t start, end; /* half open */
	uint32_t value;
};

#define GMEM_RANGE_CELLS 26u
#define GMEM_RANGE_POINTS 48u /* the most points in a cell */

/* The value at key. */
uint32_t gmem_range_get(const struct gmem_block *b, uint32_t root, uint64_t key);

/* The first range with a value other than 0 that ends after from; false if there is none. */
bool gmem_range_next(const struct gmem_block *b, uint32_t root, uint64_t from,
		     struct gmem_range *range);

/*
 * The same within [from, end): the range found is cut to that. A walk through a window is
 *	for (r.end = start; gmem_range_next_in(b, root, r.end, end, &r);)
 */
bool gmem_range_next_in(const struct gmem_block *b, uint32_t root, uint64_t from, uint64_t end,
			struct gmem_range *range);

/* Whether all of [start, end), which is not empty, has that value. */
bool gmem_range_is(const struct gmem_block *b, uint32_t root, uint64_t start, uint64_t end,
		   uint32_t value);

/* Whether all of [start, end) is 0. */
bool gmem_range_empty(const struct gmem_block *b, uint32_t root, uint64_t start, uint64_t end);

/* Makes [start, end) all value. */
void gmem_range_set(struct gmem_block *b, uint32_t *root, uint64_t start, uint64_t end,
		    uint32_t value);

/* Makes everything 0 and gives the cells back. */
void gmem_range_clear(struct gmem_block *b, uint32_t *root);

/* A copy of the tree; it takes gmem_range_cells() cells. */
uint32_t gmem_range_copy(struct gmem_block *b, uint32_t root);
uint32_t gmem_range_cells(const struct gmem_block *b, uint32_t root);

/* null, or what is wrong with the tree's shape. */
const char *gmem_range_wrong(const struct gmem_block *b, uint32_t root);

#endif
