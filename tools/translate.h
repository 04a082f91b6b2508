/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tells a trace that was written for one design in the calls of another. A call that the other
 * design has is made as it is written; one that it does not have is told by the calls that mean
 * the same there, by a table (translate.c; gmem-trace(5) says what is in it); and where there are
 * none, there are none.
 *
 *	struct translator x;
 *
 *	translator_init(&x, &trace, profile);
 *	for (i = 0; i < trace.nr_calls; i++) {
 *		translate(&x, i, &told);
 *		... make x.t.calls[told.first .. told.first + told.nr - 1] in turn, up to the first
 *		    that fails, with the results in x.results ...
 *		translated(&x, i, &told, made);
 *	}
 *	translator_free(&x);
 *
 * What a call is told by depends on what those before it resulted in: a conversion by guest address
 * needs the memslot. So calls are told one at a time, when all before them have been made.
 */
#ifndef TRANSLATE_H
#define TRANSLATE_H

#include "trace.h"

#define TOLD_MOST 8 /* calls for one */

enum told_how {
	TOLD_AS_WRITTEN,
	TOLD_BY_OTHERS, /* other calls, or the same one with other parameters */
	TOLD_BEFORE,	/* no call: an earlier one has made already what its name stands for */
	TOLD_LATER,	/* no call: a later one will do that, when what it needs is there */
	TOLD_BY_NONE,	/* the design has no such thing */
	TOLD_NOT_ASKED, /* what it needs is not there */
};

struct told {
	uint8_t how;	/* enum told_how */
	uint32_t first; /* in translator.t */
	uint32_t nr;
	uint32_t main; /* of them, from 0: whose result is the call's if all succeed */
	char *note;    /* what to know about it, or null; the reader's to free */
};

/* Where a handle of the trace is in the translation. */
struct told_handle {
	int32_t call;	/* that made it; -1: nobody did */
	uint64_t delta; /* of an address: from the one that call made */
};

/* A memslot that is there. */
struct told_slot {
	int32_t vm;    /* the call that made the VM */
	int32_t vm_fd; /* the descriptor of it that was used */
	uint64_t slot;
	uint64_t gpa, size;
	int32_t file; /* the call that made the guest_memfd */
	uint64_t offset;
};

/* Memory of the program that stands for what a file of this design cannot have: shared pages. */
struct told_stand_in {
	int32_t file;
	uint64_t offset, size;
	uint32_t call; /* in the translation */
};

/* A conversion of a range that no memslot has, until one has it. */
struct told_wanted {
	int32_t root; /* the call that made the file; or the VM, and then it is of guest addresses */
	uint32_t call; /* of the trace */
	uint32_t verb; /* by which, with which word */
	uint64_t word;
	uint64_t start, size;
};

struct translator {
	const struct trace *from; /* and the design that it was written for */
	const struct gmem_profile *from_profile, *profile;
	uint8_t from_family, family;
	uint8_t same; /* both are one design */

	struct trace t; /* the translation */
	struct gmem_result *results;
	size_t room_results;

	struct told_handle *handles; /* of each call of the trace */
	int32_t *roots;		     /* of each: the call that made what it duplicates, or itself */
	uint8_t *closed;	     /* of each: 1 if its handle was closed */
	struct told_slot *slots;
	size_t nr_slots, room_slots;
	int32_t *
		waits; /* of each: 1 more than the call that makes the VM which it waits for; or 0 */
	struct told_wanted *wanted;
	size_t nr_wanted, room_wanted;
	struct told_stand_in *stand_ins;
	size_t nr_stand_ins, room_stand_ins;
};

/* from_profile is what the trace was written for. */
void translator_init(struct translator *x, const struct trace *from, const struct gmem_profile *to);
void translator_free(struct translator *x);
/* Tells call number n: appends to x->t what is to be made for it. */
void translate(struct translator *x, size_t n, struct told *told);
/* All of them succeeded, if that is so; else some were not made. */
void translated(struct translator *x, size_t n, const struct told *told, int succeeded);

#endif
