# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# What every script of this folder sources: TAP for bash, and where things are. A script runs
# from the build directory, by hand as well as under make:
#
#	. "${srcdir:-.}/tests/tap.sh"
#	judge "the thing is so" < <(complaints)		ok if there are none, else each is shown
#	finish

set -u
export LC_ALL=C

# shellcheck disable=SC2034
src=$(cd "${srcdir:-$(dirname "${BASH_SOURCE[0]}")/..}" && pwd)
build=$(pwd)
export PATH="$build:$PATH"
tap_count=0
tap_failed=0

tap_line()
{
	tap_count=$((tap_count + 1))
	printf '%s %d - %s\n' "$1" "$tap_count" "$2"
}

ok()
{
	tap_line ok "$1"
}

not_ok()
{
	tap_failed=1
	tap_line 'not ok' "$1"
}

skip()
{
	tap_line ok "$1 # SKIP $2"
}

skip_all()
{
	printf '1..0 # SKIP %s\n' "$1"
	exit 0
}

# Takes the test's name, and complaints on standard input, one a line.
judge()
{
	local complaints

	complaints=$(cat)
	if [ -z "$complaints" ]; then
		ok "$1"
	else
		not_ok "$1"
		printf '%s\n' "$complaints" | sed 's/^/# /'
	fi
}

# The text of a C file.
without_comments()
{
	sed -E ':a; N; $!ba; s:/\*([^*]|\*+[^*/])*\*+/::g' "$1"
}

finish()
{
	[ "$tap_count" -gt 0 ] || not_ok 'something was tested'
	printf '1..%d\n' "$tap_count"
	exit "$tap_failed"
}
