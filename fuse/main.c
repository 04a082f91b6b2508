/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gmemfs: the model as a file system. This one mounts it, answers requests until it is unmounted or
 * told to end, and cleans up.
 */
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common.h"
#include "gmemfs.h"

struct fs fs = { .lock = PTHREAD_MUTEX_INITIALIZER, .most_fds = INT_MAX };

#define KEPT_FDS 32

static void usage(void)
{
	puts("Usage: gmemfs [OPTION...] [NAME] MOUNTPOINT\n"
	     "Mount the reference model of guest_memfd: directories are VMs, files are guest_memfds.\n"
	     "\n"
	     "  -o profile=NAME        the release or design (gmem profiles lists them)\n"
	     "  -o type=TYPE           of new VMs: DEFAULT, SW_PROTECTED, SEV, SEV_ES, SNP, TDX\n"
	     "  -o flags=FLAG+FLAG     of files whose size is set by truncate, such as\n"
	     "                         MMAP+INIT_SHARED\n"
	     "  -o machine=WORDS       as in a trace, such as arch=arm64:types=DEFAULT+TDX\n"
	     "  -o strict              refuse read and write, as the kernel does\n"
	     "  -o run                 the same, for `gmem run'\n"
	     "  -o check               check the invariants after every call\n"
	     "  -o limit-files=N       files at a time (4096)\n"
	     "  -o limit-vms=N         directories at a time (256)\n"
	     "  -o limit-ranges=N      ranges of one file (1048576)\n"
	     "  -o limit-memory=SIZE   bytes of all contents (no limit)\n"
	     "  -o limit-world=SIZE    bytes of what is known of them (1G)\n"
	     "  -o max_readahead=N     bytes that the kernel may read ahead (0)\n"
	     "  -f                     stay in the foreground\n"
	     "  -d                     the same, and show every request\n"
	     "  -s                     one thread\n"
	     "  -h, --help             this text\n"
	     "  -V, --version          the version\n"
	     "\n"
	     "Other options of FUSE, such as -o allow_other, are in mount.fuse3(8).\n"
	     "Manual: gmemfs(1).");
}

static void print_version(void)
{
	printf("gmemfs %s, libfuse %s\n", gmem_version(), fuse_pkgversion());
}

static int loop(const struct fuse_cmdline_opts *opts)
{
	struct fuse_loop_config *config;
	int err;

	if (opts->singlethread)
		return fuse_session_loop(fs.se);
	config = fuse_loop_cfg_create();
	fuse_loop_cfg_set_clone_fd(config, (unsigned int)opts->clone_fd);
	if (opts->max_idle_threads != UINT_MAX)
		fuse_loop_cfg_set_idle_threads(config, opts->max_idle_threads);
	if (opts->max_threads != UINT_MAX)
		fuse_loop_cfg_set_max_threads(config, opts->max_threads);
	err = fuse_session_loop_mt(fs.se, config);
	fuse_loop_cfg_destroy(config);
	return err;
}

/*
 * What files take, the daemon has: a descriptor for each, of any size. Some are kept for others: without
 * one libfuse cannot even end. And nobody looks into it but root: what is private is in its memory.
 */
static void settle_in(const struct fuse_cmdline_opts *opts)
{
	struct rlimit most;

	if (!getrlimit(RLIMIT_NOFILE, &most)) {
		most.rlim_cur = most.rlim_max;
		setrlimit(RLIMIT_NOFILE, &most);
		fs.most_fds = most.rlim_max < INT_MAX ? (int)most.rlim_max - KEPT_FDS : INT_MAX;
	}
	signal(SIGXFSZ, SIG_IGN);
	if (!opts->debug)
		prctl(PR_SET_DUMPABLE, 0);
}

/* Threads do not outlive the fork, so they begin after it. */
static int serve(const struct fuse_cmdline_opts *opts)
{
	int err;

	if (fuse_daemonize(opts->foreground) || !notify_begin())
		return 1;
	settle_in(opts);
	err = loop(opts);
	if (!notify_end()) {
		fuse_session_unmount(fs.se);
		_exit(err ? 1 : 0);
	}
	return err < 0;
}

static int mount_and_serve(struct fuse_args *args, const struct fuse_cmdline_opts *opts)
{
	int status = 1;

	fs.se = fuse_session_new(args, &fs_ops, sizeof(fs_ops), NULL);
	if (!fs.se)
		return EXIT_WRONG_USE;
	if (!fuse_set_signal_handlers(fs.se)) {
		if (!fuse_session_mount(fs.se, opts->mountpoint)) {
			status = serve(opts);
			fuse_session_unmount(fs.se);
		}
		fuse_remove_signal_handlers(fs.se);
	}
	fuse_session_destroy(fs.se);
	return status;
}

static void free_children(struct node *dir)
{
	struct node *n, *next;

	for (n = dir->children; n; n = next) {
		next = n->next;
		free_children(n);
		if (n->kind == NODE_VM || n->kind == NODE_FILE)
			tree_free(n);
		else
			free(n->name);
	}
}

/* Those without a name are nobody's children. */
static void free_tree(void)
{
	free_children(&fs.root);
	while (fs.files)
		tree_free(fs.files);
	free(fs.root.name);
}

static int run(struct fuse_args *args, const struct fuse_cmdline_opts *opts)
{
	int status;

	if (opts->show_help || opts->show_version) {
		if (opts->show_help)
			usage();
		else
			print_version();
		return 0;
	}
	if (!opts->mountpoint) {
		fputs("gmemfs: no mount point; try gmemfs --help\n", stderr);
		return EXIT_WRONG_USE;
	}
	fuse_opt_add_arg(args, "-odefault_permissions,fsname=gmemfs");
	log_begin();
	if (!world_begin())
		die("no memory for a world");
	tree_begin();
	status = mount_and_serve(args, opts);
	ops_end();
	free_tree();
	log_end();
	world_end();
	return status;
}

int main(int argc, char **argv)
{
	struct fuse_args args = FUSE_ARGS_INIT(argc, argv);
	struct fuse_cmdline_opts opts = { 0 };
	int status = EXIT_WRONG_USE;

	options_read(&args);
	if (!fuse_parse_cmdline(&args, &opts))
		status = run(&args, &opts);
	free(opts.mountpoint);
	fuse_opt_free_args(&args);
	return status;
}
