/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What model/touch.c says of the steps is all of them, and is true: no step reads or writes more.
 *
 * Calls of one task and of several, whose rows run in any order, are made up for every profile, as
 * it is and with each museum bug, and taken from the corpus. touched.h looks at each row. Where the
 * compiler cannot help with that only the names are compared.
 *
 * GMEM_TEST_SCALE makes it shorter or longer (percent); GMEM_TOUCH_REPORT=1 prints what could be said more
 * narrowly.
 */
#include <ftw.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bugs.h"
#include "common.h"
#include "ops.h"
#include "profile.h"
#include "random.h"
#include "touched.h"
#include "trace.h"

#define WORLDS 60     /* of each profile, at full scale */
#define BUG_WORLDS 10 /* of each profile with each bug */
#define PAR_ORDERS 8  /* of each trace whose calls overlap */
#define MOST_NAMES 1024

static uint64_t scaled(uint64_t n)
{
	const char *s = getenv("GMEM_TEST_SCALE");

	return s && *s ? (n * strtoull(s, NULL, 0) + 99) / 100 : n;
}

/* ---- names ---- */

static struct names {
	const char *name[MOST_NAMES];
	unsigned int n;
} names;

static void add_name(const char *name)
{
	for (unsigned int i = 0; i < names.n; i++)
		if (!strcmp(names.name[i], name))
			return;
	assert_true(names.n < MOST_NAMES);
	names.name[names.n++] = name;
}

static void add_row(const struct gmem_step *s)
{
	if (s->when)
		add_name(s->when_name);
	if (s->check || s->act)
		add_name(s->name);
}

static void add_tables(const struct gmem_profile *p)
{
	for (unsigned int t = 0; t < GMEM_NR_TABLES; t++)
		for (const struct gmem_step *s = p->tables[t]; s->kind != STEP_END; s++)
			add_row(s);
}

/* Calls fn for every profile with every bug that concerns it; each copy lives for that long. */
static void each_bug(void (*fn)(const struct gmem_profile *p))
{
	for (unsigned int n = 0; gmem_profile(n); n++)
		for (unsigned int i = 0; gmem_bug(i); i++) {
			const char *const ids[] = { gmem_bug(i), NULL };
			struct gmem_profile *copy;

			if (gmem_profile_with_bugs(&copy, gmem_profile(n), ids, NULL, NULL))
				continue;
			fn(copy);
			gmem_profile_free(copy);
		}
}

/* Their names stay when the copies are gone. */
static void find_names(void)
{
	for (unsigned int n = 0; !names.n || gmem_profile(n); n++)
		add_tables(gmem_profile(n));
	each_bug(add_tables);
}

static void every_step_is_said(void **state)
{
	unsigned int missing = 0;

	(void)state;
	find_names();
	for (unsigned int i = 0; i < names.n; i++)
		if (!gmem_touch_of(names.name[i])) {
			missing++;
			print_error("%s is in a table, and nothing is said of it\n", names.name[i]);
		}
	assert_int_equal(missing, 0);
}

/* What gmem_profile_without() puts in the place of a row is in no table. */
static int is_a_name(const char *name)
{
	unsigned int i = 0;

	while (i < names.n && strcmp(names.name[i], name))
		i++;
	return i < names.n || !strcmp(name, "do_nothing");
}

static void every_thing_said_is_of_a_step(void **state)
{
	const char *name, *last = "";
	unsigned int wrong = 0, n = 0;

	(void)state;
	for (; (name = gmem_touch_name(n)); n++) {
		if (!is_a_name(name)) {
			wrong++;
			print_error("%s is in no table\n", name);
		}
		if (!gmem_touch_of(name)) {
			wrong++;
			print_error("%s is not found: it stands in the wrong place, after %s\n",
				    name, last);
		}
		last = name;
	}
	assert_int_equal(wrong, 0);
	assert_int_equal(n, names.n + 1);
}

/* ---- calls ---- */

#ifdef HAVE_RECORDING

static void run_worlds(const struct gmem_profile *p, uint64_t n)
{
	for (uint64_t seed = 0; seed < n; seed++)
		touched_random_world(p, seed);
}

/* A world at least; in a short run, of a few only. */
static void run_bug_worlds(const struct gmem_profile *p)
{
	static uint64_t nth;

	if (nth++ % BUG_WORLDS < scaled(BUG_WORLDS))
		run_worlds(p, scaled(BUG_WORLDS));
}

static void random_calls_do_as_said(void **state)
{
	(void)state;
	for (unsigned int n = 0; gmem_profile(n); n++)
		run_worlds(gmem_profile(n), scaled(WORLDS));
	assert_int_equal(touched_wrong(), 0);
}

static void bugs_do_as_said(void **state)
{
	(void)state;
	each_bug(run_bug_worlds);
	assert_int_equal(touched_wrong(), 0);
}

/* ---- the corpus ---- */

struct replay {
	const struct trace *t;
	struct gmem_world *w;
	struct gmem_result *results;
	size_t next[GMEM_MAX_TASKS]; /* of each task: where to look for its next call */
	size_t left;
};

/* The task's next call of those that overlap; 0 if it has none. */
static int begin_next(struct replay *r, uint32_t task)
{
	size_t i = r->next[task];
	struct gmem_call c;

	while (i < r->t->par_end && r->t->calls[i].linked.call.task != task)
		i++;
	if (i == r->t->par_end)
		return 0;
	r->next[task] = i + 1;
	c = backend_resolve(&r->t->calls[i].linked, r->results);
	return touched_begin(r->w, &c) == GMEM_DONE;
}

/* 0: it waits, has no more calls, or something was violated. */
static int run_some_rows(struct replay *r, uint32_t task, uint64_t rows)
{
	enum gmem_progress progress = GMEM_RAN;
	struct gmem_result result;

	if (!gmem_task_runs(r->w, task) && !begin_next(r, task))
		return 0;
	while (rows-- && progress == GMEM_RAN)
		if (touched_step(r->w, task, &progress, &result) != GMEM_DONE)
			return 0;
	if (progress == GMEM_OVER) {
		r->results[r->next[task] - 1] = result;
		r->left--;
	}
	return progress != GMEM_WAITS;
}

static int run_par(struct replay *r, struct random *random)
{
	unsigned int idle = 0;

	r->left = r->t->par_end - r->t->par_first;
	for (unsigned int i = 0; i < GMEM_MAX_TASKS; i++)
		r->next[i] = r->t->par_first;
	while (r->left && idle++ < 200) {
		size_t n = r->t->par_first + random_below(random, r->t->par_end - r->t->par_first);

		if (run_some_rows(r, r->t->calls[n].linked.call.task, 1 + random_below(random, 12)))
			idle = 0;
	}
	return !r->left;
}

static void replay(const struct trace *t, const struct gmem_profile *p, uint64_t seed)
{
	struct replay r = { .t = t,
			    .w = touched_world(p, &t->machine),
			    .results = xcalloc(t->nr_calls + 1, sizeof(struct gmem_result)) };
	struct random random;
	int goes_on = 1;

	random_seed(&random, seed);
	for (size_t i = 0; i < t->nr_calls && goes_on; i++) {
		struct gmem_call c = backend_resolve(&t->calls[i].linked, r.results);

		if (t->par_end && i == t->par_first) {
			goes_on = run_par(&r, &random);
			i = t->par_end - 1;
		} else {
			goes_on = touched_call(r.w, &c, &r.results[i]);
		}
	}
	free(r.results);
	gmem_world_free(r.w);
}

static int replay_file(const char *path, const struct stat *st, int type)
{
	static uint64_t nth;
	size_t n = strlen(path);
	struct trace_error e;
	struct trace t;

	(void)st;
	if (type != FTW_F || n < 6 || strcmp(path + n - 6, ".trace") || nth++ % 100 >= scaled(100))
		return 0;
	touched_in("%s", path);
	assert_true(trace_read(&t, path, &e));
	for (uint64_t seed = 0; seed < (t.par_end ? scaled(PAR_ORDERS) : 1); seed++)
		replay(&t, t.profile ? t.profile : gmem_profile_default(), seed);
	trace_free(&t);
	return 0;
}

static void the_corpus_does_as_said(void **state)
{
	const char *srcdir = getenv("srcdir");
	char path[4096];

	(void)state;
	snprintf(path, sizeof(path), "%s/traces", srcdir ? srcdir : ".");
	assert_int_equal(ftw(path, replay_file, 16), 0);
	assert_int_equal(touched_wrong(), 0);
}

/* ---- whether any of it would be noticed ---- */

static struct gmem_touch narrowed;
static const char *narrowed_step;

static const struct gmem_touch *say_less(const char *name)
{
	return strcmp(name, narrowed_step) ? gmem_touch_of(name) : &narrowed;
}

static int is_noticed(const char *step, const struct gmem_touch *instead)
{
	unsigned int before = touched_wrong();

	narrowed_step = step;
	narrowed = *instead;
	touched_hold_against(say_less);
	run_worlds(gmem_profile_default(), 24);
	touched_hold_against(gmem_touch_of);
	narrowed_step = NULL;
	return touched_forget(before) != 0;
}

static void what_is_not_said_is_noticed(void **state)
{
	struct gmem_touch t;

	(void)state;
	t = *gmem_touch_of("clear_entries");
	t.writes = 0;
	assert_true(is_noticed("clear_entries", &t));
	t = *gmem_touch_of("clear_entries");
	t.address_span = AT_PAGE;
	assert_true(is_noticed("clear_entries", &t));
	t = *gmem_touch_of("copy_descriptors");
	t.any = 0;
	assert_true(is_noticed("copy_descriptors", &t));
	t = *gmem_touch_of("fdget");
	t.reads = 0;
	assert_true(is_noticed("fdget", &t));
	t = *gmem_touch_of("is_mapped");
	t.reads = 0;
	assert_true(is_noticed("is_mapped", &t));
}

/* Last: for people. */
static void print_what_was_seen(void **state)
{
	unsigned int seen = 0;

	(void)state;
	for (unsigned int i = 0; i < names.n; i++)
		seen += touched_times(names.name[i]) != 0;
	printf("# %u times a step looked at what had been freed\n", touched_freed());
	printf("# %u of %u steps ran; never:", seen, names.n);
	for (unsigned int i = 0; i < names.n; i++)
		if (!touched_times(names.name[i]))
			printf(" %s", names.name[i]);
	printf("\n");
	if (getenv("GMEM_TOUCH_REPORT"))
		touched_report();
}

#else

static void random_calls_do_as_said(void **state)
{
	(void)state;
	printf("# the compiler cannot call a function before each access\n");
	skip();
}
#define bugs_do_as_said random_calls_do_as_said
#define the_corpus_does_as_said random_calls_do_as_said
#define what_is_not_said_is_noticed random_calls_do_as_said
#define print_what_was_seen random_calls_do_as_said

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_step_is_said),
		cmocka_unit_test(every_thing_said_is_of_a_step),
		cmocka_unit_test(random_calls_do_as_said),
		cmocka_unit_test(bugs_do_as_said),
		cmocka_unit_test(the_corpus_does_as_said),
		cmocka_unit_test(what_is_not_said_is_noticed),
		cmocka_unit_test(print_what_was_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
