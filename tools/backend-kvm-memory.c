/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mappings, and loads and stores through them, for the far side of backend-kvm.c.
 *
 * The caller's mappings are in the arena, one after the other with a free page behind each; what
 * was once mapped is never handed out again, so a stale address faults for ever. The address is
 * only a hint to the kernel, which takes it as the range is free, and every refusal is that of a
 * plain mmap().
 *
 * An address outside the arena is one that somebody wrote down by hand. It is used like any
 * other, unless something of the far side itself is there.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "backend-kvm.h"

#define ADDRESS_SPACE (UINT64_C(1) << 47)
#define FIXED_NOREPLACE UINT64_C(0x100000)
#define HWPOISON 100
#define SOFT_OFFLINE 101
#define NR_WILD (sizeof(((struct far *)NULL)->wild) / sizeof(struct far_range))

#define UNCHECKED __attribute__((noinline, no_sanitize("address", "undefined")))

static sigjmp_buf fault;
static volatile sig_atomic_t fault_expected, fault_signal;

static void on_fault(int signal)
{
	if (!fault_expected) {
		kill(getpid(), SIGKILL);
		_exit(1);
	}
	fault_expected = 0;
	fault_signal = signal;
	siglongjmp(fault, 1);
}

static void on_signal(int signal)
{
	(void)signal;
}

/* SIGUSR1 is what far_syscall_with_signal() sends. */
void far_catch_faults(void)
{
	struct sigaction a = { .sa_handler = on_fault, .sa_flags = SA_NODEFER };

	sigemptyset(&a.sa_mask);
	sigaction(SIGSEGV, &a, NULL);
	sigaction(SIGBUS, &a, NULL);
	a.sa_handler = on_signal;
	sigaction(SIGUSR1, &a, NULL);
}

static uint64_t page_up(uint64_t n)
{
	return (n + GMEM_PAGE_SIZE - 1) & ~(GMEM_PAGE_SIZE - 1);
}

static bool overlap(uint64_t start, uint64_t end, uint64_t other_start, uint64_t other_end)
{
	return start < other_end && other_start < end;
}

static bool is_wild(const struct far *f, uint64_t start, uint64_t end)
{
	unsigned int i;

	for (i = 0; i < f->nr_wild; i++)
		if (f->wild[i].start <= start && end <= f->wild[i].end)
			return true;
	return false;
}

/* Is there something in this process, other than what the caller mapped? */
static bool is_own(const struct far *f, uint64_t start, uint64_t end)
{
	uint64_t from, to;
	bool own = false;
	char line[512];
	FILE *maps = fopen("/proc/self/maps", "re");

	if (!maps)
		return true;
	while (!own && fgets(line, sizeof(line), maps))
		own = sscanf(line, "%" SCNx64 "-%" SCNx64, &from, &to) == 2 &&
		      overlap(start, end, from, to) &&
		      !(from >= f->arena.start && to <= f->arena.end) && !is_wild(f, from, to);
	fclose(maps);
	return own;
}

bool far_is_own_memory(struct far *f, uint64_t addr, uint64_t length)
{
	uint64_t end = addr + length;
	bool own;

	if (end < addr || (addr >= f->arena.start && end <= f->arena.end))
		return false;
	far_unlimit(f, true);
	own = is_own(f, addr, page_up(end) ? page_up(end) : end);
	far_unlimit(f, false);
	return own;
}

static enum backend_status own_memory(struct far *f, uint64_t addr)
{
	return far_refuse(f, "there is memory of the back end itself at address 0x%" PRIx64, addr);
}

static long raw_mmap(const struct far *f, const struct gmem_call *c, uint64_t addr, uint64_t flags)
{
	return syscall(SYS_mmap, addr, c->length, c->prot, flags, far_fd(f, c->fd), c->offset);
}

/* The mapping is where it was asked for, and no other will come to lie there. */
static void note_mapping(struct far *f, uint64_t start, uint64_t end)
{
	if (start >= f->arena.start && end <= f->arena.end) {
		if (end + GMEM_PAGE_SIZE > f->arena.next)
			f->arena.next = end + GMEM_PAGE_SIZE;
	} else {
		f->wild[f->nr_wild++] = (struct far_range){ start, end };
	}
}

static enum backend_status mmap_fixed(struct far *f, const struct gmem_call *c,
				      struct gmem_result *r)
{
	long p;

	if (far_is_own_memory(f, c->addr, c->length))
		return own_memory(f, c->addr);
	if (f->nr_wild == NR_WILD)
		return far_refuse(f, "too many mappings at addresses of the caller's choice");
	p = raw_mmap(f, c, c->addr, c->flags);
	if (p != -1)
		note_mapping(f, c->addr, c->addr + page_up(c->length));
	return far_answer(r, p);
}

/*
 * Anonymous memory is not reserved: whether there is enough for pages that nobody touches is
 * not what is asked here.
 */
enum backend_status far_mmap(struct far *f, const struct gmem_call *c, struct gmem_result *r)
{
	uint64_t flags = c->flags & GMEM_MAP_ANONYMOUS ? c->flags | MAP_NORESERVE : c->flags;
	uint64_t at = f->arena.next, length = page_up(c->length);
	bool fits = at <= f->arena.end && length <= f->arena.end - at;
	long p;

	if (c->flags & (GMEM_MAP_FIXED | FIXED_NOREPLACE))
		return mmap_fixed(f, c, r);
	p = raw_mmap(f, c, at, flags);
	if (p == -1 && (fits || errno != ENOMEM || length >= ADDRESS_SPACE))
		return far_answer(r, p);
	if (p != -1 && (!fits || (uint64_t)p != at))
		syscall(SYS_munmap, p, c->length);
	if (!fits || (uint64_t)p != at)
		return far_refuse(f, "no address is left for a mapping of 0x%" PRIx64 " bytes",
				  c->length);
	note_mapping(f, at, at + length);
	return far_answer(r, p);
}

enum backend_status far_munmap(struct far *f, const struct gmem_call *c, struct gmem_result *r)
{
	if (far_is_own_memory(f, c->addr, c->length))
		return own_memory(f, c->addr);
	return far_answer(r, syscall(SYS_munmap, c->addr, c->length));
}

enum backend_status far_mprotect(struct far *f, const struct gmem_call *c, struct gmem_result *r)
{
	if (far_is_own_memory(f, c->addr, c->length))
		return own_memory(f, c->addr);
	return far_answer(r, syscall(SYS_mprotect, c->addr, c->length, c->prot));
}

/* The kernel can break pages for good, unless it was built without that. */
bool far_can_poison(void)
{
	return !syscall(SYS_madvise, 0, 0, HWPOISON);
}

enum backend_status far_madvise(struct far *f, const struct gmem_call *c, struct gmem_result *r)
{
	if (far_is_own_memory(f, c->addr, c->length))
		return own_memory(f, c->addr);
	if ((c->advice == HWPOISON || c->advice == SOFT_OFFLINE) && far_can_poison())
		return far_refuse(f, "that would break memory of this machine");
	if ((c->advice == GMEM_MADV_POPULATE_READ || c->advice == GMEM_MADV_POPULATE_WRITE) &&
	    c->length > FAR_MOST_MEMORY && c->length < ADDRESS_SPACE)
		return far_refuse(f, "that would take too much of this machine's memory");
	return far_answer(r, syscall(SYS_madvise, c->addr, c->length, (int)c->advice));
}

UNCHECKED static uint64_t load(uint64_t addr, uint64_t size)
{
	volatile void *p = (volatile void *)(uintptr_t)addr;

	switch (size) {
	case 1:
		return *(volatile uint8_t *)p;
	case 2:
		return *(volatile uint16_t *)p;
	case 4:
		return *(volatile uint32_t *)p;
	default:
		return *(volatile uint64_t *)p;
	}
}

UNCHECKED static void store(uint64_t addr, uint64_t size, uint64_t value)
{
	volatile void *p = (volatile void *)(uintptr_t)addr;

	switch (size) {
	case 1:
		*(volatile uint8_t *)p = (uint8_t)value;
		break;
	case 2:
		*(volatile uint16_t *)p = (uint16_t)value;
		break;
	case 4:
		*(volatile uint32_t *)p = (uint32_t)value;
		break;
	default:
		*(volatile uint64_t *)p = value;
		break;
	}
}

static void access_memory(const struct gmem_call *c, struct gmem_result *r)
{
	if (sigsetjmp(fault, 0)) {
		r->outcome = fault_signal == SIGBUS ? GMEM_SIGBUS : GMEM_SIGSEGV;
		return;
	}
	fault_expected = 1;
	if (c->verb == GMEM_LOAD)
		result_load(r, load(c->addr, c->size));
	else
		store(c->addr, c->size, c->value);
	fault_expected = 0;
}

static enum backend_status host_access(struct far *f, const struct gmem_call *c,
				       struct gmem_result *r)
{
	if (!c->size || c->size > 8 || (c->size & (c->size - 1)))
		return far_refuse(f, "no such width of a load or store");
	if (far_is_own_memory(f, c->addr, c->size))
		return own_memory(f, c->addr);
	access_memory(c, r);
	return BACKEND_DONE;
}

enum backend_status far_load(struct far *f, const struct gmem_call *c, struct gmem_result *r)
{
	return host_access(f, c, r);
}

enum backend_status far_store(struct far *f, const struct gmem_call *c, struct gmem_result *r)
{
	return host_access(f, c, r);
}
