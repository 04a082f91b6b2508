/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows of tables, side by side; see rows.h.
 */
#include <string.h>

#include "rows.h"

void rows_read(struct rows *r, const struct gmem_profile *p, unsigned int table)
{
	r->n = 0;
	while (r->n < MAX_ROWS && gmem_profile_row(p, table, r->n, &r->row[r->n]))
		r->n++;
}

static int same_row(const struct gmem_row *a, const struct gmem_row *b)
{
	return a->clause == b->clause && a->err == b->err && !strcmp(a->name, b->name) &&
	       !strcmp(a->kind, b->kind) && !strcmp(a->detail, b->detail);
}

int rows_same(const struct rows *a, const struct rows *b)
{
	unsigned int i;

	for (i = 0; i < a->n && i < b->n; i++)
		if (!same_row(&a->row[i], &b->row[i]))
			return 0;
	return a->n == b->n;
}

/* length[i][j]: of the longest common subsequence of a's rows from i and b's from j. */
static void common_lengths(const struct rows *a, const struct rows *b,
			   uint16_t length[MAX_ROWS + 1][MAX_ROWS + 1])
{
	unsigned int i, j;

	for (i = a->n + 1; i-- > 0;)
		for (j = b->n + 1; j-- > 0;) {
			if (i == a->n || j == b->n)
				length[i][j] = 0;
			else if (same_row(&a->row[i], &b->row[j]))
				length[i][j] = length[i + 1][j + 1] + 1;
			else if (length[i + 1][j] >= length[i][j + 1])
				length[i][j] = length[i + 1][j];
			else
				length[i][j] = length[i][j + 1];
		}
}

void rows_align(const struct rows *a, const struct rows *b,
		void (*fn)(void *arg, const struct gmem_row *a, const struct gmem_row *b),
		void *arg)
{
	static uint16_t length[MAX_ROWS + 1][MAX_ROWS + 1];
	unsigned int i = 0, j = 0;

	common_lengths(a, b, length);
	while (i < a->n || j < b->n) {
		if (i < a->n && j < b->n && same_row(&a->row[i], &b->row[j]))
			fn(arg, &a->row[i++], &b->row[j++]);
		else if (j == b->n || (i < a->n && length[i + 1][j] >= length[i][j + 1]))
			fn(arg, &a->row[i++], NULL);
		else
			fn(arg, NULL, &b->row[j++]);
	}
}
