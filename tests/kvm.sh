#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The real kernel agrees: the hand-written corpus passes on /dev/kvm, apart from what is skipped
# with its reason and from the museum (traces/bugs/, which shows what a kernel did otherwise), and
# random calls get the model's answers. Without a usable /dev/kvm, and in the short runs that
# GMEM_TEST_SCALE asks for, all of it is skipped.
. "${srcdir:-.}/tests/tap.sh"

keep=$build/kvm.tmp
[ "${GMEM_TEST_SCALE:-100}" -ge 100 ] || skip_all 'a short run'
rm -rf "$keep"
mkdir "$keep"
cd "$src" || exit 1

said=$(gmem replay --on kvm --quiet traces/stories/first.trace 2>&1)
[ $? -ne 77 ] || skip_all "$said"

for folder in traces/*/; do
	case $folder in traces/bugs/) continue ;; esac
	readarray -d '' traces < <(find "$folder" -name '*.trace' -print0 | sort -z)
	said=$(timeout 300 gmem replay --on kvm --quiet "${traces[@]}" 2>&1)
	status=$?
	if [ "$status" -eq 0 ]; then
		ok "$folder on kvm"
	elif [ "$status" -eq 77 ]; then
		skip "$folder on kvm" 'all of it needs another machine'
	else
		not_ok "$folder on kvm"
		printf '%s\n(exit status %d)\n' "$said" "$status" | sed 's/^/# /'
	fi
done

# Another seed every day, and the same one all day, so that a failure comes again.
seed=$(date +%Y%m%d)
said=$(timeout 300 gmem compare --seed "$seed" --count 2000 --length 40 --keep "$keep" 2>&1)
status=$?
printf '%s\n' "$said" | sed 's/^/# /'
if [ "$status" -eq 0 ]; then
	ok "random calls of seed $seed on model and kvm"
else
	not_ok "random calls of seed $seed on model and kvm (traces in $keep)"
fi
finish
