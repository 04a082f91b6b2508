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

static bool madvise_does_not_wrap(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	uint64_t length = BYTES(PAGES(run->c->length + GMEM_PAGE_SIZE - 1));

	t->start = PAGES(run->c->addr);
	t->end = t->start + PAGES(length);
	t->hole = 0;
	return (length || !run->c->length) && run->c->addr + length >= run->c->addr;
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

static int begin_at_start(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->page = t->start;
	t->write = run->c->advice == GMEM_MADV_POPULATE_WRITE;
	return 0;
}

/* Linux has one mapping where neighbours go on in address, file and protection. */
static uint64_t end_of_merged(struct gmem_run *run, const struct gmem_vma *v, uint64_t to,
			      uint64_t end)
{
	const struct gmem_vma *next;

	while (to < end && (next = gmem_vma_at(run->b, gmem_process(run), to)) &&
	       next->inode == v->inode && next->prot == v->prot &&
	       next->pgoff == v->pgoff + (next->start - v->start))
		to = next->end < end ? next->end : end;
	return to;
}

/*
 * The next mapping's part: sets t->vma, its pages of the address (t->owner, t->zap, t->zap_end)
 * and of the inode (t->inode, t->start, t->end). A hole is remembered, and the rest of the range
 * done all the same.
 */
static bool next_part(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	uint64_t end = PAGES(run->c->addr) + PAGES(run->c->length + GMEM_PAGE_SIZE - 1);
	const struct gmem_vma *v;
	struct gmem_range r;

	if (t->page >= end)
		return false;
	if (!gmem_range_next_in(run->b, gmem_process(run)->vmas, t->page, end, &r)) {
		t->hole = 1;
		return false;
	}
	t->hole |= r.start > t->page;
	t->vma = r.value;
	v = VMA(run->b, t->vma);
	r.end = end_of_merged(run, v, r.end, end);
	t->page = r.end;
	t->inode = v->inode;
	t->owner = t->process;
	t->zap = r.start;
	t->zap_end = r.end;
	t->start = v->pgoff + (r.start - v->start);
	t->end = t->start + (r.end - r.start);
	return true;
}

static bool is_collapse(struct gmem_run *run)
{
	return run->c->advice == GMEM_MADV_COLLAPSE;
}

static bool is_dontneed(struct gmem_run *run)
{
	return run->c->advice == GMEM_MADV_DONTNEED;
}

static bool mapping_is_private_memory(struct gmem_run *run)
{
	return gmem_is_private_memory(INODE(run->b, run->t->inode));
}

static bool mapping_is_not_private_memory(struct gmem_run *run)
{
	return !mapping_is_private_memory(run);
}

static bool is_dontneed_of_private(struct gmem_run *run)
{
	return is_dontneed(run) && mapping_is_private_memory(run);
}

static bool is_remove(struct gmem_run *run)
{
	return run->c->advice == GMEM_MADV_REMOVE;
}

static bool is_remove_of_gmem(struct gmem_run *run)
{
	return is_remove(run) && INODE(run->b, run->t->inode)->kind == INODE_GMEM;
}

static bool is_remove_of_anonymous(struct gmem_run *run)
{
	return is_remove(run) && INODE(run->b, run->t->inode)->kind == INODE_ANON;
}

/* Private memory loses what it held; everything else is found again by a fault. */
static int drop_private_pages(struct gmem_run *run)
{
	gmem_drop_pages(run, run->t->inode, run->t->start, run->t->end);
	return 0;
}

/* What is mapped may be unmapped, and closed, while mmap_lock is not held: t->file, or t->inode. */
static int get_file_of_mapping(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->file = VMA(run->b, t->vma)->file;
	if (t->file)
		GFILE(run->b, t->file)->refs++;
	else
		INODE(run->b, t->inode)->refs++;
	return 0;
}

/*
 * madvise_vma_behavior(), madvise_remove(): one mapping. mmap_lock is not held while a hole is
 * punched behind it. Changes t->file.
 */
const struct gmem_step gmem_op_advise[] = {
	CHECK(never, MADV_7, EINVAL, WHEN(is_collapse)),
	CALL(T_ZAP, MADV_7, WHEN(is_dontneed)),
	DO(drop_private_pages, MADV_7, WHEN(is_dontneed_of_private)),
	CHECK(mapping_is_not_private_memory, MADV_7, EINVAL, WHEN(is_remove)),
	DO(get_file_of_mapping, MADV_7, WHEN(is_remove)),
	UNLOCK(MMAP_LOCK, WHEN(is_remove)),
	CALL(T_PUNCH_HOLE, MADV_7, WHEN(is_remove_of_gmem), .to = L_END),
	UNMAP_MAPPING_RANGE(MADV_7, WHEN(is_remove_of_anonymous)),
	CALL(T_TRUNCATE, MADV_7, WHEN(is_remove_of_anonymous)),
	DO(put_file_of_mapping, MADV_7, WHEN(is_remove), .at = L_END),
	LOCK(MMAP_LOCK, READ, MADV_7, WHEN(is_remove)),
	END,
};

static bool there_was_no_hole(struct gmem_run *run)
{
	return !run->t->hole;
}

/* do_madvise() */
const struct gmem_step gmem_op_madvise[] = {
	CHECK(advice_is_known, MADV_1, EINVAL),
	CHECK(addr_is_aligned, MADV_2, EINVAL),
	CHECK(madvise_does_not_wrap, MADV_3, EINVAL),
	DONE_IF(length_is_zero, MADV_4, .says = true),
	LOCK(MMAP_LOCK, READ, MADV_5),
	DO(begin_at_start, MADV_5),
	CALL(T_FAULT_IN, MADV_6, WHEN(is_populate), .to = L_UNLOCK),
	CALL_EACH(next_part, T_ADVISE, MADV_7, WHEN(is_not_populate), .to = L_UNLOCK),
	UNLOCK(MMAP_LOCK, .at = L_UNLOCK),
	CHECK(there_was_no_hole, MADV_5, ENOMEM, WHEN(is_not_populate)),
	ANSWER(return_zero, MADV_8),
	END,
};
