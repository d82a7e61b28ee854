/* SPDX-License-Identifier: MIT */
/*
 * json.c: the writer for programs.  The document goes into a json_writer as it
 * comes and is written as one line at the end.
 */

#include "cli/out/private.h"

static void
json_key_of(struct out *o, const char *name)
{
	if (name != NULL)
		json_key(&o->w, name);
}

static void
json_group(struct out *o, bool open)
{
	if (open)
		json_object_open(&o->w);
	else
		json_object_close(&o->w);
}

static void
json_record(struct out *o, const char *name, bool open)
{
	json_key_of(o, open ? name : NULL);
	json_group(o, open);
}

static void
json_table(struct out *o, const char *name, bool open)
{
	json_key_of(o, open ? name : NULL);
	if (open)
		json_array_open(&o->w);
	else
		json_array_close(&o->w);
}

static void
json_value(struct out *o, const char *key, const struct out_value *v)
{
	json_key(&o->w, key);
	switch (v->kind) {
	case OUT_STR:
	case OUT_GOOD:
	case OUT_BAD:
		json_put_str(&o->w, v->s);
		break;
	case OUT_NUM:
	case OUT_SECONDS:
	case OUT_BYTES:
		json_put_u64(&o->w, v->n);
		break;
	case OUT_BOOL:
	case OUT_SWITCH:
		json_put_bool(&o->w, v->n != 0);
		break;
	case OUT_NULL:
		json_put_null(&o->w);
		break;
	}
}

static void
json_block(struct out *o, const char *key, const char *title, struct str text)
{
	json_key(&o->w, key);
	json_put_str(&o->w, text);
}

static void
json_finish(struct out *o)
{
	struct buf *b = json_writer_take(&o->w);

	if (b != NULL && b->len > 0) {
		out_put(o, buf_str(b));
		out_put(o, S("\n"));
	}
	buf_unref(b);
}

const struct out_ops out_json_ops = { json_group, json_record, json_table,
	json_group, json_value, json_block, json_finish };
