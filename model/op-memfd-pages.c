/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How pages come into a memfd and leave it: fallocate(), and what is truncated. Reading and writing
 * are in op-memfd-rw.c.
 *
 * No hole is punched in an inaccessible one that is not of whole pages; but pages can be allocated,
 * even past its end, which makes it bigger though ftruncate() would not.
 */
#include "memfd.h"

#include "convert.h"

static bool is_punch_of_inaccessible(struct gmem_run *run)
{
	return is_punch(run) && is_inaccessible(run);
}

static bool hole_is_of_whole_pages(struct gmem_run *run)
{
	return PAGE_ALIGNED(run->c->offset) && PAGE_ALIGNED(run->c->length);
}

/* Also where the size would be kept. */
static bool seals_allow_the_length(struct gmem_run *run)
{
	return run->c->offset + run->c->length <= inode_of(run)->size ||
	       !(inode_of(run)->seals & F_SEAL_GROW);
}

/* The whole pages of the hole go. */
static int begin_hole(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->start = gmem_pages_of(run->c->offset);
	t->end = PAGES(run->c->offset + run->c->length);
	return 0;
}

/* What else is in it is zeroed: the end of its first page, and the beginning of its last. */
static int zero_ends_of_hole(struct gmem_run *run)
{
	uint64_t end = run->c->offset + run->c->length;

	gmem_range_set(run->b, &inode_of(run)->bytes, run->c->offset, end, 0);
	return 0;
}

static bool hole_has_no_pages(struct gmem_run *run)
{
	return run->t->start >= run->t->end;
}

static int begin_filling(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->start = t->page = PAGES(run->c->offset);
	t->end = gmem_pages_of(run->c->offset + run->c->length);
	return 0;
}

static int grow_to_the_end(struct gmem_run *run)
{
	uint64_t end = run->c->offset + run->c->length;

	if (!(run->c->mode & GMEM_FALLOC_KEEP_SIZE) && end > inode_of(run)->size)
		gmem_memfd_resize(run, end);
	return 0;
}

static bool allocation_failed(struct gmem_run *run)
{
	return is_allocate(run) && has_failed(run);
}

/* What was had before the page that could not be had; those behind it were not looked at. */
static int take_what_was_tried(struct gmem_run *run)
{
	run->t->end = run->t->page;
	return 0;
}

/* Keeps t->start and t->end in t->done and t->batch. */
static int begin_telling(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->done = t->start;
	t->batch = t->end;
	t->end = t->start;
	return 0;
}

/* Pages in a row that are there, in t->start to t->end; the whole range again when there are no more. */
static bool next_folio_run(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	struct gmem_range r = { 0, t->end, 0 };
	bool found = gmem_range_next_in(run->b, inode_of(run)->folios, r.end, t->batch, &r);

	t->start = found ? r.start : t->done;
	t->end = found ? r.end : t->batch;
	while (found && gmem_range_next_in(run->b, inode_of(run)->folios, t->end, t->batch, &r) &&
	       r.start == t->end)
		t->end = r.end;
	return found;
}

/* memfile_notifier_invalidate(): of t->start to t->end of t->inode */
const struct gmem_step gmem_op_tell_folios[] = {
	LOCK(MEMFILE_SRCU, READ, STORE_4),
	CALL_EACH(next_notifier, T_NOTIFIER_INVALIDATE, STORE_3),
	UNLOCK(MEMFILE_SRCU),
	END,
};

/* What nobody has used yet goes again, also where an earlier call allocated it. */
int undo_allocation(struct gmem_run *run)
{
	const struct gmem_task *t = run->t;
	struct gmem_range r = { 0, t->start, 0 };

	while (gmem_range_next_in(run->b, inode_of(run)->folios, r.end, t->page, &r))
		if (!(r.value & FOLIO_UPTODATE))
			gmem_drop_pages(run, t->inode, r.start, r.end);
	return 0;
}

/* shmem_fallocate() of kernels without memfile_notifier, and of v7, which tells nobody of it */
const struct gmem_step gmem_op_fallocate_memfd[] = {
	CHECK(mode_is_allocate_or_punch, FALLOC_5, EOPNOTSUPP),
	LOCK(INODE_LOCK, WRITE, MEMFD_16),
	CHECK(seals_allow_writing, SEAL_8, EPERM, WHEN(is_punch), .to = L_UNLOCK_OUTER),
	CHECK(hole_is_of_whole_pages, INACC_6, EINVAL, WHEN(is_punch_of_inaccessible),
	      .to = L_UNLOCK_OUTER),
	CHECK(seals_allow_the_length, SEAL_8, EPERM, WHEN(is_allocate), .to = L_UNLOCK_OUTER),
	DO(begin_hole, MEMFD_16, WHEN(is_punch)),
	CALL(T_TRUNCATE_MEMFD, MEMFD_16, WHEN(is_punch)),
	LOCK(FOLIO_LOCK, WRITE, MEMFD_16, WHEN(is_punch)),
	DO(zero_ends_of_hole, MEMFD_16, WHEN(is_punch)),
	UNLOCK(FOLIO_LOCK, WHEN(is_punch)),
	DO(begin_filling, MEMFD_16, WHEN(is_allocate)),
	LOCK(FOLIO_LOCK, WRITE, MEMFD_16, WHEN(is_allocate)),
	EACH(allocate_gap, MEMFD_17, WHEN(is_allocate), .to = L_UNLOCK),
	DO(grow_to_the_end, INACC_7, WHEN(is_allocate)),
	DO(take_what_was_tried, STORE_6, WHEN(allocation_failed), .at = L_UNLOCK),
	DO(begin_telling, STORE_6, WHEN(allocation_failed)),
	CALL_EACH(next_folio_run, T_TELL_FOLIOS, STORE_6, WHEN(allocation_failed)),
	DO(undo_allocation, MEMFD_17, WHEN(allocation_failed)),
	UNLOCK(FOLIO_LOCK, WHEN(is_allocate)),
	UNLOCK(INODE_LOCK, .at = L_UNLOCK_OUTER),
	ANSWER(return_zero, MEMFD_16),
	END,
};

/* Not one that failed: what it undid was told page by page. */
static bool allocation_is_told(struct gmem_run *run)
{
	return is_allocate(run) && !has_failed(run);
}

/* shmem_fallocate() of v4 to v6 */
const struct gmem_step gmem_op_fallocate_memfile[] = {
	CHECK(mode_is_allocate_or_punch, FALLOC_5, EOPNOTSUPP),
	LOCK(INODE_LOCK, WRITE, MEMFD_16),
	CHECK(seals_allow_writing, SEAL_8, EPERM, WHEN(is_punch), .to = L_UNLOCK_OUTER),
	CHECK(hole_is_of_whole_pages, INACC_6, EINVAL, WHEN(is_punch_of_inaccessible),
	      .to = L_UNLOCK_OUTER),
	CHECK(seals_allow_the_length, SEAL_8, EPERM, WHEN(is_allocate), .to = L_UNLOCK_OUTER),
	DO(begin_hole, MEMFD_16, WHEN(is_punch)),
	CALL(T_TRUNCATE_MEMFD, MEMFD_16, WHEN(is_punch)),
	LOCK(FOLIO_LOCK, WRITE, MEMFD_16, WHEN(is_punch)),
	DO(zero_ends_of_hole, MEMFD_16, WHEN(is_punch)),
	UNLOCK(FOLIO_LOCK, WHEN(is_punch)),
	DO(begin_filling, MEMFD_16, WHEN(is_allocate)),
	LOCK(FOLIO_LOCK, WRITE, MEMFD_16, WHEN(is_allocate)),
	EACH(allocate_gap, MEMFD_17, WHEN(is_allocate), .to = L_UNLOCK),
	DO(grow_to_the_end, INACC_7, WHEN(is_allocate)),
	DO(take_what_was_tried, STORE_6, WHEN(allocation_failed), .at = L_UNLOCK),
	DO(begin_telling, STORE_6, WHEN(allocation_failed)),
	CALL_EACH(next_folio_run, T_TELL_FOLIOS, STORE_6, WHEN(allocation_failed)),
	DO(undo_allocation, MEMFD_17, WHEN(allocation_failed)),
	UNLOCK(FOLIO_LOCK, WHEN(is_allocate)),
	LOCK(MEMFILE_SRCU, READ, STORE_5, WHEN(allocation_is_told)),
	CALL_EACH(next_notifier, T_NOTIFIER_INVALIDATE, STORE_5, WHEN(allocation_is_told)),
	UNLOCK(MEMFILE_SRCU, WHEN(allocation_is_told)),
	UNLOCK(INODE_LOCK, .at = L_UNLOCK_OUTER),
	ANSWER(return_zero, MEMFD_16),
	END,
};

/* truncate_inode_folio() */
static int truncate_folios(struct gmem_run *run)
{
	gmem_drop_pages(run, run->t->inode, run->t->start, run->t->end);
	return 0;
}

/*
 * shmem_undo_range(): takes t->inode, t->start, t->end. Unlike the kernel, all folios are locked at
 * once, and a notifier is told once of those in a row.
 */
const struct gmem_step gmem_op_truncate_memfd[] = {
	DONE_IF(hole_has_no_pages, STORE_3),
	LOCK(FOLIO_LOCK, WRITE, STORE_3),
	DO(begin_telling, STORE_3),
	CALL_EACH(next_folio_run, T_TELL_FOLIOS, STORE_3),
	UNMAP_MAPPING_RANGE(MEMFD_18),
	DO(truncate_folios, MEMFD_18),
	UNLOCK(FOLIO_LOCK),
	END,
};
