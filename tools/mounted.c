/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files of a mounted gmemfs; see mounted.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "cmd.h"
#include "mount-abi.h"
#include "mounted.h"

error_t word_option(struct words *words, int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case ARGP_KEY_ARG:
		if (words->n == words->want)
			argp_error(state, "too many arguments: %s", arg);
		words->w[words->n++] = arg;
		return 0;
	case ARGP_KEY_END:
		if (words->n < words->want)
			argp_error(state, "too few arguments");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

uint64_t size_word(const char *command, const char *what, const char *word)
{
	const char *end;
	uint64_t v;

	if (size_number(word, &end, &v) && !*end)
		return v;
	fprintf(stderr, "%s: %s is a number of bytes, such as 64K or 0x1000, not '%s'\n", command,
		what, word);
	exit(EXIT_WRONG_USE);
}

char *mounted_attribute(int fd, const char *name)
{
	char full[64], *value;
	ssize_t size, got;

	snprintf(full, sizeof(full), "user.gmem.%s", name);
	size = fgetxattr(fd, full, NULL, 0);
	if (size < 0)
		return NULL;
	/* it may have grown since */
	size += 4096;
	value = xcalloc(1, (size_t)size + 1);
	got = fgetxattr(fd, full, value, (size_t)size);
	if (got >= 0)
		return value;
	free(value);
	return NULL;
}

int mounted_open(const char *command, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *profile;

	if (fd < 0) {
		fprintf(stderr, "%s: %s: %s\n", command, path, strerror(errno));
		exit(EXIT_WRONG_USE);
	}
	profile = mounted_attribute(fd, "profile");
	if (!profile) {
		fprintf(stderr, "%s: %s is not in a mounted gmemfs\n", command, path);
		exit(EXIT_WRONG_USE);
	}
	free(profile);
	return fd;
}

const struct gmem_profile *mounted_profile(const char *command, const char *path, int fd)
{
	char *name = mounted_attribute(fd, "profile");
	const struct gmem_profile *p = name ? gmem_profile_find(name) : NULL;

	if (!p) {
		fprintf(stderr, "%s: %s is mounted with a profile that is not known here: %s\n",
			command, path, name ? name : "?");
		exit(EXIT_WRONG_USE);
	}
	free(name);
	return p;
}

uint64_t profile_number(const struct gmem_profile *p, const char *name)
{
	struct gmem_number n;
	unsigned int i;

	for (i = 0; gmem_profile_number(p, i, &n); i++)
		if (!strcmp(n.name, name))
			return n.value;
	return 0;
}

int refused(const char *command, int err)
{
	const char *name = gmem_errno_name(err);

	fprintf(stderr, "%s: %s%s%s\n", command, name ? name : "", name ? ": " : "", strerror(err));
	return EXIT_NOT_AS_DEMANDED;
}

int mounted_call(const char *command, int fd, const struct gmem_call *c, struct gmem_result *r)
{
	struct mount_call m = { .call = *c };

	if (ioctl(fd, MOUNT_CALL, &m))
		return refused(command, errno);
	*r = m.result;
	return 0;
}

int tell_result(const char *command, uint32_t verb, const struct gmem_result *r)
{
	char *text = result_text(verb, r);

	if (!result_succeeded(r) && r->outcome != GMEM_UNSPECIFIED)
		fprintf(stderr, "%s: %s\n", command, text);
	else if (verb_loads(verb))
		puts(text);
	free(text);
	return result_succeeded(r) || r->outcome == GMEM_UNSPECIFIED ? EXIT_AS_DEMANDED :
								       EXIT_NOT_AS_DEMANDED;
}
