/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who is followed: processes with their descriptors and mappings, and threads; and how they come
 * into the trace.
 *
 * The trace's first task is the thread that first does something with KVM. A process that it forks is
 * a task from then on, as it has what its parent has; a thread becomes one when it makes its first
 * call. What others do is not in the trace: nothing there could have made their descriptors.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "follow.h"
#include "target.h"

#define MOST_CALLS (TRACE_MAX_LINES - 200)
#define MOST_NAMES (TRACE_MAX_NAMES - 1)

static struct process *processes;
static struct thread *threads;
static uint32_t nr_tasks; /* that the trace has */
static unsigned int nr_names;
static bool has_first;

/* ---- the trace ---- */

struct linked_call blank_call(uint32_t verb)
{
	return (struct linked_call){
		.call.verb = verb, .fd_from = -1, .memfd_from = -1, .addr_from = -1
	};
}

void unseen(const char *why)
{
	if (!following->unseen++)
		following->why = why;
}

static int32_t add_call(struct linked_call *l, const struct gmem_result *r)
{
	struct followed *f = following;
	size_t n = f->t.nr_calls;

	if (n >= MOST_CALLS || nr_names >= MOST_NAMES)
		f->full = true;
	if (f->full) {
		unseen("for which a trace has no room");
		return -1;
	}
	if (gmem_verb_info(l->call.verb)->binds && result_succeeded(r))
		nr_names++;
	trace_add(&f->t, l);
	f->results = xgrow(f->results, n, &f->room, sizeof(*f->results));
	f->results[n] = *r;
	return (int32_t)n;
}

/* A task for a thread, or for a process that was forked. */
static uint32_t make_task(uint32_t verb, uint32_t maker)
{
	struct linked_call l = blank_call(verb);
	struct gmem_result r = { .value = nr_tasks + 1 };

	if (nr_tasks >= TRACE_MAX_TASKS) {
		unseen("of one task more than traces can have");
		return NO_TASK;
	}
	l.call.task = maker;
	l.call.value = nr_tasks + 1;
	return add_call(&l, &r) < 0 ? NO_TASK : ++nr_tasks;
}

/* Some thread of the process that the trace has. */
static uint32_t task_of(const struct process *p)
{
	const struct thread *t;

	for (t = threads; t; t = t->next)
		if (t->p == p && t->task != NO_TASK)
			return t->task;
	return NO_TASK;
}

static bool has_task(struct thread *t)
{
	uint32_t other;

	if (t->task != NO_TASK)
		return true;
	if (!has_first) {
		has_first = true;
		t->task = 0;
		return true;
	}
	other = task_of(t->p);
	if (other != NO_TASK)
		t->task = make_task(GMEM_THREAD, other);
	else
		unseen("of a process that the first one did not fork");
	return t->task != NO_TASK;
}

/* The model has descriptors of its own to run out of. */
static bool is_want_of_descriptors(const struct gmem_result *r)
{
	return r->outcome == GMEM_VALUE && (r->value == -EMFILE || r->value == -ENFILE);
}

int32_t emit_result(struct thread *t, struct linked_call *l, const struct gmem_result *r)
{
	if (is_want_of_descriptors(r)) {
		unseen("that failed for want of descriptors");
		return -1;
	}
	if (!has_task(t))
		return -1;
	l->call.task = t->task;
	return add_call(l, r);
}

int32_t emit(struct thread *t, struct linked_call *l, int64_t value)
{
	const struct gmem_result r = { .value = value };

	return emit_result(t, l, &r);
}

/* ---- threads and processes ---- */

struct thread *thread_find(pid_t tid)
{
	struct thread *t;

	for (t = threads; t && t->tid != tid; t = t->next)
		;
	return t;
}

static struct process *process_new(pid_t tgid)
{
	struct process *p = xcalloc(1, sizeof(*p));

	p->tgid = tgid;
	p->next = processes;
	processes = p;
	return p;
}

struct thread *thread_new(pid_t tid)
{
	struct thread *t = xcalloc(1, sizeof(*t));

	t->tid = tid;
	t->task = NO_TASK;
	t->next = threads;
	threads = t;
	return t;
}

static void copy_of(struct process *to, const struct process *from)
{
	size_t i;

	for (i = 0; i < from->nr_handles; i++)
		handle_add(to, from->handles[i].fd, from->handles[i].kind, from->handles[i].from);
	for (i = 0; i < from->nr_areas; i++)
		area_add(to, &from->areas[i]);
}

void thread_made(struct thread *maker, struct thread *t)
{
	pid_t tgid = target_tgid(t->tid);
	uint32_t task;

	if (!maker) {
		t->p = process_new(tgid);
	} else if (tgid == maker->p->tgid) {
		t->p = maker->p;
	} else {
		t->p = process_new(tgid);
		copy_of(t->p, maker->p);
		task = task_of(maker->p);
		if (task != NO_TASK)
			t->task = make_task(GMEM_FORK, task);
	}
	t->p->threads++;
}

/* What the first process had, for others that go on without it. */
static void give_up_all(struct thread *t)
{
	struct linked_call l;
	struct process *p = t->p;

	while (p->nr_areas) {
		struct area a = p->areas[0];

		l = blank_call(GMEM_MUNMAP);
		l.addr_from = a.from;
		l.call.addr = a.offset;
		l.call.length = a.end - a.start;
		if (a.from >= 0)
			emit(t, &l, 0);
		area_cut(p, a.start, a.end);
	}
	for (; p->nr_handles; p->nr_handles--) {
		l = blank_call(GMEM_CLOSE);
		l.fd_from = p->handles[p->nr_handles - 1].from;
		if (p->handles[p->nr_handles - 1].kind == HANDLE_VM ||
		    p->handles[p->nr_handles - 1].kind == HANDLE_GMEM)
			emit(t, &l, 0);
	}
}

static void free_process(struct process *p)
{
	struct process **at;

	for (at = &processes; *at != p; at = &(*at)->next)
		;
	*at = p->next;
	free(p->handles);
	free(p->areas);
	free(p);
}

/* The last thread of a process that was forked ends it; the first process only gives up what it has. */
static void leave_trace(struct thread *t)
{
	struct linked_call l = blank_call(GMEM_EXIT);

	if (t->task == 0 && t->p->threads == 1 && processes->next)
		give_up_all(t);
	if (t->task != 0 && t->task != NO_TASK)
		emit(t, &l, 0);
}

void thread_gone(struct thread *t)
{
	struct thread **at;

	if (t->p) {
		leave_trace(t);
		if (!--t->p->threads)
			free_process(t->p);
	}
	for (at = &threads; *at != t; at = &(*at)->next)
		;
	*at = t->next;
	free(t);
}

/* Mappings are gone, and what was to be closed. */
void thread_execs(struct thread *t)
{
	struct process *p = t->p, whole = *p;
	char name[64];
	size_t i, kept = 0;

	if (task_of(p) == NO_TASK)
		return;
	/* what stays is put aside, and the rest given up */
	for (i = 0; i < p->nr_handles; i++) {
		struct handle h = p->handles[i];

		target_link(t->tid, h.fd, name, sizeof(name));
		if (*name) {
			p->handles[i] = p->handles[kept];
			p->handles[kept++] = h;
		}
	}
	p->handles += kept;
	p->nr_handles -= kept;
	give_up_all(t);
	p->handles = whole.handles;
	p->nr_handles = kept;
}

bool threads_left(void)
{
	return threads != NULL;
}

void processes_signal(int sig)
{
	const struct process *p;

	/* 0 of one that was gone before it could be looked at */
	for (p = processes; p; p = p->next)
		if (p->tgid > 0)
			kill(p->tgid, sig);
}

/* ---- descriptors ---- */

struct handle *handle_find(struct process *p, uint64_t fd)
{
	size_t i;

	for (i = 0; i < p->nr_handles; i++)
		if (p->handles[i].fd == (int)fd)
			return &p->handles[i];
	return NULL;
}

struct handle handle_now(struct process *p, uint64_t fd)
{
	const struct handle *h = handle_find(p, fd);

	return h ? *h : (struct handle){ .fd = -1 };
}

bool handle_stays(struct process *p, const struct handle *was)
{
	const struct handle *h = handle_find(p, (uint64_t)was->fd);

	if (was->fd < 0 || (h && h->kind == was->kind && h->from == was->from))
		return true;
	unseen("on a descriptor that another thread closed meanwhile");
	return false;
}

void handle_drop(struct process *p, int fd)
{
	struct handle *h = handle_find(p, (uint64_t)fd);

	if (h)
		*h = p->handles[--p->nr_handles];
}

void handle_add(struct process *p, int fd, enum handle_kind kind, int32_t from)
{
	handle_drop(p, fd);
	p->handles = xgrow(p->handles, p->nr_handles, &p->room_handles, sizeof(*p->handles));
	p->handles[p->nr_handles++] = (struct handle){ .fd = fd, .kind = kind, .from = from };
}

/* ---- mappings ---- */

struct area *area_find(struct process *p, uint64_t start, uint64_t end)
{
	struct area *best = NULL;
	size_t i;

	for (i = 0; i < p->nr_areas; i++)
		if (p->areas[i].start < end && start < p->areas[i].end &&
		    (!best || p->areas[i].start < best->start))
			best = &p->areas[i];
	return best;
}

void area_add(struct process *p, const struct area *a)
{
	p->areas = xgrow(p->areas, p->nr_areas, &p->room_areas, sizeof(*p->areas));
	p->areas[p->nr_areas++] = *a;
}

void area_cut(struct process *p, uint64_t start, uint64_t end)
{
	struct area *a, whole;

	while ((a = area_find(p, start, end))) {
		whole = *a;
		*a = p->areas[--p->nr_areas];
		if (whole.start < start) {
			struct area left = whole;

			left.end = start;
			area_add(p, &left);
		}
		if (end < whole.end) {
			struct area right = whole;

			right.start = end;
			right.offset += end - whole.start;
			area_add(p, &right);
		}
	}
}
