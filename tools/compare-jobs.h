/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many random traces compared at once: a real kernel mostly waits for its grace periods, so
 * several processes ask it side by side.
 *
 *	struct jobs *j = jobs_start(&plan);
 *
 *	for (i = 0; i < plan.count; i++)
 *		if (jobs_result(j, i) != COMPARED_SAME)
 *			... compare trace i again, and look ...
 *	jobs_end(j);
 *
 * What a trace is depends on its number only, not on which process makes it up.
 */
#ifndef COMPARE_JOBS_H
#define COMPARE_JOBS_H

#include <stdatomic.h>

#include "compare.h"

#define JOBS_MAX 256 /* processes */

struct jobs_plan {
	const struct gmem_profile *profile;
	struct gmem_machine machine;
	uint64_t seed;
	unsigned long count;
	unsigned int length;
	unsigned int jobs; /* 0: as many as this machine can use */
};

/* What all of them have done so far. */
struct jobs_totals {
	_Atomic unsigned long traces, calls, known[COMPARE_BUGS];
	_Atomic unsigned long made[GMEM_NR_VERBS], worked[GMEM_NR_VERBS];
};

/* What a job saw in a trace that was not the same. */
struct jobs_sight {
	unsigned long trace;
	enum compared result;
	size_t at;
	struct gmem_result model, kernel;
	struct backend_error error;
};

struct jobs;
struct jobs *jobs_start(const struct jobs_plan *plan);
/* Waits for trace number i. */
enum compared jobs_result(struct jobs *j, unsigned long i);
/* What was seen in trace number i; null if there was too much to see. */
const struct jobs_sight *jobs_sight(const struct jobs *j, unsigned long i);
const struct jobs_totals *jobs_totals(const struct jobs *j);
/* Ends them, finished or not; frees j. */
void jobs_end(struct jobs *j);

#endif
