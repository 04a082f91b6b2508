/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * I15: what objects name is there, at every row of every operation. Where it is not, a lock is
 * missing, or a row in the wrong place; the rows that come next would look at freed memory.
 */
#include "ops.h"
#include "ranges.h"
#include "seen.h"
#include "state.h"

static bool is_nobody_or(const struct gmem_block *b, uint32_t idx, enum gmem_tag tag)
{
	return !idx || gmem_is_a(b, idx, tag);
}

/* Whether all that a tree names is of that kind. */
static bool are_there(const struct gmem_block *b, uint32_t root, enum gmem_tag tag)
{
	struct gmem_range r = { 0, 0, 0 };

	while (gmem_range_next(b, root, r.end, &r))
		if (!gmem_is_a(b, r.value, tag))
			return false;
	return true;
}

static const char *check_process(const struct gmem_block *b, const struct gmem_process *p)
{
	struct gmem_range r = { 0, 0, 0 };

	if (!are_there(b, p->fds, TAG_FILE))
		return "a descriptor of a freed file: process";
	while (gmem_range_next(b, p->vmas, r.end, &r)) {
		if (!gmem_is_a(b, r.value, TAG_VMA))
			return "a mapping that was freed: process";
		if (!is_nobody_or(b, CVMA(b, r.value)->file, TAG_FILE) ||
		    !is_nobody_or(b, CVMA(b, r.value)->inode, TAG_INODE))
			return "a mapping of a freed file: process";
	}
	return NULL;
}

static const char *check_vm(const struct gmem_block *b, const struct gmem_vm *vm)
{
	struct gmem_range r = { 0, 0, 0 };

	while (gmem_range_next(b, vm->slots, r.end, &r)) {
		if (!gmem_is_a(b, r.value, TAG_SLOT))
			return "a memslot that was freed: VM";
		if (!is_nobody_or(b, CSLOT(b, r.value)->file, TAG_FILE))
			return "a memslot of a freed file: VM";
	}
	for (unsigned int as = 0; as < GMEM_MAX_AS; as++)
		if (!are_there(b, vm->gfns[as], TAG_SLOT))
			return "gfns of a freed memslot: VM";
	return is_nobody_or(b, vm->process, TAG_PROCESS) ? NULL : "the VM's process is gone: VM";
}

static const char *check_inode(const struct gmem_block *b, const struct gmem_inode *inode)
{
	uint32_t i;

	for (i = inode->files; i; i = CFILE(b, i)->next) {
		if (!gmem_is_a(b, i, TAG_FILE))
			return "a file of the inode was freed: inode";
		if (!are_there(b, CFILE(b, i)->bindings, TAG_SLOT))
			return "a binding to a freed memslot: inode";
	}
	for (i = inode->vmas; i; i = CVMA(b, i)->next)
		if (!gmem_is_a(b, i, TAG_VMA))
			return "a mapping of the inode was freed: inode";
	return NULL;
}

/* The memslot is being told of what becomes of pages of its file. */
static bool is_telling_a_slot(unsigned int table)
{
	return table == T_NOTIFIER_INVALIDATE || table == T_NOTIFIER_END ||
	       table == T_NOTIFIER_ERROR;
}

/* Whether the operation is in a part in which it goes on with that memslot without asking again. */
static bool looks_at_its_slot(const struct gmem_task *t)
{
	unsigned int innermost = t->level[t->depth - 1].table;

	if (innermost == T_GUEST_FAULT || is_telling_a_slot(innermost))
		return true;
	for (unsigned int i = 0; i < t->depth; i++)
		if (t->level[i].table == T_MOVE_SLOT || t->level[i].table == T_DELETE_SLOT ||
		    t->level[i].table == T_CHANGE_SLOT_FLAGS)
			return true;
	return false;
}

/* Whoever punches a hole in an inode holds a reference on it, or on a file of it. */
static bool looks_at_its_inode(const struct gmem_task *t)
{
	for (unsigned int i = 0; i < t->depth; i++)
		if (t->level[i].table == T_PUNCH_HOLE || t->level[i].table == T_TRUNCATE)
			return true;
	return false;
}

bool gmem_looks_at_something(const struct gmem_task *t)
{
	return t->depth && (t->at_vma || looks_at_its_inode(t) ||
			    (t->slot && looks_at_its_slot(t)) || (t->at_vm && gmem_is_telling(t)));
}

static const char *check_task(const struct gmem_block *b, const struct gmem_task *t)
{
	if (!gmem_looks_at_something(t))
		return NULL;
	if (!is_nobody_or(b, t->at_vma, TAG_VMA))
		return "a walk stands at a mapping that was freed: task";
	if (looks_at_its_inode(t) && !gmem_is_a(b, t->inode, TAG_INODE))
		return "an operation goes on with an inode that was freed: task";
	if (looks_at_its_slot(t) && !is_nobody_or(b, t->slot, TAG_SLOT))
		return "an operation goes on with a memslot that was freed: task";
	if (gmem_is_telling(t) && !is_nobody_or(b, t->at_vm, TAG_VM))
		return "an operation goes on with a VM that was freed: task";
	return NULL;
}

const char *gmem_check_task(const struct gmem_block *b, uint32_t task, struct gmem_seen *s)
{
	const char *wrong = b->tasks[task] ? check_task(b, CTASK(b, b->tasks[task])) : NULL;

	if (wrong)
		s->a = task;
	return wrong;
}

const char *gmem_check_freed(struct gmem_block *b, struct gmem_seen *s)
{
	const char *wrong = NULL;
	uint32_t i;

	for (i = 0; i < GMEM_MAX_TASKS && !wrong; i++)
		if (b->tasks[i])
			wrong = gmem_check_task(b, i, s);
	for (i = b->inodes; i && !wrong; i = CINODE(b, i)->next)
		if ((wrong = check_inode(b, CINODE(b, i))))
			s->a = CINODE(b, i)->ino;
	for (i = b->vms; i && !wrong; i = CVM(b, i)->next)
		if ((wrong = check_vm(b, CVM(b, i))))
			s->a = CVM(b, i)->number;
	for (i = b->processes; i && !wrong; i = CPROCESS(b, i)->next)
		if ((wrong = check_process(b, CPROCESS(b, i))))
			s->a = CPROCESS(b, i)->number;
	return wrong;
}
