/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guests: loads and stores that `gmem guest-load' and `gmem guest-store' ask for.
 *
 * What a host has stored through a mapping may still be in the kernel's cache alone, so the page is
 * written back and dropped first. Then the model says whether the guest may, and the contents have
 * the bytes. Before a store it is made sure that the cache has not got the page again meanwhile: a
 * write-back of all of it would undo what the guest has stored.
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

/* 0, and the answer is in *r; or a negated errno. */
static int64_t guest_load(const struct node *vm, const struct gmem_call *c, struct gmem_result *r)
{
	uint64_t offset, value = 0;
	int64_t err = world_ask(c, r);
	struct node *n = look_gpa(vm, c->gpa, &offset);

	if (!r->clause)
		return err; /* the model was not asked */
	if (r->outcome != GMEM_VALUE || result_is_errno(r) || !n || !look_guest_has(vm, c->gpa)) {
		if (!is_of_program(r))
			world_log(c, r);
		return 0;
	}
	if (contents_read(n, &value, c->size, offset))
		return -EIO;
	if (value != (uint64_t)r->value) {
		tell_bytes(n, c, offset, value);
		err = world_ask(c, r);
		if (!r->clause)
			return err;
	}
	world_log(c, r);
	result_load(r, value);
	return 0;
}

/* The same. */
static int64_t guest_store(const struct node *vm, const struct gmem_call *c, struct gmem_result *r)
{
	uint64_t offset;
	struct node *n = look_gpa(vm, c->gpa, &offset);
	int64_t err;

	if (n && !contents_at(n, 1, offset) && contents_fit(GMEM_PAGE_SIZE))
		return -ENOMEM;
	err = world_ask(c, r);
	if (r->clause && !is_of_program(r))
		world_log(c, r);
	if (!r->clause)
		return err;
	if (r->outcome != GMEM_VALUE || result_is_errno(r) || !n || !look_guest_has(vm, c->gpa))
		return 0;
	return contents_write(n, &c->value, c->size, offset);
}

/*
 * 0 if the kernel's cache cannot have the page that the guest stores into, and what was in it has been
 * written back; else what is to be dropped before it is asked again. *since is which windows had
 * been opened when that was done last.
 */
static int must_drop(const struct node *vm, uint64_t gpa, uint64_t *since, struct job *j)
{
	struct gmem_result r;
	uint64_t offset, page;
	struct node *n = look_gpa(vm, gpa, &offset);

	page = offset >> GMEM_PAGE_SHIFT;
	if (!n || !notify_may_have_since(n, page, *since))
		return 0;
	j->ino = tree_ino(n);
	j->offset = page << GMEM_PAGE_SHIFT;
	j->length = GMEM_PAGE_SIZE;
	notify_open_window(j, n, WINDOW_TAKEN);
	*since = fs.windows_opened;
	/* not where an entry only says that the page has failed */
	if (look_all_mapped(n, page, page + 1))
		world_call(&(struct gmem_call){ .verb = GMEM_MADVISE,
						.addr = n->map + j->offset,
						.length = GMEM_PAGE_SIZE,
						.advice = GMEM_MADV_DONTNEED },
			   &r);
	return 1;
}

/* So often can somebody else be faster. */
#define MOST_TRIES 10000

static int64_t drop_and_store(struct job *j)
{
	struct mount_call *m = &j->call;
	uint64_t since = 0;
	int i;

	for (i = 0; i < MOST_TRIES && must_drop(j->vm, m->call.gpa, &since, j); i++) {
		fs_unlock();
		notify_drop(j);
		fs_lock();
	}
	return i < MOST_TRIES ? guest_store(j->vm, &m->call, &m->result) : -EAGAIN;
}

static void access_memory(struct job *j)
{
	struct mount_call *m = &j->call;
	int64_t err = -ENOENT;

	fs_lock();
	m->call.fd = j->vm->fd;
	if (m->call.fd == NO_FD)
		;
	else if (m->call.verb == GMEM_GUEST_STORE)
		err = drop_and_store(j);
	else
		err = guest_load(j->vm, &m->call, &m->result);
	tree_release(j->vm);
	fs_unlock();
	if (err)
		fuse_reply_err(j->req, (int)-err);
	else
		fuse_reply_ioctl(j->req, 0, m, sizeof(*m));
}

void guest_call(fuse_req_t req, struct node *vm, const struct mount_call *m)
{
	bool is_load = m->call.verb == GMEM_GUEST_LOAD;
	uint64_t offset, page;
	struct node *n;
	struct job *j;

	fs_lock();
	n = vm->fd == NO_FD ? NULL : look_gpa(vm, m->call.gpa, &offset);
	page = n ? offset >> GMEM_PAGE_SHIFT : 0;
	if (is_load && n && notify_may_have(n, page, page + 1)) {
		j = notify_job(req, n, page, page + 1);
		notify_open_window(j, n, WINDOW_SEEN);
	} else {
		j = notify_job(req, vm, 0, 0);
	}
	tree_open(vm);
	fs_unlock();
	j->vm = vm;
	j->call = *m;
	j->then = access_memory;
	notify_queue(j);
}
