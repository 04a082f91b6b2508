/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A door for memory (gmem_config.resize) that counts what is out and can be shut for some of the
 * next requests. It also holds the library to what it says: the old size has to be right.
 */
#ifndef TESTS_DOOR_H
#define TESTS_DOOR_H

#include <string.h>

#include "calls.h"

struct door {
	size_t live;		   /* bytes that have not been given back */
	size_t most;		   /* of them, at one time */
	unsigned long asked;	   /* requests so far, those for less not counted */
	unsigned long shut, shuts; /* from request number shut on, so many are denied; from 1 */
};

#define DOOR_HEAD 16u

static inline void *door(void *arg, void *p, size_t old_size, size_t new_size)
{
	struct door *d = arg;
	char *head = p ? (char *)p - DOOR_HEAD : NULL;

	assert_int_equal(head ? *(size_t *)head : 0, old_size);
	if (!new_size) {
		d->live -= old_size;
		free(head);
		return NULL;
	}
	d->asked++;
	if (d->asked >= d->shut && d->asked < d->shut + d->shuts)
		return NULL;
	head = realloc(head, new_size + DOOR_HEAD);
	assert_non_null(head);
	*(size_t *)head = new_size;
	d->live += new_size - old_size;
	if (d->live > d->most)
		d->most = d->live;
	return head + DOOR_HEAD;
}

/* Denies the next n requests. */
static inline void shut_door(struct door *d, unsigned long n)
{
	d->shut = d->asked + 1;
	d->shuts = n;
}

static inline void open_door(struct door *d)
{
	d->shuts = 0;
}

#endif
