/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What steps touch: for the explorer, which need not try two rows in both orders if neither
 * touches what the other one changes.
 *
 * A place is a part of the world that belongs to one object: the object's cell and the enum name
 * it. For some places it is known which pages of it are meant; then rows on other pages touch
 * something else. What a step touches is written down by its name, in touch.c, and held against
 * what it really reads and writes by tests/test-touch.c. A step that is not written down there
 * touches everything.
 */
#ifndef GMEM_TOUCH_H
#define GMEM_TOUCH_H

#include "state.h"

/*
 * The owner is one of the objects that these locals of the task name, before the row or after it;
 * before the first row of a call they name nothing. Where a place counts something, READ is to
 * count, which many may do at once, and WRITE is to ask whether the count is 0, or to take away
 * what may be the last.
 */
enum gmem_place {
	/* of a process: t->process, t->owner */
	FDS,	/* descriptors */
	VMAS,	/* mappings; with mmap_next */
	PTES,	/* pages of the address */
	COPIES, /* READ: private memory is written to; WRITE: whether it was (gmem_vma.written) */
	/* of a file: t->file, t->at_file, t->fd_file */
	FILE_LIFE, /* READ: comes and goes while others hold it; WRITE: the last one may go */
	BINDINGS,  /* pages of the file */
	/* of an inode: t->inode, t->folio_of */
	INODE_LIFE,  /* READ: a reference comes; WRITE: one goes; its list of files */
	INODE_VMAS,  /* its mappings: the list, and which pages they show */
	FOLIOS,	     /* pages of the inode, with their flags */
	SHARES,	     /* gmem_inode.attributes; pages of the inode */
	INODE_BYTES, /* what is in pages of the inode; open_bytes too */
	PINS,	     /* pages of the inode */
	MAPPED,	     /* READ: an entry for a page changes; WRITE: all of them are looked at */
	MEMFD_STATE, /* its size; seals, permissions and flags of a memfd */
	HOLDS,	     /* READ: a task's own reference for a while; WRITE: whether there are any */
	/* of a VM: t->vm, t->at_vm */
	VM_LIFE,      /* READ: a reference comes; WRITE: one goes */
	VM_STATE,     /* launched, file_tracks, and whether its process is there */
	SLOTS,	      /* memslots, their fields but for the file, where they are found */
	SLOT_FILES,   /* the weak pointers of memslots */
	GFN_ATTRS,    /* gmem_vm.attributes; pages of the guest */
	SPTES,	      /* pages of the guest */
	INVALIDATION, /* mmu_invalidate_*: counts, range and sequence number */
	NOTIFIED,     /* mn_active_invalidate_count. READ: it counts; WRITE: whether it is 0 */
	/* of nobody, or everybody */
	REGISTRY, /* READ: VMs are told; WRITE: the list of them changes, which waits for that */
	TASKS,	  /* which tasks there are */
	GMEM_NR_PLACES, /* and the locks: LOCK_PLACE() of enum gmem_lock_class */
};
#define P(place) (UINT64_C(1) << (place))
#define EVERY_PLACE (P(GMEM_NR_PLACES) - 1)
#define LOCK_PLACE(class) (GMEM_NR_PLACES + (class))

/*
 * Which pages are meant: of the inode or file, of the guest, of the address. 0: all. They are those
 * before the row and those after it. In a file of huge pages whole ones are meant: whoever compares
 * has to round pages of an inode, or of a file, out by gmem_inode.order.
 */
enum gmem_span {
	AT_ALL,
	AT_START, /* t->start to t->end: pages of the inode, or of the address */
	AT_WHOLE, /* t->whole_start to t->whole_end: pages of the inode */
	AT_PGOFF, /* t->pgoff: page of the inode */
	AT_FOLIO, /* t->folio: page of t->folio_of */
	AT_GFN,	  /* t->gfn: page of the guest */
	AT_GFNS,  /* t->gfn to t->gfn_end */
	AT_PAGE,  /* t->page: of the address */
	AT_ZAP,	  /* t->zap to t->zap_end: of the address */
};

struct gmem_touch {
	const char *name; /* of a check, an act or a condition */
	uint64_t reads, writes;
	/* Those of these places that are not (only) of the objects that the task's locals name. */
	uint64_t any;
	/* enum gmem_span; who writes PTES and has an inode_span writes entries for those pages */
	uint8_t inode_span, gfn_span, address_span;
};

/* What the step of that name touches; null if that is not known. */
const struct gmem_touch *gmem_touch_of(const char *name);

/* The names of all that are known; null after the last. */
const char *gmem_touch_name(unsigned int n);

#endif
