/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two vCPUs of one VM in two threads: each counts in a guest_memfd, and tells every step to a port of its own;
 * meanwhile the first thread binds and unbinds other files, and a third vCPU never leaves until it
 * is kicked by a signal; then a fourth, by signals that are blocked. The last ones are not to run at all, but what
 * they were answered is to be seen.
 */
#define _GNU_SOURCE
#include <linux/kvm.h>
#include <pthread.h>

#undef KVM_GET_API_VERSION
#undef KVM_CREATE_VM
#undef KVM_CHECK_EXTENSION
#undef KVM_GET_VCPU_MMAP_SIZE
#undef KVM_CREATE_VCPU
#undef KVM_RUN
#include "program.h"

#define CODE 0x1000
#define DATA 0x10000
#define STEPS 100

/*
 * again: mov al, [bx]; inc ax; mov [bx], al; out dx, al; jmp again
 * bx and dx are the vCPU's own; ds is where the file is
 */
static const uint8_t code[] = { 0x8a, 0x07, 0x40, 0x88, 0x07, 0xee, 0xeb, 0xf8 };
static const uint8_t endless[] = { 0xeb, 0xfe };
/* in al, 0x10; mov [0xf000], al; mov al, [0xf000]; hlt */
static const uint8_t asks[] = { 0xe4, 0x10, 0xa2, 0x00, 0xf0, 0xa0, 0x00, 0xf0, 0xf4 };
#define ENDLESS (CODE + 0x100)
#define ASKS (CODE + 0x200)

static int vm;
static uint8_t *m;

struct guest {
	int fd, n;
	struct kvm_run *run;
	long wrong;
};

static void start(struct guest *g, int n, uint64_t rip)
{
	struct kvm_regs regs = {
		.rip = rip, .rflags = 2, .rbx = (unsigned)n * 8, .rdx = 0x40u + n
	};
	struct kvm_sregs s;

	g->n = n;
	g->fd = ioctl(vm, KVM_CREATE_VCPU, n);
	g->run = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, g->fd, 0);
	g->wrong = ioctl(g->fd, KVM_GET_SREGS, &s) != 0;
	s.cs.base = s.cs.selector = 0;
	s.ds.base = DATA;
	s.ds.selector = DATA >> 4;
	g->wrong += ioctl(g->fd, KVM_SET_SREGS, &s) != 0;
	g->wrong += ioctl(g->fd, KVM_SET_REGS, &regs) != 0;
}

static void *count(void *arg)
{
	struct guest *g = arg;
	int i;

	for (i = 1; i <= STEPS; i++) {
		g->wrong += ioctl(g->fd, KVM_RUN, 0) != 0;
		g->wrong += g->run->exit_reason != KVM_EXIT_IO;
		g->wrong += g->run->io.port != 0x40 + g->n;
		g->wrong += *((uint8_t *)g->run + g->run->io.data_offset) != i;
	}
	return NULL;
}

static void *for_ever(void *arg)
{
	struct guest *g = arg;

	g->wrong = result(ioctl(g->fd, KVM_RUN, 0)) != -EINTR;
	return NULL;
}

static void kick(int sig)
{
	(void)sig;
}

/* Signals that are blocked but for the time in which a guest runs: each ends that, and goes on waiting. */
static void masked(void)
{
	union {
		struct kvm_signal_mask head;
		uint8_t room[sizeof(struct kvm_signal_mask) + 8];
	} mask = { .room = { 0 } };
	struct timespec none = { 0, 0 };
	struct guest g;
	sigset_t set;

	mask.head.len = 8;
	start(&g, 3, ENDLESS);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	IS(ioctl(g.fd, KVM_SET_SIGNAL_MASK, &mask), 0);
	raise(SIGUSR2);
	IS(ioctl(g.fd, KVM_RUN, 0), -EINTR);
	is("as reason", g.run->exit_reason, KVM_EXIT_INTR);
	IS(sigtimedwait(&set, NULL, &none), SIGUSR2);
	ualarm(30000, 0);
	IS(ioctl(g.fd, KVM_RUN, 0), -EINTR);
	IS(sigtimedwait(&set, NULL, &none), SIGALRM);
	mask.head.sigset[(SIGUSR2 - 1) / 8] = 1 << (SIGUSR2 - 1) % 8;
	IS(ioctl(g.fd, KVM_SET_SIGNAL_MASK, &mask), 0);
	raise(SIGUSR2);
	ualarm(30000, 0);
	IS(ioctl(g.fd, KVM_RUN, 0), -EINTR);
	IS(sigtimedwait(&set, NULL, &none), SIGUSR2);
	IS(sigtimedwait(&set, NULL, &none), SIGALRM);
	mask.head.len = 4;
	IS(ioctl(g.fd, KVM_SET_SIGNAL_MASK, &mask), -EINVAL);
	IS(ioctl(g.fd, KVM_SET_SIGNAL_MASK, 8), -EFAULT);
	IS(ioctl(g.fd, KVM_SET_SIGNAL_MASK, NULL), 0);
}

static void stands_at(const struct guest *g, uint64_t rip, uint64_t al)
{
	struct kvm_regs regs;

	IS(ioctl(g->fd, KVM_GET_REGS, &regs), 0);
	is("it stands at", (long)regs.rip, (long)rip);
	is("its al", regs.rax & 0xff, (long)al);
}

/* KVM_RUN that only finishes what the last one has asked. */
static void finish(struct guest *g)
{
	g->run->immediate_exit = 1;
	g->run->exit_reason = 77;
	IS(ioctl(g->fd, KVM_RUN, 0), -EINTR);
	is("a reason that stays", g->run->exit_reason, 77);
	g->run->immediate_exit = 0;
}

/* The same by a signal that waits already. */
static void finish_by_signal(struct guest *g)
{
	union {
		struct kvm_signal_mask head;
		uint8_t room[sizeof(struct kvm_signal_mask) + 8];
	} mask = { .head.len = 8 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	IS(ioctl(g->fd, KVM_SET_SIGNAL_MASK, &mask), 0);
	raise(SIGUSR2);
	IS(ioctl(g->fd, KVM_RUN, 0), -EINTR);
	is("a reason of its own", g->run->exit_reason, KVM_EXIT_INTR);
	IS(sigtimedwait(&set, NULL, &(struct timespec){ 0, 0 }), SIGUSR2);
	IS(ioctl(g->fd, KVM_SET_SIGNAL_MASK, NULL), 0);
}

static void entries(void)
{
	struct kvm_regs at_asks = { .rip = ASKS, .rflags = 2 };
	struct kvm_regs elsewhere = { .rip = ASKS + 5, .rflags = 2 };
	struct guest g;

	start(&g, 4, ASKS);
	finish(&g);
	stands_at(&g, ASKS, 0);
	IS(ioctl(g.fd, KVM_RUN, 0), 0);
	is("a port", g.run->exit_reason, KVM_EXIT_IO);
	*((uint8_t *)g.run + g.run->io.data_offset) = 0x5a;
	finish(&g);
	stands_at(&g, ASKS + 2, 0x5a);
	finish(&g);
	stands_at(&g, ASKS + 2, 0x5a);
	IS(ioctl(g.fd, KVM_RUN, 0), 0);
	is("a store", g.run->exit_reason, KVM_EXIT_MMIO);
	is("of", g.run->mmio.data[0], 0x5a);
	finish_by_signal(&g);
	stands_at(&g, ASKS + 5, 0x5a);
	IS(ioctl(g.fd, KVM_RUN, 0), 0);
	is("a load", g.run->exit_reason, KVM_EXIT_MMIO);
	g.run->mmio.data[0] = 0xa5;
	finish(&g);
	stands_at(&g, ASKS + 8, 0xa5);
	IS(ioctl(g.fd, KVM_RUN, 0), 0);
	is("the end", g.run->exit_reason, KVM_EXIT_HLT);
	IS(ioctl(g.fd, KVM_SET_REGS, &at_asks), 0);
	IS(ioctl(g.fd, KVM_RUN, 0), 0);
	IS(ioctl(g.fd, KVM_SET_REGS, &elsewhere), 0);
	finish(&g);
	/* by the way in which the processor asked, the instruction is finished or forgotten */
	IS(ioctl(g.fd, KVM_GET_REGS, &elsewhere), 0);
	is("no other has run", elsewhere.rip == ASKS + 2 || elsewhere.rip == ASKS + 5, 1);
}

/* The flag is looked at when the guest is entered, and not later. */
static void while_it_runs(void)
{
	struct guest g;
	pthread_t thread;

	start(&g, 5, ENDLESS);
	pthread_create(&thread, NULL, for_ever, &g);
	usleep(20000);
	g.run->exit_reason = 77;
	g.run->immediate_exit = 1;
	usleep(20000);
	is("while it runs the reason", g.run->exit_reason, 77);
	pthread_kill(thread, SIGUSR1);
	pthread_join(thread, NULL);
	is("a signal", g.run->exit_reason, KVM_EXIT_INTR);
	is("what went wrong", g.wrong, 0);
}

/* Where no memory is there can be data, but no code. */
static void nowhere(void)
{
	struct guest g;

	start(&g, 6, 0x8000);
	IS(ioctl(g.fd, KVM_RUN, 0), 0);
	is("no code", g.run->exit_reason, KVM_EXIT_INTERNAL_ERROR);
	is("why", g.run->internal.suberror, KVM_INTERNAL_ERROR_EMULATION);
	stands_at(&g, 0x8000, 0);
}

int main(void)
{
	struct sigaction a = { .sa_handler = kick };
	struct guest guests[3];
	pthread_t threads[3];
	uint8_t *ram;
	int f, i;

	sigaction(SIGUSR1, &a, NULL);
	vm = new_vm();
	f = new_file(vm, PAGE, FLAG_MMAP | FLAG_INIT_SHARED);
	m = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);
	ram = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	memcpy(ram, code, sizeof(code));
	memcpy(ram + ENDLESS - CODE, endless, sizeof(endless));
	memcpy(ram + ASKS - CODE, asks, sizeof(asks));
	IS(bind_file(vm, 0, CODE, PAGE, ram, -2, 0), 0);
	IS(bind_file(vm, 1, DATA, PAGE, m, f, 0), 0);
	for (i = 0; i < 3; i++) {
		start(&guests[i], i, i == 2 ? ENDLESS : CODE);
		is("what went wrong at its start", guests[i].wrong, 0);
		pthread_create(&threads[i], NULL, i == 2 ? for_ever : count, &guests[i]);
	}
	for (i = 0; i < 20; i++) {
		int other = new_file(vm, PAGE, 0);

		is("bind", bind_file(vm, 9, 0x900000, PAGE, NULL, other, 0), 0);
		is("unbind", bind_file(vm, 9, 0, 0, NULL, -2, 0), 0);
		close(other);
	}
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	usleep(20000);
	/* it runs on without its descriptor */
	IS(close(guests[2].fd), 0);
	pthread_kill(threads[2], SIGUSR1);
	pthread_join(threads[2], NULL);
	for (i = 0; i < 3; i++)
		is("what went wrong", guests[i].wrong, 0);
	masked();
	entries();
	while_it_runs();
	nowhere();
	IS(load(m), STEPS);
	IS(load(m + 8), STEPS);
	return end();
}
