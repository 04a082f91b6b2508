#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# No variable that our Makefile.am and its parts use is misspelt, that is, undefined. What
# Automake's own rules use and do not define is not ours.
. "${srcdir:-.}/tests/tap.sh"

unset MAKEFLAGS MFLAGS MAKELEVEL
used=$(cat "$src/Makefile.am" "$src"/*/Makemodule.am | grep -v '^#' | sed 's:\$\$::g' |
	grep -oE '\$\([A-Za-z_][A-Za-z0-9_]*[:)]' | sed 's/^..//; s/.$//' |
	sort -u | grep -vxE 'DESTDIR|MAKE|MAKEFLAGS')

judge 'every variable that is used is defined' < <(
	comm -23 <(cat <<<"$used") \
		<(sed -nE 's/^([A-Za-z_][A-Za-z0-9_]*) *[:?]?=.*/\1/p' Makefile | sort -u))

judge 'make warns of none that is ours' < <(
	for target in all check install dist bench format clean; do
		"${MAKE:-make}" -n --warn-undefined-variables "$target" 2>&1 >/dev/null
	done | sed -nE "s/.*undefined variable '(.*)'.*/\1/p" | sort -u | comm -12 <(cat <<<"$used") -)
finish
