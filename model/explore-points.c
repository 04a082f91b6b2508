/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a task may still touch, by the point where it stands: its calls that are over, and the rows
 * of the tables that it is in. Learned from every row that runs, and from those that have to wait.
 */
#include <string.h>

#include "explore-reduce.h"

#define EVERY_PAGE UINT64_MAX
#define MOST_SPANS 8u /* of one place at one point: with more, all its pages are meant */

/* Room for one more of n; null if there is none. */
static void *one_more(struct explorer *e, void *list, uint32_t n, uint32_t *room, size_t size)
{
	uint32_t more = *room ? 2 * *room : 8;
	void *p;

	if (n < *room)
		return list;
	p = gmem_explore_get(e, list, *room * size, more * size);
	if (p)
		*room = more;
	return p;
}

/* ---- points ---- */

static uint64_t key_of(const struct explorer *e, const struct node *n, uint32_t t)
{
	const struct gmem_block *b = n->w->b;
	uint64_t h = gmem_mixed(t + 1, n->pos[t]);
	uint32_t cell = b->tasks[e->tasks[t]];

	for (unsigned int i = 0; cell && i < CTASK(b, cell)->depth; i++) {
		const struct gmem_level *l = &CTASK(b, cell)->level[i];

		h = gmem_mixed(h, (uint64_t)l->table << 16 | l->pc);
	}
	return h;
}

static uint32_t *index_place(const struct reduction *r, uint64_t key)
{
	uint64_t i = key;

	while (r->index[i & (r->index_room - 1)] &&
	       r->points[r->index[i & (r->index_room - 1)] - 1].key != key)
		i++;
	return &r->index[i & (r->index_room - 1)];
}

static bool grow_index(struct explorer *e)
{
	struct reduction *r = e->reduction;
	uint32_t room = r->index_room ? 2 * r->index_room : 1024;
	uint32_t *index = gmem_explore_get(e, NULL, 0, room * sizeof(*index));

	if (!index)
		return false;
	memset(index, 0, room * sizeof(*index));
	gmem_explore_get(e, r->index, r->index_room * sizeof(*index), 0);
	r->index = index;
	r->index_room = room;
	for (uint32_t i = 0; i < r->nr_points; i++)
		*index_place(r, r->points[i].key) = i + 1;
	return true;
}

uint32_t gmem_point_with(struct explorer *e, uint64_t key)
{
	struct reduction *r = e->reduction;
	struct point *points;

	if (2 * r->nr_points >= r->index_room && !grow_index(e))
		return NOBODY;
	if (*index_place(r, key))
		return *index_place(r, key) - 1;
	points = one_more(e, r->points, r->nr_points, &r->points_room, sizeof(*points));
	if (!points)
		return NOBODY;
	r->points = points;
	r->points[r->nr_points] = (struct point){ .key = key };
	*index_place(r, key) = r->nr_points + 1;
	return r->nr_points++;
}

/* ---- what may still be touched ---- */

static bool same_place(const struct access *a, const struct access *b)
{
	return a->owner == b->owner && a->place == b->place && a->writes == b->writes;
}

static bool is_same_lock(const struct lock_ref *a, const struct lock_ref *b)
{
	return a->owner == b->owner && a->class == b->class && a->mode == b->mode;
}

/* Leaves of the locks those that are in both; whether one went. */
static bool keep_common(struct guarded *g, const struct guarded *with)
{
	unsigned int n = 0, k;

	for (unsigned int i = 0; i < g->nr_locks; i++) {
		for (k = 0; k < with->nr_locks; k++)
			if (is_same_lock(&g->locks[i], &with->locks[k]))
				break;
		if (k < with->nr_locks)
			g->locks[n++] = g->locks[i];
	}
	k = g->nr_locks;
	g->nr_locks = n;
	return k != n;
}

/* Too many spans of one place become one of all its pages. */
static void merge_spans(struct point *p, struct guarded *g)
{
	unsigned int spans = 0;
	uint32_t n = 0;

	for (uint32_t i = 0; i < p->nr_future; i++)
		spans += same_place(&p->future[i].a, &g->a);
	if (spans < MOST_SPANS)
		return;
	g->a.start = 0;
	g->a.end = EVERY_PAGE;
	for (uint32_t i = 0; i < p->nr_future; i++)
		if (same_place(&p->future[i].a, &g->a))
			keep_common(g, &p->future[i]);
		else
			p->future[n++] = p->future[i];
	p->nr_future = n;
}

/* Puts g to what may be touched from p on; whether that is new. */
static bool add_to_point(struct explorer *e, struct point *p, struct guarded *g)
{
	struct guarded *future;

	for (uint32_t i = 0; i < p->nr_future; i++) {
		struct guarded *old = &p->future[i];

		if (same_place(&old->a, &g->a) && old->a.start <= g->a.start &&
		    old->a.end >= g->a.end) {
			if (!keep_common(old, g))
				return false;
			*g = *old;
			return true;
		}
	}
	merge_spans(p, g);
	future = one_more(e, p->future, p->nr_future, &p->future_room, sizeof(*future));
	if (!future)
		return false;
	p->future = future;
	p->future[p->nr_future++] = *g;
	*(g->a.writes ? &p->writes : &p->reads) |= UINT64_C(1) << g->a.place;
	return true;
}

/* At a point, and at all that lead there. */
void gmem_learn_access(struct explorer *e, uint32_t number, struct guarded g)
{
	struct point *p = &e->reduction->points[number];

	if (!add_to_point(e, p, &g))
		return;
	e->reduction->learned = true;
	for (uint32_t i = 0; i < p->nr_before; i++)
		gmem_learn_access(e, p->before[i], g);
}

void gmem_learn_way(struct explorer *e, uint32_t from, uint32_t to)
{
	struct point *p = &e->reduction->points[to];
	uint32_t *before;

	if (from == to)
		return;
	for (uint32_t i = 0; i < p->nr_before; i++)
		if (p->before[i] == from)
			return;
	before = one_more(e, p->before, p->nr_before, &p->before_room, sizeof(*before));
	if (!before)
		return;
	p->before = before;
	p->before[p->nr_before++] = from;
	for (uint32_t i = 0; i < p->nr_future; i++)
		gmem_learn_access(e, from, p->future[i]);
}

/* ---- learning ---- */

/* The locks of a task, and that which it takes by access a. */
static void guard(const struct explorer *e, const struct node *n, uint32_t t, struct guarded *g)
{
	const struct gmem_block *b = n->w->b;
	const struct gmem_task *task = CTASK(b, b->tasks[e->tasks[t]]);

	for (unsigned int i = 0; i < task->nr_held; i++) {
		const struct gmem_held *h = &COP(b, task->op)->held[i];

		g->locks[g->nr_locks++] = (struct lock_ref){ h->owner, h->class, h->mode };
	}
	if (g->a.place >= LOCKS && g->a.place < FREED)
		g->locks[g->nr_locks++] = (struct lock_ref){ g->a.owner,
							     (uint8_t)(g->a.place - LOCKS),
							     g->a.writes ? WRITE : READ };
}

static uint64_t hash_of_step(const struct footprint *f, uint32_t from, uint32_t to,
			     const struct guarded *g)
{
	uint64_t h = gmem_mixed((uint64_t)from << 32 | to, f->n);

	for (unsigned int i = 0; i < g->nr_locks; i++)
		h = gmem_mixed(h, (uint64_t)g->locks[i].owner << 16 | g->locks[i].class << 1 |
					  g->locks[i].mode);
	for (unsigned int i = 0; i < f->n; i++) {
		const struct access *a = &f->list[i];

		h = gmem_mixed(h, (uint64_t)a->owner << 16 | (uint64_t)a->place << 1 | a->writes);
		h = gmem_mixed(h, a->start);
		h = gmem_mixed(h, a->end);
	}
	return h;
}

uint32_t gmem_point_of(struct explorer *e, const struct node *n, uint32_t t)
{
	return gmem_point_with(e, key_of(e, n, t));
}

void gmem_point_learn(struct explorer *e, const struct node *n, uint32_t t, const struct node *led,
		      const struct footprint *f)
{
	uint32_t from = gmem_point_of(e, n, t), to = gmem_point_of(e, led, t);
	struct guarded g = { 0 };

	if (from == NOBODY || to == NOBODY)
		return;
	guard(e, n, t, &g);
	if (gmem_seen_meet(e, &e->reduction->known, hash_of_step(f, from, to, &g)) != NEW)
		return;
	for (unsigned int i = 0; i < f->n; i++) {
		g.a = f->list[i];
		g.nr_locks = 0;
		guard(e, n, t, &g);
		gmem_learn_access(e, from, g);
	}
	for (unsigned int place = 0; f->all && place < NR_PLACES; place++) {
		g = (struct guarded){
			.a = { .place = (uint8_t)place, .writes = true, .end = EVERY_PAGE }
		};
		gmem_learn_access(e, from, g);
	}
	gmem_learn_way(e, from, to);
}

void gmem_points_free(struct explorer *e)
{
	struct reduction *r = e->reduction;

	for (uint32_t i = 0; i < r->nr_points; i++) {
		struct point *p = &r->points[i];

		gmem_explore_get(e, p->future, p->future_room * sizeof(*p->future), 0);
		gmem_explore_get(e, p->before, p->before_room * sizeof(*p->before), 0);
	}
	gmem_explore_get(e, r->points, r->points_room * sizeof(*r->points), 0);
	gmem_explore_get(e, r->index, r->index_room * sizeof(*r->index), 0);
	gmem_seen_free(e, &r->known);
	r->points = NULL;
	r->index = NULL;
	r->nr_points = r->points_room = r->index_room = 0;
}
