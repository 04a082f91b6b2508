/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The model and the oracle (oracle.h) side by side: every call is made on both.
 *
 *	struct pair p;
 *
 *	pair_open(&p);
 *	pair_begin(&p, profile, machine, GMEM_CHECK_CALLS);
 *	verdict = pair_call(&p, &call, &result);
 *	pair_close(&p);
 */
#ifndef PAIR_H
#define PAIR_H

#include <stdio.h>

#include "oracle.h"
#include "trace.h"

enum pair_verdict {
	PAIR_AGREES,
	PAIR_OUTSIDE,  /* the oracle has no opinion any more */
	PAIR_DIFFERS,  /* the oracle answers oracles */
	PAIR_VIOLATED, /* an invariant of the model, see gmem_violation() */
	PAIR_FAILED,   /* no memory for the model */
};

struct pair {
	struct gmem_world *world;
	struct oracle *oracle;
	const struct gmem_profile *profile;
	struct gmem_machine machine;
	enum gmem_checking checking;
	struct gmem_result oracles;
};

void pair_open(struct pair *p);
void pair_close(struct pair *p);
/* Both as new. */
void pair_begin(struct pair *p, const struct gmem_profile *profile,
		const struct gmem_machine *machine, enum gmem_checking checking);
/* Makes one what the other is; the checking stays its own. */
void pair_copy(struct pair *to, const struct pair *from);
/* r is the model's answer. */
enum pair_verdict pair_call(struct pair *p, const struct gmem_call *c, struct gmem_result *r);

/* What the calls of a trace come to, with the profile, machine and checking of the last begin. */
enum pair_verdict pair_run_trace(struct pair *p, const struct trace *t);
/* Prints the trace with the oracle's answers as demands, and what was wrong with the last one. */
void pair_explain(FILE *f, struct pair *p, struct trace *t);

#endif
