/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gmem profiles: without arguments the list; with one profile its numbers and its tables, row by
 * row; with two what differs between them.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "rows.h"

struct profiles {
	const struct gmem_profile *p[2];
	int n;
};

/* ---- all profiles ---- */

static void print_bugs(const struct gmem_profile *p)
{
	const char *id;
	unsigned int n;

	for (n = 0; (id = gmem_profile_bug(p, n)); n++)
		printf("              shipped with %s: %s\n", id, gmem_bug_title(id));
}

/* What reviewers demand of a design, and this one does not keep to. */
static void print_objections(const struct gmem_profile *p)
{
	const struct gmem_clause *c;
	unsigned int n;

	for (n = 0; (c = gmem_clause(gmem_objection(n))); n++)
		if (gmem_profile_breaks(p, n))
			printf("              breaks %s: %s\n", c->name, c->sentence);
}

static void print_list(void)
{
	const struct gmem_profile *p;
	unsigned int i;

	for (i = 0; (p = gmem_profile(i)); i++) {
		printf("%-24s  %s%s\n", gmem_profile_name(p), gmem_profile_summary(p),
		       p == gmem_profile_default() ? " (the default)" : "");
		print_bugs(p);
	}
}

/* ---- one profile ---- */

/* A row in columns, without its end of line. */
static void print_row(const struct gmem_row *row)
{
	const struct gmem_clause *clause = gmem_clause(row->clause);
	const char *err = row->err ? gmem_errno_name(-row->err) : NULL;
	char words[128], name[24] = "";

	row_words(row, words, sizeof(words));
	if (clause)
		snprintf(name, sizeof(name), "[%s]", clause->name);
	printf("%-9s %-*s", row_kind(row), *name ? 44 : 0, words);
	if (err)
		printf(" %-14s %s", name, err);
	else if (*name)
		printf(" %s", name);
	putchar('\n');
}

static void print_number(const struct gmem_number *n)
{
	printf("    %-24s 0x%" PRIx64 "\n", n->name, n->value);
}

static void print_profile(const struct gmem_profile *p)
{
	struct gmem_number number;
	struct rows t;
	unsigned int i, table;

	printf("%s: %s\n", gmem_profile_name(p), gmem_profile_summary(p));
	print_bugs(p);
	print_objections(p);
	puts("\nnumbers");
	for (i = 0; gmem_profile_number(p, i, &number); i++)
		print_number(&number);
	for (table = 0; table < gmem_nr_tables(); table++) {
		rows_read(&t, p, table);
		if (!t.n)
			continue;
		printf("\n%s\n", gmem_table_name(table));
		for (i = 0; i < t.n; i++) {
			printf("%3u ", i);
			print_row(&t.row[i]);
		}
	}
}

/* ---- two profiles ---- */

static void print_changed(void *arg, const struct gmem_row *a, const struct gmem_row *b)
{
	(void)arg;
	printf("  %c ", !a ? '+' : !b ? '-' : ' ');
	print_row(a ? a : b);
}

/* The tables that differ; how many they are. */
static unsigned int diff_tables(const struct gmem_profile *a, const struct gmem_profile *b)
{
	static struct rows ta, tb;
	unsigned int table, n = 0;

	for (table = 0; table < gmem_nr_tables(); table++) {
		rows_read(&ta, a, table);
		rows_read(&tb, b, table);
		if (rows_same(&ta, &tb))
			continue;
		n++;
		printf("\n%s%s\n", gmem_table_name(table),
		       !ta.n ? ": only in the second" :
		       !tb.n ? ": only in the first" :
			       "");
		if (ta.n && tb.n)
			rows_align(&ta, &tb, print_changed, NULL);
	}
	return n;
}

static unsigned int diff_numbers(const struct gmem_profile *a, const struct gmem_profile *b)
{
	struct gmem_number x, y;
	unsigned int i, n = 0;

	for (i = 0; gmem_profile_number(a, i, &x) && gmem_profile_number(b, i, &y); i++) {
		if (x.value == y.value)
			continue;
		if (!n++)
			puts("\nnumbers");
		printf("    %-24s 0x%" PRIx64 " -> 0x%" PRIx64 "\n", x.name, x.value, y.value);
	}
	return n;
}

static void print_difference(const struct gmem_profile *a, const struct gmem_profile *b)
{
	unsigned int n;

	printf("- %s: %s\n+ %s: %s\n", gmem_profile_name(a), gmem_profile_summary(a),
	       gmem_profile_name(b), gmem_profile_summary(b));
	n = diff_numbers(a, b);
	n += diff_tables(a, b);
	if (!n)
		puts("\nno difference");
}

static error_t on_option(int key, char *arg, struct argp_state *state)
{
	struct profiles *o = state->input;

	(void)arg;
	if (key != ARGP_KEY_ARGS)
		return ARGP_ERR_UNKNOWN;
	if (state->argc - state->next > 2)
		argp_error(state, "too many profiles: one is shown, two are compared");
	while (state->next < state->argc)
		o->p[o->n++] = profile_option(state, state->argv[state->next++]);
	return 0;
}

static const struct argp argp = {
	.parser = on_option,
	.args_doc = "[PROFILE [PROFILE]]",
	.doc = "List the profiles, show the numbers and tables of one, or show what differs between two.\v"
	       "A profile is one design or release of the interface. Exit status: 0, or 2 if the use "
	       "is wrong. See gmem(1), guest_memfd-model(7).",
};

int cmd_profiles(int argc, char **argv)
{
	struct profiles o = { .n = 0 };

	parse_options(&argp, argc, argv, &o);
	if (o.n == 0)
		print_list();
	else if (o.n == 1)
		print_profile(o.p[0]);
	else
		print_difference(o.p[0], o.p[1]);
	return EXIT_AS_DEMANDED;
}
