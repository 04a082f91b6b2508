#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The table in ARCHITECTURE.md of calls that fail and change something is the list of exceptions in
# tests/test-refused.c: the same calls, refused by the same rules.
. "${srcdir:-.}/tests/tap.sh"

# Lines "call rule". A family of rules is NAME-, in the table NAME-*.
excepted()
{
	without_comments "$src/tests/test-refused.c" | tr '\n\t' '  ' |
		grep -oE '\{ *GMEM_[A-Z0-9_]+, *"[A-Z]+-[0-9]*"' |
		sed -E 's/^\{ *GMEM_([A-Z0-9_]+), *"([^"]*)"$/\L\1\E \2/; s/-$/-*/' | sort -u
}

listed()
{
	sed -n '/^| call  *| refused by/,/^$/p' "$src/ARCHITECTURE.md" | sed '1,2d' |
		while IFS='|' read -r _ calls rules _; do
			for call in ${calls//,/ }; do
				tr ',' '\n' <<<"${rules// /}" | sed "s/^/$call /"
			done
		done | sort -u
}

judge 'tests/test-refused.c has exceptions' < <([ "$(excepted | wc -l)" -gt 20 ] || excepted)

judge 'ARCHITECTURE.md lists the exceptions of tests/test-refused.c' < <(
	diff <(excepted) <(listed) |
		sed -nE 's/^< (.*)/tests\/test-refused.c: \1/p; s/^> (.*)/ARCHITECTURE.md: \1/p')
finish
