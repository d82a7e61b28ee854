/* SPDX-License-Identifier: MIT */
/*
 * explain.c: finds out from what text a wrong signature was made.  It signs the
 * request again with the usual mistakes of people and libraries (order,
 * encoding, method, path, line feeds) and with other secrets, until one gives
 * the received signature.  Pure.  Must never put a secret or a right signature
 * into a sentence.
 */

#include "shared/app/explain.h"

#include <stdio.h>
#include <stdlib.h>

#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

/* One way to write the string to sign. */
struct form {
	struct str method, path;
	bool wire_order; /* parameters as in the URL */
	bool encoded;    /* their values percent-encoded */
	bool no_md5;     /* without body_md5 */
	bool glued;      /* no line feeds */
};

struct part {
	struct str key, value;
};

static int
by_key(const void *a, const void *b)
{
	const struct part *x = a, *y = b;

	return str_cmp(x->key, y->key);
}

/* Writes the parameters in this form; returns how many there are. */
static size_t
collect(const struct explain *e, const struct form *f, struct part *parts)
{
	const struct api_params *p = e->auth->params;
	struct str rest = e->query, one;
	size_t n = 0;

	for (size_t i = 0; !f->encoded && i < p->n; i++)
		parts[n++] = (struct part){ p->v[i].key, p->v[i].value };
	while (f->encoded && rest.p != NULL && n < API_PARAMS_MAX) {
		one = str_cut(&rest, '&');
		parts[n].key = str_cut(&one, '=');
		parts[n++].value = one.p == NULL ? S("") : one;
	}
	if (!f->wire_order && n > 0)
		qsort(parts, n, sizeof(*parts), by_key);
	return n;
}

static struct buf *
write_form(const struct explain *e, const struct form *f)
{
	struct part parts[API_PARAMS_MAX];
	size_t n = collect(e, f, parts);
	struct str feed = f->glued ? S("") : S("\n");
	struct buf *b = NULL;
	bool any = false;

	buf_append(&b, f->method);
	buf_append(&b, feed);
	buf_append(&b, f->path);
	buf_append(&b, feed);
	for (size_t i = 0; i < n; i++) {
		if (str_eq(parts[i].key, S("auth_signature")) ||
		    (f->no_md5 && str_eq(parts[i].key, S("body_md5"))))
			continue;
		if (any)
			buf_putc(&b, '&');
		buf_append(&b, parts[i].key);
		buf_putc(&b, '=');
		buf_append(&b, parts[i].value);
		any = true;
	}
	return b;
}

static bool
is_right(struct sign_key *key, const struct buf *text, struct str signature)
{
	struct str s = buf_str(text);

	return sign_verify(key, &s, 1, signature);
}

/* ---- another text ---- */

#define FORMS_MAX 32
#define REMOVED_MAX 10 /* prefixes */

struct forms {
	struct form v[FORMS_MAX];
	char *what[FORMS_MAX];
	size_t n;
};

static struct form *
add(struct forms *l, const struct explain *e, char *what)
{
	struct form *f = &l->v[l->n];

	l->what[l->n++] = what;
	*f = (struct form){ .method = e->auth->method, .path = e->auth->path };
	return f;
}

static void
add_methods(struct forms *l, const struct explain *e)
{
	static const struct str methods[] = { { "GET", 3 }, { "POST", 4 },
		{ "PUT", 3 }, { "get", 3 }, { "post", 4 } };

	for (size_t i = 0; i < nitems(methods); i++)
		if (!str_eq(methods[i], e->auth->method))
			add(l, e,
			    xasprintf("it was signed for the method %s, but "
				      "sent with %.*s",
				methods[i].p, STR_ARG(e->auth->method)))
			    ->method = methods[i];
}

/* Prefixes that a proxy often removes. */
static void
add_removed(struct forms *l, const struct explain *e, char **texts)
{
	static const char *const prefixes[REMOVED_MAX] = { "/ws", "/pusher",
		"/pusherd", "/reverb", "/soketi", "/api", "/app", "/websocket",
		"/socket", "/broadcast" };

	for (size_t i = 0; i < nitems(prefixes); i++) {
		texts[i] =
		    xasprintf("%s%.*s", prefixes[i], STR_ARG(e->auth->path));
		add(l, e,
		    xasprintf("it was signed for the path %s, but arrived "
			      "without %s: let the proxy pass the whole path, "
			      "and set the option path_prefix %s",
			texts[i], prefixes[i], prefixes[i]))
		    ->path = str_of(texts[i]);
	}
}

static void
add_paths(struct forms *l, const struct explain *e, char **slash)
{
	struct str path = e->auth->path, rest;
	const char *apps = memmem(path.p, path.n, "/apps/", 6);

	if (apps != NULL && apps != path.p) {
		rest = str_from(path, (size_t)(apps - path.p));
		add(l, e,
		    xasprintf("it was signed for the path %.*s, but arrived "
			      "with the prefix %.*s: let the proxy in front "
			      "remove it, or sign the whole path",
			STR_ARG(rest), (int)(path.n - rest.n), path.p))
		    ->path = rest;
	}
	if (str_ends(path, S("/"))) {
		rest = str_make(path.p, path.n - 1);
	} else {
		*slash = xasprintf("%.*s/", STR_ARG(path));
		rest = str_of(*slash);
	}
	add(l, e,
	    xasprintf("it was signed for the path %.*s (mind the slash at the "
		      "end)",
		STR_ARG(rest)))
	    ->path = rest;
}

static char *
find_form(const struct explain *e, struct sign_key *key, struct str signature)
{
	struct forms l = { .n = 0 };
	char *slash = NULL, *removed[REMOVED_MAX] = { NULL }, *found = NULL;
	struct buf *text;

	add(&l, e,
	    xstrdup("the parameters were signed in the order of the URL: they "
		    "have to be sorted by name"))
	    ->wire_order = true;
	add(&l, e,
	    xstrdup("the values were signed percent-encoded: they have to be "
		    "signed as they are"))
	    ->encoded = true;
	add(&l, e, xstrdup("body_md5 was left out of the text that was signed"))
	    ->no_md5 = true;
	add(&l, e,
	    xstrdup("method, path and parameters were joined without line "
		    "feeds"))
	    ->glued = true;
	add_methods(&l, e);
	add_paths(&l, e, &slash);
	add_removed(&l, e, removed);
	for (size_t i = 0; i < l.n; i++) {
		text = write_form(e, &l.v[i]);
		if (found == NULL && is_right(key, text, signature))
			found = xstrdup(l.what[i]);
		buf_unref(text);
		free(l.what[i]);
	}
	free(slash);
	for (size_t i = 0; i < nitems(removed); i++)
		free(removed[i]);
	return found;
}

/* ---- another secret ---- */

static bool
fits_secret(struct str secret, const struct buf *text, struct str signature)
{
	struct sign_key *key = sign_key_new(secret);
	bool fits = is_right(key, text, signature);

	sign_key_free(key);
	return fits;
}

static char *
find_secret(
    const struct explain *e, const struct buf *text, struct str signature)
{
	static const char *const tails[] = { "\n", "\r\n", " " };
	const struct app *a;
	char *secret, *found = NULL;

	for (size_t i = 0; i < nitems(tails) && found == NULL; i++) {
		secret = xasprintf("%s%s", e->app->secret, tails[i]);
		if (fits_secret(str_of(secret), text, signature))
			found = xstrdup("it was signed with the right secret "
					"and a line feed or blank after it");
		explicit_bzero(secret, strlen(secret));
		free(secret);
	}
	if (found == NULL && fits_secret(str_of(e->app->key), text, signature))
		found = xstrdup("it was signed with the key: sign with the "
				"secret");
	for (size_t i = 0; i < e->nothers && found == NULL; i++) {
		a = &e->others[i];
		if (a->num != e->app->num &&
		    fits_secret(str_of(a->secret), text, signature))
			found = xasprintf("the secret of another app matches: "
					  "%s (%s)",
			    a->id, a->name);
		else if (a->old_secret != NULL &&
		    fits_secret(str_of(a->old_secret), text, signature))
			found = xasprintf("the secret of an old key matches: "
					  "%s of app %s",
			    a->old_key, a->id);
	}
	return found;
}

/* ---- the two questions ---- */

static char *
lower(struct str s)
{
	char *out = str_dup(s);

	for (char *p = out; *p != '\0'; p++)
		if (*p >= 'A' && *p <= 'F')
			*p = (char)(*p - 'A' + 'a');
	return out;
}

char *
explain_signature(const struct explain *e)
{
	struct str given = api_params_get(e->auth->params, S("auth_signature"));
	struct buf *text = NULL;
	char *low, *found = NULL;

	if (given.p == NULL)
		return NULL;
	if (given.n == 44 && str_ends(given, S("=")))
		return xstrdup("this is base64: the signature has to be 64 "
			       "lower-case hex digits");
	api_auth_put_text(e->auth, &text);
	low = lower(given);
	if (!str_eq(str_of(low), given) &&
	    is_right(e->auth->sign, text, str_of(low)))
		found = xstrdup("it is right, but in upper case");
	free(low);
	if (found == NULL)
		found = find_secret(e, text, given);
	if (found == NULL)
		found = find_form(e, e->auth->sign, given);
	buf_unref(text);
	return found;
}

static struct buf *
with_feed(struct str s)
{
	struct buf *b = buf_from(s);

	buf_putc(&b, '\n');
	return b;
}

static struct str
trim_end(struct str s)
{
	while (s.n > 0 && strchr(" \t\r\n", s.p[s.n - 1]) != NULL)
		s.n--;
	return s;
}

char *
explain_body(const struct explain *e)
{
	struct str given = api_params_get(e->auth->params, S("body_md5"));
	struct str body = e->auth->body;
	struct buf *more = with_feed(body);
	const struct {
		struct str body;
		const char *what;
	} forms[] = {
		{ S(""), "body_md5 is that of an empty body" },
		{ trim_end(body),
		    "body_md5 is of the body without the blanks or line feed "
		    "at its end" },
		{ buf_str(more),
		    "body_md5 is of the body with a line feed at its end" },
	};
	char md5[SIGN_MD5_HEX_LEN + 1], *found = NULL;

	for (size_t i = 0; i < nitems(forms) && found == NULL; i++) {
		sign_md5_hex(forms[i].body, md5);
		if (given.p != NULL && str_eq(given, str_of(md5)))
			found = xstrdup(forms[i].what);
	}
	buf_unref(more);
	return found;
}
