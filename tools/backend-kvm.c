/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A real /dev/kvm as a back end: every call is the system call it is named after. See backend.h.
 *
 * The near side. Calls are made by other processes, the far side, so that a crash, a hang or a
 * leak there costs one context and not the caller. Both sides share a channel of memory: a list
 * of calls, a list of results, and whose turn it is. A fresh context is a fresh process, and
 * every task that a trace forks is one more; they all are children of this one, in a process
 * group of their own. Dead ones are waited for here, and all of them die when this one does.
 *
 * What the far side needs for itself is kept out of the caller's way:
 *  - descriptors: from 1024 up, or above the caller's limit if that is higher. 0 and 1 are
 *    /dev/null, 2 is the caller's, 3 is /dev/kvm;
 *  - addresses: the caller's mappings are in an arena, each at an address never used before.
 *    Calls on memory that is the far side's own are BACKEND_UNSUPPORTED;
 *  - memslots: a VM that is to load or store gets a vCPU, one of the memslots from 32740 up and
 *    152 KiB of guest physical addresses from 2^46 (less where a vCPU reaches less), see
 *    backend-kvm-guest.c. A trace that wants those itself is BACKEND_UNSUPPORTED.
 *
 * Unsupported as well, as nothing but the kernel itself can arrange it: injected failures and
 * signals in the middle of a call, GMEM_POPULATE, guests of SEV, SNP and TDX.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "backend-kvm.h"

#define DEFAULT_LIMIT_MS 30000
#define DYING_LIMIT_MS 5000
#define LOOK_AFTER_MS 20 /* for processes that died, while nothing happens */
#define MAX_DYING 32

struct kvm {
	struct far_setup setup;
	unsigned int limit_ms;
	pid_t group;		/* the processes of this context; 0: none */
	bool lost;		/* until reset */
	bool late;		/* lost to the time limit */
	pid_t dying[MAX_DYING]; /* groups that were killed */
	unsigned int nr_dying;
};

static enum backend_status say(struct backend_error *e, enum backend_status status,
			       const char *format, ...) __attribute__((format(printf, 3, 4)));

static enum backend_status say(struct backend_error *e, enum backend_status status,
			       const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(e->why, sizeof(e->why), format, args);
	va_end(args);
	return status;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 50000 }, NULL);
}

/* Waits for a killed group, up to ms milliseconds; true if there is nobody left. */
static bool group_is_gone(pid_t group, int ms)
{
	int64_t end = now_ms() + ms;
	pid_t pid;

	for (;;) {
		pid = waitpid(-group, NULL, WNOHANG);
		if (pid < 0 && errno != EINTR)
			return true;
		if (pid > 0)
			continue;
		if (now_ms() >= end)
			return false;
		nap();
	}
}

/* Waits for the first n of the killed groups, up to ms milliseconds each. */
static void forget_the_dead(struct kvm *k, unsigned int n, int ms)
{
	unsigned int i, left = 0;

	for (i = 0; i < k->nr_dying; i++)
		if (!group_is_gone(k->dying[i], i < n ? ms : 0))
			k->dying[left++] = k->dying[i];
	k->nr_dying = left;
}

/*
 * Ends the context's processes. It takes the kernel milliseconds to tear a VM down, most of them
 * spent in waiting, so that is not waited for unless there is something wrong.
 */
static void end_group(struct kvm *k)
{
	if (!k->group)
		return;
	kill(-k->group, SIGKILL);
	forget_the_dead(k, k->nr_dying == MAX_DYING, DYING_LIMIT_MS);
	if (k->nr_dying < MAX_DYING)
		k->dying[k->nr_dying++] = k->group;
	if (k->lost)
		forget_the_dead(k, k->nr_dying, DYING_LIMIT_MS);
	k->group = 0;
}

static enum backend_status kvm_reset(void *ctx, struct backend_error *e)
{
	struct kvm *k = ctx;
	struct channel *ch = k->setup.ch;
	pid_t pid;

	end_group(k);
	k->lost = true;
	k->late = false;
	ch->next = ch->posted = ch->leaving = 0;
	ch->status = BACKEND_DONE;
	k->setup.near = getpid();
	pid = fork();
	if (!pid)
		far_main(&k->setup);
	if (pid < 0)
		return say(e, BACKEND_BROKEN, "no process to make calls: %s", strerror(errno));
	setpgid(pid, pid);
	k->group = pid;
	k->lost = false;
	ch->tasks[0] = (struct channel_task){ .task = 0, .pid = pid };
	ch->nr_tasks = 1;
	__atomic_store_n(&ch->group, pid, __ATOMIC_RELEASE);
	return BACKEND_DONE;
}

static void kvm_close(void *ctx)
{
	struct kvm *k = ctx;

	if (!k)
		return;
	k->lost = true;
	end_group(k);
	if (k->setup.ch)
		munmap(k->setup.ch, sizeof(*k->setup.ch));
	free(k);
}

static enum backend_status kvm_open(void **ctx, const struct backend_config *config,
				    struct backend_error *e)
{
	const struct kvm_facts *facts = kvm_machine_facts(e);
	enum backend_status status;
	struct channel *ch;
	struct kvm *k;

	*ctx = NULL;
	if (!facts)
		return BACKEND_UNSUPPORTED;
	if (config->machine.max_fds > facts->machine.max_fds)
		return say(e, BACKEND_UNSUPPORTED,
			   "this process may have %u descriptors, and the calls need %u",
			   facts->machine.max_fds, config->machine.max_fds);
	k = calloc(1, sizeof(*k));
	if (!k)
		return say(e, BACKEND_BROKEN, "no memory");
	k->limit_ms = config->time_limit_ms ? config->time_limit_ms : DEFAULT_LIMIT_MS;
	ch = mmap(NULL, sizeof(*ch), PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	k->setup = (struct far_setup){ .facts = facts, .max_fds = config->machine.max_fds };
	if (ch != MAP_FAILED && kvm_machine_arena(&k->setup.arena)) {
		k->setup.ch = ch;
		status = kvm_reset(k, e);
	} else {
		status = say(e, BACKEND_BROKEN, "no memory or no addresses for %s",
			     ch == MAP_FAILED ? "a list of calls" : "callers' mappings");
	}
	if (status != BACKEND_DONE)
		kvm_close(k);
	else
		*ctx = k;
	return status;
}

static const char *verb_name(const struct channel *ch)
{
	const struct gmem_verb_info *info = NULL;
	uint32_t next = channel_get(&ch->next);

	if (next < KVM_MAX_CALLS)
		info = gmem_verb_info(ch->calls[next].call.verb);
	return info ? info->name : "?";
}

/* The context is of no use any more, until reset. */
static enum backend_status lose(struct kvm *k, struct backend_error *e, const char *why)
{
	k->lost = true;
	return say(e, BACKEND_BROKEN, "call %u (%s): %s", channel_get(&k->setup.ch->next),
		   verb_name(k->setup.ch), why);
}

/* The kernel function in which the next call's process waits, if it does and may be seen. */
static void find_where(const struct channel *ch, char *where, size_t size)
{
	uint32_t i, next = channel_get(&ch->next);
	char path[40];
	FILE *wchan;

	where[0] = '\0';
	for (i = 0; i < ch->nr_tasks; i++)
		if (ch->tasks[i].task == ch->calls[next].call.task)
			break;
	if (i == ch->nr_tasks)
		return;
	snprintf(path, sizeof(path), "/proc/%d/wchan", (int)ch->tasks[i].pid);
	wchan = fopen(path, "re");
	if (!wchan)
		return;
	if (!fgets(where, (int)size, wchan) || !strcmp(where, "0"))
		where[0] = '\0';
	fclose(wchan);
}

static enum backend_status lose_to_time(struct kvm *k, struct backend_error *e)
{
	char why[160], where[64];

	k->late = true;
	find_where(k->setup.ch, where, sizeof(where));
	snprintf(why, sizeof(why), "not done within %u ms%s%s", k->limit_ms,
		 where[0] ? "; its process waits in " : "", where);
	return lose(k, e, why);
}

/* Has one of the processes ended that should not have? */
static bool somebody_died(struct kvm *k, char *why, size_t size)
{
	int status;
	pid_t pid = waitpid(-k->group, &status, WNOHANG);

	if (pid <= 0)
		return false;
	if (WIFSIGNALED(status))
		snprintf(why, size, "a process that makes calls died of signal %d",
			 WTERMSIG(status));
	else
		snprintf(why, size, "a process that makes calls ended");
	return true;
}

/* The process of task ch->leaving is waited for; then its call is done. */
static bool finish_exit(struct kvm *k, int64_t end)
{
	struct channel *ch = k->setup.ch;
	pid_t pid, r;
	uint32_t i;

	for (i = 0; i < ch->nr_tasks; i++)
		if (ch->tasks[i].task == ch->leaving)
			break;
	if (i == ch->nr_tasks)
		return false;
	pid = ch->tasks[i].pid;
	while (!(r = waitpid(pid, NULL, WNOHANG)) && now_ms() < end)
		nap();
	if (r != pid)
		return false;
	ch->tasks[i] = ch->tasks[--ch->nr_tasks];
	ch->results[ch->next] = (struct gmem_result){ .outcome = GMEM_VALUE };
	channel_set(&ch->leaving, 0);
	channel_set(&ch->next, ch->next + 1);
	channel_change(ch);
	return true;
}

/* Until all calls are made or one cannot be. */
static enum backend_status await(struct kvm *k, struct backend_error *e)
{
	struct channel *ch = k->setup.ch;
	int64_t end = now_ms() + k->limit_ms;
	char why[64];

	for (;;) {
		uint32_t turn = channel_get(&ch->turn);
		enum backend_status status = channel_get(&ch->status);

		if (status != BACKEND_DONE) {
			*e = ch->error;
			k->lost = status == BACKEND_BROKEN;
			return status;
		}
		if (channel_get(&ch->next) == channel_get(&ch->posted))
			return BACKEND_DONE;
		if (now_ms() >= end)
			return lose_to_time(k, e);
		if (channel_get(&ch->leaving)) {
			if (!finish_exit(k, end))
				return lose_to_time(k, e);
			continue;
		}
		channel_wait(ch, turn, LOOK_AFTER_MS);
		if (channel_get(&ch->turn) == turn && somebody_died(k, why, sizeof(why)))
			return lose(k, e, why);
	}
}

/* The order matters: somebody may look at any moment (my_turn() in backend-kvm-far.c). */
static enum backend_status post(struct kvm *k, uint32_t n, struct backend_error *e)
{
	struct channel *ch = k->setup.ch;

	if (k->lost)
		return say(e, BACKEND_BROKEN, "the processes that make calls were lost earlier");
	channel_set(&ch->posted, 0);
	channel_set(&ch->next, 0);
	channel_set(&ch->status, BACKEND_DONE);
	channel_set(&ch->posted, n);
	channel_change(ch);
	return await(k, e);
}

static enum backend_status kvm_call(void *ctx, const struct gmem_call *call, struct gmem_result *r,
				    struct backend_error *e)
{
	struct kvm *k = ctx;
	enum backend_status status;

	k->setup.ch->calls[0] = (struct linked_call){
		.call = *call, .fd_from = -1, .memfd_from = -1, .addr_from = -1
	};
	status = post(k, 1, e);
	if (status == BACKEND_DONE)
		*r = k->setup.ch->results[0];
	return status;
}

/*
 * Whatever is late is tried once more: on a machine with more work than processors, a process may
 * wait for seconds until KVM has changed a memslot (synchronize_srcu()).
 */
static enum backend_status kvm_run(void *ctx, const struct linked_call *calls, size_t n,
				   struct gmem_result *results, size_t *done,
				   struct backend_error *e)
{
	struct kvm *k = ctx;
	struct channel *ch = k->setup.ch;
	enum backend_status status;

	*done = 0;
	if (!n)
		return BACKEND_DONE;
	if (n > KVM_MAX_CALLS)
		return say(e, BACKEND_UNSUPPORTED, "more than %u calls", KVM_MAX_CALLS);
	memcpy(ch->calls, calls, n * sizeof(*calls));
	status = post(k, (uint32_t)n, e);
	if (status == BACKEND_BROKEN && k->late && kvm_reset(k, e) == BACKEND_DONE)
		status = post(k, (uint32_t)n, e);
	*done = status == BACKEND_DONE ? n : channel_get(&ch->next);
	memcpy(results, ch->results, *done * sizeof(*results));
	return status;
}

static enum backend_status kvm_machine(struct gmem_machine *m, struct backend_error *e)
{
	const struct kvm_facts *facts = kvm_machine_facts(e);

	if (!facts)
		return BACKEND_UNSUPPORTED;
	*m = facts->machine;
	return BACKEND_DONE;
}

const struct backend backend_kvm = {
	.name = "kvm",
	.machine = kvm_machine,
	.open = kvm_open,
	.call = kvm_call,
	.run = kvm_run,
	.reset = kvm_reset,
	.close = kvm_close,
	.never = UINT64_C(1) << GMEM_POPULATE,
};
