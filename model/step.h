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
 *	LOCK(l, MODE, CLAUSE)	takes lock l of the task's file, VM, inode or process
 *	UNLOCK(l)
 *	CALL(TABLE, CLAUSE)	runs another table; its failure is this row's
 *	CALL_EACH(f, TABLE, CLAUSE)	for as long as f() finds another object for it
 *
 * Any row takes .when = f, a condition without which it is skipped; .at = LABEL names a row; and
 * .to = LABEL is where the table goes on when the row fails (or a DONE_IF holds), to put back
 * what has to be put back. Without .to it ends there. On a CALL, .err = -ERR replaces the failure
 * of the table called. END closes a table.
 *
 * CHECKs come first and touch nothing but the task's locals. What a step may change beyond those
 * is the world; what it needs of the call is in run->c.
 */
#ifndef GMEM_STEP_H
#define GMEM_STEP_H

#include <errno.h>

#include "clauses.h"
#include "state.h"

/* What a row answers but 0 (it passed) and what is below 0 (it failed). */
#define AGAIN 1	  /* it is to run once more */
#define DONE 2	  /* the table is done */
#define CALLS 3	  /* another table is to run */
#define ENDS 4	  /* the table is at its end */
#define SKIPPED 5 /* its condition does not hold */

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
	T_HOST_FAULT,
	T_GUEST_FAULT,
	T_GET_PFN,
	T_GET_USER_PAGE,
	T_POPULATE_PAGE,
	T_PRE_FAULT_PAGE,
	GMEM_NR_TABLES,
};

/* Labels, for .at and .to */
enum gmem_label { L_NONE, L_UNLOCK, L_UNLOCK_OUTER, L_UNBIND, L_EXIT, L_END };

/* One running call: what a step sees. */
struct gmem_run {
	struct gmem_world *w;
	struct gmem_block *b;
	struct gmem_task *t;
	const struct gmem_call *c;
	struct gmem_result *res;
	bool misused; /* the model has no answer: nothing has been changed */
};

typedef bool (*gmem_check_fn)(struct gmem_run *run);
typedef int (*gmem_act_fn)(struct gmem_run *run);

struct gmem_step {
	const char *name;
	gmem_check_fn check;
	gmem_act_fn act;
	gmem_check_fn when;
	uint16_t clause;
	uint16_t table;
	int16_t err;
	uint8_t kind;
	uint8_t lock, mode;
	uint8_t at, to; /* enum gmem_label */
	bool says;	/* DONE_IF: the clause is the rule that decided */
};

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

/* lock.c. false: the task would wait for itself, or gives back what it does not hold. */
bool gmem_lock_take(struct gmem_run *run, unsigned int class, unsigned int mode);
bool gmem_lock_drop(struct gmem_run *run, unsigned int class);

/* check.c: remembers what the world's violation is. */
void gmem_violate(struct gmem_world *w, const char *invariant, const char *saw, uint64_t a,
		  uint64_t b);

#endif
