/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Operations as tables of steps.
 *
 * A row is one thing the kernel does, in the kernel's order, and every row is a point at which
 * another task could run. Rows of a table run one after the other:
 *
 *	CHECK(f, CLAUSE, ERR)	f() says whether to go on; if not, the operation fails with -ERR
 *	DO(f, CLAUSE)		f() acts; 0, or a negated errno on which the operation fails
 *	ANSWER(f, CLAUSE)	as DO; f() sets the result, and the clause is the rule that decided
 *	EACH(f, CLAUSE)		as DO, and again for as long as f() returns AGAIN
 *	DONE_IF(f, CLAUSE)	if f() says so, the table ends in success; with .says = true the
 *				clause is the rule that decided the whole call
 *	WAIT(f, CLAUSE)		the task waits until f() says to go on
 *	RETRY_IF(f, CLAUSE)	if f() says so, the table goes back to .to = LABEL
 *	LOCK(l, MODE, CLAUSE)	takes lock l of the task's file, VM, inode or process
 *	UNLOCK(l)
 *	CALL(TABLE, CLAUSE)	runs another table; its failure is this row's
 *	CALL_EACH(f, TABLE, CLAUSE)	for as long as f() finds another object for it
 *
 * Any row takes WHEN(f), a condition without which it is skipped; .at = LABEL names a row; and
 * .to = LABEL is where the table goes on when the row fails (or a DONE_IF holds), to put back
 * what has to be put back. Without .to it ends there. On a CALL, .err = -ERR replaces the failure
 * of the table called. An ANSWER that returns RETRY goes back to .to as well. END closes a table.
 *
 * CHECKs come first and touch nothing but the task's locals. What a step may change beyond those
 * is the world; what it needs of the call is in run->c.
 */
#ifndef GMEM_STEP_H
#define GMEM_STEP_H

#include <errno.h>
#include <stdint.h>

#include "clauses.h"
#include "state.h"

/* What a row answers but 0 (it passed) and what is below 0 (it failed). */
#define AGAIN 1 /* it is to run once more */
#define DONE 2	/* the table is done */
#define CALLS 3 /* another table is to run */
#define ENDS 4	/* the table is at its end */
#define RETRY 5 /* the table is to go back to the row's label */

/* What a row of a host access fails with, beside errnos. */
#define FAULT_SIGBUS 4096
#define FAULT_SIGSEGV 4097

enum gmem_step_kind {
	STEP_END,
	STEP_CHECK,
	STEP_DO,
	STEP_ANSWER,
	STEP_EACH,
	STEP_DONE_IF,
	STEP_RETRY_IF,
	STEP_WAIT,
	STEP_LOCK,
	STEP_UNLOCK,
	STEP_CALL,
	STEP_CALL_EACH,
};

/* The parts of operations; the verbs come before them. */
enum gmem_table {
	T_PUNCH_HOLE = GMEM_NR_VERBS,
	T_ALLOCATE,
	T_FALLOCATE_FILE,
	T_SET_REGION,
	T_CREATE_SLOT,
	T_MOVE_SLOT,
	T_CHANGE_SLOT_FLAGS,
	T_DELETE_SLOT,
	T_FREE_SLOT,
	T_BIND,
	T_UNBIND,
	T_FINAL_FPUT,
	T_RELEASE,
	T_PUT_KVM,
	T_EVICT_INODE,
	T_UNMAP,
	T_COPY_MAPPING,
	T_TRUNCATE,
	T_TRUNCATE_BATCH,
	T_ZAP,
	T_NOTIFY,
	T_HOST_START,
	T_HOST_END,
	T_INVALIDATE_START,
	T_INVALIDATE_END,
	T_CONVERT_START,
	T_ADVISE,
	T_POISON_MAPPING,
	T_HOST_FAULT,
	T_FAULT_IN,
	T_GUEST_FAULT,
	T_GET_PFN,
	T_GET_USER_PAGE,
	T_POPULATE_PAGE,
	T_PRE_FAULT_PAGE,
	T_TASK_WORK,
	T_SET_VM_ATTRIBUTES,
	T_BIND_COMMIT,
	T_CONVERT,
	T_CONVERT_BATCH,
	T_CONTENTS,
	T_SHARE_BEGIN,
	T_SHARE_ASK,
	T_INVALIDATE_BEGIN,
	T_UNMAP_GUESTS,
	T_SHARE_EXECUTE,
	T_SHARE_GO_BACK,
	T_SHARE_END,
	T_TRUNCATE_BLOCK,
	T_TRUNCATE_MEMFD,
	T_TELL_FOLIOS,
	T_NOTIFIER_INVALIDATE,
	T_NOTIFIER_END,
	T_NOTIFIER_ERROR,
	GMEM_NR_TABLES,
};

/* Labels, for .at and .to */
enum gmem_label {
	L_NONE,
	L_AGAIN,
	L_UNLOCK,
	L_UNLOCK_OUTER,
	L_UNBIND,
	L_EXIT,
	L_END,
};

/* One running call: what a step sees. */
struct gmem_run {
	struct gmem_world *w;
	struct gmem_block *b;
	struct gmem_task *t;
	const struct gmem_call *c;
	struct gmem_result *res;
	bool by_rows; /* others may run between two rows */
	bool ran;     /* the last of these ran something: this row */
	uint16_t table, row;
	bool misused; /* the model has no answer: nothing has been changed */
};

typedef bool (*gmem_check_fn)(struct gmem_run *run);
typedef int (*gmem_act_fn)(struct gmem_run *run);

struct gmem_step {
	const char *name, *when_name;
	gmem_check_fn check;
	gmem_act_fn act;
	gmem_check_fn when;
	uint16_t clause;
	uint16_t table;
	int16_t err;
	uint8_t kind;
	uint8_t lock, mode;
	uint8_t at, to; /* enum gmem_label */
	bool says; /* DONE_IF: the clause is the rule that decided; CHECK: its failure replaces others */
};

#define WHEN(f) .when = f, .when_name = #f
#define CHECK(f, cl, e, ...)                                                                \
	{                                                                                   \
		.kind = STEP_CHECK, .name = #f, .check = f, .clause = CL_##cl, .err = -(e), \
		__VA_ARGS__                                                                 \
	}
#define DO(f, cl, ...)                                                                \
	{                                                                             \
		.kind = STEP_DO, .name = #f, .act = f, .clause = CL_##cl, __VA_ARGS__ \
	}
#define ANSWER(f, cl, ...)                                                                \
	{                                                                                 \
		.kind = STEP_ANSWER, .name = #f, .act = f, .clause = CL_##cl, __VA_ARGS__ \
	}
#define EACH(f, cl, ...)                                                                \
	{                                                                               \
		.kind = STEP_EACH, .name = #f, .act = f, .clause = CL_##cl, __VA_ARGS__ \
	}
#define DONE_IF(f, cl, ...)                                                                  \
	{                                                                                    \
		.kind = STEP_DONE_IF, .name = #f, .check = f, .clause = CL_##cl, __VA_ARGS__ \
	}
#define RETRY_IF(f, cl, ...)                                                                  \
	{                                                                                     \
		.kind = STEP_RETRY_IF, .name = #f, .check = f, .clause = CL_##cl, __VA_ARGS__ \
	}
#define WAIT(f, cl, ...)                                                                  \
	{                                                                                 \
		.kind = STEP_WAIT, .name = #f, .check = f, .clause = CL_##cl, __VA_ARGS__ \
	}
/* In one: nothing comes between the end of the wait and what is done then. */
#define WAIT_AND_DO(w, f, cl, ...)                                                      \
	{                                                                               \
		.kind = STEP_WAIT, .name = #f, .check = w, .act = f, .clause = CL_##cl, \
		__VA_ARGS__                                                             \
	}
#define LOCK(l, m, cl, ...)                                                                 \
	{                                                                                   \
		.kind = STEP_LOCK, .name = "lock", .lock = l, .mode = m, .clause = CL_##cl, \
		__VA_ARGS__                                                                 \
	}
#define UNLOCK(l, ...)                                                        \
	{                                                                     \
		.kind = STEP_UNLOCK, .name = "unlock", .lock = l, __VA_ARGS__ \
	}
#define CALL(tab, cl, ...)                                                                      \
	{                                                                                       \
		.kind = STEP_CALL, .name = "call", .table = tab, .clause = CL_##cl, __VA_ARGS__ \
	}
#define CALL_EACH(f, tab, cl, ...)                                                               \
	{                                                                                        \
		.kind = STEP_CALL_EACH, .name = #f, .check = f, .table = tab, .clause = CL_##cl, \
		__VA_ARGS__                                                                      \
	}
#define END                      \
	{                        \
		.kind = STEP_END \
	}

/* Runs a table to its end; what the operation results in is in run->res. */
void gmem_run_table(struct gmem_run *run, unsigned int table);

/* Runs the task's next row, if it need not wait. */
enum gmem_progress gmem_run_row(struct gmem_run *run);
/* Whether it need not. */
bool gmem_can_run_row(struct gmem_run *run);
/* That row; the END of its table, if all the rest of it is skipped. */
const struct gmem_step *gmem_find_next_row(struct gmem_run *run);

/* call.c. gmem_step(), by a run that says then which row that was. */
enum gmem_status gmem_step_run(struct gmem_run *run, uint32_t task, enum gmem_progress *progress,
			       struct gmem_result *r);
/* call.c. The task goes on with the call that it stopped in. */
void gmem_resume(struct gmem_run *run, uint32_t task);
/* call.c. The next row of the task's call that is not skipped; its END, if all the rest is. */
const struct gmem_step *gmem_next_row(const struct gmem_world *w, uint32_t task);
/* call.c. The most cells the call can need. */
uint64_t gmem_cells_for_call(const struct gmem_world *w, const struct gmem_call *c);

/* Whether there is such a task, and it is in a call. */
static inline bool gmem_is_in_call(const struct gmem_block *b, uint32_t task)
{
	return task < GMEM_MAX_TASKS && b->tasks[task] && CTASK(b, b->tasks[task])->depth;
}

static inline struct gmem_level *gmem_innermost(const struct gmem_run *run)
{
	return &run->t->level[run->t->depth - 1];
}

#include "lock.h"

/* Whether the task could take the lock now. */
bool gmem_lock_is_free(const struct gmem_run *run, unsigned int class, unsigned int mode);
bool gmem_lock_is_held(const struct gmem_run *run, unsigned int class);
/* A violation: row s gives back what the task does not hold. What the row then results in. */
int gmem_lock_is_not_held(struct gmem_run *run, const struct gmem_step *s);
/* The number of the row of T_HOST_START that counts a notification. */
uint16_t gmem_counting_row(const struct gmem_step *table);
/* Tells the lock checker what the task still holds when its call is over. */
void gmem_tell_locks_left(struct gmem_run *run);

/*
 * The interpreter's own, step.c. Each returns the row to go on with, or null if there is none:
 * the last table has ended, or there was a violation.
 */
const struct gmem_step *gmem_call_table(struct gmem_run *run, const struct gmem_step *s);
const struct gmem_step *gmem_leave(struct gmem_run *run);
const struct gmem_step *gmem_end_early(struct gmem_run *run, const struct gmem_step *s);
const struct gmem_step *gmem_go_back(const struct gmem_run *run, unsigned int label);
const struct gmem_step *gmem_fail(struct gmem_run *run, const struct gmem_step *s, int err);
/* Goes on with s until there are no more than depth tables. */
const struct gmem_step *gmem_run_down_to(struct gmem_run *run, const struct gmem_step *s,
					 unsigned int depth);
/* Runs rows from s on, at least up to one that does more than pass. */
typedef const struct gmem_step *gmem_rows_fn(struct gmem_run *run, const struct gmem_step *s);
gmem_rows_fn gmem_run_rows;

/* The number of row s in the innermost table. */
uint16_t gmem_row_of(const struct gmem_run *run, const struct gmem_step *s);
/* What a WAIT does, and what is to be done then. */
int gmem_wait(struct gmem_run *run, const struct gmem_step *s);

/* Row s, which is row pc, decides the call's result, unless a later failure does. */
static inline void gmem_decided(struct gmem_run *run, const struct gmem_step *s, unsigned int pc)
{
	struct gmem_level *l = gmem_innermost(run);

	l->pc = (uint16_t)pc;
	run->res->clause = s->clause;
	run->res->table = l->table;
	run->res->row = l->pc;
}

static inline bool gmem_applies(struct gmem_run *run, const struct gmem_step *s)
{
	return !s->when || s->when(run);
}

static inline int gmem_answer(struct gmem_run *run, const struct gmem_step *s, unsigned int pc)
{
	int r = s->act(run);

	if (r >= 0 && r != RETRY && !run->t->said && !gmem_innermost(run)->err)
		gmem_decided(run, s, pc);
	return r;
}

/* What row s does. 0: it passed. Below 0: it failed. Else AGAIN, or DONE ... */
static inline __attribute__((__always_inline__)) int gmem_perform(struct gmem_run *run,
								  const struct gmem_step *s)
{
	if (s->kind == STEP_CHECK)
		return s->check(run) ? 0 : s->err;
	if (s->kind == STEP_DO || s->kind == STEP_EACH)
		return s->act(run);
	if (s->kind == STEP_ANSWER)
		return gmem_answer(run, s, gmem_row_of(run, s));
	if (s->kind == STEP_LOCK)
		return gmem_lock_take(run, s, gmem_row_of(run, s)) ? 0 : -EDEADLK;
	if (s->kind == STEP_UNLOCK)
		return gmem_lock_drop(run, s->lock) ? 0 : gmem_lock_is_not_held(run, s);
	if (s->kind == STEP_END)
		return ENDS;
	if (s->kind == STEP_DONE_IF)
		return s->check(run) ? DONE : 0;
	if (s->kind == STEP_RETRY_IF)
		return s->check(run) ? RETRY : 0;
	if (s->kind == STEP_WAIT)
		return gmem_wait(run, s);
	return s->kind == STEP_CALL || s->check(run) ? CALLS : 0;
}

/* After row s, which did more than pass. */
static inline const struct gmem_step *gmem_go_on(struct gmem_run *run, const struct gmem_step *s,
						 int r)
{
	if (r == CALLS)
		return gmem_call_table(run, s);
	if (r == ENDS)
		return gmem_leave(run);
	if (r == DONE)
		return gmem_end_early(run, s);
	if (r == AGAIN)
		return s;
	return r == RETRY ? gmem_go_back(run, s->to) : gmem_fail(run, s, r);
}

/* check.c: the invariants that hold after every row of every operation. */
enum gmem_status gmem_check_rows(const struct gmem_world *w, struct gmem_violation *v);
/* check.c: those of them that a row can break which changes nothing but its own task. */
enum gmem_status gmem_check_looks(const struct gmem_world *w, uint32_t task,
				  struct gmem_violation *v);
/* check.c: remembers what the world's violation is. */
void gmem_violate(struct gmem_world *w, const char *invariant, const char *saw, uint64_t a,
		  uint64_t b);

#endif
