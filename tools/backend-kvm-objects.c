/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the far side of backend-kvm.c knows of the caller's descriptors: which VM one refers to,
 * as a VM may have a vCPU, and which pin. Descriptors of which nothing has to be known (files,
 * /dev/kvm) have no object. Each process has its own objects, which a fork copies.
 */
#define _GNU_SOURCE
#include <stdlib.h>

#include "backend-kvm.h"

struct object *far_object(const struct far *f, int64_t fd)
{
	return fd >= 0 && fd < (int64_t)f->max_fds ? f->objects[fd] : NULL;
}

struct object *far_object_new(struct far *f, int fd)
{
	struct object *o;

	if (fd < 0 || fd >= (int)f->max_fds)
		return NULL;
	o = calloc(1, sizeof(*o));
	if (o)
		o->refs = 1;
	f->objects[fd] = o;
	return o;
}

void far_object_dup(struct far *f, int from, int to)
{
	struct object *o = far_object(f, from);

	if (!o || to < 0 || to >= (int)f->max_fds)
		return;
	o->refs++;
	f->objects[to] = o;
}

/* A vCPU would keep the VM alive that nobody can reach any more. */
void far_object_close(struct far *f, int fd)
{
	struct object *o = far_object(f, fd);

	if (!o)
		return;
	f->objects[fd] = NULL;
	if (--o->refs)
		return;
	if (o->guest)
		far_guest_free(o->guest);
	free(o->pin);
	free(o);
}
