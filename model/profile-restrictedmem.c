/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * restrictedmem, October 2022 to April 2023: a system call makes files that can do nothing but be a
 * VM's memory. The VM says which page is private.
 */
#include "ops.h"
#include "profile-ancestor.h"
#include "profile.h"

static const char *const bugs_of_v10[] = { "B12", "B13", "B14", "B19", "B40", NULL };
static const char *const bugs_of_2023_01[] = { "B13", "B15", "B16", "B19", "B40", NULL };
static const char *const bugs_of_shim[] = { "B19", "B20a", "B20b", "B20c", "B40", "X3", NULL };

#define BREAKS_OF_WRAPPERS (BREAKS_OBJ(1) | BREAKS_OBJ(5) | BREAKS_OBJ(6) | BREAKS_OBJ(7))

/* clang-format off */
#define NUMBERS                                                                                 \
	.gmem_needs_private = 1, .user_ptr_max = INT64_MAX,                                     \
	.vm_types = (1u << GMEM_VM_DEFAULT) | (1u << GMEM_VM_SW_PROTECTED) |                    \
		    (1u << GMEM_VM_SNP) | (1u << GMEM_VM_TDX),                                  \
	.folio_batch = 15, .ancestor = 1, .vm_attributes = 1,                                   \
	.memfd_flags = 7u, .private_slot_flags = GMEM_MEM_LOG_DIRTY_PAGES | GMEM_MEM_READONLY

#define TABLES \
	GMEM_ANCESTOR_TABLES \
	[GMEM_MMAP] = gmem_op_mmap_6_8, \
	[GMEM_SET_MEMORY_ATTRIBUTES] = gmem_op_set_memory_attributes, \
	[GMEM_MEMFD_CREATE] = gmem_op_no_syscall, \
	[GMEM_REG_REGION] = gmem_op_no_attributes, \
	[GMEM_UNREG_REGION] = gmem_op_no_attributes, \
	[GMEM_READ] = gmem_op_refuse, \
	[GMEM_WRITE] = gmem_op_refuse, \
	[GMEM_PREAD] = gmem_op_pread, \
	[GMEM_PWRITE] = gmem_op_pread, \
	[GMEM_LSEEK] = gmem_op_lseek, \
	[GMEM_FSYNC] = gmem_op_refuse, \
	[GMEM_FCNTL] = gmem_op_fcntl, \
	[GMEM_GUEST_LOAD] = gmem_op_guest_load_restricted, \
	[GMEM_GUEST_STORE] = gmem_op_guest_store_restricted, \
	[T_SET_REGION] = gmem_op_set_region, \
	[T_FALLOCATE_FILE] = gmem_op_fallocate_restricted, \
	[T_ALLOCATE] = gmem_op_allocate_backing, \
	[T_TRUNCATE_MEMFD] = gmem_op_truncate_backing, \
	[T_TELL_FOLIOS] = gmem_op_none, \
	[T_NOTIFIER_ERROR] = gmem_op_notifier_error, \
	[T_HOST_FAULT] = gmem_op_host_fault, \
	[T_GUEST_FAULT] = gmem_op_guest_fault_v7,
/* clang-format on */

const struct gmem_profile gmem_restrictedmem_v10 = {
	.name = "restrictedmem-v10",
	.summary = "December 2022: memfd_restricted(), a wrapper of a hidden memfd; a list of memslots",
	.n = { NUMBERS, .notifier_list = 1, .breaks = BREAKS_OF_WRAPPERS },
	.bugs = bugs_of_v10,
	.tables = {
		TABLES
		[T_PUNCH_HOLE] = gmem_op_punch_restricted_v10,
		[T_NOTIFIER_INVALIDATE] = gmem_op_notifier_begin_v10,
		[T_NOTIFIER_END] = gmem_op_notifier_end_v10,
		[T_BIND] = gmem_op_bind_restricted_v10,
		[T_UNBIND] = gmem_op_unbind_restricted_v10,
		[T_GET_PFN] = gmem_op_get_page_v10,
		[T_RELEASE] = gmem_op_release_memfd,
		[GMEM_MEMORY_FAILURE] = gmem_op_memory_failure_restricted_v10,
		[GMEM_MEMFD_RESTRICTED] = gmem_op_memfd_restricted,
		[GMEM_FTRUNCATE] = gmem_op_ftruncate_restricted,
	},
};

const struct gmem_profile gmem_restrictedmem_2023_01 = {
	.name = "restrictedmem-2023-01",
	.summary = "January 2023: ranges of the file are bound, each to one memslot, under an rwsem",
	.n = { NUMBERS, .breaks = BREAKS_OF_WRAPPERS },
	.bugs = bugs_of_2023_01,
	.tables = {
		TABLES
		[T_PUNCH_HOLE] = gmem_op_punch_restricted,
		[T_NOTIFIER_INVALIDATE] = gmem_op_notifier_begin,
		[T_NOTIFIER_END] = gmem_op_notifier_end,
		[T_BIND] = gmem_op_bind_restricted,
		[T_UNBIND] = gmem_op_unbind_restricted,
		[T_GET_PFN] = gmem_op_get_page,
		[T_RELEASE] = gmem_op_release_memfd,
		[GMEM_MEMORY_FAILURE] = gmem_op_memory_failure_restricted,
		[GMEM_MEMFD_RESTRICTED] = gmem_op_memfd_restricted,
		[GMEM_FTRUNCATE] = gmem_op_ftruncate_restricted,
	},
};

const struct gmem_profile gmem_restrictedmem_shim = {
	.name = "restrictedmem-shim",
	.summary = "April 2023: the operations of a file on a tmpfs are exchanged for others",
	.n = {
		NUMBERS,
		.unpinned_operations = 1,
		.breaks = BREAKS_OBJ(2) | BREAKS_OBJ(4) | BREAKS_OBJ(5) | BREAKS_OBJ(6) |
			  BREAKS_OBJ(7),
	},
	.bugs = bugs_of_shim,
	.tables = {
		TABLES
		[GMEM_MEMORY_FAILURE] = gmem_op_memory_failure_restricted,
		[GMEM_MEMFD_RESTRICTED] = gmem_op_memfd_restricted_shim,
		[GMEM_FTRUNCATE] = gmem_op_ftruncate_shim,
		[T_PUNCH_HOLE] = gmem_op_punch_restricted,
		[T_NOTIFIER_INVALIDATE] = gmem_op_notifier_begin,
		[T_NOTIFIER_END] = gmem_op_notifier_end,
		[T_BIND] = gmem_op_bind_restricted,
		[T_UNBIND] = gmem_op_unbind_restricted,
		[T_GET_PFN] = gmem_op_get_page,
		[T_RELEASE] = gmem_op_release_shim,
	},
};
