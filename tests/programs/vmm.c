/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small VMM: eight instructions of real mode, in an ordinary memslot, that take a byte from a
 * guest_memfd, add to it, store the sum there, send it out of a port, and halt. Then the page is
 * punched, and they run again; and a port that answers.
 */
#define _GNU_SOURCE
#include <linux/kvm.h>
#include <time.h>

#undef KVM_GET_API_VERSION
#undef KVM_CREATE_VM
#undef KVM_CHECK_EXTENSION
#undef KVM_GET_VCPU_MMAP_SIZE
#undef KVM_CREATE_VCPU
#undef KVM_RUN
#include "program.h"

#define CODE 0x1000
#define DATA 0x10000
#define NOWHERE 0x20000

static const uint8_t code[] = {
	0xb8, 0x00, 0x10, /* mov ax, 0x1000 */
	0x8e, 0xd8,	  /* mov ds, ax */
	0xa0, 0x10, 0x00, /* mov al, [0x10] */
	0x04, 0x05,	  /* add al, 5 */
	0xa2, 0x11, 0x00, /* mov [0x11], al */
	0xe6, 0x42,	  /* out 0x42, al */
	0xe4, 0x43,	  /* in al, 0x43 */
	0xf4,		  /* hlt */
};

/* mov ax, 0x2000; mov ds, ax; mov al, [0x20]; mov [0x21], al; hlt */
static const uint8_t device[] = { 0xb8, 0x00, 0x20, 0x8e, 0xd8, 0xa0,
				  0x20, 0x00, 0xa2, 0x21, 0x00, 0xf4 };

static struct kvm_run *run;
static int vcpu;

static void start_at(uint64_t rip)
{
	struct kvm_regs regs = { .rip = rip, .rflags = 2 };
	struct kvm_sregs sregs;

	IS(ioctl(vcpu, KVM_GET_SREGS, &sregs), 0);
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	IS(ioctl(vcpu, KVM_SET_SREGS, &sregs), 0);
	IS(ioctl(vcpu, KVM_SET_REGS, &regs), 0);
}

static void run_to_the_end(uint8_t *m, long sum)
{
	struct kvm_regs regs;

	start_at(CODE);
	IS(ioctl(vcpu, KVM_RUN, 0), 0);
	is("an exit to a port", run->exit_reason, KVM_EXIT_IO);
	is("which", run->io.port, 0x42);
	is("outwards", run->io.direction, KVM_EXIT_IO_OUT);
	is("the sum there", *((uint8_t *)run + run->io.data_offset), sum);
	IS(ioctl(vcpu, KVM_RUN, 0), 0);
	is("an exit to another", run->io.port, 0x43);
	is("inwards", run->io.direction, KVM_EXIT_IO_IN);
	*((uint8_t *)run + run->io.data_offset) = 0x77;
	IS(ioctl(vcpu, KVM_RUN, 0), 0);
	is("a halt", run->exit_reason, KVM_EXIT_HLT);
	IS(ioctl(vcpu, KVM_GET_REGS, &regs), 0);
	is("al", (long)(regs.rax & 0xff), 0x77);
	is("rip", (long)regs.rip, CODE + (long)sizeof(code));
	IS(load(m + 0x11), sum);
}

static void memory_of_nobody(uint8_t *ram)
{
	memcpy(ram, device, sizeof(device));
	start_at(CODE);
	IS(ioctl(vcpu, KVM_RUN, 0), 0);
	is("an exit to memory", run->exit_reason, KVM_EXIT_MMIO);
	is("where", (long)run->mmio.phys_addr, NOWHERE + 0x20);
	is("a load", run->mmio.is_write, 0);
	run->mmio.data[0] = 0x99;
	IS(ioctl(vcpu, KVM_RUN, 0), 0);
	is("another", run->exit_reason, KVM_EXIT_MMIO);
	is("where", (long)run->mmio.phys_addr, NOWHERE + 0x21);
	is("a store", run->mmio.is_write, 1);
	is("of that", run->mmio.data[0], 0x99);
	IS(ioctl(vcpu, KVM_RUN, 0), 0);
	is("a halt", run->exit_reason, KVM_EXIT_HLT);
}

static void ring(int sig)
{
	(void)sig;
}

/* A guest that never leaves is interrupted by a signal. */
static void endless(uint8_t *ram)
{
	struct sigaction a = { .sa_handler = ring };
	struct timespec pause = { .tv_nsec = 1000000 };

	sigaction(SIGALRM, &a, NULL);
	memcpy(ram, "\xeb\xfe", 2); /* jmp $ */
	start_at(CODE);
	ualarm(50000, 0);
	IS(ioctl(vcpu, KVM_RUN, 0), -EINTR);
	nanosleep(&pause, NULL);
	run->immediate_exit = 1;
	IS(ioctl(vcpu, KVM_RUN, 0), -EINTR);
	run->immediate_exit = 0;
}

int main(void)
{
	int kvm = open_kvm(), vm = ioctl(kvm, KVM_CREATE_VM, 0), f;
	uint8_t *ram, *m;
	long size;

	f = new_file(vm, 4 * PAGE, FLAG_MMAP | FLAG_INIT_SHARED);
	m = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);
	ram = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	memcpy(ram, code, sizeof(code));
	IS(bind_file(vm, 0, CODE, PAGE, ram, -2, 0), 0);
	IS(bind_file(vm, 1, DATA, 4 * PAGE, m, f, 0), 0);
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	is("a vCPU", vcpu >= 0, 1);
	IS(ioctl(vm, KVM_CREATE_VCPU, 0), -EEXIST);
	size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	IS(store(m + 0x10, 0x20), 0);
	run_to_the_end(m, 0x25);
	IS(fallocate(f, KEEP_SIZE | PUNCH_HOLE, 0, PAGE), 0);
	run_to_the_end(m, 0x05);
	memory_of_nobody(ram);
	endless(ram);
	return end();
}
