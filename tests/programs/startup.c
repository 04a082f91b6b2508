/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a VMM asks of KVM before and beside guest_memfd: interrupts and their eventfds, settings of the VM, the
 * log of dirty pages, and what is refused of all that.
 */
#define _GNU_SOURCE
#include <asm/ioctls.h>
#include <linux/fs.h>
#include <linux/kvm.h>
#include <sys/eventfd.h>

#undef KVM_GET_API_VERSION
#undef KVM_CREATE_VM
#undef KVM_CHECK_EXTENSION
#undef KVM_GET_VCPU_MMAP_SIZE
#undef KVM_CREATE_VCPU
#undef KVM_RUN
#include "program.h"

static void *const nowhere = (void *)8;

/* ---- interrupts ---- */

static int irqchip(int vm, unsigned long cmd, uint32_t id)
{
	struct kvm_irqchip c = { .chip_id = id };
	int r = ioctl(vm, cmd, &c);

	return r ? r : c.chip.pic.elcr_mask;
}

static uint64_t ioapic_base(int vm)
{
	struct kvm_irqchip c = { .chip_id = KVM_IRQCHIP_IOAPIC };

	ioctl(vm, KVM_GET_IRQCHIP, &c);
	return c.chip.ioapic.base_address;
}

static void chips(int none, int vm)
{
	struct kvm_pit_config config = { 0 };
	struct kvm_pit_state2 pit = { 0 };
	struct kvm_irq_level level = { .irq = 1 };

	IS(irqchip(none, KVM_GET_IRQCHIP, 0), -ENXIO);
	IS(irqchip(none, KVM_GET_IRQCHIP, 3), -ENXIO);
	IS(ioctl(none, KVM_CREATE_PIT2, &config), -ENOENT);
	IS(ioctl(none, KVM_CREATE_PIT2, nowhere), -EFAULT);
	IS(ioctl(none, KVM_GET_PIT2, nowhere), -ENXIO);
	IS(ioctl(none, KVM_SET_PIT2, &pit), -ENXIO);
	IS(ioctl(none, KVM_IRQ_LINE, &level), -ENXIO);
	IS(ioctl(vm, KVM_CREATE_IRQCHIP, 0), 0);
	IS(ioctl(vm, KVM_CREATE_IRQCHIP, 0), -EEXIST);
	IS(irqchip(vm, KVM_GET_IRQCHIP, 0), 0xf8);
	IS(irqchip(vm, KVM_GET_IRQCHIP, 1), 0xde);
	IS(ioapic_base(vm), 0xfec00000);
	IS(irqchip(vm, KVM_GET_IRQCHIP, 3), -EINVAL);
	IS(irqchip(vm, KVM_SET_IRQCHIP, 3), -EINVAL);
	IS(irqchip(vm, KVM_SET_IRQCHIP, ~0u), -EINVAL);
	IS(ioctl(vm, KVM_GET_IRQCHIP, nowhere), -EFAULT);
	IS(irqchip(vm, KVM_SET_IRQCHIP, 1), 0);
	IS(irqchip(vm, KVM_GET_IRQCHIP, 0), 0xf8);
	IS(ioctl(vm, KVM_SET_PIT2, &pit), -ENXIO);
	IS(ioctl(vm, KVM_CREATE_PIT2, &config), 0);
	IS(ioctl(vm, KVM_CREATE_PIT2, &config), -EEXIST);
	IS(ioctl(vm, KVM_GET_PIT2, &pit), 0);
	is("count", pit.channels[0].count, 0x10000);
	is("gate of 0", pit.channels[0].gate, 1);
	is("gate of 2", pit.channels[2].gate, 0);
	IS(ioctl(vm, KVM_IRQ_LINE, &level), 0);
	IS(ioctl(vm, KVM_IRQ_LINE, nowhere), -EFAULT);
}

static int irqfd(int vm, int fd, uint32_t flags, uint32_t gsi)
{
	struct kvm_irqfd a = { .fd = (uint32_t)fd, .flags = flags, .gsi = gsi };

	return ioctl(vm, KVM_IRQFD, &a);
}

static int ioeventfd(int vm, int fd, uint32_t flags, uint64_t addr, uint32_t len)
{
	struct kvm_ioeventfd a = { .fd = fd, .flags = flags, .addr = addr, .len = len };

	return ioctl(vm, KVM_IOEVENTFD, &a);
}

static void eventfds(int none, int vm)
{
	int e = eventfd(0, 0), same = dup(e), other = eventfd(0, 0),
	    null = open("/dev/null", O_RDWR);

	IS(irqfd(none, e, 0, 1), -EINVAL);
	IS(irqfd(none, e, 1, 1), 0);
	IS(irqfd(vm, e, 8, 1), -EINVAL);
	IS(irqfd(vm, -1, 0, 1), -EBADF);
	IS(irqfd(vm, null, 0, 1), -EINVAL);
	IS(irqfd(vm, e, 0, 1), 0);
	IS(irqfd(vm, same, 0, 2), -EBUSY);
	IS(irqfd(vm, other, 0, 1), 0);
	IS(irqfd(vm, e, 2, 3), -EINVAL);
	IS(irqfd(vm, same, 1, 1), 0);
	IS(irqfd(vm, e, 0, 2), 0);
	IS(irqfd(vm, -1, 1, 1), -EBADF);
	IS(ioctl(vm, KVM_IRQFD, nowhere), -EFAULT);

	IS(ioeventfd(vm, e, 0, 0x1000, 4), 0);
	IS(ioeventfd(vm, other, 0, 0x1000, 4), -EEXIST);
	IS(ioeventfd(vm, other, 0, 0x1000, 2), 0);
	IS(ioeventfd(vm, other, 2, 0x1000, 4), 0);
	IS(ioeventfd(vm, e, 0, 0x2000, 3), -EINVAL);
	IS(ioeventfd(vm, e, 0, 0x2000, 0), 0);
	IS(ioeventfd(vm, other, 0, 0x2000, 4), -EEXIST);
	IS(ioeventfd(vm, e, 1, 0x3000, 0), -EINVAL);
	IS(ioeventfd(vm, e, 32, 0x3000, 4), -EINVAL);
	IS(ioeventfd(vm, e, 0, -2ull, 4), -EINVAL);
	IS(ioeventfd(vm, -1, 0, 0x3000, 4), -EBADF);
	IS(ioeventfd(vm, null, 0, 0x3000, 4), -EINVAL);
	IS(ioeventfd(vm, other, 4, 0x1000, 4), -ENOENT);
	IS(ioeventfd(vm, same, 4, 0x1000, 4), 0);
	IS(ioeventfd(vm, same, 4, 0x1000, 4), -ENOENT);
	IS(ioeventfd(vm, null, 4, 0x1000, 4), -EINVAL);
	close(null);
}

static int route(int vm, uint32_t nr, uint32_t flags, struct kvm_irq_routing_entry e)
{
	static union {
		struct kvm_irq_routing head;
		uint8_t room[sizeof(struct kvm_irq_routing) +
			     4 * sizeof(struct kvm_irq_routing_entry)];
	} a;
	int i;

	a.head.nr = nr;
	a.head.flags = flags;
	for (i = 0; i < 4; i++)
		a.head.entries[i] = e;
	return ioctl(vm, KVM_SET_GSI_ROUTING, &a);
}

static int chip_route(int vm, uint32_t nr, uint32_t gsi, uint32_t chip, uint32_t pin)
{
	struct kvm_irq_routing_entry e = { .gsi = gsi, .type = KVM_IRQ_ROUTING_IRQCHIP };

	e.u.irqchip.irqchip = chip;
	e.u.irqchip.pin = pin;
	return route(vm, nr, 0, e);
}

static void routing(int none, int vm)
{
	struct kvm_irq_routing_entry msi = { .type = KVM_IRQ_ROUTING_MSI }, odd = { .type = 9 };
	struct kvm_msi m = { .flags = 4 };

	IS(route(none, 0, 0, msi), -EINVAL);
	IS(route(vm, 0, 0, msi), 0);
	IS(route(vm, 1, 0, msi), 0);
	IS(route(vm, 2, 0, msi), -EINVAL);
	IS(route(vm, 1, 1, msi), -EINVAL);
	IS(route(vm, 1, 0, odd), -EINVAL);
	IS(route(vm, 4097, 0, msi), -EINVAL);
	msi.flags = 2;
	IS(route(vm, 1, 0, msi), -EINVAL);
	IS(chip_route(vm, 1, 4095, 0, 7), 0);
	IS(chip_route(vm, 1, 4096, 0, 7), -EINVAL);
	IS(chip_route(vm, 1, 0, 0, 8), -EINVAL);
	IS(chip_route(vm, 1, 0, 2, 23), 0);
	IS(chip_route(vm, 1, 0, 2, 24), -EINVAL);
	IS(chip_route(vm, 1, 0, 3, 0), -EINVAL);
	IS(chip_route(vm, 2, 0, 0, 0), -EINVAL);
	IS(ioctl(vm, KVM_SET_GSI_ROUTING, nowhere), -EFAULT);
	IS(ioctl(vm, KVM_SIGNAL_MSI, &m), -EINVAL);
	m.flags = 0;
	IS(ioctl(none, KVM_SIGNAL_MSI, &m), -EINVAL);
	IS(ioctl(vm, KVM_SIGNAL_MSI, &m), -EPERM);
}

static void split(void)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { 24 } };
	int vm = new_vm();

	IS(ioctl(vm, KVM_ENABLE_CAP, &cap), 0);
	IS(ioctl(vm, KVM_ENABLE_CAP, &cap), -EEXIST);
	IS(ioctl(vm, KVM_CREATE_IRQCHIP, 0), -EEXIST);
	IS(irqchip(vm, KVM_GET_IRQCHIP, 0), -ENXIO);
	IS(chip_route(vm, 1, 0, 0, 0), -EINVAL);
	cap.cap = KVM_CAP_IRQCHIP;
	IS(ioctl(vm, KVM_ENABLE_CAP, &cap), -EINVAL);
	cap.cap = KVM_CAP_HLT;
	IS(ioctl(vm, KVM_ENABLE_CAP, &cap), -EINVAL);
	close(vm);
}

/* ---- the VM ---- */

static int word(int fd, unsigned long cmd, uint64_t value)
{
	return ioctl(fd, cmd, &value);
}

static long limit_vcpus(int vm, uint64_t n)
{
	struct kvm_enable_cap c = { .cap = KVM_CAP_MAX_VCPU_ID, .args = { n } };

	return ioctl(vm, KVM_ENABLE_CAP, &c);
}

static void numbers_of_vcpus(void)
{
	int vm = new_vm(), other = new_vm();

	IS(ioctl(vm, KVM_SET_BOOT_CPU_ID, 2), 0);
	IS(limit_vcpus(vm, 1), -EINVAL);
	IS(limit_vcpus(vm, 4097), -EINVAL);
	IS(limit_vcpus(vm, 4), 0);
	IS(limit_vcpus(vm, 4), 0);
	IS(limit_vcpus(vm, 8), -EINVAL);
	IS(ioctl(vm, KVM_CREATE_VCPU, 4), -EINVAL);
	WORKS(ioctl(vm, KVM_CREATE_VCPU, 3));
	IS(limit_vcpus(vm, 4), 0);
	IS(limit_vcpus(other, 0), 0);
	WORKS(ioctl(other, KVM_CREATE_VCPU, 4));
	IS(limit_vcpus(other, 8), -EINVAL);
	IS(limit_vcpus(other, 4096), 0);
}

static void settings(void)
{
	struct kvm_coalesced_mmio_zone zone = { .addr = 0x1000, .size = 0x1000 };
	struct kvm_create_device device = { .type = 99 };
	struct kvm_clock_data clock = { .flags = 0x80 };
	int vm = new_vm(), vcpu;

	IS(ioctl(vm, KVM_SET_TSS_ADDR, 0xfffbd000ul), 0);
	IS(ioctl(vm, KVM_SET_TSS_ADDR, 0xffffd000ul), 0);
	IS(ioctl(vm, KVM_SET_TSS_ADDR, 0xffffe000ul), -EINVAL);
	IS(ioctl(vm, KVM_SET_TSS_ADDR, 0x1fffbd000ul), -EINVAL);
	IS(word(vm, KVM_SET_IDENTITY_MAP_ADDR, 0xfffbc000), 0);
	IS(ioctl(vm, KVM_SET_IDENTITY_MAP_ADDR, nowhere), -EFAULT);
	IS(ioctl(vm, KVM_SET_BOOT_CPU_ID, 5000), -EINVAL);
	IS(ioctl(vm, KVM_SET_BOOT_CPU_ID, 1), 0);
	IS(ioctl(vm, KVM_SET_NR_MMU_PAGES, 63), -EINVAL);
	IS(ioctl(vm, KVM_SET_NR_MMU_PAGES, 64), 0);
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 7);
	close(vcpu);
	IS(ioctl(vm, KVM_CREATE_VCPU, 7), -EEXIST);
	IS(ioctl(vm, KVM_CREATE_VCPU, 4096), -EINVAL);
	IS(word(vm, KVM_SET_IDENTITY_MAP_ADDR, 0), -EINVAL);
	IS(ioctl(vm, KVM_SET_BOOT_CPU_ID, 5000), -EBUSY);
	IS(ioctl(vm, KVM_CREATE_IRQCHIP, 0), -EINVAL);
	IS(ioctl(vm, KVM_REGISTER_COALESCED_MMIO, &zone), 0);
	zone.pio = 2;
	IS(ioctl(vm, KVM_REGISTER_COALESCED_MMIO, &zone), -EINVAL);
	IS(ioctl(vm, KVM_CREATE_DEVICE, &device), -ENODEV);
	IS(ioctl(vm, KVM_CREATE_DEVICE, nowhere), -EFAULT);
	IS(ioctl(vm, KVM_SET_CLOCK, &clock), -EINVAL);
	clock.flags = 0;
	clock.clock = 1ull << 50;
	IS(ioctl(vm, KVM_SET_CLOCK, &clock), 0);
	IS(ioctl(vm, KVM_GET_CLOCK, &clock), 0);
	is("it goes on from there", (long)(clock.clock >> 50), 1);
	close(vm);
}

static int dirty_log(int vm, uint32_t slot, void *bits)
{
	struct kvm_dirty_log a = { .slot = slot };

	a.dirty_bitmap = bits;
	return ioctl(vm, KVM_GET_DIRTY_LOG, &a);
}

/* What KVM has of files: hardly anything. The second address space is there for SMM. */
static void files(void)
{
	int kvm = open_kvm(), vm = new_vm(), vcpu = ioctl(vm, KVM_CREATE_VCPU, 0), n;

	IS(ioctl(vm, FIONREAD, &n), -ENOTTY);
	IS(ioctl(vcpu, FIONREAD, &n), -EINVAL);
	IS(ioctl(kvm, FIBMAP, &n), -EINVAL);
	IS(ioctl(vcpu, FIOQSIZE, &n), -ENOTTY);
	WORKS(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0) != MAP_FAILED);
	IS((intptr_t)mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, vcpu, 0), -EPERM);
	IS((intptr_t)mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, vcpu, 0), -EPERM);
	IS((intptr_t)mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, vm, 0), -EPERM);
	IS((ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_MULTI_ADDRESS_SPACE) > 1) -
		   ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_X86_SMM),
	   0);
	IS((ioctl(vm, KVM_CHECK_EXTENSION, KVM_CAP_MULTI_ADDRESS_SPACE) > 1) -
		   ioctl(vm, KVM_CHECK_EXTENSION, KVM_CAP_X86_SMM),
	   0);
	close(vcpu);
	close(vm);
	close(kvm);
}

static int clear_log(int vm, uint32_t slot, uint64_t first, uint32_t n)
{
	uint64_t bits = ~0ull;
	struct kvm_clear_dirty_log a = { .slot = slot, .first_page = first, .num_pages = n };

	a.dirty_bitmap = &bits;
	return ioctl(vm, KVM_CLEAR_DIRTY_LOG, &a);
}

/* A guest that writes to its third page: mov [bx], al; hlt */
static void dirty_pages(void)
{
	struct region a = { .slot = 1, .flags = 1, .size = 8 * PAGE };
	struct kvm_regs regs = { .rip = PAGE, .rflags = 2, .rbx = 2 * PAGE };
	uint8_t *m = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
			  0);
	int vm = new_vm(), vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	uint64_t bits = ~0ull;
	struct kvm_sregs s;

	IS(dirty_log(vm, 1, &bits), -ENOENT);
	IS(dirty_log(vm, 0x7fff, &bits), -EINVAL);
	a.addr = (uintptr_t)m;
	IS(ioctl(vm, SET_REGION, &a), 0);
	IS(dirty_log(vm, 1, &bits), 0);
	IS(dirty_log(vm, 1, nowhere), -EFAULT);
	memcpy(m + PAGE, "\x88\x07\xf4", 3);
	ioctl(vcpu, KVM_GET_SREGS, &s);
	s.cs.base = s.cs.selector = 0;
	IS(ioctl(vcpu, KVM_SET_SREGS, &s), 0);
	IS(ioctl(vcpu, KVM_SET_REGS, &regs), 0);
	IS(ioctl(vcpu, KVM_RUN, 0), 0);
	IS(dirty_log(vm, 1, &bits), 0);
	is("what was written", (long)bits, 4);
	IS(dirty_log(vm, 1, &bits), 0);
	is("and is told once", (long)bits, 0);
	IS(clear_log(vm, 1, 0, 8), 0);
	IS(clear_log(vm, 1, 0, 7), -EINVAL);
	IS(clear_log(vm, 1, 0, 9), -EINVAL);
	IS(clear_log(vm, 1, 1, 7), -EINVAL);
	IS(clear_log(vm, 2, 0, 8), -ENOENT);
	IS(ioctl(vm, KVM_RESET_DIRTY_RINGS, 0), -EINVAL);
	close(vcpu);
	close(vm);
}

int main(void)
{
	int none = new_vm(), vm = new_vm();

	chips(none, vm);
	eventfds(none, vm);
	routing(none, vm);
	split();
	settings();
	numbers_of_vcpus();
	dirty_pages();
	files();
	return end();
}
