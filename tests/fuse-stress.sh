#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Sixteen processes at one file of gmemfs; see fuse-stress.c. For a few seconds, or as many as
# GMEM_FUSE_SECONDS says; and shorter where one thread answers, and where the kernel reads ahead.
. "${srcdir:-.}/tests/fuse-mount.sh"

seconds=${GMEM_FUSE_SECONDS:-3}

# stress TITLE SECONDS OPTION...
stress()
{
	local title=$1 seconds=$2 status

	shift 2
	: >"$tmp/log"
	mount_fs -o profile=linux-coco-v13,type=SW_PROTECTED "$@" || exit 1
	mkdir "$mnt/vm0"
	truncate -s 256K "$mnt/vm0/ram"
	judge "$title: every load sees what it may see, and nobody hangs" < <(
		timeout -k 5 "$((seconds + 120))" \
			"$build/tests/fuse-stress" "$mnt/vm0/ram" "$seconds" "$RANDOM" \
			2>"$tmp/said" || echo "status $?")
	sed 's/^/# /' "$tmp/said"
	unmount_fs
	status=$?
	judge "$title: gmemfs ends cleanly" < <(
		[ "$status" -eq 0 ] || echo "status $status"
		cat "$tmp/log")
}

stress 'as usual' "$seconds"
stress 'one thread' "$(((seconds + 3) / 4))" -s
stress 'reading ahead' "$(((seconds + 3) / 4))" -o max_readahead=131072
finish
