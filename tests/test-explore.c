/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The explorer against something too stupid to be wrong: every order with at most one preemption, one
 * after the other, without remembering a state. What both find at the end, and whether they find
 * something wrong, has to be the same; and it has to be the same with the reduction and without,
 * by shards and as a whole.
 *
 * The scenarios are random: two or three tasks of one process, a call or two each, on a world that
 * has something of everything; and as often as not in tables where a row does nothing, so that
 * there is something to be found. GMEM_TEST_SCALE makes it shorter or longer (percent).
 */
#include <stdio.h>
#include <string.h>

#include "calls.h"
#include "random.h"
#include "ranges.h"
#include "shards.h"
#include "state.h"
#include "step.h"

#define PAGE GMEM_PAGE_SIZE
#define GPA UINT64_C(0x100000)
#define MOST_ENDS 1024
#define MOST_CALLS 4
#define MOST_ROWS 600
#define PREEMPTIONS 1

struct scenario {
	struct gmem_world *w;
	struct gmem_profile *without; /* a row; or null */
	struct gmem_call calls[MOST_CALLS];
	uint32_t tasks[MOST_CALLS];
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

/* What is left out is 0 or the same for all: the page is chosen by its caller. */
static struct gmem_call random_call(struct random *r, const struct scenario *s, uint32_t task)
{
	const uint64_t page = random_below(r, 2) * PAGE, addr = s->shown + page, gpa = GPA + page;
	const struct gmem_call calls[] = {
		{ .verb = GMEM_FALLOCATE,
		  .fd = s->file,
		  .mode = GMEM_FALLOC_KEEP_SIZE | GMEM_FALLOC_PUNCH_HOLE,
		  .offset = page,
		  .length = PAGE },
		{ .verb = GMEM_FALLOCATE,
		  .fd = s->file,
		  .mode = GMEM_FALLOC_KEEP_SIZE,
		  .offset = page,
		  .length = PAGE },
		{ .verb = GMEM_LOAD, .size = 1, .addr = addr },
		{ .verb = GMEM_STORE, .size = 1, .addr = addr, .value = 7 },
		{ .verb = GMEM_GUEST_LOAD, .size = 1, .fd = s->vm, .gpa = gpa },
		{ .verb = GMEM_GUEST_STORE, .size = 1, .fd = s->vm, .gpa = gpa, .value = 8 },
		{ .verb = GMEM_CLOSE, .fd = s->file },
		{ .verb = GMEM_DUP, .fd = s->file },
		{ .verb = GMEM_SET_USER_MEMORY_REGION, .fd = s->vm },
		{ .verb = GMEM_SET_USER_MEMORY_REGION2,
		  .fd = s->vm,
		  .slot = 1,
		  .flags = GMEM_MEM_GUEST_MEMFD,
		  .gpa = GPA + 16 * PAGE,
		  .size = PAGE,
		  .memfd = s->file,
		  .offset = page },
		{ .verb = GMEM_MUNMAP, .addr = addr, .length = PAGE },
		{ .verb = GMEM_MPROTECT, .addr = addr, .length = PAGE, .prot = GMEM_PROT_READ },
		{ .verb = GMEM_MADVISE,
		  .addr = addr,
		  .length = PAGE,
		  .advice = GMEM_MADV_DONTNEED },
		{ .verb = GMEM_PIN, .addr = addr, .length = PAGE },
		{ .verb = GMEM_PRE_FAULT_MEMORY, .fd = s->vm, .gpa = gpa, .size = PAGE },
		{ .verb = GMEM_MEMORY_FAILURE, .fd = s->file, .offset = page },
		{ .verb = GMEM_CREATE_GUEST_MEMFD, .fd = s->vm, .size = PAGE },
		{ .verb = GMEM_SET_MEMORY_ATTRIBUTES,
		  .fd = s->vm,
		  .gpa = gpa,
		  .size = PAGE,
		  .attributes = random_below(r, 2) ? GMEM_ATTRIBUTE_PRIVATE : 0 },
		{ .verb = GMEM_SET_MEMORY_ATTRIBUTES2,
		  .fd = s->file,
		  .offset = page,
		  .size = PAGE,
		  .attributes = random_below(r, 2) ? GMEM_ATTRIBUTE_PRIVATE : 0 },
		{ .verb = random_below(r, 2) ? GMEM_CONVERT_PRIVATE : GMEM_CONVERT_SHARED,
		  .fd = s->file,
		  .offset = page,
		  .size = PAGE },
	};
	struct gmem_call c = calls[random_below(r, sizeof(calls) / sizeof(calls[0]))];

	c.task = task;
	return c;
}

/* As often as not, tables in which some lock is not taken. */
static void forget_a_lock(struct random *r, struct scenario *s)
{
	const struct gmem_profile *p = gmem_world_profile(s->w);
	struct gmem_row row = { .kind = "" };
	unsigned int table = 0, n = 0;

	if (random_below(r, 2))
		return;
	while (strcmp(row.kind, "lock")) {
		table = (unsigned int)random_below(r, gmem_nr_tables());
		n = (unsigned int)random_below(r, 24);
		if (!gmem_profile_row(p, table, n, &row))
			row.kind = "";
	}
	assert_int_equal(gmem_profile_without(&s->without, p, table, n, NULL, NULL), GMEM_DONE);
	gmem_world_set_profile(s->w, s->without);
}

static void begin(struct scenario *s, struct random *r, uint32_t tasks, uint32_t calls)
{
	static const struct {
		const char *name;
		uint64_t type, flags;
	} profiles[] = {
		{ "linux-coco-v13", GMEM_VM_SW_PROTECTED, GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED },
		{ "linux-6.18", GMEM_VM_DEFAULT, GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED },
		{ "linux-6.18", GMEM_VM_SW_PROTECTED, 0 },
		{ "linux-6.8", GMEM_VM_SW_PROTECTED, 0 },
		{ "rfc-shareability-v2", GMEM_VM_SW_PROTECTED, GMEM_FLAG_SUPPORT_SHARED },
	};
	const uint64_t profile = random_below(r, 5);
	const struct gmem_call slot = { .verb = GMEM_SET_USER_MEMORY_REGION2,
					.fd = 4,
					.flags = GMEM_MEM_GUEST_MEMFD,
					.gpa = GPA,
					.size = 2 * PAGE,
					.memfd = 5 };

	memset(s, 0, sizeof(*s));
	s->w = new_world_on(profiles[profile].name, NULL);
	s->n = calls;
	s->vm = create_vm(s->w, profiles[profile].type);
	s->file = create_gmem(s->w, s->vm, 2 * PAGE, profiles[profile].flags);
	s->shown = map(s->w, s->file, 0, 2 * PAGE);
	assert_int_equal(s->vm, slot.fd);
	assert_int_equal(s->file, slot.memfd);
	result_of(s->w, &slot, __FILE__, __LINE__);
	if (random_below(r, 2))
		result(s->w, .verb = GMEM_STORE, .addr = s->shown, .size = 1, .value = 1);
	if (random_below(r, 2))
		result(s->w, .verb = GMEM_GUEST_STORE, .fd = s->vm, .gpa = GPA, .size = 1);
	for (uint32_t i = 1; i < tasks; i++)
		assert_int_equal(call(s->w, .verb = GMEM_THREAD, .value = i), i);
	forget_a_lock(r, s);
	for (uint32_t i = 0; i < calls; i++) {
		s->tasks[i] = i % tasks;
		s->calls[i] = random_call(r, s, i % tasks);
	}
}

static void end(struct scenario *s)
{
	gmem_world_free(s->w);
	gmem_profile_free(s->without);
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

static void explore_walks(struct scenario *s, struct ends *ends, const struct gmem_bounds *bounds,
			  struct gmem_explored *x)
{
	static uint32_t schedule[10000];
	struct asked a = { s, ends };
	const struct gmem_overlap o = { .world = s->w,
					.nr_calls = s->n,
					.tasks = s->tasks,
					.call = next_call,
					.accepts = accepts,
					.end = at_end,
					.arg = &a };

	x->schedule = schedule;
	if (bounds->shards)
		explore_shards(&o, bounds, x);
	else
		assert_int_equal(gmem_explore(&o, bounds, x), GMEM_DONE);
	ends->wrong |= x->finding != GMEM_FOUND_NOTHING;
	if (x->finding == GMEM_FOUND_VIOLATION)
		assert_string_not_equal(x->violation.invariant, "I0");
}

static void explore_within(struct scenario *s, struct ends *ends, const struct gmem_bounds *bounds,
			   struct gmem_explored *x)
{
	explore_walks(s, ends, bounds, x);
	assert_int_equal(x->cut & ~GMEM_CUT_PREEMPTIONS, 0);
}

static void explore(struct scenario *s, struct ends *ends, uint8_t reduce, uint32_t preemptions,
		    struct gmem_explored *x)
{
	const struct gmem_bounds bounds = {
		.states = 10000000,
		.depth = 10000,
		.preemptions = preemptions,
		.reduce = reduce,
		.verify = scaled(100) >= 100, /* memcheck sees bytes that nobody uses */
	};

	explore_within(s, ends, &bounds, x);
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

static void show(const struct scenario *s, unsigned long i, const struct gmem_explored *x)
{
	print_error("# scenario %lu on %s, finding %u:\n", i,
		    gmem_profile_name(gmem_world_profile(s->w)), x->finding);
	for (uint32_t k = 0; k < s->n; k++)
		print_error("#  task %u: %s\n", s->tasks[k],
			    gmem_verb_info(s->calls[k].verb)->name);
}

/* The orders of three calls are too many to go through: the two explorations judge each other. */
static void reduced_as_full(void **state)
{
	uint64_t full_states = 0, reduced_states = 0, found = 0;
	struct random r;

	(void)state;
	random_seed(&r, 11);
	for (unsigned long i = 0; i < scaled(1500); i++) {
		struct ends full = { 0 }, reduced = { 0 };
		struct gmem_explored x;
		struct scenario s;

		begin(&s, &r, 2 + (i % 8 == 0), 2 + i % 2);
		explore(&s, &full, 0, GMEM_NO_BOUND, &x);
		full_states += x.states;
		explore(&s, &reduced, 1, GMEM_NO_BOUND, &x);
		reduced_states += x.states;
		found += full.wrong != 0;
		if (!same_ends(&full, &reduced))
			show(&s, i, &x);
		assert_true(same_ends(&full, &reduced));
		end(&s);
	}
	printf("# %llu states in full, %llu reduced; something found %llu times\n",
	       (unsigned long long)full_states, (unsigned long long)reduced_states,
	       (unsigned long long)found);
	assert_true(10 * reduced_states < full_states);
	assert_true(found > 0 || scaled(100) < 100);
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
		explore(&s, &whole, bounds.reduce, GMEM_NO_BOUND, &x);
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
		explore(&s, &whole, 0, GMEM_NO_BOUND, &x);
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
