/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A lock checker in the manner of lockdep: it looks at classes, not at instances, and one look at
 * each order is enough. What it reports is what could happen, whether or not it did.
 *
 * An edge says that somebody held a lock of one class, in some mode, when he took one of another.
 * A cycle of edges is a possible deadlock if at every class of it whoever comes would wait for
 * whoever is there. Waiting for somebody counts as taking: synchronize_srcu() takes srcu for
 * writing, and an exchange of memslots takes the notifier's count.
 *
 * What is reported does not depend on the order in which it was seen: in the end every two classes
 * whose order is part of a cycle are in a report, and no others. A cycle can close with an edge, or
 * with the first writer of a class, since before that its readers wait for nobody.
 */
#include "lockdep.h"

#include <string.h>

#include "state.h"

struct edge {
	bool there[2][2]; /* mode held, mode taken */
	bool reported;	  /* as part of a cycle, in whatever modes */
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

/* Each cycle has an order that no earlier one has; the other kinds are reported once a class. */
_Static_assert(GMEM_MOST_LOCK_REPORTS >= GMEM_NR_LOCKS * (GMEM_NR_LOCKS - 1) +
						 (GMEM_NR_LOCK_PROBLEMS - 1) * GMEM_NR_LOCKS,
	       "no report is lost");
_Static_assert(GMEM_MOST_LOCK_LINKS >= GMEM_NR_LOCKS, "a cycle comes to each class once");

/* What may sleep, and so must not be done under a lock that spins. */
static bool sleeps(const struct gmem_lock_site *taken)
{
	if (taken->class == SRCU || taken->class == MEMFILE_SRCU)
		return taken->mode == WRITE;
	return taken->class != MMU_LOCK;
}

/*
 * Whether one who wants the class waits for one who has it. Readers wait behind a writer who waits,
 * so two of them do wherever there are writers; but those of srcu wait for nobody, nor does who
 * counts himself as a notifier.
 */
static bool waits(const struct gmem_lockdep *d, unsigned int class, unsigned int wanted,
		  unsigned int held)
{
	if (class == SRCU || class == NOTIFIERS || class == MEMFILE_SRCU)
		return gmem_lock_waits(class, wanted, held);
	return d->taken_for_writing[class];
}

static struct gmem_lock_report *new_report(struct gmem_lockdep *d, enum gmem_lock_problem problem)
{
	struct gmem_lock_report *r = &d->reports[d->nr_reports++];

	memset(r, 0, sizeof(*r));
	r->problem = problem;
	return r;
}

static void add_link(struct gmem_lock_report *r, const struct gmem_lock_site *held,
		     const struct gmem_lock_site *taken)
{
	r->links[r->nr_links++] = (struct gmem_lock_link){ *held, *taken };
}

static bool was_reported(const struct gmem_lockdep *d, enum gmem_lock_problem problem,
			 unsigned int taken)
{
	for (unsigned int i = 0; i < d->nr_reports; i++)
		if (d->reports[i].problem == problem && d->reports[i].links[0].taken.class == taken)
			return true;
	return false;
}

static void report_one(struct gmem_lockdep *d, enum gmem_lock_problem problem,
		       const struct gmem_lock_site *held, const struct gmem_lock_site *taken)
{
	if (!was_reported(d, problem, taken->class))
		add_link(new_report(d, problem), held, taken);
}

/* ---- cycles ---- */

/* One mode held and one taken, as one number. */
#define NR_MODES 4u
#define HELD(m) ((m) >> 1)
#define TAKEN(m) ((m)&1)

/* A class that somebody wants in some mode, and how he came to want it. */
struct want {
	uint8_t class, mode;
	uint8_t from, m; /* the want before, and the modes of the edge from there */
};

/* Wants in the order in which they are come to, so that the first way found is a shortest. */
struct search {
	const struct gmem_lockdep *d;
	bool seen[GMEM_NR_LOCKS][2];
	struct want wants[2 * GMEM_NR_LOCKS];
	unsigned int nr;
};

static void come_to(struct search *s, unsigned int class, unsigned int mode, unsigned int from,
		    unsigned int m)
{
	if (s->seen[class][mode])
		return;
	s->seen[class][mode] = true;
	s->wants[s->nr++] = (struct want){ (uint8_t) class, (uint8_t)mode, (uint8_t)from,
					   (uint8_t)m };
}

/* From want number i: whoever has that class for him to wait for may want another one. */
static void go_on_from(struct search *s, unsigned int i)
{
	const struct want *want = &s->wants[i];

	for (unsigned int to = 0; to < GMEM_NR_LOCKS; to++)
		for (unsigned int m = 0; m < NR_MODES; m++)
			if (s->d->edges[want->class][to].there[HELD(m)][TAKEN(m)] &&
			    waits(s->d, want->class, want->mode, HELD(m)))
				come_to(s, to, TAKEN(m), i, m);
}

static struct gmem_lock_link link_of(const struct gmem_lockdep *d, unsigned int class,
				     unsigned int to, unsigned int m)
{
	const struct edge *e = &d->edges[class][to];

	return (struct gmem_lock_link){ e->held[HELD(m)][TAKEN(m)], e->taken[HELD(m)][TAKEN(m)] };
}

/* The links of the way to want number i, which begins with r's first link. */
static void add_way(struct gmem_lockdep *d, struct gmem_lock_report *r, const struct search *s,
		    unsigned int i)
{
	unsigned int n = 0;

	for (unsigned int k = i; k; k = s->wants[k].from)
		n++;
	r->nr_links += n;
	for (unsigned int k = i; k; k = s->wants[k].from)
		r->links[n--] = link_of(d, s->wants[s->wants[k].from].class, s->wants[k].class,
					s->wants[k].m);
}

static void report_cycle(struct gmem_lockdep *d, const struct search *s, unsigned int i,
			 const struct gmem_lock_link *first)
{
	struct gmem_lock_report *r = new_report(d, GMEM_LOCK_CYCLE);

	add_link(r, &first->held, &first->taken);
	add_way(d, r, s, i);
	for (unsigned int k = 0; k < r->nr_links; k++)
		d->edges[r->links[k].held.class][r->links[k].taken.class].reported = true;
}

/* The edge closes a cycle if from what is taken there is a way back to what is held. */
static void look_for_cycle(struct gmem_lockdep *d, unsigned int held, unsigned int taken,
			   unsigned int m)
{
	struct search s = { .d = d };
	const struct gmem_lock_link first = link_of(d, held, taken, m);

	come_to(&s, taken, TAKEN(m), 0, m);
	for (unsigned int i = 0; i < s.nr; i++) {
		if (s.wants[i].class == held && waits(d, held, s.wants[i].mode, HELD(m))) {
			report_cycle(d, &s, i, &first);
			return;
		}
		go_on_from(&s, i);
	}
}

/* Something new was seen: is there an order that is now part of a cycle? */
static void look_for_cycles(struct gmem_lockdep *d)
{
	for (unsigned int held = 0; held < GMEM_NR_LOCKS; held++)
		for (unsigned int taken = 0; taken < GMEM_NR_LOCKS; taken++)
			for (unsigned int m = 0; m < NR_MODES; m++) {
				const struct edge *e = &d->edges[held][taken];

				if (e->there[HELD(m)][TAKEN(m)] && !e->reported)
					look_for_cycle(d, held, taken, m);
			}
}

/* ---- what rows do ---- */

static bool is_first_writer(struct gmem_lockdep *d, const struct gmem_lock_site *site)
{
	bool first = site->mode == WRITE && !d->taken_for_writing[site->class];

	d->taken_for_writing[site->class] |= first;
	return first;
}

void gmem_lockdep_take(struct gmem_lockdep *d, const struct gmem_lock_site *taken,
		       const struct gmem_lock_site *notifier)
{
	if (is_first_writer(d, taken))
		look_for_cycles(d);
	if (notifier && sleeps(taken))
		report_one(d, GMEM_LOCK_IN_NOTIFIER, notifier, taken);
}

static bool is_new(struct gmem_lockdep *d, const struct gmem_lock_site *held,
		   const struct gmem_lock_site *taken)
{
	struct edge *e = &d->edges[held->class][taken->class];
	bool is_there = e->there[held->mode][taken->mode];

	if (is_there)
		return false;
	e->there[held->mode][taken->mode] = true;
	e->held[held->mode][taken->mode] = *held;
	e->taken[held->mode][taken->mode] = *taken;
	return true;
}

/* Read sections of srcu may lie in each other. */
static void take_same_class(struct gmem_lockdep *d, const struct gmem_lock_site *held,
			    const struct gmem_lock_site *taken, bool same_owner)
{
	if (taken->class != SRCU || (taken->mode == WRITE && !same_owner))
		report_one(d, GMEM_LOCK_RECURSION, held, taken);
	else if (taken->mode == WRITE)
		report_one(d, GMEM_LOCK_IN_READ_SECTION, held, taken);
}

void gmem_lockdep_take_under(struct gmem_lockdep *d, const struct gmem_lock_site *held,
			     const struct gmem_lock_site *taken, bool same_owner)
{
	bool changed;

	if (held->class == taken->class) {
		take_same_class(d, held, taken, same_owner);
		return;
	}
	if (held->class == MMU_LOCK && sleeps(taken))
		report_one(d, GMEM_LOCK_SLEEP, held, taken);
	changed = is_new(d, held, taken);
	changed |= is_first_writer(d, held);
	changed |= is_first_writer(d, taken);
	if (changed)
		look_for_cycles(d);
}

void gmem_lockdep_not_held(struct gmem_lockdep *d, const struct gmem_lock_site *given_back)
{
	report_one(d, GMEM_LOCK_NOT_HELD, given_back, given_back);
}

void gmem_lockdep_left(struct gmem_lockdep *d, const struct gmem_lock_site *held)
{
	report_one(d, GMEM_LOCK_LEFT, held, held);
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
	for (unsigned int i = 0; i < GMEM_NR_LOCKS * GMEM_NR_LOCKS * NR_MODES; i++) {
		unsigned int held = i / NR_MODES / GMEM_NR_LOCKS;
		unsigned int taken = i / NR_MODES % GMEM_NR_LOCKS, m = i % NR_MODES;

		if (!d->edges[held][taken].there[HELD(m)][TAKEN(m)] || n--)
			continue;
		*link = link_of(d, held, taken, m);
		return 1;
	}
	return 0;
}

/* By class: its name, and of either mode a word and what the kernel does to take it. */
static const struct {
	const char *name, *modes[2], *calls[2];
} words[GMEM_NR_LOCKS] = {
	[SLOTS_LOCK] = { "kvm->slots_lock",
			 { "", "" },
			 { "mutex_lock(&kvm->slots_lock)", "mutex_lock(&kvm->slots_lock)" } },
	[SLOTS_ARCH_LOCK] = { "kvm->slots_arch_lock",
			      { "", "" },
			      { "mutex_lock(&kvm->slots_arch_lock)",
				"mutex_lock(&kvm->slots_arch_lock)" } },
	[SRCU] = { "kvm->srcu",
		   { "read", "synchronize" },
		   { "srcu_read_lock(&kvm->srcu)", "synchronize_srcu(&kvm->srcu)" } },
	[INVALIDATE_LOCK] = { "mapping.invalidate_lock",
			      { "read", "write" },
			      { "filemap_invalidate_lock_shared(mapping)",
				"filemap_invalidate_lock(mapping)" } },
	[MMU_LOCK] = { "kvm->mmu_lock",
		       { "read", "write" },
		       { "read_lock(&kvm->mmu_lock)", "write_lock(&kvm->mmu_lock)" } },
	[MMAP_LOCK] = { "mm->mmap_lock",
			{ "read", "write" },
			{ "mmap_read_lock(mm)", "mmap_write_lock(mm)" } },
	[FOLIO_LOCK] = { "folio lock", { "", "" }, { "folio_lock(folio)", "folio_lock(folio)" } },
	[I_MMAP_RWSEM] = { "mapping->i_mmap_rwsem",
			   { "read", "write" },
			   { "i_mmap_lock_read(mapping)", "i_mmap_lock_write(mapping)" } },
	[INODE_LOCK] = { "inode->i_rwsem",
			 { "read", "write" },
			 { "inode_lock_shared(inode)", "inode_lock(inode)" } },
	[RM_LOCK] = { "restrictedmem->lock",
		      { "read", "write" },
		      { "down_read(&rm->lock)", "down_write(&rm->lock)" } },
	[MEMFILE_SRCU] = { "memfile_srcu",
			   { "read", "synchronize" },
			   { "srcu_read_lock(&srcu)", "synchronize_srcu(&srcu)" } },
	[NOTIFIERS] = { "mn_active_invalidate_count",
			{ "counted", "wait for 0" },
			{ "kvm->mn_active_invalidate_count++",
			  "wait for !kvm->mn_active_invalidate_count" } },
};

const char *gmem_lock_name(unsigned int class)
{
	return class < GMEM_NR_LOCKS ? words[class].name : NULL;
}

const char *gmem_lock_mode(unsigned int class, unsigned int mode)
{
	return class < GMEM_NR_LOCKS && mode <= WRITE ? words[class].modes[mode] : NULL;
}

int gmem_lock_waits(unsigned int class, unsigned int wanted, unsigned int held)
{
	if (class == SRCU || class == NOTIFIERS || class == MEMFILE_SRCU)
		return wanted == WRITE && held == READ;
	return wanted == WRITE || held == WRITE;
}

const char *gmem_lock_call(unsigned int class, unsigned int mode)
{
	return class < GMEM_NR_LOCKS && mode <= WRITE ? words[class].calls[mode] : NULL;
}
