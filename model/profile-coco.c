/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * linux-coco-v13: in-place conversion by KVM_SET_MEMORY_ATTRIBUTES2 on the guest_memfd, as it was
 * applied for a release after 7.3; and the versions before it, which differ in a few rows.
 *
 * The switch gmem_in_place_conversion is the machine's (in_place). Until v7 it was called
 * vm_memory_attributes and had the opposite sense; here it is the sense of v8 for all of them.
 */
#include "ops.h"
#include "profile-base.h"
#include "profile.h"

/*
 * As their bases had them, by date: B39 was mended in 2025-11, B40 in 2025-12, B45 in 2026-06, B46
 * by a commit that prepares v13. X1 only where the switch is off: the filter is the file's flag,
 * or what its pages began as, which is the same.
 */
static const char *const bugs_v13[] = { "X1", "X2", NULL };
static const char *const bugs_v8[] = { "B46", "X1", "X2", NULL };
static const char *const bugs_v5[] = { "B45", "B46", "X1", "X2", NULL };
static const char *const bugs_rfc_v1[] = { "B39", "B40", "B45", "B46", "X1", "X2", NULL };

#define CAP_FILE_ATTRIBUTES(number)                     \
	{                                               \
		"GUEST_MEMFD_MEMORY_ATTRIBUTES", number \
	}

/* clang-format off */
#define NUMBERS                                                                                 \
	.init_shared = GMEM_FLAG_INIT_SHARED,                                                   \
	.gmem_needs_private = 0,                                                                \
	.user_ptr_max = TASK_SIZE,                                                              \
	.has_flags_cap = 1,                                                                     \
	.has_prefault = 1,                                                                      \
	.vm_types = (1u << GMEM_NR_VM_TYPES) - 1,                                               \
	.has_file_attributes = 1

const struct gmem_profile gmem_linux_coco_v13 = {
	.name = "linux-coco-v13",
	.summary = "in-place conversion as applied: memory attributes on the guest_memfd",
	.n = {
		NUMBERS,
		.create_flags = GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED,
		.statfs_magic = GUEST_MEMFD_MAGIC,
		.breaks = BREAKS_OBJ(6),
		.folio_batch = 31,
		.ioctl_file_attributes = 0xC080AED2,
		.cap_file_attributes = GMEM_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES,
		.all_gmem_only = 1,
	},
	.bugs = bugs_v13,
	.tables = {
		GMEM_COCO_TABLES
		[GMEM_POPULATE] = gmem_op_populate_coco,
		[T_GET_PFN] = gmem_op_get_pfn_locked,
		[T_POPULATE_PAGE] = gmem_op_populate_page_in_place,
		[T_CONVERT_START] = gmem_op_convert_start,
		[T_UNBIND] = gmem_op_unbind_v13,
		GMEM_SMALL_FOLIO_TABLES
		[GMEM_CREATE_GUEST_MEMFD] = gmem_op_create_guest_memfd,
		[GMEM_SET_MEMORY_ATTRIBUTES] = gmem_op_set_memory_attributes,
		[GMEM_SET_MEMORY_ATTRIBUTES2] = gmem_op_set_attributes2,
		[T_CREATE_SLOT] = gmem_op_create_slot_v13,
		[T_BIND] = gmem_op_prepare_memory_region,
		[T_BIND_COMMIT] = gmem_op_commit_memory_region,
		[T_CONVERT] = gmem_op_convert,
		[T_CONVERT_BATCH] = gmem_op_none,
		[T_CONTENTS] = gmem_op_none,
	},
};

static const struct gmem_name caps_v8[] = { CAP_FILE_ATTRIBUTES(250), { NULL, 0 } };

const struct gmem_profile gmem_coco_v8 = {
	.name = "coco-v8",
	.summary = "in-place conversion, version 8: the switch has its name, and is always there",
	.n = {
		NUMBERS,
		.create_flags = GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED,
		.statfs_magic = GUEST_MEMFD_MAGIC,
		.breaks = BREAKS_OBJ(6),
		.folio_batch = 31,
		.ioctl_file_attributes = 0xC080AED2,
		.cap_file_attributes = 250,
		.all_gmem_only = 1,
	},
	.bugs = bugs_v8,
	.caps = caps_v8,
	.tables = {
		GMEM_COCO_TABLES
		[GMEM_POPULATE] = gmem_op_populate_coco,
		[T_GET_PFN] = gmem_op_get_pfn_held,
		[T_POPULATE_PAGE] = gmem_op_populate_page_in_place,
		[T_CONVERT_START] = gmem_op_invalidate_start_both,
		[T_UNBIND] = gmem_op_unbind,
		GMEM_SMALL_FOLIO_TABLES
		[GMEM_CREATE_GUEST_MEMFD] = gmem_op_create_guest_memfd,
		[GMEM_SET_MEMORY_ATTRIBUTES] = gmem_op_set_memory_attributes,
		[GMEM_SET_MEMORY_ATTRIBUTES2] = gmem_op_set_attributes2,
		[T_CREATE_SLOT] = gmem_op_create_slot,
		[T_BIND] = gmem_op_bind_eexist,
		[T_BIND_COMMIT] = gmem_op_none,
		[T_CONVERT] = gmem_op_convert,
		[T_CONVERT_BATCH] = gmem_op_none,
		[T_CONTENTS] = gmem_op_none,
	},
};

static const struct gmem_name caps_v5[] = { CAP_FILE_ATTRIBUTES(249), { NULL, 0 } };

const struct gmem_profile gmem_coco_v5 = {
	.name = "coco-v5",
	.summary = "in-place conversion, version 5: the caller says what becomes of the contents",
	.n = {
		NUMBERS,
		.create_flags = GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED,
		.statfs_magic = GUEST_MEMFD_MAGIC,
		.breaks = BREAKS_OBJ(6),
		.folio_batch = 31,
		.ioctl_file_attributes = 0xC080AED2,
		.cap_file_attributes = 249,
		.cap_content_modes = GMEM_CAP_MEMORY_ATTRIBUTES2_FLAGS,
	},
	.bugs = bugs_v5,
	.caps = caps_v5,
	.tables = {
		GMEM_COCO_TABLES
		[GMEM_POPULATE] = gmem_op_populate_coco,
		[T_GET_PFN] = gmem_op_get_pfn_held,
		[T_POPULATE_PAGE] = gmem_op_populate_page_in_place,
		[T_CONVERT_START] = gmem_op_invalidate_start_both,
		[T_UNBIND] = gmem_op_unbind,
		GMEM_SMALL_FOLIO_TABLES
		[GMEM_CREATE_GUEST_MEMFD] = gmem_op_create_guest_memfd,
		[GMEM_SET_MEMORY_ATTRIBUTES] = gmem_op_set_memory_attributes,
		[GMEM_SET_MEMORY_ATTRIBUTES2] = gmem_op_set_attributes2_v5,
		[T_CREATE_SLOT] = gmem_op_create_slot,
		[T_BIND] = gmem_op_bind,
		[T_BIND_COMMIT] = gmem_op_none,
		[T_CONVERT] = gmem_op_convert_v5,
		[T_CONVERT_BATCH] = gmem_op_none,
		[T_CONTENTS] = gmem_op_contents,
	},
};

static const struct gmem_name caps_rfc_v1[] = { CAP_FILE_ATTRIBUTES(246), { NULL, 0 } };

const struct gmem_profile gmem_coco_rfc_v1 = {
	.name = "coco-rfc-v1",
	.summary = "in-place conversion, first posting: another ioctl number, and an ioctl of the VM, too",
	.n = {
		NUMBERS,
		.create_flags = GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED,
		.statfs_magic = GUEST_MEMFD_MAGIC,
		.breaks = BREAKS_OBJ(6),
		.folio_batch = 31,
		.ioctl_file_attributes = 0xC040AED6,
		.cap_file_attributes = 246,
		.cap_attributes2 = GMEM_CAP_MEMORY_ATTRIBUTES2,
	},
	.bugs = bugs_rfc_v1,
	.caps = caps_rfc_v1,
	.tables = {
		GMEM_COCO_TABLES
		[GMEM_POPULATE] = gmem_op_populate_coco,
		[T_GET_PFN] = gmem_op_get_pfn_held,
		[T_POPULATE_PAGE] = gmem_op_populate_page_rfc_v1,
		[T_CONVERT_START] = gmem_op_invalidate_start_both,
		[T_UNBIND] = gmem_op_unbind,
		GMEM_SMALL_FOLIO_TABLES
		[GMEM_CREATE_GUEST_MEMFD] = gmem_op_create_guest_memfd,
		[GMEM_SET_MEMORY_ATTRIBUTES] = gmem_op_set_memory_attributes_rfc_v1,
		[GMEM_SET_MEMORY_ATTRIBUTES2] = gmem_op_set_attributes2_rfc_v1,
		[T_CREATE_SLOT] = gmem_op_create_slot,
		[T_BIND] = gmem_op_bind,
		[T_BIND_COMMIT] = gmem_op_none,
		[T_CONVERT] = gmem_op_convert_rfc_v1,
		[T_CONVERT_BATCH] = gmem_op_none,
		[T_CONTENTS] = gmem_op_none,
	},
};

static const struct gmem_name caps_hugetlb[] = { CAP_FILE_ATTRIBUTES(249), { NULL, 0 } };

const struct gmem_profile gmem_coco_hugetlb = {
	.name = "coco-hugetlb",
	.summary = "in-place conversion with huge pages, from a tree downstream: one huge page at a time",
	.n = {
		NUMBERS,
		.create_flags = GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED | GMEM_FLAG_HUGETLB,
		.statfs_magic = GUEST_MEMFD_MAGIC,
		.breaks = BREAKS_OBJ(6),
		.folio_batch = 31,
		.ioctl_file_attributes = 0xC080AED2,
		.cap_file_attributes = 249,
		.hugetlb = GMEM_FLAG_HUGETLB,
	},
	.bugs = bugs_v5,
	.caps = caps_hugetlb,
	.tables = {
		GMEM_COCO_TABLES
		[GMEM_POPULATE] = gmem_op_populate_coco,
		[T_GET_PFN] = gmem_op_get_pfn_held,
		[T_POPULATE_PAGE] = gmem_op_populate_page_in_place,
		[T_CONVERT_START] = gmem_op_none,
		[T_UNBIND] = gmem_op_unbind,
		[GMEM_CREATE_GUEST_MEMFD] = gmem_op_create_guest_memfd_hugetlb,
		[GMEM_SET_MEMORY_ATTRIBUTES] = gmem_op_set_memory_attributes,
		[GMEM_SET_MEMORY_ATTRIBUTES2] = gmem_op_set_attributes2_hugetlb,
		[T_PUNCH_HOLE] = gmem_op_punch_hole_hugetlb,
		[T_ALLOCATE] = gmem_op_allocate_hugetlb,
		[T_TRUNCATE_BLOCK] = gmem_op_none,
		[T_CREATE_SLOT] = gmem_op_create_slot,
		[T_BIND] = gmem_op_bind,
		[T_BIND_COMMIT] = gmem_op_none,
		[T_CONVERT] = gmem_op_convert_hugetlb,
		[T_CONVERT_BATCH] = gmem_op_convert_batch,
		[T_INVALIDATE_BEGIN] = gmem_op_invalidate_begin,
		[T_UNMAP_GUESTS] = gmem_op_zap_guests,
		[T_CONTENTS] = gmem_op_none,
	},
};
/* clang-format on */
