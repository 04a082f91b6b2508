/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The many names of one thing: of /dev/kvm, with all kinds of flags, and those that /proc has for
 * descriptors.
 */
#define _GNU_SOURCE
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "program.h"

struct how {
	uint64_t flags, mode, resolve, more;
};

static int is_kvm(int fd)
{
	int version = fd < 0 ? -1 : ioctl(fd, KVM_GET_API_VERSION, 0);

	if (fd >= 0)
		close(fd);
	return version;
}

static int how(uint64_t flags, uint64_t mode, uint64_t resolve, uint64_t more, size_t size)
{
	struct how a = { flags, mode, resolve, more };

	return (int)syscall(SYS_openat2, AT_FDCWD, "/dev/kvm", &a, size);
}

/* A link of another name leads to what there is, which may be nothing. */
static int by_a_link(void)
{
	char link[] = "/tmp/gmem-test.XXXXXX/link";
	int fd;

	link[21] = 0;
	if (!mkdtemp(link))
		return -errno;
	link[21] = '/';
	if (symlink("/dev/kvm", link))
		return -errno;
	fd = open(link, O_RDWR);
	unlink(link);
	link[21] = 0;
	rmdir(link);
	return fd < 0 ? 12 : is_kvm(fd);
}

static void opening(void)
{
	int dev = open("/dev", O_RDONLY | O_DIRECTORY);

	IS(by_a_link(), 12);
	IS(is_kvm(open("/dev/kvm", O_RDONLY)), 12);
	IS(is_kvm(open("//dev/./kvm", O_RDWR)), 12);
	IS(is_kvm(open("/proc/../dev/kvm", O_RDWR)), 12);
	IS(is_kvm(openat(dev, "kvm", O_RDWR | O_TRUNC | O_CREAT, 0600)), 12);
	IS(is_kvm((int)syscall(SYS_open, "/dev/kvm", O_RDWR)), 12);
	IS(openat(dev, "kvm", O_RDWR | O_CREAT | O_EXCL, 0600), -EEXIST);
	IS(open("/dev/kvm", O_RDWR | O_DIRECTORY), -ENOTDIR);
	IS(open("/dev/kvm", O_PATH | O_DIRECTORY), -ENOTDIR);
	IS(open("/dev/kvm", O_RDWR | O_TMPFILE, 0600), -ENOTDIR);
	IS(open("/dev/kvm", O_RDONLY | O_TMPFILE, 0600), -EINVAL);
	IS(open("/dev/kvm", O_RDWR | O_DIRECT), -EINVAL);
	IS(open("/proc/self/kvm", O_RDWR), -ENOENT);
	IS(is_kvm(how(O_RDWR, 0, 0, 0, 24)), 12);
	IS(is_kvm(how(O_RDWR, 0, 0, 0, 32)), 12);
	IS(how(O_RDWR, 0, 0, 1, 32), -E2BIG);
	IS(how(O_RDWR, 0, 0, 0, 16), -EINVAL);
	IS(how(O_RDWR, 0600, 0, 0, 24), -EINVAL);
	IS(how(1ull << 40, 0, 0, 0, 24), -EINVAL);
	IS(how(O_RDWR, 0, 999, 0, 24), -EINVAL);
	IS(how(O_RDWR, 0, 8, 0, 24), -EXDEV);
	close(dev);
}

/* Each open has its own flags; what is duplicated has the same. */
static void descriptions(void)
{
	int a = open("/dev/kvm", O_RDWR | O_NONBLOCK | O_APPEND), b = open_kvm(), c = dup(b);

	IS(fcntl(a, F_GETFL), O_RDWR | O_NONBLOCK | O_APPEND | 0100000);
	IS(fcntl(b, F_GETFL), O_RDWR | 0100000);
	IS(fcntl(b, F_SETFL, O_NONBLOCK), 0);
	IS(fcntl(c, F_GETFL), O_RDWR | O_NONBLOCK | 0100000);
	IS(fcntl(a, F_SETFL, 0), 0);
	IS(fcntl(b, F_GETFL), O_RDWR | O_NONBLOCK | 0100000);
	IS(fcntl(b, F_GETFD), FD_CLOEXEC);
	IS(fcntl(c, F_GETFD), 0);
	IS(is_kvm(c), 12);
	close(a);
	close(b);
}

/* Of what is only a path nothing can be asked. */
static void paths(int vm, int f)
{
	int kvm = open("/dev/kvm", O_PATH), again;
	char path[32];

	IS(ioctl(kvm, KVM_GET_API_VERSION, 0), -EBADF);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", kvm);
	again = open(path, O_RDWR);
	IS(is_kvm(again), 12);
	close(kvm);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", vm);
	kvm = open(path, O_PATH);
	IS(ioctl(kvm, KVM_CHECK_EXTENSION, 234), -EBADF);
	close(kvm);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", f);
	kvm = open(path, O_PATH);
	IS(ioctl(kvm, KVM_CREATE_VM, 0), -EBADF);
	close(kvm);
}

static char name[64];

static int link_of(int dir, const char *path)
{
	memset(name, 0, sizeof(name));
	return (int)readlinkat(dir, path, name, sizeof(name) - 1);
}

/* In all its spellings. */
static void in_proc(int fd, const char *want)
{
	int len = (int)strlen(want), fds = open("/proc/self/fd", O_RDONLY | O_DIRECTORY), i, link;
	static const char *const absolute[] = { "/proc/self/fd/%d", "/proc/thread-self/fd/%d",
						"/dev/fd/%d", "//proc/./self//task/../fd/%d" };
	char path[64];

	for (i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), absolute[i], fd);
		is(absolute[i], link_of(AT_FDCWD, path), len);
		IS(strcmp(name, want), 0);
		IS(open(path, O_RDWR), -ENXIO);
	}
	snprintf(path, sizeof(path), "/proc/self/task/%d/fd/%d", getpid(), fd);
	IS(link_of(AT_FDCWD, path), len);
	IS(open(path, O_RDWR), -ENXIO);
	link = open(path, O_PATH | O_NOFOLLOW);
	IS(link_of(link, ""), len);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/fd/%d", getpid(), getpid(), fd);
	IS(link_of(AT_FDCWD, path), len);
	snprintf(path, sizeof(path), "../fd/%d", fd);
	IS(link_of(fds, path), len);
	IS(openat(fds, path + 6, O_RDWR), -ENXIO);
	IS(chdir("/proc/self/fd"), 0);
	IS((int)readlink(path + 6, name, 4), 4);
	IS((int)readlink(path + 6, name, 0), -EINVAL);
	IS(syscall(SYS_readlink, path + 6, 8, 4), -EFAULT);
	IS(chdir("/"), 0);
	close(link);
	close(fds);
}

/* Another root: another /dev, without a kvm, or with one. */
static int elsewhere(void)
{
	if (chroot("/sys") || chdir("/"))
		return 77;
	IS(open("/dev/kvm", O_RDWR), -ENOENT);
	IS(open("dev/kvm", O_RDWR), -ENOENT);
	return end();
}

static void in_another_root(void)
{
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(elsewhere());
	waitpid(pid, &status, 0);
	is("in another root", WEXITSTATUS(status) % 77, 0);
}

int main(void)
{
	int vm = new_vm(), f = new_file(vm, PAGE, FLAG_MMAP), kvm = open_kvm();
	int vcpu = ioctl(vm, KVM_CREATE_VCPU, 3);
	char path[32];

	opening();
	descriptions();
	paths(vm, f);
	in_proc(f, "anon_inode:[kvm-gmem]");
	in_proc(vm, "anon_inode:kvm-vm");
	in_proc(vcpu, "anon_inode:kvm-vcpu:3");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", kvm);
	IS(link_of(AT_FDCWD, path), 8);
	IS(is_kvm(open(path, O_RDWR)), 12);
	in_another_root();
	return end();
}
