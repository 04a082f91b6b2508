/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The program from outside: its memory, its descriptors, its threads. All by the number of the
 * thread whose call waits, so that it cannot become another's meanwhile.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include "run.h"

#define KVM_RDEV makedev(10, 232)

int target_read(pid_t pid, uint64_t addr, void *to, size_t size)
{
	struct iovec here = { to, size }, there = { (void *)(uintptr_t)addr, size };

	return process_vm_readv(pid, &here, 1, &there, 1, 0) == (ssize_t)size ? 0 : -EFAULT;
}

int target_write(pid_t pid, uint64_t addr, const void *from, size_t size)
{
	struct iovec here = { (void *)(uintptr_t)from, size },
		     there = { (void *)(uintptr_t)addr, size };

	return process_vm_writev(pid, &here, 1, &there, 1, 0) == (ssize_t)size ? 0 : -EFAULT;
}

/* Never beyond the page: what comes after the string need not be there. */
int target_string(pid_t pid, uint64_t addr, char *to, size_t size)
{
	size_t done, part;
	int err;

	for (done = 0; done < size; done += part) {
		part = GMEM_PAGE_SIZE - (addr + done) % GMEM_PAGE_SIZE;
		if (part > 256)
			part = 256;
		if (part > size - done)
			part = size - done;
		err = target_read(pid, addr + done, to + done, part);
		if (err)
			return err;
		if (memchr(to + done, 0, part))
			return 0;
	}
	return -ENAMETOOLONG;
}

/* The text of /proc/PID/NAME; null if it cannot be read. */
static char *proc_text(pid_t pid, const char *name)
{
	static char text[4096];
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n < 0)
		return NULL;
	text[n] = 0;
	return text;
}

static uint64_t status_field(const char *text, const char *name, int base)
{
	const char *at = text ? strstr(text, name) : NULL;

	return at ? strtoull(at + strlen(name), NULL, base) : 0;
}

pid_t target_tgid(pid_t pid)
{
	return (pid_t)status_field(proc_text(pid, "status"), "\nTgid:", 10);
}

int target_same_memory(pid_t a, pid_t tgid_of_a, pid_t b)
{
	long r;

	if (a == b)
		return 1;
	r = syscall(SYS_kcmp, a, b, KCMP_VM, 0, 0);
	return r < 0 ? target_tgid(b) == tgid_of_a : !r;
}

int target_has_signal(pid_t pid)
{
	const char *text = proc_text(pid, "status");
	uint64_t pending = status_field(text, "\nSigPnd:", 16) |
			   status_field(text, "\nShdPnd:", 16);

	return (pending & ~status_field(text, "\nSigBlk:", 16)) != 0;
}

const char *target_name(pid_t pid)
{
	char *name = proc_text(pid, "comm"), *s;

	if (!name || !*name)
		return "?";
	for (s = name; *s; s++)
		if (*s == '\n')
			*s = 0;
		else if (!isprint((unsigned char)*s))
			*s = '?';
	return name;
}

int target_what(pid_t pid, uint64_t fd, struct what *w)
{
	struct statx s;
	char path[64];

	*w = (struct what){ .kind = KIND_OTHER };
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, (int)fd);
	if ((int)fd < 0 || statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_INO | STATX_TYPE, &s))
		return -EBADF;
	w->ino = s.stx_ino;
	if (makedev(s.stx_dev_major, s.stx_dev_minor) == session.mount_dev) {
		w->kind = KIND_GMEM;
	} else if (makedev(s.stx_dev_major, s.stx_dev_minor) == session.memfd_dev) {
		w->object = object_find(s.stx_ino);
		w->kind = w->object ? w->object->kind : KIND_OTHER;
	} else if (makedev(s.stx_rdev_major, s.stx_rdev_minor) == KVM_RDEV && S_ISCHR(s.stx_mode)) {
		w->is_real_kvm = true;
	}
	return 0;
}
