/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KVM's ioctls, on the directory for those of a VM and on the file for those of a guest_memfd. The
 * kernel has copied the structure whose size is in the number; what is in it is checked by the
 * model's tables, and a number that the profile does not have is ENOTTY there as well.
 */
#include <errno.h>
#include <string.h>

#include "common.h"
#include "gmemfs.h"

struct request {
	fuse_req_t req;
	struct node *n;
	unsigned int cmd;
	uint64_t arg;
	const void *in;
	size_t in_size, out_size;
};

static void answer(const struct request *q, int64_t result, const void *out, size_t size)
{
	fuse_reply_ioctl(q->req, (int)result, out, size < q->out_size ? size : q->out_size);
}

/* A call whose structure nothing is written back into. */
static void call(const struct request *q, struct gmem_call *c)
{
	struct gmem_result r;
	int64_t result = -EBADF;

	fs_lock();
	c->fd = q->n->fd;
	if (c->fd != NO_FD)
		result = world_call(c, &r);
	fs_unlock();
	answer(q, result, q->in, q->out_size);
}

static void check_extension(const struct request *q)
{
	call(q, &(struct gmem_call){ .verb = GMEM_CHECK_EXTENSION, .cap = q->arg });
}

static void create_guest_memfd(const struct request *q)
{
	const struct kvm_guest_memfd *a = q->in;
	const struct fuse_ctx *ctx = fuse_req_ctx(q->req);
	struct gmem_call c = { .verb = GMEM_CREATE_GUEST_MEMFD,
			       .size = a->size,
			       .flags = a->flags,
			       .page_order = a->reserved[0] };
	int64_t fd;

	fs_lock();
	c.fd = q->n->fd;
	fd = q->n->unlinked ? -ENOENT : tree_create_guest_memfd(q->n, &c, ctx->uid, ctx->gid);
	fs_unlock();
	answer(q, fd, a, sizeof(*a));
}

static void set_region(const struct request *q)
{
	const struct kvm_region *a = q->in;

	call(q, &(struct gmem_call){ .verb = GMEM_SET_USER_MEMORY_REGION,
				     .slot = a->slot,
				     .flags = a->flags,
				     .gpa = a->gpa,
				     .size = a->size,
				     .addr = a->addr });
}

/* A pin is none to a program: it has no descriptor. */
static int64_t memfd_of(int32_t fd)
{
	return gmem_fd_kind(fs.w, 0, fd) == GMEM_FD_PIN ? -1 : fd;
}

static void set_region2(const struct request *q)
{
	const struct kvm_region2 *a = q->in;

	call(q, &(struct gmem_call){ .verb = GMEM_SET_USER_MEMORY_REGION2,
				     .slot = a->slot,
				     .flags = a->flags,
				     .gpa = a->gpa,
				     .size = a->size,
				     .addr = a->addr,
				     .memfd = memfd_of((int32_t)a->memfd),
				     .offset = a->offset });
}

static void set_attributes(const struct request *q)
{
	const struct kvm_attributes *a = q->in;

	call(q, &(struct gmem_call){ .verb = GMEM_SET_MEMORY_ATTRIBUTES,
				     .gpa = a->gpa,
				     .size = a->size,
				     .attributes = a->attributes,
				     .flags = a->flags });
}

static void enable_cap(const struct request *q)
{
	const struct kvm_cap *a = q->in;

	call(q, &(struct gmem_call){ .verb = GMEM_ENABLE_CAP, .cap = a->cap });
}

static void pre_fault(const struct request *q)
{
	struct kvm_pre_fault a = *(const struct kvm_pre_fault *)q->in;
	struct gmem_call c = {
		.verb = GMEM_PRE_FAULT_MEMORY, .gpa = a.gpa, .size = a.size, .flags = a.flags
	};
	struct gmem_result r;
	int64_t result;

	fs_lock();
	c.fd = q->n->fd;
	result = c.fd == NO_FD ? -EBADF : world_call(&c, &r);
	fs_unlock();
	if (!result) {
		a.gpa += a.size - r.out;
		a.size = r.out;
	}
	answer(q, result, &a, sizeof(a));
}

static uint64_t any_word(const uint64_t *words, size_t n)
{
	while (n--)
		if (*words++)
			return 1;
	return 0;
}

/* Of 64 bytes in the first posting: three reserved words instead of eleven. */
static struct gmem_call attributes2(const struct request *q)
{
	const struct kvm_attributes2 *a = q->in;

	return (struct gmem_call){ .verb = GMEM_SET_MEMORY_ATTRIBUTES2,
				   .offset = a->offset,
				   .size = a->size,
				   .attributes = a->attributes,
				   .flags = a->flags,
				   .error_offset = a->error_offset,
				   .reserved = any_word(a->reserved, q->in_size / 8 - 5) };
}

static void convert(const struct request *q, uint32_t verb)
{
	const struct kvm_conversion *a = q->in;
	size_t at = offsetof(struct kvm_conversion, error_offset);
	struct gmem_call c;

	if (verb == GMEM_SET_MEMORY_ATTRIBUTES2) {
		at = offsetof(struct kvm_attributes2, error_offset);
		c = attributes2(q);
	} else {
		c = (struct gmem_call){ .verb = verb,
					.offset = a->offset,
					.size = a->size,
					.error_offset = a->error_offset,
					.reserved = any_word(a->reserved, 5) };
	}
	convert_and_reply(q->req, q->n, &c, q->in, q->in_size, at);
}

/* coco-rfc-v1 has it on the VM, too, and the others say what that is. */
static void attributes2_of_vm(const struct request *q)
{
	struct gmem_call c = attributes2(q);
	char out[sizeof(struct kvm_attributes2)];
	struct gmem_result r = { 0 };
	int64_t result;

	memcpy(out, q->in, q->in_size);
	fs_lock();
	c.fd = q->n->fd;
	result = c.fd == NO_FD ? -EBADF : world_call(&c, &r);
	fs_unlock();
	memcpy(out + offsetof(struct kvm_attributes2, error_offset), &r.out, sizeof(r.out));
	answer(q, result, out, memcmp(out, q->in, q->in_size) ? q->in_size : 0);
}

/* ---- the one of gmemfs' own ---- */

/* A pin is of the file's offsets. */
static int64_t file_call(struct node *n, struct mount_call *m)
{
	struct gmem_call *c = &m->call;

	switch (c->verb) {
	case GMEM_PIN:
		if (!n->map)
			return -ENODEV;
		if (c->offset > n->size || c->length > n->size - c->offset)
			return -EFAULT;
		c->addr = n->map + c->offset;
		break;
	case GMEM_CACHESTAT:
	case GMEM_MEMORY_FAILURE:
		break;
	default:
		return -ENOTTY;
	}
	c->fd = n->fd;
	return world_call(c, &m->result);
}

static void reply_call(struct job *j)
{
	fuse_reply_ioctl(j->req, 0, &j->call, sizeof(j->call));
}

/* The words that the verb takes, and nothing of the others. */
static struct gmem_call only_what_counts(const struct gmem_call *c)
{
	uint64_t mask = c->size < 8 ? (UINT64_C(1) << 8 * c->size) - 1 : UINT64_MAX;

	switch (c->verb) {
	case GMEM_GUEST_LOAD:
		return (struct gmem_call){
			.verb = c->verb, .gpa = c->gpa, .size = c->size, .access = c->access
		};
	case GMEM_GUEST_STORE:
		return (struct gmem_call){ .verb = c->verb,
					   .gpa = c->gpa,
					   .size = c->size,
					   .value = c->value & mask,
					   .access = c->access };
	case GMEM_UNPIN:
		return (struct gmem_call){ .verb = c->verb, .fd = c->fd };
	default:
		return (struct gmem_call){ .verb = c->verb,
					   .offset = c->offset,
					   .length = c->length };
	}
}

/* Whose pins there are. */
static struct {
	int64_t fd;
	uid_t uid;
} * pins;
static size_t nr_pins, room_pins;

static void remember_pin(const struct request *q, const struct gmem_result *r)
{
	if (!r->clause || r->value < 0)
		return;
	pins = xgrow(pins, nr_pins, &room_pins, sizeof(*pins));
	pins[nr_pins].fd = r->value;
	pins[nr_pins++].uid = fuse_req_ctx(q->req)->uid;
}

/* On whatever file or directory, as a pin outlives what it is of; but only by who made it. */
static int64_t unpin(const struct request *q, struct mount_call *m)
{
	uid_t uid = fuse_req_ctx(q->req)->uid;
	size_t i;

	for (i = 0; i < nr_pins && pins[i].fd != m->call.fd; i++)
		;
	if (i == nr_pins)
		return -EBADF;
	if (uid && uid != pins[i].uid)
		return -EPERM;
	pins[i] = pins[--nr_pins];
	return world_call(&m->call, &m->result);
}

/* A page that has failed leaves the kernel's cache, too. */
static void own_call(const struct request *q)
{
	struct mount_call m = *(const struct mount_call *)q->in;
	uint64_t page = m.call.offset >> GMEM_PAGE_SHIFT;
	struct job *j = NULL;
	int64_t result;

	m.call = only_what_counts(&m.call);
	m.result = (struct gmem_result){ 0 };
	if (q->n->kind == NODE_VM &&
	    (m.call.verb == GMEM_GUEST_LOAD || m.call.verb == GMEM_GUEST_STORE)) {
		guest_call(q->req, q->n, &m);
		return;
	}
	fs_lock();
	result = q->n->fd == NO_FD ? -EBADF : -ENOTTY;
	if (m.call.verb == GMEM_UNPIN) {
		result = unpin(q, &m);
	} else if (q->n->kind == NODE_FILE && q->n->fd != NO_FD) {
		result = file_call(q->n, &m);
		if (m.call.verb == GMEM_PIN)
			remember_pin(q, &m.result);
	} else if (q->n->fd != NO_FD && m.call.verb == GMEM_LAUNCH_FINISH) {
		m.call.fd = q->n->fd;
		result = world_call(&m.call, &m.result);
	}
	if (m.call.verb == GMEM_MEMORY_FAILURE && m.result.clause && q->n->map &&
	    m.call.offset < q->n->size)
		j = notify_job(q->req, q->n, page, page + 1);
	fs_unlock();
	if (j) {
		j->call = m;
		j->then = reply_call;
		notify_queue(j);
	} else {
		answer(q, m.result.clause ? 0 : result, &m, sizeof(m));
	}
}

/* ---- which ---- */

static void vm_ioctl(const struct request *q)
{
	switch (q->cmd) {
	case MOUNT_CHECK_EXTENSION:
		check_extension(q);
		break;
	case MOUNT_CREATE_GUEST_MEMFD:
		create_guest_memfd(q);
		break;
	case MOUNT_SET_REGION:
		set_region(q);
		break;
	case MOUNT_SET_REGION2:
		set_region2(q);
		break;
	case MOUNT_SET_ATTRIBUTES:
		set_attributes(q);
		break;
	case MOUNT_ENABLE_CAP:
		enable_cap(q);
		break;
	case MOUNT_PRE_FAULT:
		pre_fault(q);
		break;
	default:
		fuse_reply_err(q->req, ENOTTY);
	}
}

/* In a profile that has no such number, any that some design has is the model's to refuse. */
static int is_attributes2(unsigned int cmd)
{
	return fs.attributes_number ?
		       cmd == fs.attributes_number :
		       cmd == MOUNT_SET_ATTRIBUTES2 || cmd == MOUNT_SET_ATTRIBUTES2_V1;
}

static void file_ioctl(const struct request *q)
{
	if (is_attributes2(q->cmd))
		convert(q, GMEM_SET_MEMORY_ATTRIBUTES2);
	else if (q->cmd == MOUNT_CONVERT_SHARED)
		convert(q, GMEM_CONVERT_SHARED);
	else if (q->cmd == MOUNT_CONVERT_PRIVATE)
		convert(q, GMEM_CONVERT_PRIVATE);
	else
		fuse_reply_err(q->req, ENOTTY);
}

/*
 * A directory can be opened by whoever may read it, but a VM is in the hands of its owner: as for a new
 * file in it, permission to write is needed. Files are only opened by their owner.
 */
static bool may_change(fuse_req_t req, const struct node *dir)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	gid_t groups[64];
	mode_t mode;
	int i, n;

	if (dir->kind == NODE_FILE || !ctx->uid)
		return true;
	fs_lock();
	mode = dir->mode;
	if (ctx->uid == dir->uid) {
		mode >>= 6;
	} else {
		n = ctx->gid == dir->gid ? 0 : fuse_req_getgroups(req, 64, groups);
		for (i = 0; i < n && i < 64 && groups[i] != dir->gid; i++)
			;
		if (ctx->gid == dir->gid || (i < n && i < 64))
			mode >>= 3;
	}
	fs_unlock();
	return mode & 2;
}

void op_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned int cmd, void *arg,
	      struct fuse_file_info *fi, unsigned int flags, const void *in, size_t in_size,
	      size_t out_size)
{
	struct request q = { .req = req,
			     .n = tree_node(ino),
			     .cmd = cmd,
			     .arg = (uintptr_t)arg,
			     .in = in,
			     .in_size = in_size,
			     .out_size = out_size };

	(void)fi;
	if (flags & (FUSE_IOCTL_COMPAT | FUSE_IOCTL_UNRESTRICTED))
		fuse_reply_err(req, ENOTTY);
	else if ((_IOC_DIR(cmd) & _IOC_WRITE) && in_size != _IOC_SIZE(cmd))
		fuse_reply_err(req, EINVAL);
	else if (!may_change(req, q.n))
		fuse_reply_err(req, EACCES);
	else if (cmd == MOUNT_CALL)
		own_call(&q);
	else if (cmd == MOUNT_ON && q.n->kind == NODE_ROOT && fs.o.run)
		run_call(req, in);
	else if (q.n->kind == NODE_FILE)
		file_ioctl(&q);
	else if (q.n->kind == NODE_VM && is_attributes2(cmd))
		attributes2_of_vm(&q);
	else if (q.n->kind == NODE_VM)
		vm_ioctl(&q);
	else
		fuse_reply_err(req, ENOTTY);
}
