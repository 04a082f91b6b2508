/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How gmem replay tells what happened: as a story for people (story.c), or as one JSON object a
 * line for programs (events.c).
 */
#ifndef REPORT_H
#define REPORT_H

#include <stdio.h>

#include "trace.h"
#include "watch.h"

/* One call that was made. */
struct made_call {
	const char *file;
	const struct trace *t;
	const struct trace_call *c;
	const struct gmem_result *r;	    /* null: it is not over */
	int satisfied;			    /* as demanded, or nothing is */
	const struct watch *watch;	    /* null: without rows */
	const struct gmem_profile *profile; /* null on a real kernel */
};

static inline int is_in_block(const struct made_call *m)
{
	size_t n = (size_t)(m->c - m->t->calls);

	return n >= m->t->par_first && n < m->t->par_end;
}

struct totals {
	unsigned long traces, calls, demands, unmet, skipped;
	unsigned long failed; /* traces that demand nothing, or ended before their end */
	unsigned long unread; /* files that are no traces, or could not be read; no traces above */
};

/* "linux-6.18", or the kernel's release */
void story_begin(const char *file, const char *where);
void story_call(const struct made_call *m);
/* The calls of a block, row by row as they ran. */
void story_block(const struct made_call *calls, size_t n);
void story_end(const struct trace *t);
/* A demand that was not met. */
void story_unmet(FILE *f, const struct made_call *m);
void story_totals(const struct totals *n);

void event_begin(const char *file, const char *where);
void event_call(const struct made_call *m);
void event_skipped(const char *file, uint32_t line, const char *why);
void event_broken(const char *file, uint32_t line, const char *why);
/* The trace is wrong: it cannot be read, or asks what cannot be asked. */
void event_error(const char *file, const struct trace_error *e);
void event_totals(const struct totals *n);

#endif
