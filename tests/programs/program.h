/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the programs of this folder share. They are ordinary programs that use /dev/kvm: nothing in
 * them knows of gmem. Each prints a line for everything that it checks, the same line wherever it
 * runs, and ends with 0 if all was as it should be.
 */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096ul
#define KVM(n) (0xae00u | (n))

struct region {
	uint32_t slot, flags;
	uint64_t gpa, size, addr;
};

struct region2 {
	uint32_t slot, flags;
	uint64_t gpa, size, addr, offset;
	uint32_t memfd, pad1;
	uint64_t pad2[14];
};

struct guest_memfd {
	uint64_t size, flags, reserved[6];
};

struct attributes {
	uint64_t gpa, size, attributes, flags;
};

#define KVM_GET_API_VERSION _IO(0xAE, 0x00)
#define KVM_CREATE_VM _IO(0xAE, 0x01)
#define KVM_CHECK_EXTENSION _IO(0xAE, 0x03)
#define KVM_GET_VCPU_MMAP_SIZE _IO(0xAE, 0x04)
#define KVM_CREATE_VCPU _IO(0xAE, 0x41)
#define KVM_RUN _IO(0xAE, 0x80)
#define SET_REGION _IOW(0xAE, 0x46, struct region)
#define SET_REGION2 _IOW(0xAE, 0x49, struct region2)
#define SET_ATTRIBUTES _IOW(0xAE, 0xd2, struct attributes)
#define CREATE_GUEST_MEMFD _IOWR(0xAE, 0xd4, struct guest_memfd)
#define FLAG_MMAP 1u
#define FLAG_INIT_SHARED 2u
#define MEM_GUEST_MEMFD 4u
#define KEEP_SIZE 1
#define PUNCH_HOLE 2

static int failures;

/* The line of what was checked, and of what came instead. */
static inline void is(const char *what, long got, long want)
{
	if (got == want) {
		printf("ok: %s = %ld\n", what, want);
	} else {
		printf("wrong: %s = %ld, not %ld\n", what, got, want);
		failures++;
	}
	fflush(stdout);
}

/* What a call returned, or its negated errno. */
static inline long result(long r)
{
	return r == -1 ? -errno : r;
}

#define IS(call, want) is(#call, result((long)(call)), want)
/* For what makes a descriptor, whose number is no matter. */
#define WORKS(call) is(#call " works", result((long)(call)) >= 0, 1)

static inline int open_kvm(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (kvm < 0) {
		perror("/dev/kvm");
		exit(77);
	}
	return kvm;
}

static inline int new_vm(void)
{
	int kvm = open_kvm(), vm = ioctl(kvm, KVM_CREATE_VM, 0);

	close(kvm);
	return vm;
}

static inline int new_file(int vm, uint64_t size, uint64_t flags)
{
	struct guest_memfd a = { .size = size, .flags = flags };

	return ioctl(vm, CREATE_GUEST_MEMFD, &a);
}

static inline int bind_file(int vm, uint32_t slot, uint64_t gpa, uint64_t size, const void *addr,
			    int memfd, uint64_t offset)
{
	struct region2 a = { .slot = slot,
			     .flags = memfd == -2 ? 0 : MEM_GUEST_MEMFD,
			     .gpa = gpa,
			     .size = size,
			     .addr = (uintptr_t)addr,
			     .memfd = (uint32_t)memfd,
			     .offset = offset };

	return ioctl(vm, SET_REGION2, &a);
}

static sigjmp_buf out_of_fault;

static inline void jump_out(int sig)
{
	siglongjmp(out_of_fault, sig);
}

/* The byte there, or 1000 and the signal. */
static inline long load(const volatile uint8_t *p)
{
	int sig = sigsetjmp(out_of_fault, 1);

	if (sig)
		return 1000 + sig;
	signal(SIGBUS, jump_out);
	signal(SIGSEGV, jump_out);
	return *p;
}

static inline long store(volatile uint8_t *p, uint8_t value)
{
	int sig = sigsetjmp(out_of_fault, 1);

	if (sig)
		return 1000 + sig;
	signal(SIGBUS, jump_out);
	signal(SIGSEGV, jump_out);
	*p = value;
	return 0;
}

#define BUS (1000 + SIGBUS)

static inline int end(void)
{
	return failures ? 1 : 0;
}

#endif
