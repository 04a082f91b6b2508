/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines, words and numbers of a trace; see trace-lex.h.
 *
 * A line is looked at byte by byte before anything in it is read, so that what comes after may
 * rely on it: printable ASCII and tabs, and valid UTF-8 in the comment.
 */
#include <stdarg.h>
#include <string.h>

#include "common.h"
#include "trace-lex.h"

void lex_begin(struct lexer *x, const char *text, size_t length, struct trace_error *e)
{
	memset(x, 0, sizeof(*x));
	x->next = text;
	x->text_end = text + length;
	x->line_start = text;
	x->e = e;
}

int lex_fail(struct lexer *x, const char *at, const char *format, ...)
{
	va_list ap;

	x->e->line = x->line;
	x->e->column = at - x->line_start + 1;
	va_start(ap, format);
	vsnprintf(x->e->reason, sizeof(x->e->reason), format, ap);
	va_end(ap);
	return 0;
}

static int bad_byte(struct lexer *x, const char *p)
{
	unsigned char c = *p;

	if (!c)
		return lex_fail(x, p, "a NUL byte: this is not a text file");
	if (c == '\r')
		return lex_fail(x, p, "a carriage return: lines end with a newline alone");
	if (c < 0x80)
		return lex_fail(x, p, "control character 0x%02x", c);
	if (x->comment)
		return lex_fail(x, p, "byte 0x%02x: not valid UTF-8", c);
	return lex_fail(x, p, "byte 0x%02x: outside comments there is only ASCII", c);
}

/* Looks at the bytes of the line from p to end, and finds its comment. */
static int look_at(struct lexer *x, const char *p, const char *end)
{
	x->end = end;
	x->comment = NULL;
	x->comment_end = end;
	while (p < end) {
		size_t n = 1;

		if (*p == '#' && !x->comment)
			x->comment = x->end = p;
		if (*p & 0x80 && x->comment)
			n = utf8_length(p, end);
		else if (*p & 0x80 || (*p < ' ' && *p != '\t') || *p == 0x7f)
			n = 0;
		if (!n)
			return bad_byte(x, p);
		p += n;
	}
	return 1;
}

int lex_line(struct lexer *x, int *more)
{
	const char *start = x->next, *end;
	size_t left = x->text_end - start;

	*more = left > 0;
	if (!*more)
		return 1;
	x->line++;
	x->line_start = x->p = start;
	end = memchr(start, '\n', left < TRACE_MAX_LINE + 1 ? left : TRACE_MAX_LINE + 1);
	if (!end && left > TRACE_MAX_LINE)
		return look_at(x, start, start + TRACE_MAX_LINE) &&
		       lex_fail(x, start + TRACE_MAX_LINE, "a line has at most %d bytes",
				TRACE_MAX_LINE);
	if (x->line > TRACE_MAX_LINES)
		return lex_fail(x, start, "a trace has at most %d lines", TRACE_MAX_LINES);
	if (!end)
		end = x->text_end;
	x->next = end + (end < x->text_end);
	return look_at(x, start, end);
}

void lex_space(struct lexer *x)
{
	while (x->p < x->end && (*x->p == ' ' || *x->p == '\t'))
		x->p++;
}

int lex_at(struct lexer *x, char c)
{
	lex_space(x);
	return x->p < x->end && *x->p == c;
}

int lex_accept(struct lexer *x, char c)
{
	int there = lex_at(x, c);

	x->p += there;
	return there;
}

int lex_expect(struct lexer *x, char c, const char *after)
{
	if (lex_accept(x, c))
		return 1;
	if (x->p == x->end)
		return lex_fail(x, x->p, "the line ends where '%c' should follow %s", c, after);
	return lex_fail(x, x->p, "'%c' where '%c' should follow %s", *x->p, c, after);
}

static int is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

int lex_at_word(struct lexer *x)
{
	lex_space(x);
	return x->p < x->end && is_letter(*x->p);
}

int lex_word(struct lexer *x, char word[TRACE_MAX_NAME + 1], const char *what)
{
	const char *start;
	size_t n;

	if (!lex_at_word(x)) {
		if (x->p == x->end)
			return lex_fail(x, x->p, "the line ends where %s should be", what);
		return lex_fail(x, x->p, "'%c' where %s should be", *x->p, what);
	}
	start = x->p;
	while (x->p < x->end && (is_letter(*x->p) || is_digit(*x->p)))
		x->p++;
	n = x->p - start;
	if (n > TRACE_MAX_NAME)
		return lex_fail(x, start, "a word of %zu characters; the most is %d", n,
				TRACE_MAX_NAME);
	memcpy(word, start, n);
	word[n] = 0;
	return 1;
}

int lex_at_number(struct lexer *x)
{
	lex_space(x);
	return x->p < x->end &&
	       (is_digit(*x->p) || (*x->p == '-' && x->p + 1 < x->end && is_digit(x->p[1])));
}

/* The value of a digit in that base; 99 if it is none. */
static unsigned int digit(char c, unsigned int base)
{
	unsigned int v = 99;

	if (is_digit(c))
		v = c - '0';
	else if (c >= 'a' && c <= 'f')
		v = c - 'a' + 10;
	else if (c >= 'A' && c <= 'F')
		v = c - 'A' + 10;
	return v < base ? v : 99;
}

/* Digits in that base. */
static int digits(struct lexer *x, unsigned int base, uint64_t *v)
{
	const char *start = x->p;

	for (*v = 0; x->p < x->end && digit(*x->p, base) != 99; x->p++)
		if (__builtin_mul_overflow(*v, base, v) ||
		    __builtin_add_overflow(*v, digit(*x->p, base), v))
			return lex_fail(x, start, "number out of range: the largest is 2^64-1");
	if (x->p == start)
		return lex_fail(x, start, "no digits after 0x");
	return 1;
}

static int suffix(struct lexer *x, const char *start, uint64_t *v)
{
	static const char suffixes[] = "KMGT";
	const char *s = NULL;
	int n = 0;

	while (x->p + n < x->end && (is_letter(x->p[n]) || is_digit(x->p[n])))
		n++;
	if (!n)
		return 1;
	if (n == 1)
		s = memchr(suffixes, *x->p, 4);
	if (!s)
		return lex_fail(x, x->p, "unknown suffix '%.*s': suffixes are K, M, G and T",
				n > TRACE_MAX_NAME ? TRACE_MAX_NAME : n, x->p);
	x->p++;
	if (__builtin_mul_overflow(*v, UINT64_C(1) << 10 * (s - suffixes + 1), v))
		return lex_fail(x, start, "number out of range: the largest is 2^64-1");
	return 1;
}

int lex_number(struct lexer *x, uint64_t *v)
{
	int negative = lex_accept(x, '-');
	const char *start = x->p;

	if (x->end - x->p >= 2 && x->p[0] == '0' && (x->p[1] == 'x' || x->p[1] == 'X')) {
		x->p += 2;
		if (!digits(x, 16, v))
			return 0;
	} else {
		if (x->end - x->p >= 2 && x->p[0] == '0' && is_digit(x->p[1]))
			return lex_fail(x, start, "a decimal number does not begin with 0");
		if (!digits(x, 10, v) || !suffix(x, start, v))
			return 0;
	}
	if (x->p < x->end && (is_letter(*x->p) || is_digit(*x->p)))
		return lex_fail(x, x->p, "'%c' in a number", *x->p);
	if (negative && *v > UINT64_C(1) << 63)
		return lex_fail(x, start - 1, "number out of range: the smallest is -2^63");
	if (negative)
		*v = -*v;
	return 1;
}
