/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What gmem run costs a program: a call that is stopped and answered, one that is stopped and left to the
 * kernel, one that goes straight to the mount, one that the filter lets pass; beside the same
 * program without it, on the real kernel. `make bench` runs it.
 *
 * The program is this one, with the word "inner": it prints a figure a line.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/kvm.h>

#include "bench.h"
#include "mount-abi.h"

#define PAGE 4096ul
#define SIZE (64 * PAGE)
#define KEEP_SIZE 1
#define PUNCH_HOLE 2
#define MOST_LINES 32

static int kvm, vm, vcpu, file, zero;
static volatile uint8_t *mapping;

static void read_zero(void *arg, unsigned long n)
{
	char byte;

	for (; n; n--)
		bench_must(read(zero, &byte, 1), arg);
}

static void open_null(void *arg, unsigned long n)
{
	for (; n; n--)
		close((int)bench_must(open("/dev/null", O_RDONLY), arg));
}

static void seek_zero(void *arg, unsigned long n)
{
	for (; n; n--)
		bench_must(lseek(zero, 0, SEEK_SET), arg);
}

static void open_kvm(void *arg, unsigned long n)
{
	for (; n; n--)
		close((int)bench_must(open("/dev/kvm", O_RDWR), arg));
}

static void get_regs(void *arg, unsigned long n)
{
	struct kvm_regs regs;

	for (; n; n--)
		bench_must(ioctl(vcpu, KVM_GET_REGS, &regs), arg);
}

static void check_extension(void *arg, unsigned long n)
{
	for (; n; n--)
		bench_must(ioctl(vm, MOUNT_CHECK_EXTENSION, GMEM_CAP_GUEST_MEMFD), arg);
}

static void bind_and_unbind(void *arg, unsigned long n)
{
	struct kvm_region2 a = {
		.flags = GMEM_MEM_GUEST_MEMFD, .gpa = 1 << 20, .size = SIZE, .memfd = (uint32_t)file
	};
	struct kvm_region2 none = { 0 };

	for (; n; n--) {
		bench_must(ioctl(vm, MOUNT_SET_REGION2, &a), arg);
		bench_must(ioctl(vm, MOUNT_SET_REGION2, &none), arg);
	}
}

static int new_file(void *arg)
{
	struct kvm_guest_memfd a = { .size = SIZE,
				     .flags = GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED };

	return (int)bench_must(ioctl(vm, MOUNT_CREATE_GUEST_MEMFD, &a), arg);
}

static void create_and_close(void *arg, unsigned long n)
{
	for (; n; n--)
		close(new_file(arg));
}

static void stat_file(void *arg, unsigned long n)
{
	struct stat st;

	for (; n; n--)
		bench_must(fstat(file, &st), arg);
}

static void allocate_and_punch(void *arg, unsigned long n)
{
	for (; n; n--) {
		bench_must(fallocate(file, KEEP_SIZE, PAGE, PAGE), arg);
		bench_must(fallocate(file, KEEP_SIZE | PUNCH_HOLE, PAGE, PAGE), arg);
	}
}

static void fault_and_punch(void *arg, unsigned long n)
{
	for (; n; n--) {
		mapping[2 * PAGE] = 1;
		bench_must(fallocate(file, KEEP_SIZE | PUNCH_HOLE, 2 * PAGE, PAGE), arg);
	}
}

static void store(void *arg, unsigned long n)
{
	(void)arg;
	for (; n; n--)
		mapping[0] = 1;
}

static const struct {
	const char *name, *how;
	bench_fn f;
} things[] = {
	{ "read", "passes", read_zero },
	{ "open, close", "looked at", open_null },
	{ "lseek", "looked at", seek_zero },
	{ "open, close of /dev/kvm", "answered", open_kvm },
	{ "KVM_GET_REGS", "answered", get_regs },
	{ "KVM_CHECK_EXTENSION", "the model's", check_extension },
	{ "bind, unbind", "the model's, 2", bind_and_unbind },
	{ "create, close guest_memfd", "the model's", create_and_close },
	{ "fstat", "the mount's", stat_file },
	{ "allocate, punch a page", "the mount's, 2", allocate_and_punch },
	{ "fault, punch a page", "the mount's, 2", fault_and_punch },
	{ "store to a mapped page", "passes", store },
};
#define NR_THINGS (sizeof(things) / sizeof(things[0]))

static int inner(void)
{
	size_t i;

	kvm = open("/dev/kvm", O_RDWR);
	if (kvm < 0)
		return 77;
	vm = (int)bench_must(ioctl(kvm, KVM_CREATE_VM, 0), "VM");
	vcpu = (int)bench_must(ioctl(vm, KVM_CREATE_VCPU, 0), "vCPU");
	file = new_file("guest_memfd");
	zero = (int)bench_must(open("/dev/zero", O_RDONLY), "/dev/zero");
	mapping = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	for (i = 0; i < NR_THINGS; i++) {
		printf("%f\n", bench_one(things[i].f, (void *)(uintptr_t)things[i].name));
		fflush(stdout);
	}
	return 0;
}

/* The figures that the command prints; how many. */
static size_t figures(const char *command, double *to)
{
	FILE *f = popen(command, "r");
	size_t n = 0;

	while (f && n < NR_THINGS && fscanf(f, "%lf", &to[n]) == 1)
		n++;
	if (f && pclose(f))
		n = 0;
	return n;
}

int main(int argc, char **argv)
{
	double real[NR_THINGS], run[NR_THINGS];
	char command[512];
	size_t i, has_real;

	if (argc > 1)
		return inner();
	snprintf(command, sizeof(command), "%s inner 2>/dev/null", argv[0]);
	has_real = figures(command, real);
	snprintf(command, sizeof(command), "./gmem run %s inner 2>/dev/null", argv[0]);
	if (figures(command, run) < NR_THINGS) {
		puts("gmem run: not measured (it cannot run here)");
		return 0;
	}
	bench_title("gmem run against the real kernel", BENCH_ROUNDS);
	printf("%-28s %-16s %12s %12s %8s\n", "", "", "kernel, ns", "run, ns", "ratio");
	for (i = 0; i < NR_THINGS; i++) {
		printf("%-28s %-16s ", things[i].name, things[i].how);
		if (has_real < NR_THINGS)
			printf("%12s %12.0f\n", "-", run[i]);
		else
			printf("%12.0f %12.0f %8.1f\n", real[i], run[i], run[i] / real[i]);
	}
	return 0;
}
