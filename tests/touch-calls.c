/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random calls, of one task and of several, for touched.h to look at.
 */
#include <errno.h>
#include <string.h>

#include "common.h"
#include "profile.h"
#include "random-calls.h"
#include "touched.h"

#define LENGTH 80 /* calls in a world */
#define ALONE 12  /* of them, before calls overlap */
#define MOST_BURSTS 3000
#define MOST_ROWS 20000 /* of one call */

struct gmem_world *touched_world(const struct gmem_profile *p, const struct gmem_machine *m)
{
	struct gmem_config config = { .profile = p, .machine = m, .checking = GMEM_CHECK_NEVER };
	struct gmem_world *w;

	if (gmem_world_new(&w, &config) != GMEM_DONE)
		die("no memory for a world");
	return w;
}

int touched_call(struct gmem_world *w, const struct gmem_call *c, struct gmem_result *r)
{
	enum gmem_progress progress = GMEM_RAN;

	*r = (struct gmem_result){ .value = -EINVAL };
	if (touched_begin(w, c) != GMEM_DONE)
		return 1;
	for (int rows = 0; progress == GMEM_RAN && rows < MOST_ROWS; rows++)
		if (touched_step(w, c->task, &progress, r) != GMEM_DONE)
			return 0;
	return progress == GMEM_OVER;
}

static const struct gmem_machine machines[] = {
	{ GMEM_X86_64, 0x3f, 1, 1, 1024, 0, 1 }, { GMEM_X86_64, 0x3f, 0, 1, 9, 46, 1 },
	{ GMEM_X86_64, 0x3f, 1, 1, 1024, 0, 0 }, { GMEM_X86_64, 0x13, 1, 0, 1024, 0, 1 },
	{ GMEM_ARM64, 0x01, 0, 1, 1024, 0, 0 },
};
#define MACHINES (sizeof(machines) / sizeof(machines[0]))

/* Random calls of several tasks; each task has at most one under way. */
struct calls {
	struct gmem_world *w;
	struct random random;
	struct random_calls rc;
	struct linked_call under_way[GMEM_MAX_TASKS];
	struct gmem_result results[RANDOM_CALLS_MOST];
	int is_heard;
	int are_threads; /* all tasks are of one process, and the generator knows one of them */
};

static void calls_begin(struct calls *c, const struct gmem_profile *p, uint64_t seed)
{
	const struct gmem_machine *m = &machines[seed % MACHINES];

	c->w = touched_world(p, m);
	c->is_heard = seed % 2;
	random_seed(&c->random, seed);
	random_calls_begin(&c->rc, &c->random, p, (uint8_t)m->vm_types);
}

static struct gmem_call make_up_call(struct calls *c, struct linked_call *l)
{
	random_call(&c->rc, l);
	return backend_resolve(l, c->results);
}

/* In the generator's list a call stands where it ended. */
static void call_is_over(struct calls *c, const struct linked_call *l, const struct gmem_result *r)
{
	c->results[c->rc.nr_calls] = *r;
	c->rc.calls[c->rc.nr_calls] = *l;
	random_call_result(&c->rc, r);
}

/* What nobody hears is done in other rows. */
static void hear(void *arg, const struct gmem_event *e)
{
	(void)arg;
	(void)e;
}

static void listen_to(struct gmem_world *w, const struct gmem_call *c, const struct gmem_result *r)
{
	if (c->verb == GMEM_CREATE_VM && result_succeeded(r))
		gmem_listen(w, c->task, r->value, hear, NULL);
}

static int run_alone(struct calls *c, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		struct linked_call l;
		struct gmem_call call = make_up_call(c, &l);
		struct gmem_result r;

		if (!touched_call(c->w, &call, &r))
			return 0;
		call_is_over(c, &l, &r);
		if (c->is_heard)
			listen_to(c->w, &call, &r);
	}
	return 1;
}

static void make_threads(struct calls *c)
{
	struct gmem_result r;

	for (uint32_t t = 1; t < 4; t++)
		touched_call(c->w, &(struct gmem_call){ .verb = GMEM_THREAD, .value = t }, &r);
	c->rc.tasks = 0xf; /* there are no more: it forks no more */
	c->are_threads = 1;
}

static void begin_some_call(struct calls *c, uint32_t task)
{
	struct linked_call l;
	struct gmem_call call = make_up_call(c, &l);

	if (c->are_threads)
		call.task = task;
	if (touched_begin(c->w, &call) == GMEM_DONE)
		c->under_way[call.task] = l;
}

/* Some rows of a task, or its next call. 0 if something was violated. */
static int run_burst(struct calls *c, uint32_t task)
{
	uint64_t rows = 1 + random_below(&c->random, 10);
	enum gmem_progress progress = GMEM_RAN;
	struct gmem_result r;

	if (!gmem_task_runs(c->w, task)) {
		begin_some_call(c, task);
		return 1;
	}
	while (rows-- && progress == GMEM_RAN)
		if (touched_step(c->w, task, &progress, &r) != GMEM_DONE)
			return 0;
	if (progress == GMEM_OVER)
		call_is_over(c, &c->under_way[task], &r);
	return 1;
}

static void run_overlapping(struct calls *c)
{
	unsigned int bursts = 0;

	while (c->rc.nr_calls < LENGTH && bursts++ < MOST_BURSTS) {
		uint32_t task = (uint32_t)random_below(&c->random, 4);

		if (gmem_task_exists(c->w, task) && !run_burst(c, task))
			return;
	}
}

void touched_random_world(const struct gmem_profile *p, uint64_t seed)
{
	static struct calls c;

	touched_in("%s, seed %llu", p->name, (unsigned long long)seed);
	memset(&c, 0, sizeof(c));
	calls_begin(&c, p, seed);
	if (seed % 3 == 0) {
		run_alone(&c, LENGTH);
	} else if (run_alone(&c, ALONE)) {
		if (seed % 3 == 1)
			make_threads(&c);
		run_overlapping(&c);
	}
	gmem_world_free(c.w);
}
