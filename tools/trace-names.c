/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of traces; see trace-names.h.
 *
 * A hash table from name to entry, and one bit per task and entry: whether that task's process
 * has it. Entry 0 is kvm, which every trace begins with.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "trace-names.h"
#include "trace.h"

#define MAX_ENTRIES (TRACE_MAX_NAMES + 1)
#define NR_BUCKETS 4096

struct entry {
	char name[TRACE_MAX_NAME + 1];
	uint32_t line;	  /* where it was bound */
	uint32_t used_up; /* where it was closed last; or 0 */
	uint8_t fails;	  /* demanded not to be bound */
	struct found_name f;
};

struct names {
	struct entry entries[MAX_ENTRIES];
	uint32_t nr_entries;
	uint16_t buckets[NR_BUCKETS]; /* number of entry plus 1; 0: empty */
	uint32_t nr_tasks;
	uint32_t process[TRACE_MAX_TASKS + 1]; /* of each task: the first task of its process */
	uint8_t has[TRACE_MAX_TASKS + 1][(MAX_ENTRIES + 7) / 8];
};

static int has(const struct names *n, uint32_t task, uint32_t entry)
{
	return n->has[n->process[task]][entry / 8] >> entry % 8 & 1;
}

static void set_has(struct names *n, uint32_t task, uint32_t entry, int on)
{
	uint8_t bit = 1u << entry % 8;

	task = n->process[task];
	if (on)
		n->has[task][entry / 8] |= bit;
	else
		n->has[task][entry / 8] &= ~bit;
}

/* The bucket that holds the name, or the empty one where it belongs. */
static uint16_t *bucket(struct names *n, const char *name)
{
	uint32_t h = 2166136261u;
	const char *p;

	for (p = name; *p; p++)
		h = (h ^ (unsigned char)*p) * 16777619u;
	for (;; h++) {
		uint16_t *b = &n->buckets[h % NR_BUCKETS];

		if (!*b || !strcmp(n->entries[*b - 1].name, name))
			return b;
	}
}

struct names *names_new(void)
{
	struct names *n = xcalloc(1, sizeof(*n));
	struct found_name kvm = { .from = -1, .kind = NAME_FD, .fds = GMEM_FD_KVM };

	n->nr_tasks = 1;
	names_bind(n, "kvm", 0, 0, 0, &kvm);
	return n;
}

void names_free(struct names *n)
{
	free(n);
}

static int cannot_use(const struct entry *e, uint32_t task, char *reason, size_t size)
{
	if (e->fails)
		snprintf(reason, size, "%s is not bound: line %u demands that its call fails",
			 e->name, e->line);
	else if (e->used_up && e->f.kind == NAME_TASK)
		snprintf(reason, size, "task %s has exited in line %u", e->name, e->used_up);
	else if (e->used_up)
		snprintf(reason, size, "%s is used up: it was closed in line %u", e->name,
			 e->used_up);
	else
		snprintf(reason, size, "%s is not known in %s process: line %u bound it in another",
			 e->name, task ? "this task's" : "the first task's", e->line);
	return 0;
}

int names_find(struct names *n, const char *name, uint32_t task, struct found_name *f, char *reason,
	       size_t size)
{
	uint16_t b = *bucket(n, name);
	struct entry *e;

	if (!b) {
		snprintf(reason, size, "unknown name %s: no call above binds it", name);
		return 0;
	}
	e = &n->entries[b - 1];
	*f = e->f;
	if (e->fails || (e->f.kind == NAME_TASK ? e->used_up : !has(n, task, b - 1u)))
		return cannot_use(e, task, reason, size);
	return 1;
}

int names_free_to_bind(struct names *n, const char *name, char *reason, size_t size)
{
	uint16_t b = *bucket(n, name);

	if (!strcmp(name, "main")) {
		snprintf(reason, size, "main is the first task; take another name");
		return 0;
	}
	if (b && !n->entries[b - 1].fails) {
		snprintf(reason, size, "%s is bound already, in line %u; take another name", name,
			 n->entries[b - 1].line);
		return 0;
	}
	if (!b && n->nr_entries == MAX_ENTRIES) {
		snprintf(reason, size, "more than %d names", TRACE_MAX_NAMES);
		return 0;
	}
	return 1;
}

void names_bind(struct names *n, const char *name, uint32_t task, uint32_t line, int fails,
		const struct found_name *f)
{
	uint16_t *b = bucket(n, name);
	struct entry *e;

	if (!*b) {
		*b = ++n->nr_entries;
		strcpy(n->entries[*b - 1].name, name);
	}
	e = &n->entries[*b - 1];
	e->line = line;
	e->fails = !!fails;
	e->f = *f;
	set_has(n, task, *b - 1u, !fails);
}

uint32_t names_fork(struct names *n, uint32_t parent)
{
	if (n->nr_tasks > TRACE_MAX_TASKS)
		return 0;
	n->process[n->nr_tasks] = n->nr_tasks;
	memcpy(n->has[n->nr_tasks], n->has[n->process[parent]], sizeof(n->has[parent]));
	return n->nr_tasks++;
}

uint32_t names_thread(struct names *n, uint32_t of)
{
	if (n->nr_tasks > TRACE_MAX_TASKS)
		return 0;
	n->process[n->nr_tasks] = n->process[of];
	return n->nr_tasks++;
}

void names_use_up(struct names *n, int32_t from, uint32_t task, uint32_t line)
{
	uint32_t i;

	for (i = 0; i < n->nr_entries; i++) {
		if (n->entries[i].f.from != from || n->entries[i].fails)
			continue;
		n->entries[i].used_up = line;
		set_has(n, task, i, 0);
	}
}

void names_exit(struct names *n, uint32_t task, uint32_t line)
{
	uint32_t i;

	for (i = 0; i < n->nr_entries; i++)
		if (n->entries[i].f.kind == NAME_TASK && n->entries[i].f.task == task)
			n->entries[i].used_up = line;
}
