/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls on the descriptors of a program that is followed: what a guest_memfd answers, and where
 * descriptors come and go.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

#include "follow.h"
#include "target.h"

#define CACHESTAT 451
#define CLOSE_RANGE 436

/* Calls of a word of the language each, with nothing to look at afterwards. */
static uint32_t plain_verb(int nr)
{
	switch (nr) {
	case SYS_fallocate:
		return GMEM_FALLOCATE;
	case SYS_ftruncate:
		return GMEM_FTRUNCATE;
	case SYS_fchmod:
		return GMEM_FCHMOD;
	case SYS_fchown:
		return GMEM_FCHOWN;
	case SYS_utimensat:
		return GMEM_FUTIMENS;
	case SYS_read:
		return GMEM_READ;
	case SYS_write:
		return GMEM_WRITE;
	case SYS_pread64:
		return GMEM_PREAD;
	case SYS_pwrite64:
		return GMEM_PWRITE;
	case SYS_lseek:
		return GMEM_LSEEK;
	case SYS_fsync:
	case SYS_fdatasync:
		return GMEM_FSYNC;
	default:
		return GMEM_NR_VERBS;
	}
}

static bool is_made_of_descriptors(int nr)
{
	return nr == SYS_close || nr == CLOSE_RANGE || nr == SYS_dup || nr == SYS_dup2 ||
	       nr == SYS_dup3 || nr == SYS_fcntl;
}

static bool is_asked(int nr)
{
	return nr == SYS_fstat || nr == SYS_newfstatat || nr == SYS_fstatfs || nr == CACHESTAT;
}

/* /dev/kvm is always open in a trace, and a vCPU is no descriptor there. */
static bool is_in_trace(const struct handle *h)
{
	return h->kind == HANDLE_VM || h->kind == HANDLE_GMEM;
}

/* When the call begins: as soon as it is over, another thread may have a new descriptor of that number. */
static void closes(struct thread *t, int fd)
{
	const struct handle *h = handle_find(t->p, (uint64_t)fd);
	struct linked_call l = blank_call(GMEM_CLOSE);

	if (!h)
		return;
	l.fd_from = h->from;
	if (is_in_trace(h))
		emit(t, &l, 0);
	handle_drop(t->p, fd);
}

int file_begins(struct thread *t)
{
	char name[64];

	/* fstat() of today; utimensat() with a name is of another file */
	if (t->nr == SYS_newfstatat && !(t->args[3] & AT_EMPTY_PATH))
		return 0;
	if (t->nr == SYS_utimensat && t->args[1])
		return 0;
	if (!is_made_of_descriptors(t->nr) && !is_asked(t->nr) &&
	    plain_verb(t->nr) == GMEM_NR_VERBS)
		return 0;
	t->on = handle_now(t->p, t->args[0]);
	if (t->nr == SYS_close) {
		closes(t, (int)t->args[0]);
		return 0;
	}
	if (t->nr == CLOSE_RANGE || t->on.fd >= 0 ||
	    ((t->nr == SYS_dup2 || t->nr == SYS_dup3) && handle_find(t->p, t->args[1])))
		return 1;
	if (t->nr != SYS_fallocate)
		return 0;
	target_link(t->tid, (int)t->args[0], name, sizeof(name));
	if (!strcmp(name, "anon_inode:[kvm-gmem]"))
		unseen("of a descriptor that came from elsewhere");
	return 0;
}

/* ---- words for what they are ---- */

static void plain(struct thread *t, const struct handle *h, int64_t value)
{
	struct linked_call l = blank_call(plain_verb(t->nr));

	l.fd_from = h->from;
	switch (t->nr) {
	case SYS_fallocate:
		l.call.mode = t->args[1];
		l.call.offset = t->args[2];
		l.call.length = t->args[3];
		break;
	case SYS_lseek:
		l.call.offset = t->args[1];
		l.call.whence = t->args[2];
		break;
	case SYS_ftruncate:
		l.call.length = t->args[1];
		break;
	case SYS_fchmod:
		l.call.mode = (uint32_t)t->args[1];
		break;
	case SYS_pread64:
	case SYS_pwrite64:
		l.call.offset = t->args[3];
		l.call.length = t->args[2];
		break;
	default:
		l.call.length = t->args[2];
	}
	emit(t, &l, value);
}

static void field(struct thread *t, const struct handle *h, uint32_t verb, uint64_t what,
		  int64_t value)
{
	struct linked_call l = blank_call(verb);

	l.fd_from = h->from;
	l.call.field = what;
	emit(t, &l, value);
}

/* All fields that do not depend on who asks. */
static void stat_fields(struct thread *t, const struct handle *h, uint64_t at)
{
	struct stat st;

	if (target_read(t->tid, at, &st, sizeof(st)))
		return;
	field(t, h, GMEM_FSTAT, GMEM_ST_SIZE, st.st_size);
	field(t, h, GMEM_FSTAT, GMEM_ST_BLOCKS, st.st_blocks);
	field(t, h, GMEM_FSTAT, GMEM_ST_BLKSIZE, st.st_blksize);
	field(t, h, GMEM_FSTAT, GMEM_ST_MODE, st.st_mode);
	field(t, h, GMEM_FSTAT, GMEM_ST_NLINK, (int64_t)st.st_nlink);
}

static void statfs_fields(struct thread *t, const struct handle *h)
{
	struct statfs fs;

	if (target_read(t->tid, t->args[1], &fs, sizeof(fs)))
		return;
	field(t, h, GMEM_FSTATFS, GMEM_F_TYPE, fs.f_type);
	field(t, h, GMEM_FSTATFS, GMEM_F_BSIZE, fs.f_bsize);
}

/* How many pages there are depends on loads and stores that nobody has seen. */
static void asked(struct thread *t, const struct handle *h, int64_t value)
{
	if (value)
		return;
	if (t->nr == SYS_fstat)
		stat_fields(t, h, t->args[1]);
	else if (t->nr == SYS_newfstatat)
		stat_fields(t, h, t->args[2]);
	else if (t->nr == SYS_fstatfs)
		statfs_fields(t, h);
	else
		unseen("of cachestat, whose answer depends on loads and stores");
}

/* ---- descriptors that come and go ---- */

static void closes_range(struct thread *t, int64_t value)
{
	size_t i;

	if (value || t->args[2])
		return;
	for (i = 0; i < t->p->nr_handles;) {
		unsigned int fd = (unsigned int)t->p->handles[i].fd;

		if (fd >= (unsigned int)t->args[0] && fd <= (unsigned int)t->args[1])
			closes(t, (int)fd);
		else
			i++;
	}
}

static void duplicates(struct thread *t, int64_t value)
{
	const struct handle *h;
	struct linked_call l = blank_call(GMEM_DUP);
	int32_t n;
	uint8_t kind;

	if (value >= 0 && (uint64_t)value != t->args[0])
		closes(t, (int)value);
	h = handle_find(t->p, t->args[0]);
	if (!h || (value >= 0 && (uint64_t)value == t->args[0]))
		return;
	kind = h->kind;
	n = l.fd_from = h->from;
	if (is_in_trace(h))
		n = emit(t, &l, value);
	if (value >= 0)
		handle_add(t->p, (int)value, kind, n);
}

static void controls(struct thread *t, const struct handle *h, int64_t value)
{
	struct linked_call l = blank_call(GMEM_FCNTL);

	switch ((int)t->args[1]) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		duplicates(t, value);
		return;
	case F_GETFL:
	case F_ADD_SEALS:
	case F_GET_SEALS:
		break;
	default:
		return;
	}
	l.fd_from = h->from;
	l.call.cmd = (uint32_t)t->args[1];
	l.call.value = (int)t->args[1] == F_ADD_SEALS ? t->args[2] : 0;
	emit(t, &l, value);
}

void file_ends(struct thread *t, int64_t value)
{
	const struct handle *h = &t->on;

	if (t->nr == CLOSE_RANGE)
		closes_range(t, value);
	else if (!handle_stays(t->p, h))
		return;
	else if (t->nr == SYS_dup || t->nr == SYS_dup2 || t->nr == SYS_dup3)
		duplicates(t, value);
	else if (h->fd < 0 || h->kind != HANDLE_GMEM)
		return;
	else if (t->nr == SYS_fcntl)
		controls(t, h, value);
	else if (is_asked(t->nr))
		asked(t, h, value);
	else
		plain(t, h, value);
}
