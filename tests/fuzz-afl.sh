#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Every fuzz target under AFL++ for a few seconds: it starts, finds new paths from a few traces on,
# and finds nothing wrong. GMEM_FUZZ_SECONDS makes it longer. What it wrote stays in fuzz-afl/.
. "${srcdir:-.}/tests/tap.sh"

export AFL_NO_UI=1 AFL_NO_COLOR=1 AFL_NO_AFFINITY=1 AFL_SKIP_CPUFREQ=1
export AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1
[ "${GMEM_AFL_CC:-no}" != no ] || skip_all 'no AFL++ was found by configure'
command -v afl-fuzz >/dev/null || skip_all 'there is no afl-fuzz'
seconds=$((${GMEM_FUZZ_SECONDS:-6} / 3))
[ "$seconds" -gt 0 ] || seconds=1

if ! said=$("${MAKE:-make}" fuzz-afl 2>&1); then
	judge 'AFL++ builds the fuzz targets' <<<"$said"
	finish
fi

stat_of()
{
	sed -n "s/^$1 *: *//p" "$out/default/fuzzer_stats" 2>/dev/null
}

# What came of the first input that crashes, since a clean checkout is thrown away with it.
show_crash()
{
	local input

	input=$(find "$out/default/crashes" -name 'id:*' | sort | head -n 1)
	echo "crashes, the first of them on this input, in base64:"
	base64 "$input"
	"$program" "$input" 2>&1 | tail -n 60
}

complaints()
{
	[ "$(stat_of corpus_found)" -gt 0 ] || echo 'no new path was found'
	[ "$(stat_of saved_crashes)" = 0 ] || show_crash
	[ "$(stat_of saved_hangs)" = 0 ] || echo "hangs: see $build/$out/default/hangs"
} 2>/dev/null

for program in fuzz-afl/fuzz-*; do
	name=${program##*/}
	seeds=$src/traces/stories
	if [ "$name" != fuzz-trace ]; then
		seeds=fuzz-afl/few-seeds
		rm -rf "$seeds"
		mkdir "$seeds"
		case $name in
		fuzz-order) ./tests/fuzz-seed --order "$seeds" "$src"/traces/overlap/punch-*.trace ;;
		*) ./tests/fuzz-seed "$seeds" "$src"/traces/stories/*.trace ;;
		esac
	fi
	out=fuzz-afl/check-$name
	limit=1000
	[ "$name" != fuzz-order ] || limit=10000
	rm -rf "$out"
	said=$(timeout $((seconds + 60)) afl-fuzz -s 1 -V "$seconds" -t "$limit" -i "$seeds" -o "$out" \
		-- "$program" 2>&1)
	status=$?
	if [ "$status" -eq 0 ]; then
		judge "$name under AFL++, $seconds seconds" < <(complaints)
	else
		judge "$name under AFL++, $seconds seconds" < <(tail -n 20 <<<"$said")
	fi
done
finish
