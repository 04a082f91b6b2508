/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * /dev/kvm and the VM: KVM_CHECK_EXTENSION, KVM_CREATE_VM.
 */
#include "ops.h"
#include "profile.h"

static bool is_kvm_or_vm(struct gmem_run *run)
{
	return is_kvm(run) || is_vm(run);
}

static uint64_t create_flags(const struct gmem_block *b, const struct gmem_vm *vm)
{
	const struct gmem_numbers *n = &b->profile->n;

	return vm && gmem_has_private_mem(b, vm) ? n->create_flags & ~n->init_shared :
						   n->create_flags;
}

static uint64_t address_spaces(const struct gmem_block *b, const struct gmem_vm *vm)
{
	if (b->machine.arch != GMEM_X86_64 || !b->machine.smm)
		return 0;
	return vm && gmem_has_private_mem(b, vm) ? 1 : GMEM_MAX_AS;
}

/* The types that this machine offers and this profile knows. */
static uint64_t vm_types(const struct gmem_block *b)
{
	return b->machine.vm_types & b->profile->n.vm_types;
}

static uint64_t private_attribute(const struct gmem_block *b, const struct gmem_vm *vm)
{
	if (vm ? !gmem_has_private_mem(b, vm) : !gmem_machine_has_private_mem(b))
		return 0;
	return GMEM_ATTRIBUTE_PRIVATE;
}

/* vm is null when /dev/kvm was asked. */
static uint64_t capability(const struct gmem_block *b, const struct gmem_vm *vm, uint64_t cap)
{
	const struct gmem_numbers *n = &b->profile->n;
	bool x86 = b->machine.arch == GMEM_X86_64;

	switch (cap) {
	case GMEM_CAP_USER_MEMORY:
	case GMEM_CAP_USER_MEMORY2:
	case GMEM_CAP_MEMORY_FAULT_INFO:
		return 1;
	case GMEM_CAP_READONLY_MEM:
		return !vm || gmem_has_readonly_mem(vm);
	case GMEM_CAP_MULTI_ADDRESS_SPACE:
		return address_spaces(b, vm);
	case GMEM_CAP_MEMORY_ATTRIBUTES:
		return private_attribute(b, vm);
	case GMEM_CAP_GUEST_MEMFD:
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
	CHECK(mm_is_the_vms, VM_3, EIO, .when = is_vm),
	ANSWER(return_capability, CAP_1),
	END,
};

static bool type_is_supported(struct gmem_run *run)
{
	uint64_t type = run->c->type;

	if (run->b->machine.arch != GMEM_X86_64)
		return type == GMEM_VM_DEFAULT;
	return type < 64 && (vm_types(run->b) >> type & 1);
}

static int create_vm(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->vm = gmem_vm_new(run->b, (uint32_t)run->c->type, t->process);
	t->file = gmem_file_new(run->b, FILE_VM);
	GFILE(run->b, t->file)->vm = t->vm;
	VM(run->b, t->vm)->users = 1;
	return 0;
}

/* kvm_dev_ioctl_create_vm() */
const struct gmem_step gmem_op_create_vm[] = {
	CHECK(fdget, FD_1, EBADF),
	CHECK(mm_is_the_vms, VM_3, EIO, .when = is_vm),
	CHECK(is_kvm, FD_2, ENOTTY),
	CHECK(fd_is_available, VM_1, EMFILE),
	CHECK(type_is_supported, VM_2, EINVAL),
	CHECK(no_memory_pressure, VM_4, ENOMEM),
	DO(create_vm, VM_5),
	ANSWER(return_fd, VM_5),
	END,
};

/* In 6.8 it comes with private memory, and a kernel without has no such ioctl. */
static bool ioctl_exists(struct gmem_run *run)
{
	return !run->b->profile->n.gmem_needs_private || gmem_machine_has_private_mem(run->b);
}

static bool flags_are_valid(struct gmem_run *run)
{
	return !(run->c->flags & ~create_flags(run->b, VM(run->b, run->t->vm)));
}

static bool size_is_valid(struct gmem_run *run)
{
	return (int64_t)run->c->size > 0 && PAGE_ALIGNED(run->c->size);
}

static int create_file_and_inode(struct gmem_run *run)
{
	struct gmem_block *b = run->b;
	struct gmem_task *t = run->t;
	struct gmem_file *file;

	t->inode = gmem_inode_new(b, INODE_GMEM, run->c->size, run->c->flags);
	t->file = gmem_file_new(b, FILE_GMEM);
	file = GFILE(b, t->file);
	file->inode = t->inode;
	file->vm = t->vm;
	INODE(b, t->inode)->refs = 1;
	INODE(b, t->inode)->files = t->file;
	VM(b, t->vm)->users++;
	return 0;
}

/* kvm_vm_ioctl(), kvm_gmem_create(), __kvm_gmem_create() */
const struct gmem_step gmem_op_create_guest_memfd[] = {
	IOCTL_OF_A_VM,
	CHECK(ioctl_exists, CREATE_8, ENOTTY),
	CHECK(argp_is_readable, CREATE_1, EFAULT),
	CHECK(flags_are_valid, CREATE_2, EINVAL),
	CHECK(size_is_valid, CREATE_3, EINVAL),
	CHECK(fd_is_available, CREATE_4, EMFILE),
	CHECK(no_memory_pressure, CREATE_5, ENOMEM),
	DO(create_file_and_inode, CREATE_6),
	ANSWER(return_fd, CREATE_7),
	END,
};
