/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Profiles with mistakes in their tables, as a program sees them: a bug of the museum changes what
 * the museum says it changes, and nothing else; and a row can be without effect.
 */
#include <string.h>

#include "calls.h"

#define PAGE GMEM_PAGE_SIZE
#define GPA UINT64_C(0x100000)
#define EINVAL_ 22

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
	for (unsigned int n = 0; design(n); n++) {
		struct gmem_profile *p = with_bugs(gmem_profile_name(design(n)), "B45", NULL);

		for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
			assert_int_equal(bind_at(design(n), lines[i].offset, lines[i].pages * PAGE),
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
	for (unsigned int n = 0; design(n); n++) {
		struct gmem_profile *p = with_bugs(gmem_profile_name(design(n)), "B40", NULL);

		assert_int_equal(clear_the_flag(design(n), GMEM_CHECK_CALLS, GMEM_DONE).value,
				 -EINVAL_);
		assert_int_equal(clear_the_flag(p, GMEM_CHECK_NEVER, GMEM_DONE).value, 0);
		clear_the_flag(p, GMEM_CHECK_CALLS, GMEM_VIOLATED);
		assert_int_equal(bind_at(p, (UINT64_C(1) << 63) - PAGE, PAGE), -EINVAL_);
		gmem_profile_free(p);
	}
}

/* A TDX guest maps a page of an MMAP file shared, and it is punched: what invariant breaks. */
static const char *punch_under_a_tdx_guest(const struct gmem_profile *p, uint64_t flags)
{
	struct gmem_world *w = new_world_of(&(struct gmem_config){ .profile = p });
	int64_t vm = create_vm(w, GMEM_VM_TDX), file = create_gmem(w, vm, PAGE, flags);
	struct gmem_violation v = { 0 };

	assert_int_equal(bind_slot(w, vm, 0, GPA, PAGE, file, 0), 0);
	if (!flags)
		set_private(w, vm, GPA, PAGE, 1);
	assert_int_equal(call(w, .verb = GMEM_GUEST_STORE, .fd = vm, .gpa = GPA, .size = 1,
			      .access = flags ? 0 : GMEM_ACCESS_PRIVATE),
			 0);
	punch(w, file, 0, PAGE);
	gmem_check(w, &v);
	gmem_world_free(w);
	return v.invariant;
}

static void x1_leaves_shared_mappings(void **state)
{
	struct gmem_profile *p = with_bugs("linux-6.18", "X1", NULL);

	(void)state;
	assert_null(punch_under_a_tdx_guest(gmem_profile_default(), GMEM_FLAG_MMAP));
	assert_null(punch_under_a_tdx_guest(p, 0));
	assert_string_equal(punch_under_a_tdx_guest(p, GMEM_FLAG_MMAP), "I4");
	gmem_profile_free(p);
}

static void what_a_release_shipped_with(void **state)
{
	struct gmem_profile *old, *new;

	(void)state;
	assert_int_equal(gmem_profile_with_bugs(&old, gmem_profile(0), NULL, NULL, NULL),
			 GMEM_DONE);
	assert_int_equal(gmem_profile_with_bugs(&new, gmem_profile(1), NULL, NULL, NULL),
			 GMEM_DONE);
	assert_string_equal(gmem_profile_name(old), "linux-6.8+B39+B40+B45+B46+X2");
	assert_string_equal(gmem_profile_name(new), "linux-6.18+B45+B46+X1+X2");
	assert_int_equal(clear_the_flag(old, GMEM_CHECK_NEVER, GMEM_DONE).value, 0);
	assert_int_equal(clear_the_flag(new, GMEM_CHECK_NEVER, GMEM_DONE).value, -EINVAL_);
	assert_int_equal(bind_at(old, (UINT64_C(1) << 63) - PAGE, PAGE), 0);
	assert_int_equal(bind_at(new, (UINT64_C(1) << 63) - PAGE, PAGE), 0);
	gmem_profile_free(old);
	gmem_profile_free(new);
}

/* Whatever a profile says it shipped with goes into its tables, all at once. */
static void what_every_profile_shipped_with(void **state)
{
	static const char *const names[] = {
		"linux-6.8+B39+B40+B45+B46+X2",
		"linux-6.18+B45+B46+X1+X2",
		"rfc-shareability-v2+B39+B40+B45+B46+X2",
		"rfc-shareability-planned+B39+B40+B45+B46+X2",
		"coco-rfc-v1+B39+B40+B45+B46+X1+X2",
		"coco-v5+B45+B46+X1+X2",
		"coco-v8+B46+X1+X2",
		"linux-coco-v13+X1+X2",
		"coco-hugetlb+B45+B46+X1+X2",
		"memfile-notifier-rfc2",
		"memfile-notifier-v4+B01+B02+B04+B07+B08+B40+X4",
		"memfile-notifier-v5+B02+B04+B05+B08+B40+X4",
		"memfile-notifier-v6+B04+B09+B40",
		"memfile-notifier-v7+B40",
		"restrictedmem-v10+B12+B13+B14+B19+B40",
		"restrictedmem-2023-01+B13+B15+B16+B19+B40",
		"restrictedmem-shim+B19+B20a+B20b+B20c+B40+X3",
	};
	struct gmem_profile *p;

	(void)state;
	for (unsigned int n = 0; gmem_profile(n); n++) {
		assert_int_equal(gmem_profile_with_bugs(&p, gmem_profile(n), NULL, NULL, NULL),
				 GMEM_DONE);
		assert_true(n < sizeof(names) / sizeof(names[0]));
		assert_string_equal(gmem_profile_name(p), names[n]);
		gmem_profile_free(p);
	}
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

/* Rows that are not in the other profile at the same place. */
static unsigned int rows_that_moved(const struct gmem_profile *a, const struct gmem_profile *b)
{
	struct gmem_row x, y;
	unsigned int n = 0;

	for (unsigned int t = 0; t < gmem_nr_tables(); t++)
		for (unsigned int i = 0; gmem_profile_row(a, t, i, &x); i++)
			n += !gmem_profile_row(b, t, i, &y) || strcmp(x.name, y.name) ||
			     strcmp(x.detail, y.detail) || x.err != y.err;
	return n;
}

/* Every bug goes into some profile, and changes rows of each that it goes into. */
static void every_bug_is_an_edit(void **state)
{
	unsigned int n, i, into;

	(void)state;
	for (n = 0; gmem_bug(n); n++) {
		const char *const ids[] = { gmem_bug(n), NULL };

		assert_true(strlen(gmem_bug_title(gmem_bug(n))) > 10);
		for (i = 0, into = 0; gmem_profile(i); i++) {
			struct gmem_profile *p;

			if (gmem_profile_with_bugs(&p, gmem_profile(i), ids, NULL, NULL) !=
			    GMEM_DONE)
				continue;
			into++;
			assert_true(rows_that_moved(gmem_profile(i), p) > 0);
			gmem_profile_free(p);
		}
		assert_true(into > 0);
	}
	assert_true(n > 20);
	for (i = 0; gmem_profile(i); i++)
		for (n = 0; gmem_profile_bug(gmem_profile(i), n); n++)
			assert_non_null(gmem_bug_title(gmem_profile_bug(gmem_profile(i), n)));
}

/* What there is no such thing in, or what no call comes to, has nothing to be wrong. */
static void a_bug_of_something_else_is_misuse(void **state)
{
	static const struct {
		const char *profile, *bug;
	} lines[] = {
		{ "linux-6.8", "B33" },	     { "linux-6.8", "B38" },
		{ "linux-6.8", "B30" },	     { "linux-6.18", "B42" },
		{ "linux-6.18", "B47" },     { "linux-6.18", "B54" },
		{ "linux-coco-v13", "B46" }, { "rfc-shareability-v2", "X1" },
		{ "coco-hugetlb", "B12" },   { "linux-6.8", "B56" },
		{ "linux-6.18", "Q1" },	     { "linux-6.18", "Q2" },
		{ "coco-v5", "B47" },	     { "rfc-shareability-v2", "B47" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		const char *const ids[] = { lines[i].bug, NULL };
		struct gmem_profile *p;

		assert_int_equal(gmem_profile_with_bugs(&p, gmem_profile_find(lines[i].profile),
							ids, NULL, NULL),
				 GMEM_MISUSE);
		assert_null(p);
	}
}

/* A page of such a guest is populated twice: the status of the second time. */
static enum gmem_status populate_twice(const struct gmem_profile *p, uint64_t type)
{
	struct gmem_config config = { .profile = p, .checking = GMEM_CHECK_CALLS };
	struct gmem_world *w = new_world_of(&config);
	int64_t vm = create_vm(w, type), file = create_gmem(w, vm, PAGE, 0);
	const struct gmem_call c = { .verb = GMEM_POPULATE, .fd = vm, .gpa = GPA, .size = PAGE };
	enum gmem_status status;
	struct gmem_result r;

	assert_int_equal(bind_slot(w, vm, 0, GPA, PAGE, file, 0), 0);
	set_private(w, vm, GPA, PAGE, 1);
	assert_int_equal(value_of(w, &c, __FILE__, __LINE__), 1);
	status = gmem_call(w, &c, &r);
	if (status == GMEM_VIOLATED)
		assert_string_equal(gmem_violation(w)->invariant, "I15");
	else
		assert_int_equal(r.value, 1);
	gmem_world_free(w);
	return status;
}

/* Shareability does not ask whether a TDX guest's page is new, and so cannot ask wrongly. */
static void b33_keeps_the_rows_condition(void **state)
{
	struct gmem_profile *p = with_bugs("rfc-shareability-v2", "B33", NULL);

	(void)state;
	assert_int_equal(populate_twice(gmem_profile_find("rfc-shareability-v2"), GMEM_VM_TDX),
			 GMEM_DONE);
	assert_int_equal(populate_twice(p, GMEM_VM_TDX), GMEM_DONE);
	assert_int_equal(populate_twice(p, GMEM_VM_SNP), GMEM_VIOLATED);
	gmem_profile_free(p);
}

/* The write of a guest to a memslot that is of a file and read-only, which is emulated. */
static void store_read_only(const struct gmem_profile *p)
{
	struct gmem_world *w = new_world_of(&(struct gmem_config){ .profile = p });
	int64_t vm = create_vm(w, GMEM_VM_SW_PROTECTED), file = create_gmem(w, vm, PAGE, 0);

	assert_int_equal(call(w, .verb = GMEM_SET_USER_MEMORY_REGION2, .fd = vm, .gpa = GPA,
			      .size = PAGE, .memfd = file,
			      .flags = GMEM_MEM_GUEST_MEMFD | GMEM_MEM_READONLY),
			 0);
	assert_int_equal(guest_store(w, vm, GPA, 1).outcome, GMEM_MMIO);
	assert_int_equal(gmem_check(w, NULL), GMEM_DONE);
	gmem_world_free(w);
}

/* Also where the page was looked up, and is held, by then. */
static void b28_gives_back_the_page(void **state)
{
	(void)state;
	for (unsigned int n = 0; design(n); n++) {
		struct gmem_profile *p = with_bugs(gmem_profile_name(design(n)), "B28", NULL);

		store_read_only(p);
		gmem_profile_free(p);
	}
}

/* The number of the row of that name, and of its table; the first of them. */
static unsigned int find_row(const struct gmem_profile *p, const char *name, const char *table,
			     unsigned int *t)
{
	struct gmem_row row;
	unsigned int n = 0;

	for (*t = 0; strcmp(gmem_table_name(*t), table);)
		++*t;
	while (gmem_profile_row(p, *t, n, &row) && strcmp(row.name, name))
		n++;
	return n;
}

static void a_row_without_effect(void **state)
{
	const struct gmem_profile *base = gmem_profile_default();
	unsigned int t, n = find_row(base, "range_is_in_file", "bind", &t);
	struct gmem_profile *p;

	(void)state;
	assert_int_equal(gmem_profile_without(&p, base, t, n, NULL, NULL), GMEM_DONE);
	assert_int_equal(rows_that_moved(base, p), 1);
	assert_int_equal(bind_at(base, 4 * PAGE, PAGE), -EINVAL_);
	assert_int_equal(bind_at(p, 4 * PAGE, PAGE), 0);
	gmem_profile_free(p);

	n = find_row(base, "lock", "bind", &t);
	assert_int_equal(gmem_profile_without(&p, base, t, n, NULL, NULL), GMEM_DONE);
	assert_int_equal(rows_that_moved(base, p), 2);
	assert_int_equal(bind_at(p, 0, PAGE), 0);
	assert_int_equal(bind_at(p, 4 * PAGE, PAGE), -EINVAL_);
	gmem_profile_free(p);
}

static void a_row_that_is_not_there_is_misuse(void **state)
{
	const struct gmem_profile *base = gmem_profile_default();
	unsigned int t, n = find_row(base, "no such row", "bind", &t);
	struct gmem_profile *p;

	(void)state;
	assert_int_equal(gmem_profile_without(&p, base, t, n, NULL, NULL), GMEM_MISUSE);
	assert_null(p);
	assert_int_equal(gmem_profile_without(&p, base, t, n - 1, NULL, NULL), GMEM_DONE);
	gmem_profile_free(p);
	assert_int_equal(gmem_profile_without(&p, base, gmem_nr_tables(), 0, NULL, NULL),
			 GMEM_MISUSE);
	assert_int_equal(gmem_profile_without(&p, base, t, UINT32_MAX, NULL, NULL), GMEM_MISUSE);
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
		cmocka_unit_test(b45_compares_as_signed),
		cmocka_unit_test(b40_forgets_the_binding),
		cmocka_unit_test(x1_leaves_shared_mappings),
		cmocka_unit_test(what_a_release_shipped_with),
		cmocka_unit_test(what_every_profile_shipped_with),
		cmocka_unit_test(a_bug_is_one_row),
		cmocka_unit_test(every_bug_is_an_edit),
		cmocka_unit_test(a_bug_of_something_else_is_misuse),
		cmocka_unit_test(b33_keeps_the_rows_condition),
		cmocka_unit_test(b28_gives_back_the_page),
		cmocka_unit_test(a_row_without_effect),
		cmocka_unit_test(a_row_that_is_not_there_is_misuse),
		cmocka_unit_test(an_unknown_bug_is_misuse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
