/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What happened since mount: .gmem/events, one JSON object a line, and .gmem/trace, the calls with
 * their results as demands.
 *
 * The trace stops where its language has its limits (lines, names), and says so; the events go on,
 * with bare numbers instead of names, up to MOST_EVENTS bytes. Descriptors and addresses become
 * names by asking which call made them.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common.h"
#include "gmemfs.h"

#define MOST_CALLS (TRACE_MAX_LINES - 100)
#define MOST_NAMES (TRACE_MAX_NAMES - 1)
#define MOST_EVENTS (UINT64_C(256) << 20)

void log_begin(void)
{
	struct log *l = &fs.log;

	trace_init(&l->t);
	l->t.profile = fs.profile;
	l->events = memfd_create("gmemfs-events", MFD_CLOEXEC);
	if (l->events < 0)
		die("no memory for the events");
	/* nobody can read them there */
	l->events_full = fs.o.run;
}

void log_end(void)
{
	trace_free(&fs.log.t);
	free(fs.log.pending);
	free(fs.log.made_by);
	free(fs.log.maps);
	close(fs.log.events);
}

static void put_event(const char *line, size_t size)
{
	struct log *l = &fs.log;
	static const char last[] = "{\"event\":\"full\"}\n";

	if (l->events_full)
		return;
	if (l->events_size + size > MOST_EVENTS) {
		l->events_full = true;
		line = last;
		size = sizeof(last) - 1;
	}
	if (pwrite(l->events, line, size, (off_t)l->events_size) == (ssize_t)size)
		l->events_size += size;
}

static void end_event(struct text *t)
{
	char *line;

	fputs("}\n", t->f);
	line = text_end(t);
	put_event(line, t->size);
	free(line);
}

static void begin_event(struct text *t, const char *kind)
{
	text_begin(t);
	fprintf(t->f, "{\"event\":\"%s\"", kind);
}

/* ---- what made a descriptor or an address ---- */

static int32_t made_by(int64_t fd)
{
	const struct log *l = &fs.log;

	return fd > GMEM_KVM_FD && (uint64_t)fd < l->nr_made ? l->made_by[fd] : -1;
}

static void remember_fd(int64_t fd, int32_t call)
{
	struct log *l = &fs.log;

	if ((uint64_t)fd >= l->nr_made) {
		size_t more = (size_t)fd + 64;

		l->made_by = xrealloc(l->made_by, more, sizeof(*l->made_by));
		while (l->nr_made < more)
			l->made_by[l->nr_made++] = -1;
	}
	l->made_by[fd] = call;
}

static void remember_map(uint64_t addr, uint64_t length, int32_t call)
{
	struct log *l = &fs.log;

	l->maps = xgrow(l->maps, l->nr_maps, &l->room_maps, sizeof(*l->maps));
	l->maps[l->nr_maps].addr = addr;
	l->maps[l->nr_maps].length = length;
	l->maps[l->nr_maps++].call = call;
}

static size_t map_at(uint64_t addr)
{
	const struct log *l = &fs.log;
	size_t i;

	for (i = 0; i < l->nr_maps; i++)
		if (addr - l->maps[i].addr < l->maps[i].length)
			break;
	return i;
}

/* A number that is nobody's: in traces, those that may become somebody's stand for none. */
static int64_t not_open(int64_t fd)
{
	return fd >= 0 && fd < 1000 && fd != GMEM_KVM_FD ? 1000 : fd;
}

static struct linked_call link_call(const struct gmem_call *c)
{
	struct linked_call l = { .call = *c, .fd_from = -1, .memfd_from = -1, .addr_from = -1 };
	const struct gmem_param *p;
	size_t i;

	for (p = gmem_verb_info(c->verb)->params; p->name; p++) {
		if (p->kind == GMEM_P_FD && p->offset == offsetof(struct gmem_call, fd))
			l.fd_from = made_by(c->fd);
		else if (p->kind == GMEM_P_FD)
			l.memfd_from = made_by(c->memfd);
		else if (p->kind == GMEM_P_ADDR && (i = map_at(c->addr)) < fs.log.nr_maps) {
			l.addr_from = fs.log.maps[i].call;
			l.call.addr -= fs.log.maps[i].addr;
		}
	}
	if (l.fd_from < 0)
		l.call.fd = not_open(c->fd);
	if (l.memfd_from < 0)
		l.call.memfd = not_open(c->memfd);
	return l;
}

/* vm0, f0, p0, m0: as trace_name_all() would. */
static void name_result(struct trace_call *t)
{
	static const char *const stems[] = { "vm", "f", "p", "m" };
	const struct gmem_verb_info *info = gmem_verb_info(t->linked.call.verb);
	unsigned int s = info->binds == GMEM_BINDS_ADDR ? 3 :
			 info->binds_fd == GMEM_FD_VM	? 0 :
			 info->binds_fd == GMEM_FD_GMEM ? 1 :
							  2;

	snprintf(t->name, sizeof(t->name), "%s%u", stems[s], fs.log.counts[s]++);
}

/* What later calls may name; what is gone can no longer be named. */
static void remember(const struct gmem_call *c, const struct gmem_result *r, int32_t call)
{
	const struct gmem_verb_info *info = gmem_verb_info(c->verb);
	size_t i;

	if (!result_succeeded(r))
		return;
	if (info->binds == GMEM_BINDS_FD)
		remember_fd(r->value, call);
	else if (info->binds == GMEM_BINDS_ADDR)
		remember_map((uint64_t)r->value, c->length, call);
	else if ((c->verb == GMEM_CLOSE || c->verb == GMEM_UNPIN) && made_by(c->fd) >= 0)
		fs.log.made_by[c->fd] = -1;
	else if (c->verb == GMEM_MUNMAP && (i = map_at(c->addr)) < fs.log.nr_maps)
		fs.log.maps[i] = fs.log.maps[--fs.log.nr_maps];
}

static int has_room(void)
{
	const unsigned int *n = fs.log.counts;

	return fs.log.t.nr_calls < MOST_CALLS && n[0] + n[1] + n[2] + n[3] < MOST_NAMES;
}

/* ---- events ---- */

/*
 * A call or a notification that nobody has read yet: words are found for it when somebody does, as
 * that takes longer than the call.
 */
struct happening {
	bool is_told;
	uint64_t number;
	int32_t call; /* of the trace; -1 if that is full */
	struct gmem_call bare;
	struct gmem_result result;
	struct gmem_event event;
};

#define MOST_PENDING 8192

static struct happening *happen(void)
{
	struct log *l = &fs.log;

	if (l->nr_pending == MOST_PENDING)
		log_flush();
	l->pending = xgrow(l->pending, l->nr_pending, &l->room_pending, sizeof(*l->pending));
	return &l->pending[l->nr_pending++];
}

static void call_event(const struct happening *h)
{
	const struct gmem_clause *clause = gmem_clause(h->result.clause);
	struct trace_call loose = { .task_from = -1, .linked = { h->bare, -1, -1, -1, 0 } };
	const struct trace_call *c = h->call < 0 ? &loose : &fs.log.t.calls[h->call];
	struct text text;

	begin_event(&text, "call");
	fprintf(text.f, ",\"number\":%" PRIu64 ",\"call\":\"", h->number);
	trace_print_call(text.f, &fs.log.t, c);
	fputs("\",\"result\":\"", text.f);
	trace_print_result(text.f, c->linked.call.verb, &h->result);
	fputc('"', text.f);
	if (clause)
		fprintf(text.f, ",\"clause\":\"%s\"", clause->name);
	end_event(&text);
}

static void told_event(const struct gmem_event *e)
{
	static const char *const kinds[] = { "invalidate_start", "invalidate_end", "memory_error" };
	static const char *const origins[] = { "file", "attributes", "host" };
	struct text t;

	begin_event(&t, "told");
	fprintf(t.f,
		",\"told\":\"%s\",\"by\":\"%s\",\"slot\":%u,\"gfn\":%" PRIu64
		",\"gfn_end\":%" PRIu64 ",\"pgoff\":%" PRIu64 ",\"pgoff_end\":%" PRIu64,
		kinds[e->kind], origins[e->origin], e->slot | (uint32_t)e->as_id << 16, e->gfn,
		e->gfn_end, e->pgoff, e->pgoff_end);
	end_event(&t);
}

void log_flush(void)
{
	struct log *l = &fs.log;
	size_t i;

	for (i = 0; i < l->nr_pending && !l->events_full; i++) {
		if (l->pending[i].is_told)
			told_event(&l->pending[i].event);
		else
			call_event(&l->pending[i]);
	}
	l->nr_pending = 0;
}

void log_call(const struct gmem_call *c, const struct gmem_result *r)
{
	struct log *l = &fs.log;
	struct linked_call linked;
	struct trace_call *t;
	struct happening *h;

	h = happen();
	*h = (struct happening){ .number = ++l->calls, .call = -1, .result = *r, .bare = *c };
	if (l->full || !has_room()) {
		l->full = true;
		return;
	}
	linked = link_call(c);
	t = trace_add(&l->t, &linked);
	trace_demand_result(&l->t, t, r);
	if (gmem_verb_info(c->verb)->binds && result_succeeded(r))
		name_result(t);
	h->call = (int32_t)l->t.nr_calls - 1;
	remember(c, r, h->call);
}

void log_violation(const struct gmem_violation *v)
{
	struct text t;

	log_flush();
	begin_event(&t, "violation");
	fprintf(t.f, ",\"invariant\":\"%s\",\"sentence\":\"%s\",\"saw\":\"%s\"", v->invariant,
		v->sentence, v->saw);
	end_event(&t);
}

/* The listener must not call the library, and does not: it only writes down. */
static void told(void *arg, const struct gmem_event *e)
{
	(void)arg;
	*happen() = (struct happening){ .is_told = true, .event = *e };
}

void log_listen(int64_t vm)
{
	gmem_listen(fs.w, 0, vm, told, NULL);
}

void log_print_trace(FILE *f)
{
	trace_print(f, &fs.log.t);
	if (fs.log.full)
		fprintf(f, "# The trace is full: %" PRIu64 " calls were made.\n", fs.log.calls);
}
