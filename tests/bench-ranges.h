/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The work that bench-ranges.c has done by two trees of page ranges: ours (bench-ranges-ours.c)
 * and the kernel's maple tree (bench-maple.c); and by whole calls, as if a file were a tree
 * (bench-ranges-call.c). The work, bench-ranges-work.c, is compiled once for each, and each is a
 * program of its own:
 *
 *	PROGRAM RANGES		does the work and prints struct ranges_figures as one line
 *
 * What a tree has to offer is below. It holds the attributes of a file's pages, SHARED or PRIVATE,
 * without gap, and neighbouring ranges always differ.
 */
#ifndef TESTS_BENCH_RANGES_H
#define TESTS_BENCH_RANGES_H

#include <stdint.h>

#define RANGES_PAGES (UINT64_C(1) << 28) /* of the file: 1 TiB */
#define RANGES_MOST 512u		 /* pages that are converted at once */

enum { SHARED = 1, PRIVATE = 2 };

/* Begins with a file all of which is private; ends, and gives back all memory. */
void tree_begin(uint64_t npages);
void tree_end(void);

/* Makes [start, end) all value. */
void tree_convert(uint64_t start, uint64_t end, unsigned int value);

/* The value at page. */
unsigned int tree_lookup(uint64_t page);

/* The number of ranges; to sum comes what depends on each one's bounds and value. */
uint64_t tree_walk(uint64_t *sum);

/* A range's share of that sum. */
static inline uint64_t range_sum(uint64_t start, uint64_t end, unsigned int value)
{
	return (start ^ end << 20) * (2 * value + 1);
}

/* What the nodes of the tree occupy by now. */
uint64_t tree_bytes(void);

struct ranges_figures {
	uint64_t ranges, conversions; /* to reach them */
	uint64_t sum;		      /* of all that was read: what the trees must agree in */
	double convert, lookup, walk; /* ns for a conversion, a lookup, a range of a walk */
	double bytes;		      /* for a range */
};

/* Converts until there are so many ranges; then looks up, walks and weighs. */
void ranges_work(uint64_t ranges, struct ranges_figures *f);

/* One line, and the reverse; ranges_parse() is 0 if the line is one. */
void ranges_print(const struct ranges_figures *f);
int ranges_parse(const char *line, struct ranges_figures *f);

#endif
