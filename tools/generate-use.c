/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is there to make calls with, for generate-calls.c: handles, mappings and memslots, and now
 * and then something that is not there.
 */
#include "generate.h"

struct generated_handle *pick(struct generator *g, unsigned int fds)
{
	struct generated_handle *h, *fit[GENERATOR_HANDLES];
	unsigned int i, n = 0;

	for (i = 0; i < g->nr_handles; i++) {
		h = &g->handles[i];
		if ((h->tasks >> task(g) & 1) && (fds ? h->fds & fds : !h->fds))
			fit[n++] = h;
	}
	return n ? fit[below(g, n)] : NULL;
}

struct generated_handle *made_by(struct generator *g, int32_t from)
{
	unsigned int i;

	for (i = 0; i < g->nr_handles; i++)
		if (g->handles[i].from == from)
			return &g->handles[i];
	return NULL;
}

struct generated_handle *use_fd(struct generator *g, unsigned int fds, int is_ioctl)
{
	struct generated_handle *h = pick(g, fds);

	g->last.call.fd = -1;
	if (one_in(g, 60))
		return NULL;
	if (is_ioctl && one_in(g, 60))
		h = pick(g, ANY_FILE);
	if (!h)
		return NULL;
	g->last.call.fd = 0;
	g->last.fd_from = h->from;
	return h->fds & fds ? h : NULL;
}

void use_vm(struct generator *g, int32_t vm)
{
	unsigned int i;

	for (i = 0; i < g->nr_handles; i++) {
		const struct generated_handle *h = &g->handles[i];

		if ((h->fds & GMEM_FD_VM) && h->of == vm && (h->tasks >> task(g) & 1))
			g->last.fd_from = h->from;
	}
}

uint64_t size_of(const struct generated_handle *h)
{
	return h ? h->size : 4 * PAGE;
}

uint64_t some_page(struct generator *g, uint64_t size)
{
	uint64_t pages = (size + PAGE - 1) / PAGE;

	pages = pages < 8 ? pages : 8;
	return below(g, pages + one_in(g, 8) + !pages);
}

struct generated_handle *use_addr(struct generator *g, int pages)
{
	struct generated_handle *h = one_in(g, 60) ? NULL : pick(g, 0);
	uint64_t offset;

	if (!h) {
		g->last.call.addr = one_in(g, 2) ? 0 : random_odd(g->random);
		return NULL;
	}
	offset = PAGE * some_page(g, h->size);
	if (!pages)
		offset += below(g, 4) ? 8 * below(g, 4) : PAGE - 8 + below(g, 8);
	else if (one_in(g, 40))
		offset += 1 + below(g, PAGE - 1);
	g->last.addr_from = h->from;
	g->last.call.addr = offset;
	return h;
}

struct generated_slot *pick_slot(struct generator *g)
{
	return g->nr_slots ? &g->slots[below(g, g->nr_slots)] : NULL;
}
