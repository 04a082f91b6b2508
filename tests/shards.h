/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Shards of one exploration as threads of one process, with queues in memory between them.
 */
#ifndef SHARDS_H
#define SHARDS_H

#include "gmem.h"

#define MOST_SHARDS 5

/*
 * Explores by bounds->shards shards and waits for all. *x adds up their states and ends, has a finding
 * if one of them has, and the cuts of all but those that ended because of another. The overlap's
 * end() is called by one of them at a time.
 */
void explore_shards(const struct gmem_overlap *o, const struct gmem_bounds *bounds,
		    struct gmem_explored *x);

#endif
