/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The oracle on VMs: capabilities, creation, attributes; see oracle.h.
 */
#include "oracle-state.h"

/* The types that the kernel is built for; those that 6.8 has are the first two. */
static uint64_t built_types(const struct oracle *o)
{
	return (o->machine.vm_types | 1) & (o->is_6_8 ? 0x3 : 0x3f);
}

/* Guests that the host cannot read need hardware page tables. */
static uint64_t vm_types(const struct oracle *o)
{
	return o->machine.tdp ? built_types(o) : 1;
}

bool has_private_memory(const struct oracle *o, int vm)
{
	uint64_t type = o->vms[vm].type;

	return type == GMEM_VM_SW_PROTECTED || type == GMEM_VM_SNP || type == GMEM_VM_TDX;
}

/* The kernel is built for it where there is anything beside default VMs. */
bool machine_has_private_memory(const struct oracle *o)
{
	return built_types(o) & ~UINT64_C(1);
}

/* Guests whose registers the host cannot read have no read-only memory. */
bool has_readonly_memory(const struct oracle *o, int vm)
{
	uint64_t type = o->vms[vm].type;

	return type != GMEM_VM_SEV_ES && type != GMEM_VM_SNP && type != GMEM_VM_TDX;
}

uint64_t address_spaces(const struct oracle *o, int vm)
{
	return o->machine.smm && (o->is_ancestor || !has_private_memory(o, vm)) ? 2 : 1;
}

static uint64_t file_flags(const struct oracle *o, int vm)
{
	uint64_t flags = GMEM_FLAG_MMAP;

	if (o->is_6_8)
		return 0;
	if (o->design == COCO_HUGETLB)
		flags |= GMEM_FLAG_HUGETLB;
	if (vm == NONE || !has_private_memory(o, vm) || o->files_have_attributes)
		flags |= GMEM_FLAG_INIT_SHARED;
	return flags;
}

/* INIT_PRIVATE is for files that support sharing, a size for huge pages. */
static bool file_flags_are_wrong(const struct oracle *o, uint64_t flags, int vm)
{
	if (!o->is_shareability)
		return flags & ~file_flags(o, vm);
	if (!(flags & GMEM_FLAG_SUPPORT_SHARED) && (flags & GMEM_FLAG_INIT_PRIVATE))
		return true;
	if (!(flags & GMEM_FLAG_HUGETLB) && flags >> GMEM_FLAG_HUGE_SHIFT)
		return true;
	return flags << 6 >> 6 &
	       ~(GMEM_FLAG_SUPPORT_SHARED | GMEM_FLAG_INIT_PRIVATE | GMEM_FLAG_HUGETLB);
}

int64_t not_of(const struct oracle *o, const struct gmem_call *c, const struct open *open)
{
	if (!open)
		return -EBADF;
	if (open->kind == KVM)
		return -EINVAL;
	if (open->kind == VM && o->vms[open->number].process != (int)process_of(o, c))
		return -EIO;
	return -ENOTTY;
}

int64_t vm_ioctl(struct oracle *o, const struct gmem_call *c, int *vm)
{
	const struct open *open = find_open(o, c, c->fd);

	if (!open || open->kind != VM || o->vms[open->number].process != (int)process_of(o, c))
		return not_of(o, c, open);
	*vm = open->number;
	return 0;
}

/* Numbers that went to other features later; 0 for a number that is none of them. */
static uint64_t moved_capability(const struct oracle *o, uint64_t cap)
{
	static const uint16_t file_attributes[] = {
		[COCO_RFC_V1] = 246, [COCO_V5] = 249,	   [COCO_V8] = 250,
		[COCO_V13] = 252,    [COCO_HUGETLB] = 249,
	};

	if (o->is_shareability && cap >= 240 && cap <= 242)
		return GMEM_CAP_GMEM_SHARED_MEM;
	if (o->is_coco && cap == file_attributes[o->design])
		return GMEM_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES;
	if (o->design == COCO_RFC_V1 && cap == 245)
		return GMEM_CAP_MEMORY_ATTRIBUTES2;
	if (o->design == COCO_V5 && cap == 250)
		return GMEM_CAP_MEMORY_ATTRIBUTES2_FLAGS;
	if (o->design == SHAREABILITY_PLANNED && cap == GMEM_CAP_DISABLE_LEGACY_PRIVATE_TRACKING)
		return cap;
	return cap >= 240 && cap != GMEM_CAP_GUEST_MEMFD_FLAGS ? 0 : cap;
}

static int64_t capability(const struct oracle *o, uint64_t cap, int vm)
{
	bool private = vm == NONE ? machine_has_private_memory(o) : has_private_memory(o, vm);
	bool of_files = o->files_have_attributes || (vm != NONE && o->vms[vm].files_track);

	switch (moved_capability(o, cap)) {
	case GMEM_CAP_GMEM_SHARED_MEM:
	case GMEM_CAP_DISABLE_LEGACY_PRIVATE_TRACKING:
		return 1;
	case GMEM_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES:
		return private && o->files_have_attributes ? (int64_t)GMEM_ATTRIBUTE_PRIVATE : 0;
	case GMEM_CAP_MEMORY_ATTRIBUTES2_FLAGS:
		return private && o->files_have_attributes ? 3 : 0;
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
	case GMEM_CAP_MEMORY_ATTRIBUTES2:
		return private && !of_files ? (int64_t)GMEM_ATTRIBUTE_PRIVATE : 0;
	case GMEM_CAP_GUEST_MEMFD:
		return !o->is_6_8 || private;
	case GMEM_CAP_VM_TYPES:
		return (int64_t)vm_types(o);
	case GMEM_CAP_PRE_FAULT_MEMORY:
		return !o->is_6_8 && o->machine.tdp;
	case GMEM_CAP_GUEST_MEMFD_FLAGS:
		return o->is_shareability ? 0 : (int64_t)file_flags(o, vm);
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

bool lacks_memory(const struct oracle *o, const struct gmem_call *c)
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
	if (lacks_memory(o, c))
		return -ENOMEM;
	if (c->type > 63 || !(vm_types(o) >> c->type & 1))
		return -EINVAL;
	vm = ONE_MORE(o, vms, nr_vms);
	*vm = (struct vm){ .type = c->type, .process = (int)process_of(o, c) };
	return open_fd(o, c, VM, (int)(vm - o->vms));
}

int64_t oracle_create_guest_memfd(struct oracle *o, const struct gmem_call *c,
				  struct gmem_result *r)
{
	int vm, memory;
	int64_t err = vm_ioctl(o, c, &vm), huge;

	(void)r;
	if (err)
		return err;
	if (o->is_6_8 && !machine_has_private_memory(o))
		return -ENOTTY;
	if (c->argp)
		return -EFAULT;
	if (file_flags_are_wrong(o, c->flags, vm))
		return -EINVAL;
	if ((int64_t)c->size <= 0 || !aligned(c->size))
		return -EINVAL;
	huge = huge_page_size(o, c);
	if (huge > 0 && c->size % (uint64_t)huge)
		huge = -EINVAL;
	if (huge < 0 && !o->is_shareability)
		return huge;
	if (!fds_are_left(o, c))
		return -EMFILE;
	if (lacks_memory(o, c))
		return -ENOMEM;
	if (huge < 0)
		return huge;
	memory = new_memory(o, GUEST_MEMFD, c->size, c->flags, vm);
	if (huge)
		o->memories[memory].block = (uint64_t)huge / PAGE;
	return open_fd(o, c, FILE_, memory);
}

static bool has_slots(const struct oracle *o, int vm)
{
	unsigned int i;

	for (i = 0; i < o->nr_slots; i++)
		if (o->slots[i].vm == vm)
			return true;
	return false;
}

/* Only what was planned, and never had a number, can be enabled, before there are memslots. */
int64_t oracle_enable_cap(struct oracle *o, const struct gmem_call *c, struct gmem_result *r)
{
	int vm;
	int64_t err = vm_ioctl(o, c, &vm);

	(void)r;
	if (err)
		return err;
	if (c->argp)
		return -EFAULT;
	if (o->design != SHAREABILITY_PLANNED || c->cap != GMEM_CAP_DISABLE_LEGACY_PRIVATE_TRACKING)
		return -EINVAL;
	if (has_slots(o, vm))
		return -EINVAL;
	o->vms[vm].files_track = true;
	return 0;
}

int64_t oracle_launch_finish(struct oracle *o, const struct gmem_call *c, struct gmem_result *r)
{
	int vm;
	int64_t err = vm_ioctl(o, c, &vm);

	(void)r;
	if (err)
		return err;
	if (o->vms[vm].type != GMEM_VM_SNP && o->vms[vm].type != GMEM_VM_TDX)
		return -ENOTTY;
	if (o->vms[vm].launched)
		return -EINVAL;
	o->vms[vm].launched = true;
	return 0;
}

/* ---- attributes ---- */

uint64_t attributes_of(const struct oracle *o, enum kind of, int number, uint64_t page,
		       uint64_t otherwise)
{
	unsigned int i = o->nr_said;

	while (i-- > 0) {
		const struct said *s = &o->said[i];

		if (s->of == of && s->number == number && page >= s->start && page < s->end)
			return s->attributes;
	}
	return otherwise;
}

/* Attributes change only where something said begins or ends: looking there is enough. */
bool all_are(const struct oracle *o, enum kind of, int number, uint64_t start, uint64_t end,
	     uint64_t attributes, uint64_t otherwise)
{
	unsigned int i;

	for (i = 0; i < o->nr_said; i++) {
		const struct said *s = &o->said[i];

		if (s->of != of || s->number != number)
			continue;
		if (s->start > start && s->start < end &&
		    attributes_of(o, of, number, s->start, otherwise) != attributes)
			return false;
		if (s->end > start && s->end < end &&
		    attributes_of(o, of, number, s->end, otherwise) != attributes)
			return false;
	}
	return attributes_of(o, of, number, start, otherwise) == attributes;
}

bool file_tracks(const struct oracle *o, const struct slot *s)
{
	return o->is_shareability && s->memory != NONE &&
	       o->memories[s->memory].flags & GMEM_FLAG_SUPPORT_SHARED &&
	       (o->design != SHAREABILITY_PLANNED || o->vms[s->vm].files_track);
}

/* The VM is asked, or the file: then a page without a file, or with one that is closed, is shared. */
bool is_private(struct oracle *o, int vm, uint64_t gfn)
{
	const struct slot *s = slot_at(o, vm, 0, gfn);
	bool has_file = s && s->memory != NONE;

	if (o->files_have_attributes || (s && file_tracks(o, s)))
		return has_file && page_is_private(o, s->memory, s->pgoff + (gfn - s->gfn));
	return attributes_of(o, VM, vm, gfn, 0) & GMEM_ATTRIBUTE_PRIVATE;
}

static uint64_t attributes_it_may_have(const struct oracle *o, int vm)
{
	if (o->files_have_attributes || o->vms[vm].files_track || !has_private_memory(o, vm))
		return 0;
	return GMEM_ATTRIBUTE_PRIVATE;
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
	if (o->design == COCO_RFC_V1 && o->files_have_attributes)
		return -ENOTTY;
	if (c->argp == 1)
		return -EFAULT;
	if (c->flags)
		return -EINVAL;
	if (c->attributes & ~attributes_it_may_have(o, vm))
		return -EINVAL;
	if (!c->size || wraps(c->gpa, c->size))
		return -EINVAL;
	if (!aligned(c->gpa) || !aligned(c->size))
		return -EINVAL;
	if (all_are(o, VM, vm, gfn, end, c->attributes, 0))
		return 0;
	if (lacks_memory(o, c))
		return -ENOMEM;
	*ONE_MORE(o, said, nr_said) = (struct said){ VM, vm, gfn, end, c->attributes };
	return 0;
}

int64_t oracle_no_ioctl(struct oracle *o, const struct gmem_call *c, struct gmem_result *r)
{
	(void)r;
	return not_of(o, c, find_open(o, c, c->fd));
}

int64_t oracle_no_syscall(struct oracle *o, const struct gmem_call *c, struct gmem_result *r)
{
	(void)o;
	(void)c;
	(void)r;
	return -ENOSYS;
}
