/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parameters of random calls: descriptors and addresses that earlier calls resulted in, and
 * numbers that are mostly small and near each other, and now and then wrong; see random-calls.c.
 */
#include <stddef.h>

#include "random-params.h"

/* ---- handles ---- */

int32_t some_result(struct random_calls *rc, uint32_t task, uint32_t kinds)
{
	int32_t found = -1;
	uint32_t i, n = 0;

	for (i = 0; i < rc->nr_calls; i++)
		if ((rc->kind[i] & kinds) && (rc->had_by[i] & random_process_bit(rc, task)) &&
		    !below(rc, ++n))
			found = (int32_t)i;
	return found;
}

static int is_ioctl(uint32_t verb)
{
	return verb <= GMEM_LAUNCH_FINISH;
}

int follows_inject(const struct random_calls *rc)
{
	return rc->nr_calls && rc->calls[rc->nr_calls - 1].call.verb == GMEM_INJECT;
}

static int is_conversion(uint32_t verb)
{
	return verb == GMEM_SET_MEMORY_ATTRIBUTES2 || verb == GMEM_CONVERT_SHARED ||
	       verb == GMEM_CONVERT_PRIVATE;
}

/* So many bytes that the next huge page, or none, begins there. */
static uint64_t some_huge_pages(struct random_calls *rc, uint64_t most)
{
	return rc->has_huge_pages && below(rc, 2) ? HUGE_PAGE * below(rc, most + 1) : 0;
}

static uint64_t some_fd(struct random_calls *rc, const struct gmem_call *c,
			const struct gmem_param *p, int32_t *from)
{
	uint32_t kinds = p->fds;

	if (one_in(rc, 20) && is_ioctl(c->verb))
		kinds = GMEM_FD_ANY;
	if (c->verb == GMEM_MEMFD_RESTRICTED && below(rc, 8))
		kinds = GMEM_FD_MOUNT;
	*from = some_result(rc, c->task, kinds);
	if ((kinds & GMEM_FD_KVM) && (*from < 0 || one_in(rc, 3))) {
		*from = -1;
		return GMEM_KVM_FD;
	}
	if (*from < 0 || one_in(rc, ODD)) {
		*from = -1;
		return one_in(rc, 2) ? below(rc, 16) : (uint64_t)-1;
	}
	return 0;
}

/* An address in a mapping, or none. */
static uint64_t some_addr(struct random_calls *rc, const struct gmem_call *c, int32_t *from)
{
	int touches = c->verb == GMEM_LOAD || c->verb == GMEM_STORE;
	uint64_t offset = PAGE * below(rc, 8);

	if (c->verb == GMEM_MMAP && !(c->flags & GMEM_MAP_FIXED))
		return 0;
	if (c->verb == GMEM_POPULATE && one_in(rc, 3))
		return 0;
	if (rc->has_huge_pages && below(rc, 2))
		offset = (below(rc, 2) ? offset : 0) + HUGE_PAGE * below(rc, 2);
	if (!touches && one_in(rc, 3))
		offset = 0;
	if (one_in(rc, ODD))
		return random_odd(rc->random);
	*from = one_in(rc, 10) ? -1 : some_result(rc, c->task, RANDOM_CALLS_MAPPING);
	if (*from < 0)
		return 0;
	if (touches)
		offset += below(rc, 4) ? 8 * below(rc, 4) : PAGE - 8 + below(rc, 8);
	return one_in(rc, ODD) ? offset + 1 + below(rc, PAGE - 1) : offset;
}

/* ---- numbers ---- */

/* The bit of an address that means shared memory to a TDX guest on a machine with more than 48. */
#define TDX_SHARED_BIT (UINT64_C(1) << 51)

static uint64_t some_gpa(struct random_calls *rc, const struct gmem_call *c)
{
	uint64_t gpa = BASE_GPA + PAGE * below(rc, 12) + some_huge_pages(rc, 2);

	if (one_in(rc, ODD))
		return random_odd(rc->random) & ~UINT64_C(7);
	if (c->verb == GMEM_GUEST_LOAD || c->verb == GMEM_GUEST_STORE)
		return gpa + 8 * below(rc, 4);
	if (c->verb != GMEM_SET_MEMORY_ATTRIBUTES && one_in(rc, ODD))
		return gpa | TDX_SHARED_BIT;
	return one_in(rc, ODD) ? gpa + 8 : gpa;
}

static uint64_t some_size(struct random_calls *rc, const struct gmem_call *c)
{
	if (c->verb == GMEM_MMAP && one_in(rc, ODD))
		return UINT64_C(1) << 46; /* twice, and the address space is full */
	if (one_in(rc, ODD))
		return one_in(rc, 4) ? UINT64_C(1) << (43 + below(rc, 4)) : random_odd(rc->random);
	if (one_in(rc, ODD))
		return PAGE * (1 + below(rc, 8)) + 1 + below(rc, PAGE - 1);
	if (rc->has_huge_pages && below(rc, 8) && c->verb == GMEM_CREATE_GUEST_MEMFD &&
	    c->flags & GMEM_FLAG_HUGETLB)
		return HUGE_PAGE * (1 + below(rc, 2));
	if (rc->has_huge_pages && below(rc, 2))
		return HUGE_PAGE * (1 + below(rc, 2)) - PAGE * one_in(rc, 4);
	switch (c->verb) {
	case GMEM_CREATE_GUEST_MEMFD:
	case GMEM_MMAP:
		return PAGE * (1 + below(rc, 8));
	case GMEM_SET_USER_MEMORY_REGION:
	case GMEM_SET_USER_MEMORY_REGION2:
	case GMEM_CACHESTAT:
		return PAGE * (one_in(rc, 8) ? 0 : 1 + below(rc, 4));
	default:
		return PAGE * (one_in(rc, 20) ? 0 : 1 + below(rc, 6));
	}
}

uint64_t some_file_flags(struct random_calls *rc)
{
	uint64_t flags = below(rc, 5) ? GMEM_FLAG_MMAP : 0;

	if (flags ? below(rc, 2) : !rc->init_private && one_in(rc, 4))
		flags |= GMEM_FLAG_INIT_SHARED; /* or INIT_PRIVATE */
	if (!rc->has_huge_pages || one_in(rc, 4))
		return flags;
	if (rc->order_is_a_field)
		return GMEM_FLAG_HUGETLB | (one_in(rc, 8) ? flags : flags & GMEM_FLAG_MMAP);
	return flags | GMEM_FLAG_HUGETLB |
	       (one_in(rc, 16) ? GMEM_FLAG_HUGE_1GB : GMEM_FLAG_HUGE_2MB);
}

static uint64_t some_flags(struct random_calls *rc, const struct gmem_call *c,
			   const struct gmem_param *p)
{
	uint64_t known = 0;
	const struct gmem_name *name;

	for (name = p->names; name->name; name++)
		known |= name->value;
	switch (c->verb) {
	case GMEM_FALLOCATE:
		if (below(rc, 8))
			return GMEM_FALLOC_KEEP_SIZE | GMEM_FALLOC_PUNCH_HOLE * below(rc, 2);
		break;
	case GMEM_MMAP:
		if (p->offset == offsetof(struct gmem_call, prot))
			return below(rc, 4) ? 3 : below(rc, 8);
		if (below(rc, 4))
			return GMEM_MAP_SHARED | GMEM_MAP_FIXED * one_in(rc, 4);
		return below(rc, 4) | GMEM_MAP_ANONYMOUS * below(rc, 2) |
		       GMEM_MAP_FIXED * below(rc, 2);
	case GMEM_SET_USER_MEMORY_REGION2:
		if (below(rc, 5))
			return GMEM_MEM_GUEST_MEMFD * (below(rc, 4) != 0);
		break;
	case GMEM_CREATE_GUEST_MEMFD:
		if (below(rc, 6))
			return some_file_flags(rc);
		break;
	case GMEM_MEMFD_CREATE:
		if (below(rc, 4))
			return below(rc, 3) ? GMEM_MFD_INACCESSIBLE : 2; /* ALLOW_SEALING */
		break;
	case GMEM_OPEN_MOUNT:
		if (below(rc, 3))
			return GMEM_MOUNT_TMPFS | GMEM_MOUNT_NOEXEC;
		break;
	case GMEM_SET_MEMORY_ATTRIBUTES2:
		if (p->offset == offsetof(struct gmem_call, flags) && below(rc, 3))
			return 0;
		break;
	}
	return one_in(rc, ODD) ? random_bits_of(rc->random, known) : below(rc, known + 1) & known;
}

static uint64_t some_name(struct random_calls *rc, const struct gmem_call *c,
			  const struct gmem_param *p)
{
	unsigned int n = 0;

	if (c->verb == GMEM_CREATE_VM)
		return below(rc, 4) ? rc->favourite : below(rc, 8);
	if (c->verb == GMEM_MADVISE && one_in(rc, 4))
		return GMEM_MADV_REMOVE;
	if (c->verb == GMEM_INJECT && rc->converts && below(rc, 2))
		return GMEM_INJECT_ENOMEM;
	if (p->optional && is_conversion(c->verb) && follows_inject(rc) && one_in(rc, 4))
		return 2;
	if (p->optional && is_conversion(c->verb)) /* argp */
		return one_in(rc, 8) ? 1 + (below(rc, 4) != 0) : 0;
	if (p->optional)
		return one_in(rc, ODD);
	if (p->offset == offsetof(struct gmem_call, cap) && is_ioctl(c->verb) && below(rc, 2))
		return one_in(rc, 4) ? GMEM_CAP_DISABLE_LEGACY_PRIVATE_TRACKING :
				       240 + below(rc, 13);
	while (p->names[n].name)
		n++;
	if (one_in(rc, ODD) && c->verb != GMEM_INJECT && c->verb != GMEM_FCNTL)
		return c->verb == GMEM_FSTAT || c->verb == GMEM_FSTATFS ? 0 : 77;
	return p->names[below(rc, n)].value;
}

static uint64_t some_int(struct random_calls *rc, const struct gmem_call *c)
{
	static const uint32_t slots[] = { 32763, 32764, 1 << 16, 1 << 16 | 1, 2 << 16, 1 << 15 };

	if (c->verb == GMEM_INJECT)
		return below(rc, 4);
	if (c->verb == GMEM_CREATE_GUEST_MEMFD) { /* page_order */
		if (one_in(rc, 8))
			return below(rc, 2) ? 18 : below(rc, 12);
		return rc->order_is_a_field && c->flags & GMEM_FLAG_HUGETLB ? 9 : 0;
	}
	return one_in(rc, 12) ? slots[below(rc, 6)] : below(rc, 4);
}

static uint64_t some_hex(struct random_calls *rc, const struct gmem_call *c,
			 const struct gmem_param *p)
{
	switch (p->offset) {
	case offsetof(struct gmem_call, gpa): /* or reserved */
		return is_conversion(c->verb) ? (uint64_t)one_in(rc, ODD) : some_gpa(rc, c);
	case offsetof(struct gmem_call, offset): /* in a pin */
		return PAGE * below(rc, 6) + 8 * below(rc, 4) + one_in(rc, 20) * 4093;
	case offsetof(struct gmem_call, flags):
		return one_in(rc, ODD);
	default:
		return 1 + below(rc, 255) + (below(rc, 255) << 32);
	}
}

uint64_t make_up(struct random_calls *rc, struct linked_call *l, const struct gmem_param *p)
{
	int32_t from = -1;
	uint64_t v = 0;

	switch (p->kind) {
	case GMEM_P_FD:
		v = some_fd(rc, &l->call, p, &from);
		if (p->offset == offsetof(struct gmem_call, fd))
			l->fd_from = from;
		else
			l->memfd_from = from;
		return v;
	case GMEM_P_ADDR:
		v = some_addr(rc, &l->call, &from);
		l->addr_from = from;
		return v;
	case GMEM_P_SIZE:
		if (p->offset == offsetof(struct gmem_call, size))
			return some_size(rc, &l->call);
		if (p->offset == offsetof(struct gmem_call, error_offset))
			return one_in(rc, ODD / 2) * PAGE * below(rc, 8);
		if (rc->has_huge_pages && below(rc, 3))
			return some_huge_pages(rc, 1);
		return random_offset(rc->random, 6 * PAGE) + some_huge_pages(rc, 1);
	case GMEM_P_WIDTH:
		return UINT64_C(1) << below(rc, 4);
	case GMEM_P_FLAGS:
		return some_flags(rc, &l->call, p);
	case GMEM_P_NAME:
		return some_name(rc, &l->call, p);
	case GMEM_P_INT:
		return some_int(rc, &l->call);
	default:
		return some_hex(rc, &l->call, p);
	}
}
