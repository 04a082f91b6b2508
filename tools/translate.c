/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One design's calls in those of another; see translate.h.
 *
 * Two tables. The first says what a call means: that a range becomes private, say. The second says by
 * which calls a design does that; a design is one of a family, by how it converts, and of the
 * two kinds that have shared pages in the file and outside of it. What has no meaning in the first
 * table, or no row in the second, is made as it is written if the design has such a call at all.
 *
 * To add a design: its family in families[], its row for each meaning that it has calls of its own
 * for, and if it has calls that others lack, what they mean. A row that needs more than "the same
 * range, by another call" needs a function beside the others.
 */
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "mounted.h"
#include "translate-parts.h"

/* By the beginnings of their names; the first that fits. */
static const struct {
	const char *prefix;
	uint8_t family;
} families[] = {
	{ "linux-coco-", FAMILY_COCO },
	{ "coco-", FAMILY_COCO },
	{ "rfc-shareability-", FAMILY_SHAREABILITY },
	{ "linux-", FAMILY_LINUX },
	{ "memfile-notifier-v7", FAMILY_REGIONS },
	{ "memfile-notifier-", FAMILY_ALLOCATED },
	{ "restrictedmem-", FAMILY_RESTRICTED },
	{ "", FAMILY_OTHER },
};

/* A word of 64 bits: the mode of fallocate, the attributes. */
#define ANY_WORD UINT64_MAX
#define HOLE (GMEM_FALLOC_KEEP_SIZE | GMEM_FALLOC_PUNCH_HOLE)
#define BY_THE_VM (FAMILY_LINUX | FAMILY_SHAREABILITY | FAMILY_RESTRICTED)
static const struct {
	uint32_t verb;
	uint8_t families;
	uint64_t word;
	enum meaning means;
} meanings[] = {
	{ GMEM_CREATE_VM, FAMILY_ANY, ANY_WORD, CREATE_VM },
	{ GMEM_OPEN_MOUNT, FAMILY_RESTRICTED, ANY_WORD, MOUNT },
	{ GMEM_CREATE_GUEST_MEMFD, FAMILY_ANY, ANY_WORD, CREATE },
	{ GMEM_MEMFD_CREATE, FAMILY_ANY, ANY_WORD, CREATE },
	{ GMEM_MEMFD_RESTRICTED, FAMILY_ANY, ANY_WORD, CREATE },
	{ GMEM_FTRUNCATE, FAMILY_MEMFD | FAMILY_RESTRICTED, ANY_WORD, RESIZE },
	{ GMEM_FCNTL, FAMILY_MEMFD, ANY_WORD, RESIZE },
	{ GMEM_MMAP, FAMILY_ANY, ANY_WORD, MAP },
	{ GMEM_SET_USER_MEMORY_REGION2, FAMILY_ANY, ANY_WORD, BIND },
	{ GMEM_FALLOCATE, FAMILY_ALLOCATED, GMEM_FALLOC_KEEP_SIZE, TO_PRIVATE },
	{ GMEM_FALLOCATE, FAMILY_ALLOCATED, 0, TO_PRIVATE },
	{ GMEM_FALLOCATE, FAMILY_ALLOCATED, HOLE, TO_SHARED },
	{ GMEM_FALLOCATE, FAMILY_ANY, GMEM_FALLOC_KEEP_SIZE, ALLOCATE },
	{ GMEM_FALLOCATE, FAMILY_MEMFD | FAMILY_RESTRICTED, 0, ALLOCATE },
	{ GMEM_FALLOCATE, FAMILY_ANY, HOLE, PUNCH },
	{ GMEM_REG_REGION, FAMILY_REGIONS, ANY_WORD, TO_PRIVATE },
	{ GMEM_UNREG_REGION, FAMILY_REGIONS, ANY_WORD, TO_SHARED },
	{ GMEM_SET_MEMORY_ATTRIBUTES, BY_THE_VM, GMEM_ATTRIBUTE_PRIVATE, TO_PRIVATE },
	{ GMEM_SET_MEMORY_ATTRIBUTES, BY_THE_VM, 0, TO_SHARED },
	{ GMEM_SET_MEMORY_ATTRIBUTES2, FAMILY_COCO, GMEM_ATTRIBUTE_PRIVATE, TO_PRIVATE },
	{ GMEM_SET_MEMORY_ATTRIBUTES2, FAMILY_COCO, 0, TO_SHARED },
	{ GMEM_CONVERT_PRIVATE, FAMILY_SHAREABILITY, ANY_WORD, TO_PRIVATE },
	{ GMEM_CONVERT_SHARED, FAMILY_SHAREABILITY, ANY_WORD, TO_SHARED },
	{ GMEM_CHECK_EXTENSION, FAMILY_ANY, ANY_WORD, CAPABILITY },
	{ GMEM_ENABLE_CAP, FAMILY_ANY, ANY_WORD, CAPABILITY },
};

static const struct translate_row rows[] = {
	{ CREATE_VM, FAMILY_SHAREABILITY, translate_create_vm, GMEM_ENABLE_CAP,
	  GMEM_CAP_DISABLE_LEGACY_PRIVATE_TRACKING },
	{ MOUNT, FAMILY_ANY, translate_mount, GMEM_OPEN_MOUNT, 0 },
	{ CREATE, FAMILY_GUEST_MEMFD, translate_guest_memfd, GMEM_CREATE_GUEST_MEMFD, 0 },
	{ CREATE, FAMILY_MEMFD, translate_memfd, GMEM_MEMFD_CREATE, 0 },
	{ CREATE, FAMILY_RESTRICTED, translate_restricted, GMEM_MEMFD_RESTRICTED, 0 },
	{ RESIZE, FAMILY_ANY, translate_resize, GMEM_FTRUNCATE, 0 },
	{ MAP, FAMILY_ANY | OUTSIDE, translate_map, GMEM_MMAP, 0 },
	{ BIND, FAMILY_ANY | OUTSIDE, translate_bind, GMEM_SET_USER_MEMORY_REGION2, 0 },
	{ PUNCH, FAMILY_ANY | OUTSIDE, translate_punch, GMEM_MADVISE, GMEM_MADV_REMOVE },
	{ TO_PRIVATE, FAMILY_COCO, translate_by_file, GMEM_SET_MEMORY_ATTRIBUTES2,
	  GMEM_ATTRIBUTE_PRIVATE },
	{ TO_SHARED, FAMILY_COCO, translate_by_file, GMEM_SET_MEMORY_ATTRIBUTES2, 0 },
	{ TO_PRIVATE, FAMILY_SHAREABILITY, translate_by_file, GMEM_CONVERT_PRIVATE, 0 },
	{ TO_SHARED, FAMILY_SHAREABILITY, translate_by_file, GMEM_CONVERT_SHARED, 0 },
	{ TO_PRIVATE, FAMILY_LINUX | FAMILY_RESTRICTED, translate_by_gpa,
	  GMEM_SET_MEMORY_ATTRIBUTES, GMEM_ATTRIBUTE_PRIVATE },
	{ TO_SHARED, FAMILY_LINUX | FAMILY_RESTRICTED, translate_by_gpa, GMEM_SET_MEMORY_ATTRIBUTES,
	  0 },
	{ TO_PRIVATE, FAMILY_REGIONS, translate_by_gpa, GMEM_REG_REGION, 0 },
	{ TO_SHARED, FAMILY_REGIONS, translate_by_gpa, GMEM_UNREG_REGION, 0 },
	{ TO_PRIVATE, FAMILY_ALLOCATED, translate_by_file, GMEM_FALLOCATE, GMEM_FALLOC_KEEP_SIZE },
	{ TO_SHARED, FAMILY_ALLOCATED, translate_by_file, GMEM_FALLOCATE, HOLE },
	{ ALLOCATE, FAMILY_GUEST_MEMFD, translate_keep_size, GMEM_FALLOCATE,
	  GMEM_FALLOC_KEEP_SIZE },
	{ ALLOCATE, FAMILY_ALLOCATED, translate_allocate, GMEM_FALLOCATE, GMEM_FALLOC_KEEP_SIZE },
	{ CAPABILITY, FAMILY_ANY, translate_cap, 0, 0 },
};

/* ---- designs ---- */

uint8_t family_of(const struct gmem_profile *p, const struct gmem_machine *m)
{
	size_t i = 0;

	while (strncmp(gmem_profile_name(p), families[i].prefix, strlen(families[i].prefix)))
		i++;
	/* with the switch off, or without one, the VM says what is private, as it did before */
	if (families[i].family == FAMILY_COCO && (!m->in_place || m->arch != GMEM_X86_64))
		return FAMILY_LINUX;
	return families[i].family;
}

int profile_has_verb(const struct gmem_profile *p, uint32_t verb)
{
	struct gmem_row row;
	unsigned int n;

	for (n = 0; gmem_profile_row(p, verb, n, &row); n++)
		if (!strcmp(row.name, "never") && (row.err == -gmem_errno_number("ENOTTY") ||
						   row.err == -gmem_errno_number("ENOSYS")))
			return 0;
	return n > 0;
}

/* ---- calls ---- */

/* The guest_memfd that the call is about; -1 if it is about none. */
static int32_t file_of_call(const struct translator *x, const struct linked_call *l)
{
	if (l->call.verb == GMEM_SET_USER_MEMORY_REGION2)
		return l->call.flags & GMEM_MEM_GUEST_MEMFD ? file_of(x, l->memfd_from) : -1;
	return file_of(x, l->fd_from);
}

static enum meaning meaning_of(const struct translator *x, const struct linked_call *l)
{
	size_t i;

	for (i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
		if (meanings[i].verb != l->call.verb || !(meanings[i].families & x->from_family))
			continue;
		if (meanings[i].word != ANY_WORD && meanings[i].word != l->call.attributes)
			continue;
		/* the first posting's ioctl of the VM is no file's */
		if (l->call.verb == GMEM_SET_MEMORY_ATTRIBUTES2 && file_of_call(x, l) < 0)
			continue;
		return meanings[i].means;
	}
	return MEANS_ITSELF;
}

const struct translate_row *row_of(const struct translator *x, enum meaning means, int32_t file)
{
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].means != means || !(rows[i].designs & x->family))
			continue;
		if ((rows[i].designs & OUTSIDE) && (file < 0 || !needs_stand_in(x, file)))
			continue;
		return &rows[i];
	}
	return NULL;
}

void translate(struct translator *x, size_t n, struct told *told)
{
	const struct linked_call *l = &x->from->calls[n].linked;
	const struct translate_row *row = x->same ? NULL :
						    row_of(x, meaning_of(x, l), file_of_call(x, l));

	memset(told, 0, sizeof(*told));
	told->first = (uint32_t)x->t.nr_calls;
	if (waits_with_its_file(x, n, told))
		return;
	if (row) {
		row->tell(x, n, row, told);
	} else if (!x->same && !profile_has_verb(x->profile, l->call.verb)) {
		told->how = TOLD_BY_NONE;
		say(told, "it has no %s", gmem_verb_info(l->call.verb)->name);
	} else {
		add_written(x, n, told);
	}
	if (!told->nr)
		return;
	x->handles[n] = (struct told_handle){ (int32_t)(told->first + told->main), 0 };
	if (l->call.verb == GMEM_CREATE_VM)
		tell_what_waited(x, n, told);
	else if (l->call.verb == GMEM_SET_USER_MEMORY_REGION2)
		tell_what_is_wanted(x, n, told);
}

void translated(struct translator *x, size_t n, const struct told *told, int succeeded)
{
	if (succeeded && told->nr)
		note_places(x, n);
}

static int is_base_of(const char *base, const char *name)
{
	return !strncmp(base, name, strlen(base)) &&
	       (!name[strlen(base)] || name[strlen(base)] == '+');
}

void translator_init(struct translator *x, const struct trace *from, const struct gmem_profile *to)
{
	const struct gmem_profile *p = from->profile ? from->profile : gmem_profile_default();
	size_t i;

	memset(x, 0, sizeof(*x));
	x->from = from;
	x->from_profile = p;
	x->profile = to;
	x->from_family = family_of(p, &from->machine);
	x->family = family_of(to, &from->machine);
	x->same = (uint8_t)is_base_of(gmem_profile_name(p), gmem_profile_name(to));
	trace_init(&x->t);
	x->t.profile = to;
	x->t.machine = from->machine;
	x->handles = xcalloc(from->nr_calls, sizeof(*x->handles));
	x->roots = xcalloc(from->nr_calls, sizeof(*x->roots));
	x->closed = xcalloc(from->nr_calls, sizeof(*x->closed));
	x->waits = xcalloc(from->nr_calls, sizeof(*x->waits));
	for (i = 0; i < from->nr_calls; i++) {
		const struct linked_call *l = &from->calls[i].linked;

		x->handles[i].call = -1;
		x->roots[i] = (int32_t)i;
		if (l->call.verb == GMEM_DUP && l->fd_from >= 0)
			x->roots[i] = x->roots[l->fd_from];
	}
}

void translator_free(struct translator *x)
{
	trace_free(&x->t);
	free(x->results);
	free(x->handles);
	free(x->roots);
	free(x->closed);
	free(x->waits);
	free(x->wanted);
	free(x->slots);
	free(x->stand_ins);
}
