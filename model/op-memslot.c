/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KVM_SET_USER_MEMORY_REGION and KVM_SET_USER_MEMORY_REGION2: what is refused, and which of
 * creating, moving, other flags and deleting is meant. Doing it is in op-memslot-change.c.
 *
 * What is wrong with the call, and with what is there already, is refused here, before
 * slots_arch_lock is taken. What is wrong with the guest_memfd is refused in op-bind.c, before that
 * lock as well; but in linux-coco-v13 a range that is bound already, and want of memory for the
 * binding, come under it. So do, in op-memslot-change.c, what the architecture refuses, and want of
 * memory to delete or to move.
 */
#include "bugs.h"
#include "ops.h"
#include "profile.h"

#define X86_USER_MEM_SLOTS 32764u
#define ARM64_USER_MEM_SLOTS 32767u
#define MAX_NR_PAGES ((UINT64_C(1) << 31) - 1)
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

bool gmem_slot_is_there(const struct gmem_block *b, const struct gmem_vm *vm, uint32_t idx)
{
	return gmem_is_a(b, idx, TAG_SLOT) && CVM(b, CSLOT(b, idx)->vm) == vm;
}

bool wants_guest_memfd(struct gmem_run *run)
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

static uint64_t valid_flags(struct gmem_run *run)
{
	const struct gmem_vm *vm = vm_of(run);
	uint64_t valid = GMEM_MEM_LOG_DIRTY_PAGES;

	if (takes_guest_memfd(run->b, vm))
		valid |= GMEM_MEM_GUEST_MEMFD;
	if (wants_guest_memfd(run))
		valid = (valid & ~GMEM_MEM_LOG_DIRTY_PAGES) | run->b->profile->n.private_slot_flags;
	else if (gmem_has_readonly_mem(vm))
		valid |= GMEM_MEM_READONLY;
	return valid;
}

static bool memslot_flags_are_valid(struct gmem_run *run)
{
	return !(run->c->flags & ~valid_flags(run));
}

/* Museum B28: READONLY goes with everything. */
static bool memslot_flags_are_valid_or_readonly(struct gmem_run *run)
{
	uint64_t readonly = gmem_has_readonly_mem(vm_of(run)) ? GMEM_MEM_READONLY : 0;

	return !(run->c->flags & ~(valid_flags(run) | readonly));
}

const struct gmem_edit gmem_bug_b28[] = {
	REPLACE_ROW(T_SET_REGION, "memslot_flags_are_valid", 0,
		    CHECK(memslot_flags_are_valid_or_readonly, SLOT_5, EINVAL, .to = L_UNLOCK)),
	{ 0 },
};

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
		   (run->b->profile->n.ancestor || !gmem_has_private_mem(run->b, vm_of(run)));

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
	REPLACE_ROW(T_SET_REGION, "readonly_and_guest_memfd_are_kept", 0,
		    CHECK(readonly_is_kept, SLOT_18, EINVAL, WHEN(is_modify), .to = L_UNLOCK)),
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

/* kvm_vm_ioctl_set_memory_region(), kvm_set_memory_region() up to kvm_set_memslot() */
const struct gmem_step gmem_op_set_region[] = {
	CHECK(slot_is_a_users, SLOT_3, EINVAL),
	LOCK(SLOTS_LOCK, WRITE, SLOT_4),
	CHECK(memslot_flags_are_valid, SLOT_5, EINVAL, .to = L_UNLOCK),
	CHECK(size_is_aligned, SLOT_6, EINVAL, .to = L_UNLOCK),
	CHECK(gpa_is_aligned, SLOT_7, EINVAL, .to = L_UNLOCK),
	CHECK(userspace_addr_is_valid, SLOT_8, EINVAL, .to = L_UNLOCK),
	CHECK(offset_is_valid, SLOT_9, EINVAL, WHEN(wants_guest_memfd), .to = L_UNLOCK),
	CHECK(address_space_exists, SLOT_10, EINVAL, .to = L_UNLOCK),
	CHECK(gpa_does_not_wrap, SLOT_11, EINVAL, .to = L_UNLOCK),
	CHECK(pages_are_not_too_many, SLOT_12, EINVAL, .to = L_UNLOCK),
	DO(find_old_slot, SLOT_13),
	CHECK(old_slot_exists, SLOT_14, EINVAL, WHEN(is_delete), .to = L_UNLOCK),
	CALL(T_DELETE_SLOT, SLOT_15, WHEN(is_delete), .to = L_UNLOCK),
	CHECK(guest_memfd_is_not_set, SLOT_16, EINVAL, WHEN(is_modify), .to = L_UNLOCK),
	CHECK(hva_and_size_are_kept, SLOT_17, EINVAL, WHEN(is_modify), .to = L_UNLOCK),
	CHECK(readonly_and_guest_memfd_are_kept, SLOT_18, EINVAL, WHEN(is_modify), .to = L_UNLOCK),
	DONE_IF(nothing_changes, SLOT_19, .to = L_UNLOCK, .says = true),
	DONE_IF(is_delete, SLOT_15, .to = L_UNLOCK, .says = true),
	CHECK(gfns_are_free, SLOT_20, EEXIST, WHEN(is_create_or_move), .to = L_UNLOCK),
	CHECK(no_memory_pressure, SLOT_21, ENOMEM, .to = L_UNLOCK),
	CALL(T_CREATE_SLOT, SLOT_22, WHEN(is_create), .to = L_UNLOCK),
	CALL(T_MOVE_SLOT, SLOT_26, WHEN(is_move), .to = L_UNLOCK),
	CALL(T_CHANGE_SLOT_FLAGS, SLOT_27, WHEN(is_flags_only), .to = L_UNLOCK),
	UNLOCK(SLOTS_LOCK, .at = L_UNLOCK),
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

/* kvm_vm_ioctl() */
const struct gmem_step gmem_op_set_user_memory_region2[] = {
	IOCTL_OF_A_VM,
	CHECK(argp_is_readable, SLOT_1, EFAULT),
	CALL(T_SET_REGION, SLOT_4, .to = L_END),
	CALL_EACH(delayed_fput, T_FINAL_FPUT, FD_4, .at = L_END),
	ANSWER(return_zero, SLOT_28),
	END,
};

/* The short structure has no file; what is behind it cannot be read. */
static bool short_structure_will_do(struct gmem_run *run)
{
	return !wants_guest_memfd(run);
}

/* Somebody changes the flags between the first time they are read and the second. */
static bool flags_are_the_same_again(struct gmem_run *run)
{
	return run->c->argp != 3;
}

/* kvm_vm_ioctl() of the ancestors, with the short structure */
const struct gmem_step gmem_op_set_user_memory_region_ext[] = {
	IOCTL_OF_A_VM,
	CHECK(argp_is_readable, SLOT_1, EFAULT),
	CHECK(short_structure_will_do, EXT_1, EFAULT),
	CHECK(flags_are_the_same_again, EXT_2, EINVAL),
	CALL(T_SET_REGION, SLOT_4, .to = L_END),
	CALL_EACH(delayed_fput, T_FINAL_FPUT, FD_4, .at = L_END),
	ANSWER(return_zero, SLOT_28),
	END,
};

/* kvm_vm_ioctl() of the ancestors: struct kvm_userspace_memory_region_ext */
const struct gmem_step gmem_op_set_user_memory_region2_ext[] = {
	IOCTL_OF_A_VM,
	CHECK(argp_is_readable, SLOT_1, EFAULT),
	CHECK(flags_are_the_same_again, EXT_2, EINVAL),
	CALL(T_SET_REGION, SLOT_4, .to = L_END),
	CALL_EACH(delayed_fput, T_FINAL_FPUT, FD_4, .at = L_END),
	ANSWER(return_zero, SLOT_28),
	END,
};

/* Museum B11: the flags are read twice, and believed both times. */
const struct gmem_edit gmem_bug_b11[] = {
	DROP_ROW(GMEM_SET_USER_MEMORY_REGION, "flags_are_the_same_again", 0),
	{ 0 },
};

static bool private_fd_is_open(struct gmem_run *run)
{
	return gmem_fd_file(run->b, gmem_process(run), run->c->memfd) != 0;
}

static bool is_create_with_private_fd(struct gmem_run *run)
{
	return is_create(run) && wants_guest_memfd(run);
}

/* No other memslot of the VM has any of these pages of the file; pages is how many are compared. */
static bool file_range_is_free_of(struct gmem_run *run, uint64_t shift_right)
{
	uint32_t file = gmem_fd_file(run->b, gmem_process(run), run->c->memfd);
	uint64_t from = PAGES(run->c->offset), to = from + (PAGES(run->c->size) >> shift_right);
	struct gmem_range r = { 0, 0, 0 };

	while (gmem_range_next(run->b, vm_of(run)->slots, r.end, &r)) {
		const struct gmem_slot *s = SLOT(run->b, r.value);

		if (s->file == file && s->pgoff < to &&
		    from < s->pgoff + (s->npages >> shift_right))
			return false;
	}
	return true;
}

static bool file_range_is_free(struct gmem_run *run)
{
	return file_range_is_free_of(run, 0);
}

/* kvm_vm_ioctl_set_memory_region(), __kvm_set_memory_region() of v4 */
const struct gmem_step gmem_op_set_region_v4[] = {
	CHECK(slot_is_a_users, SLOT_3, EINVAL),
	LOCK(SLOTS_LOCK, WRITE, SLOT_4),
	CHECK(memslot_flags_are_valid, SLOT_5, EINVAL, .to = L_UNLOCK),
	CHECK(size_is_aligned, SLOT_6, EINVAL, .to = L_UNLOCK),
	CHECK(gpa_is_aligned, SLOT_7, EINVAL, .to = L_UNLOCK),
	CHECK(userspace_addr_is_valid, EXT_3, EINVAL, WHEN(guest_memfd_is_not_set), .to = L_UNLOCK),
	CHECK(address_space_exists, SLOT_10, EINVAL, .to = L_UNLOCK),
	CHECK(gpa_does_not_wrap, SLOT_11, EINVAL, .to = L_UNLOCK),
	CHECK(pages_are_not_too_many, SLOT_12, EINVAL, .to = L_UNLOCK),
	DO(find_old_slot, SLOT_13),
	CHECK(old_slot_exists, SLOT_14, EINVAL, WHEN(is_delete), .to = L_UNLOCK),
	CALL(T_DELETE_SLOT, SLOT_15, WHEN(is_delete), .to = L_UNLOCK),
	CHECK(guest_memfd_is_not_set, SLOT_16, EINVAL, WHEN(is_modify), .to = L_UNLOCK),
	CHECK(hva_and_size_are_kept, SLOT_17, EINVAL, WHEN(is_modify), .to = L_UNLOCK),
	CHECK(readonly_and_guest_memfd_are_kept, SLOT_18, EINVAL, WHEN(is_modify), .to = L_UNLOCK),
	DONE_IF(nothing_changes, SLOT_19, .to = L_UNLOCK, .says = true),
	DONE_IF(is_delete, SLOT_15, .to = L_UNLOCK, .says = true),
	CHECK(private_fd_is_open, EXT_4, EINVAL, WHEN(is_create_with_private_fd), .to = L_UNLOCK),
	CHECK(gfns_are_free, SLOT_20, EEXIST, WHEN(is_create_or_move), .to = L_UNLOCK),
	CHECK(file_range_is_free, EXT_5, EEXIST, WHEN(is_create_with_private_fd), .to = L_UNLOCK),
	CHECK(no_memory_pressure, SLOT_21, ENOMEM, .to = L_UNLOCK),
	CALL(T_CREATE_SLOT, SLOT_22, WHEN(is_create), .to = L_UNLOCK),
	CALL(T_MOVE_SLOT, SLOT_26, WHEN(is_move), .to = L_UNLOCK),
	CALL(T_CHANGE_SLOT_FLAGS, SLOT_27, WHEN(is_flags_only), .to = L_UNLOCK),
	UNLOCK(SLOTS_LOCK, .at = L_UNLOCK),
	END,
};

/* Museum B07: the number of pages is shifted to the right where bytes are meant. */
static bool first_bytes_of_file_are_free(struct gmem_run *run)
{
	return file_range_is_free_of(run, GMEM_PAGE_SHIFT);
}

const struct gmem_edit gmem_bug_b07[] = {
	REPLACE_ROW(T_SET_REGION, "file_range_is_free", 0,
		    CHECK(first_bytes_of_file_are_free, EXT_5, EEXIST, .to = L_UNLOCK)),
	{ 0 },
};
