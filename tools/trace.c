/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Traces as data: making, copying, cutting, and filling in demands; see trace.h.
 *
 * Calls refer to each other by number, so whoever moves a call (trace_drop) mends the numbers of
 * all calls after it. Tasks are numbered in the order of their forks, 1 and up, which is what
 * reading the printed trace again would give them.
 */
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "trace.h"

void trace_init(struct trace *t)
{
	memset(t, 0, sizeof(*t));
	t->machine = gmem_machine_default;
	if (!t->machine.max_fds)
		t->machine.max_fds = 1024;
}

void trace_free(struct trace *t)
{
	size_t i;

	for (i = 0; i < t->nr_calls; i++) {
		free(t->calls[i].before);
		free(t->calls[i].after);
	}
	free(t->calls);
	free(t->demands);
	free(t->schedule);
	free(t->recorded);
	free(t->head);
	free(t->tail);
	trace_init(t);
}

static char *copy_text(const char *s)
{
	return s ? xstrndup(s, strlen(s)) : NULL;
}

void trace_copy(struct trace *to, const struct trace *from)
{
	size_t i;

	*to = *from;
	to->recorded = copy_text(from->recorded);
	to->head = copy_text(from->head);
	to->tail = copy_text(from->tail);
	to->room_calls = from->nr_calls + 1;
	to->room_demands = from->nr_demands + 1;
	to->calls = xcalloc(to->room_calls, sizeof(*to->calls));
	to->demands = xcalloc(to->room_demands, sizeof(*to->demands));
	for (i = 0; i < from->nr_calls; i++) {
		to->calls[i] = from->calls[i];
		to->calls[i].before = copy_text(from->calls[i].before);
		to->calls[i].after = copy_text(from->calls[i].after);
	}
	for (i = 0; i < from->nr_demands; i++)
		to->demands[i] = from->demands[i];
	to->schedule = NULL;
	to->nr_schedule = to->room_schedule = 0;
	for (i = 0; i < from->nr_schedule; i++)
		trace_schedule(to, from->schedule[i], 1);
}

static int makes_task(uint32_t verb)
{
	return verb == GMEM_FORK || verb == GMEM_THREAD;
}

/* The call that made the task; -1 for the first. */
static int32_t maker_of(const struct trace *t, uint32_t task)
{
	size_t i;

	for (i = 0; task && i + 1 < t->nr_calls; i++)
		if (makes_task(t->calls[i].linked.call.verb) &&
		    t->calls[i].linked.call.value == task)
			return i;
	return -1;
}

struct trace_call *trace_add(struct trace *t, const struct linked_call *linked)
{
	struct trace_call *c;

	t->calls = xgrow(t->calls, t->nr_calls, &t->room_calls, sizeof(*t->calls));
	c = &t->calls[t->nr_calls++];
	memset(c, 0, sizeof(*c));
	c->linked = *linked;
	c->task_from = maker_of(t, linked->call.task);
	return c;
}

void trace_add_demand(struct trace *t, struct trace_call *c, const struct trace_demand *d)
{
	t->demands = xgrow(t->demands, t->nr_demands, &t->room_demands, sizeof(*t->demands));
	if (!c->nr_demands)
		c->demands = t->nr_demands;
	t->demands[t->nr_demands++] = *d;
	c->nr_demands++;
}

void trace_clear_demands(struct trace_call *c)
{
	c->nr_demands = 0;
	c->with_out = 0;
	c->out = 0;
}

int trace_refers(const struct trace_call *c, size_t n)
{
	int32_t number = n;

	return c->linked.fd_from == number || c->linked.memfd_from == number ||
	       c->linked.addr_from == number || c->task_from == number;
}

static void renumber_tasks(struct trace *t)
{
	uint32_t nr_tasks = 0;
	size_t i;

	for (i = 0; i < t->nr_calls; i++) {
		struct trace_call *c = &t->calls[i];

		if (c->task_from >= 0)
			c->linked.call.task = t->calls[c->task_from].linked.call.value;
		if (makes_task(c->linked.call.verb))
			c->linked.call.value = ++nr_tasks;
	}
}

void trace_drop(struct trace *t, size_t n)
{
	size_t i;

	free(t->calls[n].before);
	free(t->calls[n].after);
	memmove(&t->calls[n], &t->calls[n + 1], (t->nr_calls - n - 1) * sizeof(*t->calls));
	t->nr_calls--;
	t->par_first -= t->par_first > n;
	t->par_end -= t->par_end > n;
	for (i = n; i < t->nr_calls; i++) {
		struct trace_call *c = &t->calls[i];

		c->linked.fd_from -= c->linked.fd_from > (int32_t)n;
		c->linked.memfd_from -= c->linked.memfd_from > (int32_t)n;
		c->linked.addr_from -= c->linked.addr_from > (int32_t)n;
		c->task_from -= c->task_from > (int32_t)n;
	}
	renumber_tasks(t);
}

int trace_equal(const struct trace *a, const struct trace *b)
{
	struct text x, y;
	char *p, *q;
	int equal;

	text_begin(&x);
	text_begin(&y);
	trace_print(x.f, a);
	trace_print(y.f, b);
	p = text_end(&x);
	q = text_end(&y);
	equal = !strcmp(p, q);
	free(p);
	free(q);
	return equal;
}

int trace_demands(const struct trace_call *c)
{
	return c->nr_demands || c->with_out || c->name[0];
}

/* A conversion hands error_offset back whatever became of it, a pre-fault what is left. */
int trace_out_matters(uint32_t verb, const struct gmem_result *r)
{
	return gmem_verb_info(verb)->out && r->outcome == GMEM_VALUE &&
	       (verb != GMEM_PRE_FAULT_MEMORY || result_succeeded(r));
}

void trace_demand_result(struct trace *t, struct trace_call *c, const struct gmem_result *r)
{
	const struct gmem_verb_info *info = gmem_verb_info(c->linked.call.verb);
	struct trace_demand d = { .outcome = r->outcome, .fields = TRACE_WITH_VALUE };

	trace_clear_demands(c);
	if (info->binds && result_succeeded(r))
		return;
	d.value = r->value;
	if (r->outcome == GMEM_VALUE && r->loaded == 1u)
		d.fields |= TRACE_LOADED;
	if (trace_is_exit(r->outcome)) {
		d.fields = TRACE_WITH_GPA | TRACE_WITH_SIZE | TRACE_WITH_FLAGS;
		d.fields |= r->outcome == GMEM_MMIO ? 0 : TRACE_WITH_VALUE;
		d.gpa = r->gpa;
		d.exit_size = r->exit_size;
		d.exit_flags = r->exit_flags;
	}
	if (r->outcome == GMEM_SIGBUS || r->outcome == GMEM_SIGSEGV ||
	    r->outcome == GMEM_UNSPECIFIED || r->outcome == GMEM_SHUTDOWN)
		d.fields = 0;
	trace_add_demand(t, c, &d);
	if (trace_out_matters(c->linked.call.verb, r)) {
		c->with_out = 1;
		c->out = r->out;
	}
}

/* Makes a reference that was not bound the number it stood for. */
static void settle(int32_t *from, int64_t *fd, const struct gmem_result *results)
{
	if (*from < 0 || result_succeeded(&results[*from]))
		return;
	*from = -1;
	if (fd)
		*fd = -1;
}

void trace_settle(struct trace *t, const struct gmem_result *results)
{
	size_t i;

	for (i = 0; i < t->nr_calls; i++) {
		struct linked_call *l = &t->calls[i].linked;

		settle(&l->fd_from, &l->call.fd, results);
		settle(&l->memfd_from, &l->call.memfd, results);
		settle(&l->addr_from, NULL, results);
	}
}

void trace_name_all(struct trace *t)
{
	static const struct {
		const char *stem;
		uint8_t fds;
	} stems[] = { { "vm", GMEM_FD_VM }, { "f", GMEM_FD_GMEM },
		      { "p", GMEM_FD_PIN }, { "mnt", GMEM_FD_MOUNT },
		      { "m", 0 },	    { "d", 0 } };
	unsigned int counts[6] = { 0 }, nr_tasks = 0, s;
	size_t i;

	for (i = 0; i < t->nr_calls; i++) {
		struct trace_call *c = &t->calls[i];
		const struct gmem_verb_info *info = gmem_verb_info(c->linked.call.verb);

		if (info->binds == GMEM_BINDS_NOTHING)
			continue;
		if (info->binds == GMEM_BINDS_TASK) {
			snprintf(c->name, sizeof(c->name), "B%u", ++nr_tasks);
			continue;
		}
		for (s = 0; s < 4 && stems[s].fds != info->binds_fd; s++)
			;
		if (s == 4)
			s = info->binds == GMEM_BINDS_ADDR ? 4 : 5;
		snprintf(c->name, sizeof(c->name), "%s%u", stems[s].stem, counts[s]++);
	}
}
