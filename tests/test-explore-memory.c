/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Explorations that are denied memory: request number N, for every N. Each says so, has given
 * everything back, and has not touched the world that it began with. And what they say of the
 * memory that they took.
 */
#include <string.h>

#include "calls.h"
#include "door.h"

#define PAGE GMEM_PAGE_SIZE
#define GPA UINT64_C(0x100000)
#define VM_FD 4
#define FILE_FD 5
#define CALLS 3
#define MOST_ROWS 1000

struct scene {
	struct door door;
	struct gmem_world *w;
	struct gmem_call calls[CALLS];
	uint32_t tasks[CALLS], schedule[MOST_ROWS];
	struct gmem_explored x;
};

static struct gmem_call call_of(void *arg, uint32_t n, const struct gmem_result *results)
{
	(void)results;
	return ((struct scene *)arg)->calls[n];
}

/* A load, a punch, and who takes pages away or makes a VM. */
static void begin(struct scene *s, enum gmem_verb third)
{
	uint64_t addr;

	*s = (struct scene){ 0 };
	s->w = new_world_of(&(struct gmem_config){
		.profile = gmem_profile_find("linux-coco-v13"),
		.resize = door,
		.resize_arg = &s->door,
	});
	create_vm(s->w, GMEM_VM_SW_PROTECTED);
	create_gmem(s->w, VM_FD, 2 * PAGE, GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED);
	bind_slot(s->w, VM_FD, 0, GPA, 2 * PAGE, FILE_FD, 0);
	addr = (uint64_t)call(s->w, .verb = GMEM_MMAP, .fd = FILE_FD, .length = 2 * PAGE,
			      .prot = GMEM_PROT_READ | GMEM_PROT_WRITE, .flags = GMEM_MAP_SHARED);
	s->calls[0] = (struct gmem_call){ .verb = GMEM_LOAD, .addr = addr, .size = 8 };
	s->calls[1] = (struct gmem_call){
		.verb = GMEM_FALLOCATE, .task = 1, .fd = FILE_FD, .mode = 3, .length = PAGE
	};
	s->calls[2] = (struct gmem_call){ .verb = third, .task = 2, .fd = FILE_FD, .size = PAGE };
	if (third == GMEM_CREATE_VM)
		s->calls[2].fd = GMEM_KVM_FD;
	for (uint32_t i = 0; i < CALLS; i++) {
		s->tasks[i] = i;
		if (i)
			call(s->w, .verb = GMEM_THREAD, .value = i);
	}
}

static enum gmem_status explore(struct scene *s, const struct gmem_bounds *b)
{
	const struct gmem_overlap o = {
		.world = s->w, .nr_calls = CALLS, .tasks = s->tasks, .call = call_of, .arg = s
	};

	s->x.schedule = s->schedule;
	return gmem_explore(&o, b, &s->x);
}

static const struct gmem_bounds kinds[] = {
	{ .states = 100000, .depth = MOST_ROWS, .preemptions = GMEM_NO_BOUND },
	{ .states = 100000, .depth = MOST_ROWS, .preemptions = GMEM_NO_BOUND, .reduce = 1 },
	{ .states = 100000, .depth = MOST_ROWS, .preemptions = 1 },
	{ .states = 100000,
	  .depth = MOST_ROWS,
	  .preemptions = GMEM_NO_BOUND,
	  .walks = 3,
	  .seed = 1 },
};
#define NR_KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void deny_each(enum gmem_verb third, const struct gmem_bounds *b)
{
	struct gmem_explored all;
	unsigned long requests, step, failures = 0, tries = 0;
	struct scene s;
	uint64_t hash;
	size_t live;

	begin(&s, third);
	live = s.door.live;
	hash = gmem_world_hash(s.w);
	requests = s.door.asked;
	assert_int_equal(explore(&s, b), GMEM_DONE);
	assert_int_equal(s.x.finding, GMEM_FOUND_NOTHING);
	all = s.x;
	requests = s.door.asked - requests;
	assert_true(requests > 5);
	step = 1 + requests / scaled(100);
	for (unsigned long n = 1; n <= requests; n += n < scaled(64) ? 1 : step) {
		s.door.shut = s.door.asked + n;
		s.door.shuts = 1;
		/* For a world less than it asked for may do. */
		if (explore(&s, b) == GMEM_DONE)
			assert_int_equal(s.x.states, all.states);
		else
			failures++;
		tries++;
		open_door(&s.door);
		assert_int_equal(s.door.live, live);
		assert_true(gmem_world_hash(s.w) == hash);
	}
	assert_true(failures > tries / 2);
	assert_int_equal(explore(&s, b), GMEM_DONE);
	assert_int_equal(s.x.states, all.states);
	assert_int_equal(s.x.ends, all.ends);
	assert_int_equal(s.door.live, live);
	gmem_world_free(s.w);
}

static void every_request_is_denied_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR_KINDS; i++) {
		deny_each(GMEM_FALLOCATE, &kinds[i]);
		deny_each(GMEM_CREATE_VM, &kinds[i]);
	}
}

/* So much is enough, and a byte less is not. What was never used of a world is not counted. */
static void assert_is_enough(struct scene *s, struct gmem_bounds b)
{
	b.memory = s->x.memory;
	assert_int_equal(explore(s, &b), GMEM_DONE);
	assert_int_equal(s->x.cut, 0);
	b.memory--;
	assert_int_equal(explore(s, &b), GMEM_DONE);
	assert_int_equal(s->x.cut, GMEM_CUT_MEMORY);
}

static void memory_is_what_was_taken_at_most(void **state)
{
	struct scene s;

	(void)state;
	for (size_t i = 0; i < NR_KINDS; i++) {
		size_t live;

		begin(&s, GMEM_SET_MEMORY_ATTRIBUTES2);
		live = s.door.most = s.door.live;
		assert_int_equal(explore(&s, &kinds[i]), GMEM_DONE);
		assert_in_range(s.x.memory, 1, s.door.most - live);
		if (!kinds[i].walks)
			assert_true(s.x.memory >= s.x.states * 2 * sizeof(uint64_t));
		if (!i)
			assert_is_enough(&s, kinds[i]);
		gmem_world_free(s.w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_request_is_denied_once),
		cmocka_unit_test(memory_is_what_was_taken_at_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
