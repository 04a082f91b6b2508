/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memfile_notifier: how a memslot is tied to a memfd, and what KVM is told of the memfd's pages.
 *
 * Every memslot has a notifier of its own on the file's list, gmem_file.bindings: its order of
 * coming -> memslot. All of them hear of every event, and clip it themselves; the walk finds those
 * that are concerned. There is no start and no end: what protects a fault that is under way is the
 * folio's lock (v4 to v6), or the count that a zap moves (v6, v7).
 */
#include "memfd.h"

#include "bugs.h"
#include "profile.h"

struct gmem_file *gmem_file_of_inode(struct gmem_run *run)
{
	return GFILE(run->b, inode_of(run)->files);
}

/* The file of the memslot that is being made, and a reference that stays with it. */
bool fget_private_fd(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->file = gmem_fd_file(run->b, gmem_process(run), run->c->memfd);
	if (!t->file)
		return false;
	GFILE(run->b, t->file)->refs++;
	t->inode = GFILE(run->b, t->file)->inode;
	return true;
}

/* shmem_mapping(): huge pages are another file system's. */
static bool file_is_of_shmem(struct gmem_run *run)
{
	return file_is_guest_memfd(run) &&
	       (inode_of(run)->memfd & (MEMFD | MEMFD_HUGETLB)) == MEMFD;
}

/* The walk over the stores; what it found is used by a later row. */
static bool a_store_has_it(struct gmem_run *run)
{
	return file_is_of_shmem(run) && !(run->b->gone & 1u << GMEM_MODULE_STORE);
}

int name_file(struct gmem_run *run)
{
	struct gmem_slot *s = SLOT(run->b, run->t->new_slot);

	s->file = run->t->file;
	s->inode = run->t->inode;
	s->pgoff = PAGES(run->c->offset);
	s->kflags |= SLOT_PINS;
	return 0;
}

/* memfile_register_notifier(): list_add_tail_rcu() */
int add_notifier(struct gmem_run *run)
{
	struct gmem_file *f = GFILE(run->b, run->t->file);
	struct gmem_range r = { 0, 0, 0 };

	if (run->b->gone & 1u << GMEM_MODULE_STORE)
		gmem_violate(run->w, "I15", "a backing store that is gone is used: memslot",
			     SLOT(run->b, run->t->new_slot)->id, 0);
	name_file(run);
	while (gmem_range_next(run->b, f->bindings, r.end, &r))
		;
	gmem_range_set(run->b, &f->bindings, r.end, r.end + 1, run->t->new_slot);
	return 0;
}

/* v6, v7: memfile_node_update_flags(). Mappings that are there stay. */
static int take_users_access(struct gmem_run *run)
{
	struct gmem_inode *inode = inode_of(run);

	if (!(inode->memfd & MEMFD_INACCESSIBLE))
		gmem_note_exchange(run);
	inode->memfd |= MEMFD_INACCESSIBLE;
	return 0;
}

/* kvm_memfile_register() of v4, kvm_private_mem_register() of v5 */
const struct gmem_step gmem_op_bind_memfile_v4[] = {
	CHECK(fget_private_fd, STORE_1, EINVAL),
	CHECK(file_is_of_shmem, STORE_2, EINVAL, .to = L_END),
	DO(add_notifier, STORE_7),
	DO(fput, STORE_1, WHEN(has_failed), .at = L_END),
	END,
};

/* memfile_register_notifier() of v5: over the list of stores */
const struct gmem_step gmem_op_bind_memfile_v5[] = {
	CHECK(fget_private_fd, STORE_1, EINVAL),
	CHECK(a_store_has_it, STORE_2, EOPNOTSUPP, .to = L_END),
	DO(add_notifier, STORE_7),
	DO(fput, STORE_1, WHEN(has_failed), .at = L_END),
	END,
};

/* memfile_register_notifier() of v6 and v7 */
const struct gmem_step gmem_op_bind_memfile_v6[] = {
	CHECK(fget_private_fd, STORE_1, EINVAL),
	CHECK(a_store_has_it, STORE_2, EOPNOTSUPP, .to = L_END),
	DO(take_users_access, STORE_8),
	DO(add_notifier, STORE_7),
	DO(fput, STORE_1, WHEN(has_failed), .at = L_END),
	END,
};

/* Sets t->at_file, t->inode: who frees memslots of a VM that ends has a file of his own in t->file. */
int take_file_of_slot(struct gmem_run *run)
{
	run->t->at_file = slot_of(run)->file;
	run->t->inode = GFILE(run->b, run->t->at_file)->inode;
	return 0;
}

/* list_del_rcu() */
int delete_notifier(struct gmem_run *run)
{
	struct gmem_file *f = GFILE(run->b, run->t->at_file);
	struct gmem_range r = { 0, 0, 0 };

	while (gmem_range_next(run->b, f->bindings, r.end, &r))
		if (r.value == run->t->slot) {
			gmem_range_set(run->b, &f->bindings, r.start, r.start + 1, 0);
			break;
		}
	return 0;
}

int put_file_of_slot(struct gmem_run *run)
{
	slot_of(run)->file = 0;
	gmem_fput(run, run->t->at_file);
	run->t->at_file = 0;
	return 0;
}

/* memfile_unregister_notifier(): takes t->slot; and the memslot's reference goes */
const struct gmem_step gmem_op_unbind_memfile[] = {
	DO(take_file_of_slot, STORE_9),	    DO(delete_notifier, STORE_9),
	LOCK(MEMFILE_SRCU, WRITE, STORE_9), UNLOCK(MEMFILE_SRCU),
	DO(put_file_of_slot, STORE_10),	    END,
};

/* Sets t->slot and t->at_vm: the next on the list; of those alone that are concerned. */
static bool next_on_list(struct gmem_run *run, bool concerned)
{
	struct gmem_task *t = run->t;
	struct gmem_range r = { 0, 0, 0 };
	bool passed = !t->at_vm;

	while (gmem_range_next(run->b, gmem_file_of_inode(run)->bindings, r.end, &r)) {
		const struct gmem_slot *s = SLOT(run->b, r.value);
		bool is_over = s->pgoff < t->end && t->start < s->pgoff + s->npages;

		if (passed && (is_over || !concerned)) {
			t->slot = r.value;
			t->at_vm = s->vm;
			return true;
		}
		passed |= r.value == t->slot;
	}
	t->slot = t->at_vm = 0;
	return false;
}

bool next_notifier(struct gmem_run *run)
{
	return next_on_list(run, false);
}

bool next_binding(struct gmem_run *run)
{
	return next_on_list(run, true);
}

/*
 * Zaps gfns of t->slot for an event of that kind, of t->start to t->end: what is told must be the
 * memslot's, and all of what that event takes from it.
 */
int gmem_zap_told(struct gmem_run *run, enum gmem_event_kind kind, uint64_t gfn, uint64_t gfn_end)
{
	const struct gmem_slot *s = slot_of(run);
	uint64_t from = s->pgoff > run->t->start ? s->pgoff : run->t->start;
	uint64_t to = s->pgoff + s->npages;

	to = to < run->t->end ? to : run->t->end;
	if (from < to ? gfn != s->gfn + from - s->pgoff || gfn_end != s->gfn + to - s->pgoff :
			gfn < gfn_end)
		gmem_violate(run->w, "I16", "told of gfns, to", gfn, gfn_end);
	if (gfn >= gfn_end)
		return 0;
	gmem_unmap_gfns(run->b, s->vm, gfn, gfn_end, FILTER_SHARED | FILTER_PRIVATE);
	gmem_emit(run, s->vm,
		  &(struct gmem_event){
			  .kind = kind,
			  .origin = GMEM_BY_FILE,
			  .slot = s->id,
			  .as_id = s->as_id,
			  .pgoff = from,
			  .pgoff_end = to,
			  .gfn = gfn,
			  .gfn_end = gfn_end,
		  });
	return 0;
}

/* Sets t->gfn and t->gfn_end: pages of the memslot, which may reach past its end. */
static int find_pages_of_slot(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	uint64_t pgoff = slot_of(run)->pgoff;

	t->gfn = t->start > pgoff ? t->start - pgoff : 0;
	t->gfn_end = t->end > pgoff ? t->end - pgoff : 0;
	return 0;
}

static int add_base_gfn(struct gmem_run *run)
{
	uint64_t base = slot_of(run)->gfn;

	run->t->gfn += base;
	run->t->gfn_end = run->t->gfn_end > UINT64_MAX - base ? UINT64_MAX : run->t->gfn_end + base;
	return 0;
}

static int clip_to_slot(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	uint64_t first = slot_of(run)->gfn, last = first + slot_of(run)->npages;

	t->gfn = t->gfn > first ? t->gfn : first;
	t->gfn_end = t->gfn_end < last ? t->gfn_end : last;
	return 0;
}

/* Allocating tells by itself of what came; whoever takes folios away does so by T_TELL_FOLIOS. */
static enum gmem_event_kind kind_of_event(const struct gmem_task *t)
{
	return t->level[t->depth - 2].table == T_FALLOCATE_FILE ? GMEM_POPULATED : GMEM_INVALIDATE;
}

static int zap_gfns(struct gmem_run *run)
{
	return gmem_zap_told(run, kind_of_event(run->t), run->t->gfn, run->t->gfn_end);
}

/* mmu_notifier_seq; a zap of v7 counts as well, for its own time */
static int move_sequence(struct gmem_run *run)
{
	VM(run->b, run->t->at_vm)->seq++;
	return 0;
}

/*
 * kvm_memfile_invalidate(), kvm_memfile_fallocate(); kvm_memfile_notifier_invalidate(), _populate() of
 * v6; kvm_zap_gfn_range() of v7: for one memslot, t->slot
 */
const struct gmem_step gmem_op_notifier[] = {
	DO(find_pages_of_slot, STORE_11),
	DO(add_base_gfn, STORE_11),
	DO(clip_to_slot, STORE_11),
	LOCK(SRCU, READ, STORE_11),
	LOCK(MMU_LOCK, WRITE, STORE_11),
	DO(move_sequence, STORE_12),
	DO(zap_gfns, STORE_11),
	UNLOCK(MMU_LOCK),
	UNLOCK(SRCU),
	END,
};

/* X4: a fault that looked before the allocation does not know of it, and maps what it found. */
const struct gmem_edit gmem_bug_x4[] = {
	DROP_ROW(T_NOTIFIER_INVALIDATE, "move_sequence", 0),
	{ 0 },
};

/* Museum B02: a page of the file is clipped as if it were a gfn. */
const struct gmem_edit gmem_bug_b02[] = {
	DROP_ROW(T_NOTIFIER_INVALIDATE, "add_base_gfn", 0),
	{ 0 },
};

/* Museum B04: the end of what lies below the memslot's pages wraps. */
static int find_pages_with_underflow(struct gmem_run *run)
{
	find_pages_of_slot(run);
	run->t->gfn_end = run->t->end - slot_of(run)->pgoff;
	return 0;
}

const struct gmem_edit gmem_bug_b04[] = {
	REPLACE_ROW(T_NOTIFIER_INVALIDATE, "find_pages_of_slot", 0,
		    DO(find_pages_with_underflow, STORE_11)),
	{ 0 },
};

/* Those of stores are there from the boot on, and operations are held by who uses them. */
static bool module_may_go(struct gmem_run *run)
{
	return run->b->profile->n.unpinned_operations && run->c->what == GMEM_MODULE_OPERATIONS;
}

static int remove_module(struct gmem_run *run)
{
	run->b->gone |= 1u << run->c->what;
	return return_zero(run);
}

/* delete_module() */
const struct gmem_step gmem_op_rmmod[] = {
	CHECK(module_may_go, STORE_13, EBUSY),
	ANSWER(remove_module, STORE_14),
	END,
};

/* Museum B05: a store can be unregistered while somebody walks over the list of them. */
static bool module_is_the_store(struct gmem_run *run)
{
	return run->c->what == GMEM_MODULE_STORE;
}

const struct gmem_edit gmem_bug_b05[] = {
	REPLACE_ROW(GMEM_RMMOD, "module_may_go", 0, CHECK(module_is_the_store, STORE_13, EBUSY)),
	{ 0 },
};
