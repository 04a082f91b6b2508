/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What KVM_SET_MEMORY_ATTRIBUTES2 does to a range of a guest_memfd, once nothing is wrong with
 * the call (op-convert.c).
 *
 * It is all or nothing, but for host mappings, which on the way to private are dropped before
 * anything is known to be in use, and for coco-hugetlb, which goes huge page by huge page.
 */
#include "convert.h"
#include "ops.h"
#include "profile.h"

static struct gmem_inode *inode_of(struct gmem_run *run)
{
	return INODE(run->b, run->t->inode);
}

static struct gmem_vm *vm_of_file(struct gmem_run *run)
{
	return VM(run->b, GFILE(run->b, run->t->file)->vm);
}

static bool is_to_private(struct gmem_run *run)
{
	return run->c->attributes & GMEM_ATTRIBUTE_PRIVATE;
}

static bool is_to_shared(struct gmem_run *run)
{
	return !is_to_private(run);
}

static uint32_t target(struct gmem_run *run)
{
	return is_to_private(run) ? PAGE_PRIVATE : PAGE_SHARED;
}

/* ---- the worker: takes t->file, t->inode, t->start and t->end; sets t->err_page ---- */

static int begin(struct gmem_run *run)
{
	run->t->err_page = run->t->start;
	return 0;
}

static bool range_has_the_attribute(struct gmem_run *run)
{
	const struct gmem_task *t = run->t;

	return gmem_has_attribute(run->b, inode_of(run), t->start, t->end, target(run));
}

static bool folios_are_free(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	uint64_t busy = gmem_first_busy(run, t->start, t->end);

	if (busy == t->end)
		return true;
	t->err_page = busy;
	return false;
}

static bool guest_gives_back(struct gmem_run *run)
{
	return is_to_shared(run) && vm_of_file(run)->type == GMEM_VM_SNP;
}

/* kvm_gmem_make_shared(): of the pages that are there */
static int make_shared(struct gmem_run *run)
{
	gmem_mark_folios(run->b, inode_of(run), run->t->start, run->t->end, 0, FOLIO_ASSIGNED);
	return 0;
}

static int convert_contents(struct gmem_run *run)
{
	gmem_convert_contents(run, run->t->start, run->t->end, target(run));
	return 0;
}

static int store_attributes(struct gmem_run *run)
{
	const struct gmem_task *t = run->t;

	gmem_range_set(run->b, &inode_of(run)->attributes, t->start, t->end, target(run));
	return 0;
}

#define INVALIDATE_AND_STORE                                                                     \
	CALL_EACH(next_bound_file, T_CONVERT_START, CONV_17),                                    \
		DO(make_shared, CONV_18, WHEN(guest_gives_back)), DO(convert_contents, CONV_18), \
		DO(store_attributes, CONV_19),                                                   \
		CALL_EACH(next_bound_file, T_INVALIDATE_END, CONV_24)

/* kvm_gmem_set_attributes(), __kvm_gmem_set_attributes() */
const struct gmem_step gmem_op_convert[] = {
	DO(begin, CONV_11),
	LOCK(INVALIDATE_LOCK, WRITE, CONV_12),
	DONE_IF(range_has_the_attribute, CONV_13, .to = L_UNLOCK),
	CHECK(no_memory_pressure, CONV_14, ENOMEM, .to = L_UNLOCK),
	CALL_EACH(next_mapping_over, T_ZAP, CONV_15, WHEN(is_to_private)),
	CHECK(folios_are_free, CONV_16, EAGAIN, WHEN(is_to_private), .to = L_UNLOCK),
	INVALIDATE_AND_STORE,
	UNLOCK(INVALIDATE_LOCK, .at = L_UNLOCK),
	END,
};
UNROLLED(gmem_op_convert)

/* RFC v1 tests for references in both directions. */
const struct gmem_step gmem_op_convert_rfc_v1[] = {
	DO(begin, CONV_11),
	LOCK(INVALIDATE_LOCK, WRITE, CONV_12),
	DONE_IF(range_has_the_attribute, CONV_13, .to = L_UNLOCK),
	CHECK(no_memory_pressure, CONV_14, ENOMEM, .to = L_UNLOCK),
	CALL_EACH(next_mapping_over, T_ZAP, CONV_15),
	CHECK(folios_are_free, CONV_16, EAGAIN, .to = L_UNLOCK),
	INVALIDATE_AND_STORE,
	UNLOCK(INVALIDATE_LOCK, .at = L_UNLOCK),
	END,
};

/* What of the guest's goes: what it had as the kind of page that this was. */
static int unmap_converted_gfns(struct gmem_run *run)
{
	return gmem_invalidate_slots(run, is_to_private(run) ? FILTER_SHARED : FILTER_PRIVATE);
}

/* kvm_gmem_invalidate_start() for a conversion: one file, t->at_file */
const struct gmem_step gmem_op_convert_start[] = {
	LOCK(MMU_LOCK, WRITE, CONV_17),
	DO(unmap_converted_gfns, CONV_17),
	UNLOCK(MMU_LOCK),
	END,
};
UNROLLED(gmem_op_convert_start)

/* ---- content modes, v3 to v5 ---- */

static uint64_t modes_of(struct gmem_run *run)
{
	const struct gmem_vm *vm = vm_of_file(run);
	uint64_t zero = is_to_shared(run) ? GMEM_CONTENT_ZERO : 0;

	switch (vm->type) {
	case GMEM_VM_SW_PROTECTED:
		return zero | GMEM_CONTENT_PRESERVE;
	case GMEM_VM_SNP:
	case GMEM_VM_TDX:
		return zero | (is_to_private(run) && !vm->launched ? GMEM_CONTENT_PRESERVE : 0);
	default:
		return 0;
	}
}

static bool content_mode_is_supported(struct gmem_run *run)
{
	return !(run->c->flags & ~modes_of(run));
}

static bool mode_is_zero(struct gmem_run *run)
{
	return run->c->flags == GMEM_CONTENT_ZERO;
}

/* Without a mode a KVM_X86_SW_PROTECTED_VM scrambles, so that nobody relies on more. */
static bool mode_is_none(struct gmem_run *run)
{
	return !run->c->flags && vm_of_file(run)->type == GMEM_VM_SW_PROTECTED;
}

static bool mode_is_the_vendors(struct gmem_run *run)
{
	return !run->c->flags && vm_of_file(run)->type != GMEM_VM_SW_PROTECTED;
}

static int zero_contents(struct gmem_run *run)
{
	gmem_zero_bytes(run->b, inode_of(run), run->t->start, run->t->end);
	return 0;
}

static int scramble_contents(struct gmem_run *run)
{
	gmem_scramble(run, run->t->start, run->t->end);
	return 0;
}

/* Takes t->start, t->end */
const struct gmem_step gmem_op_contents[] = {
	DO(zero_contents, CONV_26, WHEN(mode_is_zero)),
	DO(scramble_contents, CONV_26, WHEN(mode_is_none)),
	DO(convert_contents, CONV_18, WHEN(mode_is_the_vendors)),
	END,
};

/* v5: the mode comes before the shortcut, and is applied to all of the range either way. */
const struct gmem_step gmem_op_convert_v5[] = {
	DO(begin, CONV_11),
	LOCK(INVALIDATE_LOCK, WRITE, CONV_12),
	CHECK(content_mode_is_supported, CONV_25, EOPNOTSUPP, .to = L_UNLOCK),
	CALL(T_CONTENTS, CONV_26, WHEN(range_has_the_attribute)),
	DONE_IF(range_has_the_attribute, CONV_13, .to = L_UNLOCK),
	CHECK(no_memory_pressure, CONV_14, ENOMEM, .to = L_UNLOCK),
	CALL_EACH(next_mapping_over, T_ZAP, CONV_15, WHEN(is_to_private)),
	CHECK(folios_are_free, CONV_16, EAGAIN, WHEN(is_to_private), .to = L_UNLOCK),
	CALL_EACH(next_bound_file, T_CONVERT_START, CONV_17),
	DO(make_shared, CONV_18, WHEN(guest_gives_back)),
	CALL(T_CONTENTS, CONV_26),
	DO(store_attributes, CONV_19),
	CALL_EACH(next_bound_file, T_INVALIDATE_END, CONV_24),
	UNLOCK(INVALIDATE_LOCK, .at = L_UNLOCK),
	END,
};

/* ---- coco-hugetlb: one huge page after the other; those that were done stay done ---- */

static int begin_batches(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->whole_start = t->batch = t->start;
	t->whole_end = t->end;
	return begin(run);
}

/* Where the first page at or after at, below end, is that a conversion has more to do with. */
static uint64_t next_of_interest(struct gmem_run *run, uint64_t at, uint64_t end)
{
	const struct gmem_inode *inode = inode_of(run);
	struct gmem_range r;

	if (gmem_range_next_in(run->b, inode->folios, at, end, &r))
		end = r.start;
	for (uint32_t i = inode->files; i; i = GFILE(run->b, i)->next)
		if (gmem_range_next_in(run->b, GFILE(run->b, i)->bindings, at, end, &r))
			end = r.start;
	for (uint32_t i = inode->vmas; i; i = VMA(run->b, i)->next) {
		const struct gmem_vma *v = VMA(run->b, i);

		if (v->pgoff < end && v->pgoff + (v->end - v->start) > at)
			end = v->pgoff > at ? v->pgoff : at;
	}
	return end;
}

/* A huge page; or all those on the way that are not there and that nobody is told of. */
static bool next_batch(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	uint64_t next;

	t->start = t->err_page = t->batch;
	t->end = t->batch = t->whole_end;
	if (t->start >= t->whole_end)
		return false;
	if (inode_of(run)->order) {
		next = next_of_interest(run, gmem_round_down(inode_of(run), t->start), t->end);
		if (gmem_round_down(inode_of(run), next) > t->start)
			t->batch = gmem_round_down(inode_of(run), next);
		else if (t->end > gmem_round_up(inode_of(run), t->start + 1))
			t->batch = gmem_round_up(inode_of(run), t->start + 1);
		t->end = t->batch;
	}
	return true;
}

static int end_batches(struct gmem_run *run)
{
	run->t->start = run->t->whole_start;
	run->t->end = run->t->whole_end;
	return 0;
}

/* What guests are told of is the huge page; the batch itself is t->err_page to t->batch. */
static int round_out(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->start = gmem_round_down(inode_of(run), t->start);
	t->end = gmem_round_up(inode_of(run), t->end);
	return 0;
}

static int round_back(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->start = t->err_page;
	t->end = t->batch;
	return 0;
}

static struct gmem_range will_be(struct gmem_run *run)
{
	return (struct gmem_range){ run->t->start, run->t->end, target(run) };
}

static bool block_changes(struct gmem_run *run)
{
	const struct gmem_range will = will_be(run);

	return inode_of(run)->order && gmem_block_changes(run->b, inode_of(run), &will);
}

static bool block_is_to_be_split(struct gmem_run *run)
{
	return is_to_shared(run) && block_changes(run);
}

static int split_or_merge(struct gmem_run *run)
{
	const struct gmem_range will = will_be(run);

	gmem_restructure_block(run->b, inode_of(run), &will);
	return 0;
}

/* kvm_gmem_zap(): one file, t->at_file; both kinds, and only what was asked for */
static int zap_guests(struct gmem_run *run)
{
	return gmem_unmap_slots(run, FILTER_SHARED | FILTER_PRIVATE);
}

const struct gmem_step gmem_op_zap_guests[] = {
	LOCK(MMU_LOCK, WRITE, CONV_17),
	DO(zap_guests, CONV_17),
	UNLOCK(MMU_LOCK),
	END,
};

/* kvm_gmem_convert(): guests may fault again before the attribute has changed */
const struct gmem_step gmem_op_convert_batch[] = {
	CHECK(no_memory_pressure, CONV_14, ENOMEM),
	CALL_EACH(next_mapping_over, T_ZAP, CONV_15, WHEN(is_to_private)),
	CHECK(folios_are_free, CONV_16, EAGAIN, WHEN(is_to_private)),
	DO(round_out, HUGE_7, .local = true),
	CALL_EACH(next_bound_file, T_INVALIDATE_BEGIN, HUGE_7),
	DO(round_back, HUGE_7, .local = true),
	CHECK(no_memory_pressure, HUGE_8, ENOMEM, WHEN(block_is_to_be_split), .to = L_END),
	CALL_EACH(next_bound_file, T_UNMAP_GUESTS, CONV_17),
	DO(round_out, HUGE_7, .local = true, .at = L_END),
	CALL_EACH(next_bound_file, T_INVALIDATE_END, CONV_24),
	DO(round_back, HUGE_7, .local = true),
	DONE_IF(has_failed, HUGE_8, .local = true),
	CHECK(no_memory_pressure, HUGE_8, ENOMEM, WHEN(block_changes)),
	DO(split_or_merge, HUGE_8, WHEN(block_changes)),
	DO(make_shared, CONV_18, WHEN(guest_gives_back)),
	DO(convert_contents, CONV_18),
	DO(store_attributes, CONV_19),
	END,
};

const struct gmem_step gmem_op_convert_hugetlb[] = {
	DO(begin_batches, CONV_11, .local = true),
	LOCK(INVALIDATE_LOCK, WRITE, CONV_12),
	DONE_IF(range_has_the_attribute, CONV_13, .to = L_UNLOCK),
	CALL_EACH(next_batch, T_CONVERT_BATCH, HUGE_6, .to = L_UNLOCK),
	DO(end_batches, HUGE_6, .local = true),
	UNLOCK(INVALIDATE_LOCK, .at = L_UNLOCK),
	END,
};
