#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The unit tests again, with less work in each (GMEM_TEST_SCALE=1), under memcheck: no error and
# no leak. As many at a time as there are processors.
. "${srcdir:-.}/tests/tap.sh"

[ -z "${GMEM_SANITIZERS:-}" ] || skip_all 'built with sanitizers'
command -v valgrind >/dev/null || skip_all 'valgrind is not installed'

out=valgrind.tmp
rm -rf "$out"
mkdir -p "$out/tests"
trap 'rm -rf "$out"' EXIT

memcheck()
{
	GMEM_TEST_SCALE=1 valgrind --quiet --error-exitcode=99 --leak-check=full \
		--errors-for-leak-kinds=definite,indirect,possible --child-silent-after-fork=yes \
		"./$1" >"$out/$1.out" 2>&1
	echo $? >"$out/$1.status"
}

read -ra programs <<<"${GMEM_UNIT_TESTS:?is set by make check}"
for program in "${programs[@]}"; do
	while [ "$(jobs -pr | wc -l)" -ge "$(nproc)" ]; do
		wait -n
	done
	memcheck "$program" &
done
wait

for program in "${programs[@]}"; do
	if grep -q '^1\.\.0 # SKIP' "$out/$program.out"; then
		skip "$program" "$(sed -n 's/^1\.\.0 # SKIP *//p' "$out/$program.out")"
	elif grep -q 'Valgrind: debuginfo reader' "$out/$program.out"; then
		skip "$program" "this valgrind cannot read this compiler's debugging information"
	elif [ "$(cat "$out/$program.status")" -eq 0 ]; then
		ok "$program"
	else
		not_ok "$program"
		grep -v '^ok ' "$out/$program.out" | sed 's/^/# /'
	fi
done
finish
