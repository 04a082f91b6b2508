/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls on a guest_memfd of the mount that FUSE would answer otherwise than a guest_memfd: they
 * are stopped, and answered here if the descriptor is one. Everything else goes straight to
 * gmemfs. Positions: see mount_open_file().
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <linux/aio_abi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

#include "run.h"

#define CACHESTAT 451
#define ST_VALID 0x20
#define MOST_IOCBS 65536u

static int64_t file_value(uint64_t ino, struct gmem_call *c)
{
	struct mount_on on = { .m.call = *c, .memfd = ino };

	return mount_value(&on);
}

static int64_t file_statfs(const struct request *q, uint64_t ino)
{
	struct gmem_call c = { .verb = GMEM_FSTATFS, .field = GMEM_F_TYPE };
	struct statfs s = { .f_namelen = 255, .f_flags = ST_VALID };
	int64_t type = file_value(ino, &c);

	c.field = GMEM_F_BSIZE;
	if (type < 0)
		return type;
	s.f_type = type;
	s.f_bsize = s.f_frsize = file_value(ino, &c);
	return target_write(q->pid, q->args[1], &s, sizeof(s));
}

static int64_t file_cachestat(const struct request *q, uint64_t ino)
{
	uint64_t range[2], stat[5] = { 0 };
	struct gmem_call c = { .verb = GMEM_CACHESTAT };
	int64_t pages;

	if (target_read(q->pid, q->args[1], range, sizeof(range)))
		return -EFAULT;
	c.offset = range[0];
	c.length = range[1];
	if (q->args[3])
		return -EINVAL;
	pages = file_value(ino, &c);
	if (pages < 0)
		return pages;
	stat[0] = (uint64_t)pages;
	return target_write(q->pid, q->args[2], stat, sizeof(stat));
}

/*
 * Where FUSE would map it privately; a file that cannot be mapped at all, or not so, it refuses itself. So does the kernel,
 * where it is to be code.
 */
static int64_t file_mmap(const struct request *q, uint64_t ino)
{
	struct gmem_call c = { .verb = GMEM_MMAP,
			       .offset = q->args[5],
			       .length = q->args[1],
			       .prot = q->args[2],
			       .flags = GMEM_MAP_PRIVATE };
	int64_t r;

	if ((q->args[3] & MAP_TYPE) != MAP_PRIVATE)
		return (q->args[2] & PROT_EXEC) ? ANSWER_CONTINUE : file_populate(q);
	r = file_value(ino, &c);
	return r < 0 ? r : ANSWER_CONTINUE;
}

/* The file and the offset that a mapping of the program shows; 0 if it is no guest_memfd's. */
static uint64_t file_at(pid_t pid, uint64_t addr, uint64_t *offset)
{
	unsigned int major, minor;
	uint64_t start, end, pgoff, ino, found = 0;
	char path[32], line[512];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "re");
	while (f && !found && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64 " %x:%x %" SCNu64, &start,
			   &end, &pgoff, &major, &minor, &ino) == 6 &&
		    addr >= start && addr < end &&
		    (major << 20 | minor) ==
			    (session.mount_dev >> 8 << 20 | (session.mount_dev & 0xff))) {
			found = ino;
			*offset = pgoff + (addr - start);
		}
	}
	if (f)
		fclose(f);
	return found;
}

/* madvise(HWPOISON) shall hurt no page of the machine. */
static int64_t page_failure(const struct request *q)
{
	struct gmem_call c = { .verb = GMEM_MEMORY_FAILURE };
	uint64_t ino = file_at(q->pid, q->args[0], &c.offset);

	if (!ino)
		return ANSWER_CONTINUE;
	return file_value(ino, &c);
}

static bool is_gmem(const struct request *q, int arg)
{
	struct what w;

	return !target_what(q->pid, q->args[arg], &w) && w.kind == KIND_GMEM;
}

/* Out of a guest_memfd, from a position: there is none. */
static int64_t file_sendfile(const struct request *q)
{
	uint64_t at;

	if (!q->args[2] || !is_gmem(q, 1))
		return ANSWER_CONTINUE;
	return target_read(q->pid, q->args[2], &at, sizeof(at)) ? -EFAULT : -ESPIPE;
}

static int64_t file_splice(const struct request *q)
{
	bool from = q->args[1] && is_gmem(q, 0), to = q->args[3] && is_gmem(q, 2);

	return (from || to) && q->args[4] ? -EINVAL : ANSWER_CONTINUE;
}

/* By positions: FUSE would find those of ours, where no file is. */
static int64_t file_copy(const struct request *q)
{
	bool from = is_gmem(q, 0) && !q->args[1], to = is_gmem(q, 2) && !q->args[3];
	struct what w;
	uint64_t at;

	if (!from && !to)
		return ANSWER_CONTINUE;
	if (target_what(q->pid, q->args[0], &w) || target_what(q->pid, q->args[2], &w))
		return -EBADF;
	if ((q->args[1] && target_read(q->pid, q->args[1], &at, sizeof(at))) ||
	    (q->args[3] && target_read(q->pid, q->args[3], &at, sizeof(at))))
		return -EFAULT;
	return q->args[4] || q->args[5] ? -EINVAL : 0;
}

/* All that is asked of the file in such a way, but to poll it. -1 beyond what can be read: Linux says why. */
static int iocb_is_of_gmem(const struct request *q, uint64_t i)
{
	struct iocb one;
	struct what w;
	uint64_t at;

	if (target_read(q->pid, q->args[2] + i * sizeof(at), &at, sizeof(at)) ||
	    target_read(q->pid, at, &one, sizeof(one)))
		return -1;
	return one.aio_lio_opcode != IOCB_CMD_POLL && !target_what(q->pid, one.aio_fildes, &w) &&
	       w.kind == KIND_GMEM;
}

/* Of several, Linux would begin those before the one that it refuses; they cannot be begun from here. */
static int64_t file_io_submit(const struct request *q)
{
	uint64_t i;
	int is = 0;

	for (i = 0; !is && (int64_t)i < (int64_t)q->args[1] && i < MOST_IOCBS; i++)
		is = iocb_is_of_gmem(q, i);
	if (is <= 0)
		return ANSWER_CONTINUE;
	if (i > 1)
		complain(q->pid, "io_submit that comes to a guest_memfd after others cannot be "
				 "answered: EINVAL for all");
	return -EINVAL;
}

static int64_t at_number(const struct request *q, const struct what *w)
{
	switch (q->nr) {
	case SYS_fstatfs:
		return file_statfs(q, w->ino);
	case CACHESTAT:
		return file_cachestat(q, w->ino);
	case SYS_mmap:
		return file_mmap(q, w->ino);
	case SYS_read:
	case SYS_write:
	case SYS_readv:
	case SYS_writev:
		return q->args[2] ? ANSWER_CONTINUE : -EINVAL;
	case SYS_readahead:
	case SYS_fcntl:
		return -EINVAL;
	case SYS_lseek:
		return (uint32_t)q->args[2] > SEEK_HOLE ? -EINVAL : -ESPIPE;
	default:
		return (int64_t)q->args[3] < 0 ? -EINVAL : -ESPIPE;
	}
}

int64_t call_file(const struct request *q)
{
	struct what w;

	switch (q->nr) {
	case SYS_madvise:
		return page_failure(q);
	case SYS_sendfile:
		return file_sendfile(q);
	case SYS_splice:
		return file_splice(q);
	case SYS_copy_file_range:
		return file_copy(q);
	case SYS_io_submit:
		return file_io_submit(q);
	case SYS_mlock:
	case SYS_mlock2:
	case SYS_mlockall:
		return call_mlock(q);
	case SYS_epoll_ctl:
		return is_gmem(q, 2) ? -EPERM : ANSWER_CONTINUE;
	default:
		if (target_what(q->pid, q->args[q->nr == SYS_mmap ? 4 : 0], &w))
			return ANSWER_CONTINUE;
		if (w.kind == KIND_GMEM)
			return at_number(q, &w);
		/* as on a mount without execution, where KVM's files are */
		return q->nr == SYS_mmap && (q->args[2] & PROT_EXEC) && w.object ? -EPERM :
										   ANSWER_CONTINUE;
	}
}
