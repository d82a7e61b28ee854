/* SPDX-License-Identifier: MIT */
/*
 * event_rules.c: the allowed names and sizes of events, and the sentence for a
 * wrong one.  Pure.  Must never put more of a refused name into a sentence than
 * one character of ASCII: its bytes need not be UTF-8.
 */

#include "shared/pusher/event_rules.h"

#include <stdarg.h>
#include <stdio.h>

#include "shared/base/base.h"
#include "shared/pusher/channel_name.h"

static const char *say(struct event_rule *, const char *fmt, ...)
    PRINTF_LIKE(2, 3);

static const char *
say(struct event_rule *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(r->text, sizeof(r->text), fmt, ap);
	va_end(ap);
	return r->text;
}

const char *
event_rule_user(struct event_rule *r, struct str id, unsigned max)
{
	enum user_id_fault fault = user_id_check(id, max);
	char length[32] = "";

	if (fault == USER_ID_GOOD)
		return NULL;
	if (fault == USER_ID_LONG)
		(void)snprintf(
		    length, sizeof(length), " (%zu)", str_characters(id));
	return say(r,
	    "the id of a user is 1 to %u (max_user_id_length) characters of "
	    "UTF-8 without control characters; this one %s%s",
	    max, user_id_text(fault), length);
}

/* The first character that a channel's name may not have; 0: not printable. */
static char
wrong_char(struct str name)
{
	char c;

	for (size_t i = 0; i < name.n; i++) {
		c = name.p[i];
		if (!channel_name_is_valid(str_make(&c, 1), 1))
			return c >= ' ' && c <= '~' ? c : 0;
	}
	return 0;
}

const char *
event_rule_channel(
    struct event_rule *r, struct str name, unsigned max, unsigned max_user)
{
	char length[48] = "", c;

	if (channel_name_is_valid(name, max))
		return NULL;
	if (max_user > 0 && (channel_flags(name) & CHANNEL_USER))
		return event_rule_user(r, channel_user_id(name), max_user);
	if (name.n == 0 || name.n > max)
		(void)snprintf(
		    length, sizeof(length), " (this one has %zu)", name.n);
	else if ((c = wrong_char(name)) != 0)
		(void)snprintf(
		    length, sizeof(length), " (this one has \"%c\")", c);
	return say(r,
	    "a channel name is 1 to %u (max_channel_name_length) characters "
	    "out of A-Z a-z 0-9 _ - = @ , . ;%s",
	    max, length);
}

const char *
event_rule_length(struct event_rule *r, struct str event, unsigned max)
{
	size_t n = event.n == 0 || event.n > max ? str_characters(event) : 1;

	if (n >= 1 && n <= max)
		return NULL;
	return say(r,
	    "the name of an event is 1 to %u (max_event_name_length) "
	    "characters; this one has %zu",
	    max, n);
}

const char *
event_rule_name(struct event_rule *r, struct str event, unsigned max)
{
	if (str_starts(event, S("pusher:")) ||
	    str_starts(event, S("pusher_internal:")))
		return say(r,
		    "only the server may send an event whose name begins "
		    "with pusher: or pusher_internal:");
	return event_rule_length(r, event, max);
}

const char *
event_rule_data(struct event_rule *r, size_t bytes, unsigned max)
{
	if (bytes <= max)
		return NULL;
	return say(
	    r, "data has %zu bytes: at most %u (max_event_bytes)", bytes, max);
}
