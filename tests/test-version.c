/* SPDX-License-Identifier: BSD-2-Clause */
/* The library and the build agree on what version this is. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "config.h"
#include "gmem.h"

static void version_is_the_packages(void **state)
{
	(void)state;
	assert_string_equal(gmem_version(), PACKAGE_VERSION);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(version_is_the_packages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
