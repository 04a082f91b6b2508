/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The world as a value: making, copying and freeing it, and the cells it is made of.
 *
 * All memory comes through gmem_config.resize. A call never asks for any: before it begins,
 * gmem_reserve() grows the block until the cells it may need are there, and if that fails the
 * call is not made. So there is no half-made call to undo.
 */
#include <stdlib.h>
#include <string.h>

#include "ops.h"
#include "ranges.h"
#include "state.h"

#define CELLS_AT_FIRST 32u
/* More would not be addressable in 32 bits; it is 1 TiB of cells. */
#define CELLS_AT_MOST UINT32_MAX

const struct gmem_machine gmem_machine_default = {
	.arch = GMEM_X86_64,
	.vm_types = (1u << GMEM_NR_VM_TYPES) - 1,
	.smm = 1,
	.tdp = 1,
	.phys_bits = 52,
	.in_place = 1,
	.max_fds = 1024,
};

void *gmem_resize_by_libc(void *arg, void *p, size_t old_size, size_t new_size)
{
	(void)arg;
	(void)old_size;
	if (new_size)
		return realloc(p, new_size);
	free(p);
	return NULL;
}

static size_t block_size(uint64_t cells)
{
	return sizeof(struct gmem_block) + (size_t)cells * GMEM_CELL_SIZE;
}

uint32_t gmem_cell_take(struct gmem_block *b)
{
	uint32_t idx = b->free;

	if (idx) {
		b->free = *(uint32_t *)gmem_cell(b, idx);
		b->nr_free--;
	} else {
		/* Rather stop than write beyond the block: gmem_reserve() was asked for too little. */
		if (b->used == b->capacity)
			__builtin_trap();
		idx = b->used++;
	}
	gmem_tag(b, idx, TAG_NONE);
	return idx;
}

uint32_t gmem_cell_alloc(struct gmem_block *b)
{
	uint32_t idx = gmem_cell_take(b);

	memset(gmem_cell(b, idx), 0, GMEM_CELL_SIZE);
	return idx;
}

void gmem_cell_free(struct gmem_block *b, uint32_t idx)
{
	gmem_tag(b, idx, TAG_NONE);
	*(uint32_t *)gmem_cell(b, idx) = b->free;
	b->free = idx;
	b->nr_free++;
}

static bool set_capacity(struct gmem_world *w, uint64_t cells)
{
	struct gmem_block *b;
	size_t old = w->b ? block_size(w->b->capacity) : 0;

	if (cells > CELLS_AT_MOST)
		return false;
	b = w->resize(w->resize_arg, w->b, old, block_size(cells));
	if (!b)
		return false;
	b->capacity = (uint32_t)cells;
	w->b = b;
	return true;
}

bool gmem_grow(struct gmem_world *w, uint64_t cells)
{
	const struct gmem_block *b = w->b;
	uint64_t need;

	need = b->used + cells - b->nr_free;
	return set_capacity(w, need + need / 2) || set_capacity(w, need);
}

/* Process 1 with task 0 and /dev/kvm, in cells that set_capacity() has provided. */
static void populate_first_process(struct gmem_block *b)
{
	uint32_t process = gmem_process_new(b);
	uint32_t task = gmem_task_new(b, 0, process);
	uint32_t file = gmem_file_new(b, FILE_KVM);

	(void)task;
	gmem_fd_install(b, PROCESS(b, process), GMEM_KVM_FD, file);
}

/* As wide as addresses are on some machine; beyond that sums of them would not fit. */
static bool machine_makes_sense(const struct gmem_machine *m)
{
	return m->arch <= GMEM_ARM64 &&
	       (!m->phys_bits || (m->phys_bits >= 32 && m->phys_bits <= 52));
}

enum gmem_status gmem_world_new(struct gmem_world **world, const struct gmem_config *config)
{
	static const struct gmem_config plain;
	const struct gmem_config *c = config ? config : &plain;
	gmem_resize_fn resize = c->resize ? c->resize : gmem_resize_by_libc;
	struct gmem_world *w;

	*world = NULL;
	if (c->machine && !machine_makes_sense(c->machine))
		return GMEM_MISUSE;
	w = resize(c->resize_arg, NULL, 0, sizeof(*w));
	if (!w)
		return GMEM_FAILED;
	memset(w, 0, sizeof(*w));
	w->resize = resize;
	w->resize_arg = c->resize_arg;
	w->checking = c->checking;
	if (!set_capacity(w, CELLS_AT_FIRST)) {
		resize(c->resize_arg, w, sizeof(*w), 0);
		return GMEM_FAILED;
	}
	memset(w->b, 0, block_size(1));
	w->b->capacity = CELLS_AT_FIRST;
	w->b->used = 1;
	w->b->machine = c->machine ? *c->machine : gmem_machine_default;
	w->b->machine.vm_types |= 1u << GMEM_VM_DEFAULT;
	if (!w->b->machine.max_fds)
		w->b->machine.max_fds = 1024;
	if (!w->b->machine.phys_bits)
		w->b->machine.phys_bits = w->b->machine.arch == GMEM_X86_64 ? 52 : 48;
	w->b->profile = c->profile ? c->profile : gmem_profile_default();
	populate_first_process(w->b);
	*world = w;
	return GMEM_DONE;
}

void gmem_world_free(struct gmem_world *w)
{
	if (!w)
		return;
	w->resize(w->resize_arg, w->b, block_size(w->b->capacity), 0);
	w->resize(w->resize_arg, w->listeners, w->nr_listeners * sizeof(*w->listeners), 0);
	w->resize(w->resize_arg, w, sizeof(*w), 0);
}

enum gmem_status gmem_world_copy(struct gmem_world *dst, const struct gmem_world *src)
{
	uint32_t capacity;

	if (dst == src)
		return GMEM_DONE;
	if (dst->b->capacity < src->b->used && !set_capacity(dst, src->b->used + CELLS_AT_FIRST))
		return GMEM_FAILED;
	capacity = dst->b->capacity;
	memcpy(dst->b, src->b, block_size(src->b->used));
	dst->b->capacity = capacity;
	dst->violated = false;
	return GMEM_DONE;
}

const struct gmem_profile *gmem_world_profile(const struct gmem_world *w)
{
	return w->b->profile;
}

void gmem_world_set_profile(struct gmem_world *w, const struct gmem_profile *p)
{
	w->b->profile = p;
}

unsigned int gmem_fd_kind(const struct gmem_world *w, uint32_t task, int64_t fd)
{
	const struct gmem_block *b = w->b;
	uint32_t file;

	if (!gmem_task_exists(w, task))
		return 0;
	file = gmem_fd_file(b, CPROCESS(b, CTASK(b, b->tasks[task])->process), fd);
	return file ? 1u << CFILE(b, file)->kind : 0;
}

int gmem_task_exists(const struct gmem_world *w, uint32_t task)
{
	return task < GMEM_MAX_TASKS && w->b->tasks[task] != 0;
}
