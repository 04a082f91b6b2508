/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One trace under several designs: a column for each design, a row for each call, in each cell what
 * it was told by there, its result, the rule that decided, and the state that it left.
 *
 *	struct diff d = { .file = "x.trace", .t = &trace };
 *
 *	diff_add(&d, profile, NULL);
 *	diff_run(&d);
 *	diff_text(stdout, &d, 0);
 *	diff_free(&d);
 *
 * diff-run.c makes the calls, diff-look.c sees what state they leave; diff-text.c, diff-markdown.c,
 * diff-html.c and diff-json.c show it.
 */
#ifndef DIFF_H
#define DIFF_H

#include <stdio.h>

#include "trace.h"
#include "translate.h"

/* ---- what state there is ---- */

/* What can be true of a page. */
enum look_bit {
	LOOK_PRIVATE,
	LOOK_ALLOCATED,
	LOOK_POISONED,
	LOOK_HOST,  /* mapped by the program */
	LOOK_GUEST, /* mapped by the guest */
	LOOK_BOUND, /* a memslot's */
	LOOK_PINNED,
	LOOK_BITS
};
extern const char *const look_names[LOOK_BITS];

struct look_run {
	uint64_t first, end; /* pages */
	uint32_t bits;
};

#define LOOK_MOST_RUNS 64u

/* The pages of one inode. */
struct look_strip {
	struct look_run *runs;
	uint32_t nr_runs;
	uint8_t there; /* the inode is; it may have no pages */
	uint8_t more;  /* there are more runs than fit */
};

/* The number of the inode that a descriptor of the task, or its address, leads to; 0 if none. */
uint64_t look_fd(const struct gmem_world *w, uint32_t task, int64_t fd);
uint64_t look_addr(const struct gmem_world *w, uint32_t task, uint64_t addr);
void look_at(const struct gmem_world *w, uint64_t ino, struct look_strip *strip);

/* ---- the comparison ---- */

/* A file, or memory of the program, whose pages are shown. */
struct diff_object {
	char name[TRACE_MAX_NAME + 1];
	uint64_t ino;
};

/* After a call: a strip for each object that there was by then. */
struct diff_state {
	struct look_strip *strips;
	uint32_t nr;
};

struct diff_cell {
	struct told told;
	uint32_t made;	  /* how many of its calls were made */
	uint32_t decided; /* which of the translation's calls has the result; if any was made */
	uint32_t state;	  /* in the column's states */
	uint32_t group;	  /* of the row: the first column with an equal result */
};

struct diff_column {
	const struct gmem_profile *profile;
	struct gmem_profile *copy; /* the same, to be freed; or null */
	const char *name;
	struct translator x;
	struct diff_cell *cells; /* of each call */
	struct diff_object *objects;
	size_t nr_objects, room_objects;
	struct diff_state *states;
	size_t nr_states, room_states;
	char *ended;	  /* why no more calls were made; or null */
	uint32_t same_as; /* the first column in which every cell is the same; or this one */
};

struct diff {
	const char *file;
	const struct trace *t;
	struct diff_column *columns;
	size_t nr, room;
	uint8_t with_states; /* they are looked at; columns with other states are not the same */
	size_t nr_differing;
	uint8_t *clauses; /* of each number: 1 if it decided a call whose results differ */
};

/* Adds a column; copy may be null. 0 if it is there already, and then copy is freed. */
int diff_add(struct diff *d, const struct gmem_profile *p, struct gmem_profile *copy);
void diff_run(struct diff *d);
void diff_free(struct diff *d);

/* ---- what there is to show ---- */

/* 1 if the results of call number n are not all equal. */
int diff_differs(const struct diff *d, size_t n);
/* The result of a cell in words; free() it. */
char *diff_result(const struct diff *d, size_t column, size_t n);
/* The number of the clause that decided; 0 if none did. */
unsigned int diff_clause(const struct diff *d, size_t column, size_t n);
/* The calls that were made for a cell, if they are not as written; null past the last. free() it. */
char *diff_call(const struct diff *d, size_t column, size_t n, uint32_t nth);
/* 1 if the cells of call number n show the same: calls, result, note, clause. */
int diff_cells_equal(const struct diff *d, size_t n, size_t a, size_t b);
/* The columns that are shown in this one's place, "A, B"; free() it. */
char *diff_column_names(const struct diff *d, size_t column);
int diff_strips_equal(const struct look_strip *a, const struct look_strip *b);
/* 1 if the column is shown, and not another one in its place. */
static inline int diff_is_shown(const struct diff *d, size_t column)
{
	return d->columns[column].same_as == column;
}
/* The name of that clause; null for none. */
const char *diff_clause_name(unsigned int clause);

/* Valid UTF-8 on one line, with blanks for what would control a terminal; free() it. */
char *diff_plain(const char *s);
/* What to know about the order of the calls; free() it. Null if there is nothing. */
char *diff_order(const struct diff *d);

/* With only, calls whose results are equal are left out. */
void diff_text(FILE *f, const struct diff *d, int only);
void diff_markdown(FILE *f, const struct diff *d, int only);
void diff_html(FILE *f, const struct diff *d, int only);
void diff_json(FILE *f, const struct diff *d, int only);

#endif
