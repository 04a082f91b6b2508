/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes traces, calls, demands and results in the language of gmem-trace(5), each thing in one
 * way only: parameters in the order of their table, those that have their default left out, sizes
 * with the largest suffix that is exact, flags as names.
 *
 * What is written here trace-parse.c reads back to the same trace. The forms of numbers are
 * chosen for the eye: -4K rather than 0xfffffffffffff000, 0x7ffffffffffff000 rather than
 * 9007199254740988K.
 */
#include <inttypes.h>
#include <string.h>

#include "trace.h"

/* ---- numbers ---- */

/* A size with a suffix, if that is short. */
static int short_size(FILE *f, uint64_t v)
{
	static const char suffixes[] = "TGMK";
	unsigned int i, shift;

	if (v < 10000 && v % 1024)
		return fprintf(f, "%" PRIu64, v) > 0;
	for (i = 0; i < 4; i++) {
		shift = 40 - 10 * i;
		if (v && !(v & ((UINT64_C(1) << shift) - 1)) && v >> shift < 1000000)
			return fprintf(f, "%" PRIu64 "%c", v >> shift, suffixes[i]) > 0;
	}
	return v < 1000000 ? fprintf(f, "%" PRIu64, v) > 0 : 0;
}

void trace_print_size(FILE *f, uint64_t v)
{
	if ((int64_t)v < 0 && -v < UINT64_C(1) << 40) {
		fputc('-', f);
		v = -v;
	}
	if (!short_size(f, v))
		fprintf(f, "0x%" PRIx64, v);
}

void trace_print_number(FILE *f, uint64_t v, enum gmem_param_kind kind)
{
	if (kind == GMEM_P_SIZE)
		trace_print_size(f, v);
	else if (kind == GMEM_P_HEX || kind == GMEM_P_ADDR || kind == GMEM_P_FLAGS)
		fprintf(f, "0x%" PRIx64, v);
	else
		fprintf(f, "%" PRId64, (int64_t)v);
}

static void print_flags(FILE *f, uint64_t v, const struct gmem_name *names)
{
	const char *bar = "";

	if (!v) {
		fputs(names->value ? "0" : names->name, f);
		return;
	}
	for (; names->name; names++) {
		if (!names->value || (v & names->value) != names->value)
			continue;
		fprintf(f, "%s%s", bar, names->name);
		v &= ~names->value;
		bar = "|";
	}
	if (v)
		fprintf(f, "%s0x%" PRIx64, bar, v);
}

void trace_print_names(FILE *f, uint64_t v, const struct gmem_name *names, enum gmem_param_kind k)
{
	if (k == GMEM_P_FLAGS) {
		print_flags(f, v, names);
		return;
	}
	for (; names->name; names++) {
		if (names->value == v) {
			fputs(names->name, f);
			return;
		}
	}
	fprintf(f, "%" PRId64, (int64_t)v);
}

/* ---- calls ---- */

static const struct gmem_name *find_value(const struct gmem_name *names, uint64_t v)
{
	while (names && names->name && names->value != v)
		names++;
	return names && names->name ? names : NULL;
}

static int has_name(const struct gmem_name *names, const char *name)
{
	while (names && names->name && strcmp(names->name, name))
		names++;
	return names && names->name;
}

/* By the profile's own names where it has some; a name that is another number there is none. */
static void print_names_of(FILE *f, uint64_t v, const struct gmem_profile *profile,
			   const struct gmem_param *p)
{
	const struct gmem_name *own = gmem_profile_names(profile, p), *n;

	if (p->kind == GMEM_P_FLAGS) {
		trace_print_names(f, v, own ? own : p->names, p->kind);
		return;
	}
	n = find_value(own, v);
	if (!n)
		n = find_value(p->names, v);
	if (n && (n == find_value(own, v) || !has_name(own, n->name)))
		fputs(n->name, f);
	else
		fprintf(f, "%" PRId64, (int64_t)v);
}

static uint64_t param_value(const struct gmem_call *call, const struct gmem_param *p)
{
	uint64_t v;

	memcpy(&v, (const char *)call + p->offset, sizeof(v));
	return v;
}

static int32_t param_from(const struct linked_call *l, const struct gmem_param *p)
{
	if (p->kind == GMEM_P_ADDR)
		return l->addr_from;
	if (p->kind != GMEM_P_FD)
		return -1;
	return p->offset == offsetof(struct gmem_call, fd) ? l->fd_from : l->memfd_from;
}

static void print_fd(FILE *f, const struct gmem_call *call, const struct gmem_param *p, int64_t fd)
{
	if (fd == GMEM_KVM_FD)
		fputs("kvm", f);
	else if (fd == -1 && (p->fds & GMEM_FD_ANON) && (call->flags & GMEM_MAP_ANONYMOUS))
		fputs("anon", f);
	else
		fprintf(f, "%" PRId64, fd);
}

static void print_address(FILE *f, const char *name, uint64_t offset)
{
	fputs(name, f);
	if (!offset)
		return;
	fputc((int64_t)offset < 0 ? '-' : '+', f);
	if ((int64_t)offset < 0)
		offset = -offset;
	if (offset % 1024 || !short_size(f, offset))
		fprintf(f, "0x%" PRIx64, offset);
}

static void print_param(FILE *f, const struct trace *t, const struct linked_call *l,
			const struct gmem_param *p)
{
	uint64_t v = param_value(&l->call, p);
	int32_t from = param_from(l, p);

	if (p->kind == GMEM_P_ADDR && from >= 0)
		print_address(f, t->calls[from].name, v);
	else if (from >= 0)
		fputs(t->calls[from].name, f);
	else if (p->kind == GMEM_P_FD)
		print_fd(f, &l->call, p, v);
	else if (p->names)
		print_names_of(f, v, t->profile, p);
	else
		trace_print_number(f, v, p->kind);
}

/* Whether the parameter is written without its name when it is the first. */
static int positional(const struct gmem_param *p)
{
	return p->kind == GMEM_P_FD || (p->kind == GMEM_P_ADDR && !p->optional);
}

static void print_bare_call(FILE *f, const struct trace *t, const struct linked_call *l)
{
	const struct gmem_verb_info *info = gmem_verb_info(l->call.verb);
	const struct gmem_param *p;
	const char *comma = "";

	fprintf(f, "%s(", info->name);
	for (p = info->params; p->name; p++) {
		if (p->optional && param_from(l, p) < 0 && param_value(&l->call, p) == p->dflt)
			continue;
		fputs(comma, f);
		if (p != info->params || !positional(p))
			fprintf(f, "%s=", p->name);
		print_param(f, t, l, p);
		comma = ", ";
	}
	fputc(')', f);
}

void trace_print_call(FILE *f, const struct trace *t, const struct trace_call *c)
{
	if (c->task_from >= 0)
		fprintf(f, "%s: ", t->calls[c->task_from].name);
	if (c->name[0])
		fprintf(f, "%s = ", c->name);
	print_bare_call(f, t, &c->linked);
}

/* ---- demands and results ---- */

static void print_errno_or(FILE *f, int64_t v, enum gmem_param_kind kind)
{
	const char *name = looks_like_errno(v) ? gmem_errno_name(-v) : NULL;

	if (name)
		fputs(name, f);
	else
		trace_print_number(f, v, kind);
}

static void print_exit(FILE *f, const struct trace_demand *d)
{
	static const struct gmem_name fault_flags[] = { { "PRIVATE", GMEM_EXIT_FLAG_PRIVATE },
							{ NULL, 0 } };
	static const struct gmem_name mmio_flags[] = { { "WRITE", 1 }, { NULL, 0 } };
	const char *comma = "(";

	fputs(d->outcome == GMEM_MMIO	      ? "MMIO" :
	      d->outcome == GMEM_MEMORY_FAULT ? "MEMORY_FAULT" :
						"MEMORY_ERROR",
	      f);
	if (d->fields & TRACE_WITH_VALUE) {
		fprintf(f, "%serrno=", comma);
		print_errno_or(f, d->value, GMEM_P_INT);
		comma = ", ";
	}
	if (d->fields & TRACE_WITH_GPA) {
		fprintf(f, "%sgpa=0x%" PRIx64, comma, d->gpa);
		comma = ", ";
	}
	if (d->fields & TRACE_WITH_SIZE) {
		fprintf(f, "%ssize=", comma);
		trace_print_size(f, d->exit_size);
		comma = ", ";
	}
	if (d->fields & TRACE_WITH_FLAGS) {
		fprintf(f, "%sflags=", comma);
		print_flags(f, d->exit_flags, d->outcome == GMEM_MMIO ? mmio_flags : fault_flags);
	}
	if (d->fields)
		fputc(')', f);
}

static void print_one(FILE *f, const struct trace_demand *d, enum gmem_param_kind kind)
{
	if (d->outcome == GMEM_SIGBUS)
		fputs("SIGBUS", f);
	else if (d->outcome == GMEM_SIGSEGV)
		fputs("SIGSEGV", f);
	else if (d->outcome == GMEM_UNSPECIFIED)
		fputs("unspecified", f);
	else if (d->outcome == GMEM_SHUTDOWN)
		fputs("SHUTDOWN", f);
	else if (d->fields & TRACE_LOADED)
		trace_print_number(f, d->value, kind);
	else if (d->outcome == GMEM_VALUE)
		print_errno_or(f, d->value, kind);
	else
		print_exit(f, d);
}

void trace_print_demand(FILE *f, const struct trace *t, const struct trace_call *c)
{
	const struct gmem_verb_info *info = gmem_verb_info(c->linked.call.verb);
	unsigned int i;

	if (!c->nr_demands && c->name[0])
		fputs("success", f);
	if (c->nr_demands > 1)
		fputc('{', f);
	for (i = 0; i < c->nr_demands; i++) {
		fputs(i ? ", " : "", f);
		print_one(f, &t->demands[c->demands + i], info->result);
	}
	if (c->nr_demands > 1)
		fputc('}', f);
	if (c->with_out) {
		fprintf(f, ", %s=", info->out);
		trace_print_size(f, c->out);
	}
}

void trace_print_result(FILE *f, uint32_t verb, const struct gmem_result *r)
{
	static const char *const made[] = { "a file descriptor", "an address", "a task" };
	const struct gmem_verb_info *info = gmem_verb_info(verb);
	struct trace t = { .nr_calls = 0 };
	struct trace_call c = { .linked.call.verb = verb };

	if (info->binds && result_succeeded(r)) {
		fputs(made[info->binds - GMEM_BINDS_FD], f);
		return;
	}
	trace_demand_result(&t, &c, r);
	trace_print_demand(f, &t, &c);
	trace_free(&t);
}

/* ---- traces ---- */

void trace_print_machine(FILE *f, const struct gmem_machine *m, unsigned int says)
{
	const struct gmem_name *types = gmem_verb_info(GMEM_CREATE_VM)->params[1].names;
	const char *bar = "";

	if (says & TRACE_MACHINE_ARCH)
		fprintf(f, " arch=%s", m->arch == GMEM_ARM64 ? "arm64" : "x86_64");
	if (says & TRACE_MACHINE_TYPES) {
		fputs(" types=", f);
		for (; types->name; types++) {
			if (!(m->vm_types >> types->value & 1))
				continue;
			fprintf(f, "%s%s", bar, types->name);
			bar = "|";
		}
	}
	if (says & TRACE_MACHINE_SMM)
		fprintf(f, " smm=%u", m->smm);
	if (says & TRACE_MACHINE_TDP)
		fprintf(f, " tdp=%u", m->tdp);
	if (says & TRACE_MACHINE_FDS)
		fprintf(f, " max_fds=%" PRIu32, m->max_fds);
	if (says & TRACE_MACHINE_PHYS_BITS)
		fprintf(f, " phys_bits=%u", m->phys_bits);
	if (says & TRACE_MACHINE_IN_PLACE)
		fprintf(f, " in_place=%u", m->in_place);
}

static void print_header(FILE *f, const struct trace *t)
{
	if (t->head)
		fputs(t->head, f);
	if (t->profile)
		fprintf(f, "profile %s\n", gmem_profile_name(t->profile));
	if (t->machine_says) {
		fputs("machine", f);
		trace_print_machine(f, &t->machine, t->machine_says);
		fputc('\n', f);
	}
	if (t->recorded)
		fprintf(f, "recorded %s\n", t->recorded);
	if (t->has_seed)
		fprintf(f, "seed %" PRIu64 "\n", t->seed);
}

void trace_print(FILE *f, const struct trace *t)
{
	size_t i;

	print_header(f, t);
	for (i = 0; i < t->nr_calls; i++) {
		const struct trace_call *c = &t->calls[i];

		trace_print_par(f, t, i);
		if (c->before)
			fputs(c->before, f);
		trace_print_call(f, t, c);
		if (c->nr_demands || c->with_out) {
			fputs(" = ", f);
			trace_print_demand(f, t, c);
		}
		if (c->after)
			fprintf(f, " %s", c->after);
		fputc('\n', f);
	}
	trace_print_par(f, t, t->nr_calls);
	if (t->tail)
		fputs(t->tail, f);
}
