/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What FUSE does not let through, or does otherwise: the checks of fuse-check.c for the section
 * gmemfs of CAVEATS.md, whose lines name them. They demand the limit. Where one fails, something
 * has become better, and the line and the check can go.
 */
#define _GNU_SOURCE
#include <linux/fs.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <sys/wait.h>

#include "fuse-limits.h"

/* Opened before it was known whether the file can be mapped: it is, and nothing comes of it. */
static void early_handle(void)
{
	unsigned char *m;
	char byte = 1;
	int fd;

	fd = openat(dir, "early", O_RDWR | O_CREAT, 0600);
	IS(fsetxattr(fd, "user.gmem.flags", "INIT_SHARED", 11, 0), 0);
	IS(ftruncate(fd, PAGE), 0);
	m = map(fd, PAGE);
	IS(m != MAP_FAILED, 1); /* a guest_memfd: ENODEV */
	IS(load(m), SIGBUS_RAISED);
	IS(store(m, 1), SIGBUS_RAISED);
	IS(pwrite(fd, &byte, 1, 0), -1);
	IS(errno, EACCES);
	close(fd);
	fd = openat(dir, "early", O_RDWR);
	IS(pwrite(fd, &byte, 1, 0), 1);
	IS(map(fd, PAGE) == MAP_FAILED, 1);
	IS(errno, ENODEV);
}

void check_limits_of_fuse(void)
{
	struct statfs fs;
	long number;
	void *p;
	int fd;

	fd = shared_file(PAGE, &number);
	IS(fstatfs(fd, &fs), 0);
	IS(fs.f_type, 0x65735546); /* FUSE_SUPER_MAGIC */
	p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	IS(p != MAP_FAILED, 1); /* a guest_memfd: EINVAL */
	p = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	IS(p != MAP_FAILED, 1);
	IS(lseek(fd, 0, SEEK_END), PAGE); /* a guest_memfd: ESPIPE */
	IS(lseek(fd, 7, SEEK_DATA), 7);
	IS(lseek(fd, 7, SEEK_HOLE), PAGE);
	IS(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, PAGE), -1);
	IS(errno, EOPNOTSUPP);
	early_handle();
	IS(openat(dir, "early", O_RDWR | O_TRUNC), -1);
	IS(errno, EINVAL);
	IS(renameat(dir, "early", dir, "late"), -1);
	IS(errno, EPERM);
	IS(linkat(dir, "early", dir, "late", 0), -1);
	IS(errno, EPERM);
}

/* Of a bad pointer nobody gets to know more. */
static void bad_pointers(int fd)
{
	struct kvm_attributes2 *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
					    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	IS(call(fd, MOUNT_CREATE_GUEST_MEMFD, NULL), -EFAULT); /* of a file: ENOTTY */
	*page = (struct kvm_attributes2){ .size = PAGE, .attributes = GMEM_ATTRIBUTE_PRIVATE };
	IS(mprotect(page, PAGE, PROT_READ), 0);
	IS(call(fd, MOUNT_SET_ATTRIBUTES2, page), 0); /* nothing in it changes */
	IS(convert(fd, 0, PAGE, 0, NULL), 0);
}

void check_limits_of_ioctls(void)
{
	struct kvm_region2 slot = { .slot = 3, .gpa = 0x100000, .size = PAGE };
	struct rlimit none = { 3, 3 };
	long number;
	int fd, value = 0, status;
	char *memory;
	pid_t child;

	fd = shared_file(PAGE, &number);
	bad_pointers(fd);
	IS(call(fd, FIGETBSZ, &value), 0); /* not ENOTTY */
	memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(memory, 0x77, PAGE);
	slot.addr = (uintptr_t)memory;
	IS(call(dir, MOUNT_SET_REGION2, &slot), 0);
	IS(guest(GMEM_GUEST_LOAD, 0x100000, 0),
	   -EFAULT); /* memory of the caller is not behind it */
	child = fork();
	if (!child) {
		struct kvm_guest_memfd a = { .size = PAGE };

		setrlimit(RLIMIT_NOFILE, &none);
		/* another process's VM is EIO, and without a descriptor EMFILE */
		_exit(call(dir, MOUNT_CREATE_GUEST_MEMFD, &a) >= 0 ? 0 : 1);
	}
	IS(waitpid(child, &status, 0), child);
	IS(status, 0);
}

/* How often the trace of the mount has the word. */
static long traced(const char *word)
{
	int fd = openat(dir, "../.gmem/trace", O_RDONLY);
	static char text[1 << 20];
	size_t size = 0;
	const char *at;
	ssize_t got;
	long n = 0;

	while ((got = read(fd, text + size, sizeof(text) - 1 - size)) > 0)
		size += (size_t)got;
	text[size] = 0;
	close(fd);
	for (at = text; (at = strstr(at, word)); at++)
		n++;
	return n;
}

void check_limits_of_events(void)
{
	struct kvm_region2 slot = { .flags = GMEM_MEM_GUEST_MEMFD, .gpa = 0x100000, .size = PAGE };
	unsigned char *m, buffer[4 * PAGE];
	long number, before;
	char ranges[512] = "";
	int fd;

	fd = shared_file(4 * PAGE, &number);
	m = map(fd, 4 * PAGE);
	slot.memfd = (uint32_t)number;
	IS(call(dir, MOUNT_SET_REGION2, &slot), 0);
	IS(store(m + 1, 0x11), 0);
	before = traced("\n");
	IS(store(m + 2, 0x22), 0); /* nobody is asked */
	IS(load(m + 1), 0x11);
	IS(pread(fd, buffer, 1, 0), 1);
	IS(traced("\n") - before, 0);
	before = traced("\nstore(m");
	IS(guest(GMEM_GUEST_LOAD, 0x100001, 0), 0x11);
	IS(traced("\nstore(m") - before, 1); /* what the host had stored */
	before = traced("POPULATE_READ");
	IS(pread(fd, buffer, 4 * PAGE, 0), 4 * PAGE);
	IS(traced("POPULATE_READ") - before, 3); /* each for one page */
	IS(munmap(m, 4 * PAGE), 0);
	IS(fsync(fd), 0);
	IS(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	IS(fgetxattr(fd, "user.gmem.ranges", ranges, sizeof(ranges) - 1) > 0, 1);
	IS(strstr(ranges, "mapped") != NULL, 1); /* though the kernel has dropped it */
}

/* A pipe that holds a page of the cache. */
static void held_page(int fd, unsigned char *m)
{
	struct iovec v = { m, 1 };
	char byte = 0;
	int ends[2];

	IS(store(m, 0x33), 0);
	IS(pipe(ends), 0);
	IS(vmsplice(ends[1], &v, 1, 0), 1);
	IS(convert(fd, 0, PAGE, 1, NULL), 0); /* a guest_memfd: EAGAIN */
	IS(read(ends[0], &byte, 1), 1);
	IS(byte, 0x33); /* of the time before */
	IS(convert(fd, 0, PAGE, 0, NULL), 0);
	close(ends[0]);
	close(ends[1]);
}

/* The kernel asks again and again for a page that is refused. Who waits can be killed. */
static void locked_private_page(int fd, unsigned char *m)
{
	int status = 0;
	pid_t child;

	IS(convert(fd, 2 * PAGE, PAGE, 1, NULL), 0);
	child = fork();
	if (!child) {
		syscall(SYS_mlock, m + 2 * PAGE, PAGE); /* mlock() of sanitizers does nothing */
		_exit(1);
	}
	usleep(200000);
	IS(waitpid(child, &status, WNOHANG), 0); /* a guest_memfd: ENOMEM at once */
	IS(kill(child, SIGKILL), 0);
	IS(waitpid(child, &status, 0), child);
	IS(WIFSIGNALED(status), 1);
}

void check_limits_of_memory(void)
{
	struct mount_call m = { .call = { .verb = GMEM_MEMORY_FAILURE, .offset = PAGE } };
	struct timespec before;
	struct stat st;
	unsigned char *p;
	long number;
	char byte;
	int fd;

	fd = shared_file(4 * PAGE, &number);
	p = map(fd, 4 * PAGE);
	IS(fstat(fd, &st), 0);
	before = st.st_mtim;
	held_page(fd, p);
	locked_private_page(fd, p);
	IS(store(p + PAGE, 1), 0);
	IS(call(fd, MOUNT_CALL, &m), 0);
	IS(load(p + PAGE), SIGBUS_RAISED);
	IS(pread(fd, &byte, 1, PAGE), -1);
	IS(errno, EIO);
	m.call = (struct gmem_call){ .verb = GMEM_PIN, .offset = PAGE, .length = PAGE };
	IS(call(fd, MOUNT_CALL, &m), 0);
	IS(m.result.value, -EFAULT); /* not EHWPOISON */
	IS(fstat(fd, &st), 0);
	IS(memcmp(&st.st_mtim, &before, sizeof(before)), 0);
}

/* In an SNP guest's file a conversion leaves the bytes open; here they are zero. */
void check_limits_of_contents(void)
{
	unsigned char *m;
	long number;
	int fd;

	IS(fsetxattr(dir, "user.gmem.type", "SNP", 3, 0), 0);
	fd = shared_file(2 * PAGE, &number);
	m = map(fd, 2 * PAGE);
	IS(store(m + 9, 0x55), 0);
	IS(store(m + PAGE + 9, 0x66), 0);
	IS(convert(fd, 0, PAGE, 1, NULL), 0);
	IS(convert(fd, 0, PAGE, 0, NULL), 0);
	IS(load(m + 9), 0);
	IS(load(m + PAGE + 9), 0x66);
}

/* With limit-memory=16K: what is stored through a mapping is counted when it is written back. */
void check_limits_of_limits(void)
{
	unsigned char *m;
	long number;
	int fd, i;

	fd = shared_file(64 * PAGE, &number);
	m = map(fd, 64 * PAGE);
	for (i = 0; i < 16; i++)
		IS(store(m + i * PAGE, 0x77), 0);
	IS(fsync(fd), 0);
	IS(store(m + 20 * PAGE, 0x77), SIGBUS_RAISED);
	for (i = 0; i < 16; i++)
		IS(load(m + i * PAGE), 0x77);
}

void check_limits_of_strict(void)
{
	struct timespec before;
	unsigned char *m;
	long number, events;
	int fd, plain, ends[2];
	struct stat st;
	char byte = 0;

	fd = shared_file(PAGE, &number);
	m = map(fd, PAGE);
	IS(fstat(fd, &st), 0);
	before = st.st_mtim;
	IS(store(m, 0x44), 0);
	IS(fstat(fd, &st), 0);
	IS(memcmp(&st.st_mtim, &before, sizeof(before)) != 0, 1); /* the kernel's own time */
	IS(pipe(ends), 0);
	IS(splice(fd, NULL, ends[1], NULL, 1, 0), 1); /* as if by a fault */
	IS(read(ends[0], &byte, 1), 1);
	IS(byte, 0x44);
	IS(sendfile(ends[1], fd, NULL, 0), 0);
	events = traced("\nread(");
	IS(write(fd, &byte, 1), -1);
	IS(errno, EINVAL);
	IS(traced("\nread(") - events, 1); /* the kernel does not say which of both it is */
	plain = new_file(PAGE, 0, &number);
	IS(read(plain, &byte, 0), 0);
}
