/* SPDX-License-Identifier: MIT */
/* handshake.c: upgrades, refusals inside the socket, the greeting. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shared/base/base.h"
#include "tests/unit/worker/rig.h"
#include "worker/client/admission.h"
#include "worker/client/handshake.h"
#include "worker/conn/http_conn.h"
#include "worker/link/link.h"

static struct rig rig;

static int
setup(void **state)
{
	rig_init(&rig);
	return 0;
}

static int
teardown(void **state)
{
	rig_clear(&rig);
	return 0;
}

/* One string of everything that came; valid until the next call. */
static const char *
answer(void)
{
	static char text[4096];

	assert_true(rig.n < sizeof(text));
	if (rig.n > 0)
		memcpy(text, rig.in, rig.n);
	text[rig.n] = '\0';
	return text;
}

#define UPGRADE "Upgrade: websocket\r\n"
#define CONNECTION "Connection: keep-alive, Upgrade\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define HOST "Host: x\r\n"
#define ALL HOST UPGRADE CONNECTION KEY VERSION
#define GET(path) "GET " path " HTTP/1.1\r\n"
#define PATH \
	"/app/demo-app-key-01?protocol=7&client=js&version=8.6.0&flash=false"

static void
http(const char *text)
{
	rig_connect(&rig, &http_ops);
	rig_send(&rig, text, strlen(text));
}

static void
statuses(void **state)
{
	static const struct {
		const char *request;
		int status;
		const char *has;
	} rows[] = {
		{ GET(PATH) HOST "\r\n", 426, "Sec-WebSocket-Version: 13\r\n" },
		{ GET("/app") HOST "\r\n", 426, "Upgrade: websocket\r\n" },
		{ "HEAD /app/x HTTP/1.1\r\n" HOST "\r\n", 426, NULL },
		{ "POST /app/x HTTP/1.1\r\n" HOST "\r\n", 405,
		    "Allow: GET, HEAD\r\n" },
		{ GET(PATH) HOST "Upgrade: h2c\r\n" CONNECTION "\r\n", 426,
		    NULL },
		{ "POST " PATH " HTTP/1.1\r\n" ALL "\r\n", 400, "GET" },
		{ "GET " PATH " HTTP/1.0\r\n" ALL "\r\n", 400, "HTTP/1.1" },
		{ GET(PATH) HOST UPGRADE KEY VERSION "\r\n", 400,
		    "Connection" },
		{ GET(PATH) HOST UPGRADE "Connection: close\r\n" KEY VERSION
					 "\r\n",
		    400, "Connection" },
		{ GET(PATH) HOST UPGRADE CONNECTION VERSION "\r\n", 400,
		    "Sec-WebSocket-Key" },
		{ GET(PATH) ALL KEY "\r\n", 400, "Sec-WebSocket-Key" },
		{ GET(PATH) HOST UPGRADE CONNECTION VERSION
		    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=\r\n\r\n",
		    400, "Sec-WebSocket-Key" },
		{ GET(PATH) HOST UPGRADE CONNECTION VERSION
		    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZTEy\r\n\r\n",
		    400, "Sec-WebSocket-Key" },
		{ GET(PATH) HOST UPGRADE CONNECTION VERSION
		    "Sec-WebSocket-Key: dGhlIHNhbXBsZ*Bub25jZQ==\r\n\r\n",
		    400, "Sec-WebSocket-Key" },
		{ GET(PATH) HOST UPGRADE CONNECTION VERSION
		    "Sec-WebSocket-Key: \r\n\r\n",
		    400, "Sec-WebSocket-Key" },
		{ GET(PATH) HOST UPGRADE CONNECTION KEY "\r\n", 426,
		    "Sec-WebSocket-Version: 13\r\n" },
		{ GET(PATH) HOST UPGRADE CONNECTION KEY
		    "Sec-WebSocket-Version: 8\r\n\r\n",
		    426, "Sec-WebSocket-Version: 13\r\n" },
		{ GET(PATH) ALL VERSION "\r\n", 426, NULL },
	};

	for (size_t i = 0; i < nitems(rows); i++) {
		char line[32];

		http(rows[i].request);
		snprintf(line, sizeof(line), "HTTP/1.1 %d ", rows[i].status);
		if (strncmp(answer(), line, strlen(line)) != 0 ||
		    (rows[i].has != NULL &&
			strstr(answer(), rows[i].has) == NULL))
			fail_msg("%s\n%s", rows[i].request, answer());
		if (!rig.eof)
			fail_msg("open: %s", rows[i].request);
	}
}

/* Reads the 101 and takes it away. */
static void
expect_101(const char *has)
{
	const char *end = strstr(answer(), "\r\n\r\n");
	size_t n;

	if (end == NULL || strncmp(answer(), "HTTP/1.1 101 ", 13) != 0)
		fail_msg("%s", answer());
	if (has != NULL && strstr(answer(), has) == NULL)
		fail_msg("no %s in %s", has, answer());
	n = (size_t)(end - answer()) + 4;
	memmove(rig.in, rig.in + n, rig.n - n);
	rig.n -= n;
}

static void
expect_greeting(void)
{
	enum ws_opcode op;
	struct buf *b;
	char want[160], sid[SOCKET_ID_MAX];

	socket_id_text(conn_sid(rig.c), sid);
	snprintf(want, sizeof(want),
	    "{\"event\":\"pusher:connection_established\",\"data\":"
	    "\"{\\\"socket_id\\\":\\\"%s\\\",\\\"activity_timeout\\\":30}\"}",
	    sid);
	assert_true(rig_next(&rig, &op, &b));
	assert_int_equal(op, WS_TEXT);
	assert_true(str_eq(buf_str(b), str_of(want)));
	buf_unref(b);
}

static void
greeting(void **state)
{
	static const struct {
		const char *request, *has;
	} rows[] = {
		{ GET(PATH) ALL "\r\n",
		    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" },
		{ GET("/app/demo-app-key-01") ALL "\r\n", NULL },
		{ GET("/app/demo-app-key%2d01") ALL "\r\n", NULL },
		{ GET("/app/demo-app-key-01?protocol=5") ALL "\r\n", NULL },
		{ GET("/app/demo-app-key-01?version=x&protocol=4") ALL "\r\n",
		    NULL },
		{ GET("/app/demo-app-key-01?protocol=%37") ALL "\r\n", NULL },
		{ GET(PATH) HOST
		    "upgrade: h2c, WebSocket\r\n" CONNECTION KEY VERSION "\r\n",
		    NULL },
		{ GET(PATH) ALL "Origin: https://anything\r\n\r\n", NULL },
		{ GET(PATH) ALL "Sec-WebSocket-Protocol: x, "
				"pusher-channels-protocol-7\r\n\r\n",
		    "Sec-WebSocket-Protocol: pusher-channels-protocol-7\r\n" },
		{ GET(PATH) ALL
		    "Sec-WebSocket-Protocol: pusher-channels-protocol-9,"
		    "pusher-channels-protocol-x\r\n"
		    "Sec-WebSocket-Protocol: pusher-channels-protocol-5\r\n"
		    "\r\n",
		    "Sec-WebSocket-Protocol: pusher-channels-protocol-5\r\n" },
	};

	for (size_t i = 0; i < nitems(rows); i++) {
		http(rows[i].request);
		expect_101(rows[i].has);
		expect_greeting();
		rig_expect_nothing(&rig);
		assert_true(
		    rig.c->greeted && rig.c->admission == ADMISSION_DONE);
		assert_null(rig.c->http);
	}
	/* An offer that we do not speak is no reason to fail, or to answer. */
	http(GET(PATH) ALL "Sec-WebSocket-Protocol: graphql-ws\r\n\r\n");
	assert_null(strstr(answer(), "Sec-WebSocket-Protocol"));
	expect_101(NULL);
	expect_greeting();
}

/* pusher:error, close frame, and the socket stays for the peer's close. */
static void
expect_refusal(unsigned code)
{
	struct buf *close_frame = NULL;
	char want[80];

	expect_101(NULL);
	snprintf(want, sizeof(want),
	    "{\"event\":\"pusher:error\",\"data\":{\"code\":%u,\"message\":\"*",
	    code);
	rig_expect_text(&rig, want);
	rig_expect_close(&rig, code);
	assert_false(rig.eof);
	assert_false(rig.c->admission == ADMISSION_DONE);
	rig_frame(&close_frame, true, WS_CLOSE, S("\x03\xe8"));
	rig_send(&rig, close_frame->data, close_frame->len);
	assert_true(rig.eof);
	buf_unref(close_frame);
}

static void
refusals(void **state)
{
	static const struct {
		const char *path;
		unsigned code;
	} rows[] = {
		{ "/", 4005 },
		{ "/application/demo-app-key-01", 4005 },
		{ "/app", 4005 },
		{ "/app/", 4005 },
		{ "/app/demo-app-key-01/", 4005 },
		{ "/app/demo-app-key-01/x", 4005 },
		{ "/app/demo-app-key-02", 4001 },
		{ "/app/demo-app-key-01%00", 4001 },
		{ "/app/demo-app-key-01?protocol=", 4007 },
		{ "/app/demo-app-key-01?protocol=3", 4007 },
		{ "/app/demo-app-key-01?protocol=8", 4007 },
		{ "/app/demo-app-key-01?protocol=-7", 4007 },
		{ "/app/demo-app-key-01?protocol=7.0", 4007 },
		{ "/app/demo-app-key-01?protocol=99999999999999999999", 4007 },
	};
	char text[512], key[400];

	for (size_t i = 0; i < nitems(rows); i++) {
		snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\n" ALL "\r\n",
		    rows[i].path);
		http(text);
		expect_refusal(rows[i].code);
	}
	memset(key, 'k', sizeof(key));
	snprintf(text, sizeof(text), "GET /app/%.*s HTTP/1.1\r\n" ALL "\r\n",
	    300, key);
	http(text);
	expect_refusal(4001);
}

static void
strict(void **state)
{
	static const struct {
		const char *query;
		unsigned code; /* 0: fine */
	} rows[] = {
		{ "protocol=7&version=8.6.0", 0 },
		{ "protocol=7&version=2.0", 0 },
		{ "protocol=7&version=1.2.3.4-beta", 0 },
		{ "protocol=7&version=8.0.0-rc.1", 0 },
		{ "version=8.6.0", 4008 },
		{ "protocol=3&version=8.6.0", 4007 },
		{ "protocol=7", 4006 },
		{ "protocol=7&version=", 4006 },
		{ "protocol=7&version=8", 4006 },
		{ "protocol=7&version=x.y", 4006 },
		{ "protocol=7&version=1.2.3.4.5", 4006 },
		{ "protocol=7&version=1..2", 4006 },
		{ "protocol=7&version=1.2.", 4006 },
	};
	char text[512];

	rig.conf.strict_protocol = true;
	for (size_t i = 0; i < nitems(rows); i++) {
		snprintf(text, sizeof(text),
		    "GET /app/demo-app-key-01?%s HTTP/1.1\r\n" ALL "\r\n",
		    rows[i].query);
		http(text);
		if (rows[i].code != 0) {
			expect_refusal(rows[i].code);
			continue;
		}
		expect_101(NULL);
		expect_greeting();
	}
}

static void
settings(void **state)
{
	struct app *app = rig_app(&rig);

	app->enabled = 0;
	http(GET(PATH) ALL "\r\n");
	expect_refusal(4003);
	app->enabled = 1;
	app->tls_only = 1;
	http(GET(PATH) ALL "\r\n");
	expect_refusal(4000);
	app->tls_only = 0;
	free(app->allowed_origins);
	app->allowed_origins = xstrdup("*.a.test");
	http(GET(PATH) ALL "Origin: https://b.test\r\n\r\n");
	expect_refusal(4009);
	http(GET(PATH) ALL "Origin: https://x.a.test\r\n\r\n");
	expect_101(NULL);
	expect_greeting();
	http(GET(PATH) ALL "\r\n");
	expect_101(NULL);
	expect_greeting();
}

/* A thing that the server cannot do is never a reason to stay away for good. */
static void
capacity(void **state)
{
	rig.w.max_conns = 0;
	http(GET(PATH) ALL "\r\n");
	expect_refusal(4100);
	rig.w.max_conns = 100;
	rig.w.link->state = LINK_FILLING;
	http(GET("/app/not-here-yet") ALL "\r\n");
	expect_refusal(4100);
	rig.w.link->state = LINK_UP;
	rig.w.serving = false;
	http(GET(PATH) ALL "\r\n");
	expect_refusal(4100);
	rig.w.serving = true;
	rig.w.draining = true;
	http(GET(PATH) ALL "\r\n");
	expect_refusal(4100);
	rig.w.draining = false;
}

static void
answer_quota(bool granted)
{
	struct msg_conn_ok m = {
		.app = RIG_APP, .sid = conn_sid(rig.c), .granted = granted
	};

	assert_int_equal(admission_on_conn_ok(&rig.w, &m), 0);
	rig_turn(&rig);
}

static void
quota(void **state)
{
	struct buf *b = NULL;

	rig_app(&rig)->max_connections = 1;
	/* The first frame comes with the request and waits, too. */
	buf_append(&b, S(GET(PATH) ALL "\r\n"));
	rig_frame(&b, true, WS_TEXT, S("{\"event\":\"pusher:ping\"}"));
	rig_connect(&rig, &http_ops);
	rig_send(&rig, b->data, b->len);
	expect_101(NULL);
	rig_expect_nothing(&rig);
	assert_true(conn_input_is(rig.c, INPUT_PAUSED) &&
	    rig.c->admission == ADMISSION_PENDING);
	answer_quota(true);
	expect_greeting();
	rig_expect_text(&rig, "{\"event\":\"pusher:pong\",\"data\":\"{}\"}");
	assert_true(rig.c->admission == ADMISSION_DONE);
	buf_unref(b);

	http(GET(PATH) ALL "\r\n");
	answer_quota(false);
	expect_refusal(4004);

	/* No answer in time: back in a second; a late one is given back. */
	http(GET(PATH) ALL "\r\n");
	rig.c->ops->on_timeout(rig.c);
	rig_turn(&rig);
	answer_quota(true);
	expect_refusal(4100);

	/* Granted while the server drains. */
	http(GET(PATH) ALL "\r\n");
	rig.w.draining = true;
	answer_quota(true);
	expect_refusal(4100);
	rig.w.draining = false;
}

/* That app counts only clients with a sign-in or a private channel. */
static void
authorized(void **state)
{
	rig_app(&rig)->max_connections = 1;
	rig_app(&rig)->authorized_connections = 1;
	http(GET(PATH) ALL "\r\n");
	expect_101(NULL);
	expect_greeting();
	assert_false(rig.c->admission != ADMISSION_NONE || rig.c->authorized);
	admission_authorize(rig.c);
	assert_true(rig.c->admission == ADMISSION_PENDING &&
	    !conn_input_is(rig.c, INPUT_PAUSED));
	answer_quota(true);
	rig_expect_nothing(&rig);
	assert_true(rig.c->admission == ADMISSION_DONE);

	http(GET(PATH) ALL "\r\n");
	expect_101(NULL);
	expect_greeting();
	admission_authorize(rig.c);
	answer_quota(false);
	rig_expect_text(
	    &rig, "{\"event\":\"pusher:error\",\"data\":{\"code\":4004,*");
	rig_expect_close(&rig, 4004);
}

/* The request may arrive in any pieces, and frames right behind it. */
static void
pieces(void **state)
{
	struct buf *b = NULL;

	buf_append(&b, S(GET(PATH) ALL "\r\n"));
	rig_frame(&b, true, WS_TEXT, S("{\"event\":\"pusher:ping\"}"));
	rig_connect(&rig, &http_ops);
	for (size_t i = 0; i < b->len; i++)
		rig_send(&rig, b->data + i, 1);
	expect_101(NULL);
	expect_greeting();
	rig_expect_text(&rig, "{\"event\":\"pusher:pong\",\"data\":\"{}\"}");
	buf_unref(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(statuses, setup, teardown),
		cmocka_unit_test_setup_teardown(greeting, setup, teardown),
		cmocka_unit_test_setup_teardown(refusals, setup, teardown),
		cmocka_unit_test_setup_teardown(strict, setup, teardown),
		cmocka_unit_test_setup_teardown(settings, setup, teardown),
		cmocka_unit_test_setup_teardown(capacity, setup, teardown),
		cmocka_unit_test_setup_teardown(quota, setup, teardown),
		cmocka_unit_test_setup_teardown(authorized, setup, teardown),
		cmocka_unit_test_setup_teardown(pieces, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
