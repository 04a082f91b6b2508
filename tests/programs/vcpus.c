/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two vCPUs of one VM in two threads: each counts in a guest_memfd, and tells every step to a port of its own;
 * meanwhile the first thread binds and unbinds other files, and a third vCPU never leaves until it
 * is kicked by a signal; then a fourth, by signals that are blocked.
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
	start(&g, 3, CODE + 0x100);
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
	memcpy(ram + 0x100, endless, sizeof(endless));
	IS(bind_file(vm, 0, CODE, PAGE, ram, -2, 0), 0);
	IS(bind_file(vm, 1, DATA, PAGE, m, f, 0), 0);
	for (i = 0; i < 3; i++) {
		start(&guests[i], i, CODE + (i == 2 ? 0x100 : 0));
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
	IS(load(m), STEPS);
	IS(load(m + 8), STEPS);
	return end();
}
