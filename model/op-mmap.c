/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mmap(). What ends or changes mappings is in op-munmap.c, madvise() in op-madvise.c.
 *
 * An address is never handed out twice, so a stale one faults for ever; and a page is left free
 * after every mapping. Unlike the kernel, neighbouring mappings never merge.
 */
#include "convert.h"
#include "memfd.h"
#include "ops.h"

static bool is_anonymous(struct gmem_run *run)
{
	return run->c->flags & GMEM_MAP_ANONYMOUS;
}

static bool is_file(struct gmem_run *run)
{
	return !is_anonymous(run);
}

static bool is_fixed(struct gmem_run *run)
{
	return run->c->flags & GMEM_MAP_FIXED;
}

static bool offset_is_aligned(struct gmem_run *run)
{
	return PAGE_ALIGNED(run->c->offset);
}

static bool length_is_not_zero(struct gmem_run *run)
{
	return run->c->length != 0;
}

static bool length_fits_an_address_space(struct gmem_run *run)
{
	return run->c->length <= TASK_SIZE && BYTES(gmem_pages_of(run->c->length)) <= TASK_SIZE;
}

static bool fixed_address_is_valid(struct gmem_run *run)
{
	return PAGE_ALIGNED(run->c->addr);
}

static bool fixed_address_is_in_reach(struct gmem_run *run)
{
	return run->c->addr <= TASK_SIZE - BYTES(gmem_pages_of(run->c->length));
}

static bool mapping_fits_a_file(struct gmem_run *run)
{
	uint64_t most = MAX_LFS_FILESIZE, length = BYTES(gmem_pages_of(run->c->length));

	return PAGES(run->c->offset) <= PAGES(most - length);
}

static uint64_t map_type(struct gmem_run *run)
{
	return run->c->flags & 0xf;
}

static bool type_is_known(struct gmem_run *run)
{
	uint64_t type = map_type(run);

	return type == GMEM_MAP_SHARED || type == GMEM_MAP_PRIVATE ||
	       type == (is_file(run) ? GMEM_MAP_SHARED_VALIDATE : GMEM_MAP_DROPPABLE);
}

/* MAP_DROPPABLE came with 6.11. */
static bool type_is_known_6_8(struct gmem_run *run)
{
	return type_is_known(run) && map_type(run) != GMEM_MAP_DROPPABLE;
}

static bool is_not_executable(struct gmem_run *run)
{
	return !(run->c->prot & GMEM_PROT_EXEC);
}

/* Unmapping what was there has changed t->file and t->inode. */
static bool file_has_mmap_flag(struct gmem_run *run)
{
	run->t->file = run->t->fd_file;
	run->t->inode = GFILE(run->b, run->t->file)->inode;
	return INODE(run->b, run->t->inode)->flags & GMEM_FLAG_MMAP;
}

static bool mapping_is_shared(struct gmem_run *run)
{
	return map_type(run) != GMEM_MAP_PRIVATE;
}

/* Sets t->start and t->end: where the mapping will be. */
static int choose_address(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	if (is_fixed(run))
		t->start = PAGES(run->c->addr);
	t->end = t->start + gmem_pages_of(run->c->length);
	return 0;
}

static bool is_of_huge_pages(struct gmem_run *run)
{
	return is_file(run) && INODE(run->b, run->t->inode)->order != 0;
}

/* Huge pages go to addresses that are multiples of them. */
static uint64_t aligned(struct gmem_run *run, uint64_t page)
{
	return is_of_huge_pages(run) ? gmem_round_up(INODE(run->b, run->t->inode), page) : page;
}

/* t->start is where the next mapping goes, past those that are at an address of a caller's. */
static bool room_is_left(struct gmem_run *run)
{
	struct gmem_process *p = gmem_process(run);
	uint64_t pages = gmem_pages_of(run->c->length);
	uint64_t next = aligned(run, p->mmap_next);
	struct gmem_range r;

	if (is_fixed(run))
		return true;
	while (gmem_range_next(run->b, p->vmas, next, &r) && r.start <= next + pages)
		next = aligned(run, r.end + 1);
	run->t->start = next;
	return next + pages <= PAGES(TASK_SIZE);
}

static bool range_is_mapped_and_fixed(struct gmem_run *run)
{
	return is_fixed(run) && range_is_mapped(run);
}

/* VM_MAYEXEC, VM_MAYWRITE: a guest_memfd is not executed, and a seal is not forgotten. */
static uint32_t never_allowed(const struct gmem_inode *inode)
{
	uint32_t never = inode->memfd ? 0 : (uint32_t)GMEM_PROT_EXEC;

	return inode->seals & F_SEAL_FUTURE_WRITE ? never | (uint32_t)GMEM_PROT_WRITE : never;
}

static int insert_mapping(struct gmem_run *run)
{
	struct gmem_block *b = run->b;
	struct gmem_task *t = run->t;
	struct gmem_vma *v;

	t->vma = gmem_cell_alloc(b);
	v = VMA(b, t->vma);
	v->process = t->process;
	v->prot = (uint32_t)(run->c->prot & GMEM_PROT_BITS);
	v->start = t->start;
	v->end = t->end;
	if (!is_fixed(run))
		gmem_process(run)->mmap_next = t->end + 1;
	if (is_anonymous(run)) {
		v->inode = gmem_inode_new(b, INODE_ANON, BYTES(t->end - t->start), map_type(run));
	} else {
		v->inode = t->inode = GFILE(b, t->file)->inode;
		v->file = t->file;
		v->pgoff = PAGES(run->c->offset);
		v->never = never_allowed(INODE(b, v->inode));
	}
	gmem_vma_link(b, t->vma);
	gmem_range_set(b, &gmem_process(run)->vmas, v->start, v->end, t->vma);
	return 0;
}

static int return_address(struct gmem_run *run)
{
	run->res->value = (int64_t)BYTES(run->t->start);
	return 0;
}

/* ksys_mmap_pgoff(), do_mmap(), kvm_gmem_mmap() */
const struct gmem_step gmem_op_mmap[] = {
	CHECK(offset_is_aligned, MMAP_1, EINVAL),
	CHECK(fdget, FD_1, EBADF, WHEN(is_file)),
	CHECK(length_is_not_zero, MMAP_2, EINVAL),
	CHECK(length_fits_an_address_space, MMAP_3, ENOMEM),
	LOCK(MMAP_LOCK, WRITE, MMAP_11),
	CHECK(room_is_left, MMAP_3, ENOMEM, .to = L_UNLOCK),
	CHECK(fixed_address_is_in_reach, MMAP_3, ENOMEM, WHEN(is_fixed), .to = L_UNLOCK),
	CHECK(fixed_address_is_valid, MMAP_4, EINVAL, WHEN(is_fixed), .to = L_UNLOCK),
	CHECK(mapping_fits_a_file, MMAP_5, EOVERFLOW, WHEN(is_file), .to = L_UNLOCK),
	CHECK(type_is_known, MMAP_6, EINVAL, .to = L_UNLOCK),
	CHECK(is_not_executable, MMAP_7, EPERM, WHEN(is_file), .to = L_UNLOCK),
	DO(choose_address, MMAP_11),
	CALL(T_UNMAP, MMAP_12, WHEN(range_is_mapped_and_fixed)),
	CHECK(file_has_mmap_flag, MMAP_8, ENODEV, WHEN(is_file), .to = L_UNLOCK),
	CHECK(mapping_is_shared, MMAP_9, EINVAL, WHEN(is_file), .to = L_UNLOCK),
	LOCK(I_MMAP_RWSEM, WRITE, NOTIFY_9, WHEN(is_file)),
	DO(insert_mapping, MMAP_11),
	UNLOCK(I_MMAP_RWSEM, WHEN(is_file)),
	ANSWER(return_address, MMAP_11),
	UNLOCK(MMAP_LOCK, .at = L_UNLOCK),
	DELAYED_FPUT,
	END,
};

/* rfc-shareability-v2: a file of huge pages is mapped by the huge page */
static bool length_and_address_are_of_huge_pages(struct gmem_run *run)
{
	uint64_t mask = (GMEM_PAGE_SIZE << INODE(run->b, run->t->inode)->order) - 1;

	return !(BYTES(gmem_pages_of(run->c->length)) & mask) &&
	       !(is_fixed(run) && (run->c->addr & mask));
}

/* ksys_mmap_pgoff(), do_mmap(), kvm_gmem_get_unmapped_area(), kvm_gmem_mmap() of the series */
const struct gmem_step gmem_op_mmap_shareability[] = {
	CHECK(offset_is_aligned, MMAP_1, EINVAL),
	CHECK(fdget, FD_1, EBADF, WHEN(is_file)),
	CHECK(length_is_not_zero, MMAP_2, EINVAL),
	CHECK(length_fits_an_address_space, MMAP_3, ENOMEM),
	CHECK(length_and_address_are_of_huge_pages, HUGE_12, EINVAL, WHEN(is_of_huge_pages)),
	LOCK(MMAP_LOCK, WRITE, MMAP_11),
	CHECK(room_is_left, MMAP_3, ENOMEM, .to = L_UNLOCK),
	CHECK(fixed_address_is_in_reach, MMAP_3, ENOMEM, WHEN(is_fixed), .to = L_UNLOCK),
	CHECK(fixed_address_is_valid, MMAP_4, EINVAL, WHEN(is_fixed), .to = L_UNLOCK),
	CHECK(mapping_fits_a_file, MMAP_5, EOVERFLOW, WHEN(is_file), .to = L_UNLOCK),
	CHECK(type_is_known, MMAP_6, EINVAL, .to = L_UNLOCK),
	CHECK(is_not_executable, MMAP_7, EPERM, WHEN(is_file), .to = L_UNLOCK),
	DO(choose_address, MMAP_11),
	CALL(T_UNMAP, MMAP_12, WHEN(range_is_mapped_and_fixed)),
	CHECK(file_has_mmap_flag, MMAP_8, ENODEV, WHEN(is_file), .to = L_UNLOCK),
	CHECK(mapping_is_shared, MMAP_9, EINVAL, WHEN(is_file), .to = L_UNLOCK),
	LOCK(I_MMAP_RWSEM, WRITE, NOTIFY_9, WHEN(is_file)),
	DO(insert_mapping, MMAP_11),
	UNLOCK(I_MMAP_RWSEM, WHEN(is_file)),
	ANSWER(return_address, MMAP_11),
	UNLOCK(MMAP_LOCK, .at = L_UNLOCK),
	DELAYED_FPUT,
	END,
};

/* ksys_mmap_pgoff(), do_mmap() of 6.8, where the file has no mmap() */
const struct gmem_step gmem_op_mmap_6_8[] = {
	CHECK(offset_is_aligned, MMAP_1, EINVAL),
	CHECK(fdget, FD_1, EBADF, WHEN(is_file)),
	CHECK(length_is_not_zero, MMAP_2, EINVAL),
	CHECK(length_fits_an_address_space, MMAP_3, ENOMEM),
	LOCK(MMAP_LOCK, WRITE, MMAP_11),
	CHECK(room_is_left, MMAP_3, ENOMEM, .to = L_UNLOCK),
	CHECK(fixed_address_is_in_reach, MMAP_3, ENOMEM, WHEN(is_fixed), .to = L_UNLOCK),
	CHECK(fixed_address_is_valid, MMAP_4, EINVAL, WHEN(is_fixed), .to = L_UNLOCK),
	CHECK(mapping_fits_a_file, MMAP_5, EOVERFLOW, WHEN(is_file), .to = L_UNLOCK),
	CHECK(type_is_known_6_8, MMAP_6, EINVAL, .to = L_UNLOCK),
	CHECK(never, MMAP_10, ENODEV, WHEN(is_file), .to = L_UNLOCK),
	DO(choose_address, MMAP_11),
	CALL(T_UNMAP, MMAP_12, WHEN(range_is_mapped_and_fixed)),
	DO(insert_mapping, MMAP_11),
	ANSWER(return_address, MMAP_11),
	UNLOCK(MMAP_LOCK, .at = L_UNLOCK),
	DELAYED_FPUT,
	END,
};

/*
 * Of private mappings of a memfd the model has no answer, as they are copied where they are written;
 * but an inaccessible one has none.
 */
static bool mapping_is_of_a_memfd(struct gmem_run *run)
{
	run->t->file = run->t->fd_file;
	run->t->inode = GFILE(run->b, run->t->file)->inode;
	run->misused = map_type(run) == GMEM_MAP_PRIVATE && is_accessible(run);
	return !run->misused;
}

/* seal_check_future_write() */
static bool seals_allow_mapping(struct gmem_run *run)
{
	return !(inode_of(run)->seals & F_SEAL_FUTURE_WRITE) || !mapping_is_shared(run) ||
	       !(run->c->prot & GMEM_PROT_WRITE);
}

/* mapping_map_writable(): until 6.7 also of what is only read */
static bool shared_mappings_are_not_denied(struct gmem_run *run)
{
	return !(inode_of(run)->seals & F_SEAL_WRITE) || !mapping_is_shared(run);
}

/* ksys_mmap_pgoff(), do_mmap(), shmem_mmap() */
const struct gmem_step gmem_op_mmap_memfd[] = {
	CHECK(offset_is_aligned, MMAP_1, EINVAL),
	CHECK(fdget, FD_1, EBADF, WHEN(is_file)),
	CHECK(mapping_is_of_a_memfd, MEMFD_9, EINVAL, WHEN(is_file)),
	CHECK(length_is_not_zero, MMAP_2, EINVAL),
	CHECK(length_fits_an_address_space, MMAP_3, ENOMEM),
	LOCK(MMAP_LOCK, WRITE, MMAP_11),
	CHECK(room_is_left, MMAP_3, ENOMEM, .to = L_UNLOCK),
	CHECK(fixed_address_is_in_reach, MMAP_3, ENOMEM, WHEN(is_fixed), .to = L_UNLOCK),
	CHECK(fixed_address_is_valid, MMAP_4, EINVAL, WHEN(is_fixed), .to = L_UNLOCK),
	CHECK(mapping_fits_a_file, MMAP_5, EOVERFLOW, WHEN(is_file), .to = L_UNLOCK),
	CHECK(type_is_known_6_8, MMAP_6, EINVAL, .to = L_UNLOCK),
	DO(choose_address, MMAP_11),
	CALL(T_UNMAP, MMAP_12, WHEN(range_is_mapped_and_fixed)),
	CHECK(mapping_is_of_a_memfd, MEMFD_9, EINVAL, WHEN(is_file), .to = L_UNLOCK),
	CHECK(shared_mappings_are_not_denied, SEAL_10, EPERM, WHEN(is_file), .to = L_UNLOCK),
	CHECK(seals_allow_mapping, INACC_5, EPERM, WHEN(is_file), .to = L_UNLOCK),
	CHECK(is_accessible, INACC_5, EPERM, WHEN(is_file), .to = L_UNLOCK),
	LOCK(I_MMAP_RWSEM, WRITE, NOTIFY_9, WHEN(is_file)),
	DO(insert_mapping, MMAP_11),
	UNLOCK(I_MMAP_RWSEM, WHEN(is_file)),
	ANSWER(return_address, MMAP_11),
	UNLOCK(MMAP_LOCK, .at = L_UNLOCK),
	DELAYED_FPUT,
	END,
};
