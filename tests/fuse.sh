#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# gmemfs as programs see it: the tree, reading and writing, mappings, conversions, what guests see,
# errnos, and the ways in which a mount ends.
. "${srcdir:-.}/tests/fuse-mount.sh"

v13=(-o "profile=linux-coco-v13,type=SW_PROTECTED,check")

# expect WANT COMMAND...: complains unless the command prints that, errors included.
expect()
{
	local want=$1 said

	shift
	said=$("$@" 2>&1)
	[ "$said" = "$want" ] || printf '%s: %s\n    instead of: %s\n' "$*" "$said" "$want"
}

# refuses ERROR COMMAND...: complains unless it fails with that error.
refuses()
{
	local error=$1 said

	shift
	if said=$("$@" 2>&1); then
		echo "$*: succeeds"
	elif [[ $said != *"$error"* ]]; then
		echo "$*: $said"
	fi
}

# check NAME [DIRECTORY]: what fuse-check complains of, in a new VM unless one is given.
check()
{
	local vm=${2:-$mnt/$1}

	[ -d "$vm" ] || mkdir "$vm"
	"$build/tests/fuse-check" "$1" "$vm" 2>&1 || echo "fuse-check $1: status $?"
}

if ! mount_fs "${v13[@]}"; then
	not_ok 'gmemfs can be mounted'
	finish
fi
ok 'gmemfs can be mounted'

for check in sigbus in-flight ahead errnos holes guest ways pin limits-of-fuse limits-of-ioctls limits-of-events \
	limits-of-memory limits-of-contents; do
	judge "$check" < <(check "$check")
done

judge 'directories and files' < <(
	mkdir "$mnt/vm0" "$mnt/vm1" || echo 'no mkdir'
	refuses 'File exists' mkdir "$mnt/vm0"
	refuses 'Operation not permitted' mkdir "$mnt/vm0/inside"
	refuses 'Operation not permitted' truncate -s 4K "$mnt/outside"
	refuses 'Operation not permitted' truncate -s 4K "$mnt/vm0/gmem-77"
	refuses 'Operation not permitted' ln -s x "$mnt/vm0/link"
	truncate -s 64K "$mnt/vm0/ram" || echo 'no truncate'
	expect 65536 stat -c %s "$mnt/vm0/ram"
	refuses 'Invalid argument' truncate -s 128K "$mnt/vm0/ram"
	refuses 'Directory not empty' rmdir "$mnt/vm0"
	rmdir "$mnt/vm1" || echo 'no rmdir'
	expect ram ls "$mnt/vm0")

judge 'reading and writing' < <(
	expect '' cmp <(head -c 65536 /dev/zero) "$mnt/vm0/ram"
	head -c 65536 /dev/urandom >"$tmp/bytes"
	dd if="$tmp/bytes" of="$mnt/vm0/ram" bs=16K conv=notrunc status=none || echo 'no dd'
	expect '' cmp "$tmp/bytes" "$mnt/vm0/ram"
	cp "$mnt/vm0/ram" "$tmp/copy" || echo 'no cp'
	expect '' cmp "$tmp/bytes" "$tmp/copy"
	fallocate -p -o 4096 -l 4096 "$mnt/vm0/ram" || echo 'no fallocate'
	expect '' cmp -n 4096 /dev/zero "$mnt/vm0/ram" -i 0:4096
	refuses 'No space left' dd if=/dev/zero of="$mnt/vm0/ram" bs=4K seek=16 count=1 conv=notrunc)

if command -v python3 >/dev/null; then
	judge 'mmap of Python' < <(
		python3 - "$mnt/vm0/ram" <<'END' 2>&1
import mmap, sys
with open(sys.argv[1], "r+b") as f:
    m = mmap.mmap(f.fileno(), 65536)
m[100:105] = b"hello"
m.flush()
if m[100:105] != b"hello":
    print("other bytes:", m[100:105])
m[100:105] = b"again"
with open(sys.argv[1], "rb", buffering=0) as f:
    f.seek(100)
    if f.read(5) != b"again":
        print("read sees other bytes")
m[0:65536] = bytes(65536)
with open(sys.argv[1] + "-new", "w+b") as f:
    f.truncate(8192)
    n = mmap.mmap(f.fileno(), 8192)
    n[0:5] = b"hello"
    if f.read(5) != b"hello":
        print("a new file has other bytes")
END
		rm "$mnt/vm0/ram-new" || echo 'no rm'
		dd if="$tmp/bytes" of="$mnt/vm0/ram" bs=16K conv=notrunc status=none)
else
	skip 'mmap of Python' 'python3 is not installed'
fi

if command -v xfs_io >/dev/null; then
	judge 'xfs_io' < <(
		expect 'read 4096/4096 bytes at offset 8192' sed -n 1p \
			<(xfs_io -c 'pread 8192 4096' "$mnt/vm0/ram" 2>&1)
		xfs_io -c 'pwrite -S 0x5a 4096 4096' -c 'mmap 0 65536' -c 'mread 4096 4' \
			-c 'fpunch 4096 4096' -c 'mread -v 4096 4' "$mnt/vm0/ram" >"$tmp/xfs" 2>&1
		grep -q '00001000:  00 00 00 00' "$tmp/xfs" || cat "$tmp/xfs"
		refuses 'nvalid argument' xfs_io -c 'truncate 4096' "$mnt/vm0/ram"
		dd if="$tmp/bytes" of="$mnt/vm0/ram" bs=16K conv=notrunc status=none)
else
	skip 'xfs_io' 'xfs_io is not installed'
fi

if command -v setfattr >/dev/null; then
	judge 'extended attributes' < <(
		setfattr -n user.gmem.convert -v 8K+4K=private "$mnt/vm0/ram" || echo 'no setfattr'
		expect '8192+4096=private,allocated' sed -n 2p \
			<(getfattr --only-values -n user.gmem.ranges "$mnt/vm0/ram" 2>/dev/null)
		expect SW_PROTECTED getfattr --only-values --absolute-names -n user.gmem.type "$mnt/vm0"
		refuses 'Permission denied' dd if="$mnt/vm0/ram" bs=4K skip=2 count=1 of=/dev/null
		refuses 'Invalid argument' setfattr -n user.gmem.convert -v 1+1=private "$mnt/vm0/ram"
		refuses 'Invalid argument' setfattr -n user.gmem.convert -v nonsense "$mnt/vm0/ram"
		refuses 'not supported' setfattr -n user.other -v x "$mnt/vm0/ram"
		setfattr -n user.gmem.convert -v 8K+4K=shared "$mnt/vm0/ram"
		expect '' cmp -n 4096 "$tmp/bytes" "$mnt/vm0/ram" -i 8192)
else
	skip 'extended attributes' 'setfattr is not installed'
fi

judge 'the trace of all this is answered in the same way by the library' < <(
	cat "$mnt/.gmem/trace" >"$tmp/mount.trace"
	[ "$(wc -l <"$tmp/mount.trace")" -gt 100 ] || echo 'it is short'
	gmem replay --quiet "$tmp/mount.trace" 2>&1)
judge 'events are JSON, one object a line' < <(
	cat "$mnt/.gmem/events" >"$tmp/events"
	grep -vE '^\{"event":"(call|told)",.*\}$' "$tmp/events"
	grep -q '"told":"invalidate_start"' "$tmp/events" || echo 'no notification'
	grep -q '"event":"violation"' "$tmp/events" && echo 'a violation')
judge 'state, lockdep, profile' < <(
	grep -q '^vm0: descriptor' "$mnt/.gmem/state" || echo 'no vm0'
	expect '0 problems' tail -n 1 "$mnt/.gmem/lockdep"
	expect linux-coco-v13 cat "$mnt/.gmem/profile")
judge 'removing' < <(
	exec 5<"$mnt/vm0/ram"
	rm "$mnt/vm0/ram" || echo 'no rm'
	expect '' cmp -n 4096 "$tmp/bytes" /dev/fd/5
	exec 5<&-
	expect '' ls "$mnt/vm0"
	rmdir "$mnt/vm0" || echo 'no rmdir')

unmount_fs
status=$?
judge 'fusermount3 -u ends it cleanly' < <(
	[ "$status" -eq 0 ] || echo "status $status"
	cat "$tmp/log")

judge 'SIGTERM ends it cleanly' < <(
	mount_fs || echo 'no mount'
	kill -TERM "$daemon"
	wait "$daemon" || echo "status $?"
	! grep " $mnt " /proc/mounts)

if command -v python3 >/dev/null; then
	judge 'a daemon that was killed leaves SIGBUS in mappings' < <(
		mount_fs || echo 'no mount'
		mkdir "$mnt/vm0"
		truncate -s 64K "$mnt/vm0/ram"
		{
			{
				until [ -e "$tmp/killed" ]; do sleep 0.1; done
				echo
			} | python3 -c 'import mmap, sys
f = open(sys.argv[1], "r+b")
m = mmap.mmap(f.fileno(), 65536)
m[0]
open(sys.argv[2], "w")
input()
m[8192]' "$mnt/vm0/ram" "$tmp/mapped"
			echo $? >"$tmp/status"
		} 2>/dev/null &
		client=$!
		for ((i = 0; i < 100; i++)); do
			[ ! -e "$tmp/mapped" ] || break
			sleep 0.1
		done
		kill -KILL "$daemon"
		wait "$daemon" 2>/dev/null
		touch "$tmp/killed"
		wait "$client"
		expect 135 cat "$tmp/status"
		fusermount3 -u "$mnt" || echo 'no unmount')
else
	skip 'a daemon that was killed leaves SIGBUS in mappings' 'python3 is not installed'
fi

late=$build/tests/.libs/late-write.so
if [ -n "${RUNNER:-}${GMEM_SANITIZERS:-}" ] || [ ! -e "$late" ]; then
	skip 'a write that comes late' 'nothing can be loaded into gmemfs'
else
	judge 'a write that comes late' < <(
		LD_PRELOAD=$late mount_fs "${v13[@]}" || echo 'no mount'
		(sleep 20; umount -f "$mnt") >/dev/null 2>&1 &
		watchdog=$!
		check late
		kill "$watchdog"
		unmount_fs || echo 'no unmount')
fi

judge 'readahead' < <(
	mount_fs "${v13[@]}" -o max_readahead=131072 || echo 'no mount'
	for check in sigbus in-flight ahead holes; do
		check "$check"
	done
	unmount_fs || echo 'no unmount')

judge 'a terabyte costs what was written' < <(
	mount_fs -o limit-memory=64K || echo 'no mount'
	mkdir "$mnt/vm0"
	truncate -s 1T "$mnt/vm0/ram"
	for offset in 0 1000000 200000000; do
		dd if=/dev/urandom of="$mnt/vm0/ram" bs=4K seek="$offset" count=1 conv=notrunc status=none
	done
	dd if="$mnt/vm0/ram" bs=4K skip=100000000 count=15 status=none | tr -d '\0' | wc -c |
		grep -vx 0
	fallocate -p -o 4K -l 1023G "$mnt/vm0/ram" || echo 'no fallocate'
	awk '/^VmRSS:/ && $2 > 200000 { exit 1 }' "/proc/$daemon/status" ||
		grep VmRSS "/proc/$daemon/status"
	unmount_fs || echo 'no unmount')

judge 'what the host has no room for is an error, and no end' < <(
	mount_fs || echo 'no mount'
	mkdir "$mnt/vm0"
	truncate -s 64K "$mnt/vm0/ram"
	prlimit --pid "$daemon" --fsize=4096 || echo 'no prlimit'
	refuses 'File too large' truncate -s 64K "$mnt/vm0/large"
	refuses 'File too large' dd if=/dev/zero of="$mnt/vm0/ram" bs=4K seek=3 count=1 conv=notrunc
	[ -z "$(command -v python3)" ] || python3 - "$mnt/vm0/ram" <<'END' 2>&1
import mmap, sys
f = open(sys.argv[1], "r+b")
m = mmap.mmap(f.fileno(), 65536)
m[8192] = 1
try:
    m.flush()
    print("what is not written back is no error")
except OSError:
    pass
END
	unmount_fs || echo 'no unmount')

if [ -n "${RUNNER:-}" ]; then
	skip 'there may be as many files as there are descriptors' 'it has its own for itself'
else
	judge 'there may be as many files as there are descriptors' < <(
		ulimit -S -n 64
		ulimit -H -n 192
		mount_fs || echo 'no mount'
		mkdir "$mnt/vm0"
		truncate -s 4K "$mnt/vm0/ram"{1..100} || echo 'no files'
		refuses 'No space left' truncate -s 4K "$mnt/vm0/more"{1..100}
		unmount_fs || echo 'no unmount')
fi

judge 'tail -f follows the events' < <(
	mount_fs || echo 'no mount'
	timeout 10 tail -n 0 -f "$mnt/.gmem/events" >"$tmp/followed" &
	follower=$!
	sleep 0.5
	mkdir "$mnt/followed"
	for ((i = 0; i < 50; i++)); do
		! grep -q create_vm "$tmp/followed" || break
		sleep 0.1
	done
	grep -q '"call":"vm0 = create_vm()"' "$tmp/followed" || echo 'it does not'
	kill "$follower"
	wait "$follower"
	unmount_fs || echo 'no unmount')

judge 'a daemon that was killed leaves ENOTCONN, and a mount that can be unmounted' < <(
	mount_fs || echo 'no mount'
	mkdir "$mnt/vm0"
	kill -KILL "$daemon"
	wait "$daemon" 2>/dev/null
	refuses 'not connected' ls "$mnt/vm0"
	fusermount3 -u "$mnt" || echo 'no unmount')

judge 'it runs in the background' < <(
	"$build/gmemfs" "$mnt" || echo 'no mount'
	expect linux-6.18 cat "$mnt/.gmem/profile"
	fusermount3 -u "$mnt" || echo 'no unmount')

judge 'strictly' < <(
	mount_fs -o strict "${v13[@]}" || echo 'no mount'
	for check in strict strict-before limits-of-strict; do
		check "$check"
	done
	mkdir "$mnt/vm0"
	setfattr -n user.gmem.flags -v 0 "$mnt/vm0" 2>/dev/null && echo 'flags of a directory'
	truncate -s 4K "$mnt/vm0/ram"
	refuses 'Invalid argument' dd if=/dev/zero of="$mnt/vm0/ram" bs=4K count=1 conv=notrunc
	refuses 'Invalid argument' sync "$mnt/vm0/ram"
	refuses 'Invalid argument' head -c 1 "$mnt/vm0/ram"
	refuses 'Illegal seek' cp "$mnt/vm0/ram" "$mnt/vm0/copy"
	unmount_fs || echo 'no unmount')

as_nobody()
{
	setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}

# The folder of the build may be closed to others, so the mount is at an open one.
if [ "$(id -u)" -ne 0 ] || ! as_nobody true 2>/dev/null; then
	skip 'others are kept out, or their permissions are checked' 'not root, or no setpriv'
else
	closed=$mnt
	mnt=$(mktemp -d -t gmemfs-test.XXXXXX)
	open=$(mktemp -d -t gmemfs-test.XXXXXX)
	chmod 755 "$mnt" "$open"
	cp "$build/gmem" "$open"
	judge 'others are kept out, or their permissions are checked' < <(
		mount_fs "${v13[@]}" || echo 'no mount'
		refuses 'Permission denied' as_nobody ls "$mnt"
		unmount_fs
		mount_fs "${v13[@]}" -o allow_other || echo 'no mount'
		expect '' as_nobody ls "$mnt"
		refuses 'Permission denied' as_nobody mkdir "$mnt/vm0"
		refuses 'Permission denied' as_nobody cat "$mnt/.gmem/events"
		mkdir "$mnt/vm0"
		truncate -s 4K "$mnt/vm0/ram"
		refuses 'Permission denied' as_nobody cat "$mnt/vm0/ram"
		chmod 755 "$mnt/vm0"
		refuses 'Permission denied' as_nobody cat "$mnt/vm0/ram"
		gmem bind "$mnt/vm0/ram" 0x100000 || echo 'no bind'
		expect 0x0 gmem guest-load "$mnt/vm0" 0x100000
		refuses 'ermission denied' as_nobody "$open/gmem" guest-load "$mnt/vm0" 0x100000
		pin=$(gmem pin "$mnt/vm0/ram" 0 4K)
		refuses 'Permission denied' as_nobody setfattr -n user.gmem.convert \
			-v 0+4K=private "$mnt/vm0/ram"
		chmod 1777 "$mnt"
		as_nobody mkdir "$mnt/vm1" || echo 'no mkdir'
		as_nobody truncate -s 4K "$mnt/vm1/ram" || echo 'no truncate'
		refuses 'not permitted' as_nobody "$open/gmem" pin --unpin "$pin" "$mnt/vm1/ram"
		gmem pin --unpin "$pin" "$mnt/vm1/ram" || echo 'no unpin'
		unmount_fs || echo 'no unmount')
	rmdir "$mnt"
	mnt=$closed

	if ! as_nobody test -w /dev/fuse || [ ! -u "$(command -v fusermount3)" ]; then
		skip 'what is private is so for who has mounted it' 'only root can mount'
	else
		judge 'what is private is so for who has mounted it' < <(
			cp "$build/gmemfs" "$open"
			mkdir "$open/mnt"
			chown 65534 "$open/mnt"
			as_nobody "$open/gmemfs" -f "$open/mnt" &
			for ((i = 0; i < 100; i++)); do
				! as_nobody test -e "$open/mnt/.gmem" || break
				sleep 0.1
			done
			expect linux-6.18 as_nobody cat "$open/mnt/.gmem/profile"
			refuses 'Permission denied' as_nobody ls "/proc/$!/fd"
			refuses 'Permission denied' as_nobody cat "/proc/$!/mem"
			as_nobody fusermount3 -u "$open/mnt" || echo 'no unmount'
			wait $! || echo "status $?")
	fi
	rm -r "$open"
fi

if [ "$(id -u)" -ne 0 ] || ! command -v mount.fuse3 >/dev/null; then
	skip 'the helper of mount -t fuse.gmemfs' 'not root, or no mount.fuse3'
else
	judge 'the helper of mount -t fuse.gmemfs' < <(
		mount.fuse3 "$build/gmemfs#none" "$mnt" -o rw,profile=coco-v8 || echo 'no mount'
		expect coco-v8 cat "$mnt/.gmem/profile"
		umount "$mnt" || echo 'no umount')
fi

# mount(8) looks for it in the system's folders, of which one is another one for a moment.
if [ "$(id -u)" -ne 0 ] || ! command -v mount.fuse3 >/dev/null || ! unshare -m true 2>/dev/null; then
	skip 'fstab' 'not root, or no mount.fuse3, or no unshare'
else
	judge 'fstab' < <(
		echo "gmemfs $mnt fuse.gmemfs rw,nosuid,noauto,profile=linux-coco-v13,type=SNP 0 0" >"$tmp/fstab"
		mkdir "$tmp/bin"
		cp "$build/gmemfs" "$tmp/bin"
		# shellcheck disable=SC2016
		expect SNP unshare -m --propagation slave sh -c 'mount --bind "$1/bin" /usr/local/bin && mount -T "$1/fstab" "$2" &&
			mkdir "$2/vm0" && getfattr --only-values --absolute-names -n user.gmem.type "$2/vm0" &&
			umount "$2"' sh "$tmp" "$mnt")
fi

judge 'a wrong option is refused with a reason' < <(
	refuses 'unknown profile nonsense' "$build/gmemfs" -o profile=nonsense "$mnt"
	refuses 'unknown type' "$build/gmemfs" -o type=nonsense "$mnt"
	refuses 'no size' "$build/gmemfs" -o limit-memory=nonsense "$mnt"
	refuses 'machine=nonsense: ' "$build/gmemfs" -o machine=nonsense "$mnt"
	refuses 'not counted' "$build/gmemfs" -o machine=max_fds=5 "$mnt"
	refuses 'no VMs of type SNP' "$build/gmemfs" -o machine=types=DEFAULT+TDX,type=SNP "$mnt"
	refuses 'unknown option' "$build/gmemfs" -o nonsense "$mnt"
	refuses 'no mount point' "$build/gmemfs")

judge 'the machine can be another one' < <(
	mount_fs -o machine=types=DEFAULT+TDX:smm=0,type=TDX || echo 'no mount'
	mkdir "$mnt/vm0"
	expect TDX getfattr --only-values --absolute-names -n user.gmem.type "$mnt/vm0"
	refuses 'Invalid argument' setfattr -n user.gmem.type -v SNP "$mnt/vm0"
	expect 'machine types=DEFAULT|TDX smm=0' grep ^machine "$mnt/.gmem/trace"
	unmount_fs || echo 'no unmount')

judge 'limits are ENOSPC or ENOMEM' < <(
	mount_fs "${v13[@]}" -o limit-memory=16K || echo 'no mount'
	mkdir "$mnt/vm0"
	check limits-of-limits "$mnt/vm0"
	unmount_fs || echo 'no unmount'
	mount_fs -o limit-files=2,limit-vms=1,limit-memory=16K || echo 'no mount'
	mkdir "$mnt/vm0"
	refuses 'No space left' mkdir "$mnt/vm1"
	truncate -s 64K "$mnt/vm0/a" "$mnt/vm0/b" || echo 'no files'
	refuses 'No space left' truncate -s 64K "$mnt/vm0/c"
	refuses 'No space left' dd if=/dev/zero of="$mnt/vm0/a" bs=4K count=16 conv=notrunc
	rm "$mnt/vm0/a"
	truncate -s 64K "$mnt/vm0/c" || echo 'no file afterwards'
	unmount_fs || echo 'no unmount'
	mount_fs -o profile=linux-coco-v13,type=SW_PROTECTED,limit-ranges=20 || echo 'no mount'
	mkdir "$mnt/vm0"
	truncate -s 1M "$mnt/vm0/ram"
	for ((page = 0; page < 7; page++)); do
		gmem convert "$mnt/vm0/ram" $((page * 8192)) 4K private 2>&1
	done
	for ((; page < 30; page++)); do
		gmem convert "$mnt/vm0/ram" $((page * 8192)) 4K private 2>/dev/null
	done
	refuses ENOMEM gmem convert "$mnt/vm0/ram" $((page * 8192)) 4K private
	gmem convert "$mnt/vm0/ram" 0 1M shared 2>&1 | grep -v ENOMEM
	unmount_fs || echo 'no unmount'
	mount_fs -o profile=linux-coco-v13,type=SW_PROTECTED,limit-world=512K || echo 'no mount'
	mkdir "$mnt/vm0"
	check full-world "$mnt/vm0"
	gmem show "$mnt/vm0"/gmem-* | grep -q '^private  *+' || echo 'no picture'
	refuses 'allocate memory' setfattr -n user.gmem.convert -v 255M+4K=private "$mnt/vm0"/gmem-*
	rm "$mnt/vm0"/gmem-*
	truncate -s 64K "$mnt/vm0/ram" || echo 'no file afterwards'
	unmount_fs || echo 'no unmount')
finish
