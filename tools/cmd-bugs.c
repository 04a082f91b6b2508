/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gmem bugs: the museum. Without arguments the list; with an id its story, and the tables that it
 * is in beside the right ones.
 *
 * The stories are those of doc/museum.md; tools/stories.awk made stories.inc of them.
 */
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "rows.h"

struct bugs {
	const struct gmem_profile *profile; /* asked for; or null */
	char **ids;
	int nr_ids;
};

static const struct story {
	const char *id, *title, *text, *trigger, *symptom, *fix, *source;
} stories[] = {
#include "tools/stories.inc"
};

static const struct story *find_story(const char *id)
{
	size_t i;

	for (i = 0; i < sizeof(stories) / sizeof(stories[0]); i++)
		if (!strcmp(stories[i].id, id))
			return &stories[i];
	return NULL;
}

/* ---- which profiles ---- */

static struct gmem_profile *with_bug(const struct gmem_profile *p, const char *id)
{
	const char *const ids[] = { id, NULL };
	struct gmem_profile *copy;

	if (gmem_profile_with_bugs(&copy, p, ids, NULL, NULL) == GMEM_FAILED)
		die("no memory for a profile");
	return copy;
}

static int goes_into(const struct gmem_profile *p, const char *id)
{
	struct gmem_profile *copy = with_bug(p, id);

	gmem_profile_free(copy);
	return copy != NULL;
}

static int shipped_with(const struct gmem_profile *p, const char *id)
{
	unsigned int n;

	for (n = 0; gmem_profile_bug(p, n); n++)
		if (!strcmp(gmem_profile_bug(p, n), id))
			return 1;
	return 0;
}

static unsigned int how_many(const char *id,
			     int (*are_so)(const struct gmem_profile *p, const char *id))
{
	unsigned int i, n = 0;

	for (i = 0; gmem_profile(i); i++)
		n += are_so(gmem_profile(i), id) != 0;
	return n;
}

static void add_names(FILE *f, const char *id,
		      int (*are_so)(const struct gmem_profile *p, const char *id))
{
	unsigned int i;

	if (!gmem_profile(how_many(id, are_so))) {
		fputs(" all profiles", f);
		return;
	}
	for (i = 0; gmem_profile(i); i++)
		if (are_so(gmem_profile(i), id))
			fprintf(f, " %s", gmem_profile_name(gmem_profile(i)));
}

static void print_profiles(const char *begin, const char *id, const char *indent)
{
	struct text t;
	char *words;

	text_begin(&t);
	fputs(begin, t.f);
	add_names(t.f, id, goes_into);
	if (how_many(id, shipped_with)) {
		fputs("; shipped with", t.f);
		add_names(t.f, id, shipped_with);
	}
	words = text_end(&t);
	print_wrapped(stdout, words, indent);
	free(words);
}

static void print_list(void)
{
	unsigned int i;

	for (i = 0; gmem_bug(i); i++) {
		printf("%-6s %s\n", gmem_bug(i), gmem_bug_title(gmem_bug(i)));
		print_profiles("goes into", gmem_bug(i), "       ");
	}
}

/* ---- two tables side by side ---- */

struct columns {
	int width;			/* of the left one */
	const struct gmem_row *pending; /* only in the left one, and not printed yet */
	int print;			/* 0: only find out how wide */
};

static void row_text(const struct gmem_row *row, char *text, size_t size)
{
	const char *err = row && row->err ? gmem_errno_name(-row->err) : NULL;
	char words[128];

	*text = '\0';
	if (!row)
		return;
	row_words(row, words, sizeof(words));
	snprintf(text, size, "%-9s %s%s%s", row_kind(row), words, err ? ": " : "", err ? err : "");
}

static void print_pair(const struct columns *c, const struct gmem_row *a, const struct gmem_row *b)
{
	char left[192], right[192];
	char sign = !a ? '>' : !b ? '<' : a->name != b->name ? '|' : ' ';

	row_text(a, left, sizeof(left));
	row_text(b, right, sizeof(right));
	if (sign == ' ' && strcmp(left, right))
		sign = '|';
	printf("    %-*s %c%s%s\n", c->width, left, sign, *right ? " " : "", right);
}

/* One that went and one that came in its place stand side by side. */
static void add_pair(void *arg, const struct gmem_row *a, const struct gmem_row *b)
{
	struct columns *c = arg;
	char text[192];

	if (!c->print) {
		row_text(a, text, sizeof(text));
		if (c->width < (int)strlen(text))
			c->width = (int)strlen(text);
		return;
	}
	if (c->pending && !a && b) {
		print_pair(c, c->pending, b);
		c->pending = NULL;
		return;
	}
	if (c->pending)
		print_pair(c, c->pending, NULL);
	c->pending = NULL;
	if (a && !b)
		c->pending = a;
	else
		print_pair(c, a, b);
}

static void print_tables(const struct rows *a, const struct rows *b)
{
	struct columns c = { .width = 0 };

	rows_align(a, b, add_pair, &c);
	c.print = 1;
	rows_align(a, b, add_pair, &c);
	if (c.pending)
		print_pair(&c, c.pending, NULL);
}

static void print_edits(const struct gmem_profile *p, const char *id)
{
	static struct rows right, wrong;
	struct gmem_profile *copy = with_bug(p, id);
	unsigned int table;

	for (table = 0; table < gmem_nr_tables(); table++) {
		rows_read(&right, p, table);
		rows_read(&wrong, copy, table);
		if (rows_same(&right, &wrong))
			continue;
		printf("\n%s, of %s and with %s\n", gmem_table_name(table), gmem_profile_name(p),
		       id);
		print_tables(&right, &wrong);
	}
	gmem_profile_free(copy);
}

/* ---- one bug ---- */

/* The asked one; else one that shipped with it, the default, or any that has its rows. */
static const struct gmem_profile *choose_profile(const struct bugs *o, const char *id)
{
	const struct gmem_profile *p = gmem_profile_default();
	unsigned int i;

	if (o->profile)
		return goes_into(o->profile, id) ? o->profile : NULL;
	for (i = 0; gmem_profile(i); i++)
		if (shipped_with(gmem_profile(i), id))
			return gmem_profile(i);
	for (i = 0; p && !goes_into(p, id); i++)
		p = gmem_profile(i);
	return p;
}

static void print_part(const char *name, const char *words)
{
	struct text t;
	char *line;

	text_begin(&t);
	fprintf(t.f, "%s: %s", name, words);
	line = text_end(&t);
	print_wrapped(stdout, line, "    ");
	free(line);
}

static void print_story(const struct story *s)
{
	print_wrapped(stdout, s->text, "    ");
	putchar('\n');
	print_part("Trigger", s->trigger);
	print_part("Symptom", s->symptom);
	print_part("Fix", s->fix);
	print_part("Source", s->source);
}

static int print_bug(const struct bugs *o, const char *word)
{
	const char *id = bug_id(word);
	const struct story *story;
	const struct gmem_profile *p;

	if (!id) {
		fprintf(stderr, "gmem bugs: unknown bug %s; run `gmem bugs' for a list\n", word);
		return EXIT_WRONG_USE;
	}
	story = find_story(id);
	p = choose_profile(o, id);
	if (!p) {
		fprintf(stderr, "gmem bugs: %s does not go into %s\n", id,
			gmem_profile_name(o->profile));
		return EXIT_WRONG_USE;
	}
	printf("%s: %s\n\n", id, gmem_bug_title(id));
	if (story)
		print_story(story);
	print_profiles("It goes into", id, "    ");
	print_edits(p, id);
	return EXIT_AS_DEMANDED;
}

static error_t on_option(int key, char *arg, struct argp_state *state)
{
	struct bugs *o = state->input;

	switch (key) {
	case 'p':
		o->profile = profile_option(state, arg);
		return 0;
	case ARGP_KEY_ARGS:
		o->ids = state->argv + state->next;
		o->nr_ids = state->argc - state->next;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{ "profile", 'p', "PROFILE", 0, "Show the tables of this profile", 0 },
	{ NULL, 0, NULL, 0, NULL, 0 },
};

static const struct argp argp = {
	.options = options,
	.parser = on_option,
	.args_doc = "[BUG...]",
	.doc = "List known bugs, which were really written in guest_memfd's history; or describe some, "
	       "with the tables that each is in beside the right ones.\vRows are marked < if they are "
	       "missing with the bug, > if they are added, | if they are replaced. "
	       "Exit status: 0, or 2 if the use is wrong. See gmem(1).",
};

int cmd_bugs(int argc, char **argv)
{
	struct bugs o = { .nr_ids = 0 };
	int i, worst = EXIT_AS_DEMANDED;

	parse_options(&argp, argc, argv, &o);
	if (!o.nr_ids)
		print_list();
	for (i = 0; i < o.nr_ids; i++) {
		if (i)
			putchar('\n');
		if (print_bug(&o, o.ids[i]) != EXIT_AS_DEMANDED)
			worst = EXIT_WRONG_USE;
	}
	return worst;
}
