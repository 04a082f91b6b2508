/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KVM's ioctls of a vCPU, but for KVM_RUN. Registers are what KVM_SET_* put there, after those of a
 * processor at power-on (run-state.c, run-msr.c); run-guest.c runs on them.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"
#include "run-vcpu.h"

#define MOST_AT_A_TIME 1024u
#define MOST_ENTRIES 256u
#define TSC_KHZ 1000000u

int64_t vcpu_create(const struct request *q, struct object *vm)
{
	uint64_t id = q->args[2];
	struct object *o;
	int64_t answer;
	int fd;

	if (id >= MOST_VCPUS || vm->vm->nr_vcpus == MOST_AT_A_TIME)
		return -EINVAL;
	if (!vm->vm->max_vcpu_id)
		vm->vm->max_vcpu_id = MOST_VCPUS;
	if (id >= vm->vm->max_vcpu_id)
		return -EINVAL;
	if (vm->vm->taken[id / 8] >> id % 8 & 1)
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
	o->vcpu->tsc_khz = TSC_KHZ;
	state_reset(o);
	msr_reset(o->vcpu);
	answer = answer_fd(q, fd, true);
	if (answer == ANSWER_SENT) {
		o->vm->taken[id / 8] |= (uint8_t)(1 << id % 8);
		o->vm->nr_vcpus++;
	}
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
	struct kvm_cap cap;
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
		return msr_each(q, v, (uint32_t)q->args[1] == KVM_SET_MSRS);
	case KVM_GET_TSC_KHZ:
		return v->tsc_khz;
	case MOUNT_ENABLE_CAP:
		/* there is none that a vCPU could have */
		return target_read(q->pid, q->args[2], &cap, sizeof(cap)) ? -EFAULT : -EINVAL;
	case MOUNT_PRE_FAULT:
		return pre_fault(q, o);
	default:
		if (state_call(q, o, &result) || kept_call(q, o, &result))
			return result;
		return unknown_call(q, "a vCPU", EINVAL);
	}
}
