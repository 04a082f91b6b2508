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
#include <stddef.h>

#include "ops.h"
#include "ranges.h"
#include "state.h"

struct walk {
	struct gmem_block *b; /* written only in the marks */
	uint64_t h;
	uint32_t met;
	bool locks; /* the state of locks, too, which follows from what running tasks hold */
};

/* Two words at a time: multiply to 128 bits and fold. */
static void mix(struct walk *k, uint64_t x, uint64_t y)
{
	unsigned __int128 m = (unsigned __int128)(k->h ^ x ^ UINT64_C(0xa0761d6478bd642f)) *
			      (y ^ UINT64_C(0xe7037ed1a0b428db));

	k->h = (uint64_t)m ^ (uint64_t)(m >> 64);
}

/* One of many that are added up, and so need not wait for each other. */
static inline uint64_t lane(unsigned int i, uint64_t x, uint64_t y)
{
	unsigned __int128 m = (unsigned __int128)(x ^ (UINT64_C(0xa0761d6478bd642f) +
						       i * UINT64_C(0x9e3779b97f4a7c15))) *
			      (y ^
			       (UINT64_C(0xe7037ed1a0b428db) + i * UINT64_C(0xd6e8feb86659fd93)));

	return (uint64_t)m ^ (uint64_t)(m >> 64);
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

/*
 * While calls are under way a name may outlive what it named, for a row or two, and where a lock is
 * missing for longer; then there is nothing there.
 */
static bool is_there(const struct walk *k, uint32_t idx, enum gmem_tag tag)
{
	return idx && gmem_is_a(k->b, idx, tag);
}

static void mix_memfd(struct walk *k, const struct gmem_inode *inode)
{
	uint64_t shows_hidden = inode->st_ino == inode->hidden_ino;

	mix(k, inode->memfd | shows_hidden << 32, (uint64_t)inode->mode << 32 | inode->seals);
	if (k->locks)
		mix(k, (uint16_t)inode->inode_lock,
		    (uint64_t)(uint16_t)inode->rm_lock << 16 | (uint16_t)inode->memfile_srcu);
}

static void mix_inode(struct walk *k, uint32_t idx)
{
	struct gmem_inode *inode = INODE(k->b, idx);

	if (!meet(k, &inode->mark))
		return;
	mix(k, inode->kind, inode->size);
	mix(k, inode->flags, inode->order);
	if (inode->memfd)
		mix_memfd(k, inode);
	if (k->locks)
		mix(k, (uint16_t)inode->i_mmap_rwsem,
		    (uint64_t)(uint16_t)inode->invalidate_lock << 16 | (uint16_t)inode->folio_lock);
	mix_tree(k, inode->folios);
	mix_tree(k, inode->bytes);
	if (inode->open_bytes)
		mix_tree(k, inode->open_bytes);
	if (inode->kind == INODE_GMEM)
		mix_tree(k, inode->attributes);
}

static void mix_file(struct walk *k, uint32_t idx);

static void mix_slot(struct walk *k, uint32_t idx)
{
	const struct gmem_slot *s = SLOT(k->b, idx);

	mix(k, (uint64_t)s->as_id << 16 | s->id, (uint64_t)s->flags << 32 | s->kflags);
	mix(k, s->gfn, s->npages);
	mix(k, s->hva, s->pgoff);
	if (is_there(k, s->file, TAG_FILE))
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
	if (k->locks)
		mix(k, (uint64_t)(uint16_t)vm->slots_lock << 32 | (uint16_t)vm->slots_arch_lock,
		    (uint64_t)(uint16_t)vm->srcu[vm->srcu_idx] << 32 |
			    (uint64_t)(uint16_t)vm->srcu[!vm->srcu_idx] << 16 |
			    (uint16_t)vm->mmu_lock);
	if (vm->in_progress)
		mix(k, vm->range_start, vm->range_end);
	if (vm->notifiers)
		mix(k, vm->notifiers, 2);
	if (vm->memory_mce)
		mix(k, vm->memory_mce, 3);
	while (gmem_range_next(k->b, vm->slots, r.end, &r))
		mix_slot(k, r.value);
	mix_tree(k, vm->attributes);
	mix_tree(k, vm->sptes);
	if (is_there(k, vm->process, TAG_PROCESS))
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
	mix(k,
	    file->kind | (uint64_t)file->f_op << 32 | (uint64_t)file->backing_f_op << 40 |
		    (uint64_t)file->f_op_held << 48,
	    file->pos ^ file->mount);
	if (is_there(k, file->vm, TAG_VM))
		mix_vm(k, file->vm);
	if (is_there(k, file->inode, TAG_INODE))
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
		mix(k, v->pgoff, (uint64_t)v->never << 32 | v->prot << 1 | v->written);
		if (is_there(k, v->file, TAG_FILE))
			mix_file(k, v->file);
		else if (is_there(k, v->inode, TAG_INODE))
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
	mix(k, k->locks ? (uint16_t)p->mmap_lock : 0, (uint64_t)p->tasks << 40 | p->mmap_next);
	while (gmem_range_next(k->b, p->fds, r.end, &r)) {
		mix(k, r.start, r.end);
		mix_file(k, r.value);
	}
	if (p->cloexec)
		mix_tree(k, p->cloexec);
	mix_vmas(k, p);
}

static void mix_if_there(struct walk *k, uint32_t idx, enum gmem_tag tag,
			 void (*mix_it)(struct walk *k, uint32_t idx))
{
	mix(k, tag, is_there(k, idx, tag));
	if (is_there(k, idx, tag))
		mix_it(k, idx);
}

static void mix_held(struct walk *k, const struct gmem_held *held)
{
	mix(k, held->class,
	    held->class == SRCU ? held->pad == VM(k->b, held->owner)->srcu_idx : held->mode);
	if (held->class == INVALIDATE_LOCK || held->class == FOLIO_LOCK ||
	    held->class == I_MMAP_RWSEM || held->class == INODE_LOCK || held->class == RM_LOCK ||
	    held->class == MEMFILE_SRCU)
		mix_if_there(k, held->owner, TAG_INODE, mix_inode);
	else if (held->class == MMAP_LOCK)
		mix_if_there(k, held->owner, TAG_PROCESS, mix_process);
	else
		mix_if_there(k, held->owner, TAG_VM, mix_vm);
}

static void mix_vma_place(struct walk *k, uint32_t idx)
{
	mix(k, VMA(k->b, idx)->start, VMA(k->b, idx)->end);
}

/* The number of an object, which is met if it was not; 0 if it is not there. */
static uint64_t number_in_walk(struct walk *k, uint32_t idx, enum gmem_tag tag, size_t mark,
			       void (*mix_it)(struct walk *k, uint32_t idx))
{
	const struct gmem_mark *m;

	if (!is_there(k, idx, tag))
		return 0;
	m = (const struct gmem_mark *)((const char *)gmem_ccell(k->b, idx) + mark);
	if (m->walk != k->b->walk)
		mix_it(k, idx);
	return m->number;
}

static uint64_t file_number(struct walk *k, uint32_t idx)
{
	return number_in_walk(k, idx, TAG_FILE, offsetof(struct gmem_file, mark), mix_file);
}

static uint64_t inode_number(struct walk *k, uint32_t idx)
{
	return number_in_walk(k, idx, TAG_INODE, offsetof(struct gmem_inode, mark), mix_inode);
}

static uint64_t vm_number(struct walk *k, uint32_t idx)
{
	return number_in_walk(k, idx, TAG_VM, offsetof(struct gmem_vm, mark), mix_vm);
}

static uint64_t process_number(struct walk *k, uint32_t idx)
{
	return number_in_walk(k, idx, TAG_PROCESS, offsetof(struct gmem_process, mark),
			      mix_process);
}

/* The objects that the locals name. */
static void mix_objects(struct walk *k, const struct gmem_task *t)
{
	uint64_t files = file_number(k, t->file) | file_number(k, t->at_file) << 32;
	uint64_t vms = vm_number(k, t->vm) | vm_number(k, t->at_vm) << 32;
	uint64_t inodes = inode_number(k, t->inode) | inode_number(k, t->folio_of) << 32;
	uint64_t others = process_number(k, t->owner) | file_number(k, t->fd_file) << 32;

	mix(k, files, vms);
	mix(k, inodes, others);
	for (uint32_t f = t->dying; is_there(k, f, TAG_FILE); f = GFILE(k->b, f)->next_dying)
		mix(k, file_number(k, f), 5);
	if (t->slot | t->new_slot) {
		mix_if_there(k, t->slot, TAG_SLOT, mix_slot);
		mix_if_there(k, t->new_slot, TAG_SLOT, mix_slot);
	}
	if (t->vma | t->at_vma) {
		mix_if_there(k, t->vma, TAG_VMA, mix_vma_place);
		mix_if_there(k, t->at_vma, TAG_VMA, mix_vma_place);
	}
}

/* A fault asks only whether the number is still the one it saw; nobody else asks. */
static bool snapshot_is_stale(const struct walk *k, const struct gmem_task *t)
{
	for (unsigned int i = 0; i < t->depth; i++)
		if (t->level[i].table == T_GUEST_FAULT)
			return is_there(k, t->vm, TAG_VM) && VM(k->b, t->vm)->seq != t->seq;
	return false;
}

static uint64_t hash_words(const void *p, size_t size, unsigned int i)
{
	const uint64_t *words = p;
	uint64_t h = 0;

	for (; size >= 16; size -= 16, words += 2, i++)
		h += lane(i, words[0], words[1]);
	return size ? h + lane(i, words[0], 0) : h;
}

uint64_t gmem_task_hash(const struct gmem_world *w, uint32_t number)
{
	const struct gmem_task *t = CTASK(w->b, w->b->tasks[number]);
	const struct gmem_op *op = COP(w->b, t->op);
	uint64_t h = hash_words(&op->result, sizeof(op->result), 16) +
		     hash_words(t->level, t->depth * sizeof(t->level[0]), 32);

	h += lane(40, t->start, t->end);
	h += lane(41, t->gfn, t->gfn_end);
	h += lane(42, t->page, t->pgoff);
	h += lane(43, t->zap, t->zap_end);
	h += lane(44, t->folio, t->err_page);
	h += lane(45, t->done, t->depth);
	h += lane(46,
		  (uint64_t)t->change << 32 | (uint64_t)t->said << 5 | (uint64_t)t->stale << 4 |
			  (uint64_t)t->hole << 3,
		  (uint64_t)t->write << 2 | (uint64_t)t->private << 1 | t->mmio);
	return h;
}

/* What of a task is not its own: what its operation names and holds, and what it was injected. */
static void mix_names(struct walk *k, const struct gmem_task *t)
{
	const struct gmem_op *op = OP(k->b, t->op);

	mix(k, t->inject, t->inject_after);
	if (!t->depth)
		return;
	for (unsigned int i = 0; i < t->nr_held; i++)
		mix_held(k, &op->held[i]);
	mix_objects(k, t);
	mix(k, t->nr_held, snapshot_is_stale(k, t));
	if (t->work)
		mix_tree(k, t->work);
}

static void mix_processes(struct walk *k)
{
	k->b->walk++;
	for (unsigned int i = 0; i < GMEM_MAX_TASKS; i++)
		if (k->b->tasks[i]) {
			mix(k, i, 6);
			mix_process(k, TASK(k->b, k->b->tasks[i])->process);
		}
}

static uint64_t hash_of_call(const struct gmem_block *b, uint32_t number)
{
	const struct gmem_op *op = COP(b, CTASK(b, b->tasks[number])->op);

	return hash_words(&op->call, sizeof(op->call), 0) + number;
}

static uint64_t digest(const struct gmem_world *w, uint64_t seed)
{
	/* Only the marks are written, and they mean nothing outside a walk. */
	struct walk k = { .b = w->b, .h = seed ^ w->b->gone, .locks = true };

	mix_processes(&k);
	for (unsigned int i = 0; i < GMEM_MAX_TASKS; i++)
		if (k.b->tasks[i]) {
			mix_names(&k, TASK(k.b, k.b->tasks[i]));
			if (gmem_is_in_call(w->b, i))
				mix(&k, gmem_task_hash(w, i), hash_of_call(w->b, i));
		}
	return k.h;
}

#define SEED UINT64_C(0x8ebc6af09c88c6e3)

void gmem_hash_all(const struct gmem_world *w, struct gmem_hash *h)
{
	struct walk k = { .b = w->b, .h = SEED ^ w->b->gone };
	uint32_t met;

	mix_processes(&k);
	h->objects = k.h;
	met = k.met;
	for (unsigned int i = 0; i < GMEM_MAX_TASKS; i++)
		if (k.b->tasks[i]) {
			k.h = SEED + i;
			mix_names(&k, TASK(k.b, k.b->tasks[i]));
			h->names[i] = k.h;
		}
	h->met = met;
	h->plain = k.met == met;
}

bool gmem_hash_names(const struct gmem_world *w, uint32_t task, struct gmem_hash *h)
{
	struct walk k = { .b = w->b, .h = SEED + task, .met = h->met };

	if (!h->plain)
		return false;
	mix_names(&k, TASK(k.b, k.b->tasks[task]));
	h->names[task] = k.h;
	return k.met == h->met;
}

uint64_t gmem_world_hash(const struct gmem_world *w)
{
	return digest(w, SEED);
}

int gmem_world_equal(const struct gmem_world *a, const struct gmem_world *b)
{
	return digest(a, 1) == digest(b, 1) && digest(a, 2) == digest(b, 2);
}
