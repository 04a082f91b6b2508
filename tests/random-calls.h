/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random calls for tests without a kernel. tools/random.h makes up what can be asked of a real one;
 * this asks for everything: private memory, wrong numbers in every parameter, descriptors that
 * are closed, calls that repeat an earlier one but for one parameter. It knows of a verb what
 * gmem_verb_info() says and no more, and of a profile whether its pages convert, and may be huge.
 *
 *	random_calls_begin(&rc, &random, profile, types);
 *	for (...) {
 *		random_call(&rc, &linked);
 *		... make it ...
 *		random_call_result(&rc, &result);
 *	}
 */
#ifndef RANDOM_CALLS_H
#define RANDOM_CALLS_H

#include "random.h"

#define RANDOM_CALLS_MOST 256 /* calls in one world */
#define RANDOM_CALLS_TASKS 4  /* at a time; numbers are used again */

struct random_calls {
	struct random *random;
	uint8_t types; /* bits of VM types to make */
	uint8_t favourite;
	uint8_t opens, opening;
	uint8_t converts;	  /* by which ioctls; enum random_calls_conversion */
	uint8_t has_huge_pages;	  /* in this world */
	uint8_t order_is_a_field; /* of its own, not a flag */
	uint8_t init_private;	  /* INIT_PRIVATE is a flag, not INIT_SHARED */
	uint32_t tasks;		  /* bits */
	uint8_t process[RANDOM_CALLS_TASKS], processes; /* of each task; ever */
	uint8_t family;					/* enum random_calls_family */
	uint32_t nr_calls;
	struct linked_call calls[RANDOM_CALLS_MOST];
	/* of each call that bound something: */
	uint32_t kind
		[RANDOM_CALLS_MOST]; /* GMEM_FD_*, or RANDOM_CALLS_MAPPING; 0: nothing, or gone */
	uint32_t had_by[RANDOM_CALLS_MOST]; /* bits of processes */
};
#define RANDOM_CALLS_MAPPING (UINT32_C(1) << 31)

enum random_calls_family {
	RANDOM_CALLS_GUEST_MEMFD,
	RANDOM_CALLS_MEMFILE,
	RANDOM_CALLS_RESTRICTED,
	RANDOM_CALLS_SHIM
};

enum random_calls_conversion {
	RANDOM_CALLS_NONE,
	RANDOM_CALLS_ATTRIBUTES,
	RANDOM_CALLS_SHAREABILITY
};

void random_calls_begin(struct random_calls *rc, struct random *random,
			const struct gmem_profile *profile, uint8_t types);
void random_call(struct random_calls *rc, struct linked_call *l);
void random_call_result(struct random_calls *rc, const struct gmem_result *r);

#endif
