/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gmem pin: a long-term pin of pages of a file of a mounted gmemfs, as a device takes one; and its
 * end, which names it by the number that was printed.
 */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "mounted.h"

struct pin {
	struct words words;
	int64_t end; /* the pin to end; or -1 */
};

static error_t on_option(int key, char *arg, struct argp_state *state)
{
	struct pin *o = state->input;

	if (key != 'u')
		return word_option(&o->words, key, arg, state);
	o->end = (int64_t)number_option(state, "--unpin", arg, 0, INT32_MAX);
	o->words.want = 1;
	return 0;
}

static const struct argp_option options[] = {
	{ "unpin", 'u', "NUMBER", 0, "End the pin of that number; only FILE is given then", 0 },
	{ NULL, 0, NULL, 0, NULL, 0 },
};

static const struct argp argp = {
	.options = options,
	.parser = on_option,
	.args_doc = "FILE [OFFSET SIZE]",
	.doc = "Pin pages of a file of a mounted gmemfs(1), and print the number of the pin.\vExit "
	       "status: 0 if they were pinned, 1 if that was refused, 2 if the use is wrong.",
};

int cmd_pin(int argc, char **argv)
{
	struct pin o = { .words.want = 3, .end = -1 };
	struct gmem_call c = { .verb = GMEM_PIN };
	struct gmem_result r;
	int fd, status;

	parse_options(&argp, argc, argv, &o);
	if (o.end >= 0) {
		c.verb = GMEM_UNPIN;
		c.fd = o.end;
	} else {
		c.offset = size_word(argv[0], "OFFSET", o.words.w[1]);
		c.length = size_word(argv[0], "SIZE", o.words.w[2]);
	}
	fd = mounted_open(argv[0], o.words.w[0]);
	status = mounted_call(argv[0], fd, &c, &r);
	close(fd);
	if (status)
		return status;
	if (!result_succeeded(&r))
		return refused(argv[0], (int)-r.value);
	if (c.verb == GMEM_PIN)
		printf("%" PRId64 "\n", r.value);
	return EXIT_AS_DEMANDED;
}
