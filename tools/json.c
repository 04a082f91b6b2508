/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JSON for programs, one object a line; see json.h.
 */
#include "json.h"

#include <stdlib.h>

#include "cmd.h"

struct json_object *json_event(const char *name)
{
	struct json_object *o = json_object_new_object();

	if (!o)
		die("out of memory");
	json_object_object_add(o, "event", json_object_new_string(name));
	return o;
}

void json_put(struct json_object *o)
{
	puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
						       JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
}

void json_add_string(struct json_object *o, const char *key, const char *value)
{
	char *valid = value ? valid_utf8(value) : NULL;

	json_object_object_add(o, key, valid ? json_object_new_string(valid) : NULL);
	free(valid);
}

void json_add_number(struct json_object *o, const char *key, uint64_t value)
{
	json_object_object_add(o, key, json_object_new_int64(value));
}

void json_add_yes(struct json_object *o, const char *key, int yes)
{
	json_object_object_add(o, key, json_object_new_boolean(yes));
}

/* Adds text that was made for it. */
void json_add_text(struct json_object *o, const char *key, char *text)
{
	json_add_string(o, key, text);
	free(text);
}

void json_add_clause(struct json_object *o, unsigned int number)
{
	const struct gmem_clause *c = gmem_clause(number);

	if (!c)
		return;
	json_add_string(o, "clause", c->name);
	json_add_string(o, "sentence", c->sentence);
	json_add_string(o, "source", c->source);
}
