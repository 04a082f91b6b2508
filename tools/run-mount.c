/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The private mount of gmem run. It has no place in the file system: fsmount(2) makes it, nobody
 * attaches it anywhere, and it is reached through a descriptor alone. So nothing can stay behind:
 * when the last descriptor and mapping of it is gone, however that came about, the kernel ends the
 * connection and gmemfs with it.
 *
 * Whoever may not mount does so in a user namespace of its own.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"
#include "pass-fd.h"
#include "run.h"

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

static int may_mount_here(void)
{
	int fs = fsopen("fuse", FSOPEN_CLOEXEC);

	if (fs >= 0)
		close(fs);
	return fs >= 0;
}

/*
 * Others than root get a namespace in which they are themselves. Only others: with a namespace come
 * copies of all mounts, and of those that are private each would stay for as long as the program runs.
 */
static int may_mount(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	char map[64];

	if (may_mount_here())
		return 1;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
		return 0;
	snprintf(map, sizeof(map), "%u %u 1", uid, uid);
	if (!write_file("/proc/self/setgroups", "deny") || !write_file("/proc/self/uid_map", map))
		return 0;
	snprintf(map, sizeof(map), "%u %u 1", gid, gid);
	return write_file("/proc/self/gid_map", map);
}

static int set(int fs, const char *key, const char *value)
{
	return !fsconfig(fs, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key, value, 0);
}

static int configure(int fs, int device)
{
	char fd[16], uid[16], gid[16];

	snprintf(fd, sizeof(fd), "%d", device);
	snprintf(uid, sizeof(uid), "%u", geteuid());
	snprintf(gid, sizeof(gid), "%u", getegid());
	return set(fs, "source", "gmemfs") && set(fs, "fd", fd) && set(fs, "rootmode", "40000") &&
	       set(fs, "user_id", uid) && set(fs, "group_id", gid) &&
	       set(fs, "default_permissions", NULL) &&
	       (geteuid() || set(fs, "allow_other", NULL)) &&
	       !fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
}

/* The top of a new mount that is nowhere, served through *device; -1 and errno. */
static int new_mount(int *device)
{
	int fs, top = -1;

	*device = open("/dev/fuse", O_RDWR);
	if (*device < 0)
		return -1;
	fs = fsopen("fuse", FSOPEN_CLOEXEC);
	if (fs >= 0 && configure(fs, *device))
		top = fsmount(fs, FSMOUNT_CLOEXEC,
			      MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (fs >= 0)
		close(fs);
	return top;
}

/* Beside this program, as in a build folder or an installation; else wherever programs are. */
static void exec_gmemfs(char *const *argv)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 8);
	char *slash;

	if (n > 0) {
		path[n] = 0;
		slash = strrchr(path, '/');
		if (slash) {
			memcpy(slash + 1, "gmemfs", 7);
			execv(path, argv);
		}
	}
	execvp("gmemfs", argv);
}

/* What is in guest_memfds is nobody's for the kernel: where memory runs out it ends others for it. */
static uint64_t most_memory(void)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	return session.memory ? session.memory : (uint64_t)sysconf(_SC_PHYS_PAGES) / 2 * page;
}

static void be_gmemfs(pid_t supervisor, int socket)
{
	char options[256], where[32];
	char *argv[] = { "gmemfs", "-f", "-o", options, where, NULL };
	const char *profile = session.profile;
	int device, top;

	/* keys of a terminal are for the program */
	setsid();
	if (!may_mount())
		die("run: mounting is not allowed here: %s", strerror(errno));
	/* a new user namespace would take that back */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != supervisor)
		_exit(EXIT_LACKS);
	top = new_mount(&device);
	if (top < 0)
		die("run: gmemfs cannot be mounted: %s: %s", device < 0 ? "/dev/fuse" : "fsmount",
		    strerror(errno));
	if (!pass_fd(socket, top))
		_exit(EXIT_LACKS);
	close(top);
	snprintf(options, sizeof(options),
		 "run,limit-vms=60000,limit-files=60000,limit-memory=%llu%s%s",
		 (unsigned long long)most_memory(), profile ? ",profile=" : "",
		 profile ? profile : "");
	snprintf(where, sizeof(where), "/dev/fd/%d", device);
	exec_gmemfs(argv);
	die("run: gmemfs is not there: %s", strerror(errno));
}

int mount_begin(void)
{
	pid_t supervisor = getpid();
	int sockets[2];
	struct stat st;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets))
		die("run: %s", strerror(errno));
	session.daemon = fork();
	if (session.daemon < 0)
		die("run: %s", strerror(errno));
	if (!session.daemon)
		be_gmemfs(supervisor, sockets[1]);
	close(sockets[1]);
	session.top = take_fd(sockets[0]);
	close(sockets[0]);
	/* the first question waits until gmemfs is there */
	session.mount = openat(session.top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (session.mount < 0 || fstat(session.mount, &st)) {
		waitpid(session.daemon, NULL, 0);
		return EXIT_LACKS;
	}
	session.mount_dev = st.st_dev;
	return 0;
}

/*
 * The top itself, which is not open in the file system's sense, goes last: to end with requests that gmemfs
 * has not read is an error to libfuse, which says so. Those of closes come before the answer to a question.
 */
void mount_end(void)
{
	struct statx s;

	close(session.mount);
	statx(session.top, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, &s);
	close(session.top);
	waitpid(session.daemon, NULL, 0);
}

int mount_on(struct mount_on *on)
{
	/* nothing is asked with arguments that are not there yet */
	if (late_is())
		return -EAGAIN;
	return ioctl(session.mount, MOUNT_ON, on) ? -errno : 0;
}

int64_t mount_value(struct mount_on *on)
{
	int err = mount_on(on);

	if (err)
		return err;
	return on->m.result.outcome == GMEM_VALUE ? on->m.result.value : -EFAULT;
}

/*
 * read and write begin at a position that no file reaches, so they are EINVAL as a guest_memfd's;
 * what moves the position is stopped (run-file.c).
 */
int mount_open_file(const struct vm *vm, int64_t fd)
{
	char path[64];
	int file;

	snprintf(path, sizeof(path), "vm-%llu/gmem-%lld", (unsigned long long)vm->node,
		 (long long)fd);
	file = openat(session.mount, path, O_RDWR | O_CLOEXEC);
	if (file < 0)
		file = -errno;
	else
		lseek(file, INT64_MAX, SEEK_SET);
	unlinkat(session.mount, path, 0);
	return file;
}

void mount_remove_vm(uint64_t node)
{
	char path[32];

	snprintf(path, sizeof(path), "vm-%llu", (unsigned long long)node);
	unlinkat(session.mount, path, AT_REMOVEDIR);
}

/* A close of the last descriptor reaches gmemfs a moment later. */
void mount_wait_closed(uint64_t node)
{
	struct mount_on on = { .m.call.verb = GMEM_CLOSE, .memfd = node };
	int i;

	for (i = 0; i < 10000 && mount_on(&on) == -EAGAIN; i++)
		usleep(i < 10 ? 10 : 100);
}

int mount_write_trace(int to)
{
	int from = openat(session.mount, ".gmem/trace", O_RDONLY | O_CLOEXEC), ok;
	char bytes[65536];
	ssize_t n = -1;

	while (from >= 0 && to >= 0 && (n = read(from, bytes, sizeof(bytes))) > 0)
		if (write(to, bytes, (size_t)n) != n)
			break;
	ok = !n && !close(to);
	if (!ok)
		fprintf(stderr, "gmem run: %s: %s\n", session.trace, strerror(errno));
	if (from >= 0)
		close(from);
	return ok;
}
