/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The state of vCPUs: what it is at power-on, with and without an interrupt controller of KVM's, and what is
 * refused.
 */
#define _GNU_SOURCE
#include <linux/kvm.h>
#include <stddef.h>

#undef KVM_GET_API_VERSION
#undef KVM_CREATE_VM
#undef KVM_CHECK_EXTENSION
#undef KVM_GET_VCPU_MMAP_SIZE
#undef KVM_CREATE_VCPU
#undef KVM_RUN
#include "program.h"

static void *const nowhere = (void *)8;

static int word(int fd, unsigned long cmd, uint64_t value)
{
	return ioctl(fd, cmd, &value);
}

static int set_mp_state(int vcpu, uint32_t state)
{
	struct kvm_mp_state a = { state };

	return ioctl(vcpu, KVM_SET_MP_STATE, &a);
}

static long mp_state(int vcpu)
{
	struct kvm_mp_state a;

	return ioctl(vcpu, KVM_GET_MP_STATE, &a) ? -errno : (long)a.mp_state;
}

static int interrupt(int vcpu, uint32_t irq)
{
	struct kvm_interrupt a = { irq };

	return ioctl(vcpu, KVM_INTERRUPT, &a);
}

static uint32_t lapic_register(int vcpu, int at)
{
	struct kvm_lapic_state l;
	uint32_t value;

	ioctl(vcpu, KVM_GET_LAPIC, &l);
	memcpy(&value, l.regs + at, sizeof(value));
	return value;
}

static void with_lapic(int vm)
{
	int first = ioctl(vm, KVM_CREATE_VCPU, 0), second = ioctl(vm, KVM_CREATE_VCPU, 3);
	struct kvm_msi msi = { .address_lo = 0xfee00000, .data = 0x40 };

	IS(mp_state(first), 0);
	IS(mp_state(second), 1);
	IS(set_mp_state(second, 4), 0);
	IS(set_mp_state(second, 5), -EINVAL);
	IS(set_mp_state(second, 9), 0);
	IS(interrupt(first, 256), -EINVAL);
	IS(interrupt(first, 255), -ENXIO);
	IS(lapic_register(second, 0x20), 3 << 24);
	IS(lapic_register(first, 0x30), 0x50014);
	IS(lapic_register(first, 0x350), 0x700);
	IS(lapic_register(second, 0x350), 0x10000);
	IS(ioctl(first, KVM_SET_LAPIC, nowhere), -EFAULT);
	IS(word(first, KVM_SET_VAPIC_ADDR, 0), 0);
	IS(word(first, KVM_SET_VAPIC_ADDR, 0x1000), -EINVAL);
	IS(ioctl(vm, KVM_SIGNAL_MSI, &msi), 0);
	close(first);
	close(second);
}

static void without_lapic(int vcpu)
{
	struct kvm_vcpu_events e;

	IS(mp_state(vcpu), 0);
	IS(set_mp_state(vcpu, 1), -EINVAL);
	IS(ioctl(vcpu, KVM_SET_MP_STATE, nowhere), -EFAULT);
	IS(interrupt(vcpu, 256), -EINVAL);
	IS(interrupt(vcpu, 255), 0);
	IS(ioctl(vcpu, KVM_NMI, 0), 0);
	IS(ioctl(vcpu, KVM_GET_VCPU_EVENTS, &e), 0);
	is("its interrupt", e.interrupt.nr, 255);
	is("its NMI", e.nmi.pending, 1);
	e.flags = ~0u;
	IS(ioctl(vcpu, KVM_SET_VCPU_EVENTS, &e), -EINVAL);
	e.flags = 0;
	e.exception.injected = 1;
	e.exception.nr = 32;
	IS(ioctl(vcpu, KVM_SET_VCPU_EVENTS, &e), -EINVAL);
	e.exception.nr = 3;
	IS(ioctl(vcpu, KVM_SET_VCPU_EVENTS, &e), 0);
	IS(ioctl(vcpu, KVM_GET_LAPIC, nowhere), -EINVAL);
	IS(ioctl(vcpu, KVM_SET_LAPIC, nowhere), -EINVAL);
	IS(word(vcpu, KVM_SET_VAPIC_ADDR, 0), -EINVAL);
	IS(ioctl(vcpu, KVM_KVMCLOCK_CTRL, 0), -EINVAL);
}

static void registers(int vcpu)
{
	struct kvm_debugregs d;
	struct kvm_regs r;
	struct kvm_fpu f;
	struct kvm_xcrs x;

	IS(ioctl(vcpu, KVM_GET_REGS, &r), 0);
	is("rip", (long)r.rip, 0xfff0);
	is("rdx", (long)r.rdx, 0x600);
	r.rflags = 0;
	IS(ioctl(vcpu, KVM_SET_REGS, &r), 0);
	IS(ioctl(vcpu, KVM_GET_REGS, &r), 0);
	is("rflags", (long)r.rflags, 2);
	IS(ioctl(vcpu, KVM_GET_FPU, &f), 0);
	is("fcw", f.fcw, 0x37f);
	is("mxcsr", f.mxcsr, 0);
	IS(ioctl(vcpu, KVM_GET_DEBUGREGS, &d), 0);
	is("dr6", (long)d.dr6, 0xffff0ff0);
	is("dr7", (long)d.dr7, 0x400);
	IS(ioctl(vcpu, KVM_SET_DEBUGREGS, &d), 0);
	d.dr7 = 1ull << 32;
	IS(ioctl(vcpu, KVM_SET_DEBUGREGS, &d), -EINVAL);
	d.dr7 = d.flags = 1;
	IS(ioctl(vcpu, KVM_SET_DEBUGREGS, &d), -EINVAL);
	IS(ioctl(vcpu, KVM_GET_XCRS, &x), 0);
	is("XCRs", x.nr_xcrs, 1);
	is("XCR0", (long)x.xcrs[0].value, 1);
	x.xcrs[0].value = 0;
	IS(ioctl(vcpu, KVM_SET_XCRS, &x), -EINVAL);
	x.nr_xcrs = 17;
	IS(ioctl(vcpu, KVM_SET_XCRS, &x), -EINVAL);
	x.nr_xcrs = 0;
	IS(ioctl(vcpu, KVM_SET_XCRS, &x), 0);
	IS(ioctl(vcpu, KVM_GET_XCRS, &x), 0);
	is("XCR0 still", (long)x.xcrs[0].value, 1);
}

static int with(int vcpu, size_t at, uint64_t value)
{
	struct kvm_sregs s;

	ioctl(vcpu, KVM_GET_SREGS, &s);
	memcpy((uint8_t *)&s + at, &value, sizeof(value));
	return ioctl(vcpu, KVM_SET_SREGS, &s);
}
#define WITH(vcpu, member, value) with(vcpu, offsetof(struct kvm_sregs, member), value)

static int set_cpuid(int vcpu, uint32_t n)
{
	union {
		struct kvm_cpuid2 head;
		uint8_t room[sizeof(struct kvm_cpuid2) + 2 * sizeof(struct kvm_cpuid_entry2)];
	} a = { .room = { 0 } };

	a.head.nent = n;
	a.head.entries[0].eax = 1;
	a.head.entries[1].function = 1;
	return ioctl(vcpu, KVM_SET_CPUID2, &a);
}

static void control_registers(int vcpu)
{
	struct kvm_sregs2 s2;
	struct kvm_sregs s;

	IS(WITH(vcpu, cr0, 0x80000010), -EINVAL);
	IS(WITH(vcpu, cr0, 0x20000010), -EINVAL);
	IS(WITH(vcpu, cr0, 1ull << 32), -EINVAL);
	IS(WITH(vcpu, cr4, ~0ull), -EINVAL);
	IS(WITH(vcpu, efer, 0x400), -EINVAL);
	IS(WITH(vcpu, apic_base, ~0ull), -EINVAL);
	IS(WITH(vcpu, apic_base, 0xfee00c00), -EINVAL);
	IS(WITH(vcpu, apic_base, 0xfee00900), 0);
	IS(ioctl(vcpu, KVM_GET_SREGS2, &s2), 0);
	is("flags", (long)s2.flags, 0);
	is("cr0", (long)s2.cr0, 0x60000010);
	s2.cr2 = 0x1234;
	IS(ioctl(vcpu, KVM_SET_SREGS2, &s2), 0);
	IS(ioctl(vcpu, KVM_GET_SREGS, &s), 0);
	is("cr2", (long)s.cr2, 0x1234);
	s2.flags = 2;
	IS(ioctl(vcpu, KVM_SET_SREGS2, &s2), -EINVAL);
	s.cr0 = 0x80000011;
	s.cr4 = 0x20;
	s.efer = 0x500;
	s.cs.l = 1;
	IS(ioctl(vcpu, KVM_SET_SREGS, &s), 0);
	s.cr4 = 0;
	IS(ioctl(vcpu, KVM_SET_SREGS, &s), -EINVAL);
	IS(set_cpuid(vcpu, 257), -E2BIG);
	IS(set_cpuid(vcpu, 2), 0);
}

static void translation(int vcpu)
{
	struct kvm_translation t = { .linear_address = 0x1234 };

	IS(ioctl(vcpu, KVM_TRANSLATE, &t), 0);
	is("physical", (long)t.physical_address, 0x1234);
	is("valid", t.valid, 1);
}

static uint64_t msr_value;

static int msr(int vcpu, unsigned long cmd, uint32_t index, uint64_t value)
{
	union {
		struct kvm_msrs head;
		uint8_t room[sizeof(struct kvm_msrs) + 2 * sizeof(struct kvm_msr_entry)];
	} a = { .room = { 0 } };
	int r;

	a.head.nmsrs = 2;
	a.head.entries[0].index = index;
	a.head.entries[0].data = value;
	a.head.entries[1].index = 0x174;
	r = ioctl(vcpu, cmd, &a);
	msr_value = a.head.entries[0].data;
	return r;
}

static void msrs(int vcpu)
{
	struct kvm_msrs many = { .nmsrs = 256 };

	IS(msr(vcpu, KVM_GET_MSRS, 0x1b, 0), 2);
	is("APIC base", (long)msr_value, 0xfee00900);
	IS(msr(vcpu, KVM_GET_MSRS, 0x277, 0), 2);
	is("PAT", (long)msr_value, 0x7040600070406);
	IS(msr(vcpu, KVM_GET_MSRS, 0x12345678, 0), 0);
	IS(msr(vcpu, KVM_SET_MSRS, 0x12345678, 0), 0);
	IS(msr(vcpu, KVM_SET_MSRS, 0xc0000080, ~0ull), 0);
	IS(msr(vcpu, KVM_SET_MSRS, 0x1b, ~0ull), 0);
	IS(msr(vcpu, KVM_SET_MSRS, 0x175, 0x1234), 2);
	IS(msr(vcpu, KVM_GET_MSRS, 0x175, 0), 2);
	is("SYSENTER", (long)msr_value, 0x1234);
	IS(msr(vcpu, KVM_SET_MSRS, 0x10, 0), 2);
	IS(ioctl(vcpu, KVM_GET_MSRS, &many), -E2BIG);
	IS(ioctl(vcpu, KVM_GET_MSRS, nowhere), -EFAULT);
}

static void other_settings(int vcpu)
{
	struct kvm_tpr_access_ctl tpr = { .enabled = 1, .flags = 1 };
	struct kvm_enable_cap cap = { .cap = 9999 };

	IS(ioctl(vcpu, KVM_TPR_ACCESS_REPORTING, &tpr), -EINVAL);
	tpr.flags = 0;
	IS(ioctl(vcpu, KVM_TPR_ACCESS_REPORTING, &tpr), 0);
	IS(word(vcpu, KVM_X86_SETUP_MCE, 0), -EINVAL);
	IS(word(vcpu, KVM_X86_SETUP_MCE, 33), -EINVAL);
	IS(word(vcpu, KVM_X86_SETUP_MCE, 10), 0);
	IS(ioctl(vcpu, KVM_ENABLE_CAP, &cap), -EINVAL);
	IS(ioctl(vcpu, KVM_ENABLE_CAP, nowhere), -EFAULT);
}

int main(void)
{
	int none = new_vm(), vm = new_vm(), vcpu;

	IS(ioctl(vm, KVM_CREATE_IRQCHIP, 0), 0);
	with_lapic(vm);
	vcpu = ioctl(none, KVM_CREATE_VCPU, 0);
	without_lapic(vcpu);
	registers(vcpu);
	translation(vcpu);
	msrs(vcpu);
	other_settings(vcpu);
	control_registers(vcpu);
	return end();
}
