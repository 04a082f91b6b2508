/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The calls on descriptors, for the far side of backend-kvm.c: each function is one system call.
 *
 * Numbers and structures of ioctls are spelled out here, as the headers of a distribution may be
 * older than guest_memfd. System calls are made without the C library where that would narrow
 * or look at an argument.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/kvm.h>

#include "backend-kvm.h"

#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif

struct region {
	uint32_t slot, flags;
	uint64_t gpa, size, addr;
};

struct region2 {
	uint32_t slot, flags;
	uint64_t gpa, size, addr, offset;
	uint32_t memfd, pad1;
	uint64_t pad2[14];
};

struct guest_memfd {
	uint64_t size, flags, reserved[6];
};

struct attributes {
	uint64_t gpa, size, attributes, flags;
};

struct encrypted {
	uint64_t gpa, size;
};

struct cachestat_range {
	uint64_t offset, length;
};

struct cachestat_result {
	uint64_t cache, dirty, writeback, evicted, recently_evicted;
};

#define SET_USER_MEMORY_REGION _IOW(KVMIO, 0x46, struct region)
#define SET_USER_MEMORY_REGION2 _IOW(KVMIO, 0x49, struct region2)
#define SET_MEMORY_ATTRIBUTES _IOW(KVMIO, 0xd2, struct attributes)
#define MEMORY_ENCRYPT_REG_REGION _IOR(KVMIO, 0xbb, struct encrypted)
#define MEMORY_ENCRYPT_UNREG_REGION _IOR(KVMIO, 0xbc, struct encrypted)
#define CREATE_GUEST_MEMFD _IOWR(KVMIO, 0xd4, struct guest_memfd)

#define MOST_TRIES 10000

static char buffer[65536]; /* of read and write */

int far_fd(const struct far *f, int64_t fd)
{
	return fd < GMEM_KVM_FD || fd >= f->own_fds ? -1 : (int)fd;
}

static enum backend_status with_struct(struct far *f, const struct gmem_call *c,
				       struct gmem_result *r, unsigned long request, void *arg)
{
	return far_answer(r, ioctl(far_fd(f, c->fd), request, c->argp ? FAR_BAD_POINTER : arg));
}

static enum backend_status check_extension(struct far *f, const struct gmem_call *c,
					   struct gmem_result *r)
{
	return far_answer(r, ioctl(far_fd(f, c->fd), KVM_CHECK_EXTENSION, (unsigned long)c->cap));
}

static enum backend_status create_vm(struct far *f, const struct gmem_call *c,
				     struct gmem_result *r)
{
	int fd = ioctl(far_fd(f, c->fd), KVM_CREATE_VM, (unsigned long)c->type);
	struct object *o;

	if (fd < 0)
		return far_answer(r, -1);
	o = far_object_new(f, fd);
	if (!o)
		return far_fail(f, "no memory");
	o->is_vm = true;
	o->vm_type = (uint32_t)c->type;
	return far_answer(r, fd);
}

static enum backend_status create_guest_memfd(struct far *f, const struct gmem_call *c,
					      struct gmem_result *r)
{
	struct guest_memfd arg = { .size = c->size,
				   .flags = c->flags,
				   .reserved = { c->page_order } };

	return with_struct(f, c, r, CREATE_GUEST_MEMFD, &arg);
}

/* Without memory that would be used. */
static bool has_no_address(const struct gmem_call *c)
{
	return !c->size || (!c->addr && (c->flags & GMEM_MEM_GUEST_MEMFD));
}

/* The memslot is for the caller: not the guest's own, nor made of the far side's memory. */
static bool may_be_changed(struct far *f, const struct gmem_call *c, int64_t slot)
{
	const struct object *o = far_object(f, c->fd);

	if (o && o->guest && far_guest_needs(o->guest, slot, c->gpa, c->size)) {
		far_refuse(f, "the memslot or the guest physical addresses are those that the "
			      "back end's own vCPU needs");
		return false;
	}
	if (slot >= 0 && !has_no_address(c) && far_is_own_memory(f, c->addr, c->size)) {
		far_refuse(f, "there is memory of the back end itself at address 0x%llx",
			   (unsigned long long)c->addr);
		return false;
	}
	return true;
}

static enum backend_status set_region(struct far *f, const struct gmem_call *c,
				      struct gmem_result *r)
{
	struct region arg = { .slot = (uint32_t)c->slot,
			      .flags = (uint32_t)c->flags,
			      .gpa = c->gpa,
			      .size = c->size,
			      .addr = c->addr };

	if (!may_be_changed(f, c, (uint32_t)c->slot))
		return BACKEND_UNSUPPORTED;
	return with_struct(f, c, r, SET_USER_MEMORY_REGION, &arg);
}

static enum backend_status set_region2(struct far *f, const struct gmem_call *c,
				       struct gmem_result *r)
{
	struct region2 arg = { .slot = (uint32_t)c->slot,
			       .flags = (uint32_t)c->flags,
			       .gpa = c->gpa,
			       .size = c->size,
			       .addr = c->addr,
			       .offset = c->offset,
			       .memfd = (uint32_t)far_fd(f, c->memfd) };

	if (!may_be_changed(f, c, (uint32_t)c->slot))
		return BACKEND_UNSUPPORTED;
	return with_struct(f, c, r, SET_USER_MEMORY_REGION2, &arg);
}

static enum backend_status set_attributes(struct far *f, const struct gmem_call *c,
					  struct gmem_result *r)
{
	struct attributes arg = { c->gpa, c->size, c->attributes, c->flags };

	if (c->attributes && !may_be_changed(f, c, -1))
		return BACKEND_UNSUPPORTED;
	return with_struct(f, c, r, SET_MEMORY_ATTRIBUTES, &arg);
}

static enum backend_status encrypt_region(struct far *f, const struct gmem_call *c,
					  struct gmem_result *r)
{
	struct encrypted arg = { c->gpa, c->size };

	return with_struct(f, c, r,
			   c->verb == GMEM_REG_REGION ? MEMORY_ENCRYPT_REG_REGION :
							MEMORY_ENCRYPT_UNREG_REGION,
			   &arg);
}

/* The kernel would hand out all there is. */
static bool takes_too_much(const struct gmem_call *c, int fd)
{
	struct stat s;

	return (uint32_t)c->mode == GMEM_FALLOC_KEEP_SIZE && c->length > FAR_MOST_MEMORY &&
	       !fstat(fd, &s) && c->offset + c->length <= (uint64_t)s.st_size;
}

/* Only allocation looks for signals. */
static enum backend_status do_fallocate(struct far *f, const struct gmem_call *c,
					struct gmem_result *r)
{
	const long args[4] = { far_fd(f, c->fd), (int)c->mode, (long)c->offset, (long)c->length };
	bool made = true;
	long value;

	if (takes_too_much(c, (int)args[0]))
		return far_refuse(f, "that would take too much of this machine's memory");
	if (f->signal_next && (uint32_t)c->mode == GMEM_FALLOC_KEEP_SIZE)
		value = far_syscall_with_signal(f, &made, SYS_fallocate, args);
	else
		value = syscall(SYS_fallocate, args[0], args[1], args[2], args[3]);
	if (!made)
		return far_refuse(f, "no signal can be sent in time: ptrace is not allowed");
	return far_answer(r, value);
}

static enum backend_status do_ftruncate(struct far *f, const struct gmem_call *c,
					struct gmem_result *r)
{
	return far_answer(r, ftruncate(far_fd(f, c->fd), (off_t)c->length));
}

static enum backend_status do_fchmod(struct far *f, const struct gmem_call *c,
				     struct gmem_result *r)
{
	return far_answer(r, fchmod(far_fd(f, c->fd), (mode_t)c->mode));
}

static enum backend_status do_fchown(struct far *f, const struct gmem_call *c,
				     struct gmem_result *r)
{
	return far_answer(r, fchown(far_fd(f, c->fd), 0, 0));
}

static enum backend_status do_futimens(struct far *f, const struct gmem_call *c,
				       struct gmem_result *r)
{
	return far_answer(r, futimens(far_fd(f, c->fd), NULL));
}

/* Any length will do, as no such file is ever read from or written to: read(2) and write(2)
 * refuse before they look at the buffer. */
static enum backend_status do_read(struct far *f, const struct gmem_call *c, struct gmem_result *r)
{
	return far_answer(r, syscall(SYS_read, far_fd(f, c->fd), buffer, c->length));
}

static enum backend_status do_write(struct far *f, const struct gmem_call *c, struct gmem_result *r)
{
	return far_answer(r, syscall(SYS_write, far_fd(f, c->fd), buffer, c->length));
}

static enum backend_status do_pread(struct far *f, const struct gmem_call *c, struct gmem_result *r)
{
	return far_answer(r, syscall(SYS_pread64, far_fd(f, c->fd), buffer, c->length, c->offset));
}

static enum backend_status do_pwrite(struct far *f, const struct gmem_call *c,
				     struct gmem_result *r)
{
	return far_answer(r, syscall(SYS_pwrite64, far_fd(f, c->fd), buffer, c->length, c->offset));
}

static enum backend_status do_lseek(struct far *f, const struct gmem_call *c, struct gmem_result *r)
{
	return far_answer(r, lseek(far_fd(f, c->fd), (off_t)c->offset, (int)c->whence));
}

static enum backend_status do_fsync(struct far *f, const struct gmem_call *c, struct gmem_result *r)
{
	return far_answer(r, fsync(far_fd(f, c->fd)));
}

static enum backend_status do_fcntl(struct far *f, const struct gmem_call *c, struct gmem_result *r)
{
	switch (c->cmd) {
	case GMEM_F_GETFD:
	case GMEM_F_GETFL:
	case GMEM_F_ADD_SEALS:
	case GMEM_F_GET_SEALS:
		return far_answer(r, syscall(SYS_fcntl, far_fd(f, c->fd), c->cmd, c->value));
	default:
		return far_refuse(f, "no such fcntl command");
	}
}

static enum backend_status do_fstat(struct far *f, const struct gmem_call *c, struct gmem_result *r)
{
	struct stat s;

	if (fstat(far_fd(f, c->fd), &s))
		return far_answer(r, -1);
	switch (c->field) {
	case GMEM_ST_SIZE:
		return far_answer(r, s.st_size);
	case GMEM_ST_BLOCKS:
		return far_answer(r, s.st_blocks);
	case GMEM_ST_BLKSIZE:
		return far_answer(r, s.st_blksize);
	case GMEM_ST_MODE:
		return far_answer(r, s.st_mode);
	case GMEM_ST_NLINK:
		return far_answer(r, (long)s.st_nlink);
	case GMEM_ST_UID:
		return far_answer(r, s.st_uid);
	default:
		return far_refuse(f, "no such field of fstat");
	}
}

static enum backend_status do_fstatfs(struct far *f, const struct gmem_call *c,
				      struct gmem_result *r)
{
	struct statfs s;

	if (fstatfs(far_fd(f, c->fd), &s))
		return far_answer(r, -1);
	switch (c->field) {
	case GMEM_F_TYPE:
		return far_answer(r, s.f_type);
	case GMEM_F_BSIZE:
		return far_answer(r, s.f_bsize);
	default:
		return far_refuse(f, "no such field of fstatfs");
	}
}

static enum backend_status do_cachestat(struct far *f, const struct gmem_call *c,
					struct gmem_result *r)
{
	struct cachestat_range range = { c->offset, c->length };
	struct cachestat_result stat;

	if (syscall(SYS_cachestat, far_fd(f, c->fd), &range, &stat, 0))
		return far_answer(r, -1);
	return far_answer(r, (long)stat.cache);
}

/*
 * The page is taken out of the real machine's service, until it is booted again. Whoever asks the
 * kernel for a page that is not there would make one.
 */
static enum backend_status memory_failure(struct far *f, const struct gmem_call *c,
					  struct gmem_result *r)
{
	struct cachestat_range range = { c->offset & ~(GMEM_PAGE_SIZE - 1), GMEM_PAGE_SIZE };
	struct cachestat_result stat;
	int fd = far_fd(f, c->fd);
	void *p;

	if (!far_can_poison())
		return far_refuse(f, "this kernel cannot poison pages (CONFIG_MEMORY_FAILURE)");
	if (syscall(SYS_cachestat, fd, &range, &stat, 0))
		return far_answer(r, -1);
	if (!stat.cache)
		return far_refuse(f, "there is no page that could be poisoned");
	p = mmap(NULL, GMEM_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)range.offset);
	if (p == MAP_FAILED)
		return far_refuse(f, "the file cannot be mapped, so its pages cannot be poisoned");
	far_answer(r, madvise(p, GMEM_PAGE_SIZE, MADV_HWPOISON));
	munmap(p, GMEM_PAGE_SIZE);
	return BACKEND_DONE;
}

static enum backend_status do_dup(struct far *f, const struct gmem_call *c, struct gmem_result *r)
{
	int fd = far_fd(f, c->fd), copy = dup(fd);

	if (copy >= 0)
		far_object_dup(f, fd, copy);
	return far_answer(r, copy);
}

static enum backend_status do_close(struct far *f, const struct gmem_call *c, struct gmem_result *r)
{
	int fd = far_fd(f, c->fd);

	far_object_close(f, fd);
	return far_answer(r, close(fd));
}

static enum backend_status populate(struct far *f, const struct gmem_call *c, struct gmem_result *r)
{
	(void)c;
	(void)r;
	return far_refuse(f, "populating takes a guest of SEV-SNP or TDX");
}

static far_verb *const verbs[GMEM_NR_VERBS] = {
	[GMEM_CHECK_EXTENSION] = check_extension,
	[GMEM_CREATE_VM] = create_vm,
	[GMEM_CREATE_GUEST_MEMFD] = create_guest_memfd,
	[GMEM_SET_USER_MEMORY_REGION] = set_region,
	[GMEM_SET_USER_MEMORY_REGION2] = set_region2,
	[GMEM_SET_MEMORY_ATTRIBUTES] = set_attributes,
	[GMEM_REG_REGION] = encrypt_region,
	[GMEM_UNREG_REGION] = encrypt_region,
	[GMEM_SET_MEMORY_ATTRIBUTES2] = far_set_attributes2,
	[GMEM_CONVERT_SHARED] = far_convert,
	[GMEM_CONVERT_PRIVATE] = far_convert,
	[GMEM_ENABLE_CAP] = far_enable_cap,
	[GMEM_LAUNCH_FINISH] = far_launch_finish,
	[GMEM_FALLOCATE] = do_fallocate,
	[GMEM_FTRUNCATE] = do_ftruncate,
	[GMEM_FCHMOD] = do_fchmod,
	[GMEM_FCHOWN] = do_fchown,
	[GMEM_FUTIMENS] = do_futimens,
	[GMEM_READ] = do_read,
	[GMEM_WRITE] = do_write,
	[GMEM_PREAD] = do_pread,
	[GMEM_PWRITE] = do_pwrite,
	[GMEM_LSEEK] = do_lseek,
	[GMEM_FSYNC] = do_fsync,
	[GMEM_FCNTL] = do_fcntl,
	[GMEM_FSTAT] = do_fstat,
	[GMEM_FSTATFS] = do_fstatfs,
	[GMEM_CACHESTAT] = do_cachestat,
	[GMEM_MMAP] = far_mmap,
	[GMEM_MUNMAP] = far_munmap,
	[GMEM_MPROTECT] = far_mprotect,
	[GMEM_MADVISE] = far_madvise,
	[GMEM_LOAD] = far_load,
	[GMEM_STORE] = far_store,
	[GMEM_PIN] = far_pin,
	[GMEM_UNPIN] = far_unpin,
	[GMEM_PIN_LOAD] = far_pin_access,
	[GMEM_PIN_STORE] = far_pin_access,
	[GMEM_GUEST_LOAD] = far_guest_access,
	[GMEM_GUEST_STORE] = far_guest_access,
	[GMEM_POPULATE] = populate,
	[GMEM_PRE_FAULT_MEMORY] = far_pre_fault,
	[GMEM_MEMORY_FAILURE] = memory_failure,
	[GMEM_INJECT] = far_inject,
	[GMEM_DUP] = do_dup,
	[GMEM_CLOSE] = do_close,
};

/*
 * An io_uring that is gone (backend-kvm-pin.c) still has some work done by the task that made it,
 * at no certain moment, and until then it looks as if a signal were pending. The calls that this
 * can interrupt can all be made again.
 */
static bool was_interrupted(const struct far *f, const struct gmem_call *c,
			    const struct gmem_result *r)
{
	if (c->verb == GMEM_LOAD || c->verb == GMEM_GUEST_LOAD || c->verb == GMEM_PIN_LOAD)
		return false; /* a value */
	return !f->signal_next && r->outcome == GMEM_VALUE && r->value == -EINTR;
}

enum backend_status far_call(struct far *f, const struct gmem_call *c, struct gmem_result *r)
{
	far_verb *verb = c->verb < GMEM_NR_VERBS ? verbs[c->verb] : NULL;
	enum backend_status status;
	int tries = 0;

	if (!verb)
		return far_refuse(f, "no such call");
	do {
		*r = (struct gmem_result){ .outcome = GMEM_VALUE };
		status = verb(f, c, r);
	} while (status == BACKEND_DONE && was_interrupted(f, c, r) && ++tries < MOST_TRIES);
	/* What is injected is for the next call only. */
	if (c->verb != GMEM_INJECT)
		f->signal_next = false;
	return status;
}
