/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * madvise(). Most advice is taken note of and changes nothing that can be seen. DONTNEED gives
 * page table entries back, not pages; REMOVE is a punched hole by another name.
 */
#include "ops.h"

static bool advice_is_known(struct gmem_run *run)
{
	switch ((uint32_t)run->c->advice) {
	case GMEM_MADV_NORMAL:
	case GMEM_MADV_DONTNEED:
	case GMEM_MADV_REMOVE:
	case GMEM_MADV_HUGEPAGE:
	case GMEM_MADV_NOHUGEPAGE:
	case GMEM_MADV_POPULATE_READ:
	case GMEM_MADV_POPULATE_WRITE:
	case GMEM_MADV_COLLAPSE:
		return true;
	default:
		return false;
	}
}

static bool addr_is_aligned(struct gmem_run *run)
{
	return PAGE_ALIGNED(run->c->addr);
}

static bool range_does_not_wrap(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	uint64_t length = BYTES(PAGES(run->c->length + GMEM_PAGE_SIZE - 1));

	t->start = PAGES(run->c->addr);
	t->end = t->start + PAGES(length);
	t->hole = 0;
	return (length || !run->c->length) && run->c->addr + length >= run->c->addr;
}

static bool length_is_zero(struct gmem_run *run)
{
	return !run->c->length;
}

static bool is_populate(struct gmem_run *run)
{
	return run->c->advice == GMEM_MADV_POPULATE_READ ||
	       run->c->advice == GMEM_MADV_POPULATE_WRITE;
}

static bool is_not_populate(struct gmem_run *run)
{
	return !is_populate(run);
}

/* One mapping after the other; a hole or a refusal ends it, and what was done stays. */
static int populate_next_mapping(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	uint32_t need = run->c->advice == GMEM_MADV_POPULATE_READ ? GMEM_PROT_READ :
								    GMEM_PROT_WRITE;
	const struct gmem_vma *v;
	uint64_t to;
	int r;

	if (t->start >= t->end)
		return 0;
	v = gmem_vma_at(run->b, gmem_process(run), t->start);
	if (!v)
		return -ENOMEM;
	if (!(v->prot & need))
		return -EINVAL;
	to = v->end < t->end ? v->end : t->end;
	r = gmem_fault_in(run, t->start, to);
	t->start = to;
	return r ? r : AGAIN;
}

/* Private anonymous memory loses what it held; everything else is found again by a fault. */
static int dontneed(struct gmem_run *run, const struct gmem_vma *v, uint64_t start, uint64_t end)
{
	struct gmem_inode *inode = INODE(run->b, v->inode);
	uint64_t pgoff = v->pgoff + (start - v->start);

	gmem_zap(run, v->process, start, end);
	if (inode->kind == INODE_ANON && inode->flags == GMEM_MAP_PRIVATE)
		gmem_truncate(run, v->inode, pgoff, pgoff + (end - start));
	return 0;
}

/* madvise_remove(): fallocate(KEEP_SIZE | PUNCH_HOLE) of what the mapping shows */
static int punch_behind(struct gmem_run *run, const struct gmem_vma *v, uint64_t start,
			uint64_t end)
{
	struct gmem_inode *inode = INODE(run->b, v->inode);
	uint64_t pgoff = v->pgoff + (start - v->start), pgoff_end = pgoff + (end - start);

	if (inode->kind == INODE_ANON && inode->flags == GMEM_MAP_PRIVATE)
		return -EINVAL;
	run->t->inode = v->inode;
	if (!gmem_lock_take(run, INVALIDATE_LOCK, WRITE))
		return -EDEADLK;
	for (uint32_t f = inode->files; f; f = GFILE(run->b, f)->next)
		gmem_invalidate_start(run, f, pgoff, pgoff_end);
	gmem_truncate(run, v->inode, pgoff, pgoff_end);
	for (uint32_t f = inode->files; f; f = GFILE(run->b, f)->next)
		gmem_invalidate_end(run, f, pgoff, pgoff_end);
	gmem_lock_drop(run, INVALIDATE_LOCK);
	return 0;
}

static int advise(struct gmem_run *run, const struct gmem_vma *v, uint64_t start, uint64_t end)
{
	switch ((uint32_t)run->c->advice) {
	case GMEM_MADV_DONTNEED:
		return dontneed(run, v, start, end);
	case GMEM_MADV_REMOVE:
		return punch_behind(run, v, start, end);
	case GMEM_MADV_COLLAPSE:
		return -EINVAL;
	default:
		return 0;
	}
}

/* A hole is remembered, and the rest of the range done all the same. */
static int advise_next_mapping(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	struct gmem_range r;
	uint64_t from, to;
	int err;

	if (t->start >= t->end)
		return 0;
	if (!gmem_range_next(run->b, gmem_process(run)->vmas, t->start, &r) || r.start >= t->end) {
		t->hole = 1;
		return 0;
	}
	t->hole |= r.start > t->start;
	from = r.start > t->start ? r.start : t->start;
	to = r.end < t->end ? r.end : t->end;
	t->start = to;
	err = advise(run, VMA(run->b, r.value), from, to);
	return err ? err : AGAIN;
}

static bool there_was_no_hole(struct gmem_run *run)
{
	return !run->t->hole;
}

/* do_madvise() */
const struct gmem_step gmem_op_madvise[] = {
	CHECK(advice_is_known, MADV_1, EINVAL),
	CHECK(addr_is_aligned, MADV_2, EINVAL),
	CHECK(range_does_not_wrap, MADV_3, EINVAL),
	DONE_IF(length_is_zero, MADV_4, .says = true),
	LOCK(MMAP_LOCK, READ, MADV_5),
	EACH(populate_next_mapping, MADV_6, .when = is_populate, .to = L_UNLOCK),
	EACH(advise_next_mapping, MADV_7, .when = is_not_populate, .to = L_UNLOCK),
	UNLOCK(MMAP_LOCK, .at = L_UNLOCK),
	CHECK(there_was_no_hole, MADV_5, ENOMEM, .when = is_not_populate),
	ANSWER(return_zero, MADV_8),
	END,
};
