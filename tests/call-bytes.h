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
 */
#ifndef CALL_BYTES_H
#define CALL_BYTES_H

#include "backend.h"

#define BYTES_CALLS 200 /* in one input; the rest of it is not looked at */
#define BYTES_PER_CALL 160
#define BYTES_HEADER 5

struct byte_reader {
	const uint8_t *at, *end;
};

struct bytes_world {
	const struct gmem_profile *profile;
	struct gmem_machine machine;
	enum gmem_checking checking;
};

void bytes_to_world(struct byte_reader *b, struct bytes_world *w);
/* Call number n; 0 where there is none. */
int bytes_to_call(struct byte_reader *b, uint32_t n, struct linked_call *l);

/* The inverse: each writes at most so many bytes, and returns how many. */
size_t world_to_bytes(uint8_t bytes[BYTES_HEADER], const struct bytes_world *w);
size_t call_to_bytes(uint8_t bytes[BYTES_PER_CALL], const struct linked_call *l);

#endif
