/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A binding whose end overflows a signed number: Linux 6.18 accepts it, though it lies outside the
 * file; it should be EINVAL. Says what became of it.
 */
#include "program.h"

int main(void)
{
	int vm = new_vm(), f = new_file(vm, 16 * PAGE, 0);

	printf("%ld\n",
	       result(bind_file(vm, 1, 0x10000000, 2 * PAGE, NULL, f, 0x7ffffffffffff000)));
	printf("%ld\n", result(bind_file(vm, 2, 0x20000000, 2 * PAGE, NULL, f, 0)));
	return 0;
}
