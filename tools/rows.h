/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rows of one table, and of two tables side by side. A row is the same in both if it does the
 * same under the same clause with the same errno; what is left over is found as diff(1) finds it,
 * by the longest common subsequence.
 */
#ifndef ROWS_H
#define ROWS_H

#include "gmem.h"

#define MAX_ROWS 256

struct rows {
	struct gmem_row row[MAX_ROWS];
	unsigned int n;
};

void rows_read(struct rows *r, const struct gmem_profile *p, unsigned int table);
/* 1 if they are the same, row by row. */
int rows_same(const struct rows *a, const struct rows *b);
/* Calls fn for each row: what it is in a, and in b; one of them is null where it is in one only. */
void rows_align(const struct rows *a, const struct rows *b,
		void (*fn)(void *arg, const struct gmem_row *a, const struct gmem_row *b),
		void *arg);

#endif
