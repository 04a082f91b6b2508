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
#include "backend-mount.h"
#include "cmd.h"
#include "diagram.h"
#include "report.h"

struct replay {
	const struct gmem_profile *profile; /* asked for; or null */
	const struct backend *backend;
	struct bugs_asked bugs;
	int step, check, json, quiet, clauses;
	struct diagrams diagrams;
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

/* Call number n, which was made, or begun. */
static struct made_call call_made(struct playing *p, size_t n, int is_over)
{
	const struct trace_call *c = &p->t.calls[n];
	struct made_call m = { p->file, &p->t, c, NULL, 1, NULL, p->profile };

	m.watch = p->o->step && watching(p->o) ? &p->watch : NULL;
	if (!is_over)
		return m;
	m.r = &p->run.results[n];
	m.satisfied = trace_satisfied(&p->t, c, m.r);
	return m;
}

static void count(struct replay *o, const struct made_call *m)
{
	o->totals.calls++;
	o->totals.demands += trace_demands(m->c);
	o->totals.unmet += !m->satisfied;
	if (!m->satisfied)
		progress_end();
}

static void report(struct playing *p, size_t n)
{
	struct replay *o = p->o;
	struct made_call m = call_made(p, n, 1);

	count(o, &m);
	if (o->json)
		event_call(&m);
	else if (o->step)
		story_call(&m);
	else if (!m.satisfied)
		story_unmet(stdout, &m);
}

/* The calls of the block, also where it came to no end: those that did are judged. */
static void report_block(struct playing *p)
{
	size_t n = p->t.par_end - p->t.par_first, i;
	struct made_call *calls = xcalloc(n, sizeof(*calls));

	for (i = 0; i < n; i++)
		calls[i] = call_made(p, p->t.par_first + i, p->run.over[p->t.par_first + i]);
	if (p->o->step && !p->o->json)
		story_block(calls, n);
	for (i = 0; i < n; i++) {
		if (!calls[i].r)
			continue;
		count(p->o, &calls[i]);
		if (p->o->json)
			event_call(&calls[i]);
		else if (!p->o->step && !calls[i].satisfied)
			story_unmet(stdout, &calls[i]);
	}
	free(calls);
}

/* Makes and reports the next call, or the block; 0 if there is none, or it could not be made. */
static int play_one(struct playing *p)
{
	size_t n = p->run.done;
	int begins_block = p->t.par_end && n == p->t.par_first, made;

	if (watching(p->o))
		watch_next(&p->watch, n);
	made = trace_run_step(&p->run, &p->t, p->o->backend, p->ctx);
	if (begins_block)
		report_block(p);
	for (; n < p->run.done; n++) {
		if (watching(p->o))
			watch_result(&p->watch, &p->t.calls[n].linked.call, &p->run.results[n]);
		if (!begins_block)
			report(p, n);
	}
	return made;
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
	p->run.turn = watching(o) ? watch_turn : NULL;
	p->run.turn_arg = &p->watch;
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

/* What a design leaves open a mount has to show some value of. */
static void accept_any_value(struct trace *t)
{
	size_t i;

	for (i = 0; i < t->nr_calls; i++)
		if (t->calls[i].nr_demands &&
		    t->demands[t->calls[i].demands].outcome == GMEM_UNSPECIFIED)
			trace_clear_demands(&t->calls[i]);
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
	if (p->o->backend == &backend_mount)
		return not_of_this_mount(&p->t, e);
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
	if (o->backend == &backend_mount)
		accept_any_value(&p->t);
	copy = profile_with_bugs("gmem replay", profile, &o->bugs);
	profile = copy ? copy : profile;
	config.profile = profile;
	config.checking = o->check ? GMEM_CHECK_STEPS : GMEM_CHECK_CALLS;
	p->profile = o->backend == &backend_model ? profile : NULL;
	if (!p->profile)
		where = o->backend == &backend_mount ? xstrndup("gmemfs", 6) : kernel_release();
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

/* A picture of the calls that overlap, and no words but on what is wrong. */
static void draw(struct playing *p)
{
	const struct gmem_profile *profile = profile_for(&p->t, p->o->profile);
	struct gmem_profile *copy = profile_with_bugs("gmem replay", profile, &p->o->bugs);
	struct timeline tl;
	size_t i;

	if (!timeline_record(&tl, &p->t, copy ? copy : profile)) {
		misused(p, tl.run.error.why);
	} else {
		diagram_draw(&p->o->diagrams, &tl);
		if (tl.run.status != BACKEND_DONE)
			fprintf(stderr, "%s: %s\n", p->file, tl.run.error.why);
		p->o->unmet += tl.run.status != BACKEND_DONE;
		for (i = 0; i < tl.run.done; i++)
			p->o->unmet += !trace_satisfied(&p->t, &p->t.calls[i], &tl.run.results[i]);
	}
	timeline_free(&tl);
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
	if (!diagram_any(&o->diagrams)) {
		play(&p);
	} else if (p.t.par_end) {
		draw(&p);
	} else {
		fprintf(stderr, "%s: no calls overlap: there is no par in it\n", p.file);
		o->wrong++;
	}
	trace_free(&p.t);
}

static void print_touched(const struct replay *o)
{
	unsigned int i;

	for (i = 1; gmem_clause(i); i++)
		if (o->touched[i])
			puts(gmem_clause(i)->name);
}

static void check_use(struct argp_state *state, const struct replay *o)
{
	if (o->backend != &backend_model && (o->profile || o->check || o->clauses || o->bugs.n))
		argp_error(state, "--profile, --bug, --check and --clauses work only on the "
				  "model, not with --on kvm or a mount");
	if (o->json && (o->quiet || o->clauses))
		argp_error(state, "--json cannot be combined with --quiet or --clauses");
	if (diagram_any(&o->diagrams) &&
	    (o->backend != &backend_model || o->json || o->step || o->clauses))
		argp_error(state, "pictures are drawn from the model, and cannot be combined "
				  "with --json, --step or --clauses");
	if (diagram_any(&o->diagrams) && o->nr_files > 1)
		argp_error(state, "a picture shows one trace");
	if (o->step && o->quiet)
		argp_error(state, "--step cannot be combined with --quiet");
}

static const struct backend *backend_option(struct argp_state *state, const char *arg)
{
	struct backend_error e;

	if (!strcmp(arg, "model"))
		return &backend_model;
	if (!strcmp(arg, "kvm"))
		return &backend_kvm;
	if (!strchr(arg, '/'))
		argp_error(state,
			   "--on %s: a trace runs on model, on kvm, or on the path of a mount",
			   arg);
	if (!backend_mount_at(arg, &e))
		argp_error(state, "--on: %s", e.why);
	return &backend_mount;
}

static error_t on_option(int key, char *arg, struct argp_state *state)
{
	struct replay *o = state->input;

	if (diagram_option(&o->diagrams, key, arg, state))
		return 0;
	switch (key) {
	case 'p':
		o->profile = profile_option(state, arg);
		break;
	case 'o':
		o->backend = backend_option(state, arg);
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
		check_use(state, o);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp_option options[] = {
	{ "profile", 'p', "PROFILE", 0, "Judge by this profile, whatever the trace says", 0 },
	{ "bug", 'b', "ID", 0, BUG_OPTION_HELP, 0 },
	{ "on", 'o', "BACKEND", 0,
	  "Run on model (the default), on kvm, the real kernel, or on the path of a mounted gmemfs",
	  0 },
	{ "step", 's', NULL, 0, "Show every call with the rows that ran, and what KVM was told",
	  0 },
	{ "check", 'c', NULL, 0,
	  "Check the model's invariants after every row, not just every call", 0 },
	{ "json", 'j', NULL, 0, "Print one JSON object per line instead of text", 0 },
	{ "quiet", 'q', NULL, 0, "Print only what is wrong, and what was skipped", 0 },
	{ "clauses", 'l', NULL, 0, "Print the clauses that decided or acted, one per line", 0 },
	DIAGRAM_OPTIONS(
		"Print who waits for whom at the end of overlapping calls, as a graph for dot(1), "
		"instead of text"),
	{ NULL, 0, NULL, 0, NULL, 0 },
};

static const struct argp argp = {
	.options = options,
	.parser = on_option,
	.args_doc = "TRACE...",
	.doc = "Run traces and check whether each result is as demanded. A TRACE of - is standard "
	       "input.\vExit status: 0 if every demand is met, 1 if not (or nothing is demanded), 2 "
	       "if a trace is malformed, 77 if nothing could be run because this machine lacks "
	       "what was asked for. See gmem(1), gmem-trace(5).",
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
