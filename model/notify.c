/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The invalidation protocol: what a VM is told before and after memory under it goes away.
 *
 * Between start and end the counter is above zero and the range covers what is going away, so a
 * fault that began before does not install what it found. The range only grows until the counter
 * is back at zero. A VM none of whose memslots is concerned is told nothing.
 */
#include "ops.h"

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

void gmem_unmap_gfns(struct gmem_block *b, uint32_t vm, uint64_t gfn, uint64_t gfn_end,
		     uint32_t keep)
{
	uint32_t *sptes = &VM(b, vm)->sptes;
	struct gmem_range r = { 0, gfn, 0 };

	while (gmem_range_next_in(b, *sptes, r.end, gfn_end, &r))
		if (!(r.value & keep))
			gmem_range_set(b, sptes, r.start, r.end, 0);
}

void gmem_emit(struct gmem_run *run, uint32_t vm, const struct gmem_event *event)
{
	const struct gmem_world *w = run->w;
	uint32_t number = VM(run->b, vm)->number;

	for (uint32_t i = 0; i < w->nr_listeners; i++)
		if (w->listeners[i].number == number && w->listeners[i].fn)
			w->listeners[i].fn(w->listeners[i].arg, event);
}

/* One memslot: the part of it that [start, end) of the file is bound to. */
static void invalidate_slot(struct gmem_run *run, const struct gmem_slot *s, uint64_t start,
			    uint64_t end)
{
	uint64_t from = s->pgoff > start ? s->pgoff : start;
	uint64_t to = s->pgoff + s->npages < end ? s->pgoff + s->npages : end;
	struct gmem_event e = {
		.kind = GMEM_INVALIDATE_START,
		.origin = GMEM_BY_FILE,
		.slot = s->id,
		.as_id = s->as_id,
		.pgoff = from,
		.pgoff_end = to,
		.gfn = s->gfn + from - s->pgoff,
		.gfn_end = s->gfn + to - s->pgoff,
	};

	gmem_mmu_invalidate_range_add(run, s->vm, e.gfn, e.gfn_end);
	gmem_unmap_gfns(run->b, s->vm, e.gfn, e.gfn_end, 0);
	gmem_emit(run, s->vm, &e);
}

/* kvm_gmem_invalidate_start(), 6.8: kvm_gmem_invalidate_begin() */
void gmem_invalidate_start(struct gmem_run *run, uint32_t file, uint64_t start, uint64_t end)
{
	const struct gmem_file *f = GFILE(run->b, file);
	struct gmem_range r = { 0, start, 0 };
	bool found = false;

	while (gmem_range_next_in(run->b, f->bindings, r.end, end, &r)) {
		if (!found) {
			run->t->vm = f->vm;
			gmem_lock_take(run, MMU_LOCK, WRITE);
			gmem_mmu_invalidate_start(run, f->vm);
		}
		found = true;
		invalidate_slot(run, SLOT(run->b, r.value), start, end);
	}
	if (found)
		gmem_lock_drop(run, MMU_LOCK);
}

/* kvm_gmem_invalidate_end() */
void gmem_invalidate_end(struct gmem_run *run, uint32_t file, uint64_t start, uint64_t end)
{
	const struct gmem_file *f = GFILE(run->b, file);
	struct gmem_event e = {
		.kind = GMEM_INVALIDATE_END,
		.origin = GMEM_BY_FILE,
		.pgoff = start,
		.pgoff_end = end,
	};

	if (gmem_range_empty(run->b, f->bindings, start, end))
		return;
	run->t->vm = f->vm;
	gmem_lock_take(run, MMU_LOCK, WRITE);
	gmem_mmu_invalidate_end(run, f->vm);
	gmem_lock_drop(run, MMU_LOCK);
	gmem_emit(run, f->vm, &e);
}

int invalidate_start(struct gmem_run *run)
{
	const struct gmem_task *t = run->t;

	for (uint32_t f = INODE(run->b, t->inode)->files; f; f = GFILE(run->b, f)->next)
		gmem_invalidate_start(run, f, t->start, t->end);
	return 0;
}

int invalidate_end(struct gmem_run *run)
{
	const struct gmem_task *t = run->t;

	for (uint32_t f = INODE(run->b, t->inode)->files; f; f = GFILE(run->b, f)->next)
		gmem_invalidate_end(run, f, t->start, t->end);
	return 0;
}

enum gmem_status gmem_listen(struct gmem_world *w, int64_t fd, gmem_listener_fn fn, void *arg)
{
	struct gmem_listener *l = w->listeners;
	uint32_t n = w->nr_listeners, i = 0, number;

	if (gmem_fd_kind(w, 0, fd) != GMEM_FD_VM)
		return GMEM_MISUSE;
	number = CVM(w->b,
		     CFILE(w->b,
			   gmem_fd_file(w->b, CPROCESS(w->b, CTASK(w->b, w->b->tasks[0])->process),
					fd))
			     ->vm)
			 ->number;
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
