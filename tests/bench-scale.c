/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the model's operations cost when there is much of everything: `make bench` runs it.
 *
 * Each line is one operation in a small world and in a large one, the two measured in turns, and
 * their ratio, which is not to be above MOST_RATIO: the cost does not grow with the size of a
 * file, and hardly with the number of memslots or of allocated ranges. Of many ranges a random one
 * is used; of many memslots the next one in turn. The line of a guest that jumps about in many
 * memslots is for information: it is mostly the machine that pays there, with cache misses, so
 * its ratio depends on who else uses the caches, and is not judged. At the end, what a copy and a hash of a small world cost.
 * Exit status 1 if a target is missed; the table says which.
 */
#include <stdbool.h>
#include <stdio.h>

#include "bench.h"
#include "calls.h"

#define PAGE GMEM_PAGE_SIZE
#define FILE_SIZE (2 * TiB)
#define MOST_RATIO 3.0
#define MOST_NS 200.0
#define MANY_SLOTS 10000u
#define MANY_RANGES 100000u
#define SPARE_SLOT 20000u
#define APART (4 * PAGE) /* from one memslot's pages or allocated page to the next */

/* Where something is used: at one of places, each APART from the one before. */
struct scene {
	struct gmem_world *w;
	int64_t vm, file;
	uint64_t places, length, random, turn, addr;
	bool in_turn;
	struct gmem_world *copy;
};

static void open_scene(struct scene *s, uint64_t places, uint64_t length)
{
	*s = (struct scene){ .places = places, .length = length, .random = 42 };
	s->w = new_world_of(&(struct gmem_config){ .checking = GMEM_CHECK_NEVER });
	s->vm = bench_must(create_vm(s->w, GMEM_VM_DEFAULT), "create_vm");
	s->file = bench_must(
		create_gmem(s->w, s->vm, FILE_SIZE, GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED),
		"create_guest_memfd");
}

static uint64_t somewhere(struct scene *s)
{
	uint64_t place = s->in_turn ? s->turn++ % s->places : bench_random(&s->random, s->places);

	return place * APART;
}

static void bind_many(struct scene *s, uint64_t n, int64_t file)
{
	uint64_t i;

	for (i = 0; i < n; i++)
		bench_must(bind_slot(s->w, s->vm, i, i * APART, PAGE, file, i * APART), "bind");
}

static void open_large(struct scene *s)
{
	open_scene(s, 1, TiB);
}

static void open_small(struct scene *s)
{
	open_scene(s, 1, PAGE);
}

static void open_slots(struct scene *s, uint64_t n)
{
	open_scene(s, n, PAGE);
	bind_many(s, n, s->file);
}

static void open_slot(struct scene *s)
{
	open_slots(s, 1);
}

static void open_many_slots(struct scene *s)
{
	open_slots(s, MANY_SLOTS);
}

/* The VM has many memslots; of the file that is used, only one. */
static void open_other_slots(struct scene *s)
{
	int64_t other;

	open_scene(s, 1, PAGE);
	other = bench_must(create_gmem(s->w, s->vm, FILE_SIZE, 0), "create_guest_memfd");
	bind_many(s, MANY_SLOTS - 1, other);
	bench_must(bind_slot(s->w, s->vm, MANY_SLOTS, TiB, PAGE, s->file, 0), "bind");
}

static void open_ranges(struct scene *s, uint64_t n)
{
	uint64_t i;

	open_scene(s, n, PAGE);
	for (i = 0; i < n; i++)
		bench_must(allocate(s->w, s->file, i * APART + 2 * PAGE, PAGE), "allocate");
}

static void open_range(struct scene *s)
{
	open_ranges(s, 1);
}

static void open_many_ranges(struct scene *s)
{
	open_ranges(s, MANY_RANGES);
}

/* Ordinary memslots, whose memory is what the host has mapped of the file. */
static void open_hosted(struct scene *s, uint64_t n)
{
	uint64_t i;

	open_scene(s, n, PAGE);
	s->addr = map(s->w, s->file, 0, n * APART);
	for (i = 0; i < n; i++)
		bench_must(call(s->w, .verb = GMEM_SET_USER_MEMORY_REGION, .fd = s->vm, .slot = i,
				.gpa = i * APART, .size = PAGE, .addr = s->addr + i * APART),
			   "set_user_memory_region");
}

static void open_hosted_slot(struct scene *s)
{
	open_hosted(s, 1);
}

static void open_many_hosted_slots(struct scene *s)
{
	open_hosted(s, MANY_SLOTS);
}

static void close_scene(struct scene *s)
{
	gmem_world_free(s->w);
	gmem_world_free(s->copy);
}

static void allocate_punch(void *arg, unsigned long n)
{
	struct scene *s = arg;
	uint64_t offset;

	while (n--) {
		offset = somewhere(s);
		bench_must(allocate(s->w, s->file, offset, s->length), "allocate");
		bench_must(punch(s->w, s->file, offset, s->length), "punch");
	}
}

static void store_punch(void *arg, unsigned long n)
{
	struct scene *s = arg;
	uint64_t where;

	while (n--) {
		where = somewhere(s);
		bench_must(store(s->w, s->addr + where, 1), "store");
		bench_must(punch(s->w, s->file, where, PAGE), "punch");
	}
}

static void bind_unbind(void *arg, unsigned long n)
{
	struct scene *s = arg;
	uint64_t where;

	while (n--) {
		where = somewhere(s) + PAGE;
		bench_must(bind_slot(s->w, s->vm, SPARE_SLOT, where, PAGE, s->file, where), "bind");
		bench_must(delete_slot(s->w, s->vm, SPARE_SLOT), "unbind");
	}
}

static void load_by_guest(void *arg, unsigned long n)
{
	struct scene *s = arg;
	struct gmem_result r;

	while (n--) {
		r = guest_load(s->w, s->vm, somewhere(s));
		bench_must(r.outcome == GMEM_VALUE ? r.value : -1, "guest_load");
	}
}

static void copy_world(void *arg, unsigned long n)
{
	struct scene *s = arg;

	while (n--)
		bench_must(-(int64_t)gmem_world_copy(s->copy, s->w), "copy");
}

static void hash_world(void *arg, unsigned long n)
{
	struct scene *s = arg;

	while (n--)
		s->random ^= gmem_world_hash(s->w);
}

enum order {
	IN_TURN,
	AT_RANDOM,
	NOT_JUDGED, /* and at random */
};

static const struct comparison {
	const char *name;
	bench_fn run;
	void (*small)(struct scene *s);
	void (*large)(struct scene *s);
	enum order order;
} comparisons[] = {
	{ "allocate + punch, 1 TiB / 4 KiB", allocate_punch, open_small, open_large, IN_TURN },
	{ "allocate + punch, 10000 slots of the file / 1", allocate_punch, open_slot,
	  open_many_slots, IN_TURN },
	{ "allocate + punch, 10000 slots of the VM / 1", allocate_punch, open_slot,
	  open_other_slots, IN_TURN },
	{ "allocate + punch, 100000 ranges / 1, random", allocate_punch, open_range,
	  open_many_ranges, AT_RANDOM },
	{ "store + punch under ordinary slots, 10000 / 1", store_punch, open_hosted_slot,
	  open_many_hosted_slots, IN_TURN },
	{ "bind + unbind, 10000 slots / 1", bind_unbind, open_slot, open_many_slots, IN_TURN },
	{ "guest load, 10000 slots / 1", load_by_guest, open_slot, open_many_slots, IN_TURN },
	{ "guest load, 10000 slots / 1, random", load_by_guest, open_slot, open_many_slots,
	  NOT_JUDGED },
};

static const struct figure {
	const char *name;
	bench_fn run;
} figures[] = {
	{ "copy of a world: 1 VM, 1 file, 1 slot", copy_world },
	{ "hash of a world: 1 VM, 1 file, 1 slot", hash_world },
};

/* 1 if the target was missed. */
static unsigned int compare(const struct comparison *c)
{
	struct scene small, large;
	struct bench_figures f;
	bool missed;

	c->small(&small);
	c->large(&large);
	small.in_turn = large.in_turn = c->order == IN_TURN;
	f = bench_two(c->run, &small, c->run, &large);
	missed = f.ratio > MOST_RATIO && c->order != NOT_JUDGED;
	printf("%-46s %9.1f %9.1f %7.2f%s\n", c->name, f.a, f.b, f.ratio,
	       missed		      ? "  MISSED" :
	       c->order == NOT_JUDGED ? "  (not judged)" :
					"");
	close_scene(&small);
	close_scene(&large);
	return missed;
}

static unsigned int measure(const struct figure *f)
{
	struct scene s;
	bool missed;
	double ns;

	open_slot(&s);
	s.copy = new_world_of(NULL);
	ns = bench_one(f->run, &s);
	missed = ns >= MOST_NS;
	printf("%-46s %9.1f%s\n", f->name, ns, missed ? "  MISSED" : "");
	close_scene(&s);
	return missed;
}

int main(void)
{
	unsigned int i, missed = 0;

	bench_title("What size costs the model", BENCH_ROUNDS);
	printf("%-46s %9s %9s %7s\n", "operation, large / small", "small ns", "large ns", "ratio");
	for (i = 0; i < sizeof(comparisons) / sizeof(comparisons[0]); i++)
		missed += compare(&comparisons[i]);
	for (i = 0; i < sizeof(figures) / sizeof(figures[0]); i++)
		missed += measure(&figures[i]);
	printf("\nTargets: ratios of at most %.0f, copy and hash below %.0f ns: %s\n", MOST_RATIO,
	       MOST_NS, missed ? "missed" : "met");
	return missed ? 1 : 0;
}
