/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page ranges in a tree of cells. See ranges.h for the contract, and node.h for what a node is.
 *
 * Storing a range removes every point in [start, end] and puts back two at most. Nearly always they
 * are in one leaf, set_in_leaf(). If not, points are erased leaf by leaf and inserted one by one;
 * that costs more the more leaves go, but each of them took many stores to come.
 *
 * A node that cannot hold what comes is split, and its parent gets an entry. A node with fewer
 * than NODE_FEW entries joins a neighbour, and its parent loses one; or if one node cannot hold
 * both, they share what they have. So every node has 6 entries or more, but for the root, which
 * has 2 if it is inner. With 14 levels there would be 2 * 6^12 leaves, more than cell numbers.
 *
 * Cells are taken for splits only. A point that is inserted splits one node a level at most and, if
 * that was the root, takes one for the new root: as many as the tree then has levels, 13. A store
 * inserts two points at most, or edits one leaf once, which is no more. Erasing takes none, as what
 * two nodes held fits into the same two. So 26 are enough for every store.
 */
#include "ranges.h"

#include <string.h>

#include "node.h"
#include "state.h"

#define MOST_LEVELS (GMEM_RANGE_CELLS / 2)

/* The way from the root to a leaf. */
struct path {
	uint32_t idx[MOST_LEVELS];	/* the nodes, by level */
	unsigned int slot[MOST_LEVELS]; /* the child of it that comes next; not of a leaf */
	uint64_t next;			/* where the next leaf begins, or FOREVER */
};

/* The leaf for key, and where the next one begins. */
static const struct node *find_leaf(const struct gmem_block *b, uint32_t root, uint64_t key,
				    uint64_t *next)
{
	const struct node *n = cnode(b, root);

	*next = FOREVER;
	while (n->level) {
		unsigned int i = node_child(n, key);

		if (i + 1u < n->n)
			*next = n->key[i + 1];
		n = cnode(b, n->val[i]);
	}
	return n;
}

/* The last point of the leaf before the one for key; all 0 if there is none. */
static struct point last_before(const struct gmem_block *b, uint32_t root, uint64_t key)
{
	const struct node *n = cnode(b, root), *left = NULL;

	while (n->level) {
		unsigned int i = node_child(n, key);

		if (i)
			left = cnode(b, n->val[i - 1]);
		n = cnode(b, n->val[i]);
	}
	if (!left)
		return (struct point){ 0, 0 };
	while (left->level)
		left = cnode(b, left->val[left->n - 1]);
	return node_point(left, left->n - 1u);
}

uint32_t gmem_range_get(const struct gmem_block *b, uint32_t root, uint64_t key)
{
	const struct node *n;
	unsigned int i;

	if (!root || key == FOREVER)
		return 0;
	for (n = cnode(b, root); n->level; n = cnode(b, n->val[node_child(n, key)]))
		;
	i = node_upto(n, key);
	return i ? node_val(n, i - 1) : last_before(b, root, key).val;
}

bool gmem_range_next(const struct gmem_block *b, uint32_t root, uint64_t from,
		     struct gmem_range *range)
{
	const struct node *n;
	struct point p;
	uint64_t next;
	unsigned int i;

	if (!root || from == FOREVER)
		return false;
	n = find_leaf(b, root, from, &next);
	i = node_upto(n, from);
	p = i ? node_point(n, i - 1) : last_before(b, root, from);
	if (!p.val) {
		/* Neighbours differ, so the next point has another value. */
		if (i == n->n) {
			if (next == FOREVER)
				return false;
			n = find_leaf(b, root, next, &next);
			i = 0;
		}
		p = node_point(n, i++);
	}
	if (i == n->n && next != FOREVER) {
		n = find_leaf(b, root, next, &next);
		i = 0;
	}
	*range = (struct gmem_range){ p.key, i < n->n ? node_key(n, i) : FOREVER, p.val };
	return true;
}

bool gmem_range_next_in(const struct gmem_block *b, uint32_t root, uint64_t from, uint64_t end,
			struct gmem_range *range)
{
	if (from >= end || !gmem_range_next(b, root, from, range) || range->start >= end)
		return false;
	if (range->start < from)
		range->start = from;
	if (range->end > end)
		range->end = end;
	return true;
}

bool gmem_range_is(const struct gmem_block *b, uint32_t root, uint64_t start, uint64_t end,
		   uint32_t value)
{
	struct gmem_range r;
	const struct node *n;
	uint64_t next;
	unsigned int i;

	if (!root)
		return !value;
	n = find_leaf(b, root, start, &next);
	i = node_upto(n, start);
	if (i && i < n->n)
		return node_val(n, i - 1) == value && node_key(n, i) >= end;
	if (!value)
		return gmem_range_empty(b, root, start, end);
	return gmem_range_next(b, root, start, &r) && r.start <= start && r.end >= end &&
	       r.value == value;
}

bool gmem_range_empty(const struct gmem_block *b, uint32_t root, uint64_t start, uint64_t end)
{
	struct gmem_range r;

	return start >= end || !gmem_range_next(b, root, start, &r) || r.start >= end;
}

static void free_tree(struct gmem_block *b, uint32_t idx)
{
	const struct node *n = cnode(b, idx);

	for (unsigned int i = 0; n->level && i < n->n; i++)
		free_tree(b, n->val[i]);
	gmem_cell_free(b, idx);
}

void gmem_range_clear(struct gmem_block *b, uint32_t *root)
{
	if (*root)
		free_tree(b, *root);
	*root = 0;
}

static uint32_t new_node(struct gmem_block *b, unsigned int level, const struct point *p,
			 unsigned int count)
{
	uint32_t idx = gmem_cell_take(b);
	struct node *n = node(b, idx);

	n->level = (uint8_t)level;
	node_pack(n, p, count);
	return idx;
}

/* The way to the leaf for key. */
static struct node *walk(struct gmem_block *b, uint32_t root, uint64_t key, struct path *path)
{
	uint32_t idx = root;
	struct node *n;

	path->next = FOREVER;
	for (n = node(b, idx); n->level; n = node(b, idx)) {
		unsigned int i = node_child(n, key);

		path->idx[n->level] = idx;
		path->slot[n->level] = i;
		if (i + 1u < n->n)
			path->next = n->key[i + 1];
		idx = n->val[i];
	}
	path->idx[0] = idx;
	return n;
}

/*
 * Packs entries anew into left and, if one node does not hold them, right, which is a new one if
 * there was none. Returns right as an entry of their parent; val is 0 if all are in left.
 */
static struct point spread(struct gmem_block *b, uint32_t left, uint32_t right, struct point *p,
			   unsigned int count)
{
	struct node *n = node(b, left);
	unsigned int level = n->level, cut = node_cut(level, p, count);
	struct point entry = { p[cut].key, right };

	node_pack(n, p, cut ? cut : count);
	if (!cut) {
		if (right)
			gmem_cell_free(b, right);
		return (struct point){ 0, 0 };
	}
	if (level)
		p[cut].key = 0;
	if (right)
		node_pack(node(b, right), p + cut, count - cut);
	else
		entry.val = new_node(b, level, p + cut, count - cut);
	return entry;
}

/* Replaces entries [i, j) of a node by count others; the result is that of spread(). */
static struct point edit_node(struct gmem_block *b, uint32_t idx, unsigned int i, unsigned int j,
			      const struct point *ins, unsigned int count)
{
	struct point p[NODE_MOST_SMALL + 2];
	unsigned int n;

	if (node_replace(node(b, idx), i, j, ins, count))
		return (struct point){ 0, 0 };
	n = node_unpack(node(b, idx), p);
	memmove(&p[i + count], &p[j], (n - j) * sizeof(p[0]));
	memcpy(&p[i], ins, count * sizeof(p[0]));
	return spread(b, idx, 0, p, n - (j - i) + count);
}

/* The same with the leaf at the end of a path, and what follows from it further up. */
static void edit(struct gmem_block *b, uint32_t *root, const struct path *path, unsigned int i,
		 unsigned int j, const struct point *ins, unsigned int count)
{
	struct point entry = edit_node(b, path->idx[0], i, j, ins, count);
	unsigned int level = 0;

	while (entry.val && path->idx[level] != *root) {
		level++;
		i = path->slot[level] + 1;
		entry = edit_node(b, path->idx[level], i, i, &entry, 1);
	}
	if (entry.val) {
		const struct point both[] = { { 0, *root }, entry };

		*root = new_node(b, level + 1, both, 2);
	}
}

static void insert(struct gmem_block *b, uint32_t *root, struct point point)
{
	struct path path;
	unsigned int i;

	if (!*root) {
		*root = new_node(b, 0, &point, 1);
		return;
	}
	i = node_upto(walk(b, *root, point.key, &path), point.key);
	edit(b, root, &path, i, i, &point, 1);
}

/* Child i of n has become small: it and a neighbour become one node, or share what they have. */
static void balance(struct gmem_block *b, struct node *n, unsigned int i)
{
	unsigned int left = i + 1u < n->n ? i : i - 1, count;
	uint32_t l = n->val[left], r = n->val[left + 1];
	struct point p[NODE_MOST_SMALL + NODE_FEW], entry;

	count = node_unpack(node(b, l), p);
	count += node_unpack(node(b, r), p + count);
	if (node(b, l)->level)
		p[node(b, l)->n].key = n->key[left + 1];
	entry = spread(b, l, r, p, count);
	node_replace(n, left + 1, left + 2, &entry, entry.val != 0);
}

/* After entries of the leaf at the end of a path were removed. */
static void settle(struct gmem_block *b, uint32_t *root, const struct path *path)
{
	unsigned int level = 0;
	struct node *n;
	uint32_t old;

	for (;;) {
		old = path->idx[level];
		n = node(b, old);
		if (old == *root)
			break;
		if (n->n >= NODE_FEW)
			return;
		level++;
		balance(b, node(b, path->idx[level]), path->slot[level]);
	}
	if (n->n > (level ? 1u : 0u))
		return;
	*root = level ? n->val[0] : 0;
	gmem_cell_free(b, old);
}

/* Removes the points in [lo, hi]. */
static void erase(struct gmem_block *b, uint32_t *root, uint64_t lo, uint64_t hi)
{
	uint64_t key = lo;

	while (*root) {
		struct path path;
		struct node *n = walk(b, *root, key, &path);
		unsigned int i = node_below(n, lo), j = node_upto(n, hi);

		if (i < j) {
			/* Others may move into this leaf, so it is looked at again. */
			node_replace(n, i, j, NULL, 0);
			settle(b, root, &path);
		} else if (path.next > hi) {
			return;
		} else {
			key = path.next;
		}
	}
}

/* Whether entries [i, j) are these: nothing changes, as when a page is touched again. */
static bool points_are(const struct node *n, unsigned int i, unsigned int j, const struct point *p,
		       unsigned int count)
{
	if (count != j - i)
		return false;
	for (unsigned int k = 0; k < count; k++)
		if (node_key(n, i + k) != p[k].key || node_val(n, i + k) != p[k].val)
			return false;
	return true;
}

/* The short way: the points of the range are in one leaf, which does not become small. */
static bool set_in_leaf(struct gmem_block *b, uint32_t *root, uint64_t start, uint64_t end,
			uint32_t value)
{
	struct path path;
	struct node *n = walk(b, *root, start, &path);
	unsigned int i = node_below(n, start), j = node_upto(n, end), count = 0, left;
	uint32_t before, after;
	struct point ins[2];

	if (end >= path.next)
		return false;
	before = i ? node_val(n, i - 1) : last_before(b, *root, start).val;
	after = j ? node_val(n, j - 1) : before;
	if (before != value)
		ins[count++] = (struct point){ start, value };
	if (after != value)
		ins[count++] = (struct point){ end, after };
	if (points_are(n, i, j, ins, count))
		return true;
	left = n->n - (j - i) + count;
	if (left < NODE_FEW && path.idx[0] != *root)
		return false;
	if (left)
		edit(b, root, &path, i, j, ins, count);
	else
		gmem_range_clear(b, root);
	return true;
}

void gmem_range_set(struct gmem_block *b, uint32_t *root, uint64_t start, uint64_t end,
		    uint32_t value)
{
	const struct point points[] = { { start, value }, { end, 0 } };
	uint32_t before, after;

	if (start >= end || (!*root && !value))
		return;
	if (!*root) {
		*root = new_node(b, 0, points, 2);
		return;
	}
	if (set_in_leaf(b, root, start, end, value))
		return;
	before = start ? gmem_range_get(b, *root, start - 1) : 0;
	after = gmem_range_get(b, *root, end);
	erase(b, root, start, end);
	if (before != value)
		insert(b, root, (struct point){ start, value });
	if (after != value)
		insert(b, root, (struct point){ end, after });
}
