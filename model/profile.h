/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A profile: one design of the interface, as a set of tables and numbers. A kernel release is a
 * profile plus the known bugs it shipped with.
 */
#ifndef GMEM_PROFILE_H
#define GMEM_PROFILE_H

#include "step.h"

/* The numbers in which profiles differ: NUMBER(name), one line each. */
#define GMEM_NUMBERS                                                                               \
	NUMBER(create_flags)	   /* KVM_CREATE_GUEST_MEMFD: flags a VM may use */                \
	NUMBER(init_shared)	   /* the one of them that a VM with private memory may not */     \
	NUMBER(gmem_needs_private) /* 1: only a VM with private memory binds memslots */           \
	NUMBER(user_ptr_max)  /* access_ok() on x86-64: the most that address + size may be */     \
	NUMBER(has_flags_cap) /* 1: KVM_CAP_GUEST_MEMFD_FLAGS exists */                            \
	NUMBER(has_prefault)  /* 1: KVM_CAP_PRE_FAULT_MEMORY exists */                             \
	NUMBER(vm_types)      /* bits: the types KVM_CREATE_VM knows on x86-64 */                  \
	NUMBER(statfs_magic)  /* f_type of a guest_memfd */                                        \
	NUMBER(folio_batch)   /* folios that go from a file under one lock */                      \
	NUMBER(has_file_attributes)   /* 1: KVM_SET_MEMORY_ATTRIBUTES2 on the file */              \
	NUMBER(ioctl_file_attributes) /* its number, with the size of its structure */             \
	NUMBER(cap_file_attributes)   /* KVM_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES */                  \
	NUMBER(cap_attributes2)	      /* KVM_CAP_MEMORY_ATTRIBUTES2 */                             \
	NUMBER(cap_content_modes)     /* KVM_CAP_MEMORY_ATTRIBUTES2_FLAGS */                       \
	NUMBER(all_gmem_only)	   /* 1: with file attributes every memslot is the file's alone */ \
	NUMBER(has_shareability)   /* 1: KVM_GMEM_CONVERT_SHARED and _PRIVATE on the file */       \
	NUMBER(either_or)	   /* 1: they need KVM_CAP_DISABLE_LEGACY_PRIVATE_TRACKING */      \
	NUMBER(hugetlb)		   /* the flag of KVM_CREATE_GUEST_MEMFD for huge pages */         \
	NUMBER(ancestor)	   /* 1: no guest_memfd: the memory of a VM is in a memfd */       \
	NUMBER(memfd_flags)	   /* memfd_create(): MFD_* that are known */                      \
	NUMBER(own_seal)	   /* the seal that users may add beside Linux's */                \
	NUMBER(auto_allocate_seal) /* with it only fallocate() allocates */                        \
	NUMBER(private_slot_flags) /* KVM_MEM_* that go with KVM_MEM_PRIVATE */                    \
	NUMBER(private_is_allocated) /* 1: a page is private if the memfd has it */                \
	NUMBER(notifier_list)	     /* 1: memslots are on a list, and not bound to ranges */      \
	NUMBER(vm_attributes)	     /* 1: KVM_SET_MEMORY_ATTRIBUTES is there */                   \
	NUMBER(breaks)		     /* bits: which of OBJ-1 and on the design does not keep to */ \
	NUMBER(unpinned_operations)  /* 1: files do not hold the module of their operations */

#define BREAKS_OBJ(n) (UINT64_C(1) << (n))

struct gmem_numbers {
#define NUMBER(name) uint64_t name;
	GMEM_NUMBERS
#undef NUMBER
};

struct gmem_profile {
	const char *name;
	const char *summary;
	struct gmem_numbers n;
	const char *const *bugs;	    /* museum ids, ends with null */
	const struct gmem_name *caps;	    /* capability numbers of its own; may be null */
	const struct gmem_name *file_flags; /* the same for KVM_CREATE_GUEST_MEMFD */
	const struct gmem_step *tables[GMEM_NR_TABLES];
	/* of a copy made by gmem_profile_with_bugs() */
	gmem_resize_fn resize;
	void *resize_arg;
	size_t size;
};

extern const struct gmem_profile gmem_linux_6_8;
extern const struct gmem_profile gmem_linux_6_18;
extern const struct gmem_profile gmem_rfc_shareability_v2, gmem_rfc_shareability_planned;
extern const struct gmem_profile gmem_coco_rfc_v1, gmem_coco_v5, gmem_coco_v8, gmem_linux_coco_v13;
extern const struct gmem_profile gmem_coco_hugetlb;
extern const struct gmem_profile gmem_memfile_rfc2, gmem_memfile_v4, gmem_memfile_v5,
	gmem_memfile_v6, gmem_memfile_v7;
extern const struct gmem_profile gmem_restrictedmem_v10, gmem_restrictedmem_2023_01,
	gmem_restrictedmem_shim;

#endif
