/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Timelines as pictures: for Mermaid, and as a trace for Perfetto.
 */
#ifndef DIAGRAM_H
#define DIAGRAM_H

#include <argp.h>

#include "timeline.h"

/* Those that are asked for. */
struct diagrams {
	int dot, mermaid;     /* on standard output */
	const char *perfetto; /* a file to write, or null */
};

/* The options for them, in every subcommand that draws. */
enum { DIAGRAM_DOT = 512, DIAGRAM_MERMAID, DIAGRAM_PERFETTO };
#define DIAGRAM_OPTIONS(dot)                                              \
	{ "dot", DIAGRAM_DOT, NULL, 0, dot, 0 },                          \
		{ "mermaid",                                              \
		  DIAGRAM_MERMAID,                                        \
		  NULL,                                                   \
		  0,                                                      \
		  "Print a sequence diagram for Mermaid instead of text", \
		  0 },                                                    \
	{                                                                 \
		"perfetto", DIAGRAM_PERFETTO, "FILE", 0,                  \
			"Write a timeline for ui.perfetto.dev to FILE", 0 \
	}
/* Takes such an option; 0 if it is none. */
int diagram_option(struct diagrams *d, int key, char *arg, struct argp_state *state);
/* Whether standard output is for a picture. */
int diagram_on_stdout(const struct diagrams *d);
int diagram_any(const struct diagrams *d);
/* Draws them all. */
void diagram_draw(const struct diagrams *d, const struct timeline *tl);

/*
 * A sequence diagram in Mermaid's language: a line for each task, for each lock that comes up, and
 * for each VM that is told something. Rows that are of no concern to others are one arrow.
 */
void diagram_mermaid(FILE *f, const struct timeline *tl);

/*
 * Trace events in JSON, which ui.perfetto.dev and chrome://tracing show: tracks of calls and rows, of
 * locks and waits, arrows from start to end and from who has a lock to who waits for it. A row
 * takes a millisecond.
 */
void diagram_perfetto(FILE *f, const struct timeline *tl);

#endif
