/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs that behave badly, one for each word: what is left of them is the exit status, or the
 * signal, that they would have had anyway.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "program.h"

static void *const nowhere = (void *)0xdead000;

static int wild(void)
{
	int kvm = open_kvm(), vm = ioctl(kvm, KVM_CREATE_VM, 0), vcpu, i;
	/* of everything that takes a pointer, in the order of their numbers */
	static const unsigned long on_vm[] = {
		0x4020ae46,
		0x40a0ae49,
		0xc040aed4,
		0x4068aea3,
	};
	static const unsigned long on_vcpu[] = {
		0x4090ae82, 0x8090ae81, 0x4138ae84, 0x8138ae83, 0xc008ae88, 0x4008ae89, 0x4008ae90,
	};

	IS(open(nowhere, O_RDONLY), -EFAULT);
	IS(syscall(SYS_openat2, AT_FDCWD, "/dev/kvm", nowhere, 24), -EFAULT);
	IS(readlink("/proc/self/exe", nowhere, 10), -EFAULT);
	IS(ioctl(kvm, 0xc004ae02, nowhere), -EFAULT);
	IS(ioctl(kvm, 0xc008ae05, nowhere), -EFAULT);
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	for (i = 0; i < 4; i++)
		is("on a VM", result(ioctl(vm, on_vm[i], nowhere)), -EFAULT);
	for (i = 0; i < 7; i++)
		is("on a vCPU", result(ioctl(vcpu, on_vcpu[i], nowhere)), -EFAULT);
	return end();
}

/* As many as there can be; the kernel says when it is enough. */
static int thousand(void)
{
	struct rlimit few = { 600, 600 };
	int fds[1000], i;

	setrlimit(RLIMIT_NOFILE, &few);
	for (i = 0; i < 1000; i++) {
		fds[i] = open("/dev/kvm", O_RDWR);
		if (fds[i] < 0)
			break;
	}
	is("the last of them", -errno, -EMFILE);
	IS(ioctl(fds[10], KVM_CREATE_VM, 0), -EMFILE);
	while (i-- > 0)
		close(fds[i]);
	for (i = 0; i < 1000; i++)
		close(open_kvm());
	WORKS(new_file(new_vm(), PAGE, 0));
	return end();
}

static int closing(void)
{
	int vm = new_vm(), f = new_file(vm, PAGE, 3), i;
	uint8_t *m = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);

	store(m, 1);
	for (i = 0; i < 1024; i++)
		close(i);
	return load(m) == 1 && open_kvm() == 0 && new_file(new_vm(), PAGE, 0) > 0 ? 3 : 4;
}

/* Processes, each with a VM of its own, until no more can be made, or there are many. */
static int forking(void)
{
	int n, made = 0, status, good = 0;
	pid_t pid;

	for (n = 0; n < 300; n++) {
		pid = fork();
		if (!pid) {
			int f = new_file(new_vm(), PAGE, 3);

			usleep(100000);
			_exit(f < 0);
		}
		made += pid > 0;
		if (pid < 0)
			break;
	}
	while (wait(&status) > 0)
		good += !status;
	is("children that were not well", made - good, 0);
	return end();
}

/* A process that outlives the one that made it, and its VM. */
static int orphan(void)
{
	int vm = new_vm(), f = new_file(vm, PAGE, 3);

	if (fork())
		return 5;
	usleep(200000);
	IS(fallocate(f, KEEP_SIZE, 0, PAGE), 0);
	IS(new_file(vm, PAGE, 0), -EIO);
	WORKS(new_file(new_vm(), PAGE, 0));
	return end();
}

/* More files than a trace can have names for. */
static int many(void)
{
	int vm = new_vm(), i, f;

	for (i = 0; i < 1100; i++) {
		f = new_file(vm, PAGE, 0);
		if (f < 0 || fallocate(f, KEEP_SIZE, 0, PAGE) || close(f))
			break;
	}
	IS(i, 1100);
	return end();
}

/* Says so when it is there, and waits. */
static int waiting(void)
{
	int vm = new_vm(), f = new_file(vm, PAGE, 3);

	is("there", f > 0 && load(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, f, 0)) == 0, 1);
	sleep(60);
	return 1;
}

static int other_abi(void)
{
	long r;

	/* getpid() of 32-bit programs */
	__asm__ volatile("int $0x80" : "=a"(r) : "a"(20L) : "memory", "r8", "r9", "r10", "r11");
	is("a call of another architecture", r, -ENOSYS);
	return end();
}

static int strange(void)
{
	uint32_t device[3] = { 4 };
	int vm = new_vm(), f = new_file(vm, PAGE, FLAG_MMAP);

	IS(ioctl(vm, _IO(0xAE, 0xf0)), -ENOTTY);
	IS(ioctl(vm, _IOWR(0xAE, 0xe0, char[12]), nowhere), -EFAULT);
	IS(ioctl(vm, _IOWR(0xAE, 0xe0, char[12]), device), -ENODEV);
	IS(ioctl(vm, FIONREAD, device), -ENOTTY);
	/* a page that the host may not have */
	WORKS(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, f, 0) != MAP_FAILED);
	WORKS(mmap(NULL, PAGE, PROT_READ, MAP_SHARED | MAP_POPULATE, f, 0) == MAP_FAILED);
	WORKS(mmap(NULL, PAGE, PROT_NONE, MAP_SHARED | MAP_POPULATE, f, 0) != MAP_FAILED);
	WORKS(mmap(NULL, PAGE, PROT_NONE, MAP_SHARED | MAP_LOCKED, f, 0) != MAP_FAILED);
	IS(mlockall(MCL_CURRENT | MCL_ONFAULT), 0);
	IS(mlockall(MCL_CURRENT), -ENOMEM);
	return end();
}

/* A thread that has made no call on KVM becomes another program in place of all. */
static void *becomes(void *argument)
{
	execl("/proc/self/exe", "bad", argument, NULL);
	return NULL;
}

/* Nobody but root may look into it from now on. */
static int undumpable(void)
{
	int kvm = open_kvm(), vm;

	IS(prctl(PR_SET_DUMPABLE, 0), 0);
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	return vm < 0 || new_file(vm, PAGE, 0) < 0 ? 6 : end();
}

/* A child that asks not to be traced. */
static int untraced(void)
{
	int f = new_file(new_vm(), PAGE, 0), status = -1;
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_UNTRACED | SIGCHLD, 0, 0, 0, 0);

	if (!pid)
		_exit(fallocate(f, KEEP_SIZE, 0, PAGE) ? errno : 0);
	waitpid(pid, &status, 0);
	IS(status, 0);
	return end();
}

static int turned(void)
{
	WORKS(new_file(new_vm(), 5 * PAGE, 0));
	return end();
}

static int turning(void)
{
	pthread_t thread;

	new_file(new_vm(), 3 * PAGE, 0);
	pthread_create(&thread, NULL, becomes, "turned");
	pthread_join(thread, NULL);
	return 1;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *word;
		int (*run)(void);
	} all[] = {
		{ "many", many },	  { "wild", wild },	  { "thousand", thousand },
		{ "closing", closing },	  { "forking", forking }, { "orphan", orphan },
		{ "waiting", waiting },	  { "abi", other_abi },	  { "strange", strange },
		{ "turning", turning },	  { "turned", turned },	  { "undumpable", undumpable },
		{ "untraced", untraced },
	};
	size_t i;

	for (i = 0; argc == 2 && i < sizeof(all) / sizeof(all[0]); i++)
		if (!strcmp(argv[1], all[i].word))
			return all[i].run();
	return 2;
}
