#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Every trace in traces/bugs is clean on the right tables, and is caught with its bug in them: by a
# demand that is not met, an invariant, a deadlock, or an order of locks. Where calls overlap, in
# every order of their rows.
. "${srcdir:-.}/tests/tap.sh"
cd "$src" || exit 1

# What the judge says of a trace (replay, or where calls overlap explore), and its exit status,
# unless that is the one that is wanted.
complaints()
{
	local want=$1 trace=$2 how='replay --check' said status

	shift 2
	! grep -qx 'par' "$trace" || how=explore
	# What is clean is so in every order; what was not seen is not what is caught.
	[ "$how" != explore ] || [ "$want" -ne 0 ] || how='explore --complete'
	# shellcheck disable=SC2086
	said=$(timeout 60 gmem $how --quiet "$@" "$trace" 2>&1)
	status=$?
	[ "$status" -eq "$want" ] || printf '%s\n(exit status %d, not %d)\n' "$said" "$status" "$want"
}

began=$SECONDS
for trace in traces/bugs/*.trace; do
	name=$(basename "$trace" .trace)
	bug=${name%%-*}
	judge "$name is clean" < <(complaints 0 "$trace")
	judge "$name is caught with $bug" < <(complaints 1 "$trace" --bug "$bug")
done
judge 'B20c is of one refusal only' < <(
	complaints 0 traces/restrictedmem/no-memory-shim.trace --bug B20c)
for trace in traces/bugs/B40*.trace; do
	judge "$(basename "$trace" .trace) is seen as soon as the flag is gone" < <(
		timeout 60 gmem replay --check --quiet --bug B40 "$trace" 2>&1 | sed -n 1p |
			grep -v 'invariant I7')
done
judge 'all of it takes less than a minute' < <(
	[ $((SECONDS - began)) -lt 60 ] || echo "it took $((SECONDS - began)) seconds")
printf '# %d seconds\n' $((SECONDS - began))
finish
