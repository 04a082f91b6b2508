/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the world knows about the files of the mount, read from its state and never changed: which
 * pages are private, allocated, mapped, bound or pinned. The only file of gmemfs that knows the
 * structs of model/state.h; everybody else makes calls.
 */
#include "gmemfs.h"

#include "convert.h"
#include "ops.h"
#include "ranges.h"
#include "state.h"
#include "step.h"

const char *const page_bit_names[NR_PAGE_BITS] = { "private", "allocated", "poisoned", "mapped",
						   "guest",   "bound",	   "pinned" };

/* Of cells that only calls get which give more back. */
#define KEPT_CELLS 1024u

int look_has_room(const struct gmem_call *c)
{
	const struct gmem_block *b = fs.w->b;
	uint64_t free = (uint64_t)b->capacity - b->used + b->nr_free;

	if (free > KEPT_CELLS && free - KEPT_CELLS >= gmem_cells_for_call(fs.w, c))
		return 1;
	return gmem_reserve(fs.w, gmem_cells_for_call(fs.w, c) + KEPT_CELLS);
}

static const struct gmem_process *process(void)
{
	return CPROCESS(fs.w->b, CTASK(fs.w->b, fs.w->b->tasks[0])->process);
}

static const struct gmem_file *file_of(const struct node *n)
{
	return CFILE(fs.w->b, gmem_range_get(fs.w->b, process()->fds, (uint64_t)n->fd));
}

static const struct gmem_inode *inode_of_node(const struct node *n)
{
	return CINODE(fs.w->b, file_of(n)->inode);
}

/* The value at key, and in *end where it ends, if that is before. */
static uint32_t value_until(uint32_t root, uint64_t key, uint64_t *end)
{
	struct gmem_range r;

	if (!gmem_range_next_in(fs.w->b, root, key, *end, &r))
		return 0;
	if (r.start > key) {
		*end = r.start;
		return 0;
	}
	*end = r.end;
	return r.value;
}

static int mapped_by_guest(const struct gmem_file *f, uint64_t page, uint64_t *end)
{
	uint32_t slot = value_until(f->bindings, page, end);
	const struct gmem_slot *s = slot ? CSLOT(fs.w->b, slot) : NULL;
	uint64_t gfn, gfn_end;
	uint32_t spte;

	if (!s)
		return 0;
	gfn = s->gfn + (page - s->pgoff);
	gfn_end = gfn + (*end - page);
	spte = value_until(CVM(fs.w->b, s->vm)->sptes, gfn, &gfn_end);
	*end = page + (gfn_end - gfn);
	return (spte & SPTE_PRESENT) && (spte & SPTE_GMEM);
}

static int pinned(const struct gmem_inode *inode, uint64_t page, uint64_t *end)
{
	int found = 0;

	for (uint32_t p = inode->pins; p; p = CPIN(fs.w->b, p)->next) {
		uint32_t holder = value_until(CPIN(fs.w->b, p)->holder, page, end);

		found |= holder && CINODE(fs.w->b, holder) == inode;
	}
	return found;
}

/* The daemon's mapping has no gaps, and its pages are the file's in order. */
static uint32_t mapped_by_host(const struct node *n, uint64_t page, uint64_t *end)
{
	uint64_t base = n->map >> GMEM_PAGE_SHIFT, there = base + *end;
	uint32_t pte;

	if (!n->map)
		return 0;
	pte = value_until(process()->ptes, base + page, &there);
	*end = there - base;
	return pte & PTE_PRESENT;
}

struct run look_run(const struct node *n, uint64_t first, uint64_t end)
{
	const struct gmem_file *f = file_of(n);
	const struct gmem_inode *inode = inode_of_node(n);
	struct run r = { first, end, 0 };
	uint32_t folio;

	if (value_until(inode->attributes, first, &r.end) != PAGE_SHARED)
		r.bits |= PAGES_PRIVATE;
	folio = value_until(inode->folios, first, &r.end);
	if (folio)
		r.bits |= PAGES_ALLOCATED;
	if (folio & FOLIO_POISONED)
		r.bits |= PAGES_POISONED;
	if (mapped_by_host(n, first, &r.end))
		r.bits |= PAGES_HOST;
	if (value_until(f->bindings, first, &r.end))
		r.bits |= PAGES_BOUND;
	if (mapped_by_guest(f, first, &r.end))
		r.bits |= PAGES_GUEST;
	if (pinned(inode, first, &r.end))
		r.bits |= PAGES_PINNED;
	return r;
}

uint64_t look_shared_until(const struct node *n, uint64_t first, uint64_t end)
{
	return gmem_shared_until(fs.w->b, inode_of_node(n), first, end);
}

int look_all_mapped(const struct node *n, uint64_t first, uint64_t end)
{
	uint64_t until;

	for (; first < end; first = until) {
		until = end;
		if (!mapped_by_host(n, first, &until))
			return 0;
	}
	return 1;
}

int look_any_mapped(const struct node *n, uint64_t first, uint64_t end)
{
	uint64_t base = n->map >> GMEM_PAGE_SHIFT;

	return n->map && !gmem_range_empty(fs.w->b, process()->ptes, base + first, base + end);
}

int look_open(const struct node *n, uint64_t page)
{
	return !gmem_range_empty(fs.w->b, inode_of_node(n)->open_bytes, page << GMEM_PAGE_SHIFT,
				 (page + 1) << GMEM_PAGE_SHIFT);
}

int look_next_open(const struct node *n, uint64_t *start, uint64_t *end)
{
	struct gmem_range r;

	if (*start >= *end ||
	    !gmem_range_next_in(fs.w->b, inode_of_node(n)->open_bytes, *start, *end, &r))
		return 0;
	*start = r.start;
	*end = r.end;
	return 1;
}

unsigned int look_order(const struct node *n)
{
	return inode_of_node(n)->order;
}

static unsigned int count_ranges(uint32_t root, uint64_t end)
{
	struct gmem_range r = { 0 };
	unsigned int n = 0;

	while (gmem_range_next_in(fs.w->b, root, r.end, end, &r))
		n++;
	return n;
}

unsigned int look_ranges(const struct node *n)
{
	const struct gmem_inode *inode = inode_of_node(n);
	uint64_t end = n->size >> GMEM_PAGE_SHIFT;

	return count_ranges(inode->attributes, end) + count_ranges(inode->folios, end);
}

static struct node *node_of_file(uint32_t file)
{
	struct node *n;

	for (n = fs.files; n; n = n->next_file)
		if (n->kind == NODE_FILE && n->fd != NO_FD &&
		    gmem_range_get(fs.w->b, process()->fds, (uint64_t)n->fd) == file)
			return n;
	return NULL;
}

static const struct gmem_vm *vm_behind(const struct node *vm)
{
	return CVM(fs.w->b, file_of(vm)->vm);
}

struct node *look_gpa(const struct node *vm, uint64_t gpa, uint64_t *offset)
{
	uint64_t gfn = gpa >> GMEM_PAGE_SHIFT;
	uint32_t idx = gmem_range_get(fs.w->b, vm_behind(vm)->gfns[0], gfn);
	const struct gmem_slot *s = idx ? CSLOT(fs.w->b, idx) : NULL;

	if (!s || !s->file)
		return NULL;
	*offset = ((s->pgoff + (gfn - s->gfn)) << GMEM_PAGE_SHIFT) + gpa % GMEM_PAGE_SIZE;
	return node_of_file(s->file);
}

int look_guest_has(const struct node *vm, uint64_t gpa)
{
	uint32_t spte = gmem_range_get(fs.w->b, vm_behind(vm)->sptes, gpa >> GMEM_PAGE_SHIFT);

	return (spte & SPTE_PRESENT) && (spte & SPTE_GMEM);
}

void look_print_slots(FILE *f, const struct node *vm)
{
	struct gmem_range r = { 0 };

	while (gmem_range_next(fs.w->b, vm_behind(vm)->slots, r.end, &r)) {
		const struct gmem_slot *s = CSLOT(fs.w->b, r.value);
		const struct node *n = s->file ? node_of_file(s->file) : NULL;

		fprintf(f, "    slot %u: gpa 0x%llx, %llu bytes", s->id,
			(unsigned long long)s->gfn << GMEM_PAGE_SHIFT,
			(unsigned long long)s->npages << GMEM_PAGE_SHIFT);
		if (n)
			fprintf(f, ", %s from %llu", n->name,
				(unsigned long long)s->pgoff << GMEM_PAGE_SHIFT);
		fputc('\n', f);
	}
}

void look_print_runs(FILE *f, const struct node *n, uint64_t first, unsigned int most)
{
	uint64_t end = n->size >> GMEM_PAGE_SHIFT;
	unsigned int i;
	struct run r, next;

	for (r.end = first; r.end < end && most; most--) {
		r = look_run(n, r.end, end);
		while (r.end < end && (next = look_run(n, r.end, end)).bits == r.bits)
			r.end = next.end;
		fprintf(f, "%llu+%llu=%s", (unsigned long long)r.first << GMEM_PAGE_SHIFT,
			(unsigned long long)(r.end - r.first) << GMEM_PAGE_SHIFT,
			r.bits & PAGES_PRIVATE ? "private" : "shared");
		for (i = 1; i < NR_PAGE_BITS; i++)
			if (r.bits >> i & 1)
				fprintf(f, ",%s", page_bit_names[i]);
		fputc('\n', f);
	}
}
