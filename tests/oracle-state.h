/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The oracle's lists, for the files it consists of; see oracle.h.
 *
 * A call is made by a task; what it opens and maps is its process's. "memory" is what pages belong
 * to: a guest_memfd, or anonymous memory. Numbers into lists stay what they are until the lists
 * are begun anew, except where an element is said to move.
 */
#ifndef ORACLE_STATE_H
#define ORACLE_STATE_H

#include <errno.h>
#include <stdbool.h>

#include "oracle.h"

#define PAGE GMEM_PAGE_SIZE
#define USER_END ((UINT64_C(1) << 47) - PAGE) /* where a program's addresses end */
#define NONE (-1)

enum kind { KVM, VM, FILE_, PIN };
enum memory_kind { GUEST_MEMFD, ANON_SHARED, ANON_PRIVATE };

struct task {
	bool there;
	uint32_t process;
	uint64_t inject, inject_after;
};

/* As long as one of its tasks is. */
struct process {
	uint64_t ever; /* bytes it and its ancestors ever mapped */
};

struct open { /* moves */
	uint32_t process;
	int64_t fd;
	enum kind kind;
	int number; /* of a VM, a memory or a pin */
};

struct vm {
	uint64_t type;
	int process; /* the only one that may use it; NONE when that is gone */
	bool launched;
	bool files_track; /* private memory is what its files say */
};

struct memory {
	enum memory_kind kind;
	bool gone;
	int vm; /* of a guest_memfd */
	uint64_t size, flags;
	uint64_t block; /* pages that come and go together: 1, or those of a huge page */
};

struct page {
	bool taken;
	uint32_t holders;
	bool used;     /* by anybody, so that it may no longer be populated */
	bool assigned; /* to an SNP guest, as its private memory */
	bool poisoned;
	bool open;    /* without contents: whoever reads it cannot know what that gives */
	int contents; /* NONE for a page that is zero all over, or open */
};

/* What a page holds, and of which bytes nobody can know. */
struct contents {
	bool taken;
	uint8_t bytes[GMEM_PAGE_SIZE];
	bool open[GMEM_PAGE_SIZE];
};

struct held { /* moves */
	int memory;
	uint64_t pgoff;
	int page;
};

struct mapping { /* moves */
	uint32_t process;
	uint64_t start, end; /* pages of the address */
	uint64_t prot;
	int memory;
	uint64_t pgoff; /* of start */
};

/* A page that a process has touched through a mapping. */
struct entry { /* moves */
	uint32_t process;
	uint64_t page;
	bool poisoned; /* while it was mapped */
};

struct slot { /* moves */
	int vm;
	uint64_t as, id, flags, gfn, npages, addr;
	int memory; /* bound to; NONE also when the file is gone */
	uint64_t pgoff;
	bool gmem_only; /* for good; see also file_tracks() */
};

/* What was said about attributes, of a VM's pages or of a file's. The last word on a page counts. */
struct said {
	enum kind of; /* VM or FILE_ */
	int number;
	uint64_t start, end, attributes;
};

struct pin {
	uint64_t npages;
};

struct pinned { /* moves */
	int pin;
	uint64_t at;
	int page;
};

#define TASKS 32
#define OPENS 128
#define VMS 12
#define MEMORIES 48
#define PAGES 4096
#define CONTENTS 256
#define MAPPINGS 48
#define ENTRIES 2048
#define SLOTS 64
#define SAIDS 128
#define PINS 16

/* The interfaces, oldest first. */
enum design {
	LINUX_6_8,
	LINUX_6_18,
	SHAREABILITY,
	SHAREABILITY_PLANNED,
	COCO_RFC_V1,
	COCO_V5,
	COCO_V8,
	COCO_V13,
	COCO_HUGETLB,
};

struct oracle {
	enum design design;
	bool is_6_8, is_shareability, is_coco;
	bool is_ancestor;	    /* about which it knows nothing */
	bool files_have_attributes; /* instead of VMs */
	bool outside;
	struct gmem_machine machine;
	const struct gmem_result *models;
	struct task tasks[TASKS];
	struct process processes[TASKS]; /* no more of these than of tasks */
	unsigned int nr_opens, nr_vms, nr_memories, nr_pages, nr_held, nr_mappings, nr_entries,
		nr_slots, nr_said, nr_pins, nr_pinned, nr_contents;
	struct open opens[OPENS];
	struct vm vms[VMS];
	struct memory memories[MEMORIES];
	struct held held[PAGES];
	struct mapping mappings[MAPPINGS];
	struct entry entries[ENTRIES];
	struct slot slots[SLOTS];
	struct said said[SAIDS];
	struct pin pins[PINS];
	struct pinned pinned[PAGES];
	struct page pages[PAGES];
	struct contents contents[CONTENTS];
};

/* One more in a list that has room for it; otherwise the last one, and the oracle gives up. */
#define ONE_MORE(o, list, nr)                                 \
	((o)->nr < sizeof((o)->list) / sizeof((o)->list[0]) ? \
		 &(o)->list[(o)->nr++] :                      \
		 ((o)->outside = true, &(o)->list[(o)->nr - 1]))

static inline bool aligned(uint64_t x)
{
	return x % PAGE == 0;
}

static inline bool wraps(uint64_t x, uint64_t length)
{
	return x + length < x;
}

static inline uint32_t process_of(const struct oracle *o, const struct gmem_call *c)
{
	return o->tasks[c->task].process;
}

/* oracle.c */
struct open *find_open(struct oracle *o, const struct gmem_call *c, int64_t fd);
bool fds_are_left(struct oracle *o, const struct gmem_call *c);
int64_t open_fd(struct oracle *o, const struct gmem_call *c, enum kind kind, int number);
/* Whether this call meets what was injected, now that it has done so many pages. */
bool meets(const struct oracle *o, const struct gmem_call *c, uint64_t what, uint64_t pages);
/* The same for a signal, where pages are done by the huge page. */
bool meets_signal(const struct oracle *o, const struct gmem_call *c, uint64_t pages);
/* After something was closed or unmapped: what nobody refers to any more ends. */
void sweep(struct oracle *o);

/* oracle-pages.c */
int new_memory(struct oracle *o, enum memory_kind kind, uint64_t size, uint64_t flags, int vm);
struct page *find_page(struct oracle *o, int memory, uint64_t pgoff);
/* Of a file of huge pages, the whole huge page. */
struct page *new_page(struct oracle *o, int memory, uint64_t pgoff);
void copy_page(struct oracle *o, struct page *to, const struct page *from);
void zero_page(struct oracle *o, struct page *page);
/* From now on nobody knows what it holds; or whoever reads it gets what it holds. */
void open_page(struct oracle *o, struct page *page, bool open);
void copy_pages(struct oracle *o, int to, int from, uint64_t pgoff, uint64_t end);
/* Takes the pages of [start, end) away from the memory. */
void drop_pages(struct oracle *o, int memory, uint64_t start, uint64_t end);
void pin_page(struct oracle *o, int pin, uint64_t at, struct page *page);
void unpin(struct oracle *o, int pin);
struct page *pinned_page(struct oracle *o, int pin, uint64_t at);
bool is_pinned(const struct oracle *o, const struct page *page);
uint64_t read_byte(const struct oracle *o, const struct page *page, uint64_t at);
void write_byte(struct oracle *o, struct page *page, uint64_t at, uint64_t value);
/* What a load of c->size bytes gives: pages[i] is the page of byte i, at + i where it is there. */
int64_t load_bytes(const struct oracle *o, const struct gmem_call *c, struct page *const *pages,
		   uint64_t at, struct gmem_result *r);
void store_bytes(struct oracle *o, const struct gmem_call *c, struct page *const *pages,
		 uint64_t at);

/* oracle-host.c */
enum touch { TOUCHED, UNMAPPED, FORBIDDEN, NOT_THERE, POISONED };
struct mapping *mapping_at(struct oracle *o, uint32_t process, uint64_t page);
/* Touches a page (of the address) as the program would. */
enum touch touch(struct oracle *o, uint32_t process, uint64_t page, bool write,
		 struct page **found);
struct entry *find_entry(struct oracle *o, uint32_t process, uint64_t page);
void drop_entries(struct oracle *o, uint32_t process, uint64_t start, uint64_t end);
/* Those of pages [start, end) of the memory; those that were poisoned stay what they are. */
void drop_entries_of(struct oracle *o, int memory, uint64_t start, uint64_t end);
void drop_mappings(struct oracle *o, uint32_t process, uint64_t start, uint64_t end);

/* oracle-vm.c */
bool has_private_memory(const struct oracle *o, int vm);
bool machine_has_private_memory(const struct oracle *o);
bool has_readonly_memory(const struct oracle *o, int vm);
uint64_t address_spaces(const struct oracle *o, int vm);
bool is_private(struct oracle *o, int vm, uint64_t gfn);
/* In shareability: the memslot's file is open and says what is private, and has all of the memory. */
bool file_tracks(const struct oracle *o, const struct slot *s);
/* The last word on that page; otherwise, if nothing was ever said of it. */
uint64_t attributes_of(const struct oracle *o, enum kind of, int number, uint64_t page,
		       uint64_t otherwise);
bool all_are(const struct oracle *o, enum kind of, int number, uint64_t start, uint64_t end,
	     uint64_t attributes, uint64_t otherwise);
/* The one thing that a call allocates, which allocates no pages, is not to be had. */
bool lacks_memory(const struct oracle *o, const struct gmem_call *c);
/* What an ioctl number that is not of this descriptor is answered with. */
int64_t not_of(const struct oracle *o, const struct gmem_call *c, const struct open *open);
/* A VM's descriptor: 0; otherwise why an ioctl of a VM is refused there. */
int64_t vm_ioctl(struct oracle *o, const struct gmem_call *c, int *vm);

/* oracle-memslot.c */
struct slot *slot_at(struct oracle *o, int vm, uint64_t as, uint64_t gfn);
/* The address has the bit by which a TDX guest says that it means shared memory. */
bool is_alias(const struct oracle *o, int vm, uint64_t gpa);

/* oracle-convert.c */
bool page_is_private(const struct oracle *o, int memory, uint64_t pgoff);
/* Of the pages that come and go together with it, all are private: none of them is the host's. */
bool is_whole(const struct oracle *o, int memory, uint64_t pgoff);
/* The first page of the range that somebody holds; end if there is none. */
uint64_t first_busy(const struct oracle *o, int memory, uint64_t start, uint64_t end);

/* oracle-huge.c */
/* 0 for a file of small pages, -EINVAL, or the size of its pages in bytes. */
int64_t huge_page_size(const struct oracle *o, const struct gmem_call *c);
int64_t allocate(struct oracle *o, const struct gmem_call *c, int memory);
/* Pages of the memory. */
int64_t punch(struct oracle *o, int memory, uint64_t start, uint64_t end);

/* The verbs. Each returns the value; the outcome is GMEM_VALUE unless it says otherwise. */
typedef int64_t oracle_verb(struct oracle *o, const struct gmem_call *c, struct gmem_result *r);
oracle_verb oracle_check_extension, oracle_create_vm, oracle_create_guest_memfd;
oracle_verb oracle_set_region, oracle_set_attributes, oracle_enable_cap, oracle_launch_finish;
oracle_verb oracle_set_attributes2, oracle_convert, oracle_no_ioctl, oracle_no_syscall;
oracle_verb oracle_fallocate, oracle_refuse_file, oracle_pread, oracle_lseek, oracle_fcntl;
oracle_verb oracle_fstat, oracle_fstatfs, oracle_cachestat, oracle_memory_failure;
oracle_verb oracle_mmap, oracle_munmap, oracle_mprotect, oracle_madvise;
oracle_verb oracle_load, oracle_store, oracle_pin, oracle_unpin, oracle_pin_access;
oracle_verb oracle_guest_access, oracle_populate, oracle_pre_fault;

#endif
