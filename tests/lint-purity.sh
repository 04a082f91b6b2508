#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The library depends on nothing but a few memory and string functions, has its memory through
# one door, keeps no global state, and exports what gmem.h declares.
. "${srcdir:-.}/tests/tap.sh"

archive=.libs/libgmem.a
shared=.libs/libgmem.so
sanitizers='__(asan|ubsan|sanitizer|odr_asan|sancov|unnamed)[_.]'
allowed='memcpy|memmove|memset|memcmp|bcmp|strlen|strcmp|strncmp|strchr|realloc|free|__stack_chk_fail'
allowed+='|__(memcpy|memmove|memset)_chk|_GLOBAL_OFFSET_TABLE_'

# Lines "object symbol", of the archive's symbols of these nm types.
symbols()
{
	nm -A "$archive" | awk -v types="$1" 'index(types, $(NF - 1)) {
		object = $1
		sub(/^[^:]*:/, "", object)
		sub(/:.*/, "", object)
		print object, $NF
	}'
}

judge 'only allowed functions are used' < <(
	symbols UwWvV | grep -Ev " ($sanitizers.*|$allowed)\$" |
		awk 'NR == FNR { here[$2]; next } !($2 in here) { print $1 " uses " $2 }' \
			<(symbols TDRBVWC) -)

judge 'realloc and free are used by one file' < <(
	users=$(symbols U | awk '$2 == "realloc" || $2 == "free" { print $1 }' | sort -u)
	[ "$(wc -l <<<"$users")" -le 1 ] || printf '%s\n' "$users")

# Tables of pointers are in .data.rel.ro, which is as good as read-only.
judge 'no global state' < <(
	objdump -t "$archive" | awk -v sanitizers="$sanitizers" '
	/file format/ { object = $1 }
	/ (\.t?(data|bss)[^ \t]*|\*COM\*)\t/ && !/\.data\.rel\.ro/ && $NF !~ /^\./ && $NF !~ sanitizers {
		print object " has " $NF " in " $(NF - 2)
	}')

declared()
{
	for header in gmem.h gmem-explore.h; do
		without_comments "$src/model/$header"
	done |
		grep -oE '\bgmem_[a-z0-9_]+ ?\(|^extern [^(]*;' |
		sed -E 's/ ?\($//; s/^extern .*[ *]([a-z0-9_]+);$/\1/' | sort -u
}

judge 'libgmem.map names what gmem.h declares' < <(
	diff <(declared) <(sed -nE 's/^\t([a-z0-9_]+);$/\1/p' "$src/model/libgmem.map" | sort -u) |
		sed -nE 's/^< (.*)/\1 is declared and not in the map/p
			 s/^> (.*)/\1 is in the map and not declared/p')

if [ -e "$shared" ]; then
	judge 'the shared library exports what gmem.h declares' < <(
		diff <(declared) <(nm -D --defined-only "$shared" | awk '$2 != "A" { print $3 }' |
			sed 's/@.*//' | grep -Ev "^$sanitizers" | sort -u) |
			sed -nE 's/^< (.*)/\1 is declared and not exported/p
				 s/^> (.*)/\1 is exported and not declared/p')
else
	skip 'the shared library exports what gmem.h declares' 'built without a shared library'
fi
finish
