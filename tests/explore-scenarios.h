/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random scenarios for test-explore.c: a world with two VMs, two files, mappings of all kinds and
 * perhaps a pin, in some profile; two or three tasks, of one process or several; and what they call.
 */
#ifndef EXPLORE_SCENARIOS_H
#define EXPLORE_SCENARIOS_H

#include <string.h>

#include "calls.h"
#include "random.h"

#define PAGE GMEM_PAGE_SIZE
#define GPA UINT64_C(0x100000)
#define MOST_CALLS 4
#define MOST_SEEN 256

struct scenario {
	struct gmem_world *w;
	struct gmem_profile *without; /* a row; or null */
	struct gmem_call calls[MOST_CALLS];
	uint32_t tasks[MOST_CALLS];
	uint32_t n;
	int64_t vm[2], file[2], pin; /* or negative, where the profile has it not */
	uint64_t shown[3]; /* a mapping of each file, or of what the last one is: private memory */
	uint64_t type;
};

static inline uint64_t either(struct random *r, uint64_t a, uint64_t b)
{
	return random_below(r, 2) ? a : b;
}

/* A call that may be refused. */
static inline int64_t try_call(struct gmem_world *w, struct gmem_call c)
{
	struct gmem_result r;

	return gmem_call(w, &c, &r) == GMEM_DONE ? r.value : -1;
}
#define try(w, ...) try_call((w), (struct gmem_call){ __VA_ARGS__ })

/* ---- calls ---- */

static inline struct gmem_call call_of_host(struct random *r, const struct scenario *s)
{
	static const uint64_t advices[] = { GMEM_MADV_DONTNEED, GMEM_MADV_POPULATE_WRITE,
					    GMEM_MADV_REMOVE };
	const uint64_t page = random_below(r, 2) * PAGE, length = either(r, PAGE, 2 * PAGE);
	const uint64_t addr = s->shown[random_below(r, 3) ? 0 : random_below(r, 3)] + page;
	const int64_t file = s->file[random_below(r, 4) == 0];
	const struct gmem_call calls[] = {
		{ .verb = GMEM_LOAD, .size = 1, .addr = addr },
		{ .verb = GMEM_STORE, .size = 1, .addr = addr, .value = 7 + random_below(r, 2) },
		{ .verb = GMEM_MUNMAP, .addr = addr, .length = length },
		{ .verb = GMEM_MPROTECT, .addr = addr, .length = PAGE, .prot = random_below(r, 4) },
		{ .verb = GMEM_MADVISE,
		  .addr = addr,
		  .length = PAGE,
		  .advice = advices[random_below(r, 3)] },
		{ .verb = GMEM_PIN, .addr = addr, .length = PAGE },
		{ .verb = GMEM_UNPIN, .fd = s->pin },
		{ .verb = GMEM_PIN_STORE, .fd = s->pin, .size = 1, .value = 5 },
		{ .verb = GMEM_PIN_LOAD, .fd = s->pin, .size = 1 },
		{ .verb = GMEM_MMAP, .fd = file, .length = PAGE, SHARED_RW, .offset = page },
		{ .verb = GMEM_MMAP,
		  .fd = file,
		  .length = PAGE,
		  .prot = GMEM_PROT_READ | GMEM_PROT_WRITE,
		  .flags = GMEM_MAP_SHARED | GMEM_MAP_FIXED,
		  .offset = page,
		  .addr = addr },
		{ .verb = GMEM_EXIT },
		{ .verb = GMEM_INJECT, .what = random_below(r, 3), .value = random_below(r, 2) },
	};

	return calls[random_below(r, sizeof(calls) / sizeof(calls[0]))];
}

static inline struct gmem_call call_of_file(struct random *r, const struct scenario *s)
{
	const uint64_t page = random_below(r, 2) * PAGE, length = either(r, PAGE, 2 * PAGE);
	const int64_t file = s->file[random_below(r, 4) == 0];
	const struct gmem_call calls[] = {
		{ .verb = GMEM_FALLOCATE,
		  .fd = file,
		  .mode = GMEM_FALLOC_KEEP_SIZE | GMEM_FALLOC_PUNCH_HOLE,
		  .offset = page,
		  .length = length },
		{ .verb = GMEM_FALLOCATE,
		  .fd = file,
		  .mode = GMEM_FALLOC_KEEP_SIZE,
		  .offset = page,
		  .length = PAGE },
		{ .verb = GMEM_CLOSE, .fd = random_below(r, 3) ? file : s->vm[0] },
		{ .verb = GMEM_DUP, .fd = file },
		{ .verb = GMEM_MEMORY_FAILURE, .fd = file, .offset = page },
		{ .verb = GMEM_CACHESTAT, .fd = file },
		{ .verb = GMEM_CREATE_GUEST_MEMFD, .fd = s->vm[0], .size = PAGE },
		{ .verb = GMEM_SET_MEMORY_ATTRIBUTES2,
		  .fd = file,
		  .offset = page,
		  .size = length,
		  .attributes = either(r, GMEM_ATTRIBUTE_PRIVATE, 0),
		  .flags = random_below(r, 3) },
		{ .verb = (uint32_t)either(r, GMEM_CONVERT_PRIVATE, GMEM_CONVERT_SHARED),
		  .fd = file,
		  .offset = page,
		  .size = length },
	};

	return calls[random_below(r, sizeof(calls) / sizeof(calls[0]))];
}

static inline struct gmem_call call_of_guest(struct random *r, const struct scenario *s)
{
	const uint64_t page = random_below(r, 2) * PAGE, gpa = GPA + page;
	const int64_t vm = s->vm[random_below(r, 4) == 0];
	const uint64_t private = either(r, GMEM_ATTRIBUTE_PRIVATE, 0);
	const struct gmem_call calls[] = {
		{ .verb = GMEM_GUEST_LOAD, .fd = vm, .size = 1, .gpa = gpa, .access = private },
		{ .verb = GMEM_GUEST_STORE,
		  .fd = vm,
		  .size = 1,
		  .gpa = gpa,
		  .value = 9,
		  .access = private },
		{ .verb = GMEM_SET_USER_MEMORY_REGION2,
		  .fd = vm,
		  .flags = GMEM_MEM_GUEST_MEMFD,
		  .gpa = GPA + either(r, 0, 16 * PAGE),
		  .size = either(r, 0, 2 * PAGE),
		  .memfd = s->file[0] },
		{ .verb = GMEM_SET_USER_MEMORY_REGION2,
		  .fd = vm,
		  .slot = 1,
		  .flags = GMEM_MEM_GUEST_MEMFD,
		  .gpa = GPA + 16 * PAGE,
		  .size = PAGE,
		  .memfd = s->file[0],
		  .offset = page },
		{ .verb = GMEM_SET_USER_MEMORY_REGION,
		  .fd = vm,
		  .slot = 3,
		  .gpa = GPA + 32 * PAGE,
		  .size = either(r, 0, PAGE),
		  .addr = s->shown[2] },
		{ .verb = GMEM_PRE_FAULT_MEMORY, .fd = vm, .gpa = gpa, .size = PAGE },
		{ .verb = GMEM_SET_MEMORY_ATTRIBUTES,
		  .fd = vm,
		  .gpa = gpa,
		  .size = PAGE,
		  .attributes = private },
		{ .verb = GMEM_CREATE_VM, .fd = GMEM_KVM_FD, .type = s->type },
		{ .verb = GMEM_ENABLE_CAP,
		  .fd = vm,
		  .cap = GMEM_CAP_DISABLE_LEGACY_PRIVATE_TRACKING },
		{ .verb = GMEM_LAUNCH_FINISH, .fd = vm },
		{ .verb = GMEM_POPULATE,
		  .fd = vm,
		  .gpa = gpa,
		  .size = PAGE,
		  .addr = either(r, 0, s->shown[2]) },
	};

	return calls[random_below(r, sizeof(calls) / sizeof(calls[0]))];
}

static inline struct gmem_call random_call(struct random *r, const struct scenario *s,
					   uint32_t task)
{
	struct gmem_call c;

	do
		c = random_below(r, 3) == 0 ? call_of_host(r, s) :
		    random_below(r, 2)	    ? call_of_file(r, s) :
					      call_of_guest(r, s);
	while (c.verb == GMEM_EXIT && !task);
	c.task = task;
	return c;
}

/* ---- tables with something wrong ---- */

struct seen_rows {
	const struct gmem_profile *profile;
	uint32_t table[MOST_SEEN];
	uint16_t row[MOST_SEEN];
	unsigned int n;
};

static inline void see_row(void *arg, const struct gmem_step_event *e)
{
	struct seen_rows *seen = arg;
	struct gmem_row row;

	if (seen->n == MOST_SEEN || !gmem_profile_row(seen->profile, e->table, e->row, &row) ||
	    strcmp(row.kind, "lock"))
		return;
	seen->table[seen->n] = e->table;
	seen->row[seen->n++] = e->row;
}

/* Mostly, tables without one of the locks that the calls take. */
static inline void forget_a_lock(struct random *r, struct scenario *s)
{
	struct seen_rows seen = { .profile = gmem_world_profile(s->w) };
	struct gmem_world *copy = new_world_of(&(struct gmem_config){ 0 });
	unsigned int i;

	assert_int_equal(gmem_world_copy(copy, s->w), GMEM_DONE);
	gmem_observe(copy, see_row, &seen);
	for (i = 0; i < s->n; i++)
		try_call(copy, s->calls[i]);
	gmem_world_free(copy);
	if (!seen.n || random_below(r, 4) == 0)
		return;
	i = (unsigned int)random_below(r, seen.n);
	assert_int_equal(gmem_profile_without(&s->without, seen.profile, seen.table[i], seen.row[i],
					      NULL, NULL),
			 GMEM_DONE);
	gmem_world_set_profile(s->w, s->without);
}

/* ---- worlds ---- */

static inline void make_objects(struct scenario *s, struct random *r)
{
	const uint64_t flags = random_below(r, 4);

	for (int i = 0; i < 2; i++)
		s->vm[i] = try(s->w, .verb = GMEM_CREATE_VM, .fd = GMEM_KVM_FD, .type = s->type);
	for (int i = 0; i < 2; i++) {
		s->file[i] = try(s->w, .verb = GMEM_CREATE_GUEST_MEMFD, .fd = s->vm[0],
				 .size = 2 * PAGE, .flags = flags);
		if (s->file[i] < 0)
			s->file[i] = try(s->w, .verb = GMEM_CREATE_GUEST_MEMFD, .fd = s->vm[0],
					 .size = 2 * PAGE);
	}
	s->shown[2] = (uint64_t)try(s->w, .verb = GMEM_MMAP, .fd = -1, .length = 2 * PAGE,
				    .prot = GMEM_PROT_READ | GMEM_PROT_WRITE,
				    .flags = GMEM_MAP_PRIVATE | GMEM_MAP_ANONYMOUS);
	for (int i = 0; i < 2; i++) {
		const int64_t addr = try(s->w, .verb = GMEM_MMAP, .fd = s->file[i],
					 .length = 2 * PAGE, SHARED_RW);

		s->shown[i] = addr < 0 ? s->shown[2] : (uint64_t)addr;
	}
}

static inline void use_objects(struct scenario *s, struct random *r)
{
	try(s->w, .verb = GMEM_SET_USER_MEMORY_REGION2, .fd = s->vm[0],
	    .flags = GMEM_MEM_GUEST_MEMFD, .gpa = GPA, .size = 2 * PAGE, .memfd = s->file[0],
	    .addr = s->shown[0]);
	if (random_below(r, 2))
		try(s->w, .verb = GMEM_SET_MEMORY_ATTRIBUTES, .fd = s->vm[0], .gpa = GPA,
		    .size = 2 * PAGE, .attributes = GMEM_ATTRIBUTE_PRIVATE);
	if (random_below(r, 2))
		try(s->w, .verb = GMEM_STORE, .addr = s->shown[0], .size = 1, .value = 1);
	if (random_below(r, 2))
		try(s->w, .verb = GMEM_GUEST_STORE, .fd = s->vm[0], .gpa = GPA, .size = 1,
		    .access = either(r, GMEM_ACCESS_PRIVATE, 0));
	s->pin = random_below(r, 2) ? try(s->w, .verb = GMEM_PIN,
					  .addr = s->shown[random_below(r, 3)], .length = PAGE) :
				      -1;
}

static inline void begin(struct scenario *s, struct random *r, uint32_t tasks, uint32_t calls)
{
	static const uint64_t types[] = { GMEM_VM_SW_PROTECTED, GMEM_VM_SW_PROTECTED,
					  GMEM_VM_DEFAULT, GMEM_VM_SNP, GMEM_VM_TDX };
	unsigned int profiles = 0;

	while (gmem_profile(profiles))
		profiles++;
	memset(s, 0, sizeof(*s));
	s->w = new_world_of(&(struct gmem_config){
		.profile = gmem_profile((unsigned int)random_below(r, profiles)) });
	s->n = calls;
	s->type = types[random_below(r, 5)];
	make_objects(s, r);
	use_objects(s, r);
	for (uint32_t i = 1; i < tasks; i++)
		assert_int_equal(
			try(s->w, .verb = random_below(r, 4) ? GMEM_THREAD : GMEM_FORK, .value = i),
			i);
	for (uint32_t i = 0; i < calls; i++) {
		s->tasks[i] = i % tasks;
		s->calls[i] = random_call(r, s, i % tasks);
	}
	forget_a_lock(r, s);
}

static inline void end(struct scenario *s)
{
	gmem_world_free(s->w);
	gmem_profile_free(s->without);
}

#endif
