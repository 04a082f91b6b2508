/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gmem explore: every order in which the calls between par and end can overlap.
 *
 * What comes before the block is run once, what comes after it in every state that the block can
 * end in. A finding is shrunk, to the fewest calls and then to the fewest switches, and written
 * as a trace whose schedule gmem replay repeats.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "scene.h"

struct explore {
	const struct gmem_profile *profile; /* asked for; or null */
	struct bugs_asked bugs;
	uint64_t states, seconds;
	uint32_t preemptions;
	int reduce, quiet;
	const char *output;
	char **files;
	int nr_files;
	double began;
};

static int go_on(void *arg, const struct gmem_explored *x, uint32_t depth)
{
	const struct explore *o = arg;
	double spent = seconds() - o->began;

	progress("%" PRIu64 " states, %.0f a second, %u rows deep", x->states,
		 spent > 0 ? x->states / spent : 0, depth);
	return !o->seconds || spent < o->seconds;
}

static void explore(const struct explore *o, struct scene *s, uint32_t preemptions)
{
	const struct gmem_bounds bounds = {
		.states = o->states,
		.preemptions = preemptions,
		.reduce = o->reduce,
		.go_on = go_on,
		.arg = (void *)o,
	};

	scene_explore(s, &bounds);
	progress_end();
}

/* ---- findings ---- */

static void say_finding(const struct scene *s, const char *file)
{
	const struct gmem_explored *x = &s->x;
	char *call, *result;

	switch (x->finding) {
	case GMEM_FOUND_VIOLATION:
		printf("%s: invariant %s is violated: %s Saw %s (%llu, %llu)\n", file,
		       x->violation.invariant, x->violation.sentence, x->violation.saw,
		       (unsigned long long)x->violation.a, (unsigned long long)x->violation.b);
		break;
	case GMEM_FOUND_DEADLOCK:
		printf("%s: deadlock: every task that is not over waits\n", file);
		break;
	case GMEM_FOUND_RESULT:
		call = call_text(s->t, &s->t->calls[s->t->par_first + x->call]);
		result = result_text(s->t->calls[s->t->par_first + x->call].linked.call.verb,
				     &x->result);
		printf("%s: %s = %s, which is not as demanded\n", file, call, result);
		free(call);
		free(result);
		break;
	case GMEM_FOUND_END:
		call = call_text(s->t, &s->t->calls[s->unmet]);
		result = result_text(s->t->calls[s->unmet].linked.call.verb, &s->results[s->unmet]);
		printf("%s: in the end %s = %s, which is not as demanded\n", file, call, result);
		free(call);
		free(result);
		break;
	default:
		printf("%s: a call that the model has no answer to\n", file);
		break;
	}
}

static void say_site(const struct gmem_lock_site *site)
{
	printf("%s (%s), by %s, row %u of %s", gmem_lock_name(site->class),
	       site->mode ? "write" : "read", gmem_verb_info(site->verb)->name, site->row,
	       gmem_table_name(site->table));
}

static const char *const problems[] = {
	[GMEM_LOCK_CYCLE] = "possible deadlock: a cycle of locks",
	[GMEM_LOCK_RECURSION] = "possible deadlock: a lock of a class that is held already",
	[GMEM_LOCK_SLEEP] = "sleeping under a lock that spins",
	[GMEM_LOCK_IN_NOTIFIER] = "sleeping inside the mmu notifier",
};

static int say_locks(const struct scene *s, const char *file)
{
	const struct gmem_lock_report *r;
	unsigned int n, i;

	for (n = 0; (r = gmem_lock_report(s->locks, n)); n++) {
		printf("%s: %s\n", file, problems[r->problem]);
		for (i = 0; i < r->nr_links; i++) {
			printf("    with ");
			say_site(&r->links[i].held);
			printf("\n    took ");
			say_site(&r->links[i].taken);
			printf("\n");
		}
	}
	return n != 0;
}

/* The trace, with the schedule that leads to the finding. */
static void write_finding(const struct scene *s, FILE *f)
{
	struct trace t;
	uint32_t i;

	trace_copy(&t, s->t);
	t.nr_schedule = 0;
	for (i = 0; i < s->x.nr_schedule; i++)
		trace_schedule(&t, s->x.schedule[i], 1);
	trace_print(f, &t);
	trace_free(&t);
}

/* The same finding with the fewest switches. */
static void fewest_switches(const struct explore *o, struct scene *s)
{
	uint8_t finding = s->x.finding;
	uint32_t most;

	for (most = 0; most < 8; most++) {
		explore(o, s, most);
		if (s->x.finding == finding)
			return;
	}
	explore(o, s, GMEM_NO_BOUND);
}

/* 1 if something is found. */
static int explore_scene(const struct explore *o, struct scene *s, const char *file)
{
	int found;

	explore(o, s, o->preemptions);
	found = s->x.finding != GMEM_FOUND_NOTHING;
	if (!found && !o->quiet)
		printf("%s: %" PRIu64 " states, %" PRIu64 " rows, %" PRIu64
		       " ends: nothing found%s\n",
		       file, s->x.states, s->x.steps, s->x.ends,
		       s->x.cut ? " within the bounds; not everything was explored" : "");
	if (found) {
		if (o->preemptions == GMEM_NO_BOUND)
			fewest_switches(o, s);
		say_finding(s, file);
		write_finding(s, stdout);
	}
	found |= say_locks(s, file);
	return found;
}

static int one_trace(const struct explore *o, const char *file)
{
	const struct gmem_profile *profile;
	struct gmem_profile *copy;
	struct trace t;
	struct scene s;
	int found;

	if (!read_trace_with_calls(&t, "explore", file))
		return EXIT_WRONG_USE;
	if (!t.par_end) {
		fprintf(stderr, "%s: no calls overlap: there is no par in it\n", shown_name(file));
		trace_free(&t);
		return EXIT_WRONG_USE;
	}
	profile = profile_for(&t, o->profile);
	copy = profile_with_bugs(profile, &o->bugs);
	if (!scene_set_up(&s, &t, copy ? copy : profile)) {
		fprintf(stderr, "%s: %s\n", shown_name(file), s.run.error.why);
		found = 1;
	} else {
		found = explore_scene(o, &s, shown_name(file));
	}
	scene_tear_down(&s);
	gmem_profile_free(copy);
	trace_free(&t);
	return found ? EXIT_NOT_AS_DEMANDED : EXIT_AS_DEMANDED;
}
/* ---- options ---- */

enum { OPT_STATES = 256, OPT_SECONDS, OPT_PREEMPTIONS, OPT_FULL, OPT_BUG };

static const struct argp_option options[] = {
	{ "profile", 'p', "NAME", 0, "explore under this profile", 0 },
	{ "bug", OPT_BUG, "ID", 0, "with this bug of the museum in the tables; may be repeated",
	  0 },
	{ "states", OPT_STATES, "N", 0, "remember at most N states (default 10000000)", 0 },
	{ "seconds", OPT_SECONDS, "N", 0, "end after N seconds", 0 },
	{ "preemptions", OPT_PREEMPTIONS, "N", 0, "orders with at most N preemptions", 0 },
	{ "full", OPT_FULL, NULL, 0, "without the reduction", 0 },
	{ "quiet", 'q', NULL, 0, "say nothing where nothing is found", 0 },
	{ NULL, 0, NULL, 0, NULL, 0 },
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct explore *o = state->input;

	switch (key) {
	case 'p':
		o->profile = profile_option(state, arg);
		return 0;
	case 'q':
		o->quiet = 1;
		return 0;
	case OPT_BUG:
		bug_option(state, &o->bugs, arg);
		return 0;
	case OPT_STATES:
		o->states = number_option(state, "states", arg, 1, UINT64_MAX);
		return 0;
	case OPT_SECONDS:
		o->seconds = number_option(state, "seconds", arg, 1, UINT32_MAX);
		return 0;
	case OPT_PREEMPTIONS:
		o->preemptions = (uint32_t)number_option(state, "preemptions", arg, 0, 1000);
		return 0;
	case OPT_FULL:
		o->reduce = 0;
		return 0;
	case ARGP_KEY_ARGS:
		o->files = state->argv + state->next;
		o->nr_files = state->argc - state->next;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which trace?");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int cmd_explore(int argc, char **argv)
{
	static const struct argp argp = {
		options,    parse_option,
		"TRACE...", "Run the calls between par and end in every order of their rows.",
		NULL,	    NULL,
		NULL
	};
	struct explore o = { .states = 10000000, .preemptions = GMEM_NO_BOUND, .reduce = 1 };
	int i, worst = EXIT_AS_DEMANDED;

	parse_options(&argp, argc, argv, &o);
	for (i = 0; i < o.nr_files; i++) {
		int status;

		o.began = seconds();
		status = one_trace(&o, o.files[i]);
		if (status > worst)
			worst = status;
	}
	return worst;
}
