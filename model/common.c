/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checks and answers that many tables have in common.
 */
#include "ops.h"
#include "profile.h"

struct gmem_process *gmem_process(struct gmem_run *run)
{
	return PROCESS(run->b, run->t->process);
}

bool find_fd(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	const struct gmem_file *file;

	t->file = gmem_fd_file(run->b, gmem_process(run), run->c->fd);
	if (!t->file)
		return false;
	file = GFILE(run->b, t->file);
	t->inode = file->inode;
	t->vm = file->vm;
	run->misused = !(gmem_kinds_of_fd(run->c->verb) >> file->kind & 1);
	return !run->misused;
}

/* The call holds the file until it is over: step.c gives it back. */
bool fdget(struct gmem_run *run)
{
	if (!find_fd(run))
		return false;
	run->t->fd_file = run->t->file;
	GFILE(run->b, run->t->file)->refs++;
	return true;
}

bool is_vm(struct gmem_run *run)
{
	return GFILE(run->b, run->t->file)->kind == FILE_VM;
}

bool is_kvm(struct gmem_run *run)
{
	return GFILE(run->b, run->t->file)->kind == FILE_KVM;
}

bool is_not_kvm(struct gmem_run *run)
{
	return !is_kvm(run);
}

bool mm_is_the_vms(struct gmem_run *run)
{
	return VM(run->b, run->t->vm)->process == run->t->process;
}

bool file_is_guest_memfd(struct gmem_run *run)
{
	return GFILE(run->b, run->t->file)->kind == FILE_GMEM;
}

bool inode_is_guest_memfd(struct gmem_run *run)
{
	return inode_of(run)->kind == INODE_GMEM;
}

bool argp_is_readable(struct gmem_run *run)
{
	return run->c->argp != 1;
}

bool argp_can_be_written(struct gmem_run *run)
{
	return run->c->argp != 2;
}

int read_error_offset(struct gmem_run *run)
{
	run->res->out = run->c->error_offset;
	return 0;
}

int write_error_offset(struct gmem_run *run)
{
	run->res->out = BYTES(run->t->err_page);
	return 0;
}

bool addr_is_aligned(struct gmem_run *run)
{
	return PAGE_ALIGNED(run->c->addr);
}

bool length_is_zero(struct gmem_run *run)
{
	return !run->c->length;
}

bool flags_are_zero(struct gmem_run *run)
{
	return !run->c->flags;
}

bool offset_is_not_negative(struct gmem_run *run)
{
	return (int64_t)run->c->offset >= 0;
}

bool slot_has_gmem(struct gmem_run *run)
{
	return (slot_of(run)->flags & GMEM_MEM_GUEST_MEMFD) != 0;
}

bool fd_is_available(struct gmem_run *run)
{
	return gmem_fd_lowest(run->b, gmem_process(run)) < (int64_t)run->b->machine.max_fds;
}

bool no_memory_pressure(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	return t->inject != GMEM_INJECT_ENOMEM || t->inject_after-- != 0;
}

bool has_failed(struct gmem_run *run)
{
	return run->t->level[run->t->depth - 1].err != 0;
}

bool holds_mmu_lock(struct gmem_run *run)
{
	return gmem_lock_is_held(run, MMU_LOCK);
}

/* Taken by a row of the table that runs: whoever called it may hold one, too. */
bool holds_invalidate_lock(struct gmem_run *run)
{
	const struct gmem_task *t = run->t;
	const struct gmem_held *held = OP(run->b, t->op)->held;

	for (unsigned int i = 0; i < t->nr_held; i++)
		if (held[i].class == INVALIDATE_LOCK &&
		    held[i].table == t->level[t->depth - 1].table)
			return true;
	return false;
}

bool holds_i_mmap_rwsem(struct gmem_run *run)
{
	return gmem_lock_is_held(run, I_MMAP_RWSEM);
}

bool holds_mmap_lock(struct gmem_run *run)
{
	return gmem_lock_is_held(run, MMAP_LOCK);
}

bool guest_is_populated_by_firmware(struct gmem_run *run)
{
	uint32_t type = VM(run->b, run->t->vm)->type;

	return type == GMEM_VM_SNP || type == GMEM_VM_TDX;
}

bool never(struct gmem_run *run)
{
	(void)run;
	return false;
}

int return_zero(struct gmem_run *run)
{
	run->res->value = 0;
	return 0;
}

int return_loaded(struct gmem_run *run, uint64_t bytes)
{
	run->res->value = (int64_t)bytes;
	run->res->loaded = run->res->value < 0 && run->res->value >= -4095;
	return 0;
}

int return_unspecified(struct gmem_run *run)
{
	run->res->outcome = GMEM_UNSPECIFIED;
	return 0;
}

int return_fd(struct gmem_run *run)
{
	struct gmem_process *p = gmem_process(run);

	run->res->value = gmem_fd_lowest(run->b, p);
	gmem_fd_install(run->b, p, run->res->value, run->t->file);
	return 0;
}

int remove_descriptor(struct gmem_run *run)
{
	/* Another thread may have been first: what the number says now is what goes. */
	run->t->file = gmem_fd_file(run->b, gmem_process(run), run->c->fd);
	if (!run->t->file)
		return -EBADF;
	gmem_fd_remove(run->b, gmem_process(run), run->c->fd);
	gmem_fput(run, run->t->file);
	return 0;
}

int fput(struct gmem_run *run)
{
	gmem_fput(run, run->t->file);
	return 0;
}

bool delayed_fput(struct gmem_run *run)
{
	struct gmem_task *t = run->t;

	t->file = t->dying;
	if (!t->file)
		return false;
	t->dying = GFILE(run->b, t->file)->next_dying;
	return true;
}

bool folio_is_not_poisoned(struct gmem_run *run)
{
	return !(gmem_folio(run->b, inode_of(run), run->t->pgoff) & FOLIO_POISONED);
}

int hold_folio(struct gmem_run *run)
{
	run->t->folio_of = run->t->inode;
	run->t->folio = run->t->pgoff;
	return 0;
}

int put_folio(struct gmem_run *run)
{
	run->t->folio_of = 0;
	return 0;
}
