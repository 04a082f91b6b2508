/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tables that somebody asked about: what if this lock were not taken there, or not for so long?
 *
 * They are edits as the museum's bugs are (bugs.h), and are looked at in the same way. Nobody
 * wrote the code that they stand for, but for B12 and B56, which are here because they are answers
 * to such questions, too. traces/questions has the questions, traces/bugs what gives each away.
 *
 * Those with an M nobody asked about, either: what is it good for that a row is where it is?
 */
#include "bugs.h"
#include "convert.h"
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

/* Museum M1: who has waited for mmu_lock does not ask again whether it is too late. */
const struct gmem_edit gmem_bug_m1[] = {
	DROP_ROW(T_GUEST_FAULT, "note_staleness", 1),
	{ 0 },
};

/* Museum M2: the end of the invalidation comes before what it is about. */
const struct gmem_edit gmem_bug_m2[] = {
	DROP_ROW(T_PUNCH_HOLE, "next_bound_file", 1),
	INSERT_ROW(T_PUNCH_HOLE, "call", 0, CALL_EACH(next_bound_file, T_INVALIDATE_END, PUNCH_4)),
	{ 0 },
};

/* Museum M3: references are asked for while the host still has the pages. */
const struct gmem_edit gmem_bug_m3[] = {
	DROP_ROW(T_CONVERT, "folios_are_free", 0),
	INSERT_ROW(T_CONVERT, "no_memory_pressure", 0,
		   CHECK(folios_are_free, CONV_16, EAGAIN, WHEN(is_to_private), .to = L_UNLOCK)),
	{ 0 },
};

/* Museum M4: a release leaves the guest what it has mapped. */
const struct gmem_edit gmem_bug_m4[] = {
	DROP_ROW(T_RELEASE, "call", 0),
	DROP_ROW(T_RELEASE, "call", 0),
	{ 0 },
};

/* Museum M5: memory failure is the host's affair alone. */
const struct gmem_edit gmem_bug_m5[] = {
	DROP_ROW(GMEM_MEMORY_FAILURE, "next_bound_file", 0),
	DROP_ROW(GMEM_MEMORY_FAILURE, "next_bound_file", 0),
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
