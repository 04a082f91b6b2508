/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which pictures are asked for, and drawing them; see diagram.h.
 */
#include <errno.h>
#include <string.h>

#include "cmd.h"
#include "deadlock.h"
#include "diagram.h"

int diagram_option(struct diagrams *d, int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case DIAGRAM_DOT:
		d->dot = 1;
		break;
	case DIAGRAM_MERMAID:
		d->mermaid = 1;
		break;
	case DIAGRAM_PERFETTO:
		d->perfetto = arg;
		break;
	default:
		return 0;
	}
	if (d->dot && d->mermaid)
		argp_error(state, "--dot cannot be combined with --mermaid");
	return 1;
}

int diagram_on_stdout(const struct diagrams *d)
{
	return d->dot || d->mermaid;
}

int diagram_any(const struct diagrams *d)
{
	return diagram_on_stdout(d) || d->perfetto;
}

static void write_perfetto(const char *path, const struct timeline *tl)
{
	FILE *f = fopen(path, "w");

	if (!f)
		die("%s: %s", path, strerror(errno));
	diagram_perfetto(f, tl);
	if (fclose(f))
		die("%s: %s", path, strerror(errno));
}

void diagram_draw(const struct diagrams *d, const struct timeline *tl)
{
	if (d->dot)
		deadlock_print_dot(stdout, tl);
	if (d->mermaid)
		diagram_mermaid(stdout, tl);
	if (d->perfetto)
		write_perfetto(d->perfetto, tl);
}
