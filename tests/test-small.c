/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every sequence of up to four calls (where the alphabet is small: five) in a tiny world: a VM, a
 * file of two pages, a mapping, and the calls that touch them, or convert them. The alphabets are in
 * small-alphabets.h.
 *
 * An odometer counts through the sequences. Its last wheel turns fastest, so the worlds that the
 * shorter sequences led to are kept, one a wheel, and a turn costs one copy and one call. At every
 * step of every call the invariants hold, and after every call the oracle agrees.
 *
 * GMEM_TEST_SCALE below 100 makes the sequences shorter.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common.h"
#include "pair.h"
#include "small-alphabets.h"

/* ---- the odometer ---- */

static unsigned long long sequences;

static void show(const struct alphabet *a, struct pair *p, const unsigned int *wheel,
		 unsigned int n)
{
	struct linked_call l = { .fd_from = -1, .memfd_from = -1, .addr_from = -1 };
	struct trace t;
	unsigned int i;

	trace_init(&t);
	t.profile = gmem_profile_find(a->profile);
	t.machine = p->machine;
	t.machine_says = TRACE_MACHINE_TYPES;
	for (i = 0; i < a->nr_opening; i++) {
		l.call = a->opening[i];
		trace_add(&t, &l);
	}
	for (i = 0; i < n; i++) {
		l.call = a->calls[wheel[i]];
		trace_add(&t, &l);
	}
	pair_explain(stderr, p, &t);
	trace_free(&t);
}

/* Makes the call that wheel n shows, in the world that the wheels before it left. */
static void turn(const struct alphabet *a, struct pair *pairs, const unsigned int *wheel,
		 unsigned int n)
{
	enum pair_verdict verdict;
	struct gmem_result r;

	pair_copy(&pairs[n + 1], &pairs[n]);
	verdict = pair_call(&pairs[n + 1], &a->calls[wheel[n]], &r);
	sequences++;
	if (verdict != PAIR_AGREES) {
		show(a, &pairs[n + 1], wheel, n + 1);
		fail_msg("%s: see the trace above", a->name);
	}
}

static void count(const struct alphabet *a, struct pair *pairs, unsigned int length)
{
	unsigned int wheel[MOST] = { 0 }, n = 0;

	for (;;) {
		for (; n < length; n++)
			turn(a, pairs, wheel, n);
		while (n > 0 && ++wheel[n - 1] == a->nr_calls)
			wheel[--n] = 0;
		if (n == 0)
			return;
		n--;
	}
}

static void every_sequence(void **state)
{
	const struct alphabet *a = *state;
	const char *scale = getenv("GMEM_TEST_SCALE");
	unsigned int length = a->most, i;
	struct gmem_machine machine = { GMEM_X86_64, a->vm_types, 0, 1, 64, 0, 1 };
	struct pair pairs[MOST + 1];
	struct gmem_result r;

	if (scale && atoi(scale) < 100)
		length -= 2;
	for (i = 0; i <= length; i++) {
		pair_open(&pairs[i]);
		pair_begin(&pairs[i], gmem_profile_find(a->profile), &machine, GMEM_CHECK_STEPS);
	}
	for (i = 0; i < a->nr_opening; i++) {
		assert_int_equal(pair_call(&pairs[0], &a->opening[i], &r), PAIR_AGREES);
		assert_true(r.value >= 0);
	}
	count(a, pairs, length);
	for (i = 0; i <= length; i++)
		pair_close(&pairs[i]);
}

int main(void)
{
	struct CMUnitTest tests[N(alphabets)];
	double begun = seconds();
	unsigned int i;
	int failed;

	for (i = 0; i < N(alphabets); i++)
		tests[i] = (struct CMUnitTest){ .name = alphabets[i].name,
						.test_func = every_sequence,
						.initial_state = (void *)&alphabets[i] };
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	fprintf(stderr, "# %llu sequences, %.1f seconds\n", sequences, seconds() - begun);
	return failed;
}
