#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# No bug of the museum without its story in doc/museum.md, under the same title, and without a trace
# in traces/bugs; no story and no trace without its bug. (That the trace finds it, museum.sh sees
# to.)
. "${srcdir:-.}/tests/tap.sh"

bugs=$(gmem bugs | sed -nE 's/^([A-Z][0-9]+[a-z]?) +(.*)$/\1: \2/p')
cd "$src" || exit 1

judge 'there are bugs' < <([ -n "$bugs" ] || echo 'gmem bugs lists none')

judge 'every bug has its story, and every story its bug' < <(
	diff <(printf '%s\n' "$bugs") <(sed -n 's/^## //p' doc/museum.md) |
		sed -n 's/^< \(.*\)/\1: not in doc\/museum.md, or elsewhere in it/p
			s/^> \(.*\)/\1: only in doc\/museum.md, or elsewhere in it/p')

judge 'every bug has a trace, and every trace its bug' < <(
	comm -3 <(printf '%s\n' "$bugs" | sed 's/:.*//' | sort -u) \
		<(find traces/bugs -name '*.trace' | sed 's:.*/::; s/\.trace$//; s/-.*//' | sort -u))

judge 'every bug that is edited into a table is named above the code that is wrong' < <(
	for id in $(printf '%s\n' "$bugs" | sed 's/:.*//'); do
		grep -qE "Museum $id: |^/\* $id: " model/*.c || echo "$id"
	done)
finish
