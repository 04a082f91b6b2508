/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KVM's ioctls that change nothing here: what SET puts down GET gives back, and what only asks for
 * something to happen in the guest is accepted. And the names of all of them, for messages.
 */
#include <asm/ioctls.h>
#include <errno.h>
#include <linux/fs.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "common.h"
#include "run-vcpu.h"

enum act { KEEP, GIVE, ACCEPT, REFUSE };

/* The PIT is there once it was made. */
static int64_t needs_pit(const struct request *q, struct object *o, void *bytes)
{
	(void)q;
	(void)bytes;
	return o->vm->pit ? 0 : -ENXIO;
}

static int64_t needs_pit_after(const struct request *q, struct object *o, void *bytes)
{
	return bytes ? needs_pit(q, o, bytes) : 0;
}

static int64_t check_tss(const struct request *q, struct object *o, void *bytes)
{
	(void)o;
	(void)bytes;
	/* three pages, below 4 GiB */
	return q->args[2] > 0xffffd000 ? -EINVAL : 0;
}

/* These two are for when there are no vCPUs yet. */
static int64_t check_identity_map(const struct request *q, struct object *o, void *bytes)
{
	(void)q;
	return bytes && o->vm->nr_vcpus ? -EINVAL : 0;
}

static int64_t set_boot_cpu(const struct request *q, struct object *o, void *bytes)
{
	(void)bytes;
	if (o->vm->nr_vcpus)
		return -EBUSY;
	if (q->args[2] > MOST_VCPUS)
		return -EINVAL;
	o->vm->boot_cpu = (uint32_t)q->args[2];
	return 0;
}

static int64_t check_mmu_pages(const struct request *q, struct object *o, void *bytes)
{
	(void)o;
	(void)bytes;
	return q->args[2] < 64 ? -EINVAL : 0;
}

static int64_t set_tsc_khz(const struct request *q, struct object *o, void *bytes)
{
	(void)bytes;
	if (o->kind == KIND_VM)
		return o->vm->nr_vcpus ? -EINVAL : 0;
	if ((uint32_t)q->args[2])
		o->vcpu->tsc_khz = (uint32_t)q->args[2];
	return 0;
}

static int64_t check_zone(const struct request *q, struct object *o, void *bytes)
{
	const struct kvm_coalesced_mmio_zone *z = bytes;

	(void)q;
	(void)o;
	return z && z->pio > 1 ? -EINVAL : 0;
}

/*
 * .get of a KEEP is the ioctl that gives it back. The kernel looks at the pointer of each, so one
 * that is bad is EFAULT here, too.
 */
static const struct kept_row {
	uint32_t cmd, get;
	uint8_t on; /* enum kind */
	uint8_t act;
	kept_check *check; /* may be null */
	const char *name;
} rows[] = {
#define ROW(cmd, on, act)                   \
	{                                   \
		cmd, 0, on, act, NULL, #cmd \
	}
#define CHECKED(cmd, on, check)                 \
	{                                       \
		cmd, 0, on, ACCEPT, check, #cmd \
	}
#define PAIR(get, set, on, before, check)       \
	{ get, get, on, GIVE, before, #get },   \
	{                                       \
		set, get, on, KEEP, check, #set \
	}
	PAIR(KVM_GET_REGS, KVM_SET_REGS, KIND_VCPU, NULL, state_check_regs),
	PAIR(KVM_GET_SREGS, KVM_SET_SREGS, KIND_VCPU, NULL, state_check_sregs),
	PAIR(KVM_GET_FPU, KVM_SET_FPU, KIND_VCPU, NULL, state_check_fpu),
	PAIR(KVM_GET_XSAVE, KVM_SET_XSAVE, KIND_VCPU, NULL, state_check_xsave),
	PAIR(KVM_GET_XCRS, KVM_SET_XCRS, KIND_VCPU, NULL, state_check_xcrs),
	PAIR(KVM_GET_MP_STATE, KVM_SET_MP_STATE, KIND_VCPU, NULL, state_check_mp_state),
	PAIR(KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS, KIND_VCPU, NULL, state_check_events),
	PAIR(KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS, KIND_VCPU, NULL, state_check_debugregs),
	PAIR(KVM_GET_LAPIC, KVM_SET_LAPIC, KIND_VCPU, state_needs_lapic, state_needs_lapic),
	PAIR(KVM_GET_PIT2, KVM_SET_PIT2, KIND_VM, needs_pit, needs_pit_after),
	{ KVM_GET_PIT, KVM_GET_PIT2, KIND_VM, GIVE, needs_pit, "KVM_GET_PIT" },
	{ KVM_SET_PIT, KVM_GET_PIT2, KIND_VM, KEEP, needs_pit_after, "KVM_SET_PIT" },
	{ KVM_GET_XSAVE2, KVM_GET_XSAVE, KIND_VCPU, GIVE, NULL, "KVM_GET_XSAVE2" },
	CHECKED(KVM_SET_TSS_ADDR, KIND_VM, check_tss),
	CHECKED(KVM_SET_IDENTITY_MAP_ADDR, KIND_VM, check_identity_map),
	CHECKED(KVM_SET_BOOT_CPU_ID, KIND_VM, set_boot_cpu),
	CHECKED(KVM_SET_NR_MMU_PAGES, KIND_VM, check_mmu_pages),
	CHECKED(KVM_REGISTER_COALESCED_MMIO, KIND_VM, check_zone),
	CHECKED(KVM_UNREGISTER_COALESCED_MMIO, KIND_VM, check_zone),
	CHECKED(KVM_SET_TSC_KHZ, KIND_VM | KIND_VCPU, set_tsc_khz),
	CHECKED(KVM_INTERRUPT, KIND_VCPU, state_check_interrupt),
	CHECKED(KVM_KVMCLOCK_CTRL, KIND_VCPU, state_check_kvmclock),
	CHECKED(KVM_TPR_ACCESS_REPORTING, KIND_VCPU, state_check_tpr_access),
	CHECKED(KVM_SET_VAPIC_ADDR, KIND_VCPU, state_check_vapic),
	CHECKED(KVM_X86_SETUP_MCE, KIND_VCPU, state_check_mce),
	CHECKED(KVM_NMI, KIND_VCPU, state_nmi),
	ROW(KVM_SET_GUEST_DEBUG, KIND_VCPU, ACCEPT),
	/* only their names are known */
	ROW(KVM_GET_SUPPORTED_HV_CPUID, KIND_KVM, REFUSE),
	ROW(KVM_GET_DEVICE_ATTR, KIND_KVM, REFUSE),
	ROW(KVM_HAS_DEVICE_ATTR, KIND_KVM, REFUSE),
	ROW(KVM_SET_MEMORY_REGION, KIND_VM, REFUSE),
	ROW(KVM_SET_MEMORY_ALIAS, KIND_VM, REFUSE),
	ROW(KVM_XEN_HVM_CONFIG, KIND_VM, REFUSE),
	ROW(KVM_HYPERV_EVENTFD, KIND_VM, REFUSE),
	ROW(KVM_MEMORY_ENCRYPT_REG_REGION, KIND_VM, REFUSE),
	ROW(KVM_MEMORY_ENCRYPT_UNREG_REGION, KIND_VM, REFUSE),
	ROW(KVM_X86_SET_MCE, KIND_VCPU, REFUSE),
	ROW(KVM_GET_ONE_REG, KIND_VCPU, REFUSE),
	ROW(KVM_SET_ONE_REG, KIND_VCPU, REFUSE),
	ROW(KVM_GET_REG_LIST, KIND_VCPU, REFUSE),
	ROW(KVM_SET_CPUID, KIND_VCPU, REFUSE),
	ROW(KVM_TRANSLATE, KIND_VCPU, REFUSE),
	ROW(KVM_CREATE_DEVICE, KIND_VM, REFUSE),
	ROW(KVM_MEMORY_ENCRYPT_OP, KIND_VM, REFUSE),
	ROW(KVM_SET_PMU_EVENT_FILTER, KIND_VM, REFUSE),
	ROW(KVM_X86_SET_MSR_FILTER, KIND_VM, REFUSE),
	ROW(KVM_GET_STATS_FD, KIND_VM | KIND_VCPU, REFUSE),
	ROW(KVM_GET_NESTED_STATE, KIND_VCPU, REFUSE),
	ROW(KVM_SET_NESTED_STATE, KIND_VCPU, REFUSE),
	ROW(KVM_SMI, KIND_VCPU, REFUSE),
};

#define NR_ROWS (sizeof(rows) / sizeof(rows[0]))

void *kept_get(struct kept *list, uint32_t key, uint32_t size)
{
	for (; list; list = list->next)
		if (list->key == key && list->size == size)
			return list->bytes;
	return NULL;
}

void *kept_make(struct kept **list, uint32_t key, uint32_t size)
{
	void *there = kept_get(*list, key, size);
	struct kept *k;

	if (there)
		return there;
	k = xcalloc(1, sizeof(*k) + size);
	k->key = key;
	k->size = size;
	k->next = *list;
	*list = k;
	return k->bytes;
}

void kept_free(struct kept *list)
{
	struct kept *next;

	for (; list; list = next) {
		next = list->next;
		free(list);
	}
}

static const struct kept_row *find_row(uint32_t cmd, enum kind on)
{
	size_t i;

	for (i = 0; i < NR_ROWS; i++)
		if (rows[i].cmd == cmd && (rows[i].on & on))
			return &rows[i];
	return NULL;
}

/* What the program's structure holds, if it may. */
static int64_t take(const struct request *q, struct object *o, const struct kept_row *row,
		    void *bytes)
{
	bool reads = row->act == KEEP || (_IOC_DIR(row->cmd) & _IOC_WRITE);
	uint32_t size = reads ? _IOC_SIZE(row->cmd) : 0;
	int64_t err = row->check ? row->check(q, o, NULL) : 0;

	if (!err && size)
		err = target_read(q->pid, q->args[2], bytes, size);
	if (!err && size && row->check)
		err = row->check(q, o, bytes);
	return err;
}

bool kept_call(const struct request *q, struct object *o, int64_t *result)
{
	const struct kept_row *row = find_row((uint32_t)q->args[1], o->kind);
	struct kept **list = o->kind == KIND_VM ? &o->vm->kept : &o->kept;
	uint8_t bytes[1 << _IOC_SIZEBITS];
	uint32_t size;
	void *kept;

	if (!row || row->act == REFUSE)
		return false;
	size = _IOC_SIZE(row->cmd);
	*result = take(q, o, row, bytes);
	if (*result || row->act == ACCEPT)
		return true;
	kept = kept_make(list, row->get, _IOC_SIZE(row->get));
	if (row->act == KEEP)
		memcpy(kept, bytes, size);
	else
		*result = target_write(q->pid, q->args[2], kept, size);
	return true;
}

int64_t unknown_call(const struct request *q, const char *on, int err)
{
	uint32_t cmd = (uint32_t)q->args[1];
	const char *name = NULL;
	size_t i;

	if (cmd == FIOQSIZE)
		return -ENOTTY;
	/* the kernel's own for files, which KVM's have not */
	if (cmd == FIBMAP || cmd == FIONREAD)
		return -err;
	for (i = 0; i < NR_ROWS && !name; i++)
		if (rows[i].cmd == cmd)
			name = rows[i].name;
	complain(q->pid, "%s%sioctl 0x%x on %s cannot be answered: %s", name ? name : "",
		 name ? ", " : "", cmd, on, gmem_errno_name(err));
	return -err;
}
