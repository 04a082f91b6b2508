/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A comparison as text of at most 100 columns, for a terminal or a mail; see diff.h. Few designs
 * stand side by side; of many, those with the same answer are listed behind it. An asterisk marks
 * the calls whose results differ.
 */
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "diff.h"

#define WIDTH 100u
#define MARGIN 8u /* before what is said of a call */
#define MOST_ABREAST 4u

struct layout {
	size_t columns[MOST_ABREAST]; /* side by side; or none */
	size_t nr;
	unsigned int width; /* of each */
};

/* How many letters of the words fit, up to a blank, or after a sign, if there is one. */
static size_t fitting(const char *words, size_t width)
{
	size_t n = strlen(words), i;

	if (n <= width)
		return n;
	for (i = width; i && words[i] != ' '; i--)
		;
	for (n = i ? 0 : width; n && !strchr("-|,(=", words[n - 1]); n--)
		;
	return i ? i : n ? n : width;
}

/* Words broken into lines that begin with indent blanks; the first one is begun already, at column. */
static void put_wrapped(FILE *f, const char *words, size_t column, unsigned int indent)
{
	size_t n;

	for (;; column = indent) {
		n = fitting(words, WIDTH - column);
		fprintf(f, "%.*s\n", (int)n, words);
		words += n + (words[n] == ' ');
		if (!*words)
			return;
		fprintf(f, "%*s", (int)indent, "");
	}
}

/* "0 [PUNCH-2] (a note)"; free() it. */
static char *cell_text(const struct diff *d, size_t column, size_t n)
{
	const struct diff_cell *cell = &d->columns[column].cells[n];
	const char *clause = diff_clause_name(diff_clause(d, column, n));
	char *result = diff_result(d, column, n);
	struct text t;

	text_begin(&t);
	fputs(result, t.f);
	if (clause)
		fprintf(t.f, " [%s]", clause);
	if (cell->told.note)
		fprintf(t.f, " %s", cell->told.note);
	free(result);
	return text_end(&t);
}

/* ---- side by side ---- */

/* Cells whose text is given, line by line. */
static void put_abreast(FILE *f, const struct layout *l, char **texts)
{
	const char *rest[MOST_ABREAST];
	unsigned int pad, left = 1;
	size_t i, n;

	for (i = 0; i < l->nr; i++)
		rest[i] = texts[i];
	while (left) {
		fprintf(f, "%*s", MARGIN, "");
		for (i = left = pad = 0; i < l->nr; i++) {
			n = fitting(rest[i], l->width - 2);
			if (n)
				fprintf(f, "%*s%.*s", (int)pad, "", (int)n, rest[i]);
			pad = n ? l->width - (unsigned int)n : pad + l->width;
			rest[i] += n + (rest[i][n] == ' ');
			left |= *rest[i] != 0;
		}
		fputc('\n', f);
	}
	for (i = 0; i < l->nr; i++)
		free(texts[i]);
}

static void put_calls(FILE *f, const struct diff *d, size_t column, size_t n)
{
	char *call, *names = diff_column_names(d, column);
	uint32_t i;

	for (i = 0; (call = diff_call(d, column, n, i)); i++) {
		size_t at = MARGIN + strlen(names) + 2;

		fprintf(f, "%*s%s:", MARGIN, "", names);
		if (at + strlen(call) > WIDTH && at > WIDTH / 2) {
			fprintf(f, "\n%*s", MARGIN + 4, "");
			at = MARGIN + 4;
		} else {
			fputc(' ', f);
		}
		put_wrapped(f, call, at, MARGIN + 4);
		free(call);
	}
	free(names);
}

static void put_row_abreast(FILE *f, const struct diff *d, const struct layout *l, size_t n)
{
	char *texts[MOST_ABREAST];
	size_t i;

	for (i = 0; i < l->nr; i++)
		put_calls(f, d, l->columns[i], n);
	for (i = 0; i < l->nr; i++)
		texts[i] = cell_text(d, l->columns[i], n);
	put_abreast(f, l, texts);
}

static void put_head(FILE *f, const struct diff *d, const struct layout *l)
{
	char *texts[MOST_ABREAST];
	size_t i;

	for (i = 0; i < l->nr; i++)
		texts[i] = diff_column_names(d, l->columns[i]);
	put_abreast(f, l, texts);
	fputc('\n', f);
}

/* ---- as a list ---- */

/* Those that answer as the column does, on one line or several. */
static void put_answer(FILE *f, const struct diff *d, size_t column, size_t n)
{
	char *text = cell_text(d, column, n), *call;
	const char *comma = "";
	struct text names;
	size_t i;

	text_begin(&names);
	for (i = column; i < d->nr; i++) {
		if (!diff_cells_equal(d, n, column, i))
			continue;
		fprintf(names.f, "%s%s", comma, d->columns[i].name);
		comma = ", ";
	}
	text_end(&names);
	fprintf(f, "%*s", MARGIN, "");
	if (strlen(text) > 22) {
		put_wrapped(f, text, MARGIN, MARGIN + 4);
		fprintf(f, "%*s", MARGIN + 24, "");
	} else {
		fprintf(f, "%-24s", text);
	}
	put_wrapped(f, names.bytes, MARGIN + 24, MARGIN + 24);
	for (i = 0; (call = diff_call(d, column, n, (uint32_t)i)); i++) {
		fprintf(f, "%*sby ", MARGIN + 24, "");
		put_wrapped(f, call, MARGIN + 27, MARGIN + 27);
		free(call);
	}
	free(names.bytes);
	free(text);
}

static void put_row_listed(FILE *f, const struct diff *d, size_t n)
{
	size_t a, b;

	for (b = 0; b < d->nr; b++) {
		for (a = 0; a < b && !diff_cells_equal(d, n, a, b); a++)
			;
		if (a == b)
			put_answer(f, d, b, n);
	}
}

/* ---- all of it ---- */

/* The same answer by the same call and rule, which then goes behind the call. */
static int is_plain(const struct diff *d, size_t n)
{
	size_t i;

	for (i = 0; i < d->nr; i++)
		if (!diff_cells_equal(d, n, 0, i))
			return 0;
	return d->columns[0].cells[n].told.how == TOLD_AS_WRITTEN && d->nr > 1;
}

static void put_row(FILE *f, const struct diff *d, const struct layout *l, size_t n)
{
	const struct trace_call *c = &d->t->calls[n];
	char *call = call_text(d->t, c), *cell = cell_text(d, 0, n), *words = call;
	struct text t;

	if (is_plain(d, n)) {
		text_begin(&t);
		fprintf(t.f, "%s = %s", call, cell);
		words = text_end(&t);
		free(call);
	}
	fprintf(f, "%c %4u  ", diff_differs(d, n) ? '*' : ' ', c->line);
	put_wrapped(f, words, MARGIN, MARGIN + 4);
	if (!is_plain(d, n) && l->nr)
		put_row_abreast(f, d, l, n);
	else if (!is_plain(d, n))
		put_row_listed(f, d, n);
	free(words);
	free(cell);
}

static struct layout lay_out(const struct diff *d)
{
	struct layout l = { .nr = 0 };
	size_t i;

	for (i = 0; i < d->nr; i++) {
		if (!diff_is_shown(d, i))
			continue;
		if (l.nr == MOST_ABREAST)
			return (struct layout){ .nr = 0 };
		l.columns[l.nr++] = i;
	}
	l.width = (WIDTH + 2 - MARGIN) / (unsigned int)(l.nr ? l.nr : 1);
	return l;
}

static void put_rules(FILE *f, const struct diff *d)
{
	const char *head = "\nThe rules behind what differs:\n\n";
	unsigned int i;

	for (i = 1; gmem_clause(i); i++) {
		if (!d->clauses[i])
			continue;
		fputs(head, f);
		head = "";
		print_clause(f, i, "    ");
	}
}

/* What "by" is, if a call of those that are shown has one. */
static void put_legend(FILE *f, const struct diff *d, int only)
{
	size_t i, n;

	for (n = 0; n < d->t->nr_calls; n++)
		for (i = 0; i < d->nr && (!only || diff_differs(d, n)); i++)
			if (d->columns[i].cells[n].told.how == TOLD_BY_OTHERS)
				goto found;
	return;
found:
	fputs("\nBehind `by' are the calls that a design makes instead; gmem-trace(5) says why those.\n",
	      f);
}

/* Why a run was not made to its end, if it was not. */
static void put_end(FILE *f, const struct diff_column *c)
{
	struct text t;

	if (!c->ended)
		return;
	text_begin(&t);
	fprintf(t.f, "%s was not run to its end: %s", c->name, c->ended);
	text_end(&t);
	fputc('\n', f);
	put_wrapped(f, t.bytes, 0, 4);
	free(t.bytes);
}

static void put_order(FILE *f, const struct diff *d)
{
	char *order = diff_order(d);

	if (!order)
		return;
	put_wrapped(f, order, 0, 0);
	fputc('\n', f);
	free(order);
}

void diff_text(FILE *f, const struct diff *d, int only)
{
	struct layout l = lay_out(d);
	char *file = diff_plain(d->file);
	size_t i;

	fprintf(f, "%s: %zu call%s under %zu design%s; ", file, d->t->nr_calls,
		d->t->nr_calls == 1 ? "" : "s", d->nr, d->nr == 1 ? "" : "s");
	free(file);
	if (d->nr_differing)
		fprintf(f, "%zu result%s\n\n", d->nr_differing,
			d->nr_differing == 1 ? " differs" : "s differ");
	else
		fputs("all results are equal\n\n", f);
	put_order(f, d);
	if (l.nr && (!only || d->nr_differing))
		put_head(f, d, &l);
	for (i = 0; i < d->t->nr_calls; i++)
		if (!only || diff_differs(d, i))
			put_row(f, d, &l, i);
	for (i = 0; i < d->nr; i++)
		put_end(f, &d->columns[i]);
	put_rules(f, d);
	if (!l.nr)
		put_legend(f, d, only);
}
