/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs the calls of a trace that overlap, row by row: first as its schedule says, then each task's
 * calls to their ends, in the order in which they are written. Only the model can do that.
 */
#include <stdio.h>

#include "backend-model.h"
#include "trace.h"

/* Rows of one call after the schedule, before others get a turn: who goes round may wait for them. */
#define MOST_ROWS_OF_A_TURN 1000u
#define MOST_TURNS_IN_VAIN 100u

struct overlap {
	struct trace_run *run;
	const struct trace *t;
	struct gmem_world *w;
	size_t next[GMEM_MAX_TASKS]; /* of each task: where to look for its next call */
	size_t current[GMEM_MAX_TASKS];
	size_t left; /* calls that are not over */
};

static int stop(struct overlap *o, const char *why, uint32_t task)
{
	o->run->status = BACKEND_BROKEN;
	snprintf(o->run->error.why, sizeof(o->run->error.why), "%s: task %s", why,
		 trace_task_name(o->t, task));
	return 0;
}

static int violated(struct overlap *o)
{
	const struct gmem_violation *v = gmem_violation(o->w);

	o->run->status = BACKEND_BROKEN;
	snprintf(o->run->error.why, sizeof(o->run->error.why),
		 "invariant %s is violated: %s Seen: %s (%llu, %llu)", v->invariant, v->sentence,
		 v->saw, (unsigned long long)v->a, (unsigned long long)v->b);
	return 0;
}

/* Begins the task's next call; 0 if it has none. */
static int begin_next(struct overlap *o, uint32_t task)
{
	size_t *n = &o->next[task];
	struct gmem_call call;

	while (*n < o->t->par_end && o->t->calls[*n].linked.call.task != task)
		++*n;
	if (*n == o->t->par_end)
		return 0;
	call = backend_resolve(&o->t->calls[*n].linked, o->run->results);
	o->current[task] = (*n)++;
	if (gmem_begin(o->w, &call) == GMEM_DONE)
		return 1;
	return stop(o, "the model has no answer to its call", task);
}

/* A row was run. */
static void note_row(struct overlap *o, uint32_t task, enum gmem_progress progress,
		     const struct gmem_result *r)
{
	if (progress == GMEM_OVER) {
		o->run->results[o->current[task]] = *r;
		o->run->over[o->current[task]] = 1;
		o->left--;
	}
	if (o->run->on_row && progress != GMEM_WAITS)
		o->run->on_row(o->run->on_row_arg, task, o->current[task], progress == GMEM_OVER);
}

/* 1: a row was run, or the task has none; 0: it waits, or the run is at its end. */
static int run_row(struct overlap *o, uint32_t task, int *waits)
{
	enum gmem_progress progress;
	enum gmem_status status;
	struct gmem_result r;

	*waits = 0;
	if (!gmem_task_runs(o->w, task) && !begin_next(o, task))
		return o->run->status == BACKEND_DONE;
	if (o->run->turn)
		o->run->turn(o->run->turn_arg, o->current[task]);
	status = gmem_step(o->w, task, &progress, &r);
	if (status == GMEM_MISUSE)
		return stop(o, "the model has no answer to its call", task);
	if (status != GMEM_DONE && status != GMEM_VIOLATED)
		return stop(o, "no memory for the model", task);
	note_row(o, task, progress, &r);
	*waits = progress == GMEM_WAITS;
	return status == GMEM_VIOLATED ? violated(o) : !*waits;
}

static int run_schedule(struct overlap *o)
{
	size_t i;
	int waits;

	for (i = 0; i < o->t->nr_schedule; i++)
		if (!run_row(o, o->t->schedule[i], &waits))
			return waits ? stop(o, "the schedule runs a task that waits",
					    o->t->schedule[i]) :
				       0;
	return 1;
}

/* Says who waits for what. */
static int deadlocked(struct overlap *o)
{
	char *why = o->run->error.why;
	size_t room = sizeof(o->run->error.why), n;
	struct gmem_task_lock wanted;
	uint32_t task;

	o->run->status = BACKEND_BROKEN;
	n = (size_t)snprintf(why, room, "deadlock: nobody can go on");
	for (task = 0; task < GMEM_MAX_TASKS; task++)
		if (n < room && gmem_task_waits(o->w, task, &wanted))
			n += (size_t)snprintf(why + n, room - n, "; %s waits for %s",
					      trace_task_name(o->t, task),
					      gmem_lock_name(wanted.class));
	return 0;
}

/* To the end of one call, or as far as it can; 1 if a row was run. */
static int run_turn(struct overlap *o, uint32_t task)
{
	const size_t left = o->left;
	unsigned int rows = 0;
	int waits;

	while (o->left == left && rows < MOST_ROWS_OF_A_TURN && run_row(o, task, &waits)) {
		if (!gmem_task_runs(o->w, task) && o->left == left)
			break; /* it has no more calls */
		rows++;
	}
	return rows || o->left != left;
}

/* What is left: the first task that can go on, as far as it can. */
static int run_rest(struct overlap *o)
{
	unsigned int in_vain = 0;
	int ran = 1;
	size_t i;

	while (o->left && ran && in_vain++ < MOST_TURNS_IN_VAIN) {
		ran = 0;
		for (i = o->t->par_first; i < o->t->par_end && o->left; i++) {
			const size_t left = o->left;

			ran |= run_turn(o, o->t->calls[i].linked.call.task);
			if (o->run->status != BACKEND_DONE)
				return 0;
			if (o->left != left)
				in_vain = 0;
		}
	}
	if (o->left && ran)
		return stop(o, "it goes round and round, and others with it",
			    o->t->calls[o->t->par_first].linked.call.task);
	return o->left ? deadlocked(o) : 1;
}

const char *trace_only_on_the_model(const struct trace *t)
{
	return t->par_end ? "the order of calls that overlap is the model's alone to choose" : NULL;
}

int trace_run_par(struct trace_run *run, const struct trace *t, const struct backend *b, void *ctx)
{
	struct overlap o = { .run = run, .t = t, .left = t->par_end - t->par_first };
	uint32_t i;

	if (b != &backend_model) {
		run->status = BACKEND_UNSUPPORTED;
		snprintf(run->error.why, sizeof(run->error.why), "%s", trace_only_on_the_model(t));
		return 0;
	}
	o.w = backend_model_world(ctx);
	for (i = 0; i < GMEM_MAX_TASKS; i++)
		o.next[i] = t->par_first;
	if (!run_schedule(&o) || !run_rest(&o))
		return 0;
	run->done = t->par_end;
	return 1;
}
