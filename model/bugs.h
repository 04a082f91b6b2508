/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The museum: bugs that were really written in this code's history, each as an edit of tables.
 * The normative tables hold no bug; an edit is applied when a profile's tables are laid out.
 */
#ifndef GMEM_BUGS_H
#define GMEM_BUGS_H

#include "step.h"

/* Replaces the row of that name in that table. A list ends with a null name. */
struct gmem_edit {
	uint32_t table;
	const char *row;
	struct gmem_step with;
};

extern const struct gmem_edit gmem_bug_b40[], gmem_bug_b45[];

#endif
