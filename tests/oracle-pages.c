/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The oracle's pages: who has them, and what is in them. A page is had by its memory and by pins,
 * and is gone when nobody has it; so a pin keeps the page it took, whatever the memory does.
 */
#include <string.h>

#include "oracle-state.h"

int new_memory(struct oracle *o, enum memory_kind kind, uint64_t size, uint64_t flags, int vm)
{
	struct memory *m = ONE_MORE(o, memories, nr_memories);

	*m = (struct memory){ .kind = kind, .size = size, .flags = flags, .vm = vm };
	return (int)(m - o->memories);
}

struct page *find_page(struct oracle *o, int memory, uint64_t pgoff)
{
	unsigned int i;

	for (i = 0; i < o->nr_held; i++)
		if (o->held[i].memory == memory && o->held[i].pgoff == pgoff)
			return &o->pages[o->held[i].page];
	return NULL;
}

static struct page *take_page(struct oracle *o)
{
	struct page *page = NULL;
	unsigned int i;

	for (i = 0; i < o->nr_pages && !page; i++)
		if (!o->pages[i].taken)
			page = &o->pages[i];
	if (!page)
		page = ONE_MORE(o, pages, nr_pages);
	memset(page, 0, sizeof(*page));
	page->taken = true;
	return page;
}

static void put_page(struct page *page)
{
	if (--page->holders == 0)
		page->taken = false;
}

struct page *new_page(struct oracle *o, int memory, uint64_t pgoff)
{
	struct page *page = take_page(o);

	page->holders++;
	*ONE_MORE(o, held, nr_held) =
		(struct held){ .memory = memory, .pgoff = pgoff, .page = (int)(page - o->pages) };
	return page;
}

void copy_pages(struct oracle *o, int to, int from, uint64_t pgoff, uint64_t end)
{
	unsigned int i, n = o->nr_held;

	for (i = 0; i < n; i++)
		if (o->held[i].memory == from && o->held[i].pgoff >= pgoff &&
		    o->held[i].pgoff < end) {
			const struct page *old = &o->pages[o->held[i].page];

			memcpy(new_page(o, to, o->held[i].pgoff)->bytes, old->bytes, PAGE);
		}
}

/* Entries go with their page; those that were poisoned stay what they are. */
static void drop_entries_of(struct oracle *o, int memory, uint64_t pgoff)
{
	unsigned int i;

	for (i = 0; i < o->nr_entries; i++) {
		const struct entry *e = &o->entries[i];
		const struct mapping *m = mapping_at(o, e->process, e->page);

		if (!e->poisoned && m && m->memory == memory &&
		    m->pgoff + (e->page - m->start) == pgoff)
			o->entries[i--] = o->entries[--o->nr_entries];
	}
}

void drop_pages(struct oracle *o, int memory, uint64_t start, uint64_t end)
{
	unsigned int i;

	for (i = 0; i < o->nr_held; i++) {
		struct held h = o->held[i];

		if (h.memory != memory || h.pgoff < start || h.pgoff >= end)
			continue;
		drop_entries_of(o, memory, h.pgoff);
		o->held[i--] = o->held[--o->nr_held];
		put_page(&o->pages[h.page]);
	}
}

void pin_page(struct oracle *o, int pin, uint64_t at, struct page *page)
{
	page->holders++;
	*ONE_MORE(o, pinned, nr_pinned) =
		(struct pinned){ .pin = pin, .at = at, .page = (int)(page - o->pages) };
}

void unpin(struct oracle *o, int pin)
{
	unsigned int i;

	for (i = 0; i < o->nr_pinned; i++)
		if (o->pinned[i].pin == pin) {
			put_page(&o->pages[o->pinned[i].page]);
			o->pinned[i--] = o->pinned[--o->nr_pinned];
		}
}

struct page *pinned_page(struct oracle *o, int pin, uint64_t at)
{
	unsigned int i;

	for (i = 0; i < o->nr_pinned; i++)
		if (o->pinned[i].pin == pin && o->pinned[i].at == at)
			return &o->pages[o->pinned[i].page];
	return NULL;
}

uint64_t read_byte(const struct page *page, uint64_t at)
{
	return page->bytes[at % PAGE];
}

void write_byte(struct page *page, uint64_t at, uint64_t value)
{
	page->bytes[at % PAGE] = (uint8_t)value;
}
