/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What ends an exploration: a finding, or a bound.
 */
#include "explore.h"

#include "ops.h"

/* ---- findings ---- */

void gmem_explore_found(struct explorer *e, const struct node *n, uint32_t rows)
{
	struct gmem_explored *x = e->x;

	if (x->finding != GMEM_FOUND_NOTHING)
		return;
	x->finding = n->found.finding;
	x->call = n->found.call;
	x->result = n->found.result;
	x->violation = n->found.violation;
	x->nr_schedule = rows;
	if (e->o->found)
		e->o->found(e->o->arg, n->w);
}

void gmem_explore_end(struct explorer *e, struct node *n, uint32_t rows)
{
	e->x->ends++;
	n->undo.known = false; /* looking leaves marks */
	e->back.all_dirty = true;
	if (gmem_check(n->w, &n->found.violation) != GMEM_DONE)
		n->found.finding = GMEM_FOUND_VIOLATION;
	else if (e->o->end && !e->o->end(e->o->arg, n->w, n->results))
		n->found.finding = GMEM_FOUND_END;
	if (n->found.finding != GMEM_FOUND_NOTHING)
		gmem_explore_found(e, n, rows);
}

/* ---- bounds ---- */

uint64_t gmem_explore_queue(const struct explorer *e)
{
	uint64_t queue = 0;

	for (uint32_t i = e->nr_kept; i < e->nr_path; i++)
		queue += e->path[i].todo != 0;
	return queue;
}

/* Now and then. */
static bool was_told_to(struct explorer *e)
{
	const struct gmem_bounds *b = e->bounds;

	if (!b->go_on || e->x->steps < e->asked)
		return false;
	e->asked = e->x->steps + 4096;
	e->x->queue = gmem_explore_queue(e);
	return !b->go_on(b->arg, e->x);
}

bool gmem_explore_must_stop(struct explorer *e)
{
	const struct gmem_bounds *b = e->bounds;

	if (e->failed || e->shard.misused || e->x->finding ||
	    (e->x->cut & (GMEM_CUT_MEMORY | GMEM_CUT_SHARD)))
		return true;
	if (e->x->states >= b->states)
		e->x->cut |= GMEM_CUT_STATES;
	else if (b->memory && e->memory > b->memory)
		e->x->cut |= GMEM_CUT_MEMORY;
	else if (was_told_to(e))
		e->x->cut |= GMEM_CUT_TOLD;
	else
		return false;
	return true;
}
