/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A table that is run often may be unrolled: UNROLLED(gmem_op_foo) behind it is the function that
 * gmem_run_rows() would be if it were written for that table alone. Made of the same rows, it
 * knows them when it is compiled; so steps are called directly or inlined, while calling whatever
 * function a row names takes longer than most steps do. It leaves to gmem_run_rows() what is not
 * that very table: what another profile has in its place, and a copy with a row changed (bugs.c).
 */
#ifndef GMEM_UNROLL_H
#define GMEM_UNROLL_H

#include "profile.h"
#include "step.h"

gmem_rows_fn gmem_op_fallocate_rows, gmem_op_fallocate_file_rows, gmem_op_punch_hole_rows,
	gmem_op_allocate_rows, gmem_op_set_attributes2_rows, gmem_op_convert_rows,
	gmem_op_convert_start_rows, gmem_op_invalidate_start_rows, gmem_op_invalidate_end_rows,
	gmem_op_truncate_rows, gmem_op_truncate_batch_rows;

static gmem_rows_fn *const gmem_unrolled[GMEM_NR_TABLES] = {
	[GMEM_FALLOCATE] = gmem_op_fallocate_rows,
	[T_FALLOCATE_FILE] = gmem_op_fallocate_file_rows,
	[T_PUNCH_HOLE] = gmem_op_punch_hole_rows,
	[T_ALLOCATE] = gmem_op_allocate_rows,
	[GMEM_SET_MEMORY_ATTRIBUTES2] = gmem_op_set_attributes2_rows,
	[T_CONVERT] = gmem_op_convert_rows,
	[T_CONVERT_START] = gmem_op_convert_start_rows,
	[T_TRUNCATE] = gmem_op_truncate_rows,
	[T_TRUNCATE_BATCH] = gmem_op_truncate_batch_rows,
	[T_INVALIDATE_START] = gmem_op_invalidate_start_rows,
	[T_INVALIDATE_END] = gmem_op_invalidate_end_rows,
};

/* Puts the task before the first row of a table; which is null if it is not there. */
static inline const struct gmem_step *gmem_enter_table(struct gmem_run *run, unsigned int table)
{
	const struct gmem_step *first = run->b->profile->tables[table];
	struct gmem_task *t = run->t;

	if (t->depth == GMEM_MAX_DEPTH || !first) {
		gmem_violate(run->w, "I0", "a table calls too deeply, or one that is not there",
			     table, t->depth);
		return NULL;
	}
	t->level[t->depth++] = (struct gmem_level){ .table = (uint16_t)table };
	return first;
}

/* gmem_leave() where nothing failed, and a table called this one. */
static inline const struct gmem_step *gmem_return(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	const struct gmem_level *l;
	const struct gmem_step *s;

	if (t->depth < 2 || gmem_innermost(run)->err)
		return gmem_leave(run);
	t->depth--;
	l = gmem_innermost(run);
	s = &run->b->profile->tables[l->table][l->pc];
	return s->kind == STEP_CALL_EACH ? s : s + 1;
}

#define MOST_UNROLLED 24u

/* find_label() of step.c, for a row and a label that are known: so the row it finds is known, too. */
static inline __attribute__((__always_inline__)) const struct gmem_step *gmem_label_of(
	const struct gmem_step *s)
{
#pragma GCC unroll 24
	for (unsigned int i = 1; i < MOST_UNROLLED; i++)
		if (s[i].kind == STEP_END || (s->to && s[i].at == s->to))
			return &s[i];
	return NULL;
}

/* Calls the table of row s, which is row pc, and runs it to its end. */
static inline const struct gmem_step *gmem_run_call(struct gmem_run *run, const struct gmem_step *s,
						    unsigned int pc)
{
	gmem_rows_fn *rows = gmem_unrolled[s->table];
	unsigned int depth = run->t->depth;

	gmem_innermost(run)->pc = (uint16_t)pc;
	s = gmem_enter_table(run, s->table);
	if (s && rows)
		s = rows(run, s);
	return run->t->depth > depth || run->w->violated ? gmem_run_down_to(run, s, depth) : s;
}

/* Runs row s, which is row pc of its table, and what it calls. */
static inline __attribute__((__always_inline__)) const struct gmem_step *gmem_run_unrolled(
	struct gmem_run *run, const struct gmem_step *s, unsigned int pc)
{
	const struct gmem_step *next = s;
	int r;

	if (s->kind == STEP_CALL_EACH) {
		while (next == s && gmem_applies(run, s) && s->check(run))
			next = gmem_run_call(run, s, pc);
		return next == s ? s + 1 : next;
	}
	if (!gmem_applies(run, s))
		return s + 1;
	if (s->kind == STEP_CALL)
		return gmem_run_call(run, s, pc);
	if (s->kind == STEP_END)
		return gmem_return(run);
	if (s->kind == STEP_DONE_IF && !s->says)
		return s->check(run) ? gmem_label_of(s) : s + 1;
	if (s->kind == STEP_ANSWER)
		r = gmem_answer(run, s, pc);
	else if (s->kind == STEP_LOCK)
		r = gmem_lock_take(run, s, pc) ? 0 : -EDEADLK;
	else
		r = gmem_perform(run, s);
	return r ? gmem_go_on(run, s, r) : s + 1;
}

#define UNROLLED(table)                                                                           \
	const struct gmem_step *table##_rows(struct gmem_run *run, const struct gmem_step *s)     \
	{                                                                                         \
		const struct gmem_step *const row = table;                                        \
		const unsigned int nr = sizeof(table) / sizeof(table[0]);                         \
                                                                                                  \
		_Static_assert(sizeof(table) / sizeof(table[0]) <= MOST_UNROLLED, "add ROWS_4s"); \
		if (s == row)                                                                     \
			goto first;                                                               \
again:                                                                                            \
		switch (((uintptr_t)s - (uintptr_t)row) / sizeof(row[0])) {                       \
first:                                                                                            \
			ROWS_4(0)                                                                 \
			ROWS_4(4)                                                                 \
			ROWS_4(8)                                                                 \
			ROWS_4(12)                                                                \
			ROWS_4(16)                                                                \
			ROWS_4(20)                                                                \
		default:                                                                          \
			return gmem_run_rows(run, s);                                             \
		}                                                                                 \
	}
#define ROWS_4(i) ROW(i) ROW(i + 1) ROW(i + 2) ROW(i + 3)
#define ROW(i)                                                  \
	case i:                                                 \
		if (i < nr) {                                   \
			s = gmem_run_unrolled(run, &row[i], i); \
			if (row[i].kind == STEP_END)            \
				return s;                       \
			if (s != &row[i + 1]) {                 \
				if (!s || run->w->violated)     \
					return s;               \
				goto again;                     \
			}                                       \
		}                                               \
		__attribute__((__fallthrough__));

#endif
