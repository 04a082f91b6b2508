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

static void decided(struct gmem_run *run, const struct gmem_level *l, const struct gmem_step *s)
{
	run->res->clause = s->clause;
	run->res->table = l->table;
	run->res->row = l->pc;
}

static void observe(struct gmem_run *run, const struct gmem_level *l, const struct gmem_step *s,
		    int passed, int err)
{
	struct gmem_step_event e = {
		.table = l->table,
		.row = l->pc,
		.clause = s->clause,
		.depth = (uint8_t)(run->t->depth - 1),
		.passed = (int8_t)passed,
		.err = (int16_t)err,
	};

	run->w->observer(run->w->observer_arg, &e);
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

/* Goes to the row that carries the label, or to the end of the table. */
static void jump(struct gmem_level *l, const struct gmem_step *steps, unsigned int label)
{
	do
		l->pc++;
	while (steps[l->pc].kind != STEP_END && (!label || steps[l->pc].at != label));
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
	struct gmem_level *l;
	const struct gmem_step *steps;

	if (!t->depth) {
		if (err)
			conclude(run, err);
		return;
	}
	l = &t->level[t->depth - 1];
	steps = table_of(run, l);
	if (err) {
		if (!l->err)
			l->err = (int16_t)(steps[l->pc].err ? steps[l->pc].err : err);
		jump(l, steps, steps[l->pc].to);
	} else if (steps[l->pc].kind != STEP_CALL_EACH) {
		l->pc++;
	}
}

/* What a row does. 0: go on. AGAIN: the same row again. Below 0: failed. */
static int perform(struct gmem_run *run, const struct gmem_step *s)
{
	switch (s->kind) {
	case STEP_CHECK:
		return s->check(run) ? 0 : s->err;
	case STEP_LOCK:
		return gmem_lock_take(run, s->lock, s->mode) ? 0 : -EDEADLK;
	case STEP_UNLOCK:
		return gmem_lock_drop(run, s->lock) ? 0 : -EDEADLK;
	default:
		return s->act(run);
	}
}

static void fail(struct gmem_run *run, struct gmem_level *l, const struct gmem_step *steps, int err)
{
	const struct gmem_step *s = &steps[l->pc];

	if (!l->err) {
		l->err = (int16_t)err;
		decided(run, l, s);
	}
	jump(l, steps, s->to);
}

/* One row of the innermost table. */
static void step(struct gmem_run *run)
{
	struct gmem_level *l = &run->t->level[run->t->depth - 1];
	const struct gmem_step *steps = table_of(run, l), *s = &steps[l->pc];
	struct gmem_level here = *l;
	int r = 0;

	if (s->kind == STEP_END) {
		leave(run);
		return;
	}
	if (s->when && !s->when(run)) {
		if (run->w->observer)
			observe(run, &here, s, -1, 0);
		l->pc++;
		return;
	}
	if (s->kind == STEP_CALL || (s->kind == STEP_CALL_EACH && s->check(run))) {
		if (run->w->observer)
			observe(run, &here, s, 1, 0);
		enter(run, s->table);
		return;
	}
	if (s->kind == STEP_DONE_IF) {
		if (s->check(run)) {
			if (s->says)
				decided(run, l, s);
			run->t->said |= s->says;
			jump(l, steps, s->to);
			r = AGAIN;
		}
	} else if (s->kind != STEP_CALL_EACH) {
		r = perform(run, s);
	}
	if (run->w->observer)
		observe(run, &here, s, r < 0 || (s->kind == STEP_DONE_IF && r) ? 0 : 1,
			r < 0 ? r : 0);
	if (s->kind == STEP_ANSWER && r >= 0 && !run->t->said)
		decided(run, l, s);
	if (r < 0)
		fail(run, l, steps, r);
	else if (r != AGAIN)
		l->pc++;
}

void gmem_run_table(struct gmem_run *run, unsigned int table)
{
	struct gmem_world *w = run->w;

	enter(run, table);
	while (run->t->depth && !w->violated) {
		step(run);
		if (w->checking == GMEM_CHECK_STEPS && !w->violated &&
		    gmem_check(w, &w->violation) != GMEM_DONE)
			w->violated = true;
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

/* Whether the descriptor is of a kind that the model has an answer for. */
static bool fd_makes_sense(const struct gmem_world *w, const struct gmem_call *c)
{
	const struct gmem_param *p = gmem_verb_info(c->verb)->params;
	unsigned int kind;

	if (!p->name || p->kind != GMEM_P_FD || p->offset != offsetof(struct gmem_call, fd))
		return true;
	kind = gmem_fd_kind(w, c->task, c->fd);
	return !kind || gmem_verb_is_ioctl(c->verb) || (p->fds & kind);
}

enum gmem_status gmem_call(struct gmem_world *w, const struct gmem_call *c, struct gmem_result *r)
{
	struct gmem_run run = { .w = w, .c = c, .res = r };

	memset(r, 0, sizeof(*r));
	if (c->verb >= GMEM_NR_VERBS || !gmem_task_exists(w, c->task) || !fd_makes_sense(w, c) ||
	    !gmem_call_makes_sense(w->b, c))
		return misuse(r);
	if (!gmem_reserve(w, cells_for(w->b, c))) {
		r->value = -ENOMEM;
		return GMEM_FAILED;
	}
	run.b = w->b;
	run.t = TASK(w->b, w->b->tasks[c->task]);
	run.t->said = false;
	w->violated = false;
	gmem_run_table(&run, c->verb);
	if (!w->violated && w->checking == GMEM_CHECK_CALLS &&
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
