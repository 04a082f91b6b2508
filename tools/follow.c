/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loop that follows a program: starts it under a filter that stops the calls which matter, and
 * waits for stops of its threads. See follow.h.
 *
 * A thread stops before such a call, and again after it if the call is of interest; when it has
 * made a thread or a process; when it has become another program; and for signals.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"
#include "follow.h"
#include "started.h"

struct followed *following;

void followed_free(struct followed *f)
{
	trace_free(&f->t);
	free(f->results);
	memset(f, 0, sizeof(*f));
}

#ifdef __x86_64__
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#define CACHESTAT 451
#define CLOSE_RANGE 436
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define OPTIONS                                                                \
	(PTRACE_O_TRACESECCOMP | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | \
	 PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL)

/* ---- the filter ---- */

static const int stopped[] = {
	SYS_fallocate, SYS_ftruncate, SYS_fchmod,     SYS_fchown,  SYS_utimensat, SYS_read,
	SYS_write,     SYS_pread64,   SYS_pwrite64,   SYS_lseek,   SYS_fsync,	  SYS_fdatasync,
	SYS_fcntl,     SYS_fstat,     SYS_fstatfs,    SYS_dup,	   SYS_dup2,	  SYS_dup3,
	SYS_close,     SYS_mmap,      SYS_munmap,     SYS_madvise, SYS_mprotect,  SYS_mremap,
	CACHESTAT,     CLOSE_RANGE,   SYS_newfstatat,
};

static int install_filter(void)
{
	struct sock_filter f[16 + 2 * COUNT(stopped)] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		/* ioctl: of KVM, or of its conversions */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 5),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xfe00),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0xae00, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
		/* clone: of a child that would not be followed */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_UNTRACED, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .filter = f };
	size_t n = 15, i;

	for (i = 0; i < COUNT(stopped); i++) {
		f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
						      (unsigned int)stopped[i], 0, 1);
		f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
	}
	f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	program.len = (unsigned short)n;
	if (!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		return 1;
	return errno == EACCES && !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* ---- stops ---- */

/* A child that is not followed has nobody to answer for its calls, which would be ENOSYS. */
static int set_clone_flags(const struct thread *t, uint64_t flags)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, t->tid, 0, &regs) < 0)
		return 0;
	regs.rdi = flags;
	return ptrace(PTRACE_SETREGS, t->tid, 0, &regs) == 0;
}

/* A call that is about to be made; whether its end is to be seen. */
static int call_begins(struct thread *t)
{
	struct __ptrace_syscall_info info;
	int i;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, t->tid, sizeof(info), &info) < 0 ||
	    info.op != PTRACE_SYSCALL_INFO_SECCOMP)
		return 0;
	t->nr = (int)info.seccomp.nr;
	for (i = 0; i < 6; i++)
		t->args[i] = info.seccomp.args[i];
	switch (t->nr) {
	case SYS_ioctl:
		return kvm_begins(t);
	case SYS_clone:
		return set_clone_flags(t, t->args[0] & ~(uint64_t)CLONE_UNTRACED);
	case SYS_mmap:
	case SYS_munmap:
	case SYS_mprotect:
	case SYS_madvise:
	case SYS_mremap:
		return memory_begins(t);
	default:
		return file_begins(t);
	}
}

static void call_ends(struct thread *t)
{
	struct __ptrace_syscall_info info;

	t->in_call = false;
	if (ptrace(PTRACE_GET_SYSCALL_INFO, t->tid, sizeof(info), &info) < 0 ||
	    info.op != PTRACE_SYSCALL_INFO_EXIT)
		return;
	switch (t->nr) {
	case SYS_ioctl:
		kvm_ends(t, info.exit.rval);
		break;
	case SYS_clone:
		set_clone_flags(t, t->args[0]);
		break;
	case SYS_mmap:
	case SYS_munmap:
	case SYS_mprotect:
	case SYS_madvise:
	case SYS_mremap:
		memory_ends(t, info.exit.rval);
		break;
	default:
		file_ends(t, info.exit.rval);
	}
}

static void go_on(const struct thread *t, int sig)
{
	ptrace(t->in_call ? PTRACE_SYSCALL : PTRACE_CONT, t->tid, 0, sig);
}

/* Both may stop first: the new one, which then waits here for its maker to say so. */
static void makes_another(struct thread *maker)
{
	unsigned long tid = 0;
	struct thread *t;

	if (ptrace(PTRACE_GETEVENTMSG, maker->tid, 0, &tid) < 0)
		return;
	t = thread_find((pid_t)tid);
	if (!t) {
		t = thread_new((pid_t)tid);
		thread_made(maker, t);
		return;
	}
	thread_made(maker, t);
	go_on(t, 0);
}

/* A thread other than the first that starts a program becomes the first; all others are gone. */
static struct thread *becomes_another(struct thread *t)
{
	unsigned long old = 0;
	struct thread *former;

	ptrace(PTRACE_GETEVENTMSG, t->tid, 0, &old);
	former = (pid_t)old == t->tid ? NULL : thread_find((pid_t)old);
	if (former) {
		pid_t tid = t->tid;

		/* the process needs a task in the trace, whichever of the two has it */
		if (former->task == NO_TASK) {
			former->task = t->task;
			t->task = NO_TASK;
		}
		thread_gone(t);
		former->tid = tid;
		t = former;
	}
	t->in_call = false;
	thread_execs(t);
	return t;
}

static void signalled(const struct thread *t, int sig)
{
	siginfo_t info;

	if ((sig != SIGBUS && sig != SIGSEGV) || ptrace(PTRACE_GETSIGINFO, t->tid, 0, &info) < 0 ||
	    info.si_code <= 0)
		return;
	memory_fault((struct thread *)(uintptr_t)t, sig, (uintptr_t)info.si_addr);
}

static void stops(struct thread *t, int status)
{
	int sig = WSTOPSIG(status), event = status >> 16;

	switch (event) {
	case PTRACE_EVENT_SECCOMP:
		t->in_call = call_begins(t);
		break;
	case PTRACE_EVENT_CLONE:
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK:
		makes_another(t);
		break;
	case PTRACE_EVENT_EXEC:
		t = becomes_another(t);
		break;
	case PTRACE_EVENT_STOP:
		/* a stop of the whole process is to stay one; anything else is a thread that begins */
		if (sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU) {
			ptrace(PTRACE_LISTEN, t->tid, 0, 0);
			return;
		}
		break;
	default:
		if (sig == (SIGTRAP | 0x80)) {
			call_ends(t);
			break;
		}
		signalled(t, sig);
		go_on(t, sig);
		return;
	}
	go_on(t, 0);
}

/* ---- signals for the command ---- */

static pid_t program; /* 0: it has ended */
static volatile sig_atomic_t waiting, signal_came;

static void pass_on(int sig)
{
	if (program)
		kill(program, sig);
	else
		processes_signal(sig);
}

/* While we wait nothing of ours changes; else the loop looks before it waits again. */
static void signal_for_us(int sig, siginfo_t *info, void *context)
{
	int err = errno;

	(void)context;
	if (is_to_be_passed_on(info->si_code) && waiting)
		pass_on(sig);
	else if (is_to_be_passed_on(info->si_code))
		signal_came = sig;
	errno = err;
}

static void take_signals(void)
{
	struct sigaction a = { .sa_sigaction = signal_for_us, .sa_flags = SA_SIGINFO | SA_RESTART };
	int i;

	signals_keep();
	for (i = 0; passed_on[i]; i++)
		sigaction(passed_on[i], &a, NULL);
}

static pid_t wait_for_one(int *status)
{
	pid_t tid;

	waiting = 1;
	if (signal_came) {
		pass_on(signal_came);
		signal_came = 0;
	}
	do
		tid = waitpid(-1, status, __WALL);
	while (tid < 0 && errno == EINTR);
	waiting = 0;
	return tid;
}

static void wait_for_all(void)
{
	struct thread *t;
	int status;
	pid_t tid;

	while (threads_left()) {
		tid = wait_for_one(&status);
		if (tid < 0)
			return;
		t = thread_find(tid);
		if (WIFEXITED(status) || WIFSIGNALED(status)) {
			if (tid == program) {
				following->status = status;
				program = 0;
			}
			if (t)
				thread_gone(t);
		} else if (!t) {
			thread_new(tid);
		} else if (t->p) {
			stops(t, status);
		}
	}
}

/* ---- the beginning ---- */

static void be_program(char *const *argv, const int *go, int failed)
{
	char byte;
	int err;

	close(go[1]);
	if (read(go[0], &byte, 1) != 1)
		_exit(EXIT_LACKS);
	signals_give_back();
	if (install_filter())
		execvp(argv[0], argv);
	err = errno;
	if (write(failed, &err, sizeof(err)) < 0)
		_exit(EXIT_LACKS);
	_exit(err == ENOENT ? 127 : 126);
}

int follow_program(char *const *argv, struct followed *f)
{
	int go[2], failed[2], err;
	struct thread *t;
	pid_t pid;

	memset(f, 0, sizeof(*f));
	trace_init(&f->t);
	following = f;
	take_signals();
	if (pipe2(go, O_CLOEXEC) || pipe2(failed, O_CLOEXEC) || (pid = fork()) < 0)
		die("%s", strerror(errno));
	if (!pid)
		be_program(argv, go, failed[1]);
	close(go[0]);
	close(failed[1]);
	if (ptrace(PTRACE_SEIZE, pid, 0, OPTIONS) < 0) {
		fprintf(stderr, "gmem: %s cannot be followed: ptrace: %s\n", argv[0],
			strerror(errno));
		return EXIT_LACKS;
	}
	t = thread_new(pid);
	thread_made(NULL, t);
	if (write(go[1], "", 1) != 1)
		die("%s", strerror(errno));
	close(go[1]);
	program = pid;
	wait_for_all();
	f->not_started = read(failed[0], &err, sizeof(err)) == sizeof(err);
	if (f->not_started)
		fprintf(stderr, "gmem: %s: %s\n", argv[0], strerror(err));
	close(failed[0]);
	trace_name_all(&f->t);
	return 0;
}
#else
int follow_program(char *const *argv, struct followed *f)
{
	(void)f;
	fprintf(stderr, "gmem: %s cannot be followed: only on x86-64\n", argv[0]);
	return EXIT_LACKS;
}
#endif
