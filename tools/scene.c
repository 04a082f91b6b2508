/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Overlapping calls of a trace, as the explorer asks for them; see scene.h.
 */
#include <stdlib.h>
#include <string.h>

#include "backend-model.h"
#include "common.h"
#include "scene.h"

#define MOST_ROWS 20000u

static struct gmem_call call_of(void *arg, uint32_t n, const struct gmem_result *results)
{
	struct scene *s = arg;
	size_t nr = s->t->par_end - s->t->par_first;

	memcpy(s->results, s->run.results, s->t->par_first * sizeof(*results));
	memcpy(s->results + s->t->par_first, results, nr * sizeof(*results));
	return backend_resolve(&s->t->calls[s->t->par_first + n].linked, s->results);
}

static int accepts(void *arg, uint32_t n, const struct gmem_result *r)
{
	struct scene *s = arg;
	const struct trace_call *c = &s->t->calls[s->t->par_first + n];

	return !trace_demands(c) || trace_satisfied(s->t, c, r);
}

/* What decided is no part of an outcome. */
static int same_result(const struct gmem_result *a, const struct gmem_result *b)
{
	return a->outcome == b->outcome && a->value == b->value && a->out == b->out &&
	       a->gpa == b->gpa && a->exit_size == b->exit_size && a->exit_flags == b->exit_flags;
}

static int is_known(const struct scene *s, const struct gmem_result *results, size_t nr)
{
	size_t n, i;

	for (n = 0; n < s->nr_outcomes; n++) {
		for (i = 0; i < nr && same_result(&s->outcomes[n * nr + i], &results[i]);)
			i++;
		if (i == nr)
			return 1;
	}
	return 0;
}

static void note_outcome(struct scene *s, const struct gmem_result *results, size_t nr)
{
	if (is_known(s, results, nr))
		return;
	s->outcomes = xgrow(s->outcomes, s->nr_outcomes, &s->room_outcomes, nr * sizeof(*results));
	memcpy(s->outcomes + s->nr_outcomes++ * nr, results, nr * sizeof(*results));
}

/* Runs what comes after the block on a copy. */
static int end_is_right(void *arg, const struct gmem_world *w, const struct gmem_result *results)
{
	struct scene *s = arg;
	size_t nr = s->t->par_end - s->t->par_first, i;
	struct gmem_config config = { .profile = s->profile, .checking = GMEM_CHECK_STEPS };
	struct gmem_world *copy;
	int right = 1;

	note_outcome(s, results, nr);
	if (gmem_world_new(&copy, &config) != GMEM_DONE || gmem_world_copy(copy, w) != GMEM_DONE)
		die("no memory for the model");
	memcpy(s->results + s->t->par_first, results, nr * sizeof(*results));
	memcpy(s->results, s->run.results, s->t->par_first * sizeof(*results));
	for (i = s->t->par_end; i < s->t->nr_calls && right; i++) {
		const struct trace_call *c = &s->t->calls[i];
		struct gmem_call call = backend_resolve(&c->linked, s->results);

		right = gmem_call(copy, &call, &s->results[i]) == GMEM_DONE &&
			(!trace_demands(c) || trace_satisfied(s->t, c, &s->results[i]));
		if (!right)
			s->unmet = i;
	}
	gmem_world_free(copy);
	return right;
}

int scene_set_up(struct scene *s, const struct trace *t, const struct gmem_profile *profile)
{
	struct backend_config config = { .machine = t->machine,
					 .profile = profile,
					 .checking = GMEM_CHECK_STEPS };
	size_t i, nr = t->par_end - t->par_first;
	struct backend_error e;

	memset(s, 0, sizeof(*s));
	s->t = t;
	s->profile = profile;
	trace_run_init(&s->run, t);
	if (backend_model.open(&s->ctx, &config, &e) != BACKEND_DONE)
		die("%s", e.why);
	s->locks = gmem_lockdep_new(NULL, NULL);
	if (!s->locks)
		die("no memory for the lock checker");
	gmem_watch_locks(backend_model_world(s->ctx), s->locks);
	while (s->run.done < t->par_first && trace_run_step(&s->run, t, &backend_model, s->ctx))
		;
	s->tasks = xcalloc(nr, sizeof(*s->tasks));
	s->results = xcalloc(t->nr_calls, sizeof(*s->results));
	s->x.schedule = xcalloc(MOST_ROWS, sizeof(*s->x.schedule));
	for (i = 0; i < nr; i++)
		s->tasks[i] = t->calls[t->par_first + i].linked.call.task;
	return s->run.done == t->par_first;
}

void scene_tear_down(struct scene *s)
{
	backend_model.close(s->ctx);
	gmem_lockdep_free(s->locks);
	trace_run_free(&s->run);
	free(s->tasks);
	free(s->results);
	free(s->outcomes);
	free(s->x.schedule);
}

void scene_explore(struct scene *s, const struct gmem_bounds *within)
{
	const struct gmem_overlap overlap = {
		.world = backend_model_world(s->ctx),
		.nr_calls = (uint32_t)(s->t->par_end - s->t->par_first),
		.tasks = s->tasks,
		.call = call_of,
		.accepts = accepts,
		.end = end_is_right,
		.arg = s,
	};
	struct gmem_bounds bounds = *within;

	bounds.depth = MOST_ROWS;
	s->nr_outcomes = 0;
	if (s->t->par_end - s->t->par_first > UINT16_MAX)
		die("%zu calls overlap, and at most %d can be explored",
		    s->t->par_end - s->t->par_first, UINT16_MAX);
	switch (gmem_explore(&overlap, &bounds, &s->x)) {
	case GMEM_DONE:
		return;
	case GMEM_MISUSE:
		die("what another part has sent is not of this exploration");
	default:
		die("no memory to explore in");
	}
}
