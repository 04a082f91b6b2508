/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mappings of files of a mounted gmemfs, and what is done at their addresses; for backend-mount.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "backend-mount-parts.h"
#include "common.h"

struct mapping *mount_mapping(struct mount *m, uint64_t addr)
{
	unsigned int i;

	for (i = 0; i < m->nr_maps; i++)
		if (addr >= m->maps[i].start && addr < m->maps[i].end)
			return &m->maps[i];
	return NULL;
}

/* What is behind an address that is not the arena's is this process's own. */
static int is_foreign(const struct gmem_call *c)
{
	return c->addr >= GMEM_PAGE_SIZE && (c->addr < ARENA || c->addr >= ARENA << 2);
}

static enum backend_status do_mmap(struct mount *m, const struct gmem_call *c,
				   struct gmem_result *r, struct backend_error *e)
{
	struct handle *h = mount_handle(m, c->fd);
	uint64_t flags = c->flags | MAP_NORESERVE;
	long p;

	if (c->flags & GMEM_MAP_FIXED)
		return mount_limit(e, "mappings at given addresses are not made");
	if (h && (c->flags & 3) == GMEM_MAP_PRIVATE && !(c->flags & GMEM_MAP_ANONYMOUS))
		return mount_limit(e, "it does not refuse private mappings");
	if (c->prot & GMEM_PROT_EXEC)
		return mount_limit(e, "it does not refuse mappings that can be executed");
	if (h && mount_number(h->fd, "user.gmem.flags") & (long)GMEM_FLAG_HUGETLB)
		return mount_limit(e, "it does not know huge pages");
	p = syscall(SYS_mmap, m->next, c->length, c->prot, flags, h ? h->fd : -1, c->offset);
	if (p < 0 && p >= -4095)
		return mount_answer(r, -1);
	if (m->nr_maps == MOST_MAPS)
		die("too many mappings at a time");
	m->maps[m->nr_maps++] = (struct mapping){
		(uint64_t)p, ((uint64_t)p + c->length + GMEM_PAGE_SIZE - 1) & ~(GMEM_PAGE_SIZE - 1),
		c->offset, c->prot, c->flags & GMEM_MAP_ANONYMOUS ? NULL : h
	};
	if (m->maps[m->nr_maps - 1].h)
		h->users++;
	m->next = m->maps[m->nr_maps - 1].end + GMEM_PAGE_SIZE;
	return mount_answer(r, p);
}

/* Only as a whole, as what is left of one would be two. */
static enum backend_status do_munmap(struct mount *m, const struct gmem_call *c,
				     struct gmem_result *r, struct backend_error *e)
{
	struct mapping *p = mount_mapping(m, c->addr);
	struct handle *h;
	int err;

	if (is_foreign(c) || (p && (c->addr != p->start || c->addr + c->length < p->end)))
		return mount_limit(e, "parts of mappings are not unmapped");
	err = munmap((void *)(uintptr_t)c->addr, c->length);
	mount_answer(r, err);
	if (!err && p) {
		h = p->h;
		*p = m->maps[--m->nr_maps];
		if (h)
			mount_put(m, h);
	}
	return BACKEND_DONE;
}

/* At once, as a processor does: half of it is never made. */
static uint64_t access_at(uint64_t addr, uint64_t size, const uint64_t *value)
{
	union any {
		uint8_t one;
		uint16_t two;
		uint32_t four;
		uint64_t eight;
	} __attribute__((packed));
	volatile union any *p = (void *)(uintptr_t)addr;

	switch (size) {
	case 1:
		return value ? (p->one = (uint8_t)*value) : p->one;
	case 2:
		return value ? (p->two = (uint16_t)*value) : p->two;
	case 4:
		return value ? (p->four = (uint32_t)*value) : p->four;
	default:
		return value ? (p->eight = *value) : p->eight;
	}
}

static enum backend_status do_access(const struct gmem_call *c, struct gmem_result *r,
				     struct backend_error *e)
{
	uint64_t loaded;
	int signal;

	if (is_foreign(c))
		return mount_limit(e, "only what was mapped is accessed");
	signal = sigsetjmp(mount_after_fault, 1);
	if (signal) {
		r->outcome = signal == SIGBUS ? GMEM_SIGBUS : GMEM_SIGSEGV;
		return BACKEND_DONE;
	}
	loaded = access_at(c->addr, c->size, c->verb == GMEM_STORE ? &c->value : NULL);
	if (c->verb == GMEM_LOAD)
		result_load(r, loaded);
	return BACKEND_DONE;
}

static enum backend_status do_pin(struct mount *m, const struct gmem_call *c, struct gmem_result *r,
				  struct backend_error *e)
{
	struct mapping *p = mount_mapping(m, c->addr);
	struct gmem_call at = *c;

	if (!p || !p->h || c->addr + c->length > p->end)
		return mount_limit(e, "only one mapped file is pinned");
	if (!(p->prot & GMEM_PROT_WRITE))
		return mount_limit(e, "it pins what is mapped read-only");
	at.offset = p->offset + (c->addr - p->start);
	mount_own_call(p->h, &at, r);
	if (result_succeeded(r))
		r->value = mount_new_fd(m,
					mount_new_handle(m, dup(m->root), GMEM_FD_PIN, r->value));
	return BACKEND_DONE;
}

enum backend_status mount_memory_call(struct mount *m, const struct gmem_call *c,
				      struct gmem_result *r, struct backend_error *e)
{
	void *addr = (void *)(uintptr_t)c->addr;

	switch (c->verb) {
	case GMEM_MMAP:
		return do_mmap(m, c, r, e);
	case GMEM_MUNMAP:
		return do_munmap(m, c, r, e);
	case GMEM_MPROTECT:
		return is_foreign(c) || (c->prot & GMEM_PROT_EXEC) ?
			       mount_limit(e, "it does not refuse mappings that can be executed") :
			       mount_answer(r, mprotect(addr, c->length, (int)c->prot));
	case GMEM_MADVISE:
		return is_foreign(c) || m->poisoned || c->advice == GMEM_MADV_COLLAPSE ||
				       c->advice == GMEM_MADV_HUGEPAGE ?
			       mount_limit(e, "its mappings take other advice") :
			       mount_answer(r, madvise(addr, c->length, (int)c->advice));
	case GMEM_PIN:
		return do_pin(m, c, r, e);
	default:
		return do_access(c, r, e);
	}
}
