/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * /dev/kvm and the VM: KVM_CHECK_EXTENSION, KVM_CREATE_VM.
 */
#include "bugs.h"
#include "convert.h"
#include "ops.h"
#include "profile.h"

#define X86_MAX_GPA_BITS 52u
#define ARM64_IPA_BITS 40u /* of type 0 */

static bool is_kvm_or_vm(struct gmem_run *run)
{
	return is_kvm(run) || is_vm(run);
}

/* What a file may be created with; INIT_SHARED not where a VM has private memory by itself. */
static uint64_t create_flags(const struct gmem_block *b, const struct gmem_vm *vm)
{
	const struct gmem_numbers *n = &b->profile->n;

	return vm && gmem_has_private_mem(b, vm) && !gmem_file_attributes_are_on(b) ?
		       n->create_flags & ~n->init_shared :
		       n->create_flags;
}

static uint64_t address_spaces(const struct gmem_block *b, const struct gmem_vm *vm)
{
	if (b->machine.arch != GMEM_X86_64 || !b->machine.smm)
		return 0;
	return vm && !b->profile->n.ancestor && gmem_has_private_mem(b, vm) ? 1 : GMEM_MAX_AS;
}

/* The types that this machine offers and this profile knows; all but one need tdp. */
static uint64_t vm_types(const struct gmem_block *b)
{
	uint64_t run = b->machine.tdp ? UINT64_MAX : 1u << GMEM_VM_DEFAULT;

	return b->machine.vm_types & b->profile->n.vm_types & run;
}

static uint64_t private_attribute(const struct gmem_block *b, const struct gmem_vm *vm)
{
	if (vm ? !gmem_has_private_mem(b, vm) : !gmem_machine_has_private_mem(b))
		return 0;
	return GMEM_ATTRIBUTE_PRIVATE;
}

/* The attributes of the VM, or of its files; only one of them has any. */
static uint64_t vm_attribute(const struct gmem_block *b, const struct gmem_vm *vm)
{
	if (gmem_file_attributes_are_on(b) || (vm && vm->file_tracks) ||
	    (b->profile->n.ancestor && !b->profile->n.vm_attributes))
		return 0;
	return private_attribute(b, vm);
}

static uint64_t file_attribute(const struct gmem_block *b, const struct gmem_vm *vm)
{
	return gmem_file_attributes_are_on(b) ? private_attribute(b, vm) : 0;
}

static uint64_t content_modes(const struct gmem_block *b, const struct gmem_vm *vm)
{
	return file_attribute(b, vm) ? GMEM_CONTENT_ZERO | GMEM_CONTENT_PRESERVE : 0;
}

/* Capabilities whose numbers moved from version to version, and later went to other features. */
static bool moved_capability(const struct gmem_block *b, const struct gmem_vm *vm, uint64_t cap,
			     uint64_t *value)
{
	const struct gmem_numbers *n = &b->profile->n;

	if (n->has_shareability && cap >= GMEM_CAP_GMEM_SHARED_MEM && cap <= GMEM_CAP_GMEM_HUGETLB)
		*value = 1;
	else if (n->either_or && cap == GMEM_CAP_DISABLE_LEGACY_PRIVATE_TRACKING)
		*value = 1;
	else if (n->cap_file_attributes && cap == n->cap_file_attributes)
		*value = file_attribute(b, vm);
	else if (n->cap_attributes2 && cap == n->cap_attributes2)
		*value = vm_attribute(b, vm);
	else if (n->cap_content_modes && cap == n->cap_content_modes)
		*value = content_modes(b, vm);
	else
		return false;
	return true;
}

/* vm is null when /dev/kvm was asked. */
static uint64_t capability(const struct gmem_block *b, const struct gmem_vm *vm, uint64_t cap)
{
	const struct gmem_numbers *n = &b->profile->n;
	bool x86 = b->machine.arch == GMEM_X86_64;
	uint64_t value;

	if (moved_capability(b, vm, cap, &value))
		return value;
	switch (cap) {
	case GMEM_CAP_USER_MEMORY:
		return 1;
	case GMEM_CAP_USER_MEMORY2:
	case GMEM_CAP_MEMORY_FAULT_INFO:
		return !n->ancestor;
	case GMEM_CAP_READONLY_MEM:
		return !vm || gmem_has_readonly_mem(vm);
	case GMEM_CAP_MULTI_ADDRESS_SPACE:
		return address_spaces(b, vm);
	case GMEM_CAP_MEMORY_ATTRIBUTES:
		return vm_attribute(b, vm);
	case GMEM_CAP_GUEST_MEMFD:
		if (n->ancestor)
			return 0;
		return !n->gmem_needs_private || private_attribute(b, vm) ? 1 : 0;
	case GMEM_CAP_VM_TYPES:
		return x86 ? vm_types(b) : 0;
	case GMEM_CAP_PRE_FAULT_MEMORY:
		return n->has_prefault && x86 && b->machine.tdp;
	case GMEM_CAP_GUEST_MEMFD_FLAGS:
		return n->has_flags_cap ? create_flags(b, vm) : 0;
	default:
		return 0;
	}
}

static int return_capability(struct gmem_run *run)
{
	const struct gmem_vm *vm = run->t->vm ? VM(run->b, run->t->vm) : NULL;

	run->res->value = (int64_t)capability(run->b, vm, run->c->cap);
	return 0;
}

/* kvm_dev_ioctl(), kvm_vm_ioctl(): KVM_CHECK_EXTENSION */
const struct gmem_step gmem_op_check_extension[] = {
	CHECK(fdget, FD_1, EBADF),
	CHECK(is_kvm_or_vm, FD_2, ENOTTY),
	CHECK(mm_is_the_vms, VM_3, EIO, WHEN(is_vm)),
	ANSWER(return_capability, CAP_1),
	END,
};

/* KVM_VM_TYPE_ARM_IPA_SIZE(): bits 0 to 7, and no others */
static uint64_t ipa_bits(uint64_t type)
{
	if (type > 0xff)
		return 0;
	return type ? type : ARM64_IPA_BITS;
}

static bool type_is_supported(struct gmem_run *run)
{
	uint64_t type = run->c->type;

	if (run->b->machine.arch != GMEM_X86_64)
		return ipa_bits(type) >= 32 && ipa_bits(type) <= run->b->machine.phys_bits;
	return type < 64 && (vm_types(run->b) >> type & 1);
}

static int create_vm(struct gmem_run *run)
{
	bool x86 = run->b->machine.arch == GMEM_X86_64;
	struct gmem_task *t = run->t;

	t->vm = gmem_vm_new(run->b, x86 ? (uint32_t)run->c->type : GMEM_VM_DEFAULT, t->process);
	if (!x86)
		VM(run->b, t->vm)->gpa_bits = (uint32_t)ipa_bits(run->c->type);
	else
		VM(run->b, t->vm)->gpa_bits = run->b->machine.tdp ? run->b->machine.phys_bits :
								    X86_MAX_GPA_BITS;
	t->file = gmem_file_new(run->b, FILE_VM);
	GFILE(run->b, t->file)->vm = t->vm;
	VM(run->b, t->vm)->users = 1;
	return 0;
}

/* kvm_dev_ioctl_create_vm() */
const struct gmem_step gmem_op_create_vm[] = {
	CHECK(fdget, FD_1, EBADF),
	CHECK(mm_is_the_vms, VM_3, EIO, WHEN(is_vm)),
	CHECK(is_kvm, FD_2, ENOTTY),
	CHECK(fd_is_available, VM_1, EMFILE),
	CHECK(no_memory_pressure, VM_4, ENOMEM),
	CHECK(type_is_supported, VM_2, EINVAL),
	LOCK(MMAP_LOCK, WRITE, VM_7),
	WAIT_AND_DO(page_tables_are_at_rest, create_vm, VM_7, .lock = NOTIFIERS, .mode = WRITE),
	UNLOCK(MMAP_LOCK),
	ANSWER(return_fd, VM_5),
	END,
};

/* In 6.8 it comes with private memory, and a kernel without has no such ioctl. */
static bool create_guest_memfd_exists(struct gmem_run *run)
{
	return !run->b->profile->n.gmem_needs_private || gmem_machine_has_private_mem(run->b);
}

static bool file_flags_are_valid(struct gmem_run *run)
{
	return !(run->c->flags & ~create_flags(run->b, VM(run->b, run->t->vm)));
}

static bool size_is_valid(struct gmem_run *run)
{
	return (int64_t)run->c->size > 0 && PAGE_ALIGNED(run->c->size);
}

/* log2 of a huge page's size, in the flags or in a field of its own; 0 without huge pages. */
static uint32_t order_of(struct gmem_run *run)
{
	const struct gmem_call *c = run->c;

	if (!(c->flags & run->b->profile->n.hugetlb))
		return 0;
	if (run->b->profile->n.has_shareability)
		return (uint32_t)(c->flags >> GMEM_FLAG_HUGE_SHIFT) - GMEM_PAGE_SHIFT;
	return (uint32_t)c->page_order;
}

/* The VM's view of t->inode. */
static void add_file(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	struct gmem_inode *inode = INODE(run->b, t->inode);
	struct gmem_file *file;

	t->file = gmem_file_new(run->b, FILE_GMEM);
	file = GFILE(run->b, t->file);
	file->inode = t->inode;
	file->vm = t->vm;
	file->next = inode->files;
	inode->files = t->file;
	inode->refs++;
	VM(run->b, t->vm)->users++;
}

static int create_file_and_inode(struct gmem_run *run)
{
	struct gmem_block *b = run->b;
	struct gmem_task *t = run->t;

	t->inode = gmem_inode_new(b, INODE_GMEM, run->c->size, run->c->flags);
	INODE(b, t->inode)->order = order_of(run);
	gmem_range_set(b, &INODE(b, t->inode)->attributes, 0, PAGES(run->c->size),
		       gmem_initial_attribute(b, run->c->flags));
	add_file(run);
	return 0;
}

/* kvm_vm_ioctl(), kvm_gmem_create(), __kvm_gmem_create() */
const struct gmem_step gmem_op_create_guest_memfd[] = {
	IOCTL_OF_A_VM,
	CHECK(create_guest_memfd_exists, CREATE_8, ENOTTY),
	CHECK(argp_is_readable, CREATE_1, EFAULT),
	CHECK(file_flags_are_valid, CREATE_2, EINVAL),
	CHECK(size_is_valid, CREATE_3, EINVAL),
	CHECK(fd_is_available, CREATE_4, EMFILE),
	CHECK(no_memory_pressure, CREATE_5, ENOMEM),
	DO(create_file_and_inode, CREATE_6),
	ANSWER(return_fd, CREATE_7),
	END,
};

/* Museum B23: only a negative size is refused. */
static bool size_is_not_negative(struct gmem_run *run)
{
	return (int64_t)run->c->size >= 0 && PAGE_ALIGNED(run->c->size);
}

const struct gmem_edit gmem_bug_b23[] = {
	REPLACE_ROW(GMEM_CREATE_GUEST_MEMFD, "size_is_valid", 0,
		    CHECK(size_is_not_negative, CREATE_3, EINVAL)),
	{ 0 },
};

/* Museum B26: all files are one inode's, as big as the last of them and with its flags. */
static int create_file_of_one_inode(struct gmem_run *run)
{
	uint32_t idx = run->b->inodes;
	struct gmem_inode *inode;

	while (idx && INODE(run->b, idx)->kind != INODE_GMEM)
		idx = INODE(run->b, idx)->next;
	if (!idx)
		return create_file_and_inode(run);
	run->t->inode = idx;
	inode = INODE(run->b, idx);
	inode->size = run->c->size;
	inode->flags = run->c->flags;
	gmem_range_clear(run->b, &inode->attributes);
	gmem_range_set(run->b, &inode->attributes, 0, PAGES(inode->size),
		       gmem_initial_attribute(run->b, inode->flags));
	add_file(run);
	return 0;
}

const struct gmem_edit gmem_bug_b26[] = {
	REPLACE_ROW(GMEM_CREATE_GUEST_MEMFD, "create_file_and_inode", 0,
		    DO(create_file_of_one_inode, CREATE_6)),
	{ 0 },
};

/* Museum B38: what can be mapped is taken to be shared. */
static int create_file_shared_if_mapped(struct gmem_run *run)
{
	create_file_and_inode(run);
	if (run->c->flags & GMEM_FLAG_MMAP)
		gmem_range_set(run->b, &INODE(run->b, run->t->inode)->attributes, 0,
			       PAGES(run->c->size), PAGE_SHARED);
	return 0;
}

const struct gmem_edit gmem_bug_b38[] = {
	REPLACE_ROW(GMEM_CREATE_GUEST_MEMFD, "create_file_and_inode", 0,
		    DO(create_file_shared_if_mapped, CREATE_6)),
	{ 0 },
};

static bool wants_huge_pages(struct gmem_run *run)
{
	return run->c->flags & GMEM_FLAG_HUGETLB;
}

static bool wants_small_pages(struct gmem_run *run)
{
	return !wants_huge_pages(run);
}

/* INIT_PRIVATE only says how SUPPORT_SHARED begins, and a page size only goes with HUGETLB. */
static bool flags_fit_together(struct gmem_run *run)
{
	uint64_t flags = run->c->flags, valid = GMEM_FLAG_SUPPORT_SHARED | GMEM_FLAG_HUGETLB;

	if (flags & GMEM_FLAG_SUPPORT_SHARED)
		valid |= GMEM_FLAG_INIT_PRIVATE;
	if (flags & GMEM_FLAG_HUGETLB)
		valid |= UINT64_MAX << GMEM_FLAG_HUGE_SHIFT;
	return !(flags & ~valid);
}

/* An x86 machine has pages of 2 MiB and of 1 GiB. */
static bool huge_page_size_is_known(struct gmem_run *run)
{
	uint64_t code = run->c->flags >> GMEM_FLAG_HUGE_SHIFT;

	return code == GMEM_FLAG_HUGE_2MB >> GMEM_FLAG_HUGE_SHIFT ||
	       code == GMEM_FLAG_HUGE_1GB >> GMEM_FLAG_HUGE_SHIFT;
}

static bool size_is_of_huge_pages(struct gmem_run *run)
{
	uint64_t size = GMEM_PAGE_SIZE << order_of(run);

	return (int64_t)run->c->size > 0 && !(run->c->size & (size - 1));
}

/* kvm_gmem_create(), __kvm_gmem_create() of the series */
const struct gmem_step gmem_op_create_guest_memfd_shareability[] = {
	IOCTL_OF_A_VM,
	CHECK(argp_is_readable, CREATE_1, EFAULT),
	CHECK(flags_fit_together, SHARE_18, EINVAL),
	CHECK(size_is_valid, CREATE_3, EINVAL),
	CHECK(fd_is_available, CREATE_4, EMFILE),
	CHECK(no_memory_pressure, CREATE_5, ENOMEM),
	CHECK(huge_page_size_is_known, HUGE_1, EINVAL, WHEN(wants_huge_pages)),
	CHECK(size_is_of_huge_pages, HUGE_2, EINVAL, WHEN(wants_huge_pages)),
	DO(create_file_and_inode, CREATE_6),
	ANSWER(return_fd, CREATE_7),
	END,
};

static bool page_order_is_zero(struct gmem_run *run)
{
	return !run->c->page_order;
}

static bool is_not_initially_shared(struct gmem_run *run)
{
	return !(run->c->flags & GMEM_FLAG_INIT_SHARED);
}

static bool page_order_is_known(struct gmem_run *run)
{
	return run->c->page_order == 9 || run->c->page_order == 18;
}

/* kvm_gmem_create(), __kvm_gmem_create() of the huge page tree */
const struct gmem_step gmem_op_create_guest_memfd_hugetlb[] = {
	IOCTL_OF_A_VM,
	CHECK(argp_is_readable, CREATE_1, EFAULT),
	CHECK(file_flags_are_valid, CREATE_2, EINVAL),
	CHECK(page_order_is_zero, HUGE_10, EINVAL, WHEN(wants_small_pages)),
	CHECK(is_not_initially_shared, HUGE_11, EINVAL, WHEN(wants_huge_pages)),
	CHECK(page_order_is_known, HUGE_1, EINVAL, WHEN(wants_huge_pages)),
	CHECK(size_is_valid, CREATE_3, EINVAL),
	CHECK(size_is_of_huge_pages, HUGE_2, EINVAL, WHEN(wants_huge_pages)),
	CHECK(fd_is_available, CREATE_4, EMFILE),
	CHECK(no_memory_pressure, CREATE_5, ENOMEM),
	DO(create_file_and_inode, CREATE_6),
	ANSWER(return_fd, CREATE_7),
	END,
};

/* kvm_vm_ioctl_enable_cap(): none of the capabilities here is one that can be enabled */
const struct gmem_step gmem_op_enable_cap[] = {
	IOCTL_OF_A_VM,
	CHECK(argp_is_readable, CAP_2, EFAULT),
	CHECK(never, CAP_2, EINVAL),
	END,
};

static bool cap_is_disable_legacy_private_tracking(struct gmem_run *run)
{
	return run->c->cap == GMEM_CAP_DISABLE_LEGACY_PRIVATE_TRACKING;
}

static bool vm_has_no_memslots(struct gmem_run *run)
{
	return !VM(run->b, run->t->vm)->slots;
}

static int leave_private_tracking_to_files(struct gmem_run *run)
{
	VM(run->b, run->t->vm)->file_tracks = true;
	return return_zero(run);
}

/* kvm_vm_ioctl_enable_cap(), as planned */
const struct gmem_step gmem_op_enable_cap_planned[] = {
	IOCTL_OF_A_VM,
	CHECK(argp_is_readable, CAP_2, EFAULT),
	CHECK(cap_is_disable_legacy_private_tracking, CAP_2, EINVAL),
	CHECK(vm_has_no_memslots, SHARE_23, EINVAL),
	ANSWER(leave_private_tracking_to_files, SHARE_19),
	END,
};

static bool guest_is_launched_by_firmware(struct gmem_run *run)
{
	uint32_t type = VM(run->b, run->t->vm)->type;

	return type == GMEM_VM_SNP || type == GMEM_VM_TDX;
}

static int finish_launch(struct gmem_run *run)
{
	VM(run->b, run->t->vm)->launched = true;
	return return_zero(run);
}

static bool launch_is_under_way(struct gmem_run *run)
{
	return !VM(run->b, run->t->vm)->launched;
}

/* snp_launch_finish(), tdx_td_finalize(), as far as conversions ask for it */
const struct gmem_step gmem_op_launch_finish[] = {
	IOCTL_OF_A_VM,
	CHECK(guest_is_launched_by_firmware, VM_6, ENOTTY),
	CHECK(launch_is_under_way, VM_6, EINVAL),
	ANSWER(finish_launch, VM_6),
	END,
};
