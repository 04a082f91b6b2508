/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stupid judge: a second implementation of doc/spec.md, for x86-64, that shares nothing with
 * the model but the words in which calls are made (gmem.h).
 *
 *	struct oracle *o = oracle_new();
 *
 *	oracle_begin(o, profile, machine);
 *	if (oracle_call(o, &call, &models, &r) == ORACLE_ANSWERS)
 *		... r is what the model should have answered
 *	oracle_free(o);
 *
 * Everything is a list, and every question a walk through one: no ranges that merge, no page
 * tables, no reference counts, no locks, no steps. A page is an array of 4096 bytes.
 *
 * The lists are short. A call that would need more, or that says what the language of traces
 * cannot say, is ORACLE_OUTSIDE: the oracle then knows nothing about the world any more.
 */
#ifndef ORACLE_H
#define ORACLE_H

#include "gmem.h"

struct oracle;

enum oracle_answer {
	ORACLE_ANSWERS,
	ORACLE_MISUSE,	/* the library should answer GMEM_MISUSE; nothing changed */
	ORACLE_OUTSIDE, /* no opinion, now and for this world ever after */
};

/* Ends the program if there is no memory. */
struct oracle *oracle_new(void);
void oracle_free(struct oracle *o);

/* Forgets everything: one process, with /dev/kvm open. */
void oracle_begin(struct oracle *o, const struct gmem_profile *profile,
		  const struct gmem_machine *machine);
void oracle_copy(struct oracle *to, const struct oracle *from);

/*
 * Makes the call. models is what the model answered, and is looked at for one thing only: where it
 * put a new mapping, which is anybody's choice as long as nothing else is there.
 */
enum oracle_answer oracle_call(struct oracle *o, const struct gmem_call *c,
			       const struct gmem_result *models, struct gmem_result *r);

/* 1 if both say the same: outcome, value, and what else that outcome of that verb has. */
int oracle_agrees(uint32_t verb, const struct gmem_result *a, const struct gmem_result *b);

#endif
