/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What commands need that start a program and stand between it and whoever started them; see
 * started.h.
 *
 * Who descends from whom is looked up in /proc. A process whose maker has ended is a child of the
 * nearest ancestor that asked for it by PR_SET_CHILD_SUBREAPER; so for whoever did none gets lost.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"
#include "started.h"

#define MOST_ROUNDS 5000 /* of a millisecond: what cannot be killed is not waited for */

const int passed_on[] = { SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, 0 };

/* Others that we change for ourselves. */
static const int ours[] = { SIGCHLD, SIGPIPE, SIGXFSZ, 0 };

static struct sigaction given_action[NSIG];
static sigset_t given_mask;

void standard_files_hold(void)
{
	int fd;

	for (fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR | O_CLOEXEC) < 0)
			die("/dev/null: %s", strerror(errno));
}

static void each_action(const int *signals, void (*act)(int sig, struct sigaction *given))
{
	for (; *signals; signals++)
		act(*signals, &given_action[*signals]);
}

static void keep(int sig, struct sigaction *given)
{
	sigaction(sig, NULL, given);
}

static void give_back(int sig, struct sigaction *given)
{
	sigaction(sig, given, NULL);
}

void signals_keep(void)
{
	sigprocmask(SIG_SETMASK, NULL, &given_mask);
	each_action(passed_on, keep);
	each_action(ours, keep);
	/* where it is ignored children end without a status */
	signal(SIGCHLD, SIG_DFL);
}

void signals_give_back(void)
{
	each_action(passed_on, give_back);
	each_action(ours, give_back);
	sigprocmask(SIG_SETMASK, &given_mask, NULL);
}

bool is_to_be_passed_on(int code)
{
	return code != SI_KERNEL;
}

/* ---- descendants ---- */

struct relative {
	pid_t pid, parent;
	bool descends;
};

struct relatives {
	struct relative *all;
	size_t nr, room;
};

/* From /proc/PID/stat; the name may have any character in it. */
static pid_t parent_of(const char *pid)
{
	char path[64], text[512];
	const char *at;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%.16s/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n < 0 ? 0 : n] = 0;
	at = strrchr(text, ')');
	return at && strlen(at) > 4 ? (pid_t)atoi(at + 4) : 0;
}

static void add(struct relatives *r, pid_t pid, pid_t parent)
{
	r->all = xgrow(r->all, r->nr, &r->room, sizeof(*r->all));
	r->all[r->nr++] = (struct relative){ .pid = pid, .parent = parent };
}

static int by_pid(const void *a, const void *b)
{
	const struct relative *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

static void look(struct relatives *r)
{
	DIR *dir = opendir("/proc");
	const struct dirent *d;

	while (dir && (d = readdir(dir)))
		if (d->d_name[0] >= '1' && d->d_name[0] <= '9')
			add(r, (pid_t)atoi(d->d_name), parent_of(d->d_name));
	if (dir)
		closedir(dir);
	qsort(r->all, r->nr, sizeof(*r->all), by_pid);
}

/* 1 if that made another one known. */
static int find_more(struct relatives *r)
{
	struct relative key, *one, *parent;
	int found = 0;

	for (one = r->all; one < r->all + r->nr; one++) {
		key.pid = one->parent;
		parent = one->descends ? NULL :
					 bsearch(&key, r->all, r->nr, sizeof(*r->all), by_pid);
		if (one->parent == getpid() || (parent && parent->descends))
			found |= !one->descends;
		else
			continue;
		one->descends = true;
	}
	return found;
}

void signal_descendants(int sig, pid_t but)
{
	struct relatives r = { NULL, 0, 0 };
	size_t i;

	look(&r);
	while (find_more(&r))
		;
	for (i = 0; i < r.nr; i++)
		if (r.all[i].descends && r.all[i].pid != but)
			kill(r.all[i].pid, sig);
	free(r.all);
}

void end_descendants(void)
{
	pid_t pid;
	int i;

	for (i = 0; i < MOST_ROUNDS; i++) {
		while ((pid = waitpid(-1, NULL, WNOHANG | __WALL)) > 0)
			;
		if (pid < 0)
			break;
		signal_descendants(SIGKILL, 0);
		usleep(1000);
	}
}

/* ---- its end ---- */

int status_number(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* A core file would be of the wrong program. */
int end_as(int status)
{
	struct rlimit none = { 0, 0 };
	sigset_t all;

	if (!WIFSIGNALED(status))
		return status_number(status);
	fflush(NULL);
	setrlimit(RLIMIT_CORE, &none);
	signal(WTERMSIG(status), SIG_DFL);
	sigfillset(&all);
	sigprocmask(SIG_UNBLOCK, &all, NULL);
	raise(WTERMSIG(status));
	return status_number(status);
}
