/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log of pages that the guest has written: a bitmap for each memslot with KVM_MEM_LOG_DIRTY_PAGES,
 * where run-guest.c leaves a mark.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "run.h"

#define PART (64 * GMEM_PAGE_SIZE) /* what one word of a bitmap is about */

static size_t words(const struct slot *s)
{
	return (size_t)((s->size + PART - 1) / PART);
}

void dirty_begin(struct slot *s)
{
	if ((s->flags & KVM_MEM_LOG_DIRTY_PAGES) && !s->dirty)
		s->dirty = xcalloc(words(s), sizeof(*s->dirty));
	if (!(s->flags & KVM_MEM_LOG_DIRTY_PAGES))
		dirty_end(s);
}

void dirty_end(struct slot *s)
{
	free(s->dirty);
	s->dirty = NULL;
}

void dirty_mark(const struct slot *s, uint64_t gpa)
{
	uint64_t page = (gpa - s->gpa) / GMEM_PAGE_SIZE;

	if (s->dirty)
		s->dirty[page / 64] |= 1ull << page % 64;
}

/* Its log, or a negated errno. */
static int64_t find(const struct vm *vm, uint32_t id, const struct slot **s)
{
	size_t i;

	if (id >= MOST_SLOTS)
		return -EINVAL;
	for (i = 0; i < vm->nr_slots && vm->slots[i].id != id; i++)
		;
	if (i == vm->nr_slots || !vm->slots[i].dirty)
		return -ENOENT;
	*s = &vm->slots[i];
	return 0;
}

static int64_t get(const struct request *q, const struct vm *vm)
{
	struct kvm_dirty_log log;
	const struct slot *s;
	int64_t err;

	if (target_read(q->pid, q->args[2], &log, sizeof(log)))
		return -EFAULT;
	err = find(vm, log.slot, &s);
	if (err)
		return err;
	if (target_write(q->pid, (uintptr_t)log.dirty_bitmap, s->dirty, 8 * words(s)))
		return -EFAULT;
	memset(s->dirty, 0, 8 * words(s));
	return 0;
}

/* Whole words, but for the last of the memslot. */
static bool is_part(const struct slot *s, const struct kvm_clear_dirty_log *log)
{
	uint64_t pages = s->size / GMEM_PAGE_SIZE, rest = pages - log->first_page;

	return log->first_page <= pages && log->num_pages <= rest &&
	       (log->num_pages == rest || !(log->num_pages & 63));
}

static int64_t clear(const struct request *q, const struct vm *vm)
{
	struct kvm_clear_dirty_log log;
	uint64_t *bits, n, i;
	const struct slot *s;
	int64_t err;

	if (target_read(q->pid, q->args[2], &log, sizeof(log)))
		return -EFAULT;
	if (log.first_page & 63)
		return -EINVAL;
	err = find(vm, log.slot, &s);
	if (err)
		return err;
	if (!is_part(s, &log))
		return -EINVAL;
	n = (log.num_pages + 63) / 64;
	bits = xcalloc(n + 1, sizeof(*bits));
	err = n && target_read(q->pid, (uintptr_t)log.dirty_bitmap, bits, n * sizeof(*bits)) ?
		      -EFAULT :
		      0;
	for (i = 0; i < n; i++)
		s->dirty[log.first_page / 64 + i] &= ~bits[i];
	free(bits);
	return err;
}

bool dirty_call(const struct request *q, struct object *o, int64_t *result)
{
	switch ((uint32_t)q->args[1]) {
	case KVM_GET_DIRTY_LOG:
		*result = get(q, o->vm);
		return true;
	case KVM_CLEAR_DIRTY_LOG:
		*result = clear(q, o->vm);
		return true;
	case KVM_RESET_DIRTY_RINGS:
		*result = -EINVAL; /* there are no rings */
		return true;
	default:
		return false;
	}
}
