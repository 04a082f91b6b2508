#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# gmem locks: what it prints of orders and of mistakes, as text and as a graph.
. "${srcdir:-.}/tests/tap.sh"
cd "$src" || exit 1

x2=traces/bugs/X2.trace
tmp=$build/locks.tmp
rm -rf "$tmp"
mkdir "$tmp"
trap 'rm -rf "$tmp"' EXIT

# What gmem says on standard output, and its exit status unless that is the one that is wanted.
said()
{
	local want=$1 status

	shift
	gmem "$@" 2>&1
	status=$?
	[ "$status" -eq "$want" ] || echo "exit status $status, not $want"
}

cat >"$tmp/allocate.trace" <<'END'
profile linux-6.18
vm0 = create_vm()
f0 = create_guest_memfd(vm0, size=4K)
fallocate(f0, mode=KEEP_SIZE, offset=0, length=4K) = 0
END
judge 'every order, in which modes, and who was the first' < <(
	diff - <(said 0 locks "$tmp/allocate.trace") <<'OUT'
linux-6.18: 2 orders of two locks, and who was the first
  mapping.invalidate_lock (read) -> folio lock
      fallocate: row 1 of allocate, then row 3 of allocate
  mm->mmap_lock (write) -> mn_active_invalidate_count (wait for 0)
      create_vm: row 6 of create_vm, then row 7 of create_vm
linux-6.18: nothing to report
    Not in these tables: B45, B46, X1, X2, which linux-6.18 shipped with (--bug)
OUT
)
judge 'what is asked for is not left out, and where nothing is left out nothing is said' < <(
	left_out()
	{
		gmem locks "$@" "$tmp/allocate.trace" | grep 'Not in these tables'
	}

	diff - <(left_out --profile linux-coco-v13 --bug X2) <<'OUT'
    Not in these tables: X1, which linux-coco-v13 shipped with (--bug)
OUT
	left_out --profile linux-coco-v13 --bug X2 --bug X1
	left_out --quiet)

judge 'a circle of locks' < <(
	diff - <(said 1 locks --quiet --bug X2 "$x2") <<'OUT'
linux-6.18+X2: possible deadlock: locks are taken in a circle
    fallocate holds mapping.invalidate_lock (write)
        row 0 of punch_hole: lock invalidate_lock [PUNCH-1]
    fallocate wants folio lock
        row 0 of truncate_batch: lock folio_lock [PUNCH-3]
    memory_failure holds folio lock
        row 4 of memory_failure: lock folio_lock [POISON-3]
    memory_failure wants mapping.invalidate_lock (read)
        row 8 of memory_failure: lock invalidate_lock (shared) [POISON-5]

    fallocate                 memory_failure
    filemap_invalidate_lock(mapping);
                              folio_lock(folio);
    folio_lock(folio);
                              filemap_invalidate_lock_shared(mapping);

        *** deadlock ***

OUT
)

# Up to version 10 restrictedmem has a mutex, which nobody takes for reading; later an rwsem.
judge 'a mutex has no readers' < <(
	readers()
	{
		gmem profiles "$1" | grep -c 'restrictedmem_lock (read)'
	}

	diff - <(for p in v10 2023-01; do readers restrictedmem-$p; done) <<'OUT'
0
2
OUT
)

judge 'a folio that has failed is locked, and let go before restrictedmem is told' < <(
	for t in memory-error-v10 memory-error; do
		gmem replay --step "traces/restrictedmem/$t.trace" | sed -n '/memory_failure(/,$p' |
			grep -oE '(un)?lock +(folio|restrictedmem)_lock' | head -n 3 | tr -s ' '
	done | diff - <(for _ in 1 2; do
		printf '%s\n' 'lock folio_lock' 'unlock folio_lock' 'lock restrictedmem_lock'
	done))

# One half of it in each trace; and the same bug in another profile has orders of its own.
grep -v '^[B]: \|^end\|^par\|thread' "$x2" | sed 's/^A: //' >"$tmp/failure.trace"
grep -v '^[A]: \|^end\|^par\|thread' "$x2" | sed 's/^B: //' >"$tmp/punch.trace"
sed 's/linux-6.18/linux-6.8/; s/, flags=MMAP|INIT_SHARED//; s/create_vm()/create_vm(type=SW_PROTECTED)/' \
	"$tmp/punch.trace" >"$tmp/punch-6.8.trace"
judge 'what is seen in one trace goes with what is seen in another' < <(
	said 0 locks --bug X2 "$tmp/failure.trace" | grep 'deadlock'
	said 0 locks --bug X2 "$tmp/punch.trace" | grep 'deadlock'
	said 1 locks --bug X2 "$tmp"/{failure,punch}.trace |
		grep -q 'possible deadlock: locks are taken in a circle' || echo 'not together')
judge 'but not with one of another profile' < <(
	said 0 locks --bug X2 "$tmp"/{failure,punch-6.8}.trace | grep -E 'deadlock|exit'
	said 0 locks --bug X2 "$tmp"/{failure,punch-6.8}.trace | grep -c '^linux-6.*+X2: .* orders' |
		grep -vx 2)
judge 'the trace is named that was the first' < <(
	said 0 locks "$tmp"/{punch,failure}.trace | grep -qxF "      in $tmp/failure.trace" ||
		echo 'it is not')

judge 'calls that overlap are made in every order' < <(
	said 0 locks traces/overlap/close-and-bind.trace |
		grep -qx '  kvm->slots_lock -> kvm->slots_arch_lock' || echo 'the bind never succeeds')

judge 'the whole corpus is in order, in each of its profiles' < <(
	find traces -name '*.trace' -exec gmem locks {} + >"$tmp/all" 2>&1 || echo "status $?"
	grep -E '^linux-|^rfc-|^coco-' "$tmp/all" | grep -vE ' orders of two |: nothing to report$'
	[ "$(grep -c ': nothing to report$' "$tmp/all")" -gt 5 ] || echo 'too few profiles'
	[ "$(wc -l <"$tmp/all")" -gt 300 ] || echo 'too few orders')

# The arrows of the graph: "from -> to", and red if they are.
arrows()
{
	sed -nE '/ -> /{ s/^\t"([^"]*)" -> "([^"]*)" (.*)$/\1 -> \2\3/
		s/\[.*color=red.*/ red/; s/\[.*style=dotted.*/ dotted/; s/\[.*//; p; }'
}

judge 'the graph has them as arrows, and a circle in red' < <(
	diff - <(said 1 locks --dot --bug X2 "$tmp"/{failure,punch}.trace | arrows |
		grep -E 'folio|mmap') <<'OUT'
kvm->srcu -> folio lock
mapping.invalidate_lock -> folio lock red
mm->mmap_lock -> mn_active_invalidate_count
folio lock -> mapping.invalidate_lock red
folio lock -> kvm->mmu_lock
OUT
)
judge 'what waits for nobody is dotted' < <(
	gmem locks --dot traces/overlap/unmap-and-unmap.trace | arrows |
		grep -qx 'mn_active_invalidate_count -> kvm->srcu dotted' || echo 'it is not')
name='dot takes it for a graph, one for each profile'
if command -v dot >/dev/null; then
	judge "$name" < <(
		find traces -name '*.trace' -exec gmem locks --dot {} + >"$tmp/all.dot"
		dot -Tplain "$tmp/all.dot" 2>&1 >"$tmp/plain"
		[ "$(grep -c '^graph ' "$tmp/plain")" -gt 5 ] || echo 'too few graphs')
else
	skip "$name" 'there is no dot'
fi

judge 'a trace that is not run to its end says why, and counts as far as it was' < <(
	sed 's/^par/&\nB: load(0x1000) = 0/' "$x2" >"$tmp/deadlock.trace"
	printf 'schedule A*5 B*17\n' | sed -i '/^end/{
		e cat
	}' "$tmp/deadlock.trace"
	gmem locks --bug X2 "$tmp/deadlock.trace" >"$tmp/out" 2>"$tmp/err"
	grep -q '^.*deadlock.trace: was not run to its end: ' "$tmp/err" || cat "$tmp/err"
	grep -q 'possible deadlock' "$tmp/out" || cat "$tmp/out")
judge 'a trace that cannot be read is wrong use' < <(
	printf 'close(-1\n' >"$tmp/malformed.trace"
	said 2 locks "$tmp/malformed.trace" >/dev/null
	said 2 locks "$tmp/malformed.trace" "$tmp/punch.trace" | grep exit)
finish
