/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The explorer against something too stupid to be wrong: every order with at most one preemption, one
 * after the other, without remembering a state. What both find at the end, and whether they find
 * something wrong, has to be the same; and it has to be the same with the reduction and without.
 *
 * The scenarios are random: two or three tasks of one process, a call each, on a world that has
 * something of everything. GMEM_TEST_SCALE makes it shorter or longer (percent).
 */
#include <stdio.h>
#include <string.h>

#include "calls.h"
#include "random.h"
#include "ranges.h"
#include "state.h"

#define PAGE GMEM_PAGE_SIZE
#define GPA UINT64_C(0x100000)
#define MOST_ENDS 64
#define PREEMPTIONS 1

struct scenario {
	struct gmem_world *w;
	struct gmem_call calls[3];
	uint32_t tasks[3];
	uint8_t binds[3];
	uint32_t n;
	int64_t vm, file;
	uint64_t shown;
};

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

/* ---- scenarios ---- */

static struct gmem_call random_call(struct random *r, const struct scenario *s, uint32_t task)
{
	uint64_t page = random_below(r, 2);
	struct gmem_call c = { .task = task, .fd = s->file, .size = PAGE, .offset = page * PAGE };

	switch (random_below(r, 8)) {
	case 0:
		c.verb = GMEM_FALLOCATE;
		c.mode = GMEM_FALLOC_KEEP_SIZE | GMEM_FALLOC_PUNCH_HOLE;
		break;
	case 1:
		c.verb = GMEM_FALLOCATE;
		c.mode = GMEM_FALLOC_KEEP_SIZE;
		break;
	case 2:
		c = (struct gmem_call){
			.verb = GMEM_LOAD, .task = task, .size = 1, .addr = s->shown + page * PAGE
		};
		break;
	case 3:
		c = (struct gmem_call){ .verb = GMEM_GUEST_LOAD,
					.task = task,
					.size = 1,
					.fd = s->vm,
					.gpa = GPA + page * PAGE };
		break;
	case 4:
		c = (struct gmem_call){ .verb = GMEM_CLOSE, .task = task, .fd = s->file };
		break;
	case 5:
		c = (struct gmem_call){ .verb = GMEM_SET_USER_MEMORY_REGION,
					.task = task,
					.fd = s->vm };
		break;
	case 6:
		c = (struct gmem_call){
			.verb = GMEM_MUNMAP, .task = task, .addr = s->shown, .length = PAGE
		};
		break;
	default:
		c.verb = GMEM_SET_MEMORY_ATTRIBUTES2;
		c.attributes = random_below(r, 2) ? GMEM_ATTRIBUTE_PRIVATE : 0;
		break;
	}
	return c;
}

static void begin(struct scenario *s, struct random *r, uint32_t n)
{
	memset(s, 0, sizeof(*s));
	s->w = new_world_on("linux-coco-v13", NULL);
	s->n = n;
	s->vm = create_vm(s->w, GMEM_VM_SW_PROTECTED);
	s->file = create_gmem(s->w, s->vm, 2 * PAGE, GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED);
	s->shown = map(s->w, s->file, 0, 2 * PAGE);
	assert_int_equal(bind_slot(s->w, s->vm, 0, GPA, 2 * PAGE, s->file, 0), 0);
	if (random_below(r, 2))
		store(s->w, s->shown, 1);
	if (random_below(r, 2))
		guest_store(s->w, s->vm, GPA + PAGE, 2);
	for (uint32_t i = 0; i < n; i++) {
		s->tasks[i] = i;
		if (i)
			assert_int_equal(call(s->w, .verb = GMEM_THREAD, .value = i), i);
		s->calls[i] = random_call(r, s, i);
	}
}

/* ---- one order after the other ---- */

struct order {
	struct gmem_result results[3];
	unsigned int begun; /* bit n: the call of task n */
	uint32_t last;	    /* who ran; or 3 */
	unsigned int preemptions;
};

/* Runs the next row of task t in w; 0 if it waits, or something is wrong. */
static int run_row(struct scenario *s, struct gmem_world *w, struct order *o, uint32_t t,
		   struct ends *ends)
{
	enum gmem_progress progress;
	enum gmem_status status;

	if (!(o->begun >> t & 1))
		assert_int_equal(gmem_begin(w, &s->calls[t]), GMEM_DONE);
	o->begun |= 1u << t;
	status = gmem_step(w, t, &progress, &o->results[t]);
	ends->wrong |= status == GMEM_VIOLATED;
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

	next->checking = GMEM_CHECK_STEPS;
	for (uint32_t t = 0; t < s->n && !ends->wrong; t++) {
		struct order then = *o;

		if (is_over(s, w, o, t))
			continue;
		all_over = 0;
		then.last = t;
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
	if (all_over)
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

static int accepts(void *arg, uint32_t n, const struct gmem_result *r)
{
	(void)arg;
	(void)n;
	(void)r;
	return 1;
}

static int at_end(void *arg, const struct gmem_world *w, const struct gmem_result *results)
{
	struct asked *a = arg;

	add_end(a->ends, hash_of_end(w, results, a->s->n));
	return 1;
}

static void explore(struct scenario *s, struct ends *ends, uint8_t reduce, uint32_t preemptions,
		    struct gmem_explored *x)
{
	static uint32_t schedule[10000];
	struct asked a = { s, ends };
	const struct gmem_overlap o = { .world = s->w,
					.nr_calls = s->n,
					.tasks = s->tasks,
					.binds = s->binds,
					.call = next_call,
					.accepts = accepts,
					.end = at_end,
					.arg = &a };
	const struct gmem_bounds bounds = {
		.states = 1000000, .depth = 10000, .preemptions = preemptions, .reduce = reduce
	};

	x->schedule = schedule;
	assert_int_equal(gmem_explore(&o, &bounds, x), GMEM_DONE);
	assert_int_equal(x->cut, preemptions != GMEM_NO_BOUND && x->cut);
	ends->wrong |= x->finding != GMEM_FOUND_NOTHING;
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

/* The orders of three calls are too many to go through: the two explorations judge each other. */
static void reduced_as_full(void **state)
{
	uint64_t full_states = 0, reduced_states = 0;
	struct random r;

	(void)state;
	random_seed(&r, 11);
	for (unsigned long i = 0; i < scaled(40); i++) {
		struct ends full = { 0 }, reduced = { 0 };
		struct gmem_explored x;
		struct scenario s;

		begin(&s, &r, 2 + i % 2);
		explore(&s, &full, 0, GMEM_NO_BOUND, &x);
		full_states += x.states;
		explore(&s, &reduced, 1, GMEM_NO_BOUND, &x);
		reduced_states += x.states;
		assert_true(same_ends(&full, &reduced));
		gmem_world_free(s.w);
	}
	printf("# %llu states in full, %llu reduced\n", (unsigned long long)full_states,
	       (unsigned long long)reduced_states);
	assert_true(reduced_states < full_states);
}

static void explored_as_one_by_one(void **state)
{
	struct random r;

	(void)state;
	random_seed(&r, 7);
	for (unsigned long i = 0; i < scaled(20); i++) {
		struct ends plain = { 0 }, explored = { 0 };
		struct order o = { .last = 3 };
		struct gmem_explored x;
		struct scenario s;

		begin(&s, &r, 2);
		every_order(&s, s.w, &o, &plain);
		explore(&s, &explored, 0, PREEMPTIONS, &x);
		assert_true(same_ends(&plain, &explored));
		gmem_world_free(s.w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(explored_as_one_by_one),
		cmocka_unit_test(reduced_as_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
