/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checks of a mounted gmemfs (profile linux-coco-v13, VMs of SW_PROTECTED) that a shell cannot make:
 *
 *	fuse-check NAME DIRECTORY
 *
 * in a directory of the mount that has no files. Used by fuse.sh.
 */
#define _GNU_SOURCE
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "fuse-limits.h"

int dir;

long call(int fd, unsigned long request, void *arg)
{
	int value = ioctl(fd, request, arg);

	return value < 0 ? -errno : value;
}

int new_file(uint64_t size, uint64_t flags, long *number)
{
	struct kvm_guest_memfd a = { .size = size, .flags = flags };
	char name[32];
	int fd;

	*number = call(dir, MOUNT_CREATE_GUEST_MEMFD, &a);
	if (*number < 0)
		return -1;
	snprintf(name, sizeof(name), "gmem-%ld", *number);
	fd = openat(dir, name, O_RDWR);
	if (fd < 0)
		printf("%s: %s\n", name, strerror(errno));
	return fd;
}

int shared_file(uint64_t size, long *number)
{
	return new_file(size, GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED, number);
}

unsigned char *map(int fd, size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

/* What another process loads from its mapping, made before the conversion; SIGBUS_RAISED as 256. */
static int other_loads(pid_t *child, int to[2], int from[2], unsigned char *m)
{
	char c;
	int v;

	if (!pipe(to) && !pipe(from))
		*child = fork();
	if (*child)
		return 0;
	load(m);
	c = 0;
	if (write(from[1], &c, 1) == 1 && read(to[0], &c, 1) == 1) {
		v = load(m);
		_exit(v == SIGBUS_RAISED ? 1 : 2);
	}
	_exit(3);
}

static void check_sigbus(void)
{
	int to[2], from[2], status, fd;
	unsigned char *m, buffer[2 * PAGE];
	pid_t child = -1;
	long number;
	char c;

	fd = shared_file(4 * PAGE, &number);
	m = map(fd, 4 * PAGE);
	IS(store(m + 5, 0xaa), 0);
	IS(store(m + PAGE, 0xbb), 0);
	other_loads(&child, to, from, m + 5);
	IS(read(from[0], &c, 1), 1);
	IS(convert(fd, 0, PAGE, 1, NULL), 0);
	IS(load(m + 5), SIGBUS_RAISED);
	IS(store(m + 5, 1), SIGBUS_RAISED);
	IS(load(m + PAGE), 0xbb);
	IS(write(to[1], &c, 1), 1);
	IS(waitpid(child, &status, 0), child);
	IS(WEXITSTATUS(status), 1);
	IS(pread(fd, buffer, PAGE, 0), -1);
	IS(errno, EACCES);
	IS(pwrite(fd, buffer, PAGE, 0), -1);
	IS(errno, EACCES);
	IS(convert(fd, 0, PAGE, 0, NULL), 0);
	IS(load(m + 5), 0xaa);
	IS(convert(fd, 2 * PAGE, PAGE, 1, NULL), 0);
	IS(pread(fd, buffer, 2 * PAGE, PAGE), PAGE);
	IS(pwrite(fd, buffer, 2 * PAGE, PAGE), PAGE);
	IS(buffer[0], 0xbb);
}

/* Stored just before, never written back before: many times. */
static void check_in_flight(void)
{
	unsigned char *m;
	long number;
	int fd, i;

	fd = shared_file(8 * PAGE, &number);
	m = map(fd, 8 * PAGE);
	for (i = 1; i < 200; i++) {
		IS(store(m + (i % 8) * PAGE + 100, (unsigned char)i), 0);
		IS(convert(fd, 0, 8 * PAGE, 1, NULL), 0);
		IS(load(m + (i % 8) * PAGE + 100), SIGBUS_RAISED);
		IS(convert(fd, 0, 8 * PAGE, 0, NULL), 0);
		IS(load(m + (i % 8) * PAGE + 100), i);
	}
}

/* Asked for many pages at once, of which some are private. */
static void check_ahead(void)
{
	unsigned char *m, buffer[PAGE];
	struct stat st;
	long number;
	int fd, i;

	fd = shared_file(64 * PAGE, &number);
	m = map(fd, 64 * PAGE);
	IS(store(m + 63 * PAGE, 0x11), 0);
	IS(convert(fd, 5 * PAGE, PAGE, 1, NULL), 0);
	for (i = 0; i < 3; i++) {
		IS(madvise(m, 64 * PAGE, i == 0 ? MADV_WILLNEED : MADV_NORMAL), 0);
		IS(posix_fadvise(fd, 0, 0, i == 1 ? POSIX_FADV_WILLNEED : POSIX_FADV_SEQUENTIAL),
		   0);
		IS(readahead(fd, 0, 64 * PAGE), 0);
		usleep(1000);
		IS(load(m + 5 * PAGE), SIGBUS_RAISED);
		IS(load(m + 4 * PAGE), 0);
		IS(load(m + 6 * PAGE), 0);
		IS(load(m + 63 * PAGE), 0x11);
		IS(pread(fd, buffer, 1, 5 * PAGE), -1);
		IS(errno, EACCES);
		IS(fstat(fd, &st), 0);
		IS(st.st_size, 64 * PAGE);
		IS(lseek(fd, 0, SEEK_END), 64 * PAGE);
		IS(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	}
}

/* With limit-world=512K: what makes the record larger is refused at last, and nothing else is. */
static void check_full_world(void)
{
	unsigned char *m;
	struct stat st;
	long number;
	int fd, i, err = 0;

	fd = shared_file(UINT64_C(256) << 20, &number);
	m = map(fd, PAGE);
	IS(store(m, 0x11), 0);
	for (i = 1; i < 32768 && !err; i++)
		err = convert(fd, 2 * (uint64_t)i * PAGE, PAGE, 1, NULL);
	IS(err, ENOMEM);
	IS(load(m), 0x11);
	IS(fstat(fd, &st), 0);
	IS(st.st_size, INT64_C(256) << 20);
}

static void check_errnos(void)
{
	struct kvm_attributes2 a = { .size = PAGE, .attributes = 1 };
	struct stat st;
	long number;
	char byte = 0;
	int fd;

	IS(new_file(100, 0, &number), -1);
	IS(number, -EINVAL);
	IS(new_file(PAGE, 1u << 31, &number), -1);
	IS(number, -EINVAL);
	fd = shared_file(4 * PAGE, &number);
	IS(convert(fd, 100, PAGE, 1, NULL), EINVAL);
	IS(convert(fd, 0, 5 * PAGE, 1, NULL), EINVAL);
	IS(call(fd, MOUNT_SET_ATTRIBUTES2, &a), -EINVAL);
	a.attributes = 0;
	a.reserved[10] = 1;
	IS(call(fd, MOUNT_SET_ATTRIBUTES2, &a), -EINVAL);
	IS(call(fd, MOUNT_SET_ATTRIBUTES2, NULL), -EFAULT);
	IS(call(fd, MOUNT_SET_ATTRIBUTES2_V1, &a), -ENOTTY);
	IS(call(fd, MOUNT_CONVERT_PRIVATE, &a), -ENOTTY);
	IS(call(fd, MOUNT_CREATE_GUEST_MEMFD, &a), -ENOTTY);
	IS(call(dir, MOUNT_CHECK_EXTENSION, (void *)(long)GMEM_CAP_GUEST_MEMFD), 1);
	IS(ftruncate(fd, PAGE), -1);
	IS(errno, EINVAL);
	IS(fchmod(fd, 0644), -1);
	IS(errno, EINVAL);
	IS(fsync(fd), 0);
	IS(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 100), -1);
	IS(errno, EINVAL);
	IS(fallocate(fd, 0, 0, PAGE), -1);
	IS(errno, EOPNOTSUPP);
	IS(pwrite(fd, &byte, 1, 4 * PAGE), -1);
	IS(errno, ENOSPC);
	IS(fstat(fd, &st), 0);
	IS(st.st_size, 4 * PAGE);
	IS(st.st_blocks, 0);
	IS(st.st_mode, S_IFREG | 0600);
	fd = new_file(PAGE, 0, &number);
	IS(map(fd, PAGE) == MAP_FAILED, 1);
	IS(errno, ENODEV);
	IS(pread(fd, &byte, 1, 0), -1);
	IS(errno, EACCES);
}

static void check_holes(void)
{
	unsigned char *m, buffer[PAGE];
	long number;
	int fd;

	fd = shared_file(UINT64_C(1) << 40, &number);
	m = map(fd, 4 * PAGE);
	IS(store(m, 0x11), 0);
	IS(store(m + PAGE, 0x22), 0);
	IS(pwrite(fd, "x", 1, INT64_C(1) << 39), 1);
	IS(fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, PAGE), 0);
	IS(load(m), 0);
	IS(load(m + PAGE), 0x22);
	IS(pread(fd, buffer, PAGE, 0), PAGE);
	IS(buffer[0], 0);
	IS(pread(fd, buffer, 1, INT64_C(1) << 39), 1);
	IS(buffer[0], 'x');
	IS(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, INT64_C(1) << 40), 0);
}

long guest(uint32_t verb, uint64_t gpa, uint64_t value)
{
	struct mount_call m = { .call = { .verb = verb, .gpa = gpa, .size = 1, .value = value } };
	long err = call(dir, MOUNT_CALL, &m);

	return err			      ? err :
	       m.result.outcome == GMEM_VALUE ? m.result.value :
						1000 + m.result.outcome;
}

static void check_guest(void)
{
	struct kvm_region2 slot = { .flags = GMEM_MEM_GUEST_MEMFD,
				    .gpa = 0x100000,
				    .size = 4 * PAGE };
	unsigned char *m;
	long number;
	int fd;

	fd = shared_file(4 * PAGE, &number);
	m = map(fd, 4 * PAGE);
	slot.memfd = (uint32_t)number;
	IS(call(dir, MOUNT_SET_REGION2, &slot), 0);
	IS(store(m + 0x10, 0xaa), 0);
	IS(guest(GMEM_GUEST_LOAD, 0x100010, 0), 0xaa);
	IS(guest(GMEM_GUEST_STORE, 0x100011, 0xbb), 0);
	IS(load(m + 0x11), 0xbb);
	IS(store(m + 0x12, 0xcc), 0);
	IS(guest(GMEM_GUEST_LOAD, 0x100012, 0), 0xcc);
	IS(convert(fd, 0, PAGE, 1, NULL), 0);
	IS(guest(GMEM_GUEST_STORE, 0x100013, 0xdd), 0);
	IS(guest(GMEM_GUEST_LOAD, 0x100010, 0), 0xaa);
	IS(load(m + 0x13), SIGBUS_RAISED);
	IS(convert(fd, 0, PAGE, 0, NULL), 0);
	IS(load(m + 0x13), 0xdd);
	IS(load(m + 0x12), 0xcc);
	slot.memfd = 3;
	slot.slot = 1;
	slot.gpa = 0x900000;
	IS(call(dir, MOUNT_SET_REGION2, &slot), -EINVAL);
}

/* Everything that copies, from a shared page on: it ends where the page that is a guest's begins. */
static void copy_all_ways(int fd, int direct, unsigned char *m)
{
	struct iovec to = { aligned_alloc(PAGE, 2 * PAGE), 2 * PAGE }, from = { m, 2 * PAGE };
	int other = shared_file(2 * PAGE, &(long){ 0 }), ends[2];
	off_t at = 0, there = 0;
	loff_t in = PAGE, out = 0;

	IS(pipe(ends), 0);
	IS(pread(direct, to.iov_base, 2 * PAGE, 0), PAGE);
	IS(pread(direct, to.iov_base, PAGE, PAGE), -1);
	IS(pwrite(fd, to.iov_base, 2 * PAGE, 0), PAGE);
	IS(pwrite(direct, to.iov_base, 2 * PAGE, 0), -1);
	IS(errno, EACCES); /* a limit of FUSE: all or nothing */
	IS(preadv2(fd, &to, 1, 0, 0), PAGE);
	IS(sendfile(ends[1], fd, &at, 2 * PAGE), PAGE);
	IS(read(ends[0], to.iov_base, 2 * PAGE), PAGE);
	IS(sendfile(ends[1], fd, &at, PAGE), -1);
	IS(splice(fd, &there, ends[1], NULL, 2 * PAGE, 0), PAGE);
	IS(splice(fd, &there, ends[1], NULL, PAGE, 0), -1);
	IS(read(ends[0], to.iov_base, 2 * PAGE), PAGE);
	IS(copy_file_range(fd, &in, other, &out, PAGE, 0), -1);
	IS(process_vm_readv(getpid(), &to, 1, &from, 1, 0), PAGE);
	IS(write(ends[1], m + PAGE, 1), -1);
	IS(errno, EFAULT);
	from = (struct iovec){ m + PAGE, PAGE };
	IS(vmsplice(ends[1], &from, 1, 0), -1);
	IS(memchr(to.iov_base, 0xdd, 2 * PAGE) == NULL, 1);
	free(to.iov_base);
}

static void check_ways(void)
{
	struct kvm_region2 slot = { .flags = GMEM_MEM_GUEST_MEMFD,
				    .gpa = 0x100000,
				    .size = 4 * PAGE };
	int fd, direct, status, i;
	unsigned char *m, *own;
	char path[64];
	long number;
	pid_t child;

	fd = shared_file(4 * PAGE, &number);
	snprintf(path, sizeof(path), "gmem-%ld", number);
	direct = openat(dir, path, O_RDWR | O_DIRECT);
	m = map(fd, 4 * PAGE);
	own = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	slot.memfd = (uint32_t)number;
	IS(call(dir, MOUNT_SET_REGION2, &slot), 0);
	IS(load(own + PAGE), 0);
	IS(store(m, 0x11), 0);
	IS(convert(fd, PAGE, PAGE, 1, NULL), 0);
	for (i = 0; i < 64; i++)
		IS(guest(GMEM_GUEST_STORE, 0x100000 + PAGE + (uint64_t)i * 64, 0xdd), 0);
	copy_all_ways(fd, direct, m);
	IS(load(own + PAGE), SIGBUS_RAISED);
	IS(store(own + PAGE, 1), SIGBUS_RAISED);
	child = fork();
	if (!child)
		_exit(load(m + PAGE) == SIGBUS_RAISED ? 0 : 1);
	IS(waitpid(child, &status, 0), child);
	IS(status, 0);
	IS(guest(GMEM_GUEST_LOAD, 0x100000 + PAGE, 0), 0xdd);
}

static void check_pin(void)
{
	struct mount_call m = { .call = { .verb = GMEM_PIN, .offset = PAGE, .length = PAGE } };
	uint64_t error_offset;
	long number;
	int fd;

	fd = shared_file(4 * PAGE, &number);
	IS(call(fd, MOUNT_CALL, &m), 0);
	IS(m.result.value > 3, 1);
	IS(convert(fd, 0, 4 * PAGE, 1, &error_offset), EAGAIN);
	IS(error_offset, PAGE);
	m.call = (struct gmem_call){ .verb = GMEM_UNPIN, .fd = m.result.value };
	IS(call(fd, MOUNT_CALL, &m), 0);
	IS(convert(fd, 0, 4 * PAGE, 1, &error_offset), 0);
	m.call = (struct gmem_call){ .verb = GMEM_UNPIN, .fd = 3 };
	IS(call(fd, MOUNT_CALL, &m), -EBADF);
}

/* With -o strict: neither shared pages, nor cached ones, nor a mapping, nor a flag lets anybody in. */
static void check_strict(void)
{
	unsigned char *m, buffer[2 * PAGE] = { 1 };
	long number, unmapped;
	int fd, direct, plain;
	char path[64];

	fd = shared_file(4 * PAGE, &number);
	snprintf(path, sizeof(path), "gmem-%ld", number);
	direct = openat(dir, path, O_RDWR | O_DIRECT);
	m = map(fd, 4 * PAGE);
	IS(store(m + 5, 0xaa), 0);
	IS(store(m + PAGE, 0xbb), 0);
	IS(msync(m + PAGE, PAGE, MS_ASYNC), 0);
	IS(read(fd, buffer, 1), -1);
	IS(errno, EINVAL);
	IS(read(fd, buffer, 0), -1);
	IS(errno, EINVAL);
	IS(pread(fd, buffer, 1, 0), -1);
	IS(errno, ESPIPE);
	IS(write(fd, buffer, PAGE), -1);
	IS(errno, EINVAL);
	IS(pwrite(fd, buffer, 1, 0), -1);
	IS(errno, ESPIPE);
	IS(read(direct, m, 4), -1);
	IS(errno, EINVAL);
	IS(write(direct, m, 4), -1);
	IS(errno, EINVAL);
	IS(copy_file_range(fd, NULL, direct, NULL, PAGE, 0), -1);
	IS(errno, EINVAL);
	IS(lseek(fd, 0, SEEK_END), -1);
	IS(errno, ESPIPE);
	IS(fsync(fd), -1);
	IS(errno, EINVAL);
	IS(load(m), 0);
	IS(load(m + 5), 0xaa);
	IS(convert(fd, 0, 4 * PAGE, 1, NULL), 0);
	IS(load(m + 5), SIGBUS_RAISED);
	IS(read(fd, buffer, 1), -1);
	IS(errno, EINVAL);
	IS(convert(fd, 0, 4 * PAGE, 0, NULL), 0);
	IS(load(m + 5), 0xaa);
	IS(load(m + PAGE), 0xbb);
	plain = new_file(PAGE, GMEM_FLAG_INIT_SHARED, &unmapped);
	IS(map(plain, PAGE) == MAP_FAILED, 1);
	IS(errno, ENODEV);
	IS(read(plain, buffer, 2 * PAGE), -1);
	IS(errno, EINVAL);
	IS(write(plain, buffer, PAGE), -1);
	IS(errno, EINVAL);
	IS(buffer[0], 1);
}

/* A handle of the time before the file had its size, and of a way to read that has changed since. */
static void check_strict_before(void)
{
	int early, late;
	char byte;

	early = openat(dir, "early", O_RDWR | O_CREAT, 0600);
	IS(read(early, &byte, 1), 0);
	IS(ftruncate(early, PAGE), 0);
	IS(read(early, &byte, 1), -1);
	IS(errno, EINVAL);
	IS(pread(early, &byte, 1, 0), -1);
	IS(errno, EINVAL);
	IS(pwrite(early, &byte, 1, 0), -1);
	IS(errno, EINVAL);
	late = openat(dir, "late", O_RDWR | O_CREAT, 0600);
	IS(fsetxattr(late, "user.gmem.flags", "0", 1, 0), 0);
	close(late);
	late = openat(dir, "late", O_RDWR);
	IS(fsetxattr(late, "user.gmem.flags", "MMAP+INIT_SHARED", 16, 0), 0);
	IS(ftruncate(late, PAGE), 0);
	IS(pread(late, &byte, 1, 0), -1);
	IS(errno, EINVAL);
	IS(pread(late, &byte, 1, PAGE), -1);
	IS(errno, EINVAL);
}

static const struct {
	const char *name;
	void (*check)(void);
} checks[] = {
	{ "sigbus", check_sigbus },
	{ "in-flight", check_in_flight },
	{ "ahead", check_ahead },
	{ "full-world", check_full_world },
	{ "errnos", check_errnos },
	{ "holes", check_holes },
	{ "guest", check_guest },
	{ "ways", check_ways },
	{ "pin", check_pin },
	{ "late", check_late },
	{ "limits-of-fuse", check_limits_of_fuse },
	{ "limits-of-ioctls", check_limits_of_ioctls },
	{ "limits-of-events", check_limits_of_events },
	{ "limits-of-memory", check_limits_of_memory },
	{ "limits-of-contents", check_limits_of_contents },
	{ "limits-of-limits", check_limits_of_limits },
	{ "limits-of-strict", check_limits_of_strict },
	{ "strict", check_strict },
	{ "strict-before", check_strict_before },
};

int main(int argc, char **argv)
{
	size_t i;

	dir = argc == 3 ? open(argv[2], O_RDONLY | O_DIRECTORY) : -1;
	if (dir < 0) {
		puts("usage: fuse-check NAME DIRECTORY");
		return 1;
	}
	catch_faults();
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		if (!strcmp(checks[i].name, argv[1])) {
			checks[i].check();
			return 0;
		}
	}
	printf("no check is called %s\n", argv[1]);
	return 1;
}
