/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mappings of guest_memfds by a program that is followed, and the signals that it gets for them.
 * Loads and stores that succeed are invisible.
 *
 * The address space has much else in it, so a call is taken for its part in each mapping that the
 * trace knows.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "follow.h"
#include "target.h"

/* Flags that the language has a word for; where to map, and how much to read ahead, it has not. */
#define FLAGS (MAP_TYPE | MAP_ANONYMOUS)
/* Others that are no reason to fail. */
#define HARMLESS (MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK)

static uint64_t page_up(uint64_t length)
{
	return (length + GMEM_PAGE_SIZE - 1) & ~(GMEM_PAGE_SIZE - 1);
}

/* The part of a call that is in one mapping. */
static void part(struct thread *t, uint32_t verb, const struct area *a, uint64_t start,
		 uint64_t end, int64_t value)
{
	struct linked_call l = blank_call(verb);

	if (start < a->start)
		start = a->start;
	if (end > a->end)
		end = a->end;
	l.addr_from = a->from;
	l.call.addr = a->offset + (start - a->start);
	l.call.length = end - start;
	if (verb == GMEM_MPROTECT)
		l.call.prot = t->args[2];
	if (verb == GMEM_MADVISE)
		l.call.advice = (uint32_t)t->args[2];
	if (a->from >= 0)
		emit(t, &l, value);
}

static void each_part(struct thread *t, uint32_t verb, int64_t value)
{
	uint64_t start = t->args[0], end = start + page_up(t->args[1]);
	struct area *a, whole;

	a = area_find(t->p, start, end);
	if (value && a && (a->start > start || a->end < end)) {
		unseen("that failed, and was about more than one mapping");
		return;
	}
	while ((a = area_find(t->p, start, end))) {
		whole = *a;
		part(t, verb, &whole, start, end, value);
		if (verb == GMEM_MPROTECT && !value) {
			uint64_t from = start > whole.start ? start : whole.start;
			struct area changed = whole;

			changed.start = from;
			changed.end = end < whole.end ? end : whole.end;
			changed.offset += from - whole.start;
			changed.prot = t->args[2];
			area_cut(t->p, changed.start, changed.end);
			area_add(t->p, &changed);
		}
		start = whole.end;
		if (start >= end)
			break;
	}
}

/* What the model does not know it refuses, as the kernel does what that does not know. */
static bool is_known(uint64_t advice)
{
	static const uint64_t known[] = {
		GMEM_MADV_NORMAL,	  GMEM_MADV_DONTNEED,	GMEM_MADV_REMOVE,
		GMEM_MADV_HUGEPAGE,	  GMEM_MADV_NOHUGEPAGE, GMEM_MADV_POPULATE_READ,
		GMEM_MADV_POPULATE_WRITE, GMEM_MADV_COLLAPSE,
	};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (advice == known[i])
			return true;
	return false;
}

static void advises(struct thread *t, int64_t value)
{
	if (is_known(t->args[2]) || value == -EINVAL)
		each_part(t, GMEM_MADVISE, value);
	else
		unseen("with an advice that a trace has no word for");
}

static void unmaps(struct thread *t, int64_t value)
{
	if (value)
		return;
	each_part(t, GMEM_MUNMAP, 0);
	area_cut(t->p, t->args[0], t->args[0] + page_up(t->args[1]));
}

/* An munmap succeeds, and when it is over another thread may have something new there. */
int memory_begins(struct thread *t)
{
	if (t->nr == SYS_munmap && !(t->args[0] % GMEM_PAGE_SIZE) && t->args[1]) {
		unmaps(t, 0);
		return 0;
	}
	if (t->nr != SYS_mmap)
		return t->p->nr_areas &&
		       area_find(t->p, t->args[0], t->args[0] + page_up(t->args[1]));
	t->on = handle_now(t->p, t->args[3] & MAP_ANONYMOUS ? UINT64_MAX : t->args[4]);
	if (t->on.fd >= 0 && (t->on.kind == HANDLE_GMEM || t->on.kind == HANDLE_VCPU))
		return 1;
	/* what is mapped over a mapping */
	return (t->args[3] & MAP_FIXED) && t->p->nr_areas &&
	       area_find(t->p, t->args[0], t->args[0] + page_up(t->args[1]));
}

static void maps(struct thread *t, int64_t value)
{
	const struct handle *h = &t->on;
	uint64_t length = page_up(t->args[1]);
	struct linked_call l = blank_call(GMEM_MMAP);
	bool failed = value < 0 && value >= -4095;
	struct area a = { .start = (uint64_t)value,
			  .end = (uint64_t)value + length,
			  .from = -1,
			  .prot = t->args[2],
			  .vcpu = (int)t->args[4] };

	if (!failed && (t->args[3] & MAP_FIXED))
		unmaps(t, 0);
	if (h->fd < 0 || (h->kind != HANDLE_GMEM && h->kind != HANDLE_VCPU) ||
	    !handle_stays(t->p, h))
		return;
	if (failed && (t->args[3] & ~(uint64_t)(FLAGS | HARMLESS))) {
		unseen("with flags that a trace has no word for");
		return;
	}
	if (h->kind == HANDLE_GMEM) {
		l.fd_from = h->from;
		l.call.offset = t->args[5];
		l.call.length = t->args[1];
		l.call.prot = t->args[2];
		l.call.flags = t->args[3] & FLAGS;
		a.from = emit(t, &l, value);
	}
	if (!failed && (a.from >= 0 || h->kind == HANDLE_VCPU))
		area_add(t->p, &a);
}

void memory_ends(struct thread *t, int64_t value)
{
	switch (t->nr) {
	case SYS_mmap:
		maps(t, value);
		break;
	case SYS_munmap:
		unmaps(t, value);
		break;
	case SYS_mprotect:
		each_part(t, GMEM_MPROTECT, value);
		break;
	case SYS_madvise:
		advises(t, value);
		break;
	default: /* mremap: the trace cannot follow */
		unseen("that moved a mapping");
		unmaps(t, 0);
	}
}

/* Whether it was a load or a store only matters where the mapping allows one of them. */
void memory_fault(struct thread *t, int sig, uint64_t addr)
{
	const struct area *a = t->p ? area_find(t->p, addr, addr + 1) : NULL;
	struct gmem_result r = { .outcome = sig == SIGBUS ? GMEM_SIGBUS : GMEM_SIGSEGV };
	struct linked_call l = blank_call(GMEM_LOAD);

	if (!a || a->from < 0)
		return;
	if (sig == SIGSEGV && (a->prot & PROT_READ))
		l.call.verb = GMEM_STORE;
	l.addr_from = a->from;
	l.call.addr = a->offset + (addr - a->start);
	l.call.size = 1;
	emit_result(t, &l, &r);
}
