/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory for worlds and searches: a door for gmem_config.resize. */
#ifndef TOOLS_MEMORY_H
#define TOOLS_MEMORY_H

#include <stddef.h>

/*
 * As gmem_resize_fn: changes the size of p from old to size, in bytes; null if there is no memory.
 * What is big is asked for in huge pages: a search looks up its states all over a table, and would
 * mostly wait for page tables.
 */
void *memory_resize(void *arg, void *p, size_t old, size_t size);

#endif
