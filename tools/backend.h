/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A back end is something that answers calls: the model (backend-model.c) or a real /dev/kvm
 * (backend-kvm*.c). The runner (trace-run.c) hands it the calls of a trace; it knows nothing of
 * traces, names or demands.
 *
 *	const struct backend *b = &backend_model;
 *	struct backend_error e;
 *	void *ctx;
 *
 *	if (b->open(&ctx, &config, &e) != BACKEND_DONE)
 *		die(e.why);
 *	b->call(ctx, &call, &result, &e);
 *	b->close(ctx);
 *
 * Handles. A call names earlier results by the number of the call that made them, so that every
 * back end has its own descriptors and addresses: see struct linked_call and backend_resolve().
 * Two numbers are the same everywhere: -1 is no descriptor, and GMEM_KVM_FD (3) is /dev/kvm in
 * the first process of a fresh back end, and in those forked from it. Other literal numbers come
 * from people who want a descriptor that is not open (1000) or a wild address; a back end on a
 * real system keeps its own descriptors out of 4 .. 1023 and its own memory away from callers.
 *
 * Tasks. call.task is 0 for the first process. GMEM_FORK is made by call.task, and its child is
 * task call.value from then on (never 0, never used before); the result's value is that number.
 * GMEM_EXIT ends call.task. A task that does not exist makes no calls: the runner sees to that.
 *
 * Results. A back end that is not the model fills in outcome, value, and for the outcomes and
 * verbs that have them out, gpa, exit_size and exit_flags, exactly as gmem.h says; everything
 * else is 0, but for loaded. Failures of the call itself are results (value -EINVAL, GMEM_SIGBUS), never one of
 * the statuses below.
 */
#ifndef BACKEND_H
#define BACKEND_H

#include <stddef.h>
#include <stdint.h>

#include "gmem.h"

enum backend_status {
	BACKEND_DONE,	     /* the result says what was answered */
	BACKEND_UNSUPPORTED, /* this back end, or this machine, cannot be asked that: why says */
	BACKEND_BROKEN,	     /* it should have answered and did not (child died, time is up,
				invariant violated, no memory): why says. Only reset or close next */
};

struct backend_error {
	char why[256]; /* one sentence without a full stop; set unless BACKEND_DONE */
};

struct backend_config {
	const struct gmem_profile *profile; /* the model's; others ignore it */
	struct gmem_machine machine;	    /* what the calls expect; max_fds (never 0) is to be
					       arranged, the rest the runner has compared already */
	unsigned int time_limit_ms;  /* for one call (call) or one batch (run); 0: a default */
	enum gmem_checking checking; /* the model's; others ignore it */
};

/*
 * A call whose handles are not resolved yet. Each *_from is the number of an earlier call of the
 * same list (counted from 0) whose value stands there, or -1: then the number in call stands.
 * With addr_from, call.addr is the offset to that address. Plain memory without pointers: an
 * array of these can be copied into shared memory as it is.
 */
struct linked_call {
	struct gmem_call call;
	int32_t fd_from;
	int32_t memfd_from;
	int32_t addr_from;
	int32_t pad;
};

/* Where a parameter is in a call: gmem_param.offset. All of them have 64 bits. */
static inline uint64_t *call_field(struct gmem_call *c, size_t offset)
{
	return (uint64_t *)(void *)((char *)c + offset);
}

struct backend {
	const char *name; /* "model", "kvm" */

	/*
	 * What this back end can be: the machine it stands for or runs on. BACKEND_DONE, or
	 * BACKEND_UNSUPPORTED where it cannot be used here at all ("no /dev/kvm: ..."; the command
	 * then exits with status 77 and that reason). May be called before open and at any time;
	 * should be quick the second time. max_fds is the most that can be arranged.
	 */
	enum backend_status (*machine)(struct gmem_machine *m, struct backend_error *e);

	/* Makes *ctx, as fresh as after reset. Null in *ctx unless BACKEND_DONE. */
	enum backend_status (*open)(void **ctx, const struct backend_config *config,
				    struct backend_error *e);

	/* Makes one resolved call in the state that the calls before it left. */
	enum backend_status (*call)(void *ctx, const struct gmem_call *call, struct gmem_result *r,
				    struct backend_error *e);

	/*
	 * Makes n calls in order, resolving each against the results of those before it in this
	 * same list, and writes results[0 .. *done - 1]. BACKEND_DONE: *done is n. Otherwise call
	 * number *done is the one that could not be made, and the ones after it were not. The
	 * context must be fresh (after open or reset). Null where there is nothing to gain over
	 * call; the runner then does the same with call.
	 */
	enum backend_status (*run)(void *ctx, const struct linked_call *calls, size_t n,
				   struct gmem_result *results, size_t *done,
				   struct backend_error *e);

	/* Back to how it was after open: one process, nothing but /dev/kvm open, nothing mapped. */
	enum backend_status (*reset)(void *ctx, struct backend_error *e);

	/* Frees everything, after any status. ctx may be null. */
	void (*close)(void *ctx);

	/* Bit n: verb n is always BACKEND_UNSUPPORTED, so there is no use in making such calls up. */
	uint64_t never;
};

extern const struct backend backend_model;
extern const struct backend backend_kvm;

/* Eight bytes that were loaded may look like one: 0xffffffffffffffea is -EINVAL. */
static inline int looks_like_errno(int64_t v)
{
	return v < 0 && v >= -4095;
}

static inline int verb_loads(uint32_t verb)
{
	return verb == GMEM_LOAD || verb == GMEM_PIN_LOAD || verb == GMEM_GUEST_LOAD;
}

/* The result of a load that succeeded. */
static inline void result_load(struct gmem_result *r, uint64_t bytes)
{
	r->outcome = GMEM_VALUE;
	r->value = (int64_t)bytes;
	r->loaded = looks_like_errno(r->value);
}

static inline int result_is_errno(const struct gmem_result *r)
{
	return r->outcome == GMEM_VALUE && looks_like_errno(r->value) && !r->loaded;
}

/* 1 if the call succeeded, i.e. has a value and not an errno. */
static inline int result_succeeded(const struct gmem_result *r)
{
	return r->outcome == GMEM_VALUE && !result_is_errno(r);
}

/* The call to make, given the results of the calls before it. A handle that was not made is -1,
 * or address 0. */
static inline struct gmem_call backend_resolve(const struct linked_call *c,
					       const struct gmem_result *results)
{
	struct gmem_call call = c->call;
	const struct gmem_result *r;

	if (c->fd_from >= 0) {
		r = &results[c->fd_from];
		call.fd = result_succeeded(r) ? r->value : -1;
	}
	if (c->memfd_from >= 0) {
		r = &results[c->memfd_from];
		call.memfd = result_succeeded(r) ? r->value : -1;
	}
	if (c->addr_from >= 0) {
		r = &results[c->addr_from];
		call.addr += result_succeeded(r) ? (uint64_t)r->value : 0;
	}
	return call;
}

#endif
