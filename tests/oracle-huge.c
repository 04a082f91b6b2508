/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The oracle on allocating and punching, and on huge pages; see oracle.h.
 *
 * A huge page is that many small ones, which come together and go together. What holds the model
 * busy, splitting and merging, cannot be seen from outside, and is not here.
 */
#include "oracle-state.h"

int64_t huge_page_size(const struct oracle *o, const struct gmem_call *c)
{
	uint64_t log = c->page_order + 12;

	if (!o->is_shareability && o->design != COCO_HUGETLB)
		return 0;
	if (o->is_shareability)
		log = c->flags >> GMEM_FLAG_HUGE_SHIFT;
	if (!(c->flags & GMEM_FLAG_HUGETLB))
		return o->design == COCO_HUGETLB && c->page_order ? -EINVAL : 0;
	if (o->design == COCO_HUGETLB && c->flags & GMEM_FLAG_INIT_SHARED)
		return -EINVAL;
	return log == 21 || log == 30 ? INT64_C(1) << log : -EINVAL;
}

int64_t allocate(struct oracle *o, const struct gmem_call *c, int memory)
{
	uint64_t block = o->memories[memory].block, looked_at = 0, allocated = 0;
	uint64_t page = c->offset / PAGE, end = page + c->length / PAGE;

	if (o->design == COCO_HUGETLB && (page % block || end % block))
		return -EINVAL;
	if (c->offset + c->length > o->memories[memory].size)
		return -EINVAL;
	page = page / block * block;
	end = end / block * block;
	for (; page < end && !o->outside; page += block, looked_at += block) {
		if (meets_signal(o, c, looked_at))
			return -EINTR;
		if (find_page(o, memory, page))
			continue;
		if (meets(o, c, GMEM_INJECT_ENOMEM, allocated++))
			return -ENOMEM;
		new_page(o, memory, page);
	}
	return 0;
}

/* They stay, and are zero. */
static void zero_pages(struct oracle *o, int memory, uint64_t start, uint64_t end)
{
	unsigned int i;

	for (i = 0; i < o->nr_held; i++) {
		const struct held *h = &o->held[i];

		if (h->memory == memory && h->pgoff >= start && h->pgoff < end)
			zero_page(o, &o->pages[h->page]);
	}
}

static uint64_t next_held(const struct oracle *o, int memory, uint64_t page)
{
	uint64_t next = UINT64_MAX;
	unsigned int i;

	for (i = 0; i < o->nr_held; i++)
		if (o->held[i].memory == memory && o->held[i].pgoff >= page &&
		    o->held[i].pgoff < next)
			next = o->held[i].pgoff;
	return next;
}

/* Huge page by huge page, in order; what is less than one is zeroed. */
static int64_t punch_what_is_whole(struct oracle *o, int memory, uint64_t start, uint64_t end)
{
	uint64_t block = o->memories[memory].block, page, most = o->memories[memory].size / PAGE;

	end = end < most ? end : most;
	for (page = start / block * block; page < end; page += block) {
		uint64_t held = next_held(o, memory, page) / block * block;

		page = held < page ? page : held; /* what is not there costs nothing */
		if (page >= end)
			break;
		if (page < start || page + block > end) {
			zero_pages(o, memory, page > start ? page : start,
				   page + block < end ? page + block : end);
			continue;
		}
		if (!is_whole(o, memory, page)) {
			drop_entries_of(o, memory, page, page + block);
			if (first_busy(o, memory, page, page + block) != page + block)
				return -EAGAIN;
		}
		drop_pages(o, memory, page, page + block);
	}
	return 0;
}

int64_t punch(struct oracle *o, int memory, uint64_t start, uint64_t end)
{
	uint64_t block = o->memories[memory].block;

	if (block > 1 && o->is_shareability)
		return punch_what_is_whole(o, memory, start, end);
	if (block > 1 && (start % block || end % block))
		return -EINVAL;
	if (block > 1) {
		drop_entries_of(o, memory, start, end);
		if (first_busy(o, memory, start, end) != end)
			return -EAGAIN;
	}
	drop_pages(o, memory, start, end);
	return 0;
}
