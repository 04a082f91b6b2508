/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * States that were met, by their hashes: open addressing, and twice the room when half is taken.
 * The lowest bit of what is kept says whether the state is on the path.
 */
#include <string.h>

#include "explore.h"

static uint64_t *place_of(const struct seen *s, uint64_t hash)
{
	uint64_t i = hash >> 1;

	while (s->table[i & (s->room - 1)] && (s->table[i & (s->room - 1)] ^ hash) > 1)
		i++;
	return &s->table[i & (s->room - 1)];
}

/* 0 is an empty place, and the lowest bit is not part of a hash. */
static uint64_t as_kept(uint64_t hash)
{
	return hash < 2 ? 2 : hash & ~UINT64_C(1);
}

static bool grow(struct explorer *e, struct seen *s)
{
	struct seen new = { .n = s->n, .room = s->room ? 2 * s->room : 1u << 12 };

	new.table = gmem_explore_get(e, NULL, 0, new.room * sizeof(*new.table));
	if (!new.table)
		return false;
	memset(new.table, 0, new.room * sizeof(*new.table));
	for (uint64_t i = 0; i < s->room; i++)
		if (s->table[i])
			*place_of(&new, s->table[i]) = s->table[i];
	gmem_seen_free(e, s);
	*s = new;
	return true;
}

/* Whether twice the room is more than may be had, beside what is there until that is moved. */
static bool is_too_much(struct explorer *e, const struct seen *s)
{
	uint64_t more = 2 * s->room * sizeof(*s->table);

	if (!e->bounds->memory || e->memory + more <= e->bounds->memory)
		return false;
	e->x->cut |= GMEM_CUT_MEMORY;
	return true;
}

enum met gmem_seen_meet(struct explorer *e, struct seen *s, uint64_t hash)
{
	uint64_t *place;

	hash = as_kept(hash);
	if (2 * s->n >= s->room && (is_too_much(e, s) || !grow(e, s)))
		return SEEN;
	place = place_of(s, hash);
	if (*place)
		return *place & 1 ? ON_PATH : SEEN;
	*place = hash | 1;
	s->n++;
	return NEW;
}

void gmem_seen_fetch(const struct seen *s, uint64_t hash)
{
	if (s->room)
		__builtin_prefetch(&s->table[as_kept(hash) >> 1 & (s->room - 1)]);
}

bool gmem_seen_has(const struct seen *s, uint64_t hash)
{
	return s->room && *place_of(s, as_kept(hash));
}

void gmem_seen_leave(struct seen *s, uint64_t hash)
{
	*place_of(s, as_kept(hash)) &= ~UINT64_C(1);
}

void gmem_seen_free(struct explorer *e, struct seen *s)
{
	gmem_explore_get(e, s->table, s->room * sizeof(*s->table), 0);
	*s = (struct seen){ 0 };
}
