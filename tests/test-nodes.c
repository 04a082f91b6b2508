/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The shapes of a range tree's nodes, and how one becomes another: every kind of point into every
 * place of a full leaf of every shape, leaves that shrink beside leaves of another shape, a tree
 * that is full everywhere, and what a range costs.
 *
 * The judge is a list of points, searched from its beginning. What a shape is, is in node.h.
 */
#include <string.h>

#include "calls.h"
#include "node.h"
#include "random.h"
#include "ranges.h"
#include "state.h"

#define MOST_POINTS 4000u
#define LOW          \
	(UINT64_C(1) \
	 << 40) /* where leaves with near keys begin: there is much room on both sides */

struct fixture {
	struct gmem_world *w;
	uint32_t root;
	unsigned int n;
	struct point p[MOST_POINTS]; /* what the tree should be */
};

static void begin(struct fixture *f)
{
	f->w = new_world();
	f->root = 0;
	f->n = 0;
}

static void end(struct fixture *f)
{
	gmem_world_free(f->w);
}

static const struct node *root_of(const struct fixture *f)
{
	return cnode(f->w->b, f->root);
}

/* ---- the judge ---- */

static uint32_t judge_get(const struct fixture *f, uint64_t key)
{
	uint32_t value = 0;

	for (unsigned int i = 0; i < f->n && f->p[i].key <= key; i++)
		value = f->p[i].val;
	return value;
}

static void judge_set(struct fixture *f, uint64_t start, uint64_t stop, uint32_t value)
{
	struct point all[MOST_POINTS + 2];
	uint32_t after = judge_get(f, stop);
	unsigned int n = 0, i = 0;

	while (i < f->n && f->p[i].key < start)
		all[n++] = f->p[i++];
	all[n++] = (struct point){ start, value };
	all[n++] = (struct point){ stop, after };
	for (; i < f->n; i++)
		if (f->p[i].key > stop)
			all[n++] = f->p[i];
	f->n = 0;
	for (i = 0; i < n; i++)
		if (all[i].val != (f->n ? f->p[f->n - 1].val : 0))
			f->p[f->n++] = all[i];
	assert_true(f->n <= MOST_POINTS - 2);
}

static void judge(const struct fixture *f)
{
	const char *wrong = gmem_range_wrong(f->w->b, f->root);
	struct gmem_range r = { 0, 0, 0 };

	if (wrong)
		fail_msg("%s", wrong);
	for (unsigned int i = 0; i + 1 < f->n; i++) {
		if (!f->p[i].val)
			continue;
		assert_true(gmem_range_next(f->w->b, f->root, r.end, &r));
		assert_int_equal(r.start, f->p[i].key);
		assert_int_equal(r.end, f->p[i + 1].key);
		assert_int_equal(r.value, f->p[i].val);
		assert_int_equal(gmem_range_get(f->w->b, f->root, r.end - 1), r.value);
	}
	assert_false(gmem_range_next(f->w->b, f->root, r.end, &r));
}

static void set(struct fixture *f, uint64_t start, uint64_t stop, uint32_t value)
{
	assert_true(gmem_reserve(f->w, GMEM_RANGE_CELLS));
	gmem_range_set(f->w->b, &f->root, start, stop, value);
	judge_set(f, start, stop, value);
}

/* ---- one leaf ---- */

/* A full leaf of a shape: the i-th key is LOW + 10 * i, or those are far apart. */
static uint64_t key_of(unsigned int shape, unsigned int i)
{
	return LOW + ((uint64_t)i * 10 << (shape == NODE_WIDE ? 40 : 0));
}

static unsigned int room_of(unsigned int shape)
{
	static const unsigned int room[] = { NODE_MOST_WIDE, NODE_MOST_NEAR, NODE_MOST_SMALL };

	return room[shape];
}

static void fill_leaf(struct fixture *f, unsigned int shape)
{
	uint32_t value = shape == NODE_SMALL ? 1 : 1000;

	for (unsigned int i = 0; i + 1 < room_of(shape); i++)
		set(f, key_of(shape, i), key_of(shape, i + 1), value + i % 2);
	assert_int_equal(root_of(f)->level, 0);
	assert_int_equal(root_of(f)->shape, shape);
	assert_int_equal(root_of(f)->n, room_of(shape));
	assert_int_equal(gmem_range_get(f->w->b, f->root, UINT64_MAX), 0);
	assert_false(gmem_range_next(f->w->b, f->root, UINT64_MAX, &(struct gmem_range){ 0 }));
}

static void store_into_full_leaf(unsigned int shape, uint64_t start, uint64_t stop)
{
	static const uint32_t values[] = { 0, 7, UINT8_MAX, UINT8_MAX + 1, UINT32_MAX };

	for (unsigned int i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct fixture f;

		begin(&f);
		fill_leaf(&f, shape);
		set(&f, start, stop, values[i]);
		judge(&f);
		assert_true(gmem_range_cells(f.w->b, f.root) <= 3);
		set(&f, start, stop, values[i]);
		judge(&f);
		end(&f);
	}
}

/* Within one range, from one to the next, and with what is beyond both ends; near and far. */
static void every_store_into_a_full_leaf(void **state)
{
	static const uint64_t far[] = { 5, LOW - NODE_SPAN - 100, LOW - 4000, LOW - 3 };

	(void)state;
	for (unsigned int shape = 0; shape < NODE_NO_SHAPE; shape++) {
		unsigned int last = room_of(shape) - 1;

		for (unsigned int i = 0; i < last; i++) {
			uint64_t key = key_of(shape, i), next = key_of(shape, i + 1);

			store_into_full_leaf(shape, key + 2, key + 5);
			store_into_full_leaf(shape, key, key + 5);
			store_into_full_leaf(shape, key + 2, next);
			store_into_full_leaf(shape, key + 2, next + 5);
			store_into_full_leaf(shape, 5, next);
			store_into_full_leaf(shape, key, UINT64_MAX - 1);
		}
		for (unsigned int i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
			uint64_t beyond = key_of(shape, last) + (LOW - far[i]);

			store_into_full_leaf(shape, far[i], far[i] + 2);
			store_into_full_leaf(shape, far[i], LOW + 2);
			store_into_full_leaf(shape, beyond, beyond + 2);
			store_into_full_leaf(shape, key_of(shape, last) - 2, beyond);
		}
	}
}

static void a_leaf_changes_its_shape(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	set(&f, LOW, LOW + 1, UINT8_MAX);
	assert_int_equal(root_of(&f)->shape, NODE_SMALL);
	set(&f, LOW + NODE_SPAN / 2 - 1, LOW + NODE_SPAN / 2, UINT8_MAX);
	set(&f, LOW - NODE_SPAN / 2 + 1, LOW - NODE_SPAN / 2 + 2, UINT8_MAX);
	assert_int_equal(root_of(&f)->shape, NODE_SMALL);
	set(&f, LOW, LOW + 1, UINT8_MAX + 1);
	assert_int_equal(root_of(&f)->shape, NODE_NEAR);
	set(&f, LOW + NODE_SPAN, LOW + NODE_SPAN + 1, 1);
	assert_int_equal(root_of(&f)->shape, NODE_WIDE);
	judge(&f);
	/* The reverse, but not before it is full. */
	set(&f, LOW - NODE_SPAN, LOW + 1, 0);
	for (unsigned int i = 0; i < 8; i++) {
		assert_int_equal(root_of(&f)->shape, NODE_WIDE);
		set(&f, LOW + 2 * i, LOW + 2 * i + 1, 1);
	}
	set(&f, LOW + 100, LOW + NODE_SPAN + 1, 0);
	for (unsigned int i = 8; i < 20; i++)
		set(&f, LOW + 2 * i, LOW + 2 * i + 1, 1);
	assert_int_equal(root_of(&f)->shape, NODE_SMALL);
	judge(&f);
	end(&f);
}

/* The first and the last key that a leaf holds as it is, and those beside them. */
static void the_ends_of_a_span(void **state)
{
	uint64_t base = LOW - NODE_SPAN / 2;
	struct gmem_range r;
	struct fixture f;

	(void)state;
	for (unsigned int beyond = 0; beyond < 2; beyond++) {
		begin(&f);
		set(&f, LOW, LOW + 1, 1);
		assert_int_equal(root_of(&f)->base, base);
		assert_false(gmem_range_next(f.w->b, f.root, base + NODE_SPAN, &r));
		set(&f, base - beyond, base + 1, 2);
		judge(&f);
		assert_int_equal(root_of(&f)->base == base, !beyond);
		end(&f);
		begin(&f);
		set(&f, LOW, LOW + 1, 1);
		set(&f, LOW + 10, base + NODE_SPAN - 1 + beyond, 2);
		judge(&f);
		assert_int_equal(root_of(&f)->base == base, !beyond);
		end(&f);
	}
}

/* No key is so far below a leaf's that it seems to be above. */
static void from_one_end_of_the_keys_to_the_other(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	set(&f, UINT64_MAX - 10, UINT64_MAX - 1, 1);
	assert_int_equal(root_of(&f)->shape, NODE_SMALL);
	assert_int_equal(gmem_range_get(f.w->b, f.root, 5), 0);
	assert_int_equal(gmem_range_get(f.w->b, f.root, UINT64_MAX - 2), 1);
	assert_int_equal(gmem_range_get(f.w->b, f.root, UINT64_MAX - 1), 0);
	set(&f, 0, 1, 1);
	judge(&f);
	assert_int_equal(root_of(&f)->shape, NODE_WIDE);
	end(&f);
}

/* ---- leaves beside others ---- */

/* Somewhere in one of eight clusters, far apart, and what is usual there. */
static void store_somewhere(struct fixture *f, struct random *r, unsigned int most)
{
	uint64_t cluster = random_below(r, 8);
	uint64_t start = (cluster << 50) + random_below(r, 300);
	uint64_t stop = start + 1 + random_below(r, most);
	uint32_t value = (uint32_t)random_below(r, 3);

	if (random_one_in(r, 30))
		value <<= random_below(r, 31);
	if (cluster % 2 && value)
		value += 1000;
	if (random_one_in(r, 40))
		stop += random_below(r, UINT64_C(2) << random_below(r, 53));
	set(f, start, stop, value);
}

static void leaves_of_all_shapes_grow_and_shrink(void **state)
{
	struct random r;

	(void)state;
	for (unsigned long round = 0; round < scaled(20); round++) {
		struct fixture f;

		begin(&f);
		random_seed(&r, round);
		for (unsigned int i = 0; i < 3000; i++) {
			store_somewhere(&f, &r, i % 1000 < 700 ? 3 : 60);
			judge(&f);
		}
		end(&f);
	}
}

/* ---- trees ---- */

/* A tree of so many levels in which every node is full; a leaf's points are 5 above its bound. */
static uint32_t full_tree(struct gmem_block *b, unsigned int level, uint64_t *key)
{
	unsigned int n = level ? NODE_MOST_WIDE : NODE_MOST_SMALL;
	uint32_t idx = gmem_cell_take(b);
	struct point p[NODE_MOST_SMALL];

	for (unsigned int i = 0; i < n; i++) {
		p[i].key = level && !i ? 0 : *key + (level ? 0 : 5);
		p[i].val = level ? full_tree(b, level - 1, key) : 1 + (uint32_t)(*key / 10 % 2);
		*key += level ? 0 : 10;
	}
	node(b, idx)->level = (uint8_t)level;
	node_pack(node(b, idx), p, n);
	return idx;
}

static void end_last_range(struct gmem_block *b, uint32_t root)
{
	struct node *n = node(b, root);

	while (n->level)
		n = node(b, n->val[n->n - 1]);
	n->small[n->n - 1] = 0;
}

/*
 * The store that takes the most: it begins behind the last point of a full leaf, and ends before
 * the first one of the next, which is below another child of the root. Nodes are split from
 * both leaves up, and the root once, which also gets a new one above it.
 */
static void a_full_tree_splits_from_end_to_end(void **state)
{
	(void)state;
	for (unsigned int level = 1; level <= 3; level++) {
		struct gmem_world *w = new_world();
		uint64_t key = 0, middle;
		uint32_t root, before;

		assert_true(gmem_reserve(w, 10000));
		root = full_tree(w->b, level, &key);
		end_last_range(w->b, root);
		middle = key / 2;
		before = gmem_range_cells(w->b, root);
		gmem_range_set(w->b, &root, middle - 4, middle + 2, 100);
		assert_null(gmem_range_wrong(w->b, root));
		assert_int_equal(cnode(w->b, root)->level, level + 1);
		assert_int_equal(gmem_range_cells(w->b, root) - before, 2 * (level + 1));
		gmem_world_free(w);
	}
}

static double bytes_a_range(const struct fixture *f, unsigned long ranges)
{
	return gmem_range_cells(f->w->b, f->root) * (double)GMEM_CELL_SIZE / (double)ranges;
}

static void set_unjudged(struct fixture *f, uint64_t start, uint64_t stop, uint32_t value)
{
	assert_true(gmem_reserve(f->w, GMEM_RANGE_CELLS));
	gmem_range_set(f->w->b, &f->root, start, stop, value);
}

/* Conversions of a file of 1 TiB, as bench-ranges.c has them. */
static void a_range_of_attributes_costs_few_bytes(void **state)
{
	struct gmem_range r = { 0, 0, 0 };
	unsigned long n = 0;
	struct random random;
	struct fixture f;

	(void)state;
	begin(&f);
	random_seed(&random, 1);
	set_unjudged(&f, 0, UINT64_C(1) << 28, 2);
	for (unsigned int i = 0; i < 30000; i++) {
		uint64_t start = random_below(&random, (UINT64_C(1) << 28) - 512);

		set_unjudged(&f, start, start + 1 + random_below(&random, 512),
			     1 + (uint32_t)random_below(&random, 2));
	}
	while (gmem_range_next(f.w->b, f.root, r.end, &r))
		n++;
	assert_true(n > 25000);
	assert_true(bytes_a_range(&f, n) <= 10);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_store_into_a_full_leaf),
		cmocka_unit_test(a_leaf_changes_its_shape),
		cmocka_unit_test(the_ends_of_a_span),
		cmocka_unit_test(from_one_end_of_the_keys_to_the_other),
		cmocka_unit_test(leaves_of_all_shapes_grow_and_shrink),
		cmocka_unit_test(a_full_tree_splits_from_end_to_end),
		cmocka_unit_test(a_range_of_attributes_costs_few_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
