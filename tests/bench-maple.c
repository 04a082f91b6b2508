/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's maple tree, as bench-ranges.h wants it. maple.sh compiles this with lib/maple_tree.c
 * of the kernel's source, in the build folder, as a program of its own.
 *
 * Why the comparison is fair. The tree is used as guest_memfd's conversion does it: an external
 * lock (invalidate_lock), no tracking of gaps, values as xa_mk_value(), a lookup just before and
 * just behind the range, a store widened over the neighbours that are equal, and readers by
 * mtree_load() and mas_for_each(). Where there is a choice, it is the one that is faster for the
 * kernel's tree: the tree is not in RCU mode, so that nodes are changed in place and not copied;
 * mas_store_gfp() takes the nodes it needs, where mas_preallocate() of this release takes the most
 * that any store could need; and what surrounds it costs nothing (see bench-maple.h). It is
 * compiled as the kernel is: -O2.
 */
#include <linux/maple_tree.h>

#include "bench-ranges.h"

#define CHUNK (UINT64_C(1) << 20)

struct kmem_cache maple_nodes;

static struct maple_tree tree;

/* The first node of a new chunk. Its first place is the list of chunks. */
void *maple_chunk(struct kmem_cache *c)
{
	char *chunk = aligned_alloc(CHUNK, CHUNK);

	BUG_ON(!chunk);
	*(void **)chunk = c->chunks;
	c->chunks = chunk;
	c->at = chunk + 2 * c->size;
	c->end = chunk + CHUNK;
	return chunk + c->size;
}

void tree_begin(uint64_t npages)
{
	if (!maple_nodes.size)
		maple_tree_init();
	mt_init_flags(&tree, MT_FLAGS_LOCK_EXTERN);
	tree_convert(0, npages, PRIVATE);
}

void tree_end(void)
{
	__mt_destroy(&tree);
	BUG_ON(maple_nodes.in_use);
	while (maple_nodes.chunks) {
		void *chunk = maple_nodes.chunks;

		maple_nodes.chunks = *(void **)chunk;
		free(chunk);
	}
	maple_nodes.free = NULL;
	maple_nodes.at = maple_nodes.end = NULL;
}

void tree_convert(uint64_t start, uint64_t end, unsigned int value)
{
	uint64_t last = end - 1;
	void *entry = xa_mk_value(value);
	MA_STATE(mas, &tree, end, end);

	if (mas_walk(&mas) == entry)
		last = mas.last;
	if (start) {
		mas_set(&mas, start - 1);
		if (mas_walk(&mas) == entry)
			start = mas.index;
	}
	mas_set_range(&mas, start, last);
	BUG_ON(mas_store_gfp(&mas, entry, GFP_KERNEL));
}

unsigned int tree_lookup(uint64_t page)
{
	return (unsigned int)xa_to_value(mtree_load(&tree, page));
}

uint64_t tree_walk(uint64_t *sum)
{
	MA_STATE(mas, &tree, 0, 0);
	uint64_t n = 0;
	void *entry;

	mas_for_each(&mas, entry, ULONG_MAX)
	{
		*sum += range_sum(mas.index, mas.last + 1, (unsigned int)xa_to_value(entry));
		n++;
	}
	return n;
}

uint64_t tree_bytes(void)
{
	return maple_nodes.in_use * maple_nodes.size;
}

int main(int argc, char **argv)
{
	struct ranges_figures f;

	if (argc != 2)
		return 2;
	ranges_work(strtoull(argv[1], NULL, 10), &f);
	ranges_print(&f);
	return 0;
}
