/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lock checker: every kind of report is provoked by a table of our own, in the place of fsync's,
 * and names the rows that it is about. What it makes of orders that come in any order is in
 * test-lock-orders.c.
 */
#include <string.h>

#include "calls.h"
#include "ops.h"
#include "profile.h"

#define VM_FD 4
#define FILE_FD 5
#define OTHER_VM_FD 6
#define PAGE GMEM_PAGE_SIZE
#define GPA UINT64_C(0x100000)

/* ---- what the rows do beside locking ---- */

static int find_vm(struct gmem_run *run)
{
	run->t->vm = GFILE(run->b, run->t->file)->vm;
	return 0;
}

static int go_to_other_vm(struct gmem_run *run)
{
	run->t->vm = VM(run->b, run->t->vm)->next ? VM(run->b, run->t->vm)->next : run->b->vms;
	return 0;
}

static bool nobody_is_waited_for(struct gmem_run *run)
{
	(void)run;
	return true;
}

#define FILE_AND_VM CHECK(fdget, FD_1, EBADF), DO(find_vm, FD_1)
#define SYNCHRONIZE WAIT(nobody_is_waited_for, FD_1, .lock = SRCU, .mode = WRITE)

static const struct gmem_step order_one[] = {
	FILE_AND_VM,
	LOCK(INVALIDATE_LOCK, WRITE, FD_1),
	LOCK(SLOTS_LOCK, WRITE, FD_1),
	UNLOCK(SLOTS_LOCK),
	UNLOCK(INVALIDATE_LOCK),
	ANSWER(return_zero, FD_1),
	END,
};

static const struct gmem_step order_other[] = {
	FILE_AND_VM,
	LOCK(SLOTS_LOCK, WRITE, FD_1),
	LOCK(INVALIDATE_LOCK, WRITE, FD_1),
	UNLOCK(INVALIDATE_LOCK),
	UNLOCK(SLOTS_LOCK),
	ANSWER(return_zero, FD_1),
	END,
};

static const struct gmem_step read_srcu_one[] = {
	FILE_AND_VM,
	LOCK(SRCU, READ, FD_1),
	LOCK(INVALIDATE_LOCK, READ, FD_1),
	UNLOCK(INVALIDATE_LOCK),
	UNLOCK(SRCU),
	ANSWER(return_zero, FD_1),
	END,
};

static const struct gmem_step wait_for_readers_under_it[] = {
	FILE_AND_VM,
	LOCK(INVALIDATE_LOCK, READ, FD_1),
	SYNCHRONIZE,
	UNLOCK(INVALIDATE_LOCK),
	ANSWER(return_zero, FD_1),
	END,
};

static const struct gmem_step write_it[] = {
	FILE_AND_VM,
	LOCK(INVALIDATE_LOCK, WRITE, FD_1),
	UNLOCK(INVALIDATE_LOCK),
	ANSWER(return_zero, FD_1),
	END,
};

static const struct gmem_step twice[] = {
	FILE_AND_VM,
	LOCK(INVALIDATE_LOCK, READ, FD_1),
	LOCK(INVALIDATE_LOCK, READ, FD_1),
	UNLOCK(INVALIDATE_LOCK),
	UNLOCK(INVALIDATE_LOCK),
	ANSWER(return_zero, FD_1),
	END,
};

static const struct gmem_step twice_for_writing[] = {
	FILE_AND_VM,
	LOCK(SLOTS_LOCK, WRITE, FD_1),
	LOCK(SLOTS_LOCK, WRITE, FD_1),
	END,
};

static const struct gmem_step of_two_vms[] = {
	FILE_AND_VM,
	LOCK(SLOTS_LOCK, WRITE, FD_1),
	DO(go_to_other_vm, FD_1),
	LOCK(SLOTS_LOCK, WRITE, FD_1),
	UNLOCK(SLOTS_LOCK),
	UNLOCK(SLOTS_LOCK),
	ANSWER(return_zero, FD_1),
	END,
};

static const struct gmem_step sleeps_under_mmu_lock[] = {
	FILE_AND_VM,
	LOCK(MMU_LOCK, READ, FD_1),
	LOCK(INVALIDATE_LOCK, READ, FD_1),
	UNLOCK(INVALIDATE_LOCK),
	UNLOCK(MMU_LOCK),
	ANSWER(return_zero, FD_1),
	END,
};

static const struct gmem_step waits_under_mmu_lock[] = {
	FILE_AND_VM,	  LOCK(MMU_LOCK, WRITE, FD_1), SYNCHRONIZE,
	UNLOCK(MMU_LOCK), ANSWER(return_zero, FD_1),   END,
};

static const struct gmem_step reads_under_mmu_lock[] = {
	FILE_AND_VM,
	LOCK(MMU_LOCK, WRITE, FD_1),
	LOCK(SRCU, READ, FD_1),
	LOCK(SRCU, READ, FD_1),
	UNLOCK(SRCU),
	UNLOCK(SRCU),
	UNLOCK(MMU_LOCK),
	ANSWER(return_zero, FD_1),
	END,
};

static const struct gmem_step waits_for_itself[] = {
	FILE_AND_VM,  LOCK(SRCU, READ, FD_1),	 SYNCHRONIZE,
	UNLOCK(SRCU), ANSWER(return_zero, FD_1), END,
};

static const struct gmem_step waits_for_readers_of_another[] = {
	FILE_AND_VM, LOCK(SRCU, READ, FD_1), DO(go_to_other_vm, FD_1),
	SYNCHRONIZE, UNLOCK(SRCU),	     ANSWER(return_zero, FD_1),
	END,
};

static const struct gmem_step gives_back_what_it_has_not[] = {
	FILE_AND_VM,
	LOCK(INVALIDATE_LOCK, WRITE, FD_1),
	UNLOCK(SLOTS_LOCK),
	END,
};

static const struct gmem_step keeps_a_lock[] = {
	FILE_AND_VM,
	LOCK(MMU_LOCK, READ, FD_1),
	ANSWER(return_zero, FD_1),
	END,
};

/* ---- one call of such a table, seen by a checker ---- */

static struct gmem_profile profile_with(unsigned int table, const struct gmem_step *steps)
{
	struct gmem_profile p = gmem_linux_6_18;

	p.tables[table] = steps;
	return p;
}

static struct gmem_world *new_world_with(const struct gmem_profile *p)
{
	struct gmem_world *w = new_world_of(&(struct gmem_config){ .profile = p });

	create_vm(w, GMEM_VM_DEFAULT);
	create_gmem(w, VM_FD, PAGE, GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED);
	create_vm(w, GMEM_VM_DEFAULT);
	return w;
}

static void see_fsync(struct gmem_lockdep *d, const struct gmem_step *steps)
{
	const struct gmem_profile p = profile_with(GMEM_FSYNC, steps);
	struct gmem_world *w = new_world_with(&p);
	struct gmem_result r;

	gmem_watch_locks(w, d);
	gmem_call(w, &(struct gmem_call){ .verb = GMEM_FSYNC, .fd = FILE_FD }, &r);
	gmem_world_free(w);
}

static struct gmem_lockdep *new_checker(void)
{
	struct gmem_lockdep *d = gmem_lockdep_new(NULL, NULL);

	assert_non_null(d);
	return d;
}

static void assert_site(const struct gmem_lock_site *s, unsigned int class, unsigned int mode,
			unsigned int row)
{
	assert_int_equal(s->class, class);
	assert_int_equal(s->mode, mode);
	assert_int_equal(s->verb, GMEM_FSYNC);
	assert_int_equal(s->table, GMEM_FSYNC);
	assert_int_equal(s->row, row);
}

/* Exactly one report, of one link. */
static const struct gmem_lock_link *only_link(const struct gmem_lockdep *d,
					      enum gmem_lock_problem problem)
{
	const struct gmem_lock_report *r = gmem_lock_report(d, 0);

	assert_non_null(r);
	assert_null(gmem_lock_report(d, 1));
	assert_int_equal(r->problem, problem);
	assert_int_equal(r->nr_links, 1);
	return &r->links[0];
}

/* ---- each kind ---- */

static void one_link(void **state)
{
	static const struct {
		const struct gmem_step *table;
		enum gmem_lock_problem problem;
		uint8_t held, held_mode, held_row;
		uint8_t taken, taken_mode, taken_row;
	} wrongs[] = {
		{ twice, GMEM_LOCK_RECURSION, INVALIDATE_LOCK, READ, 2, INVALIDATE_LOCK, READ, 3 },
		{ twice_for_writing, GMEM_LOCK_RECURSION, SLOTS_LOCK, WRITE, 2, SLOTS_LOCK, WRITE,
		  3 },
		{ of_two_vms, GMEM_LOCK_RECURSION, SLOTS_LOCK, WRITE, 2, SLOTS_LOCK, WRITE, 4 },
		{ sleeps_under_mmu_lock, GMEM_LOCK_SLEEP, MMU_LOCK, READ, 2, INVALIDATE_LOCK, READ,
		  3 },
		{ waits_under_mmu_lock, GMEM_LOCK_SLEEP, MMU_LOCK, WRITE, 2, SRCU, WRITE, 3 },
		{ waits_for_itself, GMEM_LOCK_IN_READ_SECTION, SRCU, READ, 2, SRCU, WRITE, 3 },
		{ waits_for_readers_of_another, GMEM_LOCK_RECURSION, SRCU, READ, 2, SRCU, WRITE,
		  4 },
		{ gives_back_what_it_has_not, GMEM_LOCK_NOT_HELD, SLOTS_LOCK, READ, 3, SLOTS_LOCK,
		  READ, 3 },
		{ keeps_a_lock, GMEM_LOCK_LEFT, MMU_LOCK, READ, 2, MMU_LOCK, READ, 2 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
		struct gmem_lockdep *d = new_checker();
		const struct gmem_lock_link *link;

		for (int times = 0; times < 3; times++)
			see_fsync(d, wrongs[i].table);
		link = only_link(d, wrongs[i].problem);
		assert_site(&link->held, wrongs[i].held, wrongs[i].held_mode, wrongs[i].held_row);
		assert_site(&link->taken, wrongs[i].taken, wrongs[i].taken_mode,
			    wrongs[i].taken_row);
		gmem_lockdep_free(d);
	}
}

static void what_is_in_order(void **state)
{
	static const struct gmem_step *const sound[] = { order_one, read_srcu_one, write_it,
							 reads_under_mmu_lock };
	struct gmem_lockdep *d = new_checker();

	(void)state;
	for (size_t i = 0; i < sizeof(sound) / sizeof(sound[0]); i++)
		see_fsync(d, sound[i]);
	assert_null(gmem_lock_report(d, 0));
	gmem_lockdep_free(d);
}

static void a_cycle_is_seen_from_both_ends(void **state)
{
	static const struct gmem_step *const both[] = { order_one, order_other };

	(void)state;
	for (int first = 0; first < 2; first++) {
		struct gmem_lockdep *d = new_checker();
		const struct gmem_lock_report *r;

		see_fsync(d, both[first]);
		assert_null(gmem_lock_report(d, 0));
		see_fsync(d, both[!first]);
		r = gmem_lock_report(d, 0);
		assert_non_null(r);
		assert_null(gmem_lock_report(d, 1));
		assert_int_equal(r->problem, GMEM_LOCK_CYCLE);
		assert_int_equal(r->nr_links, 2);
		for (int i = 0; i < 2; i++) {
			unsigned int held = r->links[i].held.class;

			assert_site(&r->links[i].held, held, WRITE, 2);
			assert_site(&r->links[i].taken,
				    held == SLOTS_LOCK ? INVALIDATE_LOCK : SLOTS_LOCK, WRITE, 3);
			assert_int_equal(r->links[!i].held.class, r->links[i].taken.class);
		}
		gmem_lockdep_free(d);
	}
}

/* Readers alone wait for nobody, whenever the one who writes comes. */
static void a_cycle_of_readers_needs_a_writer(void **state)
{
	static const struct gmem_step *const rows[] = { read_srcu_one, wait_for_readers_under_it,
							write_it };

	(void)state;
	for (int last = 0; last < 3; last++) {
		struct gmem_lockdep *d = new_checker();

		for (int i = 1; i < 3; i++)
			see_fsync(d, rows[(last + i) % 3]);
		assert_null(gmem_lock_report(d, 0));
		see_fsync(d, rows[last]);
		assert_non_null(gmem_lock_report(d, 0));
		assert_int_equal(gmem_lock_report(d, 0)->problem, GMEM_LOCK_CYCLE);
		gmem_lockdep_free(d);
	}
}

/* ---- a row that waits has not taken anything, and says all the same what it wants ---- */

static void wanting_is_enough(void **state)
{
	const struct gmem_profile p = profile_with(GMEM_FSYNC, twice_for_writing);
	struct gmem_world *w = new_world_with(&p);
	struct gmem_lockdep *d = new_checker();
	const struct gmem_lock_link *link;
	enum gmem_progress progress = GMEM_RAN;
	struct gmem_result r;

	(void)state;
	gmem_watch_locks(w, d);
	assert_int_equal(gmem_begin(w, &(struct gmem_call){ .verb = GMEM_FSYNC, .fd = FILE_FD }),
			 GMEM_DONE);
	while (progress == GMEM_RAN)
		assert_int_equal(gmem_step(w, 0, &progress, &r), GMEM_DONE);
	assert_int_equal(progress, GMEM_WAITS);
	link = only_link(d, GMEM_LOCK_RECURSION);
	assert_site(&link->taken, SLOTS_LOCK, WRITE, 3);
	gmem_world_free(w);
	gmem_lockdep_free(d);
}

/* ---- the mmu notifier: a memslot of ordinary memory, which goes ---- */

static int count(struct gmem_run *run)
{
	VM(run->b, run->t->at_vm)->notifiers++;
	run->t->notifying++;
	return 0;
}

static int find_told_vm(struct gmem_run *run)
{
	run->t->vm = run->t->at_vm;
	return 0;
}

#define COUNT DO(count, NOTIFY_1, .lock = NOTIFIERS), DO(find_told_vm, NOTIFY_1)

static const struct gmem_step sleeps_in_the_notifier[] = {
	COUNT,
	LOCK(SLOTS_LOCK, WRITE, NOTIFY_1),
	UNLOCK(SLOTS_LOCK),
	END,
};

static const struct gmem_step exchanges_in_the_notifier[] = {
	COUNT,
	WAIT(nobody_is_waited_for, NOTIFY_1, .lock = NOTIFIERS, .mode = WRITE),
	END,
};

static const struct gmem_step only_starts[] = {
	COUNT,
	LOCK(MMU_LOCK, WRITE, NOTIFY_1),
	UNLOCK(MMU_LOCK),
	END,
};

static void see_unmap(struct gmem_lockdep *d, unsigned int table, const struct gmem_step *steps)
{
	const struct gmem_profile p = profile_with(table, steps);
	struct gmem_world *w = new_world_with(&p);
	uint64_t memory = (uint64_t)call(w, .verb = GMEM_MMAP, .fd = -1, .length = PAGE,
					 .prot = GMEM_PROT_READ | GMEM_PROT_WRITE,
					 .flags = GMEM_MAP_PRIVATE | GMEM_MAP_ANONYMOUS);

	store(w, memory, 1);
	gmem_watch_locks(w, d);
	assert_int_equal(call(w, .verb = GMEM_SET_USER_MEMORY_REGION, .fd = VM_FD, .gpa = GPA,
			      .size = PAGE, .addr = memory),
			 0);
	assert_int_equal(call(w, .verb = GMEM_MUNMAP, .addr = memory, .length = PAGE), 0);
	gmem_world_free(w);
}

static unsigned int count_reports(const struct gmem_lockdep *d, enum gmem_lock_problem problem)
{
	unsigned int n, found = 0;

	for (n = 0; gmem_lock_report(d, n); n++)
		found += gmem_lock_report(d, n)->problem == problem;
	return found;
}

/*
 * Under slots_lock, and slots_arch_lock in it, memslots are exchanged, which waits for the notifier:
 * both orders are part of a cycle, too.
 */
static void nobody_sleeps_in_the_notifier(void **state)
{
	struct gmem_lockdep *d = new_checker();
	const struct gmem_lock_report *r;
	unsigned int n;

	(void)state;
	see_unmap(d, T_HOST_START, sleeps_in_the_notifier);
	assert_int_equal(count_reports(d, GMEM_LOCK_IN_NOTIFIER), 1);
	assert_int_equal(count_reports(d, GMEM_LOCK_CYCLE), 2);
	for (n = 0; (r = gmem_lock_report(d, n)); n++) {
		const struct gmem_lock_site *held = &r->links[0].held;

		if (r->problem != GMEM_LOCK_IN_NOTIFIER)
			continue;
		assert_int_equal(held->class, NOTIFIERS);
		assert_int_equal(held->table, T_HOST_START);
		assert_int_equal(held->row, 0);
		assert_int_equal(held->verb, GMEM_MUNMAP);
		assert_int_equal(r->links[0].taken.class, SLOTS_LOCK);
		assert_int_equal(r->links[0].taken.row, 2);
	}
	gmem_lockdep_free(d);
}

static void nobody_waits_for_his_own_notification(void **state)
{
	struct gmem_lockdep *d = new_checker();

	(void)state;
	see_unmap(d, T_HOST_START, exchanges_in_the_notifier);
	assert_int_equal(count_reports(d, GMEM_LOCK_RECURSION), 1);
	assert_int_equal(count_reports(d, GMEM_LOCK_IN_NOTIFIER), 1);
	gmem_lockdep_free(d);
}

static bool go_to_first_vm(struct gmem_run *run)
{
	run->t->at_vm = run->b->vms;
	return true;
}

/* What is not told the end is held for ever. */
static void a_notification_ends(void **state)
{
	static const struct gmem_step zap_without_end[] = {
		CALL(T_HOST_START, NOTIFY_1, WHEN(go_to_first_vm)),
		END,
	};
	struct gmem_lockdep *d = new_checker();

	(void)state;
	see_unmap(d, T_HOST_START, only_starts);
	assert_null(gmem_lock_report(d, 0));
	see_unmap(d, T_ZAP, zap_without_end);
	assert_int_equal(only_link(d, GMEM_LOCK_LEFT)->held.class, NOTIFIERS);
	gmem_lockdep_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_link),
		cmocka_unit_test(what_is_in_order),
		cmocka_unit_test(a_cycle_is_seen_from_both_ends),
		cmocka_unit_test(a_cycle_of_readers_needs_a_writer),
		cmocka_unit_test(wanting_is_enough),
		cmocka_unit_test(nobody_sleeps_in_the_notifier),
		cmocka_unit_test(nobody_waits_for_his_own_notification),
		cmocka_unit_test(a_notification_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
