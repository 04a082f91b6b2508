/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page ranges in a tree of cells. See ranges.h for the contract.
 *
 * A leaf holds points: from key[i] on the value is val[i], until the next point. An inner node
 * holds children: keys from key[i] on, up to key[i + 1], are in child val[i]; what is looked for
 * before key[0] would be in child 0 as well, but nothing there is below it. key[i] of an inner node
 * is a bound for routing, not necessarily a point that still exists.
 *
 * Storing a range removes every point in [start, end] and puts back at most two, so it touches
 * two paths at most, and everything between them is freed whole. Nearly all stores stay in one
 * leaf and take the short way, set_in_leaf().
 *
 * A node may be emptier than half: a small child is merged when it fits into a neighbour, and
 * otherwise left alone. Depth is bounded all the same, because only a split adds a level.
 */
#include "ranges.h"

#include <string.h>

#include "node.h"
#include "state.h"

#define NODE_FEW 6u /* below this a node looks for a neighbour to join */

struct point {
	uint64_t key;
	uint32_t val;
};

/* What an edit of one node left for its parent: a new right-hand neighbour, if it had to split. */
struct split {
	uint32_t idx;
	uint64_t key;
};

/*
 * The number of keys at or below key, where there are more than ten. A branch for each key would
 * have to guess, and in a big tree it would guess wrong in every node: so the five are found
 * first and then the place in them, all without.
 */
static unsigned int upto_of_many(const struct node *n, uint64_t key)
{
	unsigned int used = n->n, more = 0;
	unsigned int i = 5u * ((n->key[5] <= key) + (n->key[10] <= key) +
			       ((used > 15) & (n->key[15] <= key)));

	for (unsigned int k = 0; k < 5; k++)
		more += (i + k < used) & (n->key[i + k] <= key);
	return i + more;
}

/* The number of keys at or below key. */
static inline unsigned int upto(const struct node *n, uint64_t key)
{
	unsigned int i = 0;

	if (n->n > 10)
		return upto_of_many(n, key);
	while (i < n->n && n->key[i] <= key)
		i++;
	return i;
}

static inline unsigned int child_of(const struct node *n, uint64_t key)
{
	unsigned int i = upto(n, key);

	return i ? i - 1 : 0;
}

/* The leaf for key, and the bound at which the next leaf begins. */
static const struct node *find_leaf(const struct gmem_block *b, uint32_t root, uint64_t key,
				    uint64_t *next)
{
	const struct node *n = cnode(b, root);

	*next = FOREVER;
	while (n->level) {
		unsigned int i = child_of(n, key);

		if (i + 1u < n->n)
			*next = n->key[i + 1];
		n = cnode(b, n->val[i]);
	}
	return n;
}

/* The last point before key, i.e. what holds just below key; val 0 if there is none. */
static struct point point_before(const struct gmem_block *b, uint32_t idx, uint64_t key)
{
	const struct node *n = cnode(b, idx);
	struct point p = { 0, 0 };
	unsigned int i;

	if (!key)
		return p;
	if (!n->level) {
		i = upto(n, key - 1);
		return i ? (struct point){ n->key[i - 1], n->val[i - 1] } : p;
	}
	i = child_of(n, key - 1);
	p = point_before(b, n->val[i], key);
	while (!p.key && !p.val && i > 0)
		p = point_before(b, n->val[--i], key);
	return p;
}

uint32_t gmem_range_get(const struct gmem_block *b, uint32_t root, uint64_t key)
{
	const struct node *n;
	uint64_t next;
	unsigned int i;

	if (!root)
		return 0;
	n = find_leaf(b, root, key, &next);
	i = upto(n, key);
	return i ? n->val[i - 1] : point_before(b, root, key).val;
}

/* The first point at or after key. */
static bool point_from(const struct gmem_block *b, uint32_t root, uint64_t key, struct point *p)
{
	uint64_t next = key;

	do {
		const struct node *n;
		unsigned int i;

		key = next;
		n = find_leaf(b, root, key, &next);
		i = key ? upto(n, key - 1) : 0;
		if (i < n->n) {
			*p = (struct point){ n->key[i], n->val[i] };
			return true;
		}
	} while (next != FOREVER);
	return false;
}

bool gmem_range_next(const struct gmem_block *b, uint32_t root, uint64_t from,
		     struct gmem_range *range)
{
	struct point p, q;
	const struct node *n;
	uint64_t next;
	unsigned int i;

	if (!root || from == FOREVER)
		return false;
	n = find_leaf(b, root, from, &next);
	i = upto(n, from);
	p = i ? (struct point){ n->key[i - 1], n->val[i - 1] } : point_before(b, root, from);
	if (!p.val) {
		if (i < n->n)
			p = (struct point){ n->key[i], n->val[i] }, i++;
		else if (next == FOREVER || !point_from(b, root, next, &p))
			return false;
		else
			i = NODE_MAX;
	}
	/* Neighbours differ, so a point after one of value 0 has another value. */
	if (i < n->n)
		q.key = n->key[i];
	else if (!point_from(b, root, p.key + 1, &q))
		q.key = FOREVER;
	*range = (struct gmem_range){ p.key, q.key, p.val };
	return p.val != 0;
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

bool gmem_range_empty(const struct gmem_block *b, uint32_t root, uint64_t start, uint64_t end)
{
	struct gmem_range r;

	return start >= end || !gmem_range_next(b, root, start, &r) || r.start >= end;
}

static uint32_t new_node(struct gmem_block *b, unsigned int level)
{
	uint32_t idx = gmem_cell_take(b);
	struct node *n = node(b, idx);

	n->level = (uint16_t)level;
	n->n = 0;
	return idx;
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

/* Replaces entries [i, j) by count points; the caller knows that they fit. */
static void replace(struct node *n, unsigned int i, unsigned int j, const struct point *ins,
		    unsigned int count)
{
	unsigned int tail = n->n - j;

	memmove(&n->key[i + count], &n->key[j], tail * sizeof(n->key[0]));
	memmove(&n->val[i + count], &n->val[j], tail * sizeof(n->val[0]));
	for (unsigned int k = 0; k < count; k++) {
		n->key[i + k] = ins[k].key;
		n->val[i + k] = ins[k].val;
	}
	n->n = (uint16_t)(n->n - (j - i) + count);
}

/* As replace(), moving the upper half into a new node where they do not fit. */
static struct split replace_or_split(struct gmem_block *b, uint32_t idx, unsigned int i,
				     unsigned int j, const struct point *ins, unsigned int count)
{
	struct node *n = node(b, idx), *right;
	unsigned int half = n->n / 2u;
	struct split s = { 0, 0 };

	if (n->n - (j - i) + count <= NODE_MAX) {
		replace(n, i, j, ins, count);
		return s;
	}
	/* It grows by more than it loses, so j - i <= 1, and one of the halves takes all of it. */
	s.idx = new_node(b, n->level);
	right = node(b, s.idx);
	right->n = (uint16_t)(n->n - half);
	memcpy(right->key, &n->key[half], right->n * sizeof(n->key[0]));
	memcpy(right->val, &n->val[half], right->n * sizeof(n->val[0]));
	n->n = (uint16_t)half;
	if (i >= half)
		replace(right, i - half, j - half, ins, count);
	else
		replace(n, i, j, ins, count);
	s.key = right->key[0];
	return s;
}

/* Joins child i of n with its right-hand neighbour if both fit into one node. */
static bool join(struct gmem_block *b, struct node *n, unsigned int i)
{
	struct node *left, *right;
	uint32_t idx;

	if (i + 1u >= n->n)
		return false;
	idx = n->val[i + 1];
	left = node(b, n->val[i]);
	right = node(b, idx);
	if (left->n + right->n > (int)NODE_MAX)
		return false;
	if (right->level && right->n)
		right->key[0] = n->key[i + 1];
	memcpy(&left->key[left->n], right->key, right->n * sizeof(left->key[0]));
	memcpy(&left->val[left->n], right->val, right->n * sizeof(left->val[0]));
	left->n = (uint16_t)(left->n + right->n);
	replace(n, i + 1, i + 2, NULL, 0);
	gmem_cell_free(b, idx);
	return true;
}

static bool drop_if_empty(struct gmem_block *b, struct node *n, unsigned int i)
{
	if (node(b, n->val[i])->n)
		return false;
	gmem_cell_free(b, n->val[i]);
	replace(n, i, i + 1, NULL, 0);
	return true;
}

/* Lets the children around i that have become small join, and drops an empty one. */
static void tidy(struct gmem_block *b, struct node *n, unsigned int i)
{
	if (i >= n->n)
		return;
	if (drop_if_empty(b, n, i) || node(b, n->val[i])->n >= NODE_FEW)
		return;
	if (!join(b, n, i) && i > 0)
		join(b, n, i - 1);
}

/* Takes in what children i and j (j is i or i + 1) split off; the other may have emptied. */
static struct split adopt(struct gmem_block *b, uint32_t idx, unsigned int i, unsigned int j,
			  struct split s, struct split s2)
{
	struct node *n = node(b, idx);
	struct point fresh[3] = { { s.key, s.idx } };

	if (!s2.idx) {
		if (i != j)
			drop_if_empty(b, n, j);
		return replace_or_split(b, idx, i + 1, i + 1, fresh, 1);
	}
	fresh[2] = (struct point){ s2.key, s2.idx };
	if (!s.idx) {
		if (drop_if_empty(b, n, i))
			j--;
		return replace_or_split(b, idx, j + 1, j + 1, fresh + 2, 1);
	}
	fresh[1] = (struct point){ n->key[j], n->val[j] };
	return replace_or_split(b, idx, j, j + 1, fresh, 3);
}

/* Removes the points in [lo, hi] below idx and inserts ins, which lie in [lo, hi]. */
static struct split edit(struct gmem_block *b, uint32_t idx, uint64_t lo, uint64_t hi,
			 const struct point *ins, unsigned int count)
{
	struct node *n = node(b, idx);
	unsigned int i, j, k = 0;
	struct split s, s2 = { 0, 0 };

	if (!n->level)
		return replace_or_split(b, idx, lo ? upto(n, lo - 1) : 0, upto(n, hi), ins, count);
	i = child_of(n, lo);
	j = child_of(n, hi);
	if (lo < n->key[0])
		n->key[0] = lo; /* or a split of child 0 could begin below it */
	while (k < count && (i == j || ins[k].key < n->key[j]))
		k++;
	for (unsigned int m = i + 1; m < j; m++)
		free_tree(b, n->val[m]);
	s = edit(b, n->val[i], lo, hi, ins, k);
	if (i != j) {
		s2 = edit(b, n->val[j], lo, hi, ins + k, count - k);
		replace(n, i + 1, j, NULL, 0);
		j = i + 1;
	}
	if (!s.idx && !s2.idx) {
		if (i != j)
			tidy(b, n, j);
		tidy(b, n, i);
		return s;
	}
	return adopt(b, idx, i, j, s, s2);
}

static void edit_root(struct gmem_block *b, uint32_t *root, uint64_t lo, uint64_t hi,
		      const struct point *ins, unsigned int count)
{
	struct split s = edit(b, *root, lo, hi, ins, count);
	struct node *n;

	if (s.idx) {
		uint32_t left = *root;

		*root = new_node(b, node(b, left)->level + 1u);
		n = node(b, *root);
		n->n = 2;
		n->key[0] = 0;
		n->val[0] = left;
		n->key[1] = s.key;
		n->val[1] = s.idx;
		return;
	}
	for (n = node(b, *root); n->n <= 1; n = node(b, *root)) {
		uint32_t old = *root;

		if (!n->level && n->n)
			return;
		*root = n->level && n->n ? n->val[0] : 0;
		gmem_cell_free(b, old);
		if (!*root)
			return;
	}
}

/* The short way: [start, end] and the point before it are in one leaf, which stays a leaf. */
static bool set_in_leaf(struct gmem_block *b, uint32_t *root, uint64_t start, uint64_t end,
			uint32_t value)
{
	uint64_t next;
	struct node *n = (struct node *)find_leaf(b, *root, start, &next);
	struct point ins[2];
	unsigned int i = start ? upto(n, start - 1) : 0, j = i, count = 0, left;
	uint32_t before = i ? n->val[i - 1] : 0, after;
	bool is_root = n == node(b, *root);

	if (end >= next || (i == 0 && !is_root))
		return false;
	while (j < n->n && n->key[j] <= end)
		j++;
	after = j ? n->val[j - 1] : 0;
	if (before != value)
		ins[count++] = (struct point){ start, value };
	if (after != value)
		ins[count++] = (struct point){ end, after };
	left = n->n - (j - i) + count;
	if (left > NODE_MAX || (left < NODE_FEW && !is_root))
		return false;
	if (left) {
		replace(n, i, j, ins, count);
	} else {
		gmem_cell_free(b, *root);
		*root = 0;
	}
	return true;
}

void gmem_range_set(struct gmem_block *b, uint32_t *root, uint64_t start, uint64_t end,
		    uint32_t value)
{
	struct point ins[2];
	unsigned int count = 0;
	uint32_t after;

	if (start >= end || (!*root && !value))
		return;
	if (!*root)
		*root = new_node(b, 0);
	if (set_in_leaf(b, root, start, end, value))
		return;
	after = gmem_range_get(b, *root, end);
	if (point_before(b, *root, start).val != value)
		ins[count++] = (struct point){ start, value };
	if (after != value)
		ins[count++] = (struct point){ end, after };
	edit_root(b, root, start, end, ins, count);
}
