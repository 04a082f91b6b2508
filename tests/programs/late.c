/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory that is late: a thread provides each page when somebody has asked for it, by userfaultfd, and
 * makes other calls before it does. A name, structures and the code of a guest are in such pages.
 */
#define _GNU_SOURCE
#include <linux/kvm.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/syscall.h>

#undef KVM_GET_API_VERSION
#undef KVM_CREATE_VM
#undef KVM_CHECK_EXTENSION
#undef KVM_GET_VCPU_MMAP_SIZE
#undef KVM_CREATE_VCPU
#undef KVM_RUN
#include "program.h"

#define PAGES 6
#define CODE 0x1000

static int uffd;
static uint8_t *late, content[PAGES][PAGE] __attribute__((aligned(4096)));

static void *provide(void *arg)
{
	struct uffd_msg m;
	char bytes[16];
	int self;

	(void)arg;
	while (read(uffd, &m, sizeof(m)) == sizeof(m)) {
		uint64_t at = m.arg.pagefault.address & ~(PAGE - 1);
		struct uffdio_copy copy = {
			.dst = at,
			.src = (uintptr_t)content[(at - (uintptr_t)late) / PAGE],
			.len = PAGE
		};

		usleep(3000);
		self = open("/proc/self/exe", O_RDONLY);
		if (self < 0 || pread(self, bytes, sizeof(bytes), 0) != sizeof(bytes))
			_exit(2);
		close(self);
		ioctl(uffd, UFFDIO_COPY, &copy);
	}
	return NULL;
}

static void begin(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register area = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	pthread_t thread;

	uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	if (uffd < 0) {
		perror("userfaultfd");
		exit(77);
	}
	late = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	area.range.start = (uintptr_t)late;
	area.range.len = PAGES * PAGE;
	IS(ioctl(uffd, UFFDIO_API, &api), 0);
	IS(ioctl(uffd, UFFDIO_REGISTER, &area), 0);
	pthread_create(&thread, NULL, provide, NULL);
}

int main(void)
{
	struct guest_memfd *file = (void *)content[1];
	struct region *ram = (void *)content[2];
	/* add al, 5; mov [0x1100], al; hlt, in the page that the guest sees there */
	static const uint8_t code[] = { 0x04, 0x05, 0xa2, 0x00, 0x11, 0xf4 };
	struct kvm_regs *regs = (void *)content[4];
	struct kvm_sregs *sregs;
	struct kvm_run *run;
	int kvm, vm, vcpu;

	begin();
	strcpy((char *)content[0], "/dev/kvm");
	file->size = PAGE;
	ram->gpa = CODE;
	ram->size = PAGE;
	ram->addr = (uintptr_t)late + 3 * PAGE;
	memcpy(content[3], code, sizeof(code));
	regs->rip = CODE;
	regs->rflags = 2;
	regs->rax = 2;
	sregs = (void *)(late + 5 * PAGE);

	kvm = open((char *)late, O_RDWR);
	is("the name is known", kvm >= 0, 1);
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	WORKS(ioctl(vm, CREATE_GUEST_MEMFD, late + PAGE));
	IS(ioctl(vm, SET_REGION, late + 2 * PAGE), 0);
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	run = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	IS(ioctl(vcpu, KVM_GET_SREGS, sregs), 0);
	sregs->cs.base = sregs->cs.selector = 0;
	IS(ioctl(vcpu, KVM_SET_SREGS, sregs), 0);
	IS(ioctl(vcpu, KVM_SET_REGS, late + 4 * PAGE), 0);
	IS(ioctl(vcpu, KVM_RUN, 0), 0);
	is("a halt", run->exit_reason, KVM_EXIT_HLT);
	is("what the guest has left", late[3 * PAGE + 0x100], 7);
	return end();
}
