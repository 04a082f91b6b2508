/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random calls for tests without a kernel; see random-calls.h.
 *
 * The world is kept small so that things meet: a dozen guest pages, eight pages a file, four
 * memslots. Every other world opens with a memslot that is bound, so that what needs one is not
 * rare. One parameter in forty or so is wrong on purpose.
 */
#include <string.h>

#include "random-calls.h"

#define PAGE GMEM_PAGE_SIZE
#define BASE_GPA 0x100000
#define ODD 40 /* one parameter in so many is odd */

static const uint8_t weights[GMEM_NR_VERBS] = {
	[GMEM_CHECK_EXTENSION] = 2,
	[GMEM_CREATE_VM] = 2,
	[GMEM_CREATE_GUEST_MEMFD] = 8,
	[GMEM_SET_USER_MEMORY_REGION] = 6,
	[GMEM_SET_USER_MEMORY_REGION2] = 18,
	[GMEM_SET_MEMORY_ATTRIBUTES] = 9,
	[GMEM_SET_MEMORY_ATTRIBUTES2] = 1,
	[GMEM_FALLOCATE] = 14,
	[GMEM_FTRUNCATE] = 1,
	[GMEM_FCHMOD] = 1,
	[GMEM_FCHOWN] = 1,
	[GMEM_FUTIMENS] = 1,
	[GMEM_READ] = 1,
	[GMEM_WRITE] = 1,
	[GMEM_PREAD] = 1,
	[GMEM_PWRITE] = 1,
	[GMEM_LSEEK] = 1,
	[GMEM_FSYNC] = 1,
	[GMEM_FCNTL] = 1,
	[GMEM_FSTAT] = 2,
	[GMEM_FSTATFS] = 1,
	[GMEM_CACHESTAT] = 4,
	[GMEM_MMAP] = 12,
	[GMEM_MUNMAP] = 4,
	[GMEM_MPROTECT] = 4,
	[GMEM_MADVISE] = 8,
	[GMEM_FORK] = 2,
	[GMEM_EXIT] = 2,
	[GMEM_LOAD] = 10,
	[GMEM_STORE] = 8,
	[GMEM_PIN] = 4,
	[GMEM_UNPIN] = 3,
	[GMEM_PIN_LOAD] = 4,
	[GMEM_PIN_STORE] = 3,
	[GMEM_GUEST_LOAD] = 12,
	[GMEM_GUEST_STORE] = 12,
	[GMEM_POPULATE] = 6,
	[GMEM_PRE_FAULT_MEMORY] = 5,
	[GMEM_MEMORY_FAILURE] = 4,
	[GMEM_INJECT] = 4,
	[GMEM_DUP] = 2,
	[GMEM_CLOSE] = 5,
};

static uint64_t below(struct random_calls *rc, uint64_t n)
{
	return random_below(rc->random, n);
}

static int one_in(struct random_calls *rc, uint64_t n)
{
	return random_one_in(rc->random, n);
}

/* ---- handles ---- */

/* The number of a call that bound one of these kinds to the task; -1 if there is none. */
static int32_t pick(struct random_calls *rc, uint32_t task, uint32_t kinds)
{
	int32_t found = -1;
	uint32_t i, n = 0;

	for (i = 0; i < rc->nr_calls; i++)
		if ((rc->kind[i] & kinds) && (rc->had_by[i] >> task & 1) && !below(rc, ++n))
			found = (int32_t)i;
	return found;
}

static int is_ioctl(uint32_t verb)
{
	return verb <= GMEM_SET_MEMORY_ATTRIBUTES2;
}

static uint64_t some_fd(struct random_calls *rc, const struct gmem_call *c,
			const struct gmem_param *p, int32_t *from)
{
	uint32_t kinds = p->fds;

	if (one_in(rc, 20) && is_ioctl(c->verb))
		kinds = GMEM_FD_ANY;
	*from = pick(rc, c->task, kinds);
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
	if (one_in(rc, ODD))
		return random_odd(rc->random);
	*from = one_in(rc, 10) ? -1 : pick(rc, c->task, RANDOM_CALLS_MAPPING);
	if (*from < 0)
		return 0;
	if (touches)
		offset += below(rc, 4) ? 8 * below(rc, 4) : PAGE - 8 + below(rc, 8);
	return one_in(rc, ODD) ? offset + 1 + below(rc, PAGE - 1) : offset;
}

/* ---- numbers ---- */

static uint64_t some_gpa(struct random_calls *rc, const struct gmem_call *c)
{
	uint64_t gpa = BASE_GPA + PAGE * below(rc, 12);

	if (one_in(rc, ODD))
		return random_odd(rc->random) & ~UINT64_C(7);
	if (c->verb == GMEM_GUEST_LOAD || c->verb == GMEM_GUEST_STORE)
		return gpa + 8 * below(rc, 4);
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
		if (below(rc, 3))
			return GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED * below(rc, 2);
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
	if (p->optional) /* argp */
		return one_in(rc, ODD);
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
	return one_in(rc, 12) ? slots[below(rc, 6)] : below(rc, 4);
}

static uint64_t some_hex(struct random_calls *rc, const struct gmem_call *c,
			 const struct gmem_param *p)
{
	switch (p->offset) {
	case offsetof(struct gmem_call, gpa):
		return some_gpa(rc, c);
	case offsetof(struct gmem_call, offset): /* in a pin */
		return PAGE * below(rc, 6) + 8 * below(rc, 4) + one_in(rc, 20) * 4093;
	case offsetof(struct gmem_call, flags):
		return one_in(rc, ODD);
	default:
		return 1 + below(rc, 255) + (below(rc, 255) << 32);
	}
}

static uint64_t make_up(struct random_calls *rc, struct linked_call *l, const struct gmem_param *p)
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
		return p->offset == offsetof(struct gmem_call, size) ?
			       some_size(rc, &l->call) :
			       random_offset(rc->random, 6 * PAGE);
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

/* ---- calls ---- */

static uint32_t some_verb(struct random_calls *rc, uint32_t task)
{
	static const uint8_t meet[] = { GMEM_FALLOCATE,	 GMEM_FALLOCATE,
					GMEM_GUEST_LOAD, GMEM_POPULATE,
					GMEM_POPULATE,	 GMEM_PRE_FAULT_MEMORY,
					GMEM_CREATE_VM,	 GMEM_SET_USER_MEMORY_REGION2 };
	uint32_t verb, total = 0, at;

	if (pick(rc, task, GMEM_FD_VM) < 0 && below(rc, 4))
		return GMEM_CREATE_VM;
	if (pick(rc, task, GMEM_FD_GMEM) < 0 && below(rc, 3))
		return GMEM_CREATE_GUEST_MEMFD;
	if (rc->nr_calls && rc->calls[rc->nr_calls - 1].call.verb == GMEM_INJECT && below(rc, 4))
		return meet[below(rc, sizeof(meet) / sizeof(meet[0]))];
	for (verb = 0; verb < GMEM_NR_VERBS; verb++)
		total += weights[verb];
	at = (uint32_t)below(rc, total);
	for (verb = 0; at >= weights[verb]; verb++)
		at -= weights[verb];
	if ((verb == GMEM_FORK && rc->tasks_ever & 8) || (verb == GMEM_EXIT && !task))
		return GMEM_LOAD;
	return verb;
}

static void choose(struct random_calls *rc, struct linked_call *l, const struct gmem_param *p)
{
	uint64_t v = make_up(rc, l, p);

	if (p->bits == 32 && p->kind != GMEM_P_FD)
		v &= UINT32_MAX;
	memcpy((char *)&l->call + p->offset, &v, sizeof(v));
}

/* Flags first: what an address is for depends on them. */
static void choose_all(struct random_calls *rc, struct linked_call *l)
{
	const struct gmem_param *p;

	for (p = gmem_verb_info(l->call.verb)->params; p->name; p++)
		if (p->kind == GMEM_P_FLAGS)
			choose(rc, l, p);
	for (p = gmem_verb_info(l->call.verb)->params; p->name; p++)
		if (p->kind != GMEM_P_FLAGS)
			choose(rc, l, p);
}

/* An earlier call of the same verb and task again, with one parameter changed. */
static int repeat(struct random_calls *rc, struct linked_call *l)
{
	const struct gmem_param *params = gmem_verb_info(l->call.verb)->params;
	uint32_t i = rc->nr_calls, n = 0;

	while (i-- > 0 &&
	       (rc->calls[i].call.verb != l->call.verb || rc->calls[i].call.task != l->call.task))
		;
	if (i == UINT32_MAX)
		return 0;
	*l = rc->calls[i];
	if (l->call.verb <= GMEM_SET_USER_MEMORY_REGION2 && one_in(rc, 3)) {
		l->call.gpa = UINT64_C(1) << 52; /* no guest has that */
		return 1;
	}
	while (params[n].name)
		n++;
	if (n)
		choose(rc, l, &params[below(rc, n)]);
	return 1;
}

/* What gmem_call() would call misuse is wrong in another way than what is looked for here. */
static void make_sense(struct random_calls *rc, struct gmem_call *c)
{
	if (c->verb == GMEM_FORK)
		c->value = 1 + (rc->tasks_ever >> 1 & 1) + (rc->tasks_ever >> 2 & 1);
	if ((c->verb == GMEM_LOAD || c->verb == GMEM_STORE) && c->addr + c->size <= c->addr)
		c->addr = 0;
	if (c->verb == GMEM_STORE || c->verb == GMEM_PIN_STORE || c->verb == GMEM_GUEST_STORE)
		if (c->size < 8)
			c->value &= (UINT64_C(1) << 8 * c->size) - 1;
}

/* A file of eight pages, bound from the first guest page on, private or not. */
static void open_world(struct random_calls *rc, struct linked_call *l)
{
	static const uint8_t verbs[] = { GMEM_CREATE_VM, GMEM_CREATE_GUEST_MEMFD,
					 GMEM_SET_USER_MEMORY_REGION2, GMEM_SET_MEMORY_ATTRIBUTES };
	struct gmem_call *c = &l->call;

	c->verb = verbs[rc->opening++];
	c->size = 8 * PAGE;
	l->fd_from = 0;
	switch (c->verb) {
	case GMEM_CREATE_VM:
		l->fd_from = -1;
		c->fd = GMEM_KVM_FD;
		c->type = rc->favourite;
		break;
	case GMEM_CREATE_GUEST_MEMFD:
		c->flags = below(rc, 3) ? 0 : GMEM_FLAG_MMAP;
		break;
	case GMEM_SET_USER_MEMORY_REGION2:
		c->flags = GMEM_MEM_GUEST_MEMFD;
		c->gpa = BASE_GPA;
		l->memfd_from = 1;
		break;
	default:
		c->gpa = BASE_GPA;
		c->attributes = GMEM_ATTRIBUTE_PRIVATE * below(rc, 2);
		rc->opening = 0;
	}
}

void random_calls_begin(struct random_calls *rc, struct random *random, uint8_t types)
{
	memset(rc, 0, offsetof(struct random_calls, calls));
	rc->random = random;
	rc->types = types;
	rc->tasks = rc->tasks_ever = 1;
	do
		rc->favourite = (uint8_t)below(rc, 8);
	while (!(types >> rc->favourite & 1));
	rc->opening = 0;
	rc->opens = one_in(rc, 2);
}

void random_call(struct random_calls *rc, struct linked_call *l)
{
	memset(l, 0, sizeof(*l));
	l->fd_from = l->memfd_from = l->addr_from = -1;
	if (rc->opens && (!rc->nr_calls || rc->opening)) {
		open_world(rc, l);
		rc->calls[rc->nr_calls] = *l;
		return;
	}
	if (one_in(rc, 4))
		l->call.task = (uint32_t)below(rc, 4);
	if (rc->nr_calls && rc->calls[rc->nr_calls - 1].call.verb == GMEM_INJECT)
		l->call.task = rc->calls[rc->nr_calls - 1].call.task;
	if (!(rc->tasks >> l->call.task & 1))
		l->call.task = 0;
	l->call.verb = some_verb(rc, l->call.task);
	if (!one_in(rc, 6) || !repeat(rc, l))
		choose_all(rc, l);
	make_sense(rc, &l->call);
	rc->calls[rc->nr_calls] = *l;
}

static void note_binding(struct random_calls *rc, const struct linked_call *l, uint32_t n)
{
	const struct gmem_verb_info *info = gmem_verb_info(l->call.verb);

	if (info->binds == GMEM_BINDS_ADDR)
		rc->kind[n] = RANDOM_CALLS_MAPPING;
	else if (l->call.verb == GMEM_DUP)
		rc->kind[n] = l->fd_from < 0 ? GMEM_FD_KVM : rc->kind[l->fd_from];
	else
		rc->kind[n] = info->binds_fd;
	rc->had_by[n] = UINT32_C(1) << l->call.task;
}

void random_call_result(struct random_calls *rc, const struct gmem_result *r)
{
	uint32_t n = rc->nr_calls++, i;
	const struct linked_call *l = &rc->calls[n];
	uint32_t bit = UINT32_C(1) << l->call.task;

	rc->kind[n] = rc->had_by[n] = 0;
	if (!result_succeeded(r))
		return;
	switch (l->call.verb) {
	case GMEM_FORK:
		rc->tasks |= UINT32_C(1) << l->call.value;
		rc->tasks_ever |= rc->tasks;
		for (i = 0; i < n; i++)
			rc->had_by[i] |= (rc->had_by[i] & bit) ? UINT32_C(1) << l->call.value : 0;
		break;
	case GMEM_EXIT:
		rc->tasks &= ~bit;
		break;
	case GMEM_CLOSE:
	case GMEM_UNPIN:
		if (l->fd_from >= 0 && below(rc, 8)) /* now and then it is used again */
			rc->had_by[l->fd_from] &= ~bit;
		break;
	default:
		if (gmem_verb_info(l->call.verb)->binds != GMEM_BINDS_NOTHING)
			note_binding(rc, l, n);
	}
}
