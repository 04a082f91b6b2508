#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The sources are as .clang-format wants them; `make format` makes them so. Another version of
# clang-format has another taste, so it has to be the one of Debian 12.
. "${srcdir:-.}/tests/tap.sh"
cd "$src" || exit 1
shopt -s nullglob

formatter=
for candidate in clang-format-14 clang-format; do
	if "$candidate" --version 2>/dev/null | grep -q 'version 14\.'; then
		formatter=$candidate
		break
	fi
done
[ -n "$formatter" ] || skip_all 'clang-format 14 is not installed'

for room in model fuse tools tests tests/programs; do
	files=("$room"/*.[ch])
	[ "${#files[@]}" -gt 0 ] || continue
	judge "$room/ is formatted" < <(
		"$formatter" --dry-run "${files[@]}" 2>&1 | grep -E '(warning|error):')
done
finish
