/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes a trace small while it keeps what makes it interesting.
 */
#ifndef SHRINK_H
#define SHRINK_H

#include "trace.h"

/* 1 if the trace still has it. It may look only at the trace's calls. */
typedef int (*shrink_fn)(void *arg, const struct trace *t);

/*
 * Drops calls, with those that need what they make, then makes numbers simpler, until nothing
 * more can go. The last call stays. t itself must be interesting, and is changed in place.
 */
void shrink(struct trace *t, shrink_fn interesting, void *arg);
/* Only drops calls, the last one too. */
void shrink_calls(struct trace *t, shrink_fn interesting, void *arg);

#endif
