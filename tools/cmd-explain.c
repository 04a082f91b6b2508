/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gmem explain: the rule behind each call of a trace, or a rule itself with the rows that enforce
 * it. An argument that is the name of a clause, in capitals or not, is one. So is one that could
 * be no other thing: without a dot or a slash, and no file. Every other is a trace.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend-model.h"
#include "cmd.h"
#include "trace-parse.h"

#define MAX_GUESSES 8
#define MAX_DISTANCE 2 /* letters in which a guess differs */

struct explain {
	const struct gmem_profile *profile;
	int list;
	int wrong;
	char **args;
	int nr_args;
};

/* ---- clauses ---- */

static void print_enforcing_row(const struct gmem_profile *p, unsigned int table, unsigned int n,
				const struct gmem_row *row, int width)
{
	const char *err = row->err ? gmem_errno_name(-row->err) : NULL;
	char words[128];

	row_words(row, words, sizeof(words));
	printf("    %-*s row %u of %s: %s %s%s%s\n", width, gmem_profile_name(p), n,
	       gmem_table_name(table), row_kind(row), words, err ? ", else " : "", err ? err : "");
}

/* How many there are. */
static unsigned int print_rows_of(const struct gmem_profile *p, unsigned int clause, int width)
{
	unsigned int table, n, found = 0;
	struct gmem_row row;

	for (table = 0; table < gmem_nr_tables(); table++)
		for (n = 0; gmem_profile_row(p, table, n, &row); n++)
			if (row.clause == clause) {
				print_enforcing_row(p, table, n, &row, width);
				found++;
			}
	return found;
}

static void explain_clause(const struct explain *o, unsigned int clause)
{
	const struct gmem_profile *p;
	unsigned int i;
	int width = 0;

	print_clause(stdout, clause, "");
	for (i = 0; (p = gmem_profile(i)); i++)
		if (width < (int)strlen(gmem_profile_name(p)))
			width = (int)strlen(gmem_profile_name(p));
	for (i = 0; (p = gmem_profile(i)) && !o->profile; i++)
		print_rows_of(p, clause, width);
	if (o->profile && !print_rows_of(o->profile, clause, 0))
		printf("    %s has no row for it\n", gmem_profile_name(o->profile));
	putchar('\n');
}

static int can_only_be_clause(const char *s)
{
	return strcmp(s, "-") && !strpbrk(s, "./") && access(s, F_OK);
}

/* As clauses are written; free() it. */
static char *in_capitals(const char *s)
{
	char *name = xstrndup(s, strlen(s)), *p;

	for (p = name; *p; p++)
		*p = toupper((unsigned char)*p);
	return name;
}

/* How much the clause that looks most like the name differs from it. */
static unsigned int nearest_distance(const char *name)
{
	unsigned int i, d, best = MAX_DISTANCE + 1;

	for (i = 1; gmem_clause(i); i++) {
		d = name_distance(name, gmem_clause(i)->name);
		best = d < best ? d : best;
	}
	return best;
}

static void no_such_clause(const char *arg, const char *name)
{
	unsigned int nearest = nearest_distance(name), i, n = 0;

	fprintf(stderr, "gmem explain: no such clause: %s", arg);
	for (i = 1; nearest <= MAX_DISTANCE && gmem_clause(i); i++) {
		if (name_distance(name, gmem_clause(i)->name) != nearest)
			continue;
		if (++n > MAX_GUESSES)
			break;
		fprintf(stderr, "%s %s", n == 1 ? "; did you mean" : ",", gmem_clause(i)->name);
	}
	fprintf(stderr, "%s\n%s\n",
		!n		? ", and no such file" :
		n > MAX_GUESSES ? " ...?" :
				  "?",
		"`gmem explain --list' names all clauses.");
}

/* ---- traces ---- */

static void explain_call(const struct trace *t, const char *file, const struct trace_call *c,
			 const struct gmem_result *r, const struct gmem_profile *profile)
{
	char *call = call_text(t, c), *result = result_text(c->linked.call.verb, r);
	struct gmem_row row = { .name = "" };

	gmem_profile_row(profile, r->table, r->row, &row);
	printf("%s:%u: %s\n    = %s, by row %u of %s: %s %s\n", file, c->line, call, result, r->row,
	       gmem_table_name(r->table), row.kind, row.name);
	print_clause(stdout, r->clause, "    ");
	putchar('\n');
	free(call);
	free(result);
}

/* What the world shows by now that reviewers demand of a design not to; each is said once. */
static void explain_objections(const struct gmem_world *w, unsigned int *said)
{
	struct gmem_violation v;
	unsigned int n;

	for (n = 0; gmem_objection(n); n++) {
		if ((*said >> n & 1) || !gmem_shows_objection(w, n, &v))
			continue;
		*said |= 1u << n;
		printf("    This design breaks what reviewers demand (%s %" PRIu64 ", %" PRIu64
		       "):\n",
		       v.saw, v.a, v.b);
		print_clause(stdout, gmem_objection(n), "    ");
		putchar('\n');
	}
}

static int explain_calls(const struct trace *t, const char *file,
			 const struct gmem_profile *profile, void *ctx)
{
	unsigned int said = 0;
	struct trace_run run;
	size_t i = 0;
	int ok;

	trace_run_init(&run, t);
	while (trace_run_step(&run, t, &backend_model, ctx)) {
		for (; i < run.done; i++)
			explain_call(t, file, &t->calls[i], &run.results[i], profile);
		explain_objections(backend_model_world(ctx), &said);
	}
	for (; i < run.done; i++)
		explain_call(t, file, &t->calls[i], &run.results[i], profile);
	ok = run.status == BACKEND_DONE;
	if (!ok)
		fprintf(stderr, "%s:%u: %s\n", file, t->calls[run.done].line, run.error.why);
	trace_run_free(&run);
	return ok;
}

static void explain_trace(struct explain *o, const char *path)
{
	struct backend_config config;
	struct trace_error wrong;
	struct backend_error e;
	struct trace t;
	void *ctx;

	if (!read_trace(&t, "gmem explain", path, &wrong)) {
		o->wrong++;
		return;
	}
	config = (struct backend_config){ .profile = profile_for(&t, o->profile),
					  .machine = t.machine,
					  .checking = GMEM_CHECK_CALLS };
	if (backend_model.open(&ctx, &config, &e) != BACKEND_DONE)
		die("%s", e.why);
	if (!explain_calls(&t, shown_name(path), config.profile, ctx))
		o->wrong++;
	backend_model.close(ctx);
	trace_free(&t);
}

static void explain(struct explain *o, const char *arg)
{
	char *name = in_capitals(arg);
	unsigned int clause = gmem_clause_find(name);

	if (clause) {
		explain_clause(o, clause);
	} else if (can_only_be_clause(arg)) {
		no_such_clause(arg, name);
		o->wrong++;
	} else {
		explain_trace(o, arg);
	}
	free(name);
}

static error_t on_option(int key, char *arg, struct argp_state *state)
{
	struct explain *o = state->input;

	switch (key) {
	case 'p':
		o->profile = profile_option(state, arg);
		break;
	case 'l':
		o->list = 1;
		break;
	case ARGP_KEY_ARGS:
		o->args = state->argv + state->next;
		o->nr_args = state->argc - state->next;
		break;
	case ARGP_KEY_END:
		if (!o->list && !o->nr_args)
			argp_error(state, "which trace or clause?");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp_option options[] = {
	{ "profile", 'p', "PROFILE", 0, "Explain by this profile only, whatever the trace says",
	  0 },
	{ "list", 'l', NULL, 0, "Print the names of all clauses, one per line", 0 },
	{ NULL, 0, NULL, 0, NULL, 0 },
};

static const struct argp argp = {
	.options = options,
	.parser = on_option,
	.args_doc = "[TRACE...] [CLAUSE...]",
	.doc = "For every call of a trace, print its result and the rule that decided it; for a clause "
	       "such as PUNCH-2, print it and the rows that enforce it.\vExit status: 0, or 2 if a trace is "
	       "malformed or a clause unknown. See gmem(1), guest_memfd-model(7).",
};

int cmd_explain(int argc, char **argv)
{
	struct explain o = { 0 };
	int i;

	parse_options(&argp, argc, argv, &o);
	for (i = 1; o.list && gmem_clause(i); i++)
		puts(gmem_clause(i)->name);
	for (i = 0; i < o.nr_args; i++)
		explain(&o, o.args[i]);
	return o.wrong ? EXIT_WRONG_USE : EXIT_AS_DEMANDED;
}
