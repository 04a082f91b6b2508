/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests about names, attributes and directories. Those about the bytes of a file are in
 * ops-file.c, those about what only KVM knows in ops-ioctl.c and ops-xattr.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "gmemfs.h"

/*
 * Whether pages are dropped is for notify.c to say; and readahead would allocate pages.
 *
 * Strictly, the kernel is not to read from its cache, nor write to it, unless by a fault. In these
 * two modes it first asks for the attributes through the handle, as nobody else does, and gives up
 * if that fails: see op_getattr().
 */
static void op_init(void *data, struct fuse_conn_info *conn)
{
	(void)data;
	conn->want &= ~(unsigned int)(FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_ATOMIC_O_TRUNC |
				      FUSE_CAP_READDIRPLUS);
	conn->want |= conn->capable & (FUSE_CAP_IOCTL_DIR | FUSE_CAP_EXPLICIT_INVAL_DATA);
	if (fs.o.strict && !fs.o.run) {
		conn->want &= ~(unsigned int)FUSE_CAP_EXPLICIT_INVAL_DATA;
		conn->want |= conn->capable & (FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_WRITEBACK_CACHE);
	}
	conn->max_readahead = fs.o.max_readahead;
	conn->max_background = 64;
}

static void reply_entry(fuse_req_t req, int err, struct node *n)
{
	struct fuse_entry_param e;

	if (!err)
		tree_entry(n, &e);
	fs_unlock();
	if (err)
		fuse_reply_err(req, -err);
	else if (fuse_reply_entry(req, &e)) {
		fs_lock();
		tree_forget(n, 1);
		fs_unlock();
	}
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct node *n;

	fs_lock();
	n = tree_find(tree_node(parent), name);
	reply_entry(req, n ? 0 : -ENOENT, n);
}

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
{
	fs_lock();
	tree_forget(tree_node(ino), nlookup);
	fs_unlock();
	fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	size_t i;

	fs_lock();
	for (i = 0; i < count; i++)
		tree_forget(tree_node(forgets[i].ino), forgets[i].nlookup);
	fs_unlock();
	fuse_reply_none(req);
}

static void reply_attr(fuse_req_t req, int err, const struct node *n)
{
	struct stat st;

	if (!err)
		tree_attr(n, &st);
	fs_unlock();
	if (err)
		fuse_reply_err(req, -err);
	else
		fuse_reply_attr(req, &st, tree_attr_timeout(n));
}

/* Through a handle: before a read or a write by way of the cache. fstat() has none. */
static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct node *n = tree_node(ino);
	int64_t err = 0;

	if (n == &fs.controls[CONTROL_EVENTS])
		log_catch_up();
	fs_lock();
	if (fs.o.strict && !fs.o.run && fi && n->kind == NODE_FILE && n->fd != NO_FD)
		err = refuse_strictly(n, GMEM_READ, 1);
	reply_attr(req, (int)err, n);
}

/* Once a file has its size, the model says what becomes of that. */
static int set_attr_of_file(struct node *n, const struct stat *st, int what)
{
	struct gmem_call c = { .verb = GMEM_FUTIMENS, .fd = n->fd };
	struct gmem_result r;
	int64_t fd;

	if (n->fd == NO_FD) {
		if (!(what & FUSE_SET_ATTR_SIZE))
			return what & (FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID) ?
				       -EINVAL :
				       0;
		fd = st->st_size ? tree_size_file(n, (uint64_t)st->st_size) : 0;
		return fd < 0 ? (int)fd : 0;
	}
	if (fs.o.strict && what == (FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_CTIME))
		return 0; /* the kernel's own, when it writes back */
	if (what & FUSE_SET_ATTR_SIZE) {
		c.verb = GMEM_FTRUNCATE;
		c.length = (uint64_t)st->st_size;
	} else if (what & FUSE_SET_ATTR_MODE) {
		c.verb = GMEM_FCHMOD;
		c.mode = st->st_mode;
	} else if (what & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)) {
		c.verb = GMEM_FCHOWN;
	}
	return (int)world_call(&c, &r);
}

static int set_attr_of_dir(struct node *n, const struct stat *st, int what)
{
	if (what & FUSE_SET_ATTR_MODE)
		n->mode = st->st_mode & 07777;
	if (what & FUSE_SET_ATTR_UID)
		n->uid = st->st_uid;
	if (what & FUSE_SET_ATTR_GID)
		n->gid = st->st_gid;
	return 0;
}

static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *st, int what,
		       struct fuse_file_info *fi)
{
	struct node *n = tree_node(ino);

	int err = -EPERM;

	(void)fi;
	fs_lock();
	if (n->kind == NODE_FILE)
		err = set_attr_of_file(n, st, what);
	else if (n->kind != NODE_CONTROL)
		err = set_attr_of_dir(n, st, what);
	reply_attr(req, err, n);
}

static void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	struct node *n = NULL;
	int err = -EPERM;

	(void)mode;
	fs_lock();
	if (parent == FUSE_ROOT_ID)
		err = tree_make_vm(name, fs.type, ctx->uid, ctx->gid, &n);
	reply_entry(req, err, n);
}

static void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	struct node *n = NULL;
	int err = -EPERM;

	(void)rdev;
	fs_lock();
	if (S_ISREG(mode))
		err = tree_make_file(tree_node(parent), name, ctx->uid, ctx->gid, &n);
	reply_entry(req, err, n);
}

static void remove_name(fuse_req_t req, fuse_ino_t parent, const char *name, enum node_kind kind)
{
	int err;

	fs_lock();
	err = tree_remove(tree_node(parent), name, kind);
	fs_unlock();
	fuse_reply_err(req, -err);
}

static void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	remove_name(req, parent, name, NODE_FILE);
}

static void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	remove_name(req, parent, name, NODE_VM);
}

static void op_no_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	(void)ino;
	(void)parent;
	(void)name;
	fuse_reply_err(req, EPERM);
}

static void op_no_symlink(fuse_req_t req, const char *link, fuse_ino_t parent, const char *name)
{
	(void)link;
	(void)parent;
	(void)name;
	fuse_reply_err(req, EPERM);
}

static void op_no_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to,
			 const char *new_name, unsigned int flags)
{
	(void)parent;
	(void)name;
	(void)to;
	(void)new_name;
	(void)flags;
	fuse_reply_err(req, EPERM);
}

/* ---- handles ---- */

/* What a handle shows: of a directory or of a file of .gmem. */
struct snapshot {
	struct snapshot *next, **at;
	char *text;
	size_t size;
};

static struct snapshot *snapshots;

/* Under the lock, as its end. */
static struct snapshot *new_snapshot(void)
{
	struct snapshot *s = xcalloc(1, sizeof(*s));

	s->next = snapshots;
	s->at = &snapshots;
	if (s->next)
		s->next->at = &s->next;
	snapshots = s;
	return s;
}

static void free_snapshot(struct snapshot *s)
{
	*s->at = s->next;
	if (s->next)
		s->next->at = s->at;
	free(s->text);
	free(s);
}

/* The kernel does not close handles of a connection that ends by itself. */
void ops_end(void)
{
	while (snapshots)
		free_snapshot(snapshots);
}

/* With the lock held: once they are answered, whoever has asked may close the handle. */
static void reply_part(fuse_req_t req, const struct snapshot *s, size_t size, off_t off)
{
	size_t at = (size_t)off;

	fs_lock();
	if (at >= s->size)
		fuse_reply_buf(req, NULL, 0);
	else
		fuse_reply_buf(req, s->text + at, s->size - at < size ? s->size - at : size);
	fs_unlock();
}

/* Before a file has its size, whoever opens it may yet want to map it. */
static bool can_be_mapped(const struct node *n)
{
	if (n->kind != NODE_FILE || n->fd != NO_FD)
		return n->map;
	return n->flags_asked ? n->flags & GMEM_FLAG_MMAP :
	       fs.o.flags     ? fs.flags & GMEM_FLAG_MMAP :
				true;
}

/*
 * What cannot be mapped is read and written past the kernel's cache, where a shared mapping is
 * ENODEV. What can be mapped is read and written through the cache, which is told to drop pages.
 */
static void how_to_open(const struct node *n, struct fuse_file_info *fi)
{
	fi->direct_io = !can_be_mapped(n);
	fi->keep_cache = !fi->direct_io;
	fi->fh = fi->direct_io;
	fi->nonseekable = n->kind == NODE_FILE && fs.o.strict && !fs.o.run && n->fd != NO_FD;
}

static void open_control(struct node *n, struct fuse_file_info *fi)
{
	struct snapshot *s = new_snapshot();

	s->text = control_text((enum control)n->control, &s->size);
	fi->fh = (uintptr_t)s;
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct node *n = tree_node(ino);

	fs_lock();
	how_to_open(n, fi);
	if (n->kind == NODE_CONTROL)
		open_control(n, fi);
	tree_open(n);
	fs_unlock();
	if (!fuse_reply_open(req, fi))
		return;
	fs_lock();
	tree_release(n);
	fs_unlock();
}

static void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		      struct fuse_file_info *fi)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	struct fuse_entry_param e;
	struct node *n;
	int err;

	(void)mode;
	fs_lock();
	err = tree_make_file(tree_node(parent), name, ctx->uid, ctx->gid, &n);
	if (!err) {
		tree_entry(n, &e);
		how_to_open(n, fi);
		tree_open(n);
	}
	fs_unlock();
	if (err) {
		fuse_reply_err(req, -err);
	} else if (fuse_reply_create(req, &e, fi)) {
		fs_lock();
		n->lookups--;
		tree_release(n);
		fs_unlock();
	}
}

static void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct node *n = tree_node(ino);
	struct snapshot *s = n->kind == NODE_CONTROL ? (void *)(uintptr_t)fi->fh : NULL;

	fs_lock();
	tree_release(n);
	if (s)
		free_snapshot(s);
	fs_unlock();
	fuse_reply_err(req, 0);
}

/* ---- directories: listed as they are when they are opened ---- */

static void add_entry(fuse_req_t req, struct snapshot *s, const char *name, const struct stat *st)
{
	size_t more = fuse_add_direntry(req, NULL, 0, name, NULL, 0);

	s->text = xrealloc(s->text, s->size + more, 1);
	fuse_add_direntry(req, s->text + s->size, more, name, st, (off_t)(s->size + more));
	s->size += more;
}

static void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct node *dir = tree_node(ino), *n;
	struct snapshot *s;
	struct stat st;

	fs_lock();
	s = new_snapshot();
	tree_attr(dir, &st);
	add_entry(req, s, ".", &st);
	add_entry(req, s, "..", &st);
	for (n = dir->children; n; n = n->next) {
		tree_attr(n, &st);
		add_entry(req, s, n->name, &st);
	}
	tree_open(dir);
	fs_unlock();
	fi->fh = (uintptr_t)s;
	if (fuse_reply_open(req, fi)) {
		fs_lock();
		tree_release(dir);
		fs_unlock();
	}
}

static void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		       struct fuse_file_info *fi)
{
	(void)ino;
	reply_part(req, (const void *)(uintptr_t)fi->fh, size, off);
}

static void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct snapshot *s = (void *)(uintptr_t)fi->fh;

	fs_lock();
	tree_release(tree_node(ino));
	free_snapshot(s);
	fs_unlock();
	fuse_reply_err(req, 0);
}

/* ---- .gmem/, whose files are read here; those of memory in ops-file.c ---- */

static void read_events(fuse_req_t req, size_t size, off_t off)
{
	struct fuse_bufvec v = FUSE_BUFVEC_INIT(size);
	uint64_t there, from = (uint64_t)off;

	log_catch_up();
	fs_lock();
	there = fs.log.events_size;
	fs_unlock();
	if (from >= there) {
		fuse_reply_buf(req, NULL, 0);
		return;
	}
	if (there - from < size)
		v.buf[0].size = there - from;
	v.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
	v.buf[0].fd = fs.log.events;
	v.buf[0].pos = off;
	fuse_reply_data(req, &v, 0);
}

static void op_read_any(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
			struct fuse_file_info *fi)
{
	const struct node *n = tree_node(ino);

	if (n == &fs.controls[CONTROL_EVENTS])
		read_events(req, size, off);
	else if (n->kind == NODE_CONTROL)
		reply_part(req, (const void *)(uintptr_t)fi->fh, size, off);
	else
		op_read(req, ino, size, off, fi);
}

const struct fuse_lowlevel_ops fs_ops = {
	.init = op_init,
	.lookup = op_lookup,
	.forget = op_forget,
	.forget_multi = op_forget_multi,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.mkdir = op_mkdir,
	.mknod = op_mknod,
	.unlink = op_unlink,
	.rmdir = op_rmdir,
	.link = op_no_link,
	.symlink = op_no_symlink,
	.rename = op_no_rename,
	.open = op_open,
	.create = op_create,
	.release = op_release,
	.opendir = op_opendir,
	.readdir = op_readdir,
	.releasedir = op_releasedir,
	.statfs = op_statfs,
	.read = op_read_any,
	.write = op_write,
	.fallocate = op_fallocate,
	.fsync = op_fsync,
	.lseek = op_lseek,
	.copy_file_range = op_copy_file_range,
	.ioctl = op_ioctl,
	.setxattr = op_setxattr,
	.getxattr = op_getxattr,
	.listxattr = op_listxattr,
	.removexattr = op_removexattr,
	.retrieve_reply = op_retrieve_reply,
};
