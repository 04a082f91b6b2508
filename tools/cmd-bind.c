/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gmem bind: a memslot of a file of a mounted gmemfs, by KVM_SET_USER_MEMORY_REGION2.
 */
#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"
#include "mount-abi.h"
#include "mounted.h"

struct bind {
	struct words words;
	const char *offset, *size;
	uint64_t slot;
};

static error_t on_option(int key, char *arg, struct argp_state *state)
{
	struct bind *o = state->input;

	switch (key) {
	case 's':
		o->slot = number_option(state, "--slot", arg, 0, UINT32_MAX);
		return 0;
	case 'o':
		o->offset = arg;
		return 0;
	case 'z':
		o->size = arg;
		return 0;
	default:
		return word_option(&o->words, key, arg, state);
	}
}

static const struct argp_option options[] = {
	{ "slot", 's', "NUMBER", 0, "The memslot (0)", 0 },
	{ "offset", 'o', "OFFSET", 0, "Where in the file it begins (0)", 0 },
	{ "size", 'z', "SIZE", 0, "Its size (to the end of the file); 0 deletes the memslot", 0 },
	{ NULL, 0, NULL, 0, NULL, 0 },
};

static const struct argp argp = {
	.options = options,
	.parser = on_option,
	.args_doc = "FILE GPA",
	.doc = "Bind a file of a mounted gmemfs(1) to a memslot of its VM, at guest physical address "
	       "GPA.\vExit status: 0 if it was bound, 1 if that was refused, 2 if the use is wrong.",
};

/* The directory that the file is in. */
static int open_vm(const char *command, const char *path)
{
	char *copy = xstrndup(path, strlen(path));
	int fd = mounted_open(command, dirname(copy));

	free(copy);
	return fd;
}

int cmd_bind(int argc, char **argv)
{
	struct bind o = { .words.want = 2 };
	struct kvm_region2 r = { .flags = GMEM_MEM_GUEST_MEMFD };
	struct stat st = { 0 };
	char *number;
	int fd, vm;

	parse_options(&argp, argc, argv, &o);
	fd = mounted_open(argv[0], o.words.w[0]);
	vm = open_vm(argv[0], o.words.w[0]);
	number = mounted_attribute(fd, "fd");
	if (!number || fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		fprintf(stderr, "%s: %s is no file that has a size\n", argv[0], o.words.w[0]);
		return EXIT_WRONG_USE;
	}
	r.memfd = (uint32_t)strtoul(number, NULL, 10);
	free(number);
	r.slot = (uint32_t)o.slot;
	r.gpa = size_word(argv[0], "GPA", o.words.w[1]);
	r.offset = o.offset ? size_word(argv[0], "--offset", o.offset) : 0;
	r.size = o.size ? size_word(argv[0], "--size", o.size) : (uint64_t)st.st_size - r.offset;
	if (ioctl(vm, MOUNT_SET_REGION2, &r))
		return refused(argv[0], errno);
	close(fd);
	close(vm);
	return EXIT_AS_DEMANDED;
}
