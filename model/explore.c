/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The explorer: every order in which the rows of overlapping calls can run.
 *
 * It goes depth first. For every task that can run its next row the world is copied, the row is
 * run, and what comes of it is looked up among the states that were met, by hash. So a state is
 * gone on from once, however many ways lead to it. All states of one path stay in a stack, one
 * world each; a world that was used is used again.
 *
 * Of orders that come to the same one is enough; which tasks to go on with from a state is
 * explore-reduce.c's to say.
 */
#include "explore.h"

#include <string.h>

#include "ops.h"

/* ---- the path ---- */

static struct node *top_of(struct explorer *e)
{
	return &e->path[e->nr_path - 1];
}

static uint32_t rows_to_top(const struct explorer *e)
{
	return e->nr_path - 1;
}

/* The place after the last state of the path; its world is whatever it was used for last. */
static struct node *spare_node(struct explorer *e)
{
	struct node *n;
	bool made;

	if (e->nr_path == e->room) {
		uint32_t room = e->room ? 2 * e->room : 64;
		struct node *path = gmem_explore_get(e, e->path, e->room * sizeof(*path),
						     room * sizeof(*path));

		if (!path)
			return NULL;
		memset(path + e->room, 0, (room - e->room) * sizeof(*path));
		e->path = path;
		e->room = room;
	}
	n = &e->path[e->nr_path];
	/* There are two worlds, which are handed on. */
	made = e->back.on && e->nr_path > 1 ? gmem_node_make_rest(e, n) : gmem_node_make(e, n);
	return made ? n : NULL;
}

static bool has_bound(const struct explorer *e)
{
	return e->bounds->preemptions != GMEM_NO_BOUND;
}

static bool last_could_run(const struct explorer *e, const struct node *n)
{
	return gmem_task_can_step(n->w, e->tasks[n->last]);
}

/* Whether going on with t goes on within the bound on preemptions. */
static bool may_go_on(const struct explorer *e, const struct node *n, uint32_t t)
{
	if (!has_bound(e) || n->last == NOBODY || n->last == t)
		return true;
	return n->preemptions < e->bounds->preemptions || !last_could_run(e, n);
}

#define MOST_ALONE 64u

static bool is_one(uint32_t set)
{
	return set && !(set & (set - 1));
}

static void meet_state(struct explorer *e, struct node *n, uint32_t rows)
{
	n->hash = gmem_node_hash(e, n);
	n->met = (uint8_t)gmem_seen_meet(e, &e->seen, n->hash);
	if (n->met == NEW && gmem_is_shard(e) && gmem_shard_of(e, n) != e->bounds->shard) {
		n->met = SENT;
		gmem_seen_leave(&e->seen, n->hash);
		gmem_shard_send(e, n, rows);
	}
	e->x->states += n->met == NEW;
}

/* A state that was met before was checked then. */
static void check(struct explorer *e, struct node *n, uint32_t rows)
{
	if (gmem_node_check(e, n) == FOUND)
		gmem_explore_found(e, n, rows);
}

static void look_from_top(struct explorer *e)
{
	struct node *child = spare_node(e), *n = child ? top_of(e) : NULL;

	if (!child)
		return;
	if (e->back.on && e->nr_path > 1 && !gmem_back_forward(e, n - 1, n, child))
		return;
	gmem_look_ahead(e, n, child);
}

/*
 * The state after the last one becomes a part of the path. From one that a single task goes on
 * from, whatever led there, nothing is to be gained by remembering it; but round and round nobody
 * may go unseen.
 */
static void push(struct explorer *e)
{
	struct node *n = &e->path[e->nr_path++];
	uint32_t rows = rows_to_top(e);

	n->all = gmem_node_tasks(e, n);
	n->todo = n->all;
	n->tried = 0;
	n->ran = false;
	n->looked = 0;
	n->kept = n->waits = 0;
	n->saved = 0;
	n->standing = NOBODY;
	n->met = NOT_MET;
	n->serial = ++e->serial;
	e->x->depth = rows;
	if (rows > e->x->deepest)
		e->x->deepest = rows;
	if (rows == e->bounds->depth && n->all) {
		e->x->cut |= GMEM_CUT_DEPTH;
		n->todo = 0;
		n->ran = true;
		return;
	}
	if (n->all && e->reduction)
		n->todo = gmem_reduce(e, n);
	if (e->reduction && is_one(n->todo) && ++n->alone < MOST_ALONE) {
		check(e, n, rows);
		return;
	}
	n->alone = 0;
	meet_state(e, n, rows);
	if (n->met != NEW)
		return;
	check(e, n, rows);
	if (e->looks && n->todo && !gmem_explore_must_stop(e))
		look_from_top(e);
}

/* Every task was tried. */
static void leave_state(struct explorer *e)
{
	struct node *n = top_of(e);
	uint32_t rows = rows_to_top(e);

	if (!n->all) {
		gmem_explore_end(e, n, rows);
	} else if (!n->ran) {
		n->found.finding = GMEM_FOUND_DEADLOCK;
		gmem_explore_found(e, n, rows);
	}
	if (n->met == NEW)
		gmem_seen_leave(&e->seen, n->hash);
	if (n->saved)
		gmem_back_back(e, n - 1, n, n + 1);
	e->nr_path--;
}

/* ---- one more row ---- */

/* Runs the next row of task t after the last state of the path; null if there is no memory. */
static struct node *run_after(struct explorer *e, uint32_t t, enum ran *ran)
{
	struct node *child = spare_node(e), *n = child ? top_of(e) : NULL, *ahead;
	struct footprint touched;

	if (!child)
		return NULL;
	ahead = e->reduction ? gmem_reduce_child(e, n, t, ran) : NULL;
	if (ahead) {
		const struct node swap = *child;

		*child = *ahead;
		*ahead = swap;
		return child;
	}
	if (n->standing == t) {
		n->standing = NOBODY;
		*ran = RAN;
		return child;
	}
	n->standing = NOBODY;
	if (!gmem_look_from(e, child, n))
		return NULL;
	e->x->steps -= n->looked >> t & 1; /* it was counted then */
	*ran = e->reduction ? gmem_reduce_run(e, n, child, t, &touched) :
			      gmem_look_run(e, child, t);
	return child;
}

void gmem_note_switch(struct explorer *e, const struct node *n, struct node *child, uint32_t t)
{
	child->preemptions = n->preemptions;
	if (has_bound(e) && n->last != NOBODY && n->last != t)
		child->preemptions += last_could_run(e, n);
	child->last = t;
}

/* Task t has run a row that led to the state after the last one. */
static void arrive(struct explorer *e, struct node *child, uint32_t t)
{
	struct node *n = top_of(e);

	n->ran = true;
	gmem_note_switch(e, n, child, t);
	child->alone = n->alone;
	push(e);
	child = top_of(e); /* the path may have moved */
	if (child->met == NOT_MET || child->met == NEW)
		return;
	n = child - 1;
	e->x->revisits += child->met != SENT;
	e->nr_path--;
	/* Round and round: who is left out now would be left out for ever. */
	if (child->met == ON_PATH)
		n->todo |= n->all & ~n->tried;
}

static void try_task(struct explorer *e, uint32_t t)
{
	struct node *n = top_of(e), *child;
	enum ran ran = WAITS;

	n->todo &= ~(1u << t);
	n->tried |= 1u << t;
	if (gmem_looked_in_vain(e, n, t)) {
		e->x->revisits++;
		return;
	}
	if (!may_go_on(e, n, t)) {
		e->x->cut |= GMEM_CUT_PREEMPTIONS;
		n->ran = true;
		return;
	}
	child = run_after(e, t, &ran);
	if (!child)
		return;
	e->x->schedule[rows_to_top(e)] = e->tasks[t];
	if (ran == FOUND)
		gmem_explore_found(e, child, rows_to_top(e) + 1);
	else if (ran == RAN)
		arrive(e, child, t);
}

/* Everything from the last state of the path on, up to those that are kept. */
static void go(struct explorer *e)
{
	while (e->nr_path > e->nr_kept && !gmem_explore_must_stop(e)) {
		const struct node *n = top_of(e);

		if (n->todo)
			try_task(e, gmem_next_task(n, n->todo));
		else
			leave_state(e);
	}
	e->x->queue = gmem_explore_queue(e);
}

/* The first state, with nothing before it. */
static struct node *begin_path(struct explorer *e, const struct node *root)
{
	struct node *first;

	e->nr_path = e->nr_kept = 0;
	first = spare_node(e);
	if (!first || !gmem_node_copy(e, first, root))
		return NULL;
	first->last = NOBODY;
	first->preemptions = 0;
	first->alone = MOST_ALONE;
	return first;
}

/* The worlds are handed back to the first two nodes. */
static void end_path(struct explorer *e)
{
	for (; e->nr_path; e->nr_path--)
		if (top_of(e)->saved)
			gmem_back_back(e, top_of(e) - 1, top_of(e), top_of(e) + 1);
}

void gmem_explore_root(struct explorer *e, const struct node *root)
{
	if (!begin_path(e, root))
		return;
	push(e);
	go(e);
	end_path(e);
}

/* ---- from a state that another shard came to ---- */

/* One more row on the way there; false if it cannot be run. */
static bool repeat_row(struct explorer *e, uint32_t t)
{
	struct node *child = spare_node(e), *n = child ? top_of(e) : NULL;

	if (!child || t >= e->nr_tasks || !(gmem_node_tasks(e, n) >> t & 1) ||
	    !gmem_node_copy_again(e, child, n) || gmem_node_run(e, child, t, NULL) != RAN)
		return false;
	e->x->schedule[rows_to_top(e)] = e->tasks[t];
	gmem_note_switch(e, n, child, t);
	child->todo = 0;
	child->serial = ++e->serial;
	return true;
}

bool gmem_explore_repeat(struct explorer *e, const struct node *root, const uint8_t *tasks,
			 uint32_t rows)
{
	if (!e->nr_kept) {
		struct node *first = begin_path(e, root);

		if (!first)
			return false;
		first->todo = 0;
		first->serial = ++e->serial;
		e->nr_kept = 1;
	}
	e->nr_path = e->nr_kept;
	while (e->nr_path <= rows) {
		if (!repeat_row(e, tasks[e->nr_path - 1]))
			return false;
		e->nr_path++;
	}
	e->nr_path = e->nr_kept = rows;
	return true;
}

bool gmem_explore_from(struct explorer *e, uint64_t hash)
{
	struct node *n = &e->path[e->nr_path];
	bool same;

	n->alone = MOST_ALONE;
	push(e);
	n = top_of(e);
	same = n->met == NEW && n->hash == hash;
	if (same)
		go(e);
	e->nr_path = e->nr_kept;
	return same;
}

/* ---- all of it ---- */

/* Whether to begin again, knowing more. */
static bool is_to_repeat(struct explorer *e)
{
	if (!e->reduction)
		return false;
	if (gmem_is_shard(e))
		return gmem_shard_learned(e);
	return gmem_reduce_learned(e) && !e->failed && !e->x->finding &&
	       !(e->x->cut & ~GMEM_CUT_DEPTH);
}

/* Again and again, until a whole round has shown nothing new of what rows touch. */
static void explore(struct explorer *e, const struct node *root)
{
	const struct gmem_explored before = *e->x;

	e->looks = !e->reduction && !has_bound(e);
	e->back.on = e->back.all_dirty = e->looks && !gmem_is_shard(e);
	do {
		e->x->states = before.states;
		e->x->ends = before.ends;
		e->x->revisits = before.revisits;
		e->x->deepest = before.deepest;
		e->x->cut = before.cut;
		e->x->rounds++;
		gmem_seen_free(e, &e->seen);
		if (gmem_is_shard(e))
			gmem_shard_search(e, root);
		else
			gmem_explore_root(e, root);
	} while (is_to_repeat(e));
}

/* ---- beginning and end ---- */

enum gmem_status gmem_explore(const struct gmem_overlap *o, const struct gmem_bounds *bounds,
			      struct gmem_explored *x)
{
	struct explorer e = { .o = o,
			      .bounds = bounds,
			      .x = x,
			      .resize = o->world->resize,
			      .resize_arg = o->world->resize_arg,
			      .verify = bounds->verify };
	uint32_t *schedule = x->schedule;
	struct node root = { 0 };

	*x = (struct gmem_explored){ .schedule = schedule };
	if (!gmem_explore_makes_sense(o, bounds))
		return GMEM_MISUSE;
	if (gmem_shard_meet(&e) && gmem_explore_begin(&e, &root)) {
		if (bounds->follow)
			gmem_follow(&e, &root);
		else if (bounds->walks)
			gmem_walk(&e, &root, bounds->walks, bounds->seed);
		else
			explore(&e, &root);
	}
	gmem_explore_finish(&e, &root);
	if (e.shard.misused)
		return GMEM_MISUSE;
	return e.failed ? GMEM_FAILED : GMEM_DONE;
}
