/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Deadlocks that wrong tables lead to: the explorer comes to each, and the world that it stops in says
 * who holds what and who waits for whom. The tables are those of 6.18 with a row more, such as
 * somebody might write. What right tables wait for is in test-waits.c.
 */
#include <string.h>

#include "calls.h"
#include "ops.h"
#include "profile.h"

#define PAGE GMEM_PAGE_SIZE
#define GPA UINT64_C(0x100000)
#define RW (GMEM_PROT_READ | GMEM_PROT_WRITE)
#define VM_FD 4
#define FILE_FD 5
#define MOST_ROWS 40

/* ---- tables with rows more ---- */

struct edited {
	struct gmem_profile p;
	struct gmem_step rows[MOST_ROWS];
};

/* 6.18 with some rows before row at of a table. */
static void insert(struct edited *e, unsigned int table, unsigned int at,
		   const struct gmem_step *more, unsigned int n)
{
	const struct gmem_step *from = gmem_linux_6_18.tables[table];
	unsigned int nr = 0;

	e->p = gmem_linux_6_18;
	e->p.tables[table] = e->rows;
	while (from[nr].kind != STEP_END)
		nr++;
	assert_true(nr + n < MOST_ROWS);
	memset(e->rows, 0, sizeof(e->rows));
	memcpy(e->rows, from, at * sizeof(*from));
	memcpy(e->rows + at, more, n * sizeof(*more));
	memcpy(e->rows + at + n, from + at, (nr - at) * sizeof(*from));
}

static int find_told_vm(struct gmem_run *run)
{
	run->t->vm = run->t->at_vm;
	return 0;
}

static const struct gmem_step slots_lock_in_the_notifier[] = {
	DO(find_told_vm, NOTIFY_1),
	LOCK(SLOTS_LOCK, WRITE, NOTIFY_1),
	UNLOCK(SLOTS_LOCK),
};

static const struct gmem_step slots_lock_in_a_fault[] = {
	LOCK(SLOTS_LOCK, WRITE, GUEST_1),
	UNLOCK(SLOTS_LOCK),
};

static bool is_task(struct gmem_run *run, uint32_t number)
{
	return run->t->number == number;
}

static bool is_0(struct gmem_run *run)
{
	return is_task(run, 0);
}

static bool is_1(struct gmem_run *run)
{
	return is_task(run, 1);
}

static bool is_2(struct gmem_run *run)
{
	return is_task(run, 2);
}

static int find_vm(struct gmem_run *run)
{
	run->t->vm = GFILE(run->b, run->t->file)->vm;
	return 0;
}

/* fsync, each task in an order of its own */
static const struct gmem_step round_and_round[] = {
	CHECK(fdget, FD_1, EBADF),
	DO(find_vm, FD_1),
	LOCK(SLOTS_LOCK, WRITE, FD_1, WHEN(is_0)),
	LOCK(INVALIDATE_LOCK, WRITE, FD_1, WHEN(is_0)),
	LOCK(INVALIDATE_LOCK, WRITE, FD_1, WHEN(is_1)),
	LOCK(MMAP_LOCK, READ, FD_1, WHEN(is_1)),
	LOCK(MMAP_LOCK, WRITE, FD_1, WHEN(is_2)),
	LOCK(SLOTS_LOCK, WRITE, FD_1, WHEN(is_2)),
	UNLOCK(SLOTS_LOCK, WHEN(is_2)),
	UNLOCK(MMAP_LOCK, WHEN(is_2)),
	UNLOCK(MMAP_LOCK, WHEN(is_1)),
	UNLOCK(INVALIDATE_LOCK, WHEN(is_1)),
	UNLOCK(INVALIDATE_LOCK, WHEN(is_0)),
	UNLOCK(SLOTS_LOCK, WHEN(is_0)),
	ANSWER(return_zero, FD_1),
	END,
};

static const struct gmem_step waits_for_itself[] = {
	CHECK(fdget, FD_1, EBADF),
	LOCK(INVALIDATE_LOCK, READ, FD_1),
	LOCK(INVALIDATE_LOCK, WRITE, FD_1),
	END,
};

/* ---- scenes ---- */

struct scene {
	struct gmem_world *w, *found;
	uint64_t memory; /* one page, memslot 1 at 2 * GPA */
	struct gmem_call calls[3];
	uint32_t tasks[3];
	uint32_t n;
};

/* A VM, a file of one page as memslot 0, a page of ordinary memory as memslot 1, three tasks. */
static void set_up(struct scene *s, const struct gmem_profile *p)
{
	memset(s, 0, sizeof(*s));
	s->w = new_world_of(&(struct gmem_config){ .profile = p, .checking = GMEM_CHECK_CALLS });
	s->found = new_world();
	create_vm(s->w, GMEM_VM_DEFAULT);
	create_gmem(s->w, VM_FD, PAGE, GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED);
	s->memory = (uint64_t)call(s->w, .verb = GMEM_MMAP, .fd = -1, .length = PAGE, .prot = RW,
				   .flags = GMEM_MAP_PRIVATE | GMEM_MAP_ANONYMOUS);
	store(s->w, s->memory, 1);
	assert_int_equal(bind_slot(s->w, VM_FD, 0, GPA, PAGE, FILE_FD, 0), 0);
	assert_int_equal(call(s->w, .verb = GMEM_SET_USER_MEMORY_REGION, .fd = VM_FD, .slot = 1,
			      .gpa = 2 * GPA, .size = PAGE, .addr = s->memory),
			 0);
	for (uint64_t task = 1; task < 3; task++)
		assert_int_equal(call(s->w, .verb = GMEM_THREAD, .value = task), task);
}

static void tear_down(struct scene *s)
{
	gmem_world_free(s->w);
	gmem_world_free(s->found);
}

static void add_call(struct scene *s, const struct gmem_call *c)
{
	s->calls[s->n] = *c;
	s->calls[s->n].task = s->n;
	s->tasks[s->n] = s->n;
	s->n++;
}
#define add(s, ...) add_call((s), &(struct gmem_call){ __VA_ARGS__ })

static struct gmem_call call_of(void *arg, uint32_t n, const struct gmem_result *results)
{
	(void)results;
	return ((struct scene *)arg)->calls[n];
}

static void found(void *arg, const struct gmem_world *w)
{
	assert_int_equal(gmem_world_copy(((struct scene *)arg)->found, w), GMEM_DONE);
}

static uint8_t explore(struct scene *s)
{
	static uint32_t schedule[10000];
	const struct gmem_overlap o = { .world = s->w,
					.nr_calls = s->n,
					.tasks = s->tasks,
					.call = call_of,
					.found = found,
					.arg = s };
	const struct gmem_bounds bounds = {
		.states = 100000, .depth = 10000, .preemptions = GMEM_NO_BOUND, .reduce = 1
	};
	struct gmem_explored x = { .schedule = schedule };

	assert_int_equal(gmem_explore(&o, &bounds, &x), GMEM_DONE);
	assert_false(x.cut);
	return x.finding;
}

/* ---- what is asked of the world ---- */

/* Task waits for that class, and exactly those tasks (bits) have it, of the same owner. */
static void assert_waits(const struct gmem_world *w, uint32_t task, unsigned int class,
			 unsigned int mode, uint32_t holders)
{
	struct gmem_task_lock wanted, held;
	uint32_t other;

	assert_int_equal(gmem_task_waits(w, task, &wanted), 1);
	assert_int_equal(wanted.class, class);
	assert_int_equal(wanted.mode, mode);
	for (other = 0; other < GMEM_MAX_TASKS + 1; other++) {
		int has = other < GMEM_MAX_TASKS && (holders >> other & 1);

		assert_int_equal(gmem_task_waits_for(w, task, other, &held), has);
		if (!has)
			continue;
		assert_int_equal(held.class, class);
		assert_int_equal(held.owner, wanted.owner);
		assert_int_equal(held.number, wanted.number);
	}
}

/* How many of that class the task holds; the last of them. */
static unsigned int holds(const struct gmem_world *w, uint32_t task, unsigned int class,
			  struct gmem_task_lock *lock)
{
	struct gmem_task_lock l;
	unsigned int n, count = 0;

	for (n = 0; gmem_task_lock(w, task, n, &l); n++)
		if (l.class == class) {
			*lock = l;
			count++;
		}
	return count;
}

static void assert_row(const struct gmem_task_lock *l, unsigned int table, unsigned int row)
{
	assert_int_equal(l->table, table);
	assert_int_equal(l->row, row);
}

static void add_unmap(struct scene *s)
{
	add(s, .verb = GMEM_MUNMAP, .addr = s->memory, .length = PAGE);
}

static void add_delete(struct scene *s)
{
	add(s, .verb = GMEM_SET_USER_MEMORY_REGION, .fd = VM_FD);
}

/* Who exchanges memslots has slots_lock, and waits until nobody is notified. */
static void slots_lock_and_the_notifier(void **state)
{
	struct gmem_task_lock l;
	struct edited e;
	struct scene s;

	(void)state;
	insert(&e, T_HOST_START, 1, slots_lock_in_the_notifier, 3);
	set_up(&s, &e.p);
	add_unmap(&s);
	add_delete(&s);
	assert_int_equal(explore(&s), GMEM_FOUND_DEADLOCK);
	assert_waits(s.found, 0, SLOTS_LOCK, WRITE, 1u << 1);
	assert_waits(s.found, 1, NOTIFIERS, WRITE, 1u << 0);
	assert_int_equal(holds(s.found, 0, NOTIFIERS, &l), 1);
	assert_row(&l, T_HOST_START, 0);
	assert_int_equal(l.owner, GMEM_OF_VM);
	assert_int_equal(l.fd, VM_FD);
	assert_int_equal(holds(s.found, 0, MMAP_LOCK, &l), 1);
	assert_int_equal(l.mode, WRITE);
	assert_int_equal(l.owner, GMEM_OF_PROCESS);
	assert_int_equal(l.fd, -1);
	assert_int_equal(holds(s.found, 1, SLOTS_LOCK, &l), 1);
	assert_int_equal(l.fd, VM_FD);
	assert_int_equal(holds(s.found, 1, MMAP_LOCK, &l), 0);
	tear_down(&s);
}

static void slots_lock_and_srcu(void **state)
{
	struct gmem_task_lock l;
	struct edited e;
	struct scene s;

	(void)state;
	insert(&e, GMEM_GUEST_LOAD, 5, slots_lock_in_a_fault, 2);
	set_up(&s, &e.p);
	add(&s, .verb = GMEM_GUEST_LOAD, .fd = VM_FD, .gpa = GPA, .size = 1);
	add_delete(&s);
	assert_int_equal(explore(&s), GMEM_FOUND_DEADLOCK);
	assert_waits(s.found, 0, SLOTS_LOCK, WRITE, 1u << 1);
	assert_waits(s.found, 1, SRCU, WRITE, 1u << 0);
	assert_int_equal(holds(s.found, 0, SRCU, &l), 1);
	assert_row(&l, GMEM_GUEST_LOAD, 4);
	tear_down(&s);
}

/* Museum X2 */
static void two_locks_in_opposite_order(void **state)
{
	static const char *const ids[] = { "X2", NULL };
	struct gmem_task_lock l;
	struct gmem_profile *p;
	struct scene s;

	(void)state;
	assert_int_equal(gmem_profile_with_bugs(&p, &gmem_linux_6_18, ids, NULL, NULL), GMEM_DONE);
	set_up(&s, p);
	allocate(s.w, FILE_FD, 0, PAGE);
	add(&s, .verb = GMEM_MEMORY_FAILURE, .fd = FILE_FD);
	add(&s, .verb = GMEM_FALLOCATE, .fd = FILE_FD, .length = PAGE,
	    .mode = GMEM_FALLOC_KEEP_SIZE | GMEM_FALLOC_PUNCH_HOLE);
	assert_int_equal(explore(&s), GMEM_FOUND_DEADLOCK);
	assert_waits(s.found, 0, INVALIDATE_LOCK, READ, 1u << 1);
	assert_waits(s.found, 1, FOLIO_LOCK, WRITE, 1u << 0);
	assert_int_equal(holds(s.found, 0, FOLIO_LOCK, &l), 1);
	assert_int_equal(l.owner, GMEM_OF_FILE);
	assert_int_equal(l.fd, FILE_FD);
	assert_int_equal(holds(s.found, 1, INVALIDATE_LOCK, &l), 1);
	assert_row(&l, T_PUNCH_HOLE, 0);
	tear_down(&s);
	gmem_profile_free(p);
}

static void three_in_a_circle(void **state)
{
	struct gmem_profile p = gmem_linux_6_18;
	struct gmem_task_lock l;
	struct scene s;

	(void)state;
	p.tables[GMEM_FSYNC] = round_and_round;
	set_up(&s, &p);
	for (int i = 0; i < 3; i++)
		add(&s, .verb = GMEM_FSYNC, .fd = FILE_FD);
	assert_int_equal(explore(&s), GMEM_FOUND_DEADLOCK);
	assert_waits(s.found, 0, INVALIDATE_LOCK, WRITE, 1u << 1);
	assert_waits(s.found, 1, MMAP_LOCK, READ, 1u << 2);
	assert_waits(s.found, 2, SLOTS_LOCK, WRITE, 1u << 0);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(gmem_task_lock(s.found, i, 0, &l), 1);
		assert_int_equal(gmem_task_lock(s.found, i, 1, &l), 0);
	}
	tear_down(&s);
}

static void alone(void **state)
{
	struct gmem_profile p = gmem_linux_6_18;
	struct scene s;

	(void)state;
	p.tables[GMEM_FSYNC] = waits_for_itself;
	set_up(&s, &p);
	add(&s, .verb = GMEM_FSYNC, .fd = FILE_FD);
	assert_int_equal(explore(&s), GMEM_FOUND_DEADLOCK);
	assert_waits(s.found, 0, INVALIDATE_LOCK, WRITE, 1u << 0);
	tear_down(&s);
}

/* The same calls, with the right tables. */
static void right_tables_do_not_deadlock(void **state)
{
	struct gmem_task_lock l;
	struct scene s;

	(void)state;
	set_up(&s, &gmem_linux_6_18);
	add_unmap(&s);
	add_delete(&s);
	assert_int_equal(explore(&s), GMEM_FOUND_NOTHING);
	assert_int_equal(gmem_task_lock(s.w, 0, 0, &l), 0);
	assert_int_equal(gmem_task_lock(s.w, GMEM_MAX_TASKS, 0, &l), 0);
	assert_int_equal(gmem_task_lock(s.w, 7, 0, &l), 0);
	assert_int_equal(gmem_task_waits(s.w, 0, &l), 0);
	assert_int_equal(gmem_task_waits(s.w, GMEM_MAX_TASKS, &l), 0);
	assert_int_equal(gmem_task_waits_for(s.w, 0, 1, &l), 0);
	tear_down(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots_lock_and_the_notifier),
		cmocka_unit_test(slots_lock_and_srcu),
		cmocka_unit_test(two_locks_in_opposite_order),
		cmocka_unit_test(three_in_a_circle),
		cmocka_unit_test(alone),
		cmocka_unit_test(right_tables_do_not_deadlock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
