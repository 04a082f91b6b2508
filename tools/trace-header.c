/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The header lines of a trace: profile, machine, recorded, seed. Each at most once, in any order,
 * above the first call.
 */
#include <stdlib.h>
#include <string.h>

#include "trace-parse.h"

static int end_of_line(struct parser *p, const char *what)
{
	lex_space(&p->x);
	if (p->x.p == p->x.end)
		return 1;
	return lex_fail(&p->x, p->x.p, "'%c' after %s", *p->x.p, what);
}

/* The rest of the line without spaces around it. */
static char *rest_of_line(struct parser *p)
{
	const char *end = p->x.end;
	char *s;

	lex_space(&p->x);
	while (end > p->x.p && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	s = xstrndup(p->x.p, end - p->x.p);
	p->x.p = p->x.end;
	return s;
}

static int parse_profile(struct parser *p)
{
	const char *at;
	char *name;
	int ok = 1;

	lex_space(&p->x);
	at = p->x.p;
	name = rest_of_line(p);
	p->t->profile = gmem_profile_find(name);
	if (!*name)
		ok = lex_fail(&p->x, at, "profile of what name? gmem profiles lists them");
	else if (!p->t->profile && nearest_profile(name))
		ok = lex_fail(&p->x, at, "unknown profile %.40s; did you mean %s?", name,
			      nearest_profile(name));
	else if (!p->t->profile)
		ok = lex_fail(&p->x, at, "unknown profile %.40s; gmem profiles lists them", name);
	free(name);
	return ok;
}

static int parse_arch(struct parser *p, struct gmem_machine *m)
{
	char word[TRACE_MAX_NAME + 1];
	const char *at = p->x.p;

	if (!lex_word(&p->x, word, "an architecture"))
		return 0;
	if (strcmp(word, "x86_64") && strcmp(word, "arm64"))
		return lex_fail(&p->x, at, "unknown architecture %s: x86_64 or arm64", word);
	m->arch = !strcmp(word, "arm64") ? GMEM_ARM64 : GMEM_X86_64;
	return 1;
}

static int parse_types(struct parser *p, struct gmem_machine *m)
{
	char word[TRACE_MAX_NAME + 1];
	const struct gmem_name *n;
	const char *at;

	m->vm_types = 1;
	do {
		lex_space(&p->x);
		at = p->x.p;
		if (!lex_word(&p->x, word, "a VM type"))
			return 0;
		n = gmem_verb_info(GMEM_CREATE_VM)->params[1].names;
		while (n->name && strcmp(n->name, word))
			n++;
		if (!n->name)
			return lex_fail(&p->x, at, "unknown VM type %s", word);
		m->vm_types |= 1u << n->value;
	} while (lex_accept(&p->x, '|'));
	return 1;
}

static int parse_number_in(struct parser *p, const char *key, uint64_t least, uint64_t most,
			   uint64_t *v)
{
	const char *at = p->x.p;

	if (!lex_at_number(&p->x))
		return lex_fail(&p->x, p->x.p, "%s= needs a number", key);
	if (!lex_number(&p->x, v))
		return 0;
	if (*v < least || *v > most)
		return lex_fail(&p->x, at, "%s is a number from %llu to %llu", key,
				(unsigned long long)least, (unsigned long long)most);
	return 1;
}

#define NR_KEYS 7u

/* One KEY=VALUE of the machine line. */
static int parse_machine_key(struct parser *p)
{
	static const char *const keys[NR_KEYS] = { "arch",    "types",	   "smm",     "tdp",
						   "max_fds", "phys_bits", "in_place" };
	static const struct {
		uint64_t least, most;
	} limits[NR_KEYS] = {
		[2] = { 0, 1 }, [3] = { 0, 1 }, [4] = { 4, 65536 }, [5] = { 32, 52 }, [6] = { 0, 1 }
	};
	struct gmem_machine *m = &p->t->machine;
	char word[TRACE_MAX_NAME + 1];
	const char *at;
	unsigned int i;
	uint64_t v = 0;

	lex_space(&p->x);
	at = p->x.p;
	if (!lex_word(&p->x, word, "arch, types, smm, tdp, max_fds, phys_bits or in_place"))
		return 0;
	for (i = 0; i < NR_KEYS && strcmp(keys[i], word); i++)
		;
	if (i == NR_KEYS)
		return lex_fail(&p->x, at,
				"a machine has no %s: it has arch, types, smm, tdp, "
				"max_fds, phys_bits and in_place",
				word);
	if (p->t->machine_says >> i & 1)
		return lex_fail(&p->x, at, "%s is said twice", word);
	p->t->machine_says |= 1u << i;
	if (!lex_expect(&p->x, '=', word))
		return 0;
	lex_space(&p->x);
	if (i < 2)
		return i ? parse_types(p, m) : parse_arch(p, m);
	if (!parse_number_in(p, word, limits[i].least, limits[i].most, &v))
		return 0;
	if (i == 2)
		m->smm = v;
	else if (i == 3)
		m->tdp = v;
	else if (i == 4)
		m->max_fds = v;
	else if (i == 5)
		m->phys_bits = v;
	else
		m->in_place = v;
	return 1;
}

static int parse_machine(struct parser *p)
{
	do {
		if (!parse_machine_key(p))
			return 0;
		lex_space(&p->x);
	} while (p->x.p < p->x.end);
	return 1;
}

static int parse_seed(struct parser *p)
{
	p->t->has_seed = 1;
	if (!lex_at_number(&p->x))
		return lex_fail(&p->x, p->x.p, "a seed is a number");
	return lex_number(&p->x, &p->t->seed) && end_of_line(p, "the seed");
}

static const char *const words[] = { "profile", "machine", "recorded", "seed" };

static int header_number(const char *word)
{
	int i;

	for (i = 0; i < 4; i++)
		if (!strcmp(words[i], word))
			return i;
	return -1;
}

const char *nth_header(unsigned int n)
{
	return n < 4 ? words[n] : NULL;
}

int is_header(const char *word)
{
	return header_number(word) >= 0;
}

int parse_header(struct parser *p, const char *word, const char *at)
{
	int i = header_number(word);

	if (p->t->nr_calls)
		return lex_fail(&p->x, at, "%s belongs above the first call, which is in line %u",
				word, p->t->calls[0].line);
	if (p->header >> i & 1)
		return lex_fail(&p->x, at, "a second %s line", word);
	p->header |= 1u << i;
	switch (i) {
	case 0:
		return parse_profile(p);
	case 1:
		return parse_machine(p);
	case 2:
		p->t->recorded = rest_of_line(p);
		if (!*p->t->recorded)
			return lex_fail(&p->x, p->x.p,
					"recorded where? as in: recorded Linux 6.18");
		return 1;
	default:
		return parse_seed(p);
	}
}
