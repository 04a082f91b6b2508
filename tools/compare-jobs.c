/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Processes that compare random traces; see compare-jobs.h.
 *
 * Process k of n takes traces k, k + n, k + 2n ... and writes one byte for each into memory that
 * all share. They die with their parent.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"
#include "compare-jobs.h"
#include "random.h"

#define MAX_SIGHTS 1024

struct shared {
	struct jobs_totals totals;
	struct jobs_sight sights[MAX_SIGHTS];
	_Atomic unsigned int nr_sights;
	_Atomic uint8_t results[]; /* enum compared plus 1; 0: not yet */
};

struct jobs {
	struct jobs_plan plan;
	struct shared *shared;
	size_t size;
	pid_t pids[JOBS_MAX];
};

static void count(struct jobs_totals *n, const struct comparer *c, const struct trace *t)
{
	size_t i;

	n->traces++;
	n->calls += c->nr_calls;
	for (i = 0; i < COMPARE_BUGS; i++)
		n->known[i] += c->known[i];
	for (i = 0; i < c->nr_calls; i++) {
		n->made[t->calls[i].linked.call.verb]++;
		n->worked[t->calls[i].linked.call.verb] += result_succeeded(&c->kernel[i]);
	}
}

static void note(struct shared *s, const struct comparer *c, unsigned long i, enum compared r)
{
	unsigned int n = s->nr_sights++;
	struct jobs_sight *sight = &s->sights[n];

	if (n >= MAX_SIGHTS)
		return;
	sight->trace = i;
	sight->result = r;
	sight->at = c->at;
	sight->error = c->error;
	if (r == COMPARED_DIFFERENT) {
		sight->model = c->model[c->at];
		sight->kernel = c->kernel[c->at];
	}
}

static void work(const struct jobs *j, unsigned int first)
{
	const struct jobs_plan *p = &j->plan;
	struct comparer c;
	struct trace t;
	unsigned long i;
	enum compared r;

	if (comparer_open(&c, p->profile, &p->machine) != BACKEND_DONE)
		die("%s", c.error.why);
	for (i = first; i < p->count; i += p->jobs) {
		compare_generate(&c, &t, random_nth_seed(p->seed, i), p->length);
		r = compare(&c, &t);
		count(&j->shared->totals, &c, &t);
		if (r != COMPARED_SAME)
			note(j->shared, &c, i, r);
		j->shared->results[i] = 1 + r;
		trace_free(&t);
	}
	comparer_close(&c);
}

static void start_one(struct jobs *j, unsigned int k)
{
	pid_t parent = getpid();

	j->pids[k] = fork();
	if (j->pids[k] < 0)
		die("cannot fork: %s", strerror(errno));
	if (j->pids[k])
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_WRONG_USE);
	work(j, k);
	_exit(0);
}

struct jobs *jobs_start(const struct jobs_plan *plan)
{
	struct jobs *j = xcalloc(1, sizeof(*j));
	unsigned int k;

	j->plan = *plan;
	if (!j->plan.jobs)
		j->plan.jobs = 4 * sysconf(_SC_NPROCESSORS_ONLN);
	if (j->plan.jobs > JOBS_MAX)
		j->plan.jobs = JOBS_MAX;
	if (j->plan.jobs > plan->count)
		j->plan.jobs = plan->count;
	j->size = sizeof(*j->shared) + plan->count;
	j->shared = mmap(NULL, j->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (j->shared == MAP_FAILED)
		die("no memory for %lu results", plan->count);
	fflush(NULL);
	for (k = 0; k < j->plan.jobs; k++)
		start_one(j, k);
	return j;
}

/* Whether the process has ended; if not in peace, the program ends too. */
static int has_ended(struct jobs *j, unsigned int k)
{
	int status;

	if (!j->pids[k] || waitpid(j->pids[k], &status, WNOHANG) != j->pids[k])
		return !j->pids[k];
	j->pids[k] = 0;
	if (WIFSIGNALED(status))
		die("a process that compared traces died of signal %d", WTERMSIG(status));
	if (WEXITSTATUS(status))
		exit(WEXITSTATUS(status));
	return 1;
}

enum compared jobs_result(struct jobs *j, unsigned long i)
{
	while (!j->shared->results[i]) {
		if (has_ended(j, i % j->plan.jobs) && !j->shared->results[i])
			die("a process that compared traces ended early");
		usleep(5000);
	}
	return (enum compared)(j->shared->results[i] - 1);
}

const struct jobs_sight *jobs_sight(const struct jobs *j, unsigned long i)
{
	unsigned int k, n = j->shared->nr_sights;

	for (k = 0; k < n && k < MAX_SIGHTS; k++)
		if (j->shared->sights[k].trace == i && j->shared->results[i])
			return &j->shared->sights[k];
	return NULL;
}

const struct jobs_totals *jobs_totals(const struct jobs *j)
{
	return &j->shared->totals;
}

void jobs_end(struct jobs *j)
{
	unsigned int k;

	for (k = 0; k < j->plan.jobs; k++) {
		if (!j->pids[k])
			continue;
		kill(j->pids[k], SIGTERM);
		waitpid(j->pids[k], NULL, 0);
	}
	munmap(j->shared, j->size);
	free(j);
}
