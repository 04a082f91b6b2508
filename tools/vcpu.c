/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vCPU that loads and stores; see vcpu.h. Nothing here allocates with malloc(): the far side of
 * backend-kvm.c uses it.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kvm.h>

#include "gmem.h"
#include "vcpu.h"

/* The layout of the guest's memory, in pages; see VCPU_FIRST_PT. */
#define CODE 0u
#define PML4 1u
#define PDPT 2u
#define PD 3u
#define OWN_PT 4u /* maps the code and the doorbell */
#define DOORBELL VCPU_NR_PAGES

/* Virtual addresses: each level's tables begin at its first entry, but for the first level. */
#define VA_BASE (UINT64_C(1) << 39)
#define VA_DOORBELL (VA_BASE + GMEM_PAGE_SIZE)
#define VA_ACCESS (VA_BASE + VCPU_PT_ENTRIES * GMEM_PAGE_SIZE)

#define PTE_FLAGS 0x67u /* present, writable, user, accessed, dirty */
#define STUB_SIZE 16u

bool vcpu_rang(const struct vcpu *v)
{
	return v->run->exit_reason == KVM_EXIT_MMIO &&
	       v->run->mmio.phys_addr == v->gpa + DOORBELL * GMEM_PAGE_SIZE;
}

void vcpu_free(struct vcpu *v)
{
	if (v->run)
		munmap(v->run, v->run_size);
	if (v->fd >= 0)
		close(v->fd);
	if (v->memory)
		munmap(v->memory, VCPU_NR_PAGES * GMEM_PAGE_SIZE);
	*v = VCPU_NONE;
}

#ifdef __x86_64__
static uint64_t *page_table(const struct vcpu *v, unsigned int page)
{
	return v->memory + page * (GMEM_PAGE_SIZE / sizeof(uint64_t));
}

static uint64_t pte(const struct vcpu *v, unsigned int page)
{
	return (v->gpa + page * GMEM_PAGE_SIZE) | PTE_FLAGS;
}

void vcpu_unmap_all(const struct vcpu *v)
{
	memset(page_table(v, VCPU_FIRST_PT), 0, VCPU_NR_PTS * GMEM_PAGE_SIZE);
}

static void build_page_tables(const struct vcpu *v)
{
	unsigned int i;

	page_table(v, PML4)[VA_BASE >> 39] = pte(v, PDPT);
	page_table(v, PDPT)[0] = pte(v, PD);
	page_table(v, PD)[0] = pte(v, OWN_PT);
	for (i = 0; i < VCPU_NR_PTS; i++)
		page_table(v, PD)[1 + i] = pte(v, VCPU_FIRST_PT + i);
	page_table(v, OWN_PT)[0] = pte(v, CODE);
	page_table(v, OWN_PT)[1] = pte(v, DOORBELL);
}

void vcpu_map(const struct vcpu *v, unsigned int entry, uint64_t page)
{
	page_table(v, VCPU_FIRST_PT)[entry * VCPU_APART] = page * GMEM_PAGE_SIZE | PTE_FLAGS;
}

static unsigned int width_number(unsigned int size)
{
	return size == 1 ? 0 : size == 2 ? 1 : size == 4 ? 2 : 3;
}

static unsigned int stub_number(const struct vcpu_access *a)
{
	return width_number(a->size) + (a->store ? 4 : 0);
}

/* The access; mov %rax,(%rsi), the doorbell; and a jump back to the access. */
static void write_stubs(const struct vcpu *v)
{
	static const uint8_t load[4][4] = {
		{ 0x8a, 0x07 },	      /* mov (%rdi),%al */
		{ 0x66, 0x8b, 0x07 }, /* %ax */
		{ 0x8b, 0x07 },	      /* %eax */
		{ 0x48, 0x8b, 0x07 }, /* %rax */
	};
	static const uint8_t length[4] = { 2, 3, 2, 3 };
	static const uint8_t ring[] = { 0x48, 0x89, 0x06, 0xeb };
	uint8_t *stub = (uint8_t *)v->memory;
	unsigned int i, n;

	for (i = 0; i < 8; i++, stub += STUB_SIZE) {
		n = length[i % 4];
		memcpy(stub, load[i % 4], n);
		if (i >= 4) /* the store has the load's opcode less 2 */
			stub[n - 2] = (uint8_t)(stub[n - 2] - 2);
		memcpy(stub + n, ring, sizeof(ring));
		n += sizeof(ring);
		stub[n] = (uint8_t) - (n + 1);
	}
}

int vcpu_make_memory(struct vcpu *v)
{
	void *memory = mmap(NULL, VCPU_NR_PAGES * GMEM_PAGE_SIZE, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return -1;
	v->memory = memory;
	write_stubs(v);
	return 0;
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

static int enter_user_mode(const struct vcpu *v)
{
	struct kvm_sregs s;

	if (ioctl(v->fd, KVM_GET_SREGS, &s))
		return -1;
	s.cr0 = 0x80050033;
	s.cr3 = v->gpa + PML4 * GMEM_PAGE_SIZE;
	s.cr4 = 0x20;
	s.efer = 0xd01;
	s.cs = user_segment(0x33, 11, true);
	s.ds = s.es = s.fs = s.gs = s.ss = user_segment(0x2b, 3, false);
	memset(&s.ldt, 0, sizeof(s.ldt));
	s.ldt.unusable = 1;
	s.tr.present = 1;
	s.tr.type = 11;
	return ioctl(v->fd, KVM_SET_SREGS, &s);
}

int vcpu_take(struct vcpu *v, int fd, size_t run_size, const struct kvm_cpuid2 *cpuid)
{
	void *run;

	v->fd = fd;
	if (fd < 0)
		return -1;
	run = mmap(NULL, run_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (run == MAP_FAILED)
		return -1;
	v->run = run;
	v->run_size = run_size;
	return ioctl(fd, KVM_SET_CPUID2, cpuid) ? -1 : enter_user_mode(v);
}

int vcpu_prepare(const struct vcpu *v, const struct vcpu_access *a)
{
	struct kvm_regs regs = {
		.rip = VA_BASE + stub_number(a) * STUB_SIZE,
		.rdi = VA_ACCESS + a->entry * VCPU_APART * GMEM_PAGE_SIZE + a->offset,
		.rsi = VA_DOORBELL,
		.rax = a->store ? a->value : 0,
		.rflags = 0x202,
	};

	return ioctl(v->fd, KVM_SET_REGS, &regs);
}
#else
static void build_page_tables(const struct vcpu *v)
{
	(void)v;
}

int vcpu_make_memory(struct vcpu *v)
{
	(void)v;
	errno = ENOSYS;
	return -1;
}

void vcpu_unmap_all(const struct vcpu *v)
{
	(void)v;
}

int vcpu_take(struct vcpu *v, int fd, size_t run_size, const struct kvm_cpuid2 *cpuid)
{
	(void)run_size;
	(void)cpuid;
	v->fd = fd;
	errno = ENOSYS;
	return -1;
}

void vcpu_map(const struct vcpu *v, unsigned int entry, uint64_t page)
{
	(void)v;
	(void)entry;
	(void)page;
}

int vcpu_prepare(const struct vcpu *v, const struct vcpu_access *a)
{
	(void)v;
	(void)a;
	errno = ENOSYS;
	return -1;
}
#endif

int vcpu_set_memslot(const struct vcpu *v, int vm, bool there)
{
	struct kvm_userspace_memory_region region = {
		.slot = v->slot,
		.guest_phys_addr = v->gpa,
		.memory_size = there ? VCPU_NR_PAGES * GMEM_PAGE_SIZE : 0,
		.userspace_addr = (uintptr_t)v->memory,
	};

	if (there)
		build_page_tables(v);
	return ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region);
}
