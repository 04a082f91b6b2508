/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A deadlock, for people; see deadlock.h. Steps are counted as the schedule counts them, from 1.
 */
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "deadlock.h"
#include "lock-text.h"

static const struct timeline_blocked *blocked(const struct timeline *tl, uint32_t task)
{
	uint32_t i;

	for (i = 0; i < tl->nr_blocked; i++)
		if (tl->blocked[i].task == task)
			return &tl->blocked[i];
	return NULL;
}

/* Who has what it waits for, and waits himself; else whoever has it; else nobody. */
static uint32_t next_of(const struct timeline *tl, const struct timeline_blocked *b)
{
	uint32_t task, any = TIMELINE_NOBODY;

	for (task = 0; task < GMEM_MAX_TASKS; task++) {
		if (!(b->holders >> task & 1))
			continue;
		if (blocked(tl, task))
			return task;
		any = task;
	}
	return any;
}

/* From every task in turn, along those that wait, until one comes twice. */
unsigned int deadlock_find(const struct timeline *tl, uint32_t *tasks)
{
	uint32_t start;

	for (start = 0; start < tl->nr_blocked; start++) {
		const struct timeline_blocked *b = &tl->blocked[start];
		unsigned int n = 0, i;

		for (; b; b = blocked(tl, next_of(tl, b))) {
			for (i = 0; i < n && tasks[i] != b->task; i++)
				;
			if (i < n) {
				memmove(tasks, tasks + i, (n - i) * sizeof(*tasks));
				return n - i;
			}
			tasks[n++] = b->task;
		}
	}
	return 0;
}

static const char *name_of(const struct timeline *tl, uint32_t task)
{
	return trace_task_name(tl->t, task);
}

/* ---- in words ---- */

void deadlock_print_circle(FILE *f, const struct timeline *tl)
{
	uint32_t tasks[GMEM_MAX_TASKS];
	unsigned int n = deadlock_find(tl, tasks), i;

	for (i = 0; i < n; i++)
		fprintf(f, "%s%s waits for %s", i ? ", " : "", name_of(tl, tasks[i]),
			n == 1 ? "itself" : name_of(tl, tasks[(i + 1) % n]));
	if (!n)
		fputs(tl->nr_blocked ? "waiting for a lock that nobody will release" :
				       "no task is waiting",
		      f);
}

static void print_lock(FILE *f, const char *what, const struct timeline_thing *thing,
		       const struct gmem_task_lock *lock)
{
	const char *mode = gmem_lock_mode(lock->class, lock->mode);

	fprintf(f, "        %s %s", what, thing->name);
	if (*mode)
		fprintf(f, " (%s)", mode);
}

static void print_row(FILE *f, const struct timeline *tl, const struct gmem_task_lock *lock)
{
	fputs("\n            ", f);
	lock_print_row(f, tl->p, lock->table, lock->row);
	fputc('\n', f);
}

static void print_holders(FILE *f, const struct timeline *tl, const struct timeline_blocked *b)
{
	const char *before = ", held by ";
	uint32_t task;

	for (task = 0; task < GMEM_MAX_TASKS; task++)
		if (b->holders >> task & 1) {
			fprintf(f, "%s%s", before, name_of(tl, task));
			before = " and ";
		}
	if (!b->holders)
		fputs(", held by nobody who could give it back", f);
}

static void print_blocked(FILE *f, const struct timeline *tl, const struct timeline_blocked *b)
{
	char *call = timeline_call_text(tl, b->call);
	size_t i;

	fprintf(f, "    %s: %s\n", name_of(tl, b->task), call);
	for (i = 0; i < tl->nr_events; i++) {
		const struct timeline_event *e = &tl->events[i];

		if (e->kind != TIMELINE_TAKES || timeline_taken(tl, b->task, e->thing) != e)
			continue;
		print_lock(f, "holds", &tl->things[e->thing], &e->lock);
		fprintf(f, " since step %u", e->time + 1);
		print_row(f, tl, &e->lock);
	}
	print_lock(f, "waits for", &tl->things[b->thing], &b->wanted);
	print_holders(f, tl, b);
	print_row(f, tl, &b->wanted);
	free(call);
}

void deadlock_print(FILE *f, const struct timeline *tl)
{
	uint32_t i;

	for (i = 0; i < tl->nr_blocked; i++)
		print_blocked(f, tl, &tl->blocked[i]);
}

/* ---- as a graph ---- */

static int is_in(const uint32_t *tasks, unsigned int n, uint32_t task)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (tasks[i] == task)
			return 1;
	return 0;
}

/* A string of DOT: calls and comments may have quotes and backslashes in them. */
static void print_quoted(FILE *f, const char *s)
{
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			fputc('\\', f);
		fputc(*s, f);
	}
}

static void print_task_node(FILE *f, const struct timeline *tl, const struct timeline_blocked *b,
			    int in_circle)
{
	char *call = timeline_call_text(tl, b->call);

	fprintf(f, "\tt%u [shape=ellipse, label=\"%s\\n", b->task, name_of(tl, b->task));
	print_quoted(f, call);
	fprintf(f, "\"%s];\n", in_circle ? ", color=red" : "");
	free(call);
}

static void print_arrow_text(FILE *f, const char *what, const struct gmem_task_lock *lock)
{
	const char *mode = gmem_lock_mode(lock->class, lock->mode);

	fprintf(f, " [label=\"%s%s%s%s\\nrow %u of %s\"", what, *mode ? " (" : "", mode,
		*mode ? ")" : "", lock->row, gmem_table_name(lock->table));
}

/* Who stands in the way without having that very thing has another arrow. */
static void print_wait(FILE *f, const struct timeline *tl, const struct timeline_blocked *b,
		       int in_circle)
{
	const char *colour = in_circle ? ", color=red, fontcolor=red" : "";
	uint32_t task;

	fprintf(f, "\tt%u -> l%u", b->task, b->thing);
	print_arrow_text(f, "waits for", &b->wanted);
	fprintf(f, "%s];\n", colour);
	for (task = 0; task < GMEM_MAX_TASKS; task++)
		if (b->holders >> task & 1 && !timeline_taken(tl, task, b->thing))
			fprintf(f, "\tl%u -> t%u [label=\"held up\"%s];\n", b->thing, task, colour);
}

/* An arrow from the lock to who has it; red if that is part of the circle. */
static void print_hold(FILE *f, const struct timeline *tl, const struct timeline_event *e,
		       const uint32_t *circle, unsigned int n)
{
	unsigned int i;
	int red = 0;

	for (i = 0; i < n; i++)
		red |= circle[(i + 1) % n] == e->task && blocked(tl, circle[i])->thing == e->thing;
	fprintf(f, "\tl%u -> t%u", e->thing, e->task);
	print_arrow_text(f, "held", &e->lock);
	fprintf(f, "%s];\n", red ? ", color=red, fontcolor=red" : "");
}

static int is_shown(const struct timeline *tl, const struct timeline_event *e)
{
	return e->kind == TIMELINE_TAKES && blocked(tl, e->task) &&
	       timeline_taken(tl, e->task, e->thing) == e;
}

void deadlock_print_dot(FILE *f, const struct timeline *tl)
{
	uint32_t circle[GMEM_MAX_TASKS], i;
	unsigned int n = deadlock_find(tl, circle);
	size_t k;

	fprintf(f, "digraph \"%s\" {\n\tlabel=\"", gmem_profile_name(tl->p));
	deadlock_print_circle(f, tl);
	fputs("\";\n\tnode [shape=box, fontname=\"monospace\"];\n\tedge [fontsize=10];\n", f);
	for (i = 0; i < tl->nr_blocked; i++)
		print_task_node(f, tl, &tl->blocked[i], is_in(circle, n, tl->blocked[i].task));
	for (i = 0; i < tl->nr_things; i++) {
		int comes = 0;

		for (k = 0; k < tl->nr_blocked; k++)
			comes |= tl->blocked[k].thing == i;
		for (k = 0; k < tl->nr_events; k++)
			comes |= tl->events[k].thing == i && is_shown(tl, &tl->events[k]);
		if (comes)
			fprintf(f, "\tl%u [label=\"%s\"];\n", i, tl->things[i].name);
	}
	for (i = 0; i < tl->nr_blocked; i++)
		print_wait(f, tl, &tl->blocked[i], is_in(circle, n, tl->blocked[i].task));
	for (k = 0; k < tl->nr_events; k++)
		if (is_shown(tl, &tl->events[k]))
			print_hold(f, tl, &tl->events[k], circle, n);
	fputs("}\n", f);
}
