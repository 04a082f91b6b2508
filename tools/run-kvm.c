/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KVM's ioctls: whose they are, and those of /dev/kvm itself.
 *
 * What the model knows it answers. The rest is what a program asks before it comes to guest_memfd:
 * gmem-run(1) has a table of the answers.
 */
#include <cpuid.h>
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common.h"
#include "mounted.h"
#include "run-vcpu.h"

#define API_VERSION 12
#define MOST_CPUID 256u
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Of capabilities that have nothing to do with guest_memfd: what there is to them here. */
static const struct {
	uint16_t cap, value;
} extensions[] = {
	{ KVM_CAP_IRQCHIP, 1 },
	{ KVM_CAP_HLT, 1 },
	{ KVM_CAP_SET_TSS_ADDR, 1 },
	{ KVM_CAP_EXT_CPUID, 1 },
	{ KVM_CAP_MAX_VCPUS, 1024 },
	{ KVM_CAP_MAX_VCPU_ID, 4096 },
	{ KVM_CAP_NR_MEMSLOTS, 32764 },
	{ KVM_CAP_PIT, 1 },
	{ KVM_CAP_PIT2, 1 },
	{ KVM_CAP_PIT_STATE2, 1 },
	{ KVM_CAP_NOP_IO_DELAY, 1 },
	{ KVM_CAP_MP_STATE, 1 },
	{ KVM_CAP_SYNC_MMU, 1 },
	{ KVM_CAP_DESTROY_MEMORY_REGION_WORKS, 1 },
	{ KVM_CAP_JOIN_MEMORY_REGIONS_WORKS, 1 },
	{ KVM_CAP_USER_NMI, 1 },
	{ KVM_CAP_SET_GUEST_DEBUG, 1 },
	{ KVM_CAP_IRQ_ROUTING, 4096 },
	{ KVM_CAP_IRQFD, 1 },
	{ KVM_CAP_IOEVENTFD, 1 },
	{ KVM_CAP_IOEVENTFD_ANY_LENGTH, 1 },
	{ KVM_CAP_SET_IDENTITY_MAP_ADDR, 1 },
	{ KVM_CAP_ADJUST_CLOCK, 1 },
	{ KVM_CAP_VCPU_EVENTS, 1 },
	{ KVM_CAP_DEBUGREGS, 1 },
	{ KVM_CAP_ENABLE_CAP, 1 },
	{ KVM_CAP_ENABLE_CAP_VM, 1 },
	{ KVM_CAP_XSAVE, 1 },
	{ KVM_CAP_XSAVE2, 4096 },
	{ KVM_CAP_XCRS, 1 },
	{ KVM_CAP_TSC_CONTROL, 1 },
	{ KVM_CAP_GET_TSC_KHZ, 1 },
	{ KVM_CAP_TSC_DEADLINE_TIMER, 1 },
	{ KVM_CAP_SIGNAL_MSI, 1 },
	{ KVM_CAP_CHECK_EXTENSION_VM, 1 },
	{ KVM_CAP_IMMEDIATE_EXIT, 1 },
	{ KVM_CAP_GET_MSR_FEATURES, 1 },
	{ KVM_CAP_INTERNAL_ERROR_DATA, 1 },
	{ KVM_CAP_SPLIT_IRQCHIP, 1 },
	{ KVM_CAP_SREGS2, 1 },
	{ KVM_CAP_MCE, 32 },
};

static int64_t plausible_extension(uint64_t cap)
{
	size_t i;

	if (cap == KVM_CAP_NR_VCPUS)
		return sysconf(_SC_NPROCESSORS_ONLN);
	for (i = 0; i < COUNT(extensions); i++)
		if (extensions[i].cap == cap)
			return extensions[i].value;
	return 0;
}

static int64_t model_extension(uint64_t vm, uint64_t cap)
{
	struct mount_on on = { .vm = vm, .m.call = { .verb = GMEM_CHECK_EXTENSION, .cap = cap } };

	return mount_value(&on);
}

int64_t extension(uint64_t vm, uint64_t cap)
{
	int64_t value;

	/* the second address space is that of SMM: there are both, or neither */
	if (cap == KVM_CAP_X86_SMM)
		return model_extension(vm, KVM_CAP_MULTI_ADDRESS_SPACE) > 1;
	value = model_extension(vm, cap);
	return value ? value : plausible_extension(cap);
}

/* ---- lists ---- */

/* The processor that gmem runs on, a leaf at a time, without what only hardware could keep. */
static uint32_t fill_cpuid(struct kvm_cpuid_entry2 *e, uint32_t most)
{
	static const uint32_t first[] = { 0, 0x80000000 };
	uint32_t n = 0, leaf, last, eax, ebx, ecx, edx;
	size_t i;

	for (i = 0; i < COUNT(first); i++) {
		last = __get_cpuid_max(first[i], NULL);
		if (last - first[i] > 0x1f)
			last = first[i] + 0x1f;
		for (leaf = first[i]; leaf <= last && n < most; leaf++) {
			__cpuid_count(leaf, 0, eax, ebx, ecx, edx);
			e[n++] = (struct kvm_cpuid_entry2){ .function = leaf,
							    .flags = leaf == 4 || leaf == 7 ||
								     leaf == 0xb || leaf == 0xd,
							    .eax = eax,
							    .ebx = ebx,
							    .ecx = ecx,
							    .edx = edx };
		}
	}
	return n;
}

/* MOVBE and RDPID, as any kernel has it. */
static const struct kvm_cpuid_entry2 emulated[] = {
	{ .eax = 7 },
	{ .function = 1, .ecx = 1 << 22 },
	{ .function = 7, .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX, .ecx = 1 << 22 },
};

int64_t give_cpuid(const struct request *q, uint32_t cmd)
{
	struct kvm_cpuid_entry2 entries[MOST_CPUID];
	struct kvm_cpuid2 head;
	uint32_t n = COUNT(emulated);

	if (target_read(q->pid, q->args[2], &head, sizeof(head)))
		return -EFAULT;
	memset(entries, 0, sizeof(entries));
	if (cmd == KVM_GET_SUPPORTED_CPUID)
		n = fill_cpuid(entries, MOST_CPUID);
	else
		memcpy(entries, emulated, sizeof(emulated));
	if (head.nent < n)
		return -E2BIG;
	head.nent = n;
	if (target_write(q->pid, q->args[2], &head, sizeof(head)) ||
	    target_write(q->pid, q->args[2] + sizeof(head), entries, n * sizeof(entries[0])))
		return -EFAULT;
	return 0;
}

/* TSC, APIC base, SYSENTER, PAT, EFER, STAR and its like. */
static const uint32_t msrs[] = { 0x10,	     0x1b,	 0x174,	     0x175,	 0x176,
				 0x277,	     0xc0000080, 0xc0000081, 0xc0000082, 0xc0000083,
				 0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102 };

/* The revision of the microcode, and what the processor need not be protected from. */
static const uint32_t feature_msrs[] = { 0x8b, 0x10a };

int64_t give_msr_list(const struct request *q, bool features)
{
	const uint32_t *list = features ? feature_msrs : msrs;
	uint32_t asked, n = features ? COUNT(feature_msrs) : COUNT(msrs);

	if (target_read(q->pid, q->args[2], &asked, sizeof(asked)) ||
	    target_write(q->pid, q->args[2], &n, sizeof(n)))
		return -EFAULT;
	if (asked < n)
		return -E2BIG;
	return target_write(q->pid, q->args[2] + sizeof(n), list, n * sizeof(list[0]));
}

/* ---- /dev/kvm ---- */

static struct vm *new_vm(const struct request *q, uint64_t node)
{
	struct vm *vm = xcalloc(1, sizeof(*vm));

	vm->node = node;
	vm->users = 1;
	vm->pid = q->pid;
	vm->tgid = target_tgid(q->pid);
	return vm;
}

static int64_t create_vm(const struct request *q)
{
	struct mount_on on = { .m.call = { .verb = GMEM_CREATE_VM, .type = q->args[2] } };
	int64_t node = mount_value(&on);
	struct object *o;
	int64_t answer;
	int fd;

	if (node < 0)
		return node;
	o = object_new(KIND_VM, "kvm-vm", 0, &fd);
	if (!o) {
		mount_remove_vm((uint64_t)node);
		return fd;
	}
	o->vm = new_vm(q, (uint64_t)node);
	answer = answer_fd(q, fd, true);
	close(fd);
	return answer;
}

static int64_t give_mce_cap(const struct request *q)
{
	static const uint64_t cap = MCE_CAP;

	return target_write(q->pid, q->args[2], &cap, sizeof(cap));
}

static int64_t kvm_ioctl(const struct request *q)
{
	uint32_t cmd = (uint32_t)q->args[1];

	switch (cmd) {
	case KVM_GET_API_VERSION:
		return q->args[2] ? -EINVAL : API_VERSION;
	case KVM_CREATE_VM:
		return create_vm(q);
	case KVM_CHECK_EXTENSION:
		return extension(0, q->args[2]);
	case KVM_GET_VCPU_MMAP_SIZE:
		return q->args[2] ? -EINVAL : (int64_t)(VCPU_PAGES * GMEM_PAGE_SIZE);
	case KVM_GET_SUPPORTED_CPUID:
	case KVM_GET_EMULATED_CPUID:
		return give_cpuid(q, cmd);
	case KVM_GET_MSR_INDEX_LIST:
	case KVM_GET_MSR_FEATURE_INDEX_LIST:
		return give_msr_list(q, cmd == KVM_GET_MSR_FEATURE_INDEX_LIST);
	case KVM_X86_GET_MCE_CAP_SUPPORTED:
		return give_mce_cap(q);
	case KVM_GET_MSRS:
		return msr_features(q);
	default:
		return unknown_call(q, "/dev/kvm", EINVAL);
	}
}

/* FUSE would look at the pointer first. */
static int64_t file_ioctl(const struct request *q)
{
	const struct gmem_profile *p = session.profile ? gmem_profile_find(session.profile) :
							 gmem_profile_default();

	return q->args[1] == profile_number(p, "ioctl_file_attributes") ? ANSWER_CONTINUE : -ENOTTY;
}

/* An ioctl of a guest_memfd is gmemfs's, and on whatever else the kernel's to refuse. */
int64_t call_ioctl(const struct request *q)
{
	struct what w;
	int err = target_what(q->pid, q->args[0], &w);

	if (!err && w.kind != KIND_OTHER && target_is_path(q->pid, q->args[0]))
		err = -EBADF;
	if (err)
		return err;
	switch (w.kind) {
	case KIND_KVM:
		return kvm_ioctl(q);
	case KIND_VM:
		return vm_ioctl(q, w.object);
	case KIND_VCPU:
		return vcpu_ioctl(q, w.object);
	case KIND_GMEM:
		return file_ioctl(q);
	default:
		return ANSWER_CONTINUE;
	}
}
