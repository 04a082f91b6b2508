/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The museum: bugs that were really written in this code's history. Each is an edit of tables;
 * the normative tables hold no bug and no switch for one.
 *
 * gmem_profile_with_bugs() lays a copy of a profile out in one block: the profile, then all of
 * its tables, and edits that.
 */
#include "bugs.h"

#include <string.h>

#include "profile.h"

static const struct bug {
	const char *id, *title;
	const struct gmem_edit *edits;
} bugs[] = {
	{ "B40", "clearing KVM_MEM_GUEST_MEMFD is taken for a change of flags", gmem_bug_b40 },
	{ "B45", "the end of a binding is compared as a signed number", gmem_bug_b45 },
};

static const struct bug *find_bug(const char *id)
{
	for (unsigned int i = 0; i < sizeof(bugs) / sizeof(bugs[0]); i++)
		if (!strcmp(bugs[i].id, id))
			return &bugs[i];
	return NULL;
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

static bool apply(struct gmem_step *steps, const struct gmem_edit *edit)
{
	for (; steps->kind != STEP_END; steps++)
		if (!strcmp(steps->name, edit->row)) {
			*steps = edit->with;
			return true;
		}
	return false;
}

static bool apply_all(struct gmem_profile *copy, const char *const *ids)
{
	for (; *ids; ids++) {
		const struct bug *bug = find_bug(*ids);

		for (const struct gmem_edit *e = bug ? bug->edits : NULL; e && e->row; e++)
			if (!apply((struct gmem_step *)copy->tables[e->table], e))
				return false;
		if (!bug)
			return false;
	}
	return true;
}

enum gmem_status gmem_profile_with_bugs(struct gmem_profile **copy, const struct gmem_profile *p,
					const char *const *ids, gmem_resize_fn resize, void *arg)
{
	const char *const *wanted = ids ? ids : p->bugs;
	size_t rows = 0, size;
	struct gmem_profile *c;
	struct gmem_step *next;

	for (unsigned int t = 0; t < GMEM_NR_TABLES; t++)
		rows += rows_of(p->tables[t]);
	size = sizeof(*c) + rows * sizeof(*next) + name_size(p, wanted);
	resize = resize ? resize : gmem_resize_by_libc;
	*copy = c = resize(arg, NULL, 0, size);
	if (!c)
		return GMEM_FAILED;
	*c = *p;
	c->resize = resize;
	c->resize_arg = arg;
	c->size = size;
	next = (struct gmem_step *)(c + 1);
	for (unsigned int t = 0; t < GMEM_NR_TABLES; t++) {
		rows = rows_of(p->tables[t]);
		memcpy(next, p->tables[t], rows * sizeof(*next));
		c->tables[t] = next;
		next += rows;
	}
	c->name = (char *)next;
	name_copy((char *)next, p, wanted);
	if (apply_all(c, wanted))
		return GMEM_DONE;
	gmem_profile_free(c);
	*copy = NULL;
	return GMEM_MISUSE;
}

void gmem_profile_free(struct gmem_profile *copy)
{
	if (copy)
		copy->resize(copy->resize_arg, copy, copy->size, 0);
}
