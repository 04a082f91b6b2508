/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gmem explore: every order in which the calls between par and end can overlap.
 *
 * What comes before the block is run once, what comes after it in every state that the block can
 * end in. A finding is shrunk, to the fewest calls and then to the fewest switches, and written
 * as a trace whose schedule gmem replay repeats.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "deadlock.h"
#include "diagram.h"
#include "explore-say.h"
#include "explore-shrink.h"
#include "lock-text.h"
#include "scene.h"
#include "shard-folder.h"

struct explore {
	const struct gmem_profile *profile; /* asked for; or null */
	struct bugs_asked bugs;
	struct gmem_bounds bounds;
	uint64_t seconds;
	int quiet, complete;
	const char *output; /* for a finding; or null */
	const char *folder; /* of the parts; or null */
	struct shard_folder *parts;
	struct diagrams diagrams;
	char **files;
	int nr_files;
	double began;
};

static int go_on(void *arg, const struct gmem_explored *x)
{
	const struct explore *o = arg;
	double spent = seconds() - o->began;

	progress("%" PRIu64 " states, %.0f a second, %u rows deep, %" PRIu64 " pending, "
		 "%" PRIu64 " MiB",
		 x->states, spent > 0 ? x->states / spent : 0, x->depth, x->queue, x->memory >> 20);
	if (o->parts && shard_folder_is_over(o->parts))
		return 0;
	return !o->seconds || spent < o->seconds;
}

static void explore(const struct explore *o, struct scene *s)
{
	struct gmem_bounds bounds = o->bounds;

	if (o->parts) {
		bounds.exchange = shard_folder_exchange(o->parts);
		shard_folder_wait_until(o->parts, o->seconds ? o->began + o->seconds : 0);
	}
	scene_explore(s, &bounds);
	progress_end();
	if (o->parts && s->x.finding != GMEM_FOUND_NOTHING)
		shard_folder_end(o->parts, "found something");
}

/* What all parts must have the same, line by line. */
static char *header_of_parts(const struct explore *o, const struct trace *t,
			     const struct gmem_profile *p)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	struct text text;
	char *calls, *c;

	text_begin(&text);
	trace_print(text.f, t);
	calls = text_end(&text);
	for (c = calls; *c; c++)
		hash = (hash ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
	free(calls);
	text_begin(&text);
	fprintf(text.f, "gmem %s\nparts %u\ntrace %016" PRIx64 "\nprofile %s", gmem_version(),
		o->bounds.shards, hash, gmem_profile_name(p));
	fprintf(text.f, "\nfull %s\npreemptions ", o->bounds.reduce ? "no" : "yes");
	if (o->bounds.preemptions == GMEM_NO_BOUND)
		fprintf(text.f, "any\n");
	else
		fprintf(text.f, "%u\n", o->bounds.preemptions);
	return text_end(&text);
}

/* 0 if there are parts, and this cannot be one of them. */
static int join_parts(struct explore *o, const struct trace *t, const struct gmem_profile *p)
{
	char *header;

	if (!o->folder)
		return 1;
	header = header_of_parts(o, t, p);
	o->parts = shard_folder_open(o->folder, o->bounds.shard, o->bounds.shards, header);
	free(header);
	return o->parts != NULL;
}

/* Words go where no picture goes. */
static FILE *words_of(const struct explore *o)
{
	return diagram_on_stdout(&o->diagrams) ? stderr : stdout;
}

static void write_finding(const struct explore *o, const struct trace *t)
{
	FILE *f;

	if (o->output) {
		f = fopen(o->output, "w");
		if (!f)
			die("%s: %s", o->output, strerror(errno));
		trace_print(f, t);
		if (fclose(f))
			die("%s: %s", o->output, strerror(errno));
	} else if (!diagram_on_stdout(&o->diagrams)) {
		trace_print(stdout, t);
	}
}

/* The trace, made small, with the schedule that leads to the finding. */
static void show_finding(const struct explore *o, const struct scene *s, const char *file)
{
	struct gmem_bounds bounds = o->bounds;
	struct timeline tl;
	struct scene small;
	struct trace t;

	trace_copy(&t, s->t);
	explore_shrink(&t, s->profile, &o->bounds, s);
	progress_end();
	bounds.shards = bounds.shard = 0;
	bounds.follow = t.schedule;
	bounds.nr_follow = (uint32_t)t.nr_schedule;
	if (!scene_set_up(&small, &t, s->profile))
		die("%s", small.run.error.why);
	scene_explore(&small, &bounds);
	timeline_record(&tl, &t, s->profile);
	say_finding(words_of(o), &small, file, &tl);
	write_finding(o, &t);
	diagram_draw(&o->diagrams, &tl);
	timeline_free(&tl);
	scene_tear_down(&small);
	trace_free(&t);
}

/* 1 if something is found; or was left out, where nothing may be. */
static int explore_scene(const struct explore *o, struct scene *s, const char *file,
			 const struct gmem_profile *base)
{
	int found;

	explore(o, s);
	found = s->x.finding != GMEM_FOUND_NOTHING;
	if (found) {
		show_finding(o, s, file);
	} else if (!o->quiet) {
		say_extent(words_of(o), s, file, &o->bounds, shard_folder_why(o->parts));
		say_outcomes(words_of(o), s);
		print_bugs_left_out(words_of(o), "    Not in these tables: ", base, &o->bugs);
	} else if (!o->bounds.walks) {
		say_unseen(words_of(o), s, file, &o->bounds, shard_folder_why(o->parts));
	}
	found |= o->complete && s->x.cut;
	if (lock_print_reports(words_of(o), file, s->profile, s->locks))
		found = 1;
	return found;
}

static int one_trace(struct explore *o, const char *file)
{
	const struct gmem_profile *profile;
	struct gmem_profile *copy;
	struct trace t;
	struct scene s;
	int status;

	if (!read_trace_with_calls(&t, "gmem explore", file))
		return EXIT_WRONG_USE;
	if (!t.par_end) {
		fprintf(stderr, "%s: no calls overlap: there is no par in it\n", shown_name(file));
		trace_free(&t);
		return EXIT_WRONG_USE;
	}
	profile = profile_for(&t, o->profile);
	copy = profile_with_bugs("gmem explore", profile, &o->bugs);
	if (!scene_set_up(&s, &t, copy ? copy : profile)) {
		fprintf(stderr, "%s: %s\n", shown_name(file), s.run.error.why);
		status = EXIT_NOT_AS_DEMANDED;
	} else if (!join_parts(o, &t, s.profile)) {
		status = EXIT_WRONG_USE;
	} else {
		status = explore_scene(o, &s, shown_name(file), profile) ? EXIT_NOT_AS_DEMANDED :
									   EXIT_AS_DEMANDED;
	}
	shard_folder_close(o->parts);
	scene_tear_down(&s);
	gmem_profile_free(copy);
	trace_free(&t);
	return status;
}

/* ---- options ---- */

enum {
	OPT_COMPLETE = 256,
	OPT_STATES,
	OPT_SECONDS,
	OPT_MEMORY,
	OPT_PREEMPTIONS,
	OPT_FULL,
	OPT_SHARD,
	OPT_FOLDER,
	OPT_WALKS,
	OPT_SEED,
};

static const struct argp_option options[] = {
	{ "profile", 'p', "PROFILE", 0, "Explore under this profile, whatever the trace says", 0 },
	{ "bug", 'b', "ID", 0, BUG_OPTION_HELP, 0 },
	{ "output", 'o', "FILE", 0, "Write the trace of a finding to FILE", 0 },
	{ "states", OPT_STATES, "N", 0, "Stop after N states (default 10000000)", 0 },
	{ "memory", OPT_MEMORY, "MIB", 0, "Stop at that much memory (default 4096)", 0 },
	{ "seconds", OPT_SECONDS, "N", 0, "Stop after N seconds", 0 },
	{ "preemptions", OPT_PREEMPTIONS, "N", 0, "Try only orders with at most N preemptions", 0 },
	{ "complete", OPT_COMPLETE, NULL, 0, "Fail (exit status 1) if not everything was seen", 0 },
	{ "full", OPT_FULL, NULL, 0, "Do not skip equivalent orders (slow)", 0 },
	{ "shard", OPT_SHARD, "I/N", 0,
	  "Explore part I of N, from 0; all of them at the same time, with one --folder", 0 },
	{ "folder", OPT_FOLDER, "FOLDER", 0,
	  "Exchange states with the other parts in FOLDER, which must be empty or new", 0 },
	{ "walks", OPT_WALKS, "N", 0, "Try N random orders instead of all", 0 },
	{ "seed", OPT_SEED, "S", 0, "Random seed for --walks (default 1)", 0 },
	{ "quiet", 'q', NULL, 0, "Print only what is found, and what was not seen", 0 },
	DIAGRAM_OPTIONS("Print who waits for whom in a deadlock, as a graph for dot(1), instead of "
			"text"),
	{ NULL, 0, NULL, 0, NULL, 0 },
};

/* I/N */
static void shard_option(struct argp_state *state, struct gmem_bounds *b, const char *arg)
{
	unsigned int shard = 0, shards = 0;
	int end = 0;

	if (strspn(arg, "0123456789/") != strlen(arg) ||
	    sscanf(arg, "%6u/%6u%n", &shard, &shards, &end) != 2 || arg[end] || shard >= shards)
		argp_error(state, "--shard %s: a part is I/N, with I from 0 to N - 1", arg);
	b->shard = shard;
	b->shards = shards;
}

static error_t parse_bound(int key, char *arg, struct argp_state *state)
{
	struct explore *o = state->input;
	struct gmem_bounds *b = &o->bounds;

	switch (key) {
	case OPT_STATES:
		b->states = number_option(state, "--states", arg, 1, UINT64_MAX);
		return 0;
	case OPT_MEMORY:
		b->memory = number_option(state, "--memory", arg, 1, UINT32_MAX) << 20;
		return 0;
	case OPT_SECONDS:
		o->seconds = number_option(state, "--seconds", arg, 1, UINT32_MAX);
		return 0;
	case OPT_PREEMPTIONS:
		b->preemptions = (uint32_t)number_option(state, "--preemptions", arg, 0, 1000);
		return 0;
	case OPT_SHARD:
		shard_option(state, b, arg);
		return 0;
	case OPT_WALKS:
		b->walks = number_option(state, "--walks", arg, 1, UINT64_MAX);
		return 0;
	case OPT_SEED:
		b->seed = number_option(state, "--seed", arg, 0, UINT64_MAX);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void check_options(const struct explore *o, struct argp_state *state)
{
	const struct gmem_bounds *b = &o->bounds;

	if (diagram_any(&o->diagrams) && o->nr_files > 1)
		argp_error(state, "a picture shows one trace");
	if (b->walks && (b->shards || !b->reduce || b->preemptions != GMEM_NO_BOUND))
		argp_error(state, "--walks cannot be combined with --full, --shard or "
				  "--preemptions");
	if (!b->shards != !o->folder)
		argp_error(state, "--shard and --folder go together");
	if (b->shards && o->nr_files > 1)
		argp_error(state, "a folder is for the parts of one trace");
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct explore *o = state->input;

	if (diagram_option(&o->diagrams, key, arg, state))
		return 0;
	switch (key) {
	case 'p':
		o->profile = profile_option(state, arg);
		return 0;
	case 'q':
		o->quiet = 1;
		return 0;
	case 'o':
		o->output = arg;
		return 0;
	case 'b':
		bug_option(state, &o->bugs, arg);
		return 0;
	case OPT_FULL:
		o->bounds.reduce = 0;
		return 0;
	case OPT_COMPLETE:
		o->complete = 1;
		return 0;
	case OPT_FOLDER:
		o->folder = arg;
		return 0;
	case ARGP_KEY_ARGS:
		o->files = state->argv + state->next;
		o->nr_files = state->argc - state->next;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which trace?");
		return 0;
	case ARGP_KEY_END:
		check_options(o, state);
		return 0;
	default:
		return parse_bound(key, arg, state);
	}
}

int cmd_explore(int argc, char **argv)
{
	static const struct argp argp = {
		options,
		parse_option,
		"TRACE...",
		"Run the calls between par and end in every order of their rows, and report "
		"violated invariants, deadlocks and results that are not as demanded. A TRACE of - "
		"is standard input.\vExit status: 0 if nothing is found, 1 if something is, 2 if a "
		"trace is malformed or its calls do not overlap. See gmem(1), gmem-trace(5).",
		NULL,
		NULL,
		NULL
	};
	struct explore o = { .bounds = { .states = 10000000,
					 .memory = UINT64_C(4096) << 20,
					 .preemptions = GMEM_NO_BOUND,
					 .reduce = 1,
					 .seed = 1,
					 .go_on = go_on,
					 .arg = &o } };
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
