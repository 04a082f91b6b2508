/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The world, struct by struct. Everything lies in one block: a head and then cells of one size,
 * and where another program would have a pointer there is a cell's number. So a world is copied
 * with memcpy(), and no address in it ever has to be mended.
 *
 * A cell is an object or a node of a range tree (ranges.h). Cell 0 is nobody. Fields are grouped
 * by the lock that guards them in the kernel; "weak" means that no reference is counted.
 */
#ifndef GMEM_STATE_H
#define GMEM_STATE_H

#include <stdbool.h>

#include "gmem.h"

#define GMEM_CELL_SIZE 256u
#define GMEM_TAG_OFFSET 252u /* in a cell: what it is, for locals that may outlive it */
#define GMEM_MAX_DEPTH 7u    /* of tables called by tables */
#define GMEM_MAX_HELD 8u     /* locks held by one task */
#define GMEM_MAX_AS 2u	     /* address spaces of a VM */

enum gmem_lock_class {
	SLOTS_LOCK,	 /* kvm->slots_lock */
	SLOTS_ARCH_LOCK, /* kvm->slots_arch_lock */
	SRCU,		 /* kvm->srcu, read side */
	INVALIDATE_LOCK, /* the inode's filemap_invalidate_lock */
	MMU_LOCK,	 /* kvm->mmu_lock */
	MMAP_LOCK,	 /* mm->mmap_lock */
	FOLIO_LOCK,	 /* the inode's folios, taken as one */
	I_MMAP_RWSEM,	 /* the inode's mapping->i_mmap_rwsem; of private memory anon_vma->rwsem */
	NOTIFIERS,	 /* mn_active_invalidate_count: held by notifications, waited for */
	INODE_LOCK,	 /* inode->i_rwsem of a memfd */
	RM_LOCK,	 /* restrictedmem's own lock: who is bound to its file */
	MEMFILE_SRCU,	 /* the walk over a memfd's notifiers */
	GMEM_NR_LOCKS,
};
enum gmem_lock_mode { READ, WRITE };

/* A lock's state: the number of readers, or -1 for a writer. */
typedef int16_t gmem_lock;

/* page flags in gmem_inode.folios; FOLIO_PRESENT is set in all of them */
#define FOLIO_PRESENT 1u
#define FOLIO_UPTODATE 2u /* zeroed or populated once */
#define FOLIO_POISONED 4u
#define FOLIO_HUGE 8u	   /* of a huge folio that is not split */
#define FOLIO_ASSIGNED 16u /* an SNP guest's own */

/* gmem_inode.attributes: every page of the file has one of them */
#define PAGE_SHARED 1u	/* host and guest may have it: SHAREABILITY_ALL */
#define PAGE_PRIVATE 2u /* the guest alone: SHAREABILITY_GUEST */

/* flags in gmem_process.ptes */
#define PTE_PRESENT 1u
#define PTE_POISONED 2u /* a hwpoison entry: no page, and every access is SIGBUS */
#define PTE_COPY 4u	/* private memory: a write finds another page than a read did */

/* flags in gmem_vm.sptes */
#define SPTE_PRESENT 1u
#define SPTE_PRIVATE 2u
#define SPTE_GMEM 4u /* the page is the file's, not what userspace_addr maps */
#define SPTE_WRITABLE 8u

/* bits of gmem_slot.kflags: what KVM keeps for itself */
#define SLOT_INVALID 1u
#define SLOT_GMEM_ONLY 2u
#define SLOT_PINS 4u /* it holds a reference on its file, as in the ancestors */

/* bits of gmem_inode.memfd: what only the ancestors' files have */
#define MEMFD 1u
#define MEMFD_INACCESSIBLE 2u /* to userspace: F_SEAL_INACCESSIBLE, SHM_F_ and MEMFILE_F_ */
#define MEMFD_HUGETLB 4u
#define MEMFD_RESTRICTED 8u	 /* behind memfd_restricted(): no method but fallocate() */
#define MEMFD_EXCHANGED_LATE 64u /* what it can do changed when a descriptor of it was there */
#define MEMFD_NO_DATA 128u	 /* nobody stored what the operations look for */
#define MEMFD_DATA_FREED 256u
#define MEMFD_RESIZED 512u  /* out of userspace's reach, and its size was given twice */
#define MEMFD_SHRINKS 1024u /* pages past its end are being truncated */

/* gmem_file.f_op: whose operations a file has */
enum gmem_fops { FOPS_OF_ITS_KIND, FOPS_SHMEM, FOPS_RESTRICTEDMEM };

/* gmem_inode.flags of anonymous memory is the type of its mapping, enum of GMEM_MAP_* */
enum gmem_inode_kind { INODE_GMEM, INODE_ANON, INODE_ORPHAN };
/* GMEM_FD_ANON is where the fifth would be. */
enum gmem_file_kind { FILE_KVM, FILE_VM, FILE_GMEM, FILE_PIN, FILE_MOUNT = 5 };

/*
 * Scratch of hash.c and check.c: in which walk an object was met, and as the how-manieth. No
 * meaning outside a walk.
 */
struct gmem_mark {
	uint32_t walk, number;
	uint32_t counted; /* check.c: references found */
	uint32_t pad;
};

/* The storage, and what is true of it whoever looks at it. */
struct gmem_inode {
	uint32_t kind; /* enum gmem_inode_kind */
	uint32_t refs; /* files (gmem), mappings and pins (others) */
	uint64_t ino;
	uint64_t size; /* bytes; never changes, but for a memfd's: then INODE_LOCK */
	uint64_t flags;
	uint32_t next; /* in gmem_block.inodes */
	uint32_t prev;
	gmem_lock folio_lock;
	gmem_lock invalidate_lock;
	gmem_lock i_mmap_rwsem;
	gmem_lock inode_lock;
	gmem_lock rm_lock;
	gmem_lock memfile_srcu;
	uint32_t memfd; /* MEMFD_* */
	uint32_t seals; /* F_SEAL_* */
	uint32_t mode;	/* permissions of a memfd */
	/* what fstat says: st_dev is a number for each file system */
	uint32_t st_dev;
	uint32_t hidden_dev; /* of a wrapper: those of the file behind it */
	uint64_t st_ino, hidden_ino;
	/* invalidate_lock */
	uint32_t files;	     /* the gmem files, first */
	uint32_t folios;     /* range tree: page -> FOLIO_* */
	uint32_t attributes; /* range tree: page -> PAGE_SHARED or PAGE_PRIVATE, without a gap */
	uint32_t bytes;	     /* range tree: byte offset -> byte, of what is not zero */
	uint32_t
		open_bytes; /* range tree: byte offset -> 1 where the design leaves open what is read */
	uint32_t order;	    /* of its folios: 0, or that of a huge page */
	uint32_t pins;	    /* the gmem_pins of its pages, first */
	/* i_mmap_rwsem */
	uint32_t vmas; /* the mappings, first */
	struct gmem_mark mark;
};

/* An open file: one VM's view of an inode, or a VM, or /dev/kvm, or a pin. */
struct gmem_file {
	uint32_t kind; /* enum gmem_file_kind */
	uint32_t refs; /* descriptors and mappings */
	uint32_t inode;
	uint32_t vm; /* FILE_GMEM and FILE_VM: counted in gmem_vm.users */
	/* range tree: page -> slot; invalidate_lock. A list of notifiers: its order -> slot */
	uint32_t bindings;
	uint32_t next;	     /* in gmem_inode.files */
	uint32_t next_dying; /* in gmem_task.dying */
	/* FILE_PIN */
	uint32_t parts; /* range tree: page of the pin -> gmem_pin */
	uint64_t npages;
	uint64_t pos;	      /* of a memfd: where read() and write() go on */
	uint32_t mount;	      /* FILE_MOUNT: GMEM_MOUNT_* */
	uint32_t dev;	      /* and the st_dev of its files */
	uint8_t f_op;	      /* enum gmem_fops */
	uint8_t backing_f_op; /* what these call in turn, of the same file */
	uint8_t f_op_held;    /* it has a reference on the module that they are in */
	struct gmem_mark mark;
};

/* Pages in a row of one inode that a pin holds. */
struct gmem_pin {
	uint32_t inode;	 /* counted if it is not a gmem's; 0 when that is gone */
	uint32_t next;	 /* in gmem_inode.pins */
	uint32_t holder; /* range tree: page of the inode -> inode that holds it by now */
	uint32_t pad;
	uint64_t page;	/* of the pin */
	uint64_t pgoff; /* of the inode */
	uint64_t npages;
};

struct gmem_vm {
	uint32_t type;
	uint32_t users;	  /* kvm->users_count */
	uint32_t process; /* weak: kvm->mm */
	uint32_t next;	  /* in gmem_block.vms */
	uint32_t prev;
	uint32_t number;   /* of creation: names it to listeners */
	uint32_t gpa_bits; /* the width of guest addresses */
	bool launched;	   /* SNP_LAUNCH_FINISH, TDX_FINALIZE_VM */
	bool file_tracks;  /* KVM_CAP_DISABLE_LEGACY_PRIVATE_TRACKING */
	/* KVM_REQ_MEMORY_MCE: of the tasks whose next KVM_RUN ends in KVM_EXIT_SHUTDOWN, a bit each */
	uint32_t memory_mce;
	gmem_lock slots_lock;
	gmem_lock slots_arch_lock;
	gmem_lock srcu[2]; /* readers, by the period in which they began */
	uint16_t srcu_idx; /* the period that readers begin in now */
	gmem_lock mmu_lock;
	/* slots_lock */
	uint32_t slots;		    /* range tree: as_id << 16 | id -> slot */
	uint32_t gfns[GMEM_MAX_AS]; /* range tree: gfn -> slot */
	uint32_t hvas;		    /* range tree: order of userspace_addr -> slot */
	uint32_t attributes;	    /* range tree: gfn -> GMEM_ATTRIBUTE_* */
	uint64_t most_pages;	    /* no memslot has more */
	uint64_t nr_memslot_pages;
	/* mmu_lock */
	uint32_t sptes;			 /* range tree: gfn -> SPTE_* */
	int64_t in_progress;		 /* mmu_invalidate_in_progress */
	uint64_t range_start, range_end; /* mmu_invalidate_range_*, gfns */
	uint64_t seq;			 /* mmu_invalidate_seq; of no meaning between calls */
	uint32_t notifiers;		 /* mn_active_invalidate_count */
	struct gmem_mark mark;
};

struct gmem_slot {
	uint32_t vm; /* weak */
	uint16_t id, as_id;
	uint32_t flags;	 /* GMEM_MEM_* */
	uint32_t kflags; /* SLOT_* */
	uint64_t gfn, npages;
	uint64_t hva;  /* userspace_addr */
	uint32_t file; /* weak: slot->gmem.file; 0 when closed */
	uint32_t
		inode; /* the file's: what a guest maps of it is mapped until release has zapped it */
	uint64_t pgoff; /* page of the file at gfn */
};

/* One process: its descriptors and its memory. */
struct gmem_process {
	uint32_t number; /* of creation */
	uint32_t tasks;	 /* counted */
	uint32_t next;	 /* in gmem_block.processes */
	uint32_t prev;
	gmem_lock mmap_lock;
	uint32_t fds;	  /* range tree: descriptor -> file */
	uint32_t cloexec; /* range tree: descriptor -> 1 */
	uint32_t vmas;	  /* range tree: page of the address -> gmem_vma */
	uint32_t ptes;	  /* range tree: page of the address -> PTE_* */
	uint32_t nr_fds;
	uint64_t mmap_next; /* the page the next mapping begins at: never one used before */
	struct gmem_mark mark;
};

struct gmem_vma {
	uint32_t process; /* weak */
	uint32_t inode;	  /* counted if the inode is not a gmem's */
	uint32_t file;	  /* counted; 0 for anonymous memory */
	uint32_t next;	  /* in gmem_inode.vmas */
	uint32_t prev;
	uint32_t prot;
	uint32_t never;	     /* what mprotect() is refused */
	uint32_t written;    /* 1: private memory that was written to (anon_vma) */
	uint64_t start, end; /* pages of the address */
	uint64_t pgoff;	     /* page of the inode at start */
};

/* Where one table stands. */
struct gmem_level {
	uint16_t table;
	uint16_t pc;
	int16_t err; /* the failure that is being unwound, negated errno */
	uint16_t pad;
};

struct gmem_held {
	uint8_t class, mode;
	uint16_t pad;	     /* SRCU: the period in which it began */
	uint16_t table, row; /* that took it */
	uint32_t owner;	     /* the object whose lock it is */
};

/*
 * A task, and where its running operation stands. The locals are what the rows of one operation
 * hand to each other; a table that another one calls says which of them it takes and changes.
 */
struct gmem_task {
	uint32_t process;
	uint32_t number;
	uint32_t op;	/* its gmem_op, a cell of its own */
	uint32_t dying; /* files whose last reference went: released when the call returns */
	uint8_t depth;
	uint8_t nr_held;
	bool said; /* which rule decides is known already */
	uint8_t unused;
	uint32_t inject; /* enum gmem_inject, for the next call */
	uint64_t inject_after;
	struct gmem_level level[GMEM_MAX_DEPTH];
	/* locals: objects */
	uint32_t file, inode, vm, slot, new_slot, vma;
	uint32_t owner;	   /* process whose page tables change */
	uint32_t folio_of; /* inode of the folio it holds a reference on */
	uint32_t fd_file;  /* what its descriptor named: held until the call is over */
	uint32_t work;	   /* range tree: pages to convert -> 1 */
	uint32_t at_file, at_vm, at_vma; /* where a walk stands; 0 when none is under way */
	/* locals: places */
	uint64_t start, end; /* pages of the file, or of the address */
	union {
		struct {
			uint64_t gfn, gfn_end; /* pages of the guest */
		};
		struct {
			uint64_t whole_start, whole_end; /* of which start and end are a part */
		};
	};
	uint64_t page; /* of the address */
	union {
		uint64_t pgoff; /* page of the inode: what a fault found */
		uint64_t batch; /* of the file: where the next part begins */
	};
	uint64_t done;	       /* pages */
	uint64_t seq;	       /* gmem_vm.seq when a fault began */
	uint64_t zap, zap_end; /* pages of the owner's addresses */
	uint64_t folio;	       /* page of that folio */
	uint64_t err_page;     /* where a conversion failed */
	uint32_t change;       /* of a memslot: enum gmem_change */
	uint8_t write, private, mmio, hole, stale;
	uint8_t notifying; /* VMs that were told a start of the host's, and not the end */
};

/* The running operation of a task: what was asked, what it results in, what it holds. */
struct gmem_op {
	struct gmem_call call;
	struct gmem_result result;
	struct gmem_held held[GMEM_MAX_HELD];
};

struct gmem_block {
	const struct gmem_profile *profile;
	struct gmem_machine machine;
	uint32_t capacity; /* cells */
	uint32_t used;	   /* cells ever handed out, and cell 0 */
	uint32_t free;	   /* the first cell given back */
	uint32_t nr_free;
	uint32_t inodes, vms, processes; /* first of each */
	uint32_t next_vm, next_process, next_dev;
	uint32_t nr_slots, nr_vmas, nr_pins; /* in the whole world; pins by their parts */
	uint32_t running;		     /* calls that are under way: gmem_begin() */
	uint32_t gone;			     /* modules: bits of enum gmem_module */
	uint32_t tasks[GMEM_MAX_TASKS];
	uint64_t next_ino;
	uint32_t walk;	      /* gmem_mark.walk of the last walk */
	uint32_t cells_found; /* scratch of count.c */
};

_Static_assert(sizeof(struct gmem_block) % 8 == 0, "cells are aligned");
_Static_assert(sizeof(struct gmem_inode) <= GMEM_TAG_OFFSET, "one cell");
_Static_assert(sizeof(struct gmem_file) <= GMEM_TAG_OFFSET, "one cell");
_Static_assert(sizeof(struct gmem_vm) <= GMEM_TAG_OFFSET, "one cell");
_Static_assert(sizeof(struct gmem_slot) <= GMEM_TAG_OFFSET, "one cell");
_Static_assert(sizeof(struct gmem_process) <= GMEM_TAG_OFFSET, "one cell");
_Static_assert(sizeof(struct gmem_pin) <= GMEM_CELL_SIZE, "one cell");
_Static_assert(sizeof(struct gmem_vma) <= GMEM_TAG_OFFSET, "one cell");
_Static_assert(sizeof(struct gmem_task) <= GMEM_CELL_SIZE, "one cell");
_Static_assert(sizeof(struct gmem_op) <= GMEM_CELL_SIZE, "one cell");

struct gmem_listener {
	uint32_t number; /* of the VM */
	gmem_listener_fn fn;
	void *arg;
};

/* What is each world's own and no part of the value. */
struct gmem_world {
	struct gmem_block *b;
	gmem_resize_fn resize;
	void *resize_arg;
	enum gmem_checking checking;
	gmem_observer_fn observer;
	void *observer_arg;
	struct gmem_listener *listeners;
	uint32_t nr_listeners;
	struct gmem_lockdep *lockdep; /* shared by the worlds of one exploration; or null */
	bool reserved;		      /* cells for all calls that will be made are there */
	bool violated;
	struct gmem_violation violation;
};

static inline void *gmem_cell(struct gmem_block *b, uint32_t idx)
{
	return (char *)(b + 1) + (size_t)idx * GMEM_CELL_SIZE;
}

static inline const void *gmem_ccell(const struct gmem_block *b, uint32_t idx)
{
	return (const char *)(b + 1) + (size_t)idx * GMEM_CELL_SIZE;
}

#define INODE(b, i) ((struct gmem_inode *)gmem_cell(b, i))
#define GFILE(b, i) ((struct gmem_file *)gmem_cell(b, i))
#define VM(b, i) ((struct gmem_vm *)gmem_cell(b, i))
#define SLOT(b, i) ((struct gmem_slot *)gmem_cell(b, i))
#define PROCESS(b, i) ((struct gmem_process *)gmem_cell(b, i))
#define PIN(b, i) ((struct gmem_pin *)gmem_cell(b, i))
#define VMA(b, i) ((struct gmem_vma *)gmem_cell(b, i))
#define TASK(b, i) ((struct gmem_task *)gmem_cell(b, i))
#define OP(b, i) ((struct gmem_op *)gmem_cell(b, i))
#define CINODE(b, i) ((const struct gmem_inode *)gmem_ccell(b, i))
#define CFILE(b, i) ((const struct gmem_file *)gmem_ccell(b, i))
#define CVM(b, i) ((const struct gmem_vm *)gmem_ccell(b, i))
#define CSLOT(b, i) ((const struct gmem_slot *)gmem_ccell(b, i))
#define CPROCESS(b, i) ((const struct gmem_process *)gmem_ccell(b, i))
#define CPIN(b, i) ((const struct gmem_pin *)gmem_ccell(b, i))
#define CVMA(b, i) ((const struct gmem_vma *)gmem_ccell(b, i))
#define CTASK(b, i) ((const struct gmem_task *)gmem_ccell(b, i))
#define COP(b, i) ((const struct gmem_op *)gmem_ccell(b, i))

/* Numbers that no node of a tree has there by chance. */
enum gmem_tag {
	TAG_NONE,
	TAG_INODE = 0x6d656d01,
	TAG_FILE,
	TAG_VM,
	TAG_SLOT,
	TAG_PROCESS,
	TAG_VMA,
};

static inline void gmem_tag(struct gmem_block *b, uint32_t idx, enum gmem_tag tag)
{
	*(uint32_t *)((char *)gmem_cell(b, idx) + GMEM_TAG_OFFSET) = tag;
}

/* Whether the cell is an object of that kind, and not something else by now. */
static inline bool gmem_is_a(const struct gmem_block *b, uint32_t idx, enum gmem_tag tag)
{
	return *(const uint32_t *)((const char *)gmem_ccell(b, idx) + GMEM_TAG_OFFSET) == tag;
}

/* The door when the caller names none. */
void *gmem_resize_by_libc(void *arg, void *p, size_t old_size, size_t new_size);

/* A zeroed cell. There is one: gmem_reserve() saw to it before the call began. */
uint32_t gmem_cell_alloc(struct gmem_block *b);
/* The same, not zeroed. */
uint32_t gmem_cell_take(struct gmem_block *b);
void gmem_cell_free(struct gmem_block *b, uint32_t idx);

/* Makes sure that cells can be handed out; false if there is no memory. Moves the block. */
bool gmem_grow(struct gmem_world *w, uint64_t cells);

static inline bool gmem_reserve(struct gmem_world *w, uint64_t cells)
{
	const struct gmem_block *b = w->b;

	return (uint64_t)b->capacity - b->used + b->nr_free >= cells || gmem_grow(w, cells);
}

#endif
