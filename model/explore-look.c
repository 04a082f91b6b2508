/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A look ahead: of all tasks that may go on from a state, what the next row of each leads to.
 *
 * Two of three rows lead to a state that was met before, and to find that out is to wait for
 * memory, as the table of states is larger than any cache. So the rows are run one after the
 * other, each in the world in which the one before was taken back, and what they lead to is
 * fetched meanwhile; and only then it is asked for. A row that leads to something new is run again
 * when its turn comes, but for the one that ran last, which is still there.
 *
 * Most rows do nothing that others' rows depend on: they look at something, or take a lock that
 * others do not want next. Such a row is quiet. After it the others' rows do what they did before,
 * and add the same to the sum that the hash is of; so they need not be run to know where they lead.
 * That holds of a row that changes nothing but its task, which touch.c says and the hashes rely on
 * anyway; and of others' rows that do not ask what a task is at or has. Those are a WAIT, and rows
 * that ask for counts, which touch.c calls writing: they are run every time. With
 * gmem_bounds.verify all are.
 *
 * What was not met when this was asked may be met when the turn comes, but never the other way
 * round.
 */
#include "explore.h"

#include "profile.h"

bool gmem_look_from(struct explorer *e, struct node *child, const struct node *n)
{
	return e->back.on ? gmem_back_copy(e, child, n) : gmem_node_copy_again(e, child, n);
}

/* The lock that the row takes or gives back. */
static uint8_t lock_of(const struct gmem_step *row)
{
	return row->kind == STEP_LOCK || row->kind == STEP_UNLOCK ? row->lock : GMEM_NR_LOCKS;
}

static const struct gmem_step *row_that_ran(const struct explorer *e, const struct node *n)
{
	return &n->w->b->profile->tables[e->ran_table][e->ran_row];
}

static bool is_quiet(const struct explorer *e, const struct node *n, uint32_t pos, uint32_t t)
{
	const struct row_touches *touches = gmem_row_touches(e, e->ran_table, e->ran_row);

	return n->undo.known && e->ran_something && n->pos[t] == pos &&
	       gmem_is_in_call(n->w->b, e->tasks[t]) && row_that_ran(e, n)->kind != STEP_WAIT &&
	       !touches->fgets;
}

enum ran gmem_look_run(struct explorer *e, struct node *child, uint32_t t)
{
	const uint32_t pos = child->pos[t];
	const enum ran ran = gmem_node_run(e, child, t, NULL);

	if (e->back.on)
		gmem_back_note(e, child);
	child->quiet = ran == RAN && is_quiet(e, child, pos, t);
	child->took = lock_of(row_that_ran(e, child));
	return ran;
}

/* ---- what is known already ---- */

/* The row of t, which led from n to child, or waits: it is the same after a quiet row. */
static void keep(struct explorer *e, struct node *n, const struct node *child, uint32_t t)
{
	const struct gmem_step *row = row_that_ran(e, child);

	if (!child->undo.known || row->kind == STEP_WAIT)
		return;
	n->kept |= 1u << t;
	n->wants[t] = row->kind == STEP_LOCK ? row->lock : GMEM_NR_LOCKS;
}

/* What was kept of the state before, from which a quiet row led to n. */
static uint32_t take_over(struct explorer *e, struct node *n, const struct node *before)
{
	uint32_t taken = 0;

	for (uint32_t set = before->kept & n->todo & ~(1u << n->mover); set; set &= set - 1) {
		uint32_t t = (uint32_t)__builtin_ctz(set);

		if (n->took != GMEM_NR_LOCKS && before->wants[t] == n->took)
			continue;
		taken |= 1u << t;
		n->wants[t] = before->wants[t];
		n->ahead[t] = before->ahead[t] + (n->sum - before->sum);
		gmem_seen_fetch(&e->seen, gmem_mixed(n->ahead[t], 1));
	}
	n->waits = before->waits & taken;
	n->kept = taken;
	return taken;
}

/* ---- what is new ---- */

/* Runs the next row of t after n; whether it leads to a state that has to be looked up. */
static bool look(struct explorer *e, struct node *n, struct node *child, uint32_t t)
{
	enum ran ran;

	if (!gmem_look_from(e, child, n))
		return false;
	ran = gmem_look_run(e, child, t);
	/* What is found is found again, and told then. */
	if (ran == FOUND) {
		e->x->steps--;
		return false;
	}
	keep(e, n, child, t);
	if (ran == WAITS) {
		n->waits |= 1u << t;
		return false;
	}
	gmem_note_switch(e, n, child, t);
	n->ahead[t] = child->sum;
	gmem_seen_fetch(&e->seen, gmem_node_hash(e, child));
	return true;
}

static uint64_t hash_ahead(const struct node *n, uint32_t t)
{
	return gmem_mixed(n->ahead[t], 1);
}

bool gmem_looked_in_vain(const struct explorer *e, const struct node *n, uint32_t t)
{
	return n->looked >> t & 1 && gmem_seen_has(&e->seen, hash_ahead(n, t));
}

/* Runs those of which it is known what they do. */
static void verify(struct explorer *e, struct node *n, struct node *child, uint32_t known)
{
	for (; known && !e->failed; known &= known - 1) {
		uint32_t t = (uint32_t)__builtin_ctz(known);
		const bool waits = n->waits >> t & 1;
		enum ran ran;

		if (!gmem_look_from(e, child, n))
			return;
		ran = gmem_look_run(e, child, t);
		e->x->steps -= ran != WAITS;
		if (waits ? ran == WAITS : ran == RAN && child->sum == n->ahead[t])
			continue;
		gmem_node_lost_track(n, "a row that did not do what it did before: table, row",
				     e->ran_table, e->ran_row);
		gmem_explore_found(e, n, e->nr_path - 1);
	}
}

/* Who need not be tried. */
static void leave_out(struct node *n, uint32_t tasks)
{
	n->todo &= ~tasks;
	n->tried |= tasks;
	n->looked &= ~tasks;
}

/* Who is to be tried first comes last. */
void gmem_look_ahead(struct explorer *e, struct node *n, struct node *child)
{
	uint32_t first = gmem_next_task(n, n->todo), t;
	uint32_t known = n->quiet && e->nr_path > 1 ? take_over(e, n, n - 1) : 0;

	if (e->verify)
		verify(e, n, child, known);
	n->looked = known & ~n->waits;
	e->x->steps += gmem_count_bits(n->looked);
	for (uint32_t set = n->todo & ~known & ~(1u << first); set && !e->failed; set &= set - 1) {
		t = (uint32_t)__builtin_ctz(set);
		if (look(e, n, child, t))
			n->looked |= 1u << t;
	}
	if (!(known >> first & 1) && !e->failed && look(e, n, child, first)) {
		n->looked |= 1u << first;
		n->standing = first;
	}
	n->ran |= n->looked != 0;
	leave_out(n, n->waits);
	for (uint32_t set = n->looked; set; set &= set - 1) {
		t = (uint32_t)__builtin_ctz(set);
		if (!gmem_looked_in_vain(e, n, t))
			continue;
		e->x->revisits++;
		leave_out(n, 1u << t);
	}
}
