/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KVM_SET_MEMORY_ATTRIBUTES2 in the versions before linux-coco-v13 that have a table of their own,
 * and in coco-hugetlb, which goes huge page by huge page. Steps that are v13's are in op-convert.c.
 */
#include "convert.h"
#include "ops.h"
#include "profile.h"

/* ---- RFC v1 ---- */

static bool is_legacy_vm(struct gmem_run *run)
{
	return is_vm(run) && !gmem_file_attributes_are_on(run->b);
}

/* kvm_gmem_ioctl(), kvm_vm_ioctl(): also an ioctl of the VM; reserved words are not looked at */
const struct gmem_step gmem_op_set_attributes2_rfc_v1[] = {
	DO(read_error_offset, CONV_21),
	CHECK(fdget, FD_1, EBADF),
	CHECK(is_not_kvm, FD_2, EINVAL),
	CHECK(mm_is_the_vms, VM_3, EIO, WHEN(is_vm)),
	CALL(T_SET_VM_ATTRIBUTES, CONV_23, WHEN(is_legacy_vm)),
	DONE_IF(is_legacy_vm, CONV_23, .says = true),
	CHECK(file_is_guest_memfd, FILE_1, ENOTTY),
	CHECK(file_attributes_are_on, CONV_1, ENOTTY),
	CHECK(argp_is_readable, CONV_2, EFAULT),
	CHECK(flags_are_zero, CONV_3, EINVAL),
	CHECK(file_attributes_are_supported, CONV_6, EINVAL),
	CHECK(file_range_is_valid, CONV_7, EINVAL),
	CHECK(file_range_is_aligned, CONV_8, EINVAL),
	CHECK(offset_is_in_file, CONV_9, EINVAL),
	CHECK(end_is_in_file, CONV_10, EINVAL),
	CALL(T_CONVERT, CONV_11, .to = L_EXIT),
	ANSWER(return_zero, CONV_20),
	CHECK(argp_can_be_written, CONV_21, EFAULT, WHEN(has_failed), .at = L_EXIT, .says = true),
	DO(write_error_offset, CONV_21, WHEN(has_failed)),
	END,
};

/* __kvm_gmem_set_attributes(): RFC v1 tests for references in both directions */
const struct gmem_step gmem_op_convert_rfc_v1[] = {
	DO(begin_range, CONV_11),
	LOCK(INVALIDATE_LOCK, WRITE, CONV_12),
	DONE_IF(range_has_the_attribute, CONV_13, .to = L_UNLOCK),
	CHECK(no_memory_pressure, CONV_14, ENOMEM, .to = L_UNLOCK),
	UNMAP_MAPPING_RANGE(CONV_15),
	CHECK(folios_are_free, CONV_16, EAGAIN, .to = L_UNLOCK),
	CALL_EACH(next_bound_file, T_CONVERT_START, CONV_17),
	DO(make_shared, CONV_18, WHEN(guest_gives_back)),
	DO(convert_contents, CONV_18),
	DO(store_file_attributes, CONV_19),
	CALL_EACH(next_bound_file, T_INVALIDATE_END, CONV_24),
	UNLOCK(INVALIDATE_LOCK, .at = L_UNLOCK),
	END,
};

/* ---- content modes, v3 to v5 ---- */

static bool content_mode_is_known(struct gmem_run *run)
{
	return run->c->flags < (GMEM_CONTENT_ZERO | GMEM_CONTENT_PRESERVE);
}

/*
 * kvm_gmem_ioctl(), kvm_gmem_set_attributes(): flags are a content mode; a VM without private
 * memory is not refused as such
 */
const struct gmem_step gmem_op_set_attributes2_v5[] = {
	DO(read_error_offset, CONV_21),
	CHECK(fdget, FD_1, EBADF),
	CHECK(is_not_kvm, FD_2, EINVAL),
	CHECK(mm_is_the_vms, VM_3, EIO, WHEN(is_vm)),
	CHECK(file_is_guest_memfd, FILE_1, ENOTTY),
	CHECK(file_attributes_are_on, CONV_1, ENOTTY),
	CHECK(argp_is_readable, CONV_2, EFAULT),
	CHECK(content_mode_is_known, CONV_22, EINVAL),
	CHECK(reserved_is_zero, CONV_4, EINVAL),
	CHECK(file_attributes_are_supported, CONV_6, EINVAL),
	CHECK(file_range_is_valid, CONV_7, EINVAL),
	CHECK(file_range_is_aligned, CONV_8, EINVAL),
	CHECK(offset_is_in_file, CONV_9, EINVAL),
	CHECK(end_is_in_file, CONV_10, EINVAL),
	CALL(T_CONVERT, CONV_11, .to = L_EXIT),
	ANSWER(return_zero, CONV_20),
	CHECK(argp_can_be_written, CONV_21, EFAULT, WHEN(has_failed), .at = L_EXIT, .says = true),
	DO(write_error_offset, CONV_21, WHEN(has_failed)),
	END,
};

static uint64_t modes_of(struct gmem_run *run)
{
	const struct gmem_vm *vm = vm_of_file(run);
	uint64_t zero = is_to_shared(run) ? GMEM_CONTENT_ZERO : 0;

	switch (vm->type) {
	case GMEM_VM_SW_PROTECTED:
		return zero | GMEM_CONTENT_PRESERVE;
	case GMEM_VM_SNP:
	case GMEM_VM_TDX:
		return zero | (is_to_private(run) && !vm->launched ? GMEM_CONTENT_PRESERVE : 0);
	default:
		return 0;
	}
}

static bool content_mode_is_supported(struct gmem_run *run)
{
	return !(run->c->flags & ~modes_of(run));
}

static bool mode_is_zero(struct gmem_run *run)
{
	return run->c->flags == GMEM_CONTENT_ZERO;
}

/* Without a mode a KVM_X86_SW_PROTECTED_VM scrambles, so that nobody relies on more. */
static bool mode_is_none(struct gmem_run *run)
{
	return !run->c->flags && vm_of_file(run)->type == GMEM_VM_SW_PROTECTED;
}

static bool mode_is_the_vendors(struct gmem_run *run)
{
	return !run->c->flags && vm_of_file(run)->type != GMEM_VM_SW_PROTECTED;
}

static int zero_contents(struct gmem_run *run)
{
	gmem_zero_bytes(run->b, inode_of(run), run->t->start, run->t->end);
	return 0;
}

static int scramble_contents(struct gmem_run *run)
{
	gmem_scramble(run, run->t->start, run->t->end);
	return 0;
}

/* kvm_gmem_apply_content_mode(): takes t->start, t->end */
const struct gmem_step gmem_op_contents[] = {
	DO(zero_contents, CONV_26, WHEN(mode_is_zero)),
	DO(scramble_contents, CONV_26, WHEN(mode_is_none)),
	DO(convert_contents, CONV_18, WHEN(mode_is_the_vendors)),
	END,
};

/*
 * __kvm_gmem_set_attributes(): the mode comes before the shortcut, and is applied to all of the range
 * either way
 */
const struct gmem_step gmem_op_convert_v5[] = {
	DO(begin_range, CONV_11),
	LOCK(INVALIDATE_LOCK, WRITE, CONV_12),
	CHECK(content_mode_is_supported, CONV_25, EOPNOTSUPP, .to = L_UNLOCK),
	CALL(T_CONTENTS, CONV_26, WHEN(range_has_the_attribute)),
	DONE_IF(range_has_the_attribute, CONV_13, .to = L_UNLOCK),
	CHECK(no_memory_pressure, CONV_14, ENOMEM, .to = L_UNLOCK),
	UNMAP_MAPPING_RANGE(CONV_15, WHEN(is_to_private)),
	CHECK(folios_are_free, CONV_16, EAGAIN, WHEN(is_to_private), .to = L_UNLOCK),
	CALL_EACH(next_bound_file, T_CONVERT_START, CONV_17),
	DO(make_shared, CONV_18, WHEN(guest_gives_back)),
	CALL(T_CONTENTS, CONV_26),
	DO(store_file_attributes, CONV_19),
	CALL_EACH(next_bound_file, T_INVALIDATE_END, CONV_24),
	UNLOCK(INVALIDATE_LOCK, .at = L_UNLOCK),
	END,
};

/* ---- coco-hugetlb: one huge page after the other; those that were done stay done ---- */

/* kvm_gmem_ioctl(): as RFC v1, but of the file alone */
const struct gmem_step gmem_op_set_attributes2_hugetlb[] = {
	DO(read_error_offset, CONV_21),
	CHECK(fdget, FD_1, EBADF),
	CHECK(is_not_kvm, FD_2, EINVAL),
	CHECK(mm_is_the_vms, VM_3, EIO, WHEN(is_vm)),
	CHECK(file_is_guest_memfd, FILE_1, ENOTTY),
	CHECK(file_attributes_are_on, CONV_1, ENOTTY),
	CHECK(argp_is_readable, CONV_2, EFAULT),
	CHECK(flags_are_zero, CONV_3, EINVAL),
	CHECK(file_attributes_are_supported, CONV_6, EINVAL),
	CHECK(file_range_is_valid, CONV_7, EINVAL),
	CHECK(file_range_is_aligned, CONV_8, EINVAL),
	CHECK(offset_is_in_file, CONV_9, EINVAL),
	CHECK(end_is_in_file, CONV_10, EINVAL),
	CALL(T_CONVERT, CONV_11, .to = L_EXIT),
	ANSWER(return_zero, CONV_20),
	CHECK(argp_can_be_written, CONV_21, EFAULT, WHEN(has_failed), .at = L_EXIT, .says = true),
	DO(write_error_offset, CONV_21, WHEN(has_failed)),
	END,
};

static int begin_batches(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->whole_start = t->batch = t->start;
	t->whole_end = t->end;
	return begin_range(run);
}

/* Where the first page at or after at, below end, is that a conversion has more to do with. */
static uint64_t next_of_interest(struct gmem_run *run, uint64_t at, uint64_t end)
{
	const struct gmem_inode *inode = inode_of(run);
	struct gmem_range r;

	if (gmem_range_next_in(run->b, inode->folios, at, end, &r))
		end = r.start;
	for (uint32_t i = inode->files; i; i = GFILE(run->b, i)->next)
		if (gmem_range_next_in(run->b, GFILE(run->b, i)->bindings, at, end, &r))
			end = r.start;
	for (uint32_t i = inode->vmas; i; i = VMA(run->b, i)->next) {
		const struct gmem_vma *v = VMA(run->b, i);

		if (v->pgoff < end && v->pgoff + (v->end - v->start) > at)
			end = v->pgoff > at ? v->pgoff : at;
	}
	return end;
}

/*
 * So many of these huge pages that an injected failure, which each of them asks for once, meets the
 * first of the next batch, or of this one. The last of the batch asks in its own row.
 */
static uint64_t until_memory_runs_out(struct gmem_task *t, uint64_t huge_pages)
{
	if (t->inject != GMEM_INJECT_ENOMEM)
		return huge_pages;
	if (huge_pages > t->inject_after)
		huge_pages = t->inject_after ? t->inject_after : 1;
	t->inject_after -= huge_pages - 1;
	return huge_pages;
}

/* Where a huge page ends; or all those on the way that are not there and that nobody is told of. */
static uint64_t end_of_batch(struct gmem_run *run)
{
	const struct gmem_inode *inode = inode_of(run);
	struct gmem_task *t = run->t;
	uint64_t first = gmem_round_down(inode, t->start), end;
	uint64_t next = next_of_interest(run, first, gmem_round_up(inode, t->whole_end));
	uint64_t huge_pages = (gmem_round_down(inode, next) - first) / gmem_folio_pages(inode);

	end = first +
	      until_memory_runs_out(t, huge_pages ? huge_pages : 1) * gmem_folio_pages(inode);
	return end < t->whole_end ? end : t->whole_end;
}

static bool next_batch(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->start = t->err_page = t->batch;
	t->end = t->batch = t->whole_end;
	if (t->start >= t->whole_end)
		return false;
	if (inode_of(run)->order)
		t->end = t->batch = end_of_batch(run);
	return true;
}

static int end_batches(struct gmem_run *run)
{
	run->t->start = run->t->whole_start;
	run->t->end = run->t->whole_end;
	return 0;
}

static int round_back(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->start = t->err_page;
	t->end = t->batch;
	return 0;
}

static struct gmem_range will_be(struct gmem_run *run)
{
	return (struct gmem_range){ run->t->start, run->t->end, target(run) };
}

static bool block_changes(struct gmem_run *run)
{
	const struct gmem_range will = will_be(run);

	return inode_of(run)->order && gmem_block_changes(run->b, inode_of(run), &will);
}

static bool block_is_to_be_split(struct gmem_run *run)
{
	return is_to_shared(run) && block_changes(run);
}

static int split_or_merge(struct gmem_run *run)
{
	const struct gmem_range will = will_be(run);

	gmem_restructure_block(run->b, inode_of(run), &will);
	return 0;
}

/* kvm_gmem_zap(): one file, t->at_file; both kinds, and only what was asked for */
static int zap_guests(struct gmem_run *run)
{
	return gmem_unmap_slots(run, FILTER_SHARED | FILTER_PRIVATE);
}

/* kvm_gmem_zap() for one file */
const struct gmem_step gmem_op_zap_guests[] = {
	LOCK(MMU_LOCK, WRITE, CONV_17),
	DO(zap_guests, CONV_17),
	UNLOCK(MMU_LOCK),
	END,
};

/* kvm_gmem_convert(): guests may fault again before the attribute has changed */
const struct gmem_step gmem_op_convert_batch[] = {
	CHECK(no_memory_pressure, CONV_14, ENOMEM),
	UNMAP_MAPPING_RANGE(CONV_15, WHEN(is_to_private)),
	CHECK(folios_are_free, CONV_16, EAGAIN, WHEN(is_to_private)),
	DO(round_out, HUGE_7),
	CALL_EACH(next_bound_file, T_INVALIDATE_BEGIN, HUGE_7),
	DO(round_back, HUGE_7),
	CHECK(no_memory_pressure, HUGE_8, ENOMEM, WHEN(block_is_to_be_split), .to = L_END),
	CALL_EACH(next_bound_file, T_UNMAP_GUESTS, CONV_17),
	DO(round_out, HUGE_7, .at = L_END),
	CALL_EACH(next_bound_file, T_INVALIDATE_END, CONV_24),
	DO(round_back, HUGE_7),
	DONE_IF(has_failed, HUGE_8),
	CHECK(no_memory_pressure, HUGE_8, ENOMEM, WHEN(block_changes)),
	DO(split_or_merge, HUGE_8, WHEN(block_changes)),
	DO(make_shared, CONV_18, WHEN(guest_gives_back)),
	DO(convert_contents, CONV_18),
	DO(store_file_attributes, CONV_19),
	END,
};

/* kvm_gmem_set_attributes() of the huge page tree */
const struct gmem_step gmem_op_convert_hugetlb[] = {
	DO(begin_batches, CONV_11),
	LOCK(INVALIDATE_LOCK, WRITE, CONV_12),
	DONE_IF(range_has_the_attribute, CONV_13, .to = L_UNLOCK),
	CALL_EACH(next_batch, T_CONVERT_BATCH, HUGE_6, .to = L_UNLOCK),
	DO(end_batches, HUGE_6),
	UNLOCK(INVALIDATE_LOCK, .at = L_UNLOCK),
	END,
};
