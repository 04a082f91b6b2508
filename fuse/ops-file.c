/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests about the bytes of a guest_memfd.
 *
 * Where the file can be mapped, reads and writes come from the kernel's cache, a page at a time or
 * several, and the model is asked whether the daemon can touch these pages through its mapping.
 * Where it cannot, they come as the program made them; a shared page may be read and written, and
 * a write allocates it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"
#include "gmemfs.h"

#define PAGE(offset) ((offset) >> GMEM_PAGE_SHIFT)
#define PAGE_UP(offset) PAGE((offset) + GMEM_PAGE_SIZE - 1)

/* The model refuses the page, and says so in the log. */
static int refused(const struct node *n, uint64_t page)
{
	struct gmem_result r;

	if (n->map)
		world_call(&(struct gmem_call){ .verb = GMEM_LOAD,
						.addr = n->map + (page << GMEM_PAGE_SHIFT),
						.size = 1 },
			   &r);
	return look_shared_until(n, page, page + 1) > page ? -EIO : -EACCES;
}

/* The pages become used, as if the host had touched them. */
static int64_t touch(const struct node *n, uint64_t first, uint64_t end, bool write)
{
	struct gmem_call c = { .verb = GMEM_MADVISE,
			       .addr = n->map + (first << GMEM_PAGE_SHIFT),
			       .length = (end - first) << GMEM_PAGE_SHIFT,
			       .advice = write ? GMEM_MADV_POPULATE_WRITE :
						 GMEM_MADV_POPULATE_READ };
	struct gmem_result r;

	if (!n->map) {
		c = (struct gmem_call){ .verb = GMEM_FALLOCATE,
					.fd = n->fd,
					.mode = GMEM_FALLOC_KEEP_SIZE,
					.offset = first << GMEM_PAGE_SHIFT,
					.length = (end - first) << GMEM_PAGE_SHIFT };
		return write ? world_call(&c, &r) : 0;
	}
	return world_call(&c, &r);
}

/* Shortens the end to what the host may have from the first page on. */
static int permit(const struct node *n, uint64_t first, uint64_t *end, bool write)
{
	uint64_t until = look_shared_until(n, first, *end);
	int64_t err;

	*end = until;
	if (until == first)
		return refused(n, first);
	if (look_all_mapped(n, first, until))
		return 0;
	/* what a guest has filled takes no more */
	if (!contents_at(n, (until - first) << GMEM_PAGE_SHIFT, first << GMEM_PAGE_SHIFT) &&
	    contents_fit((until - first) << GMEM_PAGE_SHIFT))
		return write ? -ENOSPC : -ENOMEM;
	err = touch(n, first, until, write);
	if (err == -ENOMEM)
		return -ENOMEM;
	if (!err || until - first == 1)
		return err ? refused(n, first) : 0;
	*end = first + 1;
	return touch(n, first, *end, write) ? refused(n, first) : 0;
}

int64_t refuse_strictly(const struct node *n, uint32_t verb, size_t size)
{
	struct gmem_result r;

	return world_call(&(struct gmem_call){ .verb = verb, .fd = n->fd, .length = size }, &r);
}

/* What cannot be mapped does not come into the cache, through which an early handle could map it. */
static bool by_mistake(const struct node *n, bool past_the_cache)
{
	return !n->map && !past_the_cache;
}

/*
 * How many bytes may be read: all or nothing for the kernel's cache, where what is missing counts as
 * zeros, and as the end of the file. Refused several pages it asks for each.
 */
static int64_t ask_to_read(struct node *n, size_t size, uint64_t offset,
			   const struct fuse_file_info *fi)
{
	bool past_the_cache = fi->fh, cached = !fi->fh && !fi->lock_owner;
	uint64_t end, until;
	int err;

	if (n->fd == NO_FD)
		return 0;
	if (fs.o.strict && past_the_cache)
		return refuse_strictly(n, GMEM_READ, size);
	if (offset >= n->size)
		return 0;
	if (by_mistake(n, past_the_cache))
		return -EACCES;
	if (size > n->size - offset)
		size = n->size - offset;
	until = end = PAGE_UP(offset + size);
	if (cached && end - PAGE(offset) > 1 && look_shared_until(n, PAGE(offset), end) < end)
		return -EACCES;
	err = permit(n, PAGE(offset), &until, false);
	if (err || (cached && until < end))
		return err ? err : -EIO;
	if (offset + size > until << GMEM_PAGE_SHIFT)
		size = (until << GMEM_PAGE_SHIFT) - offset;
	return (int64_t)size;
}

/* Few bytes are copied, so that the lock is free when the one who asked goes on. */
#define FEW_BYTES 16384

static void reply_buffer(fuse_req_t req, int err, const void *buffer, size_t size)
{
	if (err)
		fuse_reply_err(req, -err);
	else
		fuse_reply_buf(req, buffer, size);
}

/*
 * Releases the lock: after few bytes before the answer, which is of that moment whenever it arrives;
 * else when the kernel has the bytes, in place. It does not wait for anybody meanwhile. A page that is
 * read again is in the kernel's cache before a late write is judged.
 */
static void reply_bytes(fuse_req_t req, const struct node *n, size_t size, uint64_t offset)
{
	const void *bytes = contents_at(n, size, offset);
	char few[FEW_BYTES], *buffer = few;
	bool again = n->dropped;
	int err = 0;

	if (bytes && (again || size > sizeof(few))) {
		fuse_reply_buf(req, bytes, size);
		fs_unlock();
		return;
	}
	if (bytes)
		memcpy(few, bytes, size);
	else if (size > sizeof(few))
		buffer = malloc(size);
	if (!buffer)
		err = -ENOMEM;
	else if (!bytes && size)
		err = contents_read(n, buffer, size, offset);
	if (again)
		reply_buffer(req, err, buffer, size);
	fs_unlock();
	if (!again)
		reply_buffer(req, err, buffer, size);
	if (buffer != few)
		free(buffer);
}

void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct node *n = tree_node(ino);
	int64_t got;

	fs_lock();
	got = ask_to_read(n, size, (uint64_t)off, fi);
	if (got >= 0) {
		if (got > 0 && !fi->fh)
			late_read(n, PAGE((uint64_t)off), PAGE_UP((uint64_t)off + (uint64_t)got));
		reply_bytes(req, n, (size_t)got, (uint64_t)off);
		return;
	}
	fs_unlock();
	fuse_reply_err(req, (int)-got);
}

/*
 * What was open in the page is so no more, and the model has to know: by stores of what is written.
 * Only guests of SNP and TDX leave such pages.
 */
static void settle(const struct node *n, const char *bytes, size_t size, uint64_t offset)
{
	struct gmem_result r;
	size_t at, part;

	for (at = 0; at < size; at += part) {
		uint64_t value = 0;

		part = (offset + at) % 8 || size - at < 8 ? 1 : 8;
		memcpy(&value, bytes + at, part);
		if (n->map && look_open(n, PAGE(offset + at)))
			world_call(&(struct gmem_call){ .verb = GMEM_STORE,
							.addr = n->map + offset + at,
							.size = part,
							.value = value },
				   &r);
		else
			part = size - at < GMEM_PAGE_SIZE ?
				       size - at :
				       GMEM_PAGE_SIZE - (offset + at) % GMEM_PAGE_SIZE;
	}
}

/* Punched meanwhile, or of a guest whose memory is the vendor's affair. */
static bool is_overtaken(const struct node *n, uint64_t page)
{
	if (notify_is_punched(n, page))
		return true;
	return look_open(n, page) && look_shared_until(n, page, page + 1) == page;
}

/* But for what a write has put there since. */
static int put_back(struct node *n, const char *from, size_t size, uint64_t offset)
{
	uint64_t start = offset, limit = offset + size, end = limit;
	int err = 0;

	for (; !err && late_next_older(n, &start, &end); start = end, end = limit) {
		settle(n, from + (start - offset), end - start, start);
		err = contents_write(n, from + (start - offset), end - start, start);
	}
	return err;
}

/*
 * What was stored through mappings, before the kernel was told to drop it or at any other time. An
 * error is for those who synchronize; it does not keep the kernel from dropping the page.
 */
static int64_t write_back(struct node *n, const char *from, size_t size, uint64_t offset)
{
	size_t done, part;
	int err = 0;

	if (n->fd == NO_FD || offset >= n->size)
		return (int64_t)size;
	for (done = 0; done < size && !err; done += part) {
		part = GMEM_PAGE_SIZE - (offset + done) % GMEM_PAGE_SIZE;
		if (part > size - done)
			part = size - done;
		if (is_overtaken(n, PAGE(offset + done)))
			continue;
		err = put_back(n, from + done, part, offset + done);
	}
	return err ? err : (int64_t)size;
}

/* A conversion has decided, and the kernel has not dropped the page yet: nobody was told. */
static bool is_being_taken(const struct node *n, uint64_t page)
{
	return look_shared_until(n, page, page + 1) == page && notify_may_have(n, page, page + 1) &&
	       !notify_is_punched(n, page);
}

/*
 * As much as begins with pages that may be had. A write to a page that is being taken is older than
 * the conversion. If it were refused, the kernel would forget that its copy is up to date, and with
 * that what others have stored there.
 */
static int64_t write_part(struct node *n, const char *from, size_t size, uint64_t offset)
{
	uint64_t end = PAGE_UP(offset + size);
	int err;

	if (is_being_taken(n, PAGE(offset))) {
		end = PAGE(offset) + 1;
		if (offset + size > end << GMEM_PAGE_SHIFT)
			size = (end << GMEM_PAGE_SHIFT) - offset;
		return write_back(n, from, size, offset);
	}
	err = permit(n, PAGE(offset), &end, true);
	if (err)
		return err;
	if (offset + size > end << GMEM_PAGE_SHIFT)
		size = (end << GMEM_PAGE_SHIFT) - offset;
	settle(n, from, size, offset);
	err = contents_write(n, from, size, offset);
	return err ? err : (int64_t)size;
}

static int64_t write_file(struct node *n, const char *from, size_t size, uint64_t offset,
			  const struct fuse_file_info *fi)
{
	bool past_the_cache = fi->fh, direct = (fi->flags & O_DIRECT) && !fi->fh;
	size_t done = 0;
	int64_t part;

	if (n->fd == NO_FD)
		return -EINVAL;
	if (fs.o.strict)
		return refuse_strictly(n, GMEM_WRITE, size);
	if (offset >= n->size)
		return -ENOSPC;
	if (by_mistake(n, past_the_cache))
		return -EACCES;
	if (size > n->size - offset)
		size = n->size - offset;
	if (!size)
		return 0;
	/* the kernel would make EIO of a short one */
	if (direct &&
	    look_shared_until(n, PAGE(offset), PAGE_UP(offset + size)) < PAGE_UP(offset + size))
		return -EACCES;
	do {
		part = write_part(n, from + done, size - done, offset + done);
		done += part > 0 ? (size_t)part : 0;
	} while (part > 0 && done < size && is_being_taken(n, PAGE(offset + done)));
	return done ? (int64_t)done : part;
}

/* A program's write. The job that answers it, or null and what to answer. */
static struct job *write_late(fuse_req_t req, struct node *n, const char *from, size_t size,
			      uint64_t offset, const struct fuse_file_info *fi, int64_t *put)
{
	bool is_late = !fi->fh && late_is_late(n, PAGE(offset), PAGE_UP(offset + size));

	*put = write_file(n, from, size, offset, fi);
	return is_late && *put > 0 ? late_job(req, n, from, (size_t)*put, offset) : NULL;
}

void op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
	      struct fuse_file_info *fi)
{
	struct node *n = tree_node(ino);
	struct job *j = NULL;
	int64_t put;

	fs_lock();
	if (n->kind != NODE_FILE)
		put = -EPERM;
	else if (fi->writepage)
		put = write_back(n, buf, size, (uint64_t)off);
	else
		j = write_late(req, n, buf, size, (uint64_t)off, fi, &put);
	fs_unlock();
	if (j)
		late_queue(j);
	else if (put < 0)
		fuse_reply_err(req, (int)-put);
	else
		fuse_reply_write(req, (size_t)put);
}

static void reply_result(struct job *j)
{
	fuse_reply_err(j->req, -j->result);
}

/* The kernel drops the pages of a punch itself, but not what it was writing back. */
static struct job *punched(fuse_req_t req, struct node *n, uint64_t first, uint64_t end,
			   bool was_mapped)
{
	struct job *j;

	contents_zero(n, first << GMEM_PAGE_SHIFT, (end - first) << GMEM_PAGE_SHIFT);
	if (!was_mapped)
		return NULL;
	j = notify_job(req, n, first, end);
	notify_open_window(j, n, WINDOW_PUNCHED);
	j->then = reply_result;
	return j;
}

static int allowed_ranges(struct node *n)
{
	if (!fs.o.most_ranges || n->ranges + 4 <= fs.o.most_ranges)
		return 0;
	n->ranges = look_ranges(n);
	return n->ranges + 4 <= fs.o.most_ranges ? 0 : -ENOMEM;
}

void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
		  struct fuse_file_info *fi)
{
	struct gmem_call c = { .verb = GMEM_FALLOCATE,
			       .mode = (uint32_t)mode,
			       .offset = (uint64_t)offset,
			       .length = (uint64_t)length };
	struct node *n = tree_node(ino);
	struct job *j = NULL;
	struct gmem_result r;
	bool was_mapped;
	int err = -EINVAL;

	(void)fi;
	fs_lock();
	if (n->kind == NODE_FILE && n->fd != NO_FD)
		err = allowed_ranges(n);
	if (!err) {
		uint64_t first = PAGE(c.offset), end = PAGE_UP(c.offset + c.length);

		was_mapped = notify_may_have(n, first, end);
		c.fd = n->fd;
		n->ranges += 4;
		err = (int)world_call(&c, &r);
		if (!err && (mode & FALLOC_FL_PUNCH_HOLE))
			j = punched(req, n, first, end, was_mapped);
	}
	fs_unlock();
	if (j)
		notify_queue(j);
	else
		fuse_reply_err(req, -err);
}

/* As reading and writing: there is no such thing, strictly. */
void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	struct node *n = tree_node(ino);
	struct gmem_result r;
	int64_t err = 0;

	(void)datasync;
	(void)fi;
	fs_lock();
	if (fs.o.strict && n->kind == NODE_FILE && n->fd != NO_FD)
		err = world_call(&(struct gmem_call){ .verb = GMEM_FSYNC, .fd = n->fd }, &r);
	fs_unlock();
	fuse_reply_err(req, (int)-err);
}

/* The kernel copies by way of its cache, where it is not done here. */
void op_copy_file_range(fuse_req_t req, fuse_ino_t from, off_t from_off, struct fuse_file_info *fi,
			fuse_ino_t to, off_t to_off, struct fuse_file_info *to_fi, size_t size,
			int flags)
{
	(void)from;
	(void)from_off;
	(void)fi;
	(void)to;
	(void)to_off;
	(void)to_fi;
	(void)size;
	(void)flags;
	fuse_reply_err(req, fs.o.strict ? EINVAL : ENOSYS);
}

/* SEEK_DATA and SEEK_HOLE: no more is known than that there is a file; strictly, ESPIPE. */
void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence, struct fuse_file_info *fi)
{
	struct node *n = tree_node(ino);
	uint64_t size;

	(void)fi;
	fs_lock();
	size = n->size;
	fs_unlock();
	if ((uint64_t)off >= size)
		fuse_reply_err(req, ENXIO);
	else
		fuse_reply_lseek(req, whence == SEEK_HOLE ? (off_t)size : off);
}
