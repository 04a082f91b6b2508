/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * linux-6.18: GUEST_MEMFD_FLAG_MMAP and GUEST_MEMFD_FLAG_INIT_SHARED, and memslots whose memory is
 * the guest_memfd's alone (KVM_MEMSLOT_GMEM_ONLY). It is the stable version 6.18.44, which the
 * recordings are from, with its bugs; 6.18 as it was released had B40 as well.
 */
#include "ops.h"
#include "profile-base.h"
#include "profile.h"

static const char *const bugs[] = { "B45", "B46", "X1", "X2", NULL };

const struct gmem_profile gmem_linux_6_18 = {
	.name = "linux-6.18",
	.summary = "6.18.44, guest_memfd with mmap: memory that host and guest share, beside private memory",
	.n = {
		.create_flags = GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED,
		.init_shared = GMEM_FLAG_INIT_SHARED,
		.gmem_needs_private = 0,
		.user_ptr_max = TASK_SIZE,
		.has_flags_cap = 1,
		.has_prefault = 1,
		.vm_types = (1u << GMEM_NR_VM_TYPES) - 1,
		.statfs_magic = ANON_INODE_FS_MAGIC,
		.breaks = BREAKS_OBJ(6),
		.folio_batch = 31,
	},
	.bugs = bugs,
	.tables = {
		GMEM_BASE_TABLES
		GMEM_GUEST_MEMFD_TABLES
		[GMEM_FALLOCATE] = gmem_op_fallocate,
		[GMEM_MMAP] = gmem_op_mmap,
		[GMEM_POPULATE] = gmem_op_populate,
		GMEM_NO_CONVERSION_TABLES
		[T_GUEST_FAULT] = gmem_op_guest_fault,
	},
};
