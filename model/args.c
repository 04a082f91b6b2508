/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is asked before a call is made: whether the library has an answer to it at all, and how
 * much memory the model may need for it.
 */
#include "ops.h"

static bool size_is_natural(uint64_t size)
{
	return size == 1 || size == 2 || size == 4 || size == 8;
}

static bool is_in_one_page(const struct gmem_call *c)
{
	return (c->gpa & (GMEM_PAGE_SIZE - 1)) + c->size <= GMEM_PAGE_SIZE;
}

static uint32_t process_of(const struct gmem_block *b, const struct gmem_call *c)
{
	return CTASK(b, b->tasks[c->task])->process;
}

/* Forking copies a VM's creator; the tasks of one process are forked one by one. */
static bool fork_makes_sense(const struct gmem_block *b, const struct gmem_call *c)
{
	return c->value < GMEM_MAX_TASKS && !b->tasks[c->value];
}

/* Verbs that only one kind of file has; ioctls answer ENOTTY instead. */
unsigned int gmem_kinds_of_fd(uint32_t verb)
{
	if (verb >= GMEM_FALLOCATE && verb <= GMEM_MMAP)
		return GMEM_FD_GMEM;
	switch (verb) {
	case GMEM_MEMORY_FAILURE:
		return GMEM_FD_GMEM;
	case GMEM_UNPIN:
	case GMEM_PIN_LOAD:
	case GMEM_PIN_STORE:
		return GMEM_FD_PIN;
	default:
		return GMEM_FD_ANY;
	}
}

bool gmem_call_makes_sense(const struct gmem_block *b, const struct gmem_call *c)
{
	switch (c->verb) {
	case GMEM_LOAD:
	case GMEM_STORE:
		return size_is_natural(c->size) && c->addr + c->size > c->addr;
	case GMEM_PIN_LOAD:
	case GMEM_PIN_STORE:
		return size_is_natural(c->size);
	case GMEM_GUEST_LOAD:
	case GMEM_GUEST_STORE:
		return size_is_natural(c->size) && is_in_one_page(c);
	case GMEM_FCNTL:
		return c->cmd == GMEM_F_GETFD || c->cmd == GMEM_F_GETFL ||
		       c->cmd == GMEM_F_ADD_SEALS || c->cmd == GMEM_F_GET_SEALS;
	case GMEM_FSTAT:
		return c->field <= GMEM_ST_UID;
	case GMEM_RMMOD:
		return c->what == GMEM_MODULE_STORE || c->what == GMEM_MODULE_OPERATIONS;
	case GMEM_FSTATFS:
		return c->field <= GMEM_F_BSIZE;
	case GMEM_INJECT:
		return c->what <= GMEM_INJECT_ENOMEM;
	case GMEM_FORK:
	case GMEM_THREAD:
		return fork_makes_sense(b, c);
	case GMEM_EXIT:
		return c->task != 0;
	default:
		return true;
	}
}

/* Whether this is the first mapping of the inode, in the order of addresses. */
static bool is_first_of_inode(const struct gmem_block *b, const struct gmem_process *p,
			      const struct gmem_vma *v)
{
	for (uint32_t i = CINODE(b, v->inode)->vmas; i; i = CVMA(b, i)->next)
		if (CVMA(b, i)->start < v->start && CPROCESS(b, CVMA(b, i)->process) == p)
			return false;
	return true;
}

static uint64_t cells_for_fork(const struct gmem_block *b, const struct gmem_call *c)
{
	const struct gmem_process *p = CPROCESS(b, process_of(b, c));
	uint64_t cells = gmem_range_cells(b, p->fds) + gmem_range_cells(b, p->cloexec) +
			 2 * gmem_range_cells(b, p->vmas) + 4 * gmem_range_cells(b, p->ptes);
	struct gmem_range r = { 0, 0, 0 };

	while (gmem_range_next(b, p->vmas, r.end, &r)) {
		const struct gmem_vma *v = CVMA(b, r.value);
		const struct gmem_inode *inode = CINODE(b, v->inode);

		cells += 6;
		if (gmem_is_private_memory(inode) && is_first_of_inode(b, p, v))
			cells += 1 + gmem_range_cells(b, inode->folios) +
				 gmem_range_cells(b, inode->bytes);
	}
	return cells;
}

/* Copying bytes stores each run of equal bytes once; a page has at most one run a byte. */
static uint64_t cells_for_copy(const struct gmem_block *b, uint32_t inode)
{
	return 3 * GMEM_RANGE_POINTS * (uint64_t)gmem_range_cells(b, CINODE(b, inode)->bytes);
}

/*
 * Truncation under a pin copies what the pin keeps: an orphan for each mapping at most, and each
 * of them may cut a pin in two.
 */
static uint64_t cells_for_orphans(const struct gmem_block *b)
{
	uint64_t cells = 0;

	for (uint32_t i = b->inodes; i; i = CINODE(b, i)->next)
		for (uint32_t p = CINODE(b, i)->pins; p; p = CPIN(b, p)->next) {
			uint64_t cuts = b->nr_vmas < CPIN(b, p)->npages ? b->nr_vmas :
									  CPIN(b, p)->npages;

			cells += 64 + 3 * cuts;
			if (p == CINODE(b, i)->pins)
				cells += cells_for_copy(b, i) + 8 * (uint64_t)b->nr_vmas;
		}
	return cells;
}

/* Pages that guests have mapped. */
static uint64_t guest_pages(const struct gmem_block *b)
{
	uint64_t pages = 0;

	for (uint32_t vm = b->vms; vm; vm = CVM(b, vm)->next)
		for (struct gmem_range r = { 0, 0, 0 };
		     gmem_range_next(b, CVM(b, vm)->sptes, r.end, &r);)
			pages += r.end - r.start;
	return pages;
}

/*
 * What goes from the host's page tables is cut out of the guests', mapping by mapping and memslot
 * by memslot; a cut adds two points, and there are never more than two for each page.
 */
static uint64_t cells_for_zaps(const struct gmem_block *b)
{
	uint64_t cuts = (uint64_t)b->nr_slots * b->nr_vmas;

	if (cuts > 1024) {
		uint64_t pages = guest_pages(b);

		cuts = cuts < pages ? cuts : pages;
	}
	return 3 * cuts;
}

static uint64_t cells_for_populate(const struct gmem_block *b, const struct gmem_call *c)
{
	const struct gmem_process *p = CPROCESS(b, process_of(b, c));
	uint64_t page = PAGES(c->addr), end = page + PAGES(c->size), cells = 0;
	struct gmem_range r = { 0, page, 0 };

	while (gmem_range_next(b, p->vmas, r.end, &r) && r.start < end)
		cells += 64 + cells_for_copy(b, CVMA(b, r.value)->inode);
	return cells;
}

/* A part a mapping. */
static uint64_t cells_for_pin(const struct gmem_block *b, const struct gmem_call *c)
{
	(void)c;
	return 4 * (uint64_t)b->nr_vmas;
}

static uint64_t cells_for_truncation(const struct gmem_block *b, const struct gmem_call *c)
{
	(void)c;
	return cells_for_zaps(b) + (b->nr_pins ? cells_for_orphans(b) : 0);
}

static uint64_t (*const cells_for[GMEM_NR_VERBS])(const struct gmem_block *b,
						  const struct gmem_call *c) = {
	[GMEM_FORK] = cells_for_fork,
	[GMEM_POPULATE] = cells_for_populate,
	[GMEM_PIN] = cells_for_pin,
	[GMEM_FALLOCATE] = cells_for_truncation,
	[GMEM_FTRUNCATE] = cells_for_truncation,
	[GMEM_SET_MEMORY_ATTRIBUTES2] = cells_for_truncation,
	[GMEM_CONVERT_SHARED] = cells_for_truncation,
	[GMEM_CONVERT_PRIVATE] = cells_for_truncation,
	[GMEM_CLOSE] = cells_for_truncation,
	[GMEM_MADVISE] = cells_for_truncation,
	[GMEM_MUNMAP] = cells_for_truncation,
	[GMEM_MPROTECT] = cells_for_truncation,
	[GMEM_MMAP] = cells_for_truncation,
	[GMEM_EXIT] = cells_for_truncation,
	[GMEM_UNPIN] = cells_for_truncation,
	[GMEM_MEMORY_FAILURE] = cells_for_truncation,
};

uint64_t gmem_cells_for_verb(const struct gmem_block *b, const struct gmem_call *c)
{
	return cells_for[c->verb] ? cells_for[c->verb](b, c) : 0;
}
