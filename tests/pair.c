/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The model and the oracle side by side; see pair.h.
 */
#include <stdlib.h>

#include "common.h"
#include "pair.h"

void pair_open(struct pair *p)
{
	*p = (struct pair){ .oracle = oracle_new() };
}

void pair_close(struct pair *p)
{
	gmem_world_free(p->world);
	oracle_free(p->oracle);
}

void pair_begin(struct pair *p, const struct gmem_profile *profile,
		const struct gmem_machine *machine, enum gmem_checking checking)
{
	struct gmem_config config = { .profile = profile,
				      .machine = machine,
				      .checking = checking };

	p->profile = profile;
	p->machine = *machine;
	p->checking = checking;
	gmem_world_free(p->world);
	if (gmem_world_new(&p->world, &config) != GMEM_DONE)
		die("no memory for a world");
	oracle_begin(p->oracle, profile, machine);
}

void pair_copy(struct pair *to, const struct pair *from)
{
	if (gmem_world_copy(to->world, from->world) != GMEM_DONE)
		die("no memory for a world");
	oracle_copy(to->oracle, from->oracle);
}

enum pair_verdict pair_call(struct pair *p, const struct gmem_call *c, struct gmem_result *r)
{
	enum gmem_status status = gmem_call(p->world, c, r);

	if (status == GMEM_VIOLATED)
		return PAIR_VIOLATED;
	if (status == GMEM_FAILED)
		return PAIR_FAILED;
	switch (oracle_call(p->oracle, c, r, &p->oracles)) {
	case ORACLE_OUTSIDE:
		return PAIR_OUTSIDE;
	case ORACLE_MISUSE:
		return status == GMEM_MISUSE ? PAIR_AGREES : PAIR_DIFFERS;
	default:
		return status == GMEM_DONE && oracle_agrees(c->verb, r, &p->oracles) ? PAIR_AGREES :
										       PAIR_DIFFERS;
	}
}

/* Until something is wrong; *done is how many calls were made. */
static enum pair_verdict run(struct pair *p, const struct trace *t, struct gmem_result *results,
			     struct gmem_result *oracles, size_t *done)
{
	enum pair_verdict verdict = PAIR_AGREES;
	size_t i;

	pair_begin(p, p->profile, &p->machine, p->checking);
	for (i = 0; i < t->nr_calls && verdict == PAIR_AGREES; i++) {
		struct gmem_call c = backend_resolve(&t->calls[i].linked, results);

		verdict = pair_call(p, &c, &results[i]);
		oracles[i] = p->oracles;
	}
	*done = i;
	return verdict == PAIR_OUTSIDE ? PAIR_AGREES : verdict;
}

enum pair_verdict pair_run_trace(struct pair *p, const struct trace *t)
{
	struct gmem_result *results = xcalloc(2 * t->nr_calls + 1, sizeof(*results));
	size_t done;
	enum pair_verdict verdict = run(p, t, results, results + t->nr_calls, &done);

	free(results);
	return verdict;
}

static void explain_verdict(FILE *f, struct pair *p, enum pair_verdict verdict, uint32_t verb,
			    const struct gmem_result *r)
{
	const struct gmem_violation *v = gmem_violation(p->world);

	if (verdict == PAIR_VIOLATED) {
		fprintf(f, "# the last call violates %s (%s): %s (%#llx, %#llx)\n", v->invariant,
			v->sentence, v->saw, (unsigned long long)v->a, (unsigned long long)v->b);
	} else if (verdict == PAIR_DIFFERS) {
		fprintf(f, "# the last call's result is demanded by the oracle; the model says ");
		trace_print_result(f, verb, r);
		fprintf(f, " by %s\n", r->clause ? gmem_clause(r->clause)->name : "nothing");
	} else {
		fprintf(f, "# nothing is wrong with it any more\n");
	}
}

void pair_explain(FILE *f, struct pair *p, struct trace *t)
{
	struct gmem_result *results = xcalloc(2 * t->nr_calls + 1, sizeof(*results));
	struct gmem_result *oracles = results + t->nr_calls;
	size_t done, i;
	enum pair_verdict verdict = run(p, t, results, oracles, &done);

	trace_name_all(t);
	for (i = 0; i < done; i++) {
		trace_clear_demands(&t->calls[i]);
		trace_demand_result(t, &t->calls[i], &oracles[i]);
	}
	if (done)
		explain_verdict(f, p, verdict, t->calls[done - 1].linked.call.verb,
				&results[done - 1]);
	trace_settle(t, results);
	trace_print(f, t);
	free(results);
}
