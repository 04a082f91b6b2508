/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The whole operation, as bench-ranges.h wants a tree: each conversion is one gmem_call() of
 * GMEM_SET_MEMORY_ATTRIBUTES2, with its checks and with what the VM is told, of a file that one
 * memslot binds from end to end. What is looked up and walked over are the file's attributes, as
 * the calls left them. What a caller needs to fill in a call is not measured, but for the range.
 */
#include <stdio.h>

#include "bench.h"
#include "bench-ranges.h"
#include "calls.h"
#include "ranges.h"
#include "state.h"

static struct gmem_world *world;
static uint32_t inode;
static struct gmem_call conversion; /* but for the range, and to what */

void tree_begin(uint64_t npages)
{
	uint64_t size = npages * GMEM_PAGE_SIZE;
	int64_t vm, file;

	world = new_world_of(&(struct gmem_config){ .profile = gmem_profile_find("linux-coco-v13"),
						    .checking = GMEM_CHECK_NEVER });
	vm = bench_must(create_vm(world, GMEM_VM_SW_PROTECTED), "create_vm");
	file = bench_must(create_gmem(world, vm, size, 0), "create_guest_memfd");
	bench_must(bind_slot(world, vm, 0, 0, size, file, 0), "bind");
	inode = world->b->inodes;
	conversion = (struct gmem_call){ .verb = GMEM_SET_MEMORY_ATTRIBUTES2, .fd = file };
}

void tree_end(void)
{
	gmem_world_free(world);
}

void tree_convert(uint64_t start, uint64_t end, unsigned int value)
{
	struct gmem_result r;

	conversion.offset = start * GMEM_PAGE_SIZE;
	conversion.size = (end - start) * GMEM_PAGE_SIZE;
	conversion.attributes = value == PRIVATE ? GMEM_ATTRIBUTE_PRIVATE : 0;
	if (gmem_call(world, &conversion, &r) != GMEM_DONE || r.value)
		abort();
}

unsigned int tree_lookup(uint64_t page)
{
	return gmem_range_get(world->b, INODE(world->b, inode)->attributes, page);
}

uint64_t tree_walk(uint64_t *sum)
{
	struct gmem_range r = { 0, 0, 0 };
	uint64_t n = 0;

	while (gmem_range_next(world->b, INODE(world->b, inode)->attributes, r.end, &r)) {
		*sum += range_sum(r.start, r.end, r.value);
		n++;
	}
	return n;
}

uint64_t tree_bytes(void)
{
	return (uint64_t)gmem_range_cells(world->b, INODE(world->b, inode)->attributes) *
	       GMEM_CELL_SIZE;
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
