/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parts of the translator, for each other: translate.c has the tables, translate-create.c and
 * translate-tell.c what the rows do, translate-place.c what is where: handles, memslots, memory that stands in.
 */
#ifndef TRANSLATE_PARTS_H
#define TRANSLATE_PARTS_H

#include "translate.h"

/* What a design converts by, and where shared pages are; bits, so that a row can name several. */
#define FAMILY_COCO 1u	       /* KVM_SET_MEMORY_ATTRIBUTES2 on the file */
#define FAMILY_SHAREABILITY 2u /* KVM_GMEM_CONVERT_* on the file */
#define FAMILY_LINUX 4u	       /* KVM_SET_MEMORY_ATTRIBUTES on the VM */
#define FAMILY_ALLOCATED 8u    /* fallocate on a memfd: private is what is allocated */
#define FAMILY_REGIONS 16u     /* KVM_MEMORY_ENCRYPT_REG_REGION on the VM, of a memfd */
#define FAMILY_RESTRICTED 32u  /* KVM_SET_MEMORY_ATTRIBUTES on the VM, of a restrictedmem */
#define FAMILY_OTHER 64u
#define FAMILY_ANY 127u
#define FAMILY_GUEST_MEMFD (FAMILY_COCO | FAMILY_SHAREABILITY | FAMILY_LINUX)
#define FAMILY_MEMFD (FAMILY_ALLOCATED | FAMILY_REGIONS)

enum meaning {
	MEANS_ITSELF,
	CREATE_VM,
	MOUNT,
	CREATE, /* a file */
	RESIZE, /* it, or seal it, before it is used */
	MAP,
	BIND,
	ALLOCATE,
	PUNCH,
	TO_PRIVATE,
	TO_SHARED,
	CAPABILITY
};

/* A negated errno, so that what was not made counts as having failed. */
#define NOT_MADE (-9)

#define OUTSIDE 128u /* where other memory of the program stands in for the file's shared pages */

struct translate_row;
typedef void translate_fn(struct translator *x, size_t n, const struct translate_row *row,
			  struct told *told);

/* By which calls designs do what a call means. */
struct translate_row {
	enum meaning means;
	uint8_t designs;    /* FAMILY_*; with OUTSIDE only where that is so */
	translate_fn *tell; /* adds the calls for call number n; or none, and then says why */
	uint32_t verb;
	uint64_t word; /* attributes, mode or advice */
};

translate_fn translate_create_vm, translate_mount, translate_map, translate_bind;
translate_fn translate_memfd, translate_restricted, translate_guest_memfd, translate_resize;
translate_fn translate_allocate, translate_keep_size, translate_punch, translate_by_file,
	translate_by_gpa, translate_cap;

/* The row of the design for what is meant; null if it has none. */
const struct translate_row *row_of(const struct translator *x, enum meaning means, int32_t file);

uint8_t family_of(const struct gmem_profile *p, const struct gmem_machine *m);
/* 1 unless all that the profile knows of the call is that there is none. */
int profile_has_verb(const struct gmem_profile *p, uint32_t verb);

/* ---- translate-later.c ---- */

/* 1 unless the trace demands that the call fails. */
int may_succeed(const struct trace *t, size_t n);
/* Call number n has to wait until call number vm has made a VM. */
void wait_for_vm(struct translator *x, size_t n, int32_t vm, struct told *told);
/* Of a call on a file that waits: waits as well, or cannot. 0 if it is on no such file. */
int waits_with_its_file(struct translator *x, size_t n, struct told *told);
/* After call number n, which makes a VM: what has waited for it. */
void tell_what_waited(struct translator *x, size_t n, struct told *told);
/* The conversion of a range of file or VM root has to wait for a memslot; 0 if there will be none. */
int wait_for_slot(struct translator *x, size_t n, const struct translate_row *row, int32_t root,
		  int by_file);
/* After call number n, which binds a memslot: the conversions that have waited for it. */
void tell_what_is_wanted(struct translator *x, size_t n, struct told *told);

/* ---- translate-create.c ---- */

/* The call that gives the file its size, if one does; 0 if not. */
size_t sizes_it(const struct translator *x, int32_t file);

/* ---- translate-tell.c ---- */

/* The part of the first range that is in the second; 0 if none is. */
int ranges_overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size, uint64_t *start,
		   uint64_t *size);
/* 1 if the conversion of the file's pages, asked for as the trace does, is one in this design. */
int is_converted(const struct translator *x, int32_t file, int by_file);

/* The call of the row on that range; its descriptor is that of from, a call of the trace. */
void add_conversion(struct translator *x, size_t n, const struct translate_row *row, int32_t from,
		    uint64_t start, uint64_t size, struct told *told);

/* ---- translate-place.c ---- */

/* The call that made what descriptor from names, whichever duplicate that is; -1 if none did. */
int32_t root_of(const struct translator *x, int32_t from);
/* That of a guest_memfd; -1 if it is something else. */
int32_t file_of(const struct translator *x, int32_t from);
/* 1 if the VM that this call makes is of a type with private memory. */
int vm_has_private_memory(const struct translator *x, int32_t vm);
/* 1 if the trace has shared pages in the file, and not in other memory of the program. */
int tracks_itself(const struct translator *x, int32_t file);
/* 1 if that is so, and this design cannot: other memory has to stand in for them. */
int needs_stand_in(const struct translator *x, int32_t file);
/* 1 if the trace's file begins with pages that host and guest share. */
int begins_shared(const struct translator *x, int32_t file);

/* Appends a call for number n of the trace; it is valid until the next one. */
struct trace_call *add_call(struct translator *x, size_t n, const struct linked_call *l,
			    struct told *told);
/* The same for the call as it is written, with its handles: null if one is not there. */
struct trace_call *add_written(struct translator *x, size_t n, struct told *told);
/* The call as it is written, with its handles in the translation; 0 if one is not there. */
int find_handles(const struct translator *x, size_t n, struct linked_call *l, struct told *told);
/* Names a call of the translation, from a name and what is behind it, as nothing else is called. */
void invent_name(const struct translator *x, struct trace_call *c, const char *begin,
		 const char *end);
/* Sets the note, unless there is one. */
void say(struct told *told, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The handle in the translation; 0 if it is not there, and then the note says which. */
int find_handle(const struct translator *x, int32_t from, int32_t *to, uint64_t *delta,
		struct told *told);

/* The stand-in that has all of the range; null if none has. */
const struct told_stand_in *stand_in_for(const struct translator *x, int32_t file, uint64_t offset,
					 uint64_t size);
void add_stand_in(struct translator *x, int32_t file, uint64_t offset, uint64_t size,
		  uint32_t call);
/* Keeps what is where after a call of the trace that succeeded. */
void note_places(struct translator *x, size_t n);

#endif
