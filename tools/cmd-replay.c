/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gmem replay: runs traces and says whether every result is as demanded.
 *
 * On the model each call is reported as it is made, with its rule; a real kernel runs the whole
 * trace first. A demand that is not met does not end the trace: what comes after it may tell
 * more.
 */
#include <stdlib.h>
#include <string.h>

#include "backend-model.h"
#include "cmd.h"
#include "report.h"

struct replay {
	const struct gmem_profile *profile; /* asked for; or null */
	const struct backend *backend;
	struct bugs_asked bugs;
	int step, check, json, quiet, clauses;
	char **files;
	int nr_files;

	uint8_t *touched;
	struct totals totals;
	int wrong, unmet; /* traces that could not be read; that did not do as demanded */
};

/* One trace being replayed. */
struct playing {
	struct replay *o;
	const char *file;
	struct trace t;
	struct trace_run run;
	void *ctx;
	struct watch watch;
	const struct gmem_profile *profile; /* null on a real kernel */
};

static uint32_t line_of(const struct playing *p)
{
	return p->run.done < p->t.nr_calls ? p->t.calls[p->run.done].line : 0;
}

static void skipped(struct playing *p, uint32_t line, const char *why)
{
	struct replay *o = p->o;

	o->totals.skipped++;
	progress_end();
	if (o->json)
		event_skipped(p->file, line, why);
	else if (line)
		printf("%s:%u: skipped: %s\n", p->file, line, why);
	else
		printf("%s: skipped: %s\n", p->file, why);
}

static void broken(struct playing *p, const char *why)
{
	p->o->unmet++;
	p->o->totals.failed++;
	progress_end();
	if (p->o->json)
		event_broken(p->file, line_of(p), why);
	else if (line_of(p))
		printf("%s:%u: %s\n", p->file, line_of(p), why);
	else
		printf("%s: %s\n", p->file, why);
}

/* The model cannot be asked what call number run.done asks: the trace is wrong. */
static void misused(struct playing *p, const char *why)
{
	struct trace_error e = { .line = line_of(p) };

	snprintf(e.reason, sizeof(e.reason), "%s", why);
	p->o->wrong++;
	p->o->totals.failed++;
	fprintf(stderr, "%s:%u: %s\n", p->file, e.line, why);
	if (p->o->json)
		event_error(p->file, &e);
}

static int watching(const struct replay *o)
{
	return (o->step || o->clauses) && o->backend == &backend_model;
}

/* Reports call number n, which was made. */
static void report(struct playing *p, size_t n)
{
	struct replay *o = p->o;
	const struct trace_call *c = &p->t.calls[n];
	struct made_call m = { p->file, &p->t, c, &p->run.results[n], 1, NULL, p->profile };

	m.satisfied = trace_satisfied(&p->t, c, m.r);
	m.watch = o->step && watching(o) ? &p->watch : NULL;
	o->totals.calls++;
	o->totals.demands += trace_demands(c);
	o->totals.unmet += !m.satisfied;
	if (!m.satisfied)
		progress_end();
	if (o->json)
		event_call(&m);
	else if (o->step)
		story_call(&m);
	else if (!m.satisfied)
		story_unmet(&m);
}

/* Makes and reports the next call; 0 if there is none. */
static int play_one(struct playing *p)
{
	size_t n = p->run.done;

	if (watching(p->o))
		watch_next(&p->watch);
	if (!trace_run_step(&p->run, &p->t, p->o->backend, p->ctx))
		return 0;
	if (watching(p->o))
		watch_result(&p->watch, &p->t.calls[n].linked.call, &p->run.results[n]);
	report(p, n);
	return 1;
}

static void play_calls(struct playing *p)
{
	size_t i;

	if (watching(p->o))
		watch_begin(&p->watch, backend_model_world(p->ctx), p->o->touched);
	if (p->o->backend->run) {
		trace_run_all(&p->run, &p->t, p->o->backend, p->ctx);
		for (i = 0; i < p->run.done; i++)
			report(p, i);
	} else {
		while (play_one(p))
			;
	}
	if (watching(p->o))
		watch_end(&p->watch);
}

static void play_on(struct playing *p)
{
	struct replay *o = p->o;
	unsigned long unmet = o->totals.unmet;

	trace_run_init(&p->run, &p->t);
	play_calls(p);
	if (o->step && !o->json)
		story_end(&p->t);
	if (p->run.status == BACKEND_UNSUPPORTED && o->backend == &backend_model)
		misused(p, p->run.error.why);
	else if (p->run.status == BACKEND_UNSUPPORTED)
		skipped(p, line_of(p), p->run.error.why);
	else if (p->run.status == BACKEND_BROKEN)
		broken(p, p->run.error.why);
	o->unmet += o->totals.unmet > unmet;
	trace_run_free(&p->run);
}

static int demands_something(const struct trace *t)
{
	size_t i;

	for (i = 0; i < t->nr_calls; i++)
		if (trace_demands(&t->calls[i]))
			return 1;
	return 0;
}

/* Why this trace cannot be run on the back end here; null if it can. */
static const char *elsewhere(struct playing *p, struct backend_error *e)
{
	return p->o->backend == &backend_model ? NULL : not_of_this_kernel(&p->t, e);
}

static void play(struct playing *p)
{
	struct replay *o = p->o;
	struct backend_config config = { .machine = p->t.machine };
	const struct gmem_profile *profile = profile_for(&p->t, o->profile);
	struct backend_error e;
	char *where = NULL;
	struct gmem_profile *copy;
	const char *why;

	o->totals.traces++;
	if (!demands_something(&p->t)) {
		broken(p, p->t.nr_calls ? "the trace demands nothing" :
					  "the trace has no calls: it demands nothing");
		return;
	}
	why = elsewhere(p, &e);
	if (why) {
		skipped(p, 0, why);
		return;
	}
	copy = profile_with_bugs(profile, &o->bugs);
	profile = copy ? copy : profile;
	config.profile = profile;
	config.checking = o->check ? GMEM_CHECK_STEPS : GMEM_CHECK_CALLS;
	p->profile = o->backend == &backend_model ? profile : NULL;
	if (!p->profile)
		where = kernel_release();
	if (o->json)
		event_begin(p->file, where ? where : gmem_profile_name(profile));
	else if (o->step)
		story_begin(p->file, where ? where : gmem_profile_name(profile));
	free(where);
	if (o->backend->open(&p->ctx, &config, &e) == BACKEND_DONE)
		play_on(p);
	else
		broken(p, e.why);
	o->backend->close(p->ctx);
	gmem_profile_free(copy);
}

static void replay_file(struct replay *o, const char *path)
{
	struct playing p = { .o = o, .file = shown_name(path) };
	struct trace_error e;

	if (!read_trace(&p.t, "gmem replay", path, &e)) {
		if (o->json)
			event_error(p.file, &e);
		o->totals.unread++;
		o->wrong++;
		return;
	}
	play(&p);
	trace_free(&p.t);
}

static void print_touched(const struct replay *o)
{
	unsigned int i;

	for (i = 1; gmem_clause(i); i++)
		if (o->touched[i])
			puts(gmem_clause(i)->name);
}

static error_t on_option(int key, char *arg, struct argp_state *state)
{
	struct replay *o = state->input;

	switch (key) {
	case 'p':
		o->profile = profile_option(state, arg);
		break;
	case 'o':
		if (strcmp(arg, "model") && strcmp(arg, "kvm"))
			argp_error(state, "--on %s: a trace runs on model or on kvm", arg);
		o->backend = strcmp(arg, "kvm") ? &backend_model : &backend_kvm;
		break;
	case 'b':
		bug_option(state, &o->bugs, arg);
		break;
	case 's':
		o->step = 1;
		break;
	case 'c':
		o->check = 1;
		break;
	case 'j':
		o->json = 1;
		break;
	case 'q':
		o->quiet = 1;
		break;
	case 'l':
		o->clauses = 1;
		break;
	case ARGP_KEY_ARGS:
		o->files = state->argv + state->next;
		o->nr_files = state->argc - state->next;
		break;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which trace?");
		break;
	case ARGP_KEY_END:
		if (o->backend == &backend_kvm &&
		    (o->profile || o->check || o->clauses || o->bugs.n))
			argp_error(state,
				   "--profile, --bug, --check and --clauses are of the model");
		if (o->json && (o->quiet || o->clauses))
			argp_error(state, "--json prints events alone, not --quiet nor --clauses");
		if (o->step && o->quiet)
			argp_error(state, "--step tells all, --quiet only what is wrong");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp_option options[] = {
	{ "profile", 'p', "PROFILE", 0, "Judge by this profile, whatever the trace says", 0 },
	{ "bug", 'b', "ID", 0, "With this bug of the museum in the tables; may be repeated", 0 },
	{ "on", 'o', "BACKEND", 0, "Run on the model (the default), or on kvm: the real kernel",
	  0 },
	{ "step", 's', NULL, 0, "Show every call with the rows that ran, and what KVM was told",
	  0 },
	{ "check", 'c', NULL, 0,
	  "Check the model's invariants after every row, not just every call", 0 },
	{ "json", 'j', NULL, 0, "Print one JSON object a line instead of text", 0 },
	{ "quiet", 'q', NULL, 0, "Print only what is wrong", 0 },
	{ "clauses", 'l', NULL, 0, "Print the clauses that decided or acted, one a line", 0 },
	{ NULL, 0, NULL, 0, NULL, 0 },
};

static const struct argp argp = {
	.options = options,
	.parser = on_option,
	.args_doc = "TRACE...",
	.doc = "Run traces and judge whether each result is as demanded. A TRACE of - is standard "
	       "input.\vExit status: 0 if every demand is met, 1 if not (or nothing is demanded), 2 "
	       "if a trace is malformed, 77 if nothing could be run because this machine lacks "
	       "what was asked. See gmem(1), gmem-trace(5).",
};

int cmd_replay(int argc, char **argv)
{
	struct replay o = { .backend = &backend_model };
	int i;

	parse_options(&argp, argc, argv, &o);
	o.touched = xcalloc(nr_clauses(), 1);
	for (i = 0; i < o.nr_files; i++) {
		if (o.nr_files > 1)
			progress("%d of %d: %s", i + 1, o.nr_files, o.files[i]);
		replay_file(&o, o.files[i]);
	}
	progress_end();
	if (o.json)
		event_totals(&o.totals);
	else if (!o.quiet && !o.clauses && o.totals.traces)
		story_totals(&o.totals);
	if (o.clauses)
		print_touched(&o);
	free(o.touched);
	if (o.wrong)
		return EXIT_WRONG_USE;
	if (o.unmet)
		return EXIT_NOT_AS_DEMANDED;
	return o.totals.skipped && o.totals.skipped == o.totals.traces ? EXIT_LACKS :
									 EXIT_AS_DEMANDED;
}
