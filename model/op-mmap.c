/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mappings: mmap, munmap, mprotect, madvise.
 *
 * An address is never handed out twice, so a stale one faults for ever; and a page is left free
 * after every mapping. Unlike the kernel, neighbouring mappings never merge.
 */
#include "convert.h"
#include "ops.h"

#define PROT_BITS (GMEM_PROT_READ | GMEM_PROT_WRITE | GMEM_PROT_EXEC)
#define PROT_SEM UINT64_C(8) /* of no effect on x86 */

static uint64_t length_in_pages(uint64_t length)
{
	return PAGES(length + GMEM_PAGE_SIZE - 1);
}

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
	return run->c->length <= TASK_SIZE && BYTES(length_in_pages(run->c->length)) <= TASK_SIZE;
}

static bool fixed_address_is_valid(struct gmem_run *run)
{
	return PAGE_ALIGNED(run->c->addr);
}

static bool fixed_address_is_in_reach(struct gmem_run *run)
{
	return run->c->addr <= TASK_SIZE - BYTES(length_in_pages(run->c->length));
}

static bool mapping_fits_a_file(struct gmem_run *run)
{
	uint64_t most = MAX_LFS_FILESIZE, length = BYTES(length_in_pages(run->c->length));

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
	t->end = t->start + length_in_pages(run->c->length);
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
	uint64_t pages = length_in_pages(run->c->length);
	uint64_t next = aligned(run, p->mmap_next);
	struct gmem_range r;

	if (is_fixed(run))
		return true;
	while (gmem_range_next(run->b, p->vmas, next, &r) && r.start <= next + pages)
		next = aligned(run, r.end + 1);
	run->t->start = next;
	return next + pages <= PAGES(TASK_SIZE);
}

/* Sets t->vma: the first mapping in t->start to t->end; and t->inode, that it maps. */
bool range_is_mapped(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	struct gmem_range r;

	if (!gmem_range_next_in(run->b, gmem_process(run)->vmas, t->start, t->end, &r))
		return false;
	t->vma = r.value;
	t->inode = VMA(run->b, t->vma)->inode;
	return true;
}

static bool range_is_mapped_and_fixed(struct gmem_run *run)
{
	return is_fixed(run) && range_is_mapped(run);
}

void gmem_vma_link(struct gmem_block *b, uint32_t idx)
{
	struct gmem_vma *v = VMA(b, idx);
	struct gmem_inode *inode = INODE(b, v->inode);

	gmem_tag(b, idx, TAG_VMA);
	v->prev = 0;
	v->next = inode->vmas;
	if (v->next)
		VMA(b, v->next)->prev = idx;
	inode->vmas = idx;
	if (v->file)
		GFILE(b, v->file)->refs++;
	else
		inode->refs++;
	b->nr_vmas++;
}

static void vma_unlink(struct gmem_block *b, uint32_t idx)
{
	const struct gmem_vma *v = VMA(b, idx);

	if (v->prev)
		VMA(b, v->prev)->next = v->next;
	else
		INODE(b, v->inode)->vmas = v->next;
	if (v->next)
		VMA(b, v->next)->prev = v->prev;
	b->nr_vmas--;
	gmem_cell_free(b, idx);
}

static int insert_mapping(struct gmem_run *run)
{
	struct gmem_block *b = run->b;
	struct gmem_task *t = run->t;
	struct gmem_vma *v;

	t->vma = gmem_cell_alloc(b);
	v = VMA(b, t->vma);
	v->process = t->process;
	v->prot = (uint32_t)(run->c->prot & PROT_BITS);
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

	return !(BYTES(length_in_pages(run->c->length)) & mask) &&
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

/* A mapping with a hole in its middle is two. */
static void split_at(struct gmem_block *b, uint32_t idx, uint64_t page)
{
	uint32_t new = gmem_cell_alloc(b);
	struct gmem_vma *v = VMA(b, idx), *right = VMA(b, new);

	*right = *v;
	right->start = page;
	right->pgoff += page - v->start;
	v->end = page;
	gmem_vma_link(b, new);
	gmem_range_set(b, &PROCESS(b, v->process)->vmas, right->start, right->end, new);
}

/* Makes [t->start, t->end) begin and end where mappings do; t->vma is then inside it. */
static void isolate(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	if (VMA(run->b, t->vma)->start < t->start) {
		split_at(run->b, t->vma, t->start);
		t->vma = gmem_range_get(run->b, gmem_process(run)->vmas, t->start);
	}
	if (VMA(run->b, t->vma)->end > t->end)
		split_at(run->b, t->vma, t->end);
}

/* One span, whatever mappings and holes are in it. */
static int take_span(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->owner = t->process;
	t->zap = t->start;
	t->zap_end = t->end;
	return 0;
}

/* What it maps is the task's to put, in t->file or t->inode. */
static int unlink_mapping(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	const struct gmem_vma *v;

	isolate(run);
	v = VMA(run->b, t->vma);
	t->file = v->file;
	if (gmem_is_private_memory(INODE(run->b, v->inode)))
		gmem_drop_pages(run, v->inode, v->pgoff, v->pgoff + (v->end - v->start));
	gmem_range_set(run->b, &gmem_process(run)->vmas, v->start, v->end, 0);
	vma_unlink(run->b, t->vma);
	t->vma = 0;
	return 0;
}

int put_file_of_mapping(struct gmem_run *run)
{
	if (run->t->file)
		gmem_fput(run, run->t->file);
	else
		gmem_inode_put(run->b, run->t->inode);
	return 0;
}

/*
 * unmap_vmas(), unlink_file_vma(), remove_vma(): takes t->start and t->end, and the first mapping
 * in there, t->vma and t->inode; changes these, t->file, t->owner, t->zap
 */
const struct gmem_step gmem_op_unmap[] = {
	DO(take_span, MMAP_13),
	CALL(T_ZAP, NOTIFY_4),
	LOCK(I_MMAP_RWSEM, WRITE, NOTIFY_9, .at = L_AGAIN),
	DO(unlink_mapping, MMAP_13),
	UNLOCK(I_MMAP_RWSEM),
	DO(put_file_of_mapping, MMAP_13),
	RETRY_IF(range_is_mapped, MMAP_13, .to = L_AGAIN),
	END,
};

static bool range_is_in_reach(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->start = t->page = PAGES(run->c->addr);
	t->end = t->start + length_in_pages(run->c->length);
	return run->c->length && run->c->addr <= TASK_SIZE &&
	       run->c->length <= TASK_SIZE - run->c->addr;
}

/* do_vmi_munmap() */
const struct gmem_step gmem_op_munmap[] = {
	CHECK(addr_is_aligned, MMAP_14, EINVAL),
	CHECK(range_is_in_reach, MMAP_15, EINVAL),
	LOCK(MMAP_LOCK, WRITE, MMAP_13),
	CALL(T_UNMAP, MMAP_13, WHEN(range_is_mapped)),
	UNLOCK(MMAP_LOCK),
	DELAYED_FPUT,
	ANSWER(return_zero, MMAP_13),
	END,
};

static bool prot_is_known(struct gmem_run *run)
{
	return !(run->c->prot & ~(PROT_BITS | PROT_SEM));
}

static bool mprotect_does_not_wrap(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->start = t->page = PAGES(run->c->addr);
	t->end = t->start + length_in_pages(run->c->length);
	return length_in_pages(run->c->length) && BYTES(t->end) > run->c->addr;
}

/*
 * The next mapping that changes: sets t->vma, t->inode and t->owner, which is 0 if there is none.
 * What was done before a hole or a refusal stays done.
 */
static int find_mapping_to_protect(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	const struct gmem_vma *v = NULL;

	t->owner = 0;
	for (; t->start < t->end; t->start = v->end) {
		t->vma = gmem_range_get(run->b, gmem_process(run)->vmas, t->start);
		if (!t->vma)
			return -ENOMEM;
		v = VMA(run->b, t->vma);
		if ((run->c->prot & GMEM_PROT_EXEC) && v->file)
			return -EACCES;
		if (v->prot != (run->c->prot & PROT_BITS))
			break;
	}
	if (t->start < t->end) {
		t->inode = v->inode;
		t->owner = t->process;
	}
	return 0;
}

static bool a_mapping_changes(struct gmem_run *run)
{
	return run->t->owner != 0;
}

/* A part of it: there will be more mappings of the inode. */
static bool a_mapping_is_split(struct gmem_run *run)
{
	const struct gmem_task *t = run->t;
	const struct gmem_vma *v = t->owner ? VMA(run->b, t->vma) : NULL;

	return v && (v->start < t->start || v->end > t->end);
}

/*
 * Unlike the kernel, which starts at the first entry there is, the mapping is told from its
 * beginning.
 */
static int protect_mapping(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	struct gmem_vma *v;

	isolate(run);
	v = VMA(run->b, t->vma);
	v->prot = (uint32_t)(run->c->prot & PROT_BITS);
	t->zap = v->start;
	t->zap_end = t->start = v->end;
	return 0;
}

/* do_mprotect_pkey(), split_vma() */
const struct gmem_step gmem_op_mprotect[] = {
	CHECK(addr_is_aligned, MMAP_16, EINVAL),
	DONE_IF(length_is_zero, MMAP_17, .says = true),
	CHECK(mprotect_does_not_wrap, MMAP_18, ENOMEM),
	CHECK(prot_is_known, MMAP_19, EINVAL),
	LOCK(MMAP_LOCK, WRITE, MMAP_20),
	DO(find_mapping_to_protect, MMAP_20, .at = L_AGAIN, .to = L_UNLOCK),
	LOCK(I_MMAP_RWSEM, WRITE, NOTIFY_9, WHEN(a_mapping_is_split)),
	DO(protect_mapping, MMAP_20, WHEN(a_mapping_changes)),
	UNLOCK(I_MMAP_RWSEM, WHEN(holds_i_mmap_rwsem)),
	CALL(T_NOTIFY, MMAP_20, WHEN(a_mapping_changes)),
	RETRY_IF(a_mapping_changes, MMAP_20, .to = L_AGAIN),
	UNLOCK(MMAP_LOCK, .at = L_UNLOCK),
	ANSWER(return_zero, MMAP_20),
	END,
};
