/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What each step touches, by its name: lists in the order of names, of the steps that touch
 * something, of those that may touch anything, and of those that touch nothing.
 *
 * An entry covers every way through the function. What is written need not be among what is read.
 *
 * A step touches nothing if it looks at the call, at the task's own locals, at the profile and the
 * machine, and at what never changes of an object: its kind, what it belongs to, an inode's flags,
 * a VM's type.
 *
 * Whoever leads into T_ZAP or T_NOTIFY reads REGISTRY: there is no VM made while a task is in there.
 */
#include "touch.h"

#include <string.h>

/* Whether a guest's page is private: the file is asked that is bound there, or the VM. */
#define PRIVATE_GFN \
	(P(SLOTS) | P(SLOT_FILES) | P(FILE_LIFE) | P(VM_STATE) | P(GFN_ATTRS) | P(SHARES))
/* Whether a memslot's memory is the file's alone. */
#define GMEM_ONLY (P(SLOTS) | P(SLOT_FILES) | P(FILE_LIFE) | P(VM_STATE))

/* What is read, and what is written. */
#define READS(step, places, ...)                           \
	{                                                  \
		.name = step, .reads = places, __VA_ARGS__ \
	}
#define WRITES(step, places, ...)                           \
	{                                                   \
		.name = step, .writes = places, __VA_ARGS__ \
	}
#define STEP(step, r, w, ...)                                      \
	{                                                          \
		.name = step, .reads = r, .writes = w, __VA_ARGS__ \
	}

static const struct gmem_touch touches[] = {
	READS("a_mapping_changes", P(REGISTRY)),
	READS("a_mapping_is_split", P(VMAS)),
	READS("a_memslot_is_concerned", P(SLOTS)),
	READS("a_memslot_is_over_it", P(SLOTS)),
	READS("access_matches_attribute", PRIVATE_GFN, .any = P(VM_STATE), .inode_span = AT_START,
	      .gfn_span = AT_GFN),
	WRITES("add_seals", P(MEMFD_STATE)),
	READS("address_is_mapped", P(VMAS)),
	READS("all_have_the_value", P(GFN_ATTRS), .gfn_span = AT_GFNS),
	STEP("allocate_gap", P(SHARES), P(FOLIOS), .inode_span = AT_START),
	READS("allocation_is_in_file", P(MEMFD_STATE)),
	WRITES("and_inaccessible_seals", P(MEMFD_STATE)),
	STEP("assign_page", P(SHARES), P(FOLIOS), .inode_span = AT_START),
	WRITES("begin_grace_period", P(LOCK_PLACE(SRCU))),
	READS("binding_is_the_slots", P(SLOTS) | P(BINDINGS), .inode_span = AT_PGOFF),
	READS("block_changes", P(FOLIOS) | P(SHARES), .inode_span = AT_START),
	READS("block_is_split", P(FOLIOS), .inode_span = AT_START),
	READS("block_is_to_be_split", P(FOLIOS) | P(SHARES), .inode_span = AT_START),
	WRITES("change_flags", P(SLOTS) | P(NOTIFIED)),
	WRITES("clear_entries", P(PTES), .address_span = AT_ZAP),
	STEP("clear_slots_file", P(BINDINGS), P(SLOT_FILES)),
	WRITES("close_next_descriptor", P(FDS) | P(FILE_LIFE), .any = P(FILE_LIFE)),
	READS("content_mode_is_supported", P(VM_STATE)),
	STEP("convert_contents", P(FOLIOS) | P(SHARES), P(INODE_BYTES), .inode_span = AT_START),
	STEP("copy_descriptors", P(TASKS) | P(FILE_LIFE), P(FDS), .any = P(FDS) | P(FILE_LIFE)),
	WRITES("copy_held_source", P(INODE_BYTES)),
	STEP("copy_mapping",
	     P(MEMFD_STATE) | P(TASKS) | P(FILE_LIFE) | P(INODE_LIFE) | P(FOLIOS) | P(INODE_BYTES),
	     P(VMAS) | P(PTES) | P(COPIES) | P(INODE_VMAS),
	     .any = P(FILE_LIFE) | P(INODE_LIFE) | P(VMAS) | P(PTES) | P(COPIES) | P(INODE_VMAS)),
	STEP("copy_mmap_base", P(TASKS), P(VMAS), .any = P(VMAS)),
	WRITES("copy_source", P(INODE_BYTES)),
	STEP("count_invalidation", P(BINDINGS) | P(SLOTS) | P(SPTES), P(INVALIDATION),
	     .inode_span = AT_START),
	READS("count_notifier", P(NOTIFIED)),
	READS("create_file_and_inode", P(VM_LIFE)),
	STEP("create_file_of_one_inode", EVERY_PLACE, EVERY_PLACE, .any = EVERY_PLACE),
	READS("create_file_shared_if_mapped", P(VM_LIFE)),
	WRITES("create_process_and_task", P(TASKS)),
	WRITES("create_task", P(TASKS)),
	WRITES("create_vm", P(REGISTRY)),
	WRITES("destroy_bindings", P(BINDINGS)),
	STEP("drop_all_pages", P(MEMFD_STATE), P(FOLIOS) | P(INODE_BYTES) | P(PINS)),
	STEP("drop_block", P(MEMFD_STATE), P(FOLIOS) | P(INODE_BYTES) | P(PINS),
	     .inode_span = AT_START),
	STEP("drop_pages", P(MEMFD_STATE) | P(INODE_VMAS),
	     P(FOLIOS) | P(INODE_BYTES) | P(PINS) | P(MAPPED), .inode_span = AT_START),
	STEP("drop_private_pages", P(INODE_VMAS), P(FOLIOS) | P(INODE_BYTES) | P(PINS) | P(MAPPED),
	     .inode_span = AT_START),
	READS("end_is_in_file", P(MEMFD_STATE)),
	READS("entry_is_not_poisoned", P(PTES), .address_span = AT_PAGE),
	READS("entry_was_replaced", P(REGISTRY)),
	STEP("erase_binding", P(SLOTS), P(BINDINGS) | P(SLOT_FILES), .inode_span = AT_START),
	STEP("failed_page_is_mapped", P(FOLIOS) | P(INODE_VMAS), P(MAPPED), .inode_span = AT_START),
	READS("failed_page_is_there", P(FOLIOS), .inode_span = AT_START),
	READS("fault_will_not_do", P(INVALIDATION)),
	READS("faults_from_gmem", GMEM_ONLY, .any = P(FILE_LIFE) | P(VM_STATE)),
	READS("faults_from_host", GMEM_ONLY, .any = P(FILE_LIFE) | P(VM_STATE)),
	READS("fd_is_available", P(FDS)),
	READS("fdget", P(FDS) | P(FILE_LIFE)),
	READS("fget_memfd", P(FDS) | P(FILE_LIFE)),
	READS("file_calls_page_private", P(SHARES), .inode_span = AT_PGOFF),
	READS("file_is_closed", P(SLOT_FILES)),
	READS("file_is_empty", P(MEMFD_STATE)),
	READS("file_is_open", P(SLOTS) | P(SLOT_FILES) | P(FILE_LIFE)),
	READS("file_shrinks", P(MEMFD_STATE)),
	READS("find_fd", P(FDS)),
	READS("find_folio", P(FOLIOS), .inode_span = AT_START),
	READS("find_mapping_to_protect", P(VMAS)),
	READS("find_old_slot", P(SLOTS)),
	READS("find_slot", P(SLOTS)),
	READS("find_slot_with_gmem", P(SLOTS)),
	READS("find_user_page", P(SLOTS)),
	READS("find_what_goes", P(MEMFD_STATE)),
	STEP("finish_fault", P(COPIES) | P(SHARES), P(PTES) | P(FOLIOS), .inode_span = AT_PGOFF,
	     .address_span = AT_PAGE),
	WRITES("finish_launch", P(VM_STATE)),
	STEP("flush_shadow", P(SLOTS), P(SPTES)),
	READS("folio_is_not_null", P(FOLIOS), .any = P(FOLIOS), .inode_span = AT_START),
	READS("folio_is_not_poisoned", P(FOLIOS), .inode_span = AT_PGOFF),
	READS("folio_is_still_not_uptodate", P(FOLIOS), .any = P(FOLIOS), .inode_span = AT_START),
	READS("folio_to_populate_is_not_poisoned", P(FOLIOS), .any = P(FOLIOS),
	      .inode_span = AT_START),
	READS("folio_to_populate_is_not_uptodate", P(FOLIOS), .any = P(FOLIOS),
	      .inode_span = AT_START),
	STEP("folios_are_free", P(INODE_VMAS) | P(PINS) | P(FOLIOS), P(MAPPED) | P(HOLDS),
	     .inode_span = AT_START),
	STEP("folios_can_be_dropped", P(INODE_VMAS) | P(PINS) | P(FOLIOS), P(MAPPED) | P(HOLDS),
	     .inode_span = AT_START),
	READS("fput", P(FILE_LIFE)),
	WRITES("free_file", P(FILE_LIFE)),
	WRITES("free_inode", P(INODE_LIFE) | P(FOLIOS) | P(SHARES) | P(INODE_BYTES) | P(PINS)),
	WRITES("free_new_slot", P(SLOTS) | P(SLOT_FILES)),
	STEP("free_process", P(REGISTRY), P(FDS) | P(VMAS) | P(VM_STATE) | P(TASKS),
	     .any = P(VM_STATE)),
	STEP("free_slot", P(SLOT_FILES), P(SLOTS)),
	WRITES("free_vm", P(VM_LIFE) | P(VM_STATE) | P(SLOTS) | P(SLOT_FILES) | P(GFN_ATTRS) |
				  P(SPTES) | P(INVALIDATION) | P(NOTIFIED) | P(REGISTRY)),
	READS("get_file_of_mapping", P(VMAS) | P(FILE_LIFE) | P(INODE_LIFE)),
	READS("get_file_of_slot", P(SLOT_FILES) | P(FILE_LIFE)),
	READS("get_file_to_unbind", P(FILE_LIFE)),
	STEP("get_folio", P(SHARES), P(FOLIOS), .inode_span = AT_PGOFF),
	STEP("get_folio_to_populate", P(SHARES), P(FOLIOS), .inode_span = AT_START),
	READS("gfns_are_free", P(SLOTS)),
	READS("guest_page_is_mapped", PRIVATE_GFN | P(SPTES), .any = P(VM_STATE),
	      .inode_span = AT_START, .gfn_span = AT_GFN),
	READS("has_entry", P(PTES), .address_span = AT_ZAP),
	READS("hidden_file_is_empty", P(MEMFD_STATE)),
	READS("hold_folio", P(HOLDS), .inode_span = AT_FOLIO),
	READS("hold_source", P(HOLDS), .inode_span = AT_FOLIO),
	READS("hold_source_page", P(HOLDS), .inode_span = AT_FOLIO),
	WRITES("host_invalidate_end", P(INVALIDATION)),
	STEP("host_unmap_gfns", P(SLOTS), P(INVALIDATION) | P(SPTES)),
	READS("hva_and_size_are_kept", P(SLOTS)),
	STEP("insert_mapping", P(FILE_LIFE) | P(MEMFD_STATE), P(VMAS) | P(INODE_VMAS)),
	WRITES("insert_slot", P(SLOTS) | P(NOTIFIED)),
	STEP("install_spte", GMEM_ONLY, P(SPTES), .any = P(FILE_LIFE) | P(VM_STATE),
	     .gfn_span = AT_GFN),
	WRITES("iput", P(INODE_LIFE)),
	READS("is_accessible", P(MEMFD_STATE)),
	READS("is_bound", P(BINDINGS), .inode_span = AT_START),
	READS("is_inaccessible", P(MEMFD_STATE)),
	READS("is_mapped", P(INODE_VMAS)),
	READS("is_one_of_several", P(TASKS)),
	READS("is_punch_of_inaccessible", P(MEMFD_STATE)),
	WRITES("keep_contents", P(INODE_BYTES), .inode_span = AT_START),
	READS("launch_has_ended", P(VM_STATE)),
	READS("launch_is_under_way", P(VM_STATE)),
	WRITES("leave_private_tracking_to_files", P(VM_STATE)),
	WRITES("leave_process", P(TASKS)),
	WRITES("list_del", P(INODE_LIFE)),
	READS("load_bytes", P(VMAS) | P(PTES) | P(INODE_BYTES), .any = P(INODE_BYTES),
	      .inode_span = AT_WHOLE, .address_span = AT_START),
	READS("load_guest_bytes", PRIVATE_GFN | P(SPTES) | P(VMAS) | P(INODE_BYTES),
	      .any = P(SHARES) | P(VM_STATE) | P(VMAS), .inode_span = AT_START, .gfn_span = AT_GFN),
	READS("load_pinned_bytes", P(PINS) | P(INODE_BYTES), .any = P(PINS) | P(INODE_BYTES)),
	WRITES("make_entry_poisoned", P(PTES), .inode_span = AT_START, .address_span = AT_ZAP),
	STEP("make_private", P(SHARES), P(FOLIOS), .inode_span = AT_PGOFF),
	WRITES("make_shared", P(FOLIOS), .inode_span = AT_START),
	WRITES("make_valid", P(SLOTS) | P(NOTIFIED)),
	READS("make_work_list", P(SHARES), .inode_span = AT_START),
	STEP("map_page", P(COPIES), P(PTES), .inode_span = AT_PGOFF, .address_span = AT_PAGE),
	READS("mapping_allows_gup", P(VMAS) | P(PTES) | P(SLOTS), .address_span = AT_PAGE),
	READS("mapping_is_of_a_memfd", P(MEMFD_STATE)),
	WRITES("mark_invalid", P(SLOTS) | P(NOTIFIED)),
	STEP("mark_uptodate", P(SHARES), P(FOLIOS), .inode_span = AT_START),
	READS("memory_is_shared", P(SHARES), .inode_span = AT_PGOFF),
	READS("mm_is_the_vms", P(VM_STATE)),
	WRITES("mmu_invalidate_end", P(INVALIDATION)),
	WRITES("move_gfns", P(SLOTS)),
	READS("next_batch", P(INODE_LIFE) | P(INODE_VMAS) | P(FOLIOS) | P(BINDINGS),
	      .any = P(BINDINGS), .inode_span = AT_WHOLE),
	READS("next_block", P(FOLIOS), .inode_span = AT_WHOLE),
	READS("next_bound_file", P(INODE_LIFE) | P(BINDINGS), .any = P(BINDINGS),
	      .inode_span = AT_START),
	READS("next_folio_batch", P(FOLIOS), .inode_span = AT_WHOLE),
	READS("next_folio_run", P(FOLIOS)),
	STEP("next_mapped_run", P(INODE_VMAS) | P(REGISTRY), P(MAPPED), .inode_span = AT_START),
	STEP("next_mapping_of_next_folio", P(INODE_VMAS) | P(REGISTRY), P(MAPPED),
	     .inode_span = AT_START),
	READS("next_mapping_over", P(INODE_VMAS) | P(REGISTRY)),
	READS("next_mapping_to_copy", P(VMAS)),
	STEP("next_mapping_to_share", P(VMAS) | P(REGISTRY), P(COPIES)),
	READS("next_page", P(SLOTS)),
	READS("next_part", P(VMAS)),
	WRITES("next_slot", P(SLOTS)),
	READS("next_vm_of_owner", P(REGISTRY) | P(VM_STATE) | P(NOTIFIED), .any = P(VM_STATE)),
	READS("next_vm_that_was_told", P(REGISTRY) | P(VM_STATE) | P(NOTIFIED), .any = P(VM_STATE)),
	READS("note_staleness", P(INVALIDATION)),
	READS("offset_is_before_the_end", P(MEMFD_STATE)),
	READS("offset_is_in_file", P(MEMFD_STATE)),
	READS("page_is_in_file", P(MEMFD_STATE)),
	READS("page_is_in_file_still", P(MEMFD_STATE)),
	READS("page_is_not_assigned", P(FOLIOS), .any = P(FOLIOS), .inode_span = AT_START),
	READS("page_is_present", P(FOLIOS), .inode_span = AT_START),
	READS("page_is_still_private", PRIVATE_GFN, .any = P(FILE_LIFE) | P(VM_STATE) | P(SHARES),
	      .gfn_span = AT_GFNS),
	READS("page_to_populate_is_private", PRIVATE_GFN,
	      .any = P(FILE_LIFE) | P(VM_STATE) | P(SHARES), .gfn_span = AT_GFNS),
	STEP("pin_pages", P(VMAS) | P(PTES) | P(INODE_LIFE), P(PINS),
	     .any = P(PINS) | P(INODE_LIFE), .address_span = AT_START),
	WRITES("post_set_attributes", P(INVALIDATION)),
	STEP("pre_set_attributes", P(SLOTS), P(INVALIDATION) | P(SPTES), .gfn_span = AT_GFNS),
	STEP("prepare_folio", P(SHARES), P(FOLIOS), .inode_span = AT_PGOFF),
	READS("processor_finds_page", P(VMAS) | P(PTES), .address_span = AT_PAGE),
	STEP("protect_mapping", P(FILE_LIFE) | P(INODE_LIFE), P(VMAS) | P(COPIES) | P(INODE_VMAS),
	     .any = P(FILE_LIFE)),
	READS("protection_allows", P(VMAS)),
	STEP("put_file_of_mapping", P(FILE_LIFE),
	     P(INODE_LIFE) | P(FOLIOS) | P(INODE_BYTES) | P(PINS)),
	READS("put_folio", P(HOLDS), .inode_span = AT_FOLIO),
	READS("range_has_the_attribute", P(SHARES), .inode_span = AT_START),
	READS("range_is_in_file", P(MEMFD_STATE)),
	READS("range_is_mapped", P(VMAS)),
	READS("range_is_mapped_and_fixed", P(VMAS)),
	READS("range_is_unbound", P(BINDINGS), .inode_span = AT_START),
	READS("range_to_convert_is_in_file", P(MEMFD_STATE)),
	READS("readers_are_gone", P(LOCK_PLACE(SRCU))),
	READS("readonly_and_guest_memfd_are_kept", P(SLOTS)),
	READS("readonly_is_kept", P(SLOTS)),
	STEP("release_notifiers", P(REGISTRY), P(VM_STATE) | P(SPTES),
	     .any = P(VM_STATE) | P(SPTES)),
	WRITES("remove_descriptor", P(FDS) | P(FILE_LIFE)),
	WRITES("remove_slot", P(SLOTS) | P(NOTIFIED)),
	READS("report_error", P(INODE_LIFE) | P(BINDINGS), .any = P(BINDINGS),
	      .inode_span = AT_START),
	STEP("restructure", P(SHARES), P(FOLIOS), .inode_span = AT_START),
	READS("return_capability", P(VM_STATE)),
	STEP("return_fd", P(FILE_LIFE), P(FDS)),
	READS("return_pages_present", P(FOLIOS)),
	READS("return_stat", P(MEMFD_STATE)),
	READS("room_is_left", P(VMAS)),
	STEP("scramble_contents", P(FOLIOS), P(INODE_BYTES), .inode_span = AT_START),
	READS("seals_allow_mapping", P(MEMFD_STATE)),
	READS("seals_allow_the_length", P(MEMFD_STATE)),
	READS("seals_allow_the_size", P(MEMFD_STATE)),
	READS("seals_allow_writing", P(MEMFD_STATE)),
	READS("seals_may_be_added", P(MEMFD_STATE)),
	WRITES("set_inaccessible_flag", P(MEMFD_STATE)),
	WRITES("set_inaccessible_flag_of_shmem", P(MEMFD_STATE)),
	WRITES("set_inaccessible_seals", P(MEMFD_STATE)),
	STEP("settle_contents", P(FOLIOS), P(INODE_BYTES), .inode_span = AT_START),
	READS("signed_range_is_in_file", P(MEMFD_STATE)),
	READS("size_was_never_set", P(MEMFD_STATE)),
	READS("slot_has_gmem", P(SLOTS)),
	READS("slot_is_invalid", P(SLOTS)),
	READS("slot_is_not_invalid", P(SLOTS)),
	READS("slot_is_private", P(SLOTS)),
	READS("slot_is_valid_for_prefault", P(SLOTS)),
	READS("snapshot_seq", P(INVALIDATION)),
	STEP("split_or_merge", P(SHARES), P(FOLIOS), .inode_span = AT_START),
	WRITES("store_as_much_as_fits", P(BINDINGS), .inode_span = AT_START),
	WRITES("store_binding", P(BINDINGS), .inode_span = AT_START),
	WRITES("store_bindings", P(BINDINGS), .inode_span = AT_START),
	STEP("store_bytes", P(VMAS) | P(PTES), P(INODE_BYTES), .any = P(INODE_BYTES),
	     .inode_span = AT_WHOLE, .address_span = AT_START),
	WRITES("store_file_attributes", P(SHARES), .inode_span = AT_START),
	STEP("store_guest_bytes", PRIVATE_GFN | P(SPTES) | P(VMAS), P(INODE_BYTES),
	     .any = P(SHARES) | P(VM_STATE) | P(VMAS), .inode_span = AT_START, .gfn_span = AT_GFN),
	WRITES("store_old_shareability", P(FOLIOS) | P(SHARES), .inode_span = AT_START),
	STEP("store_pinned_bytes", P(PINS), P(INODE_BYTES), .any = P(PINS) | P(INODE_BYTES)),
	WRITES("store_shareability", P(SHARES), .inode_span = AT_START),
	WRITES("store_vm_attributes", P(GFN_ATTRS), .gfn_span = AT_GFNS),
	WRITES("test_and_set_poisoned", P(FOLIOS), .inode_span = AT_START),
	READS("there_is_no_folio", P(FOLIOS), .inode_span = AT_PGOFF),
	READS("there_is_no_folio_to_populate", P(FOLIOS), .any = P(FOLIOS), .inode_span = AT_START),
	STEP("touch_next_run", P(MEMFD_STATE) | P(VMAS) | P(COPIES) | P(SHARES),
	     P(PTES) | P(FOLIOS), .inode_span = AT_WHOLE, .address_span = AT_START),
	READS("touches_guest_memfd", P(VMAS)),
	READS("uncount_notifier", P(NOTIFIED)),
	STEP("unlink_mapping", P(MEMFD_STATE) | P(PTES) | P(INODE_LIFE),
	     P(VMAS) | P(COPIES) | P(FILE_LIFE) | P(INODE_VMAS) | P(FOLIOS) | P(INODE_BYTES) |
		     P(PINS),
	     .address_span = AT_START),
	STEP("unmap_converted_gfns", P(BINDINGS) | P(SLOTS), P(INVALIDATION) | P(SPTES),
	     .inode_span = AT_START),
	STEP("unmap_gfn_range", P(BINDINGS) | P(SLOTS), P(INVALIDATION) | P(SPTES),
	     .inode_span = AT_START),
	STEP("unmap_gfn_range_by_flag", P(BINDINGS) | P(SLOTS), P(INVALIDATION) | P(SPTES),
	     .inode_span = AT_START),
	STEP("unmap_guests", P(BINDINGS) | P(SLOTS), P(SPTES), .inode_span = AT_START),
	STEP("unmap_private_gfn_range", P(BINDINGS) | P(SLOTS), P(INVALIDATION) | P(SPTES),
	     .inode_span = AT_START),
	WRITES("unpin_pages", P(FILE_LIFE) | P(INODE_LIFE) | P(PINS),
	       .any = P(INODE_LIFE) | P(PINS)),
	WRITES("unregister_notifier", P(VM_STATE) | P(NOTIFIED)),
	STEP("use_folio", P(SHARES), P(FOLIOS), .inode_span = AT_START),
	READS("user_page_has_not_failed", P(VMAS) | P(PTES) | P(FOLIOS) | P(SHARES),
	      .inode_span = AT_PGOFF, .address_span = AT_PAGE),
	READS("userspace_addr_maps_the_same", P(VMAS)),
	READS("vm_attributes_are_supported", P(VM_STATE)),
	READS("vm_has_left_tracking", P(VM_STATE)),
	READS("vm_has_no_memslots", P(SLOTS)),
	WRITES("vm_has_users", P(VM_LIFE)),
	WRITES("was_the_inodes_last", P(INODE_LIFE)),
	READS("write_becomes_mmio", P(SLOTS)),
	READS("write_finds_another_page", P(PTES) | P(REGISTRY), .address_span = AT_PAGE),
	STEP("zap_guests", P(BINDINGS) | P(SLOTS), P(SPTES), .inode_span = AT_START),
	WRITES("zero_contents", P(INODE_BYTES), .inode_span = AT_START),
	WRITES("zero_ends_of_hole", P(INODE_BYTES)),
	WRITES("zero_folio", P(FOLIOS), .inode_span = AT_PGOFF),
	WRITES("zero_head", P(INODE_BYTES), .inode_span = AT_WHOLE),
	WRITES("zero_page", P(INODE_BYTES), .inode_span = AT_START),
	WRITES("zero_past_the_end", P(INODE_BYTES)),
	WRITES("zero_tail", P(INODE_BYTES), .inode_span = AT_WHOLE),
};

/* clang-format off */
/* Of files that are memfds, and of who is bound to them: not looked into. */
static const char *const everything[] = {
	"a_store_has_it", "access_does_not_match_allocation", "access_does_not_match_attribute",
	"access_matches_allocation", "add_base_gfn", "add_notifier", "backing_grows",
	"become_inaccessible", "begin_hole", "begin_writing", "begins_past_last_page",
	"begins_past_the_end", "call_backing_release", "clear_if_fresh", "clip_to_slot",
	"create_file_on_mount", "create_memfd", "create_mount", "create_wrapper", "delete_notifier",
	"drop_backing_pages", "end_shrinking", "end_slot_range", "erase_range",
	"exchange_operations", "exit_with_shutdown", "fget_private_fd", "file_is_not_mapped",
	"file_is_of_shmem", "file_is_restricted", "file_range_is_free", "find_data_or_hole",
	"find_pages_of_slot", "find_pages_with_underflow", "find_private_page",
	"first_bytes_of_file_are_free", "first_page_has_not_failed", "forward_getattr",
	"fput_unless_failed", "free_data", "grow_to_the_end", "guest_page_is_mapped_still",
	"ignore_seal_on_huge_pages", "is_noexec", "is_the_mounts_root", "is_the_whole_file_system",
	"is_tmpfs", "leave_inode", "load_bytes_of_guest", "mark_without_clearing",
	"memory_mce_is_pending", "mount_fd_is_open", "mount_may_be_written", "move_sequence",
	"next_binding", "next_notifier", "nobody_else_is_bound", "nobody_else_is_bound_or_next",
	"nobody_may_write", "note_memory_error", "note_staleness_of_anything",
	"note_staleness_of_shared", "operations_are_exchanged", "operations_are_there",
	"overwrite_file", "page_is_bound_to_the_slot", "page_is_not_allocated",
	"page_may_be_allocated", "pages_have_not_failed", "pages_may_be_had",
	"private_access_has_no_file", "private_fd_is_open", "put_file_of_slot", "range_fits_a_file",
	"remove_module", "return_bytes_read", "return_fcntl", "return_memfd", "return_stat_memfd",
	"seals_allow_the_end", "set_attributes", "set_position", "set_size", "set_size_and_clear",
	"set_size_once", "start_slot_range", "start_wrong_slot_range", "store_bytes_of_guest",
	"store_private_data", "store_range", "store_region", "take_file_of_slot",
	"take_users_access", "take_wrapper_for_shmem", "there_is_memory_for_pages",
	"truncate_folios", "undo_allocation", "write_bytes", "zap_gfns", "zap_region",
};

static const char *const nothing[] = {
	"a_store_claims_the_file", "access_is_shared", "access_was_private", "addr_is_aligned",
	"address_space_exists", "adds_guest_seal", "adds_seals", "advice_is_known", "alloc_slot",
	"allocation_failed", "allocation_is_told", "always", "arch_takes_this_guest_memfd",
	"argp_can_be_written", "argp_is_readable", "becomes_mmio", "begin_allocation",
	"begin_at_first_page", "begin_at_start", "begin_batches", "begin_conversion",
	"begin_convert_ioctl", "begin_filling", "begin_going_back", "begin_guest_access",
	"begin_host_access", "begin_prefault", "begin_range", "begin_telling", "begin_touching",
	"begin_truncation", "cap_is_disable_legacy_private_tracking", "choose_address",
	"content_mode_is_known", "conversion_failed", "count_page", "count_populated",
	"create_guest_memfd_exists", "delayed_fput", "do_nothing", "end_batches", "end_truncation",
	"error_offset_is_zero", "exit_with_memory_error", "exit_with_memory_fault",
	"exit_with_mmio", "failed_in_lookup", "failed_to_match", "fallocate_fits_a_file",
	"fallocate_range_is_aligned", "fault_found_stale", "fault_was_fresh", "fault_was_stale",
	"file_attributes_are_on", "file_attributes_are_supported", "file_flags_are_valid",
	"file_has_mmap_flag", "file_has_no_data", "file_has_no_shareability", "file_is_guest_memfd",
	"file_is_of_this_vm", "file_range_is_aligned", "file_range_is_valid", "file_was_dying",
	"find_inode", "fixed_address_is_in_reach", "fixed_address_is_valid",
	"flags_are_of_version_1", "flags_are_the_same_again", "flags_are_zero",
	"flags_fit_together", "forget_exit", "forget_work_list", "gfn_is_no_alias",
	"gfns_are_in_ipa_space", "gfns_are_in_reach", "gpa_does_not_wrap", "gpa_is_aligned",
	"guest_gives_back", "guest_is_encrypted", "guest_is_launched_by_firmware",
	"guest_is_not_tdx", "guest_is_populated_by_firmware", "guest_is_snp",
	"guest_memfd_is_not_set", "guest_range_is_aligned", "guest_range_is_valid", "has_failed",
	"has_failed_with_binding", "has_huge_folios", "has_not_failed", "has_small_folios",
	"holds_folio_lock", "holds_folio_lock_still", "holds_folio_of_shared", "holds_i_mmap_rwsem",
	"holds_invalidate_lock", "holds_mmap_lock", "holds_mmu_lock", "holds_slots_arch_lock",
	"hole_has_no_pages", "hole_is_of_whole_pages", "huge_page_size_is_known",
	"inaccessible_is_not_sealable", "inode_is_guest_memfd", "is_allocate", "is_collapse",
	"is_create", "is_create_or_move", "is_create_with_private_fd", "is_delete", "is_dontneed",
	"is_dontneed_of_private", "is_file", "is_fixed", "is_flags_only", "is_gmem", "is_gone",
	"is_kvm", "is_kvm_or_vm", "is_legacy_vm", "is_memory", "is_memory_fault", "is_mmio",
	"is_modelled", "is_modify", "is_move", "is_no_seal", "is_not_executable",
	"is_not_initially_shared", "is_not_kvm", "is_not_populate", "is_of_huge_pages", "is_pin",
	"is_populate", "is_punch", "is_remove", "is_remove_of_anonymous", "is_remove_of_gmem",
	"is_shutdown", "is_to_private", "is_vm", "is_vm_or_gmem", "keep_range",
	"last_gfn_is_no_alias", "leave_file", "length_and_address_are_of_huge_pages",
	"length_fits_an_address_space", "length_is_not_negative", "length_is_not_zero",
	"length_is_of_pages", "length_is_zero", "madvise_does_not_wrap", "mapping_fits_a_file",
	"mapping_is_not_private_memory", "mapping_is_shared", "memfd_flags_are_known",
	"memory_is_anonymous", "memslot_flags_are_valid", "memslot_flags_are_valid_or_readonly",
	"mode_is_allocate_or_punch", "mode_is_alone_6_8", "mode_is_none", "mode_is_the_vendors",
	"mode_is_zero", "module_is_the_store", "module_may_go", "mprotect_does_not_wrap", "never",
	"new_size_is_aligned", "next_gfn", "next_item", "next_item_done", "next_page_of_access",
	"no_memory_pressure", "no_signal_is_pending", "no_signal_is_pending_now",
	"note_invalid_slot", "nothing_changes", "offset_is_aligned", "offset_is_not_negative",
	"offset_is_valid", "old_slot_exists", "page_is_memory", "page_order_is_known",
	"page_order_is_zero", "pages_are_not_too_many", "pages_are_populated_in_place",
	"pages_are_populated_in_place_or_not_tdx", "pin_range_is_aligned",
	"prefault_range_is_valid", "prepare_memory_error_exit", "prepare_memory_fault_exit",
	"prot_is_known", "range_and_source_are_aligned", "range_is_in_pin", "range_is_in_reach",
	"range_is_not_touched", "range_is_of_huge_pages", "range_is_positive",
	"range_to_convert_is_aligned", "read_error_offset", "remember_for_next_call",
	"reserved_is_zero", "restore_range", "restricted_hole_is_aligned", "return_address",
	"return_busy", "return_flags", "return_pages_done", "return_statfs", "return_statfs_memfd",
	"return_task", "return_what_is_left", "return_zero", "rewind_list", "round_back",
	"round_down", "round_out", "seals_are_known", "seeks_a_position", "seeks_data_or_hole",
	"set_slots_file", "short_structure_will_do", "size_is_aligned", "size_is_kept",
	"size_is_not_negative", "size_is_of_huge_pages", "size_is_valid", "size_is_zero",
	"slot_is_a_users", "slot_was_invalid", "some_pages_are_done", "some_pages_are_mapped",
	"something_goes", "supports_shared_and_has_an_address", "take_all_addresses",
	"take_backing_range", "take_dying_inode", "take_span", "take_vm_and_inode",
	"take_what_was_tried", "tdp_is_enabled", "there_is_a_source", "there_is_no_slot",
	"there_is_no_source", "there_was_no_hole", "type_is_known", "type_is_known_6_8",
	"type_is_supported", "unmaps_at_once", "unmaps_page_by_page", "userspace_addr_is_valid",
	"vcpu_ioctl_exists", "vfs_knows_mode", "vfs_supports_mode_6_8", "vm_attributes_are_on",
	"vm_attributes_exist", "vm_has_private_memory", "vm_has_to_choose",
	"vm_may_have_private_memory", "wants_guest_memfd", "wants_huge_pages", "wants_inaccessible",
	"wants_small_pages", "whence_is_known", "work_list_is_empty", "write_error_offset",
};
/* clang-format on */

static const struct gmem_touch touches_nothing;
static const struct gmem_touch touches_everything = { .reads = EVERY_PLACE,
						      .writes = EVERY_PLACE,
						      .any = EVERY_PLACE };

/* Finds a name in a list of things that begin with a name; null if it is not there. */
static const void *find(const char *name, const void *list, size_t nr, size_t size)
{
	const char *from = list, *to = from + nr * size;

	while (from < to) {
		const char *middle = from + (size_t)(to - from) / size / 2 * size;
		int order = strcmp(name, *(const char *const *)(const void *)middle);

		if (!order)
			return middle;
		if (order < 0)
			to = middle;
		else
			from = middle + size;
	}
	return NULL;
}

#define NR(list) (sizeof(list) / sizeof((list)[0]))
#define FIND(name, list) find(name, list, NR(list), sizeof((list)[0]))

const struct gmem_touch *gmem_touch_of(const char *name)
{
	const struct gmem_touch *t = FIND(name, touches);

	if (!t && FIND(name, everything))
		return &touches_everything;
	return !t && FIND(name, nothing) ? &touches_nothing : t;
}

const char *gmem_touch_name(unsigned int n)
{
	if (n < NR(touches))
		return touches[n].name;
	n -= (unsigned int)NR(touches);
	if (n < NR(nothing))
		return nothing[n];
	n -= (unsigned int)NR(nothing);
	return n < NR(everything) ? everything[n] : NULL;
}
