/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A fork with live mappings: parent and child see each other's stores, and what either punches is
 * gone for both; the VM is the parent's alone; a program that is started instead keeps what was
 * not to be closed.
 */
#define _GNU_SOURCE
#include <sys/wait.h>

#include "program.h"

#define SIZE (4 * PAGE)

static int vm, f;
static uint8_t *m;

static int child(void)
{
	IS(load(m), 0x11);
	IS(store(m + PAGE, 0x22), 0);
	IS(fallocate(f, KEEP_SIZE | PUNCH_HOLE, 0, PAGE), 0);
	IS(new_file(vm, SIZE, 0), -EIO);
	IS(bind_file(vm, 1, 0x200000, PAGE, m, f, PAGE), -EIO);
	IS(ioctl(vm, KVM_CHECK_EXTENSION, 234), -EIO);
	WORKS(new_file(new_vm(), SIZE, 0));
	return end();
}

/* The same program again, with the file as descriptor 9. */
static int started(void)
{
	uint8_t *again = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, 9, 0);

	IS(load(again + PAGE), 0x22);
	IS(fallocate(9, KEEP_SIZE | PUNCH_HOLE, 0, SIZE), 0);
	IS(load(again + PAGE), 0);
	return end();
}

static long status_of(pid_t pid)
{
	int status;

	waitpid(pid, &status, 0);
	return status;
}

int main(int argc, char **argv)
{
	pid_t pid;

	if (argc > 1)
		return started();
	vm = new_vm();
	f = new_file(vm, SIZE, FLAG_MMAP | FLAG_INIT_SHARED);
	m = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);
	IS(store(m, 0x11), 0);
	pid = fork();
	if (!pid)
		_exit(child());
	is("what became of the child", status_of(pid), 0);
	IS(load(m), 0);
	IS(load(m + PAGE), 0x22);
	pid = fork();
	if (!pid) {
		dup2(f, 9);
		execl("/proc/self/exe", argv[0], "again", (char *)NULL);
		_exit(9);
	}
	is("what became of the program", status_of(pid), 0);
	IS(load(m + PAGE), 0);
	IS(bind_file(vm, 1, 0x200000, PAGE, m, f, PAGE), 0);
	return end();
}
