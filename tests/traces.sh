#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Every trace of the corpus is answered by the model as it demands, and where calls overlap in
# every order of their rows, unless the trace has a schedule: then it is about that order. One TAP
# line a trace; a failure shows what gmem says, file and line
# first.
. "${srcdir:-.}/tests/tap.sh"
cd "$src" || exit 1

while IFS= read -r -d '' trace; do
	said=$(timeout 60 gmem replay "$trace" 2>&1)
	status=$?
	if [ "$status" -eq 0 ] && grep -qx 'par' "$trace" && ! grep -q '^schedule ' "$trace"; then
		said=$(timeout 60 gmem explore --quiet --complete "$trace" 2>&1)
		status=$?
	fi
	[ "$status" -ne 124 ] || said="$trace: not done within 60 seconds"
	if [ "$status" -eq 0 ]; then
		ok "$trace"
	else
		not_ok "$trace"
		printf '%s\n(exit status %d)\n' "$said" "$status" | sed 's/^/# /'
	fi
done < <(find traces -name '*.trace' -print0 | sort -z)

# That they hear of it, and let it pass, no result shows.
judge 'in v10 memslots beside a punch hear of its start and its end' < <(
	gmem replay --step traces/restrictedmem/punch-beside-a-memslot-v10.trace |
		grep -c 'range_is_beside_the_slot .*yes$' | grep -vx 2)
finish
