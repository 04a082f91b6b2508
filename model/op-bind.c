/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Binding a memslot to a range of a guest_memfd. The caller holds slots_lock, and the memslot,
 * t->new_slot, is not visible yet. Unbinding is in teardown.c.
 */
#include "bugs.h"
#include "ops.h"
#include "profile.h"

static struct gmem_slot *new_slot(struct gmem_run *run)
{
	return SLOT(run->b, run->t->new_slot);
}

static bool fget_memfd(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->file = gmem_fd_file(run->b, gmem_process(run), run->c->memfd);
	if (!t->file)
		return false;
	GFILE(run->b, t->file)->refs++;
	return true;
}

static bool is_guest_memfd(struct gmem_run *run)
{
	return GFILE(run->b, run->t->file)->kind == FILE_GMEM;
}

static bool file_is_of_this_vm(struct gmem_run *run)
{
	return GFILE(run->b, run->t->file)->vm == run->t->vm;
}

/* kvm_set_memory_region() has refused unaligned offsets and sums that wrap. */
static bool range_is_in_file(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->inode = GFILE(run->b, t->file)->inode;
	return run->c->offset + run->c->size <= INODE(run->b, t->inode)->size;
}

/* Museum B45: the sum is compared as a signed number. */
static bool signed_range_is_in_file(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->inode = GFILE(run->b, t->file)->inode;
	return (int64_t)run->c->offset >= 0 &&
	       (int64_t)(run->c->offset + run->c->size) <= (int64_t)INODE(run->b, t->inode)->size;
}

static bool range_is_unbound(struct gmem_run *run)
{
	uint64_t start = PAGES(run->c->offset);

	return gmem_range_empty(run->b, GFILE(run->b, run->t->file)->bindings, start,
				start + new_slot(run)->npages);
}

static int store_binding(struct gmem_run *run)
{
	struct gmem_slot *s = new_slot(run);
	struct gmem_file *file = GFILE(run->b, run->t->file);

	s->file = run->t->file;
	s->pgoff = PAGES(run->c->offset);
	if (INODE(run->b, file->inode)->flags & GMEM_FLAG_MMAP)
		s->kflags |= SLOT_GMEM_ONLY;
	gmem_range_set(run->b, &file->bindings, s->pgoff, s->pgoff + s->npages, run->t->new_slot);
	return 0;
}

/* The file pins the VM, not the other way round: no reference is kept, success included. */
static int fput(struct gmem_run *run)
{
	gmem_fput(run, run->t->file);
	return 0;
}

/* kvm_gmem_bind() */
const struct gmem_step gmem_op_bind[] = {
	CHECK(fget_memfd, BIND_1, EBADF),
	CHECK(is_guest_memfd, BIND_2, EINVAL, .to = L_END),
	CHECK(file_is_of_this_vm, BIND_3, EINVAL, .to = L_END),
	CHECK(range_is_in_file, BIND_4, EINVAL, .to = L_END),
	LOCK(INVALIDATE_LOCK, WRITE, BIND_5),
	CHECK(range_is_unbound, BIND_6, EINVAL, .to = L_UNLOCK),
	DO(store_binding, BIND_7),
	UNLOCK(INVALIDATE_LOCK, .at = L_UNLOCK),
	DO(fput, BIND_8, .at = L_END),
	END,
};

const struct gmem_edit gmem_bug_b45[] = {
	{ T_BIND, "range_is_in_file", CHECK(signed_range_is_in_file, BIND_4, EINVAL, .to = L_END) },
	{ 0 },
};
