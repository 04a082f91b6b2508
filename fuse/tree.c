/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Directories and files: the root, a directory for each VM, a file for each guest_memfd, and .gmem/.
 *
 * A node is there as long as it has a name, is open, or is known to the kernel. The model's
 * descriptor goes with the name and the last handle, as the last close() of a file would.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"
#include "gmemfs.h"

#define TIMEOUT 3600.0 /* seconds: nothing changes but by requests of the kernel's */

fuse_ino_t tree_ino(const struct node *n)
{
	return n == &fs.root ? FUSE_ROOT_ID : (fuse_ino_t)(uintptr_t)n;
}

struct node *tree_node(fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID ? &fs.root : (struct node *)(uintptr_t)ino;
}

static void init(struct node *n, enum node_kind kind, const char *name)
{
	n->kind = kind;
	n->number = ++fs.next_number;
	n->name = xstrndup(name, strlen(name));
	n->fd = NO_FD;
	n->contents = -1;
	n->mode = kind == NODE_VM ? 0700 : kind == NODE_CONTROL_DIR ? 0500 : 0755;
	n->uid = getuid();
	n->gid = getgid();
	clock_gettime(CLOCK_REALTIME, &n->born);
}

static void add(struct node *dir, struct node *n)
{
	n->parent = dir;
	n->next = dir->children;
	dir->children = n;
	dir->nr_children++;
}

void tree_begin(void)
{
	int i;

	init(&fs.root, NODE_ROOT, "");
	init(&fs.control_dir, NODE_CONTROL_DIR, ".gmem");
	add(&fs.root, &fs.control_dir);
	for (i = NR_CONTROLS; i-- > 0;) {
		init(&fs.controls[i], NODE_CONTROL, control_names[i]);
		fs.controls[i].control = (unsigned int)i;
		add(&fs.control_dir, &fs.controls[i]);
	}
}

struct node *tree_find(struct node *dir, const char *name)
{
	struct node *n;

	for (n = dir->children; n; n = n->next)
		if (!strcmp(n->name, name))
			return n;
	return NULL;
}

static struct node *new_node(struct node *dir, enum node_kind kind, const char *name, uid_t uid,
			     gid_t gid)
{
	struct node *n = xcalloc(1, sizeof(*n));

	init(n, kind, name);
	n->uid = uid;
	n->gid = gid;
	add(dir, n);
	n->next_file = fs.files;
	fs.files = n;
	return n;
}

static int64_t create_vm(uint64_t type)
{
	struct gmem_result r;
	int64_t fd = world_call(
		&(struct gmem_call){ .verb = GMEM_CREATE_VM, .fd = GMEM_KVM_FD, .type = type }, &r);

	if (fd >= 0)
		log_listen(fd);
	return fd;
}

int tree_make_vm(const char *name, uint64_t type, uid_t uid, gid_t gid, struct node **made)
{
	int64_t fd;

	if (tree_find(&fs.root, name))
		return -EEXIST;
	if (fs.nr_vms >= fs.o.most_vms)
		return -ENOSPC;
	fd = create_vm(type);
	if (fd < 0)
		return (int)fd;
	*made = new_node(&fs.root, NODE_VM, name, uid, gid);
	(*made)->fd = fd;
	(*made)->type = type;
	fs.nr_vms++;
	return 0;
}

int tree_make_numbered_vm(uint64_t type, uid_t uid, gid_t gid, struct node **made)
{
	char name[32];

	snprintf(name, sizeof(name), "vm-%llu", (unsigned long long)fs.next_number + 1);
	return tree_make_vm(name, type, uid, gid, made);
}

struct node *tree_vm(uint64_t number)
{
	struct node *n;

	for (n = fs.root.children; n; n = n->next)
		if (n->kind == NODE_VM && n->number == number)
			return n;
	return NULL;
}

struct node *tree_file(uint64_t number)
{
	struct node *n;

	for (n = fs.files; n; n = n->next_file)
		if (n->kind == NODE_FILE && n->number == number)
			return n;
	return NULL;
}

static void close_fd(int64_t fd)
{
	struct gmem_result r;

	world_call(&(struct gmem_call){ .verb = GMEM_CLOSE, .fd = fd }, &r);
}

int tree_set_type(struct node *vm, uint64_t type)
{
	int64_t fd;

	if (vm->nr_children)
		return -EBUSY;
	fd = create_vm(type);
	if (fd < 0)
		return (int)fd;
	close_fd(vm->fd);
	vm->fd = fd;
	vm->type = type;
	return 0;
}

/* Names that descriptors have. */
static int is_reserved(const char *name)
{
	return !strncmp(name, "gmem-", 5) && name[5] && !name[5 + strspn(name + 5, "0123456789")];
}

int tree_make_file(struct node *vm, const char *name, uid_t uid, gid_t gid, struct node **made)
{
	if (vm->kind != NODE_VM || is_reserved(name))
		return -EPERM;
	if (tree_find(vm, name))
		return -EEXIST;
	if (fs.nr_files >= fs.o.most_files)
		return -ENOSPC;
	*made = new_node(vm, NODE_FILE, name, uid, gid);
	fs.nr_files++;
	return 0;
}

/* What the file is from now on: its memfd, and the daemon's mapping of it, if it can be mapped. */
static int begin_file(struct node *n, int64_t fd, uint64_t size, uint64_t flags)
{
	struct gmem_call map = { .verb = GMEM_MMAP,
				 .fd = fd,
				 .length = size,
				 .prot = GMEM_PROT_READ | GMEM_PROT_WRITE,
				 .flags = GMEM_MAP_SHARED };
	struct gmem_result r;
	int64_t addr;
	int err;

	n->size = size;
	err = contents_new(n);
	if (err) {
		close_fd(fd);
		n->size = 0;
		return err;
	}
	n->fd = fd;
	n->flags = flags;
	addr = world_call(&map, &r);
	n->map = addr > 0 ? (uint64_t)addr : 0;
	return 0;
}

/* Nobody has asked for flags: those with which most can be tried. */
static int64_t create_with_some_flags(struct gmem_call *c)
{
	static const uint64_t tries[] = { GMEM_FLAG_MMAP | GMEM_FLAG_INIT_SHARED, GMEM_FLAG_MMAP,
					  0 };
	struct gmem_result r;
	int64_t fd = -EINVAL;
	size_t i = profile_number("has_shareability") ? 1 : 0;

	for (; i < sizeof(tries) / sizeof(tries[0]) && fd == -EINVAL; i++) {
		c->flags = tries[i];
		fd = world_call(c, &r);
	}
	return fd;
}

int64_t tree_size_file(struct node *n, uint64_t size)
{
	struct gmem_call c = { .verb = GMEM_CREATE_GUEST_MEMFD, .size = size, .flags = n->flags };
	struct gmem_result r;
	int64_t fd;
	int err;

	if (!n->parent)
		return -ENOENT;
	c.fd = n->parent->fd;
	if (n->flags_asked || fs.o.flags) {
		c.flags = n->flags_asked ? n->flags : fs.flags;
		fd = world_call(&c, &r);
	} else {
		fd = create_with_some_flags(&c);
	}
	if (fd < 0)
		return fd;
	err = begin_file(n, fd, size, c.flags);
	return err ? err : fd;
}

int64_t tree_create_guest_memfd(struct node *vm, const struct gmem_call *c, uid_t uid, gid_t gid)
{
	struct gmem_result r;
	struct node *n;
	char name[32];
	int64_t fd;
	int err;

	if (fs.nr_files >= fs.o.most_files)
		return -ENOSPC;
	fd = world_call(c, &r);
	if (fd < 0)
		return fd;
	snprintf(name, sizeof(name), "gmem-%lld", (long long)fd);
	n = new_node(vm, NODE_FILE, name, uid, gid);
	fs.nr_files++;
	err = begin_file(n, fd, c->size, c->flags);
	if (err)
		tree_remove(vm, name, NODE_FILE);
	return err ? err : fd;
}

/* The last handle and the name are gone. */
static void close_node(struct node *n)
{
	struct gmem_result r;

	if (n->fd == NO_FD)
		return;
	if (n->map)
		world_call(&(struct gmem_call){ .verb = GMEM_MUNMAP,
						.addr = n->map,
						.length = n->size },
			   &r);
	close_fd(n->fd);
	n->fd = NO_FD;
	n->map = 0;
	contents_free(n);
}

void tree_free(struct node *n)
{
	struct node **at;

	for (at = &fs.files; *at && *at != n; at = &(*at)->next_file)
		;
	if (*at)
		*at = n->next_file;
	contents_free(n);
	free(n->name);
	free(n);
}

static void put(struct node *n)
{
	if (!n->unlinked || n->opens)
		return;
	close_node(n);
	if (n->lookups)
		return;
	tree_free(n);
}

int tree_remove(struct node *dir, const char *name, enum node_kind kind)
{
	struct node *n = tree_find(dir, name), **at;

	if (!n)
		return -ENOENT;
	if (n->kind != kind)
		return n->kind == NODE_FILE ? -ENOTDIR : n->kind == NODE_VM ? -EISDIR : -EPERM;
	if (n->nr_children)
		return -ENOTEMPTY;
	for (at = &dir->children; *at != n; at = &(*at)->next)
		;
	*at = n->next;
	dir->nr_children--;
	n->parent = NULL;
	n->unlinked = true;
	if (kind == NODE_VM)
		fs.nr_vms--;
	else
		fs.nr_files--;
	put(n);
	return 0;
}

void tree_forget(struct node *n, uint64_t lookups)
{
	n->lookups -= lookups < n->lookups ? lookups : n->lookups;
	put(n);
}

void tree_open(struct node *n)
{
	n->opens++;
	fs.handles++;
}

void tree_release(struct node *n)
{
	n->opens--;
	fs.handles--;
	put(n);
}

/* What fstat(2) of a guest_memfd shows, the model says; unless it has no memory even for that. */
static int64_t stat_field(const struct node *n, enum gmem_stat field, uint64_t otherwise)
{
	struct gmem_result r;
	int64_t v = world_ask(
		&(struct gmem_call){ .verb = GMEM_FSTAT, .fd = n->fd, .field = field }, &r);

	return v < 0 ? (int64_t)otherwise : v;
}

static void file_attr(const struct node *n, struct stat *st)
{
	st->st_mode = S_IFREG | 0600;
	st->st_nlink = 1;
	if (n->fd == NO_FD)
		return;
	st->st_mode = (mode_t)stat_field(n, GMEM_ST_MODE, S_IFREG | 0600);
	st->st_nlink = n->unlinked && !fs.o.run ? 0 : (nlink_t)stat_field(n, GMEM_ST_NLINK, 1);
	st->st_size = stat_field(n, GMEM_ST_SIZE, n->size);
	st->st_blocks = stat_field(n, GMEM_ST_BLOCKS, 0);
	st->st_blksize = (blksize_t)stat_field(n, GMEM_ST_BLKSIZE, GMEM_PAGE_SIZE);
}

void tree_attr(const struct node *n, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_ino = n->number;
	st->st_uid = n->uid;
	st->st_gid = n->gid;
	st->st_atim = st->st_mtim = st->st_ctim = n->born;
	st->st_blksize = GMEM_PAGE_SIZE;
	if (n->kind == NODE_FILE) {
		file_attr(n, st);
	} else if (n->kind == NODE_CONTROL) {
		st->st_mode = S_IFREG | 0400;
		st->st_nlink = 1;
		if (n->control == CONTROL_EVENTS)
			st->st_size = (off_t)fs.log.events_size;
	} else {
		st->st_mode = S_IFDIR | n->mode;
		st->st_nlink = 2;
	}
}

/* Strictly, the kernel has to ask again before every read: see op_init(). */
double tree_attr_timeout(const struct node *n)
{
	if (n->kind == NODE_FILE)
		return n->fd == NO_FD || fs.o.strict || fs.o.run ? 0 : TIMEOUT;
	return n->kind == NODE_CONTROL ? 0 : TIMEOUT;
}

void tree_entry(struct node *n, struct fuse_entry_param *e)
{
	memset(e, 0, sizeof(*e));
	e->ino = tree_ino(n);
	e->generation = n->number;
	tree_attr(n, &e->attr);
	e->entry_timeout = TIMEOUT;
	e->attr_timeout = tree_attr_timeout(n);
	n->lookups++;
}
