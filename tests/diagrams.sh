#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# What gmem says and draws of calls that overlap: who waits for whom in a deadlock, as text and as a
# graph; sequence diagrams; timelines.
. "${srcdir:-.}/tests/tap.sh"
cd "$src" || exit 1

x2=traces/bugs/X2.trace
tmp=$build/diagrams.tmp
rm -rf "$tmp"
mkdir "$tmp"
trap 'rm -rf "$tmp"' EXIT

# gmem's standard output; and its exit status, unless that is the one that is wanted.
drawn()
{
	local want=$1 status

	shift
	gmem "$@" 2>"$tmp/err"
	status=$?
	[ "$status" -eq "$want" ] || echo "exit status $status, not $want"
}

# Whatever order explore comes upon.
judge 'a deadlock: who holds what since when, and waits for whom' < <(
	drawn 1 explore --bug X2 "$x2" >"$tmp/all"
	diff - <(sed '/^# SPDX/,$d; s/step [0-9]*$/step N/' "$tmp/all") <<'OUT'
traces/bugs/X2.trace: deadlock: A waits for B, B waits for A
    A: memory_failure(f0, offset=0)
        holds folio lock of f0 since step N
            row 4 of memory_failure: lock folio_lock [POISON-3]
        waits for mapping.invalidate_lock of f0 (read), held by B
            row 8 of memory_failure: lock invalidate_lock (shared) [POISON-5]
    B: fallocate(f0, mode=KEEP_SIZE|PUNCH_HOLE, offset=0, length=4K)
        holds mapping.invalidate_lock of f0 (write) since step N
            row 0 of punch_hole: lock invalidate_lock [PUNCH-1]
        waits for folio lock of f0, held by A
            row 0 of truncate_batch: lock folio_lock [PUNCH-3]
OUT
)

# One such order, and the one that explore has written.
sed 's/^end$/schedule A*5 B*16\n&/' "$x2" >"$tmp/x2.trace"
sed -n '/^# SPDX/,/^end/p' "$tmp/all" >"$tmp/explored.trace"
judge 'replay says who waits for what' < <(
	drawn 1 replay --bug X2 "$tmp/x2.trace" |
		grep -qF ': deadlock: nobody can go on; A waits for mapping.invalidate_lock; B waits for folio lock' ||
		echo 'it does not')

judge 'the same as a graph' < <(
	drawn 1 replay --bug X2 --dot "$tmp/x2.trace" >"$tmp/x2.dot"
	diff - "$tmp/x2.dot" <<'OUT'
digraph "linux-6.18+X2" {
	label="A waits for B, B waits for A";
	node [shape=box, fontname="monospace"];
	edge [fontsize=10];
	t1 [shape=ellipse, label="A\nmemory_failure(f0, offset=0)", color=red];
	t2 [shape=ellipse, label="B\nfallocate(f0, mode=KEEP_SIZE|PUNCH_HOLE, offset=0, length=4K)", color=red];
	l0 [label="folio lock of f0"];
	l1 [label="mapping.invalidate_lock of f0"];
	t1 -> l1 [label="waits for (read)\nrow 8 of memory_failure", color=red, fontcolor=red];
	t2 -> l0 [label="waits for\nrow 0 of truncate_batch", color=red, fontcolor=red];
	l0 -> t1 [label="held\nrow 4 of memory_failure", color=red, fontcolor=red];
	l1 -> t2 [label="held (write)\nrow 0 of punch_hole", color=red, fontcolor=red];
}
OUT
)
if command -v dot >/dev/null; then
	judge 'dot takes it' < <(dot -Tplain "$tmp/x2.dot" 2>&1 >/dev/null)
else
	skip 'dot takes it' 'there is no dot'
fi

judge 'the same as a sequence diagram' < <(
	drawn 1 replay --bug X2 --mermaid "$tmp/x2.trace" >"$tmp/x2.mmd"
	diff - "$tmp/x2.mmd" <<'OUT'
sequenceDiagram
    participant t1 as A
    participant t2 as B
    participant l0 as folio lock of f0
    participant l1 as mapping.invalidate_lock of f0
    participant l2 as kvm->mmu_lock of vm0
    note over t1: memory_failure(f0, offset=0)
    t1->>t1: find_folio, test_and_set_poisoned, 2 checks
    t1->>l0: take
    activate l0
    note over t2: fallocate(f0, mode=KEEP_SIZE|PUNCH_HOLE, offset=0, length=4K)
    t2->>t2: 7 checks
    t2->>l1: take (write)
    activate l1
    t1-xl1: waits (read) for B
    t2->>l2: take (write)
    activate l2
    t2->>t2: unmap_gfn_range
    note right of t2: vm0 is told the start of 0x1000 to 0x2000
    t2->>l2: give back
    deactivate l2
    t2->>t2: begin_truncation
    t2-xl0: waits for A
    note over t1,t2: deadlock: A waits for B, B waits for A
    deactivate l0
    deactivate l1
OUT
)

judge 'explore draws what replay draws of the trace that it writes' < <(
	for how in --dot --mermaid; do
		drawn 1 explore --bug X2 "$how" "$x2" >"$tmp/picture"
		grep -q 'deadlock: A waits for B, B waits for A' "$tmp/err" || echo 'nothing is said'
		drawn 1 replay --bug X2 "$how" "$tmp/explored.trace" | diff "$tmp/picture" -
	done
	drawn 1 explore --bug X2 --perfetto="$tmp/a.json" "$x2" | diff "$tmp/all" -
	drawn 1 replay --bug X2 --perfetto="$tmp/b.json" "$tmp/explored.trace"
	cmp "$tmp/a.json" "$tmp/b.json")

# Complaints about a diagram on standard input: a line that Mermaid would not take.
mermaid_lint()
{
	awk '
		NR == 1 { if ($0 != "sequenceDiagram") print "no sequenceDiagram"; next }
		/[;#]/ && !/#(35|59);/ { print NR ": a character that means something: " $0 }
		$1 == "participant" && $3 == "as" && NF > 3 { known[$2] = 1; next }
		$1 == "activate" && known[$2] { active[$2]++; next }
		$1 == "deactivate" && active[$2]-- > 0 { next }
		$1 == "note" && $2 == "right" && $3 == "of" && known[substr($4, 1, length($4) - 1)] { next }
		$1 == "note" && $2 == "over" {
			n = split(substr($3, 1, length($3) - 1), who, ",")
			for (i = 1; i <= n; i++)
				if (!known[who[i]])
					print NR ": nobody: " $0
			if (n < 1 || n > 2 || $3 !~ /:$/ || NF < 4)
				print NR ": no note: " $0
			next
		}
		match($0, /^    [tl][0-9]+(->>|-->>|-x)[tl][0-9]+: ./) {
			split($1, who, /-+(>>|x)|:/)
			if (known[who[1]] && known[who[2]])
				next
		}
		{ print NR ": " $0 }
		END {
			for (bar in active)
				if (active[bar] > 0)
					print "a bar of " bar " that has no end"
		}'
}

judge 'every trace of calls that overlap has a diagram and a timeline' < <(
	for trace in traces/overlap/*.trace; do
		drawn 0 replay --mermaid --perfetto="$tmp/timeline" "$trace" >"$tmp/diagram"
		mermaid_lint <"$tmp/diagram" | sed "s:^:$trace\: :"
		"$build/tests/check-perfetto" "$tmp/timeline" >"$tmp/checked" || cat "$tmp/checked"
	done)

judge 'the timeline of the deadlock' < <(
	drawn 1 replay --bug X2 --perfetto="$tmp/x2.json" "$tmp/x2.trace"
	diff - <("$build/tests/check-perfetto" "$tmp/x2.json") <<'OUT'
2 calls, 23 rows, 5 locks and waits, 2 arrows, 1 told
OUT
)
judge 'a lock is held from where it is taken to where it is given back' < <(
	diff - <(sed -nE '/"name":"kvm->mmu_lock of vm0"/s/.*"ph":"(.)".*"ts":([0-9]*).*/\1 \2/p' "$tmp/x2.json") \
		<<'OUT'
b 16500
e 18500
OUT
)
judge 'a wait is told once, and so is its end' < <(
	sed 's/^end$/schedule B*10 A*10\n&/' traces/overlap/unmap-and-delete.trace >"$tmp/waits.trace"
	drawn 0 replay --mermaid --perfetto="$tmp/waits.json" "$tmp/waits.trace" >"$tmp/waits.mmd"
	diff - <(grep -E -- '-x|can go' "$tmp/waits.mmd") <<'OUT'
    t1-xl1: waits (wait for 0) for B
    l1-->>t1: it can go on
OUT
	grep -c '"name":"waits for mn_active_invalidate_count of vm0"' "$tmp/waits.json" | grep -vx 2)

cat >"$tmp/two.trace" <<'END'
profile linux-coco-v13
vm0 = create_vm(type=SW_PROTECTED)
f0 = create_guest_memfd(vm0, size=4K, flags=MMAP|INIT_SHARED)
m0 = mmap(f0, length=4K, prot=READ|WRITE, flags=SHARED)
store(m0, value=1) = 0
f1 = create_guest_memfd(vm0, size=4K, flags=MMAP|INIT_SHARED)
m1 = mmap(f1, length=4K, prot=READ|WRITE, flags=SHARED)
store(m1, value=1) = 0
B = thread()
par
set_memory_attributes2(f0, offset=0, size=4K, attributes=PRIVATE) = 0
B: set_memory_attributes2(f1, offset=0, size=4K, attributes=PRIVATE) = 0
end
END
judge 'two files have an i_mmap_rwsem each' < <(
	drawn 0 replay --mermaid --perfetto="$tmp/two.json" "$tmp/two.trace" >"$tmp/two.mmd"
	for f in f0 f1; do
		echo "mapping->i_mmap_rwsem of $f"
	done >"$tmp/want"
	diff "$tmp/want" <(sed -n 's/^ *participant .* as \(.*i_mmap_rwsem.*\)/\1/p' "$tmp/two.mmd")
	diff "$tmp/want" <(grep -oE '"mapping->i_mmap_rwsem[^"]*"' "$tmp/two.json" | tr -d '"' | sort -u))
judge 'an invalidation has an arrow from its start to its end' < <(
	drawn 0 replay --perfetto="$tmp/unmap.json" traces/overlap/unmap-and-move.trace
	[ "$(grep -c '"name":"invalidation".*"cat":"flow"' "$tmp/unmap.json")" -eq 2 ] ||
		echo 'it has not'
	"$build/tests/check-perfetto" "$tmp/unmap.json" >"$tmp/checked" || cat "$tmp/checked")

# What the checks are worth.
judge 'a timeline without one of its events is not taken for whole' < <(
	grep -n '"ph":"[BEbesf]"' "$tmp/x2.json" | cut -d: -f1 | while read -r line; do
		sed "${line}d" "$tmp/x2.json" >"$tmp/less.json"
		"$build/tests/check-perfetto" "$tmp/less.json" >/dev/null && echo "line $line is not missed"
	done)
judge 'nor is a diagram without somebody in it, or a bar without its beginning' < <(
	grep -n '^    participant\|^    activate l2' "$tmp/x2.mmd" | cut -d: -f1 | while read -r line; do
		[ -n "$(sed "${line}d" "$tmp/x2.mmd" | mermaid_lint)" ] || echo "line $line is not missed"
	done)

judge 'a picture is of one trace of calls that overlap' < <(
	drawn 2 explore --mermaid "$x2" "$x2"
	grep -qF 'a picture shows one trace' "$tmp/err" || cat "$tmp/err"
	drawn 2 replay --mermaid traces/stories/first.trace
	grep -qF 'no calls overlap' "$tmp/err" || cat "$tmp/err"
	drawn 2 explore --mermaid --dot "$x2"
	grep -qF -- '--dot cannot be combined with --mermaid' "$tmp/err" || cat "$tmp/err"
	for with in --json --step --clauses --on=kvm; do
		drawn 2 replay --dot "$with" "$x2"
		grep -qF 'cannot be combined with --json, --step or --clauses' "$tmp/err" || cat "$tmp/err"
	done
	drawn 2 explore --bug X2 --perfetto="$tmp/no/such/folder" "$x2" >"$tmp/out"
	grep -qF 'no/such/folder: ' "$tmp/err" || cat "$tmp/err"
	grep -v '^' "$tmp/out")

sed 's/^\(set_memory_attributes2(f0.*= \)0$/\1EAGAIN/' "$tmp/two.trace" >"$tmp/unmet.trace"
judge 'a finding in which nobody waits is drawn as such' < <(
	drawn 1 explore --dot "$tmp/unmet.trace" | grep -c '^	label="no task is waiting";$' | grep -vx 1)
judge 'where nothing is found nothing is drawn' < <(
	drawn 0 explore --mermaid "$x2"
	grep -qF 'nothing found' "$tmp/err" || echo 'and nothing is said')
finish
