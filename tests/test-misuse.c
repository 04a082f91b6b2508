/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a caller can get wrong: numbers that name nothing, calls that no program could make, and
 * what overlaps without sense. Each is said to be wrong, and nothing is changed or touched for it;
 * under memcheck or the address sanitizer also nothing outside.
 */
#include <string.h>

#include "calls.h"
#include "door.h"

#define MOST_CALLS 40
#define MOST_ROWS 1000

static const uint64_t odd[] = {
	0,	    1,	       3,	   GMEM_MAX_TASKS - 1, GMEM_MAX_TASKS,
	1000,	    INT32_MAX, UINT32_MAX, UINT64_C(1) << 32,  INT64_MAX,
	UINT64_MAX, -4096ull
};
#define NR_ODD (sizeof(odd) / sizeof(odd[0]))

/* ---- what is asked by number ---- */

static void numbers_that_name_nothing(void **state)
{
	struct gmem_number number;
	struct gmem_row row;

	(void)state;
	for (unsigned int i = 0; i < NR_ODD; i++) {
		const unsigned int n = (unsigned int)odd[i];
		const struct gmem_profile *p = gmem_profile(n);

		assert_true(n <= 3 ? p != NULL : n < 100 || !p);
		assert_int_equal(gmem_verb_info(n) != NULL, n < GMEM_NR_VERBS);
		assert_int_equal(gmem_table_name(n) != NULL, n < gmem_nr_tables());
		p = gmem_profile_default();
		if (n >= gmem_nr_tables())
			assert_int_equal(gmem_profile_row(p, n, 0, &row), 0);
		if (n < 100)
			continue;
		assert_null(gmem_profile_bug(p, n));
		assert_null(gmem_bug(n));
		assert_null(gmem_invariant(n, NULL));
		assert_null(gmem_lock_name(n));
		assert_null(gmem_lock_mode(n, 0));
		assert_null(gmem_lock_call(n, n));
		assert_int_equal(gmem_profile_number(p, n, &number), 0);
		assert_int_equal(gmem_profile_row(p, 0, n, &row), 0);
		if (n > 1000)
			assert_null(gmem_clause(n));
		gmem_errno_name((int)n);
	}
	assert_null(gmem_clause(0));
	assert_null(gmem_profile_find(""));
	assert_null(gmem_bug_title("B"));
	assert_int_equal(gmem_clause_find(""), 0);
	assert_int_equal(gmem_errno_number(""), 0);
}

static void copies_of_profiles(void **state)
{
	static const char *const unknown[] = { "B39", "B4711", NULL };
	const struct gmem_profile *p = gmem_profile_default();
	struct gmem_profile *copy;

	(void)state;
	assert_int_equal(gmem_profile_with_bugs(&copy, p, unknown, NULL, NULL), GMEM_MISUSE);
	assert_null(copy);
	for (unsigned int i = 4; i < NR_ODD; i++) {
		const unsigned int n = (unsigned int)odd[i];

		if (n < 100)
			continue;
		assert_int_equal(gmem_profile_without(&copy, p, n, 0, NULL, NULL), GMEM_MISUSE);
		assert_null(copy);
		assert_int_equal(gmem_profile_without(&copy, p, 0, n, NULL, NULL), GMEM_MISUSE);
		assert_null(copy);
	}
}

static void machines_that_cannot_be(void **state)
{
	(void)state;
	for (unsigned int bits = 0; bits < 256; bits++)
		for (uint8_t arch = 0; arch < 4; arch++) {
			const struct gmem_machine m = { .arch = arch,
							.tdp = 1,
							.phys_bits = (uint8_t)bits };
			const struct gmem_config config = { .machine = &m };
			const int can_be = arch <= GMEM_ARM64 &&
					   (!bits || (bits >= 32 && bits <= 52));
			struct gmem_world *w = NULL;

			assert_int_equal(gmem_world_new(&w, &config),
					 can_be ? GMEM_DONE : GMEM_MISUSE);
			assert_int_equal(w != NULL, can_be);
			if (w && arch == GMEM_X86_64) /* the last page that there could be */
				assert_int_equal(call(w, .verb = GMEM_SET_USER_MEMORY_REGION,
						      .fd = create_vm(w, 0), .size = 4 * KiB,
						      .gpa = (UINT64_C(1) << 52) - 4 * KiB),
						 bits == 52 || !bits ? 0 : -22);
			gmem_world_free(w);
		}
}

/* ---- calls ---- */

/* Nothing is there to be told of a task that is not there, or is in no call. */
static void ask_of_task(struct gmem_world *w, uint32_t task)
{
	struct gmem_invalidation told;
	struct gmem_task_lock lock;

	assert_int_equal(gmem_task_exists(w, task), task < 2);
	assert_false(gmem_task_runs(w, task));
	assert_false(gmem_task_can_step(w, task));
	for (unsigned int i = 0; i < NR_ODD; i++) {
		const uint32_t n = (uint32_t)odd[i];

		assert_false(gmem_task_lock(w, task, n, &lock));
		assert_false(gmem_task_waits_for(w, task, n, &lock));
		assert_false(gmem_task_waits_for(w, n, task, &lock));
		if (n)
			assert_false(gmem_invalidation(w, task, n, &told));
		if (task >= 2 || odd[i] > 4)
			assert_int_equal(gmem_fd_kind(w, task, (int64_t)odd[i]), 0);
		if (task >= 2 || odd[i] != 4)
			assert_int_equal(gmem_listen(w, task, (int64_t)odd[i], NULL, NULL),
					 GMEM_MISUSE);
	}
	assert_false(gmem_task_waits(w, task, &lock));
	gmem_invalidation(w, task, 0, &told);
}

static void tasks_that_are_not_there(void **state)
{
	struct gmem_world *w = new_world();
	const int64_t vm = create_vm(w, GMEM_VM_DEFAULT);
	enum gmem_progress progress;
	struct gmem_result r;
	uint64_t hash;

	(void)state;
	assert_int_equal(vm, 4);
	call(w, .verb = GMEM_THREAD, .value = 1);
	hash = gmem_world_hash(w);
	for (unsigned int i = 0; i < NR_ODD; i++) {
		const uint32_t task = (uint32_t)odd[i];
		const struct gmem_call dup = { .verb = GMEM_DUP, .task = task, .fd = vm };

		ask_of_task(w, task);
		assert_int_equal(gmem_step(w, task, &progress, &r), GMEM_MISUSE);
		if (task < 2)
			continue;
		assert_int_equal(gmem_call(w, &dup, &r), GMEM_MISUSE);
		assert_int_equal(r.value, -22);
		assert_int_equal(gmem_begin(w, &dup), GMEM_MISUSE);
	}
	assert_int_equal(gmem_world_hash(w), hash);
	gmem_world_free(w);
}

/* Every verb, and more, with every field the same odd number: an answer, and a world that is sound. */
static void odd_numbers_everywhere(void **state)
{
	struct gmem_world *w = new_world(), *copy = new_world();
	struct gmem_result r;

	(void)state;
	create_gmem(w, create_vm(w, GMEM_VM_SW_PROTECTED), 16 * KiB, 0);
	for (uint32_t verb = 0; verb < GMEM_NR_VERBS + 3; verb++)
		for (unsigned int i = 0; i < NR_ODD * 3; i++) {
			struct gmem_call c = { .verb = verb };
			uint64_t *fields = (uint64_t *)&c + 1;
			enum gmem_status status;

			for (unsigned int k = 0; k < sizeof(c) / 8 - 1; k++)
				fields[k] = odd[i / 3];
			if (i % 3)
				c.fd = c.memfd = 3 + (int64_t)(i % 3);
			assert_int_equal(gmem_world_copy(copy, w), GMEM_DONE);
			status = gmem_call(copy, &c, &r);
			assert_true(status == GMEM_DONE || status == GMEM_MISUSE);
			if (verb >= GMEM_NR_VERBS)
				assert_int_equal(status, GMEM_MISUSE);
			if (status == GMEM_MISUSE)
				assert_true(gmem_world_equal(copy, w));
		}
	gmem_world_free(copy);
	gmem_world_free(w);
}

/* ---- what overlaps ---- */

struct scene {
	struct door door;
	struct gmem_world *w;
	struct gmem_call calls[MOST_CALLS];
	uint32_t tasks[MOST_CALLS], schedule[MOST_ROWS];
	struct gmem_overlap o;
	struct gmem_bounds b;
	struct gmem_explored x;
};

static struct gmem_call call_of(void *arg, uint32_t n, const struct gmem_result *results)
{
	(void)results;
	return ((struct scene *)arg)->calls[n];
}

/* Nobody has begun what was not his. */
static void found(void *arg, const struct gmem_world *w)
{
	const struct scene *s = arg;

	for (uint32_t t = s->o.nr_calls; t < GMEM_MAX_TASKS; t++)
		assert_false(gmem_task_runs(w, t));
}

/* So many tasks, and a call of each. */
static void begin(struct scene *s, uint32_t n)
{
	*s = (struct scene){ .b = { .states = 1000,
				    .depth = MOST_ROWS,
				    .preemptions = GMEM_NO_BOUND,
				    .reduce = 1 } };
	s->w = new_world_of(&(struct gmem_config){
		.checking = GMEM_CHECK_CALLS, .resize = door, .resize_arg = &s->door });
	s->o = (struct gmem_overlap){ .world = s->w,
				      .nr_calls = n,
				      .tasks = s->tasks,
				      .call = call_of,
				      .found = found,
				      .arg = s };
	s->x.schedule = s->schedule;
	for (uint32_t i = 0; i < n; i++) {
		s->tasks[i] = i;
		s->calls[i] = (struct gmem_call){ .verb = GMEM_DUP, .task = i, .fd = 3 };
		if (i && i < GMEM_MAX_TASKS)
			call(s->w, .verb = GMEM_THREAD, .value = i);
	}
}

static void end(struct scene *s, enum gmem_status status, enum gmem_finding finding)
{
	const size_t live = s->door.live;

	assert_int_equal(gmem_explore(&s->o, &s->b, &s->x), status);
	assert_int_equal(s->x.finding, finding);
	assert_int_equal(s->door.live, live);
	if (status == GMEM_MISUSE)
		assert_int_equal(s->x.steps, 0);
	gmem_world_free(s->w);
}

static void overlaps_of_no_sense(void **state)
{
	struct scene s;

	(void)state;
	begin(&s, 1);
	s.tasks[0] = s.calls[0].task = 1000; /* no task has that number */
	end(&s, GMEM_MISUSE, GMEM_FOUND_NOTHING);
	begin(&s, MOST_CALLS); /* more tasks than there can be */
	end(&s, GMEM_MISUSE, GMEM_FOUND_NOTHING);
	begin(&s, 1);
	s.o.nr_calls = 0;
	end(&s, GMEM_MISUSE, GMEM_FOUND_NOTHING);
	begin(&s, 1);
	s.o.nr_calls = 65536;
	end(&s, GMEM_MISUSE, GMEM_FOUND_NOTHING);
	begin(&s, 2); /* the world's own task is in a call */
	assert_int_equal(gmem_begin(s.w, &s.calls[1]), GMEM_DONE);
	end(&s, GMEM_MISUSE, GMEM_FOUND_NOTHING);
}

/* Once with the reduction, once without, once by chance. */
static void calls_that_cannot_be_asked(void **state)
{
	struct scene s;

	(void)state;
	for (int how = 0; how < 3; how++)
		for (int wrong = 0; wrong < 4; wrong++) {
			begin(&s, 2);
			s.b.reduce = how == 0;
			s.b.walks = how == 2;
			if (wrong == 0) /* not the task it was said to be of */
				s.o.nr_calls = s.calls[0].task = 1;
			else if (wrong == 1)
				s.calls[1].task = UINT32_MAX;
			else if (wrong == 2)
				s.calls[1].verb = UINT32_MAX;
			else
				s.tasks[1] = s.calls[1].task = 2; /* who is not there */
			end(&s, GMEM_DONE, GMEM_FOUND_MISUSE);
			assert_int_equal(s.x.call, wrong != 0);
		}
}

static void bounds_of_no_sense(void **state)
{
	static const struct {
		uint32_t shard, shards;
		enum gmem_status status;
	} parts[] = {
		{ 0, 0, GMEM_DONE },
		/* with nothing to exchange states by */
		{ 0, 1, GMEM_MISUSE },
		{ 4, 5, GMEM_MISUSE },
		{ 1, 0, GMEM_MISUSE },
		{ 1, 1, GMEM_MISUSE },
		{ 5, 2, GMEM_MISUSE },
	};
	struct scene s;

	(void)state;
	for (unsigned int i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		begin(&s, 2);
		s.b.shard = parts[i].shard;
		s.b.shards = parts[i].shards;
		end(&s, parts[i].status, GMEM_FOUND_NOTHING);
	}
	for (uint32_t shards = 0; shards < 3; shards++) {
		begin(&s, 2);
		s.b.depth = 0;
		s.b.shards = shards;
		end(&s, GMEM_MISUSE, GMEM_FOUND_NOTHING);
	}
	begin(&s, 2);
	s.b.states = 0;
	end(&s, GMEM_MISUSE, GMEM_FOUND_NOTHING);
	begin(&s, 2);
	s.b.states = 0;
	s.b.walks = 5; /* of which states is no bound */
	end(&s, GMEM_DONE, GMEM_FOUND_NOTHING);
}

static void orders_of_no_sense(void **state)
{
	static const uint32_t nobody[] = { 0, 1, GMEM_MAX_TASKS };
	struct scene s;

	(void)state;
	for (uint32_t tasks = 2; tasks <= GMEM_MAX_TASKS; tasks += GMEM_MAX_TASKS - 2)
		for (uint32_t rows = 2; rows < 4; rows++) {
			begin(&s, tasks);
			s.b.follow = nobody;
			s.b.nr_follow = rows;
			end(&s, rows == 2 ? GMEM_DONE : GMEM_MISUSE, GMEM_FOUND_NOTHING);
		}
}

/* A task that one of the calls makes. */
static void a_task_that_comes_to_be(void **state)
{
	struct scene s;

	(void)state;
	for (int fork = 0; fork < 2; fork++) {
		begin(&s, 2);
		s.calls[0].verb = fork ? GMEM_FORK : GMEM_THREAD;
		s.calls[0].value = 2;
		s.tasks[1] = s.calls[1].task = 2;
		end(&s, GMEM_DONE, GMEM_FOUND_MISUSE); /* where it comes too late */
	}
}

/* [MEMFD-9] Where a design has no memfds there is no answer; nor to a private mapping of one. */
static void memfds_of_no_design(void **state)
{
	static const enum gmem_verb verbs[] = { GMEM_MEMFD_CREATE, GMEM_OPEN_MOUNT, GMEM_RMMOD };
	struct gmem_call mmap = { .verb = GMEM_MMAP, .length = GMEM_PAGE_SIZE };
	struct gmem_config config = { .profile = gmem_profile_find("memfile-notifier-v4") };
	struct gmem_world *w;
	struct gmem_result r;

	(void)state;
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		struct gmem_call c = { .verb = verbs[i], .what = GMEM_MODULE_STORE };

		w = new_world();
		assert_int_equal(gmem_call(w, &c, &r), GMEM_MISUSE);
		gmem_world_free(w);
		w = new_world_of(&config);
		assert_int_equal(gmem_call(w, &c, &r), GMEM_DONE);
		gmem_world_free(w);
	}
	w = new_world_of(&config);
	mmap.fd = call(w, .verb = GMEM_MEMFD_CREATE);
	mmap.flags = GMEM_MAP_PRIVATE;
	assert_int_equal(gmem_call(w, &mmap, &r), GMEM_MISUSE);
	mmap.flags = GMEM_MAP_SHARED;
	assert_int_equal(gmem_call(w, &mmap, &r), GMEM_DONE);
	assert_true(r.value > 0);
	gmem_world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_that_name_nothing),
		cmocka_unit_test(copies_of_profiles),
		cmocka_unit_test(machines_that_cannot_be),
		cmocka_unit_test(tasks_that_are_not_there),
		cmocka_unit_test(odd_numbers_everywhere),
		cmocka_unit_test(overlaps_of_no_sense),
		cmocka_unit_test(calls_that_cannot_be_asked),
		cmocka_unit_test(bounds_of_no_sense),
		cmocka_unit_test(orders_of_no_sense),
		cmocka_unit_test(a_task_that_comes_to_be),
		cmocka_unit_test(memfds_of_no_design),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
