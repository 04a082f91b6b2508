/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two halves of the generator of random calls, for each other; see random.h.
 */
#ifndef GENERATE_H
#define GENERATE_H

#include "random.h"

/* How often a verb is made up, and how: into g->last, of which c is the call. */
struct generated_verb {
	uint8_t verb, weight;
	void (*make)(struct generator *g, struct gmem_call *c);
};
/* ends with a weight of 0 */
extern const struct generated_verb generated_verbs[];

/* A handle of the current task, of one of these kinds (0: a mapping); null if it has none. */
struct generated_handle *generated_pick(struct generator *g, unsigned int fds);
/* The handle that this call made; null if it is gone. */
struct generated_handle *generated_by(struct generator *g, int32_t from);

#endif
