/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The back end that is a mounted gmemfs; see backend.h.
 */
#ifndef BACKEND_MOUNT_H
#define BACKEND_MOUNT_H

#include "backend.h"
#include "trace.h"

extern const struct backend backend_mount;

/* Where the next open() finds it. 0 if there is no gmemfs, and *e says so. */
int backend_mount_at(const char *path, struct backend_error *e);
/* Why the trace does not concern that mount; null if it does. */
const char *not_of_this_mount(const struct trace *t, struct backend_error *e);

#endif
