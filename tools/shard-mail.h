/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The messages that parts of one exploration send each other, in turns: of each turn, part and
 * receiver one file of a folder, which has its name when it is whole.
 */
#ifndef SHARD_MAIL_H
#define SHARD_MAIL_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct shard_mail {
	const char *path;
	uint32_t shard, shards;
	uint32_t turn; /* which, is the caller's to say */
	FILE **to;     /* of this turn, each part's file; or null */
	FILE *from;
	uint32_t next_from;
	struct message {
		uint8_t *at;
		size_t n, room;
	} * last, got; /* the last one to each; and the last that was received */
};

/* The path is not copied. */
void shard_mail_begin(struct shard_mail *m, const char *path, uint32_t shard, uint32_t shards);
void shard_mail_end(struct shard_mail *m);
void shard_mail_send(struct shard_mail *m, uint32_t to, const void *bytes, size_t size);
/* All of this turn was sent. */
void shard_mail_post(struct shard_mail *m);
/* The next message of the turn before, which all have posted; 0 if there is none. */
int shard_mail_receive(struct shard_mail *m, const void **bytes, size_t *size);

/* Text; free() it. */
char *words(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Ends the program with errno's message about the file, if that was not done. */
void must(int done, const char *name);

#endif
