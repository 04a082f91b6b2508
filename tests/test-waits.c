/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who waits for whom where calls overlap: the exchange of memslots for notifications and for
 * readers, a host's fault for mmap_lock. Each case stops one task's call at a row, and sees how
 * far another's gets.
 */
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

static void setup(struct fixture *f)
{
	f->w = new_world();
	f->vm = create_vm(f->w, GMEM_VM_DEFAULT);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_exchange_waits_for_the_end_of_a_notification),
		cmocka_unit_test(an_exchange_is_followed_by_waiting_for_earlier_readers),
		cmocka_unit_test(a_fault_waits_for_mmap_lock_and_a_mapped_page_does_not),
		cmocka_unit_test(two_faults_share_mmap_lock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
