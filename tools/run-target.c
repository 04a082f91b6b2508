/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The program of gmem run from outside: what its descriptors are, and whether it waits for a signal.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "run.h"

#define KVM_RDEV makedev(10, 232)

int target_same_memory(pid_t a, pid_t tgid_of_a, pid_t b)
{
	long r;

	if (a == b)
		return 1;
	r = syscall(SYS_kcmp, a, b, KCMP_VM, 0, 0);
	return r < 0 ? target_tgid(b) == tgid_of_a : !r;
}

int target_has_signal(pid_t pid, const uint64_t *blocked)
{
	uint64_t pending = target_status(pid, "\nSigPnd:", 16) |
			   target_status(pid, "\nShdPnd:", 16);

	return (pending & ~(blocked ? *blocked : target_status(pid, "\nSigBlk:", 16))) != 0;
}

int target_what(pid_t pid, uint64_t fd, struct what *w)
{
	struct statx s;
	char path[64];

	*w = (struct what){ .kind = KIND_OTHER };
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, (int)fd);
	if ((int)fd < 0)
		return -EBADF;
	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_INO | STATX_TYPE, &s)) {
		if (errno == EACCES)
			target_is_closed(pid);
		return -EBADF;
	}
	w->ino = s.stx_ino;
	if (makedev(s.stx_dev_major, s.stx_dev_minor) == session.mount_dev) {
		w->kind = KIND_GMEM;
	} else if (makedev(s.stx_dev_major, s.stx_dev_minor) == session.memfd_dev) {
		w->object = object_find(s.stx_ino);
		w->kind = w->object ? w->object->kind : KIND_OTHER;
	} else if (makedev(s.stx_rdev_major, s.stx_rdev_minor) == KVM_RDEV && S_ISCHR(s.stx_mode)) {
		w->kind = KIND_KVM;
		w->is_real_kvm = true;
	}
	return 0;
}

/* The link to what can be neither read nor written has no permissions; few are opened so without O_PATH. */
int target_is_path(pid_t pid, uint64_t fd)
{
	unsigned int flags = 0;
	char path[64];
	struct stat st;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, (int)fd);
	if (lstat(path, &st) || (st.st_mode & 0700))
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, (int)fd);
	f = fopen(path, "re");
	if (f && fscanf(f, "pos: %*u flags: %o", &flags) != 1)
		flags = 0;
	if (f)
		fclose(f);
	return (flags & O_PATH) || (session.lacks_kvm && (flags & O_ACCMODE) == O_ACCMODE);
}
