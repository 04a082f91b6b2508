/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tables that somebody asked about: what if this lock were not taken there, or not for so long?
 *
 * They are edits as the museum's bugs are (bugs.h), and are looked at in the same way. Nobody
 * wrote the code that they stand for, but for B12 and B56, which are here because they are answers
 * to such questions, too. traces/questions has the questions, traces/bugs what gives each away.
 */
#include "bugs.h"
#include "ops.h"

/* Museum B12: the lock is held for the start and for the end, and not in between. */
const struct gmem_edit gmem_bug_b12[] = {
	INSERT_ROW(T_PUNCH_HOLE, "call", 0, UNLOCK(INVALIDATE_LOCK)),
	INSERT_ROW(T_PUNCH_HOLE, "next_bound_file", 1, LOCK(INVALIDATE_LOCK, WRITE, PUNCH_4)),
	{ 0 },
};

/* The kernel tries again for as long as the memslot is invalid, which comes to waiting. */
static bool slot_is_not_invalid(struct gmem_run *run)
{
	return run->c->verb != GMEM_PRE_FAULT_MEMORY || !run->t->slot ||
	       !(SLOT(run->b, run->t->slot)->kflags & SLOT_INVALID);
}

/* Museum B56: a pre-fault waits for who changes the memslot, and he for the pre-fault. */
const struct gmem_edit gmem_bug_b56[] = {
	REPLACE_ROW(T_GUEST_FAULT, "slot_is_valid_for_prefault", 0,
		    WAIT(slot_is_not_invalid, GUEST_17, .lock = SLOTS_LOCK, .mode = WRITE)),
	{ 0 },
};

/* Museum Q1: the host's fault takes no lock of the file, as in 6.18, where nothing converts. */
const struct gmem_edit gmem_bug_q1[] = {
	DROP_ROW(T_HOST_FAULT, "lock", 1),
	DROP_ROW(T_HOST_FAULT, "unlock", 0),
	{ 0 },
};

/* Museum Q2: the lock is around the tree of attributes alone. */
const struct gmem_edit gmem_bug_q2[] = {
	DROP_ROW(T_CONVERT, "lock", 0),
	DROP_ROW(T_CONVERT, "unlock", 1),
	INSERT_ROW(T_CONVERT, "store_file_attributes", 0, LOCK(INVALIDATE_LOCK, WRITE, CONV_12)),
	INSERT_ROW(T_CONVERT, "next_bound_file", 1, UNLOCK(INVALIDATE_LOCK)),
	{ 0 },
};

/* Museum Q3: a release takes the file's lock first, and the VM's under it. */
const struct gmem_edit gmem_bug_q3[] = {
	REPLACE_ROW(T_RELEASE, "lock", 0, LOCK(INVALIDATE_LOCK, WRITE, RELEASE_1)),
	REPLACE_ROW(T_RELEASE, "lock", 1, LOCK(SLOTS_LOCK, WRITE, RELEASE_1)),
	{ 0 },
};
