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

/* profile.c */
const struct gmem_profile *gmem_profile_newest(void);

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
bool gmem_has_readonly_mem(const struct gmem_vm *vm);
bool gmem_machine_has_private_mem(const struct gmem_block *b);

/* common.c: checks and answers that many tables have */
struct gmem_process *gmem_process(struct gmem_run *run);
bool fdget(struct gmem_run *run);  /* sets t->file, and its t->inode and t->vm */
bool is_kvm(struct gmem_run *run); /* the descriptor is /dev/kvm's */
bool is_not_kvm(struct gmem_run *run);
bool is_vm(struct gmem_run *run);	  /* the descriptor is a VM's */
bool mm_is_the_vms(struct gmem_run *run); /* kvm->mm == current->mm */
bool argp_is_readable(struct gmem_run *run);
bool fd_is_available(struct gmem_run *run);
bool no_memory_pressure(struct gmem_run *run); /* the kernel's allocator works (inject) */
bool has_failed(struct gmem_run *run);	       /* this table is being unwound */
bool never(struct gmem_run *run);	       /* a check that always refuses */
int return_zero(struct gmem_run *run);
int remove_descriptor(struct gmem_run *run); /* of t->file, which may die of it */
int return_fd(struct gmem_run *run);	     /* installs t->file at the lowest free descriptor */
bool delayed_fput(struct gmem_run *run);     /* finds the next dying file: sets t->file */
/* The rows that open every ioctl of a VM. */
#define IOCTL_OF_A_VM                                                                           \
	CHECK(fdget, FD_1, EBADF), CHECK(is_not_kvm, FD_2, EINVAL), CHECK(is_vm, FD_2, ENOTTY), \
		CHECK(mm_is_the_vms, VM_3, EIO)
/* The rows that end every call which may have dropped a last reference. */
#define DELAYED_FPUT CALL_EACH(delayed_fput, T_FINAL_FPUT, FD_4)

/* pages.c: folios, their bytes, and who maps them */
uint32_t gmem_folio(const struct gmem_block *b, const struct gmem_inode *inode, uint64_t pgoff);
void gmem_folio_set(struct gmem_block *b, struct gmem_inode *inode, uint64_t pgoff, uint32_t flags);
/* Drops the pages of [start, end): from page tables, then from the inode; pins keep theirs. */
void gmem_truncate(struct gmem_run *run, uint32_t inode, uint64_t start, uint64_t end);
uint64_t gmem_bytes_read(const struct gmem_block *b, uint32_t inode, uint64_t offset,
			 uint64_t size);
void gmem_bytes_write(struct gmem_block *b, uint32_t inode, uint64_t offset, uint64_t size,
		      uint64_t value);
/* Copies length bytes from one inode to another. */
void gmem_bytes_copy(struct gmem_block *b, uint32_t to, uint64_t to_offset, uint32_t from,
		     uint64_t from_offset, uint64_t length);
/* Copies the pages of a pin that are being truncated into an inode of their own. */
void gmem_pins_keep(struct gmem_run *run, uint32_t inode, uint64_t start, uint64_t end);

/* host.c: one process's page tables */
struct gmem_vma *gmem_vma_at(struct gmem_block *b, struct gmem_process *p, uint64_t page);
/* Tells the VMs of a process that [start, end) (pages of the address) changes. */
void gmem_notify_host(struct gmem_run *run, uint32_t process, uint64_t start, uint64_t end);
/* Touches every page of [page, end): 0, -ENOMEM (a hole), -EFAULT (SIGBUS) or -EHWPOISON. */
int gmem_fault_in(struct gmem_run *run, uint64_t page, uint64_t end);
/* Takes [start, end) (pages of the address) out of the page tables, and of the guests'. */
void gmem_zap(struct gmem_run *run, uint32_t process, uint64_t start, uint64_t end);
/* Takes pages of an inode out of every process's page tables. */
void gmem_zap_inode(struct gmem_run *run, uint32_t inode, uint64_t start, uint64_t end);

/* notify.c: the invalidation protocol */
void gmem_mmu_invalidate_start(struct gmem_run *run, uint32_t vm);
void gmem_mmu_invalidate_range_add(struct gmem_run *run, uint32_t vm, uint64_t gfn,
				   uint64_t gfn_end);
void gmem_mmu_invalidate_end(struct gmem_run *run, uint32_t vm);
/* Zaps the guest's mappings of [gfn, gfn_end), but for those with one of the bits in keep. */
void gmem_unmap_gfns(struct gmem_block *b, uint32_t vm, uint64_t gfn, uint64_t gfn_end,
		     uint32_t keep);
void gmem_emit(struct gmem_run *run, uint32_t vm, const struct gmem_event *event);
/* Steps: t->inode, t->start, t->end; one file of the inode at a time. */
int invalidate_start(struct gmem_run *run);
int invalidate_end(struct gmem_run *run);
/* The same for one file, whatever inode. */
void gmem_invalidate_start(struct gmem_run *run, uint32_t file, uint64_t start, uint64_t end);
void gmem_invalidate_end(struct gmem_run *run, uint32_t file, uint64_t start, uint64_t end);

/* op-mmap.c: puts a mapping on its inode's list, and counts its references */
void gmem_vma_link(struct gmem_block *b, uint32_t idx);

/* The key in gmem_vm.hvas of a memslot with this userspace_addr, in pages. */
#define HVA_KEY(page, as, id) ((uint64_t)(page) << 16 | (uint64_t)(as) << 15 | (id))
/* Puts a memslot where notifications find it, or with 0 takes it out. */
void gmem_index_hva(struct gmem_block *b, const struct gmem_slot *s, uint32_t idx);

/* op-memslot.c */
uint32_t gmem_slot_by_id(const struct gmem_block *b, const struct gmem_vm *vm, uint32_t id);
uint32_t gmem_slot_by_gfn(const struct gmem_block *b, const struct gmem_vm *vm, uint64_t gfn);

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
extern const struct gmem_step gmem_op_no_ioctl[], gmem_op_setattr[], gmem_op_ftruncate[];
extern const struct gmem_step gmem_op_cachestat[];
extern const struct gmem_step gmem_op_refuse[], gmem_op_pread[], gmem_op_lseek[];
extern const struct gmem_step gmem_op_fcntl[], gmem_op_fstat[], gmem_op_fstatfs[];
extern const struct gmem_step gmem_op_mmap_6_8[], gmem_op_mmap[], gmem_op_munmap[];
extern const struct gmem_step gmem_op_mprotect[], gmem_op_madvise[], gmem_op_unmap[];
extern const struct gmem_step gmem_op_fork[], gmem_op_exit[];
extern const struct gmem_step gmem_op_load[], gmem_op_store[], gmem_op_host_fault[];
extern const struct gmem_step gmem_op_pin[], gmem_op_unpin[], gmem_op_pin_load[];
extern const struct gmem_step gmem_op_pin_store[], gmem_op_get_user_page[];
extern const struct gmem_step gmem_op_guest_load[], gmem_op_guest_store[];
extern const struct gmem_step gmem_op_guest_fault[], gmem_op_guest_fault_6_8[], gmem_op_get_pfn[];
extern const struct gmem_step gmem_op_populate[], gmem_op_populate_page[];
extern const struct gmem_step gmem_op_pre_fault_memory[], gmem_op_pre_fault_page[];
extern const struct gmem_step gmem_op_memory_failure[], gmem_op_inject[];
extern const struct gmem_step gmem_op_dup[], gmem_op_close[];
extern const struct gmem_step gmem_op_final_fput[], gmem_op_release[], gmem_op_put_kvm[];
extern const struct gmem_step gmem_op_evict_inode[];

#endif
