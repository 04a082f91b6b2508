/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one world that is mounted, and the way into it: every request becomes calls of the world's
 * task 0, and each of them is logged.
 *
 * The daemon's mapping of a file (node.map) stands for the kernel's cache of it: what the model
 * lets the daemon map the kernel may keep, and what the model takes out of the daemon's page
 * tables the kernel is told to drop. So invariant I2, the host maps no private page, is about both.
 */
#include <errno.h>

#include "gmemfs.h"
#include "memory.h"

/* No more than may be: then the model has no memory, and refuses. */
static void *resize(void *arg, void *p, size_t old, size_t size)
{
	return size > fs.most_world ? NULL : memory_resize(arg, p, old, size);
}

int world_begin(void)
{
	struct gmem_machine machine = fs.machine;
	struct gmem_config c = { .profile = fs.profile,
				 .machine = &machine,
				 .resize = resize,
				 .checking = fs.o.check ? GMEM_CHECK_CALLS : GMEM_CHECK_NEVER };

	machine.max_fds = 65536;
	if (gmem_world_new(&fs.w, &c) != GMEM_DONE)
		return 0;
	fs.locks = gmem_lockdep_new(NULL, NULL);
	if (fs.locks)
		gmem_watch_locks(fs.w, fs.locks);
	return fs.locks != NULL;
}

void world_end(void)
{
	gmem_world_free(fs.w);
	gmem_lockdep_free(fs.locks);
}

/* What ends something, or only looks, can be done where there is no room for anything else. */
static int may_take_all(uint32_t verb)
{
	return verb == GMEM_CLOSE || verb == GMEM_MUNMAP || verb == GMEM_UNPIN ||
	       verb == GMEM_FSTAT;
}

int64_t world_ask(const struct gmem_call *c, struct gmem_result *r)
{
	*r = (struct gmem_result){ 0 };
	if (!may_take_all(c->verb) && !look_has_room(c))
		return -ENOMEM;
	switch (gmem_call(fs.w, c, r)) {
	case GMEM_DONE:
		return r->outcome == GMEM_VALUE ? r->value : -EFAULT;
	case GMEM_MISUSE:
		return -EINVAL;
	case GMEM_FAILED:
		return -ENOMEM;
	default:
		log_violation(gmem_violation(fs.w));
		return -EIO;
	}
}

void world_log(const struct gmem_call *c, const struct gmem_result *r)
{
	log_call(c, r);
}

int64_t world_call(const struct gmem_call *c, struct gmem_result *r)
{
	int64_t value = world_ask(c, r);

	if (r->clause)
		log_call(c, r);
	return value;
}
