/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gmem run: what its files share. cmd-run.c reads the command line, run-mount.c has the private
 * mount, run-filter.c starts the program under a seccomp filter, run-loop.c answers what the
 * filter stops, run-target.c reaches into the program, run-object.c knows what its descriptors stand for.
 * Then the calls: run-open.c (with run-proc.c), run-file.c and run-populate.c those of files, run-kvm.c, run-vm.c and run-vcpu.c those of
 * KVM, run-irq.c, run-dirty.c, run-state.c and run-msr.c parts of them, run-kept.c those that are only remembered,
 * run-guest.c and real-mode.c KVM_RUN.
 *
 * There is one thread that does all this. It never waits for the program, only for gmemfs, which
 * waits for neither; for memory of the program that is late others wait (run-late.c).
 *
 * Functions that return int64_t return what the call of the program returns, a negated errno, or
 * one of ANSWER_*.
 */
#ifndef RUN_H
#define RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "gmem.h"
#include "mount-abi.h"
#include "target.h"

#define ANSWER_CONTINUE (INT64_MIN)  /* the kernel makes the call */
#define ANSWER_SENT (INT64_MIN + 1)  /* it has been answered */
#define ANSWER_LATER (INT64_MIN + 2) /* a guest runs, and has not left yet */

/* A call of the program that waits for its answer. */
struct request {
	uint64_t id;
	pid_t pid; /* the thread that made it */
	int nr;
	uint64_t args[6];
};

enum kind { KIND_KVM = 1, KIND_VM = 2, KIND_VCPU = 4, KIND_GMEM = 8, KIND_OTHER = 16 };

/* What GET ioctls give back as SET ioctls left it. */
struct kept {
	struct kept *next;
	uint32_t key;
	uint32_t size;
	uint8_t bytes[];
};

#define VCPU_PAGES 3u	  /* kvm_run, what goes through ports, the coalesced ring */
#define MOST_SLOTS 32764u /* of an address space */

struct slot {
	uint64_t gpa, size, addr;
	uint32_t id, flags;
	uint64_t *dirty; /* pages that the guest has written, if that is logged */
};

enum irqchip { IRQCHIP_NONE, IRQCHIP_KERNEL, IRQCHIP_SPLIT };
#define MOST_VCPUS 4096u /* numbers of vCPUs */

struct vm {
	uint64_t node;	    /* its number in the mount */
	unsigned int users; /* descriptors: its own, and those of vCPUs */
	pid_t pid, tgid;    /* who made it */
	struct kept *kept;
	struct slot *slots; /* what KVM was told */
	size_t nr_slots, room_slots;
	enum irqchip irqchip;
	bool pit;
	unsigned int nr_vcpus;	       /* that there ever were */
	uint8_t taken[MOST_VCPUS / 8]; /* a bit for each vCPU that there was */
	uint32_t max_vcpu_id;	       /* that KVM_CAP_MAX_VCPU_ID has set; 0 if it is open */
	uint32_t boot_cpu;
	int64_t clock; /* what KVM_SET_CLOCK has added to ours */
	struct wire *wires;
	struct object *vcpus;
};

struct object {
	struct object *next; /* of all */
	enum kind kind;
	uint64_t ino;
	int watch;
	unsigned int opens;
	struct vm *vm; /* of a VM or vCPU */
	/* of a vCPU */
	struct object *next_vcpu;
	uint32_t id;
	uint8_t *page; /* kvm_run, and a page for PIO */
	struct kept *kept;
	struct vcpu *vcpu;
};

struct session {
	const char *profile, *trace;
	uint64_t memory; /* that guest_memfds may hold; 0: half of the machine's */
	char *const *argv;
	int top, mount; /* where the mount begins: as a place, and open */
	dev_t mount_dev, memfd_dev;
	pid_t guard; /* our parent, which waits and passes signals on */
	pid_t daemon, program;
	int status; /* of the program, as wait(2) has it */
	bool program_ended;
	int listener, inotify, signals;
	int exec_failed[2]; /* a pipe: why the program could not be started */
	int kvm;	    /* the memfd that /dev/kvm is where the machine has none */
	struct object *objects;
	bool lacks_kvm; /* the machine has none that programs could open */
};
extern struct session session;

/* ---- run-mount.c ---- */

/* Starts gmemfs; 0, or the exit status after saying why not. */
int mount_begin(void);
void mount_end(void);
/* Makes a call of the model: fills in on->m.result. 0 or a negated errno, which is gmemfs' own. */
int mount_on(struct mount_on *on);
/* The same where the result is a value, or a negated errno. */
int64_t mount_value(struct mount_on *on);
/* An open file for the guest_memfd number fd of the VM, without a name; or a negated errno. */
int mount_open_file(const struct vm *vm, int64_t fd);
void mount_remove_vm(uint64_t node);
/* Waits until the mount knows that the file was closed. */
void mount_wait_closed(uint64_t node);
/* Writes the trace of all that was asked to a descriptor, or -1, and closes it; 0 and a message if that fails. */
int mount_write_trace(int to);

/* ---- run-filter.c ---- */

/* Starts the program; 0, or the exit status after saying why not. */
int filter_begin(void);

/* ---- run-loop.c ---- */

/* Answers until nobody of the program is left. */
void loop(void);
/* Answers the call; nothing for ANSWER_SENT and ANSWER_LATER. */
void answer(const struct request *q, int64_t result);
/* Installs the descriptor in the program as the call's result. ANSWER_SENT, or a negated errno. */
int64_t answer_fd(const struct request *q, int fd, bool cloexec);
/* 1 if the call still waits; 0 if its thread is gone. */
int still_waits(const struct request *q);
/* "gmem run: NAME (pid): ..." on standard error. */
void complain(pid_t pid, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- run-late.c ---- */

/* From now on memory of the program may be late; 0 if that cannot be. */
int late_begin(void);
/* A descriptor that is ready when there is something to go on with; -1. */
int late_news(void);
/* True if it was late in the call that is being answered: nothing is to come of that. */
bool late_is(void);
/* Then the call is begun again later. */
bool late_puts_aside(const struct request *q);
void late_go_on(void (*again)(const struct request *q));

/* ---- run-target.c ---- */

/* 1 if both have the same memory. */
int target_same_memory(pid_t a, pid_t tgid_of_a, pid_t b);
/* 1 if a signal waits for the thread that is not among those; null: that it does not block. */
int target_has_signal(pid_t pid, const uint64_t *blocked);
/* What a descriptor of the program is. */
struct what {
	enum kind kind;
	struct object *object; /* of KVM, a VM or a vCPU */
	uint64_t ino;	       /* of a guest_memfd: its number in the mount */
	bool is_real_kvm;      /* the machine's own */
};
/* 0, or -EBADF. */
int target_what(pid_t pid, uint64_t fd, struct what *w);
/* 1 if the descriptor was opened with O_PATH. */
int target_is_path(pid_t pid, uint64_t fd);

/* ---- run-object.c ---- */

/* Makes what a new descriptor stands for; *fd is for the program, to be closed afterwards. Null: *fd is a
 * negated errno. */
struct object *object_new(enum kind kind, const char *name, size_t size, int *fd);
/* The descriptor could not be handed over, or was closed. */
void object_free(struct object *o);
/* What every /dev/kvm stands for where the machine has none. */
void object_new_kvm(void);
/* A guest_memfd that the program has from now on. */
void object_watch_file(uint64_t ino, int fd);
struct object *object_find(uint64_t ino);
/* Takes note of what was closed since. */
void objects_closed(void);

/* ---- run-kept.c ---- */

void *kept_get(struct kept *list, uint32_t key, uint32_t size);
/* The bytes under that key, zero if they are new. */
void *kept_make(struct kept **list, uint32_t key, uint32_t size);
void kept_free(struct kept *list);
/* An ioctl that is accepted, remembered or given back; false if it is none of these. */
bool kept_call(const struct request *q, struct object *o, int64_t *result);
/* Says which call cannot be answered; the errno, negated. */
int64_t unknown_call(const struct request *q, const char *on, int err);

/* ---- run-irq.c, run-dirty.c ---- */

/* The call's answer; false if it is of another kind. */
bool irq_call(const struct request *q, struct object *o, int64_t *result);
/* A split irqchip with so many pins. */
int64_t irq_split(struct vm *vm, uint64_t pins);
void irq_end(struct vm *vm);
bool dirty_call(const struct request *q, struct object *o, int64_t *result);
/* The log that the flags of the memslot ask for, or none. */
void dirty_begin(struct slot *s);
void dirty_end(struct slot *s);
void dirty_mark(const struct slot *s, uint64_t gpa);

/* ---- run-proc.c ---- */

/* The descriptor that a name in /proc is of, and a thread of whose it is; -1. */
int proc_descriptor(const struct request *q, int dirfd, const char *path, pid_t *pid);

/* ---- run-open.c, run-file.c ---- */

int64_t call_open(const struct request *q);
int64_t call_look(const struct request *q);
int64_t call_readlink(const struct request *q);
int64_t call_file(const struct request *q);

/* ---- run-populate.c ---- */

int64_t call_mlock(const struct request *q);
/* mmap of a guest_memfd with pages. */
int64_t file_populate(const struct request *q);

/* ---- run-kvm.c, run-vm.c, run-vcpu.c ---- */

int64_t call_ioctl(const struct request *q);
int64_t vm_ioctl(const struct request *q, struct object *o);
/* Null if there is none. */
const struct slot *vm_slot_at(const struct vm *vm, uint64_t gpa);
void vm_free(struct vm *vm);
int64_t vcpu_ioctl(const struct request *q, struct object *o);
int64_t vcpu_create(const struct request *q, struct object *vm);
void vcpu_end(struct vcpu *v);
/* KVM_CHECK_EXTENSION, of a VM's node or, with 0, of /dev/kvm: what the model says, else what is plausible. */
int64_t extension(uint64_t vm, uint64_t cap);
/* What KVM_X86_SETUP_MCE may have: MCG_CTL_P and MCG_SER_P. */
#define MCE_CAP 0x1000100ull
/* KVM_GET_SUPPORTED_CPUID and such, KVM_GET_MSR_INDEX_LIST. */
int64_t give_cpuid(const struct request *q, uint32_t cmd);
int64_t give_msr_list(const struct request *q, bool features);

/* ---- run-guest.c ---- */

int64_t guest_run(const struct request *q, struct object *o);
/* Goes on with guests that have not left; false if there are none. */
bool guests_go_on(void);

#endif
