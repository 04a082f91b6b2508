/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the back end that is a mount share: backend-mount.c has the descriptors and finds
 * out what is asked, backend-mount-calls.c the calls on them, backend-mount-memory.c mappings and
 * accesses.
 */
#ifndef BACKEND_MOUNT_PARTS_H
#define BACKEND_MOUNT_PARTS_H

#include <setjmp.h>

#include "backend.h"

#define MOST_HANDLES 256
#define MOST_MAPS 64
#define ARENA UINT64_C(0x100000000000)
#define BAD_POINTER ((void *)8)

struct handle {
	int users; /* descriptors and mappings; 0: free */
	int fd;
	unsigned int kind; /* GMEM_FD_* */
	int64_t number;	   /* of the descriptor in the mount's own model */
	char name[64];
};

struct mapping {
	uint64_t start, end, offset, prot;
	struct handle *h; /* null: anonymous */
};

struct mount {
	int root;
	long handles; /* that others have */
	struct handle all[MOST_HANDLES];
	struct handle *fds[MOST_HANDLES];
	struct mapping maps[MOST_MAPS];
	unsigned int nr_maps, nr_vms;
	uint64_t next;	  /* address */
	int shareability; /* the profile is one of these */
	int poisoned;	  /* a page has failed */
};

/* 1 if the mount refuses read and write. */
extern int mount_strict;
/* Where an access that faults goes back to, with the signal's number. */
extern sigjmp_buf mount_after_fault;

/* BACKEND_UNSUPPORTED, because FUSE cannot do that. */
enum backend_status mount_limit(struct backend_error *e, const char *why);
/* The value of a system call, or errno if that is below 0; and an errno. BACKEND_DONE. */
enum backend_status mount_answer(struct gmem_result *r, long value);
enum backend_status mount_refuse(struct gmem_result *r, int err);
/* An extended attribute that is a number; -1 if there is none. */
long mount_number(int fd, const char *name);

/* What a descriptor stands for; null if it is not open. */
struct handle *mount_handle(struct mount *m, int64_t fd);
struct handle *mount_new_handle(struct mount *m, int fd, unsigned int kind, int64_t number);
/* A descriptor of it: one more user. */
int64_t mount_new_fd(struct mount *m, struct handle *h);
/* One user less; the last one closes it. */
void mount_put(struct mount *m, struct handle *h);

/* The mapping at the address, or null. */
struct mapping *mount_mapping(struct mount *m, uint64_t addr);
/* By MOUNT_CALL. */
enum backend_status mount_own_call(struct handle *h, const struct gmem_call *c,
				   struct gmem_result *r);
/* Calls on memory, and those on descriptors. */
enum backend_status mount_memory_call(struct mount *m, const struct gmem_call *c,
				      struct gmem_result *r, struct backend_error *e);
enum backend_status mount_fd_call(struct mount *m, const struct gmem_call *c, struct gmem_result *r,
				  struct backend_error *e);

#endif
