/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The world as a value: what its hash can tell, that a copy is a copy, and that a copy which fails
 * changes nothing. That the hash cannot tell how a world came about is in test-order.c.
 */
#include <string.h>

#include "calls.h"
#include "state.h"

/* What the descriptors of the base world are. */
enum { VM0 = 4, F0, G0, VM1, P0, H0, PIN0, DUP0 };

#define M0 UINT64_C(0x10000000) /* f0, pages 0 to 7 */
#define A0 UINT64_C(0x20000000) /* private anonymous memory */
#define S0 UINT64_C(0x30000000) /* shared anonymous memory */
#define GPA UINT64_C(0x100000)
#define PAGE GMEM_PAGE_SIZE
#define SHAREABLE (GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED)

/* What base worlds can differ in from the beginning. */
struct base {
	uint64_t type, size, gpa, offset, slot, addr, kind;
};

static const struct base usual = {
	.type = GMEM_VM_SW_PROTECTED,
	.size = 64 * KiB,
	.gpa = GPA,
	.slot = 1,
	.kind = GMEM_MAP_PRIVATE,
};

static void map_at(struct gmem_world *w, uint64_t addr, int64_t fd, uint64_t flags)
{
	assert_int_equal(call(w, .verb = GMEM_MMAP, .fd = fd, .addr = addr, .length = 8 * PAGE,
			      .prot = GMEM_PROT_READ | GMEM_PROT_WRITE,
			      .flags = GMEM_MAP_FIXED | flags),
			 addr);
}

/* A world with something of everything. */
static struct gmem_world *new_base(const struct base *b)
{
	struct gmem_world *w = new_world();

	assert_int_equal(create_vm(w, GMEM_VM_DEFAULT), VM0);
	assert_int_equal(create_gmem(w, VM0, b->size, SHAREABLE), F0);
	assert_int_equal(create_gmem(w, VM0, 64 * KiB, 0), G0);
	assert_int_equal(create_vm(w, b->type), VM1);
	assert_int_equal(create_gmem(w, VM1, 64 * KiB, 0), P0);
	assert_int_equal(create_gmem(w, VM0, b->size, SHAREABLE), H0);
	map_at(w, M0, F0, GMEM_MAP_SHARED);
	map_at(w, A0, -1, b->kind | GMEM_MAP_ANONYMOUS);
	map_at(w, S0, -1, GMEM_MAP_SHARED | GMEM_MAP_ANONYMOUS);
	assert_int_equal(bind_slot(w, VM0, b->slot, b->gpa, 4 * PAGE, F0, b->offset), 0);
	assert_int_equal(call(w, .verb = GMEM_SET_USER_MEMORY_REGION, .fd = VM0, .slot = 2,
			      .gpa = 2 * GPA, .size = 8 * PAGE, .addr = A0 + b->addr),
			 0);
	assert_int_equal(bind_slot(w, VM1, 0, GPA, 4 * PAGE, P0, 0), 0);
	store(w, M0 + 1, 0xaa);
	store(w, A0 + 1, 0xbb);
	store(w, S0 + 1, 0xcc);
	guest_store(w, VM0, GPA + PAGE, 0xdd);
	assert_int_equal(call(w, .verb = GMEM_PIN, .addr = M0 + PAGE, .length = PAGE), PIN0);
	assert_int_equal(allocate(w, P0, 0, PAGE), 0);
	call(w, .verb = GMEM_FORK, .value = 1);
	assert_int_equal(call(w, .verb = GMEM_DUP, .fd = F0), DUP0);
	return w;
}

/* ---- the hash tells apart what can be told apart ---- */

#define ON(v, ...)                            \
	{                                     \
		.verb = GMEM_##v, __VA_ARGS__ \
	}
#define KEEP .mode = GMEM_FALLOC_KEEP_SIZE
#define PUNCH .mode = GMEM_FALLOC_KEEP_SIZE | GMEM_FALLOC_PUNCH_HOLE
#define ATTRIBUTES(fd_, gpa_, size_, value_)                                   \
	ON(SET_MEMORY_ATTRIBUTES, .fd = (fd_), .gpa = (gpa_), .size = (size_), \
	   .attributes = (value_))

/* Each makes another world of the base world. */
static const struct gmem_call steps[] = {
	/* descriptors */
	ON(DUP, .fd = F0),
	ON(DUP, .fd = G0),
	ON(DUP, .fd = GMEM_KVM_FD),
	ON(DUP, .fd = F0, .task = 1),
	ON(CLOSE, .fd = DUP0),
	ON(CLOSE, .fd = F0),
	ON(CLOSE, .fd = G0),
	ON(CLOSE, .fd = VM0),
	ON(CLOSE, .fd = VM1),
	ON(CLOSE, .fd = F0, .task = 1),
	ON(CLOSE, .fd = GMEM_KVM_FD),
	ON(CREATE_VM, .fd = GMEM_KVM_FD),
	ON(CREATE_VM, .fd = GMEM_KVM_FD, .type = GMEM_VM_SNP),
	ON(CREATE_GUEST_MEMFD, .fd = VM0, .size = PAGE),
	ON(CREATE_GUEST_MEMFD, .fd = VM0, .size = 2 * PAGE),
	ON(CREATE_GUEST_MEMFD, .fd = VM0, .size = PAGE, .flags = GMEM_FLAG_MMAP),
	ON(CREATE_GUEST_MEMFD, .fd = VM0, .size = PAGE, .flags = GMEM_FLAG_INIT_SHARED),
	ON(CREATE_GUEST_MEMFD, .fd = VM1, .size = PAGE),
	/* pages */
	ON(FALLOCATE, .fd = F0, KEEP, .offset = 8 * PAGE, .length = PAGE),
	ON(FALLOCATE, .fd = F0, KEEP, .offset = 9 * PAGE, .length = PAGE),
	ON(FALLOCATE, .fd = F0, KEEP, .offset = 8 * PAGE, .length = 2 * PAGE),
	ON(FALLOCATE, .fd = G0, KEEP, .offset = 8 * PAGE, .length = PAGE),
	ON(FALLOCATE, .fd = F0, PUNCH, .length = PAGE),
	ON(FALLOCATE, .fd = F0, PUNCH, .offset = PAGE, .length = PAGE),
	ON(FALLOCATE, .fd = F0, PUNCH, .length = 2 * PAGE),
	ON(FALLOCATE, .fd = P0, PUNCH, .length = PAGE),
	ON(MEMORY_FAILURE, .fd = F0),
	ON(MEMORY_FAILURE, .fd = F0, .offset = PAGE),
	ON(MEMORY_FAILURE, .fd = P0),
	/* bytes */
	ON(STORE, .addr = M0 + 1, .size = 1, .value = 0xab),
	ON(STORE, .addr = M0 + 2, .size = 1, .value = 0xaa),
	ON(STORE, .addr = M0 + 1, .size = 1, .value = 0),
	ON(STORE, .addr = A0 + 1, .size = 1, .value = 0xab),
	ON(STORE, .addr = A0 + 1, .size = 1, .value = 0xab, .task = 1),
	ON(STORE, .addr = S0 + 1, .size = 1, .value = 0xab),
	ON(GUEST_STORE, .fd = VM0, .gpa = GPA + PAGE, .size = 1, .value = 0xde),
	ON(PIN_STORE, .fd = PIN0, .offset = 5, .size = 1, .value = 1),
	/* what is mapped, by whom */
	ON(LOAD, .addr = M0 + 2 * PAGE, .size = 1),
	ON(LOAD, .addr = M0 + 3 * PAGE, .size = 1),
	ON(LOAD, .addr = M0, .size = 1, .task = 1),
	ON(LOAD, .addr = A0 + PAGE, .size = 1),
	ON(MADVISE, .addr = M0, .length = PAGE, .advice = GMEM_MADV_DONTNEED),
	ON(MADVISE, .addr = A0, .length = PAGE, .advice = GMEM_MADV_DONTNEED),
	ON(MUNMAP, .addr = M0, .length = PAGE),
	ON(MUNMAP, .addr = M0 + 7 * PAGE, .length = PAGE),
	ON(MUNMAP, .addr = M0, .length = 8 * PAGE),
	ON(MUNMAP, .addr = S0, .length = 8 * PAGE),
	ON(MUNMAP, .addr = M0, .length = 8 * PAGE, .task = 1),
	ON(MPROTECT, .addr = M0, .length = 8 * PAGE, .prot = GMEM_PROT_READ),
	ON(MPROTECT, .addr = M0, .length = 8 * PAGE, .prot = 0),
	ON(MPROTECT, .addr = M0, .length = PAGE, .prot = GMEM_PROT_READ),
	ON(MMAP, .fd = F0, .length = PAGE, SHARED_RW),
	ON(MMAP, .fd = H0, .length = PAGE, SHARED_RW),
	ON(MMAP, .fd = F0, .length = PAGE, .offset = PAGE, SHARED_RW),
	ON(MMAP, .fd = F0, .length = 2 * PAGE, SHARED_RW),
	ON(MMAP, .fd = -1, .length = PAGE, .flags = GMEM_MAP_SHARED | GMEM_MAP_ANONYMOUS),
	ON(MMAP, .fd = -1, .length = PAGE, .flags = GMEM_MAP_PRIVATE | GMEM_MAP_ANONYMOUS),
	ON(GUEST_LOAD, .fd = VM0, .gpa = GPA, .size = 1),
	ON(GUEST_LOAD, .fd = VM0, .gpa = GPA + 2 * PAGE, .size = 1),
	ON(GUEST_LOAD, .fd = VM0, .gpa = 2 * GPA, .size = 1),
	ON(GUEST_STORE, .fd = VM0, .gpa = 2 * GPA, .size = 1),
	ON(PIN, .addr = M0, .length = PAGE),
	ON(PIN, .addr = M0 + PAGE, .length = PAGE),
	ON(PIN, .addr = M0, .length = 2 * PAGE),
	ON(PIN, .addr = S0, .length = PAGE),
	ON(UNPIN, .fd = PIN0),
	/* memslots and attributes */
	ON(SET_USER_MEMORY_REGION, .fd = VM0, .slot = 1),
	ON(SET_USER_MEMORY_REGION, .fd = VM0, .slot = 2),
	ON(SET_USER_MEMORY_REGION, .fd = VM1, .slot = 0),
	ON(SET_USER_MEMORY_REGION, .fd = VM0, .slot = 3, .gpa = 3 * GPA, .size = PAGE),
	ON(SET_USER_MEMORY_REGION, .fd = VM0, .slot = 4, .gpa = 3 * GPA, .size = PAGE),
	ON(SET_USER_MEMORY_REGION, .fd = VM0, .slot = 0x10003, .gpa = 3 * GPA, .size = PAGE),
	ON(SET_USER_MEMORY_REGION, .fd = VM0, .slot = 3, .gpa = 4 * GPA, .size = PAGE),
	ON(SET_USER_MEMORY_REGION, .fd = VM0, .slot = 3, .gpa = 3 * GPA, .size = 2 * PAGE),
	ON(SET_USER_MEMORY_REGION, .fd = VM0, .slot = 3, .gpa = 3 * GPA, .size = PAGE, .addr = A0),
	ON(SET_USER_MEMORY_REGION, .fd = VM0, .slot = 2, .gpa = 4 * GPA, .size = 8 * PAGE,
	   .addr = A0),
	ON(SET_USER_MEMORY_REGION, .fd = VM0, .slot = 2, .gpa = 2 * GPA, .size = 8 * PAGE,
	   .addr = A0, .flags = GMEM_MEM_LOG_DIRTY_PAGES),
	ON(SET_USER_MEMORY_REGION2, .fd = VM0, .slot = 3, .gpa = 3 * GPA, .size = PAGE,
	   .flags = GMEM_MEM_GUEST_MEMFD, .memfd = G0),
	ON(SET_USER_MEMORY_REGION2, .fd = VM0, .slot = 3, .gpa = 3 * GPA, .size = PAGE,
	   .flags = GMEM_MEM_GUEST_MEMFD, .memfd = G0, .offset = PAGE),
	ON(SET_USER_MEMORY_REGION2, .fd = VM0, .slot = 3, .gpa = 3 * GPA, .size = PAGE,
	   .flags = GMEM_MEM_GUEST_MEMFD, .memfd = H0, .offset = 4 * PAGE),
	ON(SET_USER_MEMORY_REGION2, .fd = VM0, .slot = 3, .gpa = 3 * GPA, .size = PAGE,
	   .flags = GMEM_MEM_GUEST_MEMFD, .memfd = F0, .offset = 4 * PAGE),
	ATTRIBUTES(VM1, GPA, PAGE, GMEM_ATTRIBUTE_PRIVATE),
	ATTRIBUTES(VM1, GPA + PAGE, PAGE, GMEM_ATTRIBUTE_PRIVATE),
	ATTRIBUTES(VM1, GPA, 2 * PAGE, GMEM_ATTRIBUTE_PRIVATE),
	ATTRIBUTES(VM1, 9 * GPA, PAGE, GMEM_ATTRIBUTE_PRIVATE),
	/* tasks */
	ON(FORK, .value = 2),
	ON(FORK, .value = 3),
	ON(FORK, .value = 2, .task = 1),
	ON(EXIT, .task = 1),
	ON(INJECT, .what = GMEM_INJECT_SIGNAL),
	ON(INJECT, .what = GMEM_INJECT_SIGNAL, .value = 1),
	ON(INJECT, .what = GMEM_INJECT_ENOMEM),
	ON(INJECT, .what = GMEM_INJECT_SIGNAL, .task = 1),
};
#define NR_STEPS (sizeof(steps) / sizeof(steps[0]))

static void assert_all_differ(const uint64_t *hashes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = i + 1; k < n; k++)
			if (hashes[i] == hashes[k])
				fail_msg("worlds number %zu and %zu have the same hash", i, k);
}

static void any_one_step_makes_another_world(void **state)
{
	struct gmem_world *base = new_base(&usual), *w = new_world();
	uint64_t hashes[NR_STEPS + 1];

	(void)state;
	hashes[NR_STEPS] = gmem_world_hash(base);
	for (size_t i = 0; i < NR_STEPS; i++) {
		struct gmem_result r;

		assert_int_equal(gmem_world_copy(w, base), GMEM_DONE);
		assert_true(gmem_world_equal(w, base));
		r = result_of(w, &steps[i], __FILE__, __LINE__);
		if (r.outcome == GMEM_VALUE && r.value < 0 && steps[i].verb != GMEM_MEMORY_FAILURE)
			fail_msg("step %zu was refused: %d", i, (int)r.value);
		assert_false(gmem_world_equal(w, base));
		hashes[i] = gmem_world_hash(w);
	}
	assert_all_differ(hashes, NR_STEPS + 1);
	gmem_world_free(w);
	gmem_world_free(base);
}

static void other_beginnings_are_other_worlds(void **state)
{
	struct base others[8];
	uint64_t hashes[8];

	(void)state;
	for (int i = 0; i < 8; i++)
		others[i] = usual;
	others[1].type = GMEM_VM_SNP;
	others[2].size = 128 * KiB;
	others[3].gpa = 8 * GPA;
	others[4].offset = PAGE;
	others[5].slot = 9;
	others[6].addr = 9 * PAGE;
	others[7].kind = GMEM_MAP_SHARED;
	for (int i = 0; i < 8; i++) {
		struct gmem_world *w = new_base(&others[i]);

		hashes[i] = gmem_world_hash(w);
		gmem_world_free(w);
	}
	assert_all_differ(hashes, 8);
}

/* What only shows between the rows of an operation is in the hash as well. */
static void what_is_half_done_shows(void **state)
{
	struct gmem_world *w = new_base(&usual);
	struct gmem_vm *vm = VM(w->b, w->b->vms);
	struct gmem_task *t = TASK(w->b, w->b->tasks[0]);
	struct gmem_inode *inode = INODE(w->b, w->b->inodes);
	uint64_t hashes[32];
	size_t n = 0;

	(void)state;
	hashes[n++] = gmem_world_hash(w);
#define MEANWHILE(lvalue, value)                   \
	do {                                       \
		__typeof__(lvalue) was = (lvalue); \
		(lvalue) = (value);                \
		hashes[n++] = gmem_world_hash(w);  \
		(lvalue) = was;                    \
	} while (0)
	MEANWHILE(vm->slots_lock, -1);
	MEANWHILE(vm->slots_arch_lock, -1);
	MEANWHILE(vm->srcu[0], 1);
	MEANWHILE(vm->srcu[1], 1);
	MEANWHILE(vm->mmu_lock, -1);
	MEANWHILE(inode->invalidate_lock, 1);
	MEANWHILE(inode->invalidate_lock, -1);
	MEANWHILE(inode->folio_lock, -1);
	MEANWHILE(inode->i_mmap_rwsem, 1);
	MEANWHILE(inode->i_mmap_rwsem, -1);
	MEANWHILE(PROCESS(w->b, t->process)->mmap_lock, 1);
	MEANWHILE(vm->in_progress, 1);
	vm->in_progress = 1;
	MEANWHILE(vm->range_start, 1000);
	MEANWHILE(vm->range_end, 1000);
	vm->in_progress = 0;
	MEANWHILE(t->depth, 1);
	t->depth = 1;
	MEANWHILE(t->level[0].table, 50);
	MEANWHILE(t->level[0].pc, 50);
	MEANWHILE(t->start, 1000);
	MEANWHILE(t->end, 1000);
	MEANWHILE(t->gfn, 1000);
	MEANWHILE(t->gfn_end, 1000);
	MEANWHILE(t->page, 1000);
	MEANWHILE(t->pgoff, 1000);
	MEANWHILE(t->done, 1000);
	MEANWHILE(t->change, 50);
	MEANWHILE(t->write, !t->write);
	MEANWHILE(t->private, !t->private);
	MEANWHILE(t->mmio, !t->mmio);
	t->depth = 0;
#undef MEANWHILE
	assert_int_equal(gmem_world_hash(w), hashes[0]);
	assert_all_differ(hashes, n);
	gmem_world_free(w);
}

/* The same ranges in another tree are something else. */
static void trees_are_not_mixed_up(void **state)
{
	struct gmem_world *w = new_world();
	struct gmem_vm *vm;
	uint64_t before;

	(void)state;
	set_private(w, create_vm(w, GMEM_VM_SW_PROTECTED), GPA, PAGE, 1);
	before = gmem_world_hash(w);
	vm = VM(w->b, w->b->vms);
	vm->sptes = vm->attributes;
	vm->attributes = 0;
	assert_int_not_equal(gmem_world_hash(w), before);
	gmem_world_free(w);
}

/* A VM belongs to the process that made it, whoever has the descriptor. */
static void whose_vm_it_is_shows(void **state)
{
	struct gmem_world *a = new_world(), *b = new_world();

	(void)state;
	create_vm(a, GMEM_VM_DEFAULT);
	call(a, .verb = GMEM_FORK, .value = 1);
	close_fd(a, 4);
	call(b, .verb = GMEM_FORK, .value = 1);
	call(b, .verb = GMEM_CREATE_VM, .fd = GMEM_KVM_FD, .task = 1);
	assert_int_equal(gmem_fd_kind(a, 1, 4), GMEM_FD_VM);
	assert_int_equal(gmem_fd_kind(b, 1, 4), GMEM_FD_VM);
	assert_false(gmem_world_equal(a, b));
	assert_int_not_equal(gmem_world_hash(a), gmem_world_hash(b));
	gmem_world_free(a);
	gmem_world_free(b);
}

/* An address is not used twice, so a mapping that is gone leaves something behind. */
static void where_the_next_mapping_goes_shows(void **state)
{
	struct gmem_world *w = new_base(&usual), *copy = new_world();

	(void)state;
	assert_int_equal(gmem_world_copy(copy, w), GMEM_DONE);
	call(w, .verb = GMEM_MUNMAP, .addr = map(w, F0, 0, PAGE), .length = PAGE);
	assert_false(gmem_world_equal(w, copy));
	assert_true(gmem_world_hash(w) != gmem_world_hash(copy));
	assert_true(map(w, F0, 0, PAGE) != map(copy, F0, 0, PAGE));
	gmem_world_free(w);
	gmem_world_free(copy);
}

/* ---- copies ---- */

static void a_copy_is_independent(void **state)
{
	struct gmem_world *a = new_base(&usual), *b = new_world();
	uint64_t before = gmem_world_hash(a);

	(void)state;
	assert_int_equal(gmem_world_copy(b, a), GMEM_DONE);
	assert_true(gmem_world_equal(a, b));
	assert_int_equal(gmem_world_hash(b), before);
	store(b, M0 + 1, 7);
	close_fd(b, VM1);
	assert_int_equal(gmem_world_hash(a), before);
	assert_int_equal(load(a, M0 + 1), 0xaa);
	assert_int_equal(load(b, M0 + 1), 7);
	close_fd(a, VM1);
	store(a, M0 + 1, 7);
	assert_true(gmem_world_equal(a, b));
	gmem_world_free(a);
	assert_int_equal(load(b, M0 + 1), 7);
	gmem_world_free(b);
}

/* Back to where it was, also from a bigger world and after everything has gone. */
static void a_saved_world_is_put_back(void **state)
{
	struct gmem_world *w = new_base(&usual), *saved = new_world();
	uint64_t before = gmem_world_hash(w);

	(void)state;
	assert_int_equal(gmem_world_copy(saved, w), GMEM_DONE);
	for (uint64_t i = 0; i < 500; i++)
		assert_int_equal(call(w, .verb = GMEM_SET_USER_MEMORY_REGION, .fd = VM0,
				      .slot = 100 + i, .gpa = TiB + 2 * PAGE * i, .size = PAGE),
				 0);
	assert_true(w->b->capacity > saved->b->capacity);
	assert_int_equal(gmem_world_copy(w, saved), GMEM_DONE);
	assert_int_equal(gmem_world_hash(w), before);
	for (int fd = VM0; fd <= DUP0; fd++)
		close_fd(w, fd);
	assert_int_not_equal(gmem_world_hash(w), before);
	assert_int_equal(gmem_world_copy(w, saved), GMEM_DONE);
	assert_int_equal(gmem_world_hash(w), before);
	assert_int_equal(gmem_check(w, NULL), GMEM_DONE);
	gmem_world_free(w);
	gmem_world_free(saved);
}

/* Profile and machine are part of the value; checking is each world's own. */
static void a_copy_has_profile_and_machine(void **state)
{
	struct gmem_machine small = { .arch = GMEM_ARM64, .max_fds = 5 };
	struct gmem_config config = { .profile = gmem_profile_find("linux-6.8"),
				      .machine = &small };
	struct gmem_world *a = new_world_of(&config), *b = new_world();

	(void)state;
	assert_int_equal(gmem_world_copy(b, a), GMEM_DONE);
	assert_ptr_equal(gmem_world_profile(b), config.profile);
	assert_int_equal(create_vm(b, GMEM_VM_SNP), -22);
	assert_int_equal(create_vm(b, GMEM_VM_DEFAULT), 4);
	assert_int_equal(create_vm(b, GMEM_VM_DEFAULT), -24);
	assert_int_equal(b->checking, GMEM_CHECK_CALLS);
	gmem_world_free(a);
	gmem_world_free(b);
}

static void count_event(void *arg, const struct gmem_event *event)
{
	(void)event;
	++*(int *)arg;
}

static void count_row(void *arg, const struct gmem_step_event *event)
{
	(void)event;
	++*(int *)arg;
}

static void listeners_stay_with_their_world(void **state)
{
	struct gmem_world *a = new_base(&usual), *b = new_base(&usual);
	int told_a = 0, told_b = 0, rows_a = 0;

	(void)state;
	assert_int_equal(gmem_listen(a, 0, VM0, count_event, &told_a), GMEM_DONE);
	assert_int_equal(gmem_listen(b, 0, VM0, count_event, &told_b), GMEM_DONE);
	gmem_observe(a, count_row, &rows_a);
	assert_int_equal(gmem_world_copy(b, a), GMEM_DONE);
	punch(b, F0, 0, PAGE);
	assert_int_equal(told_a, 0);
	assert_int_equal(rows_a, 0);
	assert_true(told_b > 0);
	told_b = 0;
	punch(a, F0, 0, PAGE);
	assert_int_equal(told_b, 0);
	assert_true(told_a > 0);
	assert_true(rows_a > 0);
	gmem_world_free(a);
	gmem_world_free(b);
}

static void nothing_else_changes_a_hash(void **state)
{
	struct gmem_world *w = new_base(&usual);
	uint64_t before = gmem_world_hash(w);
	struct gmem_result r;

	(void)state;
	assert_int_equal(gmem_world_hash(w), before);
	assert_int_equal(gmem_check(w, NULL), GMEM_DONE);
	assert_int_equal(gmem_call(w, &(struct gmem_call){ .verb = GMEM_NR_VERBS }, &r),
			 GMEM_MISUSE);
	assert_int_equal(gmem_call(w, &(struct gmem_call){ .verb = GMEM_CLOSE, .task = 7 }, &r),
			 GMEM_MISUSE);
	assert_int_equal(gmem_call(w, &(struct gmem_call){ .verb = GMEM_READ, .fd = VM0 }, &r),
			 GMEM_MISUSE);
	assert_int_equal(gmem_call(w, &(struct gmem_call){ .verb = GMEM_EXIT }, &r), GMEM_MISUSE);
	assert_int_equal(r.value, -22);
	assert_int_equal(gmem_world_hash(w), before);
	gmem_world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_one_step_makes_another_world),
		cmocka_unit_test(other_beginnings_are_other_worlds),
		cmocka_unit_test(what_is_half_done_shows),
		cmocka_unit_test(trees_are_not_mixed_up),
		cmocka_unit_test(whose_vm_it_is_shows),
		cmocka_unit_test(where_the_next_mapping_goes_shows),
		cmocka_unit_test(a_copy_is_independent),
		cmocka_unit_test(a_saved_world_is_put_back),
		cmocka_unit_test(a_copy_has_profile_and_machine),
		cmocka_unit_test(listeners_stay_with_their_world),
		cmocka_unit_test(nothing_else_changes_a_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
