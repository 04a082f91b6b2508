#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# What reviewers demand of a design: each profile says what it breaks, and its trace in
# traces/objections shows just that. `gmem explain' says where, once.
. "${srcdir:-.}/tests/tap.sh"
cd "$src" || exit 1

# "OBJ-5 OBJ-6 " of a profile, and of a trace of it.
breaks()
{
	gmem profiles "$1" | sed -n 's/^ *breaks \(OBJ-[0-9]*\): .*/\1/p' | sort -u | tr '\n' ' '
}

shown()
{
	gmem explain "$1" | awk '/^    This design breaks/ { said = 1; next }
		said { sub(/^ *\[/, ""); sub(/\].*/, ""); print; said = 0 }' | sort | tr '\n' ' '
}

profiles=$(gmem profiles | sed -n 's/^\([^ ][^ ]*\) .*/\1/p')
judge 'there are profiles' < <([ "$(wc -w <<<"$profiles")" -gt 10 ] || echo "$profiles")
for profile in $profiles; do
	trace=traces/objections/$profile.trace
	judge "$profile breaks what its trace shows, and nothing else" < <(
		[ -f "$trace" ] || echo "no $trace"
		[ -n "$(breaks "$profile")" ] || echo 'it says that it keeps to everything'
		diff <(breaks "$profile") <(shown "$trace"))
done

# Lines "PROFILE OBJ-n trace": the whole corpus at once.
shown_by_all()
{
	find traces -name '*.trace' ! -path 'traces/bugs/*' -print0 | sort -z |
		xargs -0 gmem explain 2>/dev/null | awk '
		/^traces\/.*\.trace:[0-9]+: / { file = $1; sub(/:.*/, "", file) }
		/^    This design breaks/ { said = 1; next }
		said { sub(/^ *\[/, ""); sub(/\].*/, ""); print file, $0; said = 0 }' |
		while read -r file id; do
			profile=$(sed -n 's/^profile //p' "$file")
			echo "${profile:-linux-6.18} $id $file"
		done
}

judge 'nothing else in the corpus shows more' < <(
	for profile in $profiles; do
		breaks "$profile" | tr ' ' '\n' | sed "/./s/^/$profile /"
	done >"$build/objections.tmp"
	shown_by_all | awk 'NR == FNR { may[$1 " " $2]; next } !(($1 " " $2) in may)' \
		"$build/objections.tmp" -
	rm -f "$build/objections.tmp")
finish
