#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The corpus through mounts of the profiles and machines that it is about: every result is the
# library's, or the trace ends with the name of a limit of FUSE. And what a mount has recorded of it
# replays on the library.
. "${srcdir:-.}/tests/fuse-mount.sh"

default=$(gmem profiles | sed -n 's/^\([^ ][^ ]*\) .* (default).*/\1/p')

# "PROFILE MACHINE FILE" of every trace, with the machine as an option of gmemfs without what is so
# anyway, and a dash where nothing remains.
# shellcheck disable=SC2016
find "$src/traces" -name '*.trace' -print0 | sort -z |
	xargs -0 awk -v default="${default:-linux-6.18}" '
		function leave() { if (file) print profile, machine ? machine : "-", file }
		FNR == 1 { leave(); file = FILENAME; profile = default; machine = "" }
		$1 == "profile" { profile = $2 }
		$1 == "machine" && $2 ~ /=/ {
			for (i = 2; i <= NF; i++) {
				if ($i ~ /^(arch=x86_64|smm=1|tdp=1|in_place=1|max_fds=.*)$/)
					continue
				gsub(/\|/, "+", $i)
				machine = machine (machine ? ":" : "") $i
			}
		}
		END { leave() }' >"$tmp/everything"
# Designs from before guest_memfd cannot be mounted.
grep -vE '^(memfile|restrictedmem)' "$tmp/everything" >"$tmp/all"

replayed=0
while read -r profile machine; do
	title="$profile, ${machine/#-/the usual machine}"
	readarray -t traces < <(awk -v p="$profile" -v m="$machine" '$1 == p && $2 == m' "$tmp/all" |
		cut -d ' ' -f 3-)
	[ "$machine" = - ] && machine= || machine=,machine=$machine
	if ! mount_fs -o "profile=$profile,strict,limit-vms=10000$machine"; then
		not_ok "$title: mounted"
		continue
	fi
	said=$(timeout -k 5 300 gmem replay --on "$mnt" "${traces[@]}" 2>&1)
	status=$?
	cp "$mnt/.gmem/trace" "$tmp/recorded.trace"
	printf '%s\n' "$said" | tail -n 1 | sed 's/^/# /'
	judge "$title: the corpus through a mount" < <(
		# 77 where there is nothing but limits
		[ "$status" -eq 0 ] || [ "$status" -eq 77 ] || echo "status $status"
		grep -v ' skipped: ' <<<"$said" | sed '$d'
		grep ' skipped: ' <<<"$said" |
			grep -vE "skipped: (a limit of FUSE: |the order of calls that overlap is the model's)"
		ls "$mnt")
	judge "$title: what was recorded of it" < <(
		[ "$status" -eq 77 ] || gmem replay --quiet "$tmp/recorded.trace" 2>&1)
	unmount_fs || not_ok "$title: unmounted"
	replayed=$((replayed + ${#traces[@]}))
done < <(cut -d ' ' -f 1,2 "$tmp/all" | sort -u)

judge 'no trace is left out' < <(
	[ "$replayed" -ge 1000 ] || echo "$replayed"
	[ "$replayed" -eq "$(wc -l <"$tmp/all")" ] || echo "only $replayed"
	[ "$(find "$src/traces" -name '*.trace' | wc -l)" -eq "$(wc -l <"$tmp/everything")" ] ||
		echo 'some are in no list')
judge 'what is no mount is refused' < <(
	gmem replay --on "$tmp" "$src/traces/read/refused.trace" 2>&1 |
		grep -q 'is no mounted gmemfs' || echo 'it is not')
finish
