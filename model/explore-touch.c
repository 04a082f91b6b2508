/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a step touched: what touch.c says of the functions that its rows name, in the places of
 * the objects that the task's locals named before it or after it.
 */
#include <string.h>

#include "explore.h"
#include "ops.h"
#include "profile.h"
#include "seen.h"

enum kind { NOTHING, PROCESS_KIND, FILE_KIND, INODE_KIND, VM_KIND };

static const uint8_t kind_of_place[NR_PLACES] = {
	[FDS] = PROCESS_KIND,
	[VMAS] = PROCESS_KIND,
	[PTES] = PROCESS_KIND,
	[COPIES] = PROCESS_KIND,
	[FILE_LIFE] = FILE_KIND,
	[BINDINGS] = FILE_KIND,
	[INODE_LIFE] = INODE_KIND,
	[INODE_VMAS] = INODE_KIND,
	[FOLIOS] = INODE_KIND,
	[SHARES] = INODE_KIND,
	[INODE_BYTES] = INODE_KIND,
	[PINS] = INODE_KIND,
	[MEMFD_STATE] = INODE_KIND,
	[HOLDS] = INODE_KIND,
	[MAPPED] = INODE_KIND,
	[VM_LIFE] = VM_KIND,
	[VM_STATE] = VM_KIND,
	[SLOTS] = VM_KIND,
	[SLOT_FILES] = VM_KIND,
	[GFN_ATTRS] = VM_KIND,
	[SPTES] = VM_KIND,
	[INVALIDATION] = VM_KIND,
	[NOTIFIED] = VM_KIND,
	[LOCKS + SLOTS_LOCK] = VM_KIND,
	[LOCKS + SLOTS_ARCH_LOCK] = VM_KIND,
	[LOCKS + SRCU] = VM_KIND,
	[LOCKS + INVALIDATE_LOCK] = INODE_KIND,
	[LOCKS + MMU_LOCK] = VM_KIND,
	[LOCKS + MMAP_LOCK] = PROCESS_KIND,
	[LOCKS + FOLIO_LOCK] = INODE_KIND,
	[LOCKS + I_MMAP_RWSEM] = INODE_KIND,
	[LOCKS + NOTIFIERS] = VM_KIND,
	[LOCKS + INODE_LOCK] = INODE_KIND,
	[LOCKS + RM_LOCK] = INODE_KIND,
	[LOCKS + MEMFILE_SRCU] = INODE_KIND,
};

/*
 * An object that a call makes has another cell in another order, and a cell may have another
 * object: of such kinds every object is taken for every other.
 */
uint32_t gmem_kinds_made_by(const struct gmem_call *c)
{
	switch (c->verb) {
	case GMEM_CREATE_VM:
		return 1u << FILE_KIND | 1u << VM_KIND;
	case GMEM_CREATE_GUEST_MEMFD:
	case GMEM_MEMFD_CREATE:
	case GMEM_MEMFD_RESTRICTED:
		return 1u << FILE_KIND | 1u << INODE_KIND;
	case GMEM_MMAP:
		return c->fd < 0 ? 1u << INODE_KIND : 0;
	case GMEM_PIN:
		return 1u << FILE_KIND;
	case GMEM_FORK:
		return 1u << PROCESS_KIND | 1u << INODE_KIND;
	default:
		return 0;
	}
}

static bool is_same_access(const struct access *a, const struct access *b)
{
	return a->owner == b->owner && a->place == b->place && a->writes == b->writes &&
	       a->start == b->start && a->end == b->end;
}

static void add(const struct explorer *e, struct footprint *f, struct access a)
{
	if (e->fresh >> kind_of_place[a.place] & 1)
		a.owner = 0;
	for (unsigned int i = 0; i < f->n; i++)
		if (is_same_access(&f->list[i], &a))
			return;
	if (f->n < MOST_ACCESSES)
		f->list[f->n++] = a;
	else
		f->all = true;
}

/* ---- owners and pages ---- */

struct pages {
	uint64_t start, end;
};

static void widen(struct pages *p, uint64_t start, uint64_t end)
{
	if (start < p->start)
		p->start = start;
	if (end > p->end)
		p->end = end;
}

static void widen_by(struct pages *p, unsigned int span, const struct gmem_task *t)
{
	switch (span) {
	case AT_START:
		widen(p, t->start, t->end);
		break;
	case AT_WHOLE:
		widen(p, t->whole_start, t->whole_end);
		break;
	case AT_PGOFF:
		widen(p, t->pgoff, t->pgoff + 1);
		break;
	case AT_FOLIO:
		widen(p, t->folio, t->folio + 1);
		break;
	case AT_GFN:
		widen(p, t->gfn, t->gfn + 1);
		break;
	case AT_GFNS:
		widen(p, t->gfn, t->gfn_end);
		break;
	case AT_PAGE:
		widen(p, t->page, t->page + 1);
		break;
	case AT_ZAP:
		widen(p, t->zap, t->zap_end);
		break;
	default:
		widen(p, 0, UINT64_MAX);
		break;
	}
}

static struct pages pages_of(unsigned int span, const struct gmem_task *before,
			     const struct gmem_task *after)
{
	struct pages p = { UINT64_MAX, 0 };

	widen_by(&p, span, before);
	widen_by(&p, span, after);
	return p;
}

static unsigned int owners_of(unsigned int kind, const struct gmem_task *t, uint32_t *owners)
{
	switch (kind) {
	case PROCESS_KIND:
		owners[0] = t->process;
		owners[1] = t->owner;
		return 2;
	case FILE_KIND:
		owners[0] = t->file;
		owners[1] = t->at_file;
		owners[2] = t->fd_file;
		return 3;
	case INODE_KIND:
		owners[0] = t->inode;
		owners[1] = t->folio_of;
		return 2;
	case VM_KIND:
		owners[0] = t->vm;
		owners[1] = t->at_vm;
		return 2;
	default:
		return 0;
	}
}

static const struct pages every_page = { 0, UINT64_MAX };

struct looked {
	const struct explorer *e;
	struct footprint *f;
	const struct gmem_world *w;
	const struct gmem_task *before, *after;
};

/* A huge folio is one thing. */
static void round_pages_out(const struct looked *k, struct access *a)
{
	const struct gmem_inode *inode = CINODE(k->w->b, a->owner);
	uint64_t pages = UINT64_C(1) << inode->order;

	if (!inode->order || a->end == UINT64_MAX)
		return;
	a->start &= ~(pages - 1);
	a->end = (a->end + pages - 1) & ~(pages - 1);
}

static void touch_of_task(const struct looked *k, struct access a, const struct gmem_task *t)
{
	uint32_t owners[3];
	unsigned int n = owners_of(kind_of_place[a.place], t, owners);

	for (unsigned int i = 0; i < n; i++)
		if (owners[i]) {
			struct access of_it = a;

			of_it.owner = owners[i];
			if (kind_of_place[a.place] == INODE_KIND)
				round_pages_out(k, &of_it);
			add(k->e, k->f, of_it);
		}
}

static void touch_place(const struct looked *k, unsigned int place, bool writes, bool any,
			struct pages pages)
{
	struct access a = {
		.place = (uint8_t)place, .writes = writes, .start = pages.start, .end = pages.end
	};

	if (any || kind_of_place[place] == NOTHING) {
		add(k->e, k->f, a);
		return;
	}
	touch_of_task(k, a, k->before);
	touch_of_task(k, a, k->after);
}

static unsigned int span_of(const struct gmem_touch *t, unsigned int place)
{
	switch (place) {
	case BINDINGS:
	case FOLIOS:
	case SHARES:
	case INODE_BYTES:
	case PINS:
	case HOLDS:
	case MAPPED:
		return t->inode_span;
	case GFN_ATTRS:
	case SPTES:
		return t->gfn_span;
	case PTES:
		return t->address_span;
	default:
		return AT_ALL;
	}
}

/*
 * After every row the host's entries are held against what the inode says of their pages. So
 * whoever changes an entry looks at that, and whoever changes that looks at entries.
 */
static void touch_view(const struct looked *k, const struct gmem_touch *t)
{
	bool any = (t->writes & P(PTES)) && t->inode_span == AT_ALL;
	struct pages pages = pages_of(t->inode_span, k->before, k->after);

	if (t->writes & (P(SHARES) | P(FOLIOS)))
		touch_place(k, MAPPED, true, any || (t->any & (P(SHARES) | P(FOLIOS))), pages);
	else if (t->writes & P(PTES))
		touch_place(k, MAPPED, false, any, pages);
}

/*
 * After every row what objects name has to be there. So whoever frees one, whose step's name says
 * so, looks at names; and whoever changes a name looks at what is freed.
 */
static void touch_freed(const struct looked *k, const struct gmem_touch *t, const char *name)
{
	const uint64_t names = P(BINDINGS) | P(SLOT_FILES) | P(SLOTS) | P(FDS) | P(INODE_VMAS) |
			       P(INODE_LIFE) | P(VM_LIFE);

	if (!strncmp(name, "free_", 5) || (t->writes & P(VMAS)))
		touch_place(k, FREED, true, true, every_page);
	else if (t->writes & names)
		touch_place(k, FREED, false, true, every_page);
}

static const struct gmem_touch everything = {
	.name = "free_", .reads = EVERY_PLACE, .writes = EVERY_PLACE, .any = EVERY_PLACE
};

static void touch_by(const struct looked *k, const struct gmem_touch *t, const char *name)
{
	if (!t || !(t->reads | t->writes))
		return;
	for (unsigned int place = 0; place < FREED; place++)
		if ((t->reads | t->writes) & P(place))
			touch_place(k, place, t->writes & P(place), t->any & P(place),
				    pages_of(span_of(t, place), k->before, k->after));
	touch_view(k, t);
	touch_freed(k, t, name);
}

/* ---- rows ---- */

/*
 * Counting is said to be reading, since it can be done in any order; but it changes. References on
 * files are no part of what a world means, and HOLDS is in the task.
 */
#define COUNTED (P(INODE_LIFE) | P(VM_LIFE) | P(NOTIFIED) | P(COPIES))

static const struct gmem_touch *touches_of(const char *name)
{
	const struct gmem_touch *t = name ? gmem_touch_of(name) : NULL;

	return name && !t ? &everything : t;
}

static struct row_touches touches_of_row(const struct gmem_step *s)
{
	struct row_touches r = { .when = touches_of(s->when_name) };

	if (s->check || s->act)
		r.act = touches_of(s->name);
	r.changes = r.act && (r.act->writes || (r.act->reads & COUNTED));
	r.fgets = r.act && (r.act->reads & P(FILE_LIFE));
	return r;
}

static uint32_t count_rows(const struct gmem_step *s)
{
	uint32_t n = 0;

	while (s && s[n].kind != STEP_END)
		n++;
	return s ? n + 1 : 0;
}

bool gmem_rows_begin(struct explorer *e, const struct gmem_profile *p)
{
	for (unsigned int i = 0; i < GMEM_NR_TABLES; i++)
		e->first_row[i + 1] = e->first_row[i] + count_rows(p->tables[i]);
	e->rows = gmem_explore_get(e, NULL, 0, e->first_row[GMEM_NR_TABLES] * sizeof(*e->rows));
	for (unsigned int i = 0; e->rows && i < GMEM_NR_TABLES; i++)
		for (uint32_t k = e->first_row[i]; k < e->first_row[i + 1]; k++)
			e->rows[k] = touches_of_row(&p->tables[i][k - e->first_row[i]]);
	return e->rows;
}

void gmem_rows_end(struct explorer *e)
{
	gmem_explore_get(e, e->rows, e->first_row[GMEM_NR_TABLES] * sizeof(*e->rows), 0);
}

/* ---- steps ---- */

static const struct gmem_step *steps_of(const struct gmem_world *w, unsigned int table)
{
	return w->b->profile->tables[table];
}

void gmem_step_look(struct gmem_world *w, uint32_t task, bool first, struct step *s)
{
	const struct gmem_task *t = TASK(w->b, w->b->tasks[task]);
	const struct gmem_level *l = &t->level[t->depth - 1];

	s->first = first;
	s->table = l->table;
	s->from = l->pc;
	s->row = (uint16_t)(gmem_next_row(w, task) - steps_of(w, l->table));
	s->before = *t;
	memcpy(s->held, OP(w->b, t->op)->held, sizeof(s->held));
}

static void touch_lock(const struct explorer *e, struct footprint *f, unsigned int class,
		       uint32_t owner, bool writes)
{
	add(e, f,
	    (struct access){ .owner = owner,
			     .place = (uint8_t)(LOCKS + class),
			     .writes = writes,
			     .end = UINT64_MAX });
}

static void touch_by_row(const struct looked *k, const struct step *s, const struct gmem_step *row)
{
	const struct gmem_touch *act = gmem_row_touches(k->e, s->table, s->row)->act;
	unsigned int i = s->before.nr_held;

	switch (row->kind) {
	case STEP_LOCK:
		touch_lock(k->e, k->f, row->lock, gmem_lock_owner(&s->before, row->lock),
			   row->mode == WRITE);
		break;
	case STEP_UNLOCK:
		while (i > 0 && s->held[i - 1].class != row->lock)
			i--;
		if (i)
			touch_lock(k->e, k->f, row->lock, s->held[i - 1].owner,
				   s->held[i - 1].mode == WRITE);
		break;
	case STEP_WAIT:
		touch_lock(k->e, k->f, row->lock, gmem_lock_owner(&s->before, row->lock), true);
		touch_by(k, act, row->name);
		if (row->lock == NOTIFIERS)
			touch_place(k, NOTIFIED, false, false, every_page);
		break;
	case STEP_CALL:
	case STEP_END:
		break;
	default:
		touch_by(k, act, row->name);
		break;
	}
}

/* Files that died of it are gone for everybody; those that did not lost one of several. */
static void touch_files(const struct looked *k)
{
	if (k->after->dying != k->before->dying)
		touch_place(k, FILE_LIFE, true, false, every_page);
	else if (k->before->depth && !k->after->depth)
		touch_place(k, FILE_LIFE, false, false, every_page);
}

void gmem_step_touches(const struct explorer *e, const struct step *s, const struct gmem_world *w,
		       uint32_t task, struct footprint *f)
{
	static const struct gmem_task gone;
	const struct gmem_task *after = w->b->tasks[task] ? CTASK(w->b, w->b->tasks[task]) : &gone;
	const struct looked k = { e, f, w, s->first ? after : &s->before, after };
	const struct gmem_step *table = steps_of(w, s->table);

	f->n = 0;
	f->all = false;
	for (unsigned int i = s->from; i <= s->row; i++)
		touch_by(&k, gmem_row_touches(e, s->table, i)->when, table[i].when_name);
	touch_by_row(&k, s, &table[s->row]);
	touch_files(&k);
	if ((!s->first && gmem_looks_at_something(&s->before)) || gmem_looks_at_something(after))
		touch_place(&k, FREED, false, true, every_page);
}
