/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads traces: gmem-trace(5) in, struct trace out, or file, line, column and reason.
 *
 * One line at a time; nothing is repaired or guessed. Whatever can be known without running the
 * trace is a mistake here and not later: names that no call binds, handles that were closed, an
 * address where a descriptor should be, numbers too wide for the kernel's parameter. A file of
 * the wrong kind is none: what the kernel answers then is a good question.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "trace-parse.h"

/* ---- comments ---- */

static void keep(struct parser *p, const char *s, size_t n)
{
	while (n && (s[n - 1] == ' ' || s[n - 1] == '\t'))
		n--;
	if (!p->pending_open) {
		text_begin(&p->pending);
		p->pending_open = 1;
	}
	fwrite(s, 1, n, p->pending.f);
	fputc('\n', p->pending.f);
}

/* The comments kept so far; null if there are none. */
static char *kept(struct parser *p)
{
	if (!p->pending_open)
		return NULL;
	p->pending_open = 0;
	return text_end(&p->pending);
}

static void keep_comment(struct parser *p)
{
	if (p->x.comment)
		keep(p, p->x.comment, p->x.comment_end - p->x.comment);
	else
		keep(p, "", 0);
}

/* Comments between header lines move above the header: the printer writes it in one piece. */
static void keep_as_head(struct parser *p)
{
	char *more, *head = p->t->head;
	struct text all;

	if (p->x.comment)
		keep_comment(p);
	more = kept(p);
	if (!more)
		return;
	text_begin(&all);
	fprintf(all.f, "%s%s", head ? head : "", more);
	p->t->head = text_end(&all);
	free(head);
	free(more);
}

/* ---- calls ---- */

static const char *nth_verb(const void *arg, unsigned int n)
{
	const struct gmem_verb_info *info = gmem_verb_info(n);

	(void)arg;
	return info ? info->name : NULL;
}

/* Every word that a line can begin with, but names. */
static const char *nth_word(const void *arg, unsigned int n)
{
	static const char *const blocks[] = { "par", "end", "schedule", NULL };
	unsigned int i;

	if (n < GMEM_NR_VERBS)
		return nth_verb(arg, n);
	n -= GMEM_NR_VERBS;
	for (i = 0; nth_header(i); i++)
		if (i == n)
			return nth_header(i);
	return blocks[n - i];
}

static int find_verb(const char *word)
{
	const char *name;
	int i;

	for (i = 0; (name = nth_verb(NULL, i)); i++)
		if (!strcmp(name, word))
			return i;
	return -1;
}

static int set_task(struct parser *p, const char *word, const char *at, struct trace_call *c)
{
	char reason[160];
	struct found_name f;

	if (!names_find(p->names, word, 0, &f, reason, sizeof(reason)))
		return lex_fail(&p->x, at, "%s", reason);
	if (f.kind != NAME_TASK)
		return lex_fail(&p->x, at, "%s is not a task", word);
	c->task_from = f.from;
	c->linked.call.task = f.task;
	return 1;
}

static int set_name(struct parser *p, const char *word, const char *at, struct trace_call *c)
{
	char reason[160];

	if (!strcmp(word, "anon") || find_verb(word) >= 0 || is_header(word))
		return lex_fail(&p->x, at, "%s has a meaning already; take another name", word);
	if (!names_free_to_bind(p->names, word, reason, sizeof(reason)))
		return lex_fail(&p->x, at, "%s", reason);
	strcpy(c->name, word);
	return 1;
}

static int set_verb(struct parser *p, const char *word, const char *at, struct trace_call *c)
{
	int verb = find_verb(word), called = lex_at(&p->x, '(');
	const char *near;

	if (verb < 0) {
		near = nearest_name(word, called ? nth_verb : nth_word, NULL);
		return lex_fail(&p->x, at, "unknown %s %s%s%s%s", called ? "call" : "word", word,
				near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
	}
	c->linked.call.verb = verb;
	if (c->name[0] && !gmem_verb_info(verb)->binds)
		return lex_fail(&p->x, at, "%s makes nothing that %s could name", word, c->name);
	if (verb == GMEM_EXIT && c->task_from < 0)
		return lex_fail(&p->x, at, "the first task does not exit; write TASK: exit()");
	return 1;
}

/* [TASK:] [NAME =] VERB( */
static int parse_front(struct parser *p, struct trace_call *c, char *word, const char *at)
{
	if (lex_accept(&p->x, ':')) {
		if (!set_task(p, word, at, c))
			return 0;
		lex_space(&p->x);
		at = p->x.p;
		if (!lex_word(&p->x, word, "a call"))
			return 0;
	}
	if (lex_accept(&p->x, '=')) {
		if (!set_name(p, word, at, c))
			return 0;
		lex_space(&p->x);
		at = p->x.p;
		if (!lex_word(&p->x, word, "a call"))
			return 0;
	}
	return set_verb(p, word, at, c) && lex_expect(&p->x, '(', word);
}

/* What the call uses up: a handle, or the task itself. */
static int use_up(struct parser *p, const struct trace_call *c)
{
	uint32_t task = c->linked.call.task;

	if (c->linked.call.verb == GMEM_EXIT)
		names_exit(p->names, task, p->x.line);
	if (c->linked.call.verb != GMEM_CLOSE && c->linked.call.verb != GMEM_UNPIN)
		return 1;
	if (c->linked.fd_from >= 0 || c->linked.call.fd == GMEM_KVM_FD)
		names_use_up(p->names, c->linked.fd_from, task, p->x.line);
	return 1;
}

/* What another task makes in the same block is not known to be there. */
static int refers_to_its_own(struct parser *p, const struct trace_call *c, const char *at)
{
	const int32_t from[] = { c->linked.fd_from, c->linked.memfd_from, c->linked.addr_from };
	unsigned int i;

	for (i = 0; i < 3; i++)
		if (from[i] >= (int32_t)p->t->par_first &&
		    p->t->calls[from[i]].linked.call.task != c->linked.call.task)
			return lex_fail(&p->x, at, "%s is made by another task in this block",
					p->t->calls[from[i]].name);
	return 1;
}

/* Notes what the call makes and what it uses up. */
static int note(struct parser *p, struct trace_call *c, uint32_t fds, const char *at)
{
	const struct gmem_verb_info *info = gmem_verb_info(c->linked.call.verb);
	struct found_name f = { .from = p->t->nr_calls - 1 };
	uint32_t task = c->linked.call.task;

	if (c->linked.call.verb == GMEM_FORK || c->linked.call.verb == GMEM_THREAD) {
		if (p->in_par)
			return lex_fail(&p->x, at, "tasks are made before par, or after end");
		f.task = c->linked.call.verb == GMEM_FORK ? names_fork(p->names, task) :
							    names_thread(p->names, task);
		if (!f.task)
			return lex_fail(&p->x, at, "more than %d tasks", TRACE_MAX_TASKS);
		c->linked.call.value = f.task;
	}
	f.kind = info->binds == GMEM_BINDS_FD	? NAME_FD :
		 info->binds == GMEM_BINDS_ADDR ? NAME_ADDR :
						  NAME_TASK;
	f.fds = c->linked.call.verb == GMEM_DUP ? fds : info->binds_fd;
	if (c->name[0])
		names_bind(p->names, c->name, f.kind == NAME_TASK ? 0 : task, p->x.line,
			   c->nr_demands > 0, &f);
	if (p->in_par)
		return refers_to_its_own(p, c, at); /* what is used up is, when the block ends */
	return use_up(p, c);
}

static int parse_call(struct parser *p, char *word, const char *at)
{
	struct linked_call none = { .fd_from = -1, .memfd_from = -1, .addr_from = -1 };
	struct trace_call *c = trace_add(p->t, &none);
	uint32_t fds = GMEM_FD_KVM | GMEM_FD_VM | GMEM_FD_GMEM;

	c->line = p->x.line;
	c->before = kept(p);
	if (!parse_front(p, c, word, at) || !parse_args(p, &c->linked, &fds))
		return 0;
	if (lex_accept(&p->x, '=') && !parse_demand(p, c))
		return 0;
	lex_space(&p->x);
	if (p->x.p < p->x.end)
		return lex_fail(&p->x, p->x.p, "'%c' after the call", *p->x.p);
	if (p->x.comment) {
		keep_comment(p);
		c->after = kept(p);
		c->after[strlen(c->after) - 1] = 0;
	}
	return note(p, c, fds, at);
}

/* ---- lines ---- */

static int begin_par(struct parser *p, const char *at)
{
	if (p->t->par_end || p->in_par)
		return lex_fail(&p->x, at, "a trace has one block of calls that overlap");
	p->in_par = 1;
	p->par.line = p->x.line;
	p->par.column = (uint32_t)(at - p->x.line_start) + 1;
	p->t->par_first = p->t->nr_calls;
	return 1;
}

static int end_par(struct parser *p, const char *at)
{
	size_t i;

	if (!p->in_par)
		return lex_fail(&p->x, at, "end without par");
	if (p->t->nr_calls == p->t->par_first)
		return lex_fail(&p->x, at, "no calls between par and end");
	p->in_par = 0;
	p->t->par_end = p->t->nr_calls;
	for (i = p->t->par_first; i < p->t->par_end; i++)
		if (!use_up(p, &p->t->calls[i]))
			return 0;
	return 1;
}

/* TASK or TASK*ROWS, any number of them. */
static int parse_schedule(struct parser *p, const char *at)
{
	char word[TRACE_MAX_NAME + 1], reason[160];
	struct found_name f;
	uint64_t rows;

	if (!p->in_par)
		return lex_fail(&p->x, at, "schedule stands between par and end");
	for (lex_space(&p->x); p->x.p < p->x.end; lex_space(&p->x)) {
		at = p->x.p;
		rows = 1;
		f.task = 0;
		if (!lex_word(&p->x, word, "a task"))
			return 0;
		if (strcmp(word, "main") &&
		    (!names_find(p->names, word, 0, &f, reason, sizeof(reason)) ||
		     f.kind != NAME_TASK))
			return lex_fail(&p->x, at, "%s is no task", word);
		if (lex_accept(&p->x, '*') && !lex_number(&p->x, &rows))
			return 0;
		if (!rows || rows > TRACE_MAX_ROWS || p->t->nr_schedule + rows > TRACE_MAX_ROWS)
			return lex_fail(&p->x, at, "a schedule has 1 to %d rows", TRACE_MAX_ROWS);
		trace_schedule(p->t, f.task, rows);
	}
	return 1;
}

/* 1 if the word is one of them; *ok says whether the line is right. */
static int parse_par(struct parser *p, const char *word, const char *at, int *ok)
{
	if (!strcmp(word, "par"))
		*ok = begin_par(p, at);
	else if (!strcmp(word, "end"))
		*ok = end_par(p, at);
	else if (!strcmp(word, "schedule"))
		*ok = parse_schedule(p, at);
	else
		return 0;
	lex_space(&p->x);
	if (*ok && p->x.p < p->x.end)
		*ok = lex_fail(&p->x, p->x.p, "'%c' after %s", *p->x.p, word);
	return 1;
}

static int parse_line(struct parser *p)
{
	char word[TRACE_MAX_NAME + 1];
	const char *at;
	int call, ok;

	lex_space(&p->x);
	at = p->x.p;
	if (at == p->x.end) {
		keep_comment(p);
		return 1;
	}
	if (!lex_word(&p->x, word, "a call or a comment"))
		return 0;
	lex_space(&p->x);
	call = p->x.p < p->x.end && strchr("(=:", *p->x.p);
	if (!call && parse_par(p, word, at, &ok))
		return ok;
	if (call || !is_header(word))
		return parse_call(p, word, at);
	if (!parse_header(p, word, at))
		return 0;
	keep_as_head(p);
	return 1;
}

static int parse_lines(struct parser *p)
{
	int more;

	do {
		if (!lex_line(&p->x, &more) || (more && !parse_line(p)))
			return 0;
	} while (more);
	return 1;
}

int trace_parse(struct trace *t, const char *text, size_t length, struct trace_error *e)
{
	struct parser p = { .t = t };
	int ok;

	trace_init(t);
	memset(e, 0, sizeof(*e));
	p.names = names_new();
	lex_begin(&p.x, text, length, e);
	ok = parse_lines(&p);
	if (ok && p.in_par) {
		ok = lex_fail(&p.x, p.x.p, "par has no end");
		e->line = p.par.line;
		e->column = p.par.column;
	}
	t->tail = kept(&p);
	names_free(p.names);
	if (!ok)
		trace_free(t);
	return ok;
}

/* ---- files ---- */

/* What is wrong with the file, and what to do where that is not plain. */
static int cannot_read(struct trace_error *e, int err)
{
	const char *then = err == ENOENT ? "; a trace is a file, or - for standard input" :
			   err == EISDIR ? "; name the traces in it, or use find(1) and xargs(1)" :
					   "";

	snprintf(e->reason, sizeof(e->reason), "%s%s", strerror(err), then);
	return 0;
}

static int read_all(FILE *f, char **text, size_t *length, struct trace_error *e)
{
	size_t room = 1u << 16, n;

	*text = NULL;
	*length = 0;
	do {
		*text = xrealloc(*text, room, 1);
		n = fread(*text + *length, 1, room - *length, f);
		*length += n;
		room *= 2;
	} while (n && *length <= TRACE_MAX_BYTES);
	if (ferror(f))
		return cannot_read(e, errno);
	if (*length > TRACE_MAX_BYTES)
		snprintf(e->reason, sizeof(e->reason), "a trace has at most %u bytes",
			 TRACE_MAX_BYTES);
	return *length <= TRACE_MAX_BYTES;
}

int trace_read(struct trace *t, const char *path, struct trace_error *e)
{
	FILE *f = strcmp(path, "-") ? fopen(path, "re") : stdin;
	char *text;
	size_t length;
	int ok;

	memset(e, 0, sizeof(*e));
	trace_init(t);
	if (!f)
		return cannot_read(e, errno);
	ok = read_all(f, &text, &length, e) && trace_parse(t, text, length, e);
	free(text);
	if (f != stdin)
		fclose(f);
	return ok;
}
