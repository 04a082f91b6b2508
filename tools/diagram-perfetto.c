/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A timeline as trace events, the JSON that ui.perfetto.dev and chrome://tracing read; see diagram.h.
 *
 * Process 1 has a thread for each task: its calls, in them its rows. Who waits, and who holds a lock,
 * are asynchronous events of processes 1 and 2, one for each time, since several readers may hold a
 * lock side by side. Events are in the order of time; whatever begins, ends, at the latest when the
 * timeline does.
 */
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "diagram.h"

#define ROW_TIME 1000u /* microseconds */
#define TASKS 1	       /* the process of tasks, and that of locks */
#define LOCKS 2
#define NONE SIZE_MAX

/* An arrow from one event to a later one. */
struct arrow {
	size_t from, to;
	const char *name;
};

struct writer {
	FILE *f;
	const struct timeline *tl;
	int first; /* nothing was written yet */
	struct arrow *arrows;
	size_t nr_arrows, room;
	uint8_t *open; /* of each event: it began something that has not ended */
};

static struct json_object *new_object(void)
{
	struct json_object *o = json_object_new_object();

	if (!o)
		die("out of memory");
	return o;
}

static void add_string(struct json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key, json_object_new_string(value));
}

static void add_number(struct json_object *o, const char *key, uint64_t value)
{
	json_object_object_add(o, key, json_object_new_int64((int64_t)value));
}

/* An event of phase ph, at that time. */
static struct json_object *event(const char *ph, const char *name, uint64_t ts, int pid,
				 uint32_t tid)
{
	struct json_object *o = new_object();

	add_string(o, "ph", ph);
	add_string(o, "name", name);
	add_number(o, "ts", ts);
	add_number(o, "pid", (uint64_t)pid);
	add_number(o, "tid", tid);
	return o;
}

static void put(struct writer *w, struct json_object *o)
{
	fprintf(w->f, "%s\n%s", w->first ? "" : ",",
		json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
							  JSON_C_TO_STRING_NOSLASHESCAPE));
	w->first = 0;
	json_object_put(o);
}

/* A task's thread; 0 is none. */
static uint32_t tid_of(uint32_t task)
{
	return task + 1;
}

/* ---- when ---- */

static uint64_t row_begins(const struct timeline_event *e)
{
	return (uint64_t)e->time * ROW_TIME;
}

static uint64_t row_acts(const struct timeline_event *e)
{
	return row_begins(e) + ROW_TIME / 2;
}

static uint64_t row_ends(const struct timeline_event *e)
{
	return row_begins(e) + ROW_TIME;
}

/* A row's time after the last row, so that who begins to wait there is seen to. */
static uint64_t all_ends(const struct timeline *tl)
{
	return ((uint64_t)tl->nr_rows + 1) * ROW_TIME;
}

/* ---- arrows ---- */

static void add_arrow(struct writer *w, size_t from, size_t to, const char *name)
{
	if (from == NONE)
		return;
	w->arrows = xgrow(w->arrows, w->nr_arrows, &w->room, sizeof(*w->arrows));
	w->arrows[w->nr_arrows++] = (struct arrow){ from, to, name };
}

/* The last event before number n of that kind, task and thing or VM. */
static size_t last_before(const struct timeline *tl, size_t n, uint8_t kind, uint32_t task,
			  uint32_t thing, uint64_t vm)
{
	while (n--) {
		const struct timeline_event *e = &tl->events[n];

		if (e->kind == kind && e->task == task && e->thing == thing && e->told.number == vm)
			return n;
	}
	return NONE;
}

static void find_arrows(struct writer *w)
{
	const struct timeline *tl = w->tl;
	size_t i;

	for (i = 0; i < tl->nr_events; i++) {
		const struct timeline_event *e = &tl->events[i];

		if (e->kind == TIMELINE_ENDS)
			add_arrow(w,
				  last_before(tl, i, TIMELINE_STARTS, e->task, 0, e->told.number),
				  i, "invalidation");
		if (e->kind == TIMELINE_WAITS && e->holder != TIMELINE_NOBODY)
			add_arrow(w, last_before(tl, i, TIMELINE_TAKES, e->holder, e->thing, 0), i,
				  "held");
	}
}

static void put_arrow_end(struct writer *w, size_t n, const char *ph, size_t arrow, uint64_t ts)
{
	const struct timeline_event *e = &w->tl->events[n];
	struct json_object *o = event(ph, w->arrows[arrow].name, ts, TASKS, tid_of(e->task));

	add_string(o, "cat", "flow");
	add_number(o, "id", arrow + 1);
	if (*ph == 'f')
		add_string(o, "bp", "e");
	put(w, o);
}

/* The ends of arrows that are at event number n. */
static void put_arrows(struct writer *w, size_t n, uint64_t ts)
{
	size_t i;

	for (i = 0; i < w->nr_arrows; i++) {
		if (w->arrows[i].from == n)
			put_arrow_end(w, n, "s", i, ts);
		if (w->arrows[i].to == n)
			put_arrow_end(w, n, "f", i, ts);
	}
}

/* ---- what an event says of itself ---- */

static struct json_object *row_args(const struct timeline *tl, uint32_t table, uint16_t number)
{
	struct json_object *args = new_object();
	const struct gmem_clause *clause;
	struct gmem_row row;

	add_string(args, "table", gmem_table_name(table));
	add_number(args, "row", number);
	if (!gmem_profile_row(tl->p, table, number, &row))
		return args;
	clause = gmem_clause(row.clause);
	if (clause)
		add_string(args, "clause", clause->name);
	return args;
}

static void put_row(struct writer *w, const struct timeline_event *e)
{
	char words[128], name[160] = "the rest is skipped";
	struct json_object *o;
	struct gmem_row row;
	int known = e->row.table != TIMELINE_NOBODY &&
		    gmem_profile_row(w->tl->p, e->row.table, e->row.row, &row);

	if (known) {
		row_words(&row, words, sizeof(words));
		snprintf(name, sizeof(name), "%s %s", row_kind(&row), words);
	}
	o = event("X", name, row_begins(e), TASKS, tid_of(e->task));
	add_string(o, "cat", "row");
	add_number(o, "dur", ROW_TIME);
	if (known)
		json_object_object_add(o, "args", row_args(w->tl, e->row.table, e->row.row));
	put(w, o);
}

static void put_call(struct writer *w, const struct timeline_event *e, const char *ph, uint64_t ts)
{
	const struct trace_call *c = &w->tl->t->calls[e->call];
	struct json_object *o, *args = new_object();
	char *text;

	o = event(ph, gmem_verb_info(c->linked.call.verb)->name, ts, TASKS, tid_of(e->task));
	add_string(o, "cat", "call");
	text = *ph == 'B' ? timeline_call_text(w->tl, e->call) :
			    result_text(c->linked.call.verb, &w->tl->run.results[e->call]);
	if (*ph == 'B' || e->kind == TIMELINE_OVER)
		add_string(args, *ph == 'B' ? "call" : "result", text);
	free(text);
	json_object_object_add(o, "args", args);
	put(w, o);
}

/* The beginning or end of event number n's hold or wait. */
static void put_async(struct writer *w, size_t n, const char *ph, uint64_t ts)
{
	const struct timeline_event *e = &w->tl->events[n];
	const char *lock = w->tl->things[e->thing].name;
	int waits = e->kind == TIMELINE_WAITS;
	struct json_object *o, *args;
	char name[128];

	snprintf(name, sizeof(name), waits ? "waits for %s" : "%s", lock);
	o = event(ph, name, ts, waits ? TASKS : LOCKS, waits ? tid_of(e->task) : e->thing + 1);
	add_string(o, "cat", waits ? "wait" : "lock");
	add_number(o, "id", n + 1);
	if (*ph == 'b') {
		args = row_args(w->tl, e->lock.table, e->lock.row);
		add_string(args, waits ? "who" : "held by", trace_task_name(w->tl->t, e->task));
		add_string(args, "mode", gmem_lock_mode(e->lock.class, e->lock.mode));
		json_object_object_add(o, "args", args);
	}
	put(w, o);
}

/* Ends what the same task began last, of that kind and thing. */
static void put_async_end(struct writer *w, size_t n, uint8_t began, uint64_t ts)
{
	const struct timeline_event *e = &w->tl->events[n];
	size_t i = n;

	while ((i = last_before(w->tl, i, began, e->task, e->thing, 0)) != NONE && !w->open[i])
		;
	if (i == NONE)
		return;
	put_async(w, i, "e", ts);
	w->open[i] = 0;
}

static void put_told(struct writer *w, const struct timeline_event *e)
{
	struct json_object *o, *args = new_object();
	char vm[64], name[128];

	timeline_vm_name(w->tl, &e->told, vm, sizeof(vm));
	snprintf(name, sizeof(name), "%s: invalidate_%s", vm,
		 e->kind == TIMELINE_STARTS ? "start" : "end");
	o = event("i", name, row_acts(e), TASKS, tid_of(e->task));
	add_string(o, "cat", "invalidation");
	add_string(o, "s", "t");
	add_number(args, "gpa", e->told.gfn << GMEM_PAGE_SHIFT);
	add_number(args, "gpa_end", e->told.gfn_end << GMEM_PAGE_SHIFT);
	json_object_object_add(o, "args", args);
	put(w, o);
}

/* ---- all of it ---- */

static void put_event(struct writer *w, size_t n)
{
	const struct timeline_event *e = &w->tl->events[n];

	switch (e->kind) {
	case TIMELINE_BEGINS:
		put_call(w, e, "B", row_begins(e));
		w->open[n] = 1;
		break;
	case TIMELINE_ROW:
		put_row(w, e);
		break;
	case TIMELINE_TAKES:
		put_async(w, n, "b", row_acts(e));
		put_arrows(w, n, row_acts(e));
		w->open[n] = 1;
		break;
	case TIMELINE_GIVES_BACK:
		put_async_end(w, n, TIMELINE_TAKES, row_acts(e));
		break;
	case TIMELINE_STARTS:
	case TIMELINE_ENDS:
		put_told(w, e);
		put_arrows(w, n, row_acts(e));
		break;
	case TIMELINE_OVER:
		put_call(w, e, "E", row_ends(e));
		w->open[last_before(w->tl, n, TIMELINE_BEGINS, e->task, 0, 0)] = 0;
		break;
	case TIMELINE_WAITS:
		put_async(w, n, "b", row_ends(e));
		put_arrows(w, n, row_ends(e));
		w->open[n] = 1;
		break;
	case TIMELINE_GOES_ON:
		put_async_end(w, n, TIMELINE_WAITS, row_ends(e));
		break;
	}
}

static void put_name(struct writer *w, const char *what, const char *name, int pid, uint32_t tid)
{
	struct json_object *o = event("M", what, 0, pid, tid), *args = new_object();

	add_string(args, "name", name);
	json_object_object_add(o, "args", args);
	put(w, o);
}

static void put_names(struct writer *w)
{
	const struct timeline *tl = w->tl;
	uint32_t i;

	put_name(w, "process_name", "tasks", TASKS, 0);
	put_name(w, "process_name", "locks", LOCKS, 0);
	for (i = 0; i < tl->nr_tasks; i++)
		put_name(w, "thread_name", trace_task_name(tl->t, tl->tasks[i]), TASKS,
			 tid_of(tl->tasks[i]));
}

/* What is under way at the end ends with it. */
static void put_ends(struct writer *w)
{
	size_t i;

	for (i = w->tl->nr_events; i--;) {
		if (!w->open[i])
			continue;
		if (w->tl->events[i].kind == TIMELINE_BEGINS)
			put_call(w, &w->tl->events[i], "E", all_ends(w->tl));
		else
			put_async(w, i, "e", all_ends(w->tl));
	}
}

void diagram_perfetto(FILE *f, const struct timeline *tl)
{
	struct writer w = { .f = f, .tl = tl, .first = 1 };
	struct json_object *about = new_object();
	size_t i;

	w.open = xcalloc(tl->nr_events, 1);
	find_arrows(&w);
	fputs("{\"displayTimeUnit\":\"ms\",\"otherData\":", f);
	add_string(about, "profile", gmem_profile_name(tl->p));
	add_string(about, "unit", "a millisecond is one row");
	fputs(json_object_to_json_string_ext(about, JSON_C_TO_STRING_PLAIN), f);
	json_object_put(about);
	fputs(",\"traceEvents\":[", f);
	put_names(&w);
	for (i = 0; i < tl->nr_events; i++)
		put_event(&w, i);
	put_ends(&w);
	fputs("\n]}\n", f);
	free(w.arrows);
	free(w.open);
}
