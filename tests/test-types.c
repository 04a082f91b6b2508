/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who supports what: every type of VM, in every profile, on x86-64 and arm64, against tables that
 * are written out by hand.
 */
#include <string.h>

#include "calls.h"

#define PAGE GMEM_PAGE_SIZE
#define GPA UINT64_C(0x100000)
#define EFAULT_ 14
#define EINVAL_ 22
#define ENOTTY_ 25
#define EOPNOTSUPP_ 95
#define PRIVATE GMEM_ATTRIBUTE_PRIVATE
#define MMAP GMEM_FLAG_MMAP
#define INIT_SHARED GMEM_FLAG_INIT_SHARED

static const struct gmem_machine arm64 = { .arch = GMEM_ARM64, .tdp = 1 };
static const struct gmem_machine arm64_small = { .arch = GMEM_ARM64, .phys_bits = 44 };
static const struct gmem_machine no_smm = { .vm_types = 0x3f, .tdp = 1 };
static const struct gmem_machine no_tdp = { .vm_types = 0x3f, .smm = 1 };
static const struct gmem_machine default_only = { .vm_types = 1, .smm = 1, .tdp = 1 };

/* ---- capabilities ---- */

/* The columns of the table. */
static const uint64_t caps[] = {
	GMEM_CAP_USER_MEMORY,	      GMEM_CAP_USER_MEMORY2,	 GMEM_CAP_MEMORY_FAULT_INFO,
	GMEM_CAP_READONLY_MEM,	      GMEM_CAP_GUEST_MEMFD,	 GMEM_CAP_GUEST_MEMFD_FLAGS,
	GMEM_CAP_MEMORY_ATTRIBUTES,   GMEM_CAP_PRE_FAULT_MEMORY, GMEM_CAP_VM_TYPES,
	GMEM_CAP_MULTI_ADDRESS_SPACE,
};
#define NR_CAPS (sizeof(caps) / sizeof(caps[0]))
#define DEV_KVM (-1)

/* clang-format off */
static const struct {
	const char *profile;
	const struct gmem_machine *machine;
	int type;
	int64_t values[NR_CAPS];
} answers[] = {
	/*						   mem mem2 exit ro gmem flags attributes pre types as */
	{ "linux-6.18", NULL, DEV_KVM,			{ 1, 1, 1, 1, 1, MMAP | INIT_SHARED, PRIVATE, 1, 0x3f, 2 } },
	{ "linux-6.18", NULL, GMEM_VM_DEFAULT,		{ 1, 1, 1, 1, 1, MMAP | INIT_SHARED, 0,       1, 0x3f, 2 } },
	{ "linux-6.18", NULL, GMEM_VM_SW_PROTECTED,	{ 1, 1, 1, 1, 1, MMAP,		     PRIVATE, 1, 0x3f, 1 } },
	{ "linux-6.18", NULL, GMEM_VM_SEV,		{ 1, 1, 1, 1, 1, MMAP | INIT_SHARED, 0,       1, 0x3f, 2 } },
	{ "linux-6.18", NULL, GMEM_VM_SEV_ES,		{ 1, 1, 1, 0, 1, MMAP | INIT_SHARED, 0,       1, 0x3f, 2 } },
	{ "linux-6.18", NULL, GMEM_VM_SNP,		{ 1, 1, 1, 0, 1, MMAP,		     PRIVATE, 1, 0x3f, 1 } },
	{ "linux-6.18", NULL, GMEM_VM_TDX,		{ 1, 1, 1, 0, 1, MMAP,		     PRIVATE, 1, 0x3f, 1 } },
	{ "linux-6.18", &no_smm, GMEM_VM_DEFAULT,	{ 1, 1, 1, 1, 1, MMAP | INIT_SHARED, 0,       1, 0x3f, 0 } },
	{ "linux-6.18", &no_tdp, GMEM_VM_DEFAULT,	{ 1, 1, 1, 1, 1, MMAP | INIT_SHARED, 0,       0, 1,    2 } },
	{ "linux-6.18", &default_only, DEV_KVM,		{ 1, 1, 1, 1, 1, MMAP | INIT_SHARED, 0,       1, 1,    2 } },
	{ "linux-6.18", &arm64, DEV_KVM,		{ 1, 1, 1, 1, 1, MMAP | INIT_SHARED, 0,       0, 0,    0 } },
	{ "linux-6.18", &arm64, GMEM_VM_DEFAULT,	{ 1, 1, 1, 1, 1, MMAP | INIT_SHARED, 0,       0, 0,    0 } },
	{ "linux-6.8", NULL, DEV_KVM,			{ 1, 1, 1, 1, 1, 0,		     PRIVATE, 0, 3,    2 } },
	{ "linux-6.8", NULL, GMEM_VM_DEFAULT,		{ 1, 1, 1, 1, 0, 0,		     0,	      0, 3,    2 } },
	{ "linux-6.8", NULL, GMEM_VM_SW_PROTECTED,	{ 1, 1, 1, 1, 1, 0,		     PRIVATE, 0, 3,    1 } },
	{ "linux-6.8", &default_only, DEV_KVM,		{ 1, 1, 1, 1, 0, 0,		     0,	      0, 1,    2 } },
	{ "linux-6.8", &arm64, GMEM_VM_DEFAULT,		{ 1, 1, 1, 1, 0, 0,		     0,	      0, 0,    0 } },
};
/* clang-format on */

static void capabilities(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct gmem_world *w = new_world_on(answers[i].profile, answers[i].machine);
		int64_t fd = answers[i].type == DEV_KVM ? GMEM_KVM_FD :
							  create_vm(w, (uint64_t)answers[i].type);

		for (size_t k = 0; k < NR_CAPS; k++) {
			int64_t value = call(w, .verb = GMEM_CHECK_EXTENSION, .fd = fd,
					     .cap = caps[k]);

			if (value != answers[i].values[k])
				fail_msg("line %zu, capability %d: %lld, not %lld", i, (int)caps[k],
					 (long long)value, (long long)answers[i].values[k]);
		}
		for (uint64_t cap = 1000; cap < 1100; cap++)
			assert_int_equal(
				call(w, .verb = GMEM_CHECK_EXTENSION, .fd = fd, .cap = cap), 0);
		gmem_world_free(w);
	}
}

static void types(void **state)
{
	static const struct {
		const char *profile;
		const struct gmem_machine *machine;
		uint64_t accepted;
	} lines[] = {
		{ "linux-6.18", NULL, 0x3f },
		{ "linux-6.18", &default_only, 1 },
		{ "linux-6.18", &no_tdp, 1 },
		{ "linux-6.8", NULL, 3 },
		{ "linux-6.18", &arm64, ((UINT64_C(1) << 49) - (UINT64_C(1) << 32)) | 1 },
		{ "linux-6.8", &arm64_small, ((UINT64_C(1) << 45) - (UINT64_C(1) << 32)) | 1 },
		{ "linux-6.8", &default_only, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct gmem_world *w = new_world_on(lines[i].profile, lines[i].machine);

		for (uint64_t type = 0; type < 64; type++)
			assert_int_equal(create_vm(w, type) > 0, lines[i].accepted >> type & 1);
		assert_int_equal(create_vm(w, 0x100), -EINVAL_);
		assert_int_equal(create_vm(w, UINT64_C(1) << 32), -EINVAL_);
		assert_int_equal(create_vm(w, UINT64_MAX), -EINVAL_);
		gmem_world_free(w);
	}
}

/* ---- KVM_CREATE_GUEST_MEMFD: every type with every flag ---- */

static void flags_of_files(void **state)
{
	static const struct {
		const char *profile;
		const struct gmem_machine *machine;
		uint64_t type, valid;
	} lines[] = {
		{ "linux-6.18", NULL, GMEM_VM_DEFAULT, MMAP | INIT_SHARED },
		{ "linux-6.18", NULL, GMEM_VM_SW_PROTECTED, MMAP },
		{ "linux-6.18", NULL, GMEM_VM_SEV, MMAP | INIT_SHARED },
		{ "linux-6.18", NULL, GMEM_VM_SEV_ES, MMAP | INIT_SHARED },
		{ "linux-6.18", NULL, GMEM_VM_SNP, MMAP },
		{ "linux-6.18", NULL, GMEM_VM_TDX, MMAP },
		{ "linux-6.18", &arm64, GMEM_VM_DEFAULT, MMAP | INIT_SHARED },
		{ "linux-6.8", NULL, GMEM_VM_DEFAULT, 0 },
		{ "linux-6.8", NULL, GMEM_VM_SW_PROTECTED, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct gmem_world *w = new_world_on(lines[i].profile, lines[i].machine);
		int64_t vm = create_vm(w, lines[i].type);

		for (uint64_t flags = 0; flags < 16; flags++) {
			int64_t fd = create_gmem(w, vm, PAGE, flags);

			assert_int_equal(fd, flags & ~lines[i].valid ? -EINVAL_ : vm + 1);
			if (fd > 0)
				close_fd(w, fd);
		}
		for (unsigned int bit = 4; bit < 64; bit++)
			assert_int_equal(create_gmem(w, vm, PAGE, UINT64_C(1) << bit), -EINVAL_);
		gmem_world_free(w);
	}
}

/* Without private memory in its configuration, 6.8 is not built with guest_memfd either. */
static void without_guest_memfd(void **state)
{
	static const struct gmem_machine *const machines[] = { &default_only, &arm64 };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct gmem_world *w = new_world_on("linux-6.8", machines[i]);

		assert_int_equal(create_gmem(w, create_vm(w, GMEM_VM_DEFAULT), PAGE, 0), -ENOTTY_);
		gmem_world_free(w);
	}
}

/* ---- memslots ---- */

static int64_t set_slot(struct gmem_world *w, int64_t vm, int64_t file, uint64_t flags)
{
	struct gmem_call c = { .verb = GMEM_SET_USER_MEMORY_REGION2,
			       .fd = vm,
			       .gpa = GPA,
			       .size = PAGE,
			       .flags = flags,
			       .memfd = file };
	int64_t value = result_of(w, &c, __FILE__, __LINE__).value;

	if (!value)
		assert_int_equal(delete_slot(w, vm, 0), 0);
	return value;
}

static void flags_of_memslots(void **state)
{
	static const struct {
		const char *profile;
		const struct gmem_machine *machine;
		uint64_t type;
		int readonly, gmem;
	} lines[] = {
		{ "linux-6.18", NULL, GMEM_VM_DEFAULT, 1, 1 },
		{ "linux-6.18", NULL, GMEM_VM_SW_PROTECTED, 1, 1 },
		{ "linux-6.18", NULL, GMEM_VM_SEV, 1, 1 },
		{ "linux-6.18", NULL, GMEM_VM_SEV_ES, 0, 1 },
		{ "linux-6.18", NULL, GMEM_VM_SNP, 0, 1 },
		{ "linux-6.18", NULL, GMEM_VM_TDX, 0, 1 },
		{ "linux-6.18", &arm64, GMEM_VM_DEFAULT, 1, 0 }, /* the file has no MMAP flag */
		{ "linux-6.8", NULL, GMEM_VM_DEFAULT, 1, 0 },
		{ "linux-6.8", NULL, GMEM_VM_SW_PROTECTED, 1, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct gmem_world *w = new_world_on(lines[i].profile, lines[i].machine);
		int64_t vm = create_vm(w, lines[i].type), file = create_gmem(w, vm, PAGE, 0);

		for (uint64_t flags = 0; flags < 16; flags++) {
			int valid = flags < 8 &&
				    (!(flags & GMEM_MEM_READONLY) || lines[i].readonly) &&
				    (!(flags & GMEM_MEM_GUEST_MEMFD) ||
				     (lines[i].gmem && flags == GMEM_MEM_GUEST_MEMFD));

			assert_int_equal(set_slot(w, vm, file, flags), valid ? 0 : -EINVAL_);
		}
		gmem_world_free(w);
	}
}

/* How many numbers a memslot can have, and how many address spaces there are. */
static void numbers_of_memslots(void **state)
{
	static const struct {
		const struct gmem_machine *machine;
		uint64_t type, slots, spaces;
	} lines[] = {
		{ NULL, GMEM_VM_DEFAULT, 32764, 2 },	{ NULL, GMEM_VM_SW_PROTECTED, 32764, 1 },
		{ NULL, GMEM_VM_SEV, 32764, 2 },	{ NULL, GMEM_VM_SEV_ES, 32764, 2 },
		{ NULL, GMEM_VM_SNP, 32764, 1 },	{ NULL, GMEM_VM_TDX, 32764, 1 },
		{ &no_smm, GMEM_VM_DEFAULT, 32764, 1 }, { &arm64, GMEM_VM_DEFAULT, 32767, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct gmem_world *w = new_world_on("linux-6.18", lines[i].machine);
		int64_t vm = create_vm(w, lines[i].type);

		for (uint64_t as = 0; as < 4; as++)
			for (uint64_t n = 32760; n < 32770; n++) {
				int valid = n < lines[i].slots && as < lines[i].spaces;

				assert_int_equal(call(w, .verb = GMEM_SET_USER_MEMORY_REGION,
						      .fd = vm, .slot = as << 16 | n,
						      .gpa = n * PAGE, .size = PAGE),
						 valid ? 0 : -EINVAL_);
			}
		gmem_world_free(w);
	}
}

/* [SLOT-25] The bind has happened by then, and is undone. */
static void arm64_needs_the_mmap_flag(void **state)
{
	struct gmem_world *w = new_world_on("linux-6.18", &arm64);
	int64_t vm = create_vm(w, GMEM_VM_DEFAULT), plain = create_gmem(w, vm, MiB, 0);
	int64_t shared_only = create_gmem(w, vm, MiB, INIT_SHARED);
	int64_t mappable = create_gmem(w, vm, MiB, MMAP);
	uint64_t before = gmem_world_hash(w);
	struct gmem_result r;

	(void)state;
	for (int i = 0; i < 3; i++) {
		r = result(w, .verb = GMEM_SET_USER_MEMORY_REGION2, .fd = vm, .gpa = GPA,
			   .size = MiB, .flags = GMEM_MEM_GUEST_MEMFD,
			   .memfd = i % 2 ? shared_only : plain);
		assert_int_equal(r.value, -EINVAL_);
		assert_string_equal(gmem_clause(r.clause)->name, "SLOT-25");
		assert_int_equal(gmem_world_hash(w), before);
	}
	assert_int_equal(bind_slot(w, vm, 0, GPA, MiB, mappable, 0), 0);
	assert_int_equal(guest_store(w, vm, GPA, 7).value, 0);
	assert_int_equal(guest_load(w, vm, GPA).value, 7);
	gmem_world_free(w);
}

/* [SLOT-24] on x86-64, [SLOT-29] on arm64: the last page goes, the one after it does not. */
static void last_page_is(const struct gmem_machine *machine, unsigned int bits, int64_t beyond)
{
	struct gmem_world *w = new_world_on("linux-6.18", machine);
	struct gmem_call c = { .verb = GMEM_SET_USER_MEMORY_REGION,
			       .fd = 4,
			       .gpa = (UINT64_C(1) << bits) - PAGE,
			       .size = PAGE };

	create_vm(w, GMEM_VM_DEFAULT);
	assert_int_equal(result_of(w, &c, __FILE__, __LINE__).value, 0);
	c.gpa += PAGE;
	c.slot++;
	assert_int_equal(result_of(w, &c, __FILE__, __LINE__).value, beyond);
	gmem_world_free(w);
}

static void the_last_guest_page(void **state)
{
	(void)state;
	last_page_is(NULL, 52, -EINVAL_);
	last_page_is(&arm64, 40, -EFAULT_);
}

/* ---- what a guest gets, by type, flags and privacy ---- */

static void guest_accesses(void **state)
{
	static const struct {
		uint64_t type, flags;
		int attribute, access; /* private */
		uint32_t outcome;
		int64_t value;
	} lines[] = {
		{ GMEM_VM_DEFAULT, MMAP, 0, 0, GMEM_VALUE, 0 },
		{ GMEM_VM_DEFAULT, 0, 0, 0, GMEM_VALUE, -EFAULT_ },
		{ GMEM_VM_SEV, MMAP, 0, 0, GMEM_VALUE, 0 },
		{ GMEM_VM_SEV_ES, 0, 0, 0, GMEM_VALUE, -EFAULT_ },
		{ GMEM_VM_SW_PROTECTED, 0, 1, 0, GMEM_VALUE, 0 },
		{ GMEM_VM_SW_PROTECTED, 0, 0, 0, GMEM_VALUE, -EFAULT_ },
		{ GMEM_VM_SW_PROTECTED, 0, 0, 1, GMEM_VALUE, -EFAULT_ },
		{ GMEM_VM_SW_PROTECTED, MMAP, 0, 0, GMEM_VALUE, 0 },
		{ GMEM_VM_SNP, 0, 1, 1, GMEM_VALUE, 0 },
		{ GMEM_VM_SNP, 0, 0, 1, GMEM_MEMORY_FAULT, -EFAULT_ },
		{ GMEM_VM_SNP, 0, 1, 0, GMEM_MEMORY_FAULT, -EFAULT_ },
		{ GMEM_VM_SNP, 0, 0, 0, GMEM_VALUE, -EFAULT_ },
		{ GMEM_VM_TDX, 0, 1, 1, GMEM_VALUE, 0 },
		{ GMEM_VM_TDX, 0, 0, 1, GMEM_MEMORY_FAULT, -EFAULT_ },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct gmem_world *w = new_world();
		int64_t vm = create_vm(w, lines[i].type);
		struct gmem_result r;

		bind_slot(w, vm, 0, GPA, PAGE, create_gmem(w, vm, PAGE, lines[i].flags), 0);
		if (lines[i].attribute)
			assert_int_equal(set_private(w, vm, GPA, PAGE, 1), 0);
		r = result(w, .verb = GMEM_GUEST_LOAD, .fd = vm, .gpa = GPA, .size = 1,
			   .access = lines[i].access ? GMEM_ACCESS_PRIVATE : 0);
		if (r.outcome != lines[i].outcome || r.value != lines[i].value)
			fail_msg("line %zu: outcome %u, value %d", i, r.outcome, (int)r.value);
		if (r.outcome == GMEM_MEMORY_FAULT)
			assert_int_equal(r.exit_flags,
					 lines[i].access ? GMEM_EXIT_FLAG_PRIVATE : 0);
		gmem_world_free(w);
	}
}

/* ---- populate and pre-fault ---- */

static void populate_and_pre_fault(void **state)
{
	static const struct {
		const char *profile;
		const struct gmem_machine *machine;
		uint64_t type;
		int populate, pre_fault; /* negated errnos; there is no memslot */
	} lines[] = {
		{ "linux-6.18", NULL, GMEM_VM_DEFAULT, -ENOTTY_, -2 },
		{ "linux-6.18", NULL, GMEM_VM_SW_PROTECTED, -ENOTTY_, -2 },
		{ "linux-6.18", NULL, GMEM_VM_SEV, -ENOTTY_, -2 },
		{ "linux-6.18", NULL, GMEM_VM_SEV_ES, -ENOTTY_, -2 },
		{ "linux-6.18", NULL, GMEM_VM_SNP, -EINVAL_, -2 },
		{ "linux-6.18", NULL, GMEM_VM_TDX, -EINVAL_, -2 },
		{ "linux-6.18", &no_tdp, GMEM_VM_DEFAULT, -ENOTTY_, -EOPNOTSUPP_ },
		{ "linux-6.18", &arm64, GMEM_VM_DEFAULT, -ENOTTY_, -EINVAL_ },
		{ "linux-6.8", NULL, GMEM_VM_SW_PROTECTED, -ENOTTY_, -EINVAL_ },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct gmem_world *w = new_world_on(lines[i].profile, lines[i].machine);
		int64_t vm = create_vm(w, lines[i].type);

		assert_int_equal(call(w, .verb = GMEM_POPULATE, .fd = vm, .gpa = GPA, .size = PAGE),
				 lines[i].populate);
		call(w, .verb = GMEM_LAUNCH_FINISH, .fd = vm);
		assert_int_equal(
			call(w, .verb = GMEM_PRE_FAULT_MEMORY, .fd = vm, .gpa = GPA, .size = PAGE),
			lines[i].pre_fault);
		gmem_world_free(w);
	}
}

/* Attributes: who has the ioctl at all, and who may call a page private. */
static void attributes(void **state)
{
	static const struct {
		const struct gmem_machine *machine;
		uint64_t type;
		int to_shared, to_private;
	} lines[] = {
		{ NULL, GMEM_VM_DEFAULT, 0, -EINVAL_ },
		{ NULL, GMEM_VM_SW_PROTECTED, 0, 0 },
		{ NULL, GMEM_VM_SEV, 0, -EINVAL_ },
		{ NULL, GMEM_VM_SEV_ES, 0, -EINVAL_ },
		{ NULL, GMEM_VM_SNP, 0, 0 },
		{ NULL, GMEM_VM_TDX, 0, 0 },
		{ &default_only, GMEM_VM_DEFAULT, -ENOTTY_, -ENOTTY_ },
		{ &arm64, GMEM_VM_DEFAULT, -ENOTTY_, -ENOTTY_ },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct gmem_world *w = new_world_on("linux-6.18", lines[i].machine);
		int64_t vm = create_vm(w, lines[i].type);

		assert_int_equal(set_private(w, vm, GPA, PAGE, 0), lines[i].to_shared);
		assert_int_equal(set_private(w, vm, GPA, PAGE, 1), lines[i].to_private);
		gmem_world_free(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(capabilities),
		cmocka_unit_test(types),
		cmocka_unit_test(flags_of_files),
		cmocka_unit_test(without_guest_memfd),
		cmocka_unit_test(flags_of_memslots),
		cmocka_unit_test(numbers_of_memslots),
		cmocka_unit_test(arm64_needs_the_mmap_flag),
		cmocka_unit_test(the_last_guest_page),
		cmocka_unit_test(guest_accesses),
		cmocka_unit_test(populate_and_pre_fault),
		cmocka_unit_test(attributes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
