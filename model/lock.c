/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Locks: classes and their instances. An instance belongs to the object that the task's locals
 * name at that moment; the task remembers which, because a later row may have changed the local.
 * Taking and dropping them is in lock.h.
 *
 * With one task running, a lock that cannot be had is a mistake in a table.
 */
#include "lockdep.h"
#include "step.h"

bool gmem_lock_is_free(const struct gmem_run *run, unsigned int class, unsigned int mode)
{
	gmem_lock l = *gmem_lock_state(run->b, class, gmem_lock_owner(run->t, class), 0);

	if (class == SRCU)
		return true;
	return mode == WRITE ? l == 0 : l >= 0;
}

/* Inside what the mmu notifier calls, for whatever reason it does. */
static bool is_notified(const struct gmem_task *t)
{
	for (unsigned int i = 0; i < t->depth; i++)
		if (t->level[i].table == T_HOST_START || t->level[i].table == T_HOST_END)
			return true;
	return false;
}

void gmem_lock_seen(struct gmem_run *run, unsigned int class, unsigned int mode)
{
	const struct gmem_task *t = run->t;
	const struct gmem_held *held = OP(run->b, t->op)->held;
	struct gmem_lockdep *d = run->w->lockdep;
	struct gmem_lock_site taken = { .class = (uint8_t) class,
					.mode = (uint8_t)mode,
					.row = run->row,
					.table = run->table,
					.verb = run->c->verb };

	if (!d)
		return;
	gmem_lockdep_note(d, &taken, is_notified(t));
	for (unsigned int i = 0; i < t->nr_held; i++) {
		struct gmem_lock_site site = { .class = held[i].class,
					       .mode = held[i].mode,
					       .row = held[i].row,
					       .table = held[i].table,
					       .verb = run->c->verb };

		gmem_lockdep_take(d, &site, &taken, held[i].owner == gmem_lock_owner(t, class));
	}
	if (t->notifying && class != NOTIFIERS) {
		struct gmem_lock_site site = { .class = NOTIFIERS,
					       .table = T_HOST_START,
					       .verb = run->c->verb };

		gmem_lockdep_take(d, &site, &taken, false);
	}
}

bool gmem_lock_is_not_free(struct gmem_run *run, unsigned int class)
{
	gmem_violate(run->w, "I1", "a task takes a lock that is held: class, owner", class,
		     gmem_lock_owner(run->t, class));
	return false;
}

bool gmem_lock_is_not_held(struct gmem_run *run, unsigned int class)
{
	gmem_violate(run->w, "I1", "a task gives back a lock it does not hold: class", class, 0);
	return false;
}

bool gmem_lock_is_held(const struct gmem_run *run, unsigned int class)
{
	const struct gmem_held *held = OP(run->b, run->t->op)->held;

	for (unsigned int i = 0; i < run->t->nr_held; i++)
		if (held[i].class == class)
			return true;
	return false;
}
