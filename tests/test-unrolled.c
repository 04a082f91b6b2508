/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Unrolled tables (step.h) do what the rows say. The same random calls are made in three worlds:
 * one as it is; one with a copy of the profile, whose tables are nobody's to unroll; and one that
 * is watched, row by row. All results and worlds are the same, and the row that decided is, too.
 */
#include <errno.h>
#include <string.h>

#include "calls.h"
#include "profile.h"
#include "unroll.h"

#define PAGE GMEM_PAGE_SIZE
#define PAGES_ 32u
#define GPA UINT64_C(0x100000)
#define ROUNDS 20000u
#define BIT(n) (UINT64_C(1) << (n))

enum { AS_IS, COPIED, WATCHED, NR_WORLDS };

struct three {
	struct gmem_world *w[NR_WORLDS];
	struct gmem_profile *copy;
	int64_t vm, file;
	uint64_t addr, random, rows;
	uint64_t errnos; /* bits: what conversions failed with; 0 is success */
};

static uint64_t chance(struct three *t, uint64_t limit)
{
	t->random ^= t->random << 13;
	t->random ^= t->random >> 7;
	t->random ^= t->random << 17;
	return t->random % limit;
}

static void count_row(void *arg, const struct gmem_step_event *e)
{
	(void)e;
	++*(uint64_t *)arg;
}

/* In all three worlds; what they agree on. */
static int64_t ask(struct three *t, const struct gmem_call *c)
{
	struct gmem_result r[NR_WORLDS];

	for (unsigned int i = 0; i < NR_WORLDS; i++)
		assert_int_equal(gmem_call(t->w[i], c, &r[i]), GMEM_DONE);
	for (unsigned int i = 1; i < NR_WORLDS; i++) {
		assert_memory_equal(&r[i], &r[0], sizeof(r[0]));
		assert_true(gmem_world_equal(t->w[i], t->w[0]));
	}
	return r[0].value;
}

#define ASK(t, ...) ask((t), &(struct gmem_call){ __VA_ARGS__ })

/* Mostly within the file and aligned. */
static uint64_t some_offset(struct three *t)
{
	return chance(t, PAGES_ + 1) * PAGE + (chance(t, 32) ? 0 : 1);
}

static void convert(struct three *t)
{
	int64_t r = ASK(t, .verb = GMEM_SET_MEMORY_ATTRIBUTES2,
			.fd = chance(t, 32) ? t->file : t->vm, .offset = some_offset(t),
			.size = some_offset(t) % (8 * PAGE), .error_offset = 7,
			.attributes = chance(t, 2) ? GMEM_ATTRIBUTE_PRIVATE : chance(t, 16) / 15,
			.argp = chance(t, 32) ? 0 : chance(t, 3), .flags = !chance(t, 32),
			.reserved = !chance(t, 32));

	assert_in_range(-r, 0, 63);
	t->errnos |= BIT(-r);
}

static void allocate_or_punch(struct three *t)
{
	uint64_t punch = chance(t, 2) ? GMEM_FALLOC_PUNCH_HOLE : 0;

	ASK(t, .verb = GMEM_FALLOCATE, .fd = t->file, .mode = GMEM_FALLOC_KEEP_SIZE | punch,
	    .offset = some_offset(t), .length = some_offset(t));
}

static void pin_for_one_conversion(struct three *t)
{
	int64_t pin = ASK(t, .verb = GMEM_PIN, .addr = t->addr + chance(t, PAGES_) * PAGE,
			  .length = PAGE);

	convert(t);
	if (pin >= 0)
		ASK(t, .verb = GMEM_UNPIN, .fd = pin);
}

static void one_round(struct three *t)
{
	uint64_t page = chance(t, PAGES_) * PAGE;

	switch (chance(t, 8)) {
	case 0:
		ASK(t, .verb = GMEM_STORE, .addr = t->addr + page, .size = 1, .value = 1);
		break;
	case 1:
		ASK(t, .verb = GMEM_GUEST_STORE, .fd = t->vm, .gpa = GPA + page, .size = 1,
		    .value = 1);
		break;
	case 2:
		allocate_or_punch(t);
		break;
	case 3:
		pin_for_one_conversion(t);
		break;
	case 4:
		ASK(t, .verb = GMEM_INJECT, .what = GMEM_INJECT_ENOMEM);
		convert(t);
		break;
	default:
		convert(t);
	}
}

static void begin(struct three *t)
{
	const struct gmem_profile *p = gmem_profile_find("linux-coco-v13");
	const char *const none[] = { NULL };

	*t = (struct three){ .random = 42 };
	assert_int_equal(gmem_profile_with_bugs(&t->copy, p, none, NULL, NULL), GMEM_DONE);
	for (unsigned int i = 0; i < NR_WORLDS; i++)
		t->w[i] = new_world_of(&(struct gmem_config){
			.profile = i == COPIED ? t->copy : p,
			.checking = i == WATCHED ? GMEM_CHECK_STEPS : GMEM_CHECK_CALLS });
	gmem_observe(t->w[WATCHED], count_row, &t->rows);
	t->vm = ASK(t, .verb = GMEM_CREATE_VM, .fd = GMEM_KVM_FD, .type = GMEM_VM_SW_PROTECTED);
	t->file = ASK(t, .verb = GMEM_CREATE_GUEST_MEMFD, .fd = t->vm, .size = PAGES_ * PAGE,
		      .flags = GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED);
	for (uint64_t slot = 0; slot < 2; slot++)
		ASK(t, .verb = GMEM_SET_USER_MEMORY_REGION2, .fd = t->vm, .slot = slot,
		    .flags = GMEM_MEM_GUEST_MEMFD, .gpa = GPA + slot * 16 * PAGE, .size = 8 * PAGE,
		    .memfd = t->file, .offset = slot * 16 * PAGE);
	t->addr = (uint64_t)ASK(t, .verb = GMEM_MMAP, .fd = t->file, .length = PAGES_ * PAGE,
				SHARED_RW);
}

static void worlds_stay_the_same(void **state)
{
	struct three t;

	(void)state;
	begin(&t);
	for (unsigned long i = 0; i < scaled(ROUNDS); i++)
		one_round(&t);
	assert_true(t.rows > 20 * scaled(ROUNDS));
	assert_int_equal(t.errnos, BIT(0) | BIT(EAGAIN) | BIT(ENOMEM) | BIT(EFAULT) | BIT(EINVAL) |
					   BIT(ENOTTY));
	for (unsigned int i = 0; i < NR_WORLDS; i++)
		gmem_world_free(t.w[i]);
	gmem_profile_free(t.copy);
}

/* ---- a wait with something to do then, which no table has that is unrolled ---- */

static bool is_over(struct gmem_run *run)
{
	return run->c->fd < 2;
}

static int say(struct gmem_run *run)
{
	run->res->value += 42;
	return run->c->fd ? -EBUSY : 0;
}

static const struct gmem_step waiting[] = {
	WAIT_AND_DO(is_over, say, SLOT_30, .lock = NOTIFIERS, .mode = WRITE),
	DO(say, SLOT_30),
	END,
};
gmem_rows_fn waiting_rows;
UNROLLED(waiting)

/* What gmem_call() does, but that the table is unrolled. */
static struct gmem_result call_unrolled(struct gmem_world *w, const struct gmem_call *c)
{
	struct gmem_run run = { .w = w, .b = w->b, .t = TASK(w->b, w->b->tasks[0]) };
	struct gmem_op *op = OP(w->b, run.t->op);
	const struct gmem_step *s;

	w->violated = false;
	op->call = *c;
	memset(&op->result, 0, sizeof(op->result));
	run.c = &op->call;
	run.res = &op->result;
	s = gmem_enter_table(&run, c->verb);
	assert_ptr_equal(s, waiting);
	assert_null(waiting_rows(&run, s));
	return op->result;
}

static void a_wait_acts(void **state)
{
	struct gmem_profile p = *gmem_profile_find("linux-coco-v13");
	const int64_t values[] = { 84, -EBUSY };
	struct gmem_world *w, *unrolled;
	struct gmem_result r, u;

	(void)state;
	p.tables[GMEM_DUP] = waiting;
	w = new_world_of(&(struct gmem_config){ .profile = &p });
	unrolled = new_world_of(&(struct gmem_config){ .profile = &p });
	for (int fd = 0; fd < 2; fd++) {
		const struct gmem_call c = { .verb = GMEM_DUP, .fd = fd };

		assert_int_equal(gmem_call(w, &c, &r), GMEM_DONE);
		u = call_unrolled(unrolled, &c);
		assert_int_equal(u.value, values[fd]);
		assert_memory_equal(&u, &r, sizeof(r));
		assert_true(gmem_world_equal(unrolled, w));
	}
	/* Or else it waits for itself. */
	assert_int_equal(gmem_call(w, &(struct gmem_call){ .verb = GMEM_DUP, .fd = 2 }, &r),
			 GMEM_VIOLATED);
	gmem_world_free(w);
	gmem_world_free(unrolled);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(worlds_stay_the_same),
		cmocka_unit_test(a_wait_acts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
