/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The oracle on calls of the file itself; see oracle.h.
 */
#include "oracle-state.h"

int64_t oracle_refuse_file(struct oracle *o, const struct gmem_call *c, struct gmem_result *r)
{
	(void)r;
	if (c->verb == GMEM_FTRUNCATE && (int64_t)c->length < 0)
		return -EINVAL;
	return find_open(o, c, c->fd) ? -EINVAL : -EBADF;
}

int64_t oracle_pread(struct oracle *o, const struct gmem_call *c, struct gmem_result *r)
{
	(void)r;
	if ((int64_t)c->offset < 0)
		return -EINVAL;
	return find_open(o, c, c->fd) ? -ESPIPE : -EBADF;
}

int64_t oracle_lseek(struct oracle *o, const struct gmem_call *c, struct gmem_result *r)
{
	(void)r;
	if (!find_open(o, c, c->fd))
		return -EBADF;
	return c->whence > GMEM_SEEK_HOLE ? -EINVAL : -ESPIPE;
}

int64_t oracle_fcntl(struct oracle *o, const struct gmem_call *c, struct gmem_result *r)
{
	(void)r;
	if (!find_open(o, c, c->fd))
		return -EBADF;
	if (c->cmd == GMEM_F_GETFD)
		return 0;
	return c->cmd == GMEM_F_GETFL ? 0100002 : -EINVAL;
}

int64_t oracle_fstat(struct oracle *o, const struct gmem_call *c, struct gmem_result *r)
{
	const struct open *open = find_open(o, c, c->fd);

	(void)r;
	if (!open)
		return -EBADF;
	switch (c->field) {
	case GMEM_ST_SIZE:
		return (int64_t)o->memories[open->number].size;
	case GMEM_ST_BLKSIZE:
		return (int64_t)(4096 * o->memories[open->number].block);
	case GMEM_ST_MODE:
		return 0100600;
	case GMEM_ST_NLINK:
		return 1;
	default:
		return 0;
	}
}

int64_t oracle_fstatfs(struct oracle *o, const struct gmem_call *c, struct gmem_result *r)
{
	(void)r;
	if (!find_open(o, c, c->fd))
		return -EBADF;
	if (c->field == GMEM_F_BSIZE)
		return 4096;
	return o->is_coco || o->is_shareability ? 0x474d454d : 0x09041934;
}

/* The last byte's page is in the range too; a range that wraps has no pages. */
int64_t oracle_cachestat(struct oracle *o, const struct gmem_call *c, struct gmem_result *r)
{
	const struct open *open = find_open(o, c, c->fd);
	uint64_t first = c->offset / PAGE, last = (c->offset + c->length - 1) / PAGE;
	unsigned int i;
	int64_t n = 0;

	(void)r;
	if (!open)
		return -EBADF;
	if (!c->length)
		last = UINT64_MAX;
	for (i = 0; i < o->nr_held; i++)
		n += o->held[i].memory == open->number && o->held[i].pgoff >= first &&
		     o->held[i].pgoff <= last;
	return n;
}

/* ---- fallocate ---- */

/* 0, or why the VFS refuses the mode. */
static int64_t check_mode(uint64_t mode)
{
	switch (mode) {
	case 0:
	case GMEM_FALLOC_KEEP_SIZE:
	case GMEM_FALLOC_PUNCH_HOLE | GMEM_FALLOC_KEEP_SIZE:
	case GMEM_FALLOC_COLLAPSE_RANGE:
	case GMEM_FALLOC_ZERO_RANGE:
	case GMEM_FALLOC_ZERO_RANGE | GMEM_FALLOC_KEEP_SIZE:
	case GMEM_FALLOC_INSERT_RANGE:
	case GMEM_FALLOC_UNSHARE_RANGE:
	case GMEM_FALLOC_UNSHARE_RANGE | GMEM_FALLOC_KEEP_SIZE:
	case GMEM_FALLOC_WRITE_ZEROES:
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

static int64_t check_mode_6_8(uint64_t mode)
{
	bool punch = mode & GMEM_FALLOC_PUNCH_HOLE;

	if (mode & ~UINT64_C(0x7b)) /* NO_HIDE_STALE, and what came later */
		return -EOPNOTSUPP;
	if (punch && (mode & GMEM_FALLOC_ZERO_RANGE))
		return -EOPNOTSUPP;
	if (punch && !(mode & GMEM_FALLOC_KEEP_SIZE))
		return -EOPNOTSUPP;
	if ((mode & GMEM_FALLOC_COLLAPSE_RANGE) && mode != GMEM_FALLOC_COLLAPSE_RANGE)
		return -EINVAL;
	if ((mode & GMEM_FALLOC_INSERT_RANGE) && mode != GMEM_FALLOC_INSERT_RANGE)
		return -EINVAL;
	if ((mode & GMEM_FALLOC_UNSHARE_RANGE) &&
	    (mode | GMEM_FALLOC_KEEP_SIZE) != (GMEM_FALLOC_UNSHARE_RANGE | GMEM_FALLOC_KEEP_SIZE))
		return -EINVAL;
	return 0;
}

int64_t oracle_fallocate(struct oracle *o, const struct gmem_call *c, struct gmem_result *r)
{
	const struct open *open = find_open(o, c, c->fd);
	uint64_t mode = c->mode;
	int64_t err;

	(void)r;
	if (!open)
		return -EBADF;
	if ((int64_t)c->offset < 0 || (int64_t)c->length <= 0)
		return -EINVAL;
	err = o->is_6_8 ? check_mode_6_8(mode) : check_mode(mode);
	if (err)
		return err;
	if (c->offset + c->length > INT64_MAX)
		return -EFBIG;
	if (mode != GMEM_FALLOC_KEEP_SIZE &&
	    mode != (GMEM_FALLOC_KEEP_SIZE | GMEM_FALLOC_PUNCH_HOLE))
		return -EOPNOTSUPP;
	if (!aligned(c->offset) || !aligned(c->length))
		return -EINVAL;
	if (mode == GMEM_FALLOC_KEEP_SIZE)
		return allocate(o, c, open->number);
	return punch(o, open->number, c->offset / PAGE, (c->offset + c->length) / PAGE);
}

/* ---- memory failure ---- */

int64_t oracle_memory_failure(struct oracle *o, const struct gmem_call *c, struct gmem_result *r)
{
	const struct open *open = find_open(o, c, c->fd);
	uint64_t pgoff = c->offset / PAGE, start = pgoff, end = pgoff + 1, block;
	struct page *page;
	unsigned int i;

	(void)r;
	if (!open)
		return -EBADF;
	page = find_page(o, open->number, pgoff);
	if (!page)
		return -ENXIO;
	if (page->poisoned)
		return -EHWPOISON;
	block = o->memories[open->number].block;
	if (block > 1 && is_whole(o, open->number, pgoff)) {
		start = pgoff / block * block;
		end = start + block;
	}
	for (; start < end; start++)
		find_page(o, open->number, start)->poisoned = true;
	for (i = 0; i < o->nr_entries; i++) {
		struct entry *e = &o->entries[i];
		const struct mapping *m = mapping_at(o, e->process, e->page);

		if (m && m->memory == open->number && m->pgoff + (e->page - m->start) == pgoff)
			e->poisoned = true;
	}
	return -EBUSY;
}
