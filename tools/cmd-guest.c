/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gmem guest-load and gmem guest-store: access guest memory of a mounted gmemfs, as the guest would.
 */
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "mounted.h"

struct access {
	struct words words;
	uint64_t width;
	int private;
};

static error_t on_option(int key, char *arg, struct argp_state *state)
{
	struct access *o = state->input;

	switch (key) {
	case 'w':
		o->width = number_option(state, "--width", arg, 1, 8);
		return 0;
	case 'p':
		o->private = 1;
		return 0;
	default:
		return word_option(&o->words, key, arg, state);
	}
}

static const struct argp_option options[] = {
	{ "width", 'w', "BYTES", 0, "1 (the default), 2, 4 or 8", 0 },
	{ "private", 'p', NULL, 0, "As private memory; only guests of SNP and TDX can say so", 0 },
	{ NULL, 0, NULL, 0, NULL, 0 },
};

#define EXITS "\vExit status: 0 if the access succeeded, 1 if not, 2 if the use is wrong."

static const struct argp load_argp = {
	.options = options,
	.parser = on_option,
	.args_doc = "DIRECTORY GPA",
	.doc = "Load from memory of the guest whose VM is a directory of a mounted gmemfs(1), and print the value." EXITS,
};

static const struct argp store_argp = {
	.options = options,
	.parser = on_option,
	.args_doc = "DIRECTORY GPA VALUE",
	.doc = "Store VALUE to memory of the guest whose VM is a directory of a mounted gmemfs(1)." EXITS,
};

static int guest_access(const struct argp *argp, uint32_t verb, int argc, char **argv)
{
	bool is_store = verb == GMEM_GUEST_STORE;
	struct access o = { .words.want = is_store ? 3 : 2, .width = 1 };
	struct gmem_call c = { .verb = verb };
	struct gmem_result r;
	int fd, status;

	parse_options(argp, argc, argv, &o);
	c.gpa = size_word(argv[0], "GPA", o.words.w[1]);
	c.size = o.width;
	c.access = o.private ? GMEM_ACCESS_PRIVATE : 0;
	if (is_store)
		c.value = size_word(argv[0], "VALUE", o.words.w[2]);
	fd = mounted_open(argv[0], o.words.w[0]);
	status = mounted_call(argv[0], fd, &c, &r);
	close(fd);
	return status ? status : tell_result(argv[0], c.verb, &r);
}

int cmd_guest_load(int argc, char **argv)
{
	return guest_access(&load_argp, GMEM_GUEST_LOAD, argc, argv);
}

int cmd_guest_store(int argc, char **argv)
{
	return guest_access(&store_argp, GMEM_GUEST_STORE, argc, argv);
}
