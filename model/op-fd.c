/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptors and processes: dup, close, fork, exit; and inject, which arranges what a later
 * call of the task meets.
 */
#include "ops.h"

/* ksys_dup() */
const struct gmem_step gmem_op_dup[] = {
	CHECK(fdget, FD_1, EBADF),
	CHECK(fd_is_available, FD_5, EMFILE),
	ANSWER(return_fd, FD_6),
	END,
};

/* close(): a closed VM or file lives on for as long as something refers to it */
const struct gmem_step gmem_op_close[] = {
	CHECK(find_fd, FD_1, EBADF),
	DO(remove_descriptor, FD_3),
	DELAYED_FPUT,
	ANSWER(return_zero, FD_3),
	END,
};

static uint32_t child(struct gmem_run *run)
{
	return TASK(run->b, run->b->tasks[run->c->value])->process;
}

static int create_process_and_task(struct gmem_run *run)
{
	struct gmem_block *b = run->b;

	gmem_task_new(b, (uint32_t)run->c->value, gmem_process_new(b));
	return 0;
}

static int copy_descriptors(struct gmem_run *run)
{
	struct gmem_block *b = run->b;
	struct gmem_process *p = PROCESS(b, child(run));
	struct gmem_range r = { 0, 0, 0 };

	p->fds = gmem_range_copy(b, gmem_process(run)->fds);
	if (gmem_process(run)->cloexec)
		p->cloexec = gmem_range_copy(b, gmem_process(run)->cloexec);
	while (gmem_range_next(b, p->fds, r.end, &r))
		GFILE(b, r.value)->refs += (uint32_t)(r.end - r.start);
	return 0;
}

/*
 * Private memory is copied at once; unlike the kernel, which copies it when it is written. It is
 * copied once, however many mappings show parts of it: with the first of them.
 */
static uint32_t inherited_inode(struct gmem_block *b, const struct gmem_vma *v,
				struct gmem_process *child)
{
	const struct gmem_inode *old = INODE(b, v->inode);
	struct gmem_inode *copy;
	uint32_t idx;

	if (!gmem_is_private_memory(old))
		return v->inode;
	for (idx = old->vmas; idx; idx = VMA(b, idx)->next)
		if (VMA(b, idx)->start < v->start)
			return gmem_vma_at(b, child, VMA(b, idx)->start)->inode;
	idx = gmem_inode_new(b, INODE_ANON, old->size, old->flags);
	copy = INODE(b, idx);
	if (old->flags == GMEM_MAP_DROPPABLE)
		return idx; /* VM_WIPEONFORK */
	copy->folios = gmem_range_copy(b, old->folios);
	copy->bytes = gmem_range_copy(b, old->bytes);
	return idx;
}

static bool is_copied_on_write(const struct gmem_block *b, const struct gmem_vma *v)
{
	return v->written && CINODE(b, v->inode)->flags == GMEM_MAP_PRIVATE;
}

/* From now on parent and child have the page in common until either writes to it. */
static void copy_entries(struct gmem_block *b, struct gmem_process *parent,
			 struct gmem_process *child, const struct gmem_vma *v)
{
	struct gmem_range r = { 0, v->start, 0 };

	while (gmem_range_next_in(b, parent->ptes, r.end, v->end, &r)) {
		gmem_range_set(b, &parent->ptes, r.start, r.end, r.value | PTE_COPY);
		gmem_range_set(b, &child->ptes, r.start, r.end, r.value | PTE_COPY);
	}
}

static int copy_mmap_base(struct gmem_run *run)
{
	PROCESS(run->b, child(run))->mmap_next = gmem_process(run)->mmap_next;
	return 0;
}

/* Of the page tables only private memory is copied: the rest is found again by a fault. */
static int copy_mapping(struct gmem_run *run)
{
	struct gmem_block *b = run->b;
	struct gmem_process *p = PROCESS(b, child(run));
	uint32_t idx = gmem_cell_alloc(b);
	struct gmem_vma *v = VMA(b, idx);

	*v = *VMA(b, run->t->vma);
	v->process = child(run);
	v->inode = inherited_inode(b, v, p);
	gmem_vma_link(b, idx);
	gmem_range_set(b, &p->vmas, v->start, v->end, idx);
	if (is_copied_on_write(b, v))
		copy_entries(b, gmem_process(run), p, v);
	else
		v->written = 0;
	return 0;
}

/* t->at_vma is where the walk over the process's mappings stands. */
static bool next_mapping(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	struct gmem_range r;
	uint64_t from = t->at_vma ? VMA(run->b, t->at_vma)->end : 0;

	t->at_vma = gmem_range_next(run->b, gmem_process(run)->vmas, from, &r) ? r.value : 0;
	return t->at_vma != 0;
}

static bool next_mapping_to_copy(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	if (!next_mapping(run))
		return false;
	t->vma = t->at_vma;
	t->inode = VMA(run->b, t->vma)->inode;
	return true;
}

/* dup_mmap(): takes t->vma, t->inode */
const struct gmem_step gmem_op_copy_mapping[] = {
	LOCK(I_MMAP_RWSEM, WRITE, NOTIFY_9),
	DO(copy_mapping, PROC_2),
	UNLOCK(I_MMAP_RWSEM),
	END,
};

/* copy_page_range(): private memory that was written is made read-only, mapping by mapping. */
static bool next_mapping_to_share(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	while (next_mapping(run)) {
		const struct gmem_vma *v = VMA(run->b, t->at_vma);

		t->owner = t->process;
		t->zap = v->start;
		t->zap_end = v->end;
		if (is_copied_on_write(run->b, v))
			return true;
	}
	return false;
}

static int return_task(struct gmem_run *run)
{
	run->res->value = (int64_t)run->c->value;
	return 0;
}

/* kernel_clone(): copy_files(), copy_mm() */
const struct gmem_step gmem_op_fork[] = {
	DO(create_process_and_task, PROC_1),
	DO(copy_descriptors, PROC_1),
	LOCK(MMAP_LOCK, WRITE, PROC_2),
	CALL_EACH(next_mapping_to_share, T_NOTIFY, NOTIFY_6),
	DO(copy_mmap_base, PROC_2),
	CALL_EACH(next_mapping_to_copy, T_COPY_MAPPING, PROC_2),
	UNLOCK(MMAP_LOCK),
	ANSWER(return_task, PROC_1),
	END,
};

static int create_task(struct gmem_run *run)
{
	gmem_task_new(run->b, (uint32_t)run->c->value, run->t->process);
	return 0;
}

/* kernel_clone() with CLONE_VM and CLONE_FILES */
const struct gmem_step gmem_op_thread[] = {
	DO(create_task, PROC_6),
	ANSWER(return_task, PROC_6),
	END,
};

static bool is_last_task(struct gmem_run *run)
{
	return gmem_process(run)->tasks == 1;
}

static bool is_one_of_several(struct gmem_run *run)
{
	return !is_last_task(run);
}

/* The process goes on; the task itself is freed by gmem_call(). */
static int leave_process(struct gmem_run *run)
{
	gmem_process(run)->tasks--;
	run->t->process = run->t->owner = 0;
	return return_zero(run);
}

/* kvm_mmu_notifier_release(): the VMs lose all of the guest's mappings, and are told no more. */
static int release_notifiers(struct gmem_run *run)
{
	struct gmem_block *b = run->b;

	for (uint32_t vm = b->vms; vm; vm = VM(b, vm)->next) {
		if (VM(b, vm)->process != run->t->process)
			continue;
		gmem_range_clear(b, &VM(b, vm)->sptes);
		VM(b, vm)->process = 0;
	}
	return 0;
}

static int take_all_addresses(struct gmem_run *run)
{
	run->t->start = 0;
	run->t->end = PAGES(TASK_SIZE);
	return 0;
}

static int close_next_descriptor(struct gmem_run *run)
{
	struct gmem_process *p = gmem_process(run);
	struct gmem_range r;

	if (!gmem_range_next(run->b, p->fds, 0, &r))
		return 0;
	gmem_fd_remove(run->b, p, (int64_t)r.start);
	gmem_fput(run, r.value);
	return AGAIN;
}

/* The task itself is freed by gmem_call(): the interpreter still stands in it. */
static int free_process(struct gmem_run *run)
{
	gmem_process_free(run->b, run->t->process);
	run->t->process = run->t->owner = 0;
	return return_zero(run);
}

static bool is_gone(struct gmem_run *run)
{
	return !run->t->process;
}

/* do_exit(): exit_mm(), then exit_files(); both are the last task's affair */
const struct gmem_step gmem_op_exit[] = {
	ANSWER(leave_process, PROC_6, WHEN(is_one_of_several)),
	DONE_IF(is_gone, PROC_6),
	DO(release_notifiers, NOTIFY_8),
	LOCK(MMAP_LOCK, WRITE, PROC_3),
	DO(take_all_addresses, PROC_3),
	CALL(T_UNMAP, PROC_3, WHEN(range_is_mapped)),
	UNLOCK(MMAP_LOCK),
	EACH(close_next_descriptor, PROC_4),
	DELAYED_FPUT,
	ANSWER(free_process, PROC_4),
	END,
};

static int remember_for_next_call(struct gmem_run *run)
{
	run->t->inject = (uint32_t)run->c->what;
	run->t->inject_after = run->c->what ? run->c->value : 0;
	return return_zero(run);
}

/* No kernel function: what is arranged here, the kernel meets by chance */
const struct gmem_step gmem_op_inject[] = {
	ANSWER(remember_for_next_call, PROC_5),
	END,
};
