/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kvm_gmem_get_pfn(): the page of the file that a guest's fault finds. It takes t->slot and
 * t->gfn, and sets t->file, t->inode and t->pgoff.
 */
#include "convert.h"
#include "ops.h"
#include "profile.h"

/* kvm_gmem_get_file(): a reference for the time of the lookup, unless the file is dying */
static bool get_file_of_slot(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->file = slot_of(run)->file;
	if (!t->file || !GFILE(run->b, t->file)->refs)
		return false;
	GFILE(run->b, t->file)->refs++;
	return true;
}

static bool binding_is_the_slots(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	const struct gmem_slot *s = slot_of(run);

	t->inode = GFILE(run->b, t->file)->inode;
	t->pgoff = t->gfn - s->gfn + s->pgoff;
	return gmem_range_get(run->b, GFILE(run->b, t->file)->bindings, t->pgoff) == t->slot;
}

static int find_inode(struct gmem_run *run)
{
	run->t->inode = GFILE(run->b, run->t->file)->inode;
	return 0;
}

static uint32_t folio_at_pgoff(struct gmem_run *run)
{
	return gmem_folio(run->b, INODE(run->b, run->t->inode), run->t->pgoff);
}

static bool there_is_no_folio(struct gmem_run *run)
{
	return !folio_at_pgoff(run);
}

/*
 * Zeroed when it is used for the first time; that is also what preparing it marks. What the page is
 * already it stays: it may have failed since it was looked at, which takes no lock of the folio.
 */
static int prepare_folio(struct gmem_run *run)
{
	uint32_t folio = folio_at_pgoff(run);

	if (!(folio & FOLIO_UPTODATE))
		gmem_add_folios(run->b, INODE(run->b, run->t->inode), run->t->pgoff,
				run->t->pgoff + 1, folio | FOLIO_PRESENT | FOLIO_UPTODATE);
	return 0;
}

/* kvm_gmem_get_pfn(): takes t->slot, t->gfn; sets t->file, t->inode, t->pgoff */
const struct gmem_step gmem_op_get_pfn[] = {
	CHECK(get_file_of_slot, PFN_1, EFAULT),
	CHECK(binding_is_the_slots, PFN_2, EIO, .to = L_END),
	LOCK(FOLIO_LOCK, WRITE, PFN_5),
	CHECK(no_memory_pressure, PFN_3, ENOMEM, WHEN(there_is_no_folio), .to = L_UNLOCK),
	CHECK(folio_is_not_poisoned, PFN_4, EHWPOISON, .to = L_UNLOCK),
	DO(prepare_folio, PFN_5),
	UNLOCK(FOLIO_LOCK, .at = L_UNLOCK),
	DO(fput, PFN_1, .at = L_END),
	END,
};

/* kvm_gmem_is_private_mem(): the inode is asked, also where it is the VM's attributes that count */
static bool file_calls_page_private(struct gmem_run *run)
{
	return !gmem_is_shared(run->b, INODE(run->b, run->t->inode), run->t->pgoff);
}

/* kvm_arch_gmem_make_private(): SNP and TDX; what it does to the bytes is the vendor's affair */
static int make_private(struct gmem_run *run)
{
	if (VM(run->b, run->t->vm)->type == GMEM_VM_SNP)
		gmem_add_folios(run->b, INODE(run->b, run->t->inode), run->t->pgoff,
				run->t->pgoff + 1, folio_at_pgoff(run) | FOLIO_ASSIGNED);
	return 0;
}

/* kvm_gmem_get_pfn(), __kvm_gmem_get_pfn() of in-place conversion: under the invalidate lock */
const struct gmem_step gmem_op_get_pfn_locked[] = {
	CHECK(get_file_of_slot, PFN_1, EFAULT),
	DO(find_inode, PFN_6),
	LOCK(INVALIDATE_LOCK, READ, PFN_6),
	CHECK(binding_is_the_slots, PFN_2, EIO, .to = L_UNLOCK_OUTER),
	LOCK(FOLIO_LOCK, WRITE, PFN_5),
	CHECK(no_memory_pressure, PFN_3, ENOMEM, WHEN(there_is_no_folio), .to = L_UNLOCK),
	CHECK(folio_is_not_poisoned, PFN_4, EHWPOISON, .to = L_UNLOCK),
	DO(prepare_folio, PFN_5),
	DO(make_private, PFN_7, WHEN(file_calls_page_private)),
	UNLOCK(FOLIO_LOCK, .at = L_UNLOCK),
	UNLOCK(INVALIDATE_LOCK, .at = L_UNLOCK_OUTER),
	DO(fput, PFN_1),
	END,
};

/*
 * The same kvm_gmem_get_pfn() before v13, and in shareability: the caller gets a reference on the
 * page
 */
const struct gmem_step gmem_op_get_pfn_held[] = {
	CHECK(get_file_of_slot, PFN_1, EFAULT),
	DO(find_inode, PFN_6),
	LOCK(INVALIDATE_LOCK, READ, PFN_6),
	CHECK(binding_is_the_slots, PFN_2, EIO, .to = L_UNLOCK_OUTER),
	LOCK(FOLIO_LOCK, WRITE, PFN_5),
	CHECK(no_memory_pressure, PFN_3, ENOMEM, WHEN(there_is_no_folio), .to = L_UNLOCK),
	CHECK(folio_is_not_poisoned, PFN_4, EHWPOISON, .to = L_UNLOCK),
	DO(prepare_folio, PFN_5),
	DO(make_private, PFN_7, WHEN(file_calls_page_private)),
	DO(hold_folio, PFN_8),
	UNLOCK(FOLIO_LOCK, .at = L_UNLOCK),
	UNLOCK(INVALIDATE_LOCK, .at = L_UNLOCK_OUTER),
	DO(fput, PFN_1),
	END,
};
