/* SPDX-License-Identifier: MIT */
/*
 * row.c: reads the values of a row that the daemon has sent, and prints them.
 * Owns nothing.
 */

#include "cli/cmd/row.h"

#include <time.h>

uint64_t
row_u64(struct json row, const char *key)
{
	uint64_t n;

	return json_u64(json_get(row, str_of(key)), UINT64_MAX, &n) == 0 ? n
									 : 0;
}

void
row_put_time(struct out *o, const char *key, uint64_t seconds)
{
	time_t t = (time_t)seconds;
	struct tm tm;
	char text[32];

	if (out_is_json(o) || localtime_r(&t, &tm) == NULL) {
		out_num(o, key, seconds);
		return;
	}
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M", &tm);
	out_text(o, key, text);
}
