#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The tarball holds what git does, and every file is fit to be seen: licence line, no trailing
# white space, nothing unfinished, nothing of the machine it was written on.
. "${srcdir:-.}/tests/tap.sh"

tmp=$build/lint-tree.tmp
rm -rf "$tmp"
mkdir "$tmp"
trap 'chmod -R u+w "$tmp"; rm -rf "$tmp"' EXIT

if tracked=$(git -C "$src" ls-files 2>/dev/null) && [ -n "$tracked" ] &&
	[ "$(git -C "$src" rev-parse --show-toplevel)" = "$src" ]; then
	from_git=yes
	sort <<<"$tracked" >"$tmp/tracked"
	if ! env -u MAKEFLAGS -u MFLAGS "${MAKE:-make}" -s distdir distdir=lint-tree.tmp/dist \
		>"$tmp/log" 2>&1; then
		judge 'make distdir' <"$tmp/log"
		finish
	fi
	(cd "$tmp/dist" && find . -type f | sed 's:^\./::' | sort) >"$tmp/packed"
	judge 'every tracked file is in the tarball' < <(comm -23 "$tmp/tracked" "$tmp/packed")
	judge 'every file in the tarball is tracked or made by Autotools' < <(
		comm -13 "$tmp/tracked" "$tmp/packed" |
			grep -Ev '^(build-aux/.*|aclocal\.m4|configure|config\.h\.in|Makefile\.in)$')
else
	from_git=no
	skip 'every tracked file is in the tarball' 'not a git tree'
fi

# The files to look at: what is tracked, or what the tarball brought apart from Autotools' own.
files()
{
	if [ "$from_git" = yes ]; then
		cat "$tmp/tracked"
	else
		(cd "$src" && find model fuse tools tests traces doc .ci ./*.md ./*.a[cm] ./*.in quickstart \
			COPYING .clang-format .gitignore -type f | sed 's:^\./::' |
			grep -Ev '(^|/)(Makefile|config\.h)\.in$|\.(o|lo|log|trs)$' | sort)
	fi
}

cd "$src" || exit 1
mapfile -t all < <(files)
mapfile -t text < <(grep -lI '' "${all[@]}")

judge 'every file has its licence line' < <(
	awk 'FNR == 1 { file[++n] = FILENAME }
		FNR <= 3 && /SPDX-License-Identifier: BSD-2-Clause/ { has[FILENAME] }
		END { for (i = 1; i <= n; i++) if (!(file[i] in has) && file[i] != "COPYING") print file[i] }' \
		"${text[@]}")
judge 'no trailing white space' < <(grep -nE '[[:blank:]]+$' "${text[@]}")
# The last bytes of all of them first: to ask file by file takes a process for each.
judge 'every file ends with a newline' < <(
	[ -n "$(tail -qc 1 "${text[@]}" | tr -d '\n')" ] && for file in "${text[@]}"; do
		[ -z "$(tail -c 1 "$file")" ] || echo "$file"
	done)
judge 'nothing is left to do' < <(grep -nE '\b(TO[D]O|FIX[M]E|XX[X])\b' "${text[@]}")
judge 'no path of a machine' < <(grep -nE '(^|[^A-Za-z0-9_.])/(hom[e]|roo[t]|wor[k]|User[s])/' "${text[@]}")
finish
