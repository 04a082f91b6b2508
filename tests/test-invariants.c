/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every invariant, broken by hand and seen: gmem_check() names it, and says what it saw and
 * where. The world that is broken has something of everything and is sound before.
 *
 * What the tables of steps can do wrong by themselves is in test-violations.c.
 */
#include <stdio.h>
#include <string.h>

#include "node.h"
#include "sound.h"
#include "step.h"

/* ---- breaking it ---- */

static void task_holds_a_lock(struct gmem_world *w)
{
	TASK(w->b, w->b->tasks[1])->nr_held = 1;
}

static void task_holds_a_page(struct gmem_world *w)
{
	struct gmem_task *t = TASK(w->b, w->b->tasks[1]);

	t->folio_of = w->b->inodes;
}

static void folio_lock_is_held(struct gmem_world *w)
{
	inode(w, SHARED_FILE)->folio_lock = 1;
}

static void i_mmap_rwsem_is_held(struct gmem_world *w)
{
	inode(w, SHARED_FILE)->i_mmap_rwsem = 1;
}

static void invalidate_lock_is_held(struct gmem_world *w)
{
	inode(w, PRIVATE_FILE)->invalidate_lock = -1;
}

static void slots_lock_is_held(struct gmem_world *w)
{
	vm(w, PRIVATE_VM)->slots_lock = -1;
}

static void slots_arch_lock_is_held(struct gmem_world *w)
{
	vm(w, PRIVATE_VM)->slots_arch_lock = -1;
}

static void srcu_is_held(struct gmem_world *w)
{
	vm(w, SHARED_VM)->srcu[1] = 1;
}

static void mmu_lock_is_held(struct gmem_world *w)
{
	vm(w, SHARED_VM)->mmu_lock = 1;
}

static void mmap_lock_is_held(struct gmem_world *w)
{
	process(w)->mmap_lock = 1;
}

static void shared_becomes_private(struct gmem_world *w)
{
	set(w, &inode(w, SHARED_FILE)->attributes, 0, PAGE_PRIVATE);
}

static void entry_without_a_mapping(struct gmem_world *w)
{
	set(w, &process(w)->ptes, 77, PTE_PRESENT);
}

static void free_a_page_the_host_maps(struct gmem_world *w)
{
	set(w, &inode(w, SHARED_FILE)->folios, 0, 0);
}

static void unzero_a_page_the_host_maps(struct gmem_world *w)
{
	set(w, &inode(w, SHARED_FILE)->folios, 0, FOLIO_PRESENT);
}

static void map_a_page_that_is_not_there(struct gmem_world *w)
{
	struct gmem_range r = { 0, 0, 0 };

	assert_true(gmem_range_next(w->b, process(w)->ptes, 0, &r));
	set(w, &process(w)->ptes, r.start + 5, PTE_PRESENT);
}

static void free_a_page_the_guest_maps(struct gmem_world *w)
{
	set(w, &inode(w, SHARED_FILE)->folios, 2, 0);
	gmem_range_set(w->b, &inode(w, SHARED_FILE)->bytes, 2 * PAGE, 3 * PAGE, 0);
}

static void unmap_what_the_guest_maps(struct gmem_world *w)
{
	set(w, &process(w)->ptes, slot(w, ORDINARY_SLOT)->hva / PAGE, 0);
}

static void leave_a_page_to_nobody(struct gmem_world *w)
{
	set(w, &inode(w, SHARED_FILE)->attributes, 7, 0);
}

static void make_a_third_attribute(struct gmem_world *w)
{
	set(w, &inode(w, SHARED_FILE)->attributes, 7, 3);
}

/* What a file of huge pages would be: the private one, with the second block there. */
static struct gmem_inode *huge_inode(struct gmem_world *w)
{
	struct gmem_inode *huge = inode(w, PRIVATE_FILE);

	huge->order = 9;
	huge->size = 1024 * PAGE;
	gmem_range_set(w->b, &huge->folios, 0, 1024, FOLIO_PRESENT | FOLIO_UPTODATE | FOLIO_HUGE);
	gmem_range_set(w->b, &huge->attributes, 0, 1024, PAGE_PRIVATE);
	return huge;
}

static void split_a_private_huge_folio(struct gmem_world *w)
{
	set(w, &huge_inode(w)->folios, 600, FOLIO_PRESENT | FOLIO_UPTODATE);
}

static void free_a_part_of_a_huge_folio(struct gmem_world *w)
{
	set(w, &huge_inode(w)->folios, 600, 0);
}

static void close_the_file_the_guest_maps(struct gmem_world *w)
{
	slot(w, GMEM_SLOT)->file = 0;
}

static void guest_maps_without_a_slot(struct gmem_world *w)
{
	set(w, &vm(w, SHARED_VM)->sptes, 9 * GFN, SPTE_PRESENT);
}

static void start_without_end(struct gmem_world *w)
{
	vm(w, PRIVATE_VM)->in_progress = 1;
}

static void end_without_start(struct gmem_world *w)
{
	vm(w, SHARED_VM)->in_progress = -1;
}

static void attribute_that_is_none(struct gmem_world *w)
{
	set(w, &vm(w, PRIVATE_VM)->attributes, 9 * GFN, 4);
}

static void private_becomes_shared(struct gmem_world *w)
{
	set(w, &vm(w, PRIVATE_VM)->attributes, GFN, 0);
}

static void shared_page_is_called_private(struct gmem_world *w)
{
	set(w, &vm(w, SHARED_VM)->attributes, GFN + 2, GMEM_ATTRIBUTE_PRIVATE);
}

static void lose_a_binding(struct gmem_world *w)
{
	set(w, &file(w, SHARED_FILE)->bindings, 8, 0);
}

static void bind_to_another_page(struct gmem_world *w)
{
	slot(w, UNTOUCHED_SLOT)->pgoff++;
}

static void bind_to_another_slot(struct gmem_world *w)
{
	gmem_range_set(w->b, &file(w, SHARED_FILE)->bindings, 8, 12, slot_idx(w, GMEM_SLOT));
}

static void forget_the_flag(struct gmem_world *w)
{
	slot(w, UNTOUCHED_SLOT)->flags = 0;
}

static void bind_for_nobody(struct gmem_world *w)
{
	set(w, &file(w, SHARED_FILE)->bindings, 20, slot_idx(w, ORDINARY_SLOT));
}

static void move_a_slot(struct gmem_world *w)
{
	slot(w, UNTOUCHED_SLOT)->gfn++;
}

static void rename_a_slot(struct gmem_world *w)
{
	slot(w, ORDINARY_SLOT)->id = 77;
}

static void resize_a_slots_gfns(struct gmem_world *w)
{
	set(w, &vm(w, SHARED_VM)->gfns[0], 4 * GFN + 3, 0);
}

static void gfns_of_no_slot(struct gmem_world *w)
{
	set(w, &vm(w, SHARED_VM)->gfns[1], 9 * GFN, slot_idx(w, ORDINARY_SLOT));
}

static void miscount_pages(struct gmem_world *w)
{
	vm(w, PRIVATE_VM)->nr_memslot_pages++;
}

static void leave_a_byte_behind(struct gmem_world *w)
{
	set(w, &inode(w, SHARED_FILE)->bytes, 30 * PAGE + 1, 0xee);
}

static void one_user_too_many(struct gmem_world *w)
{
	vm(w, SHARED_VM)->users++;
}

static void one_inode_reference_too_few(struct gmem_world *w)
{
	inode(w, PRIVATE_FILE)->refs--;
}

static void one_file_reference_too_many(struct gmem_world *w)
{
	file(w, SHARED_FILE)->refs++;
}

static void one_file_reference_too_few(struct gmem_world *w)
{
	file(w, SHARED_VM)->refs--;
}

/* Leaves of small values; see node.h. */
static void make_neighbours_equal(struct gmem_world *w)
{
	struct node *leaf = node(w->b, vm(w, PRIVATE_VM)->attributes);

	leaf->small[1] = leaf->small[0];
}

static void make_neighbours_equal_in_a_files_tree(struct gmem_world *w)
{
	struct node *leaf = node(w->b, inode(w, PRIVATE_FILE)->folios);

	leaf->small[1] = leaf->small[0];
}

/* A guest's fault has found a memslot, which is deleted without waiting for it. */
static void free_a_slot_that_a_fault_looks_at(struct gmem_world *w)
{
	struct gmem_task *t = TASK(w->b, w->b->tasks[1]);

	t->depth = 1;
	t->level[0].table = T_GUEST_FAULT;
	t->vm = file(w, SHARED_VM)->vm;
	t->slot = slot_idx(w, UNTOUCHED_SLOT);
	t->gfn = 4 * GFN;
	set(w, &vm(w, SHARED_VM)->slots, UNTOUCHED_SLOT, 0);
	gmem_cell_free(w->b, t->slot);
}

static void free_a_bound_slot(struct gmem_world *w)
{
	gmem_cell_free(w->b, slot_idx(w, UNTOUCHED_SLOT));
}

static void free_an_open_file(struct gmem_world *w)
{
	gmem_cell_free(w->b, INODE(w->b, file(w, SHARED_FILE)->inode)->files);
}

static void free_a_mapping(struct gmem_world *w)
{
	gmem_cell_free(w->b, INODE(w->b, file(w, SHARED_FILE)->inode)->vmas);
}

static void lose_a_cell(struct gmem_world *w)
{
	gmem_cell_alloc(w->b);
}

static void give_a_cell_back_twice(struct gmem_world *w)
{
	w->b->nr_free++;
}

#define FREED "the host maps a freed page: inode, page"
#define BINDINGS "a memslot and its file's bindings differ: VM, memslot"
#define GFNS "a memslot is not where its gfns are: VM, memslot"
#define USERS "a VM has, and should have, users"

static const struct {
	void (*break_it)(struct gmem_world *w);
	const char *invariant, *saw;
	uint64_t a, b;
} broken[] = {
	{ task_holds_a_lock, "I1", "a task holds a lock, or a page, after its call: task", 1, 0 },
	{ task_holds_a_page, "I1", "a task holds a lock, or a page, after its call: task", 1, 0 },
	{ folio_lock_is_held, "I1", "a lock of an inode is held: inode", 1, 0 },
	{ i_mmap_rwsem_is_held, "I1", "a lock of an inode is held: inode", 1, 0 },
	{ invalidate_lock_is_held, "I1", "a lock of an inode is held: inode", 2, 0 },
	{ slots_lock_is_held, "I1", "a lock of a VM is held: VM", 2, 0 },
	{ slots_arch_lock_is_held, "I1", "a lock of a VM is held: VM", 2, 0 },
	{ srcu_is_held, "I1", "a lock of a VM is held: VM", 1, 0 },
	{ mmu_lock_is_held, "I1", "a lock of a VM is held: VM", 1, 0 },
	{ mmap_lock_is_held, "I1", "mmap_lock is held: process", 1, 0 },
	{ shared_becomes_private, "I2", "the host maps a private page: inode, page", 1, 0 },
	{ entry_without_a_mapping, "I2", "an entry outside every mapping: page", 77, 0 },
	{ free_a_page_the_host_maps, "I3", FREED, 1, 0 },
	{ unzero_a_page_the_host_maps, "I3", FREED, 1, 0 },
	{ map_a_page_that_is_not_there, "I3", FREED, 1, 5 },
	{ free_a_page_the_guest_maps, "I4", "the guest maps a freed page: VM, gfn", 1, GFN + 2 },
	{ unmap_what_the_guest_maps, "I4", "the guest maps what the host does not: VM, gfn", 1,
	  2 * GFN },
	{ close_the_file_the_guest_maps, "I4", "the guest maps a page of a closed file: VM, gfn", 1,
	  GFN + 2 },
	{ guest_maps_without_a_slot, "I4", "the guest maps a page without a memslot: VM, gfn", 1,
	  9 * GFN },
	{ start_without_end, "I5", "an invalidation has not ended, or ended twice: VM, count", 2,
	  1 },
	{ end_without_start, "I5", "an invalidation has not ended, or ended twice: VM, count", 1,
	  UINT64_MAX },
	{ attribute_that_is_none, "I6", "an unknown attribute: VM, gfn", 2, 9 * GFN },
	{ private_becomes_shared, "I6", "the guest maps against the attribute: VM, gfn", 2, GFN },
	{ shared_page_is_called_private, "I6", "the guest maps against the attribute: VM, gfn", 1,
	  GFN + 2 },
	{ lose_a_binding, "I7", BINDINGS, 1, UNTOUCHED_SLOT },
	{ bind_to_another_page, "I7", BINDINGS, 1, UNTOUCHED_SLOT },
	{ bind_to_another_slot, "I7", BINDINGS, 1, UNTOUCHED_SLOT },
	{ forget_the_flag, "I7", BINDINGS, 1, UNTOUCHED_SLOT },
	{ bind_for_nobody, "I7", "a binding to a memslot that is not there: inode, page", 1, 20 },
	{ move_a_slot, "I8", GFNS, 1, UNTOUCHED_SLOT },
	{ rename_a_slot, "I8", GFNS, 1, 77 },
	{ resize_a_slots_gfns, "I8", GFNS, 1, UNTOUCHED_SLOT },
	{ gfns_of_no_slot, "I8", "memslots and their gfns differ: pages, pages", 12, 13 },
	{ miscount_pages, "I8", "memslots and their gfns differ: pages, pages", 4, 4 },
	{ leave_a_byte_behind, "I9", "bytes where there is no page: inode, page", 1, 30 },
	{ one_user_too_many, "I10", USERS, 3, 2 },
	{ one_inode_reference_too_few, "I10", "an inode has, and should have, references", 0, 1 },
	{ one_file_reference_too_many, "I10", "a file has, and should have, references", 5, 4 },
	{ one_file_reference_too_few, "I10", "a file has, and should have, references", 1, 2 },
	{ make_neighbours_equal, "I11", "neighbours are equal", 0, 0 },
	{ make_neighbours_equal_in_a_files_tree, "I11", "neighbours are equal", 0, 0 },
	{ leave_a_page_to_nobody, "I13", "a page is neither shared nor private: inode, page", 1,
	  7 },
	{ make_a_third_attribute, "I13", "a page is neither shared nor private: inode, page", 1,
	  7 },
	{ split_a_private_huge_folio, "I14",
	  "a huge folio is whole, or there, in part: inode, page", 2, 512 },
	{ free_a_part_of_a_huge_folio, "I14",
	  "a huge folio is whole, or there, in part: inode, page", 2, 512 },
	{ free_a_slot_that_a_fault_looks_at, "I15",
	  "an operation goes on with a memslot that was freed: task", 1, 0 },
	{ free_a_bound_slot, "I15", "a binding to a freed memslot: inode", 1, 0 },
	{ free_an_open_file, "I15", "a file of the inode was freed: inode", 1, 0 },
	{ free_a_mapping, "I15", "a mapping of the inode was freed: inode", 1, 0 },
	{ lose_a_cell, "I12", "cells found, and cells handed out", 0, 0 },
	{ give_a_cell_back_twice, "I12", "cells found, and cells handed out", 0, 0 },
};
#define NR_BROKEN (sizeof(broken) / sizeof(broken[0]))

static const char *sentence_of(const char *invariant)
{
	const char *name, *sentence;

	for (unsigned int n = 0; (name = gmem_invariant(n, &sentence)); n++)
		if (!strcmp(name, invariant))
			return sentence;
	return NULL;
}

static void each_is_seen_and_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR_BROKEN; i++) {
		uint64_t mapping;
		struct gmem_world *w = new_sound_world(&mapping);
		struct gmem_violation v = { 0 };

		assert_int_equal(gmem_check(w, &v), GMEM_DONE);
		assert_null(v.invariant);
		broken[i].break_it(w);
		if (gmem_check(w, &v) != GMEM_VIOLATED)
			fail_msg("number %zu (%s) is not seen", i, broken[i].invariant);
		assert_string_equal(v.invariant, broken[i].invariant);
		assert_string_equal(v.sentence, sentence_of(broken[i].invariant));
		assert_string_equal(v.saw, broken[i].saw);
		if (strcmp(v.invariant, "I12")) {
			assert_int_equal(v.a, broken[i].a);
			assert_int_equal(v.b, broken[i].b);
		} else {
			assert_int_not_equal(v.a, v.b);
		}
		assert_int_equal(gmem_check(w, NULL), GMEM_VIOLATED);
		gmem_world_free(w);
	}
}

static void there_are_seventeen(void **state)
{
	const char *sentence, *name;
	unsigned int n = 0;

	(void)state;
	for (; (name = gmem_invariant(n, &sentence)); n++) {
		char expected[8];
		size_t breakages = 0;

		snprintf(expected, sizeof(expected), "I%u", n + 1);
		assert_string_equal(name, expected);
		assert_true(strlen(sentence) > 10);
		assert_string_equal(sentence + strlen(sentence) - 1, ".");
		for (size_t i = 0; i < NR_BROKEN; i++)
			breakages += !strcmp(broken[i].invariant, name);
		/* The last two only a row can break: traces/bugs B02, B04, B16; B09. */
		assert_int_equal(breakages > 0, n < 15);
		assert_ptr_equal(gmem_invariant(n, NULL), name);
	}
	assert_int_equal(n, 17);
	assert_null(gmem_invariant(1000, NULL));
}

/* While an operation is under way, those that speak of what is between calls are not asked. */
static void some_may_be_false_inside_a_call(void **state)
{
	static const char *const always[] = { "I2", "I3", "I11", "I13", "I15" };

	(void)state;
	for (size_t i = 0; i < NR_BROKEN; i++) {
		uint64_t mapping;
		struct gmem_world *w = new_sound_world(&mapping);
		enum gmem_status expected = GMEM_DONE;

		for (size_t k = 0; k < sizeof(always) / sizeof(always[0]); k++)
			if (!strcmp(broken[i].invariant, always[k]))
				expected = GMEM_VIOLATED;
		broken[i].break_it(w);
		TASK(w->b, w->b->tasks[0])->depth = 1;
		if (gmem_check(w, NULL) != expected)
			fail_msg("number %zu (%s)", i, broken[i].invariant);
		gmem_world_free(w);
	}
}

/* [PFN-2] cannot be seen otherwise: bind and unbind keep bindings and memslots together. */
static void a_page_must_be_bound_to_the_slot_that_asks(void **state)
{
	static const uint32_t other_slots[] = { 0, ORDINARY_SLOT };

	(void)state;
	for (int i = 0; i < 2; i++) {
		uint64_t mapping;
		struct gmem_world *w = new_sound_world(&mapping);
		struct gmem_result r;

		w->checking = GMEM_CHECK_NEVER;
		set(w, &file(w, SHARED_FILE)->bindings, 1,
		    other_slots[i] ? slot_idx(w, other_slots[i]) : 0);
		r = guest_load(w, SHARED_VM, GPA + PAGE + 5);
		assert_int_equal(r.outcome, GMEM_MEMORY_FAULT);
		assert_int_equal(r.value, -5);
		assert_int_equal(r.gpa, GPA + PAGE);
		assert_int_equal(r.exit_size, PAGE);
		assert_int_equal(r.exit_flags, 0);
		assert_string_equal(gmem_clause(r.clause)->name, "PFN-2");
		assert_int_equal(guest_load(w, SHARED_VM, GPA + 2 * PAGE).value, 0xbb);
		gmem_world_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_seen_and_named),
		cmocka_unit_test(there_are_seventeen),
		cmocka_unit_test(some_may_be_false_inside_a_call),
		cmocka_unit_test(a_page_must_be_bound_to_the_slot_that_asks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
