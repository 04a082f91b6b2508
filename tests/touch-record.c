/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes down what is read and written in a world; see touched.h.
 *
 * -fsanitize=thread puts a call before every access. The functions it calls are here, so nothing
 * of the sanitizer itself is needed. Range trees are not compiled so: what is looked up in them is
 * a matter of keys, not of nodes, and --wrap leads each call of theirs through here.
 */
#include <string.h>

#include "ranges.h"
#include "step.h"
#include "touched.h"

#define MOST_ROOTS 16u

static struct {
	bool on, full;
	struct gmem_world *w;
	uint32_t task; /* its cell */
	uint32_t n;
	struct touched list[MOST_TOUCHED];
	/* The roots that were read or written last: a ring. */
	struct {
		uint32_t cell, offset;
	} roots[MOST_ROOTS];
	uint32_t nr_roots;
} rec;

/* When the last table has ended the interpreter has its own to do. */
static bool is_on(void)
{
	return rec.on && TASK(rec.w->b, rec.task)->depth;
}

static void note(struct touched a)
{
	if (rec.n < MOST_TOUCHED)
		rec.list[rec.n++] = a;
	else
		rec.full = true;
}

/* Where in the world an address is; false if it is somewhere else. */
static bool find_cell(const void *p, uint32_t *cell, uint32_t *offset)
{
	const char *b = (const char *)rec.w->b, *at = p;
	const char *cells = (const char *)(rec.w->b + 1);

	if (at < b || at >= cells + (size_t)rec.w->b->used * GMEM_CELL_SIZE)
		return false;
	*cell = at < cells ? NO_CELL : (uint32_t)((size_t)(at - cells) / GMEM_CELL_SIZE);
	*offset = (uint32_t)(at < cells ? at - b : (at - cells) % GMEM_CELL_SIZE);
	return true;
}

static void remember_root(uint32_t cell, uint32_t offset)
{
	rec.roots[rec.nr_roots % MOST_ROOTS].cell = cell;
	rec.roots[rec.nr_roots++ % MOST_ROOTS].offset = offset;
}

static void touch(const void *p, size_t size, bool write)
{
	uint32_t cell, offset;

	if (!is_on() || !find_cell(p, &cell, &offset))
		return;
	/* A structure is its fields: all of them are of 8, 4, 2 or 1 bytes. */
	for (size_t i = 0; i < size; i += i + 4 <= size && !(offset % 4) ? 4 : 1) {
		note((struct touched){ .what = TOUCHED_FIELD,
				       .write = write,
				       .cell = cell,
				       .offset = offset + (uint32_t)i });
		if (cell != NO_CELL && (offset + i) % 4 == 0)
			remember_root(cell, offset + (uint32_t)i);
	}
}

/* ---- what the compiler calls ---- */

#define ACCESS(size)                                \
	void __tsan_read##size(void *p);            \
	void __tsan_write##size(void *p);           \
	void __tsan_unaligned_read##size(void *p);  \
	void __tsan_unaligned_write##size(void *p); \
	void __tsan_read##size(void *p)             \
	{                                           \
		touch(p, size, false);              \
	}                                           \
	void __tsan_write##size(void *p)            \
	{                                           \
		touch(p, size, true);               \
	}                                           \
	void __tsan_unaligned_read##size(void *p)   \
	{                                           \
		touch(p, size, false);              \
	}                                           \
	void __tsan_unaligned_write##size(void *p)  \
	{                                           \
		touch(p, size, true);               \
	}
ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)

/* As gcc knows them when it sanitizes. */
void __tsan_init(void);
void __tsan_func_entry(void *pc);
void __tsan_func_exit(void *pc);
void __tsan_read_range(void *p, long size);
void __tsan_write_range(void *p, long size);
void *__tsan_memcpy(void *to, const void *from, size_t size);
void *__tsan_memmove(void *to, const void *from, size_t size);
void *__tsan_memset(void *to, int c, size_t size);

void __tsan_init(void)
{
}

void __tsan_func_entry(void *pc)
{
	(void)pc;
}

void __tsan_func_exit(void *pc)
{
	(void)pc;
}

void __tsan_read_range(void *p, long size)
{
	touch(p, (size_t)size, false);
}

void __tsan_write_range(void *p, long size)
{
	touch(p, (size_t)size, true);
}

/* What clang makes of a structure that is copied. */
void *__tsan_memcpy(void *to, const void *from, size_t size)
{
	touch(from, size, false);
	touch(to, size, true);
	return memcpy(to, from, size);
}

void *__tsan_memmove(void *to, const void *from, size_t size)
{
	touch(from, size, false);
	touch(to, size, true);
	return memmove(to, from, size);
}

void *__tsan_memset(void *to, int c, size_t size)
{
	touch(to, size, true);
	return memset(to, c, size);
}

/* ---- range trees ---- */

static uint32_t root_at(uint32_t cell, uint32_t offset)
{
	uint32_t root;

	memcpy(&root, (const char *)gmem_ccell(rec.w->b, cell) + offset, sizeof(root));
	return root;
}

/* In a cell that has been freed anything may be one. */
static bool is_root(uint32_t cell, uint32_t offset)
{
	enum touched_kind kind = touched_kind_of(rec.w->b, cell);

	return kind == KIND_NONE || touched_is_root(kind, offset);
}

/*
 * A tree is handed over as its root, which was read, or stored, somewhere: mostly just now. An
 * empty one is the tree whose root was touched last and is 0.
 */
static void touch_tree(uint32_t root, uint64_t start, uint64_t end)
{
	for (uint32_t i = 0; i < rec.nr_roots && i < MOST_ROOTS; i++) {
		uint32_t at = (rec.nr_roots - 1 - i) % MOST_ROOTS;
		uint32_t cell = rec.roots[at].cell, offset = rec.roots[at].offset;

		if (root_at(cell, offset) != root || !is_root(cell, offset))
			continue;
		note((struct touched){ .what = TOUCHED_TREE,
				       .cell = cell,
				       .offset = offset,
				       .start = start,
				       .end = end });
		return;
	}
	rec.full = true;
}

static void touch_next(uint32_t root, uint64_t from, uint64_t end, bool found,
		       const struct gmem_range *r)
{
	/* That the range ends where it does is known from what comes behind it. */
	if (found && r->end < end)
		end = r->end + 1;
	if (is_on())
		touch_tree(root, from, end);
}

uint32_t __real_gmem_range_get(const struct gmem_block *b, uint32_t root, uint64_t key);
uint32_t __wrap_gmem_range_get(const struct gmem_block *b, uint32_t root, uint64_t key);
bool __real_gmem_range_next(const struct gmem_block *b, uint32_t root, uint64_t from,
			    struct gmem_range *r);
bool __wrap_gmem_range_next(const struct gmem_block *b, uint32_t root, uint64_t from,
			    struct gmem_range *r);
bool __real_gmem_range_next_in(const struct gmem_block *b, uint32_t root, uint64_t from,
			       uint64_t end, struct gmem_range *r);
bool __wrap_gmem_range_next_in(const struct gmem_block *b, uint32_t root, uint64_t from,
			       uint64_t end, struct gmem_range *r);
bool __real_gmem_range_empty(const struct gmem_block *b, uint32_t root, uint64_t start,
			     uint64_t end);
bool __wrap_gmem_range_empty(const struct gmem_block *b, uint32_t root, uint64_t start,
			     uint64_t end);
void __real_gmem_range_set(struct gmem_block *b, uint32_t *root, uint64_t start, uint64_t end,
			   uint32_t value);
void __wrap_gmem_range_set(struct gmem_block *b, uint32_t *root, uint64_t start, uint64_t end,
			   uint32_t value);
void __real_gmem_range_clear(struct gmem_block *b, uint32_t *root);
void __wrap_gmem_range_clear(struct gmem_block *b, uint32_t *root);
uint32_t __real_gmem_range_copy(struct gmem_block *b, uint32_t root);
uint32_t __wrap_gmem_range_copy(struct gmem_block *b, uint32_t root);
uint64_t __real_gmem_cells_for_verb(const struct gmem_block *b, const struct gmem_call *c);
uint64_t __wrap_gmem_cells_for_verb(const struct gmem_block *b, const struct gmem_call *c);
uint32_t __real_gmem_cell_alloc(struct gmem_block *b);
uint32_t __wrap_gmem_cell_alloc(struct gmem_block *b);
void __real_gmem_cell_free(struct gmem_block *b, uint32_t idx);
void __wrap_gmem_cell_free(struct gmem_block *b, uint32_t idx);

uint32_t __wrap_gmem_range_get(const struct gmem_block *b, uint32_t root, uint64_t key)
{
	if (is_on())
		touch_tree(root, key, key + 1);
	return __real_gmem_range_get(b, root, key);
}

bool __wrap_gmem_range_next(const struct gmem_block *b, uint32_t root, uint64_t from,
			    struct gmem_range *r)
{
	bool found = __real_gmem_range_next(b, root, from, r);

	touch_next(root, from, UINT64_MAX, found, r);
	return found;
}

bool __wrap_gmem_range_next_in(const struct gmem_block *b, uint32_t root, uint64_t from,
			       uint64_t end, struct gmem_range *r)
{
	bool found = __real_gmem_range_next_in(b, root, from, end, r);

	touch_next(root, from, end, found, r);
	return found;
}

bool __wrap_gmem_range_empty(const struct gmem_block *b, uint32_t root, uint64_t start,
			     uint64_t end)
{
	if (is_on())
		touch_tree(root, start, end);
	return __real_gmem_range_empty(b, root, start, end);
}

static void change_tree(const uint32_t *root, uint64_t start, uint64_t end, bool is_zero)
{
	uint32_t cell, offset;

	if (is_on() && find_cell(root, &cell, &offset))
		note((struct touched){ .what = TOUCHED_TREE,
				       .write = true,
				       .is_zero = is_zero,
				       .cell = cell,
				       .offset = offset,
				       .start = start,
				       .end = end });
}

void __wrap_gmem_range_set(struct gmem_block *b, uint32_t *root, uint64_t start, uint64_t end,
			   uint32_t value)
{
	change_tree(root, start, end, !value);
	__real_gmem_range_set(b, root, start, end, value);
}

void __wrap_gmem_range_clear(struct gmem_block *b, uint32_t *root)
{
	change_tree(root, 0, UINT64_MAX, true);
	__real_gmem_range_clear(b, root);
}

uint32_t __wrap_gmem_range_copy(struct gmem_block *b, uint32_t root)
{
	if (is_on())
		touch_tree(root, 0, UINT64_MAX);
	return __real_gmem_range_copy(b, root);
}

/* ---- cells ---- */

/* How many a call may need is asked before its rows. */
uint64_t __wrap_gmem_cells_for_verb(const struct gmem_block *b, const struct gmem_call *c)
{
	bool on = rec.on;
	uint64_t cells;

	rec.on = false;
	cells = __real_gmem_cells_for_verb(b, c);
	rec.on = on;
	return cells;
}

uint32_t __wrap_gmem_cell_alloc(struct gmem_block *b)
{
	uint32_t idx = __real_gmem_cell_alloc(b);

	if (is_on())
		note((struct touched){ .what = TOUCHED_BORN, .cell = idx });
	return idx;
}

void __wrap_gmem_cell_free(struct gmem_block *b, uint32_t idx)
{
	if (is_on() && touched_kind_of(rec.w->b, idx) != KIND_NONE)
		note((struct touched){ .what = TOUCHED_FREED, .cell = idx });
	__real_gmem_cell_free(b, idx);
}

/* ---- from outside ---- */

void touched_record(struct gmem_world *w, uint32_t task)
{
	rec.w = w;
	rec.task = w->b->tasks[task];
	rec.n = rec.nr_roots = 0;
	rec.full = false;
	rec.on = true;
}

const struct touched *touched_stop(uint32_t *n)
{
	rec.on = false;
	*n = rec.full ? 0 : rec.n;
	return rec.full ? NULL : rec.list;
}
