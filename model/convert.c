/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who may have a page: the answer that everybody else asks for, and what a conversion does to it.
 *
 * Every page of a guest_memfd is shared or private (gmem_inode.attributes). Until 6.18 that never
 * changes. A guest's page is private if the file says so, or the VM, and which of them is asked is
 * a matter of the profile and of the machine's switch.
 */
#include "convert.h"

#include "ops.h"
#include "profile.h"

bool gmem_file_attributes_are_on(const struct gmem_block *b)
{
	return b->profile->n.has_file_attributes && b->machine.in_place &&
	       b->machine.arch == GMEM_X86_64;
}

/* The memslot's file, unless it is closed or dying. */
static const struct gmem_file *open_file(const struct gmem_block *b, const struct gmem_slot *s)
{
	const struct gmem_file *f = s && s->file ? CFILE(b, s->file) : NULL;

	return f && f->refs ? f : NULL;
}

/* As planned, only the files of a VM that has left private tracking to them. */
static bool supports_shared(const struct gmem_block *b, const struct gmem_file *f)
{
	return b->profile->n.has_shareability &&
	       (CINODE(b, f->inode)->flags & GMEM_FLAG_SUPPORT_SHARED) &&
	       (!b->profile->n.either_or || CVM(b, f->vm)->file_tracks);
}

/* Shareability asks the file each time, and a closed one no more. */
bool gmem_slot_is_gmem_only(const struct gmem_block *b, const struct gmem_slot *s)
{
	const struct gmem_file *f;

	if (!b->profile->n.has_shareability)
		return s->kflags & SLOT_GMEM_ONLY;
	f = open_file(b, s);
	return f && supports_shared(b, f);
}

uint32_t gmem_initial_attribute(const struct gmem_block *b, uint64_t flags)
{
	bool shared = flags & GMEM_FLAG_INIT_SHARED;

	if (b->profile->n.has_shareability)
		shared = (flags & GMEM_FLAG_SUPPORT_SHARED) && !(flags & GMEM_FLAG_INIT_PRIVATE);
	return shared ? PAGE_SHARED : PAGE_PRIVATE;
}

bool gmem_is_shared(const struct gmem_block *b, const struct gmem_inode *inode, uint64_t pgoff)
{
	return gmem_range_get(b, inode->attributes, pgoff) == PAGE_SHARED;
}

uint64_t gmem_shared_until(const struct gmem_block *b, const struct gmem_inode *inode,
			   uint64_t pgoff, uint64_t end)
{
	struct gmem_range r;

	if (!gmem_range_next_in(b, inode->attributes, pgoff, end, &r) || r.start > pgoff ||
	    r.value != PAGE_SHARED)
		return pgoff;
	return r.end;
}

bool gmem_has_attribute(const struct gmem_block *b, const struct gmem_inode *inode, uint64_t start,
			uint64_t end, uint32_t attribute)
{
	return gmem_range_is(b, inode->attributes, start, end, attribute);
}

static const struct gmem_slot *slot_at(const struct gmem_block *b, uint32_t vm, uint64_t gfn)
{
	uint32_t idx = gmem_slot_by_gfn(b, CVM(b, vm), gfn);

	return idx ? CSLOT(b, idx) : NULL;
}

/* kvm_gmem_is_private_gfn(): without a memslot or an open file there is nothing private */
static bool is_private_in(const struct gmem_block *b, uint32_t vm, uint64_t gfn,
			  const struct gmem_slot *s)
{
	const struct gmem_file *f = open_file(b, s);

	if (b->profile->n.private_is_allocated)
		return s && s->file &&
		       gmem_folio(b, CINODE(b, CFILE(b, s->file)->inode),
				  s->pgoff + (gfn - s->gfn));
	if (gmem_file_attributes_are_on(b) || (f && supports_shared(b, f)))
		return f && !gmem_is_shared(b, CINODE(b, f->inode), s->pgoff + (gfn - s->gfn));
	return gmem_range_get(b, CVM(b, vm)->attributes, gfn) & GMEM_ATTRIBUTE_PRIVATE;
}

bool gmem_is_private_gfn(const struct gmem_block *b, uint32_t vm, uint64_t gfn)
{
	return is_private_in(b, vm, gfn, slot_at(b, vm, gfn));
}

bool gmem_ask_gfn(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	const struct gmem_slot *s = slot_at(run->b, t->vm, t->gfn);

	if (s && s->file) {
		t->file = s->file;
		t->inode = GFILE(run->b, t->file)->inode;
		t->start = s->pgoff + (t->gfn - s->gfn);
		t->end = t->start + 1;
	}
	return is_private_in(run->b, t->vm, t->gfn, s);
}

/*
 * Shareability was posted on a kernel whose pre-fault asked whether the VM may have guest_memfds at
 * all; here every VM may.
 */
bool gmem_guest_may_map_private(const struct gmem_block *b, const struct gmem_vm *vm)
{
	return b->profile->n.has_shareability || gmem_has_private_mem(b, vm);
}

/* The first page of [start, end) that is long-term pinned, or end. */
static uint64_t first_pinned(const struct gmem_block *b, uint32_t inode, uint64_t start,
			     uint64_t end)
{
	for (uint32_t p = CINODE(b, inode)->pins; p; p = CPIN(b, p)->next) {
		struct gmem_range r = { 0, start, 0 };

		while (gmem_range_next_in(b, CPIN(b, p)->holder, r.end, end, &r))
			if (r.value == inode)
				end = r.start;
	}
	return end;
}

/* The first page of [start, end) that has failed, or end: memory_failure() keeps its reference. */
static uint64_t first_poisoned(const struct gmem_block *b, uint32_t inode, uint64_t start,
			       uint64_t end)
{
	struct gmem_range r = { 0, start, 0 };

	while (gmem_range_next_in(b, CINODE(b, inode)->folios, r.end, end, &r))
		if (r.value & FOLIO_POISONED)
			return r.start;
	return end;
}

/* A page that a host fault has mapped since the range left the page tables is in use, too. */
uint64_t gmem_first_mapped(const struct gmem_block *b, uint32_t inode, uint64_t start, uint64_t end)
{
	for (uint32_t i = CINODE(b, inode)->vmas; i; i = CVMA(b, i)->next) {
		const struct gmem_vma *v = CVMA(b, i);
		uint64_t from = start > v->pgoff ? start - v->pgoff : 0;
		struct gmem_range r = { 0, v->start + from, 0 };

		if (end <= v->pgoff)
			continue;
		while (gmem_range_next_in(
			b, CPROCESS(b, v->process)->ptes, r.end,
			v->start + (end - v->pgoff) < v->end ? v->start + (end - v->pgoff) : v->end,
			&r))
			if (r.value & PTE_PRESENT)
				end = v->pgoff + (r.start - v->start);
	}
	return end;
}

uint64_t gmem_first_busy(const struct gmem_run *run, uint64_t start, uint64_t end)
{
	const struct gmem_block *b = run->b;
	uint32_t inode = run->t->inode;

	end = gmem_first_mapped(b, inode, start, first_pinned(b, inode, start, end));
	end = first_poisoned(b, inode, start, end);
	for (unsigned int i = 0; i < GMEM_MAX_TASKS; i++) {
		const struct gmem_task *t = b->tasks[i] ? CTASK(b, b->tasks[i]) : run->t;

		if (t != run->t && t->depth && t->folio_of == inode && t->folio >= start &&
		    t->folio < end)
			end = t->folio;
	}
	return end;
}

bool folios_are_free(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	uint64_t busy = gmem_first_busy(run, t->start, t->end);

	if (busy == t->end)
		return true;
	t->err_page = busy;
	return false;
}

/* What a page holds was private memory of a guest that the host cannot read, or will be. */
static bool contents_are_the_vendors(const struct gmem_vm *vm)
{
	return vm->type == GMEM_VM_SNP || vm->type == GMEM_VM_TDX;
}

void gmem_scramble(struct gmem_run *run, uint64_t start, uint64_t end)
{
	struct gmem_inode *inode = INODE(run->b, run->t->inode);
	struct gmem_range r = { 0, start, 0 };

	while (gmem_range_next_in(run->b, inode->folios, r.end, end, &r))
		if (r.value & FOLIO_UPTODATE)
			gmem_range_set(run->b, &inode->open_bytes, BYTES(r.start), BYTES(r.end), 1);
}

void gmem_convert_contents(struct gmem_run *run, uint64_t start, uint64_t end, uint32_t attribute)
{
	const struct gmem_inode *inode = INODE(run->b, run->t->inode);
	struct gmem_range r = { 0, start, 0 };

	if (!contents_are_the_vendors(VM(run->b, GFILE(run->b, run->t->file)->vm)))
		return;
	while (gmem_range_next_in(run->b, inode->attributes, r.end, end, &r))
		if (r.value != attribute)
			gmem_scramble(run, r.start, r.end);
}
