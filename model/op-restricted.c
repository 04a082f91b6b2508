/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * restrictedmem: files that memfd_restricted() makes, and no other way can be had. Until January
 * 2023 such a file is a wrapper of a hidden memfd; the shim of April 2023 is a file of a tmpfs
 * whose operations were exchanged for others.
 *
 * Who is bound to such a file is told of punches by restricted-bind.c.
 */
#include "memfd.h"

#include "bugs.h"
#include "profile.h"

static int create_wrapper(struct gmem_run *run)
{
	struct gmem_inode *inode;

	gmem_memfd_new(run, MEMFD_RESTRICTED);
	inode = inode_of(run);
	inode->st_dev = DEV_RESTRICTED;
	inode->hidden_dev = DEV_SHMEM;
	inode->hidden_ino = ++run->b->next_ino;
	GFILE(run->b, run->t->file)->f_op = FOPS_RESTRICTEDMEM;
	GFILE(run->b, run->t->file)->f_op_held = true;
	return 0;
}

/* restrictedmem_getattr() asks the hidden file, for all that there is to say. */
static int forward_getattr(struct gmem_run *run)
{
	struct gmem_inode *inode = inode_of(run);

	inode->st_dev = inode->hidden_dev;
	inode->st_ino = inode->hidden_ino;
	return 0;
}

/* sys_memfd_restricted(): the hidden memfd, and the file in front of it */
const struct gmem_step gmem_op_memfd_restricted[] = {
	CHECK(flags_are_zero, RMEM_1, EINVAL),
	CHECK(fd_is_available, RMEM_2, EMFILE),
	CHECK(no_memory_pressure, RMEM_3, ENOMEM),
	DO(create_wrapper, RMEM_4),
	DO(forward_getattr, OBJ_1),
	ANSWER(return_fd, RMEM_5),
	END,
};

/* The descriptor's mount, in t->file. */
static bool mount_fd_is_open(struct gmem_run *run)
{
	run->t->file = gmem_fd_file(run->b, gmem_process(run), run->c->memfd);
	return run->t->file != 0;
}

static uint32_t mount_of(struct gmem_run *run)
{
	const struct gmem_file *f = GFILE(run->b, run->t->file);

	return f->kind == FILE_MOUNT ? f->mount : GMEM_MOUNT_SUBDIR;
}

static bool is_the_mounts_root(struct gmem_run *run)
{
	return !(mount_of(run) & GMEM_MOUNT_SUBDIR);
}

static bool is_the_whole_file_system(struct gmem_run *run)
{
	return !(mount_of(run) & GMEM_MOUNT_BIND);
}

static bool is_noexec(struct gmem_run *run)
{
	return mount_of(run) & GMEM_MOUNT_NOEXEC;
}

static bool is_tmpfs(struct gmem_run *run)
{
	return mount_of(run) & GMEM_MOUNT_TMPFS;
}

static bool mount_may_be_written(struct gmem_run *run)
{
	return !(mount_of(run) & GMEM_MOUNT_RDONLY);
}

/* Sets t->hole: its private_data are somebody else's. */
static int create_file_on_mount(struct gmem_run *run)
{
	uint32_t dev;

	run->t->hole = (mount_of(run) & GMEM_MOUNT_DATA) != 0;
	dev = GFILE(run->b, run->t->file)->dev;
	gmem_memfd_new(run, MEMFD_RESTRICTED | MEMFD_NO_DATA);
	inode_of(run)->st_dev = dev;
	GFILE(run->b, run->t->file)->refs = 1;
	return 0;
}

static bool file_has_no_data(struct gmem_run *run)
{
	return !run->t->hole;
}

/* f_op and a_ops. Nobody has the descriptor yet; and nobody takes a reference on their module. */
static int exchange_operations(struct gmem_run *run)
{
	struct gmem_file *f = GFILE(run->b, run->t->file);

	f->backing_f_op = f->f_op;
	f->f_op = FOPS_RESTRICTEDMEM;
	gmem_note_exchange(run);
	return 0;
}

static int store_private_data(struct gmem_run *run)
{
	inode_of(run)->memfd &= ~MEMFD_NO_DATA;
	return 0;
}

/* sys_memfd_restricted(): restrictedmem_create_on_mount() of the shim */
const struct gmem_step gmem_op_memfd_restricted_shim[] = {
	CHECK(flags_are_zero, RMEM_1, EINVAL),
	CHECK(mount_fd_is_open, RMEM_6, EBADF),
	CHECK(is_the_mounts_root, RMEM_7, EINVAL),
	CHECK(is_the_whole_file_system, RMEM_8, EINVAL),
	CHECK(is_noexec, RMEM_9, EINVAL),
	CHECK(is_tmpfs, RMEM_10, EINVAL),
	CHECK(mount_may_be_written, RMEM_11, EROFS),
	CHECK(fd_is_available, RMEM_2, EMFILE),
	CHECK(no_memory_pressure, RMEM_3, ENOMEM),
	DO(create_file_on_mount, RMEM_12),
	CHECK(file_has_no_data, RMEM_13, EEXIST, .to = L_END),
	CHECK(no_memory_pressure, RMEM_3, ENOMEM, .to = L_END),
	DO(store_private_data, RMEM_14),
	DO(exchange_operations, OBJ_2),
	ANSWER(return_fd, RMEM_5),
	DO(fput, RMEM_13, .at = L_END),
	DELAYED_FPUT,
	END,
};

/* Museum B20a: nobody stores what all operations look for. */
const struct gmem_edit gmem_bug_b20a[] = {
	DROP_ROW(GMEM_MEMFD_RESTRICTED, "store_private_data", 0),
	{ 0 },
};

/* Museum B20c: who refuses a file for its private data keeps it. */
static int fput_unless_refused(struct gmem_run *run)
{
	return file_has_no_data(run) ? fput(run) : 0;
}

const struct gmem_edit gmem_bug_b20c[] = {
	REPLACE_ROW(GMEM_MEMFD_RESTRICTED, "fput", 0,
		    DO(fput_unless_refused, RMEM_13, .at = L_END)),
	{ 0 },
};

static int create_mount(struct gmem_run *run)
{
	run->t->file = gmem_file_new(run->b, FILE_MOUNT);
	GFILE(run->b, run->t->file)->mount = (uint32_t)run->c->mode;
	GFILE(run->b, run->t->file)->dev = DEV_OF_MOUNTS + run->b->next_dev++;
	return 0;
}

/* do_sys_openat2() of a directory */
const struct gmem_step gmem_op_open_mount[] = {
	CHECK(fd_is_available, RMEM_2, EMFILE),
	DO(create_mount, RMEM_15),
	ANSWER(return_fd, RMEM_15),
	END,
};

static bool hidden_file_is_empty(struct gmem_run *run)
{
	return !inode_of(run)->size;
}

static bool length_is_of_pages(struct gmem_run *run)
{
	return PAGE_ALIGNED(run->c->length);
}

static int set_size_once(struct gmem_run *run)
{
	gmem_memfd_resize(run, run->c->length);
	return 0;
}

/* do_sys_ftruncate(), restrictedmem_setattr() */
const struct gmem_step gmem_op_ftruncate_restricted[] = {
	CHECK(length_is_not_negative, FILE_12, EINVAL),
	CHECK(fdget, FD_1, EBADF),
	LOCK(INODE_LOCK, WRITE, RMEM_16),
	CHECK(hidden_file_is_empty, RMEM_16, EPERM, .to = L_UNLOCK),
	CHECK(length_is_of_pages, RMEM_16, EINVAL, .to = L_UNLOCK),
	DO(set_size_once, RMEM_16),
	UNLOCK(INODE_LOCK, .at = L_UNLOCK),
	ANSWER(return_zero, RMEM_16),
	END,
};

/* Sets t->start and t->end: what goes, if that is anything. */
static int find_what_goes(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->start = gmem_pages_of(run->c->length);
	t->end = gmem_pages_of(inode_of(run)->size);
	return 0;
}

static bool something_goes(struct gmem_run *run)
{
	return run->t->start < run->t->end;
}

static int drop_backing_pages(struct gmem_run *run)
{
	gmem_drop_pages(run, run->t->inode, run->t->start, run->t->end);
	return 0;
}

/* What is left of the last page reads as zero when the file grows again. */
static int set_size_and_clear(struct gmem_run *run)
{
	struct gmem_inode *inode = inode_of(run);

	if (run->c->length < inode->size)
		gmem_range_set(run->b, &inode->bytes, run->c->length, inode->size, 0);
	return set_size_once(run);
}

/*
 * do_sys_ftruncate(), shmem_setattr(): the inode's operations are its own, and say yes. Here it takes
 * the locks of a punch, in its order, before it looks at what goes.
 */
const struct gmem_step gmem_op_ftruncate_shim[] = {
	CHECK(length_is_not_negative, FILE_12, EINVAL),
	CHECK(fdget, FD_1, EBADF),
	LOCK(RM_LOCK, READ, RMEM_33),
	LOCK(INODE_LOCK, WRITE, RMEM_33),
	DO(find_what_goes, RMEM_33),
	CALL_EACH(next_binding, T_NOTIFIER_INVALIDATE, RMEM_33, WHEN(something_goes)),
	LOCK(FOLIO_LOCK, WRITE, RMEM_33),
	DO(drop_backing_pages, RMEM_33, WHEN(something_goes)),
	DO(set_size_and_clear, RMEM_33),
	UNLOCK(FOLIO_LOCK),
	CALL_EACH(next_binding, T_NOTIFIER_END, RMEM_33, WHEN(something_goes)),
	UNLOCK(INODE_LOCK),
	UNLOCK(RM_LOCK),
	ANSWER(return_zero, RMEM_33),
	END,
};

/* X3: the file gets smaller, and nobody who is bound to it is told. */
const struct gmem_edit gmem_bug_x3[] = {
	DROP_ROW(GMEM_FTRUNCATE, "lock", 0),
	DROP_ROW(GMEM_FTRUNCATE, "next_binding", 0),
	DROP_ROW(GMEM_FTRUNCATE, "next_binding", 0),
	DROP_ROW(GMEM_FTRUNCATE, "unlock", 2),
	{ 0 },
};

static bool restricted_hole_is_aligned(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->start = PAGES(run->c->offset);
	t->end = gmem_pages_of(run->c->offset + run->c->length);
	return PAGE_ALIGNED(run->c->offset) && PAGE_ALIGNED(run->c->length);
}

static int take_backing_range(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->start = t->page = PAGES(run->c->offset);
	t->end = gmem_pages_of(run->c->offset + run->c->length);
	return 0;
}

static int backing_grows(struct gmem_run *run)
{
	uint64_t end = run->c->offset + run->c->length;

	if (!(run->c->mode & GMEM_FALLOC_KEEP_SIZE) && end > inode_of(run)->size)
		gmem_memfd_resize(run, end);
	return 0;
}

/* restrictedmem_fallocate() */
const struct gmem_step gmem_op_fallocate_restricted[] = {
	CHECK(operations_are_there, RMEM_17, EINVAL),
	CHECK(restricted_hole_is_aligned, RMEM_18, EINVAL, WHEN(is_punch)),
	CALL(T_PUNCH_HOLE, RMEM_19, WHEN(is_punch)),
	CHECK(mode_is_allocate_or_punch, FALLOC_5, EOPNOTSUPP),
	CALL(T_ALLOCATE, RMEM_20, WHEN(is_allocate)),
	ANSWER(return_zero, RMEM_19),
	END,
};

/* shmem_fallocate() of the hidden file, or of the file's own operations */
const struct gmem_step gmem_op_allocate_backing[] = {
	LOCK(INODE_LOCK, WRITE, RMEM_20),
	DO(take_backing_range, RMEM_20),
	LOCK(FOLIO_LOCK, WRITE, RMEM_20),
	EACH(allocate_gap, MEMFD_17, .to = L_UNLOCK),
	DO(backing_grows, RMEM_20),
	DO(undo_allocation, MEMFD_17, WHEN(has_failed), .at = L_UNLOCK),
	UNLOCK(FOLIO_LOCK),
	UNLOCK(INODE_LOCK),
	END,
};

/* shmem_fallocate(): shmem_truncate_range() of the backing; nobody but guests has its pages */
const struct gmem_step gmem_op_truncate_backing[] = {
	LOCK(INODE_LOCK, WRITE, RMEM_21),
	LOCK(FOLIO_LOCK, WRITE, RMEM_21),
	DO(drop_backing_pages, RMEM_21),
	UNLOCK(FOLIO_LOCK),
	UNLOCK(INODE_LOCK),
	END,
};
