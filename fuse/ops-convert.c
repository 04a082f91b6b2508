/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Conversions: decided under the lock by the model's table; then the kernel is told, and only when
 * it has dropped the pages, the request is answered. What could not have been mapped or cached
 * needs no telling.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gmemfs.h"

static void reply_ioctl(struct job *j)
{
	fuse_reply_ioctl(j->req, j->result, j->out, j->out_size);
}

static void reply_err(struct job *j)
{
	fuse_reply_err(j->req, -j->result);
}

/* Whoever asks for zeros does not want what was stored before, written back or not. */
static bool zeroes(const struct gmem_call *c, int64_t result)
{
	return !result && (c->flags & GMEM_CONTENT_ZERO);
}

/* What the design leaves open, or says is zero, is zero. */
static void settle_contents(struct node *n, const struct gmem_call *c, int64_t result)
{
	uint64_t start = c->offset, limit = c->offset + c->size, end = limit;

	if (zeroes(c, result))
		contents_zero(n, c->offset, c->size);
	for (; look_next_open(n, &start, &end); start = end, end = limit)
		contents_zero(n, start, end - start);
}

/* The pages that may go from the host; whole blocks where pages are huge. */
static void pages_of(const struct node *n, const struct gmem_call *c, uint64_t *first,
		     uint64_t *end)
{
	uint64_t most = n->size >> GMEM_PAGE_SHIFT;

	*first = c->offset >> GMEM_PAGE_SHIFT;
	*end = most;
	if (c->size < n->size && c->offset < n->size - c->size)
		*end = (c->offset + c->size + GMEM_PAGE_SIZE - 1) >> GMEM_PAGE_SHIFT;
	if (*first > most || look_order(n))
		*first = 0;
	if (look_order(n))
		*end = most;
}

/* 0 if the record of which page is whose would grow beyond the limit. */
static int fits_ranges(struct node *n)
{
	if (n->ranges + 2 > fs.o.most_ranges)
		n->ranges = look_ranges(n);
	if (n->ranges + 2 > fs.o.most_ranges)
		return 0;
	n->ranges += 2;
	return 1;
}

/* The model's answer, with the lock held; the window is open before anything is decided. */
static int decide(struct node *n, const struct gmem_call *c, struct window *w, uint64_t *out)
{
	struct gmem_result r = { 0 };
	int result = -ENOMEM;

	if (fits_ranges(n)) {
		result = (int)world_call(c, &r);
		settle_contents(n, c, result);
		if (w && zeroes(c, result))
			w->kind = WINDOW_PUNCHED;
	}
	/* without a clause the model was not asked */
	*out = r.clause ? r.out : c->error_offset;
	return result;
}

void convert_and_reply(fuse_req_t req, struct node *n, const struct gmem_call *what,
		       const void *out, size_t out_size, size_t error_offset)
{
	struct job at_once = { .req = req }, *j = &at_once;
	struct gmem_call c = *what;
	uint64_t first, end, error;

	fs_lock();
	if (n->fd == NO_FD) {
		fs_unlock();
		fuse_reply_err(req, EBADF);
		return;
	}
	c.fd = n->fd;
	pages_of(n, &c, &first, &end);
	if (notify_may_have(n, first, end)) {
		j = notify_job(req, n, first, end);
		notify_open_window(j, n, WINDOW_TAKEN);
	}
	j->result = decide(n, &c, j->window, &error);
	fs_unlock();
	j->then = out ? reply_ioctl : reply_err;
	if (out) {
		memcpy(j->out, out, out_size);
		memcpy(j->out + error_offset, &error, sizeof(error));
		/* nothing is written back where nothing has changed */
		j->out_size = memcmp(j->out, out, out_size) ? out_size : 0;
	}
	if (j == &at_once)
		j->then(j);
	else
		notify_queue(j);
}
