/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files of the ancestors: memfds, which a VM's private memory was in before guest_memfd, and what
 * memfd_restricted() gives. gmem_inode.memfd says which of these an inode is; 0 is a guest_memfd.
 */
#ifndef GMEM_MEMFD_H
#define GMEM_MEMFD_H

#include "ops.h"

#define F_SEAL_SEAL 1u
#define F_SEAL_SHRINK 2u
#define F_SEAL_GROW 4u
#define F_SEAL_WRITE 8u
#define F_SEAL_FUTURE_WRITE 16u
#define F_SEAL_GUEST 32u /* RFC; in v4 F_SEAL_INACCESSIBLE, in v7 F_SEAL_AUTO_ALLOCATE */

#define TMPFS_MAGIC 0x01021994
#define RESTRICTEDMEM_MAGIC 0x5245534d

/* gmem_inode.st_dev: the kernel's own mount of tmpfs, restrictedmem's file system, a user's mounts */
#define DEV_SHMEM 1u
#define DEV_RESTRICTED 2u
#define DEV_OF_MOUNTS 3u

/* op-memfd.c */
bool is_accessible(struct gmem_run *run);
bool is_inaccessible(struct gmem_run *run);
/* A new file of size 0, its inode's memfd as given: sets t->file, t->inode. */
void gmem_memfd_new(struct gmem_run *run, uint32_t memfd);
/* Sets the size; the pages that come are the host's unless the file is inaccessible. */
void gmem_memfd_resize(struct gmem_run *run, uint64_t size);
int return_memfd(struct gmem_run *run);

/* What t->inode's file can do is changing: notes whether anybody has a descriptor of it by now. */
void gmem_note_exchange(struct gmem_run *run);

/* op-memfd-rw.c */
bool seals_allow_writing(struct gmem_run *run);

/* op-memfd-pages.c */
int undo_allocation(struct gmem_run *run); /* of t->start to t->page */

/* restricted-bind.c: the code of the file's operations, and the data that it looks for */
bool operations_are_there(struct gmem_run *run);

/* store.c: who is told about t->inode's pages: sets t->slot, t->at_vm. */
bool next_notifier(struct gmem_run *run); /* all of them, one after the other */
bool next_binding(struct gmem_run *run);  /* those over t->start to t->end */
struct gmem_file *gmem_file_of_inode(struct gmem_run *run);
bool fget_private_fd(struct gmem_run *run);  /* a reference that stays with the memslot */
int name_file(struct gmem_run *run);	     /* the memslot has t->file */
int add_notifier(struct gmem_run *run);	     /* and is the last on its list */
int take_file_of_slot(struct gmem_run *run); /* sets t->at_file, t->inode */
int delete_notifier(struct gmem_run *run);
int put_file_of_slot(struct gmem_run *run);
/* Zaps gfns of t->slot, which must be those of the event's pages; and tells the VM. */
int gmem_zap_told(struct gmem_run *run, enum gmem_event_kind kind, uint64_t gfn, uint64_t gfn_end);

#endif
