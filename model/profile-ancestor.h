/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tables in which no ancestor differs from another: without conversions, without huge folios, and
 * with files that are memfds, or look like one.
 */
#ifndef GMEM_PROFILE_ANCESTOR_H
#define GMEM_PROFILE_ANCESTOR_H

#include "profile-base.h"

/* clang-format off */
#define GMEM_ANCESTOR_TABLES \
	GMEM_BASE_TABLES \
	GMEM_NO_SHAREABILITY_TABLES \
	[GMEM_CREATE_GUEST_MEMFD] = gmem_op_no_ioctl, \
	[GMEM_SET_USER_MEMORY_REGION] = gmem_op_set_user_memory_region_ext, \
	[GMEM_SET_USER_MEMORY_REGION2] = gmem_op_set_user_memory_region2_ext, \
	[GMEM_SET_MEMORY_ATTRIBUTES2] = gmem_op_no_conversion, \
	[GMEM_FALLOCATE] = gmem_op_fallocate_6_8, \
	[GMEM_OPEN_MOUNT] = gmem_op_open_mount, \
	[GMEM_RMMOD] = gmem_op_rmmod, \
	[GMEM_POPULATE] = gmem_op_no_ioctl, \
	[GMEM_FCHMOD] = gmem_op_setattr_memfd, \
	[GMEM_FCHOWN] = gmem_op_setattr_memfd, \
	[GMEM_FUTIMENS] = gmem_op_setattr_memfd, \
	[GMEM_FSTAT] = gmem_op_fstat_memfd, \
	[GMEM_FSTATFS] = gmem_op_fstatfs_memfd, \
	[GMEM_CACHESTAT] = gmem_op_no_syscall, \
	[T_CREATE_SLOT] = gmem_op_create_slot, \
	[T_INVALIDATE_BEGIN] = gmem_op_none, \
	[T_UNMAP_GUESTS] = gmem_op_none, \
	[T_TRUNCATE_BLOCK] = gmem_op_none, \
	[T_INVALIDATE_START] = gmem_op_none, \
	[T_FAULT_IN] = gmem_op_fault_in, \
	[T_POPULATE_PAGE] = gmem_op_none, \
	[T_BIND_COMMIT] = gmem_op_none, \
	[T_CONVERT] = gmem_op_none, \
	[T_CONVERT_BATCH] = gmem_op_none, \
	[T_CONVERT_START] = gmem_op_none, \
	[T_CONTENTS] = gmem_op_none,
/* clang-format on */

#endif
