/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads that share a VM: each creates, binds, maps, fills and punches files of its own, while the
 * others do the same; then all of them store into one file, and one punches it.
 */
#define _GNU_SOURCE
#include <pthread.h>

#include "program.h"

#define THREADS 4
#define ROUNDS 20
#define SIZE (4 * PAGE)

static int vm, shared;
static uint8_t *common;

static long one_round(uint64_t n)
{
	int f = new_file(vm, SIZE, FLAG_MMAP | FLAG_INIT_SHARED);
	uint8_t *m = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);
	long wrong = f < 0 || m == MAP_FAILED;

	if (wrong)
		return 1;
	wrong += bind_file(vm, (uint32_t)n, n * 0x100000, SIZE, m, f, 0) != 0;
	m[PAGE] = (uint8_t)n;
	wrong += m[PAGE] != (uint8_t)n;
	wrong += fallocate(f, KEEP_SIZE | PUNCH_HOLE, 0, SIZE) != 0;
	wrong += m[PAGE] != 0;
	wrong += bind_file(vm, (uint32_t)n, 0, 0, NULL, -2, 0) != 0;
	wrong += munmap(m, SIZE) != 0;
	wrong += close(f) != 0;
	return wrong;
}

static void *work(void *arg)
{
	uint64_t n = (uintptr_t)arg;
	long wrong = 0;
	int i;

	for (i = 0; i < ROUNDS; i++)
		wrong += one_round(n);
	for (i = 0; i < ROUNDS; i++) {
		common[n * 8] = (uint8_t)n;
		if (n == 1)
			wrong += fallocate(shared, KEEP_SIZE | PUNCH_HOLE, 0, PAGE) != 0;
	}
	return (void *)(intptr_t)wrong;
}

int main(void)
{
	pthread_t threads[THREADS];
	void *wrong;
	uint64_t i;

	vm = new_vm();
	shared = new_file(vm, SIZE, FLAG_MMAP | FLAG_INIT_SHARED);
	common = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, shared, 0);
	for (i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)(i + 1));
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &wrong);
		is("what went wrong in a thread", (intptr_t)wrong, 0);
	}
	IS(fallocate(shared, KEEP_SIZE | PUNCH_HOLE, 0, PAGE), 0);
	IS(load(common), 0);
	return end();
}
