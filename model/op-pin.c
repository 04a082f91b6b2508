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

/* Mapping by mapping; what was touched before a refusal stays touched. */
static bool pages_can_be_written(struct gmem_run *run)
{
	uint64_t page = run->t->page = PAGES(run->c->addr), to;
	uint64_t end = page + PAGES(run->c->length);

	for (; page < end; page = to) {
		const struct gmem_vma *v = gmem_vma_at(run->b, gmem_process(run), page);

		if (!v || !(v->prot & GMEM_PROT_WRITE))
			return false;
		to = v->end < end ? v->end : end;
		if (gmem_fault_in(run, page, to))
			return false;
	}
	return true;
}

static int create_pin(struct gmem_run *run)
{
	run->t->file = gmem_file_new(run->b, FILE_PIN);
	GFILE(run->b, run->t->file)->npages = PAGES(run->c->length);
	run->t->done = 0;
	return 0;
}

/* The pages of one mapping after the other. */
static int pin_next_mapping(struct gmem_run *run)
{
	struct gmem_block *b = run->b;
	struct gmem_task *t = run->t;
	struct gmem_file *file = GFILE(b, t->file);
	const struct gmem_vma *v;
	struct gmem_inode *inode;
	struct gmem_pin *pin;
	uint64_t page = t->page + t->done;
	uint32_t idx;

	if (t->done == file->npages)
		return 0;
	v = gmem_vma_at(b, gmem_process(run), page);
	inode = INODE(b, v->inode);
	idx = gmem_cell_alloc(b);
	pin = PIN(b, idx);
	pin->inode = v->inode;
	pin->page = t->done;
	pin->pgoff = v->pgoff + (page - v->start);
	pin->npages = v->end - page < file->npages - t->done ? v->end - page :
							       file->npages - t->done;
	pin->next = inode->pins;
	inode->pins = idx;
	inode->refs += inode->kind == INODE_ANON;
	gmem_range_set(b, &pin->holder, pin->pgoff, pin->pgoff + pin->npages, v->inode);
	gmem_range_set(b, &file->parts, pin->page, pin->page + pin->npages, idx);
	b->nr_pins++;
	t->done += pin->npages;
	return AGAIN;
}

/* pin_user_pages(FOLL_WRITE | FOLL_LONGTERM) */
const struct gmem_step gmem_op_pin[] = {
	CHECK(range_is_aligned, PIN_1, EINVAL),
	CHECK(fd_is_available, FD_5, EMFILE),
	CHECK(pages_can_be_written, PIN_2, EFAULT),
	DO(create_pin, PIN_3),
	EACH(pin_next_mapping, PIN_3),
	ANSWER(return_fd, PIN_3),
	END,
};

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
