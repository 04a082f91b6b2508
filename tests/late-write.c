/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loaded into gmemfs (LD_PRELOAD): a thread that has taken a program's write from the kernel stops
 * for LATE milliseconds before it looks at it, as it may on a machine that has much to do. Others
 * go on meanwhile.
 */
#include <linux/fuse.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LATE 300

static int is_write(const char *buffer, ssize_t size)
{
	struct fuse_write_in write;
	struct fuse_in_header in;

	if (size < (ssize_t)(sizeof(in) + sizeof(write)))
		return 0;
	memcpy(&in, buffer, sizeof(in));
	memcpy(&write, buffer + sizeof(in), sizeof(write));
	return in.opcode == FUSE_WRITE && in.len == (size_t)size &&
	       !(write.write_flags & FUSE_WRITE_CACHE);
}

__attribute__((visibility("default"))) ssize_t read(int fd, void *buffer, size_t size)
{
	const struct timespec moment = { 0, LATE * 1000L * 1000 };
	ssize_t got = (ssize_t)syscall(SYS_read, fd, buffer, size);

	if (is_write(buffer, got))
		nanosleep(&moment, NULL);
	return got;
}
