/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's side: faults. Loads and stores through the page tables are in op-access.c; how entries
 * leave them is in zap.c.
 */
#include "bugs.h"
#include "convert.h"
#include "ops.h"
#include "profile.h"

struct gmem_vma *gmem_vma_at(struct gmem_block *b, struct gmem_process *p, uint64_t page)
{
	uint32_t idx = gmem_range_get(b, p->vmas, page);

	return idx ? VMA(b, idx) : NULL;
}

/* F_SEAL_AUTO_ALLOCATE: no fault allocates a page of the file. */
static bool faults_do_not_allocate(const struct gmem_run *run, const struct gmem_inode *inode)
{
	return inode->seals & run->b->profile->n.auto_allocate_seal;
}

/* The first of [pgoff, end) that is not there, or end. */
static uint64_t there_until(const struct gmem_run *run, const struct gmem_inode *inode,
			    uint64_t pgoff, uint64_t end)
{
	struct gmem_range r;

	while (pgoff < end && gmem_range_next_in(run->b, inode->folios, pgoff, end, &r) &&
	       r.start == pgoff)
		pgoff = r.end;
	return pgoff;
}

/*
 * Where what can be faulted in of [page, to) ends: there, with the file, with what is shared, or with
 * what is there and may not be allocated.
 */
static uint64_t reach_of(struct gmem_run *run, const struct gmem_vma *v, uint64_t page, uint64_t to)
{
	const struct gmem_inode *inode = INODE(run->b, v->inode);
	uint64_t pgoff = v->pgoff + (page - v->start), end = v->pgoff + (to - v->start);

	if (inode->kind != INODE_GMEM)
		return to;
	if (end > gmem_pages_of(inode->size))
		end = gmem_pages_of(inode->size);
	end = gmem_shared_until(run->b, inode, pgoff, end);
	if (faults_do_not_allocate(run, inode))
		end = there_until(run, inode, pgoff, end);
	return end > pgoff ? page + (end - pgoff) : page;
}

/* Makes pages of the inode used: present and zeroed once. Stops before a poisoned one. */
static uint64_t use_folios(struct gmem_run *run, struct gmem_inode *inode, uint64_t pgoff,
			   uint64_t end)
{
	struct gmem_range r;

	while (pgoff < end) {
		if (!gmem_range_next_in(run->b, inode->folios, pgoff, end, &r))
			r = (struct gmem_range){ pgoff, end, 0 };
		else if (r.start > pgoff)
			r = (struct gmem_range){ pgoff, r.start, 0 };
		if (r.value & FOLIO_POISONED)
			break;
		gmem_add_folios(run->b, inode, pgoff, r.end, FOLIO_PRESENT | FOLIO_UPTODATE);
		pgoff = r.end;
	}
	return pgoff;
}

/* The first poisoned entry of [page, end), or end. */
static uint64_t next_poisoned_entry(struct gmem_run *run, uint64_t page, uint64_t end)
{
	uint32_t ptes = gmem_process(run)->ptes;
	struct gmem_range r = { 0, page, 0 };

	while (gmem_range_next_in(run->b, ptes, r.end, end, &r))
		if (r.value & PTE_POISONED)
			return r.start;
	return end;
}

/*
 * The end of the pages from page on whose entries can be made at once; one that a write copies
 * comes alone, for it is told.
 */
static uint64_t next_copied_entry(struct gmem_run *run, uint64_t page, uint64_t end)
{
	uint32_t ptes = gmem_process(run)->ptes;
	struct gmem_range r = { 0, page, 0 };

	while (run->t->write && gmem_range_next_in(run->b, ptes, r.end, end, &r))
		if (r.value & PTE_COPY)
			return r.start > page ? r.start : page + 1;
	return end;
}

/* Private memory that is only read is the zero page, and its entry says so. */
static uint32_t new_entry(const struct gmem_inode *inode, bool write)
{
	return PTE_PRESENT | (gmem_is_private_memory(inode) && !write ? PTE_COPY : 0);
}

/* Entries that are there are as good as new ones, but for a write to one that is to be copied. */
static void make_entries(struct gmem_run *run, const struct gmem_inode *inode, uint64_t page,
			 uint64_t end)
{
	uint32_t *ptes = &gmem_process(run)->ptes;
	uint32_t entry = new_entry(inode, run->t->write);
	struct gmem_range r;

	if (!(entry & PTE_COPY)) {
		gmem_range_set(run->b, ptes, page, end, entry);
		return;
	}
	for (; page < end; page = r.end) {
		if (!gmem_range_next_in(run->b, *ptes, page, end, &r))
			r.start = r.end = end;
		gmem_range_set(run->b, ptes, page, r.start, entry);
	}
}

/* Touches [t->page, to) of one mapping: the first page that could not be had. */
static uint64_t touch(struct gmem_run *run, struct gmem_vma *v, uint64_t to)
{
	struct gmem_process *p = gmem_process(run);
	struct gmem_inode *inode = INODE(run->b, v->inode);
	struct gmem_task *t = run->t;
	uint64_t pgoff = v->pgoff + (t->page - v->start);
	uint64_t last = t->page + (use_folios(run, inode, pgoff, pgoff + (to - t->page)) - pgoff);

	if (gmem_range_get(run->b, p->ptes, t->page) & PTE_COPY && t->write) {
		t->owner = t->process;
		t->zap = t->page;
		t->zap_end = t->page + 1;
	}
	if (t->write && gmem_is_private_memory(inode))
		v->written = 1;
	make_entries(run, inode, t->page, last);
	return last;
}

/* Of the pages of t->inode from t->whole_start on: those from t->page on. */
static int touch_next_run(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	struct gmem_vma *v;
	uint64_t to;

	t->owner = 0;
	if (t->page >= t->end)
		return 0;
	v = gmem_vma_at(run->b, gmem_process(run), t->page);
	if (!v)
		return -ENOMEM;
	t->inode = v->inode;
	t->whole_start = v->pgoff + (t->page - v->start);
	t->whole_end = v->pgoff + ((v->end < t->end ? v->end : t->end) - v->start);
	if (!(v->prot & (t->write ? GMEM_PROT_WRITE : GMEM_PROT_READ)))
		return -EINVAL;
	to = next_poisoned_entry(run, t->page, v->end < t->end ? v->end : t->end);
	if (t->page == to)
		return -EHWPOISON;
	to = reach_of(run, v, t->page, to);
	if (t->page >= to)
		return -EFAULT;
	to = next_copied_entry(run, t->page, to);
	t->page = touch(run, v, to);
	return t->page < to ? -EHWPOISON : 0;
}

/* Sets t->inode: whose locks the next run is touched under. */
static bool touches_guest_memfd(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	const struct gmem_vma *v = gmem_vma_at(run->b, gmem_process(run), t->page);

	if (t->page >= t->end || !v || INODE(run->b, v->inode)->kind != INODE_GMEM)
		return false;
	t->inode = v->inode;
	return true;
}

static bool holds_folio_lock(struct gmem_run *run)
{
	return gmem_lock_is_held(run, FOLIO_LOCK);
}

static bool entry_was_replaced(struct gmem_run *run)
{
	return !has_failed(run) && run->t->owner != 0;
}

static bool range_is_not_touched(struct gmem_run *run)
{
	return !has_failed(run) && run->t->page < run->t->end;
}

/*
 * faultin_page_range(): touches every page of t->page to t->end, for writing if t->write; fails
 * with ENOMEM (a hole), EINVAL (its protection), EFAULT (SIGBUS) or EHWPOISON
 */
const struct gmem_step gmem_op_fault_in[] = {
	LOCK(FOLIO_LOCK, WRITE, HOST_13, WHEN(touches_guest_memfd), .at = L_AGAIN),
	DO(touch_next_run, HOST_13, .to = L_UNLOCK),
	UNLOCK(FOLIO_LOCK, WHEN(holds_folio_lock), .at = L_UNLOCK),
	CALL(T_NOTIFY, NOTIFY_7, WHEN(entry_was_replaced)),
	RETRY_IF(range_is_not_touched, HOST_13, .to = L_AGAIN),
	END,
};

/*
 * faultin_page_range() where pages convert: whether they are shared is asked under the invalidate
 * lock
 */
const struct gmem_step gmem_op_fault_in_locked[] = {
	LOCK(INVALIDATE_LOCK, READ, HOST_14, WHEN(touches_guest_memfd), .at = L_AGAIN),
	LOCK(FOLIO_LOCK, WRITE, HOST_13, WHEN(touches_guest_memfd)),
	DO(touch_next_run, HOST_13, .to = L_UNLOCK),
	UNLOCK(FOLIO_LOCK, WHEN(holds_folio_lock), .at = L_UNLOCK),
	UNLOCK(INVALIDATE_LOCK, WHEN(holds_invalidate_lock)),
	CALL(T_NOTIFY, NOTIFY_7, WHEN(entry_was_replaced)),
	RETRY_IF(range_is_not_touched, HOST_13, .to = L_AGAIN),
	END,
};

/* Below: a fault of t->page by the task's process; sets t->vma, t->inode, t->pgoff. */

static bool address_is_mapped(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	const struct gmem_vma *v;

	t->vma = gmem_range_get(run->b, gmem_process(run)->vmas, t->page);
	if (!t->vma)
		return false;
	v = VMA(run->b, t->vma);
	t->inode = v->inode;
	t->pgoff = v->pgoff + (t->page - v->start);
	return true;
}

/* On x86 what can be written can be read. */
static bool protection_allows(struct gmem_run *run)
{
	uint32_t prot = VMA(run->b, run->t->vma)->prot;

	return run->t->write ? prot & GMEM_PROT_WRITE : prot != 0;
}

static uint32_t pte(struct gmem_run *run)
{
	return gmem_range_get(run->b, gmem_process(run)->ptes, run->t->page);
}

static bool entry_is_not_poisoned(struct gmem_run *run)
{
	return !(pte(run) & PTE_POISONED);
}

static bool entry_allows(struct gmem_run *run)
{
	return (pte(run) & PTE_PRESENT) && !(run->t->write && (pte(run) & PTE_COPY));
}

static bool page_is_in_file(struct gmem_run *run)
{
	return run->t->pgoff < gmem_pages_of(INODE(run->b, run->t->inode)->size);
}

static bool memory_is_shared(struct gmem_run *run)
{
	return gmem_is_shared(run->b, INODE(run->b, run->t->inode), run->t->pgoff);
}

/* kvm_gmem_get_folio(): finds the page, or allocates it, and then it is not zeroed yet */
static int get_folio(struct gmem_run *run)
{
	const struct gmem_task *t = run->t;

	if (!gmem_folio(run->b, inode_of(run), t->pgoff))
		gmem_add_folios(run->b, inode_of(run), t->pgoff, t->pgoff + 1, FOLIO_PRESENT);
	return 0;
}

/* clear_highpage(), folio_mark_uptodate(): when it is used for the first time */
static int zero_folio(struct gmem_run *run)
{
	const struct gmem_task *t = run->t;

	gmem_mark_folios(run->b, inode_of(run), t->pgoff, t->pgoff + 1, FOLIO_UPTODATE, 0);
	return 0;
}

/* wp_page_copy(): the entry that a read or a fork left is of another page */
static bool write_finds_another_page(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->owner = t->process;
	t->zap = t->page;
	t->zap_end = t->page + 1;
	return t->write && (pte(run) & PTE_COPY);
}

static int map_page(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	const struct gmem_inode *inode = INODE(run->b, t->inode);

	gmem_range_set(run->b, &gmem_process(run)->ptes, t->page, t->page + 1,
		       new_entry(inode, t->write));
	if (t->write && gmem_is_private_memory(inode))
		VMA(run->b, t->vma)->written = 1;
	return 0;
}

static bool memory_is_anonymous(struct gmem_run *run)
{
	return !inode_is_guest_memfd(run);
}

/* do_anonymous_page(), shmem_fault(): until it is mapped nobody else can see the page, or drop it. */
static int finish_fault(struct gmem_run *run)
{
	return get_folio(run) || zero_folio(run) || map_page(run);
}

/* What needs no fault: the entry is there, and allows it. */
bool processor_finds_page(struct gmem_run *run)
{
	return entry_allows(run) && address_is_mapped(run) && protection_allows(run);
}

/* handle_mm_fault(), kvm_gmem_fault_user_mapping() */
const struct gmem_step gmem_op_host_fault[] = {
	DONE_IF(processor_finds_page, HOST_4),
	LOCK(MMAP_LOCK, READ, HOST_15),
	CHECK(address_is_mapped, HOST_1, FAULT_SIGSEGV, .to = L_UNLOCK_OUTER),
	CHECK(protection_allows, HOST_2, FAULT_SIGSEGV, .to = L_UNLOCK_OUTER),
	CHECK(entry_is_not_poisoned, HOST_3, FAULT_SIGBUS, .to = L_UNLOCK_OUTER),
	CHECK(page_is_in_file, HOST_5, FAULT_SIGBUS, WHEN(inode_is_guest_memfd),
	      .to = L_UNLOCK_OUTER),
	CHECK(memory_is_shared, HOST_6, FAULT_SIGBUS, WHEN(inode_is_guest_memfd),
	      .to = L_UNLOCK_OUTER),
	LOCK(FOLIO_LOCK, WRITE, HOST_7, WHEN(inode_is_guest_memfd)),
	DO(get_folio, HOST_7),
	DO(zero_folio, HOST_7),
	CHECK(folio_is_not_poisoned, HOST_8, FAULT_SIGBUS, .to = L_UNLOCK),
	CALL(T_NOTIFY, NOTIFY_7, WHEN(write_finds_another_page)),
	DO(map_page, HOST_9, WHEN(inode_is_guest_memfd)),
	DO(finish_fault, HOST_9, WHEN(memory_is_anonymous)),
	UNLOCK(FOLIO_LOCK, WHEN(inode_is_guest_memfd), .at = L_UNLOCK),
	UNLOCK(MMAP_LOCK, .at = L_UNLOCK_OUTER),
	END,
};

/*
 * handle_mm_fault(), kvm_gmem_fault_user_mapping() of in-place conversion: whether the page is
 * shared is asked under the invalidate lock, which is given back before the page is zeroed and
 * mapped. The folio stays locked; a conversion in between finds the reference.
 */
const struct gmem_step gmem_op_host_fault_locked[] = {
	DONE_IF(processor_finds_page, HOST_4),
	LOCK(MMAP_LOCK, READ, HOST_15),
	CHECK(address_is_mapped, HOST_1, FAULT_SIGSEGV, .to = L_UNLOCK_OUTER),
	CHECK(protection_allows, HOST_2, FAULT_SIGSEGV, .to = L_UNLOCK_OUTER),
	CHECK(entry_is_not_poisoned, HOST_3, FAULT_SIGBUS, .to = L_UNLOCK_OUTER),
	CHECK(page_is_in_file, HOST_5, FAULT_SIGBUS, WHEN(inode_is_guest_memfd),
	      .to = L_UNLOCK_OUTER),
	LOCK(INVALIDATE_LOCK, READ, HOST_14, WHEN(inode_is_guest_memfd)),
	CHECK(memory_is_shared, HOST_6, FAULT_SIGBUS, WHEN(inode_is_guest_memfd), .to = L_UNLOCK),
	LOCK(FOLIO_LOCK, WRITE, HOST_7, WHEN(inode_is_guest_memfd)),
	DO(hold_folio, HOST_14),
	DO(get_folio, HOST_7),
	UNLOCK(INVALIDATE_LOCK, WHEN(inode_is_guest_memfd)),
	DO(zero_folio, HOST_7),
	CHECK(folio_is_not_poisoned, HOST_8, FAULT_SIGBUS, .to = L_END),
	CALL(T_NOTIFY, NOTIFY_7, WHEN(write_finds_another_page)),
	DO(map_page, HOST_9, WHEN(inode_is_guest_memfd)),
	DO(finish_fault, HOST_9, WHEN(memory_is_anonymous)),
	UNLOCK(FOLIO_LOCK, WHEN(inode_is_guest_memfd), .at = L_END),
	DO(put_folio, HOST_14),
	UNLOCK(INVALIDATE_LOCK, WHEN(holds_invalidate_lock), .at = L_UNLOCK),
	UNLOCK(MMAP_LOCK, .at = L_UNLOCK_OUTER),
	END,
};

/*
 * handle_mm_fault(), kvm_gmem_fault_user_mapping() of rfc-shareability-v2: the lock is held until
 * the page is mapped
 */
const struct gmem_step gmem_op_host_fault_shareability[] = {
	DONE_IF(processor_finds_page, HOST_4),
	LOCK(MMAP_LOCK, READ, HOST_15),
	CHECK(address_is_mapped, HOST_1, FAULT_SIGSEGV, .to = L_UNLOCK_OUTER),
	CHECK(protection_allows, HOST_2, FAULT_SIGSEGV, .to = L_UNLOCK_OUTER),
	CHECK(entry_is_not_poisoned, HOST_3, FAULT_SIGBUS, .to = L_UNLOCK_OUTER),
	CHECK(page_is_in_file, HOST_5, FAULT_SIGBUS, WHEN(inode_is_guest_memfd),
	      .to = L_UNLOCK_OUTER),
	LOCK(INVALIDATE_LOCK, READ, HOST_14, WHEN(inode_is_guest_memfd)),
	CHECK(memory_is_shared, HOST_6, FAULT_SIGBUS, WHEN(inode_is_guest_memfd), .to = L_UNLOCK),
	LOCK(FOLIO_LOCK, WRITE, HOST_7, WHEN(inode_is_guest_memfd)),
	DO(get_folio, HOST_7),
	DO(zero_folio, HOST_7),
	CHECK(folio_is_not_poisoned, HOST_8, FAULT_SIGBUS, .to = L_END),
	CALL(T_NOTIFY, NOTIFY_7, WHEN(write_finds_another_page)),
	DO(map_page, HOST_9, WHEN(inode_is_guest_memfd)),
	DO(finish_fault, HOST_9, WHEN(memory_is_anonymous)),
	UNLOCK(FOLIO_LOCK, WHEN(inode_is_guest_memfd), .at = L_END),
	UNLOCK(INVALIDATE_LOCK, WHEN(inode_is_guest_memfd), .at = L_UNLOCK),
	UNLOCK(MMAP_LOCK, .at = L_UNLOCK_OUTER),
	END,
};

/* Museum B54: whether the page is shared is asked before the lock is taken. */
const struct gmem_edit gmem_bug_b54[] = {
	DROP_ROW(T_HOST_FAULT, "memory_is_shared", 0),
	INSERT_ROW(T_HOST_FAULT, "lock", 1,
		   CHECK(memory_is_shared, HOST_6, FAULT_SIGBUS, WHEN(inode_is_guest_memfd),
			 .to = L_UNLOCK_OUTER)),
	{ 0 },
};

/* A file that shrinks has its new size before its pages go. */
static bool page_is_in_file_still(struct gmem_run *run)
{
	return page_is_in_file(run);
}

/* handle_mm_fault(), shmem_fault() of memfile_notifier up to v6 */
const struct gmem_step gmem_op_host_fault_memfd[] = {
	DONE_IF(processor_finds_page, HOST_4),
	LOCK(MMAP_LOCK, READ, HOST_15),
	CHECK(address_is_mapped, HOST_1, FAULT_SIGSEGV, .to = L_UNLOCK_OUTER),
	CHECK(protection_allows, HOST_2, FAULT_SIGSEGV, .to = L_UNLOCK_OUTER),
	CHECK(entry_is_not_poisoned, HOST_3, FAULT_SIGBUS, .to = L_UNLOCK_OUTER),
	CHECK(page_is_in_file, HOST_5, FAULT_SIGBUS, WHEN(inode_is_guest_memfd),
	      .to = L_UNLOCK_OUTER),
	LOCK(FOLIO_LOCK, WRITE, HOST_7, WHEN(inode_is_guest_memfd)),
	CHECK(page_is_in_file_still, MEMFD_20, FAULT_SIGBUS, WHEN(inode_is_guest_memfd),
	      .to = L_UNLOCK),
	DO(get_folio, HOST_7),
	DO(zero_folio, HOST_7),
	CHECK(folio_is_not_poisoned, HOST_8, FAULT_SIGBUS, .to = L_UNLOCK),
	CALL(T_NOTIFY, NOTIFY_7, WHEN(write_finds_another_page)),
	DO(map_page, HOST_9, WHEN(inode_is_guest_memfd)),
	DO(finish_fault, HOST_9, WHEN(memory_is_anonymous)),
	UNLOCK(FOLIO_LOCK, WHEN(inode_is_guest_memfd), .at = L_UNLOCK),
	UNLOCK(MMAP_LOCK, .at = L_UNLOCK_OUTER),
	END,
};

/* SGP_NOALLOC */
static bool page_may_be_allocated(struct gmem_run *run)
{
	const struct gmem_inode *inode = inode_of(run);

	return !faults_do_not_allocate(run, inode) || gmem_folio(run->b, inode, run->t->pgoff);
}

/* handle_mm_fault(), shmem_fault() of memfile-notifier-v7 */
const struct gmem_step gmem_op_host_fault_v7[] = {
	DONE_IF(processor_finds_page, HOST_4),
	LOCK(MMAP_LOCK, READ, HOST_15),
	CHECK(address_is_mapped, HOST_1, FAULT_SIGSEGV, .to = L_UNLOCK_OUTER),
	CHECK(protection_allows, HOST_2, FAULT_SIGSEGV, .to = L_UNLOCK_OUTER),
	CHECK(entry_is_not_poisoned, HOST_3, FAULT_SIGBUS, .to = L_UNLOCK_OUTER),
	CHECK(page_is_in_file, HOST_5, FAULT_SIGBUS, WHEN(inode_is_guest_memfd),
	      .to = L_UNLOCK_OUTER),
	LOCK(FOLIO_LOCK, WRITE, HOST_7, WHEN(inode_is_guest_memfd)),
	CHECK(page_is_in_file_still, MEMFD_20, FAULT_SIGBUS, WHEN(inode_is_guest_memfd),
	      .to = L_UNLOCK),
	CHECK(page_may_be_allocated, SEAL_9, FAULT_SIGBUS, WHEN(inode_is_guest_memfd),
	      .to = L_UNLOCK),
	DO(get_folio, HOST_7),
	DO(zero_folio, HOST_7),
	CHECK(folio_is_not_poisoned, HOST_8, FAULT_SIGBUS, .to = L_UNLOCK),
	CALL(T_NOTIFY, NOTIFY_7, WHEN(write_finds_another_page)),
	DO(map_page, HOST_9, WHEN(inode_is_guest_memfd)),
	DO(finish_fault, HOST_9, WHEN(memory_is_anonymous)),
	UNLOCK(FOLIO_LOCK, WHEN(inode_is_guest_memfd), .at = L_UNLOCK),
	UNLOCK(MMAP_LOCK, .at = L_UNLOCK_OUTER),
	END,
};

/* Museum B10: a store into the file that is not in use gives the page a second one. */
const struct gmem_edit gmem_bug_b10[] = {
	DROP_ROW(T_HOST_FAULT, "page_may_be_allocated", 0),
	{ 0 },
};
