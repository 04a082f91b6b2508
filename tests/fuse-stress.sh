#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Sixteen processes at one file of gmemfs; see fuse-stress.c. For a few seconds, or as many as
# GMEM_FUSE_SECONDS says.
. "${srcdir:-.}/tests/fuse-mount.sh"

mount_fs -o profile=linux-coco-v13,type=SW_PROTECTED || exit 1
mkdir "$mnt/vm0"
truncate -s 256K "$mnt/vm0/ram"
judge 'every load sees what it may see, and nobody hangs' < <(
	timeout -k 5 "$((${GMEM_FUSE_SECONDS:-5} + 120))" \
		"$build/tests/fuse-stress" "$mnt/vm0/ram" "${GMEM_FUSE_SECONDS:-5}" "$RANDOM" \
		2>"$tmp/said" || echo "status $?")
sed 's/^/# /' "$tmp/said"
unmount_fs
status=$?
judge 'gmemfs ends cleanly' < <(
	[ "$status" -eq 0 ] || echo "status $status"
	cat "$tmp/log")
finish
