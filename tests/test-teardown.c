/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Everything that keeps a VM, a guest_memfd or its pages alive is given up, in every order there
 * is. After each step what lives is compared with what a few lines of logic say should, the
 * references are counted, and every access answers as it must; at the end nothing is left, not a
 * cell.
 */
#include <string.h>

#include "calls.h"
#include "ranges.h"
#include "state.h"

#define PAGE GMEM_PAGE_SIZE
#define GPA UINT64_C(0x100000)

enum { VM_FD = 4, FILE_FD, DUP_FD, PIN_FD };

/* What is given up. The child was forked when all of it was there, and has all of it. */
enum { CLOSE_VM, CLOSE_FILE, CLOSE_DUP, UNMAP, UNPIN, END_CHILD, DELETE_SLOT, NR_STEPS };

struct scene {
	struct gmem_world *w;
	uint64_t addr;
	int has[NR_STEPS]; /* what has not been given up */
};

/* Page 0 is written by the host and pinned, page 1 is written by the guest. */
static struct scene new_scene(void)
{
	struct scene s = { .w = new_world() };

	assert_int_equal(create_vm(s.w, GMEM_VM_DEFAULT), VM_FD);
	assert_int_equal(create_gmem(s.w, VM_FD, 16 * PAGE, GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED),
			 FILE_FD);
	assert_int_equal(call(s.w, .verb = GMEM_DUP, .fd = FILE_FD), DUP_FD);
	s.addr = map(s.w, FILE_FD, 0, 4 * PAGE);
	store(s.w, s.addr + 5, 0xaa);
	assert_int_equal(call(s.w, .verb = GMEM_PIN, .addr = s.addr, .length = PAGE), PIN_FD);
	assert_int_equal(bind_slot(s.w, VM_FD, 0, GPA, 4 * PAGE, FILE_FD, 0), 0);
	assert_int_equal(call(s.w, .verb = GMEM_SET_USER_MEMORY_REGION, .fd = VM_FD, .slot = 1,
			      .gpa = 2 * GPA, .size = PAGE),
			 0);
	guest_store(s.w, VM_FD, GPA + PAGE + 6, 0xbb);
	call(s.w, .verb = GMEM_FORK, .value = 1);
	for (int i = 0; i < NR_STEPS; i++)
		s.has[i] = 1;
	return s;
}

static void give_up(struct scene *s, int step)
{
	static const struct gmem_call steps[NR_STEPS] = {
		[CLOSE_VM] = { .verb = GMEM_CLOSE, .fd = VM_FD },
		[CLOSE_FILE] = { .verb = GMEM_CLOSE, .fd = FILE_FD },
		[CLOSE_DUP] = { .verb = GMEM_CLOSE, .fd = DUP_FD },
		[UNMAP] = { .verb = GMEM_MUNMAP, .length = 4 * PAGE },
		[UNPIN] = { .verb = GMEM_UNPIN, .fd = PIN_FD },
		[END_CHILD] = { .verb = GMEM_EXIT, .task = 1 },
		[DELETE_SLOT] = { .verb = GMEM_SET_USER_MEMORY_REGION, .fd = VM_FD },
	};
	struct gmem_call c = steps[step];
	int expected = step == DELETE_SLOT && !s->has[CLOSE_VM] ? -9 : 0;

	c.addr = step == UNMAP ? s->addr : 0;
	assert_int_equal(result_of(s->w, &c, __FILE__, __LINE__).value, expected);
	s->has[step] = step == DELETE_SLOT && expected;
}

/* ---- what should live ---- */

static int file_lives(const struct scene *s)
{
	return s->has[CLOSE_FILE] || s->has[CLOSE_DUP] || s->has[UNMAP] || s->has[END_CHILD];
}

static int vm_lives(const struct scene *s)
{
	return s->has[CLOSE_VM] || s->has[END_CHILD] || file_lives(s);
}

/* ---- what does ---- */

static unsigned int inodes(const struct gmem_block *b, uint32_t kind)
{
	unsigned int n = 0;

	for (uint32_t i = b->inodes; i; i = CINODE(b, i)->next)
		n += CINODE(b, i)->kind == kind;
	return n;
}

static void compare_lives(const struct scene *s)
{
	const struct gmem_block *b = s->w->b;
	int child = s->has[END_CHILD], pinned = s->has[UNPIN] || child;

	assert_int_equal(inodes(b, INODE_GMEM), file_lives(s));
	assert_int_equal(inodes(b, INODE_ORPHAN), pinned && !file_lives(s));
	assert_int_equal(b->vms != 0, vm_lives(s));
	assert_int_equal(b->nr_pins, pinned);
	assert_int_equal(b->nr_slots, vm_lives(s) ? 1 + s->has[DELETE_SLOT] : 0);
	assert_int_equal(b->nr_vmas, s->has[UNMAP] + child);
	if (vm_lives(s))
		assert_int_equal(CVM(b, b->vms)->users,
				 (s->has[CLOSE_VM] || child) + file_lives(s));
	if (file_lives(s)) {
		uint32_t inode = b->inodes;

		assert_int_equal(CFILE(b, CINODE(b, inode)->files)->refs,
				 s->has[CLOSE_FILE] + s->has[CLOSE_DUP] + s->has[UNMAP] +
					 3 * child);
		assert_int_equal(CINODE(b, inode)->refs, 1);
	}
}

/* ---- what is answered ---- */

static void compare_descriptors(const struct scene *s, uint32_t task)
{
	static const unsigned int kinds[] = { GMEM_FD_VM, GMEM_FD_GMEM, GMEM_FD_GMEM, GMEM_FD_PIN };
	static const int closed_by[] = { CLOSE_VM, CLOSE_FILE, CLOSE_DUP, UNPIN };

	for (int i = 0; i < 4; i++) {
		int open = task ? s->has[END_CHILD] : s->has[closed_by[i]];

		assert_int_equal(gmem_fd_kind(s->w, task, VM_FD + i), open ? kinds[i] : 0);
	}
}

static void compare_host(const struct scene *s, uint32_t task)
{
	int mapped = task ? s->has[END_CHILD] : s->has[UNMAP];
	int pinned = task ? s->has[END_CHILD] : s->has[UNPIN];
	struct gmem_result r;

	if (task && !s->has[END_CHILD]) {
		assert_false(gmem_task_exists(s->w, task));
		return;
	}
	r = result(s->w, .verb = GMEM_LOAD, .addr = s->addr + 5, .size = 1, .task = task);
	assert_int_equal(r.outcome, mapped ? GMEM_VALUE : GMEM_SIGSEGV);
	assert_int_equal(r.value, mapped ? 0xaa : 0);
	assert_int_equal(call(s->w, .verb = GMEM_PIN_LOAD, .fd = PIN_FD, .offset = 5, .size = 1,
			      .task = task),
			 pinned ? 0xaa : -9);
}

static void compare_guest(const struct scene *s)
{
	struct gmem_result r = guest_load(s->w, VM_FD, GPA + PAGE + 6);

	if (!s->has[CLOSE_VM]) {
		assert_int_equal(r.value, -9);
	} else if (!s->has[DELETE_SLOT]) {
		assert_int_equal(r.outcome, GMEM_MMIO);
	} else if (!file_lives(s)) {
		assert_int_equal(r.outcome, GMEM_MEMORY_FAULT);
		assert_int_equal(r.value, -14);
	} else {
		assert_int_equal(r.outcome, GMEM_VALUE);
		assert_int_equal(r.value, 0xbb);
	}
	if (s->has[END_CHILD])
		assert_int_equal(call(s->w, .verb = GMEM_GUEST_LOAD, .fd = VM_FD, .gpa = GPA,
				      .size = 1, .task = 1),
				 -5);
}

static void compare(const struct scene *s)
{
	compare_lives(s);
	compare_descriptors(s, 0);
	compare_descriptors(s, 1);
	compare_host(s, 0);
	compare_host(s, 1);
	compare_guest(s);
	compare_lives(s);
}

static uint32_t cells_held(const struct gmem_world *w)
{
	return w->b->used - w->b->nr_free;
}

/* Permutation number n, n below NR_STEPS factorial. */
static void nth_order(unsigned long n, int *order)
{
	for (int i = 0; i < NR_STEPS; i++)
		order[i] = i;
	for (int i = NR_STEPS; i > 1; i--) {
		int k = (int)(n % (unsigned int)i), was = order[i - 1];

		n /= (unsigned int)i;
		order[i - 1] = order[k];
		order[k] = was;
	}
}

static void in_every_order(void **state)
{
	const unsigned long orders = 5040, wanted = scaled(orders);
	struct gmem_world *empty = new_world();
	struct scene all = new_scene(), s = { .w = new_world() };
	int order[NR_STEPS];

	(void)state;
	/* What is left of a mapping is that its address is not used again. */
	call(empty, .verb = GMEM_MMAP, .fd = -1, .length = 4 * PAGE,
	     SHARED_RW | GMEM_MAP_ANONYMOUS);
	call(empty, .verb = GMEM_MUNMAP, .addr = all.addr, .length = 4 * PAGE);
	compare(&all);
	for (unsigned long n = 0; n < (wanted < orders ? wanted : orders); n++) {
		nth_order(n * (wanted < orders ? orders / wanted : 1), order);
		assert_int_equal(gmem_world_copy(s.w, all.w), GMEM_DONE);
		memcpy(s.has, all.has, sizeof(s.has));
		s.addr = all.addr;
		for (int i = 0; i < NR_STEPS; i++) {
			give_up(&s, order[i]);
			compare(&s);
		}
		assert_int_equal(cells_held(s.w), cells_held(empty));
		assert_true(gmem_world_equal(s.w, empty));
	}
	gmem_world_free(empty);
	gmem_world_free(all.w);
	gmem_world_free(s.w);
}

/* ---- pins of one memory, a part of which is punched ---- */

enum { NR_PINS = 3 };

/* Three pins of pages 0 and 1 and their mapping, given up in every order. */
static void pins_in_order(struct gmem_world *w, uint64_t addr, unsigned int n)
{
	int order[NR_PINS + 1], first = (int)(n % 24), given_up[NR_PINS + 1] = { 0 };
	int64_t pins[NR_PINS];

	for (int i = 0; i <= NR_PINS; i++)
		order[i] = i;
	for (int i = NR_PINS + 1; i > 1; first /= i--) {
		int k = first % i, was = order[i - 1];

		order[i - 1] = order[k];
		order[k] = was;
	}
	for (int i = 0; i < NR_PINS; i++)
		pins[i] = call(w, .verb = GMEM_PIN, .addr = addr, .length = 2 * PAGE);
	store(w, addr, 0xaa);
	store(w, addr + PAGE, 0xbb);
	call(w, .verb = GMEM_MADVISE, .addr = addr + PAGE, .length = PAGE,
	     .advice = GMEM_MADV_REMOVE);
	assert_int_equal(load(w, addr + PAGE), 0);
	for (int i = 0; i <= NR_PINS; i++) {
		if (order[i] == NR_PINS)
			call(w, .verb = GMEM_MUNMAP, .addr = addr, .length = 4 * PAGE);
		else
			call(w, .verb = GMEM_UNPIN, .fd = pins[order[i]]);
		given_up[order[i]] = 1;
		for (int k = 0; k < NR_PINS; k++) {
			if (given_up[k])
				continue;
			assert_int_equal(call(w, .verb = GMEM_PIN_LOAD, .fd = pins[k], .size = 1),
					 0xaa);
			assert_int_equal(call(w, .verb = GMEM_PIN_LOAD, .fd = pins[k],
					      .offset = PAGE, .size = 1),
					 0xbb);
		}
	}
}

static void several_pins_in_every_order(void **state)
{
	struct gmem_world *w = new_world();
	uint32_t held;
	int64_t file;

	(void)state;
	file = create_gmem(w, create_vm(w, GMEM_VM_DEFAULT), MiB,
			   GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED);
	held = cells_held(w);
	for (unsigned int n = 0; n < 24; n++) {
		pins_in_order(w, map(w, file, 0, 4 * PAGE), n);
		punch(w, file, 0, MiB);
		assert_int_equal(cells_held(w), held);
	}
	for (unsigned int n = 0; n < 24; n++) {
		uint64_t addr = (uint64_t)call(w, .verb = GMEM_MMAP, .fd = -1, .length = 4 * PAGE,
					       .prot = GMEM_PROT_READ | GMEM_PROT_WRITE,
					       .flags = GMEM_MAP_SHARED | GMEM_MAP_ANONYMOUS);

		pins_in_order(w, addr, n);
		assert_int_equal(cells_held(w), held);
	}
	gmem_world_free(w);
}

/* ---- all at once ---- */

/* A process that ends takes along what is only its own, all at once. */
static void a_process_takes_everything_along(void **state)
{
	struct gmem_world *w = new_world(), *empty = new_world();
	uint64_t addr;

	(void)state;
	call(w, .verb = GMEM_FORK, .value = 1);
	call(w, .verb = GMEM_CREATE_VM, .fd = GMEM_KVM_FD, .task = 1);
	call(w, .verb = GMEM_CREATE_GUEST_MEMFD, .fd = VM_FD, .size = MiB, .task = 1,
	     .flags = GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED);
	addr = (uint64_t)call(w, .verb = GMEM_MMAP, .fd = FILE_FD, .length = MiB, SHARED_RW,
			      .task = 1);
	call(w, .verb = GMEM_STORE, .addr = addr, .size = 8, .value = UINT64_MAX, .task = 1);
	call(w, .verb = GMEM_PIN, .addr = addr, .length = 8 * PAGE, .task = 1);
	call(w, .verb = GMEM_SET_USER_MEMORY_REGION2, .fd = VM_FD, .size = MiB, .memfd = FILE_FD,
	     .flags = GMEM_MEM_GUEST_MEMFD, .task = 1);
	assert_int_equal(call(w, .verb = GMEM_GUEST_LOAD, .fd = VM_FD, .size = 8, .task = 1), -1);
	call(w, .verb = GMEM_FALLOCATE, .fd = FILE_FD, .length = PAGE, .task = 1,
	     .mode = GMEM_FALLOC_KEEP_SIZE | GMEM_FALLOC_PUNCH_HOLE);
	assert_int_equal(call(w, .verb = GMEM_EXIT, .task = 1), 0);
	assert_int_equal(cells_held(w), cells_held(empty));
	assert_true(gmem_world_equal(w, empty));
	gmem_world_free(w);
	gmem_world_free(empty);
}

/* A VM made by a process that has ended answers nobody any more, and goes with its last user. */
static void a_vm_outlives_its_process(void **state)
{
	struct gmem_world *w = new_world(), *empty = new_world();

	(void)state;
	call(w, .verb = GMEM_FORK, .value = 1);
	call(w, .verb = GMEM_CREATE_VM, .fd = GMEM_KVM_FD, .task = 1);
	call(w, .verb = GMEM_FORK, .value = 2, .task = 1);
	call(w, .verb = GMEM_EXIT, .task = 1);
	assert_int_not_equal(w->b->vms, 0);
	assert_int_equal(
		call(w, .verb = GMEM_CREATE_GUEST_MEMFD, .fd = VM_FD, .size = PAGE, .task = 2), -5);
	call(w, .verb = GMEM_EXIT, .task = 2);
	assert_int_equal(w->b->vms, 0);
	assert_true(gmem_world_equal(w, empty));
	gmem_world_free(w);
	gmem_world_free(empty);
}

/* One close may end everything: the last mapping of the last file of a VM without descriptor. */
static void the_last_mapping_ends_the_vm(void **state)
{
	struct scene s = new_scene();
	struct gmem_result r;

	(void)state;
	for (int i = 0; i < UNMAP; i++)
		give_up(&s, i);
	give_up(&s, END_CHILD);
	give_up(&s, UNPIN);
	assert_int_not_equal(s.w->b->vms, 0);
	r = result(s.w, .verb = GMEM_MUNMAP, .addr = s.addr, .length = PAGE);
	assert_int_equal(r.value, 0);
	assert_int_not_equal(s.w->b->vms, 0);
	call(s.w, .verb = GMEM_MUNMAP, .addr = s.addr + 2 * PAGE, .length = 2 * PAGE);
	assert_int_not_equal(s.w->b->vms, 0);
	call(s.w, .verb = GMEM_MUNMAP, .addr = s.addr + PAGE, .length = PAGE);
	assert_int_equal(s.w->b->vms, 0);
	assert_int_equal(s.w->b->inodes, 0);
	assert_int_equal(s.w->b->nr_slots, 0);
	gmem_world_free(s.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_every_order),
		cmocka_unit_test(several_pins_in_every_order),
		cmocka_unit_test(a_process_takes_everything_along),
		cmocka_unit_test(a_vm_outlives_its_process),
		cmocka_unit_test(the_last_mapping_ends_the_vm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
