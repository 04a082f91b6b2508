/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An inconsistent world is a violation, and gmem_call() reports it: after the call, or after
 * every step of it, or never, as the world was asked to. The operations here are wrong on
 * purpose: tables of our own in a profile of our own, in the place of fsync's.
 */
#include <string.h>

#include "calls.h"
#include "ops.h"
#include "profile.h"

#define VM_FD 4
#define FILE_FD 5

static struct gmem_profile wrong_profile(const struct gmem_step *fsync)
{
	struct gmem_profile p = gmem_linux_6_18;

	p.tables[GMEM_FSYNC] = fsync;
	return p;
}

static struct gmem_world *new_world_with(const struct gmem_profile *p, enum gmem_checking checking)
{
	struct gmem_world *w = new_world_of(
		&(struct gmem_config){ .profile = p, .checking = checking });

	create_vm(w, GMEM_VM_DEFAULT);
	create_gmem(w, VM_FD, MiB, GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED);
	store(w, map(w, FILE_FD, 0, MiB), 1);
	return w;
}

static enum gmem_status call_fsync(struct gmem_world *w)
{
	struct gmem_result r;

	return gmem_call(w, &(struct gmem_call){ .verb = GMEM_FSYNC, .fd = FILE_FD }, &r);
}

static void assert_violated(struct gmem_world *w, const char *invariant, const char *saw)
{
	assert_string_equal(gmem_violation(w)->invariant, invariant);
	assert_string_equal(gmem_violation(w)->saw, saw);
	assert_true(strlen(gmem_violation(w)->sentence) > 10);
}

/* ---- tables that do not fit together: seen whatever is checked ---- */

static const struct gmem_step calls_itself[] = {
	CALL(GMEM_FSYNC, FD_1),
	END,
};

static const struct gmem_step calls_a_table_that_is_not_there[] = {
	CALL(T_EVICT_INODE, FD_1),
	END,
};

static const struct gmem_step takes_a_lock_twice[] = {
	CHECK(fdget, FD_1, EBADF),
	LOCK(INVALIDATE_LOCK, WRITE, FD_1),
	LOCK(INVALIDATE_LOCK, READ, FD_1),
	END,
};

static const struct gmem_step takes_what_is_read[] = {
	CHECK(fdget, FD_1, EBADF),
	LOCK(INVALIDATE_LOCK, READ, FD_1),
	LOCK(INVALIDATE_LOCK, READ, FD_1),
	LOCK(INVALIDATE_LOCK, WRITE, FD_1),
	END,
};

static const struct gmem_step gives_back_what_it_has_not[] = {
	CHECK(fdget, FD_1, EBADF),
	LOCK(INVALIDATE_LOCK, READ, FD_1),
	UNLOCK(SLOTS_LOCK),
	END,
};

static const struct gmem_step takes_too_many[] = {
	CHECK(fdget, FD_1, EBADF),
	LOCK(SRCU, READ, FD_1),
	LOCK(SRCU, READ, FD_1),
	LOCK(SRCU, READ, FD_1),
	LOCK(SRCU, READ, FD_1),
	LOCK(SRCU, READ, FD_1),
	LOCK(SRCU, READ, FD_1),
	LOCK(SRCU, READ, FD_1),
	LOCK(SRCU, READ, FD_1),
	LOCK(SRCU, READ, FD_1),
	END,
};

static void tables_must_fit_together(void **state)
{
	static const struct {
		const struct gmem_step *table;
		const char *invariant, *saw;
	} wrongs[] = {
		{ calls_itself, "I0", "a table calls too deeply, or one that is not there" },
		{ calls_a_table_that_is_not_there, "I0",
		  "a table calls too deeply, or one that is not there" },
		{ takes_a_lock_twice, "I1", "a task takes a lock that is held: class, owner" },
		{ takes_what_is_read, "I1", "a task takes a lock that is held: class, owner" },
		{ gives_back_what_it_has_not, "I1",
		  "a task gives back a lock it does not hold: class" },
		{ takes_too_many, "I1", "a task takes a lock that is held: class, owner" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++)
		for (int checking = GMEM_CHECK_NEVER; checking <= GMEM_CHECK_STEPS; checking++) {
			struct gmem_profile p = wrong_profile(wrongs[i].table);
			struct gmem_world *w;

			w = new_world_with(&p, (enum gmem_checking)checking);
			p.tables[T_EVICT_INODE] = NULL;
			assert_int_equal(call_fsync(w), GMEM_VIOLATED);
			assert_violated(w, wrongs[i].invariant, wrongs[i].saw);
			gmem_world_free(w);
		}
}

/* ---- operations that break an invariant: for good, or between two of their steps ---- */

static int free_the_first_page(struct gmem_run *run)
{
	struct gmem_inode *inode = INODE(run->b, run->t->inode);

	gmem_folio_set(run->b, inode, 0, 0);
	return 0;
}

static int bring_it_back(struct gmem_run *run)
{
	gmem_folio_set(run->b, INODE(run->b, run->t->inode), 0, FOLIO_PRESENT | FOLIO_UPTODATE);
	return 0;
}

static int take_a_reference(struct gmem_run *run)
{
	GFILE(run->b, run->t->file)->refs++;
	return 0;
}

static int drop_a_reference(struct gmem_run *run)
{
	GFILE(run->b, run->t->file)->refs--;
	return 0;
}

/* The host maps the page that is freed. */
static const struct gmem_step frees_under_a_mapping[] = {
	CHECK(fdget, FD_1, EBADF),
	DO(free_the_first_page, FD_1),
	ANSWER(return_zero, FD_1),
	END,
};

static const struct gmem_step frees_for_a_moment[] = {
	CHECK(fdget, FD_1, EBADF),
	DO(free_the_first_page, FD_1),
	DO(bring_it_back, FD_1),
	ANSWER(return_zero, FD_1),
	END,
};

/* What holds between calls only may be false for a moment. */
static const struct gmem_step refers_for_a_moment[] = {
	CHECK(fdget, FD_1, EBADF),
	DO(take_a_reference, FD_1),
	DO(drop_a_reference, FD_1),
	ANSWER(return_zero, FD_1),
	END,
};

static const struct gmem_step leaks_a_reference[] = {
	CHECK(fdget, FD_1, EBADF),
	DO(take_a_reference, FD_1),
	ANSWER(return_zero, FD_1),
	END,
};

static const struct gmem_step keeps_a_lock[] = {
	CHECK(fdget, FD_1, EBADF),
	LOCK(INVALIDATE_LOCK, READ, FD_1),
	ANSWER(return_zero, FD_1),
	END,
};

static void each_is_seen_when_it_is_looked_for(void **state)
{
	static const struct {
		const struct gmem_step *table;
		enum gmem_checking from; /* the least that sees it; above STEPS nothing does */
		const char *invariant;
	} wrongs[] = {
		{ frees_under_a_mapping, GMEM_CHECK_CALLS, "I3" },
		{ leaks_a_reference, GMEM_CHECK_CALLS, "I10" },
		{ keeps_a_lock, GMEM_CHECK_CALLS, "I1" },
		{ frees_for_a_moment, GMEM_CHECK_STEPS, "I3" },
		{ refers_for_a_moment, GMEM_CHECK_STEPS + 1, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++)
		for (int checking = GMEM_CHECK_NEVER; checking <= GMEM_CHECK_STEPS; checking++) {
			struct gmem_profile p = wrong_profile(wrongs[i].table);
			struct gmem_world *w;

			w = new_world_with(&p, (enum gmem_checking)checking);
			if (checking < (int)wrongs[i].from) {
				assert_int_equal(call_fsync(w), GMEM_DONE);
			} else {
				assert_int_equal(call_fsync(w), GMEM_VIOLATED);
				assert_string_equal(gmem_violation(w)->invariant,
						    wrongs[i].invariant);
			}
			gmem_world_free(w);
		}
}

/* Where a step breaks something, no step after it runs. */
static void checking_steps_stops_at_the_step(void **state)
{
	struct gmem_profile p = wrong_profile(frees_for_a_moment);
	struct gmem_world *w = new_world_with(&p, GMEM_CHECK_STEPS);
	const struct gmem_task *t;

	(void)state;
	assert_int_equal(call_fsync(w), GMEM_VIOLATED);
	assert_violated(w, "I3", "the host maps a freed page: inode, page");
	t = CTASK(w->b, w->b->tasks[0]);
	assert_int_equal(t->depth, 1);
	assert_int_equal(t->level[0].pc, 2);
	gmem_world_free(w);
}

/* ---- reporting ---- */

static void the_call_was_made_and_the_violation_stays_readable(void **state)
{
	struct gmem_world *w = new_world_with(NULL, GMEM_CHECK_CALLS);
	struct gmem_call dup = { .verb = GMEM_DUP, .fd = VM_FD };
	struct gmem_violation v;
	struct gmem_result r;

	(void)state;
	VM(w->b, w->b->vms)->users += 5;
	assert_int_equal(gmem_call(w, &dup, &r), GMEM_VIOLATED);
	assert_int_equal(r.value, FILE_FD + 1);
	assert_violated(w, "I10", "a VM has, and should have, users");
	assert_int_equal(gmem_violation(w)->a, 7);
	assert_int_equal(gmem_violation(w)->b, 2);
	assert_int_equal(gmem_check(w, &v), GMEM_VIOLATED);
	assert_string_equal(v.saw, gmem_violation(w)->saw);
	VM(w->b, w->b->vms)->users -= 5;
	assert_int_equal(gmem_call(w, &dup, &r), GMEM_DONE);
	assert_int_equal(r.value, FILE_FD + 2);
	assert_int_equal(gmem_violation(w)->a, 7);
	gmem_world_free(w);
}

/* A violated world is put right by a copy of a sound one, also in the middle of a call. */
static void a_copy_puts_it_right(void **state)
{
	struct gmem_profile p = wrong_profile(frees_for_a_moment);
	struct gmem_world *w = new_world_with(&p, GMEM_CHECK_STEPS), *sound = new_world();

	(void)state;
	assert_int_equal(gmem_world_copy(sound, w), GMEM_DONE);
	assert_int_equal(call_fsync(w), GMEM_VIOLATED);
	assert_int_equal(gmem_world_copy(w, sound), GMEM_DONE);
	gmem_world_set_profile(w, &gmem_linux_6_18);
	assert_int_equal(call_fsync(w), GMEM_DONE);
	assert_int_equal(call(w, .verb = GMEM_DUP, .fd = VM_FD), FILE_FD + 1);
	gmem_world_free(w);
	gmem_world_free(sound);
}

/* ---- a call that is run at once, where others are under way ---- */

/* It might have to wait, which is nobody's mistake: it is not made, and nothing is said to be wrong. */
static void no_call_among_calls_under_way(void **state)
{
	struct gmem_world *w = new_world_with(NULL, GMEM_CHECK_CALLS), *copy = new_world();
	const struct gmem_call punch = { .verb = GMEM_FALLOCATE,
					 .fd = FILE_FD,
					 .mode = GMEM_FALLOC_KEEP_SIZE | GMEM_FALLOC_PUNCH_HOLE,
					 .length = MiB };
	enum gmem_progress progress = GMEM_RAN;
	struct gmem_result r;
	unsigned int rows;

	(void)state;
	call(w, .verb = GMEM_THREAD, .value = 1);
	assert_int_equal(gmem_begin(w, &punch), GMEM_DONE);
	for (rows = 0; progress != GMEM_OVER; rows++) {
		for (uint32_t task = 0; task < 2; task++) {
			struct gmem_call c = punch;

			c.task = task;
			assert_int_equal(gmem_world_copy(copy, w), GMEM_DONE);
			assert_int_equal(gmem_call(copy, &c, &r), GMEM_MISUSE);
			assert_int_equal(r.value, -22);
			assert_null(gmem_violation(copy)->invariant);
			assert_true(gmem_world_equal(copy, w));
		}
		assert_int_equal(gmem_step(w, 0, &progress, &r), GMEM_DONE);
	}
	assert_true(rows > 5);
	assert_int_equal(call(w, .verb = GMEM_DUP, .task = 1, .fd = VM_FD), FILE_FD + 1);
	/* One that is over as if it had not been begun. */
	assert_int_equal(gmem_begin(w, &(struct gmem_call){ .verb = GMEM_MMAP, .fd = VM_FD }),
			 GMEM_DONE);
	while (gmem_step(w, 0, &progress, &r) == GMEM_DONE)
		;
	assert_int_equal(progress, GMEM_OVER);
	assert_int_equal(call(w, .verb = GMEM_DUP, .task = 1, .fd = VM_FD), FILE_FD + 2);
	gmem_world_free(w);
	gmem_world_free(copy);
}

/* What stopped a call is what every further one is told, whoever makes it; a copy is of calls under way. */
static void what_stopped_a_call_is_said_again(void **state)
{
	struct gmem_profile p = wrong_profile(frees_for_a_moment);
	struct gmem_world *w = new_world_with(&p, GMEM_CHECK_STEPS), *copy = new_world();
	struct gmem_result r;

	(void)state;
	call(w, .verb = GMEM_THREAD, .value = 1);
	assert_int_equal(call_fsync(w), GMEM_VIOLATED);
	for (uint32_t task = 0; task < 2; task++) {
		const struct gmem_call dup = { .verb = GMEM_DUP, .task = task, .fd = VM_FD };

		assert_int_equal(gmem_call(w, &dup, &r), GMEM_VIOLATED);
		assert_int_equal(r.value, 0);
		assert_violated(w, "I3", "the host maps a freed page: inode, page");
		assert_int_equal(gmem_world_copy(copy, w), GMEM_DONE);
		assert_int_equal(gmem_call(copy, &dup, &r), GMEM_MISUSE);
	}
	/* And the other way round: what it was told before is not told of another world. */
	assert_int_equal(gmem_step(copy, 0, &(enum gmem_progress){ 0 }, &r), GMEM_DONE);
	assert_int_equal(gmem_world_copy(w, copy), GMEM_DONE);
	assert_int_equal(call_fsync(w), GMEM_MISUSE);
	gmem_world_free(w);
	gmem_world_free(copy);
}

/*
 * [RMEM-17] The shim's operations are in a module that nothing holds: once it is gone, a call of the
 * file runs what is not there. (An order of calls, not of rows, and so no bug of the museum.)
 */
static void operations_of_a_module_that_is_gone(void **state)
{
	const struct gmem_config config = { .profile = gmem_profile_find("restrictedmem-shim") };
	enum { MOUNT = 4, FILE_OF_SHIM, VM_OF_IT };
	const struct gmem_call calls[] = {
		{ .verb = GMEM_FALLOCATE, .fd = FILE_OF_SHIM, .length = GMEM_PAGE_SIZE },
		{ .verb = GMEM_SET_USER_MEMORY_REGION2,
		  .fd = VM_OF_IT,
		  .flags = GMEM_MEM_GUEST_MEMFD,
		  .size = GMEM_PAGE_SIZE,
		  .memfd = FILE_OF_SHIM },
		{ .verb = GMEM_MEMORY_FAILURE, .fd = FILE_OF_SHIM },
		{ .verb = GMEM_CLOSE, .fd = FILE_OF_SHIM },
	};
	struct gmem_result r;

	(void)state;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		struct gmem_world *w = new_world_of(&config);

		call(w, .verb = GMEM_OPEN_MOUNT, .mode = GMEM_MOUNT_TMPFS | GMEM_MOUNT_NOEXEC);
		call(w, .verb = GMEM_MEMFD_RESTRICTED, .memfd = MOUNT);
		create_vm(w, GMEM_VM_SW_PROTECTED);
		assert_int_equal(gmem_call(w, &calls[0], &r), GMEM_DONE);
		call(w, .verb = GMEM_RMMOD, .what = GMEM_MODULE_OPERATIONS);
		assert_int_equal(gmem_call(w, &calls[i], &r), GMEM_VIOLATED);
		assert_violated(w, "I15", "operations of a module that is gone: inode");
		gmem_world_free(w);
	}
}

/* memfile-notifier-v5 where who unbinds a memslot does not wait for those who tell it of pages. */
static struct gmem_profile *without_waiting(void)
{
	const struct gmem_profile *base = gmem_profile_find("memfile-notifier-v5");
	struct gmem_profile *p;
	struct gmem_row row;
	unsigned int n = 0;

	while (gmem_profile_row(base, T_UNBIND, n, &row) && strcmp(row.kind, "lock"))
		n++;
	assert_int_equal(gmem_profile_without(&p, base, T_UNBIND, n, NULL, NULL), GMEM_DONE);
	return p;
}

/* A punch is stopped after so many rows, and its memslot is deleted; whether that is wrong there. */
static bool is_freed_beside(const struct gmem_profile *p, unsigned int rows)
{
	struct gmem_config config = { .profile = p, .checking = GMEM_CHECK_STEPS };
	struct gmem_world *w = new_world_of(&config);
	int64_t vm = create_vm(w, GMEM_VM_SW_PROTECTED), fd;
	const struct gmem_call delete = { .verb = GMEM_SET_USER_MEMORY_REGION2,
					  .task = 1,
					  .fd = vm };
	enum gmem_progress progress;
	enum gmem_status status;
	struct gmem_result r;

	fd = call(w, .verb = GMEM_MEMFD_CREATE, .flags = GMEM_MFD_INACCESSIBLE);
	allocate(w, fd, 0, GMEM_PAGE_SIZE);
	bind_slot(w, vm, 0, 0x1000, GMEM_PAGE_SIZE, fd, 0);
	call(w, .verb = GMEM_THREAD, .value = 1);
	gmem_begin(w, &(struct gmem_call){ .verb = GMEM_FALLOCATE,
					   .fd = fd,
					   .mode = GMEM_FALLOC_KEEP_SIZE | GMEM_FALLOC_PUNCH_HOLE,
					   .length = GMEM_PAGE_SIZE });
	while (rows--)
		gmem_step(w, 0, &progress, &r);
	gmem_begin(w, &delete);
	do
		status = gmem_step(w, 1, &progress, &r);
	while (status == GMEM_DONE && progress == GMEM_RAN);
	if (status == GMEM_VIOLATED)
		assert_violated(w, "I15",
				"an operation goes on with a memslot that was freed: task");
	gmem_world_free(w);
	return status == GMEM_VIOLATED;
}

/* [STORE-9] Rows that come next would read what is in its place by then, or end the program. */
static void who_is_told_of_pages_may_not_be_freed(void **state)
{
	struct gmem_profile *p = without_waiting();
	unsigned int wrong = 0;

	(void)state;
	for (unsigned int rows = 1; rows < 20; rows++) {
		wrong += is_freed_beside(p, rows);
		assert_false(is_freed_beside(gmem_profile_find("memfile-notifier-v5"), rows));
	}
	assert_true(wrong > 0);
	gmem_profile_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_must_fit_together),
		cmocka_unit_test(each_is_seen_when_it_is_looked_for),
		cmocka_unit_test(checking_steps_stops_at_the_step),
		cmocka_unit_test(the_call_was_made_and_the_violation_stays_readable),
		cmocka_unit_test(a_copy_puts_it_right),
		cmocka_unit_test(no_call_among_calls_under_way),
		cmocka_unit_test(what_stopped_a_call_is_said_again),
		cmocka_unit_test(operations_of_a_module_that_is_gone),
		cmocka_unit_test(who_is_told_of_pages_may_not_be_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
