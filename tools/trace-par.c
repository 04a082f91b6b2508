/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls that overlap, in a trace: the block between par and end, and its schedule.
 */
#include "common.h"
#include "trace.h"

void trace_schedule(struct trace *t, uint32_t task, size_t rows)
{
	for (; rows; rows--) {
		t->schedule = xgrow(t->schedule, t->nr_schedule, &t->room_schedule,
				    sizeof(*t->schedule));
		t->schedule[t->nr_schedule++] = task;
	}
}

const char *trace_task_name(const struct trace *t, uint32_t task)
{
	size_t i;

	for (i = 0; task && i < t->nr_calls; i++) {
		const struct gmem_call *c = &t->calls[i].linked.call;

		if ((c->verb == GMEM_FORK || c->verb == GMEM_THREAD) && c->value == task)
			return t->calls[i].name;
	}
	return "main";
}

static void print_schedule(FILE *f, const struct trace *t)
{
	size_t i, run, column = 0;

	for (i = 0; i < t->nr_schedule; i += run) {
		for (run = 1; i + run < t->nr_schedule && t->schedule[i + run] == t->schedule[i];)
			run++;
		if (column > 80) {
			fputc('\n', f);
			column = 0;
		}
		column += fprintf(f, "%s %s", column ? "" : "schedule",
				  trace_task_name(t, t->schedule[i]));
		if (run > 1)
			column += fprintf(f, "*%zu", run);
	}
	if (i)
		fputc('\n', f);
}

void trace_print_par(FILE *f, const struct trace *t, size_t n)
{
	if (!t->par_end)
		return;
	if (n == t->par_end) {
		print_schedule(f, t);
		fputs("end\n", f);
	}
	if (n == t->par_first)
		fputs("par\n", f);
}
