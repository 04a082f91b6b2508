#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# No orphan of any kind. Every clause of doc/spec.md is in a row of model/ and is shown by a trace
# of the corpus or a test; every clause that is mentioned anywhere exists. (That every CL_ in
# model/ exists, and that ids are unique, the build sees to.)
. "${srcdir:-.}/tests/tap.sh"

tmp=lint-clauses.tmp
rm -rf "$tmp"
mkdir "$tmp"
trap 'rm -rf "$tmp"' EXIT

sed -nE 's/^\[CL_[A-Z0-9_]+\] = \{ "([A-Z0-9-]+)",$/\1/p' model/clauses.inc | sort >"$tmp/all"
cd "$src" || exit 1
tmp=$build/$tmp

judge 'there are clauses' < <([ -s "$tmp/all" ] || echo 'none in model/clauses.inc')

# Rows name a clause as PUNCH_2, and the macro that makes the row adds CL_.
for file in model/*.c model/memfd.h; do
	without_comments "$file"
done | grep -oE '\b[A-Z][A-Z0-9]*_[0-9]+\b|\bCL_[A-Z0-9]+_[0-9]+\b' | sed 's/^CL_//; s/_/-/' |
	sort -u >"$tmp/rows"
judge 'every clause is in a row of model/' < <(comm -23 "$tmp/all" "$tmp/rows")

find traces -name '*.trace' -print0 | sort -z | xargs -0 -r gmem replay --clauses 2>&1 |
	grep -oE '^[A-Z][A-Z0-9]*-[0-9]+' | sort -u >"$tmp/touched"
cat tests/*.c | grep -oE '\bCL_[A-Z][A-Z0-9]*_[0-9]+\b|\b[A-Z][A-Z0-9]*-[0-9]+\b' |
	sed 's/^CL_//; s/_/-/' | sort -u >"$tmp/tested"
judge 'every clause is shown by a trace or a test' < <(
	sort -u "$tmp/touched" "$tmp/tested" | comm -23 "$tmp/all" -)

# Lines "file:line:ID" for every [ID] in the house but the specification's own definitions.
mentions()
{
	grep -rnoIE '\[[A-Z][A-Z0-9]*\\?-[0-9]+\]' model fuse tools tests traces doc ./*.md |
		sed -E 's/\\-/-/; s/:\[([A-Z0-9-]+)\]$/:\1/'
}

judge 'every clause that is mentioned exists' < <(
	mentions | awk -F: 'NR == FNR { known[$1]; next } !($3 in known)' "$tmp/all" -)

judge 'every family that gmem.h names exists' < <(
	grep -noE '\b[A-Z][A-Z0-9]*-\*' model/gmem.h | tr -d '*' |
		awk -F: 'NR == FNR { sub(/-[0-9]+$/, "-"); known[$1]; next }
			 !($2 in known) { print "model/gmem.h:" $1 ": " $2 "*" }' "$tmp/all" -)
finish
