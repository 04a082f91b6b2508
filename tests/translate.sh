#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# gmem diff: by which calls it tells a design what was written for another; gmem-trace(5), TRACES IN OTHER DESIGNS.
. "${srcdir:-.}/tests/tap.sh"
. "$src/tests/said.sh"

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
set_memory_attributes2(f0, offset=4K, size=0, attributes=PRIVATE)
---
by others|set_memory_attributes(vm0, gpa=0x10000, size=8K, attributes=PRIVATE); set_memory_attributes(vm0, gpa=0x40000, size=4K, attributes=PRIVATE)|0|only what a memslot has
by others|set_memory_attributes(vm0, gpa=0x11000, size=4K, attributes=0)|0|
as written|set_user_memory_region2(vm0, slot=0, gpa=0x10000, size=0)|0|
none|||it converts guest addresses, and no memslot has the range
none|||no page is in the range
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

tells 'which is asked for what the others do' coco-v5 <<END
$coco
set_memory_attributes2(f0, offset=0, size=4K, attributes=PRIVATE)
set_memory_attributes2(f0, offset=0, size=4K, attributes=0)
vm1 = create_vm(type=SNP)
f1 = create_guest_memfd(vm1, size=4K, flags=MMAP|INIT_SHARED)
set_memory_attributes2(f1, offset=0, size=4K, attributes=PRIVATE)
---
by others|set_memory_attributes2(f0, offset=0, size=4K, attributes=PRIVATE, flags=PRESERVE)|0, error_offset=0|
by others|set_memory_attributes2(f0, offset=0, size=4K, attributes=0, flags=PRESERVE)|0, error_offset=0|
as written|vm1 = create_vm(type=SNP)|a file descriptor|
as written|f1 = create_guest_memfd(vm1, size=4K, flags=MMAP|INIT_SHARED)|a file descriptor|
as written|set_memory_attributes2(f1, offset=0, size=4K, attributes=PRIVATE)|0, error_offset=0|
END

tells 'and so it is of shareability' coco-v5 <<'END'
profile rfc-shareability-v2
vm0 = create_vm(type=SW_PROTECTED)
f0 = create_guest_memfd(vm0, size=8K, flags=SUPPORT_SHARED)
convert_private(f0, offset=4K, size=4K)
---
by others|set_memory_attributes2(f0, offset=4K, size=4K, attributes=PRIVATE, flags=PRESERVE)|0, error_offset=0|
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
by others|set_user_memory_region2(vm0, slot=0, flags=PRIVATE, gpa=0x10000, size=16K, addr=m0, memfd=f0)|0|
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
by others|f0_shared = mmap(anon, length=8K, prot=READ|WRITE, flags=SHARED|ANONYMOUS); set_user_memory_region2(vm0, slot=0, flags=PRIVATE, gpa=0x10000, size=8K, addr=f0_shared, memfd=f0, offset=4K); fallocate(f0, mode=KEEP_SIZE, offset=4K, length=8K)|0|
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
by others|f0_shared = mmap(anon, length=16K, prot=READ|WRITE, flags=SHARED|ANONYMOUS); set_user_memory_region2(vm0, slot=0, flags=PRIVATE, gpa=0x10000, size=16K, addr=f0_shared, memfd=f0)|0|
by others|set_memory_attributes(vm0, gpa=0x11000, size=4K, attributes=PRIVATE)|0|
END

tells 'and the shim needs a mount' restrictedmem-shim <<END
$coco
f0_mount = dup(f0)
---
by others|f0_mount2 = open_mount(mode=TMPFS|NOEXEC); f0 = memfd_restricted(f0_mount2); ftruncate(f0, length=16K)|a file descriptor|
as written|f0_mount = dup(f0)|a file descriptor|
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
by others|f0 = create_guest_memfd(vm0, size=16K, flags=INIT_SHARED)|a file descriptor|
before|||it has its size already
as written|set_user_memory_region2(vm0, slot=0, flags=GUEST_MEMFD, gpa=0x10000, size=16K, memfd=f0)|0|
by others|set_memory_attributes2(f0, offset=8K, size=4K, attributes=PRIVATE)|0, error_offset=0|
by others|set_memory_attributes2(f0, offset=8K, size=4K, attributes=0)|0, error_offset=0|
as written|ftruncate(f0, length=32K)|EINVAL|
none|||it has no such memfd
END

tells 'also where an allocation gives it its size' linux-coco-v13 <<'END'
profile memfile-notifier-v4
vm0 = create_vm(type=SW_PROTECTED)
f0 = memfd_create(flags=INACCESSIBLE)
fallocate(f0, mode=0, offset=0, length=4K)
fallocate(f0, mode=KEEP_SIZE, offset=1M, length=4K)
fallocate(f0, mode=0, offset=4K, length=1)
fallocate(f0, mode=0, offset=0, length=4K)
---
by others|f0 = create_guest_memfd(vm0, size=8K, flags=INIT_SHARED)|a file descriptor|
by others|set_memory_attributes2(f0, offset=0, size=4K, attributes=PRIVATE)|0, error_offset=0|
by others|set_memory_attributes2(f0, offset=1M, size=4K, attributes=PRIVATE)|EINVAL, error_offset=0|
by others|set_memory_attributes2(f0, offset=4K, size=1, attributes=PRIVATE)|EINVAL, error_offset=0|
by others|set_memory_attributes2(f0, offset=0, size=4K, attributes=PRIVATE)|0, error_offset=0|
END

tells 'where allocating is no more than that, it keeps the size' linux-6.18 <<'END'
profile restrictedmem-v10
vm0 = create_vm(type=SW_PROTECTED)
f0 = memfd_restricted()
ftruncate(f0, length=8K)
fallocate(f0, mode=0, offset=0, length=4K)
fallocate(f0, mode=KEEP_SIZE, offset=4K, length=4K)
---
by others|f0 = create_guest_memfd(vm0, size=8K)|a file descriptor|
before|||it has its size already
by others|fallocate(f0, mode=KEEP_SIZE, offset=0, length=4K)|0|
as written|fallocate(f0, mode=KEEP_SIZE, offset=4K, length=4K)|0|
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

tells 'a guest_memfd gets a VM, if there is none' linux-6.18 <<'END'
profile memfile-notifier-v4
f0 = memfd_create(flags=INACCESSIBLE)
a_name_as_long_as_names_may_be_1 = memfd_create(flags=INACCESSIBLE)
ftruncate(a_name_as_long_as_names_may_be_1, length=16K)
a_name_as_long_as_names_may_be_2 = memfd_create(flags=INACCESSIBLE)
ftruncate(a_name_as_long_as_names_may_be_2, length=16K)
---
none|||it needs the size, which is not given
by others|a_name_as_long_as_names_may_b_vm = create_vm(type=SW_PROTECTED); a_name_as_long_as_names_may_be_1 = create_guest_memfd(a_name_as_long_as_names_may_b_vm, size=16K)|a file descriptor|
before|||it has its size already
by others|a_name_as_long_as_names_may__vm2 = create_vm(type=SW_PROTECTED); a_name_as_long_as_names_may_be_2 = create_guest_memfd(a_name_as_long_as_names_may__vm2, size=16K)|a file descriptor|
before|||it has its size already
END

tells 'a mount is of use to one design alone' linux-6.18 <<'END'
profile restrictedmem-shim
vm0 = create_vm(type=SW_PROTECTED)
t0 = open_mount(mode=TMPFS|NOEXEC)
f0 = memfd_restricted(mount=t0)
fallocate(f0, mode=0, offset=0, length=4K)
---
before|||it needs no mount
by others|f0 = create_guest_memfd(vm0, size=4K)|a file descriptor|
by others|fallocate(f0, mode=KEEP_SIZE, offset=0, length=4K)|0|
END

tells 'memory that stands in is where the file would have been' restrictedmem-v10 <<'END'
profile linux-6.18
vm0 = create_vm()
f0 = create_guest_memfd(vm0, size=4K, flags=MMAP|INIT_SHARED)
m0 = mmap(anon, length=8K, prot=READ|WRITE, flags=PRIVATE|ANONYMOUS)
m1 = mmap(f0, length=4K, prot=READ|WRITE, flags=SHARED|FIXED, addr=m0+4K)
---
by others|m1 = mmap(anon, length=4K, prot=READ|WRITE, flags=SHARED|FIXED|ANONYMOUS, addr=m0+4K)|an address|
END

tells 'that of a memslot will do as a size' linux-6.18 <<'END'
profile memfile-notifier-v4
vm0 = create_vm(type=SW_PROTECTED)
f0 = memfd_create(flags=INACCESSIBLE)
f1 = memfd_create(flags=INACCESSIBLE)
ftruncate(f1, length=5) = EINVAL
set_user_memory_region2(vm0, slot=0, flags=PRIVATE, gpa=0x10000, size=8K, memfd=f1, offset=4K)
---
none|||it needs the size, which is not given
by others|f1 = create_guest_memfd(vm0, size=12K)|a file descriptor|
as written|ftruncate(f1, length=5)|EINVAL|
as written|set_user_memory_region2(vm0, slot=0, flags=GUEST_MEMFD, gpa=0x10000, size=8K, memfd=f1, offset=4K)|0|
END

early='profile memfile-notifier-v4
f0 = memfd_create(flags=INACCESSIBLE)
ftruncate(f0, length=16K) = 0
d0 = dup(f0)
fallocate(d0, mode=0, offset=0, length=8K) = 0
pread(f0, offset=0, length=4K)
vm0 = create_vm(type=SW_PROTECTED)
set_user_memory_region2(vm0, slot=0, flags=PRIVATE, gpa=0x10000, size=12K, memfd=f0, offset=4K)
fallocate(f0, mode=KEEP_SIZE|PUNCH_HOLE, offset=4K, length=4K)'

tells 'a file from before the VM is made after it, and what was done to it too' linux-coco-v13 <<END
$early
---
later|||when there is vm0
later|||it will have its size
later|||when there is vm0
later|||when there is vm0
not made|||there is no f0 yet
by others|vm0 = create_vm(type=SW_PROTECTED); f0 = create_guest_memfd(vm0, size=16K, flags=INIT_SHARED); d0 = dup(f0); set_memory_attributes2(d0, offset=0, size=8K, attributes=PRIVATE)|a file descriptor|
as written|set_user_memory_region2(vm0, slot=0, flags=GUEST_MEMFD, gpa=0x10000, size=12K, memfd=f0, offset=4K)|0|
by others|set_memory_attributes2(f0, offset=4K, size=4K, attributes=0)|0, error_offset=0|
END

tells 'and is converted when a memslot has it, where guest addresses are' linux-6.8 <<END
$early
---
by others|vm0 = create_vm(type=SW_PROTECTED); f0 = create_guest_memfd(vm0, size=16K); d0 = dup(f0)|a file descriptor|
by others|set_user_memory_region2(vm0, slot=0, flags=GUEST_MEMFD, gpa=0x10000, size=12K, memfd=f0, offset=4K); set_memory_attributes(vm0, gpa=0x10000, size=4K, attributes=PRIVATE)|0|
by others|set_memory_attributes(vm0, gpa=0x10000, size=4K, attributes=0)|0|
END

tells 'what a restricted file has is converted late as well' restrictedmem-v10 <<END
$early
---
later|||when a memslot has the range
as written|pread(f0, offset=0, length=4K)|ESPIPE|
as written|vm0 = create_vm(type=SW_PROTECTED)|a file descriptor|
by others|set_user_memory_region2(vm0, slot=0, flags=PRIVATE, gpa=0x10000, size=12K, memfd=f0, offset=4K); set_memory_attributes(vm0, gpa=0x10000, size=4K, attributes=PRIVATE)|0|
by others|set_memory_attributes(vm0, gpa=0x10000, size=4K, attributes=0)|0|
END

tells 'guest addresses are a file when a memslot has one' linux-coco-v13 <<'END'
profile linux-6.8
vm0 = create_vm(type=SW_PROTECTED)
set_memory_attributes(vm0, gpa=0x10000, size=12K, attributes=PRIVATE) = 0
set_memory_attributes(vm0, gpa=0x11000, size=4K, attributes=0) = 0
set_memory_attributes(vm0, gpa=0x10800, size=4K, attributes=PRIVATE) = EINVAL
set_memory_attributes(vm0, gpa=0x90000, size=4K, attributes=PRIVATE) = 0
f0 = create_guest_memfd(vm0, size=16K)
set_user_memory_region2(vm0, slot=0, flags=GUEST_MEMFD, gpa=0x10000, size=8K, memfd=f0, offset=8K)
---
later|||when a memslot has the range
later|||when a memslot has the range
none|||it converts files, and there is none to convert
none|||it converts files, and there is none to convert
as written|f0 = create_guest_memfd(vm0, size=16K)|a file descriptor|
by others|set_user_memory_region2(vm0, slot=0, flags=GUEST_MEMFD, gpa=0x10000, size=8K, memfd=f0, offset=8K); set_memory_attributes2(f0, offset=8K, size=8K, attributes=PRIVATE); set_memory_attributes2(f0, offset=12K, size=4K, attributes=0)|0|
END

tells 'a part may have to wait' linux-6.8 <<END
$coco
set_user_memory_region2(vm0, slot=0, flags=GUEST_MEMFD, gpa=0x10000, size=4K, memfd=f0)
set_memory_attributes2(f0, offset=0, size=16K, attributes=PRIVATE)
m0 = mmap(anon, length=4K, prot=READ|WRITE, flags=SHARED|ANONYMOUS)
set_user_memory_region2(vm0, slot=1, flags=GUEST_MEMFD, gpa=0x40000, size=4K, addr=m0, memfd=f0, offset=8K)
---
by others|set_memory_attributes(vm0, gpa=0x10000, size=4K, attributes=PRIVATE)|0|the rest when a memslot has it
as written|m0 = mmap(anon, length=4K, prot=READ|WRITE, flags=SHARED|ANONYMOUS)|an address|
by others|set_user_memory_region2(vm0, slot=1, flags=GUEST_MEMFD, gpa=0x40000, size=4K, addr=m0, memfd=f0, offset=8K); set_memory_attributes(vm0, gpa=0x40000, size=4K, attributes=PRIVATE)|0|
END

tells 'a VM of memfds keeps its own record with shareability' rfc-shareability-planned <<'END'
profile memfile-notifier-v4
vm0 = create_vm(type=SW_PROTECTED)
f0 = memfd_create(flags=INACCESSIBLE)
ftruncate(f0, length=16K)
set_user_memory_region2(vm0, slot=0, flags=PRIVATE, gpa=0x10000, size=8K, memfd=f0)
fallocate(f0, mode=KEEP_SIZE, offset=0, length=4K)
---
as written|vm0 = create_vm(type=SW_PROTECTED)|a file descriptor|
by others|f0 = create_guest_memfd(vm0, size=16K)|a file descriptor|
before|||it has its size already
as written|set_user_memory_region2(vm0, slot=0, flags=GUEST_MEMFD, gpa=0x10000, size=8K, memfd=f0)|0|
by others|set_memory_attributes(vm0, gpa=0x10000, size=4K, attributes=PRIVATE)|0|
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

finish
