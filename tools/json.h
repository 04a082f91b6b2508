/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JSON for programs: objects of json-c that begin with their "event" and are printed one a line.
 */
#ifndef JSON_H
#define JSON_H

#include <json-c/json.h>
#include <stdint.h>

struct json_object *json_event(const char *name);
/* Prints it on a line of its own, and frees it. */
void json_put(struct json_object *o);
/* Null is null; bytes that are no UTF-8 become U+FFFD. */
void json_add_string(struct json_object *o, const char *key, const char *value);
/* The same, and frees the text. */
void json_add_text(struct json_object *o, const char *key, char *text);
void json_add_number(struct json_object *o, const char *key, uint64_t value);
void json_add_yes(struct json_object *o, const char *key, int yes);
/* Its name, sentence and source; nothing if there is no such clause. */
void json_add_clause(struct json_object *o, unsigned int number);

#endif
