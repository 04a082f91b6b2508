/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KVM_GMEM_CONVERT_SHARED and KVM_GMEM_CONVERT_PRIVATE of rfc-shareability-v2: all or nothing,
 * by a list of the pages that have to change, and with a way back.
 *
 * The list is a range tree of the task's, t->work; its items are done one after the other, as
 * t->start to t->end. Whatever is refused is written back, too.
 */
#include "convert.h"
#include "ops.h"
#include "profile.h"

/* What the structure says until something is written back. */
static int begin_convert_ioctl(struct gmem_run *run)
{
	run->res->out = run->c->error_offset;
	run->t->hole = 0;
	return 0;
}

static bool error_offset_is_zero(struct gmem_run *run)
{
	return !run->c->error_offset;
}

static bool size_is_zero(struct gmem_run *run)
{
	return !run->c->size;
}

static bool range_to_convert_is_in_file(struct gmem_run *run)
{
	const struct gmem_call *c = run->c;

	return c->offset + c->size >= c->offset && c->offset + c->size <= inode_of(run)->size;
}

static bool range_to_convert_is_aligned(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->start = t->err_page = PAGES(run->c->offset);
	t->end = t->start + PAGES(run->c->size);
	return PAGE_ALIGNED(run->c->offset) && PAGE_ALIGNED(run->c->size);
}

static bool file_has_no_shareability(struct gmem_run *run)
{
	return !(inode_of(run)->flags & GMEM_FLAG_SUPPORT_SHARED);
}

/* Planned: one of the two ioctls is in force, the VM's or the file's. */
static bool vm_has_left_tracking(struct gmem_run *run)
{
	return VM(run->b, GFILE(run->b, run->t->file)->vm)->file_tracks;
}

static bool vm_has_to_choose(struct gmem_run *run)
{
	return run->b->profile->n.either_or;
}

static int make_work_list(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	struct gmem_range r = { 0, t->start, 0 };

	while (gmem_range_next_in(run->b, inode_of(run)->attributes, r.end, t->end, &r))
		if (r.value != target(run))
			gmem_range_set(run->b, &t->work, r.start, r.end, 1);
	t->gfn = 0;
	return 0;
}

static bool work_list_is_empty(struct gmem_run *run)
{
	return !run->t->work;
}

/* t->gfn is where the walk over the list stands; 0 again when it is over. */
static bool next_item(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	struct gmem_range r;

	if (!gmem_range_next(run->b, t->work, t->gfn, &r)) {
		t->gfn = 0;
		return false;
	}
	t->start = r.start;
	t->end = t->gfn = r.end;
	return true;
}

/* Back again: the items up to and with the one that failed, whose first half was done. */
static bool next_item_done(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	struct gmem_range r;

	if (!gmem_range_next(run->b, t->work, t->gfn, &r) || r.start >= t->gfn_end) {
		t->gfn = 0;
		return false;
	}
	t->start = r.start;
	t->end = t->gfn = r.end;
	return true;
}

static int begin_going_back(struct gmem_run *run)
{
	run->t->gfn_end = run->t->gfn;
	run->t->gfn = 0;
	return 0;
}

static int rewind_list(struct gmem_run *run)
{
	run->t->gfn = 0;
	return 0;
}

static int forget_work_list(struct gmem_run *run)
{
	gmem_range_clear(run->b, &run->t->work);
	return 0;
}

/* Asked in the table of one item: whether the one that called it is being unwound. */
static bool has_gone_back(struct gmem_run *run)
{
	return run->t->level[run->t->depth - 2].err != 0;
}

/* kvm_gmem_convert_invalidate_begin(): one item */
const struct gmem_step gmem_op_share_begin[] = {
	DO(round_out, SHARE_10),
	CALL_EACH(next_bound_file, T_INVALIDATE_BEGIN, SHARE_10),
	END,
};

static bool guest_is_encrypted(struct gmem_run *run)
{
	uint32_t type = VM(run->b, GFILE(run->b, run->t->file)->vm)->type;

	return !has_gone_back(run) && (type == GMEM_VM_SNP || type == GMEM_VM_TDX);
}

static int settle_contents(struct gmem_run *run)
{
	gmem_scramble(run, run->t->start, run->t->end);
	return 0;
}

/* kvm_gmem_convert_invalidate_end(): one item */
const struct gmem_step gmem_op_share_end[] = {
	DO(settle_contents, SHARE_21, WHEN(guest_is_encrypted)),
	DO(round_out, SHARE_16),
	CALL_EACH(next_bound_file, T_INVALIDATE_END, SHARE_16),
	END,
};

static int unmap_guests(struct gmem_run *run)
{
	return gmem_unmap_slots(run, is_to_private(run) ? FILTER_SHARED : FILTER_PRIVATE);
}

/* kvm_gmem_unmap_private(), and what the mmu notifiers do on the way to private */
const struct gmem_step gmem_op_unmap_guests[] = {
	LOCK(MMU_LOCK, WRITE, SHARE_22),
	DO(unmap_guests, SHARE_22),
	UNLOCK(MMU_LOCK),
	END,
};

/* kvm_gmem_convert_should_proceed(): nothing has been changed yet but page tables */
const struct gmem_step gmem_op_share_ask[] = {
	UNMAP_MAPPING_RANGE(SHARE_11, WHEN(is_to_private)),
	CHECK(folios_are_free, SHARE_12, EAGAIN, WHEN(is_to_private)),
	CALL_EACH(next_bound_file, T_UNMAP_GUESTS, SHARE_22),
	END,
};

static int store_shareability(struct gmem_run *run)
{
	const struct gmem_task *t = run->t;

	gmem_range_set(run->b, &inode_of(run)->attributes, t->start, t->end, target(run));
	return 0;
}

static int restructure(struct gmem_run *run)
{
	gmem_restructure(run->b, inode_of(run), run->t->start, run->t->end);
	return 0;
}

static int store_old_shareability(struct gmem_run *run)
{
	const struct gmem_task *t = run->t;

	gmem_range_set(run->b, &inode_of(run)->attributes, t->start, t->end,
		       target(run) == PAGE_SHARED ? PAGE_PRIVATE : PAGE_SHARED);
	gmem_restructure(run->b, inode_of(run), t->start, t->end);
	return 0;
}

/*
 * kvm_gmem_convert_execute_work(): one item; splitting and merging take memory, and then it is this
 * item that failed
 */
const struct gmem_step gmem_op_share_execute[] = {
	DO(store_shareability, SHARE_13),
	CHECK(no_memory_pressure, SHARE_14, ENOMEM, WHEN(has_huge_folios)),
	DO(restructure, SHARE_14),
	END,
};

/* kvm_gmem_convert_execute_work() in the other direction */
const struct gmem_step gmem_op_share_go_back[] = {
	DO(store_old_shareability, SHARE_15),
	END,
};

/* kvm_gmem_convert_range() */
const struct gmem_step gmem_op_convert_range[] = {
	LOCK(INVALIDATE_LOCK, WRITE, SHARE_8),
	DO(make_work_list, SHARE_9),
	DONE_IF(work_list_is_empty, SHARE_9, .to = L_UNLOCK),
	CHECK(no_memory_pressure, SHARE_9, ENOMEM, .to = L_UNLOCK_OUTER),
	CALL_EACH(next_item, T_SHARE_BEGIN, SHARE_10),
	CALL_EACH(next_item, T_SHARE_ASK, SHARE_11, .to = L_END),
	CALL_EACH(next_item, T_SHARE_EXECUTE, SHARE_13, .to = L_EXIT),
	DO(begin_going_back, SHARE_15, WHEN(has_failed), .at = L_EXIT),
	CALL_EACH(next_item_done, T_SHARE_GO_BACK, SHARE_15, WHEN(has_failed)),
	DO(rewind_list, SHARE_16, .at = L_END),
	CALL_EACH(next_item, T_SHARE_END, SHARE_16),
	DO(forget_work_list, SHARE_9, .at = L_UNLOCK_OUTER),
	UNLOCK(INVALIDATE_LOCK, .at = L_UNLOCK),
	END,
};

static int begin_conversion(struct gmem_run *run)
{
	run->t->hole = 1;
	return 0;
}

static bool conversion_failed(struct gmem_run *run)
{
	return has_failed(run) && run->t->hole;
}

/* kvm_gmem_ioctl(): KVM_GMEM_CONVERT_SHARED, KVM_GMEM_CONVERT_PRIVATE */
const struct gmem_step gmem_op_convert_shareability[] = {
	DO(begin_convert_ioctl, SHARE_7),
	CHECK(fdget, FD_1, EBADF),
	CHECK(is_not_kvm, FD_2, EINVAL),
	CHECK(mm_is_the_vms, VM_3, EIO, WHEN(is_vm)),
	CHECK(file_is_guest_memfd, FILE_1, ENOTTY),
	CHECK(argp_is_readable, SHARE_1, EFAULT),
	CHECK(error_offset_is_zero, SHARE_2, EINVAL, .to = L_EXIT),
	DONE_IF(size_is_zero, SHARE_3, .says = true),
	CHECK(range_to_convert_is_in_file, SHARE_4, EINVAL, .to = L_EXIT),
	CHECK(range_to_convert_is_aligned, SHARE_5, EINVAL, .to = L_EXIT),
	CHECK(vm_has_left_tracking, SHARE_17, EINVAL, WHEN(vm_has_to_choose), .to = L_EXIT),
	DONE_IF(file_has_no_shareability, SHARE_6, .says = true),
	DO(begin_conversion, SHARE_8),
	CALL(T_CONVERT, SHARE_8, .to = L_EXIT),
	ANSWER(return_zero, SHARE_16),
	CHECK(argp_can_be_written, SHARE_7, EFAULT, WHEN(has_failed), .at = L_EXIT, .says = true),
	DO(write_error_offset, SHARE_7, WHEN(conversion_failed)),
	END,
};
