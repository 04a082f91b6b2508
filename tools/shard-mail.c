/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The messages of an exploration in parts; see shard-mail.h. A message is the number of bytes that are
 * as in the message before it, the number of the others, and those: what is sent one after the other
 * mostly begins alike.
 */
#include "shard-mail.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"

char *words(const char *format, ...)
{
	struct text t;
	va_list args;

	text_begin(&t);
	va_start(args, format);
	vfprintf(t.f, format, args);
	va_end(args);
	return text_end(&t);
}

void must(int done, const char *name)
{
	if (!done)
		die("%s: %s", name, strerror(errno));
}

void shard_mail_begin(struct shard_mail *m, const char *path, uint32_t shard, uint32_t shards)
{
	memset(m, 0, sizeof(*m));
	m->path = path;
	m->shard = shard;
	m->shards = shards;
	m->to = xcalloc(shards, sizeof(*m->to));
	m->last = xcalloc(shards, sizeof(*m->last));
}

static void close_from(struct shard_mail *m)
{
	if (m->from)
		fclose(m->from);
	m->from = NULL;
}

void shard_mail_end(struct shard_mail *m)
{
	close_from(m);
	for (uint32_t i = 0; i < m->shards; i++) {
		if (m->to[i])
			fclose(m->to[i]);
		free(m->last[i].at);
	}
	free(m->got.at);
	free(m->last);
	free(m->to);
}

/* Makes the message that long. */
static void set_size(struct message *m, size_t size)
{
	if (size > m->room) {
		m->room = 2 * size;
		m->at = xrealloc(m->at, m->room, 1);
	}
	m->n = size;
}

static char *name_of_sent(const struct shard_mail *m, uint32_t to, const char *end)
{
	return words("%s/turn-%" PRIu32 ".from-%" PRIu32 ".to-%" PRIu32 "%s", m->path, m->turn,
		     m->shard, to, end);
}

void shard_mail_send(struct shard_mail *m, uint32_t to, const void *bytes, size_t size)
{
	struct message *last = &m->last[to];
	const uint8_t *b = bytes;
	uint32_t part[2] = { 0 };

	if (!m->to[to]) {
		char *new = name_of_sent(m, to, ".new");

		m->to[to] = fopen(new, "we");
		must(m->to[to] != NULL, new);
		free(new);
		last->n = 0;
	}
	while (part[0] < size && part[0] < last->n && b[part[0]] == last->at[part[0]])
		part[0]++;
	part[1] = (uint32_t)size - part[0];
	set_size(last, size);
	memcpy(last->at + part[0], b + part[0], part[1]);
	must(fwrite(part, sizeof(part), 1, m->to[to]) == 1 &&
		     (!part[1] || fwrite(b + part[0], part[1], 1, m->to[to]) == 1),
	     m->path);
}

void shard_mail_post(struct shard_mail *m)
{
	close_from(m);
	for (uint32_t i = 0; i < m->shards; i++) {
		char *new, *name;

		if (!m->to[i])
			continue;
		new = name_of_sent(m, i, ".new");
		name = name_of_sent(m, i, "");
		must(!fclose(m->to[i]) && !rename(new, name), name);
		m->to[i] = NULL;
		free(new);
		free(name);
	}
	m->next_from = 0;
}

static int open_next(struct shard_mail *m)
{
	while (m->turn && m->next_from < m->shards) {
		char *name = words("%s/turn-%" PRIu32 ".from-%" PRIu32 ".to-%" PRIu32, m->path,
				   m->turn - 1, m->next_from++, m->shard);

		m->from = fopen(name, "re");
		must(m->from || errno == ENOENT, name);
		if (m->from)
			unlink(name);
		free(name);
		m->got.n = 0;
		if (m->from)
			return 1;
	}
	return 0;
}

int shard_mail_receive(struct shard_mail *m, const void **bytes, size_t *size)
{
	uint32_t part[2];

	for (;;) {
		if (!m->from && !open_next(m))
			return 0;
		if (fread(part, sizeof(part), 1, m->from) == 1)
			break;
		close_from(m);
	}
	if (part[0] > m->got.n)
		die("%s: a message that makes no sense", m->path);
	set_size(&m->got, (size_t)part[0] + part[1]);
	if (part[1] && fread(m->got.at + part[0], part[1], 1, m->from) != 1)
		die("%s: a message that is not whole", m->path);
	*bytes = m->got.at;
	*size = m->got.n;
	return 1;
}
