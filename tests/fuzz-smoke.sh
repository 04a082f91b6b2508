#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Every fuzz target for a few seconds, from a seed corpus made of traces/: the traces themselves
# for fuzz-trace, what tests/fuzz-seed makes of them for fuzz-calls, and for fuzz-order of those in
# which calls overlap. GMEM_FUZZ_SECONDS makes it longer. A finding stays in the build directory,
# and is shown.
. "${srcdir:-.}/tests/tap.sh"

[ -n "${GMEM_FUZZ_TARGETS:-}" ] || skip_all 'no clang with libFuzzer was found by configure'
read -ra targets <<<"$GMEM_FUZZ_TARGETS"
seconds=$((${GMEM_FUZZ_SECONDS:-6} / ${#targets[@]}))
[ "$seconds" -gt 0 ] || seconds=1

for target in "${targets[@]}"; do
	name=${target#tests/}
	corpus=fuzz-corpus/$name
	seeds=$src/traces
	options=()
	[ "$name" != fuzz-order ] || options=(--order)
	mkdir -p "$corpus"
	if [ "$name" != fuzz-trace ]; then
		seeds=fuzz-corpus/$name.seeds
		rm -rf "$seeds"
		mkdir -p "$seeds"
		if ! find "$src/traces" -name '*.trace' -print0 |
			xargs -0 ./tests/fuzz-seed "${options[@]}" "$seeds"; then
			not_ok "$name: its seed corpus is made"
			continue
		fi
	fi
	if said=$("./$target" -seed=1 -max_total_time="$seconds" -timeout=10 -verbosity=0 \
		-artifact_prefix="fuzz-corpus/$name-" "$corpus" "$seeds" 2>&1); then
		ok "$name, $seconds seconds"
	else
		not_ok "$name, $seconds seconds"
		printf '%s\n' "$said" | tail -n 60 | sed 's/^/# /'
	fi
done
finish
