/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls as a fuzzer's bytes, and back.
 *
 *	struct byte_reader b = { data, data + size };
 *
 *	bytes_to_world(&b, &world);
 *	while (bytes_to_call(&b, n, &linked))
 *		calls[n++] = linked;
 *
 * Every string of bytes is a list of calls, and a bit that flips changes one thing. A byte says the
 * verb; then come its parameters, in the order of gmem_verb_info(). A descriptor is one byte, the
 * number of the call that made it. A number is one byte if it is small, or pages, or a boundary.
 *
 * Calls that overlap come after a break, and after another one the order of their rows:
 *
 *	while (!bytes_break(&b) && bytes_to_call(&b, n, &linked))
 *		...
 *	while (bytes_to_turn(&b, &which, &rows))
 *		...
 */
#ifndef CALL_BYTES_H
#define CALL_BYTES_H

#include "backend.h"

#define BYTES_CALLS 200 /* in one input; the rest of it is not looked at */
#define BYTES_PER_CALL 160
#define BYTES_HEADER 5
#define BYTES_TASKS 4 /* in a block */
#define BYTES_ROWS 64 /* in one turn */

struct byte_reader {
	const uint8_t *at, *end;
};

struct bytes_world {
	const struct gmem_profile *profile;
	struct gmem_machine machine;
	enum gmem_checking checking;
	uint8_t explore; /* all orders of calls that overlap, too */
};

void bytes_to_world(struct byte_reader *b, struct bytes_world *w);
/* Call number n; 0 where there is none. */
int bytes_to_call(struct byte_reader *b, uint32_t n, struct linked_call *l);

/* Steps over a break; 0 where there is none. No call that can be asked looks like one. */
int bytes_break(struct byte_reader *b);
/* So many rows of the task that comes which-th in the block; 0 where there are no more. */
int bytes_to_turn(struct byte_reader *b, uint32_t *which, uint32_t *rows);

/* The inverse: each writes at most so many bytes, and returns how many. */
size_t world_to_bytes(uint8_t bytes[BYTES_HEADER], const struct bytes_world *w);
size_t call_to_bytes(uint8_t bytes[BYTES_PER_CALL], const struct linked_call *l);
size_t break_to_bytes(uint8_t bytes[1]);
size_t turn_to_bytes(uint8_t bytes[1], uint32_t which, uint32_t rows);

#endif
