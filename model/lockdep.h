/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lock checker, for those who take locks; what it found is asked for in gmem.h.
 */
#ifndef GMEM_LOCKDEP_H
#define GMEM_LOCKDEP_H

#include "state.h"

/* taken is taken while held is held; same_owner: both are of one object. */
void gmem_lockdep_take(struct gmem_lockdep *d, const struct gmem_lock_site *held,
		       const struct gmem_lock_site *taken, bool same_owner);
/* taken is taken at all; notified: inside what the mmu notifier calls. */
void gmem_lockdep_note(struct gmem_lockdep *d, const struct gmem_lock_site *taken, bool notified);

#endif
