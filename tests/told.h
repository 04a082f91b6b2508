/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A listener that remembers what a VM was told, and the events to hold it against.
 */
#ifndef TESTS_TOLD_H
#define TESTS_TOLD_H

#include "calls.h"

#define PAGE GMEM_PAGE_SIZE
#define GPA UINT64_C(0x100000)
#define GFN (GPA / PAGE)

struct seen {
	unsigned int n;
	struct gmem_event events[16];
};

static inline void see(void *arg, const struct gmem_event *event)
{
	struct seen *s = arg;

	assert_true(s->n < 16);
	s->events[s->n++] = *event;
}

#define START(origin_, slot_, as, from, to, gfn_, gfn_end_)                                  \
	{                                                                                    \
		.kind = GMEM_INVALIDATE_START, .origin = GMEM_BY_##origin_, .slot = (slot_), \
		.as_id = (as), .pgoff = (from), .pgoff_end = (to), .gfn = (gfn_),            \
		.gfn_end = (gfn_end_)                                                        \
	}
/* Of pages of a file: the callbacks that have no end. */
#define ALONE(kind_, slot_, from, to, gfn_, gfn_end_)                                           \
	{                                                                                       \
		.kind = GMEM_##kind_, .origin = GMEM_BY_FILE, .slot = (slot_), .pgoff = (from), \
		.pgoff_end = (to), .gfn = (gfn_), .gfn_end = (gfn_end_)                         \
	}
#define END(origin_, from, to)                                                             \
	{                                                                                  \
		.kind = GMEM_INVALIDATE_END, .origin = GMEM_BY_##origin_, .pgoff = (from), \
		.pgoff_end = (to)                                                          \
	}
#define ERROR_AT(page)                                                              \
	{                                                                           \
		.kind = GMEM_MEMORY_ERROR, .origin = GMEM_BY_FILE, .pgoff = (page), \
		.pgoff_end = (page) + 1                                             \
	}

/* Forgets what was seen. */
static inline void assert_seen(struct seen *s, const struct gmem_event *expected, unsigned int n,
			       const char *file, int line)
{
	_assert_int_equal(s->n, n, file, line);
	for (unsigned int i = 0; i < n; i++) {
		const struct gmem_event *e = &s->events[i], *x = &expected[i];

		_assert_int_equal(e->kind, x->kind, file, line);
		_assert_int_equal(e->origin, x->origin, file, line);
		_assert_int_equal(e->slot, x->slot, file, line);
		_assert_int_equal(e->as_id, x->as_id, file, line);
		_assert_int_equal(e->pgoff, x->pgoff, file, line);
		_assert_int_equal(e->pgoff_end, x->pgoff_end, file, line);
		_assert_int_equal(e->gfn, x->gfn, file, line);
		_assert_int_equal(e->gfn_end, x->gfn_end, file, line);
	}
	s->n = 0;
}

#define assert_events(s, ...)                                                                   \
	do {                                                                                    \
		const struct gmem_event expected_[] = { __VA_ARGS__ };                          \
		assert_seen((s), expected_, sizeof(expected_) / sizeof(expected_[0]), __FILE__, \
			    __LINE__);                                                          \
	} while (0)
#define assert_nothing(s) assert_seen((s), NULL, 0, __FILE__, __LINE__)

#endif
