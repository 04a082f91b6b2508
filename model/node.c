/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Filling a node of a range tree: in place, or anew in the narrowest shape that holds the entries.
 * What the shapes are is in node.h.
 *
 * A node is packed anew when what comes does not fit into it as it is: for a key, for a value, or
 * for want of room. So it does not change its shape to and fro; one that could be narrower by now
 * stays as it is until it is full.
 */
#include "node.h"

#include <string.h>

static const uint8_t room[] = { NODE_MOST_WIDE, NODE_MOST_NEAR, NODE_MOST_SMALL };

static bool are_small(const struct point *p, unsigned int count)
{
	uint32_t all = 0;

	for (unsigned int i = 0; i < count; i++)
		all |= p[i].val;
	return all <= UINT8_MAX;
}

static enum node_shape shape_for(unsigned int level, const struct point *p, unsigned int count)
{
	bool near = !level && p[count - 1].key - p[0].key < NODE_SPAN;

	if (near && count <= NODE_MOST_SMALL && are_small(p, count))
		return NODE_SMALL;
	if (near && count <= NODE_MOST_NEAR)
		return NODE_NEAR;
	return count <= NODE_MOST_WIDE ? NODE_WIDE : NODE_NO_SHAPE;
}

/*
 * Two nodes hold what comes here: the entries of one, and the two points of a store among them or
 * the fewer than NODE_FEW entries of a neighbour beside them.
 *
 *  - Up to 40 are two wide nodes. More are those of a small leaf and the new ones.
 *  - If the new ones are among those of the leaf, all keys are near: 50 are two near leaves.
 *  - If they come first or last, they are within the 20 at that end, a wide leaf. What is left was
 *    in the small leaf, so it is one.
 *
 * Both get 10 entries at least: 20 are one node, and of 40 and fewer each gets half.
 */
unsigned int node_cut(unsigned int level, const struct point *p, unsigned int count)
{
	const unsigned int cuts[] = { count / 2, NODE_MOST_WIDE, count - NODE_MOST_WIDE };
	unsigned int i = 0;

	if (shape_for(level, p, count) != NODE_NO_SHAPE)
		return 0;
	while (i < 2 && (shape_for(level, p, cuts[i]) == NODE_NO_SHAPE ||
			 shape_for(level, p + cuts[i], count - cuts[i]) == NODE_NO_SHAPE))
		i++;
	return cuts[i];
}

static void put(struct node *n, unsigned int i, struct point p)
{
	if (n->shape == NODE_WIDE) {
		n->key[i] = p.key;
		n->val[i] = p.val;
		return;
	}
	n->delta[i] = (uint32_t)(p.key - n->base);
	if (n->shape == NODE_NEAR)
		n->near[i] = p.val;
	else
		n->small[i] = (uint8_t)p.val;
}

/* The keys of [i, j) become those that mean no entry: in every shape, nothing but set bits. */
static void blank(struct node *n, unsigned int i, unsigned int j)
{
	if (i >= j)
		return;
	if (n->shape == NODE_WIDE)
		memset(&n->key[i], 0xff, (j - i) * sizeof(n->key[0]));
	else
		memset(&n->delta[i], 0xff, (j - i) * sizeof(n->delta[0]));
}

/* The middle of the keys is in the middle of the span, as far as may be: there is room around. */
static uint64_t base_for(const struct point *p, unsigned int count)
{
	uint64_t middle = p[0].key + (p[count - 1].key - p[0].key) / 2;

	if (middle <= NODE_SPAN / 2)
		return 0;
	middle -= NODE_SPAN / 2;
	return middle < UINT64_MAX - NODE_SPAN ? middle : UINT64_MAX - NODE_SPAN;
}

void node_pack(struct node *n, const struct point *p, unsigned int count)
{
	n->shape = (uint8_t)shape_for(n->level, p, count);
	n->n = (uint8_t)count;
	n->base = base_for(p, count);
	blank(n, count, room[n->shape]);
	for (unsigned int i = 0; i < count; i++)
		put(n, i, p[i]);
}

unsigned int node_unpack(const struct node *n, struct point *p)
{
	for (unsigned int i = 0; i < n->n; i++)
		p[i] = node_point(n, i);
	return n->n;
}

static bool fits(const struct node *n, struct point p)
{
	return n->shape == NODE_WIDE || (p.key >= n->base && p.key - n->base < NODE_SPAN &&
					 (n->shape == NODE_NEAR || p.val <= UINT8_MAX));
}

/* Moves what begins at entry j to where entry i is. */
static void move(struct node *n, unsigned int i, unsigned int j)
{
	unsigned int tail = n->n - j;

	if (n->shape == NODE_WIDE) {
		memmove(&n->key[i], &n->key[j], tail * sizeof(n->key[0]));
		memmove(&n->val[i], &n->val[j], tail * sizeof(n->val[0]));
		return;
	}
	memmove(&n->delta[i], &n->delta[j], tail * sizeof(n->delta[0]));
	if (n->shape == NODE_NEAR)
		memmove(&n->near[i], &n->near[j], tail * sizeof(n->near[0]));
	else
		memmove(&n->small[i], &n->small[j], tail * sizeof(n->small[0]));
}

bool node_replace(struct node *n, unsigned int i, unsigned int j, const struct point *ins,
		  unsigned int count)
{
	unsigned int total = n->n - (j - i) + count;

	if (total > room[n->shape])
		return false;
	for (unsigned int k = 0; k < count; k++)
		if (!fits(n, ins[k]))
			return false;
	if (i + count != j)
		move(n, i + count, j);
	for (unsigned int k = 0; k < count; k++)
		put(n, i + k, ins[k]);
	blank(n, total, n->n);
	n->n = (uint8_t)total;
	return true;
}

/* Where the keys end that mean no entry: behind the last that the shape has room for. */
static const unsigned char *end_of_keys(const struct node *n)
{
	return n->shape == NODE_WIDE ? (const unsigned char *)&n->key[NODE_MOST_WIDE] :
				       (const unsigned char *)&n->delta[room[n->shape]];
}

/* Keys are in order: of those of entries, only the last could be the one that means none. */
static bool is_blank_behind(const struct node *n)
{
	bool wide = n->shape == NODE_WIDE;
	const void *tail = wide ? (const void *)&n->key[n->n] : (const void *)&n->delta[n->n];
	size_t size = (size_t)(end_of_keys(n) - (const unsigned char *)tail);
	const unsigned char *byte = tail;

	if (wide ? n->key[n->n - 1] == UINT64_MAX : n->delta[n->n - 1] == NODE_SPAN)
		return false;
	return !size || (*byte == 0xff && !memcmp(byte, byte + 1, size - 1));
}

const char *node_wrong(const struct node *n)
{
	if (n->shape >= NODE_NO_SHAPE || (n->level && n->shape != NODE_WIDE))
		return "a node has a wrong shape";
	if (!n->n || n->n > room[n->shape])
		return "a node is empty or overfull";
	if (n->level && n->key[0])
		return "an inner node does not begin at 0";
	for (unsigned int i = 1; i < n->n; i++)
		if (node_key(n, i) <= node_key(n, i - 1))
			return "keys are not in order";
	return is_blank_behind(n) ? NULL : "a key is where there is no entry";
}
