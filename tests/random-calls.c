/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random calls for tests without a kernel; see random-calls.h.
 *
 * The world is kept small so that things meet: a dozen guest pages, eight pages a file, four
 * memslots. Every other world opens with a memslot that is bound, so that what needs one is not
 * rare. One parameter in forty or so is wrong on purpose.
 *
 * Where pages convert, conversions are frequent, and where they may be huge one world in three has
 * huge pages of 2 MiB: two of them a file, and ranges that begin and end in their middle.
 */
#include <stdbool.h>
#include <string.h>

#include "random-params.h"

static const uint8_t weights[GMEM_NR_VERBS] = {
	[GMEM_CHECK_EXTENSION] = 2,
	[GMEM_CREATE_VM] = 2,
	[GMEM_CREATE_GUEST_MEMFD] = 8,
	[GMEM_SET_USER_MEMORY_REGION] = 6,
	[GMEM_SET_USER_MEMORY_REGION2] = 18,
	[GMEM_SET_MEMORY_ATTRIBUTES] = 9,
	[GMEM_SET_MEMORY_ATTRIBUTES2] = 1,
	[GMEM_CONVERT_SHARED] = 1,
	[GMEM_CONVERT_PRIVATE] = 1,
	[GMEM_ENABLE_CAP] = 1,
	[GMEM_LAUNCH_FINISH] = 1,
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
	[GMEM_THREAD] = 2,
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

/* Of those that are told, or do something else, in the ancestors. */
static uint32_t weight_of_ancestor(const struct random_calls *rc, uint32_t verb)
{
	bool memfile = rc->family == RANDOM_CALLS_MEMFILE;

	switch (verb) {
	case GMEM_MEMFD_CREATE:
		return memfile ? 8 : 1;
	case GMEM_MEMFD_RESTRICTED:
		return memfile ? 1 : 8;
	case GMEM_OPEN_MOUNT:
		return rc->family == RANDOM_CALLS_SHIM ? 4 : 1;
	case GMEM_REG_REGION:
	case GMEM_UNREG_REGION:
		return memfile ? 6 : 1;
	case GMEM_RMMOD: /* the shim's operations can go, and then something is wrong */
		return rc->family != RANDOM_CALLS_SHIM;
	case GMEM_CREATE_GUEST_MEMFD:
		return 1;
	case GMEM_FTRUNCATE:
		return 8;
	case GMEM_READ:
	case GMEM_WRITE:
	case GMEM_PREAD:
	case GMEM_PWRITE:
	case GMEM_LSEEK:
	case GMEM_FCNTL:
		return 3;
	default:
		return weights[verb];
	}
}

/* More of those that the profile has. */
static uint32_t weight(const struct random_calls *rc, uint32_t verb)
{
	if (rc->family)
		return weight_of_ancestor(rc, verb);
	switch (verb) {
	case GMEM_SET_MEMORY_ATTRIBUTES2:
		return rc->converts == RANDOM_CALLS_ATTRIBUTES ? 30 : weights[verb];
	case GMEM_CONVERT_SHARED:
	case GMEM_CONVERT_PRIVATE:
		return rc->converts == RANDOM_CALLS_SHAREABILITY ? 16 : weights[verb];
	case GMEM_INJECT: /* a conversion can fail in more than one place */
		return rc->converts ? 3 * weights[verb] : weights[verb];
	default:
		return weights[verb];
	}
}

/* ---- calls ---- */

static uint32_t free_task(const struct random_calls *rc)
{
	uint32_t task = 0;

	while (rc->tasks >> task & 1)
		task++;
	return task;
}

static int cannot_be(const struct random_calls *rc, uint32_t verb, uint32_t task)
{
	switch (verb) {
	case GMEM_FORK:
		return rc->processes == 32 || free_task(rc) == RANDOM_CALLS_TASKS;
	case GMEM_THREAD:
		return free_task(rc) == RANDOM_CALLS_TASKS;
	case GMEM_EXIT:
		return !task;
	default:
		return 0;
	}
}

static uint32_t some_conversion(struct random_calls *rc)
{
	if (rc->converts == RANDOM_CALLS_ATTRIBUTES)
		return GMEM_SET_MEMORY_ATTRIBUTES2;
	return GMEM_CONVERT_SHARED + (uint32_t)below(rc, 2);
}

/* What makes a file that memslots can use. */
static uint32_t maker(const struct random_calls *rc)
{
	if (!rc->family)
		return GMEM_CREATE_GUEST_MEMFD;
	return rc->family == RANDOM_CALLS_MEMFILE ? GMEM_MEMFD_CREATE : GMEM_MEMFD_RESTRICTED;
}

static uint32_t some_verb(struct random_calls *rc, uint32_t task)
{
	static const uint8_t meet[] = { GMEM_FALLOCATE,
					GMEM_FALLOCATE,
					GMEM_GUEST_LOAD,
					GMEM_POPULATE,
					GMEM_POPULATE,
					GMEM_PRE_FAULT_MEMORY,
					GMEM_CREATE_VM,
					GMEM_SET_USER_MEMORY_REGION2,
					GMEM_SET_MEMORY_ATTRIBUTES };
	uint32_t verb, total = 0, at;

	if (some_result(rc, task, GMEM_FD_VM) < 0 && below(rc, 4))
		return GMEM_CREATE_VM;
	if (some_result(rc, task, GMEM_FD_GMEM) < 0 && below(rc, 3))
		return maker(rc);
	if (follows_inject(rc) && below(rc, 4)) {
		if (rc->converts && one_in(rc, rc->has_huge_pages ? 2 : 3))
			return some_conversion(rc);
		return meet[below(rc, sizeof(meet) / sizeof(meet[0]))];
	}
	for (verb = 0; verb < GMEM_NR_VERBS; verb++)
		total += weight(rc, verb);
	at = (uint32_t)below(rc, total);
	for (verb = 0; at >= weight(rc, verb); verb++)
		at -= weight(rc, verb);
	return cannot_be(rc, verb, task) ? GMEM_LOAD : verb;
}

static void choose(struct random_calls *rc, struct linked_call *l, const struct gmem_param *p)
{
	uint64_t v = make_up(rc, l, p);

	if (p->bits == 32 && p->kind != GMEM_P_FD)
		v &= UINT32_MAX;
	*call_field(&l->call, p->offset) = v;
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
static void make_sense(struct random_calls *rc, struct linked_call *l)
{
	struct gmem_call *c = &l->call;

	/* The first posting has it for a VM, too, whose pages are elsewhere. */
	if (c->verb == GMEM_SET_MEMORY_ATTRIBUTES2 && l->fd_from >= 0 &&
	    rc->kind[l->fd_from] == GMEM_FD_VM && c->offset < BASE_GPA)
		c->offset += BASE_GPA;
	if (rc->family == RANDOM_CALLS_MEMFILE && c->verb == GMEM_MMAP &&
	    !(c->flags & GMEM_MAP_ANONYMOUS) && (c->flags & 0xf) == GMEM_MAP_PRIVATE)
		c->flags ^= GMEM_MAP_PRIVATE | GMEM_MAP_SHARED;
	if (c->verb == GMEM_FORK || c->verb == GMEM_THREAD)
		c->value = free_task(rc);
	if ((c->verb == GMEM_LOAD || c->verb == GMEM_STORE) && c->addr + c->size <= c->addr)
		c->addr = 0;
	if (c->verb == GMEM_STORE || c->verb == GMEM_PIN_STORE || c->verb == GMEM_GUEST_STORE)
		if (c->size < 8)
			c->value &= (UINT64_C(1) << 8 * c->size) - 1;
}

/*
 * A file of eight pages, bound from the first guest page on, private or not. Where pages convert
 * it is mapped, its VM leaves private tracking to it where there is such a thing, and its first
 * pages are shared.
 */
static void open_world(struct random_calls *rc, struct linked_call *l)
{
	static const uint8_t verbs[] = { GMEM_CREATE_VM,
					 GMEM_CREATE_GUEST_MEMFD,
					 GMEM_ENABLE_CAP,
					 GMEM_SET_USER_MEMORY_REGION2,
					 GMEM_SET_MEMORY_ATTRIBUTES,
					 GMEM_MMAP,
					 GMEM_SET_MEMORY_ATTRIBUTES2 };
	struct gmem_call *c = &l->call;

	c->verb = verbs[rc->opening++];
	c->size = rc->has_huge_pages ? 2 * HUGE_PAGE : 8 * PAGE;
	l->fd_from = 0;
	switch (c->verb) {
	case GMEM_CREATE_VM:
		l->fd_from = -1;
		c->fd = GMEM_KVM_FD;
		c->type = rc->favourite;
		break;
	case GMEM_CREATE_GUEST_MEMFD:
		c->flags = below(rc, 3) ? 0 : GMEM_FLAG_MMAP;
		if (rc->converts)
			c->flags = some_file_flags(rc);
		if (rc->order_is_a_field && c->flags & GMEM_FLAG_HUGETLB)
			c->page_order = 9;
		break;
	case GMEM_SET_USER_MEMORY_REGION2:
		c->flags = GMEM_MEM_GUEST_MEMFD;
		c->gpa = BASE_GPA;
		l->memfd_from = 1;
		break;
	case GMEM_SET_MEMORY_ATTRIBUTES:
		c->gpa = BASE_GPA;
		c->attributes = GMEM_ATTRIBUTE_PRIVATE * below(rc, 2);
		rc->opening = rc->converts ? rc->opening : 0;
		break;
	case GMEM_ENABLE_CAP:
		c->cap = GMEM_CAP_DISABLE_LEGACY_PRIVATE_TRACKING;
		break;
	case GMEM_MMAP:
		l->fd_from = 1;
		c->prot = 3;
		c->flags = GMEM_MAP_SHARED;
		break;
	default:
		l->fd_from = 1;
		c->size = PAGE * (1 + below(rc, 8));
		rc->opening = 0;
	}
}

/*
 * The same for an ancestor: the file has to be made bigger first, and the shim wants a mount. What
 * makes it is the last but two.
 */
static void open_ancestors_world(struct random_calls *rc, struct linked_call *l)
{
	static const uint8_t steps[] = { GMEM_CREATE_VM, GMEM_OPEN_MOUNT, GMEM_MEMFD_RESTRICTED,
					 GMEM_FTRUNCATE, GMEM_SET_USER_MEMORY_REGION2 };
	struct gmem_call *c = &l->call;

	c->verb = steps[rc->opening++];
	switch (c->verb) {
	case GMEM_CREATE_VM:
		c->fd = GMEM_KVM_FD;
		c->type = rc->favourite;
		break;
	case GMEM_OPEN_MOUNT:
		c->mode = GMEM_MOUNT_TMPFS | GMEM_MOUNT_NOEXEC;
		break;
	case GMEM_MEMFD_RESTRICTED:
		c->verb = maker(rc);
		l->memfd_from = c->verb == GMEM_MEMFD_RESTRICTED ? 1 : -1;
		c->flags = c->verb == GMEM_MEMFD_CREATE && below(rc, 4) ? GMEM_MFD_INACCESSIBLE : 0;
		break;
	case GMEM_FTRUNCATE:
		l->fd_from = 2;
		c->length = 8 * PAGE;
		break;
	default:
		l->fd_from = 0;
		l->memfd_from = 2;
		c->flags = GMEM_MEM_GUEST_MEMFD;
		c->gpa = BASE_GPA;
		c->size = 8 * PAGE;
		rc->opening = 0;
	}
}

static uint64_t number_of(const struct gmem_profile *p, const char *name)
{
	struct gmem_number number;
	unsigned int n;

	for (n = 0; gmem_profile_number(p, n, &number); n++)
		if (!strcmp(number.name, name))
			return number.value;
	return 0;
}

static void look_at_profile(struct random_calls *rc, const struct gmem_profile *p)
{
	rc->init_private = number_of(p, "has_shareability") != 0;
	rc->converts = rc->init_private			   ? RANDOM_CALLS_SHAREABILITY :
		       number_of(p, "has_file_attributes") ? RANDOM_CALLS_ATTRIBUTES :
							     RANDOM_CALLS_NONE;
	rc->has_huge_pages = number_of(p, "hugetlb") && one_in(rc, 3);
	rc->order_is_a_field = !rc->init_private;
	if (number_of(p, "unpinned_operations"))
		rc->family = RANDOM_CALLS_SHIM;
	else if (number_of(p, "ancestor"))
		rc->family = gmem_profile_has(p, GMEM_MEMFD_CREATE) ? RANDOM_CALLS_MEMFILE :
								      RANDOM_CALLS_RESTRICTED;
}

void random_calls_begin(struct random_calls *rc, struct random *random,
			const struct gmem_profile *profile, uint8_t types)
{
	memset(rc, 0, offsetof(struct random_calls, calls));
	rc->random = random;
	rc->types = types;
	look_at_profile(rc, profile);
	rc->tasks = rc->processes = 1;
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
		if (rc->family)
			open_ancestors_world(rc, l);
		else
			open_world(rc, l);
		rc->calls[rc->nr_calls] = *l;
		return;
	}
	if (one_in(rc, 4))
		l->call.task = (uint32_t)below(rc, RANDOM_CALLS_TASKS);
	if (follows_inject(rc) && below(rc, 8)) /* or another task comes first */
		l->call.task = rc->calls[rc->nr_calls - 1].call.task;
	if (!(rc->tasks >> l->call.task & 1))
		l->call.task = 0;
	l->call.verb = some_verb(rc, l->call.task);
	if (!one_in(rc, 6) || !repeat(rc, l))
		choose_all(rc, l);
	make_sense(rc, l);
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
	rc->had_by[n] = random_process_bit(rc, l->call.task);
}

/* A thread is of the process that makes it; a child has what the process had until then. */
static void note_task(struct random_calls *rc, const struct linked_call *l)
{
	uint32_t task = (uint32_t)l->call.value, parent = random_process_bit(rc, l->call.task), i;

	rc->tasks |= UINT32_C(1) << task;
	rc->process[task] = rc->process[l->call.task];
	if (l->call.verb == GMEM_THREAD)
		return;
	rc->process[task] = rc->processes++;
	for (i = 0; i < rc->nr_calls; i++)
		if (rc->had_by[i] & parent)
			rc->had_by[i] |= random_process_bit(rc, task);
}

void random_call_result(struct random_calls *rc, const struct gmem_result *r)
{
	uint32_t n = rc->nr_calls++;
	const struct linked_call *l = &rc->calls[n];

	rc->kind[n] = rc->had_by[n] = 0;
	if (!result_succeeded(r))
		return;
	switch (l->call.verb) {
	case GMEM_FORK:
	case GMEM_THREAD:
		note_task(rc, l);
		break;
	case GMEM_EXIT:
		rc->tasks &= ~(UINT32_C(1) << l->call.task);
		break;
	case GMEM_CLOSE:
	case GMEM_UNPIN:
		if (l->fd_from >= 0 && below(rc, 8)) /* now and then it is used again */
			rc->had_by[l->fd_from] &= ~random_process_bit(rc, l->call.task);
		break;
	default:
		if (gmem_verb_info(l->call.verb)->binds != GMEM_BINDS_NOTHING)
			note_binding(rc, l, n);
	}
}
