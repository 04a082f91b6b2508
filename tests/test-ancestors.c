/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The designs before guest_memfd have no oracle: what is held against them is every invariant, after
 * every call, in random worlds; and that a call which is refused has changed nothing. Then every row
 * of their tables must have been reached.
 *
 * GMEM_TEST_SCALE makes it shorter or longer (percent), GMEM_TEST_SEED makes it another one. What goes
 * wrong is shrunk and printed as a trace.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend.h"
#include "calls.h"
#include "random-calls.h"
#include "random.h"
#include "shrink.h"
#include "trace.h"

#define WORLDS 1500
#define LENGTH 120
#define TABLES 160
#define ROWS 64

static uint64_t number_from(const char *name, uint64_t otherwise)
{
	const char *s = getenv(name);

	return s && *s ? strtoull(s, NULL, 0) : otherwise;
}

static struct {
	uint64_t passed, decided;
} reached[TABLES][ROWS];

static void note_row(void *arg, const struct gmem_step_event *e)
{
	(void)arg;
	reached[e->table][e->row].passed += e->passed > 0;
	reached[e->table][e->row].decided += e->passed == 0;
}

static struct gmem_world *ancestors_world(const struct gmem_profile *p, int watched)
{
	struct gmem_config config = { .profile = p, .checking = GMEM_CHECK_CALLS };
	struct gmem_world *w = new_world_of(&config);

	if (watched)
		gmem_observe(w, note_row, NULL);
	return w;
}

/* Whether the calls of a trace come to a violation. */
static int is_violated(void *arg, const struct trace *t)
{
	struct gmem_world *w = ancestors_world(t->profile, 0);
	struct gmem_result results[LENGTH];
	enum gmem_status status = GMEM_DONE;
	size_t i;

	(void)arg;
	for (i = 0; i < t->nr_calls && status <= GMEM_MISUSE; i++) {
		struct gmem_call c = backend_resolve(&t->calls[i].linked, results);

		status = gmem_call(w, &c, &results[i]);
	}
	gmem_world_free(w);
	return status > GMEM_MISUSE;
}

static void report(const struct gmem_world *w, const struct gmem_profile *p, uint64_t seed,
		   const struct linked_call *calls, size_t n)
{
	const struct gmem_violation *v = gmem_violation(w);
	struct trace t;
	size_t i;

	fprintf(stderr, "# %s: %s (%s: %#llx, %#llx), seed %llu\n", v->invariant, v->sentence,
		v->saw, (unsigned long long)v->a, (unsigned long long)v->b,
		(unsigned long long)seed);
	trace_init(&t);
	t.profile = p;
	for (i = 0; i < n; i++)
		trace_add(&t, &calls[i]);
	shrink(&t, is_violated, NULL);
	trace_name_all(&t);
	trace_print(stderr, &t);
	trace_free(&t);
}

static void random_worlds(const struct gmem_profile *p, uint64_t worlds)
{
	uint64_t seed = number_from("GMEM_TEST_SEED", 1), world;

	for (world = 0; world < worlds; world++) {
		struct linked_call calls[LENGTH];
		struct gmem_result results[LENGTH];
		struct gmem_world *w = ancestors_world(p, 1);
		uint8_t types = world % 2 ? 1u << GMEM_VM_SW_PROTECTED : 0x33;
		static struct random_calls rc;
		struct random random;
		size_t i;

		random_seed(&random, random_nth_seed(seed, world));
		random_calls_begin(&rc, &random, p, types);
		for (i = 0; i < LENGTH; i++) {
			enum gmem_status status;
			struct gmem_call c;

			random_call(&rc, &calls[i]);
			c = backend_resolve(&calls[i], results);
			status = gmem_call(w, &c, &results[i]);
			if (status > GMEM_MISUSE)
				report(w, p, random_nth_seed(seed, world), calls, i + 1);
			assert_true(status <= GMEM_MISUSE);
			random_call_result(&rc, &results[i]);
		}
		gmem_world_free(w);
	}
}

static void invariants_hold(void **state)
{
	uint64_t scale = number_from("GMEM_TEST_SCALE", 100);

	memset(reached, 0, sizeof(reached));
	random_worlds(*state, WORLDS * scale / 100);
}

/* The tables in which the ancestor is not what 6.8 is; those are looked at elsewhere. */
static int is_like_6_8(const struct gmem_profile *p, unsigned int table)
{
	const struct gmem_profile *other = gmem_profile_find("linux-6.8");
	struct gmem_row a, b;
	unsigned int n = 0;

	while (gmem_profile_row(p, table, n, &a)) {
		if (!gmem_profile_row(other, table, n, &b) || strcmp(a.name, b.name) ||
		    strcmp(a.detail, b.detail) || a.clause != b.clause)
			return 0;
		n++;
	}
	return !gmem_profile_row(other, table, n, &b);
}

/* What it takes two tasks to come to; what only refuses; what these calls have not. */
static int is_out_of_reach(const struct gmem_row *row, const char *table)
{
	static const char *const names[] = { "note_invalid_slot", "never", "module_may_go",
					     "remove_module" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(row->name, names[i]))
			return 1;
	return !strcmp(table, "task_work") || !strncmp(row->detail, "srcu", 4) ||
	       !strcmp(row->kind, "retry");
}

static void every_row_runs(void **state)
{
	const struct gmem_profile *p = *state;
	unsigned int table, n, missed = 0;
	struct gmem_row row;

	if (number_from("GMEM_TEST_SCALE", 100) < 100)
		skip();
	for (table = 0; table < gmem_nr_tables(); table++) {
		if (is_like_6_8(p, table))
			continue;
		for (n = 0; gmem_profile_row(p, table, n, &row); n++) {
			const char *name = gmem_table_name(table);

			if (reached[table][n].passed || reached[table][n].decided ||
			    is_out_of_reach(&row, name))
				continue;
			missed++;
			fprintf(stderr, "# %s: %s: %s never ran\n", gmem_profile_name(p), name,
				row.name);
		}
	}
	assert_int_equal(missed, 0);
}

int main(void)
{
	static struct CMUnitTest tests[64];
	static char names[64][80];
	size_t n = 0;

	for (unsigned int i = 0; gmem_profile(i); i++) {
		const struct gmem_profile *p = gmem_profile(i);

		if (gmem_profile_has(p, GMEM_CREATE_GUEST_MEMFD))
			continue;
		snprintf(names[n], sizeof(names[n]), "invariants hold in %s", gmem_profile_name(p));
		tests[n] = (struct CMUnitTest){ .name = names[n],
						.test_func = invariants_hold,
						.initial_state = (void *)p };
		n++;
		snprintf(names[n], sizeof(names[n]), "every row of %s runs", gmem_profile_name(p));
		tests[n] = (struct CMUnitTest){ .name = names[n],
						.test_func = every_row_runs,
						.initial_state = (void *)p };
		n++;
	}
	return _cmocka_run_group_tests("ancestors", tests, n, NULL, NULL);
}
