/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes the calls of a trace on a back end, and judges results.
 *
 *	struct trace_run run;
 *
 *	trace_run_init(&run, &t);
 *	trace_run_all(&run, &t, &backend_model, ctx);
 *	for (i = 0; i < run.done; i++)
 *		trace_satisfied(&t, &t.calls[i], &run.results[i]);
 *	trace_run_free(&run);
 *
 * Each run has its own results, and with them its own descriptors and addresses: the same trace
 * can run on several back ends side by side.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "trace.h"

static int satisfies(const struct trace_demand *d, const struct gmem_result *r)
{
	if (d->outcome != r->outcome)
		return 0;
	if ((d->fields & TRACE_WITH_VALUE) && d->value != r->value)
		return 0;
	if (d->outcome == GMEM_VALUE && !(d->fields & TRACE_LOADED) != (r->loaded != 1u))
		return 0;
	if ((d->fields & TRACE_WITH_GPA) && d->gpa != r->gpa)
		return 0;
	if ((d->fields & TRACE_WITH_SIZE) && d->exit_size != r->exit_size)
		return 0;
	return !(d->fields & TRACE_WITH_FLAGS) || d->exit_flags == r->exit_flags;
}

int trace_satisfied(const struct trace *t, const struct trace_call *c, const struct gmem_result *r)
{
	unsigned int i;

	if (c->with_out && c->out != r->out)
		return 0;
	if (!c->nr_demands)
		return !c->name[0] || result_succeeded(r);
	for (i = 0; i < c->nr_demands; i++)
		if (satisfies(&t->demands[c->demands + i], r))
			return 1;
	return 0;
}

int trace_results_agree(uint32_t verb, const struct gmem_result *a, const struct gmem_result *b)
{
	const struct gmem_verb_info *info = gmem_verb_info(verb);

	if (a->outcome != b->outcome)
		return 0;
	switch (a->outcome) {
	case GMEM_VALUE:
		if (info->binds && result_succeeded(a) && result_succeeded(b))
			return 1;
		return a->value == b->value && a->loaded == b->loaded &&
		       (!trace_out_matters(verb, a) || a->out == b->out);
	case GMEM_MEMORY_FAULT:
	case GMEM_ERROR_EXIT:
		return a->value == b->value && a->gpa == b->gpa && a->exit_size == b->exit_size &&
		       a->exit_flags == b->exit_flags;
	case GMEM_MMIO:
		return a->gpa == b->gpa && a->exit_size == b->exit_size &&
		       a->exit_flags == b->exit_flags;
	default:
		return 1;
	}
}

void trace_run_init(struct trace_run *run, const struct trace *t)
{
	memset(run, 0, sizeof(*run));
	run->results = xcalloc(t->nr_calls, sizeof(*run->results));
	run->over = xcalloc(t->nr_calls, sizeof(*run->over));
}

void trace_run_free(struct trace_run *run)
{
	free(run->results);
	free(run->over);
	memset(run, 0, sizeof(*run));
}

static int task_is_there(const struct trace_run *run, const struct trace_call *c)
{
	return c->task_from < 0 || result_succeeded(&run->results[c->task_from]);
}

int trace_run_step(struct trace_run *run, const struct trace *t, const struct backend *b, void *ctx)
{
	const struct trace_call *c;
	struct gmem_call call;

	if (run->done == t->nr_calls || run->status != BACKEND_DONE)
		return 0;
	c = &t->calls[run->done];
	if (!task_is_there(run, c)) {
		run->status = BACKEND_BROKEN;
		snprintf(run->error.why, sizeof(run->error.why),
			 "task %s was not made, so it cannot make calls",
			 t->calls[c->task_from].name);
		return 0;
	}
	if (t->par_end && run->done == t->par_first)
		return trace_run_par(run, t, b, ctx);
	call = backend_resolve(&c->linked, run->results);
	run->status = b->call(ctx, &call, &run->results[run->done], &run->error);
	if (run->status != BACKEND_DONE)
		return 0;
	run->done++;
	return 1;
}

static void run_batch(struct trace_run *run, const struct trace *t, const struct backend *b,
		      void *ctx)
{
	struct linked_call *calls = xcalloc(t->nr_calls, sizeof(*calls));
	size_t i;

	for (i = 0; i < t->nr_calls; i++)
		calls[i] = t->calls[i].linked;
	run->status = b->run(ctx, calls, t->nr_calls, run->results, &run->done, &run->error);
	free(calls);
}

void trace_run_all(struct trace_run *run, const struct trace *t, const struct backend *b, void *ctx)
{
	if (b->run && !t->par_end)
		run_batch(run, t, b, ctx);
	else
		while (trace_run_step(run, t, b, ctx))
			;
}

static int differs(struct backend_error *e, const char *what)
{
	snprintf(e->why, sizeof(e->why), "the trace is about a machine with another %s", what);
	return 0;
}

/* What of the machine (TRACE_MACHINE_*) the call's result depends on. */
static unsigned int depends_on(const struct trace_call *c, const struct gmem_machine *want)
{
	const struct gmem_call *call = &c->linked.call;

	switch (call->verb) {
	case GMEM_CREATE_VM:
		return call->type && call->type < 8 && (want->vm_types >> call->type & 1) ?
			       TRACE_MACHINE_TYPES :
			       0;
	case GMEM_PRE_FAULT_MEMORY:
		return TRACE_MACHINE_TDP;
	case GMEM_SET_USER_MEMORY_REGION:
	case GMEM_SET_USER_MEMORY_REGION2:
		return call->slot >> 16 ? TRACE_MACHINE_SMM : 0;
	case GMEM_CHECK_EXTENSION:
		if (call->cap == GMEM_CAP_VM_TYPES || call->cap == GMEM_CAP_MEMORY_ATTRIBUTES)
			return TRACE_MACHINE_TYPES;
		if (call->cap == GMEM_CAP_PRE_FAULT_MEMORY)
			return TRACE_MACHINE_TDP;
		return call->cap == GMEM_CAP_MULTI_ADDRESS_SPACE ? TRACE_MACHINE_SMM : 0;
	default:
		return 0;
	}
}

int trace_fits_machine(const struct trace *t, const struct gmem_machine *m, struct backend_error *e)
{
	const struct gmem_machine *want = &t->machine;
	unsigned int matters = t->machine_says;
	size_t i;

	for (i = 0; i < t->nr_calls; i++)
		matters |= depends_on(&t->calls[i], want);
	if ((matters & TRACE_MACHINE_ARCH) && want->arch != m->arch)
		return differs(e, "architecture");
	if ((matters & TRACE_MACHINE_TYPES) && want->vm_types != m->vm_types)
		return differs(e, "set of VM types");
	if ((matters & TRACE_MACHINE_SMM) && want->smm != m->smm)
		return differs(e, "smm (a second address space)");
	if ((matters & TRACE_MACHINE_TDP) && want->tdp != m->tdp)
		return differs(e, "tdp (hardware page tables)");
	if ((matters & TRACE_MACHINE_FDS) && want->max_fds > m->max_fds)
		return differs(e, "limit of descriptors");
	if ((matters & TRACE_MACHINE_PHYS_BITS) && want->phys_bits != m->phys_bits)
		return differs(e, "phys_bits (the width of guest addresses)");
	return 1;
}
