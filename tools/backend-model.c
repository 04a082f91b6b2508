/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The model as a back end: every call is one gmem_call() on a world. See backend.h.
 *
 * Whoever wants more of the world than results (its rows, its invariants) takes it with
 * backend_model_world().
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend-model.h"
#include "common.h"
#include "memory.h"

struct model {
	struct gmem_world *world;
	struct gmem_world *fresh; /* what reset goes back to */
};

static enum backend_status broken(struct backend_error *e, const char *why)
{
	snprintf(e->why, sizeof(e->why), "%s", why);
	return BACKEND_BROKEN;
}

static enum backend_status model_machine(struct gmem_machine *m, struct backend_error *e)
{
	(void)e;
	*m = gmem_machine_default;
	m->max_fds = 65536;
	return BACKEND_DONE;
}

static void model_close(void *ctx)
{
	struct model *m = ctx;

	if (!m)
		return;
	gmem_world_free(m->world);
	gmem_world_free(m->fresh);
	free(m);
}

static enum backend_status model_open(void **ctx, const struct backend_config *config,
				      struct backend_error *e)
{
	struct gmem_config c = { .profile = config->profile,
				 .resize = memory_resize,
				 .machine = &config->machine,
				 .checking = config->checking };
	struct model *m = xcalloc(1, sizeof(*m));
	enum gmem_status status = gmem_world_new(&m->world, &c);

	*ctx = NULL;
	if (status == GMEM_DONE)
		status = gmem_world_new(&m->fresh, &c);
	if (status != GMEM_DONE) {
		model_close(m);
		return broken(e, status == GMEM_MISUSE ? "the model has no such machine" :
							 "no memory for a world");
	}
	*ctx = m;
	return BACKEND_DONE;
}

static enum backend_status violated(const struct gmem_world *w, struct backend_error *e)
{
	const struct gmem_violation *v = gmem_violation(w);

	snprintf(e->why, sizeof(e->why), "invariant %s is violated: %s Seen: %s (%llu, %llu)",
		 v->invariant, v->sentence, v->saw, (unsigned long long)v->a,
		 (unsigned long long)v->b);
	return BACKEND_BROKEN;
}

static enum backend_status model_call(void *ctx, const struct gmem_call *call,
				      struct gmem_result *r, struct backend_error *e)
{
	struct model *m = ctx;

	switch (gmem_call(m->world, call, r)) {
	case GMEM_DONE:
		return BACKEND_DONE;
	case GMEM_VIOLATED:
		return violated(m->world, e);
	case GMEM_FAILED:
		return broken(e, "no memory for the model");
	default:
		broken(e, "the model has no answer: a descriptor of a kind, or a number, that it "
			  "does not know there");
		return BACKEND_UNSUPPORTED;
	}
}

static enum backend_status model_reset(void *ctx, struct backend_error *e)
{
	struct model *m = ctx;

	if (gmem_world_copy(m->world, m->fresh) != GMEM_DONE)
		return broken(e, "no memory for a world");
	gmem_world_set_profile(m->world, gmem_world_profile(m->fresh));
	return BACKEND_DONE;
}

struct gmem_world *backend_model_world(void *ctx)
{
	return ((struct model *)ctx)->world;
}

const struct backend backend_model = {
	.name = "model",
	.machine = model_machine,
	.open = model_open,
	.call = model_call,
	.reset = model_reset,
	.close = model_close,
};
