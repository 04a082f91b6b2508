/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls that fault in mapped pages: mlock, and mmap with MAP_POPULATE or MAP_LOCKED. Where gmemfs refuses a page, Linux
 * asks for it again without end; so the pages are touched here first, and what would be refused is refused here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "run.h"

#define PAGE GMEM_PAGE_SIZE

/* True if every page can be had, be the mapping readable or not. What cannot be looked at is the kernel's affair. */
static bool can_touch(int memory, uint64_t start, uint64_t end)
{
	char byte;

	for (; start < end; start += PAGE)
		if (pread(memory, &byte, 1, (off_t)start) != 1)
			return false;
	return true;
}

/* True if that holds for whatever of guest_memfds is mapped there. */
static bool can_touch_files(pid_t pid, uint64_t from, uint64_t to)
{
	unsigned int major, minor;
	uint64_t start, end;
	char path[32], line[512];
	bool ok = true;
	int memory;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	memory = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "re");
	while (f && ok && memory >= 0 && fgets(line, sizeof(line), f))
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %*x %x:%x", &start, &end, &major,
			   &minor) == 4 &&
		    makedev(major, minor) == session.mount_dev)
			ok = can_touch(memory, start > from ? start : from, end < to ? end : to);
	if (f)
		fclose(f);
	if (memory >= 0)
		close(memory);
	return ok;
}

/* Linux does not say of mlockall that pages are not there. */
static int64_t lock_all(const struct request *q)
{
	if (!(q->args[0] & MCL_CURRENT) || (q->args[0] & MCL_ONFAULT) ||
	    can_touch_files(q->pid, 0, ~0ull))
		return ANSWER_CONTINUE;
	complain(
		q->pid,
		"mlockall with pages mapped that the host may not have cannot be answered: ENOMEM");
	return -ENOMEM;
}

/* A page that is meant in part is meant as a whole. */
int64_t call_mlock(const struct request *q)
{
	uint64_t from = q->args[0] & ~(PAGE - 1),
		 to = (q->args[0] + q->args[1] + PAGE - 1) & ~(PAGE - 1);

	if (q->nr == SYS_mlockall)
		return lock_all(q);
	if (q->nr == SYS_mlock2 && q->args[2])
		return ANSWER_CONTINUE;
	return can_touch_files(q->pid, from, to) ? ANSWER_CONTINUE : -ENOMEM;
}

/* The same file, without a position or a lock of its own; -1. */
static int take_descriptor(pid_t pid, int fd)
{
	int process = (int)syscall(SYS_pidfd_open, target_tgid(pid), 0), taken = -1;

	if (process >= 0) {
		taken = (int)syscall(SYS_pidfd_getfd, process, fd, 0);
		close(process);
	}
	return taken;
}

/*
 * A mapping that is there but for its pages would be an answer, and cannot be given from here. What cannot be mapped the
 * kernel refuses; pages that nobody may touch it does not ask for.
 */
int64_t file_populate(const struct request *q)
{
	bool none = !(q->args[2] & (PROT_READ | PROT_WRITE));
	int fd = none ? -1 : take_descriptor(q->pid, (int)q->args[4]), refused = 0;
	size_t size = (q->args[1] + PAGE - 1) & ~(PAGE - 1);
	void *m = MAP_FAILED;

	if (fd >= 0) {
		m = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, (off_t)q->args[5]);
		close(fd);
	}
	if (m != MAP_FAILED) {
		refused = madvise(m, size, MADV_POPULATE_READ) && errno == EFAULT;
		munmap(m, size);
	}
	if (!refused)
		return ANSWER_CONTINUE;
	complain(
		q->pid,
		"mmap with MAP_POPULATE or MAP_LOCKED of pages that the host may not have cannot be answered: "
		"ENOMEM");
	return -ENOMEM;
}
