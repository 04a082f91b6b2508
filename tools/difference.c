/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Differences between the model and the kernel; see difference.h.
 *
 * While a trace shrinks, only the same difference counts: the same call, the same two answers by
 * the same rule. Otherwise a rare difference would shrink into a common one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "difference.h"
#include "shrink.h"

static int64_t error_of(const struct gmem_result *r)
{
	return result_succeeded(r) ? 0 : r->value;
}

static struct difference_kind kind_of(const struct comparer *c, const struct trace *t)
{
	const struct gmem_result *m = &c->model[c->at], *k = &c->kernel[c->at];
	struct difference_kind kind;

	memset(&kind, 0, sizeof(kind));
	kind.verb = t->calls[c->at].linked.call.verb;
	kind.clause = m->clause;
	kind.model_broke = c->model_broke;
	if (c->model_broke)
		return kind;
	kind.model_outcome = m->outcome;
	kind.kernel_outcome = k->outcome;
	kind.model_error = error_of(m);
	kind.kernel_error = error_of(k);
	return kind;
}

/* Which kind it is, counted; makes a new one. */
static int is_new_kind(struct differences *d, const struct difference_kind *kind)
{
	unsigned int i;

	for (i = 0; i < d->nr_kinds && memcmp(&d->kinds[i], kind, sizeof(*kind)); i++)
		;
	if (i == DIFFERENCE_KINDS)
		return 0;
	d->times[i]++;
	if (i < d->nr_kinds)
		return 0;
	d->kinds[d->nr_kinds++] = *kind;
	return 1;
}

struct wanted {
	struct comparer *c;
	struct difference_kind kind;
};

/* Shrinking must not end in what the generator avoids: mappings that can be written, not read. */
static int is_fair(const struct trace *t)
{
	const struct gmem_call *c;
	size_t i;

	for (i = 0; i < t->nr_calls; i++) {
		c = &t->calls[i].linked.call;
		if ((c->verb == GMEM_MMAP || c->verb == GMEM_MPROTECT) &&
		    (c->prot & (GMEM_PROT_READ | GMEM_PROT_WRITE)) == GMEM_PROT_WRITE)
			return 0;
	}
	return 1;
}

/* Whether the last call of the trace still differs in that way. */
static int still_differs(void *arg, const struct trace *t)
{
	struct wanted *w = arg;
	struct trace copy;
	struct difference_kind kind;
	enum compared r;
	int same = 0;

	if (!is_fair(t))
		return 0;
	progress("shrinking: %zu calls", t->nr_calls);
	trace_copy(&copy, t);
	r = compare(w->c, &copy);
	if (r != COMPARED_SAME && w->c->at == t->nr_calls - 1 && copy.nr_calls == t->nr_calls) {
		kind = kind_of(w->c, &copy);
		same = !memcmp(&kind, &w->kind, sizeof(kind));
	}
	trace_free(&copy);
	return same;
}

/* Every result of the kernel becomes a demand: replaying the trace shows the difference. */
static void fill_in(struct comparer *c, struct trace *t)
{
	size_t i;

	trace_name_all(t);
	for (i = 0; i < t->nr_calls; i++) {
		if (i == c->at && c->model_broke)
			continue;
		trace_demand_result(t, &t->calls[i], &c->kernel[i]);
		if (!result_succeeded(&c->kernel[i]))
			t->calls[i].name[0] = 0;
	}
	trace_settle(t, c->kernel);
	if (!t->profile)
		t->profile = c->profile;
	t->machine = c->machine;
	t->machine_says = TRACE_MACHINE_ARCH | TRACE_MACHINE_TYPES | TRACE_MACHINE_SMM |
			  TRACE_MACHINE_TDP;
	free(t->recorded);
	t->recorded = kernel_release();
}

/* The file's name; free() it. */
static char *write_difference(struct differences *d, const struct trace *t, const char *name)
{
	struct text path;
	char *p;
	FILE *f;

	text_begin(&path);
	fprintf(path.f, "%s/difference-%s.trace", d->keep, name);
	p = text_end(&path);
	f = fopen(p, "we");
	if (!f)
		die("%s: %s", p, strerror(errno));
	trace_print(f, t);
	if (fclose(f))
		die("%s: %s", p, strerror(errno));
	return p;
}

static void show_last_call(const struct comparer *c, const struct trace *t)
{
	const struct trace_call *last = &t->calls[c->at];
	char *call = call_text(t, last), *text;

	printf("    %s\n", call);
	free(call);
	if (c->model_broke) {
		printf("      model   %s\n", c->error.why);
		return;
	}
	text = result_text(last->linked.call.verb, &c->model[c->at]);
	printf("      model   %s\n", text);
	free(text);
	text = result_text(last->linked.call.verb, &c->kernel[c->at]);
	printf("      kernel  %s\n", text);
	free(text);
	print_clause(stdout, c->model[c->at].clause, "      ");
}

/* The calls before the last with what both answered, then the last with either answer. */
static void show(const struct comparer *c, const struct trace *t, const char *path)
{
	size_t i;

	printf("difference: %s\n", path);
	for (i = 0; i < c->at; i++) {
		char *call = call_text(t, &t->calls[i]);
		char *result = result_text(t->calls[i].linked.call.verb, &c->kernel[i]);

		printf("    %s%s%s\n", call, t->calls[i].name[0] ? "" : " = ",
		       t->calls[i].name[0] ? "" : result);
		free(call);
		free(result);
	}
	show_last_call(c, t);
	putchar('\n');
}

void difference_found(struct differences *d, struct comparer *c, struct trace *t, const char *name)
{
	struct wanted w = { .c = c, .kind = kind_of(c, t) };
	char *path;

	d->differences++;
	if (!is_new_kind(d, &w.kind))
		return;
	while (t->nr_calls > c->at + 1)
		trace_drop(t, t->nr_calls - 1);
	if (still_differs(&w, t))
		shrink(t, still_differs, &w);
	compare(c, t);
	if (c->at >= t->nr_calls)
		c->at = t->nr_calls - 1;
	fill_in(c, t);
	path = write_difference(d, t, name);
	progress_end();
	show(c, t, path);
	fflush(stdout);
	free(path);
}

void difference_of_program(struct differences *d, struct comparer *c, struct trace *t,
			   const char *name)
{
	char *path;

	d->differences = d->nr_kinds = 1;
	while (t->nr_calls > c->at + 1)
		trace_drop(t, t->nr_calls - 1);
	fill_in(c, t);
	path = write_difference(d, t, name);
	printf("difference: call %zu of %s; all up to it are in %s\n", c->at + 1, name, path);
	show_last_call(c, t);
	free(path);
}

void no_answer(struct differences *d, struct comparer *c, struct trace *t, const char *name)
{
	char *path, *call;

	d->broken++;
	if (d->broken > 3)
		return;
	trace_name_all(t);
	path = write_difference(d, t, name);
	progress_end();
	printf("no answer: %s: %s\n", path, c->error.why);
	if (c->at < t->nr_calls) {
		call = call_text(t, &t->calls[c->at]);
		printf("    %s\n\n", call);
		free(call);
	}
	free(path);
}
