/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * restrictedmem: memslots that are bound to a file, punches that they are told of, memory errors,
 * and the end of the file.
 *
 * A memslot holds its file for as long as it exists. What becomes of pages it is told in a start and
 * an end, under the file's own lock, so that nobody comes or goes between the two.
 */
#include "memfd.h"

#include "bugs.h"
#include "convert.h"
#include "profile.h"

/* restrictedmem_punch_hole(): all notifiers, under the mutex */
const struct gmem_step gmem_op_punch_restricted_v10[] = {
	LOCK(RM_LOCK, WRITE, RMEM_19),
	CALL_EACH(next_notifier, T_NOTIFIER_INVALIDATE, RMEM_22),
	CALL(T_TRUNCATE_MEMFD, RMEM_21),
	CALL_EACH(next_notifier, T_NOTIFIER_END, RMEM_23),
	UNLOCK(RM_LOCK),
	END,
};

/* restrictedmem_punch_hole() since January 2023: punches run side by side */
const struct gmem_step gmem_op_punch_restricted[] = {
	LOCK(RM_LOCK, READ, RMEM_19),
	CALL_EACH(next_binding, T_NOTIFIER_INVALIDATE, RMEM_22),
	CALL(T_TRUNCATE_MEMFD, RMEM_21),
	CALL_EACH(next_binding, T_NOTIFIER_END, RMEM_23),
	UNLOCK(RM_LOCK),
	END,
};

/* Museum B12 where it came from: the mutex is held for the start and for the end. */
const struct gmem_edit gmem_bug_b12_restricted[] = {
	INSERT_ROW(T_PUNCH_HOLE, "call", 0, UNLOCK(RM_LOCK)),
	INSERT_ROW(T_PUNCH_HOLE, "next_binding", 1, LOCK(RM_LOCK, WRITE, RMEM_23)),
	{ 0 },
};

/* The same of v10, where the list is of all memslots. */
const struct gmem_edit gmem_bug_b12_v10[] = {
	INSERT_ROW(T_PUNCH_HOLE, "call", 0, UNLOCK(RM_LOCK)),
	INSERT_ROW(T_PUNCH_HOLE, "next_notifier", 1, LOCK(RM_LOCK, WRITE, RMEM_23)),
	{ 0 },
};

static int start_slot(struct gmem_run *run, uint64_t forgotten)
{
	const struct gmem_slot *s = slot_of(run);
	uint64_t from = s->pgoff > run->t->start ? s->pgoff : run->t->start;
	uint64_t to = s->pgoff + s->npages;
	uint64_t base = s->gfn - s->pgoff + forgotten;

	to = to < run->t->end ? to : run->t->end;
	gmem_mmu_invalidate_start(run, s->vm);
	gmem_mmu_invalidate_range_add(run, s->vm, base + from, base + to);
	return gmem_zap_told(run, GMEM_INVALIDATE_START, base + from, base + to);
}

static int start_slot_range(struct gmem_run *run)
{
	return start_slot(run, 0);
}

static int end_slot_range(struct gmem_run *run)
{
	const struct gmem_event e = { .kind = GMEM_INVALIDATE_END, .origin = GMEM_BY_FILE };

	gmem_mmu_invalidate_end(run, run->t->at_vm);
	gmem_emit(run, run->t->at_vm, &e);
	return 0;
}

/* kvm_restrictedmem_invalidate_begin(): for one memslot, t->slot */
const struct gmem_step gmem_op_notifier_begin[] = {
	LOCK(SRCU, READ, RMEM_22),
	LOCK(MMU_LOCK, WRITE, RMEM_22),
	DO(start_slot_range, RMEM_22),
	UNLOCK(MMU_LOCK),
	UNLOCK(SRCU),
	END,
};

/* kvm_restrictedmem_invalidate_end() */
const struct gmem_step gmem_op_notifier_end[] = {
	LOCK(MMU_LOCK, WRITE, RMEM_23),
	DO(end_slot_range, RMEM_23),
	UNLOCK(MMU_LOCK),
	END,
};

/* Who is told clips the range to his memslot, and what is left may be nothing. */
static bool range_is_beside_the_slot(struct gmem_run *run)
{
	const struct gmem_slot *s = slot_of(run);

	return s->pgoff + s->npages <= run->t->start || run->t->end <= s->pgoff;
}

/* kvm_restrictedmem_invalidate_begin() of v10 */
const struct gmem_step gmem_op_notifier_begin_v10[] = {
	DONE_IF(range_is_beside_the_slot, RMEM_34),
	LOCK(SRCU, READ, RMEM_22),
	LOCK(MMU_LOCK, WRITE, RMEM_22),
	DO(start_slot_range, RMEM_22),
	UNLOCK(MMU_LOCK),
	UNLOCK(SRCU),
	END,
};

/* kvm_restrictedmem_invalidate_end() of v10 */
const struct gmem_step gmem_op_notifier_end_v10[] = {
	DONE_IF(range_is_beside_the_slot, RMEM_34),
	LOCK(MMU_LOCK, WRITE, RMEM_23),
	DO(end_slot_range, RMEM_23),
	UNLOCK(MMU_LOCK),
	END,
};

/* Museum B16: the memslot's place in the file is not taken off. */
static int start_wrong_slot_range(struct gmem_run *run)
{
	return start_slot(run, slot_of(run)->pgoff);
}

const struct gmem_edit gmem_bug_b16[] = {
	REPLACE_ROW(T_NOTIFIER_INVALIDATE, "start_slot_range", 0,
		    DO(start_wrong_slot_range, RMEM_22)),
	{ 0 },
};

/* kvm_make_all_cpus_request() */
static void request_memory_mce(const struct gmem_block *b, struct gmem_vm *vm)
{
	for (unsigned int i = 0; i < GMEM_MAX_TASKS; i++)
		if (b->tasks[i] && CTASK(b, b->tasks[i])->process == vm->process)
			vm->memory_mce |= 1u << i;
}

static int note_memory_error(struct gmem_run *run)
{
	const struct gmem_event e = { .kind = GMEM_MEMORY_ERROR, .origin = GMEM_BY_FILE };

	request_memory_mce(run->b, VM(run->b, run->t->at_vm));
	gmem_emit(run, run->t->at_vm, &e);
	return 0;
}

/* kvm_restrictedmem_error(): KVM_REQ_MEMORY_MCE for all vCPUs */
const struct gmem_step gmem_op_notifier_error[] = {
	DO(note_memory_error, RMEM_24),
	END,
};

static bool file_is_restricted(struct gmem_run *run)
{
	return file_is_guest_memfd(run) && (inode_of(run)->memfd & MEMFD_RESTRICTED);
}

bool operations_are_there(struct gmem_run *run)
{
	if (run->b->gone & 1u << GMEM_MODULE_OPERATIONS)
		gmem_violate(run->w, "I15", "operations of a module that is gone: inode",
			     inode_of(run)->ino, 0);
	if (inode_of(run)->memfd & MEMFD_NO_DATA)
		gmem_violate(run->w, "I15", "private data that nobody stored: inode",
			     inode_of(run)->ino, 0);
	return true;
}

/* restrictedmem_register_notifier() */
const struct gmem_step gmem_op_bind_restricted_v10[] = {
	CHECK(fget_private_fd, RMEM_25, EINVAL),
	CHECK(file_is_restricted, RMEM_25, EINVAL, .to = L_END),
	LOCK(RM_LOCK, WRITE, RMEM_26),
	DO(add_notifier, RMEM_26),
	UNLOCK(RM_LOCK),
	DO(fput, RMEM_25, WHEN(has_failed), .at = L_END),
	END,
};

static bool bindings_are_free(struct gmem_run *run, uint64_t before, uint64_t behind)
{
	struct gmem_task *t = run->t;

	t->start = PAGES(run->c->offset);
	t->end = t->start + SLOT(run->b, t->new_slot)->npages;
	return gmem_range_empty(run->b, GFILE(run->b, t->file)->bindings, t->start - before,
				t->end + behind);
}

static bool nobody_else_is_bound(struct gmem_run *run)
{
	return bindings_are_free(run, 0, 0);
}

static int store_range(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	name_file(run);
	gmem_range_set(run->b, &GFILE(run->b, t->file)->bindings, t->start, t->end, t->new_slot);
	return 0;
}

/* restrictedmem_bind() */
const struct gmem_step gmem_op_bind_restricted[] = {
	CHECK(fget_private_fd, RMEM_25, EINVAL),
	CHECK(file_is_restricted, RMEM_25, EINVAL, .to = L_END),
	CHECK(operations_are_there, RMEM_17, EINVAL, .to = L_END),
	LOCK(RM_LOCK, WRITE, RMEM_27),
	CHECK(nobody_else_is_bound, RMEM_27, EINVAL, .to = L_UNLOCK),
	DO(store_range, RMEM_27),
	UNLOCK(RM_LOCK, .at = L_UNLOCK),
	DO(fput, RMEM_25, WHEN(has_failed), .at = L_END),
	END,
};

/*
 * Museum B15: the end of a range is taken for its last page. So everybody has a page too many: whoever
 * ends where this one begins has its first, and this one wants the first of who begins at its end.
 */
static bool nobody_else_is_bound_or_next(struct gmem_run *run)
{
	return bindings_are_free(run, run->c->offset ? 1 : 0, 1);
}

const struct gmem_edit gmem_bug_b15[] = {
	REPLACE_ROW(T_BIND, "nobody_else_is_bound", 0,
		    CHECK(nobody_else_is_bound_or_next, RMEM_27, EINVAL, .to = L_UNLOCK)),
	{ 0 },
};

static int erase_range(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->start = slot_of(run)->pgoff;
	t->end = t->start + slot_of(run)->npages;
	gmem_range_set(run->b, &GFILE(run->b, t->at_file)->bindings, t->start, t->end, 0);
	return 0;
}

/* restrictedmem_unregister_notifier(): takes t->slot */
const struct gmem_step gmem_op_unbind_restricted_v10[] = {
	DO(take_file_of_slot, RMEM_28), LOCK(RM_LOCK, WRITE, RMEM_28),
	DO(delete_notifier, RMEM_28),	UNLOCK(RM_LOCK),
	DO(put_file_of_slot, RMEM_28),	END,
};

/* restrictedmem_unbind(): nobody is told */
const struct gmem_step gmem_op_unbind_restricted[] = {
	DO(take_file_of_slot, RMEM_28), LOCK(RM_LOCK, WRITE, RMEM_28),
	DO(erase_range, RMEM_28),	UNLOCK(RM_LOCK),
	DO(put_file_of_slot, RMEM_28),	END,
};

static int take_dying_inode(struct gmem_run *run)
{
	run->t->inode = GFILE(run->b, run->t->file)->inode;
	return 0;
}

static int leave_inode(struct gmem_run *run)
{
	inode_of(run)->files = 0;
	return 0;
}

/* shmem's files have no release(); and who is bound to one holds it */
const struct gmem_step gmem_op_release_memfd[] = {
	DO(take_dying_inode, MEMFD_19),
	DO(leave_inode, MEMFD_19),
	END,
};

/* The operations that were there before may have something to release. */
static int call_backing_release(struct gmem_run *run)
{
	if (inode_of(run)->memfd & MEMFD_DATA_FREED)
		gmem_violate(run->w, "I15", "freed data are read: inode", inode_of(run)->ino, 0);
	return 0;
}

static int free_data(struct gmem_run *run)
{
	inode_of(run)->memfd |= MEMFD_DATA_FREED;
	return 0;
}

/* A file that is refused goes as a file of the tmpfs. */
static bool operations_are_exchanged(struct gmem_run *run)
{
	return GFILE(run->b, run->t->file)->f_op == FOPS_RESTRICTEDMEM;
}

/* restrictedmem_release() of the shim */
const struct gmem_step gmem_op_release_shim[] = {
	DO(take_dying_inode, MEMFD_19),
	CHECK(operations_are_there, RMEM_17, EINVAL, WHEN(operations_are_exchanged)),
	DO(call_backing_release, RMEM_29, WHEN(operations_are_exchanged)),
	DO(free_data, RMEM_29, WHEN(operations_are_exchanged)),
	DO(leave_inode, MEMFD_19),
	END,
};

/* Museum B20b: what says how to release is freed first. */
const struct gmem_edit gmem_bug_b20b[] = {
	DROP_ROW(T_RELEASE, "free_data", 0),
	INSERT_ROW(T_RELEASE, "call_backing_release", 0, DO(free_data, RMEM_29)),
	{ 0 },
};
