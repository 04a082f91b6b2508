/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether a file is a trace as gmem's --perfetto promises: JSON, its events in the order of time;
 * whatever begins ends, innermost first; rows lie inside calls; an arrow has a beginning, and
 * then one end. Complaints are printed, one a line, and the number of events of each phase.
 */
#include <json-c/json.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_THREADS 64
#define MOST_DEPTH 8
#define MOST_IDS 100000

struct check {
	const char *file;
	size_t n; /* of the event */
	int64_t now;
	const char *calls[MOST_THREADS][MOST_DEPTH];
	unsigned int depth[MOST_THREADS];
	int64_t row_ends[MOST_THREADS];
	const char *open[MOST_IDS]; /* asynchronous events that have begun, by id */
	uint8_t arrows[MOST_IDS];   /* 1: begun, 2: ended */
	size_t phases[128];
	int complaints;
};

static void complain(struct check *c, const char *what)
{
	printf("%s: event %zu: %s\n", c->file, c->n, what);
	c->complaints++;
}

static const char *string_of(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) ? json_object_get_string(v) : "";
}

static int64_t number_of(struct json_object *o, const char *key, int64_t otherwise)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) && json_object_is_type(v, json_type_int) ?
		       json_object_get_int64(v) :
		       otherwise;
}

static void check_slice(struct check *c, struct json_object *e, char ph, int64_t tid)
{
	const char *name = string_of(e, "name");

	if (ph == 'X') {
		if (!c->depth[tid])
			complain(c, "a row outside a call");
		if (c->now < c->row_ends[tid])
			complain(c, "a row begins before the last one's end");
		c->row_ends[tid] = c->now + number_of(e, "dur", 0);
	} else if (ph == 'B') {
		if (c->depth[tid] == MOST_DEPTH)
			complain(c, "too deep");
		else
			c->calls[tid][c->depth[tid]++] = name;
	} else if (!c->depth[tid] || strcmp(c->calls[tid][c->depth[tid] - 1], name)) {
		complain(c, "an end of what has not begun");
	} else {
		c->depth[tid]--;
	}
}

static void check_async(struct check *c, struct json_object *e, char ph, int64_t id)
{
	const char *name = string_of(e, "name");

	if (ph == 'b') {
		if (c->open[id])
			complain(c, "an id that is in use");
		c->open[id] = name;
	} else if (!c->open[id] || strcmp(c->open[id], name)) {
		complain(c, "an end of what has not begun");
	} else {
		c->open[id] = NULL;
	}
}

static void check_arrow(struct check *c, char ph, int64_t id)
{
	if (c->arrows[id] != (ph == 's' ? 0 : 1))
		complain(c, "an arrow without its other end");
	c->arrows[id]++;
}

static void check_event(struct check *c, struct json_object *e)
{
	const char *ph = string_of(e, "ph");
	int64_t ts = number_of(e, "ts", -1), tid = number_of(e, "tid", -1);
	int64_t id = number_of(e, "id", -1);

	c->phases[*ph & 127]++;
	if (ts < c->now)
		complain(c, "it goes back in time");
	c->now = ts;
	if (strlen(ph) != 1 || !strchr("MBEXbesfi", *ph))
		complain(c, "no phase that is known");
	if (!*string_of(e, "name") || number_of(e, "pid", -1) < 1 || tid < 0 || tid >= MOST_THREADS)
		complain(c, "no name, process or thread");
	else if (strchr("BEX", *ph))
		check_slice(c, e, *ph, tid);
	if (strchr("besf", *ph) && (id < 1 || id >= MOST_IDS))
		complain(c, "no id");
	else if (strchr("be", *ph))
		check_async(c, e, *ph, id);
	else if (strchr("sf", *ph))
		check_arrow(c, *ph, id);
}

static void check_end(struct check *c)
{
	size_t i;

	for (i = 0; i < MOST_THREADS; i++)
		if (c->depth[i])
			complain(c, "a call has not ended");
	for (i = 0; i < MOST_IDS; i++) {
		if (c->open[i])
			complain(c, c->open[i]);
		if (c->arrows[i] == 1)
			complain(c, "an arrow has no end");
	}
}

static int check_file(const char *file)
{
	struct json_object *o = json_object_from_file(file), *events;
	struct check *c = calloc(1, sizeof(*c));
	int complaints;

	c->file = file;
	if (!o || !json_object_object_get_ex(o, "traceEvents", &events) ||
	    !json_object_is_type(events, json_type_array)) {
		complain(c, "no traceEvents");
	} else {
		for (; c->n < json_object_array_length(events); c->n++)
			check_event(c, json_object_array_get_idx(events, c->n));
		check_end(c);
		printf("%zu calls, %zu rows, %zu locks and waits, %zu arrows, %zu told\n",
		       c->phases['B'], c->phases['X'], c->phases['b'], c->phases['s'],
		       c->phases['i']);
	}
	complaints = c->complaints;
	json_object_put(o);
	free(c);
	return complaints;
}

int main(int argc, char **argv)
{
	int i, complaints = 0;

	for (i = 1; i < argc; i++)
		complaints += check_file(argv[i]);
	return complaints != 0;
}
