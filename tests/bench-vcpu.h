/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vCPU that makes the same one-byte load or store of a guest page again and again, for
 * bench-kernel.c.
 *
 *	why = bench_vcpu_start(&v, vm, 1, gpa);	(why not; or null)
 *	bench_vcpu_choose(&v, true);			(a store)
 *	bench_vcpu_access(&v);				(-1 if anything but the access came of it)
 *	vcpu_free(&v);
 */
#ifndef TESTS_BENCH_VCPU_H
#define TESTS_BENCH_VCPU_H

#include "vcpu.h"

/* Takes that memslot and the guest's memory at BENCH_VCPU_GPA. */
#define BENCH_VCPU_GPA UINT64_C(0x40000000)

const char *bench_vcpu_start(struct vcpu *v, int vm, uint32_t slot, uint64_t gpa);
int bench_vcpu_choose(const struct vcpu *v, bool store);
int bench_vcpu_access(const struct vcpu *v);

#endif
