/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls with names in them: opening /dev/kvm, and looking at it, where the machine has none; opening and
 * reading the names that /proc has for descriptors.
 *
 * A /dev/kvm that the machine has is the kernel's to open, by whatever name and with whatever flags: none
 * of KVM's ioctls ever reaches it. Where there is none it is a memfd.
 *
 * A filter cannot read names, so every open is stopped and looked at; any other file is the kernel's to
 * open.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "run.h"

#define KVM_PATH "/dev/kvm"
#define KVM_RDEV makedev(10, 232)

/* The name as it is seen from here, where it is not absolute. */
static int seen_from_here(pid_t pid, int dirfd, const char *path, char *to, size_t size)
{
	int n;

	if (path[0] == '/')
		n = snprintf(to, size, "/proc/%d/root%s", pid, path);
	else if (dirfd == AT_FDCWD)
		n = snprintf(to, size, "/proc/%d/cwd/%s", pid, path);
	else
		n = snprintf(to, size, "/proc/%d/fd/%d/%s", pid, dirfd, path);
	return n > 0 && (size_t)n < size;
}

/* 0 if the program has changed its root directory. */
static int has_our_root(pid_t pid)
{
	struct stat ours, its;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	return stat(path, &its) || stat("/", &ours) ||
	       (its.st_dev == ours.st_dev && its.st_ino == ours.st_ino);
}

/* Whatever leads to it, as long as its last part is called kvm. */
static int is_dev_kvm(pid_t pid, int dirfd, const char *path)
{
	const char *slash = strrchr(path, '/');
	char here[PATH_MAX + 64], dir[PATH_MAX];
	struct stat st;

	if (!strcmp(path, KVM_PATH) && has_our_root(pid))
		return 1;
	if (strcmp(slash ? slash + 1 : path, "kvm") ||
	    !seen_from_here(pid, dirfd, path, here, sizeof(here)))
		return 0;
	if (!stat(here, &st))
		return S_ISCHR(st.st_mode) && st.st_rdev == KVM_RDEV;
	/* a machine without one: in /dev it would be */
	here[strlen(here) - 4 + (here[strlen(here) - 4] != '/')] = 0;
	return realpath(here, dir) && !strcmp(dir, "/dev");
}

struct opening {
	int dirfd;
	uint64_t path, flags;
	int64_t err; /* of openat2 for whatever file */
};

static int64_t check_how(const struct request *q, const struct open_how *how)
{
	uint8_t more[GMEM_PAGE_SIZE], none[GMEM_PAGE_SIZE] = { 0 };
	uint64_t size = q->args[3] - sizeof(*how);

	if (size > sizeof(more) || target_read(q->pid, q->args[2] + sizeof(*how), more, size))
		return size > sizeof(more) ? -E2BIG : -EFAULT;
	if (memcmp(more, none, size))
		return -E2BIG;
	if (how->flags >> 32 || how->resolve >= RESOLVE_CACHED * 2 ||
	    (how->mode && !(how->flags & (O_CREAT | O_TMPFILE))))
		return -EINVAL;
	if (how->resolve & RESOLVE_BENEATH)
		return -EXDEV;
	return how->resolve & RESOLVE_IN_ROOT ? -ENOENT : 0;
}

static int take_opening(const struct request *q, struct opening *o)
{
	struct open_how how;

	*o = (struct opening){ .dirfd = AT_FDCWD, .path = q->args[0], .flags = q->args[1] };
	if (q->nr == SYS_creat)
		o->flags = O_CREAT | O_WRONLY | O_TRUNC;
	if (q->nr == SYS_openat || q->nr == SYS_openat2) {
		o->dirfd = (int)q->args[0];
		o->path = q->args[1];
		o->flags = q->args[2];
	}
	if (q->nr != SYS_openat2)
		return 1;
	if (q->args[3] < sizeof(how) || target_read(q->pid, q->args[2], &how, sizeof(how)))
		return 0;
	o->flags = how.flags;
	o->err = check_how(q, &how);
	return 1;
}

/* What open(2) says to these flags where the file is a device. */
static int64_t check_flags(uint64_t flags)
{
	bool temporary = flags & O_TMPFILE & ~(uint64_t)O_DIRECTORY;

	if (temporary && (!(flags & O_DIRECTORY) || (flags & O_ACCMODE) == O_RDONLY))
		return -EINVAL;
	if ((flags & O_CREAT) && (flags & O_DIRECTORY))
		return -EINVAL;
	if ((flags & O_CREAT) && (flags & O_EXCL))
		return -EEXIST;
	if (flags & O_DIRECTORY)
		return -ENOTDIR;
	return (flags & O_DIRECT) && !(flags & O_PATH) ? -EINVAL : 0;
}

/*
 * A description of its own for every open. What was opened with O_PATH cannot be handed over, so it is one
 * that can be neither read nor written: see target_is_path().
 */
static int64_t open_kvm(const struct request *q, const struct opening *o)
{
	int64_t answer = o->err ? o->err : check_flags(o->flags);
	int flags = (int)(o->flags & (O_ACCMODE | O_APPEND | O_NONBLOCK)), fd;
	char path[32];

	if (answer)
		return answer;
	if (!still_waits(q))
		return -EINTR;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", session.kvm);
	if ((flags & O_ACCMODE) == O_ACCMODE)
		flags ^= O_WRONLY;
	fd = open(path, O_CLOEXEC | ((o->flags & O_PATH) ? O_ACCMODE : flags));
	if (fd < 0)
		return -errno;
	answer = answer_fd(q, fd, o->flags & O_CLOEXEC);
	close(fd);
	return answer;
}

/* What has no name cannot be opened by that of its descriptor; /dev/kvm has one. */
static int64_t open_descriptor(const struct request *q, const struct opening *o, const char *path)
{
	struct what w;
	pid_t pid;
	int fd = proc_descriptor(q, o->dirfd, path, &pid);

	if (fd < 0 || (o->flags & O_PATH) || target_what(pid, (uint64_t)fd, &w))
		return ANSWER_CONTINUE;
	if (w.kind == KIND_KVM && !w.is_real_kvm)
		return open_kvm(q, o);
	return w.kind == KIND_OTHER || w.kind == KIND_KVM ? ANSWER_CONTINUE : -ENXIO;
}

int64_t call_open(const struct request *q)
{
	char path[PATH_MAX];
	struct opening o;

	if (!take_opening(q, &o) || target_string(q->pid, o.path, path, sizeof(path)))
		return ANSWER_CONTINUE;
	if (!strcmp(path, "/dev/userfaultfd") && !late_begin())
		return -ENOMEM;
	if (session.lacks_kvm && is_dev_kvm(q->pid, o.dirfd, path))
		return open_kvm(q, &o);
	if (session.lacks_kvm && !strncmp(path, KVM_PATH "/", sizeof(KVM_PATH)))
		return -ENOTDIR;
	return open_descriptor(q, &o, path);
}

/* ---- access and stat, on a machine without /dev/kvm ---- */

static void fill_stat(struct stat *st)
{
	*st = (struct stat){ .st_mode = S_IFCHR | 0666,
			     .st_nlink = 1,
			     .st_rdev = KVM_RDEV,
			     .st_blksize = GMEM_PAGE_SIZE };
}

static int64_t give_stat(const struct request *q, uint64_t to)
{
	struct stat st;

	fill_stat(&st);
	return target_write(q->pid, to, &st, sizeof(st));
}

static int64_t give_statx(const struct request *q)
{
	struct statx s = { .stx_mask = STATX_TYPE | STATX_MODE | STATX_NLINK,
			   .stx_mode = S_IFCHR | 0666,
			   .stx_nlink = 1,
			   .stx_rdev_major = 10,
			   .stx_rdev_minor = 232,
			   .stx_blksize = (uint32_t)GMEM_PAGE_SIZE };

	return target_write(q->pid, q->args[4], &s, sizeof(s));
}

/* By its name, or as an open descriptor of it. */
static bool looks_at_kvm(const struct request *q, bool at)
{
	int dirfd = at ? (int)q->args[0] : AT_FDCWD;
	char path[PATH_MAX];
	struct what w;

	if (q->nr == SYS_fstat)
		path[0] = 0;
	else if (target_string(q->pid, q->args[at], path, sizeof(path)))
		return false;
	if (!path[0])
		return (at || q->nr == SYS_fstat) && !target_what(q->pid, q->args[0], &w) &&
		       w.kind == KIND_KVM;
	return is_dev_kvm(q->pid, dirfd, path);
}

int64_t call_look(const struct request *q)
{
	bool at = q->nr != SYS_access && q->nr != SYS_stat && q->nr != SYS_lstat &&
		  q->nr != SYS_fstat;

	if (!looks_at_kvm(q, at))
		return ANSWER_CONTINUE;
	switch (q->nr) {
	case SYS_stat:
	case SYS_lstat:
	case SYS_fstat:
		return give_stat(q, q->args[1]);
	case SYS_newfstatat:
		return give_stat(q, q->args[2]);
	case SYS_statx:
		return give_statx(q);
	default:
		return (q->args[at + 1] & X_OK) ? -EACCES : 0;
	}
}

/* ---- readlink of /proc/self/fd/N ---- */

static const char *link_name(const struct what *w)
{
	static char vcpu[48];

	switch (w->kind) {
	case KIND_KVM:
		return KVM_PATH;
	case KIND_VM:
		return "anon_inode:kvm-vm";
	case KIND_VCPU:
		snprintf(vcpu, sizeof(vcpu), "anon_inode:kvm-vcpu:%u", w->object->id);
		return vcpu;
	case KIND_GMEM:
		return "anon_inode:[kvm-gmem]";
	default:
		return NULL;
	}
}

int64_t call_readlink(const struct request *q)
{
	int at = q->nr == SYS_readlinkat, fd;
	char path[PATH_MAX];
	const char *name;
	struct what w;
	uint64_t size;
	pid_t pid;

	if (target_string(q->pid, q->args[at], path, sizeof(path)))
		return ANSWER_CONTINUE;
	fd = proc_descriptor(q, at ? (int)q->args[0] : AT_FDCWD, path, &pid);
	if (fd < 0 || target_what(pid, (uint64_t)fd, &w))
		return ANSWER_CONTINUE;
	name = link_name(&w);
	size = q->args[at + 2];
	if (!name || (int)size <= 0)
		return ANSWER_CONTINUE;
	if (size > strlen(name))
		size = strlen(name);
	return target_write(q->pid, q->args[at + 1], name, size) ? -EFAULT : (int64_t)size;
}
