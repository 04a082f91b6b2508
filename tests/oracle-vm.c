/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The oracle on VMs: capabilities, creation, memslots, attributes; see oracle.h.
 */
#include "oracle-state.h"

/* The types that 6.8 has are the first two. */
static uint64_t vm_types(const struct oracle *o)
{
	return (o->machine.vm_types | 1) & (o->is_6_8 ? 0x3 : 0x3f);
}

bool has_private_memory(const struct oracle *o, int vm)
{
	uint64_t type = o->vms[vm].type;

	return type == GMEM_VM_SW_PROTECTED || type == GMEM_VM_SNP || type == GMEM_VM_TDX;
}

/* The kernel is built for it where there is anything beside default VMs. */
bool machine_has_private_memory(const struct oracle *o)
{
	return vm_types(o) & ~UINT64_C(1);
}

/* Guests whose registers the host cannot read have no read-only memory. */
static bool has_readonly_memory(const struct oracle *o, int vm)
{
	uint64_t type = o->vms[vm].type;

	return type != GMEM_VM_SEV_ES && type != GMEM_VM_SNP && type != GMEM_VM_TDX;
}

static uint64_t address_spaces(const struct oracle *o, int vm)
{
	return o->machine.smm && !has_private_memory(o, vm) ? 2 : 1;
}

static uint64_t file_flags(const struct oracle *o, int vm)
{
	if (o->is_6_8)
		return 0;
	if (vm != NONE && has_private_memory(o, vm))
		return GMEM_FLAG_MMAP;
	return GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED;
}

/* What an ioctl number that is not of this descriptor is answered with. */
static int64_t not_of(struct oracle *o, const struct gmem_call *c, const struct open *open)
{
	if (!open)
		return -EBADF;
	if (open->kind == KVM)
		return -EINVAL;
	if (open->kind == VM && o->vms[open->number].process != (int)c->task)
		return -EIO;
	return -ENOTTY;
}

int64_t vm_ioctl(struct oracle *o, const struct gmem_call *c, int *vm)
{
	const struct open *open = find_open(o, c, c->fd);

	if (!open || open->kind != VM || o->vms[open->number].process != (int)c->task)
		return not_of(o, c, open);
	*vm = open->number;
	return 0;
}

int64_t oracle_no_such_ioctl(struct oracle *o, const struct gmem_call *c, struct gmem_result *r)
{
	(void)r;
	return not_of(o, c, find_open(o, c, c->fd));
}

static int64_t capability(const struct oracle *o, uint64_t cap, int vm)
{
	bool private = vm == NONE ? machine_has_private_memory(o) : has_private_memory(o, vm);

	switch (cap) {
	case GMEM_CAP_USER_MEMORY:
	case GMEM_CAP_USER_MEMORY2:
	case GMEM_CAP_MEMORY_FAULT_INFO:
		return 1;
	case GMEM_CAP_READONLY_MEM:
		return vm == NONE || has_readonly_memory(o, vm);
	case GMEM_CAP_MULTI_ADDRESS_SPACE:
		if (!o->machine.smm)
			return 0;
		return vm == NONE ? 2 : (int64_t)address_spaces(o, vm);
	case GMEM_CAP_MEMORY_ATTRIBUTES:
		return private ? (int64_t)GMEM_ATTRIBUTE_PRIVATE : 0;
	case GMEM_CAP_GUEST_MEMFD:
		return !o->is_6_8 || private;
	case GMEM_CAP_VM_TYPES:
		return (int64_t)vm_types(o);
	case GMEM_CAP_PRE_FAULT_MEMORY:
		return !o->is_6_8 && o->machine.tdp;
	case GMEM_CAP_GUEST_MEMFD_FLAGS:
		return (int64_t)file_flags(o, vm);
	default:
		return 0;
	}
}

int64_t oracle_check_extension(struct oracle *o, const struct gmem_call *c, struct gmem_result *r)
{
	const struct open *open = find_open(o, c, c->fd);
	int vm;
	int64_t err;

	(void)r;
	if (open && open->kind == KVM)
		return capability(o, c->cap, NONE);
	err = vm_ioctl(o, c, &vm);
	return err ? err : capability(o, c->cap, vm);
}

/* For the one thing that a call allocates which allocates no pages. */
static bool lacks_memory(const struct oracle *o, const struct gmem_call *c)
{
	return meets(o, c, GMEM_INJECT_ENOMEM, 0);
}

int64_t oracle_create_vm(struct oracle *o, const struct gmem_call *c, struct gmem_result *r)
{
	const struct open *open = find_open(o, c, c->fd);
	struct vm *vm;

	(void)r;
	if (!open || open->kind != KVM)
		return not_of(o, c, open);
	if (!fds_are_left(o, c))
		return -EMFILE;
	if (c->type > 63 || !(vm_types(o) >> c->type & 1))
		return -EINVAL;
	if (lacks_memory(o, c))
		return -ENOMEM;
	vm = ONE_MORE(o, vms, nr_vms);
	*vm = (struct vm){ .type = c->type, .process = (int)c->task };
	return open_fd(o, c, VM, (int)(vm - o->vms));
}

int64_t oracle_create_guest_memfd(struct oracle *o, const struct gmem_call *c,
				  struct gmem_result *r)
{
	int vm;
	int64_t err = vm_ioctl(o, c, &vm);

	(void)r;
	if (err)
		return err;
	if (o->is_6_8 && !machine_has_private_memory(o))
		return -ENOTTY;
	if (c->argp)
		return -EFAULT;
	if (c->flags & ~file_flags(o, vm))
		return -EINVAL;
	if ((int64_t)c->size <= 0 || !aligned(c->size))
		return -EINVAL;
	if (!fds_are_left(o, c))
		return -EMFILE;
	if (lacks_memory(o, c))
		return -ENOMEM;
	return open_fd(o, c, FILE_, new_memory(o, GUEST_MEMFD, c->size, c->flags, vm));
}

/* ---- memslots ---- */

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

static bool is_out_of_reach(const struct gmem_call *c)
{
	return c->gpa + c->size > UINT64_C(1) << 52;
}

static int64_t bind(struct oracle *o, const struct gmem_call *c, struct slot *new)
{
	const struct open *open = find_open(o, c, c->memfd);
	uint64_t pgoff = c->offset / PAGE;
	unsigned int i;

	if (!open)
		return -EBADF;
	if (open->kind != FILE_ || o->memories[open->number].vm != new->vm)
		return -EINVAL;
	if (c->offset + c->size > o->memories[open->number].size)
		return -EINVAL;
	for (i = 0; i < o->nr_slots; i++) {
		const struct slot *s = &o->slots[i];

		if (s->memory == open->number &&
		    s->pgoff < pgoff + new->npages &&pgoff < s->pgoff + s->npages)
			return -EINVAL;
	}
	new->memory = open->number;
	new->pgoff = pgoff;
	new->gmem_only = o->memories[open->number].flags &GMEM_FLAG_MMAP;
	return 0;
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
	if (is_out_of_reach(c))
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
	if (moves && is_out_of_reach(c))
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
	*old = o->slots[--o->nr_slots];
	return 0;
}

/* ---- attributes ---- */

static uint64_t attributes_of(struct oracle *o, int vm, uint64_t gfn)
{
	unsigned int i = o->nr_said;

	while (i-- > 0)
		if (o->said[i].vm == vm && gfn >= o->said[i].gfn && gfn < o->said[i].end)
			return o->said[i].attributes;
	return 0;
}

bool is_private(struct oracle *o, int vm, uint64_t gfn)
{
	return attributes_of(o, vm, gfn) & GMEM_ATTRIBUTE_PRIVATE;
}

/* Attributes change only where something said begins or ends: looking there is enough. */
static bool all_are(struct oracle *o, int vm, uint64_t gfn, uint64_t end, uint64_t attributes)
{
	unsigned int i;

	for (i = 0; i < o->nr_said; i++) {
		const struct said *s = &o->said[i];

		if (s->vm != vm)
			continue;
		if (s->gfn > gfn && s->gfn < end && attributes_of(o, vm, s->gfn) != attributes)
			return false;
		if (s->end > gfn && s->end < end && attributes_of(o, vm, s->end) != attributes)
			return false;
	}
	return attributes_of(o, vm, gfn) == attributes;
}

int64_t oracle_set_attributes(struct oracle *o, const struct gmem_call *c, struct gmem_result *r)
{
	uint64_t gfn = c->gpa / PAGE, end = gfn + c->size / PAGE;
	int vm;
	int64_t err = vm_ioctl(o, c, &vm);

	(void)r;
	if (err)
		return err;
	if (!machine_has_private_memory(o))
		return -ENOTTY;
	if (c->argp)
		return -EFAULT;
	if (c->flags)
		return -EINVAL;
	if (c->attributes & ~(has_private_memory(o, vm) ? GMEM_ATTRIBUTE_PRIVATE : 0))
		return -EINVAL;
	if (!c->size || wraps(c->gpa, c->size))
		return -EINVAL;
	if (!aligned(c->gpa) || !aligned(c->size))
		return -EINVAL;
	if (all_are(o, vm, gfn, end, c->attributes))
		return 0;
	if (lacks_memory(o, c))
		return -ENOMEM;
	*ONE_MORE(o, said, nr_said) =
		(struct said){ .vm = vm, .gfn = gfn, .end = end, .attributes = c->attributes };
	return 0;
}
