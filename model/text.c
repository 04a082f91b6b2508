/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The language of calls: for every verb its name, its parameters and what it results in, and for
 * every errno its name.
 *
 * A printer, a parser or a generator of calls needs nothing else: tools/trace-parse.c,
 * trace-print.c and random.c are loops over these tables, so a verb that is added here is known
 * everywhere. The order of the parameters is the order in which they are written.
 *
 * Numbers are Linux's on every host, also where the host's own errno.h has others.
 */
#include <string.h>

#include "gmem.h"

static const struct gmem_name vm_types[] = {
	{ "DEFAULT", GMEM_VM_DEFAULT },
	{ "SW_PROTECTED", GMEM_VM_SW_PROTECTED },
	{ "SEV", GMEM_VM_SEV },
	{ "SEV_ES", GMEM_VM_SEV_ES },
	{ "SNP", GMEM_VM_SNP },
	{ "TDX", GMEM_VM_TDX },
	{ NULL, 0 },
};

static const struct gmem_name caps[] = {
	{ "USER_MEMORY", GMEM_CAP_USER_MEMORY },
	{ "READONLY_MEM", GMEM_CAP_READONLY_MEM },
	{ "MULTI_ADDRESS_SPACE", GMEM_CAP_MULTI_ADDRESS_SPACE },
	{ "USER_MEMORY2", GMEM_CAP_USER_MEMORY2 },
	{ "MEMORY_FAULT_INFO", GMEM_CAP_MEMORY_FAULT_INFO },
	{ "MEMORY_ATTRIBUTES", GMEM_CAP_MEMORY_ATTRIBUTES },
	{ "GUEST_MEMFD", GMEM_CAP_GUEST_MEMFD },
	{ "VM_TYPES", GMEM_CAP_VM_TYPES },
	{ "PRE_FAULT_MEMORY", GMEM_CAP_PRE_FAULT_MEMORY },
	{ "GUEST_MEMFD_FLAGS", GMEM_CAP_GUEST_MEMFD_FLAGS },
	{ "GMEM_SHARED_MEM", GMEM_CAP_GMEM_SHARED_MEM },
	{ "GMEM_CONVERSION", GMEM_CAP_GMEM_CONVERSION },
	{ "GMEM_HUGETLB", GMEM_CAP_GMEM_HUGETLB },
	{ "MEMORY_ATTRIBUTES2", GMEM_CAP_MEMORY_ATTRIBUTES2 },
	{ "MEMORY_ATTRIBUTES2_FLAGS", GMEM_CAP_MEMORY_ATTRIBUTES2_FLAGS },
	{ "GUEST_MEMFD_MEMORY_ATTRIBUTES", GMEM_CAP_GUEST_MEMFD_MEMORY_ATTRIBUTES },
	{ "DISABLE_LEGACY_PRIVATE_TRACKING", GMEM_CAP_DISABLE_LEGACY_PRIVATE_TRACKING },
	{ NULL, 0 },
};

static const struct gmem_name file_flags[] = {
	{ "MMAP", GMEM_FLAG_MMAP },
	{ "INIT_SHARED", GMEM_FLAG_INIT_SHARED },
	{ "SUPPORT_SHARED", GMEM_FLAG_SUPPORT_SHARED },
	{ "INIT_PRIVATE", GMEM_FLAG_INIT_PRIVATE },
	{ "HUGETLB", GMEM_FLAG_HUGETLB },
	{ "HUGE_2MB", GMEM_FLAG_HUGE_2MB },
	{ "HUGE_1GB", GMEM_FLAG_HUGE_1GB },
	{ "HUGE_16GB", GMEM_FLAG_HUGE_16GB },
	{ NULL, 0 },
};

static const struct gmem_name content_modes[] = {
	{ "ZERO", GMEM_CONTENT_ZERO },
	{ "PRESERVE", GMEM_CONTENT_PRESERVE },
	{ NULL, 0 },
};

static const struct gmem_name slot_flags[] = {
	{ "LOG_DIRTY_PAGES", GMEM_MEM_LOG_DIRTY_PAGES },
	{ "READONLY", GMEM_MEM_READONLY },
	{ "GUEST_MEMFD", GMEM_MEM_GUEST_MEMFD },
	{ NULL, 0 },
};

static const struct gmem_name attributes[] = {
	{ "PRIVATE", GMEM_ATTRIBUTE_PRIVATE },
	{ NULL, 0 },
};

static const struct gmem_name accesses[] = {
	{ "PRIVATE", GMEM_ACCESS_PRIVATE },
	{ NULL, 0 },
};

static const struct gmem_name falloc_modes[] = {
	{ "KEEP_SIZE", GMEM_FALLOC_KEEP_SIZE },
	{ "PUNCH_HOLE", GMEM_FALLOC_PUNCH_HOLE },
	{ "NO_HIDE_STALE", GMEM_FALLOC_NO_HIDE_STALE },
	{ "COLLAPSE_RANGE", GMEM_FALLOC_COLLAPSE_RANGE },
	{ "ZERO_RANGE", GMEM_FALLOC_ZERO_RANGE },
	{ "INSERT_RANGE", GMEM_FALLOC_INSERT_RANGE },
	{ "UNSHARE_RANGE", GMEM_FALLOC_UNSHARE_RANGE },
	{ "WRITE_ZEROES", GMEM_FALLOC_WRITE_ZEROES },
	{ NULL, 0 },
};

static const struct gmem_name prots[] = {
	{ "NONE", 0 },
	{ "READ", GMEM_PROT_READ },
	{ "WRITE", GMEM_PROT_WRITE },
	{ "EXEC", GMEM_PROT_EXEC },
	{ NULL, 0 },
};

/* A printer takes the first name that fits, so the one of two bits comes first. */
static const struct gmem_name map_flags[] = {
	{ "SHARED_VALIDATE", GMEM_MAP_SHARED_VALIDATE },
	{ "SHARED", GMEM_MAP_SHARED },
	{ "PRIVATE", GMEM_MAP_PRIVATE },
	{ "DROPPABLE", GMEM_MAP_DROPPABLE },
	{ "FIXED", GMEM_MAP_FIXED },
	{ "ANONYMOUS", GMEM_MAP_ANONYMOUS },
	{ NULL, 0 },
};

static const struct gmem_name whences[] = {
	{ "SET", GMEM_SEEK_SET },   { "CUR", GMEM_SEEK_CUR },	{ "END", GMEM_SEEK_END },
	{ "DATA", GMEM_SEEK_DATA }, { "HOLE", GMEM_SEEK_HOLE }, { NULL, 0 },
};

static const struct gmem_name fcntl_cmds[] = {
	{ "GETFD", GMEM_F_GETFD },
	{ "GETFL", GMEM_F_GETFL },
	{ "ADD_SEALS", GMEM_F_ADD_SEALS },
	{ "GET_SEALS", GMEM_F_GET_SEALS },
	{ NULL, 0 },
};

static const struct gmem_name stat_fields[] = {
	{ "SIZE", GMEM_ST_SIZE },
	{ "BLOCKS", GMEM_ST_BLOCKS },
	{ "BLKSIZE", GMEM_ST_BLKSIZE },
	{ "MODE", GMEM_ST_MODE },
	{ "NLINK", GMEM_ST_NLINK },
	{ "UID", GMEM_ST_UID },
	{ NULL, 0 },
};

static const struct gmem_name statfs_fields[] = {
	{ "TYPE", GMEM_F_TYPE },
	{ "BSIZE", GMEM_F_BSIZE },
	{ NULL, 0 },
};

static const struct gmem_name advices[] = {
	{ "NORMAL", GMEM_MADV_NORMAL },
	{ "DONTNEED", GMEM_MADV_DONTNEED },
	{ "REMOVE", GMEM_MADV_REMOVE },
	{ "HUGEPAGE", GMEM_MADV_HUGEPAGE },
	{ "NOHUGEPAGE", GMEM_MADV_NOHUGEPAGE },
	{ "POPULATE_READ", GMEM_MADV_POPULATE_READ },
	{ "POPULATE_WRITE", GMEM_MADV_POPULATE_WRITE },
	{ "COLLAPSE", GMEM_MADV_COLLAPSE },
	{ NULL, 0 },
};

static const struct gmem_name injections[] = {
	{ "NONE", GMEM_INJECT_NONE },
	{ "SIGNAL", GMEM_INJECT_SIGNAL },
	{ "ENOMEM", GMEM_INJECT_ENOMEM },
	{ NULL, 0 },
};

static const struct gmem_name memfd_flags[] = {
	{ "CLOEXEC", 1 }, { "ALLOW_SEALING", 2 }, { "HUGETLB", 4 }, { "INACCESSIBLE", 8 },
	{ NULL, 0 },
};

static const struct gmem_name mounts[] = {
	{ "TMPFS", GMEM_MOUNT_TMPFS },
	{ "NOEXEC", GMEM_MOUNT_NOEXEC },
	{ "SUBDIR", GMEM_MOUNT_SUBDIR },
	{ "BIND", GMEM_MOUNT_BIND },
	{ "RDONLY", GMEM_MOUNT_RDONLY },
	{ "DATA", GMEM_MOUNT_DATA },
	{ NULL, 0 },
};

static const struct gmem_name modules[] = {
	{ "STORE", GMEM_MODULE_STORE },
	{ "OPERATIONS", GMEM_MODULE_OPERATIONS },
	{ NULL, 0 },
};

static const struct gmem_name argps[] = {
	{ "NULL", 1 },
	{ NULL, 0 },
};

static const struct gmem_name slot_argps[] = {
	{ "NULL", 1 },
	{ "FLIPS", 3 },
	{ NULL, 0 },
};

static const struct gmem_name written_argps[] = {
	{ "NULL", 1 },
	{ "READONLY", 2 },
	{ NULL, 0 },
};

/* clang-format off */
#define AT(member) offsetof(struct gmem_call, member)
#define ANYFILE (GMEM_FD_KVM | GMEM_FD_VM | GMEM_FD_GMEM)
#define CLOSABLE (ANYFILE | GMEM_FD_MOUNT)

#define FD(kinds) { "fd", GMEM_P_FD, 0, 32, AT(fd), kinds, 0, NULL }
#define NUM(member, kind) { #member, kind, 0, 64, AT(member), 0, 0, NULL }
#define NUM32(member, kind) { #member, kind, 0, 32, AT(member), 0, 0, NULL }
#define NUM_OR(member, kind, dflt) { #member, kind, 1, 64, AT(member), 0, dflt, NULL }
#define WIDTH { "size", GMEM_P_WIDTH, 1, 64, AT(size), 0, 1, NULL }
#define NAMED(member, bits, names) { #member, GMEM_P_NAME, 0, bits, AT(member), 0, 0, names }
#define BITS(member, bits, names) { #member, GMEM_P_FLAGS, 0, bits, AT(member), 0, 0, names }
#define BITS_OR(member, bits, names) { #member, GMEM_P_FLAGS, 1, bits, AT(member), 0, 0, names }
#define ADDR { "addr", GMEM_P_ADDR, 0, 64, AT(addr), 0, 0, NULL }
#define ADDR_OR { "addr", GMEM_P_ADDR, 1, 64, AT(addr), 0, 0, NULL }
#define ARGP { "argp", GMEM_P_NAME, 1, 64, AT(argp), 0, 0, argps }
#define SLOT_ARGP { "argp", GMEM_P_NAME, 1, 64, AT(argp), 0, 0, slot_argps }
#define WRITTEN_ARGP { "argp", GMEM_P_NAME, 1, 64, AT(argp), 0, 0, written_argps }
#define END { NULL, 0, 0, 0, 0, 0, 0, NULL }
#define PARAMS(...) .params = (const struct gmem_param[]){ __VA_ARGS__, END }

static const struct gmem_verb_info verbs[GMEM_NR_VERBS] = {
	[GMEM_CHECK_EXTENSION] = {
		.name = "check_extension", .result = GMEM_P_INT,
		PARAMS(FD(GMEM_FD_KVM | GMEM_FD_VM), NAMED(cap, 64, caps)),
	},
	[GMEM_CREATE_VM] = {
		.name = "create_vm", .binds = GMEM_BINDS_FD, .binds_fd = GMEM_FD_VM,
		.result = GMEM_P_FD,
		PARAMS({ "fd", GMEM_P_FD, 1, 32, AT(fd), GMEM_FD_KVM, GMEM_KVM_FD, NULL },
		       { "type", GMEM_P_NAME, 1, 64, AT(type), 0, GMEM_VM_DEFAULT, vm_types }),
	},
	[GMEM_CREATE_GUEST_MEMFD] = {
		.name = "create_guest_memfd", .binds = GMEM_BINDS_FD, .binds_fd = GMEM_FD_GMEM,
		.result = GMEM_P_FD,
		PARAMS(FD(GMEM_FD_VM), NUM(size, GMEM_P_SIZE), BITS_OR(flags, 64, file_flags),
		       NUM_OR(page_order, GMEM_P_INT, 0), ARGP),
	},
	[GMEM_SET_USER_MEMORY_REGION] = {
		.name = "set_user_memory_region", .result = GMEM_P_INT,
		PARAMS(FD(GMEM_FD_VM), NUM32(slot, GMEM_P_INT), BITS_OR(flags, 32, slot_flags),
		       NUM(gpa, GMEM_P_HEX), NUM(size, GMEM_P_SIZE), ADDR_OR, SLOT_ARGP),
	},
	[GMEM_SET_USER_MEMORY_REGION2] = {
		.name = "set_user_memory_region2", .result = GMEM_P_INT,
		PARAMS(FD(GMEM_FD_VM), NUM32(slot, GMEM_P_INT), BITS_OR(flags, 32, slot_flags),
		       NUM(gpa, GMEM_P_HEX), NUM(size, GMEM_P_SIZE), ADDR_OR,
		       { "memfd", GMEM_P_FD, 1, 32, AT(memfd), ANYFILE, (uint64_t)-1, NULL },
		       NUM_OR(offset, GMEM_P_SIZE, 0), SLOT_ARGP),
	},
	[GMEM_SET_MEMORY_ATTRIBUTES] = {
		.name = "set_memory_attributes", .result = GMEM_P_INT,
		PARAMS(FD(GMEM_FD_VM), NUM(gpa, GMEM_P_HEX), NUM(size, GMEM_P_SIZE),
		       BITS(attributes, 64, attributes), NUM_OR(flags, GMEM_P_HEX, 0), ARGP),
	},
	[GMEM_SET_MEMORY_ATTRIBUTES2] = {
		.name = "set_memory_attributes2", .result = GMEM_P_INT, .out = "error_offset",
		PARAMS(FD(GMEM_FD_VM | GMEM_FD_GMEM), NUM(offset, GMEM_P_SIZE),
		       NUM(size, GMEM_P_SIZE), BITS(attributes, 64, attributes),
		       BITS_OR(flags, 64, content_modes), NUM_OR(error_offset, GMEM_P_SIZE, 0),
		       NUM_OR(reserved, GMEM_P_HEX, 0), WRITTEN_ARGP),
	},
	[GMEM_CONVERT_SHARED] = {
		.name = "convert_shared", .result = GMEM_P_INT, .out = "error_offset",
		PARAMS(FD(GMEM_FD_GMEM), NUM(offset, GMEM_P_SIZE), NUM(size, GMEM_P_SIZE),
		       NUM_OR(error_offset, GMEM_P_SIZE, 0), NUM_OR(reserved, GMEM_P_HEX, 0),
		       WRITTEN_ARGP),
	},
	[GMEM_CONVERT_PRIVATE] = {
		.name = "convert_private", .result = GMEM_P_INT, .out = "error_offset",
		PARAMS(FD(GMEM_FD_GMEM), NUM(offset, GMEM_P_SIZE), NUM(size, GMEM_P_SIZE),
		       NUM_OR(error_offset, GMEM_P_SIZE, 0), NUM_OR(reserved, GMEM_P_HEX, 0),
		       WRITTEN_ARGP),
	},
	[GMEM_ENABLE_CAP] = {
		.name = "enable_cap", .result = GMEM_P_INT,
		PARAMS(FD(GMEM_FD_VM), NAMED(cap, 64, caps), ARGP),
	},
	[GMEM_LAUNCH_FINISH] = {
		.name = "launch_finish", .result = GMEM_P_INT, PARAMS(FD(GMEM_FD_VM)),
	},
	[GMEM_FALLOCATE] = {
		.name = "fallocate", .result = GMEM_P_INT,
		PARAMS(FD(GMEM_FD_GMEM), BITS(mode, 32, falloc_modes), NUM(offset, GMEM_P_SIZE),
		       NUM(length, GMEM_P_SIZE)),
	},
	[GMEM_FTRUNCATE] = {
		.name = "ftruncate", .result = GMEM_P_INT,
		PARAMS(FD(GMEM_FD_GMEM), NUM(length, GMEM_P_SIZE)),
	},
	[GMEM_FCHMOD] = {
		.name = "fchmod", .result = GMEM_P_INT,
		PARAMS(FD(GMEM_FD_GMEM), NUM32(mode, GMEM_P_HEX)),
	},
	[GMEM_FCHOWN] = {
		.name = "fchown", .result = GMEM_P_INT, PARAMS(FD(GMEM_FD_GMEM)),
	},
	[GMEM_FUTIMENS] = {
		.name = "futimens", .result = GMEM_P_INT, PARAMS(FD(GMEM_FD_GMEM)),
	},
	[GMEM_READ] = {
		.name = "read", .result = GMEM_P_INT,
		PARAMS(FD(GMEM_FD_GMEM), NUM(length, GMEM_P_SIZE)),
	},
	[GMEM_WRITE] = {
		.name = "write", .result = GMEM_P_INT,
		PARAMS(FD(GMEM_FD_GMEM), NUM(length, GMEM_P_SIZE), NUM_OR(value, GMEM_P_HEX, 0)),
	},
	[GMEM_PREAD] = {
		.name = "pread", .result = GMEM_P_INT,
		PARAMS(FD(GMEM_FD_GMEM), NUM(offset, GMEM_P_SIZE), NUM(length, GMEM_P_SIZE)),
	},
	[GMEM_PWRITE] = {
		.name = "pwrite", .result = GMEM_P_INT,
		PARAMS(FD(GMEM_FD_GMEM), NUM(offset, GMEM_P_SIZE), NUM(length, GMEM_P_SIZE),
		       NUM_OR(value, GMEM_P_HEX, 0)),
	},
	[GMEM_LSEEK] = {
		.name = "lseek", .result = GMEM_P_INT,
		PARAMS(FD(GMEM_FD_GMEM), NUM(offset, GMEM_P_SIZE), NAMED(whence, 32, whences)),
	},
	[GMEM_FSYNC] = {
		.name = "fsync", .result = GMEM_P_INT, PARAMS(FD(GMEM_FD_GMEM)),
	},
	[GMEM_FCNTL] = {
		.name = "fcntl", .result = GMEM_P_HEX,
		PARAMS(FD(GMEM_FD_GMEM), NAMED(cmd, 32, fcntl_cmds), NUM_OR(value, GMEM_P_HEX, 0)),
	},
	[GMEM_FSTAT] = {
		.name = "fstat", .result = GMEM_P_INT,
		PARAMS(FD(GMEM_FD_GMEM), NAMED(field, 32, stat_fields)),
	},
	[GMEM_FSTATFS] = {
		.name = "fstatfs", .result = GMEM_P_HEX,
		PARAMS(FD(GMEM_FD_GMEM), NAMED(field, 32, statfs_fields)),
	},
	[GMEM_CACHESTAT] = {
		.name = "cachestat", .result = GMEM_P_INT,
		PARAMS(FD(GMEM_FD_GMEM), NUM_OR(offset, GMEM_P_SIZE, 0),
		       NUM_OR(length, GMEM_P_SIZE, 0)),
	},
	[GMEM_MMAP] = {
		.name = "mmap", .binds = GMEM_BINDS_ADDR, .result = GMEM_P_ADDR,
		PARAMS(FD(GMEM_FD_GMEM | GMEM_FD_ANON), NUM_OR(offset, GMEM_P_SIZE, 0),
		       NUM(length, GMEM_P_SIZE), BITS(prot, 64, prots),
		       BITS(flags, 64, map_flags), ADDR_OR),
	},
	[GMEM_MUNMAP] = {
		.name = "munmap", .result = GMEM_P_INT,
		PARAMS(ADDR, NUM(length, GMEM_P_SIZE)),
	},
	[GMEM_MPROTECT] = {
		.name = "mprotect", .result = GMEM_P_INT,
		PARAMS(ADDR, NUM(length, GMEM_P_SIZE), BITS(prot, 64, prots)),
	},
	[GMEM_MADVISE] = {
		.name = "madvise", .result = GMEM_P_INT,
		PARAMS(ADDR, NUM(length, GMEM_P_SIZE), NAMED(advice, 32, advices)),
	},
	[GMEM_FORK] = {
		.name = "fork", .binds = GMEM_BINDS_TASK, .result = GMEM_P_INT,
		.params = (const struct gmem_param[]){ END },
	},
	[GMEM_THREAD] = {
		.name = "thread", .binds = GMEM_BINDS_TASK, .result = GMEM_P_INT,
		.params = (const struct gmem_param[]){ END },
	},
	[GMEM_EXIT] = {
		.name = "exit", .result = GMEM_P_INT,
		.params = (const struct gmem_param[]){ END },
	},
	[GMEM_LOAD] = {
		.name = "load", .result = GMEM_P_HEX,
		PARAMS(ADDR, WIDTH),
	},
	[GMEM_STORE] = {
		.name = "store", .result = GMEM_P_INT,
		PARAMS(ADDR, WIDTH, NUM(value, GMEM_P_HEX)),
	},
	[GMEM_PIN] = {
		.name = "pin", .binds = GMEM_BINDS_FD, .binds_fd = GMEM_FD_PIN, .result = GMEM_P_FD,
		PARAMS(ADDR, NUM(length, GMEM_P_SIZE)),
	},
	[GMEM_UNPIN] = {
		.name = "unpin", .result = GMEM_P_INT, PARAMS(FD(GMEM_FD_PIN)),
	},
	[GMEM_PIN_LOAD] = {
		.name = "pin_load", .result = GMEM_P_HEX,
		PARAMS(FD(GMEM_FD_PIN), NUM(offset, GMEM_P_HEX), WIDTH),
	},
	[GMEM_PIN_STORE] = {
		.name = "pin_store", .result = GMEM_P_INT,
		PARAMS(FD(GMEM_FD_PIN), NUM(offset, GMEM_P_HEX), WIDTH,
		       NUM(value, GMEM_P_HEX)),
	},
	[GMEM_GUEST_LOAD] = {
		.name = "guest_load", .result = GMEM_P_HEX,
		PARAMS(FD(GMEM_FD_VM), NUM(gpa, GMEM_P_HEX), WIDTH,
		       BITS_OR(access, 64, accesses)),
	},
	[GMEM_GUEST_STORE] = {
		.name = "guest_store", .result = GMEM_P_INT,
		PARAMS(FD(GMEM_FD_VM), NUM(gpa, GMEM_P_HEX), WIDTH,
		       NUM(value, GMEM_P_HEX), BITS_OR(access, 64, accesses)),
	},
	[GMEM_POPULATE] = {
		.name = "populate", .result = GMEM_P_INT,
		PARAMS(FD(GMEM_FD_VM), NUM(gpa, GMEM_P_HEX), NUM(size, GMEM_P_SIZE), ADDR_OR),
	},
	[GMEM_PRE_FAULT_MEMORY] = {
		.name = "pre_fault_memory", .result = GMEM_P_INT, .out = "left",
		PARAMS(FD(GMEM_FD_VM), NUM(gpa, GMEM_P_HEX), NUM(size, GMEM_P_SIZE),
		       NUM_OR(flags, GMEM_P_HEX, 0), ARGP),
	},
	[GMEM_MEMORY_FAILURE] = {
		.name = "memory_failure", .result = GMEM_P_INT,
		PARAMS(FD(GMEM_FD_GMEM), NUM(offset, GMEM_P_SIZE)),
	},
	[GMEM_INJECT] = {
		.name = "inject", .result = GMEM_P_INT,
		PARAMS(NAMED(what, 32, injections), NUM_OR(value, GMEM_P_INT, 0)),
	},
	[GMEM_DUP] = {
		.name = "dup", .binds = GMEM_BINDS_FD, .binds_fd = CLOSABLE,
		.result = GMEM_P_FD,
		PARAMS(FD(CLOSABLE)),
	},
	[GMEM_CLOSE] = {
		.name = "close", .result = GMEM_P_INT, PARAMS(FD(CLOSABLE)),
	},
	[GMEM_MEMFD_CREATE] = {
		.name = "memfd_create", .binds = GMEM_BINDS_FD, .binds_fd = GMEM_FD_GMEM,
		.result = GMEM_P_FD, PARAMS(BITS_OR(flags, 32, memfd_flags)),
	},
	[GMEM_MEMFD_RESTRICTED] = {
		.name = "memfd_restricted", .binds = GMEM_BINDS_FD, .binds_fd = GMEM_FD_GMEM,
		.result = GMEM_P_FD,
		PARAMS({ "mount", GMEM_P_FD, 1, 32, AT(memfd), CLOSABLE, (uint64_t)-1, NULL },
		       NUM_OR(flags, GMEM_P_HEX, 0)),
	},
	[GMEM_OPEN_MOUNT] = {
		.name = "open_mount", .binds = GMEM_BINDS_FD, .binds_fd = GMEM_FD_MOUNT,
		.result = GMEM_P_FD, PARAMS(BITS_OR(mode, 32, mounts)),
	},
	[GMEM_REG_REGION] = {
		.name = "memory_encrypt_reg_region", .result = GMEM_P_INT,
		PARAMS(FD(GMEM_FD_VM), NUM(gpa, GMEM_P_HEX), NUM(size, GMEM_P_SIZE), ARGP),
	},
	[GMEM_UNREG_REGION] = {
		.name = "memory_encrypt_unreg_region", .result = GMEM_P_INT,
		PARAMS(FD(GMEM_FD_VM), NUM(gpa, GMEM_P_HEX), NUM(size, GMEM_P_SIZE), ARGP),
	},
	[GMEM_RMMOD] = {
		.name = "rmmod", .result = GMEM_P_INT, PARAMS(NAMED(what, 32, modules)),
	},
};
/* clang-format on */

const struct gmem_verb_info *gmem_verb_info(uint32_t verb)
{
	return verb < GMEM_NR_VERBS ? &verbs[verb] : NULL;
}

static const struct {
	const char *name;
	int number;
} errnos[] = {
	{ "EPERM", 1 },	      { "ENOENT", 2 },	    { "EINTR", 4 },    { "EIO", 5 },
	{ "ENXIO", 6 },	      { "E2BIG", 7 },	    { "EBADF", 9 },    { "EAGAIN", 11 },
	{ "ENOMEM", 12 },     { "EACCES", 13 },	    { "EFAULT", 14 },  { "EBUSY", 16 },
	{ "EEXIST", 17 },     { "ENODEV", 19 },	    { "ENOTDIR", 20 }, { "EINVAL", 22 },
	{ "ENFILE", 23 },     { "EMFILE", 24 },	    { "ENOTTY", 25 },  { "ETXTBSY", 26 },
	{ "EFBIG", 27 },      { "ENOSPC", 28 },	    { "ESPIPE", 29 },  { "EROFS", 30 },
	{ "ERANGE", 34 },     { "EDEADLK", 35 },    { "ENOSYS", 38 },  { "EOVERFLOW", 75 },
	{ "EOPNOTSUPP", 95 }, { "EHWPOISON", 133 },
};

#define NR_ERRNOS (sizeof(errnos) / sizeof(errnos[0]))

const char *gmem_errno_name(int err)
{
	size_t i;

	for (i = 0; i < NR_ERRNOS; i++)
		if (errnos[i].number == err)
			return errnos[i].name;
	return NULL;
}

int gmem_errno_number(const char *name)
{
	size_t i;

	for (i = 0; i < NR_ERRNOS; i++)
		if (!strcmp(errnos[i].name, name))
			return errnos[i].number;
	return 0;
}
