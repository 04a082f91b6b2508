/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Long-term pins of host pages, as VFIO and io_uring's registered buffers take them.
 *
 * A pin holds pages, not the mapping, the file or the inode: it sees the mapping's bytes until
 * the page is truncated, and from then on keeps the old page to itself (pages.c).
 */
#include "ops.h"

static bool pin_range_is_aligned(struct gmem_run *run)
{
	const struct gmem_call *c = run->c;

	return PAGE_ALIGNED(c->addr) && PAGE_ALIGNED(c->length) && c->length &&
	       c->addr + c->length > c->addr;
}

static int begin_touching(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->start = t->page = PAGES(run->c->addr);
	t->end = t->page + PAGES(run->c->length);
	t->write = 1;
	return 0;
}

/* Since they were touched, pages may have gone again. */
static bool pages_are_mapped(struct gmem_run *run)
{
	uint64_t page = PAGES(run->c->addr), end = page + PAGES(run->c->length);
	struct gmem_range r;

	for (; page < end; page = r.end)
		if (!gmem_range_next_in(run->b, gmem_process(run)->ptes, page, end, &r) ||
		    r.start > page || (r.value & (PTE_PRESENT | PTE_COPY)) != PTE_PRESENT)
			return false;
	return true;
}

/* The pages of one mapping, from page number done on. */
static uint64_t pin_mapping(struct gmem_run *run, uint64_t done)
{
	struct gmem_block *b = run->b;
	struct gmem_file *file = GFILE(b, run->t->file);
	uint64_t page = PAGES(run->c->addr) + done;
	const struct gmem_vma *v = gmem_vma_at(b, gmem_process(run), page);
	struct gmem_inode *inode = INODE(b, v->inode);
	uint32_t idx = gmem_cell_alloc(b);
	struct gmem_pin *pin = PIN(b, idx);

	pin->inode = v->inode;
	pin->page = done;
	pin->pgoff = v->pgoff + (page - v->start);
	pin->npages = v->end - page < file->npages - done ? v->end - page : file->npages - done;
	pin->next = inode->pins;
	inode->pins = idx;
	inode->refs += inode->kind == INODE_ANON;
	gmem_range_set(b, &pin->holder, pin->pgoff, pin->pgoff + pin->npages, v->inode);
	gmem_range_set(b, &file->parts, pin->page, pin->page + pin->npages, idx);
	b->nr_pins++;
	return done + pin->npages;
}

/* Unlike the kernel, which pins page by page, and gives all back where one cannot be had. */
static int pin_pages(struct gmem_run *run)
{
	uint64_t done = 0, npages = PAGES(run->c->length);

	if (!pages_are_mapped(run))
		return RETRY;
	run->t->file = gmem_file_new(run->b, FILE_PIN);
	GFILE(run->b, run->t->file)->npages = npages;
	while (done < npages)
		done = pin_mapping(run, done);
	return 0;
}

/* pin_user_pages() with FOLL_WRITE and FOLL_LONGTERM */
const struct gmem_step gmem_op_pin[] = {
	CHECK(pin_range_is_aligned, PIN_1, EINVAL),
	CHECK(fd_is_available, FD_5, EMFILE),
	LOCK(MMAP_LOCK, READ, PIN_2),
	DO(begin_touching, PIN_2, .at = L_AGAIN),
	CALL(T_FAULT_IN, PIN_2, .err = -EFAULT, .to = L_UNLOCK),
	DO(pin_pages, PIN_3, .to = L_AGAIN),
	ANSWER(return_fd, PIN_3),
	UNLOCK(MMAP_LOCK, .at = L_UNLOCK),
	END,
};

/* unpin_user_pages() */
const struct gmem_step gmem_op_unpin[] = {
	CHECK(find_fd, FD_1, EBADF),
	DO(remove_descriptor, PIN_4),
	DELAYED_FPUT,
	ANSWER(return_zero, PIN_4),
	END,
};

static bool range_is_in_pin(struct gmem_run *run)
{
	uint64_t bytes = BYTES(GFILE(run->b, run->t->file)->npages);

	return run->c->offset <= bytes && run->c->size <= bytes - run->c->offset;
}

/* The inode that holds a byte of the pin, and where in it. */
static uint32_t pinned_byte(struct gmem_run *run, uint64_t offset, uint64_t *at)
{
	const struct gmem_file *file = GFILE(run->b, run->t->file);
	const struct gmem_pin *pin = PIN(run->b,
					 gmem_range_get(run->b, file->parts, PAGES(offset)));

	*at = offset + BYTES(pin->pgoff - pin->page);
	return gmem_range_get(run->b, pin->holder, PAGES(*at));
}

static int load_pinned_bytes(struct gmem_run *run)
{
	uint64_t value = 0, at;

	for (uint64_t i = run->c->size; i-- > 0;) {
		uint32_t inode = pinned_byte(run, run->c->offset + i, &at);

		if (gmem_bytes_are_open(run->b, inode, at, 1))
			return return_unspecified(run);
		value = value << 8 | gmem_bytes_read(run->b, inode, at, 1);
	}
	return return_loaded(run, value);
}

static int store_pinned_bytes(struct gmem_run *run)
{
	uint64_t at;

	for (uint64_t i = 0; i < run->c->size; i++) {
		uint32_t inode = pinned_byte(run, run->c->offset + i, &at);

		gmem_bytes_write(run->b, inode, at, 1, run->c->value >> 8 * i);
	}
	return return_zero(run);
}

/* io_import_fixed(), and then the memory itself */
const struct gmem_step gmem_op_pin_load[] = {
	CHECK(fdget, FD_1, EBADF),
	CHECK(range_is_in_pin, PIN_5, EINVAL),
	ANSWER(load_pinned_bytes, PIN_6),
	END,
};

/* io_import_fixed(), and then the memory itself */
const struct gmem_step gmem_op_pin_store[] = {
	CHECK(fdget, FD_1, EBADF),
	CHECK(range_is_in_pin, PIN_5, EINVAL),
	ANSWER(store_pinned_bytes, PIN_6),
	END,
};
