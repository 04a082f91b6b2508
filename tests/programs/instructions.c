/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random instructions of real mode, of those that a small guest uses: what becomes of registers,
 * flags and memory is printed, to be compared with what becomes of them elsewhere.
 */
#define _GNU_SOURCE
#include <linux/kvm.h>

#undef KVM_GET_API_VERSION
#undef KVM_CREATE_VM
#undef KVM_CHECK_EXTENSION
#undef KVM_GET_VCPU_MMAP_SIZE
#undef KVM_CREATE_VCPU
#undef KVM_RUN
#include "program.h"

#define PROGRAMS 300
#define INSTRUCTIONS 24
#define CODE 0x1000
#define DATA 0x2000
#define FLAGS 0x8c1 /* carry, zero, sign, overflow */

static uint32_t state = 12345;

static uint32_t chance(uint32_t n)
{
	state = state * 1664525u + 1013904223u;
	return (state >> 8) % n;
}

static size_t modrm(uint8_t *to, unsigned int reg)
{
	uint16_t at = (uint16_t)(DATA + chance(0xff0));

	if (chance(2)) {
		to[0] = (uint8_t)(0xc0 | reg << 3 | chance(8));
		return 1;
	}
	to[0] = (uint8_t)(reg << 3 | 6);
	memcpy(to + 1, &at, 2);
	return 3;
}

/* By si, which is in the data, or by di, which may be anywhere. */
static size_t indexed(uint8_t *to, unsigned int reg)
{
	to[0] = (uint8_t)(0x40 | reg << 3 | (4 + chance(2)));
	to[1] = (uint8_t)chance(256);
	return 2;
}

static size_t number(uint8_t *to, int wide)
{
	to[0] = (uint8_t)chance(256);
	if (wide)
		to[1] = (uint8_t)chance(256);
	return wide ? 2 : 1;
}

static size_t sum(uint8_t *to)
{
	unsigned int what = chance(8), form = chance(6);

	to[0] = (uint8_t)(what << 3 | form);
	return 1 + (form < 4 ? modrm(to + 1, chance(8)) : number(to + 1, form & 1));
}

static size_t sum_number(uint8_t *to)
{
	static const uint8_t ops[] = { 0x80, 0x81, 0x83 };
	size_t n;

	to[0] = ops[chance(3)];
	n = 1 + modrm(to + 1, chance(8));
	return n + number(to + n, to[0] == 0x81);
}

static size_t one(uint8_t *to)
{
	uint16_t at = (uint16_t)(DATA + chance(0xff0));
	size_t n;

	switch (chance(9)) {
	case 0:
	case 1:
		return sum(to);
	case 2:
		return sum_number(to);
	case 3:
		to[0] = (uint8_t)(0xb0 + chance(16));
		return 1 + number(to + 1, to[0] & 8);
	case 4:
		to[0] = (uint8_t)(0x40 + chance(16));
		return 1;
	case 5:
		to[0] = (uint8_t)(0x88 + chance(4));
		return 1 + modrm(to + 1, chance(8));
	case 6:
		to[0] = (uint8_t)(0xa0 + chance(4));
		memcpy(to + 1, &at, 2);
		return 3;
	case 7:
		to[0] = (uint8_t)(0xc6 + chance(2));
		n = 1 + modrm(to + 1, 0);
		return n + number(to + n, to[0] & 1);
	default:
		to[0] = (uint8_t)(0xf8 + chance(2));
		return 1;
	}
}

/* Now and then a jump over one instruction; a load by an index last. */
static void write_program(uint8_t *to)
{
	uint8_t jump, next[16];
	size_t n, i;

	for (i = 0; i < INSTRUCTIONS; i++) {
		n = one(next);
		if (!chance(4)) {
			jump = (uint8_t)(0x70 + chance(16));
			*to++ = (jump & 0xe) == 0xa ? 0xeb : jump;
			*to++ = (uint8_t)n;
		}
		memcpy(to, next, n);
		to += n;
	}
	*to++ = 0xbe; /* mov si, DATA */
	*to++ = DATA & 0xff;
	*to++ = DATA >> 8;
	*to++ = 0x8a; /* mov reg, [si + number] */
	to += indexed(to, chance(8) & 3);
	*to = 0xf4;
}

static uint32_t sum_of(const uint8_t *bytes)
{
	uint32_t h = 0;
	size_t i;

	for (i = 0; i < PAGE; i++)
		h = h * 31 + bytes[i];
	return h;
}

/* Memory that is nobody's has the low byte of its address in it. */
static void answer(struct kvm_run *run)
{
	printf("ok: %s of %u at %llx\n", run->mmio.is_write ? "store" : "load", run->mmio.len,
	       run->mmio.phys_addr);
	if (!run->mmio.is_write)
		memset(run->mmio.data, (int)(run->mmio.phys_addr & 0xff), sizeof(run->mmio.data));
}

static void run_one(int vcpu, struct kvm_run *run, uint8_t *ram, int n)
{
	struct kvm_regs r = { .rip = CODE, .rflags = 2, .rsp = DATA + 0x800 };
	struct kvm_sregs s;
	size_t i;

	write_program(ram);
	for (i = 0; i < PAGE; i++)
		ram[PAGE + i] = (uint8_t)chance(256);
	r.rax = chance(65536);
	r.rbx = chance(65536);
	r.rcx = chance(65536);
	r.rdi = r.rbp = DATA;
	ioctl(vcpu, KVM_GET_SREGS, &s);
	s.cs.base = s.cs.selector = 0;
	ioctl(vcpu, KVM_SET_SREGS, &s);
	ioctl(vcpu, KVM_SET_REGS, &r);
	IS(ioctl(vcpu, KVM_RUN, 0), 0);
	while (run->exit_reason == KVM_EXIT_MMIO) {
		answer(run);
		IS(ioctl(vcpu, KVM_RUN, 0), 0);
	}
	ioctl(vcpu, KVM_GET_REGS, &r);
	printf("ok: %d: exit %u: %llx %llx %llx %llx %llx %llx %llx %llx at %llx, flags %llx, memory %x\n",
	       n, run->exit_reason, r.rax, r.rbx, r.rcx, r.rdx, r.rsi, r.rdi, r.rbp, r.rsp, r.rip,
	       r.rflags & FLAGS, sum_of(ram + PAGE));
}

int main(void)
{
	int kvm = open_kvm(), vm = ioctl(kvm, KVM_CREATE_VM, 0), vcpu, n;
	uint8_t *ram = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
			    0);
	struct kvm_run *run;

	IS(bind_file(vm, 0, CODE, 2 * PAGE, ram, -2, 0), 0);
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	run = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	for (n = 0; n < PROGRAMS; n++)
		run_one(vcpu, run, ram, n);
	return end();
}
