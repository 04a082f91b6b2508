/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The range tree against something too stupid to be wrong: an array with one value for every key
 * that can be a boundary, searched from one end to the other.
 *
 * The boundaries are either neighbours (dense: much merging and splitting) or far apart, up to
 * both ends of what 64 bits hold (sparse). After every store the tree's shape is looked at, and
 * that it holds exactly the cells it says.
 */
#include <string.h>

#include "calls.h"
#include "node.h"
#include "random.h"
#include "ranges.h"
#include "state.h"

#define MOST_KEYS 4000u

/* val[i] is the value from keys[i] up to keys[i + 1]; val[n - 1] stays 0. */
struct judge {
	unsigned int n;
	uint64_t keys[MOST_KEYS];
	uint32_t val[MOST_KEYS];
};

struct fixture {
	struct gmem_world *w;
	struct random random;
	uint32_t root;
	uint32_t others; /* cells of the rest of the world */
	struct judge *judge;
	unsigned int deepest; /* the most levels there were */
};

static uint32_t cells_held(const struct gmem_block *b)
{
	return b->used - b->nr_free;
}

static void begin(struct fixture *f, uint64_t seed)
{
	memset(f, 0, sizeof(*f));
	f->w = new_world();
	f->others = cells_held(f->w->b);
	f->judge = calloc(1, sizeof(*f->judge));
	assert_non_null(f->judge);
	random_seed(&f->random, seed);
}

static void end(struct fixture *f)
{
	gmem_range_clear(f->w->b, &f->root);
	assert_int_equal(f->root, 0);
	assert_int_equal(cells_held(f->w->b), f->others);
	gmem_world_free(f->w);
	free(f->judge);
}

static void set(struct fixture *f, uint64_t start, uint64_t stop, uint32_t value)
{
	assert_true(gmem_reserve(f->w, GMEM_RANGE_CELLS));
	gmem_range_set(f->w->b, &f->root, start, stop, value);
}

/* ---- what the judge says ---- */

static unsigned int index_of(const struct judge *j, uint64_t key)
{
	unsigned int i = 0;

	while (i + 1 < j->n && j->keys[i + 1] <= key)
		i++;
	return i;
}

static uint32_t judge_get(const struct judge *j, uint64_t key)
{
	return key < j->keys[0] ? 0 : j->val[index_of(j, key)];
}

static int judge_next(const struct judge *j, uint64_t from, struct gmem_range *r)
{
	for (unsigned int i = 0; i < j->n; i++) {
		unsigned int last = i;

		if (!j->val[i])
			continue;
		while (j->val[last + 1] == j->val[i])
			last++;
		*r = (struct gmem_range){ j->keys[i], j->keys[last + 1], j->val[i] };
		if (r->end > from)
			return 1;
		i = last;
	}
	return 0;
}

/* Every boundary in [start, stop) is one at which the value stays. */
static int judge_is(const struct judge *j, uint64_t start, uint64_t stop, uint32_t value)
{
	int is = judge_get(j, start) == value;

	for (unsigned int i = 0; i < j->n; i++)
		if (j->keys[i] > start && j->keys[i] < stop)
			is = is && j->val[i] == value;
	return is;
}

/* ---- the two side by side ---- */

static void compare_next(const struct fixture *f, uint64_t from)
{
	struct gmem_range r, want;
	int there_is = judge_next(f->judge, from, &want);

	assert_int_equal(gmem_range_next(f->w->b, f->root, from, &r), there_is);
	if (there_is) {
		assert_int_equal(r.start, want.start);
		assert_int_equal(r.end, want.end);
		assert_int_equal(r.value, want.value);
	}
}

/* Somewhere at, or just beside, a boundary, or anywhere. */
static uint64_t some_key(struct fixture *f)
{
	const struct judge *j = f->judge;
	uint64_t key = j->keys[random_below(&f->random, j->n)];

	switch (random_below(&f->random, 4)) {
	case 0:
		return key ? key - 1 : 0;
	case 1:
		return key + 1;
	default:
		return key;
	}
}

static void compare_here(struct fixture *f)
{
	uint64_t key = some_key(f), other = some_key(f);
	uint64_t start = key < other ? key : other, stop = key < other ? other : key;
	const struct gmem_block *b = f->w->b;
	struct gmem_range r;

	assert_int_equal(gmem_range_get(b, f->root, key), judge_get(f->judge, key));
	compare_next(f, key);
	assert_int_equal(gmem_range_empty(b, f->root, start, stop),
			 start == stop || !judge_next(f->judge, start, &r) || r.start >= stop);
	if (start == stop)
		return;
	for (uint32_t value = 0; value < 3; value++)
		assert_int_equal(gmem_range_is(b, f->root, start, stop, value),
				 judge_is(f->judge, start, stop, value));
	key = judge_get(f->judge, start);
	assert_int_equal(gmem_range_is(b, f->root, start, stop, (uint32_t)key),
			 judge_is(f->judge, start, stop, (uint32_t)key));
}

static void compare_everything(const struct fixture *f, uint32_t root)
{
	struct gmem_range r = { 0, 0, 0 }, want = { 0, 0, 0 };

	while (judge_next(f->judge, want.end, &want)) {
		assert_true(gmem_range_next(f->w->b, root, r.end, &r));
		assert_int_equal(r.start, want.start);
		assert_int_equal(r.end, want.end);
		assert_int_equal(r.value, want.value);
	}
	assert_false(gmem_range_next(f->w->b, root, r.end, &r));
}

static unsigned int depth_of(const struct fixture *f)
{
	return f->root ? cnode(f->w->b, f->root)->level + 1u : 0;
}

static void look_at_shape(struct fixture *f)
{
	const struct gmem_block *b = f->w->b;

	if (depth_of(f) > f->deepest)
		f->deepest = depth_of(f);

	if (gmem_range_wrong(b, f->root))
		fail_msg("%s", gmem_range_wrong(b, f->root));
	assert_int_equal(cells_held(b), f->others + gmem_range_cells(b, f->root));
	assert_true(b->used <= b->capacity);
}

/* Now and then a long one; the more keys, the more rarely, so that the tree becomes large. */
static void random_set(struct fixture *f, uint32_t values)
{
	struct judge *j = f->judge;
	unsigned int i = (unsigned int)random_below(&f->random, j->n - 1), to;
	uint32_t value = random_one_in(&f->random, 3) ?
				 0 :
				 (uint32_t)random_below(&f->random, values) + 1;

	to = i + 1 + (unsigned int)random_below(&f->random, 6);
	if (random_one_in(&f->random, 20 + j->n / 2))
		to += (unsigned int)random_below(&f->random, j->n);
	if (to > j->n - 1)
		to = j->n - 1;
	for (unsigned int k = i; k < to; k++)
		j->val[k] = value;
	set(f, j->keys[i], j->keys[to], value);
}

static void clear(struct fixture *f)
{
	gmem_range_clear(f->w->b, &f->root);
	memset(f->judge->val, 0, sizeof(f->judge->val));
	assert_int_equal(f->root, 0);
}

/* A copy is the same, and stays so when the original is emptied. */
static void copy_and_empty(struct fixture *f)
{
	uint32_t copy, original = f->root;

	assert_true(gmem_reserve(f->w, gmem_range_cells(f->w->b, f->root)));
	copy = gmem_range_copy(f->w->b, f->root);
	assert_int_equal(gmem_range_cells(f->w->b, copy), gmem_range_cells(f->w->b, original));
	gmem_range_clear(f->w->b, &original);
	f->root = copy;
	look_at_shape(f);
	compare_everything(f, copy);
}

static void drive(struct fixture *f, unsigned long stores, uint32_t values)
{
	for (unsigned long i = 1; i <= stores; i++) {
		random_set(f, values);
		look_at_shape(f);
		compare_here(f);
		if (i % 512 == 0)
			compare_everything(f, f->root);
		if (i % 1024 == 0)
			copy_and_empty(f);
		if (i % 20000 == 0)
			clear(f);
	}
	compare_everything(f, f->root);
}

static void dense(unsigned int keys, uint64_t base, unsigned long stores, uint32_t values,
		  unsigned int levels)
{
	struct fixture f;

	begin(&f, keys + values);
	f.judge->n = keys;
	for (unsigned int i = 0; i < keys; i++)
		f.judge->keys[i] = base + i;
	drive(&f, scaled(stores), values);
	assert_true(f.deepest >= levels || scaled(100) < 100);
	end(&f);
}

static void a_few_neighbouring_keys(void **state)
{
	(void)state;
	dense(8, 0, 400000, 2, 1);
	dense(60, 0, 1000000, 1, 1);
	dense(60, 0, 400000, 3, 1);
}

static void many_neighbouring_keys(void **state)
{
	(void)state;
	dense(700, UINT64_C(1) << 40, 150000, 2, 2);
	dense(700, 0, 100000, 1000000, 2);
	dense(MOST_KEYS, 0, 20000, 3, 3);
	dense(MOST_KEYS, 7, 20000, 1000000, 3);
}

static void neighbouring_keys_at_the_end(void **state)
{
	(void)state;
	dense(60, UINT64_MAX - 60, 200000, 2, 1);
	dense(700, UINT64_MAX - 700, 20000, 3, 2);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Boundaries of every magnitude, and both ends. */
static void sparse(unsigned int keys, unsigned long stores)
{
	struct fixture f;
	struct judge *j;

	begin(&f, keys);
	j = f.judge;
	j->keys[j->n++] = 0;
	j->keys[j->n++] = UINT64_MAX - 1;
	while (j->n < keys)
		j->keys[j->n++] = random_below(&f.random, UINT64_MAX - 1) >>
				  random_below(&f.random, 64);
	qsort(j->keys, j->n, sizeof(j->keys[0]), by_value);
	j->n = 1;
	for (unsigned int i = 1; i < keys; i++)
		if (j->keys[i] != j->keys[j->n - 1])
			j->keys[j->n++] = j->keys[i];
	drive(&f, scaled(stores), 3);
	end(&f);
}

static void keys_far_apart(void **state)
{
	(void)state;
	sparse(30, 400000);
	sparse(600, 100000);
}

/* ---- size ---- */

static void shuffle(struct fixture *f, uint32_t *order, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		order[i] = i;
	for (uint32_t i = n; i-- > 1;) {
		uint32_t k = (uint32_t)random_below(&f->random, i + 1u), was = order[i];

		order[i] = order[k];
		order[k] = was;
	}
}

/* Every second page, in random order, and all of them gone again in another. */
static void a_hundred_thousand_ranges(void **state)
{
	uint32_t n = (uint32_t)scaled(100000), *order = malloc(n * sizeof(*order));
	struct fixture f;

	(void)state;
	assert_non_null(order);
	begin(&f, 1);
	shuffle(&f, order, n);
	for (uint32_t i = 0; i < n; i++)
		set(&f, order[i] * UINT64_C(2), order[i] * UINT64_C(2) + 1, order[i] + 1);
	look_at_shape(&f);
	assert_true(depth_of(&f) <= 6);
	assert_true(gmem_range_cells(f.w->b, f.root) <= n / 6 + 1);
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(gmem_range_get(f.w->b, f.root, i * UINT64_C(2)), i + 1);
		assert_int_equal(gmem_range_get(f.w->b, f.root, i * UINT64_C(2) + 1), 0);
	}
	shuffle(&f, order, n);
	for (uint32_t i = 0; i < n; i++) {
		set(&f, order[i] * UINT64_C(2), order[i] * UINT64_C(2) + 1, 0);
		if (i % 5000 == 0)
			look_at_shape(&f);
	}
	assert_int_equal(f.root, 0);
	free(order);
	end(&f);
}

/* One store over everything gives a big tree back, but for the two paths it touches. */
static void one_store_over_everything(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, 2);
	for (uint64_t i = 0; i < 3000; i++)
		set(&f, 2 * i, 2 * i + 1, 1);
	set(&f, 0, 6000, 7);
	look_at_shape(&f);
	assert_true(gmem_range_cells(f.w->b, f.root) <= 8);
	for (uint64_t i = 0; i < 3000; i++)
		set(&f, 2 * i, 2 * i + 1, 1);
	set(&f, 0, UINT64_MAX - 1, 0);
	assert_int_equal(f.root, 0);
	end(&f);
}

/* Small ones, and now and then one that only few nodes can hold. */
static uint32_t some_value(struct fixture *f)
{
	uint32_t value = (uint32_t)random_below(&f->random, 9);

	return random_one_in(&f->random, 9) ? value << 20 : value;
}

/*
 * What a store may take, whatever the tree: with the list of free cells hidden, every cell that
 * is taken is a new one. See ranges.c on how many there can be.
 */
static void a_store_takes_few_cells(void **state)
{
	uint64_t keys = 40000, most = 0;
	struct fixture f;

	(void)state;
	begin(&f, 3);
	for (unsigned long i = 0; i < scaled(300000); i++) {
		uint64_t start = random_below(&f.random, keys);
		uint64_t length = 1 +
				  random_below(&f.random, random_one_in(&f.random, 500) ? keys : 3);
		uint64_t apart = random_one_in(&f.random, 4) ? UINT64_C(1) << 30 : 1;
		uint32_t before;

		assert_true(gmem_reserve(f.w, GMEM_RANGE_CELLS));
		f.w->b->free = f.w->b->nr_free = 0;
		before = f.w->b->used;
		gmem_range_set(f.w->b, &f.root, start * apart, (start + length) * apart,
			       some_value(&f));
		if (f.w->b->used - before > most)
			most = f.w->b->used - before;
		assert_true(f.w->b->used - before <= 2 * depth_of(&f));
	}
	assert_null(gmem_range_wrong(f.w->b, f.root));
	assert_true(most > 1);
	assert_true(most <= GMEM_RANGE_CELLS);
	gmem_world_free(f.w);
	free(f.judge);
}

/* ---- edges ---- */

static void nothing_is_nothing(void **state)
{
	struct gmem_range r;
	struct fixture f;

	(void)state;
	begin(&f, 4);
	set(&f, 5, 5, 1);
	set(&f, 6, 5, 1);
	set(&f, 0, 100, 0);
	assert_int_equal(f.root, 0);
	assert_int_equal(gmem_range_get(f.w->b, 0, 5), 0);
	assert_false(gmem_range_next(f.w->b, 0, 0, &r));
	assert_true(gmem_range_empty(f.w->b, 0, 0, UINT64_MAX));
	assert_int_equal(gmem_range_cells(f.w->b, 0), 0);
	assert_int_equal(gmem_range_copy(f.w->b, 0), 0);
	assert_null(gmem_range_wrong(f.w->b, 0));
	gmem_range_clear(f.w->b, &f.root);
	end(&f);
}

static void zero_and_the_last_key(void **state)
{
	struct gmem_range r;
	struct fixture f;

	(void)state;
	begin(&f, 5);
	set(&f, 0, UINT64_MAX - 1, 3);
	assert_true(gmem_range_next(f.w->b, f.root, 0, &r));
	assert_int_equal(r.start, 0);
	assert_int_equal(r.end, UINT64_MAX - 1);
	assert_int_equal(gmem_range_get(f.w->b, f.root, UINT64_MAX - 2), 3);
	assert_int_equal(gmem_range_get(f.w->b, f.root, UINT64_MAX - 1), 0);
	assert_false(gmem_range_next(f.w->b, f.root, UINT64_MAX - 1, &r));
	set(&f, 0, 1, 0);
	set(&f, UINT64_MAX - 2, UINT64_MAX - 1, 0);
	assert_true(gmem_range_next(f.w->b, f.root, 0, &r));
	assert_int_equal(r.start, 1);
	assert_int_equal(r.end, UINT64_MAX - 2);
	look_at_shape(&f);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_few_neighbouring_keys),
		cmocka_unit_test(many_neighbouring_keys),
		cmocka_unit_test(neighbouring_keys_at_the_end),
		cmocka_unit_test(keys_far_apart),
		cmocka_unit_test(a_hundred_thousand_ranges),
		cmocka_unit_test(one_store_over_everything),
		cmocka_unit_test(a_store_takes_few_cells),
		cmocka_unit_test(nothing_is_nothing),
		cmocka_unit_test(zero_and_the_last_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
