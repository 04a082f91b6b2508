/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KVM's ioctls of a program that is followed, as calls of the trace. The structure is taken when
 * the call begins, or where a thread of the program has still to provide it, when the call is over. What a guest does shows only where it leaves: an exit for memory becomes the
 * guest's access that led to it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "follow.h"
#include "mount-abi.h"
#include "target.h"

#define EXIT_MEMORY_FAULT 39
#define TYPE_KVM 0xae
#define BAD_POINTER 1

static uint32_t command(const struct thread *t)
{
	return (uint32_t)t->args[1];
}

/* A descriptor that was there before anybody looked: /dev/kvm, or one that came over a socket. */
static struct handle *look_up(struct thread *t)
{
	struct handle *h = handle_find(t->p, t->args[0]);
	char name[64];

	if (h)
		return h;
	target_link(t->tid, (int)t->args[0], name, sizeof(name));
	if (!strcmp(name, "/dev/kvm")) {
		handle_add(t->p, (int)t->args[0], HANDLE_KVM, -1);
		return handle_find(t->p, t->args[0]);
	}
	if (!strncmp(name, "anon_inode:kvm-v", 16) || !strcmp(name, "anon_inode:[kvm-gmem]"))
		unseen("of a descriptor that came from elsewhere");
	return NULL;
}

static void take_structure(struct thread *t)
{
	uint32_t size = _IOC_SIZE(command(t));

	memset(t->struct_at, 0, sizeof(t->struct_at));
	t->bad_pointer = t->late = false;
	t->memfd.fd = -1;
	if (!size || size > sizeof(t->struct_at))
		return;
	t->late = target_is_late(t->tid, t->args[2], size);
	if (!t->late)
		t->bad_pointer = target_read(t->tid, t->args[2], t->struct_at, size) != 0;
	if (command(t) == MOUNT_SET_REGION2)
		t->memfd = handle_now(t->p,
				      ((const struct kvm_region2 *)(void *)t->struct_at)->memfd);
}

int kvm_begins(struct thread *t)
{
	const struct handle *h = look_up(t);

	if (!h)
		return 0;
	t->on = *h;
	take_structure(t);
	return 1;
}

/* A capability that the model has a word for. */
static bool is_known_cap(uint64_t cap)
{
	const struct gmem_param *p = gmem_verb_info(GMEM_CHECK_EXTENSION)->params;
	const struct gmem_name *n;

	while (strcmp(p->name, "cap"))
		p++;
	for (n = p->names; n->name; n++)
		if (n->value == cap)
			return true;
	return false;
}

/* On /dev/kvm, whose number is the same everywhere, or on what a call has made. */
static struct linked_call call_on(const struct handle *h, uint32_t verb)
{
	struct linked_call l = blank_call(verb);

	l.fd_from = h->from;
	if (h->kind == HANDLE_KVM)
		l.call.fd = GMEM_KVM_FD;
	return l;
}

static void make_vm(struct thread *t, const struct handle *h, int64_t value)
{
	struct linked_call l = call_on(h, GMEM_CREATE_VM);
	int32_t n;

	l.call.type = t->args[2];
	n = emit(t, &l, value);
	if (value >= 0 && n >= 0)
		handle_add(t->p, (int)value, HANDLE_VM, n);
}

static void make_file(struct thread *t, const struct handle *h, int64_t value)
{
	const struct kvm_guest_memfd *a = (const void *)t->struct_at;
	struct linked_call l = call_on(h, GMEM_CREATE_GUEST_MEMFD);
	int32_t n;

	l.call.size = a->size;
	l.call.flags = a->flags;
	l.call.argp = t->bad_pointer ? BAD_POINTER : 0;
	n = emit(t, &l, value);
	if (value >= 0 && n >= 0)
		handle_add(t->p, (int)value, HANDLE_GMEM, n);
}

/* What the descriptor in a structure is in the trace; another file is as good as /dev/kvm. */
static void set_memfd(struct thread *t, struct linked_call *l, uint32_t fd)
{
	const struct handle *h = handle_find(t->p, fd);
	char name[64];

	l->call.memfd = -1;
	if (h && (h->kind == HANDLE_GMEM || h->kind == HANDLE_VM)) {
		l->memfd_from = h->from;
		return;
	}
	target_link(t->tid, (int)fd, name, sizeof(name));
	if (*name)
		l->call.memfd = GMEM_KVM_FD;
}

/* An address in a mapping of the trace is said by its name. */
static void set_addr(struct thread *t, struct linked_call *l, uint64_t addr)
{
	const struct area *a = area_find(t->p, addr, addr + 1);

	l->call.addr = addr;
	if (a && a->from >= 0) {
		l->addr_from = a->from;
		l->call.addr = addr - a->start + a->offset;
	}
}

static void set_region(struct thread *t, const struct handle *h, int64_t value)
{
	const struct kvm_region2 *a = (const void *)t->struct_at;
	bool second = command(t) == MOUNT_SET_REGION2;
	struct linked_call l = call_on(h, second ? GMEM_SET_USER_MEMORY_REGION2 :
						   GMEM_SET_USER_MEMORY_REGION);

	l.call.slot = a->slot;
	l.call.flags = a->flags;
	l.call.gpa = a->gpa;
	l.call.size = a->size;
	l.call.argp = t->bad_pointer ? BAD_POINTER : 0;
	set_addr(t, &l, a->addr);
	l.call.memfd = -1;
	if (second && (a->flags & GMEM_MEM_GUEST_MEMFD)) {
		l.call.offset = a->offset;
		set_memfd(t, &l, a->memfd);
	}
	emit(t, &l, value);
}

static void set_attributes(struct thread *t, const struct handle *h, int64_t value)
{
	const struct kvm_attributes *a = (const void *)t->struct_at;
	struct linked_call l = call_on(h, GMEM_SET_MEMORY_ATTRIBUTES);

	l.call.gpa = a->gpa;
	l.call.size = a->size;
	l.call.attributes = a->attributes;
	l.call.flags = a->flags;
	l.call.argp = t->bad_pointer ? BAD_POINTER : 0;
	emit(t, &l, value);
}

/* error_offset is what the structure holds when the call is over. */
static void set_attributes2(struct thread *t, const struct handle *h, int64_t value)
{
	struct kvm_attributes2 a;
	struct linked_call l = call_on(h, GMEM_SET_MEMORY_ATTRIBUTES2);
	struct gmem_result r = { .value = value };
	size_t i;

	memcpy(&a, t->struct_at, sizeof(a));
	l.call.offset = a.offset;
	l.call.size = a.size;
	l.call.attributes = a.attributes;
	l.call.flags = a.flags;
	l.call.error_offset = a.error_offset;
	for (i = 0; i < _IOC_SIZE(command(t)) / 8 - 5; i++)
		l.call.reserved |= !!a.reserved[i];
	l.call.argp = t->bad_pointer ? BAD_POINTER : 0;
	if (!t->bad_pointer)
		target_read(t->tid, t->args[2], &a, sizeof(a));
	r.out = a.error_offset;
	emit_result(t, &l, &r);
}

static void check_extension(struct thread *t, const struct handle *h, int64_t value)
{
	struct linked_call l = call_on(h, GMEM_CHECK_EXTENSION);

	l.call.cap = t->args[2];
	if (is_known_cap(t->args[2]) || value < 0)
		emit(t, &l, value);
	else
		following->others++;
}

/* ---- guests ---- */

static bool is_width(uint64_t size)
{
	return size == 1 || size == 2 || size == 4 || size == 8;
}

static void leaves_for_mmio(struct thread *t, const struct handle *h, const struct kvm_run *run)
{
	bool write = run->mmio.is_write;
	struct linked_call l = call_on(h, write ? GMEM_GUEST_STORE : GMEM_GUEST_LOAD);
	struct gmem_result r = { .outcome = GMEM_MMIO,
				 .gpa = run->mmio.phys_addr,
				 .exit_size = run->mmio.len,
				 .exit_flags = write };

	if (!is_width(run->mmio.len))
		return;
	l.call.gpa = run->mmio.phys_addr;
	l.call.size = run->mmio.len;
	if (write)
		memcpy(&l.call.value, run->mmio.data, run->mmio.len);
	emit_result(t, &l, &r);
}

/* Whether it was a load or a store KVM does not say. */
static void leaves_for_fault(struct thread *t, const struct handle *h, const struct kvm_run *run,
			     int64_t value)
{
	struct linked_call l = call_on(h, GMEM_GUEST_LOAD);
	struct gmem_result r = { .outcome = GMEM_MEMORY_FAULT, .value = value };
	uint64_t fault[3];

	memcpy(fault, &run->hw, sizeof(fault));
	r.exit_flags = fault[0];
	r.gpa = fault[1];
	r.exit_size = fault[2];
	l.call.gpa = fault[1];
	l.call.size = 1;
	l.call.access = fault[0] & GMEM_EXIT_FLAG_PRIVATE;
	emit_result(t, &l, &r);
}

static const struct area *page_of(const struct process *p, int vcpu)
{
	size_t i;

	for (i = 0; i < p->nr_areas; i++)
		if (p->areas[i].from < 0 && p->areas[i].vcpu == vcpu)
			return &p->areas[i];
	return NULL;
}

static void guest_left(struct thread *t, const struct handle *h, int64_t value)
{
	const struct area *a = page_of(t->p, h->fd);
	struct kvm_run run;

	following->others++;
	if (!a || target_read(t->tid, a->start, &run, sizeof(run)))
		return;
	if (value == -EFAULT && run.exit_reason == EXIT_MEMORY_FAULT)
		leaves_for_fault(t, h, &run, value);
	else if (!value && run.exit_reason == KVM_EXIT_MMIO)
		leaves_for_mmio(t, h, &run);
}

static void pre_fault(struct thread *t, const struct handle *h, int64_t value)
{
	struct kvm_pre_fault a;
	struct linked_call l = call_on(h, GMEM_PRE_FAULT_MEMORY);
	struct gmem_result r = { .value = value };

	memcpy(&a, t->struct_at, sizeof(a));
	l.call.gpa = a.gpa;
	l.call.size = a.size;
	l.call.flags = a.flags;
	l.call.argp = t->bad_pointer ? BAD_POINTER : 0;
	if (!value && !target_read(t->tid, t->args[2], &a, sizeof(a)))
		r.out = a.size;
	emit_result(t, &l, &r);
}

/* ---- whose ---- */

static void vm_ends(struct thread *t, const struct handle *h, int64_t value)
{
	switch (command(t)) {
	case MOUNT_CHECK_EXTENSION:
		check_extension(t, h, value);
		break;
	case MOUNT_CREATE_GUEST_MEMFD:
		make_file(t, h, value);
		break;
	case MOUNT_SET_REGION:
	case MOUNT_SET_REGION2:
		set_region(t, h, value);
		break;
	case MOUNT_SET_ATTRIBUTES:
		set_attributes(t, h, value);
		break;
	case KVM_CREATE_VCPU:
		if (value >= 0)
			handle_add(t->p, (int)value, HANDLE_VCPU, h->from);
		following->others++;
		break;
	default:
		following->others++;
	}
}

void kvm_ends(struct thread *t, int64_t value)
{
	struct handle h = t->on;

	if (!handle_stays(t->p, &h) || !handle_stays(t->p, &t->memfd))
		return;
	/* the kernel has waited for it */
	if (t->late)
		take_structure(t);
	if (h.kind == HANDLE_KVM && command(t) == KVM_CREATE_VM)
		make_vm(t, &h, value);
	else if (h.kind == HANDLE_KVM && command(t) == MOUNT_CHECK_EXTENSION)
		check_extension(t, &h, value);
	else if (h.kind == HANDLE_VM)
		vm_ends(t, &h, value);
	else if (h.kind == HANDLE_VCPU && command(t) == KVM_RUN)
		guest_left(t, &h, value);
	else if (h.kind == HANDLE_VCPU && command(t) == MOUNT_PRE_FAULT)
		pre_fault(t, &h, value);
	else if (h.kind == HANDLE_GMEM &&
		 (command(t) == MOUNT_SET_ATTRIBUTES2 || command(t) == MOUNT_SET_ATTRIBUTES2_V1))
		set_attributes2(t, &h, value);
	else
		following->others++;
}
