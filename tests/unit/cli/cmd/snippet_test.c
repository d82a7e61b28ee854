/* SPDX-License-Identifier: MIT */
/* snippet.c: a secret with every kind of quote stays what it is. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "cli/cmd/cmd.h"
#include "cli/cmd/snippet.h"
#include "shared/base/base.h"
#include "shared/base/xmalloc.h"

static char *
text_of(const char *key, const struct snippet_values *v)
{
	struct buf *b = NULL;
	char *text;
	size_t i;

	for (i = 0; i < nsnippets; i++)
		if (strcmp(snippets[i].key, key) == 0)
			snippets[i].write(&b, v);
	assert_non_null(b);
	text = str_dup(buf_str(b));
	buf_unref(b);
	return text;
}

static void
quotes(void **state)
{
	static const struct {
		const char *key, *secret, *want;
	} t[] = {
		{ "node", "plain", "secret: 'plain'," },
		{ "node", "a'b\\c\"$", "secret: 'a\\'b\\\\c\"$'," },
		{ "php", "a'b\\c\"$", "('key', 'a\\'b\\\\c\"$', '123'," },
		{ "laravel-env", "plain", "PUSHER_APP_SECRET=plain\n" },
		{ "laravel-env", "a'b\\c\"$",
		    "PUSHER_APP_SECRET=\"a'b\\\\c\\\"\\$\"\n" },
		{ "laravel-env", "a #b", "PUSHER_APP_SECRET=\"a #b\"\n" },
		{ "curl", "plain", "-hmac plain |" },
		{ "curl", "a'b\\c\"$", "-hmac 'a'\\''b\\c\"$' |" },
		{ "curl", "x", "\"http://[::1]:7000$path?" },
		{ "pusher-js", "x", "new Pusher('key', {" },
		{ "pusher-js", "x", "wsHost: '[::1]'" },
		{ "laravel-echo", "x", "wsPort: 7000," },
		{ "publish", "x",
		    "ctl -c f publish 123 my-channel my-event "
		    "'{\"hello\":\"world\"}'\n" },
		{ "pusher-js", "x",
		    "  wsPort: 7000,\n  forceTLS: false,\n"
		    "  enabledTransports: ['ws'],\n" },
		{ "laravel-env", "x", "PUSHER_SCHEME=http\n" },
		{ "reverb-env", "a #b",
		    "=reverb\nREVERB_APP_ID=123\nREVERB_APP_KEY=key\n"
		    "REVERB_APP_SECRET=\"a #b\"\nREVERB_HOST=[::1]\n"
		    "REVERB_PORT=7000\nREVERB_SCHEME=http\nVITE_" },
		{ "node", "x", "useTLS: false,\n" },
		/* by TLS */
		{ "pusher-js", "x",
		    "  wssPort: 7000,\n  forceTLS: true,\n"
		    "  enabledTransports: ['wss'],\n" },
		{ "laravel-echo", "x",
		    "  wssPort: 7000,\n  forceTLS: true,\n"
		    "  enabledTransports: ['wss'],\n" },
		{ "laravel-env", "x", "PUSHER_SCHEME=https\n" },
		{ "node", "x", "useTLS: true,\n" },
		{ "php", "x", "'https',\n    'useTLS' => true,\n" },
		{ "curl", "x", "\"https://[::1]:7000$path?" },
	};
	const size_t ntls = 6;
	struct snippet_values v = {
		.host = "[::1]", .port = 7000, .self = "ctl -c f"
	};
	struct app a;
	char *text;
	size_t i;

	for (i = 0; i < nitems(t); i++) {
		app_init(&a);
		a.id = xstrdup("123");
		a.key = xstrdup("key");
		a.secret = xstrdup(t[i].secret);
		v.app = &a;
		v.tls = i >= nitems(t) - ntls;
		text = text_of(t[i].key, &v);
		if (strstr(text, t[i].want) == NULL)
			fail_msg("no %s in %s", t[i].want, text);
		free(text);
		app_clear(&a);
	}
}

static void
shell_words(void **state)
{
	static const struct {
		const char *word, *want;
	} t[] = {
		{ "plain", "plain" },
		{ "/etc/x.conf", "/etc/x.conf" },
		{ "a=b", "a=b" },
		{ "", "''" },
		{ "a b", "'a b'" },
		{ "it's", "'it'\\''s'" },
		{ "$(x)", "'$(x)'" },
		{ "~", "'~'" },
		{ "a\nb", "'a\nb'" },
	};
	char *s;
	size_t i;

	for (i = 0; i < nitems(t); i++) {
		s = cmd_shell_quote(t[i].word);
		assert_string_equal(s, t[i].want);
		free(s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quotes),
		cmocka_unit_test(shell_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
