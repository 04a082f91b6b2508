/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loop of gmem run: takes the calls that the filter stopped, finds out whose they are, and
 * answers. Guests that run get a slice of time in between.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"
#include "run.h"
#include "started.h"

#define X32 0x40000000
#define GROUP_SECONDS 0.25

void complain(pid_t pid, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(stderr, "gmem run: %s (%d): %s\n", target_name(pid), pid, text);
}

int still_waits(const struct request *q)
{
	uint64_t id = q->id;

	return !ioctl(session.listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id);
}

int64_t answer_fd(const struct request *q, int fd, bool cloexec)
{
	struct seccomp_notif_addfd a = { .id = q->id,
					 .flags = SECCOMP_ADDFD_FLAG_SEND,
					 .srcfd = (uint32_t)fd,
					 .newfd_flags = cloexec ? O_CLOEXEC : 0 };

	if (ioctl(session.listener, SECCOMP_IOCTL_NOTIF_ADDFD, &a) < 0)
		return -errno;
	return ANSWER_SENT;
}

void answer(const struct request *q, int64_t result)
{
	struct seccomp_notif_resp r = { .id = q->id };

	if (late_puts_aside(q) || result == ANSWER_SENT || result == ANSWER_LATER)
		return;
	if (result == ANSWER_CONTINUE)
		r.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	else if (result < 0)
		r.error = (int)result;
	else
		r.val = result;
	/* ENOENT: it has been killed meanwhile */
	ioctl(session.listener, SECCOMP_IOCTL_NOTIF_SEND, &r);
}

static int64_t refuse_other_abi(const struct request *q)
{
	static bool said;

	if (!said)
		complain(q->pid, "calls of 32-bit programs cannot be answered: ENOSYS");
	said = true;
	return -ENOSYS;
}

static int64_t dispatch(const struct request *q, bool other_abi)
{
	if (other_abi || q->nr >= X32)
		return refuse_other_abi(q);
	switch (q->nr) {
	case SYS_ioctl:
		return call_ioctl(q);
	case SYS_open:
	case SYS_openat:
	case SYS_openat2:
	case SYS_creat:
		return call_open(q);
	case SYS_readlink:
	case SYS_readlinkat:
		return call_readlink(q);
	case SYS_userfaultfd:
		return late_begin() ? ANSWER_CONTINUE : -ENOMEM;
	case SYS_access:
	case SYS_faccessat:
	case SYS_faccessat2:
	case SYS_stat:
	case SYS_lstat:
	case SYS_fstat:
	case SYS_newfstatat:
	case SYS_statx:
		return call_look(q);
	default:
		return call_file(q);
	}
}

static void take_request(void)
{
	struct seccomp_notif n;
	struct request q;

	memset(&n, 0, sizeof(n));
	if (ioctl(session.listener, SECCOMP_IOCTL_NOTIF_RECV, &n))
		return;
	q.id = n.id;
	q.pid = (pid_t)n.pid;
	q.nr = n.data.nr;
	memcpy(q.args, n.data.args, sizeof(q.args));
	answer(&q, dispatch(&q, n.data.arch != AUDIT_ARCH_X86_64));
}

static void begin_again(const struct request *q)
{
	answer(q, dispatch(q, false));
}

/* Children that ended: the program, and what it left behind. */
static void reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == session.program) {
			session.status = status;
			session.program_ended = true;
		} else if (pid == session.daemon) {
			fprintf(stderr, "gmem run: gmemfs has ended\n");
			session.daemon = -1;
		}
	}
}

/* What gmem run is told to do is meant for the program, or for what it has left. */
static void pass_on(int sig)
{
	if (session.program_ended)
		signal_descendants(sig, session.daemon);
	else
		kill(session.program, sig);
}

/*
 * What our parent passes on. A signal for the whole group comes to us as well, and a moment later
 * from our parent; then the program has got it by itself.
 */
static void take_passed_on(int sig, pid_t from)
{
	static double of_group[NSIG];

	if (from != session.guard && getpgid(session.program) == getpgrp())
		of_group[sig] = seconds();
	else if (from == session.guard && seconds() - of_group[sig] > GROUP_SECONDS)
		pass_on(sig);
}

static void take_signals(void)
{
	struct signalfd_siginfo s;

	while (read(session.signals, &s, sizeof(s)) == sizeof(s)) {
		if (s.ssi_signo == SIGCHLD)
			reap();
		else
			take_passed_on((int)s.ssi_signo, (pid_t)s.ssi_pid);
	}
	if (getppid() != session.guard) {
		end_descendants();
		_exit(EXIT_LACKS);
	}
}

/*
 * The listener comes first: if it is ready, what was closed before that call is to be seen in the
 * same look.
 */
void loop(void)
{
	struct pollfd fds[] = { { session.listener, POLLIN, 0 },
				{ session.inotify, POLLIN, 0 },
				{ session.signals, POLLIN, 0 },
				{ -1, POLLIN, 0 } };
	bool running = false;

	while (!session.program_ended || !(fds[0].revents & POLLHUP)) {
		fds[3].fd = late_news();
		if (poll(fds, 4, running ? 0 : -1) < 0 && errno != EINTR)
			die("run: poll: %s", strerror(errno));
		if (fds[1].revents)
			objects_closed();
		if (fds[2].revents)
			take_signals();
		if (fds[3].revents)
			late_go_on(begin_again);
		if (fds[0].revents & POLLIN)
			take_request();
		running = guests_go_on();
		if (fds[0].revents & POLLHUP)
			reap();
	}
}
