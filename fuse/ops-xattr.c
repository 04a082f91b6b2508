/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Extended attributes, for shells: what is known of a file or directory, and conversions.
 *
 *	user.gmem.profile	of all: what the mount answers as
 *	user.gmem.handles	of the root: how many handles are open; so what has been closed
 *				can be waited for
 *	user.gmem.strict	of the root, if it is mounted so
 *	user.gmem.machine	of the root, if that is another one than usual: as in a trace
 *	user.gmem.ranges	of a file: its pages, one run a line
 *	user.gmem.ranges.4096	the same, from that byte on, as many as there is room for
 *	user.gmem.fd		its descriptor in the model, for guest_memfd of a memslot
 *	user.gmem.flags		of a file; can be set until it has its size
 *	user.gmem.type		of a directory; can be set until it has a file
 *	user.gmem.convert	can only be set: "0+4096=private"
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "common.h"
#include "gmemfs.h"

#define PREFIX "user.gmem."
#define MOST_VALUE 4096 /* bytes of one that is set */

/* A value can have 65536 bytes, a line from 12 to about 110. */
#define MOST_LINES 500
#define TOO_MANY_LINES 6000

static void print_ranges(FILE *f, const struct node *n, const char *from)
{
	char *end = NULL;
	uint64_t offset;

	if (!*from) {
		look_print_runs(f, n, 0, TOO_MANY_LINES);
		return;
	}
	offset = strtoull(from + 1, &end, 10);
	if (*from == '.' && from[1] && !*end)
		look_print_runs(f, n, offset >> GMEM_PAGE_SHIFT, MOST_LINES);
}

/* The attribute's value as text, free() it; or null. */
static char *value_of(const struct node *n, const char *name, size_t *size)
{
	struct text t;

	if (strncmp(name, PREFIX, strlen(PREFIX)))
		return NULL;
	name += strlen(PREFIX);
	text_begin(&t);
	if (!strncmp(name, "ranges", 6) && n->kind == NODE_FILE && n->fd != NO_FD)
		print_ranges(t.f, n, name + 6);
	else if (!strcmp(name, "profile"))
		fputs(gmem_profile_name(fs.profile), t.f);
	else if (!strcmp(name, "handles") && n->kind == NODE_ROOT)
		fprintf(t.f, "%u", fs.handles);
	else if (!strcmp(name, "strict") && n->kind == NODE_ROOT && fs.o.strict)
		fputs("yes", t.f);
	else if (!strcmp(name, "machine") && n->kind == NODE_ROOT && fs.machine_says)
		trace_print_machine(t.f, &fs.machine, fs.machine_says);
	else if (!strcmp(name, "fd") && n->fd != NO_FD)
		fprintf(t.f, "%" PRId64, n->fd);
	else if (!strcmp(name, "flags") && n->kind == NODE_FILE)
		fprintf(t.f, "0x%" PRIx64, n->flags);
	else if (!strcmp(name, "type") && n->kind == NODE_VM)
		fputs(type_word(n->type), t.f);
	text_end(&t);
	*size = t.size;
	if (t.size)
		return t.bytes;
	free(t.bytes);
	return NULL;
}

static void reply_bytes(fuse_req_t req, const char *bytes, size_t have, size_t size)
{
	if (!size)
		fuse_reply_xattr(req, have);
	else if (size < have)
		fuse_reply_err(req, ERANGE);
	else
		fuse_reply_buf(req, bytes, have);
}

void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	size_t have;
	char *value;

	fs_lock();
	value = fs.o.run ? NULL : value_of(tree_node(ino), name, &have);
	fs_unlock();
	if (value)
		reply_bytes(req, value, have, size);
	else
		fuse_reply_err(req, fs.o.run ? EOPNOTSUPP : ENODATA);
	free(value);
}

void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	static const char *const names[] = { "profile", "ranges", "fd", "flags", "type" };
	struct text t;
	size_t i, have;
	char *value;

	text_begin(&t);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char name[32];

		snprintf(name, sizeof(name), PREFIX "%s", names[i]);
		fs_lock();
		value = fs.o.run ? NULL : value_of(tree_node(ino), name, &have);
		fs_unlock();
		if (value)
			fwrite(name, 1, strlen(name) + 1, t.f);
		free(value);
	}
	text_end(&t);
	reply_bytes(req, t.bytes, t.size, size);
	free(t.bytes);
}

/* "OFFSET+LENGTH=private" or "=shared" as the profile's call. */
static int parse_conversion(const char *s, struct gmem_call *c)
{
	bool private;

	if (!size_number(s, &s, &c->offset) || *s++ != '+' || !size_number(s, &s, &c->size) ||
	    *s++ != '=')
		return 0;
	private = !strcmp(s, "private");
	if (!private && strcmp(s, "shared"))
		return 0;
	c->verb = GMEM_SET_MEMORY_ATTRIBUTES2;
	c->attributes = private ? GMEM_ATTRIBUTE_PRIVATE : 0;
	if (profile_number("has_shareability")) {
		c->verb = private ? GMEM_CONVERT_PRIVATE : GMEM_CONVERT_SHARED;
		c->attributes = 0;
	}
	return 1;
}

static void set_convert(fuse_req_t req, struct node *n, const char *value)
{
	struct gmem_call c = { 0 };

	if (n->kind != NODE_FILE || !parse_conversion(value, &c))
		fuse_reply_err(req, EINVAL);
	else
		convert_and_reply(req, n, &c, NULL, 0, 0);
}

static int set_flags(struct node *n, const char *value)
{
	uint64_t flags;

	if (n->kind != NODE_FILE || !flags_number(value, &flags))
		return -EINVAL;
	if (n->fd != NO_FD)
		return -EBUSY;
	n->flags = flags;
	n->flags_asked = true;
	return 0;
}

static int set_type(struct node *n, const char *value)
{
	uint64_t type;

	if (n->kind != NODE_VM || !type_number(value, &type))
		return -EINVAL;
	return n->unlinked ? -ENOENT : tree_set_type(n, type);
}

static int set_attribute(struct node *n, const char *name, const char *value)
{
	if (!strcmp(name, PREFIX "flags"))
		return set_flags(n, value);
	if (!strcmp(name, PREFIX "type"))
		return set_type(n, value);
	return -EOPNOTSUPP;
}

void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size,
		 int flags)
{
	struct node *n = tree_node(ino);
	char *text;
	int err;

	if (size > MOST_VALUE) {
		fuse_reply_err(req, E2BIG);
		return;
	}
	text = xstrndup(value, size);
	fs_lock();
	err = flags & XATTR_CREATE ? -EEXIST : 0;
	if (!err && strcmp(name, PREFIX "convert"))
		err = set_attribute(n, name, text);
	fs_unlock();
	if (err || strcmp(name, PREFIX "convert"))
		fuse_reply_err(req, -err);
	else
		set_convert(req, n, text);
	free(text);
}

void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	(void)ino;
	if (strncmp(name, PREFIX, strlen(PREFIX)))
		fuse_reply_err(req, fs.o.run ? EOPNOTSUPP : ENODATA);
	else
		fuse_reply_err(req, EPERM);
}
