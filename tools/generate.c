/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which call comes next, and what is there to make it with; see random.h. generate-calls.c makes
 * each of them up.
 *
 * The generator remembers what succeeded: descriptors, mappings and memslots, per task. It does not
 * know what the calls mean.
 */
#include <string.h>

#include "generate.h"

static unsigned int count(const struct generator *g, unsigned int fds)
{
	unsigned int i, n = 0;

	for (i = 0; i < g->nr_handles; i++)
		n += fds ? !!(g->handles[i].fds & fds) : !g->handles[i].fds;
	return n;
}

/* Whether it makes sense to make that call now. */
static int useful(struct generator *g, uint32_t verb)
{
	const struct gmem_verb_info *info = gmem_verb_info(verb);

	if (g->never >> verb & 1)
		return 0;
	if ((info->binds == GMEM_BINDS_FD || info->binds == GMEM_BINDS_ADDR) &&
	    g->nr_handles == GENERATOR_HANDLES)
		return 0;
	switch (verb) {
	case GMEM_CREATE_VM:
		return count(g, GMEM_FD_VM) < 3;
	case GMEM_CREATE_GUEST_MEMFD:
		return count(g, GMEM_FD_GMEM) < 4;
	case GMEM_MMAP:
		return count(g, 0) < 6;
	case GMEM_UNPIN:
	case GMEM_PIN_LOAD:
	case GMEM_PIN_STORE:
		return pick(g, GMEM_FD_PIN) != NULL;
	case GMEM_MUNMAP:
	case GMEM_MPROTECT:
	case GMEM_MADVISE:
	case GMEM_LOAD:
	case GMEM_STORE:
	case GMEM_PIN:
		return pick(g, 0) || one_in(g, 20);
	case GMEM_GUEST_LOAD:
	case GMEM_GUEST_STORE:
	case GMEM_POPULATE:
		return g->nr_slots || one_in(g, 10);
	case GMEM_FORK:
		return g->nr_tasks < GENERATOR_TASKS;
	case GMEM_EXIT:
		return g->last.call.task != 0;
	default:
		return 1;
	}
}

static unsigned int choose(struct generator *g)
{
	unsigned int i, total = 0;
	uint64_t at;

	if (g->nr_calls == 0 || (!count(g, GMEM_FD_VM) && below(g, 8)))
		return GMEM_CREATE_VM;
	if (!count(g, GMEM_FD_GMEM) && below(g, 2))
		return GMEM_CREATE_GUEST_MEMFD;
	if (!g->nr_slots && count(g, GMEM_FD_GMEM) && one_in(g, 6))
		return GMEM_SET_USER_MEMORY_REGION2;
	if (g->injected && below(g, 4))
		return GMEM_FALLOCATE;
	for (i = 0; generated_verbs[i].weight; i++)
		total += generated_verbs[i].weight;
	for (;;) {
		at = below(g, total);
		for (i = 0; at >= generated_verbs[i].weight; i++)
			at -= generated_verbs[i].weight;
		if (useful(g, generated_verbs[i].verb))
			return generated_verbs[i].verb;
		if (!random_left(g->random))
			return GMEM_CHECK_EXTENSION;
	}
}

void generator_begin(struct generator *g, struct random *r)
{
	memset(g, 0, sizeof(*g));
	g->random = r;
	g->types = 1;
	g->nr_tasks = 1;
	g->tasks = 1;
}

void generator_call(struct generator *g, struct linked_call *l)
{
	const struct gmem_param *p;
	unsigned int i, verb;

	memset(&g->last, 0, sizeof(g->last));
	g->last.fd_from = g->last.memfd_from = g->last.addr_from = -1;
	if (g->injected)
		g->last.call.task = g->injected - 1;
	else if (g->tasks != 1 && one_in(g, 3))
		g->last.call.task = below(g, g->nr_tasks);
	if (!(g->tasks >> g->last.call.task & 1))
		g->last.call.task = 0;
	verb = choose(g);
	g->last.call.verb = verb;
	for (p = gmem_verb_info(verb)->params; p->name; p++)
		*call_field(&g->last.call, p->offset) = p->dflt;
	for (i = 0; generated_verbs[i].verb != verb; i++)
		;
	generated_verbs[i].make(g, &g->last.call);
	*l = g->last;
}

/* ---- what became of it ---- */

static void add_handle(struct generator *g)
{
	const struct gmem_call *c = &g->last.call;
	const struct generated_handle *of = made_by(g, g->last.fd_from);
	struct generated_handle *h = &g->handles[g->nr_handles++], like = { .fds = GMEM_FD_KVM };

	*h = (struct generated_handle){ .from = g->nr_calls, .tasks = 1u << c->task, .of = -1 };
	h->fds = gmem_verb_info(c->verb)->binds_fd;
	switch (c->verb) {
	case GMEM_CREATE_VM:
		h->of = g->nr_calls;
		break;
	case GMEM_CREATE_GUEST_MEMFD:
		h->size = c->size;
		h->of = of ? of->of : -1;
		break;
	case GMEM_DUP:
		if (of)
			like = *of;
		h->fds = like.fds;
		h->size = like.size;
		h->of = like.of;
		break;
	case GMEM_MMAP:
		h->readable = !!(c->prot & GMEM_PROT_READ);
		h->stays_readable = !!(c->flags & GMEM_MAP_FIXED);
		/* fall through */
	default:
		h->size = c->length;
	}
}

/* A mapping that was made unreadable is no memory for slots from then on. */
static void note_protection(struct generator *g)
{
	struct generated_handle *h = made_by(g, g->last.addr_from);

	if (h && !(g->last.call.prot & GMEM_PROT_READ))
		h->readable = 0;
}

static void drop_handles(struct generator *g, uint32_t of_task, int32_t from)
{
	unsigned int i;

	for (i = 0; i < g->nr_handles; i++) {
		struct generated_handle *h = &g->handles[i];

		if (from < 0 || h->from == from)
			h->tasks &= ~(1u << of_task);
		if (!h->tasks)
			g->handles[i--] = g->handles[--g->nr_handles];
	}
}

static void note_slot(struct generator *g)
{
	const struct gmem_call *c = &g->last.call;
	const struct generated_handle *vm = made_by(g, g->last.fd_from);
	struct generated_slot s = { vm ? vm->of : -1, c->slot, c->gpa, c->size };
	unsigned int i;

	for (i = 0; i < g->nr_slots; i++)
		if (g->slots[i].vm == s.vm && g->slots[i].slot == s.slot)
			break;
	if (!c->size && i < g->nr_slots)
		g->slots[i] = g->slots[--g->nr_slots];
	else if (c->size && i < GENERATOR_SLOTS) {
		g->slots[i] = s;
		g->nr_slots += i == g->nr_slots;
	}
}

static void note_fork(struct generator *g)
{
	unsigned int i;

	for (i = 0; i < g->nr_handles; i++)
		g->handles[i].tasks |= (g->handles[i].tasks >> g->last.call.task & 1)
				       << g->nr_tasks;
	g->tasks |= 1u << g->nr_tasks++;
}

void generator_result(struct generator *g, const struct gmem_result *r)
{
	const struct gmem_verb_info *info = gmem_verb_info(g->last.call.verb);
	int ok = result_succeeded(r);

	switch (g->last.call.verb) {
	case GMEM_FORK:
		if (ok)
			note_fork(g);
		break;
	case GMEM_EXIT:
		drop_handles(g, g->last.call.task, -1);
		g->tasks &= ~(1u << g->last.call.task);
		break;
	case GMEM_MPROTECT:
		note_protection(g);
		break;
	case GMEM_CLOSE:
	case GMEM_UNPIN:
		if (g->last.fd_from >= 0)
			drop_handles(g, g->last.call.task, g->last.fd_from);
		break;
	case GMEM_SET_USER_MEMORY_REGION:
	case GMEM_SET_USER_MEMORY_REGION2:
		if (ok)
			note_slot(g);
		break;
	default:
		if (ok && info->binds != GMEM_BINDS_NOTHING && g->nr_handles < GENERATOR_HANDLES)
			add_handle(g);
	}
	g->injected = g->last.call.verb == GMEM_INJECT && ok ? g->last.call.task + 1 : 0;
	g->nr_calls++;
}
