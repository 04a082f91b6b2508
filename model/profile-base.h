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
	[GMEM_LAUNCH_FINISH] = gmem_op_launch_finish,                                           \
	[GMEM_MUNMAP] = gmem_op_munmap,                                                         \
	[GMEM_MPROTECT] = gmem_op_mprotect,                                                     \
	[GMEM_MADVISE] = gmem_op_madvise,                                                       \
	[GMEM_FORK] = gmem_op_fork,                                                             \
	[GMEM_THREAD] = gmem_op_thread,                                                         \
	[GMEM_EXIT] = gmem_op_exit,                                                             \
	[GMEM_LOAD] = gmem_op_load,                                                             \
	[GMEM_STORE] = gmem_op_store,                                                           \
	[GMEM_PIN] = gmem_op_pin,                                                               \
	[GMEM_UNPIN] = gmem_op_unpin,                                                           \
	[GMEM_PIN_LOAD] = gmem_op_pin_load,                                                     \
	[GMEM_PIN_STORE] = gmem_op_pin_store,                                                   \
	[GMEM_PRE_FAULT_MEMORY] = gmem_op_pre_fault_memory,                                     \
	[GMEM_INJECT] = gmem_op_inject,                                                         \
	[GMEM_DUP] = gmem_op_dup,                                                               \
	[GMEM_CLOSE] = gmem_op_close,                                                           \
	[T_MOVE_SLOT] = gmem_op_move_slot,                                                      \
	[T_CHANGE_SLOT_FLAGS] = gmem_op_change_slot_flags,                                      \
	[T_DELETE_SLOT] = gmem_op_delete_slot,                                                  \
	[T_FREE_SLOT] = gmem_op_free_slot,                                                      \
	[T_FINAL_FPUT] = gmem_op_final_fput,                                                    \
	[T_PUT_KVM] = gmem_op_put_kvm,                                                          \
	[T_EVICT_INODE] = gmem_op_evict_inode,                                                  \
	[T_UNMAP] = gmem_op_unmap,                                                              \
	[T_COPY_MAPPING] = gmem_op_copy_mapping,                                                \
	[T_TRUNCATE] = gmem_op_truncate,                                                        \
	[T_TRUNCATE_BATCH] = gmem_op_truncate_batch, \
	[T_ZAP] = gmem_op_zap,                                                                  \
	[T_NOTIFY] = gmem_op_notify,                                                            \
	[T_HOST_START] = gmem_op_host_start,                                                    \
	[T_HOST_END] = gmem_op_host_end,                                                        \
	[T_INVALIDATE_END] = gmem_op_invalidate_end,                                            \
	[T_ADVISE] = gmem_op_advise,                                                            \
	[T_POISON_MAPPING] = gmem_op_poison_mapping,                                            \
	[T_GET_USER_PAGE] = gmem_op_get_user_page,                                              \
	[T_PRE_FAULT_PAGE] = gmem_op_pre_fault_page,                                            \
	[T_TASK_WORK] = gmem_op_task_work,                                                      \
	[T_SET_VM_ATTRIBUTES] = gmem_op_set_vm_attributes,

/* What all profiles of guest_memfd have in common, and the ancestors have otherwise. */
#define GMEM_GUEST_MEMFD_TABLES \
	[GMEM_SET_USER_MEMORY_REGION] = gmem_op_set_user_memory_region, \
	[GMEM_SET_USER_MEMORY_REGION2] = gmem_op_set_user_memory_region2, \
	[GMEM_FTRUNCATE] = gmem_op_ftruncate, \
	[GMEM_FCHMOD] = gmem_op_setattr, \
	[GMEM_FCHOWN] = gmem_op_setattr, \
	[GMEM_FUTIMENS] = gmem_op_setattr, \
	[GMEM_READ] = gmem_op_refuse, \
	[GMEM_WRITE] = gmem_op_refuse, \
	[GMEM_PREAD] = gmem_op_pread, \
	[GMEM_PWRITE] = gmem_op_pread, \
	[GMEM_LSEEK] = gmem_op_lseek, \
	[GMEM_FSYNC] = gmem_op_refuse, \
	[GMEM_FCNTL] = gmem_op_fcntl, \
	[GMEM_FSTAT] = gmem_op_fstat, \
	[GMEM_FSTATFS] = gmem_op_fstatfs, \
	[GMEM_CACHESTAT] = gmem_op_cachestat, \
	[GMEM_GUEST_LOAD] = gmem_op_guest_load, \
	[GMEM_GUEST_STORE] = gmem_op_guest_store, \
	[GMEM_MEMORY_FAILURE] = gmem_op_memory_failure, \
	[T_FALLOCATE_FILE] = gmem_op_fallocate_file, \
	[T_SET_REGION] = gmem_op_set_region, \
	[T_RELEASE] = gmem_op_release, \
	[GMEM_MEMFD_CREATE] = gmem_op_unmodelled, \
	[GMEM_OPEN_MOUNT] = gmem_op_unmodelled, \
	[GMEM_RMMOD] = gmem_op_unmodelled, \
	[GMEM_MEMFD_RESTRICTED] = gmem_op_no_syscall, \
	[GMEM_REG_REGION] = gmem_op_no_ioctl, \
	[GMEM_UNREG_REGION] = gmem_op_no_ioctl, \
	[T_TRUNCATE_MEMFD] = gmem_op_none, \
	[T_TELL_FOLIOS] = gmem_op_none, \
	[T_NOTIFIER_INVALIDATE] = gmem_op_none, \
	[T_NOTIFIER_END] = gmem_op_none, \
	[T_NOTIFIER_ERROR] = gmem_op_none,

/* What profiles without huge folios have in common. */
#define GMEM_SMALL_FOLIO_TABLES                                                                 \
	[T_INVALIDATE_BEGIN] = gmem_op_none, \
	[T_UNMAP_GUESTS] = gmem_op_none, \
	[T_PUNCH_HOLE] = gmem_op_punch_hole,                                                    \
	[T_ALLOCATE] = gmem_op_allocate,                                                        \
	[T_TRUNCATE_BLOCK] = gmem_op_none,

/* What profiles without the work list of shareability have in common. */
#define GMEM_NO_SHAREABILITY_TABLES                                                             \
	[GMEM_CONVERT_SHARED] = gmem_op_no_conversion,                                          \
	[GMEM_CONVERT_PRIVATE] = gmem_op_no_conversion,                                         \
	[GMEM_ENABLE_CAP] = gmem_op_enable_cap,                                                 \
	[T_SHARE_BEGIN] = gmem_op_none,                                                         \
	[T_SHARE_ASK] = gmem_op_none,                                                           \
	[T_SHARE_EXECUTE] = gmem_op_none,                                                       \
	[T_SHARE_GO_BACK] = gmem_op_none,                                                       \
	[T_SHARE_END] = gmem_op_none,

/* What profiles without any conversion have in common. */
#define GMEM_NO_CONVERSION_TABLES                                                               \
	GMEM_SMALL_FOLIO_TABLES                                                                 \
	GMEM_NO_SHAREABILITY_TABLES                                                             \
	[GMEM_CREATE_GUEST_MEMFD] = gmem_op_create_guest_memfd,                                 \
	[GMEM_SET_MEMORY_ATTRIBUTES] = gmem_op_set_memory_attributes,                           \
	[GMEM_SET_MEMORY_ATTRIBUTES2] = gmem_op_no_conversion,                                  \
	[T_CREATE_SLOT] = gmem_op_create_slot,                                                  \
	[T_BIND] = gmem_op_bind,                                                                \
	[T_UNBIND] = gmem_op_unbind,                                                            \
	[T_INVALIDATE_START] = gmem_op_invalidate_start,                                        \
	[T_HOST_FAULT] = gmem_op_host_fault,                                                    \
	[T_FAULT_IN] = gmem_op_fault_in,                                                        \
	[T_GET_PFN] = gmem_op_get_pfn,                                                          \
	[T_POPULATE_PAGE] = gmem_op_populate_page,                                              \
	[T_BIND_COMMIT] = gmem_op_none,                                                         \
	[T_CONVERT] = gmem_op_none,                                                             \
	[T_CONVERT_BATCH] = gmem_op_none,                                                       \
	[T_CONVERT_START] = gmem_op_none,                                                       \
	[T_CONTENTS] = gmem_op_none,

/* What all profiles of in-place conversion have in common. */
#define GMEM_COCO_TABLES                                                                        \
	GMEM_BASE_TABLES GMEM_GUEST_MEMFD_TABLES                                                                        \
	GMEM_NO_SHAREABILITY_TABLES                                                             \
	[GMEM_FALLOCATE] = gmem_op_fallocate,                                                   \
	[GMEM_MMAP] = gmem_op_mmap,                                                             \
	[T_GUEST_FAULT] = gmem_op_guest_fault,                                                  \
	[T_INVALIDATE_START] = gmem_op_invalidate_start_both,                                   \
	[T_HOST_FAULT] = gmem_op_host_fault_locked,                                             \
	[T_FAULT_IN] = gmem_op_fault_in_locked,
/* clang-format on */

#define ANON_INODE_FS_MAGIC 0x09041934
#define GUEST_MEMFD_MAGIC 0x474d454d

#endif
