/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parts of the page that diff-html.c writes: pictures of pages, and words.
 */
#ifndef DIFF_HTML_H
#define DIFF_HTML_H

#include "diff.h"

/* What is true of which pages, in words that need no escaping. */
void strip_words(FILE *f, const struct look_strip *s);
/* The same as a picture. */
void strip_picture(FILE *f, const struct look_strip *s);

#endif
