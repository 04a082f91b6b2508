/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Why nobody goes on at the end of a timeline: who holds what, since when, and who waits for it.
 */
#ifndef DEADLOCK_H
#define DEADLOCK_H

#include "timeline.h"

/* Tasks that wait for each other in a circle, each for the next; how many, or 0. */
unsigned int deadlock_find(const struct timeline *tl, uint32_t *tasks);

/* "A waits for B, B waits for A", or why somebody waits for nobody. */
void deadlock_print_circle(FILE *f, const struct timeline *tl);
/* Each task that waits: its call, what it holds and what it waits for, with the rows. */
void deadlock_print(FILE *f, const struct timeline *tl);
/* Tasks and locks as a graph for dot(1): from a task to what it waits for, and on to who has that. */
void deadlock_print_dot(FILE *f, const struct timeline *tl);

#endif
