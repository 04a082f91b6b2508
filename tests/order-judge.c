/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One order of overlapping calls, row by row, and all of them; see order-judge.h.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "order-judge.h"

#define MOST_STATES 3000
#define MOST_ENDS 512
#define TURN 50 /* rows, after the schedule: who goes round must not go round for ever */

__attribute__((format(printf, 3, 4))) static const char *wrong(struct order *o, const char *what,
							       const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(o->why, sizeof(o->why), format, args);
	va_end(args);
	return what;
}

static const char *violated(struct order *o, const struct gmem_violation *v)
{
	return wrong(o, "an invariant is violated", "%s (%s): %s (%#llx, %#llx)", v->invariant,
		     v->sentence, v->saw, (unsigned long long)v->a, (unsigned long long)v->b);
}

static void must(enum gmem_status status)
{
	if (status != GMEM_DONE)
		die("no memory for a world");
}

/* ---- one row ---- */

static uint64_t mixed(uint64_t h, uint64_t v)
{
	return (h ^ v) * UINT64_C(0x9e3779b97f4a7c15) + (h >> 29);
}

static uint64_t hash_of_end(const struct gmem_world *w, const struct gmem_result *r, size_t n)
{
	uint64_t h = gmem_world_hash(w);
	size_t i;

	for (i = 0; i < n; i++) {
		h = mixed(mixed(h, (uint64_t)r[i].value), r[i].outcome);
		h = mixed(mixed(mixed(h, r[i].out), r[i].gpa), r[i].exit_size);
	}
	return h;
}

static const char *look_at_copy(struct order *o)
{
	struct gmem_world *w = o->w;

	must(gmem_world_copy(o->copy, w));
	if (!gmem_world_equal(o->copy, w))
		return wrong(o, "a copy is another world", "after %u rows", o->nr_rows);
	if (gmem_world_hash(o->copy) != gmem_world_hash(w))
		return wrong(o, "a copy has another hash", "after %u rows", o->nr_rows);
	o->w = o->copy;
	o->copy = w;
	return NULL;
}

/* The calls of the task that are left cannot be asked. */
static void give_up_call(struct order *o)
{
	o->is_misuse = 1;
	o->left--;
}

/* Begins the task's next call that can be asked; 0 if it has none. */
static int begin_next(struct order *o, uint32_t task)
{
	size_t *n = &o->next[task];
	enum gmem_status status;
	struct gmem_call c;

	for (; *n < o->t->par_end; ++*n) {
		if (o->t->calls[*n].linked.call.task != task)
			continue;
		c = backend_resolve(&o->t->calls[*n].linked, o->results);
		status = gmem_begin(o->w, &c);
		if (status == GMEM_DONE) {
			o->current[task] = (*n)++;
			return 1;
		}
		if (status == GMEM_FAILED)
			die("no memory for a call");
		give_up_call(o);
	}
	return 0;
}

/* Whether the task can go on, asked in every way; asking leaves everything as it is. */
static const char *look_ahead(struct order *o, uint32_t task, int *can)
{
	const uint64_t before = gmem_world_hash(o->w);
	struct gmem_task_lock lock;
	int waits;

	*can = gmem_task_can_step(o->w, task);
	waits = gmem_task_waits(o->w, task, &lock);
	if (gmem_world_hash(o->w) != before)
		return wrong(o, "to ask whether a task can go on changes the world",
			     "task %u after %u rows", task, o->nr_rows);
	if (waits == *can)
		return wrong(o, "a task can go on, and waits for something; or neither",
			     "task %u after %u rows", task, o->nr_rows);
	return NULL;
}

static const char *look_after(struct order *o, uint32_t task, int could,
			      enum gmem_progress progress, uint64_t before)
{
	if (could != (progress != GMEM_WAITS))
		return wrong(o, "gmem_task_can_step() and gmem_step() disagree",
			     "task %u after %u rows", task, o->nr_rows);
	if (progress == GMEM_WAITS && gmem_world_hash(o->w) != before)
		return wrong(o, "who waits has changed the world", "task %u after %u rows", task,
			     o->nr_rows);
	if (gmem_task_runs(o->w, task) != (progress != GMEM_OVER))
		return wrong(o, "a task is in a call that is over, or is not in one that is not",
			     "task %u after %u rows", task, o->nr_rows);
	return look_at_copy(o);
}

/* *ran: a row was run, or a call was given up. */
static const char *step(struct order *o, uint32_t task, int *ran)
{
	enum gmem_progress progress = GMEM_OVER;
	enum gmem_status status;
	struct gmem_result r;
	const char *what;
	uint64_t before;
	int can;

	*ran = 0;
	if (!gmem_task_runs(o->w, task) && !begin_next(o, task))
		return NULL;
	what = look_ahead(o, task, &can);
	if (what)
		return what;
	before = gmem_world_hash(o->w);
	status = gmem_step(o->w, task, &progress, &r);
	if (status == GMEM_FAILED)
		die("no memory for a row");
	*ran = progress != GMEM_WAITS;
	if (*ran && o->nr_rows < ORDER_ROWS)
		o->rows[o->nr_rows++] = task;
	if (status == GMEM_VIOLATED)
		return violated(o, gmem_violation(o->w));
	if (status == GMEM_MISUSE) {
		give_up_call(o);
	} else if (progress == GMEM_OVER) {
		o->results[o->current[task]] = r;
		o->left--;
	}
	return look_after(o, task, can, progress, before);
}

/* ---- one order ---- */

static const char *step_by_schedule(struct order *o)
{
	const char *what = NULL;
	size_t i;
	int ran;

	for (i = 0; i < o->t->nr_schedule && o->left && !what; i++)
		what = step(o, o->t->schedule[i], &ran);
	return what;
}

static const char *deadlocked(struct order *o)
{
	struct gmem_task_lock lock;
	char *why = o->why;
	uint32_t task;

	wrong(o, "", "after %u rows", o->nr_rows);
	for (task = 0; task < GMEM_MAX_TASKS; task++) {
		why += strlen(why);
		if (gmem_task_waits(o->w, task, &lock))
			snprintf(why, sizeof(o->why) - (size_t)(why - o->why),
				 "; task %u waits for %s", task, gmem_lock_name(lock.class));
	}
	return "deadlock";
}

/* Of all tasks in turn; who waits is passed over. */
static const char *step_the_rest(struct order *o)
{
	const char *what;
	int ran = 1, any;
	size_t i, k;

	while (o->left && ran && o->nr_rows < ORDER_ROWS) {
		ran = 0;
		for (i = o->t->par_first; i < o->t->par_end; i++) {
			const uint32_t task = o->t->calls[i].linked.call.task;
			const size_t left = o->left;

			for (k = 0, any = 1; k < TURN && any; k++) {
				what = step(o, task, &any);
				if (what)
					return what;
				ran |= any;
			}
			ran |= o->left != left;
		}
	}
	o->goes_on = o->nr_rows == ORDER_ROWS;
	return o->left && !o->goes_on ? deadlocked(o) : NULL;
}

static const char *look_at_end(struct order *o)
{
	const struct gmem_call c = { .verb = GMEM_CHECK_EXTENSION, .fd = GMEM_KVM_FD };
	struct gmem_violation v;
	struct gmem_task_lock lock;
	struct gmem_result r;
	uint32_t task;

	for (task = 0; task < GMEM_MAX_TASKS; task++) {
		if (gmem_task_runs(o->w, task))
			return wrong(o, "all is over, and a task is in a call", "task %u", task);
		if (gmem_task_exists(o->w, task) && gmem_task_lock(o->w, task, 0, &lock))
			return wrong(o, "all is over, and a lock is held", "task %u: %s", task,
				     gmem_lock_name(lock.class));
	}
	if (gmem_check(o->w, &v) != GMEM_DONE)
		return violated(o, &v);
	o->ended = hash_of_end(o->w, o->results + o->t->par_first, o->t->par_end - o->t->par_first);
	if (gmem_task_exists(o->w, 0) && gmem_call(o->copy, &c, &r) != GMEM_DONE)
		return wrong(o, "all is over, and no call can be made", "task 0");
	return NULL;
}

static const char *run_block(struct order *o)
{
	const struct trace *t = o->t;
	const char *what;
	uint32_t task;

	must(gmem_world_copy(o->w, o->start));
	memset(o->results + t->par_first, 0, (t->par_end - t->par_first) * sizeof(*o->results));
	for (task = 0; task < GMEM_MAX_TASKS; task++)
		o->next[task] = t->par_first;
	o->left = t->par_end - t->par_first;
	o->nr_rows = 0;
	o->is_misuse = o->goes_on = 0;
	what = step_by_schedule(o);
	if (!what)
		what = step_the_rest(o);
	return what || o->goes_on ? what : look_at_end(o);
}

/* ---- the explorer ---- */

struct ends {
	struct order *o;
	uint64_t hashes[MOST_ENDS];
	size_t n;
	int overflow;
};

static int is_end(const struct ends *e, uint64_t hash)
{
	size_t i;

	for (i = 0; i < e->n; i++)
		if (e->hashes[i] == hash)
			return 1;
	return 0;
}

static struct gmem_call next_call(void *arg, uint32_t n, const struct gmem_result *results)
{
	struct order *o = ((struct ends *)arg)->o;
	const struct trace *t = o->t;

	memcpy(o->asked, o->results, t->par_first * sizeof(*results));
	memcpy(o->asked + t->par_first, results, (t->par_end - t->par_first) * sizeof(*results));
	return backend_resolve(&t->calls[t->par_first + n].linked, o->asked);
}

static int note_end(void *arg, const struct gmem_world *w, const struct gmem_result *results)
{
	struct ends *e = arg;
	const uint64_t hash = hash_of_end(w, results, e->o->t->par_end - e->o->t->par_first);

	if (is_end(e, hash))
		return 1;
	if (e->n < MOST_ENDS)
		e->hashes[e->n++] = hash;
	else
		e->overflow = 1;
	return 1;
}

static void explore(struct order *o, struct ends *e, const struct gmem_bounds *bounds,
		    struct gmem_explored *x)
{
	uint32_t tasks[ORDER_CALLS];
	const struct gmem_overlap overlap = {
		.world = o->start,
		.nr_calls = (uint32_t)(o->t->par_end - o->t->par_first),
		.tasks = tasks,
		.call = next_call,
		.end = note_end,
		.arg = e,
	};
	uint32_t i;

	for (i = 0; i < overlap.nr_calls; i++)
		tasks[i] = o->t->calls[o->t->par_first + i].linked.call.task;
	e->o = o;
	e->n = 0;
	e->overflow = 0;
	x->schedule = o->schedule;
	must(gmem_explore(&overlap, bounds, x));
}

/* A finding that is wrong in itself. The rows that lead there become the order's own. */
static const char *judge_finding(struct order *o, const struct gmem_explored *x)
{
	if (x->finding != GMEM_FOUND_VIOLATION && x->finding != GMEM_FOUND_DEADLOCK)
		return NULL;
	memcpy(o->rows, x->schedule, x->nr_schedule * sizeof(*o->rows));
	o->nr_rows = x->nr_schedule;
	if (x->finding == GMEM_FOUND_DEADLOCK)
		return wrong(o, "the explorer finds a deadlock", "after %u rows", x->nr_schedule);
	violated(o, &x->violation);
	return "the explorer finds a violation";
}

/* The same order again, as one that the explorer is given. */
static const char *follow(struct order *o)
{
	static struct ends e;
	struct gmem_bounds bounds = { .states = 1,
				      .depth = ORDER_ROWS,
				      .preemptions = GMEM_NO_BOUND,
				      .verify = 1,
				      .follow = o->rows,
				      .nr_follow = o->nr_rows };
	struct gmem_explored x;
	const char *what;

	explore(o, &e, &bounds, &x);
	what = judge_finding(o, &x);
	if (what)
		return what;
	if (x.finding != GMEM_FOUND_NOTHING)
		return wrong(o, "the explorer finds something in an order that has nothing",
			     "finding %u", x.finding);
	if (e.n != 1 || e.hashes[0] != o->ended)
		return wrong(o, "the explorer follows an order to another end", "%zu ends", e.n);
	return NULL;
}

static const char *compare(struct order *o, const struct ends *full, const struct ends *reduced)
{
	size_t i;

	if (!o->is_misuse && !o->goes_on && !is_end(full, o->ended))
		return wrong(o, "the explorer does not come to the end of an order",
			     "%zu ends in full", full->n);
	for (i = 0; i < full->n; i++)
		if (!is_end(reduced, full->hashes[i]))
			break;
	if (i < full->n || full->n != reduced->n)
		return wrong(o, "the reduction changes the ends", "%zu in full, %zu reduced",
			     full->n, reduced->n);
	return NULL;
}

/* With the reduction and without. */
static const char *explore_both(struct order *o)
{
	static struct ends full, reduced;
	struct gmem_bounds bounds = { .states = MOST_STATES,
				      .depth = ORDER_ROWS,
				      .preemptions = GMEM_NO_BOUND };
	struct gmem_explored x, y;
	const char *what;

	bounds.reduce = 1;
	explore(o, &reduced, &bounds, &y);
	what = judge_finding(o, &y);
	bounds.reduce = 0;
	if (what || y.cut)
		return what;
	explore(o, &full, &bounds, &x);
	what = judge_finding(o, &x);
	if (what || x.cut || full.overflow || reduced.overflow)
		return what;
	if (!x.finding != !y.finding)
		return wrong(o, "the reduction changes what is found", "%u in full, %u reduced",
			     x.finding, y.finding);
	return x.finding ? NULL : compare(o, &full, &reduced);
}

/* ---- all of it ---- */

const char *order_set_up(struct order *o, const struct trace *t)
{
	const struct gmem_config config = { .profile = t->profile,
					    .machine = &t->machine,
					    .checking = o->checking };
	const size_t n = t->par_end ? t->par_first : t->nr_calls;
	size_t i;

	o->t = t;
	o->nr_rows = 0;
	gmem_world_free(o->start);
	must(gmem_world_new(&o->start, &config));
	for (i = 0; i < n; i++) {
		const struct gmem_call c = backend_resolve(&t->calls[i].linked, o->results);
		const enum gmem_status status = gmem_call(o->start, &c, &o->results[i]);

		if (status == GMEM_FAILED)
			die("no memory for a call");
		if (status == GMEM_VIOLATED)
			return violated(o, gmem_violation(o->start));
	}
	return NULL;
}

const char *order_judge_block(struct order *o)
{
	const size_t n = o->t->par_end - o->t->par_first;
	const char *what;

	if (!n)
		return NULL;
	what = run_block(o);
	if (!what && !o->is_misuse && !o->goes_on)
		what = follow(o);
	return what || !o->explore || n > ORDER_EXPLORED ? what : explore_both(o);
}

const char *order_judge(struct order *o, const struct trace *t)
{
	const char *what = order_set_up(o, t);

	return what ? what : order_judge_block(o);
}

void order_open(struct order *o)
{
	const struct gmem_config config = { .checking = GMEM_CHECK_CALLS };

	memset(o, 0, sizeof(*o));
	o->rows = xcalloc(ORDER_ROWS, sizeof(*o->rows));
	o->schedule = xcalloc(ORDER_ROWS, sizeof(*o->schedule));
	must(gmem_world_new(&o->w, &config));
	must(gmem_world_new(&o->copy, &config));
}

void order_close(struct order *o)
{
	gmem_world_free(o->start);
	gmem_world_free(o->w);
	gmem_world_free(o->copy);
	free(o->rows);
	free(o->schedule);
}
