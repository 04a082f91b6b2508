/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Shards of one exploration as threads; see shards.h. What is sent in one turn is in one list,
 * what is taken in from the turn before in the other.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shards.h"

struct message {
	struct message *next;
	size_t size;
	uint8_t bytes[];
};

struct list {
	struct message *first, **last;
};

struct meeting {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	const struct gmem_overlap *o;
	const struct gmem_bounds *bounds;
	struct list lists[2][MOST_SHARDS][MOST_SHARDS]; /* by turn, to and from */
	uint32_t turn, there, says, said;
	int over;
};

struct shard_thread {
	struct meeting *m;
	uint32_t shard, turn, from;
	struct message *taken;
	struct gmem_explored x;
	enum gmem_status status;
	pthread_t thread;
};

static void send_message(void *arg, uint32_t to, const void *bytes, size_t size)
{
	struct shard_thread *t = arg;
	struct list *l = &t->m->lists[t->turn & 1][to][t->shard];
	struct message *new = malloc(sizeof(*new) + size);

	if (!new)
		abort();
	new->next = NULL;
	new->size = size;
	memcpy(new->bytes, bytes, size);
	if (!l->first)
		l->last = &l->first;
	*l->last = new;
	l->last = &new->next;
}

static void drop_taken(struct shard_thread *t)
{
	free(t->taken);
	t->taken = NULL;
}

static int receive_message(void *arg, const void **bytes, size_t *size)
{
	struct shard_thread *t = arg;

	drop_taken(t);
	for (; t->from < t->m->bounds->shards; t->from++) {
		struct list *l = &t->m->lists[(t->turn - 1) & 1][t->shard][t->from];

		if (!l->first)
			continue;
		t->taken = l->first;
		l->first = l->first->next;
		if (!l->first)
			l->last = &l->first;
		*bytes = t->taken->bytes;
		*size = t->taken->size;
		return 1;
	}
	return 0;
}

static uint32_t end_turn(void *arg, uint32_t says)
{
	struct shard_thread *t = arg;
	struct meeting *m = t->m;
	uint32_t said, turn;

	drop_taken(t);
	pthread_mutex_lock(&m->mutex);
	turn = m->turn;
	m->says |= says;
	m->over |= (says & (GMEM_SAYS_FOUND | GMEM_SAYS_CUT)) != 0;
	if (++m->there == m->bounds->shards) {
		m->said = m->says;
		m->says = m->there = 0;
		m->turn++;
	}
	pthread_cond_broadcast(&m->changed);
	while (m->turn == turn && !m->over)
		pthread_cond_wait(&m->changed, &m->mutex);
	said = m->turn == turn ? GMEM_SAYS_FOUND : m->said;
	pthread_mutex_unlock(&m->mutex);
	t->turn++;
	t->from = 0;
	return said;
}

static int end_one_by_one(void *arg, const struct gmem_world *w, const struct gmem_result *results)
{
	struct meeting *m = arg;
	int right;

	pthread_mutex_lock(&m->mutex);
	right = m->o->end(m->o->arg, w, results);
	pthread_mutex_unlock(&m->mutex);
	return right;
}

static struct gmem_call call_of_it(void *arg, uint32_t n, const struct gmem_result *results)
{
	const struct meeting *m = arg;

	return m->o->call(m->o->arg, n, results);
}

static int accepts_it(void *arg, uint32_t n, const struct gmem_result *r)
{
	const struct meeting *m = arg;

	return m->o->accepts(m->o->arg, n, r);
}

static void *run(void *arg)
{
	struct shard_thread *t = arg;
	struct gmem_overlap o = *t->m->o;
	struct gmem_bounds bounds = *t->m->bounds;
	const struct gmem_exchange exchange = { send_message, end_turn, receive_message, t };

	o.call = call_of_it;
	o.accepts = o.accepts ? accepts_it : NULL;
	o.end = o.end ? end_one_by_one : NULL;
	o.arg = t->m;
	bounds.shard = t->shard;
	bounds.exchange = &exchange;
	t->x.schedule = calloc(bounds.depth, sizeof(*t->x.schedule));
	if (t->x.schedule)
		t->status = gmem_explore(&o, &bounds, &t->x);
	free(t->x.schedule);
	t->x.schedule = NULL;
	drop_taken(t);
	return NULL;
}

static void drop_all(struct meeting *m)
{
	for (unsigned int i = 0; i < 2 * MOST_SHARDS * MOST_SHARDS; i++) {
		struct list *l = &m->lists[0][0][0] + i;

		while (l->first) {
			struct message *next = l->first->next;

			free(l->first);
			l->first = next;
		}
	}
}

void explore_shards(const struct gmem_overlap *o, const struct gmem_bounds *bounds,
		    struct gmem_explored *x)
{
	struct meeting m = { .o = o, .bounds = bounds };
	struct shard_thread t[MOST_SHARDS];

	pthread_mutex_init(&m.mutex, NULL);
	pthread_cond_init(&m.changed, NULL);
	for (uint32_t i = 0; i < bounds->shards; i++) {
		t[i] = (struct shard_thread){ .m = &m, .shard = i };
		t[i].status = GMEM_FAILED;
		assert_int_equal(pthread_create(&t[i].thread, NULL, run, &t[i]), 0);
	}
	for (uint32_t i = 0; i < bounds->shards; i++)
		pthread_join(t[i].thread, NULL);
	*x = (struct gmem_explored){ .schedule = x->schedule };
	for (uint32_t i = 0; i < bounds->shards; i++) {
		assert_int_equal(t[i].status, GMEM_DONE);
		x->states += t[i].x.states;
		x->ends += t[i].x.ends;
		x->cut |= t[i].x.cut & (uint8_t)~GMEM_CUT_SHARD;
		if (t[i].x.finding != GMEM_FOUND_NOTHING) {
			x->finding = t[i].x.finding;
			x->violation = t[i].x.violation;
		}
	}
	drop_all(&m);
	pthread_cond_destroy(&m.changed);
	pthread_mutex_destroy(&m.mutex);
}
