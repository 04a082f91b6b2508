/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's side: mappings, page tables, and loads and stores through them.
 *
 * A page table entry appears when a page is touched and goes when the page is truncated, the
 * mapping ends or the program gives it back; and each time, the VMs of that process whose
 * memslots point there are told, as by the mmu notifier.
 */
#include "ops.h"

struct gmem_vma *gmem_vma_at(struct gmem_block *b, struct gmem_process *p, uint64_t page)
{
	uint32_t idx = gmem_range_get(b, p->vmas, page);

	return idx ? VMA(b, idx) : NULL;
}

/* The part of one memslot that lies behind [start, end) (pages of the address). */
static bool notify_slot(struct gmem_run *run, const struct gmem_slot *s, uint64_t start,
			uint64_t end, bool first)
{
	uint64_t hva = PAGES(s->hva);
	uint64_t from = hva > start ? hva : start;
	uint64_t to = hva + s->npages < end ? hva + s->npages : end;
	struct gmem_event e = {
		.kind = GMEM_INVALIDATE_START,
		.origin = GMEM_BY_HOST,
		.slot = s->id,
		.as_id = s->as_id,
		.gfn = s->gfn + from - hva,
		.gfn_end = s->gfn + to - hva,
	};

	if (from >= to)
		return false;
	if (first)
		gmem_mmu_invalidate_start(run, s->vm);
	gmem_mmu_invalidate_range_add(run, s->vm, e.gfn, e.gfn_end);
	gmem_unmap_gfns(run->b, s->vm, e.gfn, e.gfn_end, SPTE_GMEM);
	gmem_emit(run, s->vm, &e);
	return true;
}

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
 * kvm_mmu_notifier_invalidate_range_start() and _end(), for one VM. A memslot that reaches into
 * the range begins no more than the biggest one's size before it.
 */
static void notify_vm(struct gmem_run *run, uint32_t vm, uint64_t start, uint64_t end)
{
	const struct gmem_event e = { .kind = GMEM_INVALIDATE_END, .origin = GMEM_BY_HOST };
	const struct gmem_vm *v = VM(run->b, vm);
	uint64_t first = start > v->most_pages ? start - v->most_pages : 0;
	struct gmem_range r = { 0, HVA_KEY(first, 0, 0), 0 };
	bool found = false;

	while (gmem_range_next_in(run->b, v->hvas, r.end, HVA_KEY(end, 0, 0), &r))
		found |= notify_slot(run, SLOT(run->b, r.value), start, end, !found);
	if (!found)
		return;
	gmem_mmu_invalidate_end(run, vm);
	gmem_emit(run, vm, &e);
}

void gmem_notify_host(struct gmem_run *run, uint32_t process, uint64_t start, uint64_t end)
{
	for (uint32_t vm = run->b->vms; vm; vm = VM(run->b, vm)->next)
		if (VM(run->b, vm)->process == process && VM(run->b, vm)->slots)
			notify_vm(run, vm, start, end);
}

void gmem_zap(struct gmem_run *run, uint32_t process, uint64_t start, uint64_t end)
{
	gmem_notify_host(run, process, start, end);
	gmem_range_set(run->b, &PROCESS(run->b, process)->ptes, start, end, 0);
}

/* Entries that map a page; a poisoned one maps none, and truncation does not find it. */
static void zap_mapped(struct gmem_run *run, uint32_t process, uint64_t start, uint64_t end)
{
	uint32_t *ptes = &PROCESS(run->b, process)->ptes;
	struct gmem_range r = { 0, start, 0 };

	while (gmem_range_next_in(run->b, *ptes, r.end, end, &r))
		if (r.value & PTE_PRESENT)
			gmem_zap(run, process, r.start, r.end);
}

void gmem_zap_inode(struct gmem_run *run, uint32_t inode, uint64_t start, uint64_t end)
{
	for (uint32_t i = INODE(run->b, inode)->vmas; i; i = VMA(run->b, i)->next) {
		const struct gmem_vma *v = VMA(run->b, i);
		uint64_t from = v->pgoff > start ? v->pgoff : start;
		uint64_t last = v->pgoff + (v->end - v->start);
		uint64_t to = last < end ? last : end;

		if (from < to)
			zap_mapped(run, v->process, v->start + from - v->pgoff,
				   v->start + to - v->pgoff);
	}
}

/* The part of one mapping that can be faulted in: up to the end of the file, if it is shared. */
static uint64_t reach_of(struct gmem_run *run, const struct gmem_vma *v)
{
	const struct gmem_inode *inode = INODE(run->b, v->inode);
	uint64_t pages = PAGES(inode->size);

	if (inode->kind != INODE_GMEM)
		return v->end;
	if (!(inode->flags & GMEM_FLAG_INIT_SHARED) || v->pgoff >= pages)
		return v->start;
	return v->end - v->start < pages - v->pgoff ? v->end : v->start + (pages - v->pgoff);
}

/* Makes pages of the inode used: present and zeroed once. Stops before a poisoned one. */
static uint64_t use_folios(struct gmem_run *run, struct gmem_inode *inode, uint64_t pgoff,
			   uint64_t end)
{
	struct gmem_range r;

	while (pgoff < end) {
		if (!gmem_range_next(run->b, inode->folios, pgoff, &r) || r.start > pgoff) {
			r.end = r.start > pgoff && r.start < end ? r.start : end;
			r.value = 0;
		}
		if (r.value & FOLIO_POISONED)
			break;
		if (r.end > end)
			r.end = end;
		gmem_range_set(run->b, &inode->folios, pgoff, r.end,
			       FOLIO_PRESENT | FOLIO_UPTODATE);
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

int gmem_fault_in(struct gmem_run *run, uint64_t page, uint64_t end)
{
	struct gmem_process *p = gmem_process(run);

	while (page < end) {
		const struct gmem_vma *v = gmem_vma_at(run->b, p, page);
		uint64_t to, used, pgoff;

		if (!v)
			return -ENOMEM;
		to = reach_of(run, v);
		if (to > end)
			to = end;
		if (page >= to)
			return -EFAULT;
		to = next_poisoned_entry(run, page, to);
		if (page == to)
			return -EHWPOISON;
		pgoff = v->pgoff + (page - v->start);
		used = use_folios(run, INODE(run->b, v->inode), pgoff, pgoff + (to - page));
		if (used > pgoff)
			gmem_range_set(run->b, &p->ptes, page, page + (used - pgoff), PTE_PRESENT);
		if (used < pgoff + (to - page))
			return -EHWPOISON;
		page = to;
	}
	return 0;
}

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

static bool page_is_mapped(struct gmem_run *run)
{
	return pte(run) & PTE_PRESENT;
}

static bool is_guest_memfd(struct gmem_run *run)
{
	return INODE(run->b, run->t->inode)->kind == INODE_GMEM;
}

static bool page_is_in_file(struct gmem_run *run)
{
	return run->t->pgoff < PAGES(INODE(run->b, run->t->inode)->size);
}

static bool memory_is_shared(struct gmem_run *run)
{
	return INODE(run->b, run->t->inode)->flags & GMEM_FLAG_INIT_SHARED;
}

/* Finds or allocates the page, and zeroes it on first use. */
static int get_folio(struct gmem_run *run)
{
	struct gmem_inode *inode = INODE(run->b, run->t->inode);
	uint32_t folio = gmem_folio(run->b, inode, run->t->pgoff);

	if (!(folio & FOLIO_UPTODATE))
		gmem_folio_set(run->b, inode, run->t->pgoff,
			       folio | FOLIO_PRESENT | FOLIO_UPTODATE);
	return 0;
}

static bool folio_is_not_poisoned(struct gmem_run *run)
{
	return !(gmem_folio(run->b, INODE(run->b, run->t->inode), run->t->pgoff) & FOLIO_POISONED);
}

static int map_page(struct gmem_run *run)
{
	gmem_range_set(run->b, &gmem_process(run)->ptes, run->t->page, run->t->page + 1,
		       PTE_PRESENT);
	return 0;
}

/* handle_mm_fault(), kvm_gmem_fault_user_mapping() */
const struct gmem_step gmem_op_host_fault[] = {
	CHECK(address_is_mapped, HOST_1, FAULT_SIGSEGV),
	CHECK(protection_allows, HOST_2, FAULT_SIGSEGV),
	CHECK(entry_is_not_poisoned, HOST_3, FAULT_SIGBUS),
	DONE_IF(page_is_mapped, HOST_4),
	CHECK(page_is_in_file, HOST_5, FAULT_SIGBUS, .when = is_guest_memfd),
	CHECK(memory_is_shared, HOST_6, FAULT_SIGBUS, .when = is_guest_memfd),
	DO(get_folio, HOST_7),
	CHECK(folio_is_not_poisoned, HOST_8, FAULT_SIGBUS),
	DO(map_page, HOST_9),
	END,
};

/* The next page of the access that is not known to be mapped. */
static bool next_page_of_access(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	uint64_t last = PAGES(run->c->addr + run->c->size - 1);

	t->write = run->c->verb == GMEM_STORE;
	t->page = t->done++ ? last : PAGES(run->c->addr);
	return t->done == 1 || (t->done == 2 && last != PAGES(run->c->addr));
}

static int begin_access(struct gmem_run *run)
{
	run->t->done = 0;
	return 0;
}

/* The inode and the byte of it behind an address that has been faulted in. */
static uint32_t byte_at(struct gmem_run *run, uint64_t addr, uint64_t *offset)
{
	const struct gmem_vma *v = gmem_vma_at(run->b, gmem_process(run), PAGES(addr));

	*offset = BYTES(v->pgoff) + (addr - BYTES(v->start));
	return v->inode;
}

static int load_bytes(struct gmem_run *run)
{
	uint64_t value = 0, offset;

	for (uint64_t i = run->c->size; i-- > 0;) {
		uint32_t inode = byte_at(run, run->c->addr + i, &offset);

		value = value << 8 | gmem_bytes_read(run->b, inode, offset, 1);
	}
	run->res->value = (int64_t)value;
	return 0;
}

static int store_bytes(struct gmem_run *run)
{
	uint64_t offset;

	for (uint64_t i = 0; i < run->c->size; i++) {
		uint32_t inode = byte_at(run, run->c->addr + i, &offset);

		gmem_bytes_write(run->b, inode, offset, 1, run->c->value >> 8 * i);
	}
	return return_zero(run);
}

const struct gmem_step gmem_op_load[] = {
	DO(begin_access, HOST_10),
	CALL_EACH(next_page_of_access, T_HOST_FAULT, HOST_10),
	ANSWER(load_bytes, HOST_11),
	END,
};

const struct gmem_step gmem_op_store[] = {
	DO(begin_access, HOST_10),
	CALL_EACH(next_page_of_access, T_HOST_FAULT, HOST_10),
	ANSWER(store_bytes, HOST_12),
	END,
};
