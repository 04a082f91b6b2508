/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The model and the kernel side by side; see compare.h.
 *
 * The kernel makes all calls of a trace at once (its back end runs them in a child), then the model
 * makes them one by one. Both have their own results, so descriptors and addresses need not be
 * the same.
 */
#include <stdlib.h>
#include <string.h>

#include "backend-model.h"
#include "common.h"
#include "compare.h"
#include "random.h"

/* The release with its known bugs; but for one of them, unless except is -1. */
static struct gmem_profile *with_bugs(const struct gmem_profile *profile, int except)
{
	const char *ids[COMPARE_BUGS + 1] = { NULL };
	struct gmem_profile *p = NULL;
	unsigned int i, n = 0;

	for (i = 0; i < COMPARE_BUGS && gmem_profile_bug(profile, i); i++)
		if ((int)i != except)
			ids[n++] = gmem_profile_bug(profile, i);
	if (gmem_profile_with_bugs(&p, profile, ids, NULL, NULL) != GMEM_DONE)
		die("the known bugs of %s cannot be put into its tables",
		    gmem_profile_name(profile));
	return p;
}

static void take_bugs(struct comparer *c)
{
	unsigned int i;

	while (c->nr_bugs < COMPARE_BUGS && gmem_profile_bug(c->profile, c->nr_bugs))
		c->nr_bugs++;
	if (c->nr_bugs)
		c->shipped = with_bugs(c->profile, -1);
	for (i = 0; i < c->nr_bugs; i++)
		c->without[i] = with_bugs(c->profile, i);
}

enum backend_status comparer_open(struct comparer *c, const struct gmem_profile *profile,
				  const struct gmem_machine *machine)
{
	struct gmem_config config = { .profile = profile,
				      .machine = machine,
				      .checking = GMEM_CHECK_CALLS };
	struct backend_config kvm = { .profile = profile, .machine = *machine };

	memset(c, 0, sizeof(*c));
	c->profile = profile;
	c->machine = *machine;
	take_bugs(c);
	if (gmem_world_new(&c->promised, &config) != GMEM_DONE ||
	    gmem_world_new(&c->as_shipped, &config) != GMEM_DONE ||
	    gmem_world_new(&c->fresh, &config) != GMEM_DONE)
		die("out of memory");
	return backend_kvm.open(&c->kvm, &kvm, &c->error);
}

void comparer_close(struct comparer *c)
{
	backend_kvm.close(c->kvm);
	gmem_world_free(c->promised);
	gmem_world_free(c->as_shipped);
	gmem_world_free(c->fresh);
	gmem_profile_free(c->shipped);
	while (c->nr_bugs)
		gmem_profile_free(c->without[--c->nr_bugs]);
	free(c->model);
	free(c->kernel);
	free(c->bugs);
	memset(c, 0, sizeof(*c));
}

static void copy_world(struct gmem_world *to, const struct gmem_world *from,
		       const struct gmem_profile *profile)
{
	if (gmem_world_copy(to, from) != GMEM_DONE)
		die("out of memory");
	gmem_world_set_profile(to, profile);
}

static void make_room(struct comparer *c, size_t n)
{
	if (n <= c->room)
		return;
	c->room = n;
	c->model = xrealloc(c->model, n, sizeof(*c->model));
	c->kernel = xrealloc(c->kernel, n, sizeof(*c->kernel));
	c->bugs = xrealloc(c->bugs, n, sizeof(*c->bugs));
}

/* ---- the kernel ---- */

/* Takes out a call that cannot be asked, or everything from it on. */
static void take_out(struct trace *t, size_t n)
{
	size_t i;

	for (i = n + 1; i < t->nr_calls; i++)
		if (trace_refers(&t->calls[i], n))
			break;
	if (i == t->nr_calls) {
		trace_drop(t, n);
		return;
	}
	while (t->nr_calls > n)
		trace_drop(t, t->nr_calls - 1);
}

/* Runs as much of the trace as can be asked; 0 if the back end broke. */
static int run_kernel(struct comparer *c, struct trace *t)
{
	struct trace_run run = { .results = c->kernel };

	for (;;) {
		run.status = backend_kvm.reset(c->kvm, &c->error);
		if (run.status != BACKEND_DONE)
			die("the kernel back end does not start again: %s", c->error.why);
		run.done = 0;
		trace_run_all(&run, t, &backend_kvm, c->kvm);
		if (run.status != BACKEND_UNSUPPORTED)
			break;
		take_out(t, run.done);
	}
	c->at = run.done;
	c->error = run.error;
	return run.status == BACKEND_DONE;
}

/* ---- the model ---- */

/* Makes the call in that world; 0 if the model broke, and then says why. */
static int ask(struct comparer *c, struct gmem_world *w, const struct linked_call *l,
	       struct gmem_result *results, size_t n)
{
	struct gmem_call call = backend_resolve(l, results);
	const struct gmem_violation *v;

	switch (gmem_call(w, &call, &results[n])) {
	case GMEM_DONE:
		return 1;
	case GMEM_VIOLATED:
		v = gmem_violation(w);
		snprintf(c->error.why, sizeof(c->error.why), "the model violates %s: %s Seen: %s",
			 v->invariant, v->sentence, v->saw);
		return 0;
	case GMEM_FAILED:
		die("out of memory");
	default:
		snprintf(c->error.why, sizeof(c->error.why), "the model has no answer");
		return 0;
	}
}

/* The promise and the kernel agree: a bug that did not show is forgotten. */
static void agreed(struct comparer *c, uint32_t verb, size_t n)
{
	if (!c->shipped || trace_results_agree(verb, &c->bugs[n], &c->kernel[n]))
		return;
	copy_world(c->as_shipped, c->promised, c->shipped);
	memcpy(c->bugs, c->model, (n + 1) * sizeof(*c->bugs));
}

/* Whether the release, had that bug not been in it, would answer call number n as it did. */
static int same_without(struct comparer *c, const struct trace *t, size_t n, unsigned int bug)
{
	struct gmem_result *results = xcalloc(n + 1, sizeof(*results));
	size_t i;
	int same;

	copy_world(c->promised, c->fresh, c->without[bug]);
	for (i = 0; i <= n && ask(c, c->promised, &t->calls[i].linked, results, i); i++)
		;
	same = i > n && trace_results_agree(t->calls[n].linked.call.verb, &results[n], &c->bugs[n]);
	free(results);
	return same;
}

/* They do not; 1 if that is a known bug. */
static int is_known(struct comparer *c, const struct trace *t, size_t n)
{
	uint32_t verb = t->calls[n].linked.call.verb;
	unsigned int i;

	if (!c->shipped || !trace_results_agree(verb, &c->bugs[n], &c->kernel[n]))
		return 0;
	for (i = 0; i < c->nr_bugs; i++)
		c->known[i] += c->nr_bugs == 1 || !same_without(c, t, n, i);
	copy_world(c->promised, c->as_shipped, c->profile);
	memcpy(c->model, c->bugs, (n + 1) * sizeof(*c->model));
	return 1;
}

static enum compared compare_call(struct comparer *c, const struct trace *t, size_t n)
{
	const struct linked_call *l = &t->calls[n].linked;

	if (!ask(c, c->promised, l, c->model, n) ||
	    (c->shipped && !ask(c, c->as_shipped, l, c->bugs, n))) {
		c->model_broke = 1;
		return COMPARED_BROKEN;
	}
	if (trace_results_agree(l->call.verb, &c->model[n], &c->kernel[n]))
		agreed(c, l->call.verb, n);
	else if (!is_known(c, t, n))
		return COMPARED_DIFFERENT;
	return COMPARED_SAME;
}

static void begin(struct comparer *c, const struct trace *t)
{
	make_room(c, t->nr_calls);
	memset(c->known, 0, sizeof(c->known));
	c->model_broke = 0;
}

/* The model's answers to the first calls, and what they are against the kernel's. */
static enum compared judge(struct comparer *c, const struct trace *t, size_t answered)
{
	enum compared r = COMPARED_SAME;
	size_t n;

	copy_world(c->promised, c->fresh, c->profile);
	if (c->shipped)
		copy_world(c->as_shipped, c->fresh, c->shipped);
	for (n = 0; n < answered && r == COMPARED_SAME; n++)
		r = compare_call(c, t, n);
	c->nr_calls = n;
	if (r != COMPARED_SAME)
		c->at = n - 1;
	return r;
}

enum compared compare(struct comparer *c, struct trace *t)
{
	enum compared r;
	int whole;

	begin(c, t);
	whole = run_kernel(c, t);
	r = judge(c, t, c->at);
	return r == COMPARED_SAME && !whole ? COMPARED_BROKEN : r;
}

enum compared compare_recorded(struct comparer *c, const struct trace *t,
			       const struct gmem_result *kernel)
{
	begin(c, t);
	memcpy(c->kernel, kernel, t->nr_calls * sizeof(*kernel));
	return judge(c, t, t->nr_calls);
}

/* ---- random traces ---- */

void compare_generate(struct comparer *c, struct trace *t, uint64_t seed, unsigned int length)
{
	struct linked_call l;
	struct generator g;
	struct random r;
	unsigned int i;

	make_room(c, length);
	copy_world(c->promised, c->fresh, c->profile);
	trace_init(t);
	t->profile = c->profile;
	t->machine = c->machine;
	t->seed = seed;
	t->has_seed = 1;
	random_seed(&r, seed);
	generator_begin(&g, &r);
	g.never = backend_kvm.never;
	g.types = c->machine.vm_types;
	for (i = 0; i < length; i++) {
		generator_call(&g, &l);
		trace_add(t, &l);
		if (!ask(c, c->promised, &l, c->model, i))
			break;
		generator_result(&g, &c->model[i]);
	}
}
