/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KVM_PRE_FAULT_MEMORY: pages that are mapped for the guest before it asks.
 */
#include "ops.h"
#include "profile.h"

static bool prefault_range_is_valid(struct gmem_run *run)
{
	const struct gmem_call *c = run->c;

	return PAGE_ALIGNED(c->gpa) && PAGE_ALIGNED(c->size) && c->gpa + c->size > c->gpa;
}

static bool vcpu_ioctl_exists(struct gmem_run *run)
{
	return run->b->machine.arch == GMEM_X86_64 && run->b->profile->n.has_prefault;
}

/* kvm->arch.pre_fault_allowed */
static bool launch_has_ended(struct gmem_run *run)
{
	return vm_of(run)->launched;
}

static bool gfn_is_no_alias(struct gmem_run *run)
{
	return !gmem_is_gfn_alias(vm_of(run), run->t->gfn);
}

static bool tdp_is_enabled(struct gmem_run *run)
{
	return run->b->machine.tdp;
}

static int begin_prefault(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->gfn = PAGES(run->c->gpa);
	t->gfn_end = t->gfn + PAGES(run->c->size);
	t->hole = 0;
	t->write = 0;
	t->mmio = 0;
	t->slot = 0;
	run->res->out = run->c->size;
	return 0;
}

static bool next_gfn(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->gfn += t->hole;
	t->hole = 1;
	return t->gfn < t->gfn_end;
}

static bool some_pages_are_mapped(struct gmem_run *run)
{
	return run->res->out != run->c->size;
}

/* What is left is in the structure; the error that ended it is forgotten. */
static int return_what_is_left(struct gmem_run *run)
{
	run->t->level[run->t->depth - 1].err = 0;
	run->res->outcome = GMEM_VALUE;
	return return_zero(run);
}

static bool page_is_memory(struct gmem_run *run)
{
	return !run->t->mmio;
}

static int count_page(struct gmem_run *run)
{
	run->res->out -= GMEM_PAGE_SIZE;
	return 0;
}

/* A page that has failed raises a signal, and that is what ends the call. */
static int forget_exit(struct gmem_run *run)
{
	struct gmem_level *l = &run->t->level[run->t->depth - 1];
	struct gmem_result *r = run->res;

	if (l->err == -FAULT_SIGBUS)
		l->err = -EINTR;
	r->outcome = GMEM_VALUE;
	r->gpa = r->exit_size = r->exit_flags = 0;
	return 0;
}

static bool no_signal_is_pending_now(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	return t->inject != GMEM_INJECT_SIGNAL || t->inject_after != t->gfn - PAGES(run->c->gpa);
}

/* One page: kvm_arch_vcpu_pre_fault_memory(); it never leaves an exit behind */
const struct gmem_step gmem_op_pre_fault_page[] = {
	CHECK(no_signal_is_pending_now, PREFAULT_4, EINTR),
	CHECK(launch_has_ended, PREFAULT_9, EOPNOTSUPP, WHEN(guest_is_populated_by_firmware)),
	CHECK(gfn_is_no_alias, PREFAULT_10, EINVAL),
	CHECK(tdp_is_enabled, PREFAULT_7, EOPNOTSUPP),
	CALL(T_GUEST_FAULT, PREFAULT_5, .to = L_EXIT),
	CHECK(page_is_memory, PREFAULT_6, ENOENT),
	DO(count_page, PREFAULT_5),
	DO(forget_exit, PREFAULT_5, WHEN(has_failed), .at = L_EXIT),
	END,
};

/* kvm_vcpu_pre_fault_memory() */
const struct gmem_step gmem_op_pre_fault_memory[] = {
	IOCTL_OF_A_VM,
	CHECK(vcpu_ioctl_exists, PREFAULT_1, EINVAL),
	CHECK(argp_is_readable, PREFAULT_2, EFAULT),
	CHECK(flags_are_zero, PREFAULT_3, EINVAL),
	CHECK(prefault_range_is_valid, PREFAULT_3, EINVAL),
	DO(begin_prefault, PREFAULT_5),
	LOCK(SRCU, READ, PREFAULT_5),
	CALL_EACH(next_gfn, T_PRE_FAULT_PAGE, PREFAULT_5, .to = L_UNLOCK),
	UNLOCK(SRCU, .at = L_UNLOCK),
	DELAYED_FPUT,
	ANSWER(return_what_is_left, PREFAULT_8, WHEN(some_pages_are_mapped)),
	END,
};
