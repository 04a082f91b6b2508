/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory failure: a machine check hits a page of the file.
 *
 * The page stays where it is. Mappings of it become entries that raise SIGBUS, the VM is told,
 * and whoever asks for the page from then on, host or guest, is refused until it is punched.
 */
#include "ops.h"

static bool page_is_present(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->start = PAGES(run->c->offset);
	t->end = t->start + 1;
	return gmem_folio(run->b, INODE(run->b, t->inode), t->start) != 0;
}

static bool page_is_not_poisoned(struct gmem_run *run)
{
	return !(gmem_folio(run->b, INODE(run->b, run->t->inode), run->t->start) & FOLIO_POISONED);
}

static int mark_poisoned(struct gmem_run *run)
{
	struct gmem_inode *inode = INODE(run->b, run->t->inode);

	gmem_folio_set(run->b, inode, run->t->start,
		       gmem_folio(run->b, inode, run->t->start) | FOLIO_POISONED);
	return 0;
}

/* try_to_unmap(): an entry that mapped the page becomes a poisoned one */
static int poison_entries(struct gmem_run *run)
{
	struct gmem_block *b = run->b;
	uint64_t pgoff = run->t->start;

	for (uint32_t i = INODE(b, run->t->inode)->vmas; i; i = VMA(b, i)->next) {
		const struct gmem_vma *v = VMA(b, i);
		uint64_t page = v->start + pgoff - v->pgoff;
		uint32_t *ptes = &PROCESS(b, v->process)->ptes;

		if (pgoff < v->pgoff || page >= v->end || !gmem_range_get(b, *ptes, page))
			continue;
		gmem_zap(run, v->process, page, page + 1);
		gmem_range_set(b, ptes, page, page + 1, PTE_POISONED);
	}
	return 0;
}

static int report_error(struct gmem_run *run)
{
	const struct gmem_task *t = run->t;
	const struct gmem_event e = {
		.kind = GMEM_MEMORY_ERROR,
		.origin = GMEM_BY_FILE,
		.pgoff = t->start,
		.pgoff_end = t->end,
	};

	for (uint32_t f = INODE(run->b, t->inode)->files; f; f = GFILE(run->b, f)->next)
		if (!gmem_range_empty(run->b, GFILE(run->b, f)->bindings, t->start, t->end))
			gmem_emit(run, GFILE(run->b, f)->vm, &e);
	return 0;
}

/* memory_failure(), kvm_gmem_error_folio() */
const struct gmem_step gmem_op_memory_failure[] = {
	CHECK(fdget, FD_1, EBADF),
	CHECK(page_is_present, POISON_1, ENXIO),
	CHECK(page_is_not_poisoned, POISON_2, EHWPOISON),
	DO(mark_poisoned, POISON_3),
	DO(poison_entries, POISON_4),
	LOCK(INVALIDATE_LOCK, READ, POISON_5),
	DO(invalidate_start, POISON_5),
	DO(report_error, POISON_5),
	DO(invalidate_end, POISON_5),
	UNLOCK(INVALIDATE_LOCK),
	ANSWER(return_zero, POISON_6),
	END,
};
