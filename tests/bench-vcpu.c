/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The vCPU of bench-kernel.c: the one of the back end for /dev/kvm (tools/vcpu.h), which goes on
 * where it was whenever it runs. So one KVM_RUN is one access and the exit that tells of it.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/kvm.h>

#include "backend-kvm.h"
#include "bench-vcpu.h"

static int start(struct vcpu *v, int vm, const struct kvm_facts *facts, uint64_t gpa)
{
	if (vcpu_make_memory(v) || vcpu_set_memslot(v, vm, true) ||
	    vcpu_take(v, ioctl(vm, KVM_CREATE_VCPU, 0), facts->run_size, facts->cpuid))
		return -1;
	vcpu_map(v, 0, gpa / GMEM_PAGE_SIZE);
	if (bench_vcpu_choose(v, false))
		return -1;
	errno = EFAULT;
	return bench_vcpu_access(v);
}

const char *bench_vcpu_start(struct vcpu *v, int vm, uint32_t slot, uint64_t gpa)
{
	static struct backend_error e;
	const struct kvm_facts *facts = kvm_machine_facts(&e);
	const char *why;

	*v = VCPU_NONE;
	v->slot = slot;
	v->gpa = BENCH_VCPU_GPA;
	if (!facts)
		return e.why;
	if (!facts->cpuid)
		return "only vCPUs of x86-64 are known here";
	if (!start(v, vm, facts, gpa))
		return NULL;
	why = strerror(errno);
	vcpu_free(v);
	return why;
}

int bench_vcpu_choose(const struct vcpu *v, bool store)
{
	return vcpu_prepare(v, &(struct vcpu_access){ .size = 1, .store = store });
}

int bench_vcpu_access(const struct vcpu *v)
{
	int r;

	do
		r = ioctl(v->fd, KVM_RUN, 0);
	while (r && errno == EINTR);
	return !r && vcpu_rang(v) ? 0 : -1;
}
