/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vCPU that makes the same one-byte load or store of a guest page again and again, for
 * bench-kernel.c.
 *
 *	if (!vcpu_start(&v, kvm, vm, 1, gpa))
 *		...				(v.why says why not)
 *	vcpu_choose(&v, true);			(a store)
 *	vcpu_access(&v);			(-1 if anything but the access came of it)
 *	vcpu_end(&v);
 */
#ifndef TESTS_BENCH_VCPU_H
#define TESTS_BENCH_VCPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kvm_run;

struct vcpu {
	const char *why; /* there is none */
	int fd;
	struct kvm_run *run;
	size_t run_size;
	uint64_t *memory; /* code and page tables */
};

/* Takes that memslot and the guest's memory at VCPU_GPA. */
#define VCPU_GPA UINT64_C(0x40000000)

bool vcpu_start(struct vcpu *v, int kvm, int vm, uint32_t slot, uint64_t gpa);
void vcpu_end(struct vcpu *v);
int vcpu_choose(const struct vcpu *v, bool store);
int vcpu_access(const struct vcpu *v);

#endif
