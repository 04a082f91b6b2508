/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory failure: a machine check hits a page of the file.
 *
 * The page stays where it is. Mappings of it become entries that raise SIGBUS, the VM is told,
 * and whoever asks for the page from then on, host or guest, is refused until it is punched.
 */
#include "bugs.h"
#include "convert.h"
#include "memfd.h"

static bool page_is_present(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->start = PAGES(run->c->offset);
	t->end = t->start + 1;
	return gmem_folio(run->b, INODE(run->b, t->inode), t->start) != 0;
}

static bool page_is_poisoned(struct gmem_run *run)
{
	return gmem_folio(run->b, INODE(run->b, run->t->inode), run->t->start) & FOLIO_POISONED;
}

/* A huge folio that is not split fails as a whole. */
static int find_folio(struct gmem_run *run)
{
	const struct gmem_inode *inode = INODE(run->b, run->t->inode);

	if (gmem_folio(run->b, inode, run->t->start) & FOLIO_HUGE) {
		run->t->start = gmem_round_down(inode, run->t->start);
		run->t->end = run->t->start + gmem_folio_pages(inode);
	}
	return 0;
}

/* TestSetPageHWPoison(): of two that fail one page at a time one is too late. */
static int test_and_set_poisoned(struct gmem_run *run)
{
	struct gmem_inode *inode = INODE(run->b, run->t->inode);

	if (page_is_poisoned(run))
		return -EHWPOISON;
	gmem_mark_folios(run->b, inode, run->t->start, run->t->end, FOLIO_POISONED, 0);
	return 0;
}

static uint32_t *entries(struct gmem_run *run)
{
	return &PROCESS(run->b, run->t->owner)->ptes;
}

/* Nobody has punched it meanwhile, and who did may have put a fresh one into its place. */
static bool failed_page_is_there(struct gmem_run *run)
{
	return page_is_poisoned(run);
}

/* folio_mapped(): somebody has touched it */
static bool failed_page_is_mapped(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	bool found = false;

	if (!failed_page_is_there(run))
		return false;
	while (!found && next_mapping_over(run))
		found = gmem_range_get(run->b, *entries(run), t->zap) & PTE_PRESENT;
	t->at_vma = 0;
	return found;
}

static bool has_entry(struct gmem_run *run)
{
	return gmem_range_get(run->b, *entries(run), run->t->zap) & PTE_PRESENT;
}

static int make_entry_poisoned(struct gmem_run *run)
{
	gmem_range_set(run->b, entries(run), run->t->zap, run->t->zap + 1, PTE_POISONED);
	return 0;
}

/* try_to_unmap_one(): every mapping over the page is told, also one that has not touched it */
const struct gmem_step gmem_op_poison_mapping[] = {
	CALL(T_NOTIFY, NOTIFY_1),
	DO(make_entry_poisoned, POISON_4, WHEN(has_entry)),
	END,
};

static int report_error(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	const struct gmem_event e = {
		.kind = GMEM_MEMORY_ERROR,
		.origin = GMEM_BY_FILE,
		.pgoff = t->start,
		.pgoff_end = t->end,
	};

	while (next_bound_file(run))
		gmem_emit(run, t->at_vm, &e);
	return 0;
}

/* The page was neither recovered nor removed, and for memory_failure() that is a failure. */
static int return_busy(struct gmem_run *run)
{
	run->res->value = -EBUSY;
	return 0;
}

/* memory_failure(), kvm_gmem_error_folio() */
const struct gmem_step gmem_op_memory_failure[] = {
	CHECK(fdget, FD_1, EBADF),
	CHECK(page_is_present, POISON_1, ENXIO),
	DO(find_folio, POISON_3),
	DO(test_and_set_poisoned, POISON_2),
	LOCK(FOLIO_LOCK, WRITE, POISON_3),
	LOCK(I_MMAP_RWSEM, READ, NOTIFY_9, WHEN(failed_page_is_mapped)),
	CALL_EACH(next_mapping_over, T_POISON_MAPPING, POISON_4, WHEN(holds_i_mmap_rwsem)),
	UNLOCK(I_MMAP_RWSEM, WHEN(holds_i_mmap_rwsem)),
	UNLOCK(FOLIO_LOCK),
	LOCK(INVALIDATE_LOCK, READ, POISON_5, WHEN(failed_page_is_there)),
	CALL_EACH(next_bound_file, T_INVALIDATE_START, POISON_5, WHEN(holds_invalidate_lock)),
	DO(report_error, POISON_5, WHEN(holds_invalidate_lock)),
	CALL_EACH(next_bound_file, T_INVALIDATE_END, POISON_5, WHEN(holds_invalidate_lock)),
	UNLOCK(INVALIDATE_LOCK, WHEN(holds_invalidate_lock)),
	ANSWER(return_busy, POISON_6),
	END,
};

/* Museum X2: the folio stays locked for kvm_gmem_error_folio(), which wants the invalidate lock. */
const struct gmem_edit gmem_bug_x2[] = {
	DROP_ROW(GMEM_MEMORY_FAILURE, "unlock", 1),
	INSERT_ROW(GMEM_MEMORY_FAILURE, "return_busy", 0, UNLOCK(FOLIO_LOCK)),
	{ 0 },
};

/* memory_failure(), shmem_error_remove_page(): of memfile_notifier, which is told nothing */
const struct gmem_step gmem_op_memory_failure_memfd[] = {
	CHECK(fdget, FD_1, EBADF),
	CHECK(page_is_present, POISON_1, ENXIO),
	DO(find_folio, POISON_3),
	DO(test_and_set_poisoned, POISON_2),
	LOCK(FOLIO_LOCK, WRITE, POISON_3),
	LOCK(I_MMAP_RWSEM, READ, NOTIFY_9, WHEN(failed_page_is_mapped)),
	CALL_EACH(next_mapping_over, T_POISON_MAPPING, POISON_4, WHEN(holds_i_mmap_rwsem)),
	UNLOCK(I_MMAP_RWSEM, WHEN(holds_i_mmap_rwsem)),
	UNLOCK(FOLIO_LOCK),
	ANSWER(return_busy, POISON_6),
	END,
};

/* memory_failure(), restrictedmem_error_page() of v10: every memslot on the list is told */
const struct gmem_step gmem_op_memory_failure_restricted_v10[] = {
	CHECK(fdget, FD_1, EBADF),
	CHECK(page_is_present, POISON_1, ENXIO),
	DO(find_folio, POISON_3),
	DO(test_and_set_poisoned, POISON_2),
	LOCK(FOLIO_LOCK, WRITE, POISON_3),
	UNLOCK(FOLIO_LOCK),
	LOCK(RM_LOCK, WRITE, RMEM_24),
	CALL_EACH(next_notifier, T_NOTIFIER_ERROR, RMEM_24),
	UNLOCK(RM_LOCK),
	ANSWER(return_busy, POISON_6),
	END,
};

/* memory_failure(), restrictedmem_error_page() since January 2023: those on the page are told */
const struct gmem_step gmem_op_memory_failure_restricted[] = {
	CHECK(fdget, FD_1, EBADF),
	CHECK(page_is_present, POISON_1, ENXIO),
	DO(find_folio, POISON_3),
	DO(test_and_set_poisoned, POISON_2),
	LOCK(FOLIO_LOCK, WRITE, POISON_3),
	UNLOCK(FOLIO_LOCK),
	CHECK(operations_are_there, RMEM_17, EINVAL),
	LOCK(RM_LOCK, READ, RMEM_24),
	CALL_EACH(next_binding, T_NOTIFIER_ERROR, RMEM_24),
	UNLOCK(RM_LOCK),
	ANSWER(return_busy, POISON_6),
	END,
};

/* Museum B13: an inode that is on no list is looked for in one. */
const struct gmem_edit gmem_bug_b13[] = {
	DROP_ROW(GMEM_MEMORY_FAILURE, "next_binding", 0),
	{ 0 },
};

/* Museum B13 where all on the list are told. */
const struct gmem_edit gmem_bug_b13_v10[] = {
	DROP_ROW(GMEM_MEMORY_FAILURE, "next_notifier", 0),
	{ 0 },
};
