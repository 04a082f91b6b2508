/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The vCPU of bench-kernel.c: 64-bit mode at CPL 3, where every KVM has the processor itself make
 * the access. Its code is a loop of the access and a store to a doorbell, a page without a
 * memslot: so one KVM_RUN is one access and the exit that tells of it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kvm.h>

#include "bench-vcpu.h"

#define PAGE UINT64_C(4096)

#ifdef __x86_64__
/* The pages of its memory; the doorbell lies behind. */
enum { CODE, PML4, PDPT, PD, PT, NR_PAGES };

#define VA_BASE (UINT64_C(1) << 39)
#define PTE_FLAGS 0x67u /* present, writable, user, accessed, dirty */
#define NR_CPUID 256u
#define STUB_SIZE 16u
#define DATA_PTE 8u /* apart from the others, as some KVMs fill eight neighbours at a time */

static uint64_t pte(unsigned int page)
{
	return (VCPU_GPA + page * PAGE) | PTE_FLAGS;
}

static uint64_t *page_of(const struct vcpu *v, unsigned int page)
{
	return v->memory + page * (PAGE / sizeof(uint64_t));
}

static void fill_memory(const struct vcpu *v, uint64_t gpa)
{
	/* mov (%rdi),%al or mov %al,(%rdi); mov %rax,(%rsi); jmp to the beginning */
	static const uint8_t load[] = { 0x8a, 0x07, 0x48, 0x89, 0x06, 0xeb, 0xf9 };
	static const uint8_t store[] = { 0x88, 0x07, 0x48, 0x89, 0x06, 0xeb, 0xf9 };

	memcpy(v->memory, load, sizeof(load));
	memcpy((uint8_t *)v->memory + STUB_SIZE, store, sizeof(store));
	page_of(v, PML4)[VA_BASE >> 39] = pte(PDPT);
	page_of(v, PDPT)[0] = pte(PD);
	page_of(v, PD)[0] = pte(PT);
	page_of(v, PT)[0] = pte(CODE);
	page_of(v, PT)[1] = pte(NR_PAGES);
	page_of(v, PT)[DATA_PTE] = gpa | PTE_FLAGS;
}

static struct kvm_segment user_segment(uint16_t selector, uint8_t type, bool code)
{
	return (struct kvm_segment){ .limit = 0xffffffff,
				     .selector = selector,
				     .type = type,
				     .present = 1,
				     .dpl = 3,
				     .s = 1,
				     .g = 1,
				     .l = code,
				     .db = !code };
}

static int enter_user_mode(int fd)
{
	struct kvm_sregs s;

	if (ioctl(fd, KVM_GET_SREGS, &s))
		return -1;
	s.cr0 = 0x80050033;
	s.cr3 = VCPU_GPA + PML4 * PAGE;
	s.cr4 = 0x20;
	s.efer = 0xd01;
	s.cs = user_segment(0x33, 11, true);
	s.ds = s.es = s.fs = s.gs = s.ss = user_segment(0x2b, 3, false);
	memset(&s.ldt, 0, sizeof(s.ldt));
	s.ldt.unusable = 1;
	s.tr.present = 1;
	s.tr.type = 11;
	return ioctl(fd, KVM_SET_SREGS, &s);
}

static int set_cpuid(int kvm, int fd)
{
	struct kvm_cpuid2 *c = calloc(1, sizeof(*c) + NR_CPUID * sizeof(c->entries[0]));
	int r = -1;

	if (!c)
		return -1;
	c->nent = NR_CPUID;
	if (!ioctl(kvm, KVM_GET_SUPPORTED_CPUID, c))
		r = ioctl(fd, KVM_SET_CPUID2, c);
	free(c);
	return r;
}

static int make_vcpu(struct vcpu *v, int kvm, int vm)
{
	int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	void *run;

	v->fd = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (v->fd < 0 || size < (int)sizeof(struct kvm_run))
		return -1;
	run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
	if (run == MAP_FAILED)
		return -1;
	v->run = run;
	v->run_size = (size_t)size;
	return set_cpuid(kvm, v->fd) || enter_user_mode(v->fd) ? -1 : 0;
}

static int start(struct vcpu *v, int kvm, int vm, uint32_t slot, uint64_t gpa)
{
	struct kvm_userspace_memory_region region = { .slot = slot,
						      .guest_phys_addr = VCPU_GPA,
						      .memory_size = NR_PAGES * PAGE };
	void *memory = mmap(NULL, NR_PAGES * PAGE, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return -1;
	v->memory = memory;
	fill_memory(v, gpa);
	region.userspace_addr = (uintptr_t)memory;
	if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) || make_vcpu(v, kvm, vm) ||
	    vcpu_choose(v, false))
		return -1;
	errno = EFAULT;
	return vcpu_access(v);
}

bool vcpu_start(struct vcpu *v, int kvm, int vm, uint32_t slot, uint64_t gpa)
{
	*v = (struct vcpu){ .fd = -1 };
	if (!start(v, kvm, vm, slot, gpa))
		return true;
	v->why = strerror(errno);
	vcpu_end(v);
	return false;
}

void vcpu_end(struct vcpu *v)
{
	if (v->run)
		munmap(v->run, v->run_size);
	if (v->fd >= 0)
		close(v->fd);
	if (v->memory)
		munmap(v->memory, NR_PAGES * PAGE);
	v->run = NULL;
	v->fd = -1;
	v->memory = NULL;
}

int vcpu_choose(const struct vcpu *v, bool store)
{
	struct kvm_regs regs = { .rip = VA_BASE + (store ? STUB_SIZE : 0),
				 .rdi = VA_BASE + DATA_PTE * PAGE,
				 .rsi = VA_BASE + PAGE,
				 .rflags = 0x202 };

	return ioctl(v->fd, KVM_SET_REGS, &regs);
}

int vcpu_access(const struct vcpu *v)
{
	int r;

	do
		r = ioctl(v->fd, KVM_RUN, 0);
	while (r && errno == EINTR);
	if (r || v->run->exit_reason != KVM_EXIT_MMIO ||
	    v->run->mmio.phys_addr != VCPU_GPA + NR_PAGES * PAGE)
		return -1;
	return 0;
}
#else
bool vcpu_start(struct vcpu *v, int kvm, int vm, uint32_t slot, uint64_t gpa)
{
	(void)kvm;
	(void)vm;
	(void)slot;
	(void)gpa;
	*v = (struct vcpu){ .fd = -1, .why = "only vCPUs of x86-64 are known here" };
	return false;
}

void vcpu_end(struct vcpu *v)
{
	(void)v;
}

int vcpu_choose(const struct vcpu *v, bool store)
{
	(void)v;
	(void)store;
	return -1;
}

int vcpu_access(const struct vcpu *v)
{
	(void)v;
	return -1;
}
#endif
