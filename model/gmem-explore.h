/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libgmem, the part about calls that overlap: locks and their orders, who waits for whom, and every
 * interleaving. gmem.h includes it; who embeds the model alone needs nothing of it.
 */
#ifndef GMEM_GMEM_EXPLORE_H
#define GMEM_GMEM_EXPLORE_H

#ifndef GMEM_H
#include "gmem.h"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Locks: what could wait for what ---- */

struct gmem_lockdep;

/* Where a lock is taken, or somebody is waited for. */
struct gmem_lock_site {
	uint8_t class; /* gmem_lock_name() */
	uint8_t mode;  /* 0: read, 1: write */
	uint16_t row;
	uint32_t table;
	uint32_t verb; /* of the operation */
};

/* Who had held took, or waited for, taken. */
struct gmem_lock_link {
	struct gmem_lock_site held, taken;
};

enum gmem_lock_problem {
	GMEM_LOCK_CYCLE,	   /* the links lead back to where they began */
	GMEM_LOCK_RECURSION,	   /* a lock of the class that is held already */
	GMEM_LOCK_SLEEP,	   /* what may sleep, under a lock that spins */
	GMEM_LOCK_IN_NOTIFIER,	   /* what may sleep, inside the mmu notifier's call */
	GMEM_LOCK_IN_READ_SECTION, /* waiting for srcu's readers, and being one of them */
	GMEM_LOCK_NOT_HELD, /* given back and not held; held and taken are the row that did */
	GMEM_LOCK_LEFT,	    /* held when the call was over; both are the row that took it */
	GMEM_NR_LOCK_PROBLEMS,
};

#define GMEM_MOST_LOCK_LINKS 12
#define GMEM_MOST_LOCK_REPORTS 204

struct gmem_lock_report {
	uint8_t problem; /* enum gmem_lock_problem */
	uint32_t nr_links;
	struct gmem_lock_link links[GMEM_MOST_LOCK_LINKS];
};

/* A checker that has seen nothing; null if there is no memory. resize may be null. */
struct gmem_lockdep *gmem_lockdep_new(gmem_resize_fn resize, void *arg);
void gmem_lockdep_free(struct gmem_lockdep *d);
/* From now on d sees what calls in this world take; null ends it. Several worlds may share one. */
void gmem_watch_locks(struct gmem_world *w, struct gmem_lockdep *d);
/* Report number n, from 0; null past the last. */
const struct gmem_lock_report *gmem_lock_report(const struct gmem_lockdep *d, unsigned int n);
/* The n-th order that was seen; 0 past the last. */
int gmem_lock_order(const struct gmem_lockdep *d, unsigned int n, struct gmem_lock_link *link);
/* "kvm->slots_lock"; null for a number that is no class. */
const char *gmem_lock_name(unsigned int lock);
/* The mode in a word, such as "read" or "write"; empty where there is only one. Null as above. */
const char *gmem_lock_mode(unsigned int lock, unsigned int mode);
/* 1 if who wants it in one mode may have to wait for who has it in the other, else 0. */
int gmem_lock_waits(unsigned int lock, unsigned int wanted, unsigned int held);
/* What takes it, or waits, in the kernel: "mutex_lock(&kvm->slots_lock)". Null as above. */
const char *gmem_lock_call(unsigned int lock, unsigned int mode);

/* ---- Calls under way: who holds what, and waits for whom ---- */

enum gmem_lock_owner { GMEM_OF_VM, GMEM_OF_FILE, GMEM_OF_PROCESS };

/* One lock, of one object, and the row that took it or wants it. */
struct gmem_task_lock {
	uint8_t class; /* gmem_lock_name() */
	uint8_t mode;  /* gmem_lock_mode() */
	uint8_t owner; /* enum gmem_lock_owner */
	uint16_t row;
	uint32_t table;
	uint64_t number; /* of the owner: names it among those of its kind */
	int64_t fd;	 /* the lowest descriptor of it that the task's process has; -1 for none */
};

/*
 * The n-th lock that a task holds, from 0, those that it took first first; a VM whose notifications
 * it counts in comes last. 0 past the last.
 */
int gmem_task_lock(const struct gmem_world *w, uint32_t task, unsigned int n,
		   struct gmem_task_lock *lock);
/* What the task's next row has to wait for; 0 if it is in no call, or need not wait. */
int gmem_task_waits(const struct gmem_world *w, uint32_t task, struct gmem_task_lock *wanted);
/* 1 if what it waits for is held by other, which may be itself, and how; else 0. */
int gmem_task_waits_for(const struct gmem_world *w, uint32_t task, uint32_t other,
			struct gmem_task_lock *held);

/* What one VM is being told. */
struct gmem_invalidation {
	uint64_t number;       /* of the VM: as in struct gmem_task_lock */
	int64_t in_progress;   /* starts less ends */
	uint64_t gfn, gfn_end; /* what they cover together, in pages of the guest */
	int64_t fd;	       /* as there */
};
/* Of the n-th VM that there is, from 0; fd is the task's. 0 past the last. */
int gmem_invalidation(const struct gmem_world *w, uint32_t task, unsigned int n,
		      struct gmem_invalidation *told);

/* ---- Exploring: every order in which overlapping calls can run ---- */

/*
 * What overlaps: calls that several tasks make, each its own in their order. Calls are numbered
 * from 0; a handle that one makes is known when it is over, so each is asked for when it begins.
 */
struct gmem_overlap {
	const struct gmem_world *world; /* where all of them begin; no task is in a call */
	uint32_t nr_calls;		/* 1 to 65535 */
	const uint32_t *tasks;		/* of each call: who makes it; below GMEM_MAX_TASKS */
	struct gmem_call (*call)(void *arg, uint32_t n, const struct gmem_result *results);
	/* 0 if a call must not result in that; null: it may in anything */
	int (*accepts)(void *arg, uint32_t n, const struct gmem_result *r);
	/* all calls are over: 0 if it must not end so; null: it may in any way */
	int (*end)(void *arg, const struct gmem_world *w, const struct gmem_result *results);
	/* the world in which something was found; may be null */
	void (*found)(void *arg, const struct gmem_world *w);
	void *arg;
};

#define GMEM_NO_BOUND UINT32_MAX

struct gmem_explored;

/*
 * Shards: explorations of one overlap that run at the same time, in processes or machines of
 * their own. Every state belongs to one of them, which alone goes on from it. They work in turns:
 * in each a shard sends what belongs to others, and takes in what it was sent in the turn before.
 * All are given the same, but for the number of the shard and for how much it may take.
 */
struct gmem_exchange {
	/* Sends a message, which is gone afterwards, to a shard; which may be the sender. */
	void (*send)(void *arg, uint32_t to, const void *bytes, size_t size);
	/*
	 * The shard has done its part of this turn, and says GMEM_SAYS_*. Waits until all have, and
	 * returns what they have said together. Who has said FOUND or CUT takes no further turn,
	 * and need not wait. May give up, for which it returns CUT.
	 */
	uint32_t (*turn)(void *arg, uint32_t says);
	/*
	 * The next message of the turn that is over, valid until the next call of one of the three;
	 * 0 if that was the last. First those of shard 0, in the order in which it sent them.
	 */
	int (*receive)(void *arg, const void **bytes, size_t *size);
	void *arg;
};
#define GMEM_SAYS_SENT 1u /* something, in this turn */
#define GMEM_SAYS_FOUND 2u
#define GMEM_SAYS_CUT 4u /* by a bound, or there is no memory */

struct gmem_bounds {
	uint64_t states;      /* to remember; at least 1 */
	uint64_t memory;      /* bytes; 0: no bound */
	uint32_t depth;	      /* rows of one order; at least 1 */
	uint32_t preemptions; /* of one order: a task is left that could go on; or GMEM_NO_BOUND */
	/*
	 * 1: of orders that come to the same, one is gone through; what is found and how it ends
	 * is the same. Not together with a bound on preemptions, which then goes first.
	 */
	uint8_t reduce;
	/* One part of several that together are the whole: shard < shards. 0, 0: all of it. */
	uint32_t shard, shards;
	const struct gmem_exchange *exchange; /* with the others; if there are shards */
	/* Instead of all orders that many, drawn by chance from the seed. 0: all orders. */
	uint64_t walks, seed;
	/* 1: what is copied and hashed in part is held against the whole; I0 if they differ. Slow. */
	uint8_t verify;
	/*
	 * Instead of all orders this one: the tasks of nr_follow rows, in turn, each of which makes
	 * a call. Null: all orders.
	 */
	const uint32_t *follow;
	uint32_t nr_follow;
	/* asked now and then: 0 ends it. May be null. */
	int (*go_on)(void *arg, const struct gmem_explored *x);
	void *arg;
};

enum gmem_finding {
	GMEM_FOUND_NOTHING,
	GMEM_FOUND_VIOLATION, /* of an invariant: violation */
	GMEM_FOUND_DEADLOCK,  /* every task that is not over waits */
	GMEM_FOUND_RESULT,    /* a call must not result in that: call, result */
	GMEM_FOUND_END,	      /* it must not end so */
	GMEM_FOUND_MISUSE,    /* a call that cannot be asked, or is not its task's: call */
};

/* Why not everything was seen */
#define GMEM_CUT_STATES 1u
#define GMEM_CUT_MEMORY 2u
#define GMEM_CUT_DEPTH 4u
#define GMEM_CUT_PREEMPTIONS 8u
#define GMEM_CUT_TOLD 16u   /* go_on() */
#define GMEM_CUT_CHANCE 32u /* walks, or follow */
#define GMEM_CUT_SHARD 64u  /* another shard has found something, or was cut */

struct gmem_explored {
	uint64_t states;   /* that were met, each once; of a shard: its own; with walks: rows */
	uint64_t steps;	   /* rows that ran, or whose outcome was known from before */
	uint64_t revisits; /* rows that led to a state met before */
	uint64_t ends;	   /* states in which all calls are over; with walks: walks */
	uint64_t queue;	   /* states with rows that were not tried (yet) */
	uint64_t memory;   /* bytes, at most at one time */
	uint32_t depth;	   /* rows from the beginning */
	uint32_t deepest;
	uint32_t rounds; /* how often it began again, knowing more about what rows touch */
	uint8_t cut;	 /* GMEM_CUT_*; 0: everything was seen */
	uint8_t finding; /* enum gmem_finding */
	uint32_t call;
	struct gmem_result result;
	struct gmem_violation violation;
	uint32_t nr_schedule;
	/* the caller's, with room for bounds.depth: which task ran, row by row, up to the finding */
	uint32_t *schedule;
};

/*
 * Runs them in every order of their rows, up to the first finding. GMEM_DONE, GMEM_FAILED, or
 * GMEM_MISUSE: what overlaps, or a bound, is not as above, or a shard was sent what makes no sense.
 * Rows of one call run as gmem_step() runs them. Invariants that hold after every row are checked after
 * every row; those that hold between calls, in every end.
 */
enum gmem_status gmem_explore(const struct gmem_overlap *o, const struct gmem_bounds *bounds,
			      struct gmem_explored *x);

#ifdef __cplusplus
}
#endif
#endif
