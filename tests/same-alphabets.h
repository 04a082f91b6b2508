/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The alphabets of test-same.c: calls by chance, and scenes where one member of a world decides what
 * is answered. Descriptor 4 is a VM, 5 a file of it.
 */
#ifndef SAME_ALPHABETS_H
#define SAME_ALPHABETS_H

#include "calls.h"
#include "random.h"

#define PAGE GMEM_PAGE_SIZE
#define GPA UINT64_C(0x100000)
#define ADDR UINT64_C(0x10000000) /* where the first mapping goes */

static inline uint64_t either(struct random *r, uint64_t a, uint64_t b)
{
	return random_below(r, 2) ? a : b;
}

/* What a host does with its memory. */
static inline struct gmem_call host_call(struct random *r, int64_t fd)
{
	static const uint64_t advices[] = { GMEM_MADV_DONTNEED, GMEM_MADV_POPULATE_READ,
					    GMEM_MADV_POPULATE_WRITE, GMEM_MADV_REMOVE,
					    GMEM_MADV_COLLAPSE };
	const uint64_t page = random_below(r, 2) * PAGE, addr = ADDR + random_below(r, 5) * PAGE;
	const uint64_t length = (1 + random_below(r, 3)) * PAGE;
	const struct gmem_call calls[] = {
		{ .verb = GMEM_LOAD, .size = 1, .addr = addr },
		{ .verb = GMEM_STORE, .size = 1, .addr = addr, .value = random_below(r, 2) },
		{ .verb = GMEM_STORE, .size = 1, .addr = addr, .value = 0 },
		{ .verb = GMEM_MUNMAP, .addr = addr, .length = length },
		{ .verb = GMEM_MPROTECT,
		  .addr = addr,
		  .length = length,
		  .prot = random_below(r, 4) },
		{ .verb = GMEM_MADVISE,
		  .addr = addr,
		  .length = length,
		  .advice = advices[random_below(r, 5)] },
		{ .verb = GMEM_MADVISE, .addr = addr, .length = length, .advice = advices[0] },
		{ .verb = GMEM_MMAP, .fd = fd, .length = PAGE, SHARED_RW, .offset = page },
		{ .verb = GMEM_MMAP,
		  .fd = (int64_t)either(r, (uint64_t)fd, UINT64_MAX),
		  .length = PAGE,
		  .prot = 3,
		  .flags = GMEM_MAP_FIXED | either(r, GMEM_MAP_SHARED, GMEM_MAP_PRIVATE) |
			   either(r, GMEM_MAP_ANONYMOUS, 0),
		  .offset = page,
		  .addr = addr },
		{ .verb = GMEM_PIN, .addr = addr, .length = PAGE },
		{ .verb = GMEM_UNPIN, .fd = fd + 1 },
		{ .verb = GMEM_PIN_LOAD, .fd = fd + 1, .size = 1 },
		{ .verb = GMEM_PIN_STORE, .fd = fd + 1, .size = 1, .value = 3 },
		{ .verb = GMEM_FORK, .value = 2 },
		{ .verb = GMEM_EXIT, .task = 1 },
		{ .verb = GMEM_INJECT, .what = random_below(r, 3), .value = random_below(r, 2) },
	};

	return calls[random_below(r, sizeof(calls) / sizeof(calls[0]))];
}

/* What guests do, and what is done to their VM. */
static inline struct gmem_call guest_call(struct random *r, int64_t fd)
{
	const uint64_t gpa = GPA + random_below(r, 2) * PAGE, vm = 4;
	const uint64_t private = either(r, GMEM_ATTRIBUTE_PRIVATE, 0);
	const struct gmem_call calls[] = {
		{ .verb = GMEM_GUEST_LOAD, .fd = vm, .size = 1, .gpa = gpa, .access = private },
		{ .verb = GMEM_GUEST_STORE,
		  .fd = vm,
		  .size = 1,
		  .gpa = gpa,
		  .value = random_below(r, 2),
		  .access = private },
		{ .verb = GMEM_SET_USER_MEMORY_REGION2,
		  .fd = vm,
		  .flags = GMEM_MEM_GUEST_MEMFD | random_below(r, 2),
		  .gpa = GPA,
		  .size = either(r, 0, 2 * PAGE),
		  .memfd = fd,
		  .addr = either(r, 0, ADDR) },
		{ .verb = GMEM_SET_USER_MEMORY_REGION,
		  .fd = vm,
		  .slot = 1,
		  .gpa = GPA + 4 * PAGE * random_below(r, 2),
		  .size = either(r, 0, 2 * PAGE),
		  .addr = ADDR },
		{ .verb = GMEM_PRE_FAULT_MEMORY,
		  .fd = vm,
		  .gpa = gpa,
		  .size = either(r, PAGE, 2 * PAGE) },
		{ .verb = GMEM_SET_MEMORY_ATTRIBUTES,
		  .fd = vm,
		  .gpa = gpa,
		  .size = PAGE,
		  .attributes = private },
		{ .verb = GMEM_ENABLE_CAP,
		  .fd = vm,
		  .cap = GMEM_CAP_DISABLE_LEGACY_PRIVATE_TRACKING },
		{ .verb = GMEM_LAUNCH_FINISH, .fd = vm },
		{ .verb = GMEM_POPULATE,
		  .fd = vm,
		  .gpa = gpa,
		  .size = PAGE,
		  .addr = either(r, 0, ADDR + 2 * PAGE) },
	};

	return calls[random_below(r, sizeof(calls) / sizeof(calls[0]))];
}

/* What is done to a file. */
static inline struct gmem_call file_call(struct random *r, int64_t fd)
{
	const uint64_t page = random_below(r, 2) * PAGE, vm = 4;
	const uint64_t private = either(r, GMEM_ATTRIBUTE_PRIVATE, 0);
	const uint64_t length = either(r, PAGE, 2 * PAGE);
	const struct gmem_call calls[] = {
		{ .verb = GMEM_FALLOCATE,
		  .fd = fd,
		  .mode = GMEM_FALLOC_KEEP_SIZE | either(r, GMEM_FALLOC_PUNCH_HOLE, 0),
		  .offset = page,
		  .length = PAGE },
		{ .verb = GMEM_CLOSE, .fd = fd },
		{ .verb = GMEM_DUP, .fd = fd },
		{ .verb = GMEM_MEMORY_FAILURE, .fd = fd, .offset = page },
		{ .verb = GMEM_CREATE_GUEST_MEMFD, .fd = vm, .size = 2 * PAGE },
		{ .verb = GMEM_SET_MEMORY_ATTRIBUTES2,
		  .fd = fd,
		  .offset = page,
		  .size = length,
		  .attributes = private,
		  .flags = random_below(r, 3) },
		{ .verb = (uint32_t)either(r, GMEM_CONVERT_PRIVATE, GMEM_CONVERT_SHARED),
		  .fd = fd,
		  .offset = page,
		  .size = length },
		{ .verb = GMEM_CACHESTAT, .fd = fd },
		{ .verb = GMEM_LOAD, .size = 1, .addr = ADDR + page },
		{ .verb = GMEM_PIN, .addr = ADDR + page, .length = PAGE },
		{ .verb = GMEM_UNPIN, .fd = fd + 1 },
	};

	return calls[random_below(r, sizeof(calls) / sizeof(calls[0]))];
}

/* ---- worlds where one member decides, and what shows that ---- */

struct scene {
	const char *profile;
	uint64_t type, flags; /* of the VM and its file */
	int overlap;
	struct gmem_call opening[2]; /* beyond open_world() */
	struct gmem_call alphabet[4];
};

#define FILE_CALL(v, ...)                              \
	{                                              \
		.verb = GMEM_##v, .fd = 5, __VA_ARGS__ \
	}
#define HOST_CALL(v, page, ...)                                           \
	{                                                                 \
		.verb = GMEM_##v, .addr = ADDR + (page)*PAGE, __VA_ARGS__ \
	}
#define GUEST_CALL(v, at, ...)                                    \
	{                                                         \
		.verb = GMEM_##v, .fd = 4, .gpa = at, __VA_ARGS__ \
	}

static const struct scene scenes[] = {
	/* vm.launched */
	{ .profile = "linux-6.18",
	  .type = GMEM_VM_SNP,
	  .alphabet = { GUEST_CALL(LAUNCH_FINISH, 0, .slot = 0),
			GUEST_CALL(PRE_FAULT_MEMORY, GPA, .size = PAGE) } },
	/* vma.written: a fork tells guests of what was written, whatever became of it */
	{ .profile = "linux-6.18",
	  .flags = GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED,
	  .opening = { GUEST_CALL(SET_USER_MEMORY_REGION, 2 * GPA, .slot = 1, .size = PAGE,
				  .addr = ADDR + 2 * PAGE) },
	  .alphabet = { HOST_CALL(STORE, 2, .size = 1),
			HOST_CALL(MADVISE, 2, .length = PAGE, .advice = GMEM_MADV_DONTNEED),
			GUEST_CALL(GUEST_LOAD, 2 * GPA, .size = 1),
			{ .verb = GMEM_FORK, .value = 2 } } },
	/* inode.open_bytes */
	{ .profile = "coco-v5",
	  .type = GMEM_VM_SW_PROTECTED,
	  .flags = GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED,
	  .alphabet = { FILE_CALL(SET_MEMORY_ATTRIBUTES2, .size = PAGE,
				  .attributes = GMEM_ATTRIBUTE_PRIVATE),
			FILE_CALL(SET_MEMORY_ATTRIBUTES2, .size = PAGE),
			HOST_CALL(LOAD, 0, .size = 1), HOST_CALL(STORE, 0, .size = 1) } },
	/* task.hole: the page goes before madvise comes to it, or when it is done with it */
	{ .profile = "linux-6.18",
	  .overlap = 1,
	  .opening = { HOST_CALL(MPROTECT, 3, .length = PAGE, .prot = GMEM_PROT_READ) },
	  .alphabet = { HOST_CALL(MADVISE, 2, .length = 2 * PAGE, .advice = GMEM_MADV_DONTNEED),
			HOST_CALL(MUNMAP, 2, .length = PAGE, .task = 1) } },
	/* task.err_page: which of two pages was in the way, when neither is any more */
	{ .profile = "linux-coco-v13",
	  .type = GMEM_VM_SW_PROTECTED,
	  .flags = GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED,
	  .overlap = 1,
	  .opening = { HOST_CALL(PIN, 0, .length = PAGE), HOST_CALL(PIN, 1, .length = PAGE) },
	  .alphabet = { FILE_CALL(SET_MEMORY_ATTRIBUTES2, .size = 2 * PAGE,
				  .attributes = GMEM_ATTRIBUTE_PRIVATE),
			{ .verb = GMEM_UNPIN, .fd = 6, .task = 1 },
			{ .verb = GMEM_UNPIN, .fd = 7, .task = 1 } } },
};
#define SCENES (sizeof(scenes) / sizeof(scenes[0]))

#endif
