# SPDX-License-Identifier: BSD-2-Clause
"""A program of another kind: Python, with ctypes for the calls and mmap for the mapping.

It prints a line for everything that it checks, as the programs in C do."""
import ctypes
import errno
import fcntl
import mmap
import os
import sys

PAGE = 4096
KVM_CREATE_VM = 0xAE01
KVM_CHECK_EXTENSION = 0xAE03
CREATE_GUEST_MEMFD = 0xC040AED4
SET_REGION2 = 0x40A0AE49
KEEP_SIZE, PUNCH_HOLE = 1, 2

libc = ctypes.CDLL(None, use_errno=True)
failures = 0


class GuestMemfd(ctypes.Structure):
    _fields_ = [("size", ctypes.c_uint64), ("flags", ctypes.c_uint64),
                ("reserved", ctypes.c_uint64 * 6)]


class Region2(ctypes.Structure):
    _fields_ = [("slot", ctypes.c_uint32), ("flags", ctypes.c_uint32),
                ("gpa", ctypes.c_uint64), ("size", ctypes.c_uint64),
                ("addr", ctypes.c_uint64), ("offset", ctypes.c_uint64),
                ("memfd", ctypes.c_uint32), ("pad1", ctypes.c_uint32),
                ("pad2", ctypes.c_uint64 * 14)]


def check(what, got, want):
    global failures
    if got == want:
        print(f"ok: {what} = {want}", flush=True)
    else:
        print(f"wrong: {what} = {got}, not {want}", flush=True)
        failures += 1


def ioctl(fd, number, arg):
    """The result, or the negated errno."""
    addr = arg if isinstance(arg, int) else ctypes.addressof(arg)
    r = libc.ioctl(fd, ctypes.c_ulong(number), ctypes.c_ulong(addr))
    return r if r >= 0 else -ctypes.get_errno()


def fallocate(fd, mode, offset, length):
    r = libc.fallocate(fd, mode, ctypes.c_int64(offset), ctypes.c_int64(length))
    return r if r >= 0 else -ctypes.get_errno()


def refusal(function, *args):
    try:
        function(*args)
    except OSError as e:
        return errno.errorcode[e.errno]
    return "nothing"


try:
    kvm = os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC)
except OSError as e:
    print(e, file=sys.stderr)
    sys.exit(77)
vm = ioctl(kvm, KVM_CREATE_VM, 0)
check("GUEST_MEMFD", ioctl(vm, KVM_CHECK_EXTENSION, 234), 1)
f = ioctl(vm, CREATE_GUEST_MEMFD, GuestMemfd(size=4 * PAGE, flags=3))
check("a file of half a page", ioctl(vm, CREATE_GUEST_MEMFD, GuestMemfd(size=2048)), -errno.EINVAL)
check("its size", os.fstat(f).st_size, 4 * PAGE)
check("read", refusal(os.read, f, 1), "EINVAL")
check("pread", refusal(os.pread, f, 1, 0), "ESPIPE")
check("truncate", refusal(os.ftruncate, f, 0), "EINVAL")
check("a private mapping", refusal(mmap.mmap, f, PAGE, mmap.MAP_PRIVATE), "EINVAL")
m = mmap.mmap(f, 4 * PAGE)
m[PAGE:PAGE + 5] = b"hello"
check("what was stored", bytes(m[PAGE:PAGE + 5]), b"hello")
addr = ctypes.addressof(ctypes.c_char.from_buffer(m))
check("bind", ioctl(vm, SET_REGION2, Region2(slot=0, flags=4, gpa=0x100000, size=4 * PAGE,
                                             addr=addr, memfd=f)), 0)
check("bind once more", ioctl(vm, SET_REGION2, Region2(slot=1, flags=4, gpa=0x200000,
                                                       size=4 * PAGE, addr=addr, memfd=f)),
      -errno.EINVAL)
check("punch", fallocate(f, KEEP_SIZE | PUNCH_HOLE, 0, 4 * PAGE), 0)
check("what is there", bytes(m[PAGE:PAGE + 5]), bytes(5))
check("its name", os.readlink(f"/proc/self/fd/{f}"), "anon_inode:[kvm-gmem]")
check("close-on-exec", fcntl.fcntl(vm, fcntl.F_GETFD), fcntl.FD_CLOEXEC)
os.close(vm)
check("punch afterwards", fallocate(f, KEEP_SIZE | PUNCH_HOLE, 0, PAGE), 0)
sys.exit(1 if failures else 0)
