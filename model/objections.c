/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What reviewers demanded of a design, and held against those before guest_memfd: checks that look
 * at a world and say whether it shows such a thing. Unlike an invariant, a design may break one of
 * them and go on; its profile says which.
 */
#include <string.h>

#include "memfd.h"
#include "profile.h"

/* A wrapper says of itself what its hidden file says, which is another inode. */
static bool two_inodes_are_one(const struct gmem_world *w, struct gmem_violation *v)
{
	for (uint32_t i = w->b->inodes; i; i = CINODE(w->b, i)->next)
		if (CINODE(w->b, i)->memfd & MEMFD_STACKED)
			return v->saw = "a file and the hidden one behind it: inode",
			       v->a = CINODE(w->b, i)->ino, true;
	return false;
}

static bool a_file_has_two_operations(const struct gmem_world *w, struct gmem_violation *v)
{
	for (uint32_t i = w->b->inodes; i; i = CINODE(w->b, i)->next)
		if (CINODE(w->b, i)->memfd & (MEMFD_STACKED | MEMFD_EXCHANGED))
			return v->saw = "operations that call others of the same file: inode",
			       v->a = CINODE(w->b, i)->ino, true;
	return false;
}

static bool a_file_changed_when_it_was_open(const struct gmem_world *w, struct gmem_violation *v)
{
	for (uint32_t i = w->b->inodes; i; i = CINODE(w->b, i)->next)
		if (CINODE(w->b, i)->memfd & MEMFD_EXCHANGED_LATE)
			return v->saw = "a file was taken from whoever had it open: inode",
			       v->a = CINODE(w->b, i)->ino, true;
	return false;
}

static bool operations_can_go(const struct gmem_world *w, struct gmem_violation *v)
{
	if (!w->b->profile->n.unpinned_operations)
		return false;
	for (uint32_t i = w->b->inodes; i; i = CINODE(w->b, i)->next)
		if (CINODE(w->b, i)->memfd & MEMFD_EXCHANGED)
			return v->saw = "nobody holds the module of a file's operations: inode",
			       v->a = CINODE(w->b, i)->ino, true;
	return false;
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
	{ CL_OBJ_5, a_memslot_is_past_its_file },
	{ CL_OBJ_6, a_descriptor_survives_exec },
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
