/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * In the manner of the kernel's selftests: every call on a guest_memfd and about it, and every
 * refusal, on a VM without private memory.
 */
#define _GNU_SOURCE
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#include "program.h"

#define SIZE (16 * PAGE)

static void *const nowhere = (void *)8;

static void kvm_itself(void)
{
	int kvm = open_kvm(), vm;

	IS(ioctl(kvm, KVM_GET_API_VERSION, 0), 12);
	IS(ioctl(kvm, KVM_GET_API_VERSION, 1), -EINVAL);
	IS(ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), 12288);
	IS(ioctl(kvm, KVM_CHECK_EXTENSION, 234), 1);
	IS(ioctl(kvm, KVM_CHECK_EXTENSION, 231), 1);
	IS(ioctl(kvm, KVM_CHECK_EXTENSION, 9999), 0);
	IS(ioctl(kvm, KVM_CREATE_VM, 77), -EINVAL);
	IS(ioctl(kvm, CREATE_GUEST_MEMFD, nowhere), -EINVAL);
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	IS(ioctl(vm, KVM_CHECK_EXTENSION, 234), 1);
	IS(ioctl(vm, KVM_CHECK_EXTENSION, 244), 3);
	IS(ioctl(vm, KVM_GET_API_VERSION, 0), -ENOTTY);
	IS(fcntl(vm, F_GETFD), FD_CLOEXEC);
	close(vm);
	IS(ioctl(vm, KVM_CHECK_EXTENSION, 234), -EBADF);
	IS(ioctl(1000, KVM_CREATE_VM, 0), -EBADF);
	IS(open("/dev/kvm/kvm", O_RDWR), -ENOTDIR);
	close(kvm);
}

static void creating(int vm)
{
	struct guest_memfd reserved = { .size = PAGE, .reserved = { 1 } };
	int flags;

	for (flags = 0; flags < 4; flags++)
		WORKS(new_file(vm, SIZE, (uint64_t)flags));
	IS(new_file(vm, SIZE, 4), -EINVAL);
	IS(new_file(vm, SIZE, 1ull << 63), -EINVAL);
	IS(new_file(vm, 0, 0), -EINVAL);
	IS(new_file(vm, PAGE + 1, 0), -EINVAL);
	IS(new_file(vm, -PAGE, 0), -EINVAL);
	IS(ioctl(vm, CREATE_GUEST_MEMFD, nowhere), -EFAULT);
	WORKS(ioctl(vm, CREATE_GUEST_MEMFD, &reserved));
}

static void the_file(int f)
{
	char byte = 0, name[64] = "", path[32];
	struct statfs fs;
	struct stat st;

	IS(read(f, &byte, 1), -EINVAL);
	IS(write(f, &byte, 1), -EINVAL);
	IS(pread(f, &byte, 1, 0), -ESPIPE);
	IS(pwrite(f, &byte, 1, 0), -ESPIPE);
	IS(lseek(f, 0, SEEK_SET), -ESPIPE);
	IS(lseek(f, 0, SEEK_END), -ESPIPE);
	IS(lseek(f, 0, SEEK_DATA), -ESPIPE);
	IS(ftruncate(f, 0), -EINVAL);
	IS(ftruncate(f, SIZE), -EINVAL);
	IS(fchmod(f, 0600), -EINVAL);
	IS(fchown(f, geteuid(), getegid()), -EINVAL);
	IS(futimens(f, NULL), -EINVAL);
	IS(fsync(f), -EINVAL);
	IS(fcntl(f, F_GETFL), O_RDWR | 0100000);
	IS(fcntl(f, F_GETFD), 0);
	IS(fcntl(f, F_GET_SEALS), -EINVAL);
	IS(fcntl(f, F_ADD_SEALS, F_SEAL_WRITE), -EINVAL);
	IS(fstat(f, &st), 0);
	is("st_size", st.st_size, SIZE);
	is("st_blocks", st.st_blocks, 0);
	is("st_blksize", st.st_blksize, PAGE);
	is("st_mode", st.st_mode, S_IFREG | 0600);
	is("st_nlink", (long)st.st_nlink, 1);
	IS(fstatfs(f, &fs), 0);
	is("f_type", (long)fs.f_type, 0x09041934);
	is("f_bsize", (long)fs.f_bsize, PAGE);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", f);
	IS(readlink(path, name, sizeof(name) - 1), 21);
	is("its name", strcmp(name, "anon_inode:[kvm-gmem]"), 0);
	IS(ioctl(f, _IOWR(0xAE, 0xd2, char[128]), nowhere), -ENOTTY);
	IS(ioctl(f, KVM_CREATE_VM, 0), -ENOTTY);
}

/* Nothing to be done, or by calls that do it in other ways. */
static void the_file_otherwise(int f)
{
	int null = open("/dev/null", O_RDWR), p[2], epoll = epoll_create1(0);
	struct epoll_event e = { 0 };
	struct iovec v = { &f, 1 };
	char byte = 0;
	off_t at = 0;

	IS(pipe(p), 0);
	IS(read(f, &byte, 0), -EINVAL);
	IS(write(f, &byte, 0), -EINVAL);
	IS(syscall(SYS_readv, f, &v, 0), -EINVAL);
	IS(syscall(SYS_writev, f, &v, 0), -EINVAL);
	IS(syscall(SYS_pread64, f, &byte, 1, -1l), -EINVAL);
	IS(syscall(SYS_preadv2, f, &v, 1, -1l, -1l, 0), -EINVAL);
	IS(syscall(SYS_preadv2, f, &v, 1, 0, 0, 0), -ESPIPE);
	IS(sendfile(null, f, NULL, 4), -EINVAL);
	IS(sendfile(null, f, &at, 4), -ESPIPE);
	IS(syscall(SYS_sendfile, null, f, nowhere, 4), -EFAULT);
	IS(splice(f, NULL, p[1], NULL, 4, 0), -EINVAL);
	IS(splice(f, &at, p[1], NULL, 4, 0), -EINVAL);
	IS(splice(f, &at, p[1], NULL, 0, 0), 0);
	IS(copy_file_range(f, &at, null, NULL, 4, 0), -EINVAL);
	IS(copy_file_range(f, &at, f, NULL, 4, 0), -EINVAL);
	IS(copy_file_range(f, NULL, f, &at, 0, 0), 0);
	IS(lseek(f, 0, 5), -EINVAL);
	IS(readahead(f, 0, PAGE), -EINVAL);
	IS(posix_fadvise(f, 0, PAGE, POSIX_FADV_DONTNEED), 0);
	IS(fgetxattr(f, "user.x", &byte, 1), -EOPNOTSUPP);
	IS(fsetxattr(f, "user.x", &byte, 1, 0), -EOPNOTSUPP);
	IS(flistxattr(f, &byte, 1), 0);
	IS(fremovexattr(f, "user.x"), -EOPNOTSUPP);
	IS(ioctl(f, FIONREAD, &at), -ENOTTY);
	IS(ioctl(f, FIBMAP, &at), -ENOTTY);
	IS(ioctl(f, FIOQSIZE, &at), -ENOTTY);
	IS(fcntl(f, F_SETFL, O_DIRECT), -EINVAL);
	IS(epoll_ctl(epoll, EPOLL_CTL_ADD, f, &e), -EPERM);
	close(epoll);
	close(null);
	close(p[0]);
	close(p[1]);
}

static void allocating(int f)
{
	IS(fallocate(f, 0, 0, PAGE), -EOPNOTSUPP);
	IS(fallocate(f, KEEP_SIZE, 0, PAGE), 0);
	IS(fallocate(f, KEEP_SIZE, 0, 0), -EINVAL);
	IS(fallocate(f, KEEP_SIZE, 1, PAGE), -EINVAL);
	IS(fallocate(f, KEEP_SIZE, -(long)PAGE, PAGE), -EINVAL);
	IS(fallocate(f, KEEP_SIZE, SIZE, PAGE), -EINVAL);
	IS(fallocate(f, PUNCH_HOLE, 0, PAGE), -EOPNOTSUPP);
	IS(fallocate(f, KEEP_SIZE | PUNCH_HOLE, 0, PAGE), 0);
	IS(fallocate(f, KEEP_SIZE | PUNCH_HOLE, SIZE, PAGE), 0);
	IS(fallocate(f, KEEP_SIZE | PUNCH_HOLE, 1, PAGE), -EINVAL);
	IS(fallocate(f, KEEP_SIZE | PUNCH_HOLE, PAGE, 0x7ffffffffffff000), -EFBIG);
	IS(fallocate(f, 0x10, 0, PAGE), -EOPNOTSUPP);
	IS(fallocate(f, 0x08, 0, PAGE), -EOPNOTSUPP);
}

static int try_mmap(int f, int prot, int flags)
{
	void *m = mmap(NULL, SIZE, prot, flags, f, 0);

	if (m == MAP_FAILED)
		return -1;
	munmap(m, SIZE);
	return 0;
}

static void mapping(int vm, int f)
{
	int none = new_file(vm, SIZE, 0), unshared = new_file(vm, SIZE, FLAG_MMAP);
	uint8_t *m;

	IS(try_mmap(none, PROT_READ | PROT_WRITE, MAP_SHARED), -ENODEV);
	IS(try_mmap(none, PROT_READ | PROT_WRITE, MAP_PRIVATE), -ENODEV);
	IS(try_mmap(f, PROT_READ | PROT_WRITE, MAP_PRIVATE), -EINVAL);
	IS(try_mmap(f, PROT_READ | PROT_EXEC, MAP_SHARED), -EPERM);
	IS(try_mmap(f, PROT_READ, MAP_SHARED), 0);
	IS(try_mmap(f, PROT_READ | PROT_WRITE, MAP_SHARED_VALIDATE), 0);
	m = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, unshared, 0);
	IS(load(m), BUS);
	IS(madvise(m, PAGE, MADV_POPULATE_READ), -EFAULT);
	IS(mlock(m, PAGE), -ENOMEM);
	munmap(m, SIZE);
	m = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, f, 0);
	IS(mlock(m + 1, SIZE - 1), 0);
	IS(munlock(m, SIZE), 0);
	IS(mprotect(m, SIZE, PROT_WRITE), 0);
	IS(mlock(m, SIZE), 0);
	munmap(m, SIZE);
	m = mmap(NULL, SIZE + PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);
	IS(load(m), 0);
	IS(store(m, 0xaa), 0);
	IS(load(m), 0xaa);
	IS(load(m + SIZE), BUS);
	IS(fallocate(f, KEEP_SIZE | PUNCH_HOLE, 0, PAGE), 0);
	IS(load(m), 0);
	IS(madvise(m, PAGE, MADV_DONTNEED), 0);
	IS(store(m + PAGE, 1), 0);
	IS(madvise(m + PAGE, PAGE, MADV_REMOVE), 0);
	IS(load(m + PAGE), 0);
	IS(mprotect(m, PAGE, PROT_NONE), 0);
	IS(load(m), 1000 + SIGSEGV);
	munmap(m, SIZE + PAGE);
	close(none);
	close(unshared);
}

/* The ioctl without a guest_memfd. */
static void first_version(int vm, void *m)
{
	struct region a = { .slot = 7, .gpa = 0x700000, .size = SIZE, .addr = (uintptr_t)m };

	IS(ioctl(vm, SET_REGION, &a), 0);
	a.flags = MEM_GUEST_MEMFD;
	IS(ioctl(vm, SET_REGION, &a), -EINVAL);
	a.flags = 0;
	a.slot = 8;
	IS(ioctl(vm, SET_REGION, &a), -EEXIST);
	a.addr = 1;
	IS(ioctl(vm, SET_REGION, &a), -EINVAL);
	a.addr = (uintptr_t)m;
	a.slot = 7;
	a.size = 0;
	IS(ioctl(vm, SET_REGION, &a), 0);
	IS(ioctl(vm, SET_REGION, &a), -EINVAL);
	IS(ioctl(vm, SET_REGION, nowhere), -EFAULT);
}

static void binding(int vm, int f)
{
	int other = new_vm(), strange = new_file(other, SIZE, 0), null = open("/dev/null", O_RDWR);
	void *m = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);

	IS(bind_file(vm, 1, 0x100000, SIZE, m, f, 0), 0);
	IS(bind_file(vm, 1, 0x100000, SIZE, m, f, 0), -EINVAL);
	IS(bind_file(vm, 2, 0x200000, SIZE, m, f, 0), -EINVAL);
	IS(bind_file(vm, 3, 0x101000, PAGE, m, f, 0), -EEXIST);
	IS(bind_file(vm, 4, 0x300000, PAGE, m, f, SIZE), -EINVAL);
	IS(bind_file(vm, 4, 0x300000, PAGE, m, f, 1), -EINVAL);
	IS(bind_file(vm, 4, 0x300000, PAGE, m, -1, 0), -EBADF);
	IS(bind_file(vm, 4, 0x300000, PAGE, m, strange, 0), -EINVAL);
	IS(bind_file(vm, 4, 0x300000, PAGE, m, null, 0), -EINVAL);
	IS(bind_file(vm, 4, 0x300000, PAGE, m, vm, 0), -EINVAL);
	IS(bind_file(vm, 4, 0x300001, PAGE, m, f, 0), -EINVAL);
	IS(bind_file(vm, 4, 0x300000, PAGE + 1, m, f, 0), -EINVAL);
	IS(bind_file(vm, 32764, 0x300000, PAGE, m, f, 0), -EINVAL);
	IS(bind_file(vm, 1, 0, 0, NULL, -2, 0), 0);
	IS(bind_file(vm, 1, 0, 0, NULL, -2, 0), -EINVAL);
	IS(ioctl(vm, SET_REGION2, nowhere), -EFAULT);
	first_version(vm, m);
	munmap(m, SIZE);
	close(other);
	close(strange);
	close(null);
}

static long submit(aio_context_t context, int opcode, int fd, void *buffer, size_t size)
{
	struct iocb one = { .aio_lio_opcode = (uint16_t)opcode,
			    .aio_fildes = (uint32_t)fd,
			    .aio_buf = (uintptr_t)buffer,
			    .aio_nbytes = size };
	struct iocb *all[] = { &one };

	return syscall(SYS_io_submit, context, 1, all);
}

static void without_waiting(int f)
{
	uint8_t *m = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);
	uint8_t bytes[PAGE] = { 0x11 };
	struct iovec part = { bytes, PAGE };
	int null = open("/dev/null", O_RDWR);
	aio_context_t context = 0;
	struct iocb to_null = { .aio_lio_opcode = IOCB_CMD_PWRITE,
				.aio_fildes = (uint32_t)null,
				.aio_buf = (uintptr_t)bytes,
				.aio_nbytes = PAGE };
	struct iocb to_file = to_null, *both[] = { &to_null, &to_file };

	to_file.aio_fildes = (uint32_t)f;
	IS(syscall(SYS_io_setup, 4, &context), 0);
	IS(store(m, 0x77), 0);
	IS(submit(context, IOCB_CMD_PREAD, f, bytes, PAGE), -EINVAL);
	IS(submit(context, IOCB_CMD_PREADV, f, &part, 1), -EINVAL);
	IS(bytes[0], 0x11);
	IS(submit(context, IOCB_CMD_PWRITE, f, bytes, PAGE), -EINVAL);
	IS(submit(context, IOCB_CMD_PWRITEV, f, &part, 1), -EINVAL);
	IS(submit(context, IOCB_CMD_FSYNC, f, NULL, 0), -EINVAL);
	IS(syscall(SYS_io_submit, context, 2, both) < 2, 1);
	IS(load(m), 0x77);
	IS(submit(context, IOCB_CMD_PWRITE, null, bytes, PAGE), 1);
	IS(submit(context, IOCB_CMD_PREAD, -1, bytes, PAGE), -EBADF);
	IS(syscall(SYS_io_submit, context, 1, nowhere), -EFAULT);
	IS(syscall(SYS_io_submit, context, 0, nowhere), 0);
	IS(syscall(SYS_io_destroy, context), 0);
	munmap(m, PAGE);
	close(null);
}

int main(void)
{
	int vm = new_vm(), f = new_file(vm, SIZE, FLAG_MMAP | FLAG_INIT_SHARED);

	kvm_itself();
	creating(vm);
	the_file(f);
	the_file_otherwise(f);
	allocating(f);
	mapping(vm, f);
	binding(vm, f);
	without_waiting(f);
	IS(dup(f) >= 0, 1);
	IS(close(vm), 0);
	IS(fallocate(f, KEEP_SIZE, 0, PAGE), 0);
	IS(close(f), 0);
	IS(close(f), -EBADF);
	return end();
}
