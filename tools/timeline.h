/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What happens, row by row, where the calls of a trace overlap: recorded while the trace is run, for
 * whoever draws it (diagram.h) or says why nobody can go on (deadlock.h).
 *
 *	struct timeline tl;
 *
 *	if (timeline_record(&tl, &trace, profile))
 *		for (i = 0; i < tl.nr_events; i++)
 *			... tl.events[i]
 *	timeline_free(&tl);
 *
 * Time is the number of rows that were run before, whoever ran them.
 */
#ifndef TIMELINE_H
#define TIMELINE_H

#include "trace.h"

enum timeline_kind {
	TIMELINE_BEGINS,     /* a call */
	TIMELINE_ROW,	     /* is run */
	TIMELINE_TAKES,	     /* a lock */
	TIMELINE_GIVES_BACK, /* a lock */
	TIMELINE_STARTS,     /* an invalidation: a VM is told */
	TIMELINE_ENDS,	     /* it */
	TIMELINE_OVER,	     /* the call is */
	TIMELINE_WAITS,	     /* the next row has to */
	TIMELINE_GOES_ON,    /* it need no longer */
};

#define TIMELINE_NOBODY UINT32_MAX

struct timeline_event {
	uint8_t kind; /* enum timeline_kind */
	uint32_t time;
	uint32_t task;
	size_t call;		       /* of the trace */
	struct gmem_step_event row;    /* ROW: which; table is TIMELINE_NOBODY if all was skipped */
	struct gmem_task_lock lock;    /* TAKES, GIVES_BACK, WAITS, GOES_ON */
	uint32_t thing;		       /* of it: its place in timeline.things */
	uint32_t holder;	       /* WAITS: a task that has it, or TIMELINE_NOBODY */
	struct gmem_invalidation told; /* STARTS, ENDS */
};

/* One lock of one object. */
struct timeline_thing {
	struct gmem_task_lock lock; /* as it was met first */
	char name[96];		    /* "mapping.invalidate_lock of f0" */
};

/* A task that waits at the end. */
struct timeline_blocked {
	uint32_t task;
	size_t call;
	struct gmem_task_lock wanted;
	uint32_t thing;
	uint32_t holders; /* bits of tasks */
};

struct timeline {
	const struct trace *t;
	const struct gmem_profile *p;
	struct timeline_event *events;
	size_t nr_events, room_events;
	struct timeline_thing *things;
	size_t nr_things, room_things;
	uint32_t tasks[GMEM_MAX_TASKS], nr_tasks; /* those that overlap, as they are written */
	uint32_t nr_rows;
	struct timeline_blocked blocked[GMEM_MAX_TASKS];
	uint32_t nr_blocked;
	int deadlock; /* some are blocked, and nobody else runs */
	struct trace_run run;
};

/* 0 if the calls before the block could not be made: run.error says why. Free it either way. */
int timeline_record(struct timeline *tl, const struct trace *t, const struct gmem_profile *p);
void timeline_free(struct timeline *tl);

/* The call, without the task that makes it; free() it. */
char *timeline_call_text(const struct timeline *tl, size_t call);
/* When the task took what it has of this thing; null if it has not. */
const struct timeline_event *timeline_taken(const struct timeline *tl, uint32_t task,
					    uint32_t thing);
/* "vm0", or "VM 2" if no descriptor names it. */
void timeline_vm_name(const struct timeline *tl, const struct gmem_invalidation *told, char *name,
		      size_t size);

#endif
