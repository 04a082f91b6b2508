/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a step really reads and writes, held against what model/touch.c says of it.
 *
 *	touched_begin(world, &call);			instead of gmem_begin()
 *	touched_step(world, task, &progress, &result);	instead of gmem_step()
 *	touched_wrong();				how often a step did more than is said
 *
 * The functions of the steps are compiled once more for this, so that each of their accesses calls
 * touch-record.c, and linked so that each of their calls of a range tree does. touch-places.c knows
 * which place of which object an access is; touch-judge.c holds that against the declarations.
 */
#ifndef TOUCHED_H
#define TOUCHED_H

#include "state.h"
#include "touch.h"

/* ---- touch-record.c ---- */

enum touched_what { TOUCHED_FIELD, TOUCHED_TREE, TOUCHED_BORN, TOUCHED_FREED };

struct touched {
	uint8_t what, write, is_zero; /* a tree is set to 0 */
	uint32_t cell;		      /* or NO_CELL: the head of the block */
	uint32_t offset;	      /* in it; of a tree: of its root */
	uint64_t start, end;	      /* of a tree: keys */
};
#define NO_CELL UINT32_MAX
#define MOST_TOUCHED 65536u

/* Everything that is touched in the world goes into a list, until touched_stop(). */
void touched_record(struct gmem_world *w, uint32_t task);
/* The list; NULL and 0 if something could not be told. */
const struct touched *touched_stop(uint32_t *n);

/* ---- touch-places.c ---- */

/* An access, as a place of an object. */
struct touched_need {
	uint32_t place; /* enum gmem_place, LOCK_PLACE(); or one of these: */
	uint32_t owner; /* the object's cell */
	uint8_t write;
	uint8_t has_pages;
	uint64_t start, end; /* pages */
};
#define NO_NEED 64u	 /* what never changes, or concerns nobody */
#define LOCALS_NEED 65u	 /* other tasks' locals: to say WRITE of what they count in there */
#define UNKNOWN_NEED 66u /* there is no such field, or it may not be written */

enum touched_kind {
	KIND_NONE,
	KIND_INODE,
	KIND_FILE,
	KIND_VM,
	KIND_SLOT,
	KIND_PROCESS,
	KIND_VMA,
	KIND_PIN,
	KIND_TASK,
	KIND_OP,
	KIND_HEAD,
	NR_KINDS,
};

/* What each cell of the world is. */
void touched_look(const struct gmem_block *b);
enum touched_kind touched_kind_of(const struct gmem_block *b, uint32_t cell);
const char *touched_kind_name(enum touched_kind kind);
const char *touched_place_name(uint32_t place);
/* The kind of tree whose root is there: false if there is none. */
bool touched_is_root(enum touched_kind kind, uint32_t offset);
/*
 * What an access to a cell that was there before is; before is the world before it, and task the
 * cell of the task. *also is another place, or NO_NEED: for a reader one that does as well, and for
 * a writer one that has to be said, too.
 */
struct touched_need touched_need_of(const struct gmem_block *before, uint32_t task,
				    const struct touched *a, struct touched_need *also);

/* ---- touch-locals.c ---- */

/* Whether the locals name the object to which such a place belongs. */
bool touched_names(const struct gmem_task *t, uint32_t place, uint32_t owner);
/* Whether the task tells VMs of its pages: others look where it stands. */
bool touched_tells(const struct gmem_task *t);
/* Which of the spans of struct gmem_touch is about the place; 3 if none is. */
unsigned int touched_span_of(uint32_t place);
/* Whether the access is within that span, an enum gmem_span. */
bool touched_is_in(const struct gmem_block *b, const struct touched_need *n,
		   const struct gmem_task *t, unsigned int at);

/* ---- touch-judge.c ---- */

/* Instead of gmem_begin() and gmem_step(). */
enum gmem_status touched_begin(struct gmem_world *w, const struct gmem_call *c);
enum gmem_status touched_step(struct gmem_world *w, uint32_t task, enum gmem_progress *progress,
			      struct gmem_result *r);
/* What is looked at, for complaints. */
void touched_in(const char *format, ...) __attribute__((format(printf, 1, 2)));
unsigned int touched_wrong(void);
/* How often it looked at what had been freed. */
unsigned int touched_freed(void);
/* Back to so many; how many more there had been. */
unsigned int touched_forget(unsigned int wrong);
/* What steps are held against, if not gmem_touch_of(). */
void touched_hold_against(const struct gmem_touch *(*say)(const char *name));

/* ---- touch-seen.c ---- */

void touched_ran(const char *step);
void touched_saw(const char *step, const struct touched_need *n, bool is_named, uint32_t spans);
/* How often a step, or a condition, was looked at. */
uint64_t touched_times(const char *step);
/* Prints which of what is said was never seen, and what spans would do where none is said. */
void touched_report(void);

/* ---- touch-calls.c ---- */

struct gmem_world *touched_world(const struct gmem_profile *p, const struct gmem_machine *m);
/* Makes a call and looks at each of its rows. 0 if it does not come to its end. */
int touched_call(struct gmem_world *w, const struct gmem_call *c, struct gmem_result *r);
/* A world full of calls: of one task, of threads, or of processes, by the seed. */
void touched_random_world(const struct gmem_profile *p, uint64_t seed);

#endif
