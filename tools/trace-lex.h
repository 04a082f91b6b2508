/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The letters of a trace: lines, words and numbers, with the place of every mistake.
 *
 * Functions that return int return 1, or 0 with *lexer.e filled in. The text need not end with a
 * null byte; nothing is read past its end.
 */
#ifndef TRACE_LEX_H
#define TRACE_LEX_H

#include <stddef.h>
#include <stdint.h>

#include "trace.h"

struct lexer {
	const char *p, *end; /* what is left of the line, its comment and newline excluded */
	const char *comment; /* "#..." up to comment_end; null if the line has none */
	const char *comment_end;
	const char *line_start;
	const char *next, *text_end; /* the lines that follow */
	uint32_t line;
	struct trace_error *e;
};

void lex_begin(struct lexer *x, const char *text, size_t length, struct trace_error *e);
/* Goes to the next line; *more is 0 if there is none. */
int lex_line(struct lexer *x, int *more);
/* Always 0: reports a mistake at that place of the line. */
int lex_fail(struct lexer *x, const char *at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

void lex_space(struct lexer *x);
/* Whether the next thing, after spaces, is this character. */
int lex_at(struct lexer *x, char c);
/* The same; if so, goes past it. */
int lex_accept(struct lexer *x, char c);
/* The same as lex_accept(), but it is a mistake if it is not. */
int lex_expect(struct lexer *x, char c, const char *after);
/* Whether a word comes next. */
int lex_at_word(struct lexer *x);
/* Reads a word; what says what is missing if there is none. */
int lex_word(struct lexer *x, char word[TRACE_MAX_NAME + 1], const char *what);
/* Whether a number comes next. */
int lex_at_number(struct lexer *x);
/* Reads a number: decimal with an optional K, M, G or T, or 0x and hexadecimal; -N is 2^64-N. */
int lex_number(struct lexer *x, uint64_t *v);

#endif
