/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What conversions share: whether a page is shared or private, who stands in the way, and what
 * becomes of the bytes. Pages are those of t->inode unless an inode is named.
 */
#ifndef GMEM_CONVERT_H
#define GMEM_CONVERT_H

#include "ranges.h"
#include "state.h"
#include "step.h"

/* The file, and not the VM, says which of a guest's pages are private (x86, and the switch). */
bool gmem_file_attributes_are_on(const struct gmem_block *b);
/* PAGE_SHARED or PAGE_PRIVATE: of a file created with these flags. */
uint32_t gmem_initial_attribute(const struct gmem_block *b, uint64_t flags);

/* Whether the host may have a guest_memfd's page. */
bool gmem_is_shared(const struct gmem_block *b, const struct gmem_inode *inode, uint64_t pgoff);
/* The first page of [pgoff, end) that is not shared, or end. */
uint64_t gmem_shared_until(const struct gmem_block *b, const struct gmem_inode *inode,
			   uint64_t pgoff, uint64_t end);
/* Whether all of [start, end) is PAGE_SHARED or PAGE_PRIVATE. */
bool gmem_has_attribute(const struct gmem_block *b, const struct gmem_inode *inode, uint64_t start,
			uint64_t end, uint32_t attribute);
/* Whether a guest's page is private: by the file that is bound there, or by the VM's attributes. */
bool gmem_is_private_gfn(const struct gmem_block *b, uint32_t vm, uint64_t gfn);
/* The same; sets t->file, t->inode, t->start and t->end to where it was asked. */
bool gmem_ask_gfn(struct gmem_run *run);
/* Whether private pages can be mapped for the VM's guest. */
bool gmem_guest_may_map_private(const struct gmem_block *b, const struct gmem_vm *vm);

/* Whether the guest's memory there is the file's alone, whatever userspace_addr maps. */
bool gmem_slot_is_gmem_only(const struct gmem_block *b, const struct gmem_slot *s);

/* The first page of [start, end) that a page table of the host shows, or end. */
uint64_t gmem_first_mapped(const struct gmem_block *b, uint32_t inode, uint64_t start,
			   uint64_t end);
/* The first page of [start, end) on which somebody but the inode holds a reference, or end. */
uint64_t gmem_first_busy(const struct gmem_run *run, uint64_t start, uint64_t end);

/* The same for t->start to t->end as a check, which sets t->err_page. */
bool folios_are_free(struct gmem_run *run);

/* Which way the call converts; its pages will be target(). */
static inline bool is_to_private(struct gmem_run *run)
{
	if (run->c->verb == GMEM_SET_MEMORY_ATTRIBUTES2)
		return run->c->attributes & GMEM_ATTRIBUTE_PRIVATE;
	return run->c->verb == GMEM_CONVERT_PRIVATE;
}

static inline uint32_t target(struct gmem_run *run)
{
	return is_to_private(run) ? PAGE_PRIVATE : PAGE_SHARED;
}

/* op-convert.c: what the versions of KVM_SET_MEMORY_ATTRIBUTES2 have in common */
bool file_attributes_are_on(struct gmem_run *run);
bool reserved_is_zero(struct gmem_run *run);
bool file_attributes_are_supported(struct gmem_run *run);
bool file_range_is_valid(struct gmem_run *run);
bool file_range_is_aligned(struct gmem_run *run); /* sets t->start, t->end */
bool offset_is_in_file(struct gmem_run *run);
bool end_is_in_file(struct gmem_run *run);
bool is_to_shared(struct gmem_run *run);
int begin_range(struct gmem_run *run);
bool range_has_the_attribute(struct gmem_run *run);
bool guest_gives_back(struct gmem_run *run);
int make_shared(struct gmem_run *run);
int convert_contents(struct gmem_run *run);
int store_file_attributes(struct gmem_run *run);

/* From now on it is open what is read from the pages of [start, end) that were used. */
void gmem_scramble(struct gmem_run *run, uint64_t start, uint64_t end);
/* The same for those that are about to change to attribute, if the VM of t->file encrypts. */
void gmem_convert_contents(struct gmem_run *run, uint64_t start, uint64_t end, uint32_t attribute);

/* huge.c: folios of more than one page, which lie at multiples of their size */
static inline uint64_t gmem_folio_pages(const struct gmem_inode *inode)
{
	return UINT64_C(1) << inode->order;
}
static inline uint64_t gmem_round_down(const struct gmem_inode *inode, uint64_t pgoff)
{
	return pgoff & ~(gmem_folio_pages(inode) - 1);
}
static inline uint64_t gmem_round_up(const struct gmem_inode *inode, uint64_t pgoff)
{
	return gmem_round_down(inode, pgoff + gmem_folio_pages(inode) - 1);
}
bool has_huge_folios(struct gmem_run *run); /* t->inode */
int round_out(struct gmem_run *run);	    /* t->start and t->end, to whole folios */
/* Adds the folios of [start, end) that are missing, whole; marks the pages with flags. */
void gmem_add_folios(struct gmem_block *b, struct gmem_inode *inode, uint64_t start, uint64_t end,
		     uint32_t flags);
/* Sets flags on the pages of [start, end) that are there, and takes away others. */
void gmem_mark_folios(struct gmem_block *b, struct gmem_inode *inode, uint64_t start, uint64_t end,
		      uint32_t flags, uint32_t but);
/* Splits the folios that overlap [start, end) where any of their pages is shared, merges others. */
void gmem_restructure(struct gmem_block *b, struct gmem_inode *inode, uint64_t start, uint64_t end);
/* The same of the one block that *will is in, before its pages have the attribute will->value. */
void gmem_restructure_block(struct gmem_block *b, struct gmem_inode *inode,
			    const struct gmem_range *will);
/* Whether that would change how the block is held together. */
bool gmem_block_changes(const struct gmem_block *b, const struct gmem_inode *inode,
			const struct gmem_range *will);
/* For a check: the block is there in part, or whole though a page of it is shared. */
bool gmem_folio_is_misshapen(const struct gmem_block *b, const struct gmem_inode *inode,
			     uint64_t block);

#endif
