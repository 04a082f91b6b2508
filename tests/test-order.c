/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hash cannot tell how a world came about: not in which order its parts were made, not what
 * was made and unmade in between (so not the numbers of cells either), not the shape of a tree.
 *
 * One world is described as parts that do not depend on each other's order; it is built in random
 * orders, with random detours, and always means the same.
 */
#include <string.h>

#include "calls.h"
#include "random.h"
#include "state.h"

#define PAGE GMEM_PAGE_SIZE
#define GPA UINT64_C(0x100000)
#define M0 UINT64_C(0x10000000)
#define A0 UINT64_C(0x20000000)

/* The descriptors, wherever in the order they are made. */
enum { FIRST_FD = 8, VM0 = FIRST_FD, VM1, F0, F1, P0, NR_FDS };

/* Descriptors are handed out from below: a detour holds the lower ones meanwhile. */
static void fill_up_to(struct gmem_world *w, int64_t fd)
{
	while (call(w, .verb = GMEM_DUP, .fd = GMEM_KVM_FD) < fd)
		;
	close_fd(w, fd);
}

static void free_below(struct gmem_world *w, int64_t fd)
{
	while (--fd > GMEM_KVM_FD)
		if (gmem_fd_kind(w, 0, fd) == GMEM_FD_KVM)
			close_fd(w, fd);
}

static void make_fd(struct gmem_world *w, int64_t fd)
{
	int64_t made;

	fill_up_to(w, fd);
	switch (fd) {
	case VM0:
		made = create_vm(w, GMEM_VM_DEFAULT);
		break;
	case VM1:
		made = create_vm(w, GMEM_VM_SW_PROTECTED);
		break;
	case P0:
		made = create_gmem(w, VM1, MiB, 0);
		break;
	default:
		made = create_gmem(w, VM0, MiB, GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED);
		break;
	}
	assert_int_equal(made, fd);
	free_below(w, fd);
}

static void map_fixed(struct gmem_world *w, uint64_t addr, int64_t fd)
{
	assert_int_equal(
		call(w, .verb = GMEM_MMAP, .fd = fd, .addr = addr, .length = MiB,
		     .prot = GMEM_PROT_READ | GMEM_PROT_WRITE,
		     .flags = GMEM_MAP_FIXED |
			      (fd < 0 ? GMEM_MAP_PRIVATE | GMEM_MAP_ANONYMOUS : GMEM_MAP_SHARED)),
		addr);
}

static void make_slot(struct gmem_world *w, unsigned int n)
{
	if (n % 3 == 0)
		assert_int_equal(bind_slot(w, VM0, n, GPA + 16 * n * PAGE, 4 * PAGE,
					   n % 2 ? F0 : F1, n * 4 * PAGE),
				 0);
	else if (n % 3 == 1)
		assert_int_equal(
			bind_slot(w, VM1, n, GPA + 16 * n * PAGE, 4 * PAGE, P0, n * 4 * PAGE), 0);
	else
		assert_int_equal(call(w, .verb = GMEM_SET_USER_MEMORY_REGION, .fd = VM0,
				      .slot = (n & 1) << 16 | n, .gpa = 16 * n * PAGE,
				      .size = 4 * PAGE, .addr = A0 + n * 4 * PAGE),
				 0);
}

/* The second layer: parts of what the first one made. */
enum { NR_SLOTS = 24, NR_MAPS = 2, NR_PAGES = 64, NR_ATTRIBUTES = 40 };
#define NR_PARTS (NR_SLOTS + NR_MAPS + NR_PAGES + NR_ATTRIBUTES)

static void make_part(struct gmem_world *w, unsigned int n)
{
	if (n < NR_SLOTS) {
		make_slot(w, n);
	} else if ((n -= NR_SLOTS) < NR_MAPS) {
		map_fixed(w, n ? A0 : M0, n ? -1 : F0);
	} else if ((n -= NR_MAPS) < NR_PAGES) {
		uint64_t page = n + n / 5; /* runs of five */

		assert_int_equal(allocate(w, n % 2 ? F1 : P0, page * PAGE, PAGE), 0);
	} else {
		n -= NR_PAGES;
		set_private(w, VM1, (n + n / 3) * PAGE, PAGE, 1);
	}
}

/* The third: accesses, which need it all. */
enum { NR_ACCESSES = 40 };

static void make_access(struct gmem_world *w, unsigned int n)
{
	uint64_t page = n / 4 * PAGE;

	switch (n % 4) {
	case 0:
		store(w, M0 + page + n, n + 1);
		break;
	case 1:
		store(w, A0 + page + n, n + 1);
		break;
	case 2:
		guest_store(w, VM0, GPA + 16 * 3 * PAGE + page % (4 * PAGE) + n, n + 1);
		break;
	default:
		load(w, M0 + 64 * PAGE + page);
		break;
	}
}

/* Something that leaves nothing behind, but for which cells are free. */
/* A fork marks what private memory holds, so it leaves something once there is any. */
static void detour(struct gmem_world *w, struct random *r, int may_fork)
{
	int64_t fd, vm;

	switch (random_below(r, may_fork ? 5 : 4)) {
	case 0:
		vm = create_vm(w, GMEM_VM_SNP);
		fd = create_gmem(w, vm, MiB, 0);
		bind_slot(w, vm, 1, 0, 8 * PAGE, fd, 0);
		set_private(w, vm, 0, random_below(r, 9) * PAGE + PAGE, 1);
		close_fd(w, vm);
		close_fd(w, fd);
		break;
	case 1:
		fd = call(w, .verb = GMEM_DUP, .fd = GMEM_KVM_FD);
		vm = create_vm(w, GMEM_VM_DEFAULT);
		close_fd(w, fd);
		close_fd(w, vm);
		break;
	case 2:
		call(w, .verb = GMEM_MMAP, .fd = -1, .length = MiB, .addr = 2 * A0, .prot = 3,
		     .flags = GMEM_MAP_SHARED | GMEM_MAP_ANONYMOUS | GMEM_MAP_FIXED);
		store(w, 2 * A0 + random_below(r, MiB), 1);
		call(w, .verb = GMEM_MUNMAP, .addr = 2 * A0, .length = MiB);
		break;
	case 3:
		if (gmem_fd_kind(w, 0, P0) != GMEM_FD_GMEM)
			break;
		allocate(w, P0, MiB / 2, random_below(r, 9) * PAGE + PAGE);
		punch(w, P0, MiB / 2, MiB / 2);
		break;
	default:
		call(w, .verb = GMEM_FORK, .value = 3);
		call(w, .verb = GMEM_CLOSE, .fd = GMEM_KVM_FD, .task = 3);
		call(w, .verb = GMEM_EXIT, .task = 3);
		break;
	}
}

static void shuffle(struct random *r, unsigned int *order, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		order[i] = i;
	for (unsigned int i = n; r && i-- > 1;) {
		unsigned int k = (unsigned int)random_below(r, i + 1), was = order[i];

		order[i] = order[k];
		order[k] = was;
	}
}

static int comes_before(const unsigned int *order, unsigned int n, unsigned int a, unsigned int b)
{
	for (unsigned int i = 0; i < n; i++)
		if (order[i] == a || order[i] == b)
			return order[i] == a;
	return 0;
}

/* A file needs its VM first. */
static int is_possible(const unsigned int *order)
{
	const unsigned int n = NR_FDS - FIRST_FD;

	return comes_before(order, n, VM0 - FIRST_FD, F0 - FIRST_FD) &&
	       comes_before(order, n, VM0 - FIRST_FD, F1 - FIRST_FD) &&
	       comes_before(order, n, VM1 - FIRST_FD, P0 - FIRST_FD);
}

/* Without a source of chance in the order that is written above, and without detours. */
static struct gmem_world *build(struct random *r)
{
	struct gmem_world *w = new_world_of(&(struct gmem_config){ 0 });
	unsigned int order[NR_PARTS];

	do
		shuffle(r, order, NR_FDS - FIRST_FD);
	while (!is_possible(order));
	for (unsigned int i = 0; i < NR_FDS - FIRST_FD; i++) {
		make_fd(w, FIRST_FD + order[i]);
		if (r)
			detour(w, r, 1);
	}
	shuffle(r, order, NR_PARTS);
	for (unsigned int i = 0; i < NR_PARTS; i++) {
		make_part(w, order[i]);
		if (r && random_one_in(r, 4))
			detour(w, r, 1);
	}
	shuffle(r, order, NR_ACCESSES);
	for (unsigned int i = 0; i < NR_ACCESSES; i++) {
		make_access(w, order[i]);
		if (r && random_one_in(r, 4))
			detour(w, r, 0);
	}
	return w;
}

static void any_order_means_the_same(void **state)
{
	struct gmem_world *plain = build(NULL);
	uint64_t hash = gmem_world_hash(plain);
	struct random r;

	(void)state;
	random_seed(&r, 1);
	assert_int_equal(gmem_check(plain, NULL), GMEM_DONE);
	for (unsigned long i = 0; i < scaled(300); i++) {
		struct gmem_world *w = build(&r);

		assert_int_equal(gmem_check(w, NULL), GMEM_DONE);
		assert_int_equal(gmem_world_hash(w), hash);
		assert_true(gmem_world_equal(w, plain));
		close_fd(w, F1);
		assert_int_not_equal(gmem_world_hash(w), hash);
		assert_false(gmem_world_equal(w, plain));
		gmem_world_free(w);
	}
	gmem_world_free(plain);
}

/* ---- trees of one content and of many shapes ---- */

static struct gmem_world *with_a_file(void)
{
	struct gmem_world *w = new_world_of(&(struct gmem_config){ 0 });

	assert_int_equal(create_vm(w, GMEM_VM_SW_PROTECTED), 4);
	assert_int_equal(create_gmem(w, 4, 16 * MiB, 0), 5);
	return w;
}

enum { NR_ODD = 1000 };

/* Every second page, one by one, or all and then every other one punched, and so on. */
static struct gmem_world *every_second_page(struct random *r, int way)
{
	struct gmem_world *w = with_a_file();
	unsigned int order[NR_ODD];

	shuffle(way ? r : NULL, order, NR_ODD);
	if (way >= 2)
		allocate(w, 5, 0, 2 * NR_ODD * PAGE);
	if (way >= 2)
		set_private(w, 4, 0, 2 * NR_ODD * PAGE, 1);
	if (way == 3)
		for (unsigned int i = 0; i < NR_ODD; i += 7)
			punch(w, 5, 2 * order[i] * PAGE, 40 * PAGE);
	for (unsigned int i = 0; i < NR_ODD; i++) {
		uint64_t at = 2 * order[i] * PAGE;

		if (way == 1 || way == 0 || way == 3)
			allocate(w, 5, at, PAGE);
		if (way >= 2)
			punch(w, 5, at + PAGE, PAGE);
		set_private(w, 4, way >= 2 ? at + PAGE : at, PAGE, way < 2);
	}
	return w;
}

static void any_shape_means_the_same(void **state)
{
	struct gmem_world *plain = every_second_page(NULL, 0);
	struct random r;

	(void)state;
	random_seed(&r, 2);
	for (unsigned long i = 0; i < scaled(30); i++) {
		struct gmem_world *w = every_second_page(&r, 1 + (int)i % 3);

		assert_int_equal(gmem_world_hash(w), gmem_world_hash(plain));
		assert_true(gmem_world_equal(w, plain));
		gmem_world_free(w);
	}
	gmem_world_free(plain);
}

/* What was done and undone is as if it had not been, with nothing left in the cells either. */
static void detours_leave_nothing(void **state)
{
	struct gmem_world *w = new_world(), *fresh = new_world();
	uint32_t held = w->b->used - w->b->nr_free;
	struct random r;

	(void)state;
	random_seed(&r, 3);
	for (unsigned long i = 0; i < scaled(3000); i++) {
		detour(w, &r, 0);
		assert_true(gmem_world_equal(w, fresh));
		assert_int_equal(w->b->used - w->b->nr_free, held);
	}
	gmem_world_free(w);
	gmem_world_free(fresh);
}

/* An injection that a call has met is forgotten, however far it had come. */
static void what_was_injected_is_forgotten(void **state)
{
	static const struct gmem_call injections[] = {
		{ .verb = GMEM_INJECT, .what = GMEM_INJECT_SIGNAL, .value = 2 },
		{ .verb = GMEM_INJECT, .what = GMEM_INJECT_ENOMEM, .value = 2 },
	};
	struct gmem_world *plain = with_a_file();

	(void)state;
	allocate(plain, 5, 0, 2 * PAGE);
	for (int i = 0; i < 2; i++) {
		struct gmem_world *w = with_a_file();

		result_of(w, &injections[i], __FILE__, __LINE__);
		assert_int_equal(allocate(w, 5, 0, 4 * PAGE), i ? -12 : -4);
		assert_true(gmem_world_equal(w, plain));
		result_of(w, &injections[i], __FILE__, __LINE__);
		call(w, .verb = GMEM_INJECT, .what = GMEM_INJECT_NONE, .value = 5);
		assert_true(gmem_world_equal(w, plain));
		gmem_world_free(w);
	}
	gmem_world_free(plain);
}

/* Descriptors of every kind, as with_kinds() makes them. */
enum { OF_VM = 4, OF_GMEM, OF_PIN, NR_KINDS };

static struct gmem_world *with_kinds(void)
{
	struct gmem_world *w = new_world();
	uint64_t addr;

	assert_int_equal(create_vm(w, GMEM_VM_DEFAULT), OF_VM);
	assert_int_equal(create_gmem(w, OF_VM, PAGE, GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED),
			 OF_GMEM);
	addr = map(w, OF_GMEM, 0, PAGE);
	assert_int_equal(call(w, .verb = GMEM_PIN, .addr = addr, .length = PAGE), OF_PIN);
	call(w, .verb = GMEM_INJECT, .what = GMEM_INJECT_ENOMEM, .value = 7);
	return w;
}

/* Row by row: the status of the last, or of the beginning. */
static enum gmem_status step_through(struct gmem_world *w, const struct gmem_call *c,
				     struct gmem_result *r)
{
	enum gmem_progress progress = GMEM_RAN;
	enum gmem_status status = gmem_begin(w, c);

	while (status == GMEM_DONE && progress == GMEM_RAN)
		status = gmem_step(w, c->task, &progress, r);
	return status;
}

/* A call that cannot be asked of the descriptor that it comes to, in one go or row by row. */
static void misuse_leaves_nothing(void **state)
{
	struct gmem_world *plain = with_kinds(), *w = new_world();
	struct gmem_result whole, last;
	unsigned int n = 0, by_rows = 0;

	(void)state;
	for (struct gmem_call c = { .size = 1 }; c.verb < GMEM_NR_VERBS; c.verb++)
		for (c.fd = GMEM_KVM_FD; c.fd < NR_KINDS; c.fd++) {
			assert_int_equal(gmem_world_copy(w, plain), GMEM_DONE);
			if (gmem_call(w, &c, &whole) != GMEM_MISUSE)
				continue;
			n++;
			assert_true(gmem_world_equal(w, plain));
			if (gmem_begin(w, &c) == GMEM_MISUSE)
				continue;
			assert_int_equal(gmem_world_copy(w, plain), GMEM_DONE);
			memset(&last, 0xff, sizeof(last));
			assert_int_equal(step_through(w, &c, &last), GMEM_MISUSE);
			assert_memory_equal(&last, &whole, sizeof(last));
			assert_int_equal(last.value, -22);
			assert_false(gmem_task_runs(w, 0));
			assert_true(gmem_world_equal(w, plain));
			assert_int_equal(allocate(w, OF_GMEM, 0, PAGE), 0);
			by_rows++;
		}
	assert_true(by_rows > 40 && n > by_rows);
	gmem_world_free(w);
	gmem_world_free(plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_order_means_the_same),
		cmocka_unit_test(any_shape_means_the_same),
		cmocka_unit_test(detours_leave_nothing),
		cmocka_unit_test(what_was_injected_is_forgotten),
		cmocka_unit_test(misuse_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
