/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libgmem: a reference model of Linux guest_memfd.
 *
 * A world holds everything that is modelled: processes, VMs, guest_memfd files, memslots, pages
 * and their bytes. Every system call, host access and guest access is one struct gmem_call,
 * made with gmem_call(); what the kernel would have answered is in struct gmem_result, with the
 * row of the operation's table that decided it and the clause that row enforces.
 *
 *	struct gmem_world *w;
 *	struct gmem_result r;
 *
 *	if (gmem_world_new(&w, NULL) != GMEM_DONE)
 *		return;					(out of memory)
 *	gmem_call(w, &(struct gmem_call){ .verb = GMEM_CREATE_VM, .fd = GMEM_KVM_FD }, &r);
 *	gmem_call(w, &(struct gmem_call){ .verb = GMEM_CREATE_GUEST_MEMFD, .fd = r.value,
 *					  .size = 16384 }, &r);
 *	gmem_world_free(w);
 *
 * Three kinds of wrong are three different things. A foolish guest or VMM is a result
 * (r.value is -EINVAL, r.outcome is GMEM_SIGBUS ...). An inconsistent world is a violation
 * (GMEM_VIOLATED, a bug of the model or of the design it models). The host out of memory is a
 * failure of the model itself (GMEM_FAILED), and the world is then exactly as it was before.
 *
 * Units: sizes, lengths, offsets, addresses and gpas are in bytes unless a name says pages.
 * A page has GMEM_PAGE_SIZE bytes. Ranges are half open.
 *
 * Threads: the library has no global state. One world is used by one thread at a time; any
 * number of worlds may be used by any number of threads.
 */
#ifndef GMEM_H
#define GMEM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GMEM_MAX_TASKS 32u /* of one world */

#define GMEM_PAGE_SHIFT 12
#define GMEM_PAGE_SIZE (UINT64_C(1) << GMEM_PAGE_SHIFT)

/* What became of a request to the library itself. */
enum gmem_status {
	GMEM_DONE = 0, /* the result says what the kernel answers */
	GMEM_MISUSE,   /* no such verb, task or kind of descriptor; nothing changed */
	GMEM_VIOLATED, /* an invariant does not hold; gmem_violation() names it */
	GMEM_FAILED,   /* no memory for the model; nothing changed */
};

/*
 * The calls. Above each: what it takes (fields of struct gmem_call), what it results in, what it
 * changes, and the clauses that rule it (gmem explain CLAUSE prints one; doc/spec.md has all).
 * Every verb that takes .fd results in -EBADF where the process has no such descriptor. Every
 * ioctl with a structure takes .argp = 1 for a bad pointer, and then results in -EFAULT.
 */
enum gmem_verb {
	/*
	 * KVM_CHECK_EXTENSION. Takes fd (/dev/kvm or a VM), cap. Results in the capability's
	 * value, 0 for one that is unknown. Changes nothing. Clauses CAP-*.
	 */
	GMEM_CHECK_EXTENSION,
	/*
	 * KVM_CREATE_VM on /dev/kvm. Takes type (enum gmem_vm_type; on arm64 the width of guest
	 * addresses in bits, 0 for 40). Results in a VM descriptor. Clauses VM-*.
	 */
	GMEM_CREATE_VM,
	/*
	 * KVM_CREATE_GUEST_MEMFD. Takes fd (a VM), size, flags (GMEM_FLAG_*), page_order (profiles
	 * that have it). Results in a guest_memfd descriptor, which holds a reference on the VM.
	 * Clauses CREATE-*, HUGE-*.
	 */
	GMEM_CREATE_GUEST_MEMFD,
	/*
	 * KVM_SET_USER_MEMORY_REGION. Takes fd (a VM), slot (address space in bits 16 and up),
	 * flags (GMEM_MEM_*), gpa, size, addr. Results in 0. Creates, moves, changes the flags of
	 * or (size 0) deletes a memslot. Clauses SLOT-*.
	 */
	GMEM_SET_USER_MEMORY_REGION,
	/*
	 * KVM_SET_USER_MEMORY_REGION2. As above; with GMEM_MEM_GUEST_MEMFD in flags also takes
	 * memfd and offset, and binds the slot to that range of the file. Clauses SLOT-*, BIND-*,
	 * UNBIND-*.
	 */
	GMEM_SET_USER_MEMORY_REGION2,
	/*
	 * KVM_SET_MEMORY_ATTRIBUTES on the VM. Takes fd, gpa, size, attributes
	 * (GMEM_ATTRIBUTE_PRIVATE or 0), flags. Results in 0. Clauses ATTR-*.
	 */
	GMEM_SET_MEMORY_ATTRIBUTES,
	/*
	 * KVM_SET_MEMORY_ATTRIBUTES2 on the guest_memfd. Takes fd, offset, size, attributes, flags
	 * (GMEM_CONTENT_*), reserved (1: a reserved word is set), error_offset. Results in 0, with
	 * the structure's error_offset in r.out: as it was, where nothing is written back. argp = 2
	 * is a structure that can be read and not written. Profiles that do not have it: -ENOTTY.
	 * coco-rfc-v1 takes a VM, too, with offset as the guest address. Clauses CONV-*.
	 */
	GMEM_SET_MEMORY_ATTRIBUTES2,
	/*
	 * KVM_GMEM_CONVERT_SHARED and KVM_GMEM_CONVERT_PRIVATE on the guest_memfd. Take fd, offset,
	 * size, error_offset, argp as above. Result in 0, with error_offset in r.out. Profiles that
	 * do not have them: -ENOTTY. Clauses SHARE-*.
	 */
	GMEM_CONVERT_SHARED,
	GMEM_CONVERT_PRIVATE,
	/* KVM_ENABLE_CAP on the VM. Takes fd, cap. Results in 0. Clauses CAP-*, SHARE-*. */
	GMEM_ENABLE_CAP,
	/*
	 * The end of launching a guest: SNP_LAUNCH_FINISH, TDX_FINALIZE_VM. Takes fd (a VM).
	 * Results in 0, and once. Clauses VM-*.
	 */
	GMEM_LAUNCH_FINISH,
	/*
	 * fallocate(2). Takes fd (a guest_memfd), mode (GMEM_FALLOC_*), offset, length. Results in
	 * 0. Allocates pages, or frees them and tells every bound VM. Clauses FALLOC-*, PUNCH-*,
	 * ALLOC-*.
	 */
	GMEM_FALLOCATE,
	/*
	 * The calls that a guest_memfd always refuses. All take fd; ftruncate length, fchmod mode,
	 * read and write length, pread and pwrite offset and length, lseek offset and whence;
	 * fchown is to root, futimens to now. Clauses FILE-*.
	 */
	GMEM_FTRUNCATE,
	GMEM_FCHMOD,
	GMEM_FCHOWN,
	GMEM_FUTIMENS,
	GMEM_READ,
	GMEM_WRITE,
	GMEM_PREAD,
	GMEM_PWRITE,
	GMEM_LSEEK,
	GMEM_FSYNC,
	/*
	 * fcntl(2). Takes fd, cmd (enum gmem_fcntl), value (of F_ADD_SEALS). Results in the
	 * descriptor's or the file's flags; seals are refused. Clauses FILE-*.
	 */
	GMEM_FCNTL,
	/* fstat(2). Takes fd, field (enum gmem_stat). Results in that field. Clauses FILE-*. */
	GMEM_FSTAT,
	/* fstatfs(2). Takes fd, field (enum gmem_statfs). Results in that field. Clauses FILE-*. */
	GMEM_FSTATFS,
	/*
	 * cachestat(2). Takes fd, offset, length (0: to the end). Results in the number of pages
	 * the file has in that range. Clauses FILE-*.
	 */
	GMEM_CACHESTAT,
	/*
	 * mmap(2). Takes fd (a guest_memfd, or -1 with GMEM_MAP_ANONYMOUS), length, prot, flags,
	 * offset, addr (with GMEM_MAP_FIXED). Results in the address. Clauses MMAP-*.
	 */
	GMEM_MMAP,
	/* munmap(2), mprotect(2), madvise(2). Take addr, length; prot; advice. Result in 0. Clauses
	 * MMAP-*, MADV-*. */
	GMEM_MUNMAP,
	GMEM_MPROTECT,
	GMEM_MADVISE,
	/*
	 * fork(2). Takes task (the parent) and value (the number the child's task will have, below
	 * GMEM_MAX_TASKS and not in use). Results in that number. The child has the parent's descriptors and
	 * mappings. Clauses PROC-*.
	 */
	GMEM_FORK,
	/*
	 * A second task of the same process, with its descriptors and its memory, as pthread_create(3)
	 * makes one. Takes and results in what GMEM_FORK does. Clauses PROC-*.
	 */
	GMEM_THREAD,
	/* _exit(2). Takes task. Results in 0. The task is gone, and with the last one its
	 * process: mappings, then descriptors. Task 0 cannot exit. Clauses PROC-*. */
	GMEM_EXIT,
	/*
	 * A load by the host program. Takes addr, size (1, 2, 4 or 8). Results in the value, in
	 * GMEM_UNSPECIFIED, GMEM_SIGBUS or GMEM_SIGSEGV. May allocate the page. Clauses HOST-*.
	 */
	GMEM_LOAD,
	/* A store by the host program. As GMEM_LOAD, with value; results in 0. Clauses HOST-*. */
	GMEM_STORE,
	/*
	 * A long-term pin of host pages, as VFIO or io_uring takes one. Takes addr, length.
	 * Results in a descriptor that holds the pages. Clauses PIN-*.
	 */
	GMEM_PIN,
	/* Ends a pin. Takes fd. Results in 0. Clauses PIN-*. */
	GMEM_UNPIN,
	/* A load through the pin, as a device makes one. Takes fd (a pin), offset, size. Results
	 * in the value, or in GMEM_UNSPECIFIED. Clauses PIN-*. */
	GMEM_PIN_LOAD,
	/* A store through the pin. Takes fd (a pin), offset, size, value. Results in 0. */
	GMEM_PIN_STORE,
	/*
	 * A load by the guest. Takes fd (a VM), gpa, size (1, 2, 4 or 8, inside one page), access
	 * (GMEM_ACCESS_PRIVATE or 0; heeded by SNP and TDX guests). Results in the value, in
	 * GMEM_UNSPECIFIED, GMEM_MEMORY_FAULT or GMEM_MMIO, or in -EFAULT from KVM_RUN. Clauses
	 * GUEST-*, PFN-*.
	 */
	GMEM_GUEST_LOAD,
	/* A store by the guest. As GMEM_GUEST_LOAD, with value; results in 0. */
	GMEM_GUEST_STORE,
	/*
	 * kvm_gmem_populate() as SNP_LAUNCH_UPDATE and TDX_INIT_MEM_REGION call it. Takes fd (a
	 * VM), gpa, size, addr (source; 0 for none). Results in the number of pages done. Clauses
	 * POPULATE-*.
	 */
	GMEM_POPULATE,
	/*
	 * KVM_PRE_FAULT_MEMORY. Takes fd (a VM), gpa, size, flags. Results in 0, with the bytes
	 * left in r.out. Clauses PREFAULT-*.
	 */
	GMEM_PRE_FAULT_MEMORY,
	/*
	 * A machine check hits the page at offset, as madvise(HWPOISON) makes one. Takes fd (a
	 * guest_memfd), offset. Results in -EBUSY where the page was marked (with its
	 * neighbours, if it is part of a huge page), -EHWPOISON where it was before, or -ENXIO where
	 * none is allocated. Clauses POISON-*.
	 */
	GMEM_MEMORY_FAILURE,
	/*
	 * Arranges what the next call of the same task meets, and then is forgotten. Takes what
	 * (enum gmem_inject), value: a signal is pending once so many pages are done, or the
	 * kernel's allocator fails after so many allocations (of a page each; calls that
	 * allocate no pages make one). Results in 0.
	 */
	GMEM_INJECT,
	/* dup(2). Takes fd. Results in a descriptor of the same file. Clauses FD-*. */
	GMEM_DUP,
	/* close(2). Takes fd. Results in 0; the last one releases the file. Clauses FD-*,
	 * RELEASE-*, DESTROY-*. */
	GMEM_CLOSE,
	/*
	 * The calls of the ancestors alone; elsewhere -ENOSYS, -ENOTTY, or GMEM_MISUSE where the model
	 * has no answer.
	 *
	 * memfd_create(2). Takes flags (MFD_*). Results in a descriptor of a file of size 0. Clauses
	 * MEMFD-*.
	 */
	GMEM_MEMFD_CREATE,
	/*
	 * memfd_restricted(2). Takes flags, memfd (a mount; restrictedmem-shim only, -1 for none).
	 * Results in a descriptor of a file of size 0. Clauses RMEM-*.
	 */
	GMEM_MEMFD_RESTRICTED,
	/*
	 * A descriptor of a directory on a mount. Takes mode (enum gmem_mount). Results in a
	 * descriptor. Clauses RMEM-*.
	 */
	GMEM_OPEN_MOUNT,
	/*
	 * KVM_MEMORY_ENCRYPT_REG_REGION and KVM_MEMORY_ENCRYPT_UNREG_REGION as memfile-notifier-v7
	 * has them. Take fd (a VM), gpa, size. Result in 0. Clauses REG-*.
	 */
	GMEM_REG_REGION,
	GMEM_UNREG_REGION,
	/*
	 * delete_module(2). Takes what (enum gmem_module). Results in 0, and the module's code is
	 * gone. Clauses STORE-*, OBJ-*.
	 */
	GMEM_RMMOD,
	GMEM_NR_VERBS,
};

enum gmem_arch { GMEM_X86_64, GMEM_ARM64 };

enum gmem_vm_type {
	GMEM_VM_DEFAULT = 0, /* KVM_X86_DEFAULT_VM; on arm64 a VM of 40 bits */
	GMEM_VM_SW_PROTECTED = 1,
	GMEM_VM_SEV = 2,
	GMEM_VM_SEV_ES = 3,
	GMEM_VM_SNP = 4,
	GMEM_VM_TDX = 5,
	GMEM_NR_VM_TYPES,
};

/* KVM_CREATE_GUEST_MEMFD flags */
#define GMEM_FLAG_MMAP (UINT64_C(1) << 0)
#define GMEM_FLAG_INIT_SHARED (UINT64_C(1) << 1)
/* the same bits in rfc-shareability-v2, and more; HUGETLB also in coco-hugetlb */
#define GMEM_FLAG_SUPPORT_SHARED (UINT64_C(1) << 0)
#define GMEM_FLAG_INIT_PRIVATE (UINT64_C(1) << 1)
#define GMEM_FLAG_HUGETLB (UINT64_C(1) << 2)
#define GMEM_FLAG_HUGE_SHIFT 58 /* above: log2 of the page size */
#define GMEM_FLAG_HUGE_2MB (UINT64_C(21) << GMEM_FLAG_HUGE_SHIFT)
#define GMEM_FLAG_HUGE_1GB (UINT64_C(30) << GMEM_FLAG_HUGE_SHIFT)
#define GMEM_FLAG_HUGE_16GB (UINT64_C(34) << GMEM_FLAG_HUGE_SHIFT)

/* KVM_SET_MEMORY_ATTRIBUTES2 flags, in the versions that had content modes */
#define GMEM_CONTENT_ZERO (UINT64_C(1) << 0)
#define GMEM_CONTENT_PRESERVE (UINT64_C(1) << 1)

/* memslot flags */
#define GMEM_MEM_LOG_DIRTY_PAGES (UINT64_C(1) << 0)
#define GMEM_MEM_READONLY (UINT64_C(1) << 1)
#define GMEM_MEM_GUEST_MEMFD (UINT64_C(1) << 2)

#define GMEM_ATTRIBUTE_PRIVATE (UINT64_C(1) << 3)
#define GMEM_ACCESS_PRIVATE (UINT64_C(1) << 3)
#define GMEM_EXIT_FLAG_PRIVATE (UINT64_C(1) << 3) /* KVM_MEMORY_EXIT_FLAG_PRIVATE */

/* fallocate modes */
#define GMEM_FALLOC_KEEP_SIZE UINT64_C(0x01)
#define GMEM_FALLOC_PUNCH_HOLE UINT64_C(0x02)
#define GMEM_FALLOC_NO_HIDE_STALE UINT64_C(0x04)
#define GMEM_FALLOC_COLLAPSE_RANGE UINT64_C(0x08)
#define GMEM_FALLOC_ZERO_RANGE UINT64_C(0x10)
#define GMEM_FALLOC_INSERT_RANGE UINT64_C(0x20)
#define GMEM_FALLOC_UNSHARE_RANGE UINT64_C(0x40)
#define GMEM_FALLOC_WRITE_ZEROES UINT64_C(0x80)

/* mmap */
#define GMEM_PROT_READ UINT64_C(1)
#define GMEM_PROT_WRITE UINT64_C(2)
#define GMEM_PROT_EXEC UINT64_C(4)
#define GMEM_MAP_SHARED UINT64_C(0x01)
#define GMEM_MAP_PRIVATE UINT64_C(0x02)
#define GMEM_MAP_SHARED_VALIDATE UINT64_C(0x03)
#define GMEM_MAP_DROPPABLE UINT64_C(0x08)
#define GMEM_MAP_FIXED UINT64_C(0x10)
#define GMEM_MAP_ANONYMOUS UINT64_C(0x20)

enum gmem_cap { /* the numbers of KVM_CAP_* */
		GMEM_CAP_MULTI_ADDRESS_SPACE = 118,
		GMEM_CAP_USER_MEMORY = 3,
		GMEM_CAP_READONLY_MEM = 81,
		GMEM_CAP_USER_MEMORY2 = 231,
		GMEM_CAP_MEMORY_FAULT_INFO = 232,
		GMEM_CAP_MEMORY_ATTRIBUTES = 233,
		GMEM_CAP_GUEST_MEMFD = 234,
		GMEM_CAP_VM_TYPES = 235,
		GMEM_CAP_PRE_FAULT_MEMORY = 236,
		GMEM_CAP_GUEST_MEMFD_FLAGS = 244,
		/* numbers that moved from version to version: these are the last */
		GMEM_CAP_GMEM_SHARED_MEM = 240,
		GMEM_CAP_GMEM_CONVERSION = 241,
		GMEM_CAP_GMEM_HUGETLB = 242,
		GMEM_CAP_MEMORY_ATTRIBUTES2 = 245,
		GMEM_CAP_MEMORY_ATTRIBUTES2_FLAGS = 250,
		GMEM_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES = 252,
		/* planned and never given a number: this one is the model's */
		GMEM_CAP_DISABLE_LEGACY_PRIVATE_TRACKING = 0x10000,
};

enum gmem_whence { GMEM_SEEK_SET, GMEM_SEEK_CUR, GMEM_SEEK_END, GMEM_SEEK_DATA, GMEM_SEEK_HOLE };
enum gmem_fcntl { GMEM_F_GETFD = 1, GMEM_F_GETFL = 3, GMEM_F_ADD_SEALS = 1033, GMEM_F_GET_SEALS };
enum gmem_stat {
	GMEM_ST_SIZE,
	GMEM_ST_BLOCKS,
	GMEM_ST_BLKSIZE,
	GMEM_ST_MODE,
	GMEM_ST_NLINK,
	GMEM_ST_UID
};
enum gmem_statfs { GMEM_F_TYPE, GMEM_F_BSIZE };
enum gmem_advice { /* the numbers of MADV_* */
		   GMEM_MADV_NORMAL = 0,
		   GMEM_MADV_DONTNEED = 4,
		   GMEM_MADV_REMOVE = 9,
		   GMEM_MADV_HUGEPAGE = 14,
		   GMEM_MADV_NOHUGEPAGE = 15,
		   GMEM_MADV_POPULATE_READ = 22,
		   GMEM_MADV_POPULATE_WRITE = 23,
		   GMEM_MADV_COLLAPSE = 25,
};
/* memfd_create(2): Linux's MFD_*, and what the ancestors added */
#define GMEM_MFD_INACCESSIBLE UINT64_C(8)
enum gmem_mount { /* as bits: what memfd_restricted() is picky about */
		  GMEM_MOUNT_TMPFS = 1,
		  GMEM_MOUNT_NOEXEC = 2, /* SB_I_NOEXEC */
		  GMEM_MOUNT_SUBDIR = 4, /* a directory below the mount's root */
		  GMEM_MOUNT_BIND = 8,	 /* of a part of the file system */
		  GMEM_MOUNT_RDONLY = 16,
		  GMEM_MOUNT_DATA = 32, /* its files have private_data, as no tmpfs has */
};
enum gmem_module { GMEM_MODULE_STORE = 1, GMEM_MODULE_OPERATIONS };
enum gmem_inject { GMEM_INJECT_NONE, GMEM_INJECT_SIGNAL, GMEM_INJECT_ENOMEM };

/* One call. Fields that a verb does not name are ignored and best left 0. */
struct gmem_call {
	uint32_t verb; /* enum gmem_verb */
	uint32_t task; /* who makes it; 0 is the task that every world begins with */
	int64_t fd;
	int64_t memfd;
	uint64_t slot;
	union {
		uint64_t cap, type, whence, advice, field, cmd, what;
	};
	union {
		uint64_t size, length; /* bytes */
	};
	uint64_t flags;
	union {
		uint64_t gpa, reserved, page_order;
	};
	uint64_t addr; /* host virtual address, from GMEM_MMAP */
	uint64_t offset;
	union {
		uint64_t mode, prot, attributes, access;
	};
	union {
		uint64_t value, error_offset;
	};
	/* 1: the structure's address was a bad pointer; 2: it is read-only; 3: it changes meanwhile */
	uint64_t argp;
};

enum gmem_outcome {
	GMEM_VALUE,	   /* value: what the call returns; below 0 the negated errno */
	GMEM_SIGBUS,	   /* the access raised SIGBUS */
	GMEM_SIGSEGV,	   /* the access raised SIGSEGV */
	GMEM_MEMORY_FAULT, /* KVM_EXIT_MEMORY_FAULT; value is KVM_RUN's negated errno */
	GMEM_MMIO,	   /* KVM_EXIT_MMIO; value 0 */
	GMEM_ERROR_EXIT,   /* KVM_EXIT_MEMORY_ERROR, of memfile-notifier-v4 to -v6 */
	GMEM_SHUTDOWN,	   /* KVM_EXIT_SHUTDOWN; value 0 */
	GMEM_UNSPECIFIED,  /* bytes whose value the design leaves open; value 0 */
	GMEM_NR_OUTCOMES,
};

struct gmem_result {
	uint32_t outcome; /* enum gmem_outcome */
	uint16_t clause;  /* of the row that decided; gmem_clause() */
	uint16_t row;	  /* its number in table, from 0 */
	uint32_t table;	  /* enum gmem_verb, or a part of one; gmem_table_name() */
	uint32_t
		loaded; /* 1: value is eight bytes that were loaded, though it looks like an errno */
	int64_t value;
	uint64_t out;	     /* GMEM_PRE_FAULT_MEMORY: bytes left; conversions: error_offset */
	uint64_t gpa;	     /* of an exit: where */
	uint64_t exit_size;  /* of an exit: bytes */
	uint64_t exit_flags; /* GMEM_EXIT_FLAG_PRIVATE; for MMIO 1 if it is a write */
};

/* ---- The language of calls: what a printer, a parser or a generator needs to know ---- */

struct gmem_name { /* ends with a null name */
	const char *name;
	uint64_t value;
};

enum gmem_param_kind {
	GMEM_P_FD,    /* a descriptor of one of the kinds in gmem_param.fds */
	GMEM_P_INT,   /* signed decimal */
	GMEM_P_SIZE,  /* bytes */
	GMEM_P_WIDTH, /* bytes of one load or store: 1, 2, 4 or 8 */
	GMEM_P_HEX,   /* a number written in hexadecimal */
	GMEM_P_ADDR,  /* a host address: a mapping and an offset */
	GMEM_P_FLAGS, /* names joined by | */
	GMEM_P_NAME,  /* one name */
};

/* kinds of descriptor, as bits */
#define GMEM_FD_KVM 1u
#define GMEM_FD_VM 2u
#define GMEM_FD_GMEM 4u
#define GMEM_FD_PIN 8u
#define GMEM_FD_MOUNT 32u
#define GMEM_FD_ANY 47u
#define GMEM_FD_ANON 16u /* mmap only: -1 may stand for no file */

struct gmem_param {
	const char *name;
	uint8_t kind;	  /* enum gmem_param_kind */
	uint8_t optional; /* its value is then dflt */
	uint8_t bits;	  /* the kernel's width: 32 or 64 */
	uint16_t offset;  /* of the uint64_t in struct gmem_call */
	uint32_t fds;	  /* GMEM_P_FD: GMEM_FD_* */
	uint64_t dflt;
	const struct gmem_name *names; /* GMEM_P_FLAGS, GMEM_P_NAME */
};

enum gmem_binds { GMEM_BINDS_NOTHING, GMEM_BINDS_FD, GMEM_BINDS_ADDR, GMEM_BINDS_TASK };

struct gmem_verb_info {
	const char *name;
	uint8_t binds;			 /* enum gmem_binds: what the value of a success is */
	uint8_t binds_fd;		 /* GMEM_FD_*: of which kind; dup: of its argument's */
	uint8_t result;			 /* enum gmem_param_kind to write the value in */
	const char *out;		 /* the name of gmem_result.out, or null */
	const struct gmem_param *params; /* ends with a null name */
};

/* The verb's description; null if there is no such verb. */
const struct gmem_verb_info *gmem_verb_info(uint32_t verb);

/* "EINVAL" for 22; null for a number no profile uses. */
const char *gmem_errno_name(int err);
/* 22 for "EINVAL"; 0 for a name no profile uses. */
int gmem_errno_number(const char *name);

/* ---- Profiles and rules ---- */

struct gmem_profile;

/* Profile number n, from 0: releases, then proposals; null past the last. */
const struct gmem_profile *gmem_profile(unsigned int n);
/* The newest release. */
const struct gmem_profile *gmem_profile_default(void);
/* The profile of that name; null if there is none. */
const struct gmem_profile *gmem_profile_find(const char *name);
const char *gmem_profile_name(const struct gmem_profile *p);
/*
 * The names that a profile has for the values of a parameter, where they are others than
 * gmem_param.names: capability numbers moved, and bits changed their meaning. Null if they are
 * not, or p is null.
 */
const struct gmem_name *gmem_profile_names(const struct gmem_profile *p,
					   const struct gmem_param *param);
/* One sentence: what it is the interface of. */
const char *gmem_profile_summary(const struct gmem_profile *p);
/* 1 if the design has that call (enum gmem_verb), and the model an answer to it; else 0. */
int gmem_profile_has(const struct gmem_profile *p, uint32_t verb);

/* The n-th of the numbers in which profiles differ, from 0; 0 if there is none. */
struct gmem_number {
	const char *name;
	uint64_t value;
};
int gmem_profile_number(const struct gmem_profile *p, unsigned int n, struct gmem_number *number);

/* The museum bugs that the kernel of that release shipped with: "B45"; null past the last. */
const char *gmem_profile_bug(const struct gmem_profile *p, unsigned int n);
/* The id of museum bug number n, from 0, in the order of ids; null past the last. */
const char *gmem_bug(unsigned int n);
/* A museum bug's title; null for an unknown id. */
const char *gmem_bug_title(const char *id);

/* One row of an operation's table. */
struct gmem_row {
	const char *name;   /* of the step function: what the kernel does there */
	const char *kind;   /* "check", "lock", "unlock", "wait", "do", "each", "call", "call each",
			       "done", "retry", "answer" */
	const char *detail; /* lock and mode, or the table called; may be empty */
	uint16_t clause;
	int16_t err; /* what a failing check results in, negated; 0 if it varies */
};

/* Tables are numbered 0 .. gmem_nr_tables() - 1; the first GMEM_NR_VERBS are the verbs'. */
unsigned int gmem_nr_tables(void);
const char *gmem_table_name(unsigned int table);
/* The n-th row of a table; 0 if there is none (or the profile has no such operation). */
int gmem_profile_row(const struct gmem_profile *p, unsigned int table, unsigned int n,
		     struct gmem_row *row);

struct gmem_clause {
	const char *name;     /* "PUNCH-2" */
	const char *sentence; /* the promise */
	const char *source;   /* the kernel function or thread it comes from */
};
/* Clause number n, from 1; null past the last. */
const struct gmem_clause *gmem_clause(unsigned int n);
/* The number of the clause of that name; 0 if there is none. */
unsigned int gmem_clause_find(const char *name);

/* ---- The world ---- */

struct gmem_world;

/*
 * The one door through which memory comes: resize p from old_size to new_size bytes (either may
 * be 0), as realloc() and free() would. Null for a new_size above 0 means there is none.
 */
typedef void *(*gmem_resize_fn)(void *arg, void *p, size_t old_size, size_t new_size);

/*
 * A copy of a profile with museum bugs in its tables: those of ids (ends with null), or all that
 * the release shipped with if ids is null. resize may be null (realloc() and free()). GMEM_DONE,
 * GMEM_FAILED, or GMEM_MISUSE (a bug that is unknown, or not of this profile's tables). The copy
 * must outlive the worlds that use it; gmem_profile_free() frees it.
 */
enum gmem_status gmem_profile_with_bugs(struct gmem_profile **copy, const struct gmem_profile *p,
					const char *const *ids, gmem_resize_fn resize, void *arg);
/*
 * A copy in which one row of a table is without effect: a lock is not taken, nor given back; a
 * check is asked, and does not refuse; any other row is passed over. For finding out what notices.
 * Rows of the kinds "lock", "unlock" and "check" are safe to leave out. Without another one, rows
 * after it may take what it did not make for made: a call may then crash, or not end.
 * GMEM_DONE, GMEM_FAILED or GMEM_MISUSE (there is no such row).
 */
enum gmem_status gmem_profile_without(struct gmem_profile **copy, const struct gmem_profile *p,
				      unsigned int table, unsigned int row, gmem_resize_fn resize,
				      void *arg);
void gmem_profile_free(struct gmem_profile *copy);

/* The machine and the kernel's configuration, as far as a caller can tell. */
struct gmem_machine {
	uint8_t arch;	  /* enum gmem_arch */
	uint8_t vm_types; /* bit n: KVM_CREATE_VM accepts type n; bit 0 is always on */
	uint8_t smm;	  /* x86: a second address space for memslots */
	uint8_t tdp;	  /* hardware page tables for guests: KVM_PRE_FAULT_MEMORY works */
	uint32_t max_fds; /* RLIMIT_NOFILE of every process; 0 means 1024 */
	/* 32 to 52; x86 with tdp: MAXPHYADDR, 0 means 52; arm64: IPA limit, 0 means 48 */
	uint8_t phys_bits;
	uint8_t in_place; /* kvm.ko's gmem_in_place_conversion, in profiles that have it */
};
extern const struct gmem_machine gmem_machine_default; /* x86-64 with everything */

enum gmem_checking {
	GMEM_CHECK_NEVER, /* only gmem_check() */
	GMEM_CHECK_CALLS, /* after every call */
	GMEM_CHECK_STEPS, /* after every step of every call */
};

struct gmem_config {
	const struct gmem_profile *profile; /* null: the default */
	const struct gmem_machine *machine; /* null: gmem_machine_default */
	gmem_resize_fn resize;		    /* null: realloc() and free() */
	void *resize_arg;
	enum gmem_checking checking;
};

/*
 * Makes a world with one process and task 0, in which descriptor GMEM_KVM_FD is /dev/kvm.
 * config may be null. GMEM_DONE; GMEM_FAILED, or GMEM_MISUSE (such a machine there cannot be), and
 * then *w is null.
 */
enum gmem_status gmem_world_new(struct gmem_world **w, const struct gmem_config *config);
#define GMEM_KVM_FD 3

void gmem_world_free(struct gmem_world *w);

/*
 * Makes dst what src is. Listeners, observers and memory stay each world's own. GMEM_DONE or
 * GMEM_FAILED; then dst is as it was.
 */
enum gmem_status gmem_world_copy(struct gmem_world *dst, const struct gmem_world *src);

/* Equal for worlds that mean the same, whatever order of calls built them. */
uint64_t gmem_world_hash(const struct gmem_world *w);
/* 1 if the worlds mean the same (by a digest of 128 bits), else 0. */
int gmem_world_equal(const struct gmem_world *a, const struct gmem_world *b);

const struct gmem_profile *gmem_world_profile(const struct gmem_world *w);
/*
 * Goes on under another profile. What one design lets a guest or a host map another may not, and
 * then the next check says so: for a world in which nobody has mapped a page yet.
 */
void gmem_world_set_profile(struct gmem_world *w, const struct gmem_profile *p);

/*
 * Makes one call and runs it to its end. See enum gmem_verb. GMEM_DONE, GMEM_MISUSE (r.value
 * is -EINVAL), GMEM_VIOLATED or GMEM_FAILED. While a call that gmem_begin() began is under way, of
 * any task, it is GMEM_MISUSE: it might have to wait. Where a violation stopped a call half way, it
 * is GMEM_VIOLATED from then on, until another world is copied over this one.
 */
enum gmem_status gmem_call(struct gmem_world *w, const struct gmem_call *call,
			   struct gmem_result *r);

/*
 * Calls that overlap: begun one after the other, and run row by row in any order. gmem_begin()
 * begins a call of a task that runs none: GMEM_DONE, GMEM_MISUSE or GMEM_FAILED. gmem_step() runs
 * the next row of a task's call: GMEM_DONE, GMEM_MISUSE (it runs none; or its descriptor turns out
 * to be of a kind that the call has no answer for, and it is over as if it had not been begun),
 * GMEM_VIOLATED or GMEM_FAILED; *progress says what became of it, and r is filled in when the call
 * is over.
 */
enum gmem_progress {
	GMEM_RAN,   /* a row */
	GMEM_WAITS, /* for a lock, or for somebody else: nothing has changed */
	GMEM_OVER,  /* that was the last row */
};
enum gmem_status gmem_begin(struct gmem_world *w, const struct gmem_call *call);
enum gmem_status gmem_step(struct gmem_world *w, uint32_t task, enum gmem_progress *progress,
			   struct gmem_result *r);
/* 1 if gmem_step() would run a row of the task, 0 if it is in no call or waits. */
int gmem_task_can_step(const struct gmem_world *w, uint32_t task);
/* 1 if the task is in a call, else 0. */
int gmem_task_runs(const struct gmem_world *w, uint32_t task);

/* GMEM_FD_* of a descriptor of that task's process; 0 if it has no such descriptor. */
unsigned int gmem_fd_kind(const struct gmem_world *w, uint32_t task, int64_t fd);
/* 1 if there is such a task, else 0. */
int gmem_task_exists(const struct gmem_world *w, uint32_t task);

/* ---- Invariants ---- */

struct gmem_violation {
	const char *invariant; /* "I3" */
	const char *sentence;  /* what should be true */
	const char *saw;       /* what was seen */
	uint64_t a, b;	       /* and where: numbers whose meaning saw gives */
};
/* Checks every invariant. GMEM_DONE, or GMEM_VIOLATED with *v filled in; v may be null. */
enum gmem_status gmem_check(const struct gmem_world *w, struct gmem_violation *v);
/* The last violation that gmem_call() reported. */
const struct gmem_violation *gmem_violation(const struct gmem_world *w);
/* Invariant number n, from 0: "I1" and its sentence; null past the last. */
const char *gmem_invariant(unsigned int n, const char **sentence);

/* ---- Objections: what reviewers demand, and a design may break ---- */

/* The clause of objection number n, from 0; 0 past the last. */
unsigned int gmem_objection(unsigned int n);
/* 1 if the world shows objection number n, with *v filled in; else 0. */
int gmem_shows_objection(const struct gmem_world *w, unsigned int n, struct gmem_violation *v);
/* 1 if the design breaks it, as its profile says; else 0. */
int gmem_profile_breaks(const struct gmem_profile *p, unsigned int n);

/* ---- Notifications: what KVM is told ---- */

enum gmem_event_kind {
	GMEM_INVALIDATE_START,
	GMEM_INVALIDATE_END,
	GMEM_MEMORY_ERROR,
	/* The two callbacks of memfile_notifier, which have no end: one event a memslot. */
	GMEM_INVALIDATE, /* pages of the file are about to go: invalidate() */
	GMEM_POPULATED,	 /* pages were allocated: fallocate(), in v6 populate() */
};
enum gmem_event_origin {
	GMEM_BY_FILE,	    /* the guest_memfd: punch, release, conversion, memory failure */
	GMEM_BY_ATTRIBUTES, /* KVM_SET_MEMORY_ATTRIBUTES */
	GMEM_BY_HOST,	    /* the host's page tables: mmu_notifier */
};

struct gmem_event {
	uint8_t kind;	/* enum gmem_event_kind */
	uint8_t origin; /* enum gmem_event_origin */
	uint16_t slot;	/* id of the memslot concerned (START: one event a memslot) */
	uint16_t as_id;
	uint64_t pgoff, pgoff_end; /* pages of the file; 0, 0 if not by a file */
	uint64_t gfn, gfn_end;	   /* pages of the guest; 0, 0 for END */
};
typedef void (*gmem_listener_fn)(void *arg, const struct gmem_event *event);

/*
 * From now on fn(arg, event) sees what the VM is told; null ends it. The listener must not
 * call the library. GMEM_DONE, GMEM_MISUSE (fd of that task's process is not
 * a VM) or GMEM_FAILED.
 */
enum gmem_status gmem_listen(struct gmem_world *w, uint32_t task, int64_t fd, gmem_listener_fn fn,
			     void *arg);

/* ---- Rows ---- */

/* Sees every row that runs: for explaining, and for coverage of the rules. */
struct gmem_step_event {
	uint32_t table;
	uint16_t row;
	uint16_t clause;
	uint8_t depth; /* of tables called by tables, from 0 */
	int8_t passed; /* 1 passed, 0 decided the call's result, -1 was skipped (its condition) */
	int16_t err;   /* where it decided: the negated errno, or 0 */
};
typedef void (*gmem_observer_fn)(void *arg, const struct gmem_step_event *event);
/* null ends it. */
void gmem_observe(struct gmem_world *w, gmem_observer_fn fn, void *arg);

/* The library's version: "0.1.0". */
const char *gmem_version(void);

#ifdef __cplusplus
}
#endif

#include "gmem-explore.h"

#endif
