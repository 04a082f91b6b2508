/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is asked before an exploration begins: whether what overlaps and the bounds mean anything.
 * Everything after it, which copies and hashes parts of worlds by the number of a task, relies on
 * that.
 */
#include "explore.h"

static bool makes_a_call(const struct gmem_overlap *o, uint32_t task)
{
	for (uint32_t i = 0; i < o->nr_calls; i++)
		if (o->tasks[i] == task)
			return true;
	return false;
}

/* A task that is not there may be made by a call of another one. */
static bool overlap_makes_sense(const struct gmem_overlap *o)
{
	if (!o->nr_calls || o->nr_calls > UINT16_MAX)
		return false;
	for (uint32_t i = 0; i < o->nr_calls; i++)
		if (o->tasks[i] >= GMEM_MAX_TASKS)
			return false;
	for (uint32_t t = 0; t < GMEM_MAX_TASKS; t++)
		if (gmem_task_runs(o->world, t))
			return false;
	return true;
}

bool gmem_explore_makes_sense(const struct gmem_overlap *o, const struct gmem_bounds *b)
{
	if (!overlap_makes_sense(o) || !b->depth)
		return false;
	if (b->shards ? b->shard >= b->shards : b->shard)
		return false;
	if (b->shards && !b->exchange && !b->follow && !b->walks)
		return false;
	for (uint32_t i = 0; b->follow && i < b->nr_follow; i++)
		if (!makes_a_call(o, b->follow[i]))
			return false;
	return b->states || b->walks || b->follow;
}
