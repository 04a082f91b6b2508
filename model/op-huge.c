/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Allocating and punching where folios are huge (huge.c): rfc-shareability-v2, which takes any
 * range and does what it can of it, and coco-hugetlb, which takes whole huge pages or refuses.
 */
#include "convert.h"
#include "ops.h"

static bool has_small_folios(struct gmem_run *run)
{
	return !has_huge_folios(run);
}

/* rfc-shareability-v2 rounds both ends down: a part of a huge page allocates none. */
static int round_down(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->page = gmem_round_down(inode_of(run), t->start);
	t->end = gmem_round_down(inode_of(run), t->end);
	return 0;
}

/* kvm_gmem_allocate() of rfc-shareability-v2 */
const struct gmem_step gmem_op_allocate_huge[] = {
	CHECK(allocation_is_in_file, ALLOC_1, EINVAL),
	LOCK(INVALIDATE_LOCK, READ, ALLOC_2),
	DO(round_down, HUGE_3),
	EACH(allocate_gap, ALLOC_3, .to = L_UNLOCK),
	UNLOCK(INVALIDATE_LOCK, .at = L_UNLOCK),
	END,
};

static int keep_range(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->whole_start = t->start;
	t->whole_end = t->end;
	t->batch = gmem_round_up(inode_of(run), t->start);
	return 0;
}

static int restore_range(struct gmem_run *run)
{
	run->t->start = run->t->whole_start;
	run->t->end = run->t->whole_end;
	return 0;
}

/* The parts of huge pages at either end are zeroed, and stay. */
static int zero_head(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	gmem_zero_bytes(run->b, inode_of(run), t->whole_start,
			t->batch < t->whole_end ? t->batch : t->whole_end);
	return 0;
}

static int zero_tail(struct gmem_run *run)
{
	struct gmem_inode *inode = inode_of(run);
	uint64_t start = run->t->whole_start, last = gmem_round_down(inode, run->t->whole_end);

	if (last >= gmem_round_up(inode, start))
		gmem_zero_bytes(run->b, inode, last > start ? last : start, run->t->whole_end);
	return 0;
}

/* The next huge page that is there and goes as a whole: sets t->start, t->end. */
static bool next_block(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	uint64_t last = gmem_round_down(inode_of(run), t->whole_end);
	struct gmem_range r;

	if (!gmem_range_next_in(run->b, inode_of(run)->folios, t->batch, last, &r))
		return false;
	t->start = gmem_round_down(inode_of(run), r.start);
	t->end = t->batch = t->start + gmem_folio_pages(inode_of(run));
	return true;
}

static bool block_is_split(struct gmem_run *run)
{
	return !(gmem_folio(run->b, inode_of(run), run->t->start) & FOLIO_HUGE);
}

/* What is split has to be merged to be freed, and cannot be while somebody holds a page of it. */
static bool folios_can_be_dropped(struct gmem_run *run)
{
	return gmem_first_busy(run, run->t->start, run->t->end) == run->t->end;
}

static int drop_block(struct gmem_run *run)
{
	gmem_drop_pages(run, run->t->inode, run->t->start, run->t->end);
	return 0;
}

/* kvm_gmem_truncate_inode_range() of rfc-shareability-v2: one huge page */
const struct gmem_step gmem_op_truncate_block[] = {
	UNMAP_MAPPING_RANGE(NOTIFY_5, WHEN(block_is_split)),
	CHECK(folios_can_be_dropped, HUGE_5, EAGAIN, WHEN(block_is_split)),
	DO(drop_block, PUNCH_3),
	END,
};

/*
 * kvm_gmem_punch_hole(), kvm_gmem_truncate_inode_range() of rfc-shareability-v2: huge page by huge
 * page; those before a busy one are gone
 */
const struct gmem_step gmem_op_punch_hole_shareability[] = {
	LOCK(INVALIDATE_LOCK, WRITE, PUNCH_1),
	CALL_EACH(next_bound_file, T_INVALIDATE_START, PUNCH_2),
	CALL(T_TRUNCATE, PUNCH_3, WHEN(has_small_folios)),
	DO(keep_range, HUGE_4, WHEN(has_huge_folios)),
	DO(zero_head, HUGE_4, WHEN(has_huge_folios)),
	CALL_EACH(next_block, T_TRUNCATE_BLOCK, HUGE_5, WHEN(has_huge_folios), .to = L_END),
	DO(zero_tail, HUGE_4, WHEN(has_huge_folios)),
	DO(restore_range, HUGE_4, WHEN(has_huge_folios), .at = L_END),
	CALL_EACH(next_bound_file, T_INVALIDATE_END, PUNCH_4),
	UNLOCK(INVALIDATE_LOCK),
	END,
};

static bool range_is_of_huge_pages(struct gmem_run *run)
{
	const struct gmem_task *t = run->t;

	return t->start == gmem_round_down(inode_of(run), t->start) &&
	       t->end == gmem_round_down(inode_of(run), t->end);
}

/* kvm_gmem_punch_hole() of coco-hugetlb: all of the range, or none of it */
const struct gmem_step gmem_op_punch_hole_hugetlb[] = {
	CHECK(range_is_of_huge_pages, HUGE_9, EINVAL, WHEN(has_huge_folios)),
	LOCK(INVALIDATE_LOCK, WRITE, PUNCH_1),
	CALL_EACH(next_bound_file, T_INVALIDATE_START, PUNCH_2),
	UNMAP_MAPPING_RANGE(NOTIFY_5, WHEN(has_huge_folios)),
	CHECK(folios_can_be_dropped, HUGE_5, EAGAIN, WHEN(has_huge_folios), .to = L_END),
	CALL(T_TRUNCATE, PUNCH_3),
	CALL_EACH(next_bound_file, T_INVALIDATE_END, PUNCH_4, .at = L_END),
	UNLOCK(INVALIDATE_LOCK),
	END,
};

/* kvm_gmem_allocate() of coco-hugetlb */
const struct gmem_step gmem_op_allocate_hugetlb[] = {
	CHECK(range_is_of_huge_pages, HUGE_9, EINVAL, WHEN(has_huge_folios)),
	CHECK(allocation_is_in_file, ALLOC_1, EINVAL),
	LOCK(INVALIDATE_LOCK, READ, ALLOC_2),
	DO(begin_allocation, ALLOC_3),
	EACH(allocate_gap, ALLOC_3, .to = L_UNLOCK),
	UNLOCK(INVALIDATE_LOCK, .at = L_UNLOCK),
	END,
};
