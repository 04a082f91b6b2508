/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whatever the order in which locks are seen, the lock checker comes to the same: what a checker too
 * stupid to be wrong makes of all that was seen, once everything was. And the right tables of every
 * profile are in order, whether calls are made one after the other or overlap.
 *
 * GMEM_TEST_SCALE makes it shorter or longer (percent).
 */
#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "backend-model.h"
#include "calls.h"
#include "lockdep.h"
#include "random-calls.h"
#include "scene.h"

#define N GMEM_NR_LOCKS
#define MOST_SEEN 24

/* One thing that is seen: a class is taken, alone or under another one. */
struct seen {
	struct gmem_lock_site held, taken;
	int alone;
};

/* An order that is in a cycle, by its two classes. */
struct verdict {
	uint8_t in_cycle[N][N];
};

static struct gmem_lock_site random_site(struct random *r, unsigned int classes)
{
	struct gmem_lock_site s = { .class = (uint8_t)random_below(r, classes),
				    .mode = random_below(r, 3) == 0 };

	return s;
}

static void make_up(struct random *r, struct seen *seen, unsigned int n)
{
	unsigned int classes = 2 + (unsigned int)random_below(r, N - 1), i;

	for (i = 0; i < n; i++) {
		seen[i].held = random_site(r, classes);
		seen[i].taken = random_site(r, classes);
		seen[i].alone = random_one_in(r, 4);
	}
}

/* ---- the stupid one: which orders can follow each other, and then round and round ---- */

static int is_order(const struct seen *s)
{
	return !s->alone && s->held.class != s->taken.class;
}

static int is_written(const struct seen *seen, unsigned int n, unsigned int class)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if ((seen[i].taken.class == class && seen[i].taken.mode) ||
		    (is_order(&seen[i]) && seen[i].held.class == class && seen[i].held.mode))
			return 1;
	return 0;
}

/* Whether who took b's lock in a waits for who holds it in b. */
static int follows(const struct seen *seen, unsigned int n, unsigned int a, unsigned int b)
{
	unsigned int class = seen[b].held.class;

	if (!is_order(&seen[a]) || !is_order(&seen[b]) || seen[a].taken.class != class)
		return 0;
	if (class == SRCU || class == MEMFILE_SRCU || class == NOTIFIERS)
		return seen[a].taken.mode && !seen[b].held.mode;
	return is_written(seen, n, class);
}

static struct verdict judge(const struct seen *seen, unsigned int n)
{
	uint8_t way[MOST_SEEN][MOST_SEEN];
	struct verdict v = { 0 };
	unsigned int i, k, m;

	for (i = 0; i < n; i++)
		for (k = 0; k < n; k++)
			way[i][k] = (uint8_t)follows(seen, n, i, k);
	for (m = 0; m < n; m++)
		for (i = 0; i < n; i++)
			for (k = 0; k < n; k++)
				way[i][k] |= way[i][m] && way[m][k];
	for (i = 0; i < n; i++)
		if (way[i][i])
			v.in_cycle[seen[i].held.class][seen[i].taken.class] = 1;
	return v;
}

/* ---- the checker ---- */

static void see(struct gmem_lockdep *d, const struct seen *s)
{
	gmem_lockdep_take(d, &s->taken, NULL);
	if (!s->alone)
		gmem_lockdep_take_under(d, &s->held, &s->taken, true);
}

/* Each link goes on where the last one ended, round to the first, and no class comes twice. */
static void assert_is_round(const struct gmem_lock_report *r)
{
	unsigned int i, k;

	assert_true(r->nr_links >= 2);
	for (i = 0; i < r->nr_links; i++) {
		assert_int_equal(r->links[i].taken.class,
				 r->links[(i + 1) % r->nr_links].held.class);
		for (k = 0; k < i; k++)
			assert_int_not_equal(r->links[i].held.class, r->links[k].held.class);
	}
}

static struct verdict verdict_of(const struct gmem_lockdep *d)
{
	const struct gmem_lock_report *r;
	struct verdict v = { 0 };
	unsigned int n, i;

	for (n = 0; (r = gmem_lock_report(d, n)); n++) {
		if (r->problem != GMEM_LOCK_CYCLE)
			continue;
		assert_is_round(r);
		for (i = 0; i < r->nr_links; i++)
			v.in_cycle[r->links[i].held.class][r->links[i].taken.class] = 1;
	}
	return v;
}

static void shuffle(struct random *r, struct seen *seen, unsigned int n)
{
	unsigned int i, k;

	for (i = n - 1; i > 0; i--) {
		const struct seen s = seen[i];

		k = (unsigned int)random_below(r, i + 1);
		seen[i] = seen[k];
		seen[k] = s;
	}
}

/* Also on the way there: what was seen by then is judged by then. */
static void any_order_comes_to_the_same(void **state)
{
	unsigned long sets, cyclic = 0;
	struct random r;

	(void)state;
	random_seed(&r, 3);
	for (sets = 0; sets < scaled(2000); sets++) {
		unsigned int n = 1 + (unsigned int)random_below(&r, MOST_SEEN), times, i;
		struct seen seen[MOST_SEEN];

		make_up(&r, seen, n);
		for (times = 0; times < 4; times++) {
			struct gmem_lockdep *d = gmem_lockdep_new(NULL, NULL);
			struct verdict expected, got;

			shuffle(&r, seen, n);
			for (i = 0; i < n; i++) {
				see(d, &seen[i]);
				expected = judge(seen, i + 1);
				got = verdict_of(d);
				assert_memory_equal(&got, &expected, sizeof(got));
			}
			gmem_lockdep_free(d);
		}
		cyclic += memchr(judge(seen, n).in_cycle, 1, sizeof(struct verdict)) != NULL;
	}
	assert_true(cyclic > sets / 10 && cyclic < sets * 9 / 10);
}

/* Two checkers that see a part each, and are told what the other one has seen. */
static void told_as_seen(void **state)
{
	uint8_t bytes[2][GMEM_LOCKDEP_BYTES];
	unsigned long sets;
	struct random r;

	(void)state;
	random_seed(&r, 4);
	for (sets = 0; sets < scaled(4000); sets++) {
		unsigned int n = 1 + (unsigned int)random_below(&r, MOST_SEEN), i;
		struct gmem_lockdep *d[2] = { gmem_lockdep_new(NULL, NULL),
					      gmem_lockdep_new(NULL, NULL) };
		struct verdict expected, got;
		struct seen seen[MOST_SEEN];
		size_t size[2];

		make_up(&r, seen, n);
		for (i = 0; i < n; i++)
			see(d[random_below(&r, 2)], &seen[i]);
		expected = judge(seen, n);
		for (i = 0; i < 2; i++)
			size[i] = gmem_lockdep_put(d[i], bytes[i]);
		for (i = 0; i < 2; i++) {
			assert_true(gmem_lockdep_get(d[i], bytes[!i], size[!i]));
			got = verdict_of(d[i]);
			assert_memory_equal(&got, &expected, sizeof(got));
		}
		assert_int_equal(gmem_lockdep_seen(d[0]), gmem_lockdep_seen(d[1]));
		/* Nonsense is refused, or does no harm. */
		if (size[0])
			bytes[0][random_below(&r, size[0])] ^= (uint8_t)(1 + random_below(&r, 255));
		gmem_lockdep_get(d[0], bytes[0], random_below(&r, size[0] + 1));
		verdict_of(d[0]);
		gmem_lockdep_free(d[0]);
		gmem_lockdep_free(d[1]);
	}
}

static void nonsense_is_not_taken(void **state)
{
	static const unsigned int wrong[] = { 0, 1, 8, 9, 10, 17 }; /* class, mode, verb */
	struct gmem_lock_site held = { .class = MMAP_LOCK }, taken = { .class = FOLIO_LOCK };
	struct gmem_lockdep *d = gmem_lockdep_new(NULL, NULL);
	uint8_t bytes[GMEM_LOCKDEP_BYTES];
	size_t size;

	(void)state;
	gmem_lockdep_take_under(d, &held, &taken, false);
	size = gmem_lockdep_put(d, bytes);
	for (size_t n = 0; n < size; n++)
		assert_int_equal(gmem_lockdep_get(d, bytes, n), n == GMEM_NR_LOCKS);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		uint8_t *at = &bytes[GMEM_NR_LOCKS + wrong[i]], was = *at;

		*at = 255;
		assert_false(gmem_lockdep_get(d, bytes, size));
		*at = was;
	}
	assert_true(gmem_lockdep_get(d, bytes, size));
	assert_int_equal(gmem_lockdep_seen(d), 1);
	gmem_lockdep_free(d);
}

/* ---- the right tables ---- */

static void assert_in_order(const struct gmem_lockdep *d, const char *profile)
{
	const struct gmem_lock_report *r = gmem_lock_report(d, 0);

	if (r)
		fail_msg("%s: problem %u: %s, by %s, row %u of %s, and %s", profile, r->problem,
			 gmem_lock_name(r->links[0].held.class),
			 gmem_verb_info(r->links[0].held.verb)->name, r->links[0].held.row,
			 gmem_table_name(r->links[0].held.table),
			 gmem_lock_name(r->links[0].taken.class));
}

static void make_random_calls(struct gmem_lockdep *d, const struct gmem_profile *p, uint64_t seed)
{
	static struct gmem_result results[RANDOM_CALLS_MOST];
	static struct random_calls rc;
	struct gmem_world *w = new_world_of(&(struct gmem_config){ .profile = p });
	struct linked_call linked;
	struct gmem_call c;
	struct random r;
	unsigned int i;

	random_seed(&r, seed);
	random_calls_begin(&rc, &r, p, 0x3f);
	gmem_watch_locks(w, d);
	for (i = 0; i < 100; i++) {
		random_call(&rc, &linked);
		c = backend_resolve(&linked, results);
		gmem_call(w, &c, &results[i]);
		random_call_result(&rc, &results[i]);
	}
	gmem_world_free(w);
}

/* As the trace says, and if it is of that profile where calls overlap in every order. */
static void make_calls_of(struct gmem_lockdep *d, const struct gmem_profile *p,
			  const struct trace *t)
{
	const struct gmem_bounds bounds = { .states = 1000000,
					    .preemptions = GMEM_NO_BOUND,
					    .reduce = 1 };
	const struct backend_config config = { .profile = p, .machine = t->machine };
	struct backend_error e;
	struct trace_run run;
	struct scene s;
	void *ctx;

	assert_int_equal(backend_model.open(&ctx, &config, &e), BACKEND_DONE);
	gmem_watch_locks(backend_model_world(ctx), d);
	trace_run_init(&run, t);
	trace_run_all(&run, t, &backend_model, ctx);
	trace_run_free(&run);
	backend_model.close(ctx);
	if (t->profile != p || !t->par_end)
		return;
	assert_true(scene_set_up(&s, t, p));
	gmem_watch_locks(backend_model_world(s.ctx), d);
	scene_explore(&s, &bounds);
	scene_tear_down(&s);
}

static void make_calls_of_corpus(struct gmem_lockdep *d, const struct gmem_profile *p)
{
	const char *srcdir = getenv("srcdir");
	struct trace_error e;
	char pattern[512];
	struct trace t;
	glob_t found;
	size_t i;

	snprintf(pattern, sizeof(pattern), "%s/traces/*/*.trace", srcdir ? srcdir : ".");
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	for (i = 0; i < found.gl_pathc; i++) {
		assert_true(trace_read(&t, found.gl_pathv[i], &e));
		make_calls_of(d, p, &t);
		trace_free(&t);
	}
	assert_true(i > 100);
	globfree(&found);
}

static void assert_is_a_row(const struct gmem_profile *p, const struct gmem_lock_site *site)
{
	struct gmem_row row;

	assert_true(site->verb < GMEM_NR_VERBS);
	assert_true(gmem_profile_row(p, site->table, site->row, &row));
	if (site->class == NOTIFIERS && !site->mode)
		assert_string_equal(row.name, "count_notifier");
	else
		assert_string_equal(row.kind, site->class == NOTIFIERS ||
							      (site->class == SRCU && site->mode) ?
						      "wait" :
						      "lock");
}

/* How many; each names the rows that made it. */
static unsigned int count_orders(const struct gmem_lockdep *d, const struct gmem_profile *p)
{
	struct gmem_lock_link link;
	unsigned int n;

	for (n = 0; gmem_lock_order(d, n, &link); n++) {
		assert_is_a_row(p, &link.held);
		assert_is_a_row(p, &link.taken);
	}
	return n;
}

static void every_profile_is_in_order(void **state)
{
	unsigned int n;
	unsigned long i;

	(void)state;
	for (n = 0; gmem_profile(n); n++) {
		struct gmem_lockdep *d = gmem_lockdep_new(NULL, NULL);

		for (i = 0; i < scaled(300); i++)
			make_random_calls(d, gmem_profile(n), i);
		make_calls_of_corpus(d, gmem_profile(n));
		assert_in_order(d, gmem_profile_name(gmem_profile(n)));
		assert_true(count_orders(d, gmem_profile(n)) > 20);
		gmem_lockdep_free(d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_order_comes_to_the_same),
		cmocka_unit_test(told_as_seen),
		cmocka_unit_test(nonsense_is_not_taken),
		cmocka_unit_test(every_profile_is_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
