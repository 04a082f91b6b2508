/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is in a memfd: read(), write(), lseek() and fallocate(), and how pages leave it.
 *
 * Of an inaccessible one nothing can be read or written, and no hole is punched that is not of whole
 * pages; but pages can be allocated, even past its end, which makes it bigger though ftruncate()
 * would not.
 */
#include "memfd.h"

#include "convert.h"
#include "profile.h"

/*
 * The rows that tell every notifier of t->inode, by the table that says how. On a condition: the
 * first row may have a label, and so what comes in the end is for the first row alone.
 */
#define TELL_NOTIFIERS_WHEN(when_it, table, clause, ...)                \
	LOCK(MEMFILE_SRCU, READ, STORE_4, WHEN(when_it), __VA_ARGS__),  \
		CALL_EACH(next_notifier, table, clause, WHEN(when_it)), \
		UNLOCK(MEMFILE_SRCU, WHEN(when_it))
#define TELL_NOTIFIERS(table, clause)                                               \
	LOCK(MEMFILE_SRCU, READ, STORE_4), CALL_EACH(next_notifier, table, clause), \
		UNLOCK(MEMFILE_SRCU)

static bool is_positioned(struct gmem_run *run)
{
	return run->c->verb == GMEM_READ || run->c->verb == GMEM_WRITE;
}

static uint64_t position(struct gmem_run *run)
{
	return is_positioned(run) ? GFILE(run->b, run->t->fd_file)->pos : run->c->offset;
}

/* generic_write_checks(), rw_verify_area() */
static bool range_fits_a_file(struct gmem_run *run)
{
	return run->c->length <= MAX_LFS_FILESIZE &&
	       position(run) <= MAX_LFS_FILESIZE - run->c->length;
}

/* Nothing of it is before the end: not even the flag is looked at where the page is past it. */
static bool begins_past_last_page(struct gmem_run *run)
{
	return !run->c->length || PAGES(position(run)) > PAGES(inode_of(run)->size);
}

static int return_bytes_read(struct gmem_run *run)
{
	uint64_t from = position(run), size = inode_of(run)->size;
	uint64_t left = from < size ? size - from : 0;

	run->res->value = (int64_t)(run->c->length < left ? run->c->length : left);
	if (is_positioned(run))
		GFILE(run->b, run->t->fd_file)->pos = from + (uint64_t)run->res->value;
	return 0;
}

/* shmem_file_read_iter(): the size is read first, and then the flag, page by page */
#define READ_ROWS                                                      \
	CHECK(range_fits_a_file, MEMFD_14, EINVAL),                    \
		DONE_IF(begins_past_last_page, INACC_4, .says = true), \
		CHECK(is_accessible, INACC_4, EPERM), ANSWER(return_bytes_read, MEMFD_14)

/* ksys_read() */
const struct gmem_step gmem_op_read_memfd[] = {
	CHECK(fdget, FD_1, EBADF),
	READ_ROWS,
	END,
};

/* ksys_pread64() */
const struct gmem_step gmem_op_pread_memfd[] = {
	CHECK(offset_is_not_negative, FILE_4, EINVAL),
	CHECK(fdget, FD_1, EBADF),
	READ_ROWS,
	END,
};

static bool seals_allow_writing(struct gmem_run *run)
{
	return !(inode_of(run)->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE));
}

static bool seals_allow_the_end(struct gmem_run *run)
{
	return position(run) + run->c->length <= inode_of(run)->size ||
	       !(inode_of(run)->seals & F_SEAL_GROW);
}

/* F_SEAL_AUTO_ALLOCATE: SGP_NOALLOC. Sets t->start and t->end: the pages that are written. */
static bool pages_may_be_had(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	struct gmem_range r = { 0, 0, 0 };

	t->start = PAGES(position(run));
	t->end = gmem_pages_of(position(run) + run->c->length);
	if (!(inode_of(run)->seals & run->b->profile->n.auto_allocate_seal))
		return true;
	for (r.end = t->start; r.end < t->end;)
		if (!gmem_range_next(run->b, inode_of(run)->folios, r.end, &r) ||
		    r.start > t->start)
			return false;
	return true;
}

static int write_bytes(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	struct gmem_inode *inode = inode_of(run);
	uint64_t from = position(run), to = from + run->c->length;

	gmem_add_folios(run->b, inode, t->start, t->end, FOLIO_PRESENT | FOLIO_UPTODATE);
	gmem_range_set(run->b, &inode->bytes, from, to, run->c->value & 0xff);
	if (to > inode->size)
		gmem_memfd_resize(run, to);
	if (is_positioned(run))
		GFILE(run->b, t->fd_file)->pos = to;
	run->res->value = (int64_t)run->c->length;
	return 0;
}

/* generic_file_write_iter(), shmem_write_begin() */
#define WRITE_ROWS                                                                            \
	DONE_IF(length_is_zero, MEMFD_14, .says = true),                                      \
		CHECK(range_fits_a_file, MEMFD_14, EINVAL), LOCK(INODE_LOCK, WRITE, INACC_3), \
		CHECK(seals_allow_writing, SEAL_8, EPERM, .to = L_UNLOCK),                    \
		CHECK(seals_allow_the_end, SEAL_8, EPERM, .to = L_UNLOCK),                    \
		CHECK(is_accessible, INACC_3, EPERM, .to = L_UNLOCK),                         \
		CHECK(pages_may_be_had, SEAL_9, ENOENT, .to = L_UNLOCK),                      \
		CHECK(no_memory_pressure, MEMFD_4, ENOMEM, .to = L_UNLOCK),                   \
		LOCK(FOLIO_LOCK, WRITE, INACC_3), ANSWER(write_bytes, MEMFD_14),              \
		UNLOCK(FOLIO_LOCK), UNLOCK(INODE_LOCK, .at = L_UNLOCK)

/* ksys_write() */
const struct gmem_step gmem_op_write_memfd[] = {
	CHECK(fdget, FD_1, EBADF),
	WRITE_ROWS,
	END,
};

/* ksys_pwrite64() */
const struct gmem_step gmem_op_pwrite_memfd[] = {
	CHECK(offset_is_not_negative, FILE_4, EINVAL),
	CHECK(fdget, FD_1, EBADF),
	WRITE_ROWS,
	END,
};

static bool seeks_data_or_hole(struct gmem_run *run)
{
	return (uint32_t)run->c->whence >= GMEM_SEEK_DATA;
}

static bool offset_is_before_the_end(struct gmem_run *run)
{
	return run->c->offset < inode_of(run)->size;
}

/* The first page from there on that is allocated, or is not; the end of the file is a hole. */
static int find_data_or_hole(struct gmem_run *run)
{
	const struct gmem_inode *inode = inode_of(run);
	uint64_t page = PAGES(run->c->offset), at;
	struct gmem_range r;
	bool found = gmem_range_next(run->b, inode->folios, page, &r);

	if ((uint32_t)run->c->whence == GMEM_SEEK_DATA) {
		if (!found || BYTES(r.start) >= inode->size)
			return -ENXIO;
		page = r.start > page ? r.start : page;
	} else {
		while (found && r.start <= page) {
			page = r.end;
			found = gmem_range_next(run->b, inode->folios, page, &r);
		}
	}
	at = BYTES(page) > run->c->offset ? BYTES(page) : run->c->offset;
	run->res->value = (int64_t)(at < inode->size ? at : inode->size);
	GFILE(run->b, run->t->fd_file)->pos = (uint64_t)run->res->value;
	return 0;
}

static int set_position(struct gmem_run *run)
{
	struct gmem_file *f = GFILE(run->b, run->t->fd_file);
	uint64_t base = 0, to;

	if ((uint32_t)run->c->whence == GMEM_SEEK_CUR)
		base = f->pos;
	else if ((uint32_t)run->c->whence == GMEM_SEEK_END)
		base = inode_of(run)->size;
	to = base + run->c->offset;
	if ((int64_t)to < 0)
		return -EINVAL;
	f->pos = to;
	run->res->value = (int64_t)to;
	return 0;
}

static bool seeks_a_position(struct gmem_run *run)
{
	return !seeks_data_or_hole(run);
}

/* ksys_lseek(), shmem_file_llseek() */
const struct gmem_step gmem_op_lseek_memfd[] = {
	CHECK(fdget, FD_1, EBADF),
	CHECK(whence_is_known, FILE_6, EINVAL),
	CHECK(offset_is_before_the_end, MEMFD_15, ENXIO, WHEN(seeks_data_or_hole)),
	ANSWER(set_position, MEMFD_15, WHEN(seeks_a_position)),
	ANSWER(find_data_or_hole, MEMFD_15, WHEN(seeks_data_or_hole)),
	END,
};

static int return_statfs_memfd(struct gmem_run *run)
{
	int64_t magic = inode_of(run)->hidden_ino ? RESTRICTEDMEM_MAGIC : TMPFS_MAGIC;

	run->res->value = run->c->field == GMEM_F_TYPE ? magic : (int64_t)GMEM_PAGE_SIZE;
	return 0;
}

/* vfs_statfs(), shmem_statfs() */
const struct gmem_step gmem_op_fstatfs_memfd[] = {
	CHECK(fdget, FD_1, EBADF),
	ANSWER(return_statfs_memfd, MEMFD_12),
	END,
};

static bool is_punch_of_inaccessible(struct gmem_run *run)
{
	return is_punch(run) && is_inaccessible(run);
}

static bool hole_is_of_whole_pages(struct gmem_run *run)
{
	return PAGE_ALIGNED(run->c->offset) && PAGE_ALIGNED(run->c->length);
}

static bool seals_allow_the_length(struct gmem_run *run)
{
	return (run->c->mode & GMEM_FALLOC_KEEP_SIZE) ||
	       run->c->offset + run->c->length <= inode_of(run)->size ||
	       !(inode_of(run)->seals & F_SEAL_GROW);
}

/* The whole pages of the hole go, and what else is in it is zeroed. */
static int begin_hole(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	uint64_t end = run->c->offset + run->c->length;

	gmem_range_set(run->b, &inode_of(run)->bytes, run->c->offset, end, 0);
	t->start = gmem_pages_of(run->c->offset);
	t->end = PAGES(end);
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
	DO(begin_filling, MEMFD_16, WHEN(is_allocate)),
	LOCK(FOLIO_LOCK, WRITE, MEMFD_16, WHEN(is_allocate)),
	EACH(allocate_gap, MEMFD_17, WHEN(is_allocate), .to = L_UNLOCK),
	DO(grow_to_the_end, INACC_7, WHEN(is_allocate)),
	TELL_NOTIFIERS_WHEN(allocation_failed, T_NOTIFIER_INVALIDATE, STORE_6, .at = L_UNLOCK),
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
	DO(begin_filling, MEMFD_16, WHEN(is_allocate)),
	LOCK(FOLIO_LOCK, WRITE, MEMFD_16, WHEN(is_allocate)),
	EACH(allocate_gap, MEMFD_17, WHEN(is_allocate), .to = L_UNLOCK),
	DO(grow_to_the_end, INACC_7, WHEN(is_allocate)),
	TELL_NOTIFIERS_WHEN(allocation_failed, T_NOTIFIER_INVALIDATE, STORE_6, .at = L_UNLOCK),
	DO(undo_allocation, MEMFD_17, WHEN(allocation_failed)),
	UNLOCK(FOLIO_LOCK, WHEN(is_allocate)),
	TELL_NOTIFIERS_WHEN(allocation_is_told, T_NOTIFIER_INVALIDATE, STORE_5),
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
 * once, and a notifier is told once.
 */
const struct gmem_step gmem_op_truncate_memfd[] = {
	DONE_IF(hole_has_no_pages, STORE_3),
	LOCK(FOLIO_LOCK, WRITE, STORE_3),
	TELL_NOTIFIERS(T_NOTIFIER_INVALIDATE, STORE_3),
	UNMAP_MAPPING_RANGE(MEMFD_18),
	DO(truncate_folios, MEMFD_18),
	UNLOCK(FOLIO_LOCK),
	END,
};
