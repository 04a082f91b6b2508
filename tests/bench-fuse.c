/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gmemfs against a FUSE server that does nothing but answer: what the model, its log and the
 * contents cost above a round trip through FUSE. `make bench` runs it; it needs /dev/fuse and root.
 *
 * The other server has one file, of memory that it allocates once (in small pages, which is what a
 * sparse file has), and says yes to everything. Both have the same size, the same timeouts and no
 * readahead, both run libfuse's loop of several threads, and both are asked by one process, past
 * the kernel's cache where that would answer itself (O_DIRECT). The conversion is of a page that
 * nobody has mapped. Nobody reads the events meanwhile: finding words for them is left to who does.
 *
 * All three processes are kept on one CPU. Where the scheduler puts them on two, a round trip takes
 * once or twice as long, as it happens to wake them, and ratios are anything from 0.7 to 1.5. On one
 * CPU the round trip is at its shortest, so what the model adds weighs most.
 *
 * A write and a fallocate are two round trips: before them the kernel asks both servers for the
 * attribute security.capability.
 *
 * Exit status 1 if a request takes more than MOST times as long on gmemfs.
 */
#define _GNU_SOURCE
#define FUSE_USE_VERSION 314
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "mount-abi.h"

#define SIZE (UINT64_C(16) << 20)
#define MOST 1.10
#define TRANSFER (UINT64_C(1) << 20)

/* ---- the server that does nothing ---- */

static char *memory;

static void attr_of(fuse_ino_t ino, struct stat *st)
{
	*st = (struct stat){ .st_ino = ino, .st_nlink = 1, .st_uid = getuid(), .st_size = SIZE };
	st->st_mode = ino == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0600;
}

static void null_init(void *data, struct fuse_conn_info *conn)
{
	(void)data;
	conn->want &= ~(unsigned int)(FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_ATOMIC_O_TRUNC);
	conn->max_readahead = 0;
	conn->max_background = 64;
}

static void null_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param e = { .ino = 2, .attr_timeout = 3600, .entry_timeout = 3600 };

	(void)parent;
	attr_of(2, &e.attr);
	if (strcmp(name, "ram"))
		fuse_reply_err(req, ENOENT);
	else
		fuse_reply_entry(req, &e);
}

static void null_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st;

	(void)fi;
	attr_of(ino, &st);
	fuse_reply_attr(req, &st, 3600);
}

static void null_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	fi->keep_cache = 1;
	fuse_reply_open(req, fi);
}

static void null_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		      struct fuse_file_info *fi)
{
	(void)ino;
	(void)fi;
	fuse_reply_buf(req, memory + off, size);
}

static void null_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
		       struct fuse_file_info *fi)
{
	(void)ino;
	(void)fi;
	memcpy(memory + off, buf, size);
	fuse_reply_write(req, size);
}

static void null_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
			   struct fuse_file_info *fi)
{
	(void)ino;
	(void)mode;
	(void)offset;
	(void)length;
	(void)fi;
	fuse_reply_err(req, 0);
}

static void null_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned int cmd, void *arg,
		       struct fuse_file_info *fi, unsigned int flags, const void *in,
		       size_t in_size, size_t out_size)
{
	(void)ino;
	(void)cmd;
	(void)arg;
	(void)fi;
	(void)flags;
	fuse_reply_ioctl(req, 0, in, in_size < out_size ? in_size : out_size);
}

static void null_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	(void)ino;
	(void)name;
	(void)size;
	fuse_reply_err(req, ENODATA);
}

static const struct fuse_lowlevel_ops null_ops = {
	.init = null_init,
	.lookup = null_lookup,
	.getattr = null_getattr,
	.open = null_open,
	.read = null_read,
	.write = null_write,
	.fallocate = null_fallocate,
	.ioctl = null_ioctl,
	.getxattr = null_getxattr,
};

static int serve_nothing(const char *mountpoint)
{
	char *argv[] = { "bench-fuse", NULL };
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	struct fuse_session *se = fuse_session_new(&args, &null_ops, sizeof(null_ops), NULL);

	memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise(memory, SIZE, MADV_NOHUGEPAGE);
	if (!se || memory == MAP_FAILED || fuse_set_signal_handlers(se) ||
	    fuse_session_mount(se, mountpoint))
		return 1;
	fuse_session_loop_mt(se, config);
	fuse_session_unmount(se);
	return 0;
}

/* ---- requests ---- */

struct side {
	char mountpoint[64];
	pid_t server;
	int direct, cached;
	uint64_t at;
	char *buffer;
};

static void do_read(void *arg, unsigned long n)
{
	struct side *s = arg;

	while (n--)
		bench_must(pread(s->direct, s->buffer, GMEM_PAGE_SIZE, 0), "read");
}

static void do_write(void *arg, unsigned long n)
{
	struct side *s = arg;

	while (n--)
		bench_must(pwrite(s->direct, s->buffer, GMEM_PAGE_SIZE, 0), "write");
}

static void do_fallocate(void *arg, unsigned long n)
{
	struct side *s = arg;

	while (n--)
		bench_must(fallocate(s->cached, FALLOC_FL_KEEP_SIZE, 0, GMEM_PAGE_SIZE),
			   "fallocate");
}

static void do_fstat(void *arg, unsigned long n)
{
	struct side *s = arg;
	struct stat st;

	while (n--)
		bench_must(fstat(s->cached, &st), "fstat");
}

static void do_convert(void *arg, unsigned long n)
{
	struct side *s = arg;
	struct kvm_attributes2 a = { .offset = SIZE - GMEM_PAGE_SIZE, .size = GMEM_PAGE_SIZE };

	for (; n--; s->at++) {
		a.attributes = s->at % 2 ? 0 : GMEM_ATTRIBUTE_PRIVATE;
		bench_must(ioctl(s->cached, MOUNT_SET_ATTRIBUTES2, &a), "convert");
	}
}

static void read_on(void *arg, unsigned long n)
{
	struct side *s = arg;

	for (; n--; s->at++)
		bench_must(pread(s->direct, s->buffer, TRANSFER,
				 (off_t)(s->at % (SIZE / TRANSFER - 1) * TRANSFER)),
			   "read");
}

static void write_on(void *arg, unsigned long n)
{
	struct side *s = arg;

	for (; n--; s->at++)
		bench_must(pwrite(s->direct, s->buffer, TRANSFER,
				  (off_t)(s->at % (SIZE / TRANSFER - 1) * TRANSFER)),
			   "write");
}

static const struct {
	const char *name;
	bench_fn f;
} requests[] = {
	{ "write of 4 KiB", do_write },		 { "read of 4 KiB", do_read },
	{ "fallocate of a page", do_fallocate }, { "fstat", do_fstat },
	{ "conversion of a page", do_convert },	 { "write of 1 MiB, on and on", write_on },
	{ "read of 1 MiB, on and on", read_on },
};

/* ---- both servers ---- */

static void stay_on_one_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)sched_getcpu(), &set);
	bench_must(sched_setaffinity(0, sizeof(set), &set), "sched_setaffinity");
}

static int is_mounted(const char *mountpoint, dev_t before)
{
	struct stat st;

	return !stat(mountpoint, &st) && st.st_dev != before;
}

static int begin(struct side *s, const char *name, int gmemfs)
{
	struct stat st;
	int i;

	snprintf(s->mountpoint, sizeof(s->mountpoint), "bench-fuse-%s.tmp", name);
	mkdir(s->mountpoint, 0700);
	if (stat(s->mountpoint, &st))
		return 0;
	s->server = fork();
	if (!s->server && gmemfs)
		execl("./gmemfs", "gmemfs", "-f", "-o", "profile=linux-coco-v13,type=SW_PROTECTED",
		      s->mountpoint, (char *)NULL);
	if (!s->server)
		_exit(gmemfs ? 1 : serve_nothing(s->mountpoint));
	for (i = 0; i < 200 && !is_mounted(s->mountpoint, st.st_dev); i++)
		usleep(10 * 1000);
	s->buffer = aligned_alloc(GMEM_PAGE_SIZE, TRANSFER);
	memset(s->buffer, 1, TRANSFER);
	return is_mounted(s->mountpoint, st.st_dev);
}

static void open_file(struct side *s, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", s->mountpoint, name);
	s->cached = (int)bench_must(open(path, O_RDWR), path);
	s->direct = (int)bench_must(open(path, O_RDWR | O_DIRECT), path);
}

static void make_file(const struct side *s)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/vm0", s->mountpoint);
	bench_must(mkdir(path, 0700), path);
	strcat(path, "/ram");
	close((int)bench_must(open(path, O_RDWR | O_CREAT, 0600), path));
	bench_must(truncate(path, SIZE), "truncate");
}

static void end(struct side *s)
{
	close(s->cached);
	close(s->direct);
	if (s->server > 0) {
		kill(s->server, SIGTERM);
		waitpid(s->server, NULL, 0);
	}
	umount2(s->mountpoint, MNT_DETACH);
	rmdir(s->mountpoint);
	free(s->buffer);
}

int main(void)
{
	struct side null = { .cached = -1, .direct = -1 }, ours = null;
	struct bench_figures f;
	int missed = 0;
	size_t i;

	if (access("/dev/fuse", W_OK) || geteuid()) {
		puts("gmemfs: not measured (no /dev/fuse, or not root)");
		return 0;
	}
	stay_on_one_cpu();
	if (begin(&null, "null", 0) && begin(&ours, "ours", 1)) {
		make_file(&ours);
		open_file(&null, "ram");
		open_file(&ours, "vm0/ram");
		bench_title("gmemfs against a FUSE server that does nothing", BENCH_ROUNDS);
		printf("%-28s %12s %12s %8s\n", "", "nothing, ns", "gmemfs, ns", "ratio");
		for (i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
			f = bench_two(requests[i].f, &null, requests[i].f, &ours);
			printf("%-28s %12.0f %12.0f %8.2f%s\n", requests[i].name, f.a, f.b, f.ratio,
			       f.ratio > MOST ? "  too slow" : "");
			missed |= f.ratio > MOST;
		}
	} else {
		puts("gmemfs: not measured (one of the servers cannot be mounted)");
	}
	end(&null);
	end(&ours);
	return missed;
}
