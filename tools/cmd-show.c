/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gmem show: a picture of a guest_memfd of a mounted gmemfs. A line for each thing that can be true
 * of a page, a column for each page, or for each few where there are many.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"
#include "mounted.h"

#define COLUMNS 64u

static const char *const aspects[] = { "private", "allocated", "mapped",  "guest",
				       "bound",	  "pinned",    "poisoned" };
#define NR_ASPECTS (sizeof(aspects) / sizeof(aspects[0]))

/* How many pages of each column are what. */
struct picture {
	uint64_t pages, per_column;
	uint64_t counts[NR_ASPECTS][COLUMNS];
};

static error_t on_option(int key, char *arg, struct argp_state *state)
{
	return word_option(state->input, key, arg, state);
}

static const struct argp argp = {
	.parser = on_option,
	.args_doc = "FILE",
	.doc = "Show which pages of a file of a mounted gmemfs(1) are private, allocated, mapped by "
	       "the host, mapped by a guest, bound to a memslot, pinned or poisoned.\vExit status: 0; 2 "
	       "if the use is wrong.",
};

static void count(struct picture *p, size_t aspect, uint64_t first, uint64_t end)
{
	uint64_t column, next;

	for (; first < end; first = next) {
		column = first / p->per_column;
		next = (column + 1) * p->per_column;
		if (next > end)
			next = end;
		p->counts[aspect][column] += next - first;
	}
}

static int has_word(const char *words, const char *word)
{
	size_t n = strlen(word);

	for (; *words; words += strcspn(words, ","), words += *words == ',')
		if (!strncmp(words, word, n) && (!words[n] || words[n] == ','))
			return 1;
	return 0;
}

/* A line "0+4096=private,allocated". 0 if it is none. */
static int read_run(char *line, uint64_t *first, uint64_t *end, char **words)
{
	unsigned long long offset, length;
	int at;

	if (sscanf(line, "%llu+%llu=%n", &offset, &length, &at) != 2)
		return 0;
	*first = offset / GMEM_PAGE_SIZE;
	*end = (offset + length) / GMEM_PAGE_SIZE;
	*words = line + at;
	return 1;
}

/* Where the last of them ends, in bytes. */
static uint64_t paint(struct picture *p, char *ranges)
{
	uint64_t first, end, there = 0;
	char *line, *rest, *words;
	size_t i;

	for (line = strtok_r(ranges, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (!read_run(line, &first, &end, &words) || end > p->pages)
			continue;
		for (i = 0; i < NR_ASPECTS; i++)
			if (has_word(words, aspects[i]))
				count(p, i, first, end);
		there = end * GMEM_PAGE_SIZE;
	}
	return there;
}

/* An attribute has not room for all runs of every file. */
static void paint_all(struct picture *p, int fd)
{
	uint64_t at = 0, end = p->pages * GMEM_PAGE_SIZE, next;
	char name[32], *ranges;

	while (at < end) {
		snprintf(name, sizeof(name), "ranges.%" PRIu64, at);
		ranges = mounted_attribute(fd, name);
		next = ranges ? paint(p, ranges) : at;
		free(ranges);
		if (next <= at)
			break;
		at = next;
	}
}

static void print_line(const struct picture *p, size_t aspect)
{
	uint64_t at, there, n;

	printf("%-10s", aspects[aspect]);
	for (at = 0; at * p->per_column < p->pages; at++) {
		there = p->pages - at * p->per_column;
		if (there > p->per_column)
			there = p->per_column;
		n = p->counts[aspect][at];
		putchar(n == there ? '#' : n ? '+' : '.');
	}
	putchar('\n');
}

int cmd_show(int argc, char **argv)
{
	struct words words = { .want = 1 };
	struct picture p = { .per_column = 1 };
	struct stat st;
	size_t i;
	int fd;

	parse_options(&argp, argc, argv, &words);
	fd = mounted_open(argv[0], words.w[0]);
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || !st.st_size) {
		fprintf(stderr, "%s: %s is no file that has a size\n", argv[0], words.w[0]);
		return EXIT_WRONG_USE;
	}
	p.pages = (uint64_t)st.st_size / GMEM_PAGE_SIZE;
	while (p.pages > COLUMNS * p.per_column)
		p.per_column *= 2;
	paint_all(&p, fd);
	close(fd);
	printf("%s: ", words.w[0]);
	trace_print_size(stdout, p.pages * GMEM_PAGE_SIZE);
	fputs(", a column is ", stdout);
	trace_print_size(stdout, p.per_column * GMEM_PAGE_SIZE);
	putchar('\n');
	for (i = 0; i < NR_ASPECTS; i++)
		print_line(&p, i);
	return EXIT_AS_DEMANDED;
}
