/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The oracle on the guest's accesses, and on what makes its pages ready; see oracle.h.
 */
#include "oracle-state.h"

/* What becomes of one page that the guest wants. */
struct fault {
	bool private, write;
	bool mmio;	    /* nothing is there, or a store to what is read-only */
	bool exits;	    /* KVM_EXIT_MEMORY_FAULT, with the errno */
	bool sigbus;	    /* instead of the errno */
	struct page *page;  /* otherwise, unless there is an errno */
	uint64_t allocated; /* pages of files, by this call so far */
};

/* A page of the guest_memfd. */
static int64_t ask_gmem(struct oracle *o, const struct gmem_call *c, const struct slot *s,
			uint64_t pgoff, struct fault *f)
{
	f->exits = true;
	if (s->memory == NONE)
		return -EFAULT;
	f->page = find_page(o, s->memory, pgoff);
	if (!f->page && meets(o, c, GMEM_INJECT_ENOMEM, f->allocated++))
		return -ENOMEM;
	if (!f->page)
		f->page = new_page(o, s->memory, pgoff);
	if (f->page->poisoned)
		return -EHWPOISON;
	f->page->used = true;
	f->page->assigned |= page_is_private(o, s->memory, pgoff) &&
			     o->vms[s->vm].type == GMEM_VM_SNP;
	f->exits = false;
	return 0;
}

/* A page of the program's, as get_user_pages() looks at it. */
static int64_t ask_host(struct oracle *o, const struct gmem_call *c, const struct slot *s,
			uint64_t page, struct fault *f)
{
	const struct mapping *m = mapping_at(o, process_of(o, c), page);
	const struct entry *e = find_entry(o, process_of(o, c), page);
	bool is_mapped = e && !e->poisoned && !(s->flags & GMEM_MEM_READONLY);

	if (m && !f->write && !(m->prot & GMEM_PROT_READ) &&
	    !(is_mapped && (m->prot & GMEM_PROT_WRITE)))
		return -EFAULT;
	switch (touch(o, process_of(o, c), page, f->write, &f->page)) {
	case TOUCHED:
		return 0;
	case POISONED:
		f->sigbus = true;
		return -EFAULT;
	default:
		return -EFAULT;
	}
}

static int64_t ask_slot(struct oracle *o, const struct gmem_call *c, int vm, uint64_t gfn,
			struct fault *f)
{
	const struct slot *s = slot_at(o, vm, 0, gfn);

	f->exits = true;
	if (f->private != is_private(o, vm, gfn))
		return -EFAULT;
	if (f->private && !(s && (s->flags & GMEM_MEM_GUEST_MEMFD)))
		return -EFAULT;
	f->exits = false;
	f->mmio = !s || (f->write && (s->flags & GMEM_MEM_READONLY));
	if (f->mmio)
		return 0;
	if (f->private || s->gmem_only || file_tracks(o, s))
		return ask_gmem(o, c, s, s->pgoff + (gfn - s->gfn), f);
	return ask_host(o, c, s, s->addr / PAGE + (gfn - s->gfn), f);
}

static bool access_is_private(struct oracle *o, const struct gmem_call *c, int vm)
{
	switch (o->vms[vm].type) {
	case GMEM_VM_SW_PROTECTED:
		return is_private(o, vm, c->gpa / PAGE);
	case GMEM_VM_SNP:
	case GMEM_VM_TDX:
		return c->access & GMEM_ACCESS_PRIVATE;
	default:
		return false;
	}
}

int64_t oracle_guest_access(struct oracle *o, const struct gmem_call *c, struct gmem_result *r)
{
	struct fault f = { .write = c->verb == GMEM_GUEST_STORE };
	struct page *pages[8];
	int64_t err;
	int vm, i;

	err = vm_ioctl(o, c, &vm);
	if (err)
		return err;
	f.private = access_is_private(o, c, vm);
	err = ask_slot(o, c, vm, c->gpa / PAGE, &f);
	if (f.exits) {
		r->outcome = GMEM_MEMORY_FAULT;
		r->gpa = c->gpa & -PAGE;
		r->exit_size = PAGE;
		r->exit_flags = f.private ? GMEM_EXIT_FLAG_PRIVATE : 0;
	}
	if (f.sigbus)
		r->outcome = GMEM_SIGBUS;
	if (err)
		return f.sigbus ? 0 : err;
	if (f.mmio) {
		r->outcome = GMEM_MMIO;
		r->gpa = c->gpa;
		r->exit_size = c->size;
		r->exit_flags = f.write;
		return 0;
	}
	for (i = 0; i < 8; i++)
		pages[i] = f.page;
	if (!f.write)
		return load_bytes(o, c, pages, c->gpa, r);
	store_bytes(o, c, pages, c->gpa);
	return 0;
}

static bool is_started_by_firmware(const struct oracle *o, int vm)
{
	return o->vms[vm].type == GMEM_VM_SNP || o->vms[vm].type == GMEM_VM_TDX;
}

/* ---- populate ---- */

struct populate {
	int vm;
	const struct slot *slot;
	uint64_t done, allocated;
};

static int64_t populate_page(struct oracle *o, const struct gmem_call *c, struct populate *p)
{
	uint64_t gfn = c->gpa / PAGE + p->done, pgoff = p->slot->pgoff + (gfn - p->slot->gfn);
	bool may_be_used = o->is_shareability && o->vms[p->vm].type == GMEM_VM_TDX;
	struct page *page = find_page(o, p->slot->memory, pgoff), *source;

	if (meets(o, c, GMEM_INJECT_SIGNAL, p->done))
		return -EINTR;
	if (!page && meets(o, c, GMEM_INJECT_ENOMEM, p->allocated++))
		return -ENOMEM;
	if (!page)
		page = new_page(o, p->slot->memory, pgoff);
	if (page->poisoned)
		return -EHWPOISON;
	if (page->used && !may_be_used)
		return -EEXIST;
	if (!is_private(o, p->vm, gfn))
		return -EINVAL;
	if (c->addr) {
		if (touch(o, process_of(o, c), c->addr / PAGE + p->done, false, &source) != TOUCHED)
			return -EFAULT;
		copy_page(o, page, source);
	} else {
		zero_page(o, page);
	}
	page->used = true;
	return 0;
}

/* Of pages that convert in place the source is looked up before anything else. */
static int64_t populate_in_place(struct oracle *o, const struct gmem_call *c, struct populate *p)
{
	uint64_t gfn = c->gpa / PAGE + p->done, pgoff = p->slot->pgoff + (gfn - p->slot->gfn);
	bool is_tdx = o->vms[p->vm].type == GMEM_VM_TDX;
	struct page *page, *source = NULL;

	if (meets(o, c, GMEM_INJECT_SIGNAL, p->done))
		return -EINTR;
	if (c->addr &&
	    touch(o, process_of(o, c), c->addr / PAGE + p->done, false, &source) != TOUCHED)
		return -EFAULT;
	page = find_page(o, p->slot->memory, pgoff);
	if (!page && meets(o, c, GMEM_INJECT_ENOMEM, p->allocated++))
		return -ENOMEM;
	if (!page)
		page = new_page(o, p->slot->memory, pgoff);
	if (page->poisoned)
		return -EHWPOISON;
	page->used = true;
	if (!is_private(o, p->vm, gfn))
		return -EINVAL;
	if (!source && !o->files_have_attributes)
		return is_tdx ? -EOPNOTSUPP : -EINVAL;
	if (page->assigned)
		return -EEXIST;
	page->assigned = !is_tdx;
	if (source)
		copy_page(o, page, source);
	else
		open_page(o, page, false);
	return 0;
}

int64_t oracle_populate(struct oracle *o, const struct gmem_call *c, struct gmem_result *r)
{
	struct populate p = { .done = 0 };
	int64_t err = vm_ioctl(o, c, &p.vm);

	(void)r;
	if (err)
		return err;
	if (!is_started_by_firmware(o, p.vm))
		return -ENOTTY; /* of 6.8 there are none */
	if (!aligned(c->gpa) || !aligned(c->size) || !aligned(c->addr))
		return -EINVAL;
	if (c->gpa + c->size <= c->gpa)
		return -EINVAL;
	p.slot = slot_at(o, p.vm, 0, c->gpa / PAGE);
	if (!p.slot || !(p.slot->flags & GMEM_MEM_GUEST_MEMFD))
		return -EINVAL;
	if (p.slot->memory == NONE)
		return -EFAULT;
	for (; p.done < c->size / PAGE && !o->outside; p.done++) {
		if (c->gpa / PAGE + p.done == p.slot->gfn + p.slot->npages)
			break;
		err = o->is_coco && o->design != COCO_RFC_V1 ? populate_in_place(o, c, &p) :
							       populate_page(o, c, &p);
		if (err)
			return p.done ? (int64_t)p.done : err;
	}
	return (int64_t)p.done;
}

/* ---- KVM_PRE_FAULT_MEMORY ---- */

static int64_t pre_fault_page(struct oracle *o, const struct gmem_call *c, int vm, uint64_t done,
			      struct fault *f)
{
	uint64_t gfn = c->gpa / PAGE + done;
	int64_t err;

	f->private = is_private(o, vm, gfn) && (has_private_memory(o, vm) || o->is_shareability);
	if (meets(o, c, GMEM_INJECT_SIGNAL, done))
		return -EINTR;
	if (!o->machine.tdp)
		return -EOPNOTSUPP;
	if (is_started_by_firmware(o, vm) && !o->vms[vm].launched)
		return -EOPNOTSUPP;
	if (is_alias(o, vm, gfn * PAGE))
		return -EINVAL;
	err = ask_slot(o, c, vm, gfn, f);
	return err ? err : f->mmio ? -ENOENT : 0;
}

int64_t oracle_pre_fault(struct oracle *o, const struct gmem_call *c, struct gmem_result *r)
{
	struct fault f = { .write = false };
	uint64_t done;
	int vm;
	int64_t err = vm_ioctl(o, c, &vm);

	if (err)
		return err;
	if (o->is_6_8)
		return -EINVAL; /* of the vCPU */
	if (c->argp)
		return -EFAULT;
	if (c->flags || !aligned(c->gpa) || !aligned(c->size) || c->gpa + c->size <= c->gpa)
		return -EINVAL;
	for (done = 0; done < c->size / PAGE && !o->outside; done++) {
		err = pre_fault_page(o, c, vm, done, &f);
		if (err)
			break;
	}
	r->out = c->size - done * PAGE;
	if (f.sigbus) /* the signal is what ends it */
		err = -EINTR;
	return done ? 0 : err;
}
