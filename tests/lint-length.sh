#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# No function is longer than 60 lines, from its first line to its closing brace; no file is
# longer than 500. Of a header, only the lines that are not comment or blank count: a contract may be
# as long as it must be.
. "${srcdir:-.}/tests/tap.sh"
cd "$src" || exit 1

long_functions()
{
	awk -v max=60 '
	FNR == 1 { begun = inside = 0 }
	inside && /^}/ {
		if (FNR - begun + 1 > max)
			printf "%s:%d: %s: %d lines\n", FILENAME, begun, name, FNR - begun + 1
		begun = inside = 0
	}
	/^[A-Za-z_].*\(/ && !/;[ \t]*$/ && !inside { begun = FNR; name = $0 }
	/^{/ || (/^[A-Za-z_].*\).*{$/ && !/=[ \t]*{$/) {
		if (!begun) {
			begun = FNR
			name = $0
		}
		inside = 1
	}
	!inside && /;[ \t]*$/ { begun = 0 }' "$@"
}

long_files()
{
	awk -v max=500 '
	FNR == 1 { lines = 0 }
	{ counts = 1 }
	FILENAME ~ /\.h$/ && (/^[ \t]*(\/\*|\*|\/\/)/ || /^[ \t]*$/) { counts = 0 }
	counts && ++lines == max + 1 { print FILENAME ": more than " max " lines" }' "$@"
}

for room in model fuse tools tests tests/programs; do
	shopt -s nullglob
	files=("$room"/*.[ch])
	[ "${#files[@]}" -gt 0 ] || continue
	judge "functions of $room/ have at most 60 lines" < <(long_functions "${files[@]}")
	judge "files of $room/ have at most 500 lines" < <(
		long_files "${files[@]}" "$room"/*.sh)
done
finish
