/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls as a fuzzer's bytes, and back; see call-bytes.h.
 *
 * A verb's byte: the low six bits are its number, 0x40 says that the task follows, 0x80 that every
 * field of the call follows as a number, named by the verb or not.
 */
#include <stdbool.h>
#include <string.h>

#include "call-bytes.h"

#define PAGE GMEM_PAGE_SIZE
#define BASE_GPA UINT64_C(0x100000)
#define HUGE_PAGE (512 * PAGE)

#define WITH_TASK 0x40
#define WITH_EVERYTHING 0x80

/* With verb 63, which there is not. */
#define BREAK 0xff

/* A number's first byte: 64 page counts, 64 small ones, 64 guest pages, and these. */
#define BYTES_1 0xc0
#define BYTES_2 0xc1
#define BYTES_4 0xc2
#define BYTES_8 0xc3
#define BOUNDARY 0xd0

/* A descriptor's or an address's first byte: a call's number, or one of these. */
#define LITERAL 0xff

static const uint64_t boundaries[] = {
	UINT64_MAX,
	-PAGE,
	-2 * PAGE,
	0xfff,
	0x1001,
	INT64_MAX,
	INT64_MAX - PAGE + 1,
	UINT64_C(1) << 63,
	(UINT64_C(1) << 63) + PAGE,
	UINT64_C(1) << 52,
	(UINT64_C(1) << 52) - PAGE,
	UINT64_C(1) << 47,
	(UINT64_C(1) << 47) - PAGE,
	(UINT64_C(1) << 43),
	UINT64_C(1) << 40,
	UINT64_C(1) << 32,
	UINT64_C(0xffff800000000000),
	32763,
	32764,
	UINT64_C(1) << 16,
	HUGE_PAGE,
	2 * HUGE_PAGE,
	HUGE_PAGE - PAGE,
	HUGE_PAGE + PAGE,
	UINT64_C(1) << 30,
	GMEM_FLAG_HUGETLB | GMEM_FLAG_HUGE_2MB,
	GMEM_FLAG_SUPPORT_SHARED | GMEM_FLAG_HUGETLB | GMEM_FLAG_HUGE_2MB,
	GMEM_FLAG_SUPPORT_SHARED | GMEM_FLAG_INIT_PRIVATE | GMEM_FLAG_HUGETLB | GMEM_FLAG_HUGE_2MB,
	GMEM_FLAG_SUPPORT_SHARED | GMEM_FLAG_HUGETLB | GMEM_FLAG_HUGE_1GB,
};
#define BOUNDARIES (sizeof(boundaries) / sizeof(boundaries[0]))

/* The fields of a call, for WITH_EVERYTHING. */
static const size_t fields[] = {
	offsetof(struct gmem_call, fd),	    offsetof(struct gmem_call, memfd),
	offsetof(struct gmem_call, slot),   offsetof(struct gmem_call, type),
	offsetof(struct gmem_call, size),   offsetof(struct gmem_call, flags),
	offsetof(struct gmem_call, gpa),    offsetof(struct gmem_call, addr),
	offsetof(struct gmem_call, offset), offsetof(struct gmem_call, mode),
	offsetof(struct gmem_call, value),  offsetof(struct gmem_call, argp),
};
#define FIELDS (sizeof(fields) / sizeof(fields[0]))

/* ---- reading ---- */

static uint8_t read_byte(struct byte_reader *b)
{
	return b->at < b->end ? *b->at++ : 0;
}

static uint64_t read_bytes(struct byte_reader *b, unsigned int n)
{
	uint64_t v = 0;
	unsigned int i;

	for (i = 0; i < n; i++)
		v |= (uint64_t)read_byte(b) << 8 * i;
	return v;
}

static uint64_t read_number(struct byte_reader *b)
{
	uint8_t t = read_byte(b);

	if (t < 0x40)
		return t * PAGE;
	if (t < 0x80)
		return t - 0x40;
	if (t < 0xc0)
		return BASE_GPA + (t - 0x80) * PAGE;
	if (t >= BOUNDARY)
		return boundaries[(t - BOUNDARY) % BOUNDARIES];
	return read_bytes(b, 1u << (t & 3));
}

/* What an earlier call made; or, what no call did, a number. */
static uint64_t read_handle(struct byte_reader *b, uint32_t n, int32_t *from)
{
	uint8_t t = read_byte(b);

	*from = -1;
	if (t == LITERAL)
		return read_number(b);
	if (t >= n)
		return t;
	*from = t;
	return 0;
}

static void read_parameter(struct byte_reader *b, uint32_t n, struct linked_call *l,
			   const struct gmem_param *p)
{
	uint64_t v;

	if (p->kind == GMEM_P_FD && p->offset == offsetof(struct gmem_call, memfd))
		v = read_handle(b, n, &l->memfd_from);
	else if (p->kind == GMEM_P_FD)
		v = read_handle(b, n, &l->fd_from);
	else if (p->kind == GMEM_P_ADDR)
		v = read_handle(b, n, &l->addr_from);
	else
		v = read_number(b);
	if (p->kind == GMEM_P_ADDR && l->addr_from >= 0)
		v = read_number(b);
	*call_field(&l->call, p->offset) = v;
}

static void read_everything(struct byte_reader *b, struct linked_call *l)
{
	size_t i;

	for (i = 0; i < FIELDS; i++)
		*call_field(&l->call, fields[i]) = read_number(b);
}

static bool makes_a_task(uint32_t verb)
{
	return verb == GMEM_FORK || verb == GMEM_THREAD;
}

int bytes_to_call(struct byte_reader *b, uint32_t n, struct linked_call *l)
{
	const struct gmem_param *p;
	uint8_t first;

	if (b->at >= b->end || n >= BYTES_CALLS)
		return 0;
	memset(l, 0, sizeof(*l));
	l->fd_from = l->memfd_from = l->addr_from = -1;
	first = read_byte(b);
	l->call.verb = first & 0x3f;
	if (first & WITH_TASK)
		l->call.task = read_byte(b);
	if (first & WITH_EVERYTHING)
		read_everything(b, l);
	else if (l->call.verb < GMEM_NR_VERBS)
		for (p = gmem_verb_info(l->call.verb)->params; p->name; p++)
			read_parameter(b, n, l, p);
	if (makes_a_task(l->call.verb) && !(first & WITH_EVERYTHING))
		l->call.value = read_number(b);
	return 1;
}

int bytes_break(struct byte_reader *b)
{
	if (b->at >= b->end || *b->at != BREAK)
		return 0;
	b->at++;
	return 1;
}

int bytes_to_turn(struct byte_reader *b, uint32_t *which, uint32_t *rows)
{
	uint8_t turn;

	if (b->at >= b->end)
		return 0;
	turn = read_byte(b);
	*which = turn % BYTES_TASKS;
	*rows = turn / BYTES_TASKS + 1;
	return 1;
}

void bytes_to_world(struct byte_reader *b, struct bytes_world *w)
{
	uint8_t first = read_byte(b), bits;

	memset(w, 0, sizeof(*w));
	for (w->profile = gmem_profile(first); !w->profile; w->profile = gmem_profile(first))
		first /= 2;
	w->machine.vm_types = read_byte(b) | 1;
	bits = read_byte(b);
	w->machine.arch = bits & 1 ? GMEM_ARM64 : GMEM_X86_64;
	w->machine.smm = bits >> 1 & 1;
	w->machine.tdp = bits >> 2 & 1;
	w->checking = bits & 8 ? GMEM_CHECK_STEPS : GMEM_CHECK_CALLS;
	w->machine.in_place = !(bits >> 4 & 1);
	w->machine.phys_bits = bits & 0x20 ? 46 : 0;
	w->explore = bits >> 6 & 1;
	w->machine.max_fds = (uint32_t)read_bytes(b, 2);
}

/* ---- writing ---- */

static size_t write_number(uint8_t *at, uint64_t v)
{
	unsigned int log, i;

	if (v < 0x40)
		return at[0] = (uint8_t)(0x40 + v), 1;
	if (v % PAGE == 0 && v / PAGE < 0x40)
		return at[0] = (uint8_t)(v / PAGE), 1;
	if (v % PAGE == 0 && v >= BASE_GPA && (v - BASE_GPA) / PAGE < 0x40)
		return at[0] = (uint8_t)(0x80 + (v - BASE_GPA) / PAGE), 1;
	for (i = 0; i < BOUNDARIES; i++)
		if (boundaries[i] == v)
			return at[0] = (uint8_t)(BOUNDARY + i), 1;
	for (log = 0; log < 3 && v >> (8u << log); log++)
		;
	at[0] = (uint8_t)(BYTES_1 + log);
	for (i = 0; i < 1u << log; i++)
		at[1 + i] = (uint8_t)(v >> 8 * i);
	return 1 + (1u << log);
}

static size_t write_handle(uint8_t *at, uint64_t v, int32_t from)
{
	if (from >= 0)
		return at[0] = (uint8_t)from, 1;
	at[0] = LITERAL;
	return 1 + write_number(at + 1, v);
}

static size_t write_parameter(uint8_t *at, const struct linked_call *l, const struct gmem_param *p)
{
	size_t n;
	uint64_t v;

	memcpy(&v, (const char *)&l->call + p->offset, sizeof(v));
	if (p->kind == GMEM_P_FD)
		return write_handle(at, v,
				    p->offset == offsetof(struct gmem_call, memfd) ? l->memfd_from :
										     l->fd_from);
	if (p->kind != GMEM_P_ADDR)
		return write_number(at, v);
	n = write_handle(at, v, l->addr_from);
	return l->addr_from < 0 ? n : n + write_number(at + n, v);
}

size_t call_to_bytes(uint8_t bytes[BYTES_PER_CALL], const struct linked_call *l)
{
	const struct gmem_param *p;
	size_t n = 1;

	bytes[0] = (uint8_t)l->call.verb;
	if (l->call.task) {
		bytes[0] |= WITH_TASK;
		bytes[n++] = (uint8_t)l->call.task;
	}
	for (p = gmem_verb_info(l->call.verb)->params; p->name; p++)
		n += write_parameter(bytes + n, l, p);
	if (makes_a_task(l->call.verb))
		n += write_number(bytes + n, l->call.value);
	return n;
}

size_t world_to_bytes(uint8_t bytes[BYTES_HEADER], const struct bytes_world *w)
{
	unsigned int i = 0;

	while (gmem_profile(i) && gmem_profile(i) != w->profile)
		i++;
	bytes[0] = (uint8_t)i;
	bytes[1] = w->machine.vm_types;
	bytes[2] = (uint8_t)((w->machine.arch == GMEM_ARM64) | w->machine.smm << 1 |
			     w->machine.tdp << 2 | (w->checking == GMEM_CHECK_STEPS) << 3 |
			     !w->machine.in_place << 4 | (w->machine.phys_bits == 46) << 5 |
			     w->explore << 6);
	bytes[3] = (uint8_t)w->machine.max_fds;
	bytes[4] = (uint8_t)(w->machine.max_fds >> 8);
	return BYTES_HEADER;
}

size_t break_to_bytes(uint8_t bytes[1])
{
	bytes[0] = BREAK;
	return 1;
}

size_t turn_to_bytes(uint8_t bytes[1], uint32_t which, uint32_t rows)
{
	bytes[0] = (uint8_t)(which + (rows - 1) * BYTES_TASKS);
	return 1;
}
