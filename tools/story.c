/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What happened, for people: each call with the rows that ran, what KVM was told, the result and
 * the rule behind it. Plain text, so that it can be pasted into a mail.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "report.h"

void story_begin(const char *file, const char *where)
{
	printf("%s, on %s\n\n", file, where);
}

/* What came of a row, as far as it is not plain. */
static void print_outcome(const struct gmem_row *row, const struct watch_entry *e)
{
	int ends = !strcmp(row->kind, "done");

	if (e->row.passed == 0)
		fputs(ends ? "  yes" : "  no", stdout);
	else if (ends)
		fputs("  not so", stdout);
	if (e->times > 1)
		printf("  %u times", e->times);
}

/* The rows of a table deeper in stand further right; clauses stand in one column. */
static void print_row(const struct gmem_profile *p, const struct watch_entry *e)
{
	const struct gmem_clause *clause = gmem_clause(e->row.clause);
	char words[160], name[24] = "";
	struct gmem_row row;
	int indent = 2 * e->row.depth;

	if (e->row.passed < 0 || !gmem_profile_row(p, e->row.table, e->row.row, &row))
		return;
	row_words(&row, words, sizeof(words));
	if (clause)
		snprintf(name, sizeof(name), "[%s]", clause->name);
	printf("      |  %*s%-9s %-*s", indent, "", row_kind(&row), *name ? 44 - indent : 0, words);
	if (e->row.passed == 0 || e->times > 1 || !strcmp(row.kind, "done"))
		printf(" %-13s", name);
	else if (*name)
		printf(" %s", name);
	print_outcome(&row, e);
	putchar('\n');
}

/* What the same call did next; null if nothing. */
static const struct watch_entry *next_of_call(const struct watch *w, size_t i)
{
	size_t call = w->entries[i].call;

	while (++i < w->nr_entries)
		if (w->entries[i].call == call)
			return &w->entries[i];
	return NULL;
}

/* A row that looked for something to call a table with, and found nothing (more). */
static int found_nothing(const struct made_call *m, size_t i)
{
	const struct watch_entry *e = &m->watch->entries[i], *next = next_of_call(m->watch, i);
	struct gmem_row row;

	if (e->kind != WATCH_ROW || !gmem_profile_row(m->profile, e->row.table, e->row.row, &row) ||
	    strcmp(row.kind, "call each"))
		return 0;
	return !next || next->kind != WATCH_ROW || next->row.depth <= e->row.depth;
}

static void print_told(const struct gmem_event *e)
{
	static const char *const kinds[] = { "start invalidating", "end invalidating",
					     "memory error in", "invalidate", "populate" };
	static const char *const origins[] = { "the file", "attributes", "the host" };

	printf("      |      >> KVM is told, by %s: %s", origins[e->origin], kinds[e->kind]);
	if (e->gfn < e->gfn_end)
		printf(" guest pages 0x%" PRIx64 " to 0x%" PRIx64 " (slot %u)", e->gfn, e->gfn_end,
		       e->slot | (unsigned int)e->as_id << 16);
	if (e->pgoff < e->pgoff_end)
		printf(", file pages 0x%" PRIx64 " to 0x%" PRIx64, e->pgoff, e->pgoff_end);
	putchar('\n');
}

static void print_entry(const struct made_call *m, size_t i)
{
	const struct watch_entry *e = &m->watch->entries[i];

	if (e->kind == WATCH_TOLD)
		print_told(&e->told);
	else if (!found_nothing(m, i))
		print_row(m->profile, e);
}

/* In a block the first task is named as its schedule names it. */
static void print_call(const struct made_call *m)
{
	char *call = call_text(m->t, m->c);
	int is_main = is_in_block(m) && !m->c->linked.call.task;

	printf("%5u | %s%s", m->c->line, is_main ? "main: " : "", call);
	free(call);
}

static void begin_call(const struct made_call *m)
{
	if (m->c->before)
		fputs(m->c->before + strspn(m->c->before, "\n"), stdout);
	print_call(m);
	if (m->c->after)
		printf(" %s", m->c->after);
	putchar('\n');
}

static void end_call(const struct made_call *m)
{
	char *result = result_text(m->c->linked.call.verb, m->r), *demand = demand_text(m->t, m->c);

	printf("      = %s", result);
	if (!m->satisfied)
		printf(", and not %s, which is demanded", demand);
	else if (trace_demands(m->c))
		fputs(", as demanded", stdout);
	putchar('\n');
	if (m->profile)
		print_clause(stdout, m->r->clause, "        ");
	putchar('\n');
	free(result);
	free(demand);
}

void story_call(const struct made_call *m)
{
	size_t i;

	begin_call(m);
	for (i = 0; m->watch && i < m->watch->nr_entries; i++)
		print_entry(m, i);
	end_call(m);
}

/* A row of another call than the one before it: that call begins, or goes on. */
static void take_turn(const struct made_call *m, int has_begun)
{
	if (!has_begun) {
		begin_call(m);
	} else {
		print_call(m);
		puts(", which goes on");
	}
}

void story_block(const struct made_call *calls, size_t n)
{
	const struct watch *w = calls->watch;
	size_t first = (size_t)(calls->c - calls->t->calls), i, turn = SIZE_MAX;
	uint8_t *begun = xcalloc(n, sizeof(*begun));

	for (i = 0; w && i < w->nr_entries; i++) {
		const struct made_call *m = &calls[w->entries[i].call - first];

		if (w->entries[i].call != turn)
			take_turn(m, begun[m - calls]);
		turn = w->entries[i].call;
		begun[m - calls] = 1;
		print_entry(m, i);
		if (m->r && !next_of_call(w, i)) {
			end_call(m);
			turn = SIZE_MAX;
		}
	}
	free(begun);
}

void story_end(const struct trace *t)
{
	if (t->tail)
		printf("%s\n", t->tail);
}

void story_unmet(FILE *f, const struct made_call *m)
{
	char *call = call_text(m->t, m->c), *result = result_text(m->c->linked.call.verb, m->r);
	char *demand = demand_text(m->t, m->c);

	fprintf(f, "%s:%u: demanded %s, got %s: %s\n", m->file, m->c->line, demand, result, call);
	if (m->profile)
		print_clause(f, m->r->clause, "    ");
	free(call);
	free(result);
	free(demand);
}

static const char *s(unsigned long n)
{
	return n == 1 ? "" : "s";
}

void story_totals(const struct totals *n)
{
	printf("%lu trace%s, %lu call%s, %lu demand%s: ", n->traces, s(n->traces), n->calls,
	       s(n->calls), n->demands, s(n->demands));
	if (n->unmet)
		printf("%lu not met", n->unmet);
	else
		fputs(n->demands ? "all met" : "nothing judged", stdout);
	if (n->failed)
		printf("; %lu trace%s failed", n->failed, s(n->failed));
	if (n->skipped)
		printf("; %lu trace%s skipped", n->skipped, s(n->skipped));
	if (n->unread)
		printf("; %lu file%s not read", n->unread, s(n->unread));
	putchar('\n');
}
