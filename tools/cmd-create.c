/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gmem create: a guest_memfd of a mounted gmemfs, by the name that its user wants.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "cmd.h"
#include "mounted.h"

struct create {
	struct words words;
	const char *size, *flags;
};

static error_t on_option(int key, char *arg, struct argp_state *state)
{
	struct create *o = state->input;

	switch (key) {
	case 's':
		o->size = arg;
		return 0;
	case 'f':
		o->flags = arg;
		return 0;
	case ARGP_KEY_END:
		if (!o->size)
			argp_error(state, "which --size?");
		return word_option(&o->words, key, arg, state);
	default:
		return word_option(&o->words, key, arg, state);
	}
}

static const struct argp_option options[] = {
	{ "size", 's', "SIZE", 0, "Bytes, such as 64K", 0 },
	{ "flags", 'f', "FLAGS", 0,
	  "Flags of KVM_CREATE_GUEST_MEMFD, such as MMAP,INIT_SHARED, or 0; without it, those that "
	  "gmemfs chooses",
	  0 },
	{ NULL, 0, NULL, 0, NULL, 0 },
};

static const struct argp argp = {
	.options = options,
	.parser = on_option,
	.args_doc = "FILE",
	.doc = "Create a guest_memfd in a directory of a mounted gmemfs(1).\vExit status: 0 if it was "
	       "created, 1 if that was refused, 2 if the use is wrong.",
};

/* What was not created leaves no name. */
static int create(const char *command, const struct create *o, int fd)
{
	uint64_t size = size_word(command, "--size", o->size);

	if (o->flags && fsetxattr(fd, "user.gmem.flags", o->flags, strlen(o->flags), 0))
		return errno;
	return ftruncate(fd, (off_t)size) ? errno : 0;
}

int cmd_create(int argc, char **argv)
{
	struct create o = { .words.want = 1 };
	const char *path;
	int fd, err;

	parse_options(&argp, argc, argv, &o);
	path = o.words.w[0];
	size_word(argv[0], "--size", o.size);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		fprintf(stderr, "%s: %s: %s\n", argv[0], path, strerror(errno));
		return errno == EEXIST ? EXIT_NOT_AS_DEMANDED : EXIT_WRONG_USE;
	}
	err = create(argv[0], &o, fd);
	close(fd);
	if (!err)
		return EXIT_AS_DEMANDED;
	unlink(path);
	return refused(argv[0], err);
}
