/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loads and stores by the host, through its page tables. A fault of what is not there is in host.c.
 */
#include "ops.h"

/* The next page of the access that is not known to be mapped. */
static bool next_page_of_access(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	uint64_t last = PAGES(run->c->addr + run->c->size - 1);

	t->write = run->c->verb == GMEM_STORE;
	t->page = t->done++ ? last : PAGES(run->c->addr);
	return t->done == 1 || (t->done == 2 && last != PAGES(run->c->addr));
}

static int begin_host_access(struct gmem_run *run)
{
	run->t->done = 0;
	return 0;
}

/* The inode and the byte of it behind an address that has been faulted in. */
static uint32_t byte_at(struct gmem_run *run, uint64_t addr, uint64_t *offset)
{
	const struct gmem_vma *v = gmem_vma_at(run->b, gmem_process(run), PAGES(addr));

	*offset = BYTES(v->pgoff) + (addr - BYTES(v->start));
	return v->inode;
}

/*
 * Between the fault and the access a page may have gone again. Sets t->start and t->end, of the
 * address, and t->whole_start and t->whole_end: which pages these are of their inodes.
 */
static bool access_faults(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->start = PAGES(run->c->addr);
	t->end = PAGES(run->c->addr + run->c->size - 1) + 1;
	t->whole_start = UINT64_MAX;
	t->whole_end = 0;
	for (t->page = t->start; t->page < t->end; t->page++) {
		if (!processor_finds_page(run))
			return true;
		if (t->pgoff < t->whole_start)
			t->whole_start = t->pgoff;
		if (t->pgoff >= t->whole_end)
			t->whole_end = t->pgoff + 1;
	}
	return false;
}

static int load_bytes(struct gmem_run *run)
{
	uint64_t value = 0, offset;

	if (access_faults(run))
		return RETRY;
	for (uint64_t i = run->c->size; i-- > 0;) {
		uint32_t inode = byte_at(run, run->c->addr + i, &offset);

		if (gmem_bytes_are_open(run->b, inode, offset, 1))
			return return_unspecified(run);
		value = value << 8 | gmem_bytes_read(run->b, inode, offset, 1);
	}
	return return_loaded(run, value);
}

static int store_bytes(struct gmem_run *run)
{
	uint64_t offset;

	if (access_faults(run))
		return RETRY;
	for (uint64_t i = 0; i < run->c->size; i++) {
		uint32_t inode = byte_at(run, run->c->addr + i, &offset);

		gmem_bytes_write(run->b, inode, offset, 1, run->c->value >> 8 * i);
	}
	return return_zero(run);
}

/*
 * handle_mm_fault() for each page that is not mapped, and then the access, which is the processor's
 */
const struct gmem_step gmem_op_load[] = {
	DO(begin_host_access, HOST_10, .at = L_AGAIN),
	CALL_EACH(next_page_of_access, T_HOST_FAULT, HOST_10),
	ANSWER(load_bytes, HOST_11, .to = L_AGAIN),
	END,
};

/* The same, handle_mm_fault() included */
const struct gmem_step gmem_op_store[] = {
	DO(begin_host_access, HOST_10, .at = L_AGAIN),
	CALL_EACH(next_page_of_access, T_HOST_FAULT, HOST_10),
	ANSWER(store_bytes, HOST_12, .to = L_AGAIN),
	END,
};
