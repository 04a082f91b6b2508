/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a VM is told when the page tables of the process that made it change (NOTIFY): how many
 * ranges, which, and that at the start nothing is gone and at the end everything.
 */
#include <string.h>

#include "ranges.h"
#include "state.h"
#include "told.h"

#define RW (GMEM_PROT_READ | GMEM_PROT_WRITE)

/* A VM with memslot 0 over 16 pages of private memory, and 1 over 16 pages of a guest_memfd's. */
struct fixture {
	struct gmem_world *w;
	int64_t vm, file;
	uint64_t memory, shown;
	struct seen seen;
};

static void begin(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	f->w = new_world();
	f->vm = create_vm(f->w, GMEM_VM_DEFAULT);
	f->file = create_gmem(f->w, f->vm, MiB, GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED);
	f->memory = (uint64_t)call(f->w, .verb = GMEM_MMAP, .fd = -1, .length = 16 * PAGE,
				   .prot = RW, .flags = GMEM_MAP_PRIVATE | GMEM_MAP_ANONYMOUS);
	f->shown = map(f->w, f->file, 0, 16 * PAGE);
	call(f->w, .verb = GMEM_SET_USER_MEMORY_REGION, .fd = f->vm, .slot = 0, .gpa = GPA,
	     .size = 16 * PAGE, .addr = f->memory);
	call(f->w, .verb = GMEM_SET_USER_MEMORY_REGION, .fd = f->vm, .slot = 1, .gpa = 2 * GPA,
	     .size = 16 * PAGE, .addr = f->shown);
	assert_int_equal(gmem_listen(f->w, 0, f->vm, see, &f->seen), GMEM_DONE);
}

#define HOST(slot, from, to) \
	START(HOST, slot, 0, 0, 0, ((slot) + 1) * GFN + (from), ((slot) + 1) * GFN + (to))
#define HOST_END END(HOST, 0, 0)

/* [NOTIFY-4] */
static void one_munmap_is_one_range(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	call(f.w, .verb = GMEM_MUNMAP, .addr = f.memory + 4 * PAGE, .length = PAGE);
	assert_events(&f.seen, HOST(0, 4, 5), HOST_END);
	/* A hole, three mappings' worth and the free page behind them: still one. */
	call(f.w, .verb = GMEM_MUNMAP, .addr = f.memory + 2 * PAGE, .length = 16 * PAGE);
	assert_events(&f.seen, HOST(0, 2, 16), HOST(1, 0, 1), HOST_END);
	/* Nothing is mapped there any more. */
	call(f.w, .verb = GMEM_MUNMAP, .addr = f.memory + 2 * PAGE, .length = PAGE);
	assert_nothing(&f.seen);
	gmem_world_free(f.w);
}

static void a_mapping_over_others_is_one_range(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	call(f.w, .verb = GMEM_MMAP, .fd = f.file, .addr = f.memory + 8 * PAGE, .length = 4 * PAGE,
	     .prot = RW, .flags = GMEM_MAP_SHARED | GMEM_MAP_FIXED);
	assert_events(&f.seen, HOST(0, 8, 12), HOST_END);
	gmem_world_free(f.w);
}

/* [NOTIFY-5] Page by page, and every mapping that shows it. */
static void a_punch_tells_page_by_page(void **state)
{
	struct fixture f;
	uint64_t again;

	(void)state;
	begin(&f);
	again = map(f.w, f.file, 0, 16 * PAGE);
	call(f.w, .verb = GMEM_SET_USER_MEMORY_REGION, .fd = f.vm, .slot = 2, .gpa = 3 * GPA,
	     .size = 16 * PAGE, .addr = again);
	allocate(f.w, f.file, 0, MiB);
	store(f.w, f.shown + 3 * PAGE, 1);
	store(f.w, f.shown + 4 * PAGE, 1);
	assert_nothing(&f.seen);
	punch(f.w, f.file, 0, MiB);
	assert_events(&f.seen, HOST(2, 3, 4), HOST_END, HOST(1, 3, 4), HOST_END, HOST(2, 4, 5),
		      HOST_END, HOST(1, 4, 5), HOST_END);
	punch(f.w, f.file, 0, MiB);
	assert_nothing(&f.seen);
	gmem_world_free(f.w);
}

/* [NOTIFY-6] [NOTIFY-7] */
static void a_fork_tells_what_was_written(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	assert_int_equal(call(f.w, .verb = GMEM_FORK, .value = 1), 1);
	assert_nothing(&f.seen);
	load(f.w, f.memory);
	assert_int_equal(call(f.w, .verb = GMEM_FORK, .value = 2), 2);
	assert_nothing(&f.seen);
	/* The zero page was read, and another one is written. */
	store(f.w, f.memory, 1);
	assert_events(&f.seen, HOST(0, 0, 1), HOST_END);
	store(f.w, f.memory, 2);
	store(f.w, f.memory + PAGE, 2);
	assert_nothing(&f.seen);
	assert_int_equal(call(f.w, .verb = GMEM_FORK, .value = 3), 3);
	assert_events(&f.seen, HOST(0, 0, 16), HOST_END);
	store(f.w, f.memory + PAGE, 3);
	assert_events(&f.seen, HOST(0, 1, 2), HOST_END);
	store(f.w, f.memory + PAGE, 4);
	load(f.w, f.memory);
	assert_nothing(&f.seen);
	/* What the file shows is shared, and stays where it is. */
	store(f.w, f.shown, 1);
	assert_int_equal(call(f.w, .verb = GMEM_FORK, .value = 4), 4);
	store(f.w, f.shown, 2);
	assert_events(&f.seen, HOST(0, 0, 16), HOST_END);
	gmem_world_free(f.w);
}

/* [NOTIFY-7] Also where the guest's access is the first to write. */
static void a_guests_write_copies_too(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	assert_int_equal(guest_load(f.w, f.vm, GPA).value, 0);
	assert_nothing(&f.seen);
	guest_store(f.w, f.vm, GPA, 7);
	assert_events(&f.seen, HOST(0, 0, 1), HOST_END);
	assert_int_equal(load(f.w, f.memory), 7);
	call(f.w, .verb = GMEM_MADVISE, .addr = f.memory, .length = 4 * PAGE,
	     .advice = GMEM_MADV_POPULATE_READ);
	assert_nothing(&f.seen);
	call(f.w, .verb = GMEM_MADVISE, .addr = f.memory, .length = 4 * PAGE,
	     .advice = GMEM_MADV_POPULATE_WRITE);
	assert_events(&f.seen, HOST(0, 1, 2), HOST_END, HOST(0, 2, 3), HOST_END, HOST(0, 3, 4),
		      HOST_END);
	gmem_world_free(f.w);
}

static void protection_and_advice(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	call(f.w, .verb = GMEM_MPROTECT, .addr = f.memory, .length = 4 * PAGE,
	     .prot = GMEM_PROT_READ);
	assert_events(&f.seen, HOST(0, 0, 4), HOST_END);
	call(f.w, .verb = GMEM_MPROTECT, .addr = f.memory, .length = 4 * PAGE,
	     .prot = GMEM_PROT_READ);
	assert_nothing(&f.seen);
	call(f.w, .verb = GMEM_MADVISE, .addr = f.shown, .length = 2 * PAGE,
	     .advice = GMEM_MADV_DONTNEED);
	assert_events(&f.seen, HOST(1, 0, 2), HOST_END);
	gmem_world_free(f.w);
}

/* [NOTIFY-8] The child's VM: the parent holds its descriptor as well, and it is told no more. */
static void the_end_of_a_process_is_not_told(void **state)
{
	struct fixture f;
	uint32_t idx;

	(void)state;
	begin(&f);
	assert_int_equal(call(f.w, .verb = GMEM_FORK, .value = 1), 1);
	f.vm = call(f.w, .task = 1, .verb = GMEM_CREATE_VM, .fd = GMEM_KVM_FD);
	f.memory = (uint64_t)call(f.w, .task = 1, .verb = GMEM_MMAP, .fd = -1, .length = 16 * PAGE,
				  .prot = RW, .flags = GMEM_MAP_PRIVATE | GMEM_MAP_ANONYMOUS);
	call(f.w, .task = 1, .verb = GMEM_SET_USER_MEMORY_REGION, .fd = f.vm, .gpa = GPA,
	     .size = 16 * PAGE, .addr = f.memory);
	call(f.w, .task = 1, .verb = GMEM_GUEST_STORE, .fd = f.vm, .gpa = GPA, .size = 1,
	     .value = 5);
	assert_int_equal(call(f.w, .task = 1, .verb = GMEM_FORK, .value = 2), 2);
	assert_int_equal(gmem_listen(f.w, 1, f.vm, see, &f.seen), GMEM_DONE);
	f.seen.n = 0;
	idx = f.w->b->vms;
	call(f.w, .task = 1, .verb = GMEM_GUEST_LOAD, .fd = f.vm, .gpa = GPA, .size = 1);
	assert_int_not_equal(VM(f.w->b, idx)->sptes, 0);
	assert_int_equal(call(f.w, .task = 1, .verb = GMEM_EXIT), 0);
	assert_nothing(&f.seen);
	assert_int_equal(VM(f.w->b, idx)->sptes, 0);
	assert_int_equal(
		call(f.w, .task = 2, .verb = GMEM_GUEST_LOAD, .fd = f.vm, .gpa = GPA, .size = 1),
		-5);
	gmem_world_free(f.w);
}

/* What the listener finds of the page that is told of. */
struct look {
	struct gmem_world *w;
	uint64_t page;
	unsigned int started, ended;
};

static void look_at_the_entry(void *arg, const struct gmem_event *e)
{
	struct look *l = arg;
	const struct gmem_task *t = TASK(l->w->b, l->w->b->tasks[0]);
	uint32_t pte = gmem_range_get(l->w->b, PROCESS(l->w->b, t->process)->ptes, l->page);

	if (e->kind == GMEM_INVALIDATE_START) {
		assert_int_not_equal(pte, 0);
		l->started++;
	} else {
		assert_int_equal(pte, 0);
		l->ended++;
	}
}

/* [NOTIFY-1] [NOTIFY-3] */
static void between_start_and_end_entries_go(void **state)
{
	struct fixture f;
	struct look l = { 0 };

	(void)state;
	begin(&f);
	l.w = f.w;
	l.page = f.memory / PAGE;
	store(f.w, f.memory, 1);
	assert_int_equal(gmem_listen(f.w, 0, f.vm, look_at_the_entry, &l), GMEM_DONE);
	call(f.w, .verb = GMEM_MUNMAP, .addr = f.memory, .length = PAGE);
	assert_int_equal(l.started, 1);
	assert_int_equal(l.ended, 1);
	gmem_world_free(f.w);
}

/* [NOTIFY-2] A private page of the file, and a memslot whose userspace_addr is unmapped. */
static unsigned int mapped_after_unmap(enum gmem_vm_type type)
{
	struct gmem_world *w = new_world();
	int64_t vm = create_vm(w, type), file = create_gmem(w, vm, MiB, 0);
	uint64_t memory = (uint64_t)call(w, .verb = GMEM_MMAP, .fd = -1, .length = 4 * PAGE,
					 .prot = RW,
					 .flags = GMEM_MAP_PRIVATE | GMEM_MAP_ANONYMOUS);
	unsigned int mapped;

	call(w, .verb = GMEM_SET_USER_MEMORY_REGION2, .fd = vm, .flags = GMEM_MEM_GUEST_MEMFD,
	     .gpa = GPA, .size = 4 * PAGE, .addr = memory, .memfd = file);
	set_private(w, vm, GPA, PAGE, 1);
	call(w, .verb = GMEM_GUEST_STORE, .fd = vm, .gpa = GPA, .size = 1, .value = 5,
	     .access = GMEM_ACCESS_PRIVATE);
	assert_int_not_equal(VM(w->b, w->b->vms)->sptes, 0);
	call(w, .verb = GMEM_MUNMAP, .addr = memory, .length = PAGE);
	mapped = VM(w->b, w->b->vms)->sptes != 0;
	gmem_world_free(w);
	return mapped;
}

static void a_tdx_guest_keeps_what_is_private(void **state)
{
	(void)state;
	assert_int_equal(mapped_after_unmap(GMEM_VM_TDX), 1);
	assert_int_equal(mapped_after_unmap(GMEM_VM_SNP), 0);
	assert_int_equal(mapped_after_unmap(GMEM_VM_SW_PROTECTED), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_munmap_is_one_range),
		cmocka_unit_test(a_mapping_over_others_is_one_range),
		cmocka_unit_test(a_punch_tells_page_by_page),
		cmocka_unit_test(a_fork_tells_what_was_written),
		cmocka_unit_test(a_guests_write_copies_too),
		cmocka_unit_test(protection_and_advice),
		cmocka_unit_test(the_end_of_a_process_is_not_told),
		cmocka_unit_test(between_start_and_end_entries_go),
		cmocka_unit_test(a_tdx_guest_keeps_what_is_private),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
