/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The invariants that count: references, and cells. Both find every object from the processes,
 * the VMs and the inodes, and hold what they counted against what the objects say.
 */
#include "ops.h"
#include "profile.h"
#include "ranges.h"
#include "seen.h"
#include "state.h"

typedef void (*file_fn)(struct gmem_block *b, uint32_t file, uint32_t references);

static void each_reference_of_memslots(struct gmem_block *b, file_fn fn)
{
	for (uint32_t i = b->vms; i; i = VM(b, i)->next)
		for (struct gmem_range r = { 0, 0, 0 };
		     gmem_range_next(b, VM(b, i)->slots, r.end, &r);)
			if (SLOT(b, r.value)->kflags & SLOT_PINS)
				fn(b, SLOT(b, r.value)->file, 1);
}

/* fn for every reference on a file: descriptors, then mappings, then memslots that hold theirs. */
static void each_reference(struct gmem_block *b, file_fn fn)
{
	for (uint32_t p = b->processes; p; p = PROCESS(b, p)->next) {
		struct gmem_range r = { 0, 0, 0 };

		while (gmem_range_next(b, PROCESS(b, p)->fds, r.end, &r))
			fn(b, r.value, (uint32_t)(r.end - r.start));
		r.end = 0;
		while (gmem_range_next(b, PROCESS(b, p)->vmas, r.end, &r))
			if (VMA(b, r.value)->file)
				fn(b, VMA(b, r.value)->file, 1);
	}
	if (b->profile->n.ancestor)
		each_reference_of_memslots(b, fn);
}

static void forget_count(struct gmem_block *b, uint32_t file, uint32_t references)
{
	(void)references;
	GFILE(b, file)->mark.counted = 0;
}

static void count_part(struct gmem_block *b, const struct gmem_pin *pin)
{
	struct gmem_range r = { 0, 0, 0 };

	if (pin->inode && INODE(b, pin->inode)->kind == INODE_ANON)
		INODE(b, pin->inode)->mark.counted++;
	while (gmem_range_next(b, pin->holder, r.end, &r))
		if (INODE(b, r.value)->kind == INODE_ORPHAN)
			INODE(b, r.value)->mark.counted++;
}

static void count(struct gmem_block *b, uint32_t file, uint32_t references)
{
	struct gmem_file *f = GFILE(b, file);

	if (!f->mark.counted) {
		if (f->vm)
			VM(b, f->vm)->mark.counted++;
		if (f->kind == FILE_GMEM)
			INODE(b, f->inode)->mark.counted++;
		for (struct gmem_range r = { 0, 0, 0 }; gmem_range_next(b, f->parts, r.end, &r);)
			count_part(b, PIN(b, r.value));
	}
	f->mark.counted += references;
}

static void count_mappings(struct gmem_block *b)
{
	for (uint32_t p = b->processes; p; p = PROCESS(b, p)->next) {
		struct gmem_range r = { 0, 0, 0 };

		while (gmem_range_next(b, PROCESS(b, p)->vmas, r.end, &r))
			if (!VMA(b, r.value)->file)
				INODE(b, VMA(b, r.value)->inode)->mark.counted++;
	}
}

static const char *file_is_miscounted(struct gmem_block *b, struct gmem_seen *s)
{
	for (uint32_t p = b->processes; p; p = PROCESS(b, p)->next) {
		struct gmem_range r = { 0, 0, 0 };

		while (gmem_range_next(b, PROCESS(b, p)->fds, r.end, &r)) {
			const struct gmem_file *f = GFILE(b, r.value);

			if (f->refs != f->mark.counted)
				return s->a = f->refs, s->b = f->mark.counted,
				       "a file has, and should have, references";
		}
	}
	return NULL;
}

const char *gmem_check_references(struct gmem_block *b, struct gmem_seen *s)
{
	for (uint32_t i = b->vms; i; i = VM(b, i)->next)
		VM(b, i)->mark.counted = 0;
	for (uint32_t i = b->inodes; i; i = INODE(b, i)->next)
		INODE(b, i)->mark.counted = 0;
	each_reference(b, forget_count);
	each_reference(b, count);
	count_mappings(b);
	for (uint32_t i = b->vms; i; i = VM(b, i)->next)
		if (VM(b, i)->users != VM(b, i)->mark.counted)
			return s->a = VM(b, i)->users, s->b = VM(b, i)->mark.counted,
			       "a VM has, and should have, users";
	for (uint32_t i = b->inodes; i; i = INODE(b, i)->next)
		if (INODE(b, i)->refs != INODE(b, i)->mark.counted)
			return s->a = INODE(b, i)->refs, s->b = INODE(b, i)->mark.counted,
			       "an inode has, and should have, references";
	return file_is_miscounted(b, s);
}

/* Every tree of the world: fn for each root. */
typedef const char *(*tree_fn)(const struct gmem_block *b, uint32_t root, uint64_t *sum);

static const char *trees_of_vm(const struct gmem_block *b, const struct gmem_vm *vm, tree_fn fn,
			       uint64_t *sum)
{
	const char *wrong = fn(b, vm->slots, sum);

	for (unsigned int as = 0; as < GMEM_MAX_AS && !wrong; as++)
		wrong = fn(b, vm->gfns[as], sum);
	if (!wrong)
		wrong = fn(b, vm->hvas, sum);
	if (!wrong)
		wrong = fn(b, vm->attributes, sum);
	return wrong ? wrong : fn(b, vm->sptes, sum);
}

static const char *trees_of_inode(const struct gmem_block *b, const struct gmem_inode *inode,
				  tree_fn fn, uint64_t *sum)
{
	const char *wrong = fn(b, inode->folios, sum);

	if (!wrong)
		wrong = fn(b, inode->bytes, sum);
	if (!wrong)
		wrong = fn(b, inode->open_bytes, sum);
	if (!wrong)
		wrong = fn(b, inode->attributes, sum);
	for (uint32_t f = inode->files; f && !wrong; f = CFILE(b, f)->next)
		wrong = fn(b, CFILE(b, f)->bindings, sum);
	return wrong;
}

static const char *trees_of_process(const struct gmem_block *b, const struct gmem_process *p,
				    tree_fn fn, uint64_t *sum)
{
	const char *wrong = fn(b, p->fds, sum);

	if (!wrong)
		wrong = fn(b, p->vmas, sum);
	if (!wrong)
		wrong = fn(b, p->cloexec, sum);
	return wrong ? wrong : fn(b, p->ptes, sum);
}

static const char *every_tree(const struct gmem_block *b, tree_fn fn, uint64_t *sum)
{
	const char *wrong = NULL;

	for (uint32_t i = b->vms; i && !wrong; i = CVM(b, i)->next)
		wrong = trees_of_vm(b, CVM(b, i), fn, sum);
	for (uint32_t i = b->inodes; i && !wrong; i = CINODE(b, i)->next)
		wrong = trees_of_inode(b, CINODE(b, i), fn, sum);
	for (uint32_t i = b->processes; i && !wrong; i = CPROCESS(b, i)->next)
		wrong = trees_of_process(b, CPROCESS(b, i), fn, sum);
	for (unsigned int i = 0; i < GMEM_MAX_TASKS && !wrong; i++)
		if (b->tasks[i])
			wrong = fn(b, CTASK(b, b->tasks[i])->work, sum);
	return wrong;
}

static const char *tree_is_wrong(const struct gmem_block *b, uint32_t root, uint64_t *sum)
{
	(void)sum;
	return gmem_range_wrong(b, root);
}

const char *gmem_check_trees(struct gmem_block *b, struct gmem_seen *s)
{
	(void)s;
	return every_tree(b, tree_is_wrong, NULL);
}

static const char *add_cells(const struct gmem_block *b, uint32_t root, uint64_t *sum)
{
	*sum += gmem_range_cells(b, root);
	return NULL;
}

/* A file is counted at its first reference, with the trees of what it pins. */
static void count_file(struct gmem_block *b, uint32_t file, uint32_t references)
{
	struct gmem_file *f = GFILE(b, file);

	(void)references;
	if (f->mark.walk == b->walk)
		return;
	f->mark.walk = b->walk;
	b->cells_found += 1 + gmem_range_cells(b, f->parts);
	for (struct gmem_range r = { 0, 0, 0 }; gmem_range_next(b, f->parts, r.end, &r);)
		b->cells_found += 1 + gmem_range_cells(b, PIN(b, r.value)->holder);
}

const char *gmem_check_cells(struct gmem_block *b, struct gmem_seen *s)
{
	uint64_t cells = 1 + b->nr_free;

	every_tree(b, add_cells, &cells);
	b->walk++;
	b->cells_found = 0;
	each_reference(b, count_file);
	cells += b->cells_found + b->nr_slots + b->nr_vmas;
	for (uint32_t i = b->vms; i; i = VM(b, i)->next)
		cells++;
	for (uint32_t i = b->inodes; i; i = INODE(b, i)->next)
		cells++;
	for (uint32_t i = b->processes; i; i = PROCESS(b, i)->next)
		cells++;
	for (unsigned int i = 0; i < GMEM_MAX_TASKS; i++)
		cells += b->tasks[i] ? 2 : 0; /* and its operation */
	if (cells == b->used)
		return NULL;
	return s->a = cells, s->b = b->used, "cells found, and cells handed out";
}
