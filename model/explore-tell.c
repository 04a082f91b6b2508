/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What was learned of what tasks may still touch, as bytes for other shards, and from them: of each
 * point its key, what may be touched from there on, and the keys of the points that lead there.
 * Numbers are written with their lowest byte first.
 */
#include "explore-reduce.h"

/* ---- to bytes ---- */

static void put_guarded(struct explorer *e, struct bytes *b, const struct guarded *g)
{
	gmem_bytes_put(e, b, g->a.owner, 4);
	gmem_bytes_put(e, b, g->a.place, 1);
	gmem_bytes_put(e, b, g->a.writes, 1);
	gmem_bytes_put(e, b, g->a.start, 8);
	gmem_bytes_put(e, b, g->a.end, 8);
	gmem_bytes_put(e, b, g->nr_locks, 1);
	for (unsigned int i = 0; i < g->nr_locks; i++) {
		gmem_bytes_put(e, b, g->locks[i].owner, 4);
		gmem_bytes_put(e, b, g->locks[i].class, 1);
		gmem_bytes_put(e, b, g->locks[i].mode, 1);
	}
}

void gmem_points_put(struct explorer *e, struct bytes *b)
{
	const struct reduction *r = e->reduction;

	for (uint32_t n = 0; n < r->nr_points && !e->failed; n++) {
		const struct point *p = &r->points[n];

		gmem_bytes_put(e, b, p->key, 8);
		gmem_bytes_put(e, b, p->nr_future, 4);
		gmem_bytes_put(e, b, p->nr_before, 4);
		for (uint32_t i = 0; i < p->nr_future; i++)
			put_guarded(e, b, &p->future[i]);
		for (uint32_t i = 0; i < p->nr_before; i++)
			gmem_bytes_put(e, b, r->points[p->before[i]].key, 8);
	}
}

/* ---- from bytes ---- */

struct reading {
	const uint8_t *at;
	size_t left;
	bool wrong;
};

static uint64_t read_number(struct reading *r, unsigned int size)
{
	uint64_t number = 0;

	if (r->left < size) {
		r->wrong = true;
		return 0;
	}
	for (unsigned int i = size; i-- > 0;)
		number = number << 8 | r->at[i];
	r->at += size;
	r->left -= size;
	return number;
}

static struct guarded read_guarded(struct reading *r)
{
	struct guarded g = { 0 };

	g.a.owner = (uint32_t)read_number(r, 4);
	g.a.place = (uint8_t)read_number(r, 1);
	g.a.writes = read_number(r, 1) != 0;
	g.a.start = read_number(r, 8);
	g.a.end = read_number(r, 8);
	g.nr_locks = (unsigned int)read_number(r, 1);
	if (g.a.place >= NR_PLACES || g.nr_locks > sizeof(g.locks) / sizeof(g.locks[0])) {
		r->wrong = true;
		return g;
	}
	for (unsigned int i = 0; i < g.nr_locks; i++) {
		g.locks[i].owner = (uint32_t)read_number(r, 4);
		g.locks[i].class = (uint8_t)read_number(r, 1);
		g.locks[i].mode = (uint8_t)read_number(r, 1);
	}
	return g;
}

static void take_point(struct explorer *e, struct reading *r)
{
	const uint32_t number = gmem_point_with(e, read_number(r, 8));
	uint64_t nr_future = read_number(r, 4), nr_before = read_number(r, 4);

	if (number == NOBODY)
		return;
	for (; nr_future && !r->wrong && !e->failed; nr_future--) {
		const struct guarded g = read_guarded(r);

		if (!r->wrong)
			gmem_learn_access(e, number, g);
	}
	for (; nr_before && !r->wrong && !e->failed; nr_before--) {
		const uint32_t from = gmem_point_with(e, read_number(r, 8));

		if (!r->wrong && from != NOBODY)
			gmem_learn_way(e, from, number);
	}
}

bool gmem_points_take(struct explorer *e, const uint8_t *at, size_t n)
{
	struct reading r = { at, n, false };

	while (r.left && !r.wrong && !e->failed)
		take_point(e, &r);
	return !r.wrong && !e->failed;
}
