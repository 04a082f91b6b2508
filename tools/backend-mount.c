/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A mounted gmemfs as a back end: VMs are directories that it makes, guest_memfds are files in
 * them, and every call is a system call on one of them, or an access of this very process.
 *
 * What a descriptor stands for is in struct handle; a descriptor of a trace is its place in the
 * table. Files lose their names as soon as they are open, so that the last close() or munmap()
 * ends them; as the kernel tells FUSE of that without waiting, sync_handles() waits. Mappings lie in an
 * arena in which no address is used twice.
 *
 * What FUSE cannot show is refused, with the reason: mount_limit().
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "backend-mount-parts.h"
#include "backend-mount.h"
#include "common.h"
#include "mount-abi.h"

static const char *where;
int mount_strict;
sigjmp_buf mount_after_fault;

enum backend_status mount_limit(struct backend_error *e, const char *why)
{
	snprintf(e->why, sizeof(e->why), "a limit of FUSE: %.200s", why);
	return BACKEND_UNSUPPORTED;
}

enum backend_status mount_answer(struct gmem_result *r, long value)
{
	r->value = value < 0 ? -errno : value;
	return BACKEND_DONE;
}

enum backend_status mount_refuse(struct gmem_result *r, int err)
{
	r->value = -err;
	return BACKEND_DONE;
}

/* ---- the mount ---- */

long mount_number(int fd, const char *name)
{
	char value[32];
	ssize_t n = fgetxattr(fd, name, value, sizeof(value) - 1);

	if (n < 0)
		return -1;
	value[n] = 0;
	return strtol(value, NULL, 0);
}

static int users_of(const struct mount *m)
{
	int i, n = 0;

	for (i = 0; i < MOST_HANDLES; i++)
		n += m->all[i].users && m->all[i].kind != GMEM_FD_PIN;
	return n;
}

/* Until the mount has heard of everything that was closed. */
static void sync_handles(const struct mount *m)
{
	int tries;

	for (tries = 0; tries < 2000; tries++) {
		if (mount_number(m->root, "user.gmem.handles") <= m->handles + users_of(m))
			return;
		usleep(500);
	}
}

int backend_mount_at(const char *path, struct backend_error *e)
{
	char name[64];
	ssize_t n = getxattr(path, "user.gmem.profile", name, sizeof(name));
	struct stat st;

	where = path;
	if (n > 0 && !stat(path, &st) && S_ISDIR(st.st_mode)) {
		mount_strict = getxattr(path, "user.gmem.strict", name, sizeof(name)) > 0;
		return 1;
	}
	snprintf(e->why, sizeof(e->why), "%s is no mounted gmemfs", path);
	return 0;
}

static enum backend_status mount_machine(struct gmem_machine *machine, struct backend_error *e)
{
	char line[256] = "machine ";
	size_t had = strlen(line);
	ssize_t n = getxattr(where, "user.gmem.machine", line + had, sizeof(line) - 1 - had);
	struct trace_error wrong;
	struct trace t;

	*machine = gmem_machine_default;
	if (n > 0 && !trace_parse(&t, line, had + (size_t)n, &wrong))
		return mount_limit(e, wrong.reason);
	if (n > 0) {
		*machine = t.machine;
		trace_free(&t);
	}
	machine->max_fds = MOST_HANDLES;
	return BACKEND_DONE;
}

const char *not_of_this_mount(const struct trace *t, struct backend_error *e)
{
	const char *why = trace_only_on_the_model(t);
	const struct gmem_profile *p = t->profile ? t->profile : gmem_profile_default();
	char name[64] = "";
	struct gmem_machine machine;

	if (why)
		return why;
	if (mount_machine(&machine, e) != BACKEND_DONE || !trace_fits_machine(t, &machine, e))
		return e->why;
	if (t->machine_says & TRACE_MACHINE_FDS)
		return "a limit of FUSE: descriptors are not counted";
	if (t->machine.in_place != machine.in_place)
		return "the trace is about a machine with the switch in_place the other way";
	if (getxattr(where, "user.gmem.profile", name, sizeof(name) - 1) < 0 ||
	    strcmp(name, gmem_profile_name(p)))
		return "the trace is about another profile than the mount";
	return NULL;
}

static uint64_t profile_number(const struct gmem_profile *p, const char *name)
{
	struct gmem_number n;
	unsigned int i;

	for (i = 0; gmem_profile_number(p, i, &n); i++)
		if (!strcmp(n.name, name))
			return n.value;
	return 0;
}

static void on_fault(int signal)
{
	siglongjmp(mount_after_fault, signal);
}

static enum backend_status mount_open(void **ctx, const struct backend_config *config,
				      struct backend_error *e)
{
	struct sigaction a = { .sa_handler = on_fault };
	struct mount *m = xcalloc(1, sizeof(*m));

	*ctx = m;
	m->next = ARENA;
	m->root = open(where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	sigaction(SIGBUS, &a, NULL);
	sigaction(SIGSEGV, &a, NULL);
	m->handles = mount_number(m->root, "user.gmem.handles");
	m->shareability = profile_number(config->profile, "has_shareability") != 0;
	if (m->root >= 0)
		return BACKEND_DONE;
	snprintf(e->why, sizeof(e->why), "%s: %s", where, strerror(errno));
	return BACKEND_BROKEN;
}

/* ---- handles ---- */

struct handle *mount_handle(struct mount *m, int64_t fd)
{
	return fd >= 0 && fd < MOST_HANDLES ? m->fds[fd] : NULL;
}

int64_t mount_new_fd(struct mount *m, struct handle *h)
{
	int64_t fd;

	for (fd = GMEM_KVM_FD + 1; fd < MOST_HANDLES; fd++)
		if (!m->fds[fd])
			break;
	if (fd == MOST_HANDLES)
		die("too many descriptors at a time");
	m->fds[fd] = h;
	h->users++;
	return fd;
}

struct handle *mount_new_handle(struct mount *m, int fd, unsigned int kind, int64_t number)
{
	int i;

	for (i = 0; i < MOST_HANDLES && m->all[i].users; i++)
		;
	if (i == MOST_HANDLES)
		die("too many files at a time");
	m->all[i] = (struct handle){ .fd = fd, .kind = kind, .number = number };
	return &m->all[i];
}

void mount_put(struct mount *m, struct handle *h)
{
	struct mount_call end = { .call = { .verb = GMEM_UNPIN, .fd = h->number } };

	if (--h->users)
		return;
	if (h->kind == GMEM_FD_PIN) {
		ioctl(h->fd, MOUNT_CALL, &end);
	} else if (h->kind == GMEM_FD_VM) {
		close(h->fd);
		unlinkat(m->root, h->name, AT_REMOVEDIR);
		sync_handles(m);
		return;
	}
	close(h->fd);
	sync_handles(m);
}

static enum backend_status create_vm(struct mount *m, const struct gmem_call *c,
				     struct gmem_result *r, struct backend_error *e)
{
	char type[32], name[32];
	struct handle *h;
	int fd;

	if (c->fd != GMEM_KVM_FD)
		return mount_handle(m, c->fd) ? mount_limit(e, "a VM is made by mkdir") :
						mount_refuse(r, EBADF);
	snprintf(name, sizeof(name), "replay-%d-%u", (int)getpid(), m->nr_vms++);
	snprintf(type, sizeof(type), "%llu", (unsigned long long)c->type);
	if (mkdirat(m->root, name, 0700))
		return mount_answer(r, -1);
	fd = openat(m->root, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fsetxattr(fd, "user.gmem.type", type, strlen(type), 0)) {
		mount_answer(r, -1);
		close(fd);
		unlinkat(m->root, name, AT_REMOVEDIR);
		sync_handles(m);
		return BACKEND_DONE;
	}
	h = mount_new_handle(m, fd, GMEM_FD_VM, mount_number(fd, "user.gmem.fd"));
	snprintf(h->name, sizeof(h->name), "%s", name);
	return mount_answer(r, (long)mount_new_fd(m, h));
}

static enum backend_status do_close(struct mount *m, const struct gmem_call *c,
				    struct gmem_result *r, struct backend_error *e)
{
	struct handle *h = mount_handle(m, c->fd);

	if (c->fd == GMEM_KVM_FD)
		return mount_limit(e, "there is no /dev/kvm to close");
	if (!h)
		return mount_refuse(r, EBADF);
	if (c->verb == GMEM_DUP)
		return mount_answer(r, (long)mount_new_fd(m, h));
	m->fds[c->fd] = NULL;
	mount_put(m, h);
	return mount_answer(r, 0);
}

static enum backend_status mount_call(void *ctx, const struct gmem_call *c, struct gmem_result *r,
				      struct backend_error *e)
{
	struct mount *m = ctx;

	*r = (struct gmem_result){ 0 };
	if (c->task)
		return mount_limit(e, "there is one process");
	switch (c->verb) {
	case GMEM_CREATE_VM:
		return create_vm(m, c, r, e);
	case GMEM_MMAP:
	case GMEM_MUNMAP:
	case GMEM_MPROTECT:
	case GMEM_MADVISE:
	case GMEM_LOAD:
	case GMEM_STORE:
	case GMEM_PIN:
		return mount_memory_call(m, c, r, e);
	case GMEM_DUP:
	case GMEM_CLOSE:
	case GMEM_UNPIN:
		return do_close(m, c, r, e);
	case GMEM_FORK:
	case GMEM_THREAD:
	case GMEM_EXIT:
	case GMEM_INJECT:
	case GMEM_POPULATE:
	case GMEM_PIN_LOAD:
	case GMEM_PIN_STORE:
		return mount_limit(e, "there is no way to ask that");
	default:
		return mount_fd_call(m, c, r, e);
	}
}

static enum backend_status mount_reset(void *ctx, struct backend_error *e)
{
	struct mount *m = ctx;
	int64_t fd;

	(void)e;
	while (m->nr_maps) {
		struct mapping *p = &m->maps[--m->nr_maps];

		munmap((void *)(uintptr_t)p->start, p->end - p->start);
		if (p->h)
			mount_put(m, p->h);
	}
	for (fd = 0; fd < MOST_HANDLES; fd++) {
		if (m->fds[fd])
			mount_put(m, m->fds[fd]);
		m->fds[fd] = NULL;
	}
	return BACKEND_DONE;
}

static void mount_close(void *ctx)
{
	struct backend_error e;
	struct mount *m = ctx;

	if (!m)
		return;
	mount_reset(m, &e);
	close(m->root);
	free(m);
}

const struct backend backend_mount = {
	.name = "mount",
	.machine = mount_machine,
	.open = mount_open,
	.call = mount_call,
	.reset = mount_reset,
	.close = mount_close,
};
