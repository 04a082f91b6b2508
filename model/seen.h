/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Invariants: each returns null, or what it saw, with the numbers that say where.
 */
#ifndef GMEM_SEEN_H
#define GMEM_SEEN_H

#include "state.h"

struct gmem_seen {
	uint64_t a, b;
};

/* count.c */
const char *gmem_check_references(struct gmem_block *b, struct gmem_seen *s);
const char *gmem_check_trees(struct gmem_block *b, struct gmem_seen *s);
const char *gmem_check_cells(struct gmem_block *b, struct gmem_seen *s);

/* check-pages.c */
const char *gmem_check_bytes_are_in_pages(struct gmem_block *b, struct gmem_seen *s);
const char *gmem_check_attributes_cover_the_file(struct gmem_block *b, struct gmem_seen *s);
const char *gmem_check_huge_folios_are_private(struct gmem_block *b, struct gmem_seen *s);
/* Whether some page from *pgoff to end is not there, or not fit for use: the first, in *pgoff. */
bool gmem_is_missing(struct gmem_block *b, const struct gmem_inode *inode, uint64_t *pgoff,
		     uint64_t end);

/* check-freed.c */
const char *gmem_check_freed(struct gmem_block *b, struct gmem_seen *s);
/* The part of it that is about what running operations go on with. */
const char *gmem_check_tasks(const struct gmem_block *b, struct gmem_seen *s);
/* Whether the task's operation is where gmem_check_freed() looks at what it goes on with. */
bool gmem_looks_at_something(const struct gmem_task *t);

#endif
