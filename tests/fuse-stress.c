/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sixteen processes map, store to, read, write, convert and punch one file of a mounted gmemfs
 * (profile linux-coco-v13), also load and store as guests, and check every byte that they see:
 *
 *	fuse-stress FILE SECONDS SEED
 *
 * Every process has a word of its own in every page, and stores ascending numbers there. Whether a
 * page is private, and whether it is being punched, is recorded in memory that all share, before
 * and after the call that changes it; so who loads knows what he may see:
 *
 *	- nothing from a page that was private all the time, and no SIGBUS where it was shared; but a
 *	  guest may always;
 *	- in his own word the last number that he stored there, or 0 if it has been punched since; or,
 *	  which is a limit of FUSE and rare, an older one if he stored while it was being punched;
 *	- in another's word no number that was not stored there.
 *
 * If somebody makes no progress for a while, the connection is aborted and the test has failed.
 */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>

#include "fuse-check.h"

#define PROCESSES 16u
#define PAGES 64u
#define MOST_RANGE 4u
#define PATIENCE 30	 /* seconds */
#define MOST_LIMITS 1000 /* one in so many loads */

enum { SHARED, PRIVATE, CHANGING };

struct page {
	pthread_mutex_t lock;	/* of who converts it */
	_Atomic uint64_t state; /* count << 2 | SHARED ... */
	_Atomic uint64_t punches_begun, punches_done;
	_Atomic uint64_t begun[PROCESSES]; /* the last number that each may have stored */
};

static struct shared {
	struct page pages[PAGES];
	_Atomic uint64_t steps[PROCESSES];
	_Atomic uint64_t failures, faults, loads, conversions, limits;
	_Atomic int stop;
} * all;

static struct {
	unsigned int self;
	uint64_t seed, next;
	int fd, vm;
	unsigned char *m;
	uint64_t stored[PAGES];	 /* the last number in the own word */
	uint64_t maybe[PAGES];	 /* the last that was refused since, and may be there */
	uint64_t punches[PAGES]; /* that had begun when it was stored */
	int overlapped[PAGES];	 /* one of them went on meanwhile */
} me;

static uint64_t draw(uint64_t below)
{
	me.seed ^= me.seed << 13;
	me.seed ^= me.seed >> 7;
	me.seed ^= me.seed << 17;
	return me.seed % below;
}

static void wrong(const char *what, unsigned int page, uint64_t saw, uint64_t want)
{
	if (atomic_fetch_add(&all->failures, 1) < 10)
		printf("process %u, page %u: %s: %llu, not %llu\n", me.self, page, what,
		       (unsigned long long)saw, (unsigned long long)want);
}

static volatile uint64_t *word(unsigned int page, unsigned int owner)
{
	return (volatile uint64_t *)(void *)(me.m + page * PAGE) + owner;
}

/* 0, or SIGBUS_RAISED. */
static int load_word(unsigned int page, unsigned int owner, uint64_t *value)
{
	if (sigsetjmp(after_fault, 1))
		return SIGBUS_RAISED;
	*value = *word(page, owner);
	return 0;
}

static int store_word(unsigned int page, uint64_t value)
{
	if (sigsetjmp(after_fault, 1))
		return SIGBUS_RAISED;
	*word(page, me.self) = value;
	return 0;
}

static off_t place(unsigned int page, unsigned int owner)
{
	return (off_t)(page * PAGE + owner * sizeof(uint64_t));
}

static int read_word(unsigned int page, unsigned int owner, uint64_t *value)
{
	if (pread(me.fd, value, sizeof(*value), place(page, owner)) == sizeof(*value))
		return 0;
	if (errno != EACCES)
		wrong("pread fails", page, (uint64_t)errno, EACCES);
	return SIGBUS_RAISED;
}

static int write_word(unsigned int page, uint64_t value)
{
	if (pwrite(me.fd, &value, sizeof(value), place(page, me.self)) == sizeof(value))
		return 0;
	if (errno != EACCES)
		wrong("pwrite fails", page, (uint64_t)errno, EACCES);
	return SIGBUS_RAISED;
}

enum { BY_MAPPING, BY_CALL, BY_GUEST };

#define GUEST_BASE 0x100000

/* 0 and the value, or an errno. */
static int guest_access(uint32_t verb, unsigned int page, unsigned int owner, uint64_t *value)
{
	struct mount_call m = { .call = { .verb = verb,
					  .gpa = GUEST_BASE + (uint64_t)place(page, owner),
					  .size = sizeof(*value),
					  .value = *value } };

	if (ioctl(me.vm, MOUNT_CALL, &m))
		return errno;
	if (m.result.outcome != GMEM_VALUE)
		return EFAULT;
	if (verb == GMEM_GUEST_LOAD)
		*value = (uint64_t)m.result.value;
	return 0;
}

/* An access that was made while the page's state went from before to after. */
static void judge_access(unsigned int page, uint64_t before, int fault)
{
	if (atomic_load(&all->pages[page].state) != before)
		return;
	if ((before & 3) == PRIVATE && !fault)
		wrong("a private page was accessed", page, 0, 1);
	if ((before & 3) == SHARED && fault)
		wrong("a shared page was refused", page, 1, 0);
}

static void judge_value(unsigned int page, unsigned int owner, uint64_t value)
{
	struct page *p = &all->pages[page];

	if (value > atomic_load(&p->begun[owner])) {
		wrong("a number that was never stored", page, value, p->begun[owner]);
		return;
	}
	if (owner != me.self || value == me.stored[page] ||
	    (value > me.stored[page] && value <= me.maybe[page]))
		return;
	if (value && me.overlapped[page])
		atomic_fetch_add(&all->limits, 1);
	else if (value ||
		 (!me.overlapped[page] && atomic_load(&p->punches_begun) == me.punches[page]))
		wrong("a byte is lost", page, value, me.stored[page]);
}

static void look(unsigned int page, int how)
{
	unsigned int owner = draw(2) ? me.self : (unsigned int)draw(PROCESSES);
	uint64_t before = atomic_load(&all->pages[page].state), value = 0;
	int fault = how == BY_GUEST ? guest_access(GMEM_GUEST_LOAD, page, owner, &value) :
		    how == BY_CALL  ? read_word(page, owner, &value) :
				      load_word(page, owner, &value);

	atomic_fetch_add(&all->loads, 1);
	if (how != BY_GUEST)
		judge_access(page, before, fault);
	else if (fault)
		wrong("a guest's load fails", page, (uint64_t)fault, 0);
	if (fault)
		atomic_fetch_add(&all->faults, 1);
	else
		judge_value(page, owner, value);
}

static void put(unsigned int page, int how)
{
	struct page *p = &all->pages[page];
	uint64_t before = atomic_load(&p->state), done = atomic_load(&p->punches_done);
	uint64_t value = ++me.next;
	int fault;

	atomic_store(&p->begun[me.self], value);
	fault = how == BY_GUEST ? guest_access(GMEM_GUEST_STORE, page, me.self, &value) :
		how == BY_CALL	? write_word(page, value) :
				  store_word(page, value);
	if (how != BY_GUEST)
		judge_access(page, before, fault);
	else if (fault && fault != EAGAIN)
		wrong("a guest's store fails", page, (uint64_t)fault, 0);
	if (fault) {
		if (how == BY_CALL)
			me.maybe[page] = value;
		return;
	}
	me.stored[page] = value;
	me.maybe[page] = 0;
	me.punches[page] = atomic_load(&p->punches_begun);
	me.overlapped[page] = me.punches[page] != done;
}

static void set_states(unsigned int page, unsigned int n, uint64_t state)
{
	for (; n--; page++)
		atomic_store(&all->pages[page].state,
			     ((all->pages[page].state >> 2) + 1) << 2 | state);
}

static void change(unsigned int page, unsigned int n)
{
	int private = (int)draw(2), err;
	unsigned int i;

	for (i = 0; i < n; i++)
		pthread_mutex_lock(&all->pages[page + i].lock);
	set_states(page, n, CHANGING);
	err = convert(me.fd, page * PAGE, n * PAGE, private, NULL);
	if (err)
		wrong("a conversion fails", page, (uint64_t)err, 0);
	else
		set_states(page, n, private ? PRIVATE : SHARED);
	for (i = n; i--;)
		pthread_mutex_unlock(&all->pages[page + i].lock);
	atomic_fetch_add(&all->conversions, 1);
}

static void punch(unsigned int page, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		atomic_fetch_add(&all->pages[page + i].punches_begun, 1);
	if (fallocate(me.fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, page * PAGE, n * PAGE))
		wrong("a punch fails", page, (uint64_t)errno, 0);
	for (i = 0; i < n; i++)
		atomic_fetch_add(&all->pages[page + i].punches_done, 1);
}

static void remap(void)
{
	munmap(me.m, PAGES * PAGE);
	me.m = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, me.fd, 0);
}

static void step(void)
{
	unsigned int n = 1 + (unsigned int)draw(MOST_RANGE);
	/* often where everybody is; see CAVEATS.md for what half of the time would find */
	unsigned int page = (unsigned int)draw(draw(2) ? PAGES - n : 2);
	uint64_t what = draw(100);

	if (what < 35)
		put(page, what < 5 ? BY_CALL : what < 10 ? BY_GUEST : BY_MAPPING);
	else if (what < 80)
		look(page, what < 45 ? BY_CALL : what < 50 ? BY_GUEST : BY_MAPPING);
	else if (what < 92)
		change(page, n);
	else if (what < 96)
		punch(page, n);
	else if (what < 98)
		madvise(me.m, PAGES * PAGE, draw(2) ? MADV_DONTNEED : MADV_WILLNEED);
	else if (what < 99)
		msync(me.m, PAGES * PAGE, MS_SYNC);
	else
		remap();
	atomic_fetch_add(&all->steps[me.self], 1);
}

static int open_directory(const char *file)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s", file);
	*strrchr(path, '/') = 0;
	return open(path, O_RDONLY | O_DIRECTORY);
}

/* The whole file is the guest's memory from GUEST_BASE on. */
static void bind(const char *file)
{
	struct kvm_region2 slot = { .flags = GMEM_MEM_GUEST_MEMFD,
				    .gpa = GUEST_BASE,
				    .size = PAGES * PAGE };
	char number[32] = "";

	if (getxattr(file, "user.gmem.fd", number, sizeof(number) - 1) < 0)
		perror(file);
	slot.memfd = (uint32_t)atoi(number);
	if (ioctl(open_directory(file), MOUNT_SET_REGION2, &slot))
		printf("the file cannot be bound: %s\n", strerror(errno));
}

static void begin(const char *file, uint64_t seed, unsigned int self)
{
	me.self = self;
	me.seed = (seed + 1) * 0x9e3779b97f4a7c15u + self * 0xbf58476d1ce4e5b9u;
	me.fd = open(file, O_RDWR);
	me.vm = open_directory(file);
	me.m = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, me.fd, 0);
	if (me.fd < 0 || me.m == MAP_FAILED) {
		perror(file);
		exit(1);
	}
	catch_faults();
}

/* When all is over: once more everything that was stored. */
static void child(const char *file, uint64_t seed, unsigned int self)
{
	unsigned int page;

	begin(file, seed, self);
	while (atomic_load(&all->stop) < 1)
		step();
	atomic_fetch_add(&all->steps[self], 1);
	while (atomic_load(&all->stop) < 2)
		usleep(1000);
	for (page = 0; page < PAGES; page++) {
		uint64_t value = 0;

		if (load_word(page, self, &value))
			wrong("SIGBUS at the end", page, 1, 0);
		else
			judge_value(page, self, value);
	}
	exit(0);
}

static void abort_connection(const char *file)
{
	char path[64];
	struct stat st;
	int fd;

	if (stat(file, &st))
		return;
	snprintf(path, sizeof(path), "/sys/fs/fuse/connections/%u/abort", minor(st.st_dev));
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, "1", 1) != 1)
		printf("the connection cannot be aborted: %s\n", strerror(errno));
}

/* Process number n that has stood still for too long; or PROCESSES. */
static unsigned int hanging(uint64_t *seen, time_t *since)
{
	unsigned int i;

	for (i = 0; i < PROCESSES; i++) {
		if (seen[i] != all->steps[i]) {
			seen[i] = all->steps[i];
			since[i] = time(NULL);
		} else if (time(NULL) - since[i] > PATIENCE) {
			break;
		}
	}
	return i;
}

static void init_pages(void)
{
	pthread_mutexattr_t attr;
	unsigned int i;

	all = mmap(NULL, sizeof(*all), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	for (i = 0; i < PAGES; i++)
		pthread_mutex_init(&all->pages[i].lock, &attr);
}

static void fail(const char *file, const pid_t *children, unsigned int who)
{
	unsigned int i;

	printf("process %u makes no progress\n", who);
	for (i = 0; i < PROCESSES; i++)
		kill(children[i], SIGKILL);
	abort_connection(file);
	exit(1);
}

static void watch(const char *file, const pid_t *children, int seconds)
{
	uint64_t seen[PROCESSES] = { 0 };
	time_t since[PROCESSES], end = time(NULL) + seconds;
	unsigned int i;

	for (i = 0; i < PROCESSES; i++)
		since[i] = time(NULL);
	while (time(NULL) < end) {
		usleep(100 * 1000);
		i = hanging(seen, since);
		if (i < PROCESSES)
			fail(file, children, i);
	}
	atomic_store(&all->stop, 1);
	/* one step more of each: then all are over */
	for (i = 0; i < PROCESSES; i++)
		for (end = time(NULL) + PATIENCE; all->steps[i] == seen[i]; usleep(1000))
			if (time(NULL) > end)
				fail(file, children, i);
	sleep(1);
}

int main(int argc, char **argv)
{
	pid_t children[PROCESSES];
	unsigned int i;
	int fd;

	if (argc != 4) {
		puts("usage: fuse-stress FILE SECONDS SEED");
		return 1;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	init_pages();
	bind(argv[1]);
	for (i = 0; i < PROCESSES; i++) {
		children[i] = fork();
		if (!children[i])
			child(argv[1], strtoull(argv[3], NULL, 0), i);
	}
	watch(argv[1], children, atoi(argv[2]));
	fd = open(argv[1], O_RDWR);
	if (convert(fd, 0, PAGES * PAGE, 0, NULL))
		puts("the last conversion fails");
	atomic_store(&all->stop, 2);
	for (i = 0; i < PROCESSES; i++)
		waitpid(children[i], NULL, 0);
	fprintf(stderr, "%llu loads, %llu faults, %llu conversions, %llu limits of FUSE\n",
		(unsigned long long)all->loads, (unsigned long long)all->faults,
		(unsigned long long)all->conversions, (unsigned long long)all->limits);
	if (all->limits > 50 + all->loads / MOST_LIMITS)
		puts("the limit of FUSE is not rare");
	return all->failures != 0;
}
