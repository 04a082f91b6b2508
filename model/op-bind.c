/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Binding a memslot to a range of a guest_memfd. The caller holds slots_lock, and the memslot,
 * t->new_slot, is not visible yet. Unbinding is in teardown.c.
 */
#include "bugs.h"
#include "convert.h"
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

/* Sets t->start and t->end. */
static bool range_is_unbound(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->start = PAGES(run->c->offset);
	t->end = t->start + new_slot(run)->npages;
	return gmem_range_empty(run->b, GFILE(run->b, t->file)->bindings, t->start, t->end);
}

/* Whether the guest's memory is the file's alone, whatever userspace_addr maps. */
static bool is_gmem_only(const struct gmem_block *b, const struct gmem_inode *inode)
{
	return (inode->flags & GMEM_FLAG_MMAP) ||
	       (b->profile->n.all_gmem_only && gmem_file_attributes_are_on(b));
}

/* The memslot names the file; nothing of the file's names the memslot yet. */
static int set_slots_file(struct gmem_run *run)
{
	struct gmem_slot *s = new_slot(run);

	s->file = run->t->file;
	s->inode = GFILE(run->b, s->file)->inode;
	s->pgoff = PAGES(run->c->offset);
	if (is_gmem_only(run->b, inode_of(run)))
		s->kflags |= SLOT_GMEM_ONLY;
	return 0;
}

/* xa_store_range() */
static int store_bindings(struct gmem_run *run)
{
	const struct gmem_slot *s = new_slot(run);

	gmem_range_set(run->b, &GFILE(run->b, s->file)->bindings, s->pgoff, s->pgoff + s->npages,
		       run->t->new_slot);
	return 0;
}

static int store_binding(struct gmem_run *run)
{
	set_slots_file(run);
	return store_bindings(run);
}

/*
 * kvm_gmem_bind(). The file pins the VM, not the other way round: no reference is kept, success
 * included.
 */
const struct gmem_step gmem_op_bind[] = {
	CHECK(fget_memfd, BIND_1, EBADF),
	CHECK(file_is_guest_memfd, BIND_2, EINVAL, .to = L_END),
	CHECK(file_is_of_this_vm, BIND_3, EINVAL, .to = L_END),
	CHECK(range_is_in_file, BIND_4, EINVAL, .to = L_END),
	LOCK(INVALIDATE_LOCK, WRITE, BIND_5),
	CHECK(range_is_unbound, BIND_6, EINVAL, .to = L_UNLOCK),
	CHECK(no_memory_pressure, BIND_10, ENOMEM, .to = L_UNLOCK),
	DO(store_binding, BIND_7),
	UNLOCK(INVALIDATE_LOCK, .at = L_UNLOCK),
	DO(fput, BIND_8, .at = L_END),
	END,
};

/* Museum B22: a negative offset is refused without giving back the file. */
const struct gmem_edit gmem_bug_b22[] = {
	INSERT_ROW(T_BIND, "range_is_in_file", 0, CHECK(offset_is_not_negative, BIND_4, EINVAL)),
	{ 0 },
};

/* Museum B46: where memory runs out half way, what was stored stays, and nobody is told. */
static int store_as_much_as_fits(struct gmem_run *run)
{
	bool all = no_memory_pressure(run);
	const struct gmem_slot *s = new_slot(run);

	store_binding(run);
	if (!all)
		gmem_range_set(run->b, &GFILE(run->b, run->t->file)->bindings,
			       s->pgoff + s->npages / 2, s->pgoff + s->npages, 0);
	return 0;
}

const struct gmem_edit gmem_bug_b46[] = {
	DROP_ROW(T_BIND, "no_memory_pressure", 0),
	REPLACE_ROW(T_BIND, "store_binding", 0, DO(store_as_much_as_fits, BIND_7)),
	{ 0 },
};

const struct gmem_edit gmem_bug_b45[] = {
	REPLACE_ROW(T_BIND, "range_is_in_file", 0,
		    CHECK(signed_range_is_in_file, BIND_4, EINVAL, .to = L_END)),
	{ 0 },
};

static bool supports_shared_and_has_an_address(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->inode = GFILE(run->b, t->file)->inode;
	return run->c->addr && (INODE(run->b, t->inode)->flags & GMEM_FLAG_SUPPORT_SHARED);
}

/* kvm_gmem_is_same_range() */
static bool userspace_addr_maps_the_same(struct gmem_run *run)
{
	const struct gmem_vma *v = gmem_vma_at(run->b, gmem_process(run), PAGES(run->c->addr));

	return v && v->inode == run->t->inode &&
	       v->pgoff + (PAGES(run->c->addr) - v->start) == PAGES(run->c->offset);
}

/* kvm_gmem_bind(), and whether userspace_addr maps what is bound */
const struct gmem_step gmem_op_bind_shareability[] = {
	CHECK(fget_memfd, BIND_1, EBADF),
	CHECK(file_is_guest_memfd, BIND_2, EINVAL, .to = L_END),
	CHECK(file_is_of_this_vm, BIND_3, EINVAL, .to = L_END),
	CHECK(range_is_in_file, BIND_4, EINVAL, .to = L_END),
	LOCK(MMAP_LOCK, READ, SHARE_20, WHEN(supports_shared_and_has_an_address)),
	CHECK(userspace_addr_maps_the_same, SHARE_20, EINVAL,
	      WHEN(supports_shared_and_has_an_address), .to = L_UNLOCK_OUTER),
	UNLOCK(MMAP_LOCK, WHEN(supports_shared_and_has_an_address)),
	LOCK(INVALIDATE_LOCK, WRITE, BIND_5),
	CHECK(range_is_unbound, BIND_6, EINVAL, .to = L_UNLOCK),
	CHECK(no_memory_pressure, BIND_10, ENOMEM, .to = L_UNLOCK),
	DO(store_binding, BIND_7),
	UNLOCK(INVALIDATE_LOCK, .at = L_UNLOCK),
	UNLOCK(MMAP_LOCK, WHEN(holds_mmap_lock), .at = L_UNLOCK_OUTER),
	DO(fput, BIND_8, .at = L_END),
	END,
};

/*
 * v13 binds in two halves; between them the architecture has its say (gmem_op_create_slot_v13).
 *
 * kvm_gmem_prepare_memory_region(): the memslot names the file from here on. The reference is the
 * caller's, who gives it back when the memslot is there, or cannot be.
 */
const struct gmem_step gmem_op_prepare_memory_region[] = {
	CHECK(fget_memfd, BIND_1, EBADF),
	CHECK(file_is_guest_memfd, BIND_2, EINVAL, .to = L_END),
	CHECK(file_is_of_this_vm, BIND_3, EINVAL, .to = L_END),
	CHECK(range_is_in_file, BIND_4, EINVAL, .to = L_END),
	DO(set_slots_file, BIND_7),
	DO(fput, BIND_8, WHEN(has_failed), .at = L_END),
	END,
};

/* kvm_gmem_commit_memory_region(): takes t->new_slot, t->inode; of the memslot's file */
const struct gmem_step gmem_op_commit_memory_region[] = {
	LOCK(INVALIDATE_LOCK, WRITE, BIND_5),
	CHECK(range_is_unbound, BIND_9, EEXIST, .to = L_UNLOCK),
	CHECK(no_memory_pressure, BIND_10, ENOMEM, .to = L_UNLOCK),
	DO(store_bindings, BIND_7),
	UNLOCK(INVALIDATE_LOCK, .at = L_UNLOCK),
	END,
};

/* kvm_gmem_bind() of v8: on top of 7.2, where an overlap has its own errno */
const struct gmem_step gmem_op_bind_eexist[] = {
	CHECK(fget_memfd, BIND_1, EBADF),
	CHECK(file_is_guest_memfd, BIND_2, EINVAL, .to = L_END),
	CHECK(file_is_of_this_vm, BIND_3, EINVAL, .to = L_END),
	CHECK(range_is_in_file, BIND_4, EINVAL, .to = L_END),
	LOCK(INVALIDATE_LOCK, WRITE, BIND_5),
	CHECK(range_is_unbound, BIND_9, EEXIST, .to = L_UNLOCK),
	CHECK(no_memory_pressure, BIND_10, ENOMEM, .to = L_UNLOCK),
	DO(store_binding, BIND_7),
	UNLOCK(INVALIDATE_LOCK, .at = L_UNLOCK),
	DO(fput, BIND_8, .at = L_END),
	END,
};

/* Museum B47: a range that is bound is refused with the errno of everything else. */
const struct gmem_edit gmem_bug_b47[] = {
	REPLACE_ROW_OF(T_BIND_COMMIT, T_BIND, "range_is_unbound", 0,
		       CHECK(range_is_unbound, BIND_9, EINVAL, .to = L_UNLOCK)),
	{ 0 },
};
