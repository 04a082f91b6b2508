/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random calls, for whoever compares two answers to the same question: gmem compare, the
 * property tests, the fuzzers.
 *
 *	struct random r;
 *	struct generator g;
 *	struct linked_call l;
 *
 *	random_seed(&r, 42);
 *	generator_begin(&g, &r);
 *	for (i = 0; i < length; i++) {
 *		generator_call(&g, &l);
 *		call = backend_resolve(&l, results);
 *		... make it, results[i] is what became of it ...
 *		generator_result(&g, &results[i]);
 *	}
 *
 * The same seed and the same results give the same calls, on every machine. The calls keep to what a
 * trace can say: handles that are not used up, accesses inside a page.
 */
#ifndef RANDOM_H
#define RANDOM_H

#include <stddef.h>
#include <stdint.h>

#include "backend.h"

/* Where chance comes from: a seed, or bytes that a fuzzer chose. */
struct random {
	uint64_t state[4];
	const uint8_t *bytes, *end; /* null: from state */
};

void random_seed(struct random *r, uint64_t seed);
/* Draws from the bytes, then zeros. */
void random_bytes(struct random *r, const uint8_t *bytes, size_t n);
/* 1 if there are bytes left, or there is a seed. */
int random_left(const struct random *r);
/* 0 .. n - 1; n is above 0. */
uint64_t random_below(struct random *r, uint64_t n);
/* 1 in n times. */
int random_one_in(struct random *r, uint64_t n);
/* A number that is rarely right: a boundary, an odd alignment, one that wraps around. */
uint64_t random_odd(struct random *r);
/* A multiple of the page size up to and with most; or now and then something else. */
uint64_t random_offset(struct random *r, uint64_t most);
/* As random_offset(), but rarely 0. */
uint64_t random_length(struct random *r, uint64_t most);
/* Some of the known bits; or now and then another bit. */
uint64_t random_bits_of(struct random *r, uint64_t known);
/* The seed of trace number n out of many: the first one is the seed itself. */
uint64_t random_nth_seed(uint64_t seed, uint64_t n);

#define GENERATOR_HANDLES 24
#define GENERATOR_SLOTS 8
#define GENERATOR_TASKS 4

/* A descriptor or mapping that some task can use. */
struct generated_handle {
	int32_t from;  /* the call that made it */
	int32_t of;    /* the call that made its VM (a VM's own, a guest_memfd's); -1 for none */
	uint8_t fds;   /* GMEM_FD_*; 0: a mapping */
	uint8_t tasks; /* bit n: task n's process has it */
	uint8_t readable, stays_readable; /* a mapping; memslots are made of those that stay so */
	uint64_t size;			  /* of a guest_memfd, a mapping, a pin */
};

struct generated_slot {
	int32_t vm; /* the call that made it */
	uint64_t slot, gpa, size;
};

struct generator {
	struct random *random;
	uint64_t never; /* bits of verbs to leave out */
	uint8_t types;	/* bits of VM types to make; default: type 0 only */
	int32_t nr_calls;
	uint32_t nr_tasks, tasks; /* made so far; bits of those that are there */
	uint32_t injected;	  /* 1 more than the task whose last call was GMEM_INJECT; or 0 */
	struct linked_call last;
	struct generated_handle handles[GENERATOR_HANDLES];
	unsigned int nr_handles;
	struct generated_slot slots[GENERATOR_SLOTS];
	unsigned int nr_slots;
};

void generator_begin(struct generator *g, struct random *r);
/* Makes up the next call. */
void generator_call(struct generator *g, struct linked_call *l);
/* What became of it. */
void generator_result(struct generator *g, const struct gmem_result *r);

#endif
