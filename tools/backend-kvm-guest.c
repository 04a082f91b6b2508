/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loads and stores by a guest, for the far side of backend-kvm.c.
 *
 * A VM gets a vCPU when it first needs one. It runs in 64-bit mode at CPL 3, with page tables and
 * a few bytes of code in a memslot of their own: there every KVM, also one that emulates
 * privileged code, has the processor itself make the access. To make one, the address of the
 * access and of a doorbell go into registers, rip points to a stub, and the stub ends with a
 * store to the doorbell, where there is no memslot: KVM_EXIT_MMIO, and what was loaded in it.
 *
 * Every guest page accessed has a page table entry of its own, as a vCPU need not notice when
 * the host rewrites one that it used. When all are taken, the memslot is deleted and made anew,
 * which makes KVM forget everything it derived from them.
 *
 * Those entries are APART: where KVM keeps page tables of its own for the guest, it fills eight at
 * a time, and the neighbours of the one that faulted through userspace_addr, also in a memslot
 * with a guest_memfd. What a trace sees would hang on which pages were accessed in which order.
 *
 * Guest physical addresses from far.facts.gpa_bits up cannot be reached. The guest's memory and
 * the doorbell lie in the middle of what can.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/kvm.h>

#include "backend-kvm.h"

#define EXIT_MEMORY_FAULT 39
#define NO_EXIT 0xffff

/* The layout of the guest's memory, in pages. */
#define CODE 0u
#define PML4 1u
#define PDPT 2u
#define PD 3u
#define OWN_PT 4u /* maps the code and the doorbell */
#define FIRST_PT 5u
#define NR_PTS 32u
#define NR_PAGES (FIRST_PT + NR_PTS)
#define DOORBELL NR_PAGES /* behind the memslot */
#define NR_ENTRIES 512u	  /* of a page table */
#define APART 8u	  /* used entries are this far from each other */
#define NR_PTES (NR_PTS * NR_ENTRIES / APART)

/* Virtual addresses: each level's tables begin at its first entry, but for the first level. */
#define VA_BASE (UINT64_C(1) << 39)
#define VA_DOORBELL (VA_BASE + GMEM_PAGE_SIZE)
#define VA_ACCESS (VA_BASE + NR_ENTRIES * GMEM_PAGE_SIZE)

#define PTE_FLAGS 0x67u /* present, writable, user, accessed, dirty */
#define STUB_SIZE 16u
#define NR_OWN_SLOTS 24u
#define NR_PLACES 4u

struct guest {
	int vcpu;
	struct kvm_run *run;
	uint64_t *memory;
	uint64_t gpa; /* of the memory, NR_PAGES, and the doorbell behind */
	uint32_t slot;
	unsigned int nr_ptes;
	uint64_t page[NR_PTES]; /* the guest page that each used entry is for */
};

struct prefault {
	uint64_t gpa, size, flags, padding[5];
};

struct memory_fault {
	uint64_t flags, gpa, size;
};

#define PRE_FAULT_MEMORY _IOWR(KVMIO, 0xd5, struct prefault)

bool far_guest_needs(const struct guest *g, int64_t slot, uint64_t gpa, uint64_t size)
{
	uint64_t end = g->gpa + (NR_PAGES + 1) * GMEM_PAGE_SIZE;

	return slot == g->slot || (gpa < end && gpa + size > g->gpa);
}

void far_guest_free(struct far *f, struct guest *g)
{
	if (g->run)
		munmap(g->run, f->facts->run_size);
	if (g->vcpu >= 0)
		close(g->vcpu);
	if (g->memory)
		munmap(g->memory, NR_PAGES * GMEM_PAGE_SIZE);
	free(g);
}

#ifdef __x86_64__
static uint64_t *page_table(struct guest *g, unsigned int page)
{
	return g->memory + page * (GMEM_PAGE_SIZE / sizeof(uint64_t));
}

static uint64_t pte(const struct guest *g, unsigned int page)
{
	return (g->gpa + page * GMEM_PAGE_SIZE) | PTE_FLAGS;
}

static void build_page_tables(struct guest *g)
{
	unsigned int i;

	page_table(g, PML4)[VA_BASE >> 39] = pte(g, PDPT);
	page_table(g, PDPT)[0] = pte(g, PD);
	page_table(g, PD)[0] = pte(g, OWN_PT);
	for (i = 0; i < NR_PTS; i++)
		page_table(g, PD)[1 + i] = pte(g, FIRST_PT + i);
	page_table(g, OWN_PT)[0] = pte(g, CODE);
	page_table(g, OWN_PT)[1] = pte(g, DOORBELL);
	g->nr_ptes = 0;
}

static unsigned int width_number(uint64_t size)
{
	return size == 1 ? 0 : size == 2 ? 1 : size == 4 ? 2 : 3;
}

/* The access; mov %rax,(%rsi), the doorbell; and a jump to itself, which is never reached. */
static void write_stubs(struct guest *g)
{
	static const uint8_t load[4][4] = {
		{ 0x8a, 0x07 },	      /* mov (%rdi),%al */
		{ 0x66, 0x8b, 0x07 }, /* %ax */
		{ 0x8b, 0x07 },	      /* %eax */
		{ 0x48, 0x8b, 0x07 }, /* %rax */
	};
	static const uint8_t length[4] = { 2, 3, 2, 3 };
	static const uint8_t ring[] = { 0x48, 0x89, 0x06, 0xeb, 0xfe };
	uint8_t *code = (uint8_t *)g->memory;
	unsigned int i;

	for (i = 0; i < 8; i++) {
		uint8_t *stub = code + i * STUB_SIZE;

		memcpy(stub, load[i % 4], length[i % 4]);
		if (i >= 4) /* the store has the load's opcode less 2 */
			stub[length[i % 4] - 2] = (uint8_t)(stub[length[i % 4] - 2] - 2);
		memcpy(stub + length[i % 4], ring, sizeof(ring));
	}
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

static int enter_user_mode(const struct guest *g)
{
	struct kvm_sregs s;

	if (ioctl(g->vcpu, KVM_GET_SREGS, &s))
		return -1;
	s.cr0 = 0x80050033;
	s.cr3 = g->gpa + PML4 * GMEM_PAGE_SIZE;
	s.cr4 = 0x20;
	s.efer = 0xd01;
	s.cs = user_segment(0x33, 11, true);
	s.ds = s.es = s.fs = s.gs = s.ss = user_segment(0x2b, 3, false);
	memset(&s.ldt, 0, sizeof(s.ldt));
	s.ldt.unusable = 1;
	s.tr.present = 1;
	s.tr.type = 11;
	return ioctl(g->vcpu, KVM_SET_SREGS, &s);
}

static int set_memslot(const struct guest *g, int vm, bool there)
{
	struct kvm_userspace_memory_region region = {
		.slot = g->slot,
		.guest_phys_addr = g->gpa,
		.memory_size = there ? NR_PAGES * GMEM_PAGE_SIZE : 0,
		.userspace_addr = (uintptr_t)g->memory,
	};

	return ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region);
}

/* The caller may have taken some ids and addresses; not all of them. */
static int add_memslot(struct far *f, struct guest *g, int vm)
{
	uint64_t middle = UINT64_C(1) << (f->facts->gpa_bits - 1);
	unsigned int i;

	for (i = 0; i < NR_PLACES * NR_OWN_SLOTS; i++) {
		g->slot = f->facts->nr_slots - NR_OWN_SLOTS + i / NR_PLACES;
		g->gpa = middle + i % NR_PLACES * (middle >> 3);
		if (!set_memslot(g, vm, true))
			return 0;
		if (errno != EINVAL && errno != EEXIST)
			return -1;
	}
	return -1;
}

static int make_vcpu(struct far *f, struct guest *g, int vm)
{
	void *run;

	g->vcpu = far_own_fd(f, ioctl(vm, KVM_CREATE_VCPU, 0));
	if (g->vcpu < 0)
		return -1;
	run = mmap(NULL, f->facts->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, g->vcpu, 0);
	if (run == MAP_FAILED)
		return -1;
	g->run = run;
	return ioctl(g->vcpu, KVM_SET_CPUID2, f->facts->cpuid);
}

static int make_guest(struct far *f, struct guest *g, int vm)
{
	void *memory = mmap(NULL, NR_PAGES * GMEM_PAGE_SIZE, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int r;

	if (memory == MAP_FAILED)
		return -1;
	g->memory = memory;
	if (add_memslot(f, g, vm))
		return -1;
	write_stubs(g);
	build_page_tables(g);
	far_unlimit(f, true);
	r = make_vcpu(f, g, vm);
	far_unlimit(f, false);
	return r ? r : enter_user_mode(g);
}

/* The entry for a guest page, from now on or already. */
static int find_pte(struct guest *g, int vm, uint64_t page, unsigned int *entry)
{
	unsigned int i;

	for (i = 0; i < g->nr_ptes; i++) {
		if (g->page[i] == page) {
			*entry = i;
			return 0;
		}
	}
	if (g->nr_ptes == NR_PTES) {
		if (set_memslot(g, vm, false))
			return -1;
		memset(page_table(g, FIRST_PT), 0, NR_PTS * GMEM_PAGE_SIZE);
		build_page_tables(g);
		if (set_memslot(g, vm, true))
			return -1;
	}
	i = g->nr_ptes++;
	*entry = i;
	g->page[i] = page;
	page_table(g, FIRST_PT)[i * APART] = page * GMEM_PAGE_SIZE | PTE_FLAGS;
	return 0;
}

static int set_registers(const struct guest *g, const struct gmem_call *c, unsigned int entry)
{
	bool store = c->verb == GMEM_GUEST_STORE;
	unsigned int stub = width_number(c->size) + (store ? 4 : 0);
	struct kvm_regs regs = {
		.rip = VA_BASE + stub * STUB_SIZE,
		.rdi = VA_ACCESS + entry * APART * GMEM_PAGE_SIZE + (c->gpa & (GMEM_PAGE_SIZE - 1)),
		.rsi = VA_DOORBELL,
		.rax = store ? c->value : 0,
		.rflags = 0x202,
	};

	return ioctl(g->vcpu, KVM_SET_REGS, &regs);
}

static int ask_registers(const struct guest *g)
{
	struct kvm_regs regs;

	return ioctl(g->vcpu, KVM_GET_REGS, &regs);
}

/* The exit's own part of the vCPU's mapping. */
static void answer_memory_fault(const struct guest *g, struct gmem_result *r, int err)
{
	struct memory_fault fault;

	memcpy(&fault, (const char *)g->run + offsetof(struct kvm_run, mmio), sizeof(fault));
	r->outcome = GMEM_MEMORY_FAULT;
	r->value = -err;
	r->gpa = fault.gpa;
	r->exit_size = fault.size;
	r->exit_flags = fault.flags;
}

/* Whatever the instruction still waits for is given to it, without running the guest. */
static void answer_mmio(const struct guest *g, struct gmem_result *r)
{
	r->outcome = GMEM_MMIO;
	r->gpa = g->run->mmio.phys_addr;
	r->exit_size = g->run->mmio.len;
	r->exit_flags = g->run->mmio.is_write;
	memset(g->run->mmio.data, 0, sizeof(g->run->mmio.data));
	g->run->immediate_exit = 1;
	ioctl(g->vcpu, KVM_RUN, 0);
	g->run->immediate_exit = 0;
}

static enum backend_status answer_exit(struct far *f, const struct guest *g,
				       const struct gmem_call *c, struct gmem_result *r)
{
	uint64_t loaded;

	switch (g->run->exit_reason) {
	case KVM_EXIT_MMIO:
		if (g->run->mmio.phys_addr != g->gpa + DOORBELL * GMEM_PAGE_SIZE) {
			answer_mmio(g, r);
			return BACKEND_DONE;
		}
		memcpy(&loaded, g->run->mmio.data, sizeof(loaded));
		r->value = c->verb == GMEM_GUEST_LOAD ? (int64_t)loaded : 0;
		return BACKEND_DONE;
	case EXIT_MEMORY_FAULT:
		answer_memory_fault(g, r, 0);
		return BACKEND_DONE;
	default:
		return far_fail(f, "the guest stopped for a reason that is not known here: exit %u",
				g->run->exit_reason);
	}
}

static enum backend_status run_guest(struct far *f, const struct guest *g,
				     const struct gmem_call *c, struct gmem_result *r)
{
	int err;

	do {
		g->run->exit_reason = NO_EXIT;
		err = ioctl(g->vcpu, KVM_RUN, 0) ? errno : 0;
	} while (err == EINTR);
	if (!err)
		return answer_exit(f, g, c, r);
	if (g->run->exit_reason == EXIT_MEMORY_FAULT)
		answer_memory_fault(g, r, err);
	else
		r->value = -err;
	return BACKEND_DONE;
}

static enum backend_status guest_access(struct far *f, struct guest *g, const struct gmem_call *c,
					struct gmem_result *r)
{
	unsigned int entry;

	/* Page tables are shared with forked processes: first see that this one is answered. */
	if (ask_registers(g) || find_pte(g, far_fd(f, c->fd), c->gpa / GMEM_PAGE_SIZE, &entry) ||
	    set_registers(g, c, entry))
		return far_answer(r, -1);
	return run_guest(f, g, c, r);
}
#else
/* Never reached: far.facts.cpuid is null. */
static int make_guest(struct far *f, struct guest *g, int vm)
{
	(void)f;
	(void)g;
	return vm < 0 ? vm : -1;
}

static enum backend_status guest_access(struct far *f, struct guest *g, const struct gmem_call *c,
					struct gmem_result *r)
{
	(void)g;
	(void)c;
	(void)r;
	return far_refuse(f, "only guests of x86-64 can be run");
}
#endif

/*
 * Gives o a guest. *answered is set where the call has got its answer from that, as a process
 * that did not make the VM gets one.
 */
static enum backend_status need_guest(struct far *f, struct object *o, const struct gmem_call *c,
				      struct gmem_result *r, bool *answered)
{
	int err;

	if (o->guest)
		return BACKEND_DONE;
	if (!f->facts->cpuid || !f->facts->gpa_bits)
		return far_refuse(f, "only vCPUs of x86-64 are known here");
	if (o->vm_type > GMEM_VM_SW_PROTECTED)
		return far_refuse(f, "a guest of this VM type has to be launched by its firmware");
	o->guest = calloc(1, sizeof(*o->guest));
	if (!o->guest)
		return far_fail(f, "no memory");
	o->guest->vcpu = -1;
	if (!make_guest(f, o->guest, far_fd(f, c->fd)))
		return BACKEND_DONE;
	err = errno;
	far_guest_free(f, o->guest);
	o->guest = NULL;
	if (err != EIO)
		return far_refuse(f, "no vCPU of the back end's own can be made: %s",
				  strerror(err));
	*answered = true;
	r->value = -EIO;
	return BACKEND_DONE;
}

/* The answer to a call on a descriptor that is no VM's: whatever it is, it has no such ioctl. */
static enum backend_status no_vm(struct far *f, const struct gmem_call *c, struct gmem_result *r)
{
	return far_answer(r, ioctl(far_fd(f, c->fd), KVM_RUN, 0));
}

static const char *why_not(const struct far *f, const struct gmem_call *c)
{
	if (!c->size || c->size > 8 || (c->size & (c->size - 1)))
		return "no such width of a load or store";
	if ((c->gpa & (GMEM_PAGE_SIZE - 1)) + c->size > GMEM_PAGE_SIZE)
		return "a guest's access that crosses a page is done in parts, one of them perhaps "
		       "by emulation";
	if (f->facts->gpa_bits && c->gpa >> f->facts->gpa_bits)
		return "no vCPU reaches that guest physical address";
	return NULL;
}

enum backend_status far_guest_access(struct far *f, const struct gmem_call *c,
				     struct gmem_result *r)
{
	struct object *o = far_object(f, c->fd);
	const char *why = why_not(f, c);
	enum backend_status status;
	bool answered = false;

	if (!o || !o->is_vm)
		return no_vm(f, c, r);
	if (why)
		return far_refuse(f, "%s", why);
	status = need_guest(f, o, c, r, &answered);
	if (status != BACKEND_DONE || answered)
		return status;
	if (far_guest_needs(o->guest, -1, c->gpa, c->size))
		return far_refuse(f, "the back end's own vCPU needs that guest physical address");
	return guest_access(f, o->guest, c, r);
}

static long prefault(struct far *f, const struct guest *g, struct prefault *arg,
		     const struct gmem_call *c, bool *made)
{
	const long args[4] = { g->vcpu, (long)PRE_FAULT_MEMORY, c->argp ? -1L : (long)arg };

	if (f->signal_next)
		return far_syscall_with_signal(f, made, SYS_ioctl, args);
	return syscall(SYS_ioctl, args[0], args[1], args[2]);
}

enum backend_status far_pre_fault(struct far *f, const struct gmem_call *c, struct gmem_result *r)
{
	struct prefault arg = { .gpa = c->gpa, .size = c->size, .flags = c->flags };
	struct object *o = far_object(f, c->fd);
	bool answered = false, made = true;
	enum backend_status status;
	long value;

	if (!o || !o->is_vm)
		return no_vm(f, c, r);
	status = need_guest(f, o, c, r, &answered);
	if (status != BACKEND_DONE || answered)
		return status;
	value = prefault(f, o->guest, &arg, c, &made);
	if (!made)
		return far_refuse(f, "no signal can be sent in time: ptrace is not allowed");
	r->out = arg.size;
	return far_answer(r, value);
}
