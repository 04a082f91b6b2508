/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Long-term pins of host pages, as VFIO and io_uring's registered buffers take them.
 *
 * A pin holds pages, not the mapping, the file or the inode: it sees the mapping's bytes until
 * the page is truncated, and from then on keeps the old page to itself (pages.c).
 */
#include "ops.h"

static bool range_is_aligned(struct gmem_run *run)
{
	const struct gmem_call *c = run->c;

	return PAGE_ALIGNED(c->addr) && PAGE_ALIGNED(c->length) && c->length &&
	       c->addr + c->length > c->addr;
}

/* Unlike the kernel, one pin is of pages that follow each other in one file. */
static bool pages_are_writable_and_in_a_row(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	uint64_t page = PAGES(run->c->addr), end = page + PAGES(run->c->length);

	t->page = page;
	while (page < end) {
		const struct gmem_vma *v = gmem_vma_at(run->b, gmem_process(run), page);
		uint64_t pgoff = v ? v->pgoff + (page - v->start) : 0;

		if (page == t->page && v) {
			t->inode = v->inode;
			t->pgoff = pgoff;
		}
		if (!v || !(v->prot & GMEM_PROT_WRITE) || v->inode != t->inode ||
		    pgoff - t->pgoff != page - t->page)
			return false;
		page = v->end;
	}
	return true;
}

static bool pages_can_be_faulted_in(struct gmem_run *run)
{
	return !gmem_fault_in(run, run->t->page, run->t->page + PAGES(run->c->length));
}

static int pin_pages(struct gmem_run *run)
{
	struct gmem_task *t = run->t;
	struct gmem_inode *inode = INODE(run->b, t->inode);
	struct gmem_file *pin;

	t->file = gmem_file_new(run->b, FILE_PIN);
	pin = GFILE(run->b, t->file);
	pin->inode = t->inode;
	pin->npages = PAGES(run->c->length);
	pin->first = t->pgoff;
	pin->next = inode->pins;
	inode->pins = t->file;
	if (inode->kind == INODE_ANON)
		inode->refs++;
	gmem_range_set(run->b, &pin->pinned, 0, pin->npages, t->inode);
	run->b->nr_pins++;
	return 0;
}

/* pin_user_pages(FOLL_WRITE | FOLL_LONGTERM) */
const struct gmem_step gmem_op_pin[] = {
	CHECK(range_is_aligned, PIN_1, EINVAL),
	CHECK(fd_is_available, FD_5, EMFILE),
	CHECK(pages_are_writable_and_in_a_row, PIN_2, EFAULT),
	CHECK(pages_can_be_faulted_in, PIN_2, EFAULT),
	DO(pin_pages, PIN_3),
	ANSWER(return_fd, PIN_3),
	END,
};

static int remove_descriptor(struct gmem_run *run)
{
	gmem_fd_remove(run->b, gmem_process(run), run->c->fd);
	gmem_fput(run, run->t->file);
	return 0;
}

const struct gmem_step gmem_op_unpin[] = {
	CHECK(fdget, FD_1, EBADF),
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
	const struct gmem_file *pin = GFILE(run->b, run->t->file);

	*at = BYTES(pin->first) + offset;
	return gmem_range_get(run->b, pin->pinned, PAGES(offset));
}

static int load_pinned_bytes(struct gmem_run *run)
{
	uint64_t value = 0, at;

	for (uint64_t i = run->c->size; i-- > 0;) {
		uint32_t inode = pinned_byte(run, run->c->offset + i, &at);

		value = value << 8 | gmem_bytes_read(run->b, inode, at, 1);
	}
	run->res->value = (int64_t)value;
	return 0;
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

const struct gmem_step gmem_op_pin_load[] = {
	CHECK(fdget, FD_1, EBADF),
	CHECK(range_is_in_pin, PIN_5, EINVAL),
	ANSWER(load_pinned_bytes, PIN_6),
	END,
};

const struct gmem_step gmem_op_pin_store[] = {
	CHECK(fdget, FD_1, EBADF),
	CHECK(range_is_in_pin, PIN_5, EINVAL),
	ANSWER(store_pinned_bytes, PIN_6),
	END,
};
