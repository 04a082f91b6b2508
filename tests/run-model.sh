#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# What gmem run offers and no kernel here: private memory, conversions, scripts of guests, machines
# without /dev/kvm; and what it says of guests that it cannot run.
. "${srcdir:-.}/tests/run-mount.sh"

# runs COMMAND...: its complaints; what was asked replays.
runs()
{
	local status

	timeout -k 5 30 gmem run --trace "$tmp/trace" "$@" >"$tmp/out" 2>"$tmp/said"
	status=$?
	[ "$status" -eq 0 ] || echo "exit status $status: $(cat "$tmp/said")"
	grep -v '^ok: ' "$tmp/out"
	[ -s "$tmp/out" ] || echo 'nothing was checked'
	gmem replay --quiet "$tmp/trace" 2>&1
}

for kind in model model-static; do
	judge "$kind: private memory, by attributes of the VM" < <(runs "$programs/$kind" private)
	judge "$kind: conversions in place" < <(
		runs --profile linux-coco-v13 "$programs/$kind" convert
		grep -q '^profile linux-coco-v13$' "$tmp/trace" || cat "$tmp/trace")
done
judge 'more memory than it may have is refused' < <(
	runs --limit-memory 4M --profile linux-coco-v13 "$programs/model" full)
judge 'an instruction that is not known is named by its bytes' < <(
	runs "$programs/model" instruction
	grep -q 'no instruction that is known here at 0xf000:0xfff0: 0f; KVM_EXIT_INTERNAL_ERROR' \
		"$tmp/said" || cat "$tmp/said")
judge 'the profile decides' < <(
	gmem run --profile linux-6.8 "$programs/refusals" >"$tmp/out" 2>/dev/null
	grep -q '^wrong: ioctl(vm, KVM_CHECK_EXTENSION, 244) = 0, not 3$' "$tmp/out" ||
		cat "$tmp/out")

# A machine without /dev/kvm: a /dev in which there is next to nothing.
bare='mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && mknod -m 666 /dev/fuse c 10 229 &&
	ln -s /proc/self/fd /dev/fd'
if [ "$(id -u)" -ne 0 ] || ! unshare -m sh -c "$bare" 2>/dev/null; then
	skip 'a machine without /dev/kvm' 'not root, or no unshare'
else
	judge 'a machine without /dev/kvm' < <(
		# shellcheck disable=SC2016
		unshare -m sh -c "$bare"' && "$@"' sh gmem run sh -c '
			test -e /dev/kvm || echo "not there"
			test -c /dev/kvm || echo "no device"
			test -w /dev/kvm || echo "cannot be written to"
			test -x /dev/kvm && echo "can be executed"
			test -e /dev/other && echo "everything is there"
			cat /dev/kvm/x 2>&1 | grep -v "Not a directory"
			cd /dev && exec 3<>kvm || echo "cannot be opened"
			stat -L -c "%F %t:%T" - <&3 | grep -vx "character special file a:e8"' 2>&1
		for program in vmm-static names; do
			unshare -m sh -c "$bare"' && "$@"' sh gmem run "$programs/$program" 2>&1 |
				grep -v '^ok: '
		done)
fi
finish
