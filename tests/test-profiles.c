/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Profiles, rules and names as a program sees them: every table is there and every row of it is
 * about a clause, and every name leads back to what it names.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <string.h>

#include "calls.h"

#define EINVAL_ 22
#define NR_PROFILES 17u

/* ---- profiles and tables ---- */

static void the_list_of_profiles(void **state)
{
	static const char *const names[] = {
		"linux-6.8",
		"linux-6.18",
		"rfc-shareability-v2",
		"rfc-shareability-planned",
		"coco-rfc-v1",
		"coco-v5",
		"coco-v8",
		"linux-coco-v13",
		"coco-hugetlb",
		"memfile-notifier-rfc2",
		"memfile-notifier-v4",
		"memfile-notifier-v5",
		"memfile-notifier-v6",
		"memfile-notifier-v7",
		"restrictedmem-v10",
		"restrictedmem-2023-01",
		"restrictedmem-shim",
	};
	const struct gmem_profile *p;
	struct gmem_world *w;

	(void)state;
	for (unsigned int n = 0; n < NR_PROFILES; n++) {
		p = gmem_profile(n);
		assert_non_null(p);
		assert_string_equal(gmem_profile_name(p), names[n]);
		assert_ptr_equal(gmem_profile_find(names[n]), p);
		assert_true(strlen(gmem_profile_summary(p)) > 20);
	}
	assert_null(gmem_profile(NR_PROFILES));
	assert_string_equal(gmem_profile_name(gmem_profile_default()), "linux-6.18");
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
	static const char *const kinds[] = { "check",  "do",   "answer",    "each",  "done", "lock",
					     "unlock", "call", "call each", "retry", "wait" };
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
			if (!rows && table < GMEM_NR_VERBS) /* parts may be of other designs */
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

/* Bits that have another meaning in another design have two names. */
static int is_file_flag(const struct gmem_name *names)
{
	return !strcmp(names->name, "MMAP");
}

static void check_names(const struct gmem_name *names)
{
	for (const struct gmem_name *a = names; a->name; a++)
		for (const struct gmem_name *b = names; b != a; b++) {
			assert_string_not_equal(a->name, b->name);
			assert_true(a->value != b->value || is_file_flag(names));
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
