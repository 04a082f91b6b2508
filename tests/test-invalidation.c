/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The invalidation protocol from the inside: what is true of the VM at the moment in which it is
 * told. What it is told is in test-notify.c.
 */
#include "calls.h"
#include "ranges.h"
#include "state.h"

#define PAGE GMEM_PAGE_SIZE
#define GPA UINT64_C(0x100000)
#define GFN (GPA / PAGE)

/* A start finds the counter up, the range grown, and the guest's entries gone; an end undoes it. */
struct witness {
	const struct gmem_world *w;
	uint32_t vm;
	uint64_t from, to, seq;
	unsigned int starts, ends;
};

static void look_at_the_vm(void *arg, const struct gmem_event *e)
{
	struct witness *s = arg;
	const struct gmem_vm *vm = CVM(s->w->b, s->vm);

	if (e->kind == GMEM_INVALIDATE_END) {
		s->ends++;
		assert_int_equal(vm->in_progress, 0);
		assert_true(vm->seq > s->seq);
		return;
	}
	s->from = s->starts++ ? s->from : UINT64_MAX;
	s->from = e->gfn < s->from ? e->gfn : s->from;
	s->to = e->gfn_end > s->to ? e->gfn_end : s->to;
	assert_int_equal(vm->in_progress, 1);
	assert_int_equal(vm->seq, s->seq);
	assert_int_equal(vm->range_start, s->from);
	assert_int_equal(vm->range_end, s->to);
	assert_true(gmem_range_empty(s->w->b, vm->sptes, e->gfn, e->gfn_end));
}

/* Of the only VM. */
static struct witness witness_of(const struct gmem_world *w)
{
	return (struct witness){ .w = w, .vm = w->b->vms, .seq = CVM(w->b, w->b->vms)->seq };
}

static void touch(struct gmem_world *w, int64_t vm, uint64_t gpa)
{
	for (uint64_t page = 0; page < 4; page++)
		assert_int_equal(guest_load(w, vm, gpa + page * PAGE).outcome, GMEM_VALUE);
}

static void a_start_comes_after_the_guest_has_lost_it(void **state)
{
	struct witness s;
	struct gmem_world *w = new_world();
	int64_t vm = create_vm(w, GMEM_VM_DEFAULT);
	int64_t file = create_gmem(w, vm, MiB, GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED);

	(void)state;
	bind_slot(w, vm, 0, GPA, 4 * PAGE, file, 0);
	bind_slot(w, vm, 1, 2 * GPA, 4 * PAGE, file, 8 * PAGE);
	touch(w, vm, GPA);
	touch(w, vm, 2 * GPA);
	s = witness_of(w);
	gmem_listen(w, 0, vm, look_at_the_vm, &s);
	punch(w, file, 2 * PAGE, 8 * PAGE);
	assert_int_equal(s.starts, 2);
	assert_int_equal(s.ends, 1);
	assert_false(gmem_range_empty(w->b, CVM(w->b, s.vm)->sptes, GFN, GFN + 2));
	assert_true(gmem_range_empty(w->b, CVM(w->b, s.vm)->sptes, GFN + 2, GFN + 4));
	s = witness_of(w);
	close_fd(w, file);
	assert_int_equal(s.starts, 2);
	assert_int_equal(s.ends, 1);
	assert_int_equal(CVM(w->b, s.vm)->sptes, 0);
	gmem_world_free(w);
}

static void so_it_does_for_attributes_and_the_host(void **state)
{
	struct witness s;
	struct gmem_world *w = new_world();
	int64_t vm = create_vm(w, GMEM_VM_SW_PROTECTED);
	uint64_t addr;

	(void)state;
	addr = (uint64_t)call(w, .verb = GMEM_MMAP, .fd = -1, .length = 4 * PAGE, .prot = 3,
			      .flags = GMEM_MAP_PRIVATE | GMEM_MAP_ANONYMOUS);
	for (uint64_t n = 0; n < 2; n++)
		call(w, .verb = GMEM_SET_USER_MEMORY_REGION, .fd = vm, .slot = n,
		     .gpa = (2 - n) * GPA, .size = 4 * PAGE, .addr = addr);
	touch(w, vm, GPA);
	touch(w, vm, 2 * GPA);
	s = witness_of(w);
	gmem_listen(w, 0, vm, look_at_the_vm, &s);
	set_private(w, vm, GPA + PAGE, GPA, 1);
	assert_int_equal(s.starts, 2);
	assert_int_equal(s.ends, 1);
	s = witness_of(w);
	set_private(w, vm, 0, 4 * GPA, 0);
	touch(w, vm, GPA);
	touch(w, vm, 2 * GPA);
	s = witness_of(w);
	call(w, .verb = GMEM_MUNMAP, .addr = addr, .length = 2 * PAGE);
	assert_int_equal(s.starts, 2);
	assert_int_equal(s.ends, 1);
	gmem_world_free(w);
}

/* What the guest has mapped of pages 0 to 3: a bit for each. */
static unsigned int mapped(const struct gmem_world *w)
{
	unsigned int bits = 0;

	for (unsigned int page = 0; page < 4; page++)
		if (gmem_range_get(w->b, CVM(w->b, w->b->vms)->sptes, GFN + page))
			bits |= 1u << page;
	return bits;
}

static void guest_touches(struct gmem_world *w, int64_t vm, uint64_t page, uint64_t access)
{
	assert_outcome(w, GMEM_VALUE, .verb = GMEM_GUEST_LOAD, .fd = vm, .gpa = GPA + page * PAGE,
		       .size = 1, .access = access);
}

/* Pages 0 and 1 are private, 2 and 3 shared; the guest has all of them, and page 0 to 3 change. */
static unsigned int left_of(uint64_t type, int private)
{
	struct gmem_world *w = new_world();
	int64_t vm = create_vm(w, type), file = create_gmem(w, vm, 4 * PAGE, GMEM_FLAG_MMAP);
	unsigned int left;

	bind_slot(w, vm, 0, GPA, 4 * PAGE, file, 0);
	set_private(w, vm, GPA, 2 * PAGE, 1);
	for (uint64_t page = 0; page < 4; page++)
		guest_touches(w, vm, page, page < 2 ? GMEM_ACCESS_PRIVATE : 0);
	assert_int_equal(mapped(w), 0xf);
	assert_int_equal(set_private(w, vm, GPA, 4 * PAGE, private), 0);
	left = mapped(w);
	gmem_world_free(w);
	return left;
}

/* [ATTR-10] */
static void attributes_take_the_old_kind_from_a_tdx_guest(void **state)
{
	(void)state;
	assert_int_equal(left_of(GMEM_VM_TDX, 1), 0x3);
	assert_int_equal(left_of(GMEM_VM_TDX, 0), 0xc);
	assert_int_equal(left_of(GMEM_VM_SNP, 1), 0);
	assert_int_equal(left_of(GMEM_VM_SNP, 0), 0);
}

/* ---- a fault that an invalidation meets ---- */

#define FAULTING 1 /* the task */

struct overlap {
	struct gmem_world *w;
	bool started;
};

static void note_start(void *arg, const struct gmem_event *e)
{
	struct overlap *o = arg;

	o->started |= e->kind == GMEM_INVALIDATE_START;
}

/* Some rows of a task; true when its call is over. */
static bool go_on(struct overlap *o, uint32_t task, unsigned int rows, struct gmem_result *r)
{
	enum gmem_progress progress = GMEM_RAN;

	while (rows-- && progress == GMEM_RAN)
		assert_int_equal(gmem_step(o->w, task, &progress, r), GMEM_DONE);
	return progress == GMEM_OVER;
}

/*
 * Page 0 is there; a punch is stopped when it has told of its start and the page is gone, and a
 * guest's load of it is let go round and round. How many pages are there then.
 */
static int64_t pages_during_a_punch(const char *profile, uint64_t type)
{
	struct overlap o = { .w = new_world_on(profile, NULL) };
	int64_t vm = create_vm(o.w, type);
	int64_t file = create_gmem(o.w, vm, PAGE,
				   gmem_profile_find("linux-6.8") == gmem_world_profile(o.w) ?
					   0 :
					   GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED);
	struct gmem_result r;
	int64_t pages;

	bind_slot(o.w, vm, 0, GPA, PAGE, file, 0);
	if (type != GMEM_VM_DEFAULT)
		set_private(o.w, vm, GPA, PAGE, 1);
	assert_int_equal(guest_load(o.w, vm, GPA).outcome, GMEM_VALUE);
	assert_int_equal(call(o.w, .verb = GMEM_THREAD, .value = FAULTING), FAULTING);
	gmem_listen(o.w, 0, vm, note_start, &o);
	gmem_begin(o.w,
		   &(struct gmem_call){ .verb = GMEM_FALLOCATE,
					.fd = file,
					.length = PAGE,
					.mode = GMEM_FALLOC_KEEP_SIZE | GMEM_FALLOC_PUNCH_HOLE });
	while (!o.started || INODE(o.w->b, o.w->b->inodes)->folios ||
	       INODE(o.w->b, o.w->b->inodes)->folio_lock)
		assert_false(go_on(&o, 0, 1, &r));
	gmem_begin(o.w, &(struct gmem_call){ .verb = GMEM_GUEST_LOAD,
					     .task = FAULTING,
					     .fd = vm,
					     .gpa = GPA,
					     .size = 1 });
	assert_false(go_on(&o, FAULTING, 200, &r));
	pages = INODE(o.w->b, o.w->b->inodes)->folios != 0;
	while (!go_on(&o, 0, 200, &r)) /* it may wait for the folio that the fault holds */
		assert_false(go_on(&o, FAULTING, 1, &r));
	assert_int_equal(r.value, 0);
	assert_true(go_on(&o, FAULTING, 200, &r));
	assert_int_equal(r.outcome, GMEM_VALUE);
	gmem_world_free(o.w);
	return pages;
}

/* [GUEST-18] */
static void a_fault_allocates_nothing_meanwhile(void **state)
{
	(void)state;
	assert_int_equal(pages_during_a_punch("linux-6.18", GMEM_VM_DEFAULT), 0);
	assert_int_equal(pages_during_a_punch("linux-6.8", GMEM_VM_SW_PROTECTED), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_start_comes_after_the_guest_has_lost_it),
		cmocka_unit_test(so_it_does_for_attributes_and_the_host),
		cmocka_unit_test(attributes_take_the_old_kind_from_a_tdx_guest),
		cmocka_unit_test(a_fault_allocates_nothing_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
