/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the parts of one exploration send each other, in files of a folder that all of them have.
 *
 *	struct shard_folder *f = shard_folder_open("FOLDER", 2, 16, header);
 *
 *	if (f)
 *		bounds.exchange = shard_folder_exchange(f);
 *	... gmem_explore()
 *	shard_folder_close(f);
 */
#ifndef SHARD_FOLDER_H
#define SHARD_FOLDER_H

#include <stdint.h>

#include "gmem.h"

struct shard_folder;

/*
 * Joins the other parts. The header is text that all of them must have the same, in lines of a name
 * and what it is. Null if that cannot be: standard error says why.
 */
struct shard_folder *shard_folder_open(const char *path, uint32_t shard, uint32_t shards,
				       const char *header);
void shard_folder_close(struct shard_folder *f);
const struct gmem_exchange *shard_folder_exchange(struct shard_folder *f);
/* Until which moment, as of seconds(), to wait for others; 0: for ever. */
void shard_folder_wait_until(struct shard_folder *f, double until);
/* This part ends all: it "found something". */
void shard_folder_end(struct shard_folder *f, const char *why);
/* Asked now and then: 1 if another part has ended all. */
int shard_folder_is_over(struct shard_folder *f);
/* Why another part has ended all, such as "part 3 found something"; null if none has. */
const char *shard_folder_why(const struct shard_folder *f);

#endif
