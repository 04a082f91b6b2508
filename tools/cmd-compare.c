/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gmem compare: holds the model against the real kernel, with given traces or with random ones.
 *
 * Each kind of difference (which call, which two results, by which rule) is shrunk, shown and
 * written as a trace once; the ones like it are counted.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "cmd.h"
#include "compare.h"
#include "random.h"
#include "shrink.h"

#define MAX_KINDS 32 /* of differences; with so many there is no use in going on */

/* What tells one difference from another. */
struct kind {
	uint32_t verb, clause, model_broke;
	uint32_t model_outcome, kernel_outcome;
	int64_t model_error, kernel_error; /* 0 for successes */
};

struct compare_all {
	const struct gmem_profile *profile;
	uint64_t seed;
	unsigned long count;
	unsigned int length;
	int has_seed, stats;
	const char *keep;
	char **files;
	int nr_files;

	struct comparer c;
	struct kind kinds[MAX_KINDS];
	unsigned long times[MAX_KINDS];
	unsigned int nr_kinds;
	unsigned long traces, calls, differences, broken, known[COMPARE_BUGS];
	unsigned long made[GMEM_NR_VERBS], worked[GMEM_NR_VERBS];
	double began;
};

/* ---- one difference ---- */

static int64_t error_of(const struct gmem_result *r)
{
	return result_succeeded(r) ? 0 : r->value;
}

static struct kind kind_of(const struct comparer *c, const struct trace *t)
{
	const struct gmem_result *m = &c->model[c->at], *k = &c->kernel[c->at];
	struct kind kind;

	memset(&kind, 0, sizeof(kind));
	kind.verb = t->calls[c->at].linked.call.verb;
	kind.clause = m->clause;
	kind.model_broke = c->model_broke;
	if (c->model_broke)
		return kind;
	kind.model_outcome = m->outcome;
	kind.kernel_outcome = k->outcome;
	kind.model_error = error_of(m);
	kind.kernel_error = error_of(k);
	return kind;
}

/* Which kind it is, counted; makes a new one. */
static int is_new_kind(struct compare_all *o, const struct kind *kind)
{
	unsigned int i;

	for (i = 0; i < o->nr_kinds && memcmp(&o->kinds[i], kind, sizeof(*kind)); i++)
		;
	if (i == MAX_KINDS)
		return 0;
	o->times[i]++;
	if (i < o->nr_kinds)
		return 0;
	o->kinds[o->nr_kinds++] = *kind;
	return 1;
}

struct wanted {
	struct comparer *c;
	struct kind kind;
};

/* Whether the last call of the trace still differs in that way. */
static int still_differs(void *arg, const struct trace *t)
{
	struct wanted *w = arg;
	struct trace copy;
	struct kind kind;
	enum compared r;
	int same = 0;

	progress("shrinking: %zu calls", t->nr_calls);
	trace_copy(&copy, t);
	r = compare(w->c, &copy);
	if (r != COMPARED_SAME && w->c->at == t->nr_calls - 1 && copy.nr_calls == t->nr_calls) {
		kind = kind_of(w->c, &copy);
		same = !memcmp(&kind, &w->kind, sizeof(kind));
	}
	trace_free(&copy);
	return same;
}

/* Every result of the kernel becomes a demand: replaying the trace shows the difference. */
static void fill_in(struct comparer *c, struct trace *t)
{
	size_t i;

	trace_name_all(t);
	for (i = 0; i < t->nr_calls; i++) {
		if (i == c->at && c->model_broke)
			continue;
		trace_demand_result(t, &t->calls[i], &c->kernel[i]);
		if (!result_succeeded(&c->kernel[i]))
			t->calls[i].name[0] = 0;
	}
	trace_settle(t, c->kernel);
	if (!t->profile)
		t->profile = c->profile;
	t->machine = c->machine;
	t->machine_says = TRACE_MACHINE_ARCH | TRACE_MACHINE_TYPES | TRACE_MACHINE_SMM |
			  TRACE_MACHINE_TDP;
	free(t->recorded);
	t->recorded = kernel_release();
}

/* The file's name; free() it. */
static char *write_difference(struct compare_all *o, const struct trace *t, const char *name)
{
	struct text path;
	char *p;
	FILE *f;

	text_begin(&path);
	fprintf(path.f, "%s/difference-%s.trace", o->keep, name);
	p = text_end(&path);
	f = fopen(p, "we");
	if (!f)
		die("%s: %s", p, strerror(errno));
	trace_print(f, t);
	if (fclose(f))
		die("%s: %s", p, strerror(errno));
	return p;
}

static void show_last_call(const struct comparer *c, const struct trace *t)
{
	const struct trace_call *last = &t->calls[c->at];
	char *call = call_text(t, last), *text;

	printf("    %s\n", call);
	free(call);
	if (c->model_broke) {
		printf("      model   %s\n", c->error.why);
		return;
	}
	text = result_text(last->linked.call.verb, &c->model[c->at]);
	printf("      model   %s\n", text);
	free(text);
	text = result_text(last->linked.call.verb, &c->kernel[c->at]);
	printf("      kernel  %s\n", text);
	free(text);
	print_clause(stdout, c->model[c->at].clause, "      ");
}

/* The calls before the last with what both answered, then the last with either answer. */
static void show(const struct comparer *c, const struct trace *t, const char *path)
{
	size_t i;

	printf("difference: %s\n", path);
	for (i = 0; i < c->at; i++) {
		char *call = call_text(t, &t->calls[i]);
		char *result = result_text(t->calls[i].linked.call.verb, &c->kernel[i]);

		printf("    %s%s%s\n", call, t->calls[i].name[0] ? "" : " = ",
		       t->calls[i].name[0] ? "" : result);
		free(call);
		free(result);
	}
	show_last_call(c, t);
	putchar('\n');
}

static void difference(struct compare_all *o, struct trace *t, const char *name)
{
	struct wanted w = { .c = &o->c, .kind = kind_of(&o->c, t) };
	char *path;

	o->differences++;
	if (!is_new_kind(o, &w.kind))
		return;
	while (t->nr_calls > o->c.at + 1)
		trace_drop(t, t->nr_calls - 1);
	if (still_differs(&w, t))
		shrink(t, still_differs, &w);
	else
		printf("difference: %s: it did not come again when the calls were made again\n",
		       name);
	compare(&o->c, t);
	if (o->c.at >= t->nr_calls)
		o->c.at = t->nr_calls - 1;
	fill_in(&o->c, t);
	path = write_difference(o, t, name);
	progress_end();
	show(&o->c, t, path);
	fflush(stdout);
	free(path);
}

/* ---- all of them ---- */

static void kernel_broke(struct compare_all *o, struct trace *t, const char *name)
{
	char *path, *call;

	o->broken++;
	if (o->broken > 3)
		return;
	trace_name_all(t);
	path = write_difference(o, t, name);
	progress_end();
	printf("no answer: %s: %s\n", path, o->c.error.why);
	if (o->c.at < t->nr_calls) {
		call = call_text(t, &t->calls[o->c.at]);
		printf("    %s\n\n", call);
		free(call);
	}
	free(path);
}

static void count(struct compare_all *o, const struct trace *t)
{
	size_t i;

	o->traces++;
	o->calls += o->c.nr_calls;
	for (i = 0; i < COMPARE_BUGS; i++)
		o->known[i] += o->c.known[i];
	for (i = 0; o->stats && i < o->c.nr_calls; i++) {
		o->made[t->calls[i].linked.call.verb]++;
		o->worked[t->calls[i].linked.call.verb] += result_succeeded(&o->c.kernel[i]);
	}
}

static void compare_one(struct compare_all *o, struct trace *t, const char *name)
{
	enum compared r = compare(&o->c, t);

	count(o, t);
	if (r == COMPARED_DIFFERENT || (r == COMPARED_BROKEN && o->c.model_broke))
		difference(o, t, name);
	else if (r == COMPARED_BROKEN)
		kernel_broke(o, t, name);
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

static void compare_random(struct compare_all *o)
{
	unsigned long i;
	struct trace t;
	char name[32];

	begin(o, 1024);
	for (i = 0; i < o->count && o->nr_kinds < MAX_KINDS; i++) {
		uint64_t seed = random_nth_seed(o->seed, i);

		compare_generate(&o->c, &t, seed, o->length);
		snprintf(name, sizeof(name), "%" PRIu64, seed);
		compare_one(o, &t, name);
		trace_free(&t);
		progress("%lu of %lu traces, %lu differences, %.0f calls/s", i + 1, o->count,
			 o->differences, o->calls / (seconds() - o->began));
	}
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
	struct trace t;
	char *name;

	if (!read_trace(&t, "gmem compare", path))
		return EXIT_WRONG_USE;
	why = not_of_this_kernel(&t, &e);
	if (why) {
		printf("%s: skipped: %s\n", path, why);
		trace_free(&t);
		return EXIT_LACKS;
	}
	name = stem(path);
	begin(o, t.machine.max_fds);
	compare_one(o, &t, name);
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
	printf("%lu traces, %lu calls: %lu difference%s", o->traces, o->calls, o->differences,
	       o->differences == 1 ? "" : "s");
	if (o->differences > o->nr_kinds)
		printf(" of %u kinds", o->nr_kinds);
	if (o->broken)
		printf(", %lu without an answer", o->broken);
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
		o->seed = number_option(state, "--seed", arg);
		o->has_seed = 1;
		break;
	case 'n':
		o->count = number_option(state, "--count", arg);
		break;
	case 'l':
		o->length = number_option(state, "--length", arg);
		if (o->length < 1 || o->length > 1000)
			argp_error(state, "--length is a number from 1 to 1000");
		break;
	case 'k':
		o->keep = arg;
		break;
	case 't':
		o->stats = 1;
		break;
	case ARGP_KEY_ARGS:
		o->files = state->argv + state->next;
		o->nr_files = state->argc - state->next;
		break;
	case ARGP_KEY_END:
		if (!o->nr_files && !o->count && !o->has_seed)
			argp_error(state, "which trace? or --seed and --count for random ones");
		if (o->nr_files && (o->count || o->has_seed))
			argp_error(state, "traces are given or random, not both");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp_option options[] = {
	{ "seed", 's', "NUMBER", 0, "Make up traces from this seed; the first one has it itself", 0 },
	{ "count", 'n', "NUMBER", 0, "How many to make up [1]", 0 },
	{ "length", 'l', "NUMBER", 0, "Calls in each of them [40]", 0 },
	{ "keep", 'k', "FOLDER", 0, "Write differences there, as traces [.]", 0 },
	{ "profile", 'p', "PROFILE", 0, "Hold the kernel against this profile [its own release's]", 0 },
	{ "stats", 't', NULL, 0, "Say how often each call was made, and succeeded", 0 },
	{ NULL, 0, NULL, 0, NULL, 0 },
};

static const struct argp argp = {
	.options = options,
	.parser = on_option,
	.args_doc = "TRACE...\n--seed NUMBER [--count NUMBER] [--length NUMBER]",
	.doc = "Make the same calls on the model and on /dev/kvm and compare every result. What a known "
	       "bug of this release explains is counted apart; any other difference is shrunk to the "
	       "fewest calls, shown, and written as a trace.\vExit status: 0 if there is no "
	       "difference, 1 if there is, 2 if a trace is malformed, 77 if this machine cannot be "
	       "asked. See gmem(1), gmem-trace(5).",
};

static void choose_defaults(struct compare_all *o)
{
	if (!o->profile)
		o->profile = kernel_profile();
	if (!o->profile)
		die("no profile is of this kernel's release; choose one with --profile");
	if (!o->nr_files && !o->has_seed &&
	    getrandom(&o->seed, sizeof(o->seed), 0) != sizeof(o->seed))
		die("no random seed: %s", strerror(errno));
	if (!o->nr_files && !o->count)
		o->count = 1;
	o->began = seconds();
}

int cmd_compare(int argc, char **argv)
{
	static struct compare_all o = { .length = 40, .keep = "." };
	struct gmem_machine machine;
	struct backend_error e;
	int status = EXIT_AS_DEMANDED;

	parse_options(&argp, argc, argv, &o);
	choose_defaults(&o);
	if (backend_kvm.machine(&machine, &e) != BACKEND_DONE) {
		fprintf(stderr, "gmem compare: %s\n", e.why);
		return EXIT_LACKS;
	}
	if (o.nr_files)
		status = compare_files(&o);
	else
		compare_random(&o);
	progress_end();
	if (o.traces)
		print_summary(&o);
	if (status == EXIT_WRONG_USE)
		return status;
	return o.differences || o.broken ? EXIT_NOT_AS_DEMANDED : status;
}
