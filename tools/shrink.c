/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Delta debugging on traces; see shrink.h.
 *
 * Chunks of calls first, from half of the trace down to single calls, as often as that helps; then
 * every number towards the simplest one that will do. A number only ever becomes smaller, so
 * this comes to an end.
 */
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "shrink.h"

/* ---- fewer calls ---- */

static void mark_dependants(const struct trace *t, uint8_t *gone)
{
	size_t i, j;

	for (i = 0; i < t->nr_calls; i++)
		for (j = 0; j < i && !gone[i]; j++)
			gone[i] = gone[j] && trace_refers(&t->calls[i], j);
}

static void drop_marked(struct trace *t, const uint8_t *gone)
{
	size_t i;

	for (i = t->nr_calls; i-- > 0;)
		if (gone[i])
			trace_drop(t, i);
}

/* Replaces the trace by the smaller one if that is still interesting; frees the other. */
static int keep_if(struct trace *t, struct trace *smaller, shrink_fn interesting, void *arg)
{
	int better = interesting(arg, smaller);

	if (better) {
		trace_free(t);
		*t = *smaller;
	} else {
		trace_free(smaller);
	}
	return better;
}

/* Tries to drop n calls from the one at start. */
static int drop_chunk(struct trace *t, size_t start, size_t n, shrink_fn interesting, void *arg)
{
	uint8_t *gone = xcalloc(t->nr_calls, 1);
	struct trace smaller;
	int better = 0;

	memset(gone + start, 1, n);
	mark_dependants(t, gone);
	if (!gone[t->nr_calls - 1]) {
		trace_copy(&smaller, t);
		drop_marked(&smaller, gone);
		better = keep_if(t, &smaller, interesting, arg);
	}
	free(gone);
	return better;
}

/* One pass over chunks of n calls, from the end; 1 if any could go. */
static int drop_chunks(struct trace *t, size_t n, shrink_fn interesting, void *arg)
{
	size_t end = t->nr_calls - 1;
	int any = 0;

	while (end > 0) {
		size_t start = end > n ? end - n : 0;

		if (drop_chunk(t, start, end - start, interesting, arg))
			any = 1;
		end = start < t->nr_calls - 1 ? start : t->nr_calls - 1;
	}
	return any;
}

static int drop_calls(struct trace *t, shrink_fn interesting, void *arg)
{
	size_t n = t->nr_calls / 2;
	int any = 0;

	while (n > 0) {
		if (drop_chunks(t, n, interesting, arg))
			any = 1;
		else
			n /= 2;
		if (n > t->nr_calls / 2 && n > 1)
			n = t->nr_calls / 2;
	}
	return any;
}

void shrink_calls(struct trace *t, shrink_fn interesting, void *arg)
{
	struct trace smaller;
	int better = 1;

	while (better && t->nr_calls > 1) {
		trace_copy(&smaller, t);
		trace_drop(&smaller, smaller.nr_calls - 1);
		better = keep_if(t, &smaller, interesting, arg);
	}
	while (drop_calls(t, interesting, arg))
		;
}

/* ---- simpler numbers ---- */

static uint64_t get(const struct gmem_call *c, const struct gmem_param *p)
{
	uint64_t v;

	memcpy(&v, (const char *)c + p->offset, sizeof(v));
	return v;
}

/* Whether the language can say the call with that number. */
static int can_say(const struct gmem_call *c, const struct gmem_param *p, uint64_t v)
{
	if (p->kind != GMEM_P_WIDTH)
		return 1;
	return v && (v & (v - 1)) == 0 && v <= 8 && (v == 8 || !(c->value >> 8 * v));
}

static int try_number(struct trace *t, size_t n, const struct gmem_param *p, uint64_t v,
		      shrink_fn interesting, void *arg)
{
	const struct gmem_call *c = &t->calls[n].linked.call;
	struct trace simpler;

	if (v >= get(c, p) || !can_say(c, p, v))
		return 0;
	trace_copy(&simpler, t);
	*call_field(&simpler.calls[n].linked.call, p->offset) = v;
	return keep_if(t, &simpler, interesting, arg);
}

static int try_bits(struct trace *t, size_t n, const struct gmem_param *p, shrink_fn interesting,
		    void *arg)
{
	unsigned int bit;
	int any = 0;

	for (bit = 0; bit < 64; bit++) {
		uint64_t v = get(&t->calls[n].linked.call, p);

		if (v >> bit & 1)
			any |= try_number(t, n, p, v & ~(UINT64_C(1) << bit), interesting, arg);
	}
	return any;
}

static int simplify_number(struct trace *t, size_t n, const struct gmem_param *p,
			   shrink_fn interesting, void *arg)
{
	uint64_t v = get(&t->calls[n].linked.call, p);
	const uint64_t simple[] = { p->dflt,
				    0,
				    1,
				    GMEM_PAGE_SIZE,
				    2 * GMEM_PAGE_SIZE,
				    0x100000,
				    v & -GMEM_PAGE_SIZE,
				    v / 2 & -GMEM_PAGE_SIZE };
	size_t i;

	if (p->kind == GMEM_P_FLAGS)
		return try_bits(t, n, p, interesting, arg);
	for (i = 0; i < sizeof(simple) / sizeof(simple[0]); i++)
		if (try_number(t, n, p, simple[i], interesting, arg))
			return 1;
	return 0;
}

/* Whether reading it again would give the same trace: no handle is used after it was closed. */
static int can_be_said(const struct trace *t)
{
	struct trace copy, again;
	struct trace_error e;
	struct text text;
	char *words;
	int ok;

	trace_copy(&copy, t);
	trace_name_all(&copy);
	text_begin(&text);
	trace_print(text.f, &copy);
	words = text_end(&text);
	ok = trace_parse(&again, words, strlen(words), &e);
	free(words);
	trace_free(&copy);
	trace_free(&again);
	return ok;
}

static int32_t *reference(struct linked_call *l, const struct gmem_param *p)
{
	if (p->kind == GMEM_P_ADDR)
		return &l->addr_from;
	if (p->kind != GMEM_P_FD)
		return NULL;
	return p->offset == offsetof(struct gmem_call, fd) ? &l->fd_from : &l->memfd_from;
}

/* No handle instead of one, so that what made it can go. */
static int try_without(struct trace *t, size_t n, const struct gmem_param *p, shrink_fn interesting,
		       void *arg)
{
	struct linked_call *l = &t->calls[n].linked;
	int32_t *from = reference(l, p);
	int64_t none = p->kind == GMEM_P_FD ? -1 : (int64_t)l->call.addr;
	struct trace simpler;

	if (!from || *from < 0)
		return 0;
	trace_copy(&simpler, t);
	l = &simpler.calls[n].linked;
	*reference(l, p) = -1;
	*call_field(&l->call, p->offset) = (uint64_t)none;
	return keep_if(t, &simpler, interesting, arg);
}

/* An older handle of the same kind instead of this one. */
static int try_older(struct trace *t, size_t n, const struct gmem_param *p, shrink_fn interesting,
		     void *arg)
{
	int32_t *from = reference(&t->calls[n].linked, p), i;
	struct trace simpler;

	for (i = 0; from && i < *from; i++) {
		if (gmem_verb_info(t->calls[i].linked.call.verb)->binds !=
		    gmem_verb_info(t->calls[*from].linked.call.verb)->binds)
			continue;
		trace_copy(&simpler, t);
		*reference(&simpler.calls[n].linked, p) = i;
		if (!can_be_said(&simpler))
			trace_free(&simpler);
		else if (keep_if(t, &simpler, interesting, arg))
			return 1;
	}
	return 0;
}

static int simplify_numbers(struct trace *t, shrink_fn interesting, void *arg)
{
	const struct gmem_param *p;
	int any = 0;
	size_t i;

	for (i = 0; i < t->nr_calls; i++) {
		p = gmem_verb_info(t->calls[i].linked.call.verb)->params;
		for (; p->name; p++) {
			any |= try_without(t, i, p, interesting, arg);
			any |= try_older(t, i, p, interesting, arg);
			if (p->kind != GMEM_P_FD)
				any |= simplify_number(t, i, p, interesting, arg);
		}
	}
	return any;
}

void shrink(struct trace *t, shrink_fn interesting, void *arg)
{
	do
		drop_calls(t, interesting, arg);
	while (simplify_numbers(t, interesting, arg));
}
