/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entries that leave a host's page tables, and what the VMs of that process are told of it, as by
 * the mmu notifier: the start before anything is gone, the end when it is.
 *
 * T_ZAP takes one run of addresses of one process: t->owner, t->zap, t->zap_end. Whoever calls it
 * says how big that run is, for Linux tells one span for a whole munmap, and one page after the
 * other for a punch.
 */
#include "convert.h"
#include "ops.h"
#include "unroll.h"

/* Beyond what a process can address nothing is ever mapped, and nobody has to be told. */
void gmem_index_hva(struct gmem_block *b, const struct gmem_slot *s, uint32_t idx)
{
	uint64_t page = PAGES(s->hva), key = HVA_KEY(page, s->as_id, s->id);
	struct gmem_vm *vm = VM(b, s->vm);

	if (page > PAGES(TASK_SIZE))
		return;
	gmem_range_set(b, &vm->hvas, key, key + 1, idx);
	if (!vm->hvas)
		vm->most_pages = 0;
	if (idx && s->npages > vm->most_pages)
		vm->most_pages = s->npages;
}

/*
 * The first memslot of t->at_vm after key, in the order of userspace_addr, that lies over the
 * run; its part of it in *from and *to. One that reaches into the run begins no more than the
 * biggest one's size before it.
 */
static const struct gmem_slot *next_slot_over(struct gmem_run *run, uint64_t *key, uint64_t *from,
					      uint64_t *to)
{
	const struct gmem_task *t = run->t;
	struct gmem_range r;

	while (gmem_range_next_in(run->b, VM(run->b, t->at_vm)->hvas, *key,
				  HVA_KEY(t->zap_end, 0, 0), &r)) {
		const struct gmem_slot *s = SLOT(run->b, r.value);
		uint64_t hva = PAGES(s->hva);

		*key = r.end;
		*from = hva > t->zap ? hva : t->zap;
		*to = hva + s->npages < t->zap_end ? hva + s->npages : t->zap_end;
		if (*from < *to)
			return s;
	}
	return NULL;
}

static uint64_t first_key(struct gmem_run *run)
{
	const struct gmem_vm *v = VM(run->b, run->t->at_vm);

	return HVA_KEY(run->t->zap > v->most_pages ? run->t->zap - v->most_pages : 0, 0, 0);
}

static bool a_memslot_is_over_it(struct gmem_run *run)
{
	uint64_t key = first_key(run), from, to;

	return next_slot_over(run, &key, &from, &to) != NULL;
}

static int count_notifier(struct gmem_run *run)
{
	VM(run->b, run->t->at_vm)->notifiers++;
	run->t->notifying++;
	return 0;
}

static int uncount_notifier(struct gmem_run *run)
{
	VM(run->b, run->t->at_vm)->notifiers--;
	run->t->notifying--;
	return 0;
}

static int host_unmap_gfns(struct gmem_run *run)
{
	uint32_t vm = run->t->at_vm;
	unsigned int filter = gmem_invalidate_filter(run->b, vm, FILTER_SHARED);
	uint64_t key = first_key(run), from, to;
	const struct gmem_slot *s;

	gmem_mmu_invalidate_start(run, vm);
	while ((s = next_slot_over(run, &key, &from, &to))) {
		struct gmem_event e = {
			.kind = GMEM_INVALIDATE_START,
			.origin = GMEM_BY_HOST,
			.slot = s->id,
			.as_id = s->as_id,
			.gfn = s->gfn + from - PAGES(s->hva),
			.gfn_end = s->gfn + to - PAGES(s->hva),
		};

		gmem_mmu_invalidate_range_add(run, vm, e.gfn, e.gfn_end);
		gmem_unmap_gfns(run->b, vm, e.gfn, e.gfn_end, filter);
		gmem_emit(run, vm, &e);
	}
	return 0;
}

static int host_invalidate_end(struct gmem_run *run)
{
	const struct gmem_event e = { .kind = GMEM_INVALIDATE_END, .origin = GMEM_BY_HOST };

	gmem_mmu_invalidate_end(run, run->t->at_vm);
	gmem_emit(run, run->t->at_vm, &e);
	return 0;
}

/* kvm_mmu_notifier_invalidate_range_start(), for one VM: takes t->at_vm, t->zap, t->zap_end */
const struct gmem_step gmem_op_host_start[] = {
	DO(count_notifier, NOTIFY_1, .lock = NOTIFIERS),
	LOCK(SRCU, READ, NOTIFY_1),
	LOCK(MMU_LOCK, WRITE, NOTIFY_1, WHEN(a_memslot_is_over_it)),
	DO(host_unmap_gfns, NOTIFY_2, WHEN(holds_mmu_lock)),
	UNLOCK(MMU_LOCK, WHEN(holds_mmu_lock)),
	UNLOCK(SRCU),
	END,
};

/* kvm_mmu_notifier_invalidate_range_end() */
const struct gmem_step gmem_op_host_end[] = {
	LOCK(SRCU, READ, NOTIFY_3),
	LOCK(MMU_LOCK, WRITE, NOTIFY_3, WHEN(a_memslot_is_over_it)),
	DO(host_invalidate_end, NOTIFY_3, WHEN(holds_mmu_lock)),
	UNLOCK(MMU_LOCK, WHEN(holds_mmu_lock)),
	UNLOCK(SRCU),
	DO(uncount_notifier, NOTIFY_3),
	END,
};

/*
 * The VMs that the owner made, one after the other, with memslots or without: that may change until
 * a VM is counted in. Those that are told the end are those that were told the start, but for what
 * went in between, because no VM is made meanwhile.
 */
static bool next_vm_of_owner(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	do
		t->at_vm = t->at_vm ? VM(run->b, t->at_vm)->next : run->b->vms;
	while (t->at_vm && VM(run->b, t->at_vm)->process != t->owner);
	return t->at_vm != 0;
}

/* What is still counted then are VMs that went. */
static bool next_vm_that_was_told(struct gmem_run *run)
{
	bool found = next_vm_of_owner(run);

	if (!found)
		run->t->notifying = 0;
	return found;
}

bool gmem_is_telling(const struct gmem_task *t)
{
	for (uint32_t i = 0; i < t->depth; i++)
		if (t->level[i].table == T_ZAP || t->level[i].table == T_NOTIFY)
			return true;
	return false;
}

/* Another task that tells the VMs of the process, or whose walk over them stands at this one. */
static bool somebody_tells(struct gmem_run *run, uint32_t process, uint32_t vm)
{
	for (uint32_t i = 0; i < GMEM_MAX_TASKS; i++) {
		const struct gmem_task *t = run->b->tasks[i] ? TASK(run->b, run->b->tasks[i]) :
							       NULL;

		if (t && t != run->t && gmem_is_telling(t) &&
		    (process ? t->owner == process : t->at_vm == vm))
			return true;
	}
	return false;
}

/* mmu_notifier_register(), mm_take_all_locks() */
bool page_tables_are_at_rest(struct gmem_run *run)
{
	return !somebody_tells(run, run->t->process, 0);
}

/* mmu_notifier_unregister(), synchronize_srcu(): the walk over the VMs has gone by */
bool vm_is_not_being_told(struct gmem_run *run)
{
	return !somebody_tells(run, 0, run->t->vm);
}

/* Who gives up addresses loses all entries; a file that takes pages away leaves poisoned ones. */
static int clear_entries(struct gmem_run *run)
{
	const struct gmem_task *t = run->t;
	uint32_t *ptes = &PROCESS(run->b, t->owner)->ptes;
	struct gmem_range r = { 0, t->zap, 0 };

	if (!t->at_vma) {
		gmem_range_set(run->b, ptes, t->zap, t->zap_end, 0);
		return 0;
	}
	while (gmem_range_next_in(run->b, *ptes, r.end, t->zap_end, &r))
		if (r.value & PTE_PRESENT)
			gmem_range_set(run->b, ptes, r.start, r.end, 0);
	return 0;
}

/* zap_page_range_single(), unmap_vmas() */
const struct gmem_step gmem_op_zap[] = {
	CALL_EACH(next_vm_of_owner, T_HOST_START, NOTIFY_1),
	DO(clear_entries, NOTIFY_1),
	CALL_EACH(next_vm_that_was_told, T_HOST_END, NOTIFY_3),
	END,
};

/* copy_page_range(), wp_page_copy(), mprotect: the entries change, and stay */
const struct gmem_step gmem_op_notify[] = {
	CALL_EACH(next_vm_of_owner, T_HOST_START, NOTIFY_1),
	CALL_EACH(next_vm_that_was_told, T_HOST_END, NOTIFY_3),
	END,
};

/* The pages of a mapping that show [start, end) of its inode; false if there are none. */
static bool pages_over(const struct gmem_vma *v, uint64_t start, uint64_t end, uint64_t *from,
		       uint64_t *to)
{
	uint64_t last = v->pgoff + (v->end - v->start);

	if (v->pgoff >= end || last <= start)
		return false;
	*from = v->start + (v->pgoff > start ? 0 : start - v->pgoff);
	*to = v->start + ((last < end ? last : end) - v->pgoff);
	return true;
}

/* The first entry of [from, to) that maps a page; a poisoned one maps none. */
static bool next_present(struct gmem_run *run, uint32_t process, uint64_t from, uint64_t to,
			 struct gmem_range *r)
{
	r->end = from;
	while (gmem_range_next_in(run->b, PROCESS(run->b, process)->ptes, r->end, to, r))
		if (r->value & PTE_PRESENT)
			return true;
	return false;
}

static void zap_is(struct gmem_run *run, const struct gmem_vma *v, uint64_t from, uint64_t to)
{
	run->t->owner = v->process;
	run->t->zap = from;
	run->t->zap_end = to;
}

/* Every mapping that shows a part of [t->start, t->end), touched or not. */
bool next_mapping_over(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	uint64_t from, to;

	do
		t->at_vma = t->at_vma ? VMA(run->b, t->at_vma)->next :
					INODE(run->b, t->inode)->vmas;
	while (t->at_vma && !pages_over(VMA(run->b, t->at_vma), t->start, t->end, &from, &to));
	if (!t->at_vma)
		return false;
	zap_is(run, VMA(run->b, t->at_vma), from, to);
	return true;
}

/* The first page at or after t->pgoff that any mapping has touched. */
static bool next_mapped_folio(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	uint64_t first = UINT64_MAX, from, to;
	struct gmem_range r;

	for (uint32_t i = INODE(run->b, t->inode)->vmas; i; i = VMA(run->b, i)->next) {
		const struct gmem_vma *v = VMA(run->b, i);

		if (pages_over(v, t->pgoff, t->end, &from, &to) &&
		    next_present(run, v->process, from, to, &r) &&
		    v->pgoff + (r.start - v->start) < first)
			first = v->pgoff + (r.start - v->start);
	}
	t->pgoff = first;
	return first != UINT64_MAX;
}

/* unmap_mapping_folio(): every mapping over a page that one of them has touched is told. */
static bool next_mapping_of_next_folio(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	uint64_t from, to;

	for (;;) {
		if (!t->at_vma && !next_mapped_folio(run))
			return false;
		do
			t->at_vma = t->at_vma ? VMA(run->b, t->at_vma)->next :
						INODE(run->b, t->inode)->vmas;
		while (t->at_vma &&
		       !pages_over(VMA(run->b, t->at_vma), t->pgoff, t->pgoff + 1, &from, &to));
		if (t->at_vma)
			break;
		t->pgoff++;
	}
	zap_is(run, VMA(run->b, t->at_vma), from, to);
	return true;
}

/* The same entries, run by run: for when nobody hears in how many pieces it was told. */
static bool next_mapped_run(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	struct gmem_range r;

	while (!t->at_vma || !next_present(run, t->owner, t->zap_end, t->done, &r)) {
		if (!next_mapping_over(run))
			return false;
		t->done = t->zap_end;
		t->zap_end = t->zap;
	}
	t->zap = r.start;
	t->zap_end = r.end;
	return true;
}

static bool is_mapped(struct gmem_run *run)
{
	return INODE(run->b, run->t->inode)->vmas != 0;
}

/* Whether somebody can come between two pages, or hears in how many pieces they go. */
static bool is_seen(const struct gmem_run *run)
{
	return run->by_rows || gmem_somebody_listens(run->w);
}

/* The lock was taken if there were mappings then; none has come since that this need unmap. */
static bool unmaps_page_by_page(struct gmem_run *run)
{
	return holds_i_mmap_rwsem(run) && is_seen(run);
}

static bool unmaps_at_once(struct gmem_run *run)
{
	return holds_i_mmap_rwsem(run) && !is_seen(run);
}

static int begin_at_first_page(struct gmem_run *run)
{
	run->t->pgoff = run->t->start;
	return 0;
}

static int drop_pages(struct gmem_run *run)
{
	gmem_drop_pages(run, run->t->inode, run->t->start, run->t->end);
	return 0;
}

/* truncate_cleanup_folio(), delete_from_page_cache_batch(): takes t->inode, t->start, t->end */
const struct gmem_step gmem_op_truncate_batch[] = {
	LOCK(FOLIO_LOCK, WRITE, PUNCH_3, WHEN(inode_is_guest_memfd)),
	LOCK(I_MMAP_RWSEM, READ, NOTIFY_9, WHEN(is_mapped)),
	DO(begin_at_first_page, PUNCH_3, WHEN(unmaps_page_by_page)),
	CALL_EACH(next_mapping_of_next_folio, T_ZAP, NOTIFY_5, WHEN(unmaps_page_by_page)),
	CALL_EACH(next_mapped_run, T_ZAP, NOTIFY_5, WHEN(unmaps_at_once)),
	UNLOCK(I_MMAP_RWSEM, WHEN(holds_i_mmap_rwsem)),
	DO(drop_pages, PUNCH_3),
	UNLOCK(FOLIO_LOCK, WHEN(inode_is_guest_memfd)),
	END,
};
UNROLLED(gmem_op_truncate_batch)

static int begin_truncation(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->whole_start = t->start;
	t->whole_end = t->end;
	t->end = t->start;
	return 0;
}

/* The folios of the range after page: up to a batch of them, in [t->start, t->end). */
static bool find_batch(struct gmem_run *run, uint64_t page)
{
	const struct gmem_inode *inode = inode_of(run);
	uint64_t room = run->b->profile->n.folio_batch * gmem_folio_pages(inode);
	struct gmem_task *t = run->t;
	struct gmem_range r = { 0, page, 0 };
	bool found = false;

	while (room && gmem_range_next_in(run->b, inode->folios, r.end, t->whole_end, &r)) {
		uint64_t n = r.end - r.start < room ? r.end - r.start : room;

		if (!found)
			t->start = r.start;
		t->end = r.start + n;
		room -= n;
		found = true;
	}
	return found;
}

/*
 * The next folios that are there. Others may come meanwhile, so the range is gone through again
 * until there are none in it. Unlike the kernel, where nobody can come between or hears of it, all
 * of the range is one batch.
 */
static bool next_folio_batch(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	if (is_seen(run))
		return find_batch(run, t->end) ||
		       (t->end != t->whole_start && find_batch(run, t->whole_start));
	if (t->end == t->whole_end)
		return false;
	t->end = t->whole_end;
	return true;
}

static int end_truncation(struct gmem_run *run)
{
	run->t->start = run->t->whole_start;
	run->t->end = run->t->whole_end;
	return 0;
}

/* truncate_inode_pages_range(): takes t->inode, t->start, t->end */
const struct gmem_step gmem_op_truncate[] = {
	DO(begin_truncation, PUNCH_6),
	CALL_EACH(next_folio_batch, T_TRUNCATE_BATCH, PUNCH_6),
	DO(end_truncation, PUNCH_6),
	END,
};
UNROLLED(gmem_op_truncate)
