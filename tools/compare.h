/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Asks the model and the real kernel the same questions.
 *
 * The kernel is held against the profile, which states what the interface promises. Where they
 * differ, the same release as it was shipped, known bugs included, is asked too: if that agrees
 * with the kernel the difference is known, and the model goes on from there.
 */
#ifndef COMPARE_H
#define COMPARE_H

#include "trace.h"

enum compared {
	COMPARED_SAME,	    /* but for known bugs */
	COMPARED_DIFFERENT, /* call number at */
	COMPARED_BROKEN,    /* call number at: one of the two did not answer; error.why says */
};

#define COMPARE_BUGS 8 /* that a release shipped with, at most */

struct comparer {
	const struct gmem_profile *profile;
	struct gmem_profile *shipped; /* with all its known bugs; null if it has none */
	struct gmem_profile *without[COMPARE_BUGS]; /* with all but one of them */
	unsigned int nr_bugs;
	struct gmem_machine machine;
	struct gmem_world *promised, *as_shipped, *fresh;
	void *kvm;

	/* of the trace compared last */
	size_t at, nr_calls, room;
	unsigned int known[COMPARE_BUGS];	   /* calls that differed by that bug */
	struct gmem_result *model, *kernel, *bugs; /* one a call */
	int model_broke;
	struct backend_error error;
};

/* BACKEND_DONE, or why not in c->error. */
enum backend_status comparer_open(struct comparer *c, const struct gmem_profile *profile,
				  const struct gmem_machine *machine);
void comparer_close(struct comparer *c);

/*
 * Runs the trace on both. Calls that the kernel back end cannot be asked are taken out of it (or,
 * where others need what they make, everything from there on).
 */
enum compared compare(struct comparer *c, struct trace *t);

/* The same with what the kernel has answered already, one result a call. */
enum compared compare_recorded(struct comparer *c, const struct trace *t,
			       const struct gmem_result *kernel);

/* Makes up a trace of at most length calls. */
void compare_generate(struct comparer *c, struct trace *t, uint64_t seed, unsigned int length);

#endif
