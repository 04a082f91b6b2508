/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What fuse-check.c, fuse-late.c and fuse-limits.c have of each other.
 */
#ifndef FUSE_LIMITS_H
#define FUSE_LIMITS_H

#include "fuse-check.h"

/* ---- fuse-check.c, for the others ---- */

/* The directory of the VM. */
extern int dir;
/* The result, or the negated errno. */
long call(int fd, unsigned long request, void *arg);
/* A new file, opened; its number in *number. */
int new_file(uint64_t size, uint64_t flags, long *number);
int shared_file(uint64_t size, long *number);
/* All of it, shared, to be read and written. */
unsigned char *map(int fd, size_t size);
/* A call of a guest on one byte: its value, the negated errno, or 1000 and the outcome. */
long guest(uint32_t verb, uint64_t gpa, uint64_t value);

/* ---- fuse-limits.c ---- */

void check_limits_of_fuse(void);
void check_limits_of_ioctls(void);
void check_limits_of_events(void);
void check_limits_of_memory(void);
void check_limits_of_contents(void);
void check_limits_of_limits(void);
void check_limits_of_strict(void);

/* ---- fuse-late.c ---- */

void check_late(void);

#endif
