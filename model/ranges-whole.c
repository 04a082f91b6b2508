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

static const char *wrong_below(const struct gmem_block *b, uint32_t idx, uint64_t lo, uint64_t hi,
			       uint32_t *last)
{
	const struct node *n = cnode(b, idx);
	const char *wrong = NULL;

	if (!n->n || n->n > NODE_MAX)
		return "a node is empty or overfull";
	for (unsigned int i = 0; i < n->n && !wrong; i++) {
		uint64_t from = n->level ? n->key[i] : lo;
		uint64_t to = i + 1u < n->n ? n->key[i + 1] : hi;

		if (i && n->key[i] <= n->key[i - 1])
			return "keys are not in order";
		if (n->level) {
			if (cnode(b, n->val[i])->level + 1u != n->level)
				return "a child is of the wrong level";
			wrong = wrong_below(b, n->val[i], from, to, last);
			continue;
		}
		if (n->key[i] < lo || n->key[i] >= hi)
			return "a point is in the wrong node";
		if (n->val[i] == *last)
			return "neighbours are equal";
		*last = n->val[i];
	}
	return wrong;
}

const char *gmem_range_wrong(const struct gmem_block *b, uint32_t root)
{
	uint32_t last = 0;
	const char *wrong;

	if (!root)
		return NULL;
	wrong = wrong_below(b, root, 0, FOREVER, &last);
	if (!wrong && last)
		wrong = "the last range has no end";
	return wrong;
}
