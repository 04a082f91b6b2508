/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Orders by chance, for what has too many: in some the tasks change often, in others seldom. And
 * one order that is given.
 */
#include "explore.h"

#include "ops.h"

static uint64_t next_random(uint64_t *seed)
{
	uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint32_t gmem_count_bits(uint32_t mask)
{
	uint32_t n = 0;

	for (; mask; mask &= mask - 1)
		n++;
	return n;
}

static uint32_t nth_bit(uint32_t mask, uint32_t n)
{
	while (n--)
		mask &= mask - 1;
	return (uint32_t)__builtin_ctz(mask);
}

/* One more row, of whoever can; false if nobody can. */
static enum ran step_by_chance(struct explorer *e, struct node *n, struct node *spare,
			       uint64_t *seed, unsigned int seldom)
{
	uint32_t left = gmem_node_tasks(e, n);
	struct footprint touched;
	enum ran ran = WAITS;

	while (left && ran == WAITS && !e->failed) {
		uint32_t t = n->last;

		if (t == NOBODY || !(left >> t & 1) || next_random(seed) % seldom == 0)
			t = nth_bit(left, (uint32_t)(next_random(seed) % gmem_count_bits(left)));
		left &= ~(1u << t);
		e->x->schedule[e->x->depth] = e->tasks[t];
		n->last = t;
		if (!e->reduction)
			ran = gmem_node_run(e, n, t, NULL);
		else if (gmem_node_copy(e, spare, n))
			ran = gmem_reduce_run(e, spare, n, t, &touched);
	}
	if (ran == RAN)
		ran = gmem_node_check(e, n);
	return e->failed ? FOUND : ran;
}

static void walk_once(struct explorer *e, struct node *n, struct node *spare, uint64_t *seed)
{
	const unsigned int seldom = 1u << next_random(seed) % 6;
	enum ran ran = RAN;

	for (e->x->depth = 0; ran == RAN && gmem_node_tasks(e, n); e->x->depth++) {
		if (e->x->depth == e->bounds->depth) {
			e->x->cut |= GMEM_CUT_DEPTH;
			return;
		}
		ran = step_by_chance(e, n, spare, seed, seldom);
		e->x->states++;
	}
	if (e->x->depth > e->x->deepest)
		e->x->deepest = e->x->depth;
	if (ran == RAN) {
		gmem_explore_end(e, n, e->x->depth);
		return;
	}
	if (ran == WAITS)
		n->found.finding = GMEM_FOUND_DEADLOCK;
	if (!e->failed)
		gmem_explore_found(e, n, e->x->depth - (ran == WAITS));
}

void gmem_walk(struct explorer *e, const struct node *root, uint64_t walks, uint64_t seed)
{
	const struct gmem_bounds *b = e->bounds;
	struct node n = { 0 }, spare = { 0 };

	e->x->cut |= GMEM_CUT_CHANCE;
	for (uint64_t i = 0; i < walks && !e->failed && !e->x->finding; i++) {
		if (!gmem_node_copy(e, &n, root))
			break;
		n.last = NOBODY;
		walk_once(e, &n, &spare, &seed);
		e->x->queue = walks - i - 1;
		if (b->go_on && (i & 63) == 0 && !b->go_on(b->arg, e->x)) {
			e->x->cut |= GMEM_CUT_TOLD;
			break;
		}
	}
	gmem_node_free(e, &n);
	gmem_node_free(e, &spare);
}

/* The number of the task in e->tasks; nr_tasks if it makes no call. */
static uint32_t find_task(const struct explorer *e, uint32_t task)
{
	uint32_t t = 0;

	while (t < e->nr_tasks && e->tasks[t] != task)
		t++;
	return t;
}

/* Whether nobody can run a row of n, which spare is for. */
static bool all_wait(struct explorer *e, const struct node *n, struct node *spare)
{
	const uint32_t all = gmem_node_tasks(e, n);

	for (uint32_t t = 0; t < e->nr_tasks; t++)
		if ((all >> t & 1) && gmem_node_copy(e, spare, n) &&
		    gmem_node_run(e, spare, t, NULL) != WAITS)
			return false;
	return all && !e->failed;
}

static enum ran follow_row(struct explorer *e, struct node *n, uint32_t task)
{
	uint32_t t = find_task(e, task);
	enum ran ran;

	if (!(gmem_node_tasks(e, n) >> t & 1))
		return WAITS;
	e->x->schedule[e->x->depth] = task;
	ran = gmem_node_run(e, n, t, NULL);
	return ran == RAN ? gmem_node_check(e, n) : ran;
}

void gmem_follow(struct explorer *e, const struct node *root)
{
	const struct gmem_bounds *b = e->bounds;
	struct node n = { 0 }, spare = { 0 };
	enum ran ran = gmem_node_copy(e, &n, root) ? RAN : FOUND;
	uint32_t i;

	e->x->cut |= GMEM_CUT_CHANCE;
	for (i = 0; i < b->nr_follow && i < b->depth && ran == RAN; i++) {
		ran = follow_row(e, &n, b->follow[i]);
		e->x->depth = i + 1;
	}
	if (ran == RAN && !gmem_node_tasks(e, &n)) {
		gmem_explore_end(e, &n, i);
	} else if (ran == FOUND && !e->failed) {
		gmem_explore_found(e, &n, i);
	} else if (ran == RAN && all_wait(e, &n, &spare)) {
		n.found.finding = GMEM_FOUND_DEADLOCK;
		gmem_explore_found(e, &n, i);
	}
	gmem_node_free(e, &n);
	gmem_node_free(e, &spare);
}
