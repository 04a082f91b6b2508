/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The oracle on conversions: KVM_SET_MEMORY_ATTRIBUTES2 on the file, KVM_GMEM_CONVERT_SHARED and
 * KVM_GMEM_CONVERT_PRIVATE; see oracle.h.
 *
 * Of a file's pages the oracle knows what they were at first, and everything that was said of them
 * since; the last word counts.
 */
#include "oracle-state.h"

#define PRIVATE GMEM_ATTRIBUTE_PRIVATE

static uint64_t first_attribute(const struct oracle *o, int memory)
{
	uint64_t flags = o->memories[memory].flags;
	bool shared = flags & GMEM_FLAG_INIT_SHARED;

	if (o->is_shareability)
		shared = flags & GMEM_FLAG_SUPPORT_SHARED && !(flags & GMEM_FLAG_INIT_PRIVATE);
	return shared ? 0 : PRIVATE;
}

static uint64_t attribute(const struct oracle *o, int memory, uint64_t pgoff)
{
	return attributes_of(o, FILE_, memory, pgoff, first_attribute(o, memory));
}

bool page_is_private(const struct oracle *o, int memory, uint64_t pgoff)
{
	return attribute(o, memory, pgoff) == PRIVATE;
}

static bool all_of_file_are(const struct oracle *o, int memory, uint64_t start, uint64_t end,
			    uint64_t attributes)
{
	return start == end ||
	       all_are(o, FILE_, memory, start, end, attributes, first_attribute(o, memory));
}

bool is_whole(const struct oracle *o, int memory, uint64_t pgoff)
{
	uint64_t block = o->memories[memory].block, first = pgoff / block * block;

	return all_of_file_are(o, memory, first, first + block, PRIVATE);
}

static void say(struct oracle *o, int memory, uint64_t start, uint64_t end, uint64_t attributes)
{
	*ONE_MORE(o, said, nr_said) = (struct said){ FILE_, memory, start, end, attributes };
}

uint64_t first_busy(const struct oracle *o, int memory, uint64_t start, uint64_t end)
{
	unsigned int i;

	for (i = 0; i < o->nr_held; i++) {
		const struct held *h = &o->held[i];

		if (h->memory == memory && h->pgoff >= start && h->pgoff < end &&
		    (is_pinned(o, &o->pages[h->page]) || o->pages[h->page].poisoned))
			end = h->pgoff;
	}
	return end;
}

/* ---- what becomes of the contents ---- */

static bool is_the_vendors(const struct oracle *o, int memory)
{
	uint64_t type = o->vms[o->memories[memory].vm].type;

	return type == GMEM_VM_SNP || type == GMEM_VM_TDX;
}

/* One page of a range that is said to be this now; v5 has modes, the others the vendor's way. */
static void convert_contents(struct oracle *o, const struct held *h, uint64_t to, uint64_t mode)
{
	struct page *page = &o->pages[h->page];
	bool is_software = o->vms[o->memories[h->memory].vm].type == GMEM_VM_SW_PROTECTED;
	bool is_open = is_the_vendors(o, h->memory) && attribute(o, h->memory, h->pgoff) != to;

	if (to != PRIVATE)
		page->assigned = false;
	if (o->design == COCO_V5) {
		if (mode == GMEM_CONTENT_ZERO)
			zero_page(o, page);
		if (mode)
			return;
		is_open |= is_software;
	}
	if (is_open && page->used)
		open_page(o, page, true);
}

static void convert_all_contents(struct oracle *o, int memory, uint64_t start, uint64_t end,
				 uint64_t to, uint64_t mode)
{
	unsigned int i;

	for (i = 0; i < o->nr_held; i++) {
		const struct held *h = &o->held[i];

		if (h->memory == memory && h->pgoff >= start && h->pgoff < end)
			convert_contents(o, h, to, mode);
	}
}

/* ---- KVM_SET_MEMORY_ATTRIBUTES2 ---- */

static bool mode_is_unsupported(const struct oracle *o, const struct gmem_call *c, int memory)
{
	const struct vm *vm = &o->vms[o->memories[memory].vm];
	bool to_private = c->attributes == PRIVATE;

	if (o->design != COCO_V5 || !c->flags)
		return false;
	if (!has_private_memory(o, o->memories[memory].vm))
		return true;
	if (c->flags == GMEM_CONTENT_ZERO)
		return to_private;
	return vm->type != GMEM_VM_SW_PROTECTED && (!to_private || vm->launched);
}

static void nearer(uint64_t *place, uint64_t page, uint64_t start, uint64_t end)
{
	if (end > page && start < *place)
		*place = start > page ? start : page;
}

/* The first page from here on that is there, that somebody has bound, or has mapped. */
static uint64_t next_place(const struct oracle *o, int memory, uint64_t page)
{
	uint64_t place = UINT64_MAX;
	unsigned int i;

	for (i = 0; i < o->nr_held; i++)
		if (o->held[i].memory == memory)
			nearer(&place, page, o->held[i].pgoff, o->held[i].pgoff + 1);
	for (i = 0; i < o->nr_slots; i++) {
		const struct slot *s = &o->slots[i];

		if (s->memory == memory)
			nearer(&place, page, s->pgoff, s->pgoff + s->npages);
	}
	for (i = 0; i < o->nr_mappings; i++) {
		const struct mapping *m = &o->mappings[i];

		if (m->memory == memory)
			nearer(&place, page, m->pgoff, m->pgoff + (m->end - m->start));
	}
	return place;
}

/*
 * Huge pages are converted one by one, each with an allocation. Those that are nowhere are counted
 * and not looked at: as many as there are in a row, or as get memory.
 */
static uint64_t end_of_part(const struct oracle *o, const struct gmem_call *c, int memory,
			    uint64_t start, uint64_t end, uint64_t *asked)
{
	const struct task *t = &o->tasks[c->task];
	uint64_t block = o->memories[memory].block, first = start / block, n;
	uint64_t last = (end + block - 1) / block, place = next_place(o, memory, first * block);

	if (block == 1)
		return end;
	n = (place / block < last ? place / block : last) - first;
	if (t->inject == GMEM_INJECT_ENOMEM && n > t->inject_after - *asked)
		n = t->inject_after - *asked;
	if (!n) /* one that is somewhere, or gets none */
		n = 1;
	*asked += n - 1;
	return (first + n) * block < end ? (first + n) * block : end;
}

/* Splitting a huge page takes memory in two places, merging it in one of them. */
static int64_t reshape(struct oracle *o, const struct gmem_call *c, int memory, uint64_t start,
		       uint64_t end, uint64_t *asked)
{
	uint64_t block = o->memories[memory].block, first = start / block * block;
	bool was_whole = is_whole(o, memory, start), will_be = c->attributes == PRIVATE;

	if (block == 1 || !find_page(o, memory, first))
		return 0;
	if (will_be)
		will_be = all_of_file_are(o, memory, first, start, PRIVATE) &&
			  all_of_file_are(o, memory, end, first + block, PRIVATE);
	if (was_whole && c->attributes != PRIVATE && meets(o, c, GMEM_INJECT_ENOMEM, (*asked)++))
		return -ENOMEM;
	if (was_whole != will_be && meets(o, c, GMEM_INJECT_ENOMEM, (*asked)++))
		return -ENOMEM;
	return 0;
}

/* What is converted at once; *failed is the page that could not be. */
static int64_t convert_part(struct oracle *o, const struct gmem_call *c, int memory, uint64_t start,
			    uint64_t end, uint64_t *asked, uint64_t *failed)
{
	*failed = start;
	if (meets(o, c, GMEM_INJECT_ENOMEM, (*asked)++))
		return -ENOMEM;
	if (c->attributes == PRIVATE || o->design == COCO_RFC_V1) {
		drop_entries_of(o, memory, start, end);
		*failed = first_busy(o, memory, start, end);
		if (*failed != end)
			return -EAGAIN;
		*failed = start;
	}
	if (reshape(o, c, memory, start, end, asked))
		return -ENOMEM;
	convert_all_contents(o, memory, start, end, c->attributes, c->flags);
	say(o, memory, start, end, c->attributes);
	return 0;
}

static int64_t set_attributes(struct oracle *o, const struct gmem_call *c, int memory,
			      uint64_t *failed)
{
	uint64_t start = c->offset / PAGE, end = start + c->size / PAGE, next, asked = 0;
	int64_t err = 0;

	*failed = start;
	if (mode_is_unsupported(o, c, memory))
		return -EOPNOTSUPP;
	if (all_of_file_are(o, memory, start, end, c->attributes)) {
		if (o->design == COCO_V5)
			convert_all_contents(o, memory, start, end, c->attributes, c->flags);
		return 0;
	}
	for (; start < end && !err && !o->outside; start = next) {
		next = end_of_part(o, c, memory, start, end, &asked);
		err = convert_part(o, c, memory, start, next, &asked, failed);
	}
	return err;
}

/* Of the call, before anybody looks at the file's pages. */
static bool is_refused(const struct oracle *o, const struct gmem_call *c, int memory)
{
	bool private = has_private_memory(o, o->memories[memory].vm);
	uint64_t size = o->memories[memory].size;

	if (o->design == COCO_V5 ? c->flags > GMEM_CONTENT_PRESERVE : c->flags != 0)
		return true;
	if (c->reserved && o->design != COCO_RFC_V1 && o->design != COCO_HUGETLB)
		return true;
	if (!private && (o->design == COCO_V8 || o->design == COCO_V13))
		return true;
	if (c->attributes & ~(private ? PRIVATE : 0))
		return true;
	return !c->size || wraps(c->offset, c->size) || !aligned(c->offset) || !aligned(c->size) ||
	       c->offset + c->size > size;
}

/* The first version has it for the VM as well, where VMs have attributes. */
static int64_t set_attributes_of_vm(struct oracle *o, const struct gmem_call *c,
				    struct gmem_result *r)
{
	struct gmem_call as_before = *c;

	as_before.gpa = c->offset;
	return oracle_set_attributes(o, &as_before, r);
}

int64_t oracle_set_attributes2(struct oracle *o, const struct gmem_call *c, struct gmem_result *r)
{
	const struct open *open = find_open(o, c, c->fd);
	uint64_t failed;
	int64_t err;

	r->out = c->error_offset;
	if (open && open->kind == VM && o->design == COCO_RFC_V1 && !o->files_have_attributes)
		return set_attributes_of_vm(o, c, r);
	if (!open || open->kind != FILE_ || !o->files_have_attributes)
		return not_of(o, c, open);
	if (c->argp == 1)
		return -EFAULT;
	if (is_refused(o, c, open->number))
		return -EINVAL;
	err = set_attributes(o, c, open->number, &failed);
	if (err && c->argp == 2)
		return -EFAULT;
	if (err)
		r->out = failed * PAGE;
	return err;
}

/* ---- KVM_GMEM_CONVERT_SHARED, KVM_GMEM_CONVERT_PRIVATE ---- */

/* The next pages of [*start, end) that are not yet what they are to be; false if there are none. */
static bool next_part(const struct oracle *o, int memory, uint64_t to, uint64_t *start,
		      uint64_t end, uint64_t *part_end)
{
	while (*start < end && attribute(o, memory, *start) == to)
		++*start;
	*part_end = *start;
	while (*part_end < end && attribute(o, memory, *part_end) != to)
		++*part_end;
	return *start < end;
}

static int64_t ask_parts(struct oracle *o, int memory, uint64_t start, uint64_t end,
			 uint64_t *failed)
{
	uint64_t part_end, busy;

	for (; next_part(o, memory, PRIVATE, &start, end, &part_end); start = part_end) {
		drop_entries_of(o, memory, start, part_end);
		busy = first_busy(o, memory, start, part_end);
		if (busy != part_end) {
			*failed = busy;
			return -EAGAIN;
		}
	}
	return 0;
}

/* Splitting and merging huge pages takes memory, part by part; without it all is as it was. */
static int64_t convert_parts(struct oracle *o, const struct gmem_call *c, int memory,
			     uint64_t start, uint64_t end, uint64_t to)
{
	bool is_huge = o->memories[memory].block > 1;
	uint64_t part_end, parts = 1, part = start;

	for (; next_part(o, memory, to, &part, end, &part_end); part = part_end)
		if (is_huge && meets(o, c, GMEM_INJECT_ENOMEM, parts++))
			return -ENOMEM;
	convert_all_contents(o, memory, start, end, to, 0);
	say(o, memory, start, end, to);
	return 0;
}

static int64_t convert(struct oracle *o, const struct gmem_call *c, int memory, uint64_t *failed)
{
	uint64_t to = c->verb == GMEM_CONVERT_PRIVATE ? PRIVATE : 0;
	uint64_t start = c->offset / PAGE, end = start + c->size / PAGE;
	int64_t err = 0;

	*failed = start;
	if (all_of_file_are(o, memory, start, end, to))
		return 0;
	if (end - start > PAGES) {
		o->outside = true;
		return 0;
	}
	if (lacks_memory(o, c))
		return -ENOMEM;
	if (to == PRIVATE)
		err = ask_parts(o, memory, start, end, failed);
	return err ? err : convert_parts(o, c, memory, start, end, to);
}

/* 0, or why not; *failed is a page where the answer says of which. */
static int64_t convert_file(struct oracle *o, const struct gmem_call *c, int memory,
			    uint64_t *failed)
{
	const struct memory *m = &o->memories[memory];

	*failed = c->error_offset / PAGE;
	if (c->error_offset)
		return -EINVAL;
	if (!c->size)
		return 0;
	if (wraps(c->offset, c->size) || c->offset + c->size > m->size || !aligned(c->offset) ||
	    !aligned(c->size))
		return -EINVAL;
	if (o->design == SHAREABILITY_PLANNED && !o->vms[m->vm].files_track)
		return -EINVAL;
	return m->flags & GMEM_FLAG_SUPPORT_SHARED ? convert(o, c, memory, failed) : 0;
}

int64_t oracle_convert(struct oracle *o, const struct gmem_call *c, struct gmem_result *r)
{
	const struct open *open = find_open(o, c, c->fd);
	uint64_t failed;
	int64_t err;

	r->out = c->error_offset;
	if (!open || open->kind != FILE_ || !o->is_shareability)
		return not_of(o, c, open);
	if (c->argp == 1)
		return -EFAULT;
	err = convert_file(o, c, open->number, &failed);
	if (err && c->argp == 2)
		return -EFAULT;
	if (err && !c->error_offset)
		r->out = failed * PAGE;
	return err;
}
