/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fallocate(): allocating pages, and punching holes.
 *
 * vfs_fallocate() refuses first, then kvm_gmem_fallocate(). Allocating does not zero: a page is
 * zeroed when it is first used. A hole may be punched anywhere, also past the end of the file.
 */
#include "convert.h"
#include "ops.h"
#include "profile.h"
#include "unroll.h"

#define MODES_6_8                                                                      \
	(GMEM_FALLOC_KEEP_SIZE | GMEM_FALLOC_PUNCH_HOLE | GMEM_FALLOC_COLLAPSE_RANGE | \
	 GMEM_FALLOC_ZERO_RANGE | GMEM_FALLOC_INSERT_RANGE | GMEM_FALLOC_UNSHARE_RANGE)

static bool range_is_positive(struct gmem_run *run)
{
	return (int64_t)run->c->offset >= 0 && (int64_t)run->c->length > 0;
}

/* The modes exclude each other; KEEP_SIZE must, may or must not be there. */
static bool vfs_knows_mode(struct gmem_run *run)
{
	uint64_t keep = run->c->mode & GMEM_FALLOC_KEEP_SIZE;

	switch ((uint32_t)run->c->mode & ~(uint32_t)GMEM_FALLOC_KEEP_SIZE) {
	case 0:
	case GMEM_FALLOC_ZERO_RANGE:
	case GMEM_FALLOC_UNSHARE_RANGE:
		return true;
	case GMEM_FALLOC_PUNCH_HOLE:
		return keep;
	case GMEM_FALLOC_COLLAPSE_RANGE:
	case GMEM_FALLOC_INSERT_RANGE:
		return !keep;
	case GMEM_FALLOC_WRITE_ZEROES:
		return !keep;
	default:
		return false;
	}
}

/* Before the modes became an enumeration: each combination had a test of its own. */
static bool vfs_supports_mode_6_8(struct gmem_run *run)
{
	uint64_t mode = (uint32_t)run->c->mode;

	if ((mode & ~MODES_6_8) ||
	    ((mode & GMEM_FALLOC_PUNCH_HOLE) && (mode & GMEM_FALLOC_ZERO_RANGE)))
		return false;
	return !(mode & GMEM_FALLOC_PUNCH_HOLE) || (mode & GMEM_FALLOC_KEEP_SIZE);
}

static bool mode_is_alone_6_8(struct gmem_run *run)
{
	uint64_t mode = (uint32_t)run->c->mode;

	if (mode & (GMEM_FALLOC_COLLAPSE_RANGE | GMEM_FALLOC_INSERT_RANGE))
		return !(mode & (mode - 1));
	return !(mode & GMEM_FALLOC_UNSHARE_RANGE) ||
	       !(mode & ~(GMEM_FALLOC_UNSHARE_RANGE | GMEM_FALLOC_KEEP_SIZE));
}

static bool fallocate_fits_a_file(struct gmem_run *run)
{
	return run->c->offset + run->c->length <= MAX_LFS_FILESIZE;
}

static bool size_is_kept(struct gmem_run *run)
{
	return run->c->mode & GMEM_FALLOC_KEEP_SIZE;
}

bool mode_is_allocate_or_punch(struct gmem_run *run)
{
	return !((uint32_t)run->c->mode &
		 ~(uint32_t)(GMEM_FALLOC_KEEP_SIZE | GMEM_FALLOC_PUNCH_HOLE));
}

static bool fallocate_range_is_aligned(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->start = PAGES(run->c->offset);
	t->end = t->start + PAGES(run->c->length);
	return PAGE_ALIGNED(run->c->offset) && PAGE_ALIGNED(run->c->length);
}

bool is_punch(struct gmem_run *run)
{
	return run->c->mode & GMEM_FALLOC_PUNCH_HOLE;
}

bool is_allocate(struct gmem_run *run)
{
	return !is_punch(run);
}

/* vfs_fallocate() of 6.8 */
const struct gmem_step gmem_op_fallocate_6_8[] = {
	CHECK(fdget, FD_1, EBADF),
	CHECK(range_is_positive, FALLOC_1, EINVAL),
	CHECK(vfs_supports_mode_6_8, FALLOC_2, EOPNOTSUPP),
	CHECK(mode_is_alone_6_8, FALLOC_7, EINVAL),
	CHECK(fallocate_fits_a_file, FALLOC_3, EFBIG),
	CALL(T_FALLOCATE_FILE, FALLOC_4),
	END,
};

/* vfs_fallocate() */
const struct gmem_step gmem_op_fallocate[] = {
	CHECK(fdget, FD_1, EBADF),
	CHECK(range_is_positive, FALLOC_1, EINVAL),
	CHECK(vfs_knows_mode, FALLOC_2, EOPNOTSUPP),
	CHECK(fallocate_fits_a_file, FALLOC_3, EFBIG),
	CALL(T_FALLOCATE_FILE, FALLOC_4),
	END,
};
UNROLLED(gmem_op_fallocate)

/* kvm_gmem_fallocate() */
const struct gmem_step gmem_op_fallocate_file[] = {
	CHECK(size_is_kept, FALLOC_4, EOPNOTSUPP),
	CHECK(mode_is_allocate_or_punch, FALLOC_5, EOPNOTSUPP),
	CHECK(fallocate_range_is_aligned, FALLOC_6, EINVAL),
	CALL(T_PUNCH_HOLE, PUNCH_1, WHEN(is_punch)),
	CALL(T_ALLOCATE, ALLOC_1, WHEN(is_allocate)),
	ANSWER(return_zero, PUNCH_5, WHEN(is_punch)),
	ANSWER(return_zero, ALLOC_4, WHEN(is_allocate)),
	END,
};
UNROLLED(gmem_op_fallocate_file)

/* kvm_gmem_punch_hole(): takes t->inode, t->start, t->end */
const struct gmem_step gmem_op_punch_hole[] = {
	LOCK(INVALIDATE_LOCK, WRITE, PUNCH_1),
	CALL_EACH(next_bound_file, T_INVALIDATE_START, PUNCH_2),
	CALL(T_TRUNCATE, PUNCH_3),
	CALL_EACH(next_bound_file, T_INVALIDATE_END, PUNCH_4),
	UNLOCK(INVALIDATE_LOCK),
	END,
};
UNROLLED(gmem_op_punch_hole)

bool allocation_is_in_file(struct gmem_run *run)
{
	return run->c->offset + run->c->length <= INODE(run->b, run->t->inode)->size;
}

/* A signal is looked for before every folio; the page it is found at, or far away. */
static uint64_t signal_comes_at(const struct gmem_task *t, const struct gmem_inode *inode)
{
	uint64_t start = gmem_round_down(inode, t->start), stop;

	if (t->inject != GMEM_INJECT_SIGNAL || t->end <= start || t->inject_after >= t->end - start)
		return UINT64_MAX;
	stop = gmem_round_up(inode, start + t->inject_after);
	return stop < t->end ? stop : UINT64_MAX;
}

/*
 * Unlike the kernel, whole gaps are filled at once; an injected signal or failure still comes
 * after the page it was asked for. Memory is only asked for where there is none yet.
 */
int allocate_gap(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	struct gmem_inode *inode = INODE(run->b, t->inode);
	struct gmem_range r;
	uint64_t gap_end, gap, stop = signal_comes_at(t, inode);

	if (t->page >= t->end)
		return 0;
	if (t->page >= stop)
		return -EINTR;
	if (!gmem_range_next_in(run->b, inode->folios, t->page, t->end, &r))
		r.start = r.end = t->end;
	gap_end = r.start < stop ? r.start : stop;
	gap = gap_end > t->page ? (gap_end - t->page) / gmem_folio_pages(inode) : 0;
	if (t->inject == GMEM_INJECT_ENOMEM) {
		if (gap > t->inject_after) {
			gmem_add_folios(run->b, inode, t->page,
					t->page + t->inject_after * gmem_folio_pages(inode),
					FOLIO_PRESENT);
			t->page += t->inject_after * gmem_folio_pages(inode);
			return -ENOMEM;
		}
		t->inject_after -= gap;
	}
	if (gap_end > t->page)
		gmem_add_folios(run->b, inode, t->page, gap_end, FOLIO_PRESENT);
	t->page = r.end < stop ? r.end : stop;
	return t->page < t->end ? AGAIN : 0;
}

int begin_allocation(struct gmem_run *run)
{
	run->t->page = run->t->start;
	return 0;
}

/* kvm_gmem_allocate() */
const struct gmem_step gmem_op_allocate[] = {
	CHECK(allocation_is_in_file, ALLOC_1, EINVAL),
	LOCK(INVALIDATE_LOCK, READ, ALLOC_2),
	DO(begin_allocation, ALLOC_3),
	LOCK(FOLIO_LOCK, WRITE, ALLOC_3),
	EACH(allocate_gap, ALLOC_3, .to = L_UNLOCK),
	UNLOCK(FOLIO_LOCK, .at = L_UNLOCK),
	UNLOCK(INVALIDATE_LOCK),
	END,
};
UNROLLED(gmem_op_allocate)
