/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The options of gmemfs(1), and the words in which they, and the extended attributes, are written.
 */
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "gmemfs.h"

#define MOST_WORLD (UINT64_C(1) << 30)

#define OPTION(words, member)                              \
	{                                                  \
		words, offsetof(struct options, member), 1 \
	}

static const struct fuse_opt own[] = { OPTION("profile=%s", profile),
				       OPTION("type=%s", type),
				       OPTION("flags=%s", flags),
				       OPTION("machine=%s", machine),
				       OPTION("strict", strict),
				       OPTION("check", check),
				       OPTION("run", run),
				       OPTION("limit-files=%u", most_files),
				       OPTION("limit-vms=%u", most_vms),
				       OPTION("limit-ranges=%u", most_ranges),
				       OPTION("limit-memory=%s", memory),
				       OPTION("limit-world=%s", world),
				       OPTION("max_readahead=%u", max_readahead),
				       FUSE_OPT_END };

static int find(const struct gmem_name *names, const char *word, size_t length, uint64_t *value)
{
	for (; names && names->name; names++) {
		if (strlen(names->name) == length && !strncmp(names->name, word, length)) {
			*value = names->value;
			return 1;
		}
	}
	return 0;
}

static const struct gmem_param *param(uint32_t verb, const char *name)
{
	const struct gmem_param *p = gmem_verb_info(verb)->params;

	while (strcmp(p->name, name))
		p++;
	return p;
}

int flags_number(const char *words, uint64_t *flags)
{
	const struct gmem_param *p = param(GMEM_CREATE_GUEST_MEMFD, "flags");
	uint64_t one;
	size_t n;
	char *end;

	*flags = strtoull(words, &end, 0);
	if (*words && !*end)
		return 1;
	for (*flags = 0; *words; words += n + !!words[n]) {
		n = strcspn(words, "|+,");
		if (!find(gmem_profile_names(fs.profile, p), words, n, &one) &&
		    !find(p->names, words, n, &one))
			return 0;
		*flags |= one;
	}
	return 1;
}

int type_number(const char *word, uint64_t *type)
{
	char *end;

	if (find(param(GMEM_CREATE_VM, "type")->names, word, strlen(word), type))
		return 1;
	*type = strtoull(word, &end, 0);
	return *word && !*end;
}

const char *type_word(uint64_t type)
{
	const struct gmem_name *n;

	for (n = param(GMEM_CREATE_VM, "type")->names; n->name; n++)
		if (n->value == type)
			return n->name;
	return "?";
}

uint64_t profile_number(const char *name)
{
	struct gmem_number n;
	unsigned int i;

	for (i = 0; gmem_profile_number(fs.profile, i, &n); i++)
		if (!strcmp(n.name, name))
			return n.value;
	return 0;
}

/* As the header of a trace says it, with : for a blank, and + for |. */
static void judge_machine(const char *words)
{
	struct trace_error e;
	struct text t;
	struct trace trace;
	int ok;

	text_begin(&t);
	fputs("machine ", t.f);
	for (; *words; words++)
		fputc(*words == ':' ? ' ' : *words == '+' ? '|' : *words, t.f);
	fputc('\n', t.f);
	text_end(&t);
	ok = trace_parse(&trace, t.bytes, t.size, &e);
	free(t.bytes);
	if (!ok)
		die("machine=%s: %s", fs.o.machine, e.reason);
	if (trace.machine_says & TRACE_MACHINE_FDS)
		die("machine=%s: descriptors are not counted here", fs.o.machine);
	fs.machine = trace.machine;
	fs.machine_says = trace.machine_says;
	trace_free(&trace);
}

static void judge_options(void)
{
	struct options *o = &fs.o;
	const char *end = "";

	fs.profile = o->profile ? gmem_profile_find(o->profile) : gmem_profile_default();
	if (!fs.profile)
		die("unknown profile %s; `gmem profiles' lists them", o->profile);
	if (!gmem_profile_has(fs.profile, GMEM_CREATE_GUEST_MEMFD))
		die("profile %s has no guest_memfd, and so no files that could be mounted",
		    o->profile);
	fs.machine = gmem_machine_default;
	if (o->machine)
		judge_machine(o->machine);
	fs.attributes_number = profile_number("ioctl_file_attributes");
	if (o->type && !type_number(o->type, &fs.type))
		die("unknown type of VM %s", o->type);
	if (fs.type >= GMEM_NR_VM_TYPES || !(fs.machine.vm_types >> fs.type & 1))
		die("the machine has no VMs of type %s", o->type);
	if (o->flags && !flags_number(o->flags, &fs.flags))
		die("unknown flags %s", o->flags);
	if (o->memory && (!size_number(o->memory, &end, &fs.most_memory) || *end))
		die("limit-memory=%s is no size", o->memory);
	fs.most_world = MOST_WORLD;
	if (o->world && (!size_number(o->world, &end, &fs.most_world) || *end))
		die("limit-world=%s is no size", o->world);
}

/* mount(8) hands over what is mounted, too: of two words the second is the mount point. */
static int keep_mountpoint(void *data, const char *arg, int key, struct fuse_args *out)
{
	char **mountpoint = data;

	(void)out;
	if (key != FUSE_OPT_KEY_NONOPT)
		return 1;
	free(*mountpoint);
	*mountpoint = xstrndup(arg, strlen(arg));
	return 0;
}

void options_read(struct fuse_args *args)
{
	static const struct fuse_opt none[] = { FUSE_OPT_END };
	char *mountpoint = NULL;

	fs.o = (struct options){ .most_files = 4096, .most_vms = 256, .most_ranges = 1 << 20 };
	if (fuse_opt_parse(args, &fs.o, own, NULL) ||
	    fuse_opt_parse(args, &mountpoint, none, keep_mountpoint))
		exit(EXIT_WRONG_USE);
	fs.o.strict |= fs.o.run;
	if (mountpoint)
		fuse_opt_add_arg(args, mountpoint);
	free(mountpoint);
	judge_options();
}
