/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The museum: bugs that were really written in this code's history. Each is an edit of tables;
 * the normative tables hold no bug and no switch for one. Those with a Q are no bugs, but what
 * somebody asked about; those with an M were made up.
 *
 * gmem_profile_with_bugs() lays a copy of a profile out in one block: the profile, then all of
 * its tables, and edits that. gmem_profile_without() does the same for mistakes that nobody made
 * yet: any row can be without effect.
 */
#include "bugs.h"

#include <string.h>

#include "ops.h"
#include "profile.h"

static bool has_mmap(const struct gmem_profile *p)
{
	return (p->n.create_flags & GMEM_FLAG_MMAP) && !p->n.has_shareability;
}

/* Since that was mended a guest's access is held against the attribute before anything else. */
static bool asks_for_attribute_first(const struct gmem_profile *p)
{
	const struct gmem_step *s = p->tables[T_GUEST_FAULT];

	while (s->kind != STEP_CHECK && s->kind != STEP_RETRY_IF && s->kind != STEP_END)
		s++;
	return s->kind == STEP_CHECK;
}

static bool has_file_attributes(const struct gmem_profile *p)
{
	return p->n.has_file_attributes;
}

static bool has_prefault(const struct gmem_profile *p)
{
	return p->n.has_prefault;
}

/* A punch of huge folios has other rows, and can be refused among them; so has one of a memfd. */
static bool punches_small_folios(const struct gmem_profile *p)
{
	return !p->n.ancestor && !p->n.hugetlb && !p->n.has_shareability;
}

/* Where pages convert a guest's fault takes the file's lock, and waits for the whole punch. */
static bool faults_beside_a_punch(const struct gmem_profile *p)
{
	return !p->n.has_file_attributes && punches_small_folios(p);
}

static bool converts(const struct gmem_profile *p)
{
	return p->n.has_file_attributes || p->n.has_shareability;
}

/* v13 takes no reference to unbind: dying or not is all the same to it. */
static bool unbinds_with_a_reference(const struct gmem_profile *p)
{
	const struct gmem_step *s = p->tables[T_UNBIND];

	while (s->kind != STEP_END && s->clause != CL_UNBIND_4)
		s++;
	return s->kind != STEP_END;
}

/* Before 7.2 an overlap has no errno of its own. */
static bool overlaps_have_an_errno(const struct gmem_profile *p)
{
	static const unsigned int tables[] = { T_BIND, T_BIND_COMMIT };

	for (unsigned int i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (const struct gmem_step *s = p->tables[tables[i]]; s->kind != STEP_END; s++)
			if (s->clause == CL_BIND_9)
				return true;
	return false;
}

static bool is_ancestor(const struct gmem_profile *p)
{
	return p->n.ancestor;
}

static bool has_row(const struct gmem_profile *p, unsigned int table, const char *name)
{
	for (const struct gmem_step *s = p->tables[table]; s->kind != STEP_END; s++)
		if (!strcmp(s->name, name))
			return true;
	return false;
}

static bool has_list(const struct gmem_profile *p)
{
	return p->n.ancestor && p->n.notifier_list;
}

static bool has_stores(const struct gmem_profile *p)
{
	return has_row(p, T_BIND, "a_store_has_it");
}

static bool has_restricted_files(const struct gmem_profile *p)
{
	return p->n.ancestor && p->n.vm_attributes;
}

static bool tells_all_of_punches(const struct gmem_profile *p)
{
	return has_row(p, T_PUNCH_HOLE, "next_notifier");
}

static bool tells_all_of_errors(const struct gmem_profile *p)
{
	return has_row(p, GMEM_MEMORY_FAILURE, "next_notifier");
}

/* Not by the row that sets the seal, which another bug may have replaced. */
static bool has_inaccessible_seal(const struct gmem_profile *p)
{
	return (p->n.memfd_flags & GMEM_MFD_INACCESSIBLE) &&
	       !has_row(p, GMEM_MEMFD_CREATE, "set_inaccessible_flag");
}

static bool has_guest_memfd(const struct gmem_profile *p)
{
	return !p->n.ancestor;
}

static bool exchanges_operations(const struct gmem_profile *p)
{
	return has_row(p, GMEM_MEMFD_RESTRICTED, "exchange_operations");
}

static bool has_wrapper(const struct gmem_profile *p)
{
	return has_row(p, GMEM_MEMFD_RESTRICTED, "create_wrapper");
}

static const struct bug {
	const char *id, *title;
	const struct gmem_edit *edits;
	/* Whether the profile has what the bug is about, beside the rows; null: every profile has. */
	bool (*concerns)(const struct gmem_profile *p);
} bugs[] = {
	{ "B01", "the seal that makes a file inaccessible is never set", gmem_bug_b01,
	  is_ancestor },
	{ "B02", "a page of the file is taken for a page of the guest", gmem_bug_b02, has_list },
	{ "B04", "an event below a memslot's pages is an event of all of them", gmem_bug_b04,
	  has_list },
	{ "B05", "a store of pages goes while somebody walks over the list of them", gmem_bug_b05,
	  has_stores },
	{ "B07", "overlapping ranges of a file are compared in the wrong unit", gmem_bug_b07,
	  is_ancestor },
	{ "B08", "a huge page file that asks to be inaccessible is not", gmem_bug_b08,
	  is_ancestor },
	{ "B09", "a fault is tried again for any notification at all", gmem_bug_b09, has_list },
	{ "B10", "a page gets a second one in the file that is not in use", gmem_bug_b10,
	  is_ancestor },
	{ "B11", "flags are read twice", gmem_bug_b11, is_ancestor },
	{ "B12", "the lock is given back between the start of a punch and its end", gmem_bug_b12,
	  punches_small_folios },
	{ "B13", "a memory error looks for its inode in a list that has it not", gmem_bug_b13,
	  is_ancestor },
	{ "B14", "a wrapper's inode is taken for the hidden file's", gmem_bug_b14, has_wrapper },
	{ "B15", "the end of a range is taken for its last page", gmem_bug_b15, is_ancestor },
	{ "B16", "a memslot's place in its file is forgotten", gmem_bug_b16, is_ancestor },
	{ "B17", "a memslot's file is overwritten before the new one is known to do", gmem_bug_b17,
	  is_ancestor },
	{ "B19", "a fresh page is given to a guest as it was", gmem_bug_b19, is_ancestor },
	{ "B20a", "nobody stores the data that all operations look for", gmem_bug_b20a,
	  is_ancestor },
	{ "B20b", "what says how to release is freed first", gmem_bug_b20b, is_ancestor },
	{ "B20c", "who refuses a file keeps it", gmem_bug_b20c, is_ancestor },
	{ "B22", "a bind that is refused keeps its reference on the file", gmem_bug_b22, NULL },
	{ "B23", "a file may have no pages", gmem_bug_b23, NULL },
	{ "B26", "all files share one inode", gmem_bug_b26, NULL },
	{ "B28", "a memslot may be of a guest_memfd and read-only", gmem_bug_b28, NULL },
	{ "B30", "an access of the wrong kind is emulated where no memslot is", gmem_bug_b30,
	  asks_for_attribute_first },
	{ "B33", "an error is taken for a page", gmem_bug_b33, NULL },
	{ "B34", "a page counts as populated before it is", gmem_bug_b34, NULL },
	{ "B36", "a memslot is freed under a fault that looks at it", gmem_bug_b36, NULL },
	{ "B38", "what can be mapped is taken to be shared", gmem_bug_b38, has_mmap },
	{ "B38b", "a punch takes private mappings alone, of files that begin shared, too",
	  gmem_bug_b38b, has_mmap },
	{ "B39", "a dying file keeps its binding to a memslot that is freed", gmem_bug_b39,
	  unbinds_with_a_reference },
	{ "B40", "clearing KVM_MEM_GUEST_MEMFD is taken for a change of flags", gmem_bug_b40,
	  NULL },
	{ "B42", "source pages are looked up under the invalidate lock", gmem_bug_b42, NULL },
	{ "B45", "the end of a binding is compared as a signed number", gmem_bug_b45, NULL },
	{ "B46", "a binding is stored in part, and that is a success", gmem_bug_b46, NULL },
	{ "B47", "an overlap of bindings is refused as anything else is", gmem_bug_b47,
	  overlaps_have_an_errno },
	{ "B54", "a page is tested for being shared, and mapped when it may no longer be",
	  gmem_bug_b54, converts },
	{ "B56", "a pre-fault waits for a memslot whose deletion waits for it", gmem_bug_b56,
	  has_prefault },
	{ "M1", "a guest's fault does not look again before it maps", gmem_bug_m1, NULL },
	{ "M2", "a punch says that it is over before it takes the pages", gmem_bug_m2,
	  faults_beside_a_punch },
	{ "M3", "a conversion asks for references before it unmaps the host", gmem_bug_m3, NULL },
	{ "M4", "a file is released, and the guest keeps its pages", gmem_bug_m4, NULL },
	{ "M5", "a page fails, and the guest keeps it", gmem_bug_m5, NULL },
	{ "Q1", "what if the host's fault took no lock of the file", gmem_bug_q1,
	  has_file_attributes },
	{ "Q2", "what if the lock were around the attributes alone", gmem_bug_q2, NULL },
	{ "Q3", "what if a release took the file's lock before the VM's", gmem_bug_q3, NULL },
	{ "X1", "a TDX guest keeps shared mappings of what is punched", gmem_bug_x1, has_mmap },
	{ "X2", "memory failure and a punch take two locks in opposite order", gmem_bug_x2,
	  has_guest_memfd },
	{ "X3", "a file gets smaller, and nobody who is bound to it is told", gmem_bug_x3,
	  exchanges_operations },
	{ "X4", "a fault that looked before an allocation maps what it found", gmem_bug_x4,
	  has_list },
};
#define NR_BUGS (sizeof(bugs) / sizeof(bugs[0]))

/* The same where other rows do what it is about. */
static const struct bug elsewhere[] = {
	{ "B08", NULL, gmem_bug_b08_v4, has_inaccessible_seal },
	{ "B12", NULL, gmem_bug_b12_v10, tells_all_of_punches },
	{ "B12", NULL, gmem_bug_b12_restricted, has_restricted_files },
	{ "B13", NULL, gmem_bug_b13_v10, tells_all_of_errors },
};

static const struct bug *find_bug(const char *id)
{
	for (unsigned int i = 0; i < NR_BUGS; i++)
		if (!strcmp(bugs[i].id, id))
			return &bugs[i];
	return NULL;
}

const char *gmem_bug(unsigned int n)
{
	return n < NR_BUGS ? bugs[n].id : NULL;
}

const char *gmem_bug_title(const char *id)
{
	const struct bug *bug = find_bug(id);

	return bug ? bug->title : NULL;
}

static size_t rows_of(const struct gmem_step *steps)
{
	size_t n = 1;

	for (; steps->kind != STEP_END; steps++)
		n++;
	return n;
}

/* The copy's name: the base's, and the bugs'. */
static void name_copy(char *name, const struct gmem_profile *p, const char *const *ids)
{
	size_t n = strlen(p->name);

	memcpy(name, p->name, n + 1);
	for (; *ids; ids++) {
		name[n++] = '+';
		memcpy(name + n, *ids, strlen(*ids) + 1);
		n += strlen(*ids);
	}
}

static size_t name_size(const struct gmem_profile *p, const char *const *ids)
{
	size_t n = strlen(p->name) + 1;

	for (; *ids; ids++)
		n += 1 + strlen(*ids);
	return n;
}

static struct gmem_step *find_row(struct gmem_step *steps, const struct gmem_edit *e)
{
	unsigned int n = e->nth;

	for (; steps->kind != STEP_END; steps++)
		if (!strcmp(steps->name, e->row) && !n--)
			return steps;
	return NULL;
}

/* There is room for one more row after the END of each table for each edit. */
static bool apply(struct gmem_step *steps, const struct gmem_edit *edit)
{
	struct gmem_step *s = find_row(steps, edit), old;

	if (!s)
		return false;
	old = *s;
	if (edit->kind == EDIT_DROP) {
		memmove(s, s + 1, rows_of(s + 1) * sizeof(*s));
		return true;
	}
	if (edit->kind == EDIT_INSERT)
		memmove(s + 1, s, rows_of(s) * sizeof(*s));
	*s = edit->with;
	if (edit->kind == EDIT_REPLACE && !s->when) {
		s->when = old.when;
		s->when_name = old.when_name;
	}
	return true;
}

static const struct bug *bug_of_profile(const struct bug *bug, const struct gmem_profile *p)
{
	for (unsigned int i = 0; bug && i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++)
		if (!strcmp(elsewhere[i].id, bug->id) && elsewhere[i].concerns(p))
			return &elsewhere[i];
	return bug;
}

/* Rows that the bugs may add to any one table. */
static size_t inserts_of(const struct gmem_profile *p, const char *const *ids)
{
	size_t n = 0;

	for (; *ids; ids++) {
		const struct bug *bug = bug_of_profile(find_bug(*ids), p);

		for (const struct gmem_edit *e = bug ? bug->edits : NULL; e && e->row; e++)
			n += e->kind == EDIT_INSERT;
	}
	return n;
}

/* The tables that a call can come to. */
static void reach(const struct gmem_profile *p, unsigned int table, bool *reached)
{
	if (reached[table])
		return;
	reached[table] = true;
	for (const struct gmem_step *s = p->tables[table]; s->kind != STEP_END; s++)
		if (s->kind == STEP_CALL || s->kind == STEP_CALL_EACH)
			reach(p, s->table, reached);
}

/* An edit of what no call comes to would change nothing. */
static bool apply_one(struct gmem_profile *copy, const struct bug *bug, const bool *reached)
{
	bug = bug_of_profile(bug, copy);
	if (!bug || (bug->concerns && !bug->concerns(copy)))
		return false;
	for (const struct gmem_edit *e = bug->edits; e->row; e++) {
		unsigned int table = reached[e->table] || !e->or_table ? e->table : e->or_table;

		if (!reached[table] || !apply((struct gmem_step *)copy->tables[table], e))
			return false;
	}
	return true;
}

static bool apply_all(struct gmem_profile *copy, const char *const *ids, const bool *reached)
{
	for (; *ids; ids++)
		if (!apply_one(copy, find_bug(*ids), reached))
			return false;
	return true;
}

/* A copy whose tables can be edited, with room for so many more rows in each. */
static struct gmem_profile *lay_out(const struct gmem_profile *p, const char *const *ids,
				    size_t more, gmem_resize_fn resize, void *arg)
{
	size_t rows = 0, size;
	struct gmem_profile *c;
	struct gmem_step *next;

	for (unsigned int t = 0; t < GMEM_NR_TABLES; t++)
		rows += rows_of(p->tables[t]) + more;
	size = sizeof(*c) + rows * sizeof(*next) + name_size(p, ids);
	resize = resize ? resize : gmem_resize_by_libc;
	c = resize(arg, NULL, 0, size);
	if (!c)
		return NULL;
	*c = *p;
	c->resize = resize;
	c->resize_arg = arg;
	c->size = size;
	next = (struct gmem_step *)(c + 1);
	for (unsigned int t = 0; t < GMEM_NR_TABLES; t++) {
		rows = rows_of(p->tables[t]);
		memcpy(next, p->tables[t], rows * sizeof(*next));
		c->tables[t] = next;
		next += rows + more;
	}
	c->name = (char *)next;
	name_copy((char *)next, p, ids);
	return c;
}

enum gmem_status gmem_profile_with_bugs(struct gmem_profile **copy, const struct gmem_profile *p,
					const char *const *ids, gmem_resize_fn resize, void *arg)
{
	const char *const *wanted = ids ? ids : p->bugs;
	bool reached[GMEM_NR_TABLES] = { false };

	*copy = lay_out(p, wanted, inserts_of(p, wanted), resize, arg);
	if (!*copy)
		return GMEM_FAILED;
	for (unsigned int verb = 0; verb < GMEM_NR_VERBS; verb++)
		reach(p, verb, reached);
	reach(p, T_TASK_WORK, reached);
	if (apply_all(*copy, wanted, reached))
		return GMEM_DONE;
	gmem_profile_free(*copy);
	*copy = NULL;
	return GMEM_MISUSE;
}

static int do_nothing(struct gmem_run *run)
{
	(void)run;
	return 0;
}

/*
 * A row that does nothing stays in its place, for its label. A check is still asked, for what it
 * looks up, but does not refuse.
 */
static void forget_row(struct gmem_step *s)
{
	if (s->kind == STEP_CHECK) {
		s->err = 0;
		return;
	}
	s->kind = STEP_DO;
	s->name = "do_nothing";
	s->check = NULL;
	s->act = do_nothing;
	s->clause = CL_NONE;
}

/* The UNLOCKs of a LOCK: those of its class up to the next LOCK of that class. */
static void forget_unlocks(struct gmem_step *lock)
{
	for (struct gmem_step *s = lock + 1; s->kind != STEP_END; s++) {
		if (s->kind == STEP_LOCK && s->lock == lock->lock)
			return;
		if (s->kind == STEP_UNLOCK && s->lock == lock->lock)
			forget_row(s);
	}
}

enum gmem_status gmem_profile_without(struct gmem_profile **copy, const struct gmem_profile *p,
				      unsigned int table, unsigned int row, gmem_resize_fn resize,
				      void *arg)
{
	static const char *const none[] = { NULL };
	struct gmem_step *s;

	*copy = NULL;
	if (table >= GMEM_NR_TABLES || row >= rows_of(p->tables[table]) - 1)
		return GMEM_MISUSE;
	*copy = lay_out(p, none, 0, resize, arg);
	if (!*copy)
		return GMEM_FAILED;
	s = (struct gmem_step *)(*copy)->tables[table] + row;
	if (s->kind == STEP_LOCK)
		forget_unlocks(s);
	forget_row(s);
	return GMEM_DONE;
}

void gmem_profile_free(struct gmem_profile *copy)
{
	if (copy)
		copy->resize(copy->resize_arg, copy, copy->size, 0);
}
