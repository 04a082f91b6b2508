/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an exploration must tell apart, or not forget, and random scenarios hardly come to: ends that
 * differ in one member of a result only, and what other tasks do while one goes round and round.
 */
#include <string.h>

#include "calls.h"
#include "ops.h"
#include "profile.h"

#define PAGE GMEM_PAGE_SIZE
#define GPA UINT64_C(0x100000)
#define VM_FD 4
#define FILE_FD 5
#define MOST_CALLS 48
#define MOST_ROWS 10000
#define MOST_RESULTS 8

struct scene {
	struct gmem_world *w;
	struct gmem_call calls[MOST_CALLS];
	uint32_t tasks[MOST_CALLS], n;
	uint64_t refused;			  /* bytes left; or 0 */
	struct gmem_result results[MOST_RESULTS]; /* of the first call, that differ */
	unsigned int nr_results;
	struct gmem_explored x;
};

static struct gmem_call call_of(void *arg, uint32_t n, const struct gmem_result *results)
{
	(void)results;
	return ((struct scene *)arg)->calls[n];
}

static int accepts(void *arg, uint32_t n, const struct gmem_result *r)
{
	(void)n;
	return !((struct scene *)arg)->refused || r->out != ((struct scene *)arg)->refused;
}

static int at_end(void *arg, const struct gmem_world *w, const struct gmem_result *results)
{
	struct scene *s = arg;
	unsigned int i = 0;

	(void)w;
	while (i < s->nr_results &&
	       (s->results[i].outcome != results->outcome || s->results[i].out != results->out ||
		s->results[i].exit_flags != results->exit_flags))
		i++;
	if (i == s->nr_results && i < MOST_RESULTS)
		s->results[s->nr_results++] = *results;
	return 1;
}

static void add_call(struct scene *s, const struct gmem_call *c)
{
	assert_in_range(s->n, 0, MOST_CALLS - 1);
	s->tasks[s->n] = c->task;
	s->calls[s->n++] = *c;
}
#define add(s, ...) add_call((s), &(struct gmem_call){ __VA_ARGS__ })

static void explore(struct scene *s, uint8_t reduce)
{
	static uint32_t schedule[MOST_ROWS];
	const struct gmem_overlap o = { .world = s->w,
					.nr_calls = s->n,
					.tasks = s->tasks,
					.call = call_of,
					.accepts = accepts,
					.end = at_end,
					.arg = s };
	const struct gmem_bounds bounds = { .states = 1000000,
					    .depth = MOST_ROWS,
					    .preemptions = GMEM_NO_BOUND,
					    .reduce = reduce,
					    .verify = scaled(100) >= 100 };

	s->nr_results = 0;
	s->x.schedule = schedule;
	assert_int_equal(gmem_explore(&o, &bounds, &s->x), GMEM_DONE);
}

/* A VM with a file that holds its two pages, and three tasks. */
static void open_scene(struct scene *s, const struct gmem_profile *p)
{
	memset(s, 0, sizeof(*s));
	s->w = new_world_of(&(struct gmem_config){ .profile = p });
	assert_int_equal(create_vm(s->w, GMEM_VM_SW_PROTECTED), VM_FD);
	assert_int_equal(create_gmem(s->w, VM_FD, 2 * PAGE, 0), FILE_FD);
	assert_int_equal(bind_slot(s->w, VM_FD, 0, GPA, 2 * PAGE, FILE_FD, 0), 0);
	assert_int_equal(allocate(s->w, FILE_FD, 0, 2 * PAGE), 0);
	for (uint64_t task = 1; task < 3; task++)
		assert_int_equal(call(s->w, .verb = GMEM_THREAD, .value = task), task);
}

/* Task 1 takes that page away and gives it back: in the end all is as it was. */
static void add_there_and_back(struct scene *s, uint64_t gpa, uint64_t first, uint64_t second)
{
	add(s, .verb = GMEM_SET_MEMORY_ATTRIBUTES, .task = 1, .fd = VM_FD, .gpa = gpa, .size = PAGE,
	    .attributes = first);
	add(s, .verb = GMEM_SET_MEMORY_ATTRIBUTES, .task = 1, .fd = VM_FD, .gpa = gpa, .size = PAGE,
	    .attributes = second);
}

/* ---- results ---- */

/* Both pages were mapped, and one of them taken away; or only one could be mapped. */
static void bytes_left_tell_ends_apart(void **state)
{
	struct scene s;

	(void)state;
	open_scene(&s, gmem_profile_default());
	assert_int_equal(set_private(s.w, VM_FD, GPA, 2 * PAGE, 1), 0);
	add(&s, .verb = GMEM_PRE_FAULT_MEMORY, .fd = VM_FD, .gpa = GPA, .size = 2 * PAGE);
	add_there_and_back(&s, GPA + PAGE, 0, GMEM_ATTRIBUTE_PRIVATE);
	for (uint8_t reduce = 0; reduce < 2; reduce++) {
		explore(&s, reduce);
		assert_int_equal(s.x.finding, GMEM_FOUND_NOTHING);
		assert_int_equal(s.nr_results, 2);
		assert_int_equal(s.x.ends, 4);
	}
	gmem_world_free(s.w);
}

/* The guest's access ends in an exit, for a shared page or for a private one. */
static void flags_of_an_exit_tell_ends_apart(void **state)
{
	struct scene s;

	(void)state;
	open_scene(&s, gmem_profile_default());
	close_fd(s.w, FILE_FD);
	add(&s, .verb = GMEM_GUEST_LOAD, .fd = VM_FD, .gpa = GPA, .size = 1);
	add_there_and_back(&s, GPA, GMEM_ATTRIBUTE_PRIVATE, 0);
	for (uint8_t reduce = 0; reduce < 2; reduce++) {
		explore(&s, reduce);
		assert_int_equal(s.x.finding, GMEM_FOUND_NOTHING);
		assert_int_equal(s.nr_results, 3);
		assert_int_equal(s.x.ends, 3);
	}
	gmem_world_free(s.w);
}

/* ---- round and round ---- */

/* By its name it touches nothing; see touch.c. */
static bool advice_is_known(struct gmem_run *run)
{
	(void)run;
	return true;
}

static const struct gmem_step goes_round[] = {
	CHECK(advice_is_known, FD_1, EBADF, .at = L_AGAIN),
	RETRY_IF(advice_is_known, FD_1, .to = L_AGAIN),
	END,
};

/*
 * Who goes round has nothing to do with the others, and would be enough for ever. The second page is
 * refused only if a task that has much to do before is in between two calls that are made at once:
 * the few orders that an exploration learns from do not show it.
 */
static void others_are_not_forgotten(void **state)
{
	struct gmem_profile p = gmem_linux_6_18;
	struct scene s;

	(void)state;
	p.tables[GMEM_FSYNC] = goes_round;
	for (uint8_t reduce = 0; reduce < 2; reduce++) {
		open_scene(&s, &p);
		assert_int_equal(set_private(s.w, VM_FD, GPA, 2 * PAGE, 1), 0);
		add(&s, .verb = GMEM_FSYNC, .fd = FILE_FD);
		add_there_and_back(&s, GPA + PAGE, 0, GMEM_ATTRIBUTE_PRIVATE);
		for (int i = 0; i < 24; i++)
			add(&s, .verb = GMEM_FSTAT, .task = 2, .fd = FILE_FD);
		add(&s, .verb = GMEM_PRE_FAULT_MEMORY, .task = 2, .fd = VM_FD, .gpa = GPA,
		    .size = 2 * PAGE);
		s.refused = PAGE;
		explore(&s, reduce);
		assert_int_equal(s.x.finding, GMEM_FOUND_RESULT);
		assert_true(s.x.rounds > 0);
		gmem_world_free(s.w);
	}
}

/* ---- large worlds ---- */

/* A large world has more cells than the explorer has bits for. It has the states of a small one. */
static void large_worlds_as_small(void **state)
{
	const uint32_t loads = scaled(100) < 100 ? 2 : 3;
	struct gmem_explored x[2];
	struct scene s;

	(void)state;
	for (unsigned int large = 0; large < 2; large++) {
		open_scene(&s, gmem_profile_default());
		for (uint64_t i = 1; large && i < 300; i++)
			assert_int_equal(call(s.w, .verb = GMEM_SET_USER_MEMORY_REGION, .fd = VM_FD,
					      .slot = i, .gpa = GPA + 2 * i * PAGE, .size = PAGE,
					      .addr = i * PAGE),
					 0);
		for (uint32_t task = 3; task < 3 + loads; task++) {
			assert_int_equal(call(s.w, .verb = GMEM_THREAD, .value = task), task);
			add(&s, .verb = GMEM_GUEST_LOAD, .task = task, .fd = VM_FD,
			    .gpa = GPA + task % 2 * PAGE, .size = 1);
		}
		explore(&s, 0);
		assert_int_equal(s.x.finding, GMEM_FOUND_NOTHING);
		x[large] = s.x;
		gmem_world_free(s.w);
	}
	assert_true(x[0].states > (loads < 3 ? 100 : 1000));
	assert_int_equal(x[0].states, x[1].states);
	assert_int_equal(x[0].steps, x[1].steps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_left_tell_ends_apart),
		cmocka_unit_test(flags_of_an_exit_tell_ends_apart),
		cmocka_unit_test(others_are_not_forgotten),
		cmocka_unit_test(large_worlds_as_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
