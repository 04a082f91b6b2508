/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The library keeps nothing to itself: several worlds in several threads, made, driven, copied,
 * checked and freed at once, come out as they do one after the other.
 */
#include <pthread.h>
#include <string.h>

#include "calls.h"
#include "random.h"

enum { NR_THREADS = 4, LENGTH = 80 };

struct job {
	unsigned long seeds, first_seed;
	const struct gmem_profile *profile;
	uint64_t digest; /* of the hashes of every world of the job */
	int failed;
};

static void note(struct job *j, uint64_t x)
{
	j->digest = (j->digest ^ x) * UINT64_C(0x9e3779b97f4a7c15);
	j->digest ^= j->digest >> 29;
}

static void drive(struct job *j, struct gmem_world *w, uint64_t seed)
{
	struct gmem_result results[LENGTH];
	struct linked_call l;
	struct generator g;
	struct random r;

	random_seed(&r, seed);
	generator_begin(&g, &r);
	g.types = (1u << GMEM_VM_DEFAULT) | (1u << GMEM_VM_SW_PROTECTED) | (1u << GMEM_VM_SNP);
	for (int i = 0; i < LENGTH; i++) {
		struct gmem_call c;

		generator_call(&g, &l);
		c = backend_resolve(&l, results);
		j->failed |= gmem_call(w, &c, &results[i]) > GMEM_MISUSE;
		note(j, (uint64_t)results[i].value);
		note(j, gmem_world_hash(w));
		generator_result(&g, &results[i]);
	}
}

/* A bug that breaks no invariant. */
static const char *const b45[] = { "B45", NULL };

/* CMocka's assertions are for the main thread: here a failure is only noted. */
static void *work(void *arg)
{
	struct job *j = arg;

	for (unsigned long n = 0; n < j->seeds; n++) {
		const struct gmem_config config = { .profile = j->profile,
						    .checking = GMEM_CHECK_CALLS };
		struct gmem_profile *own;
		struct gmem_world *w, *copy;

		j->failed |= gmem_profile_with_bugs(&own, j->profile, b45, NULL, NULL);
		j->failed |= gmem_world_new(&w, &config);
		j->failed |= gmem_world_new(&copy, NULL);
		if (j->failed)
			return NULL;
		if (n % 2)
			gmem_world_set_profile(w, own);
		drive(j, w, j->first_seed + n);
		j->failed |= gmem_world_copy(copy, w) || !gmem_world_equal(copy, w);
		drive(j, copy, j->first_seed + n + 1);
		gmem_world_free(copy);
		gmem_world_free(w);
		gmem_profile_free(own);
	}
	return NULL;
}

static void begin(struct job *jobs, unsigned long seeds)
{
	memset(jobs, 0, NR_THREADS * sizeof(*jobs));
	for (unsigned long i = 0; i < NR_THREADS; i++) {
		jobs[i].seeds = seeds;
		jobs[i].first_seed = i % 2 * 1000000; /* two of a kind */
		jobs[i].profile = gmem_profile(1);
	}
}

static void at_once_as_one_after_the_other(void **state)
{
	struct job alone[NR_THREADS], together[NR_THREADS];
	pthread_t threads[NR_THREADS];

	(void)state;
	begin(alone, scaled(400));
	begin(together, scaled(400));
	for (int i = 0; i < NR_THREADS; i++)
		work(&alone[i]);
	for (int i = 0; i < NR_THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, &together[i]), 0);
	for (int i = 0; i < NR_THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	for (int i = 0; i < NR_THREADS; i++) {
		assert_false(alone[i].failed);
		assert_false(together[i].failed);
		assert_int_equal(alone[i].digest, together[i].digest);
	}
	assert_int_equal(together[0].digest, together[2].digest);
	assert_int_not_equal(together[0].digest, together[1].digest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(at_once_as_one_after_the_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
