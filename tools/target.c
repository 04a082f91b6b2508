/* SPDX-License-Identifier: BSD-2-Clause */
/* Another process from outside; see target.h. */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "gmem.h"
#include "target.h"

void target_is_closed(pid_t pid)
{
	static bool said;

	if (said)
		return;
	said = true;
	fprintf(stderr,
		"gmem: %s (%d) cannot be looked into, as it is not dumpable or another user's: "
		"its calls on KVM fail here, or are not seen\n",
		target_name(pid), pid);
}

static int unreachable(pid_t pid)
{
	if (errno == EPERM)
		target_is_closed(pid);
	return -EFAULT;
}

bool target_copy(pid_t pid, uint64_t addr, void *bytes, size_t size, bool write)
{
	struct iovec here = { bytes, size }, there = { (void *)(uintptr_t)addr, size };
	ssize_t n = write ? process_vm_writev(pid, &here, 1, &there, 1, 0) :
			    process_vm_readv(pid, &here, 1, &there, 1, 0);

	return n == (ssize_t)size;
}

static bool (*copy)(pid_t pid, uint64_t addr, void *bytes, size_t size, bool write) = target_copy;

void target_copies_by(bool (*other)(pid_t pid, uint64_t addr, void *bytes, size_t size, bool write))
{
	copy = other;
}

int target_read(pid_t pid, uint64_t addr, void *to, size_t size)
{
	return copy(pid, addr, to, size, false) ? 0 : unreachable(pid);
}

int target_write(pid_t pid, uint64_t addr, const void *from, size_t size)
{
	return copy(pid, addr, (void *)(uintptr_t)from, size, true) ? 0 : unreachable(pid);
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

/* Pages that are in memory, or swapped out, are there for whoever reads them. */
static bool is_there(pid_t pid, uint64_t addr, size_t size)
{
	uint64_t page = addr / GMEM_PAGE_SIZE, entry = 0;
	char path[64];
	bool there;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	for (there = fd >= 0; there && page * GMEM_PAGE_SIZE < addr + size; page++)
		there = pread(fd, &entry, sizeof(entry), (off_t)(page * sizeof(entry))) ==
				sizeof(entry) &&
			entry >> 62;
	if (fd >= 0)
		close(fd);
	return there;
}

/* A line of smaps begins a mapping if it has its addresses; the letters of userfaultfd begin with u. */
static bool is_watched(pid_t pid, uint64_t addr)
{
	char path[64], line[512];
	uint64_t start, end;
	bool inside = false, watched = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	f = fopen(path, "re");
	while (f && !watched && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &start, &end) == 2)
			inside = addr >= start && addr < end;
		else if (inside && !strncmp(line, "VmFlags:", 8))
			watched = strstr(line, " um ") || strstr(line, " ui ");
	}
	if (f)
		fclose(f);
	return watched;
}

bool target_is_late(pid_t pid, uint64_t addr, size_t size)
{
	return !is_there(pid, addr, size) &&
	       (is_watched(pid, addr) || is_watched(pid, addr + size - 1));
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

uint64_t target_status(pid_t pid, const char *name, int base)
{
	const char *text = proc_text(pid, "status"), *at = text ? strstr(text, name) : NULL;

	return at ? strtoull(at + strlen(name), NULL, base) : 0;
}

pid_t target_tgid(pid_t pid)
{
	return (pid_t)target_status(pid, "\nTgid:", 10);
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

void target_link(pid_t pid, int fd, char *name, size_t size)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
	n = readlink(path, name, size - 1);
	name[n < 0 ? 0 : n] = 0;
}
