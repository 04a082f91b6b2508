/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A trace: calls, in the language of gmem-trace(5), and what is demanded of each.
 *
 *	struct trace t;
 *	struct trace_error e;
 *
 *	if (!trace_parse(&t, text, length, &e))
 *		fprintf(stderr, "%s:%u:%u: %s\n", file, e.line, e.column, e.reason);
 *	else
 *		trace_print(stdout, &t);
 *	trace_free(&t);
 *
 * trace-parse.c reads (with trace-lex.c for the letters and trace-names.c for what a name stands
 * for), trace-print.c writes, trace-run.c makes the calls on a back end, and trace.c holds what
 * all of them need. Printing is the exact inverse of parsing: parse(print(t)) equals t, and
 * print(t) is the canonical text of every text that parses to t.
 *
 * A trace refers to a handle by the number of the call that made it (struct linked_call), the
 * names are only for people. Functions that return int return 1 for yes and 0 for no.
 */
#ifndef TRACE_H
#define TRACE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "backend.h"
#include "gmem.h"

#define TRACE_MAX_LINE 4096 /* bytes in a line */
#define TRACE_MAX_LINES 100000
#define TRACE_MAX_NAMES 1024  /* names bound in one trace */
#define TRACE_MAX_NAME 32     /* characters in a name */
#define TRACE_MAX_TASKS 31    /* forks in one trace */
#define TRACE_MAX_ROWS 100000 /* in a schedule */
#define TRACE_MAX_SET 8	      /* members of a demanded set */
#define TRACE_MAX_BYTES (64u << 20)

/* One thing that is demanded of a result. */
struct trace_demand {
	uint32_t outcome; /* enum gmem_outcome */
	uint8_t fields;	  /* TRACE_WITH_*: which of the following count */
	int64_t value;
	uint64_t gpa, exit_size, exit_flags;
};
#define TRACE_WITH_VALUE 1u
#define TRACE_WITH_GPA 2u
#define TRACE_WITH_SIZE 4u
#define TRACE_WITH_FLAGS 8u
#define TRACE_LOADED 16u /* value looks like an errno, and is what was loaded */

struct trace_call {
	struct linked_call linked;
	char name[TRACE_MAX_NAME + 1]; /* that it binds; or empty */
	uint8_t nr_demands;	       /* more than one: any of them will do */
	uint8_t with_out;	       /* out is demanded too */
	uint32_t demands;	       /* the first one's place in trace.demands */
	uint64_t out;
	uint32_t line;	      /* in the text it came from; 0 for none */
	int32_t task_from;    /* the fork that made its task; -1 for the first */
	char *before, *after; /* comments: whole lines above it, and after it; or null */
};

struct trace {
	/* the header; zero or null where the trace does not say */
	const struct gmem_profile *profile;
	struct gmem_machine machine; /* gmem_machine_default, but for what the header says */
	uint8_t machine_says;	     /* TRACE_MACHINE_* */
	uint8_t has_seed;
	uint64_t seed;
	char *recorded; /* "Linux 6.18.44" */
	char *head;	/* comments above the header */
	char *tail;	/* comments after the last call */

	struct trace_call *calls;
	size_t nr_calls, room_calls;

	/* calls par_first to par_end overlap; par_end is 0 if none do */
	size_t par_first, par_end;
	uint32_t *schedule; /* which task's row runs next, row by row */
	size_t nr_schedule, room_schedule;
	struct trace_demand *demands;
	size_t nr_demands, room_demands;
};
#define TRACE_MACHINE_ARCH 1u
#define TRACE_MACHINE_TYPES 2u
#define TRACE_MACHINE_SMM 4u
#define TRACE_MACHINE_TDP 8u
#define TRACE_MACHINE_FDS 16u
#define TRACE_MACHINE_PHYS_BITS 32u
#define TRACE_MACHINE_IN_PLACE 64u

struct trace_error {
	uint32_t line, column; /* from 1; 0 if it is about the whole file */
	char reason[256];
};

/* ---- trace.c ---- */

void trace_init(struct trace *t);
void trace_free(struct trace *t);
/* A copy that shares nothing with the original. */
void trace_copy(struct trace *to, const struct trace *from);
/* Adds a call with nothing demanded; valid until the next one is added. */
struct trace_call *trace_add(struct trace *t, const struct linked_call *linked);
/* Adds a demand to the call, which must be the last that got one or have none yet. */
void trace_add_demand(struct trace *t, struct trace_call *c, const struct trace_demand *d);
/* Forgets what is demanded of the call. */
void trace_clear_demands(struct trace_call *c);
/* 1 if the call refers to call number n. */
int trace_refers(const struct trace_call *c, size_t n);
/* Takes out call number n, which no other call may refer to. */
void trace_drop(struct trace *t, size_t n);
/* 1 if both would print the same. */
int trace_equal(const struct trace *a, const struct trace *b);
/* 1 if anything is demanded of the result: a value, or that it binds the name. */
int trace_demands(const struct trace_call *c);
/* Demands exactly this result (of a call that binds: its success or its errno). */
void trace_demand_result(struct trace *t, struct trace_call *c, const struct gmem_result *r);
/*
 * After a run with these results: names that were not bound become the numbers they stood for
 * (-1, or address 0), so that the trace parses with the failures as demands.
 */
void trace_settle(struct trace *t, const struct gmem_result *results);
/* Gives every call that binds the usual name: vm0, f0, m0, p0, B. */
void trace_name_all(struct trace *t);

/* ---- trace-par.c ---- */

/* Makes the next call of the schedule, or none. */
void trace_schedule(struct trace *t, uint32_t task, size_t rows);
/* "par", "end" and the schedule before it, where they belong before call n (or at the end). */
void trace_print_par(FILE *f, const struct trace *t, size_t n);
/* The name of a task, "main" for the first. */
const char *trace_task_name(const struct trace *t, uint32_t task);

/* ---- trace-parse.c ---- */

/* On 0, *e says why and t is as trace_init() leaves it. */
int trace_parse(struct trace *t, const char *text, size_t length, struct trace_error *e);

/* Reads and parses a file, "-" for standard input. On 0, *e says why. */
int trace_read(struct trace *t, const char *path, struct trace_error *e);

/* ---- trace-print.c ---- */

void trace_print(FILE *f, const struct trace *t);
/* One call, without comments and demands. */
void trace_print_call(FILE *f, const struct trace *t, const struct trace_call *c);
/* What is demanded: "EINVAL", "{0, EINTR}", "success"; "" if nothing is. */
void trace_print_demand(FILE *f, const struct trace *t, const struct trace_call *c);
/* A result, as a demand for exactly it is written; "a descriptor" where the number is no matter. */
void trace_print_result(FILE *f, uint32_t verb, const struct gmem_result *r);
void trace_print_size(FILE *f, uint64_t v);
void trace_print_number(FILE *f, uint64_t v, enum gmem_param_kind kind);
int trace_out_matters(uint32_t verb, const struct gmem_result *r);
void trace_print_names(FILE *f, uint64_t v, const struct gmem_name *names, enum gmem_param_kind k);
void trace_print_machine(FILE *f, const struct gmem_machine *m, unsigned int says);

/* ---- trace-run.c ---- */

/* 1 if the result is as demanded, or nothing is. */
int trace_satisfied(const struct trace *t, const struct trace_call *c, const struct gmem_result *r);
/* 1 if both results mean the same for a caller: numbers of descriptors and addresses do not. */
int trace_results_agree(uint32_t verb, const struct gmem_result *a, const struct gmem_result *b);

struct trace_run {
	struct gmem_result *results; /* one a call; made by trace_run_init() */
	size_t done;		     /* how many calls were made */
	enum backend_status status;  /* unless BACKEND_DONE, of call number done */
	struct backend_error error;
	uint8_t *
		over; /* of calls in a block: 1 if it has its result, also where others have none */
	/* In a block, before each row: which call it is of. May be null. */
	void (*turn)(void *arg, size_t call);
	void *turn_arg;
	/* if not null: told of each row of calls that overlap, after it was run */
	void (*on_row)(void *arg, uint32_t task, size_t call, int over);
	void *on_row_arg;
};
void trace_run_init(struct trace_run *run, const struct trace *t);
void trace_run_free(struct trace_run *run);
/* trace-overlap.c: the whole block, by its schedule and then in the order in which it is written. */
int trace_run_par(struct trace_run *run, const struct trace *t, const struct backend *b, void *ctx);
/* Why no real kernel can be asked; null if it can. */
const char *trace_only_on_the_model(const struct trace *t);
/* Makes the next call. 0 if there is none, or it could not be made. */
int trace_run_step(struct trace_run *run, const struct trace *t, const struct backend *b,
		   void *ctx);
/* Makes all calls, on a fresh context. Those of a block can be made by the model alone. */
void trace_run_all(struct trace_run *run, const struct trace *t, const struct backend *b,
		   void *ctx);
/*
 * 1 if the results of these calls can be expected of that machine; 0 and *e if the trace says, or
 * its calls show, that it is about another one.
 */
int trace_fits_machine(const struct trace *t, const struct gmem_machine *m,
		       struct backend_error *e);

/* Whether such an outcome is an exit, with an address, a size and flags. */
static inline int trace_is_exit(uint32_t outcome)
{
	return outcome == GMEM_MEMORY_FAULT || outcome == GMEM_ERROR_EXIT || outcome == GMEM_MMIO;
}

#endif
