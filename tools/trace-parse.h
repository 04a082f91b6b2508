/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parts of the parser, for each other: trace-parse.c has lines and names, trace-header.c the
 * header, trace-args.c what is between the parentheses, trace-demand.c what follows them.
 *
 * All return 1, or 0 with the lexer's error filled in.
 */
#ifndef TRACE_PARSE_H
#define TRACE_PARSE_H

#include "common.h"
#include "trace-lex.h"
#include "trace-names.h"
#include "trace.h"

struct parser {
	struct lexer x;
	struct trace *t;
	struct names *names;
	struct text pending; /* comments that belong to what comes next */
	int pending_open;
	uint8_t header;		/* HEADER_* that were seen */
	uint8_t in_par;		/* between par and end */
	struct trace_error par; /* no error: where par stands */
};

/* The rest of a header line after its word. */
int parse_header(struct parser *p, const char *word, const char *at);
/* 1 if the word begins a header line. */
int is_header(const char *word);
/* The n-th word that does, from 0; null past the last. */
const char *nth_header(unsigned int n);

/* Everything up to and with the closing parenthesis; l->call.verb and .task are set. */
int parse_args(struct parser *p, struct linked_call *l, uint32_t *fds);
/* Names joined by | and numbers, or with GMEM_P_NAME just one of either. */
int parse_names(struct parser *p, const struct gmem_name *own, const struct gmem_name *names,
		int kind, const char *what, uint64_t *v);

/* What follows "=". */
int parse_demand(struct parser *p, struct trace_call *c);

/* How many letters to insert, take away or change to get from one name to the other. */
unsigned int name_distance(const char *a, const char *b);
/* The name out of a list that looks most like the word, rather with letters more than others; null if none does. */
const char *nearest_name(const char *word, const char *(*nth)(const void *arg, unsigned int n),
			 const void *arg);
/* The same, of profiles. */
const char *nearest_profile(const char *word);

#endif
