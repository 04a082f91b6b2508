/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Huge folios. A file that has them has them everywhere: a folio covers an aligned block, whole
 * or split into pages, and a block is there or it is not. Shared pages are always single pages,
 * so a block is whole exactly as long as all of it is private.
 */
#include "convert.h"
#include "ops.h"

/* The block's flag: FOLIO_HUGE while it is not split. Attributes are those that will be. */
static uint32_t shape_with(const struct gmem_block *b, const struct gmem_inode *inode,
			   uint64_t block, const struct gmem_range *will)
{
	uint64_t end = block + gmem_folio_pages(inode);

	if (will->value != PAGE_PRIVATE)
		return 0;
	return (will->start <= block ||
		gmem_has_attribute(b, inode, block, will->start, PAGE_PRIVATE)) &&
			       (will->end >= end ||
				gmem_has_attribute(b, inode, will->end, end, PAGE_PRIVATE)) ?
		       FOLIO_HUGE :
		       0;
}

/* The block's flag: FOLIO_HUGE while it is not split. */
static uint32_t shape_of(const struct gmem_block *b, const struct gmem_inode *inode, uint64_t block)
{
	uint64_t end = block + gmem_folio_pages(inode);

	return gmem_has_attribute(b, inode, block, end, PAGE_PRIVATE) ? FOLIO_HUGE : 0;
}

/* Whole blocks that are missing; those that are private as a whole are not split. */
static void add_blocks(struct gmem_block *b, struct gmem_inode *inode, uint64_t start, uint64_t end)
{
	struct gmem_range r = { 0, start, 0 };

	gmem_range_set(b, &inode->folios, start, end, FOLIO_PRESENT);
	while (gmem_range_next_in(b, inode->attributes, r.end, end, &r))
		if (r.value == PAGE_PRIVATE)
			gmem_range_set(b, &inode->folios, gmem_round_up(inode, r.start),
				       gmem_round_down(inode, r.end), FOLIO_PRESENT | FOLIO_HUGE);
}

void gmem_mark_folios(struct gmem_block *b, struct gmem_inode *inode, uint64_t start, uint64_t end,
		      uint32_t flags, uint32_t but)
{
	struct gmem_range r = { 0, start, 0 };

	while (gmem_range_next_in(b, inode->folios, r.end, end, &r))
		gmem_range_set(b, &inode->folios, r.start, r.end, (r.value & ~but) | flags);
}

void gmem_add_folios(struct gmem_block *b, struct gmem_inode *inode, uint64_t start, uint64_t end,
		     uint32_t flags)
{
	uint64_t last = gmem_round_up(inode, end), at = gmem_round_down(inode, start);
	struct gmem_range r;

	if (!inode->order) {
		gmem_range_set(b, &inode->folios, start, end, flags);
		return;
	}
	for (; at < last; at = r.end) {
		if (!gmem_range_next_in(b, inode->folios, at, last, &r))
			r.start = r.end = last;
		if (at < r.start)
			add_blocks(b, inode, at, r.start);
	}
	gmem_mark_folios(b, inode, start, end, flags, 0);
}

void gmem_restructure(struct gmem_block *b, struct gmem_inode *inode, uint64_t start, uint64_t end)
{
	uint64_t pages = gmem_folio_pages(inode);
	struct gmem_range r;

	if (!inode->order)
		return;
	end = gmem_round_up(inode, end);
	for (r.end = gmem_round_down(inode, start);
	     gmem_range_next_in(b, inode->folios, r.end, end, &r);) {
		uint64_t block = gmem_round_down(inode, r.start);

		gmem_mark_folios(b, inode, block, block + pages, shape_of(b, inode, block),
				 FOLIO_HUGE);
		r.end = block + pages;
	}
}

/* One block: to what it will be when the pages of *will have that attribute. */
void gmem_restructure_block(struct gmem_block *b, struct gmem_inode *inode,
			    const struct gmem_range *will)
{
	uint64_t block = gmem_round_down(inode, will->start);

	gmem_mark_folios(b, inode, block, block + gmem_folio_pages(inode),
			 shape_with(b, inode, block, will), FOLIO_HUGE);
}

bool gmem_block_changes(const struct gmem_block *b, const struct gmem_inode *inode,
			const struct gmem_range *will)
{
	uint64_t block = gmem_round_down(inode, will->start);
	uint32_t is = gmem_folio(b, inode, block);

	return is && (is & FOLIO_HUGE) != shape_with(b, inode, block, will);
}

bool gmem_folio_is_misshapen(const struct gmem_block *b, const struct gmem_inode *inode,
			     uint64_t block)
{
	uint64_t end = block + gmem_folio_pages(inode);
	struct gmem_range r = { 0, block, 0 };
	uint32_t shape = shape_of(b, inode, block);
	uint64_t there = 0;

	while (gmem_range_next_in(b, inode->folios, r.end, end, &r)) {
		there += r.end - r.start;
		if ((r.value & FOLIO_HUGE) != shape)
			return true;
	}
	return there && there != gmem_folio_pages(inode);
}

bool has_huge_folios(struct gmem_run *run)
{
	return inode_of(run)->order != 0;
}

int round_out(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->start = gmem_round_down(inode_of(run), t->start);
	t->end = gmem_round_up(inode_of(run), t->end);
	return 0;
}
