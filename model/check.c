/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The invariants: what is true of every world, whoever did what. ARCHITECTURE.md has the same
 * list under the same numbers.
 *
 * Each is one function that returns what it saw, or null. Those marked in the list as holding
 * between calls may be false while an operation is under way: a reference taken for its time, a
 * binding whose memslot is not visible yet. The others hold after every step.
 *
 * References and cells are counted by a walk; it writes only the marks, which mean nothing
 * outside it.
 */
#include <string.h>

#include "convert.h"
#include "ops.h"
#include "profile.h"
#include "ranges.h"
#include "seen.h"
#include "state.h"

static bool is_idle(const struct gmem_block *b)
{
	for (unsigned int i = 0; i < GMEM_MAX_TASKS; i++)
		if (b->tasks[i] && CTASK(b, b->tasks[i])->depth)
			return false;
	return true;
}

static const char *locks_are_free(struct gmem_block *b, struct gmem_seen *s)
{
	for (unsigned int i = 0; i < GMEM_MAX_TASKS; i++) {
		const struct gmem_task *t = b->tasks[i] ? TASK(b, b->tasks[i]) : NULL;

		if (t && (t->nr_held || t->folio_of))
			return s->a = i, "a task holds a lock, or a page, after its call: task";
	}
	for (uint32_t i = b->inodes; i; i = INODE(b, i)->next)
		if (INODE(b, i)->invalidate_lock || INODE(b, i)->folio_lock ||
		    INODE(b, i)->i_mmap_rwsem || INODE(b, i)->inode_lock || INODE(b, i)->rm_lock ||
		    INODE(b, i)->memfile_srcu)
			return s->a = INODE(b, i)->ino, "a lock of an inode is held: inode";
	for (uint32_t i = b->vms; i; i = VM(b, i)->next)
		if (VM(b, i)->slots_lock || VM(b, i)->slots_arch_lock || VM(b, i)->mmu_lock ||
		    VM(b, i)->srcu[0] || VM(b, i)->srcu[1])
			return s->a = VM(b, i)->number, "a lock of a VM is held: VM";
	for (uint32_t i = b->processes; i; i = PROCESS(b, i)->next)
		if (PROCESS(b, i)->mmap_lock)
			return s->a = PROCESS(b, i)->number, "mmap_lock is held: process";
	return NULL;
}

/* One mapping's entries that are present: fn for each run of pages of its inode. */
static const char *check_ptes(struct gmem_block *b, struct gmem_seen *s,
			      const char *(*fn)(struct gmem_block *b, struct gmem_seen *s,
						const struct gmem_inode *inode, uint64_t pgoff,
						uint64_t end))
{
	for (uint32_t p = b->processes; p; p = PROCESS(b, p)->next) {
		struct gmem_range r = { 0, 0, 0 };

		while (gmem_range_next(b, PROCESS(b, p)->ptes, r.end, &r)) {
			uint64_t page = r.start, end = r.end;

			while (page < end) {
				const struct gmem_vma *v = gmem_vma_at(b, PROCESS(b, p), page);
				uint64_t to = v && v->end < end ? v->end : end, at;
				const char *wrong = NULL;

				if (!v)
					return s->a = page, "an entry outside every mapping: page";
				at = v->pgoff + (page - v->start);
				if (r.value & PTE_PRESENT)
					wrong = fn(b, s, INODE(b, v->inode), at, at + (to - page));
				if (wrong)
					return wrong;
				page = to;
			}
		}
	}
	return NULL;
}

static const char *only_shared_is_mapped(struct gmem_block *b, struct gmem_seen *s,
					 const struct gmem_inode *inode, uint64_t pgoff,
					 uint64_t end)
{
	if (inode->kind == INODE_GMEM)
		pgoff = gmem_shared_until(b, inode, pgoff, end);
	if (inode->kind != INODE_GMEM || pgoff == end)
		return NULL;
	return s->a = inode->ino, s->b = pgoff, "the host maps a private page: inode, page";
}

static const char *host_maps_no_private_page(struct gmem_block *b, struct gmem_seen *s)
{
	return check_ptes(b, s, only_shared_is_mapped);
}

static const char *is_present(struct gmem_block *b, struct gmem_seen *s,
			      const struct gmem_inode *inode, uint64_t pgoff, uint64_t end)
{
	if (!gmem_is_missing(b, inode, &pgoff, end))
		return NULL;
	return s->a = inode->ino, s->b = pgoff, "the host maps a freed page: inode, page";
}

static const char *host_maps_no_freed_page(struct gmem_block *b, struct gmem_seen *s)
{
	return check_ptes(b, s, is_present);
}

/* A guest's page behind userspace_addr: the process must have it mapped as well. */
static const char *check_host_spte(struct gmem_block *b, struct gmem_seen *s,
				   const struct gmem_vm *vm, const struct gmem_slot *slot,
				   uint64_t gfn)
{
	uint64_t page = PAGES(slot->hva) + (gfn - slot->gfn);

	if (vm->process && (gmem_range_get(b, PROCESS(b, vm->process)->ptes, page) & PTE_PRESENT))
		return NULL;
	return s->a = vm->number, s->b = gfn, "the guest maps what the host does not: VM, gfn";
}

static const char *check_gmem_spte(struct gmem_block *b, struct gmem_seen *s,
				   const struct gmem_vm *vm, const struct gmem_slot *slot,
				   uint64_t gfn)
{
	const struct gmem_inode *inode;
	uint64_t pgoff = slot->pgoff + (gfn - slot->gfn);

	s->a = vm->number;
	s->b = gfn;
	if (!slot->file)
		return "the guest maps a page of a closed file: VM, gfn";
	inode = INODE(b, GFILE(b, slot->file)->inode);
	if (gmem_is_missing(b, inode, &pgoff, pgoff + 1))
		return "the guest maps a freed page: VM, gfn";
	return NULL;
}

static const char *check_sptes(struct gmem_block *b, struct gmem_seen *s, const struct gmem_vm *vm)
{
	struct gmem_range r = { 0, 0, 0 };

	while (gmem_range_next(b, vm->sptes, r.end, &r))
		for (uint64_t gfn = r.start; gfn < r.end; gfn++) {
			uint32_t slot = gmem_slot_by_gfn(b, vm, gfn);
			const char *wrong;

			if (!slot)
				return s->a = vm->number, s->b = gfn,
				       "the guest maps a page without a memslot: VM, gfn";
			wrong = r.value & SPTE_GMEM ?
					check_gmem_spte(b, s, vm, SLOT(b, slot), gfn) :
					check_host_spte(b, s, vm, SLOT(b, slot), gfn);
			if (wrong)
				return wrong;
		}
	return NULL;
}

static const char *guest_maps_no_freed_page(struct gmem_block *b, struct gmem_seen *s)
{
	const char *wrong = NULL;

	for (uint32_t i = b->vms; i && !wrong; i = VM(b, i)->next)
		if (!VM(b, i)->in_progress)
			wrong = check_sptes(b, s, VM(b, i));
	return wrong;
}

/* A VM whose process has ended hears no end of what was begun for the process's page tables. */
static const char *start_and_end_balance(struct gmem_block *b, struct gmem_seen *s)
{
	for (uint32_t i = b->vms; i; i = VM(b, i)->next) {
		const struct gmem_vm *vm = VM(b, i);

		if (!vm->process)
			continue;
		if (vm->in_progress)
			return s->a = vm->number, s->b = (uint64_t)vm->in_progress,
			       "an invalidation has not ended, or ended twice: VM, count";
		if (vm->notifiers)
			return s->a = vm->number, s->b = vm->notifiers,
			       "a notification is still counted, or never was: VM, count";
	}
	return NULL;
}

/*
 * Where a page is private because a memfd has it, and whoever may reach the memfd allocates it by a
 * write or a fault, no VM hears of that.
 */
static bool allocation_is_untold(const struct gmem_block *b, const struct gmem_vm *vm, uint64_t gfn)
{
	uint32_t slot = gmem_slot_by_gfn(b, vm, gfn);
	uint32_t file = slot ? CSLOT(b, slot)->file : 0;
	uint32_t memfd = file ? CINODE(b, CFILE(b, file)->inode)->memfd : 0;

	return b->profile->n.private_is_allocated &&
	       (memfd & (MEMFD_INACCESSIBLE | MEMFD_EXCHANGED_LATE)) != MEMFD_INACCESSIBLE;
}

static const char *check_attributes(struct gmem_block *b, struct gmem_seen *s, uint32_t idx)
{
	const struct gmem_vm *vm = VM(b, idx);
	struct gmem_range r = { 0, 0, 0 };

	while (gmem_range_next(b, vm->attributes, r.end, &r))
		if (r.value != GMEM_ATTRIBUTE_PRIVATE)
			return s->a = vm->number, s->b = r.start, "an unknown attribute: VM, gfn";
	r.end = 0;
	while (gmem_range_next(b, vm->sptes, r.end, &r)) {
		if ((r.value & SPTE_PRIVATE) && !gmem_guest_may_map_private(b, vm))
			return s->a = vm->number, s->b = r.start,
			       "a guest without private memory maps some: VM, gfn";
		for (uint64_t gfn = r.start; gfn < r.end; gfn++)
			if (!(r.value & SPTE_PRIVATE) == gmem_is_private_gfn(b, idx, gfn) &&
			    !allocation_is_untold(b, vm, gfn))
				return s->a = vm->number, s->b = gfn,
				       "the guest maps against the attribute: VM, gfn";
	}
	return NULL;
}

static const char *attributes_rule_the_guest(struct gmem_block *b, struct gmem_seen *s)
{
	const char *wrong = NULL;

	for (uint32_t i = b->vms; i && !wrong; i = VM(b, i)->next)
		if (!VM(b, i)->in_progress)
			wrong = check_attributes(b, s, i);
	return wrong;
}

static bool is_on_list(const struct gmem_block *b, const struct gmem_file *f, uint32_t slot)
{
	struct gmem_range r = { 0, 0, 0 };

	while (gmem_range_next(b, f->bindings, r.end, &r))
		if (r.value == slot)
			return true;
	return false;
}

/* Every page that a memslot says it has of a file is bound to that memslot. */
static const char *check_slots_bindings(struct gmem_block *b, struct gmem_seen *s,
					const struct gmem_vm *vm)
{
	struct gmem_range r = { 0, 0, 0 }, bound;

	while (gmem_range_next(b, vm->slots, r.end, &r)) {
		const struct gmem_slot *slot = SLOT(b, r.value);

		if (b->profile->n.notifier_list) {
			if (slot->file && !is_on_list(b, CFILE(b, slot->file), r.value))
				return s->a = vm->number, s->b = slot->id,
				       "a memslot is not on its file's list: VM, memslot";
			if (slot->file && !(slot->flags & GMEM_MEM_GUEST_MEMFD))
				return s->a = vm->number, s->b = slot->id,
				       "a memslot that has lost its flag is on a list: VM, memslot";
			continue;
		}
		if (slot->file &&
		    (!gmem_range_next(b, GFILE(b, slot->file)->bindings, slot->pgoff, &bound) ||
		     bound.start != slot->pgoff || bound.end != slot->pgoff + slot->npages ||
		     bound.value != r.value || !(slot->flags & GMEM_MEM_GUEST_MEMFD)))
			return s->a = vm->number, s->b = slot->id,
			       "a memslot and its file's bindings differ: VM, memslot";
	}
	return NULL;
}

/* Every binding of a file is to a memslot that its VM has, and that says so. */
static const char *check_files_bindings(struct gmem_block *b, struct gmem_seen *s, uint32_t file)
{
	const struct gmem_file *f = GFILE(b, file);
	struct gmem_range r = { 0, 0, 0 };

	while (gmem_range_next(b, f->bindings, r.end, &r)) {
		const struct gmem_slot *slot = SLOT(b, r.value);
		uint32_t id = (uint32_t)slot->as_id << 16 | slot->id;

		if (gmem_slot_by_id(b, VM(b, slot->vm), id) != r.value || slot->file != file)
			return s->a = INODE(b, f->inode)->ino, s->b = r.start,
			       "a binding to a memslot that is not there: inode, page";
	}
	return NULL;
}

static const char *bindings_and_memslots_agree(struct gmem_block *b, struct gmem_seen *s)
{
	const char *wrong = NULL;

	for (uint32_t i = b->vms; i && !wrong; i = VM(b, i)->next)
		wrong = check_slots_bindings(b, s, VM(b, i));
	for (uint32_t i = b->inodes; i && !wrong; i = INODE(b, i)->next)
		for (uint32_t f = INODE(b, i)->files; f && !wrong; f = GFILE(b, f)->next)
			wrong = check_files_bindings(b, s, f);
	return wrong;
}

/* A memslot whose memory a process can address is found by its userspace_addr. */
static bool is_found_by_hva(struct gmem_block *b, const struct gmem_vm *vm, uint32_t idx)
{
	const struct gmem_slot *s = SLOT(b, idx);
	uint64_t page = PAGES(s->hva);

	return page > PAGES(TASK_SIZE) ||
	       (gmem_range_get(b, vm->hvas, HVA_KEY(page, s->as_id, s->id)) == idx &&
		s->npages <= vm->most_pages);
}

static const char *check_slot_index(struct gmem_block *b, struct gmem_seen *s,
				    const struct gmem_vm *vm)
{
	struct gmem_range r = { 0, 0, 0 }, g;
	uint64_t pages = 0, indexed = 0;

	while (gmem_range_next(b, vm->slots, r.end, &r)) {
		const struct gmem_slot *slot = SLOT(b, r.value);

		pages += slot->npages;
		if (r.start != ((uint32_t)slot->as_id << 16 | slot->id) ||
		    !gmem_range_next(b, vm->gfns[slot->as_id], slot->gfn, &g) ||
		    g.start != slot->gfn || g.end != slot->gfn + slot->npages || g.value != r.value)
			return s->a = vm->number, s->b = slot->id,
			       "a memslot is not where its gfns are: VM, memslot";
		if (!is_found_by_hva(b, vm, r.value))
			return s->a = vm->number, s->b = slot->id,
			       "a memslot is not found by its address: VM, memslot";
	}
	for (unsigned int as = 0; as < GMEM_MAX_AS; as++)
		for (g.end = 0; gmem_range_next(b, vm->gfns[as], g.end, &g);)
			indexed += g.end - g.start;
	if (pages == indexed && pages == vm->nr_memslot_pages)
		return NULL;
	return s->a = pages, s->b = indexed, "memslots and their gfns differ: pages, pages";
}

static const char *memslots_and_gfns_agree(struct gmem_block *b, struct gmem_seen *s)
{
	const char *wrong = NULL;

	for (uint32_t i = b->vms; i && !wrong; i = VM(b, i)->next)
		wrong = check_slot_index(b, s, VM(b, i));
	return wrong;
}

/* What only a row can see, at the moment that it runs. */
static const char *seen_by_a_row(struct gmem_block *b, struct gmem_seen *s)
{
	(void)b;
	(void)s;
	return NULL;
}

static const struct invariant {
	const char *name, *sentence;
	const char *(*holds)(struct gmem_block *b, struct gmem_seen *s);
	bool between_calls;
} invariants[] = {
	{ "I1", "No lock, and no page, is held when an operation is over.", locks_are_free, true },
	{ "I2", "The host maps no private page.", host_maps_no_private_page, false },
	{ "I3", "The host maps no freed page.", host_maps_no_freed_page, false },
	{ "I4", "The guest maps no freed page outside an invalidation.", guest_maps_no_freed_page,
	  true },
	{ "I5", "Every invalidation that starts ends, once.", start_and_end_balance, true },
	{ "I6", "The guest maps private what the attributes call private, and nothing else.",
	  attributes_rule_the_guest, true },
	{ "I7", "Bindings and memslots agree.", bindings_and_memslots_agree, true },
	{ "I8", "Memslots and their gfns agree.", memslots_and_gfns_agree, true },
	{ "I9", "Only pages in use hold bytes.", gmem_check_bytes_are_in_pages, true },
	{ "I10", "Every reference is counted, and none twice.", gmem_check_references, true },
	{ "I11", "Every range tree is in order, and neighbours differ.", gmem_check_trees, false },
	{ "I12", "Every cell belongs to somebody.", gmem_check_cells, true },
	{ "I13", "Every page of a file is shared or private.", gmem_check_attributes_cover_the_file,
	  false },
	{ "I14", "A huge folio is whole as long as all of it is private.",
	  gmem_check_huge_folios_are_private, true },
	{ "I15", "Nothing that is named, or looked at, has been freed.", gmem_check_freed, false },
	{ "I16", "Who is told of pages is told of the gfns that show them, and of no others.",
	  seen_by_a_row, false },
	{ "I17", "A fault is tried again only for what happened to its own page.", seen_by_a_row,
	  false },
};
#define NR_INVARIANTS (sizeof(invariants) / sizeof(invariants[0]))
#define TREES 10u /* I11 */
#define FREED 14u /* I15 */

const char *gmem_invariant(unsigned int n, const char **sentence)
{
	if (n >= NR_INVARIANTS)
		return NULL;
	if (sentence)
		*sentence = invariants[n].sentence;
	return invariants[n].name;
}

static bool holds(const struct gmem_world *w, const struct invariant *inv, struct gmem_violation *v)
{
	struct gmem_seen s = { 0, 0 };
	const char *saw = inv->holds(w->b, &s);

	if (saw && v)
		*v = (struct gmem_violation){ inv->name, inv->sentence, saw, s.a, s.b };
	return !saw;
}

/*
 * Trees first, and then whether what they name is there: through a broken one, or freed memory, the
 * others would see nonsense, or never end.
 */
enum gmem_status gmem_check(const struct gmem_world *w, struct gmem_violation *v)
{
	bool idle = is_idle(w->b);

	if (!holds(w, &invariants[TREES], v) || !holds(w, &invariants[FREED], v))
		return GMEM_VIOLATED;
	for (unsigned int i = 0; i < NR_INVARIANTS; i++)
		if (i != TREES && i != FREED && (idle || !invariants[i].between_calls) &&
		    !holds(w, &invariants[i], v))
			return GMEM_VIOLATED;
	return GMEM_DONE;
}

/* What the step of one operation could break, while another is under way. */
enum gmem_status gmem_check_rows(const struct gmem_world *w, struct gmem_violation *v)
{
	if (!holds(w, &invariants[FREED], v))
		return GMEM_VIOLATED;
	for (unsigned int i = 0; i < FREED; i++)
		if (i != TREES && !invariants[i].between_calls && !holds(w, &invariants[i], v))
			return GMEM_VIOLATED;
	return GMEM_DONE;
}

enum gmem_status gmem_check_looks(const struct gmem_world *w, uint32_t task,
				  struct gmem_violation *v)
{
	const struct invariant *inv = &invariants[FREED];
	struct gmem_seen s = { 0, 0 };
	const char *saw = gmem_check_task(w->b, task, &s);

	if (saw)
		*v = (struct gmem_violation){ inv->name, inv->sentence, saw, s.a, s.b };
	return saw ? GMEM_VIOLATED : GMEM_DONE;
}

static const char *sentence_of(const char *invariant)
{
	for (unsigned int i = 0; i < NR_INVARIANTS; i++)
		if (!strcmp(invariants[i].name, invariant))
			return invariants[i].sentence;
	return "The tables of steps fit together.";
}

void gmem_violate(struct gmem_world *w, const char *invariant, const char *saw, uint64_t a,
		  uint64_t b)
{
	if (w->violated)
		return;
	w->violated = true;
	w->violation = (struct gmem_violation){ invariant, sentence_of(invariant), saw, a, b };
}
