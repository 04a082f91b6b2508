/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A timeline as a sequence diagram for Mermaid; see diagram.h.
 *
 * What a task does on its own is folded: rows in turn, without a lock or a VM between them, are one
 * arrow, and of checks that passed only the number is told. A lock's bar is there while it is held.
 */
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "deadlock.h"
#include "diagram.h"

#define LINE_WIDTH 48 /* of the text on an arrow */

/* Rows of one task that are not drawn yet. */
struct fold {
	struct text text;
	uint32_t task;
	const char *last; /* name; what is done again and again is told once */
	unsigned int names, checks;
	size_t column;
};

static const char *name_of(const struct timeline *tl, uint32_t task)
{
	return trace_task_name(tl->t, task);
}

/* '#' and ';' mean something in a message. */
static void print_escaped(FILE *f, const char *s)
{
	for (; *s; s++)
		if (*s == '#' || *s == ';')
			fprintf(f, "#%d;", *s);
		else
			fputc(*s, f);
}

/* ---- what is folded ---- */

static void open_fold(struct fold *fold, uint32_t task)
{
	memset(fold, 0, sizeof(*fold));
	text_begin(&fold->text);
	fold->task = task;
}

static void close_fold(FILE *f, struct fold *fold)
{
	char *names = text_end(&fold->text);

	if (fold->names || fold->checks)
		fprintf(f, "    t%u->>t%u: %s", fold->task, fold->task, names);
	if (fold->checks)
		fprintf(f, "%s%u %s", fold->names ? ", " : "", fold->checks,
			fold->checks == 1 ? "check" : "checks");
	if (fold->names || fold->checks)
		fputc('\n', f);
	free(names);
}

static void fold_name(struct fold *fold, const char *name)
{
	if (fold->names++)
		fold->column += fprintf(fold->text.f, ", ");
	if (fold->column > LINE_WIDTH) {
		fputs("<br/>", fold->text.f);
		fold->column = 0;
	}
	fold->column += fprintf(fold->text.f, "%s", name);
}

/* Locks are drawn as what they are; a table that is called shows in its rows. */
static int is_drawn_otherwise(const struct gmem_row *row)
{
	return !strcmp(row->kind, "lock") || !strcmp(row->kind, "unlock") ||
	       !strncmp(row->kind, "call", 4);
}

static int only_asks(const struct gmem_row *row)
{
	return !strcmp(row->kind, "check") || !strcmp(row->kind, "retry") ||
	       !strcmp(row->kind, "done");
}

static void fold_row(struct fold *fold, const struct timeline *tl, const struct timeline_event *e)
{
	struct gmem_row row;
	char failed[128];

	if (!gmem_profile_row(tl->p, e->row.table, e->row.row, &row) || is_drawn_otherwise(&row))
		return;
	if (e->row.passed > 0 && only_asks(&row)) {
		fold->checks++;
		return;
	}
	if (fold->last && !strcmp(fold->last, row.name))
		return;
	fold->last = row.name;
	snprintf(failed, sizeof(failed), "%s%s",
		 e->row.passed == 0 && !strcmp(row.kind, "check") ? "not " : "", row.name);
	fold_name(fold, failed);
}

/* ---- what is not ---- */

static void print_call_note(FILE *f, const struct timeline *tl, const struct timeline_event *e)
{
	const struct trace_call *c = &tl->t->calls[e->call];
	const struct gmem_result *r = &tl->run.results[e->call];
	char *call = timeline_call_text(tl, e->call), *result;

	fprintf(f, "    note over t%u: ", e->task);
	if (e->kind == TIMELINE_BEGINS) {
		print_escaped(f, call);
	} else {
		result = result_text(c->linked.call.verb, r);
		print_escaped(f, gmem_verb_info(c->linked.call.verb)->name);
		fputs(" = ", f);
		print_escaped(f, result);
		if (!trace_satisfied(tl->t, c, r))
			fputs(", not as demanded", f);
		free(result);
	}
	fputc('\n', f);
	free(call);
}

static void print_lock(FILE *f, const struct timeline_event *e)
{
	const char *mode = gmem_lock_mode(e->lock.class, e->lock.mode);

	if (e->kind == TIMELINE_GIVES_BACK) {
		fprintf(f, "    t%u->>l%u: give back\n    deactivate l%u\n", e->task, e->thing,
			e->thing);
		return;
	}
	fprintf(f, "    t%u->>l%u: take%s%s%s\n    activate l%u\n", e->task, e->thing,
		*mode ? " (" : "", mode, *mode ? ")" : "", e->thing);
}

static void print_wait(FILE *f, const struct timeline *tl, const struct timeline_event *e)
{
	const char *mode = gmem_lock_mode(e->lock.class, e->lock.mode);

	if (e->kind == TIMELINE_GOES_ON) {
		fprintf(f, "    l%u-->>t%u: it can go on\n", e->thing, e->task);
		return;
	}
	fprintf(f, "    t%u-xl%u: waits%s%s%s", e->task, e->thing, *mode ? " (" : "", mode,
		*mode ? ")" : "");
	if (e->holder != TIMELINE_NOBODY)
		fprintf(f, " for %s", name_of(tl, e->holder));
	fputc('\n', f);
}

static void print_told(FILE *f, const struct timeline *tl, const struct timeline_event *e)
{
	char vm[64];

	timeline_vm_name(tl, &e->told, vm, sizeof(vm));
	fprintf(f, "    note right of t%u: %s is told the %s", e->task, vm,
		e->kind == TIMELINE_STARTS ? "start" : "end");
	if (e->kind == TIMELINE_STARTS && e->told.gfn < e->told.gfn_end)
		fprintf(f, " of 0x%llx to 0x%llx",
			(unsigned long long)e->told.gfn << GMEM_PAGE_SHIFT,
			(unsigned long long)e->told.gfn_end << GMEM_PAGE_SHIFT);
	fputc('\n', f);
}

static void print_event(FILE *f, const struct timeline *tl, const struct timeline_event *e)
{
	switch (e->kind) {
	case TIMELINE_BEGINS:
	case TIMELINE_OVER:
		print_call_note(f, tl, e);
		break;
	case TIMELINE_TAKES:
	case TIMELINE_GIVES_BACK:
		print_lock(f, e);
		break;
	case TIMELINE_WAITS:
	case TIMELINE_GOES_ON:
		print_wait(f, tl, e);
		break;
	case TIMELINE_STARTS:
	case TIMELINE_ENDS:
		print_told(f, tl, e);
		break;
	default:
		break;
	}
}

/* ---- all of it ---- */

static void print_participants(FILE *f, const struct timeline *tl)
{
	uint32_t i;

	for (i = 0; i < tl->nr_tasks; i++)
		fprintf(f, "    participant t%u as %s\n", tl->tasks[i], name_of(tl, tl->tasks[i]));
	for (i = 0; i < tl->nr_things; i++)
		fprintf(f, "    participant l%u as %s\n", i, tl->things[i].name);
}

static void print_end(FILE *f, const struct timeline *tl)
{
	if (tl->nr_tasks > 1)
		fprintf(f, "    note over t%u,t%u: ", tl->tasks[0], tl->tasks[tl->nr_tasks - 1]);
	else
		fprintf(f, "    note over t%u: ", tl->tasks[0]);
	if (tl->deadlock) {
		fputs("deadlock: ", f);
		deadlock_print_circle(f, tl);
	} else {
		print_escaped(f, tl->run.error.why);
	}
	fputc('\n', f);
}

/* What is still held then: a bar that has no end is not drawn. */
static void print_ends_of_bars(FILE *f, const struct timeline *tl)
{
	uint32_t thing;
	size_t i;

	for (thing = 0; thing < tl->nr_things; thing++) {
		int held = 0;

		for (i = 0; i < tl->nr_events; i++)
			if (tl->events[i].thing == thing)
				held += (tl->events[i].kind == TIMELINE_TAKES) -
					(tl->events[i].kind == TIMELINE_GIVES_BACK);
		while (held-- > 0)
			fprintf(f, "    deactivate l%u\n", thing);
	}
}

void diagram_mermaid(FILE *f, const struct timeline *tl)
{
	struct fold fold;
	size_t i;

	fputs("sequenceDiagram\n", f);
	print_participants(f, tl);
	open_fold(&fold, tl->tasks[0]);
	for (i = 0; i < tl->nr_events; i++) {
		const struct timeline_event *e = &tl->events[i];

		if (e->kind == TIMELINE_ROW && e->task == fold.task) {
			fold_row(&fold, tl, e);
			continue;
		}
		close_fold(f, &fold);
		open_fold(&fold, e->task);
		if (e->kind == TIMELINE_ROW)
			fold_row(&fold, tl, e);
		else
			print_event(f, tl, e);
	}
	close_fold(f, &fold);
	if (tl->run.status != BACKEND_DONE)
		print_end(f, tl);
	print_ends_of_bars(f, tl);
}
