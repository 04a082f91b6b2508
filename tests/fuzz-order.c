/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A fuzz target: bytes are calls (call-bytes.h), some of which overlap, and the order of their rows.
 *
 * After every row the invariants hold, and a copy of the world is the same world; all calls come to
 * an end, and then nobody holds a lock. The explorer follows the same order to the same end; and
 * where a bit of the input says so and the calls are few, it finds the same in all orders with the
 * reduction and without (order-judge.h). What is wrong is printed as a trace, made small if that is
 * quick, and ends in abort(). For libFuzzer and AFL++, as fuzz-calls.c. `tests/fuzz-seed --order` makes inputs of traces.
 *
 * A task that is not there stands for one that is, and where there is only one, a thread is made. A
 * call that cannot be asked where the block begins is left out.
 */
#include <stdlib.h>
#include <string.h>

#include "call-bytes.h"
#include "common.h"
#include "order-judge.h"
#include "shrink.h"

#define MOST_CALLS 4 /* that overlap */
#define MOST_TASKS 3
#define MOST_TURNS 2000 /* rows in a schedule */
#define SECONDS 5.0	/* to make it small in */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct block {
	uint32_t there[GMEM_MAX_TASKS], nr_there;
	uint32_t tasks[MOST_TASKS], n; /* in the order of their first calls */
	uint32_t gone;		       /* a bit each */
};

/* ---- what is wrong ---- */

struct small {
	struct order *o;
	const char *wrong;
	double until;
};

static int still_wrong(void *arg, const struct trace *t)
{
	const struct small *s = arg;
	const char *now = seconds() < s->until ? order_judge(s->o, t) : NULL;

	return now && !strcmp(now, s->wrong);
}

static void show(struct order *o, struct trace *t, const char *wrong)
{
	struct trace shown;
	uint32_t i;

	trace_copy(&shown, t);
	shown.nr_schedule = 0;
	for (i = 0; i < o->nr_rows; i++)
		trace_schedule(&shown, o->rows[i], 1);
	trace_name_all(&shown);
	trace_settle(&shown, o->results);
	fprintf(stderr, "# %s: %s\n", wrong, o->why);
	trace_print(stderr, &shown);
	trace_free(&shown);
}

static void report(struct order *o, struct trace *t, const char *wrong)
{
	struct small s = { o, wrong, seconds() + SECONDS };

	show(o, t, wrong);
	shrink(t, still_wrong, &s);
	s.until += 1000;
	if (still_wrong(&s, t)) {
		fputs("# the same, made small:\n", stderr);
		show(o, t, wrong);
	}
	abort();
}

/* ---- from bytes ---- */

static void find_tasks(struct order *o, struct trace *t, struct block *b)
{
	struct linked_call l = { .fd_from = -1, .memfd_from = -1, .addr_from = -1 };
	uint32_t i;

	b->nr_there = 0;
	for (i = 0; i < GMEM_MAX_TASKS; i++)
		if (gmem_task_exists(o->start, i))
			b->there[b->nr_there++] = i;
	if (b->nr_there != 1)
		return;
	l.call.verb = GMEM_THREAD;
	l.call.task = b->there[0];
	for (l.call.value = 1; gmem_task_exists(o->start, (uint32_t)l.call.value);)
		l.call.value++;
	if (gmem_call(o->start, &l.call, &o->results[t->nr_calls]) == GMEM_DONE)
		b->there[b->nr_there++] = (uint32_t)l.call.value;
	trace_add(t, &l);
}

static int contains(const uint32_t *list, uint32_t n, uint32_t task)
{
	while (n && list[n - 1] != task)
		n--;
	return n != 0;
}

static uint32_t choose_task(struct block *b, uint32_t task)
{
	if (!contains(b->there, b->nr_there, task))
		task = b->there[task % b->nr_there];
	if (contains(b->tasks, b->n, task))
		return task;
	if (b->n == MOST_TASKS)
		return b->tasks[task % MOST_TASKS];
	b->tasks[b->n++] = task;
	return task;
}

/* What another task makes in the block is not known there. */
static void forget_others(const struct trace *t, struct linked_call *l)
{
	int32_t *from[] = { &l->fd_from, &l->memfd_from, &l->addr_from };
	int i;

	for (i = 0; i < 3; i++)
		if (*from[i] >= (int32_t)t->par_first &&
		    t->calls[*from[i]].linked.call.task != l->call.task)
			*from[i] = -1;
}

static int can_be_asked(struct order *o, const struct linked_call *l)
{
	const struct gmem_call c = backend_resolve(l, o->results);

	if (gmem_world_copy(o->copy, o->start) != GMEM_DONE)
		die("no memory for a world");
	return gmem_begin(o->copy, &c) == GMEM_DONE;
}

static void read_block(struct order *o, struct byte_reader *b, struct trace *t)
{
	struct block block = { .n = 0 };
	uint32_t which, rows;
	struct linked_call l;

	find_tasks(o, t, &block);
	t->par_first = t->par_end = t->nr_calls;
	memset(o->results + t->nr_calls, 0, MOST_CALLS * sizeof(*o->results));
	while (block.nr_there && t->nr_calls < t->par_first + MOST_CALLS && !bytes_break(b) &&
	       bytes_to_call(b, (uint32_t)t->nr_calls, &l)) {
		l.call.task = choose_task(&block, l.call.task);
		forget_others(t, &l);
		if ((block.gone >> l.call.task & 1) || !can_be_asked(o, &l))
			continue;
		if (l.call.verb == GMEM_EXIT)
			block.gone |= 1u << l.call.task;
		trace_add(t, &l);
		t->par_end = t->nr_calls;
	}
	bytes_break(b);
	while (block.n && t->nr_schedule < MOST_TURNS && bytes_to_turn(b, &which, &rows))
		trace_schedule(t, block.tasks[which % block.n], rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct byte_reader b = { data, data + size };
	static struct order o;
	struct linked_call l;
	struct bytes_world w;
	const char *wrong;
	struct trace t;

	if (!o.w)
		order_open(&o);
	trace_init(&t);
	bytes_to_world(&b, &w);
	t.profile = w.profile;
	t.machine = w.machine;
	t.machine_says = 0xff;
	o.checking = w.checking;
	o.explore = w.explore;
	while (!bytes_break(&b) && bytes_to_call(&b, (uint32_t)t.nr_calls, &l))
		trace_add(&t, &l);
	wrong = order_set_up(&o, &t);
	if (!wrong && b.at < b.end) {
		read_block(&o, &b, &t);
		wrong = order_judge_block(&o);
	}
	if (wrong)
		report(&o, &t, wrong);
	trace_free(&t);
	return 0;
}
