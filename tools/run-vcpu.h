/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU of gmem run; what run-vcpu.c and run-guest.c share. */
#ifndef RUN_VCPU_H
#define RUN_VCPU_H

#include <linux/kvm.h>

#include "real-mode.h"
#include "run.h"

#define MOST_MSRS 256u

/*
 * What a program may put into the page of kvm_run, at GUEST_SCRIPT bytes, instead of code: KVM_RUN then
 * makes this one access, takes the magic away and leaves as a guest would. Without an exit of
 * its own the access leaves with KVM_EXIT_HLT, with what was loaded in value.
 */
#define GUEST_SCRIPT 3072
#define GUEST_MAGIC UINT64_C(0x31545349524b4d47) /* "GMKRIST1", little endian */
struct guest_script {
	uint64_t magic, gpa;
	uint32_t size; /* 1, 2, 4 or 8, inside one page */
	uint32_t write;
	uint64_t value;
	uint64_t access; /* KVM_MEMORY_EXIT_FLAG_PRIVATE: a private one */
};

struct vcpu {
	struct vcpu *next; /* of those that run */
	struct object *object;
	struct request q; /* the KVM_RUN that waits */
	struct processor p;
	int64_t result;	     /* of KVM_RUN, when it has left */
	unsigned int slices; /* that it has run */
	/* what the program was asked, and has answered when it runs the vCPU again */
	bool asked_memory, asked_port, answered;
	uint64_t asked_addr, asked_rip;
	bool has_mask; /* of signals that are blocked while it runs, instead of the thread's */
	uint64_t mask;
	uint32_t tsc_khz;
	uint64_t tsc_offset;
	struct kvm_cpuid_entry2 *cpuid;
	uint32_t nr_cpuid;
	struct kvm_msr_entry msrs[MOST_MSRS];
	uint32_t nr_msrs;
};

/* KVM_SET_SIGNAL_MASK */
int64_t guest_signal_mask(const struct request *q, struct vcpu *v);
/* ---- run-state.c, run-msr.c ---- */

void state_reset(struct object *o);
bool state_apic_base_is_good(const struct vcpu *v, uint64_t base);
bool state_call(const struct request *q, struct object *o, int64_t *result);
/*
 * Of run-kept.c: 0 or a negated errno, before the structure is read (bytes is null), or for what was read.
 * It may put right what is to be kept.
 */
typedef int64_t kept_check(const struct request *q, struct object *o, void *bytes);
kept_check state_check_regs, state_check_sregs, state_check_fpu, state_check_debugregs,
	state_check_xcrs, state_check_xsave, state_check_events, state_check_mp_state,
	state_check_vapic, state_check_interrupt, state_check_tpr_access, state_check_mce,
	state_check_kvmclock, state_needs_lapic, state_nmi;
void msr_reset(struct vcpu *v);
int64_t msr_each(const struct request *q, struct vcpu *v, bool to_set);
/* KVM_GET_MSRS of /dev/kvm. */
int64_t msr_features(const struct request *q);

/* It runs no more. */
void vcpu_stop(const struct vcpu *v);

#endif
