/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What lib/maple_tree.c of the kernel asks of the rest of the kernel, for a program with one
 * thread. maple.sh makes every header that it includes, <linux/kernel.h> and so on, include this
 * one instead, except <linux/maple_tree.h>, which is the kernel's own.
 *
 * All of it is as cheap as can be, in favour of the kernel's tree: locks, barriers and traces are
 * nothing, a grace period of RCU is over at once, and a node comes from a list of free ones.
 */
#ifndef TESTS_BENCH_MAPLE_H
#define TESTS_BENCH_MAPLE_H

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG_64BIT 1

typedef unsigned int gfp_t;

/* The compiler, and the smallest helpers. */
#define __rcu
#define __init
#define __must_hold(lock)
#define __always_inline inline __attribute__((__always_inline__))
#define fallthrough __attribute__((__fallthrough__))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define EXPORT_SYMBOL(name)
#define EXPORT_SYMBOL_GPL(name)
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define DIV_ROUND_UP(n, d) (((n) + (d)-1) / (d))
#define container_of(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define min_t(type, a, b) min((type)(a), (type)(b))
#define max_t(type, a, b) max((type)(a), (type)(b))
#define U8_MAX UINT8_MAX
#define pr_err(...) fprintf(stderr, __VA_ARGS__)
#define pr_info pr_err
#define pr_cont pr_err

/* As a release kernel has them: compiled in, and never true. */
#define BUG_ON(x)                \
	do {                     \
		if (unlikely(x)) \
			abort(); \
	} while (0)
#define WARN_ON(x)                    \
	({                            \
		bool wrong_ = (x);    \
		if (unlikely(wrong_)) \
			abort();      \
		wrong_;               \
	})
#define WARN_ON_ONCE WARN_ON

/* One thread needs no locks, barriers or grace periods. */
typedef struct {
	char nothing;
} spinlock_t;
#define __SPIN_LOCK_UNLOCKED(name) \
	{                          \
		0                  \
	}
#define spin_lock_init(lock) ((void)(lock))
#define spin_lock(lock) ((void)(lock))
#define spin_unlock(lock) ((void)(lock))
#define smp_rmb() __asm__ __volatile__("" ::: "memory")
#define smp_wmb() smp_rmb()
#define lockdep_is_held(lock) 1

struct rcu_head {
	void *unused[2];
};
#define rcu_read_lock() ((void)0)
#define rcu_read_unlock() ((void)0)
#define rcu_assign_pointer(p, v) ((p) = (v))
#define rcu_dereference(p) (p)
#define rcu_dereference_check(p, held) (p)
#define rcu_dereference_protected(p, held) (p)
#define call_rcu(head, fn) fn(head)

#define tracepoint_string(s) (s)
#define trace_ma_op(...) ((void)0)
#define trace_ma_read(...) ((void)0)
#define trace_ma_write(...) ((void)0)

/* Entries that are not pointers: values end in 1, what is internal in binary 10. */
static inline void *xa_mk_value(unsigned long v)
{
	return (void *)(v << 1 | 1);
}

static inline unsigned long xa_to_value(const void *entry)
{
	return (unsigned long)entry >> 1;
}

static inline bool xa_is_value(const void *entry)
{
	return (unsigned long)entry & 1;
}

static inline bool xa_is_internal(const void *entry)
{
	return ((unsigned long)entry & 3) == 2;
}

static inline unsigned long xa_to_internal(const void *entry)
{
	return (unsigned long)entry >> 2;
}

static inline bool xa_is_node(const void *entry)
{
	return xa_is_internal(entry) && (unsigned long)entry > 4096;
}

static inline bool xa_is_zero(const void *entry)
{
	return xa_is_internal(entry) && xa_to_internal(entry) == 257;
}

static inline bool xa_is_advanced(const void *entry)
{
	return xa_is_internal(entry) && xa_to_internal(entry) <= 256;
}

static inline bool xa_is_err(const void *entry)
{
	return xa_is_internal(entry) && (long)entry >= -4095L * 4 && (long)entry < 0;
}

static inline int xa_err(const void *entry)
{
	return xa_is_err(entry) ? (int)((long)entry >> 2) : 0;
}

/* Nodes. */
#define GFP_KERNEL 1u
#define GFP_NOWAIT 0u
#define __GFP_NOWARN 0u
#define SLAB_PANIC 0u

struct kmem_cache {
	void *free;	 /* the first node given back; its first word is the next one */
	char *at, *end;	 /* the rest of the newest chunk of memory */
	uint64_t in_use; /* nodes */
	void *chunks;	 /* all of them, by their first word */
	size_t size;
};

extern struct kmem_cache maple_nodes;

void *maple_chunk(struct kmem_cache *c);

static inline bool gfpflags_allow_blocking(gfp_t gfp)
{
	return gfp & GFP_KERNEL;
}

static inline struct kmem_cache *kmem_cache_create(const char *name, size_t size, size_t align,
						   unsigned int flags, void (*ctor)(void *))
{
	(void)name;
	(void)flags;
	(void)ctor;
	BUG_ON(size != align);
	maple_nodes.size = size;
	return &maple_nodes;
}

static inline void *kmem_cache_alloc(struct kmem_cache *c, gfp_t gfp)
{
	void *node = c->free;

	(void)gfp;
	c->in_use++;
	if (node) {
		c->free = *(void **)node;
		return node;
	}
	if (c->at == c->end)
		return maple_chunk(c);
	node = c->at;
	c->at += c->size;
	return node;
}

static inline void kmem_cache_free(struct kmem_cache *c, void *node)
{
	*(void **)node = c->free;
	c->free = node;
	c->in_use--;
}

static inline int kmem_cache_alloc_bulk(struct kmem_cache *c, gfp_t gfp, size_t n, void **nodes)
{
	for (size_t i = 0; i < n; i++)
		nodes[i] = kmem_cache_alloc(c, gfp);
	return (int)n;
}

static inline void kmem_cache_free_bulk(struct kmem_cache *c, size_t n, void **nodes)
{
	for (size_t i = 0; i < n; i++)
		kmem_cache_free(c, nodes[i]);
}

#endif
