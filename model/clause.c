/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The clauses of doc/spec.md, as the build took them from there.
 */
#include <string.h>

#include "clauses.h"
#include "gmem.h"

static const struct gmem_clause clauses[GMEM_NR_CLAUSES] = {
#include "clauses.inc"
};

const struct gmem_clause *gmem_clause(unsigned int n)
{
	return n && n < GMEM_NR_CLAUSES ? &clauses[n] : NULL;
}

unsigned int gmem_clause_find(const char *name)
{
	for (unsigned int n = 1; n < GMEM_NR_CLAUSES; n++)
		if (!strcmp(clauses[n].name, name))
			return n;
	return 0;
}
