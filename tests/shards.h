/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Shards of one exploration as threads of one process, with queues in memory between them.
 */
#ifndef SHARDS_H
#define SHARDS_H

#include "gmem.h"

#define MOST_SHARDS 5

/*
 * Explores by bounds->shards shards and waits for all; x has one for each. The overlap's end() is
 * called by one of them at a time. Their schedules are gone afterwards.
 */
void explore_shards(const struct gmem_overlap *o, const struct gmem_bounds *bounds,
		    struct gmem_explored *x);

#endif
