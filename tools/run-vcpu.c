/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KVM's ioctls of a vCPU, but for KVM_RUN. Registers are what KVM_SET_* put there, after those of a
 * processor at power-on; run-guest.c runs on them.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"
#include "run-vcpu.h"

#define MOST_VCPUS 4096u
#define MOST_ENTRIES 256u
#define TSC_KHZ 1000000u

static void reset_segment(struct kvm_segment *s, uint8_t type)
{
	s->limit = 0xffff;
	s->type = type;
	s->present = 1;
	s->s = type == 3 || type == 0xb;
}

static void reset(struct object *o)
{
	struct kvm_regs *regs = kept_make(&o->kept, KVM_GET_REGS, sizeof(*regs));
	struct kvm_sregs *sregs = kept_make(&o->kept, KVM_GET_SREGS, sizeof(*sregs));

	regs->rip = 0xfff0;
	regs->rflags = 2;
	reset_segment(&sregs->cs, 0xb);
	sregs->cs.selector = 0xf000;
	sregs->cs.base = 0xffff0000;
	reset_segment(&sregs->ds, 3);
	reset_segment(&sregs->es, 3);
	reset_segment(&sregs->fs, 3);
	reset_segment(&sregs->gs, 3);
	reset_segment(&sregs->ss, 3);
	reset_segment(&sregs->tr, 0xb);
	reset_segment(&sregs->ldt, 2);
	sregs->tr.s = sregs->ldt.s = 0;
	sregs->gdt.limit = sregs->idt.limit = 0xffff;
	sregs->cr0 = 0x60000010;
	sregs->apic_base = o->id ? 0xfee00800 : 0xfee00900;
	o->vcpu->p.regs = regs;
	o->vcpu->p.sregs = sregs;
	o->vcpu->tsc_khz = TSC_KHZ;
}

static bool is_taken(const struct vm *vm, uint64_t id)
{
	const struct object *o;

	for (o = vm->vcpus; o; o = o->next_vcpu)
		if (o->id == id)
			return true;
	return false;
}

int64_t vcpu_create(const struct request *q, struct object *vm)
{
	uint64_t id = q->args[2];
	struct object *o;
	int64_t answer;
	int fd;

	if (id >= MOST_VCPUS)
		return -EINVAL;
	if (is_taken(vm->vm, id))
		return -EEXIST;
	o = object_new(KIND_VCPU, "kvm-vcpu", VCPU_PAGES * GMEM_PAGE_SIZE, &fd);
	if (!o)
		return fd;
	o->id = (uint32_t)id;
	o->vm = vm->vm;
	o->vm->users++;
	o->next_vcpu = o->vm->vcpus;
	o->vm->vcpus = o;
	o->vcpu = xcalloc(1, sizeof(*o->vcpu));
	o->vcpu->object = o;
	reset(o);
	answer = answer_fd(q, fd, true);
	close(fd);
	return answer;
}

void vcpu_end(struct vcpu *v)
{
	vcpu_stop(v);
	free(v->cpuid);
	free(v);
}

/* ---- CPUID ---- */

static int64_t set_cpuid(const struct request *q, struct vcpu *v)
{
	struct kvm_cpuid_entry2 *entries;
	struct kvm_cpuid2 head;

	if (target_read(q->pid, q->args[2], &head, sizeof(head)))
		return -EFAULT;
	if (head.nent > MOST_ENTRIES)
		return -E2BIG;
	entries = xcalloc(head.nent + 1, sizeof(*entries));
	if (target_read(q->pid, q->args[2] + sizeof(head), entries, head.nent * sizeof(*entries)) &&
	    head.nent) {
		free(entries);
		return -EFAULT;
	}
	free(v->cpuid);
	v->cpuid = entries;
	v->nr_cpuid = head.nent;
	return 0;
}

static int64_t get_cpuid(const struct request *q, const struct vcpu *v)
{
	struct kvm_cpuid2 head;
	int too_few;

	if (target_read(q->pid, q->args[2], &head, sizeof(head)))
		return -EFAULT;
	too_few = head.nent < v->nr_cpuid;
	head.nent = v->nr_cpuid;
	if (target_write(q->pid, q->args[2], &head, sizeof(head)))
		return -EFAULT;
	if (too_few)
		return -E2BIG;
	if (v->nr_cpuid && target_write(q->pid, q->args[2] + sizeof(head), v->cpuid,
					v->nr_cpuid * sizeof(*v->cpuid)))
		return -EFAULT;
	return 0;
}

/* ---- MSRs ---- */

/* As the kernel, the number of those that were done: the first one that cannot be ends it. */
static int64_t each_msr(const struct request *q, struct vcpu *v, bool set)
{
	struct kvm_msr_entry e;
	struct kvm_msrs head;
	uint64_t at = q->args[2] + sizeof(head);
	uint32_t i, k;

	if (target_read(q->pid, q->args[2], &head, sizeof(head)))
		return -EFAULT;
	if (head.nmsrs >= MOST_MSRS)
		return -E2BIG;
	for (i = 0; i < head.nmsrs; i++, at += sizeof(e)) {
		if (target_read(q->pid, at, &e, sizeof(e)))
			return -EFAULT;
		for (k = 0; k < v->nr_msrs && v->msrs[k].index != e.index; k++)
			;
		if (set && k == v->nr_msrs && k < MOST_MSRS)
			v->nr_msrs++;
		if (set && k < MOST_MSRS)
			v->msrs[k] = e;
		if (set)
			continue;
		e.data = k < v->nr_msrs ? v->msrs[k].data : 0;
		if (target_write(q->pid, at, &e, sizeof(e)))
			return -EFAULT;
	}
	return head.nmsrs;
}

static int64_t pre_fault(const struct request *q, struct object *o)
{
	struct mount_on on = { .vm = o->vm->node, .m.call.verb = GMEM_PRE_FAULT_MEMORY };
	struct kvm_pre_fault a = { 0 };
	int64_t r;

	on.m.call.argp = target_read(q->pid, q->args[2], &a, sizeof(a)) ? 1 : 0;
	on.m.call.gpa = a.gpa;
	on.m.call.size = a.size;
	on.m.call.flags = a.flags;
	r = mount_value(&on);
	if (!on.m.call.argp && !r) {
		a.gpa += a.size - on.m.result.out;
		a.size = on.m.result.out;
		if (target_write(q->pid, q->args[2], &a, sizeof(a)))
			return -EFAULT;
	}
	return r;
}

int64_t vcpu_ioctl(const struct request *q, struct object *o)
{
	struct vcpu *v = o->vcpu;
	int64_t result;

	if (!target_same_memory(o->vm->pid, o->vm->tgid, q->pid))
		return -EIO;
	switch ((uint32_t)q->args[1]) {
	case KVM_RUN:
		return q->args[2] ? -EINVAL : guest_run(q, o);
	case KVM_SET_SIGNAL_MASK:
		return guest_signal_mask(q, v);
	case KVM_SET_CPUID2:
		return set_cpuid(q, v);
	case KVM_GET_CPUID2:
		return get_cpuid(q, v);
	case KVM_GET_MSRS:
	case KVM_SET_MSRS:
		return each_msr(q, v, (uint32_t)q->args[1] == KVM_SET_MSRS);
	case KVM_GET_TSC_KHZ:
		return v->tsc_khz;
	case MOUNT_ENABLE_CAP:
		return 0;
	case MOUNT_PRE_FAULT:
		return pre_fault(q, o);
	default:
		if (kept_call(q, o, &result))
			return result;
		return unknown_call(q, "a vCPU", EINVAL);
	}
}
