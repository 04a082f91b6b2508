# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# What the scripts that mount gmemfs source: mount_fs and unmount_fs, and a mount that goes whatever
# happens. All is skipped where nothing can be mounted.
. "${srcdir:-.}/tests/tap.sh"

[ -x "$build/gmemfs" ] || skip_all 'gmemfs is not built: libfuse3 is missing'
[ -w /dev/fuse ] || skip_all 'no /dev/fuse that can be written to'
command -v fusermount3 >/dev/null || skip_all 'fusermount3 is not installed'

tmp=$build/$(basename "$0" .sh).tmp
mnt=$tmp/mnt
grep -q " $mnt " /proc/mounts && fusermount3 -u -z "$mnt"
rm -rf "$tmp"
mkdir -p "$mnt"
trap 'end_fs; rm -rf "$tmp"' EXIT

# The process that serves the mount.
daemon=

end_fs()
{
	if grep -q " $mnt " /proc/mounts; then
		fusermount3 -u -z "$mnt"
	fi
	[ -z "$daemon" ] || kill "$daemon" 2>/dev/null
}

# mount_fs OPTION...: in the foreground of a job of its own; fails if it does not come up. With
# RUNNER set, under that program.
mount_fs()
{
	local i

	# shellcheck disable=SC2086
	${RUNNER:-} "$build/gmemfs" -f "$@" "$mnt" >>"$tmp/log" 2>&1 &
	daemon=$!
	for ((i = 0; i < 300; i++)); do
		! grep -q " $mnt " /proc/mounts || [ ! -e "$mnt/.gmem/profile" ] || return 0
		kill -0 "$daemon" 2>/dev/null || break
		sleep 0.1
	done
	sed 's/^/# /' "$tmp/log"
	return 1
}

# Its exit status is that of gmemfs, whose last words are shown if that is not 0.
unmount_fs()
{
	local pid=$daemon status=0

	fusermount3 -u "$mnt" || return 1
	daemon=
	wait "$pid" || status=$?
	[ "$status" -eq 0 ] || { echo "gmemfs: status $status"; tail -n 40 "$tmp/log"; }
	return "$status"
}
