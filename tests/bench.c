/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Time, medians and the heading of the benchmarks; see bench.h.
 *
 * How often a thing is done in a round is found out first, by doubling; that warms it up, too.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double round_of(bench_fn f, void *arg, unsigned long n)
{
	double start = now();

	f(arg, n);
	return now() - start;
}

static unsigned long times_a_round(bench_fn f, void *arg)
{
	unsigned long n = 1;

	while (round_of(f, arg, n) < BENCH_ROUND_NS)
		n *= 2;
	return n;
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double median(double rounds[BENCH_ROUNDS])
{
	qsort(rounds, BENCH_ROUNDS, sizeof(rounds[0]), compare);
	return rounds[BENCH_ROUNDS / 2];
}

double bench_one(bench_fn f, void *arg)
{
	unsigned long n = times_a_round(f, arg);
	double rounds[BENCH_ROUNDS];
	unsigned int i;

	for (i = 0; i < BENCH_ROUNDS; i++)
		rounds[i] = round_of(f, arg, n) / (double)n;
	return median(rounds);
}

struct bench_figures bench_two(bench_fn a, void *a_arg, bench_fn b, void *b_arg)
{
	unsigned long a_n = times_a_round(a, a_arg), b_n = times_a_round(b, b_arg);
	double a_rounds[BENCH_ROUNDS], b_rounds[BENCH_ROUNDS], ratios[BENCH_ROUNDS];
	unsigned int i;

	for (i = 0; i < BENCH_ROUNDS; i++) {
		a_rounds[i] = round_of(a, a_arg, a_n) / (double)a_n;
		b_rounds[i] = round_of(b, b_arg, b_n) / (double)b_n;
		ratios[i] = b_rounds[i] / a_rounds[i];
	}
	return (struct bench_figures){ median(a_rounds), median(b_rounds), median(ratios) };
}

int64_t bench_must(int64_t value, const char *what)
{
	if (value < 0) {
		fprintf(stderr, "bench: %s: %" PRId64 "\n", what, value);
		exit(1);
	}
	return value;
}

void bench_title(const char *what, int rounds)
{
	struct utsname u;

	uname(&u);
	printf("%s\n%s %s %s, %ld CPUs; medians of %d rounds in turns, one thread.\n", what,
	       u.sysname, u.release, u.machine, sysconf(_SC_NPROCESSORS_ONLN), rounds);
	printf("Nanoseconds move by 20 to 30 %% from run to run; quote ratios only.\n\n");
}
