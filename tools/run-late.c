/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory of the program that is late: with userfaultfd(2) a page is there when another thread of
 * the program has provided it, and whoever looks at it before waits. We must not, as that thread may
 * be waiting for us.
 *
 * So once a program has such a thing, other threads read and write its memory for us. If one is not
 * back soon, the call is put aside as if it had not been looked at yet, and is begun again when
 * the page has come. A call reads its arguments before it does anything, and what it writes in the
 * end it can write twice; so nobody sees that it was begun before.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "common.h"
#include "run.h"

#define PATIENCE 1000000L /* nanoseconds; twice as many each time that a call is begun again */
#define MOST_PATIENCE 6	  /* times */

enum state { WORKS, PUT_ASIDE, IS_BACK };

struct reader {
	struct reader *next;
	sem_t go, back;
	_Atomic enum state state;
	/* what it is to do */
	pid_t pid;
	uint64_t addr;
	void *bytes;
	size_t size;
	bool write;
	/* and what came of it */
	bool ok;
	int err;
	struct request q; /* that waits for it */
	unsigned int tries;
};

static struct reader *idle, *waiting;
static struct reader *late; /* the one that was not back, in the call that is being answered */
static unsigned int tries;  /* how often that has been begun before */
static int news = -1;	    /* an eventfd: one of those that wait is back */

static void *be_reader(void *arg)
{
	struct reader *r = arg;
	uint64_t one = 1;

	for (;;) {
		while (sem_wait(&r->go))
			;
		r->ok = target_copy(r->pid, r->addr, r->bytes, r->size, r->write);
		r->err = errno;
		if (atomic_exchange(&r->state, IS_BACK) != PUT_ASIDE)
			sem_post(&r->back);
		else if (write(news, &one, sizeof(one)) < 0)
			return NULL;
	}
}

static struct reader *new_reader(void)
{
	struct reader *r = xcalloc(1, sizeof(*r));
	pthread_t thread;

	sem_init(&r->go, 0, 0);
	sem_init(&r->back, 0, 0);
	if (!pthread_create(&thread, NULL, be_reader, r))
		return r;
	free(r);
	return NULL;
}

static struct reader *take_reader(void)
{
	struct reader *r = idle;

	if (!r)
		return new_reader();
	idle = r->next;
	return r;
}

static void give_reader(struct reader *r)
{
	free(r->bytes);
	r->next = idle;
	idle = r;
}

/* False if it is put aside. */
static bool is_soon_back(struct reader *r)
{
	enum state works = WORKS;
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += PATIENCE << (tries < MOST_PATIENCE ? tries : MOST_PATIENCE);
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	while (sem_timedwait(&r->back, &until)) {
		if (errno == EINTR)
			continue;
		if (atomic_compare_exchange_strong(&r->state, &works, PUT_ASIDE))
			return false;
		/* it is about to say so */
		until.tv_sec++;
	}
	return true;
}

static bool copy_by_reader(pid_t pid, uint64_t addr, void *bytes, size_t size, bool write)
{
	struct reader *r = late ? NULL : take_reader();

	if (!r) {
		errno = EFAULT;
		return false;
	}
	r->pid = pid;
	r->addr = addr;
	r->size = size;
	r->write = write;
	r->bytes = xcalloc(1, size);
	if (write)
		memcpy(r->bytes, bytes, size);
	r->state = WORKS;
	sem_post(&r->go);
	if (!is_soon_back(r)) {
		late = r;
		errno = EFAULT;
		return false;
	}
	if (!write && r->ok)
		memcpy(bytes, r->bytes, size);
	errno = r->err;
	give_reader(r);
	return r->ok;
}

int late_begin(void)
{
	if (news < 0)
		news = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (news >= 0)
		target_copies_by(copy_by_reader);
	return news >= 0;
}

int late_news(void)
{
	return news;
}

bool late_is(void)
{
	return late != NULL;
}

bool late_puts_aside(const struct request *q)
{
	if (!late)
		return false;
	late->q = *q;
	late->tries = tries + 1;
	late->next = waiting;
	waiting = late;
	late = NULL;
	return true;
}

/* One that is back, out of those that wait. */
static struct reader *take_back(void)
{
	struct reader **at, *r;

	for (at = &waiting; *at && (*at)->state != IS_BACK; at = &(*at)->next)
		target_copies_by(copy_by_reader);
	r = *at;
	if (r)
		*at = r->next;
	return r;
}

void late_go_on(void (*again)(const struct request *))
{
	struct request q;
	struct reader *r;
	uint64_t n;

	if (read(news, &n, sizeof(n)) < 0)
		return;
	while ((r = take_back())) {
		q = r->q;
		tries = r->tries;
		give_reader(r);
		if (still_waits(&q))
			again(&q);
		tries = 0;
	}
}
