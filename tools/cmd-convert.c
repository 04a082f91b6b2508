/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gmem convert: makes pages of a guest_memfd of a mounted gmemfs private or shared, by the ioctl
 * that the profile has for it.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "mount-abi.h"
#include "mounted.h"

static error_t on_option(int key, char *arg, struct argp_state *state)
{
	return word_option(state->input, key, arg, state);
}

static const struct argp argp = {
	.parser = on_option,
	.args_doc = "FILE OFFSET SIZE private|shared",
	.doc = "Convert pages of a file of a mounted gmemfs(1).\vExit status: 0 if they were "
	       "converted, 1 if that was refused, 2 if the use is wrong.",
};

/* 0 or an errno; and where. */
static int convert(int fd, const struct gmem_profile *p, uint64_t offset, uint64_t size,
		   int private, uint64_t *error_offset)
{
	struct kvm_attributes2 a = { .offset = offset,
				     .size = size,
				     .attributes = private ? GMEM_ATTRIBUTE_PRIVATE : 0 };
	struct kvm_conversion c = { .offset = offset, .size = size };
	unsigned long number = profile_number(p, "ioctl_file_attributes");
	int err;

	if (profile_number(p, "has_shareability")) {
		err = ioctl(fd, private ? MOUNT_CONVERT_PRIVATE : MOUNT_CONVERT_SHARED, &c);
		*error_offset = c.error_offset;
	} else {
		err = ioctl(fd, number ? number : MOUNT_SET_ATTRIBUTES2, &a);
		*error_offset = a.error_offset;
	}
	return err ? errno : 0;
}

int cmd_convert(int argc, char **argv)
{
	struct words words = { .want = 4 };
	uint64_t offset, size, where;
	int fd, err, private;

	parse_options(&argp, argc, argv, &words);
	offset = size_word(argv[0], "OFFSET", words.w[1]);
	size = size_word(argv[0], "SIZE", words.w[2]);
	private = !strcmp(words.w[3], "private");
	if (!private && strcmp(words.w[3], "shared")) {
		fprintf(stderr, "%s: pages become private or shared, not '%s'\n", argv[0],
			words.w[3]);
		return EXIT_WRONG_USE;
	}
	fd = mounted_open(argv[0], words.w[0]);
	err = convert(fd, mounted_profile(argv[0], words.w[0], fd), offset, size, private, &where);
	close(fd);
	if (!err)
		return EXIT_AS_DEMANDED;
	if (where)
		fprintf(stderr, "%s: error_offset=%" PRIu64 "\n", argv[0], where);
	return refused(argv[0], err);
}
