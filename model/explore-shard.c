/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One of several explorations that share the states among them.
 *
 * Every state that is remembered belongs to one shard, by its hash. Who comes to a state of another
 * shard sends it there, once: as the tasks of the rows that lead to it, which the other repeats.
 * What is sent one after the other mostly begins alike, so the states of the last way stay, and only
 * the rest of the next one is run.
 *
 * A shard goes on as far as it can; then all wait for each other, and take in what they were sent.
 * When nothing was sent by anybody, the search is over. With the reduction all shards begin a search
 * with the same knowledge of what rows touch; what one of them has learned is then sent to all, and
 * all search again. So the last search is one that a single exploration could have made.
 *
 * If there is a lock checker, what each has seen is sent to all as well: a circle can have one
 * order in one shard and the other in another.
 */
#include <string.h>

#include "explore-reduce.h"
#include "lockdep.h"

void gmem_bytes_put(struct explorer *e, struct bytes *b, uint64_t number, unsigned int size)
{
	if (b->n + size > b->room) {
		size_t room = b->room ? 2 * b->room : 256;
		uint8_t *at = gmem_explore_get(e, b->at, b->room, room);

		if (!at)
			return;
		b->at = at;
		b->room = room;
	}
	for (; size; size--, number >>= 8)
		b->at[b->n++] = (uint8_t)number;
}

static void free_bytes(struct explorer *e, struct bytes *b)
{
	gmem_explore_get(e, b->at, b->room, 0);
	*b = (struct bytes){ 0 };
}

/* ---- to others ---- */

/*
 * By what most rows leave as it is, so that few lead to another shard; but not by so little that
 * some shard would have much more than another: the objects, and the first task.
 */
uint32_t gmem_shard_of(const struct explorer *e, const struct node *n)
{
	return (uint32_t)((gmem_mixed(gmem_mixed(n->shared.objects, n->hashes[0]), 2) >> 16) %
			  e->bounds->shards);
}

static uint8_t number_of_task(const struct explorer *e, uint32_t task)
{
	uint8_t t = 0;

	while (e->tasks[t] != task)
		t++;
	return t;
}

/* The tasks of the rows, by number, and then the hash. */
void gmem_shard_send(struct explorer *e, const struct node *n, uint32_t rows)
{
	const struct gmem_exchange *with = e->bounds->exchange;
	struct bytes *b = &e->shard.message;

	b->n = 0;
	for (uint32_t i = 0; i < rows; i++)
		gmem_bytes_put(e, b, number_of_task(e, e->x->schedule[i]), 1);
	gmem_bytes_put(e, b, n->hash, 8);
	if (e->failed)
		return;
	with->send(with->arg, gmem_shard_of(e, n), b->at, b->n);
	e->shard.sent = true;
}

/* ---- from others ---- */

/* How many rows of the two are the same, of those that lead to states that are kept. */
static uint32_t rows_kept(const struct explorer *e, const uint8_t *tasks, uint32_t rows)
{
	const struct bytes *kept = &e->shard.kept;
	uint32_t n = 0;

	while (n < rows && n + 1 < e->nr_kept && tasks[n] == kept->at[n])
		n++;
	return n;
}

static void keep_tasks(struct explorer *e, const uint8_t *tasks, uint32_t rows)
{
	struct bytes *kept = &e->shard.kept;

	kept->n = 0;
	for (uint32_t i = 0; i < rows; i++)
		gmem_bytes_put(e, kept, tasks[i], 1);
}

/* What is sent of locks begins like no list of tasks. */
#define OF_LOCKS UINT8_MAX

static void take_locks(struct explorer *e, const uint8_t *bytes, size_t size)
{
	struct gmem_lockdep *d = e->o->world->lockdep;
	unsigned int before;

	if (!d)
		return;
	before = gmem_lockdep_seen(d);
	e->shard.misused |= !gmem_lockdep_get(d, bytes, size);
	/* All others have that from him; but what was seen here meanwhile they have not. */
	if (e->shard.locks == before)
		e->shard.locks = gmem_lockdep_seen(d);
}

static void take(struct explorer *e, const struct node *root, const uint8_t *bytes, size_t size)
{
	uint32_t rows = (uint32_t)size - 8;
	uint64_t hash = 0;

	if (size && bytes[0] == OF_LOCKS) {
		take_locks(e, bytes + 1, size - 1);
		return;
	}
	if (size <= 8 || rows > e->bounds->depth) {
		e->shard.misused = true;
		return;
	}
	for (unsigned int i = 8; i-- > 0;)
		hash = hash << 8 | bytes[rows + i];
	if (gmem_seen_has(&e->seen, hash))
		return;
	if (e->nr_kept)
		e->nr_kept = rows_kept(e, bytes, rows) + 1;
	if (e->nr_kept > rows)
		e->nr_kept = rows;
	keep_tasks(e, bytes, rows);
	if (!gmem_explore_repeat(e, root, bytes, rows) || !gmem_explore_from(e, hash))
		e->shard.misused = !e->failed && !(e->x->cut & GMEM_CUT_MEMORY);
}

/* ---- turns ---- */

static bool was_stopped(const struct explorer *e)
{
	return e->failed || e->shard.misused ||
	       (e->x->cut & (GMEM_CUT_STATES | GMEM_CUT_MEMORY | GMEM_CUT_TOLD));
}

static bool is_last(uint32_t said)
{
	return said & (GMEM_SAYS_FOUND | GMEM_SAYS_CUT);
}

/* What all have said. There is no turn after one in which somebody said FOUND or CUT. */
static uint32_t end_turn(struct explorer *e, uint32_t says)
{
	const struct gmem_exchange *with = e->bounds->exchange;
	uint32_t said;

	if (e->x->finding != GMEM_FOUND_NOTHING)
		says |= GMEM_SAYS_FOUND;
	else if (was_stopped(e))
		says |= GMEM_SAYS_CUT;
	said = with->turn(with->arg, says) | says;
	e->shard.over = is_last(said);
	if (is_last(said) && !is_last(says))
		e->x->cut |= GMEM_CUT_SHARD;
	return said;
}

/* Nothing begins before all are there: who came too late would find that it is over. */
bool gmem_shard_meet(struct explorer *e)
{
	const struct gmem_bounds *b = e->bounds;

	if (!b->shards || b->follow || b->walks)
		return true;
	end_turn(e, 0);
	return !e->shard.over;
}

/* To all others, if there is something new. */
static void tell_locks(struct explorer *e)
{
	const struct gmem_exchange *with = e->bounds->exchange;
	const struct gmem_lockdep *d = e->o->world->lockdep;
	uint8_t bytes[1 + GMEM_LOCKDEP_BYTES] = { OF_LOCKS };
	size_t size;

	if (!d || gmem_lockdep_seen(d) == e->shard.locks)
		return;
	e->shard.locks = gmem_lockdep_seen(d);
	size = 1 + gmem_lockdep_put(d, bytes + 1);
	for (uint32_t i = 0; i < e->bounds->shards; i++)
		if (i != e->bounds->shard)
			with->send(with->arg, i, bytes, size);
	e->shard.sent |= e->bounds->shards > 1;
}

void gmem_shard_search(struct explorer *e, const struct node *root)
{
	const struct gmem_exchange *with = e->bounds->exchange;
	const void *bytes;
	uint32_t said;
	size_t size;

	if (gmem_shard_of(e, root) == e->bounds->shard)
		gmem_explore_root(e, root);
	for (;;) {
		tell_locks(e);
		said = end_turn(e, e->shard.sent ? GMEM_SAYS_SENT : 0);
		e->shard.sent = false;
		if (e->shard.over || !(said & GMEM_SAYS_SENT))
			break;
		while (!gmem_explore_must_stop(e) && with->receive(with->arg, &bytes, &size))
			take(e, root, bytes, size);
	}
	e->nr_path = e->nr_kept = 0;
}

/* All that is known to this shard, to every one: also to itself, so that all take it in alike. */
static void tell_all(struct explorer *e)
{
	const struct gmem_exchange *with = e->bounds->exchange;
	struct bytes *b = &e->shard.message;

	b->n = 0;
	gmem_points_put(e, b);
	for (uint32_t i = 0; i < e->bounds->shards && !e->failed; i++)
		with->send(with->arg, i, b->at, b->n);
}

bool gmem_shard_learned(struct explorer *e)
{
	const struct gmem_exchange *with = e->bounds->exchange;
	const void *bytes;
	uint32_t said;
	size_t size;

	if (e->shard.over)
		return false;
	said = gmem_reduce_learned(e) ? GMEM_SAYS_SENT : 0;
	if (said)
		tell_all(e);
	said = end_turn(e, said);
	if (e->shard.over || !(said & GMEM_SAYS_SENT))
		return false;
	gmem_points_free(e);
	while (!e->failed && !e->shard.misused && with->receive(with->arg, &bytes, &size))
		e->shard.misused = !gmem_points_take(e, bytes, size) && !e->failed;
	gmem_reduce_learned(e);
	return true;
}

void gmem_shard_end(struct explorer *e)
{
	free_bytes(e, &e->shard.message);
	free_bytes(e, &e->shard.kept);
}
