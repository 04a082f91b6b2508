/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The subcommands of gmem(1), one file each, and what they share (cmd.c).
 */
#ifndef CMD_H
#define CMD_H

#include <argp.h>
#include <stdint.h>
#include <stdio.h>

#include "common.h"
#include "trace.h"

/* Each takes its own arguments, argv[0] being "gmem NAME", and returns the exit status. */
int cmd_replay(int argc, char **argv);
int cmd_record(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_compare(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_explore(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_locks(int argc, char **argv);
int cmd_profiles(int argc, char **argv);
int cmd_bugs(int argc, char **argv);
/* of a mounted gmemfs; mounted.h */
int cmd_create(int argc, char **argv);
int cmd_convert(int argc, char **argv);
int cmd_show(int argc, char **argv);
int cmd_bind(int argc, char **argv);
int cmd_guest_load(int argc, char **argv);
int cmd_guest_store(int argc, char **argv);
int cmd_pin(int argc, char **argv);

/* -h, which is --help. */
extern const struct argp_child help_option[2];
/* argp_parse() for a subcommand, with -h. */
void parse_options(const struct argp *argp, int argc, char **argv, void *input);
/* The same, up to the first word that is no option: what follows is another program's. */
void parse_options_in_order(const struct argp *argp, int argc, char **argv, void *input);
/* What follows "--", a program and its arguments, which are taken away; null if there is none. */
char **program_after_dashes(int *argc, char **argv);
/* The profile of that name, or an error of use that lists them all. */
const struct gmem_profile *profile_option(struct argp_state *state, const char *name);
/* The number, or an error of use: it is from least to most. */
uint64_t number_option(struct argp_state *state, const char *option, const char *s, uint64_t least,
		       uint64_t most);

/* Museum bugs that are asked for by --bug, which may be given several times. */
#define MOST_BUGS 15
#define BUG_OPTION_HELP "Put a known bug (see gmem bugs) into the model; may be repeated"
struct bugs_asked {
	const char *ids[MOST_BUGS + 1];
	int n;
};
void bug_option(struct argp_state *state, struct bugs_asked *bugs, const char *word);
/* The id that is meant by it: B39 by b39 or 39; null if none is. */
const char *bug_id(const char *word);
/*
 * The profile with them in its tables, for gmem_profile_free(); null if there are none. What it cannot
 * have is wrong use of the command, "gmem diff".
 */
struct gmem_profile *profile_with_bugs(const char *command, const struct gmem_profile *p,
				       const struct bugs_asked *bugs);

/* One line, if there are any: what the profile shipped with and has not been asked for. */
void print_bugs_left_out(FILE *f, const char *before, const struct gmem_profile *p,
			 const struct bugs_asked *bugs);

/* What messages call the file: its name, or "standard input". */
const char *shown_name(const char *path);
/* Reads a trace; if it cannot, says why on standard error and in *e, and returns 0. */
int read_trace(struct trace *t, const char *command, const char *path, struct trace_error *e);
/* The same; a trace without calls is wrong as well. */
int read_trace_with_calls(struct trace *t, const char *command, const char *path);
/* The profile to judge the trace by: the asked one, else the trace's, else the default. */
const struct gmem_profile *profile_for(const struct trace *t, const struct gmem_profile *asked);
/* The profile of the kernel that runs here: the newest that is not newer; or null. */
const struct gmem_profile *kernel_profile(void);
/* Why the trace does not concern the machine and the kernel here; null if it does. */
const char *not_of_this_kernel(const struct trace *t, struct backend_error *e);
/* "Linux 6.18.44"; free() it. */
char *kernel_release(void);

/* A result and a demand as text; free() them. */
char *result_text(uint32_t verb, const struct gmem_result *r);
char *demand_text(const struct trace *t, const struct trace_call *c);
char *call_text(const struct trace *t, const struct trace_call *c);
/* "[PUNCH-2] The promise. (kvm_gmem_punch_hole)", broken into lines that begin with indent. */
void print_clause(FILE *f, unsigned int clause, const char *indent);
/* What a row does, in words: its name and what it concerns. */
void row_words(const struct gmem_row *row, char *words, size_t size);
/* "done if" for a row that may end its table, else the row's kind. */
const char *row_kind(const struct gmem_row *row);
/* Words broken into lines of at most 100 columns that begin with indent. */
void print_wrapped(FILE *f, const char *words, const char *indent);

#endif
