/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Taking locks and giving them back; step.h includes it. Here and not in lock.c, because a row
 * says which lock it is, so that most of this is known when an unrolled table is compiled.
 */
#ifndef GMEM_LOCK_H
#define GMEM_LOCK_H

#include "state.h"

/* Which local of the task names the owner, and where in the owner the lock is. */
static const struct {
	uint16_t local, lock;
} gmem_lock_places[GMEM_NR_LOCKS] = {
#define PLACE(local, type, lock)                                               \
	{                                                                      \
		offsetof(struct gmem_task, local), offsetof(struct type, lock) \
	}
	[SLOTS_LOCK] = PLACE(vm, gmem_vm, slots_lock),
	[SLOTS_ARCH_LOCK] = PLACE(vm, gmem_vm, slots_arch_lock),
	[SRCU] = PLACE(vm, gmem_vm, srcu[0]),
	[INVALIDATE_LOCK] = PLACE(inode, gmem_inode, invalidate_lock),
	[MMU_LOCK] = PLACE(vm, gmem_vm, mmu_lock),
	[MMAP_LOCK] = PLACE(process, gmem_process, mmap_lock),
	[FOLIO_LOCK] = PLACE(inode, gmem_inode, folio_lock),
	[I_MMAP_RWSEM] = PLACE(inode, gmem_inode, i_mmap_rwsem),
	[INODE_LOCK] = PLACE(inode, gmem_inode, inode_lock),
	[RM_LOCK] = PLACE(inode, gmem_inode, rm_lock),
	[MEMFILE_SRCU] = PLACE(inode, gmem_inode, memfile_srcu),
#undef PLACE
	[NOTIFIERS] = { offsetof(struct gmem_task, vm), 0 }, /* a count; see zap.c */
};

static inline uint32_t gmem_lock_owner(const struct gmem_task *t, unsigned int class)
{
	/* What a walk over VMs takes is the lock of the one where it stands. */
	if (t->at_vm && (class == MMU_LOCK || class == SRCU))
		return t->at_vm;
	return *(const uint32_t *)((const char *)t + gmem_lock_places[class].local);
}

/* A read section of srcu counts in the period in which it began. */
static inline gmem_lock *gmem_lock_state(struct gmem_block *b, unsigned int class, uint32_t owner,
					 unsigned int period)
{
	return (gmem_lock *)((char *)gmem_cell(b, owner) + gmem_lock_places[class].lock) + period;
}

static inline unsigned int gmem_lock_period(const struct gmem_block *b, unsigned int class,
					    uint32_t owner)
{
	return class == SRCU ? CVM(b, owner)->srcu_idx : 0;
}

/* Tells the lock checker, if there is one, that row s takes its lock, or waits for it. */
void gmem_lock_seen(struct gmem_run *run, const struct gmem_step *s);

/* A violation; false. */
bool gmem_lock_is_not_free(struct gmem_run *run, const struct gmem_step *s);

/* Takes the lock of row s, which is row pc. false: the task would wait for itself. */
static inline __attribute__((__always_inline__)) bool gmem_lock_take(struct gmem_run *run,
								     const struct gmem_step *s,
								     unsigned int pc)
{
	const unsigned int class = s->lock, mode = s->mode;
	struct gmem_task *t = run->t;
	uint32_t owner = gmem_lock_owner(t, class);
	unsigned int period = gmem_lock_period(run->b, class, owner);
	gmem_lock *l = gmem_lock_state(run->b, class, owner, period);

	if (t->nr_held == GMEM_MAX_HELD || (mode == WRITE ? *l != 0 : *l < 0))
		return gmem_lock_is_not_free(run, s);
	if (run->w->lockdep)
		gmem_lock_seen(run, s);
	*l = (gmem_lock)(mode == WRITE ? -1 : *l + 1);
	OP(run->b, t->op)->held[t->nr_held++] = (struct gmem_held){
		.class = (uint8_t) class,
		.mode = (uint8_t)mode,
		.pad = (uint16_t)period,
		.table = gmem_innermost(run)->table,
		.row = (uint16_t)pc,
		.owner = owner,
	};
	return true;
}

/* false: it gives back what it does not hold. Mostly that is what it took last. */
static inline __attribute__((__always_inline__)) bool gmem_lock_drop(struct gmem_run *run,
								     unsigned int class)
{
	struct gmem_task *t = run->t;
	struct gmem_held *held = OP(run->b, t->op)->held;
	unsigned int i = t->nr_held;
	gmem_lock *l;

	while (i > 0 && held[i - 1].class != class)
		i--;
	if (!i)
		return false;
	i--;
	l = gmem_lock_state(run->b, class, held[i].owner, held[i].pad);
	*l = (gmem_lock)(held[i].mode == WRITE ? 0 : *l - 1);
	for (t->nr_held--; i < t->nr_held; i++)
		held[i] = held[i + 1];
	return true;
}

#endif
