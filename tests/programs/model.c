/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What only the model can be asked here: guests with private memory, conversions in place, pages
 * that fail. Guest accesses are scripts in the page of kvm_run (see gmem-run(1)). The argument is "private"
 * (any release), "convert" (a design with KVM_SET_MEMORY_ATTRIBUTES2), "instruction" or "full" (of at most 4 MiB).
 */
#define _GNU_SOURCE
#include "program.h"

#define SW_PROTECTED 1
#define PRIVATE 8
#define EXIT_HLT 5
#define EXIT_MMIO 6
#define EXIT_INTERNAL_ERROR 17
#define EXIT_MEMORY_FAULT 39

struct attributes2 {
	uint64_t offset, size, attributes, flags, error_offset, reserved[11];
};
#define SET_ATTRIBUTES2 _IOWR(0xAE, 0xd2, struct attributes2)

/* What gmem-run(1) says. */
#define SCRIPT 3072
struct script {
	uint64_t magic, gpa;
	uint32_t size, write;
	uint64_t value, access;
};

static uint8_t *page; /* kvm_run */
static int vm, vcpu, f;
static uint8_t *m, *ram;

static uint32_t exit_reason(void)
{
	uint32_t reason;

	memcpy(&reason, page + 8, sizeof(reason));
	return reason;
}

/* The value, or the negated errno of KVM_RUN, or -1000 and the exit. */
static long guest(uint64_t gpa, int write, uint64_t value)
{
	struct script s = { .magic = 0x31545349524b4d47,
			    .gpa = gpa,
			    .size = 1,
			    .write = (uint32_t)write,
			    .value = value };

	memcpy(page + SCRIPT, &s, sizeof(s));
	if (ioctl(vcpu, KVM_RUN, 0))
		return errno == EFAULT && exit_reason() == EXIT_MEMORY_FAULT ?
			       -1000 - EXIT_MEMORY_FAULT :
			       -errno;
	if (exit_reason() != EXIT_HLT)
		return -1000 - (long)exit_reason();
	memcpy(&s, page + SCRIPT, sizeof(s));
	return (long)s.value;
}

static uint64_t fault_word(int n)
{
	uint64_t word;

	memcpy(&word, page + 32 + 8 * n, sizeof(word));
	return word;
}

static int set_private(uint64_t gpa, uint64_t size, uint64_t attributes)
{
	struct attributes a = { .gpa = gpa, .size = size, .attributes = attributes };

	return ioctl(vm, SET_ATTRIBUTES, &a);
}

static int convert(uint64_t offset, uint64_t attributes)
{
	struct attributes2 a = { .offset = offset, .size = PAGE, .attributes = attributes };

	return ioctl(f, SET_ATTRIBUTES2, &a);
}

static void begin(uint64_t flags)
{
	int kvm = open_kvm();

	vm = ioctl(kvm, KVM_CREATE_VM, SW_PROTECTED);
	f = new_file(vm, 4 * PAGE, flags);
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	page = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	ram = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	close(kvm);
}

/* Memory that is private or shared by the VM's attributes: the file's, or the program's. */
static int private_memory(void)
{
	begin(0);
	IS(bind_file(vm, 1, 0x100000, 4 * PAGE, ram, f, 0), 0);
	ram[3] = 0x31;
	IS(guest(0x100003, 0, 0), 0x31);
	IS(guest(0x100004, 1, 0x32), 0x32);
	IS(ram[4], 0x32);
	IS(set_private(0x100000, PAGE, PRIVATE), 0);
	IS(guest(0x100003, 0, 0), 0);
	IS(guest(0x100003, 1, 0x77), 0x77);
	IS(guest(0x100003, 0, 0), 0x77);
	IS(ram[3], 0x31);
	IS(fallocate(f, KEEP_SIZE | PUNCH_HOLE, 0, PAGE), 0);
	IS(guest(0x100003, 0, 0), 0);
	IS(guest(0x900000, 0, 0), -1000 - EXIT_MMIO);
	IS(set_private(0x900000, PAGE, PRIVATE), 0);
	IS(guest(0x900010, 0, 0), -1000 - EXIT_MEMORY_FAULT);
	is("why", (long)fault_word(0), PRIVATE);
	is("where", (long)fault_word(1), 0x900000);
	is("how much", (long)fault_word(2), PAGE);
	IS(close(f), 0);
	IS(guest(0x100003, 0, 0), -1000 - EXIT_MEMORY_FAULT);
	IS(munmap(ram, 4 * PAGE), 0);
	IS(guest(0x101003, 0, 0), -EFAULT);
	return end();
}

/* Where a processor begins there is something that is no instruction of the interpreter's. */
static int instruction(void)
{
	begin(0);
	memcpy(ram + 0xff0, "\x0f\x0b", 2);
	IS(bind_file(vm, 0, 0xfffff000, PAGE, ram, -2, 0), 0);
	IS(ioctl(vcpu, KVM_RUN, 0), 0);
	is("an exit", exit_reason(), EXIT_INTERNAL_ERROR);
	memcpy(ram + 0xff0, "\xf4", 1);
	IS(ioctl(vcpu, KVM_RUN, 0), 0);
	is("a halt", exit_reason(), EXIT_HLT);
	return end();
}

static int conversions(void)
{
	begin(FLAG_MMAP | FLAG_INIT_SHARED);
	m = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);
	IS(bind_file(vm, 1, 0x100000, 4 * PAGE, m, f, 0), 0);
	IS(store(m + 5, 0x55), 0);
	IS(guest(0x100005, 0, 0), 0x55);
	IS(convert(0, PRIVATE), 0);
	IS(load(m + 5), BUS);
	IS(guest(0x100005, 0, 0), 0x55);
	IS(guest(0x100005, 1, 0x66), 0x66);
	IS(load(m + PAGE), 0);
	IS(convert(0, 0), 0);
	IS(load(m + 5), 0x66);
	IS(convert(4 * PAGE, PRIVATE), -EINVAL);
	IS(convert(1, PRIVATE), -EINVAL);
	/* a page that fails, and is none of the machine's */
	IS(madvise(m + 2 * PAGE, PAGE, 100), -ENXIO);
	IS(store(m + 2 * PAGE, 1), 0);
	IS(madvise(m + 2 * PAGE, PAGE, 100), -EBUSY);
	IS(load(m + 2 * PAGE), BUS);
	IS(load(m + PAGE), 0);
	return end();
}

#define LARGE 2048ul

/* More than the 4 MiB that the program may have. */
static int much_memory(void)
{
	unsigned long n;

	begin(FLAG_MMAP | FLAG_INIT_SHARED);
	f = new_file(vm, LARGE * PAGE, FLAG_MMAP | FLAG_INIT_SHARED);
	m = mmap(NULL, LARGE * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);
	IS(bind_file(vm, 1, 0x1000000, LARGE * PAGE, m, f, 0), 0);
	for (n = 0; n < LARGE && guest(0x1000000 + n * PAGE, 1, 0x11) == 0x11; n++)
		;
	is("pages", (long)n, 1024);
	IS(guest(0x1000000 + n * PAGE, 1, 1), -ENOMEM);
	IS(store(m + n * PAGE, 1), BUS);
	IS(load(m + PAGE), 0x11);
	IS(fallocate(f, KEEP_SIZE | PUNCH_HOLE, 0, PAGE), 0);
	IS(store(m + n * PAGE, 2), 0);
	IS(guest(0x1000000 + n * PAGE, 0, 0), 2);
	return end();
}

int main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";

	if (!strcmp(word, "convert"))
		return conversions();
	if (!strcmp(word, "full"))
		return much_memory();
	return strcmp(word, "instruction") ? private_memory() : instruction();
}
