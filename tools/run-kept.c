/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KVM's ioctls that change nothing here: what SET puts down GET gives back, and what only asks for
 * something to happen in the guest is accepted. And the names of all of them, for messages.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "common.h"
#include "run.h"

enum act { KEEP, GIVE, ACCEPT, REFUSE };

/*
 * .get of a KEEP is the ioctl that gives it back. The kernel looks at the pointer of each, so one
 * that is bad is EFAULT here, too.
 */
static const struct kept_row {
	uint32_t cmd, get;
	uint8_t on; /* enum kind */
	uint8_t act;
	const char *name;
} rows[] = {
#define ROW(cmd, on, act)             \
	{                             \
		cmd, 0, on, act, #cmd \
	}
#define PAIR(get, set, on)               \
	{ get, get, on, GIVE, #get },    \
	{                                \
		set, get, on, KEEP, #set \
	}
	PAIR(KVM_GET_REGS, KVM_SET_REGS, KIND_VCPU),
	PAIR(KVM_GET_SREGS, KVM_SET_SREGS, KIND_VCPU),
	PAIR(KVM_GET_FPU, KVM_SET_FPU, KIND_VCPU),
	PAIR(KVM_GET_XSAVE, KVM_SET_XSAVE, KIND_VCPU),
	PAIR(KVM_GET_XCRS, KVM_SET_XCRS, KIND_VCPU),
	PAIR(KVM_GET_MP_STATE, KVM_SET_MP_STATE, KIND_VCPU),
	PAIR(KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS, KIND_VCPU),
	PAIR(KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS, KIND_VCPU),
	PAIR(KVM_GET_LAPIC, KVM_SET_LAPIC, KIND_VCPU),
	PAIR(KVM_GET_IRQCHIP, KVM_SET_IRQCHIP, KIND_VM),
	PAIR(KVM_GET_PIT2, KVM_SET_PIT2, KIND_VM),
	PAIR(KVM_GET_CLOCK, KVM_SET_CLOCK, KIND_VM),
	{ KVM_GET_XSAVE2, KVM_GET_XSAVE, KIND_VCPU, GIVE, "KVM_GET_XSAVE2" },
	ROW(KVM_SET_TSS_ADDR, KIND_VM, ACCEPT),
	ROW(KVM_SET_IDENTITY_MAP_ADDR, KIND_VM, ACCEPT),
	ROW(KVM_SET_BOOT_CPU_ID, KIND_VM, ACCEPT),
	ROW(KVM_SET_NR_MMU_PAGES, KIND_VM, ACCEPT),
	ROW(KVM_SET_GSI_ROUTING, KIND_VM, ACCEPT),
	ROW(KVM_IRQ_LINE, KIND_VM, ACCEPT),
	ROW(KVM_IRQFD, KIND_VM, ACCEPT),
	ROW(KVM_IOEVENTFD, KIND_VM, ACCEPT),
	ROW(KVM_SIGNAL_MSI, KIND_VM, ACCEPT),
	ROW(KVM_REGISTER_COALESCED_MMIO, KIND_VM, ACCEPT),
	ROW(KVM_UNREGISTER_COALESCED_MMIO, KIND_VM, ACCEPT),
	ROW(KVM_SET_TSC_KHZ, KIND_VM | KIND_VCPU, ACCEPT),
	ROW(KVM_INTERRUPT, KIND_VCPU, ACCEPT),
	ROW(KVM_NMI, KIND_VCPU, ACCEPT),
	ROW(KVM_KVMCLOCK_CTRL, KIND_VCPU, ACCEPT),
	ROW(KVM_SET_GUEST_DEBUG, KIND_VCPU, ACCEPT),
	ROW(KVM_TPR_ACCESS_REPORTING, KIND_VCPU, ACCEPT),
	ROW(KVM_SET_VAPIC_ADDR, KIND_VCPU, ACCEPT),
	ROW(KVM_X86_SETUP_MCE, KIND_VCPU, ACCEPT),
	/* only their names are known */
	ROW(KVM_GET_SUPPORTED_HV_CPUID, KIND_KVM, REFUSE),
	ROW(KVM_X86_GET_MCE_CAP_SUPPORTED, KIND_KVM, REFUSE),
	ROW(KVM_GET_DEVICE_ATTR, KIND_KVM, REFUSE),
	ROW(KVM_HAS_DEVICE_ATTR, KIND_KVM, REFUSE),
	ROW(KVM_SET_MEMORY_REGION, KIND_VM, REFUSE),
	ROW(KVM_SET_MEMORY_ALIAS, KIND_VM, REFUSE),
	ROW(KVM_XEN_HVM_CONFIG, KIND_VM, REFUSE),
	ROW(KVM_HYPERV_EVENTFD, KIND_VM, REFUSE),
	ROW(KVM_IRQ_LINE_STATUS, KIND_VM, REFUSE),
	ROW(KVM_REINJECT_CONTROL, KIND_VM, REFUSE),
	ROW(KVM_GET_PIT, KIND_VM, REFUSE),
	ROW(KVM_SET_PIT, KIND_VM, REFUSE),
	ROW(KVM_MEMORY_ENCRYPT_REG_REGION, KIND_VM, REFUSE),
	ROW(KVM_MEMORY_ENCRYPT_UNREG_REGION, KIND_VM, REFUSE),
	ROW(KVM_X86_SET_MCE, KIND_VCPU, REFUSE),
	ROW(KVM_GET_ONE_REG, KIND_VCPU, REFUSE),
	ROW(KVM_SET_ONE_REG, KIND_VCPU, REFUSE),
	ROW(KVM_GET_REG_LIST, KIND_VCPU, REFUSE),
	ROW(KVM_SET_CPUID, KIND_VCPU, REFUSE),
	ROW(KVM_CREATE_DEVICE, KIND_VM, REFUSE),
	ROW(KVM_GET_DIRTY_LOG, KIND_VM, REFUSE),
	ROW(KVM_CLEAR_DIRTY_LOG, KIND_VM, REFUSE),
	ROW(KVM_MEMORY_ENCRYPT_OP, KIND_VM, REFUSE),
	ROW(KVM_SET_PMU_EVENT_FILTER, KIND_VM, REFUSE),
	ROW(KVM_X86_SET_MSR_FILTER, KIND_VM, REFUSE),
	ROW(KVM_GET_STATS_FD, KIND_VM | KIND_VCPU, REFUSE),
	ROW(KVM_RESET_DIRTY_RINGS, KIND_VM, REFUSE),
	ROW(KVM_TRANSLATE, KIND_VCPU, REFUSE),
	ROW(KVM_GET_NESTED_STATE, KIND_VCPU, REFUSE),
	ROW(KVM_SET_NESTED_STATE, KIND_VCPU, REFUSE),
	ROW(KVM_SMI, KIND_VCPU, REFUSE),
	ROW(KVM_GET_SREGS2, KIND_VCPU, REFUSE),
	ROW(KVM_SET_SREGS2, KIND_VCPU, REFUSE),
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

static int64_t accept_call(const struct request *q)
{
	uint8_t bytes[1 << _IOC_SIZEBITS];
	uint32_t cmd = (uint32_t)q->args[1];

	if (!(_IOC_DIR(cmd) & _IOC_WRITE))
		return 0;
	return target_read(q->pid, q->args[2], bytes, _IOC_SIZE(cmd));
}

bool kept_call(const struct request *q, struct object *o, int64_t *result)
{
	uint32_t cmd = (uint32_t)q->args[1];
	const struct kept_row *row = find_row(cmd, o->kind);
	struct kept **list = o->kind == KIND_VM ? &o->vm->kept : &o->kept;
	void *bytes;

	if (!row || row->act == REFUSE)
		return false;
	if (row->act == ACCEPT) {
		*result = accept_call(q);
		return true;
	}
	bytes = kept_make(list, row->get, _IOC_SIZE(row->get));
	if (row->act == KEEP)
		*result = target_read(q->pid, q->args[2], bytes, _IOC_SIZE(row->get));
	else
		*result = target_write(q->pid, q->args[2], bytes, _IOC_SIZE(row->get));
	return true;
}

int64_t unknown_call(const struct request *q, const char *on, int err)
{
	uint32_t cmd = (uint32_t)q->args[1];
	const char *name = NULL;
	size_t i;

	for (i = 0; i < NR_ROWS && !name; i++)
		if (rows[i].cmd == cmd)
			name = rows[i].name;
	complain(q->pid, "%s%sioctl 0x%x on %s cannot be answered: %s", name ? name : "",
		 name ? ", " : "", cmd, on, gmem_errno_name(err));
	return -err;
}
