/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a name in a trace stands for, and whether it can still be used.
 *
 * A name is bound once, by one call. Who may use it is a property of the process: a child has what
 * its parent had when it was forked, and closing a descriptor in one process leaves it open in
 * the other. All of that is known without running the trace.
 */
#ifndef TRACE_NAMES_H
#define TRACE_NAMES_H

#include <stddef.h>
#include <stdint.h>

enum name_kind { NAME_FD, NAME_ADDR, NAME_TASK };

struct found_name {
	int32_t from;  /* the call that bound it; -1 for kvm */
	uint8_t kind;  /* enum name_kind */
	uint8_t fds;   /* NAME_FD: GMEM_FD_* */
	uint32_t task; /* NAME_TASK: its number */
};

struct names;
struct names *names_new(void);
void names_free(struct names *n);

/* 1 and *f; or 0, with why the name cannot be used by that task in reason[size]. */
int names_find(struct names *n, const char *name, uint32_t task, struct found_name *f, char *reason,
	       size_t size);
/* 1 if the name can be bound; or 0, with why not in reason[size]. */
int names_free_to_bind(struct names *n, const char *name, char *reason, size_t size);
/*
 * Binds the name, in that task's process, to what call number f->from at that line makes. With
 * fails, the call is demanded to fail and nothing is bound.
 */
void names_bind(struct names *n, const char *name, uint32_t task, uint32_t line, int fails,
		const struct found_name *f);
/* A new task, with all that the parent has; 0 if there are too many. */
uint32_t names_fork(struct names *n, uint32_t parent);
/* The same for a task of the same process, whose names are its own. */
uint32_t names_thread(struct names *n, uint32_t of);
/* The task's process no longer has what call number from made (-1: kvm), since that line. */
void names_use_up(struct names *n, int32_t from, uint32_t task, uint32_t line);
/* The task is gone, since that line. */
void names_exit(struct names *n, uint32_t task, uint32_t line);

#endif
