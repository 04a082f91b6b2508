/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A refused call changes nothing: the world means (gmem_world_hash()) what it meant before.
 *
 * Refused is what returns an errno, raises a signal or leaves the guest. Linux does not hold to
 * that everywhere. Where it does not is the table of exceptions below; each of them has to occur,
 * so that the table says no more than is true.
 *
 * The calls are random (random-calls.h). What breaks the rule is made small and printed as a trace.
 * GMEM_TEST_SCALE makes it shorter or longer (percent).
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common.h"
#include "random-calls.h"
#include "shrink.h"

#define WORLDS 12000 /* at full scale, of a kind of share 10 */
#define LENGTH 80

/* ---- where Linux changes something and refuses all the same ---- */

/* By the rule that refuses, or all rules of a family. What is too rare to be seen begins with 1. */
static struct exception {
	uint32_t verb;
	const char *clause, *reason;
	unsigned long long occurred;
} exceptions[] = {
	{ GMEM_FALLOCATE, "ALLOC-3", "pages that were allocated by then stay", 0 },
	{ GMEM_MMAP, "MMAP-8", "what was at the fixed address is gone when the file refuses", 0 },
	{ GMEM_MMAP, "MMAP-9", "what was at the fixed address is gone when the file refuses", 0 },
	{ GMEM_MPROTECT, "MMAP-20", "mappings before the hole, or the file's, are changed", 0 },
	{ GMEM_MADVISE, "MADV-5", "advice is taken before and after a hole", 0 },
	{ GMEM_MADVISE, "HOST-13", "pages before the one that cannot be touched stay", 0 },
	{ GMEM_MADVISE, "MADV-7", "mappings before the one that refuses are done", 0 },
	{ GMEM_LOAD, "HOST-", "of two pages the first was touched", 0 },
	{ GMEM_STORE, "HOST-", "of two pages the first was touched", 0 },
	{ GMEM_PIN, "HOST-13", "pages before the one that cannot be pinned were touched", 0 },
	{ GMEM_MEMORY_FAILURE, "POISON-6",
	  "the page has failed, and the call says it was not helped", 0 },
	{ GMEM_POPULATE, "POPULATE-12", "the page was allocated before it was looked at", 0 },
	{ GMEM_POPULATE, "HOST-", "the page was allocated before its source was read", 0 },
	{ GMEM_SET_USER_MEMORY_REGION, "SLOT-24", "the guest has lost the pages of what moves", 0 },
	{ GMEM_SET_USER_MEMORY_REGION2, "SLOT-24", "the guest has lost the pages of what moves",
	  0 },
	{ GMEM_SET_USER_MEMORY_REGION, "SLOT-32", "the guest has lost the pages of what moves", 1 },
	{ GMEM_SET_USER_MEMORY_REGION2, "SLOT-32", "the guest has lost the pages of what moves",
	  1 },
	{ GMEM_SET_MEMORY_ATTRIBUTES2, "CONV-16",
	  "the range has left the host's page tables; huge pages before it are converted", 0 },
	{ GMEM_SET_MEMORY_ATTRIBUTES2, "CONV-14", "huge pages before it are converted", 0 },
	{ GMEM_SET_MEMORY_ATTRIBUTES2, "CONV-21", "as CONV-16, and nobody can be told", 0 },
	{ GMEM_SET_MEMORY_ATTRIBUTES2, "HUGE-8",
	  "huge pages before it are converted, and guests have lost this one", 0 },
	{ GMEM_CONVERT_PRIVATE, "SHARE-12", "the range has left page tables", 0 },
	{ GMEM_CONVERT_PRIVATE, "SHARE-14", "the range has left page tables", 0 },
	{ GMEM_CONVERT_SHARED, "SHARE-14", "the range has left the guest's page tables", 0 },
	{ GMEM_CONVERT_PRIVATE, "SHARE-7", "as SHARE-12, and nobody can be told", 0 },
	{ GMEM_CONVERT_SHARED, "SHARE-7", "as SHARE-14, and nobody can be told", 0 },
	{ GMEM_FALLOCATE, "HUGE-5",
	  "the range has left page tables; in shareability huge pages before it are gone", 0 },
	{ GMEM_MADVISE, "HUGE-5", "as of fallocate", 0 },
	{ GMEM_MADVISE, "HUGE-9", "mappings before the one that refuses are done", 0 },
	{ GMEM_POPULATE, "POPULATE-9", "the source was touched before", 0 },
	{ GMEM_POPULATE, "POPULATE-10", "the source was touched before", 0 },
	{ GMEM_POPULATE, "POPULATE-11", "the source was touched before", 0 },
	{ GMEM_POPULATE, "POPULATE-16", "the page was allocated before it was looked at", 0 },
	{ GMEM_FALLOCATE, "MEMFD-17", "pages from an earlier call that nobody has used are gone",
	  0 },
	{ GMEM_MMAP, "INACC-5", "what was at the fixed address is gone when the file refuses", 0 },
	{ GMEM_MMAP, "SEAL-10", "what was at the fixed address is gone when the file refuses", 0 },
	{ GMEM_GUEST_STORE, "GUEST-5", "a private page was allocated before its memslot was asked",
	  1 },
	{ GMEM_GUEST_LOAD, "RMEM-32", "the guest is told of a memory error once", 0 },
	{ GMEM_GUEST_STORE, "RMEM-32", "the guest is told of a memory error once", 0 },
};
#define EXCEPTIONS (sizeof(exceptions) / sizeof(exceptions[0]))

static struct exception *find_exception(uint32_t verb, const struct gmem_result *r)
{
	const char *clause = gmem_clause(r->clause)->name;
	size_t i, n;

	for (i = 0; i < EXCEPTIONS; i++) {
		n = strlen(exceptions[i].clause);
		if (exceptions[i].verb == verb && !strncmp(exceptions[i].clause, clause, n) &&
		    (!clause[n] || exceptions[i].clause[n - 1] == '-'))
			return &exceptions[i];
	}
	return NULL;
}

/* ---- one call ---- */

static int is_refused(const struct gmem_result *r)
{
	if (r->outcome == GMEM_UNSPECIFIED)
		return 0;
	return r->outcome != GMEM_VALUE || (!r->loaded && r->value < 0 && r->value >= -4095);
}

struct worlds {
	struct gmem_world *w, *other;
	const struct gmem_profile *profile;
	struct gmem_machine machine;
	struct gmem_result last;
};

static struct gmem_world *new_world(const struct worlds *ws)
{
	struct gmem_config config = { .profile = ws->profile, .machine = &ws->machine };
	struct gmem_world *w;

	if (gmem_world_new(&w, &config) != GMEM_DONE)
		die("no memory for a world");
	return w;
}

/* The hash as it is once the task's next call has forgotten what was injected. */
static uint64_t hash_without_injection(struct worlds *ws, const struct gmem_call *c)
{
	const struct gmem_call forget = { .verb = GMEM_INJECT, .task = c->task };
	struct gmem_result r;

	if (gmem_world_copy(ws->other, ws->w) != GMEM_DONE)
		die("no memory for a world");
	gmem_call(ws->other, &forget, &r);
	return gmem_world_hash(ws->other);
}

/* 1 unless the call was refused, changed the world, and may not. */
static int holds(struct worlds *ws, const struct gmem_call *c, struct gmem_result *r)
{
	uint64_t before = gmem_world_hash(ws->w), forgotten = hash_without_injection(ws, c);
	struct exception *e;

	if (gmem_call(ws->w, c, r) == GMEM_MISUSE)
		return gmem_world_hash(ws->w) == before; /* no call at all */
	if (!is_refused(r) || gmem_world_hash(ws->w) == forgotten)
		return 1;
	ws->last = *r;
	e = find_exception(c->verb, r);
	if (!e)
		return 0;
	e->occurred++;
	return 1;
}

/* ---- what went wrong, as a trace ---- */

static int still_wrong(void *arg, const struct trace *t)
{
	struct worlds *ws = arg;
	struct gmem_result *results = xcalloc(t->nr_calls + 1, sizeof(*results));
	size_t i;
	int ok = 1;

	gmem_world_free(ws->w);
	ws->w = new_world(ws);
	for (i = 0; i < t->nr_calls && ok; i++) {
		struct gmem_call c = backend_resolve(&t->calls[i].linked, results);

		ok = holds(ws, &c, &results[i]);
	}
	free(results);
	return !ok;
}

static void report(struct worlds *ws, uint64_t seed, const struct linked_call *calls, size_t n)
{
	struct trace t;
	size_t i;

	trace_init(&t);
	t.profile = ws->profile;
	t.machine = ws->machine;
	t.machine_says = 0xff;
	t.has_seed = 1;
	t.seed = seed;
	for (i = 0; i < n; i++)
		trace_add(&t, &calls[i]);
	if (still_wrong(ws, &t))
		shrink(&t, still_wrong, ws);
	still_wrong(ws, &t);
	trace_name_all(&t);
	fprintf(stderr, "# the last call is refused by %s, and changes the world\n",
		gmem_clause(ws->last.clause)->name);
	trace_print(stderr, &t);
	trace_free(&t);
}

/* ---- worlds ---- */

static unsigned long long calls_made;

static int one_world(struct worlds *ws, uint64_t seed)
{
	struct linked_call calls[LENGTH];
	struct gmem_result results[LENGTH];
	struct random_calls rc;
	struct random random;
	size_t i;

	gmem_world_free(ws->w);
	ws->w = new_world(ws);
	random_seed(&random, seed);
	random_calls_begin(&rc, &random, ws->profile, 0x3f);
	for (i = 0; i < LENGTH; i++) {
		struct gmem_call c;

		random_call(&rc, &calls[i]);
		c = backend_resolve(&calls[i], results);
		calls_made++;
		if (!holds(ws, &c, &results[i])) {
			report(ws, seed, calls, i + 1);
			return 0;
		}
		random_call_result(&rc, &results[i]);
	}
	return 1;
}

static unsigned int scale(void)
{
	const char *s = getenv("GMEM_TEST_SCALE");

	return s && *s ? (unsigned int)strtoul(s, NULL, 0) : 100;
}

static const struct kind {
	const char *profile;
	uint8_t in_place;
	unsigned int share; /* of worlds, in tenths of WORLDS */
} kinds[] = {
	{ "linux-6.18", 1, 30 },
	{ "linux-6.8", 1, 20 },
	{ "rfc-shareability-v2", 1, 20 },
	{ "rfc-shareability-planned", 1, 10 },
	{ "coco-rfc-v1", 1, 10 },
	{ "coco-rfc-v1", 0, 10 },
	{ "coco-v5", 1, 10 },
	{ "coco-v8", 1, 10 },
	{ "linux-coco-v13", 1, 10 },
	{ "linux-coco-v13", 0, 10 },
	{ "coco-hugetlb", 1, 20 },
	{ "memfile-notifier-rfc2", 1, 2 },
	{ "memfile-notifier-v4", 1, 2 },
	{ "memfile-notifier-v5", 1, 2 },
	{ "memfile-notifier-v6", 1, 2 },
	{ "memfile-notifier-v7", 1, 2 },
	{ "restrictedmem-v10", 1, 2 },
	{ "restrictedmem-2023-01", 1, 2 },
	{ "restrictedmem-shim", 1, 2 },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void a_refused_call_changes_nothing(void **state)
{
	const struct kind *k = *state;
	struct worlds ws = { .profile = gmem_profile_find(k->profile),
			     .machine = gmem_machine_default };
	uint64_t i, seed;

	ws.machine.in_place = k->in_place;
	ws.other = new_world(&ws);
	for (i = 0; i < WORLDS * (uint64_t)scale() * k->share / 1000; i++) {
		seed = random_nth_seed(1, i);
		if (!one_world(&ws, seed))
			fail_msg("seed %llu of %s: see the trace above", (unsigned long long)seed,
				 gmem_profile_name(ws.profile));
	}
	gmem_world_free(ws.w);
	gmem_world_free(ws.other);
}

static void every_exception_occurs(void **state)
{
	unsigned int i, missed = 0;

	(void)state;
	if (scale() < 100)
		skip();
	for (i = 0; i < EXCEPTIONS; i++)
		if (!exceptions[i].occurred) {
			fprintf(stderr, "# %s, %s: never seen: %s\n",
				gmem_verb_info(exceptions[i].verb)->name, exceptions[i].clause,
				exceptions[i].reason);
			missed++;
		}
	assert_int_equal(missed, 0);
}

int main(void)
{
	struct CMUnitTest tests[KINDS + 1];
	char names[KINDS][80];
	double begun = seconds();
	size_t i;
	int failed;

	for (i = 0; i < KINDS; i++) {
		snprintf(names[i], sizeof(names[i]), "%s, switch %d", kinds[i].profile,
			 kinds[i].in_place);
		tests[i] = (struct CMUnitTest){ .name = names[i],
						.test_func = a_refused_call_changes_nothing,
						.initial_state = (void *)&kinds[i] };
	}
	tests[i] = (struct CMUnitTest)cmocka_unit_test(every_exception_occurs);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	fprintf(stderr, "# %llu calls, %.1f seconds\n", calls_made, seconds() - begun);
	return failed;
}
