/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is demanded of a call: the part of its line after "=".
 *
 * A demand is a number, the name of an errno or of a signal, or an exit of the guest with as many
 * of its fields as matter; or a set of those in braces. After it, ", left=N" demands what else
 * the call hands back.
 */
#include <string.h>

#include "trace-parse.h"

/* A number, or the name of an errno for its negative. */
static int parse_code(struct parser *p, const char *word, const char *at, int64_t *v)
{
	int err = gmem_errno_number(word);

	if (!err)
		return lex_fail(
			&p->x, at,
			"%s is no result: a result is a number, an errno such as "
			"EINVAL, SIGBUS, SIGSEGV, MEMORY_FAULT, MMIO, MEMORY_ERROR, SHUTDOWN or "
			"unspecified",
			word);
	*v = -(int64_t)err;
	return 1;
}

static const struct gmem_name fault_flags[] = { { "PRIVATE", GMEM_EXIT_FLAG_PRIVATE },
						{ NULL, 0 } };
static const struct gmem_name mmio_flags[] = { { "WRITE", 1 }, { NULL, 0 } };

static int parse_field_number(struct parser *p, const char *word, uint64_t *v)
{
	if (!lex_at_number(&p->x))
		return lex_fail(&p->x, p->x.p, "%s needs a number", word);
	return lex_number(&p->x, v);
}

static int parse_errno_field(struct parser *p, int64_t *v)
{
	char word[TRACE_MAX_NAME + 1];
	const char *at;

	lex_space(&p->x);
	at = p->x.p;
	if (lex_at_number(&p->x))
		return lex_number(&p->x, (uint64_t *)v);
	return lex_word(&p->x, word, "an errno") && parse_code(p, word, at, v);
}

/* One NAME=VALUE of an exit. */
static int parse_field(struct parser *p, struct trace_demand *d)
{
	static const char *const names[] = { "errno", "gpa", "size", "flags" };
	int mmio = d->outcome == GMEM_MMIO;
	char word[TRACE_MAX_NAME + 1];
	const char *at;
	unsigned int i;

	lex_space(&p->x);
	at = p->x.p;
	if (!lex_word(&p->x, word, "a field of the exit"))
		return 0;
	for (i = mmio; i < 4 && strcmp(names[i], word); i++)
		;
	if (i == 4)
		return lex_fail(&p->x, at, "an exit has no %s: it has %sgpa, size and flags", word,
				mmio ? "" : "errno, ");
	if (d->fields >> i & 1)
		return lex_fail(&p->x, at, "%s is given twice", word);
	d->fields |= 1u << i;
	if (!lex_expect(&p->x, '=', word))
		return 0;
	switch (i) {
	case 0:
		return parse_errno_field(p, &d->value);
	case 1:
		return parse_field_number(p, word, &d->gpa);
	case 2:
		return parse_field_number(p, word, &d->exit_size);
	default:
		return parse_names(p, NULL, mmio ? mmio_flags : fault_flags, GMEM_P_FLAGS, "flags",
				   &d->exit_flags);
	}
}

static int parse_exit(struct parser *p, struct trace_demand *d)
{
	d->fields = 0;
	if (!lex_accept(&p->x, '('))
		return 1;
	do {
		if (!parse_field(p, d))
			return 0;
	} while (lex_accept(&p->x, ','));
	return lex_expect(&p->x, ')', "the fields of the exit");
}

/* Of a load a number is never an errno. */
static int parse_value(struct parser *p, uint32_t verb, struct trace_demand *d)
{
	if (!lex_number(&p->x, (uint64_t *)&d->value))
		return 0;
	if (verb_loads(verb) && looks_like_errno(d->value))
		d->fields |= TRACE_LOADED;
	return 1;
}

static int parse_one(struct parser *p, uint32_t verb, struct trace_demand *d)
{
	static const char *const outcomes[GMEM_NR_OUTCOMES] = { "",	    "SIGBUS",
								"SIGSEGV",  "MEMORY_FAULT",
								"MMIO",	    "MEMORY_ERROR",
								"SHUTDOWN", "unspecified" };
	char word[TRACE_MAX_NAME + 1];
	const char *at;

	lex_space(&p->x);
	at = p->x.p;
	*d = (struct trace_demand){ .outcome = GMEM_VALUE, .fields = TRACE_WITH_VALUE };
	if (lex_at_number(&p->x))
		return parse_value(p, verb, d);
	if (!lex_word(&p->x, word, "a result"))
		return 0;
	for (d->outcome = GMEM_NR_OUTCOMES - 1; d->outcome; d->outcome--)
		if (!strcmp(outcomes[d->outcome], word))
			break;
	if (d->outcome == GMEM_VALUE)
		return parse_code(p, word, at, &d->value);
	d->fields = 0;
	return trace_is_exit(d->outcome) ? parse_exit(p, d) : 1;
}

static int parse_and_add(struct parser *p, struct trace_call *c)
{
	static const char *const made[] = { "", "a descriptor", "an address", "a task" };
	const struct gmem_verb_info *info = gmem_verb_info(c->linked.call.verb);
	struct trace_demand d;
	const char *at;

	lex_space(&p->x);
	at = p->x.p;
	if (c->nr_demands == TRACE_MAX_SET)
		return lex_fail(&p->x, at, "a set has at most %d members", TRACE_MAX_SET);
	if (!parse_one(p, c->linked.call.verb, &d))
		return 0;
	if (info->binds && !(d.outcome == GMEM_VALUE && looks_like_errno(d.value)))
		return lex_fail(&p->x, at,
				"%s results in %s, whose number does not matter: demand an "
				"errno, or success by NAME = %s(...)",
				info->name, made[info->binds], info->name);
	trace_add_demand(p->t, c, &d);
	return 1;
}

static int parse_out(struct parser *p, struct trace_call *c)
{
	const struct gmem_verb_info *info = gmem_verb_info(c->linked.call.verb);
	char word[TRACE_MAX_NAME + 1];
	const char *at;

	lex_space(&p->x);
	at = p->x.p;
	if (!lex_word(&p->x, word, "a further result"))
		return 0;
	if (!info->out || strcmp(info->out, word))
		return lex_fail(&p->x, at, "%s does not hand back %s", info->name, word);
	c->with_out = 1;
	if (!lex_expect(&p->x, '=', word))
		return 0;
	return parse_field_number(p, word, &c->out);
}

int parse_demand(struct parser *p, struct trace_call *c)
{
	if (lex_accept(&p->x, '{')) {
		do {
			if (!parse_and_add(p, c))
				return 0;
		} while (lex_accept(&p->x, ','));
		if (!lex_expect(&p->x, '}', "the set"))
			return 0;
	} else if (!parse_and_add(p, c)) {
		return 0;
	}
	return lex_accept(&p->x, ',') ? parse_out(p, c) : 1;
}
