/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bytes of a file: a memfd, in which what was never written is a hole. The model says who may
 * have a page, and this says what is in it. They meet at four places: bytes are written only with
 * the model's leave (ops-file.c, guest.c), a punch makes a hole (ops-file.c), what a design leaves
 * open after a conversion becomes zero (ops-convert.c), and a guest's load tells the model what the
 * host has stored (guest.c).
 *
 * Pages that have been written are read and written in place, in a mapping of the memfd; which they
 * are is a bit for each. Others go through the file, which does not fill holes with zeros, and says
 * so where there is no memory. A file that is too large to be mapped goes through the file alone.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gmemfs.h"

#define PAGE(offset) ((offset) >> GMEM_PAGE_SHIFT)
#define MANY_PAGES (UINT64_C(1) << 18)

static size_t size_of_bits(const struct node *n)
{
	return (size_t)(PAGE(n->size) / 8 + 1);
}

static void map_contents(struct node *n)
{
	void *p = mmap(NULL, n->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
		       n->contents, 0);

	if (p == MAP_FAILED)
		return;
	n->bytes = p;
	p = mmap(NULL, size_of_bits(n), PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p != MAP_FAILED) {
		n->written = p;
		return;
	}
	munmap(n->bytes, n->size);
	n->bytes = NULL;
}

int contents_new(struct node *n)
{
	n->contents = memfd_create("gmemfs", MFD_CLOEXEC);
	if (n->contents < 0)
		return errno == EMFILE || errno == ENFILE ? -ENOSPC : -errno;
	if (n->contents >= fs.most_fds) {
		contents_free(n);
		return -ENOSPC;
	}
	if (ftruncate(n->contents, (off_t)n->size)) {
		int err = -errno;

		contents_free(n);
		return err;
	}
	map_contents(n);
	return 0;
}

void contents_free(struct node *n)
{
	if (n->bytes) {
		munmap(n->bytes, n->size);
		munmap(n->written, size_of_bits(n));
	}
	n->bytes = NULL;
	n->written = NULL;
	if (n->contents >= 0)
		close(n->contents);
	n->contents = -1;
	fs.blocks -= n->blocks;
	n->blocks = 0;
}

static void count_blocks(struct node *n)
{
	struct stat st;

	if (fstat(n->contents, &st))
		return;
	fs.blocks += (uint64_t)st.st_blocks * 512 - n->blocks;
	n->blocks = (uint64_t)st.st_blocks * 512;
}

static bool is_written(const struct node *n, uint64_t page)
{
	return n->written[page / 8] >> page % 8 & 1;
}

/* All of the pages that these bytes are in. */
static bool are_written(const struct node *n, size_t size, uint64_t offset)
{
	uint64_t page, last = PAGE(offset + size - 1);

	if (!n->written || !size)
		return false;
	for (page = PAGE(offset); page <= last; page++)
		if (!is_written(n, page))
			return false;
	return true;
}

const void *contents_at(const struct node *n, size_t size, uint64_t offset)
{
	return are_written(n, size, offset) ? n->bytes + offset : NULL;
}

int contents_read(const struct node *n, void *to, size_t size, uint64_t offset)
{
	ssize_t got;

	for (; size; size -= (size_t)got, offset += (size_t)got, to = (char *)to + got) {
		got = pread(n->contents, to, size, (off_t)offset);
		if (got <= 0)
			return got ? -errno : -EIO;
	}
	return 0;
}

static void mark_written(struct node *n, size_t size, uint64_t offset)
{
	uint64_t page, last = PAGE(offset + size - 1);

	for (page = PAGE(offset); n->written && page <= last; page++)
		n->written[page / 8] |= (unsigned char)(1u << page % 8);
	count_blocks(n);
}

int contents_write(struct node *n, const void *from, size_t size, uint64_t offset)
{
	uint64_t start = offset;
	size_t done;
	ssize_t put;

	if (!size)
		return 0;
	if (are_written(n, size, offset)) {
		memcpy(n->bytes + offset, from, size);
		return 0;
	}
	for (done = 0; done < size; done += (size_t)put, offset += (size_t)put) {
		put = pwrite(n->contents, (const char *)from + done, size - done, (off_t)offset);
		if (put <= 0)
			return put ? -errno : -EIO;
	}
	mark_written(n, size, start);
	return 0;
}

/* Whole pages of bits go back to the host; there may be as many as in a terabyte. */
static void forget_written(struct node *n, uint64_t first, uint64_t end)
{
	uint64_t page, from = (first / 8 + GMEM_PAGE_SIZE) & ~(GMEM_PAGE_SIZE - 1);
	uint64_t to = end / 8 & ~(GMEM_PAGE_SIZE - 1);

	if (!n->written)
		return;
	if (end - first < MANY_PAGES)
		to = from = first / 8;
	else
		madvise(n->written + from, to - from, MADV_DONTNEED);
	for (page = first; page < end; page++) {
		if (page == from * 8 && to > from)
			page = to * 8;
		n->written[page / 8] &= (unsigned char)~(1u << page % 8);
	}
}

void contents_zero(struct node *n, uint64_t offset, uint64_t length)
{
	if (offset >= n->size)
		return;
	if (length > n->size - offset)
		length = n->size - offset;
	if (!n->blocks)
		return;
	forget_written(n, PAGE(offset), PAGE(offset + length));
	fallocate(n->contents, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
		  (off_t)length);
	count_blocks(n);
}

int contents_fit(uint64_t bytes)
{
	return fs.most_memory && fs.blocks + bytes > fs.most_memory ? -ENOSPC : 0;
}
