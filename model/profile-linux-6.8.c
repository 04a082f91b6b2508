/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * linux-6.8: guest_memfd as merged. No flags, no mmap; a memslot may be bound only on a VM with
 * private memory, i.e. KVM_X86_SW_PROTECTED_VM. Populate and pre-fault came with later releases.
 */
#include "ops.h"
#include "profile-base.h"
#include "profile.h"

static const char *const bugs[] = { "B39", "B40", "B45", "B46", "X2", NULL };

const struct gmem_profile gmem_linux_6_8 = {
	.name = "linux-6.8",
	.summary = "guest_memfd as it was merged: private memory only, for VMs that have private memory",
	.n = {
		.create_flags = 0,
		.init_shared = 0,
		.gmem_needs_private = 1,
		.user_ptr_max = INT64_MAX,
		.has_flags_cap = 0,
		.has_prefault = 0,
		.vm_types = (1u << GMEM_VM_DEFAULT) | (1u << GMEM_VM_SW_PROTECTED),
		.statfs_magic = ANON_INODE_FS_MAGIC,
		.breaks = BREAKS_OBJ(6),
		.folio_batch = 15,
	},
	.bugs = bugs,
	.tables = {
		GMEM_BASE_TABLES
		GMEM_GUEST_MEMFD_TABLES
		[GMEM_FALLOCATE] = gmem_op_fallocate_6_8,
		[GMEM_MMAP] = gmem_op_mmap_6_8,
		[GMEM_POPULATE] = gmem_op_no_ioctl,
		GMEM_NO_CONVERSION_TABLES
		[T_GUEST_FAULT] = gmem_op_guest_fault_6_8,
	},
};
