/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records what happens where calls overlap; see timeline.h. The world is asked after each row what has
 * changed, so nothing that the rows do depends on being looked at: a listener would, since a punch
 * that is heard tells more pieces.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend-model.h"
#include "common.h"
#include "timeline.h"

#define MOST_LOCKS 32u /* of one task */
#define MOST_VMS 64u

/* What the world was like after the row before. */
struct recorder {
	struct timeline *tl;
	struct gmem_world *w;
	struct gmem_step_event row; /* that is being run */
	size_t call[GMEM_MAX_TASKS];
	uint8_t runs[GMEM_MAX_TASKS];
	struct gmem_task_lock held[GMEM_MAX_TASKS][MOST_LOCKS];
	unsigned int nr_held[GMEM_MAX_TASKS];
	struct gmem_task_lock wanted[GMEM_MAX_TASKS];
	uint8_t waits[GMEM_MAX_TASKS];
	struct gmem_invalidation told[MOST_VMS];
	unsigned int nr_told;
};

/* ---- names ---- */

/* What bound the descriptor last; null if it is not the trace's. */
static const char *name_of_fd(const struct timeline *tl, int64_t fd)
{
	const struct trace *t = tl->t;
	const char *name = NULL;
	size_t i;

	for (i = 0; i < t->par_end && fd >= 0; i++) {
		const struct trace_call *c = &t->calls[i];

		if (gmem_verb_info(c->linked.call.verb)->binds == GMEM_BINDS_FD && c->name[0] &&
		    tl->run.results[i].value == fd)
			name = c->name;
	}
	return name;
}

static void name_thing(const struct timeline *tl, struct timeline_thing *thing)
{
	static const char *const kinds[] = {
		[GMEM_OF_VM] = "VM", [GMEM_OF_FILE] = "inode", [GMEM_OF_PROCESS] = "process"
	};
	const struct gmem_task_lock *l = &thing->lock;
	const char *owner = name_of_fd(tl, l->fd);

	if (owner)
		snprintf(thing->name, sizeof(thing->name), "%s of %s", gmem_lock_name(l->class),
			 owner);
	else if (l->owner == GMEM_OF_PROCESS && l->number == 1)
		snprintf(thing->name, sizeof(thing->name), "%s", gmem_lock_name(l->class));
	else
		snprintf(thing->name, sizeof(thing->name), "%s of %s %llu",
			 gmem_lock_name(l->class), kinds[l->owner], (unsigned long long)l->number);
}

void timeline_vm_name(const struct timeline *tl, const struct gmem_invalidation *told, char *name,
		      size_t size)
{
	const char *bound = name_of_fd(tl, told->fd);

	if (bound)
		snprintf(name, size, "%s", bound);
	else
		snprintf(name, size, "VM %llu", (unsigned long long)told->number);
}

static int same_thing(const struct gmem_task_lock *a, const struct gmem_task_lock *b)
{
	return a->class == b->class && a->owner == b->owner && a->number == b->number;
}

static uint32_t thing_of(struct timeline *tl, const struct gmem_task_lock *lock)
{
	size_t i;

	for (i = 0; i < tl->nr_things; i++)
		if (same_thing(&tl->things[i].lock, lock))
			return (uint32_t)i;
	tl->things = xgrow(tl->things, i, &tl->room_things, sizeof(*tl->things));
	tl->things[i].lock = *lock;
	name_thing(tl, &tl->things[i]);
	tl->nr_things++;
	return (uint32_t)i;
}

/* ---- events ---- */

static struct timeline_event *add(struct recorder *r, enum timeline_kind kind, uint32_t task)
{
	struct timeline *tl = r->tl;
	struct timeline_event *e;

	tl->events = xgrow(tl->events, tl->nr_events, &tl->room_events, sizeof(*tl->events));
	e = &tl->events[tl->nr_events++];
	memset(e, 0, sizeof(*e));
	e->kind = (uint8_t)kind;
	e->time = tl->nr_rows;
	e->task = task;
	e->call = r->call[task];
	e->holder = TIMELINE_NOBODY;
	return e;
}

static struct timeline_event *add_lock(struct recorder *r, enum timeline_kind kind, uint32_t task,
				       const struct gmem_task_lock *lock)
{
	uint32_t thing = thing_of(r->tl, lock);
	struct timeline_event *e = add(r, kind, task);

	e->lock = *lock;
	e->thing = thing;
	return e;
}

static int same_lock(const struct gmem_task_lock *a, const struct gmem_task_lock *b)
{
	return same_thing(a, b) && a->mode == b->mode && a->table == b->table && a->row == b->row;
}

/* Locks in a that are not in b; one that is there twice has to be in both twice. */
static void add_difference(struct recorder *r, enum timeline_kind kind, uint32_t task,
			   const struct gmem_task_lock *a, unsigned int nr_a,
			   const struct gmem_task_lock *b, unsigned int nr_b)
{
	uint8_t matched[MOST_LOCKS] = { 0 };
	unsigned int i, k;

	for (i = 0; i < nr_a; i++) {
		for (k = 0; k < nr_b && (matched[k] || !same_lock(&a[i], &b[k])); k++)
			;
		if (k < nr_b)
			matched[k] = 1;
		else
			add_lock(r, kind, task, &a[i]);
	}
}

static void note_locks(struct recorder *r, uint32_t task)
{
	struct gmem_task_lock now[MOST_LOCKS];
	unsigned int n = 0;

	while (n < MOST_LOCKS && gmem_task_lock(r->w, task, n, &now[n]))
		n++;
	add_difference(r, TIMELINE_GIVES_BACK, task, r->held[task], r->nr_held[task], now, n);
	add_difference(r, TIMELINE_TAKES, task, now, n, r->held[task], r->nr_held[task]);
	memcpy(r->held[task], now, n * sizeof(*now));
	r->nr_held[task] = n;
}

static const struct gmem_invalidation *told_before(const struct recorder *r, uint64_t number)
{
	unsigned int i;

	for (i = 0; i < r->nr_told; i++)
		if (r->told[i].number == number)
			return &r->told[i];
	return NULL;
}

/* Starts and ends are the running task's, for it alone has run. */
static void note_invalidations(struct recorder *r, uint32_t task)
{
	struct gmem_invalidation now[MOST_VMS];
	unsigned int n;

	for (n = 0; n < MOST_VMS && gmem_invalidation(r->w, task, n, &now[n]); n++) {
		const struct gmem_invalidation *then = told_before(r, now[n].number);
		int64_t count = then ? then->in_progress : 0;

		for (; count < now[n].in_progress; count++)
			add(r, TIMELINE_STARTS, task)->told = now[n];
		for (; count > now[n].in_progress; count--)
			add(r, TIMELINE_ENDS, task)->told = now[n];
	}
	memcpy(r->told, now, n * sizeof(*now));
	r->nr_told = n;
}

static uint32_t holders_of(const struct recorder *r, uint32_t task)
{
	struct gmem_task_lock held;
	uint32_t holders = 0, i;

	for (i = 0; i < GMEM_MAX_TASKS; i++)
		if (gmem_task_waits_for(r->w, task, i, &held))
			holders |= UINT32_C(1) << i;
	return holders;
}

static uint32_t first_of(uint32_t holders)
{
	return holders ? (uint32_t)__builtin_ctz(holders) : TIMELINE_NOBODY;
}

/* Any task's next row may have come to wait, or need not any more. */
static void note_waits(struct recorder *r)
{
	uint32_t i;

	for (i = 0; i < r->tl->nr_tasks; i++) {
		uint32_t task = r->tl->tasks[i];
		struct gmem_task_lock wanted;
		int waits = gmem_task_waits(r->w, task, &wanted);

		if (r->waits[task] && (!waits || !same_lock(&wanted, &r->wanted[task]))) {
			add_lock(r, TIMELINE_GOES_ON, task, &r->wanted[task]);
			r->waits[task] = 0;
		}
		if (waits && !r->waits[task]) {
			add_lock(r, TIMELINE_WAITS, task, &wanted)->holder = first_of(
				holders_of(r, task));
			r->waits[task] = 1;
			r->wanted[task] = wanted;
		}
	}
}

/* ---- rows ---- */

static void see_row(void *arg, const struct gmem_step_event *e)
{
	((struct recorder *)arg)->row = *e;
}

static void begin_call(struct recorder *r, uint32_t task, size_t call)
{
	r->runs[task] = 1;
	r->call[task] = call;
	add(r, TIMELINE_BEGINS, task);
}

static void after_row(void *arg, uint32_t task, size_t call, int over)
{
	struct recorder *r = arg;

	if (!r->runs[task])
		begin_call(r, task, call);
	add(r, TIMELINE_ROW, task)->row = r->row;
	note_locks(r, task);
	note_invalidations(r, task);
	if (over)
		add(r, TIMELINE_OVER, task);
	r->runs[task] = !over;
	note_waits(r);
	r->row.table = TIMELINE_NOBODY;
	r->tl->nr_rows++;
}

/* ---- all of it ---- */

static void find_tasks(struct timeline *tl)
{
	size_t i;

	for (i = tl->t->par_first; i < tl->t->par_end; i++) {
		uint32_t task = tl->t->calls[i].linked.call.task, k;

		for (k = 0; k < tl->nr_tasks && tl->tasks[k] != task; k++)
			;
		if (k == tl->nr_tasks)
			tl->tasks[tl->nr_tasks++] = task;
	}
}

static void find_blocked(struct recorder *r)
{
	uint32_t i, others = 0;

	for (i = 0; i < r->tl->nr_tasks; i++) {
		uint32_t task = r->tl->tasks[i];

		others += r->runs[task] && !r->waits[task];
		if (!r->waits[task])
			continue;
		r->tl->blocked[r->tl->nr_blocked++] = (struct timeline_blocked){
			.task = task,
			.call = r->call[task],
			.wanted = r->wanted[task],
			.thing = thing_of(r->tl, &r->wanted[task]),
			.holders = holders_of(r, task),
		};
	}
	r->tl->deadlock = r->tl->nr_blocked && !others;
}

int timeline_record(struct timeline *tl, const struct trace *t, const struct gmem_profile *p)
{
	const struct backend_config config = { .machine = t->machine,
					       .profile = p,
					       .checking = GMEM_CHECK_STEPS };
	struct recorder *r = xcalloc(1, sizeof(*r));
	void *ctx;
	int right;

	memset(tl, 0, sizeof(*tl));
	tl->t = t;
	tl->p = p;
	trace_run_init(&tl->run, t);
	if (backend_model.open(&ctx, &config, &tl->run.error) != BACKEND_DONE)
		die("%s", tl->run.error.why);
	while (tl->run.done < t->par_first && trace_run_step(&tl->run, t, &backend_model, ctx))
		;
	right = tl->run.done == t->par_first;
	r->tl = tl;
	r->w = backend_model_world(ctx);
	r->row.table = TIMELINE_NOBODY;
	find_tasks(tl);
	if (right) {
		gmem_observe(r->w, see_row, r);
		tl->run.on_row = after_row;
		tl->run.on_row_arg = r;
		trace_run_step(&tl->run, t, &backend_model, ctx);
		find_blocked(r);
	}
	backend_model.close(ctx);
	free(r);
	return right;
}

void timeline_free(struct timeline *tl)
{
	trace_run_free(&tl->run);
	free(tl->events);
	free(tl->things);
}

char *timeline_call_text(const struct timeline *tl, size_t call)
{
	struct trace_call c = tl->t->calls[call];
	struct text text;

	c.task_from = -1;
	text_begin(&text);
	trace_print_call(text.f, tl->t, &c);
	return text_end(&text);
}

const struct timeline_event *timeline_taken(const struct timeline *tl, uint32_t task,
					    uint32_t thing)
{
	const struct timeline_event *taken = NULL;
	size_t i;

	for (i = 0; i < tl->nr_events; i++) {
		const struct timeline_event *e = &tl->events[i];

		if (e->task != task || e->thing != thing)
			continue;
		if (e->kind == TIMELINE_TAKES)
			taken = e;
		else if (e->kind == TIMELINE_GIVES_BACK)
			taken = NULL;
	}
	return taken;
}
