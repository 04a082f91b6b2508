/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gmem run: runs a program whose /dev/kvm is the model; see run.h. The program's exit status, or
 * its signal, is that of gmem run.
 */
#define _GNU_SOURCE
#include "cmd.h"

#ifdef HAVE_RUN
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run.h"

struct session session;

static int begin_signals(void)
{
	sigset_t set;

	/* the keys of a terminal reach the program by themselves */
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* 1 if whoever runs the program can open the machine's. */
static int has_kvm(void)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	return fd >= 0 && !close(fd);
}

static void begin(void)
{
	/* what the program leaves behind stays ours to look into, and to wait for */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	session.signals = begin_signals();
	session.inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	session.lacks_kvm = !has_kvm();
	if (session.signals < 0 || session.inotify < 0 || pipe2(session.exec_failed, O_CLOEXEC))
		die("run: %s", strerror(errno));
}

/* As the program ended, so do we; a core file would be of the wrong program. */
static int pass_on(int status)
{
	struct rlimit none = { 0, 0 };
	sigset_t all;

	if (!WIFSIGNALED(status))
		return WEXITSTATUS(status);
	fflush(NULL);
	setrlimit(RLIMIT_CORE, &none);
	signal(WTERMSIG(status), SIG_DFL);
	sigfillset(&all);
	sigprocmask(SIG_UNBLOCK, &all, NULL);
	raise(WTERMSIG(status));
	return 128 + WTERMSIG(status);
}

static void say_not_started(void)
{
	int err;

	if (read(session.exec_failed[0], &err, sizeof(err)) == sizeof(err))
		fprintf(stderr, "gmem run: %s: %s\n", session.argv[0], strerror(err));
}

/* Before the program runs: it may run for long. */
static int open_trace(void)
{
	int fd;

	if (!session.trace)
		return -1;
	fd = open(session.trace, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0)
		die("run: %s: %s", session.trace, strerror(errno));
	return fd;
}

static int run_program(void)
{
	int status, trace = open_trace();

	begin();
	status = mount_begin();
	if (status)
		return status;
	object_new_kvm();
	status = filter_begin();
	if (status)
		return status;
	loop();
	say_not_started();
	objects_closed();
	if (trace >= 0 && !mount_write_trace(trace))
		return EXIT_WRONG_USE;
	mount_end();
	return pass_on(session.status);
}

static error_t on_option(int key, char *arg, struct argp_state *state)
{
	const char *end;

	switch (key) {
	case 'p':
		profile_option(state, arg);
		session.profile = arg;
		break;
	case 'm':
		if (!size_number(arg, &end, &session.memory) || *end || !session.memory)
			argp_error(state, "%s is no size", arg);
		break;
	case 't':
		session.trace = arg;
		break;
	case ARGP_KEY_ARGS:
		session.argv = state->argv + state->next;
		break;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which program?");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp_option options[] = {
	{ "profile", 'p', "PROFILE", 0,
	  "Answer as this release or design (default: the newest release)", 0 },
	{ "limit-memory", 'm', "SIZE", 0,
	  "What all guest_memfds together may hold, such as 64M (default: half of the machine's memory)",
	  0 },
	{ "trace", 't', "FILE", 0, "Write what the model was asked to FILE, as a trace", 0 },
	{ NULL, 0, NULL, 0, NULL, 0 },
};

static const struct argp argp = {
	.options = options,
	.parser = on_option,
	.args_doc = "[--] PROGRAM [ARGUMENT...]",
	.doc = "Run a program, as it is, whose /dev/kvm and guest_memfds are the model. Static programs and "
	       "all that it starts are served as well; no KVM is needed.\vExit status: the program's, "
	       "or its signal; 126 or 127 if it cannot be started, 2 for wrong use, 77 if calls cannot be "
	       "intercepted or mounted here. See gmem-run(1).",
};

int cmd_run(int argc, char **argv)
{
	parse_options_in_order(&argp, argc, argv, NULL);
	return run_program();
}
#else
int cmd_run(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	fputs("gmem run: needs x86-64, and gmem built with libfuse3\n", stderr);
	return EXIT_LACKS;
}
#endif
