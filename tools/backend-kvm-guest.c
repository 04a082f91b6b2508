/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loads and stores by a guest, for the far side of backend-kvm.c.
 *
 * A VM gets a vCPU (vcpu.h) when it first needs one. Its memory and the doorbell lie in the middle
 * of the guest physical addresses that can be reached: those below far.facts.gpa_bits.
 *
 * Every guest page accessed has a page table entry of its own, as a vCPU need not notice when
 * the host rewrites one that it used. When all are taken, the memslot is deleted and made anew,
 * which makes KVM forget everything it derived from them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/kvm.h>

#include "backend-kvm.h"
#include "vcpu.h"

#define EXIT_MEMORY_FAULT 39
#define NO_EXIT 0xffff

#define NR_OWN_SLOTS 24u
#define NR_PLACES 4u

struct guest {
	struct vcpu vcpu;
	unsigned int nr_ptes;
	uint64_t page[VCPU_NR_PTES]; /* the guest page that each used entry is for */
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
	uint64_t end = g->vcpu.gpa + (VCPU_NR_PAGES + 1) * GMEM_PAGE_SIZE;

	return slot == g->vcpu.slot || (gpa < end && gpa + size > g->vcpu.gpa);
}

void far_guest_free(struct guest *g)
{
	vcpu_free(&g->vcpu);
	free(g);
}

/* The caller may have taken some ids and addresses; not all of them. */
static int add_memslot(struct far *f, struct vcpu *v, int vm)
{
	uint64_t middle = UINT64_C(1) << (f->facts->gpa_bits - 1);
	unsigned int i;

	for (i = 0; i < NR_PLACES * NR_OWN_SLOTS; i++) {
		v->slot = f->facts->nr_slots - NR_OWN_SLOTS + i / NR_PLACES;
		v->gpa = middle + i % NR_PLACES * (middle >> 3);
		if (!vcpu_set_memslot(v, vm, true))
			return 0;
		if (errno != EINVAL && errno != EEXIST)
			return -1;
	}
	return -1;
}

static int make_guest(struct far *f, struct guest *g, int vm)
{
	struct vcpu *v = &g->vcpu;
	int fd, r;

	if (vcpu_make_memory(v) || add_memslot(f, v, vm))
		return -1;
	far_unlimit(f, true);
	fd = far_own_fd(f, ioctl(vm, KVM_CREATE_VCPU, 0));
	r = vcpu_take(v, fd, f->facts->run_size, f->facts->cpuid);
	far_unlimit(f, false);
	return r;
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
	if (g->nr_ptes == VCPU_NR_PTES) {
		if (vcpu_set_memslot(&g->vcpu, vm, false))
			return -1;
		vcpu_unmap_all(&g->vcpu);
		g->nr_ptes = 0;
		if (vcpu_set_memslot(&g->vcpu, vm, true))
			return -1;
	}
	i = g->nr_ptes++;
	*entry = i;
	g->page[i] = page;
	vcpu_map(&g->vcpu, i, page);
	return 0;
}

static int ask_registers(const struct guest *g)
{
	struct kvm_regs regs;

	return ioctl(g->vcpu.fd, KVM_GET_REGS, &regs);
}

/* The exit's own part of the vCPU's mapping. */
static void answer_memory_fault(const struct guest *g, struct gmem_result *r, int err)
{
	struct memory_fault fault;

	memcpy(&fault, (const char *)g->vcpu.run + offsetof(struct kvm_run, mmio), sizeof(fault));
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
	r->gpa = g->vcpu.run->mmio.phys_addr;
	r->exit_size = g->vcpu.run->mmio.len;
	r->exit_flags = g->vcpu.run->mmio.is_write;
	memset(g->vcpu.run->mmio.data, 0, sizeof(g->vcpu.run->mmio.data));
	g->vcpu.run->immediate_exit = 1;
	ioctl(g->vcpu.fd, KVM_RUN, 0);
	g->vcpu.run->immediate_exit = 0;
}

static enum backend_status answer_exit(struct far *f, const struct guest *g,
				       const struct gmem_call *c, struct gmem_result *r)
{
	uint64_t loaded;

	switch (g->vcpu.run->exit_reason) {
	case KVM_EXIT_MMIO:
		if (!vcpu_rang(&g->vcpu)) {
			answer_mmio(g, r);
			return BACKEND_DONE;
		}
		memcpy(&loaded, g->vcpu.run->mmio.data, sizeof(loaded));
		if (c->verb == GMEM_GUEST_LOAD)
			result_load(r, loaded);
		return BACKEND_DONE;
	case EXIT_MEMORY_FAULT:
		answer_memory_fault(g, r, 0);
		return BACKEND_DONE;
	default:
		return far_fail(f, "the guest stopped for a reason that is not known here: exit %u",
				g->vcpu.run->exit_reason);
	}
}

static enum backend_status run_guest(struct far *f, const struct guest *g,
				     const struct gmem_call *c, struct gmem_result *r)
{
	int err;

	do {
		g->vcpu.run->exit_reason = NO_EXIT;
		err = ioctl(g->vcpu.fd, KVM_RUN, 0) ? errno : 0;
	} while (err == EINTR);
	if (!err)
		return answer_exit(f, g, c, r);
	if (g->vcpu.run->exit_reason == EXIT_MEMORY_FAULT)
		answer_memory_fault(g, r, err);
	else
		r->value = -err;
	return BACKEND_DONE;
}

static enum backend_status guest_access(struct far *f, struct guest *g, const struct gmem_call *c,
					struct gmem_result *r)
{
	struct vcpu_access a = { .offset = c->gpa & (GMEM_PAGE_SIZE - 1),
				 .size = (unsigned int)c->size,
				 .store = c->verb == GMEM_GUEST_STORE,
				 .value = c->value };

	/* Page tables are shared with forked processes: first see that this one is answered. */
	if (ask_registers(g) || find_pte(g, far_fd(f, c->fd), c->gpa / GMEM_PAGE_SIZE, &a.entry) ||
	    vcpu_prepare(&g->vcpu, &a))
		return far_answer(r, -1);
	return run_guest(f, g, c, r);
}

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
	o->guest->vcpu = VCPU_NONE;
	if (!make_guest(f, o->guest, far_fd(f, c->fd)))
		return BACKEND_DONE;
	err = errno;
	far_guest_free(o->guest);
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
	const long args[4] = { g->vcpu.fd, (long)PRE_FAULT_MEMORY, c->argp ? -1L : (long)arg };

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
