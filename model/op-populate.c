/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages made ready before the guest asks: kvm_gmem_populate(), which copies the first contents
 * in, and KVM_PRE_FAULT_MEMORY, which only maps.
 *
 * There is no ioctl of populate's own: SNP_LAUNCH_UPDATE and TDX_INIT_MEM_REGION call it. Unlike
 * the kernel, a guest here is never finalised, so both may be used at any time.
 */
#include "ops.h"
#include "profile.h"

static struct gmem_vm *vm_of(struct gmem_run *run)
{
	return VM(run->b, run->t->vm);
}

static struct gmem_slot *slot_of(struct gmem_run *run)
{
	return SLOT(run->b, run->t->slot);
}

static bool guest_is_populated_by_firmware(struct gmem_run *run)
{
	return vm_of(run)->type == GMEM_VM_SNP || vm_of(run)->type == GMEM_VM_TDX;
}

static bool range_and_source_are_aligned(struct gmem_run *run)
{
	const struct gmem_call *c = run->c;

	return PAGE_ALIGNED(c->gpa) && PAGE_ALIGNED(c->size) && PAGE_ALIGNED(c->addr) && c->size &&
	       c->gpa + c->size > c->gpa;
}

static bool slot_has_gmem(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->gfn = PAGES(run->c->gpa);
	t->done = 0;
	t->slot = gmem_slot_by_gfn(run->b, vm_of(run), t->gfn);
	return t->slot && (slot_of(run)->flags & GMEM_MEM_GUEST_MEMFD);
}

/* The range is cut off where the memslot ends. */
static bool file_is_open(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	const struct gmem_slot *s = slot_of(run);
	uint64_t end = t->gfn + PAGES(run->c->size);

	t->gfn_end = end < s->gfn + s->npages ? end : s->gfn + s->npages;
	t->file = s->file;
	if (!t->file || !GFILE(run->b, t->file)->refs)
		return false;
	t->inode = GFILE(run->b, t->file)->inode;
	return true;
}

static bool next_page(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	if (t->gfn + t->done >= t->gfn_end)
		return false;
	t->inode = GFILE(run->b, t->file)->inode;
	t->start = slot_of(run)->pgoff + (t->gfn + t->done - slot_of(run)->gfn);
	t->page = PAGES(run->c->addr) + t->done;
	t->write = 0;
	return true;
}

static bool some_pages_are_done(struct gmem_run *run)
{
	return run->t->done != 0;
}

/* What was done counts, also when the next page could not be. */
static int return_pages_done(struct gmem_run *run)
{
	run->t->level[run->t->depth - 1].err = 0;
	run->res->value = (int64_t)run->t->done;
	return 0;
}

/* kvm_gmem_populate() */
const struct gmem_step gmem_op_populate[] = {
	IOCTL_OF_A_VM,
	CHECK(guest_is_populated_by_firmware, POPULATE_1, ENOTTY),
	CHECK(range_and_source_are_aligned, POPULATE_2, EINVAL),
	LOCK(SLOTS_LOCK, WRITE, POPULATE_3),
	CHECK(slot_has_gmem, POPULATE_4, EINVAL, .to = L_UNLOCK_OUTER),
	CHECK(file_is_open, POPULATE_5, EFAULT, .to = L_UNLOCK_OUTER),
	LOCK(INVALIDATE_LOCK, WRITE, POPULATE_3),
	CALL_EACH(next_page, T_POPULATE_PAGE, POPULATE_6, .to = L_UNLOCK),
	UNLOCK(INVALIDATE_LOCK, .at = L_UNLOCK),
	UNLOCK(SLOTS_LOCK, .at = L_UNLOCK_OUTER),
	ANSWER(return_pages_done, POPULATE_7, .when = some_pages_are_done),
	END,
};

static uint32_t folio(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	return gmem_folio(run->b, INODE(run->b, GFILE(run->b, t->file)->inode), t->start);
}

static bool there_is_no_folio(struct gmem_run *run)
{
	return !folio(run);
}

static bool no_signal_is_pending(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	return t->inject != GMEM_INJECT_SIGNAL || t->inject_after != t->done;
}

static int get_folio(struct gmem_run *run)
{
	if (there_is_no_folio(run))
		gmem_folio_set(run->b, INODE(run->b, run->t->inode), run->t->start, FOLIO_PRESENT);
	return 0;
}

static bool folio_is_not_poisoned(struct gmem_run *run)
{
	return !(folio(run) & FOLIO_POISONED);
}

static bool folio_is_not_uptodate(struct gmem_run *run)
{
	return !(folio(run) & FOLIO_UPTODATE);
}

static bool page_is_private(struct gmem_run *run)
{
	return gmem_range_get(run->b, vm_of(run)->attributes, run->t->gfn + run->t->done) &
	       GMEM_ATTRIBUTE_PRIVATE;
}

static bool there_is_a_source(struct gmem_run *run)
{
	return run->c->addr != 0;
}

static int copy_source(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	gmem_bytes_copy(run->b, GFILE(run->b, t->file)->inode, BYTES(t->start), t->inode,
			BYTES(t->pgoff), GMEM_PAGE_SIZE);
	return 0;
}

static int mark_uptodate(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	gmem_folio_set(run->b, INODE(run->b, GFILE(run->b, t->file)->inode), t->start,
		       FOLIO_PRESENT | FOLIO_UPTODATE);
	t->done++;
	return 0;
}

/* One page of kvm_gmem_populate(): takes t->start (page of the file), t->page (source) */
const struct gmem_step gmem_op_populate_page[] = {
	CHECK(no_signal_is_pending, POPULATE_8, EINTR),
	CHECK(no_memory_pressure, POPULATE_9, ENOMEM, .when = there_is_no_folio),
	DO(get_folio, POPULATE_6),
	CHECK(folio_is_not_poisoned, POPULATE_10, EHWPOISON),
	CHECK(folio_is_not_uptodate, POPULATE_11, EEXIST),
	CHECK(page_is_private, POPULATE_12, EINVAL),
	CALL(T_HOST_FAULT, POPULATE_13, .when = there_is_a_source, .err = -EFAULT),
	DO(copy_source, POPULATE_13, .when = there_is_a_source),
	DO(mark_uptodate, POPULATE_14),
	END,
};

static bool flags_are_zero(struct gmem_run *run)
{
	return !run->c->flags;
}

static bool prefault_range_is_valid(struct gmem_run *run)
{
	const struct gmem_call *c = run->c;

	return PAGE_ALIGNED(c->gpa) && PAGE_ALIGNED(c->size) && c->gpa + c->size > c->gpa;
}

static bool vcpu_ioctl_exists(struct gmem_run *run)
{
	return run->b->machine.arch == GMEM_X86_64 && run->b->profile->n.has_prefault;
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
	CHECK(tdp_is_enabled, PREFAULT_7, EOPNOTSUPP),
	CALL(T_GUEST_FAULT, PREFAULT_5, .to = L_EXIT),
	CHECK(page_is_memory, PREFAULT_6, ENOENT),
	DO(count_page, PREFAULT_5),
	DO(forget_exit, PREFAULT_5, .when = has_failed, .at = L_EXIT),
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
	CALL_EACH(next_gfn, T_PRE_FAULT_PAGE, PREFAULT_5, .to = L_END),
	ANSWER(return_what_is_left, PREFAULT_8, .when = some_pages_are_mapped, .at = L_END),
	END,
};
