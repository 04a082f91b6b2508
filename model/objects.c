/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Objects: how each comes into the world and leaves it, and who counts references on it.
 *
 *	gmem_file.refs	descriptors and mappings
 *	gmem_vm.users	the VM's descriptor (its file), and every guest_memfd file
 *	gmem_inode.refs	its files (a gmem's), its mappings (anonymous memory), its pins (orphans)
 *
 * Memslots count nothing: a memslot's file pointer is weak, and the file pins the VM, never the
 * other way round.
 */
#include "ops.h"
#include "profile.h"

uint32_t gmem_process_new(struct gmem_block *b)
{
	uint32_t idx = gmem_cell_alloc(b);
	struct gmem_process *p = PROCESS(b, idx);

	gmem_tag(b, idx, TAG_PROCESS);
	p->number = ++b->next_process;
	p->mmap_next = UINT64_C(0x10000);
	p->next = b->processes;
	if (p->next)
		PROCESS(b, p->next)->prev = idx;
	b->processes = idx;
	return idx;
}

void gmem_process_free(struct gmem_block *b, uint32_t idx)
{
	struct gmem_process *p = PROCESS(b, idx);

	if (p->prev)
		PROCESS(b, p->prev)->next = p->next;
	else
		b->processes = p->next;
	if (p->next)
		PROCESS(b, p->next)->prev = p->prev;
	for (uint32_t i = b->vms; i; i = VM(b, i)->next)
		if (VM(b, i)->process == idx)
			VM(b, i)->process = 0;
	gmem_cell_free(b, idx);
}

uint32_t gmem_task_new(struct gmem_block *b, uint32_t number, uint32_t process)
{
	uint32_t idx = gmem_cell_alloc(b);

	TASK(b, idx)->number = number;
	TASK(b, idx)->process = process;
	TASK(b, idx)->op = gmem_cell_alloc(b);
	PROCESS(b, process)->tasks++;
	b->tasks[number] = idx;
	return idx;
}

void gmem_task_free(struct gmem_block *b, uint32_t number)
{
	gmem_cell_free(b, TASK(b, b->tasks[number])->op);
	gmem_cell_free(b, b->tasks[number]);
	b->tasks[number] = 0;
}

uint32_t gmem_file_new(struct gmem_block *b, enum gmem_file_kind kind)
{
	uint32_t idx = gmem_cell_alloc(b);

	gmem_tag(b, idx, TAG_FILE);
	GFILE(b, idx)->kind = kind;
	return idx;
}

uint32_t gmem_vm_new(struct gmem_block *b, uint32_t type, uint32_t process)
{
	uint32_t idx = gmem_cell_alloc(b);
	struct gmem_vm *vm = VM(b, idx);

	gmem_tag(b, idx, TAG_VM);
	vm->type = type;
	vm->process = process;
	vm->number = ++b->next_vm;
	vm->next = b->vms;
	if (vm->next)
		VM(b, vm->next)->prev = idx;
	b->vms = idx;
	return idx;
}

void gmem_vm_free(struct gmem_block *b, uint32_t idx)
{
	struct gmem_vm *vm = VM(b, idx);

	if (vm->prev)
		VM(b, vm->prev)->next = vm->next;
	else
		b->vms = vm->next;
	if (vm->next)
		VM(b, vm->next)->prev = vm->prev;
	gmem_range_clear(b, &vm->attributes);
	gmem_range_clear(b, &vm->sptes);
	gmem_cell_free(b, idx);
}

uint32_t gmem_inode_new(struct gmem_block *b, enum gmem_inode_kind kind, uint64_t size,
			uint64_t flags)
{
	uint32_t idx = gmem_cell_alloc(b);
	struct gmem_inode *inode = INODE(b, idx);

	gmem_tag(b, idx, TAG_INODE);
	inode->kind = kind;
	inode->ino = inode->st_ino = ++b->next_ino;
	inode->size = size;
	inode->flags = flags;
	inode->next = b->inodes;
	if (inode->next)
		INODE(b, inode->next)->prev = idx;
	b->inodes = idx;
	return idx;
}

void gmem_inode_free(struct gmem_block *b, uint32_t idx)
{
	struct gmem_inode *inode = INODE(b, idx);

	if (inode->prev)
		INODE(b, inode->prev)->next = inode->next;
	else
		b->inodes = inode->next;
	if (inode->next)
		INODE(b, inode->next)->prev = inode->prev;
	for (uint32_t p = inode->pins; p; p = PIN(b, p)->next)
		PIN(b, p)->inode = 0; /* all that it pins is orphaned by now */
	gmem_range_clear(b, &inode->folios);
	gmem_range_clear(b, &inode->bytes);
	gmem_range_clear(b, &inode->open_bytes);
	gmem_range_clear(b, &inode->attributes);
	gmem_cell_free(b, idx);
}

void gmem_inode_put(struct gmem_block *b, uint32_t idx)
{
	if (--INODE(b, idx)->refs == 0)
		gmem_inode_free(b, idx);
}

uint32_t gmem_fd_file(const struct gmem_block *b, const struct gmem_process *p, int64_t fd)
{
	return fd < 0 ? 0 : gmem_range_get(b, p->fds, (uint64_t)fd);
}

/* 0, 1 and 2 are taken by the standard streams, which are not modelled. */
int64_t gmem_fd_lowest(const struct gmem_block *b, const struct gmem_process *p)
{
	struct gmem_range r;
	uint64_t fd = GMEM_KVM_FD;

	while (gmem_range_next(b, p->fds, fd, &r) && r.start <= fd)
		fd = r.end;
	return (int64_t)fd;
}

void gmem_fd_install(struct gmem_block *b, struct gmem_process *p, int64_t fd, uint32_t file)
{
	gmem_range_set(b, &p->fds, (uint64_t)fd, (uint64_t)fd + 1, file);
	GFILE(b, file)->refs++;
}

void gmem_fd_remove(struct gmem_block *b, struct gmem_process *p, int64_t fd)
{
	gmem_range_set(b, &p->fds, (uint64_t)fd, (uint64_t)fd + 1, 0);
	if (p->cloexec)
		gmem_range_set(b, &p->cloexec, (uint64_t)fd, (uint64_t)fd + 1, 0);
}

void gmem_fput(struct gmem_run *run, uint32_t idx)
{
	struct gmem_file *file = GFILE(run->b, idx);

	if (--file->refs)
		return;
	file->next_dying = run->t->dying;
	run->t->dying = idx;
}

bool gmem_has_private_mem(const struct gmem_block *b, const struct gmem_vm *vm)
{
	return b->machine.arch == GMEM_X86_64 &&
	       (vm->type == GMEM_VM_SW_PROTECTED || vm->type == GMEM_VM_SNP ||
		vm->type == GMEM_VM_TDX);
}

/*
 * kvm_is_gfn_alias(): the bit of an address by which a TDX guest says that it means shared memory,
 * the highest of the two widths that guests can have. It is whoever starts the guest who chooses;
 * here it is the greater one that the machine has.
 */
bool gmem_is_gfn_alias(const struct gmem_vm *vm, uint64_t gfn)
{
	return vm->type == GMEM_VM_TDX &&
	       (gfn & PAGES(UINT64_C(1) << (vm->gpa_bits > 48 ? 51 : 47)));
}

/* A guest whose registers the host cannot read cannot have its writes emulated. */
bool gmem_has_readonly_mem(const struct gmem_vm *vm)
{
	return vm->type != GMEM_VM_SEV_ES && vm->type != GMEM_VM_SNP && vm->type != GMEM_VM_TDX;
}

/* Whether the kernel is built for private memory at all (CONFIG_KVM_GENERIC_MEMORY_ATTRIBUTES). */
bool gmem_machine_has_private_mem(const struct gmem_block *b)
{
	return b->machine.arch == GMEM_X86_64 &&
	       (b->machine.vm_types & b->profile->n.vm_types & ~UINT64_C(1));
}
