/* SPDX-License-Identifier: BSD-2-Clause */
/* One descriptor over a socket, from one process to another. */
#ifndef PASS_FD_H
#define PASS_FD_H

/* 1, or 0 and errno. */
int pass_fd(int socket, int fd);
/* The descriptor, or -1 if none comes. */
int take_fd(int socket);

#endif
