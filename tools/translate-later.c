/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a design can do only later than the trace does: a file is made when there is a VM to make it
 * for, and a range is converted when a memslot has it. Until then its calls wait; then they
 * follow the call that they have waited for. See translate.c.
 */
#include <stdlib.h>

#include "common.h"
#include "mounted.h"
#include "translate-parts.h"

#define HOLE (GMEM_FALLOC_KEEP_SIZE | GMEM_FALLOC_PUNCH_HOLE)

int may_succeed(const struct trace *t, size_t n)
{
	const struct trace_call *c = &t->calls[n];
	unsigned int i;

	for (i = 0; i < c->nr_demands; i++) {
		const struct trace_demand *d = &t->demands[c->demands + i];

		if (d->outcome == GMEM_VALUE && (!(d->fields & TRACE_WITH_VALUE) || d->value >= 0))
			return 1;
	}
	return !c->nr_demands;
}

/* ---- for a VM ---- */

static void note_wait(struct translator *x, size_t n, int32_t vm, struct told *told)
{
	told->how = TOLD_LATER;
	x->waits[n] = vm + 1;
	say(told, "when there is %s", x->from->calls[vm].name);
}

void wait_for_vm(struct translator *x, size_t n, int32_t vm, struct told *told)
{
	note_wait(x, n, vm, told);
}

/* Without a file nothing else can be said of it, but what its pages will be. */
static int can_wait(const struct translator *x, size_t n)
{
	const struct gmem_call *c = &x->from->calls[n].linked.call;

	return may_succeed(x->from, n) &&
	       (c->verb == GMEM_DUP ||
		(c->verb == GMEM_FALLOCATE &&
		 (!c->mode || c->mode == GMEM_FALLOC_KEEP_SIZE || c->mode == HOLE)));
}

int waits_with_its_file(struct translator *x, size_t n, struct told *told)
{
	const struct linked_call *l = &x->from->calls[n].linked;
	int32_t file = file_of(x, l->fd_from), vm = file < 0 ? 0 : x->waits[file];

	if (!vm)
		return 0;
	if (l->call.verb == GMEM_FTRUNCATE && sizes_it(x, file) == n) {
		told->how = TOLD_LATER;
		say(told, "it will have its size");
	} else if (l->call.verb == GMEM_FCNTL && l->call.cmd == GMEM_F_ADD_SEALS) {
		told->how = TOLD_LATER;
		say(told, "it will be out of reach");
	} else if (can_wait(x, n)) {
		note_wait(x, n, vm - 1, told);
	} else {
		told->how = TOLD_NOT_ASKED;
		say(told, "there is no %s yet", x->from->calls[l->fd_from].name);
	}
	return 1;
}

/* What calls of the translation resulted in, up to the last: while it is made, and when that is over. */
static void suppose(struct translator *x, uint32_t first, int64_t value)
{
	size_t i;

	for (i = first; i < x->t.nr_calls; i++)
		x->results[i] = (struct gmem_result){ .outcome = GMEM_VALUE, .value = value };
}

void tell_what_waited(struct translator *x, size_t n, struct told *told)
{
	const int32_t vm = (int32_t)n + 1;
	struct told part;
	size_t i;

	suppose(x, told->first, 0);
	for (i = 0; i < n; i++) {
		if (x->waits[i] != vm)
			continue;
		x->waits[i] = 0;
		translate(x, i, &part);
		free(part.note);
		told->nr += part.nr;
		told->how = TOLD_BY_OTHERS;
		suppose(x, told->first, 0);
	}
	suppose(x, told->first, NOT_MADE);
}

/* ---- for a memslot ---- */

/* 1 if a memslot that comes will have a part of the range. */
static int will_be_bound(const struct translator *x, size_t n, const struct told_wanted *w)
{
	uint64_t start, size;

	while (++n < x->from->nr_calls) {
		const struct linked_call *l = &x->from->calls[n].linked;

		if (l->call.verb == GMEM_SET_USER_MEMORY_REGION2 && l->call.size &&
		    may_succeed(x->from, n) && file_of(x, l->memfd_from) >= 0 &&
		    (root_of(x, l->fd_from) == w->root ?
			     ranges_overlap(w->start, w->size, l->call.gpa, l->call.size, &start,
					    &size) :
			     root_of(x, l->memfd_from) == w->root &&
				     ranges_overlap(w->start, w->size, l->call.offset, l->call.size,
						    &start, &size)))
			return 1;
	}
	return 0;
}

int wait_for_slot(struct translator *x, size_t n, const struct translate_row *row, int32_t root,
		  int by_file)
{
	const struct gmem_call *c = &x->from->calls[n].linked.call;
	const struct told_wanted w = { .root = root,
				       .call = (uint32_t)n,
				       .verb = row->verb,
				       .word = row->word,
				       .start = by_file ? c->offset : c->gpa,
				       .size = c->size };

	if (root < 0 || (w.start | w.size) % GMEM_PAGE_SIZE || w.start + w.size <= w.start ||
	    !may_succeed(x->from, n) || !will_be_bound(x, n, &w))
		return 0;
	x->wanted = xgrow(x->wanted, x->nr_wanted, &x->room_wanted, sizeof(*x->wanted));
	x->wanted[x->nr_wanted++] = w;
	return 1;
}

void tell_what_is_wanted(struct translator *x, size_t n, struct told *told)
{
	const struct linked_call *l = &x->from->calls[n].linked;
	int32_t file = file_of(x, l->memfd_from), vm = root_of(x, l->fd_from);
	uint32_t main = told->main;
	uint64_t start, size;
	size_t i;

	for (i = 0; i < x->nr_wanted && l->call.size && file >= 0; i++) {
		const struct told_wanted *w = &x->wanted[i];

		const struct translate_row row = { .verb = w->verb, .word = w->word };

		if (!is_converted(x, file, w->root == file))
			continue;
		if (w->root == file &&
		    ranges_overlap(w->start, w->size, l->call.offset, l->call.size, &start, &size))
			add_conversion(x, w->call, &row, l->fd_from,
				       l->call.gpa + (start - l->call.offset), size, told);
		else if (w->root == vm && ranges_overlap(w->start, w->size, l->call.gpa,
							 l->call.size, &start, &size))
			add_conversion(x, w->call, &row, l->memfd_from,
				       l->call.offset + (start - l->call.gpa), size, told);
		else
			continue;
		told->how = TOLD_BY_OTHERS;
	}
	told->main = main;
}
