/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What bench-ranges.c measures; see bench-ranges.h. The same for both trees: the same ranges in
 * the same order, and the same pages looked up.
 *
 * The ranges begin anywhere, have 1 to RANGES_MOST pages, and become SHARED or PRIVATE with equal
 * chance. So of a million conversions most fall where others were, and half of the neighbours
 * they meet are equal and merge. There are never more than about a million ranges: then as many
 * go as come.
 *
 * A small tree is filled again and again, from other seeds, until there is enough to time.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bench-ranges.h"

#define LEAST_CONVERSIONS 200000u
#define LOOKUPS 2000000u
#define PAGES_LOOKED_UP (1u << 16)
#define LEAST_WALKED 2000000u

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state * UINT64_C(0x9e3779b97f4a7c15);
}

static void convert(uint64_t *random, uint64_t n)
{
	while (n--) {
		uint64_t r = next_random(random);
		uint64_t start = r >> 36, end = start + 1 + (r >> 8) % RANGES_MOST;

		tree_convert(start, end < RANGES_PAGES ? end : RANGES_PAGES,
			     r >> 20 & 1 ? SHARED : PRIVATE);
	}
}

/* Adds to the time and the number of conversions. */
static uint64_t fill(uint64_t seed, uint64_t want, double *ns, uint64_t *conversions)
{
	uint64_t random = seed, ranges = 1, ignored = 0;

	tree_begin(RANGES_PAGES);
	while (ranges < want) {
		uint64_t n = (want - ranges) / 2 + 1;
		double start = now();

		convert(&random, n);
		*ns += now() - start;
		*conversions += n;
		ranges = tree_walk(&ignored);
	}
	return ranges;
}

/* So many different pages, that no processor learns which way each lookup takes. */
static double time_lookups(uint64_t *sum)
{
	static uint32_t pages[PAGES_LOOKED_UP];
	uint64_t random = 7, found = 0;
	double start;

	for (unsigned int i = 0; i < PAGES_LOOKED_UP; i++)
		pages[i] = (uint32_t)(next_random(&random) >> 36);
	start = now();
	for (unsigned int i = 0; i < LOOKUPS; i++)
		found += tree_lookup(pages[i % PAGES_LOOKED_UP]);
	*sum += found;
	return (now() - start) / LOOKUPS;
}

static double time_walks(uint64_t *sum)
{
	uint64_t walked = 0;
	double start = now();

	while (walked < LEAST_WALKED)
		walked += tree_walk(sum);
	return (now() - start) / (double)walked;
}

void ranges_work(uint64_t ranges, struct ranges_figures *f)
{
	uint64_t seed = 42, all = 0;
	double ns = 0;

	memset(f, 0, sizeof(*f));
	for (;;) {
		uint64_t before = all;

		f->ranges = fill(seed++, ranges, &ns, &all);
		f->conversions = all - before;
		if (all >= LEAST_CONVERSIONS)
			break;
		tree_end();
	}
	f->convert = ns / (double)all;
	f->lookup = time_lookups(&f->sum);
	f->walk = time_walks(&f->sum);
	f->bytes = (double)tree_bytes() / (double)f->ranges;
	tree_end();
}

void ranges_print(const struct ranges_figures *f)
{
	printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %f %f %f %f\n", f->ranges, f->conversions,
	       f->sum, f->convert, f->lookup, f->walk, f->bytes);
}

int ranges_parse(const char *line, struct ranges_figures *f)
{
	int n = sscanf(line, "%" SCNu64 " %" SCNu64 " %" SCNu64 " %lf %lf %lf %lf", &f->ranges,
		       &f->conversions, &f->sum, &f->convert, &f->lookup, &f->walk, &f->bytes);

	return n == 7 ? 0 : -1;
}
