/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Holds what a row touched (touch-record.c) against what is said of its step, and each condition
 * against what is said of that; see touched.h.
 *
 * A place must be said to be read or written, of an object that the task's locals name before or
 * after the row, unless it is said to be of any; and of pages that they name then, if it is said
 * which.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "ops.h"
#include "profile.h"
#include "touched.h"

#define MOST_SAID 40u /* complaints that are printed */

static unsigned int wrong, said, freed;
static const struct gmem_touch *(*say_of)(const char *name) = gmem_touch_of;
static bool is_quiet;
static char where[256];

/* One row: the world before it, and where the task's locals are then and afterwards. */
static struct judged {
	struct gmem_block *before;
	size_t size;
	const struct gmem_task *then, *now;
	const char *step;
	uint32_t task;
	bool is_first; /* of its call: what the locals say before it is of another one */
} j;
static uint32_t begun; /* tasks whose call has not run a row: a bit each */

static bool is_in_span(const struct touched_need *n, unsigned int at)
{
	return (!j.is_first && touched_is_in(j.before, n, j.then, at)) ||
	       touched_is_in(j.before, n, j.now, at);
}

static bool is_named(uint32_t place, uint32_t owner)
{
	return (!j.is_first && touched_names(j.then, place, owner)) ||
	       touched_names(j.now, place, owner);
}

/* ---- complaints ---- */

/* Each once. */
static bool is_said_already(const struct touched_need *n, const char *why)
{
	static struct {
		const char *step, *why;
		uint32_t place;
	} was[MOST_SAID];

	for (unsigned int i = 0; i < said && i < MOST_SAID; i++)
		if (!strcmp(was[i].step, j.step) && was[i].why == why && was[i].place == n->place)
			return true;
	if (said < MOST_SAID) {
		was[said].step = j.step;
		was[said].why = why;
		was[said].place = n->place;
	}
	return said++ >= MOST_SAID;
}

static void complain(const struct touched_need *n, enum touched_kind kind, const char *why)
{
	wrong++;
	if (is_quiet || is_said_already(n, why))
		return;
	printf("# %s: %s %s %s of a %s, pages %llu to %llu%s: %s\n", where, j.step,
	       n->write ? "writes" : "reads", touched_place_name(n->place), touched_kind_name(kind),
	       (unsigned long long)n->start, (unsigned long long)n->end,
	       n->has_pages ? "" : " (all)", why);
}

static bool is_covered(const struct gmem_touch *t, const struct touched_need *n, const char **why)
{
	unsigned int which = touched_span_of(n->place);
	const uint8_t spans[] = { t->inode_span, t->gfn_span, t->address_span };
	uint64_t bit;

	*why = "is not said";
	if (n->place == LOCALS_NEED)
		return t->writes & (P(HOLDS) | P(NOTIFIED) | P(REGISTRY));
	bit = P(n->place);
	if (!((n->write ? 0 : t->reads) & bit) && !(t->writes & bit))
		return false;
	*why = "is of another object";
	if (!(t->any & bit) && !is_named(n->place, n->owner))
		return false;
	*why = "is of other pages";
	return which == 3 || is_in_span(n, spans[which]);
}

/* For who wants to say less. */
static void note_seen(const struct touched_need *n)
{
	unsigned int which = touched_span_of(n->place);
	uint32_t spans = 0;

	for (unsigned int at = AT_START; which < 3 && at <= AT_ZAP; at++)
		spans |= (uint32_t)is_in_span(n, at) << at;
	touched_saw(j.step, n, is_named(n->place, n->owner), spans);
}

/* Of entries that change it may be said which pages they map: then that must be true. */
static bool are_entries_as_said(const struct gmem_touch *t, const struct touched_need *n)
{
	struct touched a = { .what = TOUCHED_TREE, .start = n->start, .end = n->end };
	struct touched_need also;

	if (n->place != PTES || !n->write || t->inode_span == AT_ALL || n->start >= n->end)
		return true;
	a.cell = n->owner;
	a.offset = offsetof(struct gmem_process, ptes);
	touched_need_of(j.before, j.task, &a, &also);
	return also.place == MAPPED && is_named(MAPPED, also.owner) &&
	       is_in_span(&also, t->inode_span);
}

static void judge(const struct gmem_touch *t, const struct touched_need *n,
		  const struct touched_need *also, enum touched_kind kind)
{
	const char *why;
	bool covered;

	if (n->place == NO_NEED)
		return;
	/* What has been freed is looked at: that is for the invariants to find. */
	if (kind == KIND_NONE) {
		freed++;
		return;
	}
	if (n->place == UNKNOWN_NEED) {
		if (t->writes != EVERY_PLACE)
			complain(n, kind, "is not a field that steps touch");
		return;
	}
	covered = is_covered(t, n, &why);
	note_seen(covered || also->place == NO_NEED || also->place == LOCALS_NEED ? n : also);
	if (also->place != NO_NEED && (also->write && n->write) == covered)
		covered = is_covered(t, also, &why);
	if (covered && !are_entries_as_said(t, n)) {
		why = "is of entries for other pages";
		covered = false;
	}
	if (!covered)
		complain(n, kind, why);
}

/* ---- what is not an access ---- */

/* A memslot that the task is making: nobody else has it, or changes it. */
static bool is_not_visible(const struct touched *a)
{
	const struct gmem_slot *s = CSLOT(j.before, a->cell);
	uint32_t id = (uint32_t)s->as_id << 16 | s->id;

	return a->cell == j.then->new_slot && (!a->write || !s->file) &&
	       gmem_range_get(j.before, CVM(j.before, s->vm)->slots, id) != a->cell;
}

/* What one row, or one condition, did. */
struct row {
	const struct gmem_block *b; /* afterwards */
	const struct touched *list;
	uint32_t n;
};

/* The field that stands for the object's life, as if it were written. */
static struct touched end_of(const struct touched *a)
{
	static const uint16_t life[NR_KINDS] = {
		[KIND_INODE] = offsetof(struct gmem_inode, refs),
		[KIND_FILE] = offsetof(struct gmem_file, refs),
		[KIND_VM] = offsetof(struct gmem_vm, users),
		[KIND_SLOT] = offsetof(struct gmem_slot, flags),
		[KIND_PROCESS] = offsetof(struct gmem_process, vmas),
		[KIND_VMA] = offsetof(struct gmem_vma, start),
		[KIND_PIN] = offsetof(struct gmem_pin, next),
	};

	return (struct touched){ .what = TOUCHED_FIELD,
				 .write = true,
				 .cell = a->cell,
				 .offset = life[touched_kind_of(j.before, a->cell)] };
}

static uint32_t word_at(const struct gmem_block *b, const struct touched *a)
{
	return *(const uint32_t *)(const void *)((const char *)gmem_ccell(b, a->cell) + a->offset);
}

/*
 * To count a reference is to READ that an object lives; what is WRITE is to take away the last, or
 * one that the call did not bring itself. A file that dies of it is seen by whoever asks.
 */
static bool only_counts(const struct gmem_block *b, const struct touched *a)
{
	switch (touched_kind_of(j.before, a->cell)) {
	case KIND_FILE:
		return a->offset == offsetof(struct gmem_file, refs) &&
		       (word_at(b, a) || j.then->dying != j.now->dying);
	case KIND_INODE:
		return a->offset == offsetof(struct gmem_inode, refs) &&
		       word_at(b, a) >= word_at(j.before, a);
	case KIND_VM:
		return (a->offset == offsetof(struct gmem_vm, users) &&
			word_at(b, a) >= word_at(j.before, a)) ||
		       a->offset == offsetof(struct gmem_vm, notifiers);
	case KIND_VMA: /* that private memory is written to */
		return a->offset == offsetof(struct gmem_vma, written) && word_at(b, a);
	default:
		return false;
	}
}

/* Whoever asks whether there are any says WRITE. */
static bool asks_for_any(const struct touched *a)
{
	enum touched_kind kind = touched_kind_of(j.before, a->cell);

	return (kind == KIND_VM && a->offset == offsetof(struct gmem_vm, notifiers)) ||
	       (kind == KIND_VMA && a->offset == offsetof(struct gmem_vma, written));
}

/* Whether the row does that to the same field or tree, or cell, too. */
static bool is_done(const struct row *r, const struct touched *a, enum touched_what what,
		    bool write)
{
	for (uint32_t i = 0; i < r->n; i++)
		if (r->list[i].what == what && r->list[i].cell == a->cell &&
		    (what == TOUCHED_FREED ||
		     (r->list[i].offset == a->offset && r->list[i].write == write)))
			return true;
	return false;
}

static struct touched_need need_of(const struct row *r, const struct touched *a,
				   struct touched_need *also)
{
	struct touched end = *a;
	struct touched_need n;

	/* The inode goes, and all that it has with it. */
	if (a->what == TOUCHED_FREED || (touched_kind_of(j.before, a->cell) == KIND_INODE &&
					 is_done(r, a, TOUCHED_FREED, true)))
		end = end_of(a);
	n = touched_need_of(j.before, j.task, &end, also);
	if (end.what != TOUCHED_FIELD)
		return n;
	if (end.write)
		n.write &= a->what != TOUCHED_FIELD || !only_counts(r->b, a);
	else
		n.write |= asks_for_any(a) && !is_done(r, a, TOUCHED_FIELD, true);
	return n;
}

/* ---- one row ---- */

/* What is only known while the row runs, or concerns nobody else. */
static bool is_its_own(const struct row *r, const struct touched *a, const uint8_t *born)
{
	enum touched_kind kind = touched_kind_of(j.before, a->cell);

	if (a->cell != NO_CELL && (born[a->cell] || a->cell == j.task || kind == KIND_OP))
		return true;
	if (kind == KIND_SLOT && a->what != TOUCHED_FREED && is_not_visible(a))
		return true;
	/* A root is read so that the tree can be looked at, and then it is that which counts. */
	return (a->what == TOUCHED_TREE && a->start >= a->end) ||
	       (a->what == TOUCHED_FIELD && !a->write && touched_is_root(kind, a->offset) &&
		(is_done(r, a, TOUCHED_TREE, false) || is_done(r, a, TOUCHED_TREE, true)));
}

static void judge_all(const struct row *r, const struct gmem_touch *t, const struct row *but)
{
	static uint8_t *born;

	born = xrealloc(born, r->b->capacity, 1);
	memset(born, 0, r->b->capacity);
	for (uint32_t i = 0; i < r->n; i++) {
		const struct touched *a = &r->list[i];
		struct touched_need need, also;
		uint32_t k = 0;

		if (a->what == TOUCHED_BORN)
			born[a->cell] = 1;
		if (is_its_own(r, a, born))
			continue;
		/* What its conditions looked at is theirs. */
		while (k < but->n && memcmp(&but->list[k], a, sizeof(*a)))
			k++;
		need = need_of(r, a, &also);
		if (k == but->n)
			judge(t, &need, &also, touched_kind_of(j.before, a->cell));
	}
}

static void judge_place(const struct gmem_touch *t, uint32_t place, uint32_t owner, bool write,
			uint64_t page)
{
	const struct touched_need none = { .place = NO_NEED };
	const struct touched_need n = { .place = place,
					.owner = owner,
					.write = write,
					.has_pages = place == HOLDS,
					.start = page,
					.end = page + 1 };

	if (owner)
		judge(t, &n, &none, touched_kind_of(j.before, owner));
}

/* Who takes away what holds a file takes a reference that others count on. */
static void judge_files(const struct gmem_touch *t, const struct touched *list, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct touched *a = &list[i];
		enum touched_kind kind = touched_kind_of(j.before, a->cell);

		if (a->what == TOUCHED_FREED && kind == KIND_VMA)
			judge_place(t, FILE_LIFE, CVMA(j.before, a->cell)->file, true, 0);
		if (a->what == TOUCHED_TREE && a->is_zero && kind == KIND_PROCESS &&
		    a->offset == offsetof(struct gmem_process, fds))
			judge_place(t, FILE_LIFE,
				    gmem_range_get(j.before, CPROCESS(j.before, a->cell)->fds,
						   a->start),
				    true, 0);
	}
}

/* Locals that other tasks look at: a page that is held, and which VM is being told. */
static void judge_locals(const struct gmem_touch *t)
{
	if (j.then->folio_of != j.now->folio_of || j.then->folio != j.now->folio) {
		judge_place(t, HOLDS, j.then->folio_of, false, j.then->folio);
		judge_place(t, HOLDS, j.now->folio_of, false, j.now->folio);
	}
	/* A VM is not made meanwhile. */
	if (!touched_tells(j.then) && touched_tells(j.now))
		judge_place(t, REGISTRY, j.task, false, 0);
	if (j.then->at_vm != j.now->at_vm && (touched_tells(j.then) || touched_tells(j.now))) {
		judge_place(t, NOTIFIED, j.then->at_vm, false, 0);
		judge_place(t, NOTIFIED, j.now->at_vm, false, 0);
	}
}

static void judge_step(const struct gmem_world *w, const char *name, const struct touched *list,
		       uint32_t n, const struct touched *but, uint32_t nr_but)
{
	const struct gmem_touch *t = say_of(name);

	j.step = name;
	touched_ran(name);
	if (!t || !list) {
		wrong++;
		printf("# %s: %s\n", name, list ? "nothing is said of it" : "cannot be followed");
		return;
	}
	judge_all(&(struct row){ w->b, list, n }, t, &(struct row){ w->b, but, nr_but });
	judge_files(t, list, n);
	judge_locals(t);
}

static void look_before(const struct gmem_world *w, uint32_t task)
{
	size_t size = sizeof(*w->b) + (size_t)w->b->used * GMEM_CELL_SIZE;

	if (j.size < size)
		j.before = xrealloc(j.before, j.size = 2 * size, 1);
	memcpy(j.before, w->b, size);
	touched_look(w->b);
	j.task = w->b->tasks[task];
	j.then = CTASK(j.before, j.task);
	j.is_first = begun >> task & 1;
}

static struct gmem_run run_of(struct gmem_world *w)
{
	struct gmem_task *t = TASK(w->b, j.task);

	return (struct gmem_run){ .w = w,
				  .b = w->b,
				  .t = t,
				  .c = &OP(w->b, t->op)->call,
				  .res = &OP(w->b, t->op)->result };
}

/* Asks a condition, and judges what it looks at; which is added to but. */
static bool ask(struct gmem_world *w, uint32_t task, const struct gmem_step *s, struct touched *but,
		uint32_t *nr_but)
{
	struct gmem_run run = run_of(w);
	const struct touched *list;
	uint32_t n;
	bool is;

	touched_record(w, task);
	is = s->when(&run);
	list = touched_stop(&n);
	j.now = run.t;
	judge_step(w, s->when_name, list, n, NULL, 0);
	if (*nr_but + n <= MOST_TOUCHED)
		memcpy(but + *nr_but, list, n * sizeof(*list));
	*nr_but += *nr_but + n <= MOST_TOUCHED ? n : 0;
	return is;
}

/* The row that will run; the locals are again what they were. */
static const struct gmem_step *next_row(struct gmem_world *w, uint32_t task, struct touched *but,
					uint32_t *nr_but)
{
	struct gmem_task *t = TASK(w->b, j.task);
	const struct gmem_level *l = &t->level[t->depth - 1];
	const struct gmem_step *s = &w->b->profile->tables[l->table][l->pc];

	while (s->kind != STEP_END && s->when && !ask(w, task, s, but, nr_but))
		s++;
	memcpy(t, j.then, sizeof(*t));
	return s;
}

static bool has_function(const struct gmem_step *s)
{
	return s->check || s->act;
}

enum gmem_status touched_begin(struct gmem_world *w, const struct gmem_call *c)
{
	enum gmem_status status = gmem_begin(w, c);

	if (status == GMEM_DONE)
		begun |= UINT32_C(1) << c->task;
	return status;
}

enum gmem_status touched_step(struct gmem_world *w, uint32_t task, enum gmem_progress *progress,
			      struct gmem_result *r)
{
	static struct touched but[MOST_TOUCHED];
	const struct touched *list;
	const struct gmem_step *s;
	enum gmem_status status;
	uint32_t n, nr_but = 0;

	look_before(w, task);
	s = next_row(w, task, but, &nr_but);
	touched_record(w, task);
	status = gmem_step(w, task, progress, r);
	list = touched_stop(&n);
	j.now = w->b->tasks[task] ? CTASK(w->b, j.task) : j.then;
	if (*progress != GMEM_WAITS)
		begun &= ~(UINT32_C(1) << task);
	if (s->kind != STEP_END && has_function(s))
		judge_step(w, s->name, list, n, but, nr_but);
	return status;
}

unsigned int touched_wrong(void)
{
	return wrong;
}

unsigned int touched_freed(void)
{
	return freed;
}

unsigned int touched_forget(unsigned int to)
{
	unsigned int more = wrong - to;

	wrong = to;
	return more;
}

void touched_hold_against(const struct gmem_touch *(*say)(const char *name))
{
	say_of = say;
	is_quiet = say != gmem_touch_of;
}

void touched_in(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(where, sizeof(where), format, args);
	va_end(args);
}
