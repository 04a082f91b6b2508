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

/* A fixed address is where it is in the translation; one that is not there is not asked for. */
static void place(const struct translator *x, struct gmem_call *call, int32_t *addr_from)
{
	struct told no = { .note = NULL };
	uint64_t delta = 0;

	if (*addr_from >= 0 && !find_handle(x, *addr_from, addr_from, &delta, &no)) {
		*addr_from = -1;
		call->addr = 0;
		call->flags &= ~GMEM_MAP_FIXED;
	}
	call->addr += delta;
	free(no.note);
}

/* Memory for a range of the file, as the trace maps it by the call of that number; 0 if it never does. */
static void add_stand_in_call(struct translator *x, size_t n, size_t map, int32_t file,
			      uint64_t offset, uint64_t size, struct told *told)
{
	struct linked_call l = { .fd_from = -1, .memfd_from = -1, .addr_from = -1 };
	struct trace_call *c;

	l.call.prot = GMEM_PROT_READ | GMEM_PROT_WRITE;
	if (map) {
		l = x->from->calls[map].linked;
		place(x, &l.call, &l.addr_from);
	}
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
		invent_name(x, c, x->from->calls[file].name, "_shared");
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

/* Where shared pages are elsewhere a file's begin as shared, whatever the trace's would be. */
static void begin_private(struct translator *x, size_t n, int32_t file, struct told *told)
{
	const struct linked_call *slot = &x->from->calls[n].linked;
	const struct translate_row *row = row_of(x, TO_PRIVATE, file);
	uint32_t main = told->main;

	if (row && row->tell == translate_by_file)
		add_conversion(x, n, row, slot->memfd_from, slot->call.offset, slot->call.size,
			       told);
	else if (row)
		add_conversion(x, n, row, slot->fd_from, slot->call.gpa, slot->call.size, told);
	told->main = main;
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
		begin_private(x, n, file, told);
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

int ranges_overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size, uint64_t *start,
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
		    !ranges_overlap(from->call.offset, from->call.length, s->offset, s->size,
				    &start, &size))
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

static int verb_takes_gpa(uint32_t verb)
{
	return verb == GMEM_SET_MEMORY_ATTRIBUTES || verb == GMEM_REG_REGION ||
	       verb == GMEM_UNREG_REGION;
}

static int is_by_gpa(const struct translator *x, size_t n)
{
	return verb_takes_gpa(x->from->calls[n].linked.call.verb);
}

void add_conversion(struct translator *x, size_t n, const struct translate_row *row, int32_t from,
		    uint64_t start, uint64_t size, struct told *told)
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
	if (verb_takes_gpa(row->verb))
		l.call.gpa = start;
	else
		l.call.offset = start;
	if (gmem_verb_info(row->verb)->out && gmem_verb_info(asked->verb)->out) {
		l.call.error_offset = asked->error_offset;
		l.call.reserved = asked->reserved;
	}
	add_call(x, n, &l, told);
	told->main = told->nr - 1;
}

/* With shareability the VM's attributes do not count where the file has its own. */
int is_converted(const struct translator *x, int32_t file, int by_file)
{
	return by_file || x->from_family != FAMILY_SHAREABILITY || !tracks_itself(x, file);
}

/* By the memslots that have the range: one call for each. */
static void by_slots(struct translator *x, size_t n, const struct translate_row *row, int to_gpa,
		     struct told *told)
{
	const struct linked_call *l = &x->from->calls[n].linked;
	int32_t root = root_of(x, l->fd_from);
	uint64_t begin = to_gpa ? l->call.offset : l->call.gpa, start, size, done = 0;
	size_t i;
	int waits;

	for (i = 0; i < x->nr_slots && told->nr < TOLD_MOST; i++) {
		const struct told_slot *s = &x->slots[i];

		if ((to_gpa ? s->file : s->vm) != root || !is_converted(x, s->file, to_gpa) ||
		    !ranges_overlap(begin, l->call.size, to_gpa ? s->offset : s->gpa, s->size,
				    &start, &size))
			continue;
		done += size;
		if (to_gpa)
			add_conversion(x, n, row, s->vm_fd, s->gpa + (start - s->offset), size,
				       told);
		else
			add_conversion(x, n, row, s->file, s->offset + (start - s->gpa), size,
				       told);
	}
	waits = done < l->call.size && wait_for_slot(x, n, row, root, to_gpa);
	if (told->nr)
		told->how = TOLD_BY_OTHERS;
	else if (told->how == TOLD_AS_WRITTEN)
		told->how = waits ? TOLD_LATER : TOLD_BY_NONE;
	if (waits)
		say(told,
		    told->nr ? "the rest when a memslot has it" : "when a memslot has the range");
	else if (done < l->call.size)
		say(told, told->nr ? "only what a memslot has" :
			  to_gpa   ? "it converts guest addresses, and no memslot has the range" :
				     "it converts files, and there is none to convert");
	else if (!done)
		say(told, "no page is in the range");
}

/* Shareability left the VM its own attributes, for files that have none. */
static int is_left_to_the_vm(const struct translator *x, size_t n)
{
	int32_t file = file_of(x, x->from->calls[n].linked.fd_from);

	return is_by_gpa(x, n) || (file >= 0 && !tracks_itself(x, file));
}

static void by_the_vm(struct translator *x, size_t n, const struct translate_row *row,
		      struct told *told)
{
	const struct translate_row vm = {
		.verb = GMEM_SET_MEMORY_ATTRIBUTES,
		.word = row->means == TO_PRIVATE ? GMEM_ATTRIBUTE_PRIVATE : 0,
	};

	translate_by_gpa(x, n, &vm, told);
}

/* 1 if it keeps what is in the pages, and this design has to be asked for that. */
static int keeps_the_bytes(const struct translator *x, size_t n)
{
	const struct linked_call *l = &x->from->calls[n].linked;
	int32_t file = file_of(x, l->fd_from), vm;

	if (file < 0 || l->call.flags || !profile_number(x->profile, "cap_content_modes") ||
	    profile_number(x->from_profile, "cap_content_modes"))
		return 0;
	vm = root_of(x, x->from->calls[file].linked.fd_from);
	return vm >= 0 && x->from->calls[vm].linked.call.type == GMEM_VM_SW_PROTECTED;
}

/* Flags that the call does not have where it was written, and another has no place for. 1 if there are. */
static int is_no_conversion(const struct translator *x, size_t n, const struct translate_row *row,
			    struct told *told)
{
	const struct gmem_call *asked = &x->from->calls[n].linked.call;
	uint64_t known = 0;

	if (asked->verb == GMEM_SET_MEMORY_ATTRIBUTES2 &&
	    profile_number(x->from_profile, "cap_content_modes"))
		known = GMEM_CONTENT_ZERO | GMEM_CONTENT_PRESERVE;
	if (asked->verb == row->verb || !(asked->flags & ~known))
		return 0;
	told->how = TOLD_BY_NONE;
	say(told, "it has no such flag");
	return 1;
}

void translate_by_file(struct translator *x, size_t n, const struct translate_row *row,
		       struct told *told)
{
	const struct gmem_call *asked = &x->from->calls[n].linked.call;
	struct trace_call *c;

	if (x->family == FAMILY_SHAREABILITY && is_left_to_the_vm(x, n)) {
		by_the_vm(x, n, row, told);
		return;
	}
	if (is_no_conversion(x, n, row, told))
		return;
	if (is_by_gpa(x, n)) {
		by_slots(x, n, row, 0, told);
		return;
	}
	if (asked->verb != row->verb) {
		add_conversion(x, n, row, x->from->calls[n].linked.fd_from, asked->offset,
			       asked->size, told);
		if (told->nr)
			told->how = TOLD_BY_OTHERS;
		if (told->nr && keeps_the_bytes(x, n))
			x->t.calls[told->first].linked.call.flags = GMEM_CONTENT_PRESERVE;
		return;
	}
	c = add_written(x, n, told);
	if (c && keeps_the_bytes(x, n)) {
		c->linked.call.flags = GMEM_CONTENT_PRESERVE;
		told->how = TOLD_BY_OTHERS;
	} else if (c && c->linked.call.flags && !profile_number(x->profile, "cap_content_modes") &&
		   profile_number(x->from_profile, "cap_content_modes")) {
		c->linked.call.flags = 0;
		told->how = TOLD_BY_OTHERS;
		say(told, "it has no content modes");
	}
}

void translate_by_gpa(struct translator *x, size_t n, const struct translate_row *row,
		      struct told *told)
{
	const struct linked_call *l = &x->from->calls[n].linked;

	if (is_no_conversion(x, n, row, told))
		return;
	if (l->call.verb == row->verb) {
		add_written(x, n, told);
	} else if (is_by_gpa(x, n)) {
		add_conversion(x, n, row, l->fd_from, l->call.gpa, l->call.size, told);
		if (told->nr)
			told->how = TOLD_BY_OTHERS;
	} else {
		by_slots(x, n, row, 1, told);
	}
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
