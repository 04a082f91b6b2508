/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The door for calls: what can be asked is asked, with room for all of it, and the result handed
 * over; in one go by gmem_call(), or row by row by gmem_begin() and gmem_step(). The rows
 * themselves are run by step.c.
 */
#include "step.h"

#include <stddef.h>
#include <string.h>

#include "ops.h"
#include "profile.h"
#include "unroll.h"

/* The most cells one call can need; see ranges.h on what one store in a tree takes. */
static uint64_t cells_for(const struct gmem_block *b, const struct gmem_call *c)
{
	uint64_t cells = 512 + 3 * ((uint64_t)b->nr_slots + b->nr_vmas);

	return cells + gmem_cells_for_verb(b, c);
}

/* The call is *c and its result *r, while it runs. */
static inline void begin(struct gmem_run *run, const struct gmem_call *c, struct gmem_result *r)
{
	struct gmem_world *w = run->w;
	struct gmem_task *t = TASK(w->b, w->b->tasks[c->task]);

	w->violated = false;
	t->said = false;
	/* Names: what an earlier call left would be taken for what this one looks at. */
	memset(&t->file, 0, offsetof(struct gmem_task, start) - offsetof(struct gmem_task, file));
	memset(r, 0, sizeof(*r));
	run->b = w->b;
	run->t = t;
	run->c = c;
	run->res = r;
}

/* Puts the call and its result into the world, for others to find them there while it runs. */
static void begin_in_world(struct gmem_run *run, const struct gmem_call *c)
{
	struct gmem_block *b = run->w->b;
	struct gmem_op *op = OP(b, CTASK(b, b->tasks[c->task])->op);

	op->call = *c;
	begin(run, &op->call, &op->result);
}

/* It was stopped by a violation, and is still there. */
static void stopped(struct gmem_run *run, const struct gmem_result *r)
{
	struct gmem_op *op = OP(run->b, run->t->op);

	run->b->running++;
	if (run->res != r)
		return; /* it is in the world already */
	op->call = *run->c;
	op->result = *run->res;
}

uint64_t gmem_cells_for_call(const struct gmem_world *w, const struct gmem_call *c)
{
	return cells_for(w->b, c);
}

/* What the rows of all calls under way may still need, and those of c. */
static bool reserve_for(struct gmem_world *w, const struct gmem_call *c)
{
	uint64_t cells = c ? cells_for(w->b, c) : 0;

	if (w->reserved)
		return true;
	for (unsigned int i = 0; i < GMEM_MAX_TASKS; i++) {
		const struct gmem_task *t = w->b->tasks[i] ? CTASK(w->b, w->b->tasks[i]) : NULL;

		if (t && t->depth)
			cells += cells_for(w->b, &COP(w->b, t->op)->call);
	}
	return gmem_reserve(w, cells);
}

/* What is to be done when the last row of a call has run. */
static inline void finish(struct gmem_run *run)
{
	uint32_t number = run->t->number;

	if (run->w->lockdep)
		gmem_tell_locks_left(run);
	if (run->c->verb != GMEM_INJECT)
		run->t->inject = run->t->inject_after = 0;
	if (!run->t->process)
		gmem_task_free(run->b, number);
}

/* The call was not made. */
static enum gmem_status refuse(struct gmem_result *r, int value, enum gmem_status status)
{
	memset(r, 0, sizeof(*r));
	r->value = value;
	return status;
}

/*
 * Calls that are under way hold locks, and have left things half done: what is run at once among
 * them would see a violation where it has to wait.
 */
static enum gmem_status refuse_under_way(const struct gmem_world *w, struct gmem_result *r)
{
	return w->violated ? refuse(r, 0, GMEM_VIOLATED) : refuse(r, -EINVAL, GMEM_MISUSE);
}

/* The descriptor is of a kind that the call has no answer for: it is as if it had not been made. */
static enum gmem_status misuse(struct gmem_run *run, struct gmem_result *r)
{
	run->t->depth = 0;
	*r = *run->res;
	r->value = -EINVAL;
	return GMEM_MISUSE;
}

static bool can_be_asked(const struct gmem_world *w, const struct gmem_call *c)
{
	return c->verb < GMEM_NR_VERBS && c->task < GMEM_MAX_TASKS && w->b->tasks[c->task] &&
	       gmem_call_makes_sense(w->b, c);
}

enum gmem_status gmem_call(struct gmem_world *w, const struct gmem_call *c, struct gmem_result *r)
{
	struct gmem_run run = { .w = w };

	if (!can_be_asked(w, c))
		return refuse(r, -EINVAL, GMEM_MISUSE);
	if (w->b->running)
		return refuse_under_way(w, r);
	if (!gmem_reserve(w, cells_for(w->b, c)))
		return refuse(r, -ENOMEM, GMEM_FAILED);
	/* Nobody sees a call that is run in one go, unless somebody watches its rows. */
	if (w->observer || w->checking == GMEM_CHECK_STEPS)
		begin_in_world(&run, c);
	else
		begin(&run, c, r);
	gmem_run_table(&run, c->verb);
	if (run.misused)
		return misuse(&run, r);
	if (run.res != r)
		*r = *run.res;
	if (!run.t->depth)
		finish(&run);
	else
		stopped(&run, r);
	if (!w->violated && w->checking != GMEM_CHECK_NEVER &&
	    gmem_check(w, &w->violation) != GMEM_DONE)
		w->violated = true;
	return w->violated ? GMEM_VIOLATED : GMEM_DONE;
}

/* Nobody reads what an earlier call left there, but it would tell states apart that are the same. */
static void forget_places(struct gmem_task *t)
{
	memset(&t->start, 0, sizeof(*t) - offsetof(struct gmem_task, start));
}

enum gmem_status gmem_begin(struct gmem_world *w, const struct gmem_call *c)
{
	struct gmem_run run = { .w = w };

	if (c->verb >= GMEM_NR_VERBS || !gmem_task_exists(w, c->task) ||
	    !gmem_call_makes_sense(w->b, c) || gmem_task_runs(w, c->task))
		return GMEM_MISUSE;
	if (!reserve_for(w, c))
		return GMEM_FAILED;
	begin_in_world(&run, c);
	forget_places(run.t);
	gmem_enter_table(&run, c->verb);
	w->b->running += run.t->depth != 0;
	w->violated = false;
	return GMEM_DONE;
}

void gmem_resume(struct gmem_run *run, uint32_t task)
{
	run->by_rows = true;
	run->b = run->w->b;
	run->t = TASK(run->b, run->b->tasks[task]);
	run->c = &OP(run->b, run->t->op)->call;
	run->res = &OP(run->b, run->t->op)->result;
}

enum gmem_status gmem_step_run(struct gmem_run *run, uint32_t task, enum gmem_progress *progress,
			       struct gmem_result *r)
{
	struct gmem_world *w = run->w;

	if (!gmem_task_runs(w, task))
		return GMEM_MISUSE;
	if (!reserve_for(w, NULL))
		return GMEM_FAILED;
	gmem_resume(run, task);
	w->violated = false;
	*progress = gmem_run_row(run);
	w->b->running -= run->misused || *progress == GMEM_OVER;
	if (run->misused) {
		*progress = GMEM_OVER;
		return misuse(run, r);
	}
	if (*progress == GMEM_OVER) {
		*r = *run->res;
		finish(run);
	}
	if (!w->violated && *progress != GMEM_WAITS && w->checking != GMEM_CHECK_NEVER &&
	    gmem_check(w, &w->violation) != GMEM_DONE)
		w->violated = true;
	return w->violated ? GMEM_VIOLATED : GMEM_DONE;
}

enum gmem_status gmem_step(struct gmem_world *w, uint32_t task, enum gmem_progress *progress,
			   struct gmem_result *r)
{
	struct gmem_run run = { .w = w };

	return gmem_step_run(&run, task, progress, r);
}

/* The world is only read: conditions look, and change nothing but locals that they set again. */
int gmem_task_can_step(const struct gmem_world *w, uint32_t task)
{
	struct gmem_run run = { .w = (struct gmem_world *)w };

	if (!gmem_task_runs(w, task))
		return 0;
	gmem_resume(&run, task);
	return gmem_can_run_row(&run);
}

const struct gmem_step *gmem_next_row(const struct gmem_world *w, uint32_t task)
{
	struct gmem_run run = { .w = (struct gmem_world *)w };

	gmem_resume(&run, task);
	return gmem_find_next_row(&run);
}

int gmem_task_runs(const struct gmem_world *w, uint32_t task)
{
	return gmem_is_in_call(w->b, task);
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
