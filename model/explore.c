/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The explorer: every order in which the rows of overlapping calls can run.
 *
 * It goes depth first. For every task that can run its next row the world is copied, the row is
 * run, and what comes of it is looked up among the states that were seen, by hash. So a state is
 * gone on from once, however many ways lead to it. All states of one path stay in a stack, one
 * world each; a world that was used is used again.
 *
 * The reduction: where some task's next row concerns nobody else (step.h: LOCAL, and giving back
 * a lock), that row alone is gone on with, since what the others do before or after it comes to
 * the same.
 */
#include <string.h>

#include "ops.h"
#include "state.h"

#define NOBODY UINT32_MAX

/* One state of the path. */
struct node {
	struct gmem_world *w;
	struct gmem_result *results; /* of the calls that are over */
	uint16_t *pos;		     /* of each task: how many of its calls were begun */
	uint32_t next;		     /* the task to try next; its number in tasks[] */
	uint32_t last;		     /* the task that ran last */
	uint32_t preemptions;
	uint32_t only; /* the one task to go on with, or NOBODY */
	bool ran;      /* some task could run */
};

struct explorer {
	const struct gmem_overlap *o;
	const struct gmem_bounds *bounds;
	struct gmem_explored *x;
	gmem_resize_fn resize;
	void *resize_arg;
	uint32_t tasks[GMEM_MAX_TASKS], nr_tasks;
	uint16_t *calls; /* of each task in turn: the numbers of its calls */
	uint16_t first[GMEM_MAX_TASKS + 1];
	struct node *path;
	uint32_t nr_path, room;
	uint64_t *seen; /* open addressing; 0 is empty */
	uint64_t nr_seen, seen_room;
	bool failed; /* no memory */
};

static void *get(struct explorer *e, void *p, size_t old, size_t new)
{
	p = e->resize(e->resize_arg, p, old, new);
	if (!p && new)
		e->failed = true;
	return p;
}

/* ---- states that were seen ---- */

static bool grow_seen(struct explorer *e)
{
	uint64_t room = e->seen_room ? 2 * e->seen_room : 1u << 12;
	uint64_t *table = get(e, NULL, 0, room * sizeof(*table));

	if (!table)
		return false;
	memset(table, 0, room * sizeof(*table));
	for (uint64_t i = 0; i < e->seen_room; i++) {
		uint64_t h = e->seen[i];

		while (h && table[h & (room - 1)] && table[h & (room - 1)] != e->seen[i])
			h++;
		if (e->seen[i])
			table[h & (room - 1)] = e->seen[i];
	}
	get(e, e->seen, e->seen_room * sizeof(*table), 0);
	e->seen = table;
	e->seen_room = room;
	return true;
}

/* Whether this is the first time; remembers it. */
static bool is_new(struct explorer *e, uint64_t hash)
{
	uint64_t i = hash += !hash;

	if (2 * e->nr_seen >= e->seen_room && !grow_seen(e))
		return false;
	while (e->seen[i & (e->seen_room - 1)] && e->seen[i & (e->seen_room - 1)] != hash)
		i++;
	if (e->seen[i & (e->seen_room - 1)])
		return false;
	e->seen[i & (e->seen_room - 1)] = hash;
	e->nr_seen++;
	return true;
}

static uint64_t mixed(uint64_t h, uint64_t x)
{
	h = (h ^ x) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 29;
}

/* The world, how far each task is, and the handles that calls were given. */
static uint64_t hash_of(const struct explorer *e, const struct node *n)
{
	uint64_t h = gmem_world_hash(n->w);

	for (uint32_t t = 0; t < e->nr_tasks; t++) {
		h = mixed(h, n->pos[t]);
		for (uint32_t i = e->first[t]; i < e->first[t] + n->pos[t]; i++)
			if (e->o->binds[e->calls[i]])
				h = mixed(h, (uint64_t)n->results[e->calls[i]].value);
	}
	if (e->bounds->preemptions != GMEM_NO_BOUND)
		h = mixed(h, (uint64_t)n->preemptions << 32 | n->last);
	return h;
}

/* ---- the path ---- */

static bool make_node(struct explorer *e, struct node *n)
{
	struct gmem_config config = { .profile = gmem_world_profile(e->o->world),
				      .resize = e->resize,
				      .resize_arg = e->resize_arg };

	n->w = NULL;
	n->results = get(e, NULL, 0, e->o->nr_calls * sizeof(*n->results));
	n->pos = get(e, NULL, 0, e->nr_tasks * sizeof(*n->pos));
	if (!n->results || !n->pos || gmem_world_new(&n->w, &config) != GMEM_DONE) {
		e->failed = true;
		return false;
	}
	n->w->checking = GMEM_CHECK_STEPS;
	n->w->lockdep = e->o->world->lockdep;
	return true;
}

static void free_node(struct explorer *e, struct node *n)
{
	gmem_world_free(n->w);
	e->resize(e->resize_arg, n->results, e->o->nr_calls * sizeof(*n->results), 0);
	e->resize(e->resize_arg, n->pos, e->nr_tasks * sizeof(*n->pos), 0);
}

/* The place after the last state of the path; its world is whatever it was used for last. */
static struct node *spare_node(struct explorer *e)
{
	if (e->nr_path == e->room) {
		uint32_t room = e->room ? 2 * e->room : 64;
		struct node *path = get(e, e->path, e->room * sizeof(*path), room * sizeof(*path));

		if (!path)
			return NULL;
		memset(path + e->room, 0, (room - e->room) * sizeof(*path));
		e->path = path;
		e->room = room;
	}
	if (!e->path[e->nr_path].w && !make_node(e, &e->path[e->nr_path]))
		return NULL;
	return &e->path[e->nr_path];
}

static bool copy_node(struct explorer *e, struct node *to, const struct node *from)
{
	if (gmem_world_copy(to->w, from->w) != GMEM_DONE) {
		e->failed = true;
		return false;
	}
	memcpy(to->results, from->results, e->o->nr_calls * sizeof(*to->results));
	memcpy(to->pos, from->pos, e->nr_tasks * sizeof(*to->pos));
	to->last = from->last;
	to->preemptions = from->preemptions;
	to->next = 0;
	to->only = NOBODY;
	to->ran = false;
	return true;
}

/* ---- steps ---- */

static bool is_running(const struct explorer *e, const struct node *n, uint32_t t)
{
	return gmem_task_runs(n->w, e->tasks[t]);
}

static bool has_more(const struct explorer *e, const struct node *n, uint32_t t)
{
	return is_running(e, n, t) || n->pos[t] < e->first[t + 1] - e->first[t];
}

static uint32_t call_of(const struct explorer *e, const struct node *n, uint32_t t)
{
	return e->calls[e->first[t] + n->pos[t] - 1];
}

static bool begin_next(struct explorer *e, struct node *n, uint32_t t)
{
	uint32_t number = e->calls[e->first[t] + n->pos[t]++];
	struct gmem_call c = e->o->call(e->o->arg, number, n->results);

	if (gmem_begin(n->w, &c) == GMEM_DONE)
		return true;
	e->x->finding = GMEM_FOUND_MISUSE;
	e->x->call = number;
	return false;
}

/* Runs the next row of task t in n; false if it waits, or something was found. */
static bool run_row(struct explorer *e, struct node *n, uint32_t t)
{
	enum gmem_progress progress;
	struct gmem_result r;
	enum gmem_status status;

	if (!is_running(e, n, t) && !begin_next(e, n, t))
		return false;
	status = gmem_step(n->w, e->tasks[t], &progress, &r);
	if (status == GMEM_FAILED)
		e->failed = true;
	if (status == GMEM_VIOLATED) {
		e->x->finding = GMEM_FOUND_VIOLATION;
		e->x->violation = *gmem_violation(n->w);
	}
	if (status != GMEM_DONE || progress == GMEM_WAITS)
		return false;
	e->x->steps++;
	if (progress == GMEM_OVER) {
		uint32_t number = call_of(e, n, t);

		n->results[number] = r;
		if (!e->o->accepts(e->o->arg, number, &r)) {
			e->x->finding = GMEM_FOUND_RESULT;
			e->x->call = number;
			e->x->result = r;
			return false;
		}
	}
	return true;
}

/* A task whose next row concerns nobody else, or NOBODY. */
static uint32_t find_local(const struct explorer *e, const struct node *n)
{
	if (!e->bounds->reduce)
		return NOBODY;
	for (uint32_t t = 0; t < e->nr_tasks; t++)
		if (is_running(e, n, t) && gmem_next_row_is_local(n->w, e->tasks[t]))
			return t;
	return NOBODY;
}

static void push(struct explorer *e, struct node *n)
{
	n->only = find_local(e, n);
	e->x->states++;
	e->nr_path++;
	if (e->nr_path > e->x->deepest)
		e->x->deepest = e->nr_path;
}

/* Whether going on with t goes on within the bound on preemptions. */
static bool may_go_on(const struct explorer *e, const struct node *n, uint32_t t)
{
	if (e->bounds->preemptions == GMEM_NO_BOUND || n->last == NOBODY || n->last == t)
		return true;
	return n->preemptions < e->bounds->preemptions ||
	       !gmem_task_can_step(n->w, e->tasks[n->last]);
}

/* Tries task t after the last state of the path. */
static void try_task(struct explorer *e, uint32_t t)
{
	struct node *n = &e->path[e->nr_path - 1], *child;
	bool preempts;

	if (!has_more(e, n, t))
		return;
	if (!may_go_on(e, n, t)) {
		e->x->cut = true;
		n->ran = true;
		return;
	}
	preempts = n->last != NOBODY && n->last != t && gmem_task_can_step(n->w, e->tasks[n->last]);
	child = spare_node(e);
	n = &e->path[e->nr_path - 1];
	if (!child || !copy_node(e, child, n))
		return;
	e->x->schedule[e->nr_path - 1] = e->tasks[t];
	child->last = t;
	child->preemptions += preempts;
	if (!run_row(e, child, t)) {
		if (e->x->finding)
			e->x->nr_schedule = e->nr_path;
		return;
	}
	n->ran = true;
	if (is_new(e, hash_of(e, child)))
		push(e, child);
	else
		e->x->revisits++;
}

static bool is_over(const struct explorer *e, const struct node *n)
{
	for (uint32_t t = 0; t < e->nr_tasks; t++)
		if (has_more(e, n, t))
			return false;
	return true;
}

/* Every task was tried. */
static void leave_state(struct explorer *e)
{
	struct node *n = &e->path[e->nr_path - 1];

	if (is_over(e, n)) {
		e->x->ends++;
		if (!e->o->end(e->o->arg, n->w, n->results)) {
			e->x->finding = GMEM_FOUND_END;
			e->x->nr_schedule = e->nr_path - 1;
		}
	} else if (!n->ran) {
		e->x->finding = GMEM_FOUND_DEADLOCK;
		e->x->nr_schedule = e->nr_path - 1;
	}
	if (e->x->finding && e->o->found)
		e->o->found(e->o->arg, n->w);
	e->nr_path--;
}

static bool is_bounded(struct explorer *e)
{
	const struct gmem_bounds *b = e->bounds;

	if (e->nr_path >= b->depth) {
		e->x->cut = true;
		return true;
	}
	return false;
}

static bool must_stop(struct explorer *e)
{
	const struct gmem_bounds *b = e->bounds;

	if (e->failed || e->x->finding)
		return true;
	if (e->x->states >= b->states ||
	    (b->go_on && (e->x->steps & 0xfff) == 0 && !b->go_on(b->arg, e->x, e->nr_path)))
		e->x->cut = true;
	else
		return false;
	return true;
}

static void go(struct explorer *e)
{
	while (e->nr_path && !must_stop(e)) {
		struct node *n = &e->path[e->nr_path - 1];

		if (n->next == e->nr_tasks || is_bounded(e))
			leave_state(e);
		else if (n->only == NOBODY)
			try_task(e, n->next++);
		else
			n->next = e->nr_tasks, try_task(e, n->only);
	}
}

/* ---- beginning and end ---- */

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
	e->calls = get(e, NULL, 0, e->o->nr_calls * sizeof(*e->calls));
	for (uint32_t t = 0; e->calls && t < e->nr_tasks; t++) {
		e->first[t] = (uint16_t)n;
		for (uint32_t i = 0; i < e->o->nr_calls; i++)
			if (e->o->tasks[i] == e->tasks[t])
				e->calls[n++] = (uint16_t)i;
	}
	e->first[e->nr_tasks] = (uint16_t)n;
	return e->calls;
}

static void begin_path(struct explorer *e)
{
	struct node *root = spare_node(e);

	if (!root || gmem_world_copy(root->w, e->o->world) != GMEM_DONE) {
		e->failed = true;
		return;
	}
	memset(root->results, 0, e->o->nr_calls * sizeof(*root->results));
	memset(root->pos, 0, e->nr_tasks * sizeof(*root->pos));
	root->last = root->only = NOBODY;
	is_new(e, hash_of(e, root));
	push(e, root);
}

enum gmem_status gmem_explore(const struct gmem_overlap *o, const struct gmem_bounds *bounds,
			      struct gmem_explored *x)
{
	struct explorer e = { .o = o,
			      .bounds = bounds,
			      .x = x,
			      .resize = o->world->resize,
			      .resize_arg = o->world->resize_arg };
	uint32_t *schedule = x->schedule;

	memset(x, 0, sizeof(*x));
	x->schedule = schedule;
	if (sort_calls(&e))
		begin_path(&e);
	go(&e);
	for (uint32_t i = 0; i < e.room && e.path[i].w; i++)
		free_node(&e, &e.path[i]);
	e.resize(e.resize_arg, e.path, e.room * sizeof(*e.path), 0);
	e.resize(e.resize_arg, e.seen, e.seen_room * sizeof(*e.seen), 0);
	e.resize(e.resize_arg, e.calls, o->nr_calls * sizeof(*e.calls), 0);
	return e.failed ? GMEM_FAILED : GMEM_DONE;
}
