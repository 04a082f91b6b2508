/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Locks: classes and their instances. An instance belongs to the object that the task's locals
 * name at that moment; the task remembers which, because a later row may have changed the local.
 * Taking and dropping them is in lock.h.
 *
 * With one task running, a lock that cannot be had is a mistake in a table.
 */
#include "lockdep.h"
#include "profile.h"
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

static struct gmem_lock_site site_here(const struct gmem_run *run, const struct gmem_step *s,
				       unsigned int mode)
{
	return (struct gmem_lock_site){ .class = s->lock,
					.mode = (uint8_t)mode,
					.row = gmem_row_of(run, s),
					.table = gmem_innermost(run)->table,
					.verb = run->c->verb };
}

static struct gmem_lock_site site_of(const struct gmem_run *run, const struct gmem_held *held)
{
	return (struct gmem_lock_site){ .class = held->class,
					.mode = held->mode,
					.row = held->row,
					.table = held->table,
					.verb = run->c->verb };
}

uint16_t gmem_counting_row(const struct gmem_step *table)
{
	const struct gmem_step *s = table;

	while (s->kind != STEP_END && (s->kind != STEP_DO || s->lock != NOTIFIERS))
		s++;
	return (uint16_t)(s - table);
}

/* Where a notification is counted: that holds up who waits for there to be none. */
static struct gmem_lock_site site_of_notifier(const struct gmem_run *run)
{
	return (struct gmem_lock_site){ .class = NOTIFIERS,
					.mode = READ,
					.row = gmem_counting_row(
						run->b->profile->tables[T_HOST_START]),
					.table = T_HOST_START,
					.verb = run->c->verb };
}

static void tell(struct gmem_run *run, const struct gmem_step *s)
{
	const struct gmem_task *t = run->t;
	const struct gmem_held *held = OP(run->b, t->op)->held;
	struct gmem_lockdep *d = run->w->lockdep;
	const struct gmem_lock_site taken = site_here(run, s, s->mode);
	const struct gmem_lock_site notifier = site_of_notifier(run);

	gmem_lockdep_take(d, &taken, is_notified(t) ? &notifier : NULL);
	for (unsigned int i = 0; i < t->nr_held; i++) {
		const struct gmem_lock_site site = site_of(run, &held[i]);

		gmem_lockdep_take_under(d, &site, &taken,
					held[i].owner == gmem_lock_owner(t, s->lock));
	}
	if (t->notifying)
		gmem_lockdep_take_under(d, &notifier, &taken, false);
}

void gmem_lock_seen(struct gmem_run *run, const struct gmem_step *s)
{
	if (run->w->lockdep)
		tell(run, s);
}

void gmem_tell_locks_left(struct gmem_run *run)
{
	const struct gmem_task *t = run->t;
	const struct gmem_lock_site notifier = site_of_notifier(run);

	for (unsigned int i = 0; i < t->nr_held; i++) {
		const struct gmem_lock_site site = site_of(run, &OP(run->b, t->op)->held[i]);

		gmem_lockdep_left(run->w->lockdep, &site);
	}
	if (t->notifying)
		gmem_lockdep_left(run->w->lockdep, &notifier);
}

/* It wants it all the same, and the checker has to know that. */
bool gmem_lock_is_not_free(struct gmem_run *run, const struct gmem_step *s)
{
	gmem_lock_seen(run, s);
	gmem_violate(run->w, "I1", "a task takes a lock that is held: class, owner", s->lock,
		     gmem_lock_owner(run->t, s->lock));
	return false;
}

int gmem_lock_is_not_held(struct gmem_run *run, const struct gmem_step *s)
{
	if (run->w->lockdep) {
		const struct gmem_lock_site site = site_here(run, s, READ);

		gmem_lockdep_not_held(run->w->lockdep, &site);
	}
	gmem_violate(run->w, "I1", "a task gives back a lock it does not hold: class", s->lock, 0);
	return -EDEADLK;
}

bool gmem_lock_is_held(const struct gmem_run *run, unsigned int class)
{
	const struct gmem_held *held = OP(run->b, run->t->op)->held;

	for (unsigned int i = 0; i < run->t->nr_held; i++)
		if (held[i].class == class)
			return true;
	return false;
}
