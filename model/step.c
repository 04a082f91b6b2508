/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interpreter of step tables.
 *
 * A task stands in a stack of tables, in the world itself (gmem_task.level), so it could stop
 * after any row. An ordinary call does not stop: gmem_run_table() runs until the stack is empty.
 * The first failure decides the result; rows that run after it put things back.
 *
 * There are three ways to run rows, which do the same: one row at a time, for whoever watches
 * (run_watched()); many at a time (gmem_run_rows()); and unrolled, where a table has that (step.h).
 */
#include "step.h"

#include "ops.h"
#include "profile.h"
#include "unroll.h"

static const struct gmem_step *table_of(const struct gmem_run *run, const struct gmem_level *l)
{
	return run->b->profile->tables[l->table];
}

uint16_t gmem_row_of(const struct gmem_run *run, const struct gmem_step *s)
{
	return (uint16_t)(s - table_of(run, gmem_innermost(run)));
}

/* Row s calls another table, and has to be found again when that one ends. */
const struct gmem_step *gmem_call_table(struct gmem_run *run, const struct gmem_step *s)
{
	gmem_innermost(run)->pc = gmem_row_of(run, s);
	return gmem_enter_table(run, s->table);
}

/* The row after s that carries the label, or the end of the table. */
static const struct gmem_step *find_label(const struct gmem_step *s, unsigned int label)
{
	do
		s++;
	while (s->kind != STEP_END && (!label || s->at != label));
	return s;
}

/* The row that carries the label, wherever it is. */
const struct gmem_step *gmem_go_back(const struct gmem_run *run, unsigned int label)
{
	const struct gmem_step *s = table_of(run, gmem_innermost(run));

	while (s->kind != STEP_END && s->at != label)
		s++;
	return s;
}

/* The whole operation failed: with an errno, or with a signal. */
static void conclude(struct gmem_run *run, int err)
{
	if (err == -FAULT_SIGBUS)
		run->res->outcome = GMEM_SIGBUS;
	else if (err == -FAULT_SIGSEGV)
		run->res->outcome = GMEM_SIGSEGV;
	else
		run->res->value = err;
}

/* fdput(); what that or anything else released is done before the call returns. */
static const struct gmem_step *put_fd(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	if (t->fd_file)
		gmem_fput(run, t->fd_file);
	t->fd_file = 0;
	return t->dying ? gmem_enter_table(run, T_TASK_WORK) : NULL;
}

/*
 * Ends the innermost table; its failure becomes the failure of the row that called it, and that
 * row's table goes on.
 */
const struct gmem_step *gmem_leave(struct gmem_run *run)
{
	int err = gmem_innermost(run)->err;
	const struct gmem_step *s;
	struct gmem_level *l;

	if (!--run->t->depth) {
		if (err)
			conclude(run, err);
		return put_fd(run);
	}
	l = gmem_innermost(run);
	s = &table_of(run, l)[l->pc];
	if (!err)
		return s->kind == STEP_CALL_EACH ? s : s + 1;
	if (!l->err)
		l->err = (int16_t)(s->err ? s->err : err);
	return find_label(s, s->to);
}

const struct gmem_step *gmem_fail(struct gmem_run *run, const struct gmem_step *s, int err)
{
	struct gmem_level *l = gmem_innermost(run);

	if (!l->err || s->says) {
		l->err = (int16_t)err;
		gmem_decided(run, s, gmem_row_of(run, s));
	}
	return find_label(s, s->to);
}

const struct gmem_step *gmem_end_early(struct gmem_run *run, const struct gmem_step *s)
{
	if (s->says)
		gmem_decided(run, s, gmem_row_of(run, s));
	run->t->said |= s->says;
	return find_label(s, s->to);
}

/* With one task there is nobody to wait for: a row that has to would wait for ever. */
int gmem_wait(struct gmem_run *run, const struct gmem_step *s)
{
	gmem_lock_seen(run, s);
	if (!s->check(run))
		gmem_violate(run->w, "I1", "a task waits for itself: table, row",
			     gmem_innermost(run)->table, gmem_row_of(run, s));
	else if (s->act)
		return s->act(run);
	return 0;
}

/* Row s, before the task goes on: for whoever looks at every row. */
static struct gmem_step_event seen(const struct gmem_run *run, const struct gmem_step *s,
				   bool skipped, int r)
{
	return (struct gmem_step_event){
		.table = gmem_innermost(run)->table,
		.row = gmem_row_of(run, s),
		.clause = s->clause,
		.depth = (uint8_t)(run->t->depth - 1),
		.passed = (int8_t)(skipped ? -1 : r >= 0 && r != DONE),
		.err = (int16_t)(r < 0 ? r : 0),
	};
}

/* A row that is skipped has changed nothing that an invariant is about. */
static void show(struct gmem_run *run, const struct gmem_step_event *e, int r)
{
	struct gmem_world *w = run->w;

	if (w->observer && r != ENDS)
		w->observer(w->observer_arg, e);
	if (w->checking == GMEM_CHECK_STEPS && !w->violated && run->t->depth && e->passed >= 0 &&
	    gmem_check(w, &w->violation) != GMEM_DONE)
		w->violated = true;
}

/* The task goes on with row s, if there is one. */
static void stand_at(struct gmem_run *run, const struct gmem_step *s)
{
	if (s)
		gmem_innermost(run)->pc = gmem_row_of(run, s);
}

/* Runs row s and shows it; the row to go on with. */
static const struct gmem_step *run_watched(struct gmem_run *run, const struct gmem_step *s)
{
	bool skipped = !gmem_applies(run, s);
	int r = skipped ? 0 : gmem_perform(run, s);
	const struct gmem_step_event e = seen(run, s, skipped, r);

	s = r ? gmem_go_on(run, s, r) : s + 1;
	stand_at(run, s);
	show(run, &e, r);
	return s;
}

const struct gmem_step *gmem_run_rows(struct gmem_run *run, const struct gmem_step *s)
{
	int r;

	while (!gmem_applies(run, s) || !(r = gmem_perform(run, s)))
		s++;
	return gmem_go_on(run, s, r);
}

static const struct gmem_step *run_rows(struct gmem_run *run, const struct gmem_step *s)
{
	gmem_rows_fn *rows = gmem_unrolled[gmem_innermost(run)->table];

	return rows ? rows(run, s) : gmem_run_rows(run, s);
}

const struct gmem_step *gmem_run_down_to(struct gmem_run *run, const struct gmem_step *s,
					 unsigned int depth)
{
	while (s && !run->w->violated && run->t->depth > depth)
		s = run_rows(run, s);
	return run->w->violated ? NULL : s;
}

static void run_all_watched(struct gmem_run *run, const struct gmem_step *s)
{
	while (s && !run->w->violated)
		s = run_watched(run, s);
}

/*
 * Between two rows of one table nobody needs to know where the task stands, so its place is
 * written down only when it enters another table, or when somebody watches.
 */
void gmem_run_table(struct gmem_run *run, unsigned int table)
{
	const struct gmem_world *w = run->w;
	const struct gmem_step *s = gmem_enter_table(run, table);
	gmem_rows_fn *rows = gmem_unrolled[table];

	if (w->observer || w->checking == GMEM_CHECK_STEPS) {
		run_all_watched(run, s);
		return;
	}
	if (s && rows)
		s = rows(run, s);
	while (s && !w->violated)
		s = run_rows(run, s);
}

/* Whether the task can run row s now, which its condition does not skip. */
static bool can_run(struct gmem_run *run, const struct gmem_step *s)
{
	if (s->kind == STEP_LOCK)
		return gmem_lock_is_free(run, s->lock, s->mode);
	return s->kind != STEP_WAIT || s->check(run);
}

/* The next row of the innermost table that is not skipped; its END, if all the rest is. */
const struct gmem_step *gmem_find_next_row(struct gmem_run *run)
{
	const struct gmem_level *l = gmem_innermost(run);
	const struct gmem_step *s = &table_of(run, l)[l->pc];

	while (s->kind != STEP_END && s->when && !s->when(run))
		s++;
	return s;
}

/* Ends tables that stand at their end. */
static void leave_all(struct gmem_run *run)
{
	while (run->t->depth && !run->w->violated) {
		const struct gmem_level *l = gmem_innermost(run);

		if (table_of(run, l)[l->pc].kind != STEP_END)
			break;
		stand_at(run, gmem_leave(run));
	}
}

bool gmem_can_run_row(struct gmem_run *run)
{
	return can_run(run, gmem_find_next_row(run));
}

/* Somebody who never gets what he wants has wanted it all the same, whoever asks him to go on. */
static void note_next(struct gmem_run *run)
{
	const struct gmem_step *s = gmem_find_next_row(run);

	if (s->kind == STEP_LOCK || s->kind == STEP_WAIT)
		gmem_lock_seen(run, s);
}

/* That the rest of a table is skipped is a row, too. */
enum gmem_progress gmem_run_row(struct gmem_run *run)
{
	const struct gmem_step *s = gmem_find_next_row(run);
	struct gmem_step_event e;
	int r;

	run->table = gmem_innermost(run)->table;
	run->row = gmem_row_of(run, s);
	if (!can_run(run, s))
		return GMEM_WAITS;
	r = gmem_perform(run, s);
	run->ran = r != ENDS;
	if (run->w->observer)
		e = seen(run, s, false, r);
	stand_at(run, r ? gmem_go_on(run, s, r) : s + 1);
	if (run->w->observer && run->ran)
		run->w->observer(run->w->observer_arg, &e);
	leave_all(run);
	if (run->w->lockdep && run->t->depth && !run->w->violated)
		note_next(run);
	return run->t->depth ? GMEM_RAN : GMEM_OVER;
}
