/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Watches a world at work: which rows ran in a call, and what KVM was told. Used by
 * gmem replay --step and --clauses.
 */
#ifndef WATCH_H
#define WATCH_H

#include "gmem.h"
#include "trace.h"

enum watch_kind { WATCH_ROW, WATCH_TOLD };

struct watch_entry {
	enum watch_kind kind;
	size_t call;		    /* of the trace */
	unsigned int times;	    /* in a row */
	struct gmem_step_event row; /* WATCH_ROW */
	struct gmem_event told;	    /* WATCH_TOLD */
};

struct watch {
	struct gmem_world *world;
	struct watch_entry *entries; /* of the call made last, or of a block's calls, in order */
	size_t call;		     /* whose rows come now */
	size_t nr_entries, room;
	size_t nr_told;	  /* at the end of entries, by the row that is still running */
	uint8_t *touched; /* by clause: 1 if a row of it decided or did something */
	unsigned int nr_clauses;
};

/* touched has a byte for each clause, and stays the caller's. */
void watch_begin(struct watch *w, struct gmem_world *world, uint8_t *touched);
/* Before each call, or the first of a block: forgets the one before it. */
void watch_next(struct watch *w, size_t call);
/* In a block: call is to go on. */
void watch_turn(void *w, size_t call);
/* After each call: listens to the VM that it made. */
void watch_result(struct watch *w, const struct gmem_call *call, const struct gmem_result *r);
void watch_end(struct watch *w);

/* The number of clauses plus 1. */
unsigned int nr_clauses(void);

#endif
