/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rfc-shareability-v2: the file knows of each page who may fault it (SHAREABILITY_GUEST,
 * SHAREABILITY_ALL), converts by two ioctls of its own, and may have huge pages. Posted in May
 * 2025, and not merged. rfc-shareability-planned adds what was agreed on in its review: a VM
 * chooses between its own ioctl and the file's.
 */
#include "ops.h"
#include "profile-base.h"
#include "profile.h"

/* What 6.15 had, and the patches for mmap that the series goes on top of. */
static const char *const bugs[] = { "B39", "B40", "B45", "B46", "X2", NULL };

static const struct gmem_name file_flags[] = {
	{ "SUPPORT_SHARED", GMEM_FLAG_SUPPORT_SHARED },
	{ "INIT_PRIVATE", GMEM_FLAG_INIT_PRIVATE },
	{ "HUGETLB", GMEM_FLAG_HUGETLB },
	{ "HUGE_1GB", GMEM_FLAG_HUGE_1GB },
	{ "HUGE_16GB", GMEM_FLAG_HUGE_16GB },
	{ "HUGE_2MB", GMEM_FLAG_HUGE_2MB },
	{ NULL, 0 },
};

/* clang-format off */
#define NUMBERS                                                                                 \
	.create_flags = GMEM_FLAG_SUPPORT_SHARED | GMEM_FLAG_INIT_PRIVATE | GMEM_FLAG_HUGETLB,  \
	.init_shared = 0,                                                                       \
	.gmem_needs_private = 0,                                                                \
	.user_ptr_max = TASK_SIZE,                                                              \
	.has_flags_cap = 0,                                                                     \
	.has_prefault = 1,                                                                      \
	.vm_types = (1u << GMEM_NR_VM_TYPES) - 1,                                               \
	.statfs_magic = GUEST_MEMFD_MAGIC,                                                      \
	.folio_batch = 31, .breaks = BREAKS_OBJ(6),                             \
	.has_shareability = 1,                                                                  \
	.hugetlb = GMEM_FLAG_HUGETLB

#define TABLES                                                                                  \
	GMEM_BASE_TABLES                                                                        \
	GMEM_GUEST_MEMFD_TABLES                                                                        \
	[GMEM_CREATE_GUEST_MEMFD] = gmem_op_create_guest_memfd_shareability,                    \
	[GMEM_SET_MEMORY_ATTRIBUTES] = gmem_op_set_memory_attributes,                           \
	[GMEM_SET_MEMORY_ATTRIBUTES2] = gmem_op_no_conversion,                                  \
	[GMEM_CONVERT_SHARED] = gmem_op_convert_shareability,                                   \
	[GMEM_CONVERT_PRIVATE] = gmem_op_convert_shareability,                                  \
	[GMEM_FALLOCATE] = gmem_op_fallocate,                                                   \
	[GMEM_MMAP] = gmem_op_mmap_shareability,                                                \
	[GMEM_POPULATE] = gmem_op_populate_coco,                                                 \
	[T_GUEST_FAULT] = gmem_op_guest_fault,                                                  \
	[T_PUNCH_HOLE] = gmem_op_punch_hole_shareability,                                       \
	[T_ALLOCATE] = gmem_op_allocate_huge,                                                   \
	[T_TRUNCATE_BLOCK] = gmem_op_truncate_block,                                            \
	[T_CREATE_SLOT] = gmem_op_create_slot,                                                  \
	[T_BIND] = gmem_op_bind_shareability,                                                   \
	[T_BIND_COMMIT] = gmem_op_none,                                                         \
	[T_INVALIDATE_START] = gmem_op_invalidate_start,                                        \
	[T_HOST_FAULT] = gmem_op_host_fault_shareability,                                       \
	[T_FAULT_IN] = gmem_op_fault_in_locked,                                                 \
	[T_GET_PFN] = gmem_op_get_pfn_held,                                                     \
	[T_UNBIND] = gmem_op_unbind,                                                            \
	[T_INVALIDATE_BEGIN] = gmem_op_invalidate_begin,                                             \
	[T_UNMAP_GUESTS] = gmem_op_unmap_guests,                                                \
	[T_POPULATE_PAGE] = gmem_op_populate_page_shareability,                                 \
	[T_CONVERT_START] = gmem_op_none,                                                       \
	[T_CONVERT] = gmem_op_convert_range,                                                    \
	[T_CONVERT_BATCH] = gmem_op_none,                                                       \
	[T_CONTENTS] = gmem_op_none,                                                            \
	[T_SHARE_BEGIN] = gmem_op_share_begin,                                                  \
	[T_SHARE_ASK] = gmem_op_share_ask,                                                      \
	[T_SHARE_EXECUTE] = gmem_op_share_execute,                                              \
	[T_SHARE_GO_BACK] = gmem_op_share_go_back,                                              \
	[T_SHARE_END] = gmem_op_share_end,

const struct gmem_profile gmem_rfc_shareability_v2 = {
	.name = "rfc-shareability-v2",
	.summary = "shareability, as posted: the file converts its pages, all or nothing, and may have huge ones",
	.n = { NUMBERS },
	.bugs = bugs,
	.file_flags = file_flags,
	.tables = {
		TABLES
		[GMEM_ENABLE_CAP] = gmem_op_enable_cap,
	},
};

const struct gmem_profile gmem_rfc_shareability_planned = {
	.name = "rfc-shareability-planned",
	.summary = "shareability, as planned in review: a VM leaves private tracking to its files, or keeps it",
	.n = { NUMBERS, .either_or = 1 },
	.bugs = bugs,
	.file_flags = file_flags,
	.tables = {
		TABLES
		[GMEM_ENABLE_CAP] = gmem_op_enable_cap_planned,
	},
};
/* clang-format on */
