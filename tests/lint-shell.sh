#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The scripts are as shellcheck wants them.
. "${srcdir:-.}/tests/tap.sh"
cd "$src" || exit 1

command -v shellcheck >/dev/null || skip_all 'shellcheck is not installed'
for script in quickstart .ci/run doc/*.bash tests/*.sh; do
	judge "$script" < <(shellcheck -x -P SCRIPTDIR -P . -f gcc "$script" 2>&1)
done
finish
