/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gmemfs: what its files share. main.c starts and ends it, tree.c has the directories and files,
 * world.c makes the calls of the model, look.c reads its state, log.c remembers calls for .gmem/,
 * contents.c holds the bytes, notify.c tells the kernel what to forget, and ops*.c answer requests.
 *
 * One lock (fs.lock) guards the world, the tree and the contents. Functions of all files are called
 * with it held, unless said otherwise. Nobody waits for the kernel with it held, and no thread that
 * answers requests waits for the kernel at all; see notify.c.
 *
 * Functions that return int return 0 or a negated errno, unless said otherwise. Sizes, offsets and
 * addresses are in bytes, pages are numbered from 0.
 */
#ifndef GMEMFS_H
#define GMEMFS_H

#define FUSE_USE_VERSION 314

#include <fuse_lowlevel.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "gmem.h"
#include "mount-abi.h"
#include "trace.h"

#define NO_FD (-1)

enum node_kind { NODE_ROOT, NODE_VM, NODE_FILE, NODE_CONTROL_DIR, NODE_CONTROL };

/* Pages that were read when so many windows had been opened; see late.c. */
struct mark {
	uint64_t first, end, number;
};
#define NR_MARKS 16u

/* A directory or file of the mount. Its address is the number that the kernel knows it by. */
struct node {
	enum node_kind kind;
	uint64_t number;  /* st_ino; never used twice */
	uint64_t lookups; /* how often the kernel was told of it, less what it has forgotten */
	struct node *parent, *children, *next;
	struct node *next_file; /* of all VMs and files, also those without a name */
	unsigned int nr_children;
	char *name;
	bool unlinked;
	unsigned int opens;
	uid_t uid;
	gid_t gid;
	mode_t mode; /* permissions of a directory */
	struct timespec born;
	int64_t fd;	      /* the model's descriptor of the VM or guest_memfd; NO_FD: none yet */
	uint64_t type;	      /* of a VM */
	unsigned int control; /* enum control */
	/* of a guest_memfd */
	uint64_t size;	/* bytes; 0 until it has one */
	uint64_t flags; /* that it has, or will have */
	bool flags_asked;
	uint64_t map; /* the model's address of the daemon's mapping; 0: it cannot be mapped */
	int contents; /* the memfd; -1: none */
	char *bytes;  /* a mapping of it; null where it is too large */
	unsigned char *written;	     /* and then a bit for each page that was written */
	uint64_t blocks;	     /* bytes of it that take memory */
	unsigned int ranges;	     /* at most so many */
	bool dropped;		     /* pages of it, by the kernel, since the last write */
	struct mark marks[NR_MARKS]; /* what was read after that */
	unsigned int nr_marks;
};

enum control { CONTROL_EVENTS, CONTROL_STATE, CONTROL_TRACE, CONTROL_LOCKDEP, CONTROL_PROFILE };
#define NR_CONTROLS 5

struct options {
	char *profile, *type, *flags, *machine, *memory, *world;
	int strict, check, run;
	unsigned int most_files, most_vms, most_ranges, max_readahead;
};

/* What fills events and trace; log.c. */
struct log {
	struct trace t;
	bool full;	  /* the trace has stopped */
	int32_t *made_by; /* of each descriptor of the model: the call of the trace that made it */
	size_t nr_made;
	struct {
		uint64_t addr, length;
		int32_t call;
	} * maps;
	size_t nr_maps, room_maps;
	unsigned int counts[4];	       /* names given: vm, f, p, m */
	struct chunk *oldest, *newest; /* what nobody has read yet */
	uint64_t nr_waiting;	       /* in them */
	uint64_t nr_happened, calls;   /* since mount */
	int events;		       /* the memfd that holds what was read */
	uint64_t events_size;
	bool events_full, end_told;
};

enum window_kind {
	WINDOW_TAKEN,	/* from the host, or from its page tables: the model has them no more */
	WINDOW_PUNCHED, /* what the kernel still writes back is older than the punch */
	WINDOW_SEEN,	/* by a guest */
	WINDOW_LATE,	/* copies that lack a write; late.c */
};

/* Pages that the kernel is being told to drop. */
struct window {
	struct window *next;
	struct node *n; /* counts as a handle */
	uint64_t number, first, end;
	uint64_t begun; /* so many windows had been opened when the kernel was told */
	enum window_kind kind;
	uint64_t late_start, late_end; /* bytes that what it still writes back lacks */
};

struct fs {
	pthread_mutex_t lock;
	struct fuse_session *se;
	struct options o;
	const struct gmem_profile *profile;
	struct gmem_machine machine;
	unsigned int machine_says;  /* TRACE_MACHINE_*: what of it was asked for */
	uint64_t attributes_number; /* of KVM_SET_MEMORY_ATTRIBUTES2 in the profile; or 0 */
	uint64_t type, flags;	    /* of new VMs and files */
	uint64_t most_memory;	    /* bytes of contents; 0: no limit */
	uint64_t most_world;	    /* bytes of the world itself */
	int most_fds;		    /* descriptors that contents may have */
	struct gmem_world *w;
	struct gmem_lockdep *locks;
	struct log log;
	struct node root, control_dir, controls[NR_CONTROLS];
	struct node *files;
	uint64_t next_number;
	unsigned int nr_files, nr_vms, handles;
	uint64_t blocks; /* bytes of all contents */
	struct window *windows;
	uint64_t windows_opened;
};

extern struct fs fs;

static inline void fs_lock(void)
{
	pthread_mutex_lock(&fs.lock);
}

static inline void fs_unlock(void)
{
	pthread_mutex_unlock(&fs.lock);
}

/* ---- options.c ---- */

/* Takes gmemfs' own options out of the arguments, and judges them; or ends the program. */
void options_read(struct fuse_args *args);
/* Of those names in a trace: "MMAP|INIT_SHARED" (also with + or ,), "SW_PROTECTED". 0 if unknown. */
int flags_number(const char *words, uint64_t *flags);
int type_number(const char *word, uint64_t *type);
const char *type_word(uint64_t type);
/* One of the profile's numbers; 0 if it has none of that name. */
uint64_t profile_number(const char *name);

/* ---- world.c: the model ---- */

/* Makes the world. 0 if there is no memory. */
int world_begin(void);
void world_end(void);
/*
 * Makes the call and logs it. The result's value if it has one; -EIO for a violation, -ENOMEM where
 * the model has no memory, -EINVAL for misuse, -EFAULT for another outcome than a value.
 */
int64_t world_call(const struct gmem_call *c, struct gmem_result *r);
/* The same without logging it; and only that. */
int64_t world_ask(const struct gmem_call *c, struct gmem_result *r);
void world_log(const struct gmem_call *c, const struct gmem_result *r);

/* ---- look.c: what the world knows; changes nothing ---- */

/* 1 if the call leaves the world room for calls that end something; else 0. May make it larger. */
int look_has_room(const struct gmem_call *c);

/* What is true of all pages of a run. */
#define PAGES_PRIVATE 1u
#define PAGES_ALLOCATED 2u
#define PAGES_POISONED 4u
#define PAGES_HOST 8u	/* in the daemon's mapping, that is, perhaps in the kernel's cache */
#define PAGES_GUEST 16u /* in a guest's page tables */
#define PAGES_BOUND 32u
#define PAGES_PINNED 64u
#define NR_PAGE_BITS 7u
extern const char *const page_bit_names[NR_PAGE_BITS];

struct run {
	uint64_t first, end; /* pages */
	unsigned int bits;   /* PAGES_* */
};
/* The run of pages of the file that begins at page first, and ends at end at the latest. */
struct run look_run(const struct node *n, uint64_t first, uint64_t end);
/* Where the shared pages from first on end. */
uint64_t look_shared_until(const struct node *n, uint64_t first, uint64_t end);
/* 1 if the daemon's mapping has all of the pages, any of them; else 0. */
int look_all_mapped(const struct node *n, uint64_t first, uint64_t end);
int look_any_mapped(const struct node *n, uint64_t first, uint64_t end);
/* 1 if what the page holds is open, by the design; else 0. */
int look_open(const struct node *n, uint64_t page);
/* 1 and the first run of bytes in [*start, end) whose value is open; else 0. */
int look_next_open(const struct node *n, uint64_t *start, uint64_t *end);
/* log2 of the file's pages in 4096 bytes. */
unsigned int look_order(const struct node *n);
/* Ranges of what is recorded about its pages. */
unsigned int look_ranges(const struct node *n);
/* Which file and which byte of it a guest's address is; null if it is no file's. */
struct node *look_gpa(const struct node *vm, uint64_t gpa, uint64_t *offset);
/* 1 if the guest has mapped the file's page at that address; else 0. */
int look_guest_has(const struct node *vm, uint64_t gpa);
/* Memslots of the VM as text, one a line. */
void look_print_slots(FILE *f, const struct node *vm);
/* "0+4096=private,allocated", one run a line, from that page on; not more than so many. */
void look_print_runs(FILE *f, const struct node *n, uint64_t first, unsigned int most);

/* ---- log.c: events and trace ---- */

void log_begin(void);
void log_end(void);
void log_call(const struct gmem_call *c, const struct gmem_result *r);
void log_violation(const struct gmem_violation *v);
/* From now on notifications to the VM are events. */
void log_listen(int64_t vm);
/* Writes down what happened since the last time: before somebody reads the events. Without the lock. */
void log_catch_up(void);
void log_print_trace(FILE *f);

/* ---- contents.c: bytes ---- */

/* Of a new file. */
int contents_new(struct node *n);
void contents_free(struct node *n);
/* Where these bytes are, until the lock is released; null if a page of them was never written. */
const void *contents_at(const struct node *n, size_t size, uint64_t offset);
/* All bytes that are asked for; what was never written is zero. */
int contents_read(const struct node *n, void *to, size_t size, uint64_t offset);
int contents_write(struct node *n, const void *from, size_t size, uint64_t offset);
/* Makes them zero, and gives the memory back. */
void contents_zero(struct node *n, uint64_t offset, uint64_t length);
/* 0 if so many more bytes are too many. */
int contents_fit(uint64_t bytes);

/* ---- tree.c ---- */

void tree_begin(void);
/* A child, or null. */
struct node *tree_find(struct node *dir, const char *name);
struct node *tree_node(fuse_ino_t ino);
fuse_ino_t tree_ino(const struct node *n);
/* A new child with its VM, or without a size yet. */
int tree_make_vm(const char *name, uint64_t type, uid_t uid, gid_t gid, struct node **made);
/* The same, called vm-N for its number. */
int tree_make_numbered_vm(uint64_t type, uid_t uid, gid_t gid, struct node **made);
/* The VM or file of that number, or null. */
struct node *tree_vm(uint64_t number);
struct node *tree_file(uint64_t number);
int tree_make_file(struct node *vm, const char *name, uid_t uid, gid_t gid, struct node **made);
/* Gives the file its size, by KVM_CREATE_GUEST_MEMFD. The model's descriptor, or a negated errno. */
int64_t tree_size_file(struct node *n, uint64_t size);
/* The same for a file that is called gmem-N for the descriptor N. */
int64_t tree_create_guest_memfd(struct node *vm, const struct gmem_call *c, uid_t uid, gid_t gid);
/* Takes the name away; the node goes when nobody has it. */
int tree_remove(struct node *dir, const char *name, enum node_kind kind);
/* Another type of a VM that has no file yet. */
int tree_set_type(struct node *vm, uint64_t type);
void tree_forget(struct node *n, uint64_t lookups);
/* Of a VM or a file, when all is over. */
void tree_free(struct node *n);
/* One handle more, one less. */
void tree_open(struct node *n);
void tree_release(struct node *n);
void tree_attr(const struct node *n, struct stat *st);
/* For how many seconds the kernel may believe that. */
double tree_attr_timeout(const struct node *n);
void tree_entry(struct node *n, struct fuse_entry_param *e);

/* ---- notify.c: what the kernel is to forget ---- */

struct job {
	struct job *next;
	fuse_req_t req;
	fuse_ino_t ino;
	uint64_t offset, length; /* bytes of the file that the kernel is to write back and drop */
	struct window *window;	 /* open until that is done; or null */
	/* of a late write */
	struct node *late;
	char *tail; /* its bytes in the last page; null if it ends with the page */
	uint64_t tail_at;
	size_t tail_size;
	unsigned int questions; /* that the kernel was asked about them */
	/* What to do then, without the lock: answers the request. */
	void (*then)(struct job *j);
	int result;
	struct node *vm;
	struct mount_call call;
	size_t out_size;
	char out[sizeof(struct kvm_attributes2)];
};

/* 0 if the thread cannot be made. */
int notify_begin(void);
/* Without the lock. 0 if the thread waits for the kernel, and cannot be ended. */
int notify_end(void);
struct job *notify_job(fuse_req_t req, const struct node *n, uint64_t first, uint64_t end);
/* As long as the job is not done, the pages have a window. */
void notify_open_window(struct job *j, struct node *n, enum window_kind kind);
/* 1 if the kernel may have any of the pages: mapped, or not dropped yet; else 0. */
int notify_may_have(const struct node *n, uint64_t first, uint64_t end);
/* The same after a notify_drop() of that page, when so many windows had been opened. */
int notify_may_have_since(const struct node *n, uint64_t page, uint64_t since);
/* 1 if write-backs of the page are of the time before a punch; else 0. */
int notify_is_punched(const struct node *n, uint64_t page);
/* The job is notify.c's from now on. */
void notify_queue(struct job *j);
/* The kernel writes back and drops the job's pages; then its window closes. Without the lock, from a job. */
void notify_drop(struct job *j);

/* ---- late.c: writes that arrive after the page was dropped and read again ---- */

/* The pages are in the kernel's cache when this read is answered. */
void late_read(struct node *n, uint64_t first, uint64_t end);
/* The window closes. */
void late_dropped(const struct window *w);
/* A write, of the pages, that will be answered; true if the kernel may have a copy that lacks it. */
bool late_is_late(struct node *n, uint64_t first, uint64_t end);
/* Such a write, when its bytes are in the contents. */
struct job *late_job(fuse_req_t req, struct node *n, const char *from, size_t size,
		     uint64_t offset);
/* Answers it in time. Without the lock. */
void late_queue(struct job *j);
void op_retrieve_reply(fuse_req_t req, void *cookie, fuse_ino_t ino, off_t offset,
		       struct fuse_bufvec *bytes);
/* 1 and the first run of bytes in [*start, end) that a write-back may change; else 0. */
int late_next_older(const struct node *n, uint64_t *start, uint64_t *end);

/* ---- control.c ---- */

extern const char *const control_names[NR_CONTROLS];
/* What the file shows now, free() it; null for the events, which are not copied. */
char *control_text(enum control c, size_t *size);
void op_statfs(fuse_req_t req, fuse_ino_t ino);

/* ---- ops*.c ---- */

extern const struct fuse_lowlevel_ops fs_ops;
/* Forgets the handles that were not closed. */
void ops_end(void);
void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
	      struct fuse_file_info *fi);
/* The model refuses a read or write of a file that has its size, as KVM does. */
int64_t refuse_strictly(const struct node *n, uint32_t verb, size_t size);
void op_copy_file_range(fuse_req_t req, fuse_ino_t from, off_t from_off, struct fuse_file_info *fi,
			fuse_ino_t to, off_t to_off, struct fuse_file_info *to_fi, size_t size,
			int flags);
void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
		  struct fuse_file_info *fi);
void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);
void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence, struct fuse_file_info *fi);
void op_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned int cmd, void *arg,
	      struct fuse_file_info *fi, unsigned int flags, const void *in, size_t in_size,
	      size_t out_size);
void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size,
		 int flags);
void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);
void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);

/*
 * ops-convert.c: makes a conversion of the file, and answers the request when the kernel has forgotten what
 * became private. Takes the lock itself. The result and out_size bytes of out are the ioctl's
 * answer; with out null it is that of a setxattr. error_offset is written into out at that place.
 */
void convert_and_reply(fuse_req_t req, struct node *n, const struct gmem_call *what,
		       const void *out, size_t out_size, size_t error_offset);
/* ops-run.c: a call of any VM. Takes the lock itself. */
void run_call(fuse_req_t req, const struct mount_on *m);
/* guest.c: a call of a guest, on its VM; answers a MOUNT_CALL. Takes the lock itself. */
void guest_call(fuse_req_t req, struct node *vm, const struct mount_call *m);

#endif
