/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gmem diff: one trace told under several designs, call by call.
 */
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "diff.h"

enum { OPTION_EXIT_CODE = 512, OPTION_HTML, OPTION_MARKDOWN };

struct options {
	struct diff d;
	const char *profiles, *path;
	void (*show)(FILE *f, const struct diff *d, int only);
	int only, exit_code;
};

static void set_show(struct argp_state *state, void (*show)(FILE *, const struct diff *, int))
{
	struct options *o = state->input;

	if (o->show && o->show != show)
		argp_error(state, "one of --html, --json and --markdown is enough");
	o->show = show;
}

/* NAME, or NAME+BUG+BUG. */
static void add_profile(struct argp_state *state, struct diff *d, char *name)
{
	struct bugs_asked bugs = { .n = 0 };
	char *bug = strchr(name, '+'), *next;
	const struct gmem_profile *p;
	struct gmem_profile *copy;

	if (bug)
		*bug++ = 0;
	p = profile_option(state, name);
	for (; bug; bug = next) {
		next = strchr(bug, '+');
		if (next)
			*next++ = 0;
		bug_option(state, &bugs, bug);
	}
	copy = profile_with_bugs("gmem diff", p, &bugs);
	diff_add(d, copy ? copy : p, copy);
}

static void add_all(struct diff *d)
{
	unsigned int i;

	for (i = 0; gmem_profile(i); i++)
		diff_add(d, gmem_profile(i), NULL);
}

static void add_profiles(struct argp_state *state, struct options *o)
{
	char *list = xstrndup(o->profiles, strlen(o->profiles)), *name = list, *next;

	for (; name; name = next) {
		next = strchr(name, ',');
		if (next)
			*next++ = 0;
		if (!*name)
			argp_error(state, "an empty name among the profiles: %s", o->profiles);
		if (!strcmp(name, "all"))
			add_all(&o->d);
		else
			add_profile(state, &o->d, name);
	}
	free(list);
}

static error_t on_option(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'd':
		o->only = 1;
		break;
	case 'j':
		set_show(state, diff_json);
		break;
	case 'p':
		o->profiles = arg;
		break;
	case OPTION_EXIT_CODE:
		o->exit_code = 1;
		break;
	case OPTION_HTML:
		set_show(state, diff_html);
		break;
	case OPTION_MARKDOWN:
		set_show(state, diff_markdown);
		break;
	case ARGP_KEY_ARG:
		if (o->path)
			argp_error(state, "one trace at a time");
		o->path = arg;
		break;
	case ARGP_KEY_END:
		if (!o->path)
			argp_error(state, "which trace?");
		add_profiles(state, o);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp_option options[] = {
	{ "profiles", 'p', "LIST", 0,
	  "The designs, separated by commas; each may have bugs, as in linux-6.8+B45; all (the "
	  "default) is every one",
	  0 },
	{ "differing", 'd', NULL, 0, "Show only calls whose results differ", 0 },
	{ "exit-code", OPTION_EXIT_CODE, NULL, 0, "Exit with status 1 if results differ", 0 },
	{ "html", OPTION_HTML, NULL, 0,
	  "Print one page of HTML, with pictures of the pages after every call", 0 },
	{ "json", 'j', NULL, 0, "Print one JSON object per line", 0 },
	{ "markdown", OPTION_MARKDOWN, NULL, 0, "Print a table in Markdown", 0 },
	{ NULL, 0, NULL, 0, NULL, 0 },
};

static const struct argp argp = {
	.options = options,
	.parser = on_option,
	.args_doc = "TRACE",
	.doc = "Run a trace under several designs and show their results side by side, with the rule "
	       "behind each. A call that a design does not have is replaced by what means the same "
	       "there; gmem-trace(5) says what that is.\vNothing is judged. Exit status: 0; with "
	       "--exit-code 1 if results differ; 2 if the trace or the use is wrong. See gmem(1).",
};

int cmd_diff(int argc, char **argv)
{
	struct options o = { .profiles = "all" };
	struct trace t;
	int differ;

	parse_options(&argp, argc, argv, &o);
	o.show = o.show ? o.show : diff_text;
	if (!read_trace_with_calls(&t, "gmem diff", o.path)) {
		free(o.d.columns);
		return EXIT_WRONG_USE;
	}
	o.d.file = shown_name(o.path);
	o.d.t = &t;
	o.d.with_states = o.show == diff_html || o.show == diff_json;
	diff_run(&o.d);
	o.show(stdout, &o.d, o.only);
	differ = o.d.nr_differing > 0;
	diff_free(&o.d);
	trace_free(&t);
	return o.exit_code && differ ? EXIT_NOT_AS_DEMANDED : EXIT_AS_DEMANDED;
}
