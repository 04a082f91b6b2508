/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is where in a translation: handles, memslots, and memory that stands in for pages which a
 * design does not have in its files. See translate.h.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "mounted.h"
#include "translate-parts.h"

void say(struct told *told, const char *format, ...)
{
	struct text t;
	va_list ap;

	if (told->note)
		return;
	text_begin(&t);
	va_start(ap, format);
	vfprintf(t.f, format, ap);
	va_end(ap);
	told->note = text_end(&t);
}

int32_t root_of(const struct translator *x, int32_t from)
{
	return from < 0 ? -1 : x->roots[from];
}

int32_t file_of(const struct translator *x, int32_t from)
{
	int32_t root = root_of(x, from);
	const struct gmem_verb_info *info;

	if (root < 0)
		return -1;
	info = gmem_verb_info(x->from->calls[root].linked.call.verb);
	return info->binds == GMEM_BINDS_FD && info->binds_fd == GMEM_FD_GMEM ? root : -1;
}

int vm_has_private_memory(const struct translator *x, int32_t vm)
{
	if (vm < 0 || x->from->machine.arch != GMEM_X86_64)
		return 0;
	switch (x->from->calls[vm].linked.call.type) {
	case GMEM_VM_SW_PROTECTED:
	case GMEM_VM_SNP:
	case GMEM_VM_TDX:
		return 1;
	default:
		return 0;
	}
}

/* 1 if the design has shared pages in other memory of the program, not in the file. */
static int is_outside(const struct translator *x, int32_t file, const struct gmem_profile *p,
		      uint8_t family)
{
	if (family & (FAMILY_COCO | FAMILY_SHAREABILITY))
		return 0;
	return !(profile_number(p, "create_flags") & GMEM_FLAG_MMAP) ||
	       vm_has_private_memory(x, root_of(x, x->from->calls[file].linked.fd_from));
}

/* Shareability leaves a file that does not support shared pages as it was before. */
int tracks_itself(const struct translator *x, int32_t file)
{
	if (x->from_family == FAMILY_SHAREABILITY)
		return !!(x->from->calls[file].linked.call.flags & GMEM_FLAG_SUPPORT_SHARED);
	return !is_outside(x, file, x->from_profile, x->from_family);
}

int needs_stand_in(const struct translator *x, int32_t file)
{
	return is_outside(x, file, x->profile, x->family) && tracks_itself(x, file);
}

int begins_shared(const struct translator *x, int32_t file)
{
	uint64_t flags = x->from->calls[file].linked.call.flags;

	if (!(x->from_family & FAMILY_GUEST_MEMFD))
		return 1;
	if (x->from_family == FAMILY_SHAREABILITY)
		return (flags & GMEM_FLAG_SUPPORT_SHARED) && !(flags & GMEM_FLAG_INIT_PRIVATE);
	return !!(flags & GMEM_FLAG_INIT_SHARED);
}

/* ---- handles ---- */

int find_handle(const struct translator *x, int32_t from, int32_t *to, uint64_t *delta,
		struct told *told)
{
	const struct told_handle *h = &x->handles[from];

	if (h->call < 0 || !result_succeeded(&x->results[h->call])) {
		told->how = TOLD_NOT_ASKED;
		say(told, "there is no %s", x->from->calls[from].name);
		return 0;
	}
	*to = h->call;
	if (delta)
		*delta = h->delta;
	return 1;
}

struct trace_call *add_call(struct translator *x, size_t n, const struct linked_call *l,
			    struct told *told)
{
	const struct trace_call *from = &x->from->calls[n];
	struct trace_call *c = trace_add(&x->t, l);
	size_t i = x->t.nr_calls - 1;

	x->results = xgrow(x->results, i, &x->room_results, sizeof(*x->results));
	x->results[i] = (struct gmem_result){ .outcome = GMEM_VALUE, .value = NOT_MADE };
	c->line = from->line;
	if (gmem_verb_info(l->call.verb)->binds)
		memcpy(c->name, from->name, sizeof(c->name));
	told->nr++;
	return c;
}

static int is_name_in(const struct trace *t, const char *name)
{
	size_t i;

	for (i = 0; i < t->nr_calls; i++)
		if (!strcmp(t->calls[i].name, name))
			return 1;
	return 0;
}

void invent_name(const struct translator *x, struct trace_call *c, const char *begin,
		 const char *end)
{
	char name[sizeof(c->name)], number[11] = "";
	unsigned int n = 1;

	for (;;) {
		int room = TRACE_MAX_NAME - (int)strlen(end) - (int)strlen(number);

		snprintf(name, sizeof(name), "%.*s%s%s", room, begin, end, number);
		if (!is_name_in(x->from, name) && !is_name_in(&x->t, name))
			break;
		snprintf(number, sizeof(number), "%u", ++n);
	}
	memcpy(c->name, name, sizeof(name));
}

static int changes_memslot(uint32_t verb)
{
	return verb == GMEM_SET_USER_MEMORY_REGION || verb == GMEM_SET_USER_MEMORY_REGION2;
}

/* A memslot can do without the program's memory; nothing else can. */
static int find_address(const struct translator *x, struct linked_call *l, struct told *told)
{
	struct told missing = { .note = NULL };
	uint64_t delta;

	if (find_handle(x, l->addr_from, &l->addr_from, &delta, &missing)) {
		l->call.addr += delta;
		return 1;
	}
	if (changes_memslot(l->call.verb)) {
		l->addr_from = -1;
		l->call.addr = 0;
		say(told, "without the address: %s", missing.note);
	} else {
		told->how = missing.how;
		say(told, "%s", missing.note);
	}
	free(missing.note);
	return changes_memslot(l->call.verb);
}

int find_handles(const struct translator *x, size_t n, struct linked_call *l, struct told *told)
{
	const struct trace_call *from = &x->from->calls[n];
	int32_t task;

	*l = from->linked;
	if (from->task_from >= 0 && !find_handle(x, from->task_from, &task, NULL, told))
		return 0;
	if (l->fd_from >= 0 && !find_handle(x, l->fd_from, &l->fd_from, NULL, told))
		return 0;
	if (l->memfd_from >= 0 && !find_handle(x, l->memfd_from, &l->memfd_from, NULL, told))
		return 0;
	return l->addr_from < 0 || find_address(x, l, told);
}

struct trace_call *add_written(struct translator *x, size_t n, struct told *told)
{
	struct linked_call l;

	return find_handles(x, n, &l, told) ? add_call(x, n, &l, told) : NULL;
}

/* ---- memory that stands in ---- */

const struct told_stand_in *stand_in_for(const struct translator *x, int32_t file, uint64_t offset,
					 uint64_t size)
{
	size_t i;

	for (i = 0; i < x->nr_stand_ins; i++) {
		const struct told_stand_in *s = &x->stand_ins[i];

		if (s->file == file && offset >= s->offset && offset - s->offset <= s->size &&
		    size <= s->size - (offset - s->offset) &&
		    result_succeeded(&x->results[s->call]))
			return s;
	}
	return NULL;
}

void add_stand_in(struct translator *x, int32_t file, uint64_t offset, uint64_t size, uint32_t call)
{
	x->stand_ins = xgrow(x->stand_ins, x->nr_stand_ins, &x->room_stand_ins,
			     sizeof(*x->stand_ins));
	x->stand_ins[x->nr_stand_ins++] = (struct told_stand_in){
		.file = file, .offset = offset, .size = size, .call = call
	};
}

/* What was unmapped in part no longer stands for anything. */
static void drop_stand_in(struct translator *x, int32_t call)
{
	size_t i;

	for (i = 0; i < x->nr_stand_ins; i++)
		if ((int32_t)x->stand_ins[i].call == call) {
			x->stand_ins[i] = x->stand_ins[--x->nr_stand_ins];
			return;
		}
}

/* ---- memslots ---- */

static struct told_slot *find_slot(struct translator *x, int32_t vm, uint64_t slot)
{
	size_t i;

	for (i = 0; i < x->nr_slots; i++)
		if (x->slots[i].vm == vm && x->slots[i].slot == slot)
			return &x->slots[i];
	return NULL;
}

static void note_slot(struct translator *x, const struct linked_call *l)
{
	const int is_gmem = !!(l->call.flags & GMEM_MEM_GUEST_MEMFD);
	int32_t vm = root_of(x, l->fd_from), file = is_gmem ? file_of(x, l->memfd_from) : -1;
	struct told_slot *s = find_slot(x, vm, l->call.slot);

	if (s && !l->call.size) {
		*s = x->slots[--x->nr_slots];
	} else if (s) {
		s->gpa = l->call.gpa;
	} else if (l->call.size && file >= 0) {
		x->slots = xgrow(x->slots, x->nr_slots, &x->room_slots, sizeof(*x->slots));
		x->slots[x->nr_slots++] = (struct told_slot){ .vm = vm,
							      .vm_fd = l->fd_from,
							      .slot = l->call.slot,
							      .gpa = l->call.gpa,
							      .size = l->call.size,
							      .file = file,
							      .offset = l->call.offset };
	}
}

void note_places(struct translator *x, size_t n)
{
	const struct linked_call *l = &x->from->calls[n].linked;

	if (changes_memslot(l->call.verb) && l->fd_from >= 0)
		note_slot(x, l);
	else if (l->call.verb == GMEM_CLOSE && l->fd_from >= 0)
		x->closed[l->fd_from] = 1;
	else if (l->call.verb == GMEM_MUNMAP && l->addr_from >= 0)
		drop_stand_in(x, x->handles[l->addr_from].call);
}
