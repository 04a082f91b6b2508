/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The back end that is the model; see backend.h.
 */
#ifndef BACKEND_MODEL_H
#define BACKEND_MODEL_H

#include "backend.h"

/* The world behind an open context of backend_model; stays the back end's. */
struct gmem_world *backend_model_world(void *ctx);
/* After gmem_call(): says in the result whether a load's value is what was loaded. */

#endif
