/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What `gmem run' asks on behalf of programs, on the top of the mount: any call of any VM, and its
 * whole result. A program's descriptors are `gmem run''s affair; here VMs and files have numbers.
 */
#include <errno.h>

#include "gmemfs.h"

static int64_t create_vm(const struct fuse_ctx *ctx, struct mount_call *m)
{
	struct node *n;
	int err = tree_make_numbered_vm(m->call.type, ctx->uid, ctx->gid, &n);

	m->result.value = err ? err : (int64_t)n->number;
	return 0;
}

/* Of a descriptor that is no guest_memfd any other will do: /dev/kvm is always open. */
static int64_t memfd_number(uint64_t memfd)
{
	struct node *n;

	if (memfd == MOUNT_OTHER_FILE)
		return GMEM_KVM_FD;
	n = memfd == MOUNT_NO_FILE ? NULL : tree_file(memfd);
	return n ? n->fd : -1;
}

static int64_t vm_call(const struct fuse_ctx *ctx, struct node *vm, const struct mount_on *on,
		       struct mount_call *m)
{
	m->call.fd = vm->fd;
	switch (m->call.verb) {
	case GMEM_CREATE_GUEST_MEMFD:
		m->result.value = tree_create_guest_memfd(vm, &m->call, ctx->uid, ctx->gid);
		return 0;
	case GMEM_SET_USER_MEMORY_REGION2:
		m->call.memfd = memfd_number(on->memfd);
		break;
	case GMEM_CHECK_EXTENSION:
	case GMEM_SET_USER_MEMORY_REGION:
	case GMEM_SET_MEMORY_ATTRIBUTES:
	case GMEM_SET_MEMORY_ATTRIBUTES2:
	case GMEM_ENABLE_CAP:
	case GMEM_LAUNCH_FINISH:
	case GMEM_PRE_FAULT_MEMORY:
		break;
	default:
		return -ENOTTY;
	}
	world_call(&m->call, &m->result);
	return m->result.clause ? 0 : -EIO;
}

static int64_t check_extension(struct mount_call *m)
{
	m->call.fd = GMEM_KVM_FD;
	world_call(&m->call, &m->result);
	return 0;
}

/* Of what was unlinked already. */
static bool is_open(uint64_t memfd)
{
	const struct node *n = tree_file(memfd);

	return n && n->opens;
}

static void reply_call(struct job *j)
{
	fuse_reply_ioctl(j->req, 0, &j->call, sizeof(j->call));
}

/* A page that has failed leaves the kernel's cache, too; then the job answers. */
static struct job *failed_page(fuse_req_t req, const struct node *n, const struct mount_call *m)
{
	uint64_t page = m->call.offset >> GMEM_PAGE_SHIFT;
	struct job *j;

	if (m->call.verb != GMEM_MEMORY_FAILURE || !n->map || m->call.offset >= n->size)
		return NULL;
	j = notify_job(req, n, page, page + 1);
	j->call = *m;
	j->then = reply_call;
	return j;
}

/* A call of a guest_memfd that a program cannot make through FUSE. */
static int64_t file_call(fuse_req_t req, const struct mount_on *on, struct mount_call *m,
			 struct job **j)
{
	const struct node *n = tree_file(on->memfd);

	if (!n || n->fd == NO_FD)
		return -EBADF;
	switch (m->call.verb) {
	case GMEM_FSTATFS:
	case GMEM_CACHESTAT:
	case GMEM_MMAP:
	case GMEM_MEMORY_FAILURE:
		m->call.fd = n->fd;
		world_call(&m->call, &m->result);
		*j = failed_page(req, n, m);
		return m->result.clause ? 0 : -EIO;
	default:
		return -ENOTTY;
	}
}

/* What only counts for gmemfs itself is not taken from outside. */
static struct mount_call begin(const struct mount_on *on)
{
	struct mount_call m = on->m;

	m.result = (struct gmem_result){ 0 };
	m.call.task = 0;
	return m;
}

void run_call(fuse_req_t req, const struct mount_on *on)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	struct mount_call m = begin(on);
	struct job *j = NULL;
	struct node *vm;
	int64_t err = -EBADF;

	fs_lock();
	vm = tree_vm(on->vm);
	if (vm && (m.call.verb == GMEM_GUEST_LOAD || m.call.verb == GMEM_GUEST_STORE)) {
		tree_open(vm);
		fs_unlock();
		guest_call(req, vm, &m);
		fs_lock();
		tree_release(vm);
		fs_unlock();
		return;
	}
	if (!on->vm && m.call.verb == GMEM_CREATE_VM)
		err = create_vm(ctx, &m);
	else if (!on->vm && m.call.verb == GMEM_CHECK_EXTENSION)
		err = check_extension(&m);
	else if (!on->vm && m.call.verb == GMEM_CLOSE)
		err = is_open(on->memfd) ? -EAGAIN : 0;
	else if (vm)
		err = vm_call(ctx, vm, on, &m);
	else if (!on->vm)
		err = file_call(req, on, &m, &j);
	fs_unlock();
	if (j)
		notify_queue(j);
	else if (err)
		fuse_reply_err(req, (int)-err);
	else
		fuse_reply_ioctl(req, 0, &m, sizeof(m));
}
