/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of descriptors in /proc: which descriptor, of which process. It is found in the text of the
 * name alone, so no file system is asked that the program may have to answer for.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run.h"

#define MOST_PARTS 8

/* The parts of a name, without "." and with ".." taken back. */
struct parts {
	char text[2 * PATH_MAX];
	const char *part[MOST_PARTS];
	int count; /* may be more than there is room for */
};

static int split(struct parts *p)
{
	char *at, *rest = NULL;

	p->count = 0;
	for (at = strtok_r(p->text, "/", &rest); at; at = strtok_r(NULL, "/", &rest)) {
		if (!strcmp(at, "."))
			continue;
		if (!strcmp(at, "..")) {
			p->count -= p->count > 0;
			continue;
		}
		if (p->count < MOST_PARTS)
			p->part[p->count] = at;
		p->count++;
	}
	return p->count <= MOST_PARTS;
}

/* The whole name, where it begins at a directory that is open; an empty one is that of the open file. */
static int whole_name(pid_t pid, int dirfd, const char *path, struct parts *p)
{
	char link[64];
	ssize_t n = 0;

	if (*path != '/') {
		if (dirfd == AT_FDCWD)
			snprintf(link, sizeof(link), "/proc/%d/cwd", pid);
		else
			snprintf(link, sizeof(link), "/proc/%d/fd/%d", pid, dirfd);
		n = readlink(link, p->text, PATH_MAX);
		if (n <= 0 || n == PATH_MAX)
			return 0;
	}
	n = snprintf(p->text + n, sizeof(p->text) - (size_t)n, "/%s", path);
	return n > 0 && split(p);
}

/* -1 unless it is a number. */
static int number(const char *s)
{
	char *end;
	unsigned long n = strtoul(s, &end, 10);

	return isdigit((unsigned char)*s) && !*end && n <= INT_MAX ? (int)n : -1;
}

int proc_descriptor(const struct request *q, int dirfd, const char *path, pid_t *pid)
{
	static struct parts p;
	const char *slash = strrchr(path, '/'), *last = slash ? slash + 1 : path;
	int at = 2;

	*pid = q->pid;
	if ((*path && number(last) < 0) || !whole_name(q->pid, dirfd, path, &p) || p.count < 3)
		return -1;
	if (!strcmp(p.part[0], "dev"))
		return p.count == 3 && !strcmp(p.part[1], "fd") ? number(p.part[2]) : -1;
	if (strcmp(p.part[0], "proc"))
		return -1;
	if (strcmp(p.part[1], "self") && strcmp(p.part[1], "thread-self"))
		*pid = number(p.part[1]);
	if (p.count == 6 && !strcmp(p.part[2], "task")) {
		*pid = number(p.part[3]);
		at = 4;
	}
	return *pid > 0 && p.count == at + 2 && !strcmp(p.part[at], "fd") ? number(p.part[at + 1]) :
									    -1;
}
