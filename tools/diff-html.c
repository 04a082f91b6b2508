/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A comparison as one page of HTML that needs nothing else: no script, nothing from elsewhere; see
 * diff.h. Whatever comes from a trace, a file's name or a table is escaped.
 */
#include "diff-html.h"

#include <stdlib.h>
#include <string.h>

#include "cmd.h"

static const char style[] =
	":root{color-scheme:light dark;--bg:#fff;--fg:#1d2129;--dim:#5a6270;--line:#d4d8df;"
	"--mark:#b23b00;--tint:#fff4e8;--shared:#1f8a70;--shared-dim:#dcefe9;--private:#6b4fa0;"
	"--private-dim:#e9e2f5;--on:#fff;--link:#0b5cad;--poison:#ffb199}\n"
	"@media (prefers-color-scheme:dark){:root{--bg:#14171c;--fg:#e4e7ec;--dim:#9aa3b2;"
	"--line:#343a44;--mark:#ff9d5c;--tint:#2a2119;--shared:#3fb393;--shared-dim:#173a31;"
	"--private:#a88be0;--private-dim:#2d2442;--on:#101216;--link:#7db7f5;--poison:#b23b00}}\n"
	"body{margin:0;padding:1.2em;background:var(--bg);color:var(--fg);"
	"font:14px/1.45 system-ui,sans-serif}\n"
	"header,.only,dl,footer{max-width:60em;position:sticky;left:1.2em}\n"
	"h1{font-size:1.4em;margin:0 0 .3em}h2{font-size:1.1em}\n"
	"a{color:var(--link)}\n"
	"code,.line{font:12.5px/1.4 ui-monospace,Menlo,Consolas,monospace;overflow-wrap:anywhere}\n"
	"p{margin:.4em 0}.dim{color:var(--dim)}\n"
	".legend{display:flex;flex-wrap:wrap;gap:.3em 1.4em;padding:0;list-style:none;"
	"align-items:center}.legend li{display:flex;gap:.5em;align-items:center}\n"
	"table{border-collapse:separate;border-spacing:0;margin:1em 0}\n"
	"th,td{padding:.45em .7em;text-align:left;vertical-align:top;"
	"border-bottom:1px solid var(--line);font-weight:normal}\n"
	"thead th{position:sticky;top:0;background:var(--bg);z-index:2;"
	"border-bottom:2px solid var(--dim);vertical-align:bottom;max-width:20em}\n"
	"thead th b{display:block}thead th:first-child{left:0;z-index:3}\n"
	"tbody th{position:sticky;left:0;background:var(--bg);z-index:1;min-width:15em;"
	"max-width:24em;border-right:1px solid var(--line);border-left:4px solid transparent}\n"
	"tbody td{min-width:11em;max-width:22em}\n"
	".differs th{border-left-color:var(--mark)}.differs th,.differs td{background:var(--tint)}\n"
	".differs .result{font-weight:600}\n"
	".differs td:not(.group0) .result{color:var(--mark)}\n"
	".line{color:var(--dim);text-decoration:none;margin-right:.7em}\n"
	".words th{max-width:none;border-right:0;color:var(--dim);font-style:italic;"
	"padding-top:1em;white-space:pre-line}\n"
	".words span{display:block;max-width:44em}\n"
	".result{overflow-wrap:anywhere}.rule{font-size:11px;white-space:nowrap;margin-left:.3em}\n"
	".by{display:block;color:var(--dim);margin-top:.15em}.by::before{content:\"by \"}\n"
	".note{display:block;color:var(--dim);font-style:italic}\n"
	".strips{margin-top:.35em}.object{display:flex;gap:.5em;align-items:center;margin-top:.15em}\n"
	".object>code{min-width:1.6em;color:var(--dim)}.kept{opacity:.45}\n"
	".strip{display:block;flex:none}.strip text{font:10px ui-monospace,monospace;fill:var(--on)}\n"
	".strip .size{text-anchor:middle;font-size:9px;fill:var(--dim)}.strip .more{fill:var(--fg)}\n"
	".shared{fill:var(--shared-dim);stroke:var(--shared)}.private{fill:var(--private-dim);"
	"stroke:var(--private)}\n"
	".shared.there{fill:var(--shared)}.private.there{fill:var(--private)}\n"
	".fold{fill:var(--private)}.there+.fold{fill:var(--bg)}\n"
	".bound{stroke:var(--fg);stroke-width:2;fill:none}\n"
	".poison{stroke:var(--poison);stroke-width:2.5;fill:none}\n"
	"dt{font-weight:600;margin-top:.6em}dd{margin:0}:target{outline:2px solid var(--link)}\n"
	"#only:checked~table .same{display:none}\n"
	"@media print{thead th,tbody th{position:static}.only{display:none}}\n";

/* ---- words ---- */

static void put_escaped(FILE *f, const char *s)
{
	for (; *s; s++) {
		switch (*s) {
		case '&':
			fputs("&amp;", f);
			break;
		case '<':
			fputs("&lt;", f);
			break;
		case '>':
			fputs("&gt;", f);
			break;
		case '"':
			fputs("&quot;", f);
			break;
		case '\'':
			fputs("&#39;", f);
			break;
		default:
			if ((unsigned char)*s < ' ' && *s != '\n' && *s != '\t')
				fputs("&#xfffd;", f);
			else
				fputc(*s, f);
		}
	}
}

/* What may be no UTF-8, such as the name of a file. */
static void put_any(FILE *f, const char *s)
{
	char *valid = valid_utf8(s);

	put_escaped(f, valid);
	free(valid);
}

#define CALL_SIGNS "(=|+"

/* A call or a result; a line may break after the signs. */
static void put_code(FILE *f, const char *s, const char *signs)
{
	char piece[2] = "";

	for (; *s; s++) {
		piece[0] = *s;
		put_escaped(f, piece);
		if (strchr(signs, *s))
			fputs("<wbr>", f);
	}
}

/* Comments without their signs, and without the licence line; free() it. */
static char *comment_words(const char *lines)
{
	size_t n;
	struct text t;

	text_begin(&t);
	for (; lines && *lines; lines += n + (lines[n] == '\n')) {
		const char *p = lines + strspn(lines, " \t#");

		n = strcspn(lines, "\n");
		if (p > lines + n || !strncmp(p, "SPDX-", 5))
			continue;
		fprintf(t.f, "%.*s\n", (int)(lines + n - p), p);
	}
	return text_end(&t);
}

static int is_blank(const char *s)
{
	return !s[strspn(s, " \t\n")];
}

/* ---- above the table ---- */

/* A strip of one page, for the legend. */
static void put_sample(FILE *f, uint32_t bits, const char *words)
{
	struct look_run run = { 0, 1, bits };
	struct look_strip strip = { .runs = &run, .nr_runs = 1 };

	fputs("<li>", f);
	strip_picture(f, &strip);
	fprintf(f, "%s</li>", words);
}

static void put_legend(FILE *f)
{
	const uint32_t there = 1u << LOOK_ALLOCATED;

	fputs("<ul class=\"legend\" id=\"legend\">", f);
	put_sample(f, 0, "shared with the host");
	put_sample(f, 1u << LOOK_PRIVATE, "private: the guest&#39;s alone");
	put_sample(f, there, "allocated");
	put_sample(f, 1u << LOOK_BOUND, "bound to a memslot");
	put_sample(f, there | 1u << LOOK_HOST, "mapped by the host");
	put_sample(f, there | 1u << LOOK_GUEST, "mapped by the guest");
	put_sample(f, there | 1u << LOOK_PINNED, "pinned");
	put_sample(f, there | 1u << LOOK_POISONED, "poisoned");
	fputs("</ul>\n<p class=\"dim\">A box is a page, or a run of pages with its size below. What the "
	      "call did not change is pale. Results in colour are not those of the first "
	      "column.</p>\n",
	      f);
}

static void put_head(FILE *f, const struct diff *d)
{
	char *words = comment_words(d->t->head), *order = diff_order(d);

	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
	      "style-src 'unsafe-inline'\">\n<title>",
	      f);
	put_any(f, d->file);
	fprintf(f,
		" under %zu designs</title>\n<style>\n%s</style>\n</head>\n<body>\n<header>\n<h1>",
		d->nr, style);
	put_any(f, d->file);
	fprintf(f, " under %zu design%s</h1>\n", d->nr, d->nr == 1 ? "" : "s");
	if (!is_blank(words)) {
		fputs("<p>", f);
		put_any(f, words);
		fputs("</p>\n", f);
	}
	fprintf(f, "<p>%zu call%s; ", d->t->nr_calls, d->t->nr_calls == 1 ? "" : "s");
	if (d->nr_differing)
		fprintf(f, "%zu result%s", d->nr_differing,
			d->nr_differing == 1 ? " differs" : "s differ");
	else
		fputs("all results are equal", f);
	fprintf(f, ". Written for %s.</p>\n",
		gmem_profile_name(d->t->profile ? d->t->profile : gmem_profile_default()));
	if (order)
		fprintf(f, "<p>%s</p>\n", order);
	put_legend(f);
	fputs("</header>\n", f);
	free(words);
	free(order);
}

static void put_column_head(FILE *f, const struct diff *d, size_t column)
{
	size_t i;

	fputs("<th scope=\"col\">", f);
	for (i = column; i < d->nr; i++) {
		if (d->columns[i].same_as != column)
			continue;
		fputs("<b title=\"", f);
		put_escaped(f, gmem_profile_summary(d->columns[i].profile));
		fputs("\">", f);
		put_escaped(f, d->columns[i].name);
		fputs("</b>", f);
	}
	fputs("</th>", f);
}

/* ---- the table ---- */

static void put_strips(FILE *f, const struct diff_column *c, size_t n)
{
	const struct diff_state *s = &c->states[c->cells[n].state], *before = NULL;
	uint32_t i;

	if (!c->nr_states || !s->nr)
		return;
	if (n && c->cells[n - 1].state == c->cells[n].state)
		before = s;
	else if (n)
		before = &c->states[c->cells[n - 1].state];
	fputs("<div class=\"strips\">", f);
	for (i = 0; i < s->nr; i++) {
		int kept = before && i < before->nr &&
			   diff_strips_equal(&s->strips[i], &before->strips[i]);

		if (!s->strips[i].nr_runs && kept)
			continue;
		fprintf(f, "<div class=\"object%s\"><code>%s</code>", kept ? " kept" : "",
			c->objects[i].name);
		if (s->strips[i].nr_runs) {
			strip_picture(f, &s->strips[i]);
		} else {
			fputs("<span class=\"note\">", f);
			strip_words(f, &s->strips[i]);
			fputs("</span>", f);
		}
		fputs("</div>", f);
	}
	fputs("</div>", f);
}

static void put_cell(FILE *f, const struct diff *d, size_t column, size_t n)
{
	const struct diff_cell *cell = &d->columns[column].cells[n];
	const char *clause = diff_clause_name(diff_clause(d, column, n));
	char *text = diff_result(d, column, n);
	uint32_t i;

	fprintf(f, "<td class=\"group%u\"><code class=\"result\">", cell->group);
	put_code(f, text, "(");
	free(text);
	fputs("</code>", f);
	if (clause)
		fprintf(f, "<a class=\"rule\" href=\"#%s\">%s</a>", clause, clause);
	for (i = 0; (text = diff_call(d, column, n, i)); i++) {
		fputs("<code class=\"by\">", f);
		put_code(f, text, CALL_SIGNS);
		fputs("</code>", f);
		free(text);
	}
	if (cell->told.note) {
		fputs("<span class=\"note\">", f);
		put_any(f, cell->told.note);
		fputs("</span>", f);
	}
	put_strips(f, &d->columns[column], n);
	fputs("</td>\n", f);
}

static void put_comment(FILE *f, const char *comment, size_t columns, const char *class)
{
	char *words = comment_words(comment);

	if (!is_blank(words)) {
		fprintf(f, "<tr class=\"words %s\"><th colspan=\"%zu\"><span>", class, columns + 1);
		put_any(f, words + strspn(words, "\n"));
		fputs("</span></th></tr>\n", f);
	}
	free(words);
}

static void put_row(FILE *f, const struct diff *d, size_t columns, size_t n)
{
	const struct trace_call *c = &d->t->calls[n];
	const char *class = diff_differs(d, n) ? "differs" : "same";
	char *call = call_text(d->t, c);
	size_t i;

	put_comment(f, c->before, columns, class[0] == 'd' ? "" : "same");
	fprintf(f,
		"<tr class=\"%s\" id=\"L%u\"><th scope=\"row\"><a class=\"line\" href=\"#L%u\">%u</a><code>",
		class, c->line, c->line, c->line);
	put_code(f, call, CALL_SIGNS);
	fputs("</code></th>\n", f);
	for (i = 0; i < d->nr; i++)
		if (diff_is_shown(d, i))
			put_cell(f, d, i, n);
	fputs("</tr>\n", f);
	free(call);
}

/* ---- below it ---- */

static void put_rules(FILE *f, const struct diff *d, int only)
{
	const struct gmem_clause *c;
	unsigned int i;
	size_t n, k;
	uint8_t *used;

	for (i = 1; gmem_clause(i); i++)
		;
	used = xcalloc(i, 1);
	for (n = 0; n < d->t->nr_calls; n++)
		for (k = 0; k < d->nr && (!only || diff_differs(d, n)); k++)
			used[diff_clause(d, k, n)] = 1;
	fputs("<h2>The rules</h2>\n<dl>\n", f);
	for (i = 1; (c = gmem_clause(i)); i++) {
		if (!used[i])
			continue;
		fprintf(f, "<dt id=\"%s\">%s</dt><dd>", c->name, c->name);
		put_escaped(f, c->sentence);
		fputs(" <span class=\"dim\">", f);
		put_escaped(f, c->source);
		fputs("</span></dd>\n", f);
	}
	fputs("</dl>\n", f);
	free(used);
}

static void put_ends(FILE *f, const struct diff *d)
{
	size_t i;

	for (i = 0; i < d->nr; i++) {
		if (!d->columns[i].ended)
			continue;
		fputs("<p>", f);
		put_escaped(f, d->columns[i].name);
		fputs(" was not run to its end: ", f);
		put_any(f, d->columns[i].ended);
		fputs("</p>\n", f);
	}
}

void diff_html(FILE *f, const struct diff *d, int only)
{
	size_t i, columns = 0;

	put_head(f, d);
	if (!only)
		fputs("<input type=\"checkbox\" id=\"only\"><label class=\"only\" for=\"only\"> only calls "
		      "whose results differ</label>\n",
		      f);
	fputs("<table>\n<thead><tr><th scope=\"col\">call</th>", f);
	for (i = 0; i < d->nr; i++) {
		if (!diff_is_shown(d, i))
			continue;
		put_column_head(f, d, i);
		columns++;
	}
	fputs("</tr></thead>\n<tbody>\n", f);
	for (i = 0; i < d->t->nr_calls; i++)
		if (!only || diff_differs(d, i))
			put_row(f, d, columns, i);
	fputs("</tbody>\n</table>\n", f);
	put_ends(f, d);
	put_rules(f, d, only);
	fprintf(f, "<footer class=\"dim\">gmem diff, version %s</footer>\n</body>\n</html>\n",
		gmem_version());
}
