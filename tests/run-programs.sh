#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Programs that know nothing of gmem, under gmem run and on the real kernel: they find what they
# expect, and the same on both. Dynamic or static is no difference. What the model was asked on the way
# can be replayed.
. "${srcdir:-.}/tests/run-mount.sh"

# on_model NAME COMMAND...: its complaints; what it printed is in NAME.model.
on_model()
{
	local name=$1 status

	shift
	timeout -k 5 60 gmem run --trace "$tmp/$name.trace" -- "$@" >"$tmp/$name.model" 2>"$tmp/$name.said"
	status=$?
	grep -v '^ok: ' "$tmp/$name.model"
	[ -s "$tmp/$name.model" ] || echo 'nothing was checked'
	if [ "$status" -ne 0 ]; then
		echo "exit status $status"
		cat "$tmp/$name.said"
	fi
	gmem replay --quiet "$tmp/$name.trace" 2>&1
}

on_kvm()
{
	local name=$1

	shift
	timeout 60 "$@" >"$tmp/$name.kvm" 2>&1
	diff "$tmp/$name.model" "$tmp/$name.kvm"
}

# run_both NAME COMMAND...
run_both()
{
	judge "$1 on the model" < <(on_model "$@")
	if has_kvm; then
		judge "$1 says the same on the real kernel" < <(on_kvm "$@")
	else
		skip "$1 says the same on the real kernel" 'no usable /dev/kvm'
	fi
}

for program in refusals names startup registers threads forks sockets vmm vcpus; do
	run_both "$program" "$programs/$program"
	run_both "$program-static" "$programs/$program-static"
done
"$programs/late" >/dev/null 2>&1
if [ $? -eq 77 ]; then
	skip 'late' 'no userfaultfd here'
else
	run_both late "$programs/late"
	run_both late-static "$programs/late-static"
fi
for seed in 1 2; do
	run_both "random-$seed" "$programs/random" 3000 "$seed"
done
# What an interpreter does is the same as what the processor does.
run_both instructions "$programs/instructions"
if command -v python3 >/dev/null; then
	run_both python python3 "$src/tests/programs/vmm.py"
else
	skip 'python' 'python3 is not installed'
fi
if command -v qemu-system-x86_64 >/dev/null; then
	judge 'QEMU starts' < <(
		echo quit | timeout -k 5 60 gmem run qemu-system-x86_64 -accel kvm -machine q35 -m 64M -nodefaults \
			-display none -S -monitor stdio >"$tmp/out" 2>"$tmp/said" || cat "$tmp/said"
		grep 'cannot be answered' "$tmp/said")
else
	skip 'QEMU starts' 'qemu-system-x86_64 is not installed'
fi
finish
