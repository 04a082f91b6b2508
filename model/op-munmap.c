/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * munmap(), mprotect(), and what a mapping is tied to.
 */
#include "ops.h"

#define PROT_SEM UINT64_C(8) /* of no effect on x86 */

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
	t->end = t->start + gmem_pages_of(run->c->length);
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
	return !(run->c->prot & ~(GMEM_PROT_BITS | PROT_SEM));
}

static bool mprotect_does_not_wrap(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->start = t->page = PAGES(run->c->addr);
	t->end = t->start + gmem_pages_of(run->c->length);
	return gmem_pages_of(run->c->length) && BYTES(t->end) > run->c->addr;
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
		if (run->c->prot & v->never)
			return -EACCES;
		if (v->prot != (run->c->prot & GMEM_PROT_BITS))
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
	v->prot = (uint32_t)(run->c->prot & GMEM_PROT_BITS);
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
