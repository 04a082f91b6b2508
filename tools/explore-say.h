/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an exploration found, in plain words.
 */
#ifndef EXPLORE_SAY_H
#define EXPLORE_SAY_H

#include <stdio.h>

#include "scene.h"
#include "timeline.h"

/* What was found; the first line is the finding. */
void say_finding(FILE *f, const struct scene *s, const char *file, const struct timeline *tl);
/* How much was seen, and what was not; why: another part has ended all, or null. */
void say_extent(FILE *f, const struct scene *s, const char *file, const struct gmem_bounds *bounds,
		const char *why);
/* What a bound left out, in one line if anything was; file may be null, and is not named then. */
void say_unseen(FILE *f, const struct scene *s, const char *file, const struct gmem_bounds *bounds,
		const char *why);
/* What the calls can result in, a line for each. */
void say_outcomes(FILE *f, const struct scene *s);

#endif
