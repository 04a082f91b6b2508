/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The folder of an exploration in parts; see shard-folder.h.
 *
 *	part-I			part I is there: its header. It is locked for as long as I runs.
 *	turn-R.from-I.to-J	what I sends J in turn R; J takes it away
 *	turn-R.said-I		I has done its part of turn R, and says that
 *	over			some part has ended all, and why
 *
 * Every file is written under another name, and gets its own when it is whole. The lock is the kernel's, and goes with the process: so a part that was killed is not waited for,
 * and the folder of an earlier run is told from one that is in use.
 */
#include "shard-folder.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common.h"
#include "shard-mail.h"

#define NOBODY UINT32_MAX

struct shard_folder {
	char *path, *header;
	uint32_t shard, shards;
	int lock; /* part-I */
	struct shard_mail mail;
	uint32_t met; /* parts below it were there, with the same header */
	double until, asked;
	int told; /* whom it waits for, where that is no terminal */
	char *why;
	struct gmem_exchange exchange;
};

/* ---- files ---- */

static char *name_of_part(const struct shard_folder *f, uint32_t part)
{
	return words("%s/part-%" PRIu32, f->path, part);
}

static char *name_of_over(const struct shard_folder *f)
{
	return words("%s/over", f->path);
}

static char *name_of_said(const struct shard_folder *f, uint32_t turn, uint32_t part)
{
	return words("%s/turn-%" PRIu32 ".said-%" PRIu32, f->path, turn, part);
}

/* What is in the file; null if there is none. */
static char *read_text(const char *name)
{
	char piece[512];
	struct text t;
	FILE *in = fopen(name, "re");
	size_t n;

	if (!in)
		return NULL;
	text_begin(&t);
	while ((n = fread(piece, 1, sizeof(piece), in)) > 0)
		fwrite(piece, 1, n, t.f);
	fclose(in);
	return text_end(&t);
}

/* A file with that text; it is there at once, or not at all. Takes both names. */
static void write_text(char *name, char *text)
{
	char *new = words("%s.%ld.new", name, (long)getpid());
	FILE *out = fopen(new, "we");

	must(out != NULL, new);
	must(fputs(text, out) >= 0 && !fclose(out) && !rename(new, name), name);
	free(new);
	free(name);
	free(text);
}

static void remove_file(char *name)
{
	unlink(name);
	free(name);
}

/* ---- who is there ---- */

/* Of two headers, the first line that is not the same in both. */
static void say_difference(const char *name, const char *there, const char *here)
{
	size_t n, k;

	for (;;) {
		n = strcspn(there, "\n");
		k = strcspn(here, "\n");
		if (n != k || strncmp(there, here, n) || !there[n] || !here[k])
			break;
		there += n + 1;
		here += k + 1;
	}
	fprintf(stderr, "%s is a part of another exploration: %.*s, and here %.*s\n", name, (int)n,
		there, (int)k, here);
}

/* 1 if the process of that part runs no more; if that cannot be told, it may. */
static int has_gone(const struct shard_folder *f, uint32_t part)
{
	char *name = name_of_part(f, part);
	int fd = open(name, O_RDONLY | O_CLOEXEC), gone;

	free(name);
	if (fd < 0)
		return 0;
	gone = flock(fd, LOCK_SH | LOCK_NB) == 0;
	close(fd);
	return gone;
}

/* 1 if the part is there with the same header, -1 with another one, 0 if it is not. */
static int meet_part(const struct shard_folder *f, uint32_t part)
{
	char *name = name_of_part(f, part), *header = read_text(name);
	int same = header ? strcmp(header, f->header) ? -1 : 1 : 0;

	if (same < 0)
		say_difference(name, header, f->header);
	free(header);
	free(name);
	return same;
}

/* 0 if the folder is not for this exploration. */
static int look_around(const struct shard_folder *f)
{
	char *name = name_of_over(f), *over = read_text(name);

	free(name);
	if (over) {
		fprintf(stderr, "%s: %s; begin with an empty folder\n", f->path, over);
		free(over);
		return 0;
	}
	for (uint32_t i = 0; i < f->shards; i++) {
		int met = meet_part(f, i);

		if (met < 0)
			return 0;
		if (met && (i == f->shard || has_gone(f, i))) {
			fprintf(stderr,
				"%s/part-%" PRIu32 " is there already, of %s; "
				"begin with an empty folder\n",
				f->path, i, has_gone(f, i) ? "an earlier run" : "a part that runs");
			return 0;
		}
	}
	return 1;
}

/* Makes part-I, which is locked from the first moment on; 0 if it is there. */
static int join(struct shard_folder *f)
{
	char *name = name_of_part(f, f->shard);
	char *new = words("%s.%ld.new", name, (long)getpid());
	const size_t size = strlen(f->header);
	int joined;

	f->lock = open(new, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	must(f->lock >= 0, new);
	flock(f->lock, LOCK_EX);
	must(write(f->lock, f->header, size) == (ssize_t)size && !fsync(f->lock), new);
	joined = !link(new, name);
	if (!joined)
		fprintf(stderr, "%s: %s\n", name, strerror(errno));
	unlink(new);
	free(new);
	free(name);
	return joined;
}

struct shard_folder *shard_folder_open(const char *path, uint32_t shard, uint32_t shards,
				       const char *header)
{
	struct shard_folder *f = xcalloc(1, sizeof(*f));

	f->path = xstrndup(path, strlen(path));
	f->header = xstrndup(header, strlen(header));
	f->shard = shard;
	f->shards = shards;
	f->lock = -1;
	shard_mail_begin(&f->mail, f->path, shard, shards);
	if (mkdir(path, 0777) && errno != EEXIST) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
	} else if (look_around(f) && join(f)) {
		return f;
	}
	shard_folder_close(f);
	return NULL;
}

void shard_folder_close(struct shard_folder *f)
{
	if (!f)
		return;
	shard_mail_end(&f->mail);
	if (f->lock >= 0)
		close(f->lock);
	free(f->why);
	free(f->header);
	free(f->path);
	free(f);
}

/* ---- turns ---- */

int shard_folder_is_over(struct shard_folder *f)
{
	const double now = seconds();
	char *name;

	if (f->why)
		return 1;
	if (now < f->asked + 0.5)
		return 0;
	f->asked = now;
	name = name_of_over(f);
	f->why = read_text(name);
	free(name);
	return f->why != NULL;
}

/* All is over, for that reason, which the others are told. */
static void end_all(struct shard_folder *f, const char *why)
{
	write_text(name_of_over(f), xstrndup(why, strlen(why)));
}

/* What the part has said in this turn; -1 if it has not yet. */
static int said_by(const struct shard_folder *f, uint32_t part)
{
	char *name = name_of_said(f, f->mail.turn, part);
	char *said = read_text(name);
	int bits = said ? atoi(said) : -1;

	free(said);
	free(name);
	return bits;
}

/* The first part that has gone while that one is waited for, as none may; or NOBODY. */
static uint32_t first_gone(const struct shard_folder *f, uint32_t part)
{
	for (uint32_t i = 0; i < f->shards; i++)
		if (i != f->shard && has_gone(f, i))
			/* Where that one has come in between, others may have ended. */
			return said_by(f, part) < 0 ? i : NOBODY;
	return NOBODY;
}

/* Gives up waiting for the part, if there is a reason to: 1. */
static int gives_up(struct shard_folder *f, uint32_t part)
{
	uint32_t gone = first_gone(f, part);

	f->asked = 0; /* a part that has gone may just have said why */
	if (shard_folder_is_over(f))
		return 1;
	if (gone != NOBODY)
		f->why = words("part %" PRIu32 " was killed", gone);
	else if (f->until > 0 && seconds() >= f->until)
		f->why = words("part %" PRIu32 " did not get there in time", part);
	if (f->why)
		end_all(f, f->why);
	return f->why != NULL;
}

static void say_waiting(struct shard_folder *f, uint32_t part, double began)
{
	progress("turn %" PRIu32 ": waiting for part %" PRIu32 " of %" PRIu32, f->mail.turn + 1,
		 part, f->shards);
	if (f->told || isatty(STDERR_FILENO) || seconds() < began + 60)
		return;
	f->told = 1;
	fprintf(stderr,
		"%s: part %" PRIu32 " waits for part %" PRIu32 "; all %" PRIu32
		" have to run at the same time\n",
		f->path, f->shard, part, f->shards);
}

static void rest(unsigned int *ms)
{
	const struct timespec t = { .tv_nsec = *ms * 1000000l };

	nanosleep(&t, NULL);
	if (*ms < 200)
		*ms *= 2;
}

/* What the part says, when it does; -1 if it is not waited for any longer. */
static int wait_for(struct shard_folder *f, uint32_t part)
{
	const double began = seconds();
	double look = began + 0.3;
	unsigned int ms = 1;
	int said;

	while ((said = said_by(f, part)) < 0) {
		if (seconds() > look) {
			if (gives_up(f, part))
				return -1;
			say_waiting(f, part, began);
			look = seconds() + 0.3;
		}
		rest(&ms);
	}
	if (part >= f->met) {
		if (meet_part(f, part) < 0)
			die("%s is used by two explorations", f->path);
		f->met = part + 1;
	}
	return said;
}

/* Says what the part says in this turn, and waits for what the others do. */
static uint32_t ask_all(struct shard_folder *f, uint32_t says)
{
	uint32_t together = says;

	write_text(name_of_said(f, f->mail.turn, f->shard), words("%" PRIu32, says));
	for (uint32_t i = 0; i < f->shards; i++) {
		int said = i == f->shard ? 0 : wait_for(f, i);

		if (said < 0)
			return GMEM_SAYS_CUT;
		together |= (uint32_t)said;
	}
	/* Nobody asks any more what it said in the turn before. */
	if (f->mail.turn)
		remove_file(name_of_said(f, f->mail.turn - 1, f->shard));
	return together;
}

static uint32_t take_turn(void *arg, uint32_t says)
{
	struct shard_folder *f = arg;
	uint32_t together;

	if (says & (GMEM_SAYS_FOUND | GMEM_SAYS_CUT)) {
		if (!f->why)
			shard_folder_end(f, says & GMEM_SAYS_FOUND ? "found something" :
								     "stopped at a limit");
		return says;
	}
	shard_mail_post(&f->mail);
	together = ask_all(f, says);
	f->mail.turn++;
	progress_end();
	return together;
}

static void send_message(void *arg, uint32_t to, const void *bytes, size_t size)
{
	struct shard_folder *f = arg;

	shard_mail_send(&f->mail, to, bytes, size);
}

static int receive_message(void *arg, const void **bytes, size_t *size)
{
	struct shard_folder *f = arg;

	return shard_mail_receive(&f->mail, bytes, size);
}

/* ---- for the explorer ---- */

const struct gmem_exchange *shard_folder_exchange(struct shard_folder *f)
{
	f->exchange = (struct gmem_exchange){ send_message, take_turn, receive_message, f };
	return &f->exchange;
}

void shard_folder_wait_until(struct shard_folder *f, double until)
{
	f->until = until;
}

void shard_folder_end(struct shard_folder *f, const char *why)
{
	char *whole = words("part %" PRIu32 " %s", f->shard, why);

	end_all(f, whole);
	free(whole);
}

const char *shard_folder_why(const struct shard_folder *f)
{
	return f ? f->why : NULL;
}
