/* SPDX-License-Identifier: BSD-2-Clause */
/* For commands that start a program: its signals, its end, and what it leaves behind. */
#ifndef STARTED_H
#define STARTED_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

/* Signals that are meant for the program when its command gets them. */
extern const int passed_on[];

/* So that no other file gets the number of a standard one that is closed; to the program it is. */
void standard_files_hold(void);
/* What the program is to have, which is what we were given; and that in the program. */
void signals_keep(void);
void signals_give_back(void);
/* False for the keys of a terminal, and its end: those reach the program by themselves. */
bool is_to_be_passed_on(int code);
/* To all that descends from this process, but for one of its children. */
void signal_descendants(int sig, pid_t but);
/* Kills them, and waits until they are gone. */
void end_descendants(void);
/* Ends as a program did of which wait(2) says so; or returns its exit status. */
int end_as(int status);
/* That as a shell has it. */
int status_number(int status);

#endif
