#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Builds the kernel's maple tree as a program, for bench-ranges: bench-maple/maple of the build
# folder, where everything else of it stays, too. The source is Debian's linux-source package.
#
#	srcdir=.. bash ../tests/maple.sh [FOLDER]
#
# FOLDER is where linux-source-*.tar.xz is; /usr/src. Without one, it says so and ends well: what
# there is to compare with is then not there. It fails if there is a source, and it does not build.
src=${srcdir:-.}
from=${1:-/usr/src}
out=bench-maple
work=(bench-maple.c bench-maple.h bench-ranges-work.c bench-ranges.h)
headers=(linux/kernel.h linux/rcupdate.h linux/spinlock.h linux/xarray.h linux/types.h
	linux/export.h linux/slab.h linux/limits.h asm/barrier.h trace/events/maple_tree.h)

fail()
{
	echo "$0: $*" >&2
	exit 1
}

# What is there already is right if it is newer than what it was made of.
is_up_to_date()
{
	local file

	for file in "$archive" "$0" "${work[@]/#/$src/tests/}"; do
		[ "$out/maple" -nt "$file" ] || return 1
	done
}

# Stops reading the archive as soon as both files have been seen.
extract()
{
	local name=${archive##*/}

	name=${name%.tar.xz}
	tar -xJf "$archive" -C "$out" --strip-components=1 --occurrence=1 \
		"$name/lib/maple_tree.c" "$name/include/linux/maple_tree.h" ||
		fail "$archive: no maple tree of the kernel in it"
}

make_headers()
{
	local header

	for header in "${headers[@]}"; do
		mkdir -p "$out/include/${header%/*}"
		echo '#include "bench-maple.h"' >"$out/include/$header"
	done
}

compile()
{
	local cc

	read -ra cc <<<"${CC:-gcc}"
	"${cc[@]}" -std=gnu11 -O2 -w -fno-strict-aliasing -fno-strict-overflow \
		-I"$out/include" -I"$src/tests" -o "$out/maple" \
		"$src/tests/bench-maple.c" "$src/tests/bench-ranges-work.c" "$out/lib/maple_tree.c" ||
		fail "the maple tree of $archive does not build with tests/bench-maple.h"
}

archive=$(find "$from" -maxdepth 1 -name 'linux-source-*.tar.xz' 2>/dev/null | sort -V | tail -n 1)
if [ -z "$archive" ]; then
	rm -rf "$out"
	echo "No linux-source-*.tar.xz in $from (Debian: apt-get install linux-source)."
	exit 0
fi
is_up_to_date && exit 0
rm -rf "$out"
mkdir "$out"
echo "Building the maple tree of $archive."
extract
make_headers
compile
