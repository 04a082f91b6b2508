/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The alphabets of test-small.c: for each the calls that open a tiny world, and those that sequences are
 * made of.
 */
#ifndef SMALL_ALPHABETS_H
#define SMALL_ALPHABETS_H

#include "gmem.h"

#define MOST 5
#define P GMEM_PAGE_SIZE
#define GPA 0x100000

/* Calls, and the ones that open their world: what a call names is what these got. */
struct alphabet {
	const char *name;
	unsigned int most; /* calls in a sequence */
	const char *profile;
	uint8_t vm_types;
	const struct gmem_call *opening, *calls;
	unsigned int nr_opening, nr_calls;
};

#define CALL(v, ...)                          \
	{                                     \
		.verb = GMEM_##v, __VA_ARGS__ \
	}

/* descriptors: 4 the VM, 5 the file */
#define VM 4
#define FILE_ 5
#define FIRST_MAPPING UINT64_C(0x40000000)

#define REGION(...) CALL(SET_USER_MEMORY_REGION2, .fd = VM, .memfd = FILE_, __VA_ARGS__)
#define ATTRIBUTES(gfn, n, a) \
	CALL(SET_MEMORY_ATTRIBUTES, .fd = VM, .gpa = GPA + (gfn)*P, .size = (n)*P, .attributes = a)
#define ALLOCATE(pgoff, n)                                                               \
	CALL(FALLOCATE, .fd = FILE_, .mode = GMEM_FALLOC_KEEP_SIZE, .offset = (pgoff)*P, \
	     .length = (n)*P)
#define PUNCH(pgoff, n)                                                                      \
	CALL(FALLOCATE, .fd = FILE_, .mode = GMEM_FALLOC_KEEP_SIZE | GMEM_FALLOC_PUNCH_HOLE, \
	     .offset = (pgoff)*P, .length = (n)*P)
#define MAP(...) CALL(MMAP, .fd = FILE_, .prot = 3, __VA_ARGS__)
#define AT(page) .addr = FIRST_MAPPING + (page)*P
#define GUEST(verb, gfn, ...) \
	CALL(GUEST_##verb, .fd = VM, .gpa = GPA + (gfn)*P, .size = 1, __VA_ARGS__)

static const struct gmem_call shared_opening[] = {
	CALL(CREATE_VM, .fd = GMEM_KVM_FD),
	CALL(CREATE_GUEST_MEMFD, .fd = VM, .size = 2 * P,
	     .flags = GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED),
	MAP(.length = 2 * P, .flags = GMEM_MAP_SHARED | GMEM_MAP_FIXED, AT(0)),
};

/* Memory that host and guest share. */
static const struct gmem_call shared_calls[] = {
	REGION(.flags = GMEM_MEM_GUEST_MEMFD, .gpa = GPA, .size = 2 * P, AT(0)),
	REGION(.slot = 1, .flags = GMEM_MEM_GUEST_MEMFD, .gpa = GPA + 2 * P, .size = P,
	       .offset = P),
	REGION(.slot = 0, .gpa = GPA),
	REGION(.slot = 2, .gpa = GPA + 4 * P, .size = 2 * P, AT(0)),
	REGION(.slot = 2, .gpa = GPA + 5 * P, .size = 2 * P, AT(0)),
	ALLOCATE(0, 2),
	PUNCH(0, 1),
	PUNCH(0, 2),
	CALL(LOAD, AT(0), .size = 1),
	CALL(STORE, AT(0), .size = 1, .value = 0x11),
	CALL(STORE, .addr = FIRST_MAPPING + P - 1, .size = 2, .value = 0x2222),
	CALL(MUNMAP, AT(0), .length = P),
	CALL(MUNMAP, AT(0), .length = 2 * P),
	MAP(.length = 2 * P, .flags = GMEM_MAP_SHARED),
	MAP(.length = P, .flags = GMEM_MAP_SHARED | GMEM_MAP_FIXED, .offset = P, AT(0)),
	CALL(MPROTECT, AT(0), .length = P, .prot = GMEM_PROT_READ),
	CALL(MADVISE, AT(0), .length = P, .advice = GMEM_MADV_DONTNEED),
	CALL(MADVISE, AT(0), .length = 2 * P, .advice = GMEM_MADV_REMOVE),
	CALL(MADVISE, AT(0), .length = 2 * P, .advice = GMEM_MADV_POPULATE_WRITE),
	CALL(PIN, AT(0), .length = P),
	CALL(UNPIN, .fd = 6),
	CALL(PIN_LOAD, .fd = 6, .size = 1),
	CALL(PIN_STORE, .fd = 6, .size = 1, .value = 0x33),
	GUEST(LOAD, 0),
	GUEST(STORE, 0, .value = 0x44),
	GUEST(LOAD, 2),
	GUEST(STORE, 4, .value = 0x55),
	CALL(MEMORY_FAILURE, .fd = FILE_),
	CALL(DUP, .fd = FILE_),
	CALL(CLOSE, .fd = FILE_),
	CALL(CLOSE, .fd = VM),
	CALL(FORK, .value = 1),
	CALL(STORE, .task = 1, AT(0), .size = 1, .value = 0x66),
	CALL(CLOSE, .task = 1, .fd = FILE_),
	CALL(EXIT, .task = 1),
	CALL(CACHESTAT, .fd = FILE_),
};

static const struct gmem_call private_opening[] = {
	CALL(CREATE_VM, .fd = GMEM_KVM_FD, .type = GMEM_VM_SNP),
	CALL(CREATE_GUEST_MEMFD, .fd = VM, .size = 2 * P),
	CALL(MMAP, .fd = -1, .length = 2 * P, .prot = 3,
	     .flags = GMEM_MAP_PRIVATE | GMEM_MAP_ANONYMOUS | GMEM_MAP_FIXED, AT(0)),
	CALL(STORE, AT(0), .size = 1, .value = 0x77),
};

/* Private memory beside shared memory. */
static const struct gmem_call private_calls[] = {
	REGION(.flags = GMEM_MEM_GUEST_MEMFD, .gpa = GPA, .size = 2 * P, AT(0)),
	REGION(.slot = 1, .flags = GMEM_MEM_GUEST_MEMFD, .gpa = GPA + P, .size = P, .offset = P),
	REGION(.slot = 0, .gpa = GPA),
	ATTRIBUTES(0, 2, GMEM_ATTRIBUTE_PRIVATE),
	ATTRIBUTES(0, 1, 0),
	ATTRIBUTES(1, 1, GMEM_ATTRIBUTE_PRIVATE),
	ALLOCATE(0, 2),
	PUNCH(0, 1),
	GUEST(LOAD, 0),
	GUEST(LOAD, 0, .access = GMEM_ACCESS_PRIVATE),
	GUEST(STORE, 0, .value = 0x11),
	GUEST(STORE, 0, .access = GMEM_ACCESS_PRIVATE, .value = 0x22),
	GUEST(STORE, 1, .access = GMEM_ACCESS_PRIVATE, .value = 0x33),
	CALL(POPULATE, .fd = VM, .gpa = GPA, .size = 2 * P, AT(0)),
	CALL(POPULATE, .fd = VM, .gpa = GPA, .size = P),
	CALL(PRE_FAULT_MEMORY, .fd = VM, .gpa = GPA, .size = 2 * P),
	CALL(INJECT, .what = GMEM_INJECT_SIGNAL, .value = 1),
	CALL(INJECT, .what = GMEM_INJECT_ENOMEM, .value = 1),
	CALL(LOAD, AT(0), .size = 1),
	CALL(STORE, AT(1), .size = 1, .value = 0x44),
	CALL(MUNMAP, AT(0), .length = P),
	CALL(MADVISE, AT(0), .length = 2 * P, .advice = GMEM_MADV_DONTNEED),
	CALL(MEMORY_FAILURE, .fd = FILE_),
	CALL(CLOSE, .fd = FILE_),
	CALL(CLOSE, .fd = VM),
	CALL(FORK, .value = 1),
	GUEST(LOAD, 0, .task = 1),
	CALL(CLOSE, .task = 1, .fd = FILE_),
	CALL(EXIT, .task = 1),
	CALL(CACHESTAT, .fd = FILE_),
};

static const struct gmem_call first_opening[] = {
	CALL(CREATE_VM, .fd = GMEM_KVM_FD, .type = GMEM_VM_SW_PROTECTED),
	CALL(CREATE_GUEST_MEMFD, .fd = VM, .size = 2 * P),
	CALL(MMAP, .fd = -1, .length = 2 * P, .prot = 3,
	     .flags = GMEM_MAP_SHARED | GMEM_MAP_ANONYMOUS | GMEM_MAP_FIXED, AT(0)),
};

/* guest_memfd as it was in the beginning. */
static const struct gmem_call first_calls[] = {
	REGION(.flags = GMEM_MEM_GUEST_MEMFD, .gpa = GPA, .size = 2 * P, AT(0)),
	REGION(.slot = 1, .flags = GMEM_MEM_GUEST_MEMFD, .gpa = GPA + 2 * P, .size = P,
	       .offset = P),
	REGION(.slot = 0, .gpa = GPA),
	REGION(.slot = 1, .gpa = GPA + P, .size = P, .flags = GMEM_MEM_READONLY, AT(1)),
	ATTRIBUTES(0, 2, GMEM_ATTRIBUTE_PRIVATE),
	ATTRIBUTES(0, 1, 0),
	ALLOCATE(0, 2),
	PUNCH(0, 1),
	GUEST(LOAD, 0),
	GUEST(STORE, 0, .value = 0x11),
	GUEST(LOAD, 1),
	GUEST(STORE, 1, .value = 0x22),
	CALL(LOAD, AT(0), .size = 1),
	CALL(STORE, AT(1), .size = 1, .value = 0x33),
	CALL(MADVISE, AT(0), .length = P, .advice = GMEM_MADV_REMOVE),
	CALL(MPROTECT, AT(0), .length = 2 * P, .prot = GMEM_PROT_READ),
	CALL(MUNMAP, AT(0), .length = P),
	MAP(.length = P, .flags = GMEM_MAP_SHARED),
	CALL(MEMORY_FAILURE, .fd = FILE_),
	CALL(DUP, .fd = FILE_),
	CALL(CLOSE, .fd = FILE_),
	CALL(CLOSE, .fd = VM),
	CALL(CACHESTAT, .fd = FILE_),
};

static const struct gmem_call last_opening[] = {
	CALL(CREATE_VM, .fd = GMEM_KVM_FD),
	CALL(CREATE_GUEST_MEMFD, .fd = VM, .size = 2 * P,
	     .flags = GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED),
	REGION(.flags = GMEM_MEM_GUEST_MEMFD, .gpa = GPA, .size = 2 * P),
	MAP(.length = 2 * P, .flags = GMEM_MAP_SHARED | GMEM_MAP_FIXED, AT(0)),
	CALL(STORE, AT(0), .size = 1, .value = 0x11),
	CALL(CREATE_VM, .fd = GMEM_KVM_FD),
	CALL(PIN, AT(0), .length = P),
};

/* Everything ends, in every order. 6 is another VM, 7 a pin. */
static const struct gmem_call last_calls[] = {
	CALL(CLOSE, .fd = VM),
	CALL(CLOSE, .fd = FILE_),
	CALL(CLOSE, .fd = 6),
	CALL(UNPIN, .fd = 7),
	CALL(DUP, .fd = FILE_),
	CALL(MUNMAP, AT(0), .length = 2 * P),
	CALL(MUNMAP, AT(1), .length = P),
	REGION(.slot = 0, .gpa = GPA),
	CALL(SET_USER_MEMORY_REGION2, .fd = 6, .memfd = FILE_, .flags = GMEM_MEM_GUEST_MEMFD,
	     .gpa = GPA, .size = P),
	CALL(FORK, .value = 1),
	CALL(THREAD, .value = 1),
	CALL(CLOSE, .task = 1, .fd = FILE_),
	CALL(MUNMAP, .task = 1, AT(0), .length = 2 * P),
	CALL(EXIT, .task = 1),
	GUEST(LOAD, 0),
	CALL(LOAD, AT(0), .size = 1),
	CALL(PIN_LOAD, .fd = 7, .size = 1),
	PUNCH(0, 1),
};

#define SHARED 0
#define PRIVATE GMEM_ATTRIBUTE_PRIVATE
#define CONVERT(pgoff, n, to, ...)                                                    \
	CALL(SET_MEMORY_ATTRIBUTES2, .fd = FILE_, .offset = (pgoff)*P, .size = (n)*P, \
	     .attributes = to, __VA_ARGS__)
#define SHARE(verb, pgoff, n, ...) \
	CALL(CONVERT_##verb, .fd = FILE_, .offset = (pgoff)*P, .size = (n)*P, __VA_ARGS__)

static const struct gmem_call convert_opening[] = {
	CALL(CREATE_VM, .fd = GMEM_KVM_FD, .type = GMEM_VM_SNP),
	CALL(CREATE_GUEST_MEMFD, .fd = VM, .size = 2 * P,
	     .flags = GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED),
	REGION(.flags = GMEM_MEM_GUEST_MEMFD, .gpa = GPA, .size = 2 * P),
	MAP(.length = 2 * P, .flags = GMEM_MAP_SHARED | GMEM_MAP_FIXED, AT(0)),
};

/* A file that converts, of a guest that says of each access what it takes the page for. */
static const struct gmem_call convert_calls[] = {
	CONVERT(0, 1, PRIVATE),
	CONVERT(0, 1, SHARED),
	CONVERT(0, 2, PRIVATE, .error_offset = P),
	CONVERT(1, 1, SHARED),
	CONVERT(1, 1, PRIVATE, .argp = 2),
	CALL(STORE, AT(0), .size = 1, .value = 0x11),
	CALL(LOAD, AT(0), .size = 1),
	CALL(LOAD, AT(1), .size = 1),
	GUEST(STORE, 0, .value = 0x22),
	GUEST(STORE, 0, .access = GMEM_ACCESS_PRIVATE, .value = 0x33),
	GUEST(LOAD, 0),
	GUEST(LOAD, 0, .access = GMEM_ACCESS_PRIVATE),
	GUEST(LOAD, 1, .access = GMEM_ACCESS_PRIVATE),
	CALL(PIN, AT(0), .length = P),
	CALL(PIN, AT(1), .length = P),
	CALL(UNPIN, .fd = 6),
	CALL(PIN_LOAD, .fd = 6, .size = 1),
	PUNCH(0, 1),
	CALL(POPULATE, .fd = VM, .gpa = GPA, .size = 2 * P),
	CALL(MEMORY_FAILURE, .fd = FILE_),
	CALL(INJECT, .what = GMEM_INJECT_ENOMEM),
	REGION(.slot = 0, .gpa = GPA),
	CALL(CLOSE, .fd = FILE_),
};

static const struct gmem_call modes_opening[] = {
	CALL(CREATE_VM, .fd = GMEM_KVM_FD, .type = GMEM_VM_SW_PROTECTED),
	CALL(CREATE_GUEST_MEMFD, .fd = VM, .size = 2 * P,
	     .flags = GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED),
	REGION(.flags = GMEM_MEM_GUEST_MEMFD, .gpa = GPA, .size = 2 * P),
	MAP(.length = 2 * P, .flags = GMEM_MAP_SHARED | GMEM_MAP_FIXED, AT(0)),
};

/* The caller says what becomes of the contents. */
static const struct gmem_call modes_calls[] = {
	CONVERT(0, 1, PRIVATE),
	CONVERT(0, 1, SHARED),
	CONVERT(0, 2, PRIVATE, .flags = GMEM_CONTENT_PRESERVE),
	CONVERT(0, 2, SHARED, .flags = GMEM_CONTENT_PRESERVE),
	CONVERT(0, 2, SHARED, .flags = GMEM_CONTENT_ZERO),
	CONVERT(0, 1, PRIVATE, .flags = GMEM_CONTENT_ZERO),
	ALLOCATE(0, 2),
	PUNCH(0, 1),
	CALL(STORE, AT(0), .size = 1, .value = 0x11),
	CALL(STORE, .addr = FIRST_MAPPING + P - 1, .size = 2, .value = 0x2222),
	CALL(LOAD, AT(0), .size = 1),
	CALL(LOAD, .addr = FIRST_MAPPING + P - 1, .size = 2),
	GUEST(STORE, 0, .value = 0x33),
	GUEST(LOAD, 0),
	GUEST(LOAD, 1),
	CALL(PIN, AT(0), .length = 2 * P),
	CALL(PIN_LOAD, .fd = 6, .offset = P, .size = 1),
	CALL(UNPIN, .fd = 6),
};

static const struct gmem_call share_opening[] = {
	CALL(CREATE_VM, .fd = GMEM_KVM_FD, .type = GMEM_VM_SW_PROTECTED),
	CALL(CREATE_GUEST_MEMFD, .fd = VM, .size = 4 * P, .flags = GMEM_FLAG_SUPPORT_SHARED),
	REGION(.flags = GMEM_MEM_GUEST_MEMFD, .gpa = GPA, .size = 4 * P),
	MAP(.length = 4 * P, .flags = GMEM_MAP_SHARED | GMEM_MAP_FIXED, AT(0)),
};

/* Shareability: only what has to change is looked at. */
static const struct gmem_call share_calls[] = {
	SHARE(PRIVATE, 0, 4),
	SHARE(PRIVATE, 1, 1),
	SHARE(PRIVATE, 0, 2, .argp = 2),
	SHARE(SHARED, 0, 4),
	SHARE(SHARED, 1, 2),
	SHARE(SHARED, 4, 1),
	ATTRIBUTES(0, 2, GMEM_ATTRIBUTE_PRIVATE),
	CALL(ENABLE_CAP, .fd = VM, .cap = GMEM_CAP_DISABLE_LEGACY_PRIVATE_TRACKING),
	CALL(STORE, AT(0), .size = 1, .value = 0x11),
	CALL(LOAD, AT(1), .size = 1),
	CALL(LOAD, AT(3), .size = 1),
	GUEST(STORE, 1, .value = 0x22),
	GUEST(LOAD, 0),
	CALL(PIN, AT(1), .length = P),
	CALL(PIN, AT(2), .length = 2 * P),
	CALL(UNPIN, .fd = 6),
	PUNCH(1, 2),
	CALL(MEMORY_FAILURE, .fd = FILE_, .offset = P),
	CALL(INJECT, .what = GMEM_INJECT_ENOMEM),
	REGION(.slot = 1, .flags = GMEM_MEM_GUEST_MEMFD, .gpa = GPA + 4 * P, .size = P, AT(0)),
	REGION(.slot = 0, .gpa = GPA),
};

#define HP UINT64_C(512) /* small pages of a huge one */

static const struct gmem_call huge_share_opening[] = {
	CALL(CREATE_VM, .fd = GMEM_KVM_FD, .type = GMEM_VM_SW_PROTECTED),
	CALL(CREATE_GUEST_MEMFD, .fd = VM, .size = 2 * HP * P,
	     .flags = GMEM_FLAG_SUPPORT_SHARED | GMEM_FLAG_HUGETLB | GMEM_FLAG_HUGE_2MB),
	REGION(.flags = GMEM_MEM_GUEST_MEMFD, .gpa = GPA, .size = 2 * HP * P),
	MAP(.length = 2 * HP * P, .flags = GMEM_MAP_SHARED | GMEM_MAP_FIXED, AT(0)),
};

/* The same of huge pages. */
static const struct gmem_call huge_share_calls[] = {
	SHARE(PRIVATE, 0, 2 * HP),
	SHARE(PRIVATE, 0, 1),
	SHARE(PRIVATE, HP - 1, 2),
	SHARE(SHARED, 0, 2 * HP),
	SHARE(SHARED, 0, HP),
	ALLOCATE(0, HP + 1),
	PUNCH(0, 1),
	PUNCH(0, HP),
	PUNCH(1, 2 * HP - 1),
	CALL(STORE, AT(0), .size = 1, .value = 0x11),
	CALL(LOAD, AT(0), .size = 1),
	GUEST(LOAD, HP),
	CALL(PIN, AT(HP), .length = P),
	CALL(UNPIN, .fd = 6),
	CALL(INJECT, .what = GMEM_INJECT_ENOMEM, .value = 1),
	CALL(MADVISE, AT(0), .length = HP * P, .advice = GMEM_MADV_REMOVE),
	CALL(CACHESTAT, .fd = FILE_, .length = HP * P),
	CALL(CACHESTAT, .fd = FILE_),
};

static const struct gmem_call huge_opening[] = {
	CALL(CREATE_VM, .fd = GMEM_KVM_FD, .type = GMEM_VM_SW_PROTECTED),
	CALL(CREATE_GUEST_MEMFD, .fd = VM, .size = 2 * HP * P,
	     .flags = GMEM_FLAG_MMAP | GMEM_FLAG_HUGETLB, .page_order = 9),
	REGION(.flags = GMEM_MEM_GUEST_MEMFD, .gpa = GPA, .size = 2 * HP * P),
	MAP(.length = 2 * HP * P, .flags = GMEM_MAP_SHARED | GMEM_MAP_FIXED, AT(0)),
	CONVERT(HP - 1, 2, SHARED),
};

/* One huge page after the other. */
static const struct gmem_call huge_calls[] = {
	CONVERT(0, 2 * HP, PRIVATE),
	CONVERT(0, 2 * HP, SHARED),
	CONVERT(HP - 1, 1, PRIVATE),
	CONVERT(HP, 1, SHARED),
	ALLOCATE(0, HP),
	ALLOCATE(0, 1),
	PUNCH(0, HP),
	PUNCH(0, 2 * HP),
	PUNCH(HP, 1),
	CALL(STORE, AT(HP), .size = 1, .value = 0x11),
	CALL(LOAD, AT(HP - 1), .size = 1),
	GUEST(LOAD, HP),
	CALL(PIN, AT(HP), .length = P),
	CALL(UNPIN, .fd = 6),
	CALL(INJECT, .what = GMEM_INJECT_ENOMEM, .value = 1),
	CALL(MADVISE, AT(HP), .length = HP * P, .advice = GMEM_MADV_REMOVE),
	CALL(CACHESTAT, .fd = FILE_),
};

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define ALPHABET_OF(n, most, profile, types, what)                                        \
	{                                                                                 \
		n, most, profile, types, what##_opening, what##_calls, N(what##_opening), \
			N(what##_calls)                                                   \
	}
static const struct alphabet alphabets[] = {
	ALPHABET_OF("linux-6.18, shared memory", 4, "linux-6.18", 0x01, shared),
	ALPHABET_OF("linux-6.18, private memory", 4, "linux-6.18", 0x11, private),
	ALPHABET_OF("linux-6.18, the end of everything", 5, "linux-6.18", 0x01, last),
	ALPHABET_OF("linux-6.8", 4, "linux-6.8", 0x03, first),
	ALPHABET_OF("linux-coco-v13, conversion", 4, "linux-coco-v13", 0x11, convert),
	ALPHABET_OF("coco-rfc-v1, conversion", 3, "coco-rfc-v1", 0x11, convert),
	ALPHABET_OF("coco-v5, content modes", 3, "coco-v5", 0x03, modes),
	ALPHABET_OF("coco-v8, content modes are unknown", 3, "coco-v8", 0x03, modes),
	ALPHABET_OF("rfc-shareability-v2", 4, "rfc-shareability-v2", 0x03, share),
	ALPHABET_OF("rfc-shareability-planned", 3, "rfc-shareability-planned", 0x03, share),
	ALPHABET_OF("rfc-shareability-v2, huge pages", 4, "rfc-shareability-v2", 0x03, huge_share),
	ALPHABET_OF("coco-hugetlb", 4, "coco-hugetlb", 0x03, huge),
};

#endif
