/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One part of an exploration: the states after the first rows, every so manieth of them, with all
 * that follows. Every shard goes through the first rows in the same way, in every order, until
 * there are enough states to share out; what is found or ends there is the first shard's.
 */
#include <string.h>

#include "explore.h"
#include "ops.h"

#define STATES_A_SHARD 16u

struct layer {
	struct node *nodes;
	uint32_t *schedules; /* of each, rows long */
	uint32_t n, room;
};

struct shard {
	struct layer layer;
	uint32_t rows;
};

static bool is_mine(const struct explorer *e, uint64_t number)
{
	return number % e->bounds->shards == e->bounds->shard;
}

static bool make_room(struct explorer *e, struct layer *l, uint32_t rows)
{
	uint32_t room = l->room ? 2 * l->room : 64;
	size_t row = (rows ? rows : 1) * sizeof(*l->schedules);

	if (l->n < l->room)
		return true;
	l->nodes = gmem_explore_get(e, l->nodes, l->room * sizeof(*l->nodes),
				    room * sizeof(*l->nodes));
	l->schedules = gmem_explore_get(e, l->schedules, l->room * row, room * row);
	if (!l->nodes || !l->schedules)
		return false;
	memset(l->nodes + l->room, 0, (room - l->room) * sizeof(*l->nodes));
	l->room = room;
	return true;
}

static void free_layer(struct explorer *e, struct layer *l, uint32_t rows)
{
	size_t row = (rows ? rows : 1) * sizeof(*l->schedules);

	for (uint32_t i = 0; i < l->room; i++)
		gmem_node_free(e, &l->nodes[i]);
	gmem_explore_get(e, l->nodes, l->room * sizeof(*l->nodes), 0);
	gmem_explore_get(e, l->schedules, l->room * row, 0);
	*l = (struct layer){ 0 };
}

/* A state of the first rows that has no row left to run, or finds something. */
static void stop_here(struct explorer *e, struct node *n, const uint32_t *schedule, uint32_t rows)
{
	if (e->bounds->shard)
		return;
	memcpy(e->x->schedule, schedule, rows * sizeof(*schedule));
	if (n->found.finding != GMEM_FOUND_NOTHING)
		gmem_explore_found(e, n, rows);
	else
		gmem_explore_end(e, n, rows);
}

/* From node i of one layer, by task t, to a node of the next; whether t could run. */
static bool run_to(struct explorer *e, struct layer *from, uint32_t i, uint32_t t, uint32_t rows,
		   struct layer *to)
{
	struct node *child;
	uint32_t *schedule;
	enum ran ran;

	if (!make_room(e, to, rows + 1) ||
	    !gmem_node_copy(e, child = &to->nodes[to->n], &from->nodes[i]))
		return false;
	ran = gmem_node_run(e, child, t, NULL);
	if (ran == WAITS || e->failed)
		return false;
	schedule = to->schedules + (size_t)to->n * (rows + 1);
	memcpy(schedule, from->schedules + (size_t)i * rows, rows * sizeof(*schedule));
	schedule[rows] = e->tasks[t];
	child->last = t;
	child->hash = gmem_node_hash(e, child);
	if (ran == RAN)
		ran = gmem_node_check(child);
	if (ran == FOUND)
		stop_here(e, child, schedule, rows + 1);
	else if (gmem_seen_meet(e, &e->seen, child->hash) == NEW)
		to->n++;
	return true;
}

static void run_all(struct explorer *e, struct layer *from, uint32_t i, uint32_t rows,
		    struct layer *to)
{
	struct node *n = &from->nodes[i];
	const uint32_t all = gmem_node_tasks(e, n);
	bool ran = false;

	for (uint32_t t = 0; t < e->nr_tasks && !e->x->finding; t++)
		if (all >> t & 1)
			ran |= run_to(e, from, i, t, rows, to);
	e->x->states += !e->bounds->shard;
	if (ran || e->failed)
		return;
	if (all)
		n->found.finding = GMEM_FOUND_DEADLOCK;
	stop_here(e, n, from->schedules + (size_t)i * rows, rows);
}

bool gmem_shard_begin(struct explorer *e, const struct node *root)
{
	struct shard *s = gmem_explore_get(e, NULL, 0, sizeof(*s));
	struct layer *l = &s->layer;

	e->shard = s;
	if (!s)
		return false;
	memset(s, 0, sizeof(*s));
	if (!make_room(e, l, 0) || !gmem_node_copy(e, &l->nodes[l->n++], root))
		return false;
	while (l->n && l->n < STATES_A_SHARD * (uint64_t)e->bounds->shards &&
	       !gmem_explore_must_stop(e) && s->rows < e->bounds->depth - 1) {
		struct layer next = { 0 };

		for (uint32_t i = 0; i < l->n && !gmem_explore_must_stop(e); i++)
			run_all(e, l, i, s->rows, &next);
		free_layer(e, l, s->rows++);
		*l = next;
	}
	return !gmem_explore_must_stop(e);
}

void gmem_shard_each(struct explorer *e, void (*fn)(struct explorer *e, const struct node *root))
{
	const struct shard *s = e->shard;

	e->begins = s->rows;
	for (uint32_t i = 0; i < s->layer.n && !e->failed && !e->x->finding &&
			     !(e->x->cut & (GMEM_CUT_STATES | GMEM_CUT_MEMORY | GMEM_CUT_TOLD));
	     i++) {
		if (!is_mine(e, i))
			continue;
		memcpy(e->x->schedule, s->layer.schedules + (size_t)i * s->rows,
		       s->rows * sizeof(*e->x->schedule));
		e->nr_waiting = (s->layer.n - i - 1) / e->bounds->shards;
		fn(e, &s->layer.nodes[i]);
	}
}

void gmem_shard_end(struct explorer *e)
{
	if (!e->shard)
		return;
	free_layer(e, &e->shard->layer, e->shard->rows);
	gmem_explore_get(e, e->shard, sizeof(*e->shard), 0);
	e->shard = NULL;
}
