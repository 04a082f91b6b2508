/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Our range tree, as bench-ranges.h wants it. Cells are reserved before every store, as a call
 * does it; beyond the file all is 0.
 */
#include "bench-ranges.h"
#include "calls.h"
#include "ranges.h"
#include "state.h"

static struct gmem_world *world;
static uint32_t root;

void tree_begin(uint64_t npages)
{
	world = new_world_of(NULL);
	root = 0;
	tree_convert(0, npages, PRIVATE);
}

void tree_end(void)
{
	gmem_world_free(world);
}

void tree_convert(uint64_t start, uint64_t end, unsigned int value)
{
	if (!gmem_reserve(world, GMEM_RANGE_CELLS))
		abort();
	gmem_range_set(world->b, &root, start, end, value);
}

unsigned int tree_lookup(uint64_t page)
{
	return gmem_range_get(world->b, root, page);
}

uint64_t tree_walk(uint64_t *sum)
{
	struct gmem_range r = { 0, 0, 0 };
	uint64_t n = 0;

	while (gmem_range_next(world->b, root, r.end, &r)) {
		*sum += range_sum(r.start, r.end, r.value);
		n++;
	}
	return n;
}

uint64_t tree_bytes(void)
{
	return (uint64_t)gmem_range_cells(world->b, root) * GMEM_CELL_SIZE;
}
