/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A comparison for programs, one JSON object a line; see diff.h, and gmem(1) for its members.
 */
#include <stdlib.h>

#include "cmd.h"
#include "diff-html.h"
#include "json.h"

static void put_begin(const struct diff *d)
{
	const struct gmem_profile *p = d->t->profile ? d->t->profile : gmem_profile_default();
	struct json_object *o = json_event("diff"), *names = json_object_new_array();
	char *order = diff_order(d);
	size_t i;

	json_add_string(o, "file", d->file);
	json_add_string(o, "on", gmem_profile_name(p));
	for (i = 0; i < d->nr; i++)
		json_object_array_add(names, json_object_new_string(d->columns[i].name));
	json_object_object_add(o, "profiles", names);
	if (order)
		json_add_text(o, "order", order);
	json_put(o);
}

static struct json_object *calls_of(const struct diff_column *c, size_t n)
{
	struct json_object *calls = json_object_new_array();
	const struct told *told = &c->cells[n].told;
	uint32_t i;
	char *text;

	for (i = 0; i < told->nr; i++) {
		text = call_text(&c->x.t, &c->x.t.calls[told->first + i]);
		json_object_array_add(calls, json_object_new_string(text));
		free(text);
	}
	return calls;
}

static struct json_object *pages_of(const struct diff_column *c, size_t n)
{
	const struct diff_state *s = c->nr_states ? &c->states[c->cells[n].state] : NULL;
	struct json_object *pages = json_object_new_array();
	struct text t;
	uint32_t i;

	for (i = 0; s && i < s->nr; i++) {
		text_begin(&t);
		fprintf(t.f, "%s: ", c->objects[i].name);
		strip_words(t.f, &s->strips[i]);
		text_end(&t);
		json_object_array_add(pages, json_object_new_string(t.bytes));
		free(t.bytes);
	}
	return pages;
}

static void put_cell(const struct diff *d, size_t column, size_t n)
{
	static const char *const how[] = {
		[TOLD_AS_WRITTEN] = "as written", [TOLD_BY_OTHERS] = "by others",
		[TOLD_BEFORE] = "before",	  [TOLD_LATER] = "later",
		[TOLD_BY_NONE] = "none",	  [TOLD_NOT_ASKED] = "not made"
	};
	const struct diff_column *c = &d->columns[column];
	const struct diff_cell *cell = &c->cells[n];
	struct json_object *o = json_event("answer");

	json_add_string(o, "file", d->file);
	json_add_number(o, "line", d->t->calls[n].line);
	json_add_text(o, "call", call_text(d->t, &d->t->calls[n]));
	json_add_string(o, "profile", c->name);
	json_add_string(o, "how", how[cell->told.how]);
	json_object_object_add(o, "calls", calls_of(c, n));
	if (cell->told.note)
		json_add_string(o, "why", cell->told.note);
	if (cell->made)
		json_add_text(o, "result", diff_result(d, column, n));
	json_add_string(o, "like", d->columns[cell->group].name);
	json_add_yes(o, "differs", diff_differs(d, n));
	json_add_clause(o, diff_clause(d, column, n));
	json_object_object_add(o, "pages", pages_of(c, n));
	json_put(o);
}

void diff_json(FILE *f, const struct diff *d, int only)
{
	struct json_object *o;
	size_t n, i;

	(void)f;
	put_begin(d);
	for (n = 0; n < d->t->nr_calls; n++)
		for (i = 0; i < d->nr && (!only || diff_differs(d, n)); i++)
			put_cell(d, i, n);
	o = json_event("differences");
	json_add_number(o, "calls", d->t->nr_calls);
	json_add_number(o, "differing", d->nr_differing);
	json_put(o);
}
