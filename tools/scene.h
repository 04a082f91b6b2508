/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A trace whose calls overlap, ready to be explored: what comes before the block has been run,
 * what comes after it is run in every state that the block can end in.
 *
 *	struct scene s;
 *
 *	if (scene_set_up(&s, &trace, profile))
 *		scene_explore(&s, &bounds);
 *	... s.x says what was found, gmem_lock_report(s.locks, n) what could deadlock
 *	scene_tear_down(&s);
 */
#ifndef SCENE_H
#define SCENE_H

#include "trace.h"

struct scene {
	const struct trace *t;
	const struct gmem_profile *profile;
	struct trace_run run;
	void *ctx;
	uint32_t *tasks;
	struct gmem_result *results; /* of all calls, while one end is looked at */
	size_t unmet;		     /* the call after the block that was not as demanded */
	/* the different results that the block's calls ended in, one after the other */
	struct gmem_result *outcomes;
	size_t nr_outcomes, room_outcomes;
	struct gmem_explored x;
	struct gmem_lockdep *locks;
};

/* 1, or 0 if a call before the block has no answer: run.error says why. Tear it down either way. */
int scene_set_up(struct scene *s, const struct trace *t, const struct gmem_profile *profile);
void scene_tear_down(struct scene *s);
/* Within the bounds, but for their depth: that is the scene's own. */
void scene_explore(struct scene *s, const struct gmem_bounds *bounds);

#endif
