/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages: which an inode has, what bytes they hold, and what becomes of both when they are
 * truncated.
 *
 * Bytes are a range tree of their own that holds what is not zero; a page that was never written
 * costs nothing. A page outlives truncation only in the hands of a pin: it then belongs to an
 * orphan, an inode without a name that keeps the bytes at the offsets they had.
 */
#include "convert.h"
#include "ops.h"

uint32_t gmem_folio(const struct gmem_block *b, const struct gmem_inode *inode, uint64_t pgoff)
{
	return gmem_range_get(b, inode->folios, pgoff);
}

void gmem_folio_set(struct gmem_block *b, struct gmem_inode *inode, uint64_t pgoff, uint32_t flags)
{
	gmem_range_set(b, &inode->folios, pgoff, pgoff + 1, flags);
}

uint64_t gmem_bytes_read(const struct gmem_block *b, uint32_t inode, uint64_t offset, uint64_t size)
{
	uint32_t bytes = CINODE(b, inode)->bytes;
	uint64_t value = 0;

	for (uint64_t i = size; i-- > 0;)
		value = value << 8 | gmem_range_get(b, bytes, offset + i);
	return value;
}

void gmem_bytes_write(struct gmem_block *b, uint32_t inode, uint64_t offset, uint64_t size,
		      uint64_t value)
{
	uint32_t *bytes = &INODE(b, inode)->bytes;

	for (uint64_t i = 0; i < size; i++, value >>= 8)
		gmem_range_set(b, bytes, offset + i, offset + i + 1, value & 0xff);
	if (INODE(b, inode)->open_bytes)
		gmem_range_set(b, &INODE(b, inode)->open_bytes, offset, offset + size, 0);
}

bool gmem_bytes_are_open(const struct gmem_block *b, uint32_t inode, uint64_t offset, uint64_t size)
{
	return !gmem_range_empty(b, CINODE(b, inode)->open_bytes, offset, offset + size);
}

void gmem_bytes_copy(struct gmem_block *b, uint32_t to, uint64_t to_offset, uint32_t from,
		     uint64_t from_offset, uint64_t length)
{
	uint64_t end = from_offset + length;
	struct gmem_range r = { 0, from_offset, 0 };

	gmem_range_set(b, &INODE(b, to)->bytes, to_offset, to_offset + length, 0);
	while (gmem_range_next_in(b, INODE(b, from)->bytes, r.end, end, &r))
		gmem_range_set(b, &INODE(b, to)->bytes, to_offset + r.start - from_offset,
			       to_offset + r.end - from_offset, r.value);
	gmem_range_set(b, &INODE(b, to)->open_bytes, to_offset, to_offset + length, 0);
	for (r.end = from_offset;
	     gmem_range_next_in(b, INODE(b, from)->open_bytes, r.end, end, &r);)
		gmem_range_set(b, &INODE(b, to)->open_bytes, to_offset + r.start - from_offset,
			       to_offset + r.end - from_offset, 1);
}

/* The pages of one pin in [start, end) of the inode move to the orphan; how many ranges did. */
static uint32_t move_to_orphan(struct gmem_block *b, struct gmem_pin *pin, uint32_t inode,
			       uint32_t orphan, uint64_t start, uint64_t end)
{
	struct gmem_range r = { 0, start, 0 };
	uint32_t moved = 0;

	while (gmem_range_next_in(b, pin->holder, r.end, end, &r)) {
		if (r.value != inode)
			continue;
		gmem_range_set(b, &pin->holder, r.start, r.end, orphan);
		moved++;
	}
	return moved;
}

void gmem_pins_keep(struct gmem_run *run, uint32_t inode, uint64_t start, uint64_t end)
{
	struct gmem_block *b = run->b;
	/* Not the file's size: that of a memfd is smaller before its pages go. */
	uint64_t most = PAGES(MAX_LFS_FILESIZE);
	uint32_t orphan = gmem_inode_new(b, INODE_ORPHAN, INODE(b, inode)->size, 0);

	if (end > most)
		end = most;
	for (uint32_t p = INODE(b, inode)->pins; p; p = PIN(b, p)->next)
		INODE(b, orphan)->refs += move_to_orphan(b, PIN(b, p), inode, orphan, start, end);
	if (INODE(b, orphan)->refs)
		gmem_bytes_copy(b, orphan, BYTES(start), inode, BYTES(start), BYTES(end - start));
	else
		gmem_inode_free(b, orphan);
}

void gmem_zero_bytes(struct gmem_block *b, struct gmem_inode *i, uint64_t start, uint64_t end)
{
	if (i->bytes)
		gmem_range_set(b, &i->bytes, BYTES(start), BYTES(end), 0);
	if (i->open_bytes)
		gmem_range_set(b, &i->open_bytes, BYTES(start), BYTES(end), 0);
}

static void drop_pages_of(struct gmem_run *run, uint32_t inode, uint64_t start, uint64_t end)
{
	struct gmem_inode *i = INODE(run->b, inode);

	if (i->pins && !gmem_range_empty(run->b, i->folios, start, end))
		gmem_pins_keep(run, inode, start, end);
	gmem_range_set(run->b, &i->folios, start, end, 0);
	gmem_zero_bytes(run->b, i, start, end);
}

/*
 * An anonymous page goes from the page tables and is dropped at once; one that a fault has mapped
 * since is another.
 */
void gmem_drop_pages(struct gmem_run *run, uint32_t inode, uint64_t start, uint64_t end)
{
	while (start < end) {
		uint64_t mapped = end;

		if (CINODE(run->b, inode)->kind == INODE_ANON)
			mapped = gmem_first_mapped(run->b, inode, start, end);
		drop_pages_of(run, inode, start, mapped);
		start = mapped + 1;
	}
}

bool gmem_is_private_memory(const struct gmem_inode *inode)
{
	return inode->kind == INODE_ANON && inode->flags != GMEM_MAP_SHARED;
}
