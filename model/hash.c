/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a world means, as one number.
 *
 * The walk begins at the processes and follows every reference in the order of its name: the
 * descriptor's number, the address, the memslot's id. An object is counted when it is first met,
 * and from then on that count stands for it; so neither cell numbers nor inode numbers, neither
 * the order of creation nor the shape of a tree can be told from the hash. What can be computed
 * from the rest is left out: bindings and the gfn index (from the memslots), reference counts.
 */
#include "ops.h"
#include "ranges.h"
#include "state.h"

struct walk {
	struct gmem_block *b; /* written only in the marks */
	uint64_t h;
	uint32_t met;
};

/* Two words at a time: multiply to 128 bits and fold. */
static void mix(struct walk *k, uint64_t x, uint64_t y)
{
	unsigned __int128 m = (unsigned __int128)(k->h ^ x ^ UINT64_C(0xa0761d6478bd642f)) *
			      (y ^ UINT64_C(0xe7037ed1a0b428db));

	k->h = (uint64_t)m ^ (uint64_t)(m >> 64);
}

/* Mixes in the object's number; true when this walk meets it for the first time. */
static bool meet(struct walk *k, struct gmem_mark *mark)
{
	bool first = mark->walk != k->b->walk;

	if (first)
		*mark = (struct gmem_mark){ .walk = k->b->walk, .number = ++k->met };
	mix(k, mark->number, first);
	return first;
}

static void mix_tree(struct walk *k, uint32_t root)
{
	struct gmem_range r = { 0, 0, 0 };
	uint64_t n = 0;

	while (gmem_range_next(k->b, root, r.end, &r)) {
		mix(k, r.start, r.end ^ (uint64_t)r.value << 40);
		n++;
	}
	mix(k, n, 1);
}

static void mix_inode(struct walk *k, uint32_t idx)
{
	struct gmem_inode *inode = INODE(k->b, idx);

	if (!meet(k, &inode->mark))
		return;
	mix(k, inode->kind, inode->size);
	mix(k, inode->flags,
	    (uint64_t)(uint16_t)inode->invalidate_lock << 16 | (uint16_t)inode->folio_lock);
	mix_tree(k, inode->folios);
	mix_tree(k, inode->bytes);
	if (inode->open_bytes)
		mix_tree(k, inode->open_bytes);
	if (inode->kind == INODE_GMEM)
		mix_tree(k, inode->attributes);
	if (inode->order)
		mix(k, inode->order, 4);
}

static void mix_file(struct walk *k, uint32_t idx);

static void mix_slot(struct walk *k, uint32_t idx)
{
	const struct gmem_slot *s = SLOT(k->b, idx);

	mix(k, (uint64_t)s->as_id << 16 | s->id, (uint64_t)s->flags << 32 | s->kflags);
	mix(k, s->gfn, s->npages);
	mix(k, s->hva, s->pgoff);
	if (s->file && gmem_is_a(k->b, s->file, TAG_FILE))
		mix_file(k, s->file);
}

static void mix_process(struct walk *k, uint32_t idx);

static void mix_vm(struct walk *k, uint32_t idx)
{
	struct gmem_vm *vm = VM(k->b, idx);
	struct gmem_range r = { 0, 0, 0 };

	if (!meet(k, &vm->mark))
		return;
	mix(k,
	    (uint64_t)vm->file_tracks << 49 | (uint64_t)vm->launched << 48 |
		    (uint64_t)vm->gpa_bits << 32 | vm->type,
	    (uint64_t)vm->in_progress);
	mix(k, (uint64_t)(uint16_t)vm->slots_lock << 32 | (uint16_t)vm->slots_arch_lock,
	    (uint64_t)(uint16_t)vm->srcu[vm->srcu_idx] << 32 |
		    (uint64_t)(uint16_t)vm->srcu[!vm->srcu_idx] << 16 | (uint16_t)vm->mmu_lock);
	if (vm->in_progress)
		mix(k, vm->range_start, vm->range_end);
	if (vm->notifiers)
		mix(k, vm->notifiers, 2);
	while (gmem_range_next(k->b, vm->slots, r.end, &r))
		mix_slot(k, r.value);
	mix_tree(k, vm->attributes);
	mix_tree(k, vm->sptes);
	if (vm->process)
		mix_process(k, vm->process);
}

/* What holds each page, and where. */
static void mix_pin(struct walk *k, const struct gmem_file *file)
{
	struct gmem_range part = { 0, 0, 0 }, r;

	mix(k, file->npages, 0);
	while (gmem_range_next(k->b, file->parts, part.end, &part)) {
		const struct gmem_pin *pin = PIN(k->b, part.value);

		for (r.end = 0; gmem_range_next(k->b, pin->holder, r.end, &r);) {
			mix(k, pin->page + (r.start - pin->pgoff), r.start);
			mix(k, r.end - r.start, 0);
			mix_inode(k, r.value);
		}
	}
}

static void mix_file(struct walk *k, uint32_t idx)
{
	struct gmem_file *file = GFILE(k->b, idx);

	if (!meet(k, &file->mark))
		return;
	mix(k, file->kind, 0);
	if (file->vm)
		mix_vm(k, file->vm);
	if (file->inode)
		mix_inode(k, file->inode);
	if (file->kind == FILE_PIN)
		mix_pin(k, file);
}

static void mix_vmas(struct walk *k, const struct gmem_process *p)
{
	struct gmem_range r = { 0, 0, 0 };

	while (gmem_range_next(k->b, p->vmas, r.end, &r)) {
		const struct gmem_vma *v = VMA(k->b, r.value);

		mix(k, v->start, v->end);
		mix(k, v->pgoff, v->prot << 1 | v->written);
		if (v->file)
			mix_file(k, v->file);
		else
			mix_inode(k, v->inode);
	}
	mix_tree(k, p->ptes);
}

static void mix_process(struct walk *k, uint32_t idx)
{
	struct gmem_process *p = PROCESS(k->b, idx);
	struct gmem_range r = { 0, 0, 0 };

	if (!meet(k, &p->mark))
		return;
	mix(k, (uint64_t)(uint16_t)p->mmap_lock, p->tasks);
	while (gmem_range_next(k->b, p->fds, r.end, &r)) {
		mix(k, r.start, r.end);
		mix_file(k, r.value);
	}
	mix_vmas(k, p);
}

static void mix_words(struct walk *k, const void *p, size_t size)
{
	const uint64_t *words = p;

	for (size_t i = 0; i < size / sizeof(*words); i += 2)
		mix(k, words[i], i + 1 < size / sizeof(*words) ? words[i + 1] : 0);
}

static void mix_held(struct walk *k, const struct gmem_held *held)
{
	mix(k, held->class,
	    held->class == SRCU ? held->pad == VM(k->b, held->owner)->srcu_idx : held->mode);
	if (held->class == INVALIDATE_LOCK || held->class == FOLIO_LOCK)
		mix_inode(k, held->owner);
	else if (held->class == MMAP_LOCK)
		mix_process(k, held->owner);
	else
		mix_vm(k, held->owner);
}

/* A local may outlive what it names; then there is nothing there. */
static bool is_there(const struct walk *k, uint32_t idx, enum gmem_tag tag)
{
	return idx && gmem_is_a(k->b, idx, tag);
}

static void mix_if_there(struct walk *k, uint32_t idx, enum gmem_tag tag,
			 void (*mix_it)(struct walk *k, uint32_t idx))
{
	mix(k, tag, is_there(k, idx, tag));
	if (is_there(k, idx, tag))
		mix_it(k, idx);
}

static void mix_vma_place(struct walk *k, uint32_t idx)
{
	mix(k, VMA(k->b, idx)->start, VMA(k->b, idx)->end);
}

/* The objects that the locals name. */
static void mix_objects(struct walk *k, const struct gmem_task *t)
{
	mix_if_there(k, t->file, TAG_FILE, mix_file);
	mix_if_there(k, t->at_file, TAG_FILE, mix_file);
	mix_if_there(k, t->fd_file, TAG_FILE, mix_file);
	for (uint32_t f = t->dying; is_there(k, f, TAG_FILE); f = GFILE(k->b, f)->next_dying)
		mix_if_there(k, f, TAG_FILE, mix_file);
	mix_if_there(k, t->vm, TAG_VM, mix_vm);
	mix_if_there(k, t->at_vm, TAG_VM, mix_vm);
	mix_if_there(k, t->slot, TAG_SLOT, mix_slot);
	mix_if_there(k, t->new_slot, TAG_SLOT, mix_slot);
	mix_if_there(k, t->vma, TAG_VMA, mix_vma_place);
	mix_if_there(k, t->at_vma, TAG_VMA, mix_vma_place);
	mix_if_there(k, t->inode, TAG_INODE, mix_inode);
	mix_if_there(k, t->folio_of, TAG_INODE, mix_inode);
	mix_if_there(k, t->owner, TAG_PROCESS, mix_process);
}

static void mix_running(struct walk *k, const struct gmem_task *t)
{
	const struct gmem_op *op = OP(k->b, t->op);

	mix_words(k, &op->call, sizeof(op->call));
	mix_words(k, &op->result, sizeof(op->result));
	for (unsigned int i = 0; i < t->depth; i++)
		mix(k, (uint64_t)t->level[i].table << 16 | t->level[i].pc,
		    (uint64_t)t->level[i].err);
	for (unsigned int i = 0; i < t->nr_held; i++)
		mix_held(k, &op->held[i]);
	mix_objects(k, t);
	mix(k, t->start, t->end);
	mix(k, t->gfn, t->gfn_end);
	mix(k, t->page, t->pgoff);
	mix(k, t->zap, t->zap_end);
	mix_tree(k, t->work);
	mix(k, t->folio, t->err_page);
	mix(k, t->done, is_there(k, t->vm, TAG_VM) ? VM(k->b, t->vm)->seq - t->seq : 0);
	mix(k,
	    (uint64_t)t->change << 32 | (uint64_t)t->said << 5 | (uint64_t)t->stale << 4 |
		    (uint64_t)t->hole << 3,
	    (uint64_t)t->write << 2 | (uint64_t)t->private << 1 | t->mmio);
}

static void mix_task(struct walk *k, uint32_t number)
{
	const struct gmem_task *t = TASK(k->b, k->b->tasks[number]);

	mix(k, number, (uint64_t)t->inject << 56 ^ t->inject_after);
	mix_process(k, t->process);
	if (t->depth)
		mix_running(k, t);
}

static uint64_t digest(const struct gmem_world *w, uint64_t seed)
{
	/* Only the marks are written, and they mean nothing outside a walk. */
	struct walk k = { .b = w->b, .h = seed };

	k.b->walk++;
	for (unsigned int i = 0; i < GMEM_MAX_TASKS; i++)
		if (k.b->tasks[i])
			mix_task(&k, i);
	return k.h;
}

uint64_t gmem_world_hash(const struct gmem_world *w)
{
	return digest(w, UINT64_C(0x8ebc6af09c88c6e3));
}

int gmem_world_equal(const struct gmem_world *a, const struct gmem_world *b)
{
	return digest(a, 1) == digest(b, 1) && digest(a, 2) == digest(b, 2);
}
