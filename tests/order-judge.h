/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Overlapping calls of a trace, run row by row in the order of its schedule, with everything that
 * has to be true looked at after each row; and what the explorer says of them.
 *
 *	struct order o;
 *
 *	order_open(&o);
 *	o.explore = 1;
 *	wrong = order_judge(&o, &trace);	(a sentence; null if nothing is wrong)
 *	order_close(&o);
 */
#ifndef ORDER_JUDGE_H
#define ORDER_JUDGE_H

#include "trace.h"

#define ORDER_CALLS 256	 /* of a trace */
#define ORDER_ROWS 20000 /* of one order */
#define ORDER_EXPLORED 3 /* overlapping calls that are explored; more are too many */

struct order {
	const struct trace *t;
	struct gmem_world *start; /* before the block */
	struct gmem_world *w, *copy;
	enum gmem_checking checking; /* of start */
	int explore;		     /* all orders, too */
	struct gmem_result results[ORDER_CALLS];
	struct gmem_result asked[ORDER_CALLS]; /* while the explorer asks for a call */
	size_t next[GMEM_MAX_TASKS];	       /* of each task: where to look for its next call */
	size_t current[GMEM_MAX_TASKS];
	size_t left;	/* calls that are not over */
	int is_misuse;	/* one of them cannot be asked */
	int goes_on;	/* there was no end to it */
	uint64_t ended; /* the hash of the end */
	uint32_t *rows; /* whose row ran, one after the other; ORDER_ROWS of them at most */
	uint32_t nr_rows;
	uint32_t *schedule; /* the explorer's */
	char why[512];	    /* more about what is wrong */
};

void order_open(struct order *o);
void order_close(struct order *o);

/* Makes the calls before the block. Null, or what is wrong. */
const char *order_set_up(struct order *o, const struct trace *t);
/* After that: the block. */
const char *order_judge_block(struct order *o);
/* Both. */
const char *order_judge(struct order *o, const struct trace *t);

#endif
