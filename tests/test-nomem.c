/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The N-th allocation fails, for every N. A call that finds no memory is not made: the world is
 * as it was, and the same call succeeds when it is made again.
 *
 * A world seldom asks for memory, so every call is also made in a copy that has no cell to spare:
 * once with the door shut, and once with no more than what the call said it might need. The calls
 * are those of the corpus, random ones, and some that have much to do.
 */
#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "door.h"
#include "random.h"
#include "state.h"
#include "trace.h"

#define PAGE GMEM_PAGE_SIZE
#define GPA UINT64_C(0x100000)
#define ENOMEM_ 12

struct fixture {
	struct door door;
	struct gmem_world *w;
	unsigned long denied;
};

static void begin_with(struct fixture *f, const struct gmem_profile *p,
		       const struct gmem_machine *m)
{
	const struct gmem_config config = { .profile = p,
					    .machine = m,
					    .resize = door,
					    .resize_arg = &f->door,
					    .checking = GMEM_CHECK_CALLS };

	memset(f, 0, sizeof(*f));
	f->w = new_world_of(&config);
}

static void begin(struct fixture *f)
{
	begin_with(f, NULL, NULL);
}

static void end(struct fixture *f)
{
	gmem_world_free(f->w);
	assert_int_equal(f->door.live, 0);
	assert_true(f->denied > 0);
}

static struct gmem_world *tight_copy(struct fixture *f)
{
	const struct gmem_config config = { .resize = door,
					    .resize_arg = &f->door,
					    .checking = f->w->checking };
	struct gmem_world *w = new_world_of(&config);

	assert_int_equal(gmem_world_copy(w, f->w), GMEM_DONE);
	assert_true(w->b->capacity <= f->w->b->used + 32);
	return w;
}

/* Makes the call with the door shut for some requests; how many there were. */
static unsigned long call_shut(struct fixture *f, struct gmem_world *w, unsigned long shuts,
			       const struct gmem_call *c, struct gmem_result *r,
			       enum gmem_status *status)
{
	unsigned long asked = f->door.asked;

	shut_door(&f->door, shuts);
	*status = gmem_call(w, c, r);
	open_door(&f->door);
	return f->door.asked - asked;
}

/* A call that found no memory has changed nothing. */
static void assert_untouched(struct fixture *f, const struct gmem_world *tight,
			     const struct gmem_result *r, uint64_t before, uint32_t capacity)
{
	assert_int_equal(r->value, -ENOMEM_);
	assert_int_equal(r->outcome, GMEM_VALUE);
	assert_int_equal(gmem_world_hash(tight), before);
	assert_true(gmem_world_equal(tight, f->w));
	assert_int_equal(tight->b->capacity, capacity);
	if (f->w->checking)
		assert_int_equal(gmem_check(tight, NULL), GMEM_DONE);
}

/*
 * The call in a copy without room, then in the world itself: want of memory changes nothing about
 * it. More than is needed is asked for first, and then as much as is needed.
 */
static enum gmem_status make(struct fixture *f, const struct gmem_call *c, struct gmem_result *r)
{
	struct gmem_world *tight = tight_copy(f);
	uint64_t before = gmem_world_hash(tight);
	uint32_t capacity = tight->b->capacity;
	enum gmem_status status, in_copy;
	struct gmem_result r_in_copy;

	if (call_shut(f, tight, 2, c, &r_in_copy, &in_copy)) {
		f->denied++;
		assert_int_equal(in_copy, GMEM_FAILED);
		assert_untouched(f, tight, &r_in_copy, before, capacity);
		assert_int_equal(call_shut(f, tight, 1, c, &r_in_copy, &in_copy), 2);
	}
	assert_true(tight->b->used <= tight->b->capacity);
	status = gmem_call(f->w, c, r);
	if (status == GMEM_VIOLATED)
		fail_msg("%s: %s", gmem_violation(f->w)->invariant, gmem_violation(f->w)->saw);
	assert_int_equal(in_copy, status);
	assert_memory_equal(&r_in_copy, r, sizeof(*r));
	assert_true(gmem_world_equal(tight, f->w));
	gmem_world_free(tight);
	return status;
}

static int64_t make_value(struct fixture *f, const struct gmem_call *c)
{
	struct gmem_result r;

	assert_int_equal(make(f, c, &r), GMEM_DONE);
	return r.value;
}

#define MAKE(f, ...) make_value((f), &(struct gmem_call){ __VA_ARGS__ })

/* ---- the corpus ---- */

static void run_trace(const char *path)
{
	struct trace_error e;
	struct gmem_result *results;
	struct fixture f;
	struct trace t;

	if (!trace_read(&t, path, &e))
		fail_msg("%s:%u:%u: %s", path, e.line, e.column, e.reason);
	results = calloc(t.nr_calls + 1, sizeof(*results));
	assert_non_null(results);
	begin_with(&f, t.profile, &t.machine);
	for (size_t i = 0; i < t.nr_calls; i++) {
		struct gmem_call c = backend_resolve(&t.calls[i].linked, results);

		make(&f, &c, &results[i]);
	}
	f.denied += !t.nr_calls;
	end(&f);
	free(results);
	trace_free(&t);
}

static void the_corpus(void **state)
{
	const char *srcdir = getenv("srcdir");
	char pattern[4096];
	size_t step;
	glob_t g;

	(void)state;
	snprintf(pattern, sizeof(pattern), "%s/traces/*/*.trace", srcdir ? srcdir : ".");
	if (glob(pattern, 0, NULL, &g) || !g.gl_pathc) {
		print_message("no traces in %s\n", pattern);
		skip();
	}
	step = scaled(g.gl_pathc) < g.gl_pathc ? g.gl_pathc / scaled(g.gl_pathc) : 1;
	for (size_t i = 0; i < g.gl_pathc; i += step)
		run_trace(g.gl_pathv[i]);
	globfree(&g);
}

/* ---- random calls ---- */

static void random_calls(void **state)
{
	enum { LENGTH = 60 };
	struct gmem_result results[LENGTH];

	(void)state;
	for (unsigned long n = 0; n < scaled(3000); n++) {
		struct linked_call l;
		struct generator g;
		struct random r;
		struct fixture f;

		begin(&f);
		random_seed(&r, n);
		generator_begin(&g, &r);
		g.types = (1u << GMEM_VM_DEFAULT) | (1u << GMEM_VM_SW_PROTECTED) |
			  (1u << GMEM_VM_SNP);
		for (int i = 0; i < LENGTH; i++) {
			struct gmem_call c;

			generator_call(&g, &l);
			c = backend_resolve(&l, results);
			make(&f, &c, &results[i]);
			generator_result(&g, &results[i]);
		}
		end(&f);
	}
}

/* ---- calls that have much to do ---- */

enum { VM_FD = 4, FILE_FD, SNP_FD, SNP_FILE };

/* A file in scraps: every other page there, written, seen by guest, host and pins. */
static uint64_t make_scraps(struct fixture *f, uint64_t scraps)
{
	uint64_t addr, length = 2 * scraps * PAGE;

	create_vm(f->w, GMEM_VM_DEFAULT);
	create_gmem(f->w, VM_FD, length, GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED);
	create_vm(f->w, GMEM_VM_SNP);
	create_gmem(f->w, SNP_FD, length, 0);
	addr = map(f->w, FILE_FD, 0, length);
	for (uint64_t i = 0; i < 30; i++)
		map(f->w, FILE_FD, i * PAGE, length);
	for (uint64_t i = 0; i < scraps; i++) {
		store(f->w, addr + 2 * i * PAGE + i, i % 255 + 1);
		assert_int_equal(bind_slot(f->w, VM_FD, i, GPA + 4 * i * PAGE, 2 * PAGE, FILE_FD,
					   2 * i * PAGE),
				 0);
		guest_store(f->w, VM_FD, GPA + 4 * i * PAGE + 4, 3);
	}
	bind_slot(f->w, SNP_FD, 0, GPA, length, SNP_FILE, 0);
	set_private(f->w, SNP_FD, GPA, length, 1);
	call(f->w, .verb = GMEM_LAUNCH_FINISH, .fd = SNP_FD);
	for (uint64_t i = 0; i < 8; i++)
		call(f->w, .verb = GMEM_PIN, .addr = addr + 2 * i * PAGE, .length = 20 * PAGE);
	return addr;
}

static void make_and_put_back(struct fixture *f, const struct gmem_call *c,
			      const struct gmem_world *saved)
{
	struct gmem_result r;

	assert_int_equal(make(f, c, &r), GMEM_DONE);
	if (r.value < 0 && r.value != -ENOMEM_ && /* at a hole between mappings */
	    c->verb != GMEM_MEMORY_FAILURE)
		fail_msg("verb %u was refused: %d", c->verb, (int)r.value);
	if (c->verb == GMEM_FORK)
		MAKE(f, .verb = GMEM_EXIT, .task = 1);
	assert_int_equal(gmem_world_copy(f->w, saved), GMEM_DONE);
}

/* Each call from the same world; addr is where make_scraps() has put its mappings. */
static void make_each(struct fixture *f, const struct gmem_call *calls, size_t n)
{
	struct gmem_world *saved = tight_copy(f);

	for (size_t i = 0; i < n; i++)
		make_and_put_back(f, &calls[i], saved);
	MAKE(f, .verb = GMEM_MUNMAP, .addr = 0, .length = UINT64_C(1) << 46);
	MAKE(f, .verb = GMEM_CLOSE, .fd = FILE_FD);
	MAKE(f, .verb = GMEM_CLOSE, .fd = VM_FD);
	gmem_world_free(saved);
}

static void host_calls_with_much_to_do(void **state)
{
	uint64_t scraps = 20 + scaled(280), length = 2 * scraps * PAGE, addr;
	struct fixture f;

	(void)state;
	begin(&f);
	addr = make_scraps(&f, scraps);
	const struct gmem_call calls[] = {
		{ .verb = GMEM_FALLOCATE, .fd = FILE_FD, .mode = 3, .length = length },
		{ .verb = GMEM_FALLOCATE, .fd = FILE_FD, .mode = 1, .length = length },
		{ .verb = GMEM_FALLOCATE,
		  .fd = FILE_FD,
		  .mode = 3,
		  .offset = 3 * PAGE,
		  .length = 7 * PAGE },
		{ .verb = GMEM_FORK, .value = 1 },
		{ .verb = GMEM_MADVISE,
		  .addr = addr,
		  .length = length,
		  .advice = GMEM_MADV_POPULATE_WRITE },
		{ .verb = GMEM_MADVISE,
		  .addr = addr,
		  .length = length,
		  .advice = GMEM_MADV_DONTNEED },
		{ .verb = GMEM_MADVISE,
		  .addr = addr,
		  .length = 40 * length,
		  .advice = GMEM_MADV_REMOVE },
		{ .verb = GMEM_MPROTECT,
		  .addr = addr + PAGE,
		  .length = 20 * length,
		  .prot = GMEM_PROT_READ },
		{ .verb = GMEM_MUNMAP, .addr = addr + PAGE, .length = length - 2 * PAGE },
		{ .verb = GMEM_MUNMAP, .addr = 0, .length = UINT64_C(1) << 46 },
		{ .verb = GMEM_MMAP,
		  .fd = FILE_FD,
		  .addr = addr + PAGE,
		  .length = 20 * length,
		  .prot = 3,
		  .flags = GMEM_MAP_SHARED | GMEM_MAP_FIXED },
		{ .verb = GMEM_PIN, .addr = addr, .length = length },
		{ .verb = GMEM_STORE,
		  .addr = addr + PAGE - 3,
		  .size = 8,
		  .value = UINT64_C(0x0102030405060708) },
	};
	make_each(&f, calls, sizeof(calls) / sizeof(calls[0]));
	end(&f);
}

static void guest_calls_with_much_to_do(void **state)
{
	uint64_t scraps = 20 + scaled(280), length = 2 * scraps * PAGE, addr;
	struct fixture f;

	(void)state;
	begin(&f);
	addr = make_scraps(&f, scraps);
	const struct gmem_call calls[] = {
		{ .verb = GMEM_MEMORY_FAILURE, .fd = FILE_FD },
		{ .verb = GMEM_CLOSE, .fd = VM_FD },
		{ .verb = GMEM_CLOSE, .fd = FILE_FD },
		{ .verb = GMEM_SET_MEMORY_ATTRIBUTES,
		  .fd = SNP_FD,
		  .gpa = GPA + 3 * PAGE,
		  .size = 9 * PAGE },
		{ .verb = GMEM_PRE_FAULT_MEMORY, .fd = SNP_FD, .gpa = GPA, .size = length },
		{ .verb = GMEM_POPULATE, .fd = SNP_FD, .gpa = GPA, .size = length, .addr = addr },
		{ .verb = GMEM_POPULATE, .fd = SNP_FD, .gpa = GPA, .size = length },
	};
	make_each(&f, calls, sizeof(calls) / sizeof(calls[0]));
	end(&f);
}

/* ---- calls that need many cells, so that what is set aside for every call is not enough ---- */

/* Two pages in which neighbouring bytes differ: some thousand ranges. */
static void fill(struct gmem_world *w, uint64_t addr)
{
	for (uint64_t at = 0; at < 2 * PAGE; at += 8)
		call(w, .verb = GMEM_STORE, .addr = addr + at, .size = 8,
		     .value = UINT64_C(0x0807060504030201) + at);
}

static uint64_t map_anonymous(struct gmem_world *w, uint64_t kind)
{
	return (uint64_t)call(w, .verb = GMEM_MMAP, .fd = -1, .length = 16 * PAGE,
			      .prot = GMEM_PROT_READ | GMEM_PROT_WRITE,
			      .flags = GMEM_MAP_ANONYMOUS | kind);
}

static void a_pin_keeps_many_bytes(void **state)
{
	struct fixture f;
	uint64_t addr;

	(void)state;
	begin(&f);
	f.w->checking = GMEM_CHECK_NEVER;
	addr = map_anonymous(f.w, GMEM_MAP_SHARED);
	fill(f.w, addr);
	call(f.w, .verb = GMEM_PIN, .addr = addr, .length = 2 * PAGE);
	MAKE(&f, .verb = GMEM_MADVISE, .addr = addr, .length = 2 * PAGE,
	     .advice = GMEM_MADV_REMOVE);
	end(&f);
}

static void many_bytes_are_populated(void **state)
{
	struct fixture f;
	uint64_t addr;

	(void)state;
	begin(&f);
	f.w->checking = GMEM_CHECK_NEVER;
	create_vm(f.w, GMEM_VM_SNP);
	create_gmem(f.w, VM_FD, MiB, 0);
	bind_slot(f.w, VM_FD, 0, GPA, MiB, FILE_FD, 0);
	set_private(f.w, VM_FD, GPA, MiB, 1);
	addr = map_anonymous(f.w, GMEM_MAP_PRIVATE);
	fill(f.w, addr);
	assert_int_equal(MAKE(&f, .verb = GMEM_POPULATE, .fd = VM_FD, .gpa = GPA, .size = 2 * PAGE,
			      .addr = addr),
			 2);
	end(&f);
}

/* Private memory, mappings and descriptors are copied. */
static void a_big_fork(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	f.w->checking = GMEM_CHECK_NEVER;
	for (unsigned long i = 0; i < scaled(900); i++)
		create_vm(f.w, GMEM_VM_DEFAULT);
	for (unsigned long i = 0; i < scaled(8); i++)
		fill(f.w, map_anonymous(f.w, GMEM_MAP_PRIVATE));
	MAKE(&f, .verb = GMEM_FORK, .value = 1);
	MAKE(&f, .verb = GMEM_FORK, .value = 2, .task = 1);
	MAKE(&f, .verb = GMEM_EXIT, .task = 1);
	MAKE(&f, .verb = GMEM_EXIT, .task = 2);
	end(&f);
}

/* A hole in the middle of what each of them has mapped. */
static void many_mappings_and_memslots_are_split(void **state)
{
	const uint64_t many = scaled(7000);
	struct fixture f;

	(void)state;
	begin(&f);
	f.w->checking = GMEM_CHECK_NEVER;
	create_vm(f.w, GMEM_VM_DEFAULT);
	create_gmem(f.w, VM_FD, 3 * PAGE, GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED);
	for (uint64_t i = 0; i < many; i++)
		call(f.w, .verb = GMEM_MADVISE, .addr = map(f.w, FILE_FD, 0, 3 * PAGE),
		     .length = 3 * PAGE, .advice = GMEM_MADV_POPULATE_WRITE);
	MAKE(&f, .verb = GMEM_FALLOCATE, .fd = FILE_FD, .mode = 3, .offset = PAGE, .length = PAGE);
	create_gmem(f.w, VM_FD, many * 3 * PAGE, GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED);
	for (uint64_t i = 0; i < many; i++) {
		bind_slot(f.w, VM_FD, i, 4 * i * PAGE, 3 * PAGE, SNP_FD, 3 * i * PAGE);
		for (uint64_t page = 0; page < 3; page++)
			guest_load(f.w, VM_FD, (4 * i + page) * PAGE);
	}
	MAKE(&f, .verb = GMEM_FALLOCATE, .fd = SNP_FD, .mode = 3, .length = many * 3 * PAGE);
	MAKE(&f, .verb = GMEM_CLOSE, .fd = VM_FD);
	MAKE(&f, .verb = GMEM_CLOSE, .fd = SNP_FD);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_corpus),
		cmocka_unit_test(random_calls),
		cmocka_unit_test(host_calls_with_much_to_do),
		cmocka_unit_test(guest_calls_with_much_to_do),
		cmocka_unit_test(a_pin_keeps_many_bytes),
		cmocka_unit_test(many_bytes_are_populated),
		cmocka_unit_test(a_big_fork),
		cmocka_unit_test(many_mappings_and_memslots_are_split),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
