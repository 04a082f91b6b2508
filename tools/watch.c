/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Collects what a world does in a call; see watch.h.
 *
 * A row reports itself when it is over, after what it told KVM; here it comes first, as a reader
 * expects it. Rows that repeat are one entry with a count, so that a call over a terabyte does
 * not fill the memory.
 */
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "watch.h"

static struct watch_entry *add(struct watch *w)
{
	struct watch_entry *e;

	w->entries = xgrow(w->entries, w->nr_entries, &w->room, sizeof(*w->entries));
	e = &w->entries[w->nr_entries++];
	memset(e, 0, sizeof(*e));
	e->times = 1;
	e->call = w->call;
	return e;
}

static int is_check(const struct gmem_world *world, const struct gmem_step_event *event)
{
	struct gmem_row row;

	return gmem_profile_row(gmem_world_profile(world), event->table, event->row, &row) &&
	       !strcmp(row.kind, "check");
}

static void touch(struct watch *w, const struct gmem_step_event *event)
{
	if (!w->touched || event->passed < 0 || !event->clause)
		return;
	if (event->passed == 0 || !is_check(w->world, event))
		w->touched[event->clause] = 1;
}

static void on_row(void *arg, const struct gmem_step_event *event)
{
	struct watch *w = arg;
	size_t at = w->nr_entries - w->nr_told;
	struct watch_entry e = { WATCH_ROW, .call = w->call, .times = 1, .row = *event };
	struct watch_entry *last = at && !w->nr_told ? &w->entries[at - 1] : NULL;

	touch(w, event);
	if (last && last->kind == WATCH_ROW && last->call == w->call &&
	    !memcmp(&last->row, event, sizeof(*event))) {
		last->times++;
		return;
	}
	add(w);
	memmove(&w->entries[at + 1], &w->entries[at], w->nr_told * sizeof(e));
	w->entries[at] = e;
	w->nr_told = 0;
}

static void on_told(void *arg, const struct gmem_event *event)
{
	struct watch *w = arg;
	struct watch_entry *e = add(w);

	e->kind = WATCH_TOLD;
	e->told = *event;
	w->nr_told++;
}

unsigned int nr_clauses(void)
{
	unsigned int n = 1;

	while (gmem_clause(n))
		n++;
	return n;
}

void watch_begin(struct watch *w, struct gmem_world *world, uint8_t *touched)
{
	memset(w, 0, sizeof(*w));
	w->world = world;
	w->touched = touched;
	gmem_observe(world, on_row, w);
}

void watch_next(struct watch *w, size_t call)
{
	w->nr_entries = 0;
	w->nr_told = 0;
	w->call = call;
}

void watch_turn(void *arg, size_t call)
{
	struct watch *w = arg;

	if (w->call != call)
		w->nr_told = 0;
	w->call = call;
}

void watch_result(struct watch *w, const struct gmem_call *call, const struct gmem_result *r)
{
	w->nr_told = 0;
	if (call->verb == GMEM_CREATE_VM && result_succeeded(r))
		gmem_listen(w->world, call->task, r->value, on_told, w);
}

void watch_end(struct watch *w)
{
	gmem_observe(w->world, NULL, NULL);
	free(w->entries);
	memset(w, 0, sizeof(*w));
}
