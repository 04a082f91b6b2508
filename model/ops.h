/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the operations share: objects and their references, the checks that open most tables,
 * page ranges, notifications. One section a file.
 */
#ifndef GMEM_OPS_H
#define GMEM_OPS_H

#include "ranges.h"
#include "state.h"
#include "step.h"

#define PAGES(bytes) ((uint64_t)(bytes) >> GMEM_PAGE_SHIFT)
#define BYTES(pages) ((uint64_t)(pages) << GMEM_PAGE_SHIFT)
#define PAGE_ALIGNED(x) (((x) & (GMEM_PAGE_SIZE - 1)) == 0)
#define MAX_LFS_FILESIZE INT64_MAX
#define TASK_SIZE ((UINT64_C(1) << 47) - GMEM_PAGE_SIZE)

/* args.c: whether the call can be asked at all, and the cells it needs beyond the usual. */
bool gmem_call_makes_sense(const struct gmem_block *b, const struct gmem_call *c);
unsigned int gmem_kinds_of_fd(uint32_t verb); /* GMEM_FD_* */
uint64_t gmem_cells_for_verb(const struct gmem_block *b, const struct gmem_call *c);

/* objects.c: making objects, descriptors, references */
uint32_t gmem_process_new(struct gmem_block *b);
uint32_t gmem_task_new(struct gmem_block *b, uint32_t number, uint32_t process);
void gmem_task_free(struct gmem_block *b, uint32_t number);
void gmem_process_free(struct gmem_block *b, uint32_t idx);
uint32_t gmem_file_new(struct gmem_block *b, enum gmem_file_kind kind);
uint32_t gmem_vm_new(struct gmem_block *b, uint32_t type, uint32_t process);
void gmem_vm_free(struct gmem_block *b, uint32_t idx);
uint32_t gmem_inode_new(struct gmem_block *b, enum gmem_inode_kind kind, uint64_t size,
			uint64_t flags);
void gmem_inode_free(struct gmem_block *b, uint32_t idx);
uint32_t gmem_fd_file(const struct gmem_block *b, const struct gmem_process *p, int64_t fd);
int64_t gmem_fd_lowest(const struct gmem_block *b, const struct gmem_process *p);
void gmem_fd_install(struct gmem_block *b, struct gmem_process *p, int64_t fd, uint32_t file);
void gmem_fd_remove(struct gmem_block *b, struct gmem_process *p, int64_t fd);
/* Drops a reference; the last one makes the file die when the call returns. */
void gmem_fput(struct gmem_run *run, uint32_t file);
/* Drops a reference on an inode that no file stands for (anonymous memory, orphans). */
void gmem_inode_put(struct gmem_block *b, uint32_t idx);
bool gmem_has_private_mem(const struct gmem_block *b, const struct gmem_vm *vm);
/* Whether the guest page is another one by another name. */
bool gmem_is_gfn_alias(const struct gmem_vm *vm, uint64_t gfn);
bool gmem_has_readonly_mem(const struct gmem_vm *vm);
bool gmem_machine_has_private_mem(const struct gmem_block *b);

/* What the task's locals name. */
static inline struct gmem_inode *inode_of(struct gmem_run *run)
{
	return INODE(run->b, run->t->inode);
}

static inline struct gmem_vm *vm_of(struct gmem_run *run)
{
	return VM(run->b, run->t->vm);
}

static inline struct gmem_vm *vm_of_file(struct gmem_run *run)
{
	return VM(run->b, GFILE(run->b, run->t->file)->vm);
}

static inline struct gmem_slot *slot_of(struct gmem_run *run)
{
	return SLOT(run->b, run->t->slot);
}

/* common.c: checks and answers that many tables have */
struct gmem_process *gmem_process(struct gmem_run *run);
bool find_fd(struct gmem_run *run); /* the same without a reference */
bool fdget(struct gmem_run *run);   /* sets t->file, and its t->inode and t->vm */
bool is_kvm(struct gmem_run *run);  /* the descriptor is /dev/kvm's */
bool is_not_kvm(struct gmem_run *run);
bool is_vm(struct gmem_run *run);	  /* the descriptor is a VM's */
bool mm_is_the_vms(struct gmem_run *run); /* kvm->mm == current->mm */
bool file_is_guest_memfd(struct gmem_run *run);
bool inode_is_guest_memfd(struct gmem_run *run);
bool argp_is_readable(struct gmem_run *run);
bool argp_can_be_written(struct gmem_run *run);
int read_error_offset(struct gmem_run *run);  /* what it says until something is written back */
int write_error_offset(struct gmem_run *run); /* that of t->err_page */
bool addr_is_aligned(struct gmem_run *run);
bool length_is_zero(struct gmem_run *run);
bool length_is_not_negative(struct gmem_run *run);
bool whence_is_known(struct gmem_run *run);
bool is_punch(struct gmem_run *run);
bool is_allocate(struct gmem_run *run);
bool mode_is_allocate_or_punch(struct gmem_run *run);
bool flags_are_zero(struct gmem_run *run);
bool offset_is_not_negative(struct gmem_run *run);
bool slot_has_gmem(struct gmem_run *run);
bool fd_is_available(struct gmem_run *run);
bool no_memory_pressure(struct gmem_run *run); /* the kernel's allocator works (inject) */
bool has_failed(struct gmem_run *run);	       /* this table is being unwound */
bool holds_mmu_lock(struct gmem_run *run);
bool holds_invalidate_lock(struct gmem_run *run);
bool holds_i_mmap_rwsem(struct gmem_run *run);
bool holds_mmap_lock(struct gmem_run *run);
bool guest_is_populated_by_firmware(struct gmem_run *run);
bool never(struct gmem_run *run); /* a check that always refuses */
int return_zero(struct gmem_run *run);
int return_loaded(struct gmem_run *run, uint64_t bytes);
int return_unspecified(struct gmem_run *run);
int remove_descriptor(struct gmem_run *run); /* of t->file, which may die of it */
int fput(struct gmem_run *run);		     /* of t->file, likewise */
int return_fd(struct gmem_run *run);	     /* installs t->file at the lowest free descriptor */
bool delayed_fput(struct gmem_run *run);     /* finds the next dying file: sets t->file */
/* The rows that open every ioctl of a VM. */
#define IOCTL_OF_A_VM                                                                           \
	CHECK(fdget, FD_1, EBADF), CHECK(is_not_kvm, FD_2, EINVAL), CHECK(is_vm, FD_2, ENOTTY), \
		CHECK(mm_is_the_vms, VM_3, EIO)
/* The rows that end every call which may have dropped a last reference. */
#define DELAYED_FPUT CALL_EACH(delayed_fput, T_FINAL_FPUT, FD_4)

/* The folio of t->inode at t->pgoff, and the task's reference on it */
bool folio_is_not_poisoned(struct gmem_run *run);
int hold_folio(struct gmem_run *run);
/* kvm_release_faultin_page(), put_page(): nothing, where none is held */
int put_folio(struct gmem_run *run);

/* pages.c: folios, their bytes, and who maps them */
uint32_t gmem_folio(const struct gmem_block *b, const struct gmem_inode *inode, uint64_t pgoff);
void gmem_folio_set(struct gmem_block *b, struct gmem_inode *inode, uint64_t pgoff, uint32_t flags);
/* Drops the pages of [start, end), which no page table shows any more; pins keep theirs. */
void gmem_drop_pages(struct gmem_run *run, uint32_t inode, uint64_t start, uint64_t end);
uint64_t gmem_bytes_read(const struct gmem_block *b, uint32_t inode, uint64_t offset,
			 uint64_t size);
/* Whether it is left open what a load of any of these bytes gives. */
bool gmem_bytes_are_open(const struct gmem_block *b, uint32_t inode, uint64_t offset,
			 uint64_t size);
/* Pages: what they hold is zero from now on. */
void gmem_zero_bytes(struct gmem_block *b, struct gmem_inode *i, uint64_t start, uint64_t end);
void gmem_bytes_write(struct gmem_block *b, uint32_t inode, uint64_t offset, uint64_t size,
		      uint64_t value);
/* Copies length bytes from one inode to another. */
void gmem_bytes_copy(struct gmem_block *b, uint32_t to, uint64_t to_offset, uint32_t from,
		     uint64_t from_offset, uint64_t length);
bool gmem_is_private_memory(const struct gmem_inode *inode);
/* Copies the pages of a pin that are being truncated into an inode of their own. */
void gmem_pins_keep(struct gmem_run *run, uint32_t inode, uint64_t start, uint64_t end);

/* host.c: one process's page tables */
struct gmem_vma *gmem_vma_at(struct gmem_block *b, struct gmem_process *p, uint64_t page);

bool processor_finds_page(struct gmem_run *run); /* of t->page, which then allows the access */

/* zap.c: finds the next mapping over t->start to t->end of t->inode; sets t->owner, t->zap ... */
bool next_mapping_over(struct gmem_run *run);
/* The task stands in a walk over the VMs of t->owner, at t->at_vm, to tell them start or end. */
bool gmem_is_telling(const struct gmem_task *t);
/* The rows of unmap_mapping_range(): no mapping comes or goes while they walk over them. */
#define UNMAP_MAPPING_RANGE(clause, ...)                                  \
	LOCK(I_MMAP_RWSEM, READ, NOTIFY_9, __VA_ARGS__),                  \
		CALL_EACH(next_mapping_over, T_ZAP, clause, __VA_ARGS__), \
		UNLOCK(I_MMAP_RWSEM, WHEN(holds_i_mmap_rwsem))
bool page_tables_are_at_rest(struct gmem_run *run);
bool vm_is_not_being_told(struct gmem_run *run);

/* op-fallocate.c: what allocating huge pages has in common with allocating small ones */
bool allocation_is_in_file(struct gmem_run *run);
int begin_allocation(struct gmem_run *run);
int allocate_gap(struct gmem_run *run); /* takes t->page, t->start, t->end */

/* notify.c: the invalidation protocol */
void gmem_mmu_invalidate_start(struct gmem_run *run, uint32_t vm);
void gmem_mmu_invalidate_range_add(struct gmem_run *run, uint32_t vm, uint64_t gfn,
				   uint64_t gfn_end);
void gmem_mmu_invalidate_end(struct gmem_run *run, uint32_t vm);
/* Whether a fault of gfn that began at seq meets an invalidation. */
bool gmem_mmu_invalidate_retry(const struct gmem_vm *v, uint64_t seq, uint64_t gfn);
/* KVM_FILTER_*: which of the guest's mappings go */
#define FILTER_SHARED 1u
#define FILTER_PRIVATE 2u
/* Zaps the guest's mappings of [gfn, gfn_end) that are of a kind in filter. */
void gmem_unmap_gfns(struct gmem_block *b, uint32_t vm, uint64_t gfn, uint64_t gfn_end,
		     unsigned int filter);
/* What the VM makes of a filter: only TDX keeps its mappings in two trees. */
unsigned int gmem_invalidate_filter(const struct gmem_block *b, uint32_t vm, unsigned int asked);
void gmem_emit(struct gmem_run *run, uint32_t vm, const struct gmem_event *event);
/* Tells every memslot bound in t->start to t->end of t->at_file; a row's act. */
int gmem_invalidate_slots(struct gmem_run *run, unsigned int filter);
/* Only zaps what guests have of them. */
int gmem_unmap_slots(struct gmem_run *run, unsigned int filter);
bool gmem_somebody_listens(const struct gmem_world *w);
/* Finds the next file of t->inode that is bound in t->start to t->end: sets t->at_file, t->at_vm. */
bool next_bound_file(struct gmem_run *run);
bool is_bound_in_range(struct gmem_run *run); /* t->at_file is; sets t->at_vm */

#define GMEM_PROT_BITS (GMEM_PROT_READ | GMEM_PROT_WRITE | GMEM_PROT_EXEC)
static inline uint64_t gmem_pages_of(uint64_t length)
{
	return PAGES(length + GMEM_PAGE_SIZE - 1);
}

/* op-munmap.c: puts a mapping on its inode's list, and counts its references */
void gmem_vma_link(struct gmem_block *b, uint32_t idx);
/* Gives back what a mapping holds: t->file or, of anonymous memory, where that is 0, t->inode. */
int put_file_of_mapping(struct gmem_run *run);
/* Whether anything is in t->start to t->end, of which it sets t->vma and t->inode. */
bool range_is_mapped(struct gmem_run *run);

/* The key in gmem_vm.hvas of a memslot with this userspace_addr, in pages. */
#define HVA_KEY(page, as, id) ((uint64_t)(page) << 16 | (uint64_t)(as) << 15 | (id))
/* Puts a memslot where notifications find it, or with 0 takes it out. */
void gmem_index_hva(struct gmem_block *b, const struct gmem_slot *s, uint32_t idx);

/* op-memslot.c */
bool wants_guest_memfd(struct gmem_run *run);
uint32_t gmem_slot_by_id(const struct gmem_block *b, const struct gmem_vm *vm, uint32_t id);
/* Whether the memslot in that cell is one of the VM's. */
bool gmem_slot_is_there(const struct gmem_block *b, const struct gmem_vm *vm, uint32_t idx);
uint32_t gmem_slot_by_gfn(const struct gmem_block *b, const struct gmem_vm *vm, uint64_t gfn);

/*
 * hash.c: what a world means, in parts, for who knows which part has changed. Locks are in it by
 * who holds them alone.
 */
struct gmem_hash {
	uint64_t objects;
	uint32_t met;			/* objects */
	bool plain;			/* no task names what no process leads to */
	uint64_t names[GMEM_MAX_TASKS]; /* of each task: what its operation names and holds */
};
void gmem_hash_all(const struct gmem_world *w, struct gmem_hash *h);
/* Objects are as h says: that task's names anew. false: gmem_hash_all() has to be asked. */
bool gmem_hash_names(const struct gmem_world *w, uint32_t task, struct gmem_hash *h);
/* What a running operation has of its own, which is no part of those. */
uint64_t gmem_task_hash(const struct gmem_world *w, uint32_t number);

/* The tables, one group a file. They are const, and profiles point to them. */
extern const struct gmem_step gmem_op_check_extension[], gmem_op_create_vm[];
extern const struct gmem_step gmem_op_create_guest_memfd[];
extern const struct gmem_step gmem_op_set_user_memory_region[];
extern const struct gmem_step gmem_op_set_user_memory_region2[];
extern const struct gmem_step gmem_op_set_region[], gmem_op_create_slot[], gmem_op_move_slot[];
extern const struct gmem_step gmem_op_change_slot_flags[], gmem_op_delete_slot[];
extern const struct gmem_step gmem_op_free_slot[];
extern const struct gmem_step gmem_op_bind[], gmem_op_unbind[];
extern const struct gmem_step gmem_op_set_memory_attributes[];
extern const struct gmem_step gmem_op_fallocate_6_8[], gmem_op_fallocate[],
	gmem_op_fallocate_file[], gmem_op_punch_hole[], gmem_op_allocate[];
extern const struct gmem_step gmem_op_none[];	    /* a part that the profile does not have */
extern const struct gmem_step gmem_op_unmodelled[]; /* a call that it has no answer to */
extern const struct gmem_step gmem_op_no_conversion[], gmem_op_no_ioctl[], gmem_op_setattr[],
	gmem_op_ftruncate[];
extern const struct gmem_step gmem_op_cachestat[];
extern const struct gmem_step gmem_op_refuse[], gmem_op_pread[], gmem_op_lseek[];
extern const struct gmem_step gmem_op_fcntl[], gmem_op_fstat[], gmem_op_fstatfs[];
extern const struct gmem_step gmem_op_mmap_6_8[], gmem_op_mmap[], gmem_op_munmap[];
extern const struct gmem_step gmem_op_mprotect[], gmem_op_madvise[], gmem_op_unmap[];
extern const struct gmem_step gmem_op_thread[], gmem_op_fork[], gmem_op_exit[],
	gmem_op_copy_mapping[];
extern const struct gmem_step gmem_op_load[], gmem_op_store[], gmem_op_host_fault[];
extern const struct gmem_step gmem_op_pin[], gmem_op_unpin[], gmem_op_pin_load[];
extern const struct gmem_step gmem_op_pin_store[], gmem_op_get_user_page[];
extern const struct gmem_step gmem_op_guest_load[], gmem_op_guest_store[];
extern const struct gmem_step gmem_op_guest_fault[], gmem_op_guest_fault_6_8[], gmem_op_get_pfn[];
extern const struct gmem_step gmem_op_populate[], gmem_op_populate_page[];
extern const struct gmem_step gmem_op_pre_fault_memory[], gmem_op_pre_fault_page[];
extern const struct gmem_step gmem_op_memory_failure[], gmem_op_inject[];
extern const struct gmem_step gmem_op_task_work[], gmem_op_dup[], gmem_op_close[];
extern const struct gmem_step gmem_op_final_fput[], gmem_op_release[], gmem_op_put_kvm[];
extern const struct gmem_step gmem_op_create_guest_memfd_shareability[],
	gmem_op_create_guest_memfd_hugetlb[];
extern const struct gmem_step gmem_op_enable_cap[], gmem_op_enable_cap_planned[];
extern const struct gmem_step gmem_op_launch_finish[];
extern const struct gmem_step gmem_op_set_vm_attributes[], gmem_op_set_memory_attributes_rfc_v1[];
extern const struct gmem_step gmem_op_set_attributes2[], gmem_op_set_attributes2_v5[],
	gmem_op_set_attributes2_rfc_v1[], gmem_op_set_attributes2_hugetlb[];
extern const struct gmem_step gmem_op_convert[], gmem_op_convert_v5[], gmem_op_convert_rfc_v1[],
	gmem_op_convert_hugetlb[], gmem_op_convert_batch[], gmem_op_contents[];
extern const struct gmem_step gmem_op_convert_start[], gmem_op_invalidate_start_both[];
extern const struct gmem_step gmem_op_invalidate_begin[], gmem_op_unmap_guests[],
	gmem_op_zap_guests[];
extern const struct gmem_step gmem_op_unbind_v13[], gmem_op_bind_eexist[], gmem_op_get_pfn_held[];
extern const struct gmem_step gmem_op_populate_page_rfc_v1[];
extern const struct gmem_step gmem_op_convert_shareability[], gmem_op_convert_range[];
extern const struct gmem_step gmem_op_share_begin[], gmem_op_share_ask[], gmem_op_share_execute[],
	gmem_op_share_go_back[], gmem_op_share_end[];
extern const struct gmem_step gmem_op_allocate_huge[], gmem_op_allocate_hugetlb[];
extern const struct gmem_step gmem_op_punch_hole_shareability[], gmem_op_punch_hole_hugetlb[];
extern const struct gmem_step gmem_op_truncate_block[];
extern const struct gmem_step gmem_op_mmap_shareability[];
extern const struct gmem_step gmem_op_bind_shareability[], gmem_op_prepare_memory_region[],
	gmem_op_commit_memory_region[], gmem_op_create_slot_v13[];
extern const struct gmem_step gmem_op_host_fault_locked[], gmem_op_host_fault_shareability[];
extern const struct gmem_step gmem_op_get_pfn_locked[], gmem_op_populate_page_in_place[],
	gmem_op_populate_page_shareability[];
extern const struct gmem_step gmem_op_populate_coco[];
extern const struct gmem_step gmem_op_evict_inode[], gmem_op_truncate[], gmem_op_truncate_batch[],
	gmem_op_zap[];
extern const struct gmem_step gmem_op_notify[], gmem_op_host_start[], gmem_op_host_end[];
extern const struct gmem_step gmem_op_invalidate_start[], gmem_op_invalidate_end[];
extern const struct gmem_step gmem_op_fault_in[], gmem_op_fault_in_locked[], gmem_op_advise[],
	gmem_op_poison_mapping[];

/* Of the ancestors */
extern const struct gmem_step gmem_op_allocate_backing[];
extern const struct gmem_step gmem_op_bind_memfile_v4[];
extern const struct gmem_step gmem_op_bind_memfile_v5[];
extern const struct gmem_step gmem_op_bind_memfile_v6[];
extern const struct gmem_step gmem_op_bind_restricted[];
extern const struct gmem_step gmem_op_bind_restricted_v10[];
extern const struct gmem_step gmem_op_fallocate_memfd[];
extern const struct gmem_step gmem_op_fallocate_memfile[];
extern const struct gmem_step gmem_op_fallocate_restricted[];
extern const struct gmem_step gmem_op_fcntl_memfd[];
extern const struct gmem_step gmem_op_fcntl_rfc2[];
extern const struct gmem_step gmem_op_fstat_memfd[];
extern const struct gmem_step gmem_op_fstatfs_memfd[];
extern const struct gmem_step gmem_op_fsync_memfd[];
extern const struct gmem_step gmem_op_ftruncate_memfd[];
extern const struct gmem_step gmem_op_ftruncate_restricted[];
extern const struct gmem_step gmem_op_ftruncate_shim[];
extern const struct gmem_step gmem_op_get_page[];
extern const struct gmem_step gmem_op_get_page_v10[];
extern const struct gmem_step gmem_op_get_pfn_v7[];
extern const struct gmem_step gmem_op_guest_fault_v4[];
extern const struct gmem_step gmem_op_guest_fault_v6[];
extern const struct gmem_step gmem_op_guest_fault_v7[];
extern const struct gmem_step gmem_op_guest_load_memfile[];
extern const struct gmem_step gmem_op_guest_load_restricted[];
extern const struct gmem_step gmem_op_guest_store_restricted[];
extern const struct gmem_step gmem_op_guest_load_v4[];
extern const struct gmem_step gmem_op_guest_store_v4[];
extern const struct gmem_step gmem_op_guest_load_v7[];
extern const struct gmem_step gmem_op_guest_store_memfile[];
extern const struct gmem_step gmem_op_guest_store_v7[];
extern const struct gmem_step gmem_op_host_fault_memfd[];
extern const struct gmem_step gmem_op_host_fault_v7[];
extern const struct gmem_step gmem_op_lseek_memfd[];
extern const struct gmem_step gmem_op_memfd_create[];
extern const struct gmem_step gmem_op_memfd_create_v4[];
extern const struct gmem_step gmem_op_memfd_create_v5[];
extern const struct gmem_step gmem_op_memfd_create_v6[];
extern const struct gmem_step gmem_op_memfd_restricted[];
extern const struct gmem_step gmem_op_memfd_restricted_shim[];
extern const struct gmem_step gmem_op_memory_failure_memfd[];
extern const struct gmem_step gmem_op_memory_failure_restricted[];
extern const struct gmem_step gmem_op_memory_failure_restricted_v10[];
extern const struct gmem_step gmem_op_mmap_memfd[];
extern const struct gmem_step gmem_op_no_attributes[];
extern const struct gmem_step gmem_op_no_syscall[];
extern const struct gmem_step gmem_op_notifier_begin[];
extern const struct gmem_step gmem_op_notifier_begin_v10[];
extern const struct gmem_step gmem_op_notifier_end[];
extern const struct gmem_step gmem_op_notifier_end_v10[];
extern const struct gmem_step gmem_op_notifier_error[];
extern const struct gmem_step gmem_op_notifier[];
extern const struct gmem_step gmem_op_open_mount[];
extern const struct gmem_step gmem_op_pread_memfd[];
extern const struct gmem_step gmem_op_punch_restricted[];
extern const struct gmem_step gmem_op_punch_restricted_v10[];
extern const struct gmem_step gmem_op_pwrite_memfd[];
extern const struct gmem_step gmem_op_read_memfd[];
extern const struct gmem_step gmem_op_reg_region[];
extern const struct gmem_step gmem_op_release_memfd[];
extern const struct gmem_step gmem_op_release_shim[];
extern const struct gmem_step gmem_op_rmmod[];
extern const struct gmem_step gmem_op_set_region_v4[];
extern const struct gmem_step gmem_op_set_user_memory_region2_ext[];
extern const struct gmem_step gmem_op_set_user_memory_region_ext[];
extern const struct gmem_step gmem_op_setattr_memfd[];
extern const struct gmem_step gmem_op_truncate_backing[];
extern const struct gmem_step gmem_op_truncate_memfd[];
extern const struct gmem_step gmem_op_tell_folios[];
extern const struct gmem_step gmem_op_unbind_memfile[];
extern const struct gmem_step gmem_op_unbind_restricted[];
extern const struct gmem_step gmem_op_unbind_restricted_v10[];
extern const struct gmem_step gmem_op_write_memfd[];

#endif
