#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Builds Spin's searches of tests/bench-explore.pml, for bench-explore: bench-spin/pan-TASKS of the
# build folder, for each set of tasks that is asked for.
#
#	srcdir=.. bash ../tests/spin.sh TASKS...
#
# Spin is Debian's package. Without it, it says so and ends well: what there is to compare with is
# then not there. It fails if there is a Spin, and the model does not build.
#
# -o3 leaves statements of one process apart that Spin would merge, as -DNOREDUCE leaves orders
# apart: both are reductions. Nothing else that costs time is asked for: no cycles (-DSAFETY), no
# claims. Whole states are stored: with -DHC4 it would be about a tenth faster, and would take one
# in two thousand states of four tasks for another.
src=$(cd "${srcdir:-.}" && pwd) || exit 1
out=bench-spin
model=$src/tests/bench-explore.pml

fail()
{
	echo "$0: $*" >&2
	exit 1
}

is_up_to_date()
{
	[ "$out/pan-$1" -nt "$model" ] && [ "$out/pan-$1" -nt "$0" ]
}

build()
{
	local cc

	read -ra cc <<<"${CC:-gcc}"
	(cd "$out" && spin -a -o3 "-DTASKS=$1" "$model") || fail "Spin does not take $model"
	(cd "$out" && "${cc[@]}" -O2 -w -DNOREDUCE -DSAFETY -DMEMLIM=4096 -o "pan-$1" pan.c) ||
		fail "what Spin made of $model does not build"
}

if ! command -v spin >/dev/null; then
	rm -rf "$out"
	echo 'No Spin (Debian: apt-get install spin).'
	exit 0
fi
mkdir -p "$out"
for tasks; do
	is_up_to_date "$tasks" && continue
	echo "Building Spin's search, tasks $tasks."
	build "$tasks"
done
