/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The oracle on the host program's memory: mappings, loads and stores, pins; see oracle.h.
 *
 * There are no page tables: every access looks everything up anew. That must not make a
 * difference, but for two things: a page that fails while it is mapped is remembered in that
 * mapping, and a guest may read what was touched in a mapping that is only to be written. For
 * these alone the oracle notes what was touched (struct entry).
 */
#include "oracle-state.h"

struct mapping *mapping_at(struct oracle *o, uint32_t process, uint64_t page)
{
	unsigned int i;

	for (i = 0; i < o->nr_mappings; i++) {
		struct mapping *m = &o->mappings[i];

		if (m->process == process && page >= m->start && page < m->end)
			return m;
	}
	return NULL;
}

/* The first mapping of [start, end). */
static struct mapping *next_mapping(struct oracle *o, uint32_t process, uint64_t start,
				    uint64_t end)
{
	struct mapping *m, *first = NULL;
	unsigned int i;

	for (i = 0; i < o->nr_mappings; i++) {
		m = &o->mappings[i];
		if (m->process == process && m->start < end && start < m->end &&
		    (!first || m->start < first->start))
			first = m;
	}
	return first;
}

struct entry *find_entry(struct oracle *o, uint32_t process, uint64_t page)
{
	unsigned int i;

	for (i = 0; i < o->nr_entries; i++)
		if (o->entries[i].process == process && o->entries[i].page == page)
			return &o->entries[i];
	return NULL;
}

void drop_entries(struct oracle *o, uint32_t process, uint64_t start, uint64_t end)
{
	unsigned int i;

	for (i = 0; i < o->nr_entries; i++) {
		const struct entry *e = &o->entries[i];

		if (e->process == process && e->page >= start && e->page < end)
			o->entries[i--] = o->entries[--o->nr_entries];
	}
}

void drop_entries_of(struct oracle *o, int memory, uint64_t start, uint64_t end)
{
	unsigned int i;

	for (i = 0; i < o->nr_entries; i++) {
		const struct entry *e = &o->entries[i];
		const struct mapping *m = mapping_at(o, e->process, e->page);
		uint64_t pgoff = m ? m->pgoff + (e->page - m->start) : 0;

		if (!e->poisoned && m && m->memory == memory && pgoff >= start && pgoff < end)
			o->entries[i--] = o->entries[--o->nr_entries];
	}
}

/* Makes a mapping end at this page and another one go on from there. */
static void split(struct oracle *o, uint32_t process, uint64_t page)
{
	struct mapping *m = mapping_at(o, process, page), *right;

	if (!m || m->start == page)
		return;
	right = ONE_MORE(o, mappings, nr_mappings);
	*right = *m;
	right->pgoff += page - m->start;
	right->start = page;
	m->end = page;
}

void drop_mappings(struct oracle *o, uint32_t process, uint64_t start, uint64_t end)
{
	unsigned int i;

	split(o, process, start);
	split(o, process, end);
	drop_entries(o, process, start, end);
	for (i = 0; i < o->nr_mappings; i++) {
		const struct mapping *m = &o->mappings[i];

		if (m->process == process && m->start >= start && m->end <= end)
			o->mappings[i--] = o->mappings[--o->nr_mappings];
	}
	sweep(o);
}

enum touch touch(struct oracle *o, uint32_t process, uint64_t page, bool write, struct page **found)
{
	const struct mapping *m = mapping_at(o, process, page);
	const struct entry *e = find_entry(o, process, page);
	const struct memory *memory;
	uint64_t pgoff;

	if (!m)
		return UNMAPPED;
	if (write ? !(m->prot & GMEM_PROT_WRITE) : !m->prot)
		return FORBIDDEN;
	if (e && e->poisoned)
		return POISONED;
	memory = &o->memories[m->memory];
	pgoff = m->pgoff + (page - m->start);
	if (memory->kind == GUEST_MEMFD && pgoff >= memory->size / PAGE)
		return NOT_THERE;
	if (memory->kind == GUEST_MEMFD && page_is_private(o, m->memory, pgoff))
		return NOT_THERE;
	*found = find_page(o, m->memory, pgoff);
	if (!*found)
		*found = new_page(o, m->memory, pgoff);
	(*found)->used = true;
	if ((*found)->poisoned)
		return POISONED;
	if (!e)
		*ONE_MORE(o, entries, nr_entries) = (struct entry){ .process = process,
								    .page = page };
	return TOUCHED;
}

/* ---- mmap, munmap, mprotect ---- */

/* In bytes; 0 for what no address space can hold. */
static uint64_t rounded(uint64_t length)
{
	return (length + PAGE - 1) & -PAGE;
}

/* Shareability maps huge pages as a whole; elsewhere a file's pages are not looked at. */
static uint64_t bytes_a_mapping_is_made_of(const struct oracle *o, int memory)
{
	return o->is_shareability && memory != NONE ? PAGE * o->memories[memory].block : PAGE;
}

/*
 * What is refused about the place. The model need not find room in an address space of which a
 * good part was used before: unlike the kernel it never uses an address twice.
 */
static int64_t check_place(const struct oracle *o, const struct gmem_call *c, int memory)
{
	uint64_t length = rounded(c->length), block = bytes_a_mapping_is_made_of(o, memory);

	if (!c->length)
		return -EINVAL;
	if (!length || length > USER_END)
		return -ENOMEM;
	if (block > PAGE && (length % block || (c->flags & GMEM_MAP_FIXED && c->addr % block)))
		return -EINVAL;
	if (c->flags & GMEM_MAP_FIXED) {
		if (c->addr > USER_END - length)
			return -ENOMEM;
		return aligned(c->addr) ? 0 : -EINVAL;
	}
	if (o->models->value == -ENOMEM &&
	    o->processes[process_of(o, c)].ever + length > USER_END / 4)
		return -ENOMEM;
	return 0;
}

/* Where the model put the mapping, if that is a place for it. */
static int64_t place(struct oracle *o, const struct gmem_call *c, int memory, uint64_t length)
{
	uint64_t addr = (uint64_t)o->models->value, end = addr + length;
	uint64_t block = bytes_a_mapping_is_made_of(o, memory);

	if (o->models->value <= 0 || addr % block || end > USER_END ||
	    next_mapping(o, process_of(o, c), addr / PAGE, end / PAGE))
		return PAGE; /* which is not what the model says */
	return (int64_t)addr;
}

static int64_t check_file(const struct oracle *o, const struct gmem_call *c)
{
	uint64_t type = c->flags & 15;

	if (c->offset / PAGE > (INT64_MAX - rounded(c->length)) / PAGE)
		return -EOVERFLOW;
	if (type < GMEM_MAP_SHARED || type > GMEM_MAP_SHARED_VALIDATE)
		return -EINVAL;
	if (o->is_6_8)
		return -ENODEV;
	return c->prot & GMEM_PROT_EXEC ? -EPERM : 0;
}

/* The file is asked last, when what was at a fixed address is gone already. */
static int64_t ask_file(struct oracle *o, const struct gmem_call *c, int memory)
{
	if (!(o->memories[memory].flags & GMEM_FLAG_MMAP))
		return -ENODEV;
	return (c->flags & 15) == GMEM_MAP_PRIVATE ? -EINVAL : 0;
}

static int64_t map(struct oracle *o, const struct gmem_call *c, int memory, uint64_t pgoff)
{
	uint64_t length = rounded(c->length);
	int64_t addr = c->flags & GMEM_MAP_FIXED ? (int64_t)c->addr : place(o, c, memory, length);

	*ONE_MORE(o, mappings,
		  nr_mappings) = (struct mapping){ .process = process_of(o, c),
						   .start = (uint64_t)addr / PAGE,
						   .end = ((uint64_t)addr + length) / PAGE,
						   .prot = c->prot & 7,
						   .memory = memory,
						   .pgoff = pgoff };
	o->processes[process_of(o, c)].ever += length;
	return addr;
}

static int64_t map_anonymous(struct oracle *o, const struct gmem_call *c)
{
	uint64_t type = c->flags & 15, end = c->addr / PAGE + rounded(c->length) / PAGE;
	int64_t err = check_place(o, c, NONE), addr;
	int memory;

	if (err)
		return err;
	if (type != GMEM_MAP_SHARED && type != GMEM_MAP_PRIVATE &&
	    (type != GMEM_MAP_DROPPABLE || o->is_6_8))
		return -EINVAL;
	if (c->flags & GMEM_MAP_FIXED)
		drop_mappings(o, process_of(o, c), c->addr / PAGE, end);
	memory = new_memory(o, type == GMEM_MAP_SHARED ? ANON_SHARED : ANON_PRIVATE, 0, type, NONE);
	addr = map(o, c, memory, 0);
	sweep(o);
	return addr;
}

int64_t oracle_mmap(struct oracle *o, const struct gmem_call *c, struct gmem_result *r)
{
	const struct open *open = find_open(o, c, c->fd);
	uint64_t end = c->addr / PAGE + rounded(c->length) / PAGE;
	int memory;
	int64_t err;

	(void)r;
	if (!aligned(c->offset))
		return -EINVAL;
	if (c->flags & GMEM_MAP_ANONYMOUS)
		return map_anonymous(o, c);
	if (!open)
		return -EBADF;
	memory = open->number;
	err = check_place(o, c, memory);
	if (!err)
		err = check_file(o, c);
	if (err)
		return err;
	if (c->flags & GMEM_MAP_FIXED)
		drop_mappings(o, process_of(o, c), c->addr / PAGE, end);
	err = ask_file(o, c, memory);
	return err ? err : map(o, c, memory, c->offset / PAGE);
}

int64_t oracle_munmap(struct oracle *o, const struct gmem_call *c, struct gmem_result *r)
{
	(void)r;
	if (!aligned(c->addr) || c->addr > USER_END || c->length > USER_END - c->addr || !c->length)
		return -EINVAL;
	drop_mappings(o, process_of(o, c), c->addr / PAGE, (c->addr + rounded(c->length)) / PAGE);
	return 0;
}

int64_t oracle_mprotect(struct oracle *o, const struct gmem_call *c, struct gmem_result *r)
{
	uint64_t page = c->addr / PAGE, end = (c->addr + rounded(c->length)) / PAGE;
	struct mapping *m;

	(void)r;
	if (!aligned(c->addr))
		return -EINVAL;
	if (!c->length)
		return 0;
	if (c->addr + rounded(c->length) <= c->addr)
		return -ENOMEM;
	if (c->prot & ~UINT64_C(0xf)) /* one more than has a name: PROT_SEM */
		return -EINVAL;
	while (page < end && !o->outside) {
		m = mapping_at(o, process_of(o, c), page);
		if (!m)
			return -ENOMEM;
		if ((c->prot & GMEM_PROT_EXEC) && o->memories[m->memory].kind == GUEST_MEMFD)
			return -EACCES;
		split(o, process_of(o, c), page);
		split(o, process_of(o, c), end);
		m = mapping_at(o, process_of(o, c), page);
		m->prot = c->prot & 7;
		page = m->end;
	}
	return 0;
}

/* ---- loads and stores ---- */

static int64_t access(struct oracle *o, const struct gmem_call *c, struct gmem_result *r)
{
	struct page *page[8];
	uint64_t i;

	for (i = 0; i < c->size; i++)
		switch (touch(o, process_of(o, c), (c->addr + i) / PAGE, c->verb == GMEM_STORE,
			      &page[i])) {
		case TOUCHED:
			break;
		case UNMAPPED:
		case FORBIDDEN:
			r->outcome = GMEM_SIGSEGV;
			return 0;
		default:
			r->outcome = GMEM_SIGBUS;
			return 0;
		}
	if (c->verb == GMEM_LOAD)
		return load_bytes(o, c, page, c->addr, r);
	store_bytes(o, c, page, c->addr);
	return 0;
}

int64_t oracle_load(struct oracle *o, const struct gmem_call *c, struct gmem_result *r)
{
	return access(o, c, r);
}

int64_t oracle_store(struct oracle *o, const struct gmem_call *c, struct gmem_result *r)
{
	return access(o, c, r);
}

/* ---- pins ---- */

int64_t oracle_pin(struct oracle *o, const struct gmem_call *c, struct gmem_result *r)
{
	struct page *pages[PAGES];
	uint64_t i, n = c->length / PAGE;
	struct pin *pin;

	(void)r;
	if (!aligned(c->addr) || !aligned(c->length) || c->addr + c->length <= c->addr)
		return -EINVAL;
	if (!fds_are_left(o, c))
		return -EMFILE;
	for (i = 0; i < n && i < PAGES; i++)
		if (touch(o, process_of(o, c), c->addr / PAGE + i, true, &pages[i]) != TOUCHED)
			return -EFAULT;
	o->outside |= n > PAGES;
	pin = ONE_MORE(o, pins, nr_pins);
	pin->npages = n;
	for (i = 0; i < n && !o->outside; i++)
		pin_page(o, (int)(pin - o->pins), i, pages[i]);
	return open_fd(o, c, PIN, (int)(pin - o->pins));
}

int64_t oracle_pin_access(struct oracle *o, const struct gmem_call *c, struct gmem_result *r)
{
	const struct open *open = find_open(o, c, c->fd);
	struct page *pages[8];
	uint64_t bytes, i;

	if (!open)
		return -EBADF;
	bytes = o->pins[open->number].npages * PAGE;
	if (c->offset > bytes || c->size > bytes - c->offset)
		return -EINVAL;
	for (i = 0; i < c->size; i++)
		pages[i] = pinned_page(o, open->number, (c->offset + i) / PAGE);
	if (c->verb == GMEM_PIN_LOAD)
		return load_bytes(o, c, pages, c->offset, r);
	store_bytes(o, c, pages, c->offset);
	return 0;
}
