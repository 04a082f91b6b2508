/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a lock checker has seen, for people: in words for a mail, and as a graph for dot(1).
 *
 * A checker sees one profile, whose tables say what the rows are that it names.
 */
#ifndef LOCK_TEXT_H
#define LOCK_TEXT_H

#include <stdio.h>

#include "gmem.h"

/* "kvm->slots_lock (write)" */
void lock_print_name(FILE *f, unsigned int class, unsigned int mode);
/* "row 3 of set_memory_region: lock slots_lock [SLOT-4]" */
void lock_print_row(FILE *f, const struct gmem_profile *p, uint32_t table, uint16_t row);

/* A report; where names what the first line begins with. */
void lock_print_report(FILE *f, const char *where, const struct gmem_profile *p,
		       const struct gmem_lock_report *r);
/* All of them; how many. */
unsigned int lock_print_reports(FILE *f, const char *where, const struct gmem_profile *p,
				const struct gmem_lockdep *d);

/* The order as a digraph; those that are in a reported cycle are red. */
void lock_print_dot(FILE *f, const struct gmem_profile *p, const struct gmem_lockdep *d);

#endif
