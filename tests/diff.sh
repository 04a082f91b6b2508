#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# gmem diff: what it tells designs, what it shows of them, and what it refuses.
. "${srcdir:-.}/tests/tap.sh"
. "$src/tests/said.sh"

story=traces/convert/there-and-back.trace

# told PROFILE: by which calls, with which results, a trace on standard input is told there.
told()
{
	gmem diff --json --profiles "$1" - |
		sed -nE 's/.*"event":"answer".*"how":"([^"]*)","calls":\[([^]]*)\](,"why":"([^"]*)")?(,"result":"([^"]*)")?.*/\1|\2|\6|\4/p' |
		sed -E 's/","/; /g; s/"//g'
}

# tells TITLE PROFILE, with a trace up to a line "---" and the end of what is told for it.
tells()
{
	local text

	text=$(cat)
	judge "$1" < <(told "$2" <<<"${text%%---*}" | tail -n "$(grep -c . <<<"${text##*---$'\n'}")" |
		diff - <(printf '%s\n' "${text##*---$'\n'}"))
}

# ---- translation ----

coco='profile linux-coco-v13
vm0 = create_vm(type=SW_PROTECTED)
f0 = create_guest_memfd(vm0, size=16K, flags=MMAP|INIT_SHARED)'

tells 'a conversion of a file is one of guest addresses' linux-6.8 <<END
$coco
set_user_memory_region2(vm0, slot=0, flags=GUEST_MEMFD, gpa=0x10000, size=8K, memfd=f0, offset=4K)
set_user_memory_region2(vm0, slot=1, flags=GUEST_MEMFD, gpa=0x40000, size=4K, memfd=f0, offset=12K)
set_memory_attributes2(f0, offset=0, size=16K, attributes=PRIVATE)
set_memory_attributes2(f0, offset=8K, size=4K, attributes=0)
set_user_memory_region2(vm0, slot=0, gpa=0x10000, size=0)
set_memory_attributes2(f0, offset=4K, size=4K, attributes=PRIVATE)
---
by others|set_memory_attributes(vm0, gpa=0x10000, size=8K, attributes=PRIVATE); set_memory_attributes(vm0, gpa=0x40000, size=4K, attributes=PRIVATE)|0|only what a memslot has
by others|set_memory_attributes(vm0, gpa=0x11000, size=4K, attributes=0)|0|
as written|set_user_memory_region2(vm0, slot=0, gpa=0x10000, size=0)|0|
none|||it converts guest addresses, and no memslot has the range
END

tells 'and the other way round' linux-coco-v13 <<'END'
profile linux-6.8
vm0 = create_vm(type=SW_PROTECTED)
f0 = create_guest_memfd(vm0, size=16K)
set_user_memory_region2(vm0, slot=0, flags=GUEST_MEMFD, gpa=0x10000, size=8K, memfd=f0, offset=4K)
set_memory_attributes(vm0, gpa=0x11000, size=8K, attributes=PRIVATE)
set_memory_attributes(vm0, gpa=0x10000, size=4K, attributes=0)
close(f0)
set_memory_attributes(vm0, gpa=0x10000, size=4K, attributes=0)
---
by others|set_memory_attributes2(f0, offset=8K, size=4K, attributes=PRIVATE)|0, error_offset=0|only what a memslot has
by others|set_memory_attributes2(f0, offset=4K, size=4K, attributes=0)|0, error_offset=0|
as written|close(f0)|0|
not made|||f0 is closed
END

tells 'shareability converts files by two calls' rfc-shareability-v2 <<END
$coco
f1 = create_guest_memfd(vm0, size=4K)
set_memory_attributes2(f0, offset=4K, size=4K, attributes=PRIVATE)
set_memory_attributes2(f0, offset=4K, size=4K, attributes=0)
---
by others|f0 = create_guest_memfd(vm0, size=16K, flags=SUPPORT_SHARED)|a file descriptor|
by others|f1 = create_guest_memfd(vm0, size=4K, flags=SUPPORT_SHARED|INIT_PRIVATE)|a file descriptor|a file whose pages convert can be mapped
by others|convert_private(f0, offset=4K, size=4K)|0, error_offset=0|
by others|convert_shared(f0, offset=4K, size=4K)|0, error_offset=0|
END

tells 'as planned it leaves that to the file first' rfc-shareability-planned <<END
$coco
---
by others|vm0 = create_vm(type=SW_PROTECTED); enable_cap(vm0, cap=DISABLE_LEGACY_PRIVATE_TRACKING)|a file descriptor|
by others|f0 = create_guest_memfd(vm0, size=16K, flags=SUPPORT_SHARED)|a file descriptor|
END

tells 'what is as written is not said again, whatever came before it' rfc-shareability-planned <<END
$coco
m0 = mmap(f0, length=16K, prot=READ|WRITE, flags=SHARED)
set_user_memory_region2(vm0, slot=0, flags=GUEST_MEMFD, gpa=0x10000, size=16K, addr=m0, memfd=f0)
---
as written|m0 = mmap(f0, length=16K, prot=READ|WRITE, flags=SHARED)|an address|
as written|set_user_memory_region2(vm0, slot=0, flags=GUEST_MEMFD, gpa=0x10000, size=16K, addr=m0, memfd=f0)|0|
END

tells 'and back' coco-hugetlb <<'END'
profile rfc-shareability-v2
vm0 = create_vm(type=SW_PROTECTED)
f0 = create_guest_memfd(vm0, size=2M, flags=SUPPORT_SHARED|INIT_PRIVATE|HUGETLB|HUGE_2MB)
f1 = create_guest_memfd(vm0, size=8K)
convert_shared(f0, offset=0, size=4K)
---
by others|f0 = create_guest_memfd(vm0, size=2M, flags=MMAP|HUGETLB, page_order=9)|a file descriptor|
as written|f1 = create_guest_memfd(vm0, size=8K)|a file descriptor|
by others|set_memory_attributes2(f0, offset=0, size=4K, attributes=0)|0, error_offset=0|
END

tells 'a flag that there is not is left out' coco-v8 <<'END'
profile coco-hugetlb
vm0 = create_vm(type=SW_PROTECTED)
f0 = create_guest_memfd(vm0, size=2M, flags=MMAP|HUGETLB, page_order=9)
---
as written|vm0 = create_vm(type=SW_PROTECTED)|a file descriptor|
by others|f0 = create_guest_memfd(vm0, size=2M, flags=MMAP)|a file descriptor|it has no flag HUGETLB
END

tells 'memory stands in for shared pages that are not in the file' linux-6.18 <<END
$coco
set_user_memory_region2(vm0, slot=0, flags=GUEST_MEMFD, gpa=0x10000, size=8K, memfd=f0, offset=4K)
m0 = mmap(f0, offset=8K, length=4K, prot=READ|WRITE, flags=SHARED)
store(m0, value=0x11)
guest_load(vm0, gpa=0x11000)
m1 = mmap(f0, length=4K, prot=READ, flags=SHARED)
fallocate(f0, mode=KEEP_SIZE|PUNCH_HOLE, offset=0, length=16K)
guest_load(vm0, gpa=0x11000)
munmap(m0, length=4K)
fallocate(f0, mode=KEEP_SIZE|PUNCH_HOLE, offset=0, length=16K)
---
by others|f0 = create_guest_memfd(vm0, size=16K)|a file descriptor|
by others|m0 = mmap(anon, length=8K, prot=READ|WRITE, flags=SHARED|ANONYMOUS); set_user_memory_region2(vm0, slot=0, flags=GUEST_MEMFD, gpa=0x10000, size=8K, addr=m0, memfd=f0, offset=4K)|0|
before|||the memory that the memslot has already
as written|store(m0+4K, value=0x11)|0|
as written|guest_load(vm0, gpa=0x11000)|0x11|
by others|m1 = mmap(anon, length=4K, prot=READ, flags=SHARED|ANONYMOUS)|an address|
by others|fallocate(f0, mode=KEEP_SIZE|PUNCH_HOLE, offset=0, length=16K); madvise(m0, length=8K, advice=REMOVE); madvise(m1, length=4K, advice=REMOVE)|0|
as written|guest_load(vm0, gpa=0x11000)|0x0|
as written|munmap(m0+4K, length=4K)|0|
by others|fallocate(f0, mode=KEEP_SIZE|PUNCH_HOLE, offset=0, length=16K); madvise(m1, length=4K, advice=REMOVE)|0|
END

tells 'a file that begins private is made so' linux-6.8 <<'END'
profile linux-coco-v13
vm0 = create_vm(type=SW_PROTECTED)
f0 = create_guest_memfd(vm0, size=4K, flags=MMAP)
set_user_memory_region2(vm0, slot=0, flags=GUEST_MEMFD, gpa=0x10000, size=4K, memfd=f0)
---
by others|f0 = create_guest_memfd(vm0, size=4K)|a file descriptor|
by others|f0_shared = mmap(anon, length=4K, prot=READ|WRITE, flags=SHARED|ANONYMOUS); set_user_memory_region2(vm0, slot=0, flags=GUEST_MEMFD, gpa=0x10000, size=4K, addr=f0_shared, memfd=f0); set_memory_attributes(vm0, gpa=0x10000, size=4K, attributes=PRIVATE)|0|
END

tells 'a capability has its name, not its number' coco-v8 <<'END'
profile linux-coco-v13
check_extension(kvm, cap=GUEST_MEMFD_MEMORY_ATTRIBUTES)
check_extension(kvm, cap=USER_MEMORY2)
---
as written|check_extension(kvm, cap=GUEST_MEMFD_MEMORY_ATTRIBUTES)|8|
as written|check_extension(kvm, cap=USER_MEMORY2)|1|
END

tells 'content modes are of one version' linux-coco-v13 <<'END'
profile coco-v5
vm0 = create_vm(type=SW_PROTECTED)
f0 = create_guest_memfd(vm0, size=4K, flags=MMAP|INIT_SHARED)
set_memory_attributes2(f0, offset=0, size=4K, attributes=PRIVATE, flags=PRESERVE)
---
by others|set_memory_attributes2(f0, offset=0, size=4K, attributes=PRIVATE)|0, error_offset=0|it has no content modes
END

tells 'with the switch off it is as in 6.18' coco-v8 <<'END'
profile linux-6.18
machine in_place=0
vm0 = create_vm(type=SW_PROTECTED)
f0 = create_guest_memfd(vm0, size=4K)
set_user_memory_region2(vm0, slot=0, flags=GUEST_MEMFD, gpa=0x10000, size=4K, memfd=f0)
set_memory_attributes(vm0, gpa=0x10000, size=4K, attributes=PRIVATE)
---
as written|set_memory_attributes(vm0, gpa=0x10000, size=4K, attributes=PRIVATE)|0|
END

tells 'a memfd has its size afterwards, and is private where it is allocated' memfile-notifier-v4 <<END
$coco
m0 = mmap(f0, length=16K, prot=READ|WRITE, flags=SHARED)
set_user_memory_region2(vm0, slot=0, flags=GUEST_MEMFD, gpa=0x10000, size=16K, memfd=f0)
set_memory_attributes2(f0, offset=4K, size=4K, attributes=PRIVATE)
guest_store(vm0, gpa=0x11000, value=0x11)
set_memory_attributes2(f0, offset=4K, size=4K, attributes=0)
fallocate(f0, mode=KEEP_SIZE, offset=0, length=4K)
cachestat(f0)
---
by others|f0 = memfd_create(flags=INACCESSIBLE); ftruncate(f0, length=16K)|a file descriptor|
by others|m0 = mmap(anon, length=16K, prot=READ|WRITE, flags=SHARED|ANONYMOUS)|an address|
by others|set_user_memory_region2(vm0, slot=0, flags=GUEST_MEMFD, gpa=0x10000, size=16K, addr=m0, memfd=f0)|0|
by others|fallocate(f0, mode=KEEP_SIZE, offset=4K, length=4K)|0|
as written|guest_store(vm0, gpa=0x11000, value=0x11)|0|
by others|fallocate(f0, mode=KEEP_SIZE|PUNCH_HOLE, offset=4K, length=4K)|0|
as written|fallocate(f0, mode=KEEP_SIZE, offset=0, length=4K)|0|what is allocated is private
none|||it has no cachestat
END

tells 'one that begins private is allocated' memfile-notifier-v6 <<'END'
profile coco-v8
vm0 = create_vm(type=SW_PROTECTED)
f0 = create_guest_memfd(vm0, size=16K, flags=MMAP)
set_user_memory_region2(vm0, slot=0, flags=GUEST_MEMFD, gpa=0x10000, size=8K, memfd=f0, offset=4K)
---
by others|f0_shared = mmap(anon, length=8K, prot=READ|WRITE, flags=SHARED|ANONYMOUS); set_user_memory_region2(vm0, slot=0, flags=GUEST_MEMFD, gpa=0x10000, size=8K, addr=f0_shared, memfd=f0, offset=4K); fallocate(f0, mode=KEEP_SIZE, offset=4K, length=8K)|0|
END

tells 'the first of them were sealed' memfile-notifier-rfc2 <<END
$coco
---
by others|f0 = memfd_create(flags=ALLOW_SEALING); fcntl(f0, cmd=ADD_SEALS, value=0x20); ftruncate(f0, length=16K)|a file descriptor|
END

tells 'the last told the VM' memfile-notifier-v7 <<END
$coco
set_user_memory_region2(vm0, slot=0, flags=GUEST_MEMFD, gpa=0x10000, size=16K, memfd=f0)
set_memory_attributes2(f0, offset=4K, size=4K, attributes=PRIVATE)
set_memory_attributes2(f0, offset=4K, size=4K, attributes=0)
---
by others|memory_encrypt_reg_region(vm0, gpa=0x11000, size=4K)|0|
by others|memory_encrypt_unreg_region(vm0, gpa=0x11000, size=4K)|0|
END

tells 'restrictedmem has a system call' restrictedmem-v10 <<END
$coco
set_user_memory_region2(vm0, slot=0, flags=GUEST_MEMFD, gpa=0x10000, size=16K, memfd=f0)
set_memory_attributes2(f0, offset=4K, size=4K, attributes=PRIVATE)
---
by others|f0 = memfd_restricted(); ftruncate(f0, length=16K)|a file descriptor|
by others|f0_shared = mmap(anon, length=16K, prot=READ|WRITE, flags=SHARED|ANONYMOUS); set_user_memory_region2(vm0, slot=0, flags=GUEST_MEMFD, gpa=0x10000, size=16K, addr=f0_shared, memfd=f0)|0|
by others|set_memory_attributes(vm0, gpa=0x11000, size=4K, attributes=PRIVATE)|0|
END

tells 'and the shim needs a mount' restrictedmem-shim <<END
$coco
---
by others|f0_mount = open_mount(mode=TMPFS|NOEXEC); f0 = memfd_restricted(f0_mount); ftruncate(f0, length=16K)|a file descriptor|
END

memfd='profile memfile-notifier-v5
vm0 = create_vm(type=SW_PROTECTED)
f0 = memfd_create(flags=INACCESSIBLE)
ftruncate(f0, length=16K)
set_user_memory_region2(vm0, slot=0, flags=PRIVATE, gpa=0x10000, size=16K, memfd=f0)
fallocate(f0, mode=KEEP_SIZE, offset=8K, length=4K)
fallocate(f0, mode=KEEP_SIZE|PUNCH_HOLE, offset=8K, length=4K)'

tells 'a memfd is told as a guest_memfd' linux-coco-v13 <<END
$memfd
ftruncate(f0, length=32K)
f1 = memfd_create()
---
by others|f0 = create_guest_memfd(vm0, size=16K)|a file descriptor|
before|||it has its size already
as written|set_user_memory_region2(vm0, slot=0, flags=GUEST_MEMFD, gpa=0x10000, size=16K, memfd=f0)|0|
by others|set_memory_attributes2(f0, offset=8K, size=4K, attributes=PRIVATE)|0, error_offset=0|
by others|set_memory_attributes2(f0, offset=8K, size=4K, attributes=0)|0, error_offset=0|
as written|ftruncate(f0, length=32K)|EINVAL|
none|||it has no such memfd
END

tells 'by its VM where that decides' rfc-shareability-v2 <<END
$memfd
---
by others|set_memory_attributes(vm0, gpa=0x12000, size=4K, attributes=PRIVATE)|0|
by others|set_memory_attributes(vm0, gpa=0x12000, size=4K, attributes=0)|0|
END

tells 'a seal is a flag elsewhere' memfile-notifier-v5 <<'END'
profile memfile-notifier-rfc2
f0 = memfd_create(flags=ALLOW_SEALING)
fcntl(f0, cmd=ADD_SEALS, value=0x20)
ftruncate(f0, length=16K)
---
by others|f0 = memfd_create(flags=INACCESSIBLE)|a file descriptor|
before|||it is out of reach already
as written|ftruncate(f0, length=16K)|0|
END

tells 'a record of the VM is another record of the VM' restrictedmem-2023-01 <<'END'
profile memfile-notifier-v7
vm0 = create_vm(type=SW_PROTECTED)
f0 = memfd_create(flags=INACCESSIBLE)
memory_encrypt_reg_region(vm0, gpa=0x10000, size=4K)
memory_encrypt_unreg_region(vm0, gpa=0x10000, size=4K)
---
by others|f0 = memfd_restricted()|a file descriptor|
by others|set_memory_attributes(vm0, gpa=0x10000, size=4K, attributes=PRIVATE)|0|
by others|set_memory_attributes(vm0, gpa=0x10000, size=4K, attributes=0)|0|
END

tells 'without a VM or a size there is no guest_memfd' linux-6.18 <<'END'
profile memfile-notifier-v4
f0 = memfd_create(flags=INACCESSIBLE)
ftruncate(f0, length=16K)
vm0 = create_vm()
f1 = memfd_create(flags=INACCESSIBLE)
---
none|||it needs a VM first
not made|||there is no f0
as written|vm0 = create_vm()|a file descriptor|
none|||it needs the size, which is not given
END

tells 'what is not there is not used' linux-6.8 <<'END'
vm0 = create_vm(type=SNP)
f0 = create_guest_memfd(vm0, size=4K)
populate(vm0, gpa=0x0, size=4K)
close(vm0)
vm1 = create_vm()
populate(vm1, gpa=0x0, size=4K)
---
as written|vm0 = create_vm(type=SNP)|EINVAL|
not made|||there is no vm0
none|||it has no populate
not made|||there is no vm0
as written|vm1 = create_vm()|a file descriptor|
none|||it has no populate
END

judge 'under its own profile a trace is what replay makes of it' < <(
	for trace in traces/stories/*.trace traces/convert-shareability/*.trace; do
		profile=$(sed -n 's/^profile //p' "$trace")
		gmem diff --json -p "${profile:-linux-6.18}" "$trace" >"$tmp/a"
		gmem replay --json "$trace" >"$tmp/b"
		diff <(sed -nE 's/.*"event":"answer".*"result":"([^"]*)".*/\1/p' "$tmp/a") \
			<(sed -nE 's/.*"event":"call".*"result":"([^"]*)".*/\1/p' "$tmp/b")
		grep -q '"event":"call"' "$tmp/b" || echo "$trace: no call"
	done)

# ---- text ----

run gmem diff -p linux-6.8,linux-6.18,linux-coco-v13 "$story"
judge 'designs stand side by side, and those that are equal together' < <(
	diff - <(sed '/^The rules/,$d' "$tmp/out") <<'END'
traces/convert/there-and-back.trace: 13 calls under 3 designs; 2 results differ

        linux-6.8, linux-6.18                          linux-coco-v13

     5  vm0 = create_vm(type=SW_PROTECTED) = a file descriptor [VM-5]
     6  f0 = create_guest_memfd(vm0, size=4K, flags=MMAP|INIT_SHARED)
        linux-6.8, linux-6.18: f0 = create_guest_memfd(vm0, size=4K)
        a file descriptor [CREATE-7]                   a file descriptor [CREATE-7]
     7  m0 = mmap(f0, length=4K, prot=READ|WRITE, flags=SHARED)
        linux-6.8, linux-6.18: m0 = mmap(anon, length=4K, prot=READ|WRITE, flags=SHARED|ANONYMOUS)
        an address [MMAP-11]                           an address [MMAP-11]
     8  set_user_memory_region2(vm0, slot=0, flags=GUEST_MEMFD, gpa=0x10000, size=4K, memfd=f0)
        linux-6.8, linux-6.18: set_user_memory_region2(vm0, slot=0, flags=GUEST_MEMFD, gpa=0x10000,
            size=4K, addr=m0, memfd=f0)
        0 [SLOT-28]                                    0 [SLOT-28]
     9  store(m0, value=0x11) = 0 [HOST-12]
    10  set_memory_attributes2(f0, offset=0, size=4K, attributes=PRIVATE)
        linux-6.8, linux-6.18: set_memory_attributes(vm0, gpa=0x10000, size=4K, attributes=PRIVATE)
        0 [ATTR-13]                                    0, error_offset=0 [CONV-20]
    11  guest_store(vm0, gpa=0x10001, value=0x22) = 0 [GUEST-13]
    12  set_memory_attributes2(f0, offset=0, size=4K, attributes=0)
        linux-6.8, linux-6.18: set_memory_attributes(vm0, gpa=0x10000, size=4K, attributes=0)
        0 [ATTR-13]                                    0, error_offset=0 [CONV-20]
*   13  load(m0, size=2)
        0x11 [HOST-11]                                 0x2211 [HOST-11]
    14  store(m0+0x2, value=0x33) = 0 [HOST-12]
    15  set_memory_attributes2(f0, offset=0, size=4K, attributes=PRIVATE)
        linux-6.8, linux-6.18: set_memory_attributes(vm0, gpa=0x10000, size=4K, attributes=PRIVATE)
        0 [ATTR-13]                                    0, error_offset=0 [CONV-20]
*   16  guest_load(vm0, gpa=0x10000, size=4)
        0x2200 [GUEST-12]                              0x332211 [GUEST-12]
    17  cachestat(f0) = 1 [FILE-11]

END
)
judge 'the rules behind what differs are below' < <(
	said 0 '    [GUEST-12] A guest'"'"'s load gives the bytes last stored to that page. (the memory)'
	! grep -F '    [ATTR-13]' "$tmp/out")

few=linux-6.8,linux-coco-v13,coco-v5,rfc-shareability-v2,linux-6.18+X2,rfc-shareability-planned
run gmem diff -d -p "$few" "$story"
judge 'many are listed behind their answers; only what differs, if asked' < <(
	diff - <(sed '/^The rules/,$d' "$tmp/out") <<'END'
traces/convert/there-and-back.trace: 13 calls under 6 designs; 2 results differ

*   13  load(m0, size=2)
        0x11 [HOST-11]          linux-6.8, linux-6.18+X2
        0x2211 [HOST-11]        linux-coco-v13, rfc-shareability-v2, rfc-shareability-planned
        unspecified [HOST-11]   coco-v5
*   16  guest_load(vm0, gpa=0x10000, size=4)
        0x2200 [GUEST-12]       linux-6.8, linux-6.18+X2
        0x332211 [GUEST-12]     linux-coco-v13, rfc-shareability-v2, rfc-shareability-planned
        unspecified [GUEST-12]  coco-v5

END
)

judge 'no line is longer than 100 columns, nor has colours' < <(
	for trace in traces/stories/*.trace traces/huge/*.trace traces/process/*.trace; do
		gmem diff "$trace" >"$tmp/all" 2>&1 || echo "$trace: status $?"
		gmem diff -p linux-6.8,coco-v5,coco-hugetlb,rfc-shareability-planned "$trace" >>"$tmp/all"
		grep -vE '^traces/' "$tmp/all" | grep -E '.{101}'
		grep -P '[^ -~]' "$tmp/all"
	done)

run gmem diff --exit-code -p linux-6.8,linux-6.8+B45 \
	traces/bugs/B45-binding-outside-the-file-6.8.trace
judge 'a bug is a difference' < <(
	said 1
	grep -q '^        EINVAL \[BIND-4\]  *0 \[SLOT-28\]$' "$tmp/out" || cat "$tmp/out")
run gmem diff --exit-code -p linux-6.18+x2,linux-6.18,linux-6.18+X2 traces/stories/first.trace
judge 'a design is shown once' < <(
	said 0 'traces/stories/first.trace: 13 calls under 2 designs; all results are equal')

run gmem diff -p linux-coco-v13,linux-coco-v13+B38b traces/bugs/B38b-punch-of-shared-pages.trace
judge 'a run that ends early says why' < <(
	said 0
	grep -qE '^linux-coco-v13\+B38b was not run to its end: invariant I[0-9]+ is violated: ' "$tmp/out" ||
		cat "$tmp/out"
	grep -E '.{101}' "$tmp/out"
	grep -q '  (not made) invariant I4 is violated: ' "$tmp/out" || echo 'the call is not the one'
	grep -q '  (not made) the run is over$' "$tmp/out" || echo 'all was made')

# ---- other forms ----

run gmem diff --json -d -p linux-6.8,linux-6.18,linux-coco-v13 "$story"
if command -v python3 >/dev/null; then
	judge 'JSON is JSON' < <(
		[ -s "$tmp/out" ] || echo 'there is none'
		python3 -m json.tool --json-lines <"$tmp/out" 2>&1 >/dev/null)
else
	skip 'JSON is JSON' 'there is no python3'
fi
judge 'and has what differs, design by design' < <(
	[ "$(grep -c '"event":"answer"' "$tmp/out")" = 6 ] || echo 'not two calls for each of three'
	said 0 '{"event":"differences","calls":13,"differing":2}'
	grep -q '"profile":"linux-6.8".*"pages":\["f0: 0 to 4K shared, allocated, bound","m0: 0 to 4K shared, allocated, mapped, bound"\]}$' \
		"$tmp/out" || grep -m 1 pages "$tmp/out")

judge 'all is every profile' < <(
	[ "$(gmem profiles | wc -l)" -gt 5 ] || echo 'too few profiles'
	diff <(gmem profiles | sed -n 's/^\([^ ][^ ]*\) .*/\1/p' | sort) \
		<(gmem diff --json "$story" | sed -n 's/.*"profile":"\([^"]*\)".*/\1/p' | sort -u))

run gmem diff --markdown -p linux-6.18,linux-coco-v13 "$story"
judge 'Markdown is a table, with bars escaped' < <(
	# shellcheck disable=SC2016
	said 0 '| line | call | linux-6.18 | linux-coco-v13 |' '| ---: | --- | --- | --- |' \
		'| 13 | `load(m0, size=2)` | **`0x11`** HOST-11 | **`0x2211`** HOST-11 |'
	# shellcheck disable=SC2016
	grep -qF '`flags=MMAP\|INIT_SHARED)`' <(sed 's/f0 = create_guest_memfd(vm0, size=4K, //' "$tmp/out") ||
		grep MMAP "$tmp/out"
	grep '^|' "$tmp/out" | sed 's/\\|//g' | awk -F'|' 'NF != 6')

cat >"$tmp/a<b&\"c\".trace" <<'END'
# SPDX-License-Identifier: BSD-2-Clause
# <script>alert("x")</script> & 'y' ä
profile linux-coco-v13
vm0 = create_vm(type=SW_PROTECTED)
# Four pages, <b>shared</b>
f0 = create_guest_memfd(vm0, size=16K, flags=MMAP|INIT_SHARED)
m0 = mmap(f0, length=16K, prot=READ|WRITE, flags=SHARED)
set_user_memory_region2(vm0, slot=0, flags=GUEST_MEMFD, gpa=0x10000, size=8K, addr=m0, memfd=f0)
store(m0+4K, value=0x11)
set_memory_attributes2(f0, offset=0, size=4K, attributes=PRIVATE)
guest_load(vm0, gpa=0x10000)
load(m0)
f1 = create_guest_memfd(vm0, size=1G, flags=MMAP|INIT_SHARED)
m1 = mmap(f1, offset=4K, length=8K, prot=READ|WRITE, flags=SHARED)
p0 = pin(m1, length=4K)
memory_failure(f1, offset=4K)
END
page=$tmp/page.html
gmem diff --html -p linux-coco-v13,linux-6.8 "$tmp/a<b&\"c\".trace" >"$page"
gmem diff --html -d -p linux-coco-v13,linux-6.8 "$tmp/a<b&\"c\".trace" >"$tmp/short.html"

judge 'a page needs nothing from elsewhere, and escapes everything' < <(
	grep -nE 'https?:|//|@import|url\(|<script|<b>shared|<(img|link|iframe|object)' "$page"
	for words in '&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; &#39;y&#39; ä' \
		'Four pages, &lt;b&gt;shared&lt;/b&gt;' 'a&lt;b&amp;&quot;c&quot;.trace under 2 designs'; do
		grep -qF -- "$words" "$page" || echo "no $words"
	done
	diff <(grep -oE 'href="#[^"]*"' "$page" | sed 's/href="#//' | sort -u) \
		<(grep -oE 'id="(L[0-9]+|[A-Z]+-[0-9]+)"' "$page" | sed 's/id="//' | sort -u))

# The page's own strips, in words: those of a column's cell in the row of a line, without the legend.
strips()
{
	sed -n "/id=\"L$1\"/,/<\/tr>/p" "$page" | grep '^<td' | sed -n "$2p" |
		grep -oE '<title>[^<]*' | sed 's/<title>//'
}
judge 'strips show the pages after each call' < <(
	diff - <(strips 10 1) <<'END'
0 to 4K private, bound; 4K to 8K shared, allocated, mapped, bound; 8K to 16K shared
END
	diff - <(strips 11 2) <<'END'
0 to 4K private, allocated, guest, bound; 4K to 8K shared, bound; 8K to 16K private
0 to 4K private, bound; 4K to 8K shared, allocated, mapped, bound; 8K to 16K shared
END
	strips 15 1 | grep -q '^0 to 4K shared; 4K to 8K shared, allocated, mapped, pinned; 8K to 1G shared$' ||
		strips 15 1
	strips 16 1 | grep -q 'allocated, poisoned' || strips 16 1
	[ "$(grep -oE 'class="bound"' <(sed -n '/id="L8"/,/<\/tr>/p' "$page") | wc -l)" = 6 ] ||
		echo 'not three pages bound twice')

chromium=$(command -v chromium || command -v chromium-browser || :)

# browse OPTION... FILE: what the browser says of a page.
browse()
{
	timeout 60 "$chromium" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage \
		--user-data-dir="$tmp/browser" --virtual-time-budget=1000 --hide-scrollbars \
		--window-size=1200,900 "${@:1:$#-1}" "file://${*: -1}" 2>"$tmp/browser.err"
}

if [ -n "$chromium" ] && browse --dump-dom "$page" >"$tmp/dom" && grep -q '<table>' "$tmp/dom"; then
	judge 'a browser reads what was written' < <(
		for tag in tr td th svg title rect dt a style; do
			want=$(grep -oE "<${tag}[ >]" "$page" | wc -l)
			got=$(grep -oE "<${tag}[ >]" "$tmp/dom" | wc -l)
			[ "$want" = "$got" ] || echo "$got of $want $tag"
		done
		[ "$(grep -c '<tr [^>]*id="L' "$tmp/dom")" = 12 ] || echo 'not 12 calls'
		[ "$(grep -c '<tr [^>]*id="L' "$tmp/short.html")" = "$(grep -c '<tr class="differs"' "$page")" ] ||
			echo 'not only those that differ'
		grep -E '<script|<b>shared' "$tmp/dom"
		grep -iE 'error.*(html|css|csp|console)' "$tmp/browser.err")
	judge 'and draws it, in light and in dark' < <(
		browse --screenshot="$tmp/light.png" "$page"
		browse --blink-settings=preferredColorScheme=0 --screenshot="$tmp/dark.png" "$page"
		for shade in light dark; do
			[ "$(stat -c %s "$tmp/$shade.png" 2>/dev/null || echo 0)" -gt 20000 ] ||
				echo "$shade: no picture, or an empty one"
		done
		! cmp -s "$tmp/light.png" "$tmp/dark.png" || echo 'both look the same')

	# What the browser makes of the page's style, by a script that the page itself would refuse.
	sed 's/<meta http-equiv[^>]*>//' "$page" | sed 's:^</body>:<script>\
		var s = getComputedStyle(document.body), b = document.querySelector(".private.there");\
		document.body.dataset.looks = [s.backgroundColor, s.color, getComputedStyle(b).fill,\
			Math.round(b.getBoundingClientRect().width)].join("; ");\
		</script>&:' >"$tmp/probe.html"
	judge 'by its own colours' < <(
		diff - <(for scheme in 1 0; do
			browse --blink-settings=preferredColorScheme=$scheme --dump-dom "$tmp/probe.html" |
				grep -oE 'data-looks="[^"]*"'
		done) <<'END'
data-looks="rgb(255, 255, 255); rgb(29, 33, 41); rgb(107, 79, 160); 18"
data-looks="rgb(20, 23, 28); rgb(228, 231, 236); rgb(168, 139, 224); 18"
END
	)
	sed 's:^</body>:<script>document.body.dataset.ran = 1</script>&:' "$page" >"$tmp/refused.html"
	judge 'and runs no script' < <(browse --dump-dom "$tmp/refused.html" | grep -o 'data-ran="1"')
else
	why='there is no chromium'
	[ -z "$chromium" ] || why='chromium does not start here'
	skip 'a browser reads what was written' "$why"
	skip 'and draws it, in light and in dark' "$why"
	skip 'by its own colours' "$why"
	skip 'and runs no script' "$why"
fi

# ---- use ----

judge 'a trace without differences is 0, one with them 1 if asked' < <(
	gmem diff "$story" >/dev/null || echo "status $?"
	gmem diff --exit-code -p linux-6.18 "$story" >/dev/null || echo "one design: status $?"
	run gmem diff --exit-code "$story"
	said 1)

run gmem diff traces/overlap/punch-and-guest.trace
judge 'calls that overlap are refused' < <(
	said 2
	grep -q '^traces/overlap/punch-and-guest.trace:[0-9]*: calls that overlap have no order in common: ' \
		"$tmp/err" || cat "$tmp/err")

# wrong TITLE WORDS ARGUMENT...: it is wrong use, and standard error says so.
wrong()
{
	local title=$1 words=$2

	shift 2
	run gmem diff "$@" </dev/null
	judge "$title" < <(
		said 2
		grep -qF -- "$words" "$tmp/err" || cat "$tmp/err"
		cat "$tmp/out")
}
wrong 'no trace' 'which trace?'
wrong 'two traces' 'one trace at a time' "$story" "$story"
wrong 'an unknown profile' 'unknown profile linux-6.9; did you mean linux-6.8?' -p linux-6.9 "$story"
wrong 'an empty name' 'an empty name among the profiles: linux-6.8,' -p linux-6.8, "$story"
wrong 'an unknown bug' 'unknown bug B99' -p linux-6.8+B99 "$story"
wrong 'a bug that it cannot have' 'linux-6.8 lacks the rows' -p linux-6.8+B47 "$story"
wrong 'two forms' 'one of --html, --json and --markdown is enough' --html --json "$story"
wrong 'a trace without calls' 'standard input: the trace has no calls' -
wrong 'no such file' 'no such.trace' 'no such.trace'
finish
