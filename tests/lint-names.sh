#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A step's name means one thing: no two functions of model/ have the same one, static or not. What
# two tables need is written once. And every table says above it which kernel function it is, or that
# there is none.
. "${srcdir:-.}/tests/tap.sh"
cd "$src/model" || exit 1

# Lines "name file": a definition is a first line with a name and (, and { before any ;.
functions()
{
	awk '
	/^[A-Za-z_].*\(/ && !/^(typedef|#)/ {
		name = $0
		sub(/\(.*/, "", name)
		sub(/.*[ *]/, "", name)
		begun = !/;[ \t]*$/
		next
	}
	begun && /;[ \t]*$/ { begun = 0 }
	begun && /^{/ {
		print name, FILENAME
		begun = 0
	}' "$@"
}

judge 'functions of model/ were found' < <(
	[ "$(functions ./*.c | wc -l)" -gt 500 ] || echo 'fewer than 500')

judge 'no two functions of model/ have one name' < <(
	functions ./*.c | sort | awk '
	$1 == last { print $1 ": " file ", " $2 }
	{ last = $1; file = $2 }')

# Lines "file:line: table", of those whose comment names no function and does not say so.
nameless()
{
	awk '
	FNR == 1 { comment = "" }
	/^\/\*/ { comment = "" }
	/^const struct gmem_step gmem_op_.*\[\] = \{$/ {
		if (comment !~ /\(\)/ && comment !~ /[Nn]o kernel function/)
			print FILENAME ":" FNR ": " $4
	}
	{ comment = /^(\/\*| \*)/ ? comment $0 : "" }' "$@"
}

judge 'every table names its kernel function' < <(nameless ./*.c)
finish
