/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tables in which no profile differs. A profile names this list and then the others; a table
 * moves from here into the profiles when one of them comes to differ.
 */
#ifndef GMEM_PROFILE_BASE_H
#define GMEM_PROFILE_BASE_H

/* clang-format off */
#define GMEM_BASE_TABLES                                                                        \
	[GMEM_CHECK_EXTENSION] = gmem_op_check_extension,                                       \
	[GMEM_CREATE_VM] = gmem_op_create_vm,                                                   \
	[GMEM_CREATE_GUEST_MEMFD] = gmem_op_create_guest_memfd,                                 \
	[GMEM_SET_USER_MEMORY_REGION] = gmem_op_set_user_memory_region,                         \
	[GMEM_SET_USER_MEMORY_REGION2] = gmem_op_set_user_memory_region2,                       \
	[GMEM_SET_MEMORY_ATTRIBUTES] = gmem_op_set_memory_attributes,                           \
	[GMEM_SET_MEMORY_ATTRIBUTES2] = gmem_op_no_ioctl,                                       \
	[GMEM_FTRUNCATE] = gmem_op_ftruncate,                                                   \
	[GMEM_FCHMOD] = gmem_op_setattr,                                                        \
	[GMEM_FCHOWN] = gmem_op_setattr,                                                        \
	[GMEM_FUTIMENS] = gmem_op_setattr,                                                      \
	[GMEM_READ] = gmem_op_refuse,                                                           \
	[GMEM_WRITE] = gmem_op_refuse,                                                          \
	[GMEM_PREAD] = gmem_op_pread,                                                           \
	[GMEM_PWRITE] = gmem_op_pread,                                                          \
	[GMEM_LSEEK] = gmem_op_lseek,                                                           \
	[GMEM_FSYNC] = gmem_op_refuse,                                                          \
	[GMEM_FCNTL] = gmem_op_fcntl,                                                           \
	[GMEM_FSTAT] = gmem_op_fstat,                                                           \
	[GMEM_FSTATFS] = gmem_op_fstatfs,                                                       \
	[GMEM_CACHESTAT] = gmem_op_cachestat,                                                   \
	[GMEM_MUNMAP] = gmem_op_munmap,                                                         \
	[GMEM_MPROTECT] = gmem_op_mprotect,                                                     \
	[GMEM_MADVISE] = gmem_op_madvise,                                                       \
	[GMEM_FORK] = gmem_op_fork,                                                             \
	[GMEM_EXIT] = gmem_op_exit,                                                             \
	[GMEM_LOAD] = gmem_op_load,                                                             \
	[GMEM_STORE] = gmem_op_store,                                                           \
	[GMEM_PIN] = gmem_op_pin,                                                               \
	[GMEM_UNPIN] = gmem_op_unpin,                                                           \
	[GMEM_PIN_LOAD] = gmem_op_pin_load,                                                     \
	[GMEM_PIN_STORE] = gmem_op_pin_store,                                                   \
	[GMEM_GUEST_LOAD] = gmem_op_guest_load,                                                 \
	[GMEM_GUEST_STORE] = gmem_op_guest_store,                                               \
	[GMEM_PRE_FAULT_MEMORY] = gmem_op_pre_fault_memory,                                     \
	[GMEM_MEMORY_FAILURE] = gmem_op_memory_failure,                                         \
	[GMEM_INJECT] = gmem_op_inject,                                                         \
	[GMEM_DUP] = gmem_op_dup,                                                               \
	[GMEM_CLOSE] = gmem_op_close,                                                           \
	[T_PUNCH_HOLE] = gmem_op_punch_hole,                                                    \
	[T_ALLOCATE] = gmem_op_allocate,                                                        \
	[T_FALLOCATE_FILE] = gmem_op_fallocate_file,                                            \
	[T_SET_REGION] = gmem_op_set_region,                                                    \
	[T_CREATE_SLOT] = gmem_op_create_slot,                                                  \
	[T_MOVE_SLOT] = gmem_op_move_slot,                                                      \
	[T_CHANGE_SLOT_FLAGS] = gmem_op_change_slot_flags,                                      \
	[T_DELETE_SLOT] = gmem_op_delete_slot,                                                  \
	[T_FREE_SLOT] = gmem_op_free_slot,                                                      \
	[T_BIND] = gmem_op_bind,                                                                \
	[T_UNBIND] = gmem_op_unbind,                                                            \
	[T_FINAL_FPUT] = gmem_op_final_fput,                                                    \
	[T_RELEASE] = gmem_op_release,                                                          \
	[T_PUT_KVM] = gmem_op_put_kvm,                                                          \
	[T_EVICT_INODE] = gmem_op_evict_inode,                                                  \
	[T_UNMAP] = gmem_op_unmap,                                                              \
	[T_HOST_FAULT] = gmem_op_host_fault,                                                    \
	[T_GET_PFN] = gmem_op_get_pfn,                                                          \
	[T_GET_USER_PAGE] = gmem_op_get_user_page,                                              \
	[T_POPULATE_PAGE] = gmem_op_populate_page,                                              \
	[T_PRE_FAULT_PAGE] = gmem_op_pre_fault_page,
/* clang-format on */

#endif
