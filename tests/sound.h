/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A world that has something of everything and is sound, and where in it the objects are: for
 * tests that break one of them by hand.
 */
#ifndef TESTS_SOUND_H
#define TESTS_SOUND_H

#include "calls.h"
#include "ranges.h"
#include "state.h"

#define PAGE GMEM_PAGE_SIZE
#define GPA UINT64_C(0x100000)
#define GFN (GPA / PAGE)

/* Descriptors: a VM without private memory and its file, a VM with private memory and its own. */
enum { SHARED_VM = 4, SHARED_FILE, PRIVATE_VM, PRIVATE_FILE };
/* Memslots of SHARED_VM: of the file, of ordinary memory, and one that the guest never touched. */
enum { GMEM_SLOT, ORDINARY_SLOT, UNTOUCHED_SLOT };

/* pages of the file: 0 is mapped by the host, 2 by the guest; 8 to 11 are the third memslot's */
static inline struct gmem_world *new_sound_world(uint64_t *mapping)
{
	struct gmem_world *w = new_world();
	uint64_t anonymous;

	create_vm(w, GMEM_VM_DEFAULT);
	create_gmem(w, SHARED_VM, 32 * PAGE, GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED);
	create_vm(w, GMEM_VM_SW_PROTECTED);
	create_gmem(w, PRIVATE_VM, 32 * PAGE, 0);
	*mapping = map(w, SHARED_FILE, 0, 16 * PAGE);
	anonymous = (uint64_t)call(w, .verb = GMEM_MMAP, .fd = -1, .length = 4 * PAGE,
				   .prot = GMEM_PROT_READ | GMEM_PROT_WRITE,
				   .flags = GMEM_MAP_PRIVATE | GMEM_MAP_ANONYMOUS);
	bind_slot(w, SHARED_VM, GMEM_SLOT, GPA, 4 * PAGE, SHARED_FILE, 0);
	bind_slot(w, SHARED_VM, UNTOUCHED_SLOT, 4 * GPA, 4 * PAGE, SHARED_FILE, 8 * PAGE);
	call(w, .verb = GMEM_SET_USER_MEMORY_REGION, .fd = SHARED_VM, .slot = ORDINARY_SLOT,
	     .gpa = 2 * GPA, .size = 4 * PAGE, .addr = anonymous);
	bind_slot(w, PRIVATE_VM, GMEM_SLOT, GPA, 4 * PAGE, PRIVATE_FILE, 0);
	set_private(w, PRIVATE_VM, GPA, 2 * PAGE, 1);
	store(w, *mapping, 0xaa);
	guest_store(w, SHARED_VM, GPA + 2 * PAGE, 0xbb);
	guest_store(w, SHARED_VM, 2 * GPA, 0xcc);
	guest_store(w, PRIVATE_VM, GPA, 0xdd);
	call(w, .verb = GMEM_PIN, .addr = *mapping, .length = PAGE);
	call(w, .verb = GMEM_FORK, .value = 1);
	guest_store(w, SHARED_VM, 2 * GPA + 1, 0xcc); /* again: a fork tells private memory */
	return w;
}

/* ---- finding what is to be broken ---- */

static inline struct gmem_process *process(struct gmem_world *w)
{
	return PROCESS(w->b, TASK(w->b, w->b->tasks[0])->process);
}

static inline struct gmem_file *file(struct gmem_world *w, uint64_t fd)
{
	return GFILE(w->b, gmem_range_get(w->b, process(w)->fds, fd));
}

static inline struct gmem_vm *vm(struct gmem_world *w, uint64_t fd)
{
	return VM(w->b, file(w, fd)->vm);
}

static inline struct gmem_inode *inode(struct gmem_world *w, uint64_t fd)
{
	return INODE(w->b, file(w, fd)->inode);
}

static inline uint32_t slot_idx(struct gmem_world *w, uint32_t id)
{
	return gmem_range_get(w->b, vm(w, SHARED_VM)->slots, id);
}

static inline struct gmem_slot *slot(struct gmem_world *w, uint32_t id)
{
	return SLOT(w->b, slot_idx(w, id));
}

static inline void set(struct gmem_world *w, uint32_t *root, uint64_t key, uint32_t value)
{
	gmem_range_set(w->b, root, key, key + 1, value);
}

#endif
