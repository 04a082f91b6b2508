/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What descriptors of the program stand for: /dev/kvm, VMs and vCPUs are memfds, which survive
 * dup, fork, exec and being passed over a socket as any file does, and are known by their inode
 * number wherever they turn up. A guest_memfd is a file of the mount.
 *
 * When the last descriptor or mapping of one is gone inotify(7) says so. That works for files that
 * were opened by a name, so a memfd is opened once more through /proc.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common.h"
#include "run.h"

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW)

static int watch(int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return inotify_add_watch(session.inotify, path, IN_OPEN | IN_CLOSE);
}

static struct object *add(enum kind kind, uint64_t ino, int wd)
{
	struct object *o = xcalloc(1, sizeof(*o));

	o->kind = kind;
	o->ino = ino;
	o->watch = wd;
	o->opens = 1;
	o->next = session.objects;
	session.objects = o;
	return o;
}

/* A memfd of that size, opened anew. */
static int new_file(const char *name, size_t size, uint8_t **page)
{
	int memfd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING), fd = -1;
	char path[32];

	if (memfd < 0)
		return -errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", memfd);
	*page = NULL;
	if (!ftruncate(memfd, (off_t)size) && !fchmod(memfd, 0600) &&
	    !fcntl(memfd, F_ADD_SEALS, SEALS)) {
		if (size)
			*page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
		if (*page != MAP_FAILED)
			fd = open(path, O_RDWR | O_CLOEXEC);
	}
	if (fd < 0)
		fd = -errno;
	close(memfd);
	return fd;
}

struct object *object_new(enum kind kind, const char *name, size_t size, int *fd)
{
	struct object *o;
	struct stat st;
	uint8_t *page = NULL;
	int wd;

	*fd = new_file(name, size, &page);
	if (*fd < 0)
		return NULL;
	wd = watch(*fd);
	if (wd < 0 || fstat(*fd, &st)) {
		close(*fd);
		*fd = -ENOMEM;
		return NULL;
	}
	o = add(kind, st.st_ino, wd);
	o->page = page;
	return o;
}

void object_new_kvm(void)
{
	uint8_t *none;
	struct stat st;

	session.kvm = new_file("kvm", 0, &none);
	if (session.kvm < 0 || fstat(session.kvm, &st))
		die("run: no memfd: %s", strerror(errno));
	session.memfd_dev = st.st_dev;
	add(KIND_KVM, st.st_ino, -1);
}

void object_watch_file(uint64_t ino, int fd)
{
	int wd = watch(fd);

	if (wd >= 0)
		add(KIND_GMEM, ino, wd);
}

struct object *object_find(uint64_t ino)
{
	struct object *o;

	for (o = session.objects; o && (o->ino != ino || o->kind == KIND_GMEM); o = o->next)
		;
	return o;
}

/* The last descriptor of a VM and of its vCPUs is gone. */
static void put_vm(struct vm *vm)
{
	if (--vm->users)
		return;
	mount_remove_vm(vm->node);
	vm_free(vm);
}

static void leave_vm(struct object *o)
{
	struct object **at;

	for (at = &o->vm->vcpus; *at && *at != o; at = &(*at)->next_vcpu)
		;
	if (*at)
		*at = o->next_vcpu;
	put_vm(o->vm);
}

void object_free(struct object *o)
{
	struct object **at;

	for (at = &session.objects; *at != o; at = &(*at)->next)
		;
	*at = o->next;
	inotify_rm_watch(session.inotify, o->watch);
	if (o->kind == KIND_GMEM)
		mount_wait_closed(o->ino);
	if (o->page)
		munmap(o->page, VCPU_PAGES * GMEM_PAGE_SIZE);
	if (o->vcpu)
		vcpu_end(o->vcpu);
	kept_free(o->kept);
	if (o->vm)
		leave_vm(o);
	free(o);
}

static struct object *watched_by(int wd)
{
	struct object *o;

	for (o = session.objects; o && o->watch != wd; o = o->next)
		;
	return o;
}

/* One more or one less; /dev/kvm itself stays. */
static void take_event(const struct inotify_event *e)
{
	struct object *o = watched_by(e->wd);

	if (!o || o->kind == KIND_KVM)
		return;
	if (e->mask & IN_OPEN)
		o->opens++;
	else if ((e->mask & IN_CLOSE) && !--o->opens)
		object_free(o);
}

void objects_closed(void)
{
	union {
		struct inotify_event event;
		char bytes[64 * (sizeof(struct inotify_event) + NAME_MAX + 1)];
	} buffer;
	ssize_t n, at;

	while ((n = read(session.inotify, &buffer, sizeof(buffer))) > 0) {
		for (at = 0; at < n;) {
			struct inotify_event e;

			memcpy(&e, buffer.bytes + at, sizeof(e));
			take_event(&e);
			at += (ssize_t)(sizeof(e) + e.len);
		}
	}
}
