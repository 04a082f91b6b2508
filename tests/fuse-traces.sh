#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The corpus through a mount of each profile: every result is the library's, or the trace ends with
# the name of a limit of FUSE. And what the mount has recorded of it replays on the library.
. "${srcdir:-.}/tests/fuse-mount.sh"

readarray -d '' traces < <(find "$src/traces" -name '*.trace' -print0 | sort -z)
# Those before guest_memfd cannot be mounted.
profiles=$(gmem profiles | sed -n 's/^\([^ ][^ ]*\) .*/\1/p' | grep -vE '^(memfile|restrictedmem)')
[ -n "$profiles" ] || not_ok 'there are profiles'

for profile in $profiles; do
	if ! mount_fs -o "profile=$profile,strict,limit-vms=10000"; then
		not_ok "$profile is mounted"
		continue
	fi
	said=$(timeout -k 5 300 gmem replay --on "$mnt" "${traces[@]}" 2>&1)
	status=$?
	cp "$mnt/.gmem/trace" "$tmp/recorded.trace"
	printf '%s\n' "$said" | tail -n 1 | sed 's/^/# /'
	judge "the corpus through a mount of $profile" < <(
		[ "$status" -eq 0 ] || echo "status $status"
		grep -v ' skipped: ' <<<"$said" | sed '$d'
		ls "$mnt")
	judge "what $profile has recorded of it" < <(gmem replay --quiet "$tmp/recorded.trace" 2>&1)
	unmount_fs || not_ok "$profile is unmounted"
done
judge 'what is no mount is refused' < <(
	gmem replay --on "$tmp" "${traces[0]}" 2>&1 | grep -q 'is no mounted gmemfs' || echo 'it is not')
finish
