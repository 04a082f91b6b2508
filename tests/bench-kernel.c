/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The model against the real kernel: `make bench` runs it, in under a minute.
 *
 * Both sides hold the same: a VM, a guest_memfd of four pages bound to its memslot 0 and mapped,
 * and another one that is not bound. The model's side is a call of gmem_call() for each operation,
 * the kernel's a raw system call, a volatile access, or for a guest one KVM_RUN, which goes into
 * the guest, makes the access and comes back with an exit. An access of the host to a page that is
 * mapped is one instruction, which no model beats; what the kernel does for such an access is
 * seen where each one faults.
 *
 * Exit status 1 if allocating and punching a page is not LEAST times faster than on the kernel.
 * Without a usable /dev/kvm, the model's side is measured alone and nothing is judged.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/kvm.h>

#include "bench.h"
#include "bench-vcpu.h"
#include "calls.h"

#define PAGE GMEM_PAGE_SIZE
#define FILE_SIZE (4 * PAGE)
#define GPA UINT64_C(0x100000)
#define TOUCHED PAGE /* the offset of the page that is loaded and stored */
#define VCPU_SLOT 2u
#define LEAST 10

/* As headers may be older than guest_memfd. */
struct region2 {
	uint32_t slot, flags;
	uint64_t gpa, size, addr, offset;
	uint32_t memfd, pad1;
	uint64_t pad2[14];
};

struct guest_memfd {
	uint64_t size, flags, reserved[6];
};

#define SET_USER_MEMORY_REGION2 _IOW(KVMIO, 0x49, struct region2)
#define CREATE_GUEST_MEMFD _IOWR(KVMIO, 0xd4, struct guest_memfd)

struct model {
	struct gmem_world *w;
	int64_t vm, bound, unbound;
	uint64_t addr;
};

struct kernel {
	const char *why;     /* it cannot be used */
	const char *no_vcpu; /* a guest cannot be run */
	int err;
	int kvm, vm, bound, unbound;
	volatile uint8_t *addr;
	struct vcpu vcpu;
};

/* ---- The model ---- */

static void model_open(struct model *m)
{
	uint64_t flags = GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED;

	m->w = new_world_of(&(struct gmem_config){ .checking = GMEM_CHECK_NEVER });
	m->vm = bench_must(create_vm(m->w, GMEM_VM_DEFAULT), "create_vm");
	m->bound = bench_must(create_gmem(m->w, m->vm, FILE_SIZE, flags), "create_guest_memfd");
	m->unbound = bench_must(create_gmem(m->w, m->vm, FILE_SIZE, flags), "create_guest_memfd");
	bench_must(bind_slot(m->w, m->vm, 0, GPA, FILE_SIZE, m->bound, 0), "bind");
	m->addr = map(m->w, m->bound, 0, FILE_SIZE);
	bench_must((int64_t)m->addr, "mmap");
}

static void model_pages(struct model *m, int64_t fd, unsigned long n)
{
	while (n--) {
		bench_must(allocate(m->w, fd, 0, PAGE), "allocate");
		bench_must(punch(m->w, fd, 0, PAGE), "punch");
	}
}

static void model_unbound(void *arg, unsigned long n)
{
	struct model *m = arg;

	model_pages(m, m->unbound, n);
}

static void model_bound(void *arg, unsigned long n)
{
	struct model *m = arg;

	model_pages(m, m->bound, n);
}

static void model_create(void *arg, unsigned long n)
{
	struct model *m = arg;

	while (n--)
		bench_must(close_fd(m->w, bench_must(create_gmem(m->w, m->vm, FILE_SIZE, 0),
						     "create_guest_memfd")),
			   "close");
}

static void model_bind(void *arg, unsigned long n)
{
	struct model *m = arg;

	while (n--) {
		bench_must(bind_slot(m->w, m->vm, 1, 2 * GPA, FILE_SIZE, m->unbound, 0), "bind");
		bench_must(call(m->w, .verb = GMEM_SET_USER_MEMORY_REGION2, .fd = m->vm, .slot = 1),
			   "unbind");
	}
}

static void model_load(void *arg, unsigned long n)
{
	struct model *m = arg;

	while (n--)
		bench_must(load(m->w, m->addr + TOUCHED), "load");
}

static void model_store(void *arg, unsigned long n)
{
	struct model *m = arg;

	while (n--)
		bench_must(store(m->w, m->addr + TOUCHED, n & 0xff), "store");
}

static void model_fault(void *arg, unsigned long n)
{
	struct model *m = arg;

	while (n--) {
		bench_must(call(m->w, .verb = GMEM_MADVISE, .addr = m->addr + TOUCHED,
				.length = PAGE, .advice = GMEM_MADV_DONTNEED),
			   "madvise");
		bench_must(store(m->w, m->addr + TOUCHED, n & 0xff), "store");
	}
}

static void must_be_value(struct gmem_result r, const char *what)
{
	bench_must(r.outcome == GMEM_VALUE ? r.value : -1, what);
}

static void model_guest_load(void *arg, unsigned long n)
{
	struct model *m = arg;

	while (n--)
		must_be_value(guest_load(m->w, m->vm, GPA + TOUCHED), "guest_load");
}

static void model_guest_store(void *arg, unsigned long n)
{
	struct model *m = arg;

	while (n--)
		must_be_value(guest_store(m->w, m->vm, GPA + TOUCHED, n & 0xff), "guest_store");
}

static void model_guest_fault(void *arg, unsigned long n)
{
	struct model *m = arg;

	while (n--) {
		bench_must(punch(m->w, m->bound, TOUCHED, PAGE), "punch");
		must_be_value(guest_load(m->w, m->vm, GPA + TOUCHED), "guest_load");
	}
}

/* ---- The kernel ---- */

static int kernel_create_gmem(const struct kernel *k, uint64_t flags)
{
	struct guest_memfd arg = { .size = FILE_SIZE, .flags = flags };

	return ioctl(k->vm, CREATE_GUEST_MEMFD, &arg);
}

/* Binds all of the file; fd -1: deletes the slot. */
static int kernel_set_slot(const struct kernel *k, uint32_t slot, uint64_t gpa, int fd)
{
	struct region2 arg = { .slot = slot,
			       .flags = fd < 0 ? 0 : GMEM_MEM_GUEST_MEMFD,
			       .gpa = gpa,
			       .size = fd < 0 ? 0 : FILE_SIZE,
			       .memfd = fd < 0 ? 0 : (uint32_t)fd };

	return ioctl(k->vm, SET_USER_MEMORY_REGION2, &arg);
}

static bool fails(struct kernel *k, bool failed, const char *why)
{
	if (!failed)
		return false;
	k->why = why;
	k->err = errno;
	return true;
}

static bool kernel_open(struct kernel *k)
{
	uint64_t flags = GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED;
	void *p;

	k->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (fails(k, k->kvm < 0, "no usable /dev/kvm"))
		return false;
	k->vm = ioctl(k->kvm, KVM_CREATE_VM, 0);
	if (fails(k, k->vm < 0, "no VM can be made on /dev/kvm"))
		return false;
	k->bound = kernel_create_gmem(k, flags);
	k->unbound = kernel_create_gmem(k, flags);
	if (fails(k, k->bound < 0 || k->unbound < 0, "/dev/kvm has no guest_memfd to be mapped"))
		return false;
	if (fails(k, kernel_set_slot(k, 0, GPA, k->bound) < 0, "/dev/kvm does not bind"))
		return false;
	p = mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, k->bound, 0);
	if (fails(k, p == MAP_FAILED, "the guest_memfd cannot be mapped"))
		return false;
	k->addr = p;
	k->no_vcpu = bench_vcpu_start(&k->vcpu, k->vm, VCPU_SLOT, GPA + TOUCHED);
	return true;
}

static void kernel_punch(int fd, uint64_t offset)
{
	bench_must(syscall(SYS_fallocate, fd, GMEM_FALLOC_KEEP_SIZE | GMEM_FALLOC_PUNCH_HOLE,
			   offset, PAGE),
		   "kernel's punch");
}

static void kernel_pages(int fd, unsigned long n)
{
	while (n--) {
		bench_must(syscall(SYS_fallocate, fd, GMEM_FALLOC_KEEP_SIZE, UINT64_C(0), PAGE),
			   "kernel's allocate");
		kernel_punch(fd, 0);
	}
}

static void kernel_unbound(void *arg, unsigned long n)
{
	struct kernel *k = arg;

	kernel_pages(k->unbound, n);
}

static void kernel_bound(void *arg, unsigned long n)
{
	struct kernel *k = arg;

	kernel_pages(k->bound, n);
}

static void kernel_create(void *arg, unsigned long n)
{
	struct kernel *k = arg;

	while (n--)
		close((int)bench_must(kernel_create_gmem(k, 0), "kernel's create_guest_memfd"));
}

static void kernel_bind(void *arg, unsigned long n)
{
	struct kernel *k = arg;

	while (n--) {
		bench_must(kernel_set_slot(k, 1, 2 * GPA, k->unbound), "kernel's bind");
		bench_must(kernel_set_slot(k, 1, 0, -1), "kernel's unbind");
	}
}

static void kernel_load(void *arg, unsigned long n)
{
	struct kernel *k = arg;

	while (n--)
		(void)k->addr[TOUCHED];
}

static void kernel_store(void *arg, unsigned long n)
{
	struct kernel *k = arg;

	while (n--)
		k->addr[TOUCHED] = (uint8_t)n;
}

static void kernel_fault(void *arg, unsigned long n)
{
	struct kernel *k = arg;

	while (n--) {
		bench_must(madvise((void *)(uintptr_t)(k->addr + TOUCHED), PAGE, MADV_DONTNEED),
			   "kernel's madvise");
		k->addr[TOUCHED] = (uint8_t)n;
	}
}

static void kernel_guest(struct kernel *k, bool store, unsigned long n)
{
	bench_must(bench_vcpu_choose(&k->vcpu, store), "KVM_SET_REGS");
	while (n--)
		bench_must(bench_vcpu_access(&k->vcpu), "KVM_RUN");
}

static void kernel_guest_load(void *arg, unsigned long n)
{
	kernel_guest(arg, false, n);
}

static void kernel_guest_store(void *arg, unsigned long n)
{
	kernel_guest(arg, true, n);
}

static void kernel_guest_fault(void *arg, unsigned long n)
{
	struct kernel *k = arg;

	bench_must(bench_vcpu_choose(&k->vcpu, false), "KVM_SET_REGS");
	while (n--) {
		kernel_punch(k->bound, TOUCHED);
		bench_must(bench_vcpu_access(&k->vcpu), "KVM_RUN");
	}
}

/* ---- The table ---- */

static const struct operation {
	const char *name;
	bench_fn model, kernel;
	unsigned int least; /* times faster than the kernel; 0: not judged */
	bool guest;
} operations[] = {
	{ "allocate + punch 1 page, not bound", model_unbound, kernel_unbound, LEAST, false },
	{ "allocate + punch 1 page, bound", model_bound, kernel_bound, LEAST, false },
	{ "create + close a guest_memfd", model_create, kernel_create, 0, false },
	{ "bind + unbind a memslot", model_bind, kernel_bind, 0, false },
	{ "host load", model_load, kernel_load, 0, false },
	{ "host store", model_store, kernel_store, 0, false },
	{ "MADV_DONTNEED + host store", model_fault, kernel_fault, 0, false },
	{ "guest load", model_guest_load, kernel_guest_load, 0, true },
	{ "guest store", model_guest_store, kernel_guest_store, 0, true },
	{ "punch + guest load", model_guest_fault, kernel_guest_fault, 0, true },
};

#define NR_OPERATIONS (sizeof(operations) / sizeof(operations[0]))

/* 0 if the operation was too slow. */
static int measure(const struct operation *o, struct model *m, struct kernel *k)
{
	struct bench_figures f;

	if (k->why || (o->guest && k->no_vcpu)) {
		printf("%-36s %10.1f %12s %13s\n", o->name, bench_one(o->model, m), "-", "-");
		return 1;
	}
	f = bench_two(o->model, m, o->kernel, k);
	printf("%-36s %10.1f %12.1f %13.2f\n", o->name, f.a, f.b, f.ratio);
	return f.ratio >= o->least;
}

int main(void)
{
	bool good[NR_OPERATIONS];
	struct kernel k = { 0 };
	struct model m;
	unsigned int i, missed = 0;

	bench_title("The model against the kernel it runs on", BENCH_ROUNDS);
	model_open(&m);
	if (!kernel_open(&k))
		printf("THE KERNEL IS NOT MEASURED: %s: %s\n\n", k.why, strerror(k.err));
	else if (k.no_vcpu)
		printf("The kernel's guests are not measured: no vCPU: %s\n\n", k.no_vcpu);
	printf("%-36s %10s %12s %13s\n", "operation", "model ns", "kernel ns", "kernel/model");
	for (i = 0; i < NR_OPERATIONS; i++)
		good[i] = measure(&operations[i], &m, &k);
	printf("\n");
	for (i = 0; i < NR_OPERATIONS; i++) {
		if (good[i])
			continue;
		printf("MISSED: %s: not %u times faster than the kernel\n", operations[i].name,
		       operations[i].least);
		missed++;
	}
	gmem_world_free(m.w);
	return missed ? 1 : 0;
}
