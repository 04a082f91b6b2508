/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes the calls of a trace under several designs, and says which results differ; see diff.h.
 *
 * Each design has a world of its own, in which a translator's calls are made one at a time. What
 * cannot be made is a cell as well: a comparison shows it, and goes on.
 */
#include <stdlib.h>
#include <string.h>

#include "backend-model.h"
#include "cmd.h"
#include "diff.h"

int diff_add(struct diff *d, const struct gmem_profile *p, struct gmem_profile *copy)
{
	struct diff_column *c;
	size_t i;

	for (i = 0; i < d->nr; i++)
		if (!strcmp(d->columns[i].name, gmem_profile_name(p)))
			break;
	if (i < d->nr) {
		gmem_profile_free(copy);
		return 0;
	}
	d->columns = xgrow(d->columns, d->nr, &d->room, sizeof(*d->columns));
	c = &d->columns[d->nr++];
	*c = (struct diff_column){ .profile = p, .copy = copy, .name = gmem_profile_name(p) };
	return 1;
}

static void free_column(struct diff_column *c, size_t nr_calls)
{
	size_t i, j;

	for (i = 0; c->cells && i < nr_calls; i++)
		free(c->cells[i].told.note);
	for (i = 0; i < c->nr_states; i++) {
		for (j = 0; j < c->states[i].nr; j++)
			free(c->states[i].strips[j].runs);
		free(c->states[i].strips);
	}
	translator_free(&c->x);
	free(c->cells);
	free(c->objects);
	free(c->states);
	free(c->ended);
	gmem_profile_free(c->copy);
}

void diff_free(struct diff *d)
{
	size_t i;

	for (i = 0; i < d->nr; i++)
		free_column(&d->columns[i], d->t->nr_calls);
	free(d->columns);
	free(d->clauses);
}

/* ---- states ---- */

int diff_strips_equal(const struct look_strip *a, const struct look_strip *b)
{
	uint32_t i;

	if (a->there != b->there || a->nr_runs != b->nr_runs || a->more != b->more)
		return 0;
	for (i = 0; i < a->nr_runs; i++)
		if (a->runs[i].first != b->runs[i].first || a->runs[i].end != b->runs[i].end ||
		    a->runs[i].bits != b->runs[i].bits)
			return 0;
	return 1;
}

static int same_state(const struct diff_state *a, const struct diff_state *b)
{
	uint32_t i;

	for (i = 0; i < a->nr && a->nr == b->nr; i++)
		if (!diff_strips_equal(&a->strips[i], &b->strips[i]))
			return 0;
	return a->nr == b->nr;
}

static void free_state(struct diff_state *s)
{
	uint32_t i;

	for (i = 0; i < s->nr; i++)
		free(s->strips[i].runs);
	free(s->strips);
}

/* The state that the call left, unless it is that of the call before. */
static uint32_t look(struct diff_column *c, const struct gmem_world *w)
{
	struct diff_state s = { .nr = (uint32_t)c->nr_objects };
	uint32_t i;

	s.strips = xcalloc(s.nr, sizeof(*s.strips));
	for (i = 0; i < s.nr; i++)
		look_at(w, c->objects[i].ino, &s.strips[i]);
	if (c->nr_states && same_state(&s, &c->states[c->nr_states - 1])) {
		free_state(&s);
	} else {
		c->states = xgrow(c->states, c->nr_states, &c->room_states, sizeof(*c->states));
		c->states[c->nr_states++] = s;
	}
	return (uint32_t)c->nr_states - 1;
}

static void add_object(struct diff_column *c, const char *name, uint64_t ino)
{
	struct diff_object *o;
	size_t i;

	for (i = 0; i < c->nr_objects; i++)
		if (c->objects[i].ino == ino)
			return;
	c->objects = xgrow(c->objects, c->nr_objects, &c->room_objects, sizeof(*c->objects));
	o = &c->objects[c->nr_objects++];
	o->ino = ino;
	snprintf(o->name, sizeof(o->name), "%s", *name ? name : "?");
}

/* Files, and memory of the program that a memslot has. n is of the translation. */
static void add_objects(struct diff_column *c, const struct gmem_world *w, size_t n)
{
	const struct trace_call *call = &c->x.t.calls[n];
	const struct linked_call *l = &call->linked;
	const struct gmem_result *r = &c->x.results[n];
	uint32_t task = l->call.task;
	uint64_t ino = 0;

	if (!result_succeeded(r))
		return;
	if (gmem_verb_info(l->call.verb)->binds_fd & GMEM_FD_GMEM) {
		ino = look_fd(w, task, r->value);
		if (ino)
			add_object(c, call->name, ino);
		return;
	}
	if (l->addr_from < 0 || (l->call.verb != GMEM_SET_USER_MEMORY_REGION &&
				 l->call.verb != GMEM_SET_USER_MEMORY_REGION2))
		return;
	ino = look_addr(w, task, (uint64_t)c->x.results[l->addr_from].value + l->call.addr);
	if (ino)
		add_object(c, c->x.t.calls[l->addr_from].name, ino);
}

/* ---- running ---- */

/* Makes one call of the translation. 0 if the column is at its end. */
static int make(struct diff_column *c, void *ctx, size_t n, struct told *told)
{
	struct gmem_call call = backend_resolve(&c->x.t.calls[n].linked, c->x.results);
	struct backend_error e;
	struct gmem_result r;

	switch (backend_model.call(ctx, &call, &r, &e)) {
	case BACKEND_DONE:
		c->x.results[n] = r;
		return 1;
	case BACKEND_UNSUPPORTED:
		told->how = TOLD_NOT_ASKED;
		told->note = told->note ? told->note : xstrndup(e.why, strlen(e.why));
		return 1;
	default:
		c->ended = xstrndup(e.why, strlen(e.why));
		return 0;
	}
}

/* The calls for one call of the trace, up to the first that fails. */
static void make_all(const struct diff *d, struct diff_column *c, void *ctx, size_t n)
{
	struct diff_cell *cell = &c->cells[n];
	struct told *told = &cell->told;
	uint32_t i;
	int ok = 1;

	translate(&c->x, n, told);
	cell->decided = told->first + told->main;
	for (i = 0; i < told->nr && ok; i++) {
		if (!make(c, ctx, told->first + i, told) || told->how == TOLD_NOT_ASKED)
			break;
		cell->made++;
		ok = !result_is_errno(&c->x.results[told->first + i]);
		if (!ok)
			cell->decided = told->first + i;
		add_objects(c, backend_model_world(ctx), told->first + i);
	}
	translated(&c->x, n, told, told->nr && result_succeeded(&c->x.results[cell->decided]));
	if (!c->ended && d->with_states)
		cell->state = look(c, backend_model_world(ctx));
}

static void not_made(struct diff_column *c, size_t n, const char *why)
{
	struct diff_cell *cell = &c->cells[n];

	free(cell->told.note);
	memset(cell, 0, sizeof(*cell));
	cell->told.how = TOLD_NOT_ASKED;
	cell->told.note = xstrndup(why, strlen(why));
	cell->state = c->nr_states ? (uint32_t)c->nr_states - 1 : 0;
}

static void run_column(struct diff *d, struct diff_column *c)
{
	struct backend_config config = { .profile = c->profile,
					 .machine = d->t->machine,
					 .checking = GMEM_CHECK_CALLS };
	struct backend_error e;
	void *ctx;
	size_t n;

	if (backend_model.open(&ctx, &config, &e) != BACKEND_DONE)
		die("%s: %s", c->name, e.why);
	translator_init(&c->x, d->t, c->profile);
	c->cells = xcalloc(d->t->nr_calls, sizeof(*c->cells));
	for (n = 0; n < d->t->nr_calls; n++) {
		progress("%s: call %zu of %zu", c->name, n + 1, d->t->nr_calls);
		if (c->ended) {
			not_made(c, n, "the run is over");
			continue;
		}
		make_all(d, c, ctx, n);
		if (c->ended)
			not_made(c, n, c->ended);
	}
	backend_model.close(ctx);
	progress_end();
}

/* ---- comparing ---- */

static const struct trace_call *decided(const struct diff_column *c, size_t n)
{
	return c->cells[n].made ? &c->x.t.calls[c->cells[n].decided] : NULL;
}

static int same_words(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/* Neither has a result. */
static int agree_without(const struct diff_cell *a, const struct diff_cell *b)
{
	return a->told.how == b->told.how && same_words(a->told.note, b->told.note);
}

/* Another call does it, which has a cell of its own. */
static int is_elsewhere(const struct diff_column *c, size_t n)
{
	return c->cells[n].told.how == TOLD_BEFORE || c->cells[n].told.how == TOLD_LATER;
}

static int succeeded(const struct diff_column *c, size_t n)
{
	return is_elsewhere(c, n) ||
	       (c->cells[n].made && result_succeeded(&c->x.results[c->cells[n].decided]));
}

/* By different calls: what they return, not what else they hand back, nor which descriptor. */
static int agree_translated(const struct gmem_result *a, const struct gmem_result *b, uint8_t binds)
{
	if (binds && result_succeeded(a) && result_succeeded(b))
		return 1;
	return a->outcome == b->outcome && a->value == b->value;
}

static int agree(const struct diff *d, size_t n, size_t a, size_t b)
{
	const struct diff_column *x = &d->columns[a], *y = &d->columns[b];
	const struct trace_call *p = decided(x, n), *q = decided(y, n);
	const struct gmem_result *r, *s;
	uint32_t verb = d->t->calls[n].linked.call.verb;

	if (is_elsewhere(x, n) || is_elsewhere(y, n))
		return succeeded(x, n) && succeeded(y, n);
	if (!p || !q)
		return !p && !q && agree_without(&x->cells[n], &y->cells[n]);
	r = &x->x.results[x->cells[n].decided];
	s = &y->x.results[y->cells[n].decided];
	if (p->linked.call.verb != q->linked.call.verb)
		return agree_translated(r, s, gmem_verb_info(verb)->binds);
	return trace_results_agree(p->linked.call.verb, r, s);
}

static void group(struct diff *d, size_t n)
{
	uint32_t a, b;

	for (b = 0; b < d->nr; b++) {
		for (a = 0; a < b; a++)
			if (d->columns[a].cells[n].group == a && agree(d, n, a, b))
				break;
		d->columns[b].cells[n].group = a;
	}
	if (!diff_differs(d, n))
		return;
	d->nr_differing++;
	for (b = 0; b < d->nr; b++)
		d->clauses[diff_clause(d, b, n)] = 1;
}

static int columns_equal(const struct diff *d, size_t a, size_t b)
{
	const struct diff_column *x = &d->columns[a], *y = &d->columns[b];
	size_t n;

	for (n = 0; n < d->t->nr_calls; n++)
		if (!diff_cells_equal(d, n, a, b) ||
		    (d->with_states && (x->cells[n].state != y->cells[n].state)))
			return 0;
	for (n = 0; n < x->nr_states && d->with_states; n++)
		if (n >= y->nr_states || !same_state(&x->states[n], &y->states[n]))
			return 0;
	return same_words(x->ended, y->ended);
}

static void fold(struct diff *d)
{
	uint32_t a, b;

	for (b = 0; b < d->nr; b++) {
		for (a = 0; a < b; a++)
			if (d->columns[a].same_as == a && columns_equal(d, a, b))
				break;
		d->columns[b].same_as = a;
	}
}

void diff_run(struct diff *d)
{
	size_t i;

	for (i = 0; i < d->nr; i++)
		run_column(d, &d->columns[i]);
	for (i = 1; gmem_clause((unsigned int)i); i++)
		;
	d->clauses = xcalloc(i, sizeof(*d->clauses));
	for (i = 0; i < d->t->nr_calls; i++)
		group(d, i);
	fold(d);
}
