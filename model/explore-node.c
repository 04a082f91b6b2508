/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * States of the explorer: worlds, how far each task is in them, and one more row.
 */
#include <stddef.h>
#include <string.h>

#include "explore.h"
#include "ops.h"
#include "profile.h"

void gmem_explore_count(struct explorer *e, uint64_t more)
{
	e->memory += more;
	if (e->memory > e->x->memory)
		e->x->memory = e->memory;
}

void *gmem_explore_get(struct explorer *e, void *p, size_t old, size_t new)
{
	if (!p && !new)
		return NULL; /* it was never had */
	p = e->resize(e->resize_arg, p, old, new);
	if (!p && new)
		e->failed = true;
	else
		gmem_explore_count(e, (uint64_t) new - old);
	return p;
}

bool gmem_node_make_rest(struct explorer *e, struct node *n)
{
	if (n->results)
		return true;
	n->results = gmem_explore_get(e, NULL, 0, e->o->nr_calls * sizeof(*n->results));
	n->pos = gmem_explore_get(e, NULL, 0, e->nr_tasks * sizeof(*n->pos));
	n->hashes = gmem_explore_get(e, NULL, 0, e->nr_tasks * sizeof(*n->hashes));
	n->ahead = gmem_explore_get(e, NULL, 0, e->nr_tasks * sizeof(*n->ahead));
	n->wants = gmem_explore_get(e, NULL, 0, e->nr_tasks * sizeof(*n->wants));
	if (n->results && n->pos && n->hashes && n->ahead && n->wants)
		return true;
	gmem_node_free(e, n);
	return false;
}

bool gmem_node_make(struct explorer *e, struct node *n)
{
	struct gmem_config config = { .profile = gmem_world_profile(e->o->world),
				      .resize = e->resize,
				      .resize_arg = e->resize_arg };

	if (n->w)
		return true;
	if (!gmem_node_make_rest(e, n))
		return false;
	if (gmem_world_new(&n->w, &config) != GMEM_DONE) {
		gmem_node_free(e, n);
		e->failed = true;
		return false;
	}
	n->w->lockdep = e->o->world->lockdep;
	n->w->reserved = e->cells != 0;
	return true;
}

void gmem_node_free(struct explorer *e, struct node *n)
{
	gmem_world_free(n->w);
	e->memory -= n->counted;
	gmem_explore_get(e, n->results, e->o->nr_calls * sizeof(*n->results), 0);
	gmem_explore_get(e, n->pos, e->nr_tasks * sizeof(*n->pos), 0);
	gmem_explore_get(e, n->hashes, e->nr_tasks * sizeof(*n->hashes), 0);
	gmem_explore_get(e, n->ahead, e->nr_tasks * sizeof(*n->ahead), 0);
	gmem_explore_get(e, n->wants, e->nr_tasks * sizeof(*n->wants), 0);
	*n = (struct node){ 0 };
}

/* What the world takes: what was never used of it is only promised. */
static void count_world(struct explorer *e, struct node *n)
{
	uint64_t size = sizeof(*n->w->b) + (uint64_t)n->w->b->used * GMEM_CELL_SIZE;

	if (size > n->counted) {
		gmem_explore_count(e, size - n->counted);
		n->counted = size;
	}
}

/* Of a copy of the same state what its row has changed, which is its own. */
static void copy_moved(const struct explorer *e, struct node *to, const struct node *from)
{
	const uint32_t t = to->mover;

	if (to->pos[t]) {
		uint32_t number = e->calls[e->first[t] + to->pos[t] - 1u];

		to->results[number] = from->results[number];
	}
	to->pos[t] = from->pos[t];
	to->hashes[t] = from->hashes[t];
	to->shared.names[e->tasks[t]] = from->shared.names[e->tasks[t]];
}

void gmem_node_copy_rest(const struct explorer *e, struct node *to, const struct node *from)
{
	if (to->undo.known && to->copy_of == from->serial) {
		copy_moved(e, to, from);
	} else {
		memcpy(to->results, from->results, e->o->nr_calls * sizeof(*to->results));
		memcpy(to->pos, from->pos, e->nr_tasks * sizeof(*to->pos));
		memcpy(to->hashes, from->hashes, e->nr_tasks * sizeof(*to->hashes));
		memcpy(&to->shared, &from->shared, e->hash_size);
	}
	to->sum = from->sum;
	to->kept = 0;
	to->quiet = false;
	to->last = from->last;
	to->preemptions = from->preemptions;
	to->ran = false;
	to->found.finding = GMEM_FOUND_NOTHING;
	to->undo.known = false;
	to->copy_of = from->serial;
}

bool gmem_node_copy(struct explorer *e, struct node *to, const struct node *from)
{
	if (!gmem_node_make(e, to) || gmem_world_copy(to->w, from->w) != GMEM_DONE ||
	    !gmem_reserve(to->w, e->cells)) {
		e->failed = true;
		return false;
	}
	count_world(e, to);
	to->undo.known = false;
	gmem_node_copy_rest(e, to, from);
	return true;
}

/* ---- a look at the short cuts: what was copied in part, and hashed in part ---- */

void gmem_node_lost_track(struct node *n, const char *saw, uint64_t a, uint64_t b)
{
	n->found.finding = GMEM_FOUND_VIOLATION;
	n->found.violation = (struct gmem_violation){ "I0",
						      "The explorer knows what a row changed.", saw,
						      a, b };
}

void gmem_node_verify_copy(struct node *to, const struct node *from)
{
	const struct gmem_block *b = to->w->b;

	for (uint32_t i = 0; i < b->used; i++)
		if (memcmp(gmem_ccell(b, i), gmem_ccell(from->w->b, i), GMEM_CELL_SIZE))
			gmem_node_lost_track(to, "a cell that is not as it was: cell", i, 0);
}

bool gmem_node_copy_again(struct explorer *e, struct node *to, const struct node *from)
{
	struct gmem_block *b;
	uint32_t capacity;

	if (!to->w || !to->undo.known || to->copy_of != from->serial)
		return gmem_node_copy(e, to, from);
	b = to->w->b;
	capacity = b->capacity;
	*b = *from->w->b;
	b->capacity = capacity;
	for (unsigned int i = 0; i < sizeof(to->undo.cells) / sizeof(to->undo.cells[0]); i++)
		if (to->undo.cells[i])
			memcpy(gmem_cell(b, to->undo.cells[i]),
			       gmem_ccell(from->w->b, to->undo.cells[i]), GMEM_CELL_SIZE);
	gmem_node_copy_rest(e, to, from);
	if (e->verify)
		gmem_node_verify_copy(to, from);
	return true;
}

uint32_t gmem_node_tasks(const struct explorer *e, const struct node *n)
{
	uint32_t all = 0;

	for (uint32_t t = 0; t < e->nr_tasks; t++)
		if (n->pos[t] < e->first[t + 1] - e->first[t] ||
		    gmem_is_in_call(n->w->b, e->tasks[t]))
			all |= 1u << t;
	return all;
}

static uint64_t mixed_result(uint64_t h, const struct gmem_result *r)
{
	h = gmem_mixed(h, (uint64_t)r->value);
	h = gmem_mixed(h, (uint64_t)r->outcome << 32 ^ r->out);
	return gmem_mixed(gmem_mixed(h, r->gpa), r->exit_size << 32 ^ r->exit_flags);
}

/* How far task t is, what its calls resulted in, and where it is in one. */
static uint64_t hash_of_task(const struct explorer *e, const struct node *n, uint32_t t)
{
	uint64_t h = gmem_mixed(t + 1, n->pos[t]);

	for (uint32_t i = e->first[t]; i < e->first[t] + n->pos[t]; i++)
		h = mixed_result(h, &n->results[e->calls[i]]);
	return gmem_is_in_call(n->w->b, e->tasks[t]) ?
		       gmem_mixed(h, gmem_task_hash(n->w, e->tasks[t])) :
		       h;
}

/* What task t adds to the sum. */
static uint64_t part_of_task(const struct explorer *e, const struct node *n, uint32_t t)
{
	return n->hashes[t] + gmem_mixed(n->shared.names[e->tasks[t]], t + 1);
}

static uint64_t sum_of_all(const struct explorer *e, const struct node *n)
{
	uint64_t sum = n->shared.objects;

	for (uint32_t t = 0; t < e->nr_tasks; t++)
		sum += part_of_task(e, n, t);
	return sum;
}

static void verify_hash(struct explorer *e, struct node *n)
{
	struct gmem_hash whole;

	if (!gmem_node_make(e, &e->scratch) || gmem_world_copy(e->scratch.w, n->w) != GMEM_DONE) {
		e->failed = true;
		return;
	}
	gmem_hash_all(e->scratch.w, &whole);
	if (whole.objects != n->shared.objects)
		gmem_node_lost_track(n, "a change of objects that a row does not say: table, row",
				     e->ran_table, e->ran_row);
	for (uint32_t t = 0; t < e->nr_tasks; t++)
		if (gmem_task_exists(n->w, e->tasks[t]) &&
		    whole.names[e->tasks[t]] != n->shared.names[e->tasks[t]])
			gmem_node_lost_track(n, "a change of what a task names: table, row",
					     e->ran_table, e->ran_row);
	for (uint32_t t = 0; t < e->nr_tasks; t++)
		if (n->hashes[t] && n->hashes[t] != hash_of_task(e, n, t))
			gmem_node_lost_track(n, "a change of another task: its number, row",
					     e->tasks[t], e->ran_row);
	if (n->sum != sum_of_all(e, n))
		gmem_node_lost_track(n, "a sum that is not that of all: table, row", e->ran_table,
				     e->ran_row);
}

uint64_t gmem_node_hash(const struct explorer *e, const struct node *n)
{
	uint64_t h = n->sum;

	if (e->bounds->preemptions != GMEM_NO_BOUND)
		h += gmem_mixed(n->last, n->preemptions);
	return gmem_mixed(h, 1);
}

enum ran gmem_node_check(const struct explorer *e, struct node *n)
{
	const enum gmem_status status = n->changed ? gmem_check_rows(n->w, &n->found.violation) :
						     gmem_check_looks(n->w, e->tasks[n->mover],
								      &n->found.violation);

	if (status == GMEM_DONE)
		return RAN;
	n->found.finding = GMEM_FOUND_VIOLATION;
	return FOUND;
}

/* ---- one more row ---- */

static enum ran found(struct node *n, enum gmem_finding finding, uint32_t call)
{
	n->found.finding = (uint8_t)finding;
	n->found.call = call;
	return FOUND;
}

/* The cell whose lock the row took or gave back; held: what the task held before. */
static uint32_t owner_of_lock(const struct gmem_step *row, const struct gmem_op *op,
			      const struct gmem_task *t, const struct gmem_held *held)
{
	unsigned int i = t->nr_held;

	if (row->kind == STEP_LOCK)
		return op->held[t->nr_held - 1].owner;
	if (row->kind != STEP_UNLOCK)
		return 0;
	while (i > 0 && held[i].class != row->lock)
		i--;
	return held[i].owner;
}

void gmem_node_begin(struct explorer *e, struct node *n)
{
	memset(n->results, 0, e->o->nr_calls * sizeof(*n->results));
	memset(n->pos, 0, e->nr_tasks * sizeof(*n->pos));
	memset(n->hashes, 0, e->nr_tasks * sizeof(*n->hashes));
	n->last = NOBODY;
	gmem_hash_all(n->w, &n->shared);
	n->sum = sum_of_all(e, n);
}

/* The locals that are in what the task names. */
#define NAMES_FROM offsetof(struct gmem_task, file)
#define NAMES_TO offsetof(struct gmem_task, start)

/* The task before its next row. */
struct earlier {
	uint32_t cells; /* in use */
	uint32_t file, fd_file, inject;
	uint8_t depth;
	uint64_t seq, inject_after;
	char names[NAMES_TO - NAMES_FROM];
	struct gmem_held held[GMEM_MAX_HELD];
};

static void look_at_task(const struct gmem_world *w, uint32_t task, struct earlier *before)
{
	const struct gmem_task *t = CTASK(w->b, w->b->tasks[task]);

	before->cells = w->b->used - w->b->nr_free;
	before->file = t->file;
	before->fd_file = t->fd_file;
	before->inject = t->inject;
	before->inject_after = t->inject_after;
	before->depth = t->depth;
	before->seq = t->seq;
	memcpy(before->names, (const char *)t + NAMES_FROM, sizeof(before->names));
	memcpy(before->held, COP(w->b, t->op)->held, sizeof(before->held));
}

/* Whether the row that ran left what the task names as it was: then so is the hash of that. */
static bool names_the_same(const struct explorer *e, const struct gmem_block *b, uint32_t task,
			   const struct earlier *before)
{
	const struct gmem_task *t = CTASK(b, b->tasks[task]);
	const struct gmem_step *row = &b->profile->tables[e->ran_table][e->ran_row];

	return e->ran_something && row->kind != STEP_LOCK && row->kind != STEP_UNLOCK &&
	       t->depth == before->depth && t->depth && t->seq == before->seq &&
	       t->inject == before->inject && t->inject_after == before->inject_after && !t->work &&
	       !t->dying && !t->new_slot &&
	       !memcmp(before->names, (const char *)t + NAMES_FROM, sizeof(before->names));
}

/*
 * What a row of the task changed is its own, but for a lock, and references on files; and it has
 * cells of its own while it has a list of work, or files to release.
 */
static void note_undo(const struct explorer *e, struct node *n, uint32_t task,
		      const struct earlier *before)
{
	const struct gmem_block *b = n->w->b;
	const struct gmem_task *t = CTASK(b, b->tasks[task]);
	const struct gmem_step *table = b->profile->tables[e->ran_table];

	if (t->work || t->dying)
		return;
	/* A memslot that is not there for others yet is its own as well. */
	n->undo = (struct undo){ .known = true, .cells = { b->tasks[task], t->op, t->new_slot } };
	if (e->ran_something) {
		n->undo.cells[7] = owner_of_lock(&table[e->ran_row], COP(b, t->op), t,
						 before->held);
		/* Where a check was left out, the lock of nothing can be taken. */
		n->undo.known = n->undo.cells[7] || table[e->ran_row].kind != STEP_LOCK;
	}
	if (!t->depth ||
	    (e->ran_something && gmem_row_touches(e, e->ran_table, e->ran_row)->fgets)) {
		n->undo.cells[3] = t->file;
		n->undo.cells[4] = t->fd_file;
		n->undo.cells[5] = before->file;
		n->undo.cells[6] = before->fd_file;
	}
}

/* A row of task t has run. */
static void hash_again(struct explorer *e, struct node *n, uint32_t t, const struct earlier *before)
{
	const struct gmem_block *b = n->w->b;
	uint32_t task = e->tasks[t];
	bool took_cells = b->used - b->nr_free != before->cells;

	n->changed = !b->tasks[task] ||
		     (e->ran_something && gmem_row_touches(e, e->ran_table, e->ran_row)->changes);
	n->sum -= part_of_task(e, n, t);
	n->hashes[t] = hash_of_task(e, n, t);
	/* A cell that is taken may be one that another task still names, who has no use for it. */
	if (n->changed || took_cells ||
	    !((n->shared.plain && names_the_same(e, b, task, before)) ||
	      gmem_hash_names(n->w, task, &n->shared))) {
		gmem_hash_all(n->w, &n->shared);
		n->sum = sum_of_all(e, n);
	} else {
		n->sum += part_of_task(e, n, t);
		note_undo(e, n, task, before);
	}
}

static bool begin_next(struct explorer *e, struct node *n, uint32_t t)
{
	uint32_t number = e->calls[e->first[t] + n->pos[t]];
	struct gmem_call c = e->o->call(e->o->arg, number, n->results);
	enum gmem_status status = c.task == e->tasks[t] ? gmem_begin(n->w, &c) : GMEM_MISUSE;

	memset(&n->results[number], 0, sizeof(n->results[number]));
	n->pos[t]++;
	if (status == GMEM_FAILED)
		e->failed = true;
	else if (status != GMEM_DONE)
		found(n, GMEM_FOUND_MISUSE, number);
	return status == GMEM_DONE;
}

/* The task's call is over. */
static enum ran call_is_over(struct explorer *e, struct node *n, uint32_t t,
			     const struct gmem_result *r)
{
	uint32_t number = e->calls[e->first[t] + n->pos[t] - 1];

	n->results[number] = *r;
	if (!e->o->accepts || e->o->accepts(e->o->arg, number, r))
		return RAN;
	n->found.result = *r;
	return found(n, GMEM_FOUND_RESULT, number);
}

enum ran gmem_node_run(struct explorer *e, struct node *n, uint32_t t, struct footprint *touched)
{
	uint32_t task = e->tasks[t];
	enum gmem_progress progress;
	enum gmem_status status;
	struct gmem_result r;
	bool first = !gmem_is_in_call(n->w->b, task);
	struct gmem_run run = { .w = n->w };
	struct earlier before;
	struct step s;

	n->mover = t;
	if (first && !begin_next(e, n, t))
		return FOUND;
	look_at_task(n->w, task, &before);
	if (first)
		before.depth = 0; /* it named nothing */
	if (touched)
		gmem_step_look(n->w, task, first, &s);
	status = gmem_step_run(&run, task, &progress, &r);
	e->ran_something = run.ran;
	e->ran_table = run.table;
	e->ran_row = run.row;
	if (touched)
		gmem_step_touches(e, &s, n->w, task, touched);
	if (status == GMEM_FAILED) {
		e->failed = true;
		return FOUND;
	}
	if (status == GMEM_MISUSE)
		return found(n, GMEM_FOUND_MISUSE, e->calls[e->first[t] + n->pos[t] - 1]);
	if (progress == GMEM_WAITS) {
		hash_again(e, n, t, &before); /* it has begun, and asked conditions */
		return WAITS;
	}
	e->x->steps++;
	if (status == GMEM_VIOLATED) {
		n->found.violation = *gmem_violation(n->w);
		return found(n, GMEM_FOUND_VIOLATION, 0);
	}
	if (progress == GMEM_OVER && call_is_over(e, n, t, &r) == FOUND)
		return FOUND;
	hash_again(e, n, t, &before);
	if (e->verify)
		verify_hash(e, n);
	return n->found.finding == GMEM_FOUND_NOTHING ? RAN : FOUND;
}
