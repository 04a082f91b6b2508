/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The oracle: descriptors, processes, and which function answers which verb; see oracle.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle-state.h"

struct oracle *oracle_new(void)
{
	struct oracle *o = calloc(1, sizeof(*o));

	if (!o) {
		fprintf(stderr, "no memory for an oracle\n");
		exit(1);
	}
	return o;
}

void oracle_free(struct oracle *o)
{
	free(o);
}

static void choose_design(struct oracle *o, const char *profile)
{
	static const char *const names[] = {
		[LINUX_6_8] = "linux-6.8",
		[LINUX_6_18] = "linux-6.18",
		[SHAREABILITY] = "rfc-shareability-v2",
		[SHAREABILITY_PLANNED] = "rfc-shareability-planned",
		[COCO_RFC_V1] = "coco-rfc-v1",
		[COCO_V5] = "coco-v5",
		[COCO_V8] = "coco-v8",
		[COCO_V13] = "linux-coco-v13",
		[COCO_HUGETLB] = "coco-hugetlb",
	};
	unsigned int d = 0;

	while (strcmp(names[d], profile))
		if (++d == sizeof(names) / sizeof(names[0])) {
			fprintf(stderr, "the oracle does not know %s\n", profile);
			exit(1);
		}
	o->design = d;
	o->is_6_8 = d == LINUX_6_8;
	o->is_shareability = d == SHAREABILITY || d == SHAREABILITY_PLANNED;
	o->is_coco = d >= COCO_RFC_V1;
	o->files_have_attributes = o->is_coco && o->machine.in_place;
}

void oracle_begin(struct oracle *o, const struct gmem_profile *profile,
		  const struct gmem_machine *machine)
{
	unsigned int i;

	for (i = 0; i < o->nr_pages; i++)
		o->pages[i].taken = false;
	for (i = 0; i < o->nr_contents; i++)
		o->contents[i].taken = false;
	o->nr_contents = 0;
	o->nr_opens = o->nr_vms = o->nr_memories = o->nr_pages = o->nr_held = 0;
	o->nr_mappings = o->nr_entries = o->nr_slots = o->nr_said = o->nr_pins = o->nr_pinned = 0;
	memset(o->tasks, 0, sizeof(o->tasks));
	memset(o->processes, 0, sizeof(o->processes));
	o->machine = *machine;
	o->is_ancestor = !gmem_profile_has(profile, GMEM_CREATE_GUEST_MEMFD);
	if (!o->is_ancestor)
		choose_design(o, gmem_profile_name(profile));
	if (!o->machine.max_fds)
		o->machine.max_fds = 1024;
	o->outside = machine->arch != GMEM_X86_64 || o->is_ancestor;
	o->tasks[0].there = true;
	o->opens[o->nr_opens++] = (struct open){ 0, GMEM_KVM_FD, KVM, NONE };
}

void oracle_copy(struct oracle *to, const struct oracle *from)
{
	unsigned int i;

	for (i = from->nr_pages; i < to->nr_pages; i++)
		to->pages[i].taken = false;
	for (i = from->nr_contents; i < to->nr_contents; i++)
		to->contents[i].taken = false;
	memcpy(to, from, offsetof(struct oracle, opens));
#define COPY(list, nr) memcpy(to->list, from->list, from->nr * sizeof(from->list[0]))
	COPY(opens, nr_opens);
	COPY(vms, nr_vms);
	COPY(memories, nr_memories);
	COPY(held, nr_held);
	COPY(mappings, nr_mappings);
	COPY(entries, nr_entries);
	COPY(slots, nr_slots);
	COPY(said, nr_said);
	COPY(pins, nr_pins);
	COPY(pinned, nr_pinned);
	COPY(pages, nr_pages);
	COPY(contents, nr_contents);
#undef COPY
}

/* ---- descriptors ---- */

struct open *find_open(struct oracle *o, const struct gmem_call *c, int64_t fd)
{
	unsigned int i;

	for (i = 0; i < o->nr_opens; i++)
		if (o->opens[i].process == process_of(o, c) && o->opens[i].fd == fd)
			return &o->opens[i];
	return NULL;
}

/* 0, 1 and 2 are somebody else's. */
static int64_t lowest_fd(struct oracle *o, const struct gmem_call *c)
{
	int64_t fd = 3;

	while (find_open(o, c, fd))
		fd++;
	return fd;
}

bool fds_are_left(struct oracle *o, const struct gmem_call *c)
{
	return lowest_fd(o, c) < (int64_t)o->machine.max_fds;
}

int64_t open_fd(struct oracle *o, const struct gmem_call *c, enum kind kind, int number)
{
	int64_t fd = lowest_fd(o, c);

	*ONE_MORE(o, opens, nr_opens) = (struct open){ process_of(o, c), fd, kind, number };
	return fd;
}

static bool is_open(const struct oracle *o, enum kind kind, int number)
{
	unsigned int i;

	for (i = 0; i < o->nr_opens; i++)
		if (o->opens[i].kind == kind && o->opens[i].number == number)
			return true;
	return false;
}

static bool is_mapped(const struct oracle *o, int memory)
{
	unsigned int i;

	for (i = 0; i < o->nr_mappings; i++)
		if (o->mappings[i].memory == memory)
			return true;
	return false;
}

static void end_memory(struct oracle *o, int memory)
{
	unsigned int i;

	o->memories[memory].gone = true;
	drop_pages(o, memory, 0, UINT64_MAX);
	for (i = 0; i < o->nr_slots; i++)
		if (o->slots[i].memory == memory)
			o->slots[i].memory = NONE;
}

void sweep(struct oracle *o)
{
	int i;

	for (i = 0; i < (int)o->nr_memories; i++)
		if (!o->memories[i].gone && !is_open(o, FILE_, i) && !is_mapped(o, i))
			end_memory(o, i);
	for (i = 0; i < (int)o->nr_pins; i++)
		if (o->pins[i].npages && !is_open(o, PIN, i)) {
			o->pins[i].npages = 0;
			unpin(o, i);
		}
}

static int64_t oracle_dup(struct oracle *o, const struct gmem_call *c, struct gmem_result *r)
{
	const struct open *open = find_open(o, c, c->fd);

	(void)r;
	if (!open)
		return -EBADF;
	if (!fds_are_left(o, c))
		return -EMFILE;
	return open_fd(o, c, open->kind, open->number);
}

/* Of unpin too. */
static int64_t oracle_close(struct oracle *o, const struct gmem_call *c, struct gmem_result *r)
{
	struct open *open = find_open(o, c, c->fd);

	(void)r;
	if (!open)
		return -EBADF;
	*open = o->opens[--o->nr_opens];
	sweep(o);
	return 0;
}

int64_t oracle_unpin(struct oracle *o, const struct gmem_call *c, struct gmem_result *r)
{
	return oracle_close(o, c, r);
}

/* ---- tasks and processes ---- */

static unsigned int tasks_of(const struct oracle *o, uint32_t process)
{
	unsigned int i, n = 0;

	for (i = 0; i < TASKS; i++)
		n += o->tasks[i].there && o->tasks[i].process == process;
	return n;
}

/* There are as many as tasks, so one is nobody's. */
static uint32_t new_process(const struct oracle *o)
{
	uint32_t p = 0;

	while (tasks_of(o, p))
		p++;
	return p;
}

static void inherit_mapping(struct oracle *o, uint32_t child, const struct mapping *m)
{
	struct mapping copy = *m;
	uint64_t pgoff_end = m->pgoff + (m->end - m->start);

	copy.process = child;
	if (o->memories[m->memory].kind == ANON_PRIVATE) {
		uint64_t type = o->memories[m->memory].flags;

		copy.memory = new_memory(o, ANON_PRIVATE, 0, type, NONE);
		if (type != GMEM_MAP_DROPPABLE)
			copy_pages(o, copy.memory, m->memory, m->pgoff, pgoff_end);
	}
	*ONE_MORE(o, mappings, nr_mappings) = copy;
}

static int64_t oracle_fork(struct oracle *o, const struct gmem_call *c, struct gmem_result *r)
{
	uint32_t parent = process_of(o, c), child = new_process(o);
	unsigned int i, n;

	(void)r;
	o->tasks[c->value] = (struct task){ .there = true, .process = child };
	o->processes[child].ever = o->processes[parent].ever;
	for (i = 0, n = o->nr_opens; i < n; i++)
		if (o->opens[i].process == parent) {
			struct open copy = o->opens[i];

			copy.process = child;
			*ONE_MORE(o, opens, nr_opens) = copy;
		}
	for (i = 0, n = o->nr_mappings; i < n; i++)
		if (o->mappings[i].process == parent)
			inherit_mapping(o, child, &o->mappings[i]);
	return (int64_t)c->value;
}

static int64_t oracle_thread(struct oracle *o, const struct gmem_call *c, struct gmem_result *r)
{
	(void)r;
	o->tasks[c->value] = (struct task){ .there = true, .process = process_of(o, c) };
	return (int64_t)c->value;
}

static int64_t oracle_exit(struct oracle *o, const struct gmem_call *c, struct gmem_result *r)
{
	uint32_t process = process_of(o, c);
	unsigned int i;

	(void)r;
	o->tasks[c->task].there = false;
	if (tasks_of(o, process))
		return 0;
	drop_mappings(o, process, 0, UINT64_MAX);
	for (i = 0; i < o->nr_opens; i++)
		if (o->opens[i].process == process)
			o->opens[i--] = o->opens[--o->nr_opens];
	for (i = 0; i < o->nr_vms; i++)
		if (o->vms[i].process == (int)process)
			o->vms[i].process = NONE;
	sweep(o);
	return 0;
}

static int64_t oracle_inject(struct oracle *o, const struct gmem_call *c, struct gmem_result *r)
{
	(void)r;
	o->tasks[c->task].inject = c->what;
	o->tasks[c->task].inject_after = c->value;
	return 0;
}

bool meets(const struct oracle *o, const struct gmem_call *c, uint64_t what, uint64_t pages)
{
	const struct task *t = &o->tasks[c->task];

	return t->inject == what && t->inject_after == pages;
}

bool meets_signal(const struct oracle *o, const struct gmem_call *c, uint64_t pages)
{
	const struct task *t = &o->tasks[c->task];

	return t->inject == GMEM_INJECT_SIGNAL && t->inject_after <= pages;
}

/* ---- verbs ---- */

static oracle_verb *const verbs[GMEM_NR_VERBS] = {
	[GMEM_CHECK_EXTENSION] = oracle_check_extension,
	[GMEM_CREATE_VM] = oracle_create_vm,
	[GMEM_CREATE_GUEST_MEMFD] = oracle_create_guest_memfd,
	[GMEM_SET_USER_MEMORY_REGION] = oracle_set_region,
	[GMEM_SET_USER_MEMORY_REGION2] = oracle_set_region,
	[GMEM_SET_MEMORY_ATTRIBUTES] = oracle_set_attributes,
	[GMEM_SET_MEMORY_ATTRIBUTES2] = oracle_set_attributes2,
	[GMEM_CONVERT_SHARED] = oracle_convert,
	[GMEM_CONVERT_PRIVATE] = oracle_convert,
	[GMEM_ENABLE_CAP] = oracle_enable_cap,
	[GMEM_LAUNCH_FINISH] = oracle_launch_finish,
	[GMEM_FALLOCATE] = oracle_fallocate,
	[GMEM_FTRUNCATE] = oracle_refuse_file,
	[GMEM_FCHMOD] = oracle_refuse_file,
	[GMEM_FCHOWN] = oracle_refuse_file,
	[GMEM_FUTIMENS] = oracle_refuse_file,
	[GMEM_READ] = oracle_refuse_file,
	[GMEM_WRITE] = oracle_refuse_file,
	[GMEM_PREAD] = oracle_pread,
	[GMEM_PWRITE] = oracle_pread,
	[GMEM_LSEEK] = oracle_lseek,
	[GMEM_FSYNC] = oracle_refuse_file,
	[GMEM_FCNTL] = oracle_fcntl,
	[GMEM_FSTAT] = oracle_fstat,
	[GMEM_FSTATFS] = oracle_fstatfs,
	[GMEM_CACHESTAT] = oracle_cachestat,
	[GMEM_MMAP] = oracle_mmap,
	[GMEM_MUNMAP] = oracle_munmap,
	[GMEM_MPROTECT] = oracle_mprotect,
	[GMEM_MADVISE] = oracle_madvise,
	[GMEM_FORK] = oracle_fork,
	[GMEM_THREAD] = oracle_thread,
	[GMEM_EXIT] = oracle_exit,
	[GMEM_LOAD] = oracle_load,
	[GMEM_STORE] = oracle_store,
	[GMEM_PIN] = oracle_pin,
	[GMEM_UNPIN] = oracle_unpin,
	[GMEM_PIN_LOAD] = oracle_pin_access,
	[GMEM_PIN_STORE] = oracle_pin_access,
	[GMEM_GUEST_LOAD] = oracle_guest_access,
	[GMEM_GUEST_STORE] = oracle_guest_access,
	[GMEM_POPULATE] = oracle_populate,
	[GMEM_PRE_FAULT_MEMORY] = oracle_pre_fault,
	[GMEM_MEMORY_FAILURE] = oracle_memory_failure,
	[GMEM_INJECT] = oracle_inject,
	[GMEM_DUP] = oracle_dup,
	[GMEM_CLOSE] = oracle_close,
	[GMEM_MEMFD_RESTRICTED] = oracle_no_syscall,
	[GMEM_REG_REGION] = oracle_no_ioctl,
	[GMEM_UNREG_REGION] = oracle_no_ioctl,
};

/* gmem.h: fields that make no sense. */
static bool makes_no_sense(const struct oracle *o, const struct gmem_call *c)
{
	bool is_access = c->size == 1 || c->size == 2 || c->size == 4 || c->size == 8;

	switch (c->verb) {
	case GMEM_LOAD:
	case GMEM_STORE:
		return !is_access || c->addr + c->size <= c->addr;
	case GMEM_GUEST_LOAD:
	case GMEM_GUEST_STORE:
		return !is_access || c->gpa % PAGE + c->size > PAGE;
	case GMEM_PIN_LOAD:
	case GMEM_PIN_STORE:
		return !is_access;
	case GMEM_FCNTL:
		return c->cmd != GMEM_F_GETFD && c->cmd != GMEM_F_GETFL &&
		       c->cmd != GMEM_F_ADD_SEALS && c->cmd != GMEM_F_GET_SEALS;
	case GMEM_FSTAT:
		return c->field > GMEM_ST_UID;
	case GMEM_FSTATFS:
		return c->field > GMEM_F_BSIZE;
	case GMEM_MEMFD_CREATE:
	case GMEM_OPEN_MOUNT:
		return !o->is_ancestor;
	case GMEM_RMMOD:
		return !o->is_ancestor ||
		       (c->what != GMEM_MODULE_STORE && c->what != GMEM_MODULE_OPERATIONS);
	case GMEM_INJECT:
		return c->what > GMEM_INJECT_ENOMEM;
	case GMEM_FORK:
	case GMEM_THREAD:
		return c->value >= TASKS || o->tasks[c->value].there;
	case GMEM_EXIT:
		return c->task == 0;
	default:
		return false;
	}
}

/* What is refused, or done, without a look at the descriptor. */
static bool needs_no_fd(const struct gmem_call *c)
{
	switch (c->verb) {
	case GMEM_MMAP:
		return c->flags & GMEM_MAP_ANONYMOUS || !aligned(c->offset);
	case GMEM_PREAD:
	case GMEM_PWRITE:
		return (int64_t)c->offset < 0;
	case GMEM_FTRUNCATE:
		return (int64_t)c->length < 0;
	default:
		return false;
	}
}

/* A file's calls are of guest_memfds only, a pin's of pins. Everything else takes everything. */
static bool is_of_another_kind(struct oracle *o, const struct gmem_call *c)
{
	const struct open *open = find_open(o, c, c->fd);

	if (!open || needs_no_fd(c))
		return false;
	if ((c->verb >= GMEM_FALLOCATE && c->verb <= GMEM_MMAP) || c->verb == GMEM_MEMORY_FAILURE)
		return open->kind != FILE_;
	if (c->verb >= GMEM_UNPIN && c->verb <= GMEM_PIN_STORE)
		return open->kind != PIN;
	return false;
}

static bool writes_back(uint32_t verb)
{
	return verb == GMEM_SET_MEMORY_ATTRIBUTES2 || verb == GMEM_CONVERT_SHARED ||
	       verb == GMEM_CONVERT_PRIVATE;
}

/* A number as wide as the kernel's, and none of the flags that only the kernel knows. */
static bool can_be_said(const struct gmem_call *c)
{
	const struct gmem_param *p;
	uint64_t v;

	for (p = gmem_verb_info(c->verb)->params; p->name; p++) {
		memcpy(&v, (const char *)c + p->offset, sizeof(v));
		if (p->kind == GMEM_P_FD ? (int64_t)v != (int32_t)v :
					   p->bits == 32 && v > UINT32_MAX)
			return false;
	}
	if (c->verb == GMEM_MMAP && (c->flags & ~UINT64_C(0x33)))
		return false;
	if (c->verb == GMEM_MPROTECT && (c->prot >> 24 & 3))
		return false; /* PROT_GROWSDOWN, PROT_GROWSUP */
	return c->argp <= (writes_back(c->verb) ? 2 : 1);
}

enum oracle_answer oracle_call(struct oracle *o, const struct gmem_call *c,
			       const struct gmem_result *models, struct gmem_result *r)
{
	memset(r, 0, sizeof(*r));
	if (o->outside)
		return ORACLE_OUTSIDE;
	if (c->verb >= GMEM_NR_VERBS || c->task >= TASKS || !o->tasks[c->task].there ||
	    makes_no_sense(o, c) || is_of_another_kind(o, c)) {
		r->value = -EINVAL;
		return ORACLE_MISUSE;
	}
	o->models = models;
	if (can_be_said(c))
		r->value = verbs[c->verb](o, c, r);
	else
		o->outside = true;
	if (c->verb != GMEM_INJECT)
		o->tasks[c->task].inject = GMEM_INJECT_NONE;
	return o->outside ? ORACLE_OUTSIDE : ORACLE_ANSWERS;
}

int oracle_agrees(uint32_t verb, const struct gmem_result *a, const struct gmem_result *b)
{
	if (a->outcome != b->outcome || a->value != b->value || a->gpa != b->gpa ||
	    a->exit_size != b->exit_size || a->exit_flags != b->exit_flags)
		return 0;
	if (verb == GMEM_PRE_FAULT_MEMORY && a->value < 0)
		return 1;
	return (verb != GMEM_PRE_FAULT_MEMORY && !writes_back(verb)) || a->out == b->out;
}
