/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What reviewers demanded of a design, and held against those before guest_memfd: checks that look
 * at a world and say whether it shows such a thing. Unlike an invariant, a design may break one of
 * them and go on; its profile says which.
 */
#include <string.h>

#include "memfd.h"
#include "profile.h"

/* Another inode that this one could be taken for: one that can be seen, or one behind another. */
static bool is_shown_by(const struct gmem_block *b, uint32_t dev, uint64_t ino, uint32_t but)
{
	for (uint32_t i = b->inodes; i; i = CINODE(b, i)->next) {
		const struct gmem_inode *other = CINODE(b, i);

		if ((i != but && other->st_dev == dev && other->st_ino == ino) ||
		    (other->hidden_ino && other->hidden_dev == dev && other->hidden_ino == ino))
			return true;
	}
	return false;
}

static bool two_inodes_are_one(const struct gmem_world *w, struct gmem_violation *v)
{
	const struct gmem_block *b = w->b;

	for (uint32_t i = b->inodes; i; i = CINODE(b, i)->next) {
		const struct gmem_inode *inode = CINODE(b, i);

		if (inode->kind == INODE_GMEM && is_shown_by(b, inode->st_dev, inode->st_ino, i))
			return v->saw = "two inodes show the same st_dev and st_ino: inode, st_dev",
			       v->a = inode->ino, v->b = inode->st_dev, true;
	}
	return false;
}

/* The first file of which that is so; 0 if it is so of none. */
static uint32_t file_that(const struct gmem_block *b, bool (*is_so)(const struct gmem_file *f))
{
	for (uint32_t i = b->inodes; i; i = CINODE(b, i)->next)
		for (uint32_t f = CINODE(b, i)->files; f; f = CFILE(b, f)->next)
			if (is_so(CFILE(b, f)))
				return f;
	return 0;
}

static bool has_two_operations(const struct gmem_file *f)
{
	return f->backing_f_op && f->backing_f_op != f->f_op;
}

static bool a_file_has_two_operations(const struct gmem_world *w, struct gmem_violation *v)
{
	uint32_t f = file_that(w->b, has_two_operations);

	if (f)
		v->saw = "operations that call others of the same file: inode",
		v->a = CINODE(w->b, CFILE(w->b, f)->inode)->ino;
	return f;
}

static bool changed_when_it_was_open(const struct gmem_inode *inode)
{
	return inode->memfd & MEMFD_EXCHANGED_LATE;
}

static bool was_resized(const struct gmem_inode *inode)
{
	return inode->memfd & MEMFD_RESIZED;
}

static uint64_t inode_that(const struct gmem_block *b, bool (*is_so)(const struct gmem_inode *))
{
	for (uint32_t i = b->inodes; i; i = CINODE(b, i)->next)
		if (is_so(CINODE(b, i)))
			return CINODE(b, i)->ino;
	return 0;
}

static bool a_file_changed_when_it_was_open(const struct gmem_world *w, struct gmem_violation *v)
{
	v->saw = "a file was taken from whoever had it open: inode";
	return (v->a = inode_that(w->b, changed_when_it_was_open)) != 0;
}

static bool module_is_not_held(const struct gmem_file *f)
{
	return f->f_op == FOPS_RESTRICTEDMEM && !f->f_op_held;
}

static bool operations_can_go(const struct gmem_world *w, struct gmem_violation *v)
{
	uint32_t f = file_that(w->b, module_is_not_held);

	if (f)
		v->saw = "nobody holds the module of a file's operations: inode",
		v->a = CINODE(w->b, CFILE(w->b, f)->inode)->ino;
	return f;
}

static bool a_size_changed(const struct gmem_world *w, struct gmem_violation *v)
{
	v->saw = "a size was given twice: inode";
	return (v->a = inode_that(w->b, was_resized)) != 0;
}

static bool a_memslot_is_past_its_file(const struct gmem_world *w, struct gmem_violation *v)
{
	const struct gmem_block *b = w->b;
	struct gmem_range r;

	for (uint32_t i = b->vms; i; i = CVM(b, i)->next)
		for (r.end = 0; gmem_range_next(b, CVM(b, i)->slots, r.end, &r);) {
			const struct gmem_slot *s = CSLOT(b, r.value);

			if (s->file &&
			    s->pgoff + s->npages >
				    gmem_pages_of(CINODE(b, CFILE(b, s->file)->inode)->size))
				return v->saw = "a memslot reaches past its file: VM, memslot",
				       v->a = CVM(b, i)->number, v->b = s->id, true;
		}
	return false;
}

/* memfd_create() has a flag for it, and who leaves it out wants it so. */
static bool a_descriptor_survives_exec(const struct gmem_world *w, struct gmem_violation *v)
{
	const struct gmem_block *b = w->b;
	struct gmem_range r;

	for (uint32_t p = b->processes; p; p = CPROCESS(b, p)->next)
		for (r.end = 0; gmem_range_next(b, CPROCESS(b, p)->fds, r.end, &r);) {
			const struct gmem_file *f = CFILE(b, r.value);

			if (f->kind == FILE_GMEM && !(CINODE(b, f->inode)->memfd & MEMFD) &&
			    !gmem_range_get(b, CPROCESS(b, p)->cloexec, r.start))
				return v->saw =
					       "a descriptor is not close-on-exec: process, descriptor",
				       v->a = CPROCESS(b, p)->number, v->b = r.start, true;
		}
	return false;
}

static const struct objection {
	uint16_t clause;
	bool (*is_shown)(const struct gmem_world *w, struct gmem_violation *v);
} objections[] = {
	{ CL_OBJ_1, two_inodes_are_one },
	{ CL_OBJ_2, a_file_has_two_operations },
	{ CL_OBJ_3, a_file_changed_when_it_was_open },
	{ CL_OBJ_4, operations_can_go },
	{ CL_OBJ_5, a_size_changed },
	{ CL_OBJ_6, a_descriptor_survives_exec },
	{ CL_OBJ_7, a_memslot_is_past_its_file },
};
#define NR_OBJECTIONS (sizeof(objections) / sizeof(objections[0]))

unsigned int gmem_objection(unsigned int n)
{
	return n < NR_OBJECTIONS ? objections[n].clause : 0;
}

int gmem_shows_objection(const struct gmem_world *w, unsigned int n, struct gmem_violation *v)
{
	const struct gmem_clause *c = n < NR_OBJECTIONS ? gmem_clause(objections[n].clause) : NULL;

	if (!c)
		return 0;
	*v = (struct gmem_violation){ .invariant = c->name, .sentence = c->sentence };
	return objections[n].is_shown(w, v);
}

int gmem_profile_breaks(const struct gmem_profile *p, unsigned int n)
{
	return n < NR_OBJECTIONS && (p->n.breaks >> (n + 1) & 1);
}
