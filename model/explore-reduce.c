/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which tasks it is enough to go on with.
 *
 * From a state it is enough to try a set of tasks such that nothing that the other tasks could do
 * before one of the set moves has to do with what the set does next: a persistent set. What is
 * done outside can as well be done after it.
 *
 * What a task may still touch is learned. A point is where a task stands: its calls that are
 * over, and the rows of the tables it is in. For each point is kept what was touched there or at
 * any point reached from it, and under which locks: the fewest that it was ever touched under. An
 * access under a lock that one of the set holds is one that the others cannot come to. What was
 * learned too late makes the exploration begin again, until a whole one has learned nothing.
 *
 * That is enough: let others do, before a row p of the set, something that has to do with p and
 * is not known at their points. Take the first such thing. All that came before it has nothing to
 * do with p, so it can be done after p, where this exploration has done it, up to that thing: which
 * begins the same way, because it differs only in what it reads of p, and that would be the access
 * itself. So it was seen and learned.
 *
 * A set is not used where its row leads back to a state of the path: going round there, others
 * could be forgotten. A shard does not see all of a path, so there a set is not used if a row of
 * it goes back in its table, as a RETRY does. A circle has such a row: between two of them each task
 * goes on in its tables, where loops over objects and pages are the only other way back, and those
 * end. (Of a circle that can be left nothing is forgotten anyway: who goes round runs to an end in
 * some order, and a persistent set takes part in every order that leads to an end.)
 */
#include <string.h>

#include "explore-reduce.h"

enum ran gmem_reduce_run(struct explorer *e, const struct node *from, struct node *n, uint32_t t,
			 struct footprint *f)
{
	enum ran ran = gmem_node_run(e, n, t, f);

	if (n->found.finding == GMEM_FOUND_NOTHING)
		gmem_point_learn(e, from, t, n, f);
	return ran;
}

bool gmem_reduce_learned(struct explorer *e)
{
	bool learned = e->reduction->learned;

	e->reduction->learned = false;
	return learned;
}

/* ---- sets ---- */

/* Locks held by the tasks of a set. */
struct held_by {
	unsigned int n;
	struct lock_ref locks[GMEM_MAX_TASKS * GMEM_MAX_HELD];
};

static void hold(const struct explorer *e, const struct node *n, uint32_t t, struct held_by *held)
{
	const struct gmem_block *b = n->w->b;
	const struct gmem_task *task = CTASK(b, b->tasks[e->tasks[t]]);

	if (!task->depth)
		return;
	for (unsigned int i = 0; i < task->nr_held; i++) {
		const struct gmem_held *h = &COP(b, task->op)->held[i];

		if (h->class != SRCU) /* which keeps nobody out */
			held->locks[held->n++] = (struct lock_ref){ h->owner, h->class, h->mode };
	}
}

/* Whether one of the locks of g cannot be had. */
static bool is_kept_out(const struct guarded *g, const struct held_by *held)
{
	for (unsigned int i = 0; i < g->nr_locks; i++)
		for (unsigned int k = 0; k < held->n; k++)
			if (g->locks[i].owner && g->locks[i].owner == held->locks[k].owner &&
			    g->locks[i].class == held->locks[k].class &&
			    (g->locks[i].mode == WRITE || held->locks[k].mode == WRITE))
				return true;
	return false;
}

static bool conflict(const struct access *a, const struct access *b)
{
	return a->place == b->place && (a->writes || b->writes) &&
	       (a->owner == b->owner || !a->owner || !b->owner) && a->start < b->end &&
	       b->start < a->end;
}

/* Whether what task t may still do has to do with f. */
static bool may_meet(struct explorer *e, const struct node *n, uint32_t t,
		     const struct footprint *f, const struct held_by *held)
{
	uint32_t number = gmem_point_of(e, n, t);
	const struct point *p;

	if (number == NOBODY || f->all)
		return true;
	p = &e->reduction->points[number];
	for (unsigned int i = 0; i < f->n; i++) {
		const struct access *a = &f->list[i];

		if (!((a->writes ? p->reads | p->writes : p->writes) >> a->place & 1))
			continue;
		for (uint32_t k = 0; k < p->nr_future; k++)
			if (conflict(a, &p->future[k].a) && !is_kept_out(&p->future[k], held))
				return true;
	}
	return false;
}

/* Runs task t's next row beside the path. */
static bool look_ahead(struct explorer *e, const struct node *n, uint32_t t)
{
	struct reduction *r = e->reduction;

	if (r->next[t].known)
		return true;
	if (!gmem_node_copy_again(e, &r->next[t].child, n))
		return false;
	r->next[t].ran = gmem_reduce_run(e, n, &r->next[t].child, t, &r->next[t].touched);
	r->next[t].known = true;
	r->next[t].taken = false;
	return !e->failed;
}

/* The tasks that have to be tried if t is; of one whose row finds something, that alone. */
static uint32_t close_set(struct explorer *e, const struct node *n, uint32_t t)
{
	struct reduction *r = e->reduction;
	uint32_t set = 1u << t, done = 0;
	struct held_by held = { 0 };

	hold(e, n, t, &held);
	while (set != done) {
		uint32_t p = (uint32_t)__builtin_ctz(set & ~done);

		if (!look_ahead(e, n, p))
			return n->all;
		if (r->next[p].ran == FOUND)
			return 1u << p;
		for (uint32_t q = 0; q < e->nr_tasks; q++)
			if ((n->all & ~set) >> q & 1 &&
			    may_meet(e, n, q, &r->next[p].touched, &held)) {
				set |= 1u << q;
				hold(e, n, q, &held);
			}
		done |= 1u << p;
	}
	return set;
}

/* Whether task t, whose row led from n to child, stands further up in a table than before. */
static bool went_back(const struct explorer *e, const struct node *n, const struct node *child,
		      uint32_t t)
{
	const struct gmem_block *a = n->w->b, *b = child->w->b;
	const uint32_t task = e->tasks[t];
	const struct gmem_task *from = CTASK(a, a->tasks[task]), *to;

	if (n->pos[t] != child->pos[t] || !b->tasks[task])
		return false;
	to = CTASK(b, b->tasks[task]);
	for (unsigned int i = 0; i < from->depth && i < to->depth; i++)
		if (from->level[i].pc != to->level[i].pc)
			return to->level[i].pc < from->level[i].pc;
	return false;
}

static bool goes_back(const struct explorer *e, const struct node *n, uint32_t set)
{
	const struct reduction *r = e->reduction;

	for (; set; set &= set - 1) {
		uint32_t t = (uint32_t)__builtin_ctz(set);

		if (r->next[t].known && r->next[t].ran == RAN &&
		    went_back(e, n, &r->next[t].child, t))
			return true;
	}
	return false;
}

static unsigned int count_running(const struct reduction *r, uint32_t set)
{
	unsigned int n = 0;

	for (; set; set &= set - 1)
		n += r->next[__builtin_ctz(set)].ran != WAITS;
	return n;
}

uint32_t gmem_reduce(struct explorer *e, const struct node *n)
{
	struct reduction *r = e->reduction;
	uint32_t best = 0;
	unsigned int fewest = 0;

	r->looked_at = n->serial;
	for (uint32_t t = 0; t < e->nr_tasks; t++)
		r->next[t].known = false;
	for (uint32_t i = 0; i < e->nr_tasks && fewest != 1 && !e->failed; i++) {
		/* Who ran last first: then a task goes on as far as it can. */
		uint32_t t = n->last == NOBODY ? i : (n->last + i) % e->nr_tasks, set;
		unsigned int running;

		if (!(n->all >> t & 1))
			continue;
		set = close_set(e, n, t);
		if (gmem_is_shard(e) && goes_back(e, n, set))
			continue;
		running = count_running(r, set);
		if (running && (!best || running < fewest)) {
			best = set;
			fewest = running;
		}
	}
	return best ? best : n->all;
}

struct node *gmem_reduce_child(struct explorer *e, const struct node *n, uint32_t t, enum ran *ran)
{
	struct reduction *r = e->reduction;

	if (r->looked_at != n->serial || !r->next[t].known || r->next[t].taken)
		return NULL;
	r->next[t].taken = true;
	*ran = r->next[t].ran;
	return &r->next[t].child;
}

/* ---- beginning and end ---- */

#define WALKS_FIRST 16u

/* A few orders by chance show most of what rows touch. */
bool gmem_reduce_begin(struct explorer *e, const struct node *root)
{
	e->reduction = gmem_explore_get(e, NULL, 0, sizeof(*e->reduction));
	if (!e->reduction)
		return false;
	memset(e->reduction, 0, sizeof(*e->reduction));
	gmem_walk(e, root, WALKS_FIRST, 1);
	e->x->states = e->x->ends = 0;
	e->x->cut = 0;
	gmem_reduce_learned(e);
	return !e->x->finding;
}

void gmem_reduce_end(struct explorer *e)
{
	struct reduction *r = e->reduction;

	if (!r)
		return;
	gmem_points_free(e);
	for (uint32_t t = 0; t < e->nr_tasks; t++)
		gmem_node_free(e, &r->next[t].child);
	gmem_explore_get(e, r, sizeof(*r), 0);
	e->reduction = NULL;
}
