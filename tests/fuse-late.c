/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes that reach gmemfs after the page was dropped from the kernel's cache, and read again: the
 * mount has late-write.c in it.
 */
#include "fuse-limits.h"

#define GPA 0x100000
#define LATE_BYTES (PAGE + 8)

static struct {
	int fd;
	unsigned char *m;
	size_t size;
	off_t at;
	unsigned char bytes[LATE_BYTES];
} late;

static void *write_late(void *arg)
{
	(void)arg;
	IS(pwrite(late.fd, late.bytes, late.size, late.at), (long)late.size);
	return NULL;
}

/* Meanwhile the pages are dropped, by a guest, read again, and stored to. */
static void write_one(off_t at, size_t size, unsigned char value)
{
	size_t last = (size_t)at + size - 1;
	pthread_t writer;

	late.at = at;
	late.size = size;
	memset(late.bytes, value, sizeof(late.bytes));
	load(late.m + at);
	load(late.m + last);
	pthread_create(&writer, NULL, write_late, NULL);
	usleep(100 * 1000);
	IS(guest(GMEM_GUEST_STORE, GPA + 100, value), 0);
	IS(guest(GMEM_GUEST_LOAD, GPA + PAGE + 100, 0), value - 1);
	load(late.m + at);
	load(late.m + last);
	IS(store(late.m + PAGE + 100, value), 0);
	pthread_join(writer, NULL);
	IS(load(late.m + at), value);
	IS(load(late.m + last), value);
	IS(convert(late.fd, 0, 2 * PAGE, 1, NULL), 0);
	IS(convert(late.fd, 0, 2 * PAGE, 0, NULL), 0);
	IS(load(late.m + at), value);
	IS(load(late.m + last), value);
	IS(load(late.m + 100), value);
	IS(load(late.m + PAGE + 100), value);
}

/* The page was read again, and the kernel has let go of it since: the write has it locked. */
static void write_locked(off_t at)
{
	load(late.m);
	IS(guest(GMEM_GUEST_STORE, GPA + 100, 5), 0);
	load(late.m);
	IS(munmap(late.m, 2 * PAGE), 0);
	IS(posix_fadvise(late.fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	IS(pwrite(late.fd, late.bytes, 8, at), 8);
	late.m = map(late.fd, 2 * PAGE);
	IS(load(late.m + at), late.bytes[0]);
}

/* Of part of a page, of a whole one, and of more than one. */
void check_late(void)
{
	struct kvm_region2 slot = { .flags = GMEM_MEM_GUEST_MEMFD, .gpa = GPA, .size = 2 * PAGE };
	long number;

	late.fd = shared_file(2 * PAGE, &number);
	late.m = map(late.fd, 2 * PAGE);
	slot.memfd = (uint32_t)number;
	IS(call(dir, MOUNT_SET_REGION2, &slot), 0);
	write_one(8, 8, 1);
	write_one(PAGE - 8, 16, 2);
	write_one(PAGE - 8, 8, 3);
	write_one(PAGE - 16, 16, 4);
	write_locked(0);
	write_locked(PAGE - 8);
}
