/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reports of a lock checker, in the form in which people know lockdep's: who wants what while he
 * holds what, and then the scenario in which all of them wait. See lock-text.h.
 */
#include <string.h>

#include "cmd.h"
#include "lock-text.h"

#define MOST_COLUMNS 3u	 /* of a scenario that fits a mail */
#define COLUMN_WIDTH 26u /* each line has something in one column only */
#define MOST_CLASSES 16u

static const char *const problems[] = {
	[GMEM_LOCK_CYCLE] = "possible deadlock: locks are taken in a circle",
	[GMEM_LOCK_RECURSION] = "possible deadlock: a lock of a class that is held already",
	[GMEM_LOCK_SLEEP] = "sleeping under a lock that spins",
	[GMEM_LOCK_IN_NOTIFIER] = "sleeping inside the mmu notifier",
	[GMEM_LOCK_IN_READ_SECTION] = "deadlock: waiting for srcu's readers as one of them",
	[GMEM_LOCK_NOT_HELD] = "a lock is given back that is not held",
	[GMEM_LOCK_LEFT] = "a lock is still held when the call is over",
};

void lock_print_name(FILE *f, unsigned int class, unsigned int mode)
{
	const char *word = gmem_lock_mode(class, mode);

	fputs(gmem_lock_name(class), f);
	if (*word)
		fprintf(f, " (%s)", word);
}

void lock_print_row(FILE *f, const struct gmem_profile *p, uint32_t table, uint16_t number)
{
	const struct gmem_clause *clause;
	struct gmem_row row;
	char text[128];

	fprintf(f, "row %u of %s", number, gmem_table_name(table));
	if (!gmem_profile_row(p, table, number, &row))
		return;
	row_words(&row, text, sizeof(text));
	fprintf(f, ": %s %s", row.kind, text);
	clause = gmem_clause(row.clause);
	if (clause)
		fprintf(f, " [%s]", clause->name);
}

/* ---- reports ---- */

static void print_site(FILE *f, const struct gmem_profile *p, const char *verb, const char *does,
		       const struct gmem_lock_site *site)
{
	fprintf(f, "    %s %s ", verb, does);
	lock_print_name(f, site->class, site->mode);
	fputs("\n        ", f);
	lock_print_row(f, p, site->table, site->row);
	fputc('\n', f);
}

static void print_link(FILE *f, const struct gmem_profile *p, const struct gmem_lock_link *link)
{
	print_site(f, p, gmem_verb_info(link->held.verb)->name, "holds", &link->held);
	print_site(f, p, gmem_verb_info(link->taken.verb)->name, "wants", &link->taken);
}

static void print_call(FILE *f, unsigned int column, const struct gmem_lock_site *site)
{
	fprintf(f, "    %*s%s;\n", (int)(column * COLUMN_WIDTH), "",
		gmem_lock_call(site->class, site->mode));
}

/* Each takes what it holds, and then none of them gets what it wants. */
static void print_scenario(FILE *f, const struct gmem_lock_report *r)
{
	unsigned int i;

	if (r->nr_links > MOST_COLUMNS)
		return;
	fputs("\n    ", f);
	for (i = 0; i < r->nr_links; i++)
		fprintf(f, "%-*s", i + 1 < r->nr_links ? (int)COLUMN_WIDTH : 0,
			gmem_verb_info(r->links[i].taken.verb)->name);
	fputc('\n', f);
	for (i = 0; i < r->nr_links; i++)
		print_call(f, i, &r->links[i].held);
	for (i = 0; i < r->nr_links; i++)
		print_call(f, i, &r->links[i].taken);
	fputs("\n        *** deadlock ***\n\n", f);
}

void lock_print_report(FILE *f, const char *where, const struct gmem_profile *p,
		       const struct gmem_lock_report *r)
{
	unsigned int i;

	fprintf(f, "%s: %s\n", where, problems[r->problem]);
	if (r->problem == GMEM_LOCK_NOT_HELD) {
		print_site(f, p, gmem_verb_info(r->links[0].held.verb)->name, "gives back",
			   &r->links[0].held);
		return;
	}
	if (r->problem == GMEM_LOCK_LEFT) {
		print_site(f, p, gmem_verb_info(r->links[0].held.verb)->name, "has taken",
			   &r->links[0].held);
		return;
	}
	for (i = 0; i < r->nr_links; i++)
		print_link(f, p, &r->links[i]);
	if (r->problem == GMEM_LOCK_CYCLE)
		print_scenario(f, r);
}

unsigned int lock_print_reports(FILE *f, const char *where, const struct gmem_profile *p,
				const struct gmem_lockdep *d)
{
	const struct gmem_lock_report *r;
	unsigned int n;

	for (n = 0; (r = gmem_lock_report(d, n)); n++)
		lock_print_report(f, where, p, r);
	return n;
}

/* ---- the graph ---- */

/* All orders of two classes, as one edge. */
struct edge {
	struct gmem_lock_link first;
	int there, in_cycle;
	int shared; /* the first is never held exclusively, nor the second taken so */
	int waits;  /* taking the second may have to wait */
};

struct graph {
	struct edge edges[MOST_CLASSES][MOST_CLASSES];
	int comes[MOST_CLASSES]; /* the class is in some order */
};

static struct edge *edge_of(struct graph *g, const struct gmem_lock_link *link)
{
	return &g->edges[link->held.class][link->taken.class];
}

static void read_orders(struct graph *g, const struct gmem_lockdep *d)
{
	const struct gmem_lock_report *r;
	struct gmem_lock_link link;
	unsigned int n, i;

	for (n = 0; gmem_lock_order(d, n, &link); n++) {
		struct edge *e = edge_of(g, &link);

		if (!e->there)
			*e = (struct edge){ .first = link, .there = 1, .shared = 1 };
		e->shared &= !link.held.mode && !link.taken.mode;
		e->waits |= gmem_lock_waits(link.taken.class, link.taken.mode, 0) ||
			    gmem_lock_waits(link.taken.class, link.taken.mode, 1);
		g->comes[link.held.class] = g->comes[link.taken.class] = 1;
	}
	for (n = 0; (r = gmem_lock_report(d, n)); n++)
		for (i = 0; r->problem == GMEM_LOCK_CYCLE && i < r->nr_links; i++)
			edge_of(g, &r->links[i])->in_cycle = 1;
}

static void print_edge(FILE *f, const struct gmem_profile *p, const struct edge *e)
{
	fprintf(f, "\t\"%s\" -> \"%s\" [label=\"%s\", tooltip=\"",
		gmem_lock_name(e->first.held.class), gmem_lock_name(e->first.taken.class),
		gmem_verb_info(e->first.taken.verb)->name);
	lock_print_row(f, p, e->first.held.table, e->first.held.row);
	fputs(", then ", f);
	lock_print_row(f, p, e->first.taken.table, e->first.taken.row);
	fprintf(f, "\"%s%s];\n",
		!e->waits ? ", style=dotted, color=gray50, fontcolor=gray50" :
		e->shared ? ", style=dashed" :
			    "",
		e->in_cycle ? ", color=red, fontcolor=red, penwidth=2" : "");
}

void lock_print_dot(FILE *f, const struct gmem_profile *p, const struct gmem_lockdep *d)
{
	struct graph g = { 0 };
	unsigned int i, k;

	read_orders(&g, d);
	fprintf(f, "digraph \"%s\" {\n", gmem_profile_name(p));
	fprintf(f,
		"\tlabel=\"%s: what is taken while what is held, and who did so first\\n"
		"dashed: both for reading; dotted: the second waits for nobody; red: in a circle\";\n",
		gmem_profile_name(p));
	fputs("\tnode [shape=box, fontname=\"monospace\"];\n\tedge [fontsize=10];\n", f);
	for (i = 0; gmem_lock_name(i); i++)
		if (g.comes[i])
			fprintf(f, "\t\"%s\";\n", gmem_lock_name(i));
	for (i = 0; gmem_lock_name(i); i++)
		for (k = 0; gmem_lock_name(k); k++)
			if (g.edges[i][k].there)
				print_edge(f, p, &g.edges[i][k]);
	fputs("}\n", f);
}
