/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A fuzz target: bytes are the text of a trace.
 *
 * What is refused is refused with a place and a reason. What is accepted is printed, and that text
 * is accepted, means the same, and is printed as it stands. If it has few calls they are made on the
 * model, and no invariant is violated. For libFuzzer and AFL++, as fuzz-calls.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "trace.h"

#define MOST_CALLS 40
#define MOST_ROWS 2000 /* in a schedule */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fail(const char *what, const struct trace_error *e, const char *text)
{
	fprintf(stderr, "%s: %u:%u: %s\n%s\n", what, e->line, e->column, e->reason, text);
	abort();
}

static char *printed(const struct trace *t)
{
	struct text text;

	text_begin(&text);
	trace_print(text.f, t);
	return text_end(&text);
}

static void print_and_read_again(const struct trace *t)
{
	struct trace_error e = { 0 };
	char *text = printed(t), *again;
	struct trace copy;

	if (!trace_parse(&copy, text, strlen(text), &e))
		fail("what was printed is refused", &e, text);
	if (!trace_equal(t, &copy))
		fail("what was printed means something else", &e, text);
	again = printed(&copy);
	if (strcmp(text, again))
		fail("it is printed in two ways", &e, text);
	free(text);
	free(again);
	trace_free(&copy);
}

static int is_finding(const struct trace_run *run)
{
	return run->status == BACKEND_BROKEN && (!strncmp(run->error.why, "invariant", 9) ||
						 !strncmp(run->error.why, "deadlock", 8));
}

static void replay(const struct trace *t)
{
	const struct backend_config config = { .profile = t->profile,
					       .machine = t->machine,
					       .checking = GMEM_CHECK_CALLS };
	struct backend_error e;
	struct trace_run run;
	void *ctx;

	if (t->nr_calls > MOST_CALLS || t->nr_schedule > MOST_ROWS ||
	    backend_model.open(&ctx, &config, &e) != BACKEND_DONE)
		return;
	trace_run_init(&run, t);
	trace_run_all(&run, t, &backend_model, ctx);
	if (is_finding(&run)) {
		fprintf(stderr, "%s\n%s\n", run.error.why, printed(t));
		abort();
	}
	trace_run_free(&run);
	backend_model.close(ctx);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct trace_error e = { 0 };
	struct trace t;

	if (trace_parse(&t, (const char *)data, size, &e)) {
		print_and_read_again(&t);
		replay(&t);
	} else if (!e.reason[0]) {
		fail("refused without a reason", &e, "");
	}
	trace_free(&t);
	return 0;
}
