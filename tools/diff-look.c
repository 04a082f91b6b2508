/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What state a world is in, page by page, read and never changed: the only file of the command that
 * knows the structs of model/state.h. See diff.h.
 *
 * Whether a page is private is what counts for the guest: where the VM tracks that and a memslot has
 * the page, the VM's attribute; else the file's.
 */
#include <string.h>

#include "common.h"
#include "convert.h"
#include "diff.h"
#include "ops.h"
#include "profile.h"
#include "ranges.h"
#include "state.h"

const char *const look_names[LOOK_BITS] = { "private", "allocated", "poisoned", "mapped",
					    "guest",   "bound",	    "pinned" };

/* A run that is being found: what is true of its first page, and how far that holds. */
struct spot {
	const struct gmem_block *b;
	const struct gmem_inode *inode;
	uint32_t idx; /* its cell */
	uint64_t page, end;
	uint32_t bits;
};

/* The value at key; *span, the keys from there for which it counts, becomes no more than have it. */
static uint32_t value_at(const struct gmem_block *b, uint32_t root, uint64_t key, uint64_t *span)
{
	struct gmem_range r;

	if (!gmem_range_next_in(b, root, key, key + *span, &r))
		return 0;
	if (r.start > key) {
		*span = r.start - key;
		return 0;
	}
	*span = r.end - key;
	return r.value;
}

static void cut(struct spot *s, uint64_t span)
{
	if (span < s->end - s->page)
		s->end = s->page + span;
}

static uint32_t value(struct spot *s, uint32_t root, uint64_t key)
{
	uint64_t span = s->end - s->page;
	uint32_t v = value_at(s->b, root, key, &span);

	cut(s, span);
	return v;
}

/* 1 if the page is in [from, from + n), pages of the inode; the run ends with that, or before. */
static int is_within(struct spot *s, uint64_t from, uint64_t n)
{
	if (s->page < from) {
		cut(s, from - s->page);
		return 0;
	}
	if (s->page - from >= n)
		return 0;
	cut(s, n - (s->page - from));
	return 1;
}

/* ---- memslots ---- */

static int file_tracks(const struct spot *s, const struct gmem_slot *slot)
{
	if (gmem_file_attributes_are_on(s->b) || s->b->profile->n.private_is_allocated ||
	    !gmem_has_private_mem(s->b, CVM(s->b, slot->vm)))
		return 1;
	return slot->file && s->b->profile->n.has_shareability &&
	       (CINODE(s->b, CFILE(s->b, slot->file)->inode)->flags & GMEM_FLAG_SUPPORT_SHARED);
}

/* The file's page at that gfn of the memslot, where the file says what is private. */
static int is_private_in_file(struct spot *s, const struct gmem_slot *slot, uint64_t gfn)
{
	const struct gmem_inode *inode;
	uint64_t page = slot->pgoff + (gfn - slot->gfn);

	if (!slot->file)
		return 0;
	inode = CINODE(s->b, CFILE(s->b, slot->file)->inode);
	if (s->b->profile->n.private_is_allocated)
		return value(s, inode->folios, page) != 0;
	return value(s, inode->attributes, page) == PAGE_PRIVATE;
}

/* What a memslot makes of the page, which it has at that gfn. */
static void look_at_slot(struct spot *s, const struct gmem_slot *slot, uint64_t gfn)
{
	const struct gmem_vm *vm = CVM(s->b, slot->vm);
	uint32_t spte = value(s, vm->sptes, gfn);
	int is_file = s->inode->kind == INODE_GMEM, is_private;

	s->bits |= 1u << LOOK_BOUND;
	if ((spte & SPTE_PRESENT) && !(spte & SPTE_GMEM) == !is_file)
		s->bits |= 1u << LOOK_GUEST;
	if (is_file && !slot->file)
		return;
	is_private = file_tracks(s, slot) ?
			     is_private_in_file(s, slot, gfn) :
			     (value(s, vm->attributes, gfn) & GMEM_ATTRIBUTE_PRIVATE) != 0;
	s->bits &= ~(1u << LOOK_PRIVATE);
	if (is_private)
		s->bits |= 1u << LOOK_PRIVATE;
}

static void look_at_binding(struct spot *s, const struct gmem_file *f)
{
	uint32_t idx = value(s, f->bindings, s->page);
	const struct gmem_slot *slot = idx ? CSLOT(s->b, idx) : NULL;

	if (slot)
		look_at_slot(s, slot, slot->gfn + (s->page - slot->pgoff));
}

/* Where memslots are on a list, any number of them may have a page. */
static void look_at_notifiers(struct spot *s, const struct gmem_file *f)
{
	struct gmem_range r = { .end = 0 };

	while (gmem_range_next(s->b, f->bindings, r.end, &r)) {
		const struct gmem_slot *slot = CSLOT(s->b, r.value);

		if (is_within(s, slot->pgoff, slot->npages))
			look_at_slot(s, slot, slot->gfn + (s->page - slot->pgoff));
	}
}

static void look_at_bindings(struct spot *s)
{
	uint32_t f;

	for (f = s->inode->files; f; f = CFILE(s->b, f)->next) {
		if (s->b->profile->n.notifier_list)
			look_at_notifiers(s, CFILE(s->b, f));
		else
			look_at_binding(s, CFILE(s->b, f));
	}
}

/* Memslots whose userspace_addr leads to the inode. */
static void look_at_address_of(struct spot *s, const struct gmem_vm *vm,
			       const struct gmem_slot *slot)
{
	const struct gmem_process *p = CPROCESS(s->b, vm->process);
	const uint64_t hva = slot->hva >> GMEM_PAGE_SHIFT;
	uint64_t first;
	uint32_t idx = slot->hva ? gmem_range_get(s->b, p->vmas, hva) : 0;
	const struct gmem_vma *vma = idx ? CVMA(s->b, idx) : NULL;

	if (!vma || vma->inode != s->idx)
		return;
	first = vma->pgoff + (hva - vma->start);
	if (is_within(s, first, slot->npages))
		look_at_slot(s, slot, slot->gfn + (s->page - first));
}

/* Whether the process whose memory the VM's is has not ended. */
static int has_process(const struct gmem_block *b, const struct gmem_vm *vm)
{
	uint32_t p = b->processes;

	while (p && p != vm->process)
		p = CPROCESS(b, p)->next;
	return p != 0;
}

static void look_at_addresses(struct spot *s)
{
	uint32_t vm;

	for (vm = s->b->vms; vm; vm = CVM(s->b, vm)->next) {
		struct gmem_range r = { .end = 0 };

		while (has_process(s->b, CVM(s->b, vm)) &&
		       gmem_range_next(s->b, CVM(s->b, vm)->slots, r.end, &r))
			look_at_address_of(s, CVM(s->b, vm), CSLOT(s->b, r.value));
	}
}

/* ---- the program ---- */

static void look_at_mappings(struct spot *s)
{
	uint32_t v;

	for (v = s->inode->vmas; v; v = CVMA(s->b, v)->next) {
		const struct gmem_vma *vma = CVMA(s->b, v);

		if (is_within(s, vma->pgoff, vma->end - vma->start) &&
		    (value(s, CPROCESS(s->b, vma->process)->ptes,
			   vma->start + (s->page - vma->pgoff)) &
		     PTE_PRESENT))
			s->bits |= 1u << LOOK_HOST;
	}
}

static void look_at_pins(struct spot *s)
{
	uint32_t p;

	for (p = s->inode->pins; p; p = CPIN(s->b, p)->next)
		if (value(s, CPIN(s->b, p)->holder, s->page) == s->idx)
			s->bits |= 1u << LOOK_PINNED;
}

/* ---- a strip ---- */

/* Of a page that no memslot has. */
static int is_private_by_itself(struct spot *s)
{
	if (s->b->profile->n.private_is_allocated)
		return value(s, s->inode->folios, s->page) != 0;
	if (s->b->profile->n.ancestor)
		return (s->inode->memfd & (MEMFD_INACCESSIBLE | MEMFD_RESTRICTED)) != 0;
	return value(s, s->inode->attributes, s->page) != PAGE_SHARED;
}

static struct look_run look_run(const struct gmem_block *b, uint32_t idx, uint64_t page,
				uint64_t end)
{
	struct spot s = { b, CINODE(b, idx), idx, page, end, 0 };
	uint32_t folio = value(&s, s.inode->folios, page);

	if (s.inode->kind == INODE_GMEM && is_private_by_itself(&s))
		s.bits |= 1u << LOOK_PRIVATE;
	if (folio)
		s.bits |= 1u << LOOK_ALLOCATED;
	if (folio & FOLIO_POISONED)
		s.bits |= 1u << LOOK_POISONED;
	if (s.inode->kind == INODE_GMEM)
		look_at_bindings(&s);
	else
		look_at_addresses(&s);
	look_at_mappings(&s);
	look_at_pins(&s);
	return (struct look_run){ page, s.end, s.bits };
}

static uint32_t inode_numbered(const struct gmem_block *b, uint64_t ino)
{
	uint32_t i = b->inodes;

	while (i && CINODE(b, i)->ino != ino)
		i = CINODE(b, i)->next;
	return i;
}

void look_at(const struct gmem_world *w, uint64_t ino, struct look_strip *strip)
{
	uint32_t idx = inode_numbered(w->b, ino);
	uint64_t page = 0, end;
	size_t room = 0;

	*strip = (struct look_strip){ .runs = NULL };
	if (!idx)
		return;
	strip->there = 1;
	end = gmem_pages_of(CINODE(w->b, idx)->size);
	while (page < end) {
		struct look_run r = look_run(w->b, idx, page, end);
		struct look_run *last = strip->nr_runs ? &strip->runs[strip->nr_runs - 1] : NULL;

		page = r.end;
		if (last && last->bits == r.bits) {
			last->end = r.end;
			continue;
		}
		strip->more = strip->nr_runs == LOOK_MOST_RUNS;
		if (strip->more)
			return;
		strip->runs = xgrow(strip->runs, strip->nr_runs, &room, sizeof(r));
		strip->runs[strip->nr_runs++] = r;
	}
}

/* ---- names of inodes ---- */

static const struct gmem_process *process_of(const struct gmem_block *b, uint32_t task)
{
	if (task >= GMEM_MAX_TASKS || !b->tasks[task])
		return NULL;
	return CPROCESS(b, CTASK(b, b->tasks[task])->process);
}

uint64_t look_fd(const struct gmem_world *w, uint32_t task, int64_t fd)
{
	const struct gmem_process *p = process_of(w->b, task);
	uint32_t f = p && fd >= 0 ? gmem_range_get(w->b, p->fds, (uint64_t)fd) : 0;

	if (!f || CFILE(w->b, f)->kind != FILE_GMEM)
		return 0;
	return CINODE(w->b, CFILE(w->b, f)->inode)->ino;
}

uint64_t look_addr(const struct gmem_world *w, uint32_t task, uint64_t addr)
{
	const struct gmem_process *p = process_of(w->b, task);
	uint32_t v = p ? gmem_range_get(w->b, p->vmas, addr >> GMEM_PAGE_SHIFT) : 0;

	return v ? CINODE(w->b, CVMA(w->b, v)->inode)->ino : 0;
}
