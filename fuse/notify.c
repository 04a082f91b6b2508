/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the kernel is to forget. Telling it to drop pages waits for pages that are being read or
 * written back, and those requests the daemon itself must answer. So it is a thread of its own that
 * tells, without the lock, and the threads that answer requests never wait for the kernel.
 *
 * A request that takes pages from the host is decided under the lock; from then on reads of these
 * pages fail. Then it is put into the queue, the thread has the kernel write back and drop them, and
 * only then the request is answered. A read that was answered before the decision has its page
 * locked in the cache, where the kernel finds it and drops it; one that comes after it is refused.
 *
 * Write-backs of pages that have become private are accepted at any time: their bytes were stored
 * before the conversion, since nothing can be stored through a mapping afterwards. Those of pages
 * that were punched are of the time before the punch, and are thrown away as long as the punch's
 * window is open.
 *
 * The model's page tables say what the kernel may have, except for pages that it has been told to
 * drop and has not dropped yet: these have a window. Whoever else wants them gone has to wait for
 * the same, and does: the queue is worked off in order.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "common.h"
#include "gmemfs.h"

static struct {
	pthread_mutex_t lock;
	pthread_cond_t more;
	pthread_t thread;
	struct job *first, **last;
	bool stop, stopped;
	/* what was punched last; of the thread alone */
	fuse_ino_t punched;
	uint64_t punched_start, punched_end;
} queue = { .lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER };

struct job *notify_job(fuse_req_t req, const struct node *n, uint64_t first, uint64_t end)
{
	struct job *j = xcalloc(1, sizeof(*j));

	j->req = req;
	j->ino = tree_ino(n);
	j->offset = first << GMEM_PAGE_SHIFT;
	j->length = (end - first) << GMEM_PAGE_SHIFT;
	return j;
}

void notify_open_window(struct job *j, struct node *n, enum window_kind kind)
{
	struct window *w = xcalloc(1, sizeof(*w));

	*w = (struct window){ .next = fs.windows,
			      .n = n,
			      .number = ++fs.windows_opened,
			      .first = j->offset >> GMEM_PAGE_SHIFT,
			      .end = (j->offset + j->length) >> GMEM_PAGE_SHIFT,
			      .kind = kind };
	j->window = fs.windows = w;
	n->dropped = true;
	tree_open(n);
}

/* One of its kind or of the next, so many windows having been opened before it. */
static int in_window(const struct node *n, uint64_t first, uint64_t end, enum window_kind kind,
		     uint64_t since)
{
	const struct window *w;

	for (w = fs.windows; w; w = w->next)
		if (w->n == n && first < w->end && w->first < end && w->kind >= kind &&
		    w->kind <= WINDOW_PUNCHED && w->number > since)
			return 1;
	return 0;
}

int notify_may_have(const struct node *n, uint64_t first, uint64_t end)
{
	return first < end &&
	       (look_any_mapped(n, first, end) || in_window(n, first, end, WINDOW_TAKEN, 0));
}

int notify_may_have_since(const struct node *n, uint64_t page, uint64_t since)
{
	return look_all_mapped(n, page, page + 1) ||
	       in_window(n, page, page + 1, WINDOW_TAKEN, since);
}

int notify_is_punched(const struct node *n, uint64_t page)
{
	return in_window(n, page, page + 1, WINDOW_PUNCHED, 0);
}

void notify_queue(struct job *j)
{
	pthread_mutex_lock(&queue.lock);
	*queue.last = j;
	queue.last = &j->next;
	pthread_cond_signal(&queue.more);
	pthread_mutex_unlock(&queue.lock);
}

static void close_window(struct window *w)
{
	struct window **at;

	fs_lock();
	for (at = &fs.windows; *at != w; at = &(*at)->next)
		;
	*at = w->next;
	late_dropped(w);
	tree_release(w->n);
	fs_unlock();
	free(w);
}

static void begin_window(struct window *w)
{
	if (!w)
		return;
	fs_lock();
	w->begun = ++fs.windows_opened;
	fs_unlock();
}

static struct job *next_job(void)
{
	struct job *j;

	pthread_mutex_lock(&queue.lock);
	while (!queue.first && !queue.stop)
		pthread_cond_wait(&queue.more, &queue.lock);
	j = queue.first;
	if (j)
		queue.first = j->next;
	if (!queue.first)
		queue.last = &queue.first;
	pthread_mutex_unlock(&queue.lock);
	return j;
}

/*
 * When a punch has been answered, the kernel drops its pages once more, dirty or not, and nobody can
 * see when. What is stored until then is lost, as if before the punch; but if the page is written
 * back in between, only what was stored since. So what would write it back waits a moment.
 */
static void let_punch_finish(const struct job *j)
{
	const struct timespec moment = { 0, 1000 * 1000 };

	if (j->ino == queue.punched && j->offset < queue.punched_end &&
	    queue.punched_start < j->offset + j->length)
		nanosleep(&moment, NULL);
	queue.punched = 0;
	if (!j->window || j->window->kind != WINDOW_PUNCHED)
		return;
	queue.punched = j->ino;
	queue.punched_start = j->offset;
	queue.punched_end = j->offset + j->length;
}

void notify_drop(struct job *j)
{
	if (j->length) {
		let_punch_finish(j);
		begin_window(j->window);
		fuse_lowlevel_notify_inval_inode(fs.se, j->ino, (off_t)j->offset, (off_t)j->length);
	}
	if (j->window)
		close_window(j->window);
	j->window = NULL;
}

static void *run_jobs(void *arg)
{
	struct job *j;

	(void)arg;
	while ((j = next_job())) {
		notify_drop(j);
		j->then(j);
		free(j);
	}
	pthread_mutex_lock(&queue.lock);
	queue.stopped = true;
	pthread_mutex_unlock(&queue.lock);
	return NULL;
}

int notify_begin(void)
{
	queue.last = &queue.first;
	return !pthread_create(&queue.thread, NULL, run_jobs, NULL);
}

/* With no thread left that answers, what the thread tells could wait for ever. */
int notify_end(void)
{
	const struct timespec moment = { 0, 10 * 1000 * 1000 };
	bool stopped = false;
	int i;

	pthread_mutex_lock(&queue.lock);
	queue.stop = true;
	pthread_cond_signal(&queue.more);
	pthread_mutex_unlock(&queue.lock);
	for (i = 0; i < 200 && !stopped; i++) {
		nanosleep(&moment, NULL);
		pthread_mutex_lock(&queue.lock);
		stopped = queue.stopped;
		pthread_mutex_unlock(&queue.lock);
	}
	if (stopped)
		pthread_join(queue.thread, NULL);
	return stopped;
}
