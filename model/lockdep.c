/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A lock checker in the manner of lockdep: it looks at classes, not at instances, and one look at
 * each order is enough. What it reports is what could happen, whether or not it did.
 *
 * An edge says that somebody held a lock of one class, in some mode, when he took one of another.
 * A cycle of edges is a possible deadlock if at every class of it whoever comes would wait for
 * whoever is there. Waiting for somebody counts as taking: synchronize_srcu() takes srcu for
 * writing, and an exchange of memslots takes the notifier's count.
 */
#include "lockdep.h"

#include <string.h>

#include "state.h"

struct edge {
	bool there[2][2]; /* mode held, mode taken */
	struct gmem_lock_site held[2][2], taken[2][2];
};

struct gmem_lockdep {
	gmem_resize_fn resize;
	void *resize_arg;
	struct edge edges[GMEM_NR_LOCKS][GMEM_NR_LOCKS];
	bool taken_for_writing[GMEM_NR_LOCKS];
	unsigned int nr_reports;
	struct gmem_lock_report reports[GMEM_MOST_LOCK_REPORTS];
};

/* What may sleep, and so must not be taken under a lock that spins. */
static bool sleeps(unsigned int class)
{
	return class != MMU_LOCK && class != SRCU;
}

/*
 * Whether one who wants the class waits for one who has it. Readers of srcu wait for nobody; other
 * readers wait behind a writer who waits, so two of them do wherever there are writers.
 */
static bool waits(const struct gmem_lockdep *d, unsigned int class, unsigned int wanted,
		  unsigned int held)
{
	if (class == SRCU)
		return wanted == WRITE && held == READ;
	return wanted == WRITE || held == WRITE || d->taken_for_writing[class];
}

static struct gmem_lock_report *new_report(struct gmem_lockdep *d, enum gmem_lock_problem problem)
{
	struct gmem_lock_report *r;

	if (d->nr_reports == GMEM_MOST_LOCK_REPORTS)
		return NULL;
	r = &d->reports[d->nr_reports++];
	memset(r, 0, sizeof(*r));
	r->problem = problem;
	return r;
}

static void add_link(struct gmem_lock_report *r, const struct gmem_lock_site *held,
		     const struct gmem_lock_site *taken)
{
	if (r && r->nr_links < GMEM_MOST_LOCK_LINKS)
		r->links[r->nr_links++] = (struct gmem_lock_link){ *held, *taken };
}

static bool was_reported(const struct gmem_lockdep *d, enum gmem_lock_problem problem,
			 unsigned int held, unsigned int taken)
{
	for (unsigned int i = 0; i < d->nr_reports; i++) {
		const struct gmem_lock_report *r = &d->reports[i];

		for (unsigned int k = 0; r->problem == problem && k < r->nr_links; k++)
			if (r->links[k].held.class == held && r->links[k].taken.class == taken)
				return true;
	}
	return false;
}

static void report_one(struct gmem_lockdep *d, enum gmem_lock_problem problem,
		       const struct gmem_lock_site *held, const struct gmem_lock_site *taken)
{
	if (!was_reported(d, problem, held->class, taken->class))
		add_link(new_report(d, problem), held, taken);
}

/* ---- cycles ---- */

struct search {
	struct gmem_lockdep *d;
	unsigned int target,
		target_mode; /* the class, and how it is held by who closes the cycle */
	bool seen[GMEM_NR_LOCKS][2];
	struct gmem_lock_link path[GMEM_MOST_LOCK_LINKS];
	unsigned int depth;
};

/* From a class that somebody wants in this mode: a way to the target? */
static bool find_way(struct search *s, unsigned int class, unsigned int wanted)
{
	if (class == s->target && waits(s->d, class, wanted, s->target_mode))
		return true;
	if (s->seen[class][wanted] || s->depth == GMEM_MOST_LOCK_LINKS)
		return false;
	s->seen[class][wanted] = true;
	for (unsigned int to = 0; to < GMEM_NR_LOCKS; to++)
		for (unsigned int m = 0; m < 4; m++) {
			const struct edge *e = &s->d->edges[class][to];
			unsigned int held = m & 1, taken = m >> 1;

			if (!e->there[held][taken] || !waits(s->d, class, wanted, held))
				continue;
			s->path[s->depth++] = (struct gmem_lock_link){ e->held[held][taken],
								       e->taken[held][taken] };
			if (find_way(s, to, taken))
				return true;
			s->depth--;
		}
	return false;
}

/* The new edge held -> taken closes a cycle if from taken there is a way back to held. */
static void look_for_cycle(struct gmem_lockdep *d, const struct gmem_lock_site *held,
			   const struct gmem_lock_site *taken)
{
	struct search s = { .d = d, .target = held->class, .target_mode = held->mode };
	struct gmem_lock_report *r;

	if (!find_way(&s, taken->class, taken->mode))
		return;
	r = new_report(d, GMEM_LOCK_CYCLE);
	add_link(r, held, taken);
	for (unsigned int i = 0; i < s.depth; i++)
		add_link(r, &s.path[i].held, &s.path[i].taken);
}

/* ---- what rows do ---- */

void gmem_lockdep_take(struct gmem_lockdep *d, const struct gmem_lock_site *held,
		       const struct gmem_lock_site *taken, bool same_owner)
{
	struct edge *e = &d->edges[held->class][taken->class];

	if (held->class == taken->class) {
		if (taken->class == SRCU ? taken->mode == WRITE && same_owner :
					   same_owner || sleeps(taken->class))
			report_one(d, GMEM_LOCK_RECURSION, held, taken);
		return;
	}
	if (held->class == MMU_LOCK && (sleeps(taken->class) || taken->mode == WRITE))
		report_one(d, GMEM_LOCK_SLEEP, held, taken);
	if (e->there[held->mode][taken->mode])
		return;
	e->there[held->mode][taken->mode] = true;
	e->held[held->mode][taken->mode] = *held;
	e->taken[held->mode][taken->mode] = *taken;
	look_for_cycle(d, held, taken);
}

void gmem_lockdep_note(struct gmem_lockdep *d, const struct gmem_lock_site *taken, bool notified)
{
	d->taken_for_writing[taken->class] |= taken->mode == WRITE;
	if (notified && sleeps(taken->class))
		report_one(d, GMEM_LOCK_IN_NOTIFIER, taken, taken);
}

/* ---- for those who ask ---- */

struct gmem_lockdep *gmem_lockdep_new(gmem_resize_fn resize, void *arg)
{
	struct gmem_lockdep *d;

	resize = resize ? resize : gmem_resize_by_libc;
	d = resize(arg, NULL, 0, sizeof(*d));
	if (!d)
		return NULL;
	memset(d, 0, sizeof(*d));
	d->resize = resize;
	d->resize_arg = arg;
	return d;
}

void gmem_lockdep_free(struct gmem_lockdep *d)
{
	if (d)
		d->resize(d->resize_arg, d, sizeof(*d), 0);
}

void gmem_watch_locks(struct gmem_world *w, struct gmem_lockdep *d)
{
	w->lockdep = d;
}

const struct gmem_lock_report *gmem_lock_report(const struct gmem_lockdep *d, unsigned int n)
{
	return n < d->nr_reports ? &d->reports[n] : NULL;
}

int gmem_lock_order(const struct gmem_lockdep *d, unsigned int n, struct gmem_lock_link *link)
{
	for (unsigned int i = 0; i < GMEM_NR_LOCKS * GMEM_NR_LOCKS * 4; i++) {
		const struct edge *e = &d->edges[i / 4 / GMEM_NR_LOCKS][i / 4 % GMEM_NR_LOCKS];

		if (!e->there[i & 1][i >> 1 & 1] || n--)
			continue;
		*link = (struct gmem_lock_link){ e->held[i & 1][i >> 1 & 1],
						 e->taken[i & 1][i >> 1 & 1] };
		return 1;
	}
	return 0;
}

const char *gmem_lock_name(unsigned int class)
{
	static const char *const names[GMEM_NR_LOCKS] = {
		[SLOTS_LOCK] = "kvm->slots_lock",
		[SLOTS_ARCH_LOCK] = "kvm->slots_arch_lock",
		[SRCU] = "kvm->srcu",
		[INVALIDATE_LOCK] = "mapping.invalidate_lock",
		[MMU_LOCK] = "kvm->mmu_lock",
		[MMAP_LOCK] = "mm->mmap_lock",
		[FOLIO_LOCK] = "folio lock",
		[NOTIFIERS] = "mn_active_invalidate_count",
	};

	return class < GMEM_NR_LOCKS ? names[class] : NULL;
}
