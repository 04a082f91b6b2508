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
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "output.h"
#include "run.h"
#include "started.h"

struct session session;

static void begin_signals(sigset_t *set)
{
	int i;

	signals_keep();
	/* a program's limits, or that nobody reads messages any more, are no reason to end it */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	sigemptyset(set);
	sigaddset(set, SIGCHLD);
	for (i = 0; passed_on[i]; i++)
		sigaddset(set, passed_on[i]);
	sigprocmask(SIG_BLOCK, set, NULL);
}

/* 1 if whoever runs the program can open the machine's. */
static int has_kvm(void)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	return fd >= 0 && !close(fd);
}

static void begin(const sigset_t *signals)
{
	session.signals = signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK);
	session.inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	session.lacks_kvm = !has_kvm();
	if (session.signals < 0 || session.inotify < 0 || pipe2(session.exec_failed, O_CLOEXEC))
		die("run: %s", strerror(errno));
}

static bool was_started(void)
{
	int err;

	if (read(session.exec_failed[0], &err, sizeof(err)) != sizeof(err))
		return true;
	fprintf(stderr, "gmem run: %s: %s\n", session.argv[0], strerror(err));
	return false;
}

/* 0, or the exit status after saying why the program has not been run. */
static int run_program(const sigset_t *signals)
{
	int status;

	begin(signals);
	status = mount_begin();
	if (status)
		return status;
	object_new_kvm();
	status = filter_begin();
	if (status)
		return status;
	loop();
	objects_closed();
	return was_started() ? 0 : status_number(session.status);
}

static int run_with_trace(const sigset_t *signals)
{
	struct output trace;
	int status;

	/* before the program runs: it may run for long */
	if (session.trace && !output_open(&trace, session.trace))
		die("run: %s: %s", session.trace, strerror(errno));
	status = run_program(signals);
	if (session.trace && status)
		output_leave(&trace);
	if (status)
		return status;
	if (session.trace && !mount_write_trace(output_take(&trace)))
		return EXIT_WRONG_USE;
	mount_end();
	return end_as(session.status);
}

/*
 * What is called gmem run only starts another process that does it, passes signals on, and ends as
 * that one does. If either of the two is killed, the other one is there to kill what the program has
 * started: a program can become another user's, and then nothing else would tell it.
 */
static int wait_for_supervisor(pid_t supervisor, const sigset_t *signals)
{
	siginfo_t info;
	int status = 0;
	pid_t pid;

	for (;;) {
		if (sigwaitinfo(signals, &info) < 0)
			continue;
		if (info.si_signo != SIGCHLD) {
			/* if it is for all of the group, the supervisor is to know that first */
			usleep(1000);
			if (is_to_be_passed_on(info.si_code))
				kill(supervisor, info.si_signo);
			continue;
		}
		do
			pid = waitpid(-1, &status, WNOHANG);
		while (pid > 0 && pid != supervisor);
		if (pid) {
			end_descendants();
			return end_as(status);
		}
	}
}

static int run(void)
{
	sigset_t signals;
	pid_t supervisor;

	standard_files_hold();
	begin_signals(&signals);
	session.guard = getpid();
	supervisor = fork();
	if (supervisor < 0)
		die("run: %s", strerror(errno));
	/* what the program leaves behind stays ours to look into, and to wait for */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (supervisor)
		return wait_for_supervisor(supervisor, &signals);
	/* not to be killed: for a look at whether the parent is still there */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != session.guard)
		return EXIT_LACKS;
	return run_with_trace(&signals);
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
	return run();
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
