/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The way back, where every order is gone through: two worlds for all states of the path.
 *
 * A row changes few cells. So a state that others follow has no world of its own, but the cells
 * that were changed since, as they were. Of the two worlds one, the base, is that of the last
 * state that looks for its next ones; rows run in the other, the front, which is like the base but
 * for cells that are noted as dirty. Both stay in the processor's cache, as a world for each state
 * of the path would not.
 *
 * The nodes of the path hand them on: the last one that rows were run from has the base, the one
 * after it has the front, all others have none.
 */
#include <string.h>

#include "explore.h"

#define HEAD UINT64_MAX

/* A cell as it was; or HEAD, and the block's head. */
struct saved {
	uint64_t cell;
	uint64_t was[GMEM_CELL_SIZE / 8];
};

_Static_assert(sizeof(struct gmem_block) <= GMEM_CELL_SIZE, "a head is saved like a cell");

/* ---- what is dirty ---- */

static void note_cell(struct back *k, uint64_t cell)
{
	if (cell < 64 * BACK_WORDS)
		k->dirty[cell / 64] |= UINT64_C(1) << cell % 64;
	else
		k->all_dirty = true;
}

void gmem_back_note(struct explorer *e, const struct node *n)
{
	struct back *k = &e->back;

	k->all_dirty |= !n->undo.known;
	for (unsigned int i = 0; i < sizeof(n->undo.cells) / sizeof(n->undo.cells[0]); i++)
		if (n->undo.cells[i])
			note_cell(k, n->undo.cells[i]);
}

static void forget_dirt(struct back *k)
{
	memset(k->dirty, 0, sizeof(k->dirty));
	k->all_dirty = false;
}

/*
 * The first dirty cell from that one on, or the end. Cell 0 is nobody, but a walk leaves its mark
 * there, too, when it meets a task that has left its process.
 */
static uint32_t next_dirty(const struct back *k, uint32_t cell, uint32_t end)
{
	if (k->all_dirty)
		return cell;
	for (uint32_t i = cell / 64; i < BACK_WORDS; i++) {
		uint64_t bits = k->dirty[i];

		if (i == cell / 64)
			bits &= ~UINT64_C(0) << cell % 64;
		if (bits)
			return 64 * i + (uint32_t)__builtin_ctzll(bits);
	}
	return end;
}

/* ---- copying ---- */

static void copy_head(struct gmem_block *to, const struct gmem_block *from)
{
	uint32_t capacity = to->capacity;

	*to = *from;
	to->capacity = capacity;
}

/* Makes one world like the other, where it is not. */
static bool copy_dirty(struct explorer *e, struct gmem_world *to, const struct gmem_world *from)
{
	const struct back *k = &e->back;
	uint32_t end = from->b->used;

	if (k->all_dirty) {
		if (gmem_world_copy(to, from) != GMEM_DONE || !gmem_reserve(to, e->cells))
			return false;
		return true;
	}
	for (uint32_t i = next_dirty(k, 0, end); i < end; i = next_dirty(k, i + 1, end))
		memcpy(gmem_cell(to->b, i), gmem_ccell(from->b, i), GMEM_CELL_SIZE);
	copy_head(to->b, from->b);
	return true;
}

static void count_worlds(struct explorer *e, const struct gmem_world *w)
{
	uint64_t size = 2 * (sizeof(*w->b) + (uint64_t)w->b->used * GMEM_CELL_SIZE);

	if (size > e->back.counted) {
		gmem_explore_count(e, size - e->back.counted);
		e->back.counted = size;
	}
}

bool gmem_back_copy(struct explorer *e, struct node *to, const struct node *from)
{
	if (!copy_dirty(e, to->w, from->w)) {
		e->failed = true;
		return false;
	}
	if (e->back.all_dirty)
		count_worlds(e, to->w);
	to->w->violated = false;
	forget_dirt(&e->back);
	gmem_node_copy_rest(e, to, from);
	if (e->verify)
		gmem_node_verify_copy(to, from);
	return true;
}

/* ---- forward, and back ---- */

/* Room for so many more. */
static bool make_room(struct explorer *e, uint64_t more)
{
	struct back *k = &e->back;
	size_t room = k->room ? k->room : 256;
	struct saved *s;

	while (room < k->nr_saved + more)
		room *= 2;
	if (room == k->room)
		return true;
	s = gmem_explore_get(e, k->saved, k->room * sizeof(*s), room * sizeof(*s));
	if (!s)
		return false;
	k->saved = s;
	k->room = room;
	return true;
}

static void save(struct back *k, uint64_t cell, const void *was)
{
	struct saved *s = &k->saved[k->nr_saved++];

	s->cell = cell;
	memcpy(s->was, was, sizeof(s->was));
}

/* After the head there is cell 0, so there is enough to copy. */
static bool save_dirty(struct explorer *e, struct gmem_block *b)
{
	struct back *k = &e->back;
	const uint32_t end = b->used;

	if (!make_room(e, k->all_dirty ? end + 1 : 64 * BACK_WORDS + 1))
		return false;
	for (uint32_t i = next_dirty(k, 0, end); i < end; i = next_dirty(k, i + 1, end))
		save(k, i, gmem_ccell(b, i));
	save(k, HEAD, b);
	return true;
}

bool gmem_back_forward(struct explorer *e, struct node *before, struct node *n, struct node *next)
{
	size_t was = e->back.nr_saved;

	if (!save_dirty(e, before->w->b) || !copy_dirty(e, before->w, n->w)) {
		e->failed = true;
		return false;
	}
	forget_dirt(&e->back);
	n->saved = (uint32_t)(e->back.nr_saved - was);
	next->w = n->w;
	n->w = before->w;
	before->w = NULL;
	return true;
}

void gmem_back_back(struct explorer *e, struct node *before, struct node *n, struct node *next)
{
	struct back *k = &e->back;

	before->w = n->w;
	n->w = next->w;
	next->w = NULL;
	for (; n->saved; n->saved--) {
		const struct saved *s = &k->saved[--k->nr_saved];

		if (s->cell == HEAD) {
			copy_head(before->w->b, (const struct gmem_block *)s->was);
			continue;
		}
		memcpy(gmem_cell(before->w->b, (uint32_t)s->cell), s->was, GMEM_CELL_SIZE);
		note_cell(k, s->cell);
	}
}

void gmem_back_end(struct explorer *e)
{
	gmem_explore_get(e, e->back.saved, e->back.room * sizeof(struct saved), 0);
	e->memory -= e->back.counted;
	e->back = (struct back){ 0 };
}
