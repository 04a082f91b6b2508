/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KVM's ioctls of a VM about interrupts: what they refuse, and the state that they give back. No interrupt
 * ever comes of them.
 *
 * Whether two eventfds are one decides about EBUSY and EEXIST, also after one of them was duplicated; so
 * we hold each that is assigned, as KVM does.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/kcmp.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common.h"
#include "run.h"

#define NR_CHIPS 3
#define PIC_PINS 8u
#define IOAPIC_PINS 24u
#define MOST_ROUTES 4096u
#define IRQFD_FLAGS (KVM_IRQFD_FLAG_DEASSIGN | KVM_IRQFD_FLAG_RESAMPLE)

/* An eventfd that is assigned. */
struct wire {
	struct wire *next;
	bool to_guest; /* an irqfd */
	int fd;
	uint32_t gsi;
	struct kvm_ioeventfd io;
};

/* ---- chips ---- */

static uint64_t chip_key(uint32_t id)
{
	return KVM_GET_IRQCHIP ^ (id + 1);
}

static struct kvm_irqchip *chip(struct vm *vm, uint32_t id)
{
	return kept_make(&vm->kept, (uint32_t)chip_key(id), sizeof(struct kvm_irqchip));
}

/* As at power-on. */
static void reset_chips(struct vm *vm)
{
	struct kvm_irqchip *c;
	uint32_t i;

	for (i = 0; i < NR_CHIPS; i++)
		chip(vm, i)->chip_id = i;
	chip(vm, KVM_IRQCHIP_PIC_MASTER)->chip.pic.elcr_mask = 0xf8;
	chip(vm, KVM_IRQCHIP_PIC_SLAVE)->chip.pic.elcr_mask = 0xde;
	c = chip(vm, KVM_IRQCHIP_IOAPIC);
	c->chip.ioapic.base_address = 0xfec00000;
	for (i = 0; i < IOAPIC_PINS; i++)
		c->chip.ioapic.redirtbl[i].fields.mask = 1;
}

/* Once a VM, and before there are vCPUs. */
static int64_t create_irqchip(struct vm *vm)
{
	if (vm->irqchip)
		return -EEXIST;
	if (vm->nr_vcpus)
		return -EINVAL;
	vm->irqchip = IRQCHIP_KERNEL;
	reset_chips(vm);
	return 0;
}

/* The kernel has one errno for both here. */
int64_t irq_split(struct vm *vm, uint64_t pins)
{
	if (pins > MOST_ROUTES)
		return -EINVAL;
	if (vm->irqchip || vm->nr_vcpus)
		return -EEXIST;
	vm->irqchip = IRQCHIP_SPLIT;
	return 0;
}

static int64_t get_or_set_irqchip(const struct request *q, struct vm *vm)
{
	struct kvm_irqchip c;
	bool set = (uint32_t)q->args[1] == (uint32_t)KVM_SET_IRQCHIP;

	if (target_read(q->pid, q->args[2], &c, sizeof(c)))
		return -EFAULT;
	if (vm->irqchip != IRQCHIP_KERNEL)
		return -ENXIO;
	if (c.chip_id >= NR_CHIPS)
		return -EINVAL;
	if (!set)
		return target_write(q->pid, q->args[2], chip(vm, c.chip_id), sizeof(c));
	*chip(vm, c.chip_id) = c;
	return 0;
}

static int64_t create_pit(const struct request *q, struct vm *vm)
{
	struct kvm_pit_config config;
	struct kvm_pit_state2 *pit;
	int i;

	if ((uint32_t)q->args[1] == KVM_CREATE_PIT2 &&
	    target_read(q->pid, q->args[2], &config, sizeof(config)))
		return -EFAULT;
	if (vm->pit)
		return -EEXIST;
	if (vm->irqchip != IRQCHIP_KERNEL)
		return -ENOENT;
	vm->pit = true;
	pit = kept_make(&vm->kept, KVM_GET_PIT2, sizeof(*pit));
	for (i = 0; i < 3; i++) {
		pit->channels[i].count = 0x10000;
		pit->channels[i].mode = 0xff;
		pit->channels[i].gate = i != 2;
	}
	return 0;
}

static int64_t reinject(const struct request *q, const struct vm *vm)
{
	struct kvm_reinject_control a;

	if (target_read(q->pid, q->args[2], &a, sizeof(a)))
		return -EFAULT;
	return vm->pit ? 0 : -ENXIO;
}

/* ---- lines and messages ---- */

static int64_t set_line(const struct request *q, const struct vm *vm)
{
	struct kvm_irq_level level;

	if (target_read(q->pid, q->args[2], &level, sizeof(level)))
		return -EFAULT;
	if (!vm->irqchip)
		return -ENXIO;
	level.status = 1;
	if ((uint32_t)q->args[1] == KVM_IRQ_LINE)
		return 0;
	return target_write(q->pid, q->args[2], &level, sizeof(level));
}

static int64_t signal_msi(const struct request *q, const struct vm *vm)
{
	struct kvm_msi msi;

	if (target_read(q->pid, q->args[2], &msi, sizeof(msi)))
		return -EFAULT;
	if (!vm->irqchip || msi.flags)
		return -EINVAL;
	return vm->vcpus ? 0 : -EPERM; /* nobody is there to get it */
}

static bool route_is_good(const struct vm *vm, const struct kvm_irq_routing_entry *e)
{
	if (e->gsi >= MOST_ROUTES)
		return false;
	switch (e->type) {
	case KVM_IRQ_ROUTING_IRQCHIP:
		return !e->flags && vm->irqchip == IRQCHIP_KERNEL &&
		       e->u.irqchip.irqchip < NR_CHIPS &&
		       e->u.irqchip.pin < (e->u.irqchip.irqchip == KVM_IRQCHIP_IOAPIC ?
						   IOAPIC_PINS :
						   PIC_PINS);
	case KVM_IRQ_ROUTING_MSI:
		return !(e->flags & ~KVM_MSI_VALID_DEVID);
	default:
		return false;
	}
}

/* One interrupt can go to several chips, but to each once, and nowhere else then. */
static bool routes_clash(const struct kvm_irq_routing_entry *a,
			 const struct kvm_irq_routing_entry *b)
{
	return a->gsi == b->gsi &&
	       (a->type != KVM_IRQ_ROUTING_IRQCHIP || b->type != KVM_IRQ_ROUTING_IRQCHIP ||
		a->u.irqchip.irqchip == b->u.irqchip.irqchip);
}

static int64_t check_routes(const struct vm *vm, const struct kvm_irq_routing_entry *e, uint32_t n)
{
	static uint16_t first[MOST_ROUTES], next[MOST_ROUTES];
	uint32_t i, k;

	memset(first, 0, sizeof(first));
	for (i = 0; i < n; i++) {
		if (!route_is_good(vm, &e[i]))
			return -EINVAL;
		for (k = first[e[i].gsi]; k; k = next[k - 1])
			if (routes_clash(&e[i], &e[k - 1]))
				return -EINVAL;
		next[i] = first[e[i].gsi];
		first[e[i].gsi] = (uint16_t)(i + 1);
	}
	return 0;
}

static int64_t set_routing(const struct request *q, const struct vm *vm)
{
	static struct kvm_irq_routing_entry entries[MOST_ROUTES];
	struct kvm_irq_routing head;

	if (target_read(q->pid, q->args[2], &head, sizeof(head)))
		return -EFAULT;
	if (!vm->irqchip || head.nr > MOST_ROUTES || head.flags)
		return -EINVAL;
	if (head.nr &&
	    target_read(q->pid, q->args[2] + sizeof(head), entries, head.nr * sizeof(entries[0])))
		return -EFAULT;
	return check_routes(vm, entries, head.nr);
}

/* ---- eventfds ---- */

/* A descriptor of ours for the program's; -EBADF, or -EINVAL if it is no eventfd. */
static int take_eventfd(const struct request *q, uint32_t number)
{
	int pidfd = (int)syscall(SYS_pidfd_open, target_tgid(q->pid), 0), fd;
	char name[32];

	fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
	close(pidfd);
	if (fd < 0)
		return -EBADF;
	target_link(getpid(), fd, name, sizeof(name));
	if (!strcmp(name, "anon_inode:[eventfd]"))
		return fd;
	close(fd);
	return -EINVAL;
}

static bool is_same(int a, int b)
{
	return !syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, a, b);
}

static void add_wire(struct vm *vm, struct wire w)
{
	struct wire *copy = xcalloc(1, sizeof(*copy));

	*copy = w;
	copy->next = vm->wires;
	vm->wires = copy;
}

static void cut(struct wire **at)
{
	struct wire *w = *at;

	*at = w->next;
	close(w->fd);
	free(w);
}

void irq_end(struct vm *vm)
{
	while (vm->wires)
		cut(&vm->wires);
}

static int64_t assign_irqfd(struct vm *vm, int fd, uint32_t gsi)
{
	struct wire *w;

	for (w = vm->wires; w; w = w->next)
		if (w->to_guest && is_same(w->fd, fd))
			return -EBUSY;
	add_wire(vm, (struct wire){ .to_guest = true, .fd = dup(fd), .gsi = gsi });
	return 0;
}

static int64_t deassign_irqfd(struct vm *vm, int fd, uint32_t gsi)
{
	struct wire **at = &vm->wires;

	while (*at)
		if ((*at)->to_guest && (*at)->gsi == gsi && is_same((*at)->fd, fd))
			cut(at);
		else
			at = &(*at)->next;
	return 0;
}

static int64_t irqfd(const struct request *q, struct vm *vm)
{
	struct kvm_irqfd a;
	int64_t r;
	int fd, other = 0;
	bool deassign;

	if (target_read(q->pid, q->args[2], &a, sizeof(a)))
		return -EFAULT;
	deassign = a.flags & KVM_IRQFD_FLAG_DEASSIGN;
	if ((a.flags & ~IRQFD_FLAGS) || (!deassign && !vm->irqchip))
		return -EINVAL;
	fd = take_eventfd(q, a.fd);
	if (fd < 0)
		return fd;
	if (!deassign && (a.flags & KVM_IRQFD_FLAG_RESAMPLE)) {
		other = take_eventfd(q, a.resamplefd);
		if (other >= 0)
			close(other);
	}
	if (deassign)
		r = deassign_irqfd(vm, fd, a.gsi);
	else
		r = other < 0 ? other : assign_irqfd(vm, fd, a.gsi);
	close(fd);
	return r;
}

static bool matches(const struct kvm_ioeventfd *a)
{
	return a->flags & KVM_IOEVENTFD_FLAG_DATAMATCH;
}

/* Ports, those of s390, or memory. */
static uint32_t bus(const struct kvm_ioeventfd *a)
{
	if (a->flags & KVM_IOEVENTFD_FLAG_PIO)
		return KVM_IOEVENTFD_FLAG_PIO;
	return a->flags & KVM_IOEVENTFD_FLAG_VIRTIO_CCW_NOTIFY;
}

/* Both would be told of the same write. */
static bool collides(const struct kvm_ioeventfd *a, const struct kvm_ioeventfd *b)
{
	if (bus(a) != bus(b) || a->addr != b->addr)
		return false;
	return !a->len || !b->len ||
	       (a->len == b->len && (!matches(a) || !matches(b) || a->datamatch == b->datamatch));
}

static int64_t assign_ioeventfd(struct vm *vm, const struct kvm_ioeventfd *a, int fd)
{
	struct wire *w;

	for (w = vm->wires; w; w = w->next)
		if (!w->to_guest && collides(&w->io, a))
			return -EEXIST;
	add_wire(vm, (struct wire){ .fd = dup(fd), .io = *a });
	return 0;
}

static int64_t deassign_ioeventfd(struct vm *vm, const struct kvm_ioeventfd *a, int fd)
{
	struct wire **at;

	for (at = &vm->wires; *at; at = &(*at)->next) {
		const struct kvm_ioeventfd *b = &(*at)->io;

		if (!(*at)->to_guest && collides(a, b) && a->len == b->len &&
		    matches(a) == matches(b) && is_same((*at)->fd, fd)) {
			cut(at);
			return 0;
		}
	}
	return -ENOENT;
}

static int64_t check_ioeventfd(const struct kvm_ioeventfd *a)
{
	if (a->len > 8 || (a->len & (a->len - 1)) || a->addr + a->len < a->addr)
		return -EINVAL;
	return (a->flags & ~KVM_IOEVENTFD_VALID_FLAG_MASK) || (!a->len && matches(a)) ? -EINVAL : 0;
}

static int64_t ioeventfd(const struct request *q, struct vm *vm)
{
	struct kvm_ioeventfd a;
	bool deassign;
	int64_t r;
	int fd;

	if (target_read(q->pid, q->args[2], &a, sizeof(a)))
		return -EFAULT;
	deassign = a.flags & KVM_IOEVENTFD_FLAG_DEASSIGN;
	r = deassign ? 0 : check_ioeventfd(&a);
	if (r)
		return r;
	fd = take_eventfd(q, (uint32_t)a.fd);
	if (fd < 0)
		return fd;
	r = deassign ? deassign_ioeventfd(vm, &a, fd) : assign_ioeventfd(vm, &a, fd);
	close(fd);
	return r;
}

bool irq_call(const struct request *q, struct object *o, int64_t *result)
{
	struct vm *vm = o->vm;

	switch ((uint32_t)q->args[1]) {
	case KVM_CREATE_IRQCHIP:
		*result = create_irqchip(vm);
		return true;
	case KVM_GET_IRQCHIP:
	case (uint32_t)KVM_SET_IRQCHIP:
		*result = get_or_set_irqchip(q, vm);
		return true;
	case KVM_CREATE_PIT:
	case KVM_CREATE_PIT2:
		*result = create_pit(q, vm);
		return true;
	case KVM_REINJECT_CONTROL:
		*result = reinject(q, vm);
		return true;
	case KVM_IRQ_LINE:
	case KVM_IRQ_LINE_STATUS:
		*result = set_line(q, vm);
		return true;
	case KVM_SIGNAL_MSI:
		*result = signal_msi(q, vm);
		return true;
	case KVM_SET_GSI_ROUTING:
		*result = set_routing(q, vm);
		return true;
	case KVM_IRQFD:
		*result = irqfd(q, vm);
		return true;
	case KVM_IOEVENTFD:
		*result = ioeventfd(q, vm);
		return true;
	default:
		return false;
	}
}
