/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The far side of backend-kvm.c: the processes that make the calls.
 *
 * There is one process for each task. All of them look at the same list, and the one whose task
 * the next call belongs to makes it; the others sleep on the channel's futex. So a trace of one
 * task runs without a single switch between processes.
 *
 * All are children of the near side (CLONE_PARENT), which alone waits for them: nothing becomes
 * a zombie when a parent exits before its child. They die when the near side does.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "backend-kvm.h"

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

void channel_change(struct channel *ch)
{
	__atomic_add_fetch(&ch->turn, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &ch->turn, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void channel_wait(struct channel *ch, uint32_t turn, int ms)
{
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

	syscall(SYS_futex, &ch->turn, FUTEX_WAIT, turn, ms < 0 ? NULL : &t, NULL, 0);
}

enum backend_status far_answer(struct gmem_result *r, long value)
{
	r->outcome = GMEM_VALUE;
	r->value = value == -1 ? -errno : value;
	return BACKEND_DONE;
}

enum backend_status far_refuse(struct far *f, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(f->ch->error.why, sizeof(f->ch->error.why), format, args);
	va_end(args);
	return BACKEND_UNSUPPORTED;
}

enum backend_status far_fail(struct far *f, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(f->ch->error.why, sizeof(f->ch->error.why), format, args);
	va_end(args);
	return BACKEND_BROKEN;
}

void far_unlimit(struct far *f, bool unlimited)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = unlimited ? limit.rlim_max : f->max_fds;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int far_own_fd(struct far *f, int fd)
{
	int own;

	if (fd < 0)
		return fd;
	far_unlimit(f, true);
	own = fcntl(fd, F_DUPFD_CLOEXEC, f->own_fds);
	far_unlimit(f, false);
	close(fd);
	return own;
}

/* Loads of what may change under the reader's eyes: in the opposite order of post(). */
static bool my_turn(const struct far *f, int32_t group)
{
	const struct channel *ch = f->ch;
	uint32_t posted = channel_get(&ch->posted);
	uint32_t next = channel_get(&ch->next);

	return next < posted && channel_get(&ch->status) == BACKEND_DONE &&
	       !channel_get(&ch->leaving) && ch->calls[next].call.task == f->task &&
	       __atomic_load_n(&ch->group, __ATOMIC_ACQUIRE) == group;
}

static bool task_exists(const struct channel *ch, uint32_t task)
{
	uint32_t i;

	for (i = 0; i < ch->nr_tasks; i++)
		if (ch->tasks[i].task == task)
			return true;
	return false;
}

static void stop(struct far *f, enum backend_status status)
{
	channel_set(&f->ch->status, status);
	channel_change(f->ch);
}

/* The call's result is there; what is next may be for another process. */
static void finish(struct far *f, uint32_t next)
{
	struct channel *ch = f->ch;
	uint32_t task;

	channel_set(&ch->next, next);
	if (next == channel_get(&ch->posted)) {
		channel_change(ch);
		return;
	}
	task = ch->calls[next].call.task;
	if (!task_exists(ch, task))
		stop(f, far_fail(f, "call %u: task %u was not made or has exited", next, task));
	else if (task != f->task)
		channel_change(ch);
}

static void die_with(pid_t near)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != near)
		_exit(0);
}

static enum backend_status fork_task(struct far *f, const struct gmem_call *c,
				     struct gmem_result *r)
{
	struct channel *ch = f->ch;
	long pid;

	if (ch->nr_tasks == KVM_MAX_TASKS)
		return far_refuse(f, "more than %u tasks", KVM_MAX_TASKS);
	if (!c->value || c->value > UINT32_MAX || task_exists(ch, (uint32_t)c->value))
		return far_refuse(f, "no new number for the child's task");
	f->forks++;
	pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
	if (!pid) {
		f->task = (uint32_t)c->value;
		die_with(f->near);
		return BACKEND_DONE;
	}
	if (pid < 0)
		return far_answer(r, -1);
	ch->tasks[ch->nr_tasks].task = (uint32_t)c->value;
	ch->tasks[ch->nr_tasks++].pid = (pid_t)pid;
	return far_answer(r, (long)c->value);
}

static enum backend_status make(struct far *f, const struct gmem_call *c, struct gmem_result *r)
{
	if (c->verb == GMEM_FORK)
		return fork_task(f, c, r);
	if (c->verb != GMEM_EXIT)
		return far_call(f, c, r);
	if (!f->task)
		return far_refuse(f, "the first task cannot exit");
	channel_set(&f->ch->leaving, f->task);
	channel_change(f->ch);
	_exit(0);
}

/* Makes the next call. Of a fork two processes return; the child has nothing to say yet. */
static void step(struct far *f)
{
	struct channel *ch = f->ch;
	uint32_t i = channel_get(&ch->next);
	struct gmem_call call = backend_resolve(&ch->calls[i], ch->results);
	struct gmem_result r = { .outcome = GMEM_VALUE };
	enum backend_status status = make(f, &call, &r);

	if (f->task != call.task)
		return;
	if (status != BACKEND_DONE) {
		stop(f, status);
		return;
	}
	ch->results[i] = r;
	finish(f, i + 1);
}

static void limit(int what, rlim_t soft)
{
	struct rlimit r;

	if (getrlimit((__rlimit_resource_t)what, &r))
		return;
	r.rlim_cur = soft < r.rlim_max ? soft : r.rlim_max;
	setrlimit((__rlimit_resource_t)what, &r);
}

/* No descriptor is left from fd on. */
static void close_from(unsigned int fd)
{
	if (!syscall(SYS_close_range, fd, ~0u, 0))
		return;
	for (; fd < 4096; fd++)
		close((int)fd);
}

/* The caller's /dev/kvm is 3; 0 and 1 are there because a limit of descriptors counts them. */
static bool open_descriptors(struct far *f)
{
	int null, kvm;

	close_from(3);
	null = open("/dev/null", O_RDWR);
	kvm = open("/dev/kvm", O_RDWR);
	if (null < 0 || kvm < 0)
		return false;
	dup2(null, 0);
	dup2(null, 1);
	if (fcntl(2, F_GETFD) < 0)
		dup2(null, 2);
	if (kvm != GMEM_KVM_FD)
		dup2(kvm, GMEM_KVM_FD);
	close_from(GMEM_KVM_FD + 1);
	f->objects = calloc(f->max_fds, sizeof(struct object *));
	return f->objects != NULL;
}

static void get_ready(struct far *f)
{
	sigset_t none;

	setpgid(0, 0);
	die_with(f->near);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	far_catch_faults();
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_MEMLOCK, RLIM_INFINITY);
	if (!open_descriptors(f)) {
		stop(f, far_fail(f, "no /dev/kvm any more: %s", strerror(errno)));
		_exit(0);
	}
	limit(RLIMIT_NOFILE, f->max_fds);
}

void far_main(const struct far_setup *setup)
{
	struct far f = {
		.ch = setup->ch,
		.facts = setup->facts,
		.near = setup->near,
		.max_fds = setup->max_fds,
		.own_fds = setup->max_fds < 1024 ? 1024 : (int)setup->max_fds,
		.arena = setup->arena,
		.pipe = { -1, -1 },
	};
	pid_t group = getpid();

	get_ready(&f);
	for (;;) {
		uint32_t turn = channel_get(&f.ch->turn);

		if (my_turn(&f, group))
			step(&f);
		else
			channel_wait(f.ch, turn, -1);
	}
}
