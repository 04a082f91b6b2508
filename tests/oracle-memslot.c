/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The oracle on memslots; see oracle.h.
 */
#include "oracle-state.h"

struct slot *slot_at(struct oracle *o, int vm, uint64_t as, uint64_t gfn)
{
	unsigned int i;

	for (i = 0; i < o->nr_slots; i++) {
		struct slot *s = &o->slots[i];

		if (s->vm == vm && s->as == as && gfn >= s->gfn && gfn - s->gfn < s->npages)
			return s;
	}
	return NULL;
}

static struct slot *slot_of_id(struct oracle *o, int vm, uint64_t as, uint64_t id)
{
	unsigned int i;

	for (i = 0; i < o->nr_slots; i++)
		if (o->slots[i].vm == vm && o->slots[i].as == as && o->slots[i].id == id)
			return &o->slots[i];
	return NULL;
}

/* What is wrong with the numbers, whatever memslots there are. */
static bool region_is_wrong(const struct oracle *o, const struct gmem_call *c, int vm)
{
	bool gmem = c->flags & GMEM_MEM_GUEST_MEMFD;
	uint64_t valid = gmem ? GMEM_MEM_GUEST_MEMFD : GMEM_MEM_LOG_DIRTY_PAGES;
	uint64_t most = o->is_6_8 ? INT64_MAX : USER_END;

	if (c->verb == GMEM_SET_USER_MEMORY_REGION &&
	    (c->flags & ~(GMEM_MEM_LOG_DIRTY_PAGES | GMEM_MEM_READONLY)))
		return true;
	if (c->slot % 0x10000 >= 32764)
		return true;
	if (gmem && o->is_6_8 && !has_private_memory(o, vm))
		return true;
	if (!gmem && has_readonly_memory(o, vm))
		valid |= GMEM_MEM_READONLY;
	if (c->flags & ~valid)
		return true;
	if (!aligned(c->size) || !aligned(c->gpa) || !aligned(c->addr))
		return true;
	if (wraps(c->addr, c->size) || c->addr + c->size > most)
		return true;
	if (gmem && (!aligned(c->offset) || wraps(c->offset, c->size)))
		return true;
	if (c->slot / 0x10000 >= address_spaces(o, vm))
		return true;
	return wraps(c->gpa, c->size) || c->size / PAGE > INT32_MAX;
}

static bool overlaps(struct oracle *o, const struct gmem_call *c, int vm, const struct slot *but)
{
	uint64_t gfn = c->gpa / PAGE, npages = c->size / PAGE;
	unsigned int i;

	for (i = 0; i < o->nr_slots; i++) {
		const struct slot *s = &o->slots[i];

		if (s != but && s->vm == vm && s->as == c->slot / 0x10000 &&
		    s->gfn < gfn + npages && gfn < s->gfn + s->npages)
			return true;
	}
	return false;
}

bool is_alias(const struct oracle *o, int vm, uint64_t gpa)
{
	bool is_wide = !o->machine.phys_bits || o->machine.phys_bits > 48;

	return o->vms[vm].type == GMEM_VM_TDX && gpa >> (is_wide ? 51 : 47) & 1;
}

static bool is_out_of_reach(const struct oracle *o, const struct gmem_call *c, int vm)
{
	return is_alias(o, vm, c->gpa + c->size - 1) ||
	       c->gpa + c->size > UINT64_C(1) << (o->machine.tdp && o->machine.phys_bits ?
							  o->machine.phys_bits :
							  52);
}

static bool is_bound(const struct oracle *o, const struct slot *new)
{
	unsigned int i;

	for (i = 0; i < o->nr_slots; i++) {
		const struct slot *s = &o->slots[i];

		if (s->memory == new->memory &&
		    s->pgoff < new->pgoff + new->npages &&new->pgoff < s->pgoff + s->npages)
			return true;
	}
	return false;
}

/* What userspace_addr maps is the same file, from the same page on. */
static bool address_maps_the_same(struct oracle *o, const struct gmem_call *c, int memory)
{
	const struct mapping *m = mapping_at(o, process_of(o, c), c->addr / PAGE);

	return m && m->memory == memory &&
	       m->pgoff + (c->addr / PAGE - m->start) == c->offset / PAGE;
}

static int64_t bind(struct oracle *o, const struct gmem_call *c, struct slot *new)
{
	const struct open *open = find_open(o, c, c->memfd);
	const struct memory *memory;

	if (!open)
		return -EBADF;
	if (open->kind != FILE_ || o->memories[open->number].vm != new->vm)
		return -EINVAL;
	memory = &o->memories[open->number];
	if (c->offset + c->size > memory->size)
		return -EINVAL;
	if (o->is_shareability && memory->flags & GMEM_FLAG_SUPPORT_SHARED && c->addr &&
	    !address_maps_the_same(o, c, open->number))
		return -EINVAL;
	new->memory = open->number;
	new->pgoff = c->offset / PAGE;
	new->gmem_only = memory->flags &GMEM_FLAG_MMAP && !o->is_shareability;
	if (o->files_have_attributes && (o->design == COCO_V8 || o->design == COCO_V13))
		new->gmem_only = true;
	if (o->design == COCO_V13 && is_out_of_reach(o, c, new->vm))
		return -EINVAL;
	if (is_bound(o, new))
		return o->design == COCO_V13 || o->design == COCO_V8 ? -EEXIST : -EINVAL;
	/* the second thing that is allocated; the memslot was the first */
	return meets(o, c, GMEM_INJECT_ENOMEM, 1) ? -ENOMEM : 0;
}

static int64_t create_slot(struct oracle *o, const struct gmem_call *c, int vm)
{
	struct slot new = { .vm = vm,
			    .as = c->slot / 0x10000,
			    .id = c->slot % 0x10000,
			    .flags = c->flags,
			    .gfn = c->gpa / PAGE,
			    .npages = c->size / PAGE,
			    .addr = c->addr,
			    .memory = NONE };
	int64_t err;

	if (overlaps(o, c, vm, NULL))
		return -EEXIST;
	if (lacks_memory(o, c))
		return -ENOMEM;
	err = c->flags & GMEM_MEM_GUEST_MEMFD ? bind(o, c, &new) : 0;
	if (err)
		return err;
	if (is_out_of_reach(o, c, vm))
		return -EINVAL;
	*ONE_MORE(o, slots, nr_slots) = new;
	return 0;
}

static int64_t change_slot(struct oracle *o, const struct gmem_call *c, struct slot *old)
{
	bool moves = old->gfn != c->gpa / PAGE;

	if ((c->flags | old->flags) & GMEM_MEM_GUEST_MEMFD)
		return -EINVAL;
	if (old->addr != c->addr || old->npages != c->size / PAGE ||
	    (old->flags ^ c->flags) & GMEM_MEM_READONLY)
		return -EINVAL;
	if (!moves && old->flags == c->flags)
		return 0;
	if (moves && overlaps(o, c, old->vm, old))
		return -EEXIST;
	if (lacks_memory(o, c))
		return -ENOMEM;
	if (moves && meets(o, c, GMEM_INJECT_ENOMEM, 1)) /* the memslot was the first */
		return -ENOMEM;
	if (moves && is_out_of_reach(o, c, old->vm))
		return -EINVAL;
	old->gfn = c->gpa / PAGE;
	old->flags = c->flags;
	return 0;
}

int64_t oracle_set_region(struct oracle *o, const struct gmem_call *c, struct gmem_result *r)
{
	struct slot *old;
	int vm;
	int64_t err = vm_ioctl(o, c, &vm);

	(void)r;
	if (err)
		return err;
	if (c->argp)
		return -EFAULT;
	if (region_is_wrong(o, c, vm))
		return -EINVAL;
	old = slot_of_id(o, vm, c->slot / 0x10000, c->slot % 0x10000);
	if (c->size)
		return old ? change_slot(o, c, old) : create_slot(o, c, vm);
	if (!old)
		return -EINVAL;
	if (lacks_memory(o, c))
		return -ENOMEM;
	*old = o->slots[--o->nr_slots];
	return 0;
}
