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

#endif
