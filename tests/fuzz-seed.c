/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes inputs for fuzz-calls of traces, or for fuzz-order: one file in OUTDIR for each.
 *
 *	fuzz-seed OUTDIR TRACE...
 *	fuzz-seed --order OUTDIR TRACE...
 *
 * A trace with more calls than an input has is cut off there. For fuzz-order the calls up to the
 * end of the block count, and the schedule; a trace without a block is left out. What was written
 * is read back, and has to be the calls of the trace.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call-bytes.h"
#include "common.h"
#include "trace.h"

#define MOST_TURNS 1000

static size_t encode_calls(uint8_t *bytes, const struct trace *t, size_t from, size_t to)
{
	size_t n = 0, i;

	for (i = from; i < to && i < BYTES_CALLS; i++)
		n += call_to_bytes(bytes + n, &t->calls[i].linked);
	return n;
}

/* Tasks count in the order of their first calls in the block. */
static uint32_t which_task(const struct trace *t, uint32_t task)
{
	uint32_t seen[BYTES_TASKS] = { 0 }, n = 0, k;
	size_t i;

	for (i = t->par_first; i < t->par_end && n < BYTES_TASKS; i++) {
		for (k = 0; k < n && seen[k] != t->calls[i].linked.call.task; k++)
			;
		if (k == n)
			seen[n++] = t->calls[i].linked.call.task;
	}
	for (k = 0; k < n && seen[k] != task; k++)
		;
	return k % BYTES_TASKS;
}

static size_t encode_schedule(uint8_t *bytes, const struct trace *t)
{
	size_t n = 0, i, rows;

	for (i = 0; i < t->nr_schedule && n < MOST_TURNS; i += rows) {
		for (rows = 1; rows < BYTES_ROWS && i + rows < t->nr_schedule &&
			       t->schedule[i + rows] == t->schedule[i];)
			rows++;
		n += turn_to_bytes(bytes + n, which_task(t, t->schedule[i]), (uint32_t)rows);
	}
	return n;
}

static size_t encode(uint8_t *bytes, const struct trace *t, int order)
{
	struct bytes_world w = { .profile = t->profile ? t->profile : gmem_profile_default(),
				 .machine = t->machine,
				 .checking = GMEM_CHECK_CALLS };
	size_t n = world_to_bytes(bytes, &w);

	if (!order)
		return n + encode_calls(bytes + n, t, 0, t->nr_calls);
	n += encode_calls(bytes + n, t, 0, t->par_first);
	n += break_to_bytes(bytes + n);
	n += encode_calls(bytes + n, t, t->par_first, t->par_end);
	n += break_to_bytes(bytes + n);
	return n + encode_schedule(bytes + n, t);
}

static void check(const char *path, const uint8_t *bytes, size_t n, const struct trace *t,
		  size_t nr_calls)
{
	struct byte_reader b = { bytes, bytes + n };
	struct linked_call l;
	struct bytes_world w;
	uint32_t i;

	bytes_to_world(&b, &w);
	for (i = 0; i < nr_calls && (bytes_break(&b), bytes_to_call(&b, i, &l)); i++)
		if (memcmp(&l, &t->calls[i].linked, sizeof(l)))
			die("%s: call %u does not come back", path, i + 1);
	if (i != nr_calls && i != BYTES_CALLS)
		die("%s: %u calls of %zu come back", path, i, nr_calls);
}

/* Named after the trace, with its folders; a name with a dot first would be hidden from fuzzers. */
static void write_seed(const char *dir, const char *trace, const uint8_t *bytes, size_t n)
{
	size_t begin = strlen(dir) + 1, length;
	char path[4096], *s;
	FILE *f;

	trace += strspn(trace, "./");
	length = strlen(trace);
	snprintf(path, sizeof(path), "%s/%s", dir, trace + (length > 200 ? length - 200 : 0));
	for (s = path + begin; *s; s++)
		if (*s == '/')
			*s = '_';
	f = fopen(path, "wb");
	if (!f || fwrite(bytes, 1, n, f) != n || fclose(f))
		die("%s: cannot be written", path);
}

static void make_seed(const char *dir, const char *path, int order)
{
	static uint8_t bytes[BYTES_HEADER + BYTES_CALLS * BYTES_PER_CALL + 2 + MOST_TURNS];
	struct trace_error e;
	struct trace t;
	size_t n;

	if (!trace_read(&t, path, &e))
		die("%s:%u:%u: %s", path, e.line, e.column, e.reason);
	if (!order || t.par_end) {
		n = encode(bytes, &t, order);
		check(path, bytes, n, &t, order ? t.par_end : t.nr_calls);
		write_seed(dir, path, bytes, n);
	}
	trace_free(&t);
}

int main(int argc, char **argv)
{
	int order = argc > 1 && !strcmp(argv[1], "--order"), i;

	if (argc < 2 + order)
		die("use: fuzz-seed [--order] OUTDIR TRACE...");
	for (i = 2 + order; i < argc; i++)
		make_seed(argv[1 + order], argv[i], order);
	return 0;
}
