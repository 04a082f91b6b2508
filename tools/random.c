/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Chance: xoshiro256** for seeds, and a fuzzer's bytes; and numbers that are worth trying. See
 * random.h.
 */
#include <string.h>

#include "random.h"

#define GOLDEN UINT64_C(0x9e3779b97f4a7c15)

/* One output of splitmix64 in state x. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

uint64_t random_nth_seed(uint64_t seed, uint64_t n)
{
	return n ? mix(seed + n * GOLDEN) : seed;
}

void random_seed(struct random *r, uint64_t seed)
{
	unsigned int i;

	memset(r, 0, sizeof(*r));
	for (i = 0; i < 4; i++)
		r->state[i] = mix(seed += GOLDEN);
}

void random_bytes(struct random *r, const uint8_t *bytes, size_t n)
{
	memset(r, 0, sizeof(*r));
	r->bytes = bytes;
	r->end = bytes + n;
}

int random_left(const struct random *r)
{
	return !r->bytes || r->bytes < r->end;
}

static uint64_t rotate(uint64_t x, int n)
{
	return x << n | x >> (64 - n);
}

static uint64_t next(struct random *r)
{
	uint64_t *s = r->state, result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate(s[3], 45);
	return result;
}

/* As many bytes as it takes to reach n. */
static uint64_t take(struct random *r, uint64_t n)
{
	uint64_t v = 0;

	for (n--; n; n >>= 8)
		v = v << 8 | (r->bytes < r->end ? *r->bytes++ : 0);
	return v;
}

uint64_t random_below(struct random *r, uint64_t n)
{
	return (r->bytes ? take(r, n) : next(r) >> 11) % n;
}

int random_one_in(struct random *r, uint64_t n)
{
	return random_below(r, n) == n - 1;
}

uint64_t random_odd(struct random *r)
{
	static const uint64_t numbers[] = {
		1,
		0xfff,
		0x1001,
		0x800,
		UINT64_C(1) << 47,
		(UINT64_C(1) << 52) - 0x1000,
		UINT64_C(1) << 52,
		INT64_MAX,
		INT64_MAX - 0xfff,
		UINT64_C(1) << 63,
		(UINT64_C(1) << 63) + 0x1000,
		-0x1000,
		-0x2000,
		UINT64_MAX,
	};

	return numbers[random_below(r, sizeof(numbers) / sizeof(numbers[0]))];
}

uint64_t random_offset(struct random *r, uint64_t most)
{
	uint64_t pages = most / GMEM_PAGE_SIZE < 16 ? most / GMEM_PAGE_SIZE : 16, v;

	if (random_one_in(r, 20))
		return random_odd(r);
	if (random_one_in(r, 20))
		return most + GMEM_PAGE_SIZE * random_below(r, 3);
	v = GMEM_PAGE_SIZE * random_below(r, pages + 1);
	return random_one_in(r, 40) ? v + random_below(r, GMEM_PAGE_SIZE) : v;
}

uint64_t random_length(struct random *r, uint64_t most)
{
	uint64_t pages = most / GMEM_PAGE_SIZE < 16 ? most / GMEM_PAGE_SIZE : 16, v;

	if (random_one_in(r, 20))
		return random_odd(r);
	if (random_one_in(r, 25))
		return 0;
	if (random_one_in(r, 6))
		return most;
	v = GMEM_PAGE_SIZE * (1 + random_below(r, pages ? pages : 1));
	return random_one_in(r, 40) ? v - random_below(r, GMEM_PAGE_SIZE) : v;
}

uint64_t random_bits_of(struct random *r, uint64_t known)
{
	if (random_one_in(r, 12))
		return UINT64_C(1) << random_below(r, 64);
	return random_below(r, known + 1) & known;
}
