/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KVM_SET_MEMORY_ATTRIBUTES on the VM: which guest pages are private. It needs no memslot, and
 * touches neither the guest_memfd nor the memory behind userspace_addr.
 */
#include "convert.h"
#include "ops.h"

/* Without private memory in its configuration the kernel has no such ioctl. */
static bool vm_attributes_exist(struct gmem_run *run)
{
	return gmem_machine_has_private_mem(run->b);
}

static bool vm_attributes_are_supported(struct gmem_run *run)
{
	uint64_t valid = GMEM_ATTRIBUTE_PRIVATE;

	if (!gmem_has_private_mem(run->b, vm_of(run)) || gmem_file_attributes_are_on(run->b) ||
	    vm_of(run)->file_tracks)
		valid = 0;
	return !(run->c->attributes & ~valid);
}

/* The second version of the structure calls it offset. */
static uint64_t address(struct gmem_run *run)
{
	return run->c->verb == GMEM_SET_MEMORY_ATTRIBUTES2 ? run->c->offset : run->c->gpa;
}

static bool guest_range_is_valid(struct gmem_run *run)
{
	return run->c->size && address(run) + run->c->size >= address(run);
}

static bool guest_range_is_aligned(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->gfn = PAGES(address(run));
	t->gfn_end = t->gfn + PAGES(run->c->size);
	return PAGE_ALIGNED(address(run)) && PAGE_ALIGNED(run->c->size);
}

static bool all_have_the_value(struct gmem_run *run)
{
	const struct gmem_task *t = run->t;
	uint32_t root = vm_of(run)->attributes;
	struct gmem_range r;

	if (!run->c->attributes)
		return gmem_range_empty(run->b, root, t->gfn, t->gfn_end);
	return gmem_range_next_in(run->b, root, t->gfn, t->gfn_end, &r) && r.start == t->gfn &&
	       r.end == t->gfn_end && r.value == run->c->attributes;
}

static bool a_memslot_is_concerned(struct gmem_run *run)
{
	const struct gmem_task *t = run->t;
	bool found = false;

	for (unsigned int as = 0; as < GMEM_MAX_AS; as++)
		found |= !gmem_range_empty(run->b, vm_of(run)->gfns[as], t->gfn, t->gfn_end);
	return found;
}

/* kvm_arch_pre_set_memory_attributes(): what becomes private was shared, and the other way round. */
static unsigned int old_kind(struct gmem_run *run)
{
	return run->c->attributes & GMEM_ATTRIBUTE_PRIVATE ? FILTER_SHARED : FILTER_PRIVATE;
}

/* Every memslot in the range, of every address space, is told of its part; whether there are any. */
static bool unmap_memslots(struct gmem_run *run, unsigned int filter)
{
	const struct gmem_task *t = run->t;
	bool found = false;

	for (unsigned int as = 0; as < GMEM_MAX_AS; as++) {
		struct gmem_range r = { 0, t->gfn, 0 };

		while (gmem_range_next_in(run->b, vm_of(run)->gfns[as], r.end, t->gfn_end, &r)) {
			struct gmem_event e = {
				.kind = GMEM_INVALIDATE_START,
				.origin = GMEM_BY_ATTRIBUTES,
				.slot = SLOT(run->b, r.value)->id,
				.as_id = (uint16_t)as,
				.gfn = r.start,
				.gfn_end = r.end,
			};

			gmem_mmu_invalidate_range_add(run, t->vm, r.start, r.end);
			gmem_unmap_gfns(run->b, t->vm, r.start, r.end, filter);
			gmem_emit(run, t->vm, &e);
			found = true;
		}
	}
	return found;
}

static int pre_set_attributes(struct gmem_run *run)
{
	gmem_mmu_invalidate_start(run, run->t->vm);
	unmap_memslots(run, gmem_invalidate_filter(run->b, run->t->vm, old_kind(run)));
	return 0;
}

static int store_vm_attributes(struct gmem_run *run)
{
	gmem_range_set(run->b, &vm_of(run)->attributes, run->t->gfn, run->t->gfn_end,
		       (uint32_t)run->c->attributes);
	return 0;
}

static int post_set_attributes(struct gmem_run *run)
{
	const struct gmem_event e = { .kind = GMEM_INVALIDATE_END, .origin = GMEM_BY_ATTRIBUTES };

	gmem_mmu_invalidate_end(run, run->t->vm);
	gmem_emit(run, run->t->vm, &e);
	return 0;
}

/* kvm_vm_ioctl_set_mem_attributes(), kvm_vm_set_mem_attributes() */
const struct gmem_step gmem_op_set_vm_attributes[] = {
	CHECK(vm_attributes_exist, ATTR_1, ENOTTY),
	CHECK(argp_is_readable, ATTR_2, EFAULT),
	CHECK(flags_are_zero, ATTR_3, EINVAL),
	CHECK(vm_attributes_are_supported, ATTR_4, EINVAL),
	CHECK(guest_range_is_valid, ATTR_5, EINVAL),
	CHECK(guest_range_is_aligned, ATTR_6, EINVAL),
	LOCK(SLOTS_LOCK, WRITE, ATTR_7),
	DONE_IF(all_have_the_value, ATTR_8, .to = L_UNLOCK, .says = true),
	CHECK(no_memory_pressure, ATTR_9, ENOMEM, .to = L_UNLOCK),
	LOCK(MMU_LOCK, WRITE, ATTR_10, WHEN(a_memslot_is_concerned)),
	DO(pre_set_attributes, ATTR_10, WHEN(holds_mmu_lock)),
	UNLOCK(MMU_LOCK, WHEN(holds_mmu_lock)),
	DO(store_vm_attributes, ATTR_11),
	LOCK(MMU_LOCK, WRITE, ATTR_12, WHEN(a_memslot_is_concerned)),
	DO(post_set_attributes, ATTR_12, WHEN(holds_mmu_lock)),
	UNLOCK(MMU_LOCK, WHEN(holds_mmu_lock)),
	UNLOCK(SLOTS_LOCK, .at = L_UNLOCK),
	ANSWER(return_zero, ATTR_13),
	END,
};

/* kvm_vm_ioctl() */
const struct gmem_step gmem_op_set_memory_attributes[] = {
	IOCTL_OF_A_VM,
	CALL(T_SET_VM_ATTRIBUTES, ATTR_7),
	END,
};

static bool vm_attributes_are_on(struct gmem_run *run)
{
	return !gmem_file_attributes_are_on(run->b);
}

/* kvm_vm_ioctl() of RFC v1: with the switch on the VM has no such ioctl */
const struct gmem_step gmem_op_set_memory_attributes_rfc_v1[] = {
	IOCTL_OF_A_VM,
	CHECK(vm_attributes_are_on, CONV_28, ENOTTY),
	CALL(T_SET_VM_ATTRIBUTES, ATTR_7),
	END,
};

static bool vm_may_have_private_memory(struct gmem_run *run)
{
	return gmem_has_private_mem(run->b, vm_of(run));
}

static int store_region(struct gmem_run *run)
{
	gmem_range_set(run->b, &vm_of(run)->attributes, run->t->gfn, run->t->gfn_end,
		       run->c->verb == GMEM_REG_REGION ? GMEM_ATTRIBUTE_PRIVATE : 0);
	return 0;
}

/* kvm_zap_gfn_range(): a start and an end of its own, under one lock */
static int zap_region(struct gmem_run *run)
{
	const struct gmem_event e = { .kind = GMEM_INVALIDATE_END, .origin = GMEM_BY_ATTRIBUTES };
	const struct gmem_task *t = run->t;

	gmem_mmu_invalidate_start(run, t->vm);
	gmem_mmu_invalidate_range_add(run, t->vm, t->gfn, t->gfn_end);
	if (unmap_memslots(run, FILTER_SHARED | FILTER_PRIVATE))
		gmem_emit(run, t->vm, &e);
	gmem_mmu_invalidate_end(run, t->vm);
	return 0;
}

/*
 * kvm_vm_ioctl(): KVM_MEMORY_ENCRYPT_REG_REGION, KVM_MEMORY_ENCRYPT_UNREG_REGION of v7. What cannot be
 * stored is zapped all the same.
 */
const struct gmem_step gmem_op_reg_region[] = {
	IOCTL_OF_A_VM,
	CHECK(vm_may_have_private_memory, REG_1, ENOTTY),
	CHECK(argp_is_readable, REG_2, EFAULT),
	CHECK(guest_range_is_valid, REG_3, EINVAL),
	CHECK(guest_range_is_aligned, REG_4, EINVAL),
	CHECK(no_memory_pressure, REG_5, ENOMEM, .to = L_UNLOCK),
	DO(store_region, REG_6),
	LOCK(MMU_LOCK, WRITE, REG_7, .at = L_UNLOCK),
	DO(zap_region, REG_7),
	UNLOCK(MMU_LOCK),
	ANSWER(return_zero, REG_6),
	END,
};

/* kvm_vm_ioctl() of v4 to v6, where the memfd says what is private */
const struct gmem_step gmem_op_no_attributes[] = {
	IOCTL_OF_A_VM,
	CHECK(never, REG_1, ENOTTY),
	END,
};
