/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What every tool needs: memory that is there or ends the program, messages to standard error,
 * exit statuses.
 */
#ifndef COMMON_H
#define COMMON_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* exit statuses of gmem(1) */
#define EXIT_AS_DEMANDED 0
#define EXIT_NOT_AS_DEMANDED 1
#define EXIT_WRONG_USE 2
#define EXIT_LACKS 77

/* Ends the program with EXIT_WRONG_USE and "PROGRAM: MESSAGE". */
void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Memory, or the end of the program. */
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t n, size_t size);
char *xstrndup(const char *s, size_t n);
/* Makes room for one more: a[n] exists afterwards. room is what there was and becomes what is. */
void *xgrow(void *a, size_t n, size_t *room, size_t size);

/* A FILE that collects what is written to it; text_end() closes it and returns the text. */
struct text {
	FILE *f;
	char *bytes;
	size_t size;
};
void text_begin(struct text *t);
char *text_end(struct text *t);

/* The length of the UTF-8 sequence of several bytes at s; 0 if there is none that is valid. */
size_t utf8_length(const char *s, const char *end);

/* A copy in which each byte that is no part of a character is U+FFFD, as names of files may have. */
char *valid_utf8(const char *s);

/*
 * A line on standard error that is overwritten in place: progress for people. Nothing is written
 * where standard error is no terminal, nor more often than ten times a second.
 */
void progress(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Takes the line away. */
void progress_end(void);

/* The bytes that "64K" is; 0 if s does not begin with a size, else 1 and where that ends. */
int size_number(const char *s, const char **end, uint64_t *size);

/* Seconds since some moment. */
double seconds(void);

#endif
