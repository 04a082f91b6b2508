/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the benchmarks share: two ways to do something, timed in turns.
 *
 *	static void allocate_one(void *arg, unsigned long n)	(does it n times)
 *	...
 *	struct bench_figures f;
 *
 *	bench_title("What size costs", BENCH_ROUNDS);
 *	f = bench_two(allocate_one, &small, allocate_one, &large);
 *	printf("%.1f\n", f.ratio);
 *
 * A figure is the median of BENCH_ROUNDS rounds, in nanoseconds for once; a round lasts about
 * BENCH_ROUND_NS. Rounds of the two alternate, so that both meet the same weather, and the ratio is
 * the median of the ratios of neighbours: not quite the ratio of the medians.
 */
#ifndef TESTS_BENCH_H
#define TESTS_BENCH_H

#include <stdint.h>

#define BENCH_ROUNDS 21
#define BENCH_ROUND_NS 10e6

struct bench_figures {
	double a, b, ratio; /* ns, ns, b to a */
};

typedef void (*bench_fn)(void *arg, unsigned long n);

/* Says what follows, on which machine, of how many rounds, and what the figures are good for. */
void bench_title(const char *what, int rounds);
double bench_one(bench_fn f, void *arg);
struct bench_figures bench_two(bench_fn a, void *a_arg, bench_fn b, void *b_arg);

/* The value; the program ends with a message where that is below 0. */
int64_t bench_must(int64_t value, const char *what);

/* A pseudorandom number below limit, from a state that is not 0. */
static inline uint64_t bench_random(uint64_t *state, uint64_t limit)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state % limit;
}

#endif
