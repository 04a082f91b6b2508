/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes inputs for fuzz-calls of traces: one file in OUTDIR for each.
 *
 *	fuzz-seed OUTDIR TRACE...
 *
 * A trace with more calls than an input has is cut off there. What was written is read back, and
 * has to be the calls of the trace.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call-bytes.h"
#include "common.h"
#include "trace.h"

static size_t encode(uint8_t *bytes, const struct trace *t)
{
	struct bytes_world w = { .profile = t->profile ? t->profile : gmem_profile_default(),
				 .machine = t->machine,
				 .checking = GMEM_CHECK_CALLS };
	size_t n = world_to_bytes(bytes, &w), i;

	for (i = 0; i < t->nr_calls && i < BYTES_CALLS; i++)
		n += call_to_bytes(bytes + n, &t->calls[i].linked);
	return n;
}

static void check(const char *path, const uint8_t *bytes, size_t n, const struct trace *t)
{
	struct byte_reader b = { bytes, bytes + n };
	struct linked_call l;
	struct bytes_world w;
	uint32_t i;

	bytes_to_world(&b, &w);
	for (i = 0; bytes_to_call(&b, i, &l); i++)
		if (memcmp(&l, &t->calls[i].linked, sizeof(l)))
			die("%s: call %u does not come back", path, i + 1);
	if (i != t->nr_calls && i != BYTES_CALLS)
		die("%s: %u calls of %zu come back", path, i, t->nr_calls);
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

int main(int argc, char **argv)
{
	static uint8_t bytes[BYTES_HEADER + BYTES_CALLS * BYTES_PER_CALL];
	struct trace_error e;
	struct trace t;
	size_t n;
	int i;

	if (argc < 2)
		die("use: fuzz-seed OUTDIR TRACE...");
	for (i = 2; i < argc; i++) {
		if (!trace_read(&t, argv[i], &e))
			die("%s:%u:%u: %s", argv[i], e.line, e.column, e.reason);
		n = encode(bytes, &t);
		check(argv[i], bytes, n, &t);
		write_seed(argv[1], argv[i], bytes, n);
		trace_free(&t);
	}
	return 0;
}
