/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The beginning of an exploration, and its end: each task's calls in turn, the first state, and
 * all that is given back.
 */
#include <stddef.h>
#include <string.h>

#include "explore.h"
#include "ops.h"

static bool sort_calls(struct explorer *e)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < e->o->nr_calls; i++) {
		uint32_t t = 0;

		while (t < e->nr_tasks && e->tasks[t] != e->o->tasks[i])
			t++;
		if (t == e->nr_tasks)
			e->tasks[e->nr_tasks++] = e->o->tasks[i];
	}
	e->calls = gmem_explore_get(e, NULL, 0, e->o->nr_calls * sizeof(*e->calls));
	for (uint32_t t = 0; e->calls && t < e->nr_tasks; t++) {
		e->first[t] = (uint16_t)n;
		for (uint32_t i = 0; i < e->o->nr_calls; i++)
			if (e->o->tasks[i] == e->tasks[t])
				e->calls[n++] = (uint16_t)i;
	}
	e->first[e->nr_tasks] = (uint16_t)n;
	return e->calls;
}

/*
 * Where objects are made it is not known beforehand how many cells the calls may need; nor where a
 * task is. What cannot be asked needs none.
 */
static void count_cells(struct explorer *e)
{
	static const struct gmem_result none;
	struct gmem_result *results = gmem_explore_get(e, NULL, 0,
						       e->o->nr_calls * sizeof(*results));
	bool all_known = true;

	if (!results)
		return;
	for (uint32_t i = 0; i < e->o->nr_calls; i++)
		results[i] = none;
	for (uint32_t i = 0; i < e->o->nr_calls; i++) {
		const struct gmem_call c = e->o->call(e->o->arg, i, results);

		if (c.verb >= GMEM_NR_VERBS)
			continue;
		if (!gmem_task_exists(e->o->world, c.task)) {
			all_known = false;
			continue;
		}
		e->fresh |= gmem_kinds_made_by(&c);
		e->cells += 2 * gmem_cells_for_call(e->o->world, &c) + 16 * e->o->nr_calls;
	}
	if (e->fresh || !all_known)
		e->cells = 0;
	gmem_explore_get(e, results, e->o->nr_calls * sizeof(*results), 0);
}

bool gmem_explore_begin(struct explorer *e, struct node *root)
{
	if (!sort_calls(e) || !gmem_rows_begin(e, gmem_world_profile(e->o->world)))
		return false;
	count_cells(e);
	e->hash_size = offsetof(struct gmem_hash, names);
	for (uint32_t t = 0; t < e->nr_tasks; t++)
		if (e->hash_size < offsetof(struct gmem_hash, names[e->tasks[t] + 1]))
			e->hash_size = offsetof(struct gmem_hash, names[e->tasks[t] + 1]);
	if (e->failed || !gmem_node_make(e, root) ||
	    gmem_world_copy(root->w, e->o->world) != GMEM_DONE) {
		e->failed = true;
		return false;
	}
	gmem_node_begin(e, root);
	return !e->bounds->reduce || e->bounds->preemptions != GMEM_NO_BOUND || e->bounds->walks ||
	       e->bounds->follow || gmem_reduce_begin(e, root);
}

void gmem_explore_finish(struct explorer *e, struct node *root)
{
	gmem_reduce_end(e);
	gmem_shard_end(e);
	for (uint32_t i = 0; i < e->room; i++)
		gmem_node_free(e, &e->path[i]);
	gmem_node_free(e, root);
	gmem_node_free(e, &e->scratch);
	gmem_explore_get(e, e->path, e->room * sizeof(*e->path), 0);
	gmem_back_end(e);
	gmem_seen_free(e, &e->seen);
	gmem_explore_get(e, e->calls, e->o->nr_calls * sizeof(*e->calls), 0);
	gmem_rows_end(e);
}
