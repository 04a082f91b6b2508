/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's side: faults, and loads and stores through the guest's page tables.
 *
 * What a guest may see is decided by the memslot and by who says whether an access is private:
 * the VM's attributes for KVM_X86_SW_PROTECTED_VM, the guest itself (the call's access) for SNP
 * and TDX; other guests have no private accesses.
 */
#include "bugs.h"
#include "convert.h"
#include "guest.h"
#include "profile.h"

/* A pre-fault is for whoever the attribute allows, as far as the guest has private memory. */
static bool access_is_private(struct gmem_run *run)
{
	if (run->c->verb == GMEM_PRE_FAULT_MEMORY)
		return gmem_guest_may_map_private(run->b, vm_of(run)) && gmem_ask_gfn(run);
	switch (vm_of(run)->type) {
	case GMEM_VM_SW_PROTECTED:
		return gmem_ask_gfn(run);
	case GMEM_VM_SNP:
	case GMEM_VM_TDX:
		return run->c->access & GMEM_ACCESS_PRIVATE;
	default:
		return false;
	}
}

/* There is no other kind of access: the entry alone says whose the page is, until it is gone. */
static bool entry_says_which(struct gmem_run *run)
{
	return run->c->verb != GMEM_PRE_FAULT_MEMORY && vm_of(run)->type == GMEM_VM_SW_PROTECTED;
}

/* What the processor finds in the guest's page tables: it takes no lock. */
bool guest_page_is_mapped(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	uint32_t spte = gmem_range_get(run->b, vm_of(run)->sptes, t->gfn);
	bool allows = spte && (!t->write || (spte & SPTE_WRITABLE));
	bool private = spte & SPTE_PRIVATE;

	t->private = allows && entry_says_which(run) ? private : access_is_private(run);
	return allows && t->private == private;
}

int find_slot(struct gmem_run *run)
{
	run->t->slot = gmem_slot_by_gfn(run->b, vm_of(run), run->t->gfn);
	run->t->stale = 0;
	return 0;
}

int snapshot_seq(struct gmem_run *run)
{
	run->t->seq = vm_of(run)->seq;
	return 0;
}

/* The memslot is being moved or deleted: a pre-fault gives up, a guest tries again. */
bool slot_is_invalid(struct gmem_run *run)
{
	return run->t->slot && (slot_of(run)->kflags & SLOT_INVALID);
}

/* RET_PF_RETRY leaves the read section: whoever changes the memslot waits for its end. */
int note_invalid_slot(struct gmem_run *run)
{
	run->t->stale = 1;
	run->t->slot = 0;
	return 0;
}

bool slot_was_invalid(struct gmem_run *run)
{
	return run->t->stale;
}

static bool slot_is_valid_for_prefault(struct gmem_run *run)
{
	return run->c->verb != GMEM_PRE_FAULT_MEMORY || !slot_is_invalid(run);
}

/* is_page_fault_stale(): an invalidation began, or came and went, since the snapshot */
bool fault_is_stale(struct gmem_run *run)
{
	const struct gmem_task *t = run->t;

	return gmem_mmu_invalidate_retry(vm_of(run), t->seq, t->gfn);
}

/* mmu_invalidate_retry_gfn_unsafe(): the same, without the lock; a fault that will not do is not begun */
static bool fault_will_not_do(struct gmem_run *run)
{
	return fault_is_stale(run);
}

bool fault_was_fresh(struct gmem_run *run)
{
	return !run->t->stale;
}

int note_staleness(struct gmem_run *run)
{
	run->t->stale = fault_is_stale(run);
	return 0;
}

bool fault_was_stale(struct gmem_run *run)
{
	return run->t->stale;
}

static bool access_matches_attribute(struct gmem_run *run)
{
	return run->t->private == gmem_ask_gfn(run);
}

static bool there_is_no_slot(struct gmem_run *run)
{
	return !run->t->slot;
}

bool access_is_shared(struct gmem_run *run)
{
	return !run->t->private;
}

bool access_was_private(struct gmem_run *run)
{
	return run->t->private;
}

/* There is a memslot's worth of nothing here: the instruction is emulated as MMIO. */
bool becomes_mmio(struct gmem_run *run)
{
	run->t->mmio = !run->t->slot;
	return run->t->mmio;
}

static bool faults_from_gmem(struct gmem_run *run)
{
	return run->t->private || gmem_slot_is_gmem_only(run->b, slot_of(run));
}

bool faults_from_host(struct gmem_run *run)
{
	return !faults_from_gmem(run);
}

/* A write to a KVM_MEM_READONLY memslot is emulated as MMIO, unlike its reads. */
bool write_becomes_mmio(struct gmem_run *run)
{
	run->t->mmio = run->t->write && (slot_of(run)->flags & GMEM_MEM_READONLY);
	return run->t->mmio;
}

int install_spte(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	uint32_t spte = SPTE_PRESENT | (t->private ? SPTE_PRIVATE : 0);

	if (faults_from_gmem(run))
		spte |= SPTE_GMEM;
	if (faults_from_gmem(run) ? !(slot_of(run)->flags & GMEM_MEM_READONLY) : t->write)
		spte |= SPTE_WRITABLE;
	gmem_range_set(run->b, &vm_of(run)->sptes, t->gfn, t->gfn + 1, spte);
	return 0;
}

/* kvm_mmu_prepare_memory_fault_exit(); the errno is that of the row that failed */
int prepare_memory_fault_exit(struct gmem_run *run)
{
	struct gmem_result *r = run->res;

	r->outcome = GMEM_MEMORY_FAULT;
	r->gpa = BYTES(run->t->gfn);
	r->exit_size = GMEM_PAGE_SIZE;
	r->exit_flags = run->t->private ? GMEM_EXIT_FLAG_PRIVATE : 0;
	return 0;
}

/*
 * kvm_mmu_faultin_pfn(), __kvm_mmu_faultin_pfn(), kvm_tdp_mmu_page_fault(): takes t->vm, t->gfn,
 * t->write; changes t->slot, t->private, t->mmio, t->stale, and what the tables it calls change.
 * The caller is in a read section of kvm->srcu.
 */
const struct gmem_step gmem_op_guest_fault[] = {
	DONE_IF(guest_page_is_mapped, GUEST_1, .at = L_AGAIN),
	DO(find_slot, GUEST_1),
	DO(snapshot_seq, GUEST_2),
	CHECK(access_matches_attribute, GUEST_3, EFAULT, .to = L_EXIT),
	CHECK(access_is_shared, GUEST_4, EFAULT, WHEN(there_is_no_slot), .to = L_EXIT),
	CHECK(slot_is_valid_for_prefault, GUEST_17, EAGAIN),
	DO(note_invalid_slot, GUEST_17, WHEN(slot_is_invalid)),
	UNLOCK(SRCU, WHEN(slot_was_invalid)),
	LOCK(SRCU, READ, GUEST_17, WHEN(slot_was_invalid)),
	RETRY_IF(slot_was_invalid, GUEST_17, .to = L_AGAIN),
	DONE_IF(becomes_mmio, GUEST_5),
	RETRY_IF(fault_will_not_do, GUEST_18, .to = L_AGAIN),
	CHECK(slot_has_gmem, GUEST_6, EFAULT, WHEN(access_was_private), .to = L_EXIT),
	CALL(T_GET_PFN, GUEST_7, WHEN(faults_from_gmem), .to = L_EXIT),
	DONE_IF(write_becomes_mmio, GUEST_8, .to = L_END),
	CALL(T_GET_USER_PAGE, GUEST_9, WHEN(faults_from_host)),
	DO(note_staleness, GUEST_18),
	LOCK(MMU_LOCK, READ, GUEST_16, WHEN(fault_was_fresh)),
	DO(note_staleness, GUEST_16, WHEN(holds_mmu_lock)),
	DO(install_spte, GUEST_10, WHEN(fault_was_fresh)),
	UNLOCK(MMU_LOCK, WHEN(holds_mmu_lock)),
	DO(put_folio, GUEST_10, .at = L_END),
	RETRY_IF(fault_was_stale, GUEST_16, .to = L_AGAIN),
	DO(prepare_memory_fault_exit, GUEST_11, WHEN(has_failed), .at = L_EXIT),
	END,
};

/*
 * kvm_faultin_pfn(), __kvm_faultin_pfn(), kvm_tdp_mmu_page_fault() of 6.8: the access is held against
 * the attribute after the memslot was looked at
 */
const struct gmem_step gmem_op_guest_fault_6_8[] = {
	DONE_IF(guest_page_is_mapped, GUEST_1, .at = L_AGAIN),
	DO(find_slot, GUEST_1),
	DO(snapshot_seq, GUEST_2),
	DO(note_invalid_slot, GUEST_17, WHEN(slot_is_invalid)),
	UNLOCK(SRCU, WHEN(slot_was_invalid)),
	LOCK(SRCU, READ, GUEST_17, WHEN(slot_was_invalid)),
	RETRY_IF(slot_was_invalid, GUEST_17, .to = L_AGAIN),
	CHECK(access_matches_attribute, GUEST_3, EFAULT, .to = L_EXIT),
	CHECK(access_is_shared, GUEST_4, EFAULT, WHEN(there_is_no_slot), .to = L_EXIT),
	CHECK(slot_has_gmem, GUEST_6, EFAULT, WHEN(access_was_private), .to = L_EXIT),
	CALL(T_GET_PFN, GUEST_7, WHEN(access_was_private), .to = L_EXIT),
	DONE_IF(becomes_mmio, GUEST_5),
	DONE_IF(write_becomes_mmio, GUEST_8),
	CALL(T_GET_USER_PAGE, GUEST_9, WHEN(access_is_shared)),
	LOCK(MMU_LOCK, READ, GUEST_16),
	DO(note_staleness, GUEST_16),
	DO(install_spte, GUEST_10, WHEN(fault_was_fresh)),
	UNLOCK(MMU_LOCK),
	RETRY_IF(fault_was_stale, GUEST_16, .to = L_AGAIN),
	DO(prepare_memory_fault_exit, GUEST_11, WHEN(has_failed), .at = L_EXIT),
	END,
};

/* Museum B30: what no memslot is behind is emulated before anybody looks at the attribute. */
const struct gmem_edit gmem_bug_b30[] = {
	DROP_ROW(T_GUEST_FAULT, "access_matches_attribute", 0),
	INSERT_ROW(T_GUEST_FAULT, "slot_has_gmem", 0,
		   CHECK(access_matches_attribute, GUEST_3, EFAULT, .to = L_EXIT)),
	{ 0 },
};

static int find_user_page(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->page = PAGES(slot_of(run)->hva) + (t->gfn - slot_of(run)->gfn);
	return 0;
}

/* What is in the page table and may be written is found without asking for PROT_READ. */
static bool mapping_allows_gup(struct gmem_run *run)
{
	struct gmem_process *p = gmem_process(run);
	const struct gmem_vma *v = gmem_vma_at(run->b, p, run->t->page);

	if (!v)
		return true;
	if (run->t->write || (!(slot_of(run)->flags & GMEM_MEM_READONLY) &&
			      gmem_range_get(run->b, p->ptes, run->t->page)))
		return v->prot &
		       (run->t->write ? GMEM_PROT_WRITE : GMEM_PROT_READ | GMEM_PROT_WRITE);
	return v->prot & GMEM_PROT_READ;
}

/* Poisoned by its entry, or by what a touch of it would find; sets t->inode and t->pgoff. */
static bool user_page_has_not_failed(struct gmem_run *run)
{
	struct gmem_process *p = gmem_process(run);
	const struct gmem_vma *v = gmem_vma_at(run->b, p, run->t->page);
	uint32_t prot = run->t->write ? GMEM_PROT_WRITE : GMEM_PROT_READ;
	const struct gmem_inode *inode;

	if (!v || !(v->prot & prot))
		return true;
	run->t->inode = v->inode;
	run->t->pgoff = v->pgoff + (run->t->page - v->start);
	if (gmem_range_get(run->b, p->ptes, run->t->page) & PTE_POISONED)
		return false;
	inode = INODE(run->b, v->inode);
	if (inode->kind == INODE_GMEM && !gmem_is_shared(run->b, inode, run->t->pgoff))
		return true;
	return !(gmem_folio(run->b, inode, run->t->pgoff) & FOLIO_POISONED);
}

/* hva_to_pfn(): takes t->slot, t->gfn, t->write; sets t->inode, t->pgoff */
const struct gmem_step gmem_op_get_user_page[] = {
	DO(find_user_page, GUEST_9),
	CHECK(user_page_has_not_failed, GUEST_15, FAULT_SIGBUS),
	CHECK(mapping_allows_gup, GUEST_14, EFAULT),
	CALL(T_HOST_FAULT, GUEST_9, .err = -EFAULT),
	END,
};

int begin_guest_access(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->gfn = PAGES(run->c->gpa);
	t->write = run->c->verb == GMEM_GUEST_STORE;
	t->mmio = 0;
	t->slot = 0;
	return 0;
}

bool is_mmio(struct gmem_run *run)
{
	return run->t->mmio == EXITS_WITH_MMIO;
}

bool is_memory(struct gmem_run *run)
{
	return !run->t->mmio;
}

int exit_with_mmio(struct gmem_run *run)
{
	struct gmem_result *r = run->res;

	r->outcome = GMEM_MMIO;
	r->gpa = run->c->gpa;
	r->exit_size = run->c->size;
	r->exit_flags = run->t->write;
	return 0;
}

/*
 * What is behind a guest page that is mapped: sets t->inode and t->pgoff, and widens t->start to
 * t->end. The byte of the inode.
 */
static uint64_t guest_byte(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	const struct gmem_slot *s;
	const struct gmem_vma *v;
	uint64_t page;

	find_slot(run);
	s = slot_of(run);
	page = t->gfn - s->gfn;
	if (gmem_range_get(run->b, vm_of(run)->sptes, t->gfn) & SPTE_GMEM) {
		t->inode = s->inode;
		t->pgoff = s->pgoff + page;
	} else {
		page += PAGES(s->hva);
		v = gmem_vma_at(run->b, PROCESS(run->b, vm_of(run)->process), page);
		t->inode = v->inode;
		t->pgoff = v->pgoff + (page - v->start);
	}
	if (t->pgoff < t->start)
		t->start = t->pgoff;
	if (t->pgoff >= t->end)
		t->end = t->pgoff + 1;
	return BYTES(t->pgoff) + (run->c->gpa & (GMEM_PAGE_SIZE - 1));
}

/* Between the fault and the access the page may have gone again. */
static bool guest_access_faults(struct gmem_run *run)
{
	run->t->start = UINT64_MAX;
	run->t->end = 0;
	return !guest_page_is_mapped(run);
}

int load_guest_bytes(struct gmem_run *run)
{
	uint64_t offset;

	if (guest_access_faults(run))
		return RETRY;
	offset = guest_byte(run);
	if (gmem_bytes_are_open(run->b, run->t->inode, offset, run->c->size))
		return return_unspecified(run);
	return return_loaded(run, gmem_bytes_read(run->b, run->t->inode, offset, run->c->size));
}

int store_guest_bytes(struct gmem_run *run)
{
	uint64_t offset;

	if (guest_access_faults(run))
		return RETRY;
	offset = guest_byte(run);
	gmem_bytes_write(run->b, run->t->inode, offset, run->c->size, run->c->value);
	return return_zero(run);
}

/* kvm_vcpu_ioctl(): KVM_RUN */
const struct gmem_step gmem_op_guest_load[] = {
	IOCTL_OF_A_VM,
	LOCK(SRCU, READ, GUEST_1),
	DO(begin_guest_access, GUEST_1, .at = L_AGAIN),
	CALL(T_GUEST_FAULT, GUEST_1, .to = L_UNLOCK),
	ANSWER(exit_with_mmio, GUEST_5, WHEN(is_mmio)),
	ANSWER(load_guest_bytes, GUEST_12, WHEN(is_memory), .to = L_AGAIN),
	UNLOCK(SRCU, .at = L_UNLOCK),
	DELAYED_FPUT,
	END,
};

/* kvm_vcpu_ioctl(): KVM_RUN */
const struct gmem_step gmem_op_guest_store[] = {
	IOCTL_OF_A_VM,
	LOCK(SRCU, READ, GUEST_1),
	DO(begin_guest_access, GUEST_1, .at = L_AGAIN),
	CALL(T_GUEST_FAULT, GUEST_1, .to = L_UNLOCK),
	ANSWER(exit_with_mmio, GUEST_5, WHEN(is_mmio)),
	ANSWER(store_guest_bytes, GUEST_13, WHEN(is_memory), .to = L_AGAIN),
	UNLOCK(SRCU, .at = L_UNLOCK),
	DELAYED_FPUT,
	END,
};
