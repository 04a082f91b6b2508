/* SPDX-License-Identifier: BSD-2-Clause */
/* Files that are written later; see output.h. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "output.h"

int output_open(struct output *o, const char *path)
{
	o->path = path;
	o->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	o->is_new = o->fd >= 0;
	/* with O_CREAT for a link to what is not there yet */
	if (o->fd < 0 && errno == EEXIST)
		o->fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	return o->fd >= 0;
}

/* Pipes and terminals have no size. */
int output_take(struct output *o)
{
	struct stat st;

	if (fstat(o->fd, &st) || (S_ISREG(st.st_mode) && ftruncate(o->fd, 0)))
		return -1;
	return o->fd;
}

void output_leave(struct output *o)
{
	close(o->fd);
	if (o->is_new)
		unlink(o->path);
}
