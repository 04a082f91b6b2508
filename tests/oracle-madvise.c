/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The oracle on madvise(); see oracle.h.
 */
#include "oracle-state.h"

static bool is_populate(const struct gmem_call *c)
{
	return c->advice == GMEM_MADV_POPULATE_READ || c->advice == GMEM_MADV_POPULATE_WRITE;
}

static bool is_known(const struct gmem_call *c)
{
	switch (c->advice) {
	case GMEM_MADV_NORMAL:
	case GMEM_MADV_DONTNEED:
	case GMEM_MADV_REMOVE:
	case GMEM_MADV_HUGEPAGE:
	case GMEM_MADV_NOHUGEPAGE:
	case GMEM_MADV_COLLAPSE:
		return true;
	default:
		return is_populate(c);
	}
}

static int64_t populate(struct oracle *o, const struct gmem_call *c, uint64_t start, uint64_t end)
{
	bool write = c->advice == GMEM_MADV_POPULATE_WRITE;
	const struct mapping *m;
	struct page *found;
	uint64_t page;

	for (page = start; page < end && !o->outside; page++) {
		m = mapping_at(o, process_of(o, c), page);
		if (!m)
			return -ENOMEM;
		if (!(m->prot & (write ? GMEM_PROT_WRITE : GMEM_PROT_READ)))
			return -EINVAL;
		switch (touch(o, process_of(o, c), page, write, &found)) {
		case TOUCHED:
			break;
		case POISONED:
			return -EHWPOISON;
		default:
			return -EFAULT;
		}
	}
	return 0;
}

static int64_t advise_page_range(struct oracle *o, const struct gmem_call *c,
				 const struct mapping *m, uint64_t start, uint64_t end)
{
	bool private = o->memories[m->memory].kind == ANON_PRIVATE;
	uint64_t pgoff = m->pgoff + (start - m->start), pgoff_end = pgoff + (end - start);

	switch (c->advice) {
	case GMEM_MADV_DONTNEED:
		drop_entries(o, process_of(o, c), start, end);
		if (private)
			drop_pages(o, m->memory, pgoff, pgoff_end);
		return 0;
	case GMEM_MADV_REMOVE:
		if (private)
			return -EINVAL;
		return punch(o, m->memory, pgoff, pgoff_end);
	case GMEM_MADV_COLLAPSE:
		return -EINVAL;
	default:
		return 0;
	}
}

/* Of mappings that go on where another one ends, in the address and in the file, Linux makes one. */
static uint64_t end_of(struct oracle *o, const struct mapping *m)
{
	const struct mapping *next = mapping_at(o, m->process, m->end);

	if (next && next->memory == m->memory && next->prot == m->prot &&
	    next->pgoff == m->pgoff + (m->end - m->start))
		return end_of(o, next);
	return m->end;
}

/* Mapping by mapping; a hole is told at the end. */
static int64_t advise(struct oracle *o, const struct gmem_call *c, uint64_t start, uint64_t end)
{
	bool hole = false;

	while (start < end) {
		const struct mapping *m = mapping_at(o, process_of(o, c), start), *next = NULL;
		unsigned int i;
		uint64_t to = end;
		int64_t err = 0;

		for (i = 0; i < o->nr_mappings && !m; i++) {
			next = &o->mappings[i];
			if (next->process == process_of(o, c) && next->start > start &&
			    next->start < to)
				to = next->start;
		}
		hole |= !m;
		if (m && end_of(o, m) < to)
			to = end_of(o, m);
		if (m)
			err = advise_page_range(o, c, m, start, to);
		if (err)
			return err;
		start = to;
	}
	return hole ? -ENOMEM : 0;
}

int64_t oracle_madvise(struct oracle *o, const struct gmem_call *c, struct gmem_result *r)
{
	uint64_t length = (c->length + PAGE - 1) & -PAGE, end = (c->addr + length) / PAGE;

	(void)r;
	if (!is_known(c))
		return -EINVAL;
	if (!aligned(c->addr))
		return -EINVAL;
	if ((c->length && !length) || wraps(c->addr, length))
		return -EINVAL;
	if (!length)
		return 0;
	return is_populate(c) ? populate(o, c, c->addr / PAGE, end) :
				advise(o, c, c->addr / PAGE, end);
}
