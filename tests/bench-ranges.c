/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Our range tree against the kernel's maple tree, and against the operation that it is there for:
 * `make bench` runs it, in under two minutes.
 *
 * What is measured, by whom and why it is fair, is in bench-ranges-work.c and bench-maple.c. Each
 * side does its work in a process of its own: this program, called with the number of ranges, is
 * our tree; THEIRS, which maple.sh builds where there is the kernel's source, is the other; and
 * this program's name and CALLS converts by calls of the model. They take turns, ROUNDS times, so
 * that all meet the same weather. A figure is the median of the rounds, a ratio the median of the
 * ratios of neighbours.
 *
 * Exit status 1 if ours is not LEAST times as fast in converting and looking up, takes more than
 * MOST_BYTES for a range, or finds other ranges than the kernel's does; or if a call takes more
 * than MOST_TIMES what the tree takes, or leaves other ranges.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench.h"
#include "bench-ranges.h"

#define THEIRS "bench-maple/maple"
#define CALLS "-call"
#define ROUNDS 7
#define LEAST 2.0
#define MOST_BYTES 16.0
#define MOST_TIMES 3.0

static const uint64_t sizes[] = { 1000, 100000, 650000 };

/* The rounds of one size; theirs are zeros where there is no maple tree. */
struct rounds {
	struct ranges_figures ours[ROUNDS], theirs[ROUNDS], calls[ROUNDS];
};

typedef double (*figure_fn)(const struct ranges_figures *f);

static double convert_of(const struct ranges_figures *f)
{
	return f->convert;
}

static double lookup_of(const struct ranges_figures *f)
{
	return f->lookup;
}

static double walk_of(const struct ranges_figures *f)
{
	return f->walk;
}

static double bytes_of(const struct ranges_figures *f)
{
	return f->bytes;
}

static const struct row {
	const char *name;
	figure_fn figure;
	double least, most; /* of theirs / ours; of ours; 0: not judged */
} rows[] = {
	{ "convert, ns", convert_of, LEAST, 0 },
	{ "look up, ns", lookup_of, LEAST, 0 },
	{ "walk, ns a range", walk_of, 0, 0 },
	{ "bytes a range", bytes_of, 0, MOST_BYTES },
};

static void run(const char *program, uint64_t ranges, struct ranges_figures *f)
{
	char line[300] = "";
	FILE *p;

	snprintf(line, sizeof(line), "'%s' %llu", program, (unsigned long long)ranges);
	p = popen(line, "r");
	if (!p || !fgets(line, sizeof(line), p) || ranges_parse(line, f) || pclose(p)) {
		fprintf(stderr, "bench-ranges: %s: no figures\n", program);
		exit(1);
	}
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double median(double of[ROUNDS])
{
	qsort(of, ROUNDS, sizeof(of[0]), compare);
	return of[ROUNDS / 2];
}

/* 1 if a target was missed. */
static unsigned int show_row(const struct row *row, const struct rounds *r, bool both)
{
	double ours[ROUNDS], theirs[ROUNDS], ratios[ROUNDS], our, ratio;
	bool missed;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		ours[i] = row->figure(&r->ours[i]);
		theirs[i] = row->figure(&r->theirs[i]);
		ratios[i] = theirs[i] / ours[i];
	}
	our = median(ours);
	ratio = median(ratios);
	missed = (row->most > 0 && our > row->most) || (both && ratio < row->least);
	printf("  %-20s %9.1f", row->name, our);
	if (both)
		printf(" %11.1f %11.2f", median(theirs), ratio);
	printf("%s\n", missed ? "  MISSED" : "");
	return missed;
}

/* The same for the whole operation. */
static unsigned int show_calls(const struct rounds *r)
{
	double calls[ROUNDS], ratios[ROUNDS], ratio;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		calls[i] = r->calls[i].convert;
		ratios[i] = calls[i] / r->ours[i].convert;
	}
	ratio = median(ratios);
	printf("  %-20s %9.1f   %.2f times the tree's%s\n", "whole call, ns", median(calls), ratio,
	       ratio > MOST_TIMES ? "  MISSED" : "");
	return ratio > MOST_TIMES;
}

static unsigned int show_difference(const struct ranges_figures *a, const struct ranges_figures *b,
				    const char *what)
{
	if (a->sum == b->sum)
		return 0;
	printf("  %s hold different ranges.  MISSED\n", what);
	return 1;
}

static unsigned int show(uint64_t ranges, const struct rounds *r, bool both)
{
	unsigned int i, missed = 0;

	printf("%llu ranges, after %llu conversions\n", (unsigned long long)ranges,
	       (unsigned long long)r->ours[0].conversions);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		missed += show_row(&rows[i], r, both);
	missed += show_calls(r);
	if (both)
		missed += show_difference(r->ours, r->theirs, "The two trees");
	return missed + show_difference(r->ours, r->calls, "The tree and the file");
}

static unsigned int measure(const char *self, uint64_t ranges, bool both)
{
	struct rounds r = { 0 };
	char calls[200];
	int i;

	snprintf(calls, sizeof(calls), "%s" CALLS, self);
	for (i = 0; i < ROUNDS; i++) {
		run(self, ranges, &r.ours[i]);
		run(calls, ranges, &r.calls[i]);
		if (both)
			run(THEIRS, ranges, &r.theirs[i]);
	}
	return show(ranges, &r, both);
}

int main(int argc, char **argv)
{
	bool both = access(THEIRS, X_OK) == 0;
	unsigned int i, missed = 0;
	struct ranges_figures f;

	if (argc == 2) {
		ranges_work(strtoull(argv[1], NULL, 10), &f);
		ranges_print(&f);
		return 0;
	}
	bench_title("Our range tree against the kernel's maple tree", ROUNDS);
	if (!both)
		printf("The kernel's tree is not here, so ours is measured alone.\n\n");
	printf("%-22s %9s%s\n", "", "ours", both ? "      kernel kernel/ours" : "");
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		missed += measure(argv[0], sizes[i], both);
	printf("\nTargets: converting and looking up %.0f times as fast%s, %.0f bytes a range,\n"
	       "a call %.0f times as long as the tree's part of it: %s\n",
	       LEAST, both ? "" : " (not judged)", MOST_BYTES, MOST_TIMES,
	       missed ? "missed" : "met");
	return missed ? 1 : 0;
}
