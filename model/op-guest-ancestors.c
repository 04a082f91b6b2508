/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's faults in the ancestors, and how KVM_RUN ends there: memfile_notifier and
 * restrictedmem.
 *
 * Until v6 of memfile_notifier a page is private if it is allocated in the memfd, and its folio is
 * locked until the guest has it mapped. Since v7 the VM says what is private; the page is only
 * looked up, and what a zap moves tells whether that still holds.
 */
#include "bugs.h"
#include "convert.h"
#include "guest.h"
#include "memfd.h"
#include "profile.h"

/* The memslot's file is its own: no reference has to be taken. Sets t->inode, t->pgoff. */
static int find_private_page(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	const struct gmem_slot *s = slot_of(run);

	t->file = s->file;
	t->inode = GFILE(run->b, t->file)->inode;
	t->pgoff = t->gfn - s->gfn + s->pgoff;
	return 0;
}

static bool slot_is_private(struct gmem_run *run)
{
	return run->t->slot && slot_has_gmem(run);
}

static bool page_is_allocated(struct gmem_run *run)
{
	return gmem_folio(run->b, inode_of(run), run->t->pgoff) != 0;
}

/* In a memslot without a file nothing is private; else the allocation has to agree. */
static bool access_matches_allocation(struct gmem_run *run)
{
	if (!slot_is_private(run))
		return !run->t->private;
	return run->t->private == page_is_allocated(run);
}

static bool access_does_not_match_allocation(struct gmem_run *run)
{
	run->t->mmio = access_matches_allocation(run) ? 0 : EXITS_WITH_FAULT;
	return run->t->mmio != 0;
}

static bool access_does_not_match_attribute(struct gmem_run *run)
{
	run->t->mmio = run->t->private == gmem_ask_gfn(run) ? 0 : EXITS_WITH_FAULT;
	return run->t->mmio != 0;
}

static bool private_access_has_no_file(struct gmem_run *run)
{
	run->t->mmio = run->t->private && !slot_is_private(run) ? EXITS_WITH_FAULT : 0;
	return run->t->mmio != 0;
}

static bool holds_folio_of_shared(struct gmem_run *run)
{
	return !run->t->private && gmem_lock_is_held(run, FOLIO_LOCK);
}

static bool holds_folio_lock_still(struct gmem_run *run)
{
	return gmem_lock_is_held(run, FOLIO_LOCK);
}

/* SGP_NOALLOC, SGP_WRITE: what nobody has used is cleared for who asks for it. */
static int clear_if_fresh(struct gmem_run *run)
{
	const struct gmem_task *t = run->t;
	uint32_t folio = gmem_folio(run->b, inode_of(run), t->pgoff);

	gmem_add_folios(run->b, inode_of(run), t->pgoff, t->pgoff + 1,
			folio | FOLIO_PRESENT | FOLIO_UPTODATE);
	return 0;
}

/* The folio's lock is as good: nobody takes the page away from a private fault. */
static int note_staleness_of_shared(struct gmem_run *run)
{
	run->t->stale = !run->t->private && fault_is_stale(run);
	return 0;
}

static bool fault_found_stale(struct gmem_run *run)
{
	return !has_failed(run) && !run->t->mmio && fault_was_stale(run);
}

static int prepare_memory_error_exit(struct gmem_run *run)
{
	int64_t err = run->res->value;

	prepare_memory_fault_exit(run);
	run->res->outcome = GMEM_ERROR_EXIT;
	run->res->value = err;
	return 0;
}

static bool failed_to_match(struct gmem_run *run)
{
	return gmem_innermost(run)->err == -EPERM;
}

/* The same, where what is allocated is looked at to know what is private. */
static bool guest_page_is_mapped_still(struct gmem_run *run)
{
	return guest_page_is_mapped(run);
}

static int load_bytes_of_guest(struct gmem_run *run)
{
	return load_guest_bytes(run);
}

static int store_bytes_of_guest(struct gmem_run *run)
{
	return store_guest_bytes(run);
}

#define INVALID_SLOT_ROWS                                           \
	DO(note_invalid_slot, GUEST_17, WHEN(slot_is_invalid)),     \
		UNLOCK(SRCU, WHEN(slot_was_invalid)),               \
		LOCK(SRCU, READ, GUEST_17, WHEN(slot_was_invalid)), \
		RETRY_IF(slot_was_invalid, GUEST_17, .to = L_AGAIN)

/* kvm_faultin_pfn(), kvm_faultin_pfn_private() of v4 and v5: what does not match ends in -1 */
const struct gmem_step gmem_op_guest_fault_v4[] = {
	DONE_IF(guest_page_is_mapped_still, GUEST_1, .at = L_AGAIN),
	DO(find_slot, GUEST_1),
	DO(snapshot_seq, GUEST_2),
	INVALID_SLOT_ROWS,
	DONE_IF(becomes_mmio, GUEST_5),
	DO(find_private_page, MFAULT_1, WHEN(slot_is_private)),
	LOCK(FOLIO_LOCK, WRITE, MFAULT_1, WHEN(slot_is_private)),
	CHECK(access_matches_allocation, MFAULT_2, EPERM, .to = L_EXIT),
	CHECK(folio_is_not_poisoned, MFAULT_3, EHWPOISON, WHEN(access_was_private), .to = L_EXIT),
	UNLOCK(FOLIO_LOCK, WHEN(holds_folio_of_shared)),
	DONE_IF(write_becomes_mmio, GUEST_8, .to = L_EXIT),
	DO(clear_if_fresh, MFAULT_1, WHEN(access_was_private)),
	CALL(T_GET_USER_PAGE, GUEST_9, WHEN(access_is_shared), .to = L_EXIT),
	LOCK(MMU_LOCK, READ, GUEST_16),
	DO(note_staleness_of_shared, MFAULT_4),
	DO(install_spte, GUEST_10, WHEN(fault_was_fresh)),
	UNLOCK(MMU_LOCK),
	UNLOCK(FOLIO_LOCK, WHEN(holds_folio_lock_still), .at = L_EXIT),
	DO(prepare_memory_error_exit, MFAULT_5, WHEN(failed_to_match)),
	RETRY_IF(fault_found_stale, GUEST_16, .to = L_AGAIN),
	END,
};

/* kvm_faultin_pfn(), kvm_faultin_pfn_private() of v6: RET_PF_USER, and KVM_RUN returns 0 */
const struct gmem_step gmem_op_guest_fault_v6[] = {
	DONE_IF(guest_page_is_mapped_still, GUEST_1, .at = L_AGAIN),
	DO(find_slot, GUEST_1),
	DO(snapshot_seq, GUEST_2),
	INVALID_SLOT_ROWS,
	DONE_IF(becomes_mmio, GUEST_5),
	DO(find_private_page, MFAULT_1, WHEN(slot_is_private)),
	LOCK(FOLIO_LOCK, WRITE, MFAULT_1, WHEN(slot_is_private)),
	DONE_IF(access_does_not_match_allocation, MFAULT_2, .to = L_EXIT),
	CHECK(folio_is_not_poisoned, MFAULT_3, EHWPOISON, WHEN(access_was_private), .to = L_EXIT),
	UNLOCK(FOLIO_LOCK, WHEN(holds_folio_of_shared)),
	DONE_IF(write_becomes_mmio, GUEST_8, .to = L_EXIT),
	DO(clear_if_fresh, MFAULT_1, WHEN(access_was_private)),
	CALL(T_GET_USER_PAGE, GUEST_9, WHEN(access_is_shared), .to = L_EXIT),
	LOCK(MMU_LOCK, READ, GUEST_16),
	DO(note_staleness, GUEST_16),
	DO(install_spte, GUEST_10, WHEN(fault_was_fresh)),
	UNLOCK(MMU_LOCK),
	UNLOCK(FOLIO_LOCK, WHEN(holds_folio_lock_still), .at = L_EXIT),
	RETRY_IF(fault_found_stale, GUEST_16, .to = L_AGAIN),
	END,
};

/*
 * kvm_faultin_pfn(), kvm_faultin_pfn_private() of v7 and of restrictedmem. Unlike the kernel, which
 * lets a guest try for ever where its page cannot be had, the call fails with what was the reason.
 */
const struct gmem_step gmem_op_guest_fault_v7[] = {
	DONE_IF(guest_page_is_mapped, GUEST_1, .at = L_AGAIN),
	DO(find_slot, GUEST_1),
	DO(snapshot_seq, GUEST_2),
	INVALID_SLOT_ROWS,
	DONE_IF(access_does_not_match_attribute, MFAULT_6),
	DONE_IF(private_access_has_no_file, MFAULT_6),
	DONE_IF(becomes_mmio, GUEST_5),
	CALL(T_GET_PFN, MFAULT_7, WHEN(access_was_private)),
	DONE_IF(write_becomes_mmio, GUEST_8),
	CALL(T_GET_USER_PAGE, GUEST_9, WHEN(access_is_shared)),
	LOCK(MMU_LOCK, READ, GUEST_16),
	DO(note_staleness, GUEST_16),
	DO(install_spte, GUEST_10, WHEN(fault_was_fresh)),
	UNLOCK(MMU_LOCK),
	RETRY_IF(fault_was_stale, GUEST_16, .to = L_AGAIN),
	END,
};

static bool page_is_not_allocated(struct gmem_run *run)
{
	return !page_is_allocated(run);
}

/* memfile_backing_store.get_pfn() of v7: SGP_WRITE; the folio is unlocked again */
const struct gmem_step gmem_op_get_pfn_v7[] = {
	DO(find_private_page, MFAULT_7),
	LOCK(FOLIO_LOCK, WRITE, MFAULT_7),
	CHECK(no_memory_pressure, MFAULT_7, ENOMEM, WHEN(page_is_not_allocated), .to = L_UNLOCK),
	CHECK(folio_is_not_poisoned, MFAULT_3, EHWPOISON, .to = L_UNLOCK),
	DO(clear_if_fresh, MFAULT_7),
	UNLOCK(FOLIO_LOCK, .at = L_UNLOCK),
	END,
};

static bool page_is_bound_to_the_slot(struct gmem_run *run)
{
	return gmem_range_get(run->b, GFILE(run->b, run->t->file)->bindings, run->t->pgoff) ==
	       run->t->slot;
}

/* restrictedmem_get_page() */
const struct gmem_step gmem_op_get_page_v10[] = {
	DO(find_private_page, RMEM_30),
	LOCK(FOLIO_LOCK, WRITE, RMEM_30),
	CHECK(no_memory_pressure, RMEM_30, ENOMEM, WHEN(page_is_not_allocated), .to = L_UNLOCK),
	CHECK(folio_is_not_poisoned, MFAULT_3, EHWPOISON, .to = L_UNLOCK),
	DO(clear_if_fresh, RMEM_31),
	UNLOCK(FOLIO_LOCK, .at = L_UNLOCK),
	END,
};

/* restrictedmem_get_page() since January 2023 */
const struct gmem_step gmem_op_get_page[] = {
	DO(find_private_page, RMEM_30),
	CHECK(page_is_bound_to_the_slot, RMEM_30, EINVAL),
	LOCK(FOLIO_LOCK, WRITE, RMEM_30),
	CHECK(no_memory_pressure, RMEM_30, ENOMEM, WHEN(page_is_not_allocated), .to = L_UNLOCK),
	CHECK(folio_is_not_poisoned, MFAULT_3, EHWPOISON, .to = L_UNLOCK),
	DO(clear_if_fresh, RMEM_31),
	UNLOCK(FOLIO_LOCK, .at = L_UNLOCK),
	END,
};

/* Museum B19: a fresh page is marked as good, and nobody clears it. */
static int mark_without_clearing(struct gmem_run *run)
{
	const struct gmem_task *t = run->t;
	bool fresh = !(gmem_folio(run->b, inode_of(run), t->pgoff) & FOLIO_UPTODATE);

	clear_if_fresh(run);
	if (fresh)
		gmem_range_set(run->b, &inode_of(run)->open_bytes, BYTES(t->pgoff),
			       BYTES(t->pgoff + 1), 1);
	return 0;
}

const struct gmem_edit gmem_bug_b19[] = {
	REPLACE_ROW(T_GET_PFN, "clear_if_fresh", 0, DO(mark_without_clearing, RMEM_31)),
	{ 0 },
};

/* Museum B09: any notification that is under way will do, whatever pages it is about. */
static int note_staleness_of_anything(struct gmem_run *run)
{
	const struct gmem_vm *v = VM(run->b, run->t->vm);

	note_staleness(run);
	if (!run->t->stale && v->in_progress > 0) {
		gmem_violate(run->w, "I17", "a fault waits for an invalidation of others: VM, gfn",
			     v->number, run->t->gfn);
		run->t->stale = 1;
	}
	return 0;
}

const struct gmem_edit gmem_bug_b09[] = {
	REPLACE_ROW(T_GUEST_FAULT, "note_staleness", 0, DO(note_staleness_of_anything, GUEST_16)),
	{ 0 },
};

/* A vCPU is who runs it: the task. */
static bool memory_mce_is_pending(struct gmem_run *run)
{
	bool pending = VM(run->b, run->t->vm)->memory_mce & 1u << run->t->number;

	run->t->mmio = pending ? EXITS_WITH_SHUTDOWN : 0;
	return pending;
}

static int exit_with_shutdown(struct gmem_run *run)
{
	VM(run->b, run->t->vm)->memory_mce &= ~(1u << run->t->number);
	run->res->outcome = GMEM_SHUTDOWN;
	return 0;
}

static bool is_shutdown(struct gmem_run *run)
{
	return run->t->mmio == EXITS_WITH_SHUTDOWN;
}

static bool is_memory_fault(struct gmem_run *run)
{
	return run->t->mmio == EXITS_WITH_FAULT;
}

/* RET_PF_USER: KVM_RUN returns 0 */
static int exit_with_memory_fault(struct gmem_run *run)
{
	prepare_memory_fault_exit(run);
	run->res->value = 0;
	return 0;
}

static int exit_with_memory_error(struct gmem_run *run)
{
	exit_with_memory_fault(run);
	run->res->outcome = GMEM_ERROR_EXIT;
	return 0;
}

/* vcpu_enter_guest() of a guest that loads or stores, and how it ends */
#define ENTER_ROWS(exit, clause, access, done)                                     \
	LOCK(SRCU, READ, GUEST_1), DO(begin_guest_access, GUEST_1, .at = L_AGAIN), \
		CALL(T_GUEST_FAULT, GUEST_1, .to = L_UNLOCK),                      \
		ANSWER(exit_with_mmio, GUEST_5, WHEN(is_mmio)),                    \
		ANSWER(exit, clause, WHEN(is_memory_fault)),                       \
		ANSWER(access, done, WHEN(is_memory), .to = L_AGAIN),              \
		UNLOCK(SRCU, .at = L_UNLOCK), DELAYED_FPUT

/* kvm_vcpu_ioctl(): KVM_RUN up to v5, which has no exit but by failing */
const struct gmem_step gmem_op_guest_load_v4[] = {
	IOCTL_OF_A_VM,
	LOCK(SRCU, READ, GUEST_1),
	DO(begin_guest_access, GUEST_1, .at = L_AGAIN),
	CALL(T_GUEST_FAULT, GUEST_1, .to = L_UNLOCK),
	ANSWER(exit_with_mmio, GUEST_5, WHEN(is_mmio)),
	ANSWER(load_bytes_of_guest, GUEST_12, WHEN(is_memory), .to = L_AGAIN),
	UNLOCK(SRCU, .at = L_UNLOCK),
	DELAYED_FPUT,
	END,
};

/* kvm_vcpu_ioctl(): KVM_RUN up to v5 */
const struct gmem_step gmem_op_guest_store_v4[] = {
	IOCTL_OF_A_VM,
	LOCK(SRCU, READ, GUEST_1),
	DO(begin_guest_access, GUEST_1, .at = L_AGAIN),
	CALL(T_GUEST_FAULT, GUEST_1, .to = L_UNLOCK),
	ANSWER(exit_with_mmio, GUEST_5, WHEN(is_mmio)),
	ANSWER(store_bytes_of_guest, GUEST_13, WHEN(is_memory), .to = L_AGAIN),
	UNLOCK(SRCU, .at = L_UNLOCK),
	DELAYED_FPUT,
	END,
};

/* kvm_vcpu_ioctl(): KVM_RUN of v6 */
const struct gmem_step gmem_op_guest_load_memfile[] = {
	IOCTL_OF_A_VM,
	ENTER_ROWS(exit_with_memory_error, MFAULT_5, load_bytes_of_guest, GUEST_12),
	END,
};

/* kvm_vcpu_ioctl(): KVM_RUN of v6 */
const struct gmem_step gmem_op_guest_store_memfile[] = {
	IOCTL_OF_A_VM,
	ENTER_ROWS(exit_with_memory_error, MFAULT_5, store_bytes_of_guest, GUEST_13),
	END,
};

/* kvm_vcpu_ioctl(): KVM_RUN of v7 */
const struct gmem_step gmem_op_guest_load_v7[] = {
	IOCTL_OF_A_VM,
	ENTER_ROWS(exit_with_memory_fault, MFAULT_8, load_guest_bytes, GUEST_12),
	END,
};

/* kvm_vcpu_ioctl(): KVM_RUN of v7 */
const struct gmem_step gmem_op_guest_store_v7[] = {
	IOCTL_OF_A_VM,
	ENTER_ROWS(exit_with_memory_fault, MFAULT_8, store_guest_bytes, GUEST_13),
	END,
};

/* kvm_vcpu_ioctl(): KVM_RUN of restrictedmem; vcpu_enter_guest() looks at its requests first */
const struct gmem_step gmem_op_guest_load_restricted[] = {
	IOCTL_OF_A_VM,
	ANSWER(exit_with_shutdown, RMEM_32, WHEN(memory_mce_is_pending)),
	DONE_IF(is_shutdown, RMEM_32),
	ENTER_ROWS(exit_with_memory_fault, MFAULT_8, load_guest_bytes, GUEST_12),
	END,
};

/* kvm_vcpu_ioctl(): KVM_RUN of restrictedmem */
const struct gmem_step gmem_op_guest_store_restricted[] = {
	IOCTL_OF_A_VM,
	ANSWER(exit_with_shutdown, RMEM_32, WHEN(memory_mce_is_pending)),
	DONE_IF(is_shutdown, RMEM_32),
	ENTER_ROWS(exit_with_memory_fault, MFAULT_8, store_guest_bytes, GUEST_13),
	END,
};
