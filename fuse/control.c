/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is known of the mount as a whole: statfs(2), and the files of .gmem/, what each of them shows
 * at the moment it is opened. Only events grows while it is read; it is the memfd of log.c.
 */
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/statvfs.h>

#include "common.h"
#include "gmemfs.h"

const char *const control_names[NR_CONTROLS] = { "events", "state", "trace", "lockdep", "profile" };

static void print_file(FILE *f, const struct node *n)
{
	if (n->fd == NO_FD) {
		fprintf(f, "    %s: no size yet\n", n->name);
		return;
	}
	fprintf(f, "    %s: descriptor %" PRId64 ", %" PRIu64 " bytes, flags 0x%" PRIx64 "%s\n",
		n->name, n->fd, n->size, n->flags, n->map ? "" : ", cannot be mapped");
	look_print_runs(f, n, 0, UINT_MAX);
}

static void print_state(FILE *f)
{
	const struct node *vm, *n;

	fprintf(f, "profile %s\n", gmem_profile_name(fs.profile));
	for (vm = fs.root.children; vm; vm = vm->next) {
		if (vm->kind != NODE_VM)
			continue;
		fprintf(f, "%s: descriptor %" PRId64 ", type %s\n", vm->name, vm->fd,
			type_word(vm->type));
		look_print_slots(f, vm);
		for (n = vm->children; n; n = n->next)
			print_file(f, n);
	}
}

static void print_lockdep(FILE *f)
{
	const struct gmem_lock_report *r;
	struct gmem_lock_link link;
	unsigned int n;

	for (n = 0; gmem_lock_order(fs.locks, n, &link); n++)
		fprintf(f, "%s then %s (%s)\n", gmem_lock_name(link.held.class),
			gmem_lock_name(link.taken.class), gmem_verb_info(link.taken.verb)->name);
	fprintf(f, "%u orders\n", n);
	for (n = 0; (r = gmem_lock_report(fs.locks, n)); n++)
		fprintf(f, "problem %u: %s and %s\n", r->problem,
			gmem_lock_name(r->links[0].held.class),
			gmem_lock_name(r->links[0].taken.class));
	fprintf(f, "%u problems\n", n);
}

char *control_text(enum control c, size_t *size)
{
	struct text t;

	if (c == CONTROL_EVENTS)
		return NULL;
	text_begin(&t);
	if (c == CONTROL_STATE)
		print_state(t.f);
	else if (c == CONTROL_TRACE)
		log_print_trace(t.f);
	else if (c == CONTROL_LOCKDEP)
		print_lockdep(t.f);
	else
		fprintf(t.f, "%s\n", gmem_profile_name(fs.profile));
	text_end(&t);
	*size = t.size;
	return t.bytes;
}

void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs v = { .f_bsize = GMEM_PAGE_SIZE,
			     .f_frsize = GMEM_PAGE_SIZE,
			     .f_namemax = 255 };

	(void)ino;
	fs_lock();
	v.f_files = fs.o.most_files;
	v.f_ffree = v.f_favail = fs.o.most_files - fs.nr_files;
	v.f_blocks = fs.most_memory / GMEM_PAGE_SIZE;
	if (fs.most_memory > fs.blocks)
		v.f_bfree = v.f_bavail = (fs.most_memory - fs.blocks) / GMEM_PAGE_SIZE;
	fs_unlock();
	fuse_reply_statfs(req, &v);
}
