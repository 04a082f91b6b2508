/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parts of the generator of random calls, for each other; see random.h. generate.c chooses which
 * call comes next and keeps what it made, generate-use.c finds things to make it with, and
 * generate-calls.c makes it up.
 */
#ifndef GENERATE_H
#define GENERATE_H

#include "random.h"

#define PAGE GMEM_PAGE_SIZE
#define LITTLE (64 * PAGE) /* what may really be allocated by one call */
#define BASE_GPA 0x100000  /* where memslots are */
#define ANY_FILE (GMEM_FD_KVM | GMEM_FD_VM | GMEM_FD_GMEM)

static inline uint64_t below(struct generator *g, uint64_t n)
{
	return random_below(g->random, n);
}

static inline int one_in(struct generator *g, uint64_t n)
{
	return random_one_in(g->random, n);
}

static inline uint32_t task(const struct generator *g)
{
	return g->last.call.task;
}

/* How often a verb is made up, and how: into g->last, of which c is the call. */
struct generated_verb {
	uint8_t verb, weight;
	void (*make)(struct generator *g, struct gmem_call *c);
};
/* ends with a weight of 0 */
extern const struct generated_verb generated_verbs[];

/* A handle of the current task, of one of these kinds (0: a mapping); null if it has none. */
struct generated_handle *pick(struct generator *g, unsigned int fds);
/* The handle that this call made; null if it is gone. */
struct generated_handle *made_by(struct generator *g, int32_t from);
/* Null if there is none. */
struct generated_slot *pick_slot(struct generator *g);
/* Sets fd to a handle of one of these kinds; or, with null, to none, or for an ioctl to another. */
struct generated_handle *use_fd(struct generator *g, unsigned int fds, int is_ioctl);
/* Sets fd to some descriptor of that VM, if the task has one. */
void use_vm(struct generator *g, int32_t vm);
/* Sets addr into a mapping, or with null to nowhere; pages: to the beginning of a page. */
struct generated_handle *use_addr(struct generator *g, int pages);
/* The handle's size; some size for null. */
uint64_t size_of(const struct generated_handle *h);
/* The number of a page of so many bytes; now and then of one beyond. */
uint64_t some_page(struct generator *g, uint64_t size);

#endif
