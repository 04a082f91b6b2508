/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lock checker, for those who take locks; what it found is asked for in gmem.h.
 */
#ifndef GMEM_LOCKDEP_H
#define GMEM_LOCKDEP_H

#include "state.h"

/* A lock is taken, or somebody is waited for; notifier: inside what it calls, or null. */
void gmem_lockdep_take(struct gmem_lockdep *d, const struct gmem_lock_site *taken,
		       const struct gmem_lock_site *notifier);
/* The same, while held is held; same_owner: both are of one object. */
void gmem_lockdep_take_under(struct gmem_lockdep *d, const struct gmem_lock_site *held,
			     const struct gmem_lock_site *taken, bool same_owner);
/* A row gives back what is not held. */
void gmem_lockdep_not_held(struct gmem_lockdep *d, const struct gmem_lock_site *given_back);
/* The operation is over, and this is still held. */
void gmem_lockdep_left(struct gmem_lockdep *d, const struct gmem_lock_site *held);

/*
 * What was seen, for another checker of the same tables; so many bytes at most. How much it is: the
 * number grows with what is new. False: the bytes make no sense.
 */
#define GMEM_LOCKDEP_BYTES (GMEM_NR_LOCKS + GMEM_NR_LOCKS * GMEM_NR_LOCKS * 4u * 18u)
size_t gmem_lockdep_put(const struct gmem_lockdep *d, uint8_t bytes[GMEM_LOCKDEP_BYTES]);
bool gmem_lockdep_get(struct gmem_lockdep *d, const uint8_t *bytes, size_t size);
unsigned int gmem_lockdep_seen(const struct gmem_lockdep *d);

#endif
