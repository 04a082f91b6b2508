/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Locks: classes and their instances. An instance belongs to the object that the task's locals
 * name at that moment; the task remembers which, because a later row may have changed the local.
 *
 * With one task running, a lock that cannot be had is a mistake in a table.
 */
#include "step.h"

/* Which local of the task names the owner, and where in the owner the lock is. */
static const struct {
	uint16_t local, lock;
} places[GMEM_NR_LOCKS] = {
#define PLACE(local, type, lock)                                               \
	{                                                                      \
		offsetof(struct gmem_task, local), offsetof(struct type, lock) \
	}
	[SLOTS_LOCK] = PLACE(vm, gmem_vm, slots_lock),
	[SLOTS_ARCH_LOCK] = PLACE(vm, gmem_vm, slots_arch_lock),
	[SRCU] = PLACE(vm, gmem_vm, srcu),
	[INVALIDATE_LOCK] = PLACE(inode, gmem_inode, invalidate_lock),
	[MMU_LOCK] = PLACE(vm, gmem_vm, mmu_lock),
	[MMAP_LOCK] = PLACE(process, gmem_process, mmap_lock),
	[FOLIO_LOCK] = PLACE(inode, gmem_inode, folio_lock),
#undef PLACE
};

static uint32_t owner_of(const struct gmem_task *t, unsigned int class)
{
	return *(const uint32_t *)((const char *)t + places[class].local);
}

static gmem_lock *state_of(struct gmem_block *b, unsigned int class, uint32_t owner)
{
	return (gmem_lock *)((char *)gmem_cell(b, owner) + places[class].lock);
}

bool gmem_lock_take(struct gmem_run *run, unsigned int class, unsigned int mode)
{
	struct gmem_task *t = run->t;
	uint32_t owner = owner_of(t, class);
	gmem_lock *l = state_of(run->b, class, owner);

	if (t->nr_held == GMEM_MAX_HELD || (mode == WRITE ? *l != 0 : *l < 0)) {
		gmem_violate(run->w, "I1", "a task takes a lock that is held: class, owner", class,
			     owner);
		return false;
	}
	*l = (gmem_lock)(mode == WRITE ? -1 : *l + 1);
	t->held[t->nr_held++] = (struct gmem_held){ .class = (uint8_t) class,
						    .mode = (uint8_t)mode,
						    .owner = owner };
	return true;
}

bool gmem_lock_drop(struct gmem_run *run, unsigned int class)
{
	struct gmem_task *t = run->t;
	unsigned int i = t->nr_held;
	gmem_lock *l;

	while (i > 0 && t->held[i - 1].class != class)
		i--;
	if (!i) {
		gmem_violate(run->w, "I1", "a task gives back a lock it does not hold: class",
			     class, 0);
		return false;
	}
	i--;
	l = state_of(run->b, class, t->held[i].owner);
	*l = (gmem_lock)(t->held[i].mode == WRITE ? 0 : *l - 1);
	for (t->nr_held--; i < t->nr_held; i++)
		t->held[i] = t->held[i + 1];
	return true;
}
