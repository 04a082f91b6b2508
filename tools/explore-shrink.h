/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A trace in which something was found, made small: the fewest calls, then the fewest switches from
 * task to task, then no row that can be left out.
 */
#ifndef EXPLORE_SHRINK_H
#define EXPLORE_SHRINK_H

#include "scene.h"

/*
 * found is what exploring t within the bounds found. Afterwards t's schedule leads there, and
 * loses it without any one of its rows.
 */
void explore_shrink(struct trace *t, const struct gmem_profile *p, const struct gmem_bounds *bounds,
		    const struct scene *found);

#endif
