/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KVM_RUN: interprets real-mode code, or makes the one access of a script, and leaves as KVM does.
 *
 * Whose a byte of the guest is the memslot says. An ordinary one has the program's memory, which
 * is reached through /proc; of one with a guest_memfd the model is asked, which decides between the two,
 * and says MMIO and MEMORY_FAULT.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "run-vcpu.h"

#define SLICE 200 /* instructions, before others have a turn */
#define LOOK 50	  /* slices, before we look for signals again */
#define EXIT_MEMORY_FAULT 39
#define CR0_PE 1u
#define NEVER_BLOCKED (1ull << (SIGKILL - 1) | 1ull << (SIGSTOP - 1))

static struct vcpu *running;

static struct kvm_run *page_of(const struct vcpu *v)
{
	return (struct kvm_run *)(void *)v->object->page;
}

static void leave(struct vcpu *v, uint32_t reason, int64_t result)
{
	page_of(v)->exit_reason = reason;
	v->result = result;
}

static void leave_mmio(struct vcpu *v, uint64_t gpa, unsigned int size, bool write, uint64_t value)
{
	struct kvm_run *run = page_of(v);

	memset(&run->mmio, 0, sizeof(run->mmio));
	run->mmio.phys_addr = gpa;
	run->mmio.len = size;
	run->mmio.is_write = write;
	if (write)
		memcpy(run->mmio.data, &value, size);
	v->asked_memory = true;
	v->asked_addr = gpa;
	leave(v, KVM_EXIT_MMIO, 0);
}

static void leave_memory_fault(struct vcpu *v, const struct gmem_result *r)
{
	uint64_t fault[3] = { r->exit_flags, r->gpa, r->exit_size };

	memcpy(&page_of(v)->hw, fault, sizeof(fault));
	leave(v, EXIT_MEMORY_FAULT, r->value);
}

static void internal_error(struct vcpu *v, const char *why)
{
	struct kvm_run *run = page_of(v);

	memset(&run->internal, 0, sizeof(run->internal));
	run->internal.suberror = KVM_INTERNAL_ERROR_EMULATION;
	complain(v->q.pid, "KVM_RUN: %s; KVM_EXIT_INTERNAL_ERROR", why);
	leave(v, KVM_EXIT_INTERNAL_ERROR, 0);
}

/* ---- memory ---- */

/* 0, or -EFAULT */
static int program_memory(struct vcpu *v, const struct slot *s, uint64_t gpa, unsigned int size,
			  bool write, uint64_t *value)
{
	uint64_t addr = s->addr + (gpa - s->gpa);

	if (write)
		dirty_mark(s, gpa);
	return write ? target_write(v->q.pid, addr, value, size) :
		       target_read(v->q.pid, addr, value, size);
}

static int left_by_result(struct vcpu *v, const struct gmem_call *c, const struct gmem_result *r)
{
	switch (r->outcome) {
	case GMEM_MEMORY_FAULT:
		leave_memory_fault(v, r);
		break;
	case GMEM_MMIO:
		if (v->p.fetching)
			internal_error(v, "no memory to fetch an instruction from");
		else
			leave_mmio(v, c->gpa, (unsigned int)c->size, c->verb == GMEM_GUEST_STORE,
				   c->value);
		break;
	default:
		leave(v, KVM_EXIT_UNKNOWN, r->outcome == GMEM_VALUE ? r->value : -EFAULT);
	}
	return 0;
}

/* 1, or 0 if the guest has left. The access is inside one page. */
static int guest_memory(struct vcpu *v, uint64_t gpa, unsigned int size, bool write,
			uint64_t *value, uint64_t access)
{
	const struct slot *s = vm_slot_at(v->object->vm, gpa);
	struct mount_on on = { .vm = v->object->vm->node };
	struct gmem_call *c = &on.m.call;
	const struct gmem_result *r = &on.m.result;
	int err;

	if (s && !(s->flags & (GMEM_MEM_GUEST_MEMFD | GMEM_MEM_READONLY))) {
		err = program_memory(v, s, gpa, size, write, value);
		if (err)
			leave(v, KVM_EXIT_UNKNOWN, err);
		return !err;
	}
	*c = (struct gmem_call){ .verb = write ? GMEM_GUEST_STORE : GMEM_GUEST_LOAD,
				 .gpa = gpa,
				 .size = size,
				 .value = *value,
				 .access = access };
	err = mount_on(&on);
	if (err) {
		leave(v, KVM_EXIT_UNKNOWN, err);
		return 0;
	}
	if (s && r->outcome == GMEM_VALUE && r->value == -EFAULT && !r->loaded &&
	    !program_memory(v, s, gpa, size, write, value))
		return 1;
	if (r->outcome == GMEM_UNSPECIFIED ||
	    (r->outcome == GMEM_VALUE && (r->value >= 0 || r->value < -4095 || r->loaded))) {
		if (!write)
			*value = (uint64_t)r->value;
		return 1;
	}
	return left_by_result(v, c, r);
}

/* What the program has answered, if that was the question. */
static int answered_memory(struct vcpu *v, uint64_t gpa, unsigned int size, bool write,
			   uint16_t *value)
{
	if (!v->answered || !v->asked_memory || v->asked_addr != gpa)
		return 0;
	v->asked_memory = false;
	if (!write)
		memcpy(value, page_of(v)->mmio.data, size);
	return 1;
}

static int processor_memory(void *arg, uint64_t gpa, unsigned int size, bool write, uint16_t *value)
{
	struct vcpu *v = arg;
	uint64_t part = *value;
	uint16_t high;

	if (answered_memory(v, gpa, size, write, value))
		return 1;
	if (size == 2 && gpa % GMEM_PAGE_SIZE == GMEM_PAGE_SIZE - 1) {
		high = *value >> 8;
		if (!processor_memory(arg, gpa, 1, write, value) ||
		    !processor_memory(arg, gpa + 1, 1, write, &high))
			return 0;
		*value = (uint16_t)((*value & 0xff) | high << 8);
		return 1;
	}
	if (!write)
		part = 0;
	if (!guest_memory(v, gpa, size, write, &part, 0))
		return 0;
	*value = (uint16_t)part;
	return 1;
}

static int processor_port(void *arg, uint16_t port, unsigned int size, bool write, uint16_t *value)
{
	struct vcpu *v = arg;
	struct kvm_run *run = page_of(v);
	uint8_t *data = v->object->page + GMEM_PAGE_SIZE;

	if (v->answered && v->asked_port) {
		v->asked_port = false;
		if (!write)
			memcpy(value, data, size);
		return 1;
	}
	memset(&run->io, 0, sizeof(run->io));
	run->io.direction = write ? KVM_EXIT_IO_OUT : KVM_EXIT_IO_IN;
	run->io.size = (uint8_t)size;
	run->io.port = port;
	run->io.count = 1;
	run->io.data_offset = GMEM_PAGE_SIZE;
	if (write)
		memcpy(data, value, size);
	v->asked_port = true;
	leave(v, KVM_EXIT_IO, 0);
	return 0;
}

/* ---- running ---- */

static void unknown_instruction(struct vcpu *v)
{
	char why[128];
	unsigned int i;
	int n = snprintf(why, sizeof(why), "no instruction that is known here at 0x%llx:0x%llx:",
			 (unsigned long long)v->p.sregs->cs.selector,
			 (unsigned long long)v->p.regs->rip);

	for (i = 0; i < v->p.nr_bytes; i++)
		n += snprintf(why + n, sizeof(why) - (size_t)n, " %02x", v->p.bytes[i]);
	internal_error(v, why);
}

/* 0 if it would go on after that many. */
static int run_steps(struct vcpu *v, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		switch (real_mode_step(&v->p)) {
		case RAN:
			v->answered = v->asked_memory = v->asked_port = false;
			break;
		case RAN_HLT:
			leave(v, KVM_EXIT_HLT, 0);
			return 1;
		case RAN_LEFT:
			v->asked_rip = v->p.regs->rip;
			return 1;
		default:
			unknown_instruction(v);
			return 1;
		}
	}
	return 0;
}

static bool is_aligned_access(const struct guest_script *s)
{
	return (s->size == 1 || s->size == 2 || s->size == 4 || s->size == 8) &&
	       s->gpa % GMEM_PAGE_SIZE <= GMEM_PAGE_SIZE - s->size;
}

static void run_script(struct vcpu *v, struct guest_script *s)
{
	uint64_t value = s->value;
	int made = is_aligned_access(s) &&
		   guest_memory(v, s->gpa, s->size, s->write, &value, s->access);

	/* no instruction waits for its answer */
	v->asked_memory = false;
	if (late_is())
		return;
	memset(v->object->page + GUEST_SCRIPT, 0, sizeof(s->magic));
	if (!is_aligned_access(s))
		internal_error(v, "the script's access is not of 1, 2, 4 or 8 bytes in one page");
	if (!made)
		return;
	memcpy(v->object->page + GUEST_SCRIPT + offsetof(struct guest_script, value), &value,
	       sizeof(value));
	leave(v, KVM_EXIT_HLT, 0);
}

static bool in_real_mode(const struct vcpu *v)
{
	return !(v->p.sregs->cr0 & CR0_PE);
}

/*
 * The instruction that has asked, with its answer: it happens even if the guest is not to run. If it was moved
 * meanwhile it is another one, which waits until the guest runs. True if the guest has left again.
 */
static bool finish_answered(struct vcpu *v)
{
	v->answered = (v->asked_memory || v->asked_port) && v->p.regs->rip == v->asked_rip;
	v->asked_memory &= v->answered;
	v->asked_port &= v->answered;
	return v->answered && in_real_mode(v) && run_steps(v, 1);
}

static int64_t start_code(struct vcpu *v)
{
	if (!in_real_mode(v)) {
		internal_error(v,
			       "only real mode is interpreted here, and this vCPU is in another");
		return v->result;
	}
	if (run_steps(v, SLICE))
		return v->result;
	v->next = running;
	running = v;
	return ANSWER_LATER;
}

/* Without a structure the thread's own mask holds again. */
int64_t guest_signal_mask(const struct request *q, struct vcpu *v)
{
	struct kvm_signal_mask head;
	uint64_t mask;

	if (!q->args[2]) {
		v->has_mask = false;
		return 0;
	}
	if (target_read(q->pid, q->args[2], &head, sizeof(head)))
		return -EFAULT;
	if (head.len != sizeof(mask))
		return -EINVAL;
	if (target_read(q->pid, q->args[2] + sizeof(head), &mask, sizeof(mask)))
		return -EFAULT;
	v->has_mask = true;
	v->mask = mask & ~NEVER_BLOCKED;
	return 0;
}

static bool has_signal(const struct vcpu *v)
{
	return target_has_signal(v->q.pid, v->has_mask ? &v->mask : NULL);
}

int64_t guest_run(const struct request *q, struct object *o)
{
	struct vcpu *v = o->vcpu, *r;
	struct guest_script script;

	for (r = running; r; r = r->next)
		if (r == v)
			return -EINTR; /* two threads run it: the kernel would let one wait */
	memcpy(&script, o->page + GUEST_SCRIPT, sizeof(script));
	v->q = *q;
	v->p.memory = processor_memory;
	v->p.port = processor_port;
	v->p.arg = v;
	if (finish_answered(v))
		return v->result;
	if (page_of(v)->immediate_exit)
		return -EINTR;
	/* one that the thread's own mask lets through is there before the call */
	if (v->has_mask && has_signal(v)) {
		page_of(v)->exit_reason = KVM_EXIT_INTR;
		return -EINTR;
	}
	if (script.magic == GUEST_MAGIC) {
		run_script(v, &script);
		return v->result;
	}
	return start_code(v);
}

/* 1 if it is over. */
static int go_on(struct vcpu *v)
{
	bool look = ++v->slices % LOOK == 0;

	if (look && !still_waits(&v->q))
		return 1;
	if (look && has_signal(v))
		leave(v, KVM_EXIT_INTR, -EINTR);
	else if (!run_steps(v, SLICE))
		return 0;
	answer(&v->q, v->result);
	return 1;
}

bool guests_go_on(void)
{
	struct vcpu **at = &running;

	while (*at)
		if (go_on(*at))
			*at = (*at)->next;
		else
			at = &(*at)->next;
	return running != NULL;
}

void vcpu_stop(const struct vcpu *v)
{
	struct vcpu **at;

	for (at = &running; *at && *at != v; at = &(*at)->next)
		;
	if (*at)
		*at = v->next;
}
