/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The invariants about an inode alone: its pages, their bytes, and whose they are (check.c).
 */
#include "convert.h"
#include "ops.h"
#include "ranges.h"
#include "seen.h"
#include "state.h"

/* The first page of [pgoff, end) that is not there, or not fit for use. */
bool gmem_is_missing(struct gmem_block *b, const struct gmem_inode *inode, uint64_t *pgoff,
		     uint64_t end)
{
	struct gmem_range r;

	while (*pgoff < end) {
		if (!gmem_range_next(b, inode->folios, *pgoff, &r) || r.start > *pgoff ||
		    !(r.value & FOLIO_UPTODATE))
			return true;
		*pgoff = r.end;
	}
	return false;
}

/* What was written is in a page that is in use: nothing is left behind by a punch. */
const char *gmem_check_bytes_are_in_pages(struct gmem_block *b, struct gmem_seen *s)
{
	for (uint32_t i = b->inodes; i; i = INODE(b, i)->next) {
		struct gmem_range r = { 0, 0, 0 };

		while (INODE(b, i)->kind != INODE_ORPHAN &&
		       gmem_range_next(b, INODE(b, i)->bytes, r.end, &r)) {
			uint64_t page = PAGES(r.start);

			if (gmem_is_missing(b, INODE(b, i), &page, PAGES(r.end - 1) + 1))
				return s->a = INODE(b, i)->ino, s->b = page,
				       "bytes where there is no page: inode, page";
		}
	}
	return NULL;
}

/*
 * How much of the file attributes have to cover; of one that shrinks also what is not truncated
 * yet.
 */
static bool is_covered(const struct gmem_inode *inode, uint64_t covered)
{
	uint64_t pages = inode->kind == INODE_GMEM ? gmem_pages_of(inode->size) : 0;

	return inode->memfd & MEMFD_SHRINKS ? covered >= pages : covered == pages;
}

/* From the first page to the last one attribute follows the other. */
const char *gmem_check_attributes_cover_the_file(struct gmem_block *b, struct gmem_seen *s)
{
	for (uint32_t i = b->inodes; i; i = INODE(b, i)->next) {
		uint64_t covered = 0;
		struct gmem_range r = { 0, 0, 0 };

		while (gmem_range_next(b, INODE(b, i)->attributes, r.end, &r)) {
			if (r.start != covered || r.value > PAGE_PRIVATE)
				break;
			covered = r.end;
		}
		if (!is_covered(INODE(b, i), covered))
			return s->a = INODE(b, i)->ino, s->b = covered,
			       "a page is neither shared nor private: inode, page";
	}
	return NULL;
}

/* A huge folio is whole while all of it is private, and there as a whole. */
static const char *check_folios(struct gmem_block *b, struct gmem_seen *s,
				const struct gmem_inode *inode)
{
	struct gmem_range r = { 0, 0, 0 };

	while (gmem_range_next(b, inode->folios, r.end, &r)) {
		uint64_t block = gmem_round_down(inode, r.start);

		for (; block < r.end; block += gmem_folio_pages(inode))
			if (gmem_folio_is_misshapen(b, inode, block))
				return s->a = inode->ino, s->b = block,
				       "a huge folio is whole, or there, in part: inode, page";
	}
	return NULL;
}

const char *gmem_check_huge_folios_are_private(struct gmem_block *b, struct gmem_seen *s)
{
	const char *wrong = NULL;

	for (uint32_t i = b->inodes; i && !wrong; i = INODE(b, i)->next)
		if (INODE(b, i)->order)
			wrong = check_folios(b, s, INODE(b, i));
	return wrong;
}
