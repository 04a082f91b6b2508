/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gmem_range_wrong() itself: each way in which a range tree can be misshapen is made by hand, and
 * seen, in a tree of each shape of leaf. What a shape is, is in model/node.h.
 */
#include "calls.h"
#include "node.h"
#include "ranges.h"
#include "state.h"

struct tree {
	struct gmem_world *w;
	uint32_t root;
	unsigned int shape; /* of the leaves */
};

static struct node *root_of(const struct tree *f)
{
	return node(f->w->b, f->root);
}

static struct node *child(const struct tree *f, unsigned int i)
{
	return node(f->w->b, root_of(f)->val[i]);
}

static void set_key(struct node *n, unsigned int i, uint64_t key)
{
	if (n->shape == NODE_WIDE)
		n->key[i] = key;
	else
		n->delta[i] = (uint32_t)(key - n->base);
}

static void set_val(struct node *n, unsigned int i, uint32_t val)
{
	if (n->shape == NODE_WIDE)
		n->val[i] = val;
	else if (n->shape == NODE_NEAR)
		n->near[i] = val;
	else
		n->small[i] = (uint8_t)val;
}

static void empty_a_leaf(struct tree *f)
{
	child(f, 1)->n = 0;
}

static void overfill_a_leaf(struct tree *f)
{
	static const uint8_t room[] = { NODE_MOST_WIDE, NODE_MOST_NEAR, NODE_MOST_SMALL };

	child(f, 1)->n = room[f->shape] + 1;
}

static void overfill_the_root(struct tree *f)
{
	root_of(f)->n = NODE_MOST_WIDE + 1;
}

static void make_a_leaf_small(struct tree *f)
{
	struct node *n = child(f, 1);

	while (n->n >= NODE_FEW) {
		n->n--;
		set_key(n, n->n, n->shape == NODE_WIDE ? UINT64_MAX : n->base + NODE_SPAN);
	}
}

static void leave_one_child(struct tree *f)
{
	struct node *n = root_of(f);

	while (n->n > 1)
		n->key[--n->n] = UINT64_MAX;
}

static void swap_keys(struct tree *f)
{
	set_key(child(f, 1), 1, node_key(child(f, 1), 0));
}

static void swap_bounds(struct tree *f)
{
	root_of(f)->key[2] = root_of(f)->key[1];
}

static void begin_above_0(struct tree *f)
{
	root_of(f)->key[0] = 1;
}

static void leave_a_key(struct tree *f)
{
	set_key(child(f, 1), child(f, 1)->n, node_key(child(f, 1), child(f, 1)->n - 1u) + 1);
}

static void leave_a_bound(struct tree *f)
{
	root_of(f)->key[root_of(f)->n] = UINT64_MAX - 1;
}

static void lose_a_shape(struct tree *f)
{
	child(f, 1)->shape = NODE_NO_SHAPE;
}

static void give_the_root_a_shape(struct tree *f)
{
	root_of(f)->shape = NODE_SMALL;
}

static void lift_a_leaf(struct tree *f)
{
	child(f, 1)->level = 1;
}

static void raise_a_bound(struct tree *f)
{
	root_of(f)->key[1] += 1;
}

static void lower_a_bound(struct tree *f)
{
	root_of(f)->key[1] = node_key(child(f, 0), child(f, 0)->n - 1u);
}

static void make_neighbours_equal(struct tree *f)
{
	set_val(child(f, 1), 1, node_val(child(f, 1), 0));
}

static void make_neighbours_of_two_leaves_equal(struct tree *f)
{
	set_val(child(f, 1), 0, node_val(child(f, 0), child(f, 0)->n - 1u));
}

static void begin_with_nothing(struct tree *f)
{
	set_val(child(f, 0), 0, 0);
}

static void leave_the_end_open(struct tree *f)
{
	struct node *last = child(f, root_of(f)->n - 1u);

	set_val(last, last->n - 1u, 77);
}

static const struct {
	void (*break_it)(struct tree *f);
	const char *seen;
} wrongs[] = {
	{ empty_a_leaf, "a node is empty or overfull" },
	{ overfill_a_leaf, "a node is empty or overfull" },
	{ overfill_the_root, "a node is empty or overfull" },
	{ make_a_leaf_small, "a node has too few entries" },
	{ leave_one_child, "a root has one child" },
	{ swap_keys, "keys are not in order" },
	{ swap_bounds, "keys are not in order" },
	{ begin_above_0, "an inner node does not begin at 0" },
	{ leave_a_key, "a key is where there is no entry" },
	{ leave_a_bound, "a key is where there is no entry" },
	{ lose_a_shape, "a node has a wrong shape" },
	{ give_the_root_a_shape, "a node has a wrong shape" },
	{ lift_a_leaf, "a child is of the wrong level" },
	{ raise_a_bound, "a point is in the wrong node" },
	{ lower_a_bound, "a point is in the wrong node" },
	{ make_neighbours_equal, "neighbours are equal" },
	{ make_neighbours_of_two_leaves_equal, "neighbours are equal" },
	{ begin_with_nothing, "neighbours are equal" },
	{ leave_the_end_open, "the last range has no end" },
};

static void begin(struct tree *f, unsigned int shape)
{
	uint64_t apart = shape == NODE_WIDE ? UINT64_C(1) << 40 : 3;

	f->w = new_world();
	f->root = 0;
	f->shape = shape;
	assert_true(gmem_reserve(f->w, 150 * GMEM_RANGE_CELLS));
	for (uint64_t k = 0; k < 150; k++)
		gmem_range_set(f->w->b, &f->root, apart * k, apart * (k + 1),
			       (shape == NODE_SMALL ? 0 : 1000) + (uint32_t)k + 1);
	assert_null(gmem_range_wrong(f->w->b, f->root));
	assert_int_equal(root_of(f)->level, 1);
	assert_int_equal(child(f, 1)->shape, shape);
}

static void a_wrong_shape_is_seen(void **state)
{
	(void)state;
	for (unsigned int shape = 0; shape < NODE_NO_SHAPE; shape++)
		for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
			struct tree f;

			begin(&f, shape);
			wrongs[i].break_it(&f);
			assert_non_null(gmem_range_wrong(f.w->b, f.root));
			assert_string_equal(gmem_range_wrong(f.w->b, f.root), wrongs[i].seen);
			gmem_world_free(f.w);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wrong_shape_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
