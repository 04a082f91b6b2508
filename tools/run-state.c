/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The registers of a vCPU: what they hold at power-on, and which values KVM_SET_* refuses. XCR0
 * and the x2APIC have to be allowed by KVM_SET_CPUID2 first.
 */
#include <cpuid.h>
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "run-vcpu.h"

#define CR0_PE 1ull
#define CR0_NW (1ull << 29)
#define CR0_CD (1ull << 30)
#define CR0_PG (1ull << 31)
#define CR4_PAE (1ull << 5)
#define EFER_LME (1ull << 8)
#define EFER_LMA (1ull << 10)
#define APIC_ENABLED (1ull << 11)
#define APIC_X2 (1ull << 10)

#define X2APIC (1u << 21) /* of CPUID */

#define LAPIC_ID 0x20
#define LAPIC_VERSION 0x30
#define LAPIC_DFR 0xe0
#define LAPIC_SPURIOUS 0xf0
#define LAPIC_TIMER 0x320
#define LAPIC_LINT0 0x350
#define LAPIC_ERROR 0x370
#define LVT_MASKED 0x10000
#define LVT_EXTERNAL 0x700

/* ---- at power-on ---- */

static void reset_segment(struct kvm_segment *s, uint8_t type)
{
	s->limit = 0xffff;
	s->type = type;
	s->present = 1;
	s->s = type == 3 || type == 0xb;
}

static bool is_first(const struct object *o)
{
	return o->id == o->vm->boot_cpu;
}

static void reset_sregs(const struct object *o, struct kvm_sregs *sregs)
{
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
	sregs->apic_base = is_first(o) ? 0xfee00900 : 0xfee00800;
}

static void reset_lapic(struct object *o)
{
	struct kvm_lapic_state *lapic = kept_make(&o->kept, KVM_GET_LAPIC, sizeof(*lapic));
	uint32_t regs[sizeof(*lapic) / 4] = { 0 };
	int i;

	regs[LAPIC_ID / 4] = o->id << 24;
	regs[LAPIC_VERSION / 4] = 0x50014;
	regs[LAPIC_DFR / 4] = 0xffffffff;
	regs[LAPIC_SPURIOUS / 4] = 0xff;
	for (i = LAPIC_TIMER; i <= LAPIC_ERROR; i += 16)
		regs[i / 4] = LVT_MASKED;
	if (is_first(o))
		regs[LAPIC_LINT0 / 4] = LVT_EXTERNAL;
	memcpy(lapic, regs, sizeof(*lapic));
}

void state_reset(struct object *o)
{
	struct kvm_regs *regs = kept_make(&o->kept, KVM_GET_REGS, sizeof(*regs));
	struct kvm_sregs *sregs = kept_make(&o->kept, KVM_GET_SREGS, sizeof(*sregs));
	struct kvm_fpu *fpu = kept_make(&o->kept, KVM_GET_FPU, sizeof(*fpu));
	struct kvm_debugregs *debug = kept_make(&o->kept, KVM_GET_DEBUGREGS, sizeof(*debug));
	struct kvm_xcrs *xcrs = kept_make(&o->kept, KVM_GET_XCRS, sizeof(*xcrs));
	struct kvm_xsave *xsave = kept_make(&o->kept, KVM_GET_XSAVE, sizeof(*xsave));
	struct kvm_vcpu_events *events = kept_make(&o->kept, KVM_GET_VCPU_EVENTS, sizeof(*events));
	struct kvm_mp_state *mp = kept_make(&o->kept, KVM_GET_MP_STATE, sizeof(*mp));

	regs->rip = 0xfff0;
	regs->rflags = 2;
	regs->rdx = 0x600;
	reset_sregs(o, sregs);
	fpu->fcw = 0x37f;
	debug->dr6 = 0xffff0ff0;
	debug->dr7 = 0x400;
	xcrs->nr_xcrs = 1;
	xcrs->xcrs[0].value = 1;
	xsave->region[0] = 0x37f;
	xsave->region[6] = 0x1f80;
	xsave->region[7] = 0xffff;
	events->flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW |
			KVM_VCPUEVENT_VALID_SMM;
	if (o->vm->irqchip) {
		reset_lapic(o);
		mp->mp_state = is_first(o) ? KVM_MP_STATE_RUNNABLE : KVM_MP_STATE_UNINITIALIZED;
	}
	o->vcpu->p.regs = regs;
	o->vcpu->p.sregs = sregs;
}

/* ---- what the guest's CPUID allows ---- */

static const struct kvm_cpuid_entry2 *leaf(const struct vcpu *v, uint32_t function)
{
	uint32_t i;

	for (i = 0; i < v->nr_cpuid; i++)
		if (v->cpuid[i].function == function && !v->cpuid[i].index)
			return &v->cpuid[i];
	return NULL;
}

/* That of the machine's processor decides, whatever the guest is told. */
static uint64_t allowed_cr4(void)
{
	static const struct {
		uint8_t cr4, leaf, in_ecx, bit;
	} needs[] = {
		{ 11, 7, 1, 2 }, { 12, 7, 1, 16 }, { 13, 1, 1, 5 },
		{ 16, 7, 0, 0 }, { 17, 1, 1, 17 }, { 18, 1, 1, 26 },
		{ 20, 7, 0, 7 }, { 21, 7, 0, 20 }, { 22, 7, 1, 3 },
	};
	uint32_t eax, ebx, ecx, edx;
	uint64_t cr4 = 0x7ff;
	size_t i;

	for (i = 0; i < sizeof(needs) / sizeof(needs[0]); i++)
		if (__get_cpuid_count(needs[i].leaf, 0, &eax, &ebx, &ecx, &edx) &&
		    ((needs[i].in_ecx ? ecx : ebx) >> needs[i].bit & 1))
			cr4 |= 1ull << needs[i].cr4;
	return cr4;
}

static unsigned int address_bits(const struct vcpu *v)
{
	const struct kvm_cpuid_entry2 *e = leaf(v, 0x80000008);

	return e && (e->eax & 0xff) ? e->eax & 0xff : 36;
}

bool state_apic_base_is_good(const struct vcpu *v, uint64_t base)
{
	const struct kvm_cpuid_entry2 *features = leaf(v, 1);
	uint64_t wrong = 0x2ff | (address_bits(v) < 64 ? -1ull << address_bits(v) : 0);

	if (!features || !(features->ecx & X2APIC))
		wrong |= APIC_X2;
	return !(base & wrong) && !((base & APIC_X2) && !(base & APIC_ENABLED));
}

/* ---- what is refused ---- */

static bool sregs_are_good(const struct vcpu *v, const struct kvm_sregs *s)
{
	bool paging = s->cr0 & CR0_PG;

	if ((s->efer & EFER_LME) && paging) {
		if (!(s->cr4 & CR4_PAE) || !(s->efer & EFER_LMA) || s->cr3 >> address_bits(v))
			return false;
	} else if ((s->efer & EFER_LMA) || s->cs.l) {
		return false;
	}
	if (s->cr0 >> 32 || ((s->cr0 & CR0_NW) && !(s->cr0 & CR0_CD)) ||
	    (paging && !(s->cr0 & CR0_PE)))
		return false;
	return !(s->cr4 & ~allowed_cr4()) && state_apic_base_is_good(v, s->apic_base);
}

int64_t state_check_sregs(const struct request *q, struct object *o, void *bytes)
{
	struct kvm_sregs *s = bytes;

	(void)q;
	if (!s)
		return 0;
	if (!sregs_are_good(o->vcpu, s))
		return -EINVAL;
	if (s->cr8 & ~0xfull)
		s->cr8 = 0;
	return 0;
}

int64_t state_check_regs(const struct request *q, struct object *o, void *bytes)
{
	struct kvm_regs *r = bytes;

	(void)q;
	(void)o;
	if (r)
		r->rflags |= 2;
	return 0;
}

/* MXCSR is not among what KVM gives and takes. */
int64_t state_check_fpu(const struct request *q, struct object *o, void *bytes)
{
	struct kvm_fpu *f = bytes;

	(void)q;
	(void)o;
	if (f)
		f->mxcsr = f->pad1 = f->pad2 = 0;
	return 0;
}

int64_t state_check_debugregs(const struct request *q, struct object *o, void *bytes)
{
	struct kvm_debugregs *d = bytes;

	(void)q;
	(void)o;
	if (!d)
		return 0;
	memset(d->reserved, 0, sizeof(d->reserved));
	return d->flags || d->dr6 >> 32 || d->dr7 >> 32 ? -EINVAL : 0;
}

static bool xcr0_is_good(const struct vcpu *v, uint64_t xcr0)
{
	const struct kvm_cpuid_entry2 *e = leaf(v, 0xd);
	uint64_t allowed = 1 | (e ? e->eax | (uint64_t)e->edx << 32 : 0);

	return (xcr0 & 1) && !(xcr0 & ~allowed) && (!(xcr0 & 4) || (xcr0 & 2));
}

/* Of the list only XCR0 counts. */
int64_t state_check_xcrs(const struct request *q, struct object *o, void *bytes)
{
	const struct kvm_xcrs *now = kept_get(o->kept, KVM_GET_XCRS, sizeof(*now));
	struct kvm_xcrs *x = bytes, good = *now;
	uint32_t i;

	(void)q;
	if (!x)
		return 0;
	if (x->flags || x->nr_xcrs > KVM_MAX_XCRS)
		return -EINVAL;
	for (i = 0; i < x->nr_xcrs; i++) {
		if (x->xcrs[i].xcr)
			continue;
		if (!xcr0_is_good(o->vcpu, x->xcrs[i].value))
			return -EINVAL;
		good.xcrs[0].value = x->xcrs[i].value;
		break;
	}
	*x = good;
	return 0;
}

/* What of the state is there, and MXCSR if that is. */
int64_t state_check_xsave(const struct request *q, struct object *o, void *bytes)
{
	struct kvm_xsave *x = bytes;
	uint32_t eax, ebx, ecx, edx = 0;
	uint64_t parts;

	(void)q;
	(void)o;
	if (!x)
		return 0;
	memcpy(&parts, &x->region[128], sizeof(parts));
	if (!__get_cpuid_count(0xd, 0, &eax, &ebx, &ecx, &edx))
		eax = 3;
	if (parts & ~(eax | (uint64_t)edx << 32))
		return -EINVAL;
	return (parts & 6) && (x->region[6] & ~0x2ffffu) ? -EINVAL : 0;
}

int64_t state_check_events(const struct request *q, struct object *o, void *bytes)
{
	const struct kvm_vcpu_events *e = bytes;

	(void)q;
	(void)o;
	if (!e)
		return 0;
	/* payloads and triple faults are of capabilities that are not there */
	if (e->flags & ~(KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SIPI_VECTOR |
			 KVM_VCPUEVENT_VALID_SHADOW | KVM_VCPUEVENT_VALID_SMM))
		return -EINVAL;
	return e->exception.injected && (e->exception.nr > 31 || e->exception.nr == 2) ? -EINVAL :
											 0;
}

int64_t state_check_mp_state(const struct request *q, struct object *o, void *bytes)
{
	const struct kvm_mp_state *m = bytes;

	(void)q;
	if (!m || m->mp_state == KVM_MP_STATE_RUNNABLE)
		return 0;
	return o->vm->irqchip && (m->mp_state <= KVM_MP_STATE_SIPI_RECEIVED ||
				  m->mp_state == KVM_MP_STATE_AP_RESET_HOLD) ?
		       0 :
		       -EINVAL;
}

int64_t state_needs_lapic(const struct request *q, struct object *o, void *bytes)
{
	(void)q;
	(void)bytes;
	return o->vm->irqchip ? 0 : -EINVAL;
}

int64_t state_check_vapic(const struct request *q, struct object *o, void *bytes)
{
	const struct kvm_vapic_addr *a = bytes;

	(void)q;
	if (!o->vm->irqchip)
		return -EINVAL;
	return a && a->vapic_addr && !vm_slot_at(o->vm, a->vapic_addr) ? -EINVAL : 0;
}

int64_t state_check_interrupt(const struct request *q, struct object *o, void *bytes)
{
	struct kvm_vcpu_events *e = kept_get(o->kept, KVM_GET_VCPU_EVENTS, sizeof(*e));
	const struct kvm_interrupt *i = bytes;

	(void)q;
	if (!i)
		return 0;
	if (i->irq > 255)
		return -EINVAL;
	if (o->vm->irqchip == IRQCHIP_KERNEL)
		return -ENXIO;
	e->interrupt.injected = 1;
	e->interrupt.nr = (uint8_t)i->irq;
	return 0;
}

int64_t state_nmi(const struct request *q, struct object *o, void *bytes)
{
	struct kvm_vcpu_events *e = kept_get(o->kept, KVM_GET_VCPU_EVENTS, sizeof(*e));

	(void)q;
	(void)bytes;
	e->nmi.pending = 1;
	return 0;
}

int64_t state_check_tpr_access(const struct request *q, struct object *o, void *bytes)
{
	const struct kvm_tpr_access_ctl *t = bytes;

	(void)q;
	(void)o;
	return t && t->flags ? -EINVAL : 0;
}

int64_t state_check_mce(const struct request *q, struct object *o, void *bytes)
{
	uint64_t cap;

	(void)q;
	(void)o;
	if (!bytes)
		return 0;
	memcpy(&cap, bytes, sizeof(cap));
	return !(cap & 0xff) || (cap & 0xff) > 32 || (cap & ~(MCE_CAP | 0xff00ffull)) ? -EINVAL : 0;
}

/* No guest here has asked for the clock that is to be told. */
int64_t state_check_kvmclock(const struct request *q, struct object *o, void *bytes)
{
	(void)q;
	(void)o;
	(void)bytes;
	return -EINVAL;
}

/* ---- the second version of the segments and control registers ---- */

static int64_t set_sregs2(const struct request *q, struct object *o)
{
	struct kvm_sregs *now = kept_get(o->kept, KVM_GET_SREGS, sizeof(*now)), s = *now;
	struct kvm_sregs2 s2;
	int64_t err;

	if (target_read(q->pid, q->args[2], &s2, sizeof(s2)))
		return -EFAULT;
	/* page directory pointers: only of PAE, which is not run here */
	if (s2.flags)
		return -EINVAL;
	memcpy(&s, &s2, offsetof(struct kvm_sregs2, flags));
	err = state_check_sregs(q, o, &s);
	if (!err)
		*now = s;
	return err;
}

static int64_t get_sregs2(const struct request *q, const struct object *o)
{
	struct kvm_sregs2 s2 = { 0 };

	memcpy(&s2, kept_get(o->kept, KVM_GET_SREGS, sizeof(struct kvm_sregs)),
	       offsetof(struct kvm_sregs2, flags));
	return target_write(q->pid, q->args[2], &s2, sizeof(s2));
}

/* Without paging an address is what it is. */
static int64_t translate(const struct request *q, const struct object *o)
{
	struct kvm_translation t;

	if (target_read(q->pid, q->args[2], &t, sizeof(t)))
		return -EFAULT;
	if (o->vcpu->p.sregs->cr0 & CR0_PG)
		return unknown_call(q, "a vCPU with paging", EINVAL);
	t.physical_address = t.linear_address;
	t.valid = t.writeable = 1;
	t.usermode = 0;
	return target_write(q->pid, q->args[2], &t, sizeof(t));
}

bool state_call(const struct request *q, struct object *o, int64_t *result)
{
	switch ((uint32_t)q->args[1]) {
	case KVM_GET_SREGS2:
		*result = get_sregs2(q, o);
		return true;
	case KVM_SET_SREGS2:
		*result = set_sregs2(q, o);
		return true;
	case KVM_TRANSLATE:
		*result = translate(q, o);
		return true;
	default:
		return false;
	}
}
