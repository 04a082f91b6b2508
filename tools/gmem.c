/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gmem: one command, one file per subcommand. This one only finds out which.
 *
 * The first argument that is no option names the subcommand, which parses what follows by itself.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
} commands[] = {
	{ "replay", cmd_replay, "run traces on the model (or on /dev/kvm) and judge the results" },
	{ "record", cmd_record, "run a trace on /dev/kvm and fill its results in" },
	{ "compare", cmd_compare, "run traces, given or random, on the model and on /dev/kvm" },
	{ "explain", cmd_explain, "say which rule decided each call of a trace; print rules" },
	{ "explore", cmd_explore, "run calls that overlap in every order of their rows" },
	{ "locks", cmd_locks, "say in which order locks are taken, and what could deadlock" },
	{ "bugs", cmd_bugs, "list the bugs of the museum; tell the story of one" },
	{ "profiles", cmd_profiles, "list the designs and releases that the model knows" },
};
#define NR_COMMANDS (sizeof(commands) / sizeof(commands[0]))

const char *argp_program_bug_address;

static void print_version(FILE *f, struct argp_state *state)
{
	(void)state;
	fprintf(f, "gmem %s\n", gmem_version());
}

void (*argp_program_version_hook)(FILE *, struct argp_state *) = print_version;

static const char *list_commands(void)
{
	static char list[256];
	size_t i, n = 0;

	for (i = 0; i < NR_COMMANDS; i++)
		n += snprintf(list + n, sizeof(list) - n, "%s%s", i ? ", " : "", commands[i].name);
	return list;
}

/* The place of the subcommand's name in argv. */
static error_t on_option(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	if (key == ARGP_KEY_NO_ARGS)
		argp_error(state, "which command? %s", list_commands());
	if (key != ARGP_KEY_ARG)
		return ARGP_ERR_UNKNOWN;
	*(int *)state->input = state->next - 1;
	state->next = state->argc;
	return 0;
}

static char *add_commands(int key, const char *text, void *input)
{
	struct text t;
	size_t i;

	(void)input;
	if (key != ARGP_KEY_HELP_POST_DOC)
		return (char *)text;
	text_begin(&t);
	fputs("Commands:\n", t.f);
	for (i = 0; i < NR_COMMANDS; i++)
		fprintf(t.f, "  %-10s %s\n", commands[i].name, commands[i].summary);
	fputs("\nFor a start: echo 'close(-1) = EINVAL' | gmem replay -\n"
	      "\n`gmem COMMAND --help' tells more about each. Exit status: 0 as demanded, 1 not as "
	      "demanded, 2 the input or the use is wrong, 77 the machine lacks what was asked. "
	      "Manuals: gmem(1), gmem-trace(5), guest_memfd-model(7).",
	      t.f);
	return text_end(&t);
}

static int run(const char *name, int (*command)(int, char **), int argc, char **argv)
{
	char title[32];
	int status;

	snprintf(title, sizeof(title), "gmem %s", name);
	argv[0] = title;
	status = command(argc, argv);
	progress_end();
	return status;
}

/*
 * However the program ends (--help and --version end it inside argp): what was printed has to have
 * arrived.
 */
static void close_stdout(void)
{
	int failed = ferror(stdout);

	if (!fflush(stdout) && !failed)
		return;
	fputs("gmem: cannot write to standard output\n", stderr);
	_exit(EXIT_WRONG_USE);
}

int main(int argc, char **argv)
{
	const struct argp argp = {
		.parser = on_option,
		.args_doc = "COMMAND [ARGUMENT...]",
		.doc = "A reference model of Linux guest_memfd: what each call returns, and why.\v-",
		.help_filter = add_commands,
	};
	int at = 0;
	size_t i;

	atexit(close_stdout);
	argp_err_exit_status = EXIT_WRONG_USE;
	argv[0] = "gmem";
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &at);
	for (i = 0; i < NR_COMMANDS; i++)
		if (!strcmp(commands[i].name, argv[at]))
			return run(commands[i].name, commands[i].run, argc - at, argv + at);
	fprintf(stderr,
		"gmem: unknown command %s: there are %s\nTry `gmem --help' for more information.\n",
		argv[at], list_commands());
	return EXIT_WRONG_USE;
}
