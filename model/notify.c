/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The invalidation protocol: what a VM is told before and after memory under it goes away.
 *
 * Between start and end the counter is above zero and the range covers what is going away, so a
 * fault that began before does not install what it found. The range only grows until the counter
 * is back at zero. A VM none of whose memslots is concerned is told nothing.
 *
 * Who tells: the file (here), the host's page tables (zap.c), attributes (op-attributes.c).
 */
#include "bugs.h"
#include "convert.h"
#include "ops.h"
#include "unroll.h"

void gmem_mmu_invalidate_start(struct gmem_run *run, uint32_t vm)
{
	struct gmem_vm *v = VM(run->b, vm);

	if (v->in_progress++ == 0) {
		v->range_start = UINT64_MAX;
		v->range_end = 0;
	}
}

void gmem_mmu_invalidate_range_add(struct gmem_run *run, uint32_t vm, uint64_t gfn,
				   uint64_t gfn_end)
{
	struct gmem_vm *v = VM(run->b, vm);

	if (v->range_start > gfn)
		v->range_start = gfn;
	if (v->range_end < gfn_end)
		v->range_end = gfn_end;
}

void gmem_mmu_invalidate_end(struct gmem_run *run, uint32_t vm)
{
	struct gmem_vm *v = VM(run->b, vm);

	v->seq++;
	v->in_progress--;
}

bool gmem_mmu_invalidate_retry(const struct gmem_vm *v, uint64_t seq, uint64_t gfn)
{
	return (v->in_progress > 0 && gfn >= v->range_start && gfn < v->range_end) || v->seq != seq;
}

void gmem_unmap_gfns(struct gmem_block *b, uint32_t vm, uint64_t gfn, uint64_t gfn_end,
		     unsigned int filter)
{
	uint32_t *sptes = &VM(b, vm)->sptes;
	struct gmem_range r = { 0, gfn, 0 };

	while (*sptes && gmem_range_next_in(b, *sptes, r.end, gfn_end, &r))
		if (filter & (r.value & SPTE_PRIVATE ? FILTER_PRIVATE : FILTER_SHARED))
			gmem_range_set(b, sptes, r.start, r.end, 0);
}

unsigned int gmem_invalidate_filter(const struct gmem_block *b, uint32_t vm, unsigned int asked)
{
	if (!asked)
		return 0;
	return CVM(b, vm)->type == GMEM_VM_TDX ? asked : FILTER_SHARED | FILTER_PRIVATE;
}

void gmem_emit(struct gmem_run *run, uint32_t vm, const struct gmem_event *event)
{
	const struct gmem_world *w = run->w;

	for (uint32_t i = 0; i < w->nr_listeners; i++)
		if (w->listeners[i].number == VM(run->b, vm)->number && w->listeners[i].fn)
			w->listeners[i].fn(w->listeners[i].arg, event);
}

bool gmem_somebody_listens(const struct gmem_world *w)
{
	for (uint32_t i = 0; i < w->nr_listeners; i++)
		if (w->listeners[i].fn)
			return true;
	return false;
}

/* One memslot: the part of it that [start, end) of the file is bound to. */
static void invalidate_slot(struct gmem_run *run, const struct gmem_slot *s, unsigned int filter)
{
	uint64_t start = run->t->start, end = run->t->end;
	uint64_t from = s->pgoff > start ? s->pgoff : start;
	uint64_t to = s->pgoff + s->npages < end ? s->pgoff + s->npages : end;
	uint64_t gfn = s->gfn + from - s->pgoff, gfn_end = s->gfn + to - s->pgoff;

	gmem_mmu_invalidate_range_add(run, s->vm, gfn, gfn_end);
	gmem_unmap_gfns(run->b, s->vm, gfn, gfn_end, gmem_invalidate_filter(run->b, s->vm, filter));
	if (!run->w->nr_listeners)
		return;
	gmem_emit(run, s->vm,
		  &(struct gmem_event){
			  .kind = GMEM_INVALIDATE_START,
			  .origin = GMEM_BY_FILE,
			  .slot = s->id,
			  .as_id = s->as_id,
			  .pgoff = from,
			  .pgoff_end = to,
			  .gfn = gfn,
			  .gfn_end = gfn_end,
		  });
}

/* What a start does but for the count; the range is t->start to t->end. */
int gmem_unmap_slots(struct gmem_run *run, unsigned int filter)
{
	const struct gmem_file *f = GFILE(run->b, run->t->at_file);
	struct gmem_range r = { 0, run->t->start, 0 };

	while (gmem_range_next_in(run->b, f->bindings, r.end, run->t->end, &r)) {
		const struct gmem_slot *s = SLOT(run->b, r.value);
		uint64_t gfn = s->gfn + (r.start - s->pgoff);

		gmem_unmap_gfns(run->b, s->vm, gfn, gfn + (r.end - r.start),
				gmem_invalidate_filter(run->b, s->vm, filter));
	}
	return 0;
}

int gmem_invalidate_slots(struct gmem_run *run, unsigned int filter)
{
	const struct gmem_file *f = GFILE(run->b, run->t->at_file);
	struct gmem_range r = { 0, run->t->start, 0 };

	gmem_mmu_invalidate_start(run, f->vm);
	while (r.end < run->t->end &&
	       gmem_range_next_in(run->b, f->bindings, r.end, run->t->end, &r))
		invalidate_slot(run, SLOT(run->b, r.value), filter);
	return 0;
}

static int unmap_gfn_range(struct gmem_run *run)
{
	return gmem_invalidate_slots(run, FILTER_SHARED | FILTER_PRIVATE);
}

static int mmu_invalidate_end(struct gmem_run *run)
{
	const struct gmem_task *t = run->t;
	const struct gmem_event e = {
		.kind = GMEM_INVALIDATE_END,
		.origin = GMEM_BY_FILE,
		.pgoff = t->start,
		.pgoff_end = t->end,
	};

	gmem_mmu_invalidate_end(run, t->at_vm);
	gmem_emit(run, t->at_vm, &e);
	return 0;
}

/* kvm_gmem_invalidate_start(), 6.8: kvm_gmem_invalidate_begin(): one file, t->at_file */
const struct gmem_step gmem_op_invalidate_start[] = {
	LOCK(MMU_LOCK, WRITE, PUNCH_2),
	DO(unmap_gfn_range, PUNCH_2),
	UNLOCK(MMU_LOCK),
	END,
};
UNROLLED(gmem_op_invalidate_start)

/*
 * kvm_gmem_invalidate_start() of the series, which can filter, and must not where pages may be of
 * both kinds
 */
const struct gmem_step gmem_op_invalidate_start_both[] = {
	LOCK(MMU_LOCK, WRITE, PUNCH_2),
	DO(unmap_gfn_range, CONV_27),
	UNLOCK(MMU_LOCK),
	END,
};

static bool is_initially_shared(struct gmem_run *run)
{
	return INODE(run->b, GFILE(run->b, run->t->at_file)->inode)->flags & GMEM_FLAG_INIT_SHARED;
}

/* X1: only what the file's flag says, though an MMAP file serves a TDX guest's shared side, too. */
static int unmap_gfn_range_by_flag(struct gmem_run *run)
{
	if (gmem_file_attributes_are_on(run->b))
		return unmap_gfn_range(run);
	return gmem_invalidate_slots(run,
				     is_initially_shared(run) ? FILTER_SHARED : FILTER_PRIVATE);
}

const struct gmem_edit gmem_bug_x1[] = {
	REPLACE_ROW(T_INVALIDATE_START, "unmap_gfn_range", 0, DO(unmap_gfn_range_by_flag, PUNCH_2)),
	{ 0 },
};

/* Only the count and the range: the zap is a row of its own, as in shareability. */
static int count_invalidation(struct gmem_run *run)
{
	return gmem_invalidate_slots(run, 0);
}

/* kvm_gmem_invalidate_begin() of the designs that zap in a row of its own */
const struct gmem_step gmem_op_invalidate_begin[] = {
	LOCK(MMU_LOCK, WRITE, PUNCH_2),
	DO(count_invalidation, PUNCH_2),
	UNLOCK(MMU_LOCK),
	END,
};

/* Museum B38b: only private mappings, whatever the file begins as. */
static int unmap_private_gfn_range(struct gmem_run *run)
{
	return gmem_invalidate_slots(run, FILTER_PRIVATE);
}

const struct gmem_edit gmem_bug_b38b[] = {
	REPLACE_ROW(T_INVALIDATE_START, "unmap_gfn_range", 0, DO(unmap_private_gfn_range, PUNCH_2)),
	{ 0 },
};

/* kvm_gmem_invalidate_end() */
const struct gmem_step gmem_op_invalidate_end[] = {
	LOCK(MMU_LOCK, WRITE, PUNCH_4),
	DO(mmu_invalidate_end, PUNCH_4),
	UNLOCK(MMU_LOCK),
	END,
};
UNROLLED(gmem_op_invalidate_end)

bool is_bound_in_range(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	const struct gmem_file *f = GFILE(run->b, t->at_file);

	t->at_vm = f->vm;
	/* Mostly the first page is bound, if any is. */
	return t->start < t->end && (gmem_range_get(run->b, f->bindings, t->start) ||
				     !gmem_range_empty(run->b, f->bindings, t->start, t->end));
}

bool next_bound_file(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	do
		t->at_file = t->at_file ? GFILE(run->b, t->at_file)->next :
					  INODE(run->b, t->inode)->files;
	while (t->at_file && !is_bound_in_range(run));
	if (!t->at_file)
		t->at_vm = 0;
	return t->at_file != 0;
}

static uint32_t vm_of_fd(const struct gmem_block *b, uint32_t task, int64_t fd)
{
	const struct gmem_process *p = CPROCESS(b, CTASK(b, b->tasks[task])->process);

	return CFILE(b, gmem_fd_file(b, p, fd))->vm;
}

enum gmem_status gmem_listen(struct gmem_world *w, uint32_t task, int64_t fd, gmem_listener_fn fn,
			     void *arg)
{
	struct gmem_listener *l = w->listeners;
	uint32_t n = w->nr_listeners, i = 0, number;

	if (gmem_fd_kind(w, task, fd) != GMEM_FD_VM)
		return GMEM_MISUSE;
	number = CVM(w->b, vm_of_fd(w->b, task, fd))->number;
	while (i < n && l[i].number != number)
		i++;
	for (uint32_t ended = 0; i == n && ended < n; ended++)
		if (!l[ended].fn)
			i = ended;
	if (i == n) {
		l = w->resize(w->resize_arg, l, n * sizeof(*l), (n + 1) * sizeof(*l));
		if (!l)
			return GMEM_FAILED;
		w->listeners = l;
		w->nr_listeners = n + 1;
	}
	l[i] = (struct gmem_listener){ .number = number, .fn = fn, .arg = arg };
	return GMEM_DONE;
}
