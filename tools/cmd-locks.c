/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gmem locks: in which order the calls of traces take locks, and whether that could deadlock.
 *
 * Each trace is replayed, and where its calls overlap they are run in every order as well. What is
 * seen in one trace goes with what is seen in another of the same profile: a deadlock needs two
 * calls, and they need not be in one trace.
 */
#include <stdlib.h>
#include <string.h>

#include "backend-model.h"
#include "cmd.h"
#include "lock-text.h"
#include "scene.h"

#define MOST_PROFILES 32
#define MOST_STATES 1000000

/* An order, and the trace that showed it first. */
struct sighting {
	struct gmem_lock_link link;
	const char *file;
};

/* All that was seen of one profile. */
struct watched {
	const struct gmem_profile *base; /* without bugs */
	struct gmem_profile *copy;	 /* with those that are asked for; or null */
	struct gmem_lockdep *d;
	struct sighting *sightings;
	size_t nr_sightings, room;
	unsigned int nr_traces;
};

struct locks {
	const struct gmem_profile *profile; /* asked for; or null */
	struct bugs_asked bugs;
	int dot, quiet;
	char **files;
	int nr_files;
	struct watched watched[MOST_PROFILES];
	int nr_watched;
	int wrong;
};

static const struct gmem_profile *profile_of(const struct watched *v)
{
	return v->copy ? v->copy : v->base;
}

static struct watched *watched_for(struct locks *o, const struct gmem_profile *base)
{
	struct watched *v;
	int i;

	for (i = 0; i < o->nr_watched; i++)
		if (o->watched[i].base == base)
			return &o->watched[i];
	if (o->nr_watched == MOST_PROFILES)
		die("too many profiles");
	v = &o->watched[o->nr_watched++];
	v->base = base;
	v->copy = profile_with_bugs("gmem locks", base, &o->bugs);
	v->d = gmem_lockdep_new(NULL, NULL);
	if (!v->d)
		die("no memory for the lock checker");
	return v;
}

/* ---- seeing ---- */

static int same_link(const struct gmem_lock_link *a, const struct gmem_lock_link *b)
{
	return a->held.class == b->held.class && a->held.mode == b->held.mode &&
	       a->taken.class == b->taken.class && a->taken.mode == b->taken.mode;
}

/* Orders are numbered by class, so a new one may be anywhere. */
static void note_sightings(struct watched *v, const char *file)
{
	struct gmem_lock_link link;
	unsigned int n;
	size_t i;

	for (n = 0; gmem_lock_order(v->d, n, &link); n++) {
		for (i = 0; i < v->nr_sightings && !same_link(&v->sightings[i].link, &link); i++)
			;
		if (i < v->nr_sightings)
			continue;
		v->sightings = xgrow(v->sightings, i, &v->room, sizeof(*v->sightings));
		v->sightings[v->nr_sightings++] = (struct sighting){ link, file };
	}
}

/* As the trace says; what came before the end counts, whatever the end is. */
static int replay(const struct watched *v, const struct trace *t, struct backend_error *e)
{
	const struct backend_config config = { .profile = profile_of(v),
					       .machine = t->machine,
					       .checking = GMEM_CHECK_CALLS };
	enum backend_status status;
	struct trace_run run;
	void *ctx;

	if (backend_model.open(&ctx, &config, e) != BACKEND_DONE)
		die("%s", e->why);
	gmem_watch_locks(backend_model_world(ctx), v->d);
	trace_run_init(&run, t);
	trace_run_all(&run, t, &backend_model, ctx);
	status = run.status;
	*e = run.error;
	trace_run_free(&run);
	backend_model.close(ctx);
	return status == BACKEND_DONE;
}

static void explore(const struct watched *v, const struct trace *t)
{
	const struct gmem_bounds bounds = { .states = MOST_STATES,
					    .preemptions = GMEM_NO_BOUND,
					    .reduce = 1 };
	struct scene s;

	if (scene_set_up(&s, t, profile_of(v))) {
		gmem_watch_locks(backend_model_world(s.ctx), v->d);
		scene_explore(&s, &bounds);
	}
	scene_tear_down(&s);
}

static void see_trace(struct locks *o, const char *file)
{
	struct backend_error e;
	struct watched *v;
	struct trace t;

	if (!read_trace_with_calls(&t, "gmem locks", file)) {
		o->wrong = 1;
		return;
	}
	v = watched_for(o, profile_for(&t, o->profile));
	v->nr_traces++;
	if (!replay(v, &t, &e) && !o->quiet)
		fprintf(stderr, "%s: was not run to its end: %s\n", shown_name(file), e.why);
	if (t.par_end)
		explore(v, &t);
	note_sightings(v, shown_name(file));
	trace_free(&t);
}

/* ---- saying ---- */

/* "slots_lock -> invalidate_lock", and below it who, in which call and trace. */
static void print_sighting(const struct watched *v, const struct gmem_lock_link *link)
{
	const struct gmem_lock_site *held = &link->held, *taken = &link->taken;
	size_t i;

	fputs("  ", stdout);
	lock_print_name(stdout, held->class, held->mode);
	fputs(" -> ", stdout);
	lock_print_name(stdout, taken->class, taken->mode);
	printf("\n      %s: row %u of %s, then row %u of %s", gmem_verb_info(taken->verb)->name,
	       held->row, gmem_table_name(held->table), taken->row, gmem_table_name(taken->table));
	for (i = 0; v->nr_traces > 1 && i < v->nr_sightings; i++)
		if (same_link(&v->sightings[i].link, link))
			printf("\n      in %s", v->sightings[i].file);
	putchar('\n');
}

static void print_orders(const struct watched *v)
{
	struct gmem_lock_link link;
	unsigned int n;

	printf("%s: %zu %s of two locks, and who was the first\n", gmem_profile_name(profile_of(v)),
	       v->nr_sightings, v->nr_sightings == 1 ? "order" : "orders");
	for (n = 0; gmem_lock_order(v->d, n, &link); n++)
		print_sighting(v, &link);
}

static int say(const struct locks *o, const struct watched *v)
{
	const char *name = gmem_profile_name(profile_of(v));
	int first = v == o->watched, wrong;

	if (o->dot) {
		lock_print_dot(stdout, profile_of(v), v->d);
		return gmem_lock_report(v->d, 0) != NULL;
	}
	if (!first && !o->quiet)
		putchar('\n');
	if (!o->quiet)
		print_orders(v);
	wrong = lock_print_reports(stdout, name, profile_of(v), v->d);
	if (o->quiet)
		return wrong;
	if (!wrong)
		printf("%s: nothing to report\n", name);
	print_bugs_left_out(stdout, "    Not in these tables: ", v->base, &o->bugs);
	return wrong;
}

/* ---- options ---- */

enum { OPT_DOT = 256 };

static const struct argp_option options[] = {
	{ "bug", 'b', "ID", 0, BUG_OPTION_HELP, 0 },
	{ "dot", OPT_DOT, NULL, 0, "Print the orders as a graph for dot(1)", 0 },
	{ "profile", 'p', "PROFILE", 0, "Run under this profile, whatever the traces say", 0 },
	{ "quiet", 'q', NULL, 0, "Print only reports", 0 },
	{ NULL, 0, NULL, 0, NULL, 0 },
};

static error_t on_option(int key, char *arg, struct argp_state *state)
{
	struct locks *o = state->input;

	switch (key) {
	case 'b':
		bug_option(state, &o->bugs, arg);
		break;
	case OPT_DOT:
		o->dot = 1;
		break;
	case 'p':
		o->profile = profile_option(state, arg);
		break;
	case 'q':
		o->quiet = 1;
		break;
	case ARGP_KEY_ARGS:
		o->files = state->argv + state->next;
		o->nr_files = state->argc - state->next;
		break;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which trace?");
		break;
	case ARGP_KEY_END:
		if (o->dot && o->quiet)
			argp_error(state, "--dot cannot be combined with --quiet");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp argp = {
	.options = options,
	.parser = on_option,
	.args_doc = "TRACE...",
	.doc = "Print in which order the calls of traces take locks, and what could deadlock. A "
	       "TRACE of - is standard input.\vExit status: 0 if there is nothing to report, 1 if "
	       "there is, 2 if a trace is malformed. See gmem(1).",
};

int cmd_locks(int argc, char **argv)
{
	struct locks o = { 0 };
	int i, found = 0;

	parse_options(&argp, argc, argv, &o);
	for (i = 0; i < o.nr_files; i++) {
		if (o.nr_files > 1)
			progress("%d of %d: %s", i + 1, o.nr_files, o.files[i]);
		see_trace(&o, o.files[i]);
	}
	progress_end();
	for (i = 0; i < o.nr_watched; i++) {
		struct watched *v = &o.watched[i];

		found |= say(&o, v);
		gmem_lockdep_free(v->d);
		gmem_profile_free(v->copy);
		free(v->sightings);
	}
	if (o.wrong)
		return EXIT_WRONG_USE;
	return found ? EXIT_NOT_AS_DEMANDED : EXIT_AS_DEMANDED;
}
