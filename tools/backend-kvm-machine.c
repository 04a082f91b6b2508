/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What this machine's /dev/kvm is and can do, for backend-kvm.c; found out once a process.
 */
#define _GNU_SOURCE
#include <errno.h>
#ifdef __x86_64__
#include <cpuid.h>
#endif
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <linux/kvm.h>

#include "backend-kvm.h"

#define CAP_NR_MEMSLOTS 10
#define API_VERSION 12
#define MOST_FDS 65536u
#define HIGHEST_ADDRESS (UINT64_C(1) << 47)
#define SMALLEST_GAP (UINT64_C(1) << 34)

struct found {
	bool looked, usable;
	struct kvm_facts facts;
	struct backend_error error;
};

static bool unusable(struct found *found, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static bool unusable(struct found *found, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(found->error.why, sizeof(found->error.why), format, args);
	va_end(args);
	return false;
}

static int capability(int kvm, int cap)
{
	int r = ioctl(kvm, KVM_CHECK_EXTENSION, (unsigned long)cap);

	return r > 0 ? r : 0;
}

#ifdef __x86_64__
#define ARCH GMEM_X86_64
#define LEAF_ADDRESS_SIZES 0x80000008u

/* All that KVM offers; with it the width of guest physical addresses. */
static void look_at_cpuid(struct kvm_facts *facts, int kvm)
{
	size_t size = sizeof(struct kvm_cpuid2) +
		      KVM_CPUID_ENTRIES * sizeof(struct kvm_cpuid_entry2);
	struct kvm_cpuid2 *cpuid = calloc(1, size);
	uint32_t i;

	if (!cpuid)
		return;
	cpuid->nent = KVM_CPUID_ENTRIES;
	if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, cpuid)) {
		free(cpuid);
		return;
	}
	for (i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function == LEAF_ADDRESS_SIZES)
			facts->gpa_bits = cpuid->entries[i].eax & 0xff;
	if (facts->gpa_bits > 47)
		facts->gpa_bits = 47;
	facts->cpuid = cpuid;
}
#else
#define ARCH GMEM_ARM64

static void look_at_cpuid(struct kvm_facts *facts, int kvm)
{
	(void)facts;
	(void)kvm;
}
#endif

static uint32_t most_fds(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_max < 2 * KVM_OWN_FDS)
		return KVM_OWN_FDS;
	if (limit.rlim_max - KVM_OWN_FDS > MOST_FDS)
		return MOST_FDS;
	return (uint32_t)(limit.rlim_max - KVM_OWN_FDS);
}

/* MAXPHYADDR, which guests have where the processor walks their page tables. */
static uint8_t phys_bits(void)
{
#ifdef __x86_64__
	unsigned int eax = 0, ebx, ecx, edx;

	if (__get_cpuid(0x80000008, &eax, &ebx, &ecx, &edx))
		return (uint8_t)eax;
#endif
	return 0;
}

static bool look_at(struct found *found, int kvm)
{
	struct kvm_facts *facts = &found->facts;
	struct gmem_machine *m = &facts->machine;
	int version = ioctl(kvm, KVM_GET_API_VERSION, 0), vm, size;

	if (version != API_VERSION)
		return unusable(found, "/dev/kvm has version %d of its interface and not %d",
				version, API_VERSION);
	if (!capability(kvm, GMEM_CAP_GUEST_MEMFD))
		return unusable(found, "this kernel has no guest_memfd: KVM_CAP_GUEST_MEMFD is 0");
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0)
		return unusable(found, "no VM can be made: %s", strerror(errno));
	close(vm);
	m->arch = ARCH;
	m->vm_types = (uint8_t)(capability(kvm, GMEM_CAP_VM_TYPES) | 1);
	m->smm = capability(kvm, GMEM_CAP_MULTI_ADDRESS_SPACE) > 1;
	m->tdp = capability(kvm, GMEM_CAP_PRE_FAULT_MEMORY) > 0;
	m->max_fds = most_fds();
	m->phys_bits = phys_bits();
	facts->nr_slots = (unsigned int)capability(kvm, CAP_NR_MEMSLOTS);
	size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (size >= (int)sizeof(struct kvm_run)) {
		facts->run_size = (size_t)size;
		look_at_cpuid(facts, kvm);
	}
	return true;
}

const struct kvm_facts *kvm_machine_facts(struct backend_error *e)
{
	static struct found found;
	int kvm;

	if (!found.looked) {
		found.looked = true;
		kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
		if (kvm < 0)
			unusable(&found, "no usable /dev/kvm: %s", strerror(errno));
		else
			found.usable = look_at(&found, kvm);
		if (kvm >= 0)
			close(kvm);
	}
	*e = found.error;
	return found.usable ? &found.facts : NULL;
}

/* The largest range of addresses between two of this process's mappings. */
static bool largest_gap(uint64_t *start, uint64_t *end)
{
	uint64_t from, to, last = GMEM_PAGE_SIZE, most = 0;
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];

	if (!maps)
		return false;
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64, &from, &to) != 2)
			continue;
		if (from > last && from - last > most && from <= HIGHEST_ADDRESS) {
			most = from - last;
			*start = last;
			*end = from;
		}
		last = to;
	}
	fclose(maps);
	return most != 0;
}

static bool can_map_at(uint64_t at)
{
	void *p = mmap((void *)(uintptr_t)at, GMEM_PAGE_SIZE, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return false;
	munmap(p, GMEM_PAGE_SIZE);
	return (uintptr_t)p == at;
}

/*
 * The middle of a gap, far from what grows at its ends, from a round address. Where not all of the gap may be had, as
 * under an emulator, it is looked for further down.
 */
bool kvm_machine_arena(struct arena *arena)
{
	uint64_t start, end, quarter, unit;

	if (!largest_gap(&start, &end))
		return false;
	for (; end - start >= SMALLEST_GAP; end = start + quarter) {
		quarter = (end - start) / 4;
		unit = UINT64_C(1) << (63 - __builtin_clzll(quarter));
		arena->start = arena->next = (start + quarter + unit - 1) & ~(unit - 1);
		arena->end = (end - quarter) & ~(GMEM_PAGE_SIZE - 1);
		if (can_map_at(arena->start) && can_map_at(arena->end - GMEM_PAGE_SIZE))
			return true;
	}
	return false;
}
