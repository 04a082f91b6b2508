/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KVM_SET_MEMORY_ATTRIBUTES2 on the guest_memfd: pages convert in place.
 *
 * The ioctl refuses first and writes nothing back; only what the worker fails with comes with an
 * error_offset. The worker is all or nothing, but for host mappings: on the way to private they
 * are dropped before anything is known to be in use.
 */
#include "convert.h"
#include "ops.h"
#include "profile.h"

static struct gmem_inode *inode_of(struct gmem_run *run)
{
	return INODE(run->b, run->t->inode);
}

static struct gmem_vm *vm_of_file(struct gmem_run *run)
{
	return VM(run->b, GFILE(run->b, run->t->file)->vm);
}

/* What the structure says until something is written back. */
static int read_error_offset(struct gmem_run *run)
{
	run->res->out = run->c->error_offset;
	return 0;
}

static bool is_guest_memfd(struct gmem_run *run)
{
	return GFILE(run->b, run->t->file)->kind == FILE_GMEM;
}

static bool file_attributes_are_on(struct gmem_run *run)
{
	return gmem_file_attributes_are_on(run->b);
}

static bool argp_can_be_read(struct gmem_run *run)
{
	return run->c->argp != 1;
}

static bool argp_can_be_written(struct gmem_run *run)
{
	return run->c->argp != 2;
}

static bool flags_are_zero(struct gmem_run *run)
{
	return !run->c->flags;
}

static bool reserved_is_zero(struct gmem_run *run)
{
	return !run->c->reserved;
}

static bool vm_has_private_memory(struct gmem_run *run)
{
	return gmem_has_private_mem(run->b, vm_of_file(run));
}

static bool attributes_are_supported(struct gmem_run *run)
{
	uint64_t attributes = run->c->attributes;

	return !attributes || (attributes == GMEM_ATTRIBUTE_PRIVATE && vm_has_private_memory(run));
}

static bool range_is_valid(struct gmem_run *run)
{
	return run->c->size && run->c->offset + run->c->size >= run->c->offset;
}

static bool range_is_aligned(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->start = PAGES(run->c->offset);
	t->end = t->start + PAGES(run->c->size);
	return PAGE_ALIGNED(run->c->offset) && PAGE_ALIGNED(run->c->size);
}

static bool offset_is_in_file(struct gmem_run *run)
{
	return run->c->offset < inode_of(run)->size;
}

static bool range_is_in_file(struct gmem_run *run)
{
	return run->c->offset + run->c->size <= inode_of(run)->size;
}

static int write_error_offset(struct gmem_run *run)
{
	run->res->out = BYTES(run->t->err_page);
	return 0;
}

/* kvm_gmem_ioctl() up to the worker */
#define SET_ATTRIBUTES2                                                           \
	DO(read_error_offset, CONV_21, .local = true), CHECK(fdget, FD_1, EBADF), \
		CHECK(is_not_kvm, FD_2, EINVAL, .local = true),                   \
		CHECK(mm_is_the_vms, VM_3, EIO, WHEN(is_vm))

#define ON_THE_FILE                                                           \
	CHECK(is_guest_memfd, FILE_1, ENOTTY, .local = true),                 \
		CHECK(file_attributes_are_on, CONV_1, ENOTTY, .local = true), \
		CHECK(argp_can_be_read, CONV_2, EFAULT, .local = true)

#define RANGE_IN_FILE                                                    \
	CHECK(attributes_are_supported, CONV_6, EINVAL, .local = true),  \
		CHECK(range_is_valid, CONV_7, EINVAL, .local = true),    \
		CHECK(range_is_aligned, CONV_8, EINVAL, .local = true),  \
		CHECK(offset_is_in_file, CONV_9, EINVAL, .local = true), \
		CHECK(range_is_in_file, CONV_10, EINVAL, .local = true)

/* The worker, and the structure written back where it failed. */
#define CONVERT                                                                              \
	CALL(T_CONVERT, CONV_11, .to = L_EXIT), ANSWER(return_zero, CONV_20, .local = true), \
		CHECK(argp_can_be_written, CONV_21, EFAULT, WHEN(has_failed), .at = L_EXIT,  \
		      .says = true, .local = true),                                          \
		DO(write_error_offset, CONV_21, WHEN(has_failed), .local = true)

/* v13, and v8 */
const struct gmem_step gmem_op_set_attributes2[] = {
	SET_ATTRIBUTES2,
	ON_THE_FILE,
	CHECK(flags_are_zero, CONV_3, EINVAL, .local = true),
	CHECK(reserved_is_zero, CONV_4, EINVAL, .local = true),
	CHECK(vm_has_private_memory, CONV_5, EINVAL, .local = true),
	RANGE_IN_FILE,
	CONVERT,
	END,
};
UNROLLED(gmem_op_set_attributes2)

static bool content_mode_is_known(struct gmem_run *run)
{
	return run->c->flags < (GMEM_CONTENT_ZERO | GMEM_CONTENT_PRESERVE);
}

/* v5: flags are a content mode; a VM without private memory is not refused as such */
const struct gmem_step gmem_op_set_attributes2_v5[] = {
	SET_ATTRIBUTES2,
	ON_THE_FILE,
	CHECK(content_mode_is_known, CONV_22, EINVAL, .local = true),
	CHECK(reserved_is_zero, CONV_4, EINVAL, .local = true),
	RANGE_IN_FILE,
	CONVERT,
	END,
};

static bool is_legacy_vm(struct gmem_run *run)
{
	return is_vm(run) && !gmem_file_attributes_are_on(run->b);
}

/* RFC v1: also an ioctl of the VM; reserved words are not looked at */
const struct gmem_step gmem_op_set_attributes2_rfc_v1[] = {
	SET_ATTRIBUTES2,
	CALL(T_SET_VM_ATTRIBUTES, CONV_23, WHEN(is_legacy_vm)),
	DONE_IF(is_legacy_vm, CONV_23, .says = true),
	ON_THE_FILE,
	CHECK(flags_are_zero, CONV_3, EINVAL, .local = true),
	RANGE_IN_FILE,
	CONVERT,
	END,
};

/* coco-hugetlb: as RFC v1, but of the file alone */
const struct gmem_step gmem_op_set_attributes2_hugetlb[] = {
	SET_ATTRIBUTES2, ON_THE_FILE, CHECK(flags_are_zero, CONV_3, EINVAL, .local = true),
	RANGE_IN_FILE,	 CONVERT,     END,
};
