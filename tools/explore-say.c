/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an exploration found, in plain words; see explore-say.h.
 */
#include "explore-say.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "deadlock.h"
#include "report.h"

#define MOST_SHOWN 40u

/* As replay does: call number n is not as demanded. */
static void say_result(FILE *f, const struct scene *s, const char *file, size_t n,
		       const struct gmem_result *r)
{
	const struct made_call m = {
		.file = file, .t = s->t, .c = &s->t->calls[n], .r = r, .profile = s->profile
	};

	story_unmet(f, &m);
}

void say_finding(FILE *f, const struct scene *s, const char *file, const struct timeline *tl)
{
	const struct gmem_explored *x = &s->x;

	switch (x->finding) {
	case GMEM_FOUND_VIOLATION:
		fprintf(f, "%s: invariant %s is violated: %s Seen: %s (%llu, %llu)\n", file,
			x->violation.invariant, x->violation.sentence, x->violation.saw,
			(unsigned long long)x->violation.a, (unsigned long long)x->violation.b);
		break;
	case GMEM_FOUND_DEADLOCK:
		fprintf(f, "%s: deadlock: ", file);
		deadlock_print_circle(f, tl);
		fputc('\n', f);
		deadlock_print(f, tl);
		break;
	case GMEM_FOUND_RESULT:
		say_result(f, s, file, s->t->par_first + x->call, &x->result);
		break;
	case GMEM_FOUND_END:
		say_result(f, s, file, s->unmet, &s->results[s->unmet]);
		break;
	default:
		fprintf(f, "%s: a call that the model has no answer to\n", file);
		break;
	}
}

/* ---- how much was seen ---- */

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

void say_unseen(FILE *f, const struct scene *s, const char *file, const struct gmem_bounds *b,
		const char *why)
{
	const struct gmem_explored *x = &s->x;

	if (!(x->cut & ~GMEM_CUT_CHANCE))
		return;
	fprintf(f, "%s%sNot everything was seen.", file ? file : "   ", file ? ": " : " ");
	if (x->cut & GMEM_CUT_STATES)
		fprintf(f, " It stopped at %" PRIu64 " state%s (--states).", b->states,
			plural(b->states));
	if (x->cut & GMEM_CUT_MEMORY)
		fprintf(f, " It stopped at %" PRIu64 " MiB (--memory).", b->memory >> 20);
	if (why)
		fprintf(f, " It stopped because %s.", why);
	else if (x->cut & GMEM_CUT_TOLD)
		fprintf(f, " It stopped when the time was up (--seconds).");
	if (x->cut & GMEM_CUT_PREEMPTIONS)
		fprintf(f, " Orders with more than %u preemption%s were left out (--preemptions).",
			b->preemptions, plural(b->preemptions));
	if (x->cut & GMEM_CUT_DEPTH)
		fprintf(f, " Orders of more than %u rows were cut off there.", x->deepest);
	if (x->queue)
		fprintf(f, " %" PRIu64 " state%s not fully explored.", x->queue,
			x->queue == 1 ? " was" : "s were");
	fprintf(f, "\n");
}

static void say_cut(FILE *f, const struct scene *s, const struct gmem_bounds *b, const char *why)
{
	const struct gmem_explored *x = &s->x;

	if (x->cut & GMEM_CUT_CHANCE)
		fprintf(f,
			"    These are %" PRIu64 " random order%s, from seed %" PRIu64
			"; there may be others.\n",
			x->ends, plural(x->ends), b->seed);
	else
		say_unseen(f, s, NULL, b, why);
}

void say_extent(FILE *f, const struct scene *s, const char *file, const struct gmem_bounds *b,
		const char *why)
{
	const struct gmem_explored *x = &s->x;

	fprintf(f, "%s: ", file);
	if (b->shards)
		fprintf(f, "part %u of %u: ", b->shard, b->shards);
	if (b->walks)
		fprintf(f, "%" PRIu64 " orders, %" PRIu64 " rows: nothing found\n", x->ends,
			x->steps);
	else
		fprintf(f,
			"%" PRIu64 " states, %" PRIu64 " rows, %" PRIu64 " ends: nothing found\n",
			x->states, x->steps, x->ends);
	say_cut(f, s, b, why);
}

/* ---- what the calls can result in ---- */

static char *outcome_text(const struct scene *s, const struct gmem_result *results)
{
	size_t nr = s->t->par_end - s->t->par_first, size;
	char *text;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		die("out of memory");
	for (size_t i = 0; i < nr; i++) {
		const struct trace_call *c = &s->t->calls[s->t->par_first + i];
		char *result = result_text(c->linked.call.verb, &results[i]);

		fprintf(f, "%s %s = %s", i ? ";" : "", trace_task_name(s->t, c->linked.call.task),
			result);
		free(result);
	}
	fclose(f);
	return text;
}

static int is_among(char **texts, size_t n, const char *text)
{
	while (n-- > 0)
		if (!strcmp(texts[n], text))
			return 1;
	return 0;
}

/* Two that only differ in numbers of descriptors look the same, and are shown once. */
void say_outcomes(FILE *f, const struct scene *s)
{
	size_t nr = s->t->par_end - s->t->par_first, shown = 0, i;
	char *texts[MOST_SHOWN];

	if (s->nr_outcomes > s->x.ends)
		fprintf(f, "    Outcomes, including those seen while sampling:\n");
	for (i = 0; i < s->nr_outcomes && shown < MOST_SHOWN; i++) {
		texts[shown] = outcome_text(s, s->outcomes + i * nr);
		if (is_among(texts, shown, texts[shown]))
			free(texts[shown]);
		else
			fprintf(f, "   %s\n", texts[shown++]);
	}
	if (i < s->nr_outcomes)
		fprintf(f, "    and more\n");
	while (shown > 0)
		free(texts[--shown]);
}
