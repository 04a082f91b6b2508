/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any ioctl of KVM on any descriptor, with any argument, and calls of files that gmem run looks at, of small sizes: so
 * many of them, from that seed. What they answer is no matter, as long as they answer, and KVM is well afterwards.
 * Not for a real /dev/kvm.
 */
#define _GNU_SOURCE
#include <linux/kvm.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/time.h>

#undef KVM_GET_API_VERSION
#undef KVM_CREATE_VM
#undef KVM_CHECK_EXTENSION
#undef KVM_GET_VCPU_MMAP_SIZE
#undef KVM_CREATE_VCPU
#undef KVM_RUN
#include "program.h"

#define MOST_FDS 64

static uint64_t seed;

static uint64_t any(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

/* Those whose number has a size; the others are tried by chance. */
static const uint32_t known[] = {
	KVM_CREATE_VM,
	KVM_CHECK_EXTENSION,
	KVM_CREATE_VCPU,
	KVM_RUN,
	SET_REGION,
	SET_REGION2,
	CREATE_GUEST_MEMFD,
	KVM_CREATE_IRQCHIP,
	KVM_CREATE_PIT2,
	KVM_GET_IRQCHIP,
	(uint32_t)KVM_SET_IRQCHIP,
	KVM_GET_PIT,
	KVM_SET_PIT,
	KVM_GET_PIT2,
	KVM_SET_PIT2,
	KVM_IRQ_LINE,
	KVM_IRQFD,
	KVM_IOEVENTFD,
	KVM_SET_GSI_ROUTING,
	KVM_SIGNAL_MSI,
	KVM_GET_DIRTY_LOG,
	KVM_CLEAR_DIRTY_LOG,
	KVM_SET_TSS_ADDR,
	KVM_SET_IDENTITY_MAP_ADDR,
	KVM_SET_BOOT_CPU_ID,
	KVM_CREATE_DEVICE,
	KVM_ENABLE_CAP,
	KVM_GET_REGS,
	KVM_SET_REGS,
	KVM_GET_SREGS,
	KVM_SET_SREGS,
	KVM_GET_SREGS2,
	KVM_SET_SREGS2,
	KVM_GET_MSRS,
	KVM_SET_MSRS,
	KVM_GET_CPUID2,
	KVM_SET_CPUID2,
	KVM_GET_LAPIC,
	KVM_SET_LAPIC,
	KVM_GET_XCRS,
	KVM_SET_XCRS,
	KVM_GET_XSAVE,
	KVM_SET_XSAVE,
	KVM_GET_XSAVE2,
	KVM_SET_MP_STATE,
	KVM_SET_VCPU_EVENTS,
	KVM_SET_DEBUGREGS,
	KVM_SET_SIGNAL_MASK,
	KVM_INTERRUPT,
	KVM_TRANSLATE,
	KVM_GET_SUPPORTED_CPUID,
	KVM_GET_MSR_INDEX_LIST,
};

static uint8_t *bytes; /* a page, and nothing behind it */

static uint64_t interesting(void)
{
	static const uint64_t values[] = { 0, 1, 2, 3, 4096, 65536, 1ull << 32, 1ull << 63, ~0ull };

	return any(4) ? values[any(9)] + any(3) - 1 : any(~0ull);
}

/* A structure of which a few words are anything. */
static uint64_t argument(void)
{
	uint64_t value;
	int i;

	if (!any(8))
		return interesting();
	if (!any(8))
		memset(bytes, 0, PAGE);
	for (i = 0; i < 4; i++) {
		value = any(2) ? any(MOST_FDS) : interesting();
		if (!any(4))
			value = (uintptr_t)bytes;
		memcpy(bytes + any(32) * 4, &value, any(2) ? 4 : 8);
	}
	return (uintptr_t)bytes + (any(8) ? 0 : PAGE - any(64));
}

static uint32_t command(void)
{
	if (any(4))
		return known[any(sizeof(known) / sizeof(known[0]))];
	return (uint32_t)_IOC(any(4), 0xae, any(256), any(2) ? any(1 << 14) : any(65));
}

/* Where a size may be, it is below a page; the pointers are to at most a page. */
static void file_call(const int *fds)
{
	static const long calls[] = { SYS_read,	      SYS_write,     SYS_pread64,  SYS_pwrite64,
				      SYS_readv,      SYS_writev,    SYS_sendfile, SYS_splice,
				      SYS_lseek,      SYS_readahead, SYS_fstatfs,  SYS_epoll_ctl,
				      SYS_readlinkat, SYS_openat,    451 };
	long nr = calls[any(sizeof(calls) / sizeof(calls[0]))];
	uint64_t a = any(2) ? argument() : any(PAGE), b = any(2) ? argument() : any(PAGE);
	int fd = fds[any(MOST_FDS)], other = fds[any(MOST_FDS)];

	if (nr == SYS_sendfile || nr == SYS_splice)
		syscall(nr, fd, nr == SYS_splice ? a : (uint64_t)other,
			nr == SYS_splice ? (uint64_t)other : a, b, any(PAGE), 0);
	else if (nr == SYS_readv || nr == SYS_writev)
		syscall(nr, fd, a, any(3));
	else if (nr == SYS_openat || nr == SYS_readlinkat) {
		snprintf((char *)bytes, 64, "%s%d",
			 any(2) ? "/proc/self/fd/" : "/proc/thread-self/fd/", other);
		bytes[any(40)] ^= (uint8_t)(any(4) ? 0 : any(256));
		fd = (int)syscall(nr, AT_FDCWD, bytes, nr == SYS_openat ? O_PATH : b, any(PAGE));
		if (nr == SYS_openat && fd > 2)
			close(fd);
	} else {
		syscall(nr, fd, a, any(PAGE), b, any(PAGE), 0);
	}
}

static void kick(int sig)
{
	(void)sig;
}

/* A guest that never leaves is kicked; what is to succeed is not, as any call that is stopped can be interrupted. */
static void kick_every(long microseconds)
{
	struct itimerval often = { { 0, microseconds }, { 0, microseconds } };

	setitimer(ITIMER_REAL, &often, NULL);
}

static void begin(void)
{
	struct sigaction a = { .sa_handler = kick };

	bytes = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(bytes + PAGE, PAGE);
	sigaction(SIGALRM, &a, NULL);
}

int main(int argc, char **argv)
{
	unsigned long n = argc > 1 ? strtoul(argv[1], NULL, 10) : 20000;
	int fds[MOST_FDS], i, fd, vm;

	seed = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
	begin();
	vm = new_vm();
	for (i = 0; i < MOST_FDS; i++)
		fds[i] = i % 4 ? ioctl(vm, KVM_CREATE_VCPU, i) : open_kvm();
	fds[1] = vm;
	fds[2] = new_file(vm, PAGE, 3);
	fds[3] = eventfd(0, 0);
	kick_every(5000);
	while (n--) {
		if (!any(8))
			file_call(fds);
		i = (int)any(MOST_FDS);
		fd = ioctl(fds[any(3) ? i : 1], command(), argument());
		if (fd <= 3 || fcntl(fd, F_GETFD) < 0)
			continue;
		/* it may be a new descriptor */
		for (i = 0; i < MOST_FDS && fds[i] != fd; i++)
			;
		if (i < MOST_FDS)
			continue;
		i = (int)any(MOST_FDS - 8) + 8;
		close(fds[i]);
		fds[i] = fd;
	}
	kick_every(0);
	IS(ioctl(open_kvm(), KVM_GET_API_VERSION, 0), 12);
	WORKS(new_file(new_vm(), PAGE, 0));
	return end();
}
