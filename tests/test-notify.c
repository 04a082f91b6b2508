/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an embedding program sees of the invalidation protocol: for every way in which memory can
 * go away under a guest the exact events, with the pages of the file and of the guest, in order;
 * and nothing for whoever is not concerned.
 */
#include <errno.h>
#include <string.h>

#include "told.h"
#include "state.h"

/* Two VMs of the same making, so that one can be told what the other must not be. */
struct fixture {
	struct gmem_world *w;
	int64_t vm, file, other_vm, other_file;
	struct seen seen, other;
};

/* Memslots 0 and 1, and 2 in the second address space, of pages 0, 8 and 16, four each. */
static void bind_three(struct gmem_world *w, int64_t vm, int64_t file)
{
	assert_int_equal(bind_slot(w, vm, 0, GPA, 4 * PAGE, file, 0), 0);
	assert_int_equal(bind_slot(w, vm, 1, 2 * GPA, 4 * PAGE, file, 8 * PAGE), 0);
	assert_int_equal(bind_slot(w, vm, 0x10002, GPA, 4 * PAGE, file, 16 * PAGE), 0);
}

static void begin(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	f->w = new_world();
	f->vm = create_vm(f->w, GMEM_VM_DEFAULT);
	f->other_vm = create_vm(f->w, GMEM_VM_DEFAULT);
	f->file = create_gmem(f->w, f->vm, MiB, GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED);
	f->other_file = create_gmem(f->w, f->other_vm, MiB, GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED);
	bind_three(f->w, f->vm, f->file);
	bind_three(f->w, f->other_vm, f->other_file);
	assert_int_equal(gmem_listen(f->w, 0, f->vm, see, &f->seen), GMEM_DONE);
	assert_int_equal(gmem_listen(f->w, 0, f->other_vm, see, &f->other), GMEM_DONE);
}

static void end(struct fixture *f)
{
	assert_nothing(&f->other);
	gmem_world_free(f->w);
}

static void punching_over_several_slots(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	allocate(f.w, f.file, 0, MiB);
	assert_nothing(&f.seen);
	punch(f.w, f.file, 2 * PAGE, 15 * PAGE);
	assert_events(&f.seen, START(FILE, 0, 0, 2, 4, GFN + 2, GFN + 4),
		      START(FILE, 1, 0, 8, 12, 2 * GFN, 2 * GFN + 4),
		      START(FILE, 2, 1, 16, 17, GFN, GFN + 1), END(FILE, 2, 17));
	punch(f.w, f.file, 10 * PAGE, PAGE);
	assert_events(&f.seen, START(FILE, 1, 0, 10, 11, 2 * GFN + 2, 2 * GFN + 3),
		      END(FILE, 10, 11));
	punch(f.w, f.file, 4 * PAGE, 4 * PAGE);
	assert_nothing(&f.seen);
	punch(f.w, f.file, MiB, TiB);
	assert_nothing(&f.seen);
	end(&f);
}

/* Whether there are pages does not matter, nor whether the call is refused for its range. */
static void punching_nothing_tells_all_the_same(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	punch(f.w, f.file, 0, PAGE);
	assert_events(&f.seen, START(FILE, 0, 0, 0, 1, GFN, GFN + 1), END(FILE, 0, 1));
	punch(f.w, f.file, 0, PAGE + 1);
	allocate(f.w, f.file, 0, PAGE);
	assert_nothing(&f.seen);
	end(&f);
}

static void releasing_the_file(void **state)
{
	struct fixture f;
	int64_t dup;

	(void)state;
	begin(&f);
	dup = call(f.w, .verb = GMEM_DUP, .fd = f.file);
	close_fd(f.w, f.file);
	assert_nothing(&f.seen);
	close_fd(f.w, dup);
	assert_events(&f.seen, START(FILE, 0, 0, 0, 4, GFN, GFN + 4),
		      START(FILE, 1, 0, 8, 12, 2 * GFN, 2 * GFN + 4),
		      START(FILE, 2, 1, 16, 20, GFN, GFN + 4), END(FILE, 0, UINT64_MAX));
	assert_int_equal(delete_slot(f.w, f.vm, 0), 0);
	assert_nothing(&f.seen);
	end(&f);
}

/* A file without memslots, and a memslot that goes: nobody has to be told. */
static void unbound_is_untold(void **state)
{
	struct fixture f;
	int64_t file;

	(void)state;
	begin(&f);
	file = create_gmem(f.w, f.vm, MiB, 0);
	allocate(f.w, file, 0, MiB);
	punch(f.w, file, 0, MiB);
	close_fd(f.w, file);
	delete_slot(f.w, f.vm, 1);
	punch(f.w, f.file, 8 * PAGE, 4 * PAGE);
	assert_nothing(&f.seen);
	end(&f);
}

/* The VM lives on with its file, and is told, whoever has its descriptor. */
static void after_the_vms_descriptor_is_closed(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	close_fd(f.w, f.vm);
	punch(f.w, f.file, 0, PAGE);
	assert_events(&f.seen, START(FILE, 0, 0, 0, 1, GFN, GFN + 1), END(FILE, 0, 1));
	delete_slot(f.w, f.vm, 1);
	close_fd(f.w, f.file);
	assert_events(&f.seen, START(FILE, 0, 0, 0, 4, GFN, GFN + 4),
		      START(FILE, 1, 0, 8, 12, 2 * GFN, 2 * GFN + 4),
		      START(FILE, 2, 1, 16, 20, GFN, GFN + 4), END(FILE, 0, UINT64_MAX));
	end(&f);
}

static void attributes(void **state)
{
	struct fixture f;
	int64_t vm;

	(void)state;
	begin(&f);
	vm = create_vm(f.w, GMEM_VM_SW_PROTECTED);
	gmem_listen(f.w, 0, vm, see, &f.seen);
	bind_slot(f.w, vm, 0, GPA, 4 * PAGE, create_gmem(f.w, vm, MiB, 0), 0);
	call(f.w, .verb = GMEM_SET_USER_MEMORY_REGION, .fd = vm, .slot = 1, .gpa = GPA + 8 * PAGE,
	     .size = 4 * PAGE);
	set_private(f.w, vm, GPA + 2 * PAGE, 8 * PAGE, 1);
	assert_events(&f.seen, START(ATTRIBUTES, 0, 0, 0, 0, GFN + 2, GFN + 4),
		      START(ATTRIBUTES, 1, 0, 0, 0, GFN + 8, GFN + 10), END(ATTRIBUTES, 0, 0));
	set_private(f.w, vm, GPA + 2 * PAGE, 8 * PAGE, 1);
	set_private(f.w, vm, GPA + 3 * PAGE, PAGE, 1);
	set_private(f.w, vm, 0, PAGE, 0);
	set_private(f.w, vm, 4 * GPA, PAGE, 1);
	set_private(f.w, vm, GPA + 4 * PAGE, 4 * PAGE, 0);
	assert_nothing(&f.seen);
	set_private(f.w, vm, 0, 4 * GPA, 0);
	assert_events(&f.seen, START(ATTRIBUTES, 0, 0, 0, 0, GFN, GFN + 4),
		      START(ATTRIBUTES, 1, 0, 0, 0, GFN + 8, GFN + 12), END(ATTRIBUTES, 0, 0));
	end(&f);
}

/* No type of VM has private memory and two address spaces: this one is made by hand. */
static void attributes_in_two_address_spaces(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	for (uint32_t vm = f.w->b->vms; vm; vm = VM(f.w->b, vm)->next)
		VM(f.w->b, vm)->type = GMEM_VM_SW_PROTECTED;
	set_private(f.w, f.vm, GPA + PAGE, PAGE, 1);
	assert_events(&f.seen, START(ATTRIBUTES, 0, 0, 0, 0, GFN + 1, GFN + 2),
		      START(ATTRIBUTES, 2, 1, 0, 0, GFN + 1, GFN + 2), END(ATTRIBUTES, 0, 0));
	end(&f);
}

static void memory_failure(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	allocate(f.w, f.file, 0, MiB);
	assert_int_equal(
		call(f.w, .verb = GMEM_MEMORY_FAILURE, .fd = f.file, .offset = 9 * PAGE + 5), -16);
	assert_events(&f.seen, START(FILE, 1, 0, 9, 10, 2 * GFN + 1, 2 * GFN + 2), ERROR_AT(9),
		      END(FILE, 9, 10));
	assert_int_equal(call(f.w, .verb = GMEM_MEMORY_FAILURE, .fd = f.file, .offset = 9 * PAGE),
			 -133);
	assert_int_equal(call(f.w, .verb = GMEM_MEMORY_FAILURE, .fd = f.file, .offset = 2 * MiB),
			 -6);
	assert_nothing(&f.seen);
	assert_int_equal(call(f.w, .verb = GMEM_MEMORY_FAILURE, .fd = f.file, .offset = 5 * PAGE),
			 -16);
	assert_nothing(&f.seen);
	end(&f);
}

static uint64_t ordinary_slot(struct fixture *f)
{
	uint64_t addr = (uint64_t)call(f->w, .verb = GMEM_MMAP, .fd = -1, .length = 8 * PAGE,
				       .prot = GMEM_PROT_READ | GMEM_PROT_WRITE,
				       .flags = GMEM_MAP_PRIVATE | GMEM_MAP_ANONYMOUS);

	assert_int_equal(call(f->w, .verb = GMEM_SET_USER_MEMORY_REGION, .fd = f->vm, .slot = 5,
			      .gpa = 4 * GPA, .size = 4 * PAGE, .addr = addr + 2 * PAGE),
			 0);
	return addr;
}

static void the_hosts_page_tables(void **state)
{
	struct fixture f;
	uint64_t addr;

	(void)state;
	begin(&f);
	addr = ordinary_slot(&f);
	call(f.w, .verb = GMEM_MADVISE, .addr = addr + 3 * PAGE, .length = PAGE,
	     .advice = GMEM_MADV_DONTNEED);
	assert_events(&f.seen, START(HOST, 5, 0, 0, 0, 4 * GFN + 1, 4 * GFN + 2), END(HOST, 0, 0));
	call(f.w, .verb = GMEM_MPROTECT, .addr = addr, .length = 3 * PAGE, .prot = GMEM_PROT_READ);
	assert_events(&f.seen, START(HOST, 5, 0, 0, 0, 4 * GFN, 4 * GFN + 1), END(HOST, 0, 0));
	call(f.w, .verb = GMEM_MUNMAP, .addr = addr, .length = 2 * PAGE);
	call(f.w, .verb = GMEM_MADVISE, .addr = addr + 2 * PAGE, .length = 4 * PAGE,
	     .advice = GMEM_MADV_HUGEPAGE);
	assert_nothing(&f.seen);
	call(f.w, .verb = GMEM_MUNMAP, .addr = addr + 5 * PAGE, .length = 3 * PAGE);
	assert_events(&f.seen, START(HOST, 5, 0, 0, 0, 4 * GFN + 3, 4 * GFN + 4), END(HOST, 0, 0));
	end(&f);
}

/* Another process's mapping of the same memory is none of this VM's business. */
static void another_process(void **state)
{
	struct fixture f;
	uint64_t addr;

	(void)state;
	begin(&f);
	addr = ordinary_slot(&f);
	call(f.w, .verb = GMEM_FORK, .value = 1);
	call(f.w, .verb = GMEM_MUNMAP, .addr = addr, .length = 8 * PAGE, .task = 1);
	call(f.w, .verb = GMEM_EXIT, .task = 1);
	assert_nothing(&f.seen);
	end(&f);
}

/* A hole under a mapping that is also userspace_addr: the host's part comes inside the file's. */
static void a_hole_under_a_mapping(void **state)
{
	struct fixture f;
	uint64_t addr;

	(void)state;
	begin(&f);
	addr = map(f.w, f.file, 0, 8 * PAGE);
	store(f.w, addr + 3 * PAGE, 1);
	assert_int_equal(call(f.w, .verb = GMEM_SET_USER_MEMORY_REGION, .fd = f.vm, .slot = 5,
			      .gpa = 4 * GPA, .size = 8 * PAGE, .addr = addr),
			 0);
	punch(f.w, f.file, 3 * PAGE, 3 * PAGE);
	assert_events(&f.seen, START(FILE, 0, 0, 3, 4, GFN + 3, GFN + 4),
		      START(HOST, 5, 0, 0, 0, 4 * GFN + 3, 4 * GFN + 4), END(HOST, 0, 0),
		      END(FILE, 3, 6));
	end(&f);
}

/* MADV_REMOVE is a punched hole by another name. */
static void removing_through_a_mapping(void **state)
{
	struct fixture f;
	uint64_t addr;

	(void)state;
	begin(&f);
	addr = map(f.w, f.file, 8 * PAGE, 8 * PAGE);
	call(f.w, .verb = GMEM_MADVISE, .addr = addr + PAGE, .length = 2 * PAGE,
	     .advice = GMEM_MADV_REMOVE);
	assert_events(&f.seen, START(FILE, 1, 0, 9, 11, 2 * GFN + 1, 2 * GFN + 3),
		      END(FILE, 9, 11));
	end(&f);
}

/* ---- registering ---- */

static void listening_and_no_longer(void **state)
{
	struct seen second = { 0 };
	struct fixture f;
	int64_t dup;

	(void)state;
	begin(&f);
	dup = call(f.w, .verb = GMEM_DUP, .fd = f.vm);
	assert_int_equal(gmem_listen(f.w, 0, dup, see, &second), GMEM_DONE);
	punch(f.w, f.file, 0, PAGE);
	assert_nothing(&f.seen);
	assert_int_equal(second.n, 2);
	assert_int_equal(gmem_listen(f.w, 0, f.vm, NULL, NULL), GMEM_DONE);
	punch(f.w, f.file, 0, PAGE);
	assert_int_equal(second.n, 2);
	assert_nothing(&f.seen);
	assert_int_equal(gmem_listen(f.w, 0, f.vm, NULL, NULL), GMEM_DONE);
	assert_int_equal(gmem_listen(f.w, 0, f.vm, see, &f.seen), GMEM_DONE);
	punch(f.w, f.file, 0, PAGE);
	assert_events(&f.seen, START(FILE, 0, 0, 0, 1, GFN, GFN + 1), END(FILE, 0, 1));
	end(&f);
}

/* One listener ends while others stay: each still hears its own VM. */
static void one_of_three_ends(void **state)
{
	struct seen third = { 0 };
	struct fixture f;
	int64_t vm, file;

	(void)state;
	begin(&f);
	vm = create_vm(f.w, GMEM_VM_DEFAULT);
	file = create_gmem(f.w, vm, MiB, 0);
	bind_slot(f.w, vm, 3, GPA, PAGE, file, 0);
	gmem_listen(f.w, 0, f.vm, NULL, NULL);
	gmem_listen(f.w, 0, vm, see, &third);
	gmem_listen(f.w, 0, vm, see, &third);
	punch(f.w, file, 0, PAGE);
	assert_events(&third, START(FILE, 3, 0, 0, 1, GFN, GFN + 1), END(FILE, 0, 1));
	gmem_listen(f.w, 0, vm, NULL, NULL);
	punch(f.w, file, 0, PAGE);
	assert_nothing(&third);
	assert_nothing(&f.seen);
	assert_int_equal(f.w->nr_listeners, 2);
	end(&f);
}

static void only_vms_can_be_listened_to(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	assert_int_equal(gmem_listen(f.w, 0, GMEM_KVM_FD, see, &f.seen), GMEM_MISUSE);
	assert_int_equal(gmem_listen(f.w, 0, f.file, see, &f.seen), GMEM_MISUSE);
	assert_int_equal(gmem_listen(f.w, 0, 99, see, &f.seen), GMEM_MISUSE);
	assert_int_equal(gmem_listen(f.w, 0, -1, see, &f.seen), GMEM_MISUSE);
	end(&f);
}

/* A descriptor's number is used again; the listener is the VM's and not the number's. */
static void a_new_vm_under_an_old_number(void **state)
{
	struct fixture f;
	int64_t vm, file;

	(void)state;
	begin(&f);
	close_fd(f.w, f.file);
	f.seen.n = 0;
	close_fd(f.w, f.vm);
	vm = create_vm(f.w, GMEM_VM_DEFAULT);
	assert_int_equal(vm, f.vm);
	file = create_gmem(f.w, vm, MiB, 0);
	bind_slot(f.w, vm, 0, GPA, PAGE, file, 0);
	punch(f.w, file, 0, PAGE);
	assert_nothing(&f.seen);
	end(&f);
}

/* A VM of an ancestor, with memslot 0 of pages 4 to 12 of a memfd of 16 pages. */
static void begin_memfd(struct fixture *f, const char *profile)
{
	memset(f, 0, sizeof(*f));
	f->w = new_world_on(profile, NULL);
	f->vm = create_vm(f->w, GMEM_VM_SW_PROTECTED);
	f->file = call(f->w, .verb = GMEM_MEMFD_CREATE);
	call(f->w, .verb = GMEM_FTRUNCATE, .fd = f->file, .length = 16 * PAGE);
	assert_int_equal(bind_slot(f->w, f->vm, 0, GPA, 8 * PAGE, f->file, 4 * PAGE), 0);
	assert_int_equal(gmem_listen(f->w, 0, f->vm, see, &f->seen), GMEM_DONE);
}

#define GO(from, to) ALONE(INVALIDATE, 0, from, to, GFN + (from)-4, GFN + (to)-4)
#define CAME(from, to) ALONE(POPULATED, 0, from, to, GFN + (from)-4, GFN + (to)-4)

static int64_t allocate_memfd(struct fixture *f, uint64_t page, uint64_t pages)
{
	return call(f->w, .verb = GMEM_FALLOCATE, .fd = f->file, .offset = page * PAGE,
		    .length = pages * PAGE);
}

/* [STORE-3] Where no page is there is nothing to tell. */
static void a_hole_in_a_memfd_is_told_where_pages_are(void **state)
{
	struct fixture f;

	(void)state;
	begin_memfd(&f, "memfile-notifier-v7");
	punch(f.w, f.file, 0, 16 * PAGE);
	assert_nothing(&f.seen);
	assert_int_equal(allocate_memfd(&f, 0, 1), 0);
	assert_int_equal(allocate_memfd(&f, 5, 2), 0);
	assert_int_equal(allocate_memfd(&f, 11, 5), 0);
	assert_nothing(&f.seen);
	punch(f.w, f.file, 0, 16 * PAGE);
	assert_events(&f.seen, GO(5, 7), GO(11, 12));
	punch(f.w, f.file, 0, 16 * PAGE);
	assert_nothing(&f.seen);
	gmem_world_free(f.w);
}

/* [STORE-5] What came is told otherwise. [STORE-6] An allocation that fails did not look at what comes after. */
static void a_failed_allocation_tells_what_it_tried(void **state)
{
	struct fixture f;

	(void)state;
	begin_memfd(&f, "memfile-notifier-v5");
	assert_int_equal(allocate_memfd(&f, 5, 1), 0);
	assert_int_equal(allocate_memfd(&f, 10, 1), 0);
	assert_events(&f.seen, CAME(5, 6), CAME(10, 11));
	punch(f.w, f.file, 10 * PAGE, PAGE);
	assert_events(&f.seen, GO(10, 11));
	assert_int_equal(allocate_memfd(&f, 10, 1), 0);
	assert_events(&f.seen, CAME(10, 11));
	call(f.w, .verb = GMEM_INJECT, .what = GMEM_INJECT_ENOMEM, .value = 2);
	assert_int_equal(allocate_memfd(&f, 4, 8), -ENOMEM);
	assert_events(&f.seen, GO(4, 7));
	call(f.w, .verb = GMEM_INJECT, .what = GMEM_INJECT_ENOMEM, .value = 0);
	assert_int_equal(allocate_memfd(&f, 6, 2), -ENOMEM);
	assert_nothing(&f.seen);
	gmem_world_free(f.w);
}

/* [RMEM-22, RMEM-23] The pair is what restrictedmem brings. */
static void a_hole_in_restrictedmem_has_a_start_and_an_end(void **state)
{
	struct fixture f = { .w = new_world_on("restrictedmem-2023-01", NULL) };

	(void)state;
	f.vm = create_vm(f.w, GMEM_VM_SW_PROTECTED);
	f.file = call(f.w, .verb = GMEM_MEMFD_RESTRICTED, .memfd = -1);
	call(f.w, .verb = GMEM_FTRUNCATE, .fd = f.file, .length = 16 * PAGE);
	assert_int_equal(bind_slot(f.w, f.vm, 0, GPA, 8 * PAGE, f.file, 4 * PAGE), 0);
	assert_int_equal(gmem_listen(f.w, 0, f.vm, see, &f.seen), GMEM_DONE);
	punch(f.w, f.file, 5 * PAGE, PAGE);
	assert_events(&f.seen, START(FILE, 0, 0, 5, 6, GFN + 1, GFN + 2), END(FILE, 0, 0));
	gmem_world_free(f.w);
}

/* [REG-7] */
static void a_region_is_told(void **state)
{
	struct fixture f;

	(void)state;
	begin_memfd(&f, "memfile-notifier-v7");
	call(f.w, .verb = GMEM_REG_REGION, .fd = f.vm, .gpa = GPA - PAGE, .size = 3 * PAGE);
	assert_events(&f.seen, START(ATTRIBUTES, 0, 0, 0, 0, GFN, GFN + 2), END(ATTRIBUTES, 0, 0));
	call(f.w, .verb = GMEM_UNREG_REGION, .fd = f.vm, .gpa = 2 * GPA, .size = PAGE);
	assert_nothing(&f.seen);
	gmem_world_free(f.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(punching_over_several_slots),
		cmocka_unit_test(punching_nothing_tells_all_the_same),
		cmocka_unit_test(releasing_the_file),
		cmocka_unit_test(unbound_is_untold),
		cmocka_unit_test(after_the_vms_descriptor_is_closed),
		cmocka_unit_test(attributes),
		cmocka_unit_test(attributes_in_two_address_spaces),
		cmocka_unit_test(memory_failure),
		cmocka_unit_test(the_hosts_page_tables),
		cmocka_unit_test(another_process),
		cmocka_unit_test(a_hole_under_a_mapping),
		cmocka_unit_test(removing_through_a_mapping),
		cmocka_unit_test(listening_and_no_longer),
		cmocka_unit_test(one_of_three_ends),
		cmocka_unit_test(only_vms_can_be_listened_to),
		cmocka_unit_test(a_new_vm_under_an_old_number),
		cmocka_unit_test(a_hole_in_a_memfd_is_told_where_pages_are),
		cmocka_unit_test(a_failed_allocation_tells_what_it_tried),
		cmocka_unit_test(a_hole_in_restrictedmem_has_a_start_and_an_end),
		cmocka_unit_test(a_region_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
