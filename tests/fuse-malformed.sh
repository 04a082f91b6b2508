#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A hundred thousand malformed requests (see fuse-malformed.c) leave gmemfs serving, in every
# profile, with a trace that the library answers in the same way; and again under Valgrind, fewer of
# them.
. "${srcdir:-.}/tests/fuse-mount.sh"

count=$((1000 * ${GMEM_TEST_SCALE:-100} / 9))
[ "$count" -ge 100 ] || count=100
# Those before guest_memfd cannot be mounted.
profiles=$(gmem profiles | sed -n 's/^\([^ ][^ ]*\) .*/\1/p' | grep -vE '^(memfile|restrictedmem)')
[ -n "$profiles" ] || not_ok 'there are profiles'

# hammer TITLE COUNT OPTIONS
hammer()
{
	local status=0

	: >"$tmp/log"
	if ! mount_fs -o "$3"; then
		not_ok "$1"
		return
	fi
	timeout -k 5 300 "$build/tests/fuse-malformed" "$mnt" "$2" "$RANDOM" >"$tmp/said" 2>&1
	[ -e "$mnt/.gmem/profile" ] || echo 'it does not serve any more' >>"$tmp/said"
	! grep -a '"event":"violation"' "$mnt/.gmem/events" >>"$tmp/said"
	cp "$mnt/.gmem/trace" "$tmp/malformed.trace"
	unmount_fs || status=$?
	gmem replay --quiet "$tmp/malformed.trace" >>"$tmp/said" 2>&1
	judge "$1" < <(
		cat "$tmp/said" "$tmp/log"
		[ "$status" -eq 0 ] || echo "status $status")
}

for profile in $profiles; do
	hammer "$profile" "$count" "profile=$profile,type=SW_PROTECTED,limit-files=100,limit-ranges=1000"
done
hammer 'SNP' "$count" 'profile=linux-coco-v13,type=SNP,limit-files=100,check'

if [ -n "${GMEM_SANITIZERS:-}" ]; then
	skip 'under Valgrind' 'built with sanitizers'
elif ! command -v valgrind >/dev/null; then
	skip 'under Valgrind' 'valgrind is not installed'
else
	RUNNER='valgrind --quiet --error-exitcode=99 --leak-check=full' \
		hammer 'under Valgrind' 2000 'profile=linux-coco-v13,type=SW_PROTECTED,limit-files=100'
fi
finish
