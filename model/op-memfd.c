/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memfds, as memfile_notifier used them: made, sealed, given a size, and asked about. Reading
 * and writing are in op-memfd-rw.c, allocating and truncating in op-memfd-pages.c, those who are told
 * in store.c.
 *
 * A memfd is an ordinary file until it is made inaccessible: by MFD_INACCESSIBLE when it is
 * created, by a seal, or by the first memslot that is bound to it.
 */
#include "memfd.h"

#include "bugs.h"
#include "profile.h"

#define MFD_CLOEXEC UINT64_C(1)
#define MFD_ALLOW_SEALING UINT64_C(2)
#define MFD_HUGETLB UINT64_C(4)
#define S_IFREG 0100000
#define O_RDWR_LARGEFILE 0100002
#define SEALS_KNOWN 0x1fu

bool is_inaccessible(struct gmem_run *run)
{
	return inode_of(run)->memfd & MEMFD_INACCESSIBLE;
}

bool is_accessible(struct gmem_run *run)
{
	return !is_inaccessible(run);
}

static bool memfd_flags_are_known(struct gmem_run *run)
{
	return !(run->c->flags & ~run->b->profile->n.memfd_flags);
}

static bool wants_inaccessible(struct gmem_run *run)
{
	return run->c->flags & GMEM_MFD_INACCESSIBLE;
}

static bool inaccessible_is_not_sealable(struct gmem_run *run)
{
	return !wants_inaccessible(run) || !(run->c->flags & MFD_ALLOW_SEALING);
}

void gmem_memfd_new(struct gmem_run *run, uint32_t memfd)
{
	struct gmem_task *t = run->t;
	struct gmem_inode *inode;

	t->inode = gmem_inode_new(run->b, INODE_GMEM, 0, 0);
	inode = INODE(run->b, t->inode);
	inode->memfd = memfd;
	inode->mode = 0777;
	inode->st_dev = DEV_SHMEM;
	t->file = gmem_file_new(run->b, FILE_GMEM);
	GFILE(run->b, t->file)->inode = t->inode;
	GFILE(run->b, t->file)->f_op = FOPS_SHMEM;
	inode->files = t->file;
	inode->refs = 1;
}

static int create_memfd(struct gmem_run *run)
{
	gmem_memfd_new(run, MEMFD | (run->c->flags & MFD_HUGETLB ? MEMFD_HUGETLB : 0));
	inode_of(run)->seals = run->c->flags & MFD_ALLOW_SEALING ? 0 : F_SEAL_SEAL;
	return 0;
}

/* v4: seals that nobody can ask for but the kernel. */
static int set_inaccessible_seals(struct gmem_run *run)
{
	inode_of(run)->seals |= F_SEAL_SEAL | F_SEAL_GUEST;
	inode_of(run)->memfd |= MEMFD_INACCESSIBLE;
	return 0;
}

/* v5: SHM_F_INACCESSIBLE; v6: MEMFILE_F_USER_INACCESSIBLE. The seals are exactly F_SEAL_SEAL. */
static int set_inaccessible_flag(struct gmem_run *run)
{
	inode_of(run)->seals = F_SEAL_SEAL;
	inode_of(run)->memfd |= MEMFD_INACCESSIBLE;
	return 0;
}

static bool a_store_claims_the_file(struct gmem_run *run)
{
	return !(run->c->flags & MFD_HUGETLB);
}

int return_memfd(struct gmem_run *run)
{
	return_fd(run);
	if (run->c->flags & MFD_CLOEXEC)
		gmem_range_set(run->b, &gmem_process(run)->cloexec, (uint64_t)run->res->value,
			       (uint64_t)run->res->value + 1, 1);
	return 0;
}

/* sys_memfd_create() of a kernel without any of it */
const struct gmem_step gmem_op_memfd_create[] = {
	CHECK(memfd_flags_are_known, MEMFD_1, EINVAL),
	CHECK(fd_is_available, MEMFD_3, EMFILE),
	CHECK(no_memory_pressure, MEMFD_4, ENOMEM),
	DO(create_memfd, MEMFD_5),
	ANSWER(return_memfd, MEMFD_6),
	END,
};

/* sys_memfd_create() of v4 */
const struct gmem_step gmem_op_memfd_create_v4[] = {
	CHECK(memfd_flags_are_known, MEMFD_1, EINVAL),
	CHECK(inaccessible_is_not_sealable, MEMFD_2, EINVAL),
	CHECK(fd_is_available, MEMFD_3, EMFILE),
	CHECK(no_memory_pressure, MEMFD_4, ENOMEM),
	DO(create_memfd, MEMFD_5),
	DO(set_inaccessible_seals, MEMFD_7, WHEN(wants_inaccessible)),
	ANSWER(return_memfd, MEMFD_6),
	END,
};

/* sys_memfd_create() of v5 */
const struct gmem_step gmem_op_memfd_create_v5[] = {
	CHECK(memfd_flags_are_known, MEMFD_1, EINVAL),
	CHECK(inaccessible_is_not_sealable, MEMFD_2, EINVAL),
	CHECK(fd_is_available, MEMFD_3, EMFILE),
	CHECK(no_memory_pressure, MEMFD_4, ENOMEM),
	DO(create_memfd, MEMFD_5),
	DO(set_inaccessible_flag, MEMFD_7, WHEN(wants_inaccessible)),
	ANSWER(return_memfd, MEMFD_6),
	END,
};

/* sys_memfd_create() of v6 and v7: memfile_node_set_flags() asks the stores for the file */
const struct gmem_step gmem_op_memfd_create_v6[] = {
	CHECK(memfd_flags_are_known, MEMFD_1, EINVAL),
	CHECK(inaccessible_is_not_sealable, MEMFD_2, EINVAL),
	CHECK(fd_is_available, MEMFD_3, EMFILE),
	CHECK(no_memory_pressure, MEMFD_4, ENOMEM),
	CHECK(a_store_claims_the_file, MEMFD_8, EOPNOTSUPP, WHEN(wants_inaccessible)),
	DO(create_memfd, MEMFD_5),
	DO(set_inaccessible_flag, MEMFD_7, WHEN(wants_inaccessible)),
	ANSWER(return_memfd, MEMFD_6),
	END,
};

/* Museum B01: &= in the place of |=, and so the seal is never there. */
static int and_inaccessible_seals(struct gmem_run *run)
{
	inode_of(run)->seals &= F_SEAL_SEAL | F_SEAL_GUEST;
	return 0;
}

const struct gmem_edit gmem_bug_b01[] = {
	REPLACE_ROW(GMEM_MEMFD_CREATE, "set_inaccessible_seals", 0,
		    DO(and_inaccessible_seals, MEMFD_7)),
	{ 0 },
};

/* Museum B08: only the branch of shmem applies the flag. */
static int set_inaccessible_flag_of_shmem(struct gmem_run *run)
{
	return run->c->flags & MFD_HUGETLB ? 0 : set_inaccessible_flag(run);
}

const struct gmem_edit gmem_bug_b08[] = {
	REPLACE_ROW(GMEM_MEMFD_CREATE, "set_inaccessible_flag", 0,
		    DO(set_inaccessible_flag_of_shmem, MEMFD_7)),
	{ 0 },
};

/* Museum B08 in v4: the seal is there, and files of huge pages do not know what it is for. */
static int ignore_seal_on_huge_pages(struct gmem_run *run)
{
	if (run->c->flags & MFD_HUGETLB)
		inode_of(run)->memfd &= ~MEMFD_INACCESSIBLE;
	return 0;
}

const struct gmem_edit gmem_bug_b08_v4[] = {
	INSERT_ROW(GMEM_MEMFD_CREATE, "return_memfd", 0, DO(ignore_seal_on_huge_pages, MEMFD_7)),
	{ 0 },
};

void gmem_memfd_resize(struct gmem_run *run, uint64_t size)
{
	struct gmem_inode *inode = inode_of(run);
	uint64_t old = gmem_pages_of(inode->size), new = gmem_pages_of(size);
	/* Mappings that a file had when it was taken from userspace stay, and reach what comes. */
	bool out_of_reach = inode->memfd & (MEMFD_INACCESSIBLE | MEMFD_RESTRICTED);
	bool private = out_of_reach && !inode->vmas;

	if (out_of_reach && inode->size && inode->size != size)
		inode->memfd |= MEMFD_RESIZED;
	inode->size = size;
	if (new > old)
		gmem_range_set(run->b, &inode->attributes, old, new,
			       private ? PAGE_PRIVATE : PAGE_SHARED);
	else
		gmem_range_set(run->b, &inode->attributes, new, old, 0);
}

static bool seals_allow_the_size(struct gmem_run *run)
{
	const struct gmem_inode *inode = inode_of(run);

	if (run->c->length < inode->size)
		return !(inode->seals & F_SEAL_SHRINK);
	return run->c->length == inode->size || !(inode->seals & F_SEAL_GROW);
}

static bool size_was_never_set(struct gmem_run *run)
{
	return !inode_of(run)->size;
}

static bool new_size_is_aligned(struct gmem_run *run)
{
	return PAGE_ALIGNED(run->c->length);
}

/*
 * i_size_write(): nobody finds the pages past the new end from now on, but they, and whose they are,
 * are there until they are truncated. Sets t->start and t->end: what goes. That is also what an
 * allocation left past an end that stays where it is.
 */
static int set_size(struct gmem_run *run)
{
	struct gmem_inode *inode = inode_of(run);
	struct gmem_task *t = run->t;

	t->start = gmem_pages_of(run->c->length);
	t->end = gmem_pages_of(MAX_LFS_FILESIZE);
	if (run->c->length > inode->size) {
		gmem_memfd_resize(run, run->c->length);
	} else {
		inode->size = run->c->length;
		inode->memfd |= MEMFD_SHRINKS;
	}
	return 0;
}

static bool file_shrinks(struct gmem_run *run)
{
	return inode_of(run)->memfd & MEMFD_SHRINKS;
}

/* What is left of the last page, also past an end in the middle of it, is zero from now on. */
static int zero_past_the_end(struct gmem_run *run)
{
	uint64_t size = run->c->length;

	gmem_range_set(run->b, &inode_of(run)->bytes, size, BYTES(gmem_pages_of(size)), 0);
	return 0;
}

static int end_shrinking(struct gmem_run *run)
{
	struct gmem_inode *inode = inode_of(run);

	gmem_range_set(run->b, &inode->attributes, run->t->start, run->t->end, 0);
	inode->memfd &= ~MEMFD_SHRINKS;
	return 0;
}

/* do_sys_ftruncate(), shmem_setattr() */
const struct gmem_step gmem_op_ftruncate_memfd[] = {
	CHECK(length_is_not_negative, FILE_12, EINVAL),
	CHECK(fdget, FD_1, EBADF),
	LOCK(INODE_LOCK, WRITE, INACC_1),
	CHECK(seals_allow_the_size, SEAL_1, EPERM, .to = L_UNLOCK),
	CHECK(size_was_never_set, INACC_1, EPERM, WHEN(is_inaccessible), .to = L_UNLOCK),
	CHECK(new_size_is_aligned, INACC_2, EINVAL, WHEN(is_inaccessible), .to = L_UNLOCK),
	DO(set_size, MEMFD_20),
	CALL(T_TRUNCATE_MEMFD, MEMFD_10, WHEN(file_shrinks)),
	LOCK(FOLIO_LOCK, WRITE, MEMFD_21, WHEN(file_shrinks)),
	DO(zero_past_the_end, MEMFD_21, WHEN(file_shrinks)),
	UNLOCK(FOLIO_LOCK, WHEN(file_shrinks)),
	DO(end_shrinking, MEMFD_20, WHEN(file_shrinks)),
	UNLOCK(INODE_LOCK, .at = L_UNLOCK),
	ANSWER(return_zero, MEMFD_10),
	END,
};

static int set_attributes(struct gmem_run *run)
{
	if (run->c->verb == GMEM_FCHMOD)
		inode_of(run)->mode = (uint32_t)run->c->mode & 07777;
	return return_zero(run);
}

/* shmem_setattr() of what is no size */
const struct gmem_step gmem_op_setattr_memfd[] = {
	CHECK(fdget, FD_1, EBADF),
	ANSWER(set_attributes, MEMFD_11),
	END,
};

static bool adds_seals(struct gmem_run *run)
{
	return run->c->cmd == GMEM_F_ADD_SEALS;
}

static bool seals_are_known(struct gmem_run *run)
{
	return !((uint32_t)run->c->value & ~(SEALS_KNOWN | run->b->profile->n.own_seal));
}

static bool seals_may_be_added(struct gmem_run *run)
{
	return !(inode_of(run)->seals & F_SEAL_SEAL);
}

static bool has_mapping(struct gmem_run *run, uint32_t prot)
{
	for (uint32_t v = inode_of(run)->vmas; v; v = VMA(run->b, v)->next)
		if (!prot || (VMA(run->b, v)->prot & prot))
			return true;
	return false;
}

/* mapping_deny_writable(): what may be made writable counts as well, so every mapping */
static bool nobody_may_write(struct gmem_run *run)
{
	return !(run->c->value & F_SEAL_WRITE) || !has_mapping(run, 0);
}

static bool adds_guest_seal(struct gmem_run *run)
{
	return adds_seals(run) && (run->c->value & run->b->profile->n.own_seal & F_SEAL_GUEST);
}

static bool file_is_not_mapped(struct gmem_run *run)
{
	return !has_mapping(run, 0);
}

static bool file_is_empty(struct gmem_run *run)
{
	return !inode_of(run)->size;
}

static int add_seals(struct gmem_run *run)
{
	inode_of(run)->seals |= (uint32_t)run->c->value;
	return 0;
}

void gmem_note_exchange(struct gmem_run *run)
{
	const struct gmem_block *b = run->b;
	struct gmem_range r;

	for (uint32_t p = b->processes; p; p = CPROCESS(b, p)->next)
		for (r.end = 0; gmem_range_next(b, CPROCESS(b, p)->fds, r.end, &r);)
			if (CFILE(b, r.value)->inode == run->t->inode)
				inode_of(run)->memfd |= MEMFD_EXCHANGED_LATE;
}

/* From now on the file is what it was not when it was opened. */
static int become_inaccessible(struct gmem_run *run)
{
	gmem_note_exchange(run);
	inode_of(run)->memfd |= MEMFD_INACCESSIBLE;
	return 0;
}

static int return_fcntl(struct gmem_run *run)
{
	const struct gmem_call *c = run->c;
	uint64_t fd = (uint64_t)c->fd;

	if (c->cmd == GMEM_F_GETFL)
		run->res->value = O_RDWR_LARGEFILE;
	else if (c->cmd == GMEM_F_GETFD)
		run->res->value = gmem_range_get(run->b, gmem_process(run)->cloexec, fd);
	else
		run->res->value = c->cmd == GMEM_F_GET_SEALS ? inode_of(run)->seals : 0;
	return 0;
}

/* do_fcntl(), memfd_add_seals(), memfd_get_seals() */
const struct gmem_step gmem_op_fcntl_memfd[] = {
	CHECK(fdget, FD_1, EBADF),
	CHECK(seals_are_known, SEAL_2, EINVAL, WHEN(adds_seals)),
	LOCK(INODE_LOCK, WRITE, SEAL_3, WHEN(adds_seals)),
	CHECK(seals_may_be_added, SEAL_3, EPERM, WHEN(adds_seals), .to = L_UNLOCK),
	CHECK(nobody_may_write, SEAL_4, EBUSY, WHEN(adds_seals), .to = L_UNLOCK),
	DO(add_seals, SEAL_7, WHEN(adds_seals)),
	UNLOCK(INODE_LOCK, WHEN(adds_seals), .at = L_UNLOCK),
	ANSWER(return_fcntl, SEAL_7),
	END,
};

/* do_fcntl(), memfd_add_seals() of RFC v2 */
const struct gmem_step gmem_op_fcntl_rfc2[] = {
	CHECK(fdget, FD_1, EBADF),
	CHECK(seals_are_known, SEAL_2, EINVAL, WHEN(adds_seals)),
	LOCK(INODE_LOCK, WRITE, SEAL_3, WHEN(adds_seals)),
	CHECK(seals_may_be_added, SEAL_3, EPERM, WHEN(adds_seals), .to = L_UNLOCK_OUTER),
	CHECK(nobody_may_write, SEAL_4, EBUSY, WHEN(adds_seals), .to = L_UNLOCK_OUTER),
	LOCK(I_MMAP_RWSEM, READ, SEAL_5, WHEN(adds_guest_seal)),
	CHECK(file_is_not_mapped, SEAL_5, EBUSY, WHEN(adds_guest_seal), .to = L_UNLOCK),
	CHECK(file_is_empty, SEAL_6, EBUSY, WHEN(adds_guest_seal), .to = L_UNLOCK),
	DO(add_seals, SEAL_7, WHEN(adds_seals)),
	DO(become_inaccessible, SEAL_7, WHEN(adds_guest_seal)),
	UNLOCK(I_MMAP_RWSEM, WHEN(adds_guest_seal), .at = L_UNLOCK),
	UNLOCK(INODE_LOCK, WHEN(adds_seals), .at = L_UNLOCK_OUTER),
	ANSWER(return_fcntl, SEAL_7),
	END,
};

static uint64_t allocated(const struct gmem_block *b, const struct gmem_inode *inode)
{
	struct gmem_range r = { 0, 0, 0 };
	uint64_t pages = 0;

	while (gmem_range_next(b, inode->folios, r.end, &r))
		pages += r.end - r.start;
	return pages;
}

static int return_stat_memfd(struct gmem_run *run)
{
	const struct gmem_inode *inode = inode_of(run);
	const int64_t fields[] = {
		[GMEM_ST_SIZE] = (int64_t)inode->size,
		[GMEM_ST_BLOCKS] = (int64_t)(allocated(run->b, inode) * (GMEM_PAGE_SIZE / 512)),
		[GMEM_ST_BLKSIZE] = (int64_t)GMEM_PAGE_SIZE,
		[GMEM_ST_MODE] = S_IFREG | inode->mode,
		[GMEM_ST_NLINK] = 0,
		[GMEM_ST_UID] = 0,
	};

	run->res->value = fields[run->c->field];
	return 0;
}

/* vfs_fstat(), shmem_getattr() */
const struct gmem_step gmem_op_fstat_memfd[] = {
	CHECK(fdget, FD_1, EBADF),
	ANSWER(return_stat_memfd, MEMFD_12),
	END,
};

/* B14: shmem_getattr() takes the inode of the wrapper for one of its own. */
static int take_wrapper_for_shmem(struct gmem_run *run)
{
	gmem_violate(run->w, "I15", "an inode is taken for one of another file system: inode",
		     inode_of(run)->ino, 0);
	return return_stat_memfd(run);
}

/* Museum B14: the wrapper's path goes to the hidden file's method. */
const struct gmem_edit gmem_bug_b14[] = {
	REPLACE_ROW(GMEM_FSTAT, "return_stat_memfd", 0, ANSWER(take_wrapper_for_shmem, MEMFD_12)),
	{ 0 },
};

/* ksys_cachestat(): came with 6.5 */
const struct gmem_step gmem_op_no_syscall[] = {
	CHECK(never, MEMFD_13, ENOSYS),
	END,
};

/* noop_fsync() */
const struct gmem_step gmem_op_fsync_memfd[] = {
	CHECK(fdget, FD_1, EBADF),
	ANSWER(return_zero, MEMFD_11),
	END,
};
