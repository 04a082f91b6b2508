/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What random-calls.c, which chooses verbs, and random-params.c, which makes up their parameters,
 * know of each other.
 */
#ifndef RANDOM_PARAMS_H
#define RANDOM_PARAMS_H

#include "random-calls.h"

#define PAGE GMEM_PAGE_SIZE
#define BASE_GPA 0x100000
#define ODD 40 /* one parameter in so many is odd */
#define HUGE_PAGE (512 * PAGE)

static inline uint64_t below(struct random_calls *rc, uint64_t n)
{
	return random_below(rc->random, n);
}

static inline int one_in(struct random_calls *rc, uint64_t n)
{
	return random_one_in(rc->random, n);
}

/* Of random_calls.had_by: what a task has its threads have, too. */
static inline uint32_t random_process_bit(const struct random_calls *rc, uint32_t task)
{
	return UINT32_C(1) << rc->process[task];
}

/* The number of a call that bound one of these kinds to the task; -1 if there is none. */
int32_t some_result(struct random_calls *rc, uint32_t task, uint32_t kinds);
/* Whether the last call injected something. */
int follows_inject(const struct random_calls *rc);
uint64_t some_file_flags(struct random_calls *rc);
/* A value for the parameter, and in l the call that it comes from. */
uint64_t make_up(struct random_calls *rc, struct linked_call *l, const struct gmem_param *p);

#endif
