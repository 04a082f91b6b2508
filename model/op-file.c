/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a guest_memfd refuses because it is a file of a few methods only, and what can be asked of
 * it all the same: flags, sizes, and how many pages it has.
 */
#include "ops.h"
#include "profile.h"

#define O_RDWR_LARGEFILE 0100002
#define S_IFREG_0600 0100600

/* No kernel function: a part that the profile does not have */
const struct gmem_step gmem_op_none[] = {
	END,
};

/* To make such a call is misuse: what the kernel would say the model does not know. */
static bool is_modelled(struct gmem_run *run)
{
	run->misused = true;
	return false;
}

/* No kernel function: a call about files that are in no way a VM's memory in the profile */
const struct gmem_step gmem_op_unmodelled[] = {
	CHECK(is_modelled, MEMFD_9, EINVAL),
	END,
};

/* vfs_ioctl(): an ioctl of another design */
const struct gmem_step gmem_op_no_ioctl[] = {
	CHECK(fdget, FD_1, EBADF),
	CHECK(is_not_kvm, FD_2, EINVAL),
	CHECK(mm_is_the_vms, VM_3, EIO, WHEN(is_vm)),
	CHECK(never, FILE_1, ENOTTY),
	END,
};

/* vfs_ioctl(): the same for one whose structure would have had an error_offset */
const struct gmem_step gmem_op_no_conversion[] = {
	DO(read_error_offset, FILE_1),	 CHECK(fdget, FD_1, EBADF),
	CHECK(is_not_kvm, FD_2, EINVAL), CHECK(mm_is_the_vms, VM_3, EIO, WHEN(is_vm)),
	CHECK(never, FILE_1, ENOTTY),	 END,
};

/* kvm_gmem_setattr(): size, mode, owner and times never change */
const struct gmem_step gmem_op_setattr[] = {
	CHECK(fdget, FD_1, EBADF),
	CHECK(never, FILE_2, EINVAL),
	END,
};

bool length_is_not_negative(struct gmem_run *run)
{
	return (int64_t)run->c->length >= 0;
}

/* do_sys_ftruncate() */
const struct gmem_step gmem_op_ftruncate[] = {
	CHECK(length_is_not_negative, FILE_12, EINVAL),
	CHECK(fdget, FD_1, EBADF),
	CHECK(never, FILE_2, EINVAL),
	END,
};

/* vfs_read(), vfs_write(), vfs_fsync(): no such file operation */
const struct gmem_step gmem_op_refuse[] = {
	CHECK(fdget, FD_1, EBADF),
	CHECK(never, FILE_3, EINVAL),
	END,
};

/* ksys_pread64(), ksys_pwrite64(): the file has no position */
const struct gmem_step gmem_op_pread[] = {
	CHECK(offset_is_not_negative, FILE_4, EINVAL),
	CHECK(fdget, FD_1, EBADF),
	CHECK(never, FILE_5, ESPIPE),
	END,
};

bool whence_is_known(struct gmem_run *run)
{
	return (uint32_t)run->c->whence <= GMEM_SEEK_HOLE;
}

/* ksys_lseek() */
const struct gmem_step gmem_op_lseek[] = {
	CHECK(fdget, FD_1, EBADF),
	CHECK(whence_is_known, FILE_6, EINVAL),
	CHECK(never, FILE_5, ESPIPE),
	END,
};

static bool is_no_seal(struct gmem_run *run)
{
	return run->c->cmd == GMEM_F_GETFD || run->c->cmd == GMEM_F_GETFL;
}

static int return_flags(struct gmem_run *run)
{
	run->res->value = run->c->cmd == GMEM_F_GETFL ? O_RDWR_LARGEFILE : 0;
	return 0;
}

/* do_fcntl(), memfd_fcntl() */
const struct gmem_step gmem_op_fcntl[] = {
	CHECK(fdget, FD_1, EBADF),
	CHECK(is_no_seal, FILE_7, EINVAL),
	ANSWER(return_flags, FILE_8),
	END,
};

static int return_stat(struct gmem_run *run)
{
	static const int64_t fixed[] = {
		[GMEM_ST_MODE] = S_IFREG_0600,
		[GMEM_ST_NLINK] = 1,
		[GMEM_ST_UID] = 0,
	};
	const struct gmem_inode *inode = INODE(run->b, run->t->inode);

	if (run->c->field == GMEM_ST_SIZE)
		run->res->value = (int64_t)inode->size;
	else if (run->c->field == GMEM_ST_BLKSIZE)
		run->res->value = (int64_t)(GMEM_PAGE_SIZE << inode->order);
	else
		run->res->value = fixed[run->c->field];
	return 0;
}

/* vfs_fstat(): st_blocks is 0 whatever is allocated */
const struct gmem_step gmem_op_fstat[] = {
	CHECK(fdget, FD_1, EBADF),
	ANSWER(return_stat, FILE_9),
	END,
};

static int return_statfs(struct gmem_run *run)
{
	run->res->value = run->c->field == GMEM_F_TYPE ? (int64_t)run->b->profile->n.statfs_magic :
							 (int64_t)GMEM_PAGE_SIZE;
	return 0;
}

/* vfs_statfs() */
const struct gmem_step gmem_op_fstatfs[] = {
	CHECK(fdget, FD_1, EBADF),
	ANSWER(return_statfs, FILE_10),
	END,
};

static int return_pages_present(struct gmem_run *run)
{
	const struct gmem_call *c = run->c;
	uint64_t end = c->length ? PAGES(c->offset + c->length - 1) + 1 : UINT64_MAX;
	struct gmem_range r = { 0, PAGES(c->offset), 0 };
	uint64_t pages = 0;

	while (gmem_range_next_in(run->b, INODE(run->b, run->t->inode)->folios, r.end, end, &r))
		pages += r.end - r.start;
	run->res->value = (int64_t)pages;
	return 0;
}

/* cachestat(): nr_cache */
const struct gmem_step gmem_op_cachestat[] = {
	CHECK(fdget, FD_1, EBADF),
	ANSWER(return_pages_present, FILE_11),
	END,
};
