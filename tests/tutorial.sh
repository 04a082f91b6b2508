#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Every command of doc/tutorial.md prints what the tutorial says, when they are typed one after the
# other into one shell.
. "${srcdir:-.}/tests/fuse-mount.sh"

for tool in setfattr python3; do
	command -v "$tool" >/dev/null || skip_all "$tool is not installed"
done
rmdir "$mnt"
cd "$tmp" || exit 1

# number.cmd and number.want for every command.
awk '
	!/^    / { literal = 0; next }
	!literal && !/^    \$ / { next }
	{ literal = 1; line = substr($0, 5) }
	here { print line > (base ".cmd"); if (line == "END") here = 0; next }
	line ~ /^\$ / {
		base = sprintf("%03d", ++n)
		printf "" > (base ".want")
		print substr(line, 3) > (base ".cmd")
		here = line ~ /<<.?END/
		next
	}
	{ print line > (base ".want") }' "$src/doc/tutorial.md"

# Does the file $1 have the lines of $2, of which "..." stands for any?
as_wanted()
{
	awk 'NR == FNR { want[++n] = $0; next }
		{ said[++m] = $0 }
		function fits(i, j) {
			while (i <= n && want[i] != "...") {
				if (j > m || want[i] != said[j])
					return 0
				i++
				j++
			}
			if (i > n)
				return j > m
			for (; j <= m + 1; j++)
				if (fits(i + 1, j))
					return 1
			return 0
		}
		END { exit !fits(1, 1) }' "$2" "$1"
}

# All in one shell, as they are typed.
set +u
status=0
for cmd in ???.cmd; do
	name=${cmd%.cmd}
	command=$(cat "$cmd")
	(exit "$status")
	{
		eval "$command"
		status=$?
	} >"$name.said" 2>&1
done
set -u

for cmd in ???.cmd; do
	name=${cmd%.cmd}
	judge "$ $(head -n 1 "$cmd")" < <(
		as_wanted "$name.said" "$name.want" || diff "$name.want" "$name.said")
done
finish
