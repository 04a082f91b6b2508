/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bytes of a file: a memfd, in which what was never written is a hole. The model says who may
 * have a page, and this says what is in it. They meet at four places: bytes are written only with
 * the model's leave (ops-file.c, guest.c), a punch makes a hole (ops-file.c), what a design leaves
 * open after a conversion becomes zero (ops-convert.c), and a guest's load tells the model what the
 * host has stored (guest.c).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gmemfs.h"

int contents_new(struct node *n)
{
	n->contents = memfd_create("gmemfs", MFD_CLOEXEC);
	if (n->contents < 0)
		return -errno;
	if (ftruncate(n->contents, (off_t)n->size)) {
		int err = -errno;

		contents_free(n);
		return err;
	}
	return 0;
}

void contents_free(struct node *n)
{
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

int contents_write(struct node *n, const void *from, size_t size, uint64_t offset)
{
	ssize_t put;

	for (; size; size -= (size_t)put, offset += (size_t)put, from = (const char *)from + put) {
		put = pwrite(n->contents, from, size, (off_t)offset);
		if (put <= 0)
			return put ? -errno : -EIO;
	}
	count_blocks(n);
	return 0;
}

void contents_zero(struct node *n, uint64_t offset, uint64_t length)
{
	if (offset >= n->size)
		return;
	if (length > n->size - offset)
		length = n->size - offset;
	fallocate(n->contents, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
		  (off_t)length);
	count_blocks(n);
}

int contents_fit(uint64_t bytes)
{
	return fs.most_memory && fs.blocks + bytes > fs.most_memory ? -ENOSPC : 0;
}
