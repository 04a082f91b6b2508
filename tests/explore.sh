#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# gmem explore: that the reduction comes to the same as going through every order, of every trace of the
# corpus whose calls overlap; what it says of findings, chance and bounds.
. "${srcdir:-.}/tests/said.sh"

# Of each trace that explore says something of, the verdict, and where nothing is found how many ends
# there are and the outcomes.
verdicts()
{
	awk '
	match($0, /^[^ ]+\.trace:/) {
		file = substr($0, 1, RLENGTH)
		if (match($0, /[0-9]+ ends: nothing found$/))
			print file substr($0, RSTART)
		else
			print file "found"
		next
	}
	/^    [A-Za-z_][A-Za-z0-9_]* = / { print file $0 }' "$@" | sort -u
}

# ---- the reduction ----

mapfile -t traces < <(grep -lx par traces/overlap/*.trace traces/bugs/*.trace)
gmem explore -o /dev/null "${traces[@]}" >"$tmp/reduced" 2>"$tmp/err"
gmem explore -o /dev/null --full "${traces[@]}" >"$tmp/full" 2>>"$tmp/err"
judge 'the corpus has the same verdicts, ends and outcomes with the reduction and without' < <(
	cat "$tmp/err"
	verdicts "$tmp/reduced" >"$tmp/reduced.verdicts"
	verdicts "$tmp/full" | diff "$tmp/reduced.verdicts" -
	[ "$(grep -c 'nothing found$' "$tmp/reduced.verdicts")" -gt 80 ] || echo 'too few are clean'
	grep '    and .* more' "$tmp/reduced" && echo 'which are not shown')
judge 'and few states' < <(
	for how in reduced full; do
		awk 'match($0, /: [0-9]+ states/) { n += substr($0, RSTART + 2) } END { print n }' \
			"$tmp/$how"
	done | {
		read -r reduced
		read -r full
		[ $((10 * reduced)) -lt "$full" ] || echo "$reduced of $full"
	})

# What those two traces can come to, all of it: their demands alone allow more.
judge 'a hole is punched batch by batch, and a batch at once' < <(
	run gmem explore traces/overlap/punch-in-batches.trace traces/overlap/punch-of-one-batch.trace
	said 0
	diff - <(outcomes "$tmp/out") <<'OUT'
    A = 0; B = 0; B = 0x0; B = 0x0
    A = 0; B = 0; B = 0x0; B = 0x2
    A = 0; B = 0; B = 0x1; B = 0x0
    A = 0; B = 0; B = 0x1; B = 0x2
    A = 0; B = 0x0; B = 0x0
    A = 0; B = 0x1; B = 0x0
    A = 0; B = 0x1; B = 0x1
OUT
)

mapfile -t traces < <(grep -l '^schedule ' -r traces | sort)
judge 'to watch each row of an order changes nothing' < <(
	[ ${#traces[@]} -ge 5 ] || echo 'too few have an order'
	for trace in "${traces[@]}"; do
		run gmem replay --step "$trace"
		[ "$status" -eq 0 ] || tail -n 5 "$tmp/out" "$tmp/err"
	done
)

# ---- findings ----

# What the small trace in $tmp/small has to be found guilty of again.
repeats()
{
	local what

	what=$(grep -oE 'invariant I[0-9]+ is violated|deadlock: |demanded ' "$tmp/out" | head -n 1)
	[ -n "$what" ] || echo 'it is not said what was found'
	gmem replay "$@" "$tmp/small" >"$tmp/again" 2>&1
	status=$?
	said 1
	grep -qE "^$tmp/small:[0-9]+: .*$what" "$tmp/again" || {
		echo "not again: $what"
		cat "$tmp/again"
	}
	gmem explore --quiet "$tmp/small" >"$tmp/again" 2>&1 || {
		echo 'it is so without the bug, too'
		cat "$tmp/again"
	}
}

for trace in traces/bugs/*.trace; do
	grep -qx par "$trace" || continue
	name=$(basename "$trace" .trace)
	bug=${name%%-*}
	rm -f "$tmp/small"
	run gmem explore --bug "$bug" -o "$tmp/small" "$trace"
	judge "$bug is found in $name, and its small trace finds it again" < <(
		said 1
		if [ -s "$tmp/small" ]; then
			[ "$(grep -c '^[^ ]' "$tmp/out")" -eq 1 ] || grep -q 'deadlock: ' "$tmp/out" ||
				echo 'more is said than what was found'
			repeats --bug "$bug"
		else
			grep -q 'possible deadlock: ' "$tmp/out" || cat "$tmp/out"
		fi
		run gmem explore --bug "$bug" -o /dev/null --full "$trace"
		said 1 | sed 's/^/--full: /')
done

b39=traces/bugs/B39.trace
v13=traces/overlap/v13-convert-and-host.trace
gmem explore --bug B39 -o "$tmp/small" "$b39" >"$tmp/want"
cat "$tmp/small" >>"$tmp/want"
run gmem explore --bug B39 --quiet "$b39"
judge 'without -o the trace comes after the finding, also where nothing else is said' < <(
	said 1
	diff "$tmp/want" "$tmp/out")
rm -f "$tmp/small"
run gmem explore --quiet -o "$tmp/small" "$b39"
judge 'where nothing is found -q says nothing, and -o writes nothing' < <(
	said 0
	cat "$tmp/out" "$tmp/err"
	[ ! -e "$tmp/small" ] || echo 'a file was written')
for how in '' --full --preemptions=1000 "--shard 0/1 --folder $tmp/one"; do
	# shellcheck disable=SC2086
	run gmem explore --quiet --complete $how "$b39"
	judge "--complete ${how% --folder*}: everything was seen" < <(said 0)
done
nr=0
for how in '--states 5' '--preemptions 0' '--walks 5' \
	"--shard 0/1 --folder $tmp/other --states 5"; do
	# shellcheck disable=SC2086
	run gmem explore --quiet --complete $how "$b39"
	judge "--complete ${how% --folder*}: not everything was, $((++nr))" < <(said 1)
done

sed 's/\(= \){0, EAGAIN}/\10/; /^schedule/d' "$v13" >"$tmp/demand.trace"
line=$(grep -n '= {0, 1}$' "$tmp/demand.trace" | cut -d: -f1)
run gmem explore -o "$tmp/small" "$tmp/demand.trace"
judge 'a result that is not demanded is reported as replay does: line, demand, result, clause' < <(
	said 1 "$tmp/demand.trace:$((line + 1)): demanded 0, got EAGAIN, error_offset=0: B: set_memory_attributes2(f0, offset=0, size=4K, attributes=PRIVATE)"
	gmem replay "$tmp/small" | grep '^    ' | diff - <(tail -n +2 "$tmp/out")
	grep -q '^    \[CONV-16\] ' "$tmp/out" || echo 'without a clause')
sed 's/^\(load(m0) = \)SIGBUS/\10x0/' "$v13" >"$tmp/below.trace"
run gmem explore -o "$tmp/small" "$tmp/below.trace"
judge 'so is one below the block' < <(
	said 1 "$tmp/below.trace:$(wc -l <"$tmp/below.trace"): demanded 0x0, got SIGBUS: load(m0)"
	grep -q '^    \[HOST-' "$tmp/out" || echo 'without a clause')
run gmem explore traces/overlap/failure-and-failure.trace
judge 'of two that report one failure exactly one is told that there was one' < <(
	said 0
	outcomes "$tmp/out" | diff - <(printf '    %s\n' 'A = EBUSY; B = EHWPOISON' 'A = EHWPOISON; B = EBUSY'))

run gmem explore traces/bugs/X2-v13.trace
judge 'where nothing is found it says which bugs were not looked for' < <(
	said 0 '    Not in these tables: X1, X2, which linux-coco-v13 shipped with (--bug)'
	gmem explore --quiet traces/bugs/X2-v13.trace)

# ---- as many tasks as there can be ----

{
	printf 'vm0 = create_vm()\n'
	for i in {1..31}; do printf 'T%d = thread()\n' "$i"; done
	printf 'par\nclose(-1) = EBADF\n'
	for i in {1..31}; do printf 'T%d: close(-1) = EBADF\n' "$i"; done
	printf 'end\n'
} >"$tmp/tasks.trace"
run gmem explore "$tmp/tasks.trace"
judge 'thirty-two tasks' < <(
	said 0
	[ "$(outcomes "$tmp/out" | tr ';' '\n' | grep -c '= EBADF')" -eq 32 ] || cat "$tmp/out")

# ---- chance ----

gmem explore "$five" | outcomes >"$tmp/whole"
gmem explore --walks 40 --seed 7 "$five" >"$tmp/first" 2>&1
run gmem explore --walks 40 --seed 7 "$five"
judge 'the same seed draws the same orders' < <(
	said 0 '    These are 40 random orders, from seed 7; there may be others.'
	diff "$tmp/first" "$tmp/out")
run gmem explore --walks 40 --seed 8 "$five"
judge 'another seed others' < <(
	said 0 '    These are 40 random orders, from seed 8; there may be others.'
	! diff -q <(outcomes "$tmp/first") <(outcomes "$tmp/out") >/dev/null || echo 'the same')
judge 'they come to nothing that is not among the outcomes' < <(
	outcomes -h "$tmp/first" "$tmp/out" | comm -23 - "$tmp/whole")
run gmem explore --walks 200 --bug B39 -o "$tmp/small" "$b39"
judge 'what chance finds is made small, and found again' < <(
	said 1
	repeats --bug B39)

# ---- bounds ----

seven=tests/bench-explore.trace
more='[0-9]+ states were not fully explored\.'

# bounded SENTENCE OPTION...
bounded()
{
	local sentence=$1

	shift
	run timeout 30 gmem explore "$@" "$seven"
	judge "$*: it says what was not seen" < <(
		said 0
		grep -qE "^    Not everything was seen\. $sentence $more\$" "$tmp/out" || cat "$tmp/out")
}

for how in --full --bug=B12; do
	bounded 'It stopped at 500 states \(--states\)\.' "$how" --states 500
	bounded 'It stopped at 8 MiB \(--memory\)\.' "$how" --memory 8
done
bounded 'It stopped when the time was up \(--seconds\)\.' --seconds 1
bounded 'It stopped at 500 states \(--states\)\. Orders with more than 0 preemptions were left out \(--preemptions\)\.' \
	--preemptions 0 --states 500
run gmem explore --preemptions 0 "$v13"
judge '--preemptions 0: it says what was not seen' < <(
	said 0 '    Not everything was seen. Orders with more than 0 preemptions were left out (--preemptions).')
run gmem explore --preemptions 1 "$v13"
judge 'one preemption is one' < <(
	said 0 '    Not everything was seen. Orders with more than 1 preemption were left out (--preemptions).')
for how in --states=5 --preemptions=0; do
	run gmem explore --quiet "$how" "$v13"
	judge "-q $how: it says what was not seen, and nothing else" < <(
		said 0
		[ "$(grep -c "^$v13: Not everything was seen\. " "$tmp/out")" -eq 1 ] || echo 'it does not'
		[ "$(wc -l <"$tmp/out")" -eq 1 ] || cat "$tmp/out")
done
run gmem explore --quiet --walks 3 "$v13"
judge 'random orders that find nothing are silent with -q' < <(
	said 0
	cat "$tmp/out" "$tmp/err")
run gmem explore --states 5 "$v13"
judge 'outcomes of ends that are not counted are marked' < <(
	said 0 '    Outcomes, including those seen while sampling:'
	grep -q ', 0 ends: ' "$tmp/out" || cat "$tmp/out"
	[ -n "$(outcomes "$tmp/out")" ] || echo 'there are none')
run gmem explore "$v13"
judge 'others are not' < <(
	said 0
	grep sampling "$tmp/out")
for with in --full --shard=0/2 --preemptions=1; do
	run gmem explore --walks 10 "$with" "$v13"
	judge "--walks $with is refused" < <(
		said 2 'gmem explore: --walks cannot be combined with --full, --shard or --preemptions')
done
run gmem explore --preemptions 1000 "$v13"
judge 'a bound that leaves nothing out is not mentioned' < <(
	said 0
	gmem explore "$v13" | outcomes | diff - <(outcomes "$tmp/out")
	grep 'Not everything' "$tmp/out")

# ---- README.md ----

# Blocks of README.md from the line that matches, as they are without their indent.
shown()
{
	sed -n "\\|$1|,\$p" README.md | sed -n '2,${/^    /,/^$/p; /^[^ ]/q}' | sed 's/^    //; /^$/d'
}

# Rows that come or go change numbers, and nothing else that is shown.
numbers_apart()
{
	sed -E '/^[^ ]+\.trace: |^schedule/s/[0-9]+ (states|rows)|\*[0-9]+/N/g'
}

# shellcheck disable=SC2016
shown 'between `par` and `end`, in `overlap.trace`:$' >"$tmp/overlap.trace"
shown 'lists every possible outcome:$' >"$tmp/come-to"
shown 'and it prints$' >"$tmp/says"
judge 'what README.md shows is what is said' < <(
	cd "$tmp" || exit
	[ "$(wc -l <overlap.trace)" -gt 8 ] || echo 'there is no trace'
	diff <(numbers_apart <come-to) <(gmem explore overlap.trace | numbers_apart)
	sed -i 's/PRIVATE)$/PRIVATE) = 0/' overlap.trace
	diff says <(gmem explore -o small overlap.trace)
	grep -qxE 'schedule B\*[0-9]+ main\*[0-9]+' small || grep '^schedule' small)

finish
