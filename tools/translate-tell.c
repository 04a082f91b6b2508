/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the rows of the translator's table do: the calls of one design for call number n of a trace
 * that was written for another. See translate.c.
 */
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "mounted.h"
#include "translate-parts.h"

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
	if (x->from_family != FAMILY_LINUX)
		return 1;
	return (profile_number(x->from_profile, "create_flags") & GMEM_FLAG_MMAP) &&
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

void translate_create(struct translator *x, size_t n, const struct translate_row *row,
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

/* Memory for a range of the file, as the trace maps it by the call of that number; 0 if it never does. */
static void add_stand_in_call(struct translator *x, size_t n, size_t map, int32_t file,
			      uint64_t offset, uint64_t size, struct told *told)
{
	struct linked_call l = { .fd_from = -1, .memfd_from = -1, .addr_from = -1 };
	struct trace_call *c;

	l.call.prot = GMEM_PROT_READ | GMEM_PROT_WRITE;
	if (map)
		l = x->from->calls[map].linked;
	l.fd_from = -1;
	l.call.verb = GMEM_MMAP;
	l.call.fd = -1;
	l.call.offset = 0;
	l.call.length = size;
	l.call.task = x->from->calls[n].linked.call.task;
	l.call.flags = (l.call.flags & GMEM_MAP_FIXED) | GMEM_MAP_SHARED | GMEM_MAP_ANONYMOUS;
	c = add_call(x, n, &l, told);
	if (map)
		memcpy(c->name, x->from->calls[map].name, sizeof(c->name));
	else
		snprintf(c->name, sizeof(c->name), "%.25s_shared", x->from->calls[file].name);
	add_stand_in(x, file, offset, size, (uint32_t)x->t.nr_calls - 1);
}

/* 1 if the trace maps shared pages of the file there, and expects that to succeed. */
static int maps_shared(const struct translator *x, size_t n, int32_t file)
{
	const struct trace_call *c = &x->from->calls[n];
	const struct gmem_call *call = &c->linked.call;
	int32_t task;
	struct told no = { .note = NULL };
	int there;

	if (call->verb != GMEM_MMAP || !c->name[0] || c->nr_demands || !call->length ||
	    !(call->flags & GMEM_MAP_SHARED) || file_of(x, c->linked.fd_from) != file)
		return 0;
	there = c->task_from < 0 || find_handle(x, c->task_from, &task, NULL, &no);
	free(no.note);
	return there;
}

void translate_map(struct translator *x, size_t n, const struct translate_row *row,
		   struct told *told)
{
	const struct linked_call *l = &x->from->calls[n].linked;
	int32_t file = file_of(x, l->fd_from), fd;
	const struct told_stand_in *s;

	(void)row;
	s = stand_in_for(x, file, l->call.offset, l->call.length);
	if (!maps_shared(x, n, file)) {
		add_written(x, n, told);
	} else if (s && !(l->call.flags & GMEM_MAP_FIXED)) {
		told->how = TOLD_BEFORE;
		x->handles[n] = (struct told_handle){ (int32_t)s->call,
						      l->call.offset - s->offset };
		say(told, "the memory that the memslot has already");
	} else if (find_handle(x, l->fd_from, &fd, NULL, told)) {
		add_stand_in_call(x, n, n, file, l->call.offset, l->call.length, told);
		told->how = TOLD_BY_OTHERS;
	}
}

/* The call by which the trace maps the file later, if it does; 0 if not. */
static size_t maps_later(const struct translator *x, size_t n, int32_t file)
{
	while (++n < x->from->nr_calls)
		if (maps_shared(x, n, file))
			return n;
	return 0;
}

/* Where no address is given, what stands for the file's shared pages is the memslot's. 1 if so. */
static int give_address(struct translator *x, size_t n, struct linked_call *l, int32_t file,
			struct told *told)
{
	const struct told_stand_in *s;

	if (l->addr_from >= 0 || l->call.addr)
		return 0;
	s = stand_in_for(x, file, l->call.offset, l->call.size);
	if (s) {
		l->addr_from = (int32_t)s->call;
		l->call.addr = l->call.offset - s->offset;
	} else {
		add_stand_in_call(x, n, maps_later(x, n, file), file, l->call.offset, l->call.size,
				  told);
		l->addr_from = (int32_t)x->t.nr_calls - 1;
	}
	return 1;
}

/* The VM's attributes begin as shared, whatever the file's would be. */
static void begin_private(struct translator *x, size_t n, const struct linked_call *slot,
			  struct told *told)
{
	struct linked_call l = *slot;
	struct gmem_call *call = &l.call;

	l.memfd_from = l.addr_from = -1;
	*call = (struct gmem_call){ .verb = GMEM_SET_MEMORY_ATTRIBUTES,
				    .task = slot->call.task,
				    .fd = slot->call.fd,
				    .gpa = slot->call.gpa,
				    .size = slot->call.size,
				    .attributes = GMEM_ATTRIBUTE_PRIVATE };
	add_call(x, n, &l, told);
}

void translate_bind(struct translator *x, size_t n, const struct translate_row *row,
		    struct told *told)
{
	const struct trace_call *from = &x->from->calls[n];
	int32_t file = file_of(x, from->linked.memfd_from);
	struct linked_call l;
	int given;

	(void)row;
	if (!find_handles(x, n, &l, told))
		return;
	given = l.call.size && give_address(x, n, &l, file, told);
	add_call(x, n, &l, told);
	told->main = told->nr - 1;
	if (l.call.size && !begins_shared(x, file))
		begin_private(x, n, &l, told);
	if (told->nr > 1 || given)
		told->how = TOLD_BY_OTHERS;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* The part of the first range that is in the second; 0 if none is. */
static int overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size, uint64_t *start,
		   uint64_t *size)
{
	uint64_t a_end = a + a_size < a ? UINT64_MAX : a + a_size;
	uint64_t b_end = b + b_size < b ? UINT64_MAX : b + b_size;
	uint64_t end = least(a_end, b_end);

	*start = most(a, b);
	*size = end - *start;
	return end > *start;
}

void translate_punch(struct translator *x, size_t n, const struct translate_row *row,
		     struct told *told)
{
	const struct linked_call *from = &x->from->calls[n].linked;
	int32_t file = file_of(x, from->fd_from);
	uint64_t start, size;
	size_t i;

	if (!add_written(x, n, told))
		return;
	for (i = 0; i < x->nr_stand_ins && told->nr < TOLD_MOST; i++) {
		const struct told_stand_in *s = &x->stand_ins[i];
		struct linked_call l = { .fd_from = -1, .memfd_from = -1 };

		if (s->file != file || !result_succeeded(&x->results[s->call]) ||
		    !overlap(from->call.offset, from->call.length, s->offset, s->size, &start,
			     &size))
			continue;
		l.addr_from = (int32_t)s->call;
		l.call = (struct gmem_call){ .verb = row->verb,
					     .task = from->call.task,
					     .addr = start - s->offset,
					     .length = size,
					     .advice = row->word };
		add_call(x, n, &l, told);
		told->how = TOLD_BY_OTHERS;
	}
}

static int is_by_gpa(const struct translator *x, size_t n)
{
	return x->from->calls[n].linked.call.verb == GMEM_SET_MEMORY_ATTRIBUTES;
}

/* The call of the row on that range; its descriptor is that of from, a call of the trace. */
static void add_conversion(struct translator *x, size_t n, const struct translate_row *row,
			   int32_t from, uint64_t start, uint64_t size, struct told *told)
{
	const struct gmem_call *asked = &x->from->calls[n].linked.call;
	struct linked_call l = { .fd_from = -1, .memfd_from = -1, .addr_from = -1 };

	if (from >= 0 && x->closed[from]) {
		told->how = TOLD_NOT_ASKED;
		say(told, "%s is closed", x->from->calls[from].name);
		return;
	}
	if (from >= 0 && !find_handle(x, from, &l.fd_from, NULL, told))
		return;
	l.call = (struct gmem_call){ .verb = row->verb,
				     .task = asked->task,
				     .fd = asked->fd,
				     .size = size,
				     .attributes = row->word,
				     .argp = asked->argp };
	if (row->verb == GMEM_SET_MEMORY_ATTRIBUTES)
		l.call.gpa = start;
	else
		l.call.offset = start;
	if (row->verb != GMEM_SET_MEMORY_ATTRIBUTES && !is_by_gpa(x, n)) {
		l.call.error_offset = asked->error_offset;
		l.call.reserved = asked->reserved;
	}
	add_call(x, n, &l, told);
	told->main = told->nr - 1;
}

/* With shareability the VM's attributes do not count where the file has its own. */
static int converts(const struct translator *x, const struct told_slot *s, int to_gpa)
{
	return to_gpa || x->from_family != FAMILY_SHAREABILITY || !tracks_itself(x, s->file);
}

/* By the memslots that have the range: one call for each. */
static void by_slots(struct translator *x, size_t n, const struct translate_row *row, int to_gpa,
		     struct told *told)
{
	const struct linked_call *l = &x->from->calls[n].linked;
	int32_t root = root_of(x, l->fd_from);
	uint64_t begin = to_gpa ? l->call.offset : l->call.gpa, start, size, done = 0;
	size_t i;

	for (i = 0; i < x->nr_slots && told->nr < TOLD_MOST; i++) {
		const struct told_slot *s = &x->slots[i];

		if ((to_gpa ? s->file : s->vm) != root || !converts(x, s, to_gpa) ||
		    !overlap(begin, l->call.size, to_gpa ? s->offset : s->gpa, s->size, &start,
			     &size))
			continue;
		done += size;
		if (to_gpa)
			add_conversion(x, n, row, s->vm_fd, s->gpa + (start - s->offset), size,
				       told);
		else
			add_conversion(x, n, row, s->file, s->offset + (start - s->gpa), size,
				       told);
	}
	if (told->nr)
		told->how = TOLD_BY_OTHERS;
	else if (told->how == TOLD_AS_WRITTEN)
		told->how = TOLD_BY_NONE;
	if (done < l->call.size)
		say(told, told->nr ? "only what a memslot has" :
			  to_gpa   ? "it converts guest addresses, and no memslot has the range" :
				     "it converts files, and there is none to convert");
}

void translate_by_file(struct translator *x, size_t n, const struct translate_row *row,
		       struct told *told)
{
	const struct gmem_call *asked = &x->from->calls[n].linked.call;
	struct trace_call *c;

	/* shareability left the VM its own attributes, and its own ioctl for them */
	if (is_by_gpa(x, n) && x->family == FAMILY_SHAREABILITY) {
		add_written(x, n, told);
		return;
	}
	if (is_by_gpa(x, n)) {
		by_slots(x, n, row, 0, told);
		return;
	}
	if (asked->verb != row->verb) {
		add_conversion(x, n, row, x->from->calls[n].linked.fd_from, asked->offset,
			       asked->size, told);
		if (told->nr)
			told->how = TOLD_BY_OTHERS;
		return;
	}
	c = add_written(x, n, told);
	if (c && c->linked.call.flags && !profile_number(x->profile, "cap_content_modes") &&
	    profile_number(x->from_profile, "cap_content_modes")) {
		c->linked.call.flags = 0;
		told->how = TOLD_BY_OTHERS;
		say(told, "it has no content modes");
	}
}

void translate_by_gpa(struct translator *x, size_t n, const struct translate_row *row,
		      struct told *told)
{
	if (is_by_gpa(x, n))
		add_written(x, n, told);
	else
		by_slots(x, n, row, 1, told);
}

/* The name of that value; null if there is none. */
static const char *name_of(const struct gmem_name *names, uint64_t value)
{
	while (names && names->name && names->value != value)
		names++;
	return names ? names->name : NULL;
}

static const struct gmem_name *named(const struct gmem_name *names, const char *name)
{
	while (names && names->name && strcmp(names->name, name))
		names++;
	return names && names->name ? names : NULL;
}

/* The capability of that name, which may have had another number. */
void translate_cap(struct translator *x, size_t n, const struct translate_row *row,
		   struct told *told)
{
	const struct gmem_param *p = &gmem_verb_info(x->from->calls[n].linked.call.verb)->params[1];
	struct trace_call *c = add_written(x, n, told);
	const struct gmem_name *to;
	const char *name;

	(void)row;
	if (!c)
		return;
	name = name_of(gmem_profile_names(x->from_profile, p), c->linked.call.cap);
	if (!name)
		name = name_of(p->names, c->linked.call.cap);
	if (!name)
		return;
	to = named(gmem_profile_names(x->profile, p), name);
	if (!to)
		to = named(p->names, name);
	if (to)
		c->linked.call.cap = to->value;
}
