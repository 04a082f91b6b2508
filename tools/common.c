/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Helpers of every tool; see common.h. Only the tools use them: the model takes its memory
 * through its own door and has nothing to say.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common.h"

void die(const char *format, ...)
{
	va_list ap;

	progress_end();
	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(EXIT_WRONG_USE);
}

void *xrealloc(void *p, size_t n, size_t size)
{
	if (size && n > SIZE_MAX / size)
		die("out of memory");
	p = realloc(p, n * size);
	if (!p && n && size)
		die("out of memory");
	return p;
}

void *xcalloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size);

	if (!p)
		die("out of memory");
	return p;
}

char *xstrndup(const char *s, size_t n)
{
	char *copy = strndup(s, n);

	if (!copy)
		die("out of memory");
	return copy;
}

void *xgrow(void *a, size_t n, size_t *room, size_t size)
{
	if (n < *room)
		return a;
	*room = *room ? 2 * *room : 16;
	return xrealloc(a, *room, size);
}

void text_begin(struct text *t)
{
	t->f = open_memstream(&t->bytes, &t->size);
	if (!t->f)
		die("out of memory");
}

char *text_end(struct text *t)
{
	if (fclose(t->f))
		die("out of memory");
	return t->bytes;
}

size_t utf8_length(const char *s, const char *end)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t i, n = *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : 2;

	if (*p < 0xc2 || *p > 0xf4 || (size_t)(end - s) < n)
		return 0;
	for (i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) ||
	    (*p == 0xf0 && p[1] < 0x90) || (*p == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

char *valid_utf8(const char *s)
{
	const char *end = s + strlen(s);
	struct text t;
	size_t n;

	text_begin(&t);
	for (; s < end; s += n ? n : 1) {
		n = *s & 0x80 ? utf8_length(s, end) : 1;
		if (n)
			fwrite(s, 1, n, t.f);
		else
			fputs("\xef\xbf\xbd", t.f);
	}
	return text_end(&t);
}

int size_number(const char *s, const char **end, uint64_t *size)
{
	static const char suffixes[] = "KMGT";
	const char *suffix;
	char *stop;

	if (*s < '0' || *s > '9')
		return 0;
	errno = 0;
	*size = strtoull(s, &stop, 0);
	if (errno)
		return 0;
	suffix = *stop ? strchr(suffixes, *stop) : NULL;
	if (suffix) {
		unsigned int shift = 10 * (unsigned int)(suffix - suffixes + 1);

		if (*size >> (64 - shift))
			return 0;
		*size <<= shift;
		stop++;
	}
	*end = stop;
	return 1;
}

double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static int progress_shown;

void progress(const char *format, ...)
{
	static double last;
	va_list ap;

	if (!isatty(STDERR_FILENO) || seconds() - last < 0.1)
		return;
	last = seconds();
	progress_shown = 1;
	fputs("\r\033[K", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fflush(stderr);
}

void progress_end(void)
{
	if (progress_shown)
		fputs("\r\033[K", stderr);
	progress_shown = 0;
}
