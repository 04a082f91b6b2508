/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Another process from outside: its memory, its threads. By the number of a thread that waits for
 * us, so that it cannot become another's meanwhile.
 */
#ifndef TARGET_H
#define TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Says once that a process keeps us out. */
void target_is_closed(pid_t pid);
/* 0, or -EFAULT if not all of it is there. */
int target_read(pid_t pid, uint64_t addr, void *to, size_t size);
int target_write(pid_t pid, uint64_t addr, const void *from, size_t size);
/* How both get at it: directly, or as the caller has said since; false and errno. */
bool target_copy(pid_t pid, uint64_t addr, void *bytes, size_t size, bool write);
void target_copies_by(bool (*copy)(pid_t pid, uint64_t addr, void *bytes, size_t size, bool write));
/* True if somebody who read there would wait, for a userfaultfd. */
bool target_is_late(pid_t pid, uint64_t addr, size_t size);
/* A string of at most size bytes with its end; -EFAULT, -ENAMETOOLONG. */
int target_string(pid_t pid, uint64_t addr, char *to, size_t size);
/* A line of /proc/PID/status; 0 if it cannot be read. */
uint64_t target_status(pid_t pid, const char *name, int base);
pid_t target_tgid(pid_t pid);
/* The name that messages call it by; of a static buffer. */
const char *target_name(pid_t pid);
/* What /proc calls its descriptor; empty if it has none of that number. */
void target_link(pid_t pid, int fd, char *name, size_t size);

#endif
