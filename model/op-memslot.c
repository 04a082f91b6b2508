/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KVM_SET_USER_MEMORY_REGION and KVM_SET_USER_MEMORY_REGION2: a memslot is created, moved,
 * given other flags, or deleted.
 *
 * Everything that can be refused is refused before slots_arch_lock is taken, except what the
 * architecture refuses; what that undoes is in the table of creating. Freeing a memslot is in
 * teardown.c.
 */
#include "bugs.h"
#include "ops.h"
#include "profile.h"

#define X86_USER_MEM_SLOTS 32764u
#define ARM64_USER_MEM_SLOTS 32767u
#define MAX_NR_PAGES ((UINT64_C(1) << 31) - 1)
#define X86_MAX_GPA_BITS 52
#define ARM64_IPA_BITS 40 /* of a VM of type 0 */
#define ARM64_USER_PTR_MAX (UINT64_C(1) << 48)

enum gmem_change { CHANGE_NONE, CHANGE_CREATE, CHANGE_DELETE, CHANGE_MOVE, CHANGE_FLAGS };

uint32_t gmem_slot_by_id(const struct gmem_block *b, const struct gmem_vm *vm, uint32_t id)
{
	return gmem_range_get(b, vm->slots, id);
}

uint32_t gmem_slot_by_gfn(const struct gmem_block *b, const struct gmem_vm *vm, uint64_t gfn)
{
	return gmem_range_get(b, vm->gfns[0], gfn);
}

static struct gmem_vm *vm_of(struct gmem_run *run)
{
	return VM(run->b, run->t->vm);
}

static bool wants_guest_memfd(struct gmem_run *run)
{
	return (run->c->flags & GMEM_MEM_GUEST_MEMFD) != 0;
}

static bool flags_are_of_version_1(struct gmem_run *run)
{
	return !(run->c->flags & ~(GMEM_MEM_LOG_DIRTY_PAGES | GMEM_MEM_READONLY));
}

static bool slot_is_a_users(struct gmem_run *run)
{
	uint32_t most = run->b->machine.arch == GMEM_X86_64 ? X86_USER_MEM_SLOTS :
							      ARM64_USER_MEM_SLOTS;

	return (run->c->slot & 0xffff) < most;
}

static bool takes_guest_memfd(const struct gmem_block *b, const struct gmem_vm *vm)
{
	return !b->profile->n.gmem_needs_private || gmem_has_private_mem(b, vm);
}

static bool flags_are_valid(struct gmem_run *run)
{
	const struct gmem_vm *vm = vm_of(run);
	uint64_t valid = GMEM_MEM_LOG_DIRTY_PAGES;

	if (takes_guest_memfd(run->b, vm))
		valid |= GMEM_MEM_GUEST_MEMFD;
	if (wants_guest_memfd(run))
		valid &= ~GMEM_MEM_LOG_DIRTY_PAGES;
	else if (gmem_has_readonly_mem(vm))
		valid |= GMEM_MEM_READONLY;
	return !(run->c->flags & ~valid);
}

static bool size_is_aligned(struct gmem_run *run)
{
	return PAGE_ALIGNED(run->c->size);
}

static bool gpa_is_aligned(struct gmem_run *run)
{
	return PAGE_ALIGNED(run->c->gpa);
}

static bool userspace_addr_is_valid(struct gmem_run *run)
{
	const struct gmem_call *c = run->c;
	uint64_t most = run->b->machine.arch == GMEM_X86_64 ? run->b->profile->n.user_ptr_max :
							      ARM64_USER_PTR_MAX;

	return PAGE_ALIGNED(c->addr) && c->addr + c->size >= c->addr && c->addr + c->size <= most;
}

static bool offset_is_valid(struct gmem_run *run)
{
	return PAGE_ALIGNED(run->c->offset) && run->c->offset + run->c->size >= run->c->offset;
}

static uint32_t as_id(const struct gmem_call *c)
{
	return (uint32_t)c->slot >> 16;
}

static bool address_space_exists(struct gmem_run *run)
{
	bool two = run->b->machine.arch == GMEM_X86_64 && run->b->machine.smm &&
		   !gmem_has_private_mem(run->b, vm_of(run));

	return as_id(run->c) < (two ? GMEM_MAX_AS : 1);
}

static bool gpa_does_not_wrap(struct gmem_run *run)
{
	return run->c->gpa + run->c->size >= run->c->gpa;
}

static bool pages_are_not_too_many(struct gmem_run *run)
{
	return PAGES(run->c->size) <= MAX_NR_PAGES;
}

static const struct gmem_slot *old_slot(struct gmem_run *run)
{
	return run->t->slot ? SLOT(run->b, run->t->slot) : NULL;
}

static int find_old_slot(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	const struct gmem_slot *old;

	t->slot = gmem_slot_by_id(run->b, vm_of(run), (uint32_t)run->c->slot);
	old = old_slot(run);
	if (!run->c->size)
		t->change = CHANGE_DELETE;
	else if (!old)
		t->change = CHANGE_CREATE;
	else if (BYTES(old->gfn) != run->c->gpa)
		t->change = CHANGE_MOVE;
	else
		t->change = old->flags != run->c->flags ? CHANGE_FLAGS : CHANGE_NONE;
	return 0;
}

static bool is_create(struct gmem_run *run)
{
	return run->t->change == CHANGE_CREATE;
}

static bool is_delete(struct gmem_run *run)
{
	return run->t->change == CHANGE_DELETE;
}

static bool is_move(struct gmem_run *run)
{
	return run->t->change == CHANGE_MOVE;
}

static bool is_flags_only(struct gmem_run *run)
{
	return run->t->change == CHANGE_FLAGS;
}

static bool is_modify(struct gmem_run *run)
{
	return !is_create(run) && !is_delete(run);
}

static bool is_create_or_move(struct gmem_run *run)
{
	return is_create(run) || is_move(run);
}

static bool nothing_changes(struct gmem_run *run)
{
	return run->t->change == CHANGE_NONE;
}

static bool old_slot_exists(struct gmem_run *run)
{
	return run->t->slot != 0;
}

static bool guest_memfd_is_not_set(struct gmem_run *run)
{
	return !wants_guest_memfd(run);
}

static bool hva_and_size_are_kept(struct gmem_run *run)
{
	const struct gmem_slot *old = old_slot(run);

	return old->hva == run->c->addr && old->npages == PAGES(run->c->size);
}

static bool readonly_and_guest_memfd_are_kept(struct gmem_run *run)
{
	return !((old_slot(run)->flags ^ run->c->flags) &
		 (GMEM_MEM_READONLY | GMEM_MEM_GUEST_MEMFD));
}

/* Museum B40: KVM_MEM_GUEST_MEMFD may be cleared, and the binding is forgotten. */
static bool readonly_is_kept(struct gmem_run *run)
{
	return !((old_slot(run)->flags ^ run->c->flags) & GMEM_MEM_READONLY);
}

const struct gmem_edit gmem_bug_b40[] = {
	{ T_SET_REGION, "readonly_and_guest_memfd_are_kept",
	  CHECK(readonly_is_kept, SLOT_18, EINVAL, .when = is_modify, .to = L_UNLOCK) },
	{ 0 },
};

/* Another memslot, i.e. not the one that moves. */
static bool gfns_are_free(struct gmem_run *run)
{
	uint64_t gfn = PAGES(run->c->gpa), end = gfn + PAGES(run->c->size);
	uint32_t root = vm_of(run)->gfns[as_id(run->c)];
	struct gmem_range r = { 0, gfn, 0 };

	while (gmem_range_next_in(run->b, root, r.end, end, &r))
		if (r.value != run->t->slot)
			return false;
	return true;
}

const struct gmem_step gmem_op_set_region[] = {
	CHECK(slot_is_a_users, SLOT_3, EINVAL),
	LOCK(SLOTS_LOCK, WRITE, SLOT_4),
	CHECK(flags_are_valid, SLOT_5, EINVAL, .to = L_UNLOCK),
	CHECK(size_is_aligned, SLOT_6, EINVAL, .to = L_UNLOCK),
	CHECK(gpa_is_aligned, SLOT_7, EINVAL, .to = L_UNLOCK),
	CHECK(userspace_addr_is_valid, SLOT_8, EINVAL, .to = L_UNLOCK),
	CHECK(offset_is_valid, SLOT_9, EINVAL, .when = wants_guest_memfd, .to = L_UNLOCK),
	CHECK(address_space_exists, SLOT_10, EINVAL, .to = L_UNLOCK),
	CHECK(gpa_does_not_wrap, SLOT_11, EINVAL, .to = L_UNLOCK),
	CHECK(pages_are_not_too_many, SLOT_12, EINVAL, .to = L_UNLOCK),
	DO(find_old_slot, SLOT_13),
	CHECK(old_slot_exists, SLOT_14, EINVAL, .when = is_delete, .to = L_UNLOCK),
	CALL(T_DELETE_SLOT, SLOT_15, .when = is_delete, .to = L_UNLOCK),
	CHECK(guest_memfd_is_not_set, SLOT_16, EINVAL, .when = is_modify, .to = L_UNLOCK),
	CHECK(hva_and_size_are_kept, SLOT_17, EINVAL, .when = is_modify, .to = L_UNLOCK),
	CHECK(readonly_and_guest_memfd_are_kept, SLOT_18, EINVAL, .when = is_modify,
	      .to = L_UNLOCK),
	DONE_IF(nothing_changes, SLOT_19, .to = L_UNLOCK, .says = true),
	DONE_IF(is_delete, SLOT_15, .to = L_UNLOCK, .says = true),
	CHECK(gfns_are_free, SLOT_20, EEXIST, .when = is_create_or_move, .to = L_UNLOCK),
	CHECK(no_memory_pressure, SLOT_21, ENOMEM, .to = L_UNLOCK),
	CALL(T_CREATE_SLOT, SLOT_22, .when = is_create, .to = L_UNLOCK),
	CALL(T_MOVE_SLOT, SLOT_26, .when = is_move, .to = L_UNLOCK),
	CALL(T_CHANGE_SLOT_FLAGS, SLOT_27, .when = is_flags_only, .to = L_UNLOCK),
	UNLOCK(SLOTS_LOCK, .at = L_UNLOCK),
	END,
};

static int new_slot(struct gmem_run *run)
{
	const struct gmem_call *c = run->c;
	struct gmem_slot *s;

	run->t->new_slot = gmem_cell_alloc(run->b);
	s = SLOT(run->b, run->t->new_slot);
	s->vm = run->t->vm;
	s->id = (uint16_t)c->slot;
	s->as_id = (uint16_t)as_id(c);
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
	       run->c->gpa + run->c->size - 1 < UINT64_C(1) << X86_MAX_GPA_BITS;
}

static bool gfns_are_in_ipa_space(struct gmem_run *run)
{
	return run->b->machine.arch != GMEM_ARM64 ||
	       run->c->gpa + run->c->size <= UINT64_C(1) << ARM64_IPA_BITS;
}

static bool arch_takes_this_guest_memfd(struct gmem_run *run)
{
	const struct gmem_slot *s = SLOT(run->b, run->t->new_slot);

	return run->b->machine.arch != GMEM_ARM64 || (s->kflags & SLOT_GMEM_ONLY);
}

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
	return 0;
}

/* kvm_set_memory_region() from kvm_gmem_bind() on, and kvm_set_memslot() */
const struct gmem_step gmem_op_create_slot[] = {
	DO(new_slot, SLOT_22),
	CALL(T_BIND, SLOT_23, .when = wants_guest_memfd, .to = L_END),
	LOCK(SLOTS_ARCH_LOCK, WRITE, SLOT_24),
	CHECK(gfns_are_in_reach, SLOT_24, EINVAL, .to = L_UNBIND),
	CHECK(gfns_are_in_ipa_space, SLOT_29, EFAULT, .to = L_UNBIND),
	CHECK(arch_takes_this_guest_memfd, SLOT_25, EINVAL, .when = wants_guest_memfd,
	      .to = L_UNBIND),
	DO(insert_slot, SLOT_22),
	UNLOCK(SLOTS_ARCH_LOCK, .at = L_UNBIND),
	CALL(T_UNBIND, UNBIND_3, .when = has_failed_with_binding),
	DO(free_new_slot, SLOT_22, .when = has_failed, .at = L_END),
	END,
};

static int mark_invalid(struct gmem_run *run)
{
	SLOT(run->b, run->t->slot)->kflags |= SLOT_INVALID;
	return 0;
}

/* Nobody who began before can still see the memslot as valid. */
static int synchronize_srcu(struct gmem_run *run)
{
	if (vm_of(run)->srcu)
		gmem_violate(run->w, "I1", "synchronize_srcu() inside a read section: owner",
			     run->t->vm, 0);
	return 0;
}

static int flush_shadow(struct gmem_run *run)
{
	const struct gmem_slot *s = old_slot(run);

	gmem_unmap_gfns(run->b, run->t->vm, s->gfn, s->gfn + s->npages, 0);
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

const struct gmem_step gmem_op_move_slot[] = {
	LOCK(SLOTS_ARCH_LOCK, WRITE, SLOT_26),
	DO(mark_invalid, SLOT_26),
	UNLOCK(SLOTS_ARCH_LOCK),
	DO(synchronize_srcu, SLOT_26),
	DO(flush_shadow, SLOT_26),
	LOCK(SLOTS_ARCH_LOCK, WRITE, SLOT_26),
	CHECK(gfns_are_in_reach, SLOT_24, EINVAL, .to = L_UNLOCK),
	CHECK(gfns_are_in_ipa_space, SLOT_29, EFAULT, .to = L_UNLOCK),
	DO(move_gfns, SLOT_26),
	DO(make_valid, SLOT_26, .at = L_UNLOCK),
	UNLOCK(SLOTS_ARCH_LOCK),
	END,
};

static int change_flags(struct gmem_run *run)
{
	SLOT(run->b, run->t->slot)->flags = (uint32_t)run->c->flags;
	return 0;
}

const struct gmem_step gmem_op_change_slot_flags[] = {
	LOCK(SLOTS_ARCH_LOCK, WRITE, SLOT_27),
	DO(change_flags, SLOT_27),
	UNLOCK(SLOTS_ARCH_LOCK),
	END,
};

static int remove_slot(struct gmem_run *run)
{
	struct gmem_vm *vm = vm_of(run);
	const struct gmem_slot *s = old_slot(run);
	uint32_t id = (uint32_t)s->as_id << 16 | s->id;

	gmem_range_set(run->b, &vm->slots, id, id + 1u, 0);
	map_gfns(run->b, s, 0);
	gmem_index_hva(run->b, s, 0);
	vm->nr_memslot_pages -= s->npages;
	return 0;
}

const struct gmem_step gmem_op_delete_slot[] = {
	LOCK(SLOTS_ARCH_LOCK, WRITE, SLOT_15),
	DO(mark_invalid, SLOT_15),
	UNLOCK(SLOTS_ARCH_LOCK),
	DO(synchronize_srcu, SLOT_15),
	DO(flush_shadow, SLOT_15),
	LOCK(SLOTS_ARCH_LOCK, WRITE, SLOT_15),
	DO(remove_slot, SLOT_15),
	UNLOCK(SLOTS_ARCH_LOCK),
	CALL(T_FREE_SLOT, SLOT_15),
	END,
};

/* kvm_vm_ioctl() */
const struct gmem_step gmem_op_set_user_memory_region[] = {
	IOCTL_OF_A_VM,
	CHECK(argp_is_readable, SLOT_1, EFAULT),
	CHECK(flags_are_of_version_1, SLOT_2, EINVAL),
	CALL(T_SET_REGION, SLOT_4),
	ANSWER(return_zero, SLOT_28),
	END,
};

const struct gmem_step gmem_op_set_user_memory_region2[] = {
	IOCTL_OF_A_VM,
	CHECK(argp_is_readable, SLOT_1, EFAULT),
	CALL(T_SET_REGION, SLOT_4),
	ANSWER(return_zero, SLOT_28),
	END,
};
