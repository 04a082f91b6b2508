/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A file that will be written when a program is over. That it can be is known before; what it
 * holds already is only lost when there is something to take its place.
 */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stdbool.h>

struct output {
	const char *path;
	int fd;
	bool is_new;
};

/* 0 and errno if it cannot be written. */
int output_open(struct output *o, const char *path);
/* The descriptor, of an empty file; -1 and errno. It is the caller's. */
int output_take(struct output *o);
/* There is nothing to write. */
void output_leave(struct output *o);

#endif
