/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * make mutants: mistakes that nobody made yet. For every row of every table that takes a lock, the
 * table without the lock; for every check, the table where it refuses nothing. What no trace
 * notices is printed, and what crashes or does not end.
 *
 *	tests/mutants TRACE...
 *	TABLE=bind tests/mutants TRACE...	only the tables of that name
 *
 * A mutant is run through those traces of its profiles that come by the row: by a demand that is
 * not met, or by an invariant, which is looked at after every row. Those whose calls overlap are
 * explored, and then a deadlock or an order of locks gives it away, too. Profiles that have the
 * same table share its mutants.
 *
 * A mutant may crash, or never end; so each has a process of its own, with a limit on the rows of a
 * trace, which the right tables give, and one on the processor's time for all of them: not on the
 * clock's, as the machine may have other things to do.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend-model.h"
#include "common.h"
#include "rows.h"
#include "scene.h"

#define MOST_PROFILES 32
#define MOST_TABLES 256
#define SECONDS_EACH 20
#define ROWS_MORE 10u	     /* times as many as on the right tables, */
#define ROWS_AT_LEAST 10000u /* and some, do not end */

/* How a mutant ended, also as an exit status. */
enum fate { SURVIVED, CAUGHT_BY_REPLAY, CAUGHT_BY_EXPLORING, CRASHED, HUNG, NR_FATES };

static const char *const fates[NR_FATES] = {
	[SURVIVED] = "not noticed",
	[CAUGHT_BY_REPLAY] = "caught by replay",
	[CAUGHT_BY_EXPLORING] = "caught by exploring",
	[CRASHED] = "crashed",
	[HUNG] = "did not end",
};

struct corpus {
	struct trace t;
	const char *file;
	const struct gmem_profile *profile;
	uint8_t *came_by; /* [table][row] */
	unsigned long rows;
};

static struct corpus *traces;
static size_t nr_traces;

/* ---- what the right tables do ---- */

static void see_row(void *arg, const struct gmem_step_event *e)
{
	struct corpus *c = arg;

	c->rows++;
	if (e->passed >= 0)
		c->came_by[e->table * MAX_ROWS + e->row] = 1;
}

/* Only a mutant has no end. */
static void count_row(void *arg, const struct gmem_step_event *e)
{
	unsigned long *left = arg;

	(void)e;
	if (!(*left)--)
		_exit(HUNG);
}

/* Runs it to its end; 0 if something is noticed. */
static int replay(const struct corpus *c, const struct gmem_profile *p, gmem_observer_fn see,
		  void *arg)
{
	struct backend_config config = { .profile = p,
					 .machine = c->t.machine,
					 .checking = GMEM_CHECK_STEPS };
	struct trace_run run;
	struct backend_error e;
	void *ctx;
	size_t i;
	int right;

	if (backend_model.open(&ctx, &config, &e) != BACKEND_DONE)
		die("%s", e.why);
	gmem_observe(backend_model_world(ctx), see, arg);
	trace_run_init(&run, &c->t);
	trace_run_all(&run, &c->t, &backend_model, ctx);
	right = run.status == BACKEND_DONE;
	for (i = 0; i < run.done && right; i++)
		right = trace_satisfied(&c->t, &c->t.calls[i], &run.results[i]);
	trace_run_free(&run);
	backend_model.close(ctx);
	return right;
}

/* A schedule says that the trace is about that order. */
static int overlaps(const struct corpus *c)
{
	return c->t.par_end && !c->t.nr_schedule;
}

static int explore(const struct corpus *c, const struct gmem_profile *p)
{
	const struct gmem_bounds bounds = { .states = 2000000,
					    .preemptions = GMEM_NO_BOUND,
					    .reduce = 1 };
	struct scene s;
	int right = scene_set_up(&s, &c->t, p);

	if (right) {
		scene_explore(&s, &bounds);
		right = s.x.finding == GMEM_FOUND_NOTHING && !gmem_lock_report(s.locks, 0);
	}
	scene_tear_down(&s);
	return right;
}

static void read_corpus(char **files, int n)
{
	struct trace_error e;
	int i;

	traces = xcalloc(n, sizeof(*traces));
	for (i = 0; i < n; i++) {
		struct corpus *c = &traces[nr_traces];

		progress("%d of %d: %s", i + 1, n, files[i]);
		if (!trace_read(&c->t, files[i], &e))
			die("%s: %s", files[i], e.reason);
		c->file = files[i];
		c->profile = c->t.profile ? c->t.profile : gmem_profile_default();
		c->came_by = xcalloc(MOST_TABLES, MAX_ROWS);
		if (!replay(c, c->profile, see_row, c) || (overlaps(c) && !explore(c, c->profile)))
			die("%s: is not as demanded on the right tables", files[i]);
		nr_traces++;
	}
}

/* ---- mutants ---- */

/* No trace can demand what is misuse of the model: that it has no answer there. */
static int can_be_missed(const struct gmem_row *row)
{
	return (!strcmp(row->kind, "lock") || !strcmp(row->kind, "check")) &&
	       row->clause != gmem_clause_find("MEMFD-9");
}

struct mutant {
	unsigned int table, row;
	unsigned int profiles; /* bits */
};

static int replay_mutant(const struct corpus *c, const struct gmem_profile *p)
{
	unsigned long left = c->rows * ROWS_MORE + ROWS_AT_LEAST;

	return replay(c, p, count_row, &left);
}

/* Runs in a process of its own. */
static enum fate try_on(const struct mutant *m, const struct gmem_profile *base)
{
	struct gmem_profile *p;
	size_t i;

	if (gmem_profile_without(&p, base, m->table, m->row, NULL, NULL) != GMEM_DONE)
		die("there is no such row");
	for (i = 0; i < nr_traces; i++)
		if (traces[i].profile == base && !overlaps(&traces[i]) &&
		    traces[i].came_by[m->table * MAX_ROWS + m->row] &&
		    !replay_mutant(&traces[i], p))
			return CAUGHT_BY_REPLAY;
	for (i = 0; i < nr_traces; i++)
		if (traces[i].profile == base && overlaps(&traces[i]) && !explore(&traces[i], p))
			return CAUGHT_BY_EXPLORING;
	gmem_profile_free(p);
	return SURVIVED;
}

static enum fate try_in_child(const struct mutant *m)
{
	const struct rlimit limit = { SECONDS_EACH, SECONDS_EACH + 1 };
	enum fate fate = SURVIVED;
	int status;
	pid_t child;
	unsigned int i;

	fflush(stdout);
	child = fork();
	if (child < 0)
		die("cannot fork");
	if (!child) {
		setrlimit(RLIMIT_CPU, &limit);
		for (i = 0; gmem_profile(i) && fate == SURVIVED; i++)
			if (m->profiles >> i & 1)
				fate = try_on(m, gmem_profile(i));
		_exit(fate);
	}
	if (waitpid(child, &status, 0) != child)
		die("cannot wait");
	if (WIFEXITED(status) && WEXITSTATUS(status) < NR_FATES)
		return WEXITSTATUS(status);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU ? HUNG : CRASHED;
}

/* Who among the profiles has the same table as profile number n; 0 if an earlier one has it. */
static unsigned int sharers(unsigned int n, unsigned int table)
{
	static struct rows rows, others;
	unsigned int i, bits = 0;

	rows_read(&rows, gmem_profile(n), table);
	for (i = 0; gmem_profile(i); i++) {
		rows_read(&others, gmem_profile(i), table);
		if (!rows_same(&rows, &others))
			continue;
		if (i < n)
			return 0;
		bits |= 1u << i;
	}
	return bits;
}

static void print_mutant(const struct mutant *m, const struct gmem_row *row, enum fate fate)
{
	unsigned int i;

	printf("%s, row %u: %s %s%s%s; of", gmem_table_name(m->table), m->row, row->kind, row->name,
	       *row->detail ? " " : "", row->detail);
	for (i = 0; gmem_profile(i); i++)
		if (m->profiles >> i & 1)
			printf(" %s", gmem_profile_name(gmem_profile(i)));
	printf(fate == SURVIVED ? "\n" : ": %s\n", fates[fate]);
}

static int is_wanted(unsigned int table)
{
	const char *wanted = getenv("TABLE");

	return !wanted || !*wanted || !strcmp(wanted, gmem_table_name(table));
}

static void try_table(unsigned int n, unsigned int table, unsigned long *count)
{
	struct mutant m = { .table = table, .profiles = sharers(n, table) };
	struct gmem_row row;
	enum fate fate;

	if (!m.profiles)
		return;
	for (; gmem_profile_row(gmem_profile(n), table, m.row, &row); m.row++) {
		if (!can_be_missed(&row))
			continue;
		progress("%s of %s, row %u", gmem_table_name(table),
			 gmem_profile_name(gmem_profile(n)), m.row);
		fate = try_in_child(&m);
		count[fate]++;
		progress_end();
		if (fate == SURVIVED || fate == CRASHED || fate == HUNG)
			print_mutant(&m, &row, fate);
	}
}

int main(int argc, char **argv)
{
	unsigned long count[NR_FATES] = { 0 }, all = 0;
	unsigned int n, table, i;
	double began = seconds();

	if (argc < 2)
		die("which traces?");
	read_corpus(argv + 1, argc - 1);
	progress_end();
	printf("%zu traces; mutants that nothing notices, or that do not end:\n", nr_traces);
	for (n = 0; gmem_profile(n); n++)
		for (table = 0; table < gmem_nr_tables(); table++)
			if (is_wanted(table))
				try_table(n, table, count);
	for (i = 0; i < NR_FATES; i++)
		all += count[i];
	printf("%lu mutants:", all);
	for (i = 0; i < NR_FATES; i++)
		printf("%s %lu %s", i ? "," : "", count[i], fates[i]);
	printf("; %.0f seconds\n", seconds() - began);
	return 0;
}
