# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# What the scripts that explore source: a folder of their own, $tmp, that goes with them, and what a
# command said.
. "${srcdir:-.}/tests/tap.sh"
cd "$src" || exit 1

tmp=$build/$(basename "$0" .sh).tmp
rm -rf "$tmp"
mkdir "$tmp"
trap 'rm -rf "$tmp"' EXIT

# run COMMAND...: leaves its exit status in $status, what it printed in the files out and err.
run()
{
	"$@" >"$tmp/out" 2>"$tmp/err"
	status=$?
}

# said STATUS [LINE...]: complaints if the status is another, or a line is not there as it stands.
said()
{
	local line

	[ "$status" -eq "$1" ] || echo "exit status $status, not $1"
	shift
	for line; do
		grep -qxF -- "$line" "$tmp/out" "$tmp/err" || echo "not said: $line"
	done
}

# What the calls can result in, from what explore says of one trace.
outcomes()
{
	grep -E '^    ([A-Za-z_][A-Za-z0-9_]* = |and )' "$@" | sort -u
}

# Five tasks with a call each: more orders than are gone through without need.
five=$tmp/five.trace
cat >"$five" <<'END'
vm0 = create_vm()
f0 = create_guest_memfd(vm0, size=4K)
A = thread()
B = thread()
C = thread()
D = thread()
E = thread()
par
A: cachestat(f0)
B: cachestat(f0)
C: fallocate(f0, mode=KEEP_SIZE, offset=0, length=4K)
D: cachestat(f0)
E: close(f0)
end
END
