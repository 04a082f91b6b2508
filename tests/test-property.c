/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The model and the oracle answer the same random calls the same way.
 *
 * Every seed is a world of its own: a profile, a machine, and up to a hundred calls, made up by
 * random-calls.h or by tools/random.h. On some of the worlds the invariants are checked after every
 * call, on a few after every step. What goes wrong is made small and printed as a trace that
 * demands what the oracle says, with the seed and the profile in its header: `gmem replay` shows it
 * again.
 *
 * GMEM_TEST_SCALE makes it shorter or longer (percent), GMEM_TEST_SEED begins elsewhere.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common.h"
#include "pair.h"
#include "random-calls.h"
#include "shrink.h"

#define WORLDS 70000 /* at full scale, of each kind */
#define LENGTH 100

static const struct kind {
	const char *profile;
	uint8_t types; /* of VMs to make */
	struct gmem_machine machine;
} kinds[] = {
	{ "linux-6.18", 0x3f, { GMEM_X86_64, 0x3f, 1, 1, 1024 } },
	{ "linux-6.18", 0x30, { GMEM_X86_64, 0x31, 0, 1, 64 } },
	{ "linux-6.18", 0x01, { GMEM_X86_64, 0x01, 0, 0, 1024 } },
	{ "linux-6.18", 0x12, { GMEM_X86_64, 0x13, 0, 1, 9 } },
	{ "linux-6.8", 0x03, { GMEM_X86_64, 0x03, 1, 1, 8 } },
	{ "linux-6.8", 0x02, { GMEM_X86_64, 0x03, 0, 1, 1024 } },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static uint64_t number_from(const char *name, uint64_t otherwise)
{
	const char *s = getenv(name);

	return s && *s ? strtoull(s, NULL, 0) : otherwise;
}

static enum gmem_checking checking_of(uint64_t world)
{
	if (world % 16)
		return GMEM_CHECK_NEVER;
	return world % 256 ? GMEM_CHECK_CALLS : GMEM_CHECK_STEPS;
}

/* ---- which rows were reached ---- */

#define TABLES 128
#define ROWS 64

static struct reached {
	uint64_t passed, decided;
} reached[2][TABLES][ROWS]; /* of 6.8, of 6.18 */

static void note_row(void *arg, const struct gmem_step_event *e)
{
	struct reached *r = &((struct reached(*)[ROWS])arg)[e->table][e->row];

	r->passed += e->passed > 0;
	r->decided += e->passed == 0;
}

/* Checks that these machines, or any, always pass; or that never do. */
static int passes_always(const char *row)
{
	static const char *const rows[] = {
		"gfns_are_in_ipa_space",       /* arm64 */
		"arch_takes_this_guest_memfd", /* arm64 */
		"vcpu_ioctl_exists",	       /* arm64, 6.8 */
		"binding_is_the_slots",	       /* bindings and memslots agree */
		"ioctl_exists",		       /* private memory is left out once */
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!strcmp(row, rows[i]))
			return 1;
	return 0;
}

static int was_reached(const struct gmem_row *row, const struct reached *r)
{
	if (strcmp(row->kind, "check"))
		return r->passed || r->decided;
	return (r->passed || !strcmp(row->name, "never")) &&
	       (r->decided || passes_always(row->name));
}

/* A table that 6.8 shares with 6.18, but not with what 6.8 does not have, is looked at once. */
static void every_row_was_reached(void **state)
{
	const struct gmem_profile *p = gmem_profile_find("linux-6.18");
	unsigned int table, n, missed = 0;
	struct gmem_row row;

	(void)state;
	if (number_from("GMEM_TEST_SCALE", 100) < 100)
		skip();
	for (table = 0; table < gmem_nr_tables(); table++)
		for (n = 0; gmem_profile_row(p, table, n, &row); n++)
			if (!was_reached(&row, &reached[1][table][n])) {
				fprintf(stderr, "# %s: %s (%s) was not reached\n",
					gmem_table_name(table), row.name,
					gmem_clause(row.clause)->name);
				missed++;
			}
	assert_int_equal(missed, 0);
}

/* ---- what went wrong, as a trace ---- */

static int still_wrong(void *arg, const struct trace *t)
{
	return pair_run_trace(arg, t) != PAIR_AGREES;
}

static void report(struct pair *p, const struct kind *k, uint64_t seed,
		   const struct linked_call *calls, size_t n)
{
	struct trace t;
	size_t i;

	trace_init(&t);
	t.profile = gmem_profile_find(k->profile);
	t.machine = k->machine;
	t.machine_says = 0xff;
	t.has_seed = 1;
	t.seed = seed;
	for (i = 0; i < n; i++)
		trace_add(&t, &calls[i]);
	if (still_wrong(p, &t))
		shrink(&t, still_wrong, p);
	pair_explain(stderr, p, &t);
	trace_free(&t);
}

/* ---- one world ---- */

static uint64_t calls_made, worlds_outside;

static int one_world(struct pair *p, const struct kind *k, uint64_t world, uint64_t seed)
{
	struct linked_call calls[LENGTH];
	struct gmem_result results[LENGTH];
	enum pair_verdict verdict = PAIR_AGREES;
	struct random_calls own;
	struct generator tools;
	struct random r;
	size_t i;

	pair_begin(p, gmem_profile_find(k->profile), &k->machine, checking_of(world));
	if (world % 8 == 1)
		gmem_observe(p->world, note_row, reached[!strcmp(k->profile, "linux-6.18")]);
	random_seed(&r, seed);
	generator_begin(&tools, &r);
	tools.types = k->types;
	random_calls_begin(&own, &r, k->types);
	for (i = 0; i < LENGTH && verdict == PAIR_AGREES; i++) {
		struct gmem_call c;

		if (world % 3)
			random_call(&own, &calls[i]);
		else
			generator_call(&tools, &calls[i]);
		c = backend_resolve(&calls[i], results);
		verdict = pair_call(p, &c, &results[i]);
		if (world % 3)
			random_call_result(&own, &results[i]);
		else
			generator_result(&tools, &results[i]);
		calls_made++;
	}
	worlds_outside += verdict == PAIR_OUTSIDE;
	if (verdict == PAIR_AGREES || verdict == PAIR_OUTSIDE)
		return 1;
	report(p, k, seed, calls, i);
	return 0;
}

static void model_and_oracle_agree(void **state)
{
	uint64_t scale = number_from("GMEM_TEST_SCALE", 100);
	uint64_t worlds = WORLDS * scale / 100, seed = number_from("GMEM_TEST_SEED", 1), i;
	const struct kind *k = *state;
	struct pair p;

	pair_open(&p);
	for (i = 0; i < worlds; i++)
		if (!one_world(&p, k, i, random_nth_seed(seed, i)))
			fail_msg("seed %llu of %s: see the trace above",
				 (unsigned long long)random_nth_seed(seed, i), k->profile);
	pair_close(&p);
}

int main(void)
{
	struct CMUnitTest tests[KINDS + 1];
	char names[KINDS][80];
	double begun = seconds();
	size_t i;
	int failed;

	for (i = 0; i < KINDS; i++) {
		snprintf(names[i], sizeof(names[i]), "%s, types %#x of %#x, smm %d, tdp %d, %u fds",
			 kinds[i].profile, kinds[i].types, kinds[i].machine.vm_types,
			 kinds[i].machine.smm, kinds[i].machine.tdp, kinds[i].machine.max_fds);
		tests[i] = (struct CMUnitTest){ .name = names[i],
						.test_func = model_and_oracle_agree,
						.initial_state = (void *)&kinds[i] };
	}
	tests[i] = (struct CMUnitTest)cmocka_unit_test(every_row_was_reached);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	fprintf(stderr, "# %llu calls, %.1f seconds; %llu worlds grew beyond the oracle\n",
		(unsigned long long)calls_made, seconds() - begun,
		(unsigned long long)worlds_outside);
	return failed;
}
