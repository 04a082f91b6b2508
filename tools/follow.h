/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Follows a program on the real kernel: its calls on KVM and on guest_memfds become a trace, with
 * the kernel's results. gmem record writes it down, gmem compare asks the model the same.
 *
 * ptrace(2) sees every call that a seccomp filter names, in whatever thread or child, static or
 * not, before and after; the kernel answers it as it would have anyway, in the program's own
 * memory. follow.c waits for stops, follow-task.c knows processes, threads, descriptors and
 * mappings, follow-kvm.c, follow-file.c and follow-memory.c turn calls into those of the trace.
 */
#ifndef FOLLOW_H
#define FOLLOW_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "trace.h"

struct followed {
	struct trace t;
	struct gmem_result *results; /* the kernel's, one a call */
	size_t room;
	int status;	      /* of the program, as wait(2) has it */
	unsigned long others; /* calls on KVM that the language has no word for */
	unsigned long unseen; /* calls that the trace could not have; why, the first */
	const char *why;
	bool full;
	bool not_started; /* there is no such program; that has been said */
};

/*
 * Runs the program to its end. 0, or an exit status after saying why not. The program's trace has
 * names and no demands.
 */
int follow_program(char *const *argv, struct followed *f);
void followed_free(struct followed *f);

/* ---- between the files ---- */

enum handle_kind { HANDLE_KVM, HANDLE_VM, HANDLE_VCPU, HANDLE_GMEM };

/* A descriptor of a process. */
struct handle {
	int fd;
	uint8_t kind;
	int32_t from; /* the call that made it; of a vCPU, its VM */
};

/* A mapping, or what is left of it. */
struct area {
	uint64_t start, end;
	int32_t from;	 /* the call that made it; -1: the page of a vCPU */
	uint64_t offset; /* of start, in what that call mapped */
	uint64_t prot;
	int vcpu; /* descriptor */
};

struct process {
	struct process *next;
	pid_t tgid;
	unsigned int threads;
	struct handle *handles;
	size_t nr_handles, room_handles;
	struct area *areas;
	size_t nr_areas, room_areas;
};

#define NO_TASK UINT32_MAX

struct thread {
	struct thread *next;
	pid_t tid;
	struct process *p; /* null: its maker has not said so yet */
	uint32_t task;	   /* in the trace */
	bool in_call;	   /* args are those of a call that is of interest */
	int nr;
	uint64_t args[6];
	uint64_t struct_at[32]; /* the structure that it was given, before the call */
	bool bad_pointer;
	struct handle on, memfd; /* what the call is on, and binds, as it begins; fd -1: none */
	bool late;		 /* the structure could not be looked at before the call */
};

extern struct followed *following;

/* follow-task.c */

struct thread *thread_find(pid_t tid);
struct thread *thread_new(pid_t tid);
/* A child or thread that the other made. */
void thread_made(struct thread *maker, struct thread *t);
void thread_gone(struct thread *t);
/* It has become another program. */
void thread_execs(struct thread *t);
bool threads_left(void);
/* To all that are followed. */
void processes_signal(int sig);

struct handle *handle_find(struct process *p, uint64_t fd);
/* Of a call that begins: what it is on, with fd -1 if that is nothing of ours. */
struct handle handle_now(struct process *p, uint64_t fd);
/* When it ends: false, and that is counted, if another thread has closed it meanwhile. */
bool handle_stays(struct process *p, const struct handle *was);
void handle_add(struct process *p, int fd, enum handle_kind kind, int32_t from);
void handle_drop(struct process *p, int fd);
/* The first mapping in the range; null if there is none. */
struct area *area_find(struct process *p, uint64_t start, uint64_t end);
void area_add(struct process *p, const struct area *a);
/* Takes the range out of all mappings. */
void area_cut(struct process *p, uint64_t start, uint64_t end);

/*
 * Adds a call and its result to the trace; the number of the call, or -1 if it cannot be there. The
 * task is filled in. An errno is -errno, as the kernel's.
 */
int32_t emit(struct thread *t, struct linked_call *l, int64_t value);
int32_t emit_result(struct thread *t, struct linked_call *l, const struct gmem_result *r);
/* A call that cannot be in the trace: why. */
void unseen(const char *why);
struct linked_call blank_call(uint32_t verb);

/* follow-*.c: 1 if the end of the call is to be seen as well; and that end. */

int kvm_begins(struct thread *t);
void kvm_ends(struct thread *t, int64_t value);
int file_begins(struct thread *t);
void file_ends(struct thread *t, int64_t value);
int memory_begins(struct thread *t);
void memory_ends(struct thread *t, int64_t value);
/* A signal for an access: SIGBUS or SIGSEGV. */
void memory_fault(struct thread *t, int sig, uint64_t addr);

#endif
