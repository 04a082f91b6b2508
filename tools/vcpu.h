/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vCPU of x86-64 that loads and stores, for backend-kvm-guest.c and for tests/bench-kernel.c.
 *
 *	struct vcpu v = VCPU_NONE;
 *
 *	v.slot = 1;
 *	v.gpa = 0x40000000;
 *	if (vcpu_make_memory(&v) || vcpu_set_memslot(&v, vm, true) ||
 *	    vcpu_take(&v, ioctl(vm, KVM_CREATE_VCPU, 0), run_size, cpuid))
 *		...						(errno says why not)
 *	vcpu_map(&v, 0, page);
 *	vcpu_prepare(&v, &(struct vcpu_access){ .entry = 0, .size = 1 });
 *	ioctl(v.fd, KVM_RUN, 0);
 *	if (vcpu_rang(&v))
 *		memcpy(&loaded, v.run->mmio.data, 8);
 *	vcpu_free(&v);
 *
 * It runs in 64-bit mode at CPL 3, with page tables and a few bytes of code in a memslot of its
 * own: there every KVM, also one that emulates privileged code, has the processor itself make the
 * access. After the access the code rings: it stores what rax holds to a doorbell, a page without a
 * memslot, so that KVM_RUN returns with KVM_EXIT_MMIO. Run again, it makes the same access again.
 */
#ifndef VCPU_H
#define VCPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kvm_cpuid2;
struct kvm_run;

/* Of the guest's memory, in pages; the doorbell lies behind. */
#define VCPU_FIRST_PT 5u
#define VCPU_NR_PTS 32u
#define VCPU_NR_PAGES (VCPU_FIRST_PT + VCPU_NR_PTS)

/*
 * Page table entries for what is accessed. They are APART: where KVM keeps page tables of its own
 * for the guest, it fills eight at a time, and the neighbours of the one that faulted through
 * userspace_addr, also in a memslot with a guest_memfd. What is seen would hang on which pages
 * were accessed in which order.
 */
#define VCPU_PT_ENTRIES 512u
#define VCPU_APART 8u
#define VCPU_NR_PTES (VCPU_NR_PTS * VCPU_PT_ENTRIES / VCPU_APART)

struct vcpu {
	int fd;
	struct kvm_run *run;
	size_t run_size;
	uint64_t *memory; /* code and page tables */
	uint64_t gpa;	  /* of the memory; of the caller's choice */
	uint32_t slot;	  /* of the memory; the same */
};
#define VCPU_NONE ((struct vcpu){ .fd = -1 })

struct vcpu_access {
	unsigned int entry;
	unsigned int offset; /* in the page */
	unsigned int size;   /* 1, 2, 4 or 8, inside the page */
	bool store;
	uint64_t value; /* that is stored */
};

/* Functions that return int return 0, or -1 with errno. */

/* Memory with the code, which maps no page yet. */
int vcpu_make_memory(struct vcpu *v);
/* Puts it into v->slot at v->gpa, or deletes the memslot. */
int vcpu_set_memslot(const struct vcpu *v, int vm, bool there);
/* Makes fd, from KVM_CREATE_VCPU, ready to run; -1 stays -1. cpuid is all that the guest gets. */
int vcpu_take(struct vcpu *v, int fd, size_t run_size, const struct kvm_cpuid2 *cpuid);
/* Lets an entry, which must be new, stand for a page of the guest. */
void vcpu_map(const struct vcpu *v, unsigned int entry, uint64_t page);
/* Makes all entries new, while there is no memslot: only without it does KVM forget them. */
void vcpu_unmap_all(const struct vcpu *v);
/* What the vCPU does from now on whenever it runs. */
int vcpu_prepare(const struct vcpu *v, const struct vcpu_access *a);
/* Whether KVM_RUN returned because the access was made. */
bool vcpu_rang(const struct vcpu *v);
void vcpu_free(struct vcpu *v);

#endif
