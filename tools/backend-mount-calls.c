/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls on directories and files of a mounted gmemfs, each one system call; for backend-mount.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "backend-mount-parts.h"
#include "mount-abi.h"

static enum backend_status create_guest_memfd(struct mount *m, const struct handle *h,
					      const struct gmem_call *c, struct gmem_result *r)
{
	struct kvm_guest_memfd a = { .size = c->size,
				     .flags = c->flags,
				     .reserved = { c->page_order } };
	int number = ioctl(h->fd, MOUNT_CREATE_GUEST_MEMFD, c->argp ? BAD_POINTER : (void *)&a), fd;
	char name[32];

	if (number < 0)
		return mount_answer(r, -1);
	snprintf(name, sizeof(name), "gmem-%d", number);
	fd = openat(h->fd, name, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return mount_answer(r, -1);
	unlinkat(h->fd, name, 0);
	return mount_answer(r,
			    (long)mount_new_fd(m, mount_new_handle(m, fd, GMEM_FD_GMEM, number)));
}

enum backend_status mount_own_call(struct handle *h, const struct gmem_call *c,
				   struct gmem_result *r)
{
	struct mount_call a = { .call = *c };

	if (ioctl(h->fd, MOUNT_CALL, &a))
		return mount_answer(r, -1);
	*r = (struct gmem_result){ .outcome = a.result.outcome,
				   .value = a.result.value,
				   .out = a.result.out,
				   .gpa = a.result.gpa,
				   .exit_size = a.result.exit_size,
				   .exit_flags = a.result.exit_flags,
				   .loaded = a.result.loaded };
	return BACKEND_DONE;
}

static uint64_t own_number(struct mount *m, int64_t memfd)
{
	const struct handle *h = mount_handle(m, memfd);

	return h				 ? (uint64_t)h->number :
	       memfd == GMEM_KVM_FD || memfd < 0 ? (uint64_t)memfd :
						   60000;
}

/* Where pages that are shared are not the file's. */
static int needs_addr(struct mount *m, const struct gmem_call *c)
{
	const struct handle *h = mount_handle(m, c->memfd);

	if (!mount_mapping(m, c->addr))
		return 0;
	return m->shareability || !(c->flags & GMEM_MEM_GUEST_MEMFD) || !h ||
	       !(mount_number(h->fd, "user.gmem.flags") & (long)GMEM_FLAG_MMAP);
}

static enum backend_status set_region(struct mount *m, const struct handle *h,
				      const struct gmem_call *c, struct gmem_result *r,
				      struct backend_error *e)
{
	struct kvm_region2 a = { .slot = (uint32_t)c->slot,
				 .flags = (uint32_t)c->flags,
				 .gpa = c->gpa,
				 .size = c->size,
				 .addr = c->addr,
				 .offset = c->offset,
				 .memfd = (uint32_t)own_number(m, c->memfd) };
	unsigned long request = c->verb == GMEM_SET_USER_MEMORY_REGION2 ? MOUNT_SET_REGION2 :
									  MOUNT_SET_REGION;

	if (needs_addr(m, c))
		return mount_limit(e, "userspace_addr is no memory of the caller's");
	return mount_answer(r, ioctl(h->fd, request, c->argp ? BAD_POINTER : (void *)&a));
}

/* With the structure in a page that cannot be written, if that is asked for. */
static long ioctl_in_page(const struct handle *h, const struct gmem_call *c, unsigned long request,
			  void *arg, size_t size)
{
	void *page = mmap(NULL, GMEM_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	long value;
	int err;

	memcpy(page, arg, size);
	if (c->argp == 2)
		mprotect(page, GMEM_PAGE_SIZE, PROT_READ);
	value = ioctl(h->fd, request, c->argp == 1 ? BAD_POINTER : page);
	err = errno;
	memcpy(arg, page, size);
	munmap(page, GMEM_PAGE_SIZE);
	errno = err;
	return value;
}

static enum backend_status convert(const struct handle *h, const struct gmem_call *c,
				   struct gmem_result *r)
{
	struct kvm_conversion a = { c->offset, c->size, c->error_offset, { c->reserved } };

	mount_answer(r, ioctl_in_page(h, c,
				      c->verb == GMEM_CONVERT_PRIVATE ? MOUNT_CONVERT_PRIVATE :
									MOUNT_CONVERT_SHARED,
				      &a, sizeof(a)));
	r->out = a.error_offset;
	return BACKEND_DONE;
}

static enum backend_status set_attributes2(const struct handle *h, const struct gmem_call *c,
					   struct gmem_result *r)
{
	struct kvm_attributes2 a = { c->offset, c->size,	 c->attributes,
				     c->flags,	c->error_offset, { c->reserved } };
	char name[64] = "";
	unsigned long request = MOUNT_SET_ATTRIBUTES2;

	fgetxattr(h->fd, "user.gmem.profile", name, sizeof(name) - 1);
	if (!strcmp(name, "coco-rfc-v1"))
		request = MOUNT_SET_ATTRIBUTES2_V1;
	mount_answer(r, ioctl_in_page(h, c, request, &a, _IOC_SIZE(request)));
	r->out = a.error_offset;
	return BACKEND_DONE;
}

static enum backend_status vm_call(struct mount *m, struct handle *h, const struct gmem_call *c,
				   struct gmem_result *r, struct backend_error *e)
{
	struct kvm_attributes a = { c->gpa, c->size, c->attributes, c->flags };
	struct kvm_pre_fault f = { .gpa = c->gpa, .size = c->size, .flags = c->flags };
	struct kvm_cap cap = { .cap = (uint32_t)c->cap };
	void *bad = c->argp ? BAD_POINTER : NULL;

	switch (c->verb) {
	case GMEM_CHECK_EXTENSION:
		return mount_answer(r, ioctl(h->fd, MOUNT_CHECK_EXTENSION, (unsigned long)c->cap));
	case GMEM_CREATE_GUEST_MEMFD:
		return create_guest_memfd(m, h, c, r);
	case GMEM_SET_MEMORY_ATTRIBUTES:
		return mount_answer(r, ioctl(h->fd, MOUNT_SET_ATTRIBUTES, bad ? bad : &a));
	case GMEM_ENABLE_CAP:
		return mount_answer(r, ioctl(h->fd, MOUNT_ENABLE_CAP, bad ? bad : &cap));
	case GMEM_PRE_FAULT_MEMORY:
		mount_answer(r, ioctl(h->fd, MOUNT_PRE_FAULT, bad ? bad : &f));
		r->out = f.size;
		return BACKEND_DONE;
	default:
		return set_region(m, h, c, r, e);
	}
}

static long stat_field(const struct stat *st, uint64_t field)
{
	switch (field) {
	case GMEM_ST_SIZE:
		return st->st_size;
	case GMEM_ST_BLOCKS:
		return st->st_blocks;
	case GMEM_ST_BLKSIZE:
		return st->st_blksize;
	case GMEM_ST_MODE:
		return st->st_mode;
	case GMEM_ST_UID:
		return st->st_uid;
	default:
		return 1; /* the file has no name any more: its links are not shown */
	}
}

static enum backend_status do_fstat(const struct handle *h, const struct gmem_call *c,
				    struct gmem_result *r)
{
	struct stat st;

	return fstat(h->fd, &st) ? mount_answer(r, -1) : mount_answer(r, stat_field(&st, c->field));
}

static enum backend_status file_call(struct handle *h, const struct gmem_call *c,
				     struct gmem_result *r, struct backend_error *e)
{
	char buffer[16] = "";

	switch (c->verb) {
	case GMEM_FALLOCATE:
		if (c->mode & ~UINT64_C(0x13))
			return mount_limit(e, "it knows few modes of fallocate");
		return mount_answer(
			r, syscall(SYS_fallocate, h->fd, (int)c->mode, c->offset, c->length));
	case GMEM_FTRUNCATE:
		return mount_answer(r, ftruncate(h->fd, (off_t)c->length));
	case GMEM_FCHMOD:
		return mount_answer(r, fchmod(h->fd, (mode_t)c->mode));
	case GMEM_FCHOWN:
		return mount_answer(r, fchown(h->fd, 0, 0));
	case GMEM_FUTIMENS:
		return mount_answer(r, futimens(h->fd, NULL));
	case GMEM_FSYNC:
		return mount_strict ? mount_answer(r, fsync(h->fd)) :
				      mount_limit(e, "without strict, fsync succeeds");
	case GMEM_WRITE:
		return mount_strict && c->length ?
			       mount_answer(r,
					    write(h->fd, buffer, c->length < 16 ? c->length : 16)) :
			       mount_limit(e, "without strict, write succeeds");
	case GMEM_FSTAT:
		return do_fstat(h, c, r);
	default:
		return mount_limit(e, "read, lseek, fcntl and fstatfs are answered by the kernel");
	}
}

/* Whether there is such an ioctl, the mount says only after the structure has been read. */
static int is_hidden_by_its_pointer(const struct handle *h, const struct gmem_call *c)
{
	unsigned long cap = c->verb == GMEM_SET_MEMORY_ATTRIBUTES ? GMEM_CAP_MEMORY_ATTRIBUTES :
			    c->verb == GMEM_CREATE_GUEST_MEMFD	  ? GMEM_CAP_GUEST_MEMFD :
								    0;

	if (c->argp != 1)
		return 0;
	if (gmem_verb_info(c->verb)->out)
		return 1;
	if (h->fd >= 0 && !(h->kind & gmem_verb_info(c->verb)->params[0].fds))
		return 1;
	return cap && ioctl(h->fd, MOUNT_CHECK_EXTENSION, cap) == 0;
}

/* Of which kind of descriptor the call is, and what it does to it. */
enum backend_status mount_fd_call(struct mount *m, const struct gmem_call *c, struct gmem_result *r,
				  struct backend_error *e)
{
	struct handle *h = mount_handle(m, c->fd), nobody = { .fd = -1 };

	if (c->fd == GMEM_KVM_FD)
		return mount_limit(e, "there is no /dev/kvm");
	if (!h)
		h = &nobody;
	if (c->argp == 2 && m->shareability)
		return mount_limit(e, "the structure is not written where nothing has changed");
	if (is_hidden_by_its_pointer(h, c))
		return mount_limit(e, "a bad pointer is found before anything else is");
	switch (c->verb) {
	case GMEM_SET_MEMORY_ATTRIBUTES2:
		return set_attributes2(h, c, r);
	case GMEM_CONVERT_PRIVATE:
	case GMEM_CONVERT_SHARED:
		return convert(h, c, r);
	case GMEM_GUEST_LOAD:
	case GMEM_GUEST_STORE:
	case GMEM_LAUNCH_FINISH:
	case GMEM_CACHESTAT:
		return mount_own_call(h, c, r);
	case GMEM_MEMORY_FAILURE:
		m->poisoned = 1;
		return mount_own_call(h, c, r);
	default:
		break;
	}
	if (c->verb <= GMEM_PRE_FAULT_MEMORY && gmem_verb_info(c->verb)->params[0].fds & GMEM_FD_VM)
		return vm_call(m, h, c, r, e);
	return file_call(h, c, r, e);
}
