/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Long-term pins, for the far side of backend-kvm.c: the registered buffer of an io_uring.
 *
 * The ring's descriptor is the pin. What goes through it goes through a pipe as well: a load is
 * a write of the buffer to the pipe and a read from there. The ring is mapped for the time of
 * one load or store, so that there is nothing to be kept, and a forked process can use it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/io_uring.h>

#include "backend-kvm.h"

struct pin {
	struct io_uring_params params;
	uint64_t addr, length; /* the buffer's name; its pages stay when the mapping goes */
	unsigned int forks;    /* of the process, when it was made */
};

struct ring {
	char *rings; /* both queues */
	struct io_uring_sqe *entry;
	size_t rings_size, entries_size;
};

static bool is_page_aligned(uint64_t n)
{
	return !(n & (GMEM_PAGE_SIZE - 1));
}

static int register_buffer(int ring, uint64_t addr, uint64_t length)
{
	struct iovec v = { (void *)(uintptr_t)addr, length };

	return (int)syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &v, 1);
}

static enum backend_status bind_pin(struct far *f, int ring, const struct pin *pin,
				    struct gmem_result *r)
{
	struct object *o = far_object_new(f, ring);

	if (o)
		o->pin = malloc(sizeof(*pin));
	if (!o || !o->pin)
		return far_fail(f, "no memory");
	*o->pin = *pin;
	return far_answer(r, ring);
}

enum backend_status far_pin(struct far *f, const struct gmem_call *c, struct gmem_result *r)
{
	struct pin pin = { .addr = c->addr, .length = c->length, .forks = f->forks };
	int ring, err;

	errno = EINVAL;
	if (!is_page_aligned(c->addr) || !is_page_aligned(c->length) || !c->length ||
	    c->addr + c->length <= c->addr)
		return far_answer(r, -1);
	if (c->length > FAR_MOST_MEMORY)
		return far_refuse(f, "io_uring pins at most 1 GiB as one buffer");
	if (far_is_own_memory(f, c->addr, c->length))
		return far_refuse(f, "there is memory of the back end itself");
	ring = (int)syscall(SYS_io_uring_setup, 1, &pin.params);
	if (ring < 0 && errno == EMFILE)
		return far_answer(r, -1);
	if (ring < 0)
		return far_refuse(f, "pins need io_uring, and that is not to be had: %s",
				  strerror(errno));
	if (register_buffer(ring, c->addr, c->length)) {
		err = errno;
		close(ring);
		errno = err;
		return far_answer(r, -1);
	}
	return bind_pin(f, ring, &pin, r);
}

/* The kernel unpins some time after the last close, and at once if it is told to. */
enum backend_status far_unpin(struct far *f, const struct gmem_call *c, struct gmem_result *r)
{
	const struct object *o = far_object(f, c->fd);
	int ring = far_fd(f, c->fd);

	if (o && o->pin && o->refs == 1 && o->pin->forks == f->forks)
		syscall(SYS_io_uring_register, ring, IORING_UNREGISTER_BUFFERS, NULL, 0);
	far_object_close(f, ring);
	return far_answer(r, close(ring));
}

static size_t larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

static bool map_ring(struct ring *m, int fd, const struct io_uring_params *p)
{
	void *rings, *entries;

	m->rings_size = larger(p->sq_off.array + p->sq_entries * sizeof(uint32_t),
			       p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe));
	m->entries_size = p->sq_entries * sizeof(struct io_uring_sqe);
	rings = mmap(NULL, m->rings_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		     IORING_OFF_SQ_RING);
	if (rings == MAP_FAILED)
		return false;
	entries = mmap(NULL, m->entries_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		       IORING_OFF_SQES);
	if (entries == MAP_FAILED) {
		munmap(rings, m->rings_size);
		return false;
	}
	m->rings = rings;
	m->entry = entries;
	return true;
}

static void unmap_ring(const struct ring *m)
{
	munmap(m->rings, m->rings_size);
	munmap(m->entry, m->entries_size);
}

static uint32_t *word(const struct ring *m, uint32_t offset)
{
	return (uint32_t *)(void *)(m->rings + offset);
}

/* One operation from submission to completion; the bytes moved, or a negated errno. */
static int operate(const struct ring *m, int fd, const struct io_uring_params *p,
		   const struct io_uring_sqe *operation)
{
	uint32_t *sq_tail = word(m, p->sq_off.tail), *cq_head = word(m, p->cq_off.head);
	const struct io_uring_cqe *done = (void *)(m->rings + p->cq_off.cqes);
	uint32_t slot = *sq_tail & (p->sq_entries - 1);
	int result;

	m->entry[slot] = *operation;
	word(m, p->sq_off.array)[slot] = slot;
	__atomic_store_n(sq_tail, *sq_tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
		return -errno;
	if (__atomic_load_n(word(m, p->cq_off.tail), __ATOMIC_ACQUIRE) == *cq_head)
		return -EIO;
	result = done[*cq_head & (p->cq_entries - 1)].res;
	__atomic_store_n(cq_head, *cq_head + 1, __ATOMIC_RELEASE);
	return result;
}

static bool open_pipe(struct far *f)
{
	int ends[2];

	if (f->pipe[0] >= 0)
		return true;
	far_unlimit(f, true);
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK)) {
		far_unlimit(f, false);
		return false;
	}
	f->pipe[0] = far_own_fd(f, ends[0]);
	f->pipe[1] = far_own_fd(f, ends[1]);
	return f->pipe[0] >= 0 && f->pipe[1] >= 0;
}

/* Moves size bytes between *value and the pinned page; a negated errno if it cannot. */
static int move(struct far *f, int fd, const struct pin *pin, const struct gmem_call *c,
		uint64_t *value)
{
	bool load = c->verb == GMEM_PIN_LOAD;
	struct io_uring_sqe operation = {
		.opcode = load ? IORING_OP_WRITE_FIXED : IORING_OP_READ_FIXED,
		.fd = f->pipe[load ? 1 : 0],
		.addr = pin->addr + c->offset,
		.len = (uint32_t)c->size,
		.off = (uint64_t)-1,
	};
	struct ring m;
	int moved;

	if (!load && write(f->pipe[1], value, c->size) != (ssize_t)c->size)
		return -errno;
	if (!map_ring(&m, fd, &pin->params))
		return -errno;
	moved = operate(&m, fd, &pin->params, &operation);
	unmap_ring(&m);
	if (moved != (int)c->size)
		return moved < 0 ? moved : -EIO;
	if (load && read(f->pipe[0], value, c->size) != (ssize_t)c->size)
		return -errno;
	return 0;
}

enum backend_status far_pin_access(struct far *f, const struct gmem_call *c, struct gmem_result *r)
{
	const struct object *o = far_object(f, c->fd);
	int fd = far_fd(f, c->fd), err;
	uint64_t value = c->verb == GMEM_PIN_LOAD ? 0 : c->value;

	if (fcntl(fd, F_GETFD) < 0)
		return far_answer(r, -1);
	if (!o || !o->pin || !c->size || c->size > 8)
		return far_refuse(f, "that is no pin, or no width of a load or store");
	errno = EINVAL;
	if (c->offset > o->pin->length || c->size > o->pin->length - c->offset)
		return far_answer(r, -1);
	if (!open_pipe(f))
		return far_fail(f, "no pipe: %s", strerror(errno));
	err = move(f, fd, o->pin, c, &value);
	if (err)
		return far_fail(f, "the pinned page cannot be reached: %s", strerror(-err));
	if (c->verb == GMEM_PIN_LOAD)
		result_load(r, value);
	return BACKEND_DONE;
}
