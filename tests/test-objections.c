/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What reviewers demanded is judged by the state of a world: whatever is changed in it by hand is
 * seen, and whatever row brings it about can be taken out.
 */
#include <string.h>

#include "memfd.h"
#include "profile.h"
#include "sound.h"

/* Bit n: OBJ-n is shown. */
static unsigned int shown(const struct gmem_world *w)
{
	struct gmem_violation v;
	unsigned int bits = 0;

	for (unsigned int n = 0; gmem_objection(n); n++)
		bits |= (unsigned int)!!gmem_shows_objection(w, n, &v) << (n + 1);
	return bits;
}

/* ---- by hand ---- */

static void show_the_numbers_of_another(struct gmem_world *w)
{
	inode(w, PRIVATE_FILE)->st_ino = inode(w, SHARED_FILE)->st_ino;
}

static void show_the_numbers_of_what_is_hidden(struct gmem_world *w)
{
	inode(w, PRIVATE_FILE)->hidden_ino = inode(w, PRIVATE_FILE)->st_ino;
}

static void have_two_operations(struct gmem_world *w)
{
	file(w, PRIVATE_FILE)->backing_f_op = FOPS_SHMEM;
}

static void change_when_open(struct gmem_world *w)
{
	inode(w, PRIVATE_FILE)->memfd |= MEMFD_EXCHANGED_LATE;
}

static void have_operations_of_a_module(struct gmem_world *w)
{
	file(w, PRIVATE_FILE)->f_op = FOPS_RESTRICTEDMEM;
}

static void have_had_another_size(struct gmem_world *w)
{
	inode(w, PRIVATE_FILE)->memfd |= MEMFD_RESIZED;
}

static void reach_past_the_file(struct gmem_world *w)
{
	slot(w, GMEM_SLOT)->pgoff = 30;
}

static void close_on_exec(struct gmem_world *w)
{
	for (uint32_t p = w->b->processes; p; p = PROCESS(w->b, p)->next)
		gmem_range_set(w->b, &PROCESS(w->b, p)->cloexec, 0, 100, 1);
}

static void nothing(struct gmem_world *w)
{
	(void)w;
}

#define OBJ(n) (1u << (n))

static void each_is_seen_in_the_world(void **state)
{
	static const struct {
		void (*change)(struct gmem_world *w);
		unsigned int shown;
	} lines[] = {
		{ nothing, OBJ(6) },
		{ show_the_numbers_of_another, OBJ(6) | OBJ(1) },
		{ show_the_numbers_of_what_is_hidden, OBJ(6) | OBJ(1) },
		{ have_two_operations, OBJ(6) | OBJ(2) },
		{ change_when_open, OBJ(6) | OBJ(3) },
		{ have_operations_of_a_module, OBJ(6) | OBJ(4) },
		{ have_had_another_size, OBJ(6) | OBJ(5) },
		{ reach_past_the_file, OBJ(6) | OBJ(7) },
		{ close_on_exec, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		uint64_t mapping;
		struct gmem_world *w = new_sound_world(&mapping);

		lines[i].change(w);
		assert_int_equal(shown(w), lines[i].shown);
		gmem_world_free(w);
	}
}

/* ---- by a row ---- */

#define ROOM 32u

/* The table that makes restricted files, without that row; or with it before another, if there is one. */
static void edit(struct gmem_profile *p, struct gmem_step rows[ROOM], const char *row,
		 const char *before)
{
	const struct gmem_step *s = p->tables[GMEM_MEMFD_RESTRICTED], *moved = NULL;
	unsigned int n = 0;

	for (; s->kind != STEP_END; s++)
		if (!strcmp(s->name, row))
			moved = s;
	assert_non_null(moved);
	for (s = p->tables[GMEM_MEMFD_RESTRICTED]; n < ROOM - 1; s++) {
		if (before && s->kind != STEP_END && !strcmp(s->name, before))
			rows[n++] = *moved;
		if (s != moved)
			rows[n++] = *s;
		if (s->kind == STEP_END)
			break;
	}
	assert_int_equal(rows[n - 1].kind, STEP_END);
	p->tables[GMEM_MEMFD_RESTRICTED] = rows;
}

/* What a world of that profile shows with two files of that kind. */
static unsigned int shown_by_two_files(const struct gmem_profile *p)
{
	struct gmem_world *w = new_world_of(&(struct gmem_config){ .profile = p });
	unsigned int bits;

	for (int i = 0; i < 2; i++)
		call(w, .verb = GMEM_MEMFD_RESTRICTED,
		     .memfd = call(w, .verb = GMEM_OPEN_MOUNT,
				   .mode = GMEM_MOUNT_TMPFS | GMEM_MOUNT_NOEXEC));
	bits = shown(w);
	gmem_world_free(w);
	return bits;
}

static void each_comes_with_its_row(void **state)
{
	static const struct {
		const char *profile, *row, *before;
		unsigned int shown;
	} lines[] = {
		{ "restrictedmem-v10", NULL, NULL, OBJ(1) | OBJ(6) },
		{ "restrictedmem-v10", "forward_getattr", NULL, OBJ(6) },
		{ "restrictedmem-shim", NULL, NULL, OBJ(2) | OBJ(4) | OBJ(6) },
		{ "restrictedmem-shim", "exchange_operations", NULL, OBJ(6) },
		{ "restrictedmem-shim", "return_fd", "exchange_operations",
		  OBJ(2) | OBJ(3) | OBJ(4) | OBJ(6) },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct gmem_profile p = *gmem_profile_find(lines[i].profile);
		struct gmem_step rows[ROOM];

		if (lines[i].row)
			edit(&p, rows, lines[i].row, lines[i].before);
		assert_int_equal(shown_by_two_files(&p), lines[i].shown);
	}
}

/* A size that is the same again is no other; and one of a file in reach is its program's affair. */
static void a_size_may_be_given_again(void **state)
{
	struct gmem_world *w = new_world_on("restrictedmem-shim", NULL);
	const int64_t mount = call(w, .verb = GMEM_OPEN_MOUNT,
				   .mode = GMEM_MOUNT_TMPFS | GMEM_MOUNT_NOEXEC);
	const int64_t fd = call(w, .verb = GMEM_MEMFD_RESTRICTED, .memfd = mount);

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(call(w, .verb = GMEM_FTRUNCATE, .fd = fd, .length = PAGE), 0);
		assert_false(shown(w) & OBJ(5));
	}
	assert_int_equal(call(w, .verb = GMEM_FTRUNCATE, .fd = fd, .length = 0), 0);
	assert_true(shown(w) & OBJ(5));
	gmem_world_free(w);

	w = new_world_on("memfile-notifier-v4", NULL);
	call(w, .verb = GMEM_MEMFD_CREATE);
	for (int i = 1; i < 3; i++)
		call(w, .verb = GMEM_FTRUNCATE, .fd = 4, .length = i * PAGE);
	assert_int_equal(shown(w), 0);
	gmem_world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_seen_in_the_world),
		cmocka_unit_test(each_comes_with_its_row),
		cmocka_unit_test(a_size_may_be_given_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
