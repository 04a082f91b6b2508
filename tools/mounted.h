/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the subcommands that work on a mounted gmemfs(1) share: their words, a file of the mount,
 * and how a refusal is told.
 */
#ifndef MOUNTED_H
#define MOUNTED_H

#include <argp.h>
#include <stdint.h>

#include "gmem.h"

#define MOST_WORDS 4

/* The arguments that are no options. */
struct words {
	const char *w[MOST_WORDS];
	int n, want; /* how many there are, and have to be */
};

/*
 * For the parser of a subcommand, of what it does not know itself: takes words, and counts them at
 * the end. ARGP_ERR_UNKNOWN for anything else.
 */
error_t word_option(struct words *words, int key, char *arg, struct argp_state *state);

/* The size in bytes, or the end of the program: an error of use. */
uint64_t size_word(const char *command, const char *what, const char *word);

/* An open file or directory of a mounted gmemfs, or the end of the program. */
int mounted_open(const char *command, const char *path);
/* The profile that it is mounted with. */
const struct gmem_profile *mounted_profile(const char *command, const char *path, int fd);
/* An extended attribute "user.gmem.NAME" as text, free() it; null if there is none. */
char *mounted_attribute(int fd, const char *name);
/* One of the profile's numbers; see gmem_profile_number(). */
uint64_t profile_number(const struct gmem_profile *p, const char *name);

/* "gmem convert: EAGAIN" on standard error, and the exit status that is due. */
int refused(const char *command, int err);

/* Makes the model's call by MOUNT_CALL; 0, or the exit status after saying why not. */
int mounted_call(const char *command, int fd, const struct gmem_call *c, struct gmem_result *r);
/* Prints what was loaded, or on standard error why nothing was done. The exit status. */
int tell_result(const char *command, uint32_t verb, const struct gmem_result *r);

#endif
