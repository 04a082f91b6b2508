/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Conversions as no trace can show them: what VMs are told and when, pages that are private and in
 * use at once, which takes a reference that is put there by hand, and pages that are private to a
 * guest that has no such memory.
 */
#include <string.h>

#include "ranges.h"
#include "state.h"
#include "told.h"

#define EAGAIN_ 11
#define PRIVATE GMEM_ATTRIBUTE_PRIVATE

struct fixture {
	struct gmem_world *w;
	int64_t vm, file;
	uint64_t shown;
	struct seen seen;
};

/* Memslot 0 over pages 0 to 15 of a file of 2 MiB that begins shared, 1 over 512 to 527 or so. */
static void begin(struct fixture *f, const char *profile)
{
	memset(f, 0, sizeof(*f));
	f->w = new_world_on(profile, NULL);
	f->vm = create_vm(f->w, GMEM_VM_SW_PROTECTED);
	f->file = create_gmem(f->w, f->vm, 2 * MiB,
			      gmem_profile_find("rfc-shareability-v2") == gmem_world_profile(f->w) ?
				      GMEM_FLAG_SUPPORT_SHARED :
				      GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED);
	f->shown = map(f->w, f->file, 0, 16 * PAGE);
	assert_int_equal(bind_slot(f->w, f->vm, 0, GPA, 8 * PAGE, f->file, 0), 0);
	assert_int_equal(bind_slot(f->w, f->vm, 1, 2 * GPA, 8 * PAGE, f->file, 8 * PAGE), 0);
	assert_int_equal(gmem_listen(f->w, 0, f->vm, see, &f->seen), GMEM_DONE);
}

static struct gmem_result set(struct fixture *f, uint64_t page, uint64_t pages, uint64_t attributes)
{
	return result(f->w, .verb = GMEM_SET_MEMORY_ATTRIBUTES2, .fd = f->file,
		      .offset = page * PAGE, .size = pages * PAGE, .attributes = attributes);
}

/* [CONV-17] [CONV-24] */
static void bound_memslots_are_told(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "linux-coco-v13");
	assert_int_equal(set(&f, 6, 4, PRIVATE).value, 0);
	assert_events(&f.seen, START(FILE, 0, 0, 6, 8, GFN + 6, GFN + 8),
		      START(FILE, 1, 0, 8, 10, 2 * GFN, 2 * GFN + 2), END(FILE, 6, 10));
	/* All of it is so already [CONV-13]; and nobody is bound there. */
	assert_int_equal(set(&f, 7, 2, PRIVATE).value, 0);
	assert_int_equal(set(&f, 100, 20, PRIVATE).value, 0);
	assert_nothing(&f.seen);
	/* A range that is so in part is done as a whole. */
	assert_int_equal(set(&f, 0, 8, PRIVATE).value, 0);
	assert_events(&f.seen, START(FILE, 0, 0, 0, 8, GFN, GFN + 8), END(FILE, 0, 8));
	gmem_world_free(f.w);
}

/* [SHARE-10] [SHARE-16] Part by part, all begun before the first is over. */
static void parts_are_told_one_by_one(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, "rfc-shareability-v2");
	assert_int_equal(call(f.w, .verb = GMEM_CONVERT_PRIVATE, .fd = f.file, .offset = 2 * PAGE,
			      .size = PAGE),
			 0);
	assert_events(&f.seen, START(FILE, 0, 0, 2, 3, GFN + 2, GFN + 3), END(FILE, 2, 3));
	assert_int_equal(call(f.w, .verb = GMEM_CONVERT_PRIVATE, .fd = f.file, .size = 5 * PAGE),
			 0);
	assert_events(&f.seen, START(FILE, 0, 0, 0, 2, GFN, GFN + 2),
		      START(FILE, 0, 0, 3, 5, GFN + 3, GFN + 5), END(FILE, 0, 2), END(FILE, 3, 5));
	gmem_world_free(f.w);
}

/* A second task that holds a reference on a page of the file, as a fault in flight does. */
static struct gmem_task *hold(struct fixture *f, uint64_t page)
{
	struct gmem_block *b;
	struct gmem_task *t;

	assert_int_equal(call(f->w, .verb = GMEM_FORK, .value = 1), 1);
	f->w->checking = GMEM_CHECK_NEVER;
	b = f->w->b;
	t = TASK(b, b->tasks[1]);
	t->depth = 1;
	t->folio_of = b->inodes;
	while (INODE(b, t->folio_of)->kind != INODE_GMEM)
		t->folio_of = INODE(b, t->folio_of)->next;
	t->folio = page;
	return t;
}

/* [CONV-13] [CONV-16] */
static void a_private_page_that_is_held(void **state)
{
	struct fixture f;
	struct gmem_result r;
	struct gmem_task *t;

	(void)state;
	begin(&f, "linux-coco-v13");
	assert_int_equal(set(&f, 4, 2, PRIVATE).value, 0);
	t = hold(&f, 5);
	/* All private already: no reference is looked at. */
	assert_int_equal(set(&f, 4, 2, PRIVATE).value, 0);
	/* Private in part: the page in use is private, and the whole is refused for it. */
	r = set(&f, 4, 4, PRIVATE);
	assert_int_equal(r.value, -EAGAIN_);
	assert_int_equal(r.out, 5 * PAGE);
	/* To shared nobody asks. */
	assert_int_equal(set(&f, 5, 1, 0).value, 0);
	r = set(&f, 0, 16, PRIVATE);
	assert_int_equal(r.value, -EAGAIN_);
	assert_int_equal(r.out, 5 * PAGE);
	t->folio_of = 0;
	assert_int_equal(set(&f, 0, 16, PRIVATE).value, 0);
	t->depth = 0;
	gmem_world_free(f.w);
}

/* [SHARE-9] [SHARE-12] Only what has to change is looked at. */
static void shareability_skips_what_is_private(void **state)
{
	struct fixture f;
	struct gmem_task *t;

	(void)state;
	begin(&f, "rfc-shareability-v2");
	assert_int_equal(call(f.w, .verb = GMEM_CONVERT_PRIVATE, .fd = f.file, .offset = 4 * PAGE,
			      .size = 2 * PAGE),
			 0);
	t = hold(&f, 5);
	assert_int_equal(call(f.w, .verb = GMEM_CONVERT_PRIVATE, .fd = f.file, .size = 8 * PAGE),
			 0);
	t->folio = 9;
	assert_int_equal(call(f.w, .verb = GMEM_CONVERT_PRIVATE, .fd = f.file, .offset = 8 * PAGE,
			      .size = 4 * PAGE),
			 -EAGAIN_);
	t->depth = 0;
	gmem_world_free(f.w);
}

/* [HUGE-7] coco-hugetlb tells of the whole huge page, and the end before the attribute changes. */
static void huge_pages_are_told_whole(void **state)
{
	struct fixture f;
	int64_t file;

	(void)state;
	begin(&f, "coco-hugetlb");
	file = call(f.w, .verb = GMEM_CREATE_GUEST_MEMFD, .fd = f.vm, .size = 4 * MiB,
		    .flags = GMEM_FLAG_MMAP | GMEM_FLAG_HUGETLB, .page_order = 9);
	assert_true(file > 0);
	assert_int_equal(bind_slot(f.w, f.vm, 2, 16 * GPA, 4 * MiB, file, 0), 0);
	f.file = file;
	assert_int_equal(set(&f, 500, 20, 0).value, 0);
	assert_events(&f.seen, START(FILE, 2, 0, 0, 512, 16 * GFN, 16 * GFN + 512),
		      END(FILE, 0, 512),
		      START(FILE, 2, 0, 512, 1024, 16 * GFN + 512, 16 * GFN + 1024),
		      END(FILE, 512, 1024));
	gmem_world_free(f.w);
}

/* I6 also where the attribute would allow it. */
static void no_guest_without_private_memory_maps_any(void **state)
{
	struct gmem_violation v;
	struct fixture f;

	(void)state;
	begin(&f, "linux-coco-v13");
	assert_int_equal(set(&f, 3, 1, PRIVATE).value, 0);
	assert_int_equal(guest_store(f.w, f.vm, GPA + 3 * PAGE, 1).value, 0);
	assert_int_equal(gmem_check(f.w, &v), GMEM_DONE);
	VM(f.w->b, f.w->b->vms)->type = GMEM_VM_DEFAULT;
	assert_int_equal(gmem_check(f.w, &v), GMEM_VIOLATED);
	assert_string_equal(v.invariant, "I6");
	assert_string_equal(v.saw, "a guest without private memory maps some: VM, gfn");
	assert_int_equal(v.b, GFN + 3);
	gmem_world_free(f.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bound_memslots_are_told),
		cmocka_unit_test(parts_are_told_one_by_one),
		cmocka_unit_test(a_private_page_that_is_held),
		cmocka_unit_test(shareability_skips_what_is_private),
		cmocka_unit_test(huge_pages_are_told_whole),
		cmocka_unit_test(no_guest_without_private_memory_maps_any),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
