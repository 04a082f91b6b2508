/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parameters of a call, read as the verb's table in model/text.c says: the first without its
 * name if it is a descriptor or an address, the others as NAME=VALUE in any order.
 */
#include <inttypes.h>
#include <string.h>

#include "trace-parse.h"

/* ---- names that look alike ---- */

static unsigned int min3(unsigned int a, unsigned int b, unsigned int c)
{
	a = a < b ? a : b;
	return a < c ? a : c;
}

unsigned int name_distance(const char *a, const char *b)
{
	unsigned int row[TRACE_MAX_NAME + 2], i, j, m = strlen(a), n = strlen(b);

	if (m > TRACE_MAX_NAME || n > TRACE_MAX_NAME)
		return TRACE_MAX_NAME;
	for (j = 0; j <= n; j++)
		row[j] = j;
	for (i = 1; i <= m; i++) {
		unsigned int diagonal = row[0];

		row[0] = i;
		for (j = 1; j <= n; j++) {
			unsigned int up = row[j];

			row[j] = min3(up + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = up;
		}
	}
	return row[n];
}

/* Whether letters are all that the word lacks of the name. */
static int is_cut_from(const char *word, const char *name)
{
	for (; *name; name++)
		word += *word == *name;
	return !*word;
}

const char *nearest_name(const char *word, const char *(*nth)(const void *arg, unsigned int n),
			 const void *arg)
{
	unsigned int i, d, best = 1 + strlen(word) / 3;
	const char *name, *found = NULL;

	for (i = 0; (name = nth(arg, i)); i++) {
		d = name_distance(word, name);
		if (d > best)
			continue;
		if (!found || d < best || (is_cut_from(word, name) && !is_cut_from(word, found)))
			found = name;
		best = d;
	}
	return found;
}

static const char *nth_profile(const void *arg, unsigned int n)
{
	(void)arg;
	return gmem_profile(n) ? gmem_profile_name(gmem_profile(n)) : NULL;
}

const char *nearest_profile(const char *word)
{
	return nearest_name(word, nth_profile, NULL);
}

static const char *nth_name(const void *arg, unsigned int n)
{
	return ((const struct gmem_name *)arg)[n].name;
}

/* ---- values ---- */

static int find_name(const struct gmem_name *names, const char *word, uint64_t *v)
{
	for (; names && names->name; names++) {
		if (!strcmp(names->name, word)) {
			*v = names->value;
			return 1;
		}
	}
	return 0;
}

/* own are the names that the trace's profile has for itself; they come first, and may be null. */
static int parse_name(struct parser *p, const struct gmem_name *own, const struct gmem_name *names,
		      const char *what, uint64_t *v)
{
	char word[TRACE_MAX_NAME + 1];
	const char *at, *near;

	lex_space(&p->x);
	at = p->x.p;
	if (lex_at_number(&p->x))
		return lex_number(&p->x, v);
	if (!lex_word(&p->x, word, what))
		return 0;
	if (find_name(own, word, v) || find_name(names, word, v))
		return 1;
	near = nearest_name(word, nth_name, names);
	return lex_fail(&p->x, at, "%s %s is not known%s%s%s", what, word,
			near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

int parse_names(struct parser *p, const struct gmem_name *own, const struct gmem_name *names,
		int kind, const char *what, uint64_t *v)
{
	uint64_t one;

	for (*v = 0;; *v |= one) {
		if (!parse_name(p, own, names, what, &one))
			return 0;
		if (kind == GMEM_P_NAME || !lex_accept(&p->x, '|'))
			break;
	}
	*v |= one;
	return 1;
}

static const char *fd_kind(unsigned int fds)
{
	if (fds & GMEM_FD_VM)
		return fds & GMEM_FD_GMEM ? "a descriptor" : "a VM";
	if (fds & GMEM_FD_MOUNT)
		return "a mount";
	return fds & GMEM_FD_GMEM ? "a guest_memfd" : fds & GMEM_FD_PIN ? "a pin" : "/dev/kvm";
}

static int parse_fd_number(struct parser *p, const struct gmem_param *param, int64_t *fd)
{
	const char *at = p->x.p;
	uint64_t v;

	if (!lex_number(&p->x, &v))
		return 0;
	*fd = v;
	if (*fd == GMEM_KVM_FD && (param->fds & GMEM_FD_KVM))
		return 1;
	if (*fd >= INT32_MIN && *fd <= INT32_MAX && (*fd < 0 || *fd >= 1000))
		return 1;
	return lex_fail(&p->x, at,
			"descriptor %" PRId64 ": calls use the names that calls above "
			"bind; a number here is below 0, or 1000 and up, for none",
			*fd);
}

static int parse_fd(struct parser *p, const struct gmem_param *param, struct linked_call *l,
		    int32_t *from, int64_t *fd, uint32_t *fds)
{
	char word[TRACE_MAX_NAME + 1], reason[160];
	struct found_name f;
	const char *at;

	lex_space(&p->x);
	at = p->x.p;
	if (lex_at_number(&p->x))
		return parse_fd_number(p, param, fd);
	if (!lex_word(&p->x, word, fd_kind(param->fds)))
		return 0;
	if ((param->fds & GMEM_FD_ANON) && !strcmp(word, "anon")) {
		*fd = -1;
		return 1;
	}
	if (!names_find(p->names, word, l->call.task, &f, reason, sizeof(reason)))
		return lex_fail(&p->x, at, "%s", reason);
	if (f.kind != NAME_FD || (f.fds ^ param->fds) & GMEM_FD_PIN)
		return lex_fail(&p->x, at, "%s is %s; %s takes %s here", word,
				f.kind == NAME_ADDR ? "an address" :
				f.kind == NAME_TASK ? "a task" :
						      fd_kind(f.fds),
				gmem_verb_info(l->call.verb)->name, fd_kind(param->fds));
	*from = f.from;
	*fd = f.from < 0 ? GMEM_KVM_FD : 0;
	*fds = f.fds;
	return 1;
}

/* NAME, NAME+OFFSET, NAME-OFFSET or a number. */
static int parse_addr(struct parser *p, struct linked_call *l)
{
	char word[TRACE_MAX_NAME + 1], reason[160];
	struct found_name f;
	const char *at;
	int minus;

	lex_space(&p->x);
	at = p->x.p;
	if (lex_at_number(&p->x))
		return lex_number(&p->x, &l->call.addr);
	if (!lex_word(&p->x, word, "an address"))
		return 0;
	if (!names_find(p->names, word, l->call.task, &f, reason, sizeof(reason)))
		return lex_fail(&p->x, at, "%s", reason);
	if (f.kind != NAME_ADDR)
		return lex_fail(&p->x, at, "%s is not an address; %s takes one here", word,
				gmem_verb_info(l->call.verb)->name);
	l->addr_from = f.from;
	l->call.addr = 0;
	minus = lex_accept(&p->x, '-');
	if (!minus && !lex_accept(&p->x, '+'))
		return 1;
	lex_space(&p->x);
	if (!lex_at_number(&p->x) || *p->x.p == '-')
		return lex_fail(&p->x, p->x.p, "an offset in bytes should follow %s", word);
	if (!lex_number(&p->x, &l->call.addr))
		return 0;
	if (minus)
		l->call.addr = -l->call.addr;
	return 1;
}

static int in_range(struct parser *p, const struct gmem_param *param, const char *at, uint64_t v)
{
	if (param->kind == GMEM_P_WIDTH && v != 1 && v != 2 && v != 4 && v != 8)
		return lex_fail(&p->x, at, "%s is 1, 2, 4 or 8 bytes", param->name);
	if (param->bits == 32 && v > UINT32_MAX)
		return lex_fail(&p->x, at, "%s out of range: it has 32 bits", param->name);
	return 1;
}

static int parse_value(struct parser *p, const struct gmem_param *param, struct linked_call *l,
		       uint32_t *fds)
{
	uint64_t *field = call_field(&l->call, param->offset);
	const char *at = p->x.p;
	uint64_t v = 0;

	if (param->kind == GMEM_P_ADDR)
		return parse_addr(p, l);
	if (param->kind == GMEM_P_FD && param->offset == offsetof(struct gmem_call, fd))
		return parse_fd(p, param, l, &l->fd_from, &l->call.fd, fds);
	if (param->kind == GMEM_P_FD)
		return parse_fd(p, param, l, &l->memfd_from, &l->call.memfd, &(uint32_t){ 0 });
	if (param->names) {
		if (!parse_names(p, gmem_profile_names(p->t->profile, param), param->names,
				 param->kind, param->name, &v))
			return 0;
	} else if (!lex_at_number(&p->x)) {
		return lex_fail(&p->x, p->x.p, "%s needs a number", param->name);
	} else if (!lex_number(&p->x, &v)) {
		return 0;
	}
	*field = v;
	return in_range(p, param, at, v);
}

/* ---- parameters ---- */

static const char *nth_param(const void *arg, unsigned int n)
{
	return ((const struct gmem_param *)arg)[n].name;
}

/* Whether what comes next is WORD=. */
static int at_named(const struct parser *p)
{
	struct lexer x = p->x;
	char word[TRACE_MAX_NAME + 1];
	struct trace_error ignored;

	x.e = &ignored;
	return lex_at_word(&x) && lex_word(&x, word, "") && lex_accept(&x, '=');
}

/* The parameter that comes next, its name and "=" read away. */
static int parse_param_name(struct parser *p, const struct gmem_verb_info *info, int first,
			    const struct gmem_param **param)
{
	char word[TRACE_MAX_NAME + 1];
	const char *at, *near;

	*param = info->params;
	lex_space(&p->x);
	at = p->x.p;
	if (at == p->x.end)
		return lex_fail(&p->x, at, "the line ends where a parameter%s should be",
				first ? " or ')'" : "");
	if (!at_named(p)) {
		if (first && (*param)->name &&
		    ((*param)->kind == GMEM_P_FD || (*param)->kind == GMEM_P_ADDR))
			return 1;
		return lex_fail(&p->x, at, "%s of %s is written NAME=VALUE",
				first ? "a parameter" : "a further parameter", info->name);
	}
	if (!lex_word(&p->x, word, "a parameter") || !lex_expect(&p->x, '=', word))
		return 0;
	while ((*param)->name && strcmp((*param)->name, word))
		++*param;
	if ((*param)->name)
		return 1;
	near = nearest_name(word, nth_param, info->params);
	return lex_fail(&p->x, at, "%s has no parameter %s%s%s%s", info->name, word,
			near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static int all_there(struct parser *p, const struct gmem_verb_info *info, uint32_t seen)
{
	unsigned int i;

	for (i = 0; info->params[i].name; i++)
		if (!(seen >> i & 1) && !info->params[i].optional)
			return lex_fail(&p->x, p->x.p - 1, "%s lacks its parameter %s", info->name,
					info->params[i].name);
	return 1;
}

static int check_access(struct parser *p, const struct gmem_call *c, const char *at)
{
	int guest = c->verb == GMEM_GUEST_LOAD || c->verb == GMEM_GUEST_STORE;
	int store = c->verb == GMEM_STORE || c->verb == GMEM_PIN_STORE ||
		    c->verb == GMEM_GUEST_STORE;

	if (guest && c->gpa % GMEM_PAGE_SIZE + c->size > GMEM_PAGE_SIZE)
		return lex_fail(&p->x, at, "one access of the guest lies inside one page");
	if (store && c->size < 8 && c->value >> 8 * c->size)
		return lex_fail(&p->x, at, "the value does not fit into %" PRIu64 " byte%s",
				c->size, c->size == 1 ? "" : "s");
	return 1;
}

int parse_args(struct parser *p, struct linked_call *l, uint32_t *fds)
{
	const struct gmem_verb_info *info = gmem_verb_info(l->call.verb);
	const struct gmem_param *param;
	const char *start = p->x.p, *at;
	uint32_t seen = 0;

	for (param = info->params; param->name; param++)
		*call_field(&l->call, param->offset) = param->dflt;
	if (!lex_accept(&p->x, ')')) {
		do {
			lex_space(&p->x);
			at = p->x.p;
			if (!parse_param_name(p, info, !seen, &param))
				return 0;
			if (seen >> (param - info->params) & 1)
				return lex_fail(&p->x, at, "%s is given twice", param->name);
			seen |= 1u << (param - info->params);
			lex_space(&p->x);
			if (!parse_value(p, param, l, fds))
				return 0;
		} while (lex_accept(&p->x, ','));
		if (!lex_expect(&p->x, ')', "the parameters"))
			return 0;
	}
	return all_there(p, info, seen) && check_access(p, &l->call, start);
}
