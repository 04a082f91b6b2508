/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A processor in real mode, as far as a guest needs one that pokes at its memory: moves, sums,
 * jumps, ports and HLT, of 8 and 16 bits. It holds nothing: registers are KVM's structures, memory
 * and ports are the caller's.
 *
 * An instruction either happens as a whole, or not at all: where memory or a port has no answer
 * yet it is left as if it had not begun, and run again when the answer is there. A segment's base
 * may be anything, as KVM_SET_SREGS puts it there, so all of the lower 4 GiB can be reached.
 */
#ifndef REAL_MODE_H
#define REAL_MODE_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

enum ran {
	RAN,	     /* go on */
	RAN_HLT,     /* the processor has halted */
	RAN_LEFT,    /* memory() or port() has no answer; the instruction will be run again */
	RAN_UNKNOWN, /* no such instruction here: see bytes */
};

struct processor {
	struct kvm_regs *regs;
	struct kvm_sregs *sregs;
	/* size is 1 or 2. 0 if there is no answer. */
	int (*memory)(void *arg, uint64_t addr, unsigned int size, bool write, uint16_t *value);
	int (*port)(void *arg, uint16_t port, unsigned int size, bool write, uint16_t *value);
	void *arg;
	bool fetching; /* while memory() is asked for a byte of the instruction */
	/* of the last instruction, as far as it was read */
	uint8_t bytes[15];
	unsigned int nr_bytes;
};

enum ran real_mode_step(struct processor *p);

#endif
