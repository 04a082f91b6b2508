#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# All of fuse.sh again, with gmemfs under memcheck: no error and no leak, or its exit status is not 0
# and the step that unmounts it has failed. The sanitizers have their turn where the tree is built with
# them, by fuse.sh itself.
. "${srcdir:-.}/tests/tap.sh"

[ -z "${GMEM_SANITIZERS:-}" ] || skip_all 'built with sanitizers'
command -v valgrind >/dev/null || skip_all 'valgrind is not installed'

# shellcheck disable=SC2034
RUNNER="valgrind --quiet --error-exitcode=99 --leak-check=full
	--errors-for-leak-kinds=definite,indirect,possible --suppressions=$src/tests/fuse-valgrind.supp"
. "$src/tests/fuse.sh"
