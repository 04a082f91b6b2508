/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What gmem compare does with a difference: shrinks it, shows it, writes it as a trace. Each kind
 * (which call, which two answers, by which rule) once; the ones like it are counted.
 */
#ifndef DIFFERENCE_H
#define DIFFERENCE_H

#include "compare.h"

#define DIFFERENCE_KINDS 32 /* with so many there is no use in going on */

struct difference_kind {
	uint32_t verb, clause, model_broke;
	uint32_t model_outcome, kernel_outcome;
	int64_t model_error, kernel_error; /* 0 for successes */
};

struct differences {
	const char *keep; /* the folder to write to */
	struct difference_kind kinds[DIFFERENCE_KINDS];
	unsigned long times[DIFFERENCE_KINDS]; /* how often each was found */
	unsigned int nr_kinds;
	unsigned long differences, broken;
};

/* compare() has just found call number c->at of the trace to differ. The trace is used up. */
void difference_found(struct differences *d, struct comparer *c, struct trace *t, const char *name);
/* The same of compare_recorded(), of a program that is not run again: nothing is shrunk. */
void difference_of_program(struct differences *d, struct comparer *c, struct trace *t,
			   const char *name);
/* compare() has just got no answer from the kernel. */
void no_answer(struct differences *d, struct comparer *c, struct trace *t, const char *name);

#endif
