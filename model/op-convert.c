/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KVM_SET_MEMORY_ATTRIBUTES2 on the guest_memfd: pages convert in place. This is linux-coco-v13, all
 * of it, and coco-v8; what the other versions do otherwise is in op-convert-versions.c.
 *
 * The ioctl refuses first and writes nothing back; only what the worker fails with comes with an
 * error_offset. The worker is all or nothing, but for host mappings: on the way to private they
 * are dropped before anything is known to be in use.
 */
#include "convert.h"
#include "ops.h"
#include "unroll.h"

/* ---- the ioctl: sets t->start and t->end ---- */

bool file_attributes_are_on(struct gmem_run *run)
{
	return gmem_file_attributes_are_on(run->b);
}

bool reserved_is_zero(struct gmem_run *run)
{
	return !run->c->reserved;
}

static bool vm_has_private_memory(struct gmem_run *run)
{
	return gmem_has_private_mem(run->b, vm_of_file(run));
}

bool file_attributes_are_supported(struct gmem_run *run)
{
	uint64_t attributes = run->c->attributes;

	return !attributes || (attributes == GMEM_ATTRIBUTE_PRIVATE && vm_has_private_memory(run));
}

bool file_range_is_valid(struct gmem_run *run)
{
	return run->c->size && run->c->offset + run->c->size >= run->c->offset;
}

bool file_range_is_aligned(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->start = PAGES(run->c->offset);
	t->end = t->start + PAGES(run->c->size);
	return PAGE_ALIGNED(run->c->offset) && PAGE_ALIGNED(run->c->size);
}

bool offset_is_in_file(struct gmem_run *run)
{
	return run->c->offset < inode_of(run)->size;
}

bool end_is_in_file(struct gmem_run *run)
{
	return run->c->offset + run->c->size <= inode_of(run)->size;
}

/* kvm_gmem_ioctl(), kvm_gmem_set_attributes() */
const struct gmem_step gmem_op_set_attributes2[] = {
	DO(read_error_offset, CONV_21),
	CHECK(fdget, FD_1, EBADF),
	CHECK(is_not_kvm, FD_2, EINVAL),
	CHECK(mm_is_the_vms, VM_3, EIO, WHEN(is_vm)),
	CHECK(file_is_guest_memfd, FILE_1, ENOTTY),
	CHECK(file_attributes_are_on, CONV_1, ENOTTY),
	CHECK(argp_is_readable, CONV_2, EFAULT),
	CHECK(flags_are_zero, CONV_3, EINVAL),
	CHECK(reserved_is_zero, CONV_4, EINVAL),
	CHECK(vm_has_private_memory, CONV_5, EINVAL),
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
UNROLLED(gmem_op_set_attributes2)

/* ---- the worker: takes t->file, t->inode, t->start and t->end; sets t->err_page ---- */

bool is_to_shared(struct gmem_run *run)
{
	return !is_to_private(run);
}

int begin_range(struct gmem_run *run)
{
	run->t->err_page = run->t->start;
	return 0;
}

bool range_has_the_attribute(struct gmem_run *run)
{
	const struct gmem_task *t = run->t;

	return gmem_has_attribute(run->b, inode_of(run), t->start, t->end, target(run));
}

bool guest_gives_back(struct gmem_run *run)
{
	return is_to_shared(run) && vm_of_file(run)->type == GMEM_VM_SNP;
}

/* kvm_gmem_make_shared(): of the pages that are there */
int make_shared(struct gmem_run *run)
{
	gmem_mark_folios(run->b, inode_of(run), run->t->start, run->t->end, 0, FOLIO_ASSIGNED);
	return 0;
}

int convert_contents(struct gmem_run *run)
{
	gmem_convert_contents(run, run->t->start, run->t->end, target(run));
	return 0;
}

int store_file_attributes(struct gmem_run *run)
{
	const struct gmem_task *t = run->t;

	gmem_range_set(run->b, &inode_of(run)->attributes, t->start, t->end, target(run));
	return 0;
}

/* __kvm_gmem_set_attributes(): above T_CONVERT_START it may fail, from there on it may not */
const struct gmem_step gmem_op_convert[] = {
	DO(begin_range, CONV_11),
	LOCK(INVALIDATE_LOCK, WRITE, CONV_12),
	DONE_IF(range_has_the_attribute, CONV_13, .to = L_UNLOCK),
	CHECK(no_memory_pressure, CONV_14, ENOMEM, .to = L_UNLOCK),
	UNMAP_MAPPING_RANGE(CONV_15, WHEN(is_to_private)),
	CHECK(folios_are_free, CONV_16, EAGAIN, WHEN(is_to_private), .to = L_UNLOCK),
	CALL_EACH(next_bound_file, T_CONVERT_START, CONV_17),
	DO(make_shared, CONV_18, WHEN(guest_gives_back)),
	DO(convert_contents, CONV_18),
	DO(store_file_attributes, CONV_19),
	CALL_EACH(next_bound_file, T_INVALIDATE_END, CONV_24),
	UNLOCK(INVALIDATE_LOCK, .at = L_UNLOCK),
	END,
};
UNROLLED(gmem_op_convert)

/* What of the guest's goes: what it had as the kind of page that this was. */
static int unmap_converted_gfns(struct gmem_run *run)
{
	return gmem_invalidate_slots(run, is_to_private(run) ? FILTER_SHARED : FILTER_PRIVATE);
}

/* __kvm_gmem_invalidate_start() with the filter of a conversion: one file, t->at_file */
const struct gmem_step gmem_op_convert_start[] = {
	LOCK(MMU_LOCK, WRITE, CONV_17),
	DO(unmap_converted_gfns, CONV_17),
	UNLOCK(MMU_LOCK),
	END,
};
UNROLLED(gmem_op_convert_start)
