/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every sequence of up to four calls (where the alphabet is small: five) in a tiny world: a VM, a
 * file of two pages, a mapping, and the calls that touch them.
 *
 * An odometer counts through the sequences. Its last wheel turns fastest, so the worlds that the
 * shorter sequences led to are kept, one a wheel, and a turn costs one copy and one call. At every
 * step of every call the invariants hold, and after every call the oracle agrees.
 *
 * GMEM_TEST_SCALE below 100 makes the sequences shorter.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common.h"
#include "pair.h"

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
	CALL(CLOSE, .task = 1, .fd = FILE_),
	CALL(MUNMAP, .task = 1, AT(0), .length = 2 * P),
	CALL(EXIT, .task = 1),
	GUEST(LOAD, 0),
	CALL(LOAD, AT(0), .size = 1),
	CALL(PIN_LOAD, .fd = 7, .size = 1),
	PUNCH(0, 1),
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
};

/* ---- the odometer ---- */

static unsigned long long sequences;

static void show(const struct alphabet *a, struct pair *p, const unsigned int *wheel,
		 unsigned int n)
{
	struct linked_call l = { .fd_from = -1, .memfd_from = -1, .addr_from = -1 };
	struct trace t;
	unsigned int i;

	trace_init(&t);
	t.profile = gmem_profile_find(a->profile);
	t.machine = p->machine;
	t.machine_says = TRACE_MACHINE_TYPES;
	for (i = 0; i < a->nr_opening; i++) {
		l.call = a->opening[i];
		trace_add(&t, &l);
	}
	for (i = 0; i < n; i++) {
		l.call = a->calls[wheel[i]];
		trace_add(&t, &l);
	}
	pair_explain(stderr, p, &t);
	trace_free(&t);
}

/* Makes the call that wheel n shows, in the world that the wheels before it left. */
static void turn(const struct alphabet *a, struct pair *pairs, const unsigned int *wheel,
		 unsigned int n)
{
	enum pair_verdict verdict;
	struct gmem_result r;

	pair_copy(&pairs[n + 1], &pairs[n]);
	verdict = pair_call(&pairs[n + 1], &a->calls[wheel[n]], &r);
	sequences++;
	if (verdict != PAIR_AGREES) {
		show(a, &pairs[n + 1], wheel, n + 1);
		fail_msg("%s: see the trace above", a->name);
	}
}

static void count(const struct alphabet *a, struct pair *pairs, unsigned int length)
{
	unsigned int wheel[MOST] = { 0 }, n = 0;

	for (;;) {
		for (; n < length; n++)
			turn(a, pairs, wheel, n);
		while (n > 0 && ++wheel[n - 1] == a->nr_calls)
			wheel[--n] = 0;
		if (n == 0)
			return;
		n--;
	}
}

static void every_sequence(void **state)
{
	const struct alphabet *a = *state;
	const char *scale = getenv("GMEM_TEST_SCALE");
	unsigned int length = a->most, i;
	struct gmem_machine machine = { GMEM_X86_64, a->vm_types, 0, 1, 64 };
	struct pair pairs[MOST + 1];
	struct gmem_result r;

	if (scale && atoi(scale) < 100)
		length -= 2;
	for (i = 0; i <= length; i++) {
		pair_open(&pairs[i]);
		pair_begin(&pairs[i], gmem_profile_find(a->profile), &machine, GMEM_CHECK_STEPS);
	}
	for (i = 0; i < a->nr_opening; i++) {
		assert_int_equal(pair_call(&pairs[0], &a->opening[i], &r), PAIR_AGREES);
		assert_true(r.value >= 0);
	}
	count(a, pairs, length);
	for (i = 0; i <= length; i++)
		pair_close(&pairs[i]);
}

int main(void)
{
	struct CMUnitTest tests[N(alphabets)];
	double begun = seconds();
	unsigned int i;
	int failed;

	for (i = 0; i < N(alphabets); i++)
		tests[i] = (struct CMUnitTest){ .name = alphabets[i].name,
						.test_func = every_sequence,
						.initial_state = (void *)&alphabets[i] };
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	fprintf(stderr, "# %llu sequences, %.1f seconds\n", sequences, seconds() - begun);
	return failed;
}
