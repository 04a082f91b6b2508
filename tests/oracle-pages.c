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

	*m = (struct memory){ .kind = kind, .size = size, .flags = flags, .vm = vm, .block = 1 };
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
	*page = (struct page){ .taken = true, .contents = NONE };
	return page;
}

static void put_page(struct oracle *o, struct page *page)
{
	if (--page->holders)
		return;
	zero_page(o, page);
	page->taken = false;
}

static void hold_page(struct oracle *o, int memory, uint64_t pgoff)
{
	struct page *page = take_page(o);

	page->holders++;
	*ONE_MORE(o, held, nr_held) =
		(struct held){ .memory = memory, .pgoff = pgoff, .page = (int)(page - o->pages) };
}

struct page *new_page(struct oracle *o, int memory, uint64_t pgoff)
{
	uint64_t block = o->memories[memory].block, first = pgoff / block * block, i;
	unsigned int mine = 0;

	for (i = first; i < first + block && !o->outside; i++) {
		hold_page(o, memory, i);
		if (i == pgoff)
			mine = o->nr_held - 1;
	}
	return &o->pages[o->held[mine].page];
}

/* ---- contents ---- */

static struct contents *contents_of(struct oracle *o, struct page *page)
{
	struct contents *c = NULL;
	unsigned int i;

	if (page->contents != NONE)
		return &o->contents[page->contents];
	for (i = 0; i < o->nr_contents && !c; i++)
		if (!o->contents[i].taken)
			c = &o->contents[i];
	if (!c)
		c = ONE_MORE(o, contents, nr_contents);
	c->taken = true;
	memset(c->bytes, 0, sizeof(c->bytes));
	memset(c->open, page->open, sizeof(c->open));
	page->contents = (int)(c - o->contents);
	return c;
}

void zero_page(struct oracle *o, struct page *page)
{
	if (page->contents != NONE)
		o->contents[page->contents].taken = false;
	page->contents = NONE;
	page->open = false;
}

void open_page(struct oracle *o, struct page *page, bool open)
{
	page->open = open;
	if (page->contents != NONE)
		memset(o->contents[page->contents].open, open, PAGE);
}

void copy_page(struct oracle *o, struct page *to, const struct page *from)
{
	zero_page(o, to);
	to->open = from->open;
	if (from->contents != NONE)
		*contents_of(o, to) = o->contents[from->contents];
}

void copy_pages(struct oracle *o, int to, int from, uint64_t pgoff, uint64_t end)
{
	unsigned int i, n = o->nr_held;

	for (i = 0; i < n; i++)
		if (o->held[i].memory == from && o->held[i].pgoff >= pgoff &&
		    o->held[i].pgoff < end) {
			const struct page *old = &o->pages[o->held[i].page];

			copy_page(o, new_page(o, to, o->held[i].pgoff), old);
		}
}

/* Entries go with their page. */
void drop_pages(struct oracle *o, int memory, uint64_t start, uint64_t end)
{
	unsigned int i;

	drop_entries_of(o, memory, start, end);
	for (i = 0; i < o->nr_held; i++) {
		struct held h = o->held[i];

		if (h.memory != memory || h.pgoff < start || h.pgoff >= end)
			continue;
		o->held[i--] = o->held[--o->nr_held];
		put_page(o, &o->pages[h.page]);
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
			put_page(o, &o->pages[o->pinned[i].page]);
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

bool is_pinned(const struct oracle *o, const struct page *page)
{
	unsigned int i;

	for (i = 0; i < o->nr_pinned; i++)
		if (&o->pages[o->pinned[i].page] == page)
			return true;
	return false;
}

uint64_t read_byte(const struct oracle *o, const struct page *page, uint64_t at)
{
	return page->contents == NONE ? 0 : o->contents[page->contents].bytes[at % PAGE];
}

void write_byte(struct oracle *o, struct page *page, uint64_t at, uint64_t value)
{
	struct contents *c = contents_of(o, page);

	c->bytes[at % PAGE] = (uint8_t)value;
	c->open[at % PAGE] = false;
}

static bool byte_is_open(const struct oracle *o, const struct page *page, uint64_t at)
{
	return page->contents == NONE ? page->open : o->contents[page->contents].open[at % PAGE];
}

int64_t load_bytes(const struct oracle *o, const struct gmem_call *c, struct page *const *pages,
		   uint64_t at, struct gmem_result *r)
{
	uint64_t i, value = 0;

	for (i = 0; i < c->size; i++) {
		value |= read_byte(o, pages[i], at + i) << 8 * i;
		if (byte_is_open(o, pages[i], at + i))
			r->outcome = GMEM_UNSPECIFIED;
	}
	return r->outcome == GMEM_UNSPECIFIED ? 0 : (int64_t)value;
}

void store_bytes(struct oracle *o, const struct gmem_call *c, struct page *const *pages,
		 uint64_t at)
{
	uint64_t i;

	for (i = 0; i < c->size; i++)
		write_byte(o, pages[i], at + i, c->value >> 8 * i);
}
