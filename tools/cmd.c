/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the subcommands share; see cmd.h.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "cmd.h"
#include "trace-parse.h"

static error_t on_help(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	if (key != 'h')
		return ARGP_ERR_UNKNOWN;
	argp_state_help(state, state->out_stream, ARGP_HELP_STD_HELP);
	return 0;
}

const struct argp_child help_option[2] = {
	{ .argp = &(const struct argp){ .options =
						(const struct argp_option[]){
							{ NULL, 'h', NULL, OPTION_HIDDEN, NULL, 0 },
							{ NULL, 0, NULL, 0, NULL, 0 } },
					.parser = on_help } },
};

void parse_options(const struct argp *argp, int argc, char **argv, void *input)
{
	struct argp with_help = *argp;

	with_help.children = help_option;
	argp_parse(&with_help, argc, argv, 0, NULL, input);
}

void parse_options_in_order(const struct argp *argp, int argc, char **argv, void *input)
{
	struct argp with_help = *argp;

	with_help.children = help_option;
	argp_parse(&with_help, argc, argv, ARGP_IN_ORDER, NULL, input);
}

char **program_after_dashes(int *argc, char **argv)
{
	int i;

	for (i = 1; i < *argc && strcmp(argv[i], "--"); i++)
		;
	if (i + 1 >= *argc)
		return NULL;
	*argc = i;
	argv[i] = NULL;
	return argv + i + 1;
}

const struct gmem_profile *profile_option(struct argp_state *state, const char *name)
{
	const struct gmem_profile *p = gmem_profile_find(name);
	struct text list;
	unsigned int i;

	if (p)
		return p;
	if (nearest_profile(name))
		argp_error(state, "unknown profile %s; did you mean %s?", name,
			   nearest_profile(name));
	text_begin(&list);
	for (i = 0; gmem_profile(i); i++)
		fprintf(list.f, " %s", gmem_profile_name(gmem_profile(i)));
	argp_error(state, "unknown profile %s; there are:%s", name, text_end(&list));
	return NULL;
}

const char *bug_id(const char *word)
{
	const char *id;
	unsigned int i;

	for (i = 0; (id = gmem_bug(i)); i++)
		if (!strcasecmp(id, word) || (*id == 'B' && !strcmp(id + 1, word)))
			return id;
	return NULL;
}

static int is_asked(const struct bugs_asked *bugs, const char *id)
{
	int i;

	for (i = 0; i < bugs->n && strcmp(bugs->ids[i], id); i++)
		;
	return i < bugs->n;
}

static unsigned int place_in_list(const char *id)
{
	unsigned int i;

	for (i = 0; strcmp(gmem_bug(i), id); i++)
		;
	return i;
}

/* Each once and in the list's order: what is asked for does not depend on how. */
void bug_option(struct argp_state *state, struct bugs_asked *bugs, const char *word)
{
	const char *id = bug_id(word);
	int i;

	if (!id)
		argp_error(state, "unknown bug %s; run `gmem bugs' for a list", word);
	if (is_asked(bugs, id))
		return;
	if (bugs->n == MOST_BUGS)
		argp_error(state, "at most %d bugs at once", MOST_BUGS);
	for (i = bugs->n++; i && place_in_list(bugs->ids[i - 1]) > place_in_list(id); i--)
		bugs->ids[i] = bugs->ids[i - 1];
	bugs->ids[i] = id;
}

/* That which cannot be had alone; or all, if it is only together that they cannot. */
static void print_bugs_refused(FILE *f, const struct gmem_profile *p, const struct bugs_asked *bugs)
{
	struct gmem_profile *copy;
	int i;

	for (i = 0; i < bugs->n; i++) {
		const char *const alone[] = { bugs->ids[i], NULL };

		if (gmem_profile_with_bugs(&copy, p, alone, NULL, NULL) != GMEM_DONE) {
			fputs(bugs->ids[i], f);
			return;
		}
		gmem_profile_free(copy);
	}
	for (i = 0; i < bugs->n; i++)
		fprintf(f, "%s%s", i ? "+" : "", bugs->ids[i]);
}

struct gmem_profile *profile_with_bugs(const char *command, const struct gmem_profile *p,
				       const struct bugs_asked *bugs)
{
	struct gmem_profile *copy;

	if (!bugs->n)
		return NULL;
	switch (gmem_profile_with_bugs(&copy, p, bugs->ids, NULL, NULL)) {
	case GMEM_DONE:
		return copy;
	case GMEM_FAILED:
		die("no memory for a profile");
	default:
		progress_end();
		fprintf(stderr, "%s: %s lacks the rows that ", command, gmem_profile_name(p));
		print_bugs_refused(stderr, p, bugs);
		fputs(" is in; `gmem bugs' lists the profiles that have them\n", stderr);
		exit(EXIT_WRONG_USE);
	}
}

void print_bugs_left_out(FILE *f, const char *before, const struct gmem_profile *p,
			 const struct bugs_asked *bugs)
{
	unsigned int n, left = 0;
	const char *id;

	for (n = 0; (id = gmem_profile_bug(p, n)); n++)
		if (!is_asked(bugs, id))
			fprintf(f, "%s%s", left++ ? ", " : before, id);
	if (left)
		fprintf(f, ", which %s shipped with (--bug)\n", gmem_profile_name(p));
}

uint64_t number_option(struct argp_state *state, const char *option, const char *s, uint64_t least,
		       uint64_t most)
{
	unsigned long long v;
	char *end;

	errno = 0;
	v = strtoull(s, &end, 0);
	if (errno || *end || end == s || strchr(s, '-'))
		argp_error(state, "%s needs a number, not '%s'", option, s);
	if (v < least || v > most)
		argp_error(state, "%s is a number from %" PRIu64 " to %" PRIu64, option, least,
			   most);
	return v;
}

int read_trace_with_calls(struct trace *t, const char *command, const char *path)
{
	struct trace_error e;

	if (!read_trace(t, command, path, &e))
		return 0;
	if (t->nr_calls)
		return 1;
	fprintf(stderr, "%s: %s: the trace has no calls\n", command, shown_name(path));
	trace_free(t);
	return 0;
}

const char *shown_name(const char *path)
{
	return strcmp(path, "-") ? path : "standard input";
}

int read_trace(struct trace *t, const char *command, const char *path, struct trace_error *e)
{
	const char *name = shown_name(path);

	if (trace_read(t, path, e))
		return 1;
	progress_end();
	if (e->line)
		fprintf(stderr, "%s:%u:%u: %s\n", name, e->line, e->column, e->reason);
	else
		fprintf(stderr, "%s: %s: %s\n", command, name, e->reason);
	return 0;
}

const struct gmem_profile *profile_for(const struct trace *t, const struct gmem_profile *asked)
{
	const struct gmem_profile *p = asked ? asked : t->profile;

	return p ? p : gmem_profile_default();
}

const struct gmem_profile *kernel_profile(void)
{
	const struct gmem_profile *p, *best = NULL;
	unsigned int i, major, minor, a, b, found = 0;
	struct utsname u;

	if (uname(&u) || sscanf(u.release, "%u.%u", &major, &minor) != 2)
		return NULL;
	for (i = 0; (p = gmem_profile(i)); i++) {
		if (sscanf(gmem_profile_name(p), "linux-%u.%u", &a, &b) != 2)
			continue;
		if (a * 1000 + b <= major * 1000 + minor && a * 1000 + b >= found) {
			found = a * 1000 + b;
			best = p;
		}
	}
	return best;
}

const char *not_of_this_kernel(const struct trace *t, struct backend_error *e)
{
	const char *why = trace_only_on_the_model(t);
	struct gmem_machine here;

	if (why)
		return why;
	if (backend_kvm.machine(&here, e) != BACKEND_DONE || !trace_fits_machine(t, &here, e))
		return e->why;
	if (t->profile && t->profile != kernel_profile())
		return "the trace is about another release than the kernel that runs here";
	return NULL;
}

char *kernel_release(void)
{
	struct utsname u = { .sysname = "unknown" };
	struct text t;

	uname(&u);
	text_begin(&t);
	fprintf(t.f, "%s %s", u.sysname, u.release);
	return text_end(&t);
}

char *result_text(uint32_t verb, const struct gmem_result *r)
{
	struct text t;

	text_begin(&t);
	trace_print_result(t.f, verb, r);
	return text_end(&t);
}

char *demand_text(const struct trace *t, const struct trace_call *c)
{
	struct text text;

	text_begin(&text);
	trace_print_demand(text.f, t, c);
	return text_end(&text);
}

char *call_text(const struct trace *t, const struct trace_call *c)
{
	struct text text;

	text_begin(&text);
	trace_print_call(text.f, t, c);
	return text_end(&text);
}

void print_wrapped(FILE *f, const char *words, const char *indent)
{
	size_t column = strlen(indent), n;

	fputs(indent, f);
	while (*words) {
		n = strcspn(words, " ");
		if (column + n > 100 && column > strlen(indent)) {
			fprintf(f, "\n%s", indent);
			column = strlen(indent);
		}
		fprintf(f, "%.*s", (int)n, words);
		words += n;
		column += n + 1;
		if (*words == ' ') {
			words++;
			if (*words && column + strcspn(words, " ") <= 100)
				fputc(' ', f);
		}
	}
	fputc('\n', f);
}

void print_clause(FILE *f, unsigned int clause, const char *indent)
{
	const struct gmem_clause *c = gmem_clause(clause);
	struct text t;
	char *words;

	if (!c)
		return;
	text_begin(&t);
	fprintf(t.f, "[%s] %s (%s)", c->name, c->sentence, c->source);
	words = text_end(&t);
	print_wrapped(f, words, indent);
	free(words);
}

void row_words(const struct gmem_row *row, char *words, size_t size)
{
	if (!strcmp(row->name, row->kind))
		snprintf(words, size, "%s", row->detail);
	else
		snprintf(words, size, "%s%s%s", row->name, *row->detail ? ": " : "", row->detail);
}

const char *row_kind(const struct gmem_row *row)
{
	return strcmp(row->kind, "done") ? row->kind : "done if";
}
