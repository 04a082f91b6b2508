/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is in a memfd: read(), write() and lseek(). Of an inaccessible one nothing can be read or
 * written.
 */
#include "memfd.h"

#include "convert.h"
#include "profile.h"

#define MAX_RW_COUNT UINT64_C(0x7ffff000)

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

/* MAX_RW_COUNT: what is asked beyond that is not refused, and not done. */
static uint64_t bytes_asked_for(struct gmem_run *run)
{
	return run->c->length < MAX_RW_COUNT ? run->c->length : MAX_RW_COUNT;
}

/*
 * Nothing of it is before the end: not even the flag is looked at where the page is past it. How much
 * is asked for is looked at later.
 */
static bool begins_past_last_page(struct gmem_run *run)
{
	return PAGES(position(run)) > PAGES(inode_of(run)->size);
}

static bool begins_past_the_end(struct gmem_run *run)
{
	return position(run) >= inode_of(run)->size;
}

/* The first page from byte from on that has failed, or to. */
static uint64_t first_failed_byte(struct gmem_run *run, uint64_t from, uint64_t to)
{
	struct gmem_range r = { 0, PAGES(from), 0 };

	while (gmem_range_next_in(run->b, inode_of(run)->folios, r.end, gmem_pages_of(to), &r))
		if (r.value & FOLIO_POISONED)
			return BYTES(r.start);
	return to;
}

static bool first_page_has_not_failed(struct gmem_run *run)
{
	uint64_t from = position(run);

	return first_failed_byte(run, from, from + 1) > from;
}

static int return_bytes_read(struct gmem_run *run)
{
	uint64_t from = position(run), to = from + bytes_asked_for(run), size = inode_of(run)->size;

	to = first_failed_byte(run, from, to < size ? to : size);
	run->res->value = (int64_t)(to - from);
	if (is_positioned(run))
		GFILE(run->b, run->t->fd_file)->pos = to;
	return 0;
}

/* shmem_file_read_iter(): page by page the size is read first, and then the flag */
#define READ_ROWS                                                      \
	CHECK(range_fits_a_file, MEMFD_14, EINVAL),                    \
		DONE_IF(begins_past_last_page, INACC_4, .says = true), \
		CHECK(is_accessible, INACC_4, EPERM),                  \
		DONE_IF(begins_past_the_end, MEMFD_14, .says = true),  \
		CHECK(first_page_has_not_failed, MEMFD_22, EIO),       \
		ANSWER(return_bytes_read, MEMFD_14)

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

bool seals_allow_writing(struct gmem_run *run)
{
	return !(inode_of(run)->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE));
}

/* Sets t->start, the first page, and t->done: the byte at which the write ends. */
static int begin_writing(struct gmem_run *run)
{
	run->t->start = PAGES(position(run));
	run->t->done = position(run) + bytes_asked_for(run);
	return 0;
}

/*
 * Pages are written one after the other. Who refuses one ends the write there, and refuses all of it
 * only if there is none before.
 */
static bool can_be_written_up_to(struct gmem_run *run, uint64_t end)
{
	if (end < run->t->done)
		run->t->done = end;
	return run->t->done > position(run);
}

/* What is written of a page must not end past the file. */
static bool seals_allow_the_end(struct gmem_run *run)
{
	const struct gmem_inode *inode = inode_of(run);

	return !(inode->seals & F_SEAL_GROW) || run->t->done <= inode->size ||
	       can_be_written_up_to(run, BYTES(PAGES(inode->size)));
}

/* F_SEAL_AUTO_ALLOCATE: SGP_NOALLOC */
static bool pages_may_be_had(struct gmem_run *run)
{
	uint64_t page = run->t->start, end = gmem_pages_of(run->t->done);
	struct gmem_range r;

	if (!(inode_of(run)->seals & run->b->profile->n.auto_allocate_seal))
		return true;
	while (page < end && gmem_range_next_in(run->b, inode_of(run)->folios, page, end, &r) &&
	       r.start == page)
		page = r.end;
	return page == end || can_be_written_up_to(run, BYTES(page));
}

/* An injected failure is for the first page of that number of those that are not there yet. */
static bool there_is_memory_for_pages(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	uint64_t page = t->start, end = gmem_pages_of(t->done), left = t->inject_after;
	struct gmem_range r;

	if (t->inject != GMEM_INJECT_ENOMEM)
		return true;
	for (; page < end; page = r.end) {
		if (!gmem_range_next_in(run->b, inode_of(run)->folios, page, end, &r))
			r.start = r.end = end;
		if (r.start - page > left)
			return can_be_written_up_to(run, BYTES(page + left));
		left -= r.start - page;
	}
	return true;
}

static bool pages_have_not_failed(struct gmem_run *run)
{
	return can_be_written_up_to(run, first_failed_byte(run, position(run), run->t->done));
}

static int write_bytes(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	struct gmem_inode *inode = inode_of(run);
	uint64_t from = position(run), to = t->done;

	gmem_add_folios(run->b, inode, t->start, gmem_pages_of(to), FOLIO_PRESENT | FOLIO_UPTODATE);
	gmem_range_set(run->b, &inode->bytes, from, to, run->c->value & 0xff);
	if (to > inode->size)
		gmem_memfd_resize(run, to);
	if (is_positioned(run))
		GFILE(run->b, t->fd_file)->pos = to;
	run->res->value = (int64_t)(to - from);
	return 0;
}

/* generic_file_write_iter(), shmem_write_begin() */
#define WRITE_ROWS                                                                            \
	DONE_IF(length_is_zero, MEMFD_14, .says = true),                                      \
		CHECK(range_fits_a_file, MEMFD_14, EINVAL), LOCK(INODE_LOCK, WRITE, INACC_3), \
		DO(begin_writing, MEMFD_23),                                                  \
		CHECK(seals_allow_writing, SEAL_8, EPERM, .to = L_UNLOCK_OUTER),              \
		CHECK(seals_allow_the_end, SEAL_8, EPERM, .to = L_UNLOCK_OUTER),              \
		CHECK(is_accessible, INACC_3, EPERM, .to = L_UNLOCK_OUTER),                   \
		LOCK(FOLIO_LOCK, WRITE, INACC_3),                                             \
		CHECK(pages_may_be_had, SEAL_9, ENOENT, .to = L_UNLOCK),                      \
		CHECK(there_is_memory_for_pages, MEMFD_4, ENOMEM, .to = L_UNLOCK),            \
		CHECK(pages_have_not_failed, MEMFD_22, EIO, .to = L_UNLOCK),                  \
		ANSWER(write_bytes, MEMFD_23), UNLOCK(FOLIO_LOCK, .at = L_UNLOCK),            \
		UNLOCK(INODE_LOCK, .at = L_UNLOCK_OUTER)

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

/* The next pages from there on that have been used: what is only allocated is a hole. */
static bool next_data(struct gmem_run *run, uint64_t page, struct gmem_range *r)
{
	while (gmem_range_next(run->b, inode_of(run)->folios, page, r)) {
		if (r->value & FOLIO_UPTODATE)
			return true;
		page = r->end;
	}
	return false;
}

/* The end of the file is a hole. */
static int find_data_or_hole(struct gmem_run *run)
{
	const struct gmem_inode *inode = inode_of(run);
	uint64_t page = PAGES(run->c->offset), at;
	struct gmem_range r;
	bool found = next_data(run, page, &r);

	if ((uint32_t)run->c->whence == GMEM_SEEK_DATA) {
		if (!found || BYTES(r.start) >= inode->size)
			return -ENXIO;
		page = r.start > page ? r.start : page;
	} else {
		while (found && r.start <= page) {
			page = r.end;
			found = next_data(run, page, &r);
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
