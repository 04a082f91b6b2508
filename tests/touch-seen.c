/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What was seen of each step (touched.h): for whoever wants to know what was not, and for whoever
 * wants to say less in model/touch.c.
 */
#include <stdio.h>
#include <string.h>

#include "common.h"
#include "touched.h"

#define MOST_NAMES 1024u

static struct seen {
	const char *name;
	uint64_t ran;
	uint64_t reads, writes, any;
	uint32_t spans[3]; /* bit: AT_... would have done for all that was seen */
} seen[MOST_NAMES];
static unsigned int nr_seen;

static struct seen *seen_of(const char *name)
{
	for (unsigned int i = 0; i < nr_seen; i++)
		if (!strcmp(seen[i].name, name))
			return &seen[i];
	if (nr_seen == MOST_NAMES)
		die("more than %u steps", MOST_NAMES);
	seen[nr_seen] = (struct seen){ .name = name, .spans = { ~0u, ~0u, ~0u } };
	return &seen[nr_seen++];
}

void touched_ran(const char *step)
{
	seen_of(step)->ran++;
}

uint64_t touched_times(const char *step)
{
	return seen_of(step)->ran;
}

void touched_saw(const char *step, const struct touched_need *n, bool is_named, uint32_t spans)
{
	struct seen *s = seen_of(step);
	unsigned int which = touched_span_of(n->place);

	*(n->write ? &s->writes : &s->reads) |= P(n->place);
	if (!is_named)
		s->any |= P(n->place);
	if (which < 3)
		s->spans[which] &= spans;
}

static void list_spans(const char *step, const char *what, uint32_t spans)
{
	printf("#   %s: %s", step, what);
	for (unsigned int i = AT_START; i <= AT_ZAP; i++)
		if (spans >> i & 1)
			printf(" %u", i);
	printf("\n");
}

static void list_places(const char *step, const char *what, uint64_t places)
{
	if (!places)
		return;
	printf("#   %s: %s", step, what);
	for (unsigned int i = 0; i < 64; i++)
		if (places >> i & 1)
			printf(" %s", touched_place_name(i));
	printf("\n");
}

void touched_report(void)
{
	static const char *const spans[] = { "inode_span", "gfn_span", "address_span" };

	for (unsigned int i = 0; i < nr_seen; i++) {
		const struct seen *s = &seen[i];
		const struct gmem_touch *t = gmem_touch_of(s->name);
		const uint8_t says[] = { t->inode_span, t->gfn_span, t->address_span };

		list_places(s->name, "does not read", t->reads & ~(s->reads | s->writes));
		list_places(s->name, "does not write", t->writes & ~s->writes);
		list_places(s->name, "not of any", t->any & ~s->any);
		for (unsigned int k = 0; k < 3; k++)
			if (says[k] == AT_ALL && s->spans[k] && s->spans[k] != ~0u)
				list_spans(s->name, spans[k], s->spans[k]);
	}
}
