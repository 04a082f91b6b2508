#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# gmem explore --shard: parts of one exploration, each a process, that share a folder. Together they have
# what the whole has, and each has its share of it; what becomes of a part that finds something, is stopped,
# killed, or of something else.
. "${srcdir:-.}/tests/said.sh"

b39=traces/bugs/B39.trace
v13=traces/overlap/v13-convert-and-host.trace

# start_parts NAME FIRST LAST PARTS OPTION... TRACE: runs these parts of so many, with one folder for all,
# and leaves their numbers of processes in $parts. What part I says is in NAME.I, how it ended in NAME.I.ended.
start_parts()
{
	local name=$1 first=$2 last=$3 of=$4 i

	shift 4
	parts=()
	for ((i = first; i <= last; i++)); do
		{
			timeout 60 gmem explore --shard "$i/$of" --folder "$tmp/$name" \
				-o "$tmp/$name.$i.trace" "$@" >"$tmp/$name.$i" 2>&1
			echo $? >"$tmp/$name.$i.ended"
		} &
		parts+=($!)
	done
}

# all_parts NAME PARTS OPTION... TRACE: all of them, until they have ended.
all_parts()
{
	rm -rf "${tmp:?}/$1" "$tmp/$1".*
	start_parts "$1" 0 $(($2 - 1)) "$2" "${@:3}"
	wait "${parts[@]}"
}

# The n-th number of what each of these says: states, rows, ends.
numbers()
{
	local n=$1

	shift
	sed -nE 's/.*: ([0-9]+) states, ([0-9]+) rows, ([0-9]+) ends: nothing found$/\1 \2 \3/p' "$@" |
		cut -d' ' -f"$n"
}

sum()
{
	awk '{ sum += $1 } END { print sum + 0 }'
}

# have_all TRACE PARTS OPTION...: complaints if they have together not exactly what the whole has.
have_all()
{
	local trace=$1 of=$2 n

	shift 2
	gmem explore "$@" "$trace" >"$tmp/whole"
	[ -n "$(outcomes "$tmp/whole")" ] || echo 'the whole has nothing'
	all_parts parts "$of" "$@" "$trace"
	grep -vx 0 "$tmp"/parts.*.ended
	[ "$(grep -l ": part [0-9]* of $of: .*: nothing found$" "$tmp"/parts.? | wc -l)" -eq "$of" ] ||
		cat "$tmp"/parts.?
	grep -h 'Not everything' "$tmp"/parts.?
	outcomes -h "$tmp"/parts.? | diff <(outcomes "$tmp/whole") -
	# With the reduction there may be more states, but not more ends.
	for n in 1 3; do
		[ "$n" -eq 3 ] || [ "$1" = --full ] || continue
		[ "$(numbers "$n" "$tmp"/parts.? | sum)" = "$(numbers "$n" "$tmp/whole")" ] ||
			numbers "$n" "$tmp/whole" "$tmp"/parts.?
	done
}

for how in --full --states=100000; do
	for of in 1 2 3; do
		judge "$of parts have together what the whole has ($how)" < <(
			have_all "$five" "$of" "$how")
	done
done
judge 'and of a trace of the corpus' < <(
	have_all "$v13" 4 --states=100000
	have_all "$v13" 2 --full)

# largest_of PARTS TRACE OPTION...: how many states the largest has, in per cent of what the whole has.
largest_of()
{
	all_parts divided "$1" "${@:3}" "$2"
	gmem explore "${@:3}" "$2" >"$tmp/whole"
	echo $((100 * $(numbers 1 "$tmp"/divided.? | sort -n | tail -n 1) / $(numbers 1 "$tmp/whole")))
}

sed '/^[BDG] *[:=] *[a-z]/d' tests/bench-explore.trace >"$tmp/four.trace"
sed '/^F *[:=] *[a-z]/d' "$tmp/four.trace" >"$tmp/three.trace"
judge 'four parts share the work: the largest has much less than the whole' < <(
	for how in "four.trace --states=100000" "three.trace --full"; do
		read -r trace how <<<"$how"
		percent=$(largest_of 4 "$tmp/$trace" "$how")
		[ "$percent" -lt 45 ] || echo "$trace $how: the largest has $percent % of the whole"
	done)

# One order in one call, the other in another; what is between leads from part to part.
sed -e 's/^B: load/A: load/' -e 's/^end$/B: cachestat(f0)\nend/' traces/bugs/B42-source-under-the-lock.trace \
	>"$tmp/orders.trace"
judge 'every part reports a circle of locks, whoever has seen its orders' < <(
	all_parts locks 8 --full --quiet --bug B42 "$tmp/orders.trace"
	[ "$(grep -lE ': possible deadlock: locks are taken in a circle$' "$tmp"/locks.? | wc -l)" -eq 8 ] ||
		head "$tmp"/locks.?
	grep -vx 1 "$tmp"/locks.?.ended)

judge 'a finding is in some part, and the others end' < <(
	all_parts found 3 --full --quiet --bug B39 "$b39"
	sort "$tmp"/found.?.ended | uniq | grep -vx '[01]'
	grep -qx 1 "$tmp"/found.?.ended || echo 'in none'
	for i in 0 1 2; do
		if grep -qx 1 "$tmp/found.$i.ended"; then
			[ -s "$tmp/found.$i.trace" ] || echo "part $i has written no trace"
		else
			grep -E '^[^ ]+: Not everything was seen\. It stopped because part [0-9] found something\.' \
				"$tmp/found.$i" >"$tmp/out" || cat "$tmp/found.$i"
		fi
	done
	run gmem explore --shard 1/3 --folder "$tmp/found" --bug B39 --full "$b39"
	said 2
	grep -q "^$tmp/found: part [0-9] found something; begin with an empty folder\$" "$tmp/err" ||
		cat "$tmp/err")

judge 'a part that is cut is one for all' < <(
	all_parts cut 3 --full --states 200 "$tmp/three.trace"
	grep -vx 0 "$tmp"/cut.?.ended
	[ "$(grep -lE 'It stopped (at 200 states|because part [0-9] stopped at a limit)' "$tmp"/cut.? | wc -l)" -eq 3 ] ||
		cat "$tmp"/cut.?)

judge 'a part that does not come is not waited for longer than --seconds' < <(
	rm -rf "$tmp/alone"
	run gmem explore --shard 0/2 --folder "$tmp/alone" --seconds 1 "$v13"
	said 0
	grep -q 'It stopped because part 1 did not get there in time\.' "$tmp/out" || cat "$tmp/out"
	run gmem explore --shard 1/2 --folder "$tmp/alone" "$v13"
	said 2 "$tmp/alone: part 1 did not get there in time; begin with an empty folder")

# Both wait for a third.
judge 'a part that was killed is not waited for, and its folder is not used again' < <(
	rm -rf "$tmp/killed"
	gmem explore --shard 0/3 --folder "$tmp/killed" "$v13" &
	first=$!
	start_parts killed 1 1 3 "$v13"
	until [ -e "$tmp/killed/part-0" ] && [ -e "$tmp/killed/part-1" ]; do sleep 0.02; done
	kill -9 "$first"
	wait "$first" "${parts[@]}" 2>"$tmp/err"
	grep -q 'It stopped because part 0 was killed\.' "$tmp/killed.1" || cat "$tmp/killed.1"
	rm "$tmp/killed/over"
	run gmem explore --shard 2/3 --folder "$tmp/killed" "$v13"
	said 2 "$tmp/killed/part-0 is there already, of an earlier run; begin with an empty folder")

# refused FOLDER SENTENCE OPTION... TRACE: a part of two that does not fit to part 0, which is there.
refused()
{
	local sentence=$1

	shift
	run gmem explore --folder "$tmp/other" "$@"
	said 2 "$tmp/other/part-0 is $sentence"
}

judge 'parts of something else are refused' < <(
	rm -rf "$tmp/other"
	gmem explore --shard 0/2 --folder "$tmp/other" "$v13" &
	first=$!
	until [ -e "$tmp/other/part-0" ]; do sleep 0.02; done
	another='a part of another exploration:'
	refused "$another parts 2, and here parts 3" --shard 1/3 "$v13"
	refused "$another full no, and here full yes" --shard 1/2 --full "$v13"
	refused "$another profile linux-coco-v13, and here profile linux-coco-v13+B12" --shard 1/2 --bug B12 "$v13"
	refused 'there already, of a part that runs; begin with an empty folder' --shard 0/2 "$v13"
	run gmem explore --shard 1/2 --folder "$tmp/other" "$b39"
	said 2
	grep -q "/part-0 is $another trace [0-9a-f]*, and here trace " "$tmp/err" || cat "$tmp/err"
	kill "$first"
	wait "$first" 2>"$tmp/err")

run gmem explore --shard 0/2 "$v13"
judge '--shard without a folder is refused' < <(
	said 2 'gmem explore: --shard and --folder go together')
run gmem explore --folder "$tmp/none" "$v13"
judge 'and a folder without --shard' < <(
	said 2 'gmem explore: --shard and --folder go together'
	[ ! -e "$tmp/none" ] || echo 'it was made')
run gmem explore --shard 0/2 --folder "$tmp/none" "$v13" "$b39"
judge 'and two traces' < <(
	said 2 'gmem explore: a folder is for the parts of one trace'
	[ ! -e "$tmp/none" ] || echo 'it was made')

for words in 4/4 0/0 -1/4 -0/4 +1/4 ' 1/4' '1/ 4' 1/-4 1 1/ /4 '' 1/4x x/4 0x1/4 1/2/4 1/1000000 1.0/4; do
	run gmem explore --shard "$words" "$v13"
	judge "--shard '$words' is refused" < <(
		said 2 "gmem explore: --shard $words: a part is I/N, with I from 0 to N - 1"
		cat "$tmp/out")
done

finish
