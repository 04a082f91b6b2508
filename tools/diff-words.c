/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a comparison shows, in words that text, Markdown, HTML and JSON have in common; see diff.h.
 */
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "diff.h"

int diff_differs(const struct diff *d, size_t n)
{
	size_t i;

	for (i = 0; i < d->nr; i++)
		if (d->columns[i].cells[n].group)
			return 1;
	return 0;
}

static char *copied(const char *s)
{
	return xstrndup(s, strlen(s));
}

char *diff_result(const struct diff *d, size_t column, size_t n)
{
	const struct diff_column *c = &d->columns[column];
	const struct diff_cell *cell = &c->cells[n];

	if (cell->made)
		return result_text(c->x.t.calls[cell->decided].linked.call.verb,
				   &c->x.results[cell->decided]);
	switch (cell->told.how) {
	case TOLD_BEFORE:
		return copied("(no call)");
	case TOLD_LATER:
		return copied("(later)");
	case TOLD_BY_NONE:
		return copied("(none)");
	default:
		return copied("(not made)");
	}
}

unsigned int diff_clause(const struct diff *d, size_t column, size_t n)
{
	const struct diff_cell *cell = &d->columns[column].cells[n];

	return cell->made ? d->columns[column].x.results[cell->decided].clause : 0;
}

char *diff_call(const struct diff *d, size_t column, size_t n, uint32_t nth)
{
	const struct diff_column *c = &d->columns[column];
	const struct diff_cell *cell = &c->cells[n];

	if (cell->told.how != TOLD_BY_OTHERS || nth >= cell->told.nr)
		return NULL;
	return call_text(&c->x.t, &c->x.t.calls[cell->told.first + nth]);
}

static int same_text(char *a, char *b)
{
	int same = a && b ? !strcmp(a, b) : a == b;

	free(a);
	free(b);
	return same;
}

/* As far as it is shown. */
static int same_result(const struct diff *d, size_t n, size_t a, size_t b)
{
	const struct diff_column *x = &d->columns[a], *y = &d->columns[b];
	uint32_t i = x->cells[n].decided, j = y->cells[n].decided;
	uint32_t verb;

	if (!x->cells[n].made)
		return 1;
	verb = x->x.t.calls[i].linked.call.verb;
	return verb == y->x.t.calls[j].linked.call.verb &&
	       trace_results_agree(verb, &x->x.results[i], &y->x.results[j]);
}

int diff_cells_equal(const struct diff *d, size_t n, size_t a, size_t b)
{
	const struct diff_cell *x = &d->columns[a].cells[n], *y = &d->columns[b].cells[n];
	uint32_t i;

	if (x->told.how != y->told.how || x->made != y->made || x->told.nr != y->told.nr ||
	    diff_clause(d, a, n) != diff_clause(d, b, n) || !x->told.note != !y->told.note ||
	    (x->told.note && strcmp(x->told.note, y->told.note)))
		return 0;
	for (i = 0; x->told.how == TOLD_BY_OTHERS && i < x->told.nr; i++)
		if (!same_text(diff_call(d, a, n, i), diff_call(d, b, n, i)))
			return 0;
	return same_result(d, n, a, b);
}

char *diff_column_names(const struct diff *d, size_t column)
{
	const char *comma = "";
	struct text t;
	size_t i;

	text_begin(&t);
	for (i = column; i < d->nr; i++) {
		if (d->columns[i].same_as != column)
			continue;
		fprintf(t.f, "%s%s", comma, d->columns[i].name);
		comma = ", ";
	}
	return text_end(&t);
}

const char *diff_clause_name(unsigned int clause)
{
	return clause ? gmem_clause(clause)->name : NULL;
}

char *diff_order(const struct diff *d)
{
	const struct trace *t = d->t;
	struct text order;

	if (!t->par_end)
		return NULL;
	text_begin(&order);
	fprintf(order.f,
		"The calls of lines %u to %u overlap; here they are made one after the other, as they "
		"are written.",
		t->calls[t->par_first].line, t->calls[t->par_end - 1].line);
	return text_end(&order);
}

char *diff_plain(const char *s)
{
	char *plain = valid_utf8(s), *p;

	for (p = plain; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
	return plain;
}
