/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What happened since mount: .gmem/events, one JSON object a line, and .gmem/trace, the calls with
 * their results as demands.
 *
 * The trace stops where its language has its limits (lines, names), and says so; the events go on,
 * with bare numbers instead of names, up to MOST_EVENTS bytes, written or waiting for a reader. Descriptors and addresses become
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
	l->t.machine = fs.machine;
	l->t.machine_says = (uint8_t)fs.machine_says;
	l->events = memfd_create("gmemfs-events", MFD_CLOEXEC);
	if (l->events < 0)
		die("no memory for the events");
	/* nobody can read them there */
	l->events_full = fs.o.run;
}

static void put_events(struct text *t)
{
	struct log *l = &fs.log;
	char *lines = text_end(t);

	if (pwrite(l->events, lines, t->size, (off_t)l->events_size) == (ssize_t)t->size)
		l->events_size += t->size;
	free(lines);
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
	int32_t call; /* of the trace; -1 if that is full */
	uint64_t number;
	union {
		struct {
			struct gmem_call bare;
			struct gmem_result result;
		};
		struct gmem_event event;
	};
};

#define CHUNK 512

struct chunk {
	struct chunk *next;
	size_t nr;
	struct happening all[CHUNK];
};

/* Where the next one is written down; the caller fills all of it. Null if there are too many. */
static struct happening *happen(void)
{
	struct log *l = &fs.log;
	struct chunk *c = l->newest;

	if (l->events_full)
		return NULL;
	if (l->events_size + l->nr_waiting * sizeof(struct happening) > MOST_EVENTS) {
		l->events_full = true;
		return NULL;
	}
	if (!c || c->nr == CHUNK) {
		c = xrealloc(NULL, 1, sizeof(*c));
		c->next = NULL;
		c->nr = 0;
		*(l->newest ? &l->newest->next : &l->oldest) = c;
		l->newest = c;
	}
	l->nr_waiting++;
	l->nr_happened++;
	return &c->all[c->nr++];
}

static void print_call(FILE *f, const struct happening *h)
{
	const struct gmem_clause *clause = gmem_clause(h->result.clause);
	struct trace_call loose = { .task_from = -1, .linked = { h->bare, -1, -1, -1, 0 } };
	const struct trace_call *c = h->call < 0 ? &loose : &fs.log.t.calls[h->call];

	fprintf(f, "{\"event\":\"call\",\"number\":%" PRIu64 ",\"call\":\"", h->number);
	trace_print_call(f, &fs.log.t, c);
	fputs("\",\"result\":\"", f);
	trace_print_result(f, c->linked.call.verb, &h->result);
	fputc('"', f);
	if (clause)
		fprintf(f, ",\"clause\":\"%s\"", clause->name);
	fputs("}\n", f);
}

static void print_told(FILE *f, const struct gmem_event *e)
{
	static const char *const kinds[] = { "invalidate_start", "invalidate_end", "memory_error",
					     "invalidate", "populate" };
	static const char *const origins[] = { "file", "attributes", "host" };

	fprintf(f,
		"{\"event\":\"told\",\"told\":\"%s\",\"by\":\"%s\",\"slot\":%u,\"gfn\":%" PRIu64
		",\"gfn_end\":%" PRIu64 ",\"pgoff\":%" PRIu64 ",\"pgoff_end\":%" PRIu64 "}\n",
		kinds[e->kind], origins[e->origin], e->slot | (uint32_t)e->as_id << 16, e->gfn,
		e->gfn_end, e->pgoff, e->pgoff_end);
}

/* The oldest chunk becomes text. 0 if there is none. */
static int tell_chunk(void)
{
	struct log *l = &fs.log;
	struct chunk *c = l->oldest;
	struct text t;
	size_t i;

	if (!c)
		return 0;
	text_begin(&t);
	for (i = 0; i < c->nr; i++) {
		if (c->all[i].is_told)
			print_told(t.f, &c->all[i].event);
		else
			print_call(t.f, &c->all[i]);
	}
	l->oldest = c->next;
	if (!l->oldest)
		l->newest = NULL;
	l->nr_waiting -= c->nr;
	free(c);
	put_events(&t);
	return 1;
}

/* Others go on with calls between one chunk and the next, which are not waited for. */
void log_catch_up(void)
{
	uint64_t happened;
	int more;

	fs_lock();
	happened = fs.log.nr_happened;
	do {
		more = tell_chunk() && fs.log.nr_happened - fs.log.nr_waiting < happened;
		fs_unlock();
		fs_lock();
	} while (more);
	if (fs.log.events_full && !fs.log.oldest && !fs.log.end_told) {
		struct text t;

		fs.log.end_told = true;
		text_begin(&t);
		fputs("{\"event\":\"full\"}\n", t.f);
		put_events(&t);
	}
	fs_unlock();
}

void log_call(const struct gmem_call *c, const struct gmem_result *r)
{
	struct log *l = &fs.log;
	struct linked_call linked;
	struct trace_call *t;
	struct happening *h;

	l->calls++;
	h = happen();
	if (h) {
		h->is_told = false;
		h->call = -1;
		h->number = l->calls;
		h->bare = *c;
		h->result = *r;
	}
	if (l->full || !has_room()) {
		l->full = true;
		return;
	}
	linked = link_call(c);
	t = trace_add(&l->t, &linked);
	trace_demand_result(&l->t, t, r);
	if (gmem_verb_info(c->verb)->binds && result_succeeded(r))
		name_result(t);
	if (h)
		h->call = (int32_t)l->t.nr_calls - 1;
	remember(c, r, (int32_t)l->t.nr_calls - 1);
}

void log_violation(const struct gmem_violation *v)
{
	struct text t;

	while (tell_chunk())
		;
	text_begin(&t);
	fprintf(t.f,
		"{\"event\":\"violation\",\"invariant\":\"%s\",\"sentence\":\"%s\",\"saw\":\"%s\"}\n",
		v->invariant, v->sentence, v->saw);
	put_events(&t);
}

/* The listener must not call the library, and does not: it only writes down. */
static void told(void *arg, const struct gmem_event *e)
{
	struct happening *h = happen();

	(void)arg;
	if (!h)
		return;
	h->is_told = true;
	h->event = *e;
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

void log_end(void)
{
	struct chunk *c;

	while ((c = fs.log.oldest)) {
		fs.log.oldest = c->next;
		free(c);
	}
	trace_free(&fs.log.t);
	free(fs.log.made_by);
	free(fs.log.maps);
	close(fs.log.events);
}
