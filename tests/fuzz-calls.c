/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A fuzz target: bytes are calls (call-bytes.h), made on the model and on the oracle.
 *
 * After every call the invariants hold, and the oracle agrees for as long as it has an opinion.
 * What is wrong is made small, printed as a trace, and ends in abort(). For libFuzzer; AFL++ runs
 * the same function persistently (make fuzz-afl). tests/fuzz-seed makes inputs of traces.
 */
#include <stdlib.h>

#include "call-bytes.h"
#include "pair.h"
#include "shrink.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int still_wrong(void *arg, const struct trace *t)
{
	return pair_run_trace(arg, t) != PAIR_AGREES;
}

static void report(struct pair *p, const struct linked_call *calls, size_t n)
{
	struct trace t;
	size_t i;

	trace_init(&t);
	t.profile = p->profile;
	t.machine = p->machine;
	t.machine_says = 0xff;
	for (i = 0; i < n; i++)
		trace_add(&t, &calls[i]);
	if (still_wrong(p, &t))
		shrink(&t, still_wrong, p);
	pair_explain(stderr, p, &t);
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct byte_reader b = { data, data + size };
	struct linked_call calls[BYTES_CALLS];
	struct gmem_result results[BYTES_CALLS];
	static struct pair p;
	struct bytes_world w;
	uint32_t n;

	if (!p.oracle)
		pair_open(&p);
	bytes_to_world(&b, &w);
	pair_begin(&p, w.profile, &w.machine, w.checking);
	for (n = 0; bytes_to_call(&b, n, &calls[n]); n++) {
		struct gmem_call c = backend_resolve(&calls[n], results);
		enum pair_verdict verdict = pair_call(&p, &c, &results[n]);

		if (verdict != PAIR_AGREES && verdict != PAIR_OUTSIDE)
			report(&p, calls, n + 1);
	}
	return 0;
}
