/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory for worlds and searches; see memory.h. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "memory.h"

#define HUGE_PAGE ((size_t)2 << 20)

static void *get_huge(size_t size)
{
	size_t whole = (size + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
	void *p = whole < size ? NULL : aligned_alloc(HUGE_PAGE, whole);

	if (p)
		(void)madvise(p, whole, MADV_HUGEPAGE); /* without them it is slower, no more */
	return p;
}

void *memory_resize(void *arg, void *p, size_t old, size_t size)
{
	void *new;

	(void)arg;
	if (!size) {
		free(p);
		return NULL;
	}
	if (size < 2 * HUGE_PAGE)
		return realloc(p, size);
	new = get_huge(size);
	if (!new)
		return NULL;
	if (p)
		memcpy(new, p, old < size ? old : size);
	free(p);
	return new;
}
