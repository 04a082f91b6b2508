/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests that no program should make, to a mounted gmemfs: random numbers and structures of
 * ioctls, random attributes, odd names, ranges that overflow. None may end the daemon:
 *
 *	fuse-malformed MOUNTPOINT COUNT SEED
 *
 * Numbers that the kernel itself would act upon, such as FIFREEZE, are left out.
 */
#define _GNU_SOURCE
#include <limits.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "fuse-check.h"

static uint64_t seed;
static int root;
static int dir, file;
static unsigned long failed; /* whether it did is all the same */

static uint64_t draw(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

/* One that is at the edge of something, or any. */
static uint64_t number(void)
{
	static const uint64_t edges[] = { 0,
					  1,
					  PAGE - 1,
					  PAGE,
					  16 * PAGE,
					  INT32_MAX,
					  UINT32_MAX,
					  INT64_MAX,
					  UINT64_MAX,
					  UINT64_MAX - PAGE + 1,
					  UINT64_C(1) << 52,
					  3,
					  4,
					  5,
					  6,
					  8,
					  0x100000 };
	uint64_t n = draw(4);

	if (n)
		return edges[draw(sizeof(edges) / sizeof(edges[0]))];
	return seed >> draw(64);
}

static void fill(void *p, size_t size)
{
	uint64_t v;

	for (; size >= sizeof(v); size -= sizeof(v), p = (char *)p + sizeof(v)) {
		v = number();
		memcpy(p, &v, sizeof(v));
	}
}

static unsigned long some_request(void)
{
	static const unsigned long known[] = {
		MOUNT_CHECK_EXTENSION, MOUNT_SET_REGION,      MOUNT_SET_REGION2,
		MOUNT_ENABLE_CAP,      MOUNT_SET_ATTRIBUTES,  MOUNT_CREATE_GUEST_MEMFD,
		MOUNT_PRE_FAULT,       MOUNT_SET_ATTRIBUTES2, MOUNT_SET_ATTRIBUTES2_V1,
		MOUNT_CONVERT_SHARED,  MOUNT_CONVERT_PRIVATE, MOUNT_CALL,
	};
	static const unsigned int types[] = { 0xAE, 0xAF, 'G', 'k', 0xF5 };

	if (draw(4))
		return known[draw(sizeof(known) / sizeof(known[0]))];
	return _IOC(draw(4), types[draw(5)], draw(256), draw(1 << 13));
}

static int some_fd(void)
{
	uint64_t n = draw(8);

	return n < 3 ? dir : n < 6 ? file : root;
}

static void random_ioctl(void)
{
	static char arg[1 << 14];

	fill(arg, 512);
	ioctl(some_fd(), some_request(), draw(16) ? arg : NULL);
}

/* A call of the model that can be made, with words in it that cannot. */
static void random_call(void)
{
	static const uint32_t verbs[] = { GMEM_GUEST_LOAD,   GMEM_GUEST_STORE,	  GMEM_PIN,
					  GMEM_UNPIN,	     GMEM_MEMORY_FAILURE, GMEM_CACHESTAT,
					  GMEM_LAUNCH_FINISH };
	struct mount_call m;

	fill(&m, sizeof(m));
	m.call.verb = draw(8) ? verbs[draw(7)] : (uint32_t)number();
	if (draw(2))
		m.call.size = UINT64_C(1) << draw(4);
	ioctl(some_fd(), MOUNT_CALL, &m);
}

static void random_text(char *to, size_t size)
{
	static const char *const words[] = {
		"user.gmem.", "convert", "flags",  "type",
		"ranges",     "0",	 "+",	   "4K",
		"=",	      "private", "shared", "MMAP",
		"|",	      "SNP",	 "\xff",   "99999999999999999999",
		"%s%n",	      "\n",	 "gmem-5", "/"
	};
	size_t at = 0;

	*to = 0;
	while (draw(5) && at < size) {
		const char *w = words[draw(sizeof(words) / sizeof(words[0]))];

		at += (size_t)snprintf(to + at, size - at, "%s", w);
	}
}

static void random_attribute(void)
{
	static const char *const known[] = {
		"convert", "flags", "type", "fd", "ranges", "profile"
	};
	char name[64], value[128], got[64];
	int fd = some_fd();

	snprintf(name, sizeof(name), "user.gmem.%s", known[draw(6)]);
	if (!draw(4))
		random_text(name, sizeof(name) - 1);
	random_text(value, sizeof(value) - 1);
	if (draw(2))
		fsetxattr(fd, name, value, draw(2) ? strlen(value) : draw(sizeof(value)), 0);
	else if (draw(2))
		fgetxattr(fd, name, got, draw(sizeof(got)));
	else if (draw(2))
		flistxattr(fd, got, draw(sizeof(got)));
	else
		fremovexattr(fd, name);
}

static void odd_name(char *name)
{
	uint64_t n = draw(4);

	if (n == 0)
		memset(name, 'x', 255);
	else if (n == 1)
		memset(name, 0x80 + (int)draw(127), 1 + draw(254));
	else
		random_text(name, 100);
	name[strcspn(name, "/")] = 0;
}

static void random_name(void)
{
	char name[300] = "", other[300] = "";
	int in = draw(2) ? root : dir;

	odd_name(name);
	odd_name(other);
	switch (draw(8)) {
	case 0:
		mkdirat(root, name, 0700);
		unlinkat(root, name, AT_REMOVEDIR);
		break;
	case 1:
		mknodat(in, name, S_IFREG | (mode_t)draw(4096), 0);
		break;
	case 2:
		mknodat(in, name, (mode_t)draw(1 << 16), draw(1000));
		break;
	case 3:
		renameat(dir, name, in, other);
		break;
	case 4:
		symlinkat(name, in, other);
		break;
	case 5:
		linkat(dir, name, in, other, 0);
		break;
	default:
		unlinkat(in, name, 0);
	}
}

static void random_range(void)
{
	static char buffer[3 * PAGE];
	off_t offset = (off_t)number(), length = (off_t)number();

	switch (draw(6)) {
	case 0:
		fallocate(file, (int)draw(256), offset, length);
		break;
	case 1:
		failed += pread(file, buffer, (size_t)draw(sizeof(buffer)), offset) < 0;
		break;
	case 2:
		failed += pwrite(file, buffer, (size_t)draw(sizeof(buffer)), offset) < 0;
		break;
	case 3:
		lseek(file, offset, (int)draw(6));
		break;
	case 4:
		failed += ftruncate(file, length) < 0;
		break;
	default:
		fchmod(file, (mode_t)draw(4096));
	}
}

static void open_all(const char *mountpoint)
{
	root = open(mountpoint, O_RDONLY | O_DIRECTORY);
	mkdirat(root, "malformed", 0700);
	dir = openat(root, "malformed", O_RDONLY | O_DIRECTORY);
	file = openat(dir, "ram", O_RDWR | O_CREAT, 0600);
	if (root < 0 || dir < 0 || file < 0 || ftruncate(file, 16 * PAGE))
		printf("the files cannot be made: %s\n", strerror(errno));
	close(file);
	file = openat(dir, "ram", O_RDWR);
}

int main(int argc, char **argv)
{
	unsigned long i, count;
	struct stat st;

	if (argc != 4) {
		puts("usage: fuse-malformed MOUNTPOINT COUNT SEED");
		return 1;
	}
	count = strtoul(argv[2], NULL, 0);
	seed = strtoull(argv[3], NULL, 0) * 2 + 1;
	open_all(argv[1]);
	for (i = 0; i < count; i++) {
		switch (draw(8)) {
		case 0:
			random_attribute();
			break;
		case 1:
			random_name();
			break;
		case 2:
			random_range();
			break;
		case 3:
		case 4:
			random_call();
			break;
		default:
			random_ioctl();
		}
	}
	if (fstat(dir, &st) || fstatat(root, ".gmem/state", &st, 0))
		printf("after %lu requests of seed %s: %s\n", count, argv[3], strerror(errno));
	return 0;
}
