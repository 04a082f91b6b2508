/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Teardown is an order, so it is one file: unbinding a memslot, freeing it, the last fput() of a
 * file, the release of a guest_memfd, the end of a VM and of an inode.
 *
 * A file whose last reference goes is not released there and then but when the call returns, as
 * the kernel does from task work, when no lock is held. Until then it is dying: a weak pointer
 * to it can no longer be turned into a reference.
 */
#include "bugs.h"
#include "ops.h"

static struct gmem_file *file_of(struct gmem_run *run)
{
	return GFILE(run->b, run->t->file);
}

/* Release has cleared the pointer. */
static bool file_is_closed(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	if (!slot_of(run)->file)
		return true;
	t->file = slot_of(run)->file;
	t->inode = file_of(run)->inode;
	return false;
}

/* kvm_gmem_get_file(): none, where the last one is gone and release waits for slots_lock */
static int get_file_to_unbind(struct gmem_run *run)
{
	run->t->hole = !file_of(run)->refs;
	if (!run->t->hole)
		file_of(run)->refs++;
	return 0;
}

static bool file_was_dying(struct gmem_run *run)
{
	return run->t->hole;
}

static int erase_binding(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	struct gmem_slot *s = slot_of(run);

	t->start = s->pgoff;
	t->end = s->pgoff + s->npages;
	gmem_range_set(run->b, &file_of(run)->bindings, t->start, t->end, 0);
	s->file = 0;
	return 0;
}

/* kvm_gmem_unbind(): takes t->slot; changes t->file, t->inode */
const struct gmem_step gmem_op_unbind[] = {
	DONE_IF(file_is_closed, UNBIND_1),
	DO(get_file_to_unbind, UNBIND_2),
	DO(erase_binding, UNBIND_4, WHEN(file_was_dying)),
	DONE_IF(file_was_dying, UNBIND_4),
	LOCK(INVALIDATE_LOCK, WRITE, UNBIND_2),
	DO(erase_binding, UNBIND_2),
	UNLOCK(INVALIDATE_LOCK),
	DO(fput, UNBIND_2),
	END,
};

/* kvm_gmem_unbind() of v13: no reference, and the lock for a dying file as well */
const struct gmem_step gmem_op_unbind_v13[] = {
	DONE_IF(file_is_closed, UNBIND_1),
	LOCK(INVALIDATE_LOCK, WRITE, UNBIND_5),
	DO(erase_binding, UNBIND_5),
	UNLOCK(INVALIDATE_LOCK),
	END,
};

/* Museum B39: a file that is dying is taken for one that is gone, and keeps the binding. */
const struct gmem_edit gmem_bug_b39[] = {
	DROP_ROW(T_UNBIND, "erase_binding", 0),
	{ 0 },
};

static int free_slot(struct gmem_run *run)
{
	if (slot_of(run)->file)
		gmem_violate(run->w, "I7", "a freed memslot still bound to a file: memslot",
			     slot_of(run)->id, 0);
	gmem_cell_free(run->b, run->t->slot);
	run->t->slot = 0;
	run->b->nr_slots--;
	return 0;
}

/* kvm_free_memslot(): takes t->slot, which nobody can find any more */
const struct gmem_step gmem_op_free_slot[] = {
	CALL(T_UNBIND, UNBIND_3, WHEN(slot_has_gmem)),
	DO(free_slot, UNBIND_3),
	END,
};

static bool is_gmem(struct gmem_run *run)
{
	return file_of(run)->kind == FILE_GMEM;
}

static bool is_pin(struct gmem_run *run)
{
	return file_of(run)->kind == FILE_PIN;
}

/* Gives back the pages of one part; orphans that nobody pins any more go. */
static void unpin_part(struct gmem_block *b, uint32_t idx)
{
	struct gmem_pin *pin = PIN(b, idx);
	struct gmem_range r = { 0, 0, 0 };

	while (gmem_range_next(b, pin->holder, r.end, &r))
		if (INODE(b, r.value)->kind == INODE_ORPHAN)
			gmem_inode_put(b, r.value);
	if (pin->inode) {
		uint32_t *link = &INODE(b, pin->inode)->pins;

		while (*link != idx)
			link = &PIN(b, *link)->next;
		*link = pin->next;
		if (INODE(b, pin->inode)->kind == INODE_ANON)
			gmem_inode_put(b, pin->inode);
	}
	gmem_range_clear(b, &pin->holder);
	gmem_cell_free(b, idx);
	b->nr_pins--;
}

static int unpin_pages(struct gmem_run *run)
{
	struct gmem_file *file = file_of(run);
	struct gmem_range r = { 0, 0, 0 };

	while (gmem_range_next(run->b, file->parts, r.end, &r))
		unpin_part(run->b, r.value);
	gmem_range_clear(run->b, &file->parts);
	return 0;
}

static bool is_vm_or_gmem(struct gmem_run *run)
{
	run->t->vm = file_of(run)->vm;
	return run->t->vm != 0;
}

/* The file names it no more: it may be freed, and its cell another inode, before the file is. */
static int iput(struct gmem_run *run)
{
	run->t->inode = file_of(run)->inode;
	file_of(run)->inode = 0;
	INODE(run->b, run->t->inode)->refs--;
	return 0;
}

static bool was_the_inodes_last(struct gmem_run *run)
{
	return is_gmem(run) && !INODE(run->b, run->t->inode)->refs;
}

static int free_file(struct gmem_run *run)
{
	gmem_cell_free(run->b, run->t->file);
	run->t->file = 0;
	return 0;
}

/* __fput(): takes t->file, which has no reference left */
const struct gmem_step gmem_op_final_fput[] = {
	CALL(T_RELEASE, RELEASE_1, WHEN(is_gmem)),
	DO(unpin_pages, PIN_4, WHEN(is_pin)),
	CALL(T_PUT_KVM, DESTROY_1, WHEN(is_vm_or_gmem)),
	DO(iput, RELEASE_5, WHEN(is_gmem)),
	CALL(T_EVICT_INODE, RELEASE_5, WHEN(was_the_inodes_last)),
	DO(free_file, FD_4),
	END,
};

static int take_vm_and_inode(struct gmem_run *run)
{
	run->t->vm = file_of(run)->vm;
	run->t->inode = file_of(run)->inode;
	return 0;
}

static int clear_slots_file(struct gmem_run *run)
{
	struct gmem_range r = { 0, 0, 0 };

	while (gmem_range_next(run->b, file_of(run)->bindings, r.end, &r))
		SLOT(run->b, r.value)->file = 0;
	return 0;
}

/* The whole file: the range that the invalidation tables take. */
static bool is_bound(struct gmem_run *run)
{
	run->t->at_file = run->t->file;
	run->t->start = 0;
	run->t->end = UINT64_MAX;
	return is_bound_in_range(run);
}

static int leave_file(struct gmem_run *run)
{
	run->t->at_file = run->t->at_vm = 0;
	return 0;
}

static int list_del(struct gmem_run *run)
{
	uint32_t *link = &INODE(run->b, run->t->inode)->files;

	while (*link && *link != run->t->file)
		link = &GFILE(run->b, *link)->next;
	if (*link)
		*link = file_of(run)->next;
	else
		gmem_violate(run->w, "I10", "a file is released twice: file", run->t->file, 0);
	return 0;
}

static int destroy_bindings(struct gmem_run *run)
{
	gmem_range_clear(run->b, &file_of(run)->bindings);
	return 0;
}

/* kvm_gmem_release(): takes t->file */
const struct gmem_step gmem_op_release[] = {
	DO(take_vm_and_inode, RELEASE_1),
	LOCK(SLOTS_LOCK, WRITE, RELEASE_1),
	LOCK(INVALIDATE_LOCK, WRITE, RELEASE_1),
	DO(clear_slots_file, RELEASE_2),
	CALL(T_INVALIDATE_START, RELEASE_3, WHEN(is_bound)),
	CALL(T_INVALIDATE_END, RELEASE_3, WHEN(is_bound)),
	DO(leave_file, RELEASE_3),
	DO(list_del, RELEASE_4),
	UNLOCK(INVALIDATE_LOCK),
	UNLOCK(SLOTS_LOCK),
	DO(destroy_bindings, RELEASE_4),
	END,
};

/* Nor does it name the VM any more. */
static bool vm_has_users(struct gmem_run *run)
{
	file_of(run)->vm = 0;
	return --VM(run->b, run->t->vm)->users != 0;
}

/* From here on nobody finds it to tell it anything. */
static int unregister_notifier(struct gmem_run *run)
{
	VM(run->b, run->t->vm)->process = 0;
	return 0;
}

static bool next_slot(struct gmem_run *run)
{
	struct gmem_vm *vm = VM(run->b, run->t->vm);
	struct gmem_range r;
	const struct gmem_slot *s;

	if (!gmem_range_next(run->b, vm->slots, 0, &r))
		return false;
	run->t->slot = r.value;
	s = slot_of(run);
	gmem_range_set(run->b, &vm->slots, r.start, r.end, 0);
	gmem_range_set(run->b, &vm->gfns[s->as_id], s->gfn, s->gfn + s->npages, 0);
	gmem_index_hva(run->b, s, 0);
	vm->nr_memslot_pages -= s->npages;
	return true;
}

static int free_vm(struct gmem_run *run)
{
	gmem_vm_free(run->b, run->t->vm);
	run->t->vm = 0;
	return 0;
}

/* kvm_put_kvm(), kvm_destroy_vm(): takes t->vm */
const struct gmem_step gmem_op_put_kvm[] = {
	DONE_IF(vm_has_users, DESTROY_1),
	WAIT_AND_DO(vm_is_not_being_told, unregister_notifier, DESTROY_4, .lock = NOTIFIERS,
		    .mode = WRITE),
	CALL_EACH(next_slot, T_FREE_SLOT, DESTROY_2),
	DO(free_vm, DESTROY_3),
	END,
};

static int drop_all_pages(struct gmem_run *run)
{
	gmem_drop_pages(run, run->t->inode, 0, PAGES(MAX_LFS_FILESIZE) + 1);
	return 0;
}

static int free_inode(struct gmem_run *run)
{
	gmem_inode_free(run->b, run->t->inode);
	run->t->inode = 0;
	return 0;
}

/* evict(): takes t->inode, which no file refers to */
const struct gmem_step gmem_op_evict_inode[] = {
	DO(drop_all_pages, RELEASE_5),
	DO(free_inode, RELEASE_5),
	END,
};

/* task_work_run(), when a call is over: the release of files whose last reference it held */
const struct gmem_step gmem_op_task_work[] = {
	DELAYED_FPUT,
	END,
};
