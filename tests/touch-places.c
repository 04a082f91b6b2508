/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which place of which object an access is (touched.h): field by field, as state.h has them.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "ops.h"
#include "touched.h"

/* What a field is, beside a place. */
enum { FIXED = 100, SCRATCH, ITS_LOCK, OF_INODE, OF_MAPPING, OF_PIN, OF_TASKS };

static const struct field {
	uint8_t kind, size;
	uint16_t offset;
	uint8_t place, is_root;
} fields[] = {
#define FIELD(kind, type, field, place)                                                         \
	{                                                                                       \
		kind, sizeof(((struct type *)0)->field), offsetof(struct type, field), place, 0 \
	}
#define ROOT(kind, type, field, place)                                                          \
	{                                                                                       \
		kind, sizeof(((struct type *)0)->field), offsetof(struct type, field), place, 1 \
	}
	FIELD(KIND_INODE, gmem_inode, kind, FIXED),
	FIELD(KIND_INODE, gmem_inode, refs, INODE_LIFE),
	FIELD(KIND_INODE, gmem_inode, ino, FIXED),
	FIELD(KIND_INODE, gmem_inode, size, MEMFD_STATE),
	FIELD(KIND_INODE, gmem_inode, memfd, MEMFD_STATE),
	FIELD(KIND_INODE, gmem_inode, seals, MEMFD_STATE),
	FIELD(KIND_INODE, gmem_inode, mode, MEMFD_STATE),
	FIELD(KIND_INODE, gmem_inode, st_dev, MEMFD_STATE),
	FIELD(KIND_INODE, gmem_inode, hidden_dev, FIXED),
	FIELD(KIND_INODE, gmem_inode, st_ino, MEMFD_STATE),
	FIELD(KIND_INODE, gmem_inode, hidden_ino, FIXED),
	FIELD(KIND_INODE, gmem_inode, flags, FIXED),
	FIELD(KIND_INODE, gmem_inode, next, SCRATCH),
	FIELD(KIND_INODE, gmem_inode, prev, SCRATCH),
	FIELD(KIND_INODE, gmem_inode, files, INODE_LIFE),
	ROOT(KIND_INODE, gmem_inode, folios, FOLIOS),
	ROOT(KIND_INODE, gmem_inode, attributes, SHARES),
	ROOT(KIND_INODE, gmem_inode, bytes, INODE_BYTES),
	ROOT(KIND_INODE, gmem_inode, open_bytes, INODE_BYTES),
	FIELD(KIND_INODE, gmem_inode, order, FIXED),
	FIELD(KIND_INODE, gmem_inode, pins, PINS),
	FIELD(KIND_INODE, gmem_inode, vmas, INODE_VMAS),
	FIELD(KIND_INODE, gmem_inode, mark, SCRATCH),
	FIELD(KIND_FILE, gmem_file, kind, FIXED),
	FIELD(KIND_FILE, gmem_file, refs, FILE_LIFE),
	FIELD(KIND_FILE, gmem_file, inode, FIXED),
	FIELD(KIND_FILE, gmem_file, vm, FIXED),
	ROOT(KIND_FILE, gmem_file, bindings, BINDINGS),
	FIELD(KIND_FILE, gmem_file, next, OF_INODE),
	FIELD(KIND_FILE, gmem_file, next_dying, SCRATCH),
	ROOT(KIND_FILE, gmem_file, parts, OF_PIN),
	FIELD(KIND_FILE, gmem_file, npages, FIXED),
	FIELD(KIND_FILE, gmem_file, pos, BINDINGS),
	FIELD(KIND_FILE, gmem_file, mount, FIXED),
	FIELD(KIND_FILE, gmem_file, dev, FIXED),
	FIELD(KIND_FILE, gmem_file, f_op, BINDINGS),
	FIELD(KIND_FILE, gmem_file, backing_f_op, BINDINGS),
	FIELD(KIND_FILE, gmem_file, f_op_held, BINDINGS),
	FIELD(KIND_VM, gmem_vm, type, FIXED),
	FIELD(KIND_VM, gmem_vm, users, VM_LIFE),
	FIELD(KIND_VM, gmem_vm, process, VM_STATE),
	FIELD(KIND_VM, gmem_vm, next, REGISTRY),
	FIELD(KIND_VM, gmem_vm, prev, REGISTRY),
	FIELD(KIND_VM, gmem_vm, number, FIXED),
	FIELD(KIND_VM, gmem_vm, gpa_bits, FIXED),
	FIELD(KIND_VM, gmem_vm, launched, VM_STATE),
	FIELD(KIND_VM, gmem_vm, file_tracks, VM_STATE),
	FIELD(KIND_VM, gmem_vm, memory_mce, VM_STATE),
	FIELD(KIND_VM, gmem_vm, srcu, ITS_LOCK),
	FIELD(KIND_VM, gmem_vm, srcu_idx, ITS_LOCK),
	ROOT(KIND_VM, gmem_vm, slots, SLOTS),
	ROOT(KIND_VM, gmem_vm, gfns[0], SLOTS),
	ROOT(KIND_VM, gmem_vm, gfns[1], SLOTS),
	ROOT(KIND_VM, gmem_vm, hvas, SLOTS),
	ROOT(KIND_VM, gmem_vm, attributes, GFN_ATTRS),
	FIELD(KIND_VM, gmem_vm, most_pages, SLOTS),
	FIELD(KIND_VM, gmem_vm, nr_memslot_pages, SLOTS),
	ROOT(KIND_VM, gmem_vm, sptes, SPTES),
	FIELD(KIND_VM, gmem_vm, in_progress, INVALIDATION),
	FIELD(KIND_VM, gmem_vm, range_start, INVALIDATION),
	FIELD(KIND_VM, gmem_vm, range_end, INVALIDATION),
	FIELD(KIND_VM, gmem_vm, seq, INVALIDATION),
	FIELD(KIND_VM, gmem_vm, notifiers, NOTIFIED),
	FIELD(KIND_SLOT, gmem_slot, vm, SLOTS),
	FIELD(KIND_SLOT, gmem_slot, id, SLOTS),
	FIELD(KIND_SLOT, gmem_slot, as_id, SLOTS),
	FIELD(KIND_SLOT, gmem_slot, flags, SLOTS),
	FIELD(KIND_SLOT, gmem_slot, kflags, SLOTS),
	FIELD(KIND_SLOT, gmem_slot, gfn, SLOTS),
	FIELD(KIND_SLOT, gmem_slot, npages, SLOTS),
	FIELD(KIND_SLOT, gmem_slot, hva, SLOTS),
	FIELD(KIND_SLOT, gmem_slot, file, SLOT_FILES),
	FIELD(KIND_SLOT, gmem_slot, inode, SLOTS),
	FIELD(KIND_SLOT, gmem_slot, pgoff, SLOTS),
	FIELD(KIND_PROCESS, gmem_process, number, FIXED),
	FIELD(KIND_PROCESS, gmem_process, tasks, TASKS),
	FIELD(KIND_PROCESS, gmem_process, next, SCRATCH),
	FIELD(KIND_PROCESS, gmem_process, prev, SCRATCH),
	ROOT(KIND_PROCESS, gmem_process, fds, FDS),
	ROOT(KIND_PROCESS, gmem_process, cloexec, FDS),
	ROOT(KIND_PROCESS, gmem_process, vmas, VMAS),
	ROOT(KIND_PROCESS, gmem_process, ptes, PTES),
	FIELD(KIND_PROCESS, gmem_process, nr_fds, FDS),
	FIELD(KIND_PROCESS, gmem_process, mmap_next, VMAS),
	FIELD(KIND_VMA, gmem_vma, process, OF_MAPPING),
	FIELD(KIND_VMA, gmem_vma, inode, OF_MAPPING),
	FIELD(KIND_VMA, gmem_vma, file, OF_MAPPING),
	FIELD(KIND_VMA, gmem_vma, next, INODE_VMAS),
	FIELD(KIND_VMA, gmem_vma, prev, INODE_VMAS),
	FIELD(KIND_VMA, gmem_vma, prot, VMAS),
	FIELD(KIND_VMA, gmem_vma, never, VMAS),
	FIELD(KIND_VMA, gmem_vma, written, COPIES),
	FIELD(KIND_VMA, gmem_vma, start, OF_MAPPING),
	FIELD(KIND_VMA, gmem_vma, end, OF_MAPPING),
	FIELD(KIND_VMA, gmem_vma, pgoff, OF_MAPPING),
	FIELD(KIND_PIN, gmem_pin, inode, PINS),
	FIELD(KIND_PIN, gmem_pin, next, PINS),
	ROOT(KIND_PIN, gmem_pin, holder, PINS),
	FIELD(KIND_PIN, gmem_pin, page, FIXED),
	FIELD(KIND_PIN, gmem_pin, pgoff, FIXED),
	FIELD(KIND_PIN, gmem_pin, npages, FIXED),
	/* Other tasks'; its own are nothing. */
	FIELD(KIND_TASK, gmem_task, process, FIXED),
	FIELD(KIND_TASK, gmem_task, depth, OF_TASKS),
	FIELD(KIND_TASK, gmem_task, level, OF_TASKS),
	FIELD(KIND_TASK, gmem_task, owner, OF_TASKS),
	FIELD(KIND_TASK, gmem_task, at_vm, OF_TASKS),
	FIELD(KIND_TASK, gmem_task, folio_of, HOLDS),
	FIELD(KIND_TASK, gmem_task, folio, HOLDS),
	ROOT(KIND_TASK, gmem_task, work, FIXED),
	FIELD(KIND_HEAD, gmem_block, profile, FIXED),
	FIELD(KIND_HEAD, gmem_block, machine, FIXED),
	FIELD(KIND_HEAD, gmem_block, gone, TASKS),
	FIELD(KIND_HEAD, gmem_block, inodes, SCRATCH),
	FIELD(KIND_HEAD, gmem_block, vms, REGISTRY),
	FIELD(KIND_HEAD, gmem_block, processes, SCRATCH),
	FIELD(KIND_HEAD, gmem_block, next_vm, REGISTRY),
	FIELD(KIND_HEAD, gmem_block, next_process, SCRATCH),
	FIELD(KIND_HEAD, gmem_block, next_ino, SCRATCH),
	FIELD(KIND_HEAD, gmem_block, nr_slots, SCRATCH),
	FIELD(KIND_HEAD, gmem_block, nr_vmas, SCRATCH),
	FIELD(KIND_HEAD, gmem_block, nr_pins, SCRATCH),
	FIELD(KIND_HEAD, gmem_block, tasks, OF_TASKS),
};

static const struct field *find_field(enum touched_kind kind, uint32_t offset)
{
	static const struct field *at[NR_KINDS][512];
	static bool there;

	for (size_t i = 0; !there && i < sizeof(fields) / sizeof(fields[0]); i++)
		for (unsigned int n = 0; n < fields[i].size; n++)
			at[fields[i].kind][fields[i].offset + n] = &fields[i];
	there = true;
	return offset < 512 ? at[kind][offset] : NULL;
}

bool touched_is_root(enum touched_kind kind, uint32_t offset)
{
	const struct field *f = find_field(kind, offset);

	return f && f->is_root && f->offset == offset;
}

/* ---- what cells are ---- */

static uint8_t *kinds;
static uint32_t nr_kinds;

static enum touched_kind kind_of_tag(const struct gmem_block *b, uint32_t cell)
{
	switch (*(const uint32_t *)((const char *)gmem_ccell(b, cell) + GMEM_TAG_OFFSET)) {
	case TAG_INODE:
		return KIND_INODE;
	case TAG_FILE:
		return KIND_FILE;
	case TAG_VM:
		return KIND_VM;
	case TAG_SLOT:
		return KIND_SLOT;
	case TAG_PROCESS:
		return KIND_PROCESS;
	case TAG_VMA:
		return KIND_VMA;
	default:
		return KIND_NONE;
	}
}

static void look_at_pins(const struct gmem_block *b, uint32_t file)
{
	struct gmem_range r = { 0, 0, 0 };

	while (gmem_range_next(b, CFILE(b, file)->parts, r.end, &r))
		kinds[r.value] = KIND_PIN;
}

void touched_look(const struct gmem_block *b)
{
	if (nr_kinds < b->capacity) {
		nr_kinds = 2 * b->capacity;
		kinds = xrealloc(kinds, nr_kinds, 1);
	}
	memset(kinds, KIND_NONE, nr_kinds);
	for (uint32_t i = 1; i < b->used; i++)
		kinds[i] = kind_of_tag(b, i);
	for (uint32_t i = 1; i < b->used; i++)
		if (kinds[i] == KIND_FILE)
			look_at_pins(b, i);
	for (unsigned int i = 0; i < GMEM_MAX_TASKS; i++)
		if (b->tasks[i]) {
			kinds[b->tasks[i]] = KIND_TASK;
			kinds[CTASK(b, b->tasks[i])->op] = KIND_OP;
		}
}

enum touched_kind touched_kind_of(const struct gmem_block *b, uint32_t cell)
{
	enum touched_kind now;

	if (cell == NO_CELL)
		return KIND_HEAD;
	if (cell >= b->used) /* not yet */
		return KIND_NONE;
	now = kind_of_tag(b, cell);
	return now || cell >= nr_kinds ? now : kinds[cell];
}

const char *touched_kind_name(enum touched_kind kind)
{
	static const char *const names[NR_KINDS] = { "nobody's cell", "inode",	 "file",    "VM",
						     "memslot",	      "process", "mapping", "pin",
						     "other task",    "call",	 "world" };

	return names[kind];
}

const char *touched_place_name(uint32_t place)
{
	static const char *const names[32] = {
#define NAME(place) [place] = #place
		NAME(FDS),
		NAME(VMAS),
		NAME(PTES),
		NAME(COPIES),
		NAME(FILE_LIFE),
		NAME(BINDINGS),
		NAME(INODE_LIFE),
		NAME(INODE_VMAS),
		NAME(FOLIOS),
		NAME(SHARES),
		NAME(INODE_BYTES),
		NAME(PINS),
		NAME(MAPPED),
		NAME(HOLDS),
		NAME(VM_LIFE),
		NAME(VM_STATE),
		NAME(SLOTS),
		NAME(SLOT_FILES),
		NAME(GFN_ATTRS),
		NAME(SPTES),
		NAME(INVALIDATION),
		NAME(NOTIFIED),
		NAME(REGISTRY),
		NAME(TASKS),
		[LOCK_PLACE(SRCU)] = "SRCU",
	};

	return place < 32 && names[place] ? names[place] : "what steps do not touch";
}

/* ---- what an access is ---- */

/* Trees of bytes, as pages. */
static void set_pages(struct touched_need *n, const struct touched *a, const struct field *f)
{
	bool bytes = f->place == INODE_BYTES;

	n->has_pages = a->what == TOUCHED_TREE;
	n->start = bytes ? PAGES(a->start) : a->start;
	n->end = bytes && a->end != UINT64_MAX ? PAGES(a->end + GMEM_PAGE_SIZE - 1) : a->end;
}

static struct touched_need whole(uint32_t place, uint32_t owner, bool write)
{
	return (struct touched_need){ .place = place, .owner = owner, .write = write };
}

/* Mappings are found by address and, through their inode, by page. */
static struct touched_need need_of_vma(const struct gmem_block *b, const struct field *f,
				       const struct touched *a, struct touched_need *also)
{
	const struct gmem_vma *v = CVMA(b, a->cell);

	if (f->place == INODE_VMAS)
		return whole(INODE_VMAS, v->inode, a->write);
	if (f->place == OF_MAPPING)
		*also = whole(INODE_VMAS, v->inode, a->write);
	return whole(f->place == COPIES ? COPIES : VMAS, v->process, a->write);
}

/*
 * Who looks at the entries of one mapping may say so of the inode's pages. It is who says WRITE of
 * that place that looks: many may change entries at once, of different processes.
 */
static void look_through_inode(const struct gmem_block *b, const struct touched *a,
			       struct touched_need *also)
{
	uint32_t idx = gmem_range_get(b, CPROCESS(b, a->cell)->vmas, a->start);
	const struct gmem_vma *v = idx ? CVMA(b, idx) : NULL;

	if (!v || a->write || a->end > v->end)
		return;
	*also = whole(MAPPED, v->inode, true);
	also->has_pages = true;
	also->start = v->pgoff + (a->start - v->start);
	also->end = also->start + (a->end - a->start);
}

static uint32_t owner_of(const struct gmem_block *b, uint32_t task, enum touched_kind kind,
			 const struct touched *a)
{
	switch (kind) {
	case KIND_SLOT:
		return CSLOT(b, a->cell)->vm;
	case KIND_PIN:
		return CPIN(b, a->cell)->inode;
	case KIND_TASK: /* do they hold a page of the task's inode? */
		return CTASK(b, task)->inode;
	default:
		return a->cell;
	}
}

/* A file that nobody has any more forgets whose it was, and nobody asks. */
static bool is_forgotten(const struct gmem_block *b, enum touched_kind kind,
			 const struct touched *a)
{
	return kind == KIND_FILE && !CFILE(b, a->cell)->refs &&
	       (a->offset == offsetof(struct gmem_file, inode) ||
		a->offset == offsetof(struct gmem_file, vm));
}

struct touched_need touched_need_of(const struct gmem_block *before, uint32_t task,
				    const struct touched *a, struct touched_need *also)
{
	enum touched_kind kind = touched_kind_of(before, a->cell);
	const struct field *f = find_field(kind, a->offset);
	struct touched_need n = { .write = a->write };

	*also = whole(NO_NEED, 0, false);
	if (!f || f->place == SCRATCH || f->place == FIXED)
		return whole(
			f && !(f->place == FIXED && a->write && !is_forgotten(before, kind, a)) ?
				NO_NEED :
				UNKNOWN_NEED,
			0, a->write);
	if (kind == KIND_VMA)
		return need_of_vma(before, f, a, also);
	n.place = f->place;
	n.owner = owner_of(before, task, kind, a);
	set_pages(&n, a, f);
	switch (f->place) {
	case ITS_LOCK:
		return whole(LOCK_PLACE(SRCU), n.owner, a->write);
	case OF_INODE:
		return whole(INODE_LIFE, CFILE(before, a->cell)->inode, a->write);
	case OF_PIN: /* made with the file, and gone with it */
		return whole(a->write ? FILE_LIFE : NO_NEED, n.owner, a->write);
	case OF_TASKS:
		if (!a->write)
			*also = whole(LOCALS_NEED, 0, true);
		return whole(TASKS, 0, a->write);
	case HOLDS: /* who looks says WRITE */
		n.write = true;
		break;
	case PTES:
		look_through_inode(before, a, also);
		break;
	default:
		break;
	}
	return n;
}
