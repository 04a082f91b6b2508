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
#include "json.h"
#include "report.h"

void event_begin(const char *file, const char *where)
{
	struct json_object *o = json_event("trace");

	json_add_string(o, "file", file);
	json_add_string(o, "on", where);
	json_put(o);
}

static struct json_object *row_object(const struct gmem_profile *p, const struct watch_entry *e)
{
	const struct gmem_clause *clause = gmem_clause(e->row.clause);
	struct json_object *o = json_object_new_object();
	struct gmem_row row;

	if (!gmem_profile_row(p, e->row.table, e->row.row, &row))
		return o;
	json_add_string(o, "table", gmem_table_name(e->row.table));
	json_add_number(o, "row", e->row.row);
	json_add_string(o, "kind", row.kind);
	json_add_string(o, "name", row.name);
	json_add_string(o, "detail", row.detail);
	json_add_string(o, "clause", clause ? clause->name : NULL);
	json_add_number(o, "depth", e->row.depth);
	json_add_number(o, "times", e->times);
	json_add_string(o, "outcome",
			e->row.passed < 0 ? "skipped" :
			e->row.passed	  ? "passed" :
					    "decided");
	return o;
}

static struct json_object *told_object(const struct gmem_event *e)
{
	static const char *const kinds[] = { "invalidate_start", "invalidate_end", "memory_error",
					     "invalidate", "populate" };
	static const char *const origins[] = { "file", "attributes", "host" };
	struct json_object *o = json_object_new_object();

	json_add_string(o, "told", kinds[e->kind]);
	json_add_string(o, "by", origins[e->origin]);
	json_add_number(o, "slot", e->slot | (uint32_t)e->as_id << 16);
	json_add_number(o, "gfn", e->gfn);
	json_add_number(o, "gfn_end", e->gfn_end);
	json_add_number(o, "pgoff", e->pgoff);
	json_add_number(o, "pgoff_end", e->pgoff_end);
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
			json_add_number(row, "order", i);
		json_object_array_add(rows, row);
	}
	json_object_object_add(o, "rows", rows);
}

void event_call(const struct made_call *m)
{
	struct json_object *o = json_event("call");

	json_add_string(o, "file", m->file);
	json_add_number(o, "line", m->c->line);
	json_add_text(o, "call", call_text(m->t, m->c));
	json_add_text(o, "result", result_text(m->c->linked.call.verb, m->r));
	if (trace_demands(m->c)) {
		json_add_text(o, "demanded", demand_text(m->t, m->c));
		json_add_yes(o, "met", m->satisfied);
	}
	if (m->profile) {
		json_add_string(o, "table", gmem_table_name(m->r->table));
		json_add_number(o, "row", m->r->row);
		json_add_clause(o, m->r->clause);
	}
	if (m->watch)
		add_rows(o, m);
	json_put(o);
}

static void end_early(const char *name, const char *file, uint32_t line, const char *why)
{
	struct json_object *o = json_event(name);

	json_add_string(o, "file", file);
	if (line)
		json_add_number(o, "line", line);
	json_add_string(o, "why", why);
	json_put(o);
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
	struct json_object *o = json_event("error");

	json_add_string(o, "file", file);
	if (e->line)
		json_add_number(o, "line", e->line);
	if (e->column)
		json_add_number(o, "column", e->column);
	json_add_string(o, "reason", e->reason);
	json_put(o);
}

void event_totals(const struct totals *n)
{
	struct json_object *o = json_event("totals");

	json_add_number(o, "traces", n->traces);
	json_add_number(o, "calls", n->calls);
	json_add_number(o, "demands", n->demands);
	json_add_number(o, "unmet", n->unmet);
	json_add_number(o, "failed", n->failed);
	json_add_number(o, "skipped", n->skipped);
	json_add_number(o, "unread", n->unread);
	json_put(o);
}
