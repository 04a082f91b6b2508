/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How designs make VMs and the files that are their memory; see translate.c. A guest_memfd is made with
 * its size and for a VM; what came before it is made for nobody, gets its size once, and may
 * need a seal or a mount.
 */
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "mounted.h"
#include "translate-parts.h"

#define ALLOW_SEALING UINT64_C(2) /* MFD_ */

#define HUGE_BITS (UINT64_C(63) << GMEM_FLAG_HUGE_SHIFT)

/* What the design cannot say goes, and into the note. */
static uint64_t only(struct translator *x, uint64_t flags, struct told *told)
{
	const struct gmem_param *p = &gmem_verb_info(GMEM_CREATE_GUEST_MEMFD)->params[2];
	const uint64_t known = GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED | GMEM_FLAG_HUGETLB;
	uint64_t lacks = flags & known & ~profile_number(x->profile, "create_flags");
	struct text t;

	if (!lacks)
		return flags;
	text_begin(&t);
	trace_print_names(t.f, lacks, p->names, p->kind);
	text_end(&t);
	say(told, "it has no flag %s", t.bytes);
	free(t.bytes);
	return flags & ~lacks;
}

/* The flags MMAP and INIT_SHARED, and huge pages in page_order, as this design says them. */
static void put_flags(struct translator *x, struct gmem_call *call, int outside, struct told *told)
{
	if (outside)
		call->flags &= ~(GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED);
	if (x->family != FAMILY_SHAREABILITY) {
		call->flags = only(x, call->flags, told);
		if (!(call->flags & GMEM_FLAG_HUGETLB))
			call->page_order = 0;
		return;
	}
	/* without SUPPORT_SHARED its pages do not convert; the bit of INIT_SHARED is turned round */
	if (!(call->flags & GMEM_FLAG_MMAP) && x->from_family == FAMILY_COCO)
		say(told, "a file whose pages convert can be mapped");
	if ((call->flags & (GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED)) ||
	    x->from_family == FAMILY_COCO)
		call->flags = (call->flags | GMEM_FLAG_SUPPORT_SHARED) ^ GMEM_FLAG_INIT_PRIVATE;
	if (call->flags & GMEM_FLAG_HUGETLB)
		call->flags |= (call->page_order + GMEM_PAGE_SHIFT) << GMEM_FLAG_HUGE_SHIFT;
	call->page_order = 0;
}

/* From what shareability calls them: the other way round. */
static void read_flags(struct gmem_call *call)
{
	uint64_t shift = call->flags >> GMEM_FLAG_HUGE_SHIFT;

	if (call->flags & GMEM_FLAG_SUPPORT_SHARED)
		call->flags ^= GMEM_FLAG_INIT_SHARED;
	if ((call->flags & GMEM_FLAG_HUGETLB) && shift > GMEM_PAGE_SHIFT)
		call->page_order = shift - GMEM_PAGE_SHIFT;
	call->flags &= ~HUGE_BITS;
}

static int is_in_file(const struct translator *x, size_t vm)
{
	if (x->from_family & (FAMILY_COCO | FAMILY_SHAREABILITY))
		return 1;
	return x->from_family == FAMILY_LINUX &&
	       (profile_number(x->from_profile, "create_flags") & GMEM_FLAG_MMAP) &&
	       !vm_has_private_memory(x, (int32_t)vm);
}

/* Where files convert only if their VM leaves it to them, it does, as it does elsewhere by itself. */
void translate_create_vm(struct translator *x, size_t n, const struct translate_row *row,
			 struct told *told)
{
	const struct trace_call *from = &x->from->calls[n];
	struct linked_call l = { .memfd_from = -1, .addr_from = -1 };

	if (!add_written(x, n, told) || !from->name[0] || from->nr_demands)
		return;
	if (!profile_number(x->profile, "either_or") ||
	    profile_number(x->from_profile, "either_or") || !is_in_file(x, n))
		return;
	l.fd_from = (int32_t)x->t.nr_calls - 1;
	l.call = (struct gmem_call){ .verb = row->verb,
				     .task = from->linked.call.task,
				     .cap = row->word };
	add_call(x, n, &l, told);
	told->how = TOLD_BY_OTHERS;
}

static void create_alike(struct translator *x, size_t n, const struct translate_row *row,
			 struct told *told)
{
	struct trace_call *c = add_written(x, n, told);
	struct gmem_call was;

	(void)row;
	if (!c)
		return;
	was = c->linked.call;
	if (x->from_family == FAMILY_SHAREABILITY && x->family == FAMILY_SHAREABILITY)
		return;
	if (x->from_family == FAMILY_SHAREABILITY)
		read_flags(&c->linked.call);
	put_flags(x, &c->linked.call, needs_stand_in(x, (int32_t)n), told);
	if (memcmp(&was, &c->linked.call, sizeof(was)))
		told->how = TOLD_BY_OTHERS;
}

/* ---- what is known of a file by later calls ---- */

static const struct gmem_call *call_of(const struct translator *x, size_t n)
{
	return &x->from->calls[n].linked.call;
}

/* The next call of that kind on what call number file made; 0 if there is none. */
static size_t next_on(const struct translator *x, int32_t file, size_t n, uint32_t verb)
{
	while (++n < x->from->nr_calls) {
		const struct linked_call *l = &x->from->calls[n].linked;
		int32_t on = verb == GMEM_SET_USER_MEMORY_REGION2 ? l->memfd_from : l->fd_from;

		if (l->call.verb == verb && on >= 0 && root_of(x, on) == file)
			return n;
	}
	return 0;
}

static int has_inaccessible(const struct gmem_profile *p)
{
	return !!(profile_number(p, "memfd_flags") & GMEM_MFD_INACCESSIBLE);
}

static int is_own_seal(const struct translator *x, const struct gmem_call *call)
{
	return call->verb == GMEM_FCNTL && call->cmd == GMEM_F_ADD_SEALS &&
	       !has_inaccessible(x->from_profile) &&
	       (call->value & profile_number(x->from_profile, "own_seal"));
}

/* 1 if the memfd is, or will be, out of the program's reach. */
static int will_be_inaccessible(const struct translator *x, size_t n)
{
	size_t seal = next_on(x, (int32_t)n, n, GMEM_FCNTL);

	if (call_of(x, n)->verb != GMEM_MEMFD_CREATE ||
	    (call_of(x, n)->flags & GMEM_MFD_INACCESSIBLE))
		return 1;
	return seal && is_own_seal(x, call_of(x, seal));
}

/* The VM that will have the file in a memslot; or else the last before, or the next; -1 if there is none. */
static int32_t vm_for(const struct translator *x, size_t n)
{
	size_t bind = next_on(x, (int32_t)n, n, GMEM_SET_USER_MEMORY_REGION2), i;

	if (bind)
		return root_of(x, x->from->calls[bind].linked.fd_from);
	for (i = n; i--;)
		if (call_of(x, i)->verb == GMEM_CREATE_VM)
			return (int32_t)i;
	for (i = n; ++i < x->from->nr_calls;)
		if (call_of(x, i)->verb == GMEM_CREATE_VM && may_succeed(x->from, i))
			return (int32_t)i;
	return -1;
}

/* ---- making files ---- */

static void none(struct told *told, const char *why)
{
	told->how = TOLD_BY_NONE;
	say(told, "%s", why);
}

/* What is wrong with a call must not get lost in one that has no place for it. 1 if something is. */
static int is_no_file(const struct translator *x, size_t n, struct told *told)
{
	const struct gmem_call *call = call_of(x, n);
	uint64_t known = 0;

	if (call->verb == GMEM_CREATE_GUEST_MEMFD)
		known = profile_number(x->from_profile, "create_flags");
	else if (call->verb == GMEM_MEMFD_CREATE)
		known = profile_number(x->from_profile, "memfd_flags");
	if (x->from_family == FAMILY_SHAREABILITY)
		known |= HUGE_BITS;
	if (call->flags & ~known)
		none(told, "it has no such flag");
	return !!(call->flags & ~known);
}

size_t sizes_it(const struct translator *x, int32_t file)
{
	size_t i = (size_t)file;

	while ((i = next_on(x, file, i, GMEM_FTRUNCATE)))
		if (may_succeed(x->from, i) && call_of(x, i)->length)
			return i;
	return 0;
}

/* The end of what such calls take of the file. */
static uint64_t end_of(const struct translator *x, size_t n, uint32_t verb)
{
	uint64_t most = 0, end;
	size_t i;

	for (i = n; (i = next_on(x, (int32_t)n, i, verb));) {
		const struct gmem_call *call = call_of(x, i);

		end = call->offset + (verb == GMEM_FALLOCATE ? call->length : call->size);
		if ((verb != GMEM_FALLOCATE || !call->mode) && may_succeed(x->from, i) &&
		    end > most)
			most = end;
	}
	return (most + GMEM_PAGE_SIZE - 1) & ~(uint64_t)(GMEM_PAGE_SIZE - 1);
}

/*
 * What the trace gives the file: by ftruncate, or by allocations past its end; else what a memslot takes.
 * 0 if nobody says.
 */
static uint64_t size_given(const struct translator *x, size_t n)
{
	size_t i = sizes_it(x, (int32_t)n);
	uint64_t size = i ? call_of(x, i)->length : end_of(x, n, GMEM_FALLOCATE);

	return size ? size : end_of(x, n, GMEM_SET_USER_MEMORY_REGION2);
}

/* The VM that a file is for, of a trace that has none. */
static int32_t add_vm(struct translator *x, size_t n, struct told *told)
{
	struct linked_call l = { .fd_from = -1, .memfd_from = -1, .addr_from = -1 };
	struct trace_call *c;

	l.call = (struct gmem_call){ .verb = GMEM_CREATE_VM,
				     .task = call_of(x, n)->task,
				     .fd = GMEM_KVM_FD,
				     .type = GMEM_VM_SW_PROTECTED };
	c = add_call(x, n, &l, told);
	invent_name(x, c, x->from->calls[n].name, "_vm");
	told->main = 1;
	return (int32_t)x->t.nr_calls - 1;
}

/* What becomes private only later, and where files convert that is theirs to know. */
static uint64_t flags_that_begin_shared(const struct translator *x, size_t n)
{
	if (!(x->family & FAMILY_COCO) || !begins_shared(x, (int32_t)n))
		return 0;
	return profile_number(x->profile, "create_flags") & GMEM_FLAG_INIT_SHARED;
}

/* A guest_memfd for what was made without a VM and without a size. */
static void make_guest_memfd(struct translator *x, size_t n, struct told *told)
{
	struct linked_call l = { .fd_from = -1, .memfd_from = -1, .addr_from = -1 };
	uint64_t size = size_given(x, n);
	int32_t vm = vm_for(x, n);

	if (is_no_file(x, n, told))
		return;
	if (!will_be_inaccessible(x, n)) {
		none(told, "it has no such memfd");
		return;
	}
	if (!size) {
		none(told, "it needs the size, which is not given");
		return;
	}
	if (vm > (int32_t)n && x->handles[vm].call < 0) {
		wait_for_vm(x, n, vm, told);
		return;
	}
	if (vm < 0)
		l.fd_from = add_vm(x, n, told);
	else if (!find_handle(x, vm, &l.fd_from, NULL, told))
		return;
	l.call = (struct gmem_call){ .verb = GMEM_CREATE_GUEST_MEMFD,
				     .task = call_of(x, n)->task,
				     .size = size,
				     .flags = flags_that_begin_shared(x, n) };
	add_call(x, n, &l, told);
	told->how = TOLD_BY_OTHERS;
}

void translate_guest_memfd(struct translator *x, size_t n, const struct translate_row *row,
			   struct told *told)
{
	if (call_of(x, n)->verb == row->verb)
		create_alike(x, n, row, told);
	else
		make_guest_memfd(x, n, told);
}

/* The size, where the trace gave it when it made the file. */
static void add_size(struct translator *x, size_t n, int32_t fd, struct told *told)
{
	struct linked_call l = { .fd_from = fd, .memfd_from = -1, .addr_from = -1 };

	if (call_of(x, n)->verb != GMEM_CREATE_GUEST_MEMFD)
		return;
	l.call = (struct gmem_call){ .verb = GMEM_FTRUNCATE,
				     .task = call_of(x, n)->task,
				     .length = call_of(x, n)->size };
	add_call(x, n, &l, told);
}

/* Where there is no flag for it, a seal takes the file out of reach. */
static void add_seal(struct translator *x, size_t n, int32_t fd, struct told *told)
{
	struct linked_call l = { .fd_from = fd, .memfd_from = -1, .addr_from = -1 };

	if (has_inaccessible(x->profile))
		return;
	l.call = (struct gmem_call){ .verb = GMEM_FCNTL,
				     .task = call_of(x, n)->task,
				     .cmd = GMEM_F_ADD_SEALS,
				     .value = profile_number(x->profile, "own_seal") };
	add_call(x, n, &l, told);
}

void translate_memfd(struct translator *x, size_t n, const struct translate_row *row,
		     struct told *told)
{
	struct linked_call l = { .fd_from = -1, .memfd_from = -1, .addr_from = -1 };
	int inaccessible = has_inaccessible(x->profile);

	if (!will_be_inaccessible(x, n) || (call_of(x, n)->verb == row->verb &&
					    inaccessible == has_inaccessible(x->from_profile))) {
		add_written(x, n, told);
		return;
	}
	if (is_no_file(x, n, told))
		return;
	l.call = (struct gmem_call){ .verb = row->verb,
				     .task = call_of(x, n)->task,
				     .flags = inaccessible ? GMEM_MFD_INACCESSIBLE :
							     ALLOW_SEALING };
	add_call(x, n, &l, told);
	l.fd_from = (int32_t)x->t.nr_calls - 1;
	add_seal(x, n, l.fd_from, told);
	add_size(x, n, l.fd_from, told);
	told->how = TOLD_BY_OTHERS;
}

/* The shim makes its files on a mount that the program brings. */
static int32_t add_mount(struct translator *x, size_t n, struct told *told)
{
	struct linked_call l = { .fd_from = -1, .memfd_from = -1, .addr_from = -1 };
	struct trace_call *c;

	l.call = (struct gmem_call){ .verb = GMEM_OPEN_MOUNT,
				     .task = call_of(x, n)->task,
				     .mode = GMEM_MOUNT_TMPFS | GMEM_MOUNT_NOEXEC };
	c = add_call(x, n, &l, told);
	invent_name(x, c, x->from->calls[n].name, "_mount");
	told->main = 1;
	return (int32_t)x->t.nr_calls - 1;
}

static int needs_mount(const struct gmem_profile *p)
{
	return (int)profile_number(p, "unpinned_operations");
}

/* Of use only where files are made on it. */
void translate_mount(struct translator *x, size_t n, const struct translate_row *row,
		     struct told *told)
{
	(void)row;
	if (needs_mount(x->profile)) {
		add_written(x, n, told);
		return;
	}
	told->how = TOLD_BEFORE;
	say(told, "it needs no mount");
}

void translate_restricted(struct translator *x, size_t n, const struct translate_row *row,
			  struct told *told)
{
	struct linked_call l = { .fd_from = -1, .memfd_from = -1, .addr_from = -1 };

	if (call_of(x, n)->verb == row->verb &&
	    needs_mount(x->profile) == needs_mount(x->from_profile)) {
		add_written(x, n, told);
		return;
	}
	if (is_no_file(x, n, told))
		return;
	if (!will_be_inaccessible(x, n)) {
		none(told, "it has no such memfd");
		return;
	}
	if (needs_mount(x->profile))
		l.memfd_from = add_mount(x, n, told);
	l.call = (struct gmem_call){ .verb = row->verb, .task = call_of(x, n)->task, .memfd = -1 };
	add_call(x, n, &l, told);
	add_size(x, n, (int32_t)x->t.nr_calls - 1, told);
	told->how = TOLD_BY_OTHERS;
}

/* What an earlier call has done already, as the file could not be made without. */
void translate_resize(struct translator *x, size_t n, const struct translate_row *row,
		      struct told *told)
{
	int32_t file = file_of(x, x->from->calls[n].linked.fd_from), fd;

	if (file < 0 || !find_handle(x, file, &fd, NULL, told)) {
		free(told->note);
		*told = (struct told){ .first = told->first };
		add_written(x, n, told);
	} else if (is_own_seal(x, call_of(x, n)) && x->family != FAMILY_OTHER) {
		told->how = TOLD_BEFORE;
		say(told, "it is out of reach already");
	} else if (call_of(x, n)->verb == row->verb && (x->family & FAMILY_GUEST_MEMFD) &&
		   sizes_it(x, file) == n) {
		told->how = TOLD_BEFORE;
		say(told, "it has its size already");
	} else {
		add_written(x, n, told);
	}
}

/* There it is as good as a conversion. */
void translate_allocate(struct translator *x, size_t n, const struct translate_row *row,
			struct told *told)
{
	(void)row;
	if (add_written(x, n, told))
		say(told, "what is allocated is private");
}

/* There a file cannot grow, so an allocation has to say that it will not. */
void translate_keep_size(struct translator *x, size_t n, const struct translate_row *row,
			 struct told *told)
{
	struct trace_call *c = add_written(x, n, told);

	if (!c || c->linked.call.mode)
		return;
	c->linked.call.mode = row->word;
	told->how = TOLD_BY_OTHERS;
}
