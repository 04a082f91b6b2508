/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes up the parameters of a call; see random.h.
 *
 * Most calls are meant to work, on few objects that overlap much: small files, a dozen pages of
 * guest memory, four slots. The rest is what a careful tester tries: boundaries, wrap-arounds,
 * odd alignments, unknown bits. Sizes are either small or absurd, because the same calls are made
 * on a real kernel, which would really fill the memory between.
 */
#include "generate.h"

static uint64_t width(struct generator *g)
{
	return UINT64_C(1) << below(g, 4);
}

/* A value for so many bytes; never one that could be taken for an errno. */
static uint64_t value_of(struct generator *g, uint64_t size)
{
	uint64_t v = 1 + below(g, 255);

	return size < 2 ? v : v << 8 | v;
}

static void make_check_extension(struct generator *g, struct gmem_call *c)
{
	static const uint16_t caps[] = { 3,   81,  118, 231, 232, 233, 234, 235, 236,
					 244, 240, 241, 242, 245, 246, 249, 250, 252 };

	use_fd(g, GMEM_FD_KVM | GMEM_FD_VM, 1);
	c->cap = caps[one_in(g, 3) ? below(g, 18) : below(g, 10)];
	if (c->fd < 0 && g->last.fd_from < 0)
		c->fd = GMEM_KVM_FD;
}

static void make_create_vm(struct generator *g, struct gmem_call *c)
{
	c->fd = GMEM_KVM_FD;
	c->type = one_in(g, 10) ? below(g, 10) : below(g, 8);
	if (!(g->types >> c->type & 1) && !one_in(g, 10))
		c->type = 0;
}

static void make_create_guest_memfd(struct generator *g, struct gmem_call *c)
{
	use_fd(g, GMEM_FD_VM, 1);
	c->size = one_in(g, 20) ? random_length(g->random, 8 * PAGE) : PAGE * (1 + below(g, 8));
	if (one_in(g, 40))
		c->size = UINT64_C(1) << (30 + below(g, 20));
	c->flags = random_bits_of(g->random, 3);
	if (g->types == 1 ? below(g, 3) : below(g, 2))
		c->flags = GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED;
	c->page_order = one_in(g, 30) ? 9 : 0;
	c->argp = one_in(g, 100);
}

/* A slot of its own, where others rarely are. */
static void choose_new_region(struct generator *g, struct gmem_call *c)
{
	static const uint32_t odd_slots[] = { 508, 509, 32763, 32764, 1 << 16, 2 << 16, 1 << 15 };
	unsigned int i;

	c->slot = one_in(g, 30) ? odd_slots[below(g, 7)] : below(g, 4);
	for (i = 0; i < g->nr_slots && below(g, 8); i++)
		c->slot = g->slots[i].slot == c->slot ? (c->slot + 1) % 4 : c->slot;
	c->gpa = BASE_GPA + c->slot % 4 * 8 * PAGE + PAGE * below(g, 2);
	if (one_in(g, 8))
		c->gpa = BASE_GPA + random_offset(g->random, 16 * PAGE);
	c->size = PAGE * (1 + below(g, 4));
}

/* The slot, gpa and size of a slot that was made before, to meet it again; or new ones. */
static void choose_region(struct generator *g, struct gmem_call *c)
{
	struct generated_slot *s = one_in(g, 4) ? pick_slot(g) : NULL;

	choose_new_region(g, c);
	if (s) {
		c->slot = s->slot;
		c->gpa = below(g, 2) ? s->gpa : c->gpa;
		c->size = below(g, 4) ? s->size : c->size;
	}
	if (one_in(g, s ? 3 : 60))
		c->size = 0;
	if (one_in(g, 40))
		c->size = random_odd(g->random) & 1 ? PAGE / 2 : -PAGE;
	if (one_in(g, 40))
		c->gpa = random_odd(g->random);
	c->argp = one_in(g, 100);
}

static void use_source(struct generator *g)
{
	struct generated_handle *h = below(g, 5) ? pick(g, 0) : NULL;

	if (h && h->readable) {
		h->stays_readable = 1;
		g->last.addr_from = h->from;
		g->last.call.addr = PAGE * (one_in(g, 4) ? some_page(g, h->size) : 0);
	} else if (one_in(g, 25)) {
		g->last.call.addr = one_in(g, 2) ? 1 : UINT64_C(0xffff800000000000);
	}
}

static void make_set_region(struct generator *g, struct gmem_call *c)
{
	use_fd(g, GMEM_FD_VM, 1);
	choose_region(g, c);
	c->flags = one_in(g, 10) ? random_bits_of(g->random, 7) & UINT32_MAX :
		   below(g, 4)	 ? 0 :
				   below(g, 4);
	use_source(g);
}

/* Some part of a file, mostly of this VM's. */
static void choose_binding(struct generator *g, struct gmem_call *c,
			   const struct generated_handle *vm)
{
	struct generated_handle *file = pick(g, one_in(g, 40) ? ANY_FILE : GMEM_FD_GMEM);
	unsigned int i;

	for (i = 0; i < 4 && file && vm && file->of != vm->of; i++)
		file = pick(g, GMEM_FD_GMEM);
	if (file && vm && below(g, 8))
		use_vm(g, file->of);
	c->memfd = -1;
	if (!file || one_in(g, 60))
		return;
	c->memfd = 0;
	g->last.memfd_from = file->from;
	c->offset = random_offset(g->random, file->size);
	if (one_in(g, 60))
		c->offset = INT64_MAX - 0xfff;
	if (below(g, 6) && file->size < LITTLE && c->size && c->offset + c->size > file->size) {
		c->offset = PAGE * below(g, file->size / PAGE + 1);
		c->size = file->size - c->offset;
	}
}

static void make_set_region2(struct generator *g, struct gmem_call *c)
{
	struct generated_handle *vm = use_fd(g, GMEM_FD_VM, 1);

	choose_region(g, c);
	use_source(g);
	if (one_in(g, 6)) {
		c->flags = below(g, 2) ? 0 : random_bits_of(g->random, 7) & UINT32_MAX;
		return;
	}
	c->flags = GMEM_MEM_GUEST_MEMFD;
	if (one_in(g, 20))
		c->flags |= random_bits_of(g->random, 7) & UINT32_MAX;
	choose_binding(g, c, vm);
}

static void make_set_attributes(struct generator *g, struct gmem_call *c)
{
	use_fd(g, GMEM_FD_VM, 1);
	c->gpa = BASE_GPA + random_offset(g->random, 16 * PAGE);
	c->size = random_length(g->random, 8 * PAGE);
	c->attributes = below(g, 8) ? GMEM_ATTRIBUTE_PRIVATE * below(g, 2) :
				      random_bits_of(g->random, 15);
	c->flags = one_in(g, 30) ? random_bits_of(g->random, 3) : 0;
	c->argp = one_in(g, 100);
}

/* By any of the ioctls. */
static void make_conversion(struct generator *g, struct gmem_call *c)
{
	struct generated_handle *h = use_fd(g, GMEM_FD_GMEM, 1);

	c->offset = random_offset(g->random, size_of(h));
	c->size = random_length(g->random, size_of(h));
	if (h && below(g, 4) && c->offset < h->size && c->size > h->size - c->offset)
		c->size = h->size - c->offset;
	c->reserved = one_in(g, 40);
	c->error_offset = one_in(g, 20) ? PAGE : 0;
	c->argp = one_in(g, 20) ? 1 + below(g, 2) : 0;
	if (c->verb != GMEM_SET_MEMORY_ATTRIBUTES2)
		return;
	c->attributes = GMEM_ATTRIBUTE_PRIVATE * below(g, 2);
	c->flags = one_in(g, 8) ? random_bits_of(g->random, 3) : 0;
}

static void make_enable_cap(struct generator *g, struct gmem_call *c)
{
	use_fd(g, GMEM_FD_VM, 1);
	c->cap = below(g, 2) ? GMEM_CAP_DISABLE_LEGACY_PRIVATE_TRACKING : 240 + below(g, 13);
	c->argp = one_in(g, 20);
}

static void make_launch_finish(struct generator *g, struct gmem_call *c)
{
	(void)c;
	use_fd(g, GMEM_FD_VM, 1);
}

/* A real kernel would really allocate it. */
static void keep_little(const struct generated_handle *h, struct gmem_call *c)
{
	uint64_t end;

	if (!h || __builtin_add_overflow(c->offset, c->length, &end) || end > h->size)
		return;
	if (c->length > LITTLE)
		c->length = PAGE;
}

static void make_fallocate(struct generator *g, struct gmem_call *c)
{
	static const uint8_t modes[] = { 1, 1, 3, 3, 3, 0, 2 };
	struct generated_handle *h = use_fd(g, GMEM_FD_GMEM, 0);

	c->mode = one_in(g, 15) ? random_bits_of(g->random, 0xff) & UINT32_MAX : modes[below(g, 7)];
	if (below(g, 5) && !(c->mode & 1))
		c->mode |= GMEM_FALLOC_KEEP_SIZE;
	c->offset = random_offset(g->random, size_of(h));
	c->length = random_length(g->random, size_of(h));
	if (h && below(g, 3) && c->offset < h->size && c->length > h->size - c->offset)
		c->length = h->size - c->offset;
	keep_little(h, c);
}

static void on_file(struct generator *g, struct gmem_call *c)
{
	struct generated_handle *h = use_fd(g, GMEM_FD_GMEM, 0);
	uint64_t n = random_offset(g->random, size_of(h)), m = below(g, 3) ? PAGE : 8;

	switch (c->verb) {
	case GMEM_FTRUNCATE:
		c->length = n;
		break;
	case GMEM_FCHMOD:
		c->mode = below(g, 0x200);
		break;
	case GMEM_READ:
	case GMEM_WRITE:
		c->length = m;
		break;
	case GMEM_PREAD:
	case GMEM_PWRITE:
		c->length = m;
		c->offset = n;
		break;
	case GMEM_LSEEK:
		c->offset = n;
		c->whence = below(g, 5);
		break;
	case GMEM_CACHESTAT:
		c->offset = below(g, 2) ? 0 : n;
		c->length = below(g, 2) ? 0 : random_length(g->random, size_of(h));
		break;
	default:
		break;
	}
}

static void ask_file(struct generator *g, struct gmem_call *c)
{
	static const uint16_t cmds[] = { GMEM_F_GETFD, GMEM_F_GETFL, GMEM_F_ADD_SEALS,
					 GMEM_F_GET_SEALS };

	use_fd(g, GMEM_FD_GMEM, 0);
	if (c->verb == GMEM_FCNTL) {
		c->cmd = cmds[below(g, 4)];
		c->value = c->cmd == GMEM_F_ADD_SEALS ? below(g, 32) : 0;
	} else {
		c->field = below(g, c->verb == GMEM_FSTAT ? 6 : 2);
	}
}

/*
 * Never writable alone: whether a guest can then read through it depends on what the page tables
 * happen to hold.
 */
static uint64_t some_prot(struct generator *g)
{
	if (below(g, 6))
		return GMEM_PROT_READ | GMEM_PROT_WRITE;
	return below(g, 3) ? GMEM_PROT_READ | below(g, 8) : 0;
}

/* Over a mapping that is there, and no further: what else lives in a real process stays. */
static int map_fixed(struct generator *g, struct gmem_call *c)
{
	struct generated_handle *h = pick(g, 0);
	uint64_t pages;

	if (!h || h->size < PAGE || h->size > LITTLE)
		return 0;
	pages = (h->size + PAGE - 1) / PAGE;
	g->last.addr_from = h->from;
	c->addr = PAGE * below(g, pages);
	c->length = PAGE * (1 + below(g, pages - c->addr / PAGE));
	c->flags |= GMEM_MAP_FIXED;
	c->prot |= GMEM_PROT_READ;
	h->stays_readable = 1;
	return 1;
}

static void make_mmap(struct generator *g, struct gmem_call *c)
{
	struct generated_handle *h = NULL;

	c->prot = some_prot(g);
	c->flags = below(g, 12) ? GMEM_MAP_SHARED : below(g, 4);
	c->fd = -1;
	if (one_in(g, 6))
		c->flags = GMEM_MAP_ANONYMOUS | (1 + below(g, 2));
	else
		h = use_fd(g, GMEM_FD_GMEM, 0);
	c->length = PAGE * (1 + below(g, 8));
	if (h && h->size <= LITTLE && below(g, 2))
		c->length = h->size;
	c->offset = h && one_in(g, 3) ? random_offset(g->random, h->size) : 0;
	if (one_in(g, 8) && map_fixed(g, c))
		return;
	if (one_in(g, 30))
		c->length = below(g, 2) ? 0 : PAGE - 1;
	else if (one_in(g, 40))
		c->length = UINT64_C(1) << (47 + below(g, 17));
}

static void on_mapping(struct generator *g, struct gmem_call *c)
{
	static const uint8_t advices[] = { 4, 4, 4, 0, 9, 14, 15, 22, 23, 23, 25, 77 };
	struct generated_handle *h = use_addr(g, 1);

	c->length = random_length(g->random, h && h->size < LITTLE ? h->size : PAGE);
	if (c->length > LITTLE && c->length < UINT64_C(1) << 47)
		c->length = PAGE;
	/* nothing but the trace's own mappings is ever unmapped or changed */
	if (!h && c->addr && c->addr < UINT64_C(1) << 47)
		c->addr = 1;
	if (h && c->length < UINT64_C(1) << 47 && c->addr + c->length > h->size + PAGE)
		c->length = PAGE;
	if (h && c->length >= UINT64_C(1) << 47)
		c->length = UINT64_C(1) << 63;
	if (c->verb == GMEM_MPROTECT)
		c->prot = some_prot(g) | (h && h->stays_readable ? GMEM_PROT_READ : 0);
	if (c->verb == GMEM_MADVISE)
		c->advice = advices[below(g, 12)];
}

static void access_host(struct generator *g, struct gmem_call *c)
{
	if (!use_addr(g, 0))
		c->addr &= -PAGE;
	c->size = width(g);
	if (c->verb == GMEM_STORE)
		c->value = value_of(g, c->size);
}

static void access_pin(struct generator *g, struct gmem_call *c)
{
	struct generated_handle *h = use_fd(g, GMEM_FD_PIN, 0);
	uint64_t pages = size_of(h) / PAGE;

	if (c->verb == GMEM_UNPIN)
		return;
	c->size = width(g);
	c->offset = PAGE * below(g, pages ? pages : 1);
	c->offset += 8 * below(g, 4);
	if (c->verb == GMEM_PIN_STORE)
		c->value = value_of(g, c->size);
}

static void access_guest(struct generator *g, struct gmem_call *c)
{
	struct generated_slot *s = pick_slot(g);

	use_fd(g, GMEM_FD_VM, 0);
	c->size = width(g);
	c->gpa = BASE_GPA + PAGE * below(g, 24);
	if (s && below(g, 6)) {
		c->gpa = (s->gpa & -PAGE) + PAGE * some_page(g, s->size);
		use_vm(g, s->vm);
	}
	c->gpa += 8 * below(g, 4);
	c->access = one_in(g, 10) ? GMEM_ACCESS_PRIVATE : 0;
	if (c->verb == GMEM_GUEST_STORE)
		c->value = value_of(g, c->size);
}

static void fill_guest(struct generator *g, struct gmem_call *c)
{
	struct generated_slot *s = pick_slot(g);

	use_fd(g, GMEM_FD_VM, 0);
	c->gpa = s && below(g, 6) ? s->gpa : BASE_GPA + random_offset(g->random, 16 * PAGE);
	c->size = random_length(g->random, s && s->size < LITTLE ? s->size : 4 * PAGE);
	if (c->size > LITTLE)
		c->size = below(g, 2) ? 0 : -PAGE;
	if (c->verb == GMEM_POPULATE && below(g, 6))
		use_addr(g, 1);
	else if (c->verb == GMEM_PRE_FAULT_MEMORY)
		c->flags = one_in(g, 20);
}

static void make_memory_failure(struct generator *g, struct gmem_call *c)
{
	struct generated_handle *h = use_fd(g, GMEM_FD_GMEM, 0);

	c->offset = random_offset(g->random, size_of(h));
}

static void make_inject(struct generator *g, struct gmem_call *c)
{
	c->what = below(g, 3);
	c->value = below(g, 4);
}

static void any_fd(struct generator *g, struct gmem_call *c)
{
	use_fd(g, GMEM_FD_VM | GMEM_FD_GMEM, 0);
	/* /dev/kvm itself stays open: there is no other way to it */
	if (c->verb == GMEM_DUP && c->fd < 0 && g->last.fd_from < 0)
		c->fd = GMEM_KVM_FD;
}

static void make_fork(struct generator *g, struct gmem_call *c)
{
	c->value = g->nr_tasks;
}

static void make_exit(struct generator *g, struct gmem_call *c)
{
	(void)g;
	(void)c;
}

const struct generated_verb generated_verbs[] = {
	{ GMEM_CHECK_EXTENSION, 2, make_check_extension },
	{ GMEM_CREATE_VM, 2, make_create_vm },
	{ GMEM_CREATE_GUEST_MEMFD, 12, make_create_guest_memfd },
	{ GMEM_SET_USER_MEMORY_REGION, 5, make_set_region },
	{ GMEM_SET_USER_MEMORY_REGION2, 20, make_set_region2 },
	{ GMEM_SET_MEMORY_ATTRIBUTES, 3, make_set_attributes },
	{ GMEM_SET_MEMORY_ATTRIBUTES2, 3, make_conversion },
	{ GMEM_CONVERT_SHARED, 1, make_conversion },
	{ GMEM_CONVERT_PRIVATE, 1, make_conversion },
	{ GMEM_ENABLE_CAP, 1, make_enable_cap },
	{ GMEM_LAUNCH_FINISH, 1, make_launch_finish },
	{ GMEM_FALLOCATE, 24, make_fallocate },
	{ GMEM_FTRUNCATE, 1, on_file },
	{ GMEM_FCHMOD, 1, on_file },
	{ GMEM_FCHOWN, 1, on_file },
	{ GMEM_FUTIMENS, 1, on_file },
	{ GMEM_READ, 1, on_file },
	{ GMEM_WRITE, 1, on_file },
	{ GMEM_PREAD, 1, on_file },
	{ GMEM_PWRITE, 1, on_file },
	{ GMEM_LSEEK, 1, on_file },
	{ GMEM_FSYNC, 1, on_file },
	{ GMEM_FCNTL, 2, ask_file },
	{ GMEM_FSTAT, 2, ask_file },
	{ GMEM_FSTATFS, 1, ask_file },
	{ GMEM_CACHESTAT, 6, on_file },
	{ GMEM_MMAP, 12, make_mmap },
	{ GMEM_MUNMAP, 4, on_mapping },
	{ GMEM_MPROTECT, 3, on_mapping },
	{ GMEM_MADVISE, 8, on_mapping },
	{ GMEM_FORK, 1, make_fork },
	{ GMEM_EXIT, 4, make_exit },
	{ GMEM_LOAD, 14, access_host },
	{ GMEM_STORE, 14, access_host },
	{ GMEM_PIN, 3, on_mapping },
	{ GMEM_UNPIN, 1, access_pin },
	{ GMEM_PIN_LOAD, 3, access_pin },
	{ GMEM_PIN_STORE, 2, access_pin },
	{ GMEM_GUEST_LOAD, 8, access_guest },
	{ GMEM_GUEST_STORE, 8, access_guest },
	{ GMEM_POPULATE, 2, fill_guest },
	{ GMEM_PRE_FAULT_MEMORY, 2, fill_guest },
	{ GMEM_MEMORY_FAILURE, 1, make_memory_failure },
	{ GMEM_INJECT, 1, make_inject },
	{ GMEM_DUP, 3, any_fd },
	{ GMEM_CLOSE, 5, any_fd },
	{ 0, 0, NULL },
};
