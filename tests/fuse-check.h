/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For the programs that look at a mounted gmemfs: accesses that may raise SIGBUS, and the ioctls.
 * A check prints a line for each thing that is not as it should be, and nothing else.
 */
#ifndef FUSE_CHECK_H
#define FUSE_CHECK_H

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mount-abi.h"

#define PAGE 4096u
#define SIGBUS_RAISED (-1)

#define IS(what, want)                                                                        \
	do {                                                                                  \
		long is_ = (what), want_ = (want);                                            \
		if (is_ != want_)                                                             \
			printf("%s:%d: %s is %ld, not %ld\n", __func__, __LINE__, #what, is_, \
			       want_);                                                        \
	} while (0)

/* One for all files of a program. */
__attribute__((weak)) sigjmp_buf after_fault;

static void on_fault(int signal)
{
	(void)signal;
	siglongjmp(after_fault, 1);
}

static inline void catch_faults(void)
{
	struct sigaction a = { .sa_handler = on_fault };

	sigaction(SIGBUS, &a, NULL);
	sigaction(SIGSEGV, &a, NULL);
}

/* The byte, or SIGBUS_RAISED. */
static inline int load(const volatile unsigned char *p)
{
	if (sigsetjmp(after_fault, 1))
		return SIGBUS_RAISED;
	return *p;
}

/* 0, or SIGBUS_RAISED. */
static inline int store(volatile unsigned char *p, unsigned char value)
{
	if (sigsetjmp(after_fault, 1))
		return SIGBUS_RAISED;
	*p = value;
	return 0;
}

/* As linux-coco-v13 has it: 0 or an errno, and where in *error_offset (may be null). */
static inline int convert(int fd, uint64_t offset, uint64_t size, int private,
			  uint64_t *error_offset)
{
	struct kvm_attributes2 a = { .offset = offset,
				     .size = size,
				     .attributes = private ? GMEM_ATTRIBUTE_PRIVATE : 0 };
	int err = ioctl(fd, MOUNT_SET_ATTRIBUTES2, &a) ? errno : 0;

	if (error_offset)
		*error_offset = a.error_offset;
	return err;
}

#endif
