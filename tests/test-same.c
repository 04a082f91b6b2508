/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Worlds of one hash go on in the same way: whatever is left out of the hash, nobody can tell.
 *
 * From a world, with an alphabet of a few calls of two tasks, states are gone on from: by each call
 * as a whole; or by the beginning of each, and by the next row of each task. What comes of that is
 * remembered for the first state of a hash. A state that has the same hash, and came about
 * otherwise, has to answer everything alike, and to come to the same hashes; and then to go on
 * alike, in some order, until all is over. Worlds and alphabets are random, but for those where it takes
 * luck to see that a member is missing.
 *
 * GMEM_TEST_SCALE makes it shorter or longer (percent).
 */
#include <string.h>

#include "calls.h"
#include "random.h"
#include "same-alphabets.h"

#define MOST_STATES 1600u
#define MOST_BY_CHANCE 250u
#define LETTERS 12u
#define LETTERS_THAT_OVERLAP 3u
#define TASKS 2u
#define MOST_TOGETHER 60
/* Acts: a row of each task; of each letter the whole call, and its beginning. */
#define WHOLE(letter) (TASKS + 2 * (letter))
#define BEGINS(letter) (WHOLE(letter) + 1)
#define ACTS WHOLE(LETTERS)
#define PLACES 4096u /* of the table of hashes: a power of 2 */

struct answer {
	uint64_t said, hash;
};

struct state {
	struct gmem_world *w;
	uint64_t hash;
	uint32_t from, act; /* how it came about */
	uint32_t begun;	    /* acts that began a call: each does so once */
	int known;	    /* the answers are */
	struct answer answers[ACTS];
};

struct round {
	struct random *r;
	const struct gmem_profile *profile;
	struct gmem_call alphabet[LETTERS];
	uint32_t letters, most; /* of states */
	int overlap;		/* calls are begun; else they are made as wholes */
	struct state states[MOST_STATES];
	uint32_t n, places[PLACES]; /* number of the state and 1, by hash */
	struct gmem_world *next, *other;
};

static unsigned long met_again;

/* ---- alphabets by chance ---- */

static void make_alphabet(struct round *round)
{
	const uint64_t theme = random_below(round->r, 3);

	round->overlap = (int)random_below(round->r, 2);
	round->letters = round->overlap ? LETTERS_THAT_OVERLAP : LETTERS;
	for (uint32_t i = 0; i < round->letters; i++) {
		const int64_t fd = 5 + (int64_t)random_below(round->r, 2);
		struct gmem_call *c = &round->alphabet[i];

		*c = theme == 0 || (theme == 1 && random_below(round->r, 2)) ?
			     host_call(round->r, fd) :
		     random_below(round->r, 2) ? file_call(round->r, fd) :
						 guest_call(round->r, fd);
		if (c->verb != GMEM_FORK && c->verb != GMEM_EXIT)
			c->task = i % TASKS;
	}
}

/* ---- what is done ---- */

static uint64_t mixed(uint64_t h, const void *p, size_t size)
{
	const uint64_t *words = p;

	for (; size >= sizeof(*words); size -= sizeof(*words)) {
		h = (h ^ *words++) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 29;
	}
	return h;
}

static int is_whole(uint32_t n)
{
	return n >= TASKS && (n - TASKS) % 2 == 0;
}

/* Null: a row. */
static const struct gmem_call *call_of(const struct round *round, uint32_t n)
{
	return n < TASKS ? NULL : &round->alphabet[(n - TASKS) / 2];
}

/* Does act number n in w; what was said, or 0 where there is nothing to be done. */
static uint64_t act(const struct round *round, struct gmem_world *w, uint32_t n)
{
	const struct gmem_call *c = call_of(round, n);
	enum gmem_progress progress = GMEM_RAN;
	struct gmem_result r;
	enum gmem_status status;

	memset(&r, 0, sizeof(r));
	if (!c) {
		if (!gmem_task_runs(w, n))
			return 0;
		status = gmem_step(w, n, &progress, &r);
	} else {
		status = is_whole(n) ? gmem_call(w, c, &r) : gmem_begin(w, c);
	}
	assert_true(status == GMEM_DONE || status == GMEM_MISUSE);
	return mixed((uint64_t)status << 8 | progress << 4 | 1, &r, sizeof(r));
}

/* What is said of a world without doing anything. */
static uint64_t asked(const struct gmem_world *w)
{
	struct gmem_task_lock lock, held;
	uint64_t h = 1;

	for (uint32_t t = 0; t < TASKS; t++) {
		memset(&lock, 0, sizeof(lock));
		h = 3 * h + (uint64_t)gmem_task_can_step(w, t);
		h = 3 * h + (uint64_t)gmem_task_waits(w, t, &lock);
		h = 3 * h + (uint64_t)gmem_task_waits_for(w, t, !t, &held);
		h = 3 * h + lock.class;
	}
	return h;
}

/* ---- states ---- */

static void show_act(const struct round *round, uint32_t n)
{
	const struct gmem_call *c = call_of(round, n);

	if (c)
		print_error(
			"#  task %u: %s%s(fd %lld, memfd %lld, slot %llu, cap %llu, size %llu, "
			"flags %llu, gpa %#llx, addr %#llx, offset %llu, mode %llu, value %llu)\n",
			c->task, is_whole(n) ? "" : "begins ", gmem_verb_info(c->verb)->name,
			(long long)c->fd, (long long)c->memfd, (unsigned long long)c->slot,
			(unsigned long long)c->cap, (unsigned long long)c->size,
			(unsigned long long)c->flags, (unsigned long long)c->gpa,
			(unsigned long long)c->addr, (unsigned long long)c->offset,
			(unsigned long long)c->mode, (unsigned long long)c->value);
	else
		print_error("#  task %u: a row\n", n);
}

static void show_way(const struct round *round, uint32_t state)
{
	const struct state *s = &round->states[state];

	if (!state)
		return;
	show_way(round, s->from);
	show_act(round, s->act);
}

/* The number of the state with that hash; or of none: where it would be in the table. */
static uint32_t *find_place(struct round *round, uint64_t hash)
{
	uint32_t i = hash % PLACES;

	while (round->places[i] && round->states[round->places[i] - 1].hash != hash)
		i = (i + 1) % PLACES;
	return &round->places[i];
}

static void add_state(struct round *round, struct gmem_world *w, uint32_t from, uint32_t n)
{
	struct state *s = &round->states[round->n];
	const struct gmem_config config = { .profile = round->profile };

	if (!s->w)
		s->w = new_world_of(&config);
	assert_int_equal(gmem_world_copy(s->w, w), GMEM_DONE);
	s->hash = gmem_world_hash(w);
	s->from = from;
	s->act = n;
	s->begun = round->n ? round->states[from].begun : 0;
	if (n >= TASKS && !is_whole(n))
		s->begun |= 1u << n;
	s->known = 0;
	*find_place(round, s->hash) = ++round->n;
}

static struct answer answer_of(struct round *round, const struct gmem_world *w, uint32_t n)
{
	struct answer a;

	assert_int_equal(gmem_world_copy(round->other, w), GMEM_DONE);
	a.said = act(round, round->other, n);
	a.hash = gmem_world_hash(round->other);
	return a;
}

/* How w answers to each act. */
static void ask_everything(struct round *round, const struct gmem_world *w, struct answer *answers)
{
	for (uint32_t n = 0; n < WHOLE(round->letters); n++)
		answers[n] = answer_of(round, w, n);
}

static void show_difference(const struct round *round, const struct state *s, uint32_t from,
			    uint32_t n, uint32_t differs)
{
	print_error("# worlds of one hash, on %s:\n", gmem_profile_name(round->profile));
	show_way(round, (uint32_t)(s - round->states));
	print_error("# or\n");
	show_way(round, from);
	show_act(round, n);
	print_error("# and what goes on differently is\n");
	if (differs < WHOLE(round->letters))
		show_act(round, differs);
	else
		print_error("#  a question, or what comes later\n");
}

/* What is under way goes on to its end, in some order, and a call more is made; true if both agree. */
static int go_on_together(struct round *round, struct gmem_world *a, struct gmem_world *b)
{
	uint32_t n = TASKS;

	for (int i = 0; i < MOST_TOGETHER && n < WHOLE(round->letters); i++) {
		if (gmem_task_runs(a, 0) || gmem_task_runs(a, 1))
			n = (uint32_t)random_below(round->r, TASKS);
		else
			n = WHOLE((uint32_t)random_below(round->r, round->letters + 1));
		if (n < WHOLE(round->letters) && act(round, a, n) != act(round, b, n))
			return 0;
	}
	return gmem_world_hash(a) == gmem_world_hash(b);
}

/* round->next, to which act n led from a state, has the hash of another one. */
static void compare(struct round *round, struct state *s, uint32_t from, uint32_t n)
{
	const uint32_t acts = WHOLE(round->letters);
	struct answer answers[ACTS];
	uint32_t differs = 0;

	met_again++;
	if (!s->known)
		ask_everything(round, s->w, s->answers);
	s->known = 1;
	ask_everything(round, round->next, answers);
	while (differs < acts && !memcmp(&answers[differs], &s->answers[differs], sizeof(*answers)))
		differs++;
	assert_int_equal(gmem_world_copy(round->other, s->w), GMEM_DONE);
	if (differs == acts && asked(round->next) == asked(s->w) &&
	    gmem_world_equal(round->next, s->w) && go_on_together(round, round->next, round->other))
		return;
	show_difference(round, s, from, n, differs);
	fail_msg("worlds of one hash go on differently");
}

static void go_on_by(struct round *round, uint32_t from, uint32_t n)
{
	uint32_t place;

	assert_int_equal(gmem_world_copy(round->next, round->states[from].w), GMEM_DONE);
	if (!act(round, round->next, n))
		return;
	place = *find_place(round, gmem_world_hash(round->next));
	if (!place)
		add_state(round, round->next, from, n);
	else
		compare(round, &round->states[place - 1], from, n);
}

static void go_on(struct round *round)
{
	for (uint32_t from = 0; from < round->n; from++)
		for (uint32_t n = 0; n < WHOLE(round->letters) && round->n < round->most; n++)
			if ((n < TASKS || is_whole(n) != round->overlap) &&
			    !(round->states[from].begun >> n & 1))
				go_on_by(round, from, n);
}

/* ---- rounds ---- */

/* A VM, a file of it that is bound and may be mapped, two pages of private memory, two tasks. */
static void open_world(struct gmem_world *w, uint64_t type, uint64_t flags, uint32_t verb)
{
	const struct gmem_call calls[] = {
		{ .verb = GMEM_CREATE_VM, .fd = GMEM_KVM_FD, .type = type },
		{ .verb = GMEM_CREATE_GUEST_MEMFD, .fd = 4, .size = 2 * PAGE, .flags = flags },
		{ .verb = GMEM_MMAP, .fd = 5, .length = 2 * PAGE, SHARED_RW },
		{ .verb = GMEM_MMAP,
		  .fd = -1,
		  .addr = ADDR + 2 * PAGE,
		  .length = 2 * PAGE,
		  .prot = GMEM_PROT_READ | GMEM_PROT_WRITE,
		  .flags = GMEM_MAP_FIXED | GMEM_MAP_ANONYMOUS | GMEM_MAP_PRIVATE },
		{ .verb = GMEM_SET_USER_MEMORY_REGION2,
		  .fd = 4,
		  .flags = GMEM_MEM_GUEST_MEMFD,
		  .gpa = GPA,
		  .size = 2 * PAGE,
		  .memfd = 5,
		  .addr = ADDR + 2 * PAGE },
		{ .verb = verb, .value = 1 },
	};
	struct gmem_result r;

	for (unsigned int i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		gmem_call(w, &calls[i], &r);
}

static void one_round(struct round *round, struct gmem_world *first)
{
	memset(round->places, 0, sizeof(round->places));
	round->n = 0;
	add_state(round, first, 0, 0);
	go_on(round);
	gmem_world_free(first);
}

static void random_round(struct round *round)
{
	static const uint64_t types[] = { GMEM_VM_DEFAULT, GMEM_VM_SW_PROTECTED, GMEM_VM_SNP,
					  GMEM_VM_TDX };
	struct gmem_world *first;
	unsigned int profiles = 0;

	while (gmem_profile(profiles))
		profiles++;
	round->profile = gmem_profile((unsigned int)random_below(round->r, profiles));
	first = new_world_of(&(struct gmem_config){ .profile = round->profile });
	open_world(first, types[random_below(round->r, 4)], random_below(round->r, 4),
		   (uint32_t)either(round->r, GMEM_THREAD, GMEM_FORK));
	make_alphabet(round);
	round->most = MOST_BY_CHANCE;
	one_round(round, first);
}

static void round_of_scene(struct round *round, const struct scene *s)
{
	struct gmem_world *first = new_world_on(s->profile, NULL);

	round->profile = gmem_world_profile(first);
	round->overlap = s->overlap;
	round->most = MOST_STATES;
	open_world(first, s->type, s->flags, GMEM_THREAD);
	for (int i = 0; i < 2 && s->opening[i].fd + s->opening[i].addr; i++)
		assert_true(value_of(first, &s->opening[i], __FILE__, __LINE__) >= 0);
	memcpy(round->alphabet, s->alphabet, sizeof(s->alphabet));
	for (round->letters = 0; round->letters < 4; round->letters++)
		if (!s->alphabet[round->letters].verb)
			break;
	one_round(round, first);
}

static void worlds_of_one_hash_go_on_alike(void **state)
{
	static struct round round;
	struct random r;

	(void)state;
	random_seed(&r, 23);
	round.r = &r;
	round.next = new_world_of(&(struct gmem_config){ 0 });
	round.other = new_world_of(&(struct gmem_config){ 0 });
	for (unsigned int i = 0; i < SCENES; i++)
		round_of_scene(&round, &scenes[i]);
	for (unsigned long i = 0; i < scaled(200); i++)
		random_round(&round);
	for (uint32_t i = 0; i < MOST_STATES; i++)
		gmem_world_free(round.states[i].w);
	gmem_world_free(round.next);
	gmem_world_free(round.other);
	print_message("# %lu states met again\n", met_again);
	assert_true(met_again > scaled(50000));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(worlds_of_one_hash_go_on_alike) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
