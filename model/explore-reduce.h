/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What tasks may still touch, between explore-points.c, which learns it, and explore-reduce.c,
 * which asks.
 */
#ifndef GMEM_EXPLORE_REDUCE_H
#define GMEM_EXPLORE_REDUCE_H

#include "explore.h"

struct lock_ref {
	uint32_t owner;
	uint8_t class, mode;
};

/* Something touched, and the locks it is always touched under. */
struct guarded {
	struct access a;
	unsigned int nr_locks;
	struct lock_ref locks[GMEM_MAX_HELD + 1];
};

struct point {
	uint64_t key;
	uint64_t reads, writes; /* places, a bit each */
	struct guarded *future;
	uint32_t nr_future, future_room;
	uint32_t *before; /* points that lead here */
	uint32_t nr_before, before_room;
};

struct reduction {
	struct point *points;
	uint32_t nr_points, points_room;
	uint32_t *index; /* by key: number of the point + 1 */
	uint32_t index_room;
	struct seen known; /* steps that were learned from */
	bool learned;
	/* each task's next row, from the state looked at */
	uint64_t looked_at; /* its serial */
	struct {
		bool known, taken;
		enum ran ran;
		struct footprint touched;
		struct node child;
	} next[GMEM_MAX_TASKS];
};

/* The point at which task t stands in n; its number, or NOBODY if there is no memory. */
uint32_t gmem_point_of(struct explorer *e, const struct node *n, uint32_t t);
/* Task t touched that on its way from n, where it stood, to the state to. */
void gmem_point_learn(struct explorer *e, const struct node *n, uint32_t t, const struct node *to,
		      const struct footprint *f);
/* The number of the point with that key; NOBODY if there is no memory. */
uint32_t gmem_point_with(struct explorer *e, uint64_t key);
/* That g may be touched from a point on; that a point leads to another. */
void gmem_learn_access(struct explorer *e, uint32_t number, struct guarded g);
void gmem_learn_way(struct explorer *e, uint32_t from, uint32_t to);
/* Forgets everything. */
void gmem_points_free(struct explorer *e);

#endif
