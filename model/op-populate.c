/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages made ready before the guest asks: kvm_gmem_populate(), which copies the first contents in.
 *
 * There is no ioctl of populate's own: SNP_LAUNCH_UPDATE and TDX_INIT_MEM_REGION call it. Unlike
 * the kernel, a guest here may be populated after its launch has ended, too.
 */
#include "bugs.h"
#include "convert.h"
#include "ops.h"
#include "profile.h"

static bool range_and_source_are_aligned(struct gmem_run *run)
{
	const struct gmem_call *c = run->c;

	return PAGE_ALIGNED(c->gpa) && PAGE_ALIGNED(c->size) && PAGE_ALIGNED(c->addr) && c->size &&
	       c->gpa + c->size > c->gpa;
}

static bool find_slot_with_gmem(struct gmem_run *run)
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
	t->end = t->start + 1;
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
	CHECK(find_slot_with_gmem, POPULATE_4, EINVAL, .to = L_UNLOCK_OUTER),
	CHECK(file_is_open, POPULATE_5, EFAULT, .to = L_UNLOCK_OUTER),
	LOCK(INVALIDATE_LOCK, WRITE, POPULATE_3),
	CALL_EACH(next_page, T_POPULATE_PAGE, POPULATE_6, .to = L_UNLOCK),
	UNLOCK(INVALIDATE_LOCK, .at = L_UNLOCK),
	UNLOCK(SLOTS_LOCK, .at = L_UNLOCK_OUTER),
	ANSWER(return_pages_done, POPULATE_7, WHEN(some_pages_are_done)),
	END,
};

static uint32_t folio_to_populate(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	return gmem_folio(run->b, INODE(run->b, GFILE(run->b, t->file)->inode), t->start);
}

static bool there_is_no_folio_to_populate(struct gmem_run *run)
{
	return !folio_to_populate(run);
}

static bool no_signal_is_pending(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	return t->inject != GMEM_INJECT_SIGNAL || t->inject_after != t->done;
}

static int get_folio_to_populate(struct gmem_run *run)
{
	struct gmem_inode *inode = INODE(run->b, run->t->inode);

	if (!gmem_folio(run->b, inode, run->t->start))
		gmem_add_folios(run->b, inode, run->t->start, run->t->start + 1, FOLIO_PRESENT);
	return 0;
}

static bool folio_to_populate_is_not_poisoned(struct gmem_run *run)
{
	return !(folio_to_populate(run) & FOLIO_POISONED);
}

static bool folio_to_populate_is_not_uptodate(struct gmem_run *run)
{
	return !(folio_to_populate(run) & FOLIO_UPTODATE);
}

static bool page_to_populate_is_private(struct gmem_run *run)
{
	return gmem_is_private_gfn(run->b, run->t->vm, run->t->gfn + run->t->done);
}

static bool there_is_a_source(struct gmem_run *run)
{
	return run->c->addr != 0;
}

static int copy_source(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	uint32_t from = t->inode;

	t->inode = GFILE(run->b, t->file)->inode;
	gmem_bytes_copy(run->b, t->inode, BYTES(t->start), from, BYTES(t->pgoff), GMEM_PAGE_SIZE);
	return 0;
}

/* What the page is already it stays: it may have failed since it was looked at. */
static void set_flags(struct gmem_run *run, uint32_t flags)
{
	struct gmem_task *t = run->t;

	t->inode = GFILE(run->b, t->file)->inode;
	gmem_add_folios(run->b, INODE(run->b, t->inode), t->start, t->start + 1,
			folio_to_populate(run) | FOLIO_PRESENT | flags);
}

static int mark_uptodate(struct gmem_run *run)
{
	set_flags(run, FOLIO_UPTODATE);
	run->t->done++;
	return 0;
}

/* One page of kvm_gmem_populate(): takes t->start (page of the file), t->page (source) */
const struct gmem_step gmem_op_populate_page[] = {
	CHECK(no_signal_is_pending, POPULATE_8, EINTR),
	CHECK(no_memory_pressure, POPULATE_9, ENOMEM, WHEN(there_is_no_folio_to_populate)),
	DO(get_folio_to_populate, POPULATE_6),
	CHECK(folio_to_populate_is_not_poisoned, POPULATE_10, EHWPOISON),
	CHECK(folio_to_populate_is_not_uptodate, POPULATE_11, EEXIST),
	CHECK(page_to_populate_is_private, POPULATE_12, EINVAL),
	CALL(T_HOST_FAULT, POPULATE_13, WHEN(there_is_a_source), .err = -EFAULT),
	DO(copy_source, POPULATE_13, WHEN(there_is_a_source)),
	DO(mark_uptodate, POPULATE_14),
	END,
};

/* Museum B33: -EEXIST is a pointer that is not null, and is used as one. */
static bool folio_is_not_null(struct gmem_run *run)
{
	if (!folio_to_populate_is_not_uptodate(run))
		gmem_violate(run->w, "I15", "an error is taken for a folio: page", run->t->start,
			     0);
	return true;
}

const struct gmem_edit gmem_bug_b33[] = {
	REPLACE_ROW(T_POPULATE_PAGE, "folio_to_populate_is_not_uptodate", 0,
		    CHECK(folio_is_not_null, POPULATE_11, EEXIST, .to = L_UNLOCK)),
	{ 0 },
};

static int use_folio(struct gmem_run *run)
{
	set_flags(run, FOLIO_UPTODATE);
	return 0;
}

static int count_populated(struct gmem_run *run)
{
	run->t->done++;
	return 0;
}

/* Museum B34: a page counts as populated before it is. */
const struct gmem_edit gmem_bug_b34[] = {
	INSERT_ROW(T_POPULATE_PAGE, "page_to_populate_is_private", 0, DO(use_folio, POPULATE_14)),
	REPLACE_ROW(T_POPULATE_PAGE, "mark_uptodate", 0, DO(count_populated, POPULATE_14)),
	{ 0 },
};

/* ---- in-place conversion: the lock is taken page by page, and the source looked up before ---- */

/* kvm_gmem_populate() */
const struct gmem_step gmem_op_populate_coco[] = {
	IOCTL_OF_A_VM,
	CHECK(guest_is_populated_by_firmware, POPULATE_1, ENOTTY),
	CHECK(range_and_source_are_aligned, POPULATE_2, EINVAL),
	LOCK(SLOTS_LOCK, WRITE, POPULATE_3),
	CHECK(find_slot_with_gmem, POPULATE_4, EINVAL, .to = L_UNLOCK_OUTER),
	CHECK(file_is_open, POPULATE_5, EFAULT, .to = L_UNLOCK_OUTER),
	CALL_EACH(next_page, T_POPULATE_PAGE, POPULATE_6, .to = L_UNLOCK_OUTER),
	UNLOCK(SLOTS_LOCK, .at = L_UNLOCK_OUTER),
	ANSWER(return_pages_done, POPULATE_7, WHEN(some_pages_are_done)),
	END,
};

/* The source is the folio that the task holds. */
static int hold_source(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->folio_of = there_is_a_source(run) ? t->inode : 0;
	t->folio = t->pgoff;
	t->inode = GFILE(run->b, t->file)->inode;
	return 0;
}

static bool there_is_no_source(struct gmem_run *run)
{
	return !there_is_a_source(run);
}

static bool pages_are_populated_in_place(struct gmem_run *run)
{
	return gmem_file_attributes_are_on(run->b);
}

static bool pages_are_populated_in_place_or_not_tdx(struct gmem_run *run)
{
	return pages_are_populated_in_place(run) || vm_of(run)->type != GMEM_VM_TDX;
}

static int copy_held_source(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	gmem_bytes_copy(run->b, t->inode, BYTES(t->start), t->folio_of, BYTES(t->folio),
			GMEM_PAGE_SIZE);
	return 0;
}

/* What was written while the page was shared is what the guest begins with. */
static int keep_contents(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	gmem_range_set(run->b, &INODE(run->b, t->inode)->open_bytes, BYTES(t->start),
		       BYTES(t->start + 1), 0);
	return 0;
}

static bool guest_is_snp(struct gmem_run *run)
{
	return vm_of(run)->type == GMEM_VM_SNP;
}

/* The reverse map says whose it is. */
static bool page_is_not_assigned(struct gmem_run *run)
{
	return !(folio_to_populate(run) & FOLIO_ASSIGNED);
}

static int assign_page(struct gmem_run *run)
{
	set_flags(run, FOLIO_UPTODATE | FOLIO_ASSIGNED);
	return 0;
}

/*
 * One page of kvm_gmem_populate(), __kvm_gmem_populate(): from get_user_pages_fast() to put_page()
 */
const struct gmem_step gmem_op_populate_page_in_place[] = {
	CHECK(no_signal_is_pending, POPULATE_8, EINTR),
	CALL(T_HOST_FAULT, POPULATE_13, WHEN(there_is_a_source), .err = -EFAULT),
	DO(hold_source, POPULATE_15),
	LOCK(INVALIDATE_LOCK, WRITE, POPULATE_15),
	CHECK(no_memory_pressure, POPULATE_9, ENOMEM, WHEN(there_is_no_folio_to_populate),
	      .to = L_UNLOCK),
	DO(get_folio_to_populate, POPULATE_6),
	CHECK(folio_to_populate_is_not_poisoned, POPULATE_10, EHWPOISON, .to = L_UNLOCK),
	DO(use_folio, POPULATE_15),
	CHECK(page_to_populate_is_private, POPULATE_12, EINVAL, .to = L_UNLOCK),
	CHECK(pages_are_populated_in_place_or_not_tdx, POPULATE_16, EOPNOTSUPP,
	      WHEN(there_is_no_source), .to = L_UNLOCK),
	CHECK(pages_are_populated_in_place, POPULATE_16, EINVAL, WHEN(there_is_no_source),
	      .to = L_UNLOCK),
	CHECK(page_is_not_assigned, POPULATE_11, EEXIST, WHEN(guest_is_snp), .to = L_UNLOCK),
	DO(copy_held_source, POPULATE_13, WHEN(there_is_a_source)),
	DO(keep_contents, POPULATE_16, WHEN(there_is_no_source)),
	DO(assign_page, POPULATE_11, WHEN(guest_is_snp)),
	DO(count_populated, POPULATE_14),
	UNLOCK(INVALIDATE_LOCK, .at = L_UNLOCK),
	DO(put_folio, POPULATE_15),
	END,
};

static bool guest_is_not_tdx(struct gmem_run *run)
{
	return vm_of(run)->type != GMEM_VM_TDX;
}

/* Before the series looked up the source first: the lock is held for the lookup of the page. */
#define LOOK_UP_PAGE                                                                               \
	CHECK(no_signal_is_pending, POPULATE_8, EINTR), LOCK(INVALIDATE_LOCK, WRITE, POPULATE_3),  \
		CHECK(no_memory_pressure, POPULATE_9, ENOMEM, WHEN(there_is_no_folio_to_populate), \
		      .to = L_UNLOCK),                                                             \
		DO(get_folio_to_populate, POPULATE_6),                                             \
		CHECK(folio_to_populate_is_not_poisoned, POPULATE_10, EHWPOISON, .to = L_UNLOCK),  \
		UNLOCK(INVALIDATE_LOCK, .at = L_UNLOCK)

static int zero_page(struct gmem_run *run)
{
	gmem_zero_bytes(run->b, INODE(run->b, run->t->inode), run->t->start, run->t->start + 1);
	return 0;
}

/* hold_source(), by another name: museum B42 is about the one that comes before the lock. */
static int hold_source_page(struct gmem_run *run)
{
	return hold_source(run);
}

static bool folio_is_still_not_uptodate(struct gmem_run *run)
{
	return folio_to_populate_is_not_uptodate(run);
}

static bool page_is_still_private(struct gmem_run *run)
{
	return page_to_populate_is_private(run);
}

/* A fault of the source may need the lock; what was asked before it is asked again after it. */
#define FILL_PAGE(...)                                                                       \
	CHECK(page_to_populate_is_private, POPULATE_12, EINVAL),                             \
		CALL(T_HOST_FAULT, POPULATE_13, WHEN(there_is_a_source), .err = -EFAULT),    \
		DO(hold_source_page, POPULATE_13), LOCK(INVALIDATE_LOCK, WRITE, POPULATE_3), \
		CHECK(folio_is_still_not_uptodate, POPULATE_11, EEXIST, .to = L_EXIT,        \
		      __VA_ARGS__),                                                          \
		CHECK(page_is_still_private, POPULATE_12, EINVAL, .to = L_EXIT),             \
		DO(copy_held_source, POPULATE_13, WHEN(there_is_a_source)),                  \
		DO(zero_page, POPULATE_13, WHEN(there_is_no_source)),                        \
		DO(mark_uptodate, POPULATE_14), UNLOCK(INVALIDATE_LOCK, .at = L_EXIT),       \
		DO(put_folio, POPULATE_13)

static bool failed_in_lookup(struct gmem_run *run)
{
	return has_failed(run);
}

/* One page of kvm_gmem_populate() of rfc-shareability-v2: it is prepared once, but for TDX */
const struct gmem_step gmem_op_populate_page_shareability[] = {
	LOOK_UP_PAGE,
	DONE_IF(failed_in_lookup, POPULATE_6),
	CHECK(folio_to_populate_is_not_uptodate, POPULATE_11, EEXIST, WHEN(guest_is_not_tdx)),
	FILL_PAGE(WHEN(guest_is_not_tdx)),
	END,
};

/* One page of kvm_gmem_populate() of RFC v1 */
const struct gmem_step gmem_op_populate_page_rfc_v1[] = {
	LOOK_UP_PAGE,
	DONE_IF(failed_in_lookup, POPULATE_6),
	CHECK(folio_to_populate_is_not_uptodate, POPULATE_11, EEXIST),
	FILL_PAGE(),
	END,
};

/* Museum B42: the source is looked up under the lock that a fault of the source may need. */
const struct gmem_edit gmem_bug_b42[] = {
	DROP_ROW(T_POPULATE_PAGE, "call", 0),
	DROP_ROW(T_POPULATE_PAGE, "hold_source", 0),
	INSERT_ROW(T_POPULATE_PAGE, "no_memory_pressure", 0,
		   CALL(T_HOST_FAULT, POPULATE_13, WHEN(there_is_a_source), .err = -EFAULT,
			.to = L_UNLOCK)),
	INSERT_ROW(T_POPULATE_PAGE, "no_memory_pressure", 0, DO(hold_source, POPULATE_15)),
	{ 0 },
};
