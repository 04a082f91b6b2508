/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who waits for whom where calls overlap: the exchange of memslots for notifications and for
 * readers, a host's fault for mmap_lock, a VM that comes or goes. Each case stops one task's call at
 * a row, and sees how far another's gets, and what the world says of it.
 */
#include <errno.h>

#include "calls.h"
#include "ranges.h"
#include "state.h"

#define PAGE GMEM_PAGE_SIZE
#define GPA UINT64_C(0x100000)
#define RW (GMEM_PROT_READ | GMEM_PROT_WRITE)
#define MOST_ROWS 1000

/* A VM with memslot 0, of a guest_memfd, and memslot 1, of ordinary memory; three tasks. */
struct fixture {
	struct gmem_world *w;
	int64_t vm, file;
	uint64_t memory, shown;
};

static void setup_on(struct fixture *f, const char *profile, uint64_t type)
{
	f->w = new_world_on(profile, NULL);
	f->vm = create_vm(f->w, type);
	f->file = create_gmem(f->w, f->vm, 16 * PAGE, GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED);
	f->shown = map(f->w, f->file, 0, 4 * PAGE);
	f->memory = (uint64_t)call(f->w, .verb = GMEM_MMAP, .fd = -1, .length = 4 * PAGE,
				   .prot = RW, .flags = GMEM_MAP_PRIVATE | GMEM_MAP_ANONYMOUS);
	assert_int_equal(bind_slot(f->w, f->vm, 0, GPA, 4 * PAGE, f->file, 0), 0);
	assert_int_equal(call(f->w, .verb = GMEM_SET_USER_MEMORY_REGION, .fd = f->vm, .slot = 1,
			      .gpa = 2 * GPA, .size = 4 * PAGE, .addr = f->memory),
			 0);
	for (uint64_t task = 1; task < 3; task++)
		assert_int_equal(call(f->w, .verb = GMEM_THREAD, .value = task), task);
}

static void setup(struct fixture *f)
{
	setup_on(f, "linux-6.18", GMEM_VM_DEFAULT);
}

static const struct gmem_process *process(const struct fixture *f)
{
	return PROCESS(f->w->b, TASK(f->w->b, f->w->b->tasks[0])->process);
}

static const struct gmem_vm *vm(const struct fixture *f)
{
	uint32_t file = gmem_range_get(f->w->b, process(f)->fds, (uint64_t)f->vm);

	return VM(f->w->b, GFILE(f->w->b, file)->vm);
}

static int has_slot(const struct fixture *f, uint64_t id)
{
	return gmem_range_get(f->w->b, vm(f)->slots, id) != 0;
}

static void begin_call(struct fixture *f, const struct gmem_call *c)
{
	assert_int_equal(gmem_begin(f->w, c), GMEM_DONE);
}
#define begin(f, ...) begin_call((f), &(struct gmem_call){ __VA_ARGS__ })

static enum gmem_progress step(struct fixture *f, uint32_t task, struct gmem_result *r)
{
	enum gmem_progress progress;

	assert_int_equal(gmem_step(f->w, task, &progress, r), GMEM_DONE);
	return progress;
}

static void run_up_to(struct fixture *f, uint32_t task, int (*there)(const struct fixture *f))
{
	struct gmem_result r;

	for (int rows = 0; !there(f); rows++) {
		assert_true(rows < MOST_ROWS);
		assert_int_equal(step(f, task, &r), GMEM_RAN);
	}
}

/* Until it waits, or to its end. */
static enum gmem_progress run(struct fixture *f, uint32_t task, struct gmem_result *r)
{
	enum gmem_progress progress = GMEM_RAN;

	for (int rows = 0; progress == GMEM_RAN; rows++) {
		assert_true(rows < MOST_ROWS);
		progress = step(f, task, r);
	}
	assert_int_equal(gmem_task_can_step(f->w, task), 0);
	return progress;
}

static void must_wait(struct fixture *f, uint32_t task)
{
	struct gmem_result r;

	assert_int_equal(run(f, task, &r), GMEM_WAITS);
}

static void must_end(struct fixture *f, uint32_t task, int64_t value)
{
	struct gmem_result r;

	assert_int_equal(run(f, task, &r), GMEM_OVER);
	assert_int_equal(r.outcome, GMEM_VALUE);
	assert_int_equal(r.value, value);
}

static int is_between_start_and_end(const struct fixture *f)
{
	return vm(f)->notifiers == 1;
}

static int somebody_reads_memslots(const struct fixture *f)
{
	return vm(f)->srcu[0] + vm(f)->srcu[1] == 1;
}

static int two_read_memslots(const struct fixture *f)
{
	return vm(f)->srcu[0] == 1 && vm(f)->srcu[1] == 1;
}

static int mmap_lock_is_exclusive(const struct fixture *f)
{
	return process(f)->mmap_lock < 0;
}

static int mmap_lock_is_shared(const struct fixture *f)
{
	return process(f)->mmap_lock == 1;
}

static int mmap_lock_is_shared_by_two(const struct fixture *f)
{
	return process(f)->mmap_lock == 2;
}

static void begin_creating_slot_2(struct fixture *f)
{
	begin(f, .verb = GMEM_SET_USER_MEMORY_REGION2, .fd = f->vm, .slot = 2,
	      .flags = GMEM_MEM_GUEST_MEMFD, .gpa = 3 * GPA, .size = 4 * PAGE, .memfd = f->file,
	      .offset = 8 * PAGE);
}

/* [SLOT-30] */
static void an_exchange_waits_for_the_end_of_a_notification(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	begin(&f, .verb = GMEM_MUNMAP, .task = 1, .addr = f.memory, .length = PAGE);
	run_up_to(&f, 1, is_between_start_and_end);
	begin_creating_slot_2(&f);
	must_wait(&f, 0);
	assert_false(has_slot(&f, 2));
	must_end(&f, 1, 0);
	assert_int_equal(vm(&f)->notifiers, 0);
	must_end(&f, 0, 0);
	assert_true(has_slot(&f, 2));
	gmem_world_free(f.w);
}

/* [SLOT-31] Those who come after the exchange see the new memslots, and are not waited for. */
static void an_exchange_is_followed_by_waiting_for_earlier_readers(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	begin(&f, .verb = GMEM_GUEST_LOAD, .task = 1, .fd = f.vm, .gpa = GPA, .size = 1);
	run_up_to(&f, 1, somebody_reads_memslots);
	begin_creating_slot_2(&f);
	must_wait(&f, 0);
	assert_true(has_slot(&f, 2));
	begin(&f, .verb = GMEM_GUEST_LOAD, .task = 2, .fd = f.vm, .gpa = 3 * GPA, .size = 1);
	run_up_to(&f, 2, two_read_memslots);
	must_wait(&f, 0);
	must_end(&f, 1, 0);
	must_end(&f, 0, 0);
	assert_true(somebody_reads_memslots(&f));
	must_end(&f, 2, 0);
	gmem_world_free(f.w);
}

/* [HOST-15] */
static void a_fault_waits_for_mmap_lock_and_a_mapped_page_does_not(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	store(f.w, f.shown, 0x5a);
	begin(&f, .verb = GMEM_MUNMAP, .task = 1, .addr = f.memory, .length = PAGE);
	run_up_to(&f, 1, mmap_lock_is_exclusive);
	begin(&f, .verb = GMEM_LOAD, .addr = f.shown, .size = 1);
	must_end(&f, 0, 0x5a);
	begin(&f, .verb = GMEM_LOAD, .addr = f.shown + PAGE, .size = 1);
	must_wait(&f, 0);
	must_end(&f, 1, 0);
	must_end(&f, 0, 0);
	gmem_world_free(f.w);
}

/* [HOST-15] */
static void two_faults_share_mmap_lock(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	begin(&f, .verb = GMEM_LOAD, .task = 1, .addr = f.shown, .size = 1);
	run_up_to(&f, 1, mmap_lock_is_shared);
	begin(&f, .verb = GMEM_LOAD, .task = 2, .addr = f.memory, .size = 1);
	run_up_to(&f, 2, mmap_lock_is_shared_by_two);
	begin(&f, .verb = GMEM_MUNMAP, .addr = f.memory, .length = PAGE);
	must_wait(&f, 0);
	must_end(&f, 2, 0);
	must_wait(&f, 0);
	must_end(&f, 1, 0);
	must_end(&f, 0, 0);
	gmem_world_free(f.w);
}

static const struct gmem_inode *inode_of_file(const struct fixture *f)
{
	const struct gmem_block *b = f->w->b;
	uint32_t file = gmem_range_get(b, process(f)->fds, (uint64_t)f->file);

	return CINODE(b, CFILE(b, file)->inode);
}

static int page_is_fresh_and_nothing_locked_but_it(const struct fixture *f)
{
	const struct gmem_block *b = f->w->b;
	const struct gmem_inode *inode = inode_of_file(f);

	return gmem_range_get(b, inode->folios, 0) == FOLIO_PRESENT && !inode->invalidate_lock &&
	       inode->folio_lock;
}

/*
 * [HOST-7] [HOST-14] A page that a fault of v13 has allocated is zeroed when the invalidate lock is
 * given back. Until then a conversion finds the reference, and a guest waits for the page.
 */
static void a_page_is_zeroed_without_the_invalidate_lock(void **state)
{
	struct fixture f;

	(void)state;
	setup_on(&f, "linux-coco-v13", GMEM_VM_SW_PROTECTED);
	begin(&f, .verb = GMEM_LOAD, .task = 1, .addr = f.shown, .size = 1);
	run_up_to(&f, 1, page_is_fresh_and_nothing_locked_but_it);
	begin(&f, .verb = GMEM_CACHESTAT, .fd = f.file);
	must_end(&f, 0, 1);
	begin(&f, .verb = GMEM_SET_MEMORY_ATTRIBUTES2, .fd = f.file, .size = PAGE,
	      .attributes = GMEM_ATTRIBUTE_PRIVATE);
	must_end(&f, 0, -EAGAIN);
	begin(&f, .verb = GMEM_GUEST_LOAD, .task = 2, .fd = f.vm, .gpa = GPA, .size = 1);
	must_wait(&f, 2);
	must_end(&f, 1, 0);
	must_end(&f, 2, 0);
	begin(&f, .verb = GMEM_SET_MEMORY_ATTRIBUTES2, .fd = f.file, .size = PAGE,
	      .attributes = GMEM_ATTRIBUTE_PRIVATE);
	must_end(&f, 0, 0);
	gmem_world_free(f.w);
}

/* [PROC-2] No trace can have a fork among calls that overlap. */
static void a_fork_keeps_mappings_as_they_are(void **state)
{
	struct fixture f;
	int64_t child = 3;

	(void)state;
	setup(&f);
	store(f.w, f.memory, 0x5a);
	begin(&f, .verb = GMEM_FORK, .task = 1, .value = (uint64_t)child);
	run_up_to(&f, 1, mmap_lock_is_exclusive);
	begin(&f, .verb = GMEM_MUNMAP, .task = 2, .addr = f.memory, .length = PAGE);
	must_wait(&f, 2);
	begin(&f, .verb = GMEM_LOAD, .addr = f.shown, .size = 1);
	must_wait(&f, 0);
	must_end(&f, 1, child);
	must_end(&f, 2, 0);
	must_end(&f, 0, 0);
	assert_int_equal(
		call(f.w, .verb = GMEM_LOAD, .task = (uint32_t)child, .addr = f.memory, .size = 1),
		0x5a);
	gmem_world_free(f.w);
}

/* ---- what is said of who waits ---- */

/* The task waits for that class, and exactly those tasks (bits) have it, of the same owner. */
static void assert_waits(const struct fixture *f, uint32_t task, unsigned int class,
			 enum gmem_lock_owner owner, uint32_t holders)
{
	struct gmem_task_lock wanted, held;

	assert_int_equal(gmem_task_waits(f->w, task, &wanted), 1);
	assert_int_equal(wanted.class, class);
	assert_int_equal(wanted.mode, WRITE);
	assert_int_equal(wanted.owner, owner);
	for (uint32_t other = 0; other < GMEM_MAX_TASKS; other++) {
		int has = holders >> other & 1;

		assert_int_equal(gmem_task_waits_for(f->w, task, other, &held), has);
		if (has)
			assert_int_equal(held.number, wanted.number);
	}
}

static int reader_0_is_there(const struct fixture *f)
{
	struct gmem_task_lock l;

	return gmem_task_lock(f->w, 0, 0, &l) && l.class == SRCU;
}

static int reader_1_is_there(const struct fixture *f)
{
	struct gmem_task_lock l;

	return gmem_task_lock(f->w, 1, 0, &l) && l.class == SRCU;
}

/* [SLOT-31] */
static void a_reader_who_comes_later_is_not_named(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	begin(&f, .verb = GMEM_GUEST_LOAD, .fd = f.vm, .gpa = GPA, .size = 1);
	run_up_to(&f, 0, reader_0_is_there);
	begin(&f, .verb = GMEM_SET_USER_MEMORY_REGION, .task = 2, .fd = f.vm);
	must_wait(&f, 2);
	begin(&f, .verb = GMEM_GUEST_LOAD, .task = 1, .fd = f.vm, .gpa = GPA, .size = 1);
	run_up_to(&f, 1, reader_1_is_there);
	assert_waits(&f, 2, SRCU, GMEM_OF_VM, 1u << 0);
	gmem_world_free(f.w);
}

static int task_0_tells(const struct fixture *f)
{
	struct gmem_task_lock l = { 0 };

	for (unsigned int n = 0; gmem_task_lock(f->w, 0, n, &l); n++)
		if (l.class == NOTIFIERS)
			return 1;
	return 0;
}

/* [VM-7] [DESTROY-4] A punch has no mmap_lock: it is the notification that they wait for. */
static void vms_come_and_go_after_a_notification(void **state)
{
	struct gmem_task_lock wanted;
	struct fixture f;
	int64_t other;

	(void)state;
	setup(&f);
	store(f.w, f.shown, 1);
	other = create_vm(f.w, GMEM_VM_DEFAULT);
	begin(&f, .verb = GMEM_FALLOCATE, .fd = f.file, .length = PAGE,
	      .mode = GMEM_FALLOC_KEEP_SIZE | GMEM_FALLOC_PUNCH_HOLE);
	begin(&f, .verb = GMEM_CREATE_VM, .task = 1, .fd = GMEM_KVM_FD);
	begin(&f, .verb = GMEM_CLOSE, .task = 2, .fd = other);
	run_up_to(&f, 0, task_0_tells);
	must_wait(&f, 1);
	assert_waits(&f, 1, NOTIFIERS, GMEM_OF_PROCESS, 1u << 0);
	must_wait(&f, 2);
	assert_waits(&f, 2, NOTIFIERS, GMEM_OF_VM, 1u << 0);
	must_end(&f, 0, 0);
	assert_int_equal(gmem_task_waits(f.w, 1, &wanted), 0);
	must_end(&f, 1, other);
	must_end(&f, 2, 0);
	gmem_world_free(f.w);
}

/* One start and one end, and in between the pages that it is about. */
static void what_a_vm_is_told(void **state)
{
	enum gmem_progress progress = GMEM_RAN;
	struct gmem_invalidation told = { 0 };
	unsigned int starts = 0, ends = 0;
	struct gmem_result r;
	struct fixture f;

	(void)state;
	setup(&f);
	begin(&f, .verb = GMEM_MUNMAP, .addr = f.memory + PAGE, .length = PAGE);
	while (progress == GMEM_RAN) {
		int64_t before = told.in_progress;

		progress = step(&f, 0, &r);
		assert_int_equal(gmem_invalidation(f.w, 0, 0, &told), 1);
		assert_int_equal(told.fd, f.vm);
		assert_int_equal(told.number, 1);
		starts += told.in_progress > before;
		ends += told.in_progress < before;
		assert_int_equal(told.gfn, told.in_progress ? 2 * GPA / PAGE + 1 : 0);
		assert_int_equal(told.gfn_end, told.in_progress ? 2 * GPA / PAGE + 2 : 0);
	}
	assert_int_equal(starts, 1);
	assert_int_equal(ends, 1);
	assert_int_equal(gmem_invalidation(f.w, 0, 1, &told), 0);
	assert_int_equal(gmem_invalidation(f.w, GMEM_MAX_TASKS, 0, &told), 1);
	assert_int_equal(told.fd, -1);
	gmem_world_free(f.w);
}

static int somebody_goes_through_mappings(const struct fixture *f)
{
	return inode_of_file(f)->i_mmap_rwsem == 1;
}

/* [PROC-2] [MMAP-11] The same of a fork; and a new mapping shows nothing by then anyway. */
static void mappings_come_when_a_punch_has_gone_through_them(void **state)
{
	struct fixture f;
	int64_t child = 3;

	(void)state;
	setup(&f);
	store(f.w, f.shown, 0x5a);
	begin(&f, .verb = GMEM_FALLOCATE, .task = 1, .fd = f.file, .length = PAGE,
	      .mode = GMEM_FALLOC_KEEP_SIZE | GMEM_FALLOC_PUNCH_HOLE);
	run_up_to(&f, 1, somebody_goes_through_mappings);
	begin(&f, .verb = GMEM_FORK, .task = 2, .value = (uint64_t)child);
	must_wait(&f, 2);
	must_end(&f, 1, 0);
	must_end(&f, 2, child);
	store(f.w, f.shown, 0x5a);
	begin(&f, .verb = GMEM_FALLOCATE, .task = 1, .fd = f.file, .length = PAGE,
	      .mode = GMEM_FALLOC_KEEP_SIZE | GMEM_FALLOC_PUNCH_HOLE);
	run_up_to(&f, 1, somebody_goes_through_mappings);
	begin(&f, .verb = GMEM_MMAP, .fd = f.file, .length = PAGE, .prot = RW,
	      .flags = GMEM_MAP_SHARED);
	must_wait(&f, 0);
	must_end(&f, 1, 0);
	must_end(&f, 0, (int64_t)(process(&f)->mmap_next << GMEM_PAGE_SHIFT));
	gmem_world_free(f.w);
}

/* Whoever asks, and whoever waits, leaves the world as it is: after each row of a punch and a load. */
static void to_ask_and_to_wait_change_nothing(void **state)
{
	enum gmem_progress progress[3] = { GMEM_OVER };
	struct gmem_task_lock lock;
	struct gmem_result r;
	struct fixture f;

	(void)state;
	setup(&f);
	begin(&f, .verb = GMEM_FALLOCATE, .task = 1, .fd = f.file, .length = PAGE,
	      .mode = GMEM_FALLOC_KEEP_SIZE | GMEM_FALLOC_PUNCH_HOLE);
	begin(&f, .verb = GMEM_LOAD, .task = 2, .addr = f.shown, .size = 1);
	for (uint32_t i = 0; progress[1] != GMEM_OVER || progress[2] != GMEM_OVER; i++) {
		const uint32_t task = 1 + i % 2;
		const uint64_t hash = gmem_world_hash(f.w);
		const int can = gmem_task_can_step(f.w, task);

		gmem_task_waits(f.w, task, &lock);
		gmem_task_waits_for(f.w, task, 3 - task, &lock);
		assert_int_equal(gmem_world_hash(f.w), hash);
		if (gmem_task_runs(f.w, task))
			progress[task] = step(&f, task, &r);
		assert_true(can || gmem_world_hash(f.w) == hash);
	}
	gmem_world_free(f.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_exchange_waits_for_the_end_of_a_notification),
		cmocka_unit_test(an_exchange_is_followed_by_waiting_for_earlier_readers),
		cmocka_unit_test(a_fault_waits_for_mmap_lock_and_a_mapped_page_does_not),
		cmocka_unit_test(two_faults_share_mmap_lock),
		cmocka_unit_test(a_page_is_zeroed_without_the_invalidate_lock),
		cmocka_unit_test(a_fork_keeps_mappings_as_they_are),
		cmocka_unit_test(a_reader_who_comes_later_is_not_named),
		cmocka_unit_test(vms_come_and_go_after_a_notification),
		cmocka_unit_test(what_a_vm_is_told),
		cmocka_unit_test(mappings_come_when_a_punch_has_gone_through_them),
		cmocka_unit_test(to_ask_and_to_wait_change_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
