/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How gmem run stops calls of the program: a seccomp filter that hands them to the supervisor
 * (seccomp_unotify(2)). It holds for whatever the program starts, for static programs and for
 * system calls made by hand.
 *
 * What is not stopped costs the few instructions of the filter. So the list is short: opening
 * files (the filter cannot read names), KVM's ioctls, and what FUSE would answer otherwise than a
 * guest_memfd.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"
#include "pass-fd.h"
#include "run.h"
#include "started.h"

#define X32 0x40000000u
/* since 6.6: whoever waits for the other is woken on the same processor */
#define SET_FLAGS SECCOMP_IOW(4, uint64_t)
#define SYNC_WAKE_UP 1ul
#define MADV_HWPOISON_ 100
#define EXIT_CANNOT_RUN 126
#define EXIT_NOT_FOUND 127

#define LOAD(member) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))
#define STOP BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF)
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
/* goes on n instructions further if it is so */
#define IF_EQUAL(value, n) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, n, 0)
#define UNLESS_EQUAL(value, n) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, n)
#define AND(mask) BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask)

/* Calls that are stopped whatever their arguments are. */
static const int stopped[] = {
	SYS_openat,	     SYS_open,	      SYS_lseek,
	SYS_pread64,	     SYS_pwrite64,    SYS_readlink,
	SYS_openat2,	     SYS_creat,	      SYS_preadv,
	SYS_pwritev,	     SYS_preadv2,     SYS_pwritev2,
	SYS_fstatfs,	     SYS_readlinkat,  451 /* cachestat */,
	SYS_sendfile,	     SYS_splice,      SYS_readahead,
	SYS_mlock,	     SYS_mlock2,      SYS_mlockall,
	SYS_copy_file_range, SYS_userfaultfd, SYS_io_submit,
};
/* These where their third argument is 0: nothing is to be read or written. */
static const int empty[] = { SYS_read, SYS_write, SYS_readv, SYS_writev };
/* These too where a program could not find /dev/kvm by them. */
static const int looks[] = {
	SYS_access, SYS_faccessat,  SYS_faccessat2, SYS_stat,
	SYS_lstat,  SYS_newfstatat, SYS_statx,	    SYS_fstat,
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define MOST_INSTRUCTIONS 256

/* Each call of the list: two instructions, so that none jumps far. */
static size_t stop_all(struct sock_filter *f, size_t n, const int *list, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		f[n++] = (struct sock_filter)UNLESS_EQUAL((unsigned int)list[i], 1);
		f[n++] = (struct sock_filter)STOP;
	}
	return n;
}

/* Only the lower half of the argument: a longer one is stopped as well, and goes on. */
static size_t stop_empty(struct sock_filter *f, size_t n)
{
	size_t i;

	for (i = 0; i < COUNT(empty); i++) {
		const struct sock_filter one[] = {
			UNLESS_EQUAL((unsigned int)empty[i], 4),
			LOAD(args[2]),
			IF_EQUAL(0, 1),
			ALLOW,
			STOP,
		};

		memcpy(f + n, one, sizeof(one));
		n += COUNT(one);
	}
	return n;
}

/* Calls that are stopped by their arguments. */
static const struct sock_filter head[] = {
	/* calls of other architectures are refused, and said to be */
	LOAD(arch),
	IF_EQUAL(AUDIT_ARCH_X86_64, 1),
	STOP,
	LOAD(nr),
	BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32, 0, 1),
	STOP,
	/* ioctl: of KVM, or what FUSE knows */
	UNLESS_EQUAL(SYS_ioctl, 8),
	LOAD(args[1]),
	IF_EQUAL(FIBMAP, 5),
	IF_EQUAL(FIONREAD, 4),
	IF_EQUAL(FIOQSIZE, 3),
	AND(0xff00),
	IF_EQUAL(0xae00, 1),
	ALLOW,
	STOP,
	/* mmap: of a file, privately, as code or with pages */
	UNLESS_EQUAL(SYS_mmap, 14),
	LOAD(args[3]),
	AND(MAP_TYPE | MAP_ANONYMOUS),
	IF_EQUAL(MAP_PRIVATE, 10),
	LOAD(args[3]),
	AND(MAP_ANONYMOUS),
	IF_EQUAL(MAP_ANONYMOUS, 6),
	LOAD(args[2]),
	AND(PROT_EXEC),
	IF_EQUAL(PROT_EXEC, 4),
	LOAD(args[3]),
	AND(MAP_POPULATE | MAP_LOCKED),
	UNLESS_EQUAL(0, 1),
	ALLOW,
	STOP,
	/* fcntl: past the page cache from now on */
	UNLESS_EQUAL(SYS_fcntl, 7),
	LOAD(args[1]),
	UNLESS_EQUAL(F_SETFL, 3),
	LOAD(args[2]),
	AND(O_DIRECT),
	IF_EQUAL(O_DIRECT, 1),
	ALLOW,
	STOP,
	/* epoll_ctl: of one more file */
	UNLESS_EQUAL(SYS_epoll_ctl, 4),
	LOAD(args[1]),
	IF_EQUAL(EPOLL_CTL_ADD, 1),
	ALLOW,
	STOP,
	/* madvise: pages are to fail */
	UNLESS_EQUAL(SYS_madvise, 4),
	LOAD(args[2]),
	IF_EQUAL(MADV_HWPOISON_, 1),
	ALLOW,
	STOP,
};

static size_t build_filter(struct sock_filter *f)
{
	size_t n = COUNT(head);

	memcpy(f, head, sizeof(head));
	n = stop_empty(f, n);
	n = stop_all(f, n, stopped, COUNT(stopped));
	if (session.lacks_kvm)
		n = stop_all(f, n, looks, COUNT(looks));
	f[n++] = (struct sock_filter)ALLOW;
	return n;
}

static int seccomp(unsigned int flags, const struct sock_fprog *program)
{
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, program);
}

/* Signals should not interrupt a call that is being answered; kernels before 5.19 cannot do that. */
static int install(const struct sock_fprog *program)
{
	unsigned int flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
	int fd = seccomp(flags | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, program);

	return fd < 0 && errno == EINVAL ? seccomp(flags, program) : fd;
}

/* Root may filter as it is; others give up setuid programs for it. */
static int filter_myself(void)
{
	struct sock_filter f[MOST_INSTRUCTIONS];
	struct sock_fprog program = { .filter = f };
	int fd;

	program.len = (unsigned short)build_filter(f);
	fd = install(&program);
	if (fd < 0 && errno == EACCES && !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		fd = install(&program);
	return fd;
}

static void be_program(pid_t supervisor, int socket, int failed)
{
	int listener, err;

	/* when gmem run is killed its answers end, and so does the program */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != supervisor)
		_exit(EXIT_LACKS);
	listener = filter_myself();
	if (listener < 0)
		die("run: calls cannot be intercepted here: seccomp: %s", strerror(errno));
	if (!pass_fd(socket, listener))
		_exit(EXIT_LACKS);
	close(listener);
	close(socket);
	signals_give_back();
	execvp(session.argv[0], session.argv);
	err = errno;
	if (write(failed, &err, sizeof(err)) < 0)
		_exit(EXIT_LACKS);
	_exit(err == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN);
}

int filter_begin(void)
{
	pid_t supervisor = getpid();
	int sockets[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets))
		die("run: %s", strerror(errno));
	session.program = fork();
	if (session.program < 0)
		die("run: %s", strerror(errno));
	if (!session.program)
		be_program(supervisor, sockets[1], session.exec_failed[1]);
	close(sockets[1]);
	close(session.exec_failed[1]);
	session.listener = take_fd(sockets[0]);
	close(sockets[0]);
	if (session.listener < 0)
		return EXIT_LACKS;
	ioctl(session.listener, SET_FLAGS, SYNC_WAKE_UP);
	return 0;
}
