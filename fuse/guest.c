/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guests: loads and stores that `gmem guest-load' and `gmem guest-store' ask for.
 *
 * What a host has stored through a mapping may still be in the kernel's cache alone, so the page is
 * written back first. Then the model says whether the guest may, and the contents have the bytes;
 * what a guest has stored into a shared page is put into the kernel's cache as well.
 */
#include <errno.h>
#include <string.h>

#include "gmemfs.h"

/*
 * The model is to know the bytes that the host has put there, so that what it answers, and what
 * the trace shows, is what is there: by a store of the host's, or of the guest's where the page is
 * private.
 */
static void tell_bytes(struct node *n, const struct gmem_call *c, uint64_t offset, uint64_t value)
{
	struct gmem_call store = *c;
	struct gmem_result r;
	uint64_t page = offset >> GMEM_PAGE_SHIFT;

	store.verb = GMEM_GUEST_STORE;
	store.value = value;
	if (n->map && look_shared_until(n, page, page + 1) > page) {
		store = (struct gmem_call){
			.verb = GMEM_STORE, .addr = n->map + offset, .size = c->size, .value = value
		};
	}
	world_call(&store, &r);
}

/*
 * The memory behind userspace_addr is a program's and not the daemon's: `gmem run' makes such an access itself,
 * and that the daemon cannot is nothing that has happened.
 */
static bool is_of_program(const struct gmem_result *r)
{
	return fs.o.run && result_is_errno(r) && r->value == -EFAULT &&
	       r->clause == gmem_clause_find("GUEST-9");
}

static int64_t guest_load(const struct node *vm, const struct gmem_call *c, struct gmem_result *r)
{
	uint64_t offset, value = 0;
	int64_t err = world_ask(c, r);
	struct node *n = look_gpa(vm, c->gpa, &offset);

	if (err < 0 && !r->clause)
		return err; /* the model was not asked */
	if (r->outcome != GMEM_VALUE || result_is_errno(r) || !n || !look_guest_has(vm, c->gpa)) {
		if (!is_of_program(r))
			world_log(c, r);
		return err;
	}
	if (contents_read(n, &value, c->size, offset))
		return -EIO;
	if (value != (uint64_t)r->value) {
		tell_bytes(n, c, offset, value);
		if (world_ask(c, r) < 0 && !r->clause)
			return -EIO;
	}
	world_log(c, r);
	result_load(r, value);
	return 0;
}

static int64_t guest_store(const struct node *vm, const struct gmem_call *c, struct gmem_result *r,
			   struct job *j)
{
	int64_t err = world_ask(c, r);
	struct node *n = look_gpa(vm, c->gpa, &j->offset);

	j->ino = 0;
	if (r->clause && !is_of_program(r))
		world_log(c, r);
	if (err || r->outcome != GMEM_VALUE || !n || !look_guest_has(vm, c->gpa))
		return err;
	err = contents_write(n, &c->value, c->size, j->offset);
	if (look_any_mapped(n, j->offset >> GMEM_PAGE_SHIFT, (j->offset >> GMEM_PAGE_SHIFT) + 1))
		j->ino = tree_ino(n);
	return err;
}

static bool has_answer(int64_t err, const struct gmem_result *r)
{
	return err != -EIO && (r->outcome != GMEM_VALUE || err != -EINVAL || r->clause);
}

static void access_memory(struct job *j)
{
	struct mount_call *m = &j->call;
	int64_t err = 0;

	fs_lock();
	m->call.fd = j->vm->fd;
	if (j->vm->fd == NO_FD)
		err = -ENOENT;
	else if (m->call.verb == GMEM_GUEST_STORE)
		err = guest_store(j->vm, &m->call, &m->result, j);
	else
		err = guest_load(j->vm, &m->call, &m->result);
	tree_release(j->vm);
	fs_unlock();
	if (!err && m->call.verb == GMEM_GUEST_STORE && j->ino)
		notify_store(j->ino, j->offset, &m->call.value, m->call.size);
	if (!has_answer(err, &m->result))
		fuse_reply_err(j->req, (int)-err);
	else
		fuse_reply_ioctl(j->req, 0, m, sizeof(*m));
}

void guest_call(fuse_req_t req, struct node *vm, const struct mount_call *m)
{
	uint64_t offset, page;
	struct node *n;
	struct job *j;

	fs_lock();
	n = vm->fd == NO_FD ? NULL : look_gpa(vm, m->call.gpa, &offset);
	page = n ? offset >> GMEM_PAGE_SHIFT : 0;
	if (n && notify_may_have(n, page, page + 1))
		j = notify_job(req, n, page, page + 1);
	else
		j = notify_job(req, vm, 0, 0);
	tree_open(vm);
	fs_unlock();
	j->vm = vm;
	j->call = *m;
	j->then = access_memory;
	notify_queue(j);
}
