/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes that come late. A program's write is put into the kernel's copy of the page first, then sent
 * here. If that copy is dropped before the write arrives, and the page is read again, the new copy lacks
 * what was written: whoever loads it sees older bytes, and if somebody stores to it, its write-back undoes
 * the write.
 *
 * The kernel makes one write of a file at a time, so only what has happened since the last one
 * counts: a page that was dropped, and then read again, has a mark. A write to such a page is put into the
 * contents, whose bytes a write-back cannot undo from then on (a window of its own); the new copy is
 * dropped, and only then the write is answered.
 *
 * A write may have its last page locked, if it is of a part of that page and the kernel had no copy; then
 * whoever drops it waits for the answer. So the kernel is first asked what its copy has, which waits for
 * nobody. If that is what was written, the copy is a good one, and stays.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common.h"
#include "gmemfs.h"

/* ---- marks ---- */

/* The last one grows where there are too many. */
static void add_mark(struct node *n, struct mark m)
{
	struct mark *last = n->marks + n->nr_marks;

	if (n->nr_marks == NR_MARKS ||
	    (n->nr_marks && m.first <= last[-1].end && last[-1].first <= m.end)) {
		last--;
		m.first = m.first < last->first ? m.first : last->first;
		m.end = m.end > last->end ? m.end : last->end;
		m.number = m.number > last->number ? m.number : last->number;
	} else {
		n->nr_marks++;
	}
	*last = m;
}

void late_read(struct node *n, uint64_t first, uint64_t end)
{
	if (n->dropped)
		add_mark(n, (struct mark){ first, end, fs.windows_opened });
}

/* What was read before its pages were dropped again has gone. */
void late_dropped(const struct window *w)
{
	struct mark old[NR_MARKS];
	struct node *n = w->n;
	unsigned int i, nr = n->nr_marks;

	memcpy(old, n->marks, sizeof(old));
	n->nr_marks = 0;
	for (i = 0; i < nr; i++) {
		struct mark m = old[i];

		if (m.number >= w->begun || w->end <= m.first || m.end <= w->first) {
			add_mark(n, m);
			continue;
		}
		if (m.first < w->first)
			add_mark(n, (struct mark){ m.first, w->first, m.number });
		if (w->end < m.end)
			add_mark(n, (struct mark){ w->end, m.end, m.number });
	}
}

/* A write is answered: what was read until then has it, and the next one does not know what was dropped. */
static void forget(struct node *n)
{
	const struct window *w;

	n->nr_marks = 0;
	n->dropped = false;
	for (w = fs.windows; w; w = w->next)
		n->dropped |= w->n == n;
}

bool late_is_late(struct node *n, uint64_t first, uint64_t end)
{
	unsigned int i;
	bool is_late = false;

	if (!n->dropped)
		return false;
	for (i = 0; i < n->nr_marks; i++)
		is_late |= first < n->marks[i].end && n->marks[i].first < end;
	forget(n);
	return is_late;
}

/* ---- what a write-back leaves alone ---- */

int late_next_older(const struct node *n, uint64_t *start, uint64_t *end)
{
	const struct window *w = fs.windows;

	while (w) {
		if (w->kind != WINDOW_LATE || w->n != n || w->late_end <= *start ||
		    *end <= w->late_start) {
			w = w->next;
		} else if (w->late_start > *start) {
			*end = w->late_start;
		} else {
			*start = w->late_end;
			w = fs.windows;
		}
	}
	return *start < *end;
}

/* ---- answers ---- */

static void answer(struct job *j)
{
	fs_lock();
	forget(j->late);
	fs_unlock();
	fuse_reply_write(j->req, j->out_size);
	free(j->tail);
}

struct job *late_job(fuse_req_t req, struct node *n, const char *from, size_t size, uint64_t offset)
{
	uint64_t end = offset + size, last = (end - 1) & ~(GMEM_PAGE_SIZE - 1);
	struct job *j = notify_job(req, n, offset >> GMEM_PAGE_SHIFT,
				   (end + GMEM_PAGE_SIZE - 1) >> GMEM_PAGE_SHIFT);

	notify_open_window(j, n, WINDOW_LATE);
	j->window->late_start = offset;
	j->window->late_end = end;
	j->late = n;
	j->out_size = size;
	j->then = answer;
	if (offset <= last && end == last + GMEM_PAGE_SIZE)
		return j;
	j->tail_at = offset > last ? offset : last;
	j->tail_size = (size_t)(end - j->tail_at);
	j->tail = xcalloc(1, j->tail_size);
	memcpy(j->tail, from + (j->tail_at - offset), j->tail_size);
	return j;
}

/* The last page has what was written, and may be locked; copies of those before it may lack it. */
static void drop_others(struct job *j)
{
	j->length -= GMEM_PAGE_SIZE;
	if (j->length) {
		notify_queue(j);
		return;
	}
	notify_drop(j);
	answer(j);
	free(j);
}

static void ask(struct job *j)
{
	if (fuse_lowlevel_notify_retrieve(fs.se, j->ino, j->tail_size, (off_t)j->tail_at, j))
		drop_others(j);
}

void late_queue(struct job *j)
{
	if (j->tail)
		ask(j);
	else
		notify_queue(j);
}

/*
 * The kernel tells nothing of a copy that is not up to date: of one that the write has locked, but also of
 * one that was read and whose reader has not run since. He will soon.
 */
#define MOST_QUESTIONS 64

void op_retrieve_reply(fuse_req_t req, void *cookie, fuse_ino_t ino, off_t offset,
		       struct fuse_bufvec *bytes)
{
	const struct timespec moment = { 0, 250 * 1000 };
	char copy[GMEM_PAGE_SIZE];
	struct fuse_bufvec to = FUSE_BUFVEC_INIT(sizeof(copy));
	struct job *j = cookie;
	ssize_t got;

	(void)ino;
	(void)offset;
	to.buf[0].mem = copy;
	got = fuse_buf_copy(&to, bytes, 0);
	fuse_reply_none(req);
	if (got == (ssize_t)j->tail_size && memcmp(copy, j->tail, j->tail_size)) {
		notify_queue(j);
	} else if (got != (ssize_t)j->tail_size && ++j->questions < MOST_QUESTIONS) {
		nanosleep(&moment, NULL);
		ask(j);
	} else {
		drop_others(j);
	}
}
