#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# What doc/history.md says of a design is shown by a trace that is there (traces.sh replays them all).
. "${srcdir:-.}/tests/tap.sh"

history=$src/doc/history.md

# The traces that it links to, as they stand.
links()
{
	grep -oE '\]\([^)]*\)' "$history" | sed 's/^](//; s/)$//' | sort -u
}

# Every statement on a line of its own: "section: - words".
statements()
{
	awk '/^## / { section = substr($0, 4); next }
		/^- / { if (item) print item; item = section ": " $0; next }
		/^  / && item { item = item " " $0; next }
		{ if (item) print item; item = "" }
		END { if (item) print item }' "$history"
}

judge 'every link leads to a trace that is there' < <(
	[ "$(links | wc -l)" -gt 50 ] || echo 'too few links'
	links | while read -r link; do
		case $link in
		*.trace) [ -e "$src/doc/$link" ] || echo "there is no $link" ;;
		*) echo "not a trace: $link" ;;
		esac
	done)

judge 'every statement has a trace' < <(
	[ "$(statements | wc -l)" -gt 60 ] || echo 'too few statements'
	statements | grep -vF '](../traces/')

judge 'the text of a link is the name of its trace' < <(
	grep -oE '\[[^]]*\]\([^)]*\)' "$history" | sed -E 's/^\[([^]]*)\]\((.*\/)?([^/]*)\.trace\)$/\1 \3/' |
		awk '$1 != $2 && index($2, $1 "-") != 1')
finish
