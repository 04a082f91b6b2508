/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interpreter of step tables, and the door for calls.
 *
 * A task stands in a stack of tables, in the world itself (gmem_task.level), so it could stop
 * after any row. An ordinary call does not stop: gmem_run_table() runs until the stack is empty.
 * The first failure decides the result; rows that run after it put things back.
 */
#include "step.h"

#include <string.h>

#include "ops.h"
#include "profile.h"

static const struct gmem_step *table_of(const struct gmem_run *run, const struct gmem_level *l)
{
	return run->b->profile->tables[l->table];
}

/* The row that decides the call's result, unless a later failure does. */
static void decided(struct gmem_run *run, struct gmem_level *l, const struct gmem_step *s)
{
	l->pc = (uint16_t)(s - table_of(run, l));
	run->res->clause = s->clause;
	run->res->table = l->table;
	run->res->row = l->pc;
}

static void enter(struct gmem_run *run, unsigned int table)
{
	struct gmem_task *t = run->t;

	if (t->depth == GMEM_MAX_DEPTH || !run->b->profile->tables[table]) {
		gmem_violate(run->w, "I0", "a table calls too deeply, or one that is not there",
			     table, t->depth);
		return;
	}
	t->level[t->depth++] = (struct gmem_level){ .table = (uint16_t)table };
}

/* The row after s that carries the label, or the end of the table. */
static const struct gmem_step *find_label(const struct gmem_step *s, unsigned int label)
{
	do
		s++;
	while (s->kind != STEP_END && (!label || s->at != label));
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

/* Ends the innermost table; its failure becomes the failure of the row that called it. */
static void leave(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	int err = t->level[--t->depth].err;
	const struct gmem_step *steps, *s;
	struct gmem_level *l;

	if (!t->depth) {
		if (err)
			conclude(run, err);
		return;
	}
	l = &t->level[t->depth - 1];
	steps = table_of(run, l);
	s = &steps[l->pc];
	if (err) {
		if (!l->err)
			l->err = (int16_t)(s->err ? s->err : err);
		l->pc = (uint16_t)(find_label(s, s->to) - steps);
	} else if (s->kind != STEP_CALL_EACH) {
		l->pc++;
	}
}

static const struct gmem_step *fail(struct gmem_run *run, struct gmem_level *l,
				    const struct gmem_step *s, int err)
{
	if (!l->err) {
		l->err = (int16_t)err;
		decided(run, l, s);
	}
	return find_label(s, s->to);
}

static const struct gmem_step *end_early(struct gmem_run *run, struct gmem_level *l,
					 const struct gmem_step *s)
{
	if (s->says)
		decided(run, l, s);
	run->t->said |= s->says;
	return find_label(s, s->to);
}

static int answer(struct gmem_run *run, struct gmem_level *l, const struct gmem_step *s)
{
	int r = s->act(run);

	if (r >= 0 && !run->t->said && !l->err)
		decided(run, l, s);
	return r;
}

/* What a row does that is no check. 0: it passed. Below 0: it failed. Else AGAIN, or DONE ... */
static int perform(struct gmem_run *run, struct gmem_level *l, const struct gmem_step *s)
{
	if (s->kind == STEP_ANSWER)
		return answer(run, l, s);
	if (s->act)
		return s->act(run);
	if (s->kind == STEP_LOCK)
		return gmem_lock_take(run, s->lock, s->mode) ? 0 : -EDEADLK;
	if (s->kind == STEP_UNLOCK)
		return gmem_lock_drop(run, s->lock) ? 0 : -EDEADLK;
	if (s->kind == STEP_END)
		return ENDS;
	if (s->kind == STEP_DONE_IF)
		return s->check(run) ? DONE : 0;
	return s->kind == STEP_CALL || s->check(run) ? CALLS : 0;
}

/* After row s, which did more than pass: the row to go on with, or null if it is another table's. */
static const struct gmem_step *go_on(struct gmem_run *run, struct gmem_level *l,
				     const struct gmem_step *s, int r)
{
	if (r < 0)
		return fail(run, l, s, r);
	if (r == DONE)
		return end_early(run, l, s);
	if (r == AGAIN)
		return s;
	l->pc = (uint16_t)(s - table_of(run, l));
	if (r == ENDS)
		leave(run);
	else
		enter(run, s->table);
	return NULL;
}

/* Row s, before the task goes on: for whoever looks at every row. */
static struct gmem_step_event seen(const struct gmem_run *run, const struct gmem_level *l,
				   const struct gmem_step *s, int r)
{
	return (struct gmem_step_event){
		.table = l->table,
		.row = (uint16_t)(s - table_of(run, l)),
		.clause = s->clause,
		.depth = (uint8_t)(run->t->depth - 1),
		.passed = (int8_t)(r == SKIPPED ? -1 : r >= 0 && r != DONE),
		.err = (int16_t)(r < 0 ? r : 0),
	};
}

static void show(struct gmem_run *run, const struct gmem_step_event *e, int r)
{
	struct gmem_world *w = run->w;

	if (w->observer && r != ENDS)
		w->observer(w->observer_arg, e);
	if (w->checking == GMEM_CHECK_STEPS && !w->violated && run->t->depth &&
	    gmem_check(w, &w->violation) != GMEM_DONE)
		w->violated = true;
}

/* Runs rows from *at on, up to one that does more than pass; only one, if it is to be seen. */
static inline int run_rows(struct gmem_run *run, struct gmem_level *l, const struct gmem_step **at,
			   bool watched)
{
	const struct gmem_step *s = *at;
	int r;

	for (;; s++) {
		if (s->when && !s->when(run))
			r = SKIPPED;
		else if (s->kind == STEP_CHECK)
			r = s->check(run) ? 0 : s->err;
		else
			r = perform(run, l, s);
		if ((r && r != SKIPPED) || watched)
			break;
	}
	*at = s;
	return r;
}

/*
 * Between two rows of one table nobody needs to know where the task stands, so its place is
 * written down only when it enters another table, or when somebody watches.
 */
void gmem_run_table(struct gmem_run *run, unsigned int table)
{
	const struct gmem_world *w = run->w;
	bool watched = w->observer || w->checking == GMEM_CHECK_STEPS;

	enter(run, table);
	while (run->t->depth && !w->violated) {
		struct gmem_level *l = &run->t->level[run->t->depth - 1];
		const struct gmem_step *s = &table_of(run, l)[l->pc];

		while (s && !w->violated) {
			int r = run_rows(run, l, &s, watched);
			struct gmem_step_event e;

			if (watched)
				e = seen(run, l, s, r);
			s = r && r != SKIPPED ? go_on(run, l, s, r) : s + 1;
			if (watched && s)
				l->pc = (uint16_t)(s - table_of(run, l));
			if (watched)
				show(run, &e, r);
		}
	}
}

/* The most cells one call can need; see ranges.h on what one store in a tree takes. */
static uint64_t cells_for(const struct gmem_block *b, const struct gmem_call *c)
{
	uint64_t cells = 512 + 3 * ((uint64_t)b->nr_slots + b->nr_vmas);

	return cells + gmem_cells_for_verb(b, c);
}

static enum gmem_status misuse(struct gmem_result *r)
{
	r->value = -EINVAL;
	return GMEM_MISUSE;
}

enum gmem_status gmem_call(struct gmem_world *w, const struct gmem_call *c, struct gmem_result *r)
{
	struct gmem_run run = { .w = w, .c = c, .res = r };

	memset(r, 0, sizeof(*r));
	if (c->verb >= GMEM_NR_VERBS || !gmem_task_exists(w, c->task) ||
	    !gmem_call_makes_sense(w->b, c))
		return misuse(r);
	if (TASK(w->b, w->b->tasks[c->task])->depth)
		return GMEM_VIOLATED; /* a call of this task was stopped by a violation */
	if (!gmem_reserve(w, cells_for(w->b, c))) {
		r->value = -ENOMEM;
		return GMEM_FAILED;
	}
	run.b = w->b;
	run.t = TASK(w->b, w->b->tasks[c->task]);
	run.t->said = false;
	w->violated = false;
	gmem_run_table(&run, c->verb);
	if (run.misused)
		return misuse(r);
	if (c->verb != GMEM_INJECT)
		run.t->inject = run.t->inject_after = 0;
	if (!run.t->process)
		gmem_task_free(run.b, c->task);
	if (!w->violated && w->checking != GMEM_CHECK_NEVER &&
	    gmem_check(w, &w->violation) != GMEM_DONE)
		w->violated = true;
	return w->violated ? GMEM_VIOLATED : GMEM_DONE;
}

const struct gmem_violation *gmem_violation(const struct gmem_world *w)
{
	return &w->violation;
}

void gmem_observe(struct gmem_world *w, gmem_observer_fn fn, void *arg)
{
	w->observer = fn;
	w->observer_arg = arg;
}
