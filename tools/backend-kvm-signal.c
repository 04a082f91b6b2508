/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A signal that is pending from the first instruction of a system call, for the far side of
 * backend-kvm.c.
 *
 * A signal that comes before the call is handled before it, and one that comes later comes at
 * no certain moment. So a process is forked that traces this one, stops it when it has just
 * entered the system call, sends the signal, and lets go.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend-kvm.h"

enum backend_status far_inject(struct far *f, const struct gmem_call *c, struct gmem_result *r)
{
	(void)r;
	switch (c->what) {
	case GMEM_INJECT_NONE:
		f->signal_next = false;
		return BACKEND_DONE;
	case GMEM_INJECT_SIGNAL:
		if (c->value)
			return far_refuse(f, "a signal comes before the first page or at no "
					     "certain one");
		f->signal_next = true;
		return BACKEND_DONE;
	default:
		return far_refuse(f, "a real kernel has no memory when it has none");
	}
}

static void tell(struct channel *ch, enum tracer_state state)
{
	channel_set(&ch->tracer, state);
	syscall(SYS_futex, &ch->tracer, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static bool is_entering(pid_t pid, long nr)
{
	struct __ptrace_syscall_info info;
	long size = ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info);

	return size > 0 && info.op == PTRACE_SYSCALL_INFO_ENTRY && (long)info.entry.nr == nr;
}

/* In the tracer: until pid has entered the system call nr. */
static void trace(struct channel *ch, pid_t pid, long nr)
{
	int status;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACESYSGOOD) ||
	    ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) || waitpid(pid, &status, __WALL) != pid) {
		tell(ch, TRACER_FAILED);
		return;
	}
	tell(ch, TRACER_READY);
	do {
		if (ptrace(PTRACE_SYSCALL, pid, NULL, NULL) || waitpid(pid, &status, __WALL) != pid)
			return;
	} while (!is_entering(pid, nr));
	kill(pid, SIGUSR1);
	ptrace(PTRACE_DETACH, pid, NULL, NULL);
}

long far_syscall_with_signal(struct far *f, bool *made, long nr, const long args[4])
{
	struct channel *ch = f->ch;
	pid_t self = getpid(), tracer;
	long value = -1;
	int err;

	*made = false;
	channel_set(&ch->tracer, TRACER_COMING);
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
	tracer = fork();
	if (!tracer) {
		trace(ch, self, nr);
		_exit(0);
	}
	if (tracer < 0)
		return -1;
	while (channel_get(&ch->tracer) == TRACER_COMING)
		syscall(SYS_futex, &ch->tracer, FUTEX_WAIT, TRACER_COMING, NULL, NULL, 0);
	*made = channel_get(&ch->tracer) == TRACER_READY;
	if (*made)
		value = syscall(nr, args[0], args[1], args[2], args[3]);
	err = errno;
	while (waitpid(tracer, NULL, 0) < 0 && errno == EINTR)
		;
	errno = err;
	return value;
}
