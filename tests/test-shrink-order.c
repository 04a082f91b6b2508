/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the explorer finds, made small: the schedule leads there, and does no more without any one
 * of its rows; and so for every bug of the museum that shows only where calls overlap. Calls that
 * have nothing to do with it are gone.
 */
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common.h"
#include "explore-shrink.h"
#include "scene.h"
#include "trace.h"

static struct gmem_bounds all = {
	.states = 1000000, .preemptions = GMEM_NO_BOUND, .reduce = 1, .verify = 1
};

/* What the n rows of that schedule lead to. */
static uint8_t follow(const struct trace *t, const struct gmem_profile *p, const uint32_t *schedule,
		      size_t n)
{
	struct gmem_bounds bounds = all;
	struct scene s;
	uint8_t finding;

	bounds.follow = schedule;
	bounds.nr_follow = (uint32_t)n;
	assert_true(scene_set_up(&s, t, p));
	scene_explore(&s, &bounds);
	finding = s.x.finding;
	scene_tear_down(&s);
	return finding;
}

static void no_row_is_too_many(const struct trace *t, const struct gmem_profile *p, uint8_t finding)
{
	uint32_t *shorter = xcalloc(t->nr_schedule + 1, sizeof(*shorter));
	size_t i;

	assert_int_equal(follow(t, p, t->schedule, t->nr_schedule), finding);
	for (i = 0; i < t->nr_schedule; i++) {
		memcpy(shorter, t->schedule, i * sizeof(*shorter));
		memcpy(shorter + i, t->schedule + i + 1,
		       (t->nr_schedule - i - 1) * sizeof(*shorter));
		assert_int_equal(follow(t, p, shorter, t->nr_schedule - 1), GMEM_FOUND_NOTHING);
	}
	free(shorter);
}

/* Explores t with that bug; 1 if something is found, and then it is made small and tried. */
static int try_bug(const struct trace *t, const char *bug)
{
	const char *ids[] = { bug, NULL };
	const struct gmem_profile *base = t->profile ? t->profile : gmem_profile_default();
	struct gmem_profile *p;
	struct trace small;
	struct scene s;
	int found;

	if (gmem_profile_with_bugs(&p, base, ids, NULL, NULL) != GMEM_DONE)
		fail_msg("%s is no bug of %s", bug, gmem_profile_name(base));
	assert_true(scene_set_up(&s, t, p));
	scene_explore(&s, &all);
	found = s.x.finding != GMEM_FOUND_NOTHING;
	if (found) {
		trace_copy(&small, t);
		explore_shrink(&small, p, &all, &s);
		assert_true(small.nr_calls <= t->nr_calls);
		no_row_is_too_many(&small, p, s.x.finding);
		trace_free(&small);
	}
	scene_tear_down(&s);
	gmem_profile_free(p);
	return found;
}

static void read_or_die(struct trace *t, const char *file)
{
	struct trace_error e;

	if (!trace_read(t, file, &e))
		die("%s:%u: %s", file, e.line, e.reason);
}

static void museum(void **state)
{
	const char *srcdir = getenv("srcdir");
	unsigned int found = 0;
	char pattern[4096];
	glob_t files;
	size_t i;

	(void)state;
	snprintf(pattern, sizeof(pattern), "%s/traces/bugs/*.trace", srcdir ? srcdir : ".");
	assert_int_equal(glob(pattern, 0, NULL, &files), 0);
	for (i = 0; i < files.gl_pathc; i++) {
		char *name = strdup(strrchr(files.gl_pathv[i], '/') + 1);
		struct trace t;

		name[strcspn(name, "-.")] = '\0';
		read_or_die(&t, files.gl_pathv[i]);
		if (t.par_end && !t.nr_schedule)
			found += (unsigned int)try_bug(&t, name);
		trace_free(&t);
		free(name);
	}
	globfree(&files);
	print_message("# %u made small\n", found);
	assert_true(found > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(museum) };

	if (getenv("GMEM_TEST_SCALE"))
		all.verify = 0; /* memcheck sees bytes that nobody uses */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
