/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A comparison as a table in GitHub's Markdown; see diff.h. Results that differ are bold.
 */
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "diff.h"

/* Words in which nothing is Markdown's or HTML's. */
static void put_words(FILE *f, const char *s)
{
	char *plain = diff_plain(s), *p;

	for (p = plain; *p; p++) {
		if (strchr("\\`*_{}[]<>()#+!|~&$", *p))
			fputc('\\', f);
		fputc(*p, f);
	}
	free(plain);
}

/* Code in a cell of a table: of the calls' language, which has no backticks. */
static void put_code(FILE *f, const char *s)
{
	fputc('`', f);
	for (; *s; s++)
		fputs(*s == '|' ? "\\|" : (const char[]){ *s, 0 }, f);
	fputc('`', f);
}

static void put_cell(FILE *f, const struct diff *d, size_t column, size_t n)
{
	const struct diff_cell *cell = &d->columns[column].cells[n];
	const char *clause = diff_clause_name(diff_clause(d, column, n));
	const char *bold = diff_differs(d, n) ? "**" : "";
	char *text = diff_result(d, column, n);
	uint32_t i;

	fprintf(f, " %s", bold);
	put_code(f, text);
	fputs(bold, f);
	free(text);
	if (clause)
		fprintf(f, " %s", clause);
	for (i = 0; (text = diff_call(d, column, n, i)); i++) {
		fputs("<br>by ", f);
		put_code(f, text);
		free(text);
	}
	if (cell->told.note) {
		fputs("<br>", f);
		put_words(f, cell->told.note);
	}
	fputs(" |", f);
}

static void put_row(FILE *f, const struct diff *d, size_t n)
{
	char *call = call_text(d->t, &d->t->calls[n]);
	size_t i;

	fprintf(f, "| %u | ", d->t->calls[n].line);
	put_code(f, call);
	fputs(" |", f);
	for (i = 0; i < d->nr; i++)
		if (diff_is_shown(d, i))
			put_cell(f, d, i, n);
	fputc('\n', f);
	free(call);
}

static void put_head(FILE *f, const struct diff *d)
{
	char *names;
	size_t i;

	fputs("| line | call |", f);
	for (i = 0; i < d->nr; i++) {
		if (!diff_is_shown(d, i))
			continue;
		names = diff_column_names(d, i);
		fprintf(f, " %s |", names);
		free(names);
	}
	fputs("\n| ---: | --- |", f);
	for (i = 0; i < d->nr; i++)
		if (diff_is_shown(d, i))
			fputs(" --- |", f);
	fputc('\n', f);
}

static void put_rules(FILE *f, const struct diff *d)
{
	const char *head = "\nThe rules behind what differs:\n\n";
	const struct gmem_clause *c;
	unsigned int i;

	for (i = 1; (c = gmem_clause(i)); i++) {
		if (!d->clauses[i])
			continue;
		fprintf(f, "%s- **%s** ", head, c->name);
		head = "";
		put_words(f, c->sentence);
		fputs(" *Source:* ", f);
		put_words(f, c->source);
		fputc('\n', f);
	}
}

void diff_markdown(FILE *f, const struct diff *d, int only)
{
	char *order = diff_order(d);
	size_t i;

	fputs("## ", f);
	put_words(f, d->file);
	fprintf(f, "\n\n%zu call%s under %zu design%s; ", d->t->nr_calls,
		d->t->nr_calls == 1 ? "" : "s", d->nr, d->nr == 1 ? "" : "s");
	if (d->nr_differing)
		fprintf(f, "%zu result%s, in bold.\n\n", d->nr_differing,
			d->nr_differing == 1 ? " differs" : "s differ");
	else
		fputs("all results are equal.\n\n", f);
	if (order)
		fprintf(f, "%s\n\n", order);
	free(order);
	put_head(f, d);
	for (i = 0; i < d->t->nr_calls; i++)
		if (!only || diff_differs(d, i))
			put_row(f, d, i);
	for (i = 0; i < d->nr; i++) {
		if (!d->columns[i].ended)
			continue;
		fprintf(f, "\n%s was not run to its end: ", d->columns[i].name);
		put_words(f, d->columns[i].ended);
		fputc('\n', f);
	}
	put_rules(f, d);
}
