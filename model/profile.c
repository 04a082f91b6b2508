/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Profiles: the list of them, and what they show of themselves.
 */
#include "profile.h"

#include <string.h>

#include "ops.h"

/*
 * Releases, then what was proposed since, then what was before them, each oldest first. The default
 * is the newest release.
 */
static const struct gmem_profile *const profiles[] = {
	&gmem_linux_6_8,
	&gmem_linux_6_18,
	&gmem_rfc_shareability_v2,
	&gmem_rfc_shareability_planned,
	&gmem_coco_rfc_v1,
	&gmem_coco_v5,
	&gmem_coco_v8,
	&gmem_linux_coco_v13,
	&gmem_coco_hugetlb,
	&gmem_memfile_rfc2,
	&gmem_memfile_v4,
	&gmem_memfile_v5,
	&gmem_memfile_v6,
	&gmem_memfile_v7,
	&gmem_restrictedmem_v10,
	&gmem_restrictedmem_2023_01,
	&gmem_restrictedmem_shim,
};
#define NR_PROFILES (sizeof(profiles) / sizeof(profiles[0]))

const struct gmem_profile *gmem_profile(unsigned int n)
{
	return n < NR_PROFILES ? profiles[n] : NULL;
}

const struct gmem_profile *gmem_profile_default(void)
{
	return &gmem_linux_6_18;
}

const struct gmem_profile *gmem_profile_find(const char *name)
{
	for (unsigned int i = 0; i < NR_PROFILES; i++)
		if (!strcmp(profiles[i]->name, name))
			return profiles[i];
	return NULL;
}

const char *gmem_profile_name(const struct gmem_profile *p)
{
	return p->name;
}

/* KVM_MEM_PRIVATE became KVM_MEM_GUEST_MEMFD when it was merged. */
static const struct gmem_name ancestors_slot_flags[] = {
	{ "LOG_DIRTY_PAGES", GMEM_MEM_LOG_DIRTY_PAGES },
	{ "READONLY", GMEM_MEM_READONLY },
	{ "PRIVATE", GMEM_MEM_GUEST_MEMFD },
	{ NULL, 0 },
};

const struct gmem_name *gmem_profile_names(const struct gmem_profile *p,
					   const struct gmem_param *param)
{
	if (!p)
		return NULL;
	if (p->n.ancestor &&
	    param->names == gmem_verb_info(GMEM_SET_USER_MEMORY_REGION2)->params[2].names)
		return ancestors_slot_flags;
	if (param->names == gmem_verb_info(GMEM_CREATE_GUEST_MEMFD)->params[2].names)
		return p->file_flags;
	if (param->names == gmem_verb_info(GMEM_ENABLE_CAP)->params[1].names)
		return p->caps;
	return NULL;
}

const char *gmem_profile_summary(const struct gmem_profile *p)
{
	return p->summary;
}

int gmem_profile_number(const struct gmem_profile *p, unsigned int n, struct gmem_number *number)
{
	const struct gmem_number numbers[] = {
#define NUMBER(field) { #field, p->n.field },
		GMEM_NUMBERS
#undef NUMBER
	};

	if (n >= sizeof(numbers) / sizeof(numbers[0]))
		return 0;
	*number = numbers[n];
	return 1;
}

/* What refuses a call because there is no such call. */
static int is_refusal_of_all(const struct gmem_step *s)
{
	return s->kind == STEP_CHECK &&
	       (!strcmp(s->name, "is_modelled") ||
		(!strcmp(s->name, "never") &&
		 (s->clause == CL_FILE_1 || s->clause == CL_MEMFD_13 || s->clause == CL_REG_1)));
}

int gmem_profile_has(const struct gmem_profile *p, uint32_t verb)
{
	if (verb >= GMEM_NR_VERBS)
		return 0;
	for (const struct gmem_step *s = p->tables[verb]; s->kind != STEP_END; s++)
		if (is_refusal_of_all(s))
			return 0;
	return 1;
}

const char *gmem_profile_bug(const struct gmem_profile *p, unsigned int n)
{
	for (unsigned int i = 0; p->bugs[i]; i++)
		if (i == n)
			return p->bugs[i];
	return NULL;
}

static const char *const parts[GMEM_NR_TABLES - GMEM_NR_VERBS] = {
#define PART(t, name) [(t)-GMEM_NR_VERBS] = name
	PART(T_PUNCH_HOLE, "punch_hole"),
	PART(T_ALLOCATE, "allocate"),
	PART(T_FALLOCATE_FILE, "fallocate_file"),
	PART(T_SET_REGION, "set_memory_region"),
	PART(T_CREATE_SLOT, "create_slot"),
	PART(T_MOVE_SLOT, "move_slot"),
	PART(T_CHANGE_SLOT_FLAGS, "change_slot_flags"),
	PART(T_DELETE_SLOT, "delete_slot"),
	PART(T_FREE_SLOT, "free_slot"),
	PART(T_BIND, "bind"),
	PART(T_UNBIND, "unbind"),
	PART(T_FINAL_FPUT, "final_fput"),
	PART(T_RELEASE, "release"),
	PART(T_PUT_KVM, "put_kvm"),
	PART(T_EVICT_INODE, "evict_inode"),
	PART(T_UNMAP, "unmap"),
	PART(T_COPY_MAPPING, "copy_mapping"),
	PART(T_TRUNCATE, "truncate"),
	PART(T_TRUNCATE_BATCH, "truncate_batch"),
	PART(T_ZAP, "zap"),
	PART(T_NOTIFY, "notify"),
	PART(T_HOST_START, "host_start"),
	PART(T_HOST_END, "host_end"),
	PART(T_INVALIDATE_START, "invalidate_start"),
	PART(T_INVALIDATE_END, "invalidate_end"),
	PART(T_CONVERT_START, "convert_start"),
	PART(T_ADVISE, "advise"),
	PART(T_POISON_MAPPING, "poison_mapping"),
	PART(T_HOST_FAULT, "host_fault"),
	PART(T_FAULT_IN, "fault_in"),
	PART(T_GUEST_FAULT, "guest_fault"),
	PART(T_GET_PFN, "get_pfn"),
	PART(T_GET_USER_PAGE, "get_user_page"),
	PART(T_POPULATE_PAGE, "populate_page"),
	PART(T_PRE_FAULT_PAGE, "pre_fault_page"),
	PART(T_TASK_WORK, "task_work"),
	PART(T_SET_VM_ATTRIBUTES, "set_vm_attributes"),
	PART(T_BIND_COMMIT, "bind_commit"),
	PART(T_CONVERT, "convert"),
	PART(T_CONVERT_BATCH, "convert_batch"),
	PART(T_CONTENTS, "contents"),
	PART(T_SHARE_BEGIN, "share_begin"),
	PART(T_SHARE_ASK, "share_ask"),
	PART(T_INVALIDATE_BEGIN, "invalidate_begin"),
	PART(T_UNMAP_GUESTS, "unmap_guests"),
	PART(T_SHARE_EXECUTE, "share_execute"),
	PART(T_SHARE_GO_BACK, "share_go_back"),
	PART(T_SHARE_END, "share_end"),
	PART(T_TRUNCATE_BLOCK, "truncate_block"),
	PART(T_TRUNCATE_MEMFD, "truncate_memfd"),
	PART(T_TELL_FOLIOS, "tell_folios"),
	PART(T_NOTIFIER_INVALIDATE, "notifier_invalidate"),
	PART(T_NOTIFIER_END, "notifier_end"),
	PART(T_NOTIFIER_ERROR, "notifier_error"),
#undef PART
};

unsigned int gmem_nr_tables(void)
{
	return GMEM_NR_TABLES;
}

const char *gmem_table_name(unsigned int table)
{
	if (table >= GMEM_NR_TABLES)
		return NULL;
	return table < GMEM_NR_VERBS ? gmem_verb_info(table)->name : parts[table - GMEM_NR_VERBS];
}

static const char *const kinds[] = {
	[STEP_CHECK] = "check",		[STEP_DO] = "do",
	[STEP_ANSWER] = "answer",	[STEP_EACH] = "each",
	[STEP_DONE_IF] = "done",	[STEP_LOCK] = "lock",
	[STEP_RETRY_IF] = "retry",	[STEP_WAIT] = "wait",
	[STEP_UNLOCK] = "unlock",	[STEP_CALL] = "call",
	[STEP_CALL_EACH] = "call each",
};

static const char *const locks[GMEM_NR_LOCKS] = {
	[SLOTS_LOCK] = "slots_lock",
	[SLOTS_ARCH_LOCK] = "slots_arch_lock",
	[SRCU] = "srcu",
	[INVALIDATE_LOCK] = "invalidate_lock",
	[MMU_LOCK] = "mmu_lock",
	[MMAP_LOCK] = "mmap_lock",
	[FOLIO_LOCK] = "folio_lock",
	[I_MMAP_RWSEM] = "i_mmap_rwsem",
	[NOTIFIERS] = "mn_active_invalidate_count",
	[INODE_LOCK] = "i_rwsem",
	[RM_LOCK] = "restrictedmem_lock",
	[MEMFILE_SRCU] = "memfile_srcu",
};

static const char *const locks_shared[GMEM_NR_LOCKS] = {
	[SLOTS_LOCK] = "slots_lock",
	[SLOTS_ARCH_LOCK] = "slots_arch_lock",
	[SRCU] = "srcu (read)",
	[MMU_LOCK] = "mmu_lock (shared)",
	[FOLIO_LOCK] = "folio_lock",
	[INVALIDATE_LOCK] = "invalidate_lock (shared)",
	[MMAP_LOCK] = "mmap_lock (read)",
	[I_MMAP_RWSEM] = "i_mmap_rwsem (read)",
	[INODE_LOCK] = "i_rwsem (read)",
	[RM_LOCK] = "restrictedmem_lock (read)",
	[MEMFILE_SRCU] = "memfile_srcu (read)",
};

static const char *detail_of(const struct gmem_step *s)
{
	switch (s->kind) {
	case STEP_LOCK:
		return s->mode == READ ? locks_shared[s->lock] : locks[s->lock];
	case STEP_UNLOCK:
		return locks[s->lock];
	case STEP_CALL:
	case STEP_CALL_EACH:
		return gmem_table_name(s->table);
	default:
		return "";
	}
}

int gmem_profile_row(const struct gmem_profile *p, unsigned int table, unsigned int n,
		     struct gmem_row *row)
{
	const struct gmem_step *steps = table < GMEM_NR_TABLES ? p->tables[table] : NULL;
	const struct gmem_step *s = steps;

	if (!steps)
		return 0;
	for (unsigned int i = 0; i < n && s->kind != STEP_END; i++)
		s++;
	if (s->kind == STEP_END)
		return 0;
	*row = (struct gmem_row){
		.name = s->name,
		.kind = kinds[s->kind],
		.detail = detail_of(s),
		.clause = s->clause,
		.err = s->err,
	};
	return 1;
}

const char *gmem_version(void)
{
	return GMEM_VERSION;
}
