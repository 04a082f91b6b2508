/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gmem_range_wrong() itself: each way in which a range tree can be misshapen is made by hand, and
 * seen. It relies on how a node lies in its cell.
 */
#include "calls.h"
#include "ranges.h"
#include "state.h"

struct tree {
	struct gmem_world *w;
	uint32_t root;
};

/* A node as ranges.c has it. */
struct node {
	uint16_t level, n;
	uint32_t unused;
	uint64_t key[20];
	uint32_t val[20];
};

static struct node *node(const struct tree *f, uint32_t idx)
{
	return gmem_cell(f->w->b, idx);
}

static struct node *root_of(const struct tree *f)
{
	return node(f, f->root);
}

static struct node *child_of(const struct tree *f, unsigned int i)
{
	return node(f, root_of(f)->val[i]);
}

static void empty_a_leaf(struct tree *f)
{
	child_of(f, 1)->n = 0;
}

static void overfill_a_leaf(struct tree *f)
{
	child_of(f, 1)->n = 21;
}

static void swap_keys(struct tree *f)
{
	child_of(f, 1)->key[1] = child_of(f, 1)->key[0];
}

static void lift_a_leaf(struct tree *f)
{
	child_of(f, 1)->level = 1;
}

static void move_a_bound(struct tree *f)
{
	root_of(f)->key[1] += 1;
}

static void make_neighbours_equal(struct tree *f)
{
	child_of(f, 1)->val[1] = child_of(f, 1)->val[0];
}

static void make_neighbours_of_two_leaves_equal(struct tree *f)
{
	child_of(f, 1)->val[0] = child_of(f, 0)->val[child_of(f, 0)->n - 1];
}

static void begin_with_nothing(struct tree *f)
{
	child_of(f, 0)->val[0] = 0;
}

static void leave_the_end_open(struct tree *f)
{
	struct node *last = child_of(f, root_of(f)->n - 1u);

	last->val[last->n - 1] = 77;
}

static void a_wrong_shape_is_seen(void **state)
{
	static const struct {
		void (*break_it)(struct tree *f);
		const char *seen;
	} wrongs[] = {
		{ empty_a_leaf, "a node is empty or overfull" },
		{ overfill_a_leaf, "a node is empty or overfull" },
		{ swap_keys, "keys are not in order" },
		{ lift_a_leaf, "a child is of the wrong level" },
		{ move_a_bound, "a point is in the wrong node" },
		{ make_neighbours_equal, "neighbours are equal" },
		{ make_neighbours_of_two_leaves_equal, "neighbours are equal" },
		{ begin_with_nothing, "neighbours are equal" },
		{ leave_the_end_open, "the last range has no end" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
		struct tree f;

		f.w = new_world();
		f.root = 0;
		assert_true(gmem_reserve(f.w, 40 * GMEM_RANGE_CELLS));
		for (uint64_t k = 0; k < 40; k++)
			gmem_range_set(f.w->b, &f.root, 3 * k, 3 * k + 3, (uint32_t)k + 1);
		assert_null(gmem_range_wrong(f.w->b, f.root));
		assert_int_equal(root_of(&f)->level, 1);
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
