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
#include <time.h>
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

const struct slot *vm_slot_at(const struct vm *vm, uint64_t gpa)
{
	size_t i;

	for (i = 0; i < vm->nr_slots; i++)
		if (vm->slots[i].id < 1 << 16 && gpa - vm->slots[i].gpa < vm->slots[i].size)
			return &vm->slots[i];
	return NULL;
}

/* What memslots there are, for guests whose memory is the program's. */
static void note_slot(struct vm *vm, const struct kvm_region2 *a)
{
	size_t i;

	for (i = 0; i < vm->nr_slots && vm->slots[i].id != a->slot; i++)
		;
	if (!a->size) {
		if (i < vm->nr_slots) {
			dirty_end(&vm->slots[i]);
			vm->slots[i] = vm->slots[--vm->nr_slots];
		}
		return;
	}
	if (i == vm->nr_slots) {
		vm->slots = xgrow(vm->slots, vm->nr_slots++, &vm->room_slots, sizeof(*vm->slots));
		vm->slots[i].dirty = NULL;
	}
	vm->slots[i] = (struct slot){ .id = a->slot,
				      .flags = a->flags,
				      .gpa = a->gpa,
				      .size = a->size,
				      .addr = a->addr,
				      .dirty = vm->slots[i].dirty };
	dirty_begin(&vm->slots[i]);
}

void vm_free(struct vm *vm)
{
	size_t i;

	for (i = 0; i < vm->nr_slots; i++)
		dirty_end(&vm->slots[i]);
	irq_end(vm);
	kept_free(vm->kept);
	free(vm->slots);
	free(vm);
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

/* How many numbers vCPUs may have: that is set once, and by the first vCPU. */
static int64_t set_max_vcpu_id(struct vm *vm, uint64_t n)
{
	if (n > MOST_VCPUS || n < vm->boot_cpu || (vm->max_vcpu_id && n != vm->max_vcpu_id))
		return -EINVAL;
	vm->max_vcpu_id = (uint32_t)n;
	return 0;
}

/* Of what has nothing to do with guest_memfd, only what is announced and can be enabled. */
static int64_t enable_cap(const struct request *q, struct object *o)
{
	struct mount_on on = { .m.call.verb = GMEM_ENABLE_CAP };
	struct kvm_cap a;

	on.m.call.argp = take(q, &a, sizeof(a));
	on.m.call.cap = a.cap;
	if (!on.m.call.argp && !a.flags && a.cap == KVM_CAP_SPLIT_IRQCHIP)
		return irq_split(o->vm, a.args[0]);
	if (!on.m.call.argp && !a.flags && a.cap == KVM_CAP_MAX_VCPU_ID)
		return set_max_vcpu_id(o->vm, a.args[0]);
	return ask(o, &on);
}

/* In nanoseconds, since an arbitrary moment until it is set. */
static int64_t clock_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static int64_t get_clock(const struct request *q, const struct vm *vm)
{
	struct kvm_clock_data c = { .clock = (uint64_t)(clock_now() + vm->clock) };

	return target_write(q->pid, q->args[2], &c, sizeof(c));
}

static int64_t set_clock(const struct request *q, struct vm *vm)
{
	struct kvm_clock_data c;

	if (target_read(q->pid, q->args[2], &c, sizeof(c)))
		return -EFAULT;
	if (c.flags & ~(KVM_CLOCK_TSC_STABLE | KVM_CLOCK_REALTIME | KVM_CLOCK_HOST_TSC))
		return -EINVAL;
	vm->clock = (int64_t)(c.clock - (uint64_t)clock_now());
	return 0;
}

/* Not one of them is there. */
static int64_t create_device(const struct request *q)
{
	struct kvm_create_device d;

	if (target_read(q->pid, q->args[2], &d, sizeof(d)))
		return -EFAULT;
	return unknown_call(q, "a VM", ENODEV);
}

static int64_t other_vm_ioctl(const struct request *q, struct object *o)
{
	int64_t result;

	switch ((uint32_t)q->args[1]) {
	case KVM_CREATE_VCPU:
		return vcpu_create(q, o);
	case KVM_GET_TSC_KHZ:
		return 1000000;
	case KVM_GET_CLOCK:
		return get_clock(q, o->vm);
	case KVM_SET_CLOCK:
		return set_clock(q, o->vm);
	case KVM_CREATE_DEVICE:
		return create_device(q);
	default:
		if (irq_call(q, o, &result) || dirty_call(q, o, &result) ||
		    kept_call(q, o, &result))
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
		return extension(o->vm->node, q->args[2]);
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
