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
#include "trace-parse.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
} commands[] = {
	{ "replay", cmd_replay, "run traces on the model (or on /dev/kvm) and judge the results" },
	{ "run", cmd_run, "run a program whose /dev/kvm is the model" },
	{ "record", cmd_record, "run a trace on /dev/kvm and fill in its results" },
	{ "compare", cmd_compare, "run traces, given or random, on the model and on /dev/kvm" },
	{ "explain", cmd_explain, "show which rule decided each call of a trace; print rules" },
	{ "explore", cmd_explore, "run overlapping calls in every order of their rows" },
	{ "locks", cmd_locks, "show in which order locks are taken, and what could deadlock" },
	{ "diff", cmd_diff, "run a trace under several designs, and show what differs" },
	{ "bugs", cmd_bugs, "list known bugs, or describe one" },
	{ "profiles", cmd_profiles, "list the designs and releases that the model knows" },
	{ "create", cmd_create, "create a file in a mounted gmemfs" },
	{ "convert", cmd_convert, "make pages of a mounted file private or shared" },
	{ "show", cmd_show, "show which pages of a mounted file are what" },
	{ "bind", cmd_bind, "bind a mounted file to a memslot of its VM" },
	{ "guest-load", cmd_guest_load, "load from memory of a guest whose VM is mounted" },
	{ "guest-store", cmd_guest_store, "store to memory of a guest whose VM is mounted" },
	{ "pin", cmd_pin, "pin pages of a mounted file, or end that" },
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
		fprintf(t.f, "  %-11s %s\n", commands[i].name, commands[i].summary);
	fputs("\nTo begin with: echo 'close(-1) = EINVAL' | gmem replay -\n"
	      "\n`gmem COMMAND --help' says more about each. Exit status: 0 as demanded, 1 not as "
	      "demanded, 2 malformed or misused, 77 the machine lacks what was asked. "
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

static const char *nth_command(const void *arg, unsigned int n)
{
	(void)arg;
	return n < NR_COMMANDS ? commands[n].name : NULL;
}

static int unknown_command(const char *word)
{
	const char *near = nearest_name(word, nth_command, NULL);

	fprintf(stderr, "gmem: unknown command '%s'; ", word);
	if (near)
		fprintf(stderr, "did you mean %s?\n", near);
	else
		fprintf(stderr, "there are %s\n", list_commands());
	fputs("Try `gmem --help' for more information.\n", stderr);
	return EXIT_WRONG_USE;
}

/* help [COMMAND] is [COMMAND] --help. */
static void take_help(char **argv, int at, int argc)
{
	static char help[] = "--help";

	if (at == argc || strcmp(argv[at], "help"))
		return;
	if (at + 1 < argc)
		argv[at] = argv[at + 1];
	argv[at + (at + 1 < argc)] = help;
}

int main(int argc, char **argv)
{
	const struct argp argp = {
		.parser = on_option,
		.args_doc = "COMMAND [ARGUMENT...]",
		.doc = "A reference model of Linux guest_memfd: what each call returns, and why.\v-",
		.children = help_option,
		.help_filter = add_commands,
	};
	int at = 0;
	size_t i;

	atexit(close_stdout);
	argp_err_exit_status = EXIT_WRONG_USE;
	argv[0] = "gmem";
	take_help(argv, 1, argc);
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &at);
	for (i = 0; i < NR_COMMANDS; i++)
		if (!strcmp(commands[i].name, argv[at]))
			return run(commands[i].name, commands[i].run, argc - at, argv + at);
	return unknown_command(argv[at]);
}
