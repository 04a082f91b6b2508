/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls in one line each, for tests that are not about the library's status:
 *
 *	struct gmem_world *w = new_world();
 *	int64_t vm = create_vm(w, GMEM_VM_DEFAULT);
 *
 *	assert_int_equal(call(w, .verb = GMEM_DUP, .fd = vm), vm + 1);
 *
 * Whatever is not asked for is as in a plain world: the newest profile, a machine with everything.
 * The test fails at the caller's line when the library answers anything but GMEM_DONE, so every
 * world made here, which checks the invariants after each call, checks them for the test too.
 */
#ifndef TESTS_CALLS_H
#define TESTS_CALLS_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gmem.h"

#define KiB UINT64_C(1024)
#define MiB (UINT64_C(1) << 20)
#define TiB (UINT64_C(1) << 40)
#define SHARED_RW .prot = GMEM_PROT_READ | GMEM_PROT_WRITE, .flags = GMEM_MAP_SHARED

static inline struct gmem_result result_of(struct gmem_world *w, const struct gmem_call *c,
					   const char *file, int line)
{
	struct gmem_result r;
	enum gmem_status status = gmem_call(w, c, &r);

	if (status == GMEM_VIOLATED)
		print_error("%s: %s (%s %llu %llu)\n", gmem_violation(w)->invariant,
			    gmem_violation(w)->sentence, gmem_violation(w)->saw,
			    (unsigned long long)gmem_violation(w)->a,
			    (unsigned long long)gmem_violation(w)->b);
	if (status != GMEM_DONE)
		print_error("%s: status %d\n", gmem_verb_info(c->verb)->name, status);
	_assert_int_equal(status, GMEM_DONE, file, line);
	return r;
}

static inline int64_t value_of(struct gmem_world *w, const struct gmem_call *c, const char *file,
			       int line)
{
	return result_of(w, c, file, line).value;
}

/* The whole result of a call. */
#define result(w, ...) result_of((w), &(struct gmem_call){ __VA_ARGS__ }, __FILE__, __LINE__)
/* Its value alone. */
#define call(w, ...) value_of((w), &(struct gmem_call){ __VA_ARGS__ }, __FILE__, __LINE__)
#define assert_outcome(w, expected, ...) \
	assert_int_equal(result(w, __VA_ARGS__).outcome, (expected))

static inline struct gmem_world *new_world_of(const struct gmem_config *config)
{
	struct gmem_world *w;

	assert_int_equal(gmem_world_new(&w, config), GMEM_DONE);
	return w;
}

static inline struct gmem_world *new_world(void)
{
	return new_world_of(&(struct gmem_config){ .checking = GMEM_CHECK_CALLS });
}

/* m may be null. */
static inline struct gmem_world *new_world_on(const char *profile, const struct gmem_machine *m)
{
	const struct gmem_config config = { .profile = gmem_profile_find(profile),
					    .machine = m,
					    .checking = GMEM_CHECK_CALLS };

	assert_non_null(config.profile);
	return new_world_of(&config);
}

static inline int64_t create_vm(struct gmem_world *w, uint64_t type)
{
	return call(w, .verb = GMEM_CREATE_VM, .fd = GMEM_KVM_FD, .type = type);
}

static inline int64_t create_gmem(struct gmem_world *w, int64_t vm, uint64_t size, uint64_t flags)
{
	return call(w, .verb = GMEM_CREATE_GUEST_MEMFD, .fd = vm, .size = size, .flags = flags);
}

static inline int64_t bind_slot(struct gmem_world *w, int64_t vm, uint64_t slot, uint64_t gpa,
				uint64_t size, int64_t memfd, uint64_t offset)
{
	return call(w, .verb = GMEM_SET_USER_MEMORY_REGION2, .fd = vm, .slot = slot,
		    .flags = GMEM_MEM_GUEST_MEMFD, .gpa = gpa, .size = size, .memfd = memfd,
		    .offset = offset);
}

static inline int64_t delete_slot(struct gmem_world *w, int64_t vm, uint64_t slot)
{
	return call(w, .verb = GMEM_SET_USER_MEMORY_REGION, .fd = vm, .slot = slot);
}

static inline int64_t set_private(struct gmem_world *w, int64_t vm, uint64_t gpa, uint64_t size,
				  int private)
{
	return call(w, .verb = GMEM_SET_MEMORY_ATTRIBUTES, .fd = vm, .gpa = gpa, .size = size,
		    .attributes = private ? GMEM_ATTRIBUTE_PRIVATE : 0);
}

static inline int64_t allocate(struct gmem_world *w, int64_t fd, uint64_t offset, uint64_t length)
{
	return call(w, .verb = GMEM_FALLOCATE, .fd = fd, .mode = GMEM_FALLOC_KEEP_SIZE,
		    .offset = offset, .length = length);
}

static inline int64_t punch(struct gmem_world *w, int64_t fd, uint64_t offset, uint64_t length)
{
	return call(w, .verb = GMEM_FALLOCATE, .fd = fd,
		    .mode = GMEM_FALLOC_KEEP_SIZE | GMEM_FALLOC_PUNCH_HOLE, .offset = offset,
		    .length = length);
}

static inline int64_t close_fd(struct gmem_world *w, int64_t fd)
{
	return call(w, .verb = GMEM_CLOSE, .fd = fd);
}

/* The address of a shared mapping of a guest_memfd. */
static inline uint64_t map(struct gmem_world *w, int64_t fd, uint64_t offset, uint64_t length)
{
	return (uint64_t)call(w, .verb = GMEM_MMAP, .fd = fd, .offset = offset, .length = length,
			      SHARED_RW);
}

static inline int64_t load(struct gmem_world *w, uint64_t addr)
{
	return call(w, .verb = GMEM_LOAD, .addr = addr, .size = 1);
}

static inline int64_t store(struct gmem_world *w, uint64_t addr, uint64_t value)
{
	return call(w, .verb = GMEM_STORE, .addr = addr, .size = 1, .value = value);
}

static inline struct gmem_result guest_load(struct gmem_world *w, int64_t vm, uint64_t gpa)
{
	return result(w, .verb = GMEM_GUEST_LOAD, .fd = vm, .gpa = gpa, .size = 1);
}

static inline struct gmem_result guest_store(struct gmem_world *w, int64_t vm, uint64_t gpa,
					     uint64_t value)
{
	return result(w, .verb = GMEM_GUEST_STORE, .fd = vm, .gpa = gpa, .size = 1, .value = value);
}

/* n, less where the tests are to do less: GMEM_TEST_SCALE is in per cent. */
static inline unsigned long scaled(unsigned long n)
{
	const char *scale = getenv("GMEM_TEST_SCALE");
	unsigned long percent = scale ? strtoul(scale, NULL, 10) : 100;

	return n * percent / 100 ? n * percent / 100 : 1;
}

/* The n-th profile that has guest_memfd: those come first. Null past the last. */
static inline const struct gmem_profile *design(unsigned int n)
{
	const struct gmem_profile *p = gmem_profile(n);

	return p && gmem_profile_has(p, GMEM_CREATE_GUEST_MEMFD) ? p : NULL;
}

#endif
