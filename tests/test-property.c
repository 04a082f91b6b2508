/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The model and the oracle answer the same random calls the same way.
 *
 * Every seed is a world of its own: a profile, a machine, and up to a hundred calls, made up by
 * random-calls.h or by tools/random.h. On some of the worlds the invariants are checked after every
 * call, on a few after every step. That such calls come to every row is seen without the oracle, in
 * more worlds than it has the time for. What goes wrong is made small and printed as a trace that
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
#include "calls.h"
#include "pair.h"
#include "random-calls.h"
#include "shrink.h"

#define WORLDS 1200 /* at full scale, of each kind */
#define WORLDS_FOR_ROWS 4000
#define LENGTH 100

static const struct kind {
	const char *profile;
	uint8_t types; /* of VMs to make */
	struct gmem_machine machine;
} kinds[] = {
	{ "linux-6.18", 0x3f, { GMEM_X86_64, 0x3f, 1, 1, 1024, 0, 1 } },
	{ "linux-6.18", 0x30, { GMEM_X86_64, 0x31, 0, 1, 64, 46, 1 } },
	{ "linux-6.18", 0x01, { GMEM_X86_64, 0x01, 0, 0, 1024, 0, 1 } },
	{ "linux-6.18", 0x12, { GMEM_X86_64, 0x13, 0, 1, 9, 0, 1 } },
	{ "linux-6.8", 0x03, { GMEM_X86_64, 0x03, 1, 1, 8, 0, 1 } },
	{ "linux-6.8", 0x02, { GMEM_X86_64, 0x03, 0, 1, 1024, 0, 1 } },
	{ "rfc-shareability-v2", 0x3f, { GMEM_X86_64, 0x3f, 1, 1, 1024, 0, 1 } },
	{ "rfc-shareability-v2", 0x31, { GMEM_X86_64, 0x31, 0, 1, 9, 0, 0 } },
	{ "rfc-shareability-planned", 0x33, { GMEM_X86_64, 0x33, 0, 1, 10, 46, 0 } },
	{ "coco-rfc-v1", 0x12, { GMEM_X86_64, 0x13, 1, 1, 1024, 0, 1 } },
	{ "coco-rfc-v1", 0x32, { GMEM_X86_64, 0x33, 0, 1, 1024, 46, 0 } },
	{ "coco-v5", 0x32, { GMEM_X86_64, 0x33, 1, 1, 1024, 0, 1 } },
	{ "coco-v5", 0x32, { GMEM_X86_64, 0x32, 0, 1, 1024, 0, 0 } },
	{ "coco-v8", 0x32, { GMEM_X86_64, 0x3f, 0, 1, 1024, 46, 1 } },
	{ "coco-v8", 0x32, { GMEM_X86_64, 0x33, 1, 1, 1024, 0, 0 } },
	{ "linux-coco-v13", 0x3f, { GMEM_X86_64, 0x3f, 1, 1, 64, 46, 1 } },
	{ "linux-coco-v13", 0x33, { GMEM_X86_64, 0x3f, 0, 1, 1024, 0, 0 } },
	{ "coco-hugetlb", 0x33, { GMEM_X86_64, 0x3f, 0, 1, 1024, 0, 1 } },
	{ "coco-hugetlb", 0x32, { GMEM_X86_64, 0x32, 0, 1, 10, 0, 0 } },
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

/* ---- where calls come from ---- */

struct source {
	int own; /* random-calls.h, not tools/random.h */
	struct random_calls calls;
	struct generator tools;
	struct random random;
};

static void source_begin(struct source *s, const struct kind *k, uint64_t world, uint64_t seed)
{
	s->own = world % 3 != 0;
	random_seed(&s->random, seed);
	generator_begin(&s->tools, &s->random);
	s->tools.types = k->types;
	random_calls_begin(&s->calls, &s->random, gmem_profile_find(k->profile), k->types);
}

static void source_call(struct source *s, struct linked_call *l)
{
	if (s->own)
		random_call(&s->calls, l);
	else
		generator_call(&s->tools, l);
}

static void source_result(struct source *s, const struct gmem_result *r)
{
	if (s->own)
		random_call_result(&s->calls, r);
	else
		generator_result(&s->tools, r);
}

/* ---- which rows were reached ---- */

#define PROFILES 16
#define TABLES 128
#define ROWS 64

static struct reached {
	uint64_t passed, decided;
} reached[PROFILES][TABLES][ROWS];

static void note_row(void *arg, const struct gmem_step_event *e)
{
	struct reached *r = &((struct reached(*)[ROWS])arg)[e->table][e->row];

	r->passed += e->passed > 0;
	r->decided += e->passed == 0;
}

static unsigned int number_of(const struct gmem_profile *p)
{
	unsigned int n = 0;

	while (gmem_profile(n) != p)
		n++;
	return n;
}

/* Checks that these machines, or any, always pass; of one profile, or of all. */
static const struct {
	const char *profile, *row, *why;
} passing[] = {
	{ NULL, "gfns_are_in_ipa_space", "arm64" },
	{ NULL, "arch_takes_this_guest_memfd", "arm64" },
	{ NULL, "vcpu_ioctl_exists", "arm64, 6.8" },
	{ NULL, "binding_is_the_slots", "bindings and memslots agree" },
	{ NULL, "create_guest_memfd_exists", "private memory is left out once" },
	{ NULL, "slot_is_valid_for_prefault", "two tasks" },
	{ NULL, "folio_is_still_not_uptodate", "two tasks" },
	{ NULL, "page_is_still_private", "two tasks" },
	{ "linux-6.8", "access_matches_attribute", "guests do as the attribute says" },
	{ "rfc-shareability-v2", "vm_has_left_tracking", "was planned later" },
};

static int passes_always(const struct gmem_profile *p, const char *row)
{
	size_t i;

	for (i = 0; i < sizeof(passing) / sizeof(passing[0]); i++)
		if (!strcmp(row, passing[i].row) &&
		    (!passing[i].profile || !strcmp(gmem_profile_name(p), passing[i].profile)))
			return 1;
	return 0;
}

/*
 * Rows that calls which do not overlap never come to (where another task closes the file that a
 * call holds), or only in a world that is listened to.
 */
static int needs_more_than_calls(const struct gmem_row *row, const char *table)
{
	if (!strcmp(table, "guest_fault") && /* a memslot on its way out */
	    (!strcmp(row->name, "note_invalid_slot") || !strncmp(row->detail, "srcu", 4)))
		return 1;
	if (!strcmp(row->name, "erase_binding"))
		return !strcmp(gmem_clause(row->clause)->name, "UNBIND-4");
	return !strcmp(row->name, "begin_at_first_page") ||
	       !strcmp(row->name, "next_mapping_of_next_folio") || !strcmp(table, "task_work");
}

static int was_reached(const struct gmem_profile *p, const struct gmem_row *row, const char *table,
		       const struct reached *r)
{
	if (needs_more_than_calls(row, table))
		return 1;
	if (strcmp(row->kind, "check"))
		return r->passed || r->decided;
	return (r->passed || !strcmp(row->name, "never") || passes_always(p, row->name)) &&
	       (r->decided || passes_always(p, row->name));
}

static int rows_are_the_same(const struct gmem_row *a, const struct gmem_row *b)
{
	return !strcmp(a->name, b->name) && !strcmp(a->kind, b->kind) &&
	       !strcmp(a->detail, b->detail) && a->clause == b->clause && a->err == b->err;
}

static int tables_are_the_same(const struct gmem_profile *a, const struct gmem_profile *b,
			       unsigned int table)
{
	struct gmem_row row_a, row_b;
	unsigned int n;
	int in_a, in_b;

	for (n = 0;; n++) {
		in_a = gmem_profile_row(a, table, n, &row_a);
		in_b = gmem_profile_row(b, table, n, &row_b);
		if (!in_a || !in_b)
			return in_a == in_b;
		if (!rows_are_the_same(&row_a, &row_b))
			return 0;
	}
}

static unsigned int rows_missed(const struct gmem_profile *p, unsigned int table)
{
	unsigned int n, missed = 0;
	struct gmem_row row;

	for (n = 0; gmem_profile_row(p, table, n, &row); n++)
		if (!was_reached(p, &row, gmem_table_name(table),
				 &reached[number_of(p)][table][n])) {
			fprintf(stderr, "# %s: %s: %s (%s) was not reached\n", gmem_profile_name(p),
				gmem_table_name(table), row.name,
				row.clause ? gmem_clause(row.clause)->name : "no clause");
			missed++;
		}
	return missed;
}

static void watch_world(const struct kind *k, uint64_t world, uint64_t seed)
{
	const struct gmem_config config = { .profile = gmem_profile_find(k->profile),
					    .machine = &k->machine };
	struct gmem_result results[LENGTH];
	struct gmem_world *w;
	struct source source;
	size_t i;

	assert_int_equal(gmem_world_new(&w, &config), GMEM_DONE);
	gmem_observe(w, note_row, reached[number_of(config.profile)]);
	source_begin(&source, k, world, seed);
	for (i = 0; i < LENGTH; i++) {
		struct linked_call l;
		struct gmem_call c;

		source_call(&source, &l);
		c = backend_resolve(&l, results);
		assert_true(gmem_call(w, &c, &results[i]) <= GMEM_MISUSE);
		source_result(&source, &results[i]);
	}
	gmem_world_free(w);
}

/* Whether table is another's, too: 6.18's, or one's before p. */
static int is_looked_at_elsewhere(const struct gmem_profile *p, unsigned int table)
{
	const struct gmem_profile *most = gmem_profile_find("linux-6.18");
	unsigned int i;

	if (p == most)
		return 0;
	for (i = 0; gmem_profile(i) != p; i++)
		if (tables_are_the_same(p, gmem_profile(i), table))
			return 1;
	return tables_are_the_same(p, most, table);
}

/* Calls that guest_memfd has no answer to: tests/test-ancestors.c makes them. */
static int is_an_ancestors(unsigned int table)
{
	return table >= GMEM_MEMFD_CREATE && table < GMEM_NR_VERBS;
}

/* A table that profiles share is looked at in one of them. */
static void every_row_was_reached(void **state)
{
	uint64_t seed = number_from("GMEM_TEST_SEED", 1), world;
	const struct gmem_profile *p;
	unsigned int table, i, missed = 0;

	(void)state;
	if (number_from("GMEM_TEST_SCALE", 100) < 100)
		skip();
	for (i = 0; i < KINDS; i++)
		for (world = 0; world < WORLDS_FOR_ROWS; world++)
			watch_world(&kinds[i], world, random_nth_seed(seed, world));
	for (i = 0; (p = design(i)); i++)
		for (table = 0; table < gmem_nr_tables(); table++)
			if (!is_looked_at_elsewhere(p, table) && !is_an_ancestors(table))
				missed += rows_missed(p, table);
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
	struct source source;
	size_t i;

	pair_begin(p, gmem_profile_find(k->profile), &k->machine, checking_of(world));
	source_begin(&source, k, world, seed);
	for (i = 0; i < LENGTH && verdict == PAIR_AGREES; i++) {
		struct gmem_call c;

		source_call(&source, &calls[i]);
		c = backend_resolve(&calls[i], results);
		verdict = pair_call(p, &c, &results[i]);
		source_result(&source, &results[i]);
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
		snprintf(names[i], sizeof(names[i]),
			 "%s, types %#x of %#x, smm %d, tdp %d, %u fds, switch %d",
			 kinds[i].profile, kinds[i].types, kinds[i].machine.vm_types,
			 kinds[i].machine.smm, kinds[i].machine.tdp, kinds[i].machine.max_fds,
			 kinds[i].machine.in_place);
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
