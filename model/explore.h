/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The explorer, between its files: explore.c searches, explore-node.c runs rows in the states of
 * a path, explore-seen.c remembers states, explore-touch.c says what a row touched,
 * explore-reduce.c which tasks it is enough to go on with, and explore-shard.c speaks with others
 * that explore the same.
 */
#ifndef GMEM_EXPLORE_H
#define GMEM_EXPLORE_H

#include "ops.h"
#include "state.h"
#include "step.h"
#include "touch.h"

#define NOBODY UINT32_MAX

/* What was found by running a row, if finding is not GMEM_FOUND_NOTHING. */
struct found {
	uint8_t finding;
	uint32_t call;
	struct gmem_result result;
	struct gmem_violation violation;
};

/* How the world of a node differs from the one it was copied from, if that is easily said. */
struct undo {
	bool known;
	uint32_t cells[8]; /* 0: none */
};

/* One state of the path. */
struct node {
	struct gmem_world *w;
	struct gmem_result *results; /* of the calls that are over */
	uint16_t *pos;		     /* of each task: how many of its calls were begun */
	uint64_t *hashes;	     /* of each task: what only its own rows change */
	uint64_t *ahead;	     /* of each of looked: the sum of the state that it leads to */
	uint8_t *wants;		     /* of each of kept: the lock that it takes, or GMEM_NR_LOCKS */
	struct gmem_hash shared;     /* and the rest */
	struct undo undo;	     /* since its world was that */
	bool changed;		     /* since: more than a task's own */
	uint64_t copy_of;	     /* of the state with that serial */
	uint64_t counted;	     /* of its world, in gmem_explored.memory */
	uint64_t sum;		     /* of what the hash is of */
	uint64_t hash;
	bool quiet;	   /* the row that led here did nothing that others' rows depend on, */
	uint8_t took;	   /* but for this lock, or GMEM_NR_LOCKS */
	uint32_t all;	   /* the tasks that are not over, a bit each */
	uint32_t todo;	   /* those to go on with, */
	uint32_t tried;	   /* and with which that was done */
	uint32_t looked;   /* those of todo whose next row was run, beside the path, */
	uint32_t standing; /* and whose is still there, after the state; or NOBODY */
	uint32_t kept;	   /* whose row will do the same after a row that is quiet, */
	uint32_t waits;	   /* and of them, who waits */
	uint32_t mover;	   /* whose row was run last in its copy */
	uint32_t saved;	   /* cells, of the state before */
	uint32_t last;	   /* the task that ran last */
	uint32_t preemptions;
	uint64_t serial;
	uint32_t alone; /* rows since the last state that was remembered */
	uint8_t met;	/* enum met */
	bool ran;	/* some task could run */
	struct found found;
};

/* States that were met, by hash: open addressing, 0 is empty. */
struct seen {
	uint64_t *table;
	uint64_t n, room;
};

/* ---- what rows touch ---- */

#define LOCKS LOCK_PLACE(0)
/* READ: what objects name; WRITE: an object is freed. */
#define FREED LOCK_PLACE(GMEM_NR_LOCKS)
#define NR_PLACES (FREED + 1)

struct access {
	uint32_t owner; /* the object's cell; 0: whichever */
	uint8_t place;
	bool writes;
	uint64_t start, end; /* of its pages */
};

#define MOST_ACCESSES 96u

struct footprint {
	unsigned int n;
	bool all; /* it did not fit: everything was touched */
	struct access list[MOST_ACCESSES];
};

/* A task's next step, seen from the world before it. */
struct step {
	bool first;		   /* of its call: the locals mean nothing yet */
	uint16_t table, from, row; /* the row, and the first whose condition is asked */
	struct gmem_task before;
	struct gmem_held held[GMEM_MAX_HELD];
};

static inline uint64_t gmem_mixed(uint64_t h, uint64_t x)
{
	h = (h ^ x) * UINT64_C(0x9e3779b97f4a7c15) + UINT64_C(0xd6e8feb86659fd93);
	return h ^ h >> 29;
}

/* What the functions of a row touch. */
struct row_touches {
	const struct gmem_touch *when, *act; /* or null */
	bool changes;			     /* more than the task itself, locks, */
	bool fgets;			     /* and references on files, if it does that */
};

/* Bytes that are sent. */
struct bytes {
	uint8_t *at;
	size_t n, room;
};

/* What a shard has of its own. */
struct shard {
	bool sent;		    /* something, in this turn */
	bool over;		    /* the last turn was taken */
	bool misused;		    /* it received what makes no sense */
	unsigned int locks;	    /* how much the others know of what the lock checker has seen */
	struct bytes message, kept; /* kept: the tasks, by number, of the rows to the states kept */
};

#define BACK_WORDS 4u

/* Two worlds for all states of the path. */
struct back {
	bool on;
	bool all_dirty;		    /* any cell of the front may differ from the base's, */
	uint64_t dirty[BACK_WORDS]; /* or these: a bit each */
	struct saved *saved;
	size_t nr_saved, room;
	uint64_t counted; /* of the worlds, in gmem_explored.memory */
};

struct explorer {
	const struct gmem_overlap *o;
	const struct gmem_bounds *bounds;
	struct gmem_explored *x;
	gmem_resize_fn resize;
	void *resize_arg;
	uint32_t tasks[GMEM_MAX_TASKS], nr_tasks;
	uint16_t *calls; /* of each task in turn: the numbers of its calls */
	uint16_t first[GMEM_MAX_TASKS + 1];
	struct node *path;
	uint32_t nr_path, room;
	uint32_t nr_kept; /* of it: states that lead to one that was received */
	uint64_t asked;	  /* rows at which go_on() is asked next */
	struct shard shard;
	struct seen seen;
	struct back back;
	struct reduction *reduction; /* null: every order */
	struct row_touches *rows;    /* of every table in turn */
	uint32_t first_row[GMEM_NR_TABLES + 1];
	size_t hash_size;	     /* of struct gmem_hash, as far as there are tasks */
	uint64_t cells;		     /* that the calls may need together; 0: it is not known */
	uint16_t ran_table, ran_row; /* the row that ran last, */
	bool ran_something;	     /* if one did */
	uint32_t fresh;		     /* kinds of objects that the calls may make: a bit each */
	uint64_t memory;	     /* that it has, in bytes */
	uint64_t serial;	     /* of the last state that became a part of the path */
	struct node scratch;	     /* of the self-check */
	bool looks;		     /* ahead */
	bool verify;
	bool failed; /* no memory */
};

/* explore-ask.c: whether there is anything to explore, and within bounds that mean something. */
bool gmem_explore_makes_sense(const struct gmem_overlap *o, const struct gmem_bounds *b);

/* explore-begin.c: the first state, in root; and the end of everything. */
bool gmem_explore_begin(struct explorer *e, struct node *root);
void gmem_explore_finish(struct explorer *e, struct node *root);

/* explore-node.c */
/* It has so much more, or as a negative number less. */
void gmem_explore_count(struct explorer *e, uint64_t more);
void *gmem_explore_get(struct explorer *e, void *p, size_t old, size_t new);
/* Makes an empty node, if it is not made already. */
bool gmem_node_make(struct explorer *e, struct node *n);
void gmem_node_free(struct explorer *e, struct node *n);
bool gmem_node_copy(struct explorer *e, struct node *to, const struct node *from);
/* The same, where to's world may have been from's but for one row. */
bool gmem_node_copy_again(struct explorer *e, struct node *to, const struct node *from);
/* All but the world. */
void gmem_node_copy_rest(const struct explorer *e, struct node *to, const struct node *from);
/* Makes room for all but the world. */
bool gmem_node_make_rest(struct explorer *e, struct node *n);
/* With verify: the world of to has to be that of from. */
void gmem_node_verify_copy(struct node *to, const struct node *from);
/* A short cut has led elsewhere: a violation of I0 at n. */
void gmem_node_lost_track(struct node *n, const char *saw, uint64_t a, uint64_t b);
/* Sets the hashes of the first state. */
void gmem_node_begin(struct explorer *e, struct node *n);
/* The tasks that are not over, a bit each. */
uint32_t gmem_node_tasks(const struct explorer *e, const struct node *n);
uint64_t gmem_node_hash(const struct explorer *e, const struct node *n);
enum ran { RAN, WAITS, FOUND };
/* Runs the next row of task t in n; touched may be null. Which invariants hold then is to be asked. */
enum ran gmem_node_check(const struct explorer *e, struct node *n);
enum ran gmem_node_run(struct explorer *e, struct node *n, uint32_t t, struct footprint *touched);

/* explore-seen.c */
enum met { NOT_MET, NEW, SEEN, ON_PATH, SENT };
/* It will be asked for soon. */
void gmem_seen_fetch(const struct seen *s, uint64_t hash);
bool gmem_seen_has(const struct seen *s, uint64_t hash);
/* Meets a state: it is on the path from now on. */
enum met gmem_seen_meet(struct explorer *e, struct seen *s, uint64_t hash);
/* The state is on the path no more. */
void gmem_seen_leave(struct seen *s, uint64_t hash);
void gmem_seen_free(struct explorer *e, struct seen *s);

/* explore-touch.c */
bool gmem_rows_begin(struct explorer *e, const struct gmem_profile *p);
void gmem_rows_end(struct explorer *e);
static inline const struct row_touches *gmem_row_touches(const struct explorer *e, uint32_t table,
							 uint32_t row)
{
	return &e->rows[e->first_row[table] + row];
}
/* The kinds of objects that the call may make: a bit each. */
uint32_t gmem_kinds_made_by(const struct gmem_call *c);
/* What the task, which is in a call, would do next. */
void gmem_step_look(struct gmem_world *w, uint32_t task, bool first, struct step *s);
/* What it touched: w is the world after it. */
void gmem_step_touches(const struct explorer *e, const struct step *s, const struct gmem_world *w,
		       uint32_t task, struct footprint *f);

/* explore-reduce.c */
bool gmem_reduce_begin(struct explorer *e, const struct node *root);
void gmem_reduce_end(struct explorer *e);
/* Whether something was learned since the last time this was asked. */
bool gmem_reduce_learned(struct explorer *e);
/* The tasks, a bit each, that it is enough to go on with from n. */
uint32_t gmem_reduce(struct explorer *e, const struct node *n);
/* Where task t's next row led from n, if that is known: takes it away. Or null. */
struct node *gmem_reduce_child(struct explorer *e, const struct node *n, uint32_t t, enum ran *ran);
/* Runs the next row of task t in n, a copy of from, and learns from it. */
enum ran gmem_reduce_run(struct explorer *e, const struct node *from, struct node *n, uint32_t t,
			 struct footprint *touched);

/* explore-shard.c */
static inline bool gmem_is_shard(const struct explorer *e)
{
	return e->bounds->shards != 0;
}
/* The shard that goes on from n; which has its hash. */
uint32_t gmem_shard_of(const struct explorer *e, const struct node *n);
/* Sends n, which rows of the schedule lead to, to its shard. */
void gmem_shard_send(struct explorer *e, const struct node *n, uint32_t rows);
/* The first turn: whether all shards are there. */
bool gmem_shard_meet(struct explorer *e);
/* All shards together: from root, and from what is received. */
void gmem_shard_search(struct explorer *e, const struct node *root);
/* Whether any shard has learned something; if so, all know the same afterwards. */
bool gmem_shard_learned(struct explorer *e);
void gmem_shard_end(struct explorer *e);
void gmem_bytes_put(struct explorer *e, struct bytes *b, uint64_t number, unsigned int size);

/* explore-tell.c: all that was learned, as bytes; and from there. */
void gmem_points_put(struct explorer *e, struct bytes *b);
bool gmem_points_take(struct explorer *e, const uint8_t *at, size_t n);

/* explore-look.c */
/* Makes child a copy of n, the state before it. */
bool gmem_look_from(struct explorer *e, struct node *child, const struct node *n);
/* Runs the next row of t there. */
enum ran gmem_look_run(struct explorer *e, struct node *child, uint32_t t);
/* Looks ahead from n, the last of the path: who leads to nothing new need not be tried. */
void gmem_look_ahead(struct explorer *e, struct node *n, struct node *child);
/* Whether the state that t leads to was met since. */
bool gmem_looked_in_vain(const struct explorer *e, const struct node *n, uint32_t t);

/* explore-back.c: if e->back.on */
/* A row was run in the front, which n has: what is dirty now. */
void gmem_back_note(struct explorer *e, const struct node *n);
/* The front, which to has, becomes the base, which from has. */
bool gmem_back_copy(struct explorer *e, struct node *to, const struct node *from);
/* n, which follows another, is to have a next one: it gets the base, and the next one the front. */
bool gmem_back_forward(struct explorer *e, struct node *before, struct node *n, struct node *next);
/* The other way round. */
void gmem_back_back(struct explorer *e, struct node *before, struct node *n, struct node *next);
void gmem_back_end(struct explorer *e);

/* explore-walk.c */
uint32_t gmem_count_bits(uint32_t mask);
/* That many orders by chance; x->cut says so. */
void gmem_walk(struct explorer *e, const struct node *root, uint64_t walks, uint64_t seed);
/* The order that the bounds give, as far as it goes. */
void gmem_follow(struct explorer *e, const struct node *root);

/* explore-stop.c */
/* How many states of the path, without those that are kept, have tasks to go on with. */
uint64_t gmem_explore_queue(const struct explorer *e);
/* What was found at n, after rows rows, is what the exploration found. */
void gmem_explore_found(struct explorer *e, const struct node *n, uint32_t rows);
/* Whether there is no going on: a finding, no memory, or a bound, which is noted. */
bool gmem_explore_must_stop(struct explorer *e);
/* Of an end: is it as it must be? */
void gmem_explore_end(struct explorer *e, struct node *n, uint32_t rows);

/* explore.c */
/* Task t has run a row that led from n to child. */
void gmem_note_switch(struct explorer *e, const struct node *n, struct node *child, uint32_t t);
/* The task to try next: who ran last goes on first. */
static inline uint32_t gmem_next_task(const struct node *n, uint32_t of)
{
	if (n->last != NOBODY && of >> n->last & 1)
		return n->last;
	return (uint32_t)__builtin_ctz(of);
}
/* Everything from the first state on. */
void gmem_explore_root(struct explorer *e, const struct node *root);
/* Repeats the rows of a schedule from the first state: those that are kept, and then these. */
bool gmem_explore_repeat(struct explorer *e, const struct node *root, const uint8_t *tasks,
			 uint32_t rows);
/* Everything from the state on that was repeated; its hash has to be that. */
bool gmem_explore_from(struct explorer *e, uint64_t hash);

#endif
