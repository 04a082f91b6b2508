/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The oracle's lists, for the files it consists of; see oracle.h.
 *
 * A process has one task, and the task's number is the process's. "memory" is what pages belong
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

struct process {
	bool there;
	uint64_t inject, inject_after;
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
};

struct memory {
	enum memory_kind kind;
	bool gone;
	int vm; /* of a guest_memfd */
	uint64_t size, flags;
};

struct page {
	bool taken;
	uint32_t holders;
	bool used; /* by anybody, so that it may no longer be populated */
	bool poisoned;
	uint8_t bytes[GMEM_PAGE_SIZE];
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
	bool gmem_only;
};

/* What was said about attributes. The last word on a gfn counts. */
struct said {
	int vm;
	uint64_t gfn, end, attributes;
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
#define PAGES 256
#define MAPPINGS 48
#define ENTRIES 256
#define SLOTS 64
#define SAIDS 64
#define PINS 16

struct oracle {
	bool is_6_8;
	bool outside;
	struct gmem_machine machine;
	const struct gmem_result *models;
	struct process processes[TASKS];
	unsigned int nr_opens, nr_vms, nr_memories, nr_pages, nr_held, nr_mappings, nr_entries,
		nr_slots, nr_said, nr_pins, nr_pinned;
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

/* oracle.c */
struct open *find_open(struct oracle *o, const struct gmem_call *c, int64_t fd);
bool fds_are_left(struct oracle *o, const struct gmem_call *c);
int64_t open_fd(struct oracle *o, const struct gmem_call *c, enum kind kind, int number);
/* Whether this call meets what was injected, now that it has done so many pages. */
bool meets(const struct oracle *o, const struct gmem_call *c, uint64_t what, uint64_t pages);
/* After something was closed or unmapped: what nobody refers to any more ends. */
void sweep(struct oracle *o);

/* oracle-pages.c */
int new_memory(struct oracle *o, enum memory_kind kind, uint64_t size, uint64_t flags, int vm);
struct page *find_page(struct oracle *o, int memory, uint64_t pgoff);
struct page *new_page(struct oracle *o, int memory, uint64_t pgoff);
void copy_pages(struct oracle *o, int to, int from, uint64_t pgoff, uint64_t end);
/* Takes the pages of [start, end) away from the memory. */
void drop_pages(struct oracle *o, int memory, uint64_t start, uint64_t end);
void pin_page(struct oracle *o, int pin, uint64_t at, struct page *page);
void unpin(struct oracle *o, int pin);
struct page *pinned_page(struct oracle *o, int pin, uint64_t at);
uint64_t read_byte(const struct page *page, uint64_t at);
void write_byte(struct page *page, uint64_t at, uint64_t value);

/* oracle-host.c */
enum touch { TOUCHED, UNMAPPED, FORBIDDEN, NOT_THERE, POISONED };
struct mapping *mapping_at(struct oracle *o, uint32_t process, uint64_t page);
/* Touches a page (of the address) as the program would. */
enum touch touch(struct oracle *o, uint32_t process, uint64_t page, bool write,
		 struct page **found);
struct entry *find_entry(struct oracle *o, uint32_t process, uint64_t page);
void drop_entries(struct oracle *o, uint32_t process, uint64_t start, uint64_t end);
void drop_mappings(struct oracle *o, uint32_t process, uint64_t start, uint64_t end);

/* oracle-vm.c */
bool has_private_memory(const struct oracle *o, int vm);
bool machine_has_private_memory(const struct oracle *o);
bool is_private(struct oracle *o, int vm, uint64_t gfn);
struct slot *slot_at(struct oracle *o, int vm, uint64_t as, uint64_t gfn);
/* A VM's descriptor: 0; otherwise why an ioctl of a VM is refused there. */
int64_t vm_ioctl(struct oracle *o, const struct gmem_call *c, int *vm);

/* The verbs. Each returns the value; the outcome is GMEM_VALUE unless it says otherwise. */
typedef int64_t oracle_verb(struct oracle *o, const struct gmem_call *c, struct gmem_result *r);
oracle_verb oracle_check_extension, oracle_create_vm, oracle_create_guest_memfd;
oracle_verb oracle_set_region, oracle_set_attributes, oracle_no_such_ioctl;
oracle_verb oracle_fallocate, oracle_refuse_file, oracle_pread, oracle_lseek, oracle_fcntl;
oracle_verb oracle_fstat, oracle_fstatfs, oracle_cachestat, oracle_memory_failure;
oracle_verb oracle_mmap, oracle_munmap, oracle_mprotect, oracle_madvise;
oracle_verb oracle_load, oracle_store, oracle_pin, oracle_unpin, oracle_pin_access;
oracle_verb oracle_guest_access, oracle_populate, oracle_pre_fault;

#endif
