/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A whole life of worlds, in which request number N for memory is denied, for every N: whatever
 * failed is as if it had not been tried, and is simply tried again. At the end all is as in a
 * life in which nothing failed, and every byte has been given back.
 *
 * What single calls need is in test-nomem.c.
 */
#include "door.h"
#include "state.h"

#define PAGE GMEM_PAGE_SIZE

struct life {
	struct door door;
	struct gmem_profile *profile;
	struct gmem_world *w, *other;
	unsigned long failures;
	unsigned int told;
};

static void listener(void *arg, const struct gmem_event *event)
{
	(void)event;
	++*(unsigned int *)arg;
}

static void make_profile(struct life *l)
{
	while (gmem_profile_with_bugs(&l->profile, gmem_profile_find("linux-6.8"), NULL, door,
				      &l->door) != GMEM_DONE) {
		assert_null(l->profile);
		l->failures++;
	}
	assert_non_null(l->profile);
}

/* The other kind of copy; nobody uses it. */
static void make_mutant(struct life *l)
{
	struct gmem_profile *mutant;

	while (gmem_profile_without(&mutant, l->profile, 0, 0, door, &l->door) != GMEM_DONE) {
		assert_null(mutant);
		l->failures++;
	}
	gmem_profile_free(mutant);
}

static struct gmem_world *make_world(struct life *l)
{
	const struct gmem_config config = { .profile = l->profile,
					    .resize = door,
					    .resize_arg = &l->door };
	size_t live = l->door.live;
	struct gmem_world *w;

	while (gmem_world_new(&w, &config) != GMEM_DONE) {
		assert_null(w);
		assert_int_equal(l->door.live, live);
		l->failures++;
	}
	return w;
}

/* Whether one of the next requests will be denied. */
static int is_in_danger(const struct life *l)
{
	return l->door.asked + 2 >= l->door.shut && l->door.asked < l->door.shut + l->door.shuts;
}

static int64_t make(struct life *l, const struct gmem_call *c)
{
	uint64_t before = is_in_danger(l) ? gmem_world_hash(l->w) : 0;
	enum gmem_status status;
	struct gmem_result r;

	while ((status = gmem_call(l->w, c, &r)) == GMEM_FAILED) {
		assert_int_equal(gmem_world_hash(l->w), before);
		assert_int_equal(gmem_check(l->w, NULL), GMEM_DONE);
		l->failures++;
	}
	assert_int_equal(status, GMEM_DONE);
	return r.value;
}

#define MAKE(l, ...) make((l), &(struct gmem_call){ __VA_ARGS__ })

static void listen(struct life *l, int64_t vm)
{
	uint32_t n = l->w->nr_listeners;

	while (gmem_listen(l->w, 0, vm, listener, &l->told) != GMEM_DONE) {
		assert_int_equal(l->w->nr_listeners, n);
		l->failures++;
	}
}

static void copy(struct life *l, struct gmem_world *dst, const struct gmem_world *src)
{
	uint64_t before = gmem_world_hash(dst);

	while (gmem_world_copy(dst, src) != GMEM_DONE) {
		assert_int_equal(gmem_world_hash(dst), before);
		assert_int_equal(gmem_check(dst, NULL), GMEM_DONE);
		l->failures++;
	}
}

/* Returns the hash that the world has in the middle of its life. */
static uint64_t live(struct life *l)
{
	const uint64_t files = 20 + scaled(380);
	uint64_t hash;

	make_profile(l);
	make_mutant(l);
	l->w = make_world(l);
	l->other = make_world(l);
	for (int i = 0; i < 40; i++)
		listen(l, MAKE(l, .verb = GMEM_CREATE_VM, .fd = GMEM_KVM_FD,
			       .type = GMEM_VM_SW_PROTECTED));
	for (uint64_t i = 0; i < files; i++)
		MAKE(l, .verb = GMEM_CREATE_GUEST_MEMFD, .fd = 4 + (int64_t)i % 40, .size = MiB);
	for (uint64_t i = 0; i < files; i++)
		assert_int_equal(MAKE(l, .verb = GMEM_SET_USER_MEMORY_REGION2,
				      .fd = 4 + (int64_t)i % 40, .slot = i, .gpa = 2 * i * MiB,
				      .size = MiB, .memfd = 44 + (int64_t)i,
				      .flags = GMEM_MEM_GUEST_MEMFD),
				 0);
	copy(l, l->other, l->w);
	for (uint64_t i = 0; i < files; i += 20)
		MAKE(l, .verb = GMEM_CLOSE, .fd = 44 + (int64_t)i);
	hash = gmem_world_hash(l->w);
	copy(l, l->w, l->other);
	assert_true(gmem_world_equal(l->w, l->other));
	assert_true(l->told > 0);
	return hash;
}

static void end(struct life *l)
{
	gmem_world_free(l->w);
	gmem_world_free(l->other);
	gmem_profile_free(l->profile);
	assert_int_equal(l->door.live, 0);
}

static void every_request_is_denied_once(void **state)
{
	struct life undisturbed = { 0 };
	uint64_t hash = live(&undisturbed);
	unsigned long requests = undisturbed.door.asked, failed = 0;

	(void)state;
	assert_int_equal(undisturbed.failures, 0);
	assert_true(requests > 20);
	for (unsigned long n = 1; n <= requests; n++)
		for (unsigned long in_a_row = 1; in_a_row <= 3; in_a_row++) {
			struct life l = { .door = { .shut = n, .shuts = in_a_row } };

			assert_int_equal(live(&l), hash);
			assert_int_equal(l.told, undisturbed.told);
			failed += l.failures;
			end(&l);
		}
	assert_true(failed > requests);
	end(&undisturbed);
}

/* The door is never asked to give back what it has not given, and null is nothing to free. */
static void nothing_is_freed(void **state)
{
	(void)state;
	gmem_world_free(NULL);
	gmem_profile_free(NULL);
}

/* Without a door memory comes from the C library; the copy of a profile too. */
static void without_a_door(void **state)
{
	static const char *const b45[] = { "B45", NULL };
	struct gmem_profile *p;
	struct gmem_world *w;

	(void)state;
	assert_int_equal(gmem_profile_with_bugs(&p, gmem_profile(0), b45, NULL, NULL), GMEM_DONE);
	assert_int_equal(gmem_world_new(&w, &(struct gmem_config){ .profile = p }), GMEM_DONE);
	assert_ptr_equal(gmem_world_profile(w), p);
	gmem_world_free(w);
	gmem_profile_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_request_is_denied_once),
		cmocka_unit_test(nothing_is_freed),
		cmocka_unit_test(without_a_door),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
