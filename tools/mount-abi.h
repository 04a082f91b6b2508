/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a mounted gmemfs is asked by ioctl: KVM's own structures and numbers, spelled out because
 * the headers of a distribution may be older, and one call of gmemfs' own for what no system call
 * of a host can ask (guest accesses, pins).
 */
#ifndef MOUNT_ABI_H
#define MOUNT_ABI_H

#include <stdint.h>
#include <sys/ioctl.h>

#include "gmem.h"

struct kvm_region {
	uint32_t slot, flags;
	uint64_t gpa, size, addr;
};

struct kvm_region2 {
	uint32_t slot, flags;
	uint64_t gpa, size, addr, offset;
	uint32_t memfd, pad1;
	uint64_t pad2[14];
};

struct kvm_guest_memfd {
	uint64_t size, flags, reserved[6];
};

struct kvm_attributes {
	uint64_t gpa, size, attributes, flags;
};

/* Of 64 bytes in the first posting, of 128 later. */
struct kvm_attributes2 {
	uint64_t offset, size, attributes, flags, error_offset, reserved[11];
};

struct kvm_conversion {
	uint64_t offset, size, error_offset, reserved[5];
};

struct kvm_cap {
	uint32_t cap, flags;
	uint64_t args[4];
	uint8_t pad[64];
};

struct kvm_pre_fault {
	uint64_t gpa, size, flags, padding[5];
};

#define MOUNT_CHECK_EXTENSION _IO(0xAE, 0x03)
#define MOUNT_SET_REGION _IOW(0xAE, 0x46, struct kvm_region)
#define MOUNT_SET_REGION2 _IOW(0xAE, 0x49, struct kvm_region2)
#define MOUNT_ENABLE_CAP _IOW(0xAE, 0xa3, struct kvm_cap)
#define MOUNT_SET_ATTRIBUTES _IOW(0xAE, 0xd2, struct kvm_attributes)
#define MOUNT_CREATE_GUEST_MEMFD _IOWR(0xAE, 0xd4, struct kvm_guest_memfd)
#define MOUNT_PRE_FAULT _IOWR(0xAE, 0xd5, struct kvm_pre_fault)
#define MOUNT_SET_ATTRIBUTES2 _IOWR(0xAE, 0xd2, struct kvm_attributes2)
#define MOUNT_SET_ATTRIBUTES2_V1 0xC040AED6u
#define MOUNT_CONVERT_SHARED _IOWR(0xaf, 0x41, struct kvm_conversion)
#define MOUNT_CONVERT_PRIVATE _IOWR(0xaf, 0x42, struct kvm_conversion)

/*
 * One call of the model, and its result. On a directory: guest_load, guest_store, launch_finish.
 * On a file: pin (offset and length), memory_failure, cachestat. On both: unpin (fd). The descriptor is
 * that of the directory or file, except for unpin. Answers 0 where the result is filled in; ENOTTY
 * for other calls.
 */
struct mount_call {
	struct gmem_call call;
	struct gmem_result result;
};
#define MOUNT_CALL _IOWR('G', 0x6d, struct mount_call)

/*
 * The same on the top of a mount with -o run, of any VM, and for all calls of a VM. VMs and
 * files are named by their inode numbers. create_vm makes a directory vm-N with the inode number
 * N, which is the result; create_guest_memfd makes a file gmem-M for the result M. A memfd of 0 is
 * no descriptor, and of 1 one that is no guest_memfd. close only asks whether the file memfd is
 * open still: EAGAIN.
 */
struct mount_on {
	struct mount_call m;
	uint64_t vm, memfd;
};
#define MOUNT_ON _IOWR('G', 0x6e, struct mount_on)
#define MOUNT_NO_FILE 0
#define MOUNT_OTHER_FILE 1

#endif
