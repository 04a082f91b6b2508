/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pages of a file as a picture: a strip with a box for each page or, where there are many, for each
 * run of pages of which the same is true. A box says what is true of it by its colour and by
 * letters and marks, so that it can be read without the colour.
 */
#include <string.h>

#include "diff-html.h"

#define MOST_SINGLE 16u /* pages that have a box each */
#define BOX_WIDTH 20u
#define RUN_WIDTH 40u
#define BOX_HEIGHT 20u

static int has(uint32_t bits, enum look_bit bit)
{
	return bits >> bit & 1;
}

static uint64_t pages_of(const struct look_strip *s)
{
	return s->nr_runs ? s->runs[s->nr_runs - 1].end : 0;
}

static void put_letter(FILE *f, unsigned int x, char letter)
{
	fprintf(f, "<text x=\"%u\" y=\"12\">%c</text>", x, letter);
}

static void put_box(FILE *f, unsigned int x, unsigned int width, uint32_t bits)
{
	const char *kind = has(bits, LOOK_PRIVATE) ? "private" : "shared";

	fprintf(f, "<rect class=\"%s%s\" x=\"%u.5\" y=\".5\" width=\"%u\" height=\"%u\"/>", kind,
		has(bits, LOOK_ALLOCATED) ? " there" : "", x, width - 2, BOX_HEIGHT - 5);
	if (has(bits, LOOK_PRIVATE))
		fprintf(f, "<path class=\"fold\" d=\"M%u.5 .5h7l-7 7z\"/>", x);
	if (has(bits, LOOK_HOST))
		put_letter(f, x + 1, 'h');
	if (has(bits, LOOK_PINNED))
		put_letter(f, x + width / 2 - 4, 'p');
	if (has(bits, LOOK_GUEST))
		put_letter(f, x + width - 9, 'g');
	if (has(bits, LOOK_POISONED))
		fprintf(f, "<path class=\"poison\" d=\"M%u 1l%u %uM%u 1l-%u %u\"/>", x + 1,
			width - 3, BOX_HEIGHT - 6, x + width - 2, width - 3, BOX_HEIGHT - 6);
	if (has(bits, LOOK_BOUND))
		fprintf(f, "<path class=\"bound\" d=\"M%u %uh%u\"/>", x, BOX_HEIGHT - 1, width - 1);
}

/* "0 to 4K private, allocated" */
void strip_words(FILE *f, const struct look_strip *s)
{
	uint32_t i, bit;

	if (!s->nr_runs)
		fputs(s->there ? "empty" : "gone", f);
	for (i = 0; i < s->nr_runs; i++) {
		const struct look_run *r = &s->runs[i];

		fputs(i ? "; " : "", f);
		trace_print_size(f, r->first * GMEM_PAGE_SIZE);
		fputs(" to ", f);
		trace_print_size(f, r->end * GMEM_PAGE_SIZE);
		fprintf(f, " %s", has(r->bits, LOOK_PRIVATE) ? "private" : "shared");
		for (bit = LOOK_ALLOCATED; bit < LOOK_BITS; bit++)
			if (has(r->bits, bit))
				fprintf(f, ", %s", look_names[bit]);
	}
	if (s->more)
		fputs("; and more", f);
}

/* Where they are not of one page each, boxes say how much they are. */
static void put_run(FILE *f, unsigned int x, const struct look_run *r)
{
	put_box(f, x, RUN_WIDTH, r->bits);
	fprintf(f, "<text class=\"size\" x=\"%u\" y=\"%u\">", x + RUN_WIDTH / 2, BOX_HEIGHT + 9);
	trace_print_size(f, (r->end - r->first) * GMEM_PAGE_SIZE);
	fputs("</text>", f);
}

void strip_picture(FILE *f, const struct look_strip *s)
{
	uint64_t pages = pages_of(s), page;
	int single = pages <= MOST_SINGLE && !s->more;
	unsigned int nr = single ? (unsigned int)pages : s->nr_runs, x = 0;
	unsigned int step = single ? BOX_WIDTH : RUN_WIDTH;
	uint32_t i;

	fprintf(f,
		"<svg role=\"img\" width=\"%u\" height=\"%u\" viewBox=\"0 0 %u %u\" class=\"strip\"><title>",
		nr * step + (s->more ? 12 : 0), BOX_HEIGHT + (single ? 0 : 11),
		nr * step + (s->more ? 12 : 0), BOX_HEIGHT + (single ? 0 : 11));
	strip_words(f, s);
	fputs("</title>", f);
	for (i = 0; i < s->nr_runs; i++) {
		const struct look_run *r = &s->runs[i];

		if (!single) {
			put_run(f, x, r);
			x += RUN_WIDTH;
		}
		for (page = r->first; single && page < r->end; page++, x += BOX_WIDTH)
			put_box(f, x, BOX_WIDTH, r->bits);
	}
	if (s->more)
		fprintf(f, "<text class=\"more\" x=\"%u\" y=\"12\">...</text>", x);
	fputs("</svg>", f);
}
