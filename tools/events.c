/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What happened, for programs: one JSON object a line, each with its "event".
 *
 * Numbers that may need 64 bits without a sign (results, addresses) are strings in the language of
 * traces, where every JSON reader keeps all their digits.
 */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "report.h"

static struct json_object *event(const char *name)
{
	struct json_object *o = json_object_new_object();

	if (!o)
		die("out of memory");
	json_object_object_add(o, "event", json_object_new_string(name));
	return o;
}

static void put(struct json_object *o)
{
	puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
						       JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
}

/* JSON is UTF-8, names of files are bytes: each that is no part of a character becomes U+FFFD. */
static char *as_utf8(const char *s)
{
	const char *end = s + strlen(s);
	struct text t;
	size_t n;

	text_begin(&t);
	for (; s < end; s += n ? n : 1) {
		n = *s & 0x80 ? utf8_length(s, end) : 1;
		if (n)
			fwrite(s, 1, n, t.f);
		else
			fputs("\xef\xbf\xbd", t.f);
	}
	return text_end(&t);
}

static void add_string(struct json_object *o, const char *key, const char *value)
{
	char *valid = value ? as_utf8(value) : NULL;

	json_object_object_add(o, key, valid ? json_object_new_string(valid) : NULL);
	free(valid);
}

static void add_number(struct json_object *o, const char *key, uint64_t value)
{
	json_object_object_add(o, key, json_object_new_int64(value));
}

static void add_yes(struct json_object *o, const char *key, int yes)
{
	json_object_object_add(o, key, json_object_new_boolean(yes));
}

/* Adds text that was made for it. */
static void add_text(struct json_object *o, const char *key, char *text)
{
	add_string(o, key, text);
	free(text);
}

static void add_clause(struct json_object *o, unsigned int number)
{
	const struct gmem_clause *c = gmem_clause(number);

	if (!c)
		return;
	add_string(o, "clause", c->name);
	add_string(o, "sentence", c->sentence);
	add_string(o, "source", c->source);
}

void event_begin(const char *file, const char *where)
{
	struct json_object *o = event("trace");

	add_string(o, "file", file);
	add_string(o, "on", where);
	put(o);
}

static struct json_object *row_object(const struct gmem_profile *p, const struct watch_entry *e)
{
	const struct gmem_clause *clause = gmem_clause(e->row.clause);
	struct json_object *o = json_object_new_object();
	struct gmem_row row;

	if (!gmem_profile_row(p, e->row.table, e->row.row, &row))
		return o;
	add_string(o, "table", gmem_table_name(e->row.table));
	add_number(o, "row", e->row.row);
	add_string(o, "kind", row.kind);
	add_string(o, "name", row.name);
	add_string(o, "detail", row.detail);
	add_string(o, "clause", clause ? clause->name : NULL);
	add_number(o, "depth", e->row.depth);
	add_number(o, "times", e->times);
	add_string(o, "outcome",
		   e->row.passed < 0 ? "skipped" :
		   e->row.passed     ? "passed" :
				       "decided");
	return o;
}

static struct json_object *told_object(const struct gmem_event *e)
{
	static const char *const kinds[] = { "invalidate_start", "invalidate_end", "memory_error" };
	static const char *const origins[] = { "file", "attributes", "host" };
	struct json_object *o = json_object_new_object();

	add_string(o, "told", kinds[e->kind]);
	add_string(o, "by", origins[e->origin]);
	add_number(o, "slot", e->slot | (uint32_t)e->as_id << 16);
	add_number(o, "gfn", e->gfn);
	add_number(o, "gfn_end", e->gfn_end);
	add_number(o, "pgoff", e->pgoff);
	add_number(o, "pgoff_end", e->pgoff_end);
	return o;
}

static void add_rows(struct json_object *o, const struct made_call *m)
{
	struct json_object *rows = json_object_new_array();
	size_t i;

	for (i = 0; i < m->watch->nr_entries; i++) {
		const struct watch_entry *e = &m->watch->entries[i];
		struct json_object *row;

		if (e->call != (size_t)(m->c - m->t->calls))
			continue;
		row = e->kind == WATCH_ROW ? row_object(m->profile, e) : told_object(&e->told);
		if (is_in_block(m))
			add_number(row, "order", i);
		json_object_array_add(rows, row);
	}
	json_object_object_add(o, "rows", rows);
}

void event_call(const struct made_call *m)
{
	struct json_object *o = event("call");

	add_string(o, "file", m->file);
	add_number(o, "line", m->c->line);
	add_text(o, "call", call_text(m->t, m->c));
	add_text(o, "result", result_text(m->c->linked.call.verb, m->r));
	if (trace_demands(m->c)) {
		add_text(o, "demanded", demand_text(m->t, m->c));
		add_yes(o, "met", m->satisfied);
	}
	if (m->profile) {
		add_string(o, "table", gmem_table_name(m->r->table));
		add_number(o, "row", m->r->row);
		add_clause(o, m->r->clause);
	}
	if (m->watch)
		add_rows(o, m);
	put(o);
}

static void end_early(const char *name, const char *file, uint32_t line, const char *why)
{
	struct json_object *o = event(name);

	add_string(o, "file", file);
	if (line)
		add_number(o, "line", line);
	add_string(o, "why", why);
	put(o);
}

void event_skipped(const char *file, uint32_t line, const char *why)
{
	end_early("skipped", file, line, why);
}

void event_broken(const char *file, uint32_t line, const char *why)
{
	end_early("broken", file, line, why);
}

void event_error(const char *file, const struct trace_error *e)
{
	struct json_object *o = event("error");

	add_string(o, "file", file);
	if (e->line)
		add_number(o, "line", e->line);
	if (e->column)
		add_number(o, "column", e->column);
	add_string(o, "reason", e->reason);
	put(o);
}

void event_totals(const struct totals *n)
{
	struct json_object *o = event("totals");

	add_number(o, "traces", n->traces);
	add_number(o, "calls", n->calls);
	add_number(o, "demands", n->demands);
	add_number(o, "unmet", n->unmet);
	add_number(o, "failed", n->failed);
	add_number(o, "skipped", n->skipped);
	add_number(o, "unread", n->unread);
	put(o);
}
