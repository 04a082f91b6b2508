/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A fuzz target: bytes are the text of a trace.
 *
 * What is refused is refused with a place and a reason. What is accepted is printed, and that text
 * is accepted, means the same, and is printed as it stands. For libFuzzer and AFL++, as
 * fuzz-calls.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "trace.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct trace_error e = { 0 };
	struct trace t;

	if (trace_parse(&t, (const char *)data, size, &e))
		print_and_read_again(&t);
	else if (!e.reason[0])
		fail("refused without a reason", &e, "");
	trace_free(&t);
	return 0;
}
