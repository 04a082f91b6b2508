/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The explorer against something too stupid to be wrong: every order with at most one preemption, one
 * after the other, without remembering a state. What both find at the end, and whether they find
 * something wrong, has to be the same; and it has to be the same with the reduction and without,
 * by shards and as a whole.
 *
 * The scenarios are random (explore-scenarios.h): two or three tasks, a call or two each, on a world
 * that has something of everything; and as often as not in tables where a row that the calls come
 * to does nothing, so that there is something to be found. GMEM_TEST_SCALE makes it shorter or longer (percent).
 */
#include <stdio.h>
#include <string.h>

#include "explore-scenarios.h"
#include "ranges.h"
#include "shards.h"
#include "state.h"
#include "step.h"

#define MOST_ENDS 4096
#define MOST_STATES 20000 /* of a scenario in full; what has more is left out */
#define MOST_ROWS 600
#define PREEMPTIONS 1

/* What a scenario can end in: the world's hash and the results. */
struct ends {
	uint64_t hashes[MOST_ENDS];
	unsigned int n;
	int wrong, overflow;
};

static void add_end(struct ends *e, uint64_t hash)
{
	for (unsigned int i = 0; i < e->n; i++)
		if (e->hashes[i] == hash)
			return;
	if (e->n == MOST_ENDS)
		e->overflow = 1;
	else
		e->hashes[e->n++] = hash;
}

static uint64_t hash_of_end(const struct gmem_world *w, const struct gmem_result *r, uint32_t n)
{
	uint64_t h = gmem_world_hash(w);

	for (uint32_t i = 0; i < n; i++)
		h = (h ^ (uint64_t)r[i].value ^ (uint64_t)r[i].outcome << 40) *
		    UINT64_C(0x9e3779b97f4a7c15);
	return h;
}

/* ---- one order after the other ---- */

struct order {
	struct gmem_result results[MOST_CALLS];
	unsigned int begun; /* bit n: the call of task n */
	uint32_t last;	    /* who ran; or 3 */
	unsigned int rows;
	unsigned int preemptions;
};

/* Runs the next row of task t in w; 0 if it waits, or something is wrong. */
static int run_row(struct scenario *s, struct gmem_world *w, struct order *o, uint32_t t,
		   struct ends *ends)
{
	struct gmem_violation violation;
	enum gmem_progress progress;
	enum gmem_status status;

	if (!(o->begun >> t & 1))
		assert_int_equal(gmem_begin(w, &s->calls[t]), GMEM_DONE);
	o->begun |= 1u << t;
	status = gmem_step(w, t, &progress, &o->results[t]);
	if (status == GMEM_DONE && gmem_check_rows(w, &violation) != GMEM_DONE)
		status = GMEM_VIOLATED;
	ends->wrong |= status != GMEM_DONE;
	return status == GMEM_DONE && progress != GMEM_WAITS;
}

static int is_over(const struct scenario *s, const struct gmem_world *w, const struct order *o,
		   uint32_t t)
{
	(void)s;
	return (o->begun >> t & 1) && !gmem_task_runs(w, t);
}

static void every_order(struct scenario *s, const struct gmem_world *w, const struct order *o,
			struct ends *ends)
{
	struct gmem_world *next = new_world_of(&(struct gmem_config){ 0 });
	int all_over = 1, ran = 0;

	next->checking = GMEM_CHECK_NEVER;
	for (uint32_t t = 0; t < s->n && !ends->wrong; t++) {
		struct order then = *o;

		if (is_over(s, w, o, t))
			continue;
		all_over = 0;
		then.last = t;
		/* Round and round a task may go while the one it waits for may not. */
		if (++then.rows > MOST_ROWS) {
			ran = 1;
			continue;
		}
		if (o->last < 3 && o->last != t && gmem_task_can_step(w, o->last) &&
		    ++then.preemptions > PREEMPTIONS) {
			ran = 1;
			continue;
		}
		assert_int_equal(gmem_world_copy(next, w), GMEM_DONE);
		if (!run_row(s, next, &then, t, ends))
			continue;
		ran = 1;
		every_order(s, next, &then, ends);
	}
	if (all_over && gmem_check(w, NULL) != GMEM_DONE)
		ends->wrong = 1;
	else if (all_over)
		add_end(ends, hash_of_end(w, o->results, s->n));
	else if (!ran)
		ends->wrong = 1; /* a deadlock, or a violation */
	gmem_world_free(next);
}

/* ---- the explorer ---- */

struct asked {
	struct scenario *s;
	struct ends *ends;
};

static struct gmem_call next_call(void *arg, uint32_t n, const struct gmem_result *results)
{
	(void)results;
	return ((struct asked *)arg)->s->calls[n];
}

static int at_end(void *arg, const struct gmem_world *w, const struct gmem_result *results)
{
	struct asked *a = arg;

	add_end(a->ends, hash_of_end(w, results, a->s->n));
	return 1;
}

static void show(const struct scenario *s, unsigned long i, const struct gmem_explored *x)
{
	print_error("# scenario %lu on %s, finding %u:\n", i,
		    gmem_profile_name(gmem_world_profile(s->w)), x->finding);
	for (uint32_t k = 0; k < s->n; k++)
		print_error("#  task %u: %s\n", s->tasks[k],
			    gmem_verb_info(s->calls[k].verb)->name);
}

static void explore_walks(struct scenario *s, struct ends *ends, const struct gmem_bounds *bounds,
			  struct gmem_explored *x)
{
	static uint32_t schedule[10000];
	struct asked a = { s, ends };
	const struct gmem_overlap o = { .world = s->w,
					.nr_calls = s->n,
					.tasks = s->tasks,
					.call = next_call,
					.end = at_end,
					.arg = &a };

	x->schedule = schedule;
	if (bounds->shards)
		explore_shards(&o, bounds, x);
	else
		assert_int_equal(gmem_explore(&o, bounds, x), GMEM_DONE);
	ends->wrong |= x->finding != GMEM_FOUND_NOTHING;
	if (x->finding == GMEM_FOUND_VIOLATION && !strcmp(x->violation.invariant, "I0")) {
		show(s, 0, x);
		fail_msg("%s %s %llu", x->violation.saw, gmem_table_name((uint32_t)x->violation.a),
			 (unsigned long long)x->violation.b);
	}
}

static void explore_within(struct scenario *s, struct ends *ends, const struct gmem_bounds *bounds,
			   struct gmem_explored *x)
{
	explore_walks(s, ends, bounds, x);
	assert_int_equal(x->cut & ~(GMEM_CUT_PREEMPTIONS | GMEM_CUT_STATES), 0);
	assert_false(ends->overflow);
}

/* 0 if there were too many states. */
static int explore(struct scenario *s, struct ends *ends, uint8_t reduce, uint32_t preemptions,
		   struct gmem_explored *x)
{
	const struct gmem_bounds bounds = {
		.states = MOST_STATES,
		.depth = 10000,
		.preemptions = preemptions,
		.reduce = reduce,
		.verify = scaled(100) >= 100, /* memcheck sees bytes that nobody uses */
	};

	explore_within(s, ends, &bounds, x);
	return !(x->cut & GMEM_CUT_STATES);
}

static int same_ends(const struct ends *a, const struct ends *b)
{
	if (a->wrong != b->wrong || (!a->wrong && a->n != b->n))
		return 0;
	for (unsigned int i = 0; !a->wrong && i < a->n; i++) {
		unsigned int k = 0;

		while (k < b->n && b->hashes[k] != a->hashes[i])
			k++;
		if (k == b->n)
			return 0;
	}
	return 1;
}

/* What was found is found again in the one order that led there. */
static void assert_repeats(struct scenario *s, const struct gmem_explored *x)
{
	static uint32_t order[10000];
	struct gmem_bounds bounds = { .states = 1, .depth = 10000, .follow = order };
	struct gmem_explored again;
	struct ends ends = { 0 };

	if (x->finding == GMEM_FOUND_NOTHING)
		return;
	memcpy(order, x->schedule, x->nr_schedule * sizeof(*order));
	bounds.nr_follow = x->nr_schedule;
	bounds.preemptions = GMEM_NO_BOUND;
	explore_walks(s, &ends, &bounds, &again);
	if (again.finding != x->finding)
		show(s, bounds.nr_follow, x);
	assert_int_equal(again.finding, x->finding);
	if (x->finding == GMEM_FOUND_VIOLATION)
		assert_string_equal(again.violation.invariant, x->violation.invariant);
}

struct sums {
	uint64_t full, reduced; /* states */
	unsigned long found, left_out;
};

static void reduce_one(struct scenario *s, unsigned long i, struct sums *sums)
{
	struct ends full = { 0 }, reduced = { 0 };
	struct gmem_explored x;
	int all = explore(s, &full, 0, GMEM_NO_BOUND, &x);

	if (!all && !full.wrong) {
		sums->left_out++;
		return;
	}
	assert_repeats(s, &x);
	sums->full += x.states;
	sums->found += full.wrong && x.finding != GMEM_FOUND_MISUSE;
	explore(s, &reduced, 1, GMEM_NO_BOUND, &x);
	assert_repeats(s, &x);
	sums->reduced += x.states;
	if (!same_ends(&full, &reduced))
		show(s, i, &x);
	assert_true(same_ends(&full, &reduced));
}

/* The orders of three calls are too many to go through: the two explorations judge each other. */
static void reduced_as_full(void **state)
{
	const unsigned long n = scaled(2600);
	struct sums sums = { 0 };
	struct random r;

	(void)state;
	random_seed(&r, 11);
	for (unsigned long i = 0; i < n; i++) {
		struct scenario s;

		begin(&s, &r, 2 + (i % 8 == 0), 2 + i % 3);
		reduce_one(&s, i, &sums);
		end(&s);
	}
	printf("# %llu states in full, %llu reduced; something found %lu times, %lu left out\n",
	       (unsigned long long)sums.full, (unsigned long long)sums.reduced, sums.found,
	       sums.left_out);
	assert_true(10 * sums.reduced < sums.full || n < 100);
	assert_true(sums.found >= (n < 2600 ? 1 : 50));
	assert_true(sums.left_out < n / 4 + 1);
}

/* What the shards meet, and what they end in, is together what the whole does. */
static void shards_as_whole(void **state)
{
	struct random r;

	(void)state;
	random_seed(&r, 5);
	for (unsigned long i = 0; i < scaled(400); i++) {
		struct ends whole = { 0 }, parts = { 0 };
		const struct gmem_bounds bounds = {
			.states = 10000000,
			.depth = 10000,
			.preemptions = GMEM_NO_BOUND,
			.reduce = i & 1,
			.shards = 1 + (uint32_t)random_below(&r, MOST_SHARDS),
		};
		struct gmem_explored x, together;
		struct scenario s;

		begin(&s, &r, 2 + i % 2, 2 + i % 3);
		if (!explore(&s, &whole, bounds.reduce, GMEM_NO_BOUND, &x) && !whole.wrong) {
			end(&s);
			continue;
		}
		explore_within(&s, &parts, &bounds, &together);
		if (!same_ends(&whole, &parts))
			show(&s, i, &x);
		assert_true(same_ends(&whole, &parts));
		if (!whole.wrong) {
			assert_int_equal(together.ends, x.ends);
			assert_true(bounds.reduce || together.states == x.states);
		}
		end(&s);
	}
}

/* Orders by chance end in nothing that is not among the ends; the same seed, the same orders. */
static void walks_as_whole(void **state)
{
	struct random r;

	(void)state;
	random_seed(&r, 3);
	for (unsigned long i = 0; i < scaled(200); i++) {
		struct ends whole = { 0 }, walks = { 0 };
		const struct gmem_bounds bounds = { .states = 1,
						    .depth = 10000,
						    .preemptions = GMEM_NO_BOUND,
						    .walks = 50,
						    .seed = i };
		struct gmem_explored x, again;
		struct scenario s;

		begin(&s, &r, 2, 2);
		if (!explore(&s, &whole, 0, GMEM_NO_BOUND, &x) && !whole.wrong) {
			end(&s);
			continue;
		}
		explore_walks(&s, &walks, &bounds, &x);
		explore_walks(&s, &walks, &bounds, &again);
		assert_int_equal(x.steps, again.steps);
		assert_true(whole.wrong || !walks.wrong);
		for (unsigned int k = 0; k < walks.n && !whole.wrong; k++) {
			unsigned int n = whole.n;

			add_end(&whole, walks.hashes[k]);
			assert_int_equal(whole.n, n);
		}
		end(&s);
	}
}

static void explored_as_one_by_one(void **state)
{
	struct random r;

	(void)state;
	random_seed(&r, 7);
	for (unsigned long i = 0; i < scaled(60); i++) {
		struct ends plain = { 0 }, explored = { 0 };
		struct order o = { .last = 3 };
		struct gmem_explored x;
		struct scenario s;

		begin(&s, &r, 2, 2);
		every_order(&s, s.w, &o, &plain);
		explore(&s, &explored, 0, PREEMPTIONS, &x);
		assert_true(same_ends(&plain, &explored));
		end(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(explored_as_one_by_one),
		cmocka_unit_test(reduced_as_full),
		cmocka_unit_test(shards_as_whole),
		cmocka_unit_test(walks_as_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
