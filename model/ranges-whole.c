/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whole range trees: copying one, counting its cells, checking its shape. What a node is, is in
 * node.h; how trees are searched and changed, in ranges.c.
 */
#include "node.h"
#include "ranges.h"

uint32_t gmem_range_cells(const struct gmem_block *b, uint32_t root)
{
	const struct node *n;
	uint32_t cells = 1;

	if (!root)
		return 0;
	n = cnode(b, root);
	for (unsigned int i = 0; n->level && i < n->n; i++)
		cells += gmem_range_cells(b, n->val[i]);
	return cells;
}

uint32_t gmem_range_copy(struct gmem_block *b, uint32_t root)
{
	uint32_t idx;
	struct node *n;

	if (!root)
		return 0;
	idx = gmem_cell_take(b);
	n = node(b, idx);
	*n = *cnode(b, root);
	for (unsigned int i = 0; n->level && i < n->n; i++)
		n->val[i] = gmem_range_copy(b, n->val[i]);
	return idx;
}

static const char *wrong_points(const struct node *n, uint64_t lo, uint64_t hi, uint32_t *last)
{
	for (unsigned int i = 0; i < n->n; i++) {
		struct point p = node_point(n, i);

		if (p.key < lo || p.key >= hi)
			return "a point is in the wrong node";
		if (p.val == *last)
			return "neighbours are equal";
		*last = p.val;
	}
	return NULL;
}

/* The tree below idx has the keys in [lo, hi); last is the value just before it, and then in it. */
static const char *wrong_below(const struct gmem_block *b, uint32_t idx, uint64_t lo, uint64_t hi,
			       uint32_t *last)
{
	const struct node *n = cnode(b, idx);
	const char *wrong = node_wrong(n);

	if (wrong || !n->level)
		return wrong ? wrong : wrong_points(n, lo, hi, last);
	for (unsigned int i = 0; i < n->n && !wrong; i++) {
		const struct node *child = cnode(b, n->val[i]);

		if (child->level + 1u != n->level)
			return "a child is of the wrong level";
		if (child->n && child->n < NODE_FEW)
			return "a node has too few entries";
		wrong = wrong_below(b, n->val[i], i ? n->key[i] : lo,
				    i + 1u < n->n ? n->key[i + 1] : hi, last);
	}
	return wrong;
}

const char *gmem_range_wrong(const struct gmem_block *b, uint32_t root)
{
	uint32_t last = 0;
	const char *wrong;

	if (!root)
		return NULL;
	if (cnode(b, root)->level && cnode(b, root)->n == 1)
		return "a root has one child";
	wrong = wrong_below(b, root, 0, FOREVER, &last);
	if (!wrong && last)
		wrong = "the last range has no end";
	return wrong;
}
