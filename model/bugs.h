/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The museum: bugs that were really written in this code's history, each as an edit of tables; and
 * tables that were only asked about (what-if.c).
 * The normative tables hold no bug; an edit is applied when a profile's tables are laid out.
 */
#ifndef GMEM_BUGS_H
#define GMEM_BUGS_H

#include "step.h"

/*
 * One row of a table is replaced, dropped, or gets another one before it. It is the nth, from 0, of
 * those with that name ("lock" and "unlock" are what LOCK and UNLOCK rows are called). A row in
 * another's place has the other's condition, unless it has one of its own. or_table is where the row
 * is in profiles whose calls do not come to the first table. A list ends with a null name.
 */
enum gmem_edit_kind { EDIT_REPLACE, EDIT_DROP, EDIT_INSERT };

struct gmem_edit {
	uint32_t table, or_table; /* 0: in no other */
	const char *row;
	struct gmem_step with;
	uint8_t kind; /* enum gmem_edit_kind */
	uint8_t nth;
};

#define REPLACE_ROW(tab, name, n, ...)                                                         \
	{                                                                                      \
		.table = tab, .row = name, .with = __VA_ARGS__, .kind = EDIT_REPLACE, .nth = n \
	}
/* That of one table, or of another where calls do not come to the first. */
#define REPLACE_ROW_OF(tab, other, name, n, ...)                                   \
	{                                                                          \
		.table = tab, .or_table = other, .row = name, .with = __VA_ARGS__, \
		.kind = EDIT_REPLACE, .nth = n                                     \
	}
#define DROP_ROW(tab, name, n)                                         \
	{                                                              \
		.table = tab, .row = name, .kind = EDIT_DROP, .nth = n \
	}
/* Before that row. */
#define INSERT_ROW(tab, name, n, ...)                                                         \
	{                                                                                     \
		.table = tab, .row = name, .with = __VA_ARGS__, .kind = EDIT_INSERT, .nth = n \
	}

extern const struct gmem_edit gmem_bug_b12[], gmem_bug_b22[], gmem_bug_b23[], gmem_bug_b26[],
	gmem_bug_b28[], gmem_bug_b30[], gmem_bug_b33[], gmem_bug_b34[], gmem_bug_b36[],
	gmem_bug_b38[], gmem_bug_b38b[], gmem_bug_b39[], gmem_bug_b40[], gmem_bug_b42[],
	gmem_bug_b45[], gmem_bug_b46[], gmem_bug_b47[], gmem_bug_b54[], gmem_bug_b56[],
	gmem_bug_m1[], gmem_bug_m2[], gmem_bug_m3[], gmem_bug_m4[], gmem_bug_m5[], gmem_bug_q1[],
	gmem_bug_q2[], gmem_bug_q3[], gmem_bug_x1[], gmem_bug_x2[], gmem_bug_x3[], gmem_bug_x4[];
extern const struct gmem_edit gmem_bug_b01[], gmem_bug_b02[], gmem_bug_b04[], gmem_bug_b05[],
	gmem_bug_b07[], gmem_bug_b08[], gmem_bug_b08_v4[], gmem_bug_b09[], gmem_bug_b10[],
	gmem_bug_b11[], gmem_bug_b12_restricted[], gmem_bug_b12_v10[], gmem_bug_b13[],
	gmem_bug_b13_v10[], gmem_bug_b14[], gmem_bug_b15[], gmem_bug_b16[], gmem_bug_b17[],
	gmem_bug_b19[], gmem_bug_b20a[], gmem_bug_b20b[], gmem_bug_b20c[];

#endif
