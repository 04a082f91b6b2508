/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The MSRs that a vCPU has: what they hold at power-on, and which bits can be set from outside. Those of
 * /dev/kvm, which say what there is, hold 0.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <time.h>

#include "common.h"
#include "run-vcpu.h"

#define TSC 0x10
#define APIC_BASE 0x1b
#define EFER 0xc0000080
#define EFER_LMA (1ull << 10)
#define MOST_AT_ONCE 256u
#define ALL (~0ull)

/* From first to last: what they hold at power-on, and what can be set. */
static const struct known {
	uint32_t first, last;
	uint64_t reset, mask;
} known[] = {
	{ 0x0, 0x1, 0, 0 }, /* machine checks of old */
	{ TSC, TSC, 0, ALL },
	{ 0x11, 0x12, 0, ALL }, /* KVM's clock, its old numbers */
	{ APIC_BASE, APIC_BASE, 0, ALL },
	{ 0x34, 0x34, 0, ALL },		      /* SMI_COUNT */
	{ 0x3b, 0x3b, 0, ALL },		      /* TSC_ADJUST */
	{ 0x8b, 0x8b, 0, ALL },		      /* microcode */
	{ 0xce, 0xce, 0x80000000, ALL },      /* PLATFORM_INFO */
	{ 0xfe, 0xfe, 0x508, 0 },	      /* MTRRcap */
	{ 0x10a, 0x10a, 0, 0 },		      /* ARCH_CAPABILITIES */
	{ 0x140, 0x140, 0, ALL },	      /* MISC_FEATURES_ENABLES */
	{ 0x174, 0x176, 0, ALL },	      /* SYSENTER */
	{ 0x179, 0x179, 0x20, 0 },	      /* MCG_CAP */
	{ 0x17a, 0x17a, 0, ALL },	      /* MCG_STATUS */
	{ 0x17b, 0x17b, 0, ALL },	      /* MCG_CTL */
	{ 0x1a0, 0x1a0, 1, ALL },	      /* MISC_ENABLE */
	{ 0x1d9, 0x1d9, 0, ALL },	      /* DEBUGCTL */
	{ 0x200, 0x20f, 0, 0xffffffffff0ff }, /* variable MTRRs */
	{ 0x250, 0x250, 0, ALL },	      /* fixed MTRRs */
	{ 0x258, 0x259, 0, ALL },
	{ 0x268, 0x26f, 0, ALL },
	{ 0x277, 0x277, 0x7040600070406, ALL }, /* PAT */
	{ 0x2ff, 0x2ff, 0, 0xcff },		/* the default of MTRRs */
	{ 0x400, 0x47f, 0, ALL },		/* banks of machine checks */
	{ 0x6e0, 0x6e0, 0, ALL },		/* TSC_DEADLINE */
	{ 0xc0000081, 0xc0000084, 0, ALL },	/* SYSCALL */
	{ EFER, EFER, 0, 0x5d01 },
	{ 0xc0000100, 0xc0000102, 0, ALL },	   /* bases of segments */
	{ 0xc0000103, 0xc0000103, 0, 0xffffffff }, /* TSC_AUX */
	{ 0x4b564d00, 0x4b564d01, 0, ALL },	   /* KVM's clock */
};

static const struct known *find(uint32_t index)
{
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (index >= known[i].first && index <= known[i].last)
			return &known[i];
	return NULL;
}

static uint64_t cycles(const struct vcpu *v)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_RAW, &t);
	return (uint64_t)t.tv_sec * 1000 * v->tsc_khz + (uint64_t)t.tv_nsec * v->tsc_khz / 1000000;
}

void msr_reset(struct vcpu *v)
{
	v->tsc_offset = -cycles(v);
}

/* Where it is kept; it is made if it has been set before, or is to be set now. */
static struct kvm_msr_entry *place(struct vcpu *v, uint32_t index, bool make)
{
	uint32_t k;

	for (k = 0; k < v->nr_msrs; k++)
		if (v->msrs[k].index == index)
			return &v->msrs[k];
	if (!make || k == MOST_MSRS)
		return NULL;
	v->msrs[v->nr_msrs++].index = index;
	return &v->msrs[k];
}

static bool get(struct vcpu *v, struct kvm_msr_entry *e)
{
	const struct known *m = find(e->index);
	const struct kvm_msr_entry *kept = place(v, e->index, false);

	e->data = 0;
	if (!m)
		return false;
	switch (e->index) {
	case TSC:
		e->data = cycles(v) + v->tsc_offset;
		return true;
	case APIC_BASE:
		e->data = v->p.sregs->apic_base;
		return true;
	case EFER:
		e->data = v->p.sregs->efer;
		return true;
	default:
		e->data = kept ? kept->data : m->reset;
		return true;
	}
}

static bool set(struct vcpu *v, const struct kvm_msr_entry *e)
{
	const struct known *m = find(e->index);
	struct kvm_msr_entry *kept;

	if (!m || (e->data & ~m->mask && e->data != m->reset) || (!m->mask && e->data != m->reset))
		return false;
	switch (e->index) {
	case TSC:
		v->tsc_offset = e->data - cycles(v);
		return true;
	case APIC_BASE:
		if (!state_apic_base_is_good(v, e->data))
			return false;
		v->p.sregs->apic_base = e->data;
		return true;
	case EFER:
		v->p.sregs->efer = (e->data & ~EFER_LMA) | (v->p.sregs->efer & EFER_LMA);
		return true;
	default:
		kept = place(v, e->index, true);
		if (kept)
			kept->data = e->data;
		return kept;
	}
}

/* As the kernel, the number of those that were done: the first one that cannot be ends it. */
int64_t msr_each(const struct request *q, struct vcpu *v, bool to_set)
{
	struct kvm_msr_entry e;
	struct kvm_msrs head;
	uint64_t at = q->args[2] + sizeof(head);
	uint32_t i;
	bool done;

	if (target_read(q->pid, q->args[2], &head, sizeof(head)))
		return -EFAULT;
	if (head.nmsrs >= MOST_AT_ONCE)
		return -E2BIG;
	for (i = 0; i < head.nmsrs; i++, at += sizeof(e)) {
		if (target_read(q->pid, at, &e, sizeof(e)))
			return -EFAULT;
		done = to_set ? set(v, &e) : get(v, &e);
		if (!to_set && target_write(q->pid, at, &e, sizeof(e)))
			return -EFAULT;
		if (!done)
			break;
	}
	return i;
}

int64_t msr_features(const struct request *q)
{
	struct kvm_msr_entry e;
	struct kvm_msrs head;
	uint64_t at = q->args[2] + sizeof(head);
	uint32_t i;

	if (target_read(q->pid, q->args[2], &head, sizeof(head)))
		return -EFAULT;
	if (head.nmsrs >= MOST_AT_ONCE)
		return -E2BIG;
	for (i = 0; i < head.nmsrs; i++, at += sizeof(e)) {
		if (target_read(q->pid, at, &e, sizeof(e)))
			return -EFAULT;
		if (!find(e.index))
			break;
		e.data = 0;
		if (target_write(q->pid, at, &e, sizeof(e)))
			return -EFAULT;
	}
	return i;
}
