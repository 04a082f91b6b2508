#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The list of invariants in ARCHITECTURE.md is the one in model/check.c: the same numbers, the same
# sentences, and the same word on when each holds.
. "${srcdir:-.}/tests/tap.sh"

# Lines "I1 | sentence | when". A long entry is broken into lines, and a long string in two.
checked()
{
	without_comments "$src/model/check.c" | tr '\n\t' '  ' | sed -E 's/" +"//g' |
		grep -oE '\{ *"I[0-9]+", *"[^"]*", *[a-z_]+, *(true|false) *\}' |
		sed -E 's/^\{ *"(I[0-9]+)", *"([^"]*)", *[a-z_]+, *true *\}$/\1 | \2 | between calls/
			s/^\{ *"(I[0-9]+)", *"([^"]*)", *[a-z_]+, *false *\}$/\1 | \2 | every row/'
}

listed()
{
	sed -nE 's/^\| *(I[0-9]+) *\| *(.*[^ ]) *\| *([a-z ]*[a-z]) *\|$/\1 | \2 | \3/p' \
		"$src/ARCHITECTURE.md"
}

judge 'model/check.c has invariants' < <([ -n "$(checked)" ] || echo 'none was found')

judge 'no invariant in model/check.c is overlooked' < <(
	diff <(grep -oE '\{ *"I[0-9]+"' "$src/model/check.c" | grep -oE 'I[0-9]+') \
		<(checked | grep -oE '^I[0-9]+') |
		sed -nE 's/^[<>] (.*)/\1/p')

judge 'ARCHITECTURE.md lists the invariants of model/check.c' < <(
	diff <(checked) <(listed) |
		sed -nE 's/^< (.*)/model\/check.c:   \1/p; s/^> (.*)/ARCHITECTURE.md: \1/p')
finish
