/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the back end for a real /dev/kvm share: backend-kvm.c is the near side (the
 * caller's process), everything else is the far side (the processes that make the calls). The
 * far side allocates no memory with malloc() but for its objects, and never returns.
 */
#ifndef BACKEND_KVM_H
#define BACKEND_KVM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "backend.h"
#include "gmem.h"

#define KVM_MAX_CALLS 131072u /* of one batch */
#define KVM_MAX_TASKS 64u     /* alive in one context */
#define KVM_OWN_FDS 256u      /* descriptors that the far side needs for itself */
#define KVM_CPUID_ENTRIES 256u
#define FAR_MOST_MEMORY (UINT64_C(1) << 30) /* bytes that one call may allocate */

/* What the machine is, found out once. */
struct kvm_facts {
	struct gmem_machine machine;
	unsigned int nr_slots; /* memslots of a VM: ids below this */
	unsigned int gpa_bits; /* guest physical addresses that a vCPU reaches; 0: no vCPU */
	size_t run_size;       /* of the mapping of a vCPU */
	const struct kvm_cpuid2 *cpuid; /* what KVM_SET_CPUID2 is to be given; null: nothing */
};

/* backend-kvm-machine.c */

struct arena;
/* Null, and why in *e, where this back end cannot be used. */
const struct kvm_facts *kvm_machine_facts(struct backend_error *e);
/* Finds addresses that nobody uses; false if there are none. */
bool kvm_machine_arena(struct arena *arena);

struct channel_task {
	uint32_t task;
	pid_t pid;
};

/*
 * The memory that both sides share. Calls next .. posted - 1 are to be made, each by the process
 * of its task; whoever changes something that another may wait for increments turn and wakes.
 */
struct channel {
	uint32_t turn; /* a futex */
	uint32_t next, posted;
	uint32_t status;  /* enum backend_status of call number next; why says why */
	uint32_t leaving; /* the task whose process exits and is to be waited for; 0: none */
	uint32_t tracer;  /* enum tracer_state; a futex of its own */
	int32_t group;	  /* the processes that may look: of an earlier reset there may be more */
	uint32_t nr_tasks;
	struct channel_task tasks[KVM_MAX_TASKS];
	struct backend_error error;
	struct linked_call calls[KVM_MAX_CALLS];
	struct gmem_result results[KVM_MAX_CALLS];
};

void channel_change(struct channel *ch);
/* Waits until turn is no longer what it was; after ms milliseconds (-1: never) it gives up. */
void channel_wait(struct channel *ch, uint32_t turn, int ms);

static inline uint32_t channel_get(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline void channel_set(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* Where the callers' mappings are: never two at one address, and nothing else there. */
struct arena {
	uint64_t start, end;
	uint64_t next; /* the next mapping begins here */
};

struct guest;
struct pin;

/* What a descriptor of the caller's refers to, where the far side has to know more about it. */
struct object {
	unsigned int refs; /* descriptors of this process */
	bool is_vm;
	uint32_t vm_type;
	struct guest *guest; /* the VM's vCPU, made when it is first needed */
	struct pin *pin;
};

struct far_range {
	uint64_t start, end;
};

/* One process of the far side. */
struct far {
	struct channel *ch;
	const struct kvm_facts *facts;
	pid_t near;
	uint32_t task;
	int own_fds; /* the first descriptor of the far side's own; callers' are below */
	unsigned int max_fds;
	unsigned int forks;	 /* made by this process and those it comes from */
	bool signal_next;	 /* GMEM_INJECT_SIGNAL, after 0 pages */
	struct object **objects; /* by descriptor, max_fds of them */
	struct arena arena;
	struct far_range wild[16]; /* callers' mappings outside the arena */
	unsigned int nr_wild;
	int pipe[2]; /* for pins; -1 until needed */
};

typedef enum backend_status far_verb(struct far *f, const struct gmem_call *c,
				     struct gmem_result *r);

/* backend-kvm-far.c: the process */

struct far_setup {
	struct channel *ch;
	const struct kvm_facts *facts;
	struct arena arena;
	unsigned int max_fds;
	pid_t near;
};

/* Makes this process, just forked, the far side's first one. */
void far_main(const struct far_setup *setup) __attribute__((noreturn));
/* The call's result from a system call's. */
enum backend_status far_answer(struct gmem_result *r, long value);
/* BACKEND_UNSUPPORTED or BACKEND_BROKEN, and why. */
enum backend_status far_refuse(struct far *f, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
enum backend_status far_fail(struct far *f, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* While unlimited, descriptors may be opened beyond the caller's limit. */
void far_unlimit(struct far *f, bool unlimited);
/* Makes fd (-1 stays -1) one of the far side's own. */
int far_own_fd(struct far *f, int fd);

/* The kernel refuses to look there before it looks anywhere. */
#define FAR_BAD_POINTER ((void *)-4096L)

/* backend-kvm-calls.c */

/* The descriptor a call means; -1 if it is none of the caller's. */
int far_fd(const struct far *f, int64_t fd);
enum backend_status far_call(struct far *f, const struct gmem_call *c, struct gmem_result *r);

/* backend-kvm-convert.c */

far_verb far_set_attributes2, far_convert, far_enable_cap, far_launch_finish;

/* backend-kvm-objects.c: what is known of descriptors */

/* Null for one of which nothing has to be known, or that is not open. */
struct object *far_object(const struct far *f, int64_t fd);
/* Binds a new descriptor; null if there is no memory. */
struct object *far_object_new(struct far *f, int fd);
void far_object_dup(struct far *f, int from, int to);
void far_object_close(struct far *f, int fd);

/* backend-kvm-memory.c */

far_verb far_mmap, far_munmap, far_mprotect, far_madvise, far_load, far_store;
bool far_can_poison(void);
/* The range is, in part, memory of the far side itself. */
bool far_is_own_memory(struct far *f, uint64_t addr, uint64_t length);
/* Handlers for accesses that fault. */
void far_catch_faults(void);

/* backend-kvm-guest.c */

far_verb far_guest_access, far_pre_fault;
/* The memslot that a call is about to make, or the range it is about to change, is the guest's
 * own; slot -1: no memslot. */
bool far_guest_needs(const struct guest *g, int64_t slot, uint64_t gpa, uint64_t size);
void far_guest_free(struct guest *g);

/* backend-kvm-pin.c */

far_verb far_pin, far_unpin, far_pin_access;

/* backend-kvm-signal.c */

enum tracer_state { TRACER_COMING, TRACER_READY, TRACER_FAILED };
far_verb far_inject;
/*
 * The system call nr, with a signal pending from its very beginning. *made is set to false where
 * that could not be arranged, and then nothing was done.
 */
long far_syscall_with_signal(struct far *f, bool *made, long nr, const long args[4]);

#endif
