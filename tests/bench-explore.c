/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The explorer beside Spin, on one scene: `make bench` runs it.
 *
 * bench-explore.trace has the scene for gmem explore, bench-explore.pml for Spin, a row of our
 * tables a statement; spin.sh builds it, where there is Spin. First both go through four of the
 * seven tasks to the end, without reduction: that they come to about the same number of states
 * says that it is the same scene. Then they have SECONDS each for all seven, and the figure is
 * states a second. Both are programs of one thread; Spin stores whole states, we 64 bits of each.
 *
 * Then the reduction: four tasks with and without it to the end, and all seven with it. Where that
 * ends, the search without it is cut at MOST_FACTOR times as many states.
 *
 * What is judged is that the two agree, no more than MOST_RATIO between their states; that we store
 * at least LEAST_SPEED times as many states a second; and that the reduction leaves at most one in
 * LEAST_REDUCTION of them. Where one is missed, or cannot be run, the exit status is 1.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench.h"
#include "common.h"

#define ROUNDS 3
#define SECONDS 5
#define SECONDS_WITH_REDUCTION 20
#define MOST_FACTOR 10
#define MOST_RATIO 3.0
#define LEAST_SPEED 1.0
#define LEAST_REDUCTION 10.0

/* The tasks of a scene: their letters in the trace, and the same as bits for Spin. */
#define FOUR "ACEF"
#define FOUR_BITS "53"
#define SEVEN "ABCDEFG"
#define SEVEN_BITS "127"

struct search {
	double states, rows, seconds; /* of a processor */
	bool cut;
};

static const char *source(void)
{
	return getenv("srcdir") ? getenv("srcdir") : ".";
}

/* Whether the line is that of a task that is not among them. */
static bool is_of_another(const char *line, const char *tasks)
{
	return line[0] >= 'A' && line[0] <= 'Z' && (line[1] == ':' || line[1] == ' ') &&
	       !strchr(tasks, line[0]);
}

/* The trace with these tasks alone, as a file of the build folder. */
static const char *trace_of(const char *tasks)
{
	static char name[64];
	char from[1024], line[512];
	FILE *in, *out;

	snprintf(name, sizeof(name), "bench-explore-%s.tmp", tasks);
	snprintf(from, sizeof(from), "%s/tests/bench-explore.trace", source());
	in = fopen(from, "r");
	out = fopen(name, "w");
	if (!in || !out)
		die("cannot copy %s to %s", from, name);
	while (fgets(line, sizeof(line), in))
		if (!is_of_another(line, tasks))
			fputs(line, out);
	fclose(in);
	fclose(out);
	return name;
}

/* What programs have taken that have ended: of processors, so that others may run beside. */
static double spent(void)
{
	struct rusage u;

	getrusage(RUSAGE_CHILDREN, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* What a program says; the caller's to free. Programs that are cut end with other statuses than 0. */
static char *output_of(const char *command, struct search *s)
{
	double began = spent();
	struct text t;
	char line[512];
	FILE *f = popen(command, "r");

	if (!f)
		die("cannot run %s", command);
	text_begin(&t);
	while (fgets(line, sizeof(line), f))
		fputs(line, t.f);
	pclose(f);
	s->seconds = spent() - began;
	return text_end(&t);
}

/* gmem explore with these options. */
static struct search ours(const char *tasks, const char *options)
{
	struct search s = { 0 };
	char command[256], *said;

	snprintf(command, sizeof(command), "./gmem explore %s %s", options, trace_of(tasks));
	said = output_of(command, &s);
	if (!strchr(said, ' ') ||
	    sscanf(strchr(said, ' '), "%lf states, %lf rows", &s.states, &s.rows) != 2)
		die("%s: %s", command, said);
	s.cut = strstr(said, "Not everything was seen") != NULL;
	free(said);
	return s;
}

static double number_before(const char *said, const char *words)
{
	const char *at = strstr(said, words);

	while (at && at > said && at[-1] != '\n')
		at--;
	return at ? strtod(at, NULL) : 0;
}

static bool there_is_spin(void)
{
	return access("bench-spin/pan-" SEVEN_BITS, X_OK) == 0;
}

/* Interrupted by SIGINT it says how far it has come. */
static struct search spins(const char *bits, int limit)
{
	struct search s = { 0 };
	char command[256], *said;

	snprintf(command, sizeof(command), "timeout -s INT %d bench-spin/pan-%s -w26 -m100000",
		 limit, bits);
	said = output_of(command, &s);
	s.states = number_before(said, " states, stored");
	s.rows = number_before(said, " transitions (=");
	if (!strstr(said, "errors: 0") || !s.states)
		die("%s: %s", command, said);
	s.cut = strstr(said, "Interrupted") != NULL;
	free(said);
	return s;
}

static void print(const char *who, const struct search *s)
{
	printf("%-38s %10.0f %11.0f %8.2f %10.0f %10.0f%s\n", who, s->states, s->rows, s->seconds,
	       s->states / s->seconds, s->rows / s->seconds, s->cut ? "  (cut)" : "");
}

/* 1 if the two do not seem to be about the same. */
static int compare_scenes(void)
{
	struct search a = ours(FOUR, "--full"), b;
	double ratio;

	print("gmem, 4 tasks, to the end", &a);
	if (!there_is_spin())
		return 0;
	b = spins(FOUR_BITS, 600);
	print("Spin, 4 tasks, to the end", &b);
	ratio = a.states > b.states ? a.states / b.states : b.states / a.states;
	printf("%-38s %10.2f\n", "states of gmem to those of Spin", a.states / b.states);
	return ratio > MOST_RATIO;
}

static int by_speed(const void *a, const void *b)
{
	const struct search *x = a, *y = b;
	double fast = x->states / x->seconds - y->states / y->seconds;

	return (fast > 0) - (fast < 0);
}

/* 1 if we are slower. */
static int compare_speed(void)
{
	struct search a[ROUNDS], b[ROUNDS];
	char options[64];
	double speed;
	int i;

	snprintf(options, sizeof(options), "--full --states 1000000000 --seconds %d", SECONDS);
	for (i = 0; i < ROUNDS; i++) {
		a[i] = ours(SEVEN, options);
		if (there_is_spin())
			b[i] = spins(SEVEN_BITS, SECONDS);
	}
	qsort(a, ROUNDS, sizeof(a[0]), by_speed);
	print("gmem, 7 tasks", &a[ROUNDS / 2]);
	if (!there_is_spin())
		return 0;
	qsort(b, ROUNDS, sizeof(b[0]), by_speed);
	print("Spin, 7 tasks", &b[ROUNDS / 2]);
	speed = a[ROUNDS / 2].states / a[ROUNDS / 2].seconds /
		(b[ROUNDS / 2].states / b[ROUNDS / 2].seconds);
	printf("%-38s %43.2f %10.2f\n", "gmem to Spin", speed,
	       a[ROUNDS / 2].rows / a[ROUNDS / 2].seconds /
		       (b[ROUNDS / 2].rows / b[ROUNDS / 2].seconds));
	return speed < LEAST_SPEED;
}

/* 1 if it leaves more. */
static int compare_reduction(void)
{
	struct search full = ours(FOUR, "--full"), reduced = ours(FOUR, "");
	int missed = full.states / reduced.states < LEAST_REDUCTION;
	char options[64];

	print("gmem, 4 tasks, reduced, to the end", &reduced);
	printf("%-38s %10.1f\n", "reduction, 4 tasks", full.states / reduced.states);
	snprintf(options, sizeof(options), "--states 1000000000 --seconds %d",
		 SECONDS_WITH_REDUCTION);
	reduced = ours(SEVEN, options);
	print("gmem, 7 tasks, reduced", &reduced);
	if (reduced.cut) {
		printf("%-38s %10s\n", "reduction, 7 tasks", "not known");
		return missed;
	}
	snprintf(options, sizeof(options), "--full --states %.0f", MOST_FACTOR * reduced.states);
	full = ours(SEVEN, options);
	print("gmem, 7 tasks, not reduced", &full);
	printf("%-38s %s%9.1f\n", "reduction, 7 tasks", full.cut ? "more than" : "",
	       full.states / reduced.states);
	return missed || (!full.cut && full.states / reduced.states < LEAST_REDUCTION);
}

static int judged(const char *what, double limit, int missed)
{
	printf("Target: %s %.0f: %s\n", what, limit, missed ? "missed" : "met");
	return missed;
}

int main(void)
{
	int scenes, speed, reduction;

	bench_title("The explorer beside Spin", ROUNDS);
	printf("%-38s %10s %11s %8s %10s %10s\n", "without reduction", "states", "rows", "seconds",
	       "states/s", "rows/s");
	scenes = compare_scenes();
	speed = compare_speed();
	if (!there_is_spin())
		printf("Skipped: Spin is not there.\n");
	reduction = compare_reduction();
	putchar('\n');
	scenes = judged("between the states of the two scenes a factor below", MOST_RATIO, scenes);
	if (there_is_spin())
		speed = judged("states a second, to Spin's, at least", LEAST_SPEED, speed);
	reduction = judged("fewer states with the reduction, by", LEAST_REDUCTION, reduction);
	return scenes || speed || reduction;
}
