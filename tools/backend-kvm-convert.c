/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Conversions, and what goes with them, for the far side of backend-kvm.c. No released kernel
 * has these ioctls yet; they are made as they were posted, and refused by a kernel without them.
 *
 * A structure that can be read and not written (argp=READONLY) is one in a page that is made so
 * for the time of the call.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <linux/kvm.h>

#include "backend-kvm.h"

#define ARGP_NULL 1
#define ARGP_READONLY 2

struct attributes2 {
	uint64_t offset, size, attributes, flags, error_offset, reserved[11];
};

struct conversion {
	uint64_t offset, size, error_offset, reserved[5];
};

struct enable_cap {
	uint32_t cap, flags;
	uint64_t args[4];
	uint8_t pad[64];
};

struct encrypt_op {
	uint32_t id, pad;
	uint64_t data;
	uint32_t error, sev_fd;
};

#define SET_MEMORY_ATTRIBUTES2 _IOWR(KVMIO, 0xd2, struct attributes2)
#define CONVERT_SHARED _IOWR(0xaf, 0x41, struct conversion)
#define CONVERT_PRIVATE _IOWR(0xaf, 0x42, struct conversion)
#define ENABLE_CAP _IOW(KVMIO, 0xa3, struct enable_cap)
#define ENCRYPT_OP _IOWR(KVMIO, 0xba, unsigned long)
#define SNP_LAUNCH_FINISH 102

static union {
	uint8_t bytes[GMEM_PAGE_SIZE];
	struct attributes2 attributes;
	struct conversion conversion;
} page __attribute__((aligned(GMEM_PAGE_SIZE)));

/* With the structure that is in the page. */
static enum backend_status with_page(struct far *f, const struct gmem_call *c,
				     struct gmem_result *r, unsigned long request)
{
	enum backend_status status;
	long value;

	if (c->argp == ARGP_READONLY)
		mprotect(&page, sizeof(page), PROT_READ);
	value = ioctl(far_fd(f, c->fd), request, c->argp == ARGP_NULL ? FAR_BAD_POINTER : &page);
	status = far_answer(r, value);
	mprotect(&page, sizeof(page), PROT_READ | PROT_WRITE);
	return status;
}

enum backend_status far_set_attributes2(struct far *f, const struct gmem_call *c,
					struct gmem_result *r)
{
	enum backend_status status;

	page.attributes = (struct attributes2){ .offset = c->offset,
						.size = c->size,
						.attributes = c->attributes,
						.flags = c->flags,
						.error_offset = c->error_offset,
						.reserved = { c->reserved } };
	status = with_page(f, c, r, SET_MEMORY_ATTRIBUTES2);
	r->out = page.attributes.error_offset;
	return status;
}

enum backend_status far_convert(struct far *f, const struct gmem_call *c, struct gmem_result *r)
{
	enum backend_status status;

	page.conversion = (struct conversion){ .offset = c->offset,
					       .size = c->size,
					       .error_offset = c->error_offset,
					       .reserved = { c->reserved } };
	status = with_page(f, c, r,
			   c->verb == GMEM_CONVERT_PRIVATE ? CONVERT_PRIVATE : CONVERT_SHARED);
	r->out = page.conversion.error_offset;
	return status;
}

enum backend_status far_enable_cap(struct far *f, const struct gmem_call *c, struct gmem_result *r)
{
	struct enable_cap arg = { .cap = (uint32_t)c->cap };

	if (c->cap > UINT32_MAX)
		return far_refuse(f, "the kernel's numbers of capabilities have 32 bits");
	return far_answer(
		r, ioctl(far_fd(f, c->fd), ENABLE_CAP, c->argp ? FAR_BAD_POINTER : (void *)&arg));
}

/* What is no VM of SEV or TDX has no such thing, and says so. */
enum backend_status far_launch_finish(struct far *f, const struct gmem_call *c,
				      struct gmem_result *r)
{
	const struct object *o = far_object(f, c->fd);
	struct encrypt_op arg = { .id = SNP_LAUNCH_FINISH };

	if (o && o->is_vm && o->vm_type > GMEM_VM_SW_PROTECTED)
		return far_refuse(f, "the launch of a guest takes its firmware");
	return far_answer(r, ioctl(far_fd(f, c->fd), ENCRYPT_OP, &arg));
}
