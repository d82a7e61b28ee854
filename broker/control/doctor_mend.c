/* SPDX-License-Identifier: MIT */
/*
 * doctor_mend.c: the remedy for a refusal, by its sentence: the setting or
 * option that it names, or what client and request have to change.  The
 * commands are copied into a shell: must never put bytes of a stranger into one
 * unless is_plain() has seen them.
 */

#include "broker/app/apps.h"
#include "broker/control/doctor.h"
#include "shared/base/base.h"
#include "shared/pusher/pusher_errors.h"

static const char *const settings[] = {
#define APP_UINT(field, def, min, max, help) #field,
#define APP_BOOL(field, def, help) #field,
#define APP_TEXT(field, def, help) #field,
#include "shared/app/app_settings.def"
};

static bool
is_setting(struct str word)
{
	for (size_t i = 0; i < nitems(settings); i++)
		if (str_eq(str_of(settings[i]), word))
			return true;
	return false;
}

/* The next word with an underscore: the name of a setting or option. */
static struct str
next_option(struct str *rest)
{
	struct str word;

	while (rest->n > 0) {
		size_t n = 0;

		while (n < rest->n &&
		    ((rest->p[n] >= 'a' && rest->p[n] <= 'z') ||
			rest->p[n] == '_'))
			n++;
		word = str_make(rest->p, n);
		*rest = str_from(*rest, n + 1);
		if (n > 3 && str_find(word, '_') > 0)
			return word;
	}
	return S("");
}

static bool
has(struct str text, struct str part)
{
	return memmem(text.p, text.n, part.p, part.n) != NULL;
}

/* A refused name of a channel that no limit would let in. */
static bool
has_wrong_char(struct str why)
{
	static const char mark[] = "(this one has ";
	const char *at = memmem(why.p, why.n, mark, sizeof(mark) - 1);

	return has(why, S("a channel name is 1 to")) &&
	    (at == NULL || at[sizeof(mark) - 1] == '"');
}

static void
put_enable(const struct doctor *d, struct buf **b)
{
	if (d->a == NULL || d->a->app.enabled)
		buf_append(b, S("It is enabled by now."));
	else
		buf_printf(b, "pusherctl app enable %s", d->a->app.id);
}

/* The sentences whose remedy is not the setting in them. */
static bool
put_known(const struct doctor *d, struct buf **b, struct str why)
{
	const char *app = d->a == NULL ? "APP" : d->a->app.id;

	if (has(why, S("trusted_proxies")))
		buf_append(b,
		    S("Name the proxy in the option trusted_proxies "
		      "(pusherd.conf(5)); then: pusherctl reload"));
	else if (str_eq(why, pusher_error_text(PUSHER_TLS_ONLY)))
		buf_printf(b,
		    "Let clients use TLS (forceTLS: true, wssPort), or let "
		    "them do without: pusherctl app set %s tls_only=off",
		    app);
	else if (str_eq(why, pusher_error_text(PUSHER_APP_DISABLED)))
		put_enable(d, b);
	else if (str_eq(why, pusher_error_text(PUSHER_PATH_UNKNOWN)))
		buf_append(b,
		    S("Take wsPath out of the client, or set the option "
		      "path_prefix to what the path has before /app."));
	else if (has_wrong_char(why))
		buf_append(b,
		    S("Rename the channel: no setting allows other "
		      "characters."));
	else if (str_starts(why, S("info:")))
		buf_append(b, S("Change the parameter info of the request."));
	else
		return false;
	return true;
}

/* The value is right unless the sentence says that it is off. */
static void
put_setting(
    const struct doctor *d, struct buf **b, struct str why, struct str name)
{
	const char *end = name.p + name.n;
	struct str rest = str_make(end, (size_t)(why.p + why.n - end));

	buf_printf(b, "pusherctl app set %s %.*s=%s", d->a->app.id,
	    STR_ARG(name), str_starts(rest, S(" is off")) ? "on" : "...");
}

void
doctor_put_limit(const struct doctor *d, struct buf **b, struct str why)
{
	struct str rest = why, word;

	if (put_known(d, b, why))
		return;
	while ((word = next_option(&rest)).n > 0) {
		if (str_starts(word, S("auth_")) ||
		    str_starts(word, S("body_")) ||
		    str_starts(word, S("user_")) ||
		    str_starts(word, S("channel_")) ||
		    str_starts(word, S("socket_")))
			continue; /* members of messages */
		if (d->a != NULL && is_setting(word))
			put_setting(d, b, why, word);
		else
			buf_printf(b, "See the option %.*s (pusherd.conf(5)).",
			    STR_ARG(word));
		return;
	}
	buf_append(b,
	    S("The sentence says what the client or the request has to "
	      "change."));
}

/* Nothing that a shell, or quotes of one, could take for more than text. */
static bool
is_plain(struct str text)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
		    !(c >= '0' && c <= '9') && strchr(":/.-[]", c) == NULL)
			return false;
	}
	return text.n > 0;
}

void
doctor_put_origin(const struct doctor *d, struct buf **b, struct str origin)
{
	const char *allowed = d->a == NULL ? "" : d->a->app.allowed_origins;

	if (*allowed == '\0') {
		buf_append(b, S("Every origin may connect by now."));
		return;
	}
	if (!is_plain(origin))
		origin = S("ORIGIN");
	buf_printf(b, "pusherctl app set %s allowed_origins='%s %.*s'",
	    d->a->app.id, allowed, STR_ARG(origin));
}
