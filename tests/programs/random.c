/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random calls on guest_memfds, their mappings and the memslots of VMs without private memory: so many of them, from
 * that seed. It expects nothing; what it prints is to be the same on the model and on the kernel. No call can take much
 * memory: files have 64 pages at most, and nothing larger is allocated.
 */
#define _GNU_SOURCE
#include <sys/stat.h>
#include <sys/uio.h>

#include "program.h"

#define NR_VMS 3
#define NR_FILES 6
#define NR_MAPPINGS 6
#define MOST 64ul /* pages */
#define PICK(list) ((list)[any(sizeof(list) / sizeof((list)[0]))])

static struct mapping {
	uint8_t *p;
	uint64_t size;
} mappings[NR_MAPPINGS];
static int vms[NR_VMS], files[NR_FILES];
static uint8_t *ram;
static uint64_t seed;
static int step;

static uint64_t any(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (seed * 0x2545F4914F6CDD1Dull >> 20) % below;
}

static uint64_t offset(void)
{
	static const uint64_t odd[] = {
		1, PAGE - 1, PAGE + 1, 1ull << 63, ~0ull, -PAGE, 16 * PAGE
	};

	return any(8) ? any(9) * PAGE : PICK(odd);
}

#define SAY(value, ...)                            \
	do {                                       \
		printf("ok: %d ", step);           \
		printf(__VA_ARGS__);               \
		printf(" = %ld\n", result(value)); \
	} while (0)

/* A descriptor takes the place of another; what it is called in the program is no matter. */
static long put(int *place, long fd)
{
	if (fd < 0)
		return fd;
	if (*place >= 0)
		close(*place);
	*place = (int)fd;
	return 0;
}

static void create(int f)
{
	static const uint64_t sizes[] = { PAGE, 4 * PAGE, 8 * PAGE, 8 * PAGE,  MOST * PAGE,
					  0,	1,	  PAGE + 1, 1ull << 63 };
	static const uint64_t flags[] = { 3, 3, 3, 3, 1, 0, 0, 2, 4, 1ull << 63 };
	struct guest_memfd g = { .size = PICK(sizes), .flags = PICK(flags) };
	int v = (int)any(NR_VMS);

	if (!any(20))
		g.reserved[any(6)] = 1;
	SAY(put(&files[f], ioctl(vms[v], CREATE_GUEST_MEMFD, &g)), "create v%d f%d %lx %lx", v, f,
	    g.size, g.flags);
}

static void replace_vm(void)
{
	int v = (int)any(NR_VMS), kvm = open_kvm();

	SAY(put(&vms[v], ioctl(kvm, KVM_CREATE_VM, 0)), "vm v%d", v);
	close(kvm);
}

static void set_region(int f)
{
	static const uint32_t flags[] = { 4, 4, 4, 4, 0, 0, 5, 6, 1, 2, 3, 8, 12 };
	int v = (int)any(NR_VMS), m = (int)any(NR_MAPPINGS + 1), two = any(5) != 0;
	struct region2 r = { .slot = (uint32_t)(any(20) ? any(4) : 0x7ffd), .flags = PICK(flags) };
	uint64_t in = any(6) ? 0 : offset() % (MOST * PAGE);

	r.gpa = any(8) ? 0x100000 + any(16) * PAGE : offset();
	r.size = any(6) ? any(9) * PAGE : offset();
	r.addr = (uintptr_t)(m == NR_MAPPINGS ? ram : mappings[m].p) + in;
	r.offset = any(3) ? 0 : offset();
	r.memfd = (uint32_t)(any(10) ? files[f] : any(2) ? vms[v] : -1);
	SAY(ioctl(vms[v], two ? SET_REGION2 : SET_REGION, &r),
	    "region%d v%d %x %x %lx %lx m%d+%lx %lx f%d", two + 1, v, r.slot, r.flags, r.gpa,
	    r.size, m, in, r.offset, f);
}

static void allocate(int f)
{
	static const int modes[] = { 1, 1, 3, 3, 3, 0, 2, 8, 0x10, 0x11, 0x20, 0x40 };
	uint64_t from = offset(), size = offset();
	int mode = PICK(modes);

	SAY(fallocate(files[f], mode, (off_t)from, (off_t)size), "fallocate f%d %x %lx %lx", f,
	    mode, from, size);
}

static void map(int f)
{
	static const int prots[] = { 3, 3, 3, 1, 0, 2, 7, 5 };
	static const int flags[] = { MAP_SHARED,
				     MAP_SHARED,
				     MAP_SHARED,
				     MAP_PRIVATE,
				     MAP_SHARED_VALIDATE,
				     MAP_SHARED_VALIDATE | 0x80000,
				     0,
				     MAP_SHARED | MAP_NORESERVE,
				     MAP_SHARED | MAP_HUGETLB };
	int m = (int)any(NR_MAPPINGS), prot = PICK(prots), flag = PICK(flags);
	uint64_t size = (1 + any(8)) * PAGE, at = any(3) ? 0 : offset();
	uint8_t *p = mmap(NULL, size, prot, flag, files[f], (off_t)at);

	SAY(p == MAP_FAILED ? -1 : 0, "mmap m%d f%d %d %x %lx %lx", m, f, prot, flag, size, at);
	if (p == MAP_FAILED)
		return;
	if (mappings[m].size)
		munmap(mappings[m].p, mappings[m].size);
	mappings[m] = (struct mapping){ p, size };
}

static void touch(int m)
{
	uint64_t at = any(mappings[m].size);

	if (any(2))
		SAY(load(mappings[m].p + at), "load m%d+%lx", m, at);
	else
		SAY(store(mappings[m].p + at, (uint8_t)(step | 1)), "store m%d+%lx", m, at);
}

static void advise(int m)
{
	static const int advices[] = { 0,  1,  2,  3,  4,  8,  9,  10, 11, 12, 13, 14,
				       15, 16, 17, 18, 19, 20, 21, 22, 23, 25, -1 };
	int advice = PICK(advices);

	SAY(madvise(mappings[m].p, (1 + any(2)) * PAGE, advice), "madvise m%d %d", m, advice);
}

static void change(int m)
{
	struct mapping *map = &mappings[m];
	unsigned char in[MOST];
	int n = (int)any(8);

	switch (any(4)) {
	case 0:
		SAY(mprotect(map->p, PAGE, n), "mprotect m%d %d", m, n);
		break;
	case 1:
		SAY(msync(map->p, map->size, n), "msync m%d %d", m, n);
		break;
	case 2:
		SAY(mincore(map->p, map->size, in), "mincore m%d", m);
		break;
	default:
		SAY(munmap(map->p, map->size), "munmap m%d", m);
		map->size = 0;
	}
}

/* The kernel reads and writes the page. */
static void copy(int m)
{
	uint8_t byte = 7, *p = mappings[m].p + any(mappings[m].size);
	struct iovec local = { &byte, 1 }, remote = { p, 1 };
	long at = p - mappings[m].p;
	int fds[2];

	if (pipe(fds))
		return;
	switch (any(3)) {
	case 0:
		SAY(write(fds[1], p, 1), "write m%d+%lx", m, at);
		break;
	case 1:
		SAY(write(fds[1], &byte, 1) == 1 ? read(fds[0], p, 1) : -1, "read m%d+%lx", m, at);
		break;
	default:
		SAY(process_vm_readv(getpid(), &local, 1, &remote, 1, 0), "readv m%d+%lx", m, at);
	}
	close(fds[0]);
	close(fds[1]);
}

static void look(int f)
{
	uint8_t bytes[64] = { 0 };
	uint64_t size = any(3) * 30, at = offset();
	struct stat st = { 0 };
	int whence = (int)any(6), call = (int)any(7);

	switch (call) {
	case 0:
		SAY(fstat(files[f], &st) ? -1 : st.st_blocks, "blocks f%d", f);
		break;
	case 1:
		SAY(lseek(files[f], (off_t)at, whence), "lseek f%d %lx %d", f, at, whence);
		break;
	case 2:
		SAY(pread(files[f], bytes, size, (off_t)at), "pread f%d %lx %lx", f, size, at);
		break;
	case 3:
		SAY(pwrite(files[f], bytes, size, (off_t)at), "pwrite f%d %lx %lx", f, size, at);
		break;
	case 4:
		SAY(ftruncate(files[f], (off_t)at), "ftruncate f%d %lx", f, at);
		break;
	case 5:
		SAY(posix_fadvise(files[f], (off_t)at, (off_t)size, whence), "fadvise f%d %lx %d",
		    f, at, whence);
		break;
	default:
		if (any(3))
			break;
		SAY(close(files[f]), "close f%d", f);
		files[f] = -1;
	}
}

static void one(void)
{
	int f = (int)any(NR_FILES), m = (int)any(NR_MAPPINGS), call = (int)any(24);
	static void (*const of_file[])(int) = { create,	  set_region, set_region, set_region,
						allocate, allocate,   map,	  map,
						look,	  look };
	static void (*const of_mapping[])(
		int) = { touch, touch, touch, touch, advise, change, copy };

	if (call < 10)
		of_file[call](f);
	else if (call < 22 && mappings[m].size)
		of_mapping[any(7)](m);
	else if (!any(6))
		replace_vm();
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 2000, i;

	seed = argc > 2 ? strtoul(argv[2], NULL, 10) * 7919 + 1 : 1;
	ram = mmap(NULL, 2 * MOST * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		   0);
	for (i = 0; i < NR_VMS; i++)
		vms[i] = new_vm();
	for (i = 0; i < NR_FILES; i++)
		files[i] = i < 3 ? new_file(vms[0], 8 * PAGE, 3) : -1;
	for (i = 0; i < NR_MAPPINGS; i++)
		mappings[i].p = ram;
	for (step = 0; step < n; step++)
		one();
	return end();
}
