/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memfile_notifier, 2022: private memory is in a memfd that userspace cannot reach, and KVM is told
 * when pages of it come and go. Versions differ in what makes a memfd inaccessible, in what KVM is
 * told, and in who says which page is private.
 *
 * KVM_X86_SW_PROTECTED_VM stands for the VM that a version's tests used; guests of TDX and SNP say
 * with every access what they mean.
 */
#include "ops.h"
#include "profile-ancestor.h"
#include "profile.h"

static const char *const no_bugs[] = { NULL };
static const char *const bugs_of_v4[] = { "B01", "B02", "B04", "B07", "B08", "B40", "X4", NULL };
static const char *const bugs_of_v5[] = { "B02", "B04", "B05", "B08", "B40", "X4", NULL };
static const char *const bugs_of_v6[] = { "B04", "B09", "B40", NULL };
static const char *const bugs_of_v7[] = { "B40", NULL };

#define CLOEXEC_SEALING_HUGETLB 7u
#define INACCESSIBLE 8u
#define GUEST_SEAL 32u

/* clang-format off */
#define NUMBERS                                                                                 \
	.gmem_needs_private = 1, .user_ptr_max = INT64_MAX,                                     \
	.vm_types = (1u << GMEM_VM_DEFAULT) | (1u << GMEM_VM_SW_PROTECTED) |                    \
		    (1u << GMEM_VM_SNP) | (1u << GMEM_VM_TDX),                                  \
	.folio_batch = 15, .ancestor = 1, .private_slot_flags = GMEM_MEM_LOG_DIRTY_PAGES | GMEM_MEM_READONLY

#define TABLES \
	GMEM_ANCESTOR_TABLES \
	[GMEM_MMAP] = gmem_op_mmap_memfd, \
	[GMEM_SET_MEMORY_ATTRIBUTES] = gmem_op_no_attributes, \
	[GMEM_MEMFD_RESTRICTED] = gmem_op_no_syscall, \
	[GMEM_MEMORY_FAILURE] = gmem_op_memory_failure_memfd, \
	[GMEM_FTRUNCATE] = gmem_op_ftruncate_memfd, \
	[GMEM_READ] = gmem_op_read_memfd, \
	[GMEM_WRITE] = gmem_op_write_memfd, \
	[GMEM_PREAD] = gmem_op_pread_memfd, \
	[GMEM_PWRITE] = gmem_op_pwrite_memfd, \
	[GMEM_LSEEK] = gmem_op_lseek_memfd, \
	[GMEM_FSYNC] = gmem_op_fsync_memfd, \
	[T_PUNCH_HOLE] = gmem_op_none, \
	[T_ALLOCATE] = gmem_op_none, \
	[T_TRUNCATE_MEMFD] = gmem_op_truncate_memfd, \
	[T_TELL_FOLIOS] = gmem_op_tell_folios, \
	[T_UNBIND] = gmem_op_unbind_memfile, \
	[T_NOTIFIER_INVALIDATE] = gmem_op_notifier, \
	[T_NOTIFIER_END] = gmem_op_none, \
	[T_NOTIFIER_ERROR] = gmem_op_none, \
	[T_RELEASE] = gmem_op_release_memfd,

/* Who has the folio's lock for a fault, and are told of allocations. */
#define TABLES_UP_TO_V6 \
	[GMEM_REG_REGION] = gmem_op_no_attributes,                                              \
	[GMEM_UNREG_REGION] = gmem_op_no_attributes,                                            \
	[T_FALLOCATE_FILE] = gmem_op_fallocate_memfile, \
	[T_HOST_FAULT] = gmem_op_host_fault_memfd, \
	[T_GET_PFN] = gmem_op_none,

/* Where what does not match ends in -1. */
#define TABLES_UP_TO_V5 \
	TABLES_UP_TO_V6 \
	[GMEM_GUEST_LOAD] = gmem_op_guest_load_v4, \
	[GMEM_GUEST_STORE] = gmem_op_guest_store_v4, \
	[T_GUEST_FAULT] = gmem_op_guest_fault_v4,
/* clang-format on */

const struct gmem_profile gmem_memfile_rfc2 = {
	.name = "memfile-notifier-rfc2",
	.summary = "RFC v2 of 2021: F_SEAL_GUEST takes a memfd away from userspace",
	.n = {
		NUMBERS,
		.memfd_flags = CLOEXEC_SEALING_HUGETLB,
		.own_seal = GUEST_SEAL,
		.private_is_allocated = 1,
		.notifier_list = 1,
		.breaks = BREAKS_OBJ(3) | BREAKS_OBJ(5) | BREAKS_OBJ(7),
	},
	.bugs = no_bugs,
	.tables = {
		TABLES
		TABLES_UP_TO_V5
		[GMEM_MEMFD_CREATE] = gmem_op_memfd_create,
		[GMEM_FCNTL] = gmem_op_fcntl_rfc2,
		[T_SET_REGION] = gmem_op_set_region_v4,
		[T_BIND] = gmem_op_bind_memfile_v4,
	},
};

const struct gmem_profile gmem_memfile_v4 = {
	.name = "memfile-notifier-v4",
	.summary = "January 2022: MFD_INACCESSIBLE, by a seal; a page is private if it is allocated",
	.n = {
		NUMBERS,
		.memfd_flags = CLOEXEC_SEALING_HUGETLB | INACCESSIBLE,
		.private_is_allocated = 1,
		.notifier_list = 1,
		.breaks = BREAKS_OBJ(5) | BREAKS_OBJ(7),
	},
	.bugs = bugs_of_v4,
	.tables = {
		TABLES
		TABLES_UP_TO_V5
		[GMEM_MEMFD_CREATE] = gmem_op_memfd_create_v4,
		[GMEM_FCNTL] = gmem_op_fcntl_memfd,
		[T_SET_REGION] = gmem_op_set_region_v4,
		[T_BIND] = gmem_op_bind_memfile_v4,
	},
};

const struct gmem_profile gmem_memfile_v5 = {
	.name = "memfile-notifier-v5",
	.summary = "March 2022: MFD_INACCESSIBLE by a flag in the kernel; stores that register",
	.n = {
		NUMBERS,
		.memfd_flags = CLOEXEC_SEALING_HUGETLB | INACCESSIBLE,
		.private_is_allocated = 1,
		.notifier_list = 1,
		.breaks = BREAKS_OBJ(5) | BREAKS_OBJ(7),
	},
	.bugs = bugs_of_v5,
	.tables = {
		TABLES
		TABLES_UP_TO_V5
		[GMEM_MEMFD_CREATE] = gmem_op_memfd_create_v5,
		[GMEM_FCNTL] = gmem_op_fcntl_memfd,
		[T_SET_REGION] = gmem_op_set_region,
		[T_BIND] = gmem_op_bind_memfile_v5,
	},
};

const struct gmem_profile gmem_memfile_v6 = {
	.name = "memfile-notifier-v6",
	.summary = "May 2022: a memslot takes any memfd away from userspace; exits return 0",
	.n = {
		NUMBERS,
		.memfd_flags = CLOEXEC_SEALING_HUGETLB | INACCESSIBLE,
		.private_is_allocated = 1,
		.notifier_list = 1,
		.breaks = BREAKS_OBJ(3) | BREAKS_OBJ(5) | BREAKS_OBJ(7),
	},
	.bugs = bugs_of_v6,
	.tables = {
		TABLES
		TABLES_UP_TO_V6
		[GMEM_GUEST_LOAD] = gmem_op_guest_load_memfile,
		[GMEM_GUEST_STORE] = gmem_op_guest_store_memfile,
		[GMEM_MEMFD_CREATE] = gmem_op_memfd_create_v6,
		[GMEM_FCNTL] = gmem_op_fcntl_memfd,
		[T_SET_REGION] = gmem_op_set_region,
		[T_BIND] = gmem_op_bind_memfile_v6,
		[T_GUEST_FAULT] = gmem_op_guest_fault_v6,
	},
};

const struct gmem_profile gmem_memfile_v7 = {
	.name = "memfile-notifier-v7",
	.summary = "July 2022: the VM says what is private; F_SEAL_AUTO_ALLOCATE",
	.n = {
		NUMBERS,
		.memfd_flags = CLOEXEC_SEALING_HUGETLB | INACCESSIBLE,
		.own_seal = GUEST_SEAL,
		.auto_allocate_seal = GUEST_SEAL,
		.notifier_list = 1,
		.breaks = BREAKS_OBJ(3) | BREAKS_OBJ(5) | BREAKS_OBJ(7),
	},
	.bugs = bugs_of_v7,
	.tables = {
		TABLES
		[GMEM_MEMFD_CREATE] = gmem_op_memfd_create_v6,
		[GMEM_FCNTL] = gmem_op_fcntl_memfd,
		[T_SET_REGION] = gmem_op_set_region,
		[GMEM_GUEST_LOAD] = gmem_op_guest_load_v7,
		[GMEM_GUEST_STORE] = gmem_op_guest_store_v7,
		[GMEM_REG_REGION] = gmem_op_reg_region,
		[GMEM_UNREG_REGION] = gmem_op_reg_region,
		[T_FALLOCATE_FILE] = gmem_op_fallocate_memfd,
		[T_BIND] = gmem_op_bind_memfile_v6,
		[T_GUEST_FAULT] = gmem_op_guest_fault_v7,
		[T_GET_PFN] = gmem_op_get_pfn_v7,
		[T_HOST_FAULT] = gmem_op_host_fault_v7,
	},
};
