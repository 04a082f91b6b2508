/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Profiles, rules and names as a program sees them: every table is there and every row of it is
 * about a clause, every name leads back to what it names, and a bug of the museum changes what
 * the museum says it changes, and nothing else.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <string.h>

#include "calls.h"

#define PAGE GMEM_PAGE_SIZE
#define GPA UINT64_C(0x100000)
#define EINVAL_ 22

/* ---- profiles and tables ---- */

static void the_list_of_profiles(void **state)
{
	static const char *const names[] = { "linux-6.8", "linux-6.18" };
	const struct gmem_profile *p;
	struct gmem_world *w;

	(void)state;
	for (unsigned int n = 0; n < 2; n++) {
		p = gmem_profile(n);
		assert_non_null(p);
		assert_string_equal(gmem_profile_name(p), names[n]);
		assert_ptr_equal(gmem_profile_find(names[n]), p);
		assert_true(strlen(gmem_profile_summary(p)) > 20);
	}
	assert_null(gmem_profile(2));
	assert_null(gmem_profile(UINT32_MAX));
	assert_null(gmem_profile_find(""));
	assert_null(gmem_profile_find("linux-6.1"));
	assert_null(gmem_profile_find("linux-6.18.44"));
	w = new_world();
	assert_ptr_equal(gmem_world_profile(w), gmem_profile(1));
	gmem_world_set_profile(w, gmem_profile(0));
	assert_ptr_equal(gmem_world_profile(w), gmem_profile(0));
	assert_int_equal(create_vm(w, GMEM_VM_SNP), -EINVAL_);
	gmem_world_free(w);
}

static void check_row(const struct gmem_row *row)
{
	static const char *const kinds[] = { "check", "do",	"answer", "each",     "done",
					     "lock",  "unlock", "call",	  "call each" };
	size_t kind = 0;

	while (kind < sizeof(kinds) / sizeof(kinds[0]) && strcmp(kinds[kind], row->kind))
		kind++;
	assert_true(kind < sizeof(kinds) / sizeof(kinds[0]));
	assert_true(strlen(row->name) > 1);
	assert_non_null(row->detail);
	assert_int_equal(row->detail[0] != 0,
			 strstr("lock unlock call each", row->kind) && strcmp(row->kind, "each"));
	if (strcmp(row->kind, "unlock"))
		assert_non_null(gmem_clause(row->clause));
	else
		assert_int_equal(row->clause, 0);
	if (!strcmp(row->kind, "check"))
		assert_true(row->err < 0);
}

static void every_table_has_rows(void **state)
{
	const struct gmem_profile *p;
	struct gmem_row row;

	(void)state;
	assert_true(gmem_nr_tables() > GMEM_NR_VERBS);
	for (unsigned int n = 0; (p = gmem_profile(n)); n++)
		for (unsigned int table = 0; table < gmem_nr_tables(); table++) {
			unsigned int rows = 0;

			for (; gmem_profile_row(p, table, rows, &row); rows++)
				check_row(&row);
			if (!rows)
				fail_msg("%s: no table %s", gmem_profile_name(p),
					 gmem_table_name(table));
			assert_int_equal(gmem_profile_row(p, table, rows + 5, &row), 0);
		}
	assert_int_equal(gmem_profile_row(gmem_profile(0), gmem_nr_tables(), 0, &row), 0);
}

static void numbers_have_names(void **state)
{
	struct gmem_number a, b;

	(void)state;
	for (unsigned int n = 0; gmem_profile_number(gmem_profile(0), n, &a); n++) {
		assert_int_equal(gmem_profile_number(gmem_profile(1), n, &b), 1);
		assert_string_equal(a.name, b.name);
		for (unsigned int k = 0; k < n; k++) {
			assert_int_equal(gmem_profile_number(gmem_profile(0), k, &b), 1);
			assert_string_not_equal(a.name, b.name);
		}
	}
	assert_int_equal(gmem_profile_number(gmem_profile(0), 1000, &a), 0);
}

/* ---- clauses ---- */

static void every_clause_is_a_sentence(void **state)
{
	const struct gmem_clause *c;
	unsigned int n = 1;

	(void)state;
	for (; (c = gmem_clause(n)); n++) {
		size_t length = strlen(c->sentence);
		const char *dash = strchr(c->name, '-');

		assert_non_null(dash);
		assert_true(isupper((unsigned char)c->name[0]) && isdigit((unsigned char)dash[1]));
		if (length < 10 || c->sentence[length - 1] != '.')
			fail_msg("%s: %s", c->name, c->sentence);
		assert_true(strlen(c->source) > 3);
		assert_int_equal(gmem_clause_find(c->name), n);
	}
	assert_true(n > 150);
	assert_null(gmem_clause(0));
	assert_null(gmem_clause(UINT32_MAX));
	assert_int_equal(gmem_clause_find("PUNCH"), 0);
	assert_int_equal(gmem_clause_find("PUNCH-999"), 0);
	assert_int_equal(gmem_clause_find(""), 0);
}

/* ---- names ---- */

static void errnos_are_linuxs(void **state)
{
	unsigned int known = 0;

	(void)state;
	for (int e = -5; e < 200; e++) {
		const char *name = gmem_errno_name(e);

		if (!name)
			continue;
		known++;
		assert_int_equal(gmem_errno_number(name), e);
		assert_string_equal(name, strerrorname_np(e));
	}
	assert_true(known >= 25);
	assert_int_equal(gmem_errno_number("EWHATEVER"), 0);
	assert_int_equal(gmem_errno_number(""), 0);
}

/* Every refusal has a name: whatever a check can result in is known, or is a signal. */
static void every_refusal_has_a_name(void **state)
{
	const struct gmem_profile *p;
	struct gmem_row row;

	(void)state;
	for (unsigned int n = 0; (p = gmem_profile(n)); n++)
		for (unsigned int t = 0; t < gmem_nr_tables(); t++)
			for (unsigned int i = 0; gmem_profile_row(p, t, i, &row); i++)
				assert_true(row.err == 0 || row.err <= -4096 ||
					    gmem_errno_name(-row.err));
}

static void check_names(const struct gmem_name *names)
{
	for (const struct gmem_name *a = names; a->name; a++)
		for (const struct gmem_name *b = names; b != a; b++) {
			assert_string_not_equal(a->name, b->name);
			assert_int_not_equal(a->value, b->value);
		}
}

static void check_params(const struct gmem_param *params)
{
	for (const struct gmem_param *p = params; p->name; p++) {
		assert_true(p->offset + sizeof(uint64_t) <= sizeof(struct gmem_call));
		assert_true(p->bits == 32 || p->bits == 64);
		assert_int_equal(p->fds != 0, p->kind == GMEM_P_FD);
		assert_int_equal(p->names != NULL,
				 p->kind == GMEM_P_FLAGS || p->kind == GMEM_P_NAME);
		if (p->names)
			check_names(p->names);
		for (const struct gmem_param *q = params; q != p; q++)
			assert_string_not_equal(p->name, q->name);
	}
}

static void verbs_and_tables_have_names(void **state)
{
	(void)state;
	for (unsigned int verb = 0; verb < GMEM_NR_VERBS; verb++) {
		const struct gmem_verb_info *v = gmem_verb_info(verb);

		assert_non_null(v);
		assert_string_equal(v->name, gmem_table_name(verb));
		assert_non_null(v->params);
		assert_int_equal(v->binds == GMEM_BINDS_FD, v->binds_fd != 0);
		check_params(v->params);
	}
	assert_null(gmem_verb_info(GMEM_NR_VERBS));
	assert_null(gmem_verb_info(UINT32_MAX));
	for (unsigned int a = 0; a < gmem_nr_tables(); a++) {
		assert_non_null(gmem_table_name(a));
		for (unsigned int b = 0; b < a; b++)
			assert_string_not_equal(gmem_table_name(a), gmem_table_name(b));
	}
	assert_null(gmem_table_name(gmem_nr_tables()));
}

/* ---- the museum ---- */

static struct gmem_profile *with_bugs(const char *profile, const char *first, const char *second)
{
	const char *const ids[] = { first, second, NULL };
	struct gmem_profile *p;

	assert_int_equal(gmem_profile_with_bugs(&p, gmem_profile_find(profile), ids, NULL, NULL),
			 GMEM_DONE);
	return p;
}

/* What binding [offset, offset + size) of a file of four pages results in. */
static int64_t bind_at(const struct gmem_profile *p, uint64_t offset, uint64_t size)
{
	struct gmem_world *w = new_world_of(&(struct gmem_config){ .profile = p });
	int64_t vm = create_vm(w, GMEM_VM_SW_PROTECTED), value;

	value = bind_slot(w, vm, 0, GPA, size, create_gmem(w, vm, 4 * PAGE, 0), offset);
	gmem_world_free(w);
	return value;
}

/* Accepted if the offset is not negative and the end is: as seen on Linux 6.18. */
static void b45_compares_as_signed(void **state)
{
	static const struct {
		uint64_t offset, pages;
		int64_t sound, buggy;
	} lines[] = {
		{ 0, 4, 0, 0 },
		{ 0, 5, -EINVAL_, -EINVAL_ },
		{ 4 * PAGE, 1, -EINVAL_, -EINVAL_ },
		{ (UINT64_C(1) << 63) - PAGE, 1, -EINVAL_, 0 },
		{ (UINT64_C(1) << 63) - PAGE, 2, -EINVAL_, 0 },
		{ (UINT64_C(1) << 63) - 2 * PAGE, 1, -EINVAL_, -EINVAL_ },
		{ (UINT64_C(1) << 63) - 2 * PAGE, 2, -EINVAL_, 0 },
		{ (UINT64_C(1) << 63) - 3 * PAGE, 2, -EINVAL_, -EINVAL_ },
		{ (UINT64_C(1) << 63) - 3 * PAGE, 3, -EINVAL_, 0 },
		{ UINT64_C(1) << 63, 1, -EINVAL_, -EINVAL_ },
		{ (UINT64_C(1) << 63) + PAGE, 2, -EINVAL_, -EINVAL_ },
	};

	(void)state;
	for (unsigned int n = 0; gmem_profile(n); n++) {
		struct gmem_profile *p = with_bugs(gmem_profile_name(gmem_profile(n)), "B45", NULL);

		for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
			assert_int_equal(
				bind_at(gmem_profile(n), lines[i].offset, lines[i].pages * PAGE),
				lines[i].sound);
			assert_int_equal(bind_at(p, lines[i].offset, lines[i].pages * PAGE),
					 lines[i].buggy);
		}
		gmem_profile_free(p);
	}
}

static struct gmem_result clear_the_flag(const struct gmem_profile *p, enum gmem_checking checking,
					 enum gmem_status expected)
{
	struct gmem_config config = { .profile = p, .checking = checking };
	struct gmem_world *w = new_world_of(&config);
	int64_t vm = create_vm(w, GMEM_VM_SW_PROTECTED);
	struct gmem_call c = {
		.verb = GMEM_SET_USER_MEMORY_REGION2, .fd = vm, .gpa = GPA, .size = PAGE
	};
	struct gmem_result r;

	assert_int_equal(bind_slot(w, vm, 0, GPA, PAGE, create_gmem(w, vm, PAGE, 0), 0), 0);
	assert_int_equal(gmem_call(w, &c, &r), expected);
	if (expected == GMEM_VIOLATED)
		assert_string_equal(gmem_violation(w)->invariant, "I7");
	gmem_world_free(w);
	return r;
}

/* Clearing GUEST_MEMFD goes through as a change of flags, and leaves a binding to nothing. */
static void b40_forgets_the_binding(void **state)
{
	(void)state;
	for (unsigned int n = 0; gmem_profile(n); n++) {
		struct gmem_profile *p = with_bugs(gmem_profile_name(gmem_profile(n)), "B40", NULL);

		assert_int_equal(clear_the_flag(gmem_profile(n), GMEM_CHECK_CALLS, GMEM_DONE).value,
				 -EINVAL_);
		assert_int_equal(clear_the_flag(p, GMEM_CHECK_NEVER, GMEM_DONE).value, 0);
		clear_the_flag(p, GMEM_CHECK_CALLS, GMEM_VIOLATED);
		assert_int_equal(bind_at(p, (UINT64_C(1) << 63) - PAGE, PAGE), -EINVAL_);
		gmem_profile_free(p);
	}
}

static void what_a_release_shipped_with(void **state)
{
	struct gmem_profile *old, *new;

	(void)state;
	assert_string_equal(gmem_profile_bug(gmem_profile(0), 0), "B40");
	assert_string_equal(gmem_profile_bug(gmem_profile(0), 1), "B45");
	assert_null(gmem_profile_bug(gmem_profile(0), 2));
	assert_string_equal(gmem_profile_bug(gmem_profile(1), 0), "B45");
	assert_null(gmem_profile_bug(gmem_profile(1), 1));
	assert_int_equal(gmem_profile_with_bugs(&old, gmem_profile(0), NULL, NULL, NULL),
			 GMEM_DONE);
	assert_int_equal(gmem_profile_with_bugs(&new, gmem_profile(1), NULL, NULL, NULL),
			 GMEM_DONE);
	assert_string_equal(gmem_profile_name(old), "linux-6.8+B40+B45");
	assert_string_equal(gmem_profile_name(new), "linux-6.18+B45");
	assert_int_equal(clear_the_flag(old, GMEM_CHECK_NEVER, GMEM_DONE).value, 0);
	assert_int_equal(clear_the_flag(new, GMEM_CHECK_NEVER, GMEM_DONE).value, -EINVAL_);
	assert_int_equal(bind_at(old, (UINT64_C(1) << 63) - PAGE, PAGE), 0);
	assert_int_equal(bind_at(new, (UINT64_C(1) << 63) - PAGE, PAGE), 0);
	gmem_profile_free(old);
	gmem_profile_free(new);
}

/* How many rows of all tables differ in name. */
static unsigned int rows_that_differ(const struct gmem_profile *a, const struct gmem_profile *b)
{
	struct gmem_row x, y;
	unsigned int n = 0;

	for (unsigned int t = 0; t < gmem_nr_tables(); t++)
		for (unsigned int i = 0; gmem_profile_row(a, t, i, &x); i++) {
			assert_int_equal(gmem_profile_row(b, t, i, &y), 1);
			assert_int_equal(x.clause, y.clause);
			assert_int_equal(x.err, y.err);
			assert_string_equal(x.kind, y.kind);
			n += strcmp(x.name, y.name) != 0;
		}
	return n;
}

static void a_bug_is_one_row(void **state)
{
	static const char *const none[] = { NULL };
	struct gmem_profile *b40 = with_bugs("linux-6.18", "B40", NULL);
	struct gmem_profile *both = with_bugs("linux-6.18", "B40", "B45");
	struct gmem_profile *same;

	(void)state;
	assert_int_equal(rows_that_differ(b40, gmem_profile(1)), 1);
	assert_int_equal(rows_that_differ(both, gmem_profile(1)), 2);
	assert_int_equal(rows_that_differ(both, b40), 1);
	assert_string_equal(gmem_profile_name(both), "linux-6.18+B40+B45");
	assert_int_equal(gmem_profile_with_bugs(&same, gmem_profile(1), none, NULL, NULL),
			 GMEM_DONE);
	assert_int_equal(rows_that_differ(same, gmem_profile(1)), 0);
	assert_string_equal(gmem_profile_name(same), "linux-6.18");
	assert_true(strlen(gmem_bug_title("B40")) > 10);
	assert_true(strlen(gmem_bug_title("B45")) > 10);
	gmem_profile_free(same);
	gmem_profile_free(both);
	gmem_profile_free(b40);
}

static void an_unknown_bug_is_misuse(void **state)
{
	static const char *const unknown[] = { "B45", "B999", NULL };
	struct gmem_profile *p = (struct gmem_profile *)&unknown;

	(void)state;
	assert_int_equal(gmem_profile_with_bugs(&p, gmem_profile(1), unknown, NULL, NULL),
			 GMEM_MISUSE);
	assert_null(p);
	assert_null(gmem_bug_title("B999"));
	assert_null(gmem_bug_title(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_list_of_profiles),
		cmocka_unit_test(every_table_has_rows),
		cmocka_unit_test(numbers_have_names),
		cmocka_unit_test(every_clause_is_a_sentence),
		cmocka_unit_test(errnos_are_linuxs),
		cmocka_unit_test(every_refusal_has_a_name),
		cmocka_unit_test(verbs_and_tables_have_names),
		cmocka_unit_test(b45_compares_as_signed),
		cmocka_unit_test(b40_forgets_the_binding),
		cmocka_unit_test(what_a_release_shipped_with),
		cmocka_unit_test(a_bug_is_one_row),
		cmocka_unit_test(an_unknown_bug_is_misuse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
