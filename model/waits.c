/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls under way, for those who ask: which locks a task holds, what its next row waits for, and who
 * has that. Nothing here is kept for them; it is read from what rows leave in the world.
 */
#include "ops.h"
#include "profile.h"
#include "state.h"

static const struct gmem_task *task_of(const struct gmem_world *w, uint32_t task)
{
	return gmem_task_exists(w, task) ? CTASK(w->b, w->b->tasks[task]) : NULL;
}

static bool is_file_of(const struct gmem_block *b, uint32_t file, enum gmem_lock_owner kind,
		       uint32_t owner)
{
	const struct gmem_file *f = CFILE(b, file);

	if (kind == GMEM_OF_VM)
		return f->kind == FILE_VM && f->vm == owner;
	return kind == GMEM_OF_FILE && f->kind == FILE_GMEM && f->inode == owner;
}

static int64_t fd_of(const struct gmem_block *b, const struct gmem_task *t,
		     enum gmem_lock_owner kind, uint32_t owner)
{
	struct gmem_range r = { 0, 0, 0 };

	while (t->process &&
	       gmem_range_next((struct gmem_block *)b, CPROCESS(b, t->process)->fds, r.end, &r))
		if (is_file_of(b, r.value, kind, owner))
			return (int64_t)r.start;
	return -1;
}

/* Where lock.h finds the lock; a count of notifications is a VM's. */
static enum gmem_lock_owner owner_of(unsigned int class)
{
	switch (gmem_lock_places[class].local) {
	case offsetof(struct gmem_task, process):
		return GMEM_OF_PROCESS;
	case offsetof(struct gmem_task, inode):
		return GMEM_OF_FILE;
	default:
		return GMEM_OF_VM;
	}
}

static uint64_t number_of(const struct gmem_block *b, enum gmem_lock_owner kind, uint32_t owner)
{
	if (kind == GMEM_OF_PROCESS)
		return CPROCESS(b, owner)->number;
	return kind == GMEM_OF_VM ? CVM(b, owner)->number : CINODE(b, owner)->ino;
}

static void describe(const struct gmem_block *b, const struct gmem_task *t, unsigned int class,
		     unsigned int mode, uint32_t owner, struct gmem_task_lock *lock)
{
	enum gmem_lock_owner kind = owner ? owner_of(class) : GMEM_OF_PROCESS;

	owner = owner ? owner : t->process;
	lock->class = (uint8_t) class;
	lock->mode = (uint8_t)mode;
	lock->owner = (uint8_t)kind;
	lock->number = number_of(b, kind, owner);
	lock->fd = fd_of(b, t, kind, owner);
}

/* ---- what it holds ---- */

static void describe_held(const struct gmem_block *b, const struct gmem_task *t,
			  const struct gmem_held *held, struct gmem_task_lock *lock)
{
	describe(b, t, held->class, held->mode, held->owner, lock);
	lock->table = held->table;
	lock->row = held->row;
}

/* A VM that waits for this task's notification to end; vm is 0 where all of the process do. */
static void describe_notifier(const struct gmem_block *b, const struct gmem_task *t, uint32_t vm,
			      struct gmem_task_lock *lock)
{
	describe(b, t, NOTIFIERS, READ, vm, lock);
	lock->table = T_HOST_START;
	lock->row = gmem_counting_row(b->profile->tables[T_HOST_START]);
}

static bool is_counted_in(const struct gmem_block *b, const struct gmem_task *t, uint32_t vm)
{
	return t->notifying && CVM(b, vm)->notifiers && CVM(b, vm)->process == t->owner;
}

int gmem_task_lock(const struct gmem_world *w, uint32_t task, unsigned int n,
		   struct gmem_task_lock *lock)
{
	const struct gmem_task *t = task_of(w, task);
	const struct gmem_block *b = w->b;

	if (!t || !t->depth)
		return 0;
	if (n < t->nr_held) {
		describe_held(b, t, &COP(b, t->op)->held[n], lock);
		return 1;
	}
	n -= t->nr_held;
	for (uint32_t vm = b->vms; vm; vm = CVM(b, vm)->next)
		if (is_counted_in(b, t, vm) && !n--) {
			describe_notifier(b, t, vm, lock);
			return 1;
		}
	return 0;
}

/* ---- what it waits for ---- */

/*
 * The row that has to wait, with run standing there; null if none has. The task's locals are then as
 * that row's conditions set them, and before says what they were.
 */
static const struct gmem_step *waiting_row(const struct gmem_world *w, uint32_t task,
					   struct gmem_run *run, struct gmem_task *before)
{
	if (!gmem_task_runs(w, task) || gmem_task_can_step(w, task))
		return NULL;
	*run = (struct gmem_run){ .w = (struct gmem_world *)w };
	gmem_resume(run, task);
	*before = *run->t;
	return gmem_find_next_row(run);
}

int gmem_task_waits(const struct gmem_world *w, uint32_t task, struct gmem_task_lock *wanted)
{
	struct gmem_task before;
	struct gmem_run run;
	const struct gmem_step *s = waiting_row(w, task, &run, &before);

	if (!s)
		return 0;
	describe(w->b, run.t, s->lock, s->mode, gmem_lock_owner(run.t, s->lock), wanted);
	wanted->table = gmem_innermost(&run)->table;
	wanted->row = gmem_row_of(&run, s);
	*run.t = before;
	return 1;
}

/* Whether it is a lock that row s waits for; srcu's readers are those of the time before. */
static bool is_in_the_way(const struct gmem_run *run, const struct gmem_step *s,
			  const struct gmem_held *held)
{
	uint32_t owner = gmem_lock_owner(run->t, s->lock);

	if (held->class != s->lock || held->owner != owner ||
	    !gmem_lock_waits(s->lock, s->mode, held->mode))
		return false;
	return s->lock != SRCU || held->pad != CVM(run->b, owner)->srcu_idx;
}

/* Whether the other's notification is what row s waits for; the VM, or 0 for all of the process. */
static bool is_notifier_in_the_way(const struct gmem_run *run, const struct gmem_step *s,
				   const struct gmem_task *other)
{
	if (s->check == page_tables_are_at_rest)
		return gmem_is_telling(other) && other->owner == run->t->process;
	if (s->check == vm_is_not_being_told)
		return gmem_is_telling(other) && other->at_vm == run->t->vm;
	return is_counted_in(run->b, other, run->t->vm);
}

/* Whether what u does, or holds, is what row s waits for. */
static int describe_in_the_way(const struct gmem_world *w, const struct gmem_run *run,
			       const struct gmem_step *s, const struct gmem_task *u,
			       struct gmem_task_lock *held)
{
	if (s->lock == NOTIFIERS) {
		if (!is_notifier_in_the_way(run, s, u))
			return 0;
		describe_notifier(w->b, u, gmem_lock_owner(run->t, NOTIFIERS), held);
		return 1;
	}
	for (unsigned int i = 0; i < u->nr_held; i++)
		if (is_in_the_way(run, s, &COP(w->b, u->op)->held[i])) {
			describe_held(w->b, u, &COP(w->b, u->op)->held[i], held);
			return 1;
		}
	return 0;
}

int gmem_task_waits_for(const struct gmem_world *w, uint32_t task, uint32_t other,
			struct gmem_task_lock *held)
{
	struct gmem_task before;
	struct gmem_run run;
	const struct gmem_step *s = waiting_row(w, task, &run, &before);
	const struct gmem_task *u = task_of(w, other);
	int is;

	if (!s)
		return 0;
	is = u && u->depth && describe_in_the_way(w, &run, s, u, held);
	*run.t = before;
	return is;
}

/* ---- what VMs are told ---- */

int gmem_invalidation(const struct gmem_world *w, uint32_t task, unsigned int n,
		      struct gmem_invalidation *told)
{
	const struct gmem_task *t = task_of(w, task);
	const struct gmem_block *b = w->b;
	uint32_t vm = b->vms;

	while (vm && n--)
		vm = CVM(b, vm)->next;
	if (!vm)
		return 0;
	*told = (struct gmem_invalidation){
		.number = CVM(b, vm)->number,
		.in_progress = CVM(b, vm)->in_progress,
		.fd = t ? fd_of(b, t, GMEM_OF_VM, vm) : -1,
	};
	if (CVM(b, vm)->in_progress && CVM(b, vm)->range_start < CVM(b, vm)->range_end) {
		told->gfn = CVM(b, vm)->range_start;
		told->gfn_end = CVM(b, vm)->range_end;
	}
	return 1;
}
