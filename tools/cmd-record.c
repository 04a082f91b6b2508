/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gmem record: runs a trace on the real kernel and writes it with every result as a demand, so
 * that machines without /dev/kvm can hold the model against this one. Or runs a program, and writes
 * what it asked the kernel as such a trace.
 *
 * What the trace demanded before is forgotten; comments stay. A name whose call fails here is
 * written as the number that it stood for.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "cmd.h"
#include "follow.h"
#include "output.h"
#include "started.h"

struct record {
	const char *out, *trace;
	char **program;
};

/* The header: where it was recorded, and what the machine there is. */
static void fill_header(struct trace *t, const struct gmem_machine *here)
{
	uint32_t max_fds = t->machine.max_fds;

	if (!t->head && !t->profile && !t->machine_says && !t->recorded && !t->has_seed &&
	    t->nr_calls) {
		t->head = t->calls[0].before;
		t->calls[0].before = NULL;
	}
	t->profile = kernel_profile();
	t->machine = *here;
	t->machine.max_fds = max_fds;
	t->machine_says |= TRACE_MACHINE_ARCH | TRACE_MACHINE_TYPES | TRACE_MACHINE_SMM |
			   TRACE_MACHINE_TDP;
	free(t->recorded);
	t->recorded = kernel_release();
}

static void fill_demands(struct trace *t, const struct gmem_result *results)
{
	size_t i;

	for (i = 0; i < t->nr_calls; i++)
		trace_demand_result(t, &t->calls[i], &results[i]);
	trace_settle(t, results);
}

/* Runs the trace; 1 if every call was answered. */
static int run(struct trace *t, struct trace_run *r, struct backend_error *e,
	       enum backend_status *status)
{
	struct backend_config config = { .machine = t->machine };
	void *ctx;

	*status = backend_kvm.open(&ctx, &config, e);
	if (*status == BACKEND_DONE) {
		trace_run_all(r, t, &backend_kvm, ctx);
		*status = r->status;
		*e = r->error;
	}
	backend_kvm.close(ctx);
	return *status == BACKEND_DONE;
}

static FILE *open_output(const char *path)
{
	FILE *f = path ? fopen(path, "we") : stdout;

	if (!f)
		die("%s: %s", path, strerror(errno));
	return f;
}

static void write_trace(FILE *f, const struct trace *t, const char *path)
{
	trace_print(f, t);
	if (path && fclose(f))
		die("%s: %s", path, strerror(errno));
}

static int record(struct record *o, struct trace *t, const struct gmem_machine *here)
{
	enum backend_status status;
	struct backend_error e;
	struct trace_run r;
	int ok;

	trace_run_init(&r, t);
	ok = run(t, &r, &e, &status);
	if (ok) {
		fill_header(t, here);
		fill_demands(t, r.results);
		write_trace(open_output(o->out), t, o->out);
	} else if (r.done < t->nr_calls) {
		fprintf(stderr, "%s:%u: not recorded: %s\n", shown_name(o->trace),
			t->calls[r.done].line, e.why);
	} else {
		fprintf(stderr, "%s: not recorded: %s\n", shown_name(o->trace), e.why);
	}
	trace_run_free(&r);
	if (status == BACKEND_UNSUPPORTED)
		return EXIT_LACKS;
	return ok ? EXIT_AS_DEMANDED : EXIT_NOT_AS_DEMANDED;
}

/* ---- a program ---- */

/* What the trace cannot say, as its last lines. */
static char *remarks(const struct followed *f)
{
	struct text t;

	text_begin(&t);
	fputs("# Recorded from a program. Loads and stores of its own that succeeded are not seen, nor are those of "
	      "guests.\n",
	      t.f);
	if (f->others)
		fprintf(t.f, "# Calls on KVM that traces have no word for: %lu.\n", f->others);
	if (f->unseen)
		fprintf(t.f, "# Calls that are not here: %lu, such as one %s.\n", f->unseen,
			f->why);
	return text_end(&t);
}

static void fill_in(struct followed *f, const struct gmem_machine *here)
{
	size_t i;

	fill_header(&f->t, here);
	fill_demands(&f->t, f->results);
	for (i = 0; i < f->t.nr_calls; i++)
		if (!result_succeeded(&f->results[i]))
			f->t.calls[i].name[0] = 0;
	f->t.tail = remarks(f);
}

/* How the program ended, as long as there is a trace. */
static int write_program(struct output *to, struct followed *f, const struct gmem_machine *here)
{
	int fd = f->t.nr_calls ? output_take(to) : -1;
	FILE *out = fd < 0 ? NULL : fdopen(fd, "w");

	if (f->not_started || !f->t.nr_calls) {
		output_leave(to);
		return f->status ? f->status : W_EXITCODE(EXIT_NOT_AS_DEMANDED, 0);
	}
	if (!out)
		die("%s: %s", to->path, strerror(errno));
	fill_in(f, here);
	write_trace(out, &f->t, to->path);
	return f->status;
}

static int record_program(const struct record *o, const struct gmem_machine *here)
{
	struct output to;
	struct followed f;
	int status;

	standard_files_hold();
	/* the program may run for long: is there a place for its trace? */
	if (!output_open(&to, o->out))
		die("%s: %s", o->out, strerror(errno));
	status = follow_program(o->program, &f);
	if (status) {
		output_leave(&to);
		return status;
	}
	status = write_program(&to, &f, here);
	if (!f.t.nr_calls && !f.not_started)
		fprintf(stderr,
			"gmem record: %s made no call on KVM that a trace could have, or something else "
			"answers its calls, such as gmem run\n",
			o->program[0]);
	if (f.unseen)
		fprintf(stderr, "gmem record: %lu calls are not in the trace, such as one %s\n",
			f.unseen, f.why);
	followed_free(&f);
	return end_as(status);
}

static error_t on_option(int key, char *arg, struct argp_state *state)
{
	struct record *o = state->input;

	switch (key) {
	case 'o':
		o->out = arg;
		break;
	case ARGP_KEY_ARG:
		if (o->trace)
			argp_error(state, "one trace at a time");
		if (o->program)
			argp_error(state, "a trace or a program, not both");
		o->trace = arg;
		break;
	case ARGP_KEY_NO_ARGS:
		if (!o->program)
			argp_error(state, "which trace? or -- PROGRAM");
		if (!o->out)
			argp_error(state, "a program has its own output: --output FILE is needed");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp_option options[] = {
	{ "output", 'o', "FILE", 0, "Write the recording to FILE instead of standard output", 0 },
	{ NULL, 0, NULL, 0, NULL, 0 },
};

static const struct argp argp = {
	.options = options,
	.parser = on_option,
	.args_doc = "TRACE\n-- PROGRAM [ARGUMENT...]",
	.doc = "Run a trace on /dev/kvm and write it with every result filled in as a demand. A TRACE "
	       "of - is standard input. Or run a program, and write what it asks of KVM and of "
	       "guest_memfds as such a trace.\vExit status: 0, 1 if the kernel did not answer, 2 if the "
	       "trace is malformed, 77 if this machine cannot be asked; with a program, its own. See "
	       "gmem(1), gmem-trace(5).",
};

static int record_trace(struct record *o, struct trace *t)
{
	const char *why = trace_only_on_the_model(t);
	struct gmem_machine here;
	struct backend_error e;

	if (why) {
		fprintf(stderr, "%s: not recorded: %s\n", shown_name(o->trace), why);
		return EXIT_LACKS;
	}
	if (backend_kvm.machine(&here, &e) != BACKEND_DONE) {
		fprintf(stderr, "gmem record: %s\n", e.why);
		return EXIT_LACKS;
	}
	return record(o, t, &here);
}

int cmd_record(int argc, char **argv)
{
	struct record o = { 0 };
	struct gmem_machine here;
	struct backend_error e;
	struct trace t;
	int status;

	o.program = program_after_dashes(&argc, argv);
	parse_options(&argp, argc, argv, &o);
	if (o.program) {
		if (backend_kvm.machine(&here, &e) == BACKEND_DONE)
			return record_program(&o, &here);
		fprintf(stderr, "gmem record: %s\n", e.why);
		return EXIT_LACKS;
	}
	if (!read_trace_with_calls(&t, "gmem record", o.trace))
		return EXIT_WRONG_USE;
	status = record_trace(&o, &t);
	trace_free(&t);
	return status;
}
