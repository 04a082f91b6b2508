/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making a finding small; see explore-shrink.h. What counts is that the same is found: the same
 * invariant, or another deadlock, or that a call results in what it must not.
 */
#include "explore-shrink.h"

#include <stdlib.h>
#include <string.h>

#include "backend-model.h"
#include "common.h"
#include "shrink.h"

#define MOST_STATES 200000u /* of one look at a smaller trace */
#define MOST_SWITCHES 8u

struct shrinking {
	const struct gmem_profile *profile;
	struct gmem_bounds bounds;
	const struct scene *found;
	int is_met;		/* its demands, one call after the other */
	struct gmem_explored x; /* what the last look found */
	uint32_t *schedule;	/* and the rows to it */
};

/* The call that was not as demanded, by its line, and what it resulted in. */
static unsigned int unmet(const struct scene *s, const struct gmem_result **r)
{
	if (s->x.finding == GMEM_FOUND_RESULT) {
		*r = &s->x.result;
		return s->t->calls[s->t->par_first + s->x.call].line;
	}
	*r = &s->results[s->unmet];
	return s->t->calls[s->unmet].line;
}

static int is_same_miss(const struct scene *a, const struct scene *b)
{
	const struct gmem_result *ra, *rb;

	return unmet(a, &ra) == unmet(b, &rb) && ra->outcome == rb->outcome &&
	       ra->value == rb->value && ra->clause == rb->clause;
}

static int is_the_same(const struct scene *a, const struct scene *b)
{
	if (a->x.finding != b->x.finding)
		return 0;
	switch (a->x.finding) {
	case GMEM_FOUND_VIOLATION:
		return !strcmp(a->x.violation.invariant, b->x.violation.invariant);
	case GMEM_FOUND_RESULT:
	case GMEM_FOUND_END:
		return is_same_miss(a, b);
	default:
		return 1;
	}
}

/* Whether all is as demanded where the calls are made one after the other. */
static int is_met(const struct trace *overlapping, const struct gmem_profile *p)
{
	struct backend_config config = { .profile = p, .machine = overlapping->machine };
	struct backend_error e;
	struct trace_run run;
	struct trace t;
	void *ctx;
	int met;

	trace_copy(&t, overlapping);
	t.nr_schedule = 0;
	if (backend_model.open(&ctx, &config, &e) != BACKEND_DONE)
		die("%s", e.why);
	trace_run_init(&run, &t);
	trace_run_all(&run, &t, &backend_model, ctx);
	met = run.status == BACKEND_DONE;
	for (size_t i = t.par_first; met && i < t.nr_calls; i++)
		met = !trace_demands(&t.calls[i]) ||
		      trace_satisfied(&t, &t.calls[i], &run.results[i]);
	trace_run_free(&run);
	backend_model.close(ctx);
	trace_free(&t);
	return met;
}

/* Explores t; 1 if the same is found. */
static int look(struct shrinking *s, const struct trace *t)
{
	struct scene scene;
	int same = 0;

	if (t->par_end > t->par_first && scene_set_up(&scene, t, s->profile)) {
		scene_explore(&scene, &s->bounds);
		same = is_the_same(&scene, s->found) && (!s->is_met || is_met(t, s->profile));
		s->x = scene.x;
		s->schedule = xrealloc(s->schedule, scene.x.nr_schedule + 1, sizeof(*s->schedule));
		memcpy(s->schedule, scene.x.schedule, scene.x.nr_schedule * sizeof(uint32_t));
	}
	if (t->par_end > t->par_first)
		scene_tear_down(&scene);
	return same;
}

static int still_found(void *arg, const struct trace *t)
{
	return look(arg, t);
}

static void set_schedule(struct trace *t, const uint32_t *schedule, uint32_t n)
{
	t->nr_schedule = 0;
	for (uint32_t i = 0; i < n; i++)
		trace_schedule(t, schedule[i], 1);
}

static void shrink_switches(struct shrinking *s, struct trace *t)
{
	for (s->bounds.preemptions = 0; s->bounds.preemptions <= MOST_SWITCHES;
	     s->bounds.preemptions++)
		if (look(s, t))
			break;
	if (s->bounds.preemptions > MOST_SWITCHES) {
		s->bounds.preemptions = GMEM_NO_BOUND;
		look(s, t);
	}
	set_schedule(t, s->schedule, s->x.nr_schedule);
}

/* The schedule without its row i, if that leads there too. */
static int drop_row(struct shrinking *s, struct trace *t, uint32_t i)
{
	uint32_t n = (uint32_t)t->nr_schedule - 1;
	uint32_t *shorter = xcalloc(n + 1, sizeof(*shorter));
	int same;

	memcpy(shorter, t->schedule, i * sizeof(*shorter));
	memcpy(shorter + i, t->schedule + i + 1, (n - i) * sizeof(*shorter));
	s->bounds.follow = shorter;
	s->bounds.nr_follow = n;
	same = look(s, t);
	if (same)
		set_schedule(t, shorter, n < s->x.nr_schedule ? n : s->x.nr_schedule);
	free(shorter);
	return same;
}

static void shrink_rows(struct shrinking *s, struct trace *t)
{
	uint32_t i = (uint32_t)t->nr_schedule;

	s->bounds.preemptions = GMEM_NO_BOUND;
	while (i-- > 0)
		if (drop_row(s, t, i))
			i = (uint32_t)t->nr_schedule;
	s->bounds.follow = NULL;
}

void explore_shrink(struct trace *t, const struct gmem_profile *p, const struct gmem_bounds *bounds,
		    const struct scene *found)
{
	struct shrinking s = { .profile = p, .bounds = *bounds, .found = found };

	s.bounds.shards = s.bounds.shard = 0;
	s.bounds.walks = 0;
	s.bounds.states = MOST_STATES;
	s.bounds.preemptions = GMEM_NO_BOUND;
	s.bounds.reduce = 1;
	s.is_met = (found->x.finding == GMEM_FOUND_RESULT || found->x.finding == GMEM_FOUND_END) &&
		   is_met(t, p);
	if (look(&s, t)) {
		shrink_calls(t, still_found, &s);
		shrink_switches(&s, t);
	} else {
		set_schedule(t, found->x.schedule, found->x.nr_schedule);
	}
	shrink_rows(&s, t);
	free(s.schedule);
}
