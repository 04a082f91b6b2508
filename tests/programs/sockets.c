/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptors over a socket: a process gets a guest_memfd, and the VM, from one that it is not the
 * child of, and uses what may be used; then the giver closes its own.
 */
#define _GNU_SOURCE
#include <sys/socket.h>
#include <sys/wait.h>

#include "program.h"

#define SIZE (4 * PAGE)

union control {
	char bytes[CMSG_SPACE(2 * sizeof(int))];
	struct cmsghdr align;
};

static void give(int s, const int *fds)
{
	union control c = { 0 };
	char byte = 0;
	struct iovec v = { &byte, 1 };
	struct msghdr m = {
		.msg_iov = &v, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof(c)
	};
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(2 * sizeof(int));
	memcpy(CMSG_DATA(h), fds, 2 * sizeof(int));
	IS(sendmsg(s, &m, 0), 1);
}

static void take(int s, int *fds)
{
	union control c;
	char byte;
	struct iovec v = { &byte, 1 };
	struct msghdr m = {
		.msg_iov = &v, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof(c)
	};

	IS(recvmsg(s, &m, 0), 1);
	memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&m)), 2 * sizeof(int));
}

static int taker(int s)
{
	int fds[2];
	uint8_t *m;
	char byte;

	take(s, fds);
	m = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
	IS(load(m), 0x33);
	IS(store(m + PAGE, 0x44), 0);
	IS(lseek(fds[0], 0, SEEK_SET), -ESPIPE);
	IS(new_file(fds[1], SIZE, 0), -EIO);
	IS(write(s, "x", 1), 1);
	/* until the giver has closed everything */
	IS(read(s, &byte, 1), 1);
	IS(load(m + PAGE), 0x44);
	IS(fallocate(fds[0], KEEP_SIZE | PUNCH_HOLE, 0, SIZE), 0);
	IS(load(m + PAGE), 0);
	return end();
}

static void giver(int s)
{
	int vm = new_vm(), fds[2];
	uint8_t *m;
	char byte;

	fds[0] = new_file(vm, SIZE, FLAG_MMAP | FLAG_INIT_SHARED);
	fds[1] = vm;
	m = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
	IS(bind_file(vm, 0, 0x100000, SIZE, m, fds[0], 0), 0);
	IS(store(m, 0x33), 0);
	give(s, fds);
	IS(read(s, &byte, 1), 1);
	IS(load(m + PAGE), 0x44);
	munmap(m, SIZE);
	close(fds[0]);
	close(vm);
	IS(write(s, "x", 1), 1);
}

int main(void)
{
	int sockets[2], status;
	pid_t pid;

	IS(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
	pid = fork();
	if (!pid) {
		close(sockets[0]);
		/* lines of both would mix */
		if (!freopen("/dev/null", "w", stdout))
			_exit(9);
		_exit(taker(sockets[1]));
	}
	close(sockets[1]);
	giver(sockets[0]);
	waitpid(pid, &status, 0);
	is("what became of the taker", status, 0);
	return end();
}
