/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which objects and which pages a task's locals name (touched.h): as model/touch.h has it.
 */
#include "ranges.h"
#include "step.h"
#include "touched.h"

bool touched_names(const struct gmem_task *t, uint32_t place, uint32_t owner)
{
	switch (place) {
	case FDS:
	case VMAS:
	case PTES:
	case COPIES:
		return owner == t->process || owner == t->owner;
	case FILE_LIFE:
	case BINDINGS:
		return owner == t->file || owner == t->at_file || owner == t->fd_file;
	case INODE_LIFE:
	case INODE_VMAS:
	case FOLIOS:
	case SHARES:
	case INODE_BYTES:
	case PINS:
	case MAPPED:
	case MEMFD_STATE:
	case HOLDS:
		return owner == t->inode || owner == t->folio_of;
	case REGISTRY:
	case TASKS:
		return true;
	default:
		return owner == t->vm || owner == t->at_vm;
	}
}

unsigned int touched_span_of(uint32_t place)
{
	switch (place) {
	case BINDINGS:
	case FOLIOS:
	case SHARES:
	case INODE_BYTES:
	case PINS:
	case MAPPED:
	case HOLDS:
		return 0;
	case GFN_ATTRS:
	case SPTES:
		return 1;
	case PTES:
		return 2;
	default:
		return 3;
	}
}

static struct gmem_range span(const struct gmem_task *t, unsigned int at)
{
	switch (at) {
	case AT_START:
		return (struct gmem_range){ t->start, t->end, 0 };
	case AT_WHOLE:
		return (struct gmem_range){ t->whole_start, t->whole_end, 0 };
	case AT_PGOFF:
		return (struct gmem_range){ t->pgoff, t->pgoff + 1, 0 };
	case AT_FOLIO:
		return (struct gmem_range){ t->folio, t->folio + 1, 0 };
	case AT_GFN:
		return (struct gmem_range){ t->gfn, t->gfn + 1, 0 };
	case AT_GFNS:
		return (struct gmem_range){ t->gfn, t->gfn_end, 0 };
	case AT_PAGE:
		return (struct gmem_range){ t->page, t->page + 1, 0 };
	case AT_ZAP:
		return (struct gmem_range){ t->zap, t->zap_end, 0 };
	default:
		return (struct gmem_range){ 0, UINT64_MAX, 0 };
	}
}

static uint32_t order_of(const struct gmem_block *b, const struct touched_need *n)
{
	uint32_t inode = n->owner;

	if (touched_span_of(n->place))
		return 0;
	if (n->place == BINDINGS)
		inode = CFILE(b, n->owner)->inode;
	return inode ? CINODE(b, inode)->order : 0;
}

/* In a file of huge pages whole ones are meant. */
bool touched_is_in(const struct gmem_block *b, const struct touched_need *n,
		   const struct gmem_task *t, unsigned int at)
{
	struct gmem_range r = span(t, at);
	uint64_t mask = (UINT64_C(1) << order_of(b, n)) - 1;

	if (!n->has_pages || n->start >= n->end)
		return true;
	r.start &= ~mask;
	r.end = r.end > UINT64_MAX - mask ? UINT64_MAX : (r.end + mask) & ~mask;
	return n->start >= r.start && n->end <= r.end;
}

bool touched_tells(const struct gmem_task *t)
{
	for (unsigned int i = 0; i < t->depth; i++)
		if (t->level[i].table == T_ZAP || t->level[i].table == T_NOTIFY)
			return true;
	return false;
}
