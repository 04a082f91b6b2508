/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A memslot is created, moved, given other flags, or deleted, after op-memslot.c has refused what
 * can be refused early: kvm_set_memslot(), with kvm_gmem_bind() before it.
 *
 * Memslots are exchanged under slots_arch_lock, once nobody is between a start and an end, and
 * whoever read the old ones is waited for. What the architecture refuses comes late; what that
 * undoes is in the table of creating. Freeing a memslot is in teardown.c.
 */
#include "bugs.h"
#include "ops.h"
#include "profile.h"

static int alloc_slot(struct gmem_run *run)
{
	const struct gmem_call *c = run->c;
	struct gmem_slot *s;

	run->t->new_slot = gmem_cell_alloc(run->b);
	gmem_tag(run->b, run->t->new_slot, TAG_SLOT);
	s = SLOT(run->b, run->t->new_slot);
	s->vm = run->t->vm;
	s->id = (uint16_t)c->slot;
	s->as_id = (uint16_t)((uint32_t)c->slot >> 16);
	s->flags = (uint32_t)c->flags;
	s->gfn = PAGES(c->gpa);
	s->npages = PAGES(c->size);
	s->hva = c->addr;
	return 0;
}

/* kvm_arch_prepare_memory_region() */
static bool gfns_are_in_reach(struct gmem_run *run)
{
	return run->b->machine.arch != GMEM_X86_64 ||
	       run->c->gpa + run->c->size - 1 < UINT64_C(1) << vm_of(run)->gpa_bits;
}

/* Only the last is looked at. */
static bool last_gfn_is_no_alias(struct gmem_run *run)
{
	return !gmem_is_gfn_alias(vm_of(run), PAGES(run->c->gpa + run->c->size - 1));
}

static bool gfns_are_in_ipa_space(struct gmem_run *run)
{
	return run->b->machine.arch != GMEM_ARM64 ||
	       run->c->gpa + run->c->size <= UINT64_C(1) << vm_of(run)->gpa_bits;
}

static bool arch_takes_this_guest_memfd(struct gmem_run *run)
{
	const struct gmem_slot *s = SLOT(run->b, run->t->new_slot);

	return run->b->machine.arch != GMEM_ARM64 || (s->kflags & SLOT_GMEM_ONLY);
}

/* kvm_swap_active_memslots() sleeps while the mmu notifier is between a start and an end. */
static bool no_notifier_is_active(struct gmem_run *run)
{
	return !vm_of(run)->notifiers;
}

static int begin_grace_period(struct gmem_run *run)
{
	vm_of(run)->srcu_idx ^= 1;
	return 0;
}

/* Those that began before; whoever begins now sees the new memslots. */
static bool readers_are_gone(struct gmem_run *run)
{
	return !vm_of(run)->srcu[!vm_of(run)->srcu_idx];
}

/* The two ends of kvm_swap_active_memslots(), with slots_arch_lock between them given back. */
#define SWAP_MEMSLOTS(f, ...)                                                            \
	WAIT_AND_DO(no_notifier_is_active, f, SLOT_30, .lock = NOTIFIERS, .mode = WRITE, \
		    __VA_ARGS__)

#define SYNCHRONIZE_SRCU                 \
	DO(begin_grace_period, SLOT_31), \
		WAIT(readers_are_gone, SLOT_31, .lock = SRCU, .mode = WRITE)

static void map_gfns(struct gmem_block *b, const struct gmem_slot *s, uint32_t idx)
{
	gmem_range_set(b, &VM(b, s->vm)->gfns[s->as_id], s->gfn, s->gfn + s->npages, idx);
}

static int insert_slot(struct gmem_run *run)
{
	struct gmem_vm *vm = vm_of(run);
	struct gmem_slot *s = SLOT(run->b, run->t->new_slot);
	uint32_t id = (uint32_t)s->as_id << 16 | s->id;

	gmem_range_set(run->b, &vm->slots, id, id + 1u, run->t->new_slot);
	map_gfns(run->b, s, run->t->new_slot);
	gmem_index_hva(run->b, s, run->t->new_slot);
	vm->nr_memslot_pages += s->npages;
	run->b->nr_slots++;
	return 0;
}

static bool has_failed_with_binding(struct gmem_run *run)
{
	if (!has_failed(run) || !wants_guest_memfd(run))
		return false;
	run->t->slot = run->t->new_slot;
	return true;
}

static int free_new_slot(struct gmem_run *run)
{
	gmem_cell_free(run->b, run->t->new_slot);
	run->t->slot = run->t->new_slot = 0;
	return 0;
}

static bool always(struct gmem_run *run)
{
	(void)run;
	return true;
}

/* kvm_set_memory_region() from kvm_gmem_bind() on, and kvm_set_memslot() */
const struct gmem_step gmem_op_create_slot[] = {
	DO(alloc_slot, SLOT_22),
	CALL(T_BIND, SLOT_23, WHEN(wants_guest_memfd), .to = L_END),
	LOCK(SLOTS_ARCH_LOCK, WRITE, SLOT_24),
	CHECK(gfns_are_in_reach, SLOT_24, EINVAL, .to = L_UNBIND),
	CHECK(last_gfn_is_no_alias, SLOT_32, EINVAL, .to = L_UNBIND),
	CHECK(gfns_are_in_ipa_space, SLOT_29, EFAULT, .to = L_UNBIND),
	CHECK(arch_takes_this_guest_memfd, SLOT_25, EINVAL, WHEN(wants_guest_memfd),
	      .to = L_UNBIND),
	SWAP_MEMSLOTS(insert_slot),
	UNLOCK(SLOTS_ARCH_LOCK),
	SYNCHRONIZE_SRCU,
	DONE_IF(always, SLOT_22),
	UNLOCK(SLOTS_ARCH_LOCK, .at = L_UNBIND),
	CALL(T_UNBIND, UNBIND_3, WHEN(has_failed_with_binding)),
	DO(free_new_slot, SLOT_22, WHEN(has_failed), .at = L_END),
	END,
};

static bool has_not_failed(struct gmem_run *run)
{
	return !has_failed(run);
}

/*
 * v13: kvm_set_memory_region() from kvm_gmem_prepare_memory_region() on, kvm_set_memslot() with
 * kvm_prepare_memory_region(), and kvm_gmem_commit_memory_region(), when nothing else can fail
 */
const struct gmem_step gmem_op_create_slot_v13[] = {
	DO(alloc_slot, SLOT_22),
	CALL(T_BIND, SLOT_23, WHEN(wants_guest_memfd), .to = L_END),
	LOCK(SLOTS_ARCH_LOCK, WRITE, SLOT_24),
	CHECK(gfns_are_in_reach, SLOT_24, EINVAL, .to = L_UNLOCK),
	CHECK(last_gfn_is_no_alias, SLOT_32, EINVAL, .to = L_UNLOCK),
	CHECK(gfns_are_in_ipa_space, SLOT_29, EFAULT, .to = L_UNLOCK),
	CHECK(arch_takes_this_guest_memfd, SLOT_25, EINVAL, WHEN(wants_guest_memfd),
	      .to = L_UNLOCK),
	CALL(T_BIND_COMMIT, BIND_9, WHEN(wants_guest_memfd), .to = L_UNLOCK),
	SWAP_MEMSLOTS(insert_slot),
	UNLOCK(SLOTS_ARCH_LOCK, .at = L_UNLOCK),
	DO(begin_grace_period, SLOT_31, WHEN(has_not_failed)),
	WAIT(readers_are_gone, SLOT_31, .lock = SRCU, .mode = WRITE, WHEN(has_not_failed)),
	DO(fput, BIND_8, WHEN(wants_guest_memfd)),
	DO(free_new_slot, SLOT_22, WHEN(has_failed), .at = L_END),
	END,
};

static int mark_invalid(struct gmem_run *run)
{
	SLOT(run->b, run->t->slot)->kflags |= SLOT_INVALID;
	return 0;
}

static int flush_shadow(struct gmem_run *run)
{
	const struct gmem_slot *s = slot_of(run);

	gmem_unmap_gfns(run->b, run->t->vm, s->gfn, s->gfn + s->npages,
			FILTER_SHARED | FILTER_PRIVATE);
	return 0;
}

static int move_gfns(struct gmem_run *run)
{
	struct gmem_slot *s = SLOT(run->b, run->t->slot);

	map_gfns(run->b, s, 0);
	s->gfn = PAGES(run->c->gpa);
	s->flags = (uint32_t)run->c->flags;
	map_gfns(run->b, s, run->t->slot);
	return 0;
}

static int make_valid(struct gmem_run *run)
{
	SLOT(run->b, run->t->slot)->kflags &= ~SLOT_INVALID;
	return 0;
}

static bool holds_slots_arch_lock(struct gmem_run *run)
{
	return gmem_lock_is_held(run, SLOTS_ARCH_LOCK);
}

/*
 * kvm_set_memslot(), kvm_move_memslot(). L_EXIT is for who was refused before anything was exchanged,
 * and has nobody to wait for.
 */
const struct gmem_step gmem_op_move_slot[] = {
	LOCK(SLOTS_ARCH_LOCK, WRITE, SLOT_26),
	CHECK(no_memory_pressure, SLOT_33, ENOMEM, .to = L_EXIT),
	SWAP_MEMSLOTS(mark_invalid),
	UNLOCK(SLOTS_ARCH_LOCK),
	SYNCHRONIZE_SRCU,
	DO(flush_shadow, SLOT_26),
	LOCK(SLOTS_ARCH_LOCK, WRITE, SLOT_26),
	CHECK(gfns_are_in_reach, SLOT_24, EINVAL, .to = L_UNLOCK),
	CHECK(last_gfn_is_no_alias, SLOT_32, EINVAL, .to = L_UNLOCK),
	CHECK(gfns_are_in_ipa_space, SLOT_29, EFAULT, .to = L_UNLOCK),
	DO(move_gfns, SLOT_26),
	SWAP_MEMSLOTS(make_valid, .at = L_UNLOCK),
	UNLOCK(SLOTS_ARCH_LOCK),
	SYNCHRONIZE_SRCU,
	UNLOCK(SLOTS_ARCH_LOCK, WHEN(holds_slots_arch_lock), .at = L_EXIT),
	END,
};

static int change_flags(struct gmem_run *run)
{
	SLOT(run->b, run->t->slot)->flags = (uint32_t)run->c->flags;
	return 0;
}

/* kvm_set_memslot(), kvm_update_flags_memslot() */
const struct gmem_step gmem_op_change_slot_flags[] = {
	LOCK(SLOTS_ARCH_LOCK, WRITE, SLOT_27),
	SWAP_MEMSLOTS(change_flags),
	UNLOCK(SLOTS_ARCH_LOCK),
	SYNCHRONIZE_SRCU,
	END,
};

static int remove_slot(struct gmem_run *run)
{
	struct gmem_vm *vm = vm_of(run);
	const struct gmem_slot *s = slot_of(run);
	uint32_t id = (uint32_t)s->as_id << 16 | s->id;

	gmem_range_set(run->b, &vm->slots, id, id + 1u, 0);
	map_gfns(run->b, s, 0);
	gmem_index_hva(run->b, s, 0);
	vm->nr_memslot_pages -= s->npages;
	return 0;
}

/* kvm_set_memslot(), kvm_delete_memslot() */
const struct gmem_step gmem_op_delete_slot[] = {
	LOCK(SLOTS_ARCH_LOCK, WRITE, SLOT_15),
	CHECK(no_memory_pressure, SLOT_33, ENOMEM, .to = L_EXIT),
	SWAP_MEMSLOTS(mark_invalid),
	UNLOCK(SLOTS_ARCH_LOCK),
	SYNCHRONIZE_SRCU,
	DO(flush_shadow, SLOT_15),
	LOCK(SLOTS_ARCH_LOCK, WRITE, SLOT_15),
	SWAP_MEMSLOTS(remove_slot),
	UNLOCK(SLOTS_ARCH_LOCK),
	SYNCHRONIZE_SRCU,
	CALL(T_FREE_SLOT, SLOT_15),
	UNLOCK(SLOTS_ARCH_LOCK, WHEN(holds_slots_arch_lock), .at = L_EXIT),
	END,
};

/* Museum B36: a memslot is freed that a fault, in its read section, still looks at. */
const struct gmem_edit gmem_bug_b36[] = {
	DROP_ROW(T_DELETE_SLOT, "readers_are_gone", 1),
	{ 0 },
};

/*
 * Museum B17: the memslot's file is overwritten before anybody knows whether the new one will do. A
 * memslot that has one must be bound again for that, which KVM refuses.
 */
static int overwrite_file(struct gmem_run *run)
{
	slot_of(run)->file = gmem_fd_file(run->b, gmem_process(run), run->c->memfd);
	return slot_of(run)->file ? 0 : -EINVAL;
}

const struct gmem_edit gmem_bug_b17[] = {
	DROP_ROW(T_SET_REGION, "guest_memfd_is_not_set", 0),
	INSERT_ROW(T_CHANGE_SLOT_FLAGS, "lock", 0,
		   DO(overwrite_file, RMEM_25, WHEN(wants_guest_memfd))),
	{ 0 },
};
