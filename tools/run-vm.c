/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KVM's ioctls of a VM. Those about memory are the model's: the structure is taken from the
 * program as it is, descriptors in it become the mount's numbers, and the model answers. A bad
 * pointer is the model's to refuse as well, as it knows what is checked before.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common.h"
#include "run.h"

#define BAD_POINTER 1

/* The structure, or the model's word for one that cannot be read. */
static uint64_t take(const struct request *q, void *to, size_t size)
{
	memset(to, 0, size);
	return target_read(q->pid, q->args[2], to, size) ? BAD_POINTER : 0;
}

static int64_t ask(const struct object *o, struct mount_on *on)
{
	on->vm = o->vm->node;
	return mount_value(on);
}

static int64_t check_extension(const struct request *q, struct object *o)
{
	struct mount_on on = { .m.call = { .verb = GMEM_CHECK_EXTENSION, .cap = q->args[2] } };
	int64_t value = ask(o, &on);

	return value ? value : plausible_extension(q->args[2]);
}

static int64_t create_guest_memfd(const struct request *q, struct object *o)
{
	struct kvm_guest_memfd a;
	struct mount_on on = { .m.call.verb = GMEM_CREATE_GUEST_MEMFD };
	struct what w;
	int64_t fd;
	int file;

	on.m.call.argp = take(q, &a, sizeof(a));
	on.m.call.size = a.size;
	on.m.call.flags = a.flags;
	on.m.call.page_order = a.reserved[0];
	fd = ask(o, &on);
	if (fd < 0)
		return fd;
	file = mount_open_file(o->vm, fd);
	if (file < 0)
		return file;
	/* its number is that of our own descriptor's inode */
	if (!target_what(getpid(), (uint64_t)file, &w))
		object_watch_file(w.ino, file);
	fd = answer_fd(q, file, false);
	close(file);
	return fd;
}

/* What memslots there are, for guests whose memory is the program's. */
static void note_slot(struct vm *vm, const struct kvm_region2 *a)
{
	size_t i;

	for (i = 0; i < vm->nr_slots && vm->slots[i].id != a->slot; i++)
		;
	if (!a->size) {
		if (i < vm->nr_slots)
			vm->slots[i] = vm->slots[--vm->nr_slots];
		return;
	}
	if (i == vm->nr_slots)
		vm->slots = xgrow(vm->slots, vm->nr_slots++, &vm->room_slots, sizeof(*vm->slots));
	vm->slots[i] = (struct slot){
		.id = a->slot, .flags = a->flags, .gpa = a->gpa, .size = a->size, .addr = a->addr
	};
}

static int64_t set_region(const struct request *q, struct object *o)
{
	struct kvm_region2 a = { 0 };
	struct mount_on on = { .m.call.verb = GMEM_SET_USER_MEMORY_REGION };
	int64_t r;

	on.m.call.argp = take(q, &a, sizeof(struct kvm_region));
	on.m.call.slot = a.slot;
	on.m.call.flags = a.flags;
	on.m.call.gpa = a.gpa;
	on.m.call.size = a.size;
	on.m.call.addr = a.addr;
	r = ask(o, &on);
	if (!r)
		note_slot(o->vm, &a);
	return r;
}

static uint64_t memfd_number(pid_t pid, uint32_t fd)
{
	struct what w;

	if (target_what(pid, fd, &w))
		return MOUNT_NO_FILE;
	return w.kind == KIND_GMEM ? w.ino : MOUNT_OTHER_FILE;
}

static int64_t set_region2(const struct request *q, struct object *o)
{
	struct mount_on on = { .m.call.verb = GMEM_SET_USER_MEMORY_REGION2 };
	struct kvm_region2 a;
	int64_t r;

	on.m.call.argp = take(q, &a, sizeof(a));
	on.m.call.slot = a.slot;
	on.m.call.flags = a.flags;
	on.m.call.gpa = a.gpa;
	on.m.call.size = a.size;
	on.m.call.addr = a.addr;
	on.m.call.offset = a.offset;
	if (a.flags & GMEM_MEM_GUEST_MEMFD)
		on.memfd = memfd_number(q->pid, a.memfd);
	r = ask(o, &on);
	if (!r)
		note_slot(o->vm, &a);
	return r;
}

static int64_t set_attributes(const struct request *q, struct object *o)
{
	struct mount_on on = { .m.call.verb = GMEM_SET_MEMORY_ATTRIBUTES };
	struct kvm_attributes a;

	on.m.call.argp = take(q, &a, sizeof(a));
	on.m.call.gpa = a.gpa;
	on.m.call.size = a.size;
	on.m.call.attributes = a.attributes;
	on.m.call.flags = a.flags;
	return ask(o, &on);
}

/* coco-rfc-v1 has it on the VM. */
static int64_t set_attributes2(const struct request *q, struct object *o)
{
	struct mount_on on = { .m.call.verb = GMEM_SET_MEMORY_ATTRIBUTES2 };
	size_t size = _IOC_SIZE((uint32_t)q->args[1]), i;
	struct kvm_attributes2 a;
	int64_t r;

	memset(&a, 0, sizeof(a));
	on.m.call.argp = take(q, &a, size);
	on.m.call.offset = a.offset;
	on.m.call.size = a.size;
	on.m.call.attributes = a.attributes;
	on.m.call.flags = a.flags;
	on.m.call.error_offset = a.error_offset;
	for (i = 0; i < size / 8 - 5; i++)
		on.m.call.reserved |= !!a.reserved[i];
	r = ask(o, &on);
	if (on.m.result.out != a.error_offset &&
	    target_write(q->pid, q->args[2] + offsetof(struct kvm_attributes2, error_offset),
			 &on.m.result.out, sizeof(on.m.result.out)))
		return -EFAULT;
	return r;
}

static int64_t enable_cap(const struct request *q, struct object *o)
{
	struct mount_on on = { .m.call.verb = GMEM_ENABLE_CAP };
	struct kvm_cap a;

	on.m.call.argp = take(q, &a, sizeof(a));
	on.m.call.cap = a.cap;
	if (plausible_extension(a.cap) && !on.m.call.argp)
		return 0;
	return ask(o, &on);
}

/* Once a VM, and before there are vCPUs. */
static int64_t create_irqchip(struct object *o)
{
	if (o->vm->irqchip)
		return -EEXIST;
	if (o->vm->vcpus)
		return -EINVAL;
	o->vm->irqchip = true;
	return 0;
}

static int64_t create_pit(struct object *o)
{
	if (o->vm->pit)
		return -EEXIST;
	if (!o->vm->irqchip)
		return -ENOENT;
	o->vm->pit = true;
	return 0;
}

static int64_t other_vm_ioctl(const struct request *q, struct object *o)
{
	int64_t result;

	switch ((uint32_t)q->args[1]) {
	case KVM_CREATE_VCPU:
		return vcpu_create(q, o);
	case KVM_CREATE_IRQCHIP:
		return create_irqchip(o);
	case KVM_CREATE_PIT:
	case KVM_CREATE_PIT2:
		return create_pit(o);
	case KVM_GET_TSC_KHZ:
		return 1000000;
	default:
		if (kept_call(q, o, &result))
			return result;
		return unknown_call(q, "a VM", ENOTTY);
	}
}

int64_t vm_ioctl(const struct request *q, struct object *o)
{
	if (!target_same_memory(o->vm->pid, o->vm->tgid, q->pid))
		return -EIO;
	switch ((uint32_t)q->args[1]) {
	case MOUNT_CHECK_EXTENSION:
		return check_extension(q, o);
	case MOUNT_CREATE_GUEST_MEMFD:
		return create_guest_memfd(q, o);
	case MOUNT_SET_REGION:
		return set_region(q, o);
	case MOUNT_SET_REGION2:
		return set_region2(q, o);
	case MOUNT_SET_ATTRIBUTES:
		return set_attributes(q, o);
	case MOUNT_SET_ATTRIBUTES2:
	case MOUNT_SET_ATTRIBUTES2_V1:
		return set_attributes2(q, o);
	case MOUNT_ENABLE_CAP:
		return enable_cap(q, o);
	default:
		return other_vm_ioctl(q, o);
	}
}
