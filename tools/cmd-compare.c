/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gmem compare: holds the model against the real kernel, with given traces or with random ones.
 *
 * Given traces are compared here and now, random ones by many processes (compare-jobs.c); what
 * differs is compared again here, and shown by difference.c. A program is followed on the kernel
 * (follow.c), and then the model is asked what it has asked.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "cmd.h"
#include "compare-jobs.h"
#include "difference.h"
#include "follow.h"
#include "random.h"
#include "started.h"

#define AGAIN 3 /* times that a trace which differed is run again */
#define MAX_COUNT 1000000000

struct compare_all {
	const struct gmem_profile *profile;
	uint64_t seed;
	unsigned long count;
	unsigned int length, jobs;
	int has_seed, stats;
	int of_random; /* an option that means nothing for given traces */
	char **files, **program;
	int nr_files;

	struct comparer c;
	struct differences found;
	unsigned long traces, calls, unsteady, known[COMPARE_BUGS];
	unsigned long made[GMEM_NR_VERBS], worked[GMEM_NR_VERBS];
	double began;
};

static void count(struct compare_all *o)
{
	size_t i;

	o->traces++;
	o->calls += o->c.nr_calls;
	for (i = 0; i < COMPARE_BUGS; i++)
		o->known[i] += o->c.known[i];
}

static void look(struct compare_all *o, struct trace *t, const char *name, enum compared r)
{
	if (r == COMPARED_DIFFERENT || (r == COMPARED_BROKEN && o->c.model_broke))
		difference_found(&o->found, &o->c, t, name);
	else if (r == COMPARED_BROKEN)
		no_answer(&o->found, &o->c, t, name);
}

static void begin(struct compare_all *o, uint32_t max_fds)
{
	struct gmem_machine machine;
	struct backend_error e;

	if (backend_kvm.machine(&machine, &e) != BACKEND_DONE)
		die("%s", e.why);
	machine.max_fds = max_fds;
	if (comparer_open(&o->c, o->profile, &machine) != BACKEND_DONE)
		die("%s", o->c.error.why);
}

/* What a job saw and this process does not: something that depends on time or on chance. */
static void report_unsteady(struct compare_all *o, const struct trace *t,
			    const struct jobs_sight *sight)
{
	const struct trace_call *c = &t->calls[sight->at];
	char *call = call_text(t, c), *model = NULL, *kernel = NULL;

	o->unsteady++;
	progress_end();
	printf("unsteady: the trace of seed %" PRIu64
	       " differed once, and not when run again: it depends on time or chance\n"
	       "    %s\n",
	       t->seed, call);
	if (sight->result == COMPARED_DIFFERENT) {
		model = result_text(c->linked.call.verb, &sight->model);
		kernel = result_text(c->linked.call.verb, &sight->kernel);
		printf("      model   %s\n      kernel  %s\n", model, kernel);
	} else {
		printf("      %s\n", sight->error.why);
	}
	free(call);
	free(model);
	free(kernel);
}

/* Looks at trace number i, which a job found not to be the same. */
static void look_again(struct compare_all *o, const struct jobs *j, unsigned long i)
{
	const struct jobs_sight *sight = jobs_sight(j, i);
	uint64_t seed = random_nth_seed(o->seed, i);
	unsigned int again = 0;
	struct trace t;
	char name[32];
	enum compared r;

	snprintf(name, sizeof(name), "%" PRIu64, seed);
	compare_generate(&o->c, &t, seed, o->length);
	do
		r = compare(&o->c, &t);
	while (r == COMPARED_SAME && ++again < AGAIN);
	trace_name_all(&t);
	if (r == COMPARED_SAME && sight && sight->at < t.nr_calls)
		report_unsteady(o, &t, sight);
	else if (r == COMPARED_SAME)
		o->unsteady++;
	look(o, &t, name, r);
	trace_free(&t);
}

static void take_totals(struct compare_all *o, const struct jobs_totals *n)
{
	unsigned int i;

	o->traces = n->traces;
	o->calls = n->calls;
	for (i = 0; i < COMPARE_BUGS; i++)
		o->known[i] = n->known[i];
	for (i = 0; i < GMEM_NR_VERBS; i++) {
		o->made[i] = n->made[i];
		o->worked[i] = n->worked[i];
	}
}

static void compare_random(struct compare_all *o)
{
	struct jobs_plan plan = { .profile = o->profile,
				  .seed = o->seed,
				  .count = o->count,
				  .length = o->length,
				  .jobs = o->jobs };
	unsigned long i;
	struct jobs *j;

	begin(o, 1024);
	plan.machine = o->c.machine;
	j = jobs_start(&plan);
	for (i = 0; i < o->count && o->found.nr_kinds < DIFFERENCE_KINDS; i++) {
		if (jobs_result(j, i) != COMPARED_SAME)
			look_again(o, j, i);
		progress("%lu of %lu traces, %lu differences, %.0f calls/s", jobs_totals(j)->traces,
			 o->count, o->found.differences,
			 jobs_totals(j)->calls / (seconds() - o->began));
	}
	take_totals(o, jobs_totals(j));
	jobs_end(j);
	comparer_close(&o->c);
}

/* The file's name without folders and ending; free() it. */
static char *stem(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	const char *dot = strrchr(name, '.');

	return strcmp(path, "-") ? xstrndup(name, dot ? (size_t)(dot - name) : strlen(name)) :
				   xstrndup("stdin", 5);
}

/* Compares one file; its part of the exit status. */
static int compare_file(struct compare_all *o, const char *path)
{
	struct backend_error e;
	const char *why;
	enum compared r;
	struct trace t;
	char *name;

	if (!read_trace_with_calls(&t, "gmem compare", path))
		return EXIT_WRONG_USE;
	why = not_of_this_kernel(&t, &e);
	if (why) {
		printf("%s: skipped: %s\n", shown_name(path), why);
		trace_free(&t);
		return EXIT_LACKS;
	}
	name = stem(path);
	begin(o, t.machine.max_fds);
	r = compare(&o->c, &t);
	count(o);
	look(o, &t, name, r);
	comparer_close(&o->c);
	free(name);
	trace_free(&t);
	return EXIT_AS_DEMANDED;
}

static int compare_files(struct compare_all *o)
{
	int i, r, wrong = 0, lacks = 0;

	for (i = 0; i < o->nr_files; i++) {
		r = compare_file(o, o->files[i]);
		wrong |= r == EXIT_WRONG_USE;
		lacks += r == EXIT_LACKS;
	}
	return wrong ? EXIT_WRONG_USE : lacks == o->nr_files ? EXIT_LACKS : EXIT_AS_DEMANDED;
}

/* What no difference could be found in. */
static void say_not_compared(const struct followed *f)
{
	if (f->unseen)
		printf("not compared: %lu calls, such as one %s\n", f->unseen, f->why);
	if (f->others)
		printf("not compared: %lu calls on KVM that traces have no word for\n", f->others);
}

/* The kernel's answers are there already when the model is asked. */
static int compare_program(struct compare_all *o)
{
	const char *slash = strrchr(o->program[0], '/'), *name = slash ? slash + 1 : o->program[0];
	struct followed f;
	int status = follow_program(o->program, &f);

	if (status || f.not_started) {
		followed_free(&f);
		return status ? status : EXIT_WRONG_USE;
	}
	if (f.status)
		printf("%s: exit status %d\n", name, status_number(f.status));
	if (!f.t.nr_calls) {
		printf("%s: made no call on KVM that a trace could have: nothing is compared\n",
		       name);
		say_not_compared(&f);
		followed_free(&f);
		return EXIT_NOT_AS_DEMANDED;
	}
	begin(o, 1024);
	f.t.profile = o->profile;
	if (compare_recorded(&o->c, &f.t, f.results) != COMPARED_SAME)
		difference_of_program(&o->found, &o->c, &f.t, name);
	count(o);
	comparer_close(&o->c);
	say_not_compared(&f);
	followed_free(&f);
	return EXIT_AS_DEMANDED;
}

static void print_stats(const struct compare_all *o)
{
	unsigned int i;

	printf("%-26s %12s %12s\n", "call", "made", "succeeded");
	for (i = 0; i < GMEM_NR_VERBS; i++)
		if (o->made[i])
			printf("%-26s %12lu %12lu\n", gmem_verb_info(i)->name, o->made[i],
			       o->worked[i]);
}

static void print_summary(const struct compare_all *o)
{
	double took = seconds() - o->began;
	unsigned int i;

	if (o->stats)
		print_stats(o);
	printf("%lu trace%s, %lu call%s: %lu difference%s", o->traces, o->traces == 1 ? "" : "s",
	       o->calls, o->calls == 1 ? "" : "s", o->found.differences,
	       o->found.differences == 1 ? "" : "s");
	if (o->found.differences > o->found.nr_kinds)
		printf(" of %u kinds", o->found.nr_kinds);
	if (o->found.broken)
		printf(", %lu without an answer", o->found.broken);
	if (o->unsteady)
		printf(", %lu that did not come again", o->unsteady);
	printf("; %.1f s, %.0f calls/s\n", took, o->calls / (took > 0 ? took : 1));
	for (i = 0; i < COMPARE_BUGS; i++)
		if (o->known[i])
			printf("known: %s, %lu times (%s)\n", gmem_profile_bug(o->profile, i),
			       o->known[i], gmem_bug_title(gmem_profile_bug(o->profile, i)));
	if (o->count)
		printf("seed %" PRIu64 ", length %u, %s\n", o->seed, o->length,
		       gmem_profile_name(o->profile));
}

/* ---- options ---- */

static error_t on_option(int key, char *arg, struct argp_state *state)
{
	struct compare_all *o = state->input;

	switch (key) {
	case 'p':
		o->profile = profile_option(state, arg);
		break;
	case 's':
		o->seed = number_option(state, "--seed", arg, 0, UINT64_MAX);
		o->has_seed = 1;
		break;
	case 'n':
		o->count = number_option(state, "--count", arg, 1, MAX_COUNT);
		break;
	case 'l':
		o->length = number_option(state, "--length", arg, 1, 1000);
		o->of_random = 1;
		break;
	case 'j':
		o->jobs = number_option(state, "--jobs", arg, 1, JOBS_MAX);
		o->of_random = 1;
		break;
	case 'k':
		if (access(arg, W_OK | X_OK))
			argp_failure(state, EXIT_WRONG_USE, errno, "--keep %s", arg);
		o->found.keep = arg;
		break;
	case 't':
		o->stats = 1;
		o->of_random = 1;
		break;
	case ARGP_KEY_ARGS:
		o->files = state->argv + state->next;
		o->nr_files = state->argc - state->next;
		break;
	case ARGP_KEY_END:
		if (!o->nr_files && !o->count && !o->has_seed && !o->program)
			argp_error(state,
				   "which trace? or --count NUMBER for random ones, or -- PROGRAM");
		if (o->program && (o->nr_files || o->count || o->has_seed || o->of_random))
			argp_error(state, "a program is compared by itself");
		if (o->nr_files && (o->count || o->has_seed))
			argp_error(state, "traces are given or random, not both");
		if (o->nr_files && o->of_random)
			argp_error(state, "--length, --jobs and --stats are for random traces");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp_option options[] = {
	{ "seed", 's', "NUMBER", 0, "Make up traces from this seed (default: random)", 0 },
	{ "count", 'n', "NUMBER", 0, "Number of traces to make up (default: 1)", 0 },
	{ "length", 'l', "NUMBER", 0, "Calls in each of them, 1 to 1000 (default: 40)", 0 },
	{ "keep", 'k', "FOLDER", 0,
	  "Write differences as traces to FOLDER (default: the current one)", 0 },
	{ "jobs", 'j', "NUMBER", 0, "Compare this many random traces at once (default: 4 per CPU)",
	  0 },
	{ "profile", 'p', "PROFILE", 0,
	  "Compare the kernel with this profile (default: its own release's)", 0 },
	{ "stats", 't', NULL, 0, "Print how often each call was made, and succeeded", 0 },
	{ NULL, 0, NULL, 0, NULL, 0 },
};

static const struct argp argp = {
	.options = options,
	.parser = on_option,
	.args_doc =
		"TRACE...\n--count NUMBER [--seed NUMBER] [--length NUMBER]\n-- PROGRAM [ARGUMENT...]",
	.doc = "Make the same calls on the model and on /dev/kvm and compare every result. The calls are those "
	       "of traces, random ones, or those that a program makes. What a known "
	       "bug of this release explains is counted separately; any other difference is shrunk to "
	       "the fewest calls, shown, and written as a trace.\vExit status: 0 if there is no "
	       "difference, 1 if there is, 2 if a trace is malformed, 77 if this machine cannot be "
	       "asked. See gmem(1), gmem-trace(5).",
};

static void choose_defaults(struct compare_all *o)
{
	if (!o->profile)
		o->profile = kernel_profile();
	if (!o->profile)
		die("no profile is of this kernel's release; choose one with --profile");
	if (!o->nr_files && !o->has_seed && !o->program &&
	    getrandom(&o->seed, sizeof(o->seed), 0) != sizeof(o->seed))
		die("no random seed: %s", strerror(errno));
	if (!o->nr_files && !o->count && !o->program)
		o->count = 1;
	o->began = seconds();
}

int cmd_compare(int argc, char **argv)
{
	static struct compare_all o = { .length = 40, .found.keep = "." };
	struct gmem_machine machine;
	struct backend_error e;
	int status = EXIT_AS_DEMANDED;

	o.program = program_after_dashes(&argc, argv);
	parse_options(&argp, argc, argv, &o);
	choose_defaults(&o);
	if (backend_kvm.machine(&machine, &e) != BACKEND_DONE) {
		fprintf(stderr, "gmem compare: %s\n", e.why);
		return EXIT_LACKS;
	}
	if (o.program)
		status = compare_program(&o);
	else if (o.nr_files)
		status = compare_files(&o);
	else
		compare_random(&o);
	progress_end();
	if (o.traces)
		print_summary(&o);
	if (status == EXIT_WRONG_USE || o.program)
		return o.found.differences ? EXIT_NOT_AS_DEMANDED : status;
	return o.found.differences || o.found.broken ? EXIT_NOT_AS_DEMANDED : status;
}
